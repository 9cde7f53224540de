"""The plan of a run: which months there is anything to do about and why, and in which steps it is done.

Belongs here: what follows from comparing what was made with what there is. Does not belong here: the comparison itself
(``staleness``), what only the record of runs knows (a run that was refused or interrupted), starting anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from revenue_integrity.computing.ingestion import Manifest, read_manifest
from revenue_integrity.computing.publication import is_published
from revenue_integrity.computing.publication_tables import publication_table
from revenue_integrity.computing.staleness import behind, stale_partitions, stale_sources, unjudged_tables
from revenue_integrity.landing.datasets import batches_table, quarantine_table
from revenue_integrity.model.source import raw_table
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import read_catalog


@dataclass(frozen=True)
class StaleMonth:
    """A month that there is something to do about.

    Attributes:
        reasons: why, the first of which is told.
        tables: the tables that differ, which are made again with everything behind them (``None``: all).
        unjudged: tables that other checks judged than there are now, which are only judged again.
    """

    reasons: tuple[str, ...]
    tables: frozenset[str] | None = None
    unjudged: frozenset[str] = frozenset()

    @property
    def reason(self) -> str:
        """Why, in few words."""
        return self.reasons[0]


@dataclass(frozen=True)
class Undone:
    """A month whose record of runs asks for another run.

    Attributes:
        why: the reason, in few words.
        whole: whether the whole month is run again even where only some of its tables are stale: what is known of the others
            counts for nothing.
    """

    why: str
    whole: bool = False


def with_undone(stale: Mapping[date, StaleMonth], undone: Mapping[date, Undone]) -> dict[date, StaleMonth]:
    """Return what there is to do about months by what is stale and by the record of runs, in order of months."""
    asked = {month: StaleMonth((each.why,)) for month, each in undone.items() if each.whole or month not in stale}
    return dict(sorted({**stale, **asked}.items()))


@dataclass(frozen=True)
class Step:
    """What is done at once: a month and the tables in it that are made and judged, what was landed and published among them."""

    month: date
    tables: tuple[Table, ...]
    reason: str


def stale_months(stream: Stream, wanted: Sequence[date], settings: Settings) -> dict[date, StaleMonth]:
    """Return the months with other inputs, code or settings than were computed, another publication, or changed checks."""
    known = read_catalog(settings)
    manifest = read_manifest(settings, stream)
    reasons: dict[date, list[str]] = {}
    tables: dict[date, set[str]] = {}
    for each in [*stale_sources(stream, wanted, known, manifest), *stale_partitions(stream, wanted, known, settings)]:
        reasons.setdefault(each.month, []).append(f"{each.table}: {each.reason}")
        tables.setdefault(each.month, set()).add(each.table)
    found: dict[date, StaleMonth] = {}
    for month in sorted(set(wanted)):
        unjudged = unjudged_tables(stream, month, settings)
        if month in reasons:
            found[month] = StaleMonth(tuple(reasons[month]), frozenset(tables[month]), unjudged)
        elif not is_published(settings, stream, month, known):
            found[month] = StaleMonth(("not published as computed",))
        elif unjudged:
            found[month] = StaleMonth((f"{min(unjudged)}: checks changed",), frozenset(), unjudged)
    return found


def steps(stream: Stream, stale: Mapping[date, StaleMonth], manifest: Manifest) -> list[Step]:
    """Return the steps: wave by wave, month by month; what was landed goes with the first wave, publishing with the last.

    A step holds what differs and everything behind it, so that whatever rests on it is judged again. Nothing of a month with a
    changed batch is computed, in no wave: it is only judged, its old publication kept.
    """
    waves = stream.waves()
    last = max(waves.values())
    batches, published = batches_table(stream.name), publication_table(stream.name)
    landed = (batches, quarantine_table(stream.name), *(raw_table(source) for source in stream.sources))
    planned: list[Step] = []
    sound: dict[date, tuple[str, frozenset[str]]] = {}
    for month, each in stale.items():
        if manifest.changed_in(month):
            planned += [Step(month, (batches,), each.reason), Step(month, (published,), each.reason)]
        else:
            sound[month] = each.reason, behind(stream, each.tables) | each.unjudged
    for wave in range(last + 1):
        made = [rule.table for rule in stream.rules_in_order() if waves[rule.table.qualified] == wave]
        for month, (reason, names) in sound.items():
            tables = [table for table in made if table.qualified in names]
            if wave == 0 and any(name.startswith("raw.") for name in names):
                tables = [*landed, *tables]
            if wave == last:
                tables.append(published)
            if tables:
                planned.append(Step(month, tuple(tables), reason))
    return planned
