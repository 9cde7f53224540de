"""Running commands in the process of a test.

Belongs here: what tests of commands share. Does not belong here: homes (``support``, ``toy_home``).
"""

from collections.abc import Callable

import pytest

from revenue_integrity.cli import program as cli
from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity_tests.support import environment_of

Run = Callable[..., "Done"]


class Done:
    """What a command left: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def refused(self, code: int, *told: str) -> None:
        """Demand a refusal: its exit code, nothing on stdout, one line that says all of this, no traceback."""
        assert self.code == code, self.err
        assert self.out == ""
        assert "Traceback" not in self.err
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        for part in told:
            assert part in line, line


@pytest.fixture
def run_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command in this process, over a home."""

    def run(settings: Settings, *arguments: str) -> Done:
        for name, value in environment_of(settings).items():
            if name.startswith(PREFIX):
                monkeypatch.setenv(name, value)
        code = 0
        try:
            cli.main(list(arguments))
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run
