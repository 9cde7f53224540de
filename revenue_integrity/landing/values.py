"""How text becomes values: the SQL that parses one column, and the words that say why it cannot.

Belongs here: one expression per kind of column. Does not belong here: where the text comes from (``reading``), rules over
several columns (each stream's ``sources``).

Each kind has a fast branch for text as it nearly always comes, guarded by one pattern, and a slow branch for the rest; the
engine runs the slow one only for the rows that need it. Casts alone would not do: the engine's own are lenient (they round
``1.5`` to a whole number, take ``2024/1/5`` for a date, and an instant without offset for one in the session's zone).
"""

import glob
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

from revenue_integrity.model.source import RESERVED_IDS, SourceColumn

SPACE = (
    "\t\n\x0b\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""White space as Unicode knows it (the engine's own ``trim`` knows blanks alone)."""

_TIDY = "[!-~]|[!-~].*[!-~]"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"
_EXPONENT = rf"{_NUMBER}[eE][+-]?[0-9]{{1,3}}"
_CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
_OFFSET = r"([Zz]|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)"
CANONICAL_INSTANT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-](0[0-9]|1[0-8])(:[0-5][0-9])?)"
)

CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{80}-\x{9f}]"
"""Control characters but tab and line ends: nobody means them, and a terminal or a chart obeys them."""

_SHOWN = 60
"""Characters of an offending value that a reason repeats."""

TOLD = "\x1f\x1e"
"""Stands in the text of a value that a mapping could not read between the text as it came and what the mapping says of it."""

_TOLD = "chr(31) || chr(30)"

_TOLD_AT_MOST = 400
"""Characters of what a mapping says that a reason repeats."""


def told(text: str, words: str) -> str:
    """Return SQL for a text as it came with what a mapping says of it (SQL, null for nothing): no value, whatever is read."""
    return f"{text} || coalesce({_TOLD} || {words}, '')"


def with_words(text: str) -> str:
    """Return SQL for a text, with what a mapping says of it in parentheses behind it, for people."""
    came, said = (f"split_part({text}, {_TOLD}, {part})" for part in (1, 2))
    return f"case when contains({text}, {_TOLD}) then trim({came} || ' (' || {said} || ')') else {text} end"


def without_words(raw: str) -> str:
    """Return SQL for a row as JSON without what a mapping says in it: the row as it came."""
    return f"""regexp_replace({raw}, '\\\\u001f\\\\u001e([^"\\\\]|\\\\.)*', '', 'g')"""


def quote(text: str) -> str:
    """Return text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def path_literal(path: Path) -> str:
    """Return a path as an SQL literal that names this file alone, whatever it is called.

    The engine takes a path for a pattern: a file called ``*.csv`` would be all files of its folder, and the numbers of those
    behind it would be those of others.
    """
    return quote(glob.escape(str(path)))


def name(identifier: str) -> str:
    """Return an identifier quoted for SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def stripped(text: str) -> str:
    """Return SQL for the text without white space around it; null if nothing is left."""
    # Printable ASCII at both ends needs no trimming, and trimming by a list of characters is slow.
    return f"case when {_matches(text, _TIDY)} then {text} else nullif(trim({text}, {quote(SPACE)}), '') end"


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quote(pattern)})"


def _replaced(text: str, pattern: str, replacement: str) -> str:
    return f"regexp_replace({text}, {quote(pattern)}, {quote(replacement)})"


def _extracted(text: str, pattern: str) -> str:
    return f"regexp_extract({text}, {quote(pattern)}, 1)"


def _identifier(text: str) -> str:
    # What no blank, underscore, lower-case letter or letter beyond ASCII occurs in is an identifier already.
    usual = f"not regexp_matches({text}, {quote('[^!-^`{-~]')})"
    return (
        f"case when {usual} then nullif({text}, '')"
        f" else upper(regexp_replace({stripped(text)}, {quote(f'[{SPACE}_]+')}, '-', 'g')) end"
    )


def _once(text: str, named: str, value: str) -> str:
    """Return SQL for a value of a text that goes by a name in it: to plan a text that is written out many times costs seconds."""
    return f"list_transform([{text}], lambda {named}: {value})[1]"


def without_exponent(text: str) -> str:
    """Return SQL for a number without an exponent, given one that may have one; any other text is left as it is.

    The point is moved in the text, so that no digit is lost: a cast would round what its type does not hold.
    """
    sign = _extracted(text, "^([+-])")
    whole, fraction = _extracted(text, "^[+-]?([0-9]*)"), _extracted(text, r"\.([0-9]*)")
    moved = (
        "case when number.digits = '' then '0'"
        " when number.shift >= 0 then number.digits || repeat('0', number.shift)"
        " when len(number.digits) > -number.shift"
        " then left(number.digits, len(number.digits) + number.shift) || '.' || right(number.digits, -number.shift)"
        " else '0.' || repeat('0', -number.shift - len(number.digits)) || number.digits end"
    )
    shift = f"try_cast({_extracted(text, '[eE]([+-]?[0-9]+)$')} as INTEGER) - len({fraction})"
    packed = f"struct_pack(digits := ltrim({whole} || {fraction}, '0'), shift := {shift})"
    return f"case when {_matches(text, _EXPONENT)} then {sign} || {_once(packed, 'number', moved)} else {text} end"


def _plain(text: str, value: str) -> str:
    """Return SQL for a value of a number's text, which stands in it as ``plain``: without white space around it or exponent."""
    return _once(stripped(text), "trimmed", _once(without_exponent("trimmed"), "plain", value))


def exact_number(text: str, places: int, digits: int) -> str:
    """Return SQL for a decimal number of some places and digits; null if the text is none, or would be rounded."""
    whole = digits - places
    sql_type = f"DECIMAL({digits},{places})"
    usual = _matches(text, rf"-?[0-9]{{1,{whole}}}([.][0-9]{{1,{places}}})?")
    # Zeros behind the last place that the type holds change nothing; any other digit there would be rounded away.
    tidy = _replaced("plain", r"(\.[0-9]*?)0+$", r"\1")
    fits = _matches("tidy", rf"[+-]?0*[0-9]{{0,{whole}}}([.][0-9]{{0,{places}}})?")
    exact = _once(tidy, "tidy", f"case when {fits} then try_cast(tidy as {sql_type}) end")
    number = f"case when {_matches('plain', _NUMBER)} then {exact} end"
    return f"case when {usual} then try_cast({text} as {sql_type}) else {_plain(text, number)} end"


def _money(text: str) -> str:
    # 13 digits before the point: times 100, that is still a decimal of 64 bits.
    return f"cast(({exact_number(text, 2, 15)}) * 100 as BIGINT)"


def _integer(text: str) -> str:
    whole = f"case when {_matches('plain', '[+-]?[0-9]+([.]0*)?')} then try_cast(split_part(plain, '.', 1) as BIGINT) end"
    return f"case when {_matches(text, '-?[0-9]{1,18}')} then try_cast({text} as BIGINT) else {_plain(text, whole)} end"


def _date(text: str) -> str:
    def of(value: str) -> str:
        canonical = f"strlen({value}) = 10 and try_cast(try_cast({value} as DATE) as VARCHAR) = {value}"
        return f"case when {canonical} then try_cast({value} as DATE)"

    return f"{of(text)} else {_once(stripped(text), 'trimmed', of('trimmed') + ' end')} end"


def _month(text: str) -> str:
    trimmed = stripped(text)
    first = f"{trimmed} || '-01'"
    return f"case when try_cast(try_cast({first} as DATE) as VARCHAR) = {first} then try_cast({first} as DATE) end"


def _timestamp(text: str, meant: str) -> str:
    """Return SQL for the instant of a text, given also SQL for what the text means where it is not as instants usually come."""
    # Digits beyond the microsecond may only be zeros; lower-case letters and a short offset are written out for the cast.
    tidy = _replaced("upper(trimmed)", r"(\.[0-9]{6})0+", r"\1")
    tidy = _replaced(tidy, "([+-][0-9]{2})([0-9]{2})$", r"\1:\2")
    exact = f"length({_extracted('tidy', r'[.]([0-9]+)')}) <= 6"
    instant = _once(tidy, "tidy", f"case when {exact} then try_cast(tidy as TIMESTAMPTZ) end")
    written = f"case when {_matches('trimmed', _CLOCK + _OFFSET)} then {instant} end"
    return (
        f"case when {_matches(text, CANONICAL_INSTANT)} then try_cast({text} as TIMESTAMPTZ)"
        f" else {_once(stripped(meant), 'trimmed', written)} end"
    )


def _boolean(text: str) -> str:
    return (
        f"case lower({stripped(text)}) when 'true' then true when 't' then true when '1' then true when 'yes' then true"
        " when 'false' then false when 'f' then false when '0' then false when 'no' then false end"
    )


def with_offset(text: str) -> str:
    """Return SQL for the text of an instant of UTC, whose offset may be left out; a day alone begins at midnight."""
    trimmed = stripped(text)
    day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    return (
        f"case when {_matches(trimmed, _CLOCK)} then {trimmed} || 'Z'"
        f" when {_matches(trimmed, day)} then {trimmed} || 'T00:00:00Z' else {text} end"
    )


def parsed(column: SourceColumn, text: str) -> str:
    """Return SQL for the typed value of a column whose text is the SQL expression ``text``; null if it has none."""
    if column.default is not None:
        text = f"coalesce({stripped(text)}, {quote(column.default)})"
    match column.kind:
        case "id":
            return _identifier(text)
        case "enum" if column.aliases:
            meanings = " ".join(f"when {quote(word)} then {quote(meaning)}" for word, meaning in column.aliases)
            return f"case lower({stripped(text)}) {meanings} else {quote(column.values[-1])} end"
        case "enum":
            # The allowed values as they are need no further work; anything else is trimmed and lower-cased.
            allowed = ", ".join(map(quote, column.values))
            return f"case when {text} in ({allowed}) then {text} else lower({stripped(text)}) end"
        case "currency":
            return f"upper({stripped(text)})"
        case "dec":
            return exact_number(text, column.places, column.digits)
        case "money":
            return _money(text)
        case "int":
            return _integer(text)
        case "date":
            return _date(text)
        case "month":
            return _month(text)
        case "ts":
            return _timestamp(text, with_offset(text) if column.utc else text)
        case "bool":
            return _boolean(text)
        case "text" if column.caseless:
            return f"lower({stripped(text)})"
        case _:
            return stripped(text)


def plainly(column: SourceColumn, text: str) -> str:
    """Return SQL that is true where a text is not plainly what a cast takes it for; empty where text stays text."""
    match column.kind:
        case "dec":
            pattern = rf"-?[0-9]{{1,{column.digits - column.places}}}([.][0-9]{{1,{column.places}}})?"
            plain = _matches(text, pattern)
        case "date":
            plain = f"cast(try_cast({text} as DATE) as VARCHAR) = {text}"
        case "ts":
            plain = f"{_matches(text, CANONICAL_INSTANT)} and try_cast({text} as TIMESTAMPTZ) is not null"
        case "bool":
            plain = f"{text} in ('true', 'false')"
        case _:
            return ""
    return f"{text} is not null and not coalesce({plain}, false)"


def places_of(column: SourceColumn) -> int:
    """Return the decimal places that a number of a column may have."""
    return {"money": 2, "int": 0}.get(column.kind, column.places)


def fits(column: SourceColumn, text: str) -> str:
    """Return SQL that is true of a text that looks like a value of its column; empty where any text does."""
    match column.kind:
        case "dec" | "money" | "int":
            places = places_of(column)
            return _matches(text, rf"[+-]?[0-9]*([.][0-9]{{0,{places}}}0*)?([eE][+-]?[0-9]{{1,3}})?")
        case "date":
            return _matches(text, "[0-9]{4}-[0-9]{2}-[0-9]{2}")
        case "month":
            return _matches(text, "[0-9]{4}-[0-9]{2}")
        case "ts" if not column.utc:
            return _matches(text, _CLOCK + _OFFSET)
        case "enum" if not column.aliases:
            return f"lower({text}) in ({', '.join(map(quote, column.values))})"
        case _:
            return ""


_EXPECTED = {
    "dec": "is not a decimal number with at most {places} places",
    "money": "is not a decimal number with at most 2 places",
    "int": "is not a whole number",
    "date": "is not a date YYYY-MM-DD",
    "month": "is not a month YYYY-MM",
    "ts": "is not an ISO-8601 timestamp to the microsecond",
    "bool": "is neither true nor false",
}


@dataclass(frozen=True)
class Judgement:
    """How a parsed column is judged: a cheap predicate that is true of every bad row, and the exact reason (null if none)."""

    suspicious: str
    reason: str


def _controlled(text: str) -> str:
    return f"coalesce(regexp_matches({text}, {quote(CONTROL)}), false)"


def judged(column: SourceColumn, text: str, currency: str, *, is_mapped: bool = False) -> Judgement:
    """Return how a column is judged, given SQL for its text; the typed value stands under the column's stored name.

    With ``is_mapped`` the text may hold what a mapping says of it (``told``), which stands behind the reason.
    """
    value = name(column.stored)
    shown, behind = f"left({stripped(text)}, {_SHOWN})", ""
    problems: list[tuple[str, str]] = []
    if is_mapped:
        came = f"split_part({text}, {_TOLD}, 1)"
        said = f"left(nullif(split_part({text}, {_TOLD}, 2), ''), {_TOLD_AT_MOST})"
        shown, behind = f"left(trim({came}), {_SHOWN})", f" || coalesce(' (' || {said} || ')', '')"
        problems.append((f"{came} = '' and contains({text}, {_TOLD})", f"'{column.name} is empty'{behind}"))
    empty = f"{stripped(text)} is null" if column.default is None else "false"
    if column.required:
        wanted = f" and not coalesce({name(column.unless)}, false)" if column.unless else ""
        problems.append((f"{empty}{wanted}", quote(f"{column.name} is empty")))
    suspicious = f"{value} is null" if column.required else f"({value} is null and {text} is not null)"
    unread = f"{value} is null and not ({empty})"
    if column.kind == "ts" and not column.utc:
        problems.append(
            (
                f"{unread} and {_matches(stripped(text), _CLOCK)}",
                f"'{column.name} ''' || {shown} || ''' has no offset'",
            )
        )
        unread = f"{unread} and not {_matches(stripped(text), _CLOCK)}"
    if column.kind in ("dec", "money", "int"):
        places = places_of(column)
        number = _matches(stripped(text), rf"[+-]?[0-9]+([.][0-9]{{0,{places}}}0*)?")
        problems.append((f"{unread} and {number}", f"'{column.name} ''' || {shown} || ''' is larger than the column holds'"))
    if column.kind in _EXPECTED:
        expected = _EXPECTED[column.kind].format(places=column.places)
        problems.append((unread, f"'{column.name} ''' || {shown} || ''' {expected}'{behind}"))
    elif column.kind == "enum":
        allowed = ", ".join(map(quote, column.values))
        problems.append(
            (
                f"{value} not in ({allowed})",
                f"'{column.name} ''' || {shown} || ''' is none of {'|'.join(column.values)}'{behind}",
            )
        )
        suspicious += f" or {value} not in ({allowed})"
    elif column.kind == "currency":
        problems.append((f"{value} <> {quote(currency)}", f"'{column.name} is ' || {shown} || ', not {currency}'{behind}"))
        suspicious += f" or {value} <> {quote(currency)}"
    elif column.kind == "timezone":
        zones = ", ".join(map(quote, sorted(zoneinfo.available_timezones())))
        problems.append((f"{value} not in ({zones})", f"'{column.name} ''' || {shown} || ''' is no IANA time zone'{behind}"))
        suspicious += f" or {value} not in ({zones})"
    elif column.kind == "id":
        reserved = ", ".join(map(quote, RESERVED_IDS))
        problems.append((f"{value} in ({reserved})", f"'{column.name} ' || {value} || ' is a reserved id'"))
        suspicious += f" or {value} in ({reserved})"
    if column.kind in ("text", "id") or column.aliases:
        if is_mapped:
            problems.append((f"contains({text}, {_TOLD})", f"'{column.name} ''' || {shown} || ''' cannot be read'{behind}"))
        problems.append((_controlled(stripped(text)), quote(f"{column.name} holds a control character")))
        suspicious += f" or {_controlled(text)}"
    if column.ge is not None:
        bound = column.ge * (100 if column.kind == "money" else 1)
        words = "is negative" if column.ge == 0 else f"is below {column.ge}"
        problems.append((f"{value} < {bound}", quote(f"{column.name} {words}")))
        suspicious += f" or {value} < {bound}"
    cases = " ".join(f"when {condition} then {reason}" for condition, reason in problems)
    return Judgement(suspicious, f"case {cases} end" if cases else "null")
