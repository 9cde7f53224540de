"""Converting foreign files by a column mapping into files that ``zone.land`` takes.

Belongs here: reading foreign files, writing converted ones, showing how a sample would land. Does not belong here: what a
mapping may say (``mapping``), the landing itself (``zone``).

A row keeps its number: what cannot be converted lands as it came with the reason behind it, and goes to quarantine.
"""

import codecs
import csv
import gzip
import io
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb.sqltypes import VARCHAR

from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.landing import doubts, hints, nem12, shaping, styles
from revenue_integrity.landing.containers import ContainerError, opened, rows_of_sheet
from revenue_integrity.landing.mapping import DATES, NUMBERS, ColumnReading, FileStyle, Mapping
from revenue_integrity.landing.reading.inspection import inspect
from revenue_integrity.landing.reading.staging import Stager
from revenue_integrity.landing.styles import Numbers
from revenue_integrity.landing.values import SPACE, fits, name, path_literal, places_of, quote, stripped, told, with_words
from revenue_integrity.landing.zone import Landed, land
from revenue_integrity.model.source import Source, SourceColumn
from revenue_integrity.settings import Settings

PROBLEM = "mapping_problem"
"""The column that a converted file has beside the contract's where a row could not be taken apart: why, and the row."""

_CHUNK = 1 << 20
_ROWS = 1 << 15
_SHOWN = 10
_MEMORY = "1GB"
"""Memory of a conversion; what exceeds it goes to disk, so that a file may be of any size."""


@dataclass(frozen=True)
class Converted:
    """What became of foreign files.

    Attributes:
        files: the converted files, which ``zone.land`` takes, in the order of the foreign ones.
        rows: rows in them.
        left_out: rows that ``keep`` and ``drop`` left out, and days of a NEM12 file that measure no consumption, or that it has
            again with a later update.
        taken: rows that were converted; more or fewer than ``rows`` where some are split by months or put together.
        rounded: how many values of each of our columns were rounded.
    """

    files: tuple[Path, ...]
    rows: int
    left_out: int
    taken: int = 0
    rounded: dict[str, int] = field(default_factory=dict)


def _text_sql(rule: ColumnReading, style: FileStyle) -> str:
    """Return SQL for the text that a column is made of; null if there is none, or if a part of several is missing."""
    empty = (*style.empty, *rule.empty)
    if len(rule.origins) == 1:
        text = styles.cleaned(rule.origins[0], empty)
    else:
        separator = f" || {quote(rule.separator)} || " if rule.separator else " || "
        text = f"({separator.join(styles.cleaned(origin, empty) for origin in rule.origins)})"
    if rule.extract:
        found = f"regexp_extract({text}, {quote(rule.extract)}, 1)"
        not_found = told(text, quote(f"nothing of it is {rule.extract}"))
        text = f"(case when regexp_matches({text}, {quote(rule.extract)}) then nullif({found}, '') else {not_found} end)"
    return text


def _value_sql(column: SourceColumn, rule: ColumnReading, style: FileStyle) -> str:
    """Return SQL for the contract's text of a column."""
    value = _stated_sql(column, rule, style)
    return value if rule.default is None else f"coalesce({value}, {quote(rule.default)})"


def _named_sql(mapping: Mapping, column: SourceColumn, value: str) -> str:
    """Return SQL for a value that a row must have, with what would give it one where it has none.

    Of a row that names nothing at all, a footer or a blank one, nothing is told.
    """
    rule = mapping.columns[column.name]
    first = next((each for each in mapping.columns.values() if each.origins), None)
    if not column.required or column.default is not None or rule.default is not None or mapping.spread or mapping.group:
        return value
    if first is None or first is rule:
        return value
    filled = told("''", quote(f'columns.{column.name}.default = "..." would fill it'))
    there = " and ".join(f"{name(origin)} is not null" for origin in first.origins)
    return f"coalesce({value}, case when {there} then {filled} end)"


def _stated_sql(column: SourceColumn, rule: ColumnReading, style: FileStyle) -> str:
    hint = _hint_name(column)
    if column.kind in NUMBERS and not rule.meanings:
        number = _number_sql(rule, style, hint)
        hint_read = name(f"hint_{column.name}_read") if rule.numbers(style) else hint
        if rule.round is not None:
            number = styles.rounded(number, rule.round)
        else:
            number = styles.once(number, lambda value: styles.hinted(value, fits(column, value), hint_read))
        places = places_of(column) if rule.round is None else rule.round
        usual = " ".join(
            f"when {is_usual} then {value}" for is_usual, value in _usual_sql(rule, style, places, exactly=rule.round is not None)
        )
        return f"case {usual} else {number} end" if usual else number
    text = _text_sql(rule, style)
    if rule.meanings:
        return f"case when {text} is not null then {styles.translated(text, rule.meanings)} end"
    dates = rule.dates(style, column.kind)
    if dates is None:
        plain = fits(column, text)
        return styles.hinted(text, plain, hint) if plain else text
    dates = replace(dates, hint=hint)
    if column.kind == "ts":
        return styles.timestamp(text, dates, rule.timezone or style.timezone, rule.repeated_hour or style.repeated_hour)
    return styles.day(text, dates) if column.kind == "date" else styles.month(text, dates)


def _usual_sql(rule: ColumnReading, style: FileStyle, places: int, *, exactly: bool = False) -> list[tuple[str, str]]:
    """Return SQL for numbers as they nearly always stand (``styles.usual_number``), where a column is read as it is."""
    if len(rule.origins) != 1 or rule.extract or rule.times:
        return []
    empty = (*style.empty, *rule.empty)
    if any(re.search("[0-9]", each) for each in empty):
        return []
    found = styles.usual_number(name(rule.origins[0]), rule.numbers(style), places, exactly=exactly)
    if not rule.negate_when:
        return found
    turned = _any_of(rule.negate_when)
    return [(usual, f"case when {turned} then {styles.opposite(value)} else {value} end") for usual, value in found]


def _hint_name(column: SourceColumn) -> str:
    return name(f"hint_{column.name}")


def _teach_hints(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Give the engine, for each mapped column, the function that tells which declaration would read a refused text."""
    kinds = {column.name: column for column in mapping.source.columns}
    for called, rule in mapping.columns.items():
        column = kinds[called]
        if column.kind in NUMBERS:
            said, is_needed = rule.numbers(mapping.style), column.required and column.default is None
            told = hints.of_numbers(said, places_of(column), is_needed=is_needed)
            if said:
                # What was read already has a decimal point, whatever its mark was.
                plain = hints.of_numbers(Numbers("."), places_of(column))
                connection.create_function(f"hint_{called}_read", plain, [VARCHAR], VARCHAR)
        elif column.kind in DATES:
            zone = rule.timezone or mapping.style.timezone
            told = hints.of_dates(column.kind, rule.dates(mapping.style, column.kind), zone)
        elif column.kind == "enum":
            told = hints.of_words(column.values)
        else:
            continue
        connection.create_function(f"hint_{called}", told, [VARCHAR], VARCHAR)


def _number_sql(rule: ColumnReading, style: FileStyle, hint: str = "") -> str:
    """Return SQL for the text of a number, not yet rounded."""
    numbers, empty = rule.numbers(style), (*style.empty, *rule.empty)
    numbers = numbers and replace(numbers, hint=hint)

    def read(text: str) -> str:
        return styles.number(text, numbers) if numbers else text

    if rule.add or rule.subtract:
        value = styles.difference(*(read(styles.cleaned(each, empty)) if each else "null" for each in (rule.add, rule.subtract)))
    elif rule.sum_of or rule.max_of:
        texts = [read(styles.cleaned(each, empty)) for each in rule.sum_of or rule.max_of]
        value = styles.combined(texts, "sum" if rule.sum_of else "max")
    else:
        value = read(_text_sql(rule, style))
    if rule.negate_when:
        turned = _any_of(rule.negate_when)
        value = styles.once(value, lambda number: f"case when {turned} then {styles.negated(number)} else {number} end")
    return styles.multiplied(value, rule.times) if rule.times else value


def _any_of(values: dict[str, tuple[str, ...]]) -> str:
    """Return SQL that is true where a foreign column has one of its values; an empty field is the text ''."""
    return " or ".join(
        f"coalesce({styles.cleaned(column, ())}, '') in ({', '.join(map(quote, allowed))})" for column, allowed in values.items()
    )


def _select_sql(mapping: Mapping, *, problem: bool) -> str:
    """Return the columns of the converted file over the foreign ones."""
    parts: list[str] = []
    for column in mapping.source.columns:
        if column.name in mapping.fixed:
            sql = quote(mapping.fixed[column.name])
        elif column.name in mapping.columns:
            sql = _named_sql(mapping, column, _value_sql(column, mapping.columns[column.name], mapping.style))
        else:
            continue
        if problem:
            # A row that could not be taken apart is not read further, for its fields may stand in the wrong places.
            refused = "" if parts else f" else {told(quote(''), PROBLEM)}"
            sql = f"case when {PROBLEM} is null then {sql}{refused} end"
        parts.append(f"cast({sql} as VARCHAR) as {name(column.name)}")
    if mapping.spread:
        style = mapping.style
        for end, origin in zip(shaping.PERIOD, (mapping.spread.begin, mapping.spread.end), strict=True):
            text, dates = styles.cleaned(origin, style.empty), mapping.spread.dates(style)
            parts.append(f"cast({styles.day(text, dates) if dates else text} as VARCHAR) as {end}")
    if mapping.spread or mapping.group:
        parts.append(f"cast(rowid + 1 as VARCHAR) as {shaping.CAME_FROM}")
    return ", ".join([*parts, *([PROBLEM] if problem else [])])


def _kept_sql(mapping: Mapping, *, problem: bool) -> str:
    conditions = [f"({_any_of({column: allowed})})" for column, allowed in mapping.keep.items()]
    conditions += [f"not ({_any_of({column: refused})})" for column, refused in mapping.drop.items()]
    kept = " and ".join(conditions) or "true"
    # A row that could not be taken apart does not say whether it is wanted; it is not lost.
    return f"({PROBLEM} is not null or ({kept}))" if problem else kept


def apply_mapping(mapping: Mapping, files: Sequence[Path], folder: Path) -> Converted:
    """Convert foreign files into files that conform to the contract, one for each, in ``folder``.

    Rows keep their order, so that without ``keep`` and ``drop`` a row's number is that in the foreign file.

    Raises:
        LandingError: a file is missing, cannot be read as the mapping says or lacks a column; the message names it.
        UsageError: no file is given, or two would have one name.
    """
    if not files:
        raise UsageError("no file is given", "Name at least one file")
    targets = [folder / f"{_stem(file)}.parquet" for file in files]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"two files would be named {target.name}", "Rename one of them")
    folder.mkdir(parents=True, exist_ok=True)
    rows = left_out = taken = 0
    rounded: dict[str, int] = {}
    for file, target in zip(files, targets, strict=True):
        if not file.is_file():
            raise LandingError(f"there is no file {file}", "Name files that exist")
        limits = {"memory_limit": _MEMORY, "temp_directory": str(folder / ".spilled")}
        with duckdb.connect(config={"python_enable_replacements": False, **limits}) as connection:
            connection.execute("set TimeZone = 'UTC'")
            try:
                done = _convert(connection, mapping, file, target)
            except (_FileError, ContainerError) as error:
                raise LandingError(f"{file.name} {error}", "Correct the file or the mapping") from error
            except duckdb.Error as error:
                raise LandingError(f"{file.name} cannot be converted: {_first_line(error)}", "Correct the file") from error
        rows, left_out, taken = rows + done.rows, left_out + done.left_out, taken + done.taken
        rounded = {column: rounded.get(column, 0) + count for column, count in done.rounded.items()}
    return Converted(tuple(targets), rows, left_out, taken, {column: count for column, count in rounded.items() if count})


class _FileError(Exception):
    """A file is not as the mapping says; the message completes a sentence that begins with its name."""


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".zip").rsplit(".", 1)[0]


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200]


def _convert(connection: duckdb.DuckDBPyConnection, mapping: Mapping, file: Path, target: Path) -> Converted:
    """Convert one file, and tell what became of it."""
    left_out, problem = _read(connection, mapping, file, target.with_suffix(".utf8"))
    _teach_hints(connection, mapping)
    kept = _kept_sql(mapping, problem=problem)
    _check_meanings(connection, mapping, kept)
    # The rows of one table come in their order, and to sort them costs as much as to read them.
    rows = f"select {_select_sql(mapping, problem=problem)} from foreign_rows where {kept}"
    if mapping.spread or mapping.group:
        columns = [column for column in mapping.source.columns if column.name in {*mapping.columns, *mapping.fixed}]
        connection.execute(f"create or replace temp table taken_rows as {rows}")
        rows = shaping.shaped("taken_rows", mapping, columns, problem=PROBLEM if problem else "")
    connection.execute(f"copy ({rows}) to {quote(str(target))} (format parquet, compression zstd)")
    taken, whole = connection.execute(f"select count(*) filter ({kept}), count(*) from foreign_rows").fetchall()[0]
    written = pq.read_metadata(target).num_rows
    return Converted((target,), written, whole - taken + left_out, taken, _count_rounded(connection, mapping, kept))


def _count_rounded(connection: duckdb.DuckDBPyConnection, mapping: Mapping, kept: str) -> dict[str, int]:
    """Return how many values of each column that may be rounded are."""
    rules = {column: rule for column, rule in mapping.columns.items() if rule.round is not None}
    if not rules:
        return {}
    counted = []
    for rule in rules.values():
        rounded = styles.is_rounded(_number_sql(rule, mapping.style), rule.round or 0)
        usual = " ".join(f"when {is_usual} then false" for is_usual, _ in _usual_sql(rule, mapping.style, rule.round or 0))
        counted.append(f"count(*) filter ({f'case {usual} else {rounded} end' if usual else rounded})")
    counts = ", ".join(counted)
    (found,) = connection.execute(f"select {counts} from foreign_rows where {kept}").fetchall()
    return dict(zip(rules, found, strict=True))


def _read(connection: duckdb.DuckDBPyConnection, mapping: Mapping, file: Path, plain: Path) -> tuple[int, bool]:
    """Load the foreign rows as texts into ``foreign_rows``; return what the format leaves out, and whether it tells problems."""
    if mapping.style.format == "xlsx":
        _read_sheet(connection, mapping, file)
        _strip(connection, mapping)
        return 0, True
    try:
        text = _transcode(file, plain, mapping.style)
        if mapping.style.format != "nem12":
            return 0, _read_csv(connection, mapping, plain, text)
        try:
            left_out = nem12.read(connection, plain, "foreign_rows")
        except nem12.NotNem12Error as error:
            raise _FileError(str(error)) from error
        _strip(connection, mapping)
        return left_out, False
    finally:
        plain.unlink(missing_ok=True)


def _strip(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Take the white space off the texts that the mapping reads; nothing but white space is nothing."""
    used = ", ".join(f"{stripped(name(origin))} as {name(origin)}" for origin in mapping.origins)
    if used:
        connection.execute(f"create or replace temp table foreign_rows as select * replace ({used}) from foreign_rows")


def _read_sheet(connection: duckdb.DuckDBPyConnection, mapping: Mapping, file: Path) -> None:
    """Load the rows of a workbook's sheet."""
    rows = rows_of_sheet(file, mapping.style.sheet, mapping.style.skip)
    header = [(cell or "").strip() for cell in next(rows, [])]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise _FileError("has no header row")
    _check_header(mapping, header)
    width = len(header)

    def fitted() -> Iterator[list[str | None]]:
        for row in rows:
            more = [cell for cell in row[width:] if cell]
            problem = f"{len(row)} cells, the header has {width}: {', '.join(more)}" if more else None
            yield [*row[:width], *[None] * (width - len(row)), problem]

    _load(connection, header, fitted())


def _check_meanings(connection: duckdb.DuckDBPyConnection, mapping: Mapping, kept: str) -> None:
    """Refuse a file with an identifier or text that the mapping's values lack: nothing would stop it later."""
    kinds = {column.name: column.kind for column in mapping.source.columns}
    for column, rule in mapping.columns.items():
        if rule.meanings and kinds[column] in ("id", "text"):
            text = _text_sql(rule, mapping.style)
            rows = connection.execute(
                f"select distinct {text} as theirs from foreign_rows where {kept} and theirs not in "
                f"({', '.join(map(quote, rule.meanings))}) order by theirs limit {_SHOWN + 1}"
            ).fetchall()
            if rows:
                shown = ", ".join(theirs for (theirs,) in rows[:_SHOWN]) + (" and more" if len(rows) > _SHOWN else "")
                raise _FileError(f"has {rule.origin} {shown}, which columns.{column}.values of the mapping does not know")


@dataclass(frozen=True)
class _Text:
    """What was seen of a file's text.

    Attributes:
        regular: whether all its lines end alike, which the engine's reader relies on.
        feeds: its line feeds.
        quoted: whether it has quotes: then a field may hold line ends.
        tidy: whether no field begins or ends with white space, line ends apart.
    """

    regular: bool
    feeds: int
    quoted: bool
    tidy: bool


def _transcode(file: Path, plain: Path, style: FileStyle) -> _Text:
    """Write the file's text as UTF-8; return what was seen of it."""
    decoder = codecs.getincrementaldecoder(style.encoding)()
    returns = feeds = pairs = length = 0
    last, tidy, quoted = "", True, False
    try:
        with opened(file) as stream, plain.open("wb") as out:
            while True:
                chunk = stream.read(_CHUNK)
                text = decoder.decode(chunk, final=not chunk)
                if not length:
                    text = text.removeprefix("\ufeff")
                if "\r" in text or last == "\r":
                    returns += text.count("\r")
                    pairs += text.count("\r\n") + (last == "\r" and text.startswith("\n"))
                feeds += text.count("\n")
                quoted = quoted or style.quote in text
                # Line ends stand for what is before the first character and behind the last.
                tidy = tidy and is_tidy(f"{last or chr(10)}{text}" + ("" if chunk else "\n"), style)
                last = text[-1:] or last
                length += len(text)
                out.write(text.encode())
                if not chunk:
                    break
    except UnicodeError as error:
        would = _encoding_of(file)
        raise _FileError(
            f"is not {style.encoding} ({error}{would and f'; encoding = {chr(34)}{would}{chr(34)} would read it'})"
        ) from error
    except (EOFError, gzip.BadGzipFile, OSError, zlib.error) as error:
        raise _FileError(f"cannot be read ({error})") from error
    if not length:
        raise _FileError("is empty")
    return _Text(returns == 0 or returns == feeds == pairs, feeds, quoted, tidy)


def is_tidy(text: str, style: FileStyle) -> bool:
    """Return whether nothing shows that a field of some text begins or ends with white space, line ends apart."""
    odd = [each for each in SPACE if each not in f" \r\n{style.delimiter}"]
    if not (style.delimiter + style.quote).isascii() or (not text.isascii() and any(each in text for each in odd)):
        return False
    characters = np.frombuffer(text.encode(), np.uint8)
    if any((characters == ord(each)).any() for each in odd if each.isascii()):
        return False
    blanks = np.flatnonzero(characters == ord(" "))
    beside = np.concatenate([characters[np.maximum(blanks - 1, 0)], characters[np.minimum(blanks + 1, len(characters) - 1)]])
    return not np.isin(beside, [ord(each) for each in f"{style.delimiter}{style.quote}\r\n"]).any()


def _read_csv(connection: duckdb.DuckDBPyConnection, mapping: Mapping, plain: Path, text: _Text) -> bool:
    """Load the foreign rows as texts into ``foreign_rows``; return whether it has the column of problems.

    What the engine's reader does not read exactly as RFC 4180 says goes through Python's.
    """
    style = mapping.style
    with plain.open(encoding="utf-8", newline="") as stream:
        lines = sum(1 for _ in islice(stream, style.skip))
        reader = csv.reader(stream, delimiter=style.delimiter, quotechar=style.quote, strict=True)
        try:
            header = next((row for row in reader if row), None)
        except csv.Error as error:
            raise _FileError(f"has no readable header row ({error})") from error
        if header is None:
            raise _FileError("has no header row")
        header = [column.strip() for column in header]
        one_line = reader.line_num == 1
    _check_header(mapping, header, plain)
    if text.regular and one_line and _read_in_bulk(connection, style, plain, header, lines + 1):
        ((rows,),) = connection.execute("select count(*) from foreign_rows").fetchall()
        # As many lines as rows: no field holds a line end, at its end neither.
        if not text.tidy or (text.quoted and text.feeds > rows + lines + 1):
            _strip(connection, mapping)
        return False
    _read_exactly(connection, style, plain, header)
    _strip(connection, mapping)
    return True


_ENCODINGS = ("utf-8", "utf-16", "windows-1252")
"""Encodings that are told where another one was declared; of the last every text is one, but for few bytes."""

_LOOKED_AT = 100_000
"""Characters of a file in which its header is looked for, to tell the declaration that would find it."""


def _encoding_of(file: Path) -> str:
    """Return the encoding that a file seems to have; empty if it is none of the usual ones."""
    with opened(file) as stream:
        begin = stream.read(_LOOKED_AT)
    for encoding in _ENCODINGS:
        if encoding == "utf-16" and not begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            continue
        try:
            # The sample may end inside a character.
            codecs.getincrementaldecoder(encoding)().decode(begin)
        except UnicodeError:
            continue
        return encoding
    return ""


def _header_found(mapping: Mapping, plain: Path) -> str:
    """Return the declarations with which a file has the columns that it lacks; empty if none are known."""
    with plain.open(encoding="utf-8", newline="") as stream:
        lines = stream.read(_LOOKED_AT).splitlines()
    style = mapping.style
    for delimiter in dict.fromkeys((style.delimiter, *",;\t|")):
        for place, line in enumerate(lines[:100]):
            found = [each.strip().strip(style.quote).strip() for each in line.split(delimiter)]
            if {*mapping.origins} <= {*found}:
                shown = {"\t": "\\t"}.get(delimiter, delimiter)
                said = [f'delimiter = "{shown}"'] * (delimiter != style.delimiter)
                said += [f"skip = {place}"] * (place != style.skip)
                return ", ".join(said)
    return ""


def _check_header(mapping: Mapping, header: Sequence[str], plain: Path | None = None) -> None:
    missing = [column for column in mapping.origins if column not in header]
    twice = [column for column in mapping.origins if header.count(column) > 1]
    if missing:
        there = ", ".join(column for column in header if column)
        found = _header_found(mapping, plain) if plain else ""
        would = f"; {found} would read it" if found else ""
        alike = {column.casefold(): column for column in header}
        if not would and all(column.casefold() in alike for column in missing):
            would = f'; columns = {{ ... = "{alike[missing[0].casefold()]}" }} would read it: names are compared with their case'
        raise _FileError(f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)} (it has: {there[:500]}{would})")
    if twice:
        raise _FileError(f"has the column {', '.join(twice)} more than once")


def _unique(header: Sequence[str]) -> list[str]:
    """Return names for the engine, which knows no case: the mapped columns keep theirs, whatever else is there is numbered."""
    seen: set[str] = {PROBLEM}
    names = []
    for place, column in enumerate(header):
        unused = column if column and column.lower() not in seen else f"(column {place + 1})"
        seen.add(unused.lower())
        names.append(unused)
    return names


def _read_in_bulk(connection: duckdb.DuckDBPyConnection, style: FileStyle, plain: Path, header: Sequence[str], skip: int) -> bool:
    columns = ", ".join(f"{quote(column)}: 'VARCHAR'" for column in _unique(header))
    mark = quote(style.quote)
    try:
        connection.execute(f"""
            create or replace temp table foreign_rows as from read_csv(
                {path_literal(plain)}, hive_partitioning = false, auto_detect = false, header = false, skip = {skip},
                delim = {quote(style.delimiter)}, quote = {mark}, escape = {mark}, nullstr = '',
                columns = {{{columns}}}, store_rejects = true, rejects_limit = 1
            )
        """)
        return not connection.execute("select 1 from reject_errors limit 1").fetchall()
    except duckdb.Error:
        return False


def _read_exactly(connection: duckdb.DuckDBPyConnection, style: FileStyle, plain: Path, header: Sequence[str]) -> None:
    _load(connection, header, _records(style, plain, len(header)))


def _load(connection: duckdb.DuckDBPyConnection, header: Sequence[str], records: Iterable[list[str | None]]) -> None:
    """Load records of texts, each with what is wrong with it as a whole."""
    schema = pa.schema([(column, pa.string()) for column in [*_unique(header), PROBLEM]])
    rows = iter(records)

    def batches() -> Iterator[pa.RecordBatch]:
        while chunk := list(islice(rows, _ROWS)):
            yield pa.record_batch([pa.array(column, pa.string()) for column in zip(*chunk, strict=True)], schema=schema)

    connection.register("exact_rows", pa.RecordBatchReader.from_batches(schema, batches()))
    try:
        connection.execute("create or replace temp table foreign_rows as from exact_rows")
    finally:
        connection.unregister("exact_rows")


def _records(style: FileStyle, plain: Path, width: int) -> Iterator[list[str | None]]:
    """Yield the data rows, each with what is wrong with it as a whole."""
    with plain.open(encoding="utf-8", newline="") as stream:
        for _ in islice(stream, style.skip):
            pass
        reader = csv.reader(stream, delimiter=style.delimiter, quotechar=style.quote, strict=True)
        awaiting_header = True
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise _FileError("ends inside a quoted field") from error
                yield [*[None] * width, f"the quotes do not follow RFC 4180 ({error})"]
                continue
            if not row:
                continue
            if awaiting_header:
                awaiting_header = False
            elif len(row) == width or (len(row) == width + 1 and not row[-1]):
                yield [*(cell or None for cell in row[:width]), None]
            else:
                came = io.StringIO()
                csv.writer(came, delimiter=style.delimiter, lineterminator="").writerow(row)
                yield [*[None] * width, f"{len(row)} fields, the header has {width}: {came.getvalue()}"]


def land_converted(
    settings: Settings,
    mapping: Mapping,
    source: Source,
    files: Sequence[Path],
    arrival: datetime | None = None,
    covers: Sequence[date] = (),
    *,
    is_claimed: bool = False,
) -> tuple[Landed, Converted]:
    """Convert foreign files and land them as one batch; return the batch and what became of their rows.

    Raises:
        UsageError: the mapping is for another source.
        LandingError: see ``apply_mapping`` and ``zone.land``.
    """
    if (source.stream, source.name) != (mapping.source.stream, mapping.source.name):
        raise UsageError(
            f"the mapping {mapping.path} is for {mapping.source.stream} {mapping.source.name}, not {source.stream} {source.name}",
            "Name the source of the mapping",
        )
    with tempfile.TemporaryDirectory() as folder:
        converted = apply_mapping(mapping, files, Path(folder))
        return land(settings, source, converted.files, arrival, covers, is_claimed=is_claimed), converted


@dataclass(frozen=True)
class Preview:
    """How a sample would land.

    Attributes:
        first_rows: the first rows as they would land, as text.
        rows: rows of the sample that would land.
        left_out: rows that the mapping leaves out.
        taken: rows of the sample that it takes.
        rounded: how many values of each column are rounded.
        quarantined: rows that would go to quarantine whatever the other sources hold.
        reasons: why the first of these would.
        doubts: what a person should look at although each row is good.
    """

    first_rows: pd.DataFrame
    rows: int
    left_out: int
    taken: int
    rounded: dict[str, int]
    quarantined: int
    reasons: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def check(mapping: Mapping, sample: Path, folder: Path, settings: Settings) -> Preview:
    """Convert a sample in ``folder``, land nothing, and tell how it would land and what fails.

    Raises:
        LandingError: the sample cannot be read as the mapping says.
    """
    converted = apply_mapping(mapping, [sample], folder)
    facts = [inspect(file) for file in converted.files]
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        staged = Stager(connection, mapping.source, settings.currency).stage(facts)
        if staged.problems:
            raise LandingError("; ".join(staged.problems.values()), "Correct the mapping")
        counted = f"select rowid + 1 as row_number, static_errors from {staged.table}"
        quarantined = connection.execute(f"select count(static_errors) from {staged.table}").fetchall()[0][0]
        bad = connection.execute(f"{counted} where static_errors is not null order by rowid limit {_SHOWN}").fetchall()
        names = dict.fromkeys(staged.numbers.values(), sample.name)
        suspected = doubts.doubts(connection, mapping.source, doubts.numbered(staged.table, names))
        first = connection.execute(f"{readable(converted.files[0])} limit {_SHOWN}").df()
    reasons = tuple(f"row {row}: {errors}" for row, errors in bad)
    return Preview(first, converted.rows, converted.left_out, converted.taken, converted.rounded, quarantined, reasons, suspected)


def readable(converted: Path) -> str:
    """Return SQL for the rows of a converted file as people read them, with what is said of a value behind it."""
    columns = ", ".join(f"{with_words(name(each))} as {name(each)}" for each in pq.read_schema(converted).names)
    return f"select {columns} from read_parquet({path_literal(converted)}, hive_partitioning = false)"
