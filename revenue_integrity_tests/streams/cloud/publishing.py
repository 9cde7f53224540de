"""What tests of publishing in parts share: costs of account-days put into a warehouse as the stages leave them, and published.

Does not belong here: computing costs (``cloud.world``).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity.computing.publication import publish_month
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.schemas import ACCOUNT_SERVICE_DAY, CLOUD_MONTH, DAILY_ACCOUNT_COST
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity.warehouse import catalog, database
from revenue_integrity.warehouse.storage import Sliced, Written, write_partition
from revenue_integrity_tests.support import MARCH

TABLES = (ACCOUNT_SERVICE_DAY, CLOUD_MONTH, DAILY_ACCOUNT_COST)

STREAM: Stream = replace(
    CLOUD,
    rules=tuple(rule for rule in CLOUD.rules if rule.table in TABLES),
    signed=(),
    ledgers=(),
    before_publish=None,
    after_publish=None,
)
"""The cloud stream with the three tables that these tests fill, and nothing that happens around a publication."""

Costs = Mapping[tuple[str, str, str], str]
"""Cost of each (tenant, account, day)."""

COSTS: Costs = {
    ("ACME", "A-1", "2025-03-01"): "10.25",
    ("ACME", "A-2", "2025-03-01"): "0.000000000001",
    ("ACME", "A-1", "2025-03-02"): "3",
    ("ZETA", "Z-1", "2025-03-01"): "7",
    ("ZETA", "Z-1", "2025-03-03"): "-2.5",
}


def fill(settings: Settings, costs: Costs, month: date = MARCH) -> None:
    """Put costs into the warehouse, and on record, as the stages do."""
    days = pd.DataFrame(
        [
            {
                "month": pd.Timestamp(month),
                "tenant_id": tenant,
                "account_id": account,
                "usage_date": pd.Timestamp(day),
                "total_cost": Decimal(cost),
                "event_count": 2,
                "data_complete": True,
                "published_at": None,
            }
            for (tenant, account, day), cost in costs.items()
        ],
        columns=DAILY_ACCOUNT_COST.columns,
    )
    days = days.assign(
        month=pd.to_datetime(days["month"]).dt.as_unit("us"),
        usage_date=pd.to_datetime(days["usage_date"]).dt.as_unit("us"),
        event_count=days["event_count"].astype("int64"),
        data_complete=days["data_complete"].astype(bool),
        published_at=pd.to_datetime(days["published_at"], utc=True).dt.as_unit("us"),
    )
    services = days.assign(service_name="Compute", effective_cost=None)
    accounts = days.groupby(["month", "tenant_id", "account_id"], as_index=False).agg(
        total_cost=("total_cost", "sum"), event_count=("event_count", "sum"), days=("usage_date", "count")
    )
    names = {"service_name": "Compute", "account_name": "unknown", "billing_owner": "unknown", "service_category": "unknown"}
    accounts = accounts.assign(**names, effective_cost=None)
    with database.connect(settings) as connection:
        for table, rows in ((DAILY_ACCOUNT_COST, days), (ACCOUNT_SERVICE_DAY, services), (CLOUD_MONTH, accounts)):
            connection.begin()
            every_day = Sliced([month + timedelta(days=day) for day in range(31)], {}) if table.slice_column else None
            written = write_partition(connection, table, month, rows[table.columns], every_day)
            _record(connection, table, month, written)
            if every_day:
                catalog.record_parts(connection, table, every_day.days, written.parts)
            connection.commit()
        catalog.refresh(connection, settings)


def _record(connection: Any, table: Table, month: date, written: Written) -> None:
    catalog.record(
        connection,
        table,
        month,
        made_from="f",
        content_hash=written.content_hash,
        rows=written.rows,
        code_version="v1",
        settings={},
        inputs={},
        slices=written.slices,
    )


def publish(settings: Settings, stream: Stream = STREAM, month: date = MARCH) -> tuple[dict[str, str], int]:
    """Publish a month as the last asset of its stream does."""
    return publish_month(settings, stream, stream.published_tables, month, [])
