"""How foreign systems write dates and numbers, as SQL that rewrites them the way the contract wants them.

Belongs here: one expression per style that a column mapping can declare. Does not belong here: the mapping file (``mapping``),
what a value must be (``values``).

Nothing is guessed: text that is not written in the declared style is never read some other way. It lands as it came with the
reason behind it (``values.told``), which no parser of the contract accepts, so that the row goes to quarantine and says why.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Literal

from revenue_integrity.landing.values import name, quote, told, without_exponent

_DIRECTIVES = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
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
    "YYYY": "%Y", "YY": "%y", "MM": "%m", "M": "%m", "DD": "%d", "D": "%d", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I",
    "mm": "%M", "ss": "%S", "ffffff": "%f", "MMM": "%b", "MMMM": "%B", "A": "%p",
}  # fmt: skip
"""The letters of a format such as DD.MM.YYYY HH:mm:ss, and the directive that each stands for."""

_VARYING = ("%m", "%d", "%H", "%I", "%M", "%S", "%j")
"""Directives of one digit or two: where digits follow digits, nothing says where one ends, so that they have all of theirs."""

SERIALS = {"excel": "1899-12-30", "excel1904": "1904-01-01"}
"""Formats that count days, each with its day 0; the part behind the point is the time of the day."""

EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1000, "epoch_us": 1}
"""Formats that count from 1970-01-01 UTC, each with the microseconds of one."""

Sign = Literal["leading", "trailing", "parentheses"]

_SIGNED = {"leading": r"[+-]?{number}", "trailing": r"{number}[+-]?", "parentheses": r"{number}|\({number}\)"}
"""Where the sign of a negative number may stand, each with what it looks like."""

_EXPONENT = "([eE][+-]?[0-9]{1,3})?"

_names = count()


@dataclass(frozen=True)
class Numbers:
    """How numbers are written.

    Attributes:
        decimal: decimal mark.
        thousands: characters that may stand between groups of digits.
        grouping: groups of three digits, or as in India the last of three and all others of two.
        negative: where the sign of a negative number may stand.
        minus: characters that stand for the minus sign beside ``-``.
        zero: texts that stand for 0.
        currency: texts before or behind the number that may stand there and say nothing more.
        signs: marks before or behind the number and the sign that each gives it; an empty mark is a number without one.
        hint: the engine's function that tells of a refused text which declaration would read it; none if empty.
    """

    decimal: str
    thousands: str = ""
    grouping: Literal["", "three", "indian"] = ""
    negative: tuple[Sign, ...] = ("leading",)
    minus: str = ""
    zero: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()
    signs: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""


@dataclass(frozen=True)
class Dates:
    """How dates are written.

    Attributes:
        declared: the format, as the mapping has it.
        century: the first two digits of a year that is written with its last two.
        year: the year of a date that is written without one.
        hint: the engine's function that tells of a refused text which declaration would read it; none if empty.
    """

    declared: str
    century: int | None = None
    year: int | None = None
    hint: str = ""


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


def _parts_of(directives: str) -> list[str]:
    """Return directives and what stands between them, each with its pattern."""
    parts = re.findall("%.|[^%]+", directives)
    patterns = []
    for place, part in enumerate(parts):
        pattern = _DIRECTIVES.get(part) or re.escape(part)
        beside = [*parts[max(0, place - 1) : place], *parts[place + 1 : place + 2]]
        before, behind = parts[place - 1] if place else "", parts[place + 1] if place + 1 < len(parts) else ""
        if part in _VARYING and (_ends_in_digit(before) or _begins_with_digit(behind)) and beside:
            pattern = "[0-9]{3}" if part == "%j" else "[0-9]{2}"
        patterns.append(pattern)
    return patterns


def pattern_of(directives: str) -> str:
    """Return the pattern of the texts that are written in a format."""
    return "".join(_parts_of(directives))


def day_of(dates: Dates, text: str) -> str:
    """Return which day a text is that is written in a format, as text; of a count the count itself."""
    if dates.declared in SERIALS or dates.declared in EPOCHS:
        return text
    directives = directives_of(dates.declared)
    if not {"%Y", "%y"} & set(re.findall("%.", directives)):
        directives, text = f"{directives}|%Y", f"{text}|{dates.year or 0:04}"
    return datetime.strptime(text, directives).isoformat()  # noqa: DTZ007 -- a local day


def _is_digits(part: str) -> bool:
    return _DIRECTIVES.get(part, "").startswith("[0-9]")


def _ends_in_digit(part: str) -> bool:
    return _is_digits(part) or part[-1:].isdigit()


def _begins_with_digit(part: str) -> bool:
    return _is_digits(part) or part[:1].isdigit()


def check_dates(dates: Dates, kind: str) -> None:
    """Refuse a format that does not tell all that a column of this kind needs. The time of an instant may be left out.

    Raises:
        ValueError: what it lacks, and what declares it.
    """
    if dates.declared in SERIALS or dates.declared in EPOCHS:
        if dates.declared in EPOCHS and kind != "ts":
            raise ValueError("counts instants, and which day one is depends on a time zone")
        return
    directives = directives_of(dates.declared)
    if "%y" in directives and dates.century is None:
        raise ValueError("has a year of two digits, which needs century (for example century = 20)")
    has = {"year": "%Y" in directives or "%y" in directives or dates.year is not None}
    has["month"] = any(each in directives for each in ("%m", "%b", "%B"))
    has["day"] = "%d" in directives
    if "%j" in directives:
        has["month"] = has["day"] = True
    needed = ("year", "month") if kind == "month" else ("year", "month", "day")
    lacking = [part for part in needed if not has[part]]
    if lacking:
        more = " (a year that is the same in all rows is declared: year = 2025)" if lacking == ["year"] else ""
        raise ValueError(f"tells no {' and no '.join(lacking)}{more}")
    if "%I" in directives and "%p" not in directives:
        raise ValueError("tells hours of twelve without AM or PM (%p)")


WOULD = "would read it"
"""How a reason ends that names the declaration which would read a text."""


def _refused(text: str, reason: str, hint: str = "") -> str:
    if not hint:
        return told(text, quote(reason))
    return told(text, f"{quote(reason)} || coalesce('; ' || nullif({hint}({text}), '') || {quote(f' {WOULD}')}, '')")


def hinted(text: str, plain: str, hint: str) -> str:
    """Return SQL for a text for which nothing is declared: as it is, and where it is not plain with what would read it."""
    refused = told(text, f"nullif({hint}({text}), '') || {quote(f' {WOULD}')}")
    return f"case when {text} is null or {plain} then {text} else {refused} end"


def once(text: str, body: Callable[[str], str]) -> str:
    """Return SQL over a text that is used many times, made once: a subquery would be joined, and lose the order of rows."""
    each = f"t{next(_names)}"
    return f"list_transform([{text}], lambda {each}: {body(each)})[1]"


def _moment(text: str, dates: Dates) -> str:
    """Return SQL for the local moment of a text; null if it is not written as declared."""
    if dates.declared in SERIALS:
        # A day of a serial number has 86400 seconds; spreadsheets keep some more places than a second has.
        number = f"try_cast({text} as DECIMAL(28,10))"
        # A spreadsheet's days before 61 are those of a calendar with a day that never was.
        first = 61 if dates.declared == "excel" else 0
        fits = f"regexp_full_match({text}, '[0-9]{{1,6}}([.][0-9]{{1,10}})?') and {number} >= {first}"
        moment = f"TIMESTAMP {quote(SERIALS[dates.declared])} + to_seconds(cast(round({number} * 86400, 0) as BIGINT))"
        return f"case when {fits} then {moment} end"
    directives = directives_of(dates.declared)
    if dates.year is not None and "%Y" not in directives and "%y" not in directives:
        directives, text = f"{directives}|%Y", f"({text} || '|{dates.year:04}')"
    patterns = _parts_of(directives)
    whole, read = "".join(patterns), text
    if "%y" in directives:
        parts = re.findall("%.|[^%]+", directives)
        place = parts.index("%y")
        groups = f"({''.join(patterns[:place])})({patterns[place]})({''.join(patterns[place + 1 :])})"
        with_century = rf"\1{dates.century:02}\2\3"
        read = f"regexp_replace({text}, {quote(f'^{groups}$')}, {quote(with_century)})"
        native = f"try_strptime({text}, {quote(directives)})"
        exact = f"try_strptime({read}, {quote(directives.replace('%y', '%Y'))})"
        # To write the century into a text costs as much as all else, and nearly always the engine takes the one that is meant.
        found = f"case when year({native}) // 100 = {dates.century} then {native} else {exact} end"
        return f"case when regexp_full_match({text}, {quote(whole)}) then {found} end"
    return f"case when regexp_full_match({text}, {quote(whole)}) then try_strptime({read}, {quote(directives)}) end"


def day(text: str, dates: Dates) -> str:
    """Return SQL for a date YYYY-MM-DD of text in a declared format; one that counts days must count whole ones."""
    if dates.declared in SERIALS:
        whole = f"regexp_replace({text}, '[.]0*$', '')"
        return _rewritten(text, dates, f"strftime({_moment(whole, dates)}, '%Y-%m-%d')", whole=f"not contains({whole}, '.')")
    return _rewritten(text, dates, f"strftime({_moment(text, dates)}, '%Y-%m-%d')")


def month(text: str, dates: Dates) -> str:
    """Return SQL for a month YYYY-MM of text in a declared format."""
    return _rewritten(text, dates, f"strftime({_moment(text, dates)}, '%Y-%m')")


def _rewritten(text: str, dates: Dates, shown: str, *, whole: str = "") -> str:
    read = f"case when {whole} then {shown} end" if whole else shown
    refused = _refused(text, f"not written as {dates.declared}", dates.hint)
    return f"case when {text} is not null then coalesce({read}, {refused}) end"


def timestamp(text: str, dates: Dates, timezone: str, repeated_hour: str) -> str:
    """Return SQL for an instant with offset of text in a declared format; a date alone is its midnight.

    Without an offset in the format, the text is the local time of ``timezone``. A local time that the clocks skipped is refused;
    one that they showed twice is the ``earlier`` or ``later`` of both, and refused if neither is declared.
    """
    declared = dates.declared
    if declared in EPOCHS:
        whole = f"regexp_full_match({text}, '[0-9]{{1,16}}')"
        moment = f"make_timestamp(cast({text} as BIGINT) * {EPOCHS[declared]})"
        return _rewritten(text, dates, f"case when {whole} then strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ') end")
    if declared not in SERIALS and "%z" in directives_of(declared):
        return _rewritten(text, dates, f"strftime({_moment(text, dates)}, '%Y-%m-%dT%H:%M:%S.%fZ')")
    zone = quote(timezone)
    local = _moment(text, dates)
    first, last = "list_min(moments)", "list_max(moments)"
    chosen = {"earlier": first, "later": last}.get(repeated_hour)
    twice = chosen and f"strftime(timezone('UTC', {chosen}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    # The offsets a day before and a day behind are the only ones that a local time can have around a change of clocks.
    before, behind = (f"timezone({zone}, l + interval {shift}) - interval {shift}" for shift in ("(-1) day", "1 day"))
    moments = f"list_distinct(list_filter([before, {behind}], lambda m: timezone({zone}, m) = l))"
    shown = "'%Y-%m-%dT%H:%M:%S.%fZ'"
    unclear = _refused(text, f'the clocks showed it twice; repeated_hour = "earlier" or "later" {WOULD}')
    # Lambdas name the parts: a subquery would be joined, and a join does not keep the order of rows.
    read = f"""list_transform([{local}], lambda l: list_transform([{before}], lambda before: case
        when l is null then null
        when before = {behind} and timezone({zone}, before) = l then strftime(timezone('UTC', before), {shown})
        else list_transform([{moments}], lambda moments: case
        when len(moments) = 0 then {_refused(text, "the clocks skipped it")}
        when len(moments) > 1 then {twice or unclear}
        else strftime(timezone('UTC', moments[1]), {shown}) end)[1] end)[1])[1]"""
    return f"case when {text} is not null then coalesce({read}, {_refused(text, f'not written as {declared}', dates.hint)}) end"


def _characters(text: str) -> str:
    """Return a pattern of one of some characters."""
    return "[" + "".join(re.escape(each) for each in text) + "]"


def _any_of(words: Sequence[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


_BLANKS = r"[ \x{a0}\x{202f}]*"


def _bare(text: str, style: Numbers) -> str:
    """Return SQL for a number without texts of its currency, its minus written as ``-``."""
    if style.currency:
        marks = _any_of(style.currency)
        text = f"regexp_replace({text}, {quote(f'^([-+(]?){_BLANKS}{marks}{_BLANKS}')}, {quote(chr(92) + '1')})"
        text = f"regexp_replace({text}, {quote(f'{_BLANKS}{marks}{_BLANKS}([-+)]?)$')}, {quote(chr(92) + '1')})"
    return f"translate({text}, {quote(style.minus)}, {quote('-' * len(style.minus))})" if style.minus else text


def number(text: str, style: Numbers) -> str:
    """Return SQL for a number with a decimal point of text in a declared style; the sign comes first."""
    if not (style.currency or style.minus or style.signs):
        return _zero_or(text, style, _unsigned(text, text, style, style.negative))

    def judged(bare: str) -> str:
        if not style.signs:
            return _unsigned(bare, text, style, style.negative)
        marks = [mark for mark in style.signs if mark]
        around = rf"(?i)^(?:({_any_of(marks)}){_BLANKS})?([^a-zA-Z]*?)(?:{_BLANKS}({_any_of(marks)}))?$"
        first, inner, last = (f"regexp_extract({bare}, {quote(around)}, {group})" for group in (1, 2, 3))
        value = _unsigned(inner, text, style, ())
        minus = ", ".join(quote(mark.upper()) for mark, sign in style.signs.items() if sign == "-") or "null"
        known = ", ".join(quote(mark.upper()) for mark in style.signs)
        mark = f"upper({first} || {last})"
        reason = f"no sign {'|'.join(mark or '(none)' for mark in style.signs)}"
        return (
            f"case when {mark} not in ({known}) then {_refused(text, reason, style.hint)}"
            f" when {mark} in ({minus}) then {negated(f'({value})')} else {value} end"
        )

    return _zero_or(text, style, once(_bare(text, style), judged))


def usual_number(text: str, style: Numbers | None, places: int, *, exactly: bool = False) -> list[tuple[str, str]]:
    """Return how numbers nearly always stand in a style: SQL that is true of such a text, and SQL for its number.

    Each is a number of at most ``places`` places, or of ``exactly`` so many, and reads as ``number`` reads it, which is much
    dearer. None where a style gives a text of digits another meaning.
    """
    fraction = f"[0-9]{{{places}}})" if exactly else f"[0-9]{{1,{places}}})?"
    if style is None:
        plain = "-?[0-9]{1,18}" + (f"([.]{fraction}" if places else "")
        return [(f"regexp_full_match({text}, {quote(plain)})", text)]
    odd = f"[0-9{re.escape(style.decimal + style.thousands)}]"
    if style.signs or any(re.search(odd, each) for each in (*style.zero, *style.currency)):
        return []
    point, mark = re.escape(style.decimal), _characters(style.thousands) if style.thousands else ""
    groups = "[0-9]{1,3}(%s[0-9]{3})+"
    if style.grouping == "indian":
        groups = "[0-9]{1,2}(%s[0-9]{2})*%s[0-9]{3}"
    whole = f"([0-9]{{1,18}}|{groups.replace('%s', mark)})" if mark else "[0-9]{1,18}"
    digits = whole + (f"({point}{fraction}" if places else "")
    leading = "-?" if "leading" in style.negative else ""

    def read(bare: str) -> str:
        for each in style.thousands:
            bare = f"replace({bare}, {quote(each)}, '')"
        return bare if style.decimal == "." else f"replace({bare}, {quote(style.decimal)}, '.')"

    found = [(f"regexp_full_match({text}, {quote(leading + digits)})", read(text))]
    if style.currency:
        marks = _any_of(style.currency)
        beside = f"{leading}{digits}{_BLANKS}{marks}|{marks}{_BLANKS}{leading}{digits}"
        inner = f"{leading}[0-9][0-9{re.escape(style.decimal + style.thousands)}]*"
        bare = f"regexp_extract({text}, {quote(inner)})"
        # A mark of the style may be the last character that the extract takes: only blanks of thousands can be.
        if not set(style.thousands) & set(" \u00a0\u202f"):
            found.append((f"regexp_full_match({text}, {quote(beside)})", read(bare)))
    if "trailing" in style.negative:
        found.append((f"regexp_full_match({text}, {quote(f'{digits}-')})", f"'-' || {read(f'left({text}, len({text}) - 1)')}"))
    return found


def opposite(plain: str) -> str:
    """Return SQL for the text of a usual number with the other sign."""
    return f"case when starts_with({plain}, '-') then substr({plain}, 2) else '-' || {plain} end"


def _zero_or(text: str, style: Numbers, value: str) -> str:
    zeros = f"when {text} in ({', '.join(map(quote, style.zero))}) then '0'" if style.zero else ""
    return f"case when {text} is null then null {zeros} else {value} end"


def _unsigned(text: str, came: str, style: Numbers, negative: Sequence[Sign]) -> str:
    """Return SQL for a number of bare text; the reason why it is none is told of the text as it came."""
    decimal, thousands = style.decimal, style.thousands
    point = re.escape(decimal)
    whole = "[0-9]+"
    if thousands:
        mark = _characters(thousands)
        groups = (
            f"[0-9]{{1,2}}({mark}[0-9]{{2}})*{mark}[0-9]{{3}}"
            if style.grouping == "indian"
            else f"[0-9]{{1,3}}({mark}[0-9]{{3}})+"
        )
        whole = f"([0-9]+|{groups})"
    digits = rf"({whole}({point}[0-9]*)?|{point}[0-9]+){_EXPONENT}"
    plain = f"translate({text}, {quote(thousands)}, '')" if thousands else text
    plain = f"replace({plain}, {quote(decimal)}, '.')" if decimal != "." else plain
    if "trailing" in negative:
        plain = rf"regexp_replace({plain}, '^(.*)([+-])$', '\2\1')"
    if "parentheses" in negative:
        plain = rf"regexp_replace({plain}, '^\((.*)\)$', '-\1')"
    forms = "|".join(_SIGNED[each].format(number=digits) for each in negative) or digits
    said = f"decimal '{decimal}'" + (f", thousands '{thousands}'" if thousands else "")
    return (
        f"case when regexp_full_match({text}, {quote(forms)}) then {plain}"
        f" else {_refused(came, f'not a number with {said}', style.hint)} end"
    )


_PLAIN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"


def _is_nothing(text: str) -> str:
    return f"(coalesce({text}, '0') in ('0', '') or regexp_full_match({text}, '[+-]?0*([.]0*)?'))"


AND = quote(" and ")


def difference(added: str, subtracted: str) -> str:
    """Return SQL for the text of a number that stands in one of two columns; a row that has both is refused."""
    pair = f"struct_pack(a := {added}, s := {subtracted})"
    return once(
        pair,
        lambda p: (
            f"case when {p}.a is null and {p}.s is null then null"
            f" when {_is_nothing(f'{p}.s')} then coalesce({p}.a, {p}.s) when {_is_nothing(f'{p}.a')} then {negated(f'{p}.s')}"
            f" else {told(f'{p}.a || {AND} || {p}.s', quote('both columns have an amount'))} end"
        ),
    )


def combined(texts: Sequence[str], how: Literal["sum", "max"]) -> str:
    """Return SQL for the text of the exact sum or the largest of some numbers; one that is none is told, empty ones are none."""
    each = f"list_filter([{', '.join(texts)}], lambda n: n is not null)"

    def judged(found: str) -> str:
        bad = f"list_filter({found}, lambda n: not regexp_full_match(n, {quote(EXACT)}))"
        numbers = f"list_transform({found}, lambda n: cast(n as DECIMAL(38,18)))"
        return (
            f"case when len({found}) = 0 then null when len({bad}) > 0 then {bad}[1] else {tidied(f'list_{how}({numbers})')} end"
        )

    return once(each, judged)


EXACT = r"[+-]?([0-9]{1,20}\.?[0-9]{0,18}|\.[0-9]{1,18})"
"""Numbers that can be added up without rounding."""


def multiplied(text: str, factor: str) -> str:
    """Return SQL for the text of a number times a factor, exactly; what is no number of at most 12 places stays as it is."""
    short = r"[+-]?([0-9]{1,12}\.?[0-9]{0,12}|\.[0-9]{1,12})"
    product = f"cast({{n}} as DECIMAL(24,12)) * cast({quote(factor)} as DECIMAL(14,6))"
    return once(
        without_exponent(text),
        lambda n: f"case when regexp_full_match({n}, {quote(short)}) then {tidied(product.format(n=n))} else {n} end",
    )


def tidied(number_sql: str) -> str:
    """Return SQL for the text of an exact number without zeros behind its last place."""
    return f"regexp_replace(regexp_replace(cast({number_sql} as VARCHAR), '([.][0-9]*?)0+$', '\\1'), '[.]$', '')"


def rounded(text: str, places: int) -> str:
    """Return SQL for the text of a number with some places, rounded half away from zero; what is no number stays as it is."""
    # The next digit alone decides, so that nothing is rounded twice.
    cut = rf"^([+-]?[0-9]*\.[0-9]{{{places + 1}}})[0-9]*$"
    return once(
        without_exponent(text),
        lambda n: (
            f"case when regexp_full_match({n}, {quote(_PLAIN)}) then coalesce(cast(round(try_cast("
            f"regexp_replace({n}, {quote(cut)}, {quote(chr(92) + '1')}) as DECIMAL(38,{places + 1})), {places}) as VARCHAR), {n})"
            f" else {n} end"
        ),
    )


def is_rounded(text: str, places: int) -> str:
    """Return SQL that is true where rounding changes a number."""
    return f"regexp_full_match({without_exponent(text)}, {quote(rf'[+-]?[0-9]*[.][0-9]{{{places}}}[0-9]*[1-9][0-9]*')})"


def negated(text: str) -> str:
    """Return SQL for the text of a number with the other sign; words that tell why there is none stay as they are."""
    return (
        f"case when not regexp_full_match({text}, {quote(f'{_PLAIN}{_EXPONENT}')}) then {text}"
        f" when {text} like '-%' then substr({text}, 2) when {text} like '+%' then '-' || substr({text}, 2)"
        f" else '-' || {text} end"
    )


def translated(text: str, values: dict[str, str]) -> str:
    """Return SQL for the value that stands for a text; one that no value stands for is refused."""
    pairs = ", ".join(f"{quote(theirs)}: {quote(ours)}" for theirs, ours in values.items())
    reason = f'the mapping has no value for it; values = {{ "..." = "..." }} {WOULD}'
    return f"coalesce(map {{{pairs}}}[{text}], {_refused(text, reason)})"


def cleaned(column: str, empty: tuple[str, ...]) -> str:
    """Return SQL for a foreign column's text, which has no white space around it; null if it stands for nothing."""
    text = name(column)
    if not empty:
        return text
    return f"(case when {text} not in ({', '.join(map(quote, empty))}) then {text} end)"
