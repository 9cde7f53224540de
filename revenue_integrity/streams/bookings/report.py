"""What the bookings stream shows in a close pack: a page, sheets, headline figures, disclosures.

Belongs here: the declaration of the report. Does not belong here: how it looks (``reports``), what every stream shows anyway
(reconciliations, causes, checks, sign-off).
"""

from revenue_integrity.model.report import Card, Chart, Column, Headline, Kpi, Listing, Report, Section, Trend, View
from revenue_integrity.reports.reconciling import variance_kpi
from revenue_integrity.streams.bookings.disclosures import disclosures
from revenue_integrity.streams.bookings.figures import DEFERRED, EXPECTED, RECURRING, REMAINING, UNRECOGNIZED
from revenue_integrity.streams.bookings.figures import REVENUE as RECOGNIZED
from revenue_integrity.streams.bookings.recon import RECOGNIZED as RECON
from revenue_integrity.streams.bookings.recon import RECONCILIATIONS

REVENUE = Listing(
    "Revenue by segment and type",
    "revenue_month",
    (
        Column("segment", "Segment", "name"),
        Column("revenue_type", "Type", "words"),
        Column("revenue_class", "Class", "words"),
        Column("expected_cents", "Due", "cents", total=True),
        Column("recognized_cents", "Recognized", "cents", total=True),
        Column("recognized_at_close_cents", "Recognized by the cutoff", "cents", total=True),
        Column("variance_cents", "Variance", "cents", total=True),
    ),
    note="What the schedules of the deals say, and what accounting recognized; entries without a line included.",
    sheet="Bookings revenue",
    what="segments and types",
    order=("-expected_cents", "segment", "revenue_type"),
)

UNRECOGNIZED_DEALS = Listing(
    "Deals with unrecognized revenue",
    "deal_month",
    (
        Column("deal_id", "Deal", "name"),
        Column("customer_id", "Customer", "name"),
        Column("segment", "Segment", "name"),
        Column("expected_to_date_cents", "Due to date", "cents", total=True),
        Column("recognized_to_date_cents", "Recognized to date", "cents", total=True),
        Column("unrecognized_cents", "Unrecognized", "cents", total=True),
        Column("deferred_revenue_cents", "Deferred revenue", "cents", total=True),
        Column("contract_asset_cents", "Contract asset", "cents", total=True),
        Column("rpo_cents", "Remaining", "cents", total=True),
        Column("rpo_12m_cents", "Of it within a year", "cents", total=True),
    ),
    note="Balances as the books stood at the cutoff; a negative amount was recognized before it was due.",
    sheet="Deals",
    what="deals",
    order=("±unrecognized_cents", "deal_id"),
)

ROLL_FORWARD = Listing(
    "Roll-forward of deferred revenue",
    "deferred_rollforward",
    (
        Column("deal_id", "Deal", "name"),
        Column("customer_id", "Customer", "name"),
        Column("opening_cents", "Opening", "cents", total=True),
        Column("billed_cents", "Billed", "cents", total=True),
        Column("recognized_cents", "Recognized", "cents", total=True),
        Column("closing_cents", "Closing", "cents", total=True),
    ),
    note="Opening and billed less recognized make closing; a negative balance is a contract asset.",
    sheet="Deferred revenue",
    what="deals",
    order=("-closing_cents", "deal_id"),
)

REMAINING_BY_YEAR = Listing(
    "Remaining performance obligations by year",
    "rpo_by_year",
    (
        Column("year", "Calendar year", "name"),
        Column("rpo_cents", "Remaining", "cents", total=True),
    ),
    note="What is agreed and must still be recognized after the month.",
    sheet="RPO",
    what="years",
    order=("year",),
)

BRIDGE = Listing(
    "MRR bridge by customer",
    "recurring_movements",
    (
        Column("customer_id", "Customer", "name"),
        Column("opening_cents", "Opening", "cents", total=True),
        Column("new_cents", "New", "cents", total=True),
        Column("reactivation_cents", "Reactivation", "cents", total=True),
        Column("expansion_cents", "Expansion", "cents", total=True),
        Column("contraction_cents", "Contraction", "cents", total=True),
        Column("churn_cents", "Churn", "cents", total=True),
        Column("closing_cents", "Closing", "cents", total=True),
    ),
    note="Run-rate of recurring lines in force on the last day of the month, at stated prices.",
    sheet="Recurring revenue",
    what="customers",
    order=("-closing_cents", "customer_id"),
)

CATCH_UPS = Listing(
    "Deal lines by what is due",
    "recognition_schedule",
    (
        Column("deal_id", "Deal", "name"),
        Column("line_no", "Line", "integer"),
        Column("customer_id", "Customer", "name"),
        Column("revenue_type", "Type", "words"),
        Column("policy", "Policy", "words"),
        Column("amount_cents", "Price", "cents", total=True),
        Column("expected_cents", "Due in the month", "cents", total=True),
        Column("catch_up_cents", "Of it for earlier months", "cents", total=True),
        Column("remaining_cents", "Remaining", "cents", total=True),
    ),
    note="What was agreed after months of its service had passed is made up for in the month in which it was booked.",
    sheet="Schedules",
    what="deal lines",
    order=("-catch_up_cents", "-expected_cents", "deal_id", "line_no"),
)

REVIEWS = Listing(
    "Entries by accounting standard",
    "compliance_month",
    (
        Column("standard", "Standard", "words"),
        Column("revenue_type", "Type", "words"),
        Column("entries", "Entries", "integer", total=True),
        Column("cents", "Amount", "cents", total=True),
        Column("reviewed", "Reviewed", "integer", total=True),
        Column("reviewed_after_cutoff", "Of these after the cutoff", "integer", total=True),
        Column("without_obligation", "Without an obligation", "integer", total=True),
    ),
    note="How the entries of the period were reviewed, and which name no performance obligation.",
    sheet="Compliance",
    what="standards and types",
    order=("standard", "revenue_type"),
)

DISCLOSURES = Listing(
    "Disclosures",
    disclosures,
    (
        Column("disclosure", "Disclosure", "name"),
        Column("item", "Item", "name"),
        Column("detail", "Detail", "name"),
        Column("cents", "Amount", "cents"),
    ),
    note="What is disclosed of contracts: revenue by segment and class, balances, what remains by year, compliance.",
    sheet="Disclosures",
    what="lines",
    first=0,
)

MONTHS = Chart(
    "Revenue by month",
    "bar",
    lambda published: published.trend("revenue_month"),
    x="month",
    y={"expected_cents": "Due", "recognized_cents": "Recognized"},
)

REPORT = Report(
    view=View(
        "bookings",
        "Bookings & Recognized Revenue",
        tiles=(
            Kpi("Revenue due", EXPECTED, change=True),
            Kpi("Revenue recognized", RECOGNIZED),
            variance_kpi(RECONCILIATIONS, RECON, "Recognized less due", "deal lines"),
            Kpi("Unrecognized to date", UNRECOGNIZED),
            Kpi("Deferred revenue", DEFERRED, change=True),
            Kpi("Remaining obligations", REMAINING),
            Kpi("MRR", RECURRING, change=True),
        ),
        sections=(
            Section(
                "What should have been recognized, and what was?",
                (Card(REVENUE.title, (REVENUE,), wide=True), Card(MONTHS.title, (MONTHS,), wide=True)),
            ),
            Section("What is still unrecognized?", (UNRECOGNIZED_DEALS,)),
            Section("What is owed to customers?", (ROLL_FORWARD, REMAINING_BY_YEAR)),
            Section("What moved recurring revenue?", (BRIDGE,)),
            Section("Which deals were booked late?", (CATCH_UPS,)),
            Section("Who reviewed the entries?", (REVIEWS,)),
            Section("What is disclosed?", (DISCLOSURES,)),
        ),
    ),
    before=("deal_month", "recurring_summary"),
    datasets=(
        "revenue_month",
        "deal_month",
        "deferred_rollforward",
        "rpo_by_year",
        "recurring_movements",
        "recurring_summary",
        "recognition_schedule",
        "compliance_month",
        "bookings_metric_register",
        "bookings_assumptions",
    ),
    sheets=(REVENUE, UNRECOGNIZED_DEALS, ROLL_FORWARD, REMAINING_BY_YEAR, BRIDGE, CATCH_UPS, REVIEWS, DISCLOSURES),
    headlines=(
        Headline("Revenue due", REVENUE, "expected_cents"),
        Headline("Deferred revenue and contract assets", ROLL_FORWARD, "closing_cents"),
    ),
    trends=(
        Trend(
            "revenue_month", lambda frame: frame.groupby("month", as_index=False)[["expected_cents", "recognized_cents"]].sum()
        ),
    ),
)
