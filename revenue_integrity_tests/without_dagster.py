"""Bringing a home up to date without Dagster: the steps of the plan, one after the other, in this process; and what it says then.

Belongs here: what runs do, for tests of what they rest on. Does not belong here: any expectation, what Dagster adds (the record
of runs, the UI, sensors).
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from revenue_integrity import clock
from revenue_integrity.computing import ingestion, landed_month, publication, table_month, whole_tables
from revenue_integrity.computing.plan import StaleMonth, Step, stale_months, steps
from revenue_integrity.computing.staleness import due_months
from revenue_integrity.model.check import CheckRecord
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.source import raw_table
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database
from revenue_integrity.warehouse.catalog import read_catalog


def bring_up_to_date(
    home: Deployment, months: Sequence[date] | None = None, *, only: str = "", everything: bool = False
) -> list[Step]:
    """Read what was landed, and do what is to be done until nothing is; return the steps.

    Of one stream or of all, in some months or in all that are due. Asked for everything, do first what is not stale, too.
    """
    settings, done = home.settings, []
    # As a run does, for each opening costs as much as some queries.
    with database.held(settings):
        for stream in home.streams.only(only) if only else home.streams:
            ingestion.ingest(settings, stream)
            for round_ in range(8):
                wanted = due_months(stream, read_catalog(settings), settings) if months is None else months
                asked = everything and round_ == 0
                for month in wanted if asked else ():
                    # Who asks for a month lets count what was set aside because it lay too far back.
                    ingestion.admit(settings, stream, month)
                stale = dict.fromkeys(wanted, StaleMonth(("asked for",))) if asked else stale_months(stream, wanted, settings)
                planned = steps(stream, stale, ingestion.read_manifest(settings, stream))
                if not planned:
                    break
                for step in planned:
                    do(home, stream, step)
                    done.append(step)
            for rule in whole_tables.stale_rules(settings, stream):
                whole_tables.make(rule, stream, settings)
    return done


def do(home: Deployment, stream: Stream, step: Step) -> None:
    """Do a step; whatever is published is judged first."""
    settings, names = home.settings, {table.qualified for table in step.tables}
    sources = [source for source in stream.sources if raw_table(source).qualified in names]
    if sources:
        landed_month.record(settings, stream, step.month, sources, ingestion.read_manifest(settings, stream))
    for rule in stream.rules_in_order():
        if rule.table.qualified in names:
            table_month.compute(rule, step.month, settings, home.tables)
    if any(table.layer == "close" and table.name == "published" for table in step.tables):
        publication.attempt(settings, stream, step.month, judged(stream, step.month, settings))


_KEPT = 64
"""Verdicts that are kept: of the months of one test, whose warehouse is asked again and again."""

_verdicts: OrderedDict[tuple[object, ...], tuple[Stream, list[CheckRecord]]] = OrderedDict()


def judged(stream: Stream, month: date, settings: Settings) -> list[CheckRecord]:
    """Return what all checks of a month say; where nothing was written since, as they said before."""
    # What is on record beside the warehouse changes with all that a run writes into it.
    state = tuple((file.name, file.stat().st_mtime_ns) for file in sorted(settings.catalog_path.glob("*.json")))
    asked = (id(stream), month, settings.model_dump_json(), state, f"{clock.now():%Y-%m-%dT%H:%M}")
    if asked not in _verdicts:
        # With its stream: as long as that is kept, its identity is no other's.
        _verdicts[asked] = stream, _judged(stream, month, settings)
        if len(_verdicts) > _KEPT:
            _verdicts.popitem(last=False)
    return list(_verdicts[asked][1])


def _judged(stream: Stream, month: date, settings: Settings) -> list[CheckRecord]:
    return [
        CheckRecord(
            *check.table.asset_key,
            check.name,
            check.gate,
            "passed" if found.passed else "failed",
            # As the record of runs keeps them: figures that are no whole numbers as exact text.
            {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in found.figures.items()},
            found.next_step,
        )
        for check, found in table_month.judgements(stream.checks, month, settings)
    ]


class Judged:
    """What a record of runs says in which every check has just been judged and no run is under way."""

    def __init__(self, home: Deployment) -> None:
        self._home = home
        self.busy: frozenset[str] = frozenset()

    def now(self) -> "Judged":
        """Return what is on record now."""
        return self

    def checks(self, month: date, stream: str) -> list[CheckRecord]:
        """Return what each check of a month of a stream says."""
        return judged(self._home.streams.named(stream), month, self._home.settings)

    def under_way(self, month: date, *, but_for_run: str = "") -> frozenset[str]:
        """Return the streams of which a run is under way."""
        return self.busy

    def packs_written(self, month: date, book: str, facts: Mapping[str, Any]) -> None:
        """Put nothing on record."""
