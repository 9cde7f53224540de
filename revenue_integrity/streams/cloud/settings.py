"""The settings of the cloud stream: typed, with unit and default, refused at the start if wrong.

Belongs here: numbers that only rules and checks of this stream rest on. Does not belong here: what all streams share
(``revenue_integrity.settings``), such as the engine of stages.

This module is imported whenever settings are read, whatever stream a command is for: it imports nothing heavy.
"""

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field

from revenue_integrity.settings import Settings


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
    publishing_cutoff_hour: int = Field(
        12, ge=0, le=23, description="Hour (UTC) of the day after a usage day from which its data can be complete."
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
