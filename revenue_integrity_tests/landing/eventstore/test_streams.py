"""Two streams that append events in one home: each has its own files, versions, slices, admissions and look-back.

Figures were worked out by hand from the rows.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity.landing import tables
from revenue_integrity.landing.eventstore.tables import batches_set_aside, kept_files, logs_of
from revenue_integrity.landing.slices import touching_batches
from revenue_integrity.model.events import Events
from revenue_integrity.model.source import raw_table
from revenue_integrity.warehouse import catalog
from revenue_integrity_tests.landing.eventstore.toys import (
    CALL_LOG,
    CALLS,
    METER_READS,
    METERS,
    PHONES,
    READS,
    TOYS,
    Home,
    Toy,
    calls,
    reads,
)

FIRST, SECOND, LATE = "20250306T000000Z", "20250307T000000Z", "20250520T000000Z"

READ = reads(
    [
        ("M1", "2025-03-04", "10", "estimated"),
        ("M1", "2025-03-05", "11", "actual"),
        ("M2", "2025-03-05", "20", "estimated"),
    ]
)
CALLED = calls(
    [
        ("C1", "2025-03-04", 60, "1.50", "2025-03-04T10:00:00Z", ""),
        ("C2", "2025-03-05", 30, "0.75", "2025-03-05T10:00:00Z", ""),
        ("C3", "2025-03-05", 10, "0.25", "2025-03-05T11:00:00Z", ""),
    ]
)
LATER_READ = reads(
    [
        ("M1", "2025-03-04", "12", "actual"),  # taken by hand after it was estimated
        ("M1", "2025-03-05", "9", "estimated"),  # an estimate beats nothing that was taken by hand
        ("M2", "2025-03-05", "21", "estimated"),  # corrected
    ]
)
LATER_CALLED = calls(
    [
        ("C1", "2025-03-05", 60, "1.50", "2025-03-06T10:00:00Z", ""),  # moved to the next day
        ("C2", "2025-03-05", 30, "0.75", "2025-03-06T10:00:00Z", "true"),  # void
        ("C3", "2025-03-05", 99, "9.99", "2025-03-05T09:00:00Z", ""),  # older than what stands
    ]
)


def of_day(day: int) -> date:
    return date(2025, 3, day)


def both(home: Home) -> Home:
    """Land what comes first and later of both streams; same arrivals, same names of files, same days."""
    home.put(METERS, FIRST, *READ).put(PHONES, FIRST, *CALLED)
    return home.put(METERS, SECOND, *LATER_READ).put(PHONES, SECOND, *LATER_CALLED)


def test_each_stream_counts_as_its_declaration_says(tmp_path: Path) -> None:
    home = both(Home(tmp_path))
    home.run()
    assert home.days(METERS) == [
        ("M1", of_day(4), Decimal(12), 1),
        ("M1", of_day(5), Decimal(11), 1),
        ("M2", of_day(5), Decimal(21), 1),
    ]
    assert home.outcomes(METERS, "meter_id", "read_date", "read_type") == [
        ("M1", of_day(4), "estimated", FIRST, 1, "superseded"),
        ("M1", of_day(5), "estimated", SECOND, 2, "superseded"),
        ("M2", of_day(5), "estimated", FIRST, 3, "superseded"),
    ]
    assert home.days(PHONES) == [("HOUSE", of_day(5), Decimal(70), Decimal(175), 2)]
    assert home.outcomes(PHONES, "call_id") == [
        ("C1", FIRST, 1, "superseded"),
        ("C2", FIRST, 2, "deleted"),
        ("C2", SECOND, 2, "deleted"),
        ("C3", SECOND, 3, "superseded"),
    ]


def test_a_stream_is_in_company_what_it_is_alone(tmp_path: Path) -> None:
    together = both(Home(tmp_path / "together"))
    together.run()
    for which in TOYS:
        alone = both(Home(tmp_path / which.log.stream))
        alone.run(which)
        assert together.hashes(which) == alone.hashes(which)
        assert alone.hashes(which)


def slices_of(home: Home) -> dict[str, str]:
    return dict(catalog.read_catalog(home.settings).slices)


@pytest.mark.parametrize(("news", "other"), [(METERS, PHONES), (PHONES, METERS)], ids=["reads come", "calls come"])
def test_news_of_one_stream_files_nothing_of_the_other(tmp_path: Path, news: Toy, other: Toy) -> None:
    home = Home(tmp_path).put(METERS, FIRST, *READ).put(PHONES, FIRST, *CALLED)
    home.run()
    before = slices_of(home), home.hashes(other), home.rows(f"from {other.log.schema}.days order by all")
    home.put(news, SECOND, *(LATER_READ if news is METERS else LATER_CALLED))
    # Whoever asks first, the other stream too: it finds nothing to do.
    reports = home.ingest(other, news)
    assert [report.loaded for report in reports] == [[], [f"{news.log.stream}/rows/{SECOND}"]]
    changed = {name for name in {*before[0], *slices_of(home)} if before[0].get(name) != slices_of(home).get(name)}
    assert changed
    assert {name.partition("/")[0].partition("@")[0] for name in changed} <= {
        news.log.rows_slice,
        news.log.versions_slice,
        raw_table(news.source).name,
    }
    done = home.compute()
    assert set(done) == {news.outcomes.name, news.days.name}
    assert (home.hashes(other), home.rows(f"from {other.log.schema}.days order by all")) == before[1:]


@pytest.mark.parametrize(("admitted", "other"), [(METERS, PHONES), (PHONES, METERS)], ids=["reads", "calls"])
def test_what_is_admitted_for_one_stream_stays_when_the_other_is_read(tmp_path: Path, admitted: Toy, other: Toy) -> None:
    home = Home(tmp_path, meters_lookback_days=30)
    home.put(METERS, FIRST, *READ).put(PHONES, FIRST, *CALLED)
    home.put(METERS, LATE, *LATER_READ).put(PHONES, LATE, *LATER_CALLED)
    home.run()
    sources = {METERS: METER_READS, PHONES: CALLS}
    aside = {which: batches_set_aside(home.connection, [sources[which]]) for which in TOYS}
    assert {which: list(found) for which, found in aside.items()} == {
        which: [f"{which.log.stream}/rows/{LATE}"] for which in TOYS
    }
    assert home.admit(admitted, "2025-03")
    home.compute()
    counted = home.days(admitted)
    assert counted == both_admitted(tmp_path / "all", admitted)
    # News of the other stream, and a rebuild of it, settle it anew: nothing of what was admitted is taken back.
    home.put(other, "20250521T000000Z", *(CALLED if other is PHONES else READ))
    home.ingest(other)
    home.ingest(admitted)
    assert home.compute(admitted) == {}
    assert home.days(admitted) == counted
    assert list(batches_set_aside(home.connection, [sources[other]])) == [
        f"{other.log.stream}/rows/{LATE}",
        f"{other.log.stream}/rows/20250521T000000Z",
    ]


def both_admitted(directory: Path, which: Toy) -> list[tuple[object, ...]]:
    """Return the days of a stream in a home that sets nothing aside."""
    home = Home(directory, meters_lookback_days=400, calls_lookback_days=400)
    home.put(which, FIRST, *(READ if which is METERS else CALLED))
    home.put(which, LATE, *(LATER_READ if which is METERS else LATER_CALLED))
    home.run(which)
    return home.days(which)


def test_each_stream_has_its_own_lookback(tmp_path: Path) -> None:
    home = Home(tmp_path).put(METERS, FIRST, *READ).put(PHONES, FIRST, *CALLED)
    home.put(METERS, LATE, *LATER_READ).put(PHONES, LATE, *LATER_CALLED)
    home.run()
    assert batches_set_aside(home.connection, [METER_READS]) == {}, "400 days"
    assert list(batches_set_aside(home.connection, [CALLS])) == [f"calls/rows/{LATE}"], "30 days"


def test_building_one_stream_again_leaves_the_other_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = both(Home(tmp_path))
    home.run()
    before, files = home.hashes(), kept_files(home.connection, [CALLS])
    monkeypatch.setattr(tables, "RULES_VERSION", "another")
    (report,) = home.ingest(METERS)
    assert report.rebuilt
    assert kept_files(home.connection, [CALLS]) == files
    assert all((tmp_path / file).is_file() for file in files)
    assert home.compute() == {}
    assert home.hashes() == before
    left = {str(file.relative_to(tmp_path)) for file in (tmp_path / "events").rglob("*") if file.is_file()}
    assert left == {*files, *kept_files(home.connection, [METER_READS])}
    assert not [each for each in (tmp_path / "events").rglob("*") if each.is_dir() and not any(each.iterdir())]


def test_a_row_that_breaks_a_rule_of_its_source_is_quarantined(tmp_path: Path) -> None:
    home = Home(tmp_path)
    bad = [{**READ[0], "meter_id": "M9", "peak_kw": "0.4"}, {**READ[0], "meter_id": "", "kwh": "-1"}]
    home.put(METERS, FIRST, *READ, *bad)
    home.run(METERS)
    assert home.rows("select row_number, dq_errors from meta.quarantine order by all") == [
        (4, "kwh exceeds peak_kw × 24"),
        (5, "meter_id is empty; kwh is negative"),
    ]
    assert home.rows(f"select source, row_number, read_date from {READS.schema}.refused order by all") == [
        ("rows", 4, of_day(4)),
        ("rows", 5, of_day(4)),
    ]
    assert len(home.days(METERS)) == 3


def test_batches_of_each_stream_are_counted_with_the_months_that_they_touch(tmp_path: Path) -> None:
    home = both(Home(tmp_path))
    home.ingest()
    counts = home.rows("select batch_id, rows_in_file, rows_loaded, exact_duplicates, corrections from meta.batches order by all")
    assert counts == [
        (f"calls/rows/{FIRST}", 3, 3, 0, 1),  # what stands of C3 comes after the older one
        (f"calls/rows/{SECOND}", 3, 3, 0, 2),
        (f"meters/rows/{FIRST}", 3, 3, 0, 0),
        (f"meters/rows/{SECOND}", 3, 3, 0, 1),  # M2: only of one kind of read one corrects the other
    ]
    for source in (METER_READS, CALLS):
        touching = touching_batches(home.connection, [source])
        assert {month: [batch for batch, _ in found] for (_, month), found in touching.items()} == {
            of_day(1): [f"{source.stream}/rows/{FIRST}", f"{source.stream}/rows/{SECOND}"]
        }


def test_two_logs_of_one_name_in_a_stream_are_refused() -> None:
    other = replace(METER_READS, name="others", events=Events(replace(READS, measures=("kwh", "peak_kw"))))
    with pytest.raises(ValueError, match="another event log has the name meters_rows"):
        logs_of([METER_READS, other])
    assert list(logs_of([METER_READS, CALLS])) == [READS.schema, CALL_LOG.schema]
