"""A line a month and book: where its close stands, what it earned, whether it ties, what is in the way.

Belongs here: putting together what close desk, publication and quarantine say. Does not belong here: changing anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import pandas as pd

from revenue_integrity.close.sign_off import MonthFacts, Status, newly_backdated, reopened_because
from revenue_integrity.desk.close_status import CloseRow, close_rows, reprocessed_at
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.errors import PublishError
from revenue_integrity.exact import named_rows
from revenue_integrity.model.check import Gate
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.report import amount_of
from revenue_integrity.model.stream import MonthFigure
from revenue_integrity.process import PROGRAM
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog

NOT_COMPUTED = "not computed"
"""Why a month is open for which nothing was computed yet."""

BEFORE_BOOK = "before the first month of its book"
"""Why a month is open that its book does not have."""

_FIRST = ("month", "book", "status", "version")
_LAST = ("quarantined", "checks_failed", "why", "next_command", "reprocessed_at")


def figures_of(deployment: Deployment) -> dict[str, MonthFigure]:
    """Return the figures of all streams by their names, in the order of the streams.

    Raises:
        ValueError: two streams have a figure of one name in different units, so that it cannot be added up.
    """
    found: dict[str, MonthFigure] = {}
    for figure in (figure for stream in deployment.streams for figure in stream.figures):
        if found.setdefault(figure.name, figure).unit != figure.unit:
            raise ValueError(f"two streams have a figure {figure.name} in different units")
    return found


def summary(deployment: Deployment, status: pd.DataFrame) -> pd.DataFrame:
    """Return of a status what a summary of many months shows: months with anything, and the figures that are made for it."""
    short = [name for name, figure in figures_of(deployment).items() if figure.in_summary]
    return status[~status["why"].isin([NOT_COMPUTED, BEFORE_BOOK])][["month", "book", "status", "version", *short, "why"]]


def status_frame(deployment: Deployment, evidence: Evidence, wanted: Sequence[date]) -> pd.DataFrame:
    """Return ``frame_of`` of some months as they stand now."""
    return frame_of(deployment, close_rows(deployment, evidence, wanted), wanted)


def frame_of(deployment: Deployment, rows: Sequence[CloseRow], wanted: Sequence[date]) -> pd.DataFrame:
    """Return a row per month and book: status, the figures of its streams, quarantined rows, failed checks, why it stands so.

    Figures are whole cents or exact currency units, as their streams declare them; empty where nothing is published. Then what to
    type next, as far as one command brings the month on, and when its reconciliations were last computed.
    """
    settings = deployment.settings
    figures = figures_by_stream(deployment, wanted)
    refused = _quarantined(settings)
    catalog = read_catalog(settings)
    found = [
        {
            "month": pd.Timestamp(row.facts.month).as_unit("us"),
            "book": row.facts.book,
            "status": str(row.status),
            "version": row.facts.signed.version if row.facts.signed else 0,
            **added_up(figures.get((stream, row.facts.month), {}) for stream in row.streams),
            "quarantined": sum(refused.get((stream, row.facts.month), 0) for stream in row.streams),
            "checks_failed": sum(check.state in ("failed", "outdated") for check in row.facts.checks),
            "why": _why(row),
            "next_command": next_command(row, settings.of_book(row.facts.book)),
            "reprocessed_at": reprocessed_at(deployment, row.streams, row.facts.month, catalog),
        }
        for row in rows
    ]
    declared = figures_of(deployment)
    frame = pd.DataFrame(found, columns=[*_FIRST, *declared, *_LAST])
    whole = [name for name, figure in declared.items() if figure.unit == "cents"]
    return frame.astype(dict.fromkeys(whole, "Int64"))


def _why(row: CloseRow) -> str:
    flagged = newly_backdated(row.facts)
    told = f"backdated: {', '.join(flagged)}" if flagged else ""
    return "; ".join(part for part in (_why_so(row), told) if part)


NOT_FROZEN = "approved, not frozen yet: the next command that may write completes it"
"""Of a month whose approval a crash interrupted."""


def _why_so(row: CloseRow) -> str:
    facts = row.facts
    if row.status is Status.OPEN:
        if facts.content_hash is None:
            return _unpublished(facts) or NOT_COMPUTED
        return BEFORE_BOOK if facts.is_before_book else f"cutoff {facts.cutoff:%Y-%m-%dT%H:%M:%SZ}"
    if row.status is Status.STALE:
        return facts.stale or facts.news or "a run is going on"
    failing = "; ".join(f"{check.name} [{check.gate.value}] {check.state}" for check in facts.in_the_way)
    warnings = "; ".join(f"{check.name} [warn]" for check in facts.checks if check.gate is Gate.WARN and check.state == "failed")
    if row.status is Status.REOPENED:
        return "; ".join(part for part in (reopened_because(facts), failing) if part)
    if row.status is Status.SIGNING:
        return NOT_FROZEN
    if row.status is Status.SIGNED_OFF:
        return "explanation updated" if facts.explanation_updated else ""
    return failing or warnings


def _unpublished(facts: MonthFacts) -> str:
    """Return which checks kept a month that was computed from being published; empty if none did."""
    stopped = [check for check in facts.checks if check.state == "failed" and check.gate in (Gate.WRITE, Gate.PUBLISH)]
    return f"computed, not published: {', '.join(facts.called(check) for check in stopped)}" if stopped else ""


def next_command(row: CloseRow, settings: Settings) -> str:
    """Return the command that brings a month on or shows what keeps it; empty where there is nothing to do but wait.

    ``settings`` are those of the book. A name that nobody can know stands as NAME.
    """
    facts, run = row.facts, f"run --months {row.facts.label}"
    if facts.is_before_book or row.status is Status.SIGNED_OFF or facts.running:
        return ""
    if facts.content_hash is None:
        stopped = next((check for check in facts.checks if check.state == "failed" and check.command), None)
        return f"{PROGRAM} {stopped.command}" if _unpublished(facts) and stopped else f"{PROGRAM} {run}"
    asked, command = facts.asked_for, ""
    match row.status:
        case Status.STALE:
            command = "run" if facts.news else run
        case Status.SIGNING:
            command = "run"
        case Status.BLOCKED | Status.REOPENED if facts.in_the_way:
            first = facts.in_the_way[0]
            command = (first.command if first.state == "failed" else run) or f"status --month {asked}"
        case Status.BLOCKED:
            command = run
        case Status.REOPENED:
            command = f"restatement {asked}"
        case Status.READY:
            command = f"prepare {asked} --as {_one_of(settings.preparers)}"
        case Status.PREPARED:
            preparer = facts.prepared.actor if facts.prepared else ""
            command = f"approve {asked} --as {_one_of([name for name in settings.approvers if name != preparer])}"
    return f"{PROGRAM} {command}" if command else ""


def command_to_sign(row: CloseRow, settings: Settings) -> tuple[bool, str]:
    """Return whether a month whose changes somebody has seen can be signed as it stands, and the command that brings it there.

    ``settings`` are those of the book. The command is empty where there is nothing to do but wait.
    """
    if row.facts.news:
        return False, f"{PROGRAM} run"
    if row.status is Status.REOPENED and not row.facts.in_the_way:
        return True, f"{PROGRAM} prepare {row.facts.asked_for} --as {_one_of(settings.preparers)}"
    return row.status in (Status.READY, Status.PREPARED), next_command(row, settings)


def _one_of(names: Sequence[str]) -> str:
    return next(iter(names), "NAME")


Figures = Mapping[str, int | Decimal]


def added_up(figures: Iterable[Figures]) -> dict[str, int | Decimal]:
    """Return figures of several streams together; what they call alike is added up."""
    found: dict[str, int | Decimal] = {}
    for each in figures:
        for name, amount in each.items():
            found[name] = found.get(name, 0) + amount
    return found


def figures_by_stream(deployment: Deployment, wanted: Sequence[date]) -> dict[tuple[str, date], Figures]:
    """Return the figures of each month of each stream."""
    found: dict[tuple[str, date], dict[str, int | Decimal]] = {}
    for stream in deployment.streams:
        tables = {table.name: table for table in stream.published_tables}
        for dataset in dict.fromkeys(figure.dataset for figure in stream.figures):
            try:
                rows = publish.read_published(deployment.settings, tables[dataset], wanted)
            except PublishError:
                # The stream is not in use, or not in these months.
                continue
            for month, of_month in rows.groupby("month"):
                figures = found.setdefault((stream.name, pd.Timestamp(str(month)).date()), {})
                for figure in stream.figures:
                    amount = amount_of(figure, of_month) if figure.dataset == dataset else None
                    if amount is not None:
                        figures[figure.name] = figures.get(figure.name, 0) + amount
    return dict(found)


def _quarantined(settings: Settings) -> dict[tuple[str, date], int]:
    try:
        rows = publish.read_published(settings, "quarantine", None)
    except PublishError:
        return {}
    counted = rows.dropna(subset=["month"]).groupby(["stream", "month"]).size()
    return {(str(row.stream), row.month.date()): int(row.rows) for row in named_rows(counted.reset_index(name="rows"))}
