"""Rules of the mart: what must be recognized, what is owed to customers, what was booked, who moved.

Belongs here: schedules as tables, balances and totals, and what each reads. Does not belong here: the arithmetic of schedules
(``schedule``, ``terms``), entries and billings (``curated``), reconciliations (``recon``).
All money is in integer cents; ratios are rounded once, to 6 places.
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.exact import ratio
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Reads, Rule, history, raw, same_month
from revenue_integrity.model.table import Table
from revenue_integrity.streams.bookings import schemas, terms
from revenue_integrity.streams.bookings.schedule import TREATMENTS, Ints, first_day, last_day
from revenue_integrity.streams.bookings.settings import BookingsSettings

_PACKAGE = "revenue_integrity.streams.bookings"

TERM_SETTINGS = ("backdated", "allocate_transaction_price", "recurring_revenue_types", "recurring_policy", "one_time_policy")
"""Settings that decide what a version of a deal line means."""

_TERM_SQL = ("mart/versions", "mart/completed_milestones")


def term_queries(month: date, settings: BookingsSettings) -> dict[str, Query]:
    """Return the queries for the versions of deal lines and their completed milestones."""
    return {
        "versions": load_query(
            _PACKAGE,
            "mart/versions",
            recurring_revenue_types=list(settings.recurring_revenue_types),
            recurring_policy=settings.recurring_policy,
            one_time_policy=settings.one_time_policy,
        ),
        "milestones": milestone_query(month),
    }


def milestone_query(month: date) -> Query:
    """Return the query for the milestones that are completed by the end of a month."""
    return load_query(_PACKAGE, "mart/completed_milestones", month_end=months.last_day(month))


def due_queries(month: date, settings: BookingsSettings) -> dict[str, Query]:
    """Return the queries for versions, milestones and the lines with an amount due."""
    return {**term_queries(month, settings), "dues": load_query(_PACKAGE, "mart/dues", month=month)}


def chained(versions: pd.DataFrame, settings: BookingsSettings) -> pd.DataFrame:
    """Return versions in their chains, with their prices allocated, as the settings read them."""
    rows = terms.chain(versions, backdated=settings.backdated)
    return terms.allocated(rows, allocate=settings.allocate_transaction_price)


def standing(rows: pd.DataFrame, number: int, settings: BookingsSettings) -> pd.DataFrame:
    """Return the versions that stand in a month, by its number."""
    return terms.standing(rows, number, backdated=settings.backdated)


def _days(days: Ints | pd.Series) -> pd.Series:
    """Return day numbers as the engine's dates; missing ones stay missing."""
    # As floats with a gap among them, pandas rounds memory that nobody has written, and overflows by chance.
    return pd.Series(pd.to_datetime(pd.Series(days).astype("Int64"), unit="D")).astype("datetime64[us]")


def _months(numbers: Ints) -> pd.Series:
    return _days(first_day(numbers))


def _of(table: Table, month: date, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as rows of a table's month."""
    return frame.assign(month=pd.Timestamp(month).as_unit("us"))[table.columns].reset_index(drop=True)


def deal_line_month(month: date, settings: BookingsSettings, *, versions: pd.DataFrame, milestones: pd.DataFrame) -> pd.DataFrame:
    """Return what stands of every deal line: due, to date and remaining, in cents (40-bookings, *recognition_schedule*)."""
    return _of(schemas.LINE_MONTH, month, _line_month(chained(versions, settings), milestones, terms.number_of(month), settings))


def _line_month(rows: pd.DataFrame, milestones: pd.DataFrame, number: int, settings: BookingsSettings) -> pd.DataFrame:
    stands = standing(rows, number, settings)
    made = terms.scheduled(stands, milestones, number)
    now = terms.in_force(stands, number)
    # A change that counts later may be agreed before the line's first version is: what remains of the line is owed all the same.
    ahead = stands[~stands["line"].isin(now["line"])].drop_duplicates("line")
    now = pd.concat([now, ahead]) if len(ahead) else now
    at, cents = made.cells.month, made.cells.cents
    totals = (
        pd.DataFrame(
            {
                "line": made.lines[made.cells.line],
                "expected_cents": np.where(at == number, cents, 0),
                "catch_up_cents": np.where(at == number, made.cells.catch_up, 0),
                "expected_to_date_cents": np.where(at <= number, cents, 0),
                "remaining_cents": np.where(at > number, cents, 0),
                "remaining_12m_cents": np.where((at > number) & (at <= number + 12), cents, 0),
            }
        )
        .groupby("line")
        .sum()
    )
    has_amount = cents != 0
    edges = pd.Series(at[has_amount]).groupby(made.lines[made.cells.line][has_amount])
    first, last = edges.min().reindex(now["line"]), edges.max().reindex(now["line"])
    agreed = stands.drop_duplicates("line", keep="last").set_index("line")
    price = (agreed["amount_cents"] + agreed["shift_cents"]).where(agreed["status"] == "active").astype("Int64")
    return now.merge(totals, left_on="line", right_index=True, how="left").assign(
        agreed_cents=price.reindex(now["line"]).array,
        allocated_shift_cents=now["shift_cents"],
        amount_cents=now["amount_cents"] + now["shift_cents"],
        first_month=_months_or_none(first).to_numpy(),
        last_month=_months_or_none(last).to_numpy(),
    )


def _months_or_none(numbers: pd.Series) -> pd.Series:
    known = numbers.notna().to_numpy()
    found = pd.Series(pd.NaT, index=numbers.index, dtype="datetime64[us]")
    found[known] = _months(numbers[known].to_numpy(dtype=np.int64)).to_numpy()
    return found


def recognition_schedule(month: date, settings: BookingsSettings) -> Query:
    """Return what must be recognized, for lines between their first and their last month with an amount."""
    return load_query(_PACKAGE, "mart/recognition_schedule", month=month)


def flow_queries(month: date, settings: BookingsSettings) -> dict[str, Query]:
    """Return the queries whose rows ``bookings_flows`` is made from; what lies before the deployment, for its first month."""
    first = settings.first_month.replace(day=1)
    now = load_query(_PACKAGE, "mart/flows_of_month", month=month)
    given = {"before": first if month == first else date.min, **closes(months.add(first, -HISTORY_MONTHS), settings)}
    return {
        "now": now,
        "entries_before": load_query(_PACKAGE, "mart/entries_before", **given),
        "billings_before": load_query(_PACKAGE, "mart/billings_before", **given),
        **term_queries(month, settings),
    }


HISTORY_MONTHS = 240
"""Months before the deployment whose closes are told apart; what is older was recognized in its own month."""


def bookings_flows(
    month: date,
    settings: BookingsSettings,
    *,
    now: pd.DataFrame,
    entries_before: pd.DataFrame,
    billings_before: pd.DataFrame,
    versions: pd.DataFrame,
    milestones: pd.DataFrame,
) -> pd.DataFrame:
    """Return recognized and billed cents by the close that takes them in (its first month: also what came before)."""
    found: list[pd.DataFrame] = [now.assign(service_month=pd.Timestamp(month).as_unit("us")), billings_before]
    if len(entries_before):
        found.append(_placed(entries_before, chained(versions, settings), milestones, settings))
    names = ["service_month", "recognized_month", "customer_id", "deal_id", "line_no", "revenue_type"]
    rows = pd.concat([each[[*names, "recognized_cents", "billed_cents"]] for each in found if len(each)] or found[:1])
    rows = rows.groupby(names, dropna=False, as_index=False, sort=True)[["recognized_cents", "billed_cents"]].sum()
    rows = rows.sort_values(names, na_position="first", ignore_index=True)
    for name in ("customer_id", "deal_id", "revenue_type"):
        rows[name] = _where(rows[name], rows[name].notna())
    rows = rows.assign(flow_no=np.arange(1, len(rows) + 1), line_no=rows["line_no"].astype("Int64"))
    return _of(schemas.FLOWS, month, rows)


def _placed(entries: pd.DataFrame, rows: pd.DataFrame, milestones: pd.DataFrame, settings: BookingsSettings) -> pd.DataFrame:
    """Return entries from before the deployment with the line of their type, where they name a deal alone."""
    open_ones = entries["deal_id"].isna() & entries["named_deal_id"].notna()
    found = []
    for key, group in entries[open_ones].groupby("service_month"):
        period = pd.Timestamp(str(key))
        of_deals = rows[rows["deal_id"].isin(group["named_deal_id"])]
        lines = _line_month(of_deals, milestones, terms.number_of(period.date()), settings)
        due = lines[(lines["first_month"] <= period) & (lines["last_month"] >= period)]
        by_type = (
            due.groupby(["deal_id", "revenue_type"])["line_no"]
            .agg(["size", "min"])
            .rename_axis(["named_deal_id", "revenue_type"])
        )
        placed = group.join(by_type, on=["named_deal_id", "revenue_type"])
        only = placed["min"].where(placed["size"] == 1).fillna(placed["only_line_no"].where(placed["size"].isna()))
        found.append(group.assign(line_no=only, deal_id=_where(group["named_deal_id"], only.notna())))
    return pd.concat([entries[~open_ones], *found])


def _where(texts: "pd.Series[Any]", kept: "pd.Series[bool]") -> "pd.Series[Any]":
    """Return texts where a condition holds, none elsewhere."""
    found = texts.astype(object)
    found[~kept] = None
    return found


def rpo_by_year(month: date, settings: BookingsSettings, *, versions: pd.DataFrame, milestones: pd.DataFrame) -> pd.DataFrame:
    """Return what remains after the month by calendar year, in cents."""
    number = terms.number_of(month)
    made = terms.scheduled(standing(chained(versions, settings), number, settings), milestones, number)
    later = made.cells.month > number
    due = pd.DataFrame({"year": made.cells.month[later] // 12, "rpo_cents": made.cells.cents[later]})
    totals = due.groupby("year", as_index=False).sum().astype("int64")
    return _of(schemas.RPO_BY_YEAR, month, totals[totals["rpo_cents"] != 0])


def deal_terms(
    month: date, settings: BookingsSettings, *, versions: pd.DataFrame, milestones: pd.DataFrame, dues: pd.DataFrame
) -> pd.DataFrame:
    """Return the terms in force with their run-rate at stated prices (40-bookings, *deal_terms*)."""
    number = terms.number_of(month)
    begins, ends = int(first_day(np.array([number]))[0]), int(last_day(np.array([number]))[0])
    rows = standing(chained(versions, settings), number, settings).reset_index(drop=True)
    rows = rows.assign(monthly_cents=_run_rates(rows, milestones, number, ends))
    now = terms.in_force(rows, number)
    cancelled = now["status"] == "cancelled"
    over = np.where(cancelled, np.minimum(now["end_day"], now["effective"] - 1), now["end_day"])
    # A line that was cancelled before its first day has no term.
    in_term = (now["start_day"] <= ends) & (over >= begins) & (over >= now["start_day"])
    due = dues.set_index(terms.LINE).index
    is_due = pd.MultiIndex.from_frame(now[terms.LINE]).isin(due)
    now = now[in_term.to_numpy() | is_due]
    applied = now["treatment"].map(dict(enumerate(TREATMENTS)))
    return _of(
        schemas.DEAL_TERMS,
        month,
        now.assign(
            modification=_where(applied, ~now["is_first"] & (now["status"] == "active")),
            effective_from=_days(now["effective_day"]),
            start_date=_days(now["start_day"]),
            end_date=_days(now["end_day"]),
            stated_cents=now["amount_cents"],
            allocated_shift_cents=now["shift_cents"],
            amount_cents=now["amount_cents"] + now["shift_cents"],
        ),
    )


def _run_rates(rows: pd.DataFrame, milestones: pd.DataFrame, number: int, ends: int) -> Ints:
    """Return the monthly run-rate of each standing version on the last day of a month, in cents."""
    made = terms.scheduled(rows, milestones, number, stated=True)
    in_term = ((rows["start_day"] <= ends) & (rows["end_day"] >= ends)).to_numpy()
    return np.where(in_term, terms.run_rate(rows, made.spreads), 0)


def bookings_month(month: date, settings: BookingsSettings, *, versions: pd.DataFrame, milestones: pd.DataFrame) -> pd.DataFrame:
    """Return what was booked in the month at stated prices, and its yearly run-rate, in cents."""
    number = terms.number_of(month)
    rows = terms.chain(versions, backdated=settings.backdated).assign(shift_cents=0)
    begins, ends = int(first_day(np.array([number]))[0]), int(last_day(np.array([number]))[0])
    booked_now = rows["booked_day"].between(begins, ends)
    rows = rows[rows["line"].isin(rows.loc[booked_now, "line"])].reset_index(drop=True)
    made = terms.scheduled(rows, milestones, number, stated=True)
    rows = rows.assign(total=made.spreads.total, annual=terms.run_rate(rows, made.spreads, 12))
    before = rows.groupby("line")[["total", "annual"]].shift(fill_value=0)
    rows = rows.assign(booked_cents=rows["total"] - before["total"], annual_cents=rows["annual"] - before["annual"])
    rows = rows[rows["booked_day"].between(begins, ends)]
    totals = rows.groupby(["customer_id", "revenue_type", "change"], as_index=False).agg(
        deals=("deal_id", "nunique"), booked_cents=("booked_cents", "sum"), annual_cents=("annual_cents", "sum")
    )
    return _of(schemas.BOOKINGS_MONTH, month, totals.astype({"deals": "int64", "booked_cents": "int64", "annual_cents": "int64"}))


def recurring_movements(
    month: date, settings: BookingsSettings, *, versions: pd.DataFrame, milestones: pd.DataFrame
) -> pd.DataFrame:
    """Return the MRR bridge per customer in cents, from versions of all times."""
    number = terms.number_of(month)
    rows = chained(versions, settings)
    closing = _recurring(rows, milestones, number, settings)
    opening = _recurring(rows, milestones, number - 1, settings)
    found = pd.DataFrame({"opening_cents": opening, "closing_cents": closing}).fillna(0).astype("int64")
    found = found[(found != 0).any(axis=1)]
    # Only a run-rate above zero begins or ends; one below zero, left by a change, moves up and down like any other.
    begins = (found["opening_cents"] == 0) & (found["closing_cents"] > 0)
    over = (found["opening_cents"] > 0) & (found["closing_cents"] == 0)
    returns = found.index.isin(_had_before(rows, milestones, number - 1, list(found.index[begins]), settings))
    change = found["closing_cents"] - found["opening_cents"]
    goes_on = ~begins & ~over
    found = found.assign(
        new_cents=change.where(begins & ~returns, 0),
        reactivation_cents=change.where(begins & returns, 0),
        expansion_cents=change.where(goes_on, 0).clip(lower=0),
        contraction_cents=(-change).where(goes_on, 0).clip(lower=0),
        churn_cents=(-change).where(over, 0),
    )
    return _of(schemas.RECURRING_MOVEMENTS, month, found.rename_axis("customer_id").reset_index())


def _recurring(rows: pd.DataFrame, milestones: pd.DataFrame, number: int, settings: BookingsSettings) -> "pd.Series[int]":
    """Return the run-rate of each customer at the end of a month, in cents."""
    stands = standing(rows, number, settings).reset_index(drop=True)
    ends = int(last_day(np.array([number]))[0])
    stands = stands.assign(monthly_cents=_run_rates(stands, milestones, number, ends))
    return terms.in_force(stands, number).groupby("customer_id")["monthly_cents"].sum()


def _had_before(
    rows: pd.DataFrame, milestones: pd.DataFrame, number: int, customers: list[str], settings: BookingsSettings
) -> set[str]:
    """Return which of some customers had a run-rate at the end of any month before one."""
    mine = rows[rows["customer_id"].isin(customers)]
    mine = mine[mine["line"].isin(mine.loc[mine["start_day"] < first_day(np.array([number]))[0], "line"])]
    had: set[str] = set()
    if mine.empty:
        return had
    first = min(int(date.fromordinal(719163 + int(day)).year * 12) for day in mine["start_day"])
    for earlier in range(number - 1, first - 1, -1):
        found = _recurring(mine[~mine["customer_id"].isin(had)], milestones, earlier, settings)
        had |= set(found.index[found != 0])
    return had


def closes(first: date, settings: BookingsSettings) -> dict[str, object]:
    """Return the cutoffs of months from one on, as the parameters of ``curated/closes.sql.j2``."""
    listed = months.between(first, months.add(first, CLOSES_AHEAD))
    return {"close_months": listed, "close_cutoffs": [cutoff(month, settings) for month in listed]}


CLOSES_AHEAD = 600
"""Months after its own within which a posting is recognized; the last takes in what is posted later still."""


def recurring_summary(month: date, settings: BookingsSettings, recurring_movements: pd.DataFrame) -> pd.DataFrame:
    """Return the MRR bridge of all customers with gross and net retention."""
    measures = [name for name in schemas.RECURRING_MOVEMENTS.columns if name.endswith("_cents")]
    totals = recurring_movements[measures].sum().astype("int64").to_frame().T
    kept = totals["opening_cents"] - totals["contraction_cents"] - totals["churn_cents"]
    totals["gross_retention"] = ratio(kept, totals["opening_cents"])
    totals["net_retention"] = ratio(kept + totals["expansion_cents"], totals["opening_cents"])
    return _of(schemas.RECURRING_SUMMARY, month, totals)


def _query(path: str, month: date, settings: BookingsSettings, **more: object) -> Query:
    return load_query(
        _PACKAGE,
        path,
        month=month,
        month_end=months.last_day(month),
        cutoff=cutoff(month, settings),
        first_month=settings.first_month.replace(day=1),
        **more,
    )


def deal_month(month: date, settings: BookingsSettings) -> Query:
    """Return each deal's month and its balances at the cutoff, in cents."""
    return _query("mart/deal_month", month, settings)


def deferred_rollforward(month: date, settings: BookingsSettings) -> Query:
    """Return each deal's roll-forward of deferred revenue, in cents."""
    return _query("mart/deferred_rollforward", month, settings)


def revenue_month(month: date, settings: BookingsSettings) -> Query:
    """Return revenue by segment and type, expected and recognized, in cents."""
    return _query("mart/revenue_month", month, settings, recurring_revenue_types=list(settings.recurring_revenue_types))


def compliance_month(month: date, settings: BookingsSettings) -> Query:
    """Return entries by standard and type, and how they were reviewed."""
    return _query("mart/compliance_month", month, settings)


_TERMS = (raw("bookings_deal_lines"), raw("bookings_milestones"))
_TO_DATE = Reads("mart", "bookings_flows", None)

RULES = (
    Rule(schemas.LINE_MONTH, deal_line_month, _TERMS, TERM_SETTINGS, _TERM_SQL, term_queries),
    Rule(
        schemas.RECOGNITION_SCHEDULE,
        recognition_schedule,
        (same_month("mart", "deal_line_month"),),
        sql=("mart/recognition_schedule",),
    ),
    Rule(schemas.RPO_BY_YEAR, rpo_by_year, _TERMS, TERM_SETTINGS, _TERM_SQL, term_queries),
    Rule(
        schemas.DEAL_TERMS,
        deal_terms,
        (*_TERMS, same_month("mart", "deal_line_month")),
        TERM_SETTINGS,
        (*_TERM_SQL, "mart/dues"),
        due_queries,
    ),
    Rule(schemas.BOOKINGS_MONTH, bookings_month, _TERMS, TERM_SETTINGS, _TERM_SQL, term_queries),
    Rule(schemas.RECURRING_MOVEMENTS, recurring_movements, _TERMS, TERM_SETTINGS, _TERM_SQL, term_queries),
    Rule(schemas.RECURRING_SUMMARY, recurring_summary, (same_month("mart", "recurring_movements"),)),
    Rule(
        schemas.FLOWS,
        bookings_flows,
        (
            same_month("curated", "recognition_lines"),
            same_month("curated", "billing_lines"),
            history("bookings_recognition_entries"),
            history("bookings_billings"),
            history("bookings_recognition_mapping"),
            *_TERMS,
            raw("bookings_customers"),
        ),
        ("first_month", *CALENDAR_SETTINGS, *TERM_SETTINGS),
        (*_TERM_SQL, "mart/flows_of_month", "mart/entries_before", "mart/billings_before"),
        flow_queries,
    ),
    Rule(
        schemas.DEAL_MONTH,
        deal_month,
        (
            same_month("mart", "deal_line_month"),
            same_month("curated", "recognition_lines"),
            same_month("curated", "billing_lines"),
            same_month("curated", "bookings_customers_known"),
            _TO_DATE,
        ),
        sql=("mart/deal_month",),
    ),
    Rule(schemas.DEFERRED_ROLLFORWARD, deferred_rollforward, (_TO_DATE,), sql=("mart/deferred_rollforward",)),
    Rule(
        schemas.REVENUE_MONTH,
        revenue_month,
        (
            same_month("mart", "deal_line_month"),
            same_month("curated", "recognition_lines"),
            same_month("curated", "bookings_customers_known"),
        ),
        ("recurring_revenue_types",),
        ("mart/revenue_month",),
    ),
    Rule(
        schemas.COMPLIANCE_MONTH,
        compliance_month,
        (raw("bookings_recognition_entries"),),
        CALENDAR_SETTINGS,
        ("mart/compliance_month",),
    ),
)
