"""The month of accounts and services, named by the look-ups.

Belongs here: ``cloud_month``, which alone reads look-ups, so that a change of one makes no day stale. Does not belong here:
the days (``mart``), their reconciliation (``recon``).
"""

from datetime import date

from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, raw, same_month
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import schemas


def cloud_month(month: date, settings: Settings) -> Query:
    """Return the month's cost by tenant, account and service, with the names that the look-ups have at present."""
    return load_query("revenue_integrity.streams.cloud", "mart/cloud_month", month=month)


RULES = (
    Rule(
        schemas.CLOUD_MONTH,
        cloud_month,
        (same_month("mart", "account_service_day"), raw("accounts"), raw("services")),
        sql=("mart/cloud_month",),
    ),
)
