"""Charts as static SVG, drawn from their declarations: no script, no font, no request.

Belongs here: a picture as a whole, what it says to those who cannot see it, what all pictures share. Does not belong here: which
charts there are and what they are drawn from (each stream's ``report``), how each kind looks (``chart_kinds``), the page around
them. Marks are placed by amounts made from exact cents; the figures themselves stand as text in the description of each chart,
and in the tables beside it.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from revenue_integrity.exact import added
from revenue_integrity.model.report import MONEY, Chart, Published, text_of
from revenue_integrity.reports.chart_kinds import KINDS
from revenue_integrity.reports.chart_points import APART, COLOURS, INK, MUTED, RULE, Drawn, label_of, points_below, points_of
from revenue_integrity.wording import visible

_LOG = logging.getLogger(__name__)

_FONT = "Helvetica, Arial, sans-serif"
_CONFIG: dict[str, Any] = {
    "background": None,
    # Labels are measured in another font than the one that draws them.
    "padding": {"left": 18, "right": 14, "top": 5, "bottom": 5},
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "gridColor": RULE,
        "domainColor": COLOURS["grey"],
        "tickColor": COLOURS["grey"],
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titlePadding": 16,
        "labelLimit": 0,
    },
    "legend": {"labelColor": INK, "labelFontSize": 12, "title": None, "orient": "top", "labelLimit": 0, "columnPadding": 34},
}
"""What all charts share. A limit has each label measured once more, a fifth of all drawing: ``limited`` cuts names."""

_TOLD = 12
"""Points or bars whose figures stand in a description."""
_KIND_WORDS = {
    "bar": "Bars",
    "stacked": "Stacked bars",
    "line": "Lines",
    "area": "Line",
    "across": "Bars",
    "donut": "Ring",
    "waterfall": "Waterfall",
    "pareto": "Bars with their cumulative share",
    "scatter": "Points",
}


@dataclass(frozen=True)
class Picture:
    """A chart as it was drawn: what it shows, and the SVG.

    Of one that could not be drawn there is no SVG: ``figures`` are its points, each with its place, its series and its amount.
    """

    title: str
    svg: str
    figures: Sequence[tuple[str, str, str]] = ()


def pictures(chart: Chart, published: Published, identifier: str) -> list[Picture]:
    """Return a chart's pictures, one unless it is split; none where there is nothing to draw."""
    frame = published.rows(chart.rows)
    if frame is None or frame.empty:
        return []
    if not chart.split:
        return _picture(chart, frame, published, identifier)
    found = []
    for at, (part, rows) in enumerate(frame.groupby(chart.split, sort=False), 1):
        found += _picture(chart, rows, published, f"{identifier}-{at}", part)
    return found


def _picture(chart: Chart, frame: pd.DataFrame, published: Published, identifier: str, part: Any = None) -> list[Picture]:
    drawn = Drawn(chart, list(points_of(chart, frame)), published, part)
    if not drawn.points:
        return []
    title = chart.title if part is None else f"{chart.title}, {part}"
    called = chart.title if part is None else str(part)
    try:
        svg = _svg(KINDS[chart.kind](drawn, frame), identifier, title, _description(drawn, frame))
    except ValueError as error:
        # A picture is worth less than the pack: what the library cannot draw, of whatever name, stands there as figures.
        _LOG.warning("the chart '%s' cannot be drawn, its figures stand in its place: %s", title, str(error).partition("\n")[0])
        figures = [(label_of(point.x), point.series, drawn.told(point.value)) for point in drawn.points]
        return [Picture(called, "", figures)]
    return [Picture(called, svg)]


def _description(drawn: Drawn, frame: pd.DataFrame) -> str:
    """Return what a chart shows in words, the latest or the first figures of it."""
    chart, xs = drawn.chart, drawn.xs
    over_time = all(re.fullmatch(r"\d{4}-\d{2}", str(x)) for x in xs)
    told = xs if chart.kind == "scatter" else xs[-_TOLD:] if over_time else xs[:_TOLD]
    unit = f" in {drawn.currency.code}" if chart.format in MONEY else ""
    if chart.kind == "scatter" or (chart.kind == "line" and chart.shaded is not None):
        sums = [(name, added(point.value for point in drawn.points if point.series == name)) for name in drawn.series]
        shown = "; ".join(f"{name} {drawn.told(value)}" for name, value in sums)
    else:
        at = {x: [point for point in drawn.points if point.x == x] for x in told}
        shown = "; ".join(
            f"{label_of(x)} " + ", ".join(f"{point.series} {drawn.told(point.value)}".strip() for point in points)
            for x, points in at.items()
        )
    more = f" ({len(xs)} in all)" if len(told) < len(xs) else ""
    words = [f"{_KIND_WORDS[chart.kind]}{unit}{more}: {shown}."]
    for column, meaning in filter(None, (chart.marked, chart.shaded)):
        found = dict.fromkeys(str(x) for x in frame.loc[frame[column].astype(bool), chart.x])
        words += [f"{meaning}: {', '.join(found)}."] if found else []
    below = points_below(drawn)
    if below:
        words.append(f"{below.chart.title} {below.told(added(point.value for point in below.points))} in all.")
    return " ".join([*words, text_of(chart.describe, drawn.published)]).strip()


def _drawable(value: Any) -> Any:
    """Return a chart without characters that end the process of the library which draws it."""
    if isinstance(value, dict):
        return {name: _drawable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_drawable(each) for each in value]
    return visible(value, but=APART) if isinstance(value, str) else value


def _svg(chart: Any, identifier: str, title: str, description: str) -> str:
    """Render a chart; its ids are made unique in the page, and it names and describes itself to a screen reader."""
    import vl_convert

    # To hold each chart against the schema of all charts takes as long as to draw it; the tests do.
    spec = _drawable(chart.to_dict(validate=False))
    spec["config"] = {**spec.get("config", {}), **_CONFIG}
    svg = str(vl_convert.vegalite_to_svg(spec))
    svg = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{identifier}-", svg)
    # In a page of HTML a namespace is implied, and the page must name no address at all.
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    # The inner marks announce themselves one by one otherwise.
    svg = re.sub(r' (role|aria-[a-z]+|aria-roledescription)="[^"]*"', "", svg)
    named, told = escape(visible(title)), escape(visible(description))
    names = f'<title id="{identifier}-title">{named}</title><desc id="{identifier}-desc">{told}</desc>'
    opening = f'<svg role="img" aria-labelledby="{identifier}-title {identifier}-desc" '
    svg = svg.replace("<svg ", opening, 1)
    end = svg.index(">") + 1
    return svg[:end] + names + svg[end:]
