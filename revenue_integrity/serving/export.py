"""Reading datasets for people: as published, live, or of a past world.

Belongs here: finding a dataset by name and returning its rows. Does not belong here: printing them (``output``).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity import months, output
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Ledger, as_frame
from revenue_integrity.close.restatement import COLUMNS
from revenue_integrity.computing.publication_tables import CHECKS, checks_table
from revenue_integrity.errors import PublishError, Refusal, UsageError
from revenue_integrity.landing.datasets import read_batches, read_quarantine
from revenue_integrity.landing.values import parsed
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT
from revenue_integrity.model.source import SourceColumn
from revenue_integrity.model.table import Table
from revenue_integrity.output import Format
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database, publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity.warehouse.storage import exact_frame, read_partitions

Say = Callable[[str], None]

MANIFESTS = {"batches": read_batches, "quarantine": read_quarantine}
"""Datasets that belong to a stream rather than to a month."""


def _close_status(deployment: Deployment, wanted: Sequence[date]) -> pd.DataFrame:
    # What is published is read without Dagster, whose import takes longer than most exports.
    from revenue_integrity.desk import close

    return close.close_status(deployment, wanted)


def _restatements(deployment: Deployment, wanted: Sequence[date]) -> pd.DataFrame:
    from revenue_integrity.desk import close

    signed = [month for month in wanted if freeze.frozen_versions(deployment.settings, month)]
    frames = [close.restatement(deployment, month) for month in signed]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _ledger(deployment: Deployment, wanted: Sequence[date]) -> pd.DataFrame:
    labels = {months.label(month) for month in wanted}
    return as_frame([entry for entry in Ledger(deployment.settings).entries() if entry.month in labels])


DERIVED: dict[str, Callable[[Deployment, Sequence[date]], pd.DataFrame]] = {
    "close_status": _close_status,
    "sign_off_ledger": _ledger,
    "restatement": _restatements,
}
"""Datasets that are derived whenever somebody asks, and stored nowhere."""


UNIONS = {"recon_results": ("cloud_recon_results",), "recon_summary": ("cloud_recon_summary",)}
"""Datasets that every stream with reconciliations has, and the tables of further streams that are added to them."""

_WAITS = "Reading the warehouse itself; this waits for its turn while months are computed."

_ROWS_AT_ONCE = 50_000
"""Events in memory at once when they are written as text."""

CLOUD_EVENTS = "cloud_events"
FOCUS_1_2 = "focus_1_2"

COMPOSED = (CLOUD_EVENTS, FOCUS_1_2)
"""Datasets with tenants that are put together whenever somebody asks, from the store of events and from what is published."""


def _tables(deployment: Deployment) -> dict[str, Table]:
    return {table.name: table for stream in deployment.streams for table in stream.published_tables}


def table_named(deployment: Deployment, dataset: str) -> Table | None:
    """Return the table of a dataset, ``None`` for manifests; raise ``UsageError`` with the names that there are."""
    tables = _tables(deployment)
    if dataset in MANIFESTS or dataset == CHECKS:
        return None
    if dataset not in tables:
        named = ", ".join(sorted([*tables, *MANIFESTS, *DERIVED, *COMPOSED, CHECKS]))
        raise UsageError(f"there is no dataset '{dataset}'", f"Datasets: {named}")
    return tables[dataset]


def refuse_for_tenant(settings: Settings, command: str) -> None:
    """Refuse a command of a process that reads for a tenant, except ``export``, which judges by itself (``read``).

    Raises:
        Refusal: the process reads for a tenant.
    """
    if settings.tenant is not None and command != "export":
        raise Refusal(
            f"'{command}' is refused: this process reads for one tenant",
            "Only its published cloud data can be read, with `export`",
        )


def _tenant_of(settings: Settings, tenant: str | None) -> str | None:
    """Return the tenant that is read for, written as an identifier.

    Raises:
        Refusal: the process reads for another tenant.
        UsageError: the name is empty.
    """
    if settings.tenant is None:
        return None if tenant is None else _identifier(tenant)
    own = _identifier(settings.tenant)
    if tenant is not None and _identifier(tenant) != own:
        raise Refusal("this process reads for another tenant", "Leave out --tenant")
    return own


def _identifier(tenant: str) -> str:
    """Return a tenant's name as rows hold it: the rule is the one by which they were read."""
    sql = parsed(SourceColumn("tenant_id", "id", "The tenant."), "$text")
    with duckdb.connect() as connection:
        ((found,),) = connection.execute(f"select {sql}", {"text": tenant}).fetchall()
    if found is None:
        raise UsageError("the tenant has no name", "Name one, for example --tenant ACME")
    return str(found)


def read(
    deployment: Deployment,
    dataset: str,
    wanted: Sequence[date] | None,
    *,
    tenant: str | None,
    live: bool,
    as_of: datetime | None,
    say: Say,
) -> pd.DataFrame:
    """Return a dataset's rows of some months (``None``: all): as published, or from a warehouse.

    With ``tenant``, only what belongs to it; a process that reads for a tenant gets nothing else.

    Raises:
        UsageError: there is no such dataset, or it knows no tenants.
        PublishError: nothing of it is published for these months, or the past world was not computed.
        Refusal: the process reads for a tenant, and this is not its published data.
    """
    settings = deployment.settings
    chosen = _tenant_of(settings, tenant)
    table = None if dataset in DERIVED or dataset in COMPOSED else table_named(deployment, dataset)
    has_tenants = dataset in COMPOSED or (table is not None and bool(table.part_columns))
    if settings.tenant is not None:
        if live or as_of is not None or dataset == CLOUD_EVENTS:
            raise Refusal("this process reads for one tenant", "Only what is published can be read: leave out --live and --as-of")
        if not has_tenants:
            raise Refusal(
                f"'{dataset}' is not a tenant's own: this process reads for one tenant", "Choose a dataset with tenants"
            )
    if chosen is not None and not has_tenants:
        raise UsageError(f"'{dataset}' knows no tenants", "Leave out --tenant")
    if dataset in DERIVED and as_of is None:
        return DERIVED[dataset](deployment, settings.months if wanted is None else wanted)
    if dataset == CHECKS and (live or as_of is not None):
        raise UsageError(f"'{CHECKS}' stands in no warehouse", "Leave out --live and --as-of, or look at the checks in the UI")
    if dataset in DERIVED:
        table = table_named(deployment, dataset)
    if as_of is not None:
        settings = _past(settings, as_of)
    elif live or dataset == CLOUD_EVENTS:
        say(_WAITS)
    if dataset == CLOUD_EVENTS:
        with _events(settings, wanted, chosen) as events:
            return exact_frame(events.to_arrow_table())

    def rows_of(name: str) -> pd.DataFrame:
        declared = table_named(deployment, name)
        if live or as_of is not None:
            found = _from_warehouse(deployment.under(settings), name, declared, wanted, chosen)
            return _with_former_names(declared, found)
        rows = _with_former_names(declared, publish.read_published(settings, declared or name, wanted, tenant=chosen))
        return _with_run_columns(deployment, name, rows) if name in ("recon_summary", *UNIONS["recon_summary"]) else rows

    if dataset == FOCUS_1_2:
        return _focus(deployment, rows_of)
    if dataset == CHECKS:
        return _checks(deployment, wanted)
    if table is None and not live and as_of is None:
        return _of_months(publish.read_published(settings, dataset, None), wanted)
    return _united(deployment, rows_of, dataset)


def _with_former_names(table: Table | None, rows: pd.DataFrame) -> pd.DataFrame:
    """Add a copy of each renamed column under its former name, as published files have it, whatever release wrote the file."""
    return rows if table is None else rows.assign(**{former: rows[name] for name, former in table.formerly.items()})


def _checks(deployment: Deployment, wanted: Sequence[date] | None) -> pd.DataFrame:
    """Return what the checks of all streams said, month by month; raise ``PublishError`` if none of them has any."""
    frames = []
    missing: PublishError | None = None
    for stream in deployment.streams:
        try:
            frames.append(publish.read_published(deployment.settings, checks_table(stream).name, wanted))
        except PublishError as error:
            missing = missing or error
    if missing is not None and not frames:
        raise missing
    return pd.concat(frames, ignore_index=True).sort_values(
        ["month", "table_name", "check_name"], kind="stable", ignore_index=True
    )


def _past(settings: Settings, as_of: datetime) -> Settings:
    """Return the settings of a past world, if it was computed."""
    # Whoever runs months loads the assets, which refuse to load in a process that reads for a tenant.
    from revenue_integrity.orchestration.runner import past_world

    world = past_world(settings, as_of)
    if not world.warehouse_path.exists():
        named = f"{as_of:%Y%m%dT%H%M%SZ}"
        raise PublishError(f"the world as of {named} was not computed", f"Run `run --as-of {named}` first")
    return world


def _united(deployment: Deployment, rows_of: Callable[[str], pd.DataFrame], dataset: str) -> pd.DataFrame:
    """Return a dataset with what further streams add to it; as it is where they are not in use."""
    added = []
    for name in set(UNIONS.get(dataset, ())) & set(_tables(deployment)):
        try:
            added.append(rows_of(name))
        except PublishError:
            # Not published: the stream is not in use, or not in these months.
            continue
    more = [frame for frame in added if not frame.empty]
    if not more:
        return rows_of(dataset)
    try:
        frames = [rows_of(dataset), *more]
    except PublishError:
        frames = more
    if len(frames) == 1:
        return frames[0]
    # As objects: a column that is empty on one side, or there only, would otherwise change the type of exact numbers.
    columns = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    united = pd.concat([frame.astype(object).reindex(columns=columns, fill_value=None) for frame in frames], ignore_index=True)
    return united.sort_values("month", kind="stable", ignore_index=True)


@contextmanager
def _events(settings: Settings, wanted: Sequence[date] | None, tenant: str | None) -> Iterator[duckdb.DuckDBPyRelation]:
    """Yield the events that count, as they stand in the store; the warehouse knows which they are."""
    from revenue_integrity.streams.cloud.curated import surviving_events

    with database.connect(settings, read_only=True) as connection:
        yield surviving_events(connection, settings, settings.months if wanted is None else wanted, tenant)


def write_events(
    deployment: Deployment,
    wanted: Sequence[date] | None,
    *,
    tenant: str | None,
    as_of: datetime | None,
    to: Path,
    chosen: Format | None,
    say: Say,
) -> int:
    """Write ``cloud_events`` to a file, batch by batch, for they need not fit into memory; return how many.

    Raises:
        Refusal, UsageError, PublishError: as ``read``.
    """
    settings = deployment.settings
    own = _tenant_of(settings, tenant)
    if settings.tenant is not None:
        raise Refusal(f"'{CLOUD_EVENTS}' is not published: this process reads for one tenant", "Choose a published dataset")
    world = settings if as_of is None else _past(settings, as_of)
    if as_of is None:
        say(_WAITS)
    with _events(world, wanted, own) as events:
        try:
            if chosen is None and to.suffix == ".parquet":
                events.write_parquet(str(to), compression="zstd")
                return int(pq.read_metadata(to).num_rows)
            count = 0

            def rows() -> Iterator[dict[str, Any]]:
                nonlocal count
                for batch in events.to_arrow_reader(_ROWS_AT_ONCE):
                    count += len(batch)
                    yield from output.plain_rows(exact_frame(pa.Table.from_batches([batch])))

            with to.open("w", encoding="utf-8", newline="") as stream:
                if (chosen or (Format.JSON if to.suffix == ".json" else Format.CSV)) is Format.JSON:
                    output.write_json(rows(), stream)
                else:
                    output.write_csv(rows(), list(events.columns), stream)
        except (OSError, duckdb.IOException) as error:
            raise _unwritable(to, error) from error
    return count


def _focus(deployment: Deployment, rows_of: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    from revenue_integrity.streams.cloud.focus import focus_1_2

    days = rows_of("account_service_day")
    try:
        names = rows_of("cloud_month") if "cloud_month" in _tables(deployment) else None
    except PublishError:
        names = None
    return focus_1_2(days, names, cast(Any, deployment.settings))


def _with_run_columns(deployment: Deployment, dataset: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Join what is no content: when a month was computed and up to which arrival, and how its sign-off stands."""
    found = [pd.Timestamp(month).date() for month in rows["month"].unique()]
    known = read_catalog(deployment.settings)
    records = {name: known.partition(f"recon.{dataset}", name) for name in found}
    status = _close_status(deployment, found).set_index("month")
    by_month = rows["month"].map(lambda month: pd.Timestamp(month).date())
    return rows.assign(
        as_of=rows["month"].map(status["as_of"]),
        reprocessed_at=by_month.map({name: record.computed_at if record else None for name, record in records.items()}),
        sign_off_status=rows["month"].map(status["status"]),
    )


def breaches(deployment: Deployment, month: date, *, recon: str | None, view: str) -> pd.DataFrame:
    """Return the rows in breach of a month with their causes and evidence, the largest variance first.

    Raises:
        UsageError: there is no such view or reconciliation.
        PublishError: the month is not published.
    """
    if view not in (CURRENT, AS_OF_CLOSE):
        raise UsageError(f"there is no view '{view}'", f"Views: {CURRENT}, {AS_OF_CLOSE}")
    results = _results_of_streams(deployment, month)
    names = sorted(results["recon"].unique())
    if recon is not None and recon not in names:
        raise UsageError(f"{months.label(month)} has no reconciliation '{recon}'", f"Reconciliations: {', '.join(names)}")
    chosen = results[(results["view"] == view) & (results["status"] == "breach")]
    chosen = chosen if recon is None else chosen[chosen["recon"] == recon]
    cents, values = chosen["variance_cents"].astype(object), chosen["variance_value"].astype(object)
    order = chosen.assign(size=cents.where(cents.notna(), values).map(abs)).sort_values(
        ["recon", "size", "row_key", "cause_no"], ascending=[True, False, True, True]
    )
    return order.drop(columns=["size", "row_key", "cause_no"]).reset_index(drop=True)


_CAUSE = ("cause_no", "family", "cause", "cause_cents", "link_id", "explanation", "evidence")
"""What the rows of a reconciliation with causes are shown with; those of others explain themselves."""


def _results_of_streams(deployment: Deployment, month: date) -> pd.DataFrame:
    """Return the reconciliations of every stream that has published the month, each row once per cause."""
    settings = deployment.settings
    tables = [rule.table for stream in deployment.streams for rule in stream.rules if rule.table.name.endswith("recon_results")]
    label = f"month={months.label(month)}"
    used = [table for table in tables if (settings.published_path / table.name / label).is_dir()]
    frames = []
    for table in used or tables[:1]:
        rows = publish.read_published(settings, table.name, [month])
        if "explanation" not in rows:
            key = ["recon", "view", "row_key"]
            causes = publish.read_published(settings, table.name.replace("results", "causes"), [month])
            rows = rows.merge(causes[[*key, *_CAUSE]], on=key, how="left")
        frames.append(rows if "cause_no" in rows else rows.assign(cause_no=1))
    # A column that only one stream has, or that is empty in one of them, would otherwise change its type.
    columns = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    return frames[0] if len(frames) == 1 else pd.concat([frame.reindex(columns=columns).astype(object) for frame in frames])


def _of_months(rows: pd.DataFrame, wanted: Sequence[date] | None) -> pd.DataFrame:
    """Return the rows of some months, and those that name none; a manifest without a month column is returned whole."""
    if wanted is None or "month" not in rows:
        return rows
    of_month = rows["month"].isna() | pd.to_datetime(rows["month"]).isin(pd.to_datetime(pd.Series(list(wanted))))
    return rows[of_month].reset_index(drop=True)


def _from_warehouse(
    deployment: Deployment, dataset: str, table: Table | None, wanted: Sequence[date] | None, tenant: str | None
) -> pd.DataFrame:
    settings = deployment.settings
    with database.connect(settings, read_only=True) as connection:
        if table is not None:
            rows = read_partitions(connection, table, settings.months if wanted is None else wanted)
            return rows if tenant is None else rows[rows["tenant_id"] == tenant].reset_index(drop=True)
        frames = [MANIFESTS[dataset](connection, name, wanted) for name in deployment.streams.names]
        return pd.concat(frames, ignore_index=True)


def quarantine(deployment: Deployment, wanted: Sequence[date] | None, *, say: Say) -> pd.DataFrame:
    """Return rejected batches and rows; the warehouse is asked where nothing is published yet."""
    try:
        return read(deployment, "quarantine", wanted, tenant=None, live=False, as_of=None, say=say)
    except PublishError:
        if not deployment.settings.warehouse_path.exists():
            raise PublishError("nothing was ingested so far", "Land a batch and run its months") from None
        return read(deployment, "quarantine", wanted, tenant=None, live=True, as_of=None, say=say)


def write(frame: pd.DataFrame, to: Path, chosen: Format | None) -> None:
    """Write rows to a file: Parquet or JSON by its ending or as chosen, otherwise CSV.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        if chosen is None and to.suffix == ".parquet":
            frame.to_parquet(to, index=False)
            return
        by_ending = Format.JSON if to.suffix == ".json" else Format.CSV
        with to.open("w", encoding="utf-8", newline="") as stream:
            output.show(frame, chosen or by_ending, stream)
    except OSError as error:
        raise _unwritable(to, error) from error


def _unwritable(to: Path, error: Exception) -> UsageError:
    # The engine's own errors carry no strerror.
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return UsageError(f"{to} cannot be written: {reason}", "Name another file")
