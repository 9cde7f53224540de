"""What the stream's pages show, as small frames: made from the published month, for ``report``.

Belongs here: adding up, joining and ordering published rows for people. Does not belong here: how they are laid out
(``report``), any figure that a table of the stream should hold.
"""

import json
from typing import Any

import pandas as pd

from revenue_integrity.exact import divide
from revenue_integrity.model.report import Published, total
from revenue_integrity.reports.reconciling import with_names
from revenue_integrity.streams.colocation.schemas import POWER_CHARGES, STRANDED

NAMES = (("customer_id", "customers", "customer_id", "customer_name"),)
"""Where ids of customers have names."""

SITE_NAMES = (("site_id", "sites", "site_id", "site_name"),)
"""Where ids of sites have names."""

MOVEMENTS = (("new", 1), ("reactivation", 1), ("expansion", 1), ("contraction", -1), ("churn", -1))
"""The movements of the MRR bridge with the sign they enter it."""

RISKS = (
    ("expected", "expected_margin_cents"),
    ("bad month (p5)", "margin_p5_cents"),
    ("worst month", "margin_worst_cents"),
    ("stress: power price", "stress_price_cents"),
    ("stress: worst rate", "stress_worst_rate_cents"),
    ("stress: full load", "stress_full_cents"),
)
"""Margins of ``contract_risk`` by what people call them."""

_BRIDGE = {
    "opening_margin": "Margin of the month before",
    "revenue_effect": "Change of revenue",
    "usage_effect": "More or less kWh used",
    "rate_effect": "Cost per kWh",
    "closing_margin": "Margin of this month",
}

_STEP = ["step", "amount_cents", "is_sum"]


def _steps(rows: list[tuple[str, int, bool]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=_STEP, dtype=object)


def named(dataset: str) -> Any:
    """Return what reads a dataset with the customers' names beside their ids."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.table(dataset)
        return None if frame is None else with_names(published, frame, NAMES)

    return rows


def months(published: Published) -> pd.DataFrame | None:
    """Return revenue, power cost and margin by month, up to this one."""
    trend = published.trend("contract_month")
    if trend is not None:
        return trend
    frame = published.table("contract_month")
    if frame is None or frame.empty:
        return None
    sums = {name: [int(total(frame, name))] for name in ("revenue_cents", "power_cost_cents", "margin_cents")}
    return pd.DataFrame({"month": [pd.Timestamp(published.month)], **sums})


def mrr_steps(published: Published) -> pd.DataFrame | None:
    """Return the way from opening to closing MRR; steps of 0 stay, so that months compare."""
    summary = published.table("mrr_summary")
    if summary is None or summary.empty:
        return None
    row = summary.iloc[0]
    moved = [(name, sign * int(row[f"{name}_cents"]), False) for name, sign in MOVEMENTS]
    return _steps([("opening", int(row["opening_cents"]), True), *moved, ("closing", int(row["closing_cents"]), True)])


def margin_steps(published: Published) -> pd.DataFrame | None:
    """Return the way from last month's margin to this month's."""
    frame = published.table("margin_bridge")
    if frame is None or frame.empty:
        return None
    return _steps([(words, int(total(frame, f"{name}_cents")), name.endswith("margin")) for name, words in _BRIDGE.items()])


def customers(published: Published) -> pd.DataFrame | None:
    """Return customers with their names, the largest margin first, and what all up to each make together.

    The share is of the sum of positive margins: it passes 1 and comes back where the last ones lose.
    """
    frame = published.table("customer_month")
    if frame is None:
        return None
    rows = with_names(published, frame, NAMES)
    rows = rows.assign(shown=rows["customer_name"].where(rows["customer_name"].notna(), rows["customer_id"]))
    rows = rows.sort_values(["margin_cents", "customer_id"], ascending=[False, True], kind="stable", ignore_index=True)
    margins = [int(margin) for margin in rows["margin_cents"]]
    positive = sum(max(0, margin) for margin in margins)
    running, shares = 0, []
    for margin in margins:
        running += margin
        shares.append(divide(running, positive, 6))
    return rows.assign(cumulative_share=pd.Series(shares, dtype=object))


def losing(published: Published) -> pd.DataFrame | None:
    """Return the customers that lose, the largest loss first."""
    frame = published.rows(customers)
    return None if frame is None else frame[frame["margin_cents"] < 0].iloc[::-1]


def sites(published: Published) -> pd.DataFrame | None:
    """Return sites with their names, and whether their bill is accrued."""
    frame = published.table("site_month")
    if frame is None:
        return None
    known = published.names("sites", "site_id", "site_name")
    accrued = frame["is_accrued"] if "is_accrued" in frame else [False] * len(frame)
    return frame.assign(
        site=frame["site_id"].map(lambda site: known.get(str(site), site)), badge=["accrued" if each else "" for each in accrued]
    )


def allocation(published: Published) -> pd.DataFrame | None:
    """Return allocated power, a row per site and contract with a column per charge, the largest first, what is stranded last."""
    frame, contracts = published.table("power_allocation"), published.table("contract_month")
    if frame is None:
        return None
    owners = {} if contracts is None else dict(zip(contracts["contract_id"], contracts["customer_id"], strict=True))
    by_charge = frame.pivot_table(
        "amount_cents", ["site_id", "contract_id"], "charge", aggfunc="sum", fill_value=0, observed=True
    ).reindex(columns=list(POWER_CHARGES), fill_value=0)
    rows = by_charge.rename(columns=lambda charge: f"{charge}_cents").assign(amount_cents=by_charge.sum(axis=1)).reset_index()
    rows = rows.assign(customer_id=rows["contract_id"].map(owners), nobodys=rows["contract_id"] == STRANDED)
    order = ["site_id", "nobodys", "amount_cents", "contract_id"]
    return with_names(published, rows.sort_values(order, ascending=[True, True, False, True], ignore_index=True), NAMES)


def stranded(published: Published) -> int | None:
    """Return the cents that nobody's reservation bears."""
    frame = published.table("site_month")
    return None if frame is None else int(total(frame, "stranded_cents"))


def billed(published: Published) -> int | None:
    """Return the cents that utilities billed."""
    frame = published.table("site_month")
    return None if frame is None else int(total(frame, "billed_cents"))


def risks(published: Published) -> pd.DataFrame | None:
    """Return this month's margin beside the expected, bad, worst and stressed ones, over contracts with enough history.

    Adding up percentiles of contracts assumes that their bad months coincide: the cautious reading.
    """
    frame, contracts = published.table("contract_risk"), published.table("contract_month")
    if frame is None or contracts is None:
        return None
    known = frame[frame["expected_margin_cents"].notna()]
    if known.empty:
        return None
    margins = contracts[contracts["contract_id"].isin(known["contract_id"])]
    bars = [("this month", total(margins, "margin_cents")), *((label, total(known, column)) for label, column in RISKS)]
    rows = [
        (label, int(cents), "red" if cents < 0 else "grey" if at == 0 else "amber" if label.startswith("stress") else "teal")
        for at, (label, cents) in enumerate(bars)
    ]
    return pd.DataFrame(rows, columns=["case", "amount_cents", "shade"], dtype=object)


def risk(case: str) -> Any:
    """Return what reads one of the margins of ``risks``."""

    def amount(published: Published) -> int | None:
        frame = published.rows(risks)
        return None if frame is None else int(dict(zip(frame["case"], frame["amount_cents"], strict=True))[case])

    return amount


def contracts_with_history(published: Published) -> tuple[int, int]:
    """Return how many contracts have enough history for a risk, and how many have not."""
    frame = published.table("contract_risk")
    if frame is None:
        return 0, 0
    known = int(frame["expected_margin_cents"].notna().sum())
    return known, len(frame) - known


def most_at_risk(published: Published) -> pd.DataFrame | None:
    """Return contracts with a margin at risk, with their customers."""
    frame, contracts = published.table("contract_risk"), published.table("contract_month")
    if frame is None or contracts is None:
        return None
    owners = dict(zip(contracts["contract_id"], contracts["customer_id"], strict=True))
    known = frame[frame["margin_at_risk_cents"].notna()]
    rows = with_names(published, known.assign(customer_id=known["contract_id"].map(owners)), NAMES)
    return rows.assign(customer=rows["customer_name"].where(rows["customer_name"].notna(), rows["customer_id"]))


def late_lines(published: Published) -> pd.DataFrame | None:
    """Return the ERP lines of the month that were posted after its cutoff, with the customers' names."""
    frame = published.table("invoice_lines")
    if frame is None:
        return None
    return _documents(published, frame[frame["late"].astype(bool)])


def restated_documents(published: Published) -> pd.DataFrame | None:
    """Return the ERP invoice lines of the month that came with batches which are new since it was signed."""
    frame = _of_new_batches(published, "invoice_lines")
    return None if frame is None else _documents(published, frame)


def restated_power_costs(published: Published) -> pd.DataFrame | None:
    """Return what accounting booked for the month's power with batches which are new since it was signed."""
    frame = _of_new_batches(published, "power_cost_lines")
    return None if frame is None else _power_documents(published, frame)


def late_power_costs(published: Published) -> pd.DataFrame | None:
    """Return what accounting booked for the month's power after its cutoff, with the names of the sites."""
    frame = published.table("power_cost_lines")
    return None if frame is None else _power_documents(published, frame[frame["late"].astype(bool)])


def _of_new_batches(published: Published, dataset: str) -> pd.DataFrame | None:
    frame, changed = published.table(dataset), published.restatement
    if frame is None or changed is None:
        return None
    new = {batch for each in changed["batches"].dropna() for batch in json.loads(each or "[]")}
    return frame[frame["batch_id"].isin(new)]


def _power_documents(published: Published, lines: pd.DataFrame) -> pd.DataFrame:
    """Return lines of power costs with their document and site as people call them."""
    rows = with_names(published, lines, SITE_NAMES)
    return _named_documents(rows, site=rows["site_name"].where(rows["site_name"].notna(), rows["site_id"]))


def _documents(published: Published, lines: pd.DataFrame) -> pd.DataFrame:
    """Return ERP lines with their document, customer and contract as people call them."""
    rows = with_names(published, lines, NAMES)
    customer = rows["customer_name"].where(rows["customer_name"].notna(), rows["customer_id"])
    contract = rows["contract_id"].where(rows["contract_id"].notna(), "unmapped")
    return _named_documents(rows, customer=customer, contract=contract)


def _named_documents(rows: pd.DataFrame, **names: pd.Series) -> pd.DataFrame:
    documents = [f"{document} / {line}" for document, line in zip(rows["document_id"], rows["line_no"], strict=True)]
    return rows.assign(document=pd.Series(documents, index=rows.index, dtype=object), **names)


def late_cents(published: Published) -> int | None:
    """Return the cents of the late lines, signed."""
    frame = published.rows(late_lines)
    return None if frame is None else int(total(frame, "amount_cents"))


STRANDED_ONLY = ("contract_id", STRANDED)
"""Rows of allocated power that nobody reserved."""
