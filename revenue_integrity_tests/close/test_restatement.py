"""What changed between two versions, on small tables: each row and measure, adding up to the change of each total."""

import json
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from revenue_integrity.close.restatement import changes
from revenue_integrity.close.signed_content import content_hash
from revenue_integrity.model import table as column
from revenue_integrity.model.signed import SignedTable, signed_table
from revenue_integrity.model.table import Table, table
from revenue_integrity_tests.support import MARCH

CHARGES: Table = table(
    "colocation",
    "mart",
    "charges",
    "Charges for these tests.",
    ("month", "contract_id", "charge"),
    [
        column.month(),
        column.text("contract_id", "The contract."),
        column.text("charge", "The charge."),
        column.text("unit", "Its unit."),
        column.money("amount_cents", "Amount."),
        column.money("tax_cents", "Tax.", null=True),
        column.text("note", "Words."),
    ],
)
SIGNED = signed_table(CHARGES)


def rows(*values: tuple[str, str, int, int | None, str]) -> pd.DataFrame:
    """Return rows of contract, charge, amount, tax and note."""
    frame = pd.DataFrame(list(values), columns=["contract_id", "charge", "amount_cents", "tax_cents", "note"])
    frame["amount_cents"] = frame["amount_cents"].astype("int64")
    frame["tax_cents"] = frame["tax_cents"].astype("Int64")
    frame["unit"] = "cents"
    frame["month"] = pd.Series([pd.Timestamp(MARCH)] * len(frame), dtype="datetime64[us]")
    return frame


def compared(old: pd.DataFrame, new: pd.DataFrame, signed: SignedTable = SIGNED) -> list[tuple[Any, ...]]:
    """Return what changed, as tuples."""
    found = changes([signed], {"charges": old}, {"charges": new})
    return [
        (*json.loads(each["key"]).values(), each["measure"], each["old"], each["new"], each["delta"])
        for each in found
        if each["dataset"] == "charges"
    ]


def test_all_columns_of_cents_are_signed_and_no_words() -> None:
    assert SIGNED.measures == ("amount_cents", "tax_cents")
    assert set(SIGNED.projection.columns) == {"month", "contract_id", "charge", "amount_cents", "tax_cents"}


def test_changed_new_and_gone_rows_are_listed_by_measure_and_key() -> None:
    old = rows(("A", "rack", 100, 10, "x"), ("A", "power", 200, None, "x"), ("B", "rack", 300, 30, "x"))
    new = rows(("C", "rack", 7, None, "y"), ("B", "rack", 300, 30, "y"), ("A", "rack", 90, 10, "y"))
    # Keys are read in the order of their names: charge, contract.
    assert compared(old, new) == [
        ("power", "A", "amount_cents", 200, 0, -200),
        ("rack", "A", "amount_cents", 100, 90, -10),
        ("rack", "C", "amount_cents", 0, 7, 7),
    ]


def test_neither_order_nor_words_nor_null_against_zero_are_changes() -> None:
    old = rows(("A", "rack", 100, None, "x"), ("B", "rack", 300, 30, "x"))
    new = rows(("B", "rack", 300, 30, "other words"), ("A", "rack", 100, 0, "x"))
    assert compared(old, new) == []


def test_amounts_beyond_what_a_float_holds_stay_exact() -> None:
    big = 2**53 + 1
    old = rows(("A", "rack", big, None, ""), ("B", "rack", 1, None, ""))
    new = rows(("A", "rack", big + 1, None, ""))
    assert compared(old, new) == [
        ("rack", "A", "amount_cents", big, big + 1, 1),
        ("rack", "B", "amount_cents", 1, 0, -1),
    ]


def test_only_the_rows_that_are_signed_are_compared() -> None:
    only = signed_table(CHARGES, "amount_cents", only=("unit", "cents"))
    old, new = rows(("A", "rack", 1, None, "")), rows(("A", "rack", 2, None, ""), ("B", "rack", 5, None, ""))
    new["unit"] = ["cents", "wh"]
    assert compared(old, new, only) == [("rack", "A", "amount_cents", 1, 2, 1)]


_CELLS = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["rack", "power"])),
    st.tuples(st.integers(-(2**60), 2**60), st.none() | st.integers(-100, 100)),
)


def _frame(cells: dict[tuple[str, str], tuple[int, int | None]]) -> pd.DataFrame:
    return rows(*[(*key, amount, tax, "") for key, (amount, tax) in cells.items()])


@given(_CELLS, _CELLS)
def test_deltas_add_up_to_the_change_of_each_total(
    old: dict[tuple[str, str], tuple[int, int | None]], new: dict[tuple[str, str], tuple[int, int | None]]
) -> None:
    found = compared(_frame(old), _frame(new))
    for position, measure in enumerate(SIGNED.measures):
        before = sum(values[position] or 0 for values in old.values())
        after = sum(values[position] or 0 for values in new.values())
        assert sum(each[-1] for each in found if each[2] == measure) == after - before
    assert all(now - was == delta != 0 for *_, was, now, delta in found)


def test_the_content_hash_is_that_of_all_signed_digests_in_any_order() -> None:
    assert content_hash({"a": "1", "b": "2"}) == content_hash({"b": "2", "a": "1"})
    assert len({content_hash({"a": "1"}), content_hash({"a": "2"}), content_hash({"b": "1"}), content_hash({})}) == 4
