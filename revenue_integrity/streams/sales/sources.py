"""The sources of the sales stream: what each must look like, and when a row of it is bad.

Belongs here: declarations. Does not belong here: how files are read and versions resolved (``landing``), curated tables.
"""

from dataclasses import replace
from typing import Any, cast

from revenue_integrity.model.postings import earlier_postings
from revenue_integrity.model.source import Basket, Notation, Reach, RowRule, Source, SourceColumn, Versions
from revenue_integrity.settings import Settings
from revenue_integrity.streams.sales.settings import SalesSettings

STREAM = "sales"

_TOO_LATE = RowRule(
    "updated_at > arrival + interval 24 hour",
    "'updated_at lies more than 24 hours after the arrival'",
)

_UNKNOWN = ("unknown",)


def _member(name: str, description: str, **more: Any) -> tuple[SourceColumn, SourceColumn]:
    """Return the columns of a region or category: as it is spelled, and what names it however that is spelled."""
    spelled = SourceColumn(name, "text", description, required=False, blanks=_UNKNOWN, **more)
    return spelled, replace(
        spelled, held_as=f"{name}_member", part="folded", description=f"What names the {name}: its text without case."
    )


_GROSS = (
    "(abs(cast(cast(price as DECIMAL(38,6)) * 1000000 as HUGEINT) * cast(cast(quantity as DECIMAL(38,6)) * 1000000 as HUGEINT))"
    " + 5000000000) // 10000000000"
)
"""Gross cents of a row: price times quantity, rounded once, half away from zero."""


_TOTAL = (
    "(abs(cast(cast(price as DECIMAL(38,6)) * 1000000 as HUGEINT) * cast(cast(quantity as DECIMAL(38,6)) * 1000000 as HUGEINT))"
    " * cast((1 - discount) * 1000000 as HUGEINT) + 5000000000000000) // 10000000000000000"
)
"""Absolute total cents of a row: price times quantity less the discount, rounded once, half away from zero."""


def _notation(source: Source, settings: Settings) -> Source:
    """Return a source as a deployment writes its dates and shares."""
    assert source.notation is not None
    own = cast("SalesSettings", settings.of_stream(STREAM))
    return replace(
        source,
        notation=replace(
            source.notation,
            date_order=own.sales_date_order,
            timezone=own.sales_timezone,
            share_unit=own.sales_discount_unit,
        ),
    )


def _transactions(source: Source, settings: Settings) -> Source:
    """Return the transactions as a deployment has them: with returns and anonymous sales, or without."""
    own = cast("SalesSettings", settings.of_stream(STREAM))
    sign = _NO_QUANTITY if own.sales_quantity == "signed" else _NOT_POSITIVE
    anonymous = own.sales_anonymous == "allow"
    columns = tuple(
        replace(column, required=False) if column.name == "customer_id" and anonymous else column for column in source.columns
    )
    return replace(_notation(source, settings), columns=columns, rules=(*source.rules, sign))


_NOT_POSITIVE = RowRule("not is_deleted and quantity <= 0", "'quantity is not positive'")
_NO_QUANTITY = RowRule("not is_deleted and quantity = 0", "'quantity is 0'")


def _spellings(source: str, *members: str) -> Reach:
    """Return the rows of a source that were the first to write a region or a category: they matter to every month."""
    first = " or ".join(
        f"row_number() over (partition by {each}_member order by arrival, file_name, row_number) = 1" for each in members
    )
    name = "spellings" if source == "transactions" else f"spellings_of_{source}"
    return Reach(name, f"{{months}} as m cross join (select * from raw.sales_{source} qualify {first}) as r")


TRANSACTIONS = Source(
    STREAM,
    "transactions",
    "Lines of sales as tills and shops sent them, one row per line and version.",
    (
        SourceColumn("transaction_id", "id", "The transaction."),
        SourceColumn("line_no", "int", "Line of the transaction, from 1.", required=False, ge=1),
        SourceColumn("customer_id", "id", "Who bought.", unless="is_deleted"),
        SourceColumn(
            "product_id",
            "id",
            "What was sold.",
            required=False,
            unless="is_deleted",
            names=("product.product_id", "product.id"),
        ),
        SourceColumn("product_name", "text", "Its name.", required=False, unless="is_deleted", names=("product.name",)),
        *_member(
            "category", "Its category as sold; empty where it is unknown.", unless="is_deleted", names=("product.category",)
        ),
        SourceColumn(
            "price",
            "dec",
            "Price of a unit.",
            ge=0,
            unit="currency units",
            unless="is_deleted",
            names=("product.price", "unit_price"),
        ),
        SourceColumn("quantity", "dec", "How many; negative for a return.", unit="units", unless="is_deleted"),
        SourceColumn("discount", "share", "Share taken off the price.", required=False, unit="fraction", unless="is_deleted"),
        SourceColumn("tax", "money", "Tax on the line.", required=False, unit="cents", unless="is_deleted"),
        SourceColumn(
            "basket_tax",
            "money",
            "Tax on the whole basket, where no line of it has its own: it is split over the lines.",
            required=False,
            unit="cents",
            part="own",
        ),
        *_member("region", "Where it was sold; empty where it is unknown.", unless="is_deleted"),
        SourceColumn(
            "sold_at",
            "date",
            "Local day of the sale.",
            held_as="sold_on",
            unless="is_deleted",
            part="day",
            names=("date", "transaction_date", "timestamp"),
        ),
        SourceColumn(
            "sold_at",
            "clock",
            "Local time of the sale (ISO 8601 without offset); empty where only a day came.",
            required=False,
            unless="is_deleted",
            part="clock",
            names=("date", "transaction_date", "timestamp"),
        ),
        SourceColumn(
            "sold_at",
            "bool",
            "Whether day and month of the sale could be read either way.",
            required=False,
            held_as="date_ambiguous",
            unless="is_deleted",
            part="is_ambiguous",
            names=("date", "transaction_date", "timestamp"),
        ),
        SourceColumn(
            "sold_at",
            "bool",
            "Whether they were read against the setting.",
            required=False,
            held_as="date_other_order",
            unless="is_deleted",
            part="is_other_order",
            names=("date", "transaction_date", "timestamp"),
        ),
        SourceColumn("currency", "currency", "Currency of the amounts.", required=False, unless="is_deleted"),
        SourceColumn("payment_method", "text", "How it was paid.", required=False, caseless=True, unless="is_deleted"),
        SourceColumn("updated_at", "ts", "When the row was last changed where it comes from.", required=False, part="instant"),
        SourceColumn("is_deleted", "bool", "Whether the row takes away its line or transaction.", required=False),
        SourceColumn("speaks_for_all", "bool", "Whether the row speaks for its whole transaction.", required=False, part="whole"),
        SourceColumn("place", "int", "Place of the row in its basket, from 1.", required=False, part="place"),
    ),
    key=("transaction_id", "line_no"),
    versions=Versions(record=("transaction_id",), instant="updated_at"),
    month_of="sold_on",
    reaches=(_spellings("transactions", "region", "category"),),
    rules=(
        RowRule("not is_deleted and (discount < 0 or discount > 1)", "'discount is not between 0 and 1'"),
        RowRule("not is_deleted and sign(tax_cents) * sign(quantity) < 0", "'tax has another sign than quantity'"),
        RowRule(f"not is_deleted and {_GROSS} >= 1000000000000000", "'price times quantity is more than any sale'"),
        _TOO_LATE,
    ),
    notation=Notation(
        basket=Basket(
            "items",
            ("transaction_id", "customer_id", "region", "sold_at", "currency", "payment_method", "discount", "updated_at"),
            (("tax", "basket_tax"),),
            _TOTAL,
            number="line_no",
            taken_out="quantity",
        ),
        deleted="is_deleted",
    ),
    by_settings=_transactions,
)

CUSTOMERS = Source(
    STREAM,
    "customers",
    "What was said of customers, one row per customer and version as sent.",
    (
        SourceColumn("customer_id", "id", "The customer."),
        SourceColumn("customer_name", "text", "Name.", required=False, names=("name", "first_name last_name")),
        SourceColumn("email", "email", "E-mail address, in lower case.", required=False),
        SourceColumn("phone", "text", "Telephone number.", required=False),
        *_member("region", "Region; empty where it is unknown."),
        SourceColumn("city", "text", "City.", required=False),
        SourceColumn("country", "text", "Country.", required=False),
        SourceColumn("loyalty_tier", "text", "Tier of the loyalty programme.", required=False),
        SourceColumn("loyalty_points", "int", "Points of the loyalty programme.", required=False, ge=0, unit="points"),
        SourceColumn("signup_date", "date", "When the customer signed up.", required=False, names=("join_date",), part="day"),
        SourceColumn("updated_at", "ts", "When the row was last changed where it comes from.", required=False, part="instant"),
        SourceColumn("told", "text", "The columns that the row has.", required=False, part="told"),
    ),
    key=("customer_id",),
    versions=Versions(partial=True, instant="updated_at"),
    reaches=(_spellings("customers", "region"),),
    rules=(_TOO_LATE,),
    matters="true",
    notation=Notation(),
    by_settings=_notation,
)

PRODUCTS = Source(
    STREAM,
    "products",
    "Products as the catalogue has them, one row per product and version as sent.",
    (
        SourceColumn("product_id", "id", "The product."),
        SourceColumn("product_name", "text", "Name."),
        *_member("category", "Category; empty where it is unknown."),
        SourceColumn("list_price", "dec", "Price in the list.", required=False, ge=0, unit="currency units"),
        SourceColumn("active", "bool", "Whether it is sold.", required=False, held_as="is_active"),
    ),
    key=("product_id",),
    reaches=(_spellings("products", "category"),),
    matters="true",
    optional=True,
    notation=Notation(),
    by_settings=_notation,
)

LEDGER = Source(
    STREAM,
    "ledger",
    "Revenue that accounting booked, one row per document line as sent; positive is revenue.",
    (
        SourceColumn("document_id", "id", "The document."),
        SourceColumn("line_no", "int", "Line of the document.", ge=1),
        SourceColumn("document_type", "enum", "Kind of document.", values=("journal", "reversal")),
        SourceColumn("month", "month", "Service month, as the date of its first day."),
        *_member("region", "Region; empty where it is unknown."),
        *_member("category", "Category; empty where it is unknown."),
        SourceColumn("amount", "money", "Revenue booked.", unit="cents"),
        SourceColumn("currency", "currency", "Currency of the amount."),
        SourceColumn("posted_at", "ts", "When it was posted."),
        SourceColumn("reverses_document_id", "id", "The document that it takes back.", required=False),
    ),
    key=("document_id", "line_no"),
    reaches=(earlier_postings("earlier_ledger", "sales_ledger"), _spellings("ledger", "region", "category")),
    optional=True,
    notation=Notation(),
    by_settings=_notation,
)

SETTLEMENTS = Source(
    STREAM,
    "settlements",
    "What the payment processor paid, one row per settlement as sent.",
    (
        SourceColumn("settlement_id", "id", "The settlement."),
        SourceColumn("transaction_id", "id", "The transaction that it is about.", required=False),
        SourceColumn("type", "enum", "What was paid.", values=("charge", "refund", "chargeback", "fee")),
        SourceColumn("amount", "money", "Amount paid to us.", unit="cents"),
        SourceColumn("currency", "currency", "Currency of the amount."),
        SourceColumn("settled_at", "ts", "When it was settled."),
        SourceColumn(
            "settled_at", "date", "Local day on which it was settled.", required=False, held_as="settled_on", part="day"
        ),
    ),
    key=("settlement_id",),
    month_of="settled_on",
    rules=(
        RowRule("type = 'charge' and amount_cents <= 0", "'a charge of 0 or less'"),
        RowRule("type = 'refund' and amount_cents >= 0", "'a refund that is not negative'"),
    ),
    optional=True,
    notation=Notation(),
    by_settings=_notation,
)

CONTROL_TOTALS = Source(
    STREAM,
    "control_totals",
    "What the shop system says it sold in a month, one row per month and extract as sent.",
    (
        SourceColumn("month", "month", "Service month, as the date of its first day."),
        SourceColumn("extracted_at", "ts", "When the shop system counted."),
        SourceColumn("lines", "int", "Lines that it sold.", ge=0, unit="lines"),
        SourceColumn("amount", "money", "Their total.", unit="cents"),
    ),
    key=("month", "extracted_at"),
    optional=True,
    notation=Notation(),
    by_settings=_notation,
)

SOURCES = (TRANSACTIONS, CUSTOMERS, PRODUCTS, LEDGER, SETTLEMENTS, CONTROL_TOTALS)
"""All sources, each behind those that its look-ups are made from."""
