"""Reading datasets for people: as published, live, or of a past world.

Belongs here: finding a dataset by name and returning its rows. Does not belong here: printing them (``output``).
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from revenue_integrity import months, output
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Ledger, as_frame
from revenue_integrity.close.restatement import COLUMNS
from revenue_integrity.close.schemas import AS_OF_CLOSE, CURRENT
from revenue_integrity.errors import PublishError, UsageError
from revenue_integrity.landing.datasets import read_batches, read_quarantine
from revenue_integrity.orchestration import close
from revenue_integrity.orchestration.publication import CHECKS
from revenue_integrity.orchestration.runner import past_world
from revenue_integrity.output import Format
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import STREAMS
from revenue_integrity.warehouse import database, publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity.warehouse.storage import read_partitions
from revenue_integrity.warehouse.table import Table

Say = Callable[[str], None]

MANIFESTS = {"batches": read_batches, "quarantine": read_quarantine}
"""Datasets that belong to a stream rather than to a month."""


def _restatements(settings: Settings, wanted: Sequence[date]) -> pd.DataFrame:
    signed = [month for month in wanted if freeze.frozen_versions(settings, month)]
    frames = [close.restatement(settings, month) for month in signed]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _ledger(settings: Settings, wanted: Sequence[date]) -> pd.DataFrame:
    labels = {months.label(month) for month in wanted}
    return as_frame([entry for entry in Ledger(settings).entries() if entry.month in labels])


DERIVED: dict[str, Callable[[Settings, Sequence[date]], pd.DataFrame]] = {
    "close_status": close.close_status,
    "sign_off_ledger": _ledger,
    "restatement": _restatements,
}
"""Datasets that are derived whenever somebody asks, and stored nowhere."""


def table_named(dataset: str) -> Table | None:
    """Return the table of a dataset, ``None`` for manifests; raise ``UsageError`` with the names that there are."""
    tables = {rule.table.name: rule.table for stream in STREAMS for rule in stream.rules}
    if dataset in MANIFESTS or dataset == CHECKS:
        return None
    if dataset not in tables:
        named = ", ".join(sorted([*tables, *MANIFESTS, *DERIVED, CHECKS]))
        raise UsageError(f"there is no dataset '{dataset}'", f"Datasets: {named}")
    return tables[dataset]


def read(
    settings: Settings,
    dataset: str,
    wanted: Sequence[date] | None,
    *,
    tenant: str | None,
    live: bool,
    as_of: datetime | None,
    say: Say,
) -> pd.DataFrame:
    """Return a dataset's rows of some months (``None``: all): as published, or from a warehouse.

    Raises:
        UsageError: there is no such dataset, or it knows no tenants.
        PublishError: nothing of it is published for these months, or the past world was not computed.
    """
    if dataset in DERIVED and as_of is None:
        return DERIVED[dataset](settings, settings.months if wanted is None else wanted)
    if dataset == CHECKS and (live or as_of is not None):
        raise UsageError(f"'{CHECKS}' stands in no warehouse", "Leave out --live and --as-of, or look at the checks in the UI")
    table = table_named(dataset)
    if tenant is not None:
        raise UsageError(f"'{dataset}' knows no tenants", "Leave out --tenant")
    if as_of is not None:
        settings = past_world(settings, as_of)
        if not settings.warehouse_path.exists():
            raise PublishError(
                f"the world as of {as_of:%Y%m%dT%H%M%SZ} was not computed", f"Run `run --as-of {as_of:%Y%m%dT%H%M%SZ}` first"
            )
        return _from_warehouse(settings, dataset, table, wanted)
    if live:
        say("Reading the warehouse itself; this waits for its turn while months are computed.")
        return _from_warehouse(settings, dataset, table, wanted)
    if table is None:
        return _of_months(publish.read_published(settings, dataset, None), wanted)
    rows = publish.read_published(settings, dataset, wanted)
    return _with_run_columns(settings, rows) if dataset == "recon_summary" else rows


def _with_run_columns(settings: Settings, rows: pd.DataFrame) -> pd.DataFrame:
    """Join what is no content: when a month was computed and up to which arrival, and how its sign-off stands."""
    found = [pd.Timestamp(month).date() for month in rows["month"].unique()]
    known = read_catalog(settings)
    records = {name: known.partition("recon.recon_summary", name) for name in found}
    status = close.close_status(settings, found).set_index("month")
    by_month = rows["month"].map(lambda month: pd.Timestamp(month).date())
    return rows.assign(
        as_of=rows["month"].map(status["as_of"]),
        reprocessed_at=by_month.map({name: record.computed_at if record else None for name, record in records.items()}),
        sign_off_status=rows["month"].map(status["status"]),
    )


def breaches(settings: Settings, month: date, *, recon: str | None, view: str) -> pd.DataFrame:
    """Return the rows in breach of a month with their causes and evidence, the largest variance first.

    Raises:
        UsageError: there is no such view or reconciliation.
        PublishError: the month is not published.
    """
    if view not in (CURRENT, AS_OF_CLOSE):
        raise UsageError(f"there is no view '{view}'", f"Views: {CURRENT}, {AS_OF_CLOSE}")
    results = publish.read_published(settings, "recon_results", [month])
    causes = publish.read_published(settings, "recon_causes", [month])
    names = sorted(results["recon"].unique())
    if recon is not None and recon not in names:
        raise UsageError(f"{months.label(month)} has no reconciliation '{recon}'", f"Reconciliations: {', '.join(names)}")
    chosen = results[(results["view"] == view) & (results["status"] == "breach")]
    chosen = chosen if recon is None else chosen[chosen["recon"] == recon]
    joined = chosen.merge(
        causes[["recon", "view", "row_key", "cause_no", "family", "cause", "cause_cents", "link_id", "explanation", "evidence"]],
        on=["recon", "view", "row_key"],
        how="left",
    )
    size = joined["variance_cents"].fillna(joined["variance_value"]).abs()
    order = joined.assign(size=size).sort_values(["recon", "size", "row_key", "cause_no"], ascending=[True, False, True, True])
    return order.drop(columns=["size", "row_key", "cause_no"]).reset_index(drop=True)


def _of_months(rows: pd.DataFrame, wanted: Sequence[date] | None) -> pd.DataFrame:
    """Return the rows of some months, and those that name none; a manifest without a month column is returned whole."""
    if wanted is None or "month" not in rows:
        return rows
    of_month = rows["month"].isna() | pd.to_datetime(rows["month"]).isin(pd.to_datetime(pd.Series(list(wanted))))
    return rows[of_month].reset_index(drop=True)


def _from_warehouse(settings: Settings, dataset: str, table: Table | None, wanted: Sequence[date] | None) -> pd.DataFrame:
    with database.connect(settings, read_only=True) as connection:
        if table is not None:
            return read_partitions(connection, table, settings.months if wanted is None else wanted)
        frames = [MANIFESTS[dataset](connection, stream.name, wanted) for stream in STREAMS]
        return pd.concat(frames, ignore_index=True)


def quarantine(settings: Settings, wanted: Sequence[date] | None, *, say: Say) -> pd.DataFrame:
    """Return rejected batches and rows; the warehouse is asked where nothing is published yet."""
    try:
        return read(settings, "quarantine", wanted, tenant=None, live=False, as_of=None, say=say)
    except PublishError:
        if not settings.warehouse_path.exists():
            raise PublishError("nothing was ingested so far", "Land a batch and run its months") from None
        return read(settings, "quarantine", wanted, tenant=None, live=True, as_of=None, say=say)


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
        raise UsageError(f"{to} cannot be written: {error.strerror}", "Name another file") from error
