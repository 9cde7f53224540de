"""Rules of the curated tables: what is in force, metered, assigned, billed by the utility and invoiced, month by month.

Belongs here: the queries of the curated layer and what each reads. Does not belong here: ingestion (``sources``), money that
is owed or spent (``mart``).
"""

from datetime import date

from revenue_integrity import months
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, raw, raw_before, same_month
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation import schemas
from revenue_integrity.streams.colocation.settings import ColocationSettings

_PACKAGE = "revenue_integrity.streams.colocation"


def _query(path: str, month: date, **parameters: object) -> Query:
    return load_query(_PACKAGE, path, month=month, month_end=months.last_day(month), **parameters)


def meter_parameters(settings: ColocationSettings) -> dict[str, object]:
    """Return the settings that metered usage rests on, as parameters of its queries."""
    return {
        "late_after_days": settings.late_after_days,
        "lookback_days": settings.lookback_days,
        "min_same_weekday_readings": settings.min_same_weekday_readings,
        "default_load_factor": settings.default_load_factor,
        "suspect_factor": settings.suspect_factor,
        "suspect_min_readings": settings.suspect_min_readings,
    }


METER_SETTINGS = (
    "late_after_days",
    "lookback_days",
    "min_same_weekday_readings",
    "default_load_factor",
    "suspect_factor",
    "suspect_min_readings",
)


def contract_terms(month: date, settings: Settings) -> Query:
    """Return terms in force: one row per contract and segment (10-colocation, *contract_terms*)."""
    return _query("curated/contract_terms", month)


def meter_daily(month: date, settings: ColocationSettings) -> Query:
    """Return usage in kWh and kW per contract and day in force, gaps estimated (10-colocation, *meter_daily*)."""
    return _query("curated/meter_daily", month, **meter_parameters(settings))


def sites(month: date, settings: Settings) -> Query:
    """Return the sites that matter to the month, with their capacity in kW."""
    return _query("curated/sites", month)


def customers(month: date, settings: Settings) -> Query:
    """Return the customers with service in the month."""
    return _query("curated/customers", month)


def rack_daily(month: date, settings: Settings) -> Query:
    """Return racks contracted and assigned per contract and day in force."""
    return _query("curated/rack_daily", month)


def power_bills(month: date, settings: ColocationSettings) -> Query:
    """Return the bill that counts per site, in cents, accrued where a site with service has none."""
    return _query("curated/power_bills", month, accrual_months=settings.accrual_months, **meter_parameters(settings))


def invoice_lines(month: date, settings: Settings) -> Query:
    """Return ERP lines with their customer and contract; late are those posted after the month's cutoff."""
    return _query("curated/invoice_lines", month, cutoff=cutoff(month, settings))


def power_cost_lines(month: date, settings: Settings) -> Query:
    """Return what accounting booked for power, in cents; late are lines posted after the month's cutoff."""
    return _query("curated/power_cost_lines", month, cutoff=cutoff(month, settings))


RULES = (
    Rule(schemas.CONTRACT_TERMS, contract_terms, (raw("contract_versions"),), sql=("curated/contract_terms",)),
    Rule(
        schemas.SITES,
        sites,
        (raw("sites"), raw("power_bills"), same_month("curated", "contract_terms")),
        sql=("curated/sites",),
    ),
    Rule(schemas.CUSTOMERS, customers, (raw("customers"), same_month("curated", "contract_terms")), sql=("curated/customers",)),
    Rule(
        schemas.METER_DAILY,
        meter_daily,
        (
            same_month("curated", "contract_terms"),
            raw("contract_versions"),
            raw("sites"),
            raw("meter_readings"),
            raw_before("meter_readings"),
            raw("meter_starts"),
        ),
        METER_SETTINGS,
        ("curated/meter_daily",),
    ),
    Rule(
        schemas.RACK_DAILY,
        rack_daily,
        (same_month("curated", "contract_terms"), raw("rack_assignments")),
        sql=("curated/rack_daily",),
    ),
    Rule(
        schemas.POWER_BILLS,
        power_bills,
        (
            same_month("curated", "contract_terms"),
            same_month("curated", "meter_daily"),
            raw("contract_versions"),
            raw("sites"),
            raw("power_bills"),
            raw_before("power_bills", None),
            raw_before("meter_readings", None),
        ),
        ("accrual_months", *METER_SETTINGS),
        ("curated/power_bills",),
    ),
    Rule(
        schemas.INVOICE_LINES,
        invoice_lines,
        (raw("erp_invoices"), raw("erp_mapping"), raw("contract_versions")),
        CALENDAR_SETTINGS,
        ("curated/invoice_lines",),
    ),
    Rule(
        schemas.POWER_COST_LINES,
        power_cost_lines,
        (raw("erp_power_costs"),),
        CALENDAR_SETTINGS,
        ("curated/power_cost_lines",),
    ),
)
