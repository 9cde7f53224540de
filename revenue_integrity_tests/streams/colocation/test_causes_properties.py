"""What holds of causes whatever was billed: they add up, moves cancel, names and order of documents decide nothing.

Worlds of random lines over three months and two contracts per customer; no case is told here (``test_causes``).
"""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revenue_integrity_tests.streams.colocation.world import Row, World

MONTHS = ("2025-02", "2025-03", "2025-04")
CUTOFF_DAY = {"2025-02": "2025-03-08", "2025-03": "2025-04-08", "2025-04": "2025-05-08"}
"""The day after each month's cutoff, which is the end of the fifth business day of the next month."""


@dataclass(frozen=True)
class Line:
    """An invoice line or credit: which contract, for which month, how much, and when it was posted."""

    contract: str
    month: str
    charge: str
    quantity: Decimal
    price: Decimal
    is_credit: bool
    is_late: bool
    corrects: int | None

    @property
    def amount(self) -> Decimal:
        """Signed amount in dollars, rounded to cents."""
        value = (self.quantity * self.price).quantize(Decimal("0.01"))
        return -value if self.is_credit else value


LINES = st.builds(
    Line,
    # A and B are mapped contracts of the customer; X is a reference that nothing maps.
    contract=st.sampled_from("AABBX"),
    month=st.sampled_from(MONTHS),
    charge=st.sampled_from(("rack", "rack", "power", "other")),
    # What is due, a part of it, one rack of two, days of a month, and something else.
    quantity=st.sampled_from([Decimal(each) for each in ("2", "1", "10", "0.5", "1.483871", "3")]),
    price=st.sampled_from([Decimal(each) for each in ("300", "150", "290", "100.01")]),
    is_credit=st.booleans(),
    is_late=st.booleans(),
    corrects=st.none() | st.integers(0, 5),
)
CUSTOMERS = st.lists(st.lists(LINES, max_size=7), min_size=7, max_size=12)


def world(home: Path, customers: list[list[Line]], document_of: Any, chance: random.Random | None = None) -> World:
    """Return the world of these lines; ``document_of`` names the document of a customer's line."""
    made = World(home, first_month="2025-02", last_month="2025-04")
    for number, lines in enumerate(customers):
        customer, mapped = f"CU-{number}", {"A": f"A{number}", "B": f"B{number}"}
        made.add("customers", customer_id=customer)
        made.version(contract_id=mapped["A"], customer_id=customer, effective_from="2025-01-01")
        made.version(contract_id=mapped["B"], customer_id=customer, racks=1, reserved_kw=3, effective_from="2025-02-10")
        made.version(
            contract_id=mapped["B"], customer_id=customer, version=2, racks=2, reserved_kw=3, kw_price=100,
            effective_from="2025-03-17", amendment_type="upsell",
        )  # fmt: skip
        for short, contract in mapped.items():
            made.add(
                "erp_mapping", erp_customer_code=f"E{number}", customer_id=customer, erp_contract_ref=short, contract_id=contract
            )
        for position, line in enumerate(lines):
            day = CUTOFF_DAY[line.month] if line.is_late else f"{CUTOFF_DAY[line.month][:8]}03"
            corrects = line.corrects if line.corrects is not None and line.corrects < len(lines) else None
            made.add(
                "erp_invoices",
                document_id=document_of(number, position),
                document_type="credit_memo" if line.is_credit else "invoice",
                erp_customer_code=f"E{number}",
                erp_contract_ref=line.contract,
                service_month=line.month,
                charge_type=line.charge,
                quantity=line.quantity,
                unit_price=line.price,
                amount=line.amount,
                posted_at=f"{day}T10:00:00Z",
                corrects_document_id="" if corrects is None else document_of(number, corrects),
            )
    return made.shuffled(chance) if chance else made


def found(made: World) -> tuple[list[Row], list[Row], list[Row]]:
    """Return the compared rows in cents, their causes, and the close bridge."""
    with made.computed("recon_causes", "close_bridge") as computed:
        results = [row for row in computed.rows("recon_results", recon="erp_vs_mart") if row["unit"] == "cents"]
        return results, computed.rows("recon_causes", recon="erp_vs_mart"), computed.rows("close_bridge")


def labelled(causes: list[Row]) -> Counter[tuple[Any, ...]]:
    """Return what is said of each row, without the names of documents and links."""
    return Counter((row["month"], row["view"], row["row_key"], row["cause"], row["cause_cents"]) for row in causes)


FEW = settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
"""A world takes about two seconds and holds up to twelve customers, each an example of its own."""


@FEW
@given(customers=CUSTOMERS, seed=st.integers(0, 2**16))
def test_causes_add_up_moves_cancel_and_names_decide_nothing(customers: list[list[Line]], seed: int) -> None:
    with TemporaryDirectory() as folder:
        plain = world(Path(folder) / "plain", customers, lambda number, position: f"D{number}-{position}")
        results, causes, bridge = found(plain)

        explained: dict[tuple[str, str, str], int] = defaultdict(int)
        for row in causes:
            explained[row["month"], row["view"], row["row_key"]] += row["cause_cents"]
        variances = {(row["month"], row["view"], row["row_key"]): row["variance_cents"] for row in results}
        assert {key: cents for key, cents in explained.items() if cents} == {key: each for key, each in variances.items() if each}
        assert set(explained) <= set(variances)

        ends: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row in causes:
            if row["link_id"] is not None:
                ends[row["view"], row["link_id"]].append(row["cause_cents"])
        assert all(len(cents) >= 2 and sum(cents) == 0 for cents in ends.values())

        billed = [(line, int(line.amount * 100)) for lines in customers for line in lines]
        for row in bridge:
            own = [(line, cents) for line, cents in billed if line.month == row["month"]]
            assert row["as_of_close_cents"] == sum(cents for line, cents in own if not line.is_late)
            assert row["late_cents"] == sum(cents for line, cents in own if line.is_late)
            assert row["as_of_close_cents"] + row["late_cents"] == row["current_cents"]

        chance = random.Random(seed)
        names = {(n, p): f"{chance.randrange(10**9):09d}-{n}-{p}" for n, lines in enumerate(customers) for p in range(len(lines))}
        renamed = world(Path(folder) / "renamed", customers, lambda number, position: names[number, position], chance)
        assert labelled(found(renamed)[1]) == labelled(causes)
