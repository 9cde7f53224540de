"""What the bookings stream says to a Power BI project: measures over its datasets, a page.

Belongs here: that declaration. Does not belong here: how a project is written (``serving.powerbi``).
"""

from revenue_integrity.model.powerbi import MONTHS, DaxMeasure, Page, PowerBi, Visual, added, latest, variance_measures
from revenue_integrity.streams.bookings.recon import RECOGNIZED, RECONCILIATIONS

_REVENUE, _DEAL = "revenue_month", "deal_month"
_SEGMENT, _TYPE = (_REVENUE, "segment"), (_REVENUE, "revenue_type")

POWER_BI = PowerBi(
    references=(),
    measures=(
        DaxMeasure("Expected revenue", _REVENUE, added(_REVENUE, "expected_cents"), "money", "What the schedule asks for."),
        DaxMeasure("Recognized revenue", _REVENUE, added(_REVENUE, "recognized_cents"), "money", "What the books recognized."),
        DaxMeasure("Billed", _DEAL, added(_DEAL, "billed_cents"), "money", "What was billed."),
        DaxMeasure(
            "Deferred revenue", _DEAL, latest(_DEAL, "deferred_revenue_cents"), "money", "Billed and not recognized, at the end."
        ),
        DaxMeasure("RPO", _DEAL, latest(_DEAL, "rpo_cents"), "money", "Remaining performance obligations at the end."),
        DaxMeasure(
            "Bookings MRR",
            "recurring_summary",
            latest("recurring_summary", "closing_cents"),
            "money",
            "Monthly recurring revenue of deals at the end.",
        ),
        *variance_measures("Recognition", RECONCILIATIONS.summary.name, RECOGNIZED),
    ),
    pages=(
        Page(
            "Bookings & Revenue",
            (
                *(
                    Visual("card", name, (name,))
                    for name in ("Recognized revenue", "Bookings MRR", "Deferred revenue", "RPO", "Recognition variance")
                ),
                Visual("card", "Recognition explained %", ("Recognition explained %",)),
                Visual("line", "Expected and recognized by month", ("Expected revenue", "Recognized revenue"), (MONTHS,)),
                Visual("bar", "Recognized by segment", ("Recognized revenue",), (_SEGMENT,)),
                Visual("donut", "Recognized by type", ("Recognized revenue",), (_TYPE,)),
                Visual("table", "Deals", ("Billed",), ((_DEAL, "deal_id"),)),
            ),
            slicer=_SEGMENT,
        ),
    ),
)
"""What the stream says to a Power BI project."""
