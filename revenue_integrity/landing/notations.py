"""Values of sources that are read more generously than the conventions: the SQL that parses a column, and why it cannot.

Belongs here: declared forms of dates, numbers with the noise of binary floats, shares, identifiers and texts as JSON has them.
Does not belong here: the conventions' own forms (``values``), which value of a file belongs to which column (``reading``).

A text that begins with ``MISREAD`` stands for a value of the file that is no value of its column: an object, ``true``, ``NaN``.
"""

import re
from collections.abc import Sequence

from revenue_integrity.landing import values
from revenue_integrity.landing.values import CONTROL, SPACE, Judgement, name, quote, stripped, without_exponent
from revenue_integrity.model.source import RESERVED_IDS, Notation, Source, SourceColumn

MISREAD = "\x01"
"""What the text of a value begins with that a column cannot hold, whatever it is read as."""

TRUE_WORDS = ("true", "t", "1", "yes")

NO_IDENTIFIER = ("NULL", "NONE", "NAN", "N/A", "UNDEFINED", "UNKNOWN")
"""Words that systems write where they have no identifier."""

_READ_PARTS = ("day", "instant", "clock", "is_ambiguous", "is_other_order")

_JUDGED_PARTS = ("day", "instant")
"""Parts by which it is judged whether a field holds a date."""

_BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""White space as Unicode knows it."""

_SHOWN = 60

_MONTHS = (
    "JAN(?:UARY)?|FEB(?:RUARY)?|MAR(?:CH)?|APR(?:IL)?|MAY|JUNE?|JULY?|AUG(?:UST)?|SEP(?:T(?:EMBER)?)?|OCT(?:OBER)?|NOV(?:EMBER)?"
    "|DEC(?:EMBER)?"
)
_ORDERED = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
_REST = "(?:[ T](.+))?"
_FORMS = (
    (f"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}}){_REST}", r"\1-\2-\3|\4"),
    (f"([0-9]{{4}})/([0-9]{{1,2}})/([0-9]{{1,2}}){_REST}", r"\1-\2-\3|\4"),
    (f"([0-9]{{4}})([0-9]{{2}})([0-9]{{2}}){_REST}", r"\1-\2-\3|\4"),
    (rf"([0-9]{{1,2}})\.([0-9]{{1,2}})\.([0-9]{{4}}){_REST}", r"\3-\2-\1|\4"),
    (rf"([0-9]{{1,2}}) ({_MONTHS})\.? ([0-9]{{4}}){_REST}", r"\3-\2-\1|\4"),
    (rf"([0-9]{{1,2}})-({_MONTHS})\.?-([0-9]{{4}}){_REST}", r"\3-\2-\1|\4"),
    (rf"({_MONTHS})\.? ([0-9]{{1,2}})(?:, ?| )([0-9]{{4}}){_REST}", r"\3-\1-\2|\4"),
)
"""Forms of a date, and how each becomes year, month, day and what follows."""

_TWO_ORDERS = (
    f"([0-9]{{1,2}})/([0-9]{{1,2}})/([0-9]{{4}}){_REST}",
    f"([0-9]{{1,2}})-([0-9]{{1,2}})-([0-9]{{4}}){_REST}",
)
"""Forms of a date in which only an agreement says which number is the month."""

_TIME = (
    r"([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)? ?(AM|PM)?"
    r" ?(Z|UTC|[+-](?:0[0-9]|1[0-8])(?::?[0-5][0-9])?)?"
)
_SECONDS = r"[0-9]{10}(\.[0-9]+)?"
_MILLISECONDS = "[0-9]{13}"

_FIRST_DAY, _LAST_DAY = "date '1900-01-01'", "date '2199-12-31'"


def identifier(text: str) -> str:
    """Return a text as an identifier, as the engine makes it; to compare two of them."""
    return re.sub(f"[{re.escape(_BLANKS)}_]+", "-", text.strip(SPACE)).upper()


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quote(pattern)})"


def tidy(text: str) -> str:
    """Return SQL for a text in Unicode NFC, each run of white space one blank; null if nothing is left."""
    tidied = f"nullif(trim(regexp_replace(nfc_normalize({text}), {quote(f'[{_BLANKS}]+')}, ' ', 'g')), '')"
    return f"case when {_matches(text, '[!-~]+( [!-~]+)*')} then {text} else {tidied} end"


def _folding() -> dict[str, str]:
    """Return the characters that Unicode case folding makes something else of than their lower case, and what."""
    characters = (chr(code) for code in range(0x80, 0x1E944) if not 0xD800 <= code <= 0xDFFF)
    return {each: each.casefold() for each in characters if each.casefold() != each.lower()}


_FOLDED_TO = _folding()
_FOLDING = f"map([{', '.join(map(quote, _FOLDED_TO))}], [{', '.join(map(quote, _FOLDED_TO.values()))}])"


def folded(text: str) -> str:
    """Return SQL for a text after Unicode case folding: what is the same but for case has one."""
    each = f"list_transform(string_split({text}, ''), lambda letter: coalesce({_FOLDING}[letter], lower(letter)))"
    return f"case when {_matches(text, '[ -~]*')} then lower({text}) else array_to_string({each}, '') end"


# Texts of a row


def text_of(place: int | None, others: Sequence[tuple[int, ...]]) -> str:
    """Return SQL for the text of a column that may stand under several names."""
    found = [] if place is None else [f"c{place}"]
    for places in others:
        together = ", ".join(f"c{each}" for each in places)
        found.append(f"c{places[0]}" if len(places) == 1 else f"nullif(trim(concat_ws(' ', {together})), '')")
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0] if found else "cast(null as VARCHAR)"


def rivals(place: int | None, others: Sequence[tuple[int, ...]]) -> str:
    """Return SQL that is true where a column has different values under its names; empty where it has one name."""
    alone = [*([] if place is None else [place]), *(places[0] for places in others if len(places) == 1)]
    pairs = [f"c{alone[0]} <> c{other}" for other in alone[1:]]
    return f"coalesce({' or '.join(pairs)}, false)" if pairs else ""


# Dates


def dated_columns(source: Source) -> list[SourceColumn]:
    """Return the columns of which each names a field of the files that holds a date, once for each field."""
    found: dict[str, SourceColumn] = {}
    for column in source.columns:
        if column.part in _READ_PARTS:
            found.setdefault(column.name, column)
    return list(found.values())


def _read(column: SourceColumn) -> str:
    return name(f"read {column.name}")


def taken_apart(fields: Sequence[tuple[SourceColumn, str]], notation: Notation, relation: str) -> str:
    """Return a relation with, for each field that holds a date, a struct of what it says.

    The relation holds ``arrival``, when its rows became visible. The struct has ``day`` and ``at`` (local; ``at`` is null where
    only a day came), ``instant``, ``is_ambiguous`` and ``is_other_order``; it is null where the text is no date.
    """
    zone = quote(notation.timezone)
    for number, (column, text) in enumerate(fields):
        t, n, s, slash, c, two = (f"{each}{number}" for each in ("t_", "n_", "s_", "x_", "c_", "o_"))
        forms = " ".join(
            f"when {_matches(t, form)} then regexp_replace({t}, {quote(f'^{form}$')}, {quote(to)})" for form, to in _FORMS
        )
        order = r"\3-\1-\2|\4" if notation.date_order == "mdy" else r"\3-\2-\1|\4"
        slashed = " ".join(
            f"when {_matches(t, form)} then regexp_replace({t}, {quote(f'^{form}$')}, {quote(order)})" for form in _TWO_ORDERS
        )
        relation = f"(select *, {without_exponent(f'upper({tidy(text)})')} as {t} from {relation})"
        relation = f"(select *, case {forms} {slashed} end as {n} from {relation})"
        split = r"^([0-9]+)-([^-|]+)-([0-9]+)\|(.*)$"
        relation = f"""(
            select
                *, case when {n} is not null
                    then regexp_extract({n}, {quote(split)}, ['y', 'm', 'd', 'rest']) end as {s},
                {_matches(t, _TWO_ORDERS[0])} or {_matches(t, _TWO_ORDERS[1])} as {slash}
            from {relation}
        )"""
        month = (
            f"case when regexp_matches({s}.m, '^[0-9]') then lpad({s}.m, 2, '0')"
            f" else lpad(cast((position(left({s}.m, 3) in '{_ORDERED}') + 2) // 3 as VARCHAR), 2, '0') end"
        )
        first = f"{s}.y || '-' || {month} || '-' || lpad({s}.d, 2, '0')"
        second = f"{s}.y || '-' || lpad({s}.d, 2, '0') || '-' || lpad({s}.m, 2, '0')"
        has_two = f"{slash} and cast({s}.m as INTEGER) <> cast({s}.d as INTEGER)"
        relation = f"""(
            select
                *, {_valid_day(first)} as {n}_day,
                case when {has_two} then {_valid_day(second)} end as {two}_day,
                case when {s}.rest <> '' and {_matches(f"{s}.rest", _TIME)}
                    then regexp_extract({s}.rest, {quote(f"^{_TIME}$")}, ['h', 'mi', 's', 'f', 'half', 'offset']) end as {c}
            from {relation}
        )"""
        relation = f"(select *, {_micros(c)} as {c}_micros, {_offset_minutes(c)} as {c}_offset from {relation})"
        epoch = (
            f"case when {_matches(t, _SECONDS)} then make_timestamp(cast(left({t}, 10) as BIGINT) * 1000000"
            f" + cast(rpad(left(substr({t}, 12), 6), 6, '0') as BIGINT))"
            f" when {_matches(t, _MILLISECONDS)} then make_timestamp(cast({t} as BIGINT) * 1000) end"
        )
        relation = f"""(
            select
                *, {epoch} as {t}_epoch,
                {n}_day is not null and ({s}.rest = '' or {c}_micros is not null) as {n}_stands,
                {two}_day is not null and ({s}.rest = '' or {c}_micros is not null) as {two}_stands
            from {relation}
        )"""
        local = (_local(f"{day}_day", c, zone) for day in (n, two))
        relation = f"(select *, {next(local)} as {n}_at, {next(local)} as {two}_at from {relation})"
        arrived = f"cast(timezone({zone}, arrival) as DATE)"
        relation = f"""(
            select
                *,
                {two}_stands and (
                    not {n}_stands or (cast({n}_at as DATE) > {arrived} and cast({two}_at as DATE) <= {arrived})
                ) as {two}_taken,
                {n}_stands and {two}_stands and (cast({n}_at as DATE) <= {arrived}) = (cast({two}_at as DATE) <= {arrived})
                    as {two}_open
            from {relation}
        )"""
        at = f"case when {two}_taken then {two}_at else {n}_at end"
        epoch_local = f"timezone({zone}, timezone('UTC', {t}_epoch))"
        # What has an offset, or is counted, is an instant; anything else is local.
        instant = (
            f"case when {c}_offset is not null then timezone('UTC', {at.replace('_at', '_utc')}) else {_instant(at, zone)} end"
        )
        relation = f"(select *, {_utc(f'{n}_day', c)} as {n}_utc, {_utc(f'{two}_day', c)} as {two}_utc from {relation})"
        relation = f"""(
            select
                *, case
                    when {t}_epoch is not null then struct_pack(
                        day := cast({epoch_local} as DATE), at := {epoch_local}, instant := timezone('UTC', {t}_epoch),
                        is_ambiguous := false, is_other_order := false
                    )
                    when {n}_stands or {two}_taken then struct_pack(
                        day := cast({at} as DATE), at := case when {s}.rest <> '' then {at} end, instant := {instant},
                        is_ambiguous := {two}_open, is_other_order := {two}_taken
                    )
                end as {_read(column)}
            from {relation}
        )"""
    return relation


def _valid_day(text: str) -> str:
    day = f"try_cast({text} as DATE)"
    return f"case when cast({day} as VARCHAR) = {text} and {day} between {_FIRST_DAY} and {_LAST_DAY} then {day} end"


def _micros(clock: str) -> str:
    """Return SQL for the microseconds since midnight; null where the hour is none."""
    hour = f"cast({clock}.h as INTEGER)"
    half = f"{hour} % 12 + case when {clock}.half = 'PM' then 12 else 0 end"
    hours = (
        f"case when {clock}.half = '' then case when {hour} <= 23 then {hour} end when {hour} between 1 and 12 then {half} end"
    )
    seconds = f"cast(case when {clock}.s = '' then '0' else {clock}.s end as BIGINT)"
    fraction = f"cast(rpad(left({clock}.f, 6), 6, '0') as BIGINT)"
    return f"((({hours}) * 60 + cast({clock}.mi as BIGINT)) * 60 + {seconds}) * 1000000 + {fraction}"


def _offset_minutes(clock: str) -> str:
    """Return SQL for the minutes by which a clock is ahead of UTC; null where it says nothing."""
    offset = f"{clock}.offset"
    digits = f"regexp_replace({offset}, '[^0-9]', '', 'g')"
    minutes = f"(cast(left({digits}, 2) as INTEGER) * 60 + cast(rpad(substr({digits}, 3), 2, '0') as INTEGER))"
    return (
        f"case when {offset} in ('Z', 'UTC') then 0 when {offset} <> ''"
        f" then {minutes} * case when left({offset}, 1) = '-' then -1 else 1 end end"
    )


def _utc(day: str, clock: str) -> str:
    return f"({day} + to_microseconds(coalesce({clock}_micros, 0)) - to_minutes(coalesce({clock}_offset, 0)))"


def _local(day: str, clock: str, zone: str) -> str:
    return (
        f"case when {clock}_offset is not null then timezone({zone}, timezone('UTC', {_utc(day, clock)}))"
        f" else {day} + to_microseconds(coalesce({clock}_micros, 0)) end"
    )


def _instant(local: str, zone: str) -> str:
    """Return SQL for the instant of a local time; where it comes twice, the first."""
    given = f"timezone({zone}, {local})"
    earlier = " ".join(
        f"when timezone({zone}, {given} - interval {minutes} minute) = {local} then {given} - interval {minutes} minute"
        for minutes in (120, 60, 30)
    )
    return f"case {earlier} else {given} end"


# Values


def _noisy(text: str, places: int, digits: int) -> str:
    """Return SQL for a number that is one with fewer places but for the noise of binary floats; null for any other text."""
    number = without_exponent(stripped(text))
    exact = f"try_cast({number} as DECIMAL(38,18))"
    near = f"cast({exact} as DECIMAL(38,{places}))"
    return (
        f"case when {_matches(number, r'[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)')} and abs({exact} - {near}) <= 0.000000001"
        f" then try_cast({near} as DECIMAL({digits},{places})) end"
    )


def _number(text: str, places: int, digits: int) -> str:
    exact = values.exact_number(text, places, digits)
    return f"coalesce({exact}, {_noisy(text, places, digits)})"


def _share(column: SourceColumn, text: str, notation: Notation) -> str:
    in_percent = _number(f"rtrim(rtrim({stripped(text)}, '%'))", column.places - 2, 18)
    percent = f"cast(({in_percent}) * cast(0.01 as DECIMAL(3,2)) as {column.sql_type})"
    marked = f"{_matches(stripped(text), '[^%]*%')}"
    plain = percent if notation.share_unit == "percent" else _number(text, column.places, column.digits)
    return f"case when {marked} then {percent} when position('%' in {text}) = 0 then {plain} end"


def _identifier(column: SourceColumn, text: str) -> str:
    normal = f"case when {_matches(text, '[!-~]*')} then {text} else nfc_normalize({text}) end"
    parsed = values.parsed(column, f"({normal})")
    words = ", ".join(map(quote, NO_IDENTIFIER))
    return f"case when ({parsed}) in ({words}) then null else ({parsed}) end"


def parsed(column: SourceColumn, text: str, notation: Notation) -> str:
    """Return SQL for the typed value of a column whose text is the SQL expression ``text``; null if it has none."""
    value = _parsed(column, text, notation)
    misread = f"starts_with({text}, {quote(MISREAD)})"
    return value if column.part in _READ_PARTS else f"case when {misread} then null else {value} end"


def _parsed(column: SourceColumn, text: str, notation: Notation) -> str:
    if column.part in _READ_PARTS:
        return _part(column)
    if column.part == "folded":
        value = folded(tidy(text))
        return (
            f"case when {value} in ({', '.join(map(quote, column.blanks))}) then null else {value} end"
            if column.blanks
            else value
        )
    match column.kind:
        case "id":
            return _identifier(column, text)
        case "text":
            value = tidy(text)
            if column.blanks:
                value = f"case when lower({value}) in ({', '.join(map(quote, column.blanks))}) then null else {value} end"
            return f"lower({value})" if column.caseless else value
        case "email":
            return f"lower({tidy(text)})"
        case "dec":
            return _number(text, column.places, column.digits)
        case "money":
            return f"coalesce({values.parsed(column, text)}, cast(({_noisy(text, 2, 15)}) * 100 as BIGINT))"
        case "int":
            return f"coalesce({values.parsed(column, text)}, cast({_noisy(text, 0, 18)} as BIGINT))"
        case "share":
            return f"coalesce({_share(column, text, notation)}, case when {stripped(text)} is null then 0 end)"
        case _:
            return values.parsed(column, text)


def _part(column: SourceColumn) -> str:
    read = _read(column)
    if column.part == "clock":
        fraction = f"case when microsecond({read}.at) % 1000000 = 0 then '' else strftime({read}.at, '.%f') end"
        return f"strftime({read}.at, '%Y-%m-%dT%H:%M:%S') || {fraction}"
    return f"{read}.{column.part}" if column.part in _JUDGED_PARTS else f"coalesce({read}.{column.part}, false)"


_EXPECTED = {
    "share": "is neither a fraction nor a percentage",
    "date": "is no date in one of the declared forms",
    "ts": "is no time in one of the declared forms",
}


def judged(column: SourceColumn, text: str, currency: str, *, is_mapped: bool = False) -> Judgement:
    """Return how a column is judged, given SQL for its text; the typed value stands under the column's stored name."""
    if column.part and column.part not in _JUDGED_PARTS:
        return Judgement("false", "null")
    value = name(column.stored)
    tidied = stripped(text)
    shown = f"left(ltrim({tidied}, {quote(MISREAD)}), {_SHOWN})"
    problems = [(f"starts_with({text}, {quote(MISREAD)})", f"'{column.name} is ' || {shown} || ', which it cannot be'")]
    suspicious = [f"({value} is null and {text} is not null)"]
    if column.required:
        empty = f"{value} is null" if column.kind == "id" else f"{tidied} is null"
        problems.append((empty, quote(f"{column.name} is empty")))
        suspicious = [f"{value} is null"]
    if column.kind == "share" or column.part:
        words = _EXPECTED[column.kind]
        problems.append((f"{value} is null and {tidied} is not null", f"'{column.name} ''' || {shown} || ''' {words}'"))
    elif column.kind == "id":
        reserved = ", ".join(map(quote, (each for each in RESERVED_IDS if each not in NO_IDENTIFIER)))
        problems.append((f"{value} in ({reserved})", f"'{column.name} ' || {value} || ' is a reserved id'"))
        problems.append((_controlled(value), quote(f"{column.name} holds a control character")))
        suspicious += [f"{value} in ({reserved})", _controlled(value)]
    elif column.kind == "text":
        problems.append((_controlled(value), quote(f"{column.name} holds a control character")))
        suspicious.append(_controlled(value))
    elif column.kind == "email":
        problems.append((_no_address(value), f"'{column.name} ''' || {shown} || ''' is no address'"))
        suspicious.append(_no_address(value))
    else:
        return _judged_as_ever(column, text, currency, problems[0], is_mapped=is_mapped)
    if column.ge is not None:
        words = "is negative" if column.ge == 0 else f"is below {column.ge}"
        problems.append((f"{value} < {column.ge}", quote(f"{column.name} {words}")))
        suspicious.append(f"{value} < {column.ge}")
    cases = " ".join(f"when {condition} then {reason}" for condition, reason in problems)
    return Judgement(" or ".join(suspicious), f"case {cases} end")


def _judged_as_ever(column: SourceColumn, text: str, currency: str, misread: tuple[str, str], *, is_mapped: bool) -> Judgement:
    judgement = values.judged(column, text, currency, is_mapped=is_mapped)
    condition, reason = misread
    return Judgement(judgement.suspicious, f"case when {condition} then {reason} else {judgement.reason} end")


def _controlled(text: str) -> str:
    return f"coalesce(regexp_matches({text}, {quote(CONTROL)}), false)"


def _no_address(value: str) -> str:
    pattern = "[^@ ]+@[^@ .]+([.][^@ .]+)+"
    return f"coalesce(not {_matches(value, pattern)} or len({value}) > 254, false)"
