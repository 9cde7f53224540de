"""What people decide about a month of a book: prepare, approve, waive, reopen, each one step with its entry in the ledger.

Belongs here: one set of functions behind the command line and the Dagster job. Does not belong here: who may do what
(``close.sign_off``), gathering facts (``facts``), freezing what was approved (``freezing``).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from revenue_integrity import confidential, logs
from revenue_integrity.close import freeze, sign_off
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.close.sign_off import MonthFacts
from revenue_integrity.desk import freezing
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.desk.facts import Desk, the_book
from revenue_integrity.desk.judging import judged_anew
from revenue_integrity.errors import IntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.settings import Settings

_log = logging.getLogger(__name__)

_DEEDS = {Action.PREPARE: "prepared", Action.APPROVE: "signed_off", Action.WAIVE: "waived", Action.REOPEN: "reopened"}
"""Names of the log's events."""


@dataclass(frozen=True)
class _Decided:
    """What goes on record of a decision: what the checks said, and what it is about beside its month."""

    checks: list[dict[str, Any]] = field(default_factory=list)
    subject: Mapping[str, Any] = field(default_factory=dict)


_Decide = Callable[[MonthFacts, Settings], _Decided]
"""Decides on facts, under the settings of their book."""


def _act(
    deployment: Deployment,
    evidence: Evidence,
    month: date,
    action: Action,
    actor: str,
    comment: str,
    book: str,
    decide: _Decide,
) -> Entry:
    """Decide and write under one lock, so that of two attempts at once exactly one wins."""
    settings = deployment.settings
    # What stands in the ledger stands there for ever.
    actor, comment = confidential.struck(actor, settings), confidential.struck(comment, settings)
    with Ledger(settings).locked() as ledger:
        broken = ledger.verify()
        if broken:
            raise IntegrityError(f"{broken[0].subject}: {broken[0].problem}", broken[0].next_step)
        freezing.recover(deployment, evidence, ledger)
        desk = Desk(deployment, evidence)
        facts = desk.facts(the_book(desk, book, month), month)
        if action is not Action.REOPEN:
            facts = judged_anew(deployment, facts)
        decided = decide(facts, settings.of_book(facts.book))
        staged = freezing.stage(desk, facts, facts.next_version) if action is Action.APPROVE else None
        entry = ledger.append(
            month=month,
            version=facts.next_version if action is not Action.REOPEN else facts.next_version - 1,
            action=action,
            actor=actor,
            content_hash=facts.content_hash or "",
            as_of=facts.as_of,
            batches=list(facts.batches),
            settings_hash=facts.settings_hash,
            code_version=facts.code_version,
            checks=decided.checks,
            comment=comment,
            book=facts.book,
            subject=decided.subject,
            reaches=freeze.reached(settings, ledger.entries(), staged),
        )
        if action is Action.APPROVE:
            freeze.finish(settings, entry)
            freezing.tell_approved(settings, entry)
    logs.event(_DEEDS[action], book=entry.book, month=month, actor=actor, version=entry.version, ledger_entry=entry.seq)
    for sentence in freezing.make_packs(deployment, evidence):
        _log.warning("%s", sentence)
    return entry


def _verdicts(facts: MonthFacts) -> _Decided:
    return _Decided([check.plain for check in facts.checks if check.gate is not sign_off.Gate.WARN])


def prepare(deployment: Deployment, evidence: Evidence, month: date, actor: str, comment: str = "", *, book: str = "") -> Entry:
    """Put the month before the approvers; raise ``Refusal`` with the reason and the next step if it may not be.

    Here as in what follows, a book that is not named is the one in use; ``UsageError`` names those that there are.
    """

    def decide(facts: MonthFacts, settings: Settings) -> _Decided:
        sign_off.refuse_prepare(facts, actor, settings)
        return _verdicts(facts)

    return _act(deployment, evidence, month, Action.PREPARE, actor, comment, book, decide)


def approve(deployment: Deployment, evidence: Evidence, month: date, actor: str, comment: str = "", *, book: str = "") -> Entry:
    """Sign the month off and freeze it; raise ``Refusal`` with the reason and the next step if it may not be.

    Once this returns, the version is on the disk. Its pack is made after that; one that cannot be made undoes nothing.
    """

    def decide(facts: MonthFacts, settings: Settings) -> _Decided:
        sign_off.refuse_approve(facts, actor, settings)
        return _verdicts(facts)

    return _act(deployment, evidence, month, Action.APPROVE, actor, comment, book, decide)


def waive(
    deployment: Deployment, evidence: Evidence, month: date, check: str, actor: str, reason: str, *, book: str = ""
) -> Entry:
    """Let one failing sign-off check through, for this content and figure only; raise ``Refusal`` if it may not be."""

    def decide(facts: MonthFacts, settings: Settings) -> _Decided:
        waived = sign_off.refuse_waive(facts, check, actor, reason, settings)
        return _Decided([waived.plain], waived.identity)

    return _act(deployment, evidence, month, Action.WAIVE, actor, reason, book, decide)


def reopen(deployment: Deployment, evidence: Evidence, month: date, actor: str, reason: str, *, book: str = "") -> Entry:
    """Open a signed month again by hand; raise ``Refusal`` if it may not be."""

    def decide(facts: MonthFacts, settings: Settings) -> _Decided:
        sign_off.refuse_reopen(facts, actor, reason, settings)
        return _Decided()

    return _act(deployment, evidence, month, Action.REOPEN, actor, reason, book, decide)
