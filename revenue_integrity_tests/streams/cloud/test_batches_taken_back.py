"""A wrong delivery of events or of an export is taken back: what it had replaced stands again, and only its days are stale."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.landing.withdrawals import moved
from revenue_integrity.streams.cloud.sources import EVENT_SOURCES
from revenue_integrity_tests.streams.cloud.support import Cloud, csv_bytes, event, parquet_bytes
from revenue_integrity_tests.streams.cloud.world import IN_TIME, World


def withdraw(cloud: Cloud, arrival: str, *batch_ids: str) -> None:
    """Land the withdrawal of some batches."""
    rows = [{"batch_id": batch_id, "reason": "wrong file", "withdrawn_by": "pat"} for batch_id in batch_ids]
    cloud.put("withdrawals", arrival, csv_bytes(rows))


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Return a home whose event E cost 7, then 9 in a batch that also brought F on another day, and G beside both."""
    cloud = Cloud(tmp_path)
    cloud.events("20250306T000000Z", event("E", 7, ingested_at="2025-03-06T00:00:00Z"), event("G", 1, "2025-03-07"))
    cloud.events("20250308T000000Z", event("E", 9, ingested_at="2025-03-08T00:00:00Z"), event("F", 5, "2025-03-06"))
    return cloud


def test_an_event_stands_again_as_it_was_and_days_that_the_batch_did_not_touch_are_not_computed(cloud: Cloud) -> None:
    cloud.run()
    assert cloud.days() == {("A-1", "2025-03-05"): 9, ("A-1", "2025-03-06"): 5, ("A-1", "2025-03-07"): 1}
    withdraw(cloud, "20250309T000000Z", "cloud/billing_events/20250308T000000Z")
    done = cloud.run()
    assert cloud.days() == {("A-1", "2025-03-05"): 7, ("A-1", "2025-03-07"): 1}
    assert cloud.outcomes() == []
    assert "2025-03-07" not in done["mart.daily_account_cost"]
    rows = cloud.rows(
        "select status, rows_in_file, rows_loaded from meta.batches where source = 'billing_events' order by arrival"
    )
    assert rows == [("loaded", 2, 2), ("withdrawn", 2, 0)]
    assert all(file.is_file() for file in cloud.kept_files())
    assert not any("20250308" in str(file) for file in cloud.kept_files())


def test_the_store_is_what_it_is_when_the_batch_and_its_withdrawal_are_read_at_once(cloud: Cloud, tmp_path: Path) -> None:
    cloud.run()
    withdraw(cloud, "20250309T000000Z", "cloud/billing_events/20250308T000000Z")
    cloud.run()
    never = Cloud(tmp_path / "never")
    never.events("20250306T000000Z", event("E", 7, ingested_at="2025-03-06T00:00:00Z"), event("G", 1, "2025-03-07"))
    # A delivery of the same arrival, which takes nothing back: days are complete by the arrivals of batches.
    withdraw(never, "20250309T000000Z", "cloud/billing_events/20250101T000000Z")
    never.run()
    assert cloud.hashes() == never.hashes()
    at_once = Cloud(tmp_path / "at_once")
    at_once.events("20250306T000000Z", event("E", 7, ingested_at="2025-03-06T00:00:00Z"), event("G", 1, "2025-03-07"))
    at_once.put(
        "billing_events", "20250308T000000Z", parquet_bytes([event("E", 9, ingested_at="2025-03-08T00:00:00Z")]), "e.parquet"
    )
    withdraw(at_once, "20250309T000000Z", "cloud/billing_events/20250308T000000Z")
    at_once.run()
    assert at_once.hashes() == never.hashes()


def test_an_export_that_is_taken_back_leaves_the_one_before_it_in_force(tmp_path: Path) -> None:
    taken_back = "cloud/focus/20250311T000000Z"

    def costs(home: str, *later: tuple[str, str]) -> Decimal:
        world = World(tmp_path / home)
        for arrival, cost in ((IN_TIME, "10"), ("20250311T000000Z", "99"), *later):
            world.add("focus", arrival, BilledCost=cost, ChargePeriodStart="2025-03-05T00:00:00Z")
        world.add("focus", IN_TIME, BilledCost="4", ChargePeriodStart="2025-03-06T00:00:00Z")
        world.put("withdrawals", "20250312T000000Z", "w.csv", f"batch_id,reason,withdrawn_by\n{taken_back},wrong,pat\n")
        with world.computed() as computed:
            rows: list[dict[str, Any]] = computed.rows("daily_account_cost")
            return sum((row["total_cost"] for row in rows), Decimal(0))

    assert costs("once") == 14
    assert costs("again", ("20250313T000000Z", "99")) == 99, "the same file, landed again, counts"


def test_what_would_go_is_told_before(cloud: Cloud) -> None:
    cloud.ingest()
    source = next(source for source in EVENT_SOURCES if source.name == "billing_events")
    found = moved(cloud.connection, source, "cloud/billing_events/20250308T000000Z")
    assert found[["month", "rows", "amount"]].to_numpy().tolist() == [["2025-03", 2, "cost"]]
    assert found["goes"].tolist() == [Decimal(14)]
