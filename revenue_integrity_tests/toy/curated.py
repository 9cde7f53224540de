"""Clean rentals: rows that count, in cents, with what the close must know of each.

Belongs here: rules that read raw tables. Does not belong here: sums (``mart``).
"""

from datetime import date

from revenue_integrity.close.calendar import cutoff
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, raw
from revenue_integrity_tests.toy import schemas
from revenue_integrity_tests.toy.settings import ToySettings
from revenue_integrity_tests.toy.sources import RENTALS

_PACKAGE = "revenue_integrity_tests.toy"


def toy_rentals(month: date, settings: ToySettings) -> Query:
    """Return the rentals that count; late are those that were booked after the month's cutoff."""
    return load_query(_PACKAGE, "curated/toy_rentals", month=month, cutoff=cutoff(month, settings))


RULES = (
    Rule(
        schemas.TOY_RENTALS,
        toy_rentals,
        (raw(RENTALS.dataset),),
        ("cutoff_business_day", "close_timezone", "holidays", "holiday_calendar"),
        ("curated/toy_rentals",),
    ),
)
