"""Who is answered by the UI: middleware on the webserver's ASGI application.

Belongs here: which requests reach the UI at all, and the headers that keep its pages to themselves. Does not belong here: the
pages, starting the server (``webserver``).

A UI on 127.0.0.1 is reached by every web page that the same browser shows, and by every user of the machine. So, as Jupyter does
it, whoever opens it shows a secret once, which the browser keeps as a cookie; what a page of another origin sends is refused
whatever it carries; and GraphQL is taken in the one form that no form, image or text request of a foreign page can have.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from revenue_integrity.orchestration.reloading import cookie_name

LOCAL_HOSTS = ("127.0.0.1", "localhost")
"""Names under which the UI is reached where nobody set others."""

TOKEN = "token"
"""Parameter of the address that shows the secret once."""

_KEPT_TO_ITSELF = {"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'"}

_CLOSED = ("/report_asset_",)
"""Paths that put on record what no run of ours made."""

_OPERATION = "op"
"""The one parameter that the UI's own pages put beside a GraphQL request: the name of the operation, for people who read logs."""

_ENTERED = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    '<title>Revenue Integrity</title></head><body><a href="/">Go on to the UI</a></body></html>'
)
"""A page instead of a redirect: the browser sends the cookie only with what this origin asks for."""


@dataclass(frozen=True)
class Door:
    """Who may come in.

    Attributes:
        port: the port that the UI listens on.
        auth: ``secret`` (the cookie), or ``proxy``: a proxy in front says who the user is.
        secret: the secret of this start.
        hosts: names under which the UI is reached beside those of this machine.
        user_header: the header in which the proxy names the user.
    """

    port: int
    auth: Literal["secret", "proxy"]
    secret: str
    hosts: tuple[str, ...] = ()
    user_header: str = ""

    @property
    def middleware(self) -> list[Middleware]:
        """The middleware of the application, the outermost first."""
        allowed = [*LOCAL_HOSTS, *(host.rsplit(":", 1)[0] if host.count(":") == 1 else host for host in self.hosts)]
        return [
            Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False),
            Middleware(Guard, door=self),
        ]


class Guard:
    """Answers what comes from somebody who may, in a form that only the UI's own pages have; refuses everything else."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if self._enters(scope, connection):
            await self._entered()(scope, receive, send)
        elif (refused := self._refusal(scope, connection)) is not None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await refused(scope, receive, send)
        else:
            await self._app(scope, receive, _kept_to_itself(send))

    def _enters(self, scope: Scope, connection: HTTPConnection) -> bool:
        """Return whether somebody opens the address that the command printed."""
        shown = connection.query_params.get(TOKEN, "")
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        return is_page and self._door.auth == "secret" and _equal(shown, self._door.secret)

    def _entered(self) -> Response:
        response = HTMLResponse(
            _ENTERED, headers={**_KEPT_TO_ITSELF, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        )
        response.set_cookie(cookie_name(self._door.port), self._door.secret, httponly=True, samesite="strict", path="/")
        return response

    def _refusal(self, scope: Scope, connection: HTTPConnection) -> Response | None:
        """Return why a request is not answered; ``None`` for one that is."""
        if self._is_foreign(connection.headers):
            return _refused(403, "This request comes from a page of another origin.")
        if not self._is_known(connection):
            return _refused(401 if self._door.auth == "proxy" else 403, self._how_to_enter)
        path = scope["path"]
        if path.startswith(_CLOSED):
            return _refused(404, "Results are put on record by runs alone.")
        if path == "/graphql" and scope["type"] == "http":
            if scope["method"] != "POST" or connection.headers.get("content-type", "") != "application/json":
                return _refused(415, "GraphQL is answered to POST with the content type application/json alone.")
            if set(connection.query_params) - {_OPERATION}:
                return _refused(400, "A GraphQL request stands in the body, not in the address.")
        return None

    def _is_foreign(self, headers: Mapping[str, str]) -> bool:
        """Return whether a browser says that a page of another origin sends this. Another port is another origin."""
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return True
        origin = headers.get("origin")
        return origin is not None and urlsplit(origin).netloc != headers.get("host", "")

    def _is_known(self, connection: HTTPConnection) -> bool:
        if self._door.auth == "proxy":
            # A name that somebody sent beside the proxy's own is no name.
            named = connection.headers.getlist(self._door.user_header)
            return len(named) == 1 and bool(named[0].strip())
        return _equal(connection.cookies.get(cookie_name(self._door.port), ""), self._door.secret)

    @property
    def _how_to_enter(self) -> str:
        if self._door.auth == "proxy":
            return f"The proxy in front of this UI names no user in {self._door.user_header}."
        return "Open the address that `revenue-integrity ui` printed: it holds the secret of this start."


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _refused(status: int, sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status, headers=_KEPT_TO_ITSELF)


def _kept_to_itself(send: Send) -> Send:
    """Return ``send`` with headers that let no other page frame what is answered."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _KEPT_TO_ITSELF.items():
                # Of several policies a browser keeps all: the page's own stands beside ours.
                headers.append(name, value)
        await send(message)

    return sent
