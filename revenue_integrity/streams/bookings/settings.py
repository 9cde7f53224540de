"""The settings of the bookings stream: typed, with unit and default, refused at the start if wrong.

Belongs here: what only rules and checks of this stream rest on. Does not belong here: what all streams share
(``revenue_integrity.settings``).

This module is imported whenever settings are read, whatever stream a command is for: it imports nothing heavy.
"""

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field

from revenue_integrity.settings import Settings, Share

RevenueType = Literal["subscription", "support", "maintenance", "service", "implementation", "consulting", "setup", "other"]
Policy = Literal["equal_months", "prorated_months", "daily", "point_in_time", "milestone"]


class BookingsSettings(Settings):
    """The settings of the bookings stream, beside those that all streams share."""

    stream: ClassVar[str] = "bookings"

    recurring_revenue_types: tuple[RevenueType, ...] = Field(
        ("subscription", "support", "maintenance", "service"), description="Revenue types that come again while a line goes on."
    )
    recurring_policy: Policy = Field("equal_months", description="Policy of recurring lines that name none.")
    one_time_policy: Policy = Field("point_in_time", description="Policy of one-time lines that name none.")
    allocate_transaction_price: bool = Field(
        True, description="Whether the price of a bundle is split over its lines by standalone price."
    )
    backdated: Literal["catch_up", "service"] = Field(
        "catch_up",
        description="Where months before a deal was booked go: into the month it was booked in, or where the service was.",
    )
    ledger_tolerance_share: Share = Field(
        Decimal("0.001"), description="Share of a balance that may differ from the general ledger."
    )
