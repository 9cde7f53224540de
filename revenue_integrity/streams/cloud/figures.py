"""The stream's months in one number each: for status, the index of close packs and alerts.

Belongs here: which numbers, from which dataset and how they add up. Does not belong here: the datasets (``schemas``), what else
a close pack shows (``report``).
"""

from revenue_integrity.model.stream import MonthFigure
from revenue_integrity.streams.cloud.recon import INVOICES

COST = MonthFigure("cloud_cost", "Cloud cost", "cloud_month", ("total_cost",), unit="currency", in_summary=True)
VARIANCE = MonthFigure(
    "invoice_variance",
    "Charges less invoices",
    "cloud_recon_summary",
    ("variance_signed",),
    only={"recon": INVOICES},
    unit="currency",
    is_variance=True,
)
