"""Sentences of what stands in another place, and of power, are true of their rows: every word of them is asked again.

Belongs here: both ends of moves between months and contracts, lines without a contract, bookings of a site's power, over random
lines. Does not belong here: sentences of a row by itself (``test_sentences``), which cause a row has (``test_causes``).
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from revenue_integrity_tests.streams.colocation.asked import (
    MARCH,
    MILLION,
    Asked,
    Booked,
    Due,
    Line,
    causes_of_power,
    causes_of_rows,
)

FEBRUARY, APRIL = pd.Timestamp("2025-02-01"), pd.Timestamp("2025-04-01")

_AMOUNT = r"(-?[\d,]+\.\d\d)"
_NAMES = r"((?:[A-Z]\d+)(?:, [A-Z]\d+)*(?: and \d+ more)?)"


def cents(text: str) -> int:
    """Return an amount of a sentence in cents."""
    return int(Decimal(text.replace(",", "")) * 100)


Rows = dict[tuple[str | None, str], Asked]
"""What was asked, by contract and month."""

Causes = Sequence[dict[str, Any]]


def rest_of(rows: Rows, causes: Causes, contract: str | None, *above: str) -> int:
    """Return what a row of March varies by once the causes above have claimed their part."""
    claimed = sum(each["cents"] for each in causes if each["contract"] == contract and each["cause"] in above)
    row = rows.get((contract, "2025-03"))
    return (row.variance if row else 0) - claimed


def are_billed(names: str, row: Asked) -> bool:
    """Return whether documents that a sentence names stand in a row, with an amount that is billed among them."""
    named = set(re.sub(r" and \d+ more$", "", names).split(", "))
    known = {each.name: each.cents for each in row.lines}
    return named <= set(known) and (max(known[name] for name in named) > 0 or "more" in names)


def _shift_holds(cause: dict[str, Any], rows: Rows, causes: Causes) -> bool:
    found = re.fullmatch(
        rf"{_AMOUNT} of rack of ([AB]) that (\S+) lacks was billed under (\S+?)(?: \({_NAMES}\))?\.", cause["explanation"]
    )
    assert found, cause
    lacking, billed = rows[found[2], found[3]], rows[found[2], found[4]]
    return (
        cause["contract"] == found[2]
        and cents(found[1]) == min(-lacking.variance, billed.variance) == abs(cause["cents"]) > 0
        and (cause["cents"] > 0) == (found[4] == "2025-03")
        and are_billed(found[5], billed)
    )


def _unmapped_holds(cause: dict[str, Any], rows: Rows, causes: Causes) -> bool:
    without = {each.name: each for each in rows[None, "2025-03"].lines}
    line = rf"Line 1 of (\w+) \({_AMOUNT}\) resolves to no contract: no mapping row of E covers R-None\."
    if cause["contract"] is None:
        found = re.fullmatch(rf"{line}(?: ([AB]) (lacks|has) {_AMOUNT} of this charge( too much)?\.)?", cause["explanation"])
        assert found, cause
        holds = without[found[1]].cents == cents(found[2]) == cause["cents"]
        if not found[3]:
            return holds and pd.isna(cause["link_id"])
        rest = rest_of(rows, causes, found[3], "period_shift")
        return holds and bool(found[6]) == (found[4] == "has") == (rest > 0) and abs(rest) == cents(found[5])
    found = re.fullmatch(
        rf"{_AMOUNT} of rack of ([AB]) was (billed|taken off) by line 1 of (\w+), which resolves to no contract\.",
        cause["explanation"],
    )
    assert found, cause
    own = without[found[4]].cents
    return (
        found[2] == cause["contract"]
        and own == -cause["cents"]
        and cents(found[1]) == abs(own)
        and (found[3] == "billed") == (own > 0)
    )


def _contract_holds(cause: dict[str, Any], rows: Rows, causes: Causes) -> bool:
    found = re.fullmatch(rf"{_AMOUNT} of rack that ([AB]) lacks was billed to ([AB]) \({_NAMES}\)\.", cause["explanation"])
    assert found, cause
    lacking, excess = (rest_of(rows, causes, name, "period_shift", "unmapped_line") for name in (found[2], found[3]))
    return (
        cents(found[1]) == min(-lacking, excess) == abs(cause["cents"]) > 0
        and cause["contract"] == (found[3] if cause["cents"] > 0 else found[2])
        and are_billed(found[4], rows[found[3], "2025-03"])
    )


HOLDS = {"period_shift": _shift_holds, "unmapped_line": _unmapped_holds, "wrong_contract": _contract_holds}
"""For each cause that two rows have together, whether its sentence holds."""

LINES = st.lists(st.tuples(st.sampled_from([60000, 60000, 30000, 30001, 90000]), st.booleans(), st.integers(0, 3)), max_size=3)
DUES = st.lists(st.sampled_from([60000, 30000]), max_size=1)
ROWS = st.tuples(*[st.tuples(LINES, DUES)] * 7)
PLACES = [(contract, month) for contract in ("A", "B") for month in (FEBRUARY, MARCH, APRIL)]


def told(drawn: Sequence[tuple[Sequence[tuple[int, bool, int]], Sequence[int]]]) -> list[Asked]:
    """Return rows of two contracts in three months, and of what resolves to none; three in four lines are bills."""
    made, number = [], 0
    for (contract, month), (lines, dues) in zip([*PLACES, (None, MARCH)], drawn, strict=True):
        said = []
        for amount, is_credit, chance in lines:
            number += 1
            off = is_credit and chance < 2
            signed = -amount if off else amount
            said.append(Line(f"{'C' if off else 'B'}{number}", MILLION, amount * 10**4, signed, None, is_credit=off))
        of_contract = [Due(MILLION, amount * 10**4, amount) for amount in dues] if contract else []
        made.append(Asked(contract, month, said, of_contract))
    return made


@profile(max_examples=25, deadline=None)
@given(drawn=ROWS)
def test_every_sentence_of_a_move_holds_for_both_of_its_rows(drawn: Any) -> None:
    asked = told(drawn)
    rows: Rows = {(each.contract, f"{each.month:%Y-%m}"): each for each in asked}
    causes = causes_of_rows(asked)
    for cause in causes:
        if cause["cause"] in HOLDS:
            assert HOLDS[cause["cause"]](cause, rows, causes), (cause, asked)


def test_what_a_credit_took_off_is_not_called_due() -> None:
    # Nothing of A is due in February: a credit stands there alone, and March bills as much too much.
    march = [Line(name, 2 * MILLION, 300 * MILLION, 60000) for name in ("B1", "B2")]
    credit = Line("C1", 2 * MILLION, 300 * MILLION, -60000, None, is_credit=True)
    (said,) = causes_of_rows([Asked("A", FEBRUARY, [credit]), Asked("A", MARCH, march, [Due(2 * MILLION, 300 * MILLION, 60000)])])
    assert (said["cause"], said["explanation"]) == (
        "period_shift",
        "600.00 of rack of A that 2025-02 lacks was billed under 2025-03 (B1, B2).",
    )


def test_a_credit_without_a_contract_is_told_at_the_contract_that_has_too_much() -> None:
    bills = [Line(name, MILLION, 300 * MILLION, 30000) for name in ("B1", "B2")]
    credit = Line("C1", MILLION, 300 * MILLION, -30000, None, is_credit=True)
    said = causes_of_rows([Asked(None, MARCH, [credit]), Asked("A", MARCH, bills, [Due(MILLION, 300 * MILLION, 30000)])])
    assert [(each["contract"], each["cents"], each["explanation"]) for each in said] == [
        (
            None, -30000,
            "Line 1 of C1 (-300.00) resolves to no contract: no mapping row of E covers R-None."
            " A has 300.00 of this charge too much.",
        ),
        ("A", 30000, "300.00 of rack of A was taken off by line 1 of C1, which resolves to no contract."),
    ]  # fmt: skip


def power_holds(cause: dict[str, Any], bookings: Sequence[Booked], allocated: int, bill: str) -> bool:
    """Return whether the sentence of a cause of power is true of what is booked and of the bill."""
    text, by_name = cause["explanation"], {each.name: each for each in bookings}
    shown = [by_name[each["document_id"]] for each in cause["evidence"].get("lines", [])]
    accrued = sum(each.cents for each in bookings if each.kind != "bill")
    has_bill = any(each.kind == "bill" for each in bookings)
    if found := re.fullmatch(rf"Nothing is booked for the power of S; {_AMOUNT} is allocated\.", text):
        return not bookings and cents(found[1]) == allocated == -cause["cents"]
    if found := re.fullmatch(rf"The bill of S is booked, and accruals of {_AMOUNT} net of reversals still stand\.", text):
        return has_bill and 0 < cents(found[1]) == accrued == cause["cents"] == sum(each.cents for each in shown)
    if found := re.fullmatch(rf"The bill of S is booked, and reversals exceed accruals by {_AMOUNT}\.", text):
        return has_bill and 0 < cents(found[1]) == -accrued == -cause["cents"]
    if found := re.fullmatch(r"For the power of S the bill is booked; our bill is (\w+)\.", text):
        return has_bill and found[1] == bill and bill in ("estimated", "accrued")
    if found := re.fullmatch(
        rf"For the power of S no bill is booked, but accruals of {_AMOUNT} net of reversals; our bill is (\w+)\.", text
    ):
        kinds = {each.kind for each in bookings}
        return "accrual" in kinds and not has_bill and cents(found[1]) == accrued and found[2] == (bill or "missing")
    if found := re.fullmatch(
        rf"For the power of S no bill is booked, but reversals of {_AMOUNT} without an accrual; our bill is (\w+)\.", text
    ):
        return {each.kind for each in bookings} == {"reversal"} and cents(found[1]) == accrued and found[2] == (bill or "missing")
    if found := re.fullmatch(rf"{_AMOUNT} is rounding of (\d+) bookings? of S\.", text):
        return cents(found[1]) == cause["cents"] and int(found[2]) == len(bookings) >= abs(cause["cents"])
    if found := re.fullmatch(rf"(Bill|Accrual|Reversal) (\w+) \({_AMOUNT}\) was posted after the cutoff\.", text):
        own = by_name[found[2]]
        return own.late and own.kind == found[1].lower() and own.cents == cents(found[3]) == -cause["cents"]
    found = re.fullmatch(rf"No rule explains {_AMOUNT}\.", text)
    assert found, text
    return cents(found[1]) == cause["cents"] and has_bill


AMOUNTS = {"bill": [100000, 100001, 50000, 100002], "accrual": [95000, 100000], "reversal": [-95000, -90000, -100000]}
BOOKINGS = st.lists(
    st.sampled_from(list(AMOUNTS)).flatmap(lambda kind: st.tuples(st.just(kind), st.sampled_from(AMOUNTS[kind]), st.booleans())),
    max_size=5,
)


@profile(max_examples=40, deadline=None)
@given(drawn=BOOKINGS, bill=st.sampled_from(["final", "estimated", "accrued", ""]))
def test_every_sentence_on_power_holds_for_its_site(drawn: list[tuple[str, int, bool]], bill: str) -> None:
    bookings = [Booked(f"{kind[0].upper()}{place}", kind, amount, late) for place, (kind, amount, late) in enumerate(drawn)]
    allocated = 100000 if bill else 0
    for cause in causes_of_power(bookings, allocated, bill):
        assert power_holds(cause, bookings, allocated, bill), (cause, bookings, bill)
