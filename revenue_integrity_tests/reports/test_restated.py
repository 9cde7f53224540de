"""What was restated, by batch, by customer and by document: sums by hand over four changes of two batches."""

import json
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity.model.report import Listing
from revenue_integrity.reports import page, restated
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.streams.colocation import report_rows
from revenue_integrity_tests.reports import sample
from revenue_integrity_tests.reports.test_page import parsed

_LINES, _BILLS = "colocation/erp_invoices/20250720T110000Z", "colocation/power_bills/20250721T110000Z"


def _change(dataset: str, measure: str, delta: int, *batches: str, **key: str) -> dict[str, Any]:
    return {
        "from_version": 1,
        "dataset": dataset,
        "key": json.dumps(key),
        "measure": measure,
        "old": Decimal(0),
        "new": Decimal(delta),
        "delta": Decimal(delta),
        "cause": "data",
        "batches": json.dumps(batches),
    }


def restated_month() -> PackData:
    """Return the sample month with four changes, and lines of which one came with a new batch."""
    changes = sample.frame(
        [
            _change("contract_month", "revenue_cents", 300, _LINES, customer_id="CU-1", contract_id="K-1"),
            _change("contract_month", "revenue_cents", -1_000, _LINES, customer_id="CU-3", contract_id="K-3"),
            _change("contract_month", "power_cost_cents", 50, _LINES, _BILLS, customer_id="CU-1", contract_id="K-1"),
            _change("close_bridge", "late_cents", 700, _LINES),
        ]
    )
    data = sample.signed()
    lines = sample.published(data).tables["invoice_lines"].assign(batch_id=["old", _LINES, "old"])
    tables = {**sample.published(data).tables, "invoice_lines": lines}
    return sample.changed(data, restatement=changes, tables=tables)


def _rows(data: PackData, listing: Listing) -> list[list[Any]]:
    frame = sample.published(data).rows(listing.rows)
    assert isinstance(frame, pd.DataFrame)
    first = next(name for name in ("batch", "shown") if name in frame)
    return frame[[first, "measure", "rows", "delta"]].to_numpy().tolist()


def test_changes_add_up_by_batch_and_by_the_customer_that_a_row_names() -> None:
    data = restated_month()
    by_batch, by_customer = (card.blocks[0] for card in restated.details(data.parts[0]))
    assert isinstance(by_batch, Listing)
    assert isinstance(by_customer, Listing)
    assert _rows(data, by_batch) == [
        [_LINES, "late_cents", 1, 700],
        [_LINES, "revenue_cents", 2, -700],
        [f"{_LINES}, {_BILLS}", "power_cost_cents", 1, 50],
    ]
    assert _rows(data, by_customer) == [
        [sample.FORMULA_NAME, "revenue_cents", 1, -1_000],
        ["Northwind Cloud", "power_cost_cents", 1, 50],
        ["Northwind Cloud", "revenue_cents", 1, 300],
    ]


def test_documents_are_those_that_came_with_a_new_batch() -> None:
    rows = report_rows.restated_documents(sample.published(restated_month()))
    assert rows is not None
    assert rows["document"].tolist() == ["CM-9 / 1"]


def test_a_page_shows_them_only_where_something_was_restated() -> None:
    assert "Restated by customer" in "".join(parsed(page.page(restated_month())).text)
    assert "Restated by customer" not in page.page(sample.signed())
