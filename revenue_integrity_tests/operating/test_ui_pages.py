"""Packs and documents beside the UI's own pages, by what is answered; how a browser shows them is in ``test_ui_in_a_browser``."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from revenue_integrity.operating.ui_guard import Door
from revenue_integrity.operating.ui_pages import CHECKOUT, Pages, anchors
from revenue_integrity.orchestration import links
from revenue_integrity.orchestration.reloading import cookie_name
from revenue_integrity_tests.support import home_settings

SECRET = "a-secret"
PACK = "colocation/2025-03/close-pack-2025-03.html"


@dataclass(frozen=True)
class Answer:
    """What was answered."""

    status_code: int
    text: str
    headers: Mapping[str, str]


class Client:
    """Sends requests as a server hands them on: a path as it was sent, with its escapes undone, and nothing else tidied."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def get(self, address: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a page, and for that to which one is sent on."""
        found = self.request("GET", address, headers)
        return self.get(found.headers["location"], headers) if found.status_code == 307 else found

    def request(self, method: str, address: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request."""
        sent: list[Mapping[str, Any]] = []
        path = address.removeprefix("http://127.0.0.1:3000")
        given = {"host": "127.0.0.1:3000"} | dict(headers or {})
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "server": ("127.0.0.1", 3000),
            "scheme": "http",
        }

        asked = iter([{"type": "http.request", "body": b""}])

        async def receive() -> dict[str, Any]:
            # After its request a client says nothing until it leaves.
            return next(asked, None) or await asyncio.get_running_loop().create_future()

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self._app(scope, receive, send))  # type: ignore[arg-type]  # an application's call is a coroutine
        body = b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body")
        told: dict[str, str] = {}
        for name, value in sent[0]["headers"]:
            told[name.decode()] = ", ".join([*([told[name.decode()]] if name.decode() in told else []), value.decode()])
        return Answer(sent[0]["status"], body.decode(errors="replace"), told)


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """Return a home's packs: an index, and one pack with a file of each kind; beside them what nobody should see."""
    packs = tmp_path / "home" / "packs"
    (packs / "colocation" / "2025-03" / "csv").mkdir(parents=True)
    (packs / "index.html").write_text("the index")
    (packs / PACK).write_text("<h1>the pack</h1>")
    (packs / PACK).with_suffix(".xlsx").write_bytes(b"PK")
    (packs / "colocation" / "2025-03" / "csv" / "checks.csv").write_text("a,b\n")
    (tmp_path / "home" / "secret.txt").write_text("not to be seen")
    (packs / "way_out").symlink_to(tmp_path / "home")
    (packs / "file_out.html").symlink_to(tmp_path / "home" / "secret.txt")
    return packs


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a README and documents as of a checkout."""
    place = tmp_path / "checkout"
    (place / "docs" / "decisions").mkdir(parents=True)
    (place / "docs" / "pictures").mkdir()
    (place / "README.md").write_text("# The product\n\nSee [runbook](docs/runbook.md#a-check-fails).\n")
    (place / "docs" / "runbook.md").write_text(
        "# Runbook\n\n## A check fails\n\n<script>alert(1)</script>\n\n[bad](javascript:alert(1))\n\n|a|b|\n|-|-|\n|1|2|\n"
    )
    (place / "docs" / "decisions" / "0001-a.md").write_text("# One\n")
    (place / "docs" / "pictures" / "a.png").write_bytes(b"\x89PNG")
    (place / "docs" / "way_out.md").symlink_to(place / "private.md")
    (place / "private.md").write_text("not to be seen")
    return place


@pytest.fixture
def client(packs: Path, checkout: Path) -> Client:
    """Return a client of an application that has our pages in front."""
    app = Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("Dagster's own"))])
    app.add_middleware(Pages, packs=packs, checkout=checkout)
    return Client(app)


def test_packs_are_shown_as_they_lie_in_their_folder(client: Client) -> None:
    assert client.get("/revenue-integrity/pack/").text == "the index"
    assert client.get("/revenue-integrity/pack").text == "the index", "with or without the stroke"
    shown = client.get(f"/revenue-integrity/pack/{PACK}")
    assert (shown.text, shown.headers["content-type"]) == ("<h1>the pack</h1>", "text/html; charset=utf-8")
    workbook = client.get(f"/revenue-integrity/pack/{PACK}".replace(".html", ".xlsx"))
    assert workbook.headers["content-type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert client.get("/revenue-integrity/pack/colocation/2025-03/csv/checks.csv").text == "a,b\n"


def test_everything_else_is_left_to_the_application_behind(client: Client) -> None:
    for path in ("/", "/assets", "/revenue-integrity-not-ours", "/graphql"):
        assert client.get(path).text == "Dagster's own"


@pytest.mark.parametrize(
    "path",
    [
        "/revenue-integrity/pack/../secret.txt",
        "/revenue-integrity/pack/%2e%2e/secret.txt",
        "/revenue-integrity/pack/..%2fsecret.txt",
        "/revenue-integrity/pack/colocation/%2e%2e/%2e%2e/secret.txt",
        "/revenue-integrity/pack//etc/passwd",
        "/revenue-integrity/pack/%2fetc/passwd",
        "/revenue-integrity/pack/way_out/secret.txt",
        "/revenue-integrity/pack/file_out.html",
        "/revenue-integrity/pack/%00",
        "/revenue-integrity/pack/colocation/",
        "/revenue-integrity/pack/nothing.html",
        "/revenue-integrity/docs/../private.md",
        "/revenue-integrity/docs/%2e%2e/private.md",
        "/revenue-integrity/docs/..%2fprivate.md",
        "/revenue-integrity/docs/%2fetc/passwd",
        "/revenue-integrity/docs/way_out.md",
        "/revenue-integrity/docs/nothing.md",
        "/revenue-integrity/docs/%00.md",
        "/revenue-integrity/else",
    ],
)
def test_nothing_is_shown_that_does_not_lie_in_its_folder(client: Client, path: str) -> None:
    answer = client.get(path)
    assert "not to be seen" not in answer.text
    assert "root:" not in answer.text
    assert answer.status_code == 404 or answer.text == "Dagster's own", answer.text


def test_whoever_asks_changes_nothing(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in (f"/revenue-integrity/pack/{PACK}", "/revenue-integrity/docs/runbook.md", "/revenue-integrity/"):
            assert client.request(method, path).status_code == 405, (method, path)


def test_a_page_of_ours_runs_no_script_and_asks_nobody_else(client: Client) -> None:
    for path in (f"/revenue-integrity/pack/{PACK}", "/revenue-integrity/docs/runbook.md", "/revenue-integrity/nothing"):
        headers = client.get(path).headers
        policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert "script-src" not in policy, "what is not named falls back to nothing at all"
        assert policy["img-src"] == "'self' data:"
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-cache")
    assert "content-security-policy" not in client.get("/assets").headers


def test_documents_are_pages_whose_links_lead_on(client: Client) -> None:
    readme = client.get("/revenue-integrity/").text
    assert '<a href="docs/runbook.md#a-check-fails">runbook</a>' in readme
    assert client.get("/revenue-integrity/README.md").text == readme
    runbook = client.get("/revenue-integrity/docs/runbook.md").text
    assert "<title>Runbook</title>" in runbook
    assert '<h2 id="a-check-fails">A check fails</h2>' in runbook
    assert "<td>1</td>" in runbook
    assert "<script>" not in runbook
    assert 'href="javascript' not in runbook
    assert '<a href="0001-a.md">' in client.get("/revenue-integrity/docs/decisions").text
    assert client.get("/revenue-integrity/docs/pictures/a.png").headers["content-type"] == "image/png"


def test_packs_of_a_home_that_has_none_yet_are_found_once_they_are_written(tmp_path: Path, checkout: Path) -> None:
    app = Starlette(routes=[])
    app.add_middleware(Pages, packs=tmp_path / "home" / "packs", checkout=checkout)
    client = Client(app)
    assert client.get("/revenue-integrity/pack/").status_code == 404
    (tmp_path / "home" / "packs" / "index.html").write_text("the index")
    assert client.get("/revenue-integrity/pack/").text == "the index"


def test_a_package_without_its_documents_says_that_they_are_not_there(packs: Path, tmp_path: Path) -> None:
    app = Starlette(routes=[])
    app.add_middleware(Pages, packs=packs, checkout=tmp_path / "nowhere")
    client = Client(app)
    for path in ("/revenue-integrity/", "/revenue-integrity/docs/runbook.md", "/revenue-integrity/docs/"):
        assert client.get(path).status_code == 404


def test_nobody_who_is_not_let_in_sees_a_page_of_ours(packs: Path, checkout: Path) -> None:
    door = Door(3000, "secret", SECRET)
    app = Starlette(routes=[])
    app.add_middleware(Pages, packs=packs, checkout=checkout)
    for each in reversed(door.middleware):
        app.add_middleware(each.cls, *each.args, **each.kwargs)
    client, address = Client(app), f"/revenue-integrity/pack/{PACK}"
    assert client.get(address).status_code == 403
    assert client.get("/revenue-integrity/docs/runbook.md").status_code == 403
    known = {"cookie": f"{cookie_name(3000)}={SECRET}"}
    shown = client.get(address, headers=known)
    assert shown.text == "<h1>the pack</h1>"
    assert "frame-ancestors 'none'" in shown.headers.get("content-security-policy", "")
    assert client.get(address, headers=known | {"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.get(address, headers=known | {"host": "evil.example.com"}).status_code == 400


def test_headings_have_the_anchors_that_links_to_them_have_elsewhere() -> None:
    found = list(
        anchors(["A month stays `signing`", "raw.billing_events", "Bring events, and FOCUS exports", "Alerts", "Alerts"])
    )
    assert found == ["a-month-stays-signing", "rawbilling_events", "bring-events-and-focus-exports", "alerts", "alerts-1"]


def test_every_link_of_an_asset_leads_to_a_heading_or_a_folder_that_is_there(packs: Path, tmp_path: Path) -> None:
    from revenue_integrity.orchestration.assembly import build_definitions
    from revenue_integrity.streams.registry import deployment_of

    app = Starlette(routes=[])
    app.add_middleware(Pages, packs=packs, checkout=CHECKOUT)
    client = Client(app)
    specs = build_definitions(deployment_of(home_settings(tmp_path / "other"))).resolve_all_asset_specs()
    addresses = {str(value.value) for spec in specs for value in spec.metadata.values() if hasattr(value, "url")}
    assert any("data_dictionary.md#rawbilling_events" in each for each in addresses)
    known: dict[str, str] = {}
    for address in sorted(addresses):
        page, _, anchor = address.partition("#")
        if page not in known:
            answer = client.get(page)
            assert answer.status_code == 200, page
            known[page] = answer.text
        assert not anchor or re.search(rf'id="{re.escape(anchor)}"', known[page]), address
    assert len(specs) == len([spec for spec in specs if any(hasattr(each, "url") for each in spec.metadata.values())])


def test_a_file_of_a_pack_is_a_link_and_any_other_its_path(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    found = links.of_file(settings.packs_path / "two words" / "2025-03" / "a.html", settings)
    assert found.value == "/revenue-integrity/pack/two%20words/2025-03/a.html"
    assert links.of_file(tmp_path / "a.csv", settings).value == str(tmp_path / "a.csv")
