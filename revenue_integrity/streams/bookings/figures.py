"""The stream's months in one number each: for status, the index of close packs and alerts.

Belongs here: which numbers, from which dataset and how they add up. Does not belong here: the datasets (``schemas``), what else
a close pack shows (``report``).
"""

from revenue_integrity.model.stream import MonthFigure, variance_figures
from revenue_integrity.streams.bookings.recon import BRIDGE, RECOGNIZED, RECONCILIATIONS

REVENUE = MonthFigure("revenue_cents", "Revenue", "revenue_month", ("recognized_cents",), in_summary=True)
EXPECTED = MonthFigure("bookings_expected_cents", "Revenue due", "revenue_month", ("expected_cents",))
UNRECOGNIZED = MonthFigure("unrecognized_cents", "Unrecognized to date", "deal_month", ("unrecognized_cents",))
DEFERRED = MonthFigure("deferred_revenue_cents", "Deferred revenue", "deal_month", ("deferred_revenue_cents",))
REMAINING = MonthFigure("rpo_cents", "Remaining obligations", "deal_month", ("rpo_cents",))
RECURRING = MonthFigure("bookings_mrr_cents", "MRR of deals", "recurring_summary", ("closing_cents",))

STATUS = (
    REVENUE,
    EXPECTED,
    *variance_figures(RECONCILIATIONS.summary.name, RECOGNIZED),
    MonthFigure("late_cents", "Late", BRIDGE.name, ("late_cents",), in_summary=True),
    UNRECOGNIZED,
    DEFERRED,
)
"""What ``status`` says of a month: revenue is what accounting recognized, variance that of all postings against what was due."""
