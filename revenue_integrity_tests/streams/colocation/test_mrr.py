"""The MRR bridge; a contract of these worlds runs at 2 x 300 + 10 x 150 = 2,100.00 a month unless said otherwise."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

Factory = pytest.TempPathFactory
PARTS = (
    "opening_cents",
    "new_cents",
    "reactivation_cents",
    "expansion_cents",
    "contraction_cents",
    "churn_cents",
    "closing_cents",
)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: Factory) -> Iterator[Computed]:
    """March 2025, the deployment's first month; customers are named for what they do."""
    world = World(tmp_path_factory.mktemp("mrr"))

    def customer(name: str, *versions: dict[str, object]) -> None:
        world.add("customers", customer_id=name)
        for number, values in enumerate(versions, start=1):
            world.version(**({"contract_id": f"C-{name}", "customer_id": name, "version": number} | values))

    customer("NEW", {"effective_from": "2025-03-31"})
    # MRR once, long before the deployment.
    customer("BACK", {"effective_from": "2023-05-01", "effective_to": "2023-06-30"}, {"effective_from": "2025-03-10"})
    # Had service once, but never on the last day of a month; or free of charge.
    customer("BRIEF", {"effective_from": "2024-05-05", "effective_to": "2024-05-30"}, {"effective_from": "2025-03-10"})
    customer("GRATIS", {"effective_from": "2024-01-01", "rack_price": 0, "kw_price": 0}, {"effective_from": "2025-03-10"})
    # Terminated throughout its earlier days by a higher version: it never ran.
    customer(
        "NEVER",
        {"effective_from": "2024-01-01", "effective_to": "2024-06-30"},
        {"effective_from": "2024-01-01", "effective_to": "2024-06-30", "status": "terminated"},
        {"effective_from": "2025-03-10"},
    )
    customer("GROWS", {}, {"effective_from": "2025-03-31", "reserved_kw": 12})
    customer("SHRINKS", {}, {"effective_from": "2025-03-02", "racks": 1})
    customer("LEAVES", {}, {"effective_from": "2025-03-31", "status": "terminated"})
    customer("STAYS", {})
    # Out and back within the month: nothing moved between the two ends.
    customer("BLINKS", {}, {"effective_from": "2025-03-05", "effective_to": "2025-03-20", "status": "terminated"})
    customer("PASSES", {"effective_from": "2025-03-02", "effective_to": "2025-03-30"})
    customer("LATER", {"effective_from": "2025-04-01"})
    # Two contracts: one ends, a dearer one begins; the customer expands by the difference.
    customer("SWAPS", {"effective_to": "2025-03-15"})
    world.version(contract_id="C-SWAPS-2", customer_id="SWAPS", effective_from="2025-03-16", racks=3)
    with world.computed("mrr_summary") as computed:
        yield computed


@pytest.mark.parametrize(
    ("customer", "parts"),
    [
        ("NEW", (0, 210000, 0, 0, 0, 0, 210000)),
        ("BACK", (0, 0, 210000, 0, 0, 0, 210000)),
        ("BRIEF", (0, 210000, 0, 0, 0, 0, 210000)),
        ("GRATIS", (0, 210000, 0, 0, 0, 0, 210000)),
        ("NEVER", (0, 210000, 0, 0, 0, 0, 210000)),
        ("GROWS", (210000, 0, 0, 30000, 0, 0, 240000)),
        ("SHRINKS", (210000, 0, 0, 0, 30000, 0, 180000)),
        ("LEAVES", (210000, 0, 0, 0, 0, 210000, 0)),
        ("STAYS", (210000, 0, 0, 0, 0, 0, 210000)),
        ("BLINKS", (210000, 0, 0, 0, 0, 0, 210000)),
        ("SWAPS", (210000, 0, 0, 30000, 0, 0, 240000)),
    ],
)
def test_movement_of_a_customer(bridge: Computed, customer: str, parts: tuple[int, ...]) -> None:
    assert pick(bridge.row("mrr_movements", customer_id=customer), *PARTS) == parts


@pytest.mark.parametrize("customer", ["PASSES", "LATER"])
def test_customer_without_mrr_at_either_end_has_no_row(bridge: Computed, customer: str) -> None:
    assert bridge.rows("mrr_movements", customer_id=customer) == []


def test_summary_and_retention_by_hand(bridge: Computed) -> None:
    # Opening: GROWS, SHRINKS, LEAVES, STAYS, BLINKS, SWAPS. New: NEW, BRIEF, GRATIS, NEVER.
    row = bridge.row("mrr_summary")
    assert pick(row, *PARTS) == (1260000, 840000, 210000, 60000, 30000, 210000, 2130000)
    # (1260000 - 240000) / 1260000 and + 60000.
    assert pick(row, "gross_retention", "net_retention") == (Decimal("0.809524"), Decimal("0.857143"))


def test_retention_of_nothing_is_null(tmp_path_factory: Factory) -> None:
    row = World(tmp_path_factory.mktemp("nothing")).version(effective_from="2025-03-02").row("mrr_summary")
    assert pick(row, "opening_cents", "closing_cents", "gross_retention", "net_retention") == (0, 210000, None, None)


def test_reactivation_follows_churn_of_months_of_the_deployment(tmp_path_factory: Factory) -> None:
    world = World(tmp_path_factory.mktemp("years"), first_month="2025-01", last_month="2025-05")
    world.version(effective_from="2025-01-01", effective_to="2025-02-28").version(version=2, effective_from="2025-04-15")
    rows = world.rows("mrr_movements")
    assert [(row["month"], *pick(row, *PARTS)) for row in rows] == [
        ("2025-01", 0, 210000, 0, 0, 0, 0, 210000),
        ("2025-02", 210000, 0, 0, 0, 0, 0, 210000),
        ("2025-03", 210000, 0, 0, 0, 0, 210000, 0),
        ("2025-04", 0, 0, 210000, 0, 0, 0, 210000),
        ("2025-05", 210000, 0, 0, 0, 0, 0, 210000),
    ]
