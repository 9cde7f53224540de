"""Credits of documents, told as stories over one contract of 2 racks at 300 (600.00 due): what repairs, and what stands.

A story is a list of documents: ``I`` an invoice, ``D`` a second one for the same, ``R`` a rebill, each with the price per rack
where it is another than 300; ``C(X)`` a credit of document X, of all that it bills, or of a part of it. The causes are asked
without a database; what they must say is counted here by trying everything.
"""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from revenue_integrity_tests.streams.colocation.asked import MILLION, Due, Line, causes_of

RACKS = 2
DUE = 60000


def bill(name: str, price: int = 300) -> Line:
    """Return a bill of 2 racks."""
    return Line(name, RACKS * MILLION, price * MILLION, RACKS * price * 100)


def credit(name: str, corrects: str | None, cents: int = DUE) -> Line:
    """Return a credit; ``cents`` are what it takes off."""
    return Line(name, RACKS * MILLION, cents * MILLION // (RACKS * 100), -cents, corrects, is_credit=True)


def said_of(story: Sequence[Line], due: int = DUE) -> list[tuple[str, int]]:
    """Return cause and cents of what is said of a story, none where it adds up to what is due."""
    dues = [Due(RACKS * MILLION, due * MILLION // (RACKS * 100), due)] if due else []
    return [(each["cause"], each["cents"]) for each in causes_of(story, dues)]


INVOICE, D, R = bill("I"), bill("D"), bill("R")
STORIES: dict[str, tuple[list[Line], list[tuple[str, int]]]] = {
    "a duplicate credited twice": ([INVOICE, D, credit("C1", "D"), credit("C2", "D")], [("credit_memo", -60000)]),
    "an invoice credited twice and rebilled": ([INVOICE, credit("C1", "I"), credit("C2", "I"), R], [("credit_memo", -60000)]),
    "a duplicate and its original credited": ([INVOICE, D, credit("C1", "D"), credit("C2", "I")], [("credit_memo", -60000)]),
    "a wrong price credited twice and rebilled": (
        [bill("I", 250), credit("C1", "I", 50000), credit("C2", "I", 50000), R],
        [("credit_memo", -50000)],
    ),
    "an invoice credited twice": ([INVOICE, credit("C1", "I"), credit("C2", "I")], [("credit_memo", -60000)] * 2),
    "one of two duplicates credited": ([INVOICE, D, bill("D2"), credit("C1", "D")], [("duplicate_billing", 60000)]),
    "a duplicate credited in two halves": ([INVOICE, D, credit("C1", "D", 30000), credit("C2", "D", 30000)], []),
}
"""The stories of the issue, each with the causes that it must have."""

MORE: dict[str, tuple[list[Line], list[tuple[str, int]]]] = {
    "three halves of a duplicate": (
        [INVOICE, D, *(credit(f"C{number}", "D", 30000) for number in range(3))], [("credit_memo", -30000)],
    ),
    "halves of the invoice beside a rebill at another price": (
        [INVOICE, credit("C1", "I", 30000), credit("C2", "I", 30000), bill("R", 310)], [("price_mismatch", 2000)],
    ),
    "halves of the invoice and no rebill": (
        [INVOICE, credit("C1", "I", 20000), credit("C2", "I", 20000), credit("C3", "I", 20000)], [("credit_memo", -20000)] * 3,
    ),
    "thirds of a duplicate at a wrong price": (
        [bill("I", 310), bill("D", 310), credit("C1", "D", 20667), credit("C2", "D", 20667), credit("C3", "D", 20666)],
        [("price_mismatch", 2000)],
    ),
    "a duplicate credited to a cent": ([INVOICE, D, credit("C1", "D", 59999)], [("rounding", 1)]),
    "two duplicates, one of them credited three times": (
        [INVOICE, D, bill("D2"), *(credit(f"C{number}", "D") for number in range(3))], [("credit_memo", -60000)],
    ),
    "credits that name nothing, of a duplicate": (
        [INVOICE, D, credit("C1", None), credit("C2", None)], [("credit_unreferenced", -60000)],
    ),
    "one credit names the duplicate, one nothing": (
        [INVOICE, D, credit("C1", None), credit("C2", "D")], [("credit_unreferenced", -60000)],
    ),
    "the original credited first, beside a duplicate at another price": (
        [INVOICE, credit("C1", "I"), bill("D", 325), credit("C2", "D", 65000)], [("credit_memo", -60000)],
    ),
    "a rebill that is credited, too": (
        [INVOICE, credit("C1", "I"), R, credit("C2", "R")], [("credit_memo", -60000)],
    ),
    "a rebill billed twice": ([INVOICE, credit("C1", "I"), R, bill("R2")], [("duplicate_billing", 60000)]),
    "half of a duplicate": ([INVOICE, D, credit("C1", "D", 30000)], [("duplicate_billing", 30000)]),
    "a part of what a duplicate repeats": ([INVOICE, D, credit("C1", "I", 10000)], [("duplicate_billing", 50000)]),
    "two parts of a duplicate": (
        [INVOICE, D, credit("C1", "D", 10000), credit("C2", "D", 20000)], [("duplicate_billing", 30000)],
    ),
    "a part of one of two duplicates": (
        [INVOICE, D, bill("D2"), credit("C1", "D2", 30000)], [("duplicate_billing", 30000), ("duplicate_billing", 60000)],
    ),
    "a part of a duplicate at a wrong price": (
        [bill("I", 310), bill("D", 310), credit("C1", "D", 20000)], [("duplicate_billing", 42000), ("price_mismatch", 2000)],
    ),
    "parts of the invoice and of its duplicate that take off more than was billed again": (
        [INVOICE, D, credit("C1", "I", 50000), credit("C2", "D", 20000)], [("credit_memo", -10000)],
    ),
    "three parts of a duplicate that take off more than it bills": (
        [INVOICE, D, credit("C1", "D", 20000), credit("C2", "D", 30000), credit("C3", "D", 50000)], [("credit_memo", -40000)],
    ),
    "parts of one duplicate of two that take off more than it bills": (
        [INVOICE, D, bill("D2"), credit("C1", "D", 30000), credit("C2", "D", 50000)], [("duplicate_billing", 40000)],
    ),
    "the whole of one duplicate and a part of the same": (
        [INVOICE, D, bill("D2"), credit("C1", "I"), credit("C2", "I", 30000)], [("duplicate_billing", 30000)],
    ),
    # Two credits of 500.00 each stand beyond a duplicate of 600.00: the second by 400.00.
    "what credits take off too much is as much as a duplicate bills": (
        [INVOICE, D, credit("C1", "I", 50000), credit("C2", "D", 50000), credit("C3", "D", 20000)],
        [("credit_memo", -40000), ("credit_memo", -20000)],
    ),
    "a credit that names nothing, of a part of a duplicate": (
        [INVOICE, D, credit("C1", None, 30000)], [("duplicate_billing", 30000)],
    ),
    "a credit that names nothing takes off more than what one that names the duplicate left of it": (
        [INVOICE, D, credit("C1", "D", 20000), credit("C2", None, 50000)], [("credit_unreferenced", -10000)],
    ),
    "a part of a correct invoice": ([INVOICE, credit("C1", "I", 5000)], [("credit_memo", -5000)]),
    "the whole of a correct invoice": ([INVOICE, credit("C1", "I")], [("credit_memo", -60000)]),
}  # fmt: skip
"""Variations."""


@pytest.mark.parametrize("name", [*STORIES, *MORE])
def test_credits_repair_once_and_the_others_stand(name: str) -> None:
    story, expected = (STORIES | MORE)[name]
    assert Counter(said_of(story)) == Counter(expected)


def test_of_what_is_not_due_one_credit_repairs_and_the_other_is_wrong() -> None:
    story = [bill("I", 30), credit("C1", "I", 6000), credit("C2", "I", 6000)]
    assert said_of(story, due=0) == [("credit_memo", -6000)]


WHOLE = st.lists(st.tuples(st.sampled_from("BBBC"), st.integers(0, 4)), min_size=1, max_size=7)


def told(letters: Sequence[tuple[str, int]]) -> list[Line]:
    """Return a story of bills of 600.00 and of credits that each name one of them, or none."""
    bills = [number for number, (letter, _) in enumerate(letters) if letter == "B"]
    return [
        bill(f"B{number}") if letter == "B" else credit(f"C{number}", f"B{bills[names]}" if names < len(bills) else None)
        for number, (letter, names) in enumerate(letters)
    ]


def least_wrong(story: Sequence[Line]) -> int:
    """Return the least that can be called wrong, trying every number of credits that each take a bill back."""
    bills = sum(not each.is_credit for each in story)
    reversing = len(story) - bills
    tried = range(min(reversing, max(bills - 1, 0)) + 1)
    return min((reversing - repair) * DUE + abs((bills - repair) * DUE - DUE) for repair in tried)


@profile(max_examples=30, deadline=None)
@given(letters=WHOLE)
def test_gross_never_exceeds_what_is_wrong(letters: list[tuple[str, int]]) -> None:
    story = told(letters)
    found = said_of(story)
    assert sum(abs(cents) for _, cents in found) == (least_wrong(story) if found else 0)
    # A credit where nothing is billed leaves a quantity of which no line bills anything.
    assert {cause for cause, _ in found} <= {"duplicate_billing", "credit_memo", "credit_unreferenced", "quantity_mismatch"}


PARTS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([10000, 20000, 30000, 50000, 60000])), max_size=5)


@profile(max_examples=40, deadline=None)
@given(duplicates=st.integers(0, 3), parts=PARTS)
def test_credits_of_originals_and_duplicates_are_no_more_wrong_than_the_row(
    duplicates: int, parts: list[tuple[int, int]]
) -> None:
    # Originals, duplicates, credits are of one kind: what is wrong is the variance, whatever the credits name and take off.
    bills = [INVOICE, *(bill(f"D{number}") for number in range(duplicates))]
    names = [*(each.name for each in bills), None]
    credits_of = [credit(f"C{number}", names[named % len(names)], cents) for number, (named, cents) in enumerate(parts)]
    story: list[Line] = [*bills, *credits_of]
    variance = sum(each.cents for each in story) - DUE
    said = said_of(story)
    assert sum(abs(cents) for _, cents in said) == abs(variance)
    assert {cause for cause, _ in said} <= {"duplicate_billing", "credit_memo", "credit_unreferenced"}
