"""Nothing is lost and nothing half done: what arrives broken is refused or quarantined, counted, and seen by the user.

Each story lands something broken in a home in which the golden case has been run, runs it, and looks with the user's eyes:
quarantine, batches, status, export. What stood before is readable in all of them.
"""

import csv
import gzip
import io
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

from revenue_integrity.settings import Settings
from revenue_integrity_tests.conftest import GOLDEN_LANDING, golden_settings
from revenue_integrity_tests.support import command, environment_of, python

HEADER = "meter_id,contract_id,site_id,reading_date,kwh,peak_kw,read_type\n"
GOOD = "MB,B,S-1,2025-04-30,99,9,actual\n"
ARRIVAL = "20250601T000000Z"
BATCH = f"colocation/meter_readings/{ARRIVAL}"

MOST_MEMORY_BYTES = 2 * 1024**3
"""Resident memory in which a million bad rows must be read: twice the engine's limit in that test, with all libraries."""


def put(settings: Settings, name: str, content: bytes, source: str = "meter_readings", arrival: str = ARRIVAL) -> Path:
    """Write a batch as a source system would that knows no `land`."""
    file = settings.landing_path / "colocation" / source / arrival / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


def rows_of(settings: Settings, *arguments: str) -> list[dict[str, str]]:
    """Return the rows that a command prints as CSV."""
    done = command(settings, *arguments, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def batch_of(settings: Settings) -> dict[str, str]:
    """Return the manifest's line of the batch that was landed."""
    (line,) = [row for row in rows_of(settings, "export", "batches") if row["batch_id"] == BATCH]
    return line


def counts(line: dict[str, str]) -> tuple[int, int, int, int]:
    """Return rows in file, loaded, quarantined, exact duplicates."""
    return tuple(int(line[name]) for name in ("rows_in_file", "rows_loaded", "rows_quarantined", "exact_duplicates"))  # type: ignore[return-value]  # four names


def readings(settings: Settings) -> dict[tuple[str, str], Decimal]:
    """Return the published kWh of each contract and day."""
    rows = rows_of(settings, "export", "meter_daily")
    return {(row["contract_id"], row["reading_date"]): Decimal(row["kwh"]) for row in rows}


WHOLE_BATCH: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "truncated.csv.gz": (lambda: gzip.compress((HEADER + GOOD * 500).encode())[:-30], ("truncated.csv.gz",)),
    "latin1.csv": (lambda: (HEADER + GOOD.replace("MB", "M\u00dc")).encode("latin-1"), ("latin1.csv", "UTF-8")),
    "empty.csv": (lambda: b"", ("empty.csv",)),
    "columns.csv": (lambda: b"meter_id,kwh\nMB,99\n", ("columns.csv", "contract_id", "reading_date")),
}


def test_batches_that_cannot_be_read_are_refused_as_a_whole(golden_home: Settings) -> None:
    before = readings(golden_home)
    batches = {name: f"2025060{number}T000000Z" for number, name in enumerate(WHOLE_BATCH, 1)}
    for name, arrival in batches.items():
        put(golden_home, name, WHOLE_BATCH[name][0](), arrival=arrival)
    put(golden_home, "good.csv", (HEADER + GOOD).encode(), arrival="20250609T000000Z")
    done = command(golden_home, "run")
    assert done.returncode == 0, done.stderr
    # Each is seen as one line of quarantine for the whole batch, and as rejected in the manifest.
    quarantine = {row["batch_id"]: row for row in rows_of(golden_home, "quarantine")}
    lines = {row["batch_id"]: row for row in rows_of(golden_home, "export", "batches")}
    for name, arrival in batches.items():
        batch_id = f"colocation/meter_readings/{arrival}"
        assert f"rejected: {batch_id}: " in done.stderr
        assert quarantine[batch_id]["row_number"] == ""
        for part in WHOLE_BATCH[name][1]:
            assert part in quarantine[batch_id]["dq_errors"]
        assert (lines[batch_id]["status"], lines[batch_id]["rows_loaded"]) == ("rejected", "0")
    assert len(quarantine) == len(batches)
    # Other batches go on, and what stood there stands: 99 kWh of one more meter beside what B had drawn that day,
    # the last of the month: from its first reading on a meter is estimated where it has none.
    assert readings(golden_home) == before | {("B", "2025-04-30"): before["B", "2025-04-30"] + 99}


def test_a_million_bad_rows_are_counted_in_bounded_memory(golden_home: Settings) -> None:
    bad = 1_000_000
    # Each row breaks another rule, or two: no number, no such date, an unknown read type, a negative amount.
    lines = [
        "MB,B,S-1,2025-04-07,many,9,actual\n",
        "MB,B,S-1,2025-04-31,1,9,actual\n",
        "MB,B,S-1,2025-04-07,1,9,guessed\n",
        "MB,B,S-1,2025-04-07,-1,-9,actual\n",
    ]
    put(golden_home, "bad.csv", (HEADER + GOOD + "".join(lines) * (bad // len(lines))).encode())
    small = golden_home.model_copy(update={"memory_limit": "1GB", "threads": 2})
    small = type(small)(**small.model_dump(include=small.model_fields_set))
    code = """
import resource
from revenue_integrity.cli.program import main
try:
    main(["run"])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
    done = python(code, environment=environment_of(small), timeout=180)
    # The share of bad rows stops the publication, not the program.
    assert done.returncode == 1, done.stderr
    assert "2025-04 is not published: quarantined_share_is_bearable of quarantine (failed)" in done.stderr
    assert "Traceback" not in done.stderr
    assert int(done.stdout) < MOST_MEMORY_BYTES
    line = batch_of(golden_home)
    assert counts(line) == (bad + 1, 1, bad, 0)
    file = golden_home.home / "quarantine.parquet"
    told = command(golden_home, "export", "quarantine", "-o", str(file))
    assert told.returncode == 0, told.stderr
    reasons = Counter(pq.read_table(file, columns=["dq_errors"])["dq_errors"].to_pylist())
    assert sorted(reasons.values()) == [bad // 4] * 4
    assert [sum(word in reason for reason in reasons) for word in ("many", "2025-04-31", "guessed", "-9")] == [1, 1, 1, 1]
    # The old publication is there, and status says what stands in the way.
    (status,) = rows_of(golden_home, "status")
    assert status["quarantined"] != "0"
    assert "quarantined_share_is_bearable" in status["why"]
    assert len(rows_of(golden_home, "export", "contract_month")) == 3


def test_bad_rows_among_good_ones_are_kept_with_their_reason(golden_home: Settings) -> None:
    put(golden_home, "mixed.csv", (HEADER + GOOD + "MB,B,S-1,2025-04-07,many,-2,actual\n").encode())
    assert command(golden_home, "run").returncode == 0
    (refused,) = rows_of(golden_home, "quarantine", "--month", "2025-04")
    assert (refused["file_name"], refused["row_number"], refused["month"]) == ("mixed.csv", "2", "2025-04")
    assert "kwh" in refused["dq_errors"]
    assert "; " in refused["dq_errors"], "every reason that holds"
    assert '"many"' in refused["raw"]
    assert counts(batch_of(golden_home)) == (2, 1, 1, 0)


def test_a_header_without_rows_is_a_batch_of_no_rows(golden_home: Settings) -> None:
    before = rows_of(golden_home, "export", "meter_daily")
    put(golden_home, "header.csv", HEADER.encode())
    assert command(golden_home, "run").returncode == 0
    line = batch_of(golden_home)
    assert (line["status"], counts(line)) == ("loaded", (0, 0, 0, 0))
    assert rows_of(golden_home, "quarantine") == []
    assert rows_of(golden_home, "export", "meter_daily") == before


def test_a_month_without_any_data_is_a_month(tmp_path: Path) -> None:
    # In 2019 no contract of the golden case has begun: nothing was metered, billed or invoiced.
    settings = golden_settings(tmp_path / "home", first_month="2019-01", last_month="2019-01", landing=GOLDEN_LANDING)
    done = command(settings, "run")
    assert done.returncode == 0, done.stderr
    assert rows_of(settings, "export", "contract_month") == []
    # Rows name months of 2025 alone, and the status lists no month that no row names.
    assert rows_of(settings, "status") == []
    assert (settings.published_path / "contract_month" / "month=2019-01" / "data.parquet").is_file()
    assert "nothing was recomputed" in command(settings, "run").stderr


def test_a_month_in_which_nothing_ever_arrived_can_be_run(tmp_path: Path) -> None:
    settings = golden_settings(tmp_path / "home")
    done = command(settings, "run")
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert rows_of(settings, "export", "contract_month") == []
    assert rows_of(settings, "quarantine") == []
