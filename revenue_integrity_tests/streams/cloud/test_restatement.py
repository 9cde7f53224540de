"""The ledger of restatements: every change of a published account-day has its causes, and they add up.

The store is made by hand in memory from Python rows; which of them count, and what an account-day costs, is worked out here in
Python a second time. The rows that do not count come from the stage's own SQL. The last stories go through the real store.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revenue_integrity.errors import WarehouseError
from revenue_integrity.landing.eventstore import tables as event_tables
from revenue_integrity.landing.eventstore.reading import show_rows
from revenue_integrity.landing.ingest import ingest
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import completeness, curated, restatement, schemas, sources
from revenue_integrity.streams.cloud.sources import EVENT_SOURCES, EVENTS
from revenue_integrity.warehouse import catalog, database
from revenue_integrity.warehouse.storage import ensure_table
from revenue_integrity_tests.landing.support import csv_text
from revenue_integrity_tests.streams.cloud import world as landed
from revenue_integrity_tests.support import home_of
from revenue_integrity_tests.without_dagster import bring_up_to_date

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)
D1, D2, D3 = date(2025, 1, 10), date(2025, 1, 11), date(2025, 2, 3)
START = datetime(2025, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A billing event's version, or a FOCUS row (``event`` empty)."""

    account: str
    day: date
    cost: Decimal | int | str
    event: str = ""
    deleted: bool = False
    ingested: int | None = None
    service: str = "compute"
    region: str | None = "eu"
    pricing: str = "on_demand"
    category: str | None = None
    charge_class: str | None = None
    effective: Decimal | int | None = None
    tenant: str = "T"


@dataclass
class File:
    """A file that arrived."""

    source: str
    number: int
    scope: str | None
    rows: list[Row]
    set_aside: set[date] = field(default_factory=set)

    @property
    def batch(self) -> str:
        return f"cloud/{self.source}/b{self.number}"

    @property
    def arrival(self) -> datetime:
        return START + timedelta(hours=self.number)


def event(event_id: str, account: str, day: date, cost: Decimal | int | str, **more: Any) -> Row:
    return Row(account, day, cost, event=event_id, **more)


class World:
    """A store of the cloud stream, and its publications."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"python_enable_replacements": False, "threads": 1})
        self.connection.execute("set timezone = 'UTC'; create schema meta")
        event_tables.prepare(self.connection, EVENT_SOURCES)
        # Columns that no restatement reads stay empty here.
        for table in ("files", "days", "versions"):
            self.connection.execute(f"create or replace table cloud_events.{table} as from cloud_events.{table} limit 0")
        ensure_table(self.connection, schemas.CLOUD_EVENT_OUTCOMES)
        ensure_table(self.connection, schemas.DAILY_ACCOUNT_COST)
        ensure_table(self.connection, schemas.CLOUD_RESTATEMENT)
        # What is on record of the rows that do not count.
        self.connection.execute("create table meta.partitions (table_name varchar, month date, slices json)")
        self.connection.execute("create table meta.slices (stream varchar, source varchar, month date, hash varchar)")
        of_event = ", ".join(f"{column} {sql_type}" for column, sql_type in EVENTS.types.items())
        self.connection.execute(
            "create table hand_rows (source varchar, file_no bigint, row_number bigint, batch_id varchar, arrival timestamptz,"
            f" file_name varchar, {of_event})"
        )
        described = self.connection.execute("describe cloud_events.versions").fetchall()
        self.version_columns = {name for name, *_ in described}
        self.files: list[File] = []
        self.read_files: list[int] = []

    # What arrives

    def deliver(self, *rows: Row) -> str:
        return self._add("billing_events", None, rows)

    def focus(self, *rows: Row, scope: str = "S") -> str:
        return self._add("focus", scope, rows)

    def delta(self, *rows: Row, scope: str = "S") -> str:
        return self._add("focus_delta", scope, rows)

    def _add(self, source: str, scope: str | None, rows: Iterable[Row]) -> str:
        self.files.append(File(source, len(self.files) + 1, scope, list(rows)))
        return self.files[-1].batch

    # What counts, worked out in Python

    def stands(self, file: File, day: date) -> bool:
        """Return whether a file's rows of a day stand: none is set aside, and none overwritten by a later one that is not."""
        later = [each for each in self.files if each.source == "focus" and each.scope == file.scope and each.number > file.number]
        return day not in file.set_aside and all(day in each.set_aside for each in later if file.scope is not None)

    def counting(self) -> list[Row]:
        latest: dict[tuple[str, str], tuple[tuple[int, int, int], Row]] = {}
        charges: list[Row] = []
        for file in self.files:
            for number, row in enumerate(file.rows, 1):
                if row.day in file.set_aside:
                    continue
                if file.source == "billing_events":
                    order = (row.ingested if row.ingested is not None else file.number, file.number, number)
                    key = (row.tenant, row.event)
                    if key not in latest or latest[key][0] < order:
                        latest[key] = (order, row)
                elif self.stands(file, row.day):
                    charges.append(row)
        return charges + [row for _, row in latest.values() if not row.deleted]

    def costs(self) -> dict[tuple[date, str, str], Decimal]:
        found: dict[tuple[date, str, str], Decimal] = defaultdict(Decimal)
        for row in self.counting():
            found[row.day, row.tenant, row.account] += Decimal(row.cost)
        return dict(found)

    # The store

    def load(self) -> None:
        """Put what arrived into the store's tables, and compute the stages."""
        for table in ("cloud_events.files", "cloud_events.days", "cloud_events.versions", "hand_rows", "mart.daily_account_cost"):
            self.connection.execute(f"delete from {table}")
        versions: dict[tuple[str, str], int] = defaultdict(int)
        days_of: dict[tuple[str, str], set[date]] = defaultdict(set)
        gone = set()
        for file in self.files:
            for row in file.rows:
                versions[row.tenant, row.event] += 1
                days_of[row.tenant, row.event].add(row.day)
                if row.deleted:
                    gone.add((row.tenant, row.event))
        all_rows, claims, days = [], [], []
        for file in self.files:
            lineage = {"file_no": file.number, "batch_id": file.batch, "arrival": file.arrival, "file_name": "f"}
            parts: dict[tuple[date, str], list[Decimal]] = defaultdict(list)
            for number, row in enumerate(file.rows, 1):
                ingested = START + timedelta(hours=row.ingested if row.ingested is not None else file.number)
                values = {
                    **lineage,
                    "row_number": number,
                    "tenant_id": row.tenant,
                    "event_id": row.event or None,
                    "account_id": row.account,
                    "service_name": row.service,
                    "region": row.region,
                    "pricing_model": row.pricing,
                    "usage_date": row.day,
                    "cost": Decimal(row.cost),
                    "effective_cost": None if row.effective is None else Decimal(row.effective),
                    "currency": "USD",
                    "ingested_at": ingested if row.event else None,
                    "is_deleted": row.deleted or None,
                    "charge_category": row.category,
                    "charge_class": row.charge_class,
                    "scope": file.scope,
                }
                all_rows.append({**values, "source": file.source})
                parts[row.day, row.tenant].append(Decimal(row.cost))
                if row.event and (versions[row.tenant, row.event] > 1 or (row.tenant, row.event) in gone):
                    of_version = {name: value for name, value in values.items() if name in self.version_columns}
                    claims.append({**of_version, "set_aside": row.day in file.set_aside})
            days += [
                {
                    **{name: lineage[name] for name in ("file_no", "batch_id", "arrival")},
                    "source": file.source,
                    "usage_date": day,
                    "tenant_id": tenant,
                    "scope": file.scope,
                    "row_count": len(costs),
                    "cost": sum(costs, Decimal()),
                    "is_live": self.stands(file, day),
                    "set_aside": day in file.set_aside,
                }
                for (day, tenant), costs in parts.items()
            ]
        files = [
            {
                "source": file.source,
                "file_no": file.number,
                "batch_id": file.batch,
                "arrival": file.arrival,
                "file_name": "f",
                "path": "",
                "projection": "",
                "row_count": len(file.rows),
            }
            for file in self.files
        ]
        for claim in claims:
            is_moved = len(days_of[claim["tenant_id"], claim["event_id"]]) > 1
            claim.update(is_duplicate=False, is_correction=False, is_conflict=False, is_moved=is_moved)
        self._insert("cloud_events.files", files)
        self._insert("cloud_events.days", days)
        self._insert("cloud_events.versions", claims)
        self._insert("hand_rows", all_rows)
        self._compute_outcomes()
        self._record()
        self._insert(
            "mart.daily_account_cost",
            [
                {"month": day.replace(day=1), "tenant_id": tenant, "account_id": account, "usage_date": day, "total_cost": cost}
                for (day, tenant, account), cost in self.costs().items()
            ],
        )

    def _insert(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        types = {name: kind for name, kind, *_ in self.connection.execute(f"describe {table}").fetchall()}
        arrow = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_(), "DATE": pa.date32()}
        arrow |= {"DECIMAL(38,18)": pa.decimal128(38, 18), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC")}
        schema = pa.schema([(name, arrow[types[name]]) for name in rows[0]])
        self.connection.register("hand_made", pa.Table.from_pylist(list(rows), schema=schema))
        self.connection.execute(f"insert into {table} by name select * from hand_made")
        self.connection.unregister("hand_made")

    def _compute_outcomes(self) -> None:
        fields = "account_id, service_name, coalesce(region, '-'), pricing_model, usage_date, cost, ingested_at, is_deleted"
        self.connection.execute(f"""
            create or replace temp view versions as
            select *, concat_ws('|', {fields}) as content from cloud_events.versions where not set_aside
        """)
        self.connection.execute("create or replace temp view days as select distinct usage_date from cloud_events.versions")
        query = curated.RULES[0].function(JANUARY, None)
        self.connection.execute("delete from curated.cloud_event_outcomes")
        self.connection.execute(f"insert into curated.cloud_event_outcomes by name {query.sql}")

    def _record(self) -> None:
        """Put on record what tells the outcomes of each day and the versions on it."""
        self.connection.execute("""
            delete from meta.partitions;
            insert into meta.partitions
            select 'curated.cloud_event_outcomes', month, json_group_object(usage_date, hash)
            from (
                select
                    month, usage_date,
                    md5(string_agg(batch_id || row_number || outcome, ' ' order by batch_id, row_number)) as hash
                from curated.cloud_event_outcomes group by all
            )
            group by month;
            delete from meta.slices;
            insert into meta.slices
            select
                'cloud', 'cloud_events_versions/' || usage_date, date_trunc('month', usage_date),
                md5(string_agg(batch_id || row_number || set_aside, ' ' order by batch_id, row_number))
            from cloud_events.versions group by usage_date
        """)

    # Publications

    def rows(self, days: Sequence[date], files: Sequence[int] | None) -> None:
        self.read_files += files or []
        listed = ", ".join(f"date '{day}'" for day in days)
        only = "" if files is None else f"and file_no in ({', '.join(map(str, files))})"
        self.connection.execute(
            f"create or replace temp view event_rows as select * from hand_rows where usage_date in ({listed}) {only}"
        )

    def before(self, month: date = JANUARY) -> None:
        self.read_files = []
        self.load()
        restatement.record_changes(self.connection, month, self.rows)

    def after(self, month: date = JANUARY) -> None:
        restatement.remember_published(self.connection, month)

    def publish(self, *wanted: date) -> list[tuple[Any, ...]]:
        """Publish some months (January unless told) and return the ledger rows that this brought."""
        had = set(self.ledger())
        for month in wanted or (JANUARY,):
            self.before(month)
            self.after(month)
        return [row for row in self.ledger() if row not in had]

    def ledger(self) -> list[tuple[Any, ...]]:
        """Return the whole ledger, dates as day of the month's text, batches by number."""
        return [
            (f"{day:%m-%d}", publication, account, step, int(old), int(new), cause, int(batch.rsplit("b", 1)[1]), rows)
            for day, publication, account, step, old, new, cause, batch, rows in self.connection.execute("""
                select usage_date, publication, account_id, step, old_cost, new_cost, cause, batch_id, rows
                from mart.cloud_restatement order by usage_date, publication, tenant_id, account_id, step
            """).fetchall()
        ]


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_publication_of_a_day_restates_nothing(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    assert world.publish() == []
    world.deliver(event("e2", "A", D2, 5))
    assert world.publish() == []


def test_an_event_that_comes_late_is_late(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e2", "A", D1, 7), event("e3", "A", D1, 1), event("e4", "B", D1, 2))
    assert world.publish() == [("01-10", 2, "A", 1, 100, 108, "late", 2, 2), ("01-10", 2, "B", 1, 0, 2, "late", 2, 1)]


def test_a_home_of_an_earlier_release_restates_as_ever(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e1", "A", D1, 60))
    world.publish()
    # It did not note which rows it knew not to count.
    world.connection.execute("alter table meta.cloud_published_days drop column rows_hash")
    assert world.publish() == []
    world.deliver(event("e1", "A", D2, 60))
    assert world.publish() == [("01-10", 3, "A", 1, 60, 0, "moved", 3, 1)]


def test_nothing_changed_restates_nothing_and_reads_no_file(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    assert world.publish() == []
    assert world.read_files == []


def test_only_files_that_came_are_read(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e2", "A", D1, 7))
    world.publish()
    assert world.read_files == [2]


def test_a_later_version_on_the_same_day_is_a_correction(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D1, 1))
    world.publish()
    world.deliver(event("e1", "A", D1, 60))
    assert world.publish() == [("01-10", 2, "A", 1, 101, 61, "correction", 2, 1)]


def test_a_correction_of_the_account_is_one_on_both_accounts(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e1", "B", D1, 90))
    assert world.publish() == [("01-10", 2, "A", 1, 100, 0, "correction", 2, 1), ("01-10", 2, "B", 1, 0, 90, "correction", 2, 1)]


def test_a_correction_that_arrives_twice_counts_by_the_version_that_won(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e1", "A", D1, 60))
    world.deliver(event("e1", "A", D1, 70))
    assert world.publish() == [("01-10", 2, "A", 1, 100, 70, "correction", 3, 1)]


def test_an_event_on_another_day_moved_at_both_ends(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D1, 5), event("e3", "A", D2, 1))
    world.publish()
    world.deliver(event("e1", "A", D2, 90))
    assert world.publish() == [("01-10", 2, "A", 1, 105, 5, "moved", 2, 1), ("01-11", 2, "A", 1, 1, 91, "moved", 2, 1)]


@pytest.mark.parametrize("order", [(JANUARY, FEBRUARY), (FEBRUARY, JANUARY)])
def test_an_event_moves_between_months_whichever_is_published_first(world: World, order: tuple[date, date]) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D1, 5), event("e3", "A", D3, 1))
    world.publish(JANUARY, FEBRUARY)
    world.deliver(event("e1", "A", D3, 90))
    assert world.publish(*order) == [("01-10", 2, "A", 1, 105, 5, "moved", 2, 1), ("02-03", 2, "A", 1, 1, 91, "moved", 2, 1)]
    assert world.connection.execute("select count(*) from meta.cloud_departures").fetchall() == [(0,)]


@pytest.mark.parametrize("order", [(JANUARY, FEBRUARY), (FEBRUARY, JANUARY)])
def test_an_event_moved_also_if_the_day_that_it_left_keeps_its_cost(world: World, order: tuple[date, date]) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D3, 1))
    world.publish(JANUARY, FEBRUARY)
    world.deliver(event("e1", "A", D3, 90), event("e3", "A", D1, 100))
    assert world.publish(*order) == [("02-03", 2, "A", 1, 1, 91, "moved", 2, 1)]


def test_an_event_that_moves_on_before_it_was_published_still_moved(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D3, 1))
    world.publish(JANUARY, FEBRUARY)
    world.deliver(event("e1", "A", D3, 90))
    world.publish(JANUARY)
    world.deliver(event("e1", "B", D3, 80))
    assert world.publish(FEBRUARY) == [("02-03", 2, "B", 1, 0, 80, "moved", 3, 1)]


def test_a_tombstone_is_a_deletion(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D1, 5))
    world.publish()
    world.deliver(event("e1", "A", D1, 100, deleted=True))
    assert world.publish() == [("01-10", 2, "A", 1, 105, 5, "deletion", 2, 1)]


def test_a_tombstone_of_an_event_whose_double_stays_removes_a_duplicate(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100, region=None), event("e2", "A", D1, 100, region=None))
    world.publish()
    world.deliver(event("e2", "A", D1, 100, region=None, deleted=True))
    assert world.publish() == [("01-10", 2, "A", 1, 200, 100, "duplicate_removed", 2, 1)]


@pytest.mark.parametrize("other", [{"region": "us"}, {"service": "storage"}, {"pricing": "spot"}, {"cost": 99}, {"account": "B"}])
def test_a_row_that_differs_in_anything_is_no_double(world: World, other: dict[str, Any]) -> None:
    world.deliver(event("e1", "A", D1, 100), replace(event("e2", "A", D1, 100), **other))
    world.publish()
    world.deliver(event("e1", "A", D1, 100, deleted=True))
    assert [row[6] for row in world.publish()] == ["deletion"]


def test_an_event_withdrawn_and_brought_again_is_late(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D1, 5))
    world.publish()
    world.deliver(event("e1", "A", D1, 100, deleted=True))
    world.publish()
    world.deliver(event("e1", "A", D1, 100))
    assert world.publish() == [("01-10", 3, "A", 1, 5, 105, "late", 3, 1)]


def test_an_event_whose_tombstone_came_first_changes_nothing(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100, deleted=True, ingested=50), event("e2", "A", D1, 5))
    world.publish()
    world.deliver(event("e1", "A", D1, 100, ingested=40))
    assert world.publish() == []


def test_several_causes_of_an_account_day_form_a_chain(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D1, 50), event("e3", "A", D2, 30))
    world.publish()
    world.deliver(event("e4", "A", D1, 7), event("e1", "A", D1, 90))
    world.deliver(event("e2", "A", D1, 50, deleted=True))
    world.deliver(event("e3", "A", D1, 30))
    assert world.publish() == [
        ("01-10", 2, "A", 1, 150, 140, "correction", 2, 1),
        ("01-10", 2, "A", 2, 140, 147, "late", 2, 1),
        ("01-10", 2, "A", 3, 147, 97, "deletion", 3, 1),
        ("01-10", 2, "A", 4, 97, 127, "moved", 4, 1),
        ("01-11", 2, "A", 1, 30, 0, "moved", 4, 1),
    ]


def test_changes_that_cancel_leave_no_row(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D1, 50))
    world.publish()
    world.deliver(event("e1", "A", D1, 90), event("e2", "A", D1, 60))
    assert world.publish() == []
    world.deliver(event("e3", "A", D1, 1))
    assert world.publish() == [("01-10", 2, "A", 1, 150, 151, "late", 3, 1)]


def test_an_event_that_an_admission_brings_is_late(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e2", "A", D1, 7), event("e1", "A", D1, 101))
    world.files[-1].set_aside = {D1}
    assert world.publish() == []
    world.files[-1].set_aside = set()
    assert world.publish() == [
        ("01-10", 2, "A", 1, 100, 101, "correction", 2, 1),
        ("01-10", 2, "A", 2, 101, 108, "late", 2, 1),
    ]


def charge(account: str, cost: Decimal | int | str, day: date = D1, **more: Any) -> Row:
    return Row(account, day, cost, **more)


def test_an_export_delivered_again_restates_nothing(world: World) -> None:
    world.focus(charge("A", 10), charge("A", 10), charge("B", 3))
    world.publish()
    world.focus(charge("B", 3), charge("A", 10), charge("A", 10))
    assert world.publish() == []


def test_an_export_restates_by_what_differs(world: World) -> None:
    world.focus(
        charge("A", 10), charge("A", 10), charge("A", 10), charge("B", 4), charge("B", 6), charge("C", 8), charge("C", 9, D2)
    )
    world.publish()
    world.focus(charge("A", 10), charge("B", 5), charge("B", 7), charge("D", 1, service="storage"))
    assert world.publish() == [
        ("01-10", 2, "A", 1, 30, 10, "duplicate_removed", 2, 2),
        ("01-10", 2, "B", 1, 10, 12, "correction", 2, 2),
        ("01-10", 2, "C", 1, 8, 0, "omission", 2, 1),
        ("01-10", 2, "D", 1, 0, 1, "late", 2, 1),
        # A day that the delivery left out altogether.
        ("01-11", 2, "C", 1, 9, 0, "omission", 2, 1),
    ]


def test_an_export_of_which_only_rows_set_aside_are_left_still_omits(world: World) -> None:
    world.focus(charge("A", 10), charge("B", 1, D2))
    world.publish()
    world.focus(charge("B", 1, D2))
    world.files[-1].set_aside = {D2}
    assert world.publish() == [("01-10", 2, "A", 1, 10, 0, "omission", 2, 1)]


def test_a_repetition_that_goes_altogether_is_an_omission(world: World) -> None:
    world.focus(charge("A", 10), charge("A", 10), charge("B", 1))
    world.publish()
    world.focus(charge("B", 1))
    assert world.publish() == [("01-10", 2, "A", 1, 20, 0, "omission", 2, 2)]


def test_charges_of_another_category_are_no_correction_of_each_other(world: World) -> None:
    world.focus(charge("A", 10, category="Usage"), charge("B", 1))
    world.publish()
    world.focus(charge("A", 4, category="Tax"), charge("B", 1))
    assert world.publish() == [("01-10", 2, "A", 1, 10, 14, "late", 2, 1), ("01-10", 2, "A", 2, 14, 4, "omission", 2, 1)]


def test_scopes_do_not_touch_each_other(world: World) -> None:
    world.focus(charge("A", 10), scope="S")
    world.focus(charge("A", 20), scope="R")
    world.publish()
    world.focus(charge("A", 11), scope="S")
    assert world.publish() == [("01-10", 2, "A", 1, 30, 31, "correction", 3, 1)]
    assert world.read_files == [1, 3]


def test_added_rows_are_corrections_if_they_say_so_and_late_otherwise(world: World) -> None:
    world.focus(charge("A", 10))
    world.publish()
    world.delta(charge("A", -2, charge_class="Correction"), charge("A", 5))
    assert world.publish() == [
        ("01-10", 2, "A", 1, 10, 8, "correction", 2, 1),
        ("01-10", 2, "A", 2, 8, 13, "late", 2, 1),
    ]


def test_an_export_that_carries_what_was_added_restates_nothing(world: World) -> None:
    world.focus(charge("A", 10))
    world.delta(charge("A", 5))
    world.publish()
    world.focus(charge("A", 10), charge("A", 5))
    assert world.publish() == []


def test_a_row_added_after_an_overwriting_export_has_its_own_batch(world: World) -> None:
    world.focus(charge("A", 10))
    world.delta(charge("A", 5))
    world.publish()
    world.focus(charge("A", 10))
    world.delta(charge("A", 1))
    assert world.publish() == [
        ("01-10", 2, "A", 1, 15, 10, "omission", 3, 1),
        ("01-10", 2, "A", 2, 10, 11, "late", 4, 1),
    ]


def test_twelve_places_are_exact(world: World) -> None:
    world.deliver(event("e1", "A", D1, "0.1"))
    world.publish()
    world.deliver(event("e2", "A", D1, "0.000000000001"))
    world.publish()
    assert world.connection.execute("select old_cost, new_cost, delta from mart.cloud_restatement").fetchall() == [
        (Decimal("0.1"), Decimal("0.100000000001"), Decimal("0.000000000001"))
    ]


def test_a_crash_between_the_hooks_leaves_one_publication(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100), event("e2", "A", D2, 1))
    world.publish()
    world.deliver(event("e1", "A", D2, 90))
    world.before()
    once = world.ledger()
    world.before()
    assert world.ledger() == once
    # Meanwhile another delivery came: the publication that never completed is told anew.
    world.deliver(event("e3", "A", D1, 5))
    assert len(world.publish()) == 1
    assert world.ledger() == [
        ("01-10", 2, "A", 1, 100, 0, "moved", 2, 1),
        ("01-10", 2, "A", 2, 0, 5, "late", 3, 1),
        ("01-11", 2, "A", 1, 1, 91, "moved", 2, 1),
    ]
    world.after()
    assert world.publish() == []
    assert set(world.connection.execute("select publication from meta.cloud_published_days").fetchall()) == {(2,)}


def test_a_change_that_is_taken_back_before_it_was_published_leaves_no_row(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e1", "A", D1, 90))
    world.before()
    assert len(world.ledger()) == 1
    world.deliver(event("e1", "A", D1, 100))
    assert world.publish() == []
    assert world.ledger() == []


def test_costs_that_rest_on_other_events_are_refused_with_figures(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e2", "A", D1, 7))
    world.load()
    world.connection.execute("update mart.daily_account_cost set total_cost = total_cost + 1")
    with pytest.raises(
        WarehouseError, match=r"T A on 2025-01-10: published 100\.0+, now 108\.0+, a change of 8\.0+, of which 7\.0+"
    ):
        restatement.record_changes(world.connection, JANUARY, world.rows)
    assert world.ledger() == []


def test_a_file_that_is_read_otherwise_is_one_correction(world: World) -> None:
    world.focus(charge("A", 10), charge("B", 1))
    world.publish()
    world.files[0].rows = [replace(row, tenant="U") for row in world.files[0].rows]
    world.delta(charge("B", 2, tenant="U"))
    world.publish()
    found = world.connection.execute(
        "select tenant_id, account_id, delta::int, cause, batch_id from mart.cloud_restatement order by all"
    ).fetchall()
    focus = world.files[0].batch
    assert found == [
        ("T", "A", -10, "correction", focus),
        ("T", "B", -1, "correction", focus),
    ], "of the other tenant nothing was published, so that nothing of it is restated"
    world.delta(charge("B", 4, tenant="U"))
    ((_, _, _, _, old, new, cause, _, _),) = world.publish()
    assert (old, new, cause) == (3, 7, "late")


BILLED = st.builds(
    event,
    st.sampled_from(["e1", "e2", "e3", "e4"]),
    st.sampled_from(["A", "B"]),
    st.sampled_from([D1, D2, D3]),
    st.integers(0, 3),
    deleted=st.sampled_from([False, False, False, True]),
    ingested=st.none() | st.integers(0, 9),
    tenant=st.sampled_from(["T", "U"]),
)
CHARGES = st.builds(
    charge,
    st.sampled_from(["A", "B"]),
    st.integers(-2, 3),
    st.sampled_from([D1, D2, D3]),
    service=st.sampled_from(["compute", "storage"]),
    charge_class=st.sampled_from([None, "Correction"]),
    effective=st.none() | st.integers(0, 1),
)
STEPS = st.one_of(
    st.tuples(st.just("deliver"), st.lists(BILLED, min_size=1, max_size=5)),
    st.tuples(st.just("focus"), st.lists(CHARGES, min_size=1, max_size=6)),
    st.tuples(st.just("delta"), st.lists(CHARGES, min_size=1, max_size=3)),
    st.tuples(st.just("publish"), st.sampled_from([[JANUARY], [FEBRUARY], [JANUARY, FEBRUARY]])),
    st.tuples(st.just("crash"), st.sampled_from([JANUARY, FEBRUARY])),
)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=8, max_size=14))
def test_whatever_arrives_the_ledger_explains_every_change_exactly(steps: list[tuple[str, Any]]) -> None:
    world = World()
    published: dict[date, dict[tuple[date, str, str], Decimal]] = {}
    first: dict[tuple[date, str, str], Decimal] = {}
    first_days: set[tuple[date, str]] = set()
    for kind, what in [*steps, ("publish", [JANUARY, FEBRUARY])]:
        if kind == "crash":
            world.before(what)
        elif kind != "publish":
            getattr(world, kind)(*what)
        else:
            for month in what:
                world.publish(month)
                now = {key: cost for key, cost in world.costs().items() if key[0].replace(day=1) == month}
                published[month] = now
                # The first publication of a tenant's day restates nothing.
                new_days = {(day, tenant) for day, tenant, _ in now} - first_days
                first |= {key: cost for key, cost in now.items() if key[:2] in new_days}
                first_days |= new_days
    rows = world.connection.execute("""
        select usage_date, tenant_id, account_id, publication, step, old_cost, new_cost, delta
        from mart.cloud_restatement order by all
    """).fetchall()
    told = dict(first)
    for day, tenant, account, _, _, old, new, delta in rows:
        assert (told.get((day, tenant, account), Decimal()), old + delta) == (old, new)
        told[day, tenant, account] = new
    last = {key: cost for month in published.values() for key, cost in month.items()}
    assert {key: cost for key, cost in told.items() if cost} == {key: cost for key, cost in last.items() if cost}
    world.connection.close()


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(BILLED, min_size=1, max_size=4), min_size=4, max_size=6))
def test_a_cause_says_what_befell_the_event(deliveries: list[list[Row]]) -> None:
    """One publication after each delivery: the causes, counted by a comparison of the surviving events themselves."""
    world = World()
    before: dict[tuple[str, str], Row] = {}
    published: set[tuple[date, str]] = set()
    told_before: dict[tuple[date, str, str, str], int] = defaultdict(int)
    for rows in deliveries:
        world.deliver(*rows)
        world.publish(JANUARY, FEBRUARY)
        now = {(row.tenant, row.event): row for row in world.counting()}
        expected: dict[tuple[date, str, str, str], int] = defaultdict(int)
        changes: dict[tuple[date, str, str], int] = defaultdict(int)
        for key in before.keys() | now.keys():
            old, new = before.get(key), now.get(key)
            cause = ("correction" if old.day == new.day else "moved") if old and new else "late" if new else "deletion"
            for row, sign in ((old, -1), (new, 1)):
                if row:
                    expected[row.day, row.tenant, row.account, cause] += sign * int(row.cost)
                    changes[row.day, row.tenant, row.account] += sign * int(row.cost)
        told: dict[tuple[date, str, str, str], int] = defaultdict(int)
        for day, tenant, account, cause, delta in world.connection.execute(
            "select usage_date, tenant_id, account_id, cause, delta from mart.cloud_restatement"
        ).fetchall():
            told[day, tenant, account, "deletion" if cause == "duplicate_removed" else cause] += int(delta)
        brought = {key: delta - told_before[key] for key, delta in told.items() if delta != told_before[key]}
        # An account-day whose total stays has no row, whatever befell its events; of a tenant-day's first publication none has.
        assert brought == {key: delta for key, delta in expected.items() if delta and key[:2] in published and changes[key[:3]]}
        told_before = told
        before = now
        published |= {(row.day, row.tenant) for row in now.values()}
    world.connection.close()


def test_the_ledger_is_as_declared(world: World) -> None:
    world.deliver(event("e1", "A", D1, 100))
    world.publish()
    world.deliver(event("e1", "A", D1, 60))
    world.publish()
    frame: pd.DataFrame = world.connection.sql("select * from mart.cloud_restatement").df()
    assert list(frame.columns) == schemas.CLOUD_RESTATEMENT.columns
    assert set(frame["cause"]) <= set(schemas.RESTATEMENT_CAUSES)


# Through the real store

MARCH = date(2025, 3, 1)


class Landed:
    """A real landing zone, ingested, computed and published again and again."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self._world = landed.World(home, **settings)
        self._deliveries = 0

    def deliver(self, source: str, *rows: dict[str, object]) -> str:
        """Land a batch; return its id."""
        self._deliveries += 1
        arrival = f"20250310T{self._deliveries:02d}0000Z"
        given: dict[str, object] = (
            {"ingested_at": f"2025-03-10T{self._deliveries:02d}:00:00Z"} if source == "billing_events" else {}
        )
        texts = [landed.DEFAULTS[source] | {name: str(value) for name, value in (given | row).items()} for row in rows]
        self._world.put(source, arrival, "data.csv", csv_text(texts))
        return f"cloud/{source}/{arrival}"

    @property
    def settings(self) -> Settings:
        return self._world.settings

    def set(self, **values: object) -> None:
        """Change settings."""
        self._world.settings = self._world.settings.model_copy(update=values)

    def publish(self) -> None:
        """Bring the month up to date and publish it."""
        bring_up_to_date(home_of(self.settings))

    def publish_in(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Compute and publish the month without Dagster, and without any file."""
        settings = self.settings
        ingest(connection, settings.landing_path, sources.SOURCES, settings)
        completeness.refresh(connection, settings)
        landed.Computed(connection, self._world).compute([MARCH])
        nothing: dict[str, str] = {}
        catalog.record(
            connection,
            schemas.CLOUD_EVENT_OUTCOMES,
            MARCH,
            made_from="",
            content_hash="",
            rows=0,
            code_version="",
            settings=nothing,
            inputs=nothing,
        )
        restatement.record_changes(connection, MARCH, lambda days, files: show_rows(connection, settings, EVENTS, days, files))
        restatement.remember_published(connection, MARCH)

    def ledger(self, columns: str) -> list[tuple[Any, ...]]:
        """Return the ledger as it stands in the warehouse, in key order."""
        with database.connect(self.settings) as connection:
            return connection.execute(
                f"select {columns} from mart.cloud_restatement order by usage_date, publication, tenant_id, account_id, step"
            ).fetchall()


def test_the_ledger_of_what_really_landed(tmp_path: Path) -> None:
    world = Landed(tmp_path)
    world.deliver(
        "billing_events",
        {"event_id": "E-1", "cost": "10.5"},
        {"event_id": "E-2", "cost": 20},
        {"event_id": "E-3", "cost": 20},
        {"event_id": "E-4", "cost": 40},
        {"event_id": "E-5", "cost": 1, "usage_date": "2025-03-06"},
    )
    world.deliver("focus", {"BilledCost": 7, "SubAccountId": "F-1"}, {"BilledCost": 8, "SubAccountId": "F-2"})
    world.publish()
    events_batch = world.deliver(
        "billing_events",
        {"event_id": "E-1", "cost": "9.25"},
        {"event_id": "E-3", "cost": 20, "is_deleted": "true"},
        {"event_id": "E-4", "cost": 41, "usage_date": "2025-03-06"},
        {"event_id": "E-6", "cost": 3},
    )
    focus_batch = world.deliver("focus", {"BilledCost": 6, "SubAccountId": "F-1"}, {"BilledCost": 5, "SubAccountId": "F-3"})
    delta_batch = world.deliver(
        "focus_delta", {"BilledCost": -1, "SubAccountId": "F-1", "ChargeClass": "Correction"}, {"BilledCost": 2}
    )
    world.publish()
    found = world.ledger("day(usage_date), tenant_id, account_id, step, old_cost, new_cost, cause, batch_id, rows")
    told = [(*row[:4], f"{row[4]:.2f}", f"{row[5]:.2f}", *row[6:]) for row in found]
    assert told == [
        (5, "DEFAULT", "A-1", 1, "0.00", "2.00", "late", delta_batch, 1),
        (5, "DEFAULT", "F-1", 1, "7.00", "6.00", "correction", focus_batch, 1),
        (5, "DEFAULT", "F-1", 2, "6.00", "5.00", "correction", delta_batch, 1),
        (5, "DEFAULT", "F-2", 1, "8.00", "0.00", "omission", focus_batch, 1),
        (5, "DEFAULT", "F-3", 1, "0.00", "5.00", "late", focus_batch, 1),
        (5, "T-1", "A-1", 1, "90.50", "89.25", "correction", events_batch, 1),
        (5, "T-1", "A-1", 2, "89.25", "69.25", "duplicate_removed", events_batch, 1),
        (5, "T-1", "A-1", 3, "69.25", "72.25", "late", events_batch, 1),
        (5, "T-1", "A-1", 4, "72.25", "32.25", "moved", events_batch, 1),
        (6, "T-1", "A-1", 1, "1.00", "42.00", "moved", events_batch, 1),
    ]


def test_a_delivery_read_after_the_month_was_computed_is_not_taken_for_published(tmp_path: Path) -> None:
    world = Landed(tmp_path)
    world.deliver("billing_events", {"event_id": "E-1", "cost": 10})
    world.publish()
    world.deliver("billing_events", {"event_id": "E-2", "cost": 0})
    with database.connect(world.settings) as connection:
        ingest(connection, world.settings.landing_path, sources.SOURCES, world.settings)
        with pytest.raises(WarehouseError, match="2025-03 was computed before the latest deliveries for 2025-03-05 were read"):
            restatement.before_publish(connection, world.settings, MARCH)
    assert world.ledger("*") == []


def test_a_store_that_is_built_anew_restates_only_what_is_read_otherwise(tmp_path: Path) -> None:
    world = Landed(tmp_path)
    focus_batch = world.deliver("focus", {"BilledCost": 7}, {"BilledCost": 1})
    world.deliver("billing_events", {"event_id": "E-1", "cost": 10}, {"event_id": "E-2", "cost": 1})
    world.deliver("billing_events", {"event_id": "E-1", "cost": 12})
    with duckdb.connect(config={"threads": 2}) as connection:
        world.publish_in(connection)
        world.set(tenant_of_billing_account={"B-1": "T-9"})
        world.publish_in(connection)
        found = connection.execute(
            "select tenant_id, account_id, delta::int, cause, batch_id from mart.cloud_restatement order by all"
        ).fetchall()
    assert found == [("DEFAULT", "A-1", -8, "correction", focus_batch)], "nothing was published of T-9"
