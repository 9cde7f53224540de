"""Numbers as they nearly always stand are read by a cheap way, which must read what the dear one reads; and blanks around texts.

Belongs here: that the two agree. Does not belong here: what a style reads (``test_mapping_dialects``).
"""

from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity.landing import styles
from revenue_integrity.landing.conversion import is_tidy
from revenue_integrity.landing.mapping import FileStyle
from revenue_integrity.landing.values import SPACE, quote
from revenue_integrity_tests.landing.test_mapping_dialects import tried

MARKS = st.sampled_from([(".", ","), (",", "."), (",", " \u00a0"), (".", "'"), (".", "")])
PIECES = st.sampled_from(
    ["-", "+", "(", ")", "$", "EUR", "Rs.", " ", "\u00a0", ".", ",", "'", "0", "1", "234", "567", "89", "1,234", "E+2"]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=6).map("".join)


@settings(max_examples=300, deadline=None)
@given(
    marks=MARKS,
    grouping=st.sampled_from(["", "three", "indian"]),
    negative=st.sampled_from([("leading",), ("leading", "trailing"), ("trailing",), ("leading", "trailing", "parentheses")]),
    currency=st.sampled_from([(), ("$",), ("EUR", "$"), ("Rs.",), ("1",)]),
    zero=st.sampled_from([(), ("-",), ("0",)]),
    places=st.integers(0, 3),
    exactly=st.booleans(),
    texts=st.lists(TEXTS, min_size=1, max_size=30),
)
def test_the_cheap_way_reads_what_the_dear_one_reads(
    marks: tuple[str, str],
    grouping: str,
    negative: tuple[styles.Sign, ...],
    currency: tuple[str, ...],
    zero: tuple[str, ...],
    places: int,
    exactly: bool,
    texts: list[str],
) -> None:
    style = styles.Numbers(marks[0], marks[1], grouping, negative, "", zero, currency)  # type: ignore[arg-type]  # one of the closed set
    rows = f"(select unnest([{', '.join(map(quote, texts))}]) as t)"
    dear = styles.number("t", style)
    for is_usual, value in styles.usual_number("t", style, places, exactly=exactly):
        differing = duckdb.sql(f"select t, {value}, {dear} from {rows} where {is_usual} and ({value}) is distinct from ({dear})")
        assert differing.fetchall() == []


def test_the_cheap_way_is_taken_by_usual_numbers() -> None:
    style = styles.Numbers(",", ".", "", ("leading", "trailing"), "", (), ("$",))
    for text, value in {"1.234,50": "1234.50", "-7": "-7", "7,5-": "-7.5", "1.234,50 $": "1234.50", "$ -3": "-3"}.items():
        ways = styles.usual_number(quote(text), style, 2)
        cases = " ".join(f"when {is_usual} then {read}" for is_usual, read in ways)
        assert duckdb.sql(f"select case {cases} end").fetchall() == [(value,)], text


@given(
    fields=st.lists(st.text(st.sampled_from([*SPACE, "a", "b", '"', ";"]), max_size=4), min_size=1, max_size=4),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_textis_tidy_only_if_no_field_has_white_space_around_it(fields: list[str], end: str) -> None:
    quoted = ['"' + field.replace('"', '""') + '"' if {*field} & {*'";\r\n'} else field for field in fields]
    inner = {"\r", "\n"}
    untidy = any(field != field.strip("".join({*SPACE} - inner)) for field in fields)
    if untidy:
        assert not is_tidy("\n" + ";".join(quoted) + end + "\n", FileStyle(delimiter=";"))


def test_blanks_around_values_are_no_part_of_them_wherever_they_stand(tmp_path: Path) -> None:
    texts = ["REF-A", " REF-B", "REF-C ", "\u00a0REF-D\u2003", '"\nREF-E\n"']
    assert tried(tmp_path, "erp_contract_ref", '"Ref"', texts).values == ["REF-A", "REF-B", "REF-C", "REF-D", "REF-E"]
