"""What arrives in the cloud stream: billing events, FOCUS exports and additions to them, invoices, look-ups.

Belongs here: the declarations of 30-cloud, *Sources*. Does not belong here: how rows become events that count (``curated``),
reading files (``landing``).
"""

from functools import partial

from revenue_integrity.model.source import Source, SourceColumn

STREAM = "cloud"

DEFAULT_TENANT = "DEFAULT"
"""The tenant of what names none (identifiers are upper-cased)."""

UNKNOWN = "UNKNOWN"
"""Account, service, provider of what names none."""

PRICING_MODELS = ("on_demand", "reserved", "spot", "other")

_column = SourceColumn
_cost = partial(SourceColumn, kind="dec", places=12, digits=38, unit="currency units")

BILLING_EVENTS = Source(
    STREAM,
    "billing_events",
    "Billing events as the providers' meters send them, one row per version of an event; the latest ingestion wins.",
    (
        _column("event_id", "id", "The event; unique within its tenant."),
        _column("tenant_id", "id", "The tenant.", default=DEFAULT_TENANT),
        _column("account_id", "id", "The account that is charged."),
        _column("service_name", "text", "The service that was used."),
        _column("region", "text", "Where it was used.", required=False),
        _column("pricing_model", "enum", "How it is priced.", values=PRICING_MODELS),
        _column("usage_date", "date", "Day of the usage (UTC)."),
        _cost("cost", description="What it costs.", ge=0, sign_setting="billing_events_cost_sign"),
        _column("currency", "currency", "Its currency."),
        _column("ingested_at", "ts", "When the sending system took it in; the latest version by it wins."),
        _column("is_deleted", "bool", "Whether the event is withdrawn.", required=False),
    ),
    ("tenant_id", "event_id"),
    month_of="usage_date",
    delivery="append_events",
    facts={
        "tenant_id": "tenant_id",
        "event_id": "event_id",
        "account_id": "account_id",
        "service_name": "service_name",
        "region": "region",
        "pricing_model": "pricing_model",
        "usage_date": "usage_date",
        "cost": "cost",
        "currency": "currency",
        "ingested_at": "ingested_at",
        "is_deleted": "coalesce(is_deleted, false)",
    },
    optional=True,
    bare=True,
)

_FOCUS_COLUMNS = (
    _cost("billedcost", description="What the provider bills.", held_as="cost"),
    _cost(
        "effectivecost",
        description="Amortised cost; carried, never mixed with the billed one.",
        required=False,
        held_as="effective_cost",
    ),
    _column("billingperiodstart", "ts", "Begin of the billing period.", held_as="billing_period_start", utc=True),
    _column(
        "chargeperiodstart", "ts", "Begin of the charge; its UTC day is the usage day.", held_as="charge_period_start", utc=True
    ),
    _column("providername", "text", "Provider (FOCUS 1.0 to 1.2).", required=False, held_as="provider_name"),
    _column("serviceprovidername", "text", "Provider (FOCUS 1.3).", required=False, held_as="service_provider_name"),
    _column("publishername", "text", "Publisher, where no provider is named.", required=False, held_as="publisher_name"),
    _column("billingaccountid", "id", "Account that the provider bills.", required=False, held_as="billing_account_id"),
    _column("subaccountid", "id", "Account inside it.", required=False, held_as="sub_account_id"),
    _column("servicename", "text", "The service.", required=False, held_as="service_name"),
    _column("regionid", "text", "The region.", required=False, held_as="region"),
    _column(
        "pricingcategory",
        "enum",
        "How it is priced: Standard, Committed, Dynamic, or anything else.",
        required=False,
        values=PRICING_MODELS,
        held_as="pricing_model",
        aliases=(("standard", "on_demand"), ("committed", "reserved"), ("dynamic", "spot")),
    ),
    _column("resourceid", "text", "The resource that was used.", required=False, held_as="resource_id"),
    _column("chargecategory", "text", "Usage, purchase, tax, credit, adjustment.", required=False, held_as="charge_category"),
    _column("chargeclass", "text", "Whether it corrects an earlier period.", required=False, held_as="charge_class"),
    _column("invoiceid", "text", "The invoice that carries it.", required=False, held_as="invoice_id"),
    _column("billingcurrency", "currency", "Its currency.", required=False, held_as="currency"),
)

_PROVIDER = f"coalesce(provider_name, service_provider_name, publisher_name, '{UNKNOWN}')"

_focus = partial(
    Source,
    STREAM,
    columns=_FOCUS_COLUMNS,
    key=("charge_period_start",),
    month_of="charge_period_start",
    nulls=("NULL", "(null)", "null"),
    facts={
        "tenant_id": "{tenant}",
        "account_id": f"coalesce(sub_account_id, billing_account_id, '{UNKNOWN}')",
        "service_name": f"coalesce(service_name, '{UNKNOWN}')",
        "region": "region",
        "pricing_model": "pricing_model",
        "usage_date": "cast(charge_period_start as date)",
        "cost": "cost",
        "effective_cost": "effective_cost",
        "currency": "coalesce(currency, '{currency}')",
        "is_deleted": "false",
        "provider": _PROVIDER,
        "billing_account_id": "billing_account_id",
        "billing_period": "cast(date_trunc('month', billing_period_start) as date)",
        "charge_category": "charge_category",
        "charge_class": "charge_class",
        "invoice_id": "invoice_id",
        "resource_id": "resource_id",
        "scope": (
            f"cast(to_json([{_PROVIDER}, coalesce(billing_account_id, ''), cast(billing_period_start as varchar)]) as varchar)"
        ),
    },
    optional=True,
    bare=True,
)

FOCUS = _focus(
    name="focus",
    description="FOCUS 1.0 to 1.3 exports, one row per charge; a delivery replaces all that came before of its scope.",
    delivery="overwrite_scope",
)

FOCUS_DELTA = _focus(
    name="focus_delta",
    description="FOCUS rows that are added to what stands: corrections, late charges; one row per charge.",
    delivery="append_rows",
)

CLOUD_INVOICES = Source(
    STREAM,
    "cloud_invoices",
    "Invoices of the cloud providers, one row per invoice.",
    (
        _column("invoice_id", "text", "The invoice."),
        _column("provider", "text", "The provider that issued it."),
        _column("billing_period", "month", "Month that it bills."),
        _cost("amount", description="Its amount."),
        _column("currency", "currency", "Its currency."),
    ),
    ("provider", "invoice_id"),
    optional=True,
    bare=True,
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
