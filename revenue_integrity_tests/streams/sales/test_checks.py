"""What checks of sales find and list in a month in which much is wrong."""

import json
from datetime import date
from pathlib import Path

from revenue_integrity.model.check import Judgement
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.stream import SALES
from revenue_integrity_tests import cases
from revenue_integrity_tests.landing.test_shared_keys import _Reader

MARCH = date(2024, 3, 1)

SOLD = {"customer_id": "C-1", "product": {"name": "Desk"}, "category": "Office", "region": "North", "quantity": 1}


def transactions() -> list[dict[str, object]]:
    """Return sales of March: T-1 under one number twice, T-2 without a price, T-3 at half a percent off, which reads two ways."""
    return [
        {**SOLD, "transaction_id": "T-1", "line_no": 1, "price": 10, "date": "2024-03-15"},
        {**SOLD, "transaction_id": "T-1", "line_no": 1, "price": 25, "date": "2024-03-15"},
        {**SOLD, "transaction_id": "T-2", "line_no": 1, "date": "2024-03-16"},
        {**SOLD, "transaction_id": "T-3", "line_no": 1, "price": 8, "discount": "0.5%", "date": "03/04/2024"},
    ]


def judged(home: Path) -> dict[str, Judgement]:
    """Return what each check of the stream's own says of March."""
    settings = SalesSettings(home=home, first_month="2024-03", last_month="2024-03", threads=1)
    batch = settings.landing_path / "sales" / "transactions" / "20240401T060000Z"
    batch.mkdir(parents=True)
    (batch / "till.json").write_text(json.dumps(transactions()), encoding="utf-8")
    with cases.computed_case(settings, SALES) as connection:
        reader = _Reader(connection)
        own = {check.name: check for check in SALES.checks if check.table.name.startswith(("sales_", "fact_"))}
        return {name: check.judge(reader, MARCH, settings) for name, check in own.items()}


def test_what_is_wrong_with_receipts_prices_discounts_and_dates_is_found_and_listed(tmp_path: Path) -> None:
    found = judged(tmp_path)
    failed = {name for name, each in found.items() if not each.passed}
    assert failed >= {"receipts_are_told_apart", "transactions_are_valid", "customers_are_known", "discounts_are_plausible"}
    replaced = found["receipts_are_told_apart"].rows
    assert replaced is not None
    # The row of 10.00, in whose place the one of 25.00 stands.
    assert replaced[["transaction_id", "line_no", "cents"]].to_numpy().tolist() == [["T-1", 1, 1_000]]
    reasons = found["transactions_are_valid"].rows
    assert reasons is not None
    assert reasons["refused"].tolist() == [1]
    assert "price" in reasons["reason"].iloc[0]
    unknown = found["customers_are_known"].rows
    assert unknown is not None
    assert unknown["customer_id"].tolist() == ["C-1"]
