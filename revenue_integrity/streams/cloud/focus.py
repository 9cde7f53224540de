"""Daily cost as a FOCUS 1.2 file: what other FinOps tools read, and our own ``focus`` source too.

Belongs here: which column of the standard says what of ours. Does not belong here: reading what is published, printing.

The grain is ``account_service_day``: a tenant is the billing account, an account the sub account, a day the charge period.
At this grain nothing is known of list or negotiated prices, so list and contracted cost equal the billed one, as the standard
says for charges without a unit price; providers have been added up, so one configured name stands for all.
"""

from decimal import Decimal

import pandas as pd

from revenue_integrity.streams.cloud.settings import CloudSettings

SERVICE_CATEGORIES = (
    "AI and Machine Learning",
    "Analytics",
    "Business Applications",
    "Compute",
    "Databases",
    "Developer Tools",
    "Identity",
    "Integration",
    "Internet of Things",
    "Management and Governance",
    "Media",
    "Migration",
    "Mobile",
    "Multicloud",
    "Networking",
    "Security",
    "Storage",
    "Web",
)
"""Service categories that FOCUS 1.2 allows; everything else is ``Other``."""

COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
)
"""The mandatory columns of FOCUS 1.2, and of the conditional ones those that sub accounts ask for."""

_KEY = ["month", "tenant_id", "account_id", "service_name"]

_UNKNOWN = "unknown"
"""What a look-up says of a name that it lacks."""


def focus_1_2(days: pd.DataFrame, names: pd.DataFrame | None, settings: CloudSettings) -> pd.DataFrame:
    """Return rows of ``account_service_day`` as FOCUS 1.2: one row each, in their order; costs exact, in the currency's units.

    ``names`` are the rows of ``cloud_month`` of the same months, ``None`` where there are none: account names stay empty then,
    and every category is ``Other``.
    """
    known = [*_KEY, "account_name", "service_category"]
    named = pd.DataFrame(columns=known) if names is None else names[known]
    rows = days.merge(named.astype(object), on=_KEY, how="left") if named.empty else days.merge(named, on=_KEY, how="left")
    categories = {category.lower(): category for category in SERVICE_CATEGORIES}
    effective = rows["effective_cost"].astype(object)
    months = pd.to_datetime(rows["month"])
    billed = rows["total_cost"]
    provider = settings.focus_provider_name
    return pd.DataFrame(
        {
            "BilledCost": billed,
            "BillingAccountId": rows["tenant_id"],
            "BillingAccountName": rows["tenant_id"],
            "BillingAccountType": "Tenant",
            "BillingCurrency": settings.currency,
            "BillingPeriodEnd": _instants(months + pd.offsets.MonthBegin(1)),
            "BillingPeriodStart": _instants(months),
            "ChargeCategory": "Usage",
            "ChargeClass": None,
            "ChargeDescription": "Cost of the day: " + rows["service_name"],
            "ChargePeriodEnd": _instants(pd.to_datetime(rows["usage_date"]) + pd.Timedelta(days=1)),
            "ChargePeriodStart": _instants(pd.to_datetime(rows["usage_date"])),
            "ContractedCost": billed,
            "EffectiveCost": effective.where(effective.notna(), billed),
            "InvoiceIssuerName": provider,
            "ListCost": billed,
            "PricingQuantity": rows["event_count"].map(Decimal).astype(object),
            "PricingUnit": "Events",
            "ProviderName": provider,
            "PublisherName": provider,
            "ServiceCategory": rows["service_category"].astype(object).str.lower().map(categories).fillna("Other"),
            "ServiceName": rows["service_name"],
            "SubAccountId": rows["account_id"],
            "SubAccountName": rows["account_name"].map(lambda name: None if name == _UNKNOWN else name),
            "SubAccountType": "Account",
        },
        columns=list(COLUMNS),
    )


def _instants(days: pd.Series) -> pd.Series:
    """Return midnights (UTC) as the standard writes instants."""
    return days.dt.strftime("%Y-%m-%dT00:00:00Z").astype(object)
