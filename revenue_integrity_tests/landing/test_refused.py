"""Refused rows in the columns of their source: nested, flat, in a basket, of a CSV file, and of a batch refused whole."""

import json
from pathlib import Path

import pandas as pd
import pytest

from revenue_integrity.landing.datasets import read_quarantine
from revenue_integrity.model.dataset import Composed
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.stream import SALES
from revenue_integrity_tests.cases import computed_case

SOLD = {"transaction_id": "T-1", "customer_id": "C-1", "date": "2024-03-05", "region": "North"}
DESK = {"name": "Desk", "price": 12.50}

BATCHES = {
    "transactions/20240401T010000Z/a.json": json.dumps(
        [
            {**SOLD, "product": {"Name": "Lamp", "price": "$5"}, "quantity": 1, "discount": "7.5 %"},
            {
                **SOLD,
                "transaction_id": "T-2",
                "items": [{"product": DESK, "quantity": "12 oz"}, {"product": DESK, "quantity": 2}],
            },
        ]
    ),
    "transactions/20240401T020000Z/b.json": "[{]",
    "customers/20240401T010000Z/c.json": json.dumps(
        [{"customer_id": "C-9", "first_name": "Ann", "last_name": "Lee", "email": "ann", "loyalty_points": 12345678901234567890}]
    ),
    "products/20240401T010000Z/p.csv": "product_id,product_name,category,list_price\nP-1,Desk,Home,-1.50\n",
}

Refused = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Refused:
    settings = SalesSettings(home=tmp_path_factory.mktemp("home"), first_month="2024-03", last_month="2024-03", threads=1)
    for name, content in BATCHES.items():
        file: Path = settings.landing_path / "sales" / name
        file.parent.mkdir(parents=True)
        file.write_text(content, encoding="utf-8")
    with computed_case(settings, SALES, "sales_lines") as connection:
        quarantine = read_quarantine(connection, "sales")
    return {
        each.table.name: each.function(settings, quarantine=quarantine) for each in SALES.composed if isinstance(each, Composed)
    }


def test_rows_stand_in_the_columns_of_the_source_as_they_were_sent(refused: Refused) -> None:
    found = refused["invalid_transactions"]
    of_a = found[found["file_name"] == "a.json"]
    columns = ["row_number", "transaction_id", "line_no", "product_name", "price", "quantity", "discount", "sold_at", "region"]
    rows = [tuple(None if pd.isna(each) else each for each in row) for row in of_a[columns].itertuples(index=False, name=None)]
    assert rows == [
        (1, "T-1", None, "Lamp", "$5", "1", "7.5 %", "2024-03-05", "North"),
        (2, "T-2", "1", "Desk", "12.5", "12 oz", None, "2024-03-05", "North"),
        (3, "T-2", "2", "Desk", "12.5", "2", None, "2024-03-05", "North"),
    ]
    reasons = list(of_a["dq_errors"])
    assert "price" in reasons[0]
    assert "quantity" in reasons[1]
    assert "line" in reasons[2]


def test_a_batch_refused_whole_has_one_row_with_its_reason(refused: Refused) -> None:
    found = refused["invalid_transactions"]
    (row,) = found[found["batch_id"].str.endswith("T020000Z")].to_dict("records")
    assert pd.isna(row["row_number"])
    assert row["transaction_id"] is None or pd.isna(row["transaction_id"])
    assert "b.json" in row["dq_errors"]


def test_names_that_are_joined_and_numbers_of_any_length_stay_as_they_were(refused: Refused) -> None:
    (row,) = refused["invalid_customers"].to_dict("records")
    assert (row["customer_name"], row["loyalty_points"], row["email"]) == ("Ann Lee", "12345678901234567890", "ann")
    assert "email 'ann' is no address" in row["dq_errors"]


def test_products_are_there_too(refused: Refused) -> None:
    (row,) = refused["invalid_products"].to_dict("records")
    assert (row["product_id"], row["list_price"], row["dq_errors"]) == ("P-1", "-1.50", "list_price is negative")


def test_they_are_declared_column_by_column() -> None:
    for each in SALES.composed:
        assert isinstance(each, Composed)
        assert list(each.table.columns)[:3] == ["batch_id", "file_name", "row_number"]
        assert each.table.columns[-1] == "dq_errors"
