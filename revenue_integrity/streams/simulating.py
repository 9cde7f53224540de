"""What every simulator needs: files as source systems would write them, the same bytes for the same rows, and rates of faults.

Belongs here: text forms, file formats, putting one batch into the landing zone, the files of the truth, reading a file of rates.
Does not belong here: what is in any of them (each stream's ``simulate``), the declaration of a simulator (``model.simulator``).
"""

import gzip
import io
import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pydantic import ValidationError

from revenue_integrity.errors import UsageError
from revenue_integrity.files import Durable, made
from revenue_integrity.landing.zone import NOTE, note_of

CSV, GZIP, PARQUET, JSON = "csv", "csv.gz", "parquet", "json"


def decimal_text(value: int, places: int) -> str:
    """Return an integer number of 10**-places as decimal text, without needless zeros."""
    sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(places + 1, "0")
    whole, fraction = digits[:-places], digits[-places:].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def micro_text(value: int | None) -> str | None:
    """Return millionths as text; ``None`` stays empty."""
    return None if value is None else decimal_text(value, 6)


def money_text(cents: int | None) -> str | None:
    """Return cents as currency units with two places; ``None`` stays empty."""
    if cents is None:
        return None
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def instant_text(instant: datetime) -> str:
    """Return an instant as ISO-8601 in UTC."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def date_text(day: date | None) -> str | None:
    """Return a day as ISO-8601; ``None`` stays empty."""
    return None if day is None else day.isoformat()


def arrival_text(arrival: datetime) -> str:
    """Return an arrival as a batch directory is named."""
    return arrival.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def batch_id(stream: str, source: str, arrival: datetime) -> str:
    """Return the id of the batch that a source delivers at an instant."""
    return f"{stream}/{source}/{arrival_text(arrival)}"


def exact_decimals(units: "np.ndarray[Any, np.dtype[np.int64]]", places: int) -> pa.Array:
    """Return integers of 10**-places as exact decimals, without a Python number per row."""
    pairs = np.empty((len(units), 2), dtype="<i8")
    pairs[:, 0] = units
    pairs[:, 1] = units >> 63
    return pa.Array.from_buffers(pa.decimal128(18, places), len(units), [None, pa.py_buffer(pairs.tobytes())])


def _bytes(table: pa.Table, form: str) -> bytes:
    buffer = io.BytesIO()
    if form == PARQUET:
        pq.write_table(table, buffer, compression="zstd")
        return buffer.getvalue()
    if form == JSON:
        rows = table.cast(pa.schema([(name, pa.string()) for name in table.column_names])).to_pylist()
        return (json.dumps(rows, indent=0, ensure_ascii=False) + "\n").encode()
    if any(not pa.types.is_string(column.type) for column in table.columns):
        # Large tables: nothing in them needs quotes.
        options = pa_csv.WriteOptions(quoting_style="none", quoting_header="none")
        pa_csv.write_csv(table, buffer, options)
    else:
        buffer.write(table.to_pandas().to_csv(index=False, lineterminator="\n").encode())
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0) if form == GZIP else buffer.getvalue()


@dataclass
class Zone:
    """The landing zone that is being filled.

    Attributes:
        landing: its root.
        stream: the stream that the sources belong to.
        batches: batches written.
        rows: rows written.
    """

    landing: Path
    stream: str
    batches: int = 0
    rows: int = 0
    _taken: set[str] = field(default_factory=set)

    def write(self, source: str, arrival: datetime, name: str, table: pa.Table, form: str = CSV, *, covers: str = "") -> str:
        """Write one batch of one file, so that it appears at once, and return its id; ``covers`` is what its writer says."""
        return self.put(source, arrival, {f"{name}.{form}": _bytes(table, form)}, table.num_rows, covers=covers)

    def put(self, source: str, arrival: datetime, files: Mapping[str, bytes], rows: int, *, covers: str = "") -> str:
        """Write one batch of files as they are, so that it appears at once, and return its id."""
        found = batch_id(self.stream, source, arrival)
        if found in self._taken:
            raise ValueError(f"batch {found} is written twice")
        self._taken.add(found)
        target = self.landing / self.stream / source / arrival_text(arrival)
        if target.exists():
            raise FileExistsError(f"{target} is there already, and a batch never changes")
        with made(target, durable=Durable.NOTHING) as new:
            new.mkdir()
            for name, content in files.items():
                (new / name).write_bytes(content)
            if covers:
                (new / NOTE).write_text(note_of(covers), encoding="utf-8")
        self.batches += 1
        self.rows += rows
        return found


def text_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of texts as a table; what is missing or ``None`` is empty."""
    return pa.table({name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in columns})


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def write_truth(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table of what was planted, sorted by its columns so that it reads the same each time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame([[_text(row.get(name)) or "" for name in columns] for row in rows], columns=list(columns), dtype=str)
    frame.sort_values(list(columns)).to_csv(file, index=False, lineterminator="\n")


def read_rates(faults: str) -> dict[str, Any]:
    """Return what a TOML file of rates says, unjudged.

    Raises:
        UsageError: it is no readable TOML file.
    """
    try:
        return tomllib.loads(Path(faults).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"--faults {faults} cannot be read: {error.strerror}", "Use default, none, or the path of a TOML file"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--faults {faults} is not UTF-8", "Save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--faults {faults} is not TOML: {error}", "Correct the file") from error


def refuse_unknown_kinds(*tables: tuple[str, Collection[str], Collection[str]]) -> None:
    """Refuse kinds of faults that a simulator does not know.

    Args:
        tables: for each table of the file its name, the kinds that stand in it, and those that there are.

    Raises:
        ValueError: a kind is not known; the message names the table and those that it knows.
    """
    for name, kinds, known in tables:
        if unknown := sorted(set(kinds) - set(known)):
            raise ValueError(f"[{name}] has no kind {', '.join(unknown)}; it knows {', '.join(known)}")


def refused(faults: str, error: ValidationError) -> UsageError:
    """Return the refusal of a file whose rates are not allowed."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    return UsageError(f"--faults {faults}: {place or 'kinds'}: {problem['msg']}", "Correct the file")
