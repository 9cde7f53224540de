"""What stands in no file and is delivered all the same: events and look-ups of the store, FOCUS rows of what is published."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.computing.publication import publish_month
from revenue_integrity.errors import PublishError
from revenue_integrity.landing import ingest as landing
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.serving.deliveries import contents, database, postgres
from revenue_integrity.serving.deliveries.delivering import deliver
from revenue_integrity.serving.deliveries.rebuilding import rebuild
from revenue_integrity.serving.deliveries.verifying import verify
from revenue_integrity.streams.cloud import completeness
from revenue_integrity.streams.cloud.sources import SOURCES
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity.warehouse import catalog, publish
from revenue_integrity.warehouse.database import connect
from revenue_integrity_tests.serving.deliveries.support import asked, delivery
from revenue_integrity_tests.serving.deliveries.test_round_trip import StagedPostgres
from revenue_integrity_tests.streams.cloud.support import STAGES, Cloud, csv_bytes, event
from revenue_integrity_tests.streams.cloud.world import DEFAULTS
from revenue_integrity_tests.support import MARCH

FIRST, SECOND = "20250310T000000Z", "20250320T000000Z"
STREAM = replace(CLOUD, rules=STAGES, signed=(), ledgers=(), before_publish=None, after_publish=None)
EVERYTHING = delivery(select={})
OUT_OF_THE_STORE = {"datasets": ["cloud_events", "cloud_dim_account", "focus_1_2"]}
TO = delivery(select=OUT_OF_THE_STORE)
EVENTS = [event("E-1", "10.000000000000000001"), event("E-2", "5", "2025-03-06"), event("Z-1", "3", tenant_id="T-2")]


def arrived(home: Path, arrival: str, rows: list[dict[str, str]]) -> Deployment:
    """Land events, bring the home up to date with them, and publish March."""
    cloud = Cloud(home)
    cloud.put("billing_events", arrival, csv_bytes(rows))
    with connect(cloud.settings) as connection:
        cloud.connection = connection
        landing.ingest(connection, cloud.settings.landing_path, SOURCES, cloud.settings)
        completeness.refresh(connection, cloud.settings)
        catalog.refresh(connection, cloud.settings)
        cloud.compute()
        catalog.refresh(connection, cloud.settings)
    publish_month(cloud.settings, STREAM, STREAM.published_tables, MARCH, [])
    return Deployment(cloud.settings, Streams.of(STREAM))


@pytest.fixture
def home(tmp_path: Path) -> Deployment:
    """March with two events of one tenant and one of another, and the name of an account."""
    Cloud(tmp_path).put("accounts", FIRST, csv_bytes([DEFAULTS["accounts"]]))
    return arrived(tmp_path, FIRST, EVENTS)


def sent(home: Deployment, **how: Any) -> list[str]:
    return [each.named for each in deliver(home, TO, **how)]


def events() -> list[tuple[Any, ...]]:
    return asked("select event_id, tenant_id, cost, versions from gold.cloud_events order by 1")


def test_events_look_ups_and_focus_rows_are_brought_and_brought_again_where_their_inputs_are_others(
    home: Deployment, tmp_path: Path
) -> None:
    assert sent(home) == ["focus_1_2", "cloud_dim_account", "cloud_events 2025-03"]
    assert events() == [
        ("E-1", "T-1", Decimal("10.000000000000000001"), 1),
        ("E-2", "T-1", Decimal(5), 1),
        ("Z-1", "T-2", Decimal(3), 1),
    ]
    assert asked("select account_id, account_name from gold.cloud_dim_account") == [("A-1", "One")]
    assert asked('select "SubAccountId", "BilledCost", "PricingQuantity" from gold.focus_1_2 order by 2') == [
        ("A-1", Decimal(3), 1),
        ("A-1", Decimal(5), 1),
        ("A-1", Decimal("10.000000000000000001"), 1),
    ]
    assert sent(home) == []
    assert list(verify(home, TO)) == [None, None, None]
    again = arrived(tmp_path, SECOND, [event("E-1", "7", ingested_at="2025-03-19T00:00:00Z")])
    assert sent(again) == ["focus_1_2", "cloud_events 2025-03"]
    assert [row for row in events() if row[1] == "T-1"] == [("E-1", "T-1", Decimal(7), 2), ("E-2", "T-1", Decimal(5), 1)]
    assert asked('select sum("BilledCost") from gold.focus_1_2') == [(Decimal(15),)]
    assert list(verify(again, TO)) == [None, None, None]
    asked("update gold.cloud_events set cost = 8 where event_id = 'E-1'")
    assert [each.what for each in verify(again, TO) if each] == [
        "cost adds up to 16.000000000000000000 there, 15.000000000000000000 delivered"
    ]
    assert not [*(home.settings.home / "tmp").iterdir()]


def test_they_are_brought_by_default(home: Deployment) -> None:
    names = {each.dataset for each in deliver(home, EVERYTHING)}
    assert names >= {"cloud_events", "cloud_dim_account", "focus_1_2", "account_service_day"}


@pytest.mark.parametrize("staged", [False, True], ids=["copied", "staged"])
def test_events_go_some_at_once_and_never_as_a_whole(home: Deployment, monkeypatch: pytest.MonkeyPatch, staged: bool) -> None:
    seen: list[int] = []
    if staged:
        monkeypatch.setattr(database, "_kind_of", lambda _: StagedPostgres())
    else:
        monkeypatch.setattr(postgres, "_ROWS_AT_ONCE", 2)
        real = postgres.text_of
        monkeypatch.setattr(postgres, "text_of", lambda lines: seen.append(len(lines)) or real(lines))
    sent(home)
    assert seen[-2:] == ([] if staged else [2, 1])
    assert len(events()) == 3
    asked("delete from gold.cloud_events")
    assert rebuild(home, TO, "cloud_events").rows == 3
    assert len(events()) == 3
    assert list(verify(home, TO)) == [None, None, None]


def test_a_tenants_delivery_has_its_events_and_its_focus_rows_alone(home: Deployment) -> None:
    list(deliver(home, delivery(select={}, tenant="t-2")))
    assert events() == [("Z-1", "T-2", Decimal(3), 1)]
    assert asked('select "BillingAccountId", "BilledCost" from gold.focus_1_2') == [("T-2", Decimal(3))]
    assert "cloud_dim_service" not in {name for (name,) in asked("select relname from pg_class where relkind = 'r'")}


def test_of_a_signed_delivery_no_events_are_a_part_and_focus_rows_only_of_what_was_signed(home: Deployment) -> None:
    to = delivery(select={}, when="signed")
    tables = {table.name for table in contents.tables_of(home, to)}
    assert "cloud_events" not in tables
    assert {"focus_1_2", "cloud_dim_account"} <= tables
    brought: Mapping[str, Any] = {each.dataset: each for each in deliver(home, to)}
    assert "cloud_dim_account" in brought
    # Nothing was signed yet.
    assert "focus_1_2" not in brought


def test_what_the_store_holds_meanwhile_is_not_brought_under_the_hash_of_what_it_held(home: Deployment, tmp_path: Path) -> None:
    (found,) = [each for each in contents.contents(home, TO) if each.table.name == "cloud_events"]
    arrived(tmp_path, SECOND, [event("E-3", "1")])
    with publish.verifying() as work, pytest.raises(PublishError, match="published anew"), found.opened(work):
        pass
