"""How much goes wrong: counts per kind, from a name or the table ``[bookings]`` of a TOML file.

Belongs here: the kinds of fault and their counts. Does not belong here: how a fault is made (``faults``).

``[bookings]`` may set ``recent_months``, ``bad_rows`` (per recent month), and the tables ``[bookings.open]`` (per recent month),
``[bookings.settled]``, ``[bookings.cured]`` (per earlier month) and ``[bookings.look_alikes]`` (per month) with a number for each
kind; what it leaves out does not happen.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from revenue_integrity.streams.simulating import read_rates, refuse_unknown_kinds, refused

STREAM = "bookings"
"""The stream, as folders, ids of batches and tables of rates name it."""

KINDS = (
    "recognized_as_billed",
    "prior_months",
    "wrong_deal",
    "catch_up_missing",
    "wrong_modification",
    "after_cancellation",
    "before_start",
    "after_end",
    "price_not_allocated",
    "stale_version",
    "period_shift",
    "wrong_type",
    "unmapped_entry",
    "wrong_duration",
    "wrong_policy",
    "transposed_digits",
    "decimal_shift",
    "wrong_sign",
    "reversal",
    "reversal_unreferenced",
    "duplicate_entry",
    "unrecognized",
    "rounding",
    "late_posting",
)
"""Faults of recognition, those with the fewest possible places first."""

SETTLED_KINDS = ("prior_months", "duplicate_reversed", "deal_put_right", "period_shift", "late_posting", "rounding")
"""Faults of earlier months that later entries make good: both stay visible, each in its month."""

CURED_KINDS = (
    "wrong_deal",
    "wrong_type",
    "unmapped_entry",
    "wrong_duration",
    "wrong_policy",
    "transposed_digits",
    "decimal_shift",
    "wrong_sign",
)
"""Faults of earlier months that were in the extract alone: a later one sends the row, or the mapping, again."""

LOOK_ALIKE_KINDS = ("reversed_and_rebooked", "two_equal_entries", "catch_up_by_itself", "paid_at_once")
"""What looks like a fault and is none."""

Count = Annotated[float, Field(ge=0)]

_DEALS = 200
"""The default counts are for so many deals, and grow with them."""


class Plan(BaseModel):
    """Faults per month and kind; a fraction is the chance of one more.

    Attributes:
        recent_months: the last months, whose faults nobody has made good yet.
        open: faults in each recent month.
        settled: faults in each earlier month that later entries make good.
        cured: faults in each earlier month that are sent again.
        look_alikes: in each month.
        bad_rows: rows that nobody can use, in each recent month.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recent_months: int = Field(default=3, ge=0)
    open: dict[str, Count] = {}
    settled: dict[str, Count] = {}
    cured: dict[str, Count] = {}
    look_alikes: dict[str, Count] = {}
    bad_rows: Count = 0

    @model_validator(mode="after")
    def _known_kinds(self) -> "Plan":
        refuse_unknown_kinds(
            (f"{STREAM}.open", self.open, KINDS),
            (f"{STREAM}.settled", self.settled, SETTLED_KINDS),
            (f"{STREAM}.cured", self.cured, CURED_KINDS),
            (f"{STREAM}.look_alikes", self.look_alikes, LOOK_ALIKE_KINDS),
        )
        return self


def read_plan(faults: str, deals: int) -> Plan:
    """Return how much goes wrong.

    Args:
        faults: ``default``, ``none``, or a TOML file.
        deals: the default counts grow with them.

    Raises:
        UsageError: ``faults`` is no known name and no readable TOML file, or a name or number in it is not allowed.
    """
    if faults == "none":
        return Plan(recent_months=0)
    if faults == "default":
        return _default(deals / _DEALS)
    try:
        return Plan(**read_rates(faults).get(STREAM, {"recent_months": 0}))
    except ValidationError as error:
        raise refused(faults, error) from error


def _default(scale: float) -> Plan:
    return Plan(
        recent_months=3,
        open=dict.fromkeys(KINDS, max(0.6 * scale, 0.34)),
        settled={**dict.fromkeys(SETTLED_KINDS, 0.3 * scale), "late_posting": 0.7 * scale},
        cured=dict.fromkeys(CURED_KINDS, 0.15 * scale),
        look_alikes=dict.fromkeys(LOOK_ALIKE_KINDS, max(0.5 * scale, 0.25)),
        bad_rows=max(scale, 0.5),
    )
