"""Which declaration would read a text that is not written as declared: the end of the reason of its refusal.

Belongs here: recognizing the kinds of numbers, dates and words that a mapping can declare. Does not belong here: reading them
(``styles``): nothing is ever read by a hint, but to try whether what it tells is true.

The engine asks for refused texts alone, so that what is read costs nothing here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import duckdb

from revenue_integrity.landing import styles
from revenue_integrity.landing.styles import Dates, Numbers
from revenue_integrity.landing.values import quote

MINUS = "\u2212\u2013\u2014\uff0d\u2010\u2011"
"""Characters that some systems write for a minus sign."""

_BLANKS = " \u00a0\u202f\u2009"
_SYMBOLS = "$\u20ac\u00a3\u00a5\u20b9\u20a9"
_OPPOSITE = {"CR": "DR", "DR": "CR", "H": "S", "S": "H"}
"""Marks of credit and debit, each with the other."""

_NOTHING = ("n/a", "na", "#n/a", "null", "none", "nil", "(null)", "(blank)", "#value!", "#ref!")
_LOCAL = "kr|Kr|Kc|K\u010d|z\u0142|Ft|Rs[.]?|Fr[.]"
_MONEY = rf"[A-Z]{{0,3}}[{_SYMBOLS}]|{_LOCAL}|[A-Z]{{3}}"
"""Texts that stand for a currency: a symbol, also one of a country (``US$``), a usual short form, or a code."""

_WORD = rf"[A-Z]{{0,3}}[{_SYMBOLS}]|(?<![A-Za-z])(?:{_LOCAL})(?![A-Za-z])|[A-Za-z]+"
_BODY = re.compile(rf"([^0-9]*?)([.,]?[0-9][0-9,.'\u2019{_BLANKS}]*?(?:[eE][+-]?[0-9]{{1,3}})?)([^0-9]*)")
_REMEMBERED = 4096

DAYS = (
    "YYYY-MM-DD", "YYYYMMDD", "YYYY/MM/DD", "YYYY.MM.DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "MM-DD-YYYY",
    "DD-MMM-YYYY", "DD MMM YYYY", "DD MMMM YYYY", "MMM D, YYYY", "MMMM D, YYYY",
    "DD.MM.YY", "DD/MM/YY", "MM/DD/YY", "DD-MM-YY", "DD-MMM-YY", "DD MMM YY", "YYMMDD", "DD.MM.", "DD.MM", "DDMM",
)  # fmt: skip
"""Formats of dates, the usual ones first."""

MONTHS = (
    "YYYY-MM", "YYYYMM", "MM.YYYY", "MM/YYYY", "YYYY/MM", "YYYY.MM", "0MM.YYYY", "0MM/YYYY", "YYYY0MM", "MM/YY",
    "MMM-YY", "MMM YY", "MMM-YYYY", "MMM YYYY", "MMMM YYYY", "MMMM-YYYY",
)  # fmt: skip
"""Formats of months."""

_TIMES = ("HH:mm:ss", "HH:mm", "hh:mm A", "hh:mm:ss A", "HH:mm:ss.ffffff")
_INSTANTS = (
    *(f"{day} {time}" for day in DAYS if "Y" in day for time in _TIMES),
    "YYYY-MM-DDTHH:mm:ss", "YYYY-MM-DDTHH:mm", "YYYY-MM-DDTHH:mm:ss.ffffff", "YYYYMMDDHHmmss", "YYYYMMDD HHmmss",
    "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z",
)  # fmt: skip
_COUNTED = {
    "excel": r"(3[6-9]|[4-6][0-9])[0-9]{3}", "epoch": "1[0-9]{9}", "epoch_ms": "1[0-9]{12}", "epoch_us": "1[0-9]{15}",
}  # fmt: skip
"""Formats that count, each with the numbers that days and instants of our time have."""


def of_numbers(said: Numbers | None, places: int, *, is_needed: bool = False) -> Callable[[str], str]:
    """Return what tells the declaration that would read a number; an empty text where none is known or it is no number at all.

    What is told has been tried on the text.

    Args:
        said: what is declared, if anything is.
        places: decimal places that the column may have.
        is_needed: whether a row must have the number.
    """

    @lru_cache(_REMEMBERED)
    def of_shape(text: str) -> str:
        return _number(text, said or Numbers("."), said is None, places, is_needed=is_needed)

    def told(text: str) -> str:
        # Which digits there are makes no difference, but for zeros behind the last place: a million numbers have few shapes.
        return of_shape(re.sub("[1-9]|0(?=0*[1-9])", "1", text.strip()))

    return told


def of_dates(kind: str, said: Dates | None, timezone: str) -> Callable[[str], str]:
    """Return what tells the formats that would read a date, month or instant; several where it is not plain which is meant.

    Args:
        kind: ``date``, ``month`` or ``ts``.
        said: what is declared, if anything is.
        timezone: the zone that is declared, if one is.
    """

    @lru_cache(_REMEMBERED)
    def told(text: str) -> str:
        found = [_format(each, kind, timezone) for each in formats_of([text.strip()], kind) if not said or each != said.declared]
        return " or ".join(found[:3])

    return told


def of_words(values: Sequence[str]) -> Callable[[str], str]:
    """Return what tells how a word of theirs becomes one of ours."""

    def told(text: str) -> str:
        return f'values = {{ "{text}" = one of {"|".join(values)} }}' if len(text) <= _LONGEST_WORD else ""

    return told


_LONGEST_WORD = 40


def formats_of(texts: Sequence[str], kind: str) -> list[str]:
    """Return the formats in which all of some texts are written, the usual ones first."""
    candidates = [*(MONTHS if kind == "month" else ()), *DAYS, *_INSTANTS]
    found = [each for each in candidates if all(_fits(each, text) for text in texts)]
    for each, pattern in _COUNTED.items():
        if each != "excel" and kind != "ts":
            continue
        whole = f"{pattern}([.][0-9]+)?" if each == "excel" and kind == "ts" else pattern
        if all(re.fullmatch(whole, text) for text in texts):
            found.append(each)
    return found


def needs_year(declared: str) -> bool:
    """Return whether a format tells no year."""
    return declared not in _COUNTED and not {"%Y", "%y"} & set(re.findall("%.", styles.directives_of(declared)))


def _fits(declared: str, text: str) -> bool:
    directives = styles.directives_of(declared)
    if not re.fullmatch(styles.pattern_of(directives), text):
        return False
    if needs_year(declared):
        # Of a leap year, so that its every day is one.
        directives, text = f"{directives}|%Y", f"{text}|2024"
    try:
        datetime.strptime(text, directives)  # noqa: DTZ007 -- only whether it is one
    except ValueError:
        return False
    return True


def _format(declared: str, kind: str, timezone: str) -> str:
    more = []
    directives = "" if declared in _COUNTED else styles.directives_of(declared)
    if "%y" in directives:
        more.append("century = 20")
    if needs_year(declared):
        more.append("year = ...")
    if kind == "ts" and not timezone and "%z" not in directives and declared not in styles.EPOCHS:
        more.append("timezone = ...")
    return ", ".join([f'format = "{declared}"', *more])


_Found = dict[str, Any]
"""Declarations by their keys, as ``Numbers`` has them, and ``round``."""


def _number(text: str, said: Numbers, undeclared: bool, places: int, *, is_needed: bool) -> str:
    if text.lower() in _NOTHING:
        return f'empty = ["{text}"]' + (', default = "..."' if is_needed else "")
    if text and all(each in f"-{MINUS}" for each in text):
        candidates: list[_Found] = [{"zero": (*said.zero, text)}]
    else:
        parts = _BODY.fullmatch(text)
        if not parts:
            return ""
        before, body, behind = parts.groups()
        around = _around(before, behind, said)
        if around is None:
            return ""
        candidates = [{**inside, **around} for inside in _insides(body, said, places)]
    return " or ".join(_shown(each, said, undeclared) for each in candidates if each and _reads(each, text, said, places))


def _reads(found: _Found, text: str, said: Numbers, places: int) -> bool:
    """Return whether a text is read as a number of the column once something more is declared."""
    keys = {key: value for key, value in found.items() if key != "round"}
    if "signs" in keys:
        keys["signs"] = {**said.signs, **keys["signs"]}
    read = styles.number(quote(text), replace(said, hint="", **keys))
    with duckdb.connect(config={"threads": 1}) as connection:
        ((value,),) = connection.execute(f"select {read}").fetchall()
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", value):
        return False
    exponent = Decimal(value).normalize().as_tuple().exponent
    return "round" in found or (isinstance(exponent, int) and exponent >= -places)


def _shown(found: _Found, said: Numbers, undeclared: bool) -> str:
    """Return declarations as a mapping has them; whatever is declared of numbers, but their rounding, needs a decimal mark."""
    if undeclared and "decimal" not in found and found.keys() - {"round"}:
        found = {"decimal": said.decimal, **found}
    parts = []
    for key, value in found.items():
        if key == "signs":
            marks = ", ".join(f'{mark} = "{sign}"' for mark, sign in value.items())
            parts.append('signs with "" = "+"' if said.signs else f"signs = {{ {marks} }} (or the other way round)")
        elif key == "round":
            parts.append(f"round = {value}")
        else:
            shown = ", ".join(f'"{each}"' for each in value)
            parts.append(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = [{shown}]")
    return ", ".join(parts)


def _insides(body: str, said: Numbers, places: int) -> list[_Found]:
    """Return what is missing of marks inside the digits, several where it is not plain which is meant; none reads some."""
    digits = re.sub("[eE].*", "", body)
    one = re.fullmatch(r"[0-9]{1,3}([,.])[0-9]{3}", digits)
    readings = _readings(digits)[:1]
    if one and one[1] != said.decimal:
        readings = [("", one[1], "three"), *([(one[1], "", "three")] if one[1] not in said.thousands else [])]
    return [_inside(digits, *reading, said, places, is_plain=body == digits) for reading in readings]


def _inside(digits: str, decimal: str, thousands: str, grouping: str, said: Numbers, places: int, *, is_plain: bool) -> _Found:
    found: _Found = {}
    mark = decimal or said.decimal
    if mark in thousands:
        # The marks change their places: whole numbers do not say what their decimal mark is.
        mark = "," if mark == "." else "."
    if mark != said.decimal:
        found["decimal"] = mark
    more = "".join(each for each in thousands if each not in said.thousands)
    kept = said.thousands.replace(mark, "")
    if more:
        found["thousands"] = kept + more
    elif kept != said.thousands:
        # What parted groups is the decimal mark now.
        found["thousands"] = kept or said.decimal
    if thousands and grouping == "indian" and said.grouping != "indian":
        found["grouping"] = "indian"
    is_indian = re.fullmatch("[0-9]{1,2}.?[0-9]{3}", _whole(digits, decimal))
    if thousands and grouping == "three" and said.grouping == "indian" and not is_indian:
        found["grouping"] = "three"
    fraction = digits.rpartition(decimal)[2] if decimal else ""
    if len(fraction.rstrip("0")) > places and is_plain:
        found["round"] = places
    return found


def _whole(digits: str, decimal: str) -> str:
    return digits.rpartition(decimal)[0] if decimal else digits


def _readings(digits: str) -> list[tuple[str, str, str]]:
    """Return decimal mark, thousands marks and grouping with which digits and marks are a number; the usual one first."""
    marks = [each for each in digits if not each.isdigit()]
    if not marks:
        return [("", "", "three")]
    found = []
    for decimal in (marks[-1] if marks[-1] in ",." and marks.count(marks[-1]) == 1 else "", ""):
        whole = _whole(digits, decimal)
        inner = "".join(dict.fromkeys(each for each in whole if not each.isdigit()))
        if not inner:
            found.append((decimal, "", "three"))
            continue
        mark = f"[{re.escape(inner)}]"
        if re.fullmatch(rf"[0-9]{{1,3}}({mark}[0-9]{{3}})+", whole):
            found.append((decimal, inner, "three"))
        elif re.fullmatch(rf"[0-9]{{1,2}}({mark}[0-9]{{2}})*{mark}[0-9]{{3}}", whole):
            found.append((decimal, inner, "indian"))
    return found


def _around(before: str, behind: str, said: Numbers) -> _Found | None:
    """Return what is missing of what stands around the digits; ``None`` where something of it is no part of a number."""
    found: _Found = {}
    rest = f"{before}\0{behind}"
    parenthesized = "(" in before and ")" in behind
    if parenthesized:
        rest = rest.replace("(", "", 1).replace(")", "", 1)
    unknown = "".join(dict.fromkeys(each for each in rest if each in MINUS and each not in said.minus))
    if unknown:
        found["minus"] = said.minus + unknown
    first, _, last = rest.partition("\0")
    minus = re.compile(f"[-+{MINUS}]")
    places = {"leading": bool(minus.search(first)), "trailing": bool(minus.search(last)), "parentheses": parenthesized}
    missing = [place for place, there in places.items() if there and place not in said.negative]
    if missing and not said.signs:
        found["negative"] = (*said.negative, *missing)
    rest = minus.sub("", rest)
    is_marked = False
    for mark in sorted((mark for mark in (*said.currency, *said.signs) if mark), key=len, reverse=True):
        without = re.sub(rf"(?<![A-Za-z]){re.escape(mark)}(?![A-Za-z])", "", rest, count=1, flags=re.IGNORECASE)
        is_marked = is_marked or (without != rest and mark in said.signs)
        rest = without
    words = re.findall(_WORD, rest)
    left = re.sub(rf"{_WORD}|[{_BLANKS}\0]", "", rest)
    signs = [word for word in words if word.upper() in _OPPOSITE]
    money = [word for word in words if word not in signs and re.fullmatch(_MONEY, word)]
    if left not in ("", ".") or len(words) > len(signs) + len(money) or len(signs) > 1:
        return None
    if signs and not said.signs:
        minus_mark, plus_mark = sorted((signs[0].upper(), _OPPOSITE[signs[0].upper()]))
        found["signs"] = {minus_mark: "-", plus_mark: "+"}
    if said.signs and "" not in said.signs and not is_marked and not signs:
        found["signs"] = {"": "+"}
    if money:
        found["currency"] = tuple(dict.fromkeys((*said.currency, *money)))
    return found
