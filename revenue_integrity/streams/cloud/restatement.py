"""The ledger of restatements: what changed of published account-days, why, and by which batch.

Belongs here: comparing what is about to be published with what was, naming the causes, remembering what was published. Does
not belong here: which rows count (``curated``), writing files (``warehouse.publish``).

The causes rest on the difference of two sets of rows: those that counted when a day was last published, and those that count
now. Neither set is copied. Of each publication only its account-days, the parts of files that counted
(``meta.cloud_published_live``) and the versions among them that did not (``meta.cloud_published_excluded``) are kept; files are
named by batch and file name, which a rebuilt store keeps. So a restatement reads the files that came or went, and for days with
withdrawn events the day, to see whether an identical event still counts. Versions of events stand in ``cloud_events.versions``.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from revenue_integrity import months
from revenue_integrity.errors import WarehouseError
from revenue_integrity.landing.eventstore.reading import show_rows
from revenue_integrity.model.query import load_query
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.sources import BILLING_EVENTS, EVENTS, FOCUS, FOCUS_DELTA
from revenue_integrity.warehouse.database import transaction
from revenue_integrity.warehouse.storage import ensure_table
from revenue_integrity.warehouse.validation import validate_rows

if TYPE_CHECKING:
    import duckdb

EventRows = Callable[[Sequence[date], Sequence[int] | None], None]
"""Makes the view ``event_rows``: rows of some days, of some files or of all, whether they count or not."""

_PACKAGE = "revenue_integrity.streams.cloud"
_LEDGER = schemas.CLOUD_RESTATEMENT
_CAUSES = "restatement_causes"

_STATE = """
create schema if not exists meta;
create table if not exists meta.cloud_published_days (usage_date date not null, publication bigint not null);
alter table meta.cloud_published_days add column if not exists rows_hash varchar;
create table if not exists meta.cloud_published_costs (
    usage_date date not null, tenant_id varchar not null, account_id varchar not null, cost decimal(38, 18) not null
);
create table if not exists meta.cloud_published_live (
    usage_date date not null, source varchar not null, batch_id varchar not null, file_name varchar not null,
    tenant_id varchar not null, scope varchar not null, row_count bigint not null, cost decimal(38, 18) not null
);
create table if not exists meta.cloud_published_excluded (
    usage_date date not null, batch_id varchar not null, file_name varchar not null, row_number bigint not null
);
create table if not exists meta.cloud_published_tenants (usage_date date not null, tenant_id varchar not null);
insert into meta.cloud_published_tenants
select distinct usage_date, tenant_id from meta.cloud_published_costs
where not exists (select 1 from meta.cloud_published_tenants);
create table if not exists meta.cloud_departures (tenant_id varchar not null, event_id varchar not null);
create table if not exists meta.cloud_held_days (tenant_id varchar not null, usage_date date not null);
"""
"""What is remembered of the last completed publication of each day, and events between two months: gone from a published day,
not yet published on the one that they moved to. ``rows_hash`` tells which rows did not count (``differing.sql``). A tenant-day
stays published once it was, also when nothing is left of it; what is published of other tenants does not make it so."""


def before_publish(connection: "duckdb.DuckDBPyConnection", settings: Settings, month: date) -> None:
    """Write the ledger rows of the publication that is about to happen, for the days of the month whose costs change.

    Rows of a publication that never completed are replaced, so this may be repeated. The first publication of a tenant's day
    restates nothing.

    Raises:
        WarehouseError: a delivery was read after the month was computed, or the causes of an account-day do not add up to its
            change; nothing was written.
    """
    _refuse_outdated(connection, month)
    record_changes(connection, month, lambda days, files: show_rows(connection, settings, EVENTS, days, files))


def after_publish(connection: "duckdb.DuckDBPyConnection", settings: Settings, month: date) -> None:
    """Remember the month as it is published now; days whose costs changed have completed one more publication."""
    remember_published(connection, month)


def record_changes(connection: "duckdb.DuckDBPyConnection", month: date, rows: EventRows) -> None:
    """Do the work of ``before_publish`` over any provider of event rows."""
    with transaction(connection):
        connection.execute(_STATE)
        ensure_table(connection, _LEDGER)
        _forget_incomplete(connection, month)
        _make(connection, "kept", month)
        _make(connection, "changes", month)
        days = _days(connection, "select distinct usage_date from restatement_changes order by all")
        if not days:
            return
        _find_causes(connection, month, days, rows)
        _refuse_unexplained(connection, month)
        query = load_query(_PACKAGE, "restatement/ledger", **_bounds(month))
        connection.execute(f"insert into {_LEDGER.qualified} by name {query.sql}", query.bound)
        validate_rows(connection, _LEDGER, month)


def remember_published(connection: "duckdb.DuckDBPyConnection", month: date) -> None:
    """Do the work of ``after_publish``."""
    with transaction(connection):
        connection.execute(_STATE)
        _make(connection, "kept", month)
        _make(connection, "changes", month)
        connection.execute("""
            update meta.cloud_published_days set publication = publication + 1
            where usage_date in (select usage_date from restatement_changes)
        """)
        _make(connection, "differing", month)
        # Against what was published before, so ahead of what follows.
        _make(connection, "departures", month)
        connection.execute("insert into meta.cloud_departures select * from restatement_departures")
        for name in ("costs", "live"):
            _make(connection, name, month)
            _keep(connection, f"meta.cloud_published_{name}", f"restatement_{name}", month)
        # Of days on which they differ most of them do: they are not compared one by one.
        _make(connection, "excluded", month)
        connection.execute(
            "delete from meta.cloud_published_excluded where usage_date in (select usage_date from restatement_differing)"
        )
        connection.execute("insert into meta.cloud_published_excluded by name select * from restatement_excluded")
        connection.execute("""
            insert into meta.cloud_published_days
            select distinct usage_date, 1, null from restatement_costs anti join meta.cloud_published_days using (usage_date)
        """)
        connection.execute("""
            insert into meta.cloud_published_tenants
            select distinct usage_date, tenant_id from restatement_costs
            anti join meta.cloud_published_tenants using (usage_date, tenant_id)
        """)
        connection.execute("""
            update meta.cloud_published_days as remembered set rows_hash = differing.rows_hash
            from restatement_differing as differing where remembered.usage_date = differing.usage_date
        """)
        # What is held back of a day is remembered when it is shown, though no row of the day differs then.
        connection.execute(
            """
            update meta.cloud_published_days set rows_hash = null
            where usage_date between $first and $last and usage_date in (select usage_date from meta.cloud_held_days)
        """,
            _bounds(month),
        )
        # Only what is published now may have arrived: an event on a day that does not count yet is still between two months.
        connection.execute(
            """
            delete from meta.cloud_departures
            where (tenant_id, event_id) in (
                select (c.tenant_id, c.event_id)
                from cloud_events.versions as c
                semi join meta.cloud_departures as d on c.tenant_id = d.tenant_id and c.event_id = d.event_id
                semi join restatement_live as l
                    on c.usage_date = l.usage_date and l.source = 'billing_events' and c.batch_id = l.batch_id
                    and c.file_name = l.file_name and c.tenant_id = l.tenant_id
                anti join meta.cloud_published_excluded as x
                    on c.usage_date = x.usage_date and c.batch_id = x.batch_id and c.file_name = x.file_name
                    and c.row_number = x.row_number
                where not coalesce(c.is_deleted, false) and c.usage_date between $first and $last
            )
            """,
            _bounds(month),
        )


def _bounds(month: date) -> dict[str, Any]:
    return {"first": month, "last": months.last_day(month)}


def _make(connection: "duckdb.DuckDBPyConnection", step: str, month: date) -> None:
    """Make the temporary table ``restatement_<step>`` from its query."""
    query = load_query(_PACKAGE, f"restatement/{step}", **_bounds(month))
    connection.execute(f"create or replace temp table restatement_{step} as {query.sql}", query.bound)


def _days(connection: "duckdb.DuckDBPyConnection", sql: str) -> list[date]:
    return [day for (day,) in connection.execute(sql).fetchall()]


def _forget_incomplete(connection: "duckdb.DuckDBPyConnection", month: date) -> None:
    """Take out what a publication wrote that never completed."""
    connection.execute(
        f"""
        delete from {_LEDGER.qualified} as written using meta.cloud_published_days as completed
        where written.usage_date = completed.usage_date and written.publication > completed.publication
            and written.month = $first
        """,
        {"first": month},
    )


def _find_causes(connection: "duckdb.DuckDBPyConnection", month: date, days: list[date], rows: EventRows) -> None:
    """Make ``restatement_causes``: what each cause and batch contributes to the account-days."""
    for step in ("costs", "live", "parts", "versions", "elsewhere", "removed"):
        _make(connection, step, month)
    _make_twins(connection, month, rows)
    _make(connection, "version_causes", month)
    connection.execute(f"create or replace temp table {_CAUSES} as select * from restatement_version_causes")
    for step, sources in (("event_causes", [BILLING_EVENTS.name]), ("charge_causes", [FOCUS.name, FOCUS_DELTA.name])):
        files = connection.execute(
            "select distinct file_no from restatement_parts"
            " where state <> 'reread' and file_no is not null and list_contains($sources, source) order by all",
            {"sources": sources},
        ).fetchall()
        if files:
            rows(days, [file_no for (file_no,) in files])
            _add_causes(connection, step, month)
    # Of a tenant's first publication of a day there is nothing to restate, whatever was published of others.
    connection.execute(
        f"delete from {_CAUSES} where (usage_date, tenant_id) not in"
        " (select (usage_date, tenant_id) from meta.cloud_published_tenants)"
    )
    # Last: it explains what is left.
    _add_causes(connection, "reread_causes", month)


def _make_twins(connection: "duckdb.DuckDBPyConnection", month: date, rows: EventRows) -> None:
    days = _days(connection, "select distinct usage_date from restatement_removed where cause = 'deletion' order by all")
    if days:
        rows(days, None)
        _make(connection, "twins", month)
    else:
        connection.execute(
            "create or replace temp table restatement_twins as"
            " select tenant_id, event_id, usage_date from restatement_removed where false"
        )


def _add_causes(connection: "duckdb.DuckDBPyConnection", step: str, month: date) -> None:
    _make(connection, step, month)
    connection.execute(f"insert into {_CAUSES} by name select * from restatement_{step}")


def _refuse_outdated(connection: "duckdb.DuckDBPyConnection", month: date) -> None:
    """Refuse a month whose costs rest on other events than would be remembered as published."""
    query = load_query(_PACKAGE, "restatement/outdated", **_bounds(month))
    days = [day for (day,) in connection.execute(query.sql, query.bound).fetchall()]
    if days:
        raise WarehouseError(
            f"{months.label(month)} was computed before the latest deliveries for {', '.join(days)} were read",
            "Run the month again",
        )


def _refuse_unexplained(connection: "duckdb.DuckDBPyConnection", month: date) -> None:
    query = load_query(_PACKAGE, "restatement/unexplained", **_bounds(month))
    found = connection.execute(query.sql, query.bound).fetchall()
    if found:
        day, tenant, account, old, new, delta = found[0]
        raise WarehouseError(
            f"{_LEDGER.name} {months.label(month)}: the causes of {len(found)} account-days do not add up; first {tenant}"
            f" {account} on {day}: published {old:f}, now {new:f}, a change of {new - old:f}, of which {delta:f} is explained",
            "Run the month again with --all, so that its days rest on the events that stand in the store now",
        )


def _keep(connection: "duckdb.DuckDBPyConnection", kept: str, present: str, month: date) -> None:
    """Make the month's rows of a kept table those of a relation, touching only rows that differ, on days that differ."""
    columns = [name for (name, *_) in connection.execute(f"describe {kept}").fetchall()]
    summed = f"select usage_date, count(*) as rows, bit_xor(hash({', '.join(columns)})) as digest from"
    # No row stands twice, so a day is told by the sum of its rows: comparing them one by one is for days where it differs.
    connection.execute(
        f"""
        create or replace temp table restatement_days as
        select usage_date
        from ({summed} {kept} where usage_date between $first and $last group by all) as was
        full join ({summed} {present} group by all) as now using (usage_date)
        where was.rows is distinct from now.rows or was.digest is distinct from now.digest
        """,
        _bounds(month),
    )
    old = f"select * from {kept} where usage_date in (from restatement_days)"
    new = f"select {', '.join(columns)} from {present} where usage_date in (from restatement_days)"
    connection.execute(f"create or replace temp table restatement_gone as {old} except {new}")
    same = " and ".join(f"kept.{name} = gone.{name}" for name in columns)
    connection.execute(f"delete from {kept} as kept using restatement_gone as gone where {same}")
    connection.execute(f"insert into {kept} {new} except {old}")
