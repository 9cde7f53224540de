"""Views, sections, listings and tiles as a page shows them: everything is text by now, and knows how it stands.

Belongs here: turning declarations and a published month into the values that the templates lay out. Does not belong here: markup
and looks (``templates``), which views there are (``page``), drawing (``charts``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from revenue_integrity import wording
from revenue_integrity.exact import cents as cents_of
from revenue_integrity.model.report import (
    NUMBERS,
    Block,
    Card,
    Chart,
    Column,
    Format,
    Kpi,
    Listing,
    Published,
    Section,
    Sentence,
    Tone,
    View,
    measured,
    text_of,
)
from revenue_integrity.reports import charts, rows
from revenue_integrity.reports.pack_data import plain_records
from revenue_integrity.reports.rows import Rows
from revenue_integrity.wording import Currency

_EVIDENCE = 160
"""Characters of evidence that a page shows; the workbook has all of it."""

_CLASSES: Mapping[Format, str] = {
    "text": "text",
    "name": "when",
    "wide": "text",
    "evidence": "text",
    "hash": "hash",
    "date": "when",
    "instant": "when",
    "month": "when",
}


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, the classes of its looks, whether it stands in a pill, a word beside it, where it leads."""

    text: str
    classes: str = ""
    pill: bool = False
    tone: Tone = ""
    badge: str = ""
    link: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a table; a sum is set apart."""

    cells: Sequence[Cell]
    is_sum: bool = False


@dataclass(frozen=True)
class Heading:
    """What stands above a column."""

    text: str
    is_number: bool


@dataclass(frozen=True)
class Table:
    """A listing on a page: groups of lines, each under its words; ``said`` instead of them where there are none."""

    title: str
    caption: str
    headings: Sequence[Heading] = ()
    groups: Sequence[tuple[str, Sequence[Line]]] = ()
    said: str = ""
    collapsed: bool = False


@dataclass(frozen=True)
class Picture:
    """A chart on a page, over days a long one; ``said`` instead of it where there is nothing to draw."""

    svg: str
    note: str
    said: str = ""
    is_long: bool = False


@dataclass(frozen=True)
class Words:
    """A sentence on a page."""

    text: str


@dataclass(frozen=True)
class ShownCard:
    """What stands under one title of a page."""

    title: str
    parts: Sequence[Table | Picture | Words]
    wide: bool


@dataclass(frozen=True)
class ShownSection:
    """A question of a page with its cards."""

    title: str
    cards: Sequence[ShownCard]


@dataclass(frozen=True)
class Tile:
    """A headline figure: what it is, its value, its exact value or context, and whether it is good, bad or neither."""

    label: str
    value: str
    note: str
    tone: Tone = ""


@dataclass(frozen=True)
class ShownView:
    """A view of a page."""

    name: str
    title: str
    tiles: Sequence[Tile]
    sections: Sequence[ShownSection]


def shown_view(view: View, published: Published) -> ShownView:
    """Return a view of a month."""
    sections = [
        shown_section(section, published, f"{view.name}-{at}") for at, section in enumerate(view.sections, 1) if section.cards
    ]
    return ShownView(view.name, view.title, tiles(view.tiles, published), sections)


def shown_section(section: Section, published: Published, identifier: str) -> ShownSection:
    """Return a section of a month; ``identifier`` begins the ids of its charts."""
    cards = [card for at, each in enumerate(section.cards, 1) for card in _shown_cards(each, published, f"{identifier}-{at}")]
    return ShownSection(section.title, _laid_out(cards))


def _shown_cards(card: Card | Listing | Chart, published: Published, identifier: str) -> Iterator[ShownCard]:
    """Yield a card, or one for each picture of a chart that is split."""
    if isinstance(card, Chart) and card.split:
        drawn = charts.pictures(card, published, identifier)
        note = text_of(card.note, published)
        for each in drawn:
            yield ShownCard(wording.visible(each.title), [_drawn(each, card, note)], wide=True)
        if not drawn:
            yield ShownCard(card.title, [Words(card.empty)], wide=True)
        return
    if not isinstance(card, Card):
        card = Card(card.title, (card,))
    parts = [part for at, block in enumerate(card.blocks, 1) for part in _parts(block, published, f"{identifier}-{at}")]
    if parts and not (card.if_any and all(_is_empty(part) for part in parts)):
        yield ShownCard(card.title, parts, card.wide)


def _is_empty(part: Table | Picture | Words) -> bool:
    return not isinstance(part, Words) and bool(part.said)


def _laid_out(cards: Sequence[ShownCard]) -> list[ShownCard]:
    """Return the cards so that none stands beside an empty place: one that would be alone in its line takes all of it."""
    found: list[ShownCard] = []
    waiting = False
    for at, card in enumerate(cards):
        is_last = at + 1 == len(cards)
        alone = not card.wide and not waiting and (is_last or cards[at + 1].wide)
        found.append(ShownCard(card.title, card.parts, wide=True) if alone else card)
        waiting = not waiting and not card.wide and not alone
    return found


def _parts(block: Block, published: Published, identifier: str) -> Iterator[Table | Picture | Words]:
    if isinstance(block, Sentence):
        text = text_of(block.text, published)
        if text:
            yield Words(text)
    elif isinstance(block, Chart):
        note = text_of(block.note, published)
        drawn = charts.pictures(block, published, identifier)
        yield from (_drawn(each, block, note) for each in drawn)
        if not drawn:
            yield Picture("", note, said=block.empty)
    else:
        table = table_of(block, published)
        # What is only there when asked for is left out where there is nothing to ask for.
        if not (block.collapsed and table.said):
            yield table


def _drawn(picture: charts.Picture, chart: Chart, note: str) -> Picture | Table:
    """Return a picture, or the figures of one that could not be drawn."""
    if picture.svg:
        return Picture(picture.svg, note, is_long=chart.shaded is not None)
    headings = (Heading("", is_number=False), Heading("", is_number=False), Heading("Amount", is_number=True))
    lines = [
        Line([Cell(wording.visible(place)), Cell(wording.visible(series)), Cell(amount, "n")])
        for place, series, amount in picture.figures
    ]
    return Table(chart.title, f"{note} The picture cannot be drawn; these are its figures.".strip(), headings, [("", lines)])


def table_of(listing: Listing, published: Published) -> Table:
    """Return a listing as the page shows it: the first rows, the rest as one where columns are added up, and the total."""
    found = rows.rows_of(listing, published)
    if found is None:
        return Table(listing.title, "", said=listing.absent)
    if found.frame.empty:
        return Table(listing.title, "", said=listing.empty)
    columns = found.of("page")
    # One row that is left over stays: a line for it takes as much room.
    cut = listing.first and len(found.frame) > listing.first + (1 if found.has_totals else 0)
    shown = found.frame.iloc[: listing.first] if cut else found.frame
    records = plain_records(shown)
    lines = [
        (
            wording.visible(str(row[listing.group])) if listing.group else "",
            Line(_cells(columns, row, published.currency), _marked(listing, row)),
        )
        for row in records
    ]
    groups = [(name, [line for _, line in members]) for name, members in groupby(lines, key=lambda pair: pair[0])]
    if found.has_totals:
        groups[-1][1].extend(_closing(listing, found, columns, len(shown), published.currency))
    count = f"{len(shown):,} of {len(found.frame):,} {listing.what}. " if cut else ""
    headings = [Heading(_heading(column, published.currency), _is_number(column)) for column in columns]
    return Table(listing.title, f"{count}{text_of(listing.note, published)}", headings, groups, collapsed=listing.collapsed)


def _marked(listing: Listing, row: Mapping[str, Any]) -> bool:
    return bool(listing.sums and row[listing.sums])


def _closing(listing: Listing, found: Rows, columns: Sequence[Column], shown: int, currency: Currency) -> Iterator[Line]:
    """Yield the rest as one line, and the total."""
    rest = found.frame.iloc[shown:]
    if len(rest):
        sums = {name: rows.total(rest, name) for name in found.totals}
        yield _summed(found, columns, f"{len(rest):,} others", sums, currency, is_sum=False)
    yield _summed(found, columns, "Total", found.totals, currency, is_sum=True)


def _summed(
    found: Rows, columns: Sequence[Column], label: str, sums: Mapping[str, Any], currency: Currency, *, is_sum: bool
) -> Line:
    cells = [Cell(label)]
    for column in columns[1:]:
        value = rows.share(column, sums) if column.share else sums.get(column.field)
        cells.append(Cell("", "n") if value is None else _cell(column, {column.field: value}, currency))
    return Line(cells, is_sum)


def _heading(column: Column, currency: Currency) -> str:
    is_money = column.format in ("cents", "cost") and not column.by
    return currency.heading(column.heading) if is_money else column.heading


def _is_number(column: Column) -> bool:
    return column.format in NUMBERS or bool(column.by)


def _cells(columns: Sequence[Column], row: Mapping[str, Any], currency: Currency) -> list[Cell]:
    return [_cell(column, row, currency) for column in columns]


def _cell(column: Column, row: Mapping[str, Any], currency: Currency) -> Cell:
    value: Any = row.get(column.field)
    written: Format = row[column.by] if column.by else column.format
    is_missing = value is None or wording.is_missing(value)
    classes = "n" if _is_number(column) else _CLASSES.get(written, "")
    text = _text(value, written, column, currency)
    if not is_missing and written in ("cents", "cost", "decimal") and text.startswith("("):
        classes += " neg"
    tone: Tone = row.get(column.tone) or "" if column.tone else ""
    return Cell(
        text=wording.visible(text),
        classes=classes,
        pill=not is_missing and (written == "pill" or bool(tone)),
        tone=tone,
        badge=str(row.get(column.badge) or "") if column.badge else "",
        link=str(row.get(column.link) or "") if column.link else "",
    )


def _text(value: Any, written: Format, column: Column, currency: Currency) -> str:
    """Return a value as text."""
    if wording.is_missing(value) or value == "":
        return wording.MISSING
    match written:
        case "cents":
            return wording.money(value, whole=column.whole)
        case "cost":
            return wording.money(cents_of(value), whole=True) if column.whole else wording.cost(value)
        case "integer":
            return wording.quantity(value)
        case "decimal":
            return wording.exact(value) if column.places is None else wording.quantity(value, column.places)
        case "share":
            return wording.percent(value, 1 if column.places is None else column.places)
        case "date" | "instant":
            return wording.instant(value)
        case "month":
            return wording.month_label(value)
        case "words" | "pill":
            return wording.words(value)
        case "flag":
            return "yes" if value else "no"
        case "evidence":
            return wording.shortened(currency.evidence(value), _EVIDENCE)
        case _:
            return str(value)


def tiles(declared: Sequence[Kpi], published: Published) -> list[Tile]:
    """Return the tiles that have a value."""
    found = []
    for kpi in declared:
        value = measured(kpi.value, published)
        if not wording.is_missing(value):
            found.append(_tile(kpi, value, published))
    return found


def _tile(kpi: Kpi, value: Any, published: Published) -> Tile:
    said = text_of(kpi.note, published)
    notes = [said] if said else []
    if kpi.change:
        before = published.month_before
        was = None if before is None else measured(kpi.value, before)
        notes.append(_changed(value, was, kpi.format, published.currency))
    tone = kpi.tone(value, published) if kpi.tone else ""
    return Tile(kpi.label, _short(value, kpi.format, published.currency), "; ".join(notes), tone)


def _short(value: Any, written: Format, currency: Currency) -> str:
    match written:
        case "cents":
            return currency.compact(value)
        case "cost":
            return currency.compact_cost(value)
        case _:
            return _text(value, written, Column("", "", written), currency)


def _changed(now: Any, before: Any, written: Format, currency: Currency) -> str:
    """Return how a figure moved since the month before, in words."""
    if wording.is_missing(before):
        return "first month shown"
    share = rows.share_of(now - before, before)
    sign = "+" if now > before else ""
    shown = "" if share is None else f" ({sign}{share * 100:.1f} %)"
    return f"{_short(now - before, written, currency)}{shown} on the month before"
