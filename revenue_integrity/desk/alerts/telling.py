"""What the state of the months and of the batches calls for: events are raised, those of earlier states resolved, all delivered.

Belongs here: turning close rows, rejected and changed batches into events. Does not belong here: the events and channels
themselves, when it is done (``orchestration.alerting``).
"""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from revenue_integrity import clock
from revenue_integrity.close.sign_off import CheckFact, reopened_because
from revenue_integrity.computing import ingestion
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.desk.alerts.delivery import Delivered, deliver
from revenue_integrity.desk.alerts.events import Breach, FailedCheck, Kind
from revenue_integrity.desk.close_status import CloseRow, close_rows
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.errors import PublishError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.warehouse import publish


def tell(deployment: Deployment, rows: Sequence[CloseRow]) -> Delivered:
    """Raise what the state of the months and batches calls for, resolve what is over, and deliver what is due."""
    settings = deployment.settings
    now = clock.now()
    for row in rows:
        facts = row.facts
        found = []
        if facts.content_hash is not None and not facts.is_before_book:
            signed = facts.signed
            found = events.events_of_month(
                facts.book,
                facts.month,
                status=str(row.status),
                version=signed.version if signed else 0,
                signed_hash=signed.content_hash if signed else "",
                content_hash=facts.content_hash,
                reopened_because=reopened_because(facts),
                failing_checks=[_failing(check, row) for check in facts.checks if check.state == "failed"],
                breaches=_breaches(facts.checks),
                now=now,
                settings=settings.of_book(facts.book),
            )
        outbox.raise_state(settings, facts.book, facts.month, found)
    _tell_batches(deployment)
    # Read again: what was raised a moment ago is due only from then on.
    return deliver(settings, clock.now())


def tell_published(deployment: Deployment, evidence: Evidence) -> tuple[list[date], Delivered]:
    """Tell of every published month; return those months and what was delivered."""
    settings, streams = deployment.settings, deployment.streams
    wanted = [month for month in settings.months if any(publish.closed_hashes(settings, name, month) for name in streams.names)]
    return wanted, tell(deployment, close_rows(deployment, evidence, wanted))


def _failing(check: CheckFact, row: CloseRow) -> FailedCheck:
    waived = bool(row.facts.waivers_of(check))
    figures = json.dumps(check.plain["figures"], sort_keys=True)
    return FailedCheck(check.path, check.gate.value, figures, check.next_step, waived)


def _breaches(checks: Sequence[CheckFact]) -> list[Breach]:
    """Return the breaches that materiality checks report, by the reconciliation in their names."""
    return [
        Breach(
            check.name.removesuffix("_is_within_materiality"),
            int(check.figures["gross_cents"]),
            int(check.figures["materiality_cents"]),
        )
        for check in checks
        if check.name.endswith("_is_within_materiality") and check.state == "failed"
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
    for event in standing:
        outbox.raise_alert(settings, event)
    for kind in (Kind.BATCH_REJECTED, Kind.BATCH_CHANGED):
        outbox.resolve(settings, kind, None, except_for=standing)
