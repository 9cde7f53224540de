"""To which customer and contract an ERP line belongs, and whether it came late; the service month is March 2025."""

from collections.abc import Iterator
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("lines")).add("customers", customer_id="CU-2")
    for contract in ("A", "B"):
        world.version(contract_id=contract)
    world.version(contract_id="D", customer_id="CU-2")

    def mapping(code: str, ref: str, contract: str, first: str, last: str = "", customer: str = "CU-1") -> None:
        world.add(
            "erp_mapping",
            erp_customer_code=code,
            erp_contract_ref=ref,
            contract_id=contract,
            customer_id=customer,
            valid_from=first,
            valid_to=last,
        )

    def line(document: str, code: str, ref: str, **values: Any) -> None:
        world.add("erp_invoices", document_id=document, erp_customer_code=code, erp_contract_ref=ref, **values)

    # Two rows valid on 1 March: the latest beginning.
    mapping("E-OVERLAP", "R", "A", "2025-01-01")
    mapping("E-OVERLAP", "R", "B", "2025-02-01")
    line("OVERLAP", "E-OVERLAP", "R")
    # Valid on the first day beats what begins within the month.
    mapping("E-CHANGE", "R", "A", "2025-01-01", "2025-03-01")
    mapping("E-CHANGE", "R", "B", "2025-03-02")
    line("CHANGE", "E-CHANGE", "R")
    # None on the first day: the one that begins first within the month, also on its last day.
    mapping("E-WITHIN", "R", "A", "2025-03-10", "2025-03-19")
    mapping("E-WITHIN", "R", "B", "2025-03-20")
    mapping("E-WITHIN", "OTHER", "B", "2025-03-31")
    line("WITHIN", "E-WITHIN", "R")
    line("LASTDAY", "E-WITHIN", "OTHER")
    # Ended the day before, or begins after: no mapping, and the code has no customer.
    mapping("E-ENDED", "R", "A", "2025-01-01", "2025-02-28")
    mapping("E-ENDED", "R", "A", "2025-04-01")
    line("ENDED", "E-ENDED", "A")
    # By reference: the contract's own id, if it is that customer's.
    mapping("E-ONE", "R-A", "A", "2025-01-01")
    line("MAPPED", "E-ONE", "R-A")
    line("REFERENCE", "E-ONE", "B")
    line("FOREIGN", "E-ONE", "D")
    line("NO-REFERENCE", "E-ONE", "")
    # One code for two customers: no customer, and so nothing by reference; what the mapping names it still names.
    mapping("E-BOTH", "R-A", "A", "2025-01-01")
    mapping("E-BOTH", "R-D", "D", "2025-01-01", customer="CU-2")
    line("BOTH-MAPPED", "E-BOTH", "R-D")
    line("BOTH-REFERENCE", "E-BOTH", "A")
    # A second customer that begins within the month does not count while another stands on the first day.
    mapping("E-TURN", "R-A", "A", "2025-01-01")
    mapping("E-TURN", "R-D", "D", "2025-03-15", customer="CU-2")
    line("TURN", "E-TURN", "B")
    # The cutoff of March is the end of its fifth business day after: 7 April 2025.
    line("IN-TIME", "E-ONE", "R-A", posted_at="2025-04-07T23:59:59.999999Z")
    line("TOO-LATE", "E-ONE", "R-A", posted_at="2025-04-08T00:00:00Z")
    line("OFFSET", "E-ONE", "R-A", posted_at="2025-04-08T01:59:59+02:00")
    line("CREDIT", "E-ONE", "R-A", document_type="credit_memo", amount="-5.00")
    line("NEGATIVE", "E-ONE", "R-A", amount="-7.00")
    line("BAD", "E-ONE", "R-A", document_type="credit_memo", amount="0.01")
    # The later row of a line wins, and may move it to another month.
    line("MOVED", "E-ONE", "R-A")
    world.add("erp_invoices", "20250501T000000Z", document_id="MOVED", service_month="2025-04")
    line("NEXT", "E-ONE", "R-A", service_month="2025-04")
    with world.computed("invoice_lines") as computed:
        yield computed


def resolved(lines: Computed, document: str) -> tuple[Any, ...]:
    return pick(lines.row("invoice_lines", document_id=document), "customer_id", "contract_id", "mapping_status")


@pytest.mark.parametrize(
    ("document", "customer", "contract", "status"),
    [
        ("OVERLAP", "CU-1", "B", "mapped"),
        ("CHANGE", "CU-1", "A", "mapped"),
        ("WITHIN", "CU-1", "A", "mapped"),
        ("LASTDAY", "CU-1", "B", "mapped"),
        ("ENDED", None, None, "unmapped"),
        ("MAPPED", "CU-1", "A", "mapped"),
        ("REFERENCE", "CU-1", "B", "by_reference"),
        ("FOREIGN", "CU-1", None, "unmapped"),
        ("NO-REFERENCE", "CU-1", None, "unmapped"),
        ("BOTH-MAPPED", None, "D", "mapped"),
        ("BOTH-REFERENCE", None, None, "unmapped"),
        ("TURN", "CU-1", "B", "by_reference"),
    ],
)
def test_lines_resolve_by_the_mapping_of_the_day(
    lines: Computed, document: str, customer: str | None, contract: str | None, status: str
) -> None:
    assert resolved(lines, document) == (customer, contract, status)


@pytest.mark.parametrize(("document", "late"), [("IN-TIME", False), ("TOO-LATE", True), ("OFFSET", False), ("MAPPED", False)])
def test_late_is_posted_after_the_cutoff(lines: Computed, document: str, late: bool) -> None:
    assert lines.row("invoice_lines", document_id=document)["late"] is late


def test_amounts_are_signed_and_positive_credit_memos_refused(lines: Computed) -> None:
    assert lines.row("invoice_lines", document_id="CREDIT")["amount_cents"] == -500
    assert lines.row("invoice_lines", document_id="NEGATIVE")["amount_cents"] == -700
    assert lines.rows("invoice_lines", document_id="BAD") == []


def test_line_that_moved_or_belongs_to_another_month_is_absent(lines: Computed) -> None:
    assert lines.rows("invoice_lines", document_id="MOVED") == []
    assert lines.rows("invoice_lines", document_id="NEXT") == []


def test_mapping_to_an_unknown_or_foreign_contract_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World(tmp_path_factory.mktemp("mapping")).add("customers", customer_id="CU-2").version()
    world.add("erp_mapping", erp_contract_ref="X", contract_id="NOWHERE")
    world.add("erp_mapping", erp_contract_ref="Y", customer_id="CU-2")
    unknown, foreign = world.refusals("erp_mapping")
    assert "NOWHERE is unknown" in unknown
    assert "not of CU-2" in foreign
