"""The view *Cloud Cost* of a close pack's page.

Belongs here: which tiles, charts and tables the view has. Does not belong here: figures (``cloud_figures``), drawing
(``charts``), the wording and layout (``templates``), the views that other streams have part in (``page``).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from revenue_integrity.reports import charts, cloud_figures, figures, formatting
from revenue_integrity.reports.pack_data import PackData, plain_records
from revenue_integrity.reports.tile import Tile

_LISTED = 15
"""Rows of a table on the page; the workbook and the CSVs hold all of them."""


def view(data: PackData) -> dict[str, Any]:
    """Return what the view shows; for a pack without the stream nothing."""
    if not data.has_cloud:
        return {}
    tenants = cloud_figures.cost_lines(data, ("tenant_id",))
    services = cloud_figures.cost_lines(data, ("service_name",))
    accounts = cloud_figures.cost_lines(data, cloud_figures.ACCOUNT)
    restated = cloud_figures.restated_by_cause(data)
    ledger = cloud_figures.restatements(data)
    invoices = cloud_figures.invoices(data)
    complete = cloud_figures.completeness(data)
    return {
        "tiles": _tiles(data, tenants, complete, restated),
        "days": [
            {"costs": costs, "chart": charts.daily_costs(costs, f"daily-{at}")}
            for at, costs in enumerate(cloud_figures.daily_costs(data), 1)
        ],
        "month_chart": charts.cost_by_month(cloud_figures.cost_by_month(data), "cloud-months"),
        "first_month": cloud_figures.month_before(data) is None,
        "tables": [_ranked(tenants, "Tenant"), _ranked(services, "Service"), _ranked(accounts, "Account")],
        "moved": _moved(accounts),
        "complete": [{"line": line, "missing": day_ranges(line.incomplete)} for line in complete],
        "conserved": cloud_figures.conservation(data),
        "set_aside": cloud_figures.set_aside(data),
        "stages": cloud_figures.check_figures(data, "stages_agree"),
        "restated": restated,
        "restatements": [] if ledger is None else plain_records(ledger.head(_LISTED)),
        "restatement_count": None if ledger is None else len(ledger),
        "invoice_total": cloud_figures.invoice_total(data),
        "invoices": None if invoices is None else plain_records(invoices.head(_LISTED)),
        "invoice_count": 0 if invoices is None else len(invoices),
        "not_invoiced": cloud_figures.not_invoiced(data),
    }


def _tiles(
    data: PackData,
    tenants: Sequence[cloud_figures.CostLine],
    complete: Sequence[cloud_figures.Completeness],
    restated: Sequence[cloud_figures.Restated],
) -> list[Tile]:
    tiles = []
    month = cloud_figures.month_total(tenants)
    if month is not None:
        accounts = cloud_figures.account_count(data)
        tiles.append(Tile("Cloud cost", formatting.compact_cost(month.cost), _change(month)))
        note = f"tenants: {sum(line.rows > 0 for line in tenants):,}; events and charges: {month.rows:,}"
        tiles.append(Tile("Accounts", f"{accounts:,}", note))
    if complete:
        days, missing = sum(line.days for line in complete), sum(len(line.incomplete) for line in complete)
        note = f"tenant-days complete: {days - missing:,} of {days:,}"
        tiles.append(Tile("Days not complete", f"{missing:,}", note, "bad" if missing else "good"))
    if data.table("cloud_restatement") is not None:
        delta = sum((each.delta for each in restated), start=cloud_figures.NOTHING)
        note = f"account-days changed after their first publication; ledger rows: {sum(each.rows for each in restated):,}"
        tiles.append(Tile("Restated", formatting.compact_cost(delta), note))
    invoiced = cloud_figures.invoice_total(data)
    if invoiced is not None:
        tiles.append(invoice_tile(invoiced))
    aside = cloud_figures.set_aside(data)
    if aside is not None:
        tiles.append(Tile("Kept aside", formatting.compact_cost(aside.cost), f"rows beyond the look-back: {aside.rows:,}", "bad"))
    return tiles


def invoice_tile(total: figures.ReconTotal) -> Tile:
    """Return the tile of the reconciliation with the providers' invoices."""
    note = f"gross ${formatting.cost(total.gross)}; {total.breaches} of {total.rows} invoices in breach"
    tone = "bad" if total.breaches else "good"
    return Tile("Charges less invoices", formatting.compact_cost(total.signed), note, tone)


def _change(line: cloud_figures.CostLine) -> str:
    if line.change is None:
        return "first month shown"
    sign = "+" if line.change > 0 else ""
    share = "" if line.change_share is None else f" ({sign}{line.change_share * 100:.1f} %)"
    return f"{formatting.compact_cost(line.change)}{share} on the month before"


def _ranked(lines: Sequence[cloud_figures.CostLine], heading: str) -> dict[str, Any]:
    """Return a table of costs: the largest lines, and all others as one."""
    shown = lines if len(lines) <= _LISTED + 1 else lines[:_LISTED]
    rest = lines[len(shown) :]
    return {
        "heading": heading,
        "lines": shown,
        "count": len(lines),
        "rest": cloud_figures.month_total(rest),
        "total": cloud_figures.month_total(lines),
    }


def _moved(accounts: Sequence[cloud_figures.CostLine]) -> list[cloud_figures.CostLine]:
    """Return the accounts whose cost changed most since the month before."""
    changed = [line for line in accounts if line.change]
    return sorted(changed, key=lambda line: (-abs(line.change or cloud_figures.NOTHING), line.key))[:_LISTED]


def day_ranges(days: Sequence[date]) -> str:
    """Write days as ranges: ``2025-03-30 – 2025-03-31, 2025-04-02``."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1][1] = day
        else:
            runs.append([day, day])
    return ", ".join(first.isoformat() if first == last else f"{first.isoformat()} – {last.isoformat()}" for first, last in runs)
