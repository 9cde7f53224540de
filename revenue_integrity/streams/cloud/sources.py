"""What arrives in the cloud stream: billing events, FOCUS exports and additions to them, invoices, look-ups.

Belongs here: the declarations of 30-cloud, *Sources*. Does not belong here: how rows become events that count (``curated``),
reading files (``landing``).
"""

from dataclasses import replace
from functools import partial

from revenue_integrity.model.events import Breakdown, BySetting, EventLog, Events
from revenue_integrity.model.source import Source, SourceColumn, Versions

STREAM = "cloud"

DEFAULT_TENANT = "DEFAULT"
"""The tenant of what names none (identifiers are upper-cased)."""

UNKNOWN = "UNKNOWN"
"""Account, service, provider of what names none."""

PRICING_MODELS = ("on_demand", "reserved", "spot", "other")

_column = SourceColumn
_cost = partial(SourceColumn, kind="dec", places=18, digits=38, unit="currency units")

_EVENT_ID = _column("event_id", "id", "The event; unique within its tenant.")
_TENANT = _column("tenant_id", "id", "The tenant.", default=DEFAULT_TENANT)
_ACCOUNT = _column("account_id", "id", "The account that is charged.")
_SERVICE = _column("service_name", "text", "The service that was used.")
_REGION = _column("region", "text", "Where it was used.", required=False)
_PRICING_MODEL = _column("pricing_model", "enum", "How it is priced.", values=PRICING_MODELS)
_USAGE_DATE = _column("usage_date", "date", "Day of the usage (UTC).")
_COST = _cost("cost", description="What it costs.", ge=0, sign_setting="billing_events_cost_sign")
_CURRENCY = _column("currency", "currency", "Its currency.")
_INGESTED_AT = _column("ingested_at", "ts", "When the sending system took it in; the latest version by it wins.")
_IS_DELETED = _column("is_deleted", "bool", "Whether the event is withdrawn.", required=False)

_unless_deleted = partial(replace, unless=_IS_DELETED.stored)
"""Who withdraws an event need not repeat it."""

_of_focus = partial(SourceColumn, kind="text", required=False)

EVENTS = EventLog(
    STREAM,
    "events",
    (
        _TENANT,
        replace(_EVENT_ID, description="The event; empty for FOCUS rows, which have no id.", required=False),
        replace(_ACCOUNT, description="The account; UNKNOWN for what names none."),
        replace(_SERVICE, description="The service; UNKNOWN for what names none."),
        replace(_REGION, description="The region."),
        _PRICING_MODEL,
        _USAGE_DATE,
        replace(_COST, description="What it costs (FOCUS: BilledCost).", ge=None, sign_setting=""),
        _cost("effective_cost", description="Amortised cost (FOCUS); empty for billing events.", required=False),
        _CURRENCY,
        _of_focus("provider", description="The provider (FOCUS)."),
        _of_focus("billing_account_id", description="The account that the provider bills (FOCUS)."),
        _column("billing_period", "date", "First day of the billing period (FOCUS).", required=False),
        _of_focus("charge_category", description="Usage, purchase, tax, credit, adjustment (FOCUS)."),
        _of_focus("charge_class", description="Whether it corrects an earlier period (FOCUS)."),
        _of_focus("invoice_id", description="The invoice that carries it (FOCUS)."),
        _of_focus("resource_id", description="The resource that was used (FOCUS)."),
        replace(_INGESTED_AT, description="When the sending system took the event in.", required=False),
        _IS_DELETED,
        _of_focus("scope", description="Provider, billing account and period (FOCUS): what a delivery replaces."),
    ),
    day="usage_date",
    measures=("cost", "effective_cost"),
    key=("tenant_id", "event_id"),
    apart=("tenant_id",),
    versions=Versions(order=("ingested_at",)),
    ends="is_deleted",
    attributes=("account_id", "service_name", "region", "pricing_model"),
    scope="scope",
    breakdowns=(Breakdown("invoices", ("provider", "billing_period", "invoice_id"), month="billing_period"),),
    lookback="cloud_lookback_days",
)
"""Events and charges of all three sources: costs of a usage day."""

BILLING_EVENTS = Source(
    STREAM,
    "billing_events",
    "Billing events as the providers' meters send them, one row per version of an event; the latest ingestion wins.",
    (
        _EVENT_ID,
        _TENANT,
        _ACCOUNT,
        _unless_deleted(_SERVICE),
        _REGION,
        _unless_deleted(_PRICING_MODEL),
        _unless_deleted(_USAGE_DATE),
        _unless_deleted(_COST),
        _unless_deleted(_CURRENCY),
        _INGESTED_AT,
        _IS_DELETED,
    ),
    EVENTS.key,
    versions=EVENTS.versions,
    month_of=EVENTS.day,
    events=Events(EVENTS, columns={"is_deleted": "coalesce(is_deleted, false)"}),
    optional=True,
    bare=True,
)

_FOCUS_COLUMNS = (
    _cost(
        "billedcost",
        description="What the provider bills.",
        held_as="cost",
        also_called=(
            "lineItem/UnblendedCost",
            "line_item_unblended_cost",
            "costInBillingCurrency",
            "PreTaxCost",
            "cost/myCost",
        ),
    ),
    _cost(
        "effectivecost",
        description="Amortised cost; carried, never mixed with the billed one.",
        required=False,
        held_as="effective_cost",
        also_called=("reservation/EffectiveCost", "lineItem/NetUnblendedCost"),
    ),
    _column(
        "billingperiodstart",
        "ts",
        "Begin of the billing period.",
        held_as="billing_period_start",
        utc=True,
        also_called=("bill/BillingPeriodStartDate", "bill_billing_period_start_date", "billingPeriodStartDate"),
    ),
    _column(
        "chargeperiodstart",
        "ts",
        "Begin of the charge; its UTC day is the usage day.",
        held_as="charge_period_start",
        utc=True,
        also_called=(
            "lineItem/UsageStartDate",
            "line_item_usage_start_date",
            "date",
            "UsageDate",
            "usage_start_time",
            "lineItem/intervalUsageStart",
        ),
    ),
    _column(
        "providername",
        "text",
        "Provider (FOCUS 1.0 to 1.2).",
        required=False,
        held_as="provider_name",
        also_called=("provider", "bill/BillingEntity", "bill_billing_entity"),
    ),
    _column("serviceprovidername", "text", "Provider (FOCUS 1.3).", required=False, held_as="service_provider_name"),
    _column("publishername", "text", "Publisher, where no provider is named.", required=False, held_as="publisher_name"),
    _column(
        "billingaccountid",
        "id",
        "Account that the provider bills.",
        required=False,
        held_as="billing_account_id",
        also_called=("bill/PayerAccountId", "bill_payer_account_id", "billing_account_id", "lineItem/tenantId"),
    ),
    _column(
        "subaccountid",
        "id",
        "Account inside it.",
        required=False,
        held_as="sub_account_id",
        also_called=(
            "lineItem/UsageAccountId",
            "line_item_usage_account_id",
            "subscriptionId",
            "SubscriptionGuid",
            "project.id",
            "product/compartmentId",
        ),
    ),
    _column(
        "servicename",
        "text",
        "The service.",
        required=False,
        held_as="service_name",
        also_called=(
            "product/ProductName",
            "product_product_name",
            "lineItem/ProductCode",
            "line_item_product_code",
            "meterCategory",
            "service.description",
            "product/service",
        ),
    ),
    _column(
        "regionid",
        "text",
        "The region.",
        required=False,
        held_as="region",
        also_called=("product/region", "product_region", "product/regionCode", "resourceLocation", "location.region"),
    ),
    _column(
        "pricingcategory",
        "enum",
        "How it is priced: Standard, Committed, Dynamic, or anything else.",
        required=False,
        values=PRICING_MODELS,
        held_as="pricing_model",
        also_called=("pricing/term", "pricing_term", "pricingModel"),
        aliases=(("standard", "on_demand"), ("committed", "reserved"), ("dynamic", "spot")),
    ),
    _column(
        "resourceid",
        "text",
        "The resource that was used.",
        required=False,
        held_as="resource_id",
        also_called=("lineItem/ResourceId", "line_item_resource_id", "product/resourceId"),
    ),
    _column(
        "chargecategory",
        "text",
        "Usage, purchase, tax, credit, adjustment.",
        required=False,
        held_as="charge_category",
        also_called=("lineItem/LineItemType", "line_item_line_item_type", "chargeType"),
    ),
    _column("chargeclass", "text", "Whether it corrects an earlier period.", required=False, held_as="charge_class"),
    _column(
        "invoiceid",
        "id",
        "The invoice that carries it.",
        required=False,
        held_as="invoice_id",
        also_called=("bill/InvoiceId", "bill_invoice_id"),
    ),
    _column(
        "billingcurrency",
        "currency",
        "Its currency.",
        required=False,
        held_as="currency",
        also_called=("lineItem/CurrencyCode", "line_item_currency_code", "cost/currencyCode", "BillingCurrencyCode"),
    ),
)

_PROVIDER = "coalesce(provider_name, service_provider_name, publisher_name)"

_SCOPE = (_PROVIDER, "billing_account_id", "billing_period_start")
"""What a delivery replaces; of a row that lacks one of them the scope is unknown, and it replaces nothing."""

_focus = partial(
    Source,
    STREAM,
    columns=_FOCUS_COLUMNS,
    key=("charge_period_start",),
    month_of="charge_period_start",
    nulls=("NULL", "(null)", "null"),
    optional=True,
    bare=True,
)

_fills = partial(
    Events,
    EVENTS,
    columns={
        "tenant_id": BySetting("tenant_of_billing_account", "billing_account_id", DEFAULT_TENANT),
        "account_id": f"coalesce(sub_account_id, billing_account_id, '{UNKNOWN}')",
        "service_name": f"coalesce(service_name, '{UNKNOWN}')",
        "usage_date": "cast(charge_period_start as date)",
        "currency": "coalesce(currency, '{currency}')",
        "is_deleted": "false",
        "provider": _PROVIDER,
        "billing_period": "cast(date_trunc('month', billing_period_start) as date)",
        "scope": (
            f"case when {' is not null and '.join(_SCOPE)} is not null then"
            f" cast(to_json([lower({_SCOPE[0]}), {_SCOPE[1]}, cast({_SCOPE[2]} as varchar)]) as varchar) end"
        ),
    },
)

FOCUS = _focus(
    name="focus",
    description="FOCUS 1.0 to 1.3 exports, one row per charge; a delivery replaces all that came before of its scope.",
    events=_fills(delivery="overwrite_scope"),
)

FOCUS_DELTA = _focus(
    name="focus_delta",
    description="FOCUS rows that are added to what stands: corrections, late charges; one row per charge.",
    events=_fills(delivery="append_rows"),
)

CLOUD_INVOICES = Source(
    STREAM,
    "cloud_invoices",
    "Invoices of the cloud providers, one row per invoice.",
    (
        _column("invoice_id", "id", "The invoice."),
        _column("provider", "text", "The provider that issued it.", caseless=True),
        _column("billing_period", "month", "Month that it bills."),
        _cost("amount", description="Its amount."),
        _column("currency", "currency", "Its currency."),
    ),
    ("provider", "invoice_id"),
    optional=True,
    bare=True,
    refused_in_month=False,
)

_present = "true"
"""Look-ups have no validity: their present rows matter to every month."""

ACCOUNTS = Source(
    STREAM,
    "accounts",
    "Accounts and who answers for them, one row per account; the latest row counts.",
    (
        _column("account_id", "id", "The account."),
        _column("tenant_id", "id", "Its tenant.", default=DEFAULT_TENANT),
        _column("account_name", "text", "Its name.", required=False),
        _column("billing_owner", "text", "Who answers for its cost.", required=False),
    ),
    ("tenant_id", "account_id"),
    matters=_present,
    optional=True,
    bare=True,
)

SERVICES = Source(
    STREAM,
    "services",
    "Services and their category, one row per service.",
    (
        _column("service_name", "text", "The service."),
        _column("service_category", "text", "Its category."),
    ),
    ("service_name",),
    matters=_present,
    optional=True,
    bare=True,
)

REGIONS = Source(
    STREAM,
    "regions",
    "Regions and their names, one row per region.",
    (
        _column("region", "text", "The region."),
        _column("region_name", "text", "Its name."),
    ),
    ("region",),
    matters=_present,
    optional=True,
    bare=True,
)

PRICING = Source(
    STREAM,
    "pricing_models",
    "Pricing models and what they mean, one row per model.",
    (
        _column("pricing_model", "enum", "The model.", values=PRICING_MODELS),
        _column("description", "text", "What it means."),
    ),
    ("pricing_model",),
    matters=_present,
    optional=True,
    bare=True,
)

EVENT_SOURCES = (BILLING_EVENTS, FOCUS, FOCUS_DELTA)
"""The sources whose rows are costs of a usage day."""

SOURCES = (ACCOUNTS, SERVICES, REGIONS, PRICING, CLOUD_INVOICES, *EVENT_SOURCES)
"""All sources of the stream."""
