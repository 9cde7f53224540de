"""The simulated CRM, ERP and ledger: the same bytes each time, nothing wrong unless planted, and every cause found as planted.

The expected side is the pipeline's own; the simulator works out what is due by itself, so that either being wrong shows.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from revenue_integrity.close.calendar import cutoff
from revenue_integrity.errors import UsageError
from revenue_integrity.model.simulator import Simulated
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.simulate.due import Due, Version, allocated_shifts, schedule
from revenue_integrity.streams.bookings.simulate.late import late_entry
from revenue_integrity.streams.bookings.simulate.plan import CURED_KINDS, KINDS, LOOK_ALIKE_KINDS, SETTLED_KINDS
from revenue_integrity.streams.bookings.simulate.program import simulate
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity_tests.cases import computed_case

FIRST, LAST = date(2024, 10, 1), date(2025, 2, 1)

Rows = list[dict[str, str]]

DIFFERENCES = "select * from recon.bookings_recon_results where coalesce(variance_cents, 0) <> 0"


def run(
    home: Path, *, deals: int, faults: str, seed: int = 1, first: date = FIRST, last: date = LAST
) -> tuple[BookingsSettings, Simulated]:
    settings = BookingsSettings(home=home, first_month=first, last_month=last)
    summary = simulate(
        settings.landing_path,
        home / "truth",
        months=settings.months,
        deals=deals,
        seed=seed,
        faults=faults,
        cutoff=lambda month: cutoff(month, settings),
    )
    return settings, summary


def read(file: Path) -> Rows:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def bytes_of(home: Path) -> dict[str, bytes]:
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def plan_of(home: Path) -> str:
    """Write rates of which every kind comes about in a small world: recent months keep their faults, earlier ones do not."""
    lines = ["[bookings]", "recent_months = 3", "bad_rows = 6"]
    lines += ["[bookings.open]", *(f"{kind} = 1" for kind in KINDS)]
    lines += ["[bookings.settled]", *(f"{kind} = 1" for kind in SETTLED_KINDS)]
    lines += ["[bookings.cured]", *(f"{kind} = 1" for kind in CURED_KINDS)]
    lines += ["[bookings.look_alikes]", *(f"{kind} = 0.7" for kind in LOOK_ALIKE_KINDS)]
    file = home / "faults.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[duckdb.DuckDBPyConnection, BookingsSettings, Path]]:
    home = tmp_path_factory.mktemp("faulty")
    settings, _ = run(home, deals=340, faults=plan_of(home), seed=4)
    with computed_case(settings, BOOKINGS, "bookings_recon_causes") as connection:
        yield connection, settings, home / "truth"


Faulty = tuple[duckdb.DuckDBPyConnection, BookingsSettings, Path]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, deals=25, faults="default", seed=seed)
    first = bytes_of(tmp_path / "a")
    assert {Path(name).name.partition(".")[2] for name in first} == {"csv", "csv.gz", "json"}
    assert first == bytes_of(tmp_path / "b")
    assert first != bytes_of(tmp_path / "c")


def test_no_delivery_says_two_things_of_one_key(tmp_path: Path) -> None:
    # Deals from before the first month are many a thing that was begun and ended before the first delivery.
    settings, _ = run(tmp_path, deals=60, faults="default", first=date(2025, 1, 1), last=date(2025, 3, 1))
    told = {}
    with duckdb.connect() as connection:
        for source in BOOKINGS.sources:
            for file in sorted((settings.landing_path / "bookings" / source.name).glob("*/*")):
                key = ", ".join(each.name for each in source.columns if each.stored in source.key)
                seen = f"select {key} from (select distinct * from '{file}') group by all having count(*) > 1"
                if twice := connection.sql(seen).fetchall():
                    told[file.parent.name, file.name] = twice
    assert told == {}


def test_without_faults_everything_ties_to_zero(tmp_path: Path) -> None:
    settings, summary = run(tmp_path, deals=120, faults="none", seed=4, last=date(2025, 1, 1))
    assert summary.faults == 0
    assert read(tmp_path / "truth" / "bookings_faults.csv") == []
    assert read(tmp_path / "truth" / "bookings_bad_rows.csv") == []
    with computed_case(settings, BOOKINGS, "bookings_recon_causes") as connection:
        assert connection.execute("select * from meta.quarantine").fetchall() == []
        assert connection.execute(DIFFERENCES).fetchall() == []
        assert connection.execute("select * from recon.bookings_recon_causes").fetchall() == []
        (compared,) = connection.execute(
            "select list(distinct recon order by recon) from recon.bookings_recon_results where unit = 'cents'"
        ).fetchall()
        assert compared[0] == ["billed_vs_amount", "deferred_vs_ledger", "recognized_to_date", "recognized_vs_schedule"]


def test_the_causes_found_are_the_faults_planted(faulty: Faulty) -> None:
    connection, _, truth = faulty
    names = ("month", "customer_id", "deal_id", "line_no", "revenue_type", "cause")
    told: Counter[tuple[str, ...]] = Counter()
    for row in read(truth / "bookings_faults.csv"):
        if not row["cured_at"]:
            # What is off in the current view is off as of the close too; what was late is off only there.
            for view in {row["view"], "as_of_close"}:
                told[view, *(row[name] for name in names)] += int(row["cents"])
    found: Counter[tuple[str, ...]] = Counter()
    for *key, cents in connection.execute(
        "select view, strftime(month, '%Y-%m'), coalesce(customer_id, ''), coalesce(deal_id, ''),"
        " coalesce(line_no::varchar, ''), revenue_type, cause, cause_cents from recon.bookings_recon_causes"
    ).fetchall():
        found[tuple(key)] += cents
    assert found == told


def test_every_kind_is_planted(faulty: Faulty) -> None:
    rows = read(faulty[2] / "bookings_faults.csv")
    assert {row["cause"] for row in rows if not row["cured_at"]} == {*KINDS}
    assert {row["kind"] for row in rows} >= {*KINDS, *SETTLED_KINDS}
    assert {row["kind"] for row in rows if row["cured_at"]} >= {*CURED_KINDS}


def test_what_extracts_put_right_leaves_no_trace_and_names_its_batches(faulty: Faulty) -> None:
    connection, _, truth = faulty
    rows = read(truth / "bookings_faults.csv")
    batches = {row[0] for row in connection.execute("select batch_id from meta.batches").fetchall()}
    cured = [row for row in rows if row["cured_at"]]
    assert {row["planted_in_batch"] for row in rows} <= batches
    assert {row["cured_by_batch"] for row in cured} <= batches
    off = {
        (row[0], row[1], str(row[2]))
        for row in connection.execute(
            "select strftime(month, '%Y-%m'), deal_id, line_no from recon.bookings_recon_results"
            " where recon = 'recognized_vs_schedule' and variance_cents <> 0"
        ).fetchall()
    }
    assert not {(row["month"], row["deal_id"], row["line_no"]) for row in cured} & off


def test_what_moves_adds_up_to_zero(faulty: Faulty) -> None:
    moved: Counter[str] = Counter()
    for row in read(faulty[2] / "bookings_faults.csv"):
        if row["cause"] in ("period_shift", "wrong_deal", "wrong_type", "unmapped_entry"):
            moved[row["cause"]] += int(row["cents"])
    assert moved == {"period_shift": 0, "wrong_deal": 0, "wrong_type": 0, "unmapped_entry": 0}


def test_look_alikes_are_no_differences(faulty: Faulty) -> None:
    connection, _, truth = faulty
    rows = read(truth / "bookings_look_alikes.csv")
    assert {row["kind"] for row in rows} == set(LOOK_ALIKE_KINDS)
    named = {
        tuple(map(str, row))
        for row in connection.execute(
            "select strftime(month, '%Y-%m'), deal_id, line_no from recon.bookings_recon_causes where deal_id is not null"
        ).fetchall()
    }
    assert not {(row["month"], row["deal_id"], row["line_no"]) for row in rows} & named


def test_bad_rows_are_refused_one_by_one(faulty: Faulty) -> None:
    connection, _, truth = faulty
    told = {(row["batch_id"], row["file_name"], int(row["row_number"])) for row in read(truth / "bookings_bad_rows.csv")}
    found = connection.execute("select batch_id, file_name, row_number from meta.quarantine").fetchall()
    assert set(found) == told
    assert len(told) == 18


def test_balances_of_the_ledger_are_those_of_the_deals_whatever_went_wrong(faulty: Faulty) -> None:
    rows = faulty[0].execute(
        "select account, count(*), sum(abs(variance_cents)) from recon.bookings_recon_results"
        " where recon = 'deferred_vs_ledger' group by account order by account"
    )
    assert rows.fetchall() == [("contract_asset", 5, 0), ("deferred_revenue", 5, 0)]


def test_a_late_entry_is_the_smallest_of_its_month_again_and_control_totals_follow(tmp_path: Path) -> None:
    settings, _ = run(tmp_path, deals=30, faults="none")
    late_entry(settings.landing_path, month=date(2024, 12, 1), cutoff=lambda month: cutoff(month, settings))
    with computed_case(settings, BOOKINGS, "bookings_recon_results") as connection:
        (found,) = connection.execute(
            "select strftime(month, '%Y-%m'), right_cents, variance_cents from recon.bookings_recon_results"
            " where recon = 'recognized_vs_schedule' and view = 'current' and variance_cents <> 0"
        ).fetchall()
        assert found[0] == "2024-12"
        assert found[1] == found[2]
        (totals,) = connection.execute(
            "select t.lines - e.lines, t.amount_cents - e.cents from ("
            " select lines, amount_cents from raw.bookings_recognition_control_totals"
            " where month = date '2024-12-01' and row_status = 'surviving' order by extracted_at desc limit 1) as t,"
            " (select count(*) as lines, sum(amount_cents) as cents from curated.recognition_lines"
            " where month = date '2024-12-01') as e"
        ).fetchall()
        assert totals == (0, 0)


def test_a_late_entry_is_refused_before_the_cutoff_and_for_a_month_without_entries(tmp_path: Path) -> None:
    settings, _ = run(tmp_path, deals=5, faults="none")

    def ends(month: date) -> datetime:
        return cutoff(month, settings)

    with pytest.raises(UsageError, match="not late for 2024-12"):
        late_entry(settings.landing_path, month=date(2024, 12, 1), cutoff=ends, arrival=datetime(2025, 1, 2, tzinfo=UTC))
    with pytest.raises(UsageError, match="no entry of 2026-01"):
        late_entry(settings.landing_path, month=date(2026, 1, 1), cutoff=ends)


def test_rates_of_a_kind_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text("[bookings.open]\nwrong_mood = 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="wrong_mood"):
        run(tmp_path, deals=3, faults=str(file))
    with pytest.raises(UsageError, match="cannot simulate 0 deals"):
        run(tmp_path, deals=0, faults="none")


def test_what_is_due_is_worked_out_as_on_paper() -> None:
    # 100.00 over three months: 33.33, 33.34 (66.67 - 33.33), 33.33; 160.00 from the second month on: the rest of 126.67 in two.
    starts, ends = date(2025, 1, 1), date(2025, 3, 31)
    first = Version(1, 10_000, starts, starts, ends, 3, "equal_months")
    more = Version(2, 16_000, date(2025, 1, 20), starts, ends, 3, "equal_months", "prospective", effective=date(2025, 2, 1))
    january = 2025 * 12
    assert schedule([first]) == {january: Due(3_333), january + 1: Due(3_334), january + 2: Due(3_333)}
    assert schedule([first, more]) == {january: Due(3_333), january + 1: Due(6_334), january + 2: Due(6_333)}
    # Signed in February: January is made up for there.
    late = Version(1, 10_000, date(2025, 2, 3), starts, ends, 3, "equal_months")
    assert schedule([late]) == {january + 1: Due(6_667, 3_333), january + 2: Due(3_333)}
    # 1,800.00 over 1,500 : 500 is 1,350.00 and 450.00.
    assert allocated_shifts({1: 120_000, 2: 60_000}, {1: 150_000, 2: 50_000}) == {1: 15_000, 2: -15_000}
