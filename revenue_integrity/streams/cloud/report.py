"""What the stream shows in a close pack: the view *Cloud Cost*, its sheets, its tile among the controls.

Belongs here: the declaration of the report. Does not belong here: making its rows (``report_rows``), how it looks (``reports``).
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import pandas as pd

from revenue_integrity.exact import added
from revenue_integrity.model.report import (
    INDEX,
    Card,
    Chart,
    Column,
    Headline,
    Kpi,
    Listing,
    Published,
    Report,
    Section,
    Sentence,
    Trend,
    View,
    bad_unless_zero,
)
from revenue_integrity.reports import registers
from revenue_integrity.reports.reconciling import variance_kpi
from revenue_integrity.streams.cloud import report_rows as rows
from revenue_integrity.streams.cloud.figures import COST, VARIANCE
from revenue_integrity.streams.cloud.recon import INVOICES as RECON
from revenue_integrity.streams.cloud.recon import RECONCILIATIONS

_MOST_ROWS = 20_000
"""Rows of a sheet; of more, the largest are shown, the rest in one row a tenant, and the sheet names the CSV that has all."""


def _accounts_note(published: Published) -> str:
    frame = published.table("cloud_month")
    tenants, counted = rows.count("tenant_id")(published), 0 if frame is None else int(frame["event_count"].sum())
    return f"tenants: {tenants or 0:,}; events and charges: {counted:,}"


def _incomplete(published: Published) -> int | None:
    frame = published.rows(rows.completeness)
    return None if frame is None or frame.empty else int(frame["incomplete"].sum())


def _incomplete_note(published: Published) -> str:
    frame = published.rows(rows.completeness)
    days, missing = (0, 0) if frame is None else (int(frame["days"].sum()), int(frame["incomplete"].sum()))
    return f"tenant-days complete: {days - missing:,} of {days:,}"


def _restated(published: Published) -> Decimal | None:
    frame = published.rows(rows.restated_by_cause)
    return None if frame is None else added(frame["delta"].tolist())


def _restated_note(published: Published) -> str:
    frame = published.rows(rows.restated_by_cause)
    counted = 0 if frame is None else int(frame["rows"].sum())
    return f"account-days changed after their first publication; ledger rows: {counted:,}"


def _aside(published: Published) -> Decimal | None:
    found = rows.set_aside(published)
    return None if found is None else found[1]


def _aside_note(published: Published) -> str:
    found = rows.set_aside(published)
    return "" if found is None else f"rows beyond the look-back: {found[0]:,}"


INVOICES_TILE = variance_kpi(RECONCILIATIONS, RECON, "Charges less invoices", "invoices")

TILES = (
    Kpi("Cloud cost", COST, "cost", change=True),
    Kpi("Accounts", rows.count(*rows.ACCOUNT), "integer", note=_accounts_note),
    Kpi("Days not complete", _incomplete, "integer", note=_incomplete_note, tone=bad_unless_zero),
    Kpi("Restated", _restated, "cost", note=_restated_note),
    INVOICES_TILE,
    Kpi("Kept aside", _aside, "cost", note=_aside_note, tone=bad_unless_zero),
)

DAILY = Chart(
    "Daily cost by account",
    "line",
    rows.daily,
    x="day",
    y="cost",
    format="cost",
    series="account",
    rest="is_rest",
    split="title",
    unit="{currency} a day",
    note=rows.daily_note,
    shaded=("is_incomplete", "Not complete"),
    marked=("is_restated", "Restated"),
    below=Chart(
        "Restated",
        "bar",
        rows.restated_days,
        x="day",
        y="delta",
        format="cost",
        series="cause",
        split="title",
        unit="Restated, {currency}",
        shades={
            "late": "amber",
            "correction": "blue",
            "duplicate removed": "violet",
            "deletion": "red",
            "moved": "teal",
            "omission": "grey",
        },
    ),
    empty="No cost in this month.",
)


def _ranking(heading: str, ranked: Callable[[Published], pd.DataFrame | None], dataset: str = "cloud_month") -> Listing:
    """Return ranked costs of a dataset: the largest, and all others as one."""

    def columns(published: Published) -> Sequence[Column]:
        beside = (
            Column("before", "Before", "cost", total=True),
            Column("change", "Change", "cost", total=True),
            Column("change_share", "Change", "share", share=("change", "before")),
        )
        found = (
            Column("label", heading, badge="name"),
            Column("cost", "Cost", "cost", total=True),
            Column("share", "Share", "share", total=True),
        )
        return found if dataset not in published.before else (*found, *beside)

    def note(published: Published) -> str:
        return "Beside the month before." if dataset in published.before else "The month before is not published."

    return Listing(f"{heading}s", ranked, columns, note=note, what=f"{heading.lower()}s", empty="No cost in this month.")


def _dimension(heading: str, dimension: str) -> Listing:
    return _ranking(heading, rows.ranked_by(dimension), "cloud_cost_by")


MOVED = Listing(
    "Accounts whose cost changed most",
    rows.moved,
    (
        Column("label", "Account", badge="name"),
        Column("before", "Month before", "cost"),
        Column("cost", "Cost", "cost"),
        Column("change", "Change", "cost"),
        Column("change_share", "Change", "share"),
    ),
    note="Against the month before, the largest change first.",
    what="accounts",
    order=("±change", "label"),
)

COMPLETENESS = Listing(
    "Completeness of days",
    rows.completeness,
    (
        Column("tenant", "Tenant"),
        Column("days", "Days", "integer"),
        Column("incomplete", "Not complete", "integer", tone="tone"),
        Column("cost", "Cost of these", "cost"),
        Column("which", "Which"),
    ),
    note="A day is complete when its cutoff has passed and every expected source has delivered since its end.",
    first=0,
    empty="No cost in this month.",
)

IN_TIME = Listing(
    "Days due and in time",
    rows.days_due,
    (
        Column("tenant", "Tenant"),
        Column("days", "Days", "integer", total=True),
        Column("in_time", "In time", "integer", total=True),
        Column("late", "Late", "integer", total=True, tone="late_tone"),
        Column("missing", "Not available", "integer", total=True, tone="missing_tone"),
        Column("not_due", "Not due yet", "integer", total=True),
        Column("without_cost", "Without cost", "integer", total=True),
        Column("which", "Late or not available"),
    ),
    note="A day is due at its publishing cutoff, also a day for which nothing came; it is available when the last expected source"
    " has delivered since its end.",
    first=0,
    empty="No day of this month is due.",
)

DELIVERIES = Listing(
    "Cloud deliveries",
    rows.deliveries,
    (
        Column("tenant_id", "Tenant", width=16),
        Column("usage_date", "Day (UTC)", "date"),
        Column("due_at", "Due", "instant"),
        Column("available_at", "Available", "instant"),
        Column("in_time", "In time", "flag", tone="tone"),
        Column("complete", "Complete", "flag"),
        Column("events", "Events and charges", "integer", total=True),
    ),
    note="When each tenant's day was due and when the last expected source had delivered, also days for which nothing came",
    sheet="Cloud deliveries",
    what="days of tenants",
    order=("tenant_id", "usage_date"),
    sheet_only_if_there=True,
)

COST_BY = Listing(
    "Cloud cost by",
    "cloud_cost_by",
    (
        Column("dimension", "By", "words", width=18),
        Column("value", "Value", width=22),
        Column("name", "Name", width=26),
        Column("tenant_id", "Tenant", width=16),
        Column("total_cost", "Cost", "cost"),
        Column("effective_cost", "Effective cost", "cost"),
        Column("event_count", "Events and charges", "integer"),
    ),
    note="The month's cost by region, pricing model, billing owner and service category; each of them adds up to the month",
    sheet="Cloud cost by",
    what="values",
    order=("dimension", "±total_cost", "tenant_id", "value"),
    sheet_only_if_there=True,
)

CONSERVATION = Listing(
    "Rows that were read",
    rows.conservation,
    (Column("name", "What became of it", "words"), Column("rows", "Rows", "integer"), Column("cost", "Cost", "cost")),
    note="Nothing is lost: what was read is what counts and what does not, in rows and in cost.",
    first=0,
    sums="is_sum",
    absent="The check of conservation has no result for this month.",
)

INVOICES = Listing(
    "Charges against invoices",
    rows.invoices,
    (
        Column("recon", "Reconciliation", "words", width=18, on="sheet"),
        Column("view", "View", "words", width=10, on="sheet"),
        Column("provider", "Provider", width=20),
        Column("billing_period", "Billing period", "month"),
        Column("invoice_id", "Invoice", width=26),
        Column("shown_unit", "Unit", width=8, on="sheet"),
        Column("left_value", "Charged", "cost", total=True),
        Column("right_value", "Invoiced", "cost", total=True),
        Column("variance_value", "Variance", "cost", total=True),
        Column("variance_pct", "Variance, % of invoiced", "share", share=("variance_value", "right_value"), on="sheet"),
        Column("status", "Status", "pill", tone="tone", width=17),
        Column("explanation", "Explanation", "wide"),
    ),
    note="What providers charged less what they invoiced, breaches first",
    sheet="Cloud invoices",
    what="invoices",
    order=("place", "±variance_value", "provider", "invoice_id"),
    empty="No invoice of this billing period was delivered.",
)

RESTATED = Listing(
    "Restated by cause",
    rows.restated_by_cause,
    (
        Column("cause", "Cause", "words"),
        Column("account_days", "Account-days", "integer"),
        Column("delta", "Change", "cost", total=True),
    ),
    note="Changes of this month's account-days after their first publication; they add up to the change of the total.",
    first=0,
    empty="No published day of this month has changed.",
)

RESTATEMENTS = Listing(
    "Largest restatements",
    rows.restatements,
    (
        Column("tenant_id", "Tenant", width=16, on="sheet"),
        Column("account_id", "Account", width=18, on="sheet"),
        Column("usage_date", "Day (UTC)", "date"),
        Column("account", "Account", on="page"),
        Column("publication", "Publication", "integer"),
        Column("step", "Step", "integer", width=8, on="sheet"),
        Column("cause", "Cause", "words", width=18),
        Column("old_cost", "Before", "cost"),
        Column("new_cost", "After", "cost"),
        Column("delta", "Change", "cost", total=True),
        Column("rows", "Rows", "integer", on="sheet"),
        Column("batch_id", "Batch", "wide", width=46),
    ),
    note="Changes of account-days after their first publication, the largest first; they add up to that of the total",
    sheet="Cloud restatements",
    what="changes",
    order=("±delta", "usage_date", "publication", "tenant_id", "account_id", "step"),
    most=_MOST_ROWS,
    rest_by=("tenant_id",),
    rest_in="account_id",
    empty="No published day of this month has changed.",
)


def _month_columns(published: Published) -> Sequence[Column]:
    beside = (Column("before", "Month before", "cost", total=True), Column("change", "Change", "cost", total=True))
    return (
        Column("tenant_id", "Tenant", width=16),
        Column("account_id", "Account", width=18),
        Column("account_name", "Account name", width=26),
        Column("billing_owner", "Billing owner", width=20),
        Column("service_name", "Service", width=20),
        Column("service_category", "Service category", width=18),
        Column("total_cost", "Cost", "cost", total=True),
        *(beside if "cloud_month" in published.before else ()),
        Column("effective_cost", "Effective cost", "cost", total=True),
        Column("event_count", "Events and charges", "integer", total=True),
        Column("days", "Days", "integer"),
    )


MONTH = Listing(
    "Cloud month",
    rows.by_service,
    _month_columns,
    note="Cost by account and service, the largest first, with the names that the look-ups give them at present",
    sheet="Cloud month",
    what="services of accounts",
    order=("±total_cost", "tenant_id", "account_id", "service_name"),
    most=_MOST_ROWS,
    rest_by=("tenant_id",),
    rest_in="account_id",
)


def _day_columns(published: Published) -> Sequence[Column]:
    return (
        Column("tenant_id", "Tenant", width=16),
        Column("account_id", "Account", width=18),
        Column("account_name", "Account name", width=26),
        Column("total", "Month", "cost", total=True),
        *(
            Column(day.isoformat(), f"{day:%m-%d}", "cost", total=True, width=12, tone=f"{day.isoformat()} tone")
            for day in rows.days_of_month(published)
        ),
    )


def _days_note(published: Published) -> str:
    frame = published.table("daily_account_cost")
    accounts = 0 if frame is None else len(frame[list(rows.ACCOUNT)].drop_duplicates())
    words = "Cost by account and UTC day, the largest first. Red: restated since first published; grey: day not complete"
    if accounts <= rows.MOST_ACCOUNTS:
        return words
    rest = "the rest of each tenant is one row, all stand in csv/daily_account_cost.csv"
    return f"{words}. The {rows.MOST_ACCOUNTS:,} largest; {rest}"


DAYS = Listing("Cloud days", rows.by_day, _day_columns, note=_days_note, sheet="Cloud days")

VIEW = View(
    "cloud",
    "Cloud Cost",
    TILES,
    (
        Section("What does each account cost a day?", (DAILY,)),
        Section(
            "Where does it go?",
            (
                Chart(
                    "Cost by month",
                    "stacked",
                    rows.cost_by_month,
                    x="month",
                    y="cost",
                    format="cost",
                    series="tenant",
                    rest="is_rest",
                    unit="{currency} a month",
                    note="Cost of the tenants, months up to this one.",
                ),
                _ranking("Tenant", rows.ranked("tenant_id")),
                Card("Services", (_ranking("Service", rows.ranked("service_name")),), wide=True),
                Card("Regions", (_dimension("Region", "region"),), wide=True),
                Card("Pricing models", (_dimension("Pricing model", "pricing_model"),), wide=True),
                Card("Accounts", (_ranking("Account", rows.ranked(*rows.ACCOUNT)),), wide=True),
                Card("Accounts whose cost changed most", (MOVED,), wide=True, if_any=True),
            ),
        ),
        Section(
            "Is it all here?",
            (
                Card("Days due and in time", (IN_TIME,), wide=True),
                Card("Completeness", (COMPLETENESS, Sentence(rows.set_aside_words))),
                Card("Rows that were read", (CONSERVATION, Sentence(rows.stages_words))),
            ),
        ),
        Section(
            "Is it what the providers invoiced?",
            (Card("Charges against invoices", (INVOICES, Sentence(rows.not_invoiced_words)), wide=True),),
        ),
        Section("What was restated?", (RESTATED, Card("Largest restatements", (RESTATEMENTS,), wide=True, if_any=True))),
    ),
)

REPORT = Report(
    view=VIEW,
    datasets=(
        "cloud_assumptions",
        "cloud_cost_by",
        "cloud_days",
        "cloud_metric_register",
        "cloud_month",
        "cloud_restatement",
        "daily_account_cost",
    ),
    results=INVOICES,
    sheets=(MONTH, COST_BY, DAYS, DELIVERIES, RESTATEMENTS),
    register=(
        registers.assumptions("cloud_assumptions", "Cloud assumptions"),
        registers.metrics("cloud_metric_register", "Cloud metric register"),
    ),
    headlines=(
        Headline("Cloud cost", MONTH, "total_cost"),
        Headline("Restated since first published", RESTATEMENTS, "delta"),
        Headline("Charged by providers", INVOICES, "left_value"),
        Headline("Invoiced by providers", INVOICES, "right_value"),
        Headline("Charges less invoices", INVOICES, "variance_value"),
    ),
    summary=(CONSERVATION, COMPLETENESS),
    control_tiles=(INVOICES_TILE,),
    trends=(Trend("cloud_month", rows.kept_of_month),),
    before=("cloud_cost_by", "cloud_month"),
    index=(COST, VARIANCE),
    index_charts=(
        Chart(
            "Cloud cost",
            "stacked",
            INDEX,
            x="month",
            y={"cloud_cost": "Cloud cost"},
            format="cost",
            unit="{currency} a month",
            note="Cost of all tenants by month.",
        ),
    ),
    leave_out={"daily_account_cost": ("published_at",)},
)
"""What the stream shows in a close pack."""
