"""Schedules: published examples by hand, every chain of versions against another method, and what must hold of any."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity.streams.bookings import schedule
from revenue_integrity_tests.streams.bookings import naive
from revenue_integrity_tests.streams.bookings.naive import Version

EPOCH = date(1970, 1, 1)
SEEN = naive.at(date(2026, 12, 1))


def days(values: list[date]) -> schedule.Ints:
    return np.array([(day - EPOCH).days for day in values], dtype=np.int64)


def lines_of(lines: list[list[Version]]) -> schedule.Versions:
    """Return versions as the engine takes them."""
    flat = [(number, place, version) for number, line in enumerate(lines) for place, version in enumerate(line)]
    treatments = []
    for _, place, version in flat:
        said = version.modification or ("prospective" if version.effective_from else "retrospective")
        if said == "prospective" and version.policy in ("point_in_time", "milestone"):
            said = "catch_up"
        treatments.append(schedule.FIRST if place == 0 else schedule.TREATMENTS.index(said))
    return schedule.Versions(
        line=np.array([number for number, _, _ in flat], dtype=np.int64),
        amount=np.array([version.amount for _, _, version in flat], dtype=np.int64),
        policy=np.array([schedule.POLICIES.index(version.policy) for _, _, version in flat], dtype=np.int64),
        treatment=np.array(treatments, dtype=np.int64),
        cancelled=np.array([version.cancelled for _, _, version in flat], dtype=bool),
        start=days([version.start for _, _, version in flat]),
        end=days([version.end for _, _, version in flat]),
        months=np.array([version.months for _, _, version in flat], dtype=np.int64),
        effective=days([version.effective_from or version.start for _, _, version in flat]),
        booked=np.array([naive.at(version.booked_on) for _, _, version in flat], dtype=np.int64),
    )


Done = list[list[tuple[date, Fraction]]]


def made(lines: list[list[Version]], done: Done | None = None, seen: int = SEEN) -> list[dict[int, tuple[int, int]]]:
    """Return the schedule of each line: (cents, caught up) of each month that has any."""
    completed = [(number, day, share) for number, line in enumerate(done or []) for day, share in line]
    milestones = schedule.Milestones(
        np.array([number for number, _, _ in completed], dtype=np.int64),
        days([day for _, day, _ in completed]),
        np.array([int(share * 1_000_000) for _, _, share in completed], dtype=np.int64),
    )
    cells, _ = schedule.schedule(lines_of(lines), milestones, seen)
    found: list[dict[int, tuple[int, int]]] = [{} for _ in lines]
    for line, month, cents, caught in zip(cells.line, cells.month, cells.cents, cells.catch_up, strict=True):
        if cents or caught:
            found[line][int(month)] = (int(cents), int(caught))
    return found


def cents(found: dict[int, tuple[int, int]]) -> dict[str, int]:
    return {f"{month // 12}-{month % 12 + 1:02d}": amount for month, (amount, _) in sorted(found.items())}


JANUARY = date(2025, 1, 1)


def a_version(**changed: object) -> Version:
    given_values: dict[str, object] = {
        "amount": 100_000,
        "booked_on": date(2024, 12, 20),
        "start": JANUARY,
        "end": date(2025, 3, 31),
        "months": 3,
        "policy": "equal_months",
    }
    return Version(**{**given_values, **changed})  # type: ignore[arg-type]  # a row of the source by its words


def test_thirds_add_up() -> None:
    assert cents(made([[a_version()]])[0]) == {"2025-01": 33_333, "2025-02": 33_334, "2025-03": 33_333}


def test_days_weigh_alike_or_by_their_month() -> None:
    term = {"amount": 59_000, "start": date(2025, 1, 15), "end": date(2025, 3, 14), "months": 2}
    # 17 days of January, 28 of February, 14 of March.
    assert cents(made([[a_version(policy="daily", **term)]])[0]) == {"2025-01": 17_000, "2025-02": 28_000, "2025-03": 14_000}
    # 17/31 + 1 + 14/31 = 2 months: 17/62, then (17 + 31)/62, of 59,000.00.
    assert cents(made([[a_version(policy="prorated_months", **term)]])[0]) == {
        "2025-01": 16_177,
        "2025-02": 29_500,
        "2025-03": 13_323,
    }


def test_a_deal_signed_after_its_service_began_is_caught_up_in_the_month_of_signature() -> None:
    found = made([[a_version(booked_on=date(2025, 2, 10))]])[0]
    assert found == {24301: (66_667, 33_333), 24302: (33_333, 0)}


def test_an_expansion_inside_a_month_keeps_the_days_before_it() -> None:
    # 100.00 a day; from 16 February on 200.00 a day.
    line = [
        a_version(policy="daily", amount=900_000, end=date(2025, 3, 31), months=3),
        a_version(
            policy="daily", amount=900_000 + 44 * 10_000, modification="prospective", effective_from=date(2025, 2, 16),
            booked_on=date(2025, 2, 1),
        ),
    ]  # fmt: skip
    # 90 days of 100.00; 13 + 31 days of 100.00 more.
    assert cents(made([line])[0]) == {"2025-01": 310_000, "2025-02": 280_000 + 130_000, "2025-03": 310_000 + 310_000}


def test_what_is_cancelled_a_month_ahead_owes_nothing_from_then_on() -> None:
    line = [a_version(), a_version(cancelled=True, effective_from=date(2025, 3, 1), booked_on=date(2025, 2, 3))]
    assert cents(made([line])[0]) == {"2025-01": 33_333, "2025-02": 33_334}


def test_a_cancellation_keeps_completed_milestones_at_the_price_they_were_agreed_at() -> None:
    promised = a_version(policy="milestone", booked_on=date(2025, 1, 2))
    ended = replace(promised, amount=0, booked_on=date(2025, 2, 21), effective_from=date(2025, 2, 20), cancelled=True)
    sooner = replace(ended, booked_on=date(2025, 2, 25), effective_from=date(2025, 2, 5))
    done = [[(date(2025, 1, 15), Fraction("0.25")), (date(2025, 2, 10), Fraction("0.4"))]]
    # A quarter of 1,000.00 in January and 40 % in February, whatever amount the cancellation carries.
    assert cents(made([[promised, ended]], done)[0]) == {"2025-01": 25_000, "2025-02": 40_000}
    # Ended on the fifth after all, before the second milestone was completed.
    assert cents(made([[promised, ended, sooner]], done)[0]) == {"2025-01": 25_000}


def test_open_milestones_stand_at_the_end_of_the_term_but_never_in_what_has_passed() -> None:
    line = [a_version(policy="milestone")]
    done = [[(date(2025, 2, 3), Fraction(3, 10))]]
    assert cents(made([line], done, naive.at(JANUARY))[0]) == {"2025-03": 100_000}
    assert cents(made([line], done, naive.at(date(2025, 2, 1)))[0]) == {"2025-02": 30_000, "2025-03": 70_000}
    assert cents(made([line], done, naive.at(date(2025, 5, 1)))[0]) == {"2025-02": 30_000, "2025-06": 70_000}


DAY = st.integers(0, 900).map(lambda n: JANUARY + timedelta(days=n))
POLICY = st.sampled_from(schedule.POLICIES)


@st.composite
def versions(draw: st.DrawFn, *, first: bool) -> Version:
    start = draw(DAY)
    end = start + timedelta(days=draw(st.integers(0, 700)))
    months = max(1, naive.at(end + timedelta(days=1)) - naive.at(start) - ((end + timedelta(days=1)).day < start.day))
    cancelled = draw(st.integers(0, 5)) == 0
    modification = None if first else draw(st.sampled_from([None, "retrospective", "prospective", "catch_up"]))
    needs_day = cancelled or modification in ("prospective", "catch_up")
    effective = start + timedelta(days=draw(st.integers(0, (end - start).days)))
    return Version(
        amount=draw(st.integers(0, 10_000_000)),
        booked_on=draw(DAY),
        start=start,
        end=end,
        months=months,
        policy=draw(POLICY),
        modification=modification,
        effective_from=effective if needs_day or (draw(st.booleans()) and not first) else None,
        cancelled=cancelled,
    )


@st.composite
def chains(draw: st.DrawFn) -> list[Version]:
    return [draw(versions(first=True)), *draw(st.lists(versions(first=False), max_size=4))]


MILESTONE = st.tuples(DAY, st.integers(1, 1_000_000).map(lambda micro: Fraction(micro, 1_000_000)))
COMPLETED = st.lists(MILESTONE, max_size=3)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(chains(), COMPLETED), min_size=2, max_size=6), st.integers(0, 40))
def test_every_chain_gives_what_another_method_gives(
    lines: list[tuple[list[Version], list[tuple[date, Fraction]]]], months: int
) -> None:
    seen = naive.at(JANUARY) + months
    found = made([line for line, _ in lines], [done for _, done in lines], seen)
    for line, (chain, done) in zip(found, lines, strict=True):
        due, caught = naive.schedule(chain, done, seen)
        assert line == {m: (due[m], caught[m]) for m in {*due, *caught} if due[m] or caught[m]}


@settings(deadline=None, max_examples=100)
@given(chains(), COMPLETED)
def test_a_schedule_adds_up_to_the_amount_of_its_last_version(chain: list[Version], done: list[tuple[date, Fraction]]) -> None:
    (found,) = made([chain], [done])
    if not chain[-1].cancelled:
        assert sum(amount for amount, _ in found.values()) == chain[-1].amount


@settings(deadline=None, max_examples=100)
@given(chains(), versions(first=False))
def test_only_a_retrospective_version_changes_months_before_it_was_agreed(chain: list[Version], more: Version) -> None:
    rewrites = not more.cancelled and (
        more.modification == "retrospective" or (more.modification is None and more.effective_from is None)
    )
    before, after = made([chain])[0], made([[*chain, more]])[0]
    agreed = max(naive.at(more.booked_on), naive.at(more.effective_from or more.start))
    if not rewrites:
        assert {m: v for m, v in before.items() if m < agreed} == {m: v for m, v in after.items() if m < agreed}


@settings(deadline=None, max_examples=50)
@given(st.lists(chains(), min_size=2, max_size=4))
def test_lines_do_not_see_each_other(lines: list[list[Version]]) -> None:
    assert made(lines) == [made([line])[0] for line in lines]


@settings(deadline=None, max_examples=200)
@given(st.integers(-(10**18), 10**18), st.integers(1, 4 * 10**8), st.data())
def test_a_share_is_rounded_once_half_away_from_zero(amount: int, whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    found = schedule.rounded_share(np.array([amount]), np.array([part]), np.array([whole]))
    assert int(found[0]) == naive.half_away(Fraction(amount * part, whole))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**15)), min_size=1, max_size=6))
def test_allocation_splits_the_bundle_and_nothing_else(bases: list[tuple[int, int]]) -> None:
    amounts, alone = ([base[at] for base in bases] for at in (0, 1))
    shifts = schedule.allocated_shifts(
        np.zeros(len(bases), np.int64), np.array(amounts), np.array(alone), (np.arange(len(bases)),)
    )
    assert sum(int(shift) for shift in shifts) == 0
    if min(alone) == 0:
        assert not shifts.any()
    else:
        for amount, price, shift in zip(amounts, alone, shifts, strict=True):
            exact = Fraction(sum(amounts) * price, sum(alone))
            assert abs(amount + int(shift) - exact) < 1


def test_the_cent_left_over_goes_to_the_largest_remainder_then_to_the_first_line() -> None:
    # 1,800.00 over 1,500 : 500 is 1,350.00 and 450.00; 1.00 over three alike is 0.34, 0.33, 0.33.
    deal, order = np.array([1, 0, 0, 0, 1]), (np.array([1, 3, 1, 2, 2]),)
    found = schedule.allocated_shifts(deal, np.array([120_000, 20, 50, 30, 60_000]), np.array([150_000, 7, 7, 7, 50_000]), order)
    assert list(found) == [15_000, 13, -16, 3, -15_000]


@pytest.mark.parametrize("policy", schedule.POLICIES)
def test_no_versions_make_no_schedule(policy: str) -> None:
    cells, spreads = schedule.schedule(lines_of([]))
    assert len(cells.line) == len(spreads.amount) == 0
