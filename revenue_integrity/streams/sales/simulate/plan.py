"""How much goes wrong: counts per kind, from a name or the table ``[sales]`` of a TOML file.

Belongs here: the kinds of fault and their counts. Does not belong here: how a fault is made (``faults``).

``[sales]`` may set ``recent_months``, ``bad_rows`` (per recent month), ``unknown_customers`` (per month), and the tables
``[sales.open]`` (per recent month), ``[sales.usual]`` and ``[sales.cured]`` (per earlier month) and ``[sales.look_alikes]`` (per
month) with a number for each kind; what it leaves out does not happen.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from revenue_integrity.streams.simulating import read_rates, refuse_unknown_kinds, refused

STREAM = "sales"
"""The stream, as folders, ids of batches and tables of rates name it."""

LEDGER_KINDS = (
    "period_shift",
    "wrong_region",
    "wrong_category",
    "discount_not_booked",
    "tax_booked",
    "duplicate_journal",
    "reversal",
    "reversal_unreferenced",
    "unbooked",
    "unsupported",
    "rounding",
    "mistyped",
    "late_posting",
)
"""Faults of the ledger, those with the fewest possible places first."""

SETTLEMENT_KINDS = (
    "in_transit",
    "duplicate_settlement",
    "chargeback",
    "refund",
    "unknown_transaction",
    "discount_not_applied",
    "settled_a_cent_off",
    "settlement_mistyped",
    "unsettled",
)
"""Faults of what the processor paid."""

QUARANTINED = "quarantined"
"""Sales that everybody counts and that are refused here."""

KINDS = (QUARANTINED, *LEDGER_KINDS, *SETTLEMENT_KINDS)

USUAL_KINDS = ("late_posting", "in_transit", "chargeback", "refund")
"""What happens in every month of a shop, and stays."""

CURED_KINDS = (
    QUARANTINED,
    "period_shift",
    "wrong_region",
    "wrong_category",
    "discount_not_booked",
    "tax_booked",
    "unbooked",
    "rounding",
    "mistyped",
    "unknown_transaction",
    "discount_not_applied",
    "unsettled",
)
"""Faults of earlier months that a later extract put right."""

LOOK_ALIKE_KINDS = (
    "reversed_and_rebooked",
    "two_equal_documents",
    "charged_in_parts",
    "charged_twice_and_refunded",
    "sent_twice",
    "older_state",
    "deleted",
    "taken_out",
    "shouted",
    "ambiguous_date",
    "other_order",
)
"""What looks like a fault and is none."""

Count = Annotated[float, Field(ge=0)]

_TRANSACTIONS = 1_000
"""The default counts are for so many transactions a month, and grow with them."""


class Plan(BaseModel):
    """Faults per month and kind; a fraction is the chance of one more.

    Attributes:
        recent_months: the last months, whose faults nobody has made good yet.
        open: faults in each recent month.
        usual: in each earlier month, what stays.
        cured: faults in each earlier month that are sent again.
        look_alikes: in each month.
        bad_rows: rows that nobody can use, in each recent month.
        unknown_customers: sales to people of whom nothing is ever told, in each month.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recent_months: int = Field(default=3, ge=0)
    open: dict[str, Count] = {}
    usual: dict[str, Count] = {}
    cured: dict[str, Count] = {}
    look_alikes: dict[str, Count] = {}
    bad_rows: Count = 0
    unknown_customers: Count = 0

    @model_validator(mode="after")
    def _known_kinds(self) -> "Plan":
        refuse_unknown_kinds(
            (f"{STREAM}.open", self.open, KINDS),
            (f"{STREAM}.usual", self.usual, USUAL_KINDS),
            (f"{STREAM}.cured", self.cured, CURED_KINDS),
            (f"{STREAM}.look_alikes", self.look_alikes, LOOK_ALIKE_KINDS),
        )
        return self


def read_plan(faults: str, transactions: int) -> Plan:
    """Return how much goes wrong.

    Args:
        faults: ``default``, ``none``, or a TOML file.
        transactions: in a month; the default counts grow with them.

    Raises:
        UsageError: ``faults`` is no known name and no readable TOML file, or a name or number in it is not allowed.
    """
    if faults == "none":
        return Plan(recent_months=0)
    if faults == "default":
        return _default(transactions / _TRANSACTIONS)
    try:
        return Plan(**read_rates(faults).get(STREAM, {"recent_months": 0}))
    except ValidationError as error:
        raise refused(faults, error) from error


def _default(scale: float) -> Plan:
    # A ledger has as many cells however much is sold.
    ledger = min(scale, 1)
    of_ledger = dict.fromkeys(LEDGER_KINDS, max(0.5 * ledger, 0.3))
    return Plan(
        recent_months=3,
        open={**of_ledger, **dict.fromkeys(SETTLEMENT_KINDS, max(scale, 0.4)), QUARANTINED: max(scale, 0.7)},
        usual={"late_posting": 0.5, "in_transit": 3 * scale, "chargeback": 0.5 * scale, "refund": 2 * scale},
        cured={**dict.fromkeys(CURED_KINDS, 0.15 * ledger), QUARANTINED: scale},
        look_alikes=dict.fromkeys(LOOK_ALIKE_KINDS, max(0.5 * scale, 0.25)),
        bad_rows=max(4 * scale, 1),
        unknown_customers=scale,
    )
