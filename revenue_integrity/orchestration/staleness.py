"""What must be recomputed: the comparison of what a partition was made from with what there is.

Belongs here: the present fingerprint of a partition and the plan that follows. Does not belong here: running it
(``orchestration.runner``, the sensor), storing fingerprints (``warehouse.catalog``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from revenue_integrity import months
from revenue_integrity.settings import Settings
from revenue_integrity.streams.rules import Reads, Rule
from revenue_integrity.streams.stream import Stream
from revenue_integrity.warehouse.catalog import ABSENT, Catalog, fingerprint, version_of_rule


@dataclass(frozen=True)
class StalePartition:
    """A table's month that must be recomputed, and why."""

    table: str
    month: date
    reason: str


def inputs_of(rule: Rule, month: date, catalog: Catalog, settings: Settings) -> dict[str, str]:
    """Return the hash of each slice that a rule reads for a month; a neighbour that is not there counts as absent."""
    hashes: dict[str, str] = {}
    for reads in rule.reads:
        for other in _months_read(reads, month, catalog, settings):
            found = (
                catalog.slice_hash(reads.table, other) if reads.layer == "raw" else catalog.content_hash(reads.qualified, other)
            )
            hashes[f"{reads.qualified}@{months.label(other)}"] = found or ABSENT
    return hashes


def _months_read(reads: Reads, month: date, catalog: Catalog, settings: Settings) -> Iterable[date]:
    last = months.add(month, reads.last_offset)
    if reads.first_offset is None:
        # All earlier months: only those that hold something, or the list would have no beginning.
        return [other for other in catalog.slice_months(reads.table) if other <= last]
    window = months.between(months.add(month, reads.first_offset), last)
    # Ingestion knows no months, so raw slices reach outside the deployment; computed tables do not.
    return window if reads.layer == "raw" else [other for other in window if other in settings.months]


def present_fingerprint(rule: Rule, month: date, catalog: Catalog, settings: Settings) -> tuple[str, dict[str, str]]:
    """Return the fingerprint that a partition would be computed with now, and the inputs in it."""
    inputs = inputs_of(rule, month, catalog, settings)
    return fingerprint(version_of_rule(rule), settings.values(*rule.settings), inputs), inputs


def stale_partitions(stream: Stream, wanted: Sequence[date], catalog: Catalog, settings: Settings) -> list[StalePartition]:
    """Return the partitions whose recorded fingerprint differs from the present one, in the order of the rules.

    What stands behind a stale table is not listed unless it differs by itself: recomputing may give the same rows.
    """
    stale = []
    for rule in stream.rules_in_order():
        for month in wanted:
            recorded = catalog.partition(rule.table.qualified, month)
            present, inputs = present_fingerprint(rule, month, catalog, settings)
            if recorded is None:
                stale.append(StalePartition(rule.table.qualified, month, "never computed"))
            elif recorded.fingerprint != present:
                stale.append(StalePartition(rule.table.qualified, month, _difference(recorded.inputs, inputs)))
    return stale


def _difference(recorded: Mapping[str, str], present: Mapping[str, str]) -> str:
    changed = sorted(name for name in recorded.keys() | present.keys() if recorded.get(name) != present.get(name))
    if not changed:
        return "code or settings changed"
    shown = ", ".join(changed[:3])
    return f"{shown} and {len(changed) - 3} more changed" if len(changed) > 3 else f"{shown} changed"
