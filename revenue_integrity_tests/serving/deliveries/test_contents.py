"""What there is to deliver: signed versions instead of what is published, one tenant's rows, what belongs to no month."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from revenue_integrity.canonical import sha256_of
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Ledger
from revenue_integrity.model import table as column
from revenue_integrity.model.dataset import Composed
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.model.table import Table, table
from revenue_integrity.serving.deliveries import contents
from revenue_integrity.serving.deliveries.delivering import deliver
from revenue_integrity.serving.deliveries.shape import shape_of
from revenue_integrity.serving.deliveries.verifying import verify
from revenue_integrity.streams.registry import deployment_of, load_settings
from revenue_integrity.streams.sales.schemas import FACT
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.hashing import canonical_digest
from revenue_integrity.warehouse.storage import arrow_schema
from revenue_integrity_tests.serving.deliveries.support import FEBRUARY, JANUARY, TRIPS, asked, delivery, home_of, put, trip

COSTS = table(
    "boats",
    "mart",
    "costs",
    "Costs, one row per tenant and item.",
    ("month", "tenant_id", "item"),
    [column.month(), column.text("tenant_id", "The tenant."), column.text("item", "Item."), column.money("cost_cents", "Cost.")],
)


def signed(home: Deployment, version: int) -> None:
    """Freeze what is published of a month as a signed version, as an approval would."""
    said: dict[str, Any] = {"as_of": "", "batches": [], "settings_hash": "", "code_version": "", "checks": []}
    with Ledger(home.settings).locked() as ledger:
        entry = ledger.append(
            month=JANUARY, version=version, action=Action.APPROVE, actor="ann", content_hash=f"c{version}", book="boats", **said
        )
    files = {"trips": publish.file_of(home.settings, "trips", JANUARY)}
    freeze.stage(home.settings, files, "boats", JANUARY, version, {"content_hash": f"c{version}"})
    freeze.finish(home.settings, entry)


def test_signed_deliveries_bring_the_latest_signed_version_whatever_is_published(tmp_path: Path) -> None:
    home, to = home_of(tmp_path, TRIPS), delivery(when="signed")
    put(home, JANUARY, [trip(JANUARY, "T-1", 1000)])
    put(home, FEBRUARY, [trip(FEBRUARY, "T-3", 700)])
    assert list(deliver(home, to)) == []
    signed(home, 1)
    put(home, JANUARY, [trip(JANUARY, "T-1", 2000)])
    assert [each.named for each in deliver(home, to)] == ["trips 2025-01"]
    assert asked("select fare from gold.trips") == [(Decimal("10.00"),)]
    assert asked("select version from gold.revenue_integrity_deliveries") == [(1,)]
    assert list(deliver(home, to)) == []
    assert list(verify(home, to)) == [None]
    signed(home, 2)
    assert [each.named for each in deliver(home, to)] == ["trips 2025-01"]
    assert asked("select fare, version from gold.trips, gold.revenue_integrity_deliveries") == [(Decimal("20.00"), 2)]


def put_costs(home: Deployment, costs: dict[str, int]) -> None:
    """Publish a month of costs, each tenant's as a part of its own."""
    hashes = {}
    with publish.verifying() as connection:
        for tenant, cents in costs.items():
            row = {"month": JANUARY, "tenant_id": tenant, "item": "fuel", "cost_cents": cents}
            rows = pa.Table.from_pylist([row], schema=arrow_schema(COSTS))
            connection.register("given", rows)
            part = publish.part_of(COSTS, JANUARY, (tenant,))
            hashes[part] = canonical_digest(connection, COSTS, "given")
            file = home.settings.published_path / "costs" / part / "data.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            publish.write_rows(file, rows, publish.Facts("costs", part, 1, hashes[part], "", ""))
    parts = {"costs": publish.Parts(hashes, {})}
    publish.close_month(home.settings, "boats", JANUARY, {"costs": sha256_of(hashes)}, {}, as_of="", parts=parts)


def test_a_tenants_delivery_has_its_rows_alone_and_is_due_when_these_change(tmp_path: Path) -> None:
    home, to = home_of(tmp_path, TRIPS, COSTS), delivery(select={}, tenant="acme")
    put_costs(home, {"ACME": 500, "OTHER": 900})
    assert [each.named for each in deliver(home, to)] == ["costs 2025-01"]
    assert asked("select tenant_id, cost from gold.costs") == [("ACME", Decimal("5.00"))]
    assert asked("select table_name from information_schema.tables where table_schema = 'gold' order by 1") == [
        ("costs",),
        ("revenue_integrity_deliveries",),
    ]
    put_costs(home, {"ACME": 500, "OTHER": 901})
    assert list(deliver(home, to)) == []
    assert list(verify(home, to)) == [None]
    put_costs(home, {"ACME": 501, "OTHER": 901})
    assert [each.named for each in deliver(home, to)] == ["costs 2025-01"]
    put_costs(home, {"OTHER": 901})
    list(deliver(home, to))
    assert asked("select count(*) from gold.costs") == [(0,)]


def test_what_belongs_to_no_month_comes_whole_and_first(tmp_path: Path) -> None:
    home = home_of(tmp_path, TRIPS)
    ports = table("boats", "gold", "ports", "Ports.", ("port",), [column.text("port", "The port.")], partition="")
    whole = Stream("boats", (), (), (), ledgers=(TRIPS,), whole=(Rule(ports, lambda: None, ()),))
    home = Deployment(home.settings, Streams.of(whole))
    put(home, JANUARY, [trip(JANUARY, "T-1", 1)])
    for name in ("Genoa", "Bari"):
        publish_whole(home, ports, [{"port": name}])
        first, *_ = [each.named for each in deliver(home, delivery(select={}))]
        assert first == "ports"
        assert asked("select port from gold.ports") == [(name,)]
    assert asked("select month::text from gold.revenue_integrity_deliveries where dataset = 'ports'") == [("0001-01-01",)]
    assert list(deliver(home, delivery(select={}))) == []
    assert list(verify(home, delivery(select={}))) == [None, None]


def test_what_is_put_together_of_a_manifest_is_due_when_that_changes(tmp_path: Path) -> None:
    ports = table("boats", "gold", "ports", "Ports.", ("port",), [column.text("port", "The port.")], partition="")
    lengths = [column.text("port", "The port."), column.integer("letters", "Letters of its name.")]
    measured = table("boats", "gold", "measured", "Ports with their length.", ("port",), lengths, partition="")

    def measure(_: Any, *, ports: pd.DataFrame) -> pd.DataFrame:
        return ports.assign(letters=ports["port"].str.len())

    put_together = Stream(
        "boats", (), (), (), whole=(Rule(ports, lambda: None, ()),), composed=(Composed(measured, measure, (ports,)),)
    )
    home = Deployment(home_of(tmp_path).settings, Streams.of(put_together))
    to = delivery(select={"datasets": ["measured"]})
    assert list(deliver(home, to)) == []
    publish_whole(home, ports, [{"port": "Genoa"}])
    assert [each.named for each in deliver(home, to)] == ["measured"]
    assert list(deliver(home, to)) == []
    publish_whole(home, ports, [{"port": "Bari"}])
    assert [each.named for each in deliver(home, to)] == ["measured"]
    assert asked("select port, letters from gold.measured") == [("Bari", 4)]
    assert list(verify(home, to)) == [None]


def publish_whole(home: Deployment, declared: Table, rows: list[dict[str, Any]]) -> None:
    found = pa.Table.from_pylist(rows, schema=arrow_schema(declared))
    with publish.verifying() as connection:
        connection.register("given", found)
        digest = canonical_digest(connection, declared, "given")
    facts: dict[str, Any] = {"as_of": "", "code_version": "", "batches": [], "checks": []}
    publish.publish(home.settings, declared, None, found, content_hash=digest, **facts)


def test_facts_of_sales_have_the_indexes_that_readers_look_by(tmp_path: Path) -> None:
    home = home_of(tmp_path, FACT)
    put(home, JANUARY, [], FACT)
    list(deliver(home, delivery(select={"datasets": ["fact_sales"]})))
    found = asked("select indexdef from pg_indexes where tablename = 'fact_sales'")
    columns = {each.rpartition("(")[2].rstrip(")") for (each,) in found}
    assert columns == {
        "month, transaction_id, line_no",
        "date_key",
        "customer_key",
        "product_key",
        "region_key",
        "category_key",
        "region_key, date_key",
        "transaction_id",
    }


@pytest.mark.parametrize("money", ["units", "cents"])
def test_every_dataset_of_every_stream_can_be_delivered(tmp_path: Path, money: str) -> None:
    home = deployment_of(load_settings(home=tmp_path))
    to = delivery(select={}, money=money)
    shapes = [shape_of(each, to.money, "USD") for each in contents.tables_of(home, to)]
    assert len(shapes) > 80
    for shape in shapes:
        assert len({*shape.names}) == len(shape.names), shape.dataset
        assert all(column.name for column in shape.columns)
