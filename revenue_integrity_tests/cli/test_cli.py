"""The command line over a small home: exit codes, where what is printed, and one clear line for whatever a user can cause."""

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.settings import BookSettings, Settings
from revenue_integrity_tests.cli.conftest import Run
from revenue_integrity_tests.support import command_process, environment_of, home_settings

SITES = "site_id,site_name,region,timezone,capacity_kw\nS-9,Nine,north,UTC,100\n"


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Return the settings of a home in which nothing was ever done."""
    return home_settings(tmp_path / "home")


def put(path: Path, content: str | bytes) -> str:
    """Write a file; return its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize("chosen", ["csv", "json", "table"])
def test_data_go_to_stdout_in_the_format_asked_for(golden_home: Settings, run_in: Run, chosen: str) -> None:
    done = run_in(golden_home, "export", "contract_month", "--month", "2025-04", "--format", chosen)
    assert (done.code, done.err) == (0, "")
    if chosen == "csv":
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(done.out)))
        assert [row["contract_id"] for row in rows] == ["A", "B", "C"]
        assert rows[0]["revenue_cents"] == "734477"
        assert rows[0]["has_estimates"] == "true"
        assert rows[0]["month"] == "2025-04"
    elif chosen == "json":
        rows = json.loads(done.out, parse_float=Decimal)
        assert rows[0]["revenue_cents"] == 734477
        assert rows[0]["rack_utilization"] == Decimal("0.807692")
        assert rows[2]["power_utilization"] is None
    else:
        assert "7,344.77" in done.out


def test_a_pipe_gets_csv_and_data_are_not_mixed_with_words(golden_home: Settings) -> None:
    done = command_process(golden_home, "export", "site_month", "--live")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("month,site_id,")
    assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == 2
    assert done.stderr.startswith("Reading the warehouse itself")


@pytest.mark.parametrize(("name", "reads"), [("x.csv", "csv"), ("x.json", "json"), ("x.parquet", "parquet")])
def test_an_export_is_written_as_its_ending_says(
    golden_home: Settings, run_in: Run, tmp_path: Path, name: str, reads: str
) -> None:
    import pandas as pd

    to = tmp_path / name
    done = run_in(golden_home, "export", "contract_month", "-o", str(to))
    assert (done.code, done.out) == (0, "")
    assert done.err == f"3 rows written to {to}\n"
    frame = getattr(pd, f"read_{reads}")(to)
    assert frame["revenue_cents"].tolist()[0] == 734477


def test_a_run_with_nothing_to_do_says_so(golden_home: Settings, run_in: Run) -> None:
    done = run_in(golden_home, "run")
    assert (done.code, done.out) == (0, "")
    assert "nothing was recomputed" in done.err


def test_a_failed_run_ends_with_1_and_says_why(golden_home: Settings, run_in: Run) -> None:
    (file,) = (golden_home.landing_path / "colocation" / "power_bills").glob("*/data.csv")
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    done = run_in(golden_home, "run")
    assert (done.code, done.out) == (1, "")
    assert "has changed" in done.err
    assert "Traceback" not in done.err


def test_status_prints_a_line_a_month(golden_home: Settings, run_in: Run) -> None:
    done = run_in(golden_home, "status", "--format", "json")
    assert done.code == 0
    (line,) = json.loads(done.out)
    # 7,344.77 + 1,074.89 + 10.00 of the three contracts.
    assert (line["month"], line["revenue_cents"], line["quarantined"]) == ("2025-04", 842966, 0)
    assert line["margin_cents"] == 651662 + 77404 + 1000


def test_status_watches_a_line_a_book(golden_home: Settings, run_in: Run) -> None:
    done = run_in(golden_home, "status", "--watch", "5", "--format", "json")
    assert done.code == 0
    lines = {line["book"]: line for line in json.loads(done.out)}
    line = lines["colocation"]
    assert line["compared"] == line["matched"] + line["in_breach"] > 0
    # B's power of 433.33 was posted after the cutoff: of all postings nothing varies, so nothing is found.
    assert (line["variance_gross_cents"], line["found_cents"], line["open_cents"]) == (0, 0, 0)
    assert line["newest_arrival"] <= line["last_run"]
    assert line["in_the_way"].startswith("2025-04: ")
    run_in(golden_home, "status", "5").refused(2, "5 belongs to --watch")
    run_in(golden_home, "status", "--watch", "--month", "2025-04").refused(2, "--watch shows all books over all months")


def test_landing_prints_batch_and_digest(empty: Settings, run_in: Run, tmp_path: Path) -> None:
    file = put(tmp_path / "sites.csv", SITES.replace("\n", ",extra\n", 1).replace(",100\n", ",100,x\n"))
    done = run_in(empty, "land", "colocation", "sites", file, "--arrival", "20250401T000000Z")
    assert done.code == 0
    batch, digest = done.out.split()
    assert batch == "colocation/sites/20250401T000000Z"
    assert len(digest) == 64
    assert "1 row landed" in done.err
    assert "not modelled and ignored: extra" in done.err
    assert (empty.landing_path / batch / "sites.csv").is_file()


def test_a_bad_row_is_told_when_it_is_landed(empty: Settings, run_in: Run, tmp_path: Path) -> None:
    file = put(tmp_path / "sites.csv", SITES + "S-8,Eight,north,Mars/Olympus,-5\n")
    done = run_in(empty, "land", "colocation", "sites", file)
    assert done.code == 0
    (told,) = [line for line in done.err.splitlines() if "will be quarantined" in line]
    assert "sites.csv row 2" in told
    assert "timezone" in told
    assert "capacity_kw" in told


BAD_FILES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "latin1.csv": (SITES.replace("Nine", "Münch\u00e9n").encode("latin-1"), ("latin1.csv", "UTF-8")),
    "empty.csv": (b"", ("empty.csv",)),
    "columns.csv": (b"site_id,name\nS-9,Nine\n", ("columns.csv", "site_name", "capacity_kw")),
    "truncated.csv.gz": (gzip.compress(SITES.encode() * 500)[:-20], ("truncated.csv.gz",)),
    "nogzip.csv.gz": (SITES.encode(), ("nogzip.csv.gz",)),
    "no.parquet": (b"PAR1 and nothing", ("no.parquet",)),
    "no.json": (b"{'site_id': ", ("no.json",)),
    "what.xlsx": (b"PK", ("what.xlsx", "csv")),
    ".hidden.csv": (SITES.encode(), (".hidden.csv", "Rename")),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_and_nothing_is_landed(empty: Settings, run_in: Run, tmp_path: Path, name: str) -> None:
    content, told = BAD_FILES[name]
    file = put(tmp_path / name, content)
    run_in(empty, "land", "colocation", "sites", file).refused(1, *told)
    assert [path for path in empty.landing_path.rglob("*") if path.is_file()] == []


def test_a_missing_file_and_a_taken_arrival_are_refused(empty: Settings, run_in: Run, tmp_path: Path) -> None:
    run_in(empty, "land", "colocation", "sites", str(tmp_path / "none.csv")).refused(1, "there is no file", "none.csv")
    file = put(tmp_path / "sites.csv", SITES)
    assert run_in(empty, "land", "colocation", "sites", file, "--arrival", "20250401T000000Z").code == 0
    again = run_in(empty, "land", "colocation", "sites", file, "--arrival", "20250401T000000Z")
    again.refused(1, "there is a batch colocation/sites/20250401T000000Z already", "another arrival")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("land", "colo", "sites", "x.csv"), ("there is no stream 'colo'", "colocation")),
        (
            ("land", "colocation", "site", "x.csv"),
            ("there is no source 'site' in colocation", "Did you mean sites?", "customers"),
        ),
        (
            ("land", "colocation", "sites", "x.csv", "--arrival", "yesterday"),
            ("'yesterday' is not an arrival", "YYYYMMDDTHHMMSSZ"),
        ),
        (
            ("land", "colocation", "sites", "x.csv", "--arrival", "2025-04-07T09:30:00"),
            ("'2025-04-07T09:30:00' is not an arrival", "with an offset"),
        ),
        (("export", "contract_months"), ("there is no dataset 'contract_months'", "Did you mean contract_month", "batches")),
        (("export", "contract_month", "--stream", "colocaton"), ("there is no stream 'colocaton'", "Did you mean colocation?")),
        (("export", "contract_month", "-o", "x.pdf"), ("x.pdf ends in none of .csv, .json, .parquet",)),
        (("export", "contract_month", "-o", "x.parquet", "--format", "csv"), ("x.parquet is no name of csv",)),
        (("simulate", "--stream", "clowd"), ("Did you mean cloud?",)),
        (("export", "contract_month", "--month", "2025-4"), ("'2025-4' is not a month", "YYYY-MM")),
        (("export", "contract_month", "--month", "2031-01"), ("2031-01 is not a month of this deployment", "2025-03 to 2025-04")),
        (("export", "contract_month", "--month", "2025-04:2025-03"), ("ends before it begins",)),
        (("export", "contract_month", "--tenant", "t"), ("knows no tenants",)),
        (("run", "--stream", "colo"), ("there is no stream 'colo'",)),
        (("run", "--months", "March"), ("'March' is not a month",)),
        (("status", "--month", "2025-13"), ("'2025-13' is not a month",)),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(
    empty: Settings, run_in: Run, arguments: tuple[str, ...], told: tuple[str, ...]
) -> None:
    run_in(empty, *arguments).refused(2, *told)


@pytest.mark.parametrize(
    "arguments", [("nothing",), ("export",), ("export", "contract_month", "--format", "xml"), ("simulate", "--contracts", "0")]
)
def test_what_the_parser_refuses_ends_with_2(empty: Settings, run_in: Run, arguments: tuple[str, ...]) -> None:
    done = run_in(empty, *arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [("export", "contract_month"), ("quarantine",)])
def test_a_home_in_which_nothing_was_run_says_so(empty: Settings, run_in: Run, arguments: tuple[str, ...]) -> None:
    done = run_in(empty, *arguments)
    done.refused(1)
    assert not empty.warehouse_path.exists(), "a question changes nothing"


def test_a_bad_setting_is_refused_by_every_command(empty: Settings) -> None:
    bad = empty.model_copy(update={"currency": "dollars"})
    done = command_process(bad, "status")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: setting currency='dollars'")
    assert "Traceback" not in done.stderr


def test_doctor_finds_what_is_wrong_and_says_what_to_do(empty: Settings, run_in: Run) -> None:
    done = run_in(empty, "doctor", "--format", "json")
    assert {row["what"]: row["ok"] for row in json.loads(done.out)}["settings"] is True
    empty.home.mkdir()
    empty.warehouse_path.write_bytes(b"no warehouse" * 1000)
    (empty.landing_path / "colocation" / "sites" / "last week").mkdir(parents=True)
    done = run_in(empty, "doctor", "--format", "json")
    assert done.code == 1
    wrong = {row["what"]: row for row in json.loads(done.out) if not row["ok"]}
    assert {"warehouse", "landing zone"} <= set(wrong)
    assert all(row["next_step"] for row in wrong.values())


def test_doctor_tells_a_bad_setting_instead_of_dying_of_it(empty: Settings) -> None:
    done = command_process(empty.model_copy(update={"ui_port": 0}), "doctor", "--format", "csv")
    assert done.returncode == 1
    rows = {row["what"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert rows["settings"]["ok"] == "false"
    assert "ui_port" in rows["settings"]["found"]


def test_a_reader_that_goes_away_is_no_crash(golden_home: Settings) -> None:
    import subprocess
    import sys

    code = "import sys; from revenue_integrity.cli.program import main; main(sys.argv[1:])"
    reader = "import sys; sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "export", "meter_daily"],
        env=environment_of(golden_home) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        subprocess.run([sys.executable, "-c", reader], stdin=writer.stdout, check=True)
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0
    told = (golden_home.logs_path / "revenue-integrity.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(told)["exit_code"] == 0


def test_a_past_world_that_was_not_computed_is_told(golden_home: Settings, run_in: Run) -> None:
    done = run_in(golden_home, "export", "contract_month", "--as-of", "20250501T000000Z")
    done.refused(1, "the world as of 20250501T000000Z was not computed", "run --as-of 20250501T000000Z")


@pytest.mark.parametrize(
    "arguments",
    [
        ("prepare", "2025-03", "--as", "pat"),
        ("approve", "2025-03", "--as", "ann"),
        ("waive", "2025-03", "rows_are_conserved", "--as", "ann", "--reason", "known"),
        ("reopen", "2025-03", "--as", "ann", "--reason", "again"),
        ("restatement", "2025-03"),
        ("pack", "2025-03"),
    ],
)
def test_a_month_of_which_book_is_refused_where_nobody_says(run_in: Run, empty: Settings, arguments: tuple[str, ...]) -> None:
    run_in(empty, *arguments).refused(2, "books: colocation, cloud", "Name one with --book")
    run_in(empty, *arguments, "--book", "boats").refused(2, "there is no book 'boats'", "colocation, cloud")


def test_a_bad_book_is_refused_at_the_start(run_in: Run, empty: Settings) -> None:
    lacks = empty.model_copy(update={"books": {"cloud": BookSettings(streams=("colocation",))}})
    run_in(lacks, "status").refused(2, "the book cloud is called like a stream that it lacks")
