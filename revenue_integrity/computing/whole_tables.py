"""Tables that belong to no month: made anew, whole, where anything that they read has changed, and published.

Belongs here: what such a table was made from, whether that still holds, making it. Does not belong here: tables of a month
(``table_month``), how rows are written and published (``warehouse``), when it is done, Dagster.

A dimension shows what is known now, whatever month it was told for: no month's figures rest on it, and no sign-off attests it.
It is made after the months that it reads, once for all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.ingestion import Manifest
from revenue_integrity.computing.versions import reached_by_rule, version_of_rule
from revenue_integrity.landing.slices import judging_sources
from revenue_integrity.model.query import only_known
from revenue_integrity.model.rule import Reads, Rule
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog, database, publish
from revenue_integrity.warehouse.catalog import Catalog, PartitionRecord
from revenue_integrity.warehouse.hashing import ordered_by
from revenue_integrity.warehouse.storage import arrow_schema, ensure_table, write_partition


@dataclass(frozen=True)
class Made:
    """What became of a table that was stale.

    Attributes:
        table: the table.
        rows: how many it has.
        content_hash: of its rows.
        is_new: whether they differ from what was published.
    """

    table: Table
    rows: int
    content_hash: str
    is_new: bool


def stale_rules(settings: Settings, stream: Stream) -> list[Rule]:
    """Return the rules whose tables were made from something else than there is now, or are not published as made."""
    return [rule for rule, _ in _stale(settings, stream)]


def state_of(settings: Settings, stream: Stream) -> str:
    """Return the hash of everything that the stale tables of a stream would be made from; empty if none is stale."""
    stale = _stale(settings, stream)
    return sha256_of([state.fingerprint for _, state in stale]) if stale else ""


def _stale(settings: Settings, stream: Stream) -> "list[tuple[Rule, _State]]":
    known, manifest = catalog.read_catalog(settings), ingestion.read_manifest(settings, stream)
    if not manifest.seen:
        return []
    states = ((rule, _state(rule, stream, known, manifest, settings)) for rule in stream.whole)
    return [(rule, state) for rule, state in states if not _stands(rule, state, known, settings)]


def make(rule: Rule, stream: Stream, settings: Settings) -> Made:
    """Make a table that belongs to no month, and publish it.

    Raises:
        SchemaViolation: rows do not fit the table's declaration; what stood there stays.
        PublishError: a file cannot be written; what was published stays.
    """
    record, own = compute(rule, stream, settings), rule.table
    with database.connect(settings) as connection:
        columns = ", ".join(f'"{name}"' for name in own.columns)
        rows = connection.sql(f"select {columns} from {own.qualified}{ordered_by(own.key)}").to_arrow_table()
    is_new = publish.publish(
        settings,
        own,
        None,
        rows.cast(arrow_schema(own)),
        content_hash=record.content_hash,
        as_of=ingestion.latest_arrival(settings, stream),
        code_version=record.code_version,
        batches=[],
        checks=[],
    )
    return Made(own, record.rows, record.content_hash, is_new)


def compute(rule: Rule, stream: Stream, settings: Settings) -> PartitionRecord:
    """Bring a table that belongs to no month up to date in the warehouse; return what is on record of it.

    Raises:
        SchemaViolation: rows do not fit the table's declaration; what stood there stays.
    """
    own, computed = rule.table, {each.table.qualified: each.table for each in stream.rules}
    known = catalog.read_catalog(settings)
    state = _state(rule, stream, known, ingestion.read_manifest(settings, stream), settings)
    recorded = known.partition(own.qualified, None)
    if recorded is not None and recorded.fingerprint == state.fingerprint:
        return recorded
    with only_known(reached_by_rule(rule).sql):
        # It belongs to no month, so its rule looks at none.
        value = rule.function(settings.months[-1], settings.of_stream(stream.name))
    with database.connect(settings) as connection:
        for reads in rule.reads:
            if reads.qualified in computed:
                ensure_table(connection, computed[reads.qualified])
        with database.transaction(connection):
            written = write_partition(connection, own, None, value)
            catalog.record(
                connection,
                own,
                None,
                made_from=state.fingerprint,
                content_hash=written.content_hash,
                rows=written.rows,
                code_version=state.code_version,
                settings=state.settings,
                inputs=state.inputs,
            )
        catalog.refresh(connection, settings, catalog.NO_MONTH)
    return PartitionRecord(
        state.fingerprint, written.content_hash, written.rows, state.code_version, state.settings, state.inputs, ""
    )


@dataclass(frozen=True)
class _State:
    """What a table is made from now."""

    code_version: str
    settings: Mapping[str, str]
    inputs: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        return catalog.fingerprint(self.code_version, self.settings, self.inputs)


def _state(rule: Rule, stream: Stream, known: Catalog, manifest: Manifest, settings: Settings) -> _State:
    inputs = {}
    for reads in rule.reads:
        if reads.layer == "raw":
            of_months = {months.label(month): known.slice_hash(reads.table, month) for month in known.slice_months(reads.table)}
            inputs[reads.qualified] = sha256_of([_batches(reads, stream, manifest), of_months])
        else:
            held = {name: each.content_hash for name, each in known.partitions.items() if name.startswith(f"{reads.qualified}@")}
            inputs[reads.qualified] = sha256_of(held)
    return _State(version_of_rule(rule), settings.of_stream(stream.name).values(*rule.settings), inputs)


def _batches(reads: Reads, stream: Stream, manifest: Manifest) -> dict[str, str]:
    """Return what was seen of each batch of a source, and of the sources by which its rows are judged.

    Of a source without service months a batch may matter to no month of the deployment, and yet to what is known now.
    """
    own = {source.name for source in stream.sources if source.dataset == reads.table or source.name in reads.sources}
    judges = own.union(*(judging_sources(source, stream.sources) for source in stream.sources if source.name in own))
    places = tuple(source.prefix for source in stream.sources if source.name in judges)
    return {batch: look for batch, look in manifest.seen.items() if batch.startswith(places)}


def _stands(rule: Rule, state: _State, known: Catalog, settings: Settings) -> bool:
    recorded = known.partition(rule.table.qualified, None)
    if recorded is None or recorded.fingerprint != state.fingerprint:
        return False
    facts = publish.facts_of(publish.directory_of(settings, rule.table, None) / "data.parquet")
    return facts is not None and facts.content_hash == recorded.content_hash
