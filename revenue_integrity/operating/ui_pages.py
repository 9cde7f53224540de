"""Pages that the UI answers beside Dagster's own: the close packs of the home, and the documents of this product.

Belongs here: which files are shown under the addresses of ``orchestration.links``, and how a document becomes a page. Does not
belong here: who is answered (``ui_guard``, which stands in front), what a pack or document says.

A page of ours runs no script and asks no other address for anything: the browser is told so, whatever a file holds. What is
shown lies below one of two folders, and nothing that a link or a ``..`` leads to from there.
"""

import html
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import revenue_integrity
from revenue_integrity import wording
from revenue_integrity.orchestration.links import DOCUMENTS, OURS, PACKS

CHECKOUT = Path(revenue_integrity.__file__).resolve().parent.parent
"""Where README and ``docs`` lie beside the package; where it was installed without them, documents are not found."""

README = "README.md"

_SHOWN_ONLY = {
    # A pack's own styles and pictures are in its page; a document's pictures lie beside it.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # A pack is written anew under the same name.
    "Cache-Control": "no-cache",
}

_STYLE = """
body { margin: 0 auto; padding: 24px; max-width: 1100px; color: #1d2b36; background: #fff;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; overflow-wrap: break-word; }
h1, h2, h3 { color: #12344d; line-height: 1.25; } h2 { margin-top: 34px; padding-bottom: 6px; border-bottom: 1px solid #d9e1e7; }
a { color: #1f5f8b; } img { max-width: 100%; } :target { background: #fff6d9; }
code, pre { font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: #f4f6f8; }
code { padding: 1px 4px; border-radius: 3px; } pre { padding: 12px; overflow-x: auto; } pre code { padding: 0; }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 13.5px; }
th, td { padding: 5px 10px; border-bottom: 1px solid #d9e1e7; text-align: left; vertical-align: top; }
"""


class Pages:
    """Middleware that answers the addresses of ours, and leaves all others to the application behind it."""

    def __init__(self, app: ASGIApp, packs: Path, checkout: Path = CHECKOUT) -> None:
        self._app = app
        self._ours = _application(packs, checkout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        path = scope.get("path", "")
        is_ours = scope["type"] == "http" and (path == OURS or path.startswith(f"{OURS}/"))
        await (self._ours(scope, receive, _shown_only(send)) if is_ours else self._app(scope, receive, send))


def _application(packs: Path, checkout: Path) -> Starlette:
    documents = Documents(checkout)
    # What a pack is not written to yet is found as soon as it is: the folder need not be there when the UI starts.
    packs.mkdir(parents=True, exist_ok=True)
    return Starlette(
        routes=[
            Route(OURS, lambda _: RedirectResponse(f"{OURS}/")),
            Route(f"{OURS}/", documents.readme),
            Route(f"{OURS}/{README}", documents.readme),
            Mount(PACKS, StaticFiles(directory=packs, html=True)),
            Route(f"{DOCUMENTS}/{{name:path}}", documents.shown),
        ],
        exception_handlers={HTTPException: _not_answered},
    )


def _not_answered(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    nowhere = f"There is no {request.url.path} here. Packs are at {PACKS}/, documents at {OURS}/."
    told = nowhere if status == 404 else str(error)
    return PlainTextResponse(f"{told}\n", status)


class Documents:
    """README and ``docs`` as pages. What is no Markdown there, as a picture, is shown as it is."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._files = StaticFiles(directory=checkout / "docs", check_dir=False)

    def readme(self, _: Request) -> Response:
        """Answer with the README."""
        return _page(self._checkout / README)

    async def shown(self, request: Request) -> Response:
        """Answer with a document, the documents of a folder, or another file."""
        name = request.path_params["name"]
        try:
            # What is looked up is what this finds: it refuses whatever leads out of its folder.
            found, known = self._files.lookup_path(name)
        except (ValueError, OSError) as error:
            # A name that no file can have.
            raise HTTPException(404) from error
        if known is None:
            raise HTTPException(404)
        place = Path(found)
        if place.is_dir():
            if not request.url.path.endswith("/"):
                return RedirectResponse(f"{request.url.path}/")
            return _listed(place)
        if place.suffix == ".md":
            return _page(place)
        return await self._files.get_response(name, request.scope)


def _page(file: Path) -> Response:
    if not file.is_file():
        raise HTTPException(404)
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(file.read_text(encoding="utf-8"))
    title = _with_anchors(tokens) or file.stem
    return _framed(title, reader.renderer.render(tokens, reader.options, {}))


def _with_anchors(tokens: Sequence[Token]) -> str:
    """Give each heading the anchor by which documents link to it; return the first heading."""
    headings = [(opened, said) for opened, said in itertools.pairwise(tokens) if opened.type == "heading_open"]
    for (opened, _), anchor in zip(headings, anchors([said.content for _, said in headings]), strict=True):
        opened.attrSet("id", anchor)
    return headings[0][1].content if headings else ""


def anchors(headings: Sequence[str]) -> Iterator[str]:
    """Return the anchors of the headings of a document, as the places where documents are read make them."""
    seen: dict[str, int] = {}
    for heading in headings:
        anchor = wording.anchor(heading)
        seen[anchor] = seen.get(anchor, -1) + 1
        yield f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor


def _listed(folder: Path) -> Response:
    names = [
        each.name + ("/" if each.is_dir() else "") for each in sorted(folder.iterdir()) if each.suffix == ".md" or each.is_dir()
    ]
    lines = "".join(f'<li><a href="{html.escape(name)}">{html.escape(name)}</a></li>' for name in names)
    return _framed(folder.name, f"<h1>{html.escape(folder.name)}</h1><ul>{lines}</ul>")


def _framed(title: str, body: str) -> Response:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def _shown_only(send: Send) -> Send:
    """Return ``send`` with headers that let a page show itself and nothing else."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SHOWN_ONLY.items():
                headers[name] = value
        await send(message)

    return sent
