"""Quantities that cancel within a row: what one line bills too much and another too little is no fault of quantity.

A story is a list of lines and of charges, each a quantity at a price; the causes are asked without a database, and what they must
say is worked out by hand.
"""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from revenue_integrity_tests.streams.colocation.asked import MILLION, Due, Line, causes_of

Priced = Sequence[tuple[str | int, str | int]]
"""Quantities, each at a price."""


def whole(value: str | int) -> int:
    """Return a quantity or a price in millionths."""
    return int(Decimal(value) * MILLION)


def cents(quantity: str | int, price: str | int) -> int:
    """Return what a quantity costs, rounded half up."""
    return int((Decimal(quantity) * Decimal(price) * 100).quantize(Decimal(1), "ROUND_HALF_UP"))


def said_of(billed: Priced, due: Priced) -> list[tuple[str, int, str]]:
    """Return what is said of lines against charges: cause, cents, sentence without its row."""
    lines = [Line(f"I{number}", whole(of), whole(at), cents(of, at)) for number, (of, at) in enumerate(billed)]
    dues = [Due(whole(of), whole(at), cents(of, at)) for of, at in due]
    return [(each["cause"], each["cents"], each["explanation"].replace(" rack of A", "")) for each in causes_of(lines, dues)]


@pytest.mark.parametrize(
    ("billed", "due", "expected"),
    [
        ([(3, 300), (1, 310)], [(2, 300), (2, 300)], [("price_mismatch", 1000, "I1 bills at 310; the contract says 300.")]),
        ([(1, 300), (1, 310)], [(2, 300)], [("price_mismatch", 1000, "I1 bills at 310; the contract says 300.")]),
        # Of three, one is what the first line lacks, and two are beyond what is due.
        (
            [(1, 300), (3, 310)],
            [(2, 300)],
            [
                ("price_mismatch", 1000, "I1 bills at 310; the contract says 300."),
                ("quantity_mismatch", 62000, "I1 bills 2 of, for which no charge is left."),
            ],
        ),
        ([(2, 300)], [(1, 300), (1, 320)], [("price_mismatch", -2000, "I0 bills at 300; the contract says 320.")]),
        ([(3, 300), (3, 310)], [(2, 300)] * 3, [("price_mismatch", 3000, "I1 bills at 310; the contract says 300.")]),
        ([(2, 300), (2, 310)], [(2, 300)], [("quantity_mismatch", 62000, "I1 bills 2 of, for which no charge is left.")]),
        (
            [(1, 300), (1, 300), (1, 310)],
            [(2, 300)],
            [
                ("duplicate_billing", 30000, "I1 bills with the quantity and price of I0 again; no credit takes it back."),
                ("price_mismatch", 1000, "I2 bills at 310; the contract says 300."),
            ],
        ),
        # Beside a quantity that is lacking.
        (
            [(2, 300), (1, 310)],
            [(1, 300), (3, 300)],
            [
                ("price_mismatch", 1000, "I1 bills at 310; the contract says 300."),
                ("quantity_mismatch", -30000, "I0 bills 2 of; 3 is due."),
            ],
        ),
    ],
)
def test_a_quantity_that_another_line_lacks_differs_by_its_price_alone(
    billed: Priced, due: Priced, expected: list[tuple[str, int, str]]
) -> None:
    assert [(cause, of, text.replace(" of of", " of")) for cause, of, text in said_of(billed, due)] == expected


QUANTITY = st.sampled_from(["1", "2", "3", "0.5", "1.333333", "2.000001"])
PRICE = st.sampled_from(["300", "310", "290.55", "0.33"])
ITEMS = st.lists(st.tuples(QUANTITY, PRICE), min_size=1, max_size=4)


@profile(max_examples=30, deadline=None)
@given(billed=ITEMS, due=st.lists(st.tuples(QUANTITY, PRICE), min_size=1, max_size=3))
def test_a_row_lacks_a_quantity_or_has_one_too_many_and_never_both(billed: Priced, due: Priced) -> None:
    said = said_of(billed, due)
    assert len({of > 0 for cause, of, _ in said if cause == "quantity_mismatch"}) <= 1
    assert "unexplained" not in {cause for cause, *_ in said}


@profile(max_examples=25, deadline=None)
# No two lines alike: the second of these would be billed twice.
@given(
    billed=st.lists(st.integers(1, 6), min_size=1, max_size=5, unique=True),
    due=st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_at_one_price_no_more_is_wrong_than_the_row(billed: list[int], due: list[int]) -> None:
    said = said_of([(of, 300) for of in billed], [(of, 300) for of in due])
    assert sum(abs(of) for _, of, _ in said) == abs(sum(billed) - sum(due)) * 30000
