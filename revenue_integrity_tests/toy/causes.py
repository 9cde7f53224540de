"""Why the books hold something else for a boat than was due: the causes of the toy stream, in order of precedence.

Belongs here: what each cause claims, and the sentence that says so. Does not belong here: taking causes one after the other and
what such causes are found by (``close.causes``), which reconciliation they explain (``recon``).
"""

import pandas as pd

from revenue_integrity.close.causes.amounts import is_rounding, is_transposed
from revenue_integrity.close.causes.explaining import Case, Cause, Claims, case_of, claims, late_items
from revenue_integrity.close.causes.items import at, counts, sums
from revenue_integrity.close.causes.labels import LATE_POSTING, ROUNDING
from revenue_integrity.close.causes.wording import amounts, documents, listed, records
from revenue_integrity.model.reconciliation import CURRENT

FAMILIES = {LATE_POSTING: "timing", "unbooked": "missing", "digits_exchanged": "data", ROUNDING: "rounding"}
"""The causes, each with its family; what none claims is ``unexplained``."""


def unbooked(case: Case) -> Claims:
    """Claim what was due for rentals of which the books hold nothing."""
    rentals = case.right[~case.right["is_booked"]]
    rows = case.open_rows
    rows = rows[rows.index.isin(rentals["row"])]
    due = sums(rentals, "cents", rows.index)
    sentence = "Nothing is booked for " + documents(rentals, "row", rows.index) + "; " + amounts(due) + " is due."
    return claims(rows.index, -due, sentence, records(rows.index, rentals=listed(rentals, "row", rows.index)))


def digits_exchanged(case: Case) -> Claims:
    """Claim the difference of a booking that is what was due with two neighbouring digits exchanged."""
    found = case.left[case.left["row"].isin(case.open_rows.index)]
    found = found[is_transposed(found["cents"], found["due_cents"])]
    sentence = (
        amounts(found["cents"]) + " is booked for " + found["document"] + " where " + amounts(found["due_cents"]) + " is due."
    )
    evidence = records(found.index, rentals=found["evidence"].map(lambda each: [each]))
    return claims(found["row"], found["cents"] - found["due_cents"], sentence, evidence)


def rounding(case: Case) -> Claims:
    """Claim at most a cent for each booking."""
    rows = case.open_rows
    bookings = counts(case.left, rows.index)
    rows = rows[is_rounding(rows["rest"], bookings) & (bookings > 0)]
    sentence = amounts(rows["rest"]) + " is what rounding leaves for " + rows["boat_id"] + "."
    return claims(rows.index, rows["rest"], sentence, records(rows.index, rentals=listed(case.left, "row", rows.index)))


CAUSES = (Cause("unbooked", unbooked), Cause("digits_exchanged", digits_exchanged), Cause(ROUNDING, rounding))
"""In the view of all postings; a cause sees what the ones before it have left."""


def boats_to_explain(results: pd.DataFrame, rentals: pd.DataFrame) -> Case:
    """Return the boats whose sides differ, with their bookings on the left and what was due on the right."""
    rows = results.loc[(results["view"] == CURRENT) & (results["variance_cents"] != 0), ["row_key", "boat_id", "variance_cents"]]
    rows = rows.reset_index(drop=True).astype({"variance_cents": "int64"}).rename(columns={"variance_cents": "cents"})
    items = rentals[rentals["boat_id"].isin(rows["boat_id"])].sort_values("rental_id", ignore_index=True)
    row = at(pd.Series(rows.index, index=rows["boat_id"]), items["boat_id"])
    items = items.assign(row=row, document=items["rental_id"], evidence=items["rental_id"])
    booked = items[items["is_booked"]]
    return case_of(rows, booked.assign(cents=booked["booked_cents"]), items.assign(cents=items["due_cents"]))


def late_postings(results: pd.DataFrame, rentals: pd.DataFrame) -> pd.DataFrame:
    """Return what the view as of close has besides: bookings that were posted after the cutoff."""
    row_key = results.drop_duplicates("boat_id").set_index("boat_id")["row_key"]
    items = rentals.assign(row_key=at(row_key, rentals["boat_id"]), cents=rentals["booked_cents"], evidence=rentals["rental_id"])
    sentence = amounts(items["cents"]) + " for " + items["rental_id"] + " was booked after the cutoff."
    return late_items(items, sentence, named="rentals")
