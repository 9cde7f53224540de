"""The causes of ``erp_vs_allocated_power``, in order of precedence, and what the view as of close has besides.

Belongs here: why what accounting booked for a site's power is not its bill as allocated. Does not belong here: the bill itself.
"""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from revenue_integrity.close.causes.amounts import is_rounding
from revenue_integrity.close.causes.explaining import Case, Cause, Claims, claims, late_items, nothing
from revenue_integrity.close.causes.items import counts, sums
from revenue_integrity.close.causes.labels import ROUNDING
from revenue_integrity.close.causes.wording import amounts, counted, listed, records
from revenue_integrity.streams.colocation.causes.inputs import power_bookings, power_rows


def unbooked(case: Case) -> Claims:
    """Claim power of a site for which nothing at all is booked."""
    rows = case.open_rows
    rows = rows[~rows.index.isin(case.left["row"])]
    sentence = "Nothing is booked for the power of " + rows["site_id"] + "; " + amounts(-rows["rest"]) + " is allocated."
    return claims(rows.index, rows["rest"], sentence, records(rows.index, site_id=rows["site_id"], bill=rows["bill"]))


def accrual_not_reversed(case: Case) -> Claims:
    """Claim accruals net of reversals that stand beside a booked bill."""
    rows = case.open_rows
    accruals = case.left[case.left["kind"].isin(("accrual", "reversal"))]
    rows = rows[rows.index.isin(case.left.loc[case.left["kind"] == "bill", "row"]) & rows.index.isin(accruals["row"])]
    cents = sums(accruals, "cents", rows.index)
    booked = "The bill of " + rows["site_id"] + " is booked, and "
    standing = booked + "accruals of " + amounts(cents) + " net of reversals still stand."
    sentence = standing.where(cents >= 0, booked + "reversals exceed accruals by " + amounts(-cents) + ".")
    return claims(rows.index, cents, sentence, records(rows.index, lines=listed(accruals, "row", rows.index)))


def estimated_bill(case: Case) -> Claims:
    """Claim the difference between estimates: only an accrual is booked, or our bill is estimated or accrued."""
    rows = case.open_rows
    has_bill = pd.Series(rows.index.isin(case.left.loc[case.left["kind"] == "bill", "row"]), index=rows.index)
    rows = rows[~has_bill | rows["bill"].isin(("estimated", "accrued"))]
    accrued = sums(case.left[case.left["kind"] != "bill"], "cents", rows.index)
    has_accrual = pd.Series(rows.index.isin(case.left.loc[case.left["kind"] == "accrual", "row"]), index=rows.index)
    net = "no bill is booked, but accruals of " + amounts(accrued) + " net of reversals"
    only = net.where(has_accrual, "no bill is booked, but reversals of " + amounts(accrued) + " without an accrual")
    booked = pd.Series("the bill is booked", index=rows.index).where(has_bill.reindex(rows.index), only)
    bill = rows["bill"].where(rows["bill"] != "", "missing")
    sentence = "For the power of " + rows["site_id"] + " " + booked + "; our bill is " + bill + "."
    evidence = records(rows.index, lines=listed(case.left, "row", rows.index), bill=rows["bill"])
    return claims(rows.index, rows["rest"], sentence, evidence)


def rounding(case: Case) -> Claims:
    """Claim at most a cent per booking."""
    rows = case.open_rows
    bookings = counts(case.left, rows.index)
    rows = rows[is_rounding(rows["rest"], bookings) & (bookings > 0)]
    if rows.empty:
        return nothing()
    sentence = amounts(rows["rest"]) + " is rounding of " + counted(bookings.reindex(rows.index), "booking")
    sentence += " of " + rows["site_id"] + "."
    return claims(rows.index, rows["rest"], sentence, records(rows.index, lines=listed(case.left, "row", rows.index)))


CAUSES = (
    Cause("unbooked", unbooked),
    Cause("accrual_not_reversed", accrual_not_reversed),
    Cause("estimated_bill", estimated_bill),
    Cause(ROUNDING, rounding),
)
"""In the view of all postings (20-close, *Root causes*)."""


def late_postings(month: date, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the bookings of the month that were posted after its cutoff, each as a cause of the view as of close."""
    bookings = power_bookings(frames["power_lines"], power_rows(month, frames))
    sentence = (
        bookings["kind"].str.capitalize() + " " + bookings["document"] + " (" + amounts(bookings["cents"])
        + ") was posted after the cutoff."
    )  # fmt: skip
    return late_items(bookings, sentence)
