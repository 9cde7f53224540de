"""Whether a tenant's day is complete: worked out from the arrivals of batches, whatever the clock says.

The day is 5 March 2025: it ends on the 6th at midnight, and its publishing cutoff is the 6th at 12:00 UTC.
"""

from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import clock
from revenue_integrity_tests.streams.cloud.support import DAILY, Cloud, at, charge, event

DURING, AT_END, BEFORE_CUTOFF, AT_CUTOFF, LATER = (
    "20250305T120000Z",
    "20250306T000000Z",
    "20250306T115959Z",
    "20250306T120000Z",
    "20250308T000000Z",
)

BOTH: dict[str, Any] = {"tenant_of_billing_account": {"B-1": "T-1"}}
"""Charges are those of the tenant of the events."""


def complete(cloud: Cloud, tenant: str = "T-1") -> dict[str, bool]:
    """Return whether each day of a tenant that anything was delivered for is complete."""
    found = "usage_date in (select usage_date from meta.cloud_complete_days where tenant_id = d.tenant_id)"
    rows = cloud.rows(f"select distinct usage_date, {found} from cloud_events.days as d where tenant_id = '{tenant}'")
    return {f"{day:%d}": is_complete for day, is_complete in rows}


def other(arrival: str, number: int, day: str = "2025-03-01", tenant: str = "T-9") -> dict[str, str]:
    """Return an event that only shows that time has passed."""
    return event(f"O-{arrival}-{number}", 1, day, tenant_id=tenant)


def test_day_is_complete_once_a_batch_arrives_at_its_cutoff(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(AT_END, event("E", 1)).run()
    assert complete(cloud) == {"05": False}, "delivered at its end, but nobody knows yet whether the cutoff has passed"
    cloud.events(BEFORE_CUTOFF, other(BEFORE_CUTOFF, 1)).run()
    assert complete(cloud) == {"05": False}
    done = cloud.events(AT_CUTOFF, other(AT_CUTOFF, 1)).run()
    assert complete(cloud) == {"05": True}, "another tenant's batch shows the time, too"
    assert "2025-03-05" in done[DAILY]


def test_cutoff_is_a_setting(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, publishing_cutoff_hour=0)
    cloud.events(AT_END, event("E", 1)).ingest()
    assert complete(cloud) == {"05": True}


def test_day_that_nobody_delivered_for_since_its_end_is_not_complete(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(DURING, event("E", 1)).events(LATER, other(LATER, 1)).ingest()
    assert complete(cloud) == {"05": False}
    # Delivering for any of its days says that the source is there.
    cloud.events("20250308T000001Z", event("F", 1, "2025-03-07")).ingest()
    assert complete(cloud) == {"05": True, "07": False}


def test_every_source_of_the_week_before_is_expected(tmp_path: Path) -> None:
    # The week before the day is 26 February to 4 March (7 days before its begin).
    cloud = Cloud(tmp_path, **BOTH)
    cloud.events("20250301T000000Z", event("E-0", 1, "2025-02-28")).focus("20250304T235959Z", charge(1, "2025-03-04"))
    cloud.events(AT_CUTOFF, event("E", 1)).ingest()
    assert complete(cloud)["05"] is False, "focus delivered the day before, and has not since"
    cloud.focus(LATER, charge(2, "2025-03-05")).ingest()
    assert complete(cloud)["05"] is True


@pytest.mark.parametrize(("arrival", "is_complete"), [("20250225T235959Z", True), ("20250226T000000Z", False)])
def test_week_begins_seven_days_before_the_day(tmp_path: Path, arrival: str, is_complete: bool) -> None:
    cloud = Cloud(tmp_path, **BOTH)
    cloud.focus(arrival, charge(1, "2025-02-20")).events(AT_CUTOFF, event("E", 1)).ingest()
    assert complete(cloud)["05"] is is_complete


def test_source_that_began_on_the_day_itself_is_not_expected_for_it(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, **BOTH)
    cloud.focus(DURING, charge(1, "2025-03-04")).events(AT_CUTOFF, event("E", 1)).ingest()
    assert complete(cloud)["05"] is True


def test_sources_can_be_named(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, **BOTH, expected_sources={"t-1": ["billing_events", "focus"]})
    cloud.events(AT_CUTOFF, event("E", 1), event("E", 1, tenant_id="T-2")).ingest()
    assert (complete(cloud), complete(cloud, "T-2")) == ({"05": False}, {"05": True}), "named for T-1 alone"
    cloud.focus(LATER, charge(1, "2025-03-05")).ingest()
    assert complete(cloud) == {"05": True}


def test_source_that_is_not_named_is_not_waited_for(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, **BOTH, expected_sources={"T-1": ["billing_events"]})
    cloud.focus("20250304T000000Z", charge(1, "2025-03-03")).events(AT_CUTOFF, event("E", 1)).ingest()
    assert complete(cloud)["05"] is True


def test_nothing_expected_is_not_complete_by_itself(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, expected_sources={"T-1": []})
    cloud.events(DURING, event("E", 1)).events(LATER, other(LATER, 1)).ingest()
    assert complete(cloud) == {"05": False}, "somebody must have delivered since the end of the day"
    cloud.events("20250308T000001Z", event("F", 1)).ingest()
    assert complete(cloud) == {"05": True}


def test_other_tenants_deliveries_are_none_of_this_one(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(DURING, event("E", 1)).events(LATER, event("E", 1, tenant_id="T-2")).ingest()
    assert (complete(cloud), complete(cloud, "T-2")) == ({"05": False}, {"05": True})


def test_only_the_days_whose_answer_changes_are_recomputed(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(AT_END, event("E", 1), event("F", 1, "2025-03-04")).run()
    before = cloud.hashes()
    done = cloud.events(LATER, event("G", 1, "2025-03-07")).run()
    # The 4th's cutoff (the 5th at noon) had passed before; the 5th's passes now; the 7th is new.
    assert complete(cloud) == {"04": True, "05": True, "07": False}
    assert done[DAILY] == ["2025-03-05", "2025-03-07"]
    assert cloud.rows(f"select day(usage_date), data_complete from {DAILY} order by all") == [(4, True), (5, True), (7, False)]
    assert cloud.hashes()[DAILY, "2025-03-04"] == before[DAILY, "2025-03-04"]
    assert cloud.hashes()[DAILY, "2025-03-05"] != before[DAILY, "2025-03-05"], "it is content"


def test_clock_has_no_part_in_it(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    with clock.held_at(at("20350101T000000Z")):
        cloud.events(AT_END, event("E", 1)).ingest()
    assert complete(cloud) == {"05": False}


def test_refused_batch_shows_no_time_and_delivers_nothing(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(AT_END, event("E", 1))
    cloud.put("billing_events", LATER, b"not,the,columns\n1,2,3\n")
    cloud.ingest()
    assert complete(cloud) == {"05": False}


def test_order_of_reading_does_not_matter(tmp_path: Path) -> None:
    homes = []
    for name, arrivals in (("one", (AT_END, AT_CUTOFF, LATER)), ("other", (LATER, AT_CUTOFF, AT_END))):
        cloud = Cloud(tmp_path / name, **BOTH)
        for arrival in arrivals:
            cloud.events(arrival, other(arrival, 1, tenant="T-1"), other(arrival, 2, "2025-03-05", "T-1")).run()
        homes.append((cloud.hashes(), cloud.raw_slices(), complete(cloud)))
    assert homes[0] == homes[1]
