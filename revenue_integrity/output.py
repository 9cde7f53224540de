"""How rows are shown to people and programs: a table on a terminal, CSV, JSON.

Belongs here: plain values and their printing. Does not belong here: which rows to show.
Plain values: months ``YYYY-MM``, dates ``YYYY-MM-DD``, instants ``2025-05-03T10:00:00.000000Z``, decimals without trailing
zeros and never with an exponent, booleans ``true``/``false``, null empty (JSON: ``null``).
"""

import csv
import datetime
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

from revenue_integrity import months

if TYPE_CHECKING:
    import pandas as pd

_FOLDED_ABOVE = 40
"""Characters up to which a column of a table is never folded: figures and identifiers stay in one piece."""


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""How text begins that spreadsheets take for a formula."""

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that nobody sees: control, format (bidirectional, zero-width), halves of a pair, ends of lines."""
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters of other categories that nobody sees: fillers of Hangul, the empty pattern of Braille, selectors of a variant."""
_SELECTORS = "\ufe0e\ufe0f"
"""What says whether a symbol is drawn as text or as a picture; behind a symbol it changes what people see."""

_NARROWEST = 16
"""Characters to which a long column is folded, at most, so that a table fits."""

_GAP = 3
"""Characters between two columns of a table."""

_SHARES = ("_pct", "_share")
"""How columns are called that hold a fraction of one."""

_PLACES = ((1000, 2), (10, 3), (1, 4), (0, 6))
"""Places that a column of decimals is shown with, by the largest in it: a rate needs more of them than a total."""

_WHOLE_SECOND = re.compile(r"(?<=T\d\d:\d\d:\d\d)\.0+Z")


class Format(StrEnum):
    """How data are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def is_month(column: str) -> bool:
    """Return whether a date column holds months: ``month`` itself, and what is called so (``recognized_month``, ``x_period``)."""
    return column == "month" or column.endswith(("_month", "_period"))


def decimal_text(value: Decimal) -> str:
    """Return a decimal without trailing zeros and without an exponent; zero has no sign."""
    shown = f"{value:f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return "0" if shown in ("-0", "") else shown


def plain(value: Any, column: str = "") -> Any:
    """Return a plain value: integers, booleans and decimals stay (decimals normalised), all else is text or ``None``."""
    # Whoever only asks for help, or is refused, does not wait for it.
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return Decimal(decimal_text(value))
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            return plain(value.date(), column)
        return f"{value.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    if isinstance(value, datetime.date):
        return months.label(value) if is_month(column) else value.isoformat()
    return str(value)


def plain_rows(frame: "pd.DataFrame") -> Iterator[dict[str, Any]]:
    """Yield the rows of a frame as dictionaries of plain values."""
    columns = [[plain(value, str(name)) for value in frame[name].astype(object).tolist()] for name in frame.columns]
    names = [str(name) for name in frame.columns]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def text(value: Any) -> str:
    """Return a plain value as CSV holds it."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_csv(rows: Iterable[dict[str, Any]], columns: list[str], stream: TextIO, *, safe_cells: bool = False) -> None:
    """Write plain rows as CSV with a header, lines ending in a bare newline.

    With ``safe_cells`` no text can be taken for a formula by a spreadsheet that opens the file: an apostrophe stands before it.
    """
    writer = csv.writer(_BareLineEnds(stream), lineterminator="\r\n")
    cell = _safe_text if safe_cells else text
    writer.writerow(columns)
    writer.writerows([cell(row[column]) for column in columns] for row in rows)


class _BareLineEnds:
    """Takes the rows of a CSV writer and ends them in a bare newline.

    The writer quotes what its own line end is made of and no other: with a bare newline a carriage return inside of a text would
    stand there without quotes, and whoever reads the file would take what follows for a row.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        self._stream.write(row.removesuffix("\r\n") + "\n")


def without_formula(words: str) -> str:
    """Return text that a spreadsheet, opening a CSV, shows and does not run: an apostrophe before what could be a formula."""
    return f"'{words}" if words.startswith(_FORMULA_STARTS) else words


def _safe_text(value: Any) -> str:
    return without_formula(value) if isinstance(value, str) else text(value)


def write_json(rows: Iterable[dict[str, Any]], stream: TextIO) -> None:
    """Write plain rows as a JSON array, one object a line, decimals as numbers with all their digits."""
    stream.write("[")
    for position, row in enumerate(rows):
        stream.write(",\n " if position else "\n ")
        fields = (f"{json.dumps(name)}: {_json_value(value)}" for name, value in row.items())
        stream.write("{" + ", ".join(fields) + "}")
    stream.write("\n]\n")


def _json_value(value: Any) -> str:
    # The standard encoder knows no Decimal, and a float would not keep all digits.
    return text(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def show(
    frame: "pd.DataFrame",
    chosen: Format | None,
    stream: TextIO | None = None,
    title: str = "",
    *,
    sparse: bool = False,
    safe_cells: bool = False,
) -> list[str]:
    """Print a frame: as chosen, else as a table that fits on a terminal and as CSV into a pipe or file.

    With ``sparse`` a table, which is for the eye, leaves out columns without any value; with ``safe_cells`` a CSV holds nothing
    that a spreadsheet takes for a formula. Returns the columns that did not fit: a
    table that was asked for is wider than the window instead.
    """
    stream = stream or sys.stdout
    fits = chosen is None and stream.isatty()
    chosen = Format.TABLE if fits else chosen or Format.CSV
    columns = [str(name) for name in frame.columns]
    if chosen is Format.CSV:
        write_csv(plain_rows(frame), columns, stream, safe_cells=safe_cells)
    elif chosen is Format.JSON:
        write_json(plain_rows(frame), stream)
    else:
        shown = frame.dropna(axis="columns", how="all") if sparse and not frame.empty else frame
        return _show_table(shown, [str(name) for name in shown.columns], stream, title, fits=fits)
    return []


def window_of(stream: TextIO) -> int:
    """Return how many characters a line of the window has."""
    from rich.console import Console

    return Console(file=stream).width


def _show_table(frame: "pd.DataFrame", columns: list[str], stream: TextIO, title: str, *, fits: bool) -> list[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    window = window_of(stream)
    plainly = list(plain_rows(frame))
    headings = {name: _heading(name, columns) for name in columns}
    cells = {name: _cells(name, [row[name] for row in plainly]) for name in columns}
    widths = {
        name: max(len(line) for value in (headings[name], *cells[name]) for line in value.splitlines() or [""])
        for name in columns
    }
    long = [name for name in columns if widths[name] > _FOLDED_ABOVE]
    room = window - _GAP * (len(columns) - 1) - sum(width for name, width in widths.items() if name not in long)
    narrow = _NARROWEST if fits else _FOLDED_ABOVE
    widths |= {name: min(widths[name], max(narrow, room // len(long))) for name in long}
    held = _leading(columns, widths, window) if fits else columns

    table = Table(
        title=title or None, header_style="bold", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    for name in held:
        values = frame[name].dropna()
        number = not values.empty and all(isinstance(value, int | float | Decimal) for value in values.astype(object))
        table.add_column(headings[name], justify="right" if number else "left", overflow="fold", width=widths[name])
    for position in range(len(plainly)):
        # Text, not markup: a name such as "[bold]" is data.
        table.add_row(*(Text(cells[name][position]) for name in held))
    # A table that was asked for and does not fit is wider than the window rather than squeezed until nothing can be read.
    width = sum(widths[name] for name in held) + _GAP * len(held)
    Console(file=stream, soft_wrap=True, width=max(window, width)).print(table)
    return [name for name in columns if name not in held]


def _leading(columns: list[str], widths: dict[str, int], window: int) -> list[str]:
    """Return the first columns that a window holds beside each other: keys stand before attributes, these before measures."""
    held: list[str] = []
    used = 0
    for name in columns:
        used += widths[name] + (_GAP if held else 0)
        if used > window and held:
            break
        held.append(name)
    return held


def _heading(name: str, columns: list[str]) -> str:
    """Return what stands above a column: cents are shown in whole units of the currency, so their name must not say cents."""
    bare = name.removesuffix("_cents")
    return bare if bare == name or bare not in columns else f"{bare} amount"


def _cells(name: str, values: list[Any]) -> list[str]:
    """Return the plain values of a column as a person reads them: amounts, shares and quantities to places that say something."""
    numbers = [value for value in values if isinstance(value, Decimal)]
    if not numbers or name.endswith("_cents"):
        return [_amount(name, value) for value in values]
    if name.endswith(_SHARES):
        return [f"{value * 100:.1f} %" if isinstance(value, Decimal) else text(value) for value in values]
    largest = max(abs(value) for value in numbers)
    places = next(places for above, places in _PLACES if largest >= above)
    return [f"{value:,.{places}f}" if isinstance(value, Decimal) else text(value) for value in values]


def _amount(name: str, value: Any) -> str:
    """Group thousands of cents columns, negative in parentheses, as finance reads them; instants to the second."""
    if name.endswith("_cents") and isinstance(value, int) and not isinstance(value, bool):
        shown = f"{abs(value) // 100:,}.{abs(value) % 100:02d}"
        return f"({shown})" if value < 0 else shown
    return seen(_WHOLE_SECOND.sub("Z", text(value)))


def hides(character: str, before: str) -> bool:
    """Return whether nobody sees a character that stands behind another one."""
    if character in _SELECTORS and unicodedata.category(before) == "So":
        return False
    return unicodedata.category(character) in _UNSEEN or _BLANK.match(character) is not None


def seen(words: str) -> str:
    """Return text of others as a terminal may show it: what moves the cursor, hides or turns letters stands as its number."""
    if words.isascii() and words.isprintable():
        return words
    return "".join(
        each if each in "\n\t" or (_is_shown(each) and not hides(each, before)) else f"<U+{ord(each):04X}>"
        for before, each in zip(f" {words}", words, strict=False)
    )


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"
