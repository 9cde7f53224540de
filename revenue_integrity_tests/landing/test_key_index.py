"""Fingerprints of keys, against sets and counters of plain Python."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity.landing import key_index

EDGES = (0, 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)
"""Fingerprints where a signed comparison, or a range that leaves its end out, goes wrong."""

fingerprints = st.lists(st.sampled_from(EDGES) | st.integers(0, 2**64 - 1) | st.integers(0, 40), max_size=40)


def array(values: list[int], *, in_order: bool = True) -> key_index.Fingerprints:
    """Return fingerprints as they are kept: sorted, unless said otherwise."""
    return np.array(sorted(values) if in_order else values, np.uint64)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(fingerprints, max_size=5))
def test_repeated_are_those_that_stand_more_than_once(sets: list[list[int]]) -> None:
    counted = Counter(value for each in sets for value in each)
    assert key_index.repeated([array(each) for each in sets]).tolist() == sorted(key for key, n in counted.items() if n > 1)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(fingerprints, max_size=4), st.integers(1, 7))
def test_comparing_in_ranges_changes_nothing(sets: list[list[int]], at_once: int) -> None:
    arrays = [array(each) for each in sets]
    whole = key_index.repeated(arrays).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_index, "_AT_ONCE", at_once)
        assert key_index.repeated(arrays).tolist() == whole


@settings(max_examples=60, deadline=None, derandomize=True)
@given(fingerprints, fingerprints, st.sampled_from([0, 1, 20, 10_000]))
def test_shared_are_those_in_both(some: list[int], others: list[int], probe: int) -> None:
    # Both ways of comparing, whichever is smaller, and whether it is looked up or merged.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_index, "_PROBE", probe)
        found = key_index.shared(array(some), array(others)).tolist()
    assert found == sorted(set(some) & set(others))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(fingerprints, max_size=4))
def test_union_is_each_once(sets: list[list[int]]) -> None:
    assert key_index.union([array(each) for each in sets]).tolist() == sorted({value for each in sets for value in each})


def test_nothing_wanted_and_nothing_there() -> None:
    nothing, one = array([]), array([7])
    assert key_index.repeated([]).tolist() == []
    assert key_index.shared(nothing, one).tolist() == []
    assert key_index.shared(one, nothing).tolist() == []
    assert key_index.union([]).tolist() == []


def test_kept_fingerprints_come_back_as_they_stood(tmp_path: Path) -> None:
    file = tmp_path / "made" / "x.keys"
    stored = [5, 2**64 - 1, 0, 5]
    key_index.save(array(stored, in_order=False), file)
    kept = key_index.load(file)
    assert isinstance(kept, np.memmap), "mapped, not read"
    assert kept.tolist() == stored
    key_index.save(array([]), tmp_path / "none.keys")
    assert key_index.load(tmp_path / "none.keys").tolist() == []


def test_what_is_kept_is_never_changed_by_comparing(tmp_path: Path) -> None:
    stored = [[0, 5, 5, 9], [5, 7]]
    for number, each in enumerate(stored):
        key_index.save(array(each), tmp_path / str(number))
    kept = [key_index.load(tmp_path / str(number)) for number in range(2)]
    assert key_index.repeated(kept).tolist() == [5]
    assert key_index.repeated(kept[:1]).tolist() == [5]
    assert key_index.shared(*kept).tolist() == [5]
    assert [each.tolist() for each in kept] == stored
