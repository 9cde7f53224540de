"""The HTML page of a close pack: a view for each stream that declares one, then *Controls & Reconciliation*.

Belongs here: which views a page has, and rendering them. Does not belong here: what a view says (each stream's ``report``,
``controls``), the values of its parts (``sections``), the index of all packs (``index``), markup and layout (``templates``). A
page is one file without a script; it asks the network for nothing, and says so to the browser.
"""

from functools import cache
from typing import Any

import jinja2

from revenue_integrity import wording
from revenue_integrity.reports import controls
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.reports.sections import ShownView, shown_section, shown_view, tiles


@cache
def environment() -> jinja2.Environment:
    """Return the templates of pages."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("revenue_integrity.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (wording.instant, wording.month_name, wording.words):
        found.filters[function.__name__] = function
    return found


def page(data: PackData) -> str:
    """Return the page of a month: the same data give the same text."""
    views = [shown_view(part.report.view, part.published) for part in data.parts if part.report.view is not None]
    return (
        environment()
        .get_template("close_pack.html.j2")
        .render(
            data=data,
            streams=" and ".join(part.stream.name for part in data.parts),
            blocking=[_blocking(each, data) for each in data.blocking],
            views=[*views, _controls(data)],
            workbook=f"close-pack-{data.label}.xlsx",
        )
    )


def _blocking(each: dict[str, Any], data: PackData) -> dict[str, Any]:
    table = f"{each['stream']}/{each['table']}" if "table" in each and "stream" in each else ""
    return {
        "check": data.title_of(table, each.get("check") or ""),
        "table": table,
        "figures": data.currency.figures(each.get("figures")),
        "next_step": each.get("next_step") or "",
    }


def _controls(data: PackData) -> ShownView:
    together = controls.shared(data)
    found = [tile for part in data.parts for tile in tiles(controls.stream_tiles(part), part.published)]
    sections = [
        shown_section(section, published, f"{controls.NAME}-{at}")
        for at, (section, published) in enumerate(controls.sections(data), 1)
    ]
    return ShownView(controls.NAME, controls.TITLE, [*found, *tiles(controls.tiles(data), together)], sections)
