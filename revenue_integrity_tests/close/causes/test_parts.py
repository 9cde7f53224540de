"""The parts of the library on amounts worked by hand."""

import pandas as pd
import pytest

from revenue_integrity.close.causes import alternatives, amounts, copies, moves, residual
from revenue_integrity.close.causes.credits import repaired
from revenue_integrity.close.causes.explaining import Case, Cause, Claims, case_of, claims, explain, late_items
from revenue_integrity.close.causes.wording import documents, listed, money, number, records


def cents(*values: int) -> "pd.Series[int]":
    return pd.Series(values, dtype="int64")


@pytest.mark.parametrize(("value", "said"), [(0, "0.00"), (-5, "-0.05"), (123456, "1,234.56"), (-100000000, "-1,000,000.00")])
def test_money_reads_like_an_amount(value: int, said: str) -> None:
    assert money(value) == said


def test_numbers_have_no_zeros_behind_them() -> None:
    assert [number(each) for each in (1500000, 2000000, -10, 0)] == ["1.5", "2", "-0.00001", "0"]


def test_a_sentence_names_three_documents_and_counts_the_others() -> None:
    items = pd.DataFrame({"row": [1] * 5 + [2], "document": ["E", "B", "B", "A", "D", "C"]}, index=range(6))
    assert documents(items, "row", pd.Index([1, 2, 3])).tolist() == ["A, B, D and 1 more", "C", ""]


def test_lists_keep_the_order_of_the_items_and_are_empty_where_there_is_none() -> None:
    items = pd.DataFrame({"row": [2, 1, 2], "evidence": [{"a": 1}, {"a": 2}, {"a": 3}]})
    assert listed(items, "row", pd.Index([1, 2, 3])).tolist() == [[{"a": 2}], [{"a": 1}, {"a": 3}], []]


def test_what_is_missing_has_no_name_in_evidence() -> None:
    assert records(pd.Index([7, 8]), a=pd.Series([1, 2], index=[8, 7]), b=pd.Series([None, "x"], index=[7, 8])).tolist() == [
        {"a": 2}, {"a": 1, "b": "x"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "is_it"),
    [
        (1243, 1234, True), (2134, 1234, True), (-1243, -1234, True), (10, 1, False), (1, 10, False), (1200, 1020, True),
        (1234, 1234, False), (1134, 1143, True), (-1243, 1234, False), (1432, 1234, False), (2100, 120, False), (11, 11, False),
    ],
)  # fmt: skip
def test_two_neighbouring_digits_are_exchanged_or_not(one: int, other: int, is_it: bool) -> None:
    assert amounts.is_transposed(cents(one), cents(other)).tolist() == [is_it]


def test_exchanged_digits_are_those_that_a_comparison_of_texts_finds() -> None:
    def exchanged(one: int, other: int) -> bool:
        text = str(one)
        swapped = {text[:n] + text[n + 1] + text[n] + text[n + 2 :] for n in range(len(text) - 1)}
        return one != other and str(other) in swapped

    pairs = [(one, other) for one in range(100, 1300, 7) for other in range(100, 1300)]
    left, right = (pd.Series([pair[side] for pair in pairs], dtype="int64") for side in (0, 1))
    assert amounts.is_transposed(left, right).tolist() == [exchanged(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("one", "other", "factor"),
    [
        (12340, 1234, 10),
        (123, 1234, -10),
        (124, 1235, -10),
        (-124, -1235, -10),
        (1234000, 1234, 1000),
        (1, 1234, -1000),
        (5, 5, 0),
        (0, 0, 0),
    ],
)
def test_a_point_in_another_place(one: int, other: int, factor: int) -> None:
    assert amounts.shift(cents(one), cents(other)).tolist() == [factor]


def test_a_sign_is_turned_only_where_there_is_one() -> None:
    assert amounts.is_sign_turned(cents(-5, 5, 0), cents(5, 5, 0)).tolist() == [True, False, False]


def test_rounding_is_a_cent_per_item_and_at_least_one() -> None:
    assert amounts.is_rounding(cents(1, -2, 3, 2), cents(0, 2, 2, 1)).tolist() == [True, True, False, False]


ITEMS = {
    # A credit that names the document, its line, and the rebill: the two first repair each other.
    "rebilled": ([("A", 600, None), ("C", -600, "A"), ("B", 650, None)], {0, 1}),
    # Without a rebill the credit is the variance.
    "not rebilled": ([("A", 600, None), ("C", -600, "A")], set()),
    # A credit of a part repairs nothing; it is all that is wrong.
    "a part": ([("A", 600, None), ("C", -60, "A")], set()),
    # Two parts are the whole.
    "two parts": ([("A", 600, None), ("C", -60, "A"), ("D", -540, "A"), ("B", 650, None)], {0, 1, 2}),
    # The whole document that is named, in two lines.
    "a document": ([("A", 400, None), ("A", 200, None), ("C", -600, "A"), ("B", 650, None)], {0, 1, 2}),
    # Credited twice: once for the rebill, once too often.
    "twice": ([("A", 600, None), ("C", -600, "A"), ("D", -600, "A"), ("B", 650, None)], {0, 1}),
    # One that names none takes what the one that names a document leaves.
    "both": ([("A", 600, None), ("B", 600, None), ("C", -600, None), ("D", -600, "A"), ("E", 650, None)], {0, 1, 2, 3}),
    # What is due as it was billed is not taken back for the sake of another line that is 20 too high.
    "no rebill of what was due": ([("A", 500, None), ("B", 620, None), ("C", -500, "A")], set()),
}


@pytest.mark.parametrize("name", ITEMS)
def test_a_credit_repairs_what_it_takes_back_while_something_stands(name: str) -> None:
    lines, expected = ITEMS[name]
    items = pd.DataFrame(lines, columns=["document", "cents", "corrects"]).assign(row=7, order=range(len(lines)), quantity=1)
    items = items.assign(is_credit=items["cents"] < 0, price=items["cents"].abs())
    due = [500, 600] if name == "no rebill of what was due" else [600]
    dues = pd.DataFrame({"row": 7, "quantity": 1, "price": due, "cents": due})
    assert set(repaired(items, dues)) == expected


def test_where_nothing_is_due_a_credit_repairs_all_that_it_takes_back() -> None:
    items = pd.DataFrame(
        {
            "row": 7,
            "document": ["A", "C", "D"],
            "cents": [60, -60, -60],
            "corrects": [None, "A", "A"],
            "order": [0, 1, 2],
            "quantity": 1,
            "price": 60,
            "is_credit": [False, True, True],
        }
    )
    dues = pd.DataFrame({"row": [], "quantity": [], "price": [], "cents": []}, dtype="int64")
    assert set(repaired(items, dues)) == {0, 1}


def test_copies_are_counted_by_document_in_an_order_without_names() -> None:
    """Documents Z and A say the same; Z was there first, and says it in two lines."""
    items = pd.DataFrame(
        {"row": 1, "amount": [5, 5, 5, 6], "document": ["Z", "Z", "A", "B"], "content": [0, 0, 1, 2], "order": [0, 1, 2, 3]}
    )
    found = copies.repeats(items, ["row", "amount"])
    assert found[["document", "copy", "copies"]].drop_duplicates().to_numpy().tolist() == [["Z", 0, 2], ["A", 1, 2], ["B", 0, 1]]


def test_the_first_alternative_that_fits_has_the_prices_quantities_and_amounts_billed() -> None:
    billed = pd.DataFrame({"row": [1, 1, 2], "quantity": [10, 20, 5], "price": [3, 3, 4], "cents": [30, 61, 20]})
    several = pd.DataFrame({"row": [1, 1, 1, 2], "rank": [0, 1, 2, 0]}, index=[10, 11, 12, 13])
    parts = pd.DataFrame(
        {
            "alternative": [10, 11, 11, 12, 13],
            "quantity": [30, 12, 20, 30, 5],
            "price": [4, 3, 3, 3, 3],
            "cents": [90, 31, 60, 90, 20],
        }
    )
    # 10 has another price, 11 is 2 off in quantity (of 2 items and 2 parts), 13 has another price.
    found = alternatives.first_fitting(several, parts, billed)
    assert found.index.tolist() == [11]


def test_an_alternative_in_total_is_equal_within_the_tolerance_of_its_row() -> None:
    several = pd.DataFrame({"row": [1, 1, 2], "rank": [1, 0, 0], "cents": [100, 102, 50]})
    billed = pd.Series([101, 53], index=[1, 2])
    assert alternatives.first_equal(several, billed).empty
    assert alternatives.first_equal(several, billed, pd.Series([1, 2], index=[1, 2])).index.tolist() == [1]
    assert alternatives.first_equal(several, billed, 3).index.tolist() == [1, 2]


def test_a_difference_is_quantity_at_the_price_due_and_the_rest_is_price() -> None:
    """3 at 12 billed, 2 at 10 due: 10 of quantity, 6 of price; the second row has another price only."""
    left = pd.DataFrame({"row": [1, 2], "quantity": [3, 2], "price": [12, 11], "cents": [36, 22]})
    right = pd.DataFrame({"row": [1, 2], "quantity": [200, 2], "price": [10, 10], "cents": [2000, 20]})
    right.loc[0, ["quantity", "cents"]] = [2, 20]
    left = left.assign(quantity=left["quantity"] * 100)
    right = right.assign(quantity=right["quantity"] * 100)
    pairs = residual.split(pd.Index([1, 2]), left, right, 100).pairs.set_index("row")
    assert pairs[["quantity_cents", "price_cents"]].to_numpy().tolist() == [[10, 6], [0, 2]]


def test_items_stand_against_charges_alike_first() -> None:
    """Of three lines two are due as they are; the third is one too many, and bills what it bills."""
    left = pd.DataFrame({"row": 1, "quantity": [500, 700, 900], "price": [3, 2, 5], "cents": [15, 14, 45]})
    right = pd.DataFrame({"row": 1, "quantity": [700, 500], "price": [2, 3], "cents": [14, 15]})
    found = residual.split(pd.Index([1]), left, right, 100)
    assert found.pairs[["quantity_cents", "price_cents"]].to_numpy().tolist() == [[0, 0], [0, 0], [45, 0]]
    assert found.left.loc[found.left["pair"] == 2, "cents"].tolist() == [45]


def test_lines_go_to_the_row_that_lacks_them_each_row_once() -> None:
    lines = pd.DataFrame({"owner": ["X", "X", "Y"], "cents": [100, 100, 100]})
    lacking = pd.DataFrame({"owner": ["X", "X", "X"], "cents": [-100, -101, -300]}, index=[20, 10, 30])
    found = moves.assigned(
        lines, lacking, ["owner"], cents(1, 0, 2), moves.in_order(pd.Series(["A", "B", "C"], index=[20, 10, 30]))
    )
    assert dict(zip(found["one"], found["other"], strict=True)) == {1: 20, 0: 10}
    assert found.set_index("one")["alternatives"].to_dict() == {1: [10], 0: []}


def test_an_end_without_an_owner_moves_nowhere() -> None:
    ends = pd.DataFrame({"owner": [None, None, "X"], "cents": [100, -100, -100]})
    assert moves.exchanged(ends, ["owner"], cents(0, 1, 2)).empty


def test_a_cause_that_claims_of_an_explained_row_is_refused() -> None:
    def greedy(case: Case) -> Claims:
        text = pd.Series(["x"] * len(case.rows), index=case.rows.index)
        return claims(case.rows.index, case.rows["cents"], text, records(case.rows.index))

    rows = pd.DataFrame({"row_key": ["a", "b"], "cents": [5, 7]})
    items = pd.DataFrame({"row": pd.Series(dtype="int64")})

    def half(case: Case) -> Claims:
        found = greedy(case)
        return Claims(found.frame.iloc[:1])

    with pytest.raises(ValueError, match="second claims of a row that is explained already"):
        explain(case_of(rows, items, items), (Cause("first", half), Cause("second", greedy)))


def test_a_late_item_is_a_cause_of_its_opposite_amount() -> None:
    items = pd.DataFrame(
        {"row_key": ["a", "a", "b"], "cents": [5, 7, 0], "late": [True, False, True], "evidence": [{"n": 1}, {"n": 2}, {"n": 3}]}
    )
    found = late_items(items, pd.Series(["one", "two", "three"]))
    assert found[["row_key", "cents", "cause", "explanation"]].to_numpy().tolist() == [["a", -5, "late_posting", "one"]]
    assert found["evidence"].tolist() == [{"lines": [{"n": 1}]}]
