"""The stream's months in one number each: for status, the index of close packs and alerts.

Belongs here: which numbers, from which dataset and how they add up. Does not belong here: the datasets (``schemas``), what else
a close pack shows (``report``).
"""

from revenue_integrity.model.stream import MonthFigure, variance_figures
from revenue_integrity.streams.sales.recon import BRIDGE, LEDGER, RECONCILIATIONS

TOTAL = MonthFigure("sales_cents", "Sales", "sales_kpis", ("total_cents",), in_summary=True)
YEAR_TO_DATE = MonthFigure("sales_year_to_date_cents", "Sales of the year", "sales_kpis", ("year_to_date_cents",))
HIGH_VALUE = MonthFigure("high_value_cents", "High-value sales", "sales_kpis", ("high_value_total_cents",))

STATUS = (
    TOTAL,
    *variance_figures(RECONCILIATIONS.summary.name, LEDGER),
    MonthFigure("late_cents", "Late", BRIDGE.name, ("late_cents",), in_summary=True),
)
"""What ``status`` says of a month: what was sold, and how far the ledger is from it."""
