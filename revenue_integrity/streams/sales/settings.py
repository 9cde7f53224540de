"""The settings of the sales stream: typed, with unit and default, refused at the start if wrong.

Belongs here: what only rules and checks of this stream rest on. Does not belong here: what all streams share
(``revenue_integrity.settings``).

This module is imported whenever settings are read, whatever stream a command is for: it imports nothing heavy.
"""

from typing import Annotated, ClassVar, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from revenue_integrity.settings import Settings


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no IANA time zone has this name")
    return name


class SalesSettings(Settings):
    """The settings of the sales stream, beside those that all streams share."""

    stream: ClassVar[str] = "sales"

    sales_timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="IANA time zone in which times without an offset are local, and days and months of sales are told."
    )
    sales_date_order: Literal["mdy", "dmy"] = Field(
        "mdy", description="Which number of a date such as 3/5/2024 is read first: the month or the day."
    )
    sales_anonymous: Literal["refuse", "allow"] = Field("refuse", description="Whether a sale may name no customer.")
    sales_quantity: Literal["positive", "signed"] = Field(
        "positive", description="Whether a quantity may be negative, which is a return."
    )
    sales_discount_unit: Literal["fraction", "percent"] = Field(
        "fraction", description="What a discount without a sign of percent is in."
    )
    sales_ledger_grain: Literal["region_category", "region", "category", "month"] = Field(
        "region_category", description="By what the ledger books revenue, and is compared with sales."
    )
    high_value_cents: int = Field(100_000, ge=0, description="What a transaction of high value is above (cents).")
    cash_methods: tuple[str, ...] = Field(("cash",), description="Payment methods that no processor settles.")
