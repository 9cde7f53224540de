"""What a chart is drawn from: its points, with their exact amounts, and how these stand along the axis and as text.

Belongs here: from a declaration and published rows to points, labels and colours. Does not belong here: how each kind looks
(``chart_kinds``), the picture as a whole (``charts``).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.exact import cents as cents_of
from revenue_integrity.model.report import MONEY, Chart, Published, Shade
from revenue_integrity.wording import Currency

INK, MUTED, RULE = "#1d2b36", "#51626f", "#d9e1e7"
COLOURS: Mapping[Shade, str] = {
    "blue": "#1f5f8b",
    "teal": "#2a8a7f",
    "red": "#b3402e",
    "grey": "#8fa1ae",
    "amber": "#b7791f",
    "violet": "#7a4fa3",
}
APART = "\u200b"
"""Begins what keeps two places of one name apart along the axis, and is not shown."""

SHADED = "#e3e8ec"
"""The ground of days that are marked as not whole."""

SERIES = (
    COLOURS["blue"],
    COLOURS["amber"],
    COLOURS["teal"],
    COLOURS["violet"],
    "#c2577a",
    "#4a7c2c",
    "#2b9cc4",
    "#8c5a2b",
    "#454f9e",
)
"""Colours of series that mean nothing by themselves; red is kept for what is wrong, grey for the rest."""


@dataclass(frozen=True)
class Point:
    """A value of a series: where it stands along the axis, and the exact amount."""

    x: Any
    series: str
    value: Any
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A chart with its points, ready to be drawn; of a chart that is split, one part of it."""

    chart: Chart
    points: Sequence[Point]
    published: Published
    part: Any = None

    @property
    def currency(self) -> Currency:
        """The currency of its amounts."""
        return self.published.currency

    @property
    def xs(self) -> list[Any]:
        """What stands along the axis, in order."""
        return list(dict.fromkeys(point.x for point in self.points))

    @property
    def series(self) -> list[str]:
        """The series, in order."""
        return list(dict.fromkeys(point.series for point in self.points))

    @property
    def unit(self) -> str:
        """What the axis of amounts says."""
        return (self.chart.unit or "{currency}").format(currency=self.currency.code)

    def placed(self, value: Any) -> float:
        """Return where an amount stands on the axis."""
        if self.chart.format == "cents":
            return int(value) / 100
        return cents_of(Decimal(value)) / 100 if self.chart.format == "cost" else float(value)

    def told(self, value: Any) -> str:
        """Return an amount as text."""
        if self.chart.format == "cents":
            return wording.money(value)
        if self.chart.format == "share":
            return wording.percent(value)
        return wording.cost(value) if self.chart.format == "cost" else wording.exact(value)

    def short(self, value: Any) -> str:
        """Return an amount as a label."""
        if self.chart.format == "cents":
            return self.currency.compact(value)
        return self.currency.compact_cost(value) if self.chart.format == "cost" else self.told(value)

    def axis(self, **scale: Any) -> dict[str, Any]:
        """Return the channel of amounts."""
        axis = {"labelExpr": self._labels(exact="domain" in scale), "title": self.unit, "tickCount": 5}
        return {"field": "value", "type": "quantitative", "axis": axis, "scale": scale or {"zero": True}}

    def _labels(self, *, exact: bool) -> str:
        """Return the expression of an axis' labels; ``exact`` where three digits would name several ticks alike."""
        if self.chart.format == "share":
            return "format(datum.value, '.0%')"
        sign = self.currency.before if self.chart.format in MONEY else ""
        short = "abs(datum.value) < 1 ? format(abs(datum.value), ',.2~f') : " if not exact else ""
        number = "format(abs(datum.value), ',.0f')" if exact else "upper(replace(format(abs(datum.value), '.3~s'), 'G', 'B'))"
        return f"(datum.value < 0 ? '(' : '') + '{sign}' + ({short}{number}) + (datum.value < 0 ? ')' : '')"

    def shades(self, names: Sequence[str]) -> list[str]:
        """Return a colour for each series."""
        rest = {point.series for point in self.points if self.chart.rest and point.row[self.chart.rest]}
        found = [SERIES[at % len(SERIES)] for at in range(len(names))]
        for at, name in enumerate(names):
            if name in rest or name in self.chart.shades:
                found[at] = COLOURS["grey" if name in rest else self.chart.shades[name]]
        return found


def points_of(chart: Chart, frame: pd.DataFrame) -> Iterator[Point]:
    """Yield the points of a chart in the order of its rows; a missing value is no point."""
    measures = {chart.y: ""} if isinstance(chart.y, str) else dict(chart.y)
    for record in frame.astype(object).to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        x = row[chart.x]
        for column, name in measures.items():
            value = row.get(column)
            if not wording.is_missing(value):
                series = wording.visible(str(row[chart.series])) if chart.series else name
                yield Point(_place(x), series, value, row)


def _place(x: Any) -> Any:
    """Return where a row stands along the axis; in a name nothing is hidden, and nothing is taken for what keeps two apart."""
    if isinstance(x, str):
        return wording.visible(x)
    return wording.month_label(x) if isinstance(x, pd.Timestamp) else x


def points_below(drawn: Drawn) -> Drawn | None:
    """Return the bars below the lines, of the same part of a chart that is split; ``None`` where there are none."""
    chart = drawn.chart.below
    frame = None if chart is None else drawn.published.rows(chart.rows)
    if chart is None or frame is None:
        return None
    rows = frame[frame[chart.split] == drawn.part] if chart.split else frame
    bars = Drawn(chart, list(points_of(chart, rows)), drawn.published, drawn.part)
    return bars if bars.points else None


def limited(names: Iterable[Any], room: int) -> dict[str, Any]:
    """Return what makes an axis or a legend show no more of each name than there is room for, in columns of text.

    The library's own limit would have each label measured once more, and cuts inside what people see as one character.
    """
    cut = {name: wording.shortened(label_of(name), room) for name in map(str, names)}
    cut = {name: label for name, label in cut.items() if label != name}
    return (
        {"labelExpr": f"{json.dumps(list(cut.values()))}[indexof({json.dumps(list(cut))}, datum.label)] || datum.label"}
        if cut
        else {}
    )


def label_of(x: Any) -> str:
    """Return what people see of a place along the axis: what keeps two of one name apart is not shown."""
    return str(x).split(APART)[0]
