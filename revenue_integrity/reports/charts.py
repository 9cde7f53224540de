"""Charts of the close pack as static SVG: no script, no font, no request.

Belongs here: declarations of charts and their rendering. Does not belong here: figures (``figures``), the page around them.
Bars are placed in dollars made from exact cents; the figures themselves stand as text in the table beside each chart.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

from revenue_integrity.exact import cents as cents_of
from revenue_integrity.reports import formatting
from revenue_integrity.reports.cloud_figures import DailyCosts
from revenue_integrity.reports.figures import CustomerMargin, MonthPoint, Risk, Step

INK, MUTED, RULE = "#1d2b36", "#51626f", "#d9e1e7"
BLUE, TEAL, RED, GREY, AMBER = "#1f5f8b", "#2a8a7f", "#b3402e", "#8fa1ae", "#b7791f"

_MONEY_AXIS = (
    "(datum.value < 0 ? '(' : '') + upper(replace(format(abs(datum.value), '$.3~s'), 'G', 'B')) + (datum.value < 0 ? ')' : '')"
)
_EXACT_AXIS = _MONEY_AXIS.replace("$.3~s", "$,.0f")
"""For axes that do not begin at 0, where three digits would name several ticks alike."""
_FONT = "Helvetica, Arial, sans-serif"
_CONFIG: dict[str, Any] = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "gridColor": RULE,
        "domainColor": GREY,
        "tickColor": GREY,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 0,
    },
    "legend": {"labelColor": INK, "labelFontSize": 12, "title": None, "orient": "top", "labelLimit": 0},
}
"""What all charts share. A limit has each label measured once more, a fifth of all drawing: where names can be long it is set."""
_PARETO_CUSTOMERS = 20
_STANDING_STEPS = 8
"""Steps of a waterfall beyond which its bars lie, so that every label has a line of its own."""
_TRUNCATE_BELOW = 5
"""A waterfall whose steps are smaller than its totals by this factor begins its axis near them, and says so."""


def _svg(chart: Any, identifier: str, title: str, description: str) -> str:
    """Render a chart; its ids are made unique in the page, and it names and describes itself to a screen reader."""
    import vl_convert

    # To hold each chart against the schema of all charts takes as long as to draw it; the tests do.
    spec = chart.to_dict(validate=False)
    spec["config"] = {**spec.get("config", {}), **_CONFIG}
    svg = str(vl_convert.vegalite_to_svg(spec))
    svg = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{identifier}-", svg)
    # In a page of HTML a namespace is implied, and the page must name no address at all.
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    # The inner marks announce themselves one by one otherwise.
    svg = re.sub(r' (role|aria-[a-z]+|aria-roledescription)="[^"]*"', "", svg)
    names = f'<title id="{identifier}-title">{escape(title)}</title><desc id="{identifier}-desc">{escape(description)}</desc>'
    opening = f'<svg role="img" aria-labelledby="{identifier}-title {identifier}-desc" '
    svg = svg.replace("<svg ", opening, 1)
    end = svg.index(">") + 1
    return svg[:end] + names + svg[end:]


def _dollars(cents: int) -> float:
    return cents / 100


def _money(field: str, title: str, **scale: Any) -> dict[str, Any]:
    axis = {"labelExpr": _EXACT_AXIS if "domain" in scale else _MONEY_AXIS, "title": title, "tickCount": 5}
    return {"field": field, "type": "quantitative", "axis": axis, "scale": scale or {"zero": True}}


def waterfall(steps: Sequence[Step], identifier: str, title: str) -> str:
    """Return a waterfall from the first total over the steps to the last total; empty without steps."""
    import altair as alt

    if not steps:
        return ""
    bars: list[dict[str, Any]] = []
    level = 0
    for position, step in enumerate(steps):
        start, end = (0, step.cents) if step.is_total else (level, level + step.cents)
        level = end
        colour = BLUE if step.is_total else TEAL if step.cents >= 0 else RED
        bars.append(
            {"position": position, "label": step.label, "start": start, "end": end, "cents": step.cents, "colour": colour}
        )
    low, high, truncated = _span(steps, bars)
    values = [
        {
            **bar,
            "start": _dollars(low if truncated and steps[bar["position"]].is_total else bar["start"]),
            "end": _dollars(bar["end"]),
            "top": _dollars(max(bar["start"], bar["end"])),
            "text": formatting.compact_money(bar["cents"]),
        }
        for bar in bars
    ]
    scale: dict[str, Any] = (
        {"domain": [_dollars(low), _dollars(high)], "zero": False, "nice": False} if truncated else {"zero": True}
    )
    unit = "US dollars (axis does not begin at 0)" if truncated else "US dollars"
    order = [step.label for step in steps]
    base = alt.Chart(alt.Data(values=values))
    shade = alt.Color("colour:N", scale=None)
    if len(steps) > _STANDING_STEPS:
        y = alt.Y("label:N", sort=order, axis=alt.Axis(title=None, labelLimit=170))
        marks = base.mark_bar(size=15).encode(y=y, x=alt.X(**_money("start", unit, **scale)), x2="end:Q", color=shade)
        labels = base.mark_text(align="left", dx=5, fontSize=11, color=INK).encode(y=y, x=alt.X("top:Q"), text="text:N")
        width, height = 400, 22 * len(steps)
    else:
        angle = 0 if len(steps) <= 5 else -35
        x = alt.X("label:N", sort=order, axis=alt.Axis(title=None, labelAngle=angle, labelLimit=130, labelPadding=6))
        size = max(14, min(40, 320 // len(steps)))
        marks = base.mark_bar(size=size).encode(x=x, y=alt.Y(**_money("start", unit, **scale)), y2="end:Q", color=shade)
        labels = base.mark_text(dy=-7, fontSize=11, color=INK).encode(x=x, y=alt.Y("top:Q"), text="text:N")
        width, height = 480, 230
    shown = "; ".join(f"{step.label} {formatting.money(step.cents)}" for step in steps)
    return _svg((marks + labels).properties(width=width, height=height), identifier, title, f"Waterfall in US dollars: {shown}.")


def _span(steps: Sequence[Step], bars: Sequence[Mapping[str, Any]]) -> tuple[int, int, bool]:
    """Return the lowest and highest cents to show, and whether the axis leaves out the ground."""
    levels = [bar["end"] for bar in bars] + [bar["start"] for bar in bars if not steps[bar["position"]].is_total]
    low, high = min(levels), max(levels)
    moved = max(high - low, 1)
    if low <= 0 or moved * _TRUNCATE_BELOW > high:
        return min(low, 0), high, False
    return max(0, low - moved // 2), high + moved // 4, True


def revenue_and_power(points: Sequence[MonthPoint], identifier: str) -> str:
    """Return revenue and power cost side by side, month by month."""
    import altair as alt

    if not points:
        return ""
    values = [
        {"month": formatting.month_label(point.month), "measure": name, "dollars": _dollars(cents)}
        for point in points
        for name, cents in (("Revenue", point.revenue), ("Power cost", point.power_cost))
    ]
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            x=_month_axis(len(points)),
            xOffset=alt.XOffset("measure:N", sort=["Revenue", "Power cost"]),
            y=alt.Y(**_money("dollars", "US dollars a month")),
            color=alt.Color(
                "measure:N",
                sort=["Revenue", "Power cost"],
                scale=alt.Scale(domain=["Revenue", "Power cost"], range=[BLUE, AMBER]),
            ),
        )
        .properties(width=480, height=220)
    )
    last = points[-1]
    description = (
        f"Bars for {len(points)} months up to {formatting.month_name(last.month)}: "
        f"revenue {formatting.money(last.revenue)} and power cost {formatting.money(last.power_cost)} US dollars in the last."
    )
    return _svg(chart, identifier, "Revenue and power cost by month", description)


def _month_axis(count: int) -> Any:
    import altair as alt

    every = max(1, -(-count // 12))
    expression = f"indexof(domain('x'), datum.value) % {every} == {(count - 1) % every} ? datum.label : ''"
    return alt.X("month:O", axis=alt.Axis(title=None, labelAngle=0 if count <= 7 else -40, labelExpr=expression))


def margin_by_month(points: Sequence[MonthPoint], identifier: str) -> str:
    """Return the margin as a line with a point a month."""
    import altair as alt

    if not points:
        return ""
    values = [
        {
            "month": formatting.month_label(point.month),
            "dollars": _dollars(point.margin),
            "text": formatting.compact_money(point.margin),
        }
        for point in points
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=_month_axis(len(points)), y=alt.Y(**_money("dollars", "Margin, US dollars a month"))
    )
    chart = (
        base.mark_area(color=TEAL, opacity=0.15)
        + base.mark_line(color=TEAL, strokeWidth=2)
        + base.mark_point(color=TEAL, filled=True, size=36)
    )
    if len(points) <= 7:
        chart += base.mark_text(dy=-11, fontSize=11, color=INK).encode(text="text:N")
    shown = "; ".join(f"{formatting.month_label(point.month)} {formatting.money(point.margin)}" for point in points[-12:])
    return _svg(
        chart.properties(width=480, height=220), identifier, "Margin by month", f"Line in US dollars, latest months: {shown}."
    )


def margin_pareto(customers: Sequence[CustomerMargin], identifier: str) -> str:
    """Return the customers by margin with the share that the largest make together; the rest is one bar."""
    import altair as alt

    if not customers:
        return ""
    shown = list(customers[:_PARETO_CUSTOMERS])
    rest = customers[_PARETO_CUSTOMERS:]
    bars = [(f"{each.name}\u200b#{each.customer_id}", each.name, each.margin, each.cumulative_share) for each in shown]
    if rest:
        label = f"{len(rest)} others"
        bars.append((label, label, sum(each.margin for each in rest), rest[-1].cumulative_share))
    order = [key for key, *_ in bars]
    values = [
        {
            "customer": key,
            "dollars": _dollars(cents),
            "share": None if share is None else float(share),
            "colour": RED if cents < 0 else GREY if rest and key == order[-1] else BLUE,
        }
        for key, _, cents, share in bars
    ]
    x = alt.X(
        "customer:N",
        sort=order,
        axis=alt.Axis(
            title=None,
            labelAngle=-40,
            labelLimit=110,
            # Two customers may have one name; the id behind the invisible mark keeps them apart and is not shown.
            labelExpr="split(datum.label, '\\u200b#')[0]",
        ),
    )
    base = alt.Chart(alt.Data(values=values))
    columns = base.mark_bar().encode(
        x=x, y=alt.Y(**_money("dollars", "Margin, US dollars")), color=alt.Color("colour:N", scale=None)
    )
    line = base.mark_line(color=AMBER, point=alt.OverlayMarkDef(color=AMBER), strokeWidth=2).encode(
        x=x,
        y=alt.Y(
            "share:Q",
            axis=alt.Axis(title="Cumulative share of positive margins", format=".0%", grid=False, tickCount=5),
            scale={"zero": True},
        ),
    )
    top = "; ".join(f"{name} {formatting.money(cents)}" for _, name, cents, _ in bars[:5])
    chart = alt.layer(columns, line).resolve_scale(y="independent").properties(width=440, height=220)
    return _svg(
        chart, identifier, "Margin by customer (Pareto)", f"{len(customers)} customers, the largest first: {top}, in US dollars."
    )


def risk_bars(risk: Risk | None, identifier: str) -> str:
    """Return this month's margin beside the expected, the bad, the worst and the stressed ones."""
    import altair as alt

    if risk is None or not risk.contracts:
        return ""
    bars = [("this month", risk.this_month), *risk.amounts.items()]
    values = [
        {
            "case": label,
            "dollars": _dollars(cents),
            "text": formatting.compact_money(cents),
            "colour": RED if cents < 0 else GREY if position == 0 else AMBER if label.startswith("stress") else TEAL,
        }
        for position, (label, cents) in enumerate(bars)
    ]
    y = alt.Y("case:N", sort=[label for label, _ in bars], axis=alt.Axis(title=None, labelLimit=170))
    base = alt.Chart(alt.Data(values=values))
    marks = base.mark_bar(size=22).encode(
        x=alt.X(**_money("dollars", "Margin, US dollars a month")), y=y, color=alt.Color("colour:N", scale=None)
    )
    labels = (
        base.mark_text(align="left", dx=5, fontSize=11, color=INK)
        .encode(x=alt.X("end:Q"), y=y, text="text:N")
        .transform_calculate(end="max(datum.dollars, 0)")
    )
    shown = "; ".join(f"{label} {formatting.money(cents)}" for label, cents in bars)
    return _svg((marks + labels).properties(width=380, height=220), identifier, "Margin at risk", f"Bars in US dollars: {shown}.")


def lines_by_month(series: Mapping[str, Sequence[tuple[Any, int]]], identifier: str, title: str, unit: str) -> str:
    """Return one line per series of (month, cents)."""
    import altair as alt

    values = [
        {"month": formatting.month_label(month), "measure": name, "dollars": _dollars(cents)}
        for name, points in series.items()
        for month, cents in points
    ]
    if not values:
        return ""
    names = list(series)
    count = len({value["month"] for value in values})
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_line(point=True, strokeWidth=2)
        .encode(
            x=_month_axis(count),
            y=alt.Y(**_money("dollars", unit)),
            color=alt.Color("measure:N", sort=names, scale=alt.Scale(domain=names, range=[BLUE, RED, TEAL, AMBER][: len(names)])),
        )
        .properties(width=480, height=220)
    )
    latest = "; ".join(f"{name} {formatting.money(points[-1][1])}" for name, points in series.items() if points)
    return _svg(chart, identifier, title, f"Lines over {count} months, latest in US dollars: {latest}.")


_LINES = (BLUE, AMBER, TEAL, "#7a4fa3", "#c2577a", "#4a7c2c", "#2b9cc4", "#8c5a2b", "#454f9e")
"""Colours of accounts and tenants; red is kept for what was restated, grey for the rest."""
_CAUSE_COLOURS = (
    ("late", AMBER),
    ("correction", BLUE),
    ("duplicate_removed", "#7a4fa3"),
    ("deletion", RED),
    ("moved", TEAL),
    ("omission", "#8c5a2b"),
)
_DAY_WIDTH = 21


def _day_axis(costs: DailyCosts, title: str | None) -> Any:
    import altair as alt

    return alt.X(
        "day:O",
        sort=[day.day for day in costs.days],
        scale=alt.Scale(domain=[day.day for day in costs.days]),
        axis=alt.Axis(title=title, labelAngle=0, labelFontSize=11, grid=False),
    )


def daily_costs(costs: DailyCosts, identifier: str) -> str:
    """Return the daily cost of a tenant's accounts: restated days marked, with their change by cause below, and incomplete ones.

    Empty where there is nothing to show.
    """
    import altair as alt

    lines = [
        {"day": day.day, "account": label, "dollars": _rounded(cost)}
        for label, by_day in costs.series
        for day, cost in by_day.items()
    ]
    marks = _restated_marks(costs)
    if not lines and not marks:
        return ""
    labels = [label for label, _ in costs.series]
    colours = [GREY if costs.rest and label == labels[-1] else _LINES[at % len(_LINES)] for at, label in enumerate(labels)]
    month = formatting.month_name(costs.days[0])
    below = bool(marks)
    x = _day_axis(costs, None if below else f"Day of {month} (UTC)")
    width = _DAY_WIDTH * len(costs.days)
    y = alt.Y(**_money("dollars", "US dollars a day"))
    shaded = [{"day": day.day} for day in costs.incomplete]
    layers = [
        alt.Chart(alt.Data(values=shaded)).mark_rect(color="#e3e8ec", width=_DAY_WIDTH).encode(x=x),
        alt.Chart(alt.Data(values=lines))
        .mark_line(strokeWidth=2, strokeJoin="round", point=alt.OverlayMarkDef(size=14))
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "account:N",
                sort=labels,
                scale=alt.Scale(domain=labels, range=colours),
                legend=alt.Legend(columns=3, labelLimit=190, symbolType="circle"),
            ),
        ),
    ]
    if marks:
        layers.append(
            alt.Chart(alt.Data(values=marks))
            .mark_point(
                shape="triangle-down", filled=True, size=110, color=RED, opacity=1, stroke="#ffffff", strokeWidth=1, yOffset=-7
            )
            .encode(x=x, y=y)
        )
    chart: Any = alt.layer(*layers).properties(width=width, height=240)
    if below:
        chart = alt.vconcat(chart, _restated_bars(costs, width, f"Day of {month} (UTC)"), spacing=6).resolve_scale(
            color="independent"
        )
    return _svg(chart, identifier, f"Daily cost by account, {costs.title}", _daily_description(costs))


def _rounded(cost: Decimal) -> float:
    return _dollars(cents_of(cost))


def _restated_marks(costs: DailyCosts) -> list[dict[str, Any]]:
    """Return where marks stand: on the line's point of the day, at 0 where the day has no cost any more."""
    by_label = dict(costs.series)
    return [
        {"day": each.day.day, "dollars": _rounded(by_label.get(each.series, {}).get(each.day, Decimal(0)))}
        for each in costs.restated
    ]


def _restated_bars(costs: DailyCosts, width: int, title: str) -> Any:
    """Return the change of each restated day by cause, all accounts together."""
    import altair as alt

    sums: dict[tuple[date, str], Decimal] = {}
    for each in costs.restated:
        for cause, delta in each.by_cause.items():
            sums[each.day, cause] = sums.get((each.day, cause), Decimal(0)) + delta
    values = [
        {"day": day.day, "cause": formatting.words(cause), "dollars": _rounded(delta)}
        for (day, cause), delta in sorted(sums.items())
    ]
    present = {cause for _, cause in sums}
    known = [(cause, colour) for cause, colour in _CAUSE_COLOURS if cause in present]
    known += [(cause, GREY) for cause in sorted(present - {cause for cause, _ in known})]
    return (
        alt.Chart(alt.Data(values=values))
        .mark_bar(width=_DAY_WIDTH - 7)
        .encode(
            x=_day_axis(costs, title),
            y=alt.Y(**_money("dollars", "Restated, $")),
            color=alt.Color(
                "cause:N",
                scale=alt.Scale(domain=[formatting.words(cause) for cause, _ in known], range=[colour for _, colour in known]),
                legend=alt.Legend(orient="bottom", symbolType="square"),
            ),
        )
        .properties(width=width, height=90)
    )


def _daily_description(costs: DailyCosts) -> str:
    totals = [(label, sum(by_day.values(), Decimal(0))) for label, by_day in costs.series]
    shown = "; ".join(f"{label} {formatting.cost(cost)}" for label, cost in totals)
    parts = [f"Lines over the days of {formatting.month_name(costs.days[0])}, month in US dollars: {shown}."]
    if costs.restated:
        days = sorted({each.day for each in costs.restated})
        delta = sum((each.delta for each in costs.restated), Decimal(0))
        parts.append(f"Restated by {formatting.cost(delta)} in all on {', '.join(day.isoformat() for day in days)}.")
    if costs.incomplete:
        parts.append(f"Not complete: {', '.join(day.isoformat() for day in costs.incomplete)}.")
    return " ".join(parts)


def cost_by_month(series: Mapping[str, Sequence[tuple[date, Decimal]]], identifier: str) -> str:
    """Return the cost of each tenant by month, stacked; empty without months."""
    import altair as alt

    values = [
        {"month": formatting.month_label(month), "tenant": name, "dollars": _rounded(cost), "order": at}
        for at, (name, points) in enumerate(series.items())
        for month, cost in points
    ]
    if not values:
        return ""
    names = list(series)
    colours = [_LINES[at % len(_LINES)] for at in range(len(names))]
    months_shown = {value["month"] for value in values}
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_bar(size=max(8, min(46, 360 // len(months_shown))))
        .encode(
            x=_month_axis(len(months_shown)),
            y=alt.Y(**_money("dollars", "US dollars a month")),
            color=alt.Color("tenant:N", sort=names, scale=alt.Scale(domain=names, range=colours), legend=alt.Legend(columns=3)),
            order=alt.Order("order:Q"),
        )
        .properties(width=480, height=220)
    )
    latest = "; ".join(f"{name} {formatting.cost(points[-1][1])}" for name, points in series.items())
    description = f"Bars over {len(months_shown)} months, latest in US dollars: {latest}."
    return _svg(chart, identifier, "Cloud cost by month and tenant", description)
