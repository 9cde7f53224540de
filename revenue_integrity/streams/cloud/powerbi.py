"""What the cloud stream says to a Power BI project: measures over its datasets, a page.

Belongs here: that declaration. Does not belong here: how a project is written (``serving.powerbi``).
"""

from revenue_integrity.model.powerbi import MONTHS, DaxMeasure, Page, PowerBi, Visual, added
from revenue_integrity.streams.cloud.recon import INVOICES, RECONCILIATIONS

_MONTH, _SUMMARY = "cloud_month", RECONCILIATIONS.summary.name
_TENANT, _SERVICE, _ACCOUNT = (_MONTH, "tenant_id"), (_MONTH, "service_name"), (_MONTH, "account_id")
_NOW = f"'{_SUMMARY}'[recon] = \"{INVOICES}\", '{_SUMMARY}'[view] = \"current\""

POWER_BI = PowerBi(
    references=(),
    measures=(
        DaxMeasure("Cloud cost", _MONTH, added(_MONTH, "total_cost"), "money", "What was billed for use."),
        DaxMeasure(
            "Effective cost", _MONTH, added(_MONTH, "effective_cost"), "money", "With discounts spread over what they are for."
        ),
        DaxMeasure("Billing events", _MONTH, added(_MONTH, "event_count"), "whole", "Events that count."),
        DaxMeasure(
            "Invoice variance",
            _SUMMARY,
            added(_SUMMARY, "variance_signed", _NOW),
            "money",
            "Invoices less what was billed for use.",
        ),
    ),
    pages=(
        Page(
            "Cloud cost",
            (
                *(
                    Visual("card", name, (name,))
                    for name in ("Cloud cost", "Effective cost", "Billing events", "Invoice variance")
                ),
                Visual("line", "Cost by month", ("Cloud cost", "Effective cost"), (MONTHS,)),
                Visual("bar", "Cost by service", ("Cloud cost",), (_SERVICE,)),
                Visual("donut", "Cost by tenant", ("Cloud cost",), (_TENANT,)),
                Visual("table", "Accounts", ("Cloud cost", "Effective cost", "Billing events"), (_ACCOUNT,)),
            ),
            slicer=_TENANT,
        ),
    ),
)
"""What the stream says to a Power BI project."""
