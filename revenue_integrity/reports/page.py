"""The HTML page of a close pack: *Revenue & Margin Overview* and *Revenue Controls & Reconciliation*, and the index of months.

Belongs here: which tiles, charts and tables a page has. Does not belong here: figures (``figures``), drawing (``charts``), the
wording and layout (``templates``), the view of cloud costs (``cloud_page``). A page is one file without a script; it asks the
network for nothing, and says so to the browser.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import jinja2
import pandas as pd

from revenue_integrity.exact import divide
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT
from revenue_integrity.reports import charts, cloud_figures, cloud_page, figures, formatting
from revenue_integrity.reports.pack_data import PackData, plain_records
from revenue_integrity.reports.tile import Tile

_LISTED = 15
"""Rows of a table on the page; the workbook and the CSVs hold all of them."""


@dataclass(frozen=True)
class IndexRow:
    """A month on the index: status, headline figures in cents and exact costs, ``None`` where there is none, the pack's page."""

    month: date
    status: str
    version: int | None
    revenue_cents: int | None
    power_cost_cents: int | None
    margin_cents: int | None
    mrr_cents: int | None
    variance_cents: int | None
    gross_variance_cents: int | None
    unexplained_cents: int | None
    late_cents: int | None
    failed_checks: int
    page: str
    cloud_cost: Decimal | None = None
    invoice_variance: Decimal | None = None

    @classmethod
    def of(cls, month: date, link: str, facts: Mapping[str, Any]) -> "IndexRow":
        """Return the row that a pack's manifest tells of; figures of a stream that it does not show are ``None``."""
        values: dict[str, Any] = {each.name: facts.get(each.name) for each in fields(cls)}
        costs = {name: Decimal(values[name]) for name in ("cloud_cost", "invoice_variance") if values[name] is not None}
        return cls(**{**values, **costs, "month": month, "page": link})


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("revenue_integrity.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        formatting.money,
        formatting.compact_money,
        formatting.cost,
        formatting.percent,
        formatting.quantity,
        formatting.exact,
        formatting.instant,
        formatting.month_name,
        formatting.month_label,
        formatting.words,
    ):
        environment.filters[function.__name__] = function
    return environment


def page(data: PackData) -> str:
    """Return the page of a month: the same data give the same text."""
    totals = figures.all_recon_totals(data)
    return (
        _environment()
        .get_template("close_pack.html.j2")
        .render(
            data=data,
            blocking=[{**each, "figures": formatting.figures_of(each.get("figures"))} for each in data.blocking],
            overview=_overview(data) if data.has_colocation else {},
            cloud=cloud_page.view(data),
            controls=_controls(data, totals),
            workbook=f"close-pack-{data.label}.xlsx",
        )
    )


def _change(now: int, before: int | None) -> str:
    if before is None:
        return "first month shown"
    share = divide(now - before, abs(before), 6)
    sign = "+" if now > before else ""
    shown = f" ({sign}{Decimal(share) * 100:.1f} %)" if share is not None else ""
    return f"{formatting.compact_money(now - before)}{shown} on the month before"


def _overview(data: PackData) -> dict[str, Any]:
    points = figures.month_points(data)
    customers = figures.customers_by_margin(data)
    at_risk = figures.risk(data)
    summary = data.table("mrr_summary")
    sites = data.table("site_month")
    return {
        "tiles": _overview_tiles(data, points, summary, sites, at_risk),
        "mrr_chart": charts.waterfall(figures.mrr_steps(summary), "mrr", "MRR bridge from opening to closing"),
        "mrr_steps": figures.mrr_steps(summary),
        "power_chart": charts.revenue_and_power(points, "power"),
        "margin_chart": charts.margin_by_month(points, "margin"),
        "points": points,
        "pareto_chart": charts.margin_pareto(customers, "pareto"),
        "customers": customers[:_LISTED],
        "losing": [each for each in reversed(customers) if each.margin < 0][:_LISTED],
        "customer_count": len(customers),
        "risk": at_risk,
        "risk_chart": charts.risk_bars(at_risk, "risk"),
        "most_at_risk": _most_at_risk(data),
        "sites": [] if sites is None else plain_records(sites.sort_values("site_id", kind="stable")),
        "site_names": data.names("sites", "site_id", "site_name"),
        "bridge": _margin_bridge(data),
    }


def _overview_tiles(
    data: PackData,
    points: Sequence[figures.MonthPoint],
    summary: pd.DataFrame | None,
    sites: pd.DataFrame | None,
    at_risk: figures.Risk | None,
) -> list[Tile]:
    tiles: list[Tile] = []
    if points:
        now, before = points[-1], points[-2] if len(points) > 1 else None
        share = divide(now.margin, abs(now.revenue), 6)
        share_note = f"{formatting.percent(share)} of revenue; {_change(now.margin, before.margin if before else None)}"
        tone = "bad" if now.margin < 0 else ""
        tiles += [
            Tile(
                "Contractual revenue",
                formatting.compact_money(now.revenue),
                _change(now.revenue, before.revenue if before else None),
            ),
            Tile(
                "Power cost",
                formatting.compact_money(now.power_cost),
                _change(now.power_cost, before.power_cost if before else None),
            ),
            Tile("Margin after power", formatting.compact_money(now.margin), share_note, tone),
        ]
    if summary is not None and not summary.empty:
        row = summary.iloc[0]
        note = f"net retention {formatting.percent(row['net_retention'])}, gross {formatting.percent(row['gross_retention'])}"
        tiles.append(Tile("Closing MRR", formatting.compact_money(row["closing_cents"]), note))
    if sites is not None:
        stranded, billed = figures.total(sites, "stranded_cents") or 0, figures.total(sites, "billed_cents") or 0
        share = divide(stranded, abs(billed), 6)
        tiles.append(
            Tile("Stranded power", formatting.compact_money(stranded), f"{formatting.percent(share)} of what utilities billed")
        )
    if at_risk is not None and at_risk.contracts:
        expected = at_risk.amounts["expected"]
        note = f"{formatting.compact_money(at_risk.amounts['worst month'])} in the worst month; {at_risk.contracts} contracts"
        tiles.append(Tile("Expected margin", formatting.compact_money(expected), note, "bad" if expected < 0 else ""))
    return tiles


def _most_at_risk(data: PackData) -> list[dict[str, Any]]:
    frame, contracts = data.table("contract_risk"), data.table("contract_month")
    if frame is None or contracts is None:
        return []
    known = frame[frame["margin_at_risk_cents"].notna()]
    ranked = known.sort_values(["margin_p5_cents", "contract_id"], kind="stable").head(_LISTED)
    owners = dict(zip(contracts["contract_id"], contracts["customer_id"], strict=True))
    names = data.names("customers", "customer_id", "customer_name")
    rows = plain_records(ranked)
    for row in rows:
        owner = str(owners.get(row["contract_id"], formatting.MISSING))
        row["customer"] = names.get(owner, owner)
    return rows


def _margin_bridge(data: PackData) -> list[figures.Step]:
    frame = data.table("margin_bridge")
    if frame is None or frame.empty:
        return []
    amount = {name: figures.total(frame, f"{name}_cents") or 0 for name in _BRIDGE}
    return [figures.Step(label, amount[name], name.endswith("margin")) for name, label in _BRIDGE.items()]


_BRIDGE = {
    "opening_margin": "Margin of the month before",
    "revenue_effect": "Change of revenue",
    "usage_effect": "More or less kWh used",
    "rate_effect": "Cost per kWh",
    "closing_margin": "Margin of this month",
}


def _controls(data: PackData, totals: Sequence[figures.ReconTotal]) -> dict[str, Any]:
    causes = data.table("recon_causes")
    found = figures.cause_totals(causes, figures.REVENUE_RECON)
    power = figures.cause_totals(causes, figures.BOOKED_POWER_RECON)
    late = figures.late_lines(data)
    view = AS_OF_CLOSE if figures.find_total(totals, figures.REVENUE_RECON, AS_OF_CLOSE) else CURRENT
    bridge = data.table("close_bridge")
    names = data.names("customers", "customer_id", "customer_name")
    failing = figures.failing_checks(data)
    return {
        "tiles": _control_tiles(data, totals, found, late, view),
        "totals": totals,
        "causes": found,
        "power_causes": power,
        "cause_chart": charts.waterfall(figures.cause_steps(totals, found, view), "causes", "From expected to billed, by cause"),
        "cause_view": view,
        "largest_causes": _largest_causes(data, view),
        "late": None if late is None else plain_records(late.head(_LISTED)),
        "late_count": 0 if late is None else len(late),
        "close_bridge": None if bridge is None or bridge.empty else plain_records(bridge)[0],
        "restated": figures.restated(data),
        "failing": [{**row, "figures": formatting.figures_of(row.get("figures"))} for row in plain_records(failing)],
        "check_count": len(data.checks),
        "waivers": plain_records(data.waivers),
        "ledger": plain_records(data.ledger),
        "trend_chart": _variance_trend(data, view),
        "names": names,
    }


def _control_tiles(
    data: PackData,
    totals: Sequence[figures.ReconTotal],
    causes: Sequence[figures.CauseTotal],
    late: pd.DataFrame | None,
    view: str,
) -> list[Tile]:
    tiles: list[Tile] = []
    recon = figures.find_total(totals, figures.REVENUE_RECON, view)
    if recon is not None:
        note = f"gross {formatting.dollars(recon.gross)}; {recon.breaches} of {recon.rows} rows in breach"
        tiles.append(Tile("ERP less contracts", formatting.compact_money(recon.signed), note, "good" if not recon.gross else ""))
        share, unexplained = figures.explained(data.table("recon_causes"), view)
        if share is not None:
            note = f"{formatting.dollars(unexplained)} unexplained (gross)"
            tiles.append(Tile("Variance explained", formatting.percent(share), note, "bad" if unexplained else "good"))
    power = figures.find_total(totals, figures.POWER_RECON, CURRENT)
    if power is not None:
        tone = "bad" if power.gross else "good"
        tiles.append(
            Tile(
                "Power bills less allocated",
                formatting.compact_money(power.signed),
                f"gross {formatting.dollars(power.gross)}",
                tone,
            )
        )
    invoiced = cloud_figures.invoice_total(data)
    if invoiced is not None:
        tiles.append(cloud_page.invoice_tile(invoiced))
    if late is not None:
        amount = figures.total(late, "amount_cents") or 0
        tiles.append(Tile("Posted late", formatting.compact_money(amount), f"after the cutoff, lines: {len(late):,}"))
    failing = figures.failing_checks(data)
    gated = {(each["asset"], each["check"]) for each in failing.to_dict("records") if each["gate"] != "warn"}
    stopping = len(gated - {(each["asset"], each["check"]) for each in data.waivers.to_dict("records")})
    note = f"of {len(data.checks)}; {len(gated) - stopping} waived, {len(failing) - len(gated)} only warn"
    if data.checks.empty:
        tiles.append(Tile("Checks in the way", formatting.MISSING, "no check is on record"))
    else:
        tiles.append(Tile("Checks in the way", f"{stopping}", note, "bad" if stopping else "good"))
    signed_by = data.status.get("approved_by")
    note = f"approved by {signed_by}" if signed_by and not data.preliminary else "nobody has signed what is shown"
    tiles.append(Tile("Close", data.state, note, "good" if not data.preliminary else "bad"))
    return tiles


def _largest_causes(data: PackData, view: str) -> list[dict[str, Any]]:
    frame = data.table("recon_causes")
    if frame is None:
        return []
    rows = frame[(frame["recon"] == figures.REVENUE_RECON) & (frame["view"] == view)]
    largest = plain_records(figures.largest(rows, "cause_cents", _LISTED))
    return [{**row, "evidence": formatting.evidence(row.get("evidence"))} for row in largest]


def _variance_trend(data: PackData, view: str) -> str:
    frame = data.trend("recon_summary")
    if frame is None:
        return ""
    rows = frame[(frame["recon"] == figures.REVENUE_RECON) & (frame["view"] == view)]
    series = {
        name: [(month, int(cents)) for month, cents in zip(rows["month"], rows[column], strict=True)]
        for name, column in (("Signed", "variance_signed"), ("Gross", "variance_gross"))
    }
    return charts.lines_by_month(series, "trend", "ERP less contracts by month", "Variance, US dollars")


def index_page(rows: Sequence[IndexRow]) -> str:
    """Return the index of all months, the latest first, with trends."""
    ordered = sorted(rows, key=lambda row: row.month)
    points = [
        figures.MonthPoint(row.month, row.revenue_cents, row.power_cost_cents, row.margin_cents)
        for row in ordered
        if row.revenue_cents is not None and row.power_cost_cents is not None and row.margin_cents is not None
    ]
    variances = {
        "Signed": [(row.month, row.variance_cents) for row in ordered if row.variance_cents is not None],
        "Gross": [(row.month, row.gross_variance_cents) for row in ordered if row.gross_variance_cents is not None],
    }
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            rows=list(reversed(ordered)),
            power_chart=charts.revenue_and_power(points, "power"),
            margin_chart=charts.margin_by_month(points, "margin"),
            trend_chart=charts.lines_by_month(variances, "trend", "ERP less contracts by month", "Variance, US dollars"),
            has_revenue=any(row.revenue_cents is not None for row in rows) or all(row.cloud_cost is None for row in rows),
            has_cloud=any(row.cloud_cost is not None for row in rows),
            cloud_chart=charts.cost_by_month(
                {"Cloud cost": [(row.month, row.cloud_cost) for row in ordered if row.cloud_cost is not None]}, "cloud"
            ),
            signed=sum(row.status == "signed_off" for row in rows),
        )
    )
