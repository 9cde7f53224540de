"""Structured logs: what is written where, without secrets, and never at the cost of what it tells of."""

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import clock, logs
from revenue_integrity.errors import Refusal, UsageError
from revenue_integrity.settings import Settings
from revenue_integrity_tests.processes import Program, finished
from revenue_integrity_tests.support import command, environment_of, home_settings

INSTANT = datetime(2025, 5, 12, 8, 30, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a home that has begun."""
    (tmp_path / "home" / "landing").mkdir(parents=True)
    return home_settings(tmp_path / "home")


@pytest.fixture
def _held_clock() -> Iterator[None]:
    with clock.held_at(INSTANT):
        yield


def lines(settings: Settings, file: str = logs.FILE) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (settings.logs_path / file).read_text(encoding="utf-8").splitlines()]


@pytest.mark.usefixtures("_held_clock")
def test_a_line_says_when_what_whose_and_about_which_month(settings: Settings) -> None:
    with logs.writing(settings, "prepare", month="2025-03"):
        logs.event("looked_at")
        logs.event("computed", month=date(2025, 4, 1), run_id="r-1", level=logging.WARNING, cents=12, why="late\nrows")
    common = {"time": "2025-05-12T08:30:00.000+00:00", "command": "prepare", "pid": os.getpid()}
    assert lines(settings) == [
        {**common, "level": "INFO", "event": "looked_at", "run_id": None, "month": "2025-03"},
        {
            **common,
            "level": "WARNING",
            "event": "computed",
            "run_id": "r-1",
            "month": "2025-04",
            "cents": 12,
            "why": "late\nrows",
        },
    ]


def test_nothing_is_written_outside_of_a_block_and_each_home_has_its_own_log(settings: Settings, tmp_path: Path) -> None:
    other = home_settings(tmp_path / "other")
    (other.home / "landing").mkdir(parents=True)
    with logs.writing(settings, "run"):
        logs.event("here")
        with logs.writing(other, "status"):
            logs.event("there")
        with logs.writing(settings, "job"):
            logs.event("here_again")
    logs.event("nowhere")
    assert [(line["event"], line["command"]) for line in lines(settings)] == [("here", "run"), ("here_again", "run")]
    assert [(line["event"], line["command"]) for line in lines(other)] == [("there", "status")]


def test_a_warning_of_any_module_is_logged_and_still_told(settings: Settings) -> None:
    code = (
        "import logging\n"
        "from revenue_integrity import logs\n"
        "from revenue_integrity.streams.registry import load_settings\n"
        "with logs.writing(load_settings(), 'run'):\n"
        "    logging.getLogger('revenue_integrity.close.ledger').warning('half an entry of %s', 'pat')\n"
        "    logs.event('noted', level=logging.WARNING)\n"
    )
    done = finished(code, environment=environment_of(settings))
    assert done.returncode == 0, done.stderr
    message, noted = lines(settings)
    assert (message["event"], message["message"]) == ("message", "half an entry of pat")
    assert message["logger"] == "revenue_integrity.close.ledger"
    assert noted["event"] == "noted"
    assert done.stderr.splitlines() == ["half an entry of pat"]


@pytest.mark.parametrize(
    ("raised", "code", "level"),
    [
        (Refusal("2025-03 is not ready", "Wait"), 1, "WARNING"),
        (UsageError("'x' is not a month", "Write 2025-03"), 2, "WARNING"),
        (ZeroDivisionError("a bug"), 1, "ERROR"),
        (SystemExit(3), 3, "WARNING"),
        (SystemExit(0), 0, "INFO"),
    ],
)
def test_the_end_tells_exit_code_and_what_was_raised(settings: Settings, raised: BaseException, code: int, level: str) -> None:
    with pytest.raises(type(raised)), logs.writing(settings, "run"), logs.told("command"):
        raise raised
    started, ended = lines(settings)
    assert started["event"] == "command_started"
    assert (ended["event"], ended["exit_code"], ended["level"]) == ("command_ended", code, level)
    assert ended["seconds"] >= 0
    if isinstance(raised, SystemExit):
        assert "exception" not in ended
    elif isinstance(raised, ZeroDivisionError):
        assert ended["exception"].startswith("Traceback")
        assert ended["exception"].endswith("ZeroDivisionError: a bug")
    else:
        assert ended["exception"] == f"{type(raised).__name__}: {raised}"


def test_no_secret_reaches_the_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "hunter2hunter2")
    monkeypatch.setenv("ERP", "postgresql://reader:wrong@place@host/db")
    guarded = home_settings(
        settings.home,
        alert_channels={"info": ["slack://T0KEN/of/slack"]},
        pull_sources=[{"stream": "colocation", "source": "sites", "url_env": "ERP", "table": "sites"}],
    )
    with logs.writing(guarded, "pull", secrets=("of-the-argument",)):
        logs.event("failed", error=RuntimeError("no login with hunter2hunter2"), why="see of-the-argument")
        logs.event("failed", error=OSError("cannot reach slack://T0KEN/of/slack"))
        logs.event("failed", why="postgresql+psycopg://other:p4ss@word@host/db and http://host/x")
        logs.event("failed", why=os.environ["ERP"])
    text = (settings.logs_path / logs.FILE).read_text(encoding="utf-8")
    assert text.count('"event": "failed"') == 4
    for secret in ("hunter2", "of-the-argument", "T0KEN", "p4ss", "word@", "wrong", "place"):
        assert secret not in text
    assert "postgresql+psycopg://***@host/db and http://host/x" in text


def test_a_home_that_has_not_begun_is_not_begun_by_its_log(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home")
    with logs.writing(settings, "status"):
        logs.event("asked")
    assert not settings.home.exists()
    with logs.writing(settings, "land"):
        logs.event("before")
        settings.landing_path.mkdir(parents=True)
        logs.event("after")
    assert [line["event"] for line in lines(settings)] == ["before", "after"]


def test_a_log_that_cannot_be_written_fails_nothing(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    settings.logs_path.write_text("a file where the directory should be")
    with logs.writing(settings, "run"), logs.told("command"):
        logs.event("computed")
    assert settings.logs_path.read_text() == "a file where the directory should be"
    settings.logs_path.unlink()
    settings.logs_path.mkdir()
    # A full disk, as the kernel reports it.
    (settings.logs_path / logs.FILE).symlink_to("/dev/full")
    with logs.writing(settings, "run"), logs.told("command"):
        logs.event("computed")
    assert capfd.readouterr() == ("", "")


def test_files_are_put_aside_at_their_size_and_only_so_many_are_kept(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home", log_file_mib=1, log_files=3)
    settings.landing_path.mkdir(parents=True)
    with logs.writing(settings, "run"):
        for number in range(9):
            logs.event("filled", number=number, padding="x" * 600_000)
    names = sorted(path.name for path in settings.logs_path.iterdir())
    assert names == [logs.FILE, f"{logs.FILE}.1", f"{logs.FILE}.2"]
    # Two lines fill a file: the ninth stands alone, and the oldest four are gone.
    kept = [line["number"] for name in reversed(names) for line in lines(settings, name)]
    assert kept == [4, 5, 6, 7, 8]


def test_processes_that_write_and_rotate_at_once_lose_no_line(tmp_path: Path) -> None:
    # Long lines from many writers, so that one often looks at the file while another one renames it.
    settings = home_settings(tmp_path / "home", log_file_mib=1, log_files=100)
    settings.landing_path.mkdir(parents=True)
    code = (
        "import sys\n"
        "from revenue_integrity import logs\n"
        "from revenue_integrity.streams.registry import load_settings\n"
        "with logs.writing(load_settings(), sys.argv[1]):\n"
        "    for number in range(100):\n"
        "        logs.event('line', number=number, padding='x' * 60_000)\n"
    )
    writers = [Program(code, name, environment=environment_of(settings)) for name in "abcdef"]
    assert [writer.wait(60) for writer in writers] == [0] * 6
    written = [line for path in settings.logs_path.iterdir() for line in lines(settings, path.name)]
    assert sorted((line["command"], line["number"]) for line in written) == [(name, n) for name in "abcdef" for n in range(100)]
    # 36 MB of lines went into files of one MiB and what was written while somebody rotated.
    assert 17 <= len(list(settings.logs_path.iterdir())) <= 36


def test_a_run_leaves_its_months_run_ids_and_end(golden_home: Settings) -> None:
    (golden_home.logs_path / logs.FILE).unlink(missing_ok=True)
    done = command(golden_home, "run", "--all")
    assert done.returncode == 0, done.stderr
    told = lines(golden_home)
    assert [line["event"] for line in (told[0], told[-1])] == ["command_started", "command_ended"]
    assert (told[-1]["exit_code"], told[-1]["command"]) == (0, "run")
    runs = [line for line in told if line["event"] == "run_succeeded"]
    assert runs
    assert {(line["month"], line["why"]) for line in runs} == {("2025-04", "--all")}
    (published,) = [line for line in told if line["event"] == "published"]
    assert published["run_id"] == runs[-1]["run_id"]
    import dagster as dg

    with dg.DagsterInstance.from_config(str(golden_home.dagster_path)) as instance:
        assert all(instance.get_run_by_id(line["run_id"]) is not None for line in runs)


def test_a_failed_run_says_why_in_the_log(golden_home: Settings) -> None:
    (file,) = (golden_home.landing_path / "colocation" / "power_bills").glob("*/data.csv")
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert command(golden_home, "run").returncode == 1
    told = lines(golden_home)
    failed = next(line for line in told if line["event"] == "run_failed")
    assert (failed["month"], failed["level"]) == ("2025-04", "WARNING")
    assert "has changed" in failed["failures"]
    assert (told[-1]["event"], told[-1]["exit_code"], told[-1]["level"]) == ("command_ended", 1, "WARNING")


def test_a_refused_command_is_logged_with_its_reason_and_month(golden_home: Settings) -> None:
    assert command(golden_home, "prepare", "2025-04", "--as", "nobody").returncode == 1
    ended = lines(golden_home)[-1]
    assert (ended["command"], ended["month"], ended["exit_code"]) == ("prepare", "2025-04", 1)
    assert ended["exception"].startswith("Refusal: ")
    assert "nobody" in ended["exception"]


def test_wrong_usage_and_a_bad_setting_end_with_2_and_help_is_no_command(golden_home: Settings) -> None:
    assert command(golden_home, "export", "no_such_dataset").returncode == 2
    assert lines(golden_home)[-1]["exit_code"] == 2
    before = len(lines(golden_home))
    assert command(golden_home, "export", "--help").returncode == 0
    assert command(golden_home.model_copy(update={"currency": "dollars"}), "status").returncode == 2
    assert len(lines(golden_home)) == before
