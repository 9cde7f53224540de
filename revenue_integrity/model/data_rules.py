"""What a deployment demands of the columns of its sources, as SQL and as words (setting ``data_rules``).

Belongs here: which rows break a rule, and the reason that they are refused with. Does not belong here: the setting itself
(``settings``), judging rows (``landing``), the checks of rules that only warn (``close.deployment_checks``).

A rule is over the typed value: bounds and allowed values are read as the column's own, so that ``c 0042`` is ``C-0042``. An empty
field breaks none but ``required``.
"""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from revenue_integrity.errors import SettingsError
from revenue_integrity.settings import DataRule, Settings

if TYPE_CHECKING:
    from revenue_integrity.model.source import Source, SourceColumn

_NUMBERS = ("int", "dec", "money", "share")
_ORDERED = (*_NUMBERS, "date", "month", "ts")
_SHOWN = 60
"""Characters of an offending value that a reason repeats."""


def rules_of(source: "Source", settings: Settings) -> tuple[DataRule, ...]:
    """Return the rules of a deployment for a source, in their order."""
    return settings.data_rules.get(f"{source.stream}.{source.name}", ())


def column_of(source: "Source", rule: DataRule) -> "SourceColumn":
    """Return the column that a rule is about; raise ``SettingsError`` with the columns that there are."""
    wanted = rule.column.strip().lower()
    for column in source.columns:
        if wanted in (column.name, column.stored) and column.is_in_files:
            return column
    there = ", ".join(dict.fromkeys(column.name for column in source.columns if column.is_in_files))
    raise _refusal(source, rule, f"there is no column {rule.column}; there are {there}")


def bad_of(source: "Source", rule: DataRule) -> str:
    """Return SQL over the stored columns that is true of a row which breaks a rule, and null or false of any other.

    Raises:
        SettingsError: the rule does not fit its column.
    """
    return " or ".join(f"({bad})" for bad, _ in _parts(source, rule))


def reason_of(source: "Source", rule: DataRule) -> str:
    """Return SQL for the reason that a row which breaks a rule is refused with.

    Raises:
        SettingsError: the rule does not fit its column.
    """
    cases = " ".join(f"when {bad} then {words}" for bad, words in _parts(source, rule))
    return f"(case {cases} end) || {_quoted(f' ({marker(rule)}{rule.because})')}"


def marker(rule: DataRule) -> str:
    """Return what stands in every reason of a rule, and in no other: rows are counted by it."""
    return f"rule {rule.name}: "


def words_of(rule: DataRule) -> str:
    """Return what a rule demands, for people."""
    said = [
        "has a value" if rule.required else "",
        f"at least {rule.min}" if rule.min else "",
        f"at most {rule.max}" if rule.max else "",
        f"one of {'|'.join(rule.among)}" if rule.among else "",
        f"matches {rule.pattern}" if rule.pattern is not None else "",
    ]
    return "; ".join(each for each in said if each)


def _parts(source: "Source", rule: DataRule) -> list[tuple[str, str]]:
    """Return the conditions that a rule is made of, each as SQL that is true where it is broken and SQL of the words."""
    column = column_of(source, rule)
    value = column.stored
    shown = f"left({_text_of(column, value)}, {_SHOWN})"
    found: list[tuple[str, str]] = []
    if rule.required:
        found.append((f"{value} is null", _quoted(f"{column.name} has no value")))
    for bound, sign, words in ((rule.min, "<", "below"), (rule.max, ">", "above")):
        if bound is None:
            continue
        if column.kind not in _ORDERED:
            raise _refusal(source, rule, f"{column.name} has no order, and min and max are for numbers, dates and instants")
        literal = _literal(source, rule, column, bound)
        found.append((f"{value} {sign} {literal}", f"'{column.name} ' || {shown} || {_quoted(f' is {words} {bound}')}"))
    if rule.among:
        literals = ", ".join(_literal(source, rule, column, each) for each in rule.among)
        words = f"'{column.name} ''' || {shown} || ''' ' || {_quoted(f'is none of {chr(124).join(rule.among)}')}"
        found.append((f"{value} not in ({literals})", words))
    if rule.pattern is not None:
        # An expression that the engine does not know would end the reading of every file.
        if problem := _unknown_to_engine(rule.pattern):
            raise _refusal(source, rule, f"pattern {rule.pattern} is none that the engine knows: {problem}")
        matches = f"regexp_full_match({_text_of(column, value)}, {_quoted(rule.pattern)})"
        found.append((f"not {matches}", f"'{column.name} ''' || {shown} || ''' ' || {_quoted(f'does not match {rule.pattern}')}"))
    return found


def _unknown_to_engine(pattern: str) -> str:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        # The engine's expressions are those of the same library.
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        return str(error).splitlines()[0]
    return ""


def _text_of(column: "SourceColumn", value: str) -> str:
    """Return SQL for a stored value as files write it."""
    if column.kind == "money":
        return f"({value}::decimal(20, 0) * 0.01)::varchar"
    return f"strftime({value}, '%Y-%m')" if column.kind == "month" else f"{value}::varchar"


def _literal(source: "Source", rule: DataRule, column: "SourceColumn", text: str) -> str:
    """Return the SQL literal of a value in the settings, typed as the column is."""
    text = text.strip()
    try:
        if column.kind in _NUMBERS:
            number = Decimal(text) * (100 if column.kind == "money" else 1)
            if not number.is_finite():
                raise ValueError(text)
            return f"{number:f}"
        if column.kind == "date":
            return f"date '{date.fromisoformat(text)}'"
        if column.kind == "month":
            return f"date '{date.fromisoformat(f'{text}-01')}'"
        if column.kind == "ts":
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is None:
                raise ValueError(text)
            return f"timestamptz '{instant.isoformat()}'"
        if column.kind == "bool":
            return {"true": "true", "false": "false"}[text.lower()]
    except (ValueError, InvalidOperation, KeyError) as error:
        raise _refusal(source, rule, f"{text} is no value of {column.name} ({column.kind})") from error
    if column.kind == "id":
        return _quoted(re.sub(r"[\s_]+", "-", text).upper())
    if column.kind == "currency":
        return _quoted(text.upper())
    return _quoted(text.lower() if column.kind == "enum" or column.caseless else text)


def _quoted(text: str) -> str:
    # A dollar in a text is no parameter of a query.
    return "('" + text.replace("'", "''").replace("$", "' || chr(36) || '") + "')"


def _refusal(source: "Source", rule: DataRule, problem: str) -> SettingsError:
    return SettingsError(f"data_rules, {source.stream}.{source.name}, {rule.name}: {problem}", "Correct the setting data_rules")
