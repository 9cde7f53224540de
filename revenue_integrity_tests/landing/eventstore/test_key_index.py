"""The index of keys, against counters of plain Python."""

import itertools
import resource
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity.errors import WarehouseError
from revenue_integrity.landing.eventstore import key_index

EDGES = (0, 1, 2**63 - 1, 2**63, 2**64 - 2**20, 2**64 - 1)
"""Hashes where a signed comparison, or a range that leaves its end out, goes wrong."""

SPREAD = 2**40
"""Hashes this far apart differ in the upper bits that an index of the few rows here compares."""

FACTOR = 0x9E3779B97F4A7C15
"""What a hash is multiplied by."""

hashes = (
    st.sampled_from(EDGES) | st.integers(0, 2**24 - 1).map(lambda number: number * SPREAD) | st.integers(0, 8).map(SPREAD.__mul__)
)
files = st.lists(st.lists(hashes, max_size=40), max_size=5)


def kept(folder: Path, of_files: list[list[int]]) -> dict[int, key_index.Index]:
    """Keep an index of each file, given the hashes of its rows in their order."""
    indexes = {}
    for number, each in enumerate(of_files):
        indexes[number] = key_index.Index(folder / "made" / f"{number}.keys", len(each))
        rows = np.arange(len(each), dtype=np.int64)
        key_index.save(key_index.entries_of(np.array(each, np.uint64), rows, len(each)), indexes[number].file)
    return indexes


def found(fresh: dict[int, key_index.Index], held: dict[int, key_index.Index]) -> set[tuple[int, int]]:
    return {(number, row) for number, rows in key_index.contested(fresh, held).items() for row in rows.tolist()}


def expected(of_files: list[list[int]], fresh: set[int], bits: int) -> set[tuple[int, int]]:
    """Return rows whose key stands more than once, once of them in a fresh file; keys are told apart by their upper bits."""
    rows = [(number, row, value >> bits) for number, each in enumerate(of_files) for row, value in enumerate(each)]
    counted = Counter(key for _, _, key in rows)
    in_fresh = {key for number, _, key in rows if number in fresh}
    return {(number, row) for number, row, key in rows if counted[key] > 1 and key in in_fresh}


def row_bits(of_files: list[list[int]]) -> int:
    """Return how many lower bits the longest file needs to number its rows."""
    return max((len(f"{len(each) - 1:b}") if len(each) > 1 else 0 for each in of_files), default=0)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    files,
    st.integers(0, 5),
    st.sampled_from([0, 1, 20, 10_000]),
    st.sampled_from([1, 2, 7, 1_000]),
    st.sampled_from([1, 3, 1_000]),
    st.sampled_from([1, 4, 26]),
)
def test_contested_are_the_rows_that_share_their_key(
    tmp_path_factory: pytest.TempPathFactory,
    of_files: list[list[int]],
    news: int,
    probe: int,
    at_once: int,
    looked_at: int,
    sieve_bits: int,
) -> None:
    indexes = kept(tmp_path_factory.mktemp("index"), of_files)
    fresh = {number: index for number, index in indexes.items() if number < news}
    held = {number: index for number, index in indexes.items() if number >= news}
    # All ways of comparing, whichever file is longer, whether it is looked up or sifted, at once or in ranges.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_index, "_PROBE", probe)
        patch.setattr(key_index, "_AT_ONCE", at_once)
        patch.setattr(key_index, "_LOOKED_AT", looked_at)
        patch.setattr(key_index, "_SIFTED", looked_at)
        patch.setattr(key_index, "_SIEVE_BITS", sieve_bits)
        assert found(fresh, held) == expected(of_files, set(fresh), row_bits(of_files))


def test_worked_by_hand(tmp_path: Path) -> None:
    a, b, c, d = (number * SPREAD for number in (9, 4, 7, 2**23))
    indexes = kept(tmp_path, [[a, b, a, d], [c, b, c]])
    assert found(indexes, {}) == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)}
    # What is contested among files of before is no news.
    assert found({0: indexes[0]}, {1: indexes[1]}) == {(0, 0), (0, 1), (0, 2), (1, 1)}
    assert found({1: indexes[1]}, {0: indexes[0]}) == {(1, 0), (1, 1), (1, 2), (0, 1)}


def test_nothing_new_and_nothing_there(tmp_path: Path) -> None:
    indexes = kept(tmp_path, [[], [7 * SPREAD], [7 * SPREAD]])
    assert found({}, {}) == set()
    assert found({}, indexes) == set()
    assert found({0: indexes[0]}, {1: indexes[1]}) == set()
    assert found({1: indexes[1]}, {0: indexes[0], 2: indexes[2]}) == {(1, 0), (2, 0)}


def test_a_long_file_tells_its_rows_beside_a_short_one(tmp_path: Path) -> None:
    # 100,000 rows need 17 bits, three need two: each is told by its own, and both are compared by what they share.
    long = [number * 2**44 for number in range(100_000)]
    indexes = kept(tmp_path, [long, [long[99_999], 2**63 + 2**43, long[70_001]]])
    assert found({1: indexes[1]}, {0: indexes[0]}) == {(0, 99_999), (0, 70_001), (1, 0), (1, 2)}


def test_what_is_kept_is_never_changed_by_comparing(tmp_path: Path) -> None:
    indexes = kept(tmp_path, [[0, 5 * SPREAD, 5 * SPREAD, 9 * SPREAD], [5 * SPREAD, 7 * SPREAD]])
    before = [index.file.read_bytes() for index in indexes.values()]
    for probe in (0, 10_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(key_index, "_PROBE", probe)
            found(indexes, {})
            found({1: indexes[1]}, {0: indexes[0]})
    assert [index.file.read_bytes() for index in indexes.values()] == before


def test_half_an_index_is_refused(tmp_path: Path) -> None:
    whole, half = kept(tmp_path, [[SPREAD, 2 * SPREAD], [SPREAD, 3 * SPREAD]]).values()
    half.file.write_bytes(half.file.read_bytes()[:8])
    for fresh, held in (({0: whole}, {1: half}), ({1: half}, {}), ({0: whole, 1: half}, {})):
        with pytest.raises(WarehouseError, match=r"1\.keys is damaged: it has 8 bytes, for 2 rows"):
            key_index.contested(fresh, held)


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    indexes = kept(tmp_path, [[number * SPREAD, 10**6 * SPREAD] for number in range(120)])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 20, hard))
    try:
        assert found(indexes, {}) == {(number, 1) for number in range(120)}
        fresh = {number: index for number, index in indexes.items() if number < 60}
        held = {number: index for number, index in indexes.items() if number >= 60}
        assert found(fresh, held) == {(number, 1) for number in range(120)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hash_by_hand(text: str) -> int:
    """Return a text's hash, part by part in whole numbers: at the end of a text, its last eight bytes."""
    content = text.encode()
    padded = content.ljust(8, b"\0")
    begins = [*range(0, len(padded) - 8, 8), len(padded) - 8]
    total = len(content)
    for begin in begins:
        spread = int.from_bytes(padded[begin : begin + 8], "little") * FACTOR % 2**64
        total = (total + (spread ^ spread >> 32)) * FACTOR % 2**64
    return (total ^ total >> 32) * FACTOR % 2**64


@given(st.lists(st.text(max_size=40), max_size=30), st.integers(0, 30))
def test_a_hash_depends_on_its_text_alone(texts: list[str], begin: int) -> None:
    # A slice, for its bytes begin in the middle of those of all.
    column = pa.array(texts, pa.string()).slice(begin)
    assert key_index.hashes_of(column).tolist() == [hash_by_hand(text) for text in texts[begin:]]
    assert key_index.hashes_of(column.cast(pa.large_string())).tolist() == [hash_by_hand(text) for text in texts[begin:]]


def test_many_texts_are_hashed_as_few_are() -> None:
    texts = [str(number) for number in range(0, 2_500_000, 10)]
    found = key_index.hashes_of(pa.array(texts))
    assert found[::5_000].tolist() == [hash_by_hand(text) for text in texts[::5_000]]
    assert len(found) == len(texts)


def test_hashes_are_those_of_the_kept_indexes() -> None:
    # Another value for one of them needs another RULES_VERSION, or events that are on record are not met any more.
    assert key_index.hashes_of(pa.array(["", "a", "EVT-000000000001"])).tolist() == [0, 2912832526001814464, 13926943757359290263]


@pytest.mark.parametrize("changing", [(3, 7, 11, 15), (6, 7, 14, 15), (7, 8, 15, 16, 23), (19, 20, 21, 22, 23)])
def test_identifiers_that_differ_in_some_digits_have_hashes_of_their_own(changing: tuple[int, ...]) -> None:
    # Differences at the same places of two parts of eight bytes, in their last bytes above all, may not undo each other.
    texts = []
    for digits in itertools.product("0123456789", repeat=len(changing)):
        text = ["0"] * 24
        for place, digit in zip(changing, digits, strict=True):
            text[place] = digit
        texts.append("".join(text))
    assert len(np.unique(key_index.hashes_of(pa.array(texts)))) == len(texts)


def test_numbered_identifiers_have_hashes_of_their_own() -> None:
    # 300,000 numbers from each of nine hundred millions: the engine's hash gives every seventh that of another.
    texts = [f"EVT-{hundred * 10**8 + number:012d}" for number in range(300_000) for hundred in range(9)]
    hashes = key_index.hashes_of(pa.array(texts))
    assert len(np.unique(hashes)) == 2_700_000
    # An index compares upper bits: by chance 3.3 pairs of so many share 40 of them.
    assert len(np.unique(hashes >> np.uint64(24))) > 2_700_000 - 20
