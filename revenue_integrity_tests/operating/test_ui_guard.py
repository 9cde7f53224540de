"""Who is answered by the UI, by headers alone; what a browser sends of them is tried in ``test_ui_in_a_browser``."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from revenue_integrity.operating.ui_guard import Door
from revenue_integrity.orchestration.reloading import cookie_name

SECRET = "a-secret"
DOOR = Door(3000, "secret", SECRET, hosts=("close.example.com",))
COOKIE = f"{cookie_name(3000)}={SECRET}"
PROXIED = Door(3000, "proxy", SECRET, hosts=("close.example.com",), user_header="X-Forwarded-User")


async def _page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("inside", headers={"Content-Security-Policy": "object-src 'none'"})


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("inside")


def answer(
    path: str = "/",
    *,
    door: Door = DOOR,
    method: str = "GET",
    query: str = "",
    kind: str = "http",
    raw: Sequence[tuple[str, str]] = (),
    **headers: str,
) -> tuple[int, str, list[tuple[str, str]]]:
    """Return status, body and headers of what is answered; 0 and nothing for a socket that is closed before it opened."""
    app = Starlette(
        routes=[WebSocketRoute("/graphql", _talk), Route("/{path:path}", _page, methods=["GET", "POST"])],
        middleware=door.middleware,
    )
    sent: list[Mapping[str, Any]] = []
    given = {"host": "127.0.0.1:3000"} | {name.replace("_", "-").lower(): value for name, value in headers.items()}
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in raw or given.items() if value],
        "server": ("127.0.0.1", 3000),
        "scheme": "http",
        "subprotocols": [],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"} if kind == "http" else {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    started = next((each for each in sent if each["type"] == "http.response.start"), {"status": 0, "headers": []})
    body = b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body").decode()
    opened = "".join(each.get("text", "") for each in sent if each["type"] == "websocket.send")
    return started["status"], body or opened, [(name.decode(), value.decode()) for name, value in started["headers"]]


def test_the_secret_is_shown_once_and_kept_as_a_cookie_that_no_script_reads_and_no_other_page_sends() -> None:
    status, body, headers = answer(query=f"token={SECRET}")
    assert status == 200
    assert "inside" not in body
    assert dict(headers)["set-cookie"] == f"{COOKIE}; HttpOnly; Path=/; SameSite=strict"
    assert answer(cookie=COOKIE)[:2] == (200, "inside")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"cookie": f"{cookie_name(3000)}=another"},
        {"cookie": f"{cookie_name(3001)}={SECRET}"},
        {"query": "token=another"},
        {"query": "token="},
        {"query": f"token={SECRET}", "path": "/graphql"},
        {"query": f"token={SECRET}", "method": "POST"},
        {"X_Forwarded_User": "pat"},
        {"authorization": SECRET},
    ],
)
def test_without_it_nothing_is_answered(given: dict[str, str]) -> None:
    status, body, _ = answer(**given)
    assert status == 403
    assert body == "Open the address that `revenue-integrity ui` printed: it holds the secret of this start.\n"
    if "path" not in given and "method" not in given:
        assert answer("/graphql", kind="websocket", **given)[1] == ""


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.com", "localhost.evil.com:3000", ""])
def test_a_name_that_leads_here_and_is_not_ours_is_refused(host: str) -> None:
    assert answer(host=host, cookie=COOKIE)[0] == 400
    assert answer(host=host, query=f"token={SECRET}")[0] == 400
    assert answer("/graphql", kind="websocket", host=host, cookie=COOKIE)[1] == ""


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "localhost", "close.example.com"])
def test_names_of_this_machine_and_those_that_are_set_are_ours(host: str) -> None:
    assert answer(host=host, cookie=COOKIE)[:2] == (200, "inside")


@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "http://evil.example.com"},
        {"origin": "null"},
        # Another port of this machine is another origin, though the same site.
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "http://localhost:3000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_what_a_page_of_another_origin_sends_is_refused_whatever_it_carries(foreign: dict[str, str]) -> None:
    assert answer(cookie=COOKIE, **foreign)[0] == 403
    assert answer("/graphql", method="POST", content_type="application/json", cookie=COOKIE, **foreign)[0] == 403
    assert answer("/graphql", kind="websocket", cookie=COOKIE, **foreign)[1] == ""


@pytest.mark.parametrize(
    ("status", "given"),
    [
        (200, {"method": "POST", "content_type": "application/json"}),
        (200, {"method": "POST", "content_type": "application/json", "query": "op=Runs"}),
        (415, {"method": "GET"}),
        (415, {"method": "GET", "query": "query={version}"}),
        (415, {"method": "POST", "content_type": "text/plain"}),
        (415, {"method": "POST", "content_type": "application/json, text/plain"}),
        (415, {"method": "POST", "content_type": "application/graphql"}),
        (415, {"method": "POST"}),
        (400, {"method": "POST", "content_type": "application/json", "query": "query={version}"}),
        (400, {"method": "POST", "content_type": "application/json", "query": "op=Runs&variables={}"}),
    ],
)
def test_graphql_is_taken_in_one_form(status: int, given: dict[str, str]) -> None:
    own = {"cookie": COOKIE, "origin": "http://127.0.0.1:3000", "sec_fetch_site": "same-origin"}
    assert answer("/graphql", **own, **given)[0] == status


def test_the_uis_own_socket_is_opened() -> None:
    assert answer("/graphql", kind="websocket", cookie=COOKIE, origin="http://127.0.0.1:3000")[1] == "inside"


@pytest.mark.parametrize("what", ["check", "materialization", "observation"])
def test_results_from_outside_are_taken_from_nobody(what: str) -> None:
    assert answer(f"/report_asset_{what}/a/b", method="POST", cookie=COOKIE, content_type="application/json")[0] == 404


def test_no_page_frames_what_is_answered_or_refused() -> None:
    for given in ({"cookie": COOKIE}, {}, {"query": f"token={SECRET}"}):
        headers = answer(**given)[2]
        assert ("content-security-policy", "frame-ancestors 'none'") in [(name.lower(), value) for name, value in headers]
        assert ("x-frame-options", "DENY") in [(name.lower(), value) for name, value in headers]
    # The page's own policy stands beside it.
    assert ("content-security-policy", "object-src 'none'") in answer(cookie=COOKIE)[2]


def test_behind_a_proxy_its_user_takes_the_place_of_the_secret_and_the_rest_stays() -> None:
    assert answer(door=PROXIED, host="close.example.com", X_Forwarded_User="pat")[:2] == (200, "inside")
    for given in ({}, {"X_Forwarded_User": " "}, {"cookie": COOKIE}, {"query": f"token={SECRET}"}):
        status, body, _ = answer(door=PROXIED, host="close.example.com", **given)
        assert (status, body) == (401, "The proxy in front of this UI names no user in X-Forwarded-User.\n")
    twice = [("host", "close.example.com"), ("x-forwarded-user", "pat"), ("x-forwarded-user", "ann")]
    assert answer(door=PROXIED, raw=twice)[0] == 401, "somebody sent a name beside the proxy's own"
    assert answer(door=PROXIED, host="evil.example.com", X_Forwarded_User="pat")[0] == 400
    assert answer(door=PROXIED, X_Forwarded_User="pat", origin="http://evil.example.com")[0] == 403
