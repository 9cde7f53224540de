"""A sentence is true of its row: what it says of documents, amounts, quantities and prices is asked of the lines again.

Belongs here: sentences of causes of charges, over random lines of one row. Does not belong here: which cause a row has
(``test_causes``, ``test_credit_stories``).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from revenue_integrity_tests.streams.colocation.asked import MILLION, Due, Line, causes_of

Lines = dict[str, Line]

_AMOUNT = r"(-?[\d,]+\.\d\d)"
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_NAMES = r"((?:[A-Z]\d+)(?:, [A-Z]\d+)*(?: and \d+ more)?)"


def cents(text: str) -> int:
    """Return an amount of a sentence in cents."""
    return int(Decimal(text.replace(",", "")) * 100)


def millionths(text: str) -> int:
    """Return a number of a sentence in millionths."""
    return int(Decimal(text) * MILLION)


def in_evidence(cause: dict[str, Any], lines: Lines) -> list[Line]:
    """Return the lines that the evidence of a cause names."""
    return [lines[each["document_id"]] for each in cause["evidence"].get("lines", [])]


def _names_its_evidence(names: str, shown: Sequence[Line]) -> bool:
    named = re.sub(r" and \d+ more$", "", names).split(", ")
    more = int(found.group(1)) if (found := re.search(r"and (\d+) more", names)) else 0
    return set(named) <= {each.name for each in shown} and len({each.name for each in shown}) == len(named) + more


def _rounding(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    shown = in_evidence(cause, lines)
    text = cause["explanation"]
    if not text.startswith("Quantity and price"):
        return "beside the causes named" in text or "credits leave" in text
    billed, due = Counter[int](), Counter[int]()
    for each in shown:
        billed[each.price] += each.quantity
    for charge in dues:
        due[charge.price] += charge.quantity
    items = len(shown) + len(dues)
    return set(billed) == set(due) and all(abs(billed[price] - due[price]) <= items for price in due)


def _price(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    found = re.fullmatch(rf"{_NAMES} bills? rack of A at {_NUMBER}; the contract says {_NUMBER}\.", cause["explanation"])
    assert found, cause["explanation"]
    names, billed, due = found.groups()
    shown = in_evidence(cause, lines)
    return (
        _names_its_evidence(names, shown)
        and {each.price for each in shown} == {millionths(billed)}
        and millionths(due) in {each.price for each in dues}
        and billed != due
    )


def _quantity(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    text, shown = cause["explanation"], in_evidence(cause, lines)
    if found := re.fullmatch(rf"No line is left that bills {_NUMBER} of rack of A, which is due\.", text):
        return not shown and sum(each["amount_cents"] for each in cause["evidence"]["charges"]) == -cause["cents"] != 0
    if found := re.fullmatch(rf"{_NAMES} bills? {_NUMBER} of rack of A, for which no charge is left\.", text):
        return _names_its_evidence(found[1], shown) and sum(each.quantity for each in shown) == millionths(found[2])
    found = re.fullmatch(rf"{_NAMES} bills? {_NUMBER} of rack of A; {_NUMBER} is due\.", text)
    assert found, text
    return (
        _names_its_evidence(found[1], shown)
        and sum(each.quantity for each in shown) == millionths(found[2])
        and found[2] != found[3]
    )


def _duplicate(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    found = re.fullmatch(
        rf"{_NAMES} bills rack of A with the quantity and price of {_NAMES} again; no credit takes it back\.",
        cause["explanation"],
    )
    if not found:
        return _credited_in_part(cause, lines)
    again = lines[found[1]]
    first = [lines[each["document_id"]] for each in cause["evidence"]["first_billed_by"]]
    return (
        {(each.quantity, each.price) for each in first} == {(again.quantity, again.price)}
        and again not in first
        and sum(each.cents for each in in_evidence(cause, lines)) == cause["cents"]
        and "credits" not in cause["evidence"]
    )


def _credited_in_part(cause: dict[str, Any], lines: Lines) -> bool:
    found = re.fullmatch(
        rf"{_NAMES} bills rack of A with the quantity and price of {_NAMES} again; {_AMOUNT} of its {_AMOUNT} is credited\.",
        cause["explanation"],
    )
    assert found, cause["explanation"]
    credited = [lines[each["document_id"]] for each in cause["evidence"]["credits"]]
    again = lines[found[1]]
    like = {
        each.name
        for each in lines.values()
        if not each.is_credit and (each.quantity, each.price) == (again.quantity, again.price)
    }
    # A credit may take back a part of one duplicate and a part of the next.
    return (
        again.cents == cents(found[4])
        and {each.corrects for each in credited} <= {*like, None}
        and -sum(each.cents for each in credited) >= cents(found[3]) > 0
        and cents(found[4]) - cents(found[3]) == cause["cents"] > 0
    )


def _credit(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    found = re.fullmatch(
        rf"Credit ([A-Z]\d+) takes {_AMOUNT} off ([A-Z]\d+)"
        rf"(, which another credit takes back|, and nothing else bills rack of A|, of which {_AMOUNT} takes back what was billed"
        r" again|)\.",
        cause["explanation"],
    )
    assert found, cause["explanation"]
    own = lines[found[1]]
    again = cents(found[5]) if found[5] else 0
    holds = own.is_credit and -own.cents == cents(found[2]) and own.corrects == found[3] and own.cents + again == cause["cents"]
    others = [each for each in lines.values() if each.is_credit and each != own]
    bills = [each for each in lines.values() if not each.is_credit and each.name != own.corrects]
    if found[5]:
        like = [(each.quantity, each.price) for each in lines.values() if not each.is_credit]
        return holds and 0 < again < -own.cents and max(like.count(each) for each in like) > 1
    if "another" in found[4]:
        return holds and bool(others)
    # Whatever else billed the row must have been taken back by other credits.
    return holds and (not found[4] or sum(each.cents for each in bills) <= -sum(each.cents for each in others) + len(others))


def _unreferenced(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    found = re.fullmatch(
        rf"Credit ([A-Z]\d+) takes {_AMOUNT} off and names no document(?:; {_AMOUNT} of it takes back what was billed again|)\.",
        cause["explanation"],
    )
    assert found, cause["explanation"]
    own = lines[found[1]]
    again = cents(found[3]) if found[3] else 0
    like = [(each.quantity, each.price) for each in lines.values() if not each.is_credit]
    return (
        own.is_credit
        and own.corrects is None
        and own.cents == -cents(found[2])
        and own.cents + again == cause["cents"]
        and (not found[3] or (0 < again < -own.cents and max(map(like.count, like)) > 1))
    )


def _uncontracted(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    found = re.fullmatch(
        rf"Nothing of rack of A is due in 2025-03; {_NAMES} bills? {_AMOUNT}(?:, of which {_AMOUNT} has no other cause)?\.",
        cause["explanation"],
    )
    assert found, cause["explanation"]
    shown = in_evidence(cause, lines)
    return (
        not dues
        and _names_its_evidence(found[1], shown)
        and sum(each.cents for each in shown) == cents(found[2])
        and cents(found[3] or found[2]) == cause["cents"]
    )


def _proration(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    found = re.fullmatch(rf"{_NAMES} bills? (\d+) days? of rack of A, which is due for the full month\.", cause["explanation"])
    assert found, cause["explanation"]
    (line,), (due,) = in_evidence(cause, lines), dues
    return abs(line.quantity * 31 - due.quantity * int(found[2])) <= 31 and line.price == due.price


def _unbilled(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    return not lines and cause["cents"] == -sum(each.cents for each in dues)


def _nothing_said(cause: dict[str, Any], lines: Lines, dues: Sequence[Due]) -> bool:
    found = re.fullmatch(rf"No rule explains {_AMOUNT}\.", cause["explanation"])
    return found is not None and cents(found[1]) == cause["cents"]


HOLDS: dict[str, Callable[[dict[str, Any], Lines, Sequence[Due]], bool]] = {
    "rounding": _rounding,
    "price_mismatch": _price,
    "quantity_mismatch": _quantity,
    "duplicate_billing": _duplicate,
    "credit_memo": _credit,
    "credit_unreferenced": _unreferenced,
    "uncontracted": _uncontracted,
    "proration": _proration,
    "unbilled": _unbilled,
    "unexplained": _nothing_said,
}
"""For each cause that one row by itself can have, whether its sentence holds."""


def _of(quantity: str, price: str, off: int) -> tuple[int, int, int]:
    return millionths(quantity), millionths(price), int((Decimal(quantity) * Decimal(price) * 100).quantize(Decimal(1))) + off


TERMS = st.builds(
    _of,
    st.sampled_from(["2", "2", "1", "3", "0.967742", "1.032258", "1.999999", "0"]),
    st.sampled_from(["300", "300", "310", "299.99"]),
    st.sampled_from([0, 0, 0, 1, -1, 2, 700]),
)
DUES = st.lists(
    st.builds(_of, st.sampled_from(["2", "1", "0.967742"]), st.sampled_from(["300", "310"]), st.just(0)), max_size=2
).map(lambda dues: [Due(*each) for each in dues])
LINES = st.lists(st.tuples(TERMS, st.booleans(), st.none() | st.integers(0, 4)), max_size=5)


def told(drawn: Sequence[tuple[tuple[int, int, int], bool, int | None]]) -> list[Line]:
    """Return lines whose credits name one of the bills, or none."""
    names = [f"{'C' if is_credit else 'B'}{place}" for place, (_, is_credit, _) in enumerate(drawn)]
    bills = [name for name in names if name.startswith("B")]
    return [
        Line(name, quantity, price, -abs(amount), bills[named] if named is not None and named < len(bills) else None, True)
        if is_credit
        else Line(name, quantity, price, abs(amount))
        for name, ((quantity, price, amount), is_credit, named) in zip(names, drawn, strict=True)
    ]


@profile(max_examples=25, deadline=None)
@given(drawn=LINES, dues=DUES)
def test_every_sentence_holds_for_its_row(drawn: list[tuple[tuple[int, int, int], bool, int | None]], dues: list[Due]) -> None:
    lines = told(drawn)
    by_name = {each.name: each for each in lines}
    for cause in causes_of(lines, dues):
        assert HOLDS[cause["cause"]](cause, by_name, dues), (cause, lines, dues)


@pytest.mark.parametrize(
    ("billed", "dues"),
    [
        # Three halves of what is due, at prices that are exchanged: sets of prices and the sum of quantities agree, nothing else.
        ([("2", "300"), ("1", "310")], [("1", "300"), ("2", "310")]),
        ([("1", "300"), ("1", "300"), ("1", "310")], [("1", "300"), ("2", "310")]),
    ],
)
def test_quantity_and_price_agree_only_where_they_do_at_each_price(
    billed: list[tuple[str, str]], dues: list[tuple[str, str]]
) -> None:
    due = [Due(*_of(*each, 0)) for each in dues]
    lines = [Line(f"B{place}", *_of(*each, 0)) for place, each in enumerate(billed)]
    # The amounts are a cent off what is due, whatever the quantities say.
    off = sum(each.cents for each in due) + 1 - sum(each.cents for each in lines)
    lines[0] = Line(lines[0].name, lines[0].quantity, lines[0].price, lines[0].cents + off)
    said = causes_of(lines, due)
    assert not [each for each in said if each["explanation"].startswith("Quantity and price")]


@profile(max_examples=40, deadline=None)
@given(
    billed=st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(["300", "310"])), min_size=1, max_size=2),
    dues=st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(["300", "310"])), min_size=1, max_size=2),
    price=st.sampled_from(["300", "310"]),
    off=st.sampled_from([0, 700]),
)
def test_a_line_of_a_quantity_of_nothing_is_never_said_to_lack_what_another_bills(
    billed: list[tuple[str, str]], dues: list[tuple[str, str]], price: str, off: int
) -> None:
    due = [Due(*_of(*each, 0)) for each in dues]
    lines = [Line(f"B{place}", *_of(*each, 0)) for place, each in enumerate(billed)]
    said = causes_of([*lines, Line("Z9", *_of("0", price, off))], due)
    # It stands against no charge: whatever is said of quantities is said of lines that bill something.
    assert not [each for each in said if each["cause"] == "quantity_mismatch" and "Z9" in each["explanation"]]
