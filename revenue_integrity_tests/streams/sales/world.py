"""The smallest delivery of a shop: one sale, for tests that need a month of sales and look at none of its figures.

Belongs here: that. Does not belong here: any expectation.
"""

import json

from revenue_integrity.settings import Settings


def land_a_sale(settings: Settings) -> None:
    """Land a sale of 2024-03-15 as a till sends it."""
    sold = {"product": {"name": "Desk"}, "category": "Office", "region": "North", "quantity": 1, "price": 10}
    sale = {**sold, "transaction_id": "T-1", "line_no": 1, "customer_id": "C-1", "date": "2024-03-15"}
    batch = settings.landing_path / "sales" / "transactions" / "20240401T060000Z"
    batch.mkdir(parents=True)
    (batch / "till.json").write_text(json.dumps([sale]), encoding="utf-8")
