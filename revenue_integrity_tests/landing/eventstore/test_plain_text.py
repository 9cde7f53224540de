"""Texts that are plainly what they are taken for: a look at their bytes never says more than a pattern for each would.

Belongs here: looks at bytes against patterns that the engine or the interpreter matches. Does not belong here: files
(``test_events``).
"""

import re

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenue_integrity.landing.eventstore.plain_text import may_be_untidy, plain_values
from revenue_integrity.landing.values import plainly
from revenue_integrity.model.source import SourceColumn

COLUMNS = {
    "dec": SourceColumn("value", "dec", "A cost.", places=12, digits=38),
    "date": SourceColumn("value", "date", "A day."),
    "ts": SourceColumn("value", "ts", "An instant."),
    "bool": SourceColumn("value", "bool", "A flag."),
}

PLAIN = {
    "dec": ["0", "12", "-3.5", "0.051191036000", "12345678901234567890123456.123456789012", "007.10"],
    "date": ["2025-03-01", "1999-12-31", "2024-02-29"],
    "ts": ["2025-03-01T00:00:00Z", "2025-12-31T23:59:59Z", "1999-10-20T12:34:56Z"],
    "bool": ["true", "false"],
}

ODD = {
    "dec": [".5", "5.", "-.5", "1e3", "+1", " 1", "1 ", "0.1234567890123", "-", "", "1_000", "1/2", "1" * 27, "1.1.1", "--1"],
    "date": ["2025-3-1", "2025-02-30", "0000-01-01", "2025/03/01", " 025-03-01", "20250301", "2025-03-01 "],
    "ts": [
        "2025-03-01T24:00:00Z", "2025-03-01T00:00:60Z", "2025-03-01 00:00:00Z", "2025-03-01T00:00:00+99", "2025-03-01",
        "2025-03-01T00:00:00", "2025-03-01T 0:00:00Z", "2025-03-01T00:00:0.Z", "2025-03-01T00:00:00z", "0999-03-01T00:00:00Z",
    ],
    "bool": ["TRUE", "t", "1", "yes", ""],
}  # fmt: skip


def texts_of(kind: str) -> st.SearchStrategy[list[str]]:
    """Return texts that are plain but for some characters, and now and then an odd one."""
    plain = st.sampled_from(PLAIN[kind])
    changed = st.builds(
        lambda text, place, character: text[: place % len(text)] + character + text[place % len(text) + 1 :],
        plain,
        st.integers(0, 40),
        st.sampled_from([*"0123456789.-+ :TZeE_/\t", "\u0661"]),
    )
    return st.lists(st.one_of(plain, plain, changed, st.sampled_from(ODD[kind])), min_size=1, max_size=4)


def cast(
    engine: duckdb.DuckDBPyConnection, column: SourceColumn, texts: list[str | None]
) -> tuple[pa.Array, pa.Array, list[bool]]:
    """Return texts as columns hold them, what the engine's cast makes of each, and whether a pattern finds it in doubt."""
    engine.register("given", pa.table({"place": range(len(texts)), "value": pa.array(texts, pa.string())}))
    found = engine.sql(
        f"select value, try_cast(value as {column.sql_type}) as typed, {plainly(column, 'value')} as doubt"
        " from given order by place"
    ).to_arrow_table()
    values, typed, doubts = (found[name].combine_chunks() for name in ("value", "typed", "doubt"))
    return values, typed, doubts.to_pylist()


def passes(kind: str, texts: pa.Array) -> bool:
    return plain_values({COLUMNS[kind]: texts}) is not None


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


@pytest.mark.parametrize("kind", COLUMNS)
@given(data=st.data())
def test_what_passes_is_in_no_doubt_and_what_the_engine_makes_of_it(
    engine: duckdb.DuckDBPyConnection, kind: str, data: st.DataObject
) -> None:
    texts, typed, doubts = cast(engine, COLUMNS[kind], list(data.draw(texts_of(kind))))
    values = plain_values({COLUMNS[kind]: texts})
    if values is not None:
        assert not any(doubts), texts
        assert values[0].equals(typed), texts


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("rows", [1, 3, 64, 500])
def test_texts_as_they_nearly_always_come_pass(engine: duckdb.DuckDBPyConnection, kind: str, rows: int) -> None:
    texts, _, doubts = cast(engine, COLUMNS[kind], [PLAIN[kind][row % len(PLAIN[kind])] for row in range(rows)])
    assert not any(doubts)
    assert passes(kind, texts)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("place", [0, 63, 64, 199])
def test_one_odd_text_is_seen_wherever_it_stands(kind: str, place: int) -> None:
    for odd in ODD[kind]:
        given_texts: list[str | None] = [PLAIN[kind][row % len(PLAIN[kind])] for row in range(200)]
        given_texts[place] = odd
        texts = pa.array(given_texts, pa.string())
        assert not passes(kind, texts), odd


@pytest.mark.parametrize("kind", ["dec", "date", "ts"])
def test_what_lacks_is_left_to_patterns(kind: str) -> None:
    texts = pa.array([PLAIN[kind][0], None], pa.string())
    assert not passes(kind, texts)


def test_flags_may_lack() -> None:
    texts = pa.array(["true", None], pa.string())
    assert passes("bool", texts)


def test_a_part_of_a_column_is_looked_at_alone() -> None:
    texts = pa.array(["1e3", "12.5", "7", "x"], pa.string())
    assert passes("dec", texts.slice(1, 2))
    assert not passes("dec", texts.slice(0, 2))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=6), min_size=1, max_size=5))
def test_identifiers_that_pass_are_tidy(identifiers: list[str]) -> None:
    if not may_be_untidy(pa.array(identifiers)):
        assert all(re.fullmatch("[!-^{-~]+", identifier) for identifier in identifiers)


@pytest.mark.parametrize(
    ("identifier", "untidy"),
    [("EVT-1", False), ("A.B/C{1}", False), ("evt", True), ("A_1", True), ("A 1", True), ("É", True), ("", True)],
)
def test_untidy_identifiers_are_seen(identifier: str, untidy: bool) -> None:
    assert may_be_untidy(pa.array(["EVT-9", identifier, "EVT-8"])) is untidy
    assert may_be_untidy(pa.array(["EVT-9", None]))
