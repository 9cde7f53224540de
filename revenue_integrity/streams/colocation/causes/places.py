"""Causes of amounts that stand in another place: month, contract, or none at all.

Belongs here: shifts, wrong contracts, lines that resolve to no contract. Does not belong here: what a document says by itself
(``documents``), terms (``terms``).
"""

from functools import partial
from typing import Any

import pandas as pd

from revenue_integrity.close.causes import moves
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing, together
from revenue_integrity.close.causes.items import at, proof
from revenue_integrity.close.causes.wording import amounts, documents, listed, merged, records
from revenue_integrity.streams.colocation.causes.inputs import label


def period_shift(case: Case) -> Claims:
    """Claim what stands under an adjacent service month; the two ends must choose each other, the earlier month first."""
    around = case.more["around"]
    with_contract = around[around["contract_id"].notna()]
    found = moves.adjacent(with_contract.rename(columns={"row_key": "key"}))
    found = found[found["one"].isin(case.open_rows.index)].set_index("one", drop=False)
    if found.empty:
        return nothing()
    rows, other = case.rows.loc[found.index], around.loc[found["other"]].set_axis(found.index)
    cents = moves.shared(rows["cents"], other["cents"])
    is_billed_here = cents > 0
    lines = pd.concat(
        [
            case.left[case.left["row"].isin(cents.index[is_billed_here])],
            _lines_of(case, found.loc[~is_billed_here, "other"]),
        ]
    )
    shown = proof(lines, cents.abs())
    where = label(rows["month"].where(is_billed_here, other["month"]))
    # What a month lacks is not always due in it: a credit may have taken it off.
    lacking = label(other["month"].where(is_billed_here, rows["month"]))
    is_earlier = rows["month"] < other["month"]
    first = label(rows["month"].where(is_earlier, other["month"]))
    second = label(other["month"].where(is_earlier, rows["month"]))
    evidence = records(
        cents.index,
        lines=listed(shown.sort_values("order"), "row", cents.index),
        charges=listed(case.right, "row", cents.index),
        counterpart=records(cents.index, month=label(other["month"]), variance_cents=other["cents"]),
        also_possible=found["alternatives"].map(partial(_months, around)).where(found["alternatives"].map(bool)),
    )
    named = documents(shown, "row", cents.index)
    in_brackets = (" (" + named + ")").where(named != "", "")
    sentence = (
        amounts(cents.abs()) + " of " + rows["name"] + " that " + lacking + " lacks was billed under " + where + in_brackets + "."
    )
    link = "period_shift/" + rows["contract_id"] + "/" + rows["charge_type"] + "/" + first + "/" + second
    return claims(cents.index, cents, sentence, evidence, link)


def _lines_of(case: Case, others: "pd.Series[Any]") -> pd.DataFrame:
    """Return lines of rows of other months, each under the row to which its month belongs in ``others``."""
    here = pd.Series(others.index, index=others.to_numpy())
    lines = case.more["lines_around"]
    return lines[lines["row"].isin(here.index)].assign(row=lambda found: found["row"].map(here))


def _months(around: pd.DataFrame, ends: list[int]) -> list[dict[str, Any]]:
    rows = around[around.index.isin(ends)]
    return records(rows.index, month=label(rows["month"]), variance_cents=rows["cents"]).tolist()


def unmapped_line(case: Case) -> Claims:
    """Claim lines that resolve to no contract, and the opposite at the contract of the customer that lacks that charge.

    Line by line first, then lines of one document with one code and reference together, then all of the row.
    """
    rows = case.open_rows
    without = rows[rows["contract_id"].isna()]
    waiting = case.left[case.left["row"].isin(without.index)].sort_values("order")
    if waiting.empty:
        return nothing()
    lacking = rows[rows["contract_id"].notna()].assign(cents=lambda found: found["rest"])
    found = []
    for columns in (["row", "order"], ["row", "code", "reference", "document"], ["row"]):
        groups = _groups(waiting, columns, without)
        pairs = moves.assigned(
            groups, lacking, ["customer_id", "charge_type"], groups["place"], moves.in_order(lacking["contract_id"])
        )
        pairs = pairs.set_index("one")
        lines = waiting.assign(group=waiting.groupby(columns, sort=False, dropna=False).ngroup())
        matched = lines[lines["group"].isin(pairs.index)]
        matched = matched.assign(
            contract=matched["group"].map(pairs["other"]),
            others=matched["group"].map(pairs["alternatives"]),
            place=matched["group"].map(groups["place"]),
        )
        found.append(matched.sort_values(["place", "order"]))
        waiting = waiting.drop(index=matched.index)
        lacking = lacking[~lacking.index.isin(pairs["other"])]
    return together(_with_contract(case, pd.concat(found)), _without_contract(case, waiting))


def _groups(lines: pd.DataFrame, columns: list[str], rows: pd.DataFrame) -> pd.DataFrame:
    """Return lines that are looked at together: their sum, their row's customer and charge, and the order of the groups."""
    group = lines.groupby(columns, sort=False, dropna=False).ngroup()
    per_group = lines.groupby(group)
    made = pd.DataFrame({"row": per_group["row"].first(), "cents": per_group["cents"].sum()})
    says = pd.DataFrame({"content": per_group["content"].agg(tuple), "order": per_group["order"].agg(tuple)})
    in_order = sorted(says.index, key=lambda each: (says.loc[each, "content"], says.loc[each, "order"]))
    made["place"] = pd.Series(range(len(in_order)), index=in_order)
    return made.join(rows[["customer_id", "charge_type"]], on="row")


def _resolves_to_nothing(case: Case, lines: pd.DataFrame) -> "pd.Series[Any]":
    """Return the sentence on each line that no mapping row resolves."""
    has_customer = lines["row"].map(case.rows["customer_id"]).notna()
    unknown = pd.Series(", nor its customer", index=lines.index).mask(has_customer, "")
    reference = lines["reference"].where(lines["reference"].notna(), "an empty reference")
    return (
        ("Line " + lines["line_no"].astype(str) + " of " + lines["document"] + " (" + amounts(lines["cents"]) + ")")
        + " resolves to no contract" + unknown + ": no mapping row of " + lines["code"] + " covers " + reference + "."
    )  # fmt: skip


def _mapping_evidence(case: Case, lines: pd.DataFrame) -> "pd.Series[Any]":
    """Return each line with the mapping rows that there are for its code and reference."""
    mappings = case.more["mappings"]
    rows = mappings.groupby(["erp_customer_code", "erp_contract_ref"], sort=False)["evidence"].agg(list).rename("found")
    of_line = lines[["code", "reference"]].join(rows, on=["code", "reference"])["found"]
    return records(
        lines.index,
        lines=lines["evidence"].map(lambda each: [each]),
        erp_customer_code=lines["code"],
        mapping_rows=of_line,
    ).combine(lines["reference"], lambda each, reference: {**each, "erp_contract_ref": None if pd.isna(reference) else reference})


def _without_contract(case: Case, lines: pd.DataFrame) -> Claims:
    return claims(lines["row"], lines["cents"], _resolves_to_nothing(case, lines), _mapping_evidence(case, lines))


def _with_contract(case: Case, lines: pd.DataFrame) -> Claims:
    """Claim lines whose amount a contract of the customer lacks, at both ends."""
    if lines.empty:
        return nothing()
    contract = lines["contract"].map(case.rows["contract_id"])
    evidence = _mapping_evidence(case, lines)
    others = records(lines.index, also_possible=lines["others"].map(partial(_contracts, case.rows)))
    evidence = merged(evidence, others)
    link = "unmapped_line/" + lines["document"] + "/" + lines["line_no"].astype(str)
    lacked = lines["contract"].map(case.rows["rest"])
    lacks = " lacks " + amounts(-lacked) + " of this charge."
    sentence = _resolves_to_nothing(case, lines) + " " + contract
    sentence += lacks.where(lacked < 0, " has " + amounts(lacked) + " of this charge too much.")
    at_line = claims(lines["row"], lines["cents"], sentence, evidence, link)
    charges = records(lines.index, charges=at(listed(case.right, "row", pd.Index(lines["contract"].unique())), lines["contract"]))
    taken_off = pd.Series(" was billed by line ", index=lines.index).where(lines["cents"] >= 0, " was taken off by line ")
    billed = (
        amounts(lines["cents"].abs()) + " of " + lines["contract"].map(case.rows["name"]) + taken_off
        + lines["line_no"].astype(str) + " of " + lines["document"] + ", which resolves to no contract."
    )  # fmt: skip
    return together(at_line, claims(lines["contract"], -lines["cents"], billed, merged(evidence, charges), link))


def _contracts(rows: pd.DataFrame, ends: list[int]) -> list[dict[str, Any]] | None:
    """Return the contracts of some rows, in the order of the rows' numbers given; ``None`` for none."""
    return [{"contract_id": each} for each in rows["contract_id"].reindex(ends)] or None


def wrong_contract(case: Case) -> Claims:
    """Claim what stands at another contract of the customer, same charge type and month; both ends choose each other."""
    rows = case.open_rows
    ends = rows[rows["contract_id"].notna()].assign(cents=lambda found: found["rest"])
    rank = moves.in_order(ends["contract_id"])
    both = moves.exchanged(ends, ["customer_id", "charge_type"], rank).set_index("one")
    # Each move once, as the smaller contract sees it.
    pairs = both[rank.reindex(both.index) < both["other"].map(rank)].rename_axis("one").reset_index()
    if pairs.empty:
        return nothing()
    one, other = pairs["one"], pairs["other"]
    cents = moves.shared(one.map(ends["cents"]), other.map(ends["cents"]))
    billed, due = one.where(cents > 0, other), other.where(cents > 0, one)
    of_billed = pd.Series(pairs.index, index=billed)
    lines = case.left[case.left["row"].isin(billed)].assign(pair=lambda found: found["row"].map(of_billed))
    shown = proof(lines, cents.abs(), by="pair")
    contract, charge = case.rows["contract_id"], one.map(case.rows["charge_type"])
    others = pairs["alternatives"] + other.map(both["alternatives"])
    evidence = records(
        pairs.index,
        lines=listed(shown.sort_values("order"), "pair", pairs.index),
        charges=at(listed(case.right, "row", pd.Index(due)), due),
        billed_contract_id=billed.map(contract),
        due_contract_id=due.map(contract),
        also_possible=others.map(partial(_contracts, case.rows)),
    )
    sentence = (
        amounts(cents.abs()) + " of " + charge + " that " + due.map(contract) + " lacks was billed to " + billed.map(contract)
        + " (" + documents(shown, "pair", pairs.index) + ")."
    )  # fmt: skip
    link = (
        "wrong_contract/"
        + label(one.map(case.rows["month"]))
        + "/"
        + charge
        + "/"
        + one.map(contract)
        + "/"
        + other.map(contract)
    )
    return together(claims(one, cents, sentence, evidence, link), claims(other, -cents, sentence, evidence, link))
