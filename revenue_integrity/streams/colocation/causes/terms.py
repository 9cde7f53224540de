"""Causes of other terms: billed is what older readings, an earlier version or other days would have given; or no terms at all.

Belongs here: these causes. Does not belong here: what is left when none fits (``left_over``).
"""

from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.close.causes.alternatives import first_equal, first_fitting
from revenue_integrity.close.causes.amounts import is_rounding
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.items import counts, sums
from revenue_integrity.close.causes.sides import nothing_due, nothing_there
from revenue_integrity.close.causes.wording import amounts, counted, documents, listed, records, verb
from revenue_integrity.exact import rounded
from revenue_integrity.streams.colocation.causes.documents import open_lines
from revenue_integrity.streams.colocation.causes.inputs import days, label

UNIT = 10**6
"""Millionths in one rack or kW."""

CENT = 10**10
"""Millionths times millionths of a currency unit in a cent."""


def _usage_as_known(case: Case, *, all_estimates: bool) -> Claims:
    known = case.more["known"]
    if known.empty:
        return nothing()
    is_estimate = known["changed_days"] == known["changed_estimates"]
    alternatives = known[(known["changed_days"] > 0) & (is_estimate == all_estimates)].rename(columns={"amount_cents": "cents"})
    rows = case.open_rows
    found = first_equal(alternatives.assign(rank=0), rows["due_cents"] + rows["rest"]).set_index("row")
    if found.empty:
        return nothing()
    since = "rested on estimates that were replaced since" if all_estimates else "had readings that came or were corrected since"
    meter_days = counted(found["changed_days"], "meter-day")
    sentence = "Billed with the readings known on " + found["known_on"] + ": " + meter_days + f" {since}."
    lines = open_lines(case).sort_values("order")
    evidence = records(
        found.index, lines=listed(lines, "row", found.index), known_on=found["known_on"], readings=found["readings"]
    )
    return claims(found.index, rows["rest"].reindex(found.index), sentence, evidence)


def estimated_meter(case: Case) -> Claims:
    """Claim usage billed from source estimates that actual readings have replaced since."""
    return _usage_as_known(case, all_estimates=True)


def late_meter(case: Case) -> Claims:
    """Claim usage billed before readings arrived, or from readings that were corrected since."""
    return _usage_as_known(case, all_estimates=False)


def uncontracted(case: Case) -> Claims:
    """Claim lines of a charge type of which nothing is due in the month."""
    rows = nothing_due(case)
    if rows.empty:
        return nothing()
    still_open = open_lines(case)
    lines = pd.concat([still_open, case.left[~case.left["row"].isin(still_open["row"])]]).sort_values("order")
    # Cents that credits leave of what they take back are rounding.
    rows = rows[rows.index.isin(still_open["row"]) | ~is_rounding(rows["rest"], counts(lines, rows.index))]
    if rows.empty:
        return nothing()
    billed = sums(lines, "cents", rows.index)
    sentence = (
        "Nothing of " + rows["name"] + " is due in " + label(rows["month"]) + "; " + documents(lines, "row", rows.index)
        + " " + verb(lines, "row", rows.index, "bill") + " " + amounts(billed)
        + (", of which " + amounts(rows["rest"]) + " has no other cause").where(billed != rows["rest"], "") + "."
    )  # fmt: skip
    return claims(rows.index, rows["rest"], sentence, records(rows.index, lines=listed(lines, "row", rows.index)))


def stale_version(case: Case) -> Claims:
    """Claim what was billed on the terms of an earlier version that a later active one has replaced.

    The cents are what that version gives, less what is due: charge by charge, or as one charge where nothing had come between,
    whichever was billed.
    """
    lines = open_lines(case)
    parts = case.more["earlier"]
    parts = parts[parts["row"].isin(lines["row"])].rename(columns=_OF_PART)
    if parts.empty:
        return nothing()
    one = ["row", "earlier_version", "is_together"]
    parts = parts.assign(alternative=parts.groupby(one).ngroup())
    alternatives = parts.drop_duplicates("alternative").set_index("alternative")[one]
    alternatives = alternatives.assign(
        rank=-alternatives["earlier_version"], cents=sums(parts, "cents", alternatives.index, by="alternative")
    )
    due = alternatives["row"].map(case.rows["due_cents"])
    found = first_fitting(alternatives[alternatives["cents"] != due], parts, lines)
    if found.empty:
        return nothing()
    row, of_row = found["row"], pd.Index(found["row"])
    replaced = _replaced(case, found, parts)
    later = replaced.drop_duplicates(["alternative", "version"]).sort_values("version")
    versions = later.assign(text=later["version"].astype(str)).groupby("alternative")["text"].agg(", ".join)
    sentence = (
        documents(lines, "row", of_row).set_axis(found.index) + " " + verb(lines, "row", of_row, "bill").set_axis(found.index)
        + " " + row.map(case.rows["name"]) + " on version " + found["earlier_version"].astype(str) + ", replaced by version "
        + versions.reindex(found.index) + "."
    )  # fmt: skip
    evidence = records(
        found.index,
        lines=listed(lines.sort_values("order"), "row", of_row).set_axis(found.index),
        contract_versions=records(
            found.index, billed=found["earlier_version"], in_force=listed(replaced, "alternative", found.index)
        ),
    )
    return claims(row, found["cents"] - due.reindex(found.index), sentence, evidence)


_OF_PART = {"micro_quantity": "quantity", "micro_price": "price", "amount_cents": "cents"}
"""What a charge on other terms is called here, as the charge itself."""


def _replaced(case: Case, found: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Return the versions that stand where an earlier one was billed: those of the charges due, and where they give none."""
    billed = found[["row", "earlier_version"]].rename_axis("alternative").reset_index()
    dues = billed.merge(case.right[["row", "version", "evidence"]], on="row")
    dues = dues[dues["version"] > dues["earlier_version"]]
    others = parts[parts["replaced_by"].notna() & parts["alternative"].isin(found.index)]
    others = others.assign(version=others["replaced_by"].astype("int64"))
    known = pd.MultiIndex.from_frame(dues[["alternative", "version"]])
    others = others[~pd.MultiIndex.from_frame(others[["alternative", "version"]]).isin(known)]
    others = others.assign(
        evidence=records(
            others.index,
            version=others["version"],
            segment_from=days(others["segment_from"]),
            segment_to=days(others["segment_to"]),
        )
    )
    columns = ["alternative", "version", "evidence"]
    return pd.concat([dues[columns], others[columns]], ignore_index=True)


def proration(case: Case) -> Claims:
    """Claim a full month billed for a part in which service starts or ends, or a part billed for a full month."""
    lines = open_lines(case)
    dues = case.right[case.right["row"].isin(lines["row"])].sort_values(["row", "segment_from"], kind="stable")
    dues = dues[~dues["row"].isin(dues.loc[dues["full_quantity"].isna(), "row"])]
    if dues.empty:
        return nothing()
    dues = dues.assign(month=dues["row"].map(case.rows["month"]), full_quantity=dues["full_quantity"].astype("int64"))
    alternatives, parts = _prorations(dues, lines)
    due = alternatives["row"].map(case.rows["due_cents"])
    alternatives = alternatives.assign(cents=sums(parts, "cents", alternatives.index, by="alternative"))
    found = first_fitting(alternatives[alternatives["cents"] != due], parts, lines)
    if found.empty:
        return nothing()
    row, of_row = found["row"], pd.Index(found["row"])
    spans = (
        dues.groupby("row").agg(first=("segment_from", "min"), last=("segment_to", "last")).reindex(of_row).set_axis(found.index)
    )
    name = row.map(case.rows["name"])
    span = "days without service, too: " + name + " is due for " + days(spans["first"]) + " to " + days(spans["last"]) + " only."
    part = counted(found["billed_days"], "day") + " of " + name + ", which is due for the full month."
    subject = documents(lines, "row", of_row) + " " + verb(lines, "row", of_row, "bill") + " "
    sentence = subject.set_axis(found.index) + span.where(found["billed_days"] == 0, part)
    evidence = records(
        found.index,
        lines=listed(lines.sort_values("order"), "row", of_row).set_axis(found.index),
        charges=listed(case.right, "row", of_row).set_axis(found.index),
    )
    return claims(row, found["cents"] - due.reindex(found.index), sentence, evidence)


def _prorations(dues: pd.DataFrame, lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return other days for which a charge may have been billed, in order, each with its charges.

    The whole month, from its start, or to its end, where service starts or ends inside; or some days of a full month
    (``billed_days``; a whole number of racks or kW is read as that number, even where it is also a number of days).
    """
    per_row = dues.groupby("row")
    gap = (dues["segment_from"] - per_row["segment_to"].shift()).dt.days
    is_continuous = (gap.isna() | (gap == 1)).groupby(dues["row"]).all()
    last_day = dues["month"] + pd.offsets.MonthEnd(0)
    starts = per_row["segment_from"].first() > per_row["month"].first()
    ends = per_row["segment_to"].last() < last_day.groupby(dues["row"]).first()
    is_first, is_last = per_row.cumcount() == 0, per_row.cumcount(ascending=False) == 0
    kinds, pieces = [], []
    for rank, (from_start, to_end) in enumerate(((True, True), (True, False), (False, True))):
        possible = is_continuous & (starts | ends) & (starts | (not from_start)) & (ends | (not to_end))
        kinds.append(pd.DataFrame({"row": possible.index[possible], "rank": rank, "billed_days": 0}))
        first = dues["segment_from"].mask(is_first & from_start, dues["month"])
        until = dues["segment_to"].mask(is_last & to_end, last_day)
        pieces.append(dues.assign(rank=rank, billed_days=(until - first).dt.days + 1))
    part = part_of_a_month(lines, dues)
    is_whole = lines.groupby("row")["quantity"].first().reindex(part.index) % UNIT == 0
    kinds.append(pd.DataFrame({"row": part.index, "rank": len(kinds), "billed_days": part})[~is_whole.to_numpy()])
    pieces.append(dues[dues["row"].isin(part.index)].assign(rank=len(pieces), billed_days=lambda found: found["row"].map(part)))
    alternatives = pd.concat(kinds, ignore_index=True)
    numbered = alternatives[["row", "rank"]].rename_axis("alternative").reset_index()
    parts = pd.concat(pieces, ignore_index=True).merge(numbered, on=["row", "rank"], how="inner")
    in_month = parts["month"].dt.days_in_month
    full, of_month = parts["full_quantity"].to_numpy(dtype=object), in_month.to_numpy(dtype=object)
    billed = full * parts["billed_days"].to_numpy(dtype=object)
    return alternatives, parts.assign(
        quantity=rounded(billed, of_month).astype("int64"),
        cents=rounded(billed * parts["price"].to_numpy(dtype=object), of_month * CENT).astype("int64"),
    )


def part_of_a_month(lines: pd.DataFrame, dues: pd.DataFrame) -> "pd.Series[Any]":
    """Return by row how many days one line bills of one charge that is due for the full month, where it is so read."""
    one_line, one_due = (each[~each["row"].duplicated(keep=False)].set_index("row") for each in (lines, dues))
    both = one_line[["quantity", "price"]].join(
        one_due[["price", "full_quantity", "month", "segment_from", "segment_to"]], rsuffix="_due", how="inner"
    )
    both = both[(both["full_quantity"].fillna(0) > 0) & (both["price"] == both["price_due"])]
    in_month = both["month"].dt.days_in_month
    both = both[(both["segment_to"] - both["segment_from"]).dt.days + 1 >= in_month]
    of_month = both["month"].dt.days_in_month.to_numpy(dtype=object)
    full, quantity = (both[name].astype("int64").to_numpy(dtype=object) for name in ("full_quantity", "quantity"))
    billed = rounded(quantity * of_month, full)
    is_exact = np.abs(rounded(full * billed, of_month) - quantity) <= 1
    found = pd.Series(billed, index=both.index)
    return found[np.asarray(is_exact & (billed > 0) & (billed < of_month), dtype=bool)].astype("int64")


def unbilled(case: Case) -> Claims:
    """Claim expected charges without any ERP line."""
    rows = nothing_there(case)
    if rows.empty:
        return nothing()
    sentence = rows["name"] + " of " + amounts(-rows["rest"]) + " is due in " + label(rows["month"]) + "; no ERP line bills it."
    return claims(rows.index, rows["rest"], sentence, records(rows.index, charges=listed(case.right, "row", rows.index)))
