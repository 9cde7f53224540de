"""A browser that tests steer: Chromium without a window, over its DevTools protocol.

Belongs here: starting it, opening pages, asking them. Does not belong here: any test, what a page should show.
"""

import itertools
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from revenue_integrity_tests.programs import needed

_PATIENCE_SECONDS = 60


class Browser:
    """One tab of a running browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable", in_tab=True)

    def open(self, address: str) -> None:
        """Open a page and wait until it is loaded."""
        self._call("Page.navigate", in_tab=True, url=address)
        self.wait_for("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        """Return the value of an expression in the page, of a promise what it becomes."""
        found = self._call("Runtime.evaluate", in_tab=True, expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self.ask(expression):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.05)

    def _call(self, method: str, *, in_tab: bool = False, **parameters: Any) -> Any:
        number = next(self._numbers)
        call = {"id": number, "method": method, "params": parameters} | ({"sessionId": self._session} if in_tab else {})
        self._connection.send(json.dumps(call))
        while True:
            answer = json.loads(self._connection.recv(timeout=_PATIENCE_SECONDS))
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer.get("error"))
                return answer["result"]


@contextmanager
def browser(profile: Path, more: Sequence[str] = ()) -> Iterator[Browser]:
    """Start a browser with a profile of its own, for as long as the block lasts."""
    command = [needed("browser"), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    process = subprocess.Popen(
        [*command, f"--user-data-dir={profile}", *more, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with connect(_address(profile, process), max_size=None) as connection:
            yield Browser(connection)
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE_SECONDS)


def _address(profile: Path, process: "subprocess.Popen[bytes]") -> str:
    """Return where the browser listens, which it writes down when it does."""
    told, until = profile / "DevToolsActivePort", time.monotonic() + _PATIENCE_SECONDS
    while not (told.exists() and len(told.read_text().splitlines()) == 2):
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < until, "the browser did not start"
        time.sleep(0.05)
    port, path = told.read_text().splitlines()
    return f"ws://127.0.0.1:{port}{path}"
