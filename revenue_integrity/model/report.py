"""What a report is: the words in which a stream declares its view and its sheets of a close pack.

Belongs here: tables, charts, tiles, sentences as data, and the published month that they are made from. Does not belong here:
how they look in a page or a workbook (``reports``), any particular report (each stream's ``report``).

A report is written once: from one ``Listing`` come the worksheet with all rows and live totals, and the table of the page with
the first of them. Rows are a published dataset, by its name, or a pure function from the published month to a small frame.
Amounts are whole cents (``cents``) or exact units of the currency (``cost``); which currency that is, only the renderer knows:
headings never name it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pandas as pd

from revenue_integrity import months, wording
from revenue_integrity.exact import added, divide
from revenue_integrity.model.stream import MonthFigure
from revenue_integrity.wording import Currency

Format = Literal[
    "text",
    "name",
    "words",
    "wide",
    "pill",
    "hash",
    "evidence",
    "cents",
    "cost",
    "integer",
    "decimal",
    "share",
    "date",
    "instant",
    "month",
    "flag",
]
"""How a value is written. Text: as it is; a name that stands on one line; an identifier of ours as words; a text of several
lines; a state in a pill; a hash; JSON as a sentence. Numbers: whole cents, exact units of the currency, and so on."""

NUMBERS: tuple[Format, ...] = ("cents", "cost", "integer", "decimal", "share")
MONEY: tuple[Format, ...] = ("cents", "cost")

Tone = Literal["", "good", "bad", "muted"]
"""Whether something is good, bad, of less weight, or none of these."""


@dataclass(frozen=True)
class Published:
    """A month of a stream, as published: all that its report is made from.

    Attributes:
        month: the first day of the month.
        currency: the currency of the deployment.
        tables: the month's datasets by name; an absent one is shown as not available, never as empty.
        before: datasets of the month before, as ``Report.before`` asks for them.
        trends: what ``Report.trends`` keeps of each published month up to this one, by the name of the trend.
        checks: the figures of the stream's checks, by the check's name.
        settings: the settings by which differences of its reconciliations are tolerated, by their names.
        restatement: what of the stream changed since a signed version, row by row; ``None`` where nobody asked.
        materiality: cents that what a reconciliation holds against materiality may reach, by its name, as its check said.
    """

    month: date
    currency: Currency
    tables: Mapping[str, pd.DataFrame]
    before: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    trends: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    materiality: Mapping[str, int] = field(default_factory=dict)
    restatement: pd.DataFrame | None = None
    _rows: dict[Any, pd.DataFrame | None] = field(init=False, repr=False, compare=False, default_factory=dict)

    def table(self, dataset: str) -> pd.DataFrame | None:
        """Return a dataset of the month, or ``None`` where it is not available."""
        return self.tables.get(dataset)

    def trend(self, name: str) -> pd.DataFrame | None:
        """Return a trend, later months left out, in order of months; ``None`` where no month has anything."""
        frame = self.trends.get(name)
        if frame is None or frame.empty:
            return None
        return frame[frame["month"] <= pd.Timestamp(self.month)].sort_values("month", kind="stable")

    def rows(self, wanted: "Rows") -> pd.DataFrame | None:
        """Return the rows that a listing or chart shows, ``None`` where they are not available; each function is called once."""
        if isinstance(wanted, str):
            return self.table(wanted)
        if wanted not in self._rows:
            self._rows[wanted] = wanted(self)
        return self._rows[wanted]

    def names(self, dataset: str, key: str, name: str) -> dict[str, str]:
        """Return the names by id of a dataset of names; empty where it is not available."""
        frame = self.tables.get(dataset)
        if frame is None or name not in frame:
            return {}
        return {str(each): str(shown) for each, shown in zip(frame[key], frame[name], strict=True) if isinstance(shown, str)}

    @property
    def month_before(self) -> "Published | None":
        """The month before with what is known of it (trends, datasets of the month before); ``None`` where nothing is."""
        earlier = months.add(self.month, -1)
        known = {name: frame[frame["month"] == pd.Timestamp(earlier)] for name, frame in self.trends.items() if "month" in frame}
        tables = {name: frame for name, frame in known.items() if not frame.empty} | dict(self.before)
        return (
            replace(self, month=earlier, tables=tables, before={}, checks={}, materiality={}, restatement=None)
            if tables
            else None
        )


Rows = str | Callable[[Published], pd.DataFrame | None]
"""A published dataset by its name, or a pure function from the published month to a small frame (``None``: not available)."""

Text = str | Callable[[Published], str]
"""Words, or words made from figures of the month; empty for none."""

Names = tuple[tuple[str, str, str, str], ...]
"""Where ids have names: the column of the id; the dataset of names, its key and its name."""

Measure = MonthFigure | Callable[[Published], Any]
"""A number of the month, ``None`` where it is not available."""


def text_of(text: Text, published: Published) -> str:
    """Return words as they stand, or as they are made from the month, in which names that data bring can hide nothing."""
    return text if isinstance(text, str) else wording.visible(text(published))


def measured(measure: Measure, published: Published) -> Any:
    """Return a number of the month: whole cents or exact units, ``None`` where its dataset is not available."""
    if not isinstance(measure, MonthFigure):
        return measure(published)
    frame = published.table(measure.dataset)
    return None if frame is None else amount_of(measure, frame)


def amount_of(figure: MonthFigure, rows: pd.DataFrame) -> int | Decimal | None:
    """Return a figure of the rows of its dataset: whole cents or exact units, ``None`` where it looks for rows and finds none."""
    for column, value in figure.only.items():
        rows = rows[rows[column] == value]
    if rows.empty and figure.only:
        return None
    amount = added([*(total(rows, name) for name in figure.columns), *(-total(rows, name) for name in figure.less)])
    return int(amount) if figure.unit == "cents" else amount


def total(frame: pd.DataFrame, column: str) -> Decimal:
    """Return the exact sum of a column; missing values count nothing."""
    return added(frame[column].dropna().astype(object).tolist())


@dataclass(frozen=True)
class Column:
    """A column of a listing.

    Attributes:
        field: the column of the rows.
        heading: what stands above it; amounts get the currency added.
        format: how its values are written.
        total: whether it is added up.
        share: for a share of which the total is no sum: the columns that are divided, both with a total.
        by: a column that says each row's format, for amounts of several units.
        whole: whether the page shows whole units of the currency.
        places: places of decimals and shares on the page; ``None``: by the format.
        width: characters on the sheet; 0: by the format.
        on: whether it stands on the sheet, on the page, or on both.
        badge: a column with a word that stands beside the value on the page.
        tone: a column with the ``Tone`` of each value.
        link: a column with the address, inside the pack, that the value leads to.
        screen_only: whether the sheet is printed without it and what stands behind it.
    """

    field: str
    heading: str
    format: Format = "text"
    total: bool = False
    share: tuple[str, str] | None = None
    by: str = ""
    whole: bool = False
    places: int | None = None
    width: int = 0
    on: Literal["both", "sheet", "page"] = "both"
    badge: str = ""
    tone: str = ""
    link: str = ""
    screen_only: bool = False


Columns = tuple[Column, ...] | Callable[[Published], Sequence[Column]]
"""Columns as they stand, or as the month asks for them (a column a day)."""


@dataclass(frozen=True, eq=False)
class Listing:
    """Rows and columns: a worksheet, a table of the page, or both.

    Attributes:
        title: what people call it.
        rows: what it shows.
        columns: its columns, in order; the first names the row.
        note: what it shows, as a sentence or two.
        sheet: the name of its worksheet; empty for none. It stands there if ``Report.sheets`` lists it.
        what: what a row is, in the plural: ``15 of 60 customers``.
        order: columns by which rows are ordered, each ascending, with ``-`` before it descending, with ``±`` the largest amount
            first, whatever its sign; empty: as they come. Ties keep the order in which rows come.
        only: the values that columns must have for a row to be shown.
        first: how many rows the page shows, the rest as one where columns are added up; 0 for all.
        most: how many rows the sheet shows, the rest as one row per ``rest_by`` whose column ``rest_in`` counts them; 0 for all.
        rest_by: columns by which the rest of the sheet is kept apart.
        rest_in: the column that says how many rows are the rest.
        group: a column whose value stands above the rows that share it.
        sums: a column that marks rows that add up those above them in their group: from the sum before on, or the beginning.
        proof: columns with the factor by which they add up to nothing: a cell beside the total shows what is left.
        collapsed: whether the page shows it only when asked.
        empty: what is said where there are no rows.
        absent: what is said where they are not available.
        sheet_only_if_there: whether the sheet is left out where the rows are not available.
    """

    title: str
    rows: Rows
    columns: Columns
    note: Text = ""
    sheet: str = ""
    what: str = "rows"
    order: tuple[str, ...] = ()
    only: Mapping[str, Any] = field(default_factory=dict)
    first: int = 15
    most: int = 0
    rest_by: tuple[str, ...] = ()
    rest_in: str = ""
    group: str = ""
    sums: str = ""
    proof: Mapping[str, int] = field(default_factory=dict)
    collapsed: bool = False
    empty: str = "None in this month."
    absent: str = "Not available."
    sheet_only_if_there: bool = False


Shade = Literal["blue", "teal", "red", "grey", "amber", "violet"]

ChartKind = Literal["bar", "stacked", "line", "area", "across", "donut", "waterfall", "pareto", "scatter"]
"""Bars side by side, bars upon each other, lines, a line over its area, lying bars, a ring, a waterfall, bars with the share that
the largest make together, points between two measures."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A picture of some rows.

    Attributes:
        title: what it shows.
        kind: how it is drawn.
        rows: what it is drawn from.
        x: the column along the axis: months (dates), days of the month (integers) or names; of points a share.
        y: the columns that are measured, each with what people call it; with ``series`` one column.
        format: how these are written: cents, cost, or plain numbers.
        series: a column whose values are lines, bars or colours of their own.
        unit: what the axis says; money says its currency by itself.
        along: what the axis of ``x`` says, of points.
        note: a sentence above the picture.
        describe: more for those who cannot see it; its figures are told anyway.
        split: a column for each of whose values there is a picture of its own.
        shades: colours by series or measure, where they mean something.
        rest: a column that marks the series that stands for all others; it is grey.
        tone: a column with a shade for each bar.
        sums: a column that marks totals of a waterfall.
        share: a column with the cumulative share, for ``pareto``.
        first: how many bars a ``pareto`` shows, the rest as one; 0 for all.
        from_zero: whether the axis of a waterfall begins at 0 even where its steps are small beside its totals.
        shaded: a column that marks days whose ground is grey, and what that means.
        marked: a column that marks points of lines, and what that means.
        below: bars below the lines, over the same days; split like the lines.
        empty: what is said where there is nothing to draw.
    """

    title: str
    kind: ChartKind
    rows: Rows
    x: str
    y: str | Mapping[str, str]
    format: Format = "cents"
    series: str = ""
    unit: str = ""
    along: str = ""
    note: Text = ""
    describe: Text = ""
    split: str = ""
    shades: Mapping[str, Shade] = field(default_factory=dict)
    rest: str = ""
    tone: str = ""
    sums: str = ""
    share: str = ""
    first: int = 20
    from_zero: bool = False
    shaded: tuple[str, str] | None = None
    marked: tuple[str, str] | None = None
    below: "Chart | None" = None
    empty: str = "Not available: a source that this chart needs has never delivered."


@dataclass(frozen=True, eq=False)
class Sentence:
    """Words between tables and charts, made from figures.

    Attributes:
        text: the words; where they are empty nothing stands there.
    """

    text: Text


Block = Listing | Chart | Sentence


@dataclass(frozen=True, eq=False)
class Card:
    """Blocks that belong together under one title.

    Attributes:
        title: what they are about.
        blocks: in order.
        wide: whether it takes the whole width of the page.
        if_any: whether it is left out where none of its blocks has anything to show.
    """

    title: str
    blocks: tuple[Block, ...]
    wide: bool = False
    if_any: bool = False


@dataclass(frozen=True, eq=False)
class Section:
    """A question, and what answers it.

    Attributes:
        title: the question.
        cards: what answers it; a block that stands alone is a card with its title.
    """

    title: str
    cards: tuple[Card | Listing | Chart, ...]


@dataclass(frozen=True, eq=False)
class Kpi:
    """A headline figure of a page: a tile.

    Attributes:
        label: what it is.
        value: its number; without one there is no tile.
        format: how it is written; amounts are shortened. ``text`` for words that are no number.
        note: its exact value or context.
        change: whether the note says how it changed since the month before.
        tone: whether its value is good or bad.
    """

    label: str
    value: Measure
    format: Format = "cents"
    note: Text = ""
    change: bool = False
    tone: Callable[[Any, Published], Tone] | None = None


def bad_below_zero(value: Any, _: Published) -> Tone:
    """Call a value bad if it is negative."""
    return "bad" if value < 0 else ""


def bad_unless_zero(value: Any, _: Published) -> Tone:
    """Call a value good if it is 0, and bad otherwise."""
    return "bad" if value else "good"


@dataclass(frozen=True, eq=False)
class View:
    """A page that people choose among the others of a pack.

    Attributes:
        name: its short name, unique among the views of all streams: part of addresses inside the page.
        title: what people call it.
        tiles: its headline figures.
        sections: what it shows.
    """

    name: str
    title: str
    tiles: tuple[Kpi, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, eq=False)
class Headline:
    """A figure of the workbook's first sheet, read live from another sheet.

    Attributes:
        label: what it is; amounts get the currency added.
        listing: whose sheet it is read from.
        column: its column there, one with a total.
        only: a column and the value that it must have for a row to count; ``None`` for the total.
    """

    label: str
    listing: Listing
    column: str
    only: tuple[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Trend:
    """What packs keep of each published month, for trends and for the month before.

    Attributes:
        dataset: the dataset that it is made from.
        keep: what of a month's rows: a small frame with ``month``.
        name: its own name, where that is not the dataset's.
    """

    dataset: str
    keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame
    name: str = ""

    @property
    def called(self) -> str:
        """The name by which a report finds it."""
        return self.name or self.dataset


@dataclass(frozen=True, eq=False)
class Report:
    """What a stream shows in a close pack.

    Attributes:
        names: where the ids of its rows have names.
        view: its page; ``None`` for a stream that shows only what every stream has.
        datasets: datasets whose rows its pages are made from; each month's stand in the pack as CSV, too.
        results: the sheet of its reconciliations row by row, where that is to be worded otherwise than for every stream.
        sheets: its worksheets, in order; that of its reconciliations and that of their causes come first by themselves.
        register: worksheets that explain the others (assumptions, definitions), after those of all streams.
        headlines: figures of the workbook's first sheet.
        summary: small tables of the workbook's first sheet.
        control_tiles: tiles of the page of controls.
        controls: what the page of controls shows of the stream, beside what every stream has.
        restated: what that page shows of what was restated, beside its changes by batch and name.
        trends: what is kept of each month.
        before: datasets that are read of the month before.
        index: figures by which the index of all packs compares months; by default ``Stream.figures``.
        index_charts: charts of the index; their rows are ``index``: a row a month, with ``month`` and these figures.
        leave_out: columns by dataset that tell of a publication and not of the month: with them, the same content would not give
            the same bytes.
    """

    names: Names = ()
    view: View | None = None
    datasets: tuple[str, ...] = ()
    results: Listing | None = None
    sheets: tuple[Listing, ...] = ()
    register: tuple[Listing, ...] = ()
    headlines: tuple[Headline, ...] = ()
    summary: tuple[Listing, ...] = ()
    control_tiles: tuple[Kpi, ...] = ()
    controls: tuple[Section, ...] = ()
    restated: tuple[Card, ...] = ()
    trends: tuple[Trend, ...] = ()
    before: tuple[str, ...] = ()
    index: tuple[MonthFigure, ...] = ()
    index_charts: tuple[Chart, ...] = ()
    leave_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


INDEX = "index"
"""What charts of the index are drawn from."""


def share_of(part: Any, whole: Any) -> Decimal | None:
    """Return a part over the absolute whole, to 6 places; ``None`` where that is 0 or either is missing."""
    return None if part is None or whole is None else divide(part, abs(whole), 6)


def added_up(*columns: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what keeps, for a trend, one row a month with the sums of some columns."""

    def keep(frame: pd.DataFrame) -> pd.DataFrame:
        if frame.empty:
            return frame
        sums = {name: [_whole(total(frame, name))] for name in columns}
        return pd.DataFrame({"month": frame["month"].head(1).to_numpy(), **sums})

    return keep


def _whole(amount: Decimal) -> int | Decimal:
    """Return a sum as the column had it: cents and counts are integers."""
    return int(amount) if amount.as_tuple().exponent == 0 else amount
