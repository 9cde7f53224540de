"""Events that are withdrawn by their key alone: on which day that counts, whatever comes first.

Of a row that withdraws an event only its id, account and instant must be filled.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity_tests.streams.cloud.support import Cloud, event

ONE, TWO, THREE = "20250306T000000Z", "20250307T000000Z", "20250308T000000Z"

EMPTY = {"service_name": "", "region": "", "pricing_model": "", "usage_date": "", "cost": "", "currency": ""}


def ends(event_id: str, hour: int = 20, **more: object) -> Mapping[str, str]:
    """Return the row that withdraws an event, with its key alone."""
    return event(event_id, **(EMPTY | {"is_deleted": "true", "ingested_at": f"2025-03-05T{hour:02}:00:00Z"} | more))


def version(event_id: str, cost: object, day: str = "2025-03-05", hour: int = 12, **more: object) -> Mapping[str, str]:
    """Return a version of an event."""
    return event(event_id, cost, day, ingested_at=f"2025-03-05T{hour:02}:00:00Z", **more)


def counted(cloud: Cloud) -> dict[str, tuple[int, int, int]]:
    """Return rows in file, loaded and refused of each batch."""
    found = cloud.rows("select batch_id, rows_in_file, rows_loaded, rows_quarantined from meta.batches order by batch_id")
    return {batch[-16:]: tuple(counts) for batch, *counts in found}  # type: ignore[misc]  # three of them


def rows_by_day(cloud: Cloud) -> list[tuple[str, int]]:
    """Return the rows that the store has on each day."""
    found = cloud.rows("select usage_date::varchar, sum(row_count)::bigint from cloud_events.days group by all order by all")
    return [(day, rows) for day, rows in found]


@pytest.mark.parametrize("form", ["events first", "withdrawal first", "together"])
def test_event_ends_on_its_day_whichever_comes_first(tmp_path: Path, form: str) -> None:
    cloud = Cloud(tmp_path)
    if form == "together":
        cloud.events(ONE, version("E", 7), ends("E"), version("F", 2)).run()
    elif form == "events first":
        cloud.events(ONE, version("E", 7), version("F", 2)).run()
        assert cloud.days() == {("A-1", "2025-03-05"): 9}
        done = cloud.events(TWO, ends("E")).run()
        assert {day for days in done.values() for day in days} == {"2025-03-05"}
    else:
        cloud.events(ONE, ends("E")).run()
        assert rows_by_day(cloud) == []
        assert counted(cloud) == {ONE: (1, 1, 0)}, "it waits for its event, and is not lost meanwhile"
        cloud.events(TWO, version("E", 7), version("F", 2)).run()
    assert cloud.days() == {("A-1", "2025-03-05"): 2}
    assert sorted(outcome for *_, outcome in cloud.outcomes()) == ["deleted", "deleted"]
    assert rows_by_day(cloud) == [("2025-03-05", 3)]
    assert sum(refused for *_, refused in counted(cloud).values()) == 0


def test_it_has_the_day_of_the_version_that_it_ends(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path).events(ONE, version("E", 7), version("E", 7, "2025-03-04", hour=13), ends("E"))
    cloud.run()
    assert rows_by_day(cloud) == [("2025-03-04", 2), ("2025-03-05", 1)]
    # A version that comes late and stood before it moves it, and both days are made again.
    done = cloud.events(TWO, version("E", 8, "2025-03-03", hour=14)).run()
    assert rows_by_day(cloud) == [("2025-03-03", 2), ("2025-03-04", 1), ("2025-03-05", 1)]
    assert {"2025-03-03", "2025-03-04"} <= {day for days in done.values() for day in days}
    assert cloud.days() == {}


def test_later_version_brings_the_event_back(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path).events(ONE, version("E", 7)).events(TWO, ends("E"))
    cloud.events(THREE, version("E", 7, hour=22)).run()
    assert cloud.days() == {("A-1", "2025-03-05"): 7}
    assert [outcome for *_, outcome in cloud.outcomes()] == ["superseded", "superseded"]


def test_the_same_withdrawal_twice_is_a_duplicate(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path).events(ONE, version("E", 7), ends("E")).events(TWO, ends("E"))
    cloud.run()
    assert [outcome for *_, outcome in cloud.outcomes()] == ["deleted", "deleted", "duplicate"]
    # As with a day that is filled: another content, so it is a version.
    cloud.events(THREE, ends("E", usage_date="2025-03-05")).run()
    assert [outcome for *_, outcome in cloud.outcomes()] == ["deleted", "deleted", "duplicate", "deleted"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account_id": ""}, "account_id is empty"),
        ({"event_id": ""}, "event_id is empty"),
        ({"ingested_at": ""}, "ingested_at is empty"),
        ({"is_deleted": "perhaps"}, "service_name is empty"),
        ({"is_deleted": "0"}, "usage_date is empty"),
        ({"cost": "x"}, "cost 'x'"),
        ({"currency": "EUR"}, "currency is EUR"),
    ],
)
def test_what_is_missing_or_wrong_beside_is_refused(tmp_path: Path, change: dict[str, str], reason: str) -> None:
    cloud = Cloud(tmp_path).events(ONE, version("E", 7), ends("E") | change)
    cloud.run()
    ((_, row, said),) = cloud.quarantine()
    assert row == 2
    assert reason in said
    assert cloud.days() == {("A-1", "2025-03-05"): 7}


def test_withdrawal_inside_the_window_counts_although_an_older_version_is_set_aside(tmp_path: Path) -> None:
    """The window is ten days: the move to 1 March of a delivery of 1 April is beyond it, the withdrawal is not."""
    cloud = Cloud(tmp_path, cloud_lookback_days=10)
    cloud.events("20250302T000000Z", event("OTHER", 1, "2025-03-01"))
    cloud.events("20250331T000000Z", event("E", 9, "2025-03-30", ingested_at="2025-03-31T00:00:00Z"))
    cloud.events("20250401T000000Z", event("E", 9, "2025-03-01", ingested_at="2025-04-01T00:00:00Z"))
    cloud.run()
    assert cloud.days() == {("A-1", "2025-03-01"): 1, ("A-1", "2025-03-30"): 9}
    assert cloud.set_aside() == (1, Decimal(9))
    cloud.events("20250402T000000Z", ends("E", ingested_at="2025-04-02T00:00:00Z")).run()
    assert cloud.days() == {("A-1", "2025-03-01"): 1}
    assert cloud.set_aside() == (1, Decimal(9)), "what was set aside stays so"
    # A correction of what is near goes the same way, and one of what is far is set aside whole.
    cloud.events("20250403T000000Z", event("E", 5, "2025-03-31", ingested_at="2025-04-03T00:00:00Z")).run()
    assert cloud.days() == {("A-1", "2025-03-01"): 1, ("A-1", "2025-03-31"): 5}
    cloud.events("20250404T000000Z", ends("OTHER", ingested_at="2025-04-04T00:00:00Z")).run()
    assert cloud.days() == {("A-1", "2025-03-01"): 1, ("A-1", "2025-03-31"): 5}
