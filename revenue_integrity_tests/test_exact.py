"""Exact arithmetic: expected values worked out by hand, and largest remainder against its definition in fractions."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity import exact


@pytest.mark.parametrize(
    ("value", "places", "rounded"),
    [
        ("0.5", 0, "1"),
        ("-0.5", 0, "-1"),
        ("2.5", 0, "3"),
        ("-2.5", 0, "-3"),
        ("2.4999999999999999999999", 0, "2"),
        ("1.0000005", 6, "1.000001"),
        ("-1.0000005", 6, "-1.000001"),
        ("1.0000004999", 6, "1.000000"),
        ("999999999999.9995", 3, "1000000000000.000"),
    ],
)
def test_a_half_goes_away_from_zero(value: str, places: int, rounded: str) -> None:
    assert exact.round_half_away(Decimal(value), places) == Decimal(rounded)


def test_an_amount_becomes_cents_with_one_rounding() -> None:
    # 1.005 is 1.00499... as a float, which would give 100; rounding 0.00499 first to 0.005 would give 1 instead of 0.
    assert exact.cents(Decimal("1.005")) == 101
    assert exact.cents(Decimal("-1.005")) == -101
    assert exact.cents(Decimal("0.00499")) == 0
    assert exact.cents(Decimal("90071992547409.935")) == 9007199254740994  # beyond 2**53, where floats skip integers


def test_a_quotient_is_rounded_once_and_has_no_value_over_zero() -> None:
    assert exact.divide(1, 3, 6) == Decimal("0.333333")
    assert exact.divide(2, 3, 6) == Decimal("0.666667")
    assert exact.divide(-2, 3, 6) == Decimal("-0.666667")
    assert exact.divide(5, 0, 6) is None
    assert exact.divide(1, 8, 2) == Decimal("0.13")


def test_two_percent_of_an_amount_is_exactly_two_percent() -> None:
    # As floats 0.02 * 104.35 differs from 2.087, so a limit of "2 %" would be crossed by nothing at all.
    assert exact.divide(Decimal("2.087"), Decimal("104.35"), 6) == Decimal("0.020000")


def test_columns_keep_missing_values_missing() -> None:
    numerator = pd.Series([1, None, 4], dtype="Int64", index=[7, 3, 5])
    denominator = pd.Series([Decimal(3), Decimal(1), Decimal(0)], dtype=object, index=[7, 3, 5])
    result = exact.ratio(numerator, denominator)
    assert result.tolist() == [Decimal("0.333333"), None, None]
    assert result.index.tolist() == [7, 3, 5]


def test_a_product_is_exact_and_missing_where_a_factor_is() -> None:
    one = pd.Series([Decimal("123456789012.345678"), None, Decimal(2)], dtype=object)
    other = pd.Series([987654321, 3, None], dtype="Int64")
    assert exact.product(one, other).tolist() == [Decimal("121932631124828531222.374638"), None, None]


def test_whole_numbers_of_the_last_place_are_exact_or_refused() -> None:
    column = pd.Series([Decimal("1.5"), Decimal("-123456789012.345678"), Decimal(0)], dtype=object)
    assert exact.whole(column, 6).tolist() == [1_500_000, -123456789012345678, 0]
    for wrong in (Decimal("0.0000001"), None):
        with pytest.raises(ValueError, match=r"places|missing"):
            exact.whole(pd.Series([Decimal(1), wrong], dtype=object), 6)


def test_columns_of_whole_numbers_are_rounded_half_away_from_zero() -> None:
    numerators = np.array([1, -1, 5, -5, 4, 10**40 + 1], dtype=object)
    assert exact.rounded(numerators, 2).tolist() == [1, -1, 3, -3, 2, 5 * 10**39 + 1]


@pytest.mark.parametrize(
    ("amount", "weights", "identifiers", "parts"),
    [
        # 100 / 3 = 33 each, one cent left, all remainders equal: the smallest identifier gets it.
        (100, [1, 1, 1], ["b", "a", "c"], [33, 34, 33]),
        # 10 over 1:2:4 = 1.43, 2.86, 5.71 -> 1, 2, 5 and two cents to the remainders .86 and .71.
        (10, [1, 2, 4], ["a", "b", "c"], [1, 3, 6]),
        # A negative amount is split by its absolute value: a floor of -1.43 would be -2.
        (-10, [1, 2, 4], ["a", "b", "c"], [-1, -3, -6]),
        (0, [1, 2], ["a", "b"], [0, 0]),
        # Weights that are all zero count as equal.
        (5, [0, 0], ["a", "b"], [3, 2]),
        # A zero weight beside others gets nothing.
        (5, [0, 1], ["a", "b"], [0, 5]),
        # Decimal weights: 0.000001 : 0.000002.
        (100, [Decimal("0.000001"), Decimal("0.000002")], ["a", "b"], [33, 67]),
        # Byte order: 'Z' (0x5a) before 'a' (0x61) before 'é' (0xc3 0xa9).
        (2, [1, 1, 1], ["é", "a", "Z"], [0, 1, 1]),
    ],
)
def test_an_amount_is_split_by_largest_remainder(
    amount: int, weights: list[int | Decimal], identifiers: list[str], parts: list[int]
) -> None:
    assert exact.largest_remainder(amount, weights, identifiers) == parts


@pytest.mark.parametrize(("weights", "identifiers"), [([], []), ([-1, 2], ["a", "b"]), ([1], ["a", "b"])])
def test_an_impossible_split_is_refused(weights: list[int | Decimal], identifiers: list[str]) -> None:
    with pytest.raises(ValueError, match="at least one part"):
        exact.largest_remainder(100, weights, identifiers)


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.decimals(0, 10**9, places=6), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_parts_add_up_are_near_their_share_and_know_no_order(amount: int, weights: list[Decimal], shuffler: object) -> None:
    names = [f"C-{number}" for number in range(len(weights))]
    parts = exact.largest_remainder(amount, weights, names)
    assert sum(parts) == amount
    total = sum(map(Fraction, weights))
    shares = [Fraction(amount) * (Fraction(weight) / total if total else Fraction(1, len(weights))) for weight in weights]
    assert all(abs(part - share) < 1 for part, share in zip(parts, shares, strict=True))
    order = list(range(len(weights)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]  # hypothesis types its generator as object here
    shuffled = exact.largest_remainder(amount, [weights[at] for at in order], [names[at] for at in order])
    assert dict(zip([names[at] for at in order], shuffled, strict=True)) == dict(zip(names, parts, strict=True))


_QUANTITIES = st.decimals(-(10**11), 10**11, allow_nan=False, places=6)
_WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(_WHOLE, _QUANTITIES), min_size=1, max_size=20), st.booleans())
def test_a_ratio_of_columns_is_the_quotient_of_each_row(rows: list[tuple[int, Decimal]], some_missing: bool) -> None:
    cents = pd.Series([row[0] for row in rows], dtype="int64")
    kwh = pd.Series([row[1] for row in rows], dtype=object)
    if some_missing:
        kwh.iloc[0] = None
    for one, other in ((cents, kwh), (kwh, cents), (kwh, kwh), (cents, cents)):
        expected = [
            None if n is None or d is None else exact.divide(n, d, exact.RATIO_PLACES)
            for n, d in zip(one.tolist(), other.tolist(), strict=True)
        ]
        assert exact.ratio(one, other).tolist() == expected


@given(st.lists(st.tuples(st.sampled_from("abc"), _QUANTITIES), min_size=1, max_size=40))
def test_decimals_of_a_group_are_summed_exactly(rows: list[tuple[str, Decimal]]) -> None:
    frame = pd.DataFrame(rows, columns=["customer_id", "kwh"]).astype({"kwh": object})
    sums = frame.groupby("customer_id").agg(kwh=("kwh", "sum"))["kwh"]
    for customer, found in sums.items():
        of_group = [Fraction(kwh) for each, kwh in rows if each == customer]
        assert isinstance(found, Decimal)
        assert Fraction(found) == sum(of_group)
