"""The causes of ``recognized_vs_schedule``, in order of precedence, and what the view as of close has besides.

Belongs here: the order and the families. Does not belong here: how a cause is found (the modules beside this one).
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from revenue_integrity.close.causes.explaining import Cause, late_items
from revenue_integrity.close.causes.labels import LATE_POSTING, ROUNDING
from revenue_integrity.close.causes.wording import amounts
from revenue_integrity.streams.bookings.causes import entries, places, rests
from revenue_integrity.streams.bookings.causes.inputs import entry_items
from revenue_integrity.streams.bookings.causes.single import SINGLE_RULES

FAMILIES = {
    LATE_POSTING: "timing",
    ROUNDING: "rounding",
    "reversal": "credit",
    "reversal_unreferenced": "credit",
    "unmapped_entry": "mapping",
    "wrong_deal": "mapping",
    "wrong_type": "mapping",
    "period_shift": "timing",
    "prior_months": "timing",
    "duplicate_entry": "duplicate",
    "after_cancellation": "missing",
    "stale_version": "configuration",
    "catch_up_missing": "configuration",
    "wrong_modification": "configuration",
    "price_not_allocated": "configuration",
    "wrong_policy": "configuration",
    "recognized_as_billed": "configuration",
    "wrong_sign": "data",
    "decimal_shift": "data",
    "wrong_duration": "configuration",
    "transposed_digits": "data",
    "before_start": "missing",
    "after_end": "missing",
    "unrecognized": "missing",
}
"""The causes in order of precedence, each with its family."""


def _with_rounding(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Return causes each followed by what it leaves in cents of rounding."""
    return tuple(each for cause in causes for each in (cause, Cause(ROUNDING, rests.left_over)))


CAUSES = _with_rounding(
    (
        Cause(ROUNDING, rests.rounding),
        Cause("reversal", entries.reversal),
        Cause("reversal_unreferenced", entries.reversal_unreferenced),
        Cause("unmapped_entry", places.unmapped_entry),
        Cause("wrong_deal", places.wrong_deal),
        Cause("wrong_type", places.wrong_type),
        Cause("period_shift", places.period_shift),
        Cause("prior_months", entries.prior_months),
        Cause("duplicate_entry", entries.duplicate_entry),
        *(Cause(rule.label, rule.find) for rule in SINGLE_RULES),
    )
)
"""In the view of all postings."""


def late_postings(month: date, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the entries of the month that were posted after its cutoff, each as a cause of the view as of close."""
    late = entry_items(frame[frame["late"] & (frame["month"] == pd.Timestamp(month))])
    posted = late["posted_at"].dt.strftime("%Y-%m-%d").astype(object)
    sentence = "Entry " + late["document"] + " (" + amounts(late["cents"]) + ") was posted " + posted + ", after the cutoff."
    return late_items(late, sentence, named="entries")
