"""The stream's months in one number each: for status, the index of close packs and alerts.

Belongs here: which numbers, from which dataset and how they add up. Does not belong here: the datasets (``schemas``), what else
a close pack shows (``report``).
"""

from revenue_integrity.model.reconciliation import CURRENT
from revenue_integrity.model.stream import MonthFigure
from revenue_integrity.streams.bookings.recon import BRIDGE, RECOGNIZED, RECONCILIATIONS

REVENUE = MonthFigure("revenue_cents", "Revenue", "revenue_month", ("recognized_cents",), in_summary=True)
EXPECTED = MonthFigure("bookings_expected_cents", "Revenue due", "revenue_month", ("expected_cents",))
UNRECOGNIZED = MonthFigure("unrecognized_cents", "Unrecognized to date", "deal_month", ("unrecognized_cents",))
DEFERRED = MonthFigure("deferred_revenue_cents", "Deferred revenue", "deal_month", ("deferred_revenue_cents",))
REMAINING = MonthFigure("rpo_cents", "Remaining obligations", "deal_month", ("rpo_cents",))
RECURRING = MonthFigure("bookings_mrr_cents", "MRR of deals", "recurring_summary", ("closing_cents",))

_SUMMARY = RECONCILIATIONS.summary.name
_NOW = {"recon": RECOGNIZED, "view": CURRENT}

STATUS = (
    REVENUE,
    EXPECTED,
    MonthFigure("variance_cents", "Variance", _SUMMARY, ("variance_signed",), only=_NOW, in_summary=True),
    MonthFigure("variance_gross_cents", "Gross variance", _SUMMARY, ("variance_gross",), only=_NOW, is_variance=True),
    MonthFigure(
        "explained_cents",
        "Explained",
        _SUMMARY,
        ("timing_gross_cents", "at_risk_gross_cents"),
        less=("unexplained_cents",),
        only=_NOW,
    ),
    MonthFigure("unexplained_cents", "Unexplained", _SUMMARY, ("unexplained_cents",), only=_NOW, in_summary=True),
    MonthFigure("late_cents", "Late", BRIDGE.name, ("late_cents",), in_summary=True),
    UNRECOGNIZED,
    DEFERRED,
)
"""What ``status`` says of a month: revenue is what accounting recognized, variance that of all postings against what was due."""
