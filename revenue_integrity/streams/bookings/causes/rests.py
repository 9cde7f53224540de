"""Cents of rounding: a row's own, and what a named cause leaves.

Belongs here: these rests. Does not belong here: which cause is named.
"""

import pandas as pd

from revenue_integrity.close.causes.amounts import is_rounding
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.items import counts
from revenue_integrity.close.causes.wording import amounts, records
from revenue_integrity.streams.bookings.causes.standing import entry_ids


def rounding(case: Case) -> Claims:
    """Claim at most a cent per entry, and what the last month takes of months that were rounded one by one."""
    rows = case.open_rows
    rows = rows[counts(case.standing, rows.index) > 0]
    is_own = is_rounding(rows["rest"], rows["n"])
    is_equal_to_date = rows["booked_before"] + rows["due"] + rows["rest"] == rows["due_until"]
    is_last = rows["is_last"] & (rows["rest"].abs() <= rows["due_months"]) & is_equal_to_date
    rows, is_own = rows[is_own | is_last], is_own[is_own | is_last]
    if rows.empty:
        return nothing()
    counted = rows["n"].astype(str) + pd.Series(" entries", index=rows.index).where(rows["n"] != 1, " entry")
    own = amounts(rows["rest"]) + " is what rounding leaves over " + counted + "."
    last = "Months were rounded one by one, and the last of " + rows["due_months"].astype(str) + " takes the rest of "
    sentence = own.where(is_own, last + amounts(rows["rest"]) + ".")
    return claims(rows.index, rows["rest"], sentence, records(rows.index, entries=entry_ids(case.standing, rows.index)))


def left_over(case: Case) -> Claims:
    """Claim at most a cent per entry beside a cause that is named."""
    rows = case.open_rows
    rows = rows[rows.index.isin(case.claimed["row"]) & is_rounding(rows["rest"], rows["n"])]
    if rows.empty:
        return nothing()
    sentence = amounts(rows["rest"]) + " is what rounding leaves beside the cause named."
    return claims(rows.index, rows["rest"], sentence, records(rows.index, entries=entry_ids(case.standing, rows.index)))
