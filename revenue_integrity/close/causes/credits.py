"""Credits and reversals: those that repair an error within the row, and those that stand.

Belongs here: telling the two apart. Does not belong here: what a standing one is called, and whether it names a document of
its own row (items say so).

Of items it looks at ``is_credit`` (whatever the document is called), ``document``, and ``corrects``: the document that a credit
names, null for none.
"""

from typing import Any

import pandas as pd

from revenue_integrity.close.causes.items import counts, in_turn, sums


def repaired(items: pd.DataFrame, cents: "pd.Series[Any]", *, named_only: bool = False) -> "pd.Index[Any]":
    """Return the items that repair each other: a credit and what it takes back, while something else of the row stands.

    A credit takes back an item of the document that it names with the opposite amount, or else that whole document; one that
    names none takes any such item (never with ``named_only``). Credits that name a document choose first. A credit and a
    rebill that net to what is due are no variance. ``cents`` are the variances of the rows: where the credits are all that is
    wrong (to a cent per item), or one of them alone is, nothing repairs anything.
    """
    index = cents.index
    items = items[items["row"].isin(index)]
    is_credit = items["is_credit"]
    only_credits = (cents - sums(items[is_credit], "cents", index)).abs() <= counts(items, index)
    candidates = items[is_credit & ~items["row"].isin(index[only_credits])]
    if named_only:
        candidates = candidates[candidates["corrects"].notna()]
    chosen_first = candidates.assign(unnamed=candidates["corrects"].isna()).sort_values(
        ["row", "unnamed", "order"], kind="stable"
    )
    bills = items[~is_credit].sort_values("order", kind="stable")
    gone = pd.Index([], dtype="int64")
    for credit in in_turn(chosen_first, "row"):
        standing = bills[~bills.index.isin(gone)]
        taken = _taken_back(credit.set_index("row", drop=False), standing)
        stays = counts(standing, index) - counts(taken, index)
        repairs = (
            credit["row"].isin(taken["row"]) & (credit["row"].map(stays) > 0) & (credit["cents"] != credit["row"].map(cents))
        )
        rows = credit.loc[repairs, "row"]
        gone = gone.append([credit.index[repairs], taken.index[taken["row"].isin(rows)]])
    return gone


def _taken_back(credit: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
    """Return the items that each row's credit takes back, if any: one of its amount, or a whole document that it names."""
    own = standing[standing["row"].isin(credit.index)]
    named = own["row"].map(credit["corrects"])
    of_named = own[named.isna() | (own["document"] == named)]
    wanted = -of_named["row"].map(credit["cents"])
    single = of_named[of_named["cents"] == wanted].drop_duplicates("row")
    others = of_named[of_named["row"].map(credit["corrects"]).notna() & ~of_named["row"].isin(single["row"])]
    whole = others.groupby("row")["cents"].transform("sum") == -others["row"].map(credit["cents"])
    return pd.concat([single, others[whole]])
