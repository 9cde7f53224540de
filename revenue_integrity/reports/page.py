"""The HTML page of a close pack: *Can this be signed?*, a view for each stream that declares one, *Controls & Reconciliation*.

Belongs here: which views a page has, and rendering them. Does not belong here: what a view says (each stream's ``report``,
``signing``, ``controls``), the values of its parts (``sections``), the index of all packs (``index``), markup and layout
(``templates``). A page is one file without a script; it asks the network for nothing, and says so to the browser.
"""

from functools import cache

import jinja2

from revenue_integrity import wording
from revenue_integrity.model.report import Section
from revenue_integrity.reports import controls, signing
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
            in_the_way=signing.in_the_way(data),
            views=[_signing(data), *views, _controls(data)],
            workbook=f"close-pack-{data.label}.xlsx",
        )
    )


def _signing(data: PackData) -> ShownView:
    declared, together = signing.view(data)
    checks, causes = declared.sections
    shown = [shown_section(checks, together, f"{signing.NAME}-1")]
    for at, part in enumerate(data.parts, 2):
        cards = signing.bridges(part)
        if cards:
            title = f"{part.title}: {signing.BRIDGES}" if len(data.parts) > 1 else signing.BRIDGES
            shown.append(shown_section(Section(title, cards), part.published, f"{signing.NAME}-{at}"))
    shown.append(shown_section(causes, together, f"{signing.NAME}-causes"))
    return ShownView(signing.NAME, signing.TITLE, tiles(declared.tiles, together), [each for each in shown if each.cards])


def _controls(data: PackData) -> ShownView:
    found = [tile for part in data.parts for tile in tiles(controls.stream_tiles(part), part.published)]
    sections = [
        shown_section(section, published, f"{controls.NAME}-{at}")
        for at, (section, published) in enumerate(controls.sections(data), 1)
    ]
    return ShownView(controls.NAME, controls.TITLE, found, sections)
