"""Stage 1 of the cloud stream: which events and charges count.

Belongs here: what a stage reads of the event store, the rule of ``cloud_event_outcomes``, the surviving events themselves.
Does not belong here: the event store (``landing.events``), costs (``mart``).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from revenue_integrity.landing.eventstore.store import EVENT_COLUMNS
from revenue_integrity.model.dataset import Streamed
from revenue_integrity.model.query import Query, listed_days, load_query
from revenue_integrity.model.rule import Rule, days_of
from revenue_integrity.model.stage import ScannedFile, StageInputs
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.sources import BILLING_EVENTS, EVENT_SOURCES
from revenue_integrity.warehouse.engine import DuckDBEngine, scan_sql

if TYPE_CHECKING:
    import duckdb

_PACKAGE = "revenue_integrity.streams.cloud"

PORTABLE = ("curated/cloud_event_outcomes", "mart/account_service_day", "mart/daily_account_cost")
"""SQL that runs on both engines."""

EVENTS = "events"
"""The slice of live rows by day."""

CLAIMS = "claims"
"""The slice of versions of events by day."""


def cloud_event_outcomes(month: date, settings: Settings) -> Query:
    """Return rows that do not count (30-cloud, *Stages* 1)."""
    return load_query(_PACKAGE, "curated/cloud_event_outcomes")


def outcome_inputs(connection: "duckdb.DuckDBPyConnection", settings: Settings, days: Sequence[date]) -> StageInputs:
    """Return what stage 1 reads: all versions, on any day, of the events that have one on the days."""
    columns = (
        "tenant_id, event_id, account_id, usage_date, cost, ingested_at, is_deleted, content, file_no, row_number, batch_id,"
        " arrival, file_name"
    )
    of_days = f"usage_date in ({listed_days(days)})"
    return StageInputs(
        tables={
            "claims": f"""
                select {columns} from meta.event_versions where {of_days} and not set_aside
                union all
                select {columns}
                from meta.event_versions
                semi join (
                    select tenant_id, event_id from meta.event_claims where {of_days} and is_moved
                ) using (tenant_id, event_id)
                where is_moved and not {of_days} and not set_aside
            """,
            "days": f"select distinct usage_date from meta.event_claims where usage_date in ({listed_days(days)})",
        }
    )


def event_inputs(connection: "duckdb.DuckDBPyConnection", settings: Settings, days: Sequence[date]) -> StageInputs:
    """Return the relation ``events``: all live rows of some days, and ``outcomes``: those of them that do not count."""
    wanted = listed_days(days)
    files = connection.execute(f"""
        select file_no, path, projection from meta.event_files
        where file_no in (select file_no from meta.event_days where is_live and usage_date in ({wanted}))
        order by file_no
    """).fetchall()
    numbers = ", ".join(str(number) for number, _, _ in files) or "-1"
    held = " union all ".join(f"select batch_id, file_name, row_number from meta.held_{source.name}" for source in EVENT_SOURCES)
    tables = {
        "left_out": f"""
            select f.file_no, h.row_number
            from ({held}) as h inner join meta.event_files as f on h.batch_id = f.batch_id and h.file_name = f.file_name
            where f.file_no in ({numbers})
            union
            select file_no, row_number from meta.event_claims where set_aside and file_no in ({numbers})
        """,
        "replaced": f"""
            select file_no, usage_date, tenant_id, coalesce(scope, '') as scope
            from meta.event_days where not is_live and usage_date in ({wanted}) and file_no in ({numbers})
        """,
        # A store that was built again numbers its files anew; batch and file name stay. Only events have versions, and an event
        # has no other cost than what is billed.
        "outcomes": f"""
            select
                c.file_no, c.row_number, c.tenant_id, c.account_id, c.service_name, c.usage_date, c.cost,
                cast(null as decimal(38, 12)) as effective_cost
            from curated.cloud_event_outcomes as o
            inner join meta.event_files as f on o.batch_id = f.batch_id and o.file_name = f.file_name
            inner join meta.event_claims as c on f.file_no = c.file_no and o.row_number = c.row_number
            -- What is not among the events must not be taken off them, however old the outcomes are.
            semi join (select file_no, usage_date, tenant_id from meta.event_days where is_live) as d
                on c.file_no = d.file_no and c.usage_date = d.usage_date and c.tenant_id = d.tenant_id
            where o.usage_date in ({wanted}) and not c.set_aside
        """,
    }
    joins, conditions = [], [f"e.usage_date in ({wanted})"]
    if connection.execute(f"select 1 from ({tables['left_out']}) limit 1").fetchall():
        joins.append("left join left_out as l on e.file_no = l.file_no and e.row_number = l.row_number")
        conditions.append("l.file_no is null")
    if connection.execute(f"select 1 from ({tables['replaced']}) limit 1").fetchall():
        joins.append(
            "left join replaced as r on e.file_no = r.file_no and e.usage_date = r.usage_date and e.tenant_id = r.tenant_id"
            " and coalesce(e.scope, '') = r.scope"
        )
        conditions.append("r.file_no is null")
    return StageInputs(
        scans={"event_rows": tuple(ScannedFile(number, settings.home / path, sql) for number, path, sql in files)},
        empty={"event_rows": EVENT_COLUMNS},
        tables=tables,
        views={"events": f"select e.* from event_rows as e {' '.join(joins)} where {' and '.join(conditions)}"},
    )


def event_rows(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, days: Sequence[date], files: Sequence[int] | None = None
) -> None:
    """Make the temporary view ``event_rows``: good rows of some days with their batch, of some files or of all that hold any.

    Rows that were replaced, set aside or do not count are among them.
    """
    only = "" if files is None else f"and file_no in ({', '.join(map(str, files)) or '-1'})"
    found = connection.execute(f"""
        select file_no, path, projection from meta.event_files
        where file_no in (select file_no from meta.event_days where usage_date in ({listed_days(days)})) {only}
        order by file_no
    """).fetchall()
    rows = scan_sql(tuple(ScannedFile(number, settings.home / path, sql) for number, path, sql in found), EVENT_COLUMNS)
    columns = ", ".join(f"e.{column}" for column in EVENT_COLUMNS)
    held = " union all ".join(f"select batch_id, file_name, row_number from meta.held_{source.name}" for source in EVENT_SOURCES)
    connection.execute(f"""
        create or replace temp view event_rows as
        select f.source, e.file_no, e.row_number, {columns}, f.batch_id, f.arrival, f.file_name
        from ({rows}) as e
        inner join meta.event_files as f on e.file_no = f.file_no
        anti join ({held}) as h on f.batch_id = h.batch_id and f.file_name = h.file_name and e.row_number = h.row_number
        where e.usage_date in ({listed_days(days)})
    """)


def surviving_events(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, wanted: Sequence[date], tenant: str | None = None
) -> "duckdb.DuckDBPyRelation":
    """Return the rows of ``cloud_events`` of some months, read from the store: events and charges that count, in key order."""
    days = [
        day
        for (day,) in connection.execute(
            "select distinct usage_date from meta.event_days"
            " where is_live and list_contains($months, date_trunc('month', usage_date)::date) order by all",
            {"months": list(wanted)},
        ).fetchall()
    ]
    inputs = event_inputs(connection, settings, days)
    query = DuckDBEngine().run(connection, load_query(_PACKAGE, "curated/cloud_events").sql, inputs)
    return connection.sql(query.sql, params={"tenant": tenant}).select(*schemas.CLOUD_EVENTS.columns)


EXPORTED = Streamed(schemas.CLOUD_EVENTS, surviving_events)


RULES = (
    Rule(
        schemas.CLOUD_EVENT_OUTCOMES,
        cloud_event_outcomes,
        (days_of("raw", CLAIMS, BILLING_EVENTS.name),),
        sql=("curated/cloud_event_outcomes",),
        stage=outcome_inputs,
    ),
)
