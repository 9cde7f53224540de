"""What the corrections of sales name: the state before by the shop's own clock, whichever came first."""

import json
from datetime import date
from pathlib import Path

from revenue_integrity.landing.datasets import read_corrections
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.stream import SALES
from revenue_integrity_tests.cases import computed_case

SOLD = {"transaction_id": "T-1", "customer_id": "C-1", "product_name": "Desk", "quantity": 1, "date": "2024-03-05", "line_no": 1}


def test_an_older_state_that_comes_later_is_what_was_corrected(tmp_path: Path) -> None:
    settings = SalesSettings(home=tmp_path, first_month="2024-03", last_month="2024-03", threads=1)
    for arrival, price, changed in (("20240316T020000Z", 25, "11:00"), ("20240401T030000Z", 10, "10:00")):
        batch = settings.landing_path / "sales" / "transactions" / arrival
        batch.mkdir(parents=True)
        row = {**SOLD, "price": price, "updated_at": f"2024-03-05T{changed}:00Z"}
        (batch / "web.json").write_text(json.dumps([row]), encoding="utf-8")
    with computed_case(settings, SALES, "sales_lines") as connection:
        assert connection.execute("select total_cents from curated.sales_lines").fetchall() == [(2_500,)]
        (row,) = read_corrections(connection, "sales", [date(2024, 3, 1)]).to_dict("records")
    assert (row["batch_id"], row["earlier_batch_id"]) == (
        "sales/transactions/20240316T020000Z",
        "sales/transactions/20240401T030000Z",
    )
    changes = {each["column"]: (each["was"], each["now"]) for each in json.loads(row["differs"])}
    assert changes["price"] == ("10.000000", "25.000000")
