"""What a stream is: its sources, its tables' rules and their checks.

Belongs here: the declaration that makes a stream known to everything shared. Does not belong here: any stream's content.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, Literal, overload

from revenue_integrity.errors import no_such
from revenue_integrity.model.check import Check
from revenue_integrity.model.dataset import Composed, Streamed
from revenue_integrity.model.reconciliation import CURRENT, Reconciliations
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.signed import Extracts, SignedTable
from revenue_integrity.model.source import Source
from revenue_integrity.model.table import Table
from revenue_integrity.model.withdrawal import arriving

if TYPE_CHECKING:
    import duckdb

    from revenue_integrity.model.report import Report
    from revenue_integrity.settings import Settings

PublishingHook = Callable[["duckdb.DuckDBPyConnection", "Settings", date], None]
"""What a stream does around the publication of a month, on the publisher's connection."""


@dataclass(frozen=True)
class MonthFigure:
    """A month of a stream in one number: columns of a published dataset, added up over the month.

    Attributes:
        name: its name, with the unit in it where that is cents (``revenue_cents``): the column of ``status``.
        title: what people call it.
        dataset: the published dataset.
        columns: the columns that are added up; several are added to each other.
        less: the columns whose sum is taken from that.
        only: the values that other columns must have for a row to count (``{"recon": "erp_vs_mart"}``).
        unit: whole cents, or exact currency units.
        in_summary: whether a summary of many months shows it.
        is_variance: whether it is the variance of its stream where a line has room for one number alone.
    """

    name: str
    title: str
    dataset: str
    columns: tuple[str, ...]
    less: tuple[str, ...] = ()
    only: Mapping[str, str] = field(default_factory=dict)
    unit: Literal["cents", "currency"] = "cents"
    in_summary: bool = False
    is_variance: bool = False


def variance_figures(summary: str, recon: str) -> tuple[MonthFigure, ...]:
    """Return the figures of a stream's variance in cents, from the summary of one of its reconciliations.

    They are of all postings; explained is the gross part that causes other than ``unexplained`` make up.
    """
    now = {"recon": recon, "view": CURRENT}
    explained = ("timing_gross_cents", "at_risk_gross_cents")
    return (
        MonthFigure("variance_cents", "Variance", summary, ("variance_signed",), only=now, in_summary=True),
        MonthFigure("variance_gross_cents", "Gross variance", summary, ("variance_gross",), only=now, is_variance=True),
        MonthFigure("explained_cents", "Explained", summary, explained, less=("unexplained_cents",), only=now),
        MonthFigure("unexplained_cents", "Unexplained", summary, ("unexplained_cents",), only=now, in_summary=True),
    )


@dataclass(frozen=True)
class Stream:
    """A line of business data.

    Attributes:
        name: its name, which is also the first part of its asset keys and its Dagster group.
        sources: what arrives.
        rules: how each table is made, in any order.
        checks: what must be true of the tables.
        title: what people call it; by default its name with a capital.
        prefix: what the names of datasets that every stream has begin with; by default its name.
        signed: which tables and measures a sign-off attests.
        extracts: which sources must have delivered at or after the cutoff.
        reconciliations: which two sides should agree; ``None`` where nothing is compared.
        refresh: called after batches were read, to keep what follows from all of them and the settings (its own slices).
        refresh_settings: names of the settings that ``refresh`` rests on.
        ledgers: tables that publishing itself fills, published like the others; no rule makes them, so they are never stale.
        before_publish: called before anything of a month is read for publication; must bear repetition after a crash.
        after_publish: called when readers see the new month; repeated until it has ended well.
        whole: how the tables that belong to no month are made.
        composed: datasets that are made when somebody asks, beside the published tables.
        figures: what status says of a month in one number each, and the index of packs where the report names no others.
        report: what it shows in a close pack: where that is declared (``module:name``, loaded with a pack), or what makes it;
            empty for what every stream shows.
        corrections: where it is declared which rows would clear its causes (``module:name``); empty if nobody says so.
        powerbi: where it is declared what it says to a Power BI project (``module:name``); empty for nothing but its tables.
    """

    name: str
    sources: tuple[Source, ...]
    rules: tuple[Rule, ...]
    checks: tuple[Check, ...]
    _: KW_ONLY
    title: str = ""
    prefix: str | None = None
    signed: tuple[SignedTable, ...] = ()
    extracts: Extracts = field(default_factory=Extracts)
    reconciliations: Reconciliations | None = None
    refresh: Callable[["duckdb.DuckDBPyConnection", Any], None] | None = None
    refresh_settings: tuple[str, ...] = ()
    ledgers: tuple[Table, ...] = ()
    before_publish: PublishingHook | None = None
    after_publish: PublishingHook | None = None
    whole: tuple[Rule, ...] = ()
    composed: tuple[Composed | Streamed, ...] = ()
    figures: tuple[MonthFigure, ...] = ()
    report: "str | Callable[[], Report]" = ""
    corrections: str = ""
    powerbi: str = ""

    @property
    def heading(self) -> str:
        """What people call it."""
        return self.title or self.name.capitalize()

    @property
    def arriving(self) -> tuple[Source, ...]:
        """What arrives: the declared sources, and what takes a delivery back."""
        return arriving(self.sources)

    def dataset(self, name: str) -> str:
        """Return what the stream's own of a dataset that every stream has is called (``checks``: ``boats_checks``)."""
        prefix = self.name if self.prefix is None else self.prefix
        return f"{prefix}_{name}" if prefix else name

    def source(self, name: str) -> Source:
        """Return a source; raise ``UsageError`` with the names that there are."""
        for source in self.arriving:
            if source.name == name:
                return source
        raise no_such("source", name, (each.name for each in self.arriving), "Sources", where=self.name)

    @property
    def published_tables(self) -> list[Table]:
        """The tables that leave the warehouse: those of the rules in their order, then the ledgers."""
        return [*(rule.table for rule in self.rules_in_order()), *self.ledgers]

    @property
    def datasets(self) -> list[Table]:
        """What people ask for by name: what is published of months and whole, and what is made when somebody asks."""
        return [*self.published_tables, *(rule.table for rule in self.whole), *(each.table for each in self.composed)]

    def rules_in_order(self) -> list[Rule]:
        """Return the rules so that each comes after those whose tables it reads; equal ones by name."""
        by_name = {rule.table.qualified: rule for rule in sorted(self.rules, key=lambda rule: rule.table.qualified)}
        graph = {
            name: [reads.qualified for reads in rule.reads if reads.qualified in by_name and reads.qualified != name]
            for name, rule in by_name.items()
        }
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]

    def waves(self) -> dict[str, int]:
        """Return for each table the wave of runs that it belongs to.

        A table that reads other months of a table waits until that table is there for all months, so it begins a wave.
        """
        waves: dict[str, int] = {}
        for rule in self.rules_in_order():
            waves[rule.table.qualified] = max(
                (waves[reads.qualified] + (not reads.is_same_month) for reads in rule.reads if reads.qualified in waves),
                default=0,
            )
        return waves


def loaded(place: str) -> Any:
    """Return what stands at ``module:name``; the module is imported now, not when the place was written down."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def checks_of(checks: Sequence[Check], table: Table) -> list[Check]:
    """Return the checks of one table, in the order of their declaration."""
    return [check for check in checks if check.table.asset_key == table.asset_key]


class Streams(Sequence[Stream]):
    """Streams in the order in which people see them, each loaded when somebody asks for it.

    Names are known without loading any, so that a command for one stream imports that one alone.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], Stream]]) -> None:
        self._loaders = dict(loaders)

    @classmethod
    def of(cls, *streams: Stream) -> "Streams":
        """Return streams that are loaded already."""
        return cls({stream.name: partial(_itself, stream) for stream in streams})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the streams."""
        return tuple(self._loaders)

    def named(self, name: str) -> Stream:
        """Return a stream; raise ``UsageError`` with the names that there are."""
        self.refuse_unknown(name)
        return self._loaders[name]()

    def only(self, *names: str) -> "Streams":
        """Return some of the streams, none of them loaded; raise ``UsageError`` with the names that there are."""
        for name in names:
            self.refuse_unknown(name)
        return Streams({name: load for name, load in self._loaders.items() if name in names})

    def refuse_unknown(self, name: str) -> None:
        """Raise ``UsageError`` with the names that there are unless there is a stream of this name."""
        if name not in self._loaders:
            raise no_such("stream", name, self._loaders, "Streams")

    def __len__(self) -> int:
        """Return how many there are, without loading any."""
        return len(self._loaders)

    def __iter__(self) -> Iterator[Stream]:
        """Load one after the other."""
        return (load() for load in list(self._loaders.values()))

    @overload
    def __getitem__(self, index: int) -> Stream: ...

    @overload
    def __getitem__(self, index: slice) -> "Streams": ...

    def __getitem__(self, index: int | slice) -> "Stream | Streams":
        """Return one, or a part of them of which none is loaded."""
        if isinstance(index, slice):
            return self.only(*self.names[index])
        return self._loaders[self.names[index]]()


def _itself(stream: Stream) -> Stream:
    return stream
