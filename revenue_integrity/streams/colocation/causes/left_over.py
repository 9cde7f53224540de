"""What is left over: cents of rounding, and a difference of price and quantity that nothing else explains.

Belongs here: these causes. Does not belong here: a reason for the difference (``terms``, ``places``, ``documents``).
"""

from typing import Any

import pandas as pd

from revenue_integrity.close.causes.amounts import is_rounding
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.items import counts, sums
from revenue_integrity.close.causes.residual import Split, split
from revenue_integrity.close.causes.wording import amounts, documents, listed, numbers, records
from revenue_integrity.streams.colocation.causes.documents import open_lines
from revenue_integrity.streams.colocation.causes.terms import CENT, part_of_a_month

_AGREE_OTHERWISE = ("period_shift", "unmapped_line", "wrong_contract", "stale_version", "proration")
"""Causes after which what is left of a row is compared no further: quantity and price agree with what they say."""


def rounding(case: Case) -> Claims:
    """Claim at most a cent per line or segment where quantity and price agree."""
    rows = case.open_rows
    lines = open_lines(case)
    items, charges = counts(lines, rows.index), counts(case.right, rows.index)
    agrees = case.with_cause(_AGREE_OTHERWISE).reindex(rows.index) | _agrees(case, lines, items, charges)
    rows = rows[is_rounding(rows["rest"], items.where(items > charges, charges)) & agrees]
    if rows.empty:
        return nothing()
    sentence = (
        "Quantity and price of " + rows["name"] + " agree; " + amounts(rows["rest"]) + " is rounding of "
        + items.reindex(rows.index).astype(str) + " lines and " + charges.reindex(rows.index).astype(str) + " segments."
    )  # fmt: skip
    evidence = records(
        rows.index,
        lines=listed(lines.sort_values("order"), "row", rows.index),
        charges=listed(case.right, "row", rows.index),
    )
    return claims(rows.index, rows["rest"], sentence, evidence)


def _agrees(case: Case, lines: pd.DataFrame, items: "pd.Series[Any]", charges: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return whether lines and charges of a row have the same prices, and quantities up to rounding."""
    index = items.index
    quantity = sums(lines, "quantity", index) - sums(case.right, "quantity", index)
    billed, due = (each.groupby("row")["price"].agg(frozenset).reindex(index) for each in (lines, case.right))
    return (items > 0) & (billed == due) & (quantity.abs() <= items + charges)


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
        documents(found.left, "pair", pairs.index) + " bills " + pairs["row"].map(case.rows["name"]) + " at "
        + numbers(pairs["price"]) + "; the contract says " + numbers(pairs["price_due"]) + "."
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
    named = documents(found.left, "pair", pairs.index)
    sentence = (
        named.where(named != "", "No line") + " bills " + numbers(pairs["quantity"]) + " of "
        + pairs["row"].map(case.rows["name"]) + "; " + numbers(pairs["quantity_due"]) + " is due."
    )  # fmt: skip
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
