"""How figures are written for people: the way finance reads them, in the currency of the deployment.

Belongs here: text of amounts, shares, quantities and dates, and text that no spreadsheet runs. Does not belong here: which
figures are shown, and plain values for machines (``output``). Amounts come in integer cents, costs in exact decimals, and
neither is a float on its way to text.
"""

import datetime
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import pandas as pd
from rich.cells import cell_len, split_graphemes

from revenue_integrity import exact as exactly
from revenue_integrity import months
from revenue_integrity.output import decimal_text, hides

MISSING = "–"
_NUMBERED = re.compile(r"\[U\+[0-9A-F]{4,6}\]")
"""What is shown in the place of a character that nobody sees."""
_VIRAMA = 9
"""Combining class of the mark that ties a letter of Indic scripts to the next one."""
_REGIONAL = range(0x1F1E6, 0x1F200)
"""Letters that stand for a flag two by two."""
_ABBREVIATIONS = {
    "erp": "ERP",
    "mrr": "MRR",
    "kwh": "kWh",
    "kw": "kW",
    "wh": "Wh",
    "pue": "PUE",
    "asc606": "ASC 606",
    "ifrs15": "IFRS 15",
}
_COST_FIGURE = re.compile(r"^cost_|_cost$|^cost$")
"""Names of a check's figures that are costs in units of the currency."""
_DECIMAL = re.compile(r"-?\d+\.\d+")
_MONEY_FIGURE = re.compile(r"^cents_|_cents$")
"""Names of a check's figures that are whole cents."""
_UNITS = {"wh": ("kWh", 1000)}
"""Units that are kept whole, and the larger one in which people read them: its name, and how many make one."""
_IN_UNITS = {"_wh": ("kWh", 1000, 0), "_kwh": ("kWh", 1, 0), "_kw": ("kW", 1, 1)}
"""Ends of names of a check's figures that say their unit: how people read it, how many make one, and sensible places."""


_SIZES = (
    (Decimal(10) ** 9, "B", Decimal(999_950_000)),
    (Decimal(10) ** 6, "M", Decimal(999_950)),
    (Decimal(10) ** 3, "K", Decimal(10_000)),
)
"""Sizes of compact amounts with the smallest amount of each: one that would round to 1,000 of a size takes the next."""


_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "KRW": "₩", "ILS": "₪", "UAH": "₴", "VND": "₫"}
"""Currencies with a sign that no other shares; all others are named by their code."""


@dataclass(frozen=True)
class Currency:
    """How amounts are written that name their currency.

    Attributes:
        code: of ISO 4217, as the setting ``currency`` has it.
    """

    code: str

    @property
    def symbol(self) -> str:
        """The sign of the currency, or else its code."""
        return _SYMBOLS.get(self.code, self.code)

    def heading(self, words: str) -> str:
        """Return what stands above amounts: ``Revenue, $``."""
        return f"{words}, {self.symbol}" if words else self.symbol

    @property
    def before(self) -> str:
        """What stands right before an amount: a sign closely, a code with a space."""
        return self.symbol if self.code in _SYMBOLS else f"{self.code}\N{NO-BREAK SPACE}"

    def amount(self, cents: Any) -> str:
        """Write cents as ``$1,234.56`` or ``($1,234.56)``, for amounts inside a sentence."""
        if is_missing(cents):
            return MISSING
        return _parenthesised(f"{self.before}{money(abs(int(cents)))}", negative=int(cents) < 0)

    def cost(self, value: Any) -> str:
        """Write an exact cost as ``amount`` does, rounded to the cent, half away from zero."""
        return MISSING if is_missing(value) else self.amount(exactly.cents(value))

    def compact(self, cents: Any) -> str:
        """Write cents as ``$1.23M``, ``$12.3K`` or ``$1,234.56`` for tiles; negatives in parentheses."""
        if is_missing(cents):
            return MISSING
        amount = Decimal(abs(int(cents))) / 100
        for size, suffix, smallest in _SIZES:
            if amount >= smallest:
                scaled = amount / size
                places = 2 if scaled < 10 else 1
                shown = scaled.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
                return _parenthesised(f"{self.before}{shown:,}{suffix}", negative=int(cents) < 0)
        return _parenthesised(f"{self.before}{amount:,.2f}", negative=int(cents) < 0)

    def compact_cost(self, value: Any) -> str:
        """Write an exact cost as ``compact`` does."""
        return MISSING if is_missing(value) else self.compact(exactly.cents(value))

    def evidence(self, value: Any) -> str:
        """Write JSON evidence as a line of text."""
        return "; ".join(f"{name}: {shown}" if name else shown for name, shown in self.figures(value))

    def figures(self, value: Any) -> list[tuple[str, str]]:
        """Write a check's figures: cents as amounts, shares in percent, all else as it is."""
        return [(_label(name), self._figure(name, shown)) for name, shown in _pairs(value)]

    def phrases(self, value: Any) -> list[str]:
        """Write a check's figures as parts of a sentence: ``gross $1,234.56``, ``late share 12.3 %``, ``not late``."""
        return [self._part(name, shown) for name, shown in _pairs(value)]

    @staticmethod
    def parsed(value: Any) -> dict[str, Any]:
        """Return a check's figures from their JSON; what is no object has none."""
        return {name: shown for name, shown in _pairs(value) if name}

    def _figure(self, name: str, value: Any) -> str:
        """Write a value of JSON by what its name says of its unit; lists and objects become text in their order."""
        if isinstance(value, list):
            # What has parts of its own is told apart from the next one by more than they are.
            between = " and " if any(isinstance(each, dict) for each in value) else ", "
            return between.join(self._figure(name, each) for each in value)
        if isinstance(value, dict):
            return ", ".join(self._part(part, each) for part, each in value.items())
        if isinstance(value, bool) or value is None:
            return "none" if value is None else "yes" if value else "no"
        if isinstance(value, int) and _MONEY_FIGURE.search(name):
            return self.amount(value)
        for end, (unit, many, places) in _IN_UNITS.items():
            if name.endswith(end):
                return _measured(value, unit, many, places)
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            # On record a number that is no whole one is text, so that none of its digits is lost.
            value = Decimal(value)
        if _COST_FIGURE.search(name):
            return self._cost_text(value)
        if name.endswith("_share") and isinstance(value, int | Decimal):
            return percent(value)
        if isinstance(value, int):
            return f"{value:,}"
        return decimal_text(value) if isinstance(value, Decimal) else str(value)

    def _part(self, name: str, value: Any) -> str:
        """Write a value beside others of its object: of what is so or not so, the name says it."""
        if isinstance(value, bool):
            return _label(name) if value else f"not {_label(name)}"
        return f"{_label(name)} {self._figure(name, value)}"

    def _cost_text(self, value: Any) -> str:
        """Write a cost, which JSON may hold as text, to the cent; what is no number stays as it is."""
        try:
            return self.cost(Decimal(str(value)))
        except InvalidOperation:
            return str(value)


def unit(name: str, currency: Currency) -> tuple[str, int]:
    """Return how people read the unit of a reconciliation, and how many of its own make one of theirs (``wh`` is kWh, 1,000)."""
    if name in ("cents", currency.code.lower()):
        return currency.code, 1
    return _UNITS.get(name, (words(name), 1))


def _measured(value: Any, unit: str, many: int, places: int) -> str:
    """Return a quantity with its unit; what is no number stays as it is."""
    try:
        return f"{quantity(Decimal(str(value)) / many, places)} {unit}"
    except InvalidOperation:
        return str(value)


def is_missing(value: Any) -> bool:
    """Return whether there is no value."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _parenthesised(text: str, *, negative: bool) -> str:
    return f"({text})" if negative else text


def money(cents: Any, *, whole: bool = False) -> str:
    """Write cents in units of the currency, ``1,234.56`` or ``(1,234.56)``; ``whole`` rounds to units, half away from zero."""
    if is_missing(cents):
        return MISSING
    amount = abs(int(cents))
    if whole:
        units = (amount + 50) // 100
        return _parenthesised(f"{units:,}", negative=int(cents) < 0 and units > 0)
    return _parenthesised(f"{amount // 100:,}.{amount % 100:02d}", negative=int(cents) < 0)


def cost(value: Any) -> str:
    """Write an exact cost as ``1,234.56`` or ``(1,234.56)``, rounded to the cent, half away from zero."""
    return MISSING if is_missing(value) else money(exactly.cents(value))


def percent(share: Any, places: int = 1) -> str:
    """Write a fraction as ``12.3 %``, negatives in parentheses."""
    if is_missing(share):
        return MISSING
    shown = (abs(Decimal(str(share))) * 100).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return _parenthesised(f"{shown:,} %", negative=Decimal(str(share)) < 0 and shown > 0)


def quantity(value: Any, places: int = 0) -> str:
    """Write a quantity with thousands separated, rounded to ``places``, negatives in parentheses."""
    if is_missing(value):
        return MISSING
    shown = abs(Decimal(str(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return _parenthesised(f"{shown:,}", negative=Decimal(str(value)) < 0 and shown > 0)


def exact(value: Any) -> str:
    """Write a decimal or an integer with thousands separated and all its places."""
    if is_missing(value):
        return MISSING
    if isinstance(value, Decimal):
        whole, _, places = decimal_text(abs(value)).partition(".")
        return _parenthesised(f"{int(whole):,}" + (f".{places}" if places else ""), negative=value < 0)
    return _parenthesised(f"{abs(int(value)):,}", negative=int(value) < 0)


def instant(value: Any) -> str:
    """Write an instant as ``2025-05-03 10:15 UTC``, a date as ``2025-05-03``."""
    if is_missing(value) or value == "":
        return MISSING
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    stamp = pd.Timestamp(value)
    if stamp.tzinfo is None and not isinstance(value, str):
        return f"{stamp:%Y-%m-%d}"
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return f"{stamp:%Y-%m-%d %H:%M} UTC"


def month_name(month: Any) -> str:
    """Write a month as ``March 2025``."""
    return f"{pd.Timestamp(month):%B %Y}"


def month_label(month: Any) -> str:
    """Write a month as ``2025-03``."""
    return months.label(pd.Timestamp(month))


def counted(count: int, one: str, many: str) -> str:
    """Write how many there are of something: ``1 row``, ``1,234 rows``."""
    return f"{count:,} {one if count == 1 else many}"


def words(identifier: Any) -> str:
    """Write an identifier of ours as words: ``late_posting`` as ``late posting``, ``erp_vs_mart`` as ``ERP vs mart``."""
    if is_missing(identifier):
        return MISSING
    return " ".join(_ABBREVIATIONS.get(word, word) for word in str(identifier).split("_"))


def visible(text: str, *, but: str = "") -> str:
    """Return text in which nobody can hide anything: control, bidirectional and zero-width characters by their number.

    Tabs and ends of lines stay, and the characters of ``but``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"[U+{ord(each):04X}]" if hides(each, before) and each not in "\t\n\r" and each not in but else each
        for before, each in zip(f" {text}", text, strict=False)
    )


def shortened(text: str, room: int, width: Callable[[str], int] = cell_len, more: str = "…") -> str:
    """Return text that takes no more than ``room``, its end replaced by ``more``; no character that people see is cut in two.

    ``width`` measures a piece of text, by default in columns of a terminal.
    """
    if width(text) <= room:
        return text
    # What people see as one character may be many; no name has one of more than these.
    left, end, longest = room - width(more), 0, text[: room * 16]
    for piece in _seen_as_one(longest):
        left -= width(piece)
        if left < 0:
            break
        end += len(piece)
    return text[:end].rstrip() + more


def _seen_as_one(text: str) -> list[str]:
    """Return the pieces of text that people see as one character each, with what is joined to them."""
    pieces: list[str] = []
    reached = 0
    for start, end, _ in split_graphemes(text, "latest")[0]:
        if start < reached:
            continue
        numbered, last = _NUMBERED.match(text, start), pieces[-1] if pieces else ""
        piece = numbered.group() if numbered else text[start:end]
        reached = start + len(piece)
        is_flag = len(last) == 1 and ord(last) in _REGIONAL and ord(piece[0]) in _REGIONAL
        is_tied = last and unicodedata.combining(last[-1]) == _VIRAMA and unicodedata.category(piece[0]) == "Lo"
        if is_flag or is_tied:
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def headed(text: str) -> str:
    """Return words as they stand at the head of a line: with a capital."""
    return text[:1].upper() + text[1:]


def anchor(heading: str) -> str:
    """Return the anchor that readers of Markdown make of a heading: without signs, with lines for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _label(name: str) -> str:
    end = next((end for end in ("_cents", *_IN_UNITS) if name.endswith(end)), "")
    return words(name.removeprefix("cents_").removesuffix(end))


def _pairs(value: Any) -> list[tuple[str, Any]]:
    """Return the pairs of a JSON object; what is no object stands for itself."""
    if value is None or value == "":
        return []
    try:
        found = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    except ValueError:
        found = value
    return [(str(name), each) for name, each in found.items()] if isinstance(found, dict) else [("", found)]
