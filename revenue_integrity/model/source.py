"""What a source promises: one declaration of its columns, key, versions and rules.

Belongs here: the vocabulary in which a stream declares its sources, and what follows from a declaration alone (the raw table,
the names under which values are stored). Does not belong here: the sources themselves (each stream's ``sources``), reading
files, running SQL.

Records with versions go into raw tables (``landing.merge``); what comes by the million stays in Parquet files, as a source that
fills an event log says (``model.events``).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Literal

import pandera.pandas as pa

from revenue_integrity.model import table as columns_of
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import Settings

if TYPE_CHECKING:
    from revenue_integrity.model.events import Events

Kind = Literal[
    "text", "id", "enum", "currency", "int", "dec", "money", "date", "ts", "month", "bool", "timezone", "share", "clock", "email"
]

ROW_PARTS = ("whole", "place", "told", "own")
"""What the reader says of a row, beside what stands in its columns: whether it speaks for its whole record, its place among the
items of its object, the columns that it has, what its object says for all its items."""

RESERVED_IDS = ("STRANDED", "UNASSIGNED", "UNKNOWN")
"""Identifiers that the program itself gives to what belongs to nobody; a row that uses one is bad."""

LINEAGE = ("batch_id", "arrival", "file_name", "row_number")
"""Where a row came from; row 1 is the first data row of its file."""

STATUS = ("row_status", "superseded_by", "corrects")
"""What became of a row among the versions of its key."""


@dataclass(frozen=True)
class SourceColumn:
    """A modelled column of a source.

    Attributes:
        name: its name in the files.
        kind: how its text is read.
        description: what it says, for the dictionary.
        required: whether each row must have a value, and each file the column.
        values: the allowed values of an ``enum``.
        ge: the smallest allowed value of an ``int``, ``dec`` or ``money``.
        unit: unit of the stored value.
        default: text that stands for an empty field.
        places: decimal places of a ``dec``.
        digits: digits that a ``dec`` is held with.
        held_as: the name under which the value is stored, where it is not the one in the files.
        utc: whether an instant without an offset is one of UTC, as the standard of the file says.
        aliases: other words for allowed values, lower-cased, and what they mean; any word not listed means the last value.
        sign_setting: the setting that, with the value ``signed``, lifts ``ge``.
        caseless: whether a text is compared without case; it is then held in lower case.
        unless: the flag with which a row may lack the value although it is required.
        names: other names that it has in files; one with points is the path through the objects of a JSON file, one with a blank
            is two columns of which it is put together where no other name says anything.
        part: what it holds of a column that is read into several (``day``, ``clock``, ``instant``, ``is_ambiguous``,
            ``is_other_order`` of a date in one of the declared forms; ``folded`` of a text: what names its member, however that
            is spelled), or of the row (``ROW_PARTS``); empty for the value as such.
        blanks: words, in lower case, that stand for an empty field.
        also_called: what other systems call it, likeliest first: a drafted mapping proposes such a column, nothing is read by it.
    """

    name: str
    kind: Kind
    description: str
    required: bool = True
    values: tuple[str, ...] = ()
    ge: int | None = None
    unit: str = ""
    default: str | None = None
    places: int = 6
    digits: int = 18
    held_as: str = ""
    utc: bool = False
    aliases: tuple[tuple[str, str], ...] = ()
    sign_setting: str = ""
    caseless: bool = False
    unless: str = ""
    # What is built from a source without notation does not depend on these.
    names: tuple[str, ...] = field(default=(), repr=False)
    part: str = field(default="", repr=False)
    blanks: tuple[str, ...] = field(default=(), repr=False)
    also_called: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def is_in_files(self) -> bool:
        """Whether files have it as a column; what the reader says of a row they do not."""
        return self.part not in ROW_PARTS

    @property
    def stored(self) -> str:
        """The name under which the parsed value is stored: money in cents, a service month as ``month``."""
        return {"money": f"{self.name}_cents", "month": "month"}.get(self.kind, self.held_as or self.name)

    @property
    def sql_type(self) -> str:
        """The engine's type of the stored value."""
        return {
            "int": "BIGINT",
            "money": "BIGINT",
            "dec": f"DECIMAL({self.digits},{self.places})",
            "share": f"DECIMAL({self.digits},{self.places})",
            "date": "DATE",
            "month": "DATE",
            "ts": "TIMESTAMP WITH TIME ZONE",
            "bool": "BOOLEAN",
        }.get(self.kind, "VARCHAR")

    def table_column(self) -> pa.Column:
        """Return the column of the raw table."""
        name, text, null = self.stored, self.description, not self.required
        match self.kind:
            case "int":
                return columns_of.integer(name, text, unit=self.unit, null=null, ge=self.ge)
            case "money":
                return columns_of.money(name, text, null=null, ge=None if self.ge is None else self.ge * 100)
            case "dec" | "share":
                bound = None if self.ge is None else Decimal(self.ge)
                return columns_of.decimal(name, text, unit=self.unit, places=self.places, null=null, ge=bound, digits=self.digits)
            case "date":
                return columns_of.day(name, text, null=null)
            case "month":
                return columns_of.month(text)
            case "ts":
                return columns_of.instant(name, text, null=null)
            case "bool":
                return columns_of.flag(name, text, null=null)
            case _:
                return columns_of.text(name, text, null=null, isin=self.values, unit=self.unit)


@dataclass(frozen=True)
class Basket:
    """An object of a JSON file that is several rows: one per element of one of its arrays.

    Attributes:
        items: the name of the array.
        inherited: columns that an item takes from its object where it has none.
        own: amounts of items whose value for the object as a whole counts if no item has one: the column, and the one (part
            ``own``) in which that value is kept. It is split over the items, by largest remainder.
        weight: SQL over the stored columns of an item, a whole number: what it is split by.
        number: the column that numbers the items where they have no number of their own.
        taken_out: the column with which an item that is 0 is none.
    """

    items: str
    inherited: tuple[str, ...]
    own: tuple[tuple[str, str], ...] = ()
    weight: str = "1"
    number: str = ""
    taken_out: str = ""


@dataclass(frozen=True)
class Notation:
    """How the files of a source may be written where it is read more generously than the conventions.

    JSON may be of every shape and spelling, numbers carry the noise of binary floats, dates come in many declared forms.

    Attributes:
        date_order: which of two numbers in front of a year is read first.
        timezone: where a time without an offset is local.
        share_unit: what a share without a sign of percent is in.
        basket: objects that are several rows.
        deleted: the flag with which a row takes its record away: nothing but its key is judged.
    """

    date_order: Literal["mdy", "dmy"] = "mdy"
    timezone: str = "UTC"
    share_unit: Literal["fraction", "percent"] = "fraction"
    basket: Basket | None = None
    deleted: str = ""


@dataclass(frozen=True)
class RowRule:
    """A reason to refuse a row: an SQL predicate that is true of bad rows, and SQL text of the reason.

    Both are over the stored columns of the row; a rule that sees a missing value (null) does not hold.
    """

    bad: str
    reason: str


@dataclass(frozen=True)
class Lookup:
    """A small table made from settled raw tables, by which rows of other sources are judged.

    It is kept between ingestions, so that exactly the rows whose look-up changed are judged again.

    Attributes:
        name: its name, also its alias in rules.
        key: its key column.
        made_from: the sources that it reads.
        sql: the select that makes it; key unique.
    """

    name: str
    key: str
    made_from: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class Reference:
    """The look-up that a column of a row points to."""

    column: str
    lookup: Lookup


@dataclass(frozen=True)
class DayFacts:
    """A look-up made for the rows at hand: one row per value of ``on`` that occurs in ``judged_rows``.

    Attributes:
        name: its alias in rules.
        on: the columns of the row that it is joined by.
        sql: the select over ``judged_rows`` and look-ups that makes it.
    """

    name: str
    on: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class Anchor:
    """Columns that all rows of a group share with the group's first accepted row.

    Attributes:
        group: the column that names the group.
        fixed: the columns that must not change inside it.
        order: what makes a row the first.
        reason: SQL text of the reason, over the row ``r`` and the first row ``anchor``.
    """

    group: str
    fixed: tuple[str, ...]
    order: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Versions:
    """How versions of one key are resolved where a source refines the conventions.

    Attributes:
        within: columns beside the key inside which duplicates and corrections are found (the conventions hold in there).
        prefer: SQL over the row; among the last rows of each ``within``, the greatest value wins.
        order: columns that come before (arrival, file name, row number) in the order of versions.
        record: where a row may speak for several keys at once, the columns that name what it then speaks for; the source has
            columns of the parts ``whole`` and ``place``.
        instant: with ``record``, the column that orders its versions where it says something, and the arrival elsewhere.
        partial: whether a row says nothing of the columns that it does not have; the source has a column of the part ``told``.
    """

    within: tuple[str, ...] = ()
    prefer: str = ""
    order: tuple[str, ...] = ()
    # What is built from a source without these does not depend on them.
    record: tuple[str, ...] = field(default=(), repr=False)
    instant: str = field(default="", repr=False)
    partial: bool = field(default=False, repr=False)

    @property
    def ordering(self) -> tuple[str, ...]:
        """The total order of versions."""
        return (*self.order, "arrival", "file_name", "row_number")


@dataclass(frozen=True)
class Starts:
    """The first day of each group, which months look back on.

    Attributes:
        name: the name of its slice.
        by: the columns that name a group.
        day: the date column.
    """

    name: str
    by: tuple[str, ...]
    day: str


@dataclass(frozen=True)
class Reach:
    """Rows that matter to a month although they are of another.

    Without it, a month that looks at all others would be stale whenever any of them is touched.

    Attributes:
        name: the name of its slice.
        rows: SQL after ``from`` that joins the rows ``r`` to the months ``m`` (``{months}``, with ``m.month`` and
            ``m.month_end``) they matter to.
    """

    name: str
    rows: str


@dataclass(frozen=True)
class Source:
    """One source of a stream.

    Attributes:
        stream: the line of business data.
        name: the directory in the landing zone; with the stream's name in front, the raw table's.
        description: grain and purpose.
        columns: the modelled columns in order.
        key: the columns (as stored) that name a record.
        versions: how versions of a record are resolved.
        month_of: the date column whose month is the service month; empty if a ``month`` column says it or there is none.
        rules: what a single row must keep.
        references: the look-ups that a row points to.
        day_facts: a look-up made for the rows at hand.
        reference_rules: what a row must keep towards its look-ups (aliases: the look-ups' names, the row ``r``).
        anchor: columns that must not change between the rows of a group.
        matters: for a source without a service month, an SQL predicate over the row ``r`` and the month ``m`` (``m.month``,
            ``m.month_end``): whether the row matters to the month.
        matters_reads: other sources that ``matters`` reads.
        starts: first days to keep, for months that look back.
        reaches: its rows that matter to months that are not theirs.
        optional: whether a deployment may do without it.
        is_full_extract: whether each delivery holds all there is, so that it speaks about every month.
        nulls: texts that stand for an empty field, beside the empty one.
        bare: whether the raw table has the name alone, as those have that were there before other streams.
        events: for a source whose rows come by the million: the event log that they fill, and how its deliveries relate.
        refused_in_month: whether a refused row belongs to the month that it names; the period of an invoice is no service month.
        notation: how its files may be written where it is read more generously than the conventions.
        by_settings: the source as a deployment's settings have it.
    """

    stream: str
    name: str
    description: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...]
    versions: Versions = field(default_factory=Versions)
    month_of: str = ""
    rules: tuple[RowRule, ...] = ()
    references: tuple[Reference, ...] = ()
    day_facts: DayFacts | None = None
    reference_rules: tuple[RowRule, ...] = ()
    anchor: Anchor | None = None
    matters: str = ""
    matters_reads: tuple[str, ...] = ()
    starts: Starts | None = None
    reaches: tuple[Reach, ...] = ()
    optional: bool = False
    # What is built from a source depends neither on how much each delivery holds nor on what it is called.
    is_full_extract: bool = field(default=False, repr=False)
    nulls: tuple[str, ...] = ()
    bare: bool = field(default=False, repr=False)
    events: "Events | None" = None
    refused_in_month: bool = True
    notation: Notation | None = field(default=None, repr=False)
    by_settings: "Callable[[Source, Settings], Source] | None" = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [column.stored for column in self.columns]
        stored = {column.stored for column in self.columns}
        used = {*self.key, *self.versions.within, *([self.month_of] if self.month_of else [])}
        if len(set(names)) != len(names) or not used <= stored:
            raise ValueError(f"source {self.name}: a column stands twice, or one of {sorted(used - stored)} is not modelled")
        if self.has_month == bool(self.matters):
            raise ValueError(f"source {self.name}: a source either has a service month or says which months its rows matter to")
        if self.events:
            self._refuse_other_log(self.events)

    def _refuse_other_log(self, events: "Events") -> None:
        log = events.log
        if log.stream != self.stream or not self.month_of:
            raise ValueError(f"source {self.name}: an event log is of the same stream, and its rows have a day")
        if events.appends and (self.key, self.versions) != (log.key, log.versions):
            raise ValueError(f"source {self.name}: key and versions of events are those of their log")
        if missing := [column for column in log.hashed if events.appends and column in events.columns]:
            raise ValueError(f"source {self.name}: {', '.join(missing)} names its events and must be a column as it stands")
        if self.references or self.anchor or self.day_facts or self.reaches or self.starts:
            raise ValueError(f"source {self.name}: rows that stay in files are judged on their own")

    @property
    def is_kept_in_files(self) -> bool:
        """Whether its rows stay in Parquet files instead of a raw table."""
        return self.events is not None

    @property
    def has_month(self) -> bool:
        """Whether a row belongs to a service month."""
        return bool(self.month_of) or any(column.kind == "month" for column in self.columns)

    @property
    def stored(self) -> tuple[str, ...]:
        """The stored names of the modelled columns, in order."""
        return tuple(column.stored for column in self.columns)

    @property
    def said(self) -> tuple[str, ...]:
        """The stored names of what files say, in order: without what the reader says of a row, and how a member is spelled."""
        members = {column.name for column in self.columns if column.part == "folded"}
        return tuple(
            column.stored
            for column in self.columns
            if column.is_in_files and (column.name not in members or column.part == "folded")
        )

    @property
    def values(self) -> tuple[str, ...]:
        """The stored columns of a row, the service month among them."""
        return (*self.stored, "month") if self.month_of else self.stored

    def part(self, part: str) -> str:
        """Return the stored name of the column that holds a part of the row (``ROW_PARTS``).

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.part == part:
                return column.stored
        raise KeyError(part)

    def sql_type(self, stored: str) -> str:
        """Return the engine's type of a stored column."""
        return {column.stored: column.sql_type for column in self.columns}.get(stored, "DATE")

    def own(self, name: str) -> str:
        """Return what a thing of the stream is called where things of all streams stand together."""
        return name if self.bare else f"{self.stream}_{name}"

    def lookup_table(self, lookup: Lookup) -> str:
        """Return the table in which one of the stream's look-ups is kept."""
        return f"meta.lookup_{self.own(lookup.name)}"

    @property
    def slices(self) -> list[str]:
        """The names of the slices that are kept of its rows."""
        named = [*([self.starts.name] if self.starts else []), *(reach.name for reach in self.reaches)]
        return [self.dataset, *map(self.own, named)]

    @property
    def dataset(self) -> str:
        """The name of its raw table, and of its slice: what tables and fingerprints know it by (``boats_rentals``)."""
        return self.own(self.name)

    @property
    def prefix(self) -> str:
        """The beginning of its batch ids."""
        return f"{self.stream}/{self.name}/"


def under(sources: Sequence[Source], settings: Settings) -> tuple[Source, ...]:
    """Return sources as a deployment's settings have them: whether an amount may be negative is for it to say.

    What else it demands of columns is a rule of the source then.

    Raises:
        SettingsError: a rule of the deployment does not fit its column.
    """

    def column_under(column: SourceColumn) -> SourceColumn:
        lifted = bool(column.sign_setting) and getattr(settings, column.sign_setting) == "signed"
        return replace(column, ge=None) if lifted else column

    def source_under(source: Source) -> Source:
        source = source.by_settings(source, settings) if source.by_settings else source
        columns = tuple(map(column_under, source.columns))
        return replace(source, columns=columns, rules=(*source.rules, *_demanded(source, settings)))

    return tuple(map(source_under, sources))


def _demanded(source: Source, settings: Settings) -> list[RowRule]:
    # The vocabulary of rules over columns is made of what stands here.
    from revenue_integrity.model.data_rules import bad_of, reason_of, rules_of

    refusing = [rule for rule in rules_of(source, settings) if rule.action == "refuse"]
    return [RowRule(bad_of(source, rule), reason_of(source, rule)) for rule in refusing]


@cache
def raw_table(source: Source) -> Table:
    """Return the raw table of a source: every loaded row with its lineage and what became of it."""
    # What takes its record away says nothing else.
    columns = [
        replace(column, required=column.required and not (source.notation and column.unless)).table_column()
        for column in source.columns
    ]
    if source.month_of:
        said = f"Service month: the month of {source.month_of}, as the date of its first day."
        dated = next(column for column in source.columns if column.stored == source.month_of)
        columns.append(columns_of.day("month", said, null=bool(source.notation and dated.unless)))
    columns += [
        columns_of.text("batch_id", "The batch that brought the row."),
        columns_of.instant("arrival", "When the batch became visible."),
        columns_of.text("file_name", "File of the batch."),
        columns_of.integer("row_number", "Data row in the file; 1 is the first.", unit="rows", ge=1),
        columns_of.text("row_status", "Whether the row stands for its key.", isin=("surviving", "superseded")),
        columns_of.text("superseded_by", "The batch of the row that replaced it.", null=True),
        columns_of.text("corrects", "The batch of the row that it corrected.", null=True),
    ]
    return table(
        source.stream,
        "raw",
        source.dataset,
        source.description,
        ("batch_id", "file_name", "row_number"),
        columns,
        partition="month" if source.has_month else "",
    )


def fingerprint(sources: Sequence[Source], *more: str) -> str:
    """Return a SHA-256 of the declarations: a store that was built by others must be built again."""
    return hashlib.sha256("\n".join([*map(_declared, sources), *more]).encode()).hexdigest()


def _declared(source: Source) -> str:
    if source.notation is None:
        return repr(source)
    columns = [(column.names, column.part, column.blanks) for column in source.columns]
    versions = source.versions
    return repr((source, source.notation, columns, versions.record, versions.instant, versions.partial))
