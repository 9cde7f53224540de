"""What would clear the differences between charges and invoices: invoices over what was charged.

Belongs here: which rows of which source clear which difference. Does not belong here: comparing (``recon``), writing files
(``serving.drafts``).

The provider alone can say which of both is wrong. A draft is the invoice that would tie: what to ask the provider
for where none came, and what a corrected one would say where both are there.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.exact import named_rows
from revenue_integrity.model.drafting import Corrections, Draft
from revenue_integrity.streams.cloud.recon import INVOICES, RESULTS
from revenue_integrity.streams.cloud.sources import CLOUD_INVOICES

_CENT = Decimal("0.01")


def drafted(month: date, now: datetime, frames: Mapping[str, pd.DataFrame], currency: str) -> Draft:
    """Return the invoices that would tie with what was charged, of those in breach; an invoice is in whole cents."""
    results = frames[RESULTS.name]
    breaches = results[(results["recon"] == INVOICES) & (results["status"] == "breach")]
    left: list[str] = []
    rows = list(_invoices(breaches, currency, left))
    columns = [column.name for column in CLOUD_INVOICES.columns]
    return Draft({CLOUD_INVOICES.name: pd.DataFrame(rows, columns=columns, dtype=object)}, tuple(left))


def _invoices(breaches: pd.DataFrame, currency: str, left: list[str]) -> Iterator[dict[str, Any]]:
    for row in named_rows(breaches):
        period = months.label(row.billing_period)
        if pd.isna(row.invoice_id):
            left.append(f"{row.provider} {period}: {row.variance_value.normalize():f} {currency}: {row.explanation}")
            continue
        if row.left_value == 0:
            # Such an invoice may as well be right, and its charges missing.
            left.append(f"{row.provider} {row.invoice_id}: drafted as cancelled, for nothing was charged: {row.explanation}")
        yield {
            "invoice_id": row.invoice_id,
            "provider": row.provider,
            "billing_period": period,
            "amount": Decimal(row.left_value).quantize(_CENT, ROUND_HALF_UP),
            "currency": currency,
        }


CORRECTIONS = Corrections((RESULTS,), drafted)
