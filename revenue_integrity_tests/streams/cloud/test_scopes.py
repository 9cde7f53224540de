"""What a FOCUS delivery replaces: scopes, and deliveries that leave little of theirs."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity_tests.streams.cloud.world import IN_TIME, World

LATER, LAST = "20250311T000000Z", "20250312T000000Z"


def export(world: World, arrival: str, *costs: object, first: int = 5, **more: object) -> World:
    """Add a delivery of one charge a day from a day of March on."""
    for place, cost in enumerate(costs):
        world.add("focus", arrival, BilledCost=cost, ChargePeriodStart=f"2025-03-{first + place:02}T00:00:00Z", **more)
    return world


def costs(tmp_path: Path, world: World) -> Decimal:
    """Return what March costs."""
    with world.computed() as computed:
        return sum((row["total_cost"] for row in computed.rows("daily_account_cost")), Decimal(0))  # type: ignore[misc]


@pytest.mark.parametrize("named", ["providername", "SERVICEPROVIDERNAME", "PublisherName"])
def test_providers_have_no_case(tmp_path: Path, named: str) -> None:
    world = export(World(tmp_path), IN_TIME, 100)
    world.add("focus", LATER, BilledCost=100, **{"ProviderName": "", named.replace("providername", "ProviderName"): "p"})
    assert costs(tmp_path, world) == 100


def test_other_providers_accounts_and_periods_stand_apart(tmp_path: Path) -> None:
    world = export(World(tmp_path), IN_TIME, 1)
    export(world, LATER, 2, ProviderName="Q")
    export(world, LAST, 4, BillingAccountId="B-2")
    export(world, LAST, 8, BillingPeriodStart="2025-02-01T00:00:00Z")
    assert costs(tmp_path, world) == 15


@pytest.mark.parametrize(
    ("before", "after", "figures"),
    [
        # Part files of one export, one after the other: 190 in one batch, and not 60 in silence.
        ((100, 30), {7: (60,)}, (2, 1, 130, 60, 2)),
        # A hundredth of the rows.
        ((1,) * 20, {5: (20,)}, (20, 1, 20, 20, 19)),
        # Half of the cost is not less than half of it.
        ((10, 10), {5: (5, 5)}, None),
        ((10, 10), {5: (5, "4.999999999999999999")}, (2, 2, 20, Decimal("9.999999999999999999"), 0)),
        # A day that had charges has none.
        ((10, 1, 10), {5: (10,), 7: (12,)}, (3, 2, 21, 22, 1)),
        ((10, 10), {5: (12, 9, 4)}, None),
        # Credits count by their size.
        ((-10, -10), {5: (-4, -4)}, (2, 2, -20, -8, 0)),
        # Nothing but a charge of nothing is left.
        ((5,), {5: (0,)}, (1, 1, 5, 0, 0)),
    ],
)
def test_delivery_that_takes_most_of_its_scope_is_told(
    tmp_path: Path, before: tuple[object, ...], after: dict[int, tuple[object, ...]], figures: tuple[object, ...] | None
) -> None:
    world = export(World(tmp_path), IN_TIME, *before)
    for first, costs_after in after.items():
        export(world, LATER, *costs_after, first=first)
    with world.computed() as computed:
        judged = computed.judge("deliveries_replace_their_scope")
        assert judged.passed == (figures is None)
        if figures:
            named = ("rows_before", "rows_after", "cost_before", "cost_after", "days_emptied")
            assert tuple(judged.figures[name] for name in named) == figures
            assert judged.rows is not None
            assert judged.rows["batch_id"].tolist() == [f"cloud/focus/{LATER}"]
    # It is told until a later delivery is whole again.
    export(world, LAST, *before)
    with world.computed() as computed:
        judged = computed.judge("deliveries_replace_their_scope")
        assert judged.passed or abs(judged.figures["cost_after"]) * 2 >= abs(judged.figures["cost_before"])


def test_what_was_added_counts_with_what_is_replaced(tmp_path: Path) -> None:
    world = export(World(tmp_path), IN_TIME, 10)
    world.add("focus_delta", "20250310T120000Z", BilledCost=30)
    export(world, LATER, 15)
    with world.computed() as computed:
        judged = computed.judge("deliveries_replace_their_scope")
        assert (judged.passed, judged.figures["cost_before"], judged.figures["cost_after"]) == (False, 40, 15)


def test_all_parts_in_one_batch_replace_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    for part, rows in (
        ("part_0", "P,B-1,2025-03-01T00:00:00Z,2025-03-10T00:00:00Z,130"),
        ("part_1", "p,b 1,2025-03-01,2025-03-12,60"),
    ):
        directory = world.settings.landing_path / "cloud" / "focus" / IN_TIME
        directory.mkdir(parents=True, exist_ok=True)
        header = "ProviderName,BillingAccountId,BillingPeriodStart,ChargePeriodStart,BilledCost"
        (directory / f"{part}.csv").write_text(f"{header}\n{rows}\n", encoding="utf-8")
    with world.computed() as computed:
        assert sum(row["total_cost"] for row in computed.rows("daily_account_cost")) == 190
        assert computed.judge("deliveries_replace_their_scope").passed
