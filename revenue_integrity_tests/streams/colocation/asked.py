"""Asking the causes of one row without files and without a database: lines and charges in, what is said of them out.

Belongs here: one contract's racks of March 2025. Does not belong here: any expectation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from revenue_integrity.close.causes.explaining import explain
from revenue_integrity.model.reconciliation import CURRENT
from revenue_integrity.streams.colocation.causes.charges import CAUSES
from revenue_integrity.streams.colocation.causes.inputs import CHARGES, charge_case

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


def _empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})


def causes_of(lines: Sequence[Line], dues: Sequence[Due]) -> list[dict[str, Any]]:
    """Return cause, cents, explanation and evidence of what is said of lines, none where they add up to what is due."""
    variance = sum(each.cents for each in lines) - sum(each.cents for each in dues)
    if not variance:
        return []
    rows = pd.DataFrame(
        {
            "month": [MARCH], "recon": CHARGES, "view": CURRENT, "row_key": "K", "customer_id": "CU", "contract_id": "A",
            "site_id": None, "charge_type": "rack", "variance_cents": [variance], "status": "breach",
        }
    )  # fmt: skip
    posted = [pd.Timestamp("2025-04-01T00:00:00Z") + pd.Timedelta(days=day) for day in range(len(lines))]
    billed = pd.DataFrame(
        {
            "month": MARCH, "row_key": "K", "document_id": [each.name for each in lines], "line_no": 1,
            "is_credit": [each.is_credit for each in lines], "erp_customer_code": "E", "erp_contract_ref": "R",
            "micro_quantity": [each.quantity for each in lines], "micro_price": [each.price for each in lines],
            "amount_cents": [each.cents for each in lines], "posted_at": posted,
            "corrects_document_id": pd.Series([each.corrects for each in lines], dtype=object),
            "names_own_document": [each.corrects is not None for each in lines], "late": False,
        }
    )  # fmt: skip
    due = pd.DataFrame(
        {
            "row_key": "K", "version": 1, "segment_from": MARCH, "segment_to": MARCH + pd.offsets.MonthEnd(0),
            "micro_quantity": [each.quantity for each in dues], "micro_price": [each.price for each in dues],
            "amount_cents": [each.cents for each in dues], "micro_full_quantity": [each.quantity for each in dues],
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
    assert found["cents"].sum() == variance
    return found[["cause", "cents", "explanation", "evidence"]].to_dict("records")
