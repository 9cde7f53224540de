"""What packs say of a stream's reconciliations, made from their declaration: totals, causes, tiles, sheets, trends.

Belongs here: listings, charts and tiles that every stream with reconciliations has. Does not belong here: which reconciliations
there are (each stream's ``recon``), what else a stream shows (its ``report``), how it looks (``tables``, ``workbook``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.close.causes import UNEXPLAINED
from revenue_integrity.exact import added, divide
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CENTS, CURRENCY, CURRENT, Reconciliation, Reconciliations
from revenue_integrity.model.report import Card, Chart, Column, Format, Kpi, Listing, Names, Published, Section, Tone, Trend
from revenue_integrity.wording import Currency

SHEET, CAUSES_SHEET = "Reconciliations", "Causes"

MEASURED = ("left", "right", "signed", "gross")
"""Amounts of a reconciliation in total."""


def unit_format(unit: str, currency: Currency) -> Format:
    """Return how amounts of a row's unit are written: whole cents, units of the currency, or plain numbers."""
    if unit == CENTS:
        return "cents"
    return "cost" if unit == currency.code.lower() else "decimal"


def declared_format(recon: Reconciliation) -> Format:
    """Return how amounts of a reconciliation are written."""
    return "cents" if recon.unit == CENTS else "cost" if recon.unit == CURRENCY else "decimal"


def shown_view(recon: Reconciliation, published: Published, recons: Reconciliations) -> str:
    """Return the view by which people judge a reconciliation: that of the cutoff, where it has one."""
    results = published.table(recons.results.name)
    if results is None or AS_OF_CLOSE not in recon.views:
        return CURRENT
    mine = results[(results["recon"] == recon.name) & (results["view"] == AS_OF_CLOSE)]
    return CURRENT if mine.empty else AS_OF_CLOSE


def heading_of(column: str) -> str:
    """Return what stands above a column that names rows: ``customer_id`` is ``Customer``."""
    shown = wording.words(column.removesuffix("_id"))
    return shown[:1].upper() + shown[1:]


def totals(published: Published, recons: Reconciliations) -> pd.DataFrame | None:
    """Return each reconciliation and view in total, in the order of their declaration.

    What is published in total counts; a stream need not list the rows that agree.
    """
    summary, results = published.table(recons.summary.name), published.table(recons.results.name)
    if summary is None and results is None:
        return None
    order = {each.name: at for at, each in enumerate(recons)}
    rows = _published_totals(summary) if summary is not None and "rows" in summary else _added_totals(results)
    found = pd.DataFrame(rows, columns=["recon", "view", "unit", "rows", "matched", "within_tolerance", "breaches", *MEASURED])
    found = found.assign(
        place=found["recon"].map(lambda name: order.get(name, len(order))),
        format=found["unit"].map(lambda unit: unit_format(unit, published.currency)),
        shown_unit=found["unit"].map(lambda unit: _unit_words(unit, published.currency)),
        tone=found["breaches"].map(lambda count: "bad" if count else ""),
    )
    return found.sort_values(["place", "recon", "view"], kind="stable", ignore_index=True).astype(object)


def _unit_words(unit: str, currency: Currency) -> str:
    return currency.symbol if unit_format(unit, currency) != "decimal" else unit


def _published_totals(summary: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = ["recon", "view", "unit", "rows", "matched", "within_tolerance", "breaches"]
    amounts = ["left_total", "right_total", "variance_signed", "variance_gross"]
    return list(summary[[*columns, *amounts]].astype(object).itertuples(index=False, name=None))


def _added_totals(results: pd.DataFrame | None) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    if results is None:
        return found
    for (recon, view, unit), rows in results.groupby(["recon", "view", "unit"], sort=True):
        suffix = "cents" if unit == CENTS else "value"
        left, right, variance = (
            rows[f"{side}_{suffix}"].dropna().astype(object).tolist() for side in ("left", "right", "variance")
        )
        status = rows["status"].value_counts()
        counts = (int(status.get(name, 0)) for name in ("matched", "within_tolerance", "breach"))
        amounts = (added(left), added(right), added(variance), added(abs(each) for each in variance))
        found.append((recon, view, unit, len(rows), *counts, *amounts))
    return found


def total_of(published: Published, recons: Reconciliations, name: str, view: str = "") -> Mapping[str, Any] | None:
    """Return a reconciliation in total (by default in the view that people judge it by); ``None`` where it is absent."""
    frame = totals(published, recons)
    if frame is None:
        return None
    chosen = view or shown_view(recons.named(name), published, recons)
    rows = frame[(frame["recon"] == name) & (frame["view"] == chosen)]
    return None if rows.empty else dict(rows.iloc[0])


def cause_totals(published: Published, recons: Reconciliations) -> pd.DataFrame | None:
    """Return cents per cause of each reconciliation in both views, in order of precedence, each group with its sum."""
    causes = None if recons.causes is None else published.table(recons.causes.name)
    if causes is None:
        return None
    rows: list[dict[str, Any]] = []
    for recon in recons.explained:
        mine = causes[causes["recon"] == recon.name]
        families = {} if recon.causes is None else recon.causes.families
        order = {cause: at for at, cause in enumerate([*families, UNEXPLAINED])}
        of_recon: list[dict[str, Any]] = []
        for cause, found in mine.groupby("cause", sort=True):
            cents = {view: int(added(found.loc[found["view"] == view, "cause_cents"].tolist())) for view in recon.views}
            of_recon.append(
                {
                    "recon": recon.name,
                    "group": wording.words(recon.name),
                    "cause": str(cause),
                    "family": families.get(str(cause), ""),
                    "rows": len(found),
                    "at_close": cents.get(AS_OF_CLOSE, 0),
                    "current": cents.get(CURRENT, 0),
                    "is_sum": False,
                }
            )
        of_recon.sort(key=lambda row: (order.get(row["cause"], len(order)), row["cause"]))
        if of_recon:
            sums = {name: sum(row[name] for row in of_recon) for name in ("at_close", "current")}
            said = {"recon": recon.name, "group": wording.words(recon.name), "cause": "variance explained by these"}
            rows += [*of_recon, {**said, "family": "", "rows": None, **sums, "is_sum": True}]
    columns = ["recon", "group", "cause", "family", "rows", "at_close", "current", "is_sum"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def explained(published: Published, recons: Reconciliations, name: str) -> tuple[Any, int]:
    """Return the share of a reconciliation's absolute cause cents that a rule explains, and what is left, gross.

    Where nothing varies, all is explained.
    """
    causes = None if recons.causes is None else published.table(recons.causes.name)
    if causes is None:
        return None, 0
    view = shown_view(recons.named(name), published, recons)
    mine = causes[(causes["recon"] == name) & (causes["view"] == view)]
    cents = mine["cause_cents"].abs()
    gross, left = int(added(cents.tolist())), int(added(cents[mine["cause"] == UNEXPLAINED].tolist()))
    return (divide(gross - left, gross, 6) if gross else Decimal(1)), left


def steps(published: Published, recons: Reconciliations, name: str) -> pd.DataFrame | None:
    """Return the way from the right side of a reconciliation to the left, a step per cause."""
    total, causes = total_of(published, recons, name), cause_totals(published, recons)
    if total is None or causes is None:
        return None
    recon = recons.named(name)
    column = "at_close" if total["view"] == AS_OF_CLOSE else "current"
    mine = causes[(causes["recon"] == name) & ~causes["is_sum"].astype(bool) & causes[column].astype(bool)]
    between = [(wording.words(cause), cents, False) for cause, cents in zip(mine["cause"], mine[column], strict=True)]
    ends = ((recon.right, int(total["right"]), True), (recon.left, int(total["left"]), True))
    return pd.DataFrame([ends[0], *between, ends[1]], columns=["step", "amount_cents", "is_sum"], dtype=object)


# Tiles


def variance_kpi(recons: Reconciliations, name: str, label: str = "", what: str = "rows") -> Kpi:
    """Return the tile of a reconciliation: its signed variance, with the gross one and what is in breach."""
    money = declared_format(recons.named(name))

    def value(published: Published) -> Any:
        total = total_of(published, recons, name)
        return None if total is None else total["signed"]

    def note(published: Published) -> str:
        total = total_of(published, recons, name)
        assert total is not None
        gross = _amount(total["gross"], money, published.currency)
        return f"gross {gross}; {total['breaches']} of {total['rows']:,} {what} in breach"

    def tone(_: Any, published: Published) -> Tone:
        total = total_of(published, recons, name)
        assert total is not None
        return "bad" if total["breaches"] else "" if total["gross"] else "good"

    return Kpi(label or wording.words(name), value, money, note, tone=tone)


def _amount(value: Any, money: Format, currency: Currency) -> str:
    if money == "cents":
        return currency.amount(value)
    return currency.cost(value) if money == "cost" else wording.exact(value)


def explained_kpi(recons: Reconciliations, name: str, label: str = "Variance explained") -> Kpi:
    """Return the tile that says how much of a reconciliation's variance a rule explains."""

    def note(published: Published) -> str:
        return f"{published.currency.amount(explained(published, recons, name)[1])} unexplained (gross)"

    def tone(_: Any, published: Published) -> Tone:
        return "bad" if explained(published, recons, name)[1] else "good"

    return Kpi(label, lambda published: explained(published, recons, name)[0], "share", note, tone=tone)


# Listings and charts, one set for each stream


@dataclass(frozen=True, eq=False)
class Standard:
    """What every stream with reconciliations shows.

    Attributes:
        results: row by row, a sheet.
        causes: why rows vary, a sheet; ``None`` where nothing is explained.
        sections: what the page of controls says.
        tiles: tiles of that page for a stream that declares none.
        trends: what is kept of each month.
    """

    results: Listing
    causes: Listing | None
    sections: tuple[Section, ...]
    tiles: tuple[Kpi, ...]
    trends: tuple[Trend, ...]


@cache
def standard(recons: Reconciliations, names: Names) -> Standard:
    """Return what a stream's reconciliations show; ``names`` are the datasets that name the ids of their rows."""
    headline = [each.name for each in recons.explained] or [recons.declared[0].name]
    tiles = [tile for name in headline for tile in (variance_kpi(recons, name), *_explained_tile(recons, name))]
    return Standard(
        results_listing(recons, names),
        _causes_listing(recons, names),
        (
            Section(
                "Does it tie?",
                (Card("Reconciliations", (totals_listing(recons),), wide=True), *_trend_charts(recons, headline)),
            ),
            *_why(recons, names),
        ),
        tuple(tiles),
        (Trend(recons.summary.name, _kept),),
    )


def _explained_tile(recons: Reconciliations, name: str) -> tuple[Kpi, ...]:
    return (explained_kpi(recons, name),) if recons.named(name).causes is not None else ()


def _kept(summary: pd.DataFrame) -> pd.DataFrame:
    return summary[["month", "recon", "view", "variance_signed", "variance_gross"]]


def totals_listing(recons: Reconciliations) -> Listing:
    """Return the reconciliations in total."""
    return Listing(
        "Reconciliations",
        lambda published: totals(published, recons),
        (
            Column("recon", "Reconciliation", "words"),
            Column("view", "View", "words"),
            Column("shown_unit", "Unit"),
            Column("rows", "Rows", "integer"),
            Column("matched", "Matched", "integer"),
            Column("within_tolerance", "In tolerance", "integer"),
            Column("breaches", "Breaches", "integer", tone="tone"),
            *(Column(name, name.capitalize(), "decimal", by="format") for name in MEASURED),
        ),
        note="Variance is left less right. Gross adds up absolute variances, so errors which cancel each other stay visible.",
        first=0,
        empty="Nothing was compared in this month.",
        absent="Not available: no source of the other side has ever delivered.",
    )


def results_listing(
    recons: Reconciliations, names: Names = (), sheet: str = SHEET, title: str = SHEET, note: Any = ""
) -> Listing:
    """Return the reconciliations of a stream row by row, for a sheet; of a single one the sides have their names, and totals."""
    units = {declared_format(each) for each in recons}
    (only, *others) = recons.declared
    alone = not others and only.views == (CURRENT,)
    sides = (only.left, only.right) if alone else ("left", "right")
    amounts: list[Column] = []
    for money, suffix, more in (("cents", "cents", ""), ("cost", "value", ""), ("decimal", "value", " (other unit)")):
        if money in units:
            said = more if len(units) > 1 else ""
            words = [*(f"{side[:1].upper()}{side[1:]}{said}" for side in sides), f"Variance{said}"]
            fields = [f"{side}_{suffix}" for side in ("left", "right", "variance")]
            amounts += [Column(each, word, money, total=alone) for each, word in zip(fields, words, strict=True)]
    explanation = [Column("explanation", "Explanation", "wide")] if recons.explanation else []
    return Listing(
        title,
        lambda published: _with_names(published, published.table(recons.results.name), names),
        (
            Column("recon", "Reconciliation", "words", width=24),
            Column("view", "View", "words", width=13),
            *grain_columns(recons, names),
            Column("unit", "Unit", width=8),
            *amounts,
            Column("variance_pct", "Variance, % of right", "share"),
            Column("status", "Status", "words", width=17),
            *explanation,
        ),
        note=note or "Left less right, row by row; filter by reconciliation and view. Totals stand on the Summary",
        sheet=sheet,
    )


def _causes_listing(recons: Reconciliations, names: Names) -> Listing | None:
    if recons.causes is None:
        return None
    dataset = recons.causes.name
    return Listing(
        "Causes",
        lambda published: _with_names(published, published.table(dataset), names),
        (
            Column("recon", "Reconciliation", "words", width=24),
            Column("view", "View", "words", width=13),
            *grain_columns(recons, names),
            Column("cause", "Cause", "words", width=20),
            Column("family", "Family", "words", width=14),
            Column("cause_cents", "Amount", "cents"),
            Column("explanation", "Explanation", "wide"),
            Column("link_id", "Link", width=16),
            Column("evidence", "Evidence", "evidence"),
        ),
        note="Why each variance stands; the causes of a row add up to its variance exactly. Totals stand on the Summary",
        sheet=CAUSES_SHEET,
    )


def grain_columns(recons: Reconciliations, names: Names) -> list[Column]:
    """Return the columns that name a row, each id with its name beside it where a dataset has names."""
    named = {column: name for column, _, _, name in names}
    kinds = {column: recons.results.sql_type(column) for column in recons.grain}
    found = []
    for column in recons.grain:
        found.append(Column(column, heading_of(column), "date" if kinds[column] == "DATE" else "text", width=14))
        if column in named:
            found.append(Column(named[column], f"{heading_of(column)} name", width=26))
    return found


def _with_names(published: Published, frame: pd.DataFrame | None, names: Names) -> pd.DataFrame | None:
    return None if frame is None else with_names(published, frame, names)


def with_names(published: Published, frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Add the names where the ids stand; what has no name stays empty."""
    for column, dataset, key, name in names:
        if column in frame:
            known = published.names(dataset, key, name)
            found = [None if wording.is_missing(each) else known.get(str(each)) for each in frame[column].astype(object)]
            frame = frame.assign(**{name: pd.Series(found, index=frame.index, dtype=object)})
    return frame


def _trend_charts(recons: Reconciliations, headline: list[str]) -> list[Chart]:
    return [_trend_chart(recons, name) for name in headline]


def _trend_chart(recons: Reconciliations, name: str) -> Chart:
    recon = recons.named(name)

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.trend(recons.summary.name)
        if frame is None:
            return None
        return frame[(frame["recon"] == name) & (frame["view"] == shown_view(recon, published, recons))]

    return Chart(
        f"{wording.words(name)[:1].upper()}{wording.words(name)[1:]} by month",
        "line",
        rows,
        x="month",
        y={"variance_signed": "Signed", "variance_gross": "Gross"},
        format=declared_format(recon),
        unit="Variance, {currency}" if declared_format(recon) != "decimal" else f"Variance, {recon.unit}",
        shades={"Signed": "blue", "Gross": "red"},
        note=lambda published: (
            f"{recon.left[:1].upper()}{recon.left[1:]} less {recon.right},"
            f" view {wording.words(shown_view(recon, published, recons))}, signed and gross."
        ),
    )


def _why(recons: Reconciliations, names: Names) -> list[Section]:
    if not recons.explained:
        return []
    charts = [_steps_chart(recons, each) for each in recons.explained]
    by_cause = Listing(
        "Causes",
        lambda published: cause_totals(published, recons),
        (
            Column("cause", "Cause", "words"),
            Column("family", "Family", "words"),
            Column("rows", "Rows", "integer"),
            Column("at_close", "As of close", "cents"),
            Column("current", "Current", "cents"),
        ),
        note="Causes add up to the variance exactly, row by row.",
        first=0,
        group="group",
        sums="is_sum",
        empty="No variance to explain.",
        absent="No variance to explain.",
    )
    largest = [
        Card(each.title, (each,), wide=True) for each in (_largest_causes(recons, recon, names) for recon in recons.explained)
    ]
    return [Section("Why not?", (*charts, by_cause, *largest))]


def _steps_chart(recons: Reconciliations, recon: Reconciliation) -> Chart:
    return Chart(
        f"From {recon.right} to {recon.left}",
        "waterfall",
        lambda published: steps(published, recons, recon.name),
        x="step",
        y="amount_cents",
        sums="is_sum",
        note=lambda published: (
            f"View {wording.words(shown_view(recon, published, recons))}: {recon.right}, the causes, {recon.left}."
        ),
    )


def _largest_causes(recons: Reconciliations, recon: Reconciliation, names: Names) -> Listing:
    named = {column: name for column, _, _, name in names}

    def rows(published: Published) -> pd.DataFrame | None:
        causes = None if recons.causes is None else published.table(recons.causes.name)
        if causes is None:
            return None
        mine = (causes["recon"] == recon.name) & (causes["view"] == shown_view(recon, published, recons))
        chosen = with_names(published, causes[mine], names)
        for column, name in named.items():
            if column in chosen:
                chosen = chosen.assign(**{column: chosen[name].where(chosen[name].notna(), chosen[column])})
        return chosen

    return Listing(
        f"Largest causes, {wording.words(recon.name)}",
        rows,
        (
            *(
                Column(column, heading_of(column), "text" if column in named or column.endswith("_id") else "words")
                for column in recon.grain
            ),
            Column("cause", "Cause", "words"),
            Column("cause_cents", "Amount", "cents"),
            Column("explanation", "Explanation", "wide"),
            Column("evidence", "Evidence", "evidence"),
        ),
        note=lambda published: (
            f"View {wording.words(shown_view(recon, published, recons))}."
            " Every cause with its whole evidence stands in the workbook."
        ),
        what="causes",
        order=("±cause_cents",),
        empty="No variance to explain.",
        absent="No variance to explain.",
    )


# What was posted late


def bridge_listing(dataset: str, lines: str = "ERP lines") -> Listing:
    """Return the way from what was posted by the cutoff to what is posted now, and to what is recognized in the month."""

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.table(dataset)
        if frame is None or frame.empty:
            return None
        bridge = frame.iloc[0]
        made = [
            ("Posted by the cutoff", "as_of_close_cents", False, "of this service month"),
            ("Posted late, this service month", "late_cents", False, "of this service month"),
            ("Posted now", "current_cents", True, "of this service month"),
            ("Posted by the cutoff", "as_of_close_cents", False, "recognized in this month"),
            (
                "Posted late of other months, recognized here",
                "recognized_here_from_earlier_cents",
                False,
                "recognized in this month",
            ),
            ("Recognized in this month", "recognized_cents", True, "recognized in this month"),
        ]
        found = [(step, int(bridge[column]), is_sum, f"{lines} {group}") for step, column, is_sum, group in made]
        return pd.DataFrame(found, columns=["step", "amount_cents", "is_sum", "group"], dtype=object)

    return Listing(
        "Close bridge",
        rows,
        (Column("step", lines), Column("amount_cents", "Amount", "cents")),
        first=0,
        group="group",
        sums="is_sum",
    )
