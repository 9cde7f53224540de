"""Writing datasets to files that a person names: CSV, JSON, Parquet.

Belongs here: forms of files by their endings, writing batch by batch what does not fit into memory. Does not belong here: which
rows (``export``), how values look as text (``output``).
"""

import errno
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity import output
from revenue_integrity.errors import PublishError, RevenueIntegrityError, UsageError
from revenue_integrity.files import Durable, made
from revenue_integrity.model.dataset import Streamed
from revenue_integrity.output import Format
from revenue_integrity.serving.catalogue import Dataset
from revenue_integrity.serving.export import Asked, opened, rows_of
from revenue_integrity.warehouse.storage import exact_frame

_ENDINGS = {".csv": Format.CSV, ".json": Format.JSON, ".parquet": None}
"""How files are called, each with the form that its ending means; Parquet is none that is printed."""

_ROWS_AT_ONCE = 50_000
"""Rows in memory at once when they are written as text."""


def write(dataset: Dataset, asked: Asked, to: Path, chosen: Format | None, *, safe_cells: bool = False) -> int:
    """Write the rows of a dataset to a file, as its ending says or as chosen; return how many.

    A file that stands there is replaced once the new one is whole; whatever fails leaves it as it was.

    Raises:
        PublishError: nothing of it is published for these months, or the past world was not computed.
        UsageError: the file cannot be written, or its ending says another form, or none.
    """
    form = _form_of(to, chosen)
    if isinstance(dataset, Streamed):
        fill = partial(_write_streamed, dataset, asked)
    else:
        fill = partial(_write_frame, rows_of(dataset, asked))
    target = to.resolve()
    if (target.exists() and not target.is_file()) or not target.parent.is_dir():
        what = "it is no file" if target.exists() else "there is no such directory"
        raise UsageError(f"{to} cannot be written: {what}", "Name another file, or leave out -o to print")
    try:
        with made(target, durable=Durable.CONTENT) as new:
            return fill(new, form, safe_cells=safe_cells)
    except (OSError, duckdb.IOException) as error:
        raise _unwritable(to, error) from error


def _write_frame(frame: pd.DataFrame, to: Path, form: Format | None, *, safe_cells: bool) -> int:
    if form is None:
        frame.to_parquet(to, index=False)
    else:
        with to.open("w", encoding="utf-8", newline="") as stream:
            output.show(frame, form, stream, safe_cells=safe_cells)
    return len(frame)


def _write_streamed(dataset: Streamed, asked: Asked, to: Path, form: Format | None, *, safe_cells: bool) -> int:
    """Write a dataset by the million batch by batch, for it need not fit into memory."""
    with opened(dataset, asked) as found:
        if form is None:
            found.write_parquet(str(to), compression="zstd")
            return int(pq.read_metadata(to).num_rows)
        count = 0

        def rows() -> Iterator[dict[str, Any]]:
            nonlocal count
            for batch in found.to_arrow_reader(_ROWS_AT_ONCE):
                count += len(batch)
                yield from output.plain_rows(exact_frame(pa.Table.from_batches([batch])))

        with to.open("w", encoding="utf-8", newline="") as stream:
            if form is Format.JSON:
                output.write_json(rows(), stream)
            else:
                output.write_csv(rows(), list(found.columns), stream, safe_cells=safe_cells)
    return count


def _form_of(to: Path, chosen: Format | None) -> Format | None:
    """Return the form of a file, ``None`` for Parquet; refuse one whose name says another, or none."""
    ending = to.suffix.lower()
    if chosen is None:
        if ending not in _ENDINGS:
            raise UsageError(
                f"{to.name} ends in none of {', '.join(_ENDINGS)}", "Name another file, or say the form with --format"
            )
        return _ENDINGS[ending]
    if ending in _ENDINGS and _ENDINGS[ending] is not chosen and chosen is not Format.TABLE:
        raise UsageError(f"{to.name} is no name of {chosen.value}", "Leave out --format, or name another file")
    return chosen


def _unwritable(to: Path, error: Exception) -> RevenueIntegrityError:
    # The engine's own errors carry no strerror.
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "no space left" in reason.lower():
        # The name is right: what is wrong is the disk.
        return PublishError(f"{to} cannot be written: {reason}", "Make room on the disk, and try again")
    return UsageError(f"{to} cannot be written: {reason}", "Name another file")
