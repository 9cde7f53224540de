"""A real HTTP receiver on loopback, and settings that send to it."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from revenue_integrity.desk.alerts.events import Event, Kind, Severity
from revenue_integrity.settings import Settings
from revenue_integrity_tests.processes import Program

NOW = datetime(2025, 5, 20, 10, tzinfo=UTC)
MARCH = date(2025, 3, 1)


@dataclass
class Receiver:
    """What arrived; ``before_answer`` runs when a message is in and its sender still waits for the answer."""

    port: int = 0
    answer: int = 200
    messages: list[dict[str, Any]] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None

    def url(self, path: str = "") -> str:
        return f"json://127.0.0.1:{self.port}/{path}"

    def titles(self) -> list[str]:
        return [str(message["title"]) for message in self.messages]

    def paths(self) -> list[str]:
        return [str(message["path"]) for message in self.messages]


@contextlib.contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """Listen inside the block; a receiver given again comes back at its port."""
    receiver = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.answer == 200:
                receiver.messages.append({**json.loads(body), "path": self.path})
                receiver.before_answer()
            with contextlib.suppress(ConnectionError):
                self.send_response(receiver.answer)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings_for(home: Path, **values: Any) -> Settings:
    return Settings(home=home, **values)


def event(content: str = "state", *, severity: Severity = Severity.WARNING, title: str = "", month: date | None = MARCH) -> Event:
    return Event(Kind.CHECK_FAILED, month, severity, title or f"check {content} failed", "What to do.", content)


def python(home: Path, code: str, channels: dict[str, list[str]] | None = None) -> Program:
    """Start another process of the deployment that runs ``code``; settings come from its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REVENUE_INTEGRITY_")}
    environment["REVENUE_INTEGRITY_HOME"] = str(home)
    if channels is not None:
        environment["REVENUE_INTEGRITY_ALERT_CHANNELS"] = json.dumps(channels)
    return Program(code, environment=environment)
