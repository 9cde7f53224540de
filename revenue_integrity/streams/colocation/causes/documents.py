"""Causes that documents tell by themselves: billed twice, credited.

Belongs here: duplicates and credits. Does not belong here: amounts that stand in another place (``places``).
"""

from typing import Any

import pandas as pd

from revenue_integrity.close.causes.copies import is_nearer, repeats
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.items import at, in_line, in_turn, sums
from revenue_integrity.close.causes.moves import adjacency, choices, opposites
from revenue_integrity.close.causes.wording import amounts, documents, listed, records


def open_lines(case: Case) -> pd.DataFrame:
    """Return the lines that no cause has claimed and no credit has reversed: what is compared with what is due."""
    lines = case.standing
    return lines[~lines["is_repaired"] & ~lines["is_credit"] & lines["row"].isin(case.open_rows.index)]


def standing_credits(case: Case) -> pd.DataFrame:
    """Return the credits of open rows that repair nothing: they are variances."""
    lines = case.standing
    return lines[lines["is_credit"] & ~lines["is_repaired"] & lines["row"].isin(case.open_rows.index)]


def duplicate_billing(case: Case) -> Claims:
    """Claim documents that bill the same quantity and price once more than is due, and that nothing reverses."""
    lines = open_lines(case).sort_values("order")
    lines = lines[lines.duplicated(["row", "quantity", "price"], keep=False)]
    if lines.empty:
        return nothing()
    copies = repeats(lines, ["row", "quantity", "price"])
    kept = _kept(copies, case.right).clip(lower=1)
    extra = copies[copies["copy"] >= kept]
    if extra.empty:
        return nothing()
    extra = extra.assign(document_of_group=extra["group"].astype(str) + "/" + extra["copy"].astype(str))
    first_billed = copies[copies["copy"] < kept]
    per_document = extra.groupby("document_of_group", sort=False)
    candidates = pd.DataFrame(
        {"row": per_document["row"].first(), "group": per_document["group"].first(), "cents": per_document["cents"].sum()}
    )
    candidates = candidates[~_is_lacking_elsewhere(case, candidates)]
    # What credits take off is explained by them; the duplicate is in what stands without them.
    excess = case.rows["rest"] - sums(standing_credits(case), "cents", case.rows.index)
    chosen: list[str] = []
    for turn in in_turn(candidates, "row"):
        accepted = turn[is_nearer(turn["row"].map(excess), turn["cents"])]
        excess = excess - sums(accepted, "cents", excess.index)
        chosen += accepted.index.tolist()
    found = candidates[candidates.index.isin(chosen)]
    lines = extra[extra["document_of_group"].isin(found.index)]
    credited = _credited(case, found, first_billed)
    off, used = sums(credited, "part", found.index, by="document_of_group"), credited.groupby("credit")["part"].sum()
    evidence = records(
        found.index,
        lines=listed(lines, "document_of_group", found.index),
        credits=listed(credited, "document_of_group", found.index).map(lambda some: some or None),
        first_billed_by=at(listed(first_billed.sort_values("order"), "group", pd.Index(found["group"].unique())), found["group"]),
        charges=at(listed(case.right, "row", pd.Index(found["row"].unique())), found["row"]),
    )
    sentence = (
        documents(lines, "document_of_group", found.index) + " bills " + found["row"].map(case.rows["name"])
        + " with the quantity and price of "
        + at(documents(first_billed, "group", pd.Index(found["group"].unique())), found["group"])
        + " again; "
        + (amounts(off) + " of its " + amounts(found["cents"]) + " is credited.").where(off != 0, "no credit takes it back.")
    )  # fmt: skip
    spent = used.index[(used == -case.left["cents"].reindex(used.index)).to_numpy()]
    return claims(found["row"], found["cents"] - off, sentence, evidence, taken=[*lines.index, *spent], used=-used)


def _credited(case: Case, found: pd.DataFrame, first_billed: pd.DataFrame) -> pd.DataFrame:
    """Return which part of which credit takes which duplicate back: ``credit``, ``document_of_group``, ``part``, ``evidence``.

    Credits count that name a document of the group, also one that is gone: whichever they name, together they take back what was
    billed again, one after the other, as far as they reach; after them those of the row that name no document. What is wrong is
    what they leave, or what they take off beyond it; with a cause for each whole duplicate beside those of the credits more would
    seem wrong than is.
    """
    alike = ["row", "quantity", "price"]
    groups = first_billed.drop_duplicates("group")[["group", *alike]]
    groups = groups[groups["group"].isin(found["group"])]
    bills = case.left[~case.left["is_credit"]][[*alike, "document"]].drop_duplicates().merge(groups, on=alike)
    standing = standing_credits(case).sort_values("order").rename_axis("credit").reset_index()
    standing = standing[["credit", "row", "corrects", "cents", "evidence"]].rename(columns={"corrects": "document"})
    naming = standing.merge(bills[["row", "document", "group"]], on=["row", "document"]).drop_duplicates("credit")
    naming = naming.set_index("credit").assign(amount=lambda each: -each["cents"])
    billed = found[["row", "group", "cents"]].rename(columns={"cents": "amount"})
    named = in_line(naming, billed, ["group"], "amount")
    back = named.groupby("other")["part"].sum().reindex(billed.index, fill_value=0)
    nameless = standing[standing["document"].isna()].set_index("credit").assign(amount=lambda each: -each["cents"])
    others = in_line(nameless, billed.assign(amount=billed["amount"] - back), ["row"], "amount")
    met = pd.concat([named, others], ignore_index=True).rename(columns={"one": "credit", "other": "document_of_group"})
    return met.join(standing.set_index("credit")[["row", "evidence"]], on="credit")


def _kept(copies: pd.DataFrame, dues: pd.DataFrame) -> "pd.Series[Any]":
    """Return how many charges have a line's quantity and price; none of them: a wrong price for as many as have the quantity."""
    alike = dues.groupby(["row", "quantity", "price"]).size().rename("alike")
    of_quantity = dues.groupby(["row", "quantity"]).size().rename("of_quantity")
    found = copies[["row", "quantity", "price"]].join(alike, on=["row", "quantity", "price"])
    found = found.join(of_quantity, on=["row", "quantity"])
    return found["alike"].fillna(found["of_quantity"]).fillna(0).astype("int64")


def _is_lacking_elsewhere(case: Case, candidates: pd.DataFrame) -> "pd.Series[Any]":
    """Return whether an adjacent month, or a contract of the customer, lacks an amount: then it is no duplicate."""
    rows = case.open_rows
    known = candidates.join(rows[["customer_id", "charge_type", "row_key", "month"]], on="row").reset_index(drop=True)
    lacking = rows[rows["rest"] < 0].assign(cents=lambda found: found["rest"])
    pairs = opposites(known, lacking, ["customer_id", "charge_type"])
    # A row of which credits took more off than was billed again lacks something, too: that is nowhere else.
    here = pairs.loc[pairs["other"] != pairs["one"].map(known["row"]), "one"]
    return pd.Series(known.index.isin(here) | known.index.isin(_lacking_next_to(case, known)), index=candidates.index)


def _lacking_next_to(case: Case, amounts_of: pd.DataFrame) -> "pd.Index[Any]":
    """Return the amounts that an adjacent month lacks, but for those whose lack is another month's shift."""
    around = case.more["around"]
    around = around[around["contract_id"].notna()].rename(columns={"row_key": "key"})
    prefers = choices(adjacency(around))
    own_step = amounts_of["row"].map(around["step"])
    wanted = amounts_of.rename(columns={"row_key": "key"})
    steps = pd.concat([wanted.assign(step=own_step + distance) for distance in (-1, 1)])
    pairs = opposites(steps, around, ["key", "step"])
    chosen = pairs["other"].map(prefers)
    is_own = chosen.isna() | (chosen == pairs["one"].map(amounts_of["row"]))
    return pd.Index(pairs.loc[is_own, "one"])


def _credits(case: Case, lines_of_credit: pd.DataFrame, sentence: "pd.Series[Any]") -> Claims:
    evidence = records(lines_of_credit.index, lines=lines_of_credit["evidence"].map(lambda each: [each]))
    return claims(lines_of_credit["row"], lines_of_credit["cents"], sentence, evidence, taken=lines_of_credit.index)


def credit_memo(case: Case) -> Claims:
    """Claim credits that correct a document of the contract and are not billed anew."""
    standing = standing_credits(case)
    if standing.empty:
        return nothing()
    named = standing[standing["corrects"].notna() & standing["names_own"]]
    if named.empty:
        return nothing()
    full = named["evidence"].map(lambda each: each["amount_cents"]).astype("int64")
    taken_off = "Credit " + named["document"] + " takes " + amounts(-full) + " off " + named["corrects"]
    in_part = ", of which " + amounts(named["cents"] - full) + " takes back what was billed again."
    return _credits(case, named, taken_off + _beside(case, named).where(named["cents"] == full, in_part))


def _beside(case: Case, named: pd.DataFrame) -> "pd.Series[Any]":
    """Return what else is known of the document that a credit names: credited already, or the only one that bills the row."""
    lines = case.left
    gone = lines[lines["is_repaired"] & ~lines["is_credit"]]
    bills = lines[~lines["is_repaired"] & ~lines["is_credit"]]
    own = named[["row", "corrects"]].rename(columns={"corrects": "document"})
    is_gone = _is_among(own, gone)
    others = bills.merge(own.reset_index(names="credit"), on="row", suffixes=("", "_named"))
    rebilled = own.index.isin(others.loc[others["document"] != others["document_named"], "credit"])
    sentence = pd.Series(", and nothing else bills " + named["row"].map(case.rows["name"]) + ".", index=named.index)
    return sentence.mask(rebilled, ".").mask(is_gone, ", which another credit takes back.")


def _is_among(documents_of_rows: pd.DataFrame, lines: pd.DataFrame) -> "pd.Series[Any]":
    known = pd.MultiIndex.from_frame(lines[["row", "document"]])
    return pd.Series(pd.MultiIndex.from_frame(documents_of_rows).isin(known), index=documents_of_rows.index)


def credit_unreferenced(case: Case) -> Claims:
    """Claim credits that name no document of the contract."""
    standing = standing_credits(case)
    if standing.empty:
        return nothing()
    others = standing[~(standing["corrects"].notna() & standing["names_own"])]
    if others.empty:
        return nothing()
    of_another = "; " + others["corrects"] + ", which it names, does not bill this contract."
    full = others["evidence"].map(lambda each: each["amount_cents"]).astype("int64")
    in_part = " and names no document; " + amounts(others["cents"] - full) + " of it takes back what was billed again."
    named = of_another.where(others["corrects"].notna(), pd.Series(" and names no document.", index=others.index))
    named = named.where(others["cents"] == full, in_part)
    return _credits(case, others, "Credit " + others["document"] + " takes " + amounts(-full) + " off" + named)
