"""What packs say of a stream's reconciliations, made from their declaration: totals, causes, tiles, sheets, trends.

Belongs here: listings, charts and tiles that every stream with reconciliations has. Does not belong here: which reconciliations
there are (each stream's ``recon``), what else a stream shows (its ``report``), how it looks (``tables``, ``workbook``).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.model.reconciliation import CENTS, CURRENCY, CURRENT, STATUSES, VIEWS, Reconciliation, Reconciliations
from revenue_integrity.model.report import Card, Chart, Column, Format, Kpi, Listing, Names, Published, Section, Tone, Trend
from revenue_integrity.reports.recon_figures import (
    causes_of,
    explained,
    gross_steps,
    in_shown_units,
    shown_view,
    steps,
    total_of,
    totals_of,
    written_format,
)
from revenue_integrity.wording import Currency

SHEET, CAUSES_SHEET = "Reconciliations", "Causes"


def declared_format(recon: Reconciliation) -> Format:
    """Return how amounts of a reconciliation are written."""
    return "cents" if recon.unit == CENTS else "cost" if recon.unit == CURRENCY else "decimal"


def heading_of(column: str) -> str:
    """Return what stands above a column that names rows: ``customer_id`` is ``Customer``."""
    shown = wording.words(column.removesuffix("_id"))
    return shown[:1].upper() + shown[1:]


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
    headline = headline_recons(recons)
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
        totals_of(recons),
        (
            Column("recon", "Reconciliation", "words"),
            Column("view", "View", "words"),
            Column("shown_unit", "Unit", "name"),
            Column("rows", "Rows", "integer"),
            Column("matched", "Matched", "integer"),
            Column("within_tolerance", "In tolerance", "integer"),
            Column("breaches", "Breaches", "integer", tone="tone"),
            *(Column(name, name.capitalize(), "decimal", by="format", whole=True, places=0) for name in ("left", "right")),
            *(Column(name, name.capitalize(), "decimal", by="format", places=0) for name in ("signed", "gross")),
            Column("variance_share", "Signed, % of right", "share", places=2),
            Column("tolerance", "Tolerance", "name"),
            Column("materiality_cents", "Materiality", "cents"),
        ),
        note="Variance is left less right. Gross adds up absolute variances, so errors which cancel each other stay visible."
        " A row within tolerance is nobody's task; materiality limits the causes of all rows in breach together.",
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
            by = "written" if money == "decimal" else ""
            amounts += [Column(each, word, money, total=alone, by=by) for each, word in zip(fields, words, strict=True)]
    explanation = [Column("explanation", "Explanation", "wide")] if recons.explanation else []
    measured = [f"{side}_value" for side in ("left", "right", "variance")]

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.table(recons.results.name)
        if frame is None:
            return None
        shown = in_shown_units(_breaches_first(frame, recons), published.currency, measured)
        written = shown["unit"].map(lambda unit: written_format(unit, published.currency))
        tone = shown["status"].map(lambda status: "bad" if status == "breach" else "")
        return with_names(published, shown.assign(tone=tone, written=written), names)

    return Listing(
        title,
        rows,
        (
            Column("recon", "Reconciliation", "words", width=24),
            Column("view", "View", "words", width=13),
            *grain_columns(recons, names),
            Column("shown_unit", "Unit", width=8),
            *amounts,
            Column("variance_pct", "Variance, % of right", "share"),
            Column("status", "Status", "words", width=17, tone="tone"),
            *explanation,
        ),
        note=note
        or "Left less right, row by row, breaches first; filter by reconciliation and view. Totals stand on the Summary",
        sheet=sheet,
    )


def _breaches_first(frame: pd.DataFrame, recons: Reconciliations) -> pd.DataFrame:
    """Return results or causes: rows in breach first, then as reconciliations and views are declared, the largest first."""
    places = [list(reversed(STATUSES)), [each.name for each in recons], list(VIEWS)]
    keys = pd.DataFrame(
        {
            name: frame[name].map({each: at for at, each in enumerate(order)}).to_numpy()
            for name, order in zip(("status", "recon", "view"), places, strict=True)
            if name in frame
        }
    )
    columns = [name for name in ("variance_cents", "variance_value", "cause_cents") if name in frame]
    sizes = [_size(row) for row in frame[columns].astype(object).itertuples(index=False, name=None)]
    ordered = keys.assign(size=pd.Series(sizes, dtype=object)).sort_values(
        [*keys.columns, "size"], ascending=[*[True] * len(keys.columns), False], kind="stable"
    )
    return frame.iloc[ordered.index.to_numpy()]


def _size(amounts: tuple[Any, ...]) -> Any:
    return max((abs(each) for each in amounts if not wording.is_missing(each)), default=0)


def _causes_listing(recons: Reconciliations, names: Names) -> Listing | None:
    if recons.causes is None:
        return None
    dataset = recons.causes.name

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.table(dataset)
        return None if frame is None else with_names(published, _breaches_first(frame, recons), names)

    return Listing(
        "Causes",
        rows,
        (
            Column("recon", "Reconciliation", "words", width=24),
            Column("view", "View", "words", width=13),
            Column("status", "Status", "words", width=17),
            *grain_columns(recons, names),
            Column("cause", "Cause", "words", width=20),
            Column("family", "Family", "words", width=14),
            Column("cause_cents", "Amount", "cents"),
            Column("explanation", "Explanation", "wide"),
            Column("link_id", "Link", "wide", width=40, screen_only=True),
            Column("evidence", "Evidence", "evidence", width=110),
        ),
        note="Why each variance stands, rows in breach first; the causes of a row add up to its variance exactly."
        " Totals stand on the Summary",
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
        f"{wording.headed(wording.words(name))} by month",
        "line",
        rows,
        x="month",
        y={"variance_signed": "Signed", "variance_gross": "Gross"},
        format=declared_format(recon),
        unit="Variance, {currency}" if declared_format(recon) != "decimal" else f"Variance, {recon.unit}",
        shades={"Signed": "blue", "Gross": "red"},
        note=lambda published: (
            f"{wording.headed(recon.left)} less {recon.right},"
            f" view {wording.words(shown_view(recon, published, recons))}, signed and gross."
        ),
    )


def _why(recons: Reconciliations, names: Names) -> list[Section]:
    if not recons.explained:
        return []
    charts = [_steps_chart(recons, each) for each in recons.explained]
    by_cause = Listing(
        "Causes",
        causes_of(recons),
        (
            Column("cause", "Cause", "words"),
            Column("family", "Family", "words"),
            Column("rows_at_close", "Rows as of close", "integer"),
            Column("at_close", "As of close", "cents"),
            Column("rows_current", "Rows of all postings", "integer"),
            Column("current", "All postings", "cents"),
        ),
        note="Causes add up to the variance exactly, row by row; each view has its own.",
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


def gross_bridge(recons: Reconciliations, name: str) -> tuple[Chart, Listing]:
    """Return the bridge of the gross variances of a reconciliation, from the close to what is held against materiality."""
    recon, money = recons.named(name), declared_format(recons.named(name))
    called = wording.headed(wording.words(name))

    def rows(published: Published) -> pd.DataFrame | None:
        return gross_steps(published, recons, name)

    chart = Chart(
        f"{called}, gross",
        "waterfall",
        rows,
        x="step",
        y="gross",
        format=money,
        sums="is_sum",
        from_zero=True,
        note=f"Gross: {recon.left} less {recon.right}, absolute amounts of all rows.",
    )
    listing = Listing(
        f"{called}, step by step",
        rows,
        (
            Column("step", "Step"),
            Column("rows", "Rows", "integer"),
            Column("signed", "Signed", money),
            Column("gross", "Gross", money),
        ),
        note="Each sum is what stands above it added up; gross amounts do not cancel each other.",
        first=0,
        sums="is_sum",
        empty="Nothing was compared in this month.",
    )
    return chart, listing


def headline_recons(recons: Reconciliations) -> list[str]:
    """Return the reconciliations that speak for a stream: those whose variances are explained, else the first."""
    return [each.name for each in recons.explained] or [recons.declared[0].name]


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
