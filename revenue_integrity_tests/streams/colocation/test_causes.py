"""Every cause of a variance as a story with cents worked by hand, and the look-alikes that must get no label.

Each story has a customer of its own, so that all of them fit into few worlds. Unless it says otherwise its contracts have
2 racks at 300 in March 2025 (600.00 due; 31 days) and no power; the cutoff of March is the end of 7 April.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, Row, World, pick

MARCH, APRIL = "2025-03", "2025-04"


@dataclass
class Expected:
    """A cause that a story must have, with what its evidence must name."""

    contract: str | None
    charge: str
    month: str
    cause: str
    cents: int
    documents: tuple[str, ...] | None
    versions: tuple[int, int] | None
    link: str | None


@dataclass
class Story:
    """A customer whose contracts and lines are one example; names inside it are short."""

    world: World
    name: str
    expected: list[Expected] = field(default_factory=list)

    @property
    def customer(self) -> str:
        """The customer whom the story is about."""
        return f"CU-{self.name}"

    def id_of(self, short: str) -> str:
        """Return the full id of a contract, document or meter of the story."""
        return f"{self.name}-{short}"

    def contract(self, short: str = "A", first: str = "2025-03-01", last: str = "2025-03-31", **terms: Any) -> None:
        """Add a version (1 unless said otherwise) of a contract, and its mapping row with the first."""
        values: dict[str, Any] = {
            "reserved_kw": 0,
            "customer_id": self.customer,
            "effective_from": first,
            "effective_to": last,
        } | terms
        self.world.version(contract_id=self.id_of(short), **values)
        if int(values.get("version", 1)) == 1:
            self.world.add(
                "erp_mapping",
                erp_customer_code=f"E-{self.name}",
                customer_id=self.customer,
                erp_contract_ref=f"R-{short}",
                contract_id=self.id_of(short),
            )

    def line(
        self,
        document: str,
        quantity: object = 2,
        price: object = 300,
        *,
        amount: object = None,
        contract: str = "A",
        **values: Any,
    ) -> None:
        """Add an invoice line; its amount is quantity times price, rounded to cents, unless given."""
        value = amount if amount is not None else (Decimal(str(quantity)) * Decimal(str(price))).quantize(Decimal("0.01"))
        if corrects := values.pop("corrects", ""):
            values["corrects_document_id"] = self.id_of(corrects)
        facts: dict[str, Any] = {
            "document_id": self.id_of(document), "erp_customer_code": f"E-{self.name}", "erp_contract_ref": f"R-{contract}",
            "quantity": quantity, "unit_price": price, "amount": value,
        }  # fmt: skip
        self.world.add("erp_invoices", **(facts | values))

    def credit(self, document: str, quantity: object, price: object, **values: Any) -> None:
        """Add a credit memo of minus quantity times price."""
        amount = -(Decimal(str(quantity)) * Decimal(str(price))).quantize(Decimal("0.01"))
        self.line(document, quantity, price, amount=amount, document_type="credit_memo", **values)

    def readings(self, first: str, last: str, kwh: object, *, meter: str = "M", contract: str = "A", **values: Any) -> None:
        """Add a reading a day."""
        ids: dict[str, Any] = {"meter_id": self.id_of(meter), "contract_id": self.id_of(contract)}
        self.world.readings(first, last, kwh, **(ids | values))

    def expect(
        self,
        cause: str,
        cents: int,
        *documents: str,
        contract: str | None = "A",
        charge: str = "rack",
        month: str = MARCH,
        versions: tuple[int, int] | None = None,
        link: str | None = None,
    ) -> None:
        """Say that the story must have a cause; nothing else may be found for its customer."""
        self.expected.append(
            Expected(
                self.id_of(contract) if contract else None,
                charge,
                month,
                cause,
                cents,
                tuple(sorted(self.id_of(each) for each in documents)) or None,
                versions,
                link,
            )
        )


Teller = Callable[[Story], None]
STORIES: dict[str, Teller] = {}


def story(teller: Teller) -> Teller:
    """Let a function tell a story of the shared world."""
    STORIES[teller.__name__.replace("_", "-").upper()] = teller
    return teller


# Nothing to explain: look-alikes.


@story
def two_equal_lines_that_are_both_due(s: Story) -> None:
    # A renewal in the middle of April on the same terms: 15 of 30 days twice, 1 rack-month each, in two documents.
    s.contract("A", "2025-04-01", "2025-04-15")
    s.contract("A", "2025-04-16", "2025-04-30", version=2, amendment_type="renewal")
    s.line("D1", 1, 300, service_month=APRIL)
    s.line("D2", 1, 300, service_month=APRIL)


@story
def an_amendment_billed_in_two_lines(s: Story) -> None:
    # 2 racks for 15 days (290.32), 3 racks for 16 days (464.52).
    s.contract("A", "2025-03-01", "")
    s.contract("A", "2025-03-16", "2025-03-31", version=2, racks=3, amendment_type="upsell")
    s.contract("A", "2025-04-01", "", version=3, status="terminated", amendment_type="termination")
    s.line("D1", "0.967742", 300, amount="290.32")
    s.line("D1", "1.548387", 300, amount="464.52", line_no=2)


@story
def a_credit_and_a_rebill_that_net_to_what_is_due(s: Story) -> None:
    s.contract()
    s.line("D1", 2, 325)
    s.credit("C1", 2, 325, corrects="D1")
    s.line("D2", 2, 300)


@story
def a_duplicate_that_was_reversed(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2")
    s.credit("C1", 2, 300, corrects="D2")


@story
def errors_that_offset_each_other(s: Story) -> None:
    # 3 racks at 200 are 600.00 too.
    s.contract()
    s.line("D1", 3, 200)


# Timing.


@story
def a_late_line(s: Story) -> None:
    # Only the view as of close has a variance: see the test of late postings.
    s.contract()
    s.line("D1", posted_at="2025-04-08T00:00:00Z")


@story
def a_shift_to_the_next_month(s: Story) -> None:
    s.contract("A", last="2025-04-30")
    s.line("D1", service_month=APRIL)
    s.line("D2", service_month=APRIL)
    s.expect("period_shift", -60000, "D1", "D2", link="shift")
    s.expect("period_shift", 60000, "D1", "D2", month=APRIL, link="shift")


@story
def a_shift_to_the_month_before(s: Story) -> None:
    # The charge of April at a price of its own was billed under March.
    s.contract("A")
    s.contract("A", "2025-04-01", "2025-04-30", version=2, rack_price=400, amendment_type="escalation")
    s.line("D1")
    s.line("D2", 2, 400)
    s.expect("period_shift", 80000, "D2", link="shift")
    s.expect("period_shift", -80000, "D2", month=APRIL, link="shift")


@story
def a_shift_that_is_a_cent_off(s: Story) -> None:
    s.contract("A", last="2025-04-30")
    s.line("D1", service_month=APRIL)
    s.line("D2", amount="600.01", service_month=APRIL)
    s.expect("period_shift", -60000, link="shift")
    s.expect("period_shift", 60000, month=APRIL, link="shift")
    s.expect("rounding", 1, month=APRIL)


@story
def a_shift_that_is_two_cents_off(s: Story) -> None:
    # Not the same amount: the end without lines is unbilled, the other bills 4 racks for 2; 2 cents have no rule.
    s.contract("A", last="2025-04-30")
    s.line("D1", service_month=APRIL)
    s.line("D2", amount="600.02", service_month=APRIL)
    s.expect("unbilled", -60000)
    s.expect("duplicate_billing", 60002, "D2", month=APRIL)


@story
def a_shift_prefers_the_earlier_month(s: Story) -> None:
    # March has 600.00 too much; February and April both lack it: March and February choose each other.
    s.contract("A", "2025-02-01", "2025-04-30")
    s.line("D1")
    s.line("D2")
    s.expect("period_shift", -60000, "D1", "D2", month="2025-02", link="shift")
    s.expect("period_shift", 60000, "D1", "D2", link="shift")
    s.expect("unbilled", -60000, month=APRIL)


@story
def a_month_outside_is_no_neighbour(s: Story) -> None:
    # January is before the deployment: what it has too much shows nowhere, and February is unbilled.
    s.contract("A", "2025-01-01", "2025-02-28")
    s.line("D1", service_month="2025-01")
    s.line("D2", service_month="2025-01")
    s.expect("unbilled", -60000, month="2025-02")


@story
def two_months_away_is_no_neighbour(s: Story) -> None:
    s.contract("A", "2025-02-01", "2025-04-30")
    s.line("D1")
    s.line("D2", service_month=APRIL)
    s.line("D3", service_month=APRIL)
    s.expect("unbilled", -60000, month="2025-02")
    s.expect("duplicate_billing", 60000, "D3", month=APRIL)


@story
def a_shift_by_a_late_line(s: Story) -> None:
    # The line that should be March's was posted under April after April's cutoff (7 May): it is evidence all the same.
    s.contract("A", last="2025-04-30")
    s.line("D1", service_month=APRIL)
    s.line("D2", service_month=APRIL, posted_at="2025-05-20T00:00:00Z")
    s.expect("period_shift", -60000, "D1", "D2", link="shift")
    s.expect("period_shift", 60000, "D1", "D2", month=APRIL, link="shift")


# Mapping.


@story
def an_unmapped_line_of_a_known_customer(s: Story) -> None:
    s.contract()
    s.line("D1", erp_contract_ref="R-OLD")
    s.expect("unmapped_line", 60000, "D1", contract=None, link="unmapped")
    s.expect("unmapped_line", -60000, "D1", link="unmapped")


@story
def an_unmapped_line_that_no_contract_lacks(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2", 1, "123.45", erp_contract_ref="R-OLD")
    s.expect("unmapped_line", 12345, "D2", contract=None)


@story
def an_unmapped_line_that_two_contracts_lack(s: Story) -> None:
    # The smallest contract gets it.
    s.contract("B")
    s.contract("A")
    s.line("D1", erp_contract_ref="R-OLD")
    s.expect("unmapped_line", 60000, "D1", contract=None, link="unmapped")
    s.expect("unmapped_line", -60000, "D1", link="unmapped")
    s.expect("unbilled", -60000, contract="B")


@story
def an_unmapped_line_a_cent_off(s: Story) -> None:
    s.contract()
    s.line("D1", amount="600.01", erp_contract_ref="R-OLD")
    s.expect("unmapped_line", 60001, "D1", contract=None, link="unmapped")
    s.expect("unmapped_line", -60001, "D1", link="unmapped")
    s.expect("rounding", 1)


@story
def an_unmapped_charge_and_a_wrong_price(s: Story) -> None:
    # Racks unmapped; power 10 kW at 160 instead of 150: 100.00 too much.
    s.contract("A", reserved_kw=10)
    s.line("D1", erp_contract_ref="R-OLD")
    s.line("D2", 10, 160, charge_type="power")
    s.expect("unmapped_line", 60000, "D1", contract=None, link="unmapped")
    s.expect("unmapped_line", -60000, "D1", link="unmapped")
    s.expect("price_mismatch", 10000, "D2", charge="power")


@story
def an_amended_charge_unmapped_in_two_lines(s: Story) -> None:
    # 290.32 and 464.52 add up to what the contract lacks.
    s.contract("A", "2025-03-01", "")
    s.contract("A", "2025-03-16", "2025-03-31", version=2, racks=3, amendment_type="upsell")
    s.contract("A", "2025-04-01", "", version=3, status="terminated", amendment_type="termination")
    s.line("D1", "0.967742", 300, amount="290.32", erp_contract_ref="R-OLD")
    s.line("D1", "1.548387", 300, amount="464.52", line_no=2, erp_contract_ref="R-OLD")
    s.expect("unmapped_line", 29032, "D1", contract=None, link="unmapped-1")
    s.expect("unmapped_line", -29032, "D1", link="unmapped-1")
    s.expect("unmapped_line", 46452, "D1", contract=None, link="unmapped-2")
    s.expect("unmapped_line", -46452, "D1", link="unmapped-2")


@story
def a_line_at_the_wrong_contract(s: Story) -> None:
    s.contract("A")
    s.contract("B")
    s.line("D1")
    s.line("D2")
    s.expect("wrong_contract", 60000, "D1", "D2", link="wrong")
    s.expect("wrong_contract", -60000, "D1", "D2", contract="B", link="wrong")


@story
def a_line_that_two_contracts_lack(s: Story) -> None:
    s.contract("A")
    s.contract("B")
    s.contract("C")
    s.line("D1", contract="C")
    s.line("D2", contract="C")
    s.expect("wrong_contract", 60000, "D1", "D2", contract="C", link="wrong")
    s.expect("wrong_contract", -60000, "D1", "D2", link="wrong")
    s.expect("unbilled", -60000, contract="B")


@story
def a_line_at_a_wrong_contract_where_nothing_is_due(s: Story) -> None:
    # B has power only; the racks of A stand there: not uncontracted, since A lacks them.
    s.contract("A")
    s.contract("B", racks=0, reserved_kw=10)
    s.line("D1", contract="B")
    s.line("D2", 10, 150, contract="B", charge_type="power")
    s.expect("wrong_contract", -60000, "D1", link="wrong")
    s.expect("wrong_contract", 60000, "D1", contract="B", link="wrong")


@story
def a_move_of_another_charge_is_none(s: Story) -> None:
    # A lacks 600.00 of racks, B has 600.00 of power too much.
    s.contract("A")
    s.contract("B", racks=0, reserved_kw=4)
    s.line("D1", 8, 150, contract="B", charge_type="power")
    s.expect("unbilled", -60000)
    s.expect("quantity_mismatch", 60000, "D1", contract="B", charge="power")


@story
def a_shift_goes_before_a_wrong_contract(s: Story) -> None:
    # A lacks March; its own April and B's March both have the amount: the upper rule takes it, B keeps a duplicate.
    s.contract("A", last="2025-04-30")
    s.contract("B")
    s.line("D1", service_month=APRIL)
    s.line("D2", service_month=APRIL)
    s.line("D3", contract="B")
    s.line("D4", contract="B")
    s.expect("period_shift", -60000, "D1", "D2", link="shift")
    s.expect("period_shift", 60000, "D1", "D2", month=APRIL, link="shift")
    s.expect("duplicate_billing", 60000, "D4", contract="B")


# Duplicates and credits.


@story
def a_duplicate(s: Story) -> None:
    s.contract()
    s.line("D1", posted_at="2025-04-02T10:00:00Z")
    s.line("D2", posted_at="2025-04-03T10:00:00Z")
    s.expect("duplicate_billing", 60000, "D2")


@story
def two_duplicates(s: Story) -> None:
    s.contract()
    for document in ("D1", "D2", "D3"):
        s.line(document)
    s.expect("duplicate_billing", 60000, "D2")
    s.expect("duplicate_billing", 60000, "D3")


@story
def a_duplicate_at_a_wrong_price(s: Story) -> None:
    # Due 600.00; 620.00 billed twice: the second document, and 10 too much for 2 racks of the first.
    s.contract()
    s.line("D1", 2, 310)
    s.line("D2", 2, 310)
    s.expect("duplicate_billing", 62000, "D2")
    s.expect("price_mismatch", 2000, "D1")


@story
def a_duplicate_and_a_credit(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2")
    s.credit("C1", 1, 50, corrects="D1")
    # What is left of the duplicate is wrong, and no more: the credit has no cause of its own beside it.
    s.expect("duplicate_billing", 55000, "D2")


@story
def the_same_line_twice_in_one_document(s: Story) -> None:
    # No second document: 4 racks billed where 2 are due.
    s.contract()
    s.line("D1")
    s.line("D1", line_no=2)
    s.expect("quantity_mismatch", 60000, "D1")


@story
def a_third_document_of_two_that_are_due(s: Story) -> None:
    s.contract("A", "2025-04-01", "2025-04-15")
    s.contract("A", "2025-04-16", "2025-04-30", version=2, amendment_type="renewal")
    for document in ("D1", "D2", "D3"):
        s.line(document, 1, 300, service_month=APRIL)
    s.expect("duplicate_billing", 30000, "D3", month=APRIL)


@story
def two_documents_both_due_at_a_wrong_price(s: Story) -> None:
    # Two halves of April at 100 a rack, both billed at 300: the price is wrong twice, nothing is billed twice.
    s.contract("A", "2025-04-01", "2025-04-15", rack_price=100)
    s.contract("A", "2025-04-16", "2025-04-30", version=2, rack_price=100, amendment_type="renewal")
    s.line("D1", 1, 300, service_month=APRIL)
    s.line("D2", 1, 300, service_month=APRIL)
    s.expect("price_mismatch", 40000, "D1", "D2", month=APRIL)


@story
def a_duplicate_of_one_of_two_segments(s: Story) -> None:
    # Halves of April at 300 and 310; the first is billed twice.
    s.contract("A", "2025-04-01", "2025-04-15")
    s.contract("A", "2025-04-16", "2025-04-30", version=2, rack_price=310, amendment_type="escalation")
    s.line("D1", 1, 300, service_month=APRIL)
    s.line("D2", 1, 310, service_month=APRIL)
    s.line("D3", 1, 300, service_month=APRIL)
    s.expect("duplicate_billing", 30000, "D3", month=APRIL)


@story
def a_credit_memo(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.credit("C1", 1, 50, corrects="D1")
    s.expect("credit_memo", -5000, "C1")


@story
def a_credit_of_everything(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.credit("C1", 2, 300, corrects="D1")
    s.expect("credit_memo", -60000, "C1")


@story
def a_credit_that_names_nothing(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.credit("C1", 1, 50)
    s.expect("credit_unreferenced", -5000, "C1")


@story
def a_credit_that_names_another_contract(s: Story) -> None:
    s.contract("A")
    s.contract("B")
    s.line("D1")
    s.line("D2", contract="B")
    s.credit("C1", 1, 50, corrects="D2")
    s.expect("credit_unreferenced", -5000, "C1")


@story
def a_credit_that_names_a_document_that_nobody_knows(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.credit("C1", 1, 50, corrects="NOWHERE")
    s.expect("credit_unreferenced", -5000, "C1")


@story
def a_credit_that_names_another_month(s: Story) -> None:
    # The document of February bills this contract: a credit memo, although it stands under March.
    s.contract("A", "2025-02-01")
    s.line("D1", service_month="2025-02")
    s.line("D2")
    s.credit("C1", 1, 50, corrects="D1")
    s.expect("credit_memo", -5000, "C1")


@story
def a_credit_that_names_a_month_long_ago(s: Story) -> None:
    # The same, with a document from before the deployment, under a reference that the mapping has replaced.
    s.contract("A", "2024-06-01")
    s.world.add(
        "erp_mapping",
        erp_customer_code=f"E-{s.name}",
        customer_id=s.customer,
        erp_contract_ref="R-THEN",
        contract_id=s.id_of("A"),
        valid_from="2024-06-01",
        valid_to="2024-12-31",
    )
    s.line("D1", service_month="2024-08", erp_contract_ref="R-THEN")
    s.line("D2", service_month="2025-02")
    s.line("D3")
    s.credit("C1", 1, 50, corrects="D1")
    s.expect("credit_memo", -5000, "C1")


@story
def a_credit_and_a_wrong_price(s: Story) -> None:
    # 620.00 − 50.00 is 30.00 too little: 50.00 by the credit, 20.00 the other way by the price.
    s.contract()
    s.line("D1", 2, 310)
    s.credit("C1", 1, 50, corrects="D1")
    s.expect("credit_memo", -5000, "C1")
    s.expect("price_mismatch", 2000, "D1")


@story
def a_rebill_at_a_wrong_price(s: Story) -> None:
    # The credit and what it reverses are gone; the rebill is what stands, 10 too much for each of 2 racks.
    s.contract()
    s.line("D1", 2, 325)
    s.credit("C1", 2, 325, corrects="D1")
    s.line("D2", 2, 310)
    s.expect("price_mismatch", 2000, "D2")


@story
def a_credit_that_takes_too_much_off(s: Story) -> None:
    # 650.00 − 60.00: the price is 50.00 too high, the credit 60.00.
    s.contract()
    s.line("D1", 2, 325)
    s.credit("C1", 1, 60, corrects="D1")
    s.expect("credit_memo", -6000, "C1")
    s.expect("price_mismatch", 5000, "D1")


@story
def a_negative_invoice_line_is_a_credit(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2", -1, 50, corrects="D1")
    s.expect("credit_memo", -5000, "D2")


@story
def a_negative_line_that_reverses_before_a_rebill(s: Story) -> None:
    # 650.00 taken back by a negative invoice, and billed again at 310: only the rebill stands.
    s.contract()
    s.line("D1", 2, 325)
    s.line("D2", -2, 325)
    s.line("D3", 2, 310)
    s.expect("price_mismatch", 2000, "D3")


@story
def a_duplicate_after_a_reversed_one(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2")
    s.credit("C1", 2, 300, corrects="D2")
    s.line("D3")
    s.expect("duplicate_billing", 60000, "D3")


@story
def a_duplicate_beside_another_months_shift(s: Story) -> None:
    # March lacks 600.00, which February has: a shift. April's second document has no month left that lacks it.
    s.contract("A", "2025-02-01", "2025-04-30")
    s.line("D1", service_month="2025-02")
    s.line("D2", service_month="2025-02")
    s.line("D3", service_month=APRIL)
    s.line("D4", service_month=APRIL)
    s.expect("period_shift", 60000, "D1", "D2", month="2025-02", link="shift")
    s.expect("period_shift", -60000, "D1", "D2", link="shift")
    s.expect("duplicate_billing", 60000, "D4", month=APRIL)


@story
def a_document_billed_again_line_by_line(s: Story) -> None:
    # An amended month (290.32 and 464.52) whose whole document came twice.
    s.contract("A")
    s.contract("A", "2025-03-16", version=2, racks=3, amendment_type="upsell")
    for document in ("D1", "D2"):
        s.line(document, "0.967742", 300, amount="290.32")
        s.line(document, "1.548387", 300, amount="464.52", line_no=2)
    s.expect("duplicate_billing", 29032, "D2")
    s.expect("duplicate_billing", 46452, "D2")


# Several credits of one document, of duplicates and originals: what repairs, and what stands.


@story
def a_duplicate_credited_twice(s: Story) -> None:
    # One credit takes the duplicate back, the other takes 600.00 off too much.
    s.contract()
    s.line("D1")
    s.line("D2")
    s.credit("C1", 2, 300, corrects="D2")
    s.credit("C2", 2, 300, corrects="D2", posted_at="2025-04-04T10:00:00Z")
    s.expect("credit_memo", -60000, "C2")


@story
def an_invoice_credited_twice_and_rebilled_once(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.credit("C1", 2, 300, corrects="D1")
    s.credit("C2", 2, 300, corrects="D1", posted_at="2025-04-04T10:00:00Z")
    s.line("D2", posted_at="2025-04-05T10:00:00Z")
    s.expect("credit_memo", -60000, "C2")


@story
def a_duplicate_and_its_original_both_credited(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2")
    s.credit("C1", 2, 300, corrects="D2")
    s.credit("C2", 2, 300, corrects="D1", posted_at="2025-04-04T10:00:00Z")
    s.expect("credit_memo", -60000, "C2")


@story
def a_wrong_price_credited_twice_and_rebilled(s: Story) -> None:
    # 500.00 credited twice, 600.00 billed anew: one credit repairs, the other takes 500.00 off.
    s.contract()
    s.line("D1", 2, 250)
    s.credit("C1", 2, 250, corrects="D1")
    s.credit("C2", 2, 250, corrects="D1", posted_at="2025-04-04T10:00:00Z")
    s.line("D2", posted_at="2025-04-05T10:00:00Z")
    s.expect("credit_memo", -50000, "C2")


@story
def an_invoice_credited_twice_and_never_rebilled(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.credit("C1", 2, 300, corrects="D1")
    s.credit("C2", 2, 300, corrects="D1")
    s.expect("credit_memo", -60000, "C1")
    s.expect("credit_memo", -60000, "C2")


@story
def one_of_two_duplicates_credited(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2", posted_at="2025-04-04T10:00:00Z")
    s.line("D3", posted_at="2025-04-05T10:00:00Z")
    s.credit("C1", 2, 300, corrects="D3", posted_at="2025-04-05T11:00:00Z")
    s.expect("duplicate_billing", 60000, "D2")


@story
def a_duplicate_credited_in_two_halves(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2")
    s.credit("C1", 1, 300, corrects="D2")
    s.credit("C2", 1, 300, corrects="D2")


# Missing.


@story
def an_uncontracted_charge(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2", 10, 150, charge_type="power")
    s.expect("uncontracted", 150000, "D2", charge="power")


@story
def other_is_never_due(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2", 1, 75, charge_type="other")
    s.expect("uncontracted", 7500, "D2", charge="other")


@story
def an_uncontracted_charge_and_its_credit(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2", 1, 75, charge_type="other")
    s.credit("C1", 1, 30, corrects="D2", charge_type="other")
    s.expect("credit_memo", -3000, "C1", charge="other")
    s.expect("uncontracted", 7500, "D2", charge="other")


@story
def billed_after_the_end(s: Story) -> None:
    s.contract()
    s.line("D1")
    s.line("D2", service_month=APRIL)
    s.expect("uncontracted", 60000, "D2", month=APRIL)


@story
def an_unbilled_charge(s: Story) -> None:
    s.contract("A", reserved_kw=10)
    s.line("D1")
    s.expect("unbilled", -150000, charge="power")


# Versions and days.


@story
def a_stale_price(s: Story) -> None:
    # 330 in force since 1 March; billed at 300.
    s.contract("A", "2025-02-01")
    s.contract("A", version=2, rack_price=330, amendment_type="escalation")
    s.line("D1", service_month="2025-02")
    s.line("D2")
    s.expect("stale_version", -6000, "D2", versions=(1, 2))


@story
def a_stale_number_of_racks(s: Story) -> None:
    s.contract("A", "2025-02-01")
    s.contract("A", version=2, racks=5, amendment_type="upsell")
    s.line("D1", service_month="2025-02")
    s.line("D2")
    s.expect("stale_version", -90000, "D2", versions=(1, 2))


@story
def a_stale_reservation(s: Story) -> None:
    # 12 kW at 140 instead of 10 kW at 150: 180.00 too little.
    s.contract("A", "2025-02-01", racks=0, reserved_kw=10)
    s.contract("A", version=2, racks=0, reserved_kw=12, kw_price=140, amendment_type="upsell")
    s.line("D1", 10, 150, charge_type="power", service_month="2025-02")
    s.line("D2", 10, 150, charge_type="power")
    s.expect("stale_version", -18000, "D2", charge="power", versions=(1, 2))


@story
def a_stale_price_from_the_middle_in_one_line(s: Story) -> None:
    # Due 290.32 for 15 days and 340.65 for 16 days at 330; billed 600.00.
    s.contract("A", "2025-03-01", "2025-03-31")
    s.contract("A", "2025-03-16", "2025-03-31", version=2, rack_price=330, amendment_type="escalation")
    s.line("D1")
    s.expect("stale_version", -3097, "D1", versions=(1, 2))


@story
def a_stale_price_from_the_middle_in_two_lines(s: Story) -> None:
    s.contract("A", "2025-03-01", "2025-03-31")
    s.contract("A", "2025-03-16", "2025-03-31", version=2, rack_price=330, amendment_type="escalation")
    s.line("D1", "0.967742", 300, amount="290.32")
    s.line("D1", "1.032258", 300, amount="309.68", line_no=2)
    s.expect("stale_version", -3097, "D1", versions=(1, 2))


@story
def the_version_before_the_last(s: Story) -> None:
    # Version 3 replaced 2, which replaced 1; billed is what version 1 says.
    s.contract("A", "2025-01-01")
    s.contract("A", "2025-02-01", version=2, rack_price=320, amendment_type="escalation")
    s.contract("A", version=3, rack_price=330, amendment_type="escalation")
    s.line("D1", 2, 320, service_month="2025-02")
    s.line("D2")
    s.expect("stale_version", -6000, "D2", versions=(1, 3))


@story
def a_version_that_had_ended(s: Story) -> None:
    # Version 1 ended with February; a renewal at 330 followed, and 300 was billed.
    s.contract("A", "2025-02-01", "2025-02-28")
    s.contract("A", version=2, rack_price=330, amendment_type="renewal")
    s.line("D1", service_month="2025-02")
    s.line("D2")
    s.expect("stale_version", -6000, "D2", versions=(1, 2))


@story
def a_temporary_version_that_nobody_billed(s: Story) -> None:
    # 1 rack more from the 11th to the 20th: 3 × 300 × 10 / 31 = 290.32 due for these days, 193.55 billed in 600.00.
    s.contract()
    s.contract("A", "2025-03-11", "2025-03-20", version=2, racks=3, amendment_type="upsell")
    s.line("D1")
    s.expect("stale_version", -9677, "D1", versions=(1, 2))


@story
def the_price_of_a_later_version(s: Story) -> None:
    # 330 is due from April on: nothing earlier says it.
    s.contract()
    s.contract("A", "2025-04-01", "2025-04-30", version=2, rack_price=330, amendment_type="escalation")
    s.line("D1", 2, 330)
    s.line("D2", 2, 330, service_month=APRIL)
    s.expect("price_mismatch", 6000, "D1")


@story
def a_price_of_no_version(s: Story) -> None:
    s.contract("A", "2025-02-01")
    s.contract("A", version=2, rack_price=330, amendment_type="escalation")
    s.line("D1", service_month="2025-02")
    s.line("D2", 2, 315)
    s.expect("price_mismatch", -3000, "D2")


@story
def a_stale_version_and_a_duplicate(s: Story) -> None:
    s.contract("A", "2025-02-01")
    s.contract("A", version=2, rack_price=330, amendment_type="escalation")
    s.line("D1", service_month="2025-02")
    s.line("D2")
    s.line("D3")
    s.expect("duplicate_billing", 60000, "D3")
    s.expect("stale_version", -6000, "D2", versions=(1, 2))


@story
def a_stale_price_through_two_later_versions_in_one_line(s: Story) -> None:
    # On version 1 the month is one charge of 333.33; in three parts it would be 107.53 + 107.53 + 118.28, a cent more.
    # Due are 107.53, 129.03 (10 days at 400) and 177.42 (11 days at 500).
    s.contract("A", "2025-03-01", racks=1, rack_price="333.33")
    s.contract("A", "2025-03-11", version=2, racks=1, rack_price=400, amendment_type="escalation")
    s.contract("A", "2025-03-21", version=3, racks=1, rack_price=500, amendment_type="escalation")
    s.line("D1", 1, "333.33")
    s.expect("stale_version", -8065, "D1", versions=(1, 2))


@story
def a_stale_price_through_two_later_versions_in_three_lines(s: Story) -> None:
    s.contract("A", "2025-03-01", racks=1, rack_price="333.33")
    s.contract("A", "2025-03-11", version=2, racks=1, rack_price=400, amendment_type="escalation")
    s.contract("A", "2025-03-21", version=3, racks=1, rack_price=500, amendment_type="escalation")
    s.line("D1", "0.322581", "333.33", amount="107.53")
    s.line("D1", "0.322581", "333.33", amount="107.53", line_no=2)
    s.line("D1", "0.354839", "333.33", amount="118.28", line_no=3)
    s.expect("stale_version", -8064, "D1", versions=(1, 2))


@story
def racks_that_a_later_version_gave_up(s: Story) -> None:
    # From the 16th no racks: 290.32 of 600.00 is due. Service goes on, so it is no proration.
    s.contract("A", "2025-03-01", reserved_kw=10)
    s.contract("A", "2025-03-16", version=2, racks=0, reserved_kw=10, amendment_type="downsell")
    s.line("D1")
    s.line("D2", 10, 150, charge_type="power")
    s.expect("stale_version", 30968, "D1", versions=(1, 2))


@story
def a_stale_fee(s: Story) -> None:
    # The fee of 500.00 was corrected to 400.00 on the day of its version.
    s.contract("A", racks=0, reserved_kw=10, one_time_fee=500)
    s.contract("A", racks=0, reserved_kw=10, one_time_fee=400, version=2, amendment_type="correction")
    s.line("D1", 10, 150, charge_type="power")
    s.line("D2", 1, 500, charge_type="one_time")
    s.expect("stale_version", 10000, "D2", charge="one_time", versions=(1, 2))


@story
def a_version_that_a_later_one_began_before(s: Story) -> None:
    # Version 1 begins on the 11th; a correction puts the start back to the 1st, at 330. Billed are 21 days at 300.
    s.contract("A", "2025-03-11")
    s.contract("A", "2025-03-01", version=2, rack_price=330, amendment_type="correction")
    s.line("D1", "1.354839", 300, amount="406.45")
    s.expect("stale_version", -25355, "D1", versions=(1, 2))


@story
def a_full_month_before_the_start(s: Story) -> None:
    # Service from the 11th: 21 of 31 days are due (406.45), 600.00 is billed.
    s.contract("A", "2025-03-11")
    s.line("D1")
    s.expect("proration", 19355, "D1")


@story
def a_full_month_after_the_end(s: Story) -> None:
    # Terminated from the 11th: 10 of 31 days are due (193.55).
    s.contract("A", last="")
    s.contract("A", "2025-03-11", "", version=2, status="terminated", amendment_type="termination")
    s.line("D1")
    s.expect("proration", 40645, "D1")


@story
def a_full_month_for_ten_days_inside(s: Story) -> None:
    # Service from the 11th to the 20th: 193.55 is due.
    s.contract("A", "2025-03-11", "2025-03-20")
    s.line("D1")
    s.expect("proration", 40645, "D1")


@story
def a_part_billed_for_a_full_month(s: Story) -> None:
    s.contract()
    s.line("D1", "0.645161", 300, amount="193.55")
    s.expect("proration", -40645, "D1")


@story
def a_full_month_at_a_wrong_price(s: Story) -> None:
    # 21 of 31 days due at 300 (1.354839: 406.45); 2 billed at 310: 193.55 by quantity, 20.00 by price.
    s.contract("A", "2025-03-11")
    s.line("D1", 2, 310)
    s.expect("price_mismatch", 2000, "D1")
    s.expect("quantity_mismatch", 19355, "D1")


@story
def a_part_of_the_part_that_is_due(s: Story) -> None:
    # Service from the 11th, billed from the 16th (16 of 31 days: 309.68): neither is a full month.
    s.contract("A", "2025-03-11")
    s.line("D1", "1.032258", 300, amount="309.68")
    s.expect("quantity_mismatch", -9677, "D1")


@story
def one_of_two_racks_is_no_proration(s: Story) -> None:
    # In April, 1 of 2 racks has the quantity of 15 of 30 days; a whole rack is missing.
    s.contract("A", "2025-04-01", "2025-04-30")
    s.line("D1", 1, 300, service_month=APRIL)
    s.expect("quantity_mismatch", -30000, "D1", month=APRIL)


@story
def a_full_month_of_an_amended_start(s: Story) -> None:
    # 2 racks from the 11th (5 days), 3 from the 16th (16 days): 96.77 + 464.52 due; billed from the 1st, 290.32 + 464.52.
    s.contract("A", "2025-03-11", "2025-03-31")
    s.contract("A", "2025-03-16", "2025-03-31", version=2, racks=3, amendment_type="upsell")
    s.line("D1", "0.967742", 300, amount="290.32")
    s.line("D1", "1.548387", 300, amount="464.52", line_no=2)
    s.expect("proration", 19355, "D1")


# What remains.


@story
def a_cent_of_rounding(s: Story) -> None:
    s.contract()
    s.line("D1", amount="600.01")
    s.expect("rounding", 1, "D1")


@story
def a_cent_too_little(s: Story) -> None:
    s.contract()
    s.line("D1", amount="599.99")
    s.expect("rounding", -1, "D1")


@story
def two_cents_in_one_line(s: Story) -> None:
    s.contract()
    s.line("D1", amount="600.02")
    s.expect("unexplained", 2)


@story
def two_cents_in_two_lines(s: Story) -> None:
    s.contract()
    s.line("D1", 1, 300, amount="300.01")
    s.line("D1", 1, 300, amount="300.01", line_no=2)
    s.expect("rounding", 2, "D1")


@story
def a_wrong_price(s: Story) -> None:
    s.contract()
    s.line("D1", 2, 310)
    s.expect("price_mismatch", 2000, "D1")


@story
def a_wrong_price_too_low(s: Story) -> None:
    s.contract()
    s.line("D1", 2, 290)
    s.expect("price_mismatch", -2000, "D1")


@story
def a_wrong_quantity(s: Story) -> None:
    s.contract()
    s.line("D1", 3, 300)
    s.expect("quantity_mismatch", 30000, "D1")


@story
def a_wrong_price_and_quantity(s: Story) -> None:
    # (3 − 2) × 300 = 300.00 and (310 − 300) × 3 = 30.00.
    s.contract()
    s.line("D1", 3, 310)
    s.expect("price_mismatch", 3000, "D1")
    s.expect("quantity_mismatch", 30000, "D1")


@story
def an_amount_that_is_not_quantity_times_price(s: Story) -> None:
    s.contract()
    s.line("D1", amount="700.00")
    s.expect("unexplained", 10000)


@story
def an_explanation_of_a_part(s: Story) -> None:
    # 2 × 310 is 620.00, the amount says 700.00: 20.00 is the price, 80.00 nobody knows.
    s.contract()
    s.line("D1", 2, 310, amount="700.00")
    s.expect("price_mismatch", 2000, "D1")
    s.expect("unexplained", 8000)


@story
def a_line_beside_all_that_is_due(s: Story) -> None:
    # 1 at 30 has no charge to be compared with: 30.00 of quantity, not 300.00 of it less 270.00 of price.
    s.contract()
    s.line("D1")
    s.line("D2", 1, 30)
    s.expect("quantity_mismatch", 3000, "D2")


@story
def one_wrong_price_of_two_segments(s: Story) -> None:
    # Halves of April at 300 and 310; the second is billed at 400.
    s.contract("A", "2025-04-01", "2025-04-15")
    s.contract("A", "2025-04-16", "2025-04-30", version=2, rack_price=310, amendment_type="escalation")
    s.line("D1", 1, 300, service_month=APRIL)
    s.line("D1", 1, 400, service_month=APRIL, line_no=2)
    s.expect("price_mismatch", 9000, "D1", month=APRIL)


@story
def one_of_two_segments_is_not_billed(s: Story) -> None:
    # 2 of 5 racks are billed for all of April, 310 for the second half (2.5 rack-months, 775.00) is not.
    s.contract("A", "2025-04-01", "2025-04-15")
    s.contract("A", "2025-04-16", "2025-04-30", version=2, racks=5, rack_price=310, amendment_type="upsell")
    s.line("D1", 1, 300, service_month=APRIL)
    s.expect("quantity_mismatch", -77500, month=APRIL)


# Meters: 1.0 per kWh unless said otherwise, 31 days of 100 kWh: 3,100.00.

METERED: dict[str, Any] = {"pricing_model": "metered", "racks": 0, "energy_rate": 1, "pue_uplift": 1}
BILLED_ON = "2025-04-02"


def _energy(s: Story, document: str, quantity: object, price: object = 1, **values: Any) -> None:
    s.line(document, quantity, price, charge_type="energy", invoice_date=BILLED_ON, **values)


@story
def billed_on_estimates(s: Story) -> None:
    # The last day was estimated by the source at 80 when the invoice was made, and read as 100 later: 20.00 too little.
    s.contract(**METERED)
    s.readings("2025-03-01", "2025-03-30", 100)
    s.readings("2025-03-31", "2025-03-31", 80, read_type="estimated")
    s.readings("2025-03-31", "2025-03-31", 100, arrival="20250403T000000Z")
    _energy(s, "D1", 3080)
    s.expect("estimated_meter", -2000, "D1", charge="energy")


@story
def a_reading_at_the_last_instant_was_known(s: Story) -> None:
    # The actual arrived within the invoice date: what was billed is not what was known.
    s.contract(**METERED)
    s.readings("2025-03-01", "2025-03-30", 100)
    s.readings("2025-03-31", "2025-03-31", 80, read_type="estimated")
    s.readings("2025-03-31", "2025-03-31", 100, arrival="20250402T235959Z")
    _energy(s, "D1", 3080)
    s.expect("quantity_mismatch", -2000, "D1", charge="energy")


@story
def billed_before_a_reading_came(s: Story) -> None:
    # The last day had no reading then: estimated as 100 (the mean), read as 130 later.
    s.contract(**METERED)
    s.readings("2025-03-01", "2025-03-30", 100)
    s.readings("2025-03-31", "2025-03-31", 130, arrival="20250403T000000Z")
    _energy(s, "D1", 3100)
    s.expect("late_meter", -3000, "D1", charge="energy")


@story
def billed_before_a_correction(s: Story) -> None:
    s.contract(**METERED)
    s.readings("2025-03-01", "2025-03-31", 100)
    s.readings("2025-03-20", "2025-03-20", 90, arrival="20250410T000000Z")
    _energy(s, "D1", 3100)
    s.expect("late_meter", 1000, "D1", charge="energy")


@story
def billed_on_an_estimate_and_a_gap(s: Story) -> None:
    # One day of each kind is late_meter: not every day was an estimate.
    s.contract(**METERED)
    s.readings("2025-03-01", "2025-03-29", 100)
    s.readings("2025-03-30", "2025-03-30", 80, read_type="estimated")
    s.readings("2025-03-30", "2025-03-31", 130, arrival="20250403T000000Z")
    _energy(s, "D1", 3080)
    s.expect("late_meter", -8000, "D1", charge="energy")


@story
def energy_with_an_uplift(s: Story) -> None:
    # Quantity is kWh × uplift: 3,080 × 1.5 = 4,620 at 0.2 = 924.00; due 3,100 × 1.5 × 0.2 = 930.00.
    s.contract(**(METERED | {"pue_uplift": "1.5", "energy_rate": "0.2"}))
    s.readings("2025-03-01", "2025-03-30", 100)
    s.readings("2025-03-31", "2025-03-31", 80, read_type="estimated")
    s.readings("2025-03-31", "2025-03-31", 100, arrival="20250403T000000Z")
    _energy(s, "D1", 4620, "0.2")
    s.expect("estimated_meter", -600, "D1", charge="energy")


@story
def energy_without_its_uplift(s: Story) -> None:
    # 3,100 billed of 4,650 due at 0.2.
    s.contract(**(METERED | {"pue_uplift": "1.5", "energy_rate": "0.2"}))
    s.readings("2025-03-01", "2025-03-31", 100)
    _energy(s, "D1", 3100, "0.2")
    s.expect("quantity_mismatch", -31000, "D1", charge="energy")


@story
def a_stale_energy_rate(s: Story) -> None:
    # 1.1 in force since the 16th (16 days): 1,500.00 + 1,760.00 due; 3,100.00 billed.
    s.contract(**METERED)
    s.contract(first="2025-03-16", version=2, amendment_type="escalation", **(METERED | {"energy_rate": "1.1"}))
    s.readings("2025-03-01", "2025-03-31", 100)
    _energy(s, "D1", 3100)
    s.expect("stale_version", -16000, "D1", charge="energy", versions=(1, 2))


@story
def estimates_and_a_duplicate(s: Story) -> None:
    s.contract(**METERED)
    s.readings("2025-03-01", "2025-03-30", 100)
    s.readings("2025-03-31", "2025-03-31", 80, read_type="estimated")
    s.readings("2025-03-31", "2025-03-31", 100, arrival="20250403T000000Z")
    _energy(s, "D1", 3080)
    _energy(s, "D2", 3080)
    s.expect("duplicate_billing", 308000, "D2", charge="energy")
    s.expect("estimated_meter", -2000, "D1", charge="energy")


@story
def an_overage_billed_on_an_estimate(s: Story) -> None:
    # 10 kW reserved at 20 a kW above; the peak of the 20th was estimated as 14 kW, and read as 15: 80.00 of 100.00.
    s.contract(racks=0, reserved_kw=10, overage_price=20)
    s.readings("2025-03-01", "2025-03-19", 100, peak_kw=9)
    s.readings("2025-03-20", "2025-03-20", 100, peak_kw=14, read_type="estimated")
    s.readings("2025-03-21", "2025-03-31", 100, peak_kw=9)
    s.readings("2025-03-20", "2025-03-20", 100, peak_kw=15, arrival="20250403T000000Z")
    s.line("D1", 10, 150, charge_type="power")
    s.line("D2", 4, 20, charge_type="overage", invoice_date=BILLED_ON)
    s.expect("estimated_meter", -2000, "D2", charge="overage")


@story
def an_overage_that_no_reading_shows_any_more(s: Story) -> None:
    # Billed for an actual of 14 kW that was corrected to 9: nothing is due, and the readings say why it was billed.
    s.contract(racks=0, reserved_kw=10, overage_price=20)
    s.readings("2025-03-01", "2025-03-19", 100, peak_kw=9)
    s.readings("2025-03-20", "2025-03-20", 100, peak_kw=14)
    s.readings("2025-03-21", "2025-03-31", 100, peak_kw=9)
    s.readings("2025-03-20", "2025-03-20", 100, peak_kw=9, arrival="20250410T000000Z")
    s.line("D1", 10, 150, charge_type="power")
    s.line("D2", 4, 20, charge_type="overage", invoice_date=BILLED_ON)
    s.expect("late_meter", 8000, "D2", charge="overage")


@story
def a_stale_overage_price(s: Story) -> None:
    # 5 kW above on the 20th at 20; version 2 says 30 from 1 March.
    s.contract(first="2025-02-01", racks=0, reserved_kw=10, overage_price=20)
    s.contract(version=2, racks=0, reserved_kw=10, overage_price=30, amendment_type="escalation")
    s.readings("2025-02-01", "2025-03-19", 100, peak_kw=9)
    s.readings("2025-03-20", "2025-03-20", 100, peak_kw=15)
    s.readings("2025-03-21", "2025-03-31", 100, peak_kw=9)
    s.line("D0", 10, 150, charge_type="power", service_month="2025-02")
    s.line("D1", 10, 150, charge_type="power")
    s.line("D2", 5, 20, charge_type="overage")
    s.expect("stale_version", -5000, "D2", charge="overage", versions=(1, 2))


@story
def a_stale_reservation_whose_own_overage_stands(s: Story) -> None:
    # On 12 kW, version 1's own days have an excess of 4 kW (the 5th, peak 16), those of version 2 (10 kW, peak 15) one of 3.
    # Due are 5 kW at 20 on the 20th; 4 kW at 20 were billed.
    s.contract(first="2025-03-01", racks=0, reserved_kw=12, overage_price=20)
    s.contract(first="2025-03-16", version=2, racks=0, reserved_kw=10, overage_price=20, amendment_type="downsell")
    s.readings("2025-03-01", "2025-03-04", 100, peak_kw=9)
    s.readings("2025-03-05", "2025-03-05", 100, peak_kw=16)
    s.readings("2025-03-06", "2025-03-19", 100, peak_kw=9)
    s.readings("2025-03-20", "2025-03-20", 100, peak_kw=15)
    s.readings("2025-03-21", "2025-03-31", 100, peak_kw=9)
    s.line("D1", "5.806452", 150, amount="870.97", charge_type="power")
    s.line("D1", "5.161290", 150, amount="774.19", charge_type="power", line_no=2)
    s.line("D2", 4, 20, charge_type="overage")
    s.expect("stale_version", -2000, "D2", charge="overage", versions=(1, 2))


@dataclass
class Told:
    """The shared world, computed."""

    computed: Computed
    stories: dict[str, Story]

    def causes(self, name: str, view: str = "current") -> list[Row]:
        """Return the causes of a story's customer."""
        return self.computed.rows("recon_causes", customer_id=f"CU-{name}", view=view)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    world = World(tmp_path_factory.mktemp("causes"), first_month="2025-02", last_month="2025-04")
    stories = {}
    for name, teller in STORIES.items():
        world.add("customers", customer_id=f"CU-{name}")
        stories[name] = Story(world, name)
        teller(stories[name])
    with world.computed("recon_causes") as computed:
        yield Told(computed, stories)


def _documents(cause: Row) -> tuple[str, ...]:
    return tuple(sorted({line["document_id"] for line in json.loads(cause["evidence"]).get("lines", [])}))


def _key(cause: Row) -> tuple[Any, ...]:
    return pick(cause, "month", "contract_id", "charge_type", "cause", "cause_cents")


def _found(cause: Row, like: Expected | None) -> tuple[Any, ...]:
    """Return what is compared of a cause: documents and versions only where the story names them."""
    versions = None
    if like is not None and like.versions:
        named = json.loads(cause["evidence"])["contract_versions"]
        versions = (named["billed"], named["in_force"][0]["version"])
    documents = _documents(cause) if like is not None and like.documents else None
    return (
        str(cause["month"])[:7],
        cause["contract_id"],
        cause["charge_type"],
        cause["cause"],
        cause["cause_cents"],
        documents,
        versions,
    )


@pytest.mark.parametrize("name", STORIES)
def test_story(told: Told, name: str) -> None:
    causes = told.causes(name)
    expected = told.stories[name].expected
    waiting = list(expected)
    found, links = [], dict[str, set[str | None]]()
    for cause in causes:
        key = _key(cause)
        alike = [each for each in waiting if (each.month, each.contract, each.charge, each.cause, each.cents) == key]
        alike.sort(key=lambda each: each.documents != _documents(cause))
        like = alike[0] if alike else None
        if like:
            waiting.remove(like)
            links.setdefault(like.link or "", set()).add(cause["link_id"])
        found.append(_found(cause, like))
    assert sorted(found, key=str) == sorted(
        ((each.month, each.contract, each.charge, each.cause, each.cents, each.documents, each.versions) for each in expected),
        key=str,
    )
    # Both ends of a move share a link that nothing else has; what is no move has none.
    assert all(len(ids) == 1 for ids in links.values())
    assert links.pop("", {None}) == {None}
    assert None not in set().union(*links.values())
    assert len(set().union(*links.values())) == len(links)


def test_a_late_line_is_the_only_cause_that_the_view_as_of_close_has_more(told: Told) -> None:
    (cause,) = told.causes("A-LATE-LINE", "as_of_close")
    assert (cause["cause"], cause["family"], cause["cause_cents"]) == ("late_posting", "timing", -60000)
    assert (cause["status"], cause["link_id"], cause["cause_no"]) == ("breach", None, 1)
    assert _documents(cause) == ("A-LATE-LINE-D1",)


def test_causes_as_of_close_are_those_of_all_postings_and_the_late_lines(told: Told) -> None:
    def content(view: str) -> list[tuple[Any, ...]]:
        found = told.computed.rows("recon_causes", view=view)
        return sorted(
            (row["month"], row["row_key"], row["cause"], row["cause_cents"], row["link_id"] or "", row["evidence"])
            for row in found
            if row["cause"] != "late_posting"
        )

    assert content("as_of_close") == content("current")
    late = told.computed.rows("recon_causes", cause="late_posting")
    # What was posted for February in April is late too, and no example.
    assert sorted((row["month"], row["view"], row["cause_cents"]) for row in late if row["month"] > "2025-02") == [
        (MARCH, "as_of_close", -60000),
        (APRIL, "as_of_close", -60000),
    ]


def test_causes_add_up_to_every_variance_of_both_views(told: Told) -> None:
    assert all(told.computed.judge("causes_add_up", month).passed for month in ("2025-02", MARCH, APRIL))


def test_a_row_of_which_everything_is_late_stays_in_both_views(told: Told) -> None:
    rows = told.computed.rows("recon_results", customer_id="CU-A-LATE-LINE", recon="erp_vs_mart")
    assert {row["view"]: (row["left_cents"], row["variance_cents"], row["status"]) for row in rows} == {
        "current": (60000, 0, "matched"),
        "as_of_close": (0, -60000, "breach"),
    }


def _evidence(told: Told, name: str, **wanted: Any) -> Any:
    (cause,) = [row for row in told.causes(name) if all(row[key] == value for key, value in wanted.items())]
    return json.loads(cause["evidence"])


def test_a_shift_names_the_lines_of_the_other_month_and_its_variance(told: Told) -> None:
    found = _evidence(told, "A-SHIFT-BY-A-LATE-LINE", month=MARCH)
    assert found["counterpart"] == {"month": APRIL, "variance_cents": 60000}
    assert [line.get("late", False) for line in found["lines"]] == [False, True]
    assert [charge["version"] for charge in found["charges"]] == [1]


def test_a_shift_with_two_possible_ends_names_the_other(told: Told) -> None:
    found = _evidence(told, "A-SHIFT-PREFERS-THE-EARLIER-MONTH", month=MARCH)
    assert found["counterpart"]["month"] == "2025-02"
    assert found["also_possible"] == [{"month": APRIL, "variance_cents": -60000}]


def test_a_move_with_two_possible_contracts_names_the_other(told: Told) -> None:
    found = _evidence(told, "A-LINE-THAT-TWO-CONTRACTS-LACK", cause="wrong_contract", cause_cents=60000)
    assert found["also_possible"] == [{"contract_id": "A-LINE-THAT-TWO-CONTRACTS-LACK-B"}]
    found = _evidence(told, "AN-UNMAPPED-LINE-THAT-TWO-CONTRACTS-LACK", cause_cents=60000)
    assert found["also_possible"] == [{"contract_id": "AN-UNMAPPED-LINE-THAT-TWO-CONTRACTS-LACK-B"}]


def test_a_whole_rack_says_that_it_could_be_days(told: Told) -> None:
    found = _evidence(told, "ONE-OF-TWO-RACKS-IS-NO-PRORATION")
    assert found["also_possible"] == [{"billed_days": 15, "cause": "proration"}]


def test_meter_causes_name_the_readings_then_and_now(told: Told) -> None:
    found = _evidence(told, "BILLED-ON-AN-ESTIMATE-AND-A-GAP")
    assert found["known_on"] == BILLED_ON
    assert [
        (each["reading_date"], each["then"], each["kwh_then"], each["now"], each["kwh_now"]) for each in found["readings"]
    ] == [
        ("2025-03-30", "estimated", "80.000000", "actual", "130.000000"),
        ("2025-03-31", "none", None, "actual", "130.000000"),
    ]


def test_an_unmapped_line_names_the_mapping_rows_that_do_not_cover_it(tmp_path: Any) -> None:
    """The mapping of R-OLD ended in February; the customer is known by another reference."""
    world = World(tmp_path).version(reserved_kw=0).add("erp_mapping")
    world.add("erp_mapping", erp_contract_ref="R-OLD", valid_to="2025-02-28")
    world.add("erp_invoices", erp_contract_ref="R-OLD", quantity=2, unit_price=300, amount="600.00")
    world.add("erp_invoices", document_id="D2", erp_customer_code="NOBODY", amount="10.00", charge_type="other")
    with world.computed("recon_causes") as computed:
        causes = computed.rows("recon_causes", view="current")
    found = {(row["customer_id"], row["contract_id"]): row for row in causes}
    assert {key: (row["cause"], row["cause_cents"]) for key, row in found.items()} == {
        ("CU-1", None): ("unmapped_line", 60000),
        ("CU-1", "A"): ("unmapped_line", -60000),
        (None, None): ("unmapped_line", 1000),
    }
    assert json.loads(found["CU-1", "A"]["evidence"])["mapping_rows"] == [
        {"contract_id": "A", "valid_from": "2025-01-01", "valid_to": "2025-02-28"}
    ]
    assert "nor its customer" in found[None, None]["explanation"]


# Power booked for a site against its bill of 1,000.00.

PowerCauses = list[tuple[str, int, tuple[str, ...]]]


@pytest.fixture(scope="module")
def power(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], PowerCauses]]:
    world = World(tmp_path_factory.mktemp("power"))

    def site(name: str, *booked: tuple[str, str, str, str], status: str = "final", bill: bool = True) -> None:
        world.add("sites", site_id=name)
        world.version(contract_id=f"A-{name}", site_id=name)
        if bill:
            world.bill(1000, bill_id=f"B-{name}", site_id=name, status=status)
        for document, kind, amount, day in booked:
            world.add(
                "erp_power_costs",
                document_id=f"{name}-{document}",
                document_type=kind,
                site_id=name,
                amount=amount,
                posted_at=f"2025-04-{day}T00:00:00Z",
            )

    bill, late_bill = ("B", "bill", "1000.00", "03"), ("B", "bill", "1000.00", "10")
    accrual, reversal = ("A", "accrual", "950.00", "02"), ("R", "reversal", "-950.00", "03")
    site("BOOKED", bill)
    site("REVERSED", accrual, reversal, bill)
    site("UNBOOKED")
    site("STANDING", accrual, bill)
    site("PARTLY", accrual, ("R", "reversal", "-900.00", "03"), bill)
    site("ACCRUED", accrual)
    site("ESTIMATED", ("B", "bill", "1020.00", "03"), status="estimated")
    site("NO-BILL", accrual, bill=False)
    site("LATE", accrual, ("R", "reversal", "-950.00", "10"), late_bill)
    site("CENT", ("B", "bill", "1000.01", "03"))
    site("TWO-CENTS", ("B", "bill", "1000.02", "03"))
    site("TWO-LINES", ("B1", "bill", "500.01", "03"), ("B2", "bill", "500.01", "03"))
    site("WRONG", ("B", "bill", "1100.00", "03"))
    site("STANDING-AND-WRONG", accrual, ("B", "bill", "1100.00", "03"))
    world.add("sites", site_id="EMPTY").add("erp_power_costs", document_id="EMPTY-B", site_id="EMPTY", amount="70.00")
    with world.computed("recon_causes") as computed:
        assert computed.judge("causes_add_up").passed

        def causes(name: str, view: str) -> PowerCauses:
            rows = computed.rows("recon_causes", recon="erp_vs_allocated_power", site_id=name, view=view)
            return [(row["cause"], row["cause_cents"], _documents(row)) for row in rows]

        yield causes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BOOKED", []),
        ("REVERSED", []),
        ("UNBOOKED", [("unbooked", -100000, ())]),
        ("STANDING", [("accrual_not_reversed", 95000, ("STANDING-A",))]),
        ("PARTLY", [("accrual_not_reversed", 5000, ("PARTLY-A", "PARTLY-R"))]),
        ("ACCRUED", [("estimated_bill", -5000, ("ACCRUED-A",))]),
        ("ESTIMATED", [("estimated_bill", 2000, ("ESTIMATED-B",))]),
        # No bill of ours and no earlier one: our accrual is 0.
        ("NO-BILL", [("estimated_bill", 95000, ("NO-BILL-A",))]),
        ("LATE", []),
        ("CENT", [("rounding", 1, ("CENT-B",))]),
        ("TWO-CENTS", [("unexplained", 2, ())]),
        ("TWO-LINES", [("rounding", 2, ("TWO-LINES-B1", "TWO-LINES-B2"))]),
        ("WRONG", [("unexplained", 10000, ())]),
        ("STANDING-AND-WRONG", [("accrual_not_reversed", 95000, ("STANDING-AND-WRONG-A",)), ("unexplained", 10000, ())]),
        # A bill for a site without service and without a bill of ours: no estimate is in it.
        ("EMPTY", [("unexplained", 7000, ())]),
    ],
)
def test_power(power: Callable[[str, str], PowerCauses], name: str, expected: PowerCauses) -> None:
    assert power(name, "current") == expected


def test_late_power_is_a_row_per_line_in_the_view_as_of_close(power: Callable[[str, str], PowerCauses]) -> None:
    """Of accrual 950, reversal −950 and bill 1,000, the last two came on the 10th: 950 was booked at the cutoff."""
    assert power("LATE", "as_of_close") == [
        ("late_posting", -100000, ("LATE-B",)),
        ("late_posting", 95000, ("LATE-R",)),
    ]
