"""What a close pack says of cloud costs: totals, rankings and restated days taken from the published tables.

Belongs here: adding up, ordering and cutting off what workbook and page show of the cloud stream. Does not belong here:
formatting, charts, and any figure that a table of the stream should hold. Costs are exact decimals, added up in typed columns,
for a day has as many rows as there are accounts; every order is total.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from revenue_integrity import months
from revenue_integrity.exact import divide
from revenue_integrity.output import decimal_text
from revenue_integrity.reports import figures
from revenue_integrity.reports.pack_data import PackData

RECON = "cloud_invoices"
"""The reconciliation of the stream."""

NAMED_ACCOUNTS = 8
"""Accounts with a line of their own in a chart; the rest of a tenant's are one line."""

NAMED_TENANTS = 6
"""Tenants with a chart of their own; where there are more, the smallest share the last one."""

ACCOUNT = ("tenant_id", "account_id")
"""What names an account: tenants may use the same ids."""

UNKNOWN = "unknown"
"""What the look-ups say where they lack a name."""

_COST = pa.decimal128(38, 12)
NOTHING = Decimal(0)
"""No cost."""


def added_up(frame: pd.DataFrame, keys: Sequence[str], column: str) -> dict[tuple[Any, ...], Any]:
    """Return the sum of a column of costs or counts by some keys; costs stay exact (null: no row says one), a day is a date."""
    values = frame[column]
    measured = pa.array(values, _COST if values.dtype == object else pa.int64())
    columns = {name: _plain_column(frame[name]) for name in keys}
    found = pa.table({**columns, "measured": measured}).group_by(list(keys)).aggregate([("measured", "sum")])
    rows = zip(*(found.column(name).to_pylist() for name in keys), strict=True)
    return dict(zip(rows, found.column("measured_sum").to_pylist(), strict=True))


def _plain_column(column: "pd.Series[Any]") -> pa.Array:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pa.array(column).cast(pa.timestamp("us")).cast(pa.date32())
    return pa.array(column.astype(object))


def total_cost(frame: pd.DataFrame | None, column: str) -> Decimal | None:
    """Return the exact sum of a column of costs; ``None`` where the table is not available, or has rows and none says one."""
    if frame is None or column not in frame:
        return None
    return NOTHING if frame.empty else added_up(frame.assign(all="all"), ("all",), column)["all",]


@dataclass(frozen=True)
class CostLine:
    """The month's cost of something (a tenant, a service, an account) beside that of the month before.

    ``before`` and ``change`` are ``None`` where the month before is not published; what had no rows there cost nothing.
    """

    key: tuple[str, ...]
    name: str
    cost: Decimal
    effective: Decimal | None
    rows: int
    share: Decimal | None
    before: Decimal | None

    @property
    def change(self) -> Decimal | None:
        """The cost less that of the month before."""
        return None if self.before is None else self.cost - self.before

    @property
    def change_share(self) -> Decimal | None:
        """The change over the absolute cost of the month before; ``None`` where that is 0."""
        return None if self.before is None or self.change is None else divide(self.change, abs(self.before), 6)


def cost_lines(data: PackData, keys: Sequence[str]) -> list[CostLine]:
    """Return the month's costs by some keys of cloud_month, the largest first; what cost something only before comes with 0."""
    frame, previous = data.table("cloud_month"), month_before(data)
    if frame is None:
        return []
    costs = added_up(frame, keys, "total_cost")
    effective = added_up(frame, keys, "effective_cost")
    rows = added_up(frame, keys, "event_count")
    before = {} if previous is None else added_up(previous, keys, "total_cost")
    gross = sum((abs(cost) for cost in costs.values()), NOTHING)
    names = account_names(data)
    lines = [
        CostLine(
            key,
            names.get(key, "") if tuple(keys) == ACCOUNT else "",
            costs.get(key, NOTHING),
            effective.get(key),
            int(rows.get(key, 0)),
            divide(costs.get(key, NOTHING), gross, 6),
            None if previous is None else before.get(key, NOTHING),
        )
        for key in {**costs, **before}
    ]
    return sorted(lines, key=lambda line: (-line.cost, -abs(line.before or NOTHING), line.key))


def month_total(lines: Sequence[CostLine]) -> CostLine | None:
    """Return the sum of some lines, ``None`` where there are none."""
    if not lines:
        return None
    effective = [line.effective for line in lines if line.effective is not None]
    before = [line.before for line in lines if line.before is not None]
    shares = [line.share for line in lines if line.share is not None]
    return CostLine(
        (),
        "",
        sum((line.cost for line in lines), NOTHING),
        sum(effective, NOTHING) if effective else None,
        sum(line.rows for line in lines),
        sum(shares, NOTHING) if shares else None,
        sum(before, NOTHING) if before else None,
    )


def account_count(data: PackData) -> int:
    """Return how many accounts have costs in the month."""
    frame = data.table("cloud_month")
    return 0 if frame is None else len(frame[list(ACCOUNT)].drop_duplicates())


def account_names(data: PackData) -> dict[tuple[str, ...], str]:
    """Return the accounts' names where the look-up has them, those of the month before included."""
    found: dict[tuple[str, ...], str] = {}
    for frame in (month_before(data), data.table("cloud_month")):
        if frame is not None:
            known = frame[frame["account_name"].ne(UNKNOWN) & frame["account_name"].notna()].drop_duplicates(list(ACCOUNT))
            found |= dict(zip(zip(known["tenant_id"], known["account_id"], strict=True), known["account_name"], strict=True))
    return found


def month_before(data: PackData) -> pd.DataFrame | None:
    """Return cloud_month of the month before, ``None`` where that is not published."""
    frame = data.history.get("cloud_month")
    if frame is None:
        return None
    return frame[frame["month"] == pd.Timestamp(months.add(data.month, -1))]


def cost_by_month(data: PackData) -> dict[str, list[tuple[date, Decimal]]]:
    """Return the cost of each tenant by month, the largest of the latest month first; beyond the named ones all in one."""
    frame = data.trend("cloud_cost")
    if frame is None:
        return {}
    costs = added_up(frame, ("tenant_id", "month"), "total_cost")
    shown = sorted({month for _, month in costs})
    tenants = sorted({tenant for tenant, _ in costs}, key=lambda tenant: (-costs.get((tenant, shown[-1]), NOTHING), tenant))
    named, rest = _cut(tenants, NAMED_TENANTS)
    series = {tenant: [(month, costs.get((tenant, month), NOTHING)) for month in shown] for tenant in named}
    if rest:
        sums = [(month, sum((costs.get((tenant, month), NOTHING) for tenant in rest), NOTHING)) for month in shown]
        series[f"{len(rest)} other tenants"] = sums
    return series


def _cut(ranked: Sequence[Any], most: int) -> tuple[list[Any], list[Any]]:
    """Return the first of a ranking and the rest; one that is left over alone stays."""
    count = most if len(ranked) > most + 1 else len(ranked)
    return list(ranked[:count]), list(ranked[count:])


@dataclass(frozen=True)
class RestatedDay:
    """What was restated of a line's day: the line, the day, and the change by cause."""

    series: str
    day: date
    by_cause: Mapping[str, Decimal]

    @property
    def delta(self) -> Decimal:
        """The whole change."""
        return sum(self.by_cause.values(), NOTHING)


@dataclass(frozen=True)
class DailyCosts:
    """Daily costs of a tenant (or of the smallest tenants together) by account, as a chart shows them.

    Attributes:
        title: the tenant, or what stands for several.
        days: all days of the month.
        series: (label, costs by day): the accounts with the largest absolute cost, the rest in one line that comes last. Days
            without any row of the tenant are not in it; an account without a row on another day cost nothing on it.
        total: the cost of the month.
        rest: how many accounts share the last line, 0 if none do.
        incomplete: days with costs that are not complete.
        restated: account-days whose published cost changed, by line and day.
    """

    title: str
    days: Sequence[date]
    series: Sequence[tuple[str, Mapping[date, Decimal]]]
    total: Decimal
    rest: int
    incomplete: Sequence[date]
    restated: Sequence[RestatedDay]


def daily_costs(data: PackData) -> list[DailyCosts]:
    """Return the daily costs of the month, per tenant, the one with the largest absolute cost first."""
    frame = data.table("daily_account_cost")
    if frame is None:
        return []
    accounts = added_up(frame, ACCOUNT, "total_cost")
    ledger = data.table("cloud_restatement")
    changed = _changed_days(ledger)
    size: dict[str, Decimal] = defaultdict(Decimal)
    for (tenant, _), cost in accounts.items():
        size[tenant] += abs(cost)
    for tenant, *_ in changed:
        size[tenant] += 0
    ranked = sorted(size, key=lambda tenant: (-size[tenant], tenant))
    alone, together = _cut(ranked, NAMED_TENANTS - 1)
    groups = [(tenant, [tenant]) for tenant in alone]
    if together:
        groups.append((f"{len(together)} other tenants", together))
    return [_of_tenants(data, title, tenants, accounts, changed) for title, tenants in groups]


_Change = Mapping[tuple[Any, ...], Mapping[str, Decimal]]


def _changed_days(ledger: pd.DataFrame | None) -> dict[tuple[Any, ...], dict[str, Decimal]]:
    """Return the change of each restated account-day by cause."""
    if ledger is None or ledger.empty:
        return {}
    found: dict[tuple[Any, ...], dict[str, Decimal]] = defaultdict(dict)
    sums = added_up(ledger, ("tenant_id", "account_id", "usage_date", "cause"), "delta")
    for (tenant, account, day, cause), delta in sorted(sums.items()):
        found[tenant, account, day][cause] = delta
    return found


def _of_tenants(
    data: PackData, title: str, tenants: Sequence[str], accounts: Mapping[tuple[Any, ...], Decimal], changed: _Change
) -> DailyCosts:
    frame = data.tables["daily_account_cost"]
    mine = frame[frame["tenant_id"].isin(tenants)]
    ids = {key: cost for key, cost in accounts.items() if key[0] in tenants}
    ids |= {key[:2]: NOTHING for key in changed if key[0] in tenants and key[:2] not in ids}
    ranked = sorted(ids, key=lambda key: (-abs(ids[key]), key))
    named, rest = _cut(ranked, NAMED_ACCOUNTS)
    names = account_names(data)
    label_of = {key: _label(key, names, with_tenant=len(tenants) > 1) for key in named}
    other = f"{len(rest)} other accounts"
    labels = pd.DataFrame([(*key, label) for key, label in label_of.items()], columns=[*ACCOUNT, "series"])
    mine = mine.merge(labels, how="left", on=list(ACCOUNT)).fillna({"series": other})
    costs = added_up(mine, ("series", "usage_date"), "total_cost")
    with_rows = sorted({day for _, day in costs})
    order = [*label_of.values(), *([other] if rest else [])]
    restated: dict[tuple[str, date], dict[str, Decimal]] = defaultdict(dict)
    for (tenant, account, day), by_cause in changed.items():
        if tenant in tenants:
            mark = restated[label_of.get((tenant, account), other), day]
            for cause, delta in by_cause.items():
                mark[cause] = mark.get(cause, NOTHING) + delta
    days = pd.date_range(data.month, months.last_day(data.month)).date
    return DailyCosts(
        title,
        list(days),
        [(label, {day: costs.get((label, day), NOTHING) for day in with_rows}) for label in order],
        sum(ids.values(), NOTHING),
        len(rest),
        _days_of(mine[~mine["data_complete"].astype(bool)]),
        [
            RestatedDay(label, day, dict(sorted(by_cause.items())))
            for (label, day), by_cause in sorted(restated.items(), key=lambda item: (item[0][1], order.index(item[0][0])))
        ],
    )


def _days_of(frame: pd.DataFrame) -> list[date]:
    return sorted(pd.Timestamp(day).date() for day in frame["usage_date"].drop_duplicates())


def _label(key: tuple[Any, ...], names: Mapping[tuple[str, ...], str], *, with_tenant: bool) -> str:
    tenant, account = key
    shown = f"{tenant} / {account}" if with_tenant else account
    return f"{shown} {names[key]}" if key in names else str(shown)


@dataclass(frozen=True)
class Completeness:
    """How complete a tenant's days are: those with costs, those of them that are not complete, and the cost of these."""

    tenant: str
    days: int
    incomplete: Sequence[date]
    incomplete_cost: Decimal


def completeness(data: PackData) -> list[Completeness]:
    """Return how complete the days of each tenant are, by tenant."""
    frame = data.table("daily_account_cost")
    if frame is None:
        return []
    days = frame[["tenant_id", "usage_date", "data_complete"]].drop_duplicates()
    late = frame[~frame["data_complete"].astype(bool)]
    costs = added_up(late, ("tenant_id",), "total_cost")
    return [
        Completeness(
            str(tenant),
            int(mine["usage_date"].nunique()),
            _days_of(mine[~mine["data_complete"].astype(bool)]),
            costs.get((tenant,), NOTHING),
        )
        for tenant, mine in days.groupby("tenant_id", sort=True)
    ]


@dataclass(frozen=True)
class Restated:
    """What publications after the first changed by a cause: ledger rows, account-days, and the change."""

    cause: str
    rows: int
    account_days: int
    delta: Decimal


def restated_by_cause(data: PackData) -> list[Restated]:
    """Return the month's restatements by cause, the largest change first."""
    frame = data.table("cloud_restatement")
    if frame is None:
        return []
    deltas = added_up(frame, ("cause",), "delta")
    found = [
        Restated(str(cause), len(rows), len(rows[[*ACCOUNT, "usage_date"]].drop_duplicates()), deltas[cause,])
        for cause, rows in frame.groupby("cause", sort=True)
    ]
    return sorted(found, key=lambda each: (-abs(each.delta), each.cause))


def restatements(data: PackData) -> pd.DataFrame | None:
    """Return the ledger of the month's restatements, the largest change first, ties in the order of the ledger."""
    frame = data.table("cloud_restatement")
    return None if frame is None else figures.largest(frame, "delta", len(frame))


def invoices(data: PackData) -> pd.DataFrame | None:
    """Return charges against invoices: what is in breach first, then by the size of the variance."""
    frame = data.table("cloud_recon_results")
    if frame is None:
        return None
    ranked = figures.largest(frame, "variance_value", len(frame))
    order = ranked["status"].map({"breach": 0, "within_tolerance": 1}).fillna(2)
    return ranked.assign(_order=order).sort_values("_order", kind="stable").drop(columns="_order")


def invoice_total(data: PackData) -> figures.ReconTotal | None:
    """Return the reconciliation with the invoices in total."""
    return next((each for each in figures.recon_totals(data.table("cloud_recon_results")) if each.recon == RECON), None)


@dataclass(frozen=True)
class Conserved:
    """Rows and cost of what was read of the month, or of what became of it."""

    name: str
    rows: int
    cost: Decimal
    is_total: bool = False


def not_invoiced(data: PackData) -> Conserved | None:
    """Return the charges that name no invoice yet; ``None`` where none wait."""
    frame = data.table("cloud_recon_summary")
    if frame is None or not frame["not_invoiced_rows"].sum():
        return None
    cost = total_cost(frame, "not_invoiced_value") or NOTHING
    return Conserved("not_invoiced", int(frame["not_invoiced_rows"].sum()), cost)


def check_figures(data: PackData, check: str) -> dict[str, Any]:
    """Return the figures of a check of the stream, empty where it has no result; costs in them are for the eye."""
    frame = data.checks
    of_stream = frame["asset"].str.startswith("cloud/").astype(bool)
    found = frame.loc[of_stream & (frame["check"] == check), "figures"].astype(object).tolist()
    figures_of = json.loads(found[0], parse_float=Decimal) if found and isinstance(found[0], str) and found[0] else {}
    return {name: Decimal(value) if name.startswith("cost_") else value for name, value in figures_of.items()}


CONSERVED = ("surviving", "superseded", "duplicate", "deleted", "quarantined", "set_aside")
"""What becomes of the rows that were read (30-cloud, *Guarantees*)."""


def conservation(data: PackData) -> list[Conserved]:
    """Return what was read and what became of it, as the check of conservation found it; empty without its result."""
    found = check_figures(data, "events_are_conserved")
    if any(f"{kind}_{name}" not in found for name in ("read", *CONSERVED) for kind in ("rows", "cost")):
        return []
    parts = [Conserved(name, int(found[f"rows_{name}"]), found[f"cost_{name}"]) for name in CONSERVED]
    return [*parts, Conserved("read", int(found["rows_read"]), found["cost_read"], is_total=True)]


def set_aside(data: PackData) -> Conserved | None:
    """Return what is kept aside because it came too late, ``None`` where nothing is or nobody looked."""
    found = check_figures(data, "nothing_is_set_aside")
    if not found.get("rows_set_aside"):
        return None
    return Conserved("set_aside", int(found["rows_set_aside"]), found["cost_set_aside"])


def headline(data: PackData) -> dict[str, str | None]:
    """Return the figures by which the index of all packs compares months, exact, as text."""
    cost, total = total_cost(data.table("cloud_month"), "total_cost"), invoice_total(data)
    return {
        "cloud_cost": None if cost is None else decimal_text(cost),
        "invoice_variance": None if total is None else decimal_text(total.signed),
    }
