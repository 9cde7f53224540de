"""What a process sets for itself when it begins and when it ends, and what it does not load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from revenue_integrity import process

AT_THE_END = """
import atexit, logging, sys, threading, time
from revenue_integrity import process

class Loud:
    def __del__(self):
        print("taken apart")

kept = Loud()
def late():
    time.sleep(0.2)
    print("thread")

def end(code):
    atexit.register(print, "registered")
    threading.Thread(target=late).start()
    print("work")
    {end}

with process.leaving_at_once():
    end({code})
"""


def ended(end: str, code: str = "0") -> subprocess.CompletedProcess[str]:
    program = AT_THE_END.format(end=end, code=code)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("code", "status"), [("0", 0), ("None", 0), ("3", 3)])
def test_a_process_that_leaves_at_once_does_what_is_due_and_keeps_its_exit_code(code: str, status: int) -> None:
    found = ended("sys.exit(code)", code)
    assert (found.returncode, found.stderr) == (status, "")
    assert found.stdout.splitlines() == ["work", "thread", "registered"]


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [("raise KeyError(code)", 1, "KeyError: 0"), ("sys.exit('wrong')", 1, "wrong"), ("return", 0, "")],
)
def test_what_does_not_end_by_an_exit_code_ends_as_ever(end: str, status: int, told: str) -> None:
    found = ended(end)
    assert found.returncode == status
    assert told in found.stderr
    assert found.stdout.splitlines() == ["work", "thread", "registered", "taken apart"]


def test_a_reader_that_goes_away_is_told_as_ever() -> None:
    program = AT_THE_END.format(end="sys.exit(code)", code="0")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        told = started.stderr.read()
    assert started.returncode != 0
    assert "BrokenPipeError" in told


def test_what_is_there_is_decided_once_and_an_ordinary_end_is_quiet() -> None:
    program = """
import gc
import duckdb
from revenue_integrity import process
process.beginning()
process.begun()
assert gc.get_freeze_count()
before = gc.get_freeze_count()
process.begun()
assert gc.get_freeze_count() == before
assert gc.get_threshold()[0] == 50_000
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr, found.stdout) == (0, "", "")


@pytest.mark.parametrize(
    ("imported", "left_out"),
    [
        ("revenue_integrity.cli.program", {"pandas", "duckdb", "dagster"}),
        ("revenue_integrity.serving.export", {"dagster"}),
        ("revenue_integrity.definitions", {"sqlalchemy.dialects.postgresql.psycopg", "holidays", "xlsxwriter", "altair"}),
    ],
)
def test_help_exports_and_definitions_do_not_wait_for_what_they_do_not_use(imported: str, left_out: set[str]) -> None:
    program = f"import sys, {imported}; print(*sorted(name for name in {left_out!r} if sys.modules.get(name)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "\n"


@pytest.mark.parametrize(("stream", "source", "other"), [("colocation", "sites", "cloud"), ("cloud", "accounts", "colocation")])
def test_a_command_for_one_stream_loads_that_one_alone(tmp_path: Path, stream: str, source: str, other: str) -> None:
    program = f"""
import sys
from pathlib import Path
from revenue_integrity.cli.program import main
try:
    main(["land", "{stream}", "{source}", "{tmp_path / "none.csv"}"])
except SystemExit as ended:
    assert ended.code == 1, ended.code
try:
    main(["export", "batches", "--stream", "{stream}"])
except SystemExit as ended:
    assert ended.code == 1, ended.code
try:
    main(["run", "--stream", "{stream}", "--select", "group:none"])
except SystemExit as ended:
    assert ended.code == 2, ended.code
loaded = sorted(name for name in sys.modules if name.startswith("revenue_integrity.streams.{other}."))
print(*loaded, "revenue_integrity.streams.{stream}.stream" in sys.modules)
"""
    environment = os.environ | {"REVENUE_INTEGRITY_HOME": str(tmp_path / "home")}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    # Settings and simulators of all are declared apart: a bad setting is refused at the start, whatever is run, and what
    # simulators can make is part of the command line.
    light = [f"revenue_integrity.streams.{other}.{name}" for name in ("settings", "simulate", "simulate.simulator")]
    assert found.stdout == f"{' '.join(light)} True\n", found.stderr


@pytest.mark.parametrize(
    ("started", "found", "typed"),
    [
        ("ENV/bin/revenue-integrity", None, "Run it: env/bin/revenue-integrity run; see `env/bin/revenue-integrity --help`"),
        ("ENV/bin/revenue-integrity", "/usr/bin/revenue-integrity", None),
        ("revenue-integrity", None, None),
        ("ENV/bin/pytest", None, None),
    ],
)
def test_a_command_in_a_sentence_stands_as_it_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, started: str, found: str | None, typed: str | None
) -> None:
    words = "Run it: revenue-integrity run; see `revenue-integrity --help`"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [started.replace("ENV", str(tmp_path / "env"))])
    monkeypatch.setattr(process, "which", lambda _: found)
    assert process.as_typed(words) == (typed or words)
    assert process.as_typed("/opt/revenue-integrity is full") == "/opt/revenue-integrity is full"
