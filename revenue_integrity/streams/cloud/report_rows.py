"""What the stream's pages show, as small frames: made from the published month, for ``report``.

Belongs here: adding up, ranking and cutting off published costs for people. Does not belong here: how they are laid out
(``report``), any figure that a table of the stream should hold. Costs are exact decimals, added up in typed columns, for a day
has as many rows as there are accounts; every order is total.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa

from revenue_integrity import months, wording
from revenue_integrity.exact import added, divide
from revenue_integrity.model.report import Published
from revenue_integrity.reports.recon_figures import in_shown_units

NAMED_ACCOUNTS = 8
"""Accounts with a line of their own in a chart; the rest of a tenant's are one line."""

NAMED_TENANTS = 6
"""Tenants with a chart of their own; where there are more, the smallest share the last one."""

MOST_ACCOUNTS = 500
"""Accounts on the sheet of days, the largest; the rest of each tenant is one row."""

ACCOUNT = ("tenant_id", "account_id")
"""What names an account: tenants may use the same ids."""

UNKNOWN = "unknown"
"""What the look-ups say where they lack a name."""

UNNAMED = "UNKNOWN"
"""What a cost by dimension says where it has no value, or its look-up no name."""

NOTHING = Decimal(0)
"""No cost."""

_LINE = (*ACCOUNT, "service_name")
_COST = pa.decimal128(38, 18)


def sums_by(frame: pd.DataFrame, keys: Sequence[str], column: str) -> dict[tuple[Any, ...], Any]:
    """Return the sum of a column of costs or counts by some keys; costs stay exact (null: no row says one), a day is a date."""
    values = frame[column]
    measure = pa.array(values, _COST if values.dtype == object else pa.int64())
    columns = {name: _plain_column(frame[name]) for name in keys}
    found = pa.table({**columns, "measured": measure}).group_by(list(keys)).aggregate([("measured", "sum")])
    rows = zip(*(found.column(name).to_pylist() for name in keys), strict=True)
    return dict(zip(rows, found.column("measured_sum").to_pylist(), strict=True))


def _plain_column(column: "pd.Series[Any]") -> pa.Array:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pa.array(column).cast(pa.timestamp("us")).cast(pa.date32())
    return pa.array(column.astype(object))


def kept_of_month(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what trends keep of ``cloud_month``: the cost of each tenant."""
    if frame.empty:
        return frame[["month"]].assign(tenant_id=None, total_cost=None)
    sums = sorted(sums_by(frame, ("tenant_id",), "total_cost").items())
    rows = [{"tenant_id": tenant, "total_cost": cost} for (tenant,), cost in sums]
    return pd.DataFrame(rows, dtype=object).assign(month=frame["month"].iloc[0])


def account_names(published: Published) -> dict[tuple[str, ...], str]:
    """Return the accounts' names where the look-up has them, those of the month before included."""
    found: dict[tuple[str, ...], str] = {}
    for frame in (published.before.get("cloud_month"), published.table("cloud_month")):
        if frame is not None:
            known = frame[frame["account_name"].ne(UNKNOWN) & frame["account_name"].notna()].drop_duplicates(list(ACCOUNT))
            found |= dict(zip(zip(known["tenant_id"], known["account_id"], strict=True), known["account_name"], strict=True))
    return found


@cache
def ranked(*keys: str) -> Callable[[Published], pd.DataFrame | None]:
    """Return what gives the month's costs by some keys of ``cloud_month`` beside those of the month before, the largest first.

    What cost something only before comes with 0. Where the month before is not published, nothing stands for it.
    """

    def rows(published: Published) -> pd.DataFrame | None:
        frame, previous = published.table("cloud_month"), published.before.get("cloud_month")
        if frame is None:
            return None
        return _beside_before(frame, previous, keys, account_names(published) if keys == ACCOUNT else {})

    return rows


@cache
def ranked_by(dimension: str) -> Callable[[Published], pd.DataFrame | None]:
    """Return what gives the month's costs by a dimension of ``cloud_cost_by``, all tenants together, as ``ranked`` does."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame, previous = published.table("cloud_cost_by"), published.before.get("cloud_cost_by")
        if frame is None:
            return None
        frame = frame[frame["dimension"] == dimension]
        named = frame[frame["name"].ne(frame["value"]) & frame["name"].ne(UNNAMED)]
        names = dict(zip(zip(named["value"], strict=True), named["name"], strict=True))
        before = None if previous is None else previous[previous["dimension"] == dimension]
        return _beside_before(frame, before, ("value",), names)

    return rows


def _beside_before(
    frame: pd.DataFrame, previous: pd.DataFrame | None, keys: Sequence[str], names: Mapping[tuple[Any, ...], str]
) -> pd.DataFrame:
    """Return costs by some keys beside those of the month before, the largest first."""
    costs, counts = sums_by(frame, keys, "total_cost"), sums_by(frame, keys, "event_count")
    before = {} if previous is None else sums_by(previous, keys, "total_cost")
    gross = added(abs(cost) for cost in costs.values())
    found: list[dict[str, Any]] = []
    for key in {**costs, **before}:
        cost, was = costs.get(key, NOTHING), None if previous is None else before.get(key, NOTHING)
        found.append(
            {
                "label": " / ".join(key),
                "name": names.get(key, ""),
                "cost": cost,
                "rows": counts.get(key, 0),
                "share": divide(cost, gross, 6),
                "before": was,
                "change": None if was is None else cost - was,
                "change_share": None if was is None else divide(cost - was, abs(was), 6),
                "size": -abs(was or NOTHING),
            }
        )
    columns = ["label", "name", "cost", "rows", "share", "before", "change", "change_share", "size"]
    found.sort(key=lambda row: (-row["cost"], row["size"], row["label"]))
    return pd.DataFrame(found, columns=columns, dtype=object)


def moved(published: Published) -> pd.DataFrame | None:
    """Return the accounts whose cost changed since the month before."""
    accounts = published.rows(ranked(*ACCOUNT))
    return None if accounts is None else accounts[accounts["change"].map(bool).astype(bool)]


def count(*keys: str) -> Callable[[Published], int | None]:
    """Return what counts the values of some keys of the month."""

    def number(published: Published) -> int | None:
        frame = published.table("cloud_month")
        return None if frame is None or frame.empty else len(frame[list(keys)].drop_duplicates())

    return number


def cost_by_month(published: Published) -> pd.DataFrame | None:
    """Return the cost of each tenant by month, the largest of the latest month first; beyond the named ones all in one."""
    frame = published.trend("cloud_month")
    frame = None if frame is None else frame[frame["tenant_id"].notna()]
    if frame is None or frame.empty:
        return None
    costs = sums_by(frame, ("tenant_id", "month"), "total_cost")
    shown = sorted({month for _, month in costs})
    tenants = sorted({tenant for tenant, _ in costs}, key=lambda tenant: (-costs.get((tenant, shown[-1]), NOTHING), tenant))
    named, rest = _cut(tenants, NAMED_TENANTS)
    rows = [(month, tenant, costs.get((tenant, month), NOTHING), False) for tenant in named for month in shown]
    label = f"{len(rest)} other tenants"
    rows += [(month, label, added(costs.get((tenant, month), NOTHING) for tenant in rest), True) for month in shown if rest]
    return pd.DataFrame(
        [(pd.Timestamp(month), *others) for month, *others in rows], columns=["month", "tenant", "cost", "is_rest"]
    )


def _cut(ranking: Sequence[Any], most: int) -> tuple[list[Any], list[Any]]:
    """Return the first of a ranking and the rest; one that is left over alone stays."""
    first = most if len(ranking) > most + 1 else len(ranking)
    return list(ranking[:first]), list(ranking[first:])


# Days


def _changes(published: Published) -> dict[tuple[Any, ...], dict[str, Decimal]]:
    """Return the change of each restated account-day by cause."""
    ledger = published.table("cloud_restatement")
    if ledger is None or ledger.empty:
        return {}
    found: dict[tuple[Any, ...], dict[str, Decimal]] = defaultdict(dict)
    for (tenant, account, day, cause), delta in sorted(sums_by(ledger, (*ACCOUNT, "usage_date", "cause"), "delta").items()):
        found[tenant, account, day][cause] = delta
    return found


def _lines(published: Published) -> dict[tuple[str, str], tuple[str, str, bool]]:
    """Return for each account the chart and the line that shows it, in order; and whether that line stands for several."""
    frame = published.table("daily_account_cost")
    if frame is None:
        return {}
    accounts = sums_by(frame, ACCOUNT, "total_cost")
    accounts |= {key[:2]: NOTHING for key in _changes(published) if key[:2] not in accounts}
    size: dict[str, Decimal] = defaultdict(Decimal)
    for (tenant, _), cost in accounts.items():
        size[tenant] += abs(cost)
    alone, together = _cut(sorted(size, key=lambda tenant: (-size[tenant], tenant)), NAMED_TENANTS - 1)
    groups = [(tenant, [tenant]) for tenant in alone] + ([(f"{len(together)} other tenants", together)] if together else [])
    names, found = account_names(published), {}
    for title, tenants in groups:
        mine = sorted((key for key in accounts if key[0] in tenants), key=lambda key: (-abs(accounts[key]), key))
        named, rest = _cut(mine, NAMED_ACCOUNTS)
        for key in named:
            shown = " / ".join(key) if len(tenants) > 1 else key[1]
            found[key] = (title, f"{shown} {names[key]}" if key in names else shown, False)
        found |= {key: (title, f"{len(rest)} other accounts", True) for key in rest}
    return found


def daily(published: Published) -> pd.DataFrame | None:
    """Return the daily costs of the accounts of each tenant as lines: an account without a row on a day cost nothing on it.

    A day without any row of a tenant is no point of a line, unless its costs were restated to nothing.
    """
    frame = published.table("daily_account_cost")
    if frame is None:
        return None
    lines = _lines(published)
    places = pd.DataFrame([(*key, *line) for key, line in lines.items()], columns=[*ACCOUNT, "title", "account", "is_rest"])
    placed = frame.merge(places, on=list(ACCOUNT))
    costs = sums_by(placed, ("title", "account", "usage_date"), "total_cost")
    with_rows = {(title, day) for title, _, day in costs}
    late = placed[~placed["data_complete"].astype(bool)]
    incomplete = {(title, pd.Timestamp(day).date()) for title, day in zip(late["title"], late["usage_date"], strict=True)}
    restated = {(*lines[key[:2]][:2], key[2]) for key in _changes(published)}
    rows: list[dict[str, Any]] = []
    for title in dict.fromkeys(title for title, _, _ in lines.values()):
        labels = dict.fromkeys((label, is_rest) for of, label, is_rest in lines.values() if of == title)
        for day in pd.date_range(published.month, months.last_day(published.month)).date:
            said = {"title": title, "day": day.day, "is_incomplete": (title, day) in incomplete}
            rows.append(said | {"account": None, "cost": None, "is_rest": False, "is_restated": False})
            for label, is_rest in labels:
                marked = (title, label, day) in restated
                if marked or (title, day) in with_rows:
                    cost = costs.get((title, label, day), NOTHING)
                    rows.append(said | {"account": label, "cost": cost, "is_rest": is_rest, "is_restated": marked})
    return pd.DataFrame(
        rows, columns=["title", "day", "account", "cost", "is_rest", "is_incomplete", "is_restated"], dtype=object
    )


def restated_days(published: Published) -> pd.DataFrame | None:
    """Return the change of each restated day by cause, all accounts of a chart together."""
    lines = _lines(published)
    sums: dict[tuple[str, int, str], Decimal] = defaultdict(Decimal)
    for (tenant, account, day), by_cause in _changes(published).items():
        for cause, delta in by_cause.items():
            sums[lines[tenant, account][0], day.day, wording.words(cause)] += delta
    rows = [(*key, delta) for key, delta in sorted(sums.items())]
    return pd.DataFrame(rows, columns=["title", "day", "cause", "delta"], dtype=object)


def daily_note(published: Published) -> str:
    """Return what stands above the charts of days."""
    words = ["Daily cost, UTC days, rounded to cents; the exact costs stand in csv/daily_account_cost.csv."]
    if _changes(published):
        words.append("A red triangle marks a day that was restated after its first publication; bars show by how much and why.")
    frame = published.table("daily_account_cost")
    if frame is not None and not frame["data_complete"].astype(bool).all():
        words.append("Shaded days are not complete: sources that are expected have not delivered since their end.")
    return " ".join(words)


# Completeness and conservation


def completeness(published: Published) -> pd.DataFrame | None:
    """Return how complete the days of each tenant are, by tenant."""
    frame = published.table("daily_account_cost")
    if frame is None:
        return None
    days = frame[["tenant_id", "usage_date", "data_complete"]].drop_duplicates()
    costs = sums_by(frame[~frame["data_complete"].astype(bool)], ("tenant_id",), "total_cost")
    rows = []
    for tenant, mine in days.groupby("tenant_id", sort=True):
        late = sorted(pd.Timestamp(day).date() for day in mine.loc[~mine["data_complete"].astype(bool), "usage_date"])
        rows.append(
            {
                "tenant": str(tenant),
                "days": int(mine["usage_date"].nunique()),
                "incomplete": len(late),
                "cost": costs.get((tenant,), NOTHING),
                "which": day_ranges(late),
                "tone": "bad" if late else "",
            }
        )
    return pd.DataFrame(rows, columns=["tenant", "days", "incomplete", "cost", "which", "tone"], dtype=object)


def days_due(published: Published) -> pd.DataFrame | None:
    """Return by tenant how many of its days were available when they were due, later, or not yet; or are not due yet."""
    frame = published.table("cloud_days")
    if frame is None:
        return None
    rows = []
    for tenant, mine in frame.assign(is_due=_is_due(frame, published)).groupby("tenant_id", sort=True):
        in_time, is_there = mine["in_time"].astype(bool), mine["available_at"].notna()
        waits = ~is_there & ~mine["is_due"]
        others = sorted(pd.Timestamp(day).date() for day in mine.loc[~in_time & ~waits, "usage_date"])
        late, missing = int((is_there & ~in_time).sum()), int((~is_there & ~waits).sum())
        rows.append(
            {
                "tenant": str(tenant),
                "days": len(mine),
                "in_time": int(in_time.sum()),
                "late": late,
                "late_tone": "bad" if late else "",
                "missing": missing,
                "missing_tone": "bad" if missing else "",
                "not_due": int(waits.sum()),
                "without_cost": int((mine["events"] == 0).sum()),
                "which": day_ranges(others),
            }
        )
    columns = ["tenant", "days", "in_time", "late", "late_tone", "missing", "missing_tone", "not_due", "without_cost", "which"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _is_due(frame: pd.DataFrame, published: Published) -> "pd.Series[bool]":
    """Return whether each day was due by the newest arrival, which the figures of the check of the days know; else all were.

    All tenants' days of one date are due together, so that the number of days due tells up to which date they are.
    """
    in_time = frame["in_time"].astype(bool)
    counted = published.checks.get("deliveries_are_in_time", {}).get("days_due")
    for last in sorted(frame["due_at"].unique(), reverse=True) if counted is not None else ():
        due: pd.Series[bool] = frame["due_at"] <= last
        if int((due | in_time).sum()) <= int(counted or 0):
            return due
    return pd.Series(counted is None, index=frame.index)


def deliveries(published: Published) -> pd.DataFrame | None:
    """Return when each tenant's day was due and available, with the tone of what was not in time."""
    frame = published.table("cloud_days")
    if frame is None:
        return None
    is_well = frame["in_time"].astype(bool) | (frame["available_at"].isna() & ~_is_due(frame, published))
    return frame.assign(tone=["" if is_so else "bad" for is_so in is_well])


def day_ranges(days: Sequence[date]) -> str:
    """Write days as ranges: ``2025-03-30 – 2025-03-31, 2025-04-02``."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1][1] = day
        else:
            runs.append([day, day])
    return ", ".join(first.isoformat() if first == last else f"{first.isoformat()} – {last.isoformat()}" for first, last in runs)


CONSERVED = ("surviving", "superseded", "duplicate", "deleted", "quarantined", "set_aside")
"""What becomes of the rows that were read (30-cloud, *Guarantees*)."""


def check_figures(published: Published, check: str) -> dict[str, Any]:
    """Return the figures of a check of the stream, empty where it has no result; costs in them are for the eye."""
    found = published.checks.get(check, {})
    return {name: Decimal(str(value)) if name.startswith("cost_") else value for name, value in found.items()}


def conservation(published: Published) -> pd.DataFrame | None:
    """Return what was read and what became of it, as the check of conservation found it; ``None`` without its result."""
    found = check_figures(published, "events_are_conserved")
    if any(f"{kind}_{name}" not in found for name in ("read", *CONSERVED) for kind in ("rows", "cost")):
        return None
    rows = [(name, int(found[f"rows_{name}"]), found[f"cost_{name}"], name == "read") for name in (*CONSERVED, "read")]
    return pd.DataFrame(rows, columns=["name", "rows", "cost", "is_sum"], dtype=object)


def stages_words(published: Published) -> str:
    """Return whether the three stages agree, as their check found it."""
    differing = check_figures(published, "stages_agree").get("days_that_differ")
    if differing is None:
        return ""
    return f"The three stages {'agree on all days' if not differing else f'differ on {differing} days'}."


def set_aside(published: Published) -> tuple[int, Decimal] | None:
    """Return rows and cost kept aside because they came too late; ``None`` where nothing is or nobody looked."""
    found = check_figures(published, "nothing_is_set_aside")
    return (int(found["rows_set_aside"]), found["cost_set_aside"]) if found.get("rows_set_aside") else None


def set_aside_words(published: Published) -> str:
    """Return what is kept aside, in words; empty where nothing is."""
    found = set_aside(published)
    if found is None:
        return ""
    rows, cost = found
    return (
        f"Kept aside, not in any figure above: {rows:,} rows with {published.currency.cost(cost)} lie beyond the look-back."
        " They count once somebody runs the month with --all."
    )


# Restatements and invoices


def restated_by_cause(published: Published) -> pd.DataFrame | None:
    """Return the month's restatements by cause, the largest change first."""
    frame = published.table("cloud_restatement")
    if frame is None:
        return None
    deltas = sums_by(frame, ("cause",), "delta")
    rows = [
        (str(cause), len(found), len(found[[*ACCOUNT, "usage_date"]].drop_duplicates()), deltas[cause,])
        for cause, found in frame.groupby("cause", sort=True)
    ]
    rows.sort(key=lambda row: (-abs(row[3]), row[0]))
    return pd.DataFrame(rows, columns=["cause", "rows", "account_days", "delta"], dtype=object)


def restatements(published: Published) -> pd.DataFrame | None:
    """Return the ledger of the month's restatements with what names the account."""
    frame = published.table("cloud_restatement")
    if frame is None:
        return None
    return frame.assign(account=[" / ".join(key) for key in zip(frame["tenant_id"], frame["account_id"], strict=True)])


def invoices(published: Published) -> pd.DataFrame | None:
    """Return charges against invoices with what is in breach first."""
    frame = published.table("cloud_recon_results")
    if frame is None:
        return None
    frame = in_shown_units(frame, published.currency, ())
    order = frame["status"].map({"breach": 0, "within_tolerance": 1}).fillna(2)
    return frame.assign(place=order, tone=["bad" if status == "breach" else "good" for status in frame["status"]])


def not_invoiced_words(published: Published) -> str:
    """Return the charges that name no invoice yet, in words; empty where none wait."""
    frame = published.table("cloud_recon_summary")
    if frame is None or not frame["not_invoiced_rows"].sum():
        return ""
    cost = added(frame["not_invoiced_value"].dropna().tolist())
    return f"Waiting for an invoice: {int(frame['not_invoiced_rows'].sum()):,} charges with {published.currency.cost(cost)}."


# Sheets


def by_service(published: Published) -> pd.DataFrame | None:
    """Return the costs by account and service beside those of the month before.

    A line that is in one of the months only cost nothing in the other.
    """
    frame, previous = published.table("cloud_month"), published.before.get("cloud_month")
    if frame is None or previous is None:
        return frame
    before = previous[[*_LINE, "account_name", "billing_owner", "service_category", "total_cost"]]
    found = frame.merge(before, how="outer", on=list(_LINE), suffixes=("", "_before"))
    for name in ("account_name", "billing_owner", "service_category"):
        found[name] = found[name].where(found[name].notna(), found[f"{name}_before"])
    found = found.fillna({"total_cost": NOTHING, "total_cost_before": NOTHING})
    found["event_count"] = found["event_count"].fillna(0).astype("int64")
    return found.assign(before=found["total_cost_before"], change=found["total_cost"] - found["total_cost_before"])


def days_of_month(published: Published) -> list[date]:
    """Return the days of the month."""
    return list(pd.date_range(published.month, months.last_day(published.month)).date)


def by_day(published: Published) -> pd.DataFrame | None:
    """Return a row for each of the largest accounts, the rest of each tenant in one, with a column a day and its tone.

    Red: restated since first published; grey: the day is not complete.
    """
    frame = published.table("daily_account_cost")
    if frame is None:
        return None
    totals = sums_by(frame, ACCOUNT, "total_cost")
    ranking = sorted(totals, key=lambda key: (-abs(totals[key]), key))
    kept, rest = ranking[:MOST_ACCOUNTS], ranking[MOST_ACCOUNTS:]
    others = {tenant: len(kept) + at for at, tenant in enumerate(sorted({tenant for tenant, _ in rest}))}
    line_of: dict[tuple[Any, ...], int] = {key: at for at, key in enumerate(kept)} | {key: others[key[0]] for key in rest}
    names, counts = account_names(published), Counter(tenant for tenant, _ in rest)
    lines: list[dict[str, Any]] = [{"tenant_id": key[0], "account_id": key[1], "account_name": names.get(key)} for key in kept]
    lines += [{"tenant_id": tenant, "account_id": f"{counts[tenant]:,} others", "account_name": None} for tenant in others]
    for line in lines:
        line["total"] = NOTHING
    for (tenant, account, day), cost in sums_by(frame, (*ACCOUNT, "usage_date"), "total_cost").items():
        line = lines[line_of[tenant, account]]
        line[day.isoformat()] = line.get(day.isoformat(), NOTHING) + cost
        line["total"] += cost
    for keys, tone in _toned_days(published, frame):
        for tenant, account, day in keys:
            if (tenant, account) in line_of:
                lines[line_of[tenant, account]][f"{day.isoformat()} tone"] = tone
    columns = [f"{day.isoformat()}{suffix}" for day in days_of_month(published) for suffix in ("", " tone")]
    return pd.DataFrame(lines, columns=[*ACCOUNT, "account_name", "total", *columns], dtype=object)


def _toned_days(published: Published, frame: pd.DataFrame) -> list[tuple[set[tuple[Any, ...]], str]]:
    late = frame.loc[~frame["data_complete"].astype(bool)]
    incomplete = set(zip(late["tenant_id"], late["account_id"], pd.to_datetime(late["usage_date"]).dt.date, strict=True))
    return [(incomplete, "muted"), (set(_changes(published)), "bad")]
