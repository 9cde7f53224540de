"""What is left over: cents of rounding, and a difference of price and quantity that nothing else explains.

Belongs here: these causes. Does not belong here: a reason for the difference (``terms``, ``places``, ``documents``).
"""

from typing import Any

import pandas as pd

from revenue_integrity.close.causes.amounts import is_rounding
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.items import counts
from revenue_integrity.close.causes.residual import Split, split
from revenue_integrity.close.causes.wording import amounts, counted, documents, listed, numbers, records, verb
from revenue_integrity.streams.colocation.causes.documents import open_lines
from revenue_integrity.streams.colocation.causes.terms import CENT, part_of_a_month

_AGREE_OTHERWISE = ("period_shift", "unmapped_line", "wrong_contract", "stale_version", "proration")
"""Causes after which what is left of a row is compared no further: they say what its quantity and price are."""


def rounding(case: Case) -> Claims:
    """Claim at most a cent per line or segment where quantity and price agree, and per credit that takes something back."""
    rows = case.open_rows
    lines = open_lines(case)
    items, charges = counts(lines, rows.index), counts(case.right, rows.index)
    repairs = counts(case.left[case.left["is_repaired"] & case.left["is_credit"]], rows.index)
    agrees = _agrees(case, lines, rows.index)
    is_left = case.with_cause(_AGREE_OTHERWISE).reindex(rows.index) | ((items == 0) & (charges == 0) & (repairs > 0))
    most = items.where(items > charges, charges) + repairs
    rows = rows[is_rounding(rows["rest"], most) & (agrees | is_left)]
    if rows.empty:
        return nothing()
    agreeing = "Quantity and price of " + rows["name"] + " agree; " + amounts(rows["rest"]) + " is rounding of "
    over = counted(items.reindex(rows.index), "line") + " and " + counted(charges.reindex(rows.index), "segment")
    credited = (" and " + counted(repairs.reindex(rows.index), "credit")).where(repairs.reindex(rows.index) > 0, "")
    beside = amounts(rows["rest"]) + " of " + rows["name"] + " is what rounding leaves beside the causes named"
    of_credits = amounts(rows["rest"]) + " of " + rows["name"] + " is what credits leave of what they take back"
    has_cause = pd.Series(rows.index.isin(case.claimed["row"]), index=rows.index)
    sentence = (agreeing + over + credited).where(agrees.reindex(rows.index), beside.where(has_cause, of_credits)) + "."
    evidence = records(
        rows.index,
        lines=listed(lines.sort_values("order"), "row", rows.index),
        charges=listed(case.right, "row", rows.index),
    )
    return claims(rows.index, rows["rest"], sentence, evidence)


def _agrees(case: Case, lines: pd.DataFrame, index: "pd.Index[Any]") -> "pd.Series[Any]":
    """Return whether lines and charges of a row have the same prices, and at each of them the same quantity up to rounding."""
    key = ["row", "price"]
    both = pd.concat([each[[*key, "quantity"]].assign(side=side) for side, each in ((1, lines), (-1, case.right))])
    both = both[both["row"].isin(index)].assign(signed=lambda found: found["quantity"] * found["side"])
    per_price = both.groupby(key).agg(off=("signed", "sum"), items=("side", "size"), sides=("side", "nunique"))
    is_same = (per_price["sides"] == 2) & (per_price["off"].abs() <= per_price["items"])
    return is_same.groupby("row").all().reindex(index, fill_value=False)


def _split(case: Case) -> Split | None:
    """Return how price and quantity make up the difference of the rows that have both sides; ``None`` where no row has."""
    rows = case.open_rows.index
    with_both = rows[rows.isin(case.left["row"]) & rows.isin(case.right["row"])]
    if with_both.empty:
        return None
    charges = case.right.sort_values(["row", "segment_from"], kind="stable")
    return split(with_both, open_lines(case).sort_values("order"), charges, CENT)


def price_mismatch(case: Case) -> Claims:
    """Claim (price billed − price due) × quantity billed."""
    found = _split(case)
    if found is None:
        return nothing()
    pairs = found.pairs[found.pairs["price_cents"] != 0]
    if pairs.empty:
        return nothing()
    sentence = (
        documents(found.left, "pair", pairs.index) + " " + verb(found.left, "pair", pairs.index, "bill") + " "
        + pairs["row"].map(case.rows["name"]) + " at " + numbers(pairs["price"]) + "; the contract says "
        + numbers(pairs["price_due"]) + "."
    )  # fmt: skip
    return claims(pairs["row"], pairs["price_cents"], sentence, _evidence(found, pairs))


def quantity_mismatch(case: Case) -> Claims:
    """Claim (quantity billed − quantity due) × price due."""
    found = _split(case)
    if found is None:
        return nothing()
    pairs = found.pairs[found.pairs["quantity_cents"] != 0]
    if pairs.empty:
        return nothing()
    name, due = pairs["row"].map(case.rows["name"]), numbers(pairs["quantity_due"])
    billed = documents(found.left, "pair", pairs.index) + " " + verb(found.left, "pair", pairs.index, "bill") + " "
    billed += numbers(pairs["quantity"]) + " of " + name
    both = billed + "; " + due + " is due."
    sentence = both.mask(pairs["charges"] == 0, billed + ", for which no charge is left.")
    sentence = sentence.mask(pairs["items"] == 0, "No line is left that bills " + due + " of " + name + ", which is due.")
    return claims(
        pairs["row"], pairs["quantity_cents"], sentence, _evidence(found, pairs, also_possible=_days(case, found, pairs))
    )


def _days(case: Case, found: Split, pairs: pd.DataFrame) -> "pd.Series[Any]":
    """Return for each pair whether its line may also be read as some days of the month, as evidence."""
    dues = case.right[case.right["row"].isin(pairs["row"])]
    single = dues[~dues["row"].duplicated(keep=False)]
    lines = found.left[found.left["pair"].isin(pairs.index)]
    read = part_of_a_month(
        lines.assign(row=lines["pair"]),
        _per_pair(pairs, single.assign(month=single["row"].map(case.rows["month"]))),
    )
    return read.map(lambda days: [{"cause": "proration", "billed_days": days}]).reindex(pairs.index).astype(object)


def _per_pair(pairs: pd.DataFrame, dues: pd.DataFrame) -> pd.DataFrame:
    """Return the charges of each pair's row, under the number of the pair."""
    return pairs[["row"]].rename_axis("pair").reset_index().merge(dues, on="row").assign(row=lambda found: found["pair"])


def _evidence(found: Split, pairs: pd.DataFrame, **more: Any) -> "pd.Series[Any]":
    return records(
        pairs.index, lines=listed(found.left, "pair", pairs.index), charges=listed(found.right, "pair", pairs.index), **more
    )
