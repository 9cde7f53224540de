"""What the colocation stream says to a Power BI project: measures over its datasets, a page.

Belongs here: that declaration. Does not belong here: how a project is written (``serving.powerbi``).
"""

from revenue_integrity.model.powerbi import MONTHS, DaxMeasure, Page, PowerBi, Visual, added, latest, variance_measures
from revenue_integrity.streams.colocation.recon import RECONCILIATIONS

_MONTH = "contract_month"
_SITE, _CUSTOMER = (_MONTH, "site_id"), (_MONTH, "customer_id")
_SUMMARY = RECONCILIATIONS.summary.name

POWER_BI = PowerBi(
    references=(),
    measures=(
        DaxMeasure("Total revenue", _MONTH, added(_MONTH, "revenue_cents"), "money", "What contracts and meters ask for."),
        DaxMeasure("Power cost", _MONTH, added(_MONTH, "power_cost_cents"), "money", "Power of the utilities, by contract."),
        DaxMeasure("Margin", _MONTH, added(_MONTH, "margin_cents"), "money", "Revenue less allocated power."),
        DaxMeasure("Gross margin %", _MONTH, "DIVIDE([Margin], [Total revenue])", "share", "Share of revenue that power leaves."),
        DaxMeasure(
            "MRR", "mrr_summary", latest("mrr_summary", "closing_cents"), "money", "Monthly recurring revenue at the end."
        ),
        *variance_measures("ERP", _SUMMARY, "erp_vs_mart"),
        *variance_measures("Power", _SUMMARY, "erp_vs_allocated_power"),
    ),
    pages=(
        Page(
            "Revenue & Margin Overview",
            (
                *(
                    Visual("card", name, (name,))
                    for name in ("Total revenue", "MRR", "Margin", "Gross margin %", "ERP variance", "ERP explained %")
                ),
                Visual("line", "Revenue and power by month", ("Total revenue", "Power cost"), (MONTHS,)),
                Visual("bar", "Margin by site", ("Margin",), (_SITE,)),
                Visual("donut", "Revenue by site", ("Total revenue",), (_SITE,)),
                Visual("table", "Customers", ("Total revenue", "Power cost", "Margin", "Gross margin %"), (_CUSTOMER,)),
            ),
            slicer=_SITE,
        ),
    ),
)
"""What the stream says to a Power BI project."""
