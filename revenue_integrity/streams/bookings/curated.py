"""Rules of the curated tables: what accounting booked and what was billed, each on its deal line.

Belongs here: the queries of the curated layer and what each reads. Does not belong here: ingestion (``sources``), schedules and
balances (``mart``).
"""

from datetime import date

from revenue_integrity import months
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, raw, same_month
from revenue_integrity.streams.bookings import schemas
from revenue_integrity.streams.bookings.mart import closes
from revenue_integrity.streams.bookings.settings import BookingsSettings

_PACKAGE = "revenue_integrity.streams.bookings"


def customers_known(month: date, settings: BookingsSettings) -> Query:
    """Return the customers that matter to the month."""
    return load_query(_PACKAGE, "curated/bookings_customers_known", month=month, month_end=months.last_day(month))


def recognition_lines(month: date, settings: BookingsSettings) -> Query:
    """Return entries with the deal line that each resolves to; late are those posted after the month's cutoff."""
    return load_query(
        _PACKAGE,
        "curated/recognition_lines",
        month=month,
        cutoff=cutoff(month, settings),
        recurring_revenue_types=list(settings.recurring_revenue_types),
        **closes(month, settings),
    )


def billing_lines(month: date, settings: BookingsSettings) -> Query:
    """Return invoice and credit memo lines; late are those posted after the cutoff of the month of their date."""
    return load_query(_PACKAGE, "curated/billing_lines", month=month, cutoff=cutoff(month, settings), **closes(month, settings))


RULES = (
    Rule(
        schemas.CUSTOMERS,
        customers_known,
        (raw("bookings_customers"), raw("bookings_deal_lines"), raw("bookings_recognition_entries")),
        sql=("curated/bookings_customers_known",),
    ),
    Rule(
        schemas.RECOGNITION_LINES,
        recognition_lines,
        (
            raw("bookings_recognition_entries"),
            raw("bookings_recognition_mapping"),
            raw("bookings_deal_lines"),
            raw("bookings_customers"),
            same_month("mart", "recognition_schedule"),
        ),
        ("recurring_revenue_types", *CALENDAR_SETTINGS),
        ("curated/recognition_lines",),
    ),
    Rule(
        schemas.BILLING_LINES,
        billing_lines,
        (raw("bookings_billings"), raw("bookings_deal_lines")),
        CALENDAR_SETTINGS,
        ("curated/billing_lines",),
    ),
)
