"""How foreign systems write dates and numbers, as SQL that rewrites them the way the contract wants them.

Belongs here: one expression per style that a column mapping can declare. Does not belong here: the mapping file (``mapping``),
what a value must be (``values``).

Nothing is guessed: text that is not written in the declared style is never read some other way. It lands as it came with the
reason behind it in parentheses, which no parser of the contract accepts, so that the row goes to quarantine and says why.
"""

import re
from collections.abc import Callable

from revenue_integrity.landing.values import name, quote, stripped

_DIRECTIVES = {
    "%Y": "[0-9]{4}",
    "%m": "[0-9]{1,2}",
    "%d": "[0-9]{1,2}",
    "%H": "[0-9]{1,2}",
    "%I": "[0-9]{1,2}",
    "%M": "[0-9]{1,2}",
    "%S": "[0-9]{1,2}",
    "%f": "[0-9]{1,6}",
    "%j": "[0-9]{1,3}",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,9}",
    "%p": "[AaPp][Mm]",
    "%z": r"[+-][0-9]{2}:?[0-9]{2}",
    "%%": "%",
}
"""The strptime directives that may be declared, each with the text that it may stand for (the engine's own is lenient)."""

_TOKENS = {
    "YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "ffffff": "%f", "MMM": "%b", "MMMM": "%B",
}  # fmt: skip
"""The letters of a format such as DD.MM.YYYY HH:mm:ss, and the directive that each stands for."""

_NEGATIVE = {
    "leading": r"[+-]?{number}",
    "trailing": r"{number}[+-]?",
    "parentheses": r"({number}|\({number}\))",
}
"""Where the sign of a negative number may stand, each with what it looks like."""


def directives_of(date_format: str) -> str:
    """Return a declared format as strptime directives.

    Raises:
        ValueError: a letter of it stands for nothing; the message names it and what is allowed.
    """
    if "%" in date_format:
        found = re.findall("%.?", date_format)
        unknown = [each for each in found if each not in _DIRECTIVES]
        if unknown:
            raise ValueError(f"'{unknown[0]}' is none of {' '.join(_DIRECTIVES)}")
        return date_format

    def translated(letters: re.Match[str]) -> str:
        # A T between date and time is itself.
        if letters[0] == "T":
            return "T"
        if letters[0] not in _TOKENS:
            raise ValueError(f"'{letters[0]}' is none of {' '.join(_TOKENS)} (or use strptime directives such as %d.%m.%Y)")
        return _TOKENS[letters[0]]

    return re.sub(r"([A-Za-z])\1*", translated, date_format)


def _pattern_of(directives: str) -> str:
    return "".join(_DIRECTIVES.get(part) or re.escape(part) for part in re.findall("%.|[^%]+", directives))


def check_directives(directives: str, kind: str) -> None:
    """Refuse a format that does not tell all that a column of this kind needs.

    Raises:
        ValueError: what it lacks.
    """
    has = {"year": "%Y" in directives, "month": any(each in directives for each in ("%m", "%b", "%B"))}
    has["day"] = "%d" in directives
    if "%j" in directives:
        has["month"] = has["day"] = True
    if kind == "ts":
        has["hour"] = "%H" in directives or ("%I" in directives and "%p" in directives)
    needed = {"month": ("year", "month"), "date": ("year", "month", "day"), "ts": ("year", "month", "day", "hour")}[kind]
    lacking = [part for part in needed if not has[part]]
    if lacking:
        raise ValueError(f"tells no {' and no '.join(lacking)}")


def _refused(text: str, reason: str) -> str:
    return f"{text} || {quote(f' ({reason})')}"


def _read(text: str, directives: str) -> str:
    pattern = quote(_pattern_of(directives))
    return f"case when regexp_full_match({text}, {pattern}) then try_strptime({text}, {quote(directives)}) end"


def day(text: str, directives: str, declared: str) -> str:
    """Return SQL for a date YYYY-MM-DD of text in a declared format."""
    return _rewritten(text, directives, declared, lambda moment: f"strftime({moment}, '%Y-%m-%d')")


def month(text: str, directives: str, declared: str) -> str:
    """Return SQL for a month YYYY-MM of text in a declared format."""
    return _rewritten(text, directives, declared, lambda moment: f"strftime({moment}, '%Y-%m')")


def _rewritten(text: str, directives: str, declared: str, shown: Callable[[str], str]) -> str:
    moment = _read(text, directives)
    return f"case when {text} is not null then coalesce({shown(moment)}, {_refused(text, f'not written as {declared}')}) end"


def timestamp(text: str, directives: str, declared: str, timezone: str, repeated_hour: str) -> str:
    """Return SQL for an instant with offset of text in a declared format.

    Without an offset in the format, the text is the local time of ``timezone``. A local time that the clocks skipped is refused;
    one that they showed twice is the ``earlier`` or ``later`` of both, and refused if neither is declared.
    """
    if "%z" in directives:
        return _rewritten(text, directives, declared, lambda moment: f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')")
    zone = quote(timezone)
    local = _read(text, directives)
    first, last = "list_min(moments)", "list_max(moments)"
    chosen = {"earlier": first, "later": last}.get(repeated_hour)
    twice = chosen and f"strftime(timezone('UTC', {chosen}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    # The offsets a day before and a day behind are the only ones that a local time can have around a change of clocks.
    candidates = ", ".join(f"timezone({zone}, l + interval {shift}) - interval {shift}" for shift in ("(-1) day", "1 day"))
    moments = f"list_distinct(list_filter([{candidates}], lambda m: timezone({zone}, m) = l))"
    # Lambdas name the parts: a subquery would be joined, and a join does not keep the order of rows.
    read = f"""list_transform([{local}], lambda l: list_transform([{moments}], lambda moments: case
        when l is null then null
        when len(moments) = 0 then {_refused(text, "the clocks skipped it")}
        when len(moments) > 1 then {twice or _refused(text, "the clocks showed it twice")}
        else strftime(timezone('UTC', moments[1]), '%Y-%m-%dT%H:%M:%S.%fZ') end)[1])[1]"""
    return f"case when {text} is not null then coalesce({read}, {_refused(text, f'not written as {declared}')}) end"


def number(text: str, decimal: str, thousands: str, negative: str) -> str:
    """Return SQL for a number with a decimal point of text with declared marks; the sign comes first."""
    point = re.escape(decimal)
    whole = "[0-9]+"
    if thousands:
        whole = rf"([0-9]+|[0-9]{{1,3}}({re.escape(thousands)}[0-9]{{3}})+)"
    digits = rf"({whole}({point}[0-9]*)?|{point}[0-9]+)"
    plain = f"replace({text}, {quote(thousands)}, '')" if thousands else text
    plain = f"replace({plain}, {quote(decimal)}, '.')"
    if negative == "trailing":
        plain = rf"regexp_replace({plain}, '^(.*)([+-])$', '\2\1')"
    elif negative == "parentheses":
        plain = rf"regexp_replace({plain}, '^\((.*)\)$', '-\1')"
    style = f"decimal '{decimal}'" + (f", thousands '{thousands}'" if thousands else "")
    return (
        f"case when regexp_full_match({text}, {quote(_NEGATIVE[negative].format(number=digits))}) then {plain}"
        f" else {_refused(text, f'not a number with {style}')} end"
    )


def negated(text: str) -> str:
    """Return SQL for the text of a number with the other sign."""
    return (
        f"case when {text} like '-%' then substr({text}, 2) when {text} like '+%' then '-' || substr({text}, 2)"
        f" else '-' || {text} end"
    )


def translated(text: str, values: dict[str, str]) -> str:
    """Return SQL for the value that stands for a text; one that no value stands for is refused."""
    pairs = ", ".join(f"{quote(theirs)}: {quote(ours)}" for theirs, ours in values.items())
    return f"coalesce(map {{{pairs}}}[{text}], {_refused(text, 'the mapping has no value for it')})"


def cleaned(column: str, empty: tuple[str, ...]) -> str:
    """Return SQL for a column's text without white space around it; null if nothing is left or it stands for nothing."""
    text = f"({stripped(name(column))})"
    if not empty:
        return text
    return f"(case when {text} not in ({', '.join(map(quote, empty))}) then {text} end)"
