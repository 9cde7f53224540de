"""Column mappings: a TOML file per foreign export that says which of its columns is which of ours, and how it writes values.

Belongs here: the file's declaration, and its refusal if it does not fit the contract. Does not belong here: converting files
(``conversion``), the styles of dates and numbers (``styles``), the meter format NEM12 (``nem12``).

    stream = "colocation"
    source = "erp_invoices"

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

A row keeps its number: what cannot be converted lands as it came with the reason behind it, and goes to quarantine.
"""

import codecs
import tomllib
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from revenue_integrity.errors import UsageError
from revenue_integrity.landing import nem12, styles
from revenue_integrity.model.source import Source, SourceColumn

NUMBERS = ("int", "dec", "money")
"""Kinds of columns whose texts are numbers."""

_DATES = ("date", "month", "ts")

Mark = Annotated[str, Field(min_length=1, max_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileStyle(_Strict):
    """How the foreign file is written.

    Attributes:
        format: csv, or nem12 (interval meter data).
        delimiter: what separates fields.
        quote: what encloses fields that hold a delimiter.
        encoding: name of the character encoding.
        skip: lines before the header.
        decimal: decimal mark of numbers.
        thousands: mark between groups of three digits; none if empty.
        negative: where the sign of a negative number stands.
        date: format of dates (and of service months that are written as dates).
        month: format of service months.
        timestamp: format of instants.
        timezone: IANA time zone of instants without offset.
        repeated_hour: which of both is meant by a local time that the clocks showed twice; refused if none is declared.
        empty: texts that mean that there is no value.
    """

    format: Literal["csv", "nem12"] = "csv"
    delimiter: Mark = ","
    quote: Mark = '"'
    encoding: str = "utf-8"
    skip: Annotated[int, Field(ge=0)] = 0
    decimal: Mark | None = None
    thousands: Annotated[str, Field(max_length=1)] = ""
    negative: Literal["leading", "trailing", "parentheses"] = "leading"
    date: str = ""
    month: str = ""
    timestamp: str = ""
    timezone: str = ""
    repeated_hour: Literal["", "earlier", "later"] = ""
    empty: tuple[str, ...] = ()


class ColumnRule(_Strict):
    """Where a column of the contract comes from; what is not said is as the file's style says.

    Attributes:
        origin: the foreign column (``from`` in the file).
        format: format of a date, month or instant.
        decimal, thousands, negative: style of a number.
        timezone, repeated_hour: of an instant without offset.
        meanings: our value for each of theirs (``values`` in the file); a value that is not among them is refused.
        empty: texts that mean that there is no value, beside the file's.
        negate_when: foreign columns and their values in rows where a number changes its sign.
    """

    origin: str = Field(alias="from", min_length=1)
    format: str | None = None
    decimal: Mark | None = None
    thousands: Annotated[str, Field(max_length=1)] | None = None
    negative: Literal["leading", "trailing", "parentheses"] | None = None
    timezone: str | None = None
    repeated_hour: Literal["earlier", "later"] | None = None
    meanings: dict[str, str] = Field({}, alias="values")
    empty: tuple[str, ...] = ()
    negate_when: dict[str, tuple[str, ...]] = {}


class _MappingFile(_Strict):
    stream: str
    source: str
    file: FileStyle = FileStyle()
    columns: dict[str, str | ColumnRule]
    fixed: dict[str, str] = {}
    keep: dict[str, tuple[str, ...]] = {}
    drop: dict[str, tuple[str, ...]] = {}


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
    """

    path: Path
    source: Source
    style: FileStyle
    columns: dict[str, ColumnRule]
    fixed: dict[str, str]
    keep: dict[str, tuple[str, ...]]
    drop: dict[str, tuple[str, ...]]

    @property
    def origins(self) -> tuple[str, ...]:
        """The foreign columns that it reads, in order, each once."""
        used = [rule.origin for rule in self.columns.values()]
        used += [column for rule in self.columns.values() for column in rule.negate_when]
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
    try:
        declared = _MappingFile.model_validate(text)
    except ValidationError as error:
        raise UsageError(f"the mapping {path}: {'; '.join(dict.fromkeys(_problems(error)))}", "Correct the file") from error
    try:
        source = find_source(declared.stream, declared.source)
    except UsageError as error:
        raise UsageError(f"the mapping {path}: {error.reason}", error.next_step) from error
    rules = {
        column: ColumnRule.model_validate({"from": rule}) if isinstance(rule, str) else rule
        for column, rule in declared.columns.items()
    }
    mapping = Mapping(path, source, declared.file, rules, declared.fixed, declared.keep, declared.drop)
    if problems := [*_file_problems(mapping), *_column_problems(mapping)]:
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
        key = ".".join(part for part in parts if part != "ColumnRule")
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
    if style.decimal and style.decimal == style.thousands:
        yield f"file.decimal and file.thousands are both '{style.decimal}'"
    if style.thousands and not style.decimal:
        yield "file.thousands needs file.decimal"
    if style.timezone and style.timezone not in zoneinfo.available_timezones():
        yield f"file.timezone = '{style.timezone}' is no IANA time zone"
    for key, kind in (("date", "date"), ("month", "month"), ("timestamp", "ts")):
        if declared := getattr(style, key):
            yield from _format_problem(f"file.{key}", declared, kind)
    if style.format == "nem12":
        for column in mapping.origins:
            if column not in nem12.COLUMNS:
                yield f"'{column}' is no column of a NEM12 file ({', '.join(nem12.COLUMNS)})"


def _format_problem(key: str, declared: str, kind: str) -> Iterator[str]:
    try:
        styles.check_directives(styles.directives_of(declared), kind)
    except ValueError as error:
        yield f"{key} = '{declared}': {error}"


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
        if column.required and column.default is None and column.name not in {*mapping.columns, *mapping.fixed}:
            yield f"the required column {column.name} stands neither in columns nor in fixed"
    for key, value in mapping.fixed.items():
        allowed = modelled[key].values if key in modelled else ()
        if allowed and value not in allowed:
            yield f"fixed.{key} = '{value}' is none of {'|'.join(allowed)}"
    for key, rule in mapping.columns.items():
        if key in modelled:
            yield from _rule_problems(f"columns.{key}", rule, modelled[key], mapping.style)


def _rule_problems(key: str, rule: ColumnRule, column: SourceColumn, style: FileStyle) -> Iterator[str]:
    if column.kind not in _DATES and rule.format is not None:
        yield f"{key}.format is for dates, and {column.name} is none"
    elif rule.format is not None:
        yield from _format_problem(f"{key}.format", rule.format, column.kind)
    if column.kind not in NUMBERS and (rule.decimal or rule.thousands or rule.negative or rule.negate_when):
        yield f"{key}: decimal, thousands, negative and negate_when are for numbers, and {column.name} is none"
    decimal, thousands = rule.decimal or style.decimal, style.thousands if rule.thousands is None else rule.thousands
    if thousands and thousands == decimal:
        yield f"{key}: decimal and thousands are both '{decimal}'"
    if thousands and not decimal:
        yield f"{key}.thousands needs a decimal mark"
    if rule.timezone and rule.timezone not in zoneinfo.available_timezones():
        yield f"{key}.timezone = '{rule.timezone}' is no IANA time zone"
    if column.kind == "ts":
        declared = rule.format if rule.format is not None else style.timestamp
        if declared and "%z" not in declared and not (rule.timezone or style.timezone):
            yield f"{key}: a format without offset needs a timezone"
    elif rule.timezone or rule.repeated_hour:
        yield f"{key}: timezone and repeated_hour are for instants, and {column.name} is none"
    if column.kind == "enum":
        for theirs, ours in rule.meanings.items():
            if ours not in column.values:
                yield f"{key}.values.{theirs} = '{ours}' is none of {'|'.join(column.values)}"
