"""The sheets of cloud costs in the workbook of a close pack.

Belongs here: which sheets the stream has, their columns, and what they leave out so that people can open the workbook. Does not
belong here: how values are written (``book``), figures (``cloud_figures``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.reports import cloud_figures, formatting
from revenue_integrity.reports.book import Book, Cell, Column, block
from revenue_integrity.reports.cloud_figures import ACCOUNT, NOTHING, added_up

MOST_ROWS = 20_000
"""Rows of a sheet; of more, the largest are shown, the rest in one row a tenant, and the sheet names the CSV that has all."""

MOST_ACCOUNTS = 500
"""Accounts on the sheet of days, the largest; the rest of each tenant is one row."""

MONTH, DAYS, RESTATED, INVOICES = "Cloud month", "Cloud days", "Cloud restatements", "Cloud invoices"

_LINE = (*ACCOUNT, "service_name")


def write(book: Book) -> None:
    """Write the sheets of the stream."""
    _month(book)
    _days(book)
    _restatements(book)
    _invoices(book)


def summary(book: Book, sheet: Any, row: int) -> int:
    """Write the stream's headline figures on the summary; return the row after them."""
    data = book.data
    headline = (
        ("Cloud cost, $", MONTH, _MONTH_COST, "cloud_month", "total_cost"),
        ("Restated since first published, $", RESTATED, _RESTATED_DELTA, "cloud_restatement", "delta"),
        ("Charged by providers, $", INVOICES, _INVOICE_LEFT, "cloud_recon_results", "left_value"),
        ("Invoiced by providers, $", INVOICES, _INVOICE_RIGHT, "cloud_recon_results", "right_value"),
        ("Charges less invoices, $", INVOICES, _INVOICE_VARIANCE, "cloud_recon_results", "variance_value"),
    )
    sheet.write_string(row, 0, "Cloud cost", book.section)
    row += 1
    for label, name, cell, dataset, measure in headline:
        total = cloud_figures.total_cost(data.table(dataset), measure)
        if total is not None:
            sheet.write_string(row, 0, label, book.formats["text"])
            book.write_total(sheet, row, 1, f"='{name}'!{cell.name}", total)
            row += 1
    rows = [
        {"name": formatting.words(each.name), "rows": each.rows, "cost": each.cost} for each in cloud_figures.conservation(data)
    ]
    columns = (Column("name", "What became of it"), Column("rows", "Rows", "integer"), Column("cost", "Cost, $", "cost"))
    frame = pd.DataFrame(rows, columns=["name", "rows", "cost"], dtype=object)
    row = block(book, sheet, row + 1, "Rows that were read (nothing is lost)", columns, frame)
    complete = [
        {
            "tenant": each.tenant,
            "days": each.days,
            "incomplete": len(each.incomplete),
            "cost": each.incomplete_cost,
            "which": ", ".join(day.isoformat() for day in each.incomplete),
        }
        for each in cloud_figures.completeness(data)
    ]
    names = ["tenant", "days", "incomplete", "cost", "which"]
    of_days = (
        Column("tenant", "Tenant"),
        Column("days", "Days", "integer"),
        Column("incomplete", "Not complete", "integer"),
        Column("cost", "Cost of these, $", "cost"),
        Column("which", "Which"),
    )
    return block(book, sheet, row, "Completeness of days", of_days, pd.DataFrame(complete, columns=names, dtype=object))


_MONTH_COLUMNS = (
    Column("tenant_id", "Tenant", width=16),
    Column("account_id", "Account", width=18),
    Column("account_name", "Account name", width=26),
    Column("billing_owner", "Billing owner", width=20),
    Column("service_name", "Service", width=20),
    Column("service_category", "Service category", width=18),
    Column("total_cost", "Cost, $", "cost", added=True),
    Column("before", "Month before, $", "cost", added=True),
    Column("change", "Change, $", "cost", added=True),
    Column("effective_cost", "Effective cost, $", "cost", added=True),
    Column("event_count", "Events and charges", "integer", added=True),
    Column("days", "Days", "integer"),
)
_MONTH_COST = Cell(4, 6)


def _month(book: Book) -> None:
    frame, previous = book.data.table("cloud_month"), cloud_figures.month_before(book.data)
    explanation = "Cost by account and service, the largest first, with the names that the look-ups give them at present"
    if frame is None:
        book.absent(book.sheet(MONTH, explanation), "cloud_month")
        return
    shown = frame.assign(before=None, change=None)
    columns: Sequence[Column] = [column for column in _MONTH_COLUMNS if column.field not in ("before", "change")]
    if previous is not None:
        shown, columns = _beside(frame, previous), _MONTH_COLUMNS
    ranked = shown.assign(_size=shown["total_cost"].map(abs)).sort_values(
        ["_size", *_LINE], ascending=[False, True, True, True], kind="stable"
    )
    measures = ("total_cost", "before", "change", "effective_cost", "event_count")
    kept, note = _largest(ranked, measures, "account_id", "services of accounts", "cloud_month")
    book.grid(book.sheet(MONTH, f"{explanation}{note}"), kept, columns)


def _beside(frame: pd.DataFrame, previous: pd.DataFrame) -> pd.DataFrame:
    """Return the costs beside those of the month before; a line that is in one of them only cost nothing in the other."""
    before = previous[[*_LINE, "account_name", "billing_owner", "service_category", "total_cost"]]
    found = frame.merge(before, how="outer", on=list(_LINE), suffixes=("", "_before"))
    for name in ("account_name", "billing_owner", "service_category"):
        found[name] = found[name].where(found[name].notna(), found[f"{name}_before"])
    found = found.fillna({"total_cost": NOTHING, "total_cost_before": NOTHING})
    found["event_count"] = found["event_count"].fillna(0).astype("int64")
    return found.assign(before=found["total_cost_before"], change=found["total_cost"] - found["total_cost_before"])


def _largest(ranked: pd.DataFrame, measures: Sequence[str], label: str, what: str, dataset: str) -> tuple[pd.DataFrame, str]:
    """Return the first rows of a ranking with the rest of each tenant in one row, and what the sheet says of that."""
    if len(ranked) <= MOST_ROWS:
        return ranked, ""
    rest = ranked.iloc[MOST_ROWS:]
    sums = {name: added_up(rest, ("tenant_id",), name) for name in measures if rest[name].notna().any()}
    counts = rest.groupby("tenant_id").size()
    others = [
        {"tenant_id": tenant, label: f"{count:,} others", **{name: values.get((tenant,)) for name, values in sums.items()}}
        for tenant, count in sorted(counts.items(), key=lambda item: str(item[0]))
    ]
    kept = pd.concat([ranked.iloc[:MOST_ROWS].astype(object), pd.DataFrame(others, dtype=object)], ignore_index=True)
    return kept, f". The {MOST_ROWS:,} largest {what}; the rest of each tenant is one row, all rows stand in csv/{dataset}.csv"


def _days(book: Book) -> None:
    frame = book.data.table("daily_account_cost")
    explanation = "Cost by account and UTC day, the largest first. Red: restated since first published; grey: day not complete"
    if frame is None:
        book.absent(book.sheet(DAYS, explanation), "daily_account_cost")
        return
    totals = added_up(frame, ACCOUNT, "total_cost")
    ranked = sorted(totals, key=lambda key: (-abs(totals[key]), key))
    kept, rest = ranked[:MOST_ACCOUNTS], ranked[MOST_ACCOUNTS:]
    others = {tenant: len(kept) + at for at, tenant in enumerate(sorted({tenant for tenant, _ in rest}))}
    on_line = [(*key, at) for at, key in enumerate(kept)] + [(*key, others[key[0]]) for key in rest]
    places = pd.DataFrame(on_line, columns=[*ACCOUNT, "line"])
    names, counts = cloud_figures.account_names(book.data), Counter(tenant for tenant, _ in rest)
    lines = [{"tenant_id": key[0], "account_id": key[1], "account_name": names.get(key)} for key in kept]
    lines += [{"tenant_id": tenant, "account_id": f"{counts[tenant]:,} others"} for tenant in others]
    placed = frame.merge(places, on=list(ACCOUNT))
    cells = added_up(placed, ("line", "usage_date"), "total_cost")
    days = list(pd.date_range(book.data.month, months.last_day(book.data.month)).date)
    shown = pd.DataFrame(lines, columns=[*ACCOUNT, "account_name"], dtype=object)
    for day in days:
        shown[day.isoformat()] = pd.Series([cells.get((at, day)) for at in range(len(lines))], dtype=object)
    of_line = added_up(placed, ("line",), "total_cost")
    shown["total"] = pd.Series([of_line[at,] for at in range(len(lines))], dtype=object)
    columns = (
        Column("tenant_id", "Tenant", width=16),
        Column("account_id", "Account", width=18),
        Column("account_name", "Account name", width=26),
        Column("total", "Month, $", "cost", added=True),
        *(Column(day.isoformat(), f"{day:%m-%d}, $", "cost", added=True, width=12) for day in days),
    )
    note = f". The {MOST_ACCOUNTS:,} largest; the rest of each tenant is one row, all stand in csv/daily_account_cost.csv"
    sheet = book.sheet(DAYS, explanation + (note if others else ""))
    first, _ = book.grid(sheet, shown, columns)
    _mark(book, sheet, first, days, cells, places)


def _mark(
    book: Book, sheet: Any, first: int, days: Sequence[date], cells: Mapping[tuple[int, date], Decimal], lines: pd.DataFrame
) -> None:
    """Write the costs of days that are not complete, and of restated ones, once more in their colours.

    ``lines`` says on which line each account stands.
    """
    frame, ledger = book.data.tables["daily_account_cost"], book.data.table("cloud_restatement")
    late = frame.loc[~frame["data_complete"].astype(bool)]
    for found, style in ((late, book.incomplete), (ledger, book.restated)):
        if found is not None and not found.empty:
            marked = found.merge(lines, on=list(ACCOUNT))[["line", "usage_date"]].drop_duplicates()
            for line, day in zip(marked["line"], marked["usage_date"].dt.date, strict=True):
                book.write(sheet, first + line, 4 + days.index(day), cells.get((line, day)), "cost", style)


_RESTATEMENT_COLUMNS = (
    Column("tenant_id", "Tenant", width=16),
    Column("account_id", "Account", width=18),
    Column("usage_date", "Day (UTC)", "date"),
    Column("publication", "Publication", "integer"),
    Column("step", "Step", "integer", width=8),
    Column("cause", "Cause", width=18),
    Column("old_cost", "Before, $", "cost"),
    Column("new_cost", "After, $", "cost"),
    Column("delta", "Change, $", "cost", added=True),
    Column("rows", "Rows", "integer"),
    Column("batch_id", "Batch", "wide", width=46),
)
_RESTATED_DELTA = Cell(4, 8)


def _restatements(book: Book) -> None:
    frame = cloud_figures.restatements(book.data)
    explanation = "Changes of account-days after their first publication, the largest first; they add up to that of the total"
    if frame is None:
        book.absent(book.sheet(RESTATED, explanation), "cloud_restatement")
        return
    kept, note = _largest(frame, ("delta",), "account_id", "changes", "cloud_restatement")
    book.grid(book.sheet(RESTATED, f"{explanation}{note}"), kept, _RESTATEMENT_COLUMNS)


_INVOICE_COLUMNS = (
    Column("provider", "Provider", width=20),
    Column("billing_period", "Billing period", "month"),
    Column("invoice_id", "Invoice", width=26),
    Column("left_value", "Charged, $", "cost", added=True),
    Column("right_value", "Invoiced, $", "cost", added=True),
    Column("variance_value", "Variance, $", "cost", added=True),
    Column("variance_pct", "Variance, % of invoiced", "share"),
    Column("status", "Status", width=17),
    Column("explanation", "Explanation", "wide"),
)
_INVOICE_LEFT, _INVOICE_RIGHT, _INVOICE_VARIANCE = Cell(4, 3), Cell(4, 4), Cell(4, 5)


def _invoices(book: Book) -> None:
    frame = cloud_figures.invoices(book.data)
    sheet = book.sheet(INVOICES, "What providers charged less what they invoiced, breaches first")
    if frame is None:
        book.absent(sheet, "cloud_recon_results")
        return
    _, last = book.grid(sheet, frame, _INVOICE_COLUMNS)
    waiting = cloud_figures.not_invoiced(book.data)
    if waiting is not None:
        sheet.write_string(last + 2, 0, f"Waiting for an invoice: {waiting.rows:,} charges", book.note)
        book.write(sheet, last + 2, 3, waiting.cost, "cost")
