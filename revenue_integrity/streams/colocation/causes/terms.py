"""Causes of other terms: billed is what older readings, an earlier version or other days would have given; or no terms at all.

Belongs here: these causes. Does not belong here: what is left when none fits (``left_over``).
"""

from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.close.causes.alternatives import first_equal, first_fitting
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.items import sums
from revenue_integrity.close.causes.sides import nothing_due, nothing_there
from revenue_integrity.close.causes.wording import amounts, documents, listed, records
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
    since = "estimates that were replaced since" if all_estimates else "readings that arrived or were corrected since"
    sentence = (
        "Billed with the readings known on "
        + found["known_on"]
        + ": "
        + found["changed_days"].astype(str)
        + f" meter-days rested on {since}."
    )
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
    sentence = (
        "Nothing of " + rows["name"] + " is due in " + label(rows["month"]) + "; " + documents(lines, "row", rows.index)
        + " bills " + amounts(rows["rest"]) + "."
    )  # fmt: skip
    return claims(rows.index, rows["rest"], sentence, records(rows.index, lines=listed(lines, "row", rows.index)))


def stale_version(case: Case) -> Claims:
    """Claim what was billed on the terms of an earlier version that a later active one has replaced."""
    lines = open_lines(case)
    earlier = case.more["earlier"]
    earlier = earlier[earlier["row"].isin(lines["row"])]
    if earlier.empty:
        return nothing()
    versions = earlier[["row", "earlier_version"]].drop_duplicates(ignore_index=True)
    parts = _on_earlier_versions(case, versions, earlier)
    due = versions["row"].map(case.rows["due_cents"])
    alternatives = versions.assign(
        rank=-versions["earlier_version"], cents=sums(parts, "cents", versions.index, by="alternative")
    )
    found = first_fitting(alternatives[alternatives["cents"] != due], parts, lines)
    if found.empty:
        return nothing()
    cents = found["cents"] - due.reindex(found.index)
    replaced = parts[parts["alternative"].isin(found.index) & (parts["version"] > parts["earlier_version"])]
    later = replaced.assign(text=replaced["version"].astype(str)).groupby("alternative")["text"]
    row = found["row"]
    of_row = pd.Index(row)
    sentence = (
        documents(lines, "row", of_row).set_axis(found.index) + " bills " + row.map(case.rows["name"]) + " on version "
        + found["earlier_version"].astype(str) + ", which version "
        + later.agg(lambda texts: ", ".join(sorted(set(texts)))).reindex(found.index) + " has replaced."
    )  # fmt: skip
    evidence = records(
        found.index,
        lines=listed(lines.sort_values("order"), "row", of_row).set_axis(found.index),
        contract_versions=records(
            found.index, billed=found["earlier_version"], in_force=listed(replaced, "alternative", found.index)
        ),
    )
    return claims(row, cents, sentence, evidence)


def _on_earlier_versions(case: Case, versions: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Return what each charge of a row would be on each earlier version, where a later one is in force.

    Overage is charged once a month, on the day of the highest excess: the segment with the most of it counts.
    """
    dues = case.right.rename_axis("due").reset_index()
    pairs = versions.rename_axis("alternative").reset_index().merge(dues, on="row", how="inner")
    is_overage = pairs["row"].map(case.rows["charge_type"]) == "overage"
    on = ["row", "earlier_version"]
    terms = earlier[[*on, "segment_from", "micro_quantity", "micro_price", "amount_cents"]]
    highest = terms.sort_values([*on, "micro_quantity", "segment_from"], ascending=[True, True, False, True], kind="stable")
    of_segment = pairs.merge(terms, on=[*on, "segment_from"], how="left")
    of_month = pairs.merge(highest.drop_duplicates(on).drop(columns="segment_from"), on=on, how="left")
    chosen = of_segment.where(~is_overage, of_month)
    applies = (pairs["version"] > pairs["earlier_version"]) & chosen["amount_cents"].notna()
    return pairs.assign(
        quantity=chosen["micro_quantity"].where(applies, pairs["quantity"]).astype("int64"),
        price=chosen["micro_price"].where(applies, pairs["price"]).astype("int64"),
        cents=chosen["amount_cents"].where(applies, pairs["cents"]).astype("int64"),
    ).sort_values(["alternative", "due"], kind="stable", ignore_index=True)


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
    span = "days without service: " + name + " is due for " + days(spans["first"]) + " to " + days(spans["last"]) + " only."
    part = found["billed_days"].astype(str) + " days of " + name + ", which is due for the full month."
    sentence = documents(lines, "row", of_row).set_axis(found.index) + " bills " + span.where(found["billed_days"] == 0, part)
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
