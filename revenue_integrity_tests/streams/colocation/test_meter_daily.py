"""Daily usage: what a reading counts for, and what stands where none is. March 2025: the 5th is a Wednesday."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

Factory = pytest.TempPathFactory


def contract(world: World, name: str, **values: Any) -> World:
    return world.version(contract_id=name, **({"effective_from": "2024-12-01"} | values))


@pytest.fixture(scope="module")
def usage(tmp_path_factory: Factory) -> Iterator[Computed]:
    """Many contracts, each with a story of its own; all reserve 10 kW: the default is 10 x 24 x 0.6 = 144 kWh, 6 kW."""
    world = World(tmp_path_factory.mktemp("usage"))
    world.add("sites", site_id="NY", timezone="America/New_York")

    # Four Wednesdays before 5 March; 5 February is exactly 28 days away. Other days and source estimates do not count.
    contract(world, "WEEKDAY")
    for day, kwh in (("2025-02-05", 91), ("2025-02-12", 70), ("2025-02-26", 81), ("2025-02-13", 500)):
        world.reading(day, kwh, 40, meter_id="M-WD", contract_id="WEEKDAY")
    world.reading("2025-02-19", 999, 45, meter_id="M-WD", contract_id="WEEKDAY", read_type="estimated")

    # One Wednesday and one Thursday only, and an estimate of the source.
    contract(world, "MEAN")
    world.reading("2025-02-26", 90, 8, meter_id="M-MEAN", contract_id="MEAN")
    world.reading("2025-02-27", 60, 5, meter_id="M-MEAN", contract_id="MEAN")
    world.reading("2025-02-24", 300, 30, meter_id="M-MEAN", contract_id="MEAN", read_type="estimated")

    contract(world, "NOMETER")
    contract(world, "STARTS")
    world.readings("2025-03-20", "2025-03-31", 50, 9, meter_id="M-ST", contract_id="STARTS")

    # The old meter's last reading is of 1 March; the new one reads from 2 March on.
    contract(world, "EXCHANGED")
    world.reading("2025-03-01", 48, 4, meter_id="M-OLD", contract_id="EXCHANGED")
    world.readings("2025-03-02", "2025-03-31", 60, 5, meter_id="M-NEW", contract_id="EXCHANGED")

    # Two meters that have both fallen silent since January: the default is split between them.
    contract(world, "SILENT")
    world.reading("2025-01-02", 48, 4, meter_id="M-S1", contract_id="SILENT")
    world.reading("2025-01-03", 48, 4, meter_id="M-S2", contract_id="SILENT")

    # A meter that served GIVER until the 9th and TAKER from the 10th.
    contract(world, "GIVER")
    contract(world, "TAKER")
    world.readings("2025-03-01", "2025-03-09", 30, 3, meter_id="M-MOVED", contract_id="GIVER")
    world.readings("2025-03-10", "2025-03-31", 200, 20, meter_id="M-MOVED", contract_id="TAKER")

    # Rounding half away from zero to 3 places: (1.001 + 1.002) / 2 = 1.0015; default peak 0.0025 x 0.6 = 0.0015.
    contract(world, "HALF", reserved_kw="0.0025")
    world.reading("2025-03-10", "1.001", "2.001", meter_id="M-HALF", contract_id="HALF")
    world.reading("2025-03-11", "1.002", "2.002", meter_id="M-HALF", contract_id="HALF")

    # Late by the site's day. New York, winter: midnight is 05:00 UTC.
    contract(world, "LATE-UTC")
    world.reading("2025-03-05", meter_id="M-LU", contract_id="LATE-UTC", arrival="20250308T235959Z")
    world.reading("2025-03-06", meter_id="M-LU", contract_id="LATE-UTC", arrival="20250310T000000Z")
    contract(world, "LATE-NY", site_id="NY")
    world.reading("2025-03-04", meter_id="M-LN", contract_id="LATE-NY", site_id="NY", arrival="20250308T045959Z")
    world.reading("2025-03-05", meter_id="M-LN", contract_id="LATE-NY", site_id="NY", arrival="20250309T050000Z")

    # An actual beats an estimate, whichever came later; of two of a kind the later wins.
    contract(world, "VERSIONS")
    story: dict[str, Any] = {"meter_id": "M-V", "contract_id": "VERSIONS"}
    world.reading("2025-03-05", 100, arrival="20250306T000000Z", **story)
    world.reading("2025-03-05", 111, arrival="20250320T000000Z", read_type="estimated", **story)
    world.reading("2025-03-06", 122, arrival="20250307T000000Z", read_type="estimated", **story)
    world.reading("2025-03-06", 133, arrival="20250320T000000Z", **story)
    world.reading("2025-03-07", 144, arrival="20250308T000000Z", **story)
    world.reading("2025-03-07", 155, arrival="20250309T000000Z", **story)
    world.reading("2025-03-08", 166, arrival="20250309T010000Z", **story)
    world.reading("2025-03-08", 166, arrival="20250325T010000Z", **story)
    world.reading("2025-03-09", 177, arrival="20250310T000000Z", read_type="estimated", **story)

    # Service from the 10th to the 12th and on the 20th.
    contract(world, "BROKEN", effective_from="2025-03-10", effective_to="2025-03-12")
    contract(world, "BROKEN", version=2, effective_from="2025-03-20", effective_to="2025-03-20")
    with world.computed("meter_daily") as computed:
        yield computed


def day(usage: Computed, contract_id: str, on: str) -> tuple[Any, ...]:
    row = usage.row("meter_daily", contract_id=contract_id, reading_date=on)
    return pick(row, "kwh", "peak_kw", "n_meters", "estimated_kwh")


def test_gap_is_the_mean_of_the_same_weekday(usage: Computed) -> None:
    # (91 + 70 + 81) / 3 = 80.666…; the estimate of 19 February and the 500 of a Thursday take no part.
    assert day(usage, "WEEKDAY", "2025-03-05") == (Decimal("80.667"), 40, 1, Decimal("80.667"))


def test_look_back_ends_after_28_days(usage: Computed) -> None:
    # 12 March: 12 and 26 February are 28 and 14 days away, 5 February is 35: (70 + 81) / 2. The 5th of March is an estimate.
    assert day(usage, "WEEKDAY", "2025-03-12")[0] == Decimal("75.5")


def test_gap_with_fewer_than_two_weekdays_is_the_mean_of_all(usage: Computed) -> None:
    assert day(usage, "MEAN", "2025-03-05") == (75, Decimal("6.5"), 1, 75)


def test_estimates_are_no_inputs_of_estimates(usage: Computed) -> None:
    # Were the estimate of the 5th a reading, the 12th would have two Wednesdays: (90 + 75) / 2.
    assert day(usage, "MEAN", "2025-03-12")[0] == 75


def test_gap_falls_back_to_what_is_left_and_then_to_the_default(usage: Computed) -> None:
    # 26 March still sees both (28 and 27 days away), the 27th only 27 February, the 28th nothing.
    assert [day(usage, "MEAN", on)[0] for on in ("2025-03-26", "2025-03-27", "2025-03-28")] == [75, 60, 144]
    assert day(usage, "MEAN", "2025-03-28") == (144, 6, 1, 144)


def test_contract_without_meters_draws_the_default_once(usage: Computed) -> None:
    rows = usage.rows("meter_daily", contract_id="NOMETER")
    assert len(rows) == 31
    assert {pick(row, "kwh", "peak_kw", "n_meters", "estimated_kwh", "is_estimated", "is_late") for row in rows} == {
        (144, 6, 0, 144, True, False)
    }


def test_days_before_the_first_reading_draw_the_default(usage: Computed) -> None:
    assert [day(usage, "STARTS", on)[0] for on in ("2025-03-19", "2025-03-20")] == [144, 50]


def test_exchanged_meter_is_estimated_while_it_has_readings_in_the_look_back(usage: Computed) -> None:
    # 29 March looks back to 1 March: the old meter still counts with 48 beside the new one's 60.
    assert day(usage, "EXCHANGED", "2025-03-29") == (108, 9, 2, 48)


def test_exchanged_meter_contributes_nothing_after_the_look_back(usage: Computed) -> None:
    assert day(usage, "EXCHANGED", "2025-03-30") == (60, 5, 1, 0)
    assert not usage.row("meter_daily", contract_id="EXCHANGED", reading_date="2025-03-30")["is_estimated"]


def test_silent_meters_share_the_default(usage: Computed) -> None:
    # 144 / 2 and 6 / 2 for each of two.
    assert day(usage, "SILENT", "2025-03-15") == (144, 6, 2, 144)


def test_meter_that_moved_is_a_gap_for_its_former_contract(usage: Computed) -> None:
    assert day(usage, "GIVER", "2025-03-31") == (30, 3, 1, 30)
    assert day(usage, "TAKER", "2025-03-09") == (144, 6, 0, 144)
    assert day(usage, "TAKER", "2025-03-10") == (200, 20, 1, 0)


def test_readings_of_the_former_contract_make_nothing_suspect(usage: Computed) -> None:
    # 200 is far above 3 x 30, but the 30s were another contract's.
    assert not [row for row in usage.rows("meter_daily", contract_id="TAKER") if row["is_suspect"]]


def test_estimates_are_rounded_half_away_from_zero_to_three_places(usage: Computed) -> None:
    assert day(usage, "HALF", "2025-03-12")[:2] == (Decimal("1.002"), Decimal("2.002"))
    # 0.0025 x 24 x 0.6 = 0.036 exactly.
    assert day(usage, "HALF", "2025-03-09")[:2] == (Decimal("0.036"), Decimal("0.002"))


def test_reading_is_late_after_more_than_three_local_days(usage: Computed) -> None:
    def late(contract_id: str) -> list[str]:
        return [row["reading_date"] for row in usage.rows("meter_daily", contract_id=contract_id) if row["is_late"]]

    # 8 March is 3 days after the 5th; 10 March is 4 after the 6th.
    assert late("LATE-UTC") == ["2025-03-06"]
    # 04:59:59 UTC on the 8th is still the 7th in New York; 05:00 UTC on the 9th is the 9th: 4 days after the 5th.
    assert late("LATE-NY") == ["2025-03-05"]


def test_actual_beats_estimated_whatever_came_later(usage: Computed) -> None:
    assert [day(usage, "VERSIONS", f"2025-03-0{on}")[0] for on in (5, 6, 7, 8, 9)] == [100, 133, 155, 166, 177]


def test_lateness_is_that_of_the_winning_reading(usage: Computed) -> None:
    # The 6th rests on the actual of the 20th; the duplicate of the 8th that came on the 25th is nobody's winner.
    late = [row["reading_date"] for row in usage.rows("meter_daily", contract_id="VERSIONS") if row["is_late"]]
    assert late == ["2025-03-06"]


def test_estimate_of_the_source_is_an_estimate(usage: Computed) -> None:
    row = usage.row("meter_daily", contract_id="VERSIONS", reading_date="2025-03-09")
    assert pick(row, "kwh", "estimated_kwh", "is_estimated") == (177, 177, True)
    assert not usage.row("meter_daily", contract_id="VERSIONS", reading_date="2025-03-05")["is_estimated"]


def test_only_days_in_force_have_a_row(usage: Computed) -> None:
    days = [row["reading_date"] for row in usage.rows("meter_daily", contract_id="BROKEN")]
    assert days == ["2025-03-10", "2025-03-11", "2025-03-12", "2025-03-20"]


@pytest.fixture(scope="module")
def suspects(tmp_path_factory: Factory) -> Iterator[Computed]:
    """Eight readings whose middle two are 20 and 30: the median is 25, three times that 75."""
    world = World(tmp_path_factory.mktemp("suspects"))
    days = [f"2025-03-0{on}" for on in range(1, 9)]
    for name, values, last, kind in (
        ("AT", (10, 10, 10, 20, 30, 40, 40, 40), "75", "actual"),
        ("ABOVE", (40, 10, 30, 10, 20, 40, 10, 40), "75.000001", "actual"),
        ("ESTIMATED", (10, 10, 10, 20, 30, 40, 40, 40), "500", "estimated"),
        # Seven readings have the one in the middle, 20; six are too few to say.
        ("SEVEN", (10, 10, 10, 20, 30, 40, 40), "60.5", "actual"),
        ("SIX", (10, 10, 10, 10, 10, 10), "900", "actual"),
    ):
        contract(world, name)
        for on, kwh in zip(days, values, strict=False):
            world.reading(on, kwh, meter_id=f"M-{name}", contract_id=name)
        world.reading("2025-03-09", last, meter_id=f"M-{name}", contract_id=name, read_type=kind)
    # Seven readings, but the first is 29 days before: six.
    contract(world, "AGED")
    for on in ("2025-02-08", "2025-02-09", "2025-02-10", "2025-02-11", "2025-02-12", "2025-02-13", "2025-02-14"):
        world.reading(on, 10, meter_id="M-AGED", contract_id="AGED")
    world.reading("2025-03-09", 900, meter_id="M-AGED", contract_id="AGED")
    # Of two meters only one is suspect: the day is.
    contract(world, "PAIR")
    world.readings("2025-03-01", "2025-03-09", 10, meter_id="M-P1", contract_id="PAIR")
    world.readings("2025-03-01", "2025-03-08", 10, meter_id="M-P2", contract_id="PAIR")
    world.reading("2025-03-09", 31, meter_id="M-P2", contract_id="PAIR")
    with world.computed("meter_daily") as computed:
        yield computed


@pytest.mark.parametrize(
    ("name", "is_suspect"),
    [("AT", False), ("ABOVE", True), ("ESTIMATED", False), ("SEVEN", True), ("SIX", False), ("AGED", False), ("PAIR", True)],
)
def test_suspect_is_above_three_medians_of_at_least_seven_actuals(suspects: Computed, name: str, is_suspect: bool) -> None:
    row = suspects.row("meter_daily", contract_id=name, reading_date="2025-03-09")
    assert row["is_suspect"] is is_suspect


def test_suspect_reading_is_used(suspects: Computed) -> None:
    assert suspects.row("meter_daily", contract_id="ABOVE", reading_date="2025-03-09")["kwh"] == Decimal("75.000001")
    assert suspects.row("meter_daily", contract_id="PAIR", reading_date="2025-03-09")["kwh"] == 41


def test_readings_above_what_the_local_day_can_hold_are_refused(tmp_path_factory: Factory) -> None:
    # New York: 9 March 2025 has 23 hours, 2 November 25, 10 March 24. At a peak of 10 kW that is 230, 250 and 240 kWh.
    world = World(tmp_path_factory.mktemp("hours"))
    world.add("sites", site_id="NY", timezone="America/New_York")
    contract(world, "NYC", site_id="NY")
    for number, (on, kwh) in enumerate(
        (
            ("2025-03-09", "230"),
            ("2025-03-09", "230.000001"),
            ("2025-11-02", "250"),
            ("2025-11-02", "250.000001"),
            ("2025-03-10", "240"),
            ("2025-03-10", "240.000001"),
        )
    ):
        world.reading(on, kwh, 10, meter_id=f"M{number}", contract_id="NYC", site_id="NY", arrival=f"2025120{number + 1}T000000Z")
    reasons = world.refusals("meter_readings")
    assert [hours in reason for hours, reason in zip(("23 hours", "25 hours", "24 hours"), reasons, strict=False)] == [True] * 3
    assert len(reasons) == 3


def test_readings_that_fit_no_contract_are_refused(tmp_path_factory: Factory) -> None:
    world = World(tmp_path_factory.mktemp("refused")).add("sites", site_id="S-2")
    contract(world, "A", effective_from="2025-03-01", effective_to="2025-03-10")
    contract(world, "A", version=2, effective_from="2025-03-05", effective_to="2025-03-06", status="terminated")
    arrival = "20250320T000000Z"
    world.reading("2025-03-04", arrival=arrival)
    world.reading("2025-03-05", arrival=arrival)
    world.reading("2025-03-11", arrival=arrival)
    world.reading("2025-03-03", contract_id="B", meter_id="M2", arrival=arrival)
    world.reading("2025-03-03", site_id="S-2", meter_id="M3", arrival=arrival)
    world.reading("2025-03-03", -1, meter_id="M4", arrival=arrival)
    world.reading("2025-03-03", 1, -1, meter_id="M5", arrival=arrival)
    reasons = world.refusals("meter_readings")
    named = ["2025-03-05", "2025-03-11", "B is unknown", "S-2", "kwh", "peak_kw"]
    assert len(reasons) == len(named)
    assert all(name in reason for name, reason in zip(named, reasons, strict=True))


def test_refused_reading_leaves_a_gap(tmp_path_factory: Factory) -> None:
    world = World(tmp_path_factory.mktemp("gap"))
    contract(world, "A")
    world.readings("2025-03-01", "2025-03-10", 100, 50)
    world.reading("2025-03-11", 5000, 50)
    assert world.row("meter_daily", reading_date="2025-03-11")["kwh"] == 100
