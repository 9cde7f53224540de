"""Tables of the bookings stream from curated to mart.

Belongs here: what each table is, its key, columns, units. Does not belong here: how it is made (``curated``, ``mart``), raw
tables (they follow from ``sources``), tables of reconciliations (``recon``).
"""

from functools import partial

import pandera.pandas as pa

from revenue_integrity.model import table as column
from revenue_integrity.model.table import table
from revenue_integrity.streams.bookings.schedule import POLICIES
from revenue_integrity.streams.bookings.sources import CHANGES, REVENUE_TYPES, STREAM, TREATMENTS

_curated = partial(table, STREAM, "curated")
_mart = partial(table, STREAM, "mart")

REVENUE_CLASSES = ("recurring", "one_time")
"""Whether revenue comes again while the line goes on."""

MAPPING_STATUSES = ("mapped", "by_reference", "by_type", "unmapped")
"""How the line of an entry was found."""


def _customer(*, null: bool = False) -> pa.Column:
    return column.text("customer_id", "The customer.", null=null)


def _deal(description: str = "The deal.", *, null: bool = False) -> pa.Column:
    return column.text("deal_id", description, null=null)


def _line(description: str = "Line of the deal.", *, null: bool = False) -> pa.Column:
    return column.integer("line_no", description, null=null)


def _type(description: str = "Type of the revenue.") -> pa.Column:
    return column.text("revenue_type", description, isin=REVENUE_TYPES)


def _class() -> pa.Column:
    return column.text("revenue_class", "Whether the revenue recurs (setting recurring_revenue_types).", isin=REVENUE_CLASSES)


def _policy() -> pa.Column:
    return column.text("policy", "How the amount is spread.", isin=POLICIES)


CUSTOMERS = _curated(
    "bookings_customers_known",
    "Customers that matter to the month, one row per customer, with their present attributes.",
    ("month", "customer_id"),
    [
        column.month(),
        _customer(),
        column.text("customer_name", "Its name."),
        column.text("segment", "Market segment."),
    ],
)

RECOGNITION_LINES = _curated(
    "recognition_lines",
    "Recognition entries of the month with the deal line that each resolves to, one row per entry.",
    ("month", "entry_id"),
    [
        column.month(),
        column.text("entry_id", "The entry."),
        _deal("The deal; empty for an entry that resolves to none.", null=True),
        _line("Line of the deal; empty for an entry that resolves to none.", null=True),
        _customer(null=True),
        _type("Type of the revenue, as booked."),
        _class(),
        column.text("entry_type", "Kind of entry.", isin=("recognition", "adjustment", "reversal")),
        column.text("mapping_status", "How the line was found.", isin=MAPPING_STATUSES),
        column.money("amount_cents", "Signed amount."),
        column.instant("posted_at", "When it was posted."),
        column.flag("late", "Whether it was posted after the month's cutoff."),
        column.month_named("recognized_month", "First month that was still open when it was posted."),
        column.text("reverses_entry_id", "The entry that it reverses.", null=True),
        column.text("accounting_ref", "The line, as accounting names it.", null=True),
        column.flag("reviewed", "Whether somebody reviewed it."),
        column.text("batch_id", "The batch that brought it."),
    ],
)

BILLING_LINES = _curated(
    "billing_lines",
    "Invoice and credit memo lines of the month with their deal's customer, one row per document line.",
    ("month", "document_id", "document_line"),
    [
        column.month("Month of the invoice date, as the date of its first day; exported as YYYY-MM."),
        column.text("document_id", "The document."),
        column.integer("document_line", "Line of the document."),
        column.text("document_type", "Kind of document.", isin=("invoice", "credit_memo")),
        _customer(),
        _deal(),
        _line("Line of the deal, where the document names it.", null=True),
        column.money("amount_cents", "Signed amount without tax."),
        column.day("invoice_date", "Date of the document."),
        column.instant("posted_at", "When it was posted."),
        column.flag("late", "Whether it was posted after the month's cutoff."),
        column.month_named("recognized_month", "First month that was still open when it was posted."),
        column.text("batch_id", "The batch that brought it."),
    ],
)

LINE_MONTH = _mart(
    "deal_line_month",
    "What stands of every deal line in the month: one row per line with a version in force, whether or not an amount is due.",
    ("month", "deal_id", "line_no"),
    [
        column.month(),
        _deal(),
        _line(),
        _customer(),
        _type("Type of the revenue, of the version in force."),
        _class(),
        column.integer("version", "Version in force on the last day of the month."),
        column.text("status", "Whether the version in force goes on.", isin=("active", "cancelled")),
        _policy(),
        column.money("amount_cents", "Price of the version in force, allocation included."),
        column.money("allocated_shift_cents", "What the bundle's allocation adds to the stated price."),
        column.money(
            "agreed_cents",
            "Price of the last version that stands, in force or not; empty where that cancels the line.",
            null=True,
        ),
        column.money("expected_cents", "What must be recognized in the month."),
        column.money("catch_up_cents", "The part of it that makes up for earlier months."),
        column.money("expected_to_date_cents", "What must be recognized up to the end of the month."),
        column.money("remaining_cents", "What remains after the month."),
        column.money("remaining_12m_cents", "What of it falls in the twelve months after."),
        column.month_named("first_month", "First month with an amount; empty if no month has one.", null=True),
        column.month_named("last_month", "Last month with an amount; empty if no month has one.", null=True),
    ],
)

RECOGNITION_SCHEDULE = _mart(
    "recognition_schedule",
    "What must be recognized, one row per deal line between its first and its last month with an amount.",
    ("month", "deal_id", "line_no"),
    [
        column.month(),
        _deal(),
        _line(),
        _customer(),
        _type("Type of the revenue, of the version in force."),
        _class(),
        column.integer("version", "Version in force on the last day of the month."),
        _policy(),
        column.money("amount_cents", "Price of the version in force, allocation included."),
        column.money("allocated_shift_cents", "What the bundle's allocation adds to the stated price."),
        column.money("expected_cents", "What must be recognized in the month."),
        column.money("catch_up_cents", "The part of it that makes up for earlier months."),
        column.money("expected_to_date_cents", "What must be recognized up to the end of the month."),
        column.money("remaining_cents", "What remains after the month."),
    ],
)

DEAL_TERMS = _mart(
    "deal_terms",
    "Terms in force on the last day of the month, one row per deal line with a day of its term or an amount due in the month.",
    ("month", "deal_id", "line_no"),
    [
        column.month(),
        _deal(),
        _line(),
        column.integer("version", "Version in force."),
        _customer(),
        column.text("product", "What is sold.", null=True),
        _type(),
        _class(),
        column.text("status", "Whether the line goes on.", isin=("active", "cancelled")),
        _policy(),
        column.text(
            "modification",
            "How the change is treated; empty for a first version and a cancellation.",
            null=True,
            isin=TREATMENTS,
        ),
        column.day("effective_from", "Day from which the version counts.", null=True),
        column.day("start_date", "First day of the term."),
        column.day("end_date", "Last day of the term."),
        column.integer("months", "Months of the term.", unit="months"),
        column.money("stated_cents", "Price of the version as agreed."),
        column.money("allocated_shift_cents", "What the bundle's allocation adds to it."),
        column.money("amount_cents", "Price of the version, allocation included."),
        column.money("monthly_cents", "Run-rate per month at stated prices: 0 unless recurring, active and in its term."),
    ],
)

FLOWS = _mart(
    "bookings_flows",
    "Recognized and billed cents by the close that takes them in, one row per line, type and recognized month; the"
    " deployment's first month also holds what months before it left.",
    ("month", "flow_no"),
    [
        column.month(),
        column.integer("flow_no", "Number of the row, in the order of what follows."),
        column.month_named("service_month", "Service month of the entries and billings."),
        column.month_named("recognized_month", "First month that was still open when they were posted."),
        _customer(null=True),
        _deal("The deal; empty for entries that resolve to none.", null=True),
        _line("Line of the deal; empty where none is named or found.", null=True),
        column.text("revenue_type", "Type of the revenue, as booked; empty for billings.", null=True, isin=REVENUE_TYPES),
        column.money("recognized_cents", "Recognition entries."),
        column.money("billed_cents", "Invoices less credit memos."),
    ],
)

DEAL_MONTH = _mart(
    "deal_month",
    "The primary table: expected, recognized and billed, and balances as the books stood at the cutoff, one row per deal.",
    ("month", "deal_id"),
    [
        column.month(),
        _deal(),
        _customer(),
        column.text("segment", "Segment of the customer."),
        column.money("expected_cents", "What must be recognized in the month."),
        column.money("recognized_cents", "All entries of the period."),
        column.money("recognized_at_close_cents", "Entries of the period posted by the cutoff."),
        column.money("billed_cents", "Billed in the month, by invoice date."),
        column.money("expected_to_date_cents", "What must be recognized up to the end of the month."),
        column.money("recognized_to_date_cents", "Recognized in or before the month."),
        column.money("billed_to_date_cents", "Billed, recognized in or before the month."),
        column.money("unrecognized_cents", "Expected less recognized, to date."),
        column.money("deferred_revenue_cents", "Billed in excess of recognized, to date."),
        column.money("contract_asset_cents", "Recognized in excess of billed, to date."),
        column.money("rpo_cents", "Remaining performance obligation: what must be recognized after the month."),
        column.money("rpo_12m_cents", "What of it falls in the twelve months after."),
    ],
)

COMPLIANCE_MONTH = _mart(
    "compliance_month",
    "Entries of the period and how they were reviewed, one row per accounting standard and type.",
    ("month", "standard", "revenue_type"),
    [
        column.month(),
        column.text("standard", "Accounting standard; UNKNOWN where the entry names none."),
        _type(),
        column.integer("entries", "Entries.", unit="entries"),
        column.money("cents", "Sum of their amounts."),
        column.integer("reviewed", "Entries that somebody reviewed.", unit="entries"),
        column.integer("reviewed_after_cutoff", "Of these, reviewed after the cutoff.", unit="entries"),
        column.integer("without_obligation", "Entries that name no performance obligation.", unit="entries"),
    ],
)

RPO_BY_YEAR = _mart(
    "rpo_by_year",
    "What remains to be recognized after the month, one row per calendar year in which it falls.",
    ("month", "year"),
    [
        column.month(),
        column.integer("year", "Calendar year."),
        column.money("rpo_cents", "What must be recognized in it after the month."),
    ],
)

DEFERRED_ROLLFORWARD = _mart(
    "deferred_rollforward",
    "Roll-forward of deferred revenue, one row per deal: opening, billed, recognized, closing; negative is a contract asset.",
    ("month", "deal_id"),
    [
        column.month(),
        _deal(),
        _customer(),
        column.money("opening_cents", "Balance at the close of the month before."),
        column.money("billed_cents", "Billed, taken in by this close."),
        column.money("recognized_cents", "Recognized, taken in by this close."),
        column.money("closing_cents", "Balance at this close."),
    ],
)

REVENUE_MONTH = _mart(
    "revenue_month",
    "Revenue expected and recognized, entries without a line included, one row per segment and type.",
    ("month", "segment", "revenue_type"),
    [
        column.month(),
        column.text("segment", "Segment of the customer; UNKNOWN without one."),
        _type(),
        _class(),
        column.money("expected_cents", "What must be recognized in the month."),
        column.money("recognized_cents", "All entries of the period."),
        column.money("recognized_at_close_cents", "Entries of the period posted by the cutoff."),
        column.money("variance_cents", "Recognized less expected."),
    ],
)

BOOKINGS_MONTH = _mart(
    "bookings_month",
    "What was booked in the month at stated prices, one row per customer, type and kind of change.",
    ("month", "customer_id", "revenue_type", "change"),
    [
        column.month(),
        _customer(),
        _type(),
        column.text("change", "What the versions change.", isin=CHANGES),
        column.integer("deals", "Deals.", unit="deals"),
        column.money("booked_cents", "What the versions add to the lines' schedules."),
        column.money("annual_cents", "What they add to the lines' yearly run-rate."),
    ],
)

RECURRING_MOVEMENTS = _mart(
    "recurring_movements",
    "MRR bridge, one row per customer: run-rate at the ends of the month before and of this one, and what moved it.",
    ("month", "customer_id"),
    [
        column.month(),
        _customer(),
        column.money("opening_cents", "Run-rate at the end of the month before."),
        column.money("new_cents", "Begun by a customer that never had any."),
        column.money("reactivation_cents", "Begun by a customer that once had some."),
        column.money("expansion_cents", "Increase."),
        column.money("contraction_cents", "Decrease."),
        column.money("churn_cents", "Ended."),
        column.money("closing_cents", "Run-rate at the end of the month."),
    ],
)

RECURRING_SUMMARY = _mart(
    "recurring_summary",
    "MRR bridge of all customers with gross and net retention, one row per month.",
    ("month",),
    [
        column.month(),
        column.money("opening_cents", "Run-rate at the end of the month before."),
        column.money("new_cents", "Begun by customers that never had any."),
        column.money("reactivation_cents", "Begun by customers that once had some."),
        column.money("expansion_cents", "Increase."),
        column.money("contraction_cents", "Decrease."),
        column.money("churn_cents", "Ended."),
        column.money("closing_cents", "Run-rate at the end of the month."),
        column.ratio("gross_retention", "Opening less contraction and churn, over opening."),
        column.ratio("net_retention", "The same with expansion."),
    ],
)
