"""How much goes wrong in the cloud: counts per kind, from a name or the table ``[cloud]`` of a TOML file.

Belongs here: the kinds of fault and their counts. Does not belong here: how a fault is made (``events``, ``exports``).

``[cloud]`` may set ``recent_months`` and ``beyond_lookback`` (in all), and the tables ``[cloud.events]`` (per month),
``[cloud.exports]`` (per month and provider) and ``[cloud.invoices]`` (per recent month) with a number for each kind; what it
leaves out does not happen.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from revenue_integrity.streams.simulating import read_rates, refuse_unknown_kinds, refused

STREAM = "cloud"
"""The stream, as folders, ids of batches and tables of rates name it."""

BAD_KINDS = ("negative_cost", "unknown_currency", "null_key", "impossible_timestamp")
"""Rows that nobody can use; a day later each comes again, repaired."""

EVENT_KINDS = (
    "late",
    "out_of_order",
    "duplicate",
    "correction",
    "conflict",
    "moved",
    "deletion",
    "tombstone_first",
    "redelivered",
    *BAD_KINDS,
)
"""What goes wrong with billing events."""

EXPORT_KINDS = ("overwritten", "omission", "delta", "delta_replaced", "redelivered", "impossible_charge")
"""What goes wrong with FOCUS exports and additions to them."""

INVOICE_KINDS = ("amount_differs", "rounded", "invoice_missing", "charges_missing")
"""How an invoice differs from its charges."""

RECENT_ONLY = ("conflict", "impossible_charge")
"""Kinds that keep a month from being closed, or may."""

USUAL_EVENTS = 150
"""The default counts are for so many billing events a day, and grow with them."""

Count = Annotated[float, Field(ge=0)]


class Plan(BaseModel):
    """Faults per month and kind; a fraction is the chance of one more.

    Attributes:
        recent_months: the last months, in which invoices differ from their charges.
        events: faults of billing events, in each month.
        exports: faults of FOCUS exports, in each month of each provider.
        invoices: differences of invoices, in each recent month.
        beyond_lookback: events that come so late that they are kept aside, in all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recent_months: int = Field(default=3, ge=0)
    events: dict[str, Count] = {}
    exports: dict[str, Count] = {}
    invoices: dict[str, Count] = {}
    beyond_lookback: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _known_kinds(self) -> "Plan":
        refuse_unknown_kinds(
            (f"{STREAM}.events", self.events, EVENT_KINDS),
            (f"{STREAM}.exports", self.exports, EXPORT_KINDS),
            (f"{STREAM}.invoices", self.invoices, INVOICE_KINDS),
        )
        return self


def read_plan(faults: str, events_per_day: int) -> Plan:
    """Return how much goes wrong.

    Raises:
        UsageError: ``faults`` is no known name and no readable TOML file, or a name or number in it is not allowed.
    """
    if faults == "none":
        return Plan(recent_months=0)
    if faults == "default":
        return _default(events_per_day / USUAL_EVENTS)
    try:
        return Plan(**read_rates(faults).get(STREAM, {"recent_months": 0}))
    except ValidationError as error:
        raise refused(faults, error) from error


def _default(scale: float) -> Plan:
    often = {
        "late": 30.0,
        "out_of_order": 6.0,
        "duplicate": 15.0,
        "correction": 15.0,
        "conflict": 1.0,
        "moved": 6.0,
        "deletion": 6.0,
        "tombstone_first": 3.0,
        **dict.fromkeys(BAD_KINDS, 1.0),
    }
    return Plan(
        recent_months=3,
        events={**{kind: max(count * scale, 0.5) for kind, count in often.items()}, "redelivered": 0.5},
        exports={
            "overwritten": 2,
            "omission": 1,
            "delta": 0.2,
            "delta_replaced": 0.5,
            "redelivered": 0.1,
            "impossible_charge": 0.5,
        },
        invoices=dict.fromkeys(INVOICE_KINDS, 1.0),
        beyond_lookback=2,
    )
