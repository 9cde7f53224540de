"""Which rows share their key with another row, found without grouping all of them: a sorted index per file, in a file beside it.

Belongs here: hashing keys; making, keeping and comparing indexes. Does not belong here: what is done with rows whose key stands
more than once (``versions``): rows that are found here are candidates, the keys themselves decide.

An index has an entry of 64 bits per row, in order: the upper bits are those of the hash of the row's key, the lower ones, as many
as the file's rows need, the number of the row. So what shares a key lies side by side, and an entry says where its row stands:
nobody scans a file for the rows of a key. Between files, as many upper bits are compared as all of them have.

Why not in the engine: grouping 30 million identifiers costs as much as everything else of a day together. Sorting their
hashes costs a tenth, and a correction of some thousand events finds them among those of a quarter by binary search instead of a
scan. Indexes are mapped from disk: what is in memory at once is one file's, or a range of all of them.
"""

import mmap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from revenue_integrity.errors import WarehouseError
from revenue_integrity.files import sync
from revenue_integrity.landing.eventstore import plain_text

Entries = npt.NDArray[np.uint64]
"""An index, or the hashes of some keys."""

Rows = npt.NDArray[np.int64]
"""Numbers of rows, from 0."""

_AT_ONE_GO = getattr(mmap, "MAP_POPULATE", 0)
"""Asks Linux for all pages of a file in one call; where it is unknown, they come one by one."""

_AT_ONCE = 32_000_000
"""Entries that are compared at once: 256 MB."""

_LOOKED_AT = 100_000
"""Neighbours that are looked at together: the processor's cache holds them and what is worked out of them."""

_SIFTED = 20_000
"""Entries that are sifted together: what is worked out of them stays in the nearer cache, beside a part of the sieve."""

_PROBE = 40
"""Keys that are this much fewer than the entries of an index are looked up in it one by one; otherwise its entries are sifted."""

_PART = 8
"""Bytes of a text that are hashed at once: as many as a number has."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio, and odd: multiplying by it loses nothing and leaves no pattern of digits."""

_HALF = np.uint64(32)

_SIEVE_BITS = 26
"""Bits of a key that a sieve tells apart at most: it holds 64 MB."""


def entries_of(hashes: Entries, rows: Rows, file_rows: int) -> Entries:
    """Return the entries of some rows of a file, given the hashes of their keys and how many rows the file has."""
    bits = _row_bits(file_rows)
    return hashes >> bits << bits | rows.view(np.uint64)


def hashes_of(keys: pa.Array) -> Entries:
    """Return a hash of 64 bits of each of some texts: it depends on the text alone, never on what stands beside it.

    Not the engine's, which takes a text eight bytes by eight and lets what differs in the last byte of one such part be undone by
    as much in the last byte of the next: of 900 million numbers written with twelve digits a quarter had the hash of another one.
    """
    if len(keys) > _LOOKED_AT:
        return np.concatenate([hashes_of(keys.slice(begin, _LOOKED_AT)) for begin in range(0, len(keys), _LOOKED_AT)])
    begins, text = plain_text.in_memory(keys)
    lengths = np.diff(begins)
    if not len(lengths):
        return np.empty(0, np.uint64)
    if (lengths == lengths[0]).all():
        return _hashes(text.reshape(len(lengths), -1))
    hashes = np.empty(len(lengths), np.uint64)
    order = np.argsort(lengths, kind="stable")
    for alike in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        hashes[alike] = _hashes(text[begins[alike, np.newaxis] + np.arange(lengths[alike[0]])])
    return hashes


def _hashes(texts: npt.NDArray[np.uint8]) -> Entries:
    """Hash texts of one length, a row each: a polynomial of their parts of eight bytes, each of which is spread before."""
    rows, length = texts.shape
    if length < _PART:
        texts = np.pad(texts, ((0, 0), (0, _PART - length)))
    hashes = np.full(rows, length, np.uint64)
    last = texts.shape[1] - _PART
    for place in (*range(0, last, _PART), last):
        part = np.ndarray((rows,), "<u8", texts, place, (texts.shape[1],)) * _FACTOR
        # A product carries upwards alone: what differs in the last byte must reach lower ones, too, before parts are added.
        part ^= part >> _HALF
        hashes += part
        hashes *= _FACTOR
    hashes ^= hashes >> _HALF
    return hashes * _FACTOR


def hashes_of_keys(columns: Sequence[pa.Array]) -> Entries:
    """Return a hash of 64 bits of each of some keys, given their columns: texts, days, instants, whole numbers or flags."""
    first, *others = map(_hashes_of_column, columns)
    for each in others:
        # Turned before it is added: the columns of a key must not be exchangeable.
        first = (first ^ first >> _HALF) * _FACTOR + each
    return first


def _hashes_of_column(column: pa.Array) -> Entries:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return hashes_of(column)
    # Bad rows alone have no value: they are candidates and no more.
    numbers = pc.fill_null(column.cast(pa.int32()) if pa.types.is_date32(column.type) else column, 0).cast(pa.int64())
    hashes: Entries = numbers.to_numpy(zero_copy_only=False).view(np.uint64) * _FACTOR
    hashes ^= hashes >> _HALF
    return hashes * _FACTOR


def beside(path: Path) -> Path:
    """Return where the index of a kept file stands."""
    return path.with_name(f"{path.name}.keys")


def save_parts(hashes: Sequence[Entries], rows: int, file: Path) -> None:
    """Keep the index of a file of some rows, given the hashes of their keys in the order of the file, part by part."""
    entries = np.empty(rows, np.uint64)
    done = 0
    for part in hashes:
        end = done + len(part)
        entries[done:end] = entries_of(part, np.arange(done, end), rows)
        done = end
    save(entries, file)


def save(entries: Entries, file: Path) -> None:
    """Keep the entries of all rows of a file as its index; they are sorted in place."""
    entries.sort()
    file.parent.mkdir(parents=True, exist_ok=True)
    entries.tofile(file)
    # Half an index would hide rows that share their key: it must be whole before anything refers to it.
    sync(file)


@dataclass(frozen=True)
class Index:
    """A kept index.

    Attributes:
        file: where it stands.
        rows: rows of the file that it is of.
    """

    file: Path
    rows: int

    def entries(self, lookups: int = 0) -> Entries:
        """Return its entries, mapped from disk: all at once where so many lookups touch every page.

        Raises:
            WarehouseError: it is not whole.
        """
        size = self.file.stat().st_size
        if size != self.rows * np.dtype(np.uint64).itemsize:
            raise WarehouseError(
                f"{self.file} is damaged: it has {size} bytes, for {self.rows} rows", "Delete it and run again: it is made anew"
            )
        if not size:
            return np.empty(0, np.uint64)
        flags = mmap.MAP_SHARED | (_AT_ONE_GO if lookups * mmap.PAGESIZE > size else 0)
        with self.file.open("rb") as stream:
            return np.frombuffer(mmap.mmap(stream.fileno(), 0, flags=flags, prot=mmap.PROT_READ), np.uint64)


def contested(fresh: Mapping[int, Index], held: Mapping[int, Index]) -> dict[int, Rows]:
    """Return, by file, the rows whose key may stand in another row, and in at least one row of a fresh file.

    Args:
        fresh: indexes of files that are new, by the numbers of their files.
        held: indexes of those that were there.

    Raises:
        WarehouseError: an index is not whole.
    """
    # As many upper bits as all have.
    bits = _row_bits(max((each.rows for each in (*fresh.values(), *held.values())), default=0))
    wanted = [_repeated(list(fresh.values()), bits)]
    met: dict[int, list[Entries]] = {number: [] for number in held}
    for group in _groups(list(fresh.values())) if held else ():
        keys = _union(each.entries() >> bits for each in group)
        sieve = _Sieve(keys, bits)
        for number, index in held.items():
            # One at a time: a mapped file stays open, and together they are as long as everything that ever came.
            met[number].append(_shared(keys, index.entries(len(keys)), bits, sieve))
    in_held = {number: _union(each) for number, each in met.items()}
    keys = _union([*wanted, *in_held.values()])
    sieve = _Sieve(keys, bits)
    rows = {number: _rows(index.entries(len(in_held[number])), in_held[number], bits) for number, index in held.items()}
    for number, index in fresh.items():
        entries = index.entries(len(keys))
        # Of the keys of many files few stand in each: looking all up in each would take many times what sifting takes.
        present = _shared(keys, entries, bits, sieve) if _is_sifted(keys, entries) else keys
        rows[number] = _rows(entries, present, bits)
    return {number: each for number, each in rows.items() if len(each)}


def _groups(indexes: Sequence[Index]) -> Iterator[list[Index]]:
    """Put indexes together as far as they may be compared at once."""
    group: list[Index] = []
    for each in indexes:
        if group and sum(index.rows for index in group) + each.rows > _AT_ONCE:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _row_bits(rows: int) -> np.uint64:
    """Return how many lower bits of an entry hold the number of its row."""
    return np.uint64(max(rows - 1, 0).bit_length())


def _repeated(indexes: Sequence[Index], bits: np.uint64) -> Entries:
    """Return the keys that stand more than once in some indexes together, without their lower bits, sorted and each once."""
    if len(indexes) == 1:
        return _alike(indexes[0].entries(), bits)
    total = sum(each.rows for each in indexes)
    parts = _ranges(indexes, max(1, -(-total // _AT_ONCE)), bits)
    # Sorted runs one after the other: a stable sort would merge them, which for many runs takes four times as long.
    found = [_alike(np.sort(np.concatenate(part)), bits) for part in parts if part]
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _ranges(indexes: Sequence[Index], parts: int, bits: np.uint64) -> Iterator[list[Entries]]:
    """Cut the range of all keys into parts, and yield what each index holds of each: hashes spread evenly."""
    bounds = [np.uint64(part * 2**64 // parts) >> bits << bits for part in range(parts)]
    for part, low in enumerate(bounds):
        cut = []
        for index in indexes:
            entries = index.entries()
            begin = np.searchsorted(entries, low)
            end = len(entries) if part + 1 == parts else np.searchsorted(entries, bounds[part + 1])
            if end > begin:
                # A copy, or its file would stay open: of thousands of files not all can be.
                cut.append(entries[begin:end].copy())
        yield cut


def _alike(ordered: Entries, bits: np.uint64) -> Entries:
    """Return the keys that stand more than once in sorted entries, without their lower bits."""
    found = [np.empty(0, np.uint64)]
    for begin in range(0, len(ordered), _LOOKED_AT):
        # An entry more than a part has: the last of one and the first of the next may be alike.
        part = ordered[begin : begin + _LOOKED_AT + 1]
        found.append(part[1:][part[1:] ^ part[:-1] <= _low_bits(bits)] >> bits)
    return _each_once(np.concatenate(found))


def _each_once(ordered: Entries) -> Entries:
    """Return what a sorted array holds, each once; the library's own way sorts (or hashes) again."""
    if not len(ordered):
        return ordered
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]


class _Sieve:
    """Lets pass what begins like one of some keys: most entries of an index are done with after one look at a small table."""

    def __init__(self, keys: Entries, bits: np.uint64) -> None:
        # With 32 places a key, one entry in 32 passes by chance.
        width = min(len(keys).bit_length() + 5, _SIEVE_BITS, 64 - int(bits))
        self._shift = np.uint64(64 - width)
        self._is_met = np.zeros(1 << width, np.bool_)
        self._is_met[keys << bits >> self._shift] = True

    def passing(self, entries: Entries) -> Entries:
        found = [np.empty(0, np.uint64)]
        for begin in range(0, len(entries), _SIFTED):
            part = entries[begin : begin + _SIFTED]
            # No place lies outside: looking whether one does, as plain indexing would, takes as long again as looking at it.
            found.append(part[self._is_met.take((part >> self._shift).view(np.int64), mode="clip")])
        return np.concatenate(found)


def _is_sifted(keys: Entries, entries: Entries) -> bool:
    """Return whether entries are sifted for some keys, or these are looked up in them one by one."""
    return len(keys) * _PROBE > len(entries)


def _shared(keys: Entries, entries: Entries, bits: np.uint64, sieve: _Sieve) -> Entries:
    """Return those of some keys (without their lower bits, sorted and each once) that stand in an index."""
    if _is_sifted(keys, entries):
        found = _each_once(sieve.passing(entries) >> bits)
        return found[_begins(keys, found, np.uint64(0))[1]]
    return keys[_begins(entries, keys, bits)[1]]


def _rows(entries: Entries, keys: Entries, bits: np.uint64) -> Rows:
    """Return the rows of an index that have one of some keys (without their lower bits, sorted)."""
    begins, there = _begins(entries, keys, bits)
    begins, lows = begins[there], keys[there] << bits
    counts = np.searchsorted(entries, lows | _low_bits(bits), side="right") - begins
    # The places from each begin to its end, one after the other.
    places = np.arange(counts.sum()) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
    found: Rows = (entries[places] & _low_bits(_row_bits(len(entries)))).view(np.int64)
    return found


def _begins(entries: Entries, keys: Entries, bits: np.uint64) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Return where in an index the entries of some keys (without their lower bits, sorted) would begin, and which are there."""
    if not len(entries):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    lows = keys << bits
    begins = np.searchsorted(entries, lows)
    there = entries[np.minimum(begins, len(entries) - 1)] ^ lows <= _low_bits(bits)
    return begins, there


def _low_bits(bits: np.uint64) -> np.uint64:
    """Return the number whose so many lower bits are set."""
    return (np.uint64(1) << bits) - np.uint64(1)


def _union(keys: Iterable[Entries]) -> Entries:
    """Return some keys, sorted and each once."""
    return _each_once(np.sort(np.concatenate([np.empty(0, np.uint64), *keys])))
