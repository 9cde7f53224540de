"""The settings of the cloud stream: typed, with unit and default, refused at the start if wrong.

Belongs here: numbers that only rules and checks of this stream rest on. Does not belong here: what all streams share
(``revenue_integrity.settings``), such as the engine of stages.

This module is imported whenever settings are read, whatever stream a command is for: it imports nothing heavy.
"""

import re
from datetime import time
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from revenue_integrity.settings import Settings

_AVAILABLE_BY = re.compile(r"(?:([1-9]\d?)d )?([01]\d|2[0-3]):([0-5]\d)")


def _written(value: Any) -> Any:
    """Return a time of day as it is written: TOML has times of its own, and a whole hour may stand alone."""
    if isinstance(value, time):
        return f"{value:%H:%M}" if not value.second and not value.microsecond else value.isoformat()
    return f"{value:02}:00" if isinstance(value, int) and not isinstance(value, bool) else value


def _due(value: Any) -> str:
    if not (found := _AVAILABLE_BY.fullmatch(str(_written(value)).strip())):
        raise ValueError("must be a time of the day after the usage day (UTC) such as 12:00, or of a later one: 2d 06:30")
    return f"{found[2]}:{found[3]}" if found[1] in (None, "1") else found[0]


AvailableBy = Annotated[str, BeforeValidator(_due)]
"""When the data of a usage day is due: a time (UTC) of the day after it, or of the day that many days after it."""


class CloudSettings(Settings):
    """The settings of the cloud stream, beside those that all streams share."""

    stream: ClassVar[str] = "cloud"

    cloud_lookback_days: int = Field(
        90,
        ge=1,
        le=3660,
        description="Days before its arrival that a batch recomputes by itself; what lies beyond is kept aside.",
    )
    tenant_of_billing_account: dict[str, str] = Field(
        {}, description="Tenant of a FOCUS BillingAccountId; one not named belongs to the default tenant."
    )
    billing_events_cost_sign: Literal["signed", "non_negative"] = Field(
        "non_negative", description="Whether billing events may have negative costs; FOCUS rows always may."
    )
    available_by: AvailableBy = Field(
        "12:00",
        description="When the data of a usage day is due and can be complete: a time (UTC) of the day after it, 2d 06:30 of the"
        " second one.",
    )
    publishing_cutoff_hour: int | None = Field(
        None, ge=0, le=23, description="The former name of available_by, as an hour; gone with the next release."
    )
    cloud_incomplete_days: Literal["flag", "hold"] = Field(
        "flag",
        description="What becomes of a tenant's day that is incomplete: published as such (flag), or not before it is complete"
        " (hold); one that was complete stays as it was then.",
    )
    expected_source_days: int = Field(
        7, ge=1, description="Days before a usage day in which a source that is expected delivered."
    )
    expected_sources: dict[str, tuple[str, ...]] = Field(
        {}, description="Sources expected for a tenant; a tenant not named expects those that delivered for it lately."
    )
    cost_jump_factor: Decimal = Field(Decimal(3), gt=1, description="A day's cost beyond this factor of its median is suspect.")
    cost_jump_days: int = Field(28, ge=7, le=366, description="Days behind the median of a day's cost.")
    cost_jump_min_days: int = Field(7, ge=1, description="Days with data needed before a day's cost can be suspect.")
    invoice_tolerance: Decimal = Field(
        Decimal("0.01"), ge=0, description="Difference of an invoice from its charges that nobody must act on (currency units)."
    )
    focus_provider_name: str = Field(
        "UNKNOWN", min_length=1, description="Who stands as provider, publisher and issuer of invoices in exported FOCUS files."
    )

    @model_validator(mode="before")
    @classmethod
    def _by_its_former_name(cls, given: Any) -> Any:
        hour = given.get("publishing_cutoff_hour") if isinstance(given, dict) else None
        if hour is None:
            return given
        if "available_by" in given:
            raise ValueError("publishing_cutoff_hour is the former name of available_by; take it out")
        return {**given, "available_by": f"{int(hour):02}:00"} if re.fullmatch(r"\d{1,2}", str(hour)) else given

    @property
    def minutes_until_due(self) -> int:
        """Minutes from the end of a usage day until its data is due."""
        days, _, at = self.available_by.rpartition("d ")
        hours, minutes = at.split(":")
        return (int(days or 1) - 1) * 24 * 60 + int(hours) * 60 + int(minutes)
