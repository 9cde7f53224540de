"""The sources of bookings: what each must look like, and when a row of it is bad.

Belongs here: declarations (40-bookings, *Sources*). Does not belong here: how files are read and versions resolved
(``landing``), which versions of a deal line stand in a month (``terms``).
"""

from typing import get_args

from revenue_integrity.model.postings import earlier_postings
from revenue_integrity.model.query import read_sql
from revenue_integrity.model.source import Anchor, Lookup, Reach, Reference, RowRule, Source, SourceColumn
from revenue_integrity.streams.bookings.schedule import LONGEST_TERM_MONTHS, POLICIES
from revenue_integrity.streams.bookings.settings import RevenueType

_PACKAGE = "revenue_integrity.streams.bookings"

STREAM = "bookings"

REVENUE_TYPES = get_args(RevenueType)
"""What a deal line sells."""

CHANGES = ("new", "renewal", "expansion", "downsell", "extension", "cancellation", "correction")
"""What a version of a deal line changes."""

TREATMENTS = ("retrospective", "prospective", "catch_up")
"""How accounting treats a change (ASC 606-10-25-13)."""

KNOWN_CUSTOMERS = Lookup("known_customers", "customer_id", ("customers",), read_sql(_PACKAGE, "raw/known_customers"))
KNOWN_DEALS = Lookup("known_deals", "deal_id", ("deal_lines",), read_sql(_PACKAGE, "raw/known_deals"))

_DEAL_KNOWN = RowRule("known_deals.deal_id is null", "'deal ' || r.deal_id || ' is unknown'")
_LINE_KNOWN = RowRule(
    "r.line_no is not null and known_deals.deal_id is not null and not list_contains(known_deals.line_nos, r.line_no)",
    "'deal ' || r.deal_id || ' has no line ' || r.line_no",
)


def _positive(column: str) -> RowRule:
    return RowRule(f"{column} < 1", f"'{column} ' || {column} || ' is below 1'")


def _rewrites_the_past(row: str) -> str:
    """Return SQL that is true of a version that is retrospective, unless it is the first of its line."""
    return (
        f"{row}.status = 'active'"
        f" and coalesce({row}.modification, if({row}.effective_from is null, 'retrospective', '')) = 'retrospective'"
    )


CUSTOMERS = Source(
    STREAM,
    "customers",
    "Customers with deals, one row per customer as sent.",
    (
        SourceColumn("customer_id", "id", "The customer."),
        SourceColumn("customer_name", "text", "Its name."),
        SourceColumn("segment", "text", "Market segment."),
        SourceColumn("country", "text", "Country of the customer.", required=False),
        SourceColumn("status", "enum", "Whether the customer is active.", values=("active", "closed")),
    ),
    key=("customer_id",),
    matters=(
        "exists (select 1 from raw.bookings_deal_lines as versions"
        " where versions.customer_id = r.customer_id and versions.row_status = 'surviving'"
        " and least(versions.booked_on, versions.start_date) <= m.month_end)"
        " or exists (select 1 from raw.bookings_recognition_entries as entries"
        " where entries.customer_id = r.customer_id and entries.month = m.month)"
    ),
    matters_reads=("deal_lines", "recognition_entries"),
)

DEAL_LINES = Source(
    STREAM,
    "deal_lines",
    "Deal lines, one row per version of a line (a performance obligation) as sent.",
    (
        SourceColumn("deal_id", "id", "The deal."),
        SourceColumn("line_no", "int", "Line of the deal."),
        SourceColumn("version", "int", "Number of the version; the lowest is the first."),
        SourceColumn("customer_id", "id", "The customer of the deal."),
        SourceColumn("product", "text", "What is sold.", required=False),
        SourceColumn("revenue_type", "enum", "Type of the revenue.", values=REVENUE_TYPES),
        SourceColumn("amount", "money", "Price of the line for its whole term, as agreed in this version.", ge=0),
        SourceColumn("standalone_price", "money", "What it sells for by itself.", required=False, ge=0),
        SourceColumn("booked_on", "date", "Day on which the version was agreed."),
        SourceColumn("start_date", "date", "First day of the term."),
        SourceColumn("end_date", "date", "Last day of the term; follows from its months if empty.", required=False),
        SourceColumn(
            "duration_months", "int", "Months of the term; follow from its days if empty.", required=False, unit="months"
        ),
        SourceColumn(
            "policy", "enum", "How the amount is spread; by the class of revenue if empty.", required=False, values=POLICIES
        ),
        SourceColumn("status", "enum", "Whether the line goes on.", values=("active", "cancelled")),
        SourceColumn("change", "enum", "What the version changes.", values=CHANGES),
        SourceColumn("modification", "enum", "How accounting treats the change.", required=False, values=TREATMENTS),
        SourceColumn("effective_from", "date", "Day from which the version counts.", required=False),
    ),
    key=("deal_id", "line_no", "version"),
    rules=(
        RowRule("end_date < start_date", "'end_date ' || end_date || ' is before start_date ' || start_date"),
        RowRule("end_date is null and duration_months is null", "'neither end_date nor duration_months'"),
        _positive("duration_months"),
        _positive("version"),
        _positive("line_no"),
        RowRule(
            f"duration_months > {LONGEST_TERM_MONTHS} or date_diff('month', start_date, end_date) > {LONGEST_TERM_MONTHS}",
            f"'a term of more than {LONGEST_TERM_MONTHS} months'",
        ),
        RowRule(
            "effective_from is null and (status = 'cancelled' or modification in ('prospective', 'catch_up'))",
            "'no effective_from in a version that is ' || if(status = 'cancelled', status, modification)",
        ),
        RowRule(
            "status = 'active' and effective_from not between start_date and coalesce("
            "end_date, (start_date + to_months(least(duration_months, 1200)::integer))::date - 1)",
            "'effective_from ' || effective_from || ' lies outside the term from ' || start_date",
        ),
    ),
    references=(Reference("customer_id", KNOWN_CUSTOMERS),),
    reference_rules=(RowRule("known_customers.customer_id is null", "'customer ' || r.customer_id || ' is unknown'"),),
    anchor=Anchor(
        group="deal_id",
        fixed=("customer_id",),
        order=("arrival", "file_name", "row_number"),
        reason=("'customer of the deal changed: ' || r.customer_id || ', but its first accepted row has ' || anchor.customer_id"),
    ),
    # What is agreed later does not matter, but a version that rewrites the past of a line, or that is its first although a
    # later one was booked before it.
    matters=(
        "least(r.booked_on, coalesce(r.effective_from, r.start_date)) <= m.month_end"
        " or exists (select 1 from raw.bookings_deal_lines as other"
        " where other.deal_id = r.deal_id and other.line_no = r.line_no and other.row_status = 'surviving'"
        " and least(other.booked_on, coalesce(other.effective_from, other.start_date)) <= m.month_end"
        f" and (other.version > r.version or (other.version < r.version and {_rewrites_the_past('r')})))"
        " or exists (select 1 from raw.bookings_recognition_entries as entries"
        " where entries.deal_id = r.deal_id and entries.month = m.month)"
    ),
    matters_reads=("recognition_entries",),
)

MILESTONES = Source(
    STREAM,
    "milestones",
    "Milestones of deal lines, one row per milestone as sent.",
    (
        SourceColumn("deal_id", "id", "The deal."),
        SourceColumn("line_no", "int", "Line of the deal."),
        SourceColumn("milestone_no", "int", "Number of the milestone."),
        SourceColumn("share", "dec", "Share of the line that it completes.", unit="fraction"),
        SourceColumn("completed_on", "date", "Day on which it was completed.", required=False),
    ),
    key=("deal_id", "line_no", "milestone_no"),
    rules=(RowRule("share <= 0 or share > 1", "'share ' || share || ' is not above 0 and at most 1'"),),
    references=(Reference("deal_id", KNOWN_DEALS),),
    reference_rules=(_DEAL_KNOWN, _LINE_KNOWN),
    matters="r.completed_on <= m.month_end",
)

RECOGNITION_ENTRIES = Source(
    STREAM,
    "recognition_entries",
    "What accounting recognized, one row per entry as sent.",
    (
        SourceColumn("entry_id", "id", "The entry."),
        SourceColumn("accounting_ref", "id", "The line, as accounting names it.", required=False),
        SourceColumn("customer_id", "id", "The customer, as accounting names it.", required=False),
        SourceColumn("deal_id", "id", "The deal, as accounting names it.", required=False),
        SourceColumn("line_no", "int", "Line of the deal.", required=False),
        SourceColumn("period", "month", "Service month, as the date of its first day."),
        SourceColumn("revenue_type", "enum", "Type of the revenue, as booked.", values=REVENUE_TYPES),
        SourceColumn("amount", "money", "Signed amount; the truth."),
        SourceColumn("currency", "currency", "Currency of the amount."),
        SourceColumn("posted_at", "ts", "When it was posted."),
        SourceColumn("entry_type", "enum", "Kind of entry.", values=("recognition", "adjustment", "reversal")),
        SourceColumn("reverses_entry_id", "id", "The entry that it reverses.", required=False),
        SourceColumn("obligation_id", "id", "The performance obligation, as accounting names it.", required=False),
        SourceColumn("standard", "enum", "Accounting standard.", required=False, values=("asc606", "ifrs15")),
        SourceColumn("reviewed_by", "text", "Who reviewed it.", required=False),
        SourceColumn("reviewed_at", "ts", "When it was reviewed.", required=False),
    ),
    key=("entry_id",),
    reaches=(
        earlier_postings("earlier_periods_entries", "bookings_recognition_entries"),
        Reach(
            "reversed_entries",
            "(select distinct month, reverses_entry_id from raw.bookings_recognition_entries where reverses_entry_id is not null)"
            " as c inner join raw.bookings_recognition_entries as r on c.reverses_entry_id = r.entry_id"
            " inner join {months} as m on c.month between m.month - interval 1 month and m.month + interval 1 month",
        ),
    ),
)

RECOGNITION_MAPPING = Source(
    STREAM,
    "recognition_mapping",
    "Which deal line accounting means, one row per reference and validity as sent.",
    (
        SourceColumn("accounting_ref", "id", "The line, as accounting names it."),
        SourceColumn("deal_id", "id", "The deal."),
        SourceColumn("line_no", "int", "Line of the deal."),
        SourceColumn("valid_from", "date", "First day of validity."),
        SourceColumn("valid_to", "date", "Last day of validity; open if empty.", required=False),
    ),
    key=("accounting_ref", "valid_from"),
    rules=(RowRule("valid_to < valid_from", "'valid_to ' || valid_to || ' is before valid_from ' || valid_from"),),
    references=(Reference("deal_id", KNOWN_DEALS),),
    reference_rules=(_DEAL_KNOWN, _LINE_KNOWN),
    matters="r.valid_from <= m.month_end",
)

BILLINGS = Source(
    STREAM,
    "billings",
    "Invoices and credit memos of deals, one row per document line as sent, without tax.",
    (
        SourceColumn("document_id", "id", "The document."),
        SourceColumn("document_line", "int", "Line of the document."),
        SourceColumn("document_type", "enum", "Kind of document.", values=("invoice", "credit_memo")),
        SourceColumn("deal_id", "id", "The deal."),
        SourceColumn("line_no", "int", "Line of the deal.", required=False),
        SourceColumn("amount", "money", "Signed amount."),
        SourceColumn("currency", "currency", "Currency of the amount."),
        SourceColumn("invoice_date", "date", "Date of the document."),
        SourceColumn("posted_at", "ts", "When it was posted."),
    ),
    key=("document_id", "document_line"),
    month_of="invoice_date",
    rules=(
        RowRule(
            "document_type = 'credit_memo' and amount_cents > 0",
            "'a credit memo with a positive amount of ' || amount_cents::DECIMAL(30,0) * 0.01",
        ),
    ),
    references=(Reference("deal_id", KNOWN_DEALS),),
    reference_rules=(_DEAL_KNOWN, _LINE_KNOWN),
    reaches=(earlier_postings("earlier_months_billings", "bookings_billings"),),
)

RECOGNITION_CONTROL_TOTALS = Source(
    STREAM,
    "recognition_control_totals",
    "What accounting says its entries of a period add up to, one row per period and extract as sent.",
    (
        SourceColumn("period", "month", "Service month, as the date of its first day."),
        SourceColumn("extracted_at", "ts", "When accounting counted."),
        SourceColumn("lines", "int", "Entries of the period.", unit="lines", ge=0),
        SourceColumn("amount", "money", "Sum of their amounts."),
    ),
    key=("month", "extracted_at"),
    optional=True,
)

LEDGER_BALANCES = Source(
    STREAM,
    "ledger_balances",
    "The general ledger at the end of a period, one row per account and period as sent, as positive numbers.",
    (
        SourceColumn("account", "enum", "The account.", values=("deferred_revenue", "contract_asset")),
        SourceColumn("period", "month", "Service month, as the date of its first day."),
        SourceColumn("balance", "money", "Balance of the account."),
        SourceColumn("currency", "currency", "Currency of the balance."),
        SourceColumn("posted_at", "ts", "When it was posted."),
    ),
    key=("account", "month"),
    optional=True,
)

SOURCES = (
    CUSTOMERS,
    DEAL_LINES,
    MILESTONES,
    RECOGNITION_ENTRIES,
    RECOGNITION_MAPPING,
    BILLINGS,
    RECOGNITION_CONTROL_TOTALS,
    LEDGER_BALANCES,
)
"""All sources, each behind those that its look-ups are made from."""
