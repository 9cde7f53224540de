"""The page of a book for whoever does not sign: what its streams show of the latest published month, at one address.

Belongs here: rendering it. Does not belong here: what a stream shows (its ``report``), when the page is renewed (``desk.packs``),
checks, causes and signatures (``page``, the close pack), months beside each other (``index``).
"""

from revenue_integrity.reports.pack import page_name
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.reports.page import environment
from revenue_integrity.reports.sections import shown_view

FILE = "index.html"
"""Its name in the folder of the book."""


def overview_page(data: PackData, made_from: str = "") -> str:
    """Return the page of a book from the data of its latest month's pack; the same data give the same text.

    Args:
        data: what the pack of the month shows.
        made_from: a hash of all that the page rests on.
    """
    return (
        environment()
        .get_template("overview.html.j2")
        .render(
            data=data,
            title=data.book,
            views=[shown_view(part.report.view, part.published) for part in data.parts if part.report.view is not None],
            state=f"preliminary: the month is {data.state}" if data.preliminary else f"signed off, version {data.version}",
            pack=f"{data.label}/{page_name(data)}",
            made_from=made_from,
        )
    )
