"""The index of all packs: a row for each month of each book, from the manifests, and trends over them.

Belongs here: reading what packs say of themselves, and the page that compares them. Does not belong here: which figures a stream
compares months by (its ``report``), writing packs (``pack``).
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.errors import PublishError
from revenue_integrity.files import write_if_changed
from revenue_integrity.model.report import INDEX, Chart, Column, Listing, Published, Report, Section
from revenue_integrity.model.stream import MonthFigure, Stream
from revenue_integrity.reports import manifest
from revenue_integrity.reports.page import environment
from revenue_integrity.reports.sections import ShownSection, shown_section
from revenue_integrity.wording import Currency

FILE = "index.html"

MANIFEST = "index.json"
"""The SHA-256 of the index and of the page of each book, for whoever verifies them."""

_MONTH = "[0-9][0-9][0-9][0-9]-[0-9][0-9]"
_MADE_FROM = re.compile(r'<meta name="made-from" content="([0-9a-f]*)">')
_TONES = {"signed_off": "good", "blocked": "bad", "reopened": "bad"}


@dataclass(frozen=True)
class Shown:
    """What the index says of a stream: the figures by which its months are compared, and charts of them."""

    figures: Sequence[MonthFigure]
    charts: Sequence[Chart]

    @classmethod
    def of(cls, stream: Stream, report: Report) -> "Shown":
        """Return what a stream shows in the index: what its report says, else its figures."""
        return cls(manifest.compared(stream, report), report.index_charts)


@dataclass(frozen=True)
class IndexRow:
    """A month of a book on the index: what the manifest of its pack says, where that stands, when it was last computed."""

    book: str
    month: date
    link: str
    status: str
    version: int | None
    failed_checks: int
    figures: Mapping[str, Any]
    reprocessed_at: str | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """The row as JSON holds it."""
        return {**asdict(self), "month": months.label(self.month)}


@dataclass(frozen=True)
class _ShownBook:
    name: str
    months: ShownSection
    trends: ShownSection | None


def index_rows(folder: Path) -> list[IndexRow]:
    """Return a row for each pack below a folder, whether or not it stands in the folder of its book."""
    rows = []
    for place in sorted([*folder.glob(_MONTH), *folder.glob(f"*/{_MONTH}")]):
        found = manifest.read(place)
        if "headline" in found:
            headline = dict(found["headline"])
            inside = place.relative_to(folder)
            rows.append(
                IndexRow(
                    book=inside.parent.name,
                    month=months.parse(place.name),
                    link=f"{inside.as_posix()}/close-pack-{place.name}.html",
                    status=str(found["status"]),
                    version=found["version"],
                    failed_checks=headline.pop("failed_checks", 0),
                    figures=headline,
                )
            )
    return rows


def made_from(page: Path) -> str:
    """Return what a page says that it was made from; empty where there is none, or an older one."""
    try:
        found = _MADE_FROM.search(page.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""


def index_page(
    rows: Sequence[IndexRow],
    shown: Mapping[str, Sequence[Shown]],
    currency: Currency,
    made_from: str = "",
    at_a_glance: Collection[str] = (),
) -> str:
    """Return the index of all months, book by book, the latest first, with trends.

    Args:
        rows: the months.
        shown: what each book shows of them.
        currency: the currency of the deployment.
        made_from: a hash of all that the page rests on.
        at_a_glance: the books that have a page of their own.
    """
    names = [*(name for name in shown if any(row.book == name for row in rows))]
    names += sorted({row.book for row in rows} - set(names))
    books = [_book(name, [row for row in rows if row.book == name], shown.get(name, ()), currency) for name in names]
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            books=books,
            months=len(rows),
            signed=sum(row.status == "signed_off" for row in rows),
            currency=currency.code if rows else "",
            made_from=made_from,
            at_a_glance=at_a_glance,
        )
    )


def _book(name: str, rows: Sequence[IndexRow], shown: Sequence[Shown], currency: Currency) -> _ShownBook:
    figures = [figure for each in shown for figure in each.figures if any(figure.name in row.figures for row in rows)]
    frame = _frame(rows, figures)
    published = Published(max(row.month for row in rows), currency, {INDEX: frame})
    of_book = f" of {name}" if name else ""
    listing = Listing(
        f"Months{of_book}",
        INDEX,
        (
            Column("label", "Month", "name", link="link"),
            Column("signed", "Signed", "pill", tone="signed_tone"),
            Column("close", "Close", "pill", tone="tone"),
            *(Column(each.name, each.title, "cents" if each.unit == "cents" else "cost", whole=True) for each in figures),
            Column("failed_checks", "Checks failed", "integer"),
            Column("reprocessed_at", "Reprocessed", "instant"),
        ),
        note="Whole units of the currency. A month that was signed and no longer stands as signed shows both: the version and"
        " reopened. Reprocessed: when its reconciliations were last computed.",
        first=0,
        order=("-month",),
    )
    charts = tuple(chart for each in shown for chart in each.charts if _is_measured(chart, frame))
    trends = shown_section(Section(f"Trends{of_book}", charts), published, f"{name}-trends") if charts else None
    return _ShownBook(name, shown_section(Section(f"Months{of_book}", (listing,)), published, f"{name}-months"), trends)


def _is_measured(chart: Chart, frame: pd.DataFrame) -> bool:
    """Return whether any month has what a chart shows."""
    measures = [chart.y] if isinstance(chart.y, str) else list(chart.y)
    return any(name in frame and frame[name].notna().any() for name in measures)


def _frame(rows: Sequence[IndexRow], figures: Sequence[MonthFigure]) -> pd.DataFrame:
    records = [
        {
            "month": pd.Timestamp(row.month),
            "label": months.label(row.month),
            "link": row.link,
            "signed": f"v{row.version}" if row.version else None,
            "signed_tone": "good" if row.version else "",
            "close": row.status,
            "reprocessed_at": row.reprocessed_at,
            "tone": _TONES.get(row.status, ""),
            "failed_checks": row.failed_checks,
            **{each.name: _amount(each, row.figures.get(each.name)) for each in figures},
        }
        for row in sorted(rows, key=lambda row: row.month)
    ]
    return pd.DataFrame(records, dtype=object).assign(month=[record["month"] for record in records])


def _amount(figure: MonthFigure, value: Any) -> Any:
    """Return a figure as it was measured; a manifest holds exact amounts as text."""
    return Decimal(value) if value is not None and figure.unit != "cents" else value


def write_index(page: str | None, folder: Path, pages: Mapping[str, str | None] | None = None) -> Path:
    """Write the index of all packs into ``folder``, and the pages of books; return the index.

    Args:
        page: the index; ``None`` for the one that stands there.
        folder: where packs are.
        pages: by its path below the folder, the page of each book; ``None`` for one that stands there.

    Raises:
        PublishError: the folder cannot be written.
    """
    target = folder / FILE
    try:
        listed = []
        for path, text in {FILE: page, **(pages or {})}.items():
            if text is not None:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                write_if_changed(folder / path, text)
            listed.append({"path": path, "sha256": hashlib.sha256((folder / path).read_bytes()).hexdigest()})
        write_if_changed(folder / MANIFEST, json.dumps({"files": listed}, indent=1) + "\n")
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(f"the index cannot be written to {target}: {reason}", "Check space and permissions") from error
    return target
