"""Daily cost as a FOCUS 1.2 file: what other FinOps tools read, and our own ``focus`` source too.

Belongs here: which column of the standard says what of ours. Does not belong here: reading what is published, printing.

The grain is ``account_service_day``: a tenant is the billing account, an account the sub account, a day the charge period.
At this grain nothing is known of list or negotiated prices, so list and contracted cost equal the billed one, as the standard
says for charges without a unit price; providers have been added up, so one configured name stands for all.
"""

from decimal import Decimal

import pandas as pd
import pandera.pandas as pa

from revenue_integrity.model import table as column
from revenue_integrity.model.dataset import Composed
from revenue_integrity.model.table import table
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.settings import CloudSettings
from revenue_integrity.streams.cloud.sources import STREAM

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

_SAID = {
    "BilledCost": "Cost of the day (`total_cost`), exact.",
    "BillingAccountId": "The tenant.",
    "BillingAccountName": "The tenant.",
    "BillingAccountType": "Always Tenant.",
    "BillingCurrency": "Currency of the deployment.",
    "BillingPeriodEnd": "First instant of the next month (UTC).",
    "BillingPeriodStart": "First instant of the month (UTC).",
    "ChargeCategory": "Always Usage.",
    "ChargeClass": "Always empty: corrections are in the cost.",
    "ChargeDescription": "Names the service.",
    "ChargePeriodEnd": "First instant of the next day (UTC).",
    "ChargePeriodStart": "First instant of the day (UTC).",
    "ContractedCost": "Equals BilledCost: no negotiated price is known.",
    "EffectiveCost": "Amortised cost (`effective_cost`), BilledCost where there is none.",
    "InvoiceIssuerName": "The setting focus_provider_name.",
    "ListCost": "Equals BilledCost: no list price is known.",
    "PricingQuantity": "Events and charge rows that count.",
    "PricingUnit": "Always Events.",
    "ProviderName": "The setting focus_provider_name.",
    "PublisherName": "The setting focus_provider_name.",
    "ServiceCategory": "Category of the service where it is one of the standard's, else Other.",
    "ServiceName": "The service.",
    "SubAccountId": "The account.",
    "SubAccountName": "Name of the account; empty where the look-up lacks it.",
    "SubAccountType": "Always Account.",
}
"""The mandatory columns of FOCUS 1.2, and of the conditional ones those that sub accounts ask for, with what they say of ours."""

COLUMNS = tuple(_SAID)


def _column(name: str) -> pa.Column:
    if name.endswith("Cost"):
        return schemas.cost(name, _SAID[name])
    if name == "PricingQuantity":
        return column.integer(name, _SAID[name], unit="rows", ge=1)
    return column.text(name, _SAID[name], null=name in ("ChargeClass", "SubAccountName"))


FOCUS_1_2 = table(
    STREAM,
    "mart",
    "focus_1_2",
    "Daily cost as a FOCUS 1.2 file, one row per row of `account_service_day`; land it as `focus` elsewhere.",
    ("BillingAccountId", "SubAccountId", "ServiceName", "ChargePeriodStart"),
    [_column(name) for name in COLUMNS],
    partition="",
)

_KEY = ["month", "tenant_id", "account_id", "service_name"]

_UNKNOWN = "unknown"
"""What a look-up says of a name that it lacks."""


def focus_1_2(settings: CloudSettings, *, account_service_day: pd.DataFrame, cloud_month: pd.DataFrame | None) -> pd.DataFrame:
    """Return rows of ``account_service_day`` as FOCUS 1.2: one row each, in their order; costs exact, in the currency's units.

    Names come from the rows of ``cloud_month`` of the same months; where there are none, account names stay empty, and every
    category is ``Other``.
    """
    days, names = account_service_day, cloud_month
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


EXPORTED = Composed(
    FOCUS_1_2,
    focus_1_2,
    (schemas.ACCOUNT_SERVICE_DAY,),
    if_published=(schemas.CLOUD_MONTH,),
    settings=("currency", "focus_provider_name"),
)
