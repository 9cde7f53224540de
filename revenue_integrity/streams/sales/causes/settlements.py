"""The causes of ``sales_vs_settlements``, in order of precedence.

Belongs here: what settlements of all months tell of a transaction. Does not belong here: the ledger (``ledger``).
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from revenue_integrity.close.causes.copies import is_nearer
from revenue_integrity.close.causes.explaining import Case, Cause, Claims, claims, nothing
from revenue_integrity.close.causes.labels import ROUNDING, TIMING
from revenue_integrity.close.causes.moves import adjacent
from revenue_integrity.close.causes.wording import amounts, records
from revenue_integrity.streams.sales.causes.ledger import NEAR, ends, rounding

FAMILIES = {
    "in_transit": TIMING,
    "duplicate_settlement": "duplicate",
    "chargeback": "credit",
    "refund": "credit",
    "quarantined": "data",
    "unknown_transaction": "data",
    "discount_not_applied": "configuration",
    ROUNDING: "rounding",
    "unsettled": "missing",
}
"""The causes in order of precedence, each with its family."""


def _known(case: Case, column: str, rows: pd.DataFrame) -> "pd.Series[Any]":
    """Return what is known of each row's transaction; 0 or false where nothing is."""
    values = case.more["sold"].set_index("transaction_id")[column]
    found = rows["transaction_id"].map(values)
    is_flag = column.startswith("is_")
    return (
        found.map(lambda each: bool(each) if pd.notna(each) else False).astype(bool)
        if is_flag
        else found.fillna(0).astype("int64")
    )


def _of_rows(case: Case, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the settlements of each row: of its transaction in its month."""
    of_row = rows.rename_axis("row").reset_index()[["row", "transaction_id", "step"]]
    return case.more["settled"].merge(of_row, on=["transaction_id", "step"], how="inner")


def in_transit(case: Case) -> Claims:
    """Claim sales that are settled in the month beside their own."""
    rows = case.open_rows[case.open_rows["transaction_id"].notna()]
    moved = rows.assign(key=rows["transaction_id"], cents=rows["rest"])[["key", "step", "cents"]]
    pairs = adjacent(moved, NEAR)
    is_sale = rows["sold"] != 0
    pairs = pairs[pairs["one"].map(is_sale).astype(bool) | pairs["other"].map(is_sale).astype(bool)]
    return ends(
        case,
        pairs,
        "in_transit",
        lambda one, other: "Sold and settled in different months: " + one["label"] + " and " + other["label"] + ".",
    )


def duplicate_settlement(case: Case) -> Claims:
    """Claim the later of two equal charges while charges exceed what is due by just one."""
    rows = case.open_rows
    rows = rows[_known(case, "is_ours", rows)]
    settled = case.more["settled"]
    charges = settled[(settled["type"] == "charge") & settled["transaction_id"].isin(rows["transaction_id"])]
    excess = charges.groupby("transaction_id")["cents"].sum() - case.more["sold"].set_index("transaction_id")["due_cents"]
    again = charges[charges.duplicated(["transaction_id", "cents"])].drop_duplicates("transaction_id", keep="last")
    again = again[(again["transaction_id"].map(excess) - again["cents"]).abs() <= NEAR]
    of_row = rows.rename_axis("row").reset_index()[["row", "transaction_id", "step"]]
    found = again.merge(of_row, on=["transaction_id", "step"], how="inner")
    refunds = _of_rows(case, rows)
    refunds = refunds[refunds["type"] == "refund"]
    back = set(zip(refunds["row"], -refunds["cents"], strict=True))
    is_back = [(row, cents) in back for row, cents in zip(found["row"], found["cents"], strict=True)]
    found = found[~pd.Series(is_back, index=found.index, dtype=bool)]
    if found.empty:
        return nothing()
    sentence = "Settlement " + found["settlement_id"] + " charges " + amounts(found["cents"]) + " a second time."
    return claims(
        found["row"], found["cents"], sentence, records(found.index, settlements=found["settlement_id"].map(lambda each: [each]))
    )


def _paid_back(kind: str, words: str) -> Callable[[Case], Claims]:
    def find(case: Case) -> Claims:
        rows = case.open_rows
        rows = rows[_known(case, "is_ours", rows)]
        found = _of_rows(case, rows)
        found = found[found["type"] == kind].reset_index(drop=True)
        rest = found["row"].map(rows["rest"])
        running = found.groupby("row")["cents"].cumsum() - found["cents"]
        found = found[is_nearer(rest - running, found["cents"])]
        if found.empty:
            return nothing()
        sentence = "Settlement " + found["settlement_id"] + f" {words} " + amounts(-found["cents"]) + "."
        return claims(
            found["row"],
            found["cents"],
            sentence,
            records(found.index, settlements=found["settlement_id"].map(lambda each: [each])),
        )

    return find


def _where(holds: Callable[[Case, pd.DataFrame], "pd.Series[bool]"], words: str) -> Callable[[Case], Claims]:
    def find(case: Case) -> Claims:
        rows = case.open_rows
        found = rows[holds(case, rows)]
        if found.empty:
            return nothing()
        settled = _of_rows(case, found).groupby("row")["settlement_id"].agg(list)
        proof = records(found.index, settlements=settled.reindex(found.index))
        return claims(found.index, found["rest"], found["name"].str[:1].str.upper() + found["name"].str[1:] + f" {words}.", proof)

    return find


def _is_refused(case: Case, rows: pd.DataFrame) -> "pd.Series[bool]":
    return ~_known(case, "is_ours", rows) & _known(case, "is_refused", rows)


def _is_unknown(case: Case, rows: pd.DataFrame) -> "pd.Series[bool]":
    has_settlement = rows["booked"] != 0
    return has_settlement & (~_known(case, "is_ours", rows) | _known(case, "is_cash", rows) | rows["transaction_id"].isna())


def discount_not_applied(case: Case) -> Claims:
    """Claim the discount of a transaction that was charged without it."""
    rows = case.open_rows
    discount = _known(case, "discount_cents", rows)
    found = rows[(discount != 0) & ((rows["rest"] - discount).abs() <= NEAR)]
    if found.empty:
        return nothing()
    cents = discount.loc[found.index]
    return claims(found.index, cents, "The discount of " + found["name"] + " was charged all the same.", records(found.index))


def _is_unsettled(case: Case, rows: pd.DataFrame) -> "pd.Series[bool]":
    settled = case.more["settled"]
    charged = set(settled.loc[settled["type"] == "charge", "transaction_id"])
    return ~rows["transaction_id"].isin(charged) & (rows["sold"] != 0)


CAUSES = (
    Cause("in_transit", in_transit),
    Cause("duplicate_settlement", duplicate_settlement),
    Cause("chargeback", _paid_back("chargeback", "takes back")),
    Cause("refund", _paid_back("refund", "pays back")),
    # What a duplicate or a refund has left may be on its way all the same.
    Cause("in_transit", in_transit),
    Cause("quarantined", _where(_is_refused, "stands only in quarantine")),
    Cause("unknown_transaction", _where(_is_unknown, "is not ours, was paid in cash, or names nothing")),
    Cause("discount_not_applied", discount_not_applied),
    Cause(ROUNDING, rounding),
    Cause("unsettled", _where(_is_unsettled, "was charged in no month")),
)
