"""Reconciliations of the stream: their sides as queries, their causes over what varies, their totals.

Belongs here: the rules of the recon tables and what each reads. Does not belong here: the engine that compares
(``close.reconcile``), the rules of cause (``causes``) and their yardsticks (``readings``), what a check demands of the results
(``recon_checks``).
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.close.causes.labels import LATE_POSTING, UNEXPLAINED
from revenue_integrity.close.causes.wording import money
from revenue_integrity.close.evidence import evidence_slice
from revenue_integrity.close.reconcile import (
    bridge_table,
    declare,
    delivered,
    result_settings,
    results_query,
    results_text,
    summary_query,
    summary_text,
)
from revenue_integrity.exact import named_rows
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT, Causes, Materiality, Reconciliation, Tolerance
from revenue_integrity.model.rule import Reads, Rule, raw, same_month, window
from revenue_integrity.streams.bookings import schemas, sources, terms
from revenue_integrity.streams.bookings.causes import CAUSES, FAMILIES, Entry, EntryRow
from revenue_integrity.streams.bookings.explaining import Claim, Explained, Variance, evidence_json, explain
from revenue_integrity.streams.bookings.mart import (
    CALENDAR_SETTINGS,
    TERM_SETTINGS,
    chained,
    milestone_query,
    standing,
)
from revenue_integrity.streams.bookings.readings import readings
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.sources import STREAM

_PACKAGE = "revenue_integrity.streams.bookings"

RECOGNIZED = "recognized_vs_schedule"

_RECOGNIZED = Tolerance("tolerance_cents", "tolerance_share")


RECONCILIATIONS = declare(
    STREAM,
    _PACKAGE,
    (
        Reconciliation(
            RECOGNIZED,
            "What accounting recognized is what the schedules of the deals say, per deal line and revenue type.",
            "recognition entries",
            "amounts due",
            ("customer_id", "deal_id", "line_no", "revenue_type"),
            tolerance=_RECOGNIZED,
            causes=Causes(
                FAMILIES,
                Materiality(schemas.REVENUE_MONTH, "expected_cents", "expected_revenue_cents"),
                across_months=("period_shift",),
            ),
        ),
        Reconciliation(
            "recognized_to_date",
            "What was recognized up to this close is what was due up to this month, per deal line.",
            "recognized to date",
            "due to date",
            ("customer_id", "deal_id", "line_no"),
            views=(AS_OF_CLOSE,),
            tolerance=_RECOGNIZED,
        ),
        Reconciliation(
            "billed_vs_amount",
            "What was billed up to this close is no more than the price of the deal, and all of it at its end.",
            "billed to date",
            "price of the deal",
            ("customer_id", "deal_id"),
            views=(AS_OF_CLOSE,),
            tolerance=Tolerance("tolerance_cents"),
        ),
        Reconciliation(
            "deferred_vs_ledger",
            "The general ledger's deferred revenue and contract assets are those of the deals, per account.",
            "general ledger",
            "balances of the deals",
            ("account",),
            views=(AS_OF_CLOSE,),
            tolerance=Tolerance("tolerance_cents", "ledger_tolerance_share"),
            needs=(sources.LEDGER_BALANCES,),
        ),
        Reconciliation(
            "deal_population",
            "Deals with entries are those with an amount due.",
            "deals with entries",
            "deals with an amount due",
            ("customer_id", "deal_id"),
            unit="count",
        ),
    ),
    (
        column.text("customer_id", "The customer.", null=True),
        column.text("deal_id", "The deal; empty for entries that resolve to none.", null=True),
        column.integer("line_no", "Line of the deal.", null=True),
        column.text("revenue_type", "Type of the revenue.", null=True),
        column.text("account", "Account of the general ledger.", null=True),
    ),
    prefix=f"{STREAM}_",
)
"""The reconciliations of the stream (40-bookings, *Reconciliations*)."""

BRIDGE = bridge_table(STREAM, prefix=f"{STREAM}_", lines="recognition entries")

assert RECONCILIATIONS.causes is not None
CAUSE_TABLE = RECONCILIATIONS.causes

REACH = 2
"""Months around its own that a month's causes look at: an end of a shift beside it may have chosen one beside that."""


def recon_results(month: date, settings: BookingsSettings) -> Query:
    """Return every reconciliation of the month, row by row, in the views that each has."""
    return results_query(RECONCILIATIONS, month, settings)


def recon_summary(month: date, settings: BookingsSettings) -> Query:
    """Return each reconciliation and view in total, with the cents of each cause."""
    return summary_query(RECONCILIATIONS, month)


def close_bridge(month: date, settings: BookingsSettings) -> Query:
    """Return the month's step from what was posted by the cutoff to what is recognized, in cents."""
    return load_query(
        _PACKAGE,
        "recon/bookings_close_bridge",
        month=month,
        cutoff=cutoff(month, settings),
        cutoff_before=cutoff(months.add(month, -1), settings),
    )


CAUSE_QUERIES = ("rows", "entries", "lines", "history", "billed", "versions")
"""What the rules of cause look at: each a query that returns only what belongs to rows with a variance."""


def cause_queries(month: date, settings: BookingsSettings) -> dict[str, Query]:
    """Return the queries whose rows ``bookings_recon_causes`` is made from."""
    given = {
        "month": month,
        "first": max(months.add(month, -REACH), settings.first_month.replace(day=1)),
        "last": months.add(month, REACH),
        "recurring_revenue_types": list(settings.recurring_revenue_types),
        "recurring_policy": settings.recurring_policy,
        "one_time_policy": settings.one_time_policy,
    }
    queries = {name: load_query(_PACKAGE, f"recon/causes_{name}", **given) for name in CAUSE_QUERIES}
    return queries | {"milestones": milestone_query(months.add(month, REACH))}


def recon_causes(
    month: date,
    settings: BookingsSettings,
    *,
    rows: pd.DataFrame,
    entries: pd.DataFrame,
    lines: pd.DataFrame,
    history: pd.DataFrame,
    billed: pd.DataFrame,
    versions: pd.DataFrame,
    milestones: pd.DataFrame,
) -> pd.DataFrame:
    """Return the causes of every variance of the month, in both views, in cents (40-bookings, *Causes*).

    The causes of the view as of close are those of all postings, and one ``late_posting`` of the opposite amount for each
    entry posted after the cutoff.
    """
    looked_at = _rows(settings, rows, entries, lines, history, billed, chained(versions, settings), milestones)
    explained = [each for each in explain(looked_at, CAUSES) if each.claim.row.month == month]
    keys = {
        (row.customer_id, row.deal_id, _number(row.line_no), row.revenue_type): row.row_key
        for row in named_rows(rows[rows["view"] == AS_OF_CLOSE])
    }
    late = list(_late(month, entries, keys))
    found = [(AS_OF_CLOSE, each) for each in [*late, *explained]] + [(CURRENT, each) for each in explained]
    return _frame(month, rows, found)


def _number(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _late(month: date, entries: pd.DataFrame, keys: Mapping[Any, str]) -> Iterator[Explained[Any]]:
    for entry in named_rows(entries[entries["late"] & (entries["month"] == pd.Timestamp(month))]):
        if entry.amount_cents:
            key = keys[entry.customer_id, entry.deal_id, _number(entry.line_no), entry.revenue_type]
            sentence = (
                f"Entry {entry.entry_id} ({money(entry.amount_cents)}) was posted {entry.posted_at:%Y-%m-%d}, after the cutoff."
            )
            yield Explained(LATE_POSTING, Claim(Variance(key, 0), -entry.amount_cents, sentence, {"entries": [entry.entry_id]}))


def _rows(
    settings: BookingsSettings,
    rows: pd.DataFrame,
    entries: pd.DataFrame,
    lines: pd.DataFrame,
    history: pd.DataFrame,
    billed: pd.DataFrame,
    versions: pd.DataFrame,
    milestones: pd.DataFrame,
) -> list[EntryRow]:
    """Return the rows with a variance, each with what the rules look at."""
    entries_of: dict[Any, list[Entry]] = defaultdict(list)
    for row in named_rows(entries):
        entries_of[row.month, row.customer_id, row.deal_id, _number(row.line_no), row.revenue_type].append(
            Entry(
                row.entry_id,
                int(row.amount_cents),
                row.posted_at,
                bool(row.is_reversal),
                row.reverses_entry_id,
                bool(row.reverses_own_line),
                row.named_deal_id,
            )
        )
    booked = {
        key: group.set_index("service_month")["recognized_cents"]
        for key, group in history.groupby(["deal_id", "line_no", "revenue_type"])
    }
    bills = {(row.month, row.deal_id, row.line_no): int(row.billed_cents) for row in named_rows(billed)}
    line_of = {(row.month, row.deal_id, row.line_no): row for row in named_rows(lines)}
    found: list[EntryRow] = []
    for key_of_month, of_month in rows[rows["view"] == CURRENT].groupby("month"):
        at = pd.Timestamp(str(key_of_month))
        with_line = of_month[of_month["deal_id"].notna()]
        read = _Readings(settings, at, with_line, versions, milestones, booked, entries_of)
        for row in named_rows(of_month):
            key = (row.customer_id, row.deal_id, _number(row.line_no), row.revenue_type)
            line = line_of.get((at, row.deal_id, row.line_no))
            earlier = booked.get((row.deal_id, row.line_no, row.revenue_type))
            own = line if line is not None and line.revenue_type == row.revenue_type else None
            before = earlier[earlier.index < at] if earlier is not None else None
            due = read.due_before(row.deal_id, row.line_no) if own else {}
            last = before[before != 0] if before is not None else None
            found.append(
                EntryRow(
                    row.row_key,
                    int(row.variance_cents),
                    month=at.date(),
                    customer_id=row.customer_id,
                    deal_id=row.deal_id,
                    line_no=key[2],
                    revenue_type=row.revenue_type,
                    is_recurring=row.revenue_type in settings.recurring_revenue_types,
                    due=int(row.right_cents),
                    entries=sorted(entries_of[(at, *key)], key=lambda entry: entry.entry_id),
                    readings=read.of(row.deal_id, row.line_no) if own else (),
                    catch_up=int(own.catch_up_cents) if own else 0,
                    cancelled=line is not None and line.status == "cancelled",
                    due_until=int(own.expected_to_date_cents) if own else 0,
                    due_after=int(own.remaining_cents) if own else 0,
                    due_months=sum(cents != 0 for cents in due.values()) + (row.right_cents != 0),
                    is_last=own is not None and own.last_month == at,
                    booked_before=int(before.sum()) if before is not None else 0,
                    booked_last=int(last.iloc[-1]) if last is not None and len(last) else None,
                    earlier=_variances(before, due),
                    billed=bills.get((at, row.deal_id, row.line_no)),
                )
            )
    return found


def _variances(booked: "pd.Series[int] | None", due: Mapping[date, int]) -> dict[date, int]:
    """Return the variance of each earlier month that has one: entries less what was due."""
    found: dict[date, int] = {month: -cents for month, cents in due.items()}
    if booked is not None:
        for month, cents in zip(pd.DatetimeIndex(booked.index).date, booked, strict=True):
            found[month] = found.get(month, 0) + int(cents)
    return {month: cents for month, cents in sorted(found.items()) if cents}


class _Readings:
    """What the schedules of a month's lines give, as they are read and as they might be."""

    def __init__(
        self,
        settings: BookingsSettings,
        at: pd.Timestamp,
        rows: pd.DataFrame,
        versions: pd.DataFrame,
        milestones: pd.DataFrame,
        booked: Mapping[Any, "pd.Series[int]"],
        entries_of: Mapping[Any, Sequence[Entry]],
    ) -> None:
        number = terms.number_of(at.date())
        wanted = pd.MultiIndex.from_frame(rows[terms.LINE].astype({"line_no": "int64"}))
        stands = standing(versions, number, settings)
        stands = stands[pd.MultiIndex.from_frame(stands[terms.LINE]).isin(wanted)].reset_index(drop=True)
        known = milestones[milestones["completed_day"] < (at + pd.offsets.MonthBegin(1) - pd.Timestamp("1970-01-01")).days]
        self._line = {(row.deal_id, row.line_no): int(row.line) for row in named_rows(stands.drop_duplicates("line"))}
        self._due: dict[int, dict[date, int]] = defaultdict(dict)
        self._readings: dict[int, list[Any]] = {}
        if stands.empty:
            return
        made = terms.scheduled(stands, known, number)
        counted = (made.cells.month < number) & (made.cells.cents != 0)
        for line, month, cents in zip(
            made.lines[made.cells.line[counted]], made.cells.month[counted], made.cells.cents[counted], strict=True
        ):
            self._due[int(line)][date(int(month) // 12, int(month) % 12 + 1, 1)] = int(cents)
        last_entry: dict[int, int] = {}
        amounts: dict[int, list[int]] = defaultdict(list)
        for row in named_rows(rows):
            number_of_line = self._line.get((row.deal_id, row.line_no))
            if number_of_line is None:
                continue
            before = booked.get((row.deal_id, row.line_no, row.revenue_type))
            if before is not None:
                before = before[(before.index < at) & (before != 0)]
                if len(before):
                    last_entry[number_of_line] = terms.number_of(pd.Timestamp(str(before.index[-1])).date())
            key = (at, row.customer_id, row.deal_id, _number(row.line_no), row.revenue_type)
            amounts[number_of_line] += [entry.cents for entry in entries_of[key]]
        self._readings = readings(stands, known, number, last_entry=last_entry, entries=amounts)

    def of(self, deal_id: str, line_no: int) -> Sequence[Any]:
        """Return the other readings of a line."""
        return self._readings.get(self._line.get((deal_id, line_no), -1), ())

    def due_before(self, deal_id: str, line_no: int) -> Mapping[date, int]:
        """Return what was due in each earlier month."""
        return self._due.get(self._line.get((deal_id, line_no), -1), {})


def _frame(month: date, rows: pd.DataFrame, found: Sequence[tuple[str, Explained[Any]]]) -> pd.DataFrame:
    of_month = rows[rows["month"] == pd.Timestamp(month)]
    status = {(row.view, row.row_key): row.status for row in named_rows(of_month)}
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    records = []
    for view, each in found:
        key = each.claim.row.row_key
        numbers[view, key] += 1
        customer_id, deal_id, line_no, revenue_type, account = json.loads(key)
        records.append(
            {
                "month": pd.Timestamp(month),
                "recon": RECOGNIZED,
                "view": view,
                "row_key": key,
                "customer_id": customer_id,
                "deal_id": deal_id,
                "line_no": None if line_no is None else int(line_no),
                "revenue_type": revenue_type,
                "account": account,
                "cause_no": numbers[view, key],
                "family": None if each.label == UNEXPLAINED else FAMILIES[each.label],
                "cause": each.label,
                "cause_cents": each.claim.cents,
                "link_id": each.claim.link_id,
                "status": status.get((view, key), "matched"),
                "evidence": evidence_json(each.claim.evidence),
                "explanation": each.claim.explanation,
            }
        )
    frame = pd.DataFrame(records, columns=CAUSE_TABLE.columns)
    dtypes = {"month": "datetime64[us]", "cause_no": "int64", "cause_cents": "int64", "line_no": "Int64"}
    return frame.astype(dtypes).astype({name: object for name in frame.columns if name not in dtypes})


_TO_DATE = Reads("mart", "bookings_flows", None)

RULES = (
    Rule(
        RECONCILIATIONS.results,
        recon_results,
        (
            same_month("curated", "recognition_lines"),
            same_month("mart", "deal_line_month"),
            same_month("mart", "deal_month"),
            _TO_DATE,
            raw("bookings_ledger_balances"),
            *delivered(RECONCILIATIONS),
        ),
        result_settings(RECONCILIATIONS),
        (results_text(RECONCILIATIONS),),
    ),
    Rule(
        BRIDGE,
        close_bridge,
        (raw("bookings_recognition_entries"), raw("bookings_earlier_periods_entries")),
        CALENDAR_SETTINGS,
        ("recon/bookings_close_bridge",),
    ),
    Rule(
        CAUSE_TABLE,
        recon_causes,
        (
            window("recon", "bookings_recon_results", months_before=REACH, months_after=REACH),
            window("curated", "recognition_lines", months_before=REACH, months_after=REACH),
            window("curated", "billing_lines", months_before=REACH, months_after=REACH),
            window("mart", "deal_line_month", months_before=REACH, months_after=REACH),
            Reads("mart", "bookings_flows", None, REACH),
            Reads("raw", "bookings_deal_lines", -REACH, REACH),
            Reads("raw", "bookings_milestones", -REACH, REACH),
            raw("bookings_reversed_entries"),
            raw("bookings_recognition_mapping"),
        ),
        ("first_month", *TERM_SETTINGS),
        (*(f"recon/causes_{name}" for name in CAUSE_QUERIES), "mart/completed_milestones"),
        cause_queries,
    ),
    Rule(
        RECONCILIATIONS.summary,
        recon_summary,
        (
            same_month("recon", "bookings_recon_results"),
            same_month("recon", "bookings_recon_causes"),
            same_month("curated", "recognition_lines"),
            raw("bookings_recognition_control_totals"),
            raw(evidence_slice(STREAM)),
        ),
        sql=(summary_text(RECONCILIATIONS),),
    ),
)
