"""The ten sources of colocation: what each must look like, and when a row of it is bad.

Belongs here: declarations. Does not belong here: how files are read and versions resolved (``landing``), curated tables.
"""

from revenue_integrity.model.postings import earlier_postings
from revenue_integrity.model.query import read_sql
from revenue_integrity.model.source import (
    Anchor,
    DayFacts,
    Lookup,
    Reach,
    Reference,
    RowRule,
    Source,
    SourceColumn,
    Starts,
    Versions,
)

_PACKAGE = "revenue_integrity.streams.colocation"

KNOWN_CUSTOMERS = Lookup("known_customers", "customer_id", ("customers",), read_sql(_PACKAGE, "raw/known_customers"))
KNOWN_SITES = Lookup("known_sites", "site_id", ("sites",), read_sql(_PACKAGE, "raw/known_sites"))
CONTRACTS = Lookup("contracts", "contract_id", ("contract_versions",), read_sql(_PACKAGE, "raw/contracts"))

DAY_LENGTHS = DayFacts("day_lengths", ("site_id", "reading_date"), read_sql(_PACKAGE, "raw/day_lengths"))

_CUSTOMER_KNOWN = RowRule("known_customers.customer_id is null", "'customer ' || r.customer_id || ' is unknown'")
_SITE_KNOWN = RowRule("known_sites.site_id is null", "'site ' || r.site_id || ' is unknown'")
_CONTRACT_KNOWN = RowRule("contracts.contract_id is null", "'contract ' || r.contract_id || ' is unknown'")


def _in_order(start: str, end: str) -> RowRule:
    return RowRule(f"{end} < {start}", f"'{end} ' || {end} || ' is before {start} ' || {start}")


CUSTOMERS = Source(
    "colocation",
    "customers",
    "Customers of the data centres, one row per customer as sent.",
    (
        SourceColumn("customer_id", "id", "The customer."),
        SourceColumn("customer_name", "text", "Its name."),
        SourceColumn("segment", "enum", "Market segment.", values=("enterprise", "wholesale", "retail")),
        SourceColumn("country", "text", "Country of the customer."),
        SourceColumn("status", "enum", "Whether the customer is active.", values=("active", "closed")),
    ),
    key=("customer_id",),
    matters=(
        "exists (select 1 from raw.contract_versions as versions"
        " where versions.customer_id = r.customer_id and versions.effective_from <= m.month_end)"
    ),
    matters_reads=("contract_versions",),
    bare=True,
)

SITES = Source(
    "colocation",
    "sites",
    "Data centre sites, one row per site as sent.",
    (
        SourceColumn("site_id", "id", "The site."),
        SourceColumn("site_name", "text", "Its name."),
        SourceColumn("region", "text", "Region of the site."),
        SourceColumn("timezone", "timezone", "IANA time zone of its local day."),
        SourceColumn("capacity_kw", "dec", "Sellable IT capacity; redundant feeds are not counted twice.", unit="kW", ge=0),
    ),
    key=("site_id",),
    matters=(
        "exists (select 1 from raw.contract_versions as versions"
        " where versions.site_id = r.site_id and versions.effective_from <= m.month_end)"
        " or exists (select 1 from raw.power_bills as bills where bills.site_id = r.site_id and bills.month = m.month)"
        " or exists (select 1 from raw.erp_power_costs as costs where costs.site_id = r.site_id and costs.month = m.month)"
    ),
    matters_reads=("contract_versions", "power_bills", "erp_power_costs"),
    bare=True,
)

CONTRACT_VERSIONS = Source(
    "colocation",
    "contract_versions",
    "Contract terms, one row per contract version as sent.",
    (
        SourceColumn("contract_id", "id", "The contract."),
        SourceColumn("version", "int", "Number of the version; the highest that covers a day is in force."),
        SourceColumn("customer_id", "id", "The customer of the contract."),
        SourceColumn("site_id", "id", "The site of the contract."),
        SourceColumn("effective_from", "date", "First day that the version covers."),
        SourceColumn("effective_to", "date", "Last day that the version covers; open if empty.", required=False),
        SourceColumn("status", "enum", "Whether there is service under the version.", values=("active", "terminated")),
        SourceColumn("pricing_model", "enum", "Whether energy is charged by the meter.", values=("all_in", "metered")),
        SourceColumn("racks", "int", "Racks contracted.", unit="racks", ge=0),
        SourceColumn("reserved_kw", "dec", "Power reserved.", unit="kW", ge=0),
        SourceColumn("rack_price", "dec", "Price per rack and month.", unit="currency units", ge=0),
        SourceColumn("kw_price", "dec", "Price per reserved kW and month.", unit="currency units", ge=0),
        SourceColumn(
            "energy_rate", "dec", "Price per billable kWh; required when metered.", required=False, unit="currency units", ge=0
        ),
        SourceColumn("pue_uplift", "dec", "Factor on metered kWh; 1 if empty.", required=False, unit="factor", ge=1),
        SourceColumn(
            "overage_price",
            "dec",
            "Price per kW above the reservation; no overage if empty.",
            required=False,
            unit="currency units",
            ge=0,
        ),
        SourceColumn("one_time_fee", "money", "Fee charged once, at the start.", required=False, unit="cents", ge=0),
        SourceColumn(
            "amendment_type",
            "enum",
            "What the version changes.",
            values=("new", "upsell", "downsell", "renewal", "escalation", "correction", "termination"),
        ),
        SourceColumn("signed_on", "date", "Day of signature."),
    ),
    key=("contract_id", "version"),
    rules=(
        _in_order("effective_from", "effective_to"),
        RowRule("pricing_model = 'metered' and energy_rate is null", "'metered without energy_rate'"),
    ),
    references=(Reference("customer_id", KNOWN_CUSTOMERS), Reference("site_id", KNOWN_SITES)),
    reference_rules=(_CUSTOMER_KNOWN, _SITE_KNOWN),
    anchor=Anchor(
        group="contract_id",
        fixed=("customer_id", "site_id"),
        order=("arrival", "version", "file_name", "row_number"),
        reason=(
            "'customer or site of the contract changed: ' || r.customer_id || ' at ' || r.site_id || ', but its first accepted"
            " version has ' || anchor.customer_id || ' at ' || anchor.site_id"
        ),
    ),
    matters=(
        "r.effective_from <= m.month_end or exists (select 1 from raw.erp_invoices as lines"
        " where lines.month = m.month and lines.erp_contract_ref = r.contract_id)"
    ),
    matters_reads=("erp_invoices",),
    bare=True,
)

RACK_ASSIGNMENTS = Source(
    "colocation",
    "rack_assignments",
    "Racks assigned to contracts, one row per assignment as sent.",
    (
        SourceColumn("site_id", "id", "Site of the rack."),
        SourceColumn("rack_id", "id", "The rack."),
        SourceColumn("contract_id", "id", "The contract that uses it."),
        SourceColumn("installed_on", "date", "First day of use."),
        SourceColumn("removed_on", "date", "Last day of use; open if empty.", required=False),
        SourceColumn("rated_kw", "dec", "Rated power of the rack.", unit="kW", ge=0),
    ),
    key=("site_id", "rack_id", "contract_id", "installed_on"),
    rules=(_in_order("installed_on", "removed_on"),),
    references=(Reference("contract_id", CONTRACTS), Reference("site_id", KNOWN_SITES)),
    reference_rules=(_CONTRACT_KNOWN, _SITE_KNOWN),
    matters="r.installed_on <= m.month_end and (r.removed_on is null or r.removed_on >= m.month)",
    bare=True,
)

METER_READINGS = Source(
    "colocation",
    "meter_readings",
    "Meter readings, one row per meter and local day as sent.",
    (
        SourceColumn("meter_id", "id", "The meter."),
        SourceColumn("contract_id", "id", "The contract whose load it measures."),
        SourceColumn("site_id", "id", "Site of the meter."),
        SourceColumn("reading_date", "date", "Local day of the site."),
        SourceColumn("kwh", "dec", "Energy of the day.", unit="kWh", ge=0),
        SourceColumn("peak_kw", "dec", "Peak load of the day.", unit="kW", ge=0),
        SourceColumn(
            "read_type",
            "enum",
            "How the value came about; final is a substitution that no reading replaces, and counts as an actual.",
            values=("actual", "estimated", "final"),
        ),
    ),
    key=("meter_id", "reading_date"),
    versions=Versions(within=("read_type",), prefer="case read_type when 'final' then 2 when 'actual' then 1 else 0 end"),
    month_of="reading_date",
    references=(Reference("contract_id", CONTRACTS), Reference("site_id", KNOWN_SITES)),
    day_facts=DAY_LENGTHS,
    reference_rules=(
        _CONTRACT_KNOWN,
        _SITE_KNOWN,
        RowRule(
            "r.site_id <> contracts.site_id",
            "'contract ' || r.contract_id || ' is at site ' || contracts.site_id || ', not at ' || r.site_id",
        ),
        RowRule(
            "contracts.contract_id is not null and ("
            "contracts.service_from is null"
            " or r.reading_date not between contracts.service_from and contracts.service_to"
            " or (contracts.gaps is not null and len(list_filter("
            "contracts.gaps, lambda gap: r.reading_date between gap.gap_from and gap.gap_to)) > 0))",
            "'contract ' || r.contract_id || ' has no service on ' || r.reading_date",
        ),
        RowRule(
            # Both are widened first: a product of 18 digits overflows.
            "cast(r.kwh as DECIMAL(28,6)) * 3600 > cast(r.peak_kw as DECIMAL(28,6)) * day_lengths.seconds",
            "'kwh ' || r.kwh || ' is above peak_kw ' || r.peak_kw || ' x the ' || format('{:g}', day_lengths.seconds / 3600)"
            " || ' hours of the day'",
        ),
    ),
    starts=Starts("meter_starts", ("meter_id", "contract_id"), "reading_date"),
    bare=True,
)

POWER_BILLS = Source(
    "colocation",
    "power_bills",
    "Power bills, one row per site, utility account, service month and bill version as sent.",
    (
        SourceColumn("bill_id", "id", "The bill."),
        SourceColumn("site_id", "id", "The site that was supplied."),
        SourceColumn(
            "account_id",
            "id",
            "The account with the utility, where a site has several: their bills add up, and none replaces another's.",
            required=False,
            default="MAIN",
        ),
        SourceColumn("service_month", "month", "Service month, as the date of its first day."),
        SourceColumn("bill_version", "int", "Version of the bill; the highest wins."),
        SourceColumn("status", "enum", "Whether the supplier read or estimated.", values=("estimated", "final")),
        SourceColumn("kwh", "dec", "Energy billed.", unit="kWh"),
        SourceColumn("energy_charge", "money", "Charge for energy.", unit="cents"),
        SourceColumn("demand_charge", "money", "Charge for demand.", unit="cents"),
        SourceColumn("fixed_charge", "money", "Fixed charge.", unit="cents"),
        SourceColumn("tax", "money", "Taxes.", unit="cents"),
        SourceColumn("total", "money", "Total of the bill.", unit="cents"),
        SourceColumn("currency", "currency", "Currency of the charges."),
        SourceColumn("issued_on", "date", "Day of issue."),
    ),
    key=("site_id", "account_id", "month"),
    versions=Versions(within=("bill_version",), prefer="bill_version"),
    rules=(
        RowRule(
            "energy_charge_cents::hugeint + demand_charge_cents + fixed_charge_cents + tax_cents <> total_cents",
            "'the four charges add up to ' || (energy_charge_cents::DECIMAL(30,0) + demand_charge_cents + fixed_charge_cents"
            " + tax_cents) * 0.01 || ', not to the total of ' || total_cents::DECIMAL(30,0) * 0.01",
        ),
    ),
    references=(Reference("site_id", KNOWN_SITES),),
    reference_rules=(_SITE_KNOWN,),
    bare=True,
)

ERP_INVOICES = Source(
    "colocation",
    "erp_invoices",
    "Invoice lines of the ERP, one row per document line as sent.",
    (
        SourceColumn("document_id", "id", "The document."),
        SourceColumn("line_no", "int", "Line of the document."),
        SourceColumn("document_type", "enum", "Kind of document.", values=("invoice", "credit_memo")),
        SourceColumn("erp_customer_code", "id", "The customer, as the ERP names it."),
        SourceColumn("erp_contract_ref", "id", "The contract, as the ERP names it.", required=False),
        SourceColumn("service_month", "month", "Service month, as the date of its first day."),
        SourceColumn(
            "charge_type",
            "enum",
            "What is charged.",
            values=("rack", "power", "energy", "overage", "one_time", "other"),
        ),
        SourceColumn("quantity", "dec", "Quantity, proration included.", unit="units"),
        SourceColumn("unit_price", "dec", "Price per full unit.", unit="currency units"),
        SourceColumn("amount", "money", "Signed amount; the truth that quantity and price explain.", unit="cents"),
        SourceColumn("currency", "currency", "Currency of the amount."),
        SourceColumn("invoice_date", "date", "Date of the document."),
        SourceColumn("posted_at", "ts", "When it was posted in the ERP."),
        SourceColumn("corrects_document_id", "id", "The document that it corrects.", required=False),
    ),
    key=("document_id", "line_no"),
    reaches=(
        earlier_postings("earlier_months_postings", "erp_invoices"),
        Reach(
            "corrected_documents",
            "(select distinct month, corrects_document_id from raw.erp_invoices where corrects_document_id is not null) as c"
            " inner join raw.erp_invoices as r on c.corrects_document_id = r.document_id"
            " inner join {months} as m on c.month between m.month - interval 1 month and m.month + interval 1 month",
        ),
    ),
    rules=(
        RowRule(
            "document_type = 'credit_memo' and amount_cents > 0",
            "'a credit memo with a positive amount of ' || amount_cents::DECIMAL(30,0) * 0.01",
        ),
    ),
    bare=True,
)

ERP_MAPPING = Source(
    "colocation",
    "erp_mapping",
    "Which contract the ERP means, one row per code, reference and validity as sent.",
    (
        SourceColumn("erp_customer_code", "id", "The customer, as the ERP names it."),
        SourceColumn("customer_id", "id", "The customer."),
        SourceColumn("erp_contract_ref", "id", "The contract, as the ERP names it."),
        SourceColumn("contract_id", "id", "The contract."),
        SourceColumn("valid_from", "date", "First day of validity."),
        SourceColumn("valid_to", "date", "Last day of validity; open if empty.", required=False),
    ),
    key=("erp_customer_code", "erp_contract_ref", "valid_from"),
    rules=(_in_order("valid_from", "valid_to"),),
    references=(Reference("contract_id", CONTRACTS), Reference("customer_id", KNOWN_CUSTOMERS)),
    reference_rules=(
        _CONTRACT_KNOWN,
        _CUSTOMER_KNOWN,
        RowRule(
            "r.customer_id <> contracts.customer_id",
            "'contract ' || r.contract_id || ' is of customer ' || contracts.customer_id || ', not of ' || r.customer_id",
        ),
    ),
    matters="r.valid_from <= m.month_end",
    bare=True,
)

ERP_CONTROL_TOTALS = Source(
    "colocation",
    "erp_control_totals",
    "What the ERP says its invoice lines of a month add up to, one row per month and extract as sent.",
    (
        SourceColumn("service_month", "month", "Service month, as the date of its first day."),
        SourceColumn("extracted_at", "ts", "When the ERP counted."),
        SourceColumn("lines", "int", "Invoice lines of the month.", unit="lines", ge=0),
        SourceColumn("amount", "money", "Sum of their amounts.", unit="cents"),
    ),
    key=("month", "extracted_at"),
    optional=True,
    bare=True,
)

ERP_POWER_COSTS = Source(
    "colocation",
    "erp_power_costs",
    "What accounting booked for power, one row per document line as sent.",
    (
        SourceColumn("document_id", "id", "The document."),
        SourceColumn("line_no", "int", "Line of the document."),
        SourceColumn("document_type", "enum", "Kind of booking.", values=("accrual", "bill", "reversal")),
        SourceColumn("site_id", "id", "The site that was supplied."),
        SourceColumn("service_month", "month", "Service month, as the date of its first day."),
        SourceColumn("amount", "money", "Signed amount.", unit="cents"),
        SourceColumn("currency", "currency", "Currency of the amount."),
        SourceColumn("posted_at", "ts", "When it was posted in the ERP."),
    ),
    key=("document_id", "line_no"),
    references=(Reference("site_id", KNOWN_SITES),),
    reference_rules=(_SITE_KNOWN,),
    bare=True,
)

SOURCES = (
    CUSTOMERS,
    SITES,
    CONTRACT_VERSIONS,
    RACK_ASSIGNMENTS,
    METER_READINGS,
    POWER_BILLS,
    ERP_INVOICES,
    ERP_MAPPING,
    ERP_CONTROL_TOTALS,
    ERP_POWER_COSTS,
)
"""All sources, each behind those that its look-ups are made from."""
