"""Whether texts are plainly what they are taken for, seen in their bytes as they lie in memory.

Belongs here: the bytes of many texts at once, and looks at them that may only err on the side of doubt. Does not belong here:
judging a single text, and saying what is wrong with it (``values``).

A pattern for each text costs more than everything else that is done with millions of them. The bytes of a column lie side by
side, so that the smallest and the largest of them tell most of what a pattern would.
"""

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from revenue_integrity.landing.values import CANONICAL_INSTANT
from revenue_integrity.model.source import SourceColumn
from revenue_integrity.warehouse.storage import arrow_type

Bytes = npt.NDArray[np.uint8]
"""The bytes of texts, one after the other."""

Places = npt.NDArray[np.int32] | npt.NDArray[np.int64]
"""Where in them each text begins, and the last one ends."""

_HOUR = len("2024-01-31T")
_CLOCK_ENDS = len("2024-01-31T00:00:00")
_SIDE_BY_SIDE = 64
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

_FLAGS = pa.array(["true", "false"])


def may_be_untidy(identifiers: pa.Array) -> bool:
    """Return whether any of some identifiers is null or empty, or holds a character that no tidy one does."""
    begins, text = in_memory(identifiers)
    if identifiers.null_count or (begins[1:] == begins[:-1]).any():
        return True
    if not len(text):
        return False
    least, most = text.min(), text.max()
    if least < ord("!") or most > ord("~"):
        return True
    # Most have nothing from `_` to `z`, and are not looked through for it. Bytes below `_` wrap around to large ones.
    return bool(most >= ord("_") and (text - np.uint8(ord("_"))).min() <= ord("z") - ord("_"))


def plain_values(texts: Mapping[SourceColumn, pa.Array]) -> list[pa.Array] | None:
    """Return the values of texts, column by column, or nothing unless all of them certainly are what a cast makes of them."""
    values = []
    for column, text in texts.items():
        try:
            value = text.cast(arrow_type(column.sql_type))
        except pa.ArrowInvalid:
            return None
        if column.sql_type != "VARCHAR" and not _all_plain(column, text):
            return None
        values.append(value)
    return values


def _all_plain(column: SourceColumn, texts: pa.Array) -> bool:
    """Return whether texts that can be cast have no other form than the usual one, so that nothing of them is rounded away."""
    if column.kind == "bool":
        return bool(pc.all(pc.is_in(texts.drop_null(), _FLAGS)).as_py())
    if texts.null_count or not len(texts):
        return False
    begins, text = in_memory(texts)
    if column.kind == "dec":
        return _all_decimal(column, begins, text)
    width = int(begins[1])
    if not width or (np.diff(begins) != width).any():
        return False
    return _all_alike(text.reshape(len(texts), width), _DAY if column.kind == "date" else CANONICAL_INSTANT)


def in_memory(texts: pa.Array) -> tuple[Places, Bytes]:
    """Return where each of some texts begins and the last one ends, from 0, and the bytes of all."""
    _, places, data = texts.buffers()
    begins = np.frombuffer(places, np.int64 if pa.types.is_large_string(texts.type) else np.int32)
    begins = begins[texts.offset : texts.offset + len(texts) + 1]
    text = np.frombuffer(data, np.uint8)[begins[0] : begins[-1]] if data is not None else np.empty(0, np.uint8)
    return begins - begins[0], text


def _all_alike(table: npt.NDArray[np.uint8], pattern: str) -> bool:
    """Return whether the first of some texts fits a pattern, and all others have digits where it has digits, else its bytes.

    What digits alone do not tell stays in doubt: years that begin with a zero (before the year 1 they are written otherwise), an
    hour 24 (a cast takes it for the next day), and different offsets (a cast takes any).
    """
    first, low, high = table[0], _of_columns(np.minimum, table), _of_columns(np.maximum, table)
    is_digit = (low >= ord("0")) & (high <= ord("9"))
    is_digit[_CLOCK_ENDS:] = False
    if not (is_digit | (low == high)).all() or low[0] == ord("0"):
        return False
    if len(first) > _HOUR + 1 and ((table[:, _HOUR] == ord("2")) & (table[:, _HOUR + 1] > ord("3"))).any():
        return False
    return bool(re.fullmatch(pattern, first.tobytes().decode("ascii", errors="replace")))


def _of_columns(least_or_most: np.ufunc, table: npt.NDArray[np.uint8]) -> Bytes:
    """Reduce each column of a table of few columns: many rows side by side make one long row, which takes a thirtieth."""
    whole = len(table) - len(table) % _SIDE_BY_SIDE
    width = table.shape[1]
    parts = [table[whole:]]
    if whole:
        long_rows = table[:whole].reshape(-1, _SIDE_BY_SIDE * width)
        parts.append(least_or_most.reduce(long_rows, axis=0).reshape(_SIDE_BY_SIDE, width))
    found: Bytes = least_or_most.reduce(np.concatenate(parts), axis=0)
    return found


def _all_decimal(column: SourceColumn, begins: Places, text: Bytes) -> bool:
    if not len(text) or text.min() < ord("-") or text.max() > ord("9") or (text == ord("/")).any():
        return False
    # A cast that took them saw to it that there is one point at most, and a sign at the begin alone.
    points = np.flatnonzero(text == ord("."))
    whole = np.diff(begins).astype(np.int64)
    of = np.arange(len(whole)) if len(points) == len(whole) else np.searchsorted(begins, points, side="right") - 1
    places = begins[of + 1] - points - 1
    whole[of] = points - begins[of]
    return bool(
        whole.min() > 0
        and whole.max() <= column.digits - column.places
        and (not len(points) or (places.min() > 0 and places.max() <= column.places and (text[points - 1] >= ord("0")).all()))
    )
