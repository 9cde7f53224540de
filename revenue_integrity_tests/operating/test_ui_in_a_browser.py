"""The UI in a real browser: its own pages work, a page of another origin does nothing and reads nothing, whatever it tries."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from revenue_integrity.operating.doctor import examined_port
from revenue_integrity.operating.ui import answers
from revenue_integrity.orchestration.reloading import reload_code, ui_session_file
from revenue_integrity_tests.browser import Browser, browser
from revenue_integrity_tests.support import free_port, home_settings

SECRET = "a-secret"
POOL = "duckdb"

_ATTACK = """<!doctype html><meta charset="utf-8"><title>elsewhere</title>
<iframe id="framed" src="UI/"></iframe><iframe name="hole"></iframe>
<form id="form" method="post" target="hole" action="UI/graphql?QUERY"></form>
<form id="typed" method="post" target="hole" enctype="text/plain" action="UI/graphql"><input name='BODY' value=''></form>
<script>
const read = [];
const keep = async (name, answer) => { try { read.push([name, (await answer).length]); } catch { read.push([name, 0]); } };
const text = (path, more) => fetch("UI" + path, {credentials: "include", ...more}).then(answer => answer.text());
async function attack() {
  const json = {method: "POST", body: 'BODY'};
  await keep("image", new Promise(done => { const image = new Image(); image.onload = () => done("seen");
    image.onerror = () => done(""); image.src = "UI/graphql?QUERY"; }));
  await keep("script", new Promise(done => { const script = document.createElement("script");
    script.onload = script.onerror = () => done(""); script.src = "UI/graphql?QUERY"; document.head.append(script); }));
  await keep("get", text("/graphql?QUERY", {}));
  await keep("plain", text("/graphql", {...json, headers: {"Content-Type": "text/plain"}}));
  await keep("opaque", text("/graphql?QUERY", {method: "POST", mode: "no-cors"}));
  await keep("typed", text("/graphql", {...json, headers: {"Content-Type": "application/json"}}));
  await keep("beacon", Promise.resolve(navigator.sendBeacon("UI/graphql?QUERY", "") && ""));
  await keep("socket", new Promise(done => { const socket = new WebSocket("UI/graphql".replace("http", "ws"), "graphql-ws");
    socket.onopen = () => done("open"); socket.onerror = () => done(""); }));
  document.getElementById("form").submit();
  document.getElementById("typed").submit();
  await keep("frame", Promise.resolve((() => { try { return document.getElementById("framed").contentDocument.body.innerText; }
    catch { return ""; } })()));
  return read;
}
</script>"""

_PUBLIC = "/as-public"
"""Where the page says that it comes from the public address space."""

_MUTATION = f'mutation {{ setConcurrencyLimit(concurrencyKey: "{POOL}", limit: 0) }}'


class _Page(http.server.BaseHTTPRequestHandler):
    def __init__(self, page: bytes, *given: object) -> None:
        self._page = page
        super().__init__(*given)  # type: ignore[arg-type]  # what the server hands on

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if self.path == _PUBLIC:
            # The browser then takes the page for one of the internet, whatever address it came from.
            self.send_header("Content-Security-Policy", "treat-as-public-address")
        self.end_headers()
        self.wfile.write(self._page)

    def log_message(self, *_: object) -> None:
        """Say nothing: the test tells."""


@contextmanager
def elsewhere(ui: str) -> Iterator[int]:
    """Serve a page that attacks the UI, on another port."""
    from urllib.parse import quote

    page = _ATTACK.replace("QUERY", f"query={quote(_MUTATION)}").replace("BODY", json.dumps({"query": _MUTATION}))
    handler = functools.partial(_Page, page.replace("UI/", f"{ui}/").replace('"UI"', f'"{ui}"').encode())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[tuple[dg.DagsterInstance, int]]:
    """Return an instance and the port on which its guarded UI is served, by the process that serves it for people."""
    home, workspace, port = tmp_path / "dagster", tmp_path / "workspace.yaml", free_port()
    home.mkdir()
    workspace.write_text("load_from: []\n")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    door = {"port": port, "auth": "secret", "secret": SECRET, "hosts": [], "user_header": ""}
    given = {"door": door, "workspace": str(workspace), "address": "127.0.0.1", "read_only": False}
    given["packs"] = str(_packs(tmp_path / "packs"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.event_log_storage.set_concurrency_slots(POOL, 1)
        process = subprocess.Popen(
            [sys.executable, "-m", "revenue_integrity.operating.webserver"],
            env=os.environ | {"DAGSTER_HOME": str(home)},
            stdin=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.close()
        try:
            until = time.monotonic() + 60
            while not answers(("127.0.0.1", port)):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)
            yield instance, port
        finally:
            process.terminate()
            process.wait(timeout=30)


def _packs(folder: Path) -> Path:
    """Write a pack whose page would like to run what it must not, and one of its files; return the folder of packs."""
    (folder / "toy" / "2025-03").mkdir(parents=True)
    (folder / "index.html").write_text('<!doctype html><title>Packs</title><a id="on" href="toy/2025-03/pack.html">March</a>')
    (folder / "toy" / "2025-03" / "pack.html").write_text(
        "<!doctype html><title>March</title><style>h1 { color: rgb(1, 2, 3); }</style><h1>Can this be signed?</h1>"
        "<script>document.title = 'ran'</script><img src='x' onerror=\"document.title = 'ran'\">"
        "<script src='http://elsewhere.test/x.js'></script>"
    )
    return folder


def _slots(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info(POOL).slot_count


def _own_query(tab: Browser, query: str) -> str:
    body = json.dumps(json.dumps({"query": query}))
    headers = '{"Content-Type": "application/json"}'
    return str(tab.ask(f'fetch("/graphql", {{method: "POST", headers: {headers}, body: {body}}}).then(each => each.text())'))


def test_a_page_of_another_origin_does_nothing_and_reads_nothing(ui: tuple[dg.DagsterInstance, int], tmp_path: Path) -> None:
    instance, port = ui
    address = f"http://127.0.0.1:{port}"
    rules = "--host-resolver-rules=MAP elsewhere.test 127.0.0.1, MAP rebound.test 127.0.0.1"
    # A local page may ask for local addresses without being asked for leave: the guard is all there is.
    open_network = "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessChecks"
    with elsewhere(address) as other, browser(tmp_path / "profile", [rules, open_network]) as tab:
        tab.open(f"{address}/?token={SECRET}")
        tab.wait_for("document.title.includes('Dagster') || document.querySelector('#__next') !== null")
        assert "version" in _own_query(tab, "{ version }"), "the UI's own pages work"
        assert tab.ask("document.cookie") == "", "no script reads the secret"
        origins = [
            f"http://{host}:{other}{path}" for path in ("/", _PUBLIC) for host in ("127.0.0.1", "localhost", "elsewhere.test")
        ]
        for origin in origins:
            tab.open(origin)
            read = dict(tab.ask("attack()"))
            assert set(read) == {"image", "script", "get", "plain", "opaque", "typed", "beacon", "socket", "frame"}
            assert not any(read.values()), (origin, read)
            time.sleep(0.5)
            assert _slots(instance) == 1, origin
        tab.open(f"http://rebound.test:{port}/")
        assert tab.ask("document.body.innerText") == "Invalid host header"
        tab.open(f"{address}/")
        assert "setConcurrencyLimit" in _own_query(tab, _MUTATION.replace("limit: 0", "limit: 2"))
        assert _slots(instance) == 2, "what the attacks tried is what the UI itself may do"


def test_a_pack_opens_beside_the_ui_with_its_own_style_and_without_any_script(
    ui: tuple[dg.DagsterInstance, int], tmp_path: Path
) -> None:
    _, port = ui
    address = f"http://127.0.0.1:{port}"
    with browser(tmp_path / "profile") as tab:
        tab.open(f"{address}/revenue-integrity/pack/")
        assert "Open the address that" in tab.ask("document.body.innerText"), "nobody shown the secret, nobody let in"
        tab.open(f"{address}/?token={SECRET}")
        tab.open(f"{address}/revenue-integrity/pack/")
        tab.ask("document.getElementById('on').click()")
        tab.wait_for(
            "location.pathname === '/revenue-integrity/pack/toy/2025-03/pack.html' && document.readyState === 'complete'"
        )
        assert tab.ask("document.title") == "March"
        assert tab.ask("getComputedStyle(document.querySelector('h1')).color") == "rgb(1, 2, 3)"
        tab.open(f"{address}/revenue-integrity/docs/runbook.md#a-check-fails")
        assert tab.ask("document.querySelector(':target').innerText") == "A check fails"
        tab.open(f"{address}/revenue-integrity/")
        assert tab.ask("[...document.images].every(each => each.naturalWidth > 100)"), "pictures of documents are shown"


def test_the_daemon_of_the_same_user_is_let_in(ui: tuple[dg.DagsterInstance, int], tmp_path: Path) -> None:
    _, port = ui
    settings = home_settings(tmp_path / "home", ui_port=port)
    ui_session_file(settings).parent.mkdir(parents=True)
    ui_session_file(settings).write_text(json.dumps({"port": port, "secret": SECRET}))
    assert "RepositoryLocationNotFound" in reload_code(settings, "nowhere")
    assert examined_port(settings).found == f"a Dagster UI answers on http://127.0.0.1:{port}"
    ui_session_file(settings).write_text(json.dumps({"port": port, "secret": "another"}))
    assert "403" in reload_code(settings, "nowhere")
    assert not examined_port(settings).ok, "the UI of somebody else"
