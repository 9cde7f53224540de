"""The settings of colocation: typed, with unit and default, refused at the start if wrong.

Belongs here: numbers that only rules and checks of this stream rest on. Does not belong here: what all streams share
(``revenue_integrity.settings``), such as tolerance and materiality.

This module is imported whenever settings are read, whatever stream a command is for: it imports nothing heavy.
"""

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field

from revenue_integrity.settings import Settings, Share

MOST_HISTORY_MONTHS = 24
"""Months that margin risk can look at: tables are declared to read no more."""


class ColocationSettings(Settings):
    """The settings of colocation, beside those that all streams share."""

    stream: ClassVar[str] = "colocation"

    # Meters
    late_after_days: int = Field(3, ge=0, description="A reading is late when it arrives more than this many days after its day.")
    lookback_days: int = Field(28, ge=7, le=366, description="Days of history behind gap estimates and suspect readings.")
    min_same_weekday_readings: int = Field(2, ge=1, description="Readings of the same weekday needed for a weekday estimate.")
    default_load_factor: Share = Field(Decimal("0.6"), description="Share of the reservation assumed drawn without any reading.")
    suspect_factor: Decimal = Field(Decimal(3), gt=1, description="A reading above this many medians of its meter is suspect.")
    suspect_min_readings: int = Field(7, ge=1, description="Readings needed before a reading can be suspect.")

    # Power
    allocation_method: Literal["hybrid", "metered_share", "reserved_share"] = Field(
        "hybrid", description="How a site's power bill is split over its contracts."
    )
    accrual_months: int = Field(3, ge=1, description="Most final bills that an accrual for a missing bill rests on.")

    # Risk
    risk_history_months: int = Field(
        24, ge=1, le=MOST_HISTORY_MONTHS, description="Months of history replayed for margin risk, the month included."
    )
    risk_min_months: int = Field(6, ge=1, description="Months of history below which no distribution is shown.")
    risk_percentile: Share = Field(Decimal("0.05"), description="Share of months worse than the margin percentile.")
    risk_aversion: Decimal = Field(Decimal("0.5"), ge=0, description="Weight of margin at risk in the risk-weighted margin.")
    stress_price_factor: Decimal = Field(Decimal("1.5"), ge=0, description="Factor on the energy cost in the price stress.")
    stress_full_utilization: Share = Field(Decimal("0.9"), description="Utilization in the full-load stress.")

    # Reconciliations
    kwh_tolerance_share: Share = Field(Decimal("0.05"), description="Tolerance of metered against billed kWh.")

    # Data quality
    meter_completeness_share: Share = Field(Decimal("0.98"), description="Share of contract-days that need an actual reading.")
    late_readings_warn_share: Share = Field(Decimal("0.05"), description="Share of contract-days with late readings that warns.")
    row_count_warn_share: Share = Field(
        Decimal("0.3"), description="Deviation of a month's rows from their trailing mean that warns."
    )
