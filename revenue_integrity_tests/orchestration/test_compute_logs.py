"""What runs write: kept for the UI, shown where the program runs, and neither may disturb a run."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from revenue_integrity.orchestration.compute_logs import ShowingComputeLogManager
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity_tests.support import environment_of, home_settings, python

KEY = ("run", "compute_logs", "step")

BEGIN = """
import os, subprocess, sys, time
from pathlib import Path
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.streams.registry import load_settings
with open_instance(load_settings()) as instance:
    with instance.compute_log_manager.capture_logs(("run", "compute_logs", "step")):
"""


def logs_of(instance: dg.DagsterInstance) -> tuple[str, str]:
    """Return what is kept of a run's output and error."""
    data = instance.compute_log_manager.get_log_data(list(KEY))
    return (data.stdout or b"").decode(), (data.stderr or b"").decode()


def test_all_that_a_run_writes_is_shown_and_kept(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    code = f"""{BEGIN}
        # A stream that is no terminal is written in parts; what others write meanwhile comes before what is still held.
        print("of Python", flush=True)
        subprocess.run(["sh", "-c", "echo of a child; echo error of a child >&2"], check=True)
        children = [Path(task, "children").read_text() for task in Path("/proc/self/task").iterdir()]
        print("processes that watch:", "".join(children).split())
        print("error of Python", file=sys.stderr)
        print("last words", end="")
    print(" and what is no part of it")
"""
    written = python(code, environment=environment_of(settings))
    assert written.returncode == 0, written.stderr
    kept = "of Python\nof a child\nprocesses that watch: []\nlast words"
    assert written.stdout == f"{kept} and what is no part of it\n"
    assert "error of a child\nerror of Python\n" in written.stderr
    with open_instance(settings) as instance:
        assert isinstance(instance.compute_log_manager, ShowingComputeLogManager)
        assert logs_of(instance) == (kept, "error of a child\nerror of Python\n")
        assert instance.compute_log_manager.is_capture_complete(list(KEY))
    # As an operator may have it: Dagster's own class finds the same in the same place.
    file = settings.dagster_path / "dagster.yaml"
    plain = yaml.safe_load(file.read_text(encoding="utf-8"))
    del plain["compute_logs"]
    file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    with open_instance(settings) as instance:
        assert type(instance.compute_log_manager) is LocalComputeLogManager
        assert logs_of(instance) == (kept, "error of a child\nerror of Python\n")


def test_it_is_shown_while_the_run_goes_on(tmp_path: Path) -> None:
    code = f"""{BEGIN}
        print("begun", flush=True)
        sys.stdin.readline()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment_of(home_settings(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    # The run waits for an answer to what it shows: were it shown at the end alone, nobody would ever answer.
    assert process.stdout.readline() == "begun\n"
    process.communicate("go on\n", timeout=60)
    assert process.returncode == 0


def test_a_reader_that_leaves_ends_no_run(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    lines = 100_000
    code = f"""{BEGIN}
        for number in range({lines}):
            print(number)
        Path({str(tmp_path / "ended")!r}).touch()
"""
    process = subprocess.Popen([sys.executable, "-c", code], env=environment_of(settings), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert (tmp_path / "ended").exists()
    with open_instance(settings) as instance:
        assert logs_of(instance)[0] == "".join(f"{number}\n" for number in range(lines))


def test_what_a_killed_run_wrote_is_kept(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    code = f"""{BEGIN}
        print("before the end", flush=True)
        os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    assert python(code, environment=environment_of(settings)).returncode == -signal.SIGKILL
    with open_instance(settings) as instance:
        assert logs_of(instance) == ("before the end\n", "")
        assert not instance.compute_log_manager.is_capture_complete(list(KEY))


def test_a_failing_run_fails_with_its_own_error(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    code = f"""{BEGIN}
        print("before the error")
        raise LookupError("its own")
"""
    written = python(code, environment=environment_of(settings))
    assert (written.returncode, written.stdout) == (1, "before the error\n")
    assert "LookupError: its own" in written.stderr
    with open_instance(settings) as instance:
        assert logs_of(instance)[0] == "before the error\n"


def test_output_without_a_file_behind_it_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a notebook.
    shown = io.StringIO()
    manager = ShowingComputeLogManager(str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", shown)
        with manager.capture_logs(KEY):
            print("to whoever embeds it")
    assert shown.getvalue() == "to whoever embeds it\n"
    assert manager.get_log_data_for_type(KEY, ComputeIOType.STDOUT)[0] == b""
