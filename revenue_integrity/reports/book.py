"""A workbook under construction: sheets, columns, writing values as what they are, totals as live formulas.

Belongs here: how a listing is written. Does not belong here: which sheets there are (``workbook``), which rows a listing shows
(``rows``).

Amounts are stored in units of the currency that stand for exact cents (Excel's numbers hold them exactly to display up to 2^53
cents); every total is a formula with the published total as its value, so a reader that recalculates and one that does not show
the same. Exact costs are stored as the nearest number and shown to the cent; all their places stand in the CSVs.
Text is always written as text: nothing that came from outside can run as a formula.
"""

import datetime
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.utility import quote_sheetname, xl_col_to_name, xl_rowcol_to_cell

from revenue_integrity import wording
from revenue_integrity.exact import cents as cents_of
from revenue_integrity.model.report import NUMBERS, Column, Format, Listing, Published, text_of
from revenue_integrity.output import plain, without_formula
from revenue_integrity.reports import rows
from revenue_integrity.reports.pack_data import PackData, instant_of, plain_records
from revenue_integrity.reports.rows import Rows

_MAX_ROWS = 1_048_000
"""Excel ends at 1,048,576 rows; what lies beyond stands in the CSV, and the sheet says so."""
_MAX_TEXT = 32_767
"""Excel's longest text in a cell, in units of UTF-16: a picture of a face has two."""
_MAX_NAME = 31
"""Excel's longest name of a sheet."""
_EXACT_CENTS = 2**53
"""Beyond this a double no longer holds every cent; such an amount is written as text."""
_SHORTENED = " … (shortened; the whole text stands in the CSV)"

_AMOUNT = "#,##0.00"
_STYLES: dict[str, dict[str, Any]] = {
    "text": {"align": "left", "indent": 1},
    "wide": {"text_wrap": True, "align": "left", "indent": 1},
    "cents": {"num_format": f"{_AMOUNT}_);({_AMOUNT});0.00_)", "align": "right"},
    "cost": {"num_format": f"{_AMOUNT}_);({_AMOUNT});0.00_)", "align": "right"},
    "integer": {"num_format": "#,##0_);(#,##0);0_)", "align": "right"},
    "decimal": {"num_format": "#,##0.00####_);(#,##0.00####)", "align": "right"},
    "share": {"num_format": "0.0%_);(0.0%)", "align": "right"},
    "date": {"num_format": "yyyy-mm-dd", "align": "left", "indent": 1},
    "month": {"num_format": "yyyy-mm", "align": "left", "indent": 1},
    "instant": {"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left", "indent": 1},
    "flag": {"align": "center"},
}
_STYLE_OF: Mapping[Format, str] = {"name": "text", "words": "text", "pill": "text", "hash": "text", "evidence": "wide"}
_WIDTHS = {
    "text": 20,
    "wide": 60,
    "cents": 16,
    "cost": 16,
    "integer": 12,
    "decimal": 15,
    "share": 12,
    "date": 13,
    "month": 11,
    "instant": 22,
}
_PRINTED_ROWS = 240
"""Rows of a sheet that are printed: four or five pages, the largest first; who wants all of them clears the print area."""
_ACROSS, _UPRIGHT = 149, 102
"""Characters that A4 holds side by side at full size between narrow margins, across and upright."""
_SMALLEST, _NARROW, _TALL = 0.5, 0.75, 45
"""How small print may get before a sheet takes several pages side by side; how much of the width a sheet takes that needs no
fitting, with room for fonts that are wider; from how many rows on a narrow sheet stands upright."""
_LINE, _MOST_LINES = 13.5, 12
"""Points of a line of text, and how many of wrapped text a row shows at most: Excel does not grow a row higher than 30."""
_TONES: dict[str, dict[str, Any]] = {
    "bad": {"bold": True, "font_color": "#B3402E"},
    "good": {"bold": True, "font_color": "#12602F"},
    "muted": {"italic": True, "font_color": "#6B7A86"},
}


def style_of(written: Format) -> str:
    """Return the style in which a format is written."""
    return _STYLE_OF.get(written, written)


@dataclass(frozen=True)
class Sheet:
    """A sheet under construction, with its name, and the width of each column that has one."""

    name: str
    cells: Any
    widths: dict[int, int] = field(default_factory=dict)

    def set_width(self, first: int, last: int, width: int) -> None:
        """Set the width of columns, in characters."""
        self.cells.set_column(first, last, width)
        self.widths.update(dict.fromkeys(range(first, last + 1), width))


@dataclass(frozen=True)
class Place:
    """Where a listing stands in the workbook: what formulas of other sheets refer to.

    Attributes:
        sheet: its sheet.
        first: the first row of its data, counted from 0.
        last: the last one.
        totals: the row of its totals, ``None`` where nothing is added up.
        columns: the position of each column by its field.
    """

    sheet: Sheet
    first: int
    last: int
    totals: int | None
    columns: Mapping[str, int]

    def total(self, column: str) -> str:
        """Return the cell of a column's total, as other sheets name it."""
        assert self.totals is not None
        return f"{quote_sheetname(self.sheet.name)}!{xl_rowcol_to_cell(self.totals, self.columns[column])}"

    def span(self, column: str) -> str:
        """Return the cells of a column's data, as other sheets name them."""
        letter = xl_col_to_name(self.columns[column])
        return f"{quote_sheetname(self.sheet.name)}!${letter}${self.first + 1}:${letter}${self.last + 1}"


@dataclass
class _Styles:
    """Formats of the workbook by style, made when they are asked for."""

    book: Any
    base: Mapping[str, Any]
    currency: str
    made: dict[tuple[str, str, str, bool], Any] = field(default_factory=dict)

    def get(self, style: str, kind: str = "", tone: str = "", *, quoted: bool = False) -> Any:
        """Return a format; ``quoted`` text stays text also when somebody edits its cell."""
        key = (style, kind, tone, quoted)
        if key not in self.made:
            looks = {**self.base, **_STYLES.get(style, {}), **_TONES.get(tone, {})}
            if quoted:
                looks["quote_prefix"] = True
            if kind == "total":
                looks |= {"bold": True, "top": 1, "bottom": 6, "bg_color": "#EEF3F7"}
                if style in ("cents", "cost"):
                    sign = f'"{self.currency}"'
                    looks["num_format"] = f"{sign}{_AMOUNT}_);({sign}{_AMOUNT});{sign}0.00_)"
            self.made[key] = self.book.add_format(looks)
        return self.made[key]


class Book:
    """A workbook under construction: its formats, and writing listings and values of each format."""

    def __init__(self, data: PackData) -> None:
        self.data = data
        self.buffer = io.BytesIO()
        # Every switch that lets text become anything else is off.
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self.book = xlsxwriter.Workbook(self.buffer, {**options, "nan_inf_to_errors": False, "default_date_format": "yyyy-mm-dd"})
        self.book.set_size(2400, 1400)
        self.book.set_properties(
            {
                "title": f"Close pack {data.book} {data.label}",
                "subject": f"Revenue Integrity, book {data.book}, amounts in {data.currency.code}",
                "author": "Revenue Integrity",
                "comments": "PRELIMINARY" if data.preliminary else f"Signed off, version {data.version}",
                "created": (data.as_of or datetime.datetime.combine(data.month, datetime.time(), datetime.UTC)).replace(
                    tzinfo=None
                ),
            }
        )
        base = {"font_name": "Calibri", "font_size": 10, "valign": "top"}
        self._styles = _Styles(self.book, base, data.currency.before)
        self._title = self.book.add_format({**base, "bold": True, "font_size": 14, "font_color": "#12344D"})
        self._section = self.book.add_format({**base, "bold": True, "font_size": 11, "font_color": "#12344D", "bottom": 1})
        self._note = self.book.add_format({**base, "italic": True, "font_color": "#4A5B68"})
        heading = {**base, "bold": True, "font_color": "#FFFFFF", "bg_color": "#12344D", "text_wrap": True, "valign": "vcenter"}
        self._heading = self.book.add_format({**heading, "align": "left", "indent": 1})
        self._number_heading = self.book.add_format({**heading, "align": "right"})
        self._warning = self.book.add_format({**base, "bold": True, "font_color": "#7A1F12", "bg_color": "#FBE9E5"})
        self._signed = self.book.add_format({**base, "bold": True, "font_color": "#12502E", "bg_color": "#E4F3EA"})
        self._names: set[str] = set()

    def finish(self) -> bytes:
        """Return the whole workbook."""
        self.book.close()
        return self.buffer.getvalue()

    def sheet(self, name: str, explanation: str, owner: str = "") -> Sheet:
        """Add a sheet with its title, what it shows, and, if nobody signed, that it is preliminary; data begin in row 4.

        Where two streams have a sheet of one name, that of the second gets its ``owner`` before it.
        """
        called = self._free(name, owner)
        cells = self.book.add_worksheet(called)
        cells.hide_gridlines(2)
        cells.set_paper(9)
        cells.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        cells.set_footer("&L&F&C&A&RPage &P of &N")
        cells.write_string(0, 0, f"{called} – {wording.month_name(self.data.month)}", self._title)
        cells.write_string(1, 0, explanation, self._note)
        if self.data.preliminary:
            said = f"PRELIMINARY – the month is {self.data.state}, nobody has signed these figures"
            cells.write_string(2, 0, said, self._warning)
        else:
            cells.write_string(2, 0, f"Signed off, version {self.data.version}", self._signed)
        return Sheet(called, cells)

    def printed(self, sheet: Sheet, last_row: int, last_column: int) -> None:
        """Set what is printed of a sheet and how: as large as its width allows, side by side where that would be too small."""
        cells = sheet.cells
        cells.print_area(0, 0, last_row, last_column)
        width = sum(sheet.widths.get(column, _WIDTHS["text"]) for column in range(last_column + 1))
        is_upright = last_row > _TALL and width * _SMALLEST * 1.3 <= _UPRIGHT
        (cells.set_portrait if is_upright else cells.set_landscape)()
        room = _UPRIGHT if is_upright else _ACROSS
        if width <= room * _NARROW:
            # Fitted, some programs would blow a narrow sheet up to the width of the page.
            return
        side_by_side = -(-int(width * _SMALLEST) // room)
        cells.fit_to_pages(side_by_side, 0)
        if side_by_side > 1:
            cells.repeat_columns(0, 0)

    def _free(self, name: str, owner: str) -> str:
        """Return a name that no sheet has, as Excel allows it."""
        wanted = re.sub(r"[\[\]:*?/\\]", " ", name)[:_MAX_NAME].strip()
        tried = iter(
            [wanted, f"{owner} {wanted}"[:_MAX_NAME].strip(), *(f"{wanted[: _MAX_NAME - 3]} {at}" for at in range(2, 99))]
        )
        found = next(each for each in tried if each.lower() not in self._names)
        self._names.add(found.lower())
        return found

    def text(self, sheet: Sheet, row: int, column: int, text: str, style: str = "text") -> None:
        """Write words: plain ones, a ``section`` title or a ``note``."""
        looks = {"section": self._section, "note": self._note}.get(style) or self._styles.get(style)
        sheet.cells.write_string(row, column, text, looks)

    def formula(
        self, sheet: Sheet, row: int, column: int, formula: str, value: Any, written: Format, *, total: bool = False
    ) -> None:
        """Write a live formula with its value, which whoever does not calculate shows."""
        style = self._styles.get(style_of(written), "total" if total else "")
        sheet.cells.write_formula(row, column, formula, style, "" if value is None else _number(value, written))

    def write(self, sheet: Sheet, row: int, column: int, value: Any, written: Format, tone: str = "", kind: str = "") -> None:
        """Write one value as what it is; text only ever as text."""
        style, name = self._styles.get(style_of(written), kind, tone), style_of(written)
        cells = sheet.cells
        if wording.is_missing(value):
            cells.write_blank(row, column, None, style)
        elif name == "cents" and abs(int(value)) <= _EXACT_CENTS:
            cells.write_number(row, column, int(value) / 100, style)
        elif name == "cents":
            cells.write_string(row, column, wording.money(value), style)
        elif name == "cost" and abs(value) * 100 > _EXACT_CENTS:
            cells.write_string(row, column, wording.cost(value), style)
        elif name in NUMBERS:
            cells.write_number(row, column, float(value), style)
        elif name in ("date", "month"):
            cells.write_datetime(row, column, pd.Timestamp(value).to_pydatetime().replace(tzinfo=None), style)
        elif name == "instant":
            stamp = instant_of(value)
            # Excel's clock has milliseconds and no zone.
            shown = stamp and stamp.replace(tzinfo=None, microsecond=stamp.microsecond // 1000 * 1000)
            cells.write_datetime(row, column, shown, style) if shown else cells.write_blank(row, column, None, style)
        else:
            text = wording.shortened(wording.visible(self._words(value, written)), _MAX_TEXT, _length, _SHORTENED)
            if without_formula(text) != text:
                style = self._styles.get(style_of(written), kind, tone, quoted=True)
            cells.write_string(row, column, text, style)

    def _words(self, value: Any, written: Format) -> str:
        """Return what is no number as people read it: identifiers as words, JSON as key and value."""
        match written:
            case "words" | "pill":
                return wording.words(value)
            case "evidence":
                return self.data.currency.evidence(value)
            case _:
                return _text(value)

    def heading(self, column: Column) -> str:
        """Return what stands above a column: amounts name the currency."""
        is_money = column.format in ("cents", "cost") and not column.by
        return self.data.currency.heading(column.heading) if is_money else column.heading

    def headings(self, sheet: Sheet, row: int, columns: Sequence[Column], left: int = 0, *, widths: bool = True) -> None:
        """Write the headings of columns."""
        for position, column in enumerate(columns, left):
            number = column.format in NUMBERS or bool(column.by)
            style = self._number_heading if number else self._heading
            sheet.cells.write_string(row, position, self.heading(column), style)
            if widths:
                sheet.set_width(position, position, column.width or _WIDTHS.get(style_of(column.format), 12))

    def listing(self, listing: Listing, published: Published, owner: str = "") -> Place | None:
        """Add the sheet of a listing; return where it stands, ``None`` where its rows are not available."""
        found = rows.rows_of(listing, published)
        if found is None:
            if not listing.sheet_only_if_there:
                sheet = self.sheet(listing.sheet, text_of(listing.note, published), owner)
                self.text(sheet, 4, 0, f"{listing.title} is not available: a source that it needs has never delivered", "note")
                sheet.set_width(0, 0, 60)
            return None
        frame, rest = rows.with_rest(listing, found)
        note = text_of(listing.note, published)
        if rest:
            dataset = listing.rows if isinstance(listing.rows, str) else ""
            where = f"csv/{dataset}.csv" if dataset else "csv/"
            note = f"{note}. The {listing.most:,} first {listing.what}; the rest in sums, all rows stand in {where}"
        if len(frame) > _PRINTED_ROWS:
            note = f"{note}. Printed are the first {_PRINTED_ROWS} of {len(frame):,} rows; clear the print area for all of them"
        return self._grid(self.sheet(listing.sheet, note, owner), listing, found, frame)

    def _grid(self, sheet: Sheet, listing: Listing, found: Rows, frame: pd.DataFrame) -> Place:
        """Write a frame with frozen, filtered headings.

        Totals stand right under the title, where neither a filter nor sorting moves them, and freeze with the headings.
        """
        columns = found.of("sheet")
        totals = 4 if found.has_totals else None
        first = 5 if totals is None else 6
        shown = frame.head(_MAX_ROWS)
        last = first + max(len(shown), 1) - 1
        # The filter takes the row right above the data as its headings.
        self.headings(sheet, first - 1, columns)
        sheet.cells.set_row(first - 1, 2 * _LINE + 2)
        self._heights(sheet, first, 0, columns, shown)
        place = Place(sheet, first, last, totals, {column.field: at for at, column in enumerate(columns)})
        for position, column in enumerate(columns):
            for offset, (value, written, tone) in enumerate(_values(column, shown)):
                self.write(sheet, first + offset, position, value, written, tone)
        if totals is not None:
            self._totals(sheet, found, columns, place)
            self._proof(sheet, listing, found, columns, place)
        sheet.cells.autofilter(first - 1, 0, last, len(columns) - 1)
        sheet.cells.freeze_panes(first, 1)
        sheet.cells.repeat_rows(0, first - 1)
        on_paper = next((at for at, column in enumerate(columns) if column.screen_only), len(columns) + bool(listing.proof))
        self.printed(sheet, min(last, first + _PRINTED_ROWS - 1), on_paper - 1)
        if frame.empty:
            self.text(sheet, first, 0, listing.empty, "note")
            # Headings alone need no second page.
            sheet.cells.fit_to_pages(1, 0)
        if len(frame) > len(shown):
            sheet.cells.write_string(last + 1, 0, f"{len(frame) - len(shown):,} more rows stand in the CSV", self._warning)
        return place

    def _heights(
        self,
        sheet: Sheet,
        first: int,
        left: int,
        columns: Sequence[Column],
        frame: pd.DataFrame,
        spread: int | None = None,
    ) -> None:
        """Give rows with wrapped text the height that it needs: not every reader finds it by itself."""
        wrapped = [
            (position, column)
            for position, column in enumerate(columns, left)
            if style_of(column.format) == "wide" and column.field in frame
        ]
        lines = [1] * len(frame)
        for position, column in wrapped:
            # A little less than the column is wide, for the indent and letters that are wider than digits.
            over = spread if spread is not None and position == left + len(columns) - 1 else position
            width = sum(sheet.widths.get(each, 12) for each in range(position, over + 1))
            room = max(8, int(width * 0.92) - 1)
            for offset, value in enumerate(frame[column.field].astype(object).tolist()):
                if not wording.is_missing(value):
                    lines[offset] = max(lines[offset], _lines(self._words(value, column.format), room))
        for offset, count in enumerate(lines):
            if count > 1:
                sheet.cells.set_row(first + offset, _LINE * min(count, _MOST_LINES) + 1)

    def _totals(self, sheet: Sheet, found: Rows, columns: Sequence[Column], place: Place) -> None:
        assert place.totals is not None
        for position, column in enumerate(columns):
            letter = xl_col_to_name(position)
            if column.field in found.totals:
                places = 2 if column.format in ("cents", "cost") else 6
                # Rounding undoes what adding binary fractions may leave beyond the last place.
                formula = f"=ROUND(SUM({letter}{place.first + 1}:{letter}{place.last + 1}),{places})"
                self.formula(sheet, place.totals, position, formula, found.totals[column.field], column.format, total=True)
            elif column.share and all(name in place.columns for name in column.share):
                part, whole = (xl_rowcol_to_cell(place.totals, place.columns[name]) for name in column.share)
                formula = f'=IF({whole}=0,"",ROUND({part}/ABS({whole}),6))'
                self.formula(sheet, place.totals, position, formula, rows.share(column, found.totals), "share", total=True)
            else:
                self.write(sheet, place.totals, position, "Total" if position == 0 else "", "text", kind="total")

    def _proof(self, sheet: Sheet, listing: Listing, found: Rows, columns: Sequence[Column], place: Place) -> None:
        """Write what is left where columns should add up to nothing."""
        if not listing.proof:
            return
        assert place.totals is not None
        beside = len(columns)
        parts = [
            f"{'+' if factor > 0 else '-'}{xl_rowcol_to_cell(place.totals, place.columns[name])}"
            for name, factor in listing.proof.items()
        ]
        left = sum((factor * found.totals[name] for name, factor in listing.proof.items()), Decimal(0))
        money = next(column.format for column in columns if column.field in listing.proof)
        self.headings(sheet, place.first - 1, [Column("", "Difference", money)], beside)
        formula = f"=ROUND({''.join(parts).removeprefix('+')},2)"
        self.formula(sheet, place.totals, beside, formula, left, money, total=True)

    def block(
        self, sheet: Sheet, row: int, listing: Listing, published: Published, left: int = 0, until: int | None = None
    ) -> int:
        """Write a small listing below or beside another, sums as live formulas; return the row after it.

        Widths stay those of the sheet; its last column, a text, takes those up to ``until`` where that is given.
        """
        found = rows.rows_of(listing, published)
        self.text(sheet, row, left, listing.title, "section")
        if found is None or found.frame.empty:
            self.text(sheet, row + 1, left, listing.absent if found is None else listing.empty, "note")
            return row + 3
        columns = found.of("sheet")
        self.headings(sheet, row + 1, columns, left, widths=False)
        first, last = row + 2, left + len(columns) - 1
        spread = until if until is not None and until > last else None
        self._heights(sheet, first, left, columns, found.frame, spread)
        if spread is not None:
            sheet.cells.merge_range(row + 1, last, row + 1, spread, self.heading(columns[-1]), self._heading)
        for offset, (record, sums) in enumerate(_with_sums(listing, found.frame)):
            for position, column in enumerate(columns, left):
                value, written = record.get(column.field), record[column.by] if column.by else column.format
                if sums and written in NUMBERS and not wording.is_missing(value):
                    letter = xl_col_to_name(position)
                    formula = "+".join(f"{letter}{first + at + 1}" for at in sums)
                    self.formula(sheet, first + offset, position, f"=ROUND({formula},2)", value, written, total=True)
                else:
                    tone = str(record.get(column.tone) or "") if column.tone else ""
                    if spread is not None and position == last:
                        sheet.cells.merge_range(first + offset, last, first + offset, spread, "", self._styles.get("wide"))
                    self.write(sheet, first + offset, position, value, written, tone)
        return first + len(found.frame) + 1


def _with_sums(listing: Listing, frame: pd.DataFrame) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Yield rows, each sum with the rows that it adds up: those of its group since the sum before, and that sum."""
    group, open_rows = None, list[int]()
    for at, record in enumerate(plain_records(frame)):
        if listing.group and record[listing.group] != group:
            group, open_rows = record[listing.group], []
        if listing.sums and record[listing.sums]:
            yield record, list(open_rows)
            open_rows = [at]
        else:
            yield record, []
            open_rows.append(at)


def _values(column: Column, frame: pd.DataFrame) -> Iterator[tuple[Any, Format, str]]:
    """Yield the values of a column, each with its format and tone."""
    count = len(frame)
    values = frame[column.field].astype(object).tolist() if column.field in frame else [None] * count
    formats = frame[column.by].tolist() if column.by else [column.format] * count
    tones = [str(tone or "") for tone in frame[column.tone].tolist()] if column.tone else [""] * count
    yield from zip(values, formats, tones, strict=True)


def _number(value: Any, written: Format) -> float:
    if written == "cents":
        return int(value) / 100
    return cents_of(Decimal(value)) / 100 if written == "cost" else float(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = plain(value)
    return "" if shown is None else str(shown)


def _lines(text: str, room: int) -> int:
    return sum(max(1, -(-len(part) // room)) for part in text.split("\n"))


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
