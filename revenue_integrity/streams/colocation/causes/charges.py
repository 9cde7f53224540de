"""The causes of ``erp_vs_mart``, in order of precedence, and what the view as of close has besides.

Belongs here: the order. Does not belong here: how a cause is found (the modules beside this one).
"""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from revenue_integrity.close.causes.explaining import Cause, late_items
from revenue_integrity.close.causes.labels import ROUNDING
from revenue_integrity.close.causes.wording import amounts
from revenue_integrity.streams.colocation.causes import documents, left_over, places, terms
from revenue_integrity.streams.colocation.causes.inputs import days, erp_lines

CAUSES = (
    Cause("period_shift", places.period_shift),
    Cause("unmapped_line", places.unmapped_line),
    Cause("wrong_contract", places.wrong_contract),
    Cause("duplicate_billing", documents.duplicate_billing),
    Cause("credit_memo", documents.credit_memo),
    Cause("credit_unreferenced", documents.credit_unreferenced),
    Cause("estimated_meter", terms.estimated_meter),
    Cause("late_meter", terms.late_meter),
    Cause("uncontracted", terms.uncontracted),
    Cause("stale_version", terms.stale_version),
    Cause("proration", terms.proration),
    Cause(ROUNDING, left_over.rounding),
    Cause("price_mismatch", left_over.price_mismatch),
    Cause("quantity_mismatch", left_over.quantity_mismatch),
    Cause("unbilled", terms.unbilled),
)
"""In the view of all postings (20-close, *Root causes*)."""


def late_postings(month: date, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the lines of the month that were posted after its cutoff, each as a cause of the view as of close."""
    of_month = frames["lines"]["month"] == pd.Timestamp(month)
    lines = erp_lines(frames["lines"][of_month & frames["lines"]["late"]])
    sentence = (
        "Line " + lines["line_no"].astype(str) + " of " + lines["document"] + " (" + amounts(lines["cents"]) + ") was posted "
        + days(lines["posted_at"]) + ", after the cutoff."
    )  # fmt: skip
    return late_items(lines, sentence)
