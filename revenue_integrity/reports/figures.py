"""What a close pack says: totals and rankings taken from the published tables.

Belongs here: adding up, ordering and cutting off what workbook and page both show. Does not belong here: formatting, charts, and
any figure that a table of the mart or the close should hold. Amounts are integer cents; every order is total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity.close.causes import UNEXPLAINED
from revenue_integrity.exact import divide
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT
from revenue_integrity.reports.pack_data import PackData

REVENUE_RECON = "erp_vs_mart"
POWER_RECON = "power_bill_vs_allocated"
BOOKED_POWER_RECON = "erp_vs_allocated_power"

CAUSES = (
    "late_posting",
    "period_shift",
    "unmapped_line",
    "wrong_contract",
    "duplicate_billing",
    "credit_memo",
    "credit_unreferenced",
    "estimated_meter",
    "late_meter",
    "uncontracted",
    "stale_version",
    "proration",
    "rounding",
    "price_mismatch",
    "quantity_mismatch",
    "unbilled",
    "unbooked",
    "accrual_not_reversed",
    "estimated_bill",
    UNEXPLAINED,
)
"""Causes in order of precedence (20-close, *Root causes*); a cause that is not listed comes last."""

RECONS = (REVENUE_RECON, POWER_RECON, BOOKED_POWER_RECON, "mrr_bridge", "metered_vs_billed_kwh", "population")
MOVEMENTS = (("new", 1), ("reactivation", 1), ("expansion", 1), ("contraction", -1), ("churn", -1))
"""The movements of the MRR bridge with the sign they enter it."""


def total(frame: pd.DataFrame | None, column: str) -> int | None:
    """Return the sum of a column of cents, or ``None`` where the table is not available."""
    if frame is None or column not in frame:
        return None
    return sum(int(value) for value in frame[column].dropna())


def exact_values(column: "pd.Series[Any]") -> list[Any]:
    """Return the values that are not missing as Python numbers, which add up exactly and without bounds."""
    return list(column.dropna().astype(object).tolist())


@dataclass(frozen=True)
class ReconTotal:
    """A reconciliation in one view: rows by status, and the amounts, signed and gross, in its unit."""

    recon: str
    view: str
    unit: str
    rows: int
    matched: int
    within_tolerance: int
    breaches: int
    left: Any
    right: Any
    signed: Any
    gross: Any


def recon_totals(results: pd.DataFrame | None) -> list[ReconTotal]:
    """Return the totals per reconciliation and view, in the order of the specification."""
    if results is None:
        return []
    found = []
    for (recon, view, unit), rows in results.groupby(["recon", "view", "unit"], sort=True):
        suffix = "cents" if unit == "cents" else "value"
        left, right, variance = (exact_values(rows[f"{side}_{suffix}"]) for side in ("left", "right", "variance"))
        status = rows["status"].value_counts()
        found.append(
            ReconTotal(
                str(recon),
                str(view),
                str(unit),
                len(rows),
                int(status.get("matched", 0)),
                int(status.get("within_tolerance", 0)),
                int(status.get("breach", 0)),
                sum(left),
                sum(right),
                sum(variance),
                sum(abs(each) for each in variance),
            )
        )
    return sorted(found, key=lambda each: (_position(RECONS, each.recon), each.recon, each.view))


def all_recon_totals(data: PackData) -> list[ReconTotal]:
    """Return the totals of the reconciliations of all streams."""
    return [each for name in ("recon_results", "cloud_recon_results") for each in recon_totals(data.table(name))]


def _position(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def find_total(totals: Sequence[ReconTotal], recon: str, view: str) -> ReconTotal | None:
    """Return one of the totals, or ``None``."""
    return next((each for each in totals if (each.recon, each.view) == (recon, view)), None)


@dataclass(frozen=True)
class CauseTotal:
    """Cents of a cause of a reconciliation, in the view at close and in the current one."""

    recon: str
    cause: str
    family: str
    rows: int
    at_close: int
    current: int


def cause_totals(causes: pd.DataFrame | None, recon: str) -> list[CauseTotal]:
    """Return cents per cause of a reconciliation, in order of precedence."""
    if causes is None:
        return []
    found = []
    for cause, rows in causes[causes["recon"] == recon].groupby("cause", sort=True):
        cents = {view: total(rows[rows["view"] == view], "cause_cents") or 0 for view in (AS_OF_CLOSE, CURRENT)}
        family = next((str(each) for each in rows["family"] if isinstance(each, str)), "")
        found.append(CauseTotal(recon, str(cause), family, len(rows), cents[AS_OF_CLOSE], cents[CURRENT]))
    return sorted(found, key=lambda each: (_position(CAUSES, each.cause), each.cause))


def explained(causes: pd.DataFrame | None, view: str) -> tuple[Any, int]:
    """Return the share of the revenue reconciliation's absolute cause cents that a rule explains, and what is left, gross.

    Where nothing varies, all is explained.
    """
    if causes is None:
        return None, 0
    mine = causes[(causes["recon"] == REVENUE_RECON) & (causes["view"] == view)]
    gross = sum(abs(cents) for cents in exact_values(mine["cause_cents"]))
    left = sum(abs(cents) for cents in exact_values(mine.loc[mine["cause"] == UNEXPLAINED, "cause_cents"]))
    return divide(gross - left, gross, 6) if gross else Decimal(1), left


def largest(frame: pd.DataFrame, column: str, count: int) -> pd.DataFrame:
    """Return the rows with the largest absolute cents, ties in the order of the table."""
    size = frame[column].abs()
    return frame.assign(_size=size).sort_values("_size", ascending=False, kind="stable").drop(columns="_size").head(count)


@dataclass(frozen=True)
class Step:
    """A bar of a waterfall: its label, its cents, and whether it stands on the ground (a total) or on the bar before."""

    label: str
    cents: int
    is_total: bool


def cause_steps(totals: Sequence[ReconTotal], causes: Sequence[CauseTotal], view: str) -> list[Step]:
    """Return the way from what was expected to what was billed, a step per cause."""
    recon = find_total(totals, REVENUE_RECON, view)
    if recon is None:
        return []
    amounts = [(each.cause, each.at_close if view == AS_OF_CLOSE else each.current) for each in causes]
    steps = [Step(cause.replace("_", " "), cents, is_total=False) for cause, cents in amounts if cents]
    return [Step("expected", int(recon.right), is_total=True), *steps, Step("billed", int(recon.left), is_total=True)]


def mrr_steps(summary: pd.DataFrame | None) -> list[Step]:
    """Return the way from opening to closing MRR; steps of 0 stay, so that months compare."""
    if summary is None or summary.empty:
        return []
    row = summary.iloc[0]
    steps = [Step(name, sign * int(row[f"{name}_cents"]), is_total=False) for name, sign in MOVEMENTS]
    return [
        Step("opening", int(row["opening_cents"]), is_total=True),
        *steps,
        Step("closing", int(row["closing_cents"]), is_total=True),
    ]


@dataclass(frozen=True)
class MonthPoint:
    """Revenue, power cost and margin of a month, in cents."""

    month: date
    revenue: int
    power_cost: int
    margin: int


def month_points(data: PackData) -> list[MonthPoint]:
    """Return the totals of contract_month over the months of the pack."""
    frame = data.trend("contract_month")
    if frame is None:
        frame = data.table("contract_month")
    if frame is None or frame.empty:
        return []
    points = []
    for month in sorted(set(frame["month"])):
        rows = frame[frame["month"] == month]
        revenue, power_cost, margin = (total(rows, f"{name}_cents") or 0 for name in ("revenue", "power_cost", "margin"))
        points.append(MonthPoint(pd.Timestamp(month).date(), revenue, power_cost, margin))
    return points


@dataclass(frozen=True)
class CustomerMargin:
    """A customer's margin, its rank's share and what all customers up to it make together (of the sum of positive margins)."""

    customer_id: str
    name: str
    revenue: int
    power_cost: int
    margin: int
    mrr: int
    kwh: Any
    contracts: int
    margin_share: Any
    cumulative_share: Any


def customers_by_margin(data: PackData) -> list[CustomerMargin]:
    """Return the customers, the largest margin first; ties by id."""
    frame = data.table("customer_month")
    if frame is None:
        return []
    names = data.names("customers", "customer_id", "customer_name")
    rows = frame.to_dict("records")
    rows.sort(key=lambda row: (-int(row["margin_cents"]), str(row["customer_id"])))
    positive = sum(max(0, int(row["margin_cents"])) for row in rows)
    found, running = [], 0
    for row in rows:
        running += int(row["margin_cents"])
        found.append(
            CustomerMargin(
                str(row["customer_id"]),
                names.get(str(row["customer_id"]), str(row["customer_id"])),
                int(row["revenue_cents"]),
                int(row["power_cost_cents"]),
                int(row["margin_cents"]),
                int(row["mrr_cents"]),
                row["used_kwh"],
                int(row["contracts"]),
                divide(int(row["margin_cents"]), abs(int(row["revenue_cents"])), 6),
                divide(running, positive, 6),
            )
        )
    return found


@dataclass(frozen=True)
class Risk:
    """Margins under history and stress, in cents, added up over the contracts that have enough history."""

    contracts: int
    without_history: int
    this_month: int
    amounts: Mapping[str, int]


RISK_MEASURES = (
    ("expected", "expected_margin_cents"),
    ("bad month (p5)", "margin_p5_cents"),
    ("worst month", "margin_worst_cents"),
    ("stress: power price", "stress_price_cents"),
    ("stress: worst rate", "stress_worst_rate_cents"),
    ("stress: full load", "stress_full_cents"),
)


def risk(data: PackData) -> Risk | None:
    """Return the risk of the month; percentile, worst month and stress together, for a percentile alone hides the tail.

    Adding up percentiles of contracts assumes that their bad months coincide: the cautious reading.
    """
    frame, contracts = data.table("contract_risk"), data.table("contract_month")
    if frame is None or frame.empty or contracts is None:
        return None
    known = frame[frame["expected_margin_cents"].notna()]
    margins = contracts[contracts["contract_id"].isin(known["contract_id"])]
    amounts = {label: total(known, column) or 0 for label, column in RISK_MEASURES}
    return Risk(len(known), len(frame) - len(known), total(margins, "margin_cents") or 0, amounts)


def late_lines(data: PackData) -> pd.DataFrame | None:
    """Return the ERP lines of the service month that were posted after its cutoff, the largest first."""
    frame = data.table("invoice_lines")
    if frame is None:
        return None
    late = frame[frame["late"].astype(bool)]
    return largest(late, "amount_cents", len(late))


def restated(data: PackData) -> list[tuple[str, str, str, Any, int]]:
    """Return the change since the signed version per dataset, measure and cause: its total and its rows."""
    if data.restatement.empty:
        return []
    grouped = data.restatement.groupby(["dataset", "measure", "cause"], sort=True)
    return [(str(d), str(m), str(c), sum(exact_values(rows["delta"])), len(rows)) for (d, m, c), rows in grouped]


def failing_checks(data: PackData) -> pd.DataFrame:
    """Return the checks that do not hold, the strictest gate first."""
    frame = data.checks
    if frame.empty:
        return frame
    failing = frame[~frame["passed"].eq(True)]
    gates = ("write", "publish", "sign_off", "warn", "none")
    order = failing["gate"].map(lambda gate: _position(gates, str(gate)))
    return failing.assign(_gate=order).sort_values(["_gate", "asset", "check"], kind="stable").drop(columns="_gate")


def headline(data: PackData) -> dict[str, int | None]:
    """Return the figures by which the index of all packs compares months, in cents; ``None`` where one is not available.

    Variances are those as of close: what a month's controls had caught by its cutoff stays comparable over months.
    """
    contracts, summary = data.table("contract_month"), data.table("mrr_summary")
    recon = find_total(recon_totals(data.table("recon_results")), REVENUE_RECON, AS_OF_CLOSE)
    causes = data.table("recon_causes")
    return {
        **{f"{name}_cents": total(contracts, f"{name}_cents") for name in ("revenue", "power_cost", "margin")},
        "mrr_cents": total(summary, "closing_cents"),
        "variance_cents": None if recon is None else int(recon.signed),
        "gross_variance_cents": None if recon is None else int(recon.gross),
        "unexplained_cents": None if causes is None else explained(causes, AS_OF_CLOSE)[1],
        "late_cents": total(data.table("close_bridge"), "late_cents"),
        "failed_checks": len(failing_checks(data)),
    }
