"""The window that bounds what is recomputed by itself: what lies beyond is kept aside whole, and counts once asked for.

A window of 10 days. A batch that arrives on 1 April at midnight looks back to 22 March: a row of the 22nd is inside, one of the
21st beyond.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity.warehouse.engine import DuckDBEngine
from revenue_integrity_tests.streams.cloud.support import DAILY, OUTCOMES, SERVICES, STAGES, Cloud, charge, event, total

IN_TIME, LATE, LATER = "20250323T000000Z", "20250401T000000Z", "20250402T000000Z"

TEN, ELEVEN, TWELVE = "2025-03-20T10:00:00Z", "2025-04-01T11:00:00Z", "2025-04-02T12:00:00Z"

INSIDE, BEYOND = "2025-03-22", "2025-03-21"


def account(day: str) -> tuple[str, str]:
    """Return the key of the account's day."""
    return "A-1", day


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Return a home whose window is ten days, with an event inside of it and one beyond, both delivered in time."""
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events(IN_TIME, event("IN", 1, INSIDE, ingested_at=TEN), event("OUT", 2, BEYOND, ingested_at=TEN)).run()
    assert cloud.days() == {account(BEYOND): 2, account(INSIDE): 1}
    return cloud


def read_rows(cloud: Cloud) -> int:
    """Return the rows of all files."""
    ((rows,),) = cloud.rows("select sum(row_count) from cloud_events.files")
    return int(rows)


def test_new_event_beyond_the_window_is_set_aside_with_its_cost(cloud: Cloud) -> None:
    before = cloud.hashes()
    done = cloud.events(LATE, event("LATE-IN", 10, INSIDE), event("LATE-OUT", 20, BEYOND), event("LATE-OUT-2", 40, BEYOND)).run()
    assert cloud.days() == {account(BEYOND): 2, account(INSIDE): 11}
    assert cloud.set_aside() == (2, 60)
    assert "2025-03-21" not in done.get(DAILY, [])
    assert cloud.hashes()[DAILY, BEYOND] == before[DAILY, BEYOND]
    assert read_rows(cloud) == len(cloud.survivors()) + len(cloud.outcomes()) + 2, "nothing is lost"


def test_human_asks_for_the_month_and_it_counts(cloud: Cloud) -> None:
    cloud.events(LATE, event("LATE-OUT", 20, BEYOND)).run()
    assert not cloud.admit("2025-02")
    assert cloud.admit("2025-03")
    assert cloud.compute()[DAILY] == [BEYOND]
    assert cloud.days() == {account(BEYOND): 22, account(INSIDE): 1}
    assert cloud.set_aside() == (0, 0)
    assert not cloud.admit("2025-03"), "once is enough"
    # What comes after that is set aside again.
    cloud.events(LATER, event("LATER-OUT", 50, BEYOND)).run()
    assert cloud.set_aside() == (1, 50)
    assert cloud.days()[account(BEYOND)] == 22


def test_correction_and_tombstone_beyond_the_window_change_nothing_by_themselves(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events(IN_TIME, event("OUT", 2, BEYOND, ingested_at=TEN), event("GONE", 4, BEYOND, ingested_at=TEN)).run()
    before = cloud.hashes()
    tombstone = event("GONE", 4, BEYOND, ingested_at=ELEVEN, is_deleted="true")
    cloud.events(LATE, event("OUT", 20, BEYOND, ingested_at=ELEVEN), tombstone).run()
    assert (cloud.days(), cloud.set_aside()) == ({account(BEYOND): 6}, (2, 24))
    assert cloud.hashes() == before
    cloud.admit("2025-03")
    cloud.compute()
    assert cloud.days() == {account(BEYOND): 20}
    assert cloud.outcomes() == [
        ("GONE", IN_TIME, 2, "deleted"),
        ("GONE", LATE, 2, "deleted"),
        ("OUT", IN_TIME, 1, "superseded"),
    ]


@pytest.mark.parametrize(("first", "second"), [(INSIDE, BEYOND), (BEYOND, INSIDE)])
def test_move_across_the_edge_is_never_half_applied(tmp_path: Path, first: str, second: str) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events(IN_TIME, event("M", 8, first, ingested_at=TEN), event("STAYS", 1, BEYOND), event("STAYS-2", 1, INSIDE)).run()
    before = cloud.hashes()
    cloud.events(LATE, event("M", 9, second, ingested_at=ELEVEN)).run()
    assert cloud.days() == {account(first): 9, account(second): 1}, "the old version counts, and it alone"
    assert cloud.set_aside() == (1, 9)
    assert {key: found for key, found in cloud.hashes().items() if key[0] != OUTCOMES and key[0] != DAILY} == {
        key: found for key, found in before.items() if key[0] != OUTCOMES and key[0] != DAILY
    }
    assert total(row["cost"] for row in cloud.survivors()) == 10
    cloud.admit("2025-03")
    cloud.compute()
    assert cloud.days() == {account(second): 10, account(first): 1}
    assert cloud.set_aside() == (0, 0)


def test_move_from_beyond_into_another_month_is_admitted_by_the_month_that_it_leaves(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events(IN_TIME, event("M", 8, BEYOND, ingested_at=TEN)).run()
    cloud.events(LATE, event("M", 9, "2025-04-01", ingested_at=ELEVEN)).run()
    assert (cloud.days(), cloud.set_aside()) == ({account(BEYOND): 8}, (1, 9))
    # April's run would otherwise take a cost out of March that nobody asked to change.
    cloud.admit("2025-03")
    done = cloud.compute()
    assert done[DAILY] == [BEYOND, "2025-04-01"]
    assert cloud.days() == {account("2025-04-01"): 9}


def test_version_on_top_of_one_that_is_set_aside(cloud: Cloud) -> None:
    # Moved beyond (aside), then corrected in place: the correction knows of the version beyond only as an earlier one.
    cloud.events(LATE, event("IN", 100, BEYOND, ingested_at=ELEVEN)).run()
    cloud.events(LATER, event("IN", 7, "2025-03-24", ingested_at=TWELVE)).run()
    rows = read_rows(cloud)
    aside, _ = cloud.set_aside()
    assert rows == len(cloud.survivors()) + len(cloud.outcomes()) + aside
    in_costs = total(cloud.days().values())
    assert in_costs in (Decimal(1 + 2), Decimal(7 + 2)), "one version of the event counts, whichever stands"
    cloud.admit("2025-03")
    cloud.compute()
    assert cloud.days() == {account(BEYOND): 2, account("2025-03-24"): 7}
    assert read_rows(cloud) == len(cloud.survivors()) + len(cloud.outcomes())


def test_first_load_of_history_counts(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events(LATE, event("A", 1, "2025-01-15"), event("B", 2, "2025-02-15"), event("C", 4, BEYOND)).run()
    assert cloud.days() == {account("2025-01-15"): 1, account("2025-02-15"): 2, account(BEYOND): 4}
    assert cloud.set_aside() == (0, 0)
    # February had been delivered for: what the next batch brings is a recomputation.
    cloud.events(LATER, event("D", 8, "2025-02-16")).run()
    assert cloud.set_aside() == (1, 8)


def test_order_of_ingestion_does_not_matter(tmp_path: Path) -> None:
    first = event("A", 1, "2025-02-15")
    second = event("B", 2, "2025-02-16")
    one, other = Cloud(tmp_path / "one", cloud_lookback_days=10), Cloud(tmp_path / "other", cloud_lookback_days=10)
    one.events(LATE, first).run()
    one.events(LATER, second).run()
    other.events(LATER, second).run()
    assert other.set_aside() == (0, 0), "so far nothing came before it"
    other.events(LATE, first).run()
    assert one.set_aside() == other.set_aside() == (1, 2)
    assert (one.hashes(), one.raw_slices()) == (other.hashes(), other.raw_slices())
    assert one.days() == {account("2025-02-15"): 1}


def test_edge_is_counted_in_days_from_the_arrival(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events("20250305T000000Z", event("X", 0, "2025-03-01")).run()
    # 1 April minus ten days, at any hour of the day.
    for hour, number in (("000000", 1), ("235959", 2)):
        arrival = f"20250401T{hour}Z"
        cloud.events(arrival, event(f"IN-{number}", 1, "2025-03-22"), event(f"OUT-{number}", 10, "2025-03-21"))
    cloud.run()
    assert cloud.days() == {account("2025-03-01"): 0, account("2025-03-22"): 2}
    assert cloud.set_aside() == (2, 20)


def test_export_beyond_the_window_replaces_only_the_days_inside_it(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.focus(IN_TIME, charge(1, INSIDE), charge(2, BEYOND)).run()
    cloud.focus(LATE, charge(10, INSIDE), charge(20, BEYOND)).run()
    assert cloud.days("DEFAULT") == {account(BEYOND): 2, account(INSIDE): 10}
    assert cloud.set_aside() == (1, 20)
    cloud.admit("2025-03")
    cloud.compute()
    assert cloud.days("DEFAULT") == {account(BEYOND): 20, account(INSIDE): 10}


def test_export_that_omits_a_day_beyond_the_window_keeps_it_until_asked(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.focus(IN_TIME, charge(1, INSIDE), charge(2, BEYOND)).run()
    cloud.focus(LATE, charge(10, INSIDE)).run()
    assert cloud.days("DEFAULT") == {account(BEYOND): 2, account(INSIDE): 10}
    # It has no row of the day beyond, so there is none to set aside; a human's run of the month takes the day out.
    cloud.admit("2025-03")
    cloud.compute()
    assert cloud.days("DEFAULT") == {account(INSIDE): 10}


def test_wider_window_takes_in_what_was_set_aside(cloud: Cloud) -> None:
    cloud.events(LATE, event("LATE-OUT", 20, BEYOND)).run()
    assert cloud.set_aside() == (1, 20)
    wider = Cloud(cloud.settings.home, cloud.connection, cloud_lookback_days=11)
    wider.events(LATER, event("NEW", 5, "2025-04-01")).run()
    assert wider.set_aside() == (0, 0)
    assert wider.days()[account(BEYOND)] == 22


def test_versions_within_the_first_load_of_history_count(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events(
        LATE,
        event("E", 1, "2025-01-15", ingested_at="2025-01-16T00:00:00Z"),
        event("E", 2, "2025-01-15", ingested_at="2025-01-17T00:00:00Z"),
        event("M", 4, "2025-01-15", ingested_at="2025-01-16T00:00:00Z"),
        event("M", 8, "2025-02-15", ingested_at="2025-01-17T00:00:00Z"),
        event("D", 16, "2025-01-15", ingested_at="2025-01-16T00:00:00Z"),
        event("D", 16, "2025-01-15", ingested_at="2025-01-17T00:00:00Z", is_deleted="true"),
    ).run()
    assert cloud.set_aside() == (0, 0)
    assert cloud.days() == {account("2025-01-15"): 2, account("2025-02-15"): 8}


def test_what_is_set_aside_by_now_is_not_taken_off_however_old_the_outcomes_are(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_lookback_days=30)
    for arrival in (IN_TIME, LATE):
        cloud.events(arrival, event("E", 2, BEYOND, ingested_at=TEN))
    cloud.run()
    assert cloud.outcomes() == [("E", LATE, 1, "duplicate")]
    # A narrower window sets the second delivery aside; stage 2 is computed before stage 1 knows.
    cloud.settings = cloud.settings.model_copy(update={"cloud_lookback_days": 10})
    cloud.ingest()
    assert cloud.set_aside() == (1, 2)
    (rule,) = [rule for rule in STAGES if rule.table.qualified == SERVICES]
    assert rule.stage is not None
    day = date.fromisoformat(BEYOND)
    query = rule.function(day.replace(day=1), cloud.settings)
    made = DuckDBEngine().run(cloud.connection, query.sql, rule.stage(cloud.connection, cloud.settings, [day]))
    assert cloud.rows(f"select total_cost, event_count from ({made.sql})") == [(2, 1)]
