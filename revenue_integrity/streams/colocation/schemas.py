"""Tables of the colocation stream from curated to mart.

Belongs here: what each table is, its key, columns, units. Does not belong here: how it is made (``curated``, ``mart``,
``risk``), raw tables (they follow from ``sources``).
"""

from functools import partial

import pandera.pandas as pa

from revenue_integrity.close.register import assumptions_table, register_table
from revenue_integrity.model import table as column
from revenue_integrity.model.table import table

_curated = partial(table, "colocation", "curated")
_mart = partial(table, "colocation", "mart")

CHARGE_TYPES = ("rack", "power", "energy", "overage", "one_time", "other")
"""What an invoice line may charge; `other` is never due."""

POWER_CHARGES = ("energy", "demand", "fixed", "tax")
"""What a power bill charges."""

STRANDED = "STRANDED"
"""The contract of power that nobody reserved."""

UNASSIGNED = "UNASSIGNED"
"""The rack of a contract without assigned racks."""


def _customer(description: str = "The customer.", *, null: bool = False) -> pa.Column:
    return column.text("customer_id", description, null=null)


def _contract(description: str = "The contract.", *, null: bool = False) -> pa.Column:
    return column.text("contract_id", description, null=null)


def _site() -> pa.Column:
    return column.text("site_id", "The site.")


def _kwh(name: str, description: str, *, null: bool = False) -> pa.Column:
    return column.decimal(name, description, unit="kWh", null=null)


def _kw(name: str, description: str) -> pa.Column:
    return column.decimal(name, description, unit="kW")


CONTRACT_TERMS = _curated(
    "contract_terms",
    "Terms in force, one row per contract, month and segment: a maximal run of days with one version in force.",
    ("month", "contract_id", "segment_from"),
    [
        column.month(),
        _contract(),
        column.day("segment_from", "First day of the segment."),
        column.day("segment_to", "Last day of the segment."),
        column.integer("version", "Version in force."),
        _customer(),
        _site(),
        column.text("pricing_model", "Whether energy is charged by the meter.", isin=("all_in", "metered")),
        column.integer("racks", "Racks contracted.", unit="racks", ge=0),
        column.decimal("reserved_kw", "Power reserved.", unit="kW", ge=0),
        column.decimal("rack_price", "Price per rack and month.", unit="currency units", ge=0),
        column.decimal("kw_price", "Price per reserved kW and month.", unit="currency units", ge=0),
        column.decimal("energy_rate", "Price per billable kWh.", unit="currency units", null=True, ge=0),
        column.decimal("pue_uplift", "Factor on metered kWh; 1 where the contract says none.", unit="factor", ge=1),
        column.decimal(
            "overage_price", "Price per kW above the reservation; no overage if empty.", unit="currency units", null=True
        ),
        column.integer("active_days", "Days of the segment.", unit="days", ge=1, le=31),
        column.integer("days_in_month", "Days of the month.", unit="days", ge=28, le=31),
    ],
)

SITES = _curated(
    "sites",
    "Sites that matter to the month, one row per site, with their present attributes.",
    ("month", "site_id"),
    [
        column.month(),
        _site(),
        column.text("site_name", "Its name."),
        column.text("region", "Its region."),
        column.text("timezone", "IANA time zone of its local day."),
        _kw("capacity_kw", "Sellable capacity."),
    ],
)

CUSTOMERS = _curated(
    "customers",
    "Customers with service in the month, one row per customer, with their present attributes.",
    ("month", "customer_id"),
    [
        column.month(),
        _customer(),
        column.text("customer_name", "Its name."),
        column.text("segment", "Market segment."),
        column.text("country", "Its country."),
        column.text("status", "Whether the customer is active."),
    ],
)

METER_DAILY = _curated(
    "meter_daily",
    "Metered usage, exactly one row per contract and local day in force, gaps estimated.",
    ("month", "contract_id", "reading_date"),
    [
        column.month(),
        _contract(),
        column.day("reading_date", "Local day of the site."),
        column.decimal("kwh", "Energy of all meters of the contract.", unit="kWh", ge=0),
        column.decimal("peak_kw", "Peak power, summed over the meters.", unit="kW", ge=0),
        column.integer("n_meters", "Meters that contribute.", unit="meters", ge=0),
        column.decimal("estimated_kwh", "The part of the energy that is estimated, by the source or here.", unit="kWh", ge=0),
        column.flag("is_estimated", "Whether any part is estimated."),
        column.flag("is_late", "Whether a winning reading arrived late."),
        column.flag("is_suspect", "Whether an actual reading is far above what its meter read before."),
    ],
)

RACK_DAILY = _curated(
    "rack_daily",
    "Racks, one row per contract and day in force.",
    ("month", "contract_id", "date"),
    [
        column.month(),
        _contract(),
        column.day("date", "The day."),
        column.integer("contracted_racks", "Racks contracted.", unit="racks", ge=0),
        column.integer("assigned_racks", "Racks assigned.", unit="racks", ge=0),
        column.decimal("rated_kw", "Rated power of the assigned racks.", unit="kW", ge=0),
    ],
)

POWER_BILLS = _curated(
    "power_bills",
    "The bill that counts, one row per site and month; an accrual where a site with service has none.",
    ("month", "site_id"),
    [
        column.month(),
        _site(),
        column.integer("bill_version", "Version of the bill; empty for an accrual.", null=True),
        column.text("status", "Whether the bill is final; empty for an accrual.", null=True, isin=("estimated", "final")),
        _kwh("kwh", "Energy billed; empty for an accrual.", null=True),
        column.money("energy_cents", "Energy charge."),
        column.money("demand_cents", "Demand charge."),
        column.money("fixed_cents", "Fixed charge."),
        column.money("tax_cents", "Tax."),
        column.money("total_cents", "Sum of the four charges."),
        column.flag("is_accrued", "Whether it is an accrual made here."),
        column.flag("no_bill_history", "Whether the accrual had no earlier final bill to rest on."),
    ],
)

INVOICE_LINES = _curated(
    "invoice_lines",
    "ERP invoice lines, one row per accepted line, with the customer and contract that it resolves to.",
    ("month", "document_id", "line_no"),
    [
        column.month(),
        column.text("document_id", "The document."),
        column.integer("line_no", "Line of the document."),
        column.text("document_type", "Kind of document.", isin=("invoice", "credit_memo")),
        column.text("erp_customer_code", "Customer code of the ERP."),
        column.text("erp_contract_ref", "Contract reference of the ERP.", null=True),
        _customer("The customer that the code maps to; empty if none or several.", null=True),
        _contract("The contract that the line maps to; empty if none.", null=True),
        column.text("owner_id", "The customer to whom the line counts: that of the code, else that of the contract.", null=True),
        column.text("mapping_status", "How the contract was found.", isin=("mapped", "by_reference", "unmapped")),
        column.text("charge_type", "What is charged.", isin=CHARGE_TYPES),
        column.decimal("quantity", "Quantity billed, proration included.", unit="per charge type"),
        column.decimal("unit_price", "Price per full unit.", unit="currency units"),
        column.money("amount_cents", "Signed amount."),
        column.day("invoice_date", "Date of the document."),
        column.instant("posted_at", "When it was posted in the ERP."),
        column.text("corrects_document_id", "The document that it corrects.", null=True),
        column.flag("late", "Whether it was posted after the month's cutoff."),
        column.text("batch_id", "The batch that brought the line."),
    ],
    content_excludes=("batch_id",),
)

POWER_COST_LINES = _curated(
    "power_cost_lines",
    "What accounting booked for power, one row per accepted document line.",
    ("month", "document_id", "line_no"),
    [
        column.month(),
        column.text("document_id", "The document."),
        column.integer("line_no", "Line of the document."),
        column.text("document_type", "Kind of booking.", isin=("accrual", "bill", "reversal")),
        column.text("site_id", "The site that was supplied."),
        column.money("amount_cents", "Signed amount."),
        column.instant("posted_at", "When it was posted in the ERP."),
        column.flag("late", "Whether it was posted after the month's cutoff."),
        column.text("batch_id", "The batch that brought the line."),
    ],
    content_excludes=("batch_id",),
)

EXPECTED_CHARGES = _mart(
    "expected_charges",
    "What the contract says is owed, one row per contract, month, charge type and segment; a charge of 0 cents makes no row.",
    ("month", "contract_id", "charge_type", "segment_from"),
    [
        column.month(),
        _customer(),
        _contract(),
        column.text("charge_type", "What is charged.", isin=CHARGE_TYPES),
        column.integer("version", "Contract version that it rests on."),
        column.day("segment_from", "First day that it covers."),
        column.day("segment_to", "Last day that it covers."),
        column.decimal("quantity", "Quantity, proration included.", unit="racks, kW, kWh or fees"),
        column.decimal("unit_price", "Price per full unit.", unit="currency units"),
        column.money("amount_cents", "Amount owed, rounded once."),
    ],
)

CONTRACT_USAGE = _mart(
    "contract_usage",
    "Days and usage that the month's contract figures rest on, one row per contract with service.",
    ("month", "contract_id"),
    [
        column.month(),
        _contract(),
        _customer(),
        _site(),
        column.integer("active_days", "Days in force.", unit="days", ge=1, le=31),
        column.integer("rack_days", "Racks contracted, summed over days.", unit="rack-days", ge=0),
        column.decimal("reserved_kw_days", "Power reserved, summed over days.", unit="kW-days", ge=0),
        column.integer("assigned_rack_days", "Racks assigned, summed over days.", unit="rack-days", ge=0),
        _kwh("used_kwh", "Energy drawn, estimates included."),
        column.decimal("squared_kwh", "Sum of the squares of daily energy.", unit="kWh²", places=12, digits=38),
        _kw("peak_kw", "Highest daily peak."),
        _kwh("estimated_kwh", "The part that is estimated."),
        column.flag("has_estimates", "Whether any day is estimated."),
        column.flag("has_late_reads", "Whether any day rests on a late reading."),
        column.flag("amended_in_month", "Whether an accepted version other than `new` takes effect in the month."),
        column.money("mrr_cents", "Run-rate of racks and reserved power on the month's last day."),
    ],
)


def _kwh_sum(name: str, description: str) -> pa.Column:
    return column.decimal(name, description, unit="kWh", digits=38)


USAGE_MONTH = _mart(
    "usage_month",
    "How much of the month's usage is estimated, late or suspect, one row per month.",
    ("month",),
    [
        column.month(),
        column.integer("contract_days", "Days in force of all contracts.", unit="days"),
        _kwh_sum("kwh", "Energy drawn."),
        column.integer("estimated_days", "Contract-days with an estimated part.", unit="days"),
        _kwh_sum("estimated_kwh", "Energy that is estimated."),
        column.integer("late_days", "Contract-days with a late reading.", unit="days"),
        _kwh_sum("late_kwh", "Energy of days with a late reading."),
        column.integer("suspect_days", "Contract-days with a suspect reading.", unit="days"),
        _kwh_sum("suspect_kwh", "Energy of days with a suspect reading."),
    ],
)

POWER_ALLOCATION = _mart(
    "power_allocation",
    "Power cost, one row per month, site, contract with service there (and STRANDED) and charge, also when 0.",
    ("month", "site_id", "contract_id", "charge"),
    [
        column.month(),
        _site(),
        _contract(f"The contract, or {STRANDED} for what nobody reserved."),
        column.text("charge", "Charge of the power bill.", isin=POWER_CHARGES),
        column.money("amount_cents", "Share of the charge."),
    ],
)

CONTRACT_MONTH = _mart(
    "contract_month",
    "The primary table: usage, revenue, power cost and margin, one row per month, customer and contract with service.",
    ("month", "contract_id"),
    [
        column.month(),
        _customer(),
        _contract(),
        _site(),
        column.integer("active_days", "Days in force.", unit="days", ge=1, le=31),
        column.integer("rack_days", "Racks contracted, summed over days.", unit="rack-days", ge=0),
        column.decimal("reserved_kw_days", "Power reserved, summed over days.", unit="kW-days", ge=0),
        column.decimal("contracted_racks", "Racks contracted, mean over days in force.", unit="racks"),
        _kw("contracted_kw", "Power reserved, mean over days in force."),
        column.decimal("assigned_racks", "Racks assigned, mean over days in force.", unit="racks"),
        column.ratio("rack_utilization", "Assigned over contracted racks."),
        _kwh("used_kwh", "Energy drawn, estimates included."),
        _kw("avg_kw", "Mean draw: kWh / 24 / days in force."),
        _kw("peak_kw", "Highest daily peak."),
        column.ratio("load_factor", "Mean draw over peak."),
        column.ratio("usage_cv", "Volatility: population standard deviation of daily kWh over their mean."),
        column.ratio("power_utilization", "Mean draw over power reserved."),
        column.ratio("estimated_share", "Share of the energy that is estimated."),
        *(column.money(f"revenue_{charge}_cents", f"Expected {charge} charges.") for charge in CHARGE_TYPES[:-1]),
        column.money("revenue_cents", "Contractual revenue: all expected charges."),
        column.money("mrr_cents", "Run-rate of racks and reserved power on the month's last day."),
        *(column.money(f"cost_{charge}_cents", f"Allocated {charge} charge of the power bill.") for charge in POWER_CHARGES),
        column.money("power_cost_cents", "All allocated power cost."),
        column.money("margin_cents", "Revenue less power cost."),
        column.ratio("margin_pct", "Margin over revenue."),
        column.flag("has_estimates", "Whether any day is estimated."),
        column.flag("has_late_reads", "Whether any day rests on a late reading."),
        column.flag("bill_is_accrued", "Whether the site's power bill is an accrual."),
        column.flag("amended_in_month", "Whether an accepted version other than `new` takes effect in the month."),
    ],
)

SITE_MONTH = _mart(
    "site_month",
    "Sites, one row per site with service or a bill.",
    ("month", "site_id"),
    [
        column.month(),
        _site(),
        _kwh("billed_kwh", "Energy billed.", null=True),
        _kwh("metered_kwh", "Energy metered, estimates included."),
        column.ratio("pue", "Billed over metered energy; below 1 the meters exceed the bill.", unit="factor"),
        _kw("reserved_kw", "Power reserved: kW-days over days of the month."),
        _kw("capacity_kw", "Sellable capacity."),
        column.ratio("sold_share", "Power reserved over capacity."),
        column.money("billed_cents", "Power bill or accrual."),
        column.money("stranded_cents", "Power cost that nobody reserved."),
        column.ratio("effective_rate", "Power cost per metered kWh.", unit="cents per kWh"),
        column.money("margin_cents", "Margins of its contracts less stranded cost."),
        column.flag("is_accrued", "Whether the power bill is an accrual."),
    ],
)

CUSTOMER_MONTH = _mart(
    "customer_month",
    "Customers, one row per customer with service in the month, with the movement of its MRR.",
    ("month", "customer_id"),
    [
        column.month(),
        _customer(),
        column.integer("contracts", "Contracts with service.", unit="contracts", ge=1),
        _kwh("used_kwh", "Energy drawn."),
        column.money("revenue_cents", "Contractual revenue."),
        column.money("mrr_cents", "Run-rate on the month's last day."),
        column.money("power_cost_cents", "Power cost."),
        column.money("margin_cents", "Revenue less power cost."),
        column.ratio("margin_pct", "Margin over revenue."),
        column.money("mrr_movement_cents", "Closing less opening MRR."),
    ],
)

RACK_MONTH = _mart(
    "rack_month",
    "Racks, one row per contract and rack assigned in the month; UNASSIGNED where the contract has none.",
    ("month", "contract_id", "rack_id"),
    [
        column.month(),
        _contract(),
        column.text("rack_id", f"The rack, or {UNASSIGNED}."),
        _site(),
        column.decimal("rated_kw_days", "Rated power times days assigned.", unit="kW-days"),
        column.money("revenue_cents", "Share of the contract's revenue."),
        column.money("power_cost_cents", "Share of the contract's power cost."),
        column.money("margin_cents", "Revenue less power cost."),
    ],
)

_MOVEMENTS = [
    column.money("opening_cents", "MRR at the end of the month before.", ge=0),
    column.money("new_cents", "MRR of customers that never had any.", ge=0),
    column.money("reactivation_cents", "MRR of customers that had some once, but not at the opening.", ge=0),
    column.money("expansion_cents", "Increase of customers that stay.", ge=0),
    column.money("contraction_cents", "Decrease of customers that stay.", ge=0),
    column.money("churn_cents", "MRR of customers that have none any more.", ge=0),
    column.money("closing_cents", "MRR at the end of the month.", ge=0),
]

MRR_MOVEMENTS = _mart(
    "mrr_movements",
    "MRR bridge, one row per customer and month whose opening or closing is not 0.",
    ("month", "customer_id"),
    [column.month(), _customer(), *_MOVEMENTS],
)

MRR_SUMMARY = _mart(
    "mrr_summary",
    "MRR bridge of all customers, one row per month.",
    ("month",),
    [
        column.month(),
        *_MOVEMENTS,
        column.ratio("gross_retention", "Opening less contraction and churn, over opening."),
        column.ratio("net_retention", "Opening with expansion, less contraction and churn, over opening."),
    ],
)

MARGIN_BRIDGE = _mart(
    "margin_bridge",
    "Why the margin moved, one row per contract with service in this month or the one before.",
    ("month", "contract_id"),
    [
        column.month(),
        _customer(),
        _contract(),
        _site(),
        column.money("opening_margin_cents", "Margin of the month before."),
        column.money("revenue_effect_cents", "Change of revenue."),
        column.money("usage_effect_cents", "Change of energy at last month's power cost per kWh, with reversed sign."),
        column.money("rate_effect_cents", "The rest of the change of power cost, with reversed sign."),
        column.money("closing_margin_cents", "Margin of this month."),
    ],
)

CONTRACT_RISK = _mart(
    "contract_risk",
    "Margin under the contract's own history and under stress, one row per contract with service.",
    ("month", "contract_id"),
    [
        column.month(),
        _contract(),
        column.integer("risk_months", "Months of history.", unit="months", ge=0),
        *(
            column.money(name, text, null=True)
            for name, text in {
                "expected_margin_cents": "Mean margin over the history, replayed on this month's terms.",
                "margin_p5_cents": "Margin at the 5th percentile.",
                "margin_at_risk_cents": "Mean less percentile.",
                "margin_worst_cents": "Worst month.",
                "risk_weighted_margin_cents": "Mean less risk aversion times margin at risk.",
            }.items()
        ),
        column.ratio("breakeven_rate", "Power cost per kWh at which the margin is zero.", unit="cents per kWh"),
        column.ratio("breakeven_utilization", "Utilization at which an all-in contract's margin is zero."),
        *(
            column.money(name, text, null=True)
            for name, text in {
                "stress_price_cents": "Margin with the price of power up by half.",
                "stress_worst_rate_cents": "Margin at the worst rate of the history.",
                "stress_full_cents": "Margin at full load.",
            }.items()
        ),
    ],
)

METRIC_REGISTER = register_table("colocation")

ASSUMPTIONS = assumptions_table("colocation")
