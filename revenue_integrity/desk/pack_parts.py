"""What a close pack shows of each stream: its datasets, trends and the month before, as the stream's report asks for them.

Belongs here: reading what a report needs, for whatever streams there are. Does not belong here: what was decided about the month
(``packs``), what a report shows (each stream's ``report``), how it looks (``reports``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Entry
from revenue_integrity.model.stream import Stream, loaded
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.wording import Currency

if TYPE_CHECKING:
    from revenue_integrity.model.report import Report, Trend
    from revenue_integrity.reports.pack_data import StreamPart

Figures = Mapping[str, Mapping[str, Any]]
"""Figures of checks by the check's name."""

Read = Callable[[Stream, Sequence[str]], dict[str, pd.DataFrame]]
"""Reads datasets of a month of a stream that belong together, with the columns of today."""

_KEPT: dict[tuple[Path, str, date, str, str], pd.DataFrame] = {}
"""What this process has kept of months, by the hashes of what that is made from: each pack shows all months before it."""


def report_of(stream: Stream) -> "Report":
    """Return what a stream shows; one that declares nothing shows what every stream has."""
    from revenue_integrity.model.report import Report

    if not stream.report:
        return Report()
    declared = loaded(stream.report) if isinstance(stream.report, str) else stream.report()
    assert isinstance(declared, Report), f"{stream.report} is no report"
    return declared


def datasets_of(stream: Stream, there: Mapping[str, str]) -> list[str]:
    """Return the datasets of a stream that a pack shows and holds as CSV, of those that are there."""
    recons = stream.reconciliations
    compared = [] if recons is None else [table.name for table in (recons.results, recons.causes, recons.summary) if table]
    report = report_of(stream)
    wanted = report.datasets or [each.table.name for each in stream.signed]
    return [name for name in dict.fromkeys([*wanted, *compared]) if name in there]


def trends_of(stream: Stream) -> "list[Trend]":
    """Return what is kept of each month of a stream: what its report asks for, and its reconciliations in total."""
    from revenue_integrity.reports.reconciling import standard

    report, recons = report_of(stream), stream.reconciliations
    return [*report.trends, *(standard(recons, report.names).trends if recons is not None else ())]


@dataclass(frozen=True)
class Month:
    """A month of a stream that a pack is made of.

    Attributes:
        stream: the stream.
        month: its month.
        hashes: the hash of each of its datasets.
        read: reads some of them.
    """

    stream: Stream
    month: date
    hashes: Mapping[str, str]
    read: Callable[[Sequence[str]], dict[str, pd.DataFrame]]

    @classmethod
    def published(cls, settings: Settings, stream: Stream, month: date) -> "Month":
        """Return a month as it is published; without datasets if it is not."""

        def read(names: Sequence[str]) -> dict[str, pd.DataFrame]:
            tables = {table.name: table for table in stream.published_tables}
            return publish.read_together(settings, stream.name, month, [tables[name] for name in names])

        return cls(stream, month, publish.closed_hashes(settings, stream.name, month), read)

    @classmethod
    def frozen(cls, settings: Settings, stream: Stream, entry: Entry, hashes: Mapping[str, str]) -> "Month":
        """Return a month as the signed version of an entry holds it; ``hashes`` are those of all its datasets."""
        tables = {table.name: table for table in stream.published_tables if table.name in hashes}

        def read(names: Sequence[str]) -> dict[str, pd.DataFrame]:
            return {name: freeze.read_frozen(settings, entry, tables[name]) for name in names}

        return cls(stream, months.parse(entry.month), {name: hashes[name] for name in tables}, read)


def part_of(
    settings: Settings, shown: Month, earlier: Sequence[date], checks: Figures, restatement: pd.DataFrame | None = None
) -> "StreamPart":
    """Return a stream's part of the pack of a month.

    Args:
        settings: the settings of the deployment.
        shown: the month.
        earlier: the published months before it.
        checks: the figures of its checks.
        restatement: what of its book changed since a signed version.

    Raises:
        PublishError: what is published does not belong together.
    """
    from revenue_integrity.model.report import Published
    from revenue_integrity.reports.pack_data import StreamPart

    stream, report = shown.stream, report_of(shown.stream)
    tables = shown.read(datasets_of(stream, shown.hashes))
    for name, columns in report.leave_out.items():
        if name in tables:
            tables[name] = tables[name].drop(columns=list(columns))
    published = Published(
        shown.month,
        Currency(settings.currency),
        tables,
        before=_before(settings, stream, report, shown.month),
        trends=_trends(settings, shown, earlier),
        checks=checks,
        settings=_tolerances(settings, stream),
        materiality=_materiality(stream, checks),
        restatement=None if restatement is None else restatement[restatement["dataset"].isin(_signed(stream))],
    )
    return StreamPart(stream, published, report)


def _signed(stream: Stream) -> set[str]:
    return {each.table.name for each in stream.signed}


def _tolerances(settings: Settings, stream: Stream) -> dict[str, Any]:
    """Return the settings by which a stream tolerates differences."""
    own = settings.of_stream(stream.name)
    return {name: getattr(own, name) for each in stream.reconciliations or () for name in each.tolerance.settings}


def _materiality(stream: Stream, checks: Figures) -> dict[str, int]:
    """Return what each reconciliation that is held against materiality may reach, as its check said."""
    return {
        check.recon: pair[1]
        for check in stream.checks
        if check.recon
        for limit in check.limits
        if (pair := limit.of(checks.get(check.name, {}))) is not None
    }


def _before(settings: Settings, stream: Stream, report: "Report", month: date) -> dict[str, pd.DataFrame]:
    """Return what a report reads of the month before, where that is published."""
    before = Month.published(settings, stream, months.add(month, -1))
    there = [name for name in report.before if name in before.hashes]
    return before.read(there) if there else {}


def _trends(settings: Settings, shown: Month, earlier: Sequence[date]) -> dict[str, pd.DataFrame]:
    found: dict[str, pd.DataFrame] = {}
    for trend in trends_of(shown.stream):
        each = [Month.published(settings, shown.stream, month) for month in earlier]
        frames = [frame for month in (*each, shown) if (frame := _kept(settings, month, trend)) is not None and not frame.empty]
        if frames:
            found[trend.called] = pd.concat(frames, ignore_index=True)
    return found


def _kept(settings: Settings, month: Month, trend: "Trend") -> pd.DataFrame | None:
    """Return what a trend keeps of a month, ``None`` where its dataset is not there."""
    if trend.dataset not in month.hashes:
        return None
    key = (settings.published_path, month.stream.name, month.month, trend.called, month.hashes[trend.dataset])
    if key not in _KEPT:
        _KEPT[key] = trend.keep(month.read([trend.dataset])[trend.dataset])
    return _KEPT[key]


def rests_on(settings: Settings, shown: Month, earlier: Sequence[date]) -> dict[str, Any]:
    """Return hashes of all that a stream's part of a pack is made from: its datasets, those of months before, its report."""
    stream = shown.stream
    datasets = sorted({trend.dataset for trend in trends_of(stream)})
    closed = {month: publish.closed_hashes(settings, stream.name, month) for month in earlier}
    before = publish.closed_hashes(settings, stream.name, months.add(shown.month, -1))
    return {
        "datasets": {name: shown.hashes[name] for name in datasets_of(stream, shown.hashes)},
        "trends": {months.label(month): {name: found.get(name) for name in datasets} for month, found in closed.items()},
        "before": {name: before.get(name) for name in report_of(stream).before},
        "report": report_version(stream),
        "tolerances": settings.of_stream(stream.name).values(*_tolerances(settings, stream)),
    }


def report_version(stream: Stream) -> str:
    """Return a hash of what declares a stream's report: the modules beside it that are called like it."""
    if isinstance(stream.report, str):
        return _folder_version(stream.report.partition(":")[0]) if stream.report else ""
    return sha256_of(stream.report.__qualname__)


@cache
def _folder_version(module: str) -> str:
    import importlib

    place = Path(str(importlib.import_module(module).__file__))
    files = sorted(place.parent.glob(f"{place.stem}*.py"))
    return sha256_of([[file.name, file.read_text(encoding="utf-8")] for file in files])
