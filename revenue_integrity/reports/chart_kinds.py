"""How each kind of chart looks.

Belongs here: marks, axes and layout. Does not belong here: which charts there are (each stream's ``report``), what they are drawn
from (``chart_points``), rendering and describing a picture (``charts``).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.exact import added
from revenue_integrity.model.report import Shade
from revenue_integrity.reports.chart_points import (
    APART,
    COLOURS,
    INK,
    SERIES,
    SHADED,
    Drawn,
    Point,
    label_of,
    limited,
    points_below,
)

_WIDTH, _HEIGHT = 480, 220
_DAY_WIDTH = 21
_STANDING_STEPS = 8
"""Steps of a waterfall beyond which its bars lie, so that every label has a line of its own."""
_SHORT_LABEL = 14
"""Characters of labels that have room beside each other below five bars."""
_TRUNCATE_BELOW = 5
"""A waterfall whose steps are smaller than its totals by this factor begins its axis near them, and says so."""
_TALLEST_REST = 2
"""How much taller than the largest bar the one of all others may be."""
_SLANTED, _NARROW, _LYING, _LISTED, _LEGEND = 21, 18, 28, 30, 60
"""Columns of text for labels: of bars side by side (in a narrow chart), of lying bars, in a short legend, in any."""
_LABELLED_POINTS = 7
"""Points of a line that have room for their amounts."""


def _values(drawn: Drawn) -> list[dict[str, Any]]:
    return [
        {"x": point.x, "series": point.series, "value": drawn.placed(point.value), "text": drawn.short(point.value), "order": at}
        for at, point in enumerate(drawn.points)
    ]


def _across_axis(xs: Sequence[Any]) -> Any:
    """Return the axis along which bars and lines stand; of many months, every second or third has a label."""
    import altair as alt

    every = max(1, -(-len(xs) // 12))
    shown = limited(xs, _SLANTED).get("labelExpr", "datum.label")
    label = f"indexof(domain('x'), datum.value) % {every} == {(len(xs) - 1) % every} ? {shown} : ''"
    axis = alt.Axis(title=None, labelAngle=0 if len(xs) <= 7 else -40, labelExpr=label)
    return alt.X("x:O", sort=list(xs), axis=axis)


def _colour(drawn: Drawn, room: int = _LEGEND, **legend: Any) -> Any:
    import altair as alt

    names = drawn.series
    shown = alt.Legend(**legend, **limited(names, room)) if names != [""] else None
    return alt.Color("series:N", sort=names, scale=alt.Scale(domain=names, range=drawn.shades(names)), legend=shown)


def _bar(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return bars side by side, one for each series."""
    import altair as alt

    return (
        alt.Chart(alt.Data(values=_values(drawn)))
        .mark_bar()
        .encode(
            x=_across_axis(drawn.xs),
            xOffset=alt.XOffset("series:N", sort=drawn.series),
            y=alt.Y(**drawn.axis()),
            color=_colour(drawn),
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )


def _stacked(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return bars that stand upon each other."""
    import altair as alt

    order = {name: at for at, name in enumerate(drawn.series)}
    values = [{**value, "order": order[value["series"]]} for value in _values(drawn)]
    return (
        alt.Chart(alt.Data(values=values))
        .mark_bar(size=max(8, min(46, 360 // len(drawn.xs))))
        .encode(x=_across_axis(drawn.xs), y=alt.Y(**drawn.axis()), color=_colour(drawn, columns=3), order=alt.Order("order:Q"))
        .properties(width=_WIDTH, height=_HEIGHT)
    )


def _line(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return a line for each series; over days with a shaded ground, marks, and bars below where there are any."""
    import altair as alt

    if drawn.chart.shaded is not None:
        return _days(drawn, frame)
    return (
        alt.Chart(alt.Data(values=_values(drawn)))
        .mark_line(point=True, strokeWidth=2)
        .encode(x=_across_axis(drawn.xs), y=alt.Y(**drawn.axis()), color=_colour(drawn, columns=3))
        .properties(width=_WIDTH, height=_HEIGHT)
    )


def _area(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return one line over its area, with its amounts where there is room."""
    import altair as alt

    shade = drawn.shades([drawn.series[0]])[0] if drawn.chart.shades else COLOURS["teal"]
    base = alt.Chart(alt.Data(values=_values(drawn))).encode(x=_across_axis(drawn.xs), y=alt.Y(**drawn.axis()))
    chart = base.mark_area(color=shade, opacity=0.15) + base.mark_line(color=shade, strokeWidth=2)
    chart += base.mark_point(color=shade, filled=True, size=36)
    if len(drawn.xs) <= _LABELLED_POINTS:
        chart += base.mark_text(dy=-11, fontSize=11, color=INK).encode(text="text:N")
    return chart.properties(width=_WIDTH, height=_HEIGHT)


def _shade_of(drawn: Drawn, point: Point, otherwise: Shade) -> str:
    named: Any = point.row.get(drawn.chart.tone) if drawn.chart.tone else None
    return COLOURS[named if named in COLOURS else otherwise]


def _across(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return lying bars, each with its amount."""
    import altair as alt

    values = [
        {**value, "colour": _shade_of(drawn, point, "teal")} for value, point in zip(_values(drawn), drawn.points, strict=True)
    ]
    y = alt.Y("x:N", sort=drawn.xs, axis=alt.Axis(title=None, **limited(drawn.xs, _LYING)))
    base = alt.Chart(alt.Data(values=values))
    marks = base.mark_bar(size=22).encode(x=alt.X(**drawn.axis()), y=y, color=alt.Color("colour:N", scale=None))
    labels = (
        base.mark_text(align="left", dx=5, fontSize=11, color=INK)
        .encode(x=alt.X("end:Q"), y=y, text="text:N")
        .transform_calculate(end="max(datum.value, 0)")
    )
    return (marks + labels).properties(width=380, height=max(110, 31 * len(values)))


def _donut(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return a ring whose parts are the shares of a whole; what is not above 0 has no part in it."""
    import altair as alt

    names = [label_of(point.x) for point in drawn.points]
    values = [{**value, "x": label_of(value["x"])} for value in _values(drawn) if value["value"] > 0]
    shades = [
        COLOURS[drawn.chart.shades[name]] if name in drawn.chart.shades else SERIES[at % len(SERIES)]
        for at, name in enumerate(names)
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        theta=alt.Theta("value:Q", stack=True),
        order=alt.Order("order:Q"),
        color=alt.Color(
            "x:N",
            sort=names,
            scale=alt.Scale(domain=names, range=shades),
            legend=alt.Legend(orient="right", **limited(names, _LISTED)),
        ),
    )
    ring = base.mark_arc(innerRadius=58, outerRadius=96, stroke="#ffffff", strokeWidth=1.5)
    labels = base.mark_text(radius=116, fontSize=11, color=INK).encode(text="text:N", color=alt.value(INK))
    return (ring + labels).properties(width=300, height=_HEIGHT + 40)


def _pareto(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return the largest as bars, the rest as one, and the share that they make together."""
    import altair as alt

    first, share = drawn.chart.first, drawn.chart.share
    shown = list(drawn.points[:first] if first else drawn.points)
    rest = drawn.points[len(shown) :]
    # Two of them may have one name; the number behind the invisible mark keeps them apart and is not shown.
    bars: list[tuple[str, Any, Any, bool]] = [
        (f"{wording.shortened(str(point.x), _NARROW)}{APART}#{at}", point.value, point.row.get(share), False)
        for at, point in enumerate(shown)
    ]
    if rest:
        together = added(point.value for point in rest)
        # A bar for hundreds of others would leave nothing to see of the largest: its amount stands in its label instead.
        told = f"{len(rest)} others"
        hides = abs(together) > _TALLEST_REST * max(abs(point.value) for point in shown)
        bars.append(
            (f"{told}: {drawn.short(together)}" if hides else told, 0 if hides else together, rest[-1].row.get(share), True)
        )
    order = [key for key, *_ in bars]
    values = [
        {
            "x": key,
            "value": drawn.placed(value),
            "share": None if wording.is_missing(cumulative) else float(cumulative),
            "colour": COLOURS["red" if value < 0 else "grey" if is_rest else "blue"],
        }
        for key, value, cumulative, is_rest in bars
    ]
    label = alt.Axis(title=None, labelAngle=-40, labelExpr="split(datum.label, '\\u200b#')[0]")
    x = alt.X("x:N", sort=order, axis=label)
    base = alt.Chart(alt.Data(values=values))
    columns = base.mark_bar().encode(x=x, y=alt.Y(**drawn.axis()), color=alt.Color("colour:N", scale=None))
    amber = COLOURS["amber"]
    line = base.mark_line(color=amber, point=alt.OverlayMarkDef(color=amber), strokeWidth=2).encode(
        x=x,
        y=alt.Y(
            "share:Q",
            axis=alt.Axis(title="Cumulative share", format=".0%", grid=False, tickCount=5),
            scale={"zero": True},
        ),
    )
    return alt.layer(columns, line).resolve_scale(y="independent").properties(width=440, height=_HEIGHT)


def _waterfall(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return the way from the first total over the steps to the last total."""
    import altair as alt

    bars: list[dict[str, Any]] = []
    level: Any = 0
    for at, point in enumerate(drawn.points):
        is_total = bool(point.row.get(drawn.chart.sums))
        start, end = (0, point.value) if is_total else (level, level + point.value)
        level = end
        shade = COLOURS["blue"] if is_total else _shade_of(drawn, point, "teal" if point.value >= 0 else "red")
        bars.append(
            {"at": at, "label": str(point.x), "start": start, "end": end, "value": point.value, "sum": is_total, "colour": shade}
        )
    low, high, truncated = _span(bars, from_zero=drawn.chart.from_zero)
    values = [
        {
            "label": bar["label"],
            "colour": bar["colour"],
            "value": drawn.placed(low if truncated and bar["sum"] else bar["start"]),
            "end": drawn.placed(bar["end"]),
            "top": drawn.placed(max(bar["start"], bar["end"])),
            "text": drawn.short(bar["value"]),
        }
        for bar in bars
    ]
    scale: dict[str, Any] = {"domain": [drawn.placed(low), drawn.placed(high)], "zero": False, "nice": False} if truncated else {}
    channel = drawn.axis(**scale)
    if truncated:
        channel["axis"]["title"] += " (axis does not begin at 0)"
    order = [bar["label"] for bar in bars]
    base = alt.Chart(alt.Data(values=values))
    colour = alt.Color("colour:N", scale=None)
    if len(bars) > _STANDING_STEPS:
        channel["axis"]["tickCount"] = 4
        y = alt.Y("label:N", sort=order, axis=alt.Axis(title=None, **limited(order, _LYING)))
        marks = base.mark_bar(size=15).encode(y=y, x=alt.X(**channel), x2="end:Q", color=colour)
        labels = base.mark_text(align="left", dx=5, fontSize=11, color=INK).encode(y=y, x=alt.X("top:Q"), text="text:N")
        return (marks + labels).properties(width=400, height=22 * len(bars))
    angle = 0 if len(bars) <= 5 and max(map(len, order)) <= _SHORT_LABEL else -35
    x = alt.X("label:N", sort=order, axis=alt.Axis(title=None, labelAngle=angle, labelPadding=6, **limited(order, _SLANTED)))
    size = max(14, min(40, 320 // len(bars)))
    marks = base.mark_bar(size=size).encode(x=x, y=alt.Y(**channel), y2="end:Q", color=colour)
    labels = base.mark_text(dy=-7, fontSize=11, color=INK).encode(x=x, y=alt.Y("top:Q"), text="text:N")
    return (marks + labels).properties(width=_WIDTH, height=230)


def _scatter(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return a point for each row between two measures, the series that stand for all others below the rest."""
    import altair as alt

    values = [{**value, "x": float(value["x"])} for value in _values(drawn)]
    axis = alt.Axis(title=drawn.chart.along, format=".0%", tickCount=6)
    return (
        alt.Chart(alt.Data(values=values))
        .mark_point(filled=True, size=44, opacity=0.75)
        .encode(x=alt.X("x:Q", axis=axis, scale={"zero": False}), y=alt.Y(**drawn.axis()), color=_colour(drawn))
        .properties(width=_WIDTH, height=_HEIGHT)
    )


def _span(bars: Sequence[Mapping[str, Any]], *, from_zero: bool) -> tuple[Any, Any, bool]:
    """Return the lowest and highest amounts to show, and whether the axis leaves out the ground."""
    levels = [bar["end"] for bar in bars] + [bar["start"] for bar in bars if not bar["sum"]]
    low, high = min(levels), max(levels)
    moved = max(high - low, 1)
    if from_zero or low <= 0 or moved * _TRUNCATE_BELOW > high:
        return min(low, 0), high, False
    return max(0, low - moved // 2), high + moved // 4, True


def _day_axis(days: Sequence[int], title: str | None) -> Any:
    import altair as alt

    axis = alt.Axis(title=title, labelAngle=0, labelFontSize=11, grid=False)
    return alt.X("x:O", sort=list(days), scale=alt.Scale(domain=list(days)), axis=axis)


def _days(drawn: Drawn, frame: pd.DataFrame) -> Any:
    """Return lines over the days of a month: some of whose ground is shaded, some of whose points are marked."""
    import altair as alt

    chart, values = drawn.chart, _values(drawn)
    days = sorted({int(day) for day in frame[chart.x]})
    marks = [
        value
        for value, point in zip(values, drawn.points, strict=True)
        if chart.marked is not None and point.row[chart.marked[0]]
    ]
    below = _below(drawn, days)
    title = "Day (UTC)"
    x = _day_axis(days, None if below is not None else title)
    width = _DAY_WIDTH * len(days)
    y = alt.Y(**drawn.axis())
    assert chart.shaded is not None
    shaded = [{"x": int(day)} for day in sorted(set(frame.loc[frame[chart.shaded[0]].astype(bool), chart.x]))]
    legend: dict[str, Any] = {"columns": 3, "symbolType": "circle"}
    layers = [
        alt.Chart(alt.Data(values=shaded)).mark_rect(color=SHADED, width=_DAY_WIDTH).encode(x=x),
        alt.Chart(alt.Data(values=values))
        .mark_line(strokeWidth=2, strokeJoin="round", point=alt.OverlayMarkDef(size=14))
        .encode(x=x, y=y, color=_colour(drawn, _LISTED, **legend)),
    ]
    if marks:
        layers.append(
            alt.Chart(alt.Data(values=marks))
            .mark_point(
                shape="triangle-down",
                filled=True,
                size=110,
                color=COLOURS["red"],
                opacity=1,
                stroke="#ffffff",
                strokeWidth=1,
                yOffset=-7,
            )
            .encode(x=x, y=y)
        )
    whole: Any = alt.layer(*layers).properties(width=width, height=240)
    if below is None:
        return whole
    return alt.vconcat(whole, below.encode(x=_day_axis(days, title)), spacing=6).resolve_scale(color="independent")


def _below(drawn: Drawn, days: Sequence[int]) -> Any:
    import altair as alt

    bars = points_below(drawn)
    if bars is None:
        return None
    return (
        alt.Chart(alt.Data(values=_values(bars)))
        .mark_bar(width=_DAY_WIDTH - 7)
        .encode(y=alt.Y(**bars.axis()), color=_colour(bars, orient="bottom", symbolType="square"))
        .properties(width=_DAY_WIDTH * len(days), height=90)
    )


KINDS: Mapping[str, Callable[[Drawn, pd.DataFrame], Any]] = {
    "bar": _bar,
    "stacked": _stacked,
    "line": _line,
    "area": _area,
    "across": _across,
    "donut": _donut,
    "waterfall": _waterfall,
    "pareto": _pareto,
    "scatter": _scatter,
}
