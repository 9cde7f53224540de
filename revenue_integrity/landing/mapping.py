"""Column mappings: a TOML file per foreign export that says which of its columns is which of ours, and how it writes values.

Belongs here: the file's declaration, and its refusal if it does not fit the contract. Does not belong here: converting files
(``conversion``), the styles of dates and numbers (``styles``), the meter format NEM12 (``nem12``).

    stream = "boats"
    source = "rentals"

    [file]                              # how the file is written; all optional
    format = "csv"                      # or nem12
    delimiter = ";"
    encoding = "windows-1252"
    decimal = ","
    thousands = "."
    date = "DD.MM.YYYY"

    [columns]                           # ours = theirs
    document_id = "Belegnr"
    document_type = { from = "Belegart", values = { RE = "invoice", GU = "credit_memo" } }
    amount = { from = "Betrag", negate_when = { Belegart = ["GU"] } }

    [fixed]                             # ours = the same value in every row
    currency = "USD"

    [keep]                              # only rows whose column has one of these values; [drop] is its opposite
    Status = ["posted"]

A row keeps its number, unless ``[spread]`` splits rows by months or ``[group]`` puts some together: what cannot be converted
lands as it came with the reason behind it, and goes to quarantine. All keys: docs/mappings.md.
"""

import codecs
import re
import tomllib
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from revenue_integrity.errors import UsageError
from revenue_integrity.landing import nem12, styles
from revenue_integrity.landing.styles import Dates, Numbers, Sign
from revenue_integrity.model.source import Source, SourceColumn

NUMBERS = ("int", "dec", "money")
"""Kinds of columns whose texts are numbers."""

_NUMBER_KEYS = ("thousands", "grouping", "negative", "minus", "zero", "currency", "signs")

DATES = ("date", "month", "ts")
"""Kinds of columns whose texts are days, months or instants."""

Mark = Annotated[str, Field(min_length=1, max_length=1)]


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _exact(value: object) -> object:
    if not isinstance(value, (str, int)) or not re.fullmatch(r"-?[0-9]{1,8}([.][0-9]{1,6})?", str(value)):
        raise ValueError('is no factor of at most 6 places, written as text (times = "0.001")')
    return str(value)


Negative = Annotated[tuple[Sign, ...], BeforeValidator(_several), Field(min_length=1)]
Origins = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several)]
Factor = Annotated[str, BeforeValidator(_exact)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileStyle(_Strict):
    """How the foreign file is written.

    Attributes:
        format: csv, nem12 (interval meter data) or xlsx (a workbook).
        sheet: the sheet of a workbook; may be left out where there is one.
        delimiter: what separates fields.
        quote: what encloses fields that hold a delimiter.
        encoding: name of the character encoding.
        skip: lines (of a workbook: rows) before the header.
        decimal: decimal mark of numbers.
        thousands: characters that may stand between groups of digits; none if empty.
        grouping: groups of three digits, or ``indian``.
        negative: where the sign of a negative number may stand: one place or several.
        minus: characters that stand for the minus sign beside ``-``.
        zero: texts that stand for 0.
        currency: texts beside a number that say its currency and nothing more.
        signs: marks beside a number, and the sign (``+`` or ``-``) that each gives it; ``""`` is a number without a mark.
        date: format of dates (and of service months that are written as dates).
        month: format of service months.
        timestamp: format of instants.
        century: the first two digits of a year that is written with its last two.
        year: the year of dates that are written without one.
        timezone: IANA time zone of instants without offset.
        repeated_hour: which of both is meant by a local time that the clocks showed twice; refused if none is declared.
        empty: texts that mean that there is no value.
    """

    format: Literal["csv", "nem12", "xlsx"] = "csv"
    sheet: str = ""
    delimiter: Mark = ","
    quote: Mark = '"'
    encoding: str = "utf-8"
    skip: Annotated[int, Field(ge=0)] = 0
    decimal: Mark | None = None
    thousands: Annotated[str, Field(max_length=8)] = ""
    grouping: Literal["", "three", "indian"] = ""
    negative: Negative = ("leading",)
    minus: Annotated[str, Field(max_length=8)] = ""
    zero: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()
    signs: dict[str, Literal["+", "-"]] = {}
    date: str = ""
    month: str = ""
    timestamp: str = ""
    century: Annotated[int, Field(ge=0, le=99)] | None = None
    year: Annotated[int, Field(ge=1, le=9999)] | None = None
    timezone: str = ""
    repeated_hour: Literal["", "earlier", "later"] = ""
    empty: tuple[str, ...] = ()


class ColumnReading(_Strict):
    """Where a column of the contract comes from; what is not said is as the file's style says.

    One of ``from``, ``add`` and ``subtract``, ``sum_of``, ``max_of`` says where.

    Attributes:
        origins: the foreign column (``from`` in the file), or several that are put together.
        separator: what stands between several.
        add, subtract: for a number in two columns (credit and debit): that which counts as it is, and that which changes its
            sign; one of both is empty or 0 in each row.
        sum_of, max_of: for a number: the foreign columns that are added up, or whose largest counts.
        extract: a regular expression; its first group is the text that counts.
        format: format of a date, month or instant.
        century, year: of a date that is written with a year of two digits, or with none.
        decimal, thousands, grouping, negative, minus, zero, currency, signs: style of a number.
        times: factor of a number.
        round: decimal places to which a number is rounded, half away from zero; counted and shown.
        timezone, repeated_hour: of an instant without offset.
        meanings: our value for each of theirs (``values`` in the file); a value that is not among them is refused.
        empty: texts that mean that there is no value, beside the file's.
        default: our value where there is none.
        negate_when: foreign columns and their values in rows where a number changes its sign.
    """

    origins: Origins = Field((), alias="from")
    separator: str = "-"
    add: str = ""
    subtract: str = ""
    sum_of: tuple[str, ...] = ()
    max_of: tuple[str, ...] = ()
    extract: str = ""
    format: str | None = None
    century: Annotated[int, Field(ge=0, le=99)] | None = None
    year: Annotated[int, Field(ge=1, le=9999)] | None = None
    decimal: Mark | None = None
    thousands: Annotated[str, Field(max_length=8)] | None = None
    grouping: Literal["three", "indian"] | None = None
    negative: Negative | None = None
    minus: Annotated[str, Field(max_length=8)] | None = None
    zero: tuple[str, ...] | None = None
    currency: tuple[str, ...] | None = None
    signs: dict[str, Literal["+", "-"]] | None = None
    times: Factor | None = None
    round: Annotated[int, Field(ge=0, le=18)] | None = None
    timezone: str | None = None
    repeated_hour: Literal["earlier", "later"] | None = None
    meanings: dict[str, str] = Field({}, alias="values")
    empty: tuple[str, ...] = ()
    default: str | None = None
    negate_when: dict[str, tuple[str, ...]] = {}

    @property
    def used(self) -> tuple[str, ...]:
        """The foreign columns that it reads."""
        pair = [column for column in (self.add, self.subtract) if column]
        return (*self.origins, *pair, *self.sum_of, *self.max_of, *self.negate_when)

    @property
    def origin(self) -> str:
        """Its foreign columns, for a sentence."""
        return " + ".join(self.origins)

    def numbers(self, style: FileStyle) -> Numbers | None:
        """Return how its numbers are written; none where they are written as the contract wants them."""
        decimal = self.decimal or style.decimal
        if not decimal:
            return None
        said = {
            key: getattr(style, key) if getattr(self, key) is None else getattr(self, key)
            for key in ("thousands", "grouping", "negative", "minus", "zero", "currency", "signs")
        }
        return Numbers(decimal, **said)

    def dates(self, style: FileStyle, kind: str) -> Dates | None:
        """Return how its dates are written; none where they are written as the contract wants them."""
        of_file = {"date": style.date, "month": style.month or style.date, "ts": style.timestamp}.get(kind, "")
        declared = of_file if self.format is None else self.format
        century = style.century if self.century is None else self.century
        return Dates(declared, century, self.year or style.year) if declared else None


class Spread(_Strict):
    """Rows of a period of service, each of which becomes one for each month of it; amounts are split by days.

    Attributes:
        begin, end: the foreign columns of the first and the last day (``from`` and ``to`` in the file).
        format, century, year: how both are written.
        to_is: whether the last day belongs to the period, or is the first one behind it.
        columns: our columns that are split, by the largest remainder.
        totals: for each of our columns that is a sum: the columns that it is the sum of.
        number: a whole number of ours that tells the parts of a row apart: it becomes its hundredfold and the place of the part.
    """

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    format: str = ""
    century: Annotated[int, Field(ge=0, le=99)] | None = None
    year: Annotated[int, Field(ge=1, le=9999)] | None = None
    to_is: Literal["inclusive", "exclusive"] = "inclusive"
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    totals: dict[str, tuple[str, ...]] = {}
    number: str = ""

    def dates(self, style: FileStyle) -> Dates | None:
        """Return how its days are written; none where it is YYYY-MM-DD."""
        declared = self.format or style.date
        century = style.century if self.century is None else self.century
        return Dates(declared, century, self.year or style.year) if declared else None


class Group(_Strict):
    """Rows that become one: all with the same values of some of our columns.

    Attributes:
        by: our columns that name a group.
        sum, max, min: our columns that are added up, or whose largest or smallest counts (of dates the last, the first). What is
            in none of them must be the same in all rows of a group; texts and identifiers that differ are put together.
        count: rows that a group must have, if that is known; others are refused.
    """

    by: Annotated[tuple[str, ...], Field(min_length=1)]
    sum: tuple[str, ...] = ()
    max: tuple[str, ...] = ()
    min: tuple[str, ...] = ()
    count: tuple[int, ...] = ()

    @property
    def combined(self) -> tuple[str, ...]:
        """Our columns that are numbers made of those of all rows."""
        return (*self.sum, *self.max, *self.min)


_PLAIN = {key: FileStyle.model_fields[key].default for key in _NUMBER_KEYS}
"""What a style of numbers says where nothing is said."""


class _MappingFile(_Strict):
    stream: str
    source: str
    file: FileStyle = FileStyle()
    columns: dict[str, str | ColumnReading]
    fixed: dict[str, str] = {}
    keep: dict[str, tuple[str, ...]] = {}
    drop: dict[str, tuple[str, ...]] = {}
    spread: Spread | None = None
    group: Group | None = None


@dataclass(frozen=True)
class Mapping:
    """A mapping that fits its contract.

    Attributes:
        path: the file that declares it.
        source: the source that it is for.
        style: how the foreign file is written.
        columns: for each column of the contract that comes from the file, where from and how.
        fixed: the columns that have one value in all rows.
        keep: foreign columns and the values that a row must have there.
        drop: foreign columns and the values that it must not have there.
        spread: how rows of a period of service are split by months.
        group: which rows become one.
    """

    path: Path
    source: Source
    style: FileStyle
    columns: dict[str, ColumnReading]
    fixed: dict[str, str]
    keep: dict[str, tuple[str, ...]]
    drop: dict[str, tuple[str, ...]]
    spread: Spread | None = None
    group: Group | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        """The foreign columns that it reads, in order, each once."""
        used = [column for rule in self.columns.values() for column in rule.used]
        used += [self.spread.begin, self.spread.end] if self.spread else []
        return tuple(dict.fromkeys([*used, *self.keep, *self.drop]))


def load_mapping(path: Path, find_source: Callable[[str, str], Source]) -> Mapping:
    """Read a mapping and hold it against the contract of its source.

    Args:
        path: the TOML file.
        find_source: returns the source of a stream's and a source's name, or raises ``UsageError``.

    Raises:
        UsageError: it cannot be read, or a key of it cannot be meant; the message names file and key.
    """
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the mapping {path} cannot be read: {error}", "Name a mapping file") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the mapping {path} is no TOML: {error}", "Correct the file") from error
    except RecursionError as error:
        raise UsageError(f"the mapping {path} is nested too deeply", "Correct the file") from error
    try:
        declared = _MappingFile.model_validate(text)
    except ValidationError as error:
        raise UsageError(f"the mapping {path}: {'; '.join(dict.fromkeys(_problems(error)))}", "Correct the file") from error
    try:
        source = find_source(declared.stream, declared.source)
    except UsageError as error:
        raise UsageError(f"the mapping {path}: {error.reason}", error.next_step) from error
    if unnamed := [column for column, rule in declared.columns.items() if rule == ""]:
        raise UsageError(f"the mapping {path}: columns.{unnamed[0]} is empty", "Name the file's column, or leave the line out")
    rules = {
        column: ColumnReading.model_validate({"from": rule}) if isinstance(rule, str) else rule
        for column, rule in declared.columns.items()
    }
    mapping = Mapping(
        path, source, declared.file, rules, declared.fixed, declared.keep, declared.drop, declared.spread, declared.group
    )
    if problems := [*_file_problems(mapping), *_column_problems(mapping), *_row_problems(mapping)]:
        raise UsageError(f"the mapping {path}: {'; '.join(problems)}", "Correct the file")
    return mapping


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        # A column is text or a table: pydantic tells what is wrong with it as either; only the table's part is of use.
        parts = [str(part) for part in problem["loc"]]
        if parts[-1:] == ["str"] and parts[0] == "columns":
            if not isinstance(problem["input"], dict):
                yield f'{".".join(parts[:-1])} is neither a column name nor a table such as {{ from = "Name" }}'
            continue
        key = ".".join(part for part in parts if part != "ColumnReading")
        if problem["type"] == "extra_forbidden":
            yield f"there is no key '{key}'"
        elif problem["type"] == "missing":
            yield f"the key '{key}' is missing"
        elif problem["type"] != "model_type":
            yield f"{key} = {problem['input']!r}: {problem['msg']}"


def _file_problems(mapping: Mapping) -> Iterator[str]:
    style = mapping.style
    try:
        codecs.lookup(style.encoding)
        # Some of Python's codecs turn bytes into bytes; they are no character encodings.
        "".encode(style.encoding)
    except (LookupError, TypeError):
        yield f"file.encoding = '{style.encoding}' is no character encoding (for example utf-8, windows-1252)"
    if style.delimiter in ('"', "\n", "\r") or style.delimiter == style.quote:
        yield f"file.delimiter = {style.delimiter!r} cannot separate fields"
    yield from _number_problems("file.", ColumnReading.model_validate({"from": "-"}), style)
    if style.sheet and style.format != "xlsx":
        yield 'file.sheet needs file.format = "xlsx"'
    if style.timezone and style.timezone not in zoneinfo.available_timezones():
        yield f"file.timezone = '{style.timezone}' is no IANA time zone"
    for key, kind in (("date", "date"), ("month", "month"), ("timestamp", "ts")):
        if declared := getattr(style, key):
            yield from _format_problem(f"file.{key}", Dates(declared, style.century, style.year), kind)
    if style.format == "nem12":
        for column in mapping.origins:
            if column not in nem12.COLUMNS:
                yield f"'{column}' is no column of a NEM12 file ({', '.join(nem12.COLUMNS)})"


def _format_problem(key: str, dates: Dates, kind: str) -> Iterator[str]:
    try:
        styles.check_dates(dates, kind)
    except ValueError as error:
        yield f"{key} = '{dates.declared}': {error}"


def _number_problems(key: str, rule: ColumnReading, style: FileStyle) -> Iterator[str]:
    """Tell what is wrong with the style of numbers of a column, or of a file if the column says nothing of its own."""
    numbers = rule.numbers(style)
    if numbers is None:
        styled = [
            name for name in _NUMBER_KEYS if getattr(rule, name) or (key == "file." and getattr(style, name) != _PLAIN[name])
        ]
        if styled:
            yield f'{key}{", ".join(styled)} needs a decimal mark (decimal = ".")'
        return
    if numbers.decimal in numbers.thousands:
        yield f"{key}decimal and thousands are both '{numbers.decimal}'"
    if set(numbers.minus) & {*numbers.thousands, numbers.decimal}:
        yield f"{key}minus has a character of {key}decimal or {key}thousands"
    if numbers.grouping and not numbers.thousands:
        yield f"{key}grouping needs {key}thousands"


def _column_problems(mapping: Mapping) -> Iterator[str]:
    source = mapping.source
    modelled = {column.name: column for column in source.columns}
    for section, keys in (("columns", mapping.columns), ("fixed", mapping.fixed)):
        for key in keys:
            if key not in modelled:
                yield f"{section}.{key} is no column of {source.stream} {source.name} ({', '.join(modelled)})"
    for key in sorted(set(mapping.columns) & set(mapping.fixed)):
        yield f"{key} stands in columns and in fixed"
    for column in source.columns:
        given = {*mapping.columns, *mapping.fixed, *([month_of(source)] if mapping.spread else [])}
        if column.required and column.default is None and column.name not in given:
            yield f"the required column {column.name} stands neither in columns nor in fixed"
    for key, value in mapping.fixed.items():
        allowed = modelled[key].values if key in modelled else ()
        if allowed and value not in allowed:
            yield f"fixed.{key} = '{value}' is none of {'|'.join(allowed)}"
    for key, rule in mapping.columns.items():
        if key in modelled:
            yield from _rule_problems(f"columns.{key}", rule, modelled[key], mapping.style)


def _row_problems(mapping: Mapping) -> Iterator[str]:
    """Tell what is wrong with that which makes one row of several, or several of one."""
    kinds = {column.name: column.kind for column in mapping.source.columns}
    mapped = {*mapping.columns, *mapping.fixed}
    if spread := mapping.spread:
        month = next((column.name for column in mapping.source.columns if column.kind == "month"), "")
        if not month:
            yield f"spread: {mapping.source.stream} {mapping.source.name} has no service month"
        elif month in mapped:
            yield f"{month} stands in columns or fixed, and spread gives it"
        parts = [part for total in spread.totals.values() for part in total]
        for column in (*spread.columns, *spread.totals, *parts, *([spread.number] if spread.number else [])):
            if column not in mapped or kinds.get(column) not in NUMBERS:
                yield f"spread: {column} is no number that the mapping fills"
        if spread.number and kinds.get(spread.number) != "int":
            yield f"spread.number = '{spread.number}' is no whole number"
        if apart := sorted(set(parts) - set(spread.columns)):
            yield f"spread.totals: {', '.join(apart)} does not stand in spread.columns"
        if dates := spread.dates(mapping.style):
            yield from _format_problem("spread.format", dates, "date")
    if group := mapping.group:
        given = mapped | ({month_of(mapping.source)} if mapping.spread else set())
        for column in (*group.by, *group.combined):
            if column not in given:
                yield f"group: {column} is no column that the mapping fills"
        for column in group.combined:
            if kinds.get(column) not in NUMBERS and (column in group.sum or kinds.get(column) not in DATES):
                yield f"group: {column} is no number"
            if column in group.by:
                yield f"group: {column} stands in by, and cannot be combined"


def month_of(source: Source) -> str:
    """Return the column of the service month, or an empty text."""
    return next((column.name for column in source.columns if column.kind == "month"), "")


def _rule_problems(key: str, rule: ColumnReading, column: SourceColumn, style: FileStyle) -> Iterator[str]:
    ways = [bool(rule.origins), bool(rule.add or rule.subtract), bool(rule.sum_of), bool(rule.max_of)]
    if sum(ways) != 1:
        yield f"{key} needs one of from, add and subtract, sum_of, max_of"
    is_number = column.kind in NUMBERS
    dated = [name for name in ("format", "century", "year") if getattr(rule, name) is not None]
    if column.kind not in DATES and dated:
        yield f"{key}.{dated[0]} is for dates, and {column.name} is none"
    elif column.kind in DATES and (dates := rule.dates(style, column.kind)):
        yield from _format_problem(f"{key}.format", dates, column.kind)
    numeric = ("decimal", *_NUMBER_KEYS, "times", "round", "negate_when", "add", "subtract", "sum_of", "max_of")
    said = [name for name in numeric if getattr(rule, name) not in (None, "", (), {})]
    if not is_number and said:
        yield f"{key}: {', '.join(said)}: for numbers, and {column.name} is none"
    if is_number:
        yield from _number_problems(f"{key}.", rule, style)
    if rule.extract:
        try:
            if re.compile(rule.extract).groups != 1:
                yield f"{key}.extract needs one group in parentheses"
        except re.error as error:
            yield f"{key}.extract is no regular expression ({error})"
    if rule.timezone and rule.timezone not in zoneinfo.available_timezones():
        yield f"{key}.timezone = '{rule.timezone}' is no IANA time zone"
    if column.kind == "ts":
        declared = rule.format if rule.format is not None else style.timestamp
        if declared and "%z" not in declared and declared not in styles.EPOCHS and not (rule.timezone or style.timezone):
            yield f"{key}: a format without offset needs a timezone"
    elif rule.timezone or rule.repeated_hour:
        yield f"{key}: timezone and repeated_hour are for instants, and {column.name} is none"
    if column.kind == "enum":
        for theirs, ours in rule.meanings.items():
            if ours not in column.values:
                yield f"{key}.values.{theirs} = '{ours}' is none of {'|'.join(column.values)}"
