"""What must be recomputed: the comparison of what a partition was made from with what there is.

Belongs here: the present fingerprint of a partition and the plan that follows. Does not belong here: running it
(``orchestration.runner``, the sensor), storing fingerprints (``warehouse.catalog``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing.ingestion import Manifest
from revenue_integrity.computing.versions import judged_tables, version_of_rule
from revenue_integrity.model.rule import Reads, Rule
from revenue_integrity.model.source import Source
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import ABSENT, Catalog, PartitionRecord, fingerprint


@dataclass(frozen=True)
class StalePartition:
    """A table's month that must be recomputed, and why."""

    table: str
    month: date
    reason: str


def inputs_of(rule: Rule, month: date, catalog: Catalog, settings: Settings) -> dict[str, str]:
    """Return the hash of each slice that a rule reads for a month; a neighbour that is not there counts as absent."""
    return hashes_read(rule.reads, month, catalog, settings)


def hashes_read(read: Iterable[Reads], month: date, catalog: Catalog, settings: Settings) -> dict[str, str]:
    """Return the hash of each slice that is read for a month; a neighbour that is not there counts as absent."""
    hashes: dict[str, str] = {}
    for reads in read:
        if reads.by_day:
            hashes |= _days_read(reads, month, catalog)
            continue
        for other in _months_read(reads, month, catalog, settings):
            found = (
                catalog.slice_hash(reads.table, other) if reads.layer == "raw" else catalog.content_hash(reads.qualified, other)
            )
            hashes[f"{reads.qualified}@{months.label(other)}"] = found or ABSENT
    return hashes


def _days_read(reads: Reads, month: date, catalog: Catalog) -> dict[str, str]:
    """Return the hash of each day that a rule reads of a table, by ``<layer>.<table>/<day>``."""
    if reads.layer == "raw":
        found: Mapping[str, str] = catalog.day_hashes(reads.table, month)
    else:
        record = catalog.partition(reads.qualified, month)
        found = record.slices if record else {}
    return {f"{reads.qualified}/{day}": each for day, each in found.items()}


def stale_days(
    recorded: PartitionRecord | None, code_version: str, settings: Mapping[str, str], inputs: Mapping[str, str]
) -> list[date]:
    """Return the days of a table that is kept in slices for which what it reads differs from what it was made from.

    Other code or settings make every day differ, and so does an input that is not read by day.
    """
    known = recorded.inputs if recorded else {}
    differing = {name for name in known.keys() | inputs.keys() if known.get(name) != inputs.get(name)}
    of_day = {name: name.rsplit("/", 1)[1] for name in known.keys() | inputs.keys() if "/" in name}
    whole = recorded is None or recorded.code_version != code_version or dict(recorded.settings) != dict(settings)
    if whole or differing - of_day.keys():
        # What was kept for a day that nothing is read for any more must go, too.
        differing = set(of_day) | {f"/{day}" for day in (recorded.slices if recorded else {})}
        of_day |= {name: name.rsplit("/", 1)[1] for name in differing}
    return sorted({date.fromisoformat(of_day[name]) for name in differing})


def _months_read(reads: Reads, month: date, catalog: Catalog, settings: Settings) -> Iterable[date]:
    last = months.add(month, reads.last_offset)
    if reads.before_deployment:
        return [other for other in catalog.slice_months(reads.table) if other < settings.months[0]]
    if reads.first_offset is None and reads.layer != "raw":
        return [other for other in settings.months if other <= last]
    if reads.first_offset is None:
        # All earlier months: only those that hold something, or the list would have no beginning.
        return [other for other in catalog.slice_months(reads.table) if other <= last]
    window = months.between(months.add(month, reads.first_offset), last)
    # Ingestion knows no months, so raw slices reach outside the deployment; computed tables do not.
    return window if reads.layer == "raw" else [other for other in window if other in settings.months]


def present_fingerprint(rule: Rule, month: date, catalog: Catalog, settings: Settings) -> tuple[str, dict[str, str]]:
    """Return the fingerprint that a partition would be computed with now, and the inputs in it."""
    inputs = inputs_of(rule, month, catalog, settings)
    used = settings.of_stream(rule.table.stream).values(*rule.settings)
    return fingerprint(version_of_rule(rule), used, inputs), inputs


def raw_record(source: Source, month: date, catalog: Catalog, manifest: Manifest) -> dict[str, Any]:
    """Return what goes on record of a raw partition: the batches that touch it, and the rows that matter to it."""
    touching = manifest.fingerprint(source.name, month)
    rows = catalog.slice_hash(source.dataset, month) or ABSENT
    return {
        "made_from": sha256_of([touching, rows]),
        "content_hash": sha256_of(rows),
        "code_version": manifest.built_by,
        "settings": {},
        "inputs": {"rows": rows, **dict(manifest.batches(source.name, month))},
    }


def new_batches(stream: Stream, month: date, catalog: Catalog, manifest: Manifest) -> list[str]:
    """Return the batches that touch a month and were not there when its raw partitions were recorded."""
    found: set[str] = set()
    for source in stream.sources:
        recorded = catalog.partition(f"raw.{source.dataset}", month)
        known = recorded.inputs if recorded else {}
        found |= {batch_id for batch_id, digest in manifest.batches(source.name, month) if known.get(batch_id) != digest}
    return sorted(found)


def due_months(stream: Stream, catalog: Catalog, settings: Settings) -> list[date]:
    """Return the months that are computed unless somebody asks for others: from the first to the last that rows name.

    Contracts alone would fill every month before and to come with charges that nobody could have billed. Whoever sets
    ``first_month`` says where the deployment begins, whatever was delivered of it; a demo begins with the months that it is
    about. Where no source with service months has delivered, all months are due.
    """
    named = [month for source in stream.sources if source.has_month for month in catalog.slice_months(source.dataset)]
    if not named:
        return settings.months
    first = settings.months[0] if settings.names("first_month") else settings.simulated_from or min(named)
    return [month for month in settings.months if first <= month <= max(named)]


def stale_sources(stream: Stream, wanted: Sequence[date], catalog: Catalog, manifest: Manifest) -> list[StalePartition]:
    """Return the raw partitions that other batches touch now than when they were recorded."""
    stale = []
    for source in stream.sources:
        for month in wanted:
            recorded = catalog.partition(f"raw.{source.dataset}", month)
            present = raw_record(source, month, catalog, manifest)
            if recorded is None:
                stale.append(StalePartition(f"raw.{source.dataset}", month, "never computed"))
            elif recorded.fingerprint != present["made_from"]:
                stale.append(StalePartition(f"raw.{source.dataset}", month, "batches changed"))
    return stale


def stale_partitions(stream: Stream, wanted: Sequence[date], catalog: Catalog, settings: Settings) -> list[StalePartition]:
    """Return the partitions whose recorded fingerprint differs from the present one, in the order of the rules.

    What stands behind a stale table is not listed unless it differs by itself: recomputing may give the same rows.
    """
    stale: list[StalePartition] = []
    for rule in stream.rules_in_order():
        for month in wanted:
            recorded = catalog.partition(rule.table.qualified, month)
            present, inputs = present_fingerprint(rule, month, catalog, settings)
            if recorded is None:
                stale.append(StalePartition(rule.table.qualified, month, "never computed"))
            elif recorded.fingerprint != present:
                stale.append(StalePartition(rule.table.qualified, month, _difference(rule, recorded, inputs)))
    return stale


def unjudged_tables(stream: Stream, month: date, settings: Settings) -> frozenset[str]:
    """Return the tables of a published month of which other checks judged than there are now, or with other settings.

    They are judged again, and nothing is computed for it.
    """
    judged = publish.judged(settings, stream.name, month)
    return frozenset(table for table, by in judged_tables(stream, settings).items() if judged.get(table) != by)


def behind(stream: Stream, tables: Collection[str] | None) -> frozenset[str]:
    """Return tables of a month and everything of the same month that is made from them (``None``: everything)."""
    if tables is None:
        sources = (f"raw.{source.dataset}" for source in stream.sources)
        return frozenset([*sources, *(rule.table.qualified for rule in stream.rules)])
    found = set(tables)
    for rule in stream.rules_in_order():
        if any(_names_behind(reads) & found for reads in rule.reads if reads.covers_own_month):
            found.add(rule.table.qualified)
    return frozenset(found)


def _names_behind(reads: Reads) -> set[str]:
    """Return the tables by which something read is reached: of a slice of the store, those of the sources that it is made from.

    A row that is set aside changes no slice, and its warning is a judgement of what stands on the slices.
    """
    return {reads.qualified, *(f"raw.{source}" for source in reads.sources)}


def present_states(stream: Stream, month: date, catalog: Catalog, settings: Settings) -> dict[str, str]:
    """Return the present fingerprint of each table of a month."""
    return {rule.table.qualified: present_fingerprint(rule, month, catalog, settings)[0] for rule in stream.rules_in_order()}


def _difference(rule: Rule, recorded: PartitionRecord, present: Mapping[str, str]) -> str:
    known = recorded.inputs
    changed = sorted(name for name in known.keys() | present.keys() if known.get(name) != present.get(name))
    if not changed:
        return "code changed" if recorded.code_version != version_of_rule(rule) else "settings changed"
    shown = ", ".join(changed[:3])
    return f"{shown} and {len(changed) - 3} more changed" if len(changed) > 3 else f"{shown} changed"
