"""The stream's months in one number each: for status, the index of close packs and alerts.

Belongs here: which numbers, from which dataset and how they add up. Does not belong here: the datasets (``schemas``), what else
a close pack shows (``report``).
"""

from revenue_integrity.model.stream import MonthFigure, variance_figures
from revenue_integrity.streams.colocation.recon import CHARGES

REVENUE = MonthFigure("revenue_cents", "Revenue", "contract_month", ("revenue_cents",), in_summary=True)
POWER_COST = MonthFigure("power_cost_cents", "Power cost", "contract_month", ("power_cost_cents",))
MARGIN = MonthFigure("margin_cents", "Margin", "contract_month", ("margin_cents",), in_summary=True)
LATE_CENTS = MonthFigure("late_cents", "Late", "close_bridge", ("late_cents",), in_summary=True)

STATUS = (
    REVENUE,
    MARGIN,
    MonthFigure("mrr_cents", "MRR", "contract_month", ("mrr_cents",)),
    *variance_figures("recon_summary", CHARGES),
    LATE_CENTS,
)
"""What ``status`` says of a month: variance is that of all postings, explained is its gross part that causes other than
``unexplained`` make up, late is signed."""
