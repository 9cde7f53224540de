"""What holds of causes over random rows: they add up, ends of a move cancel and choose each other, order decides nothing.

The causes here are of no stream: each is the plainest use of a part of the library.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from revenue_integrity.close.causes import copies, moves, residual, sides
from revenue_integrity.close.causes.amounts import is_rounding
from revenue_integrity.close.causes.credits import repaired
from revenue_integrity.close.causes.explaining import Case, Cause, Claims, case_of, claims, explain, nothing, together
from revenue_integrity.close.causes.items import counts
from revenue_integrity.close.causes.labels import UNEXPLAINED
from revenue_integrity.close.causes.wording import amounts, listed, records

Item = tuple[int, int, int, bool, int]
"""Row, quantity, price, whether it is a credit, and how many cents its amount is off."""

ITEMS = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 3), st.sampled_from([100, 150]), st.booleans(), st.sampled_from([0, 0, 0, 1, -1])
    ),
    max_size=14,
)
DUES = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.sampled_from([100, 150])), max_size=8)
FEW = profile(max_examples=60, deadline=None)


def a_case(items: Sequence[Item], dues: Sequence[tuple[int, int, int]], *, reverse: bool = False) -> Case:
    """Return six rows of two owners with these items and charges; ``reverse`` lets the frames stand the other way round."""
    left = pd.DataFrame(
        [
            (row, quantity, price, (-1 if credit else 1) * quantity * price + off, credit, f"D-{number}", None, number)
            for number, (row, quantity, price, credit, off) in enumerate(items)
        ],
        columns=["row", "quantity", "price", "cents", "is_credit", "document", "corrects", "order"],
    ).astype({"row": "int64", "quantity": "int64", "price": "int64", "cents": "int64", "is_credit": bool, "order": "int64"})
    left = left.assign(
        content=left.groupby(["cents", "quantity", "price"]).ngroup(), evidence=records(left.index, item=left["order"])
    )
    right = pd.DataFrame(
        [(row, quantity, price, quantity * price) for row, quantity, price in dues], columns=["row", "quantity", "price", "cents"]
    ).astype("int64")
    right = right.assign(evidence=records(right.index, due=right["cents"]))
    index = pd.RangeIndex(6)
    cents = left.groupby("row")["cents"].sum().reindex(index, fill_value=0) - right.groupby("row")["cents"].sum().reindex(
        index, fill_value=0
    )
    rows = pd.DataFrame(
        {"row_key": [f"R-{n}" for n in index], "owner": ["X", "X", "X", "Y", "Y", "Y"], "cents": cents}, index=index
    )
    rows = rows[rows["cents"] != 0].astype({"cents": "int64"})
    left, right = left[left["row"].isin(rows.index)], right[right["row"].isin(rows.index)]
    return case_of(*((each.iloc[::-1] for each in (rows, left, right)) if reverse else (rows, left, right)))


def move(case: Case) -> Claims:
    ends = case.open_rows.assign(cents=case.open_rows["rest"])
    both = moves.exchanged(ends, ["owner"], moves.in_order(ends["row_key"]))
    if both.empty:
        return nothing()
    one, other = both["one"], both["other"]
    cents = moves.shared(one.map(ends["cents"]), other.map(ends["cents"]))
    link = pd.Series([f"{min(pair)}-{max(pair)}" for pair in zip(one, other, strict=True)], index=both.index)
    return claims(one, cents, amounts(cents), records(both.index), link)


def duplicate(case: Case) -> Claims:
    items = case.standing[case.standing["row"].isin(case.open_rows.index) & ~case.standing["is_credit"]]
    again = copies.repeats(items.sort_values("order"), ["row", "quantity", "price"])
    again = again[again["copy"] > 0]
    near = copies.is_nearer(again["row"].map(case.rows["rest"]), again["cents"])
    first = again[near].drop_duplicates("row")
    return claims(first["row"], first["cents"], amounts(first["cents"]), first["evidence"], taken=first.index)


def credit(case: Case) -> Claims:
    gone = repaired(case.left, case.right)
    standing = case.standing[case.standing["is_credit"] & ~case.standing.index.isin(gone)]
    standing = standing[standing["row"].isin(case.open_rows.index)]
    return claims(standing["row"], standing["cents"], amounts(standing["cents"]), standing["evidence"], taken=standing.index)


def rounding(case: Case) -> Claims:
    rows = case.open_rows
    rows = rows[is_rounding(rows["rest"], counts(case.left, rows.index))]
    return claims(rows.index, rows["rest"], amounts(rows["rest"]), listed(case.left, "row", rows.index))


def price_and_quantity(case: Case) -> Claims:
    pairs = residual.split(case.open_rows.index, case.standing, case.right, 1).pairs
    parts = [
        claims(pairs["row"], pairs[part], amounts(pairs[part]), records(pairs.index))
        for part in ("price_cents", "quantity_cents")
    ]
    return together(*parts)


def one_sided(case: Case) -> Claims:
    rows = pd.concat([sides.nothing_due(case), sides.nothing_there(case)])
    return claims(rows.index, rows["rest"], amounts(rows["rest"]), records(rows.index))


CAUSES = tuple(Cause(find.__name__, find) for find in (move, duplicate, credit, rounding, price_and_quantity, one_sided))


@FEW
@given(items=ITEMS, dues=DUES, order=st.permutations(CAUSES))
def test_causes_add_up_to_the_variance_in_whatever_order_they_are_asked(
    items: list[Item], dues: list[tuple[int, int, int]], order: list[Cause]
) -> None:
    case = a_case(items, dues)
    found = explain(case, order)
    assert found.groupby("row_key")["cents"].sum().to_dict() == case.rows.set_index("row_key")["cents"].to_dict()
    assert (found["cents"] != 0).all()
    assert found["explanation"].str.len().gt(0).all()
    linked = found[found["link_id"].notna()].groupby("link_id")["cents"].agg(["sum", "size"])
    assert (linked["sum"] == 0).all()
    assert (linked["size"] == 2).all()


@FEW
@given(items=ITEMS, dues=DUES)
def test_the_order_in_which_rows_and_items_stand_decides_nothing(items: list[Item], dues: list[tuple[int, int, int]]) -> None:
    said = [
        Counter(zip(found["row_key"], found["cause"], found["cents"], strict=True))
        for found in (explain(a_case(items, dues, reverse=reverse), CAUSES[:4]) for reverse in (False, True))
    ]
    assert said[0] == said[1]


@FEW
@given(items=ITEMS, dues=DUES)
def test_what_no_cause_claims_is_unexplained_and_no_frame_is_changed(items: list[Item], dues: list[tuple[int, int, int]]) -> None:
    case = a_case(items, dues)
    before = [each.copy(deep=True) for each in (case.rows, case.left, case.right)]
    explain(case, CAUSES)
    for was, stands in zip(before, (case.rows, case.left, case.right), strict=True):
        pd.testing.assert_frame_equal(was, stands)
    found = explain(case, ())
    assert set(found["cause"]) <= {UNEXPLAINED}
    assert found.set_index("row_key")["cents"].to_dict() == case.rows.set_index("row_key")["cents"].to_dict()


AMOUNTS = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 4), st.sampled_from([-101, -100, 100, 101, 250])), max_size=9)


def by_hand(ends: dict[tuple[str, int], int]) -> set[frozenset[tuple[str, int]]]:
    """Return the moves between adjacent steps, by asking each end in plain Python."""

    def choice(end: tuple[str, int]) -> tuple[str, int] | None:
        near = [(end[0], end[1] + distance) for distance in (-1, 1)]
        fits = [each for each in near if each in ends and ends[each] * ends[end] < 0 and abs(ends[each] + ends[end]) <= 1]
        return fits[0] if fits else None

    return {frozenset((end, other)) for end in ends if (other := choice(end)) and choice(other) == end}


@FEW
@given(given_amounts=AMOUNTS)
def test_adjacent_ends_choose_each_other_the_earlier_step_first(given_amounts: list[tuple[str, int, int]]) -> None:
    ends = {(key, step): cents for key, step, cents in given_amounts}
    frame = pd.DataFrame([(*end, cents) for end, cents in ends.items()], columns=["key", "step", "cents"]).astype(
        {"step": "int64", "cents": "int64"}
    )
    names: list[Any] = list(ends)
    found = moves.adjacent(frame)
    assert {frozenset((names[one], names[other])) for one, other in zip(found["one"], found["other"], strict=True)} == by_hand(
        ends
    )


@FEW
@given(cents=st.lists(st.sampled_from([-101, -100, -99, 99, 100, 101]), max_size=9))
def test_ends_pair_as_if_the_smallest_took_its_smallest_partner_first(cents: list[int]) -> None:
    expected: set[frozenset[int]] = set()
    free = list(range(len(cents)))
    for one in range(len(cents)):
        fits = [other for other in free if one in free and cents[one] * cents[other] < 0 and abs(cents[one] + cents[other]) <= 1]
        if fits:
            expected.add(frozenset((one, fits[0])))
            free = [each for each in free if each not in (one, fits[0])]
    ends = pd.DataFrame({"owner": "X", "cents": pd.Series(cents, dtype="int64")})
    found = moves.exchanged(ends, ["owner"], pd.Series(range(len(cents)), dtype="int64"))
    assert {frozenset(pair) for pair in zip(found["one"], found["other"], strict=True)} == expected
