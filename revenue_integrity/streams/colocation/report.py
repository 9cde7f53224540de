"""What the stream shows in a close pack: the view *Revenue & Margin Overview*, its sheets, its part of the controls.

Belongs here: the declaration of the report. Does not belong here: making its rows (``report_rows``), how it looks (``reports``).
"""

from revenue_integrity import wording
from revenue_integrity.model.report import (
    INDEX,
    Card,
    Chart,
    Column,
    Headline,
    Kpi,
    Listing,
    MonthFigure,
    Published,
    Report,
    Section,
    Sentence,
    Trend,
    View,
    added_up,
    bad_below_zero,
    measured,
    share_of,
    total,
)
from revenue_integrity.reports import registers
from revenue_integrity.reports.reconciling import bridge_listing, explained_kpi, variance_kpi
from revenue_integrity.streams.colocation import report_earnings as earnings
from revenue_integrity.streams.colocation import report_rows as rows
from revenue_integrity.streams.colocation.figures import LATE_CENTS, MARGIN, POWER_COST, REVENUE
from revenue_integrity.streams.colocation.recon import CHARGES, RECONCILIATIONS
from revenue_integrity.streams.colocation.schemas import POWER_CHARGES

MRR = MonthFigure("mrr_cents", "Closing MRR", "mrr_summary", ("closing_cents",))
_AT_CLOSE = {"recon": CHARGES, "view": "as_of_close"}


def _margin_note(published: Published) -> str:
    return f"{wording.percent(share_of(measured(MARGIN, published), measured(REVENUE, published)))} of revenue"


def _retention(published: Published) -> str:
    summary = published.table("mrr_summary")
    if summary is None or summary.empty:
        return ""
    row = summary.iloc[0]
    return f"net retention {wording.percent(row['net_retention'])}, gross {wording.percent(row['gross_retention'])}"


def _stranded_note(published: Published) -> str:
    return f"{wording.percent(share_of(rows.stranded(published), rows.billed(published)))} of what utilities billed"


def _expected_note(published: Published) -> str:
    worst = published.currency.compact(rows.risk("worst month")(published))
    return f"{worst} in the worst month; {rows.contracts_with_history(published)[0]} contracts"


def _history(published: Published) -> str:
    known, without = rows.contracts_with_history(published)
    if not known:
        return ""
    return f"Contracts shown: {known:,}. With less than 6 months of history, left out of every bar: {without:,}."


def _late_note(published: Published) -> str:
    frame = published.rows(rows.late_lines)
    return "" if frame is None else f"after the cutoff, lines: {len(frame):,}"


def _mrr(published: Published) -> int | None:
    summary = published.table("mrr_summary")
    return None if summary is None or summary.empty else int(total(summary, "closing_cents"))


TILES = (
    Kpi("Contractual revenue", REVENUE, change=True),
    Kpi("Power cost", POWER_COST, change=True),
    Kpi("Margin after power", MARGIN, note=_margin_note, change=True, tone=bad_below_zero),
    Kpi("Closing MRR", _mrr, note=_retention),
    Kpi("Stranded power", rows.stranded, note=_stranded_note),
    Kpi("Expected margin", rows.risk("expected"), note=_expected_note, tone=bad_below_zero),
)

_STEP, _AMOUNT = Column("step", "Step", "words"), Column("amount_cents", "Amount", "cents")
_PER_MONTH = (
    Column("revenue_cents", "Revenue", "cents", whole=True),
    Column("power_cost_cents", "Power cost", "cents", whole=True),
    Column("margin_cents", "Margin", "cents", whole=True),
)

MRR_STEPS = Listing(
    "MRR movements",
    rows.mrr_steps,
    (_STEP, _AMOUNT),
    note="Contraction and churn are shown as what they take away.",
    first=0,
    sums="is_sum",
)

SITES = Listing(
    "Sites",
    rows.sites,
    (
        Column("site", "Site", badge="badge"),
        Column("pue", "PUE", "decimal", places=2),
        Column("sold_share", "Sold", "share"),
        Column("effective_rate", "Rate, cents/kWh", "decimal", places=2),
        Column("billed_cents", "Billed", "cents", whole=True),
        Column("stranded_cents", "Stranded", "cents", whole=True),
        Column("margin_cents", "Margin", "cents", whole=True),
    ),
    note="PUE is billed over metered kWh; stranded is what nobody reserved. Whole units of the currency.",
    order=("site_id",),
    first=0,
)

FIGURES_BY_MONTH = Listing(
    "Figures by month", rows.months, (Column("month", "Month", "month"), *_PER_MONTH), order=("-month",), first=0, collapsed=True
)

MARGIN_STEPS = Listing(
    "What moved the margin",
    rows.margin_steps,
    (_STEP, _AMOUNT),
    note="Whether revenue, usage or the price of power moved the margin since the month before.",
    first=0,
    sums="is_sum",
    absent="Not available: it compares with the month before.",
)

CUSTOMERS = Listing(
    "Customers",
    rows.customers,
    (
        Column("customer_id", "Customer", width=14, on="sheet"),
        Column("customer_name", "Customer name", width=32, on="sheet"),
        Column("shown", "Customer", on="page"),
        Column("contracts", "Contracts", "integer", total=True, on="sheet"),
        Column("used_kwh", "Used, kWh", "decimal", total=True, on="sheet"),
        Column("mrr_cents", "MRR", "cents", total=True, on="sheet"),
        Column("revenue_cents", "Revenue", "cents", total=True, whole=True),
        Column("power_cost_cents", "Power cost", "cents", total=True, whole=True),
        Column("margin_cents", "Margin", "cents", total=True, whole=True),
        Column("margin_pct", "Margin, % of revenue", "share", share=("margin_cents", "revenue_cents")),
        Column("mrr_movement_cents", "MRR movement", "cents", total=True, on="sheet"),
    ),
    note="Contractual revenue less allocated power cost; the largest margin first",
    sheet="Margin by customer",
    what="customers",
    first=10,
)

LOSING = Listing(
    "Customers that lose the most",
    rows.losing,
    (Column("shown", "Customer"), *_PER_MONTH),
    what="customers",
    collapsed=True,
)

_MARGIN_BY = (
    Column("revenue_cents", "Revenue", "cents", whole=True),
    Column("power_cost_cents", "Power cost", "cents", whole=True),
    Column("margin_cents", "Margin", "cents", whole=True),
    Column("margin_pct", "Margin, % of revenue", "share"),
)
_CONTRACT = (Column("contract_id", "Contract", "name"), Column("customer", "Customer"))
_RACK = (Column("rack_id", "Rack", "name"), *_CONTRACT)
_USED = (
    Column("contracts", "Contracts", "integer"),
    Column("contracted_kw", "Contracted kW", "decimal", places=0),
    Column("used_kw", "Used kW", "decimal", places=0),
    Column("power_utilization", "Power used", "share"),
    Column("contracted_racks", "Contracted racks", "decimal", places=1),
    Column("assigned_racks", "Assigned racks", "decimal", places=1),
    Column("rack_utilization", "Racks assigned", "share"),
    Column("margin_cents", "Margin", "cents", whole=True),
)

USED_BY_SITE = Listing(
    "Contracted and used by site",
    earnings.usage_by("site"),
    (Column("site", "Site"), *_USED),
    note="Means over the month. What is contracted earns rent whether it is used or not; what is used costs power.",
    first=0,
)

USED_BY_CUSTOMER = Listing(
    "Contracted and used by customer",
    earnings.usage_by("customer"),
    (Column("customer", "Customer"), *_USED),
    note="The largest reservation first. Means over the month.",
    what="customers",
    first=10,
)

BEST = Listing("Contracts that earn most", earnings.best, (*_CONTRACT, *_MARGIN_BY), what="contracts", first=8)
WORST = Listing("Contracts that earn least", earnings.worst, (*_CONTRACT, *_MARGIN_BY), what="contracts", first=8)
BEST_RACKS = Listing("Racks that earn most", earnings.best_racks, (*_RACK, *_MARGIN_BY[2:]), what="racks", first=8)
WORST_RACKS = Listing("Racks that earn least", earnings.worst_racks, (*_RACK, *_MARGIN_BY[2:]), what="racks", first=8)

USAGE = Listing(
    "Contracts whose usage, not price, took the margin",
    earnings.eaten,
    (
        *_CONTRACT,
        Column("site", "Site"),
        Column("change_cents", "Change of margin", "cents", whole=True),
        Column("revenue_effect_cents", "Revenue", "cents", whole=True),
        Column("usage_effect_cents", "Usage", "cents", whole=True),
        Column("rate_effect_cents", "Price of power", "cents", whole=True),
        Column("usage_cv", "Volatility", "share"),
        Column("load_factor", "Load factor", "share"),
    ),
    note="Their margin fell, and what they used more took at least as much of it as the price of power. Volatility: spread of"
    " daily kWh over their mean; load factor: mean draw over peak.",
    what="contracts",
    first=12,
    empty="No contract lost margin to its usage rather than to the price of power.",
    absent="Not available: it compares with the month before.",
)


def _usage_against(column: str, title: str, along: str) -> Chart:
    return Chart(
        title,
        "scatter",
        earnings.scattered,
        x=column,
        y="usage_effect_cents",
        series="series",
        rest="is_rest",
        shades={earnings.TOOK: "red"},
        unit="Usage effect on margin, {currency}",
        along=along,
        note="Each point is a contract; below 0 it used more than in the month before, or began.",
        empty="Not available: it compares with the month before.",
    )


CONTRACTS = Listing(
    "Contracts",
    earnings.contracts,
    (
        Column("contract_id", "Contract", width=13),
        Column("customer_id", "Customer", width=13),
        Column("customer_name", "Customer name", width=28),
        Column("site_id", "Site", width=10),
        Column("contracted_kw", "Contracted kW", "decimal", width=13),
        Column("avg_kw", "Used kW", "decimal", width=13),
        Column("power_utilization", "Power used", "share"),
        Column("contracted_racks", "Contracted racks", "decimal", width=12),
        Column("assigned_racks", "Assigned racks", "decimal", width=12),
        Column("rack_utilization", "Racks assigned", "share"),
        Column("used_kwh", "Used, kWh", "decimal", total=True),
        Column("peak_kw", "Peak kW", "decimal", width=12),
        Column("load_factor", "Load factor", "share"),
        Column("usage_cv", "Volatility", "share"),
        Column("mrr_cents", "MRR", "cents", total=True),
        Column("revenue_cents", "Revenue", "cents", total=True),
        Column("power_cost_cents", "Power cost", "cents", total=True),
        Column("margin_cents", "Margin", "cents", total=True),
        Column("margin_pct", "Margin, % of revenue", "share", share=("margin_cents", "revenue_cents")),
    ),
    note="Contracted and used power and racks are means over days in force; the largest margin first",
    sheet="Contracts",
)

RACKS = Listing(
    "Racks",
    earnings.racks,
    (
        Column("rack_id", "Rack", width=16),
        Column("contract_id", "Contract", width=13),
        Column("customer_id", "Customer", width=13),
        Column("customer_name", "Customer name", width=28),
        Column("site_id", "Site", width=10),
        Column("rated_kw_days", "Rated kW-days", "decimal", total=True),
        Column("revenue_cents", "Revenue", "cents", total=True),
        Column("power_cost_cents", "Power cost", "cents", total=True),
        Column("margin_cents", "Margin", "cents", total=True),
        Column("margin_pct", "Margin, % of revenue", "share", share=("margin_cents", "revenue_cents")),
    ),
    note="Each contract's revenue and power cost over its racks, by rated power and days; the largest margin first",
    sheet="Racks",
    sheet_only_if_there=True,
)

MOST_AT_RISK = Listing(
    "Contracts with the lowest margin in a bad month",
    rows.most_at_risk,
    (
        Column("contract_id", "Contract", "name"),
        Column("customer", "Customer"),
        Column("expected_margin_cents", "Expected", "cents", whole=True),
        Column("margin_p5_cents", "p5", "cents", whole=True),
        Column("margin_worst_cents", "Worst", "cents", whole=True),
        Column("stress_price_cents", "Price stress", "cents", whole=True),
    ),
    what="contracts",
    order=("margin_p5_cents", "contract_id"),
)

OVERVIEW = View(
    "overview",
    "Revenue & Margin Overview",
    TILES,
    (
        Section(
            "What did we sell, and how stable is it?",
            (
                Chart(
                    "MRR bridge",
                    "waterfall",
                    rows.mrr_steps,
                    x="step",
                    y="amount_cents",
                    sums="is_sum",
                    note="Monthly recurring revenue of the terms in force on the last day, from the month before to this one.",
                ),
                MRR_STEPS,
            ),
        ),
        Section(
            "What did physics cost us?",
            (
                Chart(
                    "Power cost against revenue",
                    "bar",
                    rows.months,
                    x="month",
                    y={"revenue_cents": "Revenue", "power_cost_cents": "Power cost"},
                    unit="{currency} a month",
                    note="Contractual revenue and allocated power cost, months up to this one.",
                ),
                SITES,
            ),
        ),
        Section(
            "Are we making money?",
            (
                Card(
                    "Margin by month",
                    (
                        Chart(
                            "Margin by month",
                            "area",
                            rows.months,
                            x="month",
                            y="margin_cents",
                            unit="Margin, {currency} a month",
                            note="Contractual revenue less allocated power cost.",
                        ),
                        FIGURES_BY_MONTH,
                    ),
                ),
                MARGIN_STEPS,
                Chart(
                    "Margin by customer",
                    "pareto",
                    rows.customers,
                    x="shown",
                    y="margin_cents",
                    share="cumulative_share",
                    unit="Margin, {currency}",
                    note="Bars: margin of each customer, the largest first. Line: what they make together of positive margins.",
                ),
                Card("Customers", (CUSTOMERS, LOSING)),
            ),
        ),
        Section(
            "Which contracts, racks and customers earn?",
            (
                Chart(
                    "Contracted against used power",
                    "bar",
                    earnings.usage_by("site"),
                    x="site",
                    y={"contracted_kw": "Contracted", "used_kw": "Used"},
                    format="decimal",
                    unit="kW, mean of the month",
                    note="Power reserved and drawn per site.",
                ),
                Chart(
                    "Contracted against assigned racks",
                    "bar",
                    earnings.usage_by("site"),
                    x="site",
                    y={"contracted_racks": "Contracted", "assigned_racks": "Assigned"},
                    format="decimal",
                    unit="Racks, mean of the month",
                    note="Racks sold and racks that stand there per site.",
                ),
                Card("Contracted and used by site", (USED_BY_SITE,), wide=True),
                Card("Contracted and used by customer", (USED_BY_CUSTOMER,), wide=True),
                BEST,
                WORST,
                BEST_RACKS,
                WORST_RACKS,
            ),
        ),
        Section(
            "Whose usage eats their margin?",
            (
                _usage_against("usage_cv", "Usage effect against volatility", "Volatility of daily kWh"),
                _usage_against("load_factor", "Usage effect against load factor", "Load factor: mean draw over peak"),
                Card(USAGE.title, (Sentence(earnings.usage_words), USAGE), wide=True),
            ),
        ),
        Section(
            "What could go wrong?",
            (
                Card(
                    "Margin at risk",
                    (
                        Chart(
                            "Margin at risk",
                            "across",
                            rows.risks,
                            x="case",
                            y="amount_cents",
                            tone="shade",
                            unit="Margin, {currency} a month",
                            note="Added up over contracts with at least 6 months of history: as if bad months came together.",
                            empty="No contract has 6 months of history yet.",
                        ),
                        Sentence(_history),
                    ),
                ),
                MOST_AT_RISK,
            ),
        ),
    ),
)

LATE = Listing(
    "Late postings",
    rows.late_lines,
    (
        Column("document", "Document", "name", on="page"),
        Column("document_id", "Document", width=18, on="sheet"),
        Column("line_no", "Line", "integer", width=7, on="sheet"),
        Column("document_type", "Type", width=13, on="sheet"),
        Column("customer", "Customer", on="page"),
        Column("customer_id", "Customer", width=14, on="sheet"),
        Column("customer_name", "Customer name", width=26, on="sheet"),
        Column("contract", "Contract", "name", on="page"),
        Column("contract_id", "Contract", width=14, on="sheet"),
        Column("charge_type", "Charge type", "words", width=13),
        Column("quantity", "Quantity", "decimal", on="sheet"),
        Column("unit_price", "Unit price", "decimal", on="sheet"),
        Column("posted_at", "Posted (UTC)", "instant", on="page"),
        Column("amount_cents", "Amount", "cents", total=True),
        Column("invoice_date", "Invoice date", "date", on="sheet"),
        Column("posted_at", "Posted (UTC)", "instant", on="sheet"),
    ),
    note="ERP lines of this service month that were posted after its cutoff, the largest first",
    sheet="Late postings",
    what="lines",
    order=("±amount_cents",),
    empty="No line was posted after the cutoff.",
)

RESTATED_DOCUMENTS = Listing(
    "Documents of new batches",
    rows.restated_documents,
    (
        Column("document", "Document", "name"),
        Column("document_type", "Type", "words"),
        Column("customer", "Customer"),
        Column("contract", "Contract", "name"),
        Column("charge_type", "Charge type", "words"),
        Column("amount_cents", "Amount", "cents", total=True),
        Column("posted_at", "Posted (UTC)", "instant"),
        Column("batch_id", "Batch", "wide"),
    ),
    note="ERP lines of this service month that came with batches which are new since the signature, the largest first.",
    what="lines",
    order=("±amount_cents", "document"),
    empty="No ERP line of this month came with a new batch.",
)

_POWER_DOCUMENT = (
    Column("document", "Document", "name", on="page"),
    Column("document_id", "Document", width=22, on="sheet"),
    Column("line_no", "Line", "integer", width=7, on="sheet"),
    Column("document_type", "Booking", "words", width=13),
    Column("site", "Site", width=26),
    Column("amount_cents", "Amount", "cents", total=True),
    Column("posted_at", "Posted (UTC)", "instant"),
)

LATE_POWER = Listing(
    "Late power costs",
    rows.late_power_costs,
    _POWER_DOCUMENT,
    note="What accounting booked for this month's power after its cutoff, the largest first",
    sheet="Late power costs",
    what="lines",
    order=("±amount_cents", "document"),
    empty="No power cost was posted after the cutoff.",
    sheet_only_if_there=True,
)

RESTATED_POWER = Listing(
    "Power costs of new batches",
    rows.restated_power_costs,
    (*_POWER_DOCUMENT, Column("batch_id", "Batch", "wide")),
    note="What accounting booked for this month's power with batches which are new since the signature, the largest first.",
    what="lines",
    order=("±amount_cents", "document"),
    empty="No power cost of this month came with a new batch.",
)

CLOSE_BRIDGE = bridge_listing("close_bridge")

MRR_BRIDGE = Listing(
    "MRR bridge",
    rows.named("mrr_movements"),
    (
        Column("customer_id", "Customer", width=14),
        Column("customer_name", "Customer name", width=32),
        *(
            Column(f"{name}_cents", name.capitalize(), "cents", total=True)
            for name in ("opening", *(name for name, _ in rows.MOVEMENTS), "closing")
        ),
    ),
    note="Opening + new + reactivation + expansion − contraction − churn = closing, per customer and in total",
    sheet="MRR bridge",
    proof={"opening_cents": 1, **{f"{name}_cents": sign for name, sign in rows.MOVEMENTS}, "closing_cents": -1},
)

ALLOCATION = Listing(
    "Power allocation",
    rows.allocation,
    (
        Column("site_id", "Site", width=10),
        Column("contract_id", "Contract", width=13),
        Column("customer_id", "Customer", width=11),
        Column("customer_name", "Customer name", width=26),
        *(Column(f"{charge}_cents", charge.capitalize(), "cents", total=True, width=14) for charge in POWER_CHARGES),
        Column("amount_cents", "All charges", "cents", total=True),
    ),
    note="Each site's power bill over its contracts, the largest first; STRANDED is capacity that nobody reserved",
    sheet="Power allocation",
    proof={**dict.fromkeys((f"{charge}_cents" for charge in POWER_CHARGES), 1), "amount_cents": -1},
)

MARGIN_BRIDGE = Listing(
    "Margin bridge",
    rows.named("margin_bridge"),
    (
        Column("contract_id", "Contract", width=14),
        Column("customer_id", "Customer", width=14),
        Column("customer_name", "Customer name", width=28),
        Column("site_id", "Site", width=12),
        Column("opening_margin_cents", "Opening margin", "cents", total=True),
        Column("revenue_effect_cents", "Revenue effect", "cents", total=True),
        Column("usage_effect_cents", "Usage effect", "cents", total=True),
        Column("rate_effect_cents", "Rate effect", "cents", total=True),
        Column("closing_margin_cents", "Closing margin", "cents", total=True),
    ),
    note="What moved each contract's margin since the month before: revenue, usage or the rate of power",
    sheet="Margin bridge",
    sheet_only_if_there=True,
)

RISK = Listing(
    "Risk",
    "contract_risk",
    (
        Column("contract_id", "Contract", width=14),
        Column("risk_months", "Months of history", "integer"),
        Column("expected_margin_cents", "Expected margin", "cents", total=True),
        Column("margin_p5_cents", "Bad month (p5)", "cents", total=True),
        Column("margin_at_risk_cents", "Margin at risk", "cents", total=True),
        Column("margin_worst_cents", "Worst month", "cents", total=True),
        Column("risk_weighted_margin_cents", "Risk-weighted", "cents", total=True),
        Column("stress_price_cents", "Stress: power price", "cents", total=True),
        Column("stress_worst_rate_cents", "Stress: worst rate", "cents", total=True),
        Column("stress_full_cents", "Stress: full load", "cents", total=True),
        Column("breakeven_rate", "Break-even, cents/kWh", "decimal"),
        Column("breakeven_utilization", "Break-even utilization", "share"),
    ),
    note="Each contract's margin on its history and under stress; empty where the history is shorter than 6 months",
    sheet="Risk",
    sheet_only_if_there=True,
)

CONTROLS = (
    Section(
        "What came late?",
        (CLOSE_BRIDGE, Card("Late postings", (LATE,), wide=True), Card("Late power costs", (LATE_POWER,), wide=True)),
    ),
)

REPORT = Report(
    names=rows.NAMES,
    view=OVERVIEW,
    datasets=(
        "assumptions",
        "close_bridge",
        "contract_month",
        "contract_risk",
        "customer_month",
        "customers",
        "invoice_lines",
        "margin_bridge",
        "metric_register",
        "mrr_movements",
        "mrr_summary",
        "power_allocation",
        "power_cost_lines",
        "rack_month",
        "site_month",
        "sites",
    ),
    sheets=(LATE, LATE_POWER, CUSTOMERS, CONTRACTS, RACKS, MRR_BRIDGE, ALLOCATION, MARGIN_BRIDGE, RISK),
    register=(registers.assumptions("assumptions", "Assumptions"), registers.metrics("metric_register", "Metric register")),
    headlines=(
        Headline("Revenue", CUSTOMERS, "revenue_cents"),
        Headline("Power cost", CUSTOMERS, "power_cost_cents"),
        Headline("Margin", CUSTOMERS, "margin_cents"),
        Headline("Closing MRR", MRR_BRIDGE, "closing_cents"),
        Headline("Power billed (allocated + stranded)", ALLOCATION, "amount_cents"),
        Headline("of which stranded", ALLOCATION, "amount_cents", rows.STRANDED_ONLY),
    ),
    summary=(CLOSE_BRIDGE,),
    control_tiles=(
        variance_kpi(RECONCILIATIONS, CHARGES, "ERP less contracts"),
        explained_kpi(RECONCILIATIONS, CHARGES),
        variance_kpi(RECONCILIATIONS, "power_bill_vs_allocated", "Power bills less allocated"),
        Kpi("Posted late", rows.late_cents, note=_late_note),
    ),
    controls=CONTROLS,
    restated=(
        Card("Documents of new batches", (RESTATED_DOCUMENTS,), wide=True),
        Card("Power costs of new batches", (RESTATED_POWER,), wide=True),
    ),
    trends=(Trend("contract_month", added_up("revenue_cents", "power_cost_cents", "margin_cents")),),
    index=(
        REVENUE,
        POWER_COST,
        MARGIN,
        MRR,
        MonthFigure("variance_cents", "Variance at close", "recon_summary", ("variance_signed",), only=_AT_CLOSE),
        MonthFigure("gross_variance_cents", "Gross at close", "recon_summary", ("variance_gross",), only=_AT_CLOSE),
        MonthFigure("unexplained_cents", "Unexplained at close", "recon_summary", ("unexplained_cents",), only=_AT_CLOSE),
        LATE_CENTS,
    ),
    index_charts=(
        Chart(
            "Revenue and power cost",
            "bar",
            INDEX,
            x="month",
            y={"revenue_cents": "Revenue", "power_cost_cents": "Power cost"},
            unit="{currency} a month",
            note="Contractual revenue and allocated power cost.",
        ),
        Chart(
            "Margin",
            "area",
            INDEX,
            x="month",
            y="margin_cents",
            unit="Margin, {currency} a month",
            note="Contractual revenue less allocated power cost.",
        ),
        Chart(
            "ERP less contracts",
            "line",
            INDEX,
            x="month",
            y={"variance_cents": "Signed", "gross_variance_cents": "Gross"},
            unit="Variance, {currency}",
            shades={"Signed": "blue", "Gross": "red"},
            note="Variance as of close, signed and gross.",
        ),
    ),
)
"""What the stream shows in a close pack. Variances of the index are those as of close: what a month's controls had caught by its
cutoff stays comparable over months."""
