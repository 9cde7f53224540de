"""What a file of a batch is: format, digest, encoding, header.

Belongs here: one look at the bytes of a file, in constant memory. Does not belong here: its rows (``staging``), directories and
batches (``landing.zone``).
"""

import codecs
import csv
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity.landing.containers import kind_of
from revenue_integrity.landing.reading.limits import USUAL, Counter, Limits

FORMATS = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".json": "json"}
"""The file formats of the landing zone, by the end of the file name."""

NOTATED = {f"{ending}{packed}": "json" for ending in (".json", ".jsonl", ".ndjson") for packed in ("", ".gz")}
"""Further formats of sources that are read more generously (``Source.notation``)."""

_CHUNK = 1 << 20
_HEAD = 1 << 20
_BOM = "\ufeff"

csv.field_size_limit(1 << 30)


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
        records: how many data rows it has, counted apart from reading them; ``None`` where reading them is counting (json).
        limits: how much of it is read as one thing.
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
    records: int | None = None
    limits: Limits = USUAL

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
    return next((kind for ending, kind in (FORMATS | NOTATED).items() if file_name.lower().endswith(ending)), "")


def format_problem(file_name: str, *, notated: bool) -> str:
    """Return why files of this name are not read, as the end of a sentence that begins with it; empty if they are.

    With ``notated``, for a source that is read more generously.
    """
    endings = FORMATS | NOTATED if notated else FORMATS
    return "" if file_name.lower().endswith(tuple(endings)) else f"is none of {', '.join(endings)}"


class UnreadableError(Exception):
    """A file cannot be read; the message completes a sentence that begins with its name."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inspect(path: Path, limits: Limits = USUAL) -> FileFacts:
    """Read a file once, in constant memory, and tell what it is. A file that cannot be read is a fact, not an error.

    Raises:
        OSError: the file system refuses.
    """
    stat = path.stat()
    digest = hashlib.sha256()
    more: dict[str, Any] = {"format": file_format(path.name)}
    try:
        _refuse_container(path)
        match more["format"]:
            case "":
                raise UnreadableError(f"is none of {', '.join(FORMATS)}")
            case "parquet":
                more |= _inspect_parquet(path, limits)
            case kind:
                with path.open("rb") as file:
                    more |= _inspect_text(_hashed(file, digest), path.name, kind, limits)
    except UnreadableError as error:
        more["problem"] = f"{path.name} {error}"
    except zlib.error as error:
        more["problem"] = f"{path.name} is not a readable gzip file ({error})"
    whole = digest.hexdigest() if more["format"] in ("csv", "json") and not more.get("problem") else sha256_of(path)
    return FileFacts(path, stat.st_size, stat.st_mtime_ns, whole, limits=limits, **more)


def _refuse_container(path: Path) -> None:
    """Say what a file is whose name does not say it: it would be called badly encoded else."""
    match "" if path.name.lower().endswith(".parquet") else kind_of(path):
        case "gzip" if not path.name.lower().endswith(".gz"):
            raise UnreadableError(f"is gzip: name it {path.name}.gz, or land it with a mapping")
        case "xlsx":
            raise UnreadableError('is a workbook, not CSV: land it with a mapping (file.format = "xlsx")')
        case "zip":
            raise UnreadableError("is a zip archive, not CSV: land it with a mapping, which takes an archive of one file")


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
        raise UnreadableError("is a truncated gzip file")


def _inspect_text(chunks: Iterable[bytes], file_name: str, kind: str, limits: Limits) -> dict[str, Any]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = bytearray()
    length = returns = feeds = pairs = 0
    feeds_alone = quoted = False
    last = b""
    counter = Counter()
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
                raise UnreadableError(f"is not UTF-8 (byte 0x{byte:02x} near position {at})") from error
        if kind == "csv" and (b"\r" in data or last == b"\r"):
            returns += data.count(b"\r")
            pairs += data.count(b"\r\n") + (last == b"\r" and data[:1] == b"\n")
            feeds += data.count(b"\n")
        elif kind == "csv" and not feeds_alone:
            # To count them takes as long as to hash the file, and where nothing returns it says nothing.
            feeds_alone = b"\n" in data
        if kind == "csv":
            counter.feed(data)
            if counter.longest_line > limits.row_bytes:
                raise UnreadableError(limits.too_long(""))
        quoted = quoted or b'"' in data
        last = data[-1:]
        length += len(data)
    if decoder.getstate()[0]:
        raise UnreadableError("is not UTF-8 (it ends inside a character)")
    if kind == "json":
        # An empty file is for its reader to judge: some sources take it for no rows.
        return {"length": length}
    if not length:
        raise UnreadableError("is empty")
    header, plain = _header_of(bytes(head), length <= _HEAD)
    if problem := limits.too_many_columns(len(header)):
        raise UnreadableError(problem)
    line_ends_agree = returns == 0 or (returns == feeds == pairs and not feeds_alone)
    return {
        "length": length,
        "header": header,
        "shape": repr(header),
        # Which row holds a control character, or is too long, is told record by record.
        "irregular": not (plain and line_ends_agree) or counter.controls or counter.longest_record > limits.row_bytes,
        "records": counter.records - 1,
        "quoted": quoted,
    }


def _header_of(head: bytes, whole: bool) -> tuple[tuple[str, ...], bool]:
    """Return the header record and whether it is one line, the first of the file."""
    text = head.decode("utf-8", "ignore").removeprefix(_BOM)
    try:
        header = next((row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row), None)
    except csv.Error as error:
        raise UnreadableError(f"has no readable header row ({error})") from error
    if header is None:
        raise UnreadableError("has no header row" if whole else "has no header row in its first megabyte")
    # Whatever else ends a line ends the first one no later than a newline does.
    lines = text[: text.find("\n") + 1 or None].splitlines()
    first_line = lines[0] if lines else ""
    plain = bool(first_line.strip()) and first_line.count('"') % 2 == 0
    return tuple(cell.strip() for cell in header), plain


def _inspect_parquet(path: Path, limits: Limits) -> dict[str, Any]:
    if not path.stat().st_size:
        raise UnreadableError("is empty")
    try:
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"is not a readable Parquet file ({first_line(error)})") from error
    if problem := limits.too_many_columns(len(schema.names)):
        raise UnreadableError(problem)
    shape = repr([(field.name, str(field.type)) for field in schema])
    header = tuple(column.strip() for column in schema.names)
    return {"length": path.stat().st_size, "header": header, "shape": shape, "records": metadata.num_rows}


def first_line(error: BaseException) -> str:
    """Return the sentence of an error that tells the cause."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
