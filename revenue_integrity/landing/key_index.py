"""Which events have more than one row, found without grouping all of them: sorted fingerprints of keys, a file of them per file.

Belongs here: making, keeping and comparing arrays of 64-bit fingerprints. Does not belong here: what is done with keys that
stand more than once (``events``): equal fingerprints are candidates, the keys themselves decide.

Why not in the engine: grouping 30 million identifiers costs as much as everything else of a day together. Sorting their
fingerprints costs a tenth, and a correction of some thousand events finds them among the fingerprints of a quarter by binary
search instead of a scan. Arrays are mapped from disk: what is in memory at once is one file's, or a range of all of them.
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Fingerprints = npt.NDArray[np.uint64]

_AT_ONCE = 32_000_000
"""Fingerprints that are compared at once: 256 MB."""

_PROBE = 20
"""A set that is this much smaller than the other is looked up one by one; otherwise both are merged."""


def save(fingerprints: Fingerprints, file: Path) -> None:
    """Keep fingerprints as they stand."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        np.save(stream, fingerprints)


def load(file: Path, lookups: int = 0) -> Fingerprints:
    """Return kept fingerprints, mapped from disk; read at once where so many lookups would touch every page of them."""
    touches_all = lookups * mmap.PAGESIZE > file.stat().st_size
    kept: Fingerprints = np.load(file, mmap_mode=None if touches_all else "r")
    return kept


def repeated(sets: Sequence[Fingerprints]) -> Fingerprints:
    """Return the fingerprints that stand more than once in some sorted arrays together, sorted and each once."""
    if len(sets) == 1:
        return _repeated_in(sets[0])
    total = sum(len(each) for each in sets)
    found = [_repeated(np.concatenate(part)) for part in _ranges(sets, max(1, -(-total // _AT_ONCE))) if part]
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _ranges(sets: Sequence[Fingerprints], parts: int) -> Iterator[list[Fingerprints]]:
    """Cut the range of all fingerprints into parts, and yield what each array holds of each: hashes spread evenly."""
    bounds = [np.uint64(part * 2**64 // parts) for part in range(parts)]
    for part, low in enumerate(bounds):
        cut = []
        for each in sets:
            begin = np.searchsorted(each, low)
            end = len(each) if part + 1 == parts else np.searchsorted(each, bounds[part + 1])
            if end > begin:
                cut.append(np.asarray(each[begin:end]))
        yield cut


def _repeated(fingerprints: Fingerprints) -> Fingerprints:
    # Sorted runs one after the other: a stable sort merges them.
    fingerprints.sort(kind="stable")
    return _repeated_in(fingerprints)


def _repeated_in(ordered: Fingerprints) -> Fingerprints:
    return _each_once(ordered[1:][ordered[1:] == ordered[:-1]])


def _each_once(ordered: Fingerprints) -> Fingerprints:
    """Return what a sorted array holds, each once; the library's own way sorts (or hashes) again."""
    if not len(ordered):
        return ordered
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]


def shared(some: Fingerprints, others: Fingerprints) -> Fingerprints:
    """Return the fingerprints that stand in both of two sorted arrays, sorted and each once."""
    few, many = sorted((some, others), key=len)
    if len(few) * _PROBE > len(many):
        return _repeated(np.concatenate([_each_once(few), _each_once(many)]))
    return _each_once(few[_is_in(few, many)])


def _is_in(wanted: Fingerprints, among: Fingerprints) -> npt.NDArray[np.bool_]:
    if not len(among):
        return np.zeros(len(wanted), np.bool_)
    places = np.searchsorted(among, wanted)
    places[places == len(among)] = 0
    found: npt.NDArray[np.bool_] = among[places] == wanted
    return found


def union(sets: Iterable[Fingerprints]) -> Fingerprints:
    """Return the fingerprints of some arrays, sorted and each once."""
    return _each_once(np.sort(np.concatenate([np.empty(0, np.uint64), *sets])))
