"""From files to a staging table: what each file is, and all its rows parsed and judged on their own.

Belongs here: file formats, headers, digests, bulk and exact reading. Does not belong here: directories and batches (``zone``),
what a value must be (``values``), judgement that needs other rows (``ingest``).

Files are read twice. ``inspect`` streams the bytes once for the digest, the encoding, the integrity of gzip and the header.
``stage`` then lets the engine read all files of one shape with one call, so that thousands of small batches cost what a few
large ones do; many small files are first joined into few, for the engine's reader costs as much for each as for a thousand rows
of it. What the engine's reader does not read exactly as RFC 4180 says (rows of another length, stray quotes, mixed line
ends) goes through Python's, file by file; JSON always does, for the engine turns long numbers into floating point.
"""

import codecs
import csv
import gzip
import hashlib
import io
import json
import tempfile
import zlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from revenue_integrity.landing.values import judged, name, parsed, quote
from revenue_integrity.model.source import Source

FORMATS = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".json": "json"}
"""The file formats of the landing zone, by the end of the file name."""

_CHUNK = 1 << 20
_ROWS = 1 << 15
_HEAD = 1 << 20
_LONGEST_LINE = 2_000_000
_SMALLEST_BUFFER = 1 << 18
_BOM = "\ufeff"

_BLOCK = 16 << 20
"""Bytes of a large CSV file that Arrow reads at once: they become one part of what is written of it."""

_ROWS_AT_ONCE = 122_880
"""Rows that the engine reads at once of one, where it must."""

_MANY = 50
"""Small files from which joining them pays."""

_JOINED = 8_000_000
"""Bytes up to which small files are joined: a row that the reader refuses sends all of them to be read one by one."""

_ROUND = 256_000_000
"""Bytes that are joined before they are read: what is on disk twice for a while."""

csv.field_size_limit(16 << 20)


@dataclass(frozen=True)
class FileFacts:
    """One file of a batch as it was found.

    Attributes:
        path: where it stands.
        size: its bytes.
        modified: its modification time in nanoseconds.
        sha256: SHA-256 of its bytes.
        format: csv, parquet or json; empty if the name tells none.
        length: bytes after decompression.
        header: the column names as they came (csv, parquet).
        shape: what files must share to be read in one call.
        irregular: whether the engine's reader cannot be trusted with it.
        quoted: whether a quote stands anywhere in it (csv).
        problem: why it cannot be read; empty if it can.
    """

    path: Path
    size: int
    modified: int
    sha256: str
    format: str = ""
    length: int = 0
    header: tuple[str, ...] = ()
    shape: str = ""
    irregular: bool = False
    quoted: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def compressed(self) -> bool:
        """Whether its bytes are gzip."""
        return self.name.lower().endswith(".gz")


def file_format(file_name: str) -> str:
    """Return the format that a file's name tells, or an empty text."""
    return next((kind for ending, kind in FORMATS.items() if file_name.lower().endswith(ending)), "")


class _UnreadableError(Exception):
    """A file cannot be read; the message completes a sentence that begins with its name."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inspect(path: Path) -> FileFacts:
    """Read a file once, in constant memory, and tell what it is. A file that cannot be read is a fact, not an error.

    Raises:
        OSError: the file system refuses.
    """
    stat = path.stat()
    digest = hashlib.sha256()
    more: dict[str, Any] = {"format": file_format(path.name)}
    try:
        match more["format"]:
            case "":
                raise _UnreadableError(f"is none of {', '.join(FORMATS)}")
            case "parquet":
                more |= _inspect_parquet(path)
            case kind:
                with path.open("rb") as file:
                    more |= _inspect_text(_hashed(file, digest), path.name, kind)
    except _UnreadableError as error:
        more["problem"] = f"{path.name} {error}"
    except zlib.error as error:
        more["problem"] = f"{path.name} is not a readable gzip file ({error})"
    whole = digest.hexdigest() if more["format"] in ("csv", "json") and not more.get("problem") else sha256_of(path)
    return FileFacts(path, stat.st_size, stat.st_mtime_ns, whole, **more)


def _hashed(file: io.BufferedReader, digest: "hashlib._Hash") -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        yield chunk


def _unzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the decompressed bytes of a gzip file of one or more members, checking its sums; never much at once."""
    member = zlib.decompressobj(wbits=31)
    begun = False
    for chunk in chunks:
        while chunk:
            begun = True
            if data := member.decompress(chunk, _CHUNK):
                yield data
            if member.eof:
                chunk = member.unused_data.lstrip(b"\0")
                member, begun = zlib.decompressobj(wbits=31), bool(chunk)
            else:
                chunk = member.unconsumed_tail
    if begun:
        raise _UnreadableError("is a truncated gzip file")


def _inspect_text(chunks: Iterable[bytes], file_name: str, kind: str) -> dict[str, Any]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = bytearray()
    length = returns = feeds = pairs = 0
    feeds_alone = quoted = False
    last = b""
    if file_name.lower().endswith(".gz"):
        chunks = _unzipped(chunks)
    for data in chunks:
        if len(head) < _HEAD:
            head += data[: _HEAD - len(head)]
        if not (data.isascii() and not decoder.getstate()[0]):
            try:
                decoder.decode(data)
            except UnicodeDecodeError as error:
                byte, at = error.object[error.start], length + error.start
                raise _UnreadableError(f"is not UTF-8 (byte 0x{byte:02x} near position {at})") from error
        if kind == "csv" and (b"\r" in data or last == b"\r"):
            returns += data.count(b"\r")
            pairs += data.count(b"\r\n") + (last == b"\r" and data[:1] == b"\n")
            feeds += data.count(b"\n")
        elif kind == "csv" and not feeds_alone:
            # To count them takes as long as to hash the file, and where nothing returns it says nothing.
            feeds_alone = b"\n" in data
        quoted = quoted or b'"' in data
        last = data[-1:]
        length += len(data)
    if decoder.getstate()[0]:
        raise _UnreadableError("is not UTF-8 (it ends inside a character)")
    if not length:
        raise _UnreadableError("is empty")
    if kind == "json":
        return {"length": length}
    header, plain = _header_of(bytes(head), length <= _HEAD)
    line_ends_agree = returns == 0 or (returns == feeds == pairs and not feeds_alone)
    return {
        "length": length,
        "header": header,
        "shape": repr(header),
        "irregular": not (plain and line_ends_agree),
        "quoted": quoted,
    }


def _header_of(head: bytes, whole: bool) -> tuple[tuple[str, ...], bool]:
    """Return the header record and whether it is one line, the first of the file."""
    text = head.decode("utf-8", "ignore").removeprefix(_BOM)
    try:
        header = next((row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row), None)
    except csv.Error as error:
        raise _UnreadableError(f"has no readable header row ({error})") from error
    if header is None:
        raise _UnreadableError("has no header row" if whole else "has no header row in its first megabyte")
    # Whatever else ends a line ends the first one no later than a newline does.
    lines = text[: text.find("\n") + 1 or None].splitlines()
    first_line = lines[0] if lines else ""
    plain = bool(first_line.strip()) and first_line.count('"') % 2 == 0
    return tuple(cell.strip() for cell in header), plain


def _inspect_parquet(path: Path) -> dict[str, Any]:
    if not path.stat().st_size:
        raise _UnreadableError("is empty")
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise _UnreadableError(f"is not a readable Parquet file ({_first_line(error)})") from error
    shape = repr([(field.name, str(field.type)) for field in schema])
    return {"length": path.stat().st_size, "header": tuple(column.strip() for column in schema.names), "shape": shape}


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


@dataclass(frozen=True)
class Layout:
    """How the columns of a file meet those of a source.

    Attributes:
        header: the file's column names.
        positions: for each modelled column, its place in the file, or ``None``.
        unknown: columns that are not modelled, lower-cased.
        problem: why the file cannot be loaded, as the end of a sentence that begins with its name; empty if it can.
    """

    header: tuple[str, ...]
    positions: tuple[int | None, ...]
    unknown: tuple[str, ...]
    problem: str = ""


def layout_of(source: Source, header: Sequence[str]) -> Layout:
    """Find the modelled columns in a header, in any order and case."""
    places: dict[str, int] = {}
    twice: list[str] = []
    for place, column in enumerate(header):
        key = column.strip().lower()
        if key and key in places:
            twice.append(key)
        places.setdefault(key, place)
    places.pop("", None)
    positions = tuple(places.get(column.name) for column in source.columns)
    missing = [
        column.name
        for column, place in zip(source.columns, positions, strict=True)
        if place is None and column.required and column.default is None
    ]
    unknown = tuple(sorted(set(places) - {column.name for column in source.columns}))
    return Layout(tuple(header), positions, unknown, _header_problem(twice, missing))


def _header_problem(twice: Sequence[str], missing: Sequence[str]) -> str:
    problems = []
    if twice:
        problems.append(f"has the column {', '.join(dict.fromkeys(twice))} more than once")
    if missing:
        problems.append(f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    return " and ".join(problems)


@dataclass
class Staged:
    """What became of the files that were staged.

    Attributes:
        table: the staging table: ``f`` (number of the file), the values of the source, ``static_errors``, ``raw``.
        numbers: the number of each file whose rows stand.
        problems: why a file cannot be loaded, for each that cannot.
        unknown: columns of each file that are not modelled.
    """

    table: str
    numbers: dict[Path, int] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    unknown: dict[Path, tuple[str, ...]] = field(default_factory=dict)


class Stager:
    """Reads files of one source into a staging table of the connection.

    Row numbers follow from the order of insertion: the engine keeps the order of files and of rows in them, so that a row's
    number is its ``rowid`` less the smallest of its file. Rows of a file that is not in ``Staged.numbers`` do not count.
    The connection must not be in a transaction: a file that cannot be read would end it.

    With ``came``, an SQL condition over the values, rows are not judged: the table holds ``f`` alone, and ``raw``, the row as it
    came, where the condition holds.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source, currency: str, *, came: str = "") -> None:
        self._connection = connection
        self._source = source
        self._currency = currency
        self._came = came
        self._next = 0
        self._staged = Staged(f"staged_{source.name}")

    def stage(self, files: Iterable[FileFacts]) -> Staged:
        """Read all files. Files that cannot be read are told in the result; the others go on."""
        self._create()
        groups: dict[tuple[str, str, bool], list[FileFacts]] = defaultdict(list)
        for file in files:
            if file.problem:
                self._staged.problems[file.path] = file.problem
            else:
                groups[file.format, file.shape, file.irregular].append(file)
        for (kind, _, irregular), group in sorted(groups.items()):
            if kind == "json":
                self._read_json(group)
                continue
            layout = layout_of(self._source, group[0].header)
            for file in group:
                self._staged.unknown[file.path] = layout.unknown
            if layout.problem:
                self._staged.problems |= {file.path: f"{file.name} {layout.problem}" for file in group}
            elif kind == "parquet":
                self._read_parquet(group, layout)
            elif irregular:
                self._read_exactly(group, layout)
            else:
                self._read_regular(group, layout)
        return self._staged

    def _create(self) -> None:
        values = [f"{name(column)} {self._source.sql_type(column)}" for column in self._source.values]
        columns = [] if self._came else [*values, "static_errors VARCHAR"]
        self._connection.execute(
            f"create or replace temp table {self._staged.table} ({', '.join(['f INTEGER', *columns, 'raw VARCHAR'])})"
        )

    def _number(self, files: Sequence[FileFacts]) -> int:
        first = self._next
        for file in files:
            self._staged.numbers[file.path] = self._next
            self._next += 1
        return first

    def _insert(self, relation: str, layout: Layout, *, exact: bool = False) -> None:
        """Parse and judge the rows of a relation and append them.

        The relation holds the number of the file as ``f`` and the texts of its columns as ``c0``, ``c1``, …; if it was read
        exactly, also what is wrong with the row as a whole (``wrong``) and the row as it came where that is known (``came``).
        """
        source = self._source
        texts = ["cast(null as VARCHAR)" if place is None else self._meant(f"c{place}") for place in layout.positions]
        pairs = list(zip(source.columns, texts, strict=True))
        values = [f"{parsed(column, text)} as {name(column.stored)}" for column, text in pairs]
        raw = f"{'came, ' if exact else ''}{_json_of(layout.header)}"
        if self._came:
            self._connection.execute(f"""
                insert into {self._staged.table}
                select f, case when {self._came} then coalesce({raw}) end from (select *, {", ".join(values)} from {relation})
            """)
            return
        judgements = [judged(column, text, self._currency) for column, text in pairs]
        suspicious = [f"({judgement.suspicious})" for judgement in judgements]
        suspicious += [f"coalesce({rule.bad}, false)" for rule in source.rules]
        reasons = [judgement.reason for judgement in judgements]
        reasons += [f"case when {rule.bad} then {rule.reason} end" for rule in source.rules]
        wrong = "wrong" if exact else "null"
        stored = ", ".join(
            # A row of the wrong length is not judged further, for its fields may stand in the wrong places.
            f"case when wrong is null then {name(column.stored)} end" if exact and column.kind != "month" else name(column.stored)
            for column in source.columns
        )
        month = f"cast(date_trunc('month', {name(source.month_of)}) as DATE)," if source.month_of else ""
        self._connection.execute(f"""
            insert into {self._staged.table}
            select
                f, {stored}, {month}
                case when suspicious then coalesce({wrong}, nullif(concat_ws('; ', {", ".join(reasons)}), '')) end,
                case when suspicious then coalesce({raw}) end
            from (
                select *, ({wrong} is not null or {" or ".join(suspicious)}) as suspicious
                from (select *, {", ".join(values)} from {relation})
            )
        """)

    def _meant(self, text: str) -> str:
        """Return SQL for a field's text, null where the source says that it stands for an empty field."""
        if not self._source.nulls:
            return text
        return f"(case when {text} in ({', '.join(map(quote, self._source.nulls))}) then null else {text} end)"

    def _read_regular(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read CSV files of one header that the engine's reader can be trusted with; small ones apart only if they are many."""
        small = [file for file in files if file.length <= _SMALLEST_BUFFER]
        if len(small) < _MANY:
            self._read_csv(files, layout)
            return
        self._read_small(small, layout)
        if large := [file for file in files if file.length > _SMALLEST_BUFFER]:
            self._read_csv(large, layout)

    def _read_small(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read many small files of one header, joined into few; those that cannot be joined are read as they stand."""
        alone: list[FileFacts] = []
        (place,) = self._connection.execute("select current_setting('temp_directory')").fetchall()[0]
        waiting = deque(files)
        while waiting:
            with tempfile.TemporaryDirectory(prefix="joined-", dir=_existing(place)) as directory:
                joined: dict[FileFacts, list[FileFacts]] = {}
                while waiting and sum(each.size for each in joined) < _ROUND:
                    self._join(Path(directory) / f"{len(joined)}.csv", waiting, joined, alone)
                try:
                    refused = self._scan_joined(list(joined), layout)
                except duckdb.Error:
                    refused = set(joined)
            for each in refused:
                for file in joined[each]:
                    del self._staged.numbers[file.path]
                alone += joined[each]
        if alone:
            self._read_csv(sorted(alone, key=lambda file: file.path), layout)

    def _join(
        self, path: Path, waiting: deque[FileFacts], joined: dict[FileFacts, list[FileFacts]], alone: list[FileFacts]
    ) -> None:
        """Write the rows of the first files that wait into one, each behind the number of its file."""
        taken = []
        with path.open("wb") as out:
            # The reader skips the first line, which is a header elsewhere.
            out.write(b"number\n")
            while waiting and out.tell() < _JOINED:
                file = waiting.popleft()
                rows = _plain_rows(file)
                if rows is None:
                    alone.append(file)
                    continue
                number = b"%d," % self._number([file])
                taken.append(file)
                if rows:
                    out.write(number + rows[:-1].replace(b"\n", b"\n" + number) + b"\n")
            size = out.tell()
        joined[FileFacts(path, size, 0, "", length=size)] = taken

    def _scan_joined(self, joined: Sequence[FileFacts], layout: Layout) -> set[FileFacts]:
        """Read joined files; return those with a row that the engine's reader refuses."""
        columns = ["number", *(f"c{place}" for place in range(len(layout.header)))]
        relation = self._keeping_rejects(joined, columns)
        self._insert(f"(select * exclude (number), cast(number as INTEGER) as f from {relation})", layout)
        refused = self._rejected()
        return {file for file in joined if file.path in refused}

    def _read_csv(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read files of one header with one call; what the engine refuses is read exactly."""
        refused: set[Path] = set()
        try:
            self._scan_csv(files, layout, refused)
        except duckdb.Error:
            # The engine does not say which file it stumbled over, so each is tried alone.
            for file in files:
                self._staged.numbers.pop(file.path, None)
                if len(files) == 1:
                    refused.add(file.path)
                else:
                    self._read_csv([file], layout)
        if refused:
            self._read_exactly([file for file in files if file.path in refused], layout)

    def _scan_csv(self, files: Sequence[FileFacts], layout: Layout, refused: set[Path]) -> None:
        first = self._number(files)
        columns = [f"c{place}" for place in range(len(layout.header))]
        self._insert(f"(select *, {first} + file_index as f from {self._keeping_rejects(files, columns)})", layout)
        for path in self._rejected():
            refused.add(path)
            del self._staged.numbers[path]

    def _keeping_rejects(self, files: Sequence[FileFacts], columns: Sequence[str]) -> str:
        """Return the engine's reading of CSV files, which notes what it refuses; nothing is noted yet."""
        self._connection.execute("drop table if exists reject_errors; drop table if exists reject_scans")
        return csv_sql(files, columns, "store_rejects = true, rejects_limit = 1")

    def _rejected(self) -> set[Path]:
        """Return the files with a row that the engine's reader refused."""
        rejects = self._connection.execute(
            "select distinct file_path from reject_errors inner join reject_scans using (scan_id, file_id)"
        ).fetchall()
        return {Path(path) for (path,) in rejects}

    def _read_parquet(self, files: Sequence[FileFacts], layout: Layout) -> None:
        relation = f"read_parquet([{', '.join(quote(str(file.path)) for file in files)}], binary_as_string = true)"
        try:
            described = self._connection.execute(f"describe select * from {relation}").fetchall()
            kinds = {
                place: column.kind
                for column, place in zip(self._source.columns, layout.positions, strict=True)
                if place is not None
            }
            texts = [
                f"{_canonical(name(column), engine_type, kinds.get(place, ''))} as c{place}"
                for place, (column, engine_type, *_) in enumerate(described)
            ]
            first = self._number(files)
            self._insert(f"(select {', '.join(texts)}, {first} + file_index as f from {relation})", layout)
        except duckdb.Error as error:
            for file in files:
                self._staged.numbers.pop(file.path, None)
                if len(files) == 1:
                    self._staged.problems[file.path] = f"{file.name} is not a readable Parquet file ({_first_line(error)})"
                else:
                    self._read_parquet([file], layout)

    def _read_exactly(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read CSV files of one header record by record."""
        first = self._number(files)
        rows = (
            (first + number, row)
            for number, file in enumerate(files)
            for row in self._guarded(file, _records(file, layout.header))
        )
        self._insert_rows(rows, layout)

    def _read_json(self, files: Sequence[FileFacts]) -> None:
        """Read JSON files object by object, their values as the text that stands in the file."""
        columns = [column.name for column in self._source.columns]
        required = {column.name for column in self._source.columns if column.required and column.default is None}
        first = self._number(files)

        def objects(file: FileFacts) -> Iterator[list[str | None]]:
            seen: set[str] = set()
            empty = True
            for text, pairs in _json_objects(file):
                empty = False
                keys = [key.strip().lower() for key, _ in pairs]
                values = dict(zip(keys, (value for _, value in pairs), strict=True))
                seen.update(keys)
                twice = "" if len(values) == len(keys) else f"column {next(k for k in keys if keys.count(k) > 1)} stands twice"
                yield [*(_json_text(values.get(column)) for column in columns), twice or None, text]
            self._staged.unknown[file.path] = tuple(sorted(seen - set(columns) - {""}))
            if missing := [] if empty else sorted(required - seen, key=columns.index):
                raise _UnreadableError(_header_problem([], missing))

        rows = ((first + number, row) for number, file in enumerate(files) for row in self._guarded(file, objects(file)))
        self._insert_rows(rows, layout_of(self._source, columns))

    def _guarded(self, file: FileFacts, rows: Iterator[list[str | None]]) -> Iterator[list[str | None]]:
        try:
            yield from rows
        except (_UnreadableError, json.JSONDecodeError, RecursionError) as error:
            reason = str(error) if isinstance(error, _UnreadableError) else f"is not readable JSON ({_first_line(error)})"
            self._staged.problems[file.path] = f"{file.name} {reason}"
            del self._staged.numbers[file.path]

    def _insert_rows(self, rows: Iterator[tuple[int, list[str | None]]], layout: Layout) -> None:
        """Append rows of texts, each with what is wrong with it as a whole and how it came where that is known."""
        columns = [*(f"c{place}" for place in range(len(layout.header))), "wrong", "came"]
        schema = pa.schema([("f", pa.int32()), *((column, pa.string()) for column in columns)])

        def batches() -> Iterator[pa.RecordBatch]:
            while chunk := list(islice(rows, _ROWS)):
                arrays = [pa.array([number for number, _ in chunk], pa.int32())]
                arrays += [pa.array(column, pa.string()) for column in zip(*(row for _, row in chunk), strict=True)]
                yield pa.record_batch(arrays, schema=schema)

        self._connection.register("exact_rows", pa.RecordBatchReader.from_batches(schema, batches()))
        try:
            self._insert("exact_rows", layout, exact=True)
        finally:
            self._connection.unregister("exact_rows")


def _existing(place: str) -> Path | None:
    """Return the engine's directory for what does not fit into memory, made if need be; none if it has no file of its own."""
    if not Path(place).is_absolute():
        return None
    Path(place).mkdir(parents=True, exist_ok=True)
    return Path(place)


def _plain_rows(file: FileFacts) -> bytes | None:
    """Return the data rows of a small regular CSV file, each a line of its own; nothing if a line might not be a row."""
    with gzip.open(file.path) if file.compressed else file.path.open("rb") as stream:
        _, _, rows = stream.read().replace(b"\r\n", b"\n").partition(b"\n")
    if b'"' in rows or b"\n\n" in rows or rows.startswith(b"\n"):
        return None
    return rows if not rows or rows.endswith(b"\n") else rows + b"\n"


def csv_sql(files: Sequence[FileFacts], columns: Sequence[str], more: str = "") -> str:
    """Return the engine's reading of regular CSV files of one header, every field as its text, an empty one as null."""
    buffer = max(_SMALLEST_BUFFER, min(32_000_000, max(file.length for file in files) + 1024))
    typed = ", ".join(f"{quote(column)}: 'VARCHAR'" for column in columns)
    return f"""read_csv(
        [{", ".join(quote(str(file.path)) for file in files)}], auto_detect = false, header = false, skip = 1, delim = ',',
        quote = '"', escape = '"', nullstr = '', columns = {{{typed}}}, buffer_size = {buffer},
        max_line_size = {min(_LONGEST_LINE, buffer // 2)}{", " if more else ""}{more}
    )"""


def csv_texts(connection: duckdb.DuckDBPyConnection, file: FileFacts, wanted: Sequence[int]) -> Iterator[tuple[pa.Array, ...]]:
    """Yield some columns of a large regular CSV file, many rows at once: every field as its text, an empty one as null.

    Arrow reads texts at two thirds of what the engine needs. Of a stray quote it makes something, though, so what has quotes is
    left to the engine, which refuses what is not regular.

    Args:
        connection: the engine's; used by another thread while rows are asked for.
        file: the file; not compressed.
        wanted: the places of the columns.

    Raises:
        duckdb.Error, pyarrow.ArrowException: the file is not as regular as it looked.
    """
    columns = [f"c{place}" for place in range(len(file.header))]
    names = [columns[place] for place in wanted]
    if file.quoted:
        rows = connection.sql(f"select {', '.join(names)} from {csv_sql([file], columns)}").to_arrow_reader(_ROWS_AT_ONCE)
    else:
        rows = arrow_csv.open_csv(
            file.path,
            read_options=arrow_csv.ReadOptions(column_names=columns, skip_rows=1, block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(quote_char=False, ignore_empty_lines=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=names,
                null_values=[""],
                strings_can_be_null=True,
                # Whoever inspected the file has seen to it.
                check_utf8=False,
            ),
        )
    for batch in _read_ahead(rows):
        yield tuple(batch.columns)


def _read_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches, reading the next one while the caller is busy with the last."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def _json_of(header: Sequence[str]) -> str:
    """Return SQL for the row as it came, a JSON object of texts."""
    pairs = ", ".join(f"{quote(column or f'(column {place + 1})')}, c{place}" for place, column in enumerate(header))
    return f"cast(json_object({pairs}) as VARCHAR)"


def _canonical(column: str, engine_type: str, kind: str = "") -> str:
    """Return SQL for the text of a typed Parquet column, so that one parser serves all formats."""
    text = f"cast({column} as VARCHAR)"
    zoned = engine_type in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
    if engine_type == "TIMESTAMPTZ_NS":
        # Nanoseconds that are not zero must reach the parser, which refuses them.
        nanoseconds = f"cast(make_timestamp_ns(epoch_ns({column})) as VARCHAR) || 'Z'"
        return f"case when epoch_ns({column}) % 1000 = 0 then {text} else {nanoseconds} end"
    if kind == "date" and engine_type.startswith("TIMESTAMP") and not zoned:
        midnight = f"{column} = date_trunc('day', {column})"
        return f"case when {midnight} then cast(cast({column} as DATE) as VARCHAR) else {text} end"
    if kind == "month" and engine_type == "DATE":
        return f"case when day({column}) = 1 then strftime({column}, '%Y-%m') else {text} end"
    return text


def _text_stream(file: FileFacts) -> io.TextIOWrapper:
    if file.compressed:
        return gzip.open(file.path, "rt", encoding="utf-8-sig", newline="")
    return file.path.open(encoding="utf-8-sig", newline="")


def _records(file: FileFacts, header: Sequence[str]) -> Iterator[list[str | None]]:
    """Yield the data rows of a CSV file, padded to the header, with what is wrong with each and how it came."""
    width = len(header)
    with _text_stream(file) as stream:
        lines: list[str] = []

        def remembered() -> Iterator[str]:
            for line in stream:
                lines.append(line)
                yield line

        reader = csv.reader(remembered(), strict=True, skipinitialspace=True)
        awaiting_header = True
        number = 0
        while True:
            lines.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                if "unexpected end of data" in str(error):
                    raise _UnreadableError(f"ends inside a quoted field that begins in data row {number}") from error
                came = json.dumps({"line": "".join(lines).rstrip("\r\n")}, ensure_ascii=False)
                yield [*[None] * width, f"the row's quotes do not follow RFC 4180 ({error})", came]
                continue
            if not row:
                continue
            if awaiting_header:
                awaiting_header = False
                continue
            number += 1
            if len(row) == width or (len(row) == width + 1 and not row[-1]):
                yield [*(cell or None for cell in row[:width]), None, None]
            else:
                yield _misfit(row, header)


def _misfit(row: Sequence[str], header: Sequence[str]) -> list[str | None]:
    """Return a row whose number of fields is not the header's: what stands in its place is kept, for its month."""
    width = len(header)
    wrong = f"the row has {len(row)} field{'s' * (len(row) != 1)}, the header {width}"
    if len(row) < width:
        return [*(cell or None for cell in row), *[None] * (width - len(row)), wrong, None]
    names = [*(column or f"(column {place + 1})" for place, column in enumerate(header))]
    names += [f"(field {place + 1})" for place in range(width, len(row))]
    came = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)
    return [*(cell or None for cell in row[:width]), wrong, came]


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, repeated names included."""

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The object as a mapping."""
        return {key: _plain(value) for key, value in self}


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return value.plain
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _json_text(value: Any) -> str | None:
    """Return the text of a JSON value as CSV would have it; numbers arrive here as the text of the file."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(_plain(value), ensure_ascii=False)


def _json_objects(file: FileFacts) -> Iterator[tuple[str, _Pairs]]:
    """Yield text and members of each object of an array of objects, or of one object after the other."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_Pairs)
    with _text_stream(file) as stream:
        text, at, size, number, within = "", 0, _CHUNK, 0, False
        opened = closed = separated = False
        while True:
            at = _skip(text, at)
            if at == len(text):
                text, at = stream.read(_CHUNK), 0
                if text:
                    continue
                if opened and not closed:
                    raise _UnreadableError("is truncated: its array does not end")
                if not opened and not number:
                    raise _UnreadableError("holds no JSON")
                return
            mark = text[at]
            if closed:
                raise _UnreadableError("has text behind the end of its array")
            if mark == "[" and not opened and not number:
                opened, at = True, at + 1
                continue
            if opened and mark == "]" and not separated:
                closed, at = True, at + 1
                continue
            if opened and mark == "," and within and not separated:
                separated, at = True, at + 1
                continue
            if mark != "{" or (opened and within and not separated):
                raise _UnreadableError(f"is not readable JSON (object {number + 1} is expected, '{text[at : at + 20]}' found)")
            try:
                members, end = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                # Perhaps the object goes on behind what has been read.
                more = stream.read(size)
                if not more:
                    raise
                text, at, size = text[at:] + more, 0, size * 2
                continue
            number, within, separated, size = number + 1, True, False, _CHUNK
            yield text[at:end], members
            at = end


_BLANK = " \t\n\r"


def _skip(text: str, at: int) -> int:
    """Return the place of the first character from ``at`` on that is no white space."""
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at
