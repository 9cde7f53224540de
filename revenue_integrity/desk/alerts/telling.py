"""What the state of the months and of the batches calls for: events are raised, those of earlier states resolved, all delivered.

Belongs here: turning close rows, rejected and changed batches into events. Does not belong here: the events and channels
themselves, when it is done (``orchestration.alerting``).
"""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from revenue_integrity import clock
from revenue_integrity.canonical import sha256_of
from revenue_integrity.close.sign_off import CheckFact, MonthFacts, newly_backdated, reopened_because
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.overdue import overdue_deliveries
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.desk.alerts.delivery import Delivered, deliver
from revenue_integrity.desk.alerts.events import Breach, Event, FailedCheck, FoundCause, Kind
from revenue_integrity.desk.close_status import CloseRow, close_rows
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.errors import PublishError
from revenue_integrity.exact import named_rows
from revenue_integrity.landing import inbox
from revenue_integrity.model.check import Gate
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.reconciliation import CURRENT
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish

_GROSS = ("gross_cents", "materiality_cents")
"""Figures of a check that holds causes against materiality."""


def tell(deployment: Deployment, rows: Sequence[CloseRow]) -> Delivered:
    """Raise what the state of the months and batches calls for, resolve what is over, and deliver what is due."""
    settings = deployment.settings
    now = clock.now()
    for row in rows:
        found, over = _state(deployment, row, now)
        outbox.raise_state(settings, row.facts.book, row.facts.month, found, over)
        if digest := _digest(deployment, row, now):
            outbox.raise_alert(settings, digest)
    _tell_batches(deployment)
    # Read again: what was raised a moment ago is due only from then on.
    return deliver(settings, clock.now())


def tell_published(deployment: Deployment, evidence: Evidence) -> tuple[list[date], Delivered]:
    """Tell of every published month; return those months and what was delivered."""
    settings, streams = deployment.settings, deployment.streams
    wanted = [month for month in settings.months if any(publish.closed_hashes(settings, name, month) for name in streams.names)]
    return wanted, tell(deployment, close_rows(deployment, evidence, wanted))


def _today(settings: Settings, now: datetime) -> date:
    return now.astimezone(ZoneInfo(settings.close_timezone)).date()


def _is_told_of(facts: MonthFacts, settings: Settings, now: datetime) -> bool:
    """Return whether there is anything to tell of a month: of one that has not begun there is not."""
    return facts.content_hash is not None and not facts.is_before_book and facts.month <= _today(settings, now)


def _state(deployment: Deployment, row: CloseRow, now: datetime) -> tuple[list[Event], Collection[Kind]]:
    """Return the events that the state of a month calls for, and the kinds of which all others are over.

    While inputs differ from what was computed, or a run is under way, nobody knows what will stand: what was told stays told, and
    only what keeps it from being computed is added.
    """
    facts = row.facts
    settings = deployment.settings.of_book(facts.book)
    if not _is_told_of(facts, settings, now):
        return [], outbox.STATE_KINDS
    signed = facts.signed
    breaches = list(_breaches(deployment, facts))
    told_as_breaches = {check.path for check, _ in breaches}
    failing = [check for check in facts.checks if check.state == "failed" and check.path not in told_as_breaches]
    found = events.events_of_month(
        facts.book,
        facts.month,
        # What was signed and still stands is neither late nor stale, whatever is being computed.
        status="signed_off" if facts.is_signed_as_it_stands else str(row.status),
        version=signed.version if signed else 0,
        signed_hash=signed.content_hash if signed else "",
        content_hash=facts.content_hash or "",
        reopened_because=reopened_because(facts),
        failing_checks=[_failing(check, row) for check in failing],
        breaches=[breach for _, breach in breaches],
        now=now,
        settings=settings,
        is_before_cutoff=facts.now <= facts.cutoff,
        backdated=newly_backdated(facts),
    )
    if not (facts.stale or facts.running or facts.news):
        return found, outbox.STATE_KINDS
    stopping = {check.path for check in failing if check.gate in (Gate.WRITE, Gate.PUBLISH)} if not facts.running else set()
    kept = [
        each
        for each in found
        if each.kind in (Kind.CLOSE_LATE, Kind.BATCH_BACKDATED)
        or (each.kind is Kind.CHECK_FAILED and each.content.partition("|")[0] in stopping)
    ]
    if facts.running and signed is not None and not facts.is_signed_as_it_stands:
        # What became of the signature is told when the run is through: a step of it that publishes is not its end.
        return [each for each in kept if each.kind is not Kind.CLOSE_LATE], ()
    return kept, (Kind.CLOSE_LATE,)


def _failing(check: CheckFact, row: CloseRow) -> FailedCheck:
    waived = bool(row.facts.waivers_of(check))
    figures = json.dumps(check.plain["figures"], sort_keys=True)
    return FailedCheck(check.path, check.gate.value, figures, check.next_step, waived)


def _breaches(deployment: Deployment, facts: MonthFacts) -> Iterator[tuple[CheckFact, Breach]]:
    """Yield the failed checks that hold a reconciliation's causes against materiality, each with what it found."""
    held = {
        (stream.name, check.table.name, check.name): (stream, check.recon)
        for stream in deployment.streams
        for check in stream.checks
        if check.recon
    }
    for check in facts.checks:
        stream, recon = held.get((check.stream, check.table, check.name), (None, ""))
        if stream is None or check.state != "failed" or any(name not in check.figures for name in _GROSS):
            continue
        if not facts.waivers_of(check):
            gross, limit = (int(check.figures[name]) for name in _GROSS)
            yield check, Breach(recon, gross, limit, _share(deployment.settings, stream, recon, facts.month))


def _share(settings: Settings, stream: Stream, recon: str, month: date) -> Decimal | None:
    """Return the gross variance of a reconciliation by the total of its right side; ``None`` where that is nothing."""
    if stream.reconciliations is None:
        return None
    totals = publish.read_published(settings, stream.reconciliations.summary, [month])
    for row in named_rows(totals[(totals["recon"] == recon) & (totals["view"] == CURRENT)]):
        if row.right_total:
            return abs(Decimal(str(row.variance_gross)) / Decimal(str(row.right_total)))
    return None


def _digest(deployment: Deployment, row: CloseRow, now: datetime) -> Event | None:
    """Return the day's digest of a month that has begun and whose cutoff is still to come."""
    facts = row.facts
    settings = deployment.settings.of_book(facts.book)
    if not _is_told_of(facts, settings, now) or facts.now > facts.cutoff or facts.stale or facts.running or facts.news:
        return None
    causes = [
        cause for stream in deployment.streams if stream.name in row.streams for cause in _causes(settings, stream, facts.month)
    ]
    told, last = outbox.told_causes(settings, facts.book, facts.month)
    last_told = None if last is None else _today(settings, last)
    return events.causes_found(facts.book, facts.month, causes, told, last_told, _today(settings, now), settings.currency)


def _causes(settings: Settings, stream: Stream, month: date) -> list[FoundCause]:
    """Return the causes of rows in breach that a stream has published of a month, as things stand now."""
    recons = stream.reconciliations
    if recons is None or recons.causes is None:
        return []
    try:
        causes, results = (publish.read_published(settings, table, [month]) for table in (recons.causes, recons.results))
    except PublishError:
        return []
    row = ["recon", *recons.grain_explained]
    breaches = results[(results["view"] == CURRENT) & (results["status"] == "breach")]
    found = causes[causes["view"] == CURRENT].merge(breaches[row].drop_duplicates(), on=row)
    return [
        FoundCause(
            sha256_of(
                [*(None if pd.isna(each[name]) else str(each[name]) for name in row), each["cause"], int(each["cause_cents"])]
            )[:16],
            str(each["family"]),
            int(each["cause_cents"]),
            str(each["explanation"]),
        )
        for each in found.to_dict(orient="records")
    ]


def _tell_batches(deployment: Deployment) -> None:
    settings = deployment.settings
    try:
        batches: list[Any] = publish.read_published(settings, "batches", None).to_dict("records")
    except PublishError:
        batches = []
    standing = [
        events.batch_rejected(batch["batch_id"], batch["digest"], str(batch["error"]))
        for batch in batches
        if batch["status"] == "rejected"
    ]
    for stream in deployment.streams:
        for batch_id, facts in ingestion.read_manifest(settings, stream).changed.items():
            standing.append(events.batch_changed(batch_id, facts["recorded"], facts["found"]))
    standing += [events.delivery_overdue(each, settings) for each in overdue_deliveries(settings, clock.now())]
    standing += [events.batch_ahead(batch_id) for batch_id in ingestion.ahead(settings, deployment.streams)]
    standing += [events.inbox_rejected(item, reason) for item, reason in inbox.rejected(settings)]
    for event in standing:
        outbox.raise_alert(settings, event)
    for kind in (Kind.BATCH_REJECTED, Kind.INBOX_REJECTED, Kind.BATCH_CHANGED, Kind.DELIVERY_OVERDUE, Kind.BATCH_AHEAD):
        outbox.resolve(settings, kind, None, except_for=standing)
