"""What the sales stream says to a Power BI project: measures over its datasets, how its star hangs together, a page.

Belongs here: that declaration. Does not belong here: how a project is written (``serving.powerbi``).
"""

from revenue_integrity.model.powerbi import (
    MONTHS,
    DaxMeasure,
    Page,
    PowerBi,
    Reference,
    Visual,
    added,
    latest,
    variance_measures,
    year_to_date,
)
from revenue_integrity.streams.sales.recon import LEDGER, RECONCILIATIONS, SETTLEMENTS

_FACT, _KPIS = "fact_sales", "sales_kpis"
_REGION, _CATEGORY, _PRODUCT = (
    ("sales_dim_region", "region"),
    ("sales_dim_category", "category"),
    ("sales_dim_product", "product_name"),
)
_SUMMARY = RECONCILIATIONS.summary.name

POWER_BI = PowerBi(
    references=(
        Reference((_FACT,), "date_key", "sales_dim_date", "date_key"),
        *(
            Reference((_FACT,), f"{of}_key", f"sales_dim_{of}", f"{of}_key")
            for of in ("customer", "product", "region", "category")
        ),
        Reference(("customer_value", "high_value_transactions"), "customer_id", "customer_lifetime", "customer_id"),
    ),
    measures=(
        DaxMeasure("Total sales", _FACT, added(_FACT, "total_cents"), "money", "What was sold, without tax."),
        DaxMeasure("Sales YTD", _FACT, year_to_date("Total sales"), "money", "What was sold since the year began."),
        DaxMeasure(
            "Transactions", _FACT, f"DISTINCTCOUNT('{_FACT}'[transaction_id])", "whole", "Transactions with a line that stands."
        ),
        DaxMeasure("Average sale", _FACT, "DIVIDE([Total sales], [Transactions])", "money", "What a transaction brings."),
        DaxMeasure("Discounts", _FACT, added(_FACT, "discount_cents"), "money", "What discounts took off."),
        DaxMeasure("Units sold", _FACT, added(_FACT, "quantity"), "number", "Units sold less those that came back."),
        DaxMeasure(
            "High-value transactions",
            _KPIS,
            added(_KPIS, "high_value_transactions"),
            "whole",
            "Transactions from the high-value limit up.",
        ),
        DaxMeasure("Total customers", _KPIS, latest(_KPIS, "customers"), "whole", "Customers known in the latest month."),
        DaxMeasure(
            "Loyalty points", _KPIS, latest(_KPIS, "loyalty_points"), "whole", "Points of all customers in the latest month."
        ),
        *variance_measures("Ledger", _SUMMARY, LEDGER),
        *variance_measures("Settlement", _SUMMARY, SETTLEMENTS),
    ),
    pages=(
        Page(
            "Sales",
            (
                *(
                    Visual("card", name, (name,))
                    for name in (
                        "Total sales",
                        "Sales YTD",
                        "Average sale",
                        "Total customers",
                        "Loyalty points",
                        "High-value transactions",
                        "Ledger variance",
                        "Ledger explained %",
                        "Settlement variance",
                    )
                ),
                Visual("line", "Sales by month", ("Total sales",), (MONTHS,)),
                Visual("bar", "Sales by region", ("Total sales",), (_REGION,)),
                Visual("donut", "Sales by category", ("Total sales",), (_CATEGORY,)),
                Visual("table", "Products", ("Total sales", "Units sold", "Discounts"), (_PRODUCT,)),
            ),
            slicer=_REGION,
        ),
    ),
)
"""What the stream says to a Power BI project."""
