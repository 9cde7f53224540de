"""What the stream's page shows, as small frames and sentences: made from the published month and the months of its year.

Belongs here: adding up published figures over the year, ranking them, and saying in words what they show. Does not belong here:
how they are laid out (``report``), any figure that a table of the stream should hold. Everything comes for a period: the month,
or the year up to it (published months from January on). Every order is total.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.exact import divide
from revenue_integrity.model.report import Published, total

Period = Literal["month", "ytd"]
Rows = Callable[[Published], pd.DataFrame | None]
Words = Callable[[Published], str]

MONTH: Period = "month"
YEAR: Period = "ytd"
PERIODS: tuple[Period, ...] = (MONTH, YEAR)

LARGEST = 15
"""Transactions of each month that are kept: the largest of a year are among the largest of its months."""

TIES = "sales_ties"
"""What trends keep of reconciliations in total, beside what every stream keeps of them."""

_AMOUNTS = ["lines", "gross_cents", "discount_cents", "total_cents"]

_CLASSES = (("Best", 13), ("Good", 10), ("Fair", 7), ("Weak", 0))
"""Classes of customers by the sum of their three scores, from what sum on."""


def named(period: Period, published: Published) -> str:
    """Return what people call a period: ``March 2025``, ``2025 up to March``."""
    name = wording.month_name(published.month)
    return name if period == MONTH else f"{published.month.year} up to {name.partition(' ')[0]}"


def of_period(dataset: str, period: Period, published: Published) -> pd.DataFrame | None:
    """Return the rows of a dataset: of the month, or of what is kept of all months of the year up to it."""
    if period == MONTH:
        return published.table(dataset)
    kept = published.trend(dataset)
    return None if kept is None else kept[kept["month"].dt.year == published.month.year]


def with_share(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return rows with what part each is of the sum of a column; nothing is a part of nothing."""
    whole = int(total(frame, column))
    return frame.assign(share=pd.Series([divide(int(each), whole, 6) for each in frame[column]], index=frame.index, dtype=object))


@cache
def sales_by(key: str, period: Period) -> Rows:
    """Return what gives sales by region or by category, the largest first."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = of_period("sales_by_region_category", period, published)
        if frame is None:
            return None
        found = frame.groupby(key, as_index=False)[_AMOUNTS].sum().sort_values(["total_cents", key], ascending=[False, True])
        return with_share(found.reset_index(drop=True), "total_cents")

    return rows


def _amount(published: Published, cents: Any) -> str:
    return published.currency.amount(cents)


def _share(row: "pd.Series[Any]") -> str:
    return "" if row["share"] is None else f", {wording.percent(row['share'])} of all"


@cache
def leading(key: str, period: Period) -> Words:
    """Return what says which region or category leads, and by how much the next is behind."""

    def words(published: Published) -> str:
        frame = published.rows(sales_by(key, period))
        if frame is None or frame.empty:
            return f"Nothing was sold in {named(period, published)}." if frame is not None else ""
        first = frame.iloc[0]
        said = f"{first[key]} leads in {named(period, published)} with {_amount(published, first['total_cents'])}{_share(first)}"
        if len(frame) == 1:
            return f"{said}."
        second = frame.iloc[1]
        behind = _amount(published, first["total_cents"] - second["total_cents"])
        return f"{said}; {second[key]} follows, {behind} behind."

    return words


def months(published: Published) -> pd.DataFrame | None:
    """Return each published month up to this one with its sales."""
    return published.trend("sales_trend")


def months_words(published: Published) -> str:
    """Say how the month compares with the one before and a year ago."""
    frame = published.table("sales_trend")
    if frame is None or frame.empty:
        return ""
    row = frame.iloc[0]
    said = f"{wording.month_name(published.month)}: {_amount(published, row['total_cents'])}"
    for column, share, than in (
        ("change_cents", "change_pct", "the month before"),
        ("year_change_cents", "year_change_pct", "a year ago"),
    ):
        if not wording.is_missing(row[share]):
            more = "more" if row[column] >= 0 else "less"
            said += f", {_amount(published, abs(row[column]))} ({wording.percent(abs(row[share]))}) {more} than {than}"
    return f"{said}."


def year(published: Published) -> pd.DataFrame | None:
    """Return sales added up from January on: of this year, and of the year before if that is published from January on."""
    kept = published.trend("sales_trend")
    if kept is None:
        return None
    found = kept.assign(year=kept["month"].dt.year.astype(str), number=kept["month"].dt.month)
    begun = set(found.loc[found["number"] == 1, "year"]) | {str(published.month.year)}
    found = found[(found["month"].dt.year >= published.month.year - 1) & found["year"].isin(begun)]
    added = found.groupby("year")["total_cents"].cumsum()
    # Months of both years stand one above the other.
    name = found["month"].dt.strftime("%m %b")
    return found.assign(to_date_cents=added, name=name).sort_values(["number", "year"])[["name", "year", "to_date_cents"]]


def strongest(published: Published) -> str:
    """Say which months of the year were the strongest."""
    frame = of_period("sales_trend", YEAR, published)
    if frame is None or frame.empty:
        return ""
    ranked = frame.sort_values(["total_cents", "month"], ascending=[False, True])
    best = [
        f"{wording.month_name(row['month'])} ({_amount(published, row['total_cents'])})" for _, row in ranked.head(3).iterrows()
    ]
    listed = best[0] if len(best) == 1 else f"{', '.join(best[:-1])} and {best[-1]}"
    whole = _amount(published, int(total(frame, "total_cents")))
    return f"{named(YEAR, published)} comes to {whole}; the strongest: {listed}."


@cache
def top(period: Period) -> Rows:
    """Return what gives the products with the most revenue of a period."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.table("top_products")
        if frame is None:
            return None
        found = frame[frame["period"] == period].sort_values("rank").reset_index(drop=True)
        return found.assign(label=found["product_name"].where(found["product_name"].notna(), found["product_id"]))

    return rows


@cache
def first_product(period: Period) -> Words:
    """Return what says which product sold best."""

    def words(published: Published) -> str:
        frame = published.rows(top(period))
        if frame is None or frame.empty:
            return ""
        row = frame.iloc[0]
        sold = wording.exact(row["quantity"])
        return (
            f"{row['label']} sold best in {named(period, published)}: {_amount(published, row['total_cents'])}"
            f"{_share(row)} ({sold} units)."
        )

    return words


@cache
def loyalty(period: Period) -> Rows:
    """Return what gives customers and points by region at the end of the month, beside those when the year began.

    The year begins with the end of the last month before it that is published, else with that of its first one.
    """

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.table("loyalty_by_region")
        if frame is None:
            return None
        frame = frame.sort_values(["loyalty_points", "region"], ascending=[False, True]).reset_index(drop=True)
        if period == MONTH:
            return frame
        kept = published.trend("loyalty_by_region")
        if kept is None:
            return None
        before = kept[kept["month"].dt.year < published.month.year]
        since = (
            before["month"].max() if not before.empty else kept.loc[kept["month"].dt.year == published.month.year, "month"].min()
        )
        then = kept[kept["month"] == since].set_index("region")["loyalty_points"]
        earlier = frame["region"].map(then).fillna(0).astype("int64")
        return frame.assign(then_points=earlier, change_points=frame["loyalty_points"] - earlier, since=since)

    return rows


@cache
def loyalty_words(period: Period) -> Words:
    """Return what says which region has the most points, or where most were gained."""

    def words(published: Published) -> str:
        frame = published.rows(loyalty(period))
        if frame is None or frame.empty:
            return ""
        if period == MONTH:
            row = frame.iloc[0]
            points = wording.exact(int(row["loyalty_points"]))
            return f"{row['region']} has the most loyalty points, {points}{_share(row)}."
        most = frame.sort_values(["change_points", "region"], ascending=[False, True]).iloc[0]
        change, since = int(frame["change_points"].sum()), wording.month_name(frame["since"].iloc[0])
        return (
            f"Since the end of {since} points changed by {wording.exact(change)};"
            f" {most['region']} gained the most, {wording.exact(int(most['change_points']))}."
        )

    return words


def value_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return customers by the sum of their scores: what trends keep of ``customer_value``."""
    score = frame["r_score"] + frame["f_score"] + frame["m_score"]
    found = frame.assign(value_class=[next(name for name, least in _CLASSES if each >= least) for each in score])
    grouped = found.groupby(["month", "value_class"], as_index=False).agg(
        customers=("customer_id", "count"), total_cents=("total_cents", "sum"), total_12m_cents=("total_12m_cents", "sum")
    )
    return grouped.astype({"customers": "int64", "total_cents": "int64", "total_12m_cents": "int64"})


@cache
def customer_value(period: Period) -> Rows:
    """Return what gives customers by class: how many there are at the end of the month, and what each class bought."""

    def rows(published: Published) -> pd.DataFrame | None:
        table = published.table("customer_value")
        if table is None:
            return None
        now = value_classes(table)
        kept = of_period("customer_value", period, published) if period == YEAR else now
        if kept is None:
            return None
        bought = kept.groupby("value_class")["total_cents"].sum()
        names = [name for name, _ in _CLASSES if name in {*now["value_class"], *bought.index}]
        by_class = now.set_index("value_class")
        found = pd.DataFrame(
            {
                "value_class": names,
                "customers": [int(by_class["customers"].get(name, 0)) for name in names],
                "total_cents": [int(bought.get(name, 0)) for name in names],
                "total_12m_cents": [int(by_class["total_12m_cents"].get(name, 0)) for name in names],
            }
        )
        return with_share(found, "total_cents")

    return rows


@cache
def value_words(period: Period) -> Words:
    """Return what says how much the best customers bought."""

    def words(published: Published) -> str:
        frame = published.rows(customer_value(period))
        if frame is None or frame.empty:
            return ""
        row = frame.iloc[0]
        who = wording.counted(int(row["customers"]), "customer", "customers")
        return (
            f"The class {row['value_class']} ({who}) bought for {_amount(published, row['total_cents'])}"
            f" in {named(period, published)}{_share(row)}."
        )

    return words


@cache
def discounts(period: Period) -> Rows:
    """Return what gives discounts by region, the largest share of the price first."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.rows(sales_by("region", period))
        if frame is None:
            return None
        shares = [
            divide(int(off), int(gross), 6) for off, gross in zip(frame["discount_cents"], frame["gross_cents"], strict=True)
        ]
        found = frame.assign(weighted=pd.Series(shares, index=frame.index, dtype=object))
        of_month = published.table("discount_by_region")
        if period == MONTH and of_month is not None:
            found = found.assign(mean=found["region"].map(of_month.set_index("region")["mean_discount"]))
        order = pd.Series([float(each or 0) for each in shares], index=found.index)
        return found.assign(order=order).sort_values(["order", "region"], ascending=[False, True]).reset_index(drop=True)

    return rows


@cache
def discount_words(period: Period) -> Words:
    """Return what says how much was given away, and where most."""

    def words(published: Published) -> str:
        frame = published.rows(discounts(period))
        if frame is None or frame.empty:
            return ""
        off, gross = int(total(frame, "discount_cents")), int(total(frame, "gross_cents"))
        most = frame.iloc[0]
        return (
            f"{_amount(published, off)} were given away in {named(period, published)}, {wording.percent(divide(off, gross, 6))}"
            f" of the price; most in {most['region']}, {wording.percent(most['weighted'])}."
        )

    return words


def largest(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the largest transactions of a month: what trends keep of ``high_value_transactions``."""
    return frame.sort_values(["total_cents", "transaction_id"], ascending=[False, True]).head(LARGEST)


@cache
def high_value(period: Period) -> Rows:
    """Return what gives the largest transactions of a period."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = of_period("high_value_transactions", period, published)
        # A trend of months without any has no rows.
        if frame is None and period == YEAR and published.table("high_value_transactions") is not None:
            frame = published.table("high_value_transactions")
        return None if frame is None else (largest(frame) if period == YEAR else frame).reset_index(drop=True)

    return rows


@cache
def high_value_words(period: Period) -> Words:
    """Return what says how many transactions are of high value and what they come to."""

    def words(published: Published) -> str:
        frame = of_period("sales_kpis", period, published)
        if frame is None or frame.empty:
            return ""
        count, cents, whole = (
            int(total(frame, name)) for name in ("high_value_transactions", "high_value_total_cents", "total_cents")
        )
        said = wording.counted(count, "transaction", "transactions")
        part = divide(cents, whole, 6) if whole else None
        share = "" if part is None else f", {wording.percent(part)} of all sales"
        return f"{said} of high value in {named(period, published)}: {_amount(published, cents)}{share}."

    return words


@cache
def refused(period: Period) -> Rows:
    """Return what gives the reasons for which rows were refused, the most frequent first."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = of_period("refused_sales", period, published)
        if frame is None and published.table("refused_sales") is not None:
            frame = published.table("refused_sales")
        if frame is None:
            return None
        found = frame.groupby("reason", as_index=False).agg(rows=("rows", "sum"))
        return found.sort_values(["rows", "reason"], ascending=[False, True]).reset_index(drop=True)

    return rows


@cache
def refused_words(period: Period) -> Words:
    """Return what says how often rows were refused, and why most."""

    def words(published: Published) -> str:
        frame = published.rows(refused(period))
        if frame is None:
            return ""
        if frame.empty:
            return f"No row of {named(period, published)} was refused."
        first = frame.iloc[0]
        reasons = wording.counted(len(frame), "reason", "reasons")
        return f"Rows of {named(period, published)} were refused for {reasons}, most often: {first['reason']}."

    return words


@cache
def tied(period: Period) -> Rows:
    """Return what gives the reconciliations in total, over all postings."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.table("sales_recon_summary") if period == MONTH else of_period(TIES, YEAR, published)
        if frame is None:
            return None
        frame = frame[(frame["view"] == "current") & (frame["unit"] == "cents")]
        columns = {
            "left_total": "left",
            "right_total": "right",
            "variance_signed": "variance",
            "unexplained_cents": "unexplained",
        }
        found = frame[["recon", "rows", "breaches", *columns]].fillna(0).rename(columns=columns)
        # Totals of a summary are exact numbers of any unit; these are cents.
        whole = found.astype(dict.fromkeys(("rows", "breaches", *columns.values()), "int64"))
        return whole.groupby("recon", as_index=False).sum().sort_values("recon").reset_index(drop=True)

    return rows


@cache
def tied_words(period: Period) -> Words:
    """Return what says how far the ledger and the processor are from what was sold."""

    def words(published: Published) -> str:
        frame = published.rows(tied(period))
        if frame is None or frame.empty:
            return ""
        said = [
            f"{wording.words(row['recon'])} differs by {_amount(published, row['variance'])}"
            if row["variance"]
            else f"{wording.words(row['recon'])} ties"
            for _, row in frame.iterrows()
        ]
        open_cents = int(frame["unexplained"].sum())
        rest = "nothing is unexplained" if not open_cents else f"{_amount(published, open_cents)} is unexplained"
        return f"{wording.headed(named(period, published))}: {', '.join(said)}; {rest}."

    return words
