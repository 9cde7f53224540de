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
        [_LINES, "late", 1, 700],
        [_LINES, "revenue", 2, -700],
        [f"{_LINES}, {_BILLS}", "power_cost", 1, 50],
    ]
    assert _rows(data, by_customer) == [
        [sample.FORMULA_NAME, "revenue", 1, -1_000],
        ["Northwind Cloud", "power_cost", 1, 50],
        ["Northwind Cloud", "revenue", 1, 300],
    ]


def test_differences_of_a_reconciliation_count_for_the_customer_that_their_row_names_once_per_view() -> None:
    names = ("recon", "row_key", "view")

    def of(view: str, row: list[str | None]) -> dict[str, str]:
        return dict(zip(names, ("erp_vs_mart", json.dumps(row), view), strict=True))

    # Only ERP lines changed: no table of the mart names the customer, the row of the reconciliation does.
    row: list[str | None] = ["CU-1", "K-1", None, "other"]
    nobody: list[str | None] = [None, None, "S-1", "power"]
    changes = sample.frame(
        [
            _change("recon_results", "left_cents", 900, _LINES, **of("current", row)),
            _change("recon_results", "variance_cents", 900, _LINES, **of("current", row)),
            _change("recon_results", "variance_cents", 400, _LINES, **of("as_of_close", row)),
            _change("recon_results", "variance_cents", 7, _LINES, **of("current", nobody)),
        ]
    )
    data = sample.changed(sample.signed(), restatement=changes)
    by_batch, by_customer = (card.blocks[0] for card in restated.details(data.parts[0]))
    assert isinstance(by_customer, Listing)
    assert isinstance(by_batch, Listing)
    assert _rows(data, by_customer) == [
        ["Northwind Cloud", "left", 1, 900],
        ["Northwind Cloud", "variance", 1, 900],
        ["Northwind Cloud", "variance_as_of_close", 1, 400],
    ]
    # What is seen in both views is added up in neither with the other.
    assert _rows(data, by_batch) == [
        [_LINES, "left", 1, 900],
        [_LINES, "variance", 2, 907],
        [_LINES, "variance_as_of_close", 1, 400],
    ]


def test_documents_are_those_that_came_with_a_new_batch() -> None:
    rows = report_rows.restated_documents(sample.published(restated_month()))
    assert rows is not None
    assert rows["document"].tolist() == ["CM-9 / 1"]


def test_power_costs_are_listed_by_document_with_the_site_that_was_supplied() -> None:
    data = restated_month()
    booked = [("PC-1", 1, "accrual", "S-1", 5_000, "old"), ("PC-2", 3, "bill", "S-2", -9_900, _BILLS)]
    names = ("document_id", "line_no", "document_type", "site_id", "amount_cents", "batch_id")
    posted = {"posted_at": pd.Timestamp("2025-07-21T10:15:00Z"), "late": True}
    lines = sample.frame([dict(zip(names, each, strict=True)) | posted for each in booked])
    data = sample.changed(data, tables={**sample.published(data).tables, "power_cost_lines": lines})
    # A batch counts as new if it stands with any change, not only with those of the table that is listed.
    rows = report_rows.restated_power_costs(sample.published(data))
    assert rows is not None
    assert rows[["document", "site", "amount_cents"]].to_numpy().tolist() == [["PC-2 / 3", "Ashburn 2", -9_900]]
    shown = "".join(parsed(page.page(data)).text)
    assert "Power costs of new batches" in shown
    assert "PC-2 / 3" in shown
    late = report_rows.late_power_costs(sample.published(data))
    assert late is not None
    assert late["document"].tolist() == ["PC-1 / 1", "PC-2 / 3"]


def test_a_page_shows_them_only_where_something_was_restated() -> None:
    assert "Restated by customer" in "".join(parsed(page.page(restated_month())).text)
    assert "Restated by customer" not in page.page(sample.signed())
