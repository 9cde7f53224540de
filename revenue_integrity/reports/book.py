"""A workbook under construction: sheets, columns, writing values as what they are, totals as live formulas.

Belongs here: how things are written. Does not belong here: which sheets there are (``workbook``, ``cloud_sheets``).

Amounts are stored as dollars that stand for exact cents (Excel's numbers hold them exactly to display up to 2^53 cents); every
total is a formula with the published total as its value, so a reader that recalculates and one that does not show the same.
Exact costs are stored as the nearest number and shown to the cent; all their places stand in the CSVs.
Text is always written as text: nothing that came from outside can run as a formula.
"""

import datetime
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pandas as pd
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from revenue_integrity.exact import cents as cents_of
from revenue_integrity.output import plain
from revenue_integrity.reports import cloud_figures, figures, formatting
from revenue_integrity.reports.pack_data import PackData, instant_of

Kind = Literal["text", "wide", "cents", "cost", "integer", "decimal", "share", "date", "instant", "month", "flag"]

_MAX_ROWS = 1_048_000
"""Excel ends at 1,048,576 rows; what lies beyond stands in the CSV, and the sheet says so."""
_MAX_TEXT = 32_767
"""Excel's longest text in a cell."""
_EXACT_CENTS = 2**53
"""Beyond this a double no longer holds every cent; such an amount is written as text."""
_SHORTENED = " … (shortened; the whole text stands in the CSV)"

_FORMATS: dict[str, dict[str, Any]] = {
    "text": {"indent": 1},
    "wide": {"text_wrap": True, "indent": 1},
    "cents": {"num_format": "#,##0.00_);(#,##0.00);0.00_)", "align": "right"},
    "cost": {"num_format": "#,##0.00_);(#,##0.00);0.00_)", "align": "right"},
    "integer": {"num_format": "#,##0_);(#,##0);0_)", "align": "right"},
    "decimal": {"num_format": "#,##0.00####_);(#,##0.00####)", "align": "right"},
    "share": {"num_format": "0.0%_);(0.0%)", "align": "right"},
    "date": {"num_format": "yyyy-mm-dd", "align": "left", "indent": 1},
    "month": {"num_format": "yyyy-mm", "align": "left", "indent": 1},
    "instant": {"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left", "indent": 1},
    "flag": {"align": "center"},
}
_WIDTHS = {
    "text": 20,
    "wide": 60,
    "cents": 16,
    "cost": 16,
    "integer": 12,
    "decimal": 15,
    "share": 11,
    "date": 12,
    "month": 10,
    "instant": 20,
}


@dataclass(frozen=True)
class Column:
    """A column of a sheet: the field of the frame, its heading, how it is written, and whether it is added up."""

    field: str
    heading: str
    kind: Kind = "text"
    added: bool = False
    width: int = 0


@dataclass(frozen=True)
class Cell:
    """A cell of a sheet, counted from 0."""

    row: int
    column: int

    @property
    def name(self) -> str:
        """The cell as formulas name it."""
        return str(xl_rowcol_to_cell(self.row, self.column))


class Book:
    """A workbook under construction: its formats, and writing values of each kind."""

    def __init__(self, data: PackData) -> None:
        self.data = data
        self.buffer = io.BytesIO()
        # Every switch that lets text become anything else is off.
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self.book = xlsxwriter.Workbook(self.buffer, {**options, "nan_inf_to_errors": False, "default_date_format": "yyyy-mm-dd"})
        self.book.set_size(2400, 1400)
        self.book.set_properties(
            {
                "title": f"Close pack {data.label}",
                "subject": f"Revenue Integrity, stream {data.stream}",
                "author": "Revenue Integrity",
                "comments": "PRELIMINARY" if data.preliminary else f"Signed off, version {data.version}",
                "created": (data.as_of or datetime.datetime.combine(data.month, datetime.time(), datetime.UTC)).replace(
                    tzinfo=None
                ),
            }
        )
        base = {"font_name": "Calibri", "font_size": 10, "valign": "top"}
        self.formats = {kind: self.book.add_format({**base, **extra}) for kind, extra in _FORMATS.items()}
        total = {"bold": True, "top": 1, "bottom": 6, "bg_color": "#EEF3F7"}
        self.totals = {kind: self.book.add_format({**base, **extra, **total}) for kind, extra in _FORMATS.items()}
        self.title = self.book.add_format({**base, "bold": True, "font_size": 14, "font_color": "#12344D"})
        self.section = self.book.add_format({**base, "bold": True, "font_size": 11, "font_color": "#12344D", "bottom": 1})
        self.note = self.book.add_format({**base, "italic": True, "font_color": "#4A5B68"})
        heading = {**base, "bold": True, "font_color": "#FFFFFF", "bg_color": "#12344D", "text_wrap": True, "valign": "vcenter"}
        self.heading = self.book.add_format({**heading, "align": "left", "indent": 1})
        self.number_heading = self.book.add_format({**heading, "align": "right"})
        self.warning = self.book.add_format({**base, "bold": True, "font_color": "#7A1F12", "bg_color": "#FBE9E5"})
        self.incomplete = self.book.add_format({**base, **_FORMATS["cost"], "italic": True, "font_color": "#6B7A86"})
        self.restated = self.book.add_format({**base, **_FORMATS["cost"], "bold": True, "font_color": "#B3402E"})
        self.signed = self.book.add_format({**base, "bold": True, "font_color": "#12502E", "bg_color": "#E4F3EA"})

    def finish(self) -> bytes:
        """Return the whole workbook."""
        self.book.close()
        return self.buffer.getvalue()

    def sheet(self, name: str, explanation: str) -> Any:
        """Add a sheet with its title, what it shows, and, if nobody signed, that it is preliminary; data begin in row 4."""
        sheet = self.book.add_worksheet(name)
        sheet.hide_gridlines(2)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&F&C&A&RPage &P of &N")
        sheet.write_string(0, 0, f"{name} – {formatting.month_name(self.data.month)}", self.title)
        sheet.write_string(1, 0, explanation, self.note)
        if self.data.preliminary:
            sheet.write_string(
                2, 0, f"PRELIMINARY – the month is {self.data.state}, nobody has signed these figures", self.warning
            )
        else:
            sheet.write_string(2, 0, f"Signed off, version {self.data.version}", self.signed)
        return sheet

    def write(self, sheet: Any, row: int, column: int, value: Any, kind: Kind, style: Any = None) -> None:
        """Write one value as what it is; text only ever as text."""
        style = style or self.formats[kind]
        if formatting.is_missing(value):
            sheet.write_blank(row, column, None, style)
        elif kind == "cents" and abs(int(value)) <= _EXACT_CENTS:
            sheet.write_number(row, column, int(value) / 100, style)
        elif kind == "cents":
            sheet.write_string(row, column, formatting.money(value), style)
        elif kind == "cost" and abs(value) * 100 > _EXACT_CENTS:
            sheet.write_string(row, column, formatting.cost(value), style)
        elif kind in ("cost", "integer", "decimal", "share"):
            sheet.write_number(row, column, float(value), style)
        elif kind in ("date", "month"):
            sheet.write_datetime(row, column, pd.Timestamp(value).to_pydatetime().replace(tzinfo=None), style)
        elif kind == "instant":
            stamp = instant_of(value)
            # Excel's clock has milliseconds and no zone.
            shown = stamp and stamp.replace(tzinfo=None, microsecond=stamp.microsecond // 1000 * 1000)
            sheet.write_datetime(row, column, shown, style) if shown else sheet.write_blank(row, column, None, style)
        else:
            self._write_text(sheet, row, column, _text(value), style)

    @staticmethod
    def _write_text(sheet: Any, row: int, column: int, text: str, style: Any) -> None:
        if len(text) > _MAX_TEXT:
            text = text[: _MAX_TEXT - len(_SHORTENED)] + _SHORTENED
        sheet.write_string(row, column, text, style)

    def header(self, sheet: Any, row: int, columns: Sequence[Column], left: int = 0) -> None:
        """Write the headings of columns."""
        for position, column in enumerate(columns, left):
            text = column.kind in ("text", "wide", "flag", "date", "instant", "month")
            sheet.write_string(row, position, column.heading, self.heading if text else self.number_heading)
            sheet.set_column(position, position, column.width or _WIDTHS.get(column.kind, 12))
        sheet.set_row(row, 28)

    def grid(self, sheet: Any, frame: pd.DataFrame, columns: Sequence[Column], top: int = 4) -> tuple[int, int]:
        """Write a frame with frozen, filtered headings; return its first and last row.

        Totals stand right under the headings, where neither a filter nor sorting moves them, and freeze with them.
        """
        added = any(column.added for column in columns)
        first = top + (2 if added else 1)
        shown = frame.head(_MAX_ROWS)
        last = first + max(len(shown), 1) - 1
        # The filter takes the row right above the data as its headings.
        self.header(sheet, first - 1, columns)
        for position, column in enumerate(columns):
            values = shown[column.field].astype(object).tolist() if column.field in shown else [None] * len(shown)
            for offset, value in enumerate(values):
                self.write(sheet, first + offset, position, value, column.kind)
            if added:
                self._total(sheet, top, position, column, (first, last), frame)
        sheet.autofilter(first - 1, 0, last, len(columns) - 1)
        sheet.freeze_panes(first, 1)
        sheet.repeat_rows(0, first - 1)
        if frame.empty:
            sheet.write_string(first, 0, "No rows in this month", self.note)
        if len(frame) > len(shown):
            note = f"{len(frame) - len(shown):,} more rows stand in the CSV"
            sheet.write_string(last + 1, 0, note, self.warning)
        return first, last

    def _total(self, sheet: Any, row: int, position: int, column: Column, span: tuple[int, int], frame: pd.DataFrame) -> None:
        if not column.added:
            sheet.write_string(row, position, "Total" if position == 0 else "", self.totals["text"])
            return
        letter = xl_col_to_name(position)
        sum_of = f"SUM({letter}{span[0] + 1}:{letter}{span[1] + 1})"
        if column.kind == "cents":
            cents = figures.total(frame, column.field) or 0
            # Rounding undoes what adding binary fractions may leave beyond the cent.
            sheet.write_formula(row, position, f"=ROUND({sum_of},2)", self.totals["cents"], cents / 100)
        elif column.kind == "cost":
            cents = cents_of(cloud_figures.total_cost(frame, column.field) or Decimal(0))
            sheet.write_formula(row, position, f"=ROUND({sum_of},2)", self.totals["cost"], cents / 100)
        else:
            value = sum((Decimal(str(each)) for each in figures.exact_values(frame[column.field])), Decimal(0))
            sheet.write_formula(row, position, f"=ROUND({sum_of},6)", self.totals[column.kind], float(value))

    def write_total(self, sheet: Any, row: int, column: int, formula: str, total: Decimal) -> None:
        """Write a formula whose value is an exact cost, rounded to the cent."""
        sheet.write_formula(row, column, formula, self.formats["cost"], cents_of(total) / 100)

    def absent(self, sheet: Any, dataset: str) -> None:
        """Say that a dataset is not available."""
        sheet.write_string(4, 0, f"{dataset} is not available: a source that it needs has never delivered", self.note)
        sheet.set_column(0, 0, 60)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = plain(value)
    return "" if shown is None else str(shown)


def block(book: Book, sheet: Any, row: int, title: str, columns: Sequence[Column], frame: pd.DataFrame, left: int = 0) -> int:
    """Write a small table below or beside another; return the row after it. Widths stay those of the sheet's table."""
    sheet.write_string(row, left, title, book.section)
    for position, column in enumerate(columns, left):
        sheet.write_string(row + 1, position, column.heading, book.heading if column.kind == "text" else book.number_heading)
    for offset, values in enumerate(_rows(frame, columns)):
        for position, (column, value) in enumerate(zip(columns, values, strict=True), left):
            book.write(sheet, row + 2 + offset, position, value, column.kind)
    if frame.empty:
        sheet.write_string(row + 2, left, "None", book.note)
    return row + 3 + max(len(frame), 1)


def _rows(frame: pd.DataFrame, columns: Sequence[Column]) -> Iterable[tuple[Any, ...]]:
    values = [frame[column.field].astype(object).tolist() if column.field in frame else [None] * len(frame) for column in columns]
    return zip(*values, strict=True)
