"""Asking causes without files and without a database: lines and charges in, what is said of them out.

Belongs here: racks of one customer's contracts in March 2025 and the months around, power of one site. Does not belong here: any
expectation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from revenue_integrity.close.causes.explaining import explain
from revenue_integrity.model.reconciliation import CURRENT
from revenue_integrity.streams.colocation.causes.charges import CAUSES
from revenue_integrity.streams.colocation.causes.inputs import CHARGES, POWER, charge_case, power_case
from revenue_integrity.streams.colocation.causes.power import CAUSES as POWER_CAUSES
from revenue_integrity.streams.colocation.causes.power import late_postings as late_power

MARCH = pd.Timestamp("2025-03-01")
MILLION = 10**6


@dataclass(frozen=True)
class Line:
    """An ERP line in a document of its own; quantity and price are in millionths."""

    name: str
    quantity: int
    price: int
    cents: int
    corrects: str | None = None
    is_credit: bool = False


@dataclass(frozen=True)
class Due:
    """A charge that is due for the whole month; quantity and price are in millionths."""

    quantity: int
    price: int
    cents: int


@dataclass(frozen=True)
class Asked:
    """A row: its contract (none for what resolves to none) and month, what is billed and what is due."""

    contract: str | None
    month: pd.Timestamp
    lines: Sequence[Line]
    dues: Sequence[Due] = ()

    @property
    def key(self) -> str:
        """The key of the row, the same in each month."""
        return f"K-{self.contract}"

    @property
    def reference(self) -> str:
        """What the ERP calls the contract."""
        return f"R-{self.contract}"

    @property
    def variance(self) -> int:
        """What is billed less what is due."""
        return sum(each.cents for each in self.lines) - sum(each.cents for each in self.dues)


def _empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})


def causes_of(lines: Sequence[Line], dues: Sequence[Due]) -> list[dict[str, Any]]:
    """Return cause, cents, explanation and evidence of what is said of lines, none where they add up to what is due."""
    return causes_of_rows([Asked("A", MARCH, lines, dues)])


def causes_of_rows(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """Return cause, cents, explanation, evidence and contract of what is said of the rows of March beside those of other months.

    Documents have names of their own over all rows.
    """
    varied = [each for each in asked if each.variance]
    if not any(each.month == MARCH for each in varied):
        return []
    rows = pd.DataFrame(
        {
            "month": [each.month for each in varied], "recon": CHARGES, "view": CURRENT, "row_key": [each.key for each in varied],
            "customer_id": "CU", "contract_id": pd.Series([each.contract for each in varied], dtype=object), "site_id": None,
            "charge_type": "rack", "variance_cents": [each.variance for each in varied], "status": "breach",
        }
    )  # fmt: skip
    lines = [(each, line) for each in asked for line in each.lines]
    dues = [(each, due) for each in asked if each.month == MARCH for due in each.dues]
    posted = [pd.Timestamp("2025-04-01T00:00:00Z") + pd.Timedelta(days=day) for day in range(len(lines))]
    billed = pd.DataFrame(
        {
            "month": pd.Series([row.month for row, _ in lines], dtype="datetime64[ns]"), "row_key": [row.key for row, _ in lines],
            "document_id": [each.name for _, each in lines], "line_no": 1, "is_credit": [each.is_credit for _, each in lines],
            "erp_customer_code": "E", "erp_contract_ref": [row.reference for row, _ in lines],
            "micro_quantity": [each.quantity for _, each in lines], "micro_price": [each.price for _, each in lines],
            "amount_cents": [each.cents for _, each in lines], "posted_at": posted,
            "corrects_document_id": pd.Series([each.corrects for _, each in lines], dtype=object),
            "names_own_document": [each.corrects is not None for _, each in lines], "late": False,
        }
    )  # fmt: skip
    due = pd.DataFrame(
        {
            "row_key": [row.key for row, _ in dues], "version": 1, "segment_from": MARCH,
            "segment_to": MARCH + pd.offsets.MonthEnd(0), "micro_quantity": [each.quantity for _, each in dues],
            "micro_price": [each.price for _, each in dues], "amount_cents": [each.cents for _, each in dues],
            "micro_full_quantity": [each.quantity for _, each in dues],
        }
    ).astype({"micro_quantity": "int64", "micro_price": "int64", "amount_cents": "int64"})  # fmt: skip
    days = {"valid_from": "datetime64[us]", "valid_to": "datetime64[us]"}
    frames = {
        "rows": rows,
        "lines": billed,
        "dues": due,
        "earlier_terms": _empty(
            "row_key", "segment_from", "segment_to", "earlier_version", "is_together", "replaced_by", "micro_quantity",
            "micro_price", "amount_cents",
        ),
        "known_usage": _empty("row_key", "readings", "known_on", "changed_days", "changed_estimates", "amount_cents").astype(
            {"known_on": "datetime64[us]"}
        ),
        "mappings": _empty("erp_customer_code", "erp_contract_ref", "contract_id", *days).astype(days),
    }  # fmt: skip
    found = explain(charge_case(MARCH, frames), CAUSES)
    variances = {each.key: each.variance for each in varied if each.month == MARCH}
    assert found.groupby("row_key")["cents"].sum().to_dict() == variances
    contracts = {each.key: each.contract for each in varied}
    return found.assign(contract=found["row_key"].map(contracts))[
        ["cause", "cents", "explanation", "evidence", "contract", "link_id"]
    ].to_dict("records")


@dataclass(frozen=True)
class Booked:
    """A booking of a site's power in a document of its own: ``bill``, ``accrual`` or ``reversal``."""

    name: str
    kind: str
    cents: int
    late: bool = False


def causes_of_power(bookings: Sequence[Booked], allocated: int, bill: str) -> list[dict[str, Any]]:
    """Return what is said of a site's power, all postings first, then what the view as of close has besides.

    ``allocated`` are the cents of our bill, whose standing is ``bill``: ``final``, ``estimated``, ``accrued``, or empty for none.
    """
    variance = sum(each.cents for each in bookings) - allocated
    rows = pd.DataFrame(
        {"month": [MARCH], "recon": POWER, "view": CURRENT, "row_key": "K", "site_id": "S", "variance_cents": [variance]}
    )
    lines = pd.DataFrame(
        {
            "site_id": pd.Series(["S"] * len(bookings), dtype=object), "line_no": 1,
            "document_id": pd.Series([each.name for each in bookings], dtype=object),
            "document_type": pd.Series([each.kind for each in bookings], dtype=object),
            "amount_cents": pd.Series([each.cents for each in bookings], dtype="int64"),
            "late": pd.Series([each.late for each in bookings], dtype=bool),
        }
    )  # fmt: skip
    accrued = bill == "accrued"
    bills = pd.DataFrame({"site_id": ["S"], "status": ["final" if accrued else bill], "is_accrued": [accrued]})[
        : 1 if bill else 0
    ]
    frames = {"rows": rows, "power_lines": lines, "power_bills": bills}
    found = explain(power_case(MARCH, frames), POWER_CAUSES)
    assert found["cents"].sum() == variance
    said = ["cause", "cents", "explanation", "evidence"]
    return [*found[said].to_dict("records"), *late_power(MARCH, frames)[said].to_dict("records")]
