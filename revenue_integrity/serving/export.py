"""Reading datasets for people: as published, live, or of a past world.

Belongs here: the rows of a dataset by its name. Does not belong here: which datasets there are (``catalogue``), printing them
(``output``), writing them to files (``writing``).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import duckdb
import pandas as pd

from revenue_integrity.computing.horizon import delivered_months
from revenue_integrity.desk.close_status import close_rows
from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.errors import PublishError, Refusal, UsageError, no_such
from revenue_integrity.landing.datasets import read_batches, read_corrections, read_data_rules, read_quarantine
from revenue_integrity.model.dataset import Composed, Streamed
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.model.table import Table
from revenue_integrity.serving.catalogue import (
    RECON_SUMMARY,
    Dataset,
    Manifest,
    Stored,
    United,
    Whole,
    dataset_named,
    has_tenants,
)
from revenue_integrity.serving.derived import Derived
from revenue_integrity.serving.tenants import tenant_of
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database, publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity.warehouse.storage import exact_frame, read_all, read_partitions

Say = Callable[[str], None]

_WAITS = "Reading the warehouse itself; this waits for its turn while months are computed."
_MANIFESTS = {
    "batches": read_batches,
    "quarantine": read_quarantine,
    "corrections": read_corrections,
    "data_rules": read_data_rules,
}


@dataclass(frozen=True)
class Asked:
    """What somebody wants to read, and whence.

    Attributes:
        deployment: the home.
        streams: the streams whose rows are wanted.
        wanted: the months; ``None`` for all.
        tenant: whose rows; ``None`` for those of all.
        live: whether to read the warehouse instead of what is published.
        as_of: for a past world, the instant that it was computed for.
        say: tells the person that it may take a while.
        open_evidence: opens the record of the home's runs, on which the status of a close rests.
    """

    deployment: Deployment
    streams: Streams
    wanted: Sequence[date] | None
    tenant: str | None
    live: bool
    as_of: datetime | None
    say: Say
    open_evidence: OpenEvidence

    @property
    def from_warehouse(self) -> bool:
        """Whether a warehouse is read."""
        return self.live or self.as_of is not None

    @property
    def months(self) -> Sequence[date]:
        """The months; all of the deployment unless some are wanted."""
        return self.deployment.settings.months if self.wanted is None else self.wanted

    def world(self) -> Settings:
        """Return the settings of the home whose warehouse is read.

        Raises:
            PublishError: the past world was not computed.
        """
        if self.as_of is None:
            self.say(_WAITS)
            return self.deployment.settings
        world = self.deployment.settings.past_world(self.as_of)
        if not world.warehouse_path.exists():
            named = f"{self.as_of:%Y%m%dT%H%M%SZ}"
            raise PublishError(f"the world as of {named} was not computed", f"Run `run --as-of {named}` first")
        return world


def asked_for(
    deployment: Deployment,
    name: str,
    wanted: Sequence[date] | None,
    *,
    stream: str | None = None,
    tenant: str | None,
    live: bool,
    as_of: datetime | None,
    say: Say,
    open_evidence: OpenEvidence,
) -> tuple[Dataset, Asked]:
    """Return a dataset and what is read of it, if it may be read so.

    Raises:
        UsageError: there is no such dataset (of the stream), it knows no tenants, or it stands in no warehouse.
        Refusal: the process reads for a tenant, and this is not its published data.
    """
    settings = deployment.settings
    own = tenant_of(settings, tenant)
    streams = deployment.streams if stream is None else deployment.streams.only(stream)
    dataset = dataset_named(streams, name)
    if settings.tenant is not None:
        if live or as_of is not None or isinstance(dataset, Streamed):
            raise Refusal("this process reads for one tenant", "Only what is published can be read: leave out --live and --as-of")
        if not has_tenants(dataset):
            raise Refusal(f"'{name}' is not a tenant's own: this process reads for one tenant", "Choose a dataset with tenants")
    if own is not None and not has_tenants(dataset):
        raise UsageError(f"'{name}' knows no tenants", "Leave out --tenant")
    if isinstance(dataset, Derived) and stream is not None:
        raise UsageError(f"'{name}' is of no single stream", "Leave out --stream")
    if isinstance(dataset, Derived) and as_of is not None:
        raise UsageError(f"'{name}' stands in no warehouse", "Leave out --as-of")
    if isinstance(dataset, United) and not dataset.in_warehouse and (live or as_of is not None):
        raise UsageError(f"'{name}' stands in no warehouse", "Leave out --live and --as-of, or look at the checks in the UI")
    return dataset, Asked(deployment, streams, wanted, own, live, as_of, say, open_evidence)


def read(
    deployment: Deployment,
    name: str,
    wanted: Sequence[date] | None,
    *,
    stream: str | None = None,
    tenant: str | None,
    live: bool,
    as_of: datetime | None,
    say: Say,
    open_evidence: OpenEvidence,
) -> pd.DataFrame:
    """Return a dataset's rows of some months (``None``: all): as published, or from a warehouse.

    With ``stream``, only what that stream has of it. With ``tenant``, only what belongs to it; a process that reads for a tenant
    gets nothing else.

    Raises:
        UsageError: there is no such dataset, it knows no tenants, or it stands in no warehouse.
        PublishError: nothing of it is published for these months, or the past world was not computed.
        Refusal: the process reads for a tenant, and this is not its published data.
    """
    return rows_of(
        *asked_for(
            deployment,
            name,
            wanted,
            stream=stream,
            tenant=tenant,
            live=live,
            as_of=as_of,
            say=say,
            open_evidence=open_evidence,
        )
    )


def rows_of(dataset: Dataset, asked: Asked) -> pd.DataFrame:
    """Return the rows of a dataset that are asked for.

    Raises:
        PublishError: nothing of it is published for these months, or the past world was not computed.
    """
    match dataset:
        case Derived():
            wanted = delivered_months(asked.deployment.settings) if asked.wanted is None else asked.wanted
            return dataset.read(asked.deployment, asked.open_evidence, wanted)
        case Streamed():
            with opened(dataset, asked) as rows:
                return exact_frame(rows.to_arrow_table())
        case Manifest():
            return _manifest(asked, dataset.name)
        case Whole(table):
            return _whole(asked, table)
    read_table = _reading(asked)
    match dataset:
        case Stored(table):
            return read_table(table)
        case United():
            return _united(dataset, read_table)
        case Composed():
            return _composed(asked.deployment.settings, dataset, read_table)


@contextmanager
def opened(dataset: Streamed, asked: Asked) -> Iterator[duckdb.DuckDBPyRelation]:
    """Yield the rows of a dataset by the million where they stand; the warehouse knows which they are."""
    world = asked.world()
    with database.connect(world, read_only=True) as connection:
        yield dataset.relation(connection, world, asked.months, asked.tenant)


ReadTable = Callable[[Table], pd.DataFrame]
"""The rows of a table that are asked for."""


def _reading(asked: Asked) -> ReadTable:
    """Return how the rows of a table are read: from the warehouse, or as published with what is joined when it is read."""
    deployment = asked.deployment
    if asked.from_warehouse:
        world = asked.world()

        def from_warehouse(table: Table) -> pd.DataFrame:
            if table.name in _MANIFESTS:
                return _manifest(asked, table.name)
            with database.connect(world, read_only=True) as connection:
                rows = read_partitions(connection, table, asked.months)
            own = rows if asked.tenant is None else rows[rows["tenant_id"] == asked.tenant].reset_index(drop=True)
            if own.empty and not rows.empty:
                _refuse_unknown_tenant(asked, rows["tenant_id"].unique().tolist())
            return _with_former_names(table, own)

        return from_warehouse
    summaries = [stream.dataset(RECON_SUMMARY) for stream in asked.streams]

    def as_published(table: Table) -> pd.DataFrame:
        if table.name in _MANIFESTS:
            return _manifest(asked, table.name)
        try:
            found = publish.read_published(deployment.settings, table, asked.wanted, tenant=asked.tenant)
        except PublishError:
            _refuse_unknown_tenant(asked, publish.tenants_of(deployment.settings, table.name))
            raise
        rows = _with_former_names(table, found)
        return _with_run_columns(asked, table, rows) if table.name in summaries else rows

    return as_published


def _refuse_unknown_tenant(asked: Asked, known: Sequence[str]) -> None:
    """Refuse a tenant that is none; a process that reads for one tenant learns of no other.

    Raises:
        UsageError: there is no such tenant; the message names those that there are.
    """
    if asked.tenant is not None and known and asked.tenant not in known and asked.deployment.settings.tenant is None:
        raise no_such("tenant", asked.tenant, sorted(known), "Tenants")


def _with_former_names(table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """Add a copy of each renamed column under its former name, as published files have it, whatever release wrote the file."""
    return rows.assign(**{former: rows[name] for name, former in table.formerly.items()})


def _whole(asked: Asked, table: Table) -> pd.DataFrame:
    """Return the rows of a table that belongs to no month, whatever months are asked for."""
    if not asked.from_warehouse:
        return publish.read_published(asked.deployment.settings, table, None)
    with database.connect(asked.world(), read_only=True) as connection:
        return read_all(connection, table)


def _manifest(asked: Asked, name: str) -> pd.DataFrame:
    """Return what is known of the streams' deliveries."""
    if asked.from_warehouse:
        return _manifest_in(asked.world(), asked.streams, name, asked.wanted)
    return _published_manifest(asked.deployment.settings, asked.streams, name, asked.wanted)


def _published_manifest(settings: Settings, streams: Streams, name: str, wanted: Sequence[date] | None) -> pd.DataFrame:
    """Return a manifest as published; it is published whole, so months are chosen here."""
    rows = _of_months(publish.read_published(settings, name, None), wanted)
    return rows[rows["batch_id"].str.split("/").str[0].isin(streams.names)].reset_index(drop=True)


def _manifest_in(world: Settings, streams: Streams, name: str, wanted: Sequence[date] | None) -> pd.DataFrame:
    """Return a manifest as a warehouse holds it."""
    with database.connect(world, read_only=True) as connection:
        return pd.concat([_MANIFESTS[name](connection, stream, wanted) for stream in streams.names], ignore_index=True)


def _of_months(rows: pd.DataFrame, wanted: Sequence[date] | None) -> pd.DataFrame:
    """Return the rows of some months, and those that name none; a manifest without a month column is returned whole."""
    if wanted is None or "month" not in rows:
        return rows
    of_month = rows["month"].isna() | pd.to_datetime(rows["month"]).isin(pd.to_datetime(pd.Series(list(wanted))))
    return rows[of_month].reset_index(drop=True)


def _united(dataset: United, read_table: ReadTable) -> pd.DataFrame:
    """Return the rows of all streams that have published the months; raise ``PublishError`` if none has."""
    frames: list[pd.DataFrame] = []
    missing: PublishError | None = None
    for table in dataset.tables:
        try:
            frames.append(read_table(table))
        except PublishError as error:
            # The stream is not in use, or not in these months.
            missing = missing or error
    if missing is not None and not frames:
        raise missing
    # What has no rows says nothing, and its columns would change the types of the others.
    further = [frame for frame in frames[1:] if not frame.empty]
    return in_one([*frames[:1], *further]).sort_values(list(dataset.order), kind="stable", ignore_index=True)


def in_one(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return frames of several streams as one; what only some of them have is empty for the others."""
    if len(frames) == 1:
        return frames[0]
    # As objects: a column that is empty on one side, or there only, would otherwise change the type of exact numbers.
    columns = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    return pd.concat([frame.astype(object).reindex(columns=columns, fill_value=None) for frame in frames], ignore_index=True)


def _composed(settings: Settings, composed: Composed, read_table: ReadTable) -> pd.DataFrame:
    frames: dict[str, pd.DataFrame | None] = {table.name: read_table(table) for table in composed.reads}
    for table in composed.if_published:
        try:
            frames[table.name] = read_table(table)
        except PublishError:
            frames[table.name] = None
    return composed.function(settings, **frames)


def _with_run_columns(asked: Asked, table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """Join what is no content: when a month was computed and up to which arrival, and how its sign-off stands."""
    found = [pd.Timestamp(month).date() for month in rows["month"].unique()]
    known = read_catalog(asked.deployment.settings)
    records = {name: known.partition(table.qualified, name) for name in found}
    with asked.open_evidence(asked.deployment) as evidence:
        stands = {
            row.facts.month: row
            for row in close_rows(asked.deployment, evidence, found)
            # The status of a month is that of the book of the stream.
            if table.stream in row.streams
        }
    by_month = rows["month"].map(lambda month: pd.Timestamp(month).date())
    return rows.assign(
        as_of=by_month.map({month: row.facts.as_of for month, row in stands.items()}),
        reprocessed_at=by_month.map({name: record.computed_at if record else None for name, record in records.items()}),
        sign_off_status=by_month.map({month: str(row.status) for month, row in stands.items()}),
    )


def quarantine(deployment: Deployment, wanted: Sequence[date] | None, *, say: Say) -> pd.DataFrame:
    """Return rejected batches and rows; the warehouse is asked where nothing is published yet."""
    try:
        return _published_manifest(deployment.settings, deployment.streams, "quarantine", wanted)
    except PublishError:
        if not deployment.settings.warehouse_path.exists():
            raise PublishError("nothing was ingested so far", "Land a batch and run its months") from None
        say(_WAITS)
        return _manifest_in(deployment.settings, deployment.streams, "quarantine", wanted)
