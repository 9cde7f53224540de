"""How much goes wrong: counts per kind, from a name or a TOML file.

Belongs here: the kinds of fault and their counts. Does not belong here: how a fault is made (``faults``).

A TOML file may set ``recent_months``, ``bad_readings``, ``bad_lines`` (per month), ``repeated_readings`` (share),
``rejected_batch``, and the tables ``[open]``, ``[cured]`` and ``[look_alikes]`` with a number per month for each kind;
what it leaves out does not happen. All this stands in the file's table ``[colocation]``, or without a table at its top, beside
the tables of other streams, which their simulators read.
"""

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from revenue_integrity.streams.simulating import read_rates, refuse_unknown_kinds, refused

STREAM = "colocation"
"""The stream, as folders, ids of batches and tables of rates name it."""

BILLING_KINDS = (
    "proration",
    "stale_version",
    "estimated_meter",
    "late_meter",
    "wrong_contract",
    "period_shift",
    "unmapped_line",
    "duplicate_billing",
    "credit_memo",
    "credit_unreferenced",
    "uncontracted",
    "price_mismatch",
    "quantity_mismatch",
    "unbilled",
    "rounding",
    "late_posting",
)
"""Faults of billing, those with the fewest possible places first."""

POWER_KINDS = ("unbooked", "accrual_not_reversed", "estimated_bill")
"""Faults of what is booked for power."""

LOOK_ALIKE_KINDS = ("credit_and_rebill", "two_equal_rack_lines", "amendment_in_two_lines", "offsetting_errors")
"""What looks like a fault and is none."""

Count = Annotated[float, Field(ge=0)]

_CONTRACTS = 200
"""The default counts are for so many contracts, and grow with them."""


class Plan(BaseModel):
    """Faults per month and kind; a fraction is the chance of one more.

    Attributes:
        recent_months: the last months, whose faults nobody has cured yet.
        open: faults in each recent month.
        cured: faults in each earlier month, all of them mended by later batches.
        look_alikes: in each month.
        bad_readings, bad_lines: rows that nobody can use, in each month.
        repeated_readings: share of readings that are sent twice.
        rejected_batch: whether one batch of the last month cannot be read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recent_months: int = Field(default=3, ge=0)
    open: dict[str, Count] = {}
    cured: dict[str, Count] = {}
    look_alikes: dict[str, Count] = {}
    bad_readings: Count = 0
    bad_lines: Count = 0
    repeated_readings: float = Field(default=0, ge=0, le=0.5)
    rejected_batch: bool = False

    @model_validator(mode="after")
    def _known_kinds(self) -> "Plan":
        refuse_unknown_kinds(
            ("open", self.open, BILLING_KINDS + POWER_KINDS),
            ("cured", self.cured, BILLING_KINDS),
            ("look_alikes", self.look_alikes, LOOK_ALIKE_KINDS),
        )
        return self


def read_plan(faults: str, contracts: int, others: Collection[str] = ()) -> Plan:
    """Return how much goes wrong.

    Args:
        faults: ``default``, ``none``, or a TOML file.
        contracts: the default counts grow with them.
        others: tables of the file that are for other streams.

    Raises:
        UsageError: ``faults`` is no known name and no readable TOML file, or a name or number in it is not allowed.
    """
    if faults == "none":
        return Plan(recent_months=0)
    if faults == "default":
        return _default(contracts / _CONTRACTS)
    try:
        rates = read_rates(faults)
        return Plan(**rates.get(STREAM, {name: value for name, value in rates.items() if name not in others}))
    except ValidationError as error:
        raise refused(faults, error) from error


def _default(scale: float) -> Plan:
    often: Mapping[str, float] = {kind: max(round(scale), 1) for kind in BILLING_KINDS}
    return Plan(
        recent_months=3,
        open={**often, **dict.fromkeys(POWER_KINDS, 1.0)},
        cured=dict.fromkeys(BILLING_KINDS, 0.25 * scale),
        look_alikes=dict.fromkeys(LOOK_ALIKE_KINDS, max(0.5 * scale, 0.25)),
        bad_readings=4 * scale,
        bad_lines=scale,
        repeated_readings=0.0005,
        rejected_batch=True,
    )
