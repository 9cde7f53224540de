"""The report as PBIR, Microsoft's text form of it: a page per view, pictures bound to measures and columns of the model.

Belongs here: how pages and pictures are written and where they stand. Does not belong here: which there are (each stream's
``powerbi``).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from revenue_integrity.model.powerbi import MONTHS, Page, Visual
from revenue_integrity.serving.powerbi.model import Model

_SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric/item/report/definition"
_WIDTH, _HEIGHT, _GAP = 1280, 720, 12
_SLICER_HEIGHT, _CARD_HEIGHT = 60, 96
_CARDS_A_ROW = 6
_TYPES = {"card": "card", "bar": "clusteredBarChart", "line": "lineChart", "table": "tableEx", "donut": "donutChart"}
_ALONG = {"bar": "Category", "line": "Category", "donut": "Category", "table": "Values"}
_SHOWN = {"card": "Values", "bar": "Y", "line": "Y", "donut": "Y", "table": "Values"}

Tag = Callable[[str], str]


def files(model: Model, tag: Tag) -> Iterator[tuple[str, Any]]:
    """Yield the files of the report's definition, each as its path and its content."""
    yield "version.json", {"$schema": _schema("versionMetadata"), "version": "1.0.0"}
    yield (
        "report.json",
        {
            "$schema": _schema("report"),
            "themeCollection": {"baseTheme": {"name": "CY24SU10", "reportVersionAtImport": "5.61", "type": "SharedResources"}},
            "layoutOptimization": "None",
        },
    )
    pages = [(_id(tag, f"page {page.title}"), page) for said in model.said for page in said.pages if _drawn(model, page)]
    order = [identifier for identifier, _ in pages]
    yield (
        "pages/pages.json",
        {"$schema": _schema("pagesMetadata"), "pageOrder": order} | ({"activePageName": order[0]} if order else {}),
    )
    for identifier, page in pages:
        yield (
            f"pages/{identifier}/page.json",
            {
                "$schema": _schema("page"),
                "name": identifier,
                "displayName": page.title,
                "displayOption": "FitToPage",
                "height": _HEIGHT,
                "width": _WIDTH,
            },
        )
        for name, content in _visuals(model, page, tag):
            yield f"pages/{identifier}/visuals/{name}/visual.json", content


def _schema(name: str) -> str:
    return f"{_SCHEMAS}/{name}/1.0.0/schema.json"


def _id(tag: Tag, of: str) -> str:
    return tag(of).replace("-", "")[:20]


def _drawn(model: Model, page: Page) -> list[Visual]:
    """Return the pictures of a page whose measures and columns are all in the model."""
    return [
        each
        for each in page.visuals
        if all(name in model.homes for name in each.measures)
        and all(column in model.columns for column in each.by if column != MONTHS)
    ]


def _visuals(model: Model, page: Page, tag: Tag) -> Iterator[tuple[str, Any]]:
    slicers = [MONTHS, *([page.slicer] if page.slicer in model.columns else [])]
    room = (_WIDTH - _GAP * 3) // 2
    for at, column in enumerate(slicers):
        place = (_GAP + at * (room + _GAP), _GAP, room, _SLICER_HEIGHT)
        yield _visual(f"{page.title} slicer {column}", "slicer", "", {"Values": [_column(model, column)]}, place, at, tag)
    drawn = _drawn(model, page)
    cards = [each for each in drawn if each.kind == "card"]
    others = [each for each in drawn if each.kind != "card"]
    for at, (visual, place) in enumerate([*_in_rows(cards), *_below(others, len(cards))], len(slicers)):
        roles: dict[str, list[Any]] = {}
        for column in visual.by:
            roles.setdefault(_ALONG[visual.kind], []).append(_column(model, column))
        for name in visual.measures:
            roles.setdefault(_SHOWN[visual.kind], []).append(_measure(model, name))
        yield _visual(f"{page.title} {visual.kind} {visual.title}", _TYPES[visual.kind], visual.title, roles, place, at, tag)


def _in_rows(cards: Sequence[Visual]) -> Iterator[tuple[Visual, tuple[int, int, int, int]]]:
    width = (_WIDTH - _GAP * (_CARDS_A_ROW + 1)) // _CARDS_A_ROW
    for at, card in enumerate(cards):
        row, column = divmod(at, _CARDS_A_ROW)
        top = _SLICER_HEIGHT + 2 * _GAP + row * (_CARD_HEIGHT + _GAP)
        yield card, (_GAP + column * (width + _GAP), top, width, _CARD_HEIGHT)


def _below(others: Sequence[Visual], cards: int) -> Iterator[tuple[Visual, tuple[int, int, int, int]]]:
    """Yield the larger pictures with their places, in two rows below the cards."""
    top = _SLICER_HEIGHT + 2 * _GAP + -(-cards // _CARDS_A_ROW) * (_CARD_HEIGHT + _GAP)
    rows = 1 if len(others) <= 2 else 2
    in_row = max(1, -(-len(others) // rows))
    height = (_HEIGHT - top - _GAP * rows) // rows
    width = (_WIDTH - _GAP * (in_row + 1)) // in_row
    for at, visual in enumerate(others):
        row, column = divmod(at, in_row)
        yield visual, (_GAP + column * (width + _GAP), top + row * (height + _GAP), width, height)


def _visual(
    of: str, kind: str, title: str, roles: dict[str, list[Any]], place: tuple[int, int, int, int], order: int, tag: Tag
) -> tuple[str, Any]:
    name = _id(tag, f"visual {of}")
    left, top, width, height = place
    visual: dict[str, Any] = {
        "visualType": kind,
        "query": {"queryState": {role: {"projections": fields} for role, fields in roles.items()}},
        "drillFilterOtherVisuals": True,
    }
    if title:
        words = {"expr": {"Literal": {"Value": "'" + title.replace("'", "''") + "'"}}}
        visual["visualContainerObjects"] = {"title": [{"properties": {"text": words}}]}
    return name, {
        "$schema": _schema("visualContainer"),
        "name": name,
        "position": {"x": left, "y": top, "z": order, "height": height, "width": width, "tabOrder": order},
        "visual": visual,
    }


def _column(model: Model, column: tuple[str, str]) -> Any:
    entity = column[0]
    name = column[1] if column == MONTHS else model.columns[column].name
    return {
        "field": {"Column": {"Expression": {"SourceRef": {"Entity": entity}}, "Property": name}},
        "queryRef": f"{entity}.{name}",
        "nativeQueryRef": name,
    }


def _measure(model: Model, name: str) -> Any:
    entity = model.homes[name]
    return {
        "field": {"Measure": {"Expression": {"SourceRef": {"Entity": entity}}, "Property": name}},
        "queryRef": f"{entity}.{name}",
        "nativeQueryRef": name,
    }
