"""Sign-off: the status of a month of a book and who may do what to it, derived from facts and never stored.

Belongs here: the states of a month, and every refusal with its reason and the next step. Does not belong here: gathering the
facts (``desk``), the ledger itself (``ledger``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from revenue_integrity import months
from revenue_integrity.close import blocking
from revenue_integrity.close.ledger import Action, Entry
from revenue_integrity.errors import Refusal, UsageError, near
from revenue_integrity.model.check import Gate, Limit
from revenue_integrity.settings import Settings
from revenue_integrity.wording import words


class Status(StrEnum):
    """States of a month of a book (20-close, *Sign-off*)."""

    OPEN = "open"
    STALE = "stale"
    BLOCKED = "blocked"
    READY = "ready"
    PREPARED = "prepared"
    SIGNING = "signing"
    SIGNED_OFF = "signed_off"
    REOPENED = "reopened"


@dataclass(frozen=True)
class CheckFact:
    """What a check says of the month's latest materialization. A check is one by its stream, table and name.

    Attributes:
        name: its name.
        stream: the stream whose table it judges.
        table: the table that it judges.
        gate: what its failure stops.
        state: passed, failed, missing, planned or outdated.
        figures: its figures.
        next_step: what to do about it.
        title: what people call it; of a signed version, which keeps none, its name in words.
        limits: how far its figures may go.
        command: the command that shows what is behind it, without the program's name; empty where its next step says more.
    """

    name: str
    stream: str
    table: str
    gate: Gate
    state: str
    figures: Mapping[str, Any]
    next_step: str
    title: str = ""
    limits: Sequence[Limit] = ()
    command: str = ""

    @property
    def heading(self) -> str:
        """What people call it."""
        heading = self.title or words(self.name)
        return heading[:1].upper() + heading[1:]

    @property
    def path(self) -> str:
        """What names it among all checks, as people write it: ``STREAM/TABLE/NAME``."""
        return f"{self.stream}/{self.table}/{self.name}"

    @property
    def identity(self) -> dict[str, str]:
        """What names it among all checks, as ledger entries and lists hold it."""
        return {"stream": self.stream, "table": self.table, "name": self.name}

    @property
    def stands_in_the_way(self) -> bool:
        """Whether it keeps the month from being signed."""
        return self.gate is not Gate.WARN and self.state != "passed"

    @property
    def plain(self) -> dict[str, Any]:
        """The check as a ledger entry holds it."""
        return {
            **self.identity,
            "gate": self.gate.value,
            "passed": self.state == "passed",
            "figures": _texts(self.figures),
        }

    @property
    def kept(self) -> dict[str, Any]:
        """The check as a signed version keeps it: all that its pack says of it."""
        return self.plain | {"state": self.state, "next_step": self.next_step}

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any]) -> "CheckFact":
        """Return a check as a signed version keeps it."""
        names = ("name", "stream", "table", "state", "figures", "next_step")
        return cls(gate=Gate(kept["gate"]), **{name: kept[name] for name in names})


def _texts(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures in a form that JSON keeps: numbers that are no integers as text."""
    return {
        name: value if isinstance(value, int | str | bool) or value is None else str(value) for name, value in figures.items()
    }


@dataclass(frozen=True)
class MonthFacts:
    """Everything that a decision about a month of a book rests on.

    Attributes:
        month: the month.
        now: the present instant.
        cutoff: the last instant of a posting in time.
        content_hash: of the published signed content; ``None`` if the month was never published.
        stale: why its inputs differ from what was computed; empty if they do not.
        news: batches landed and not read yet, as words; empty if there are none.
        running: whether a run of the month is queued or going on.
        is_published_as_computed: whether what is published is what the warehouse holds.
        checks: what each check says.
        entries: the month's entries in the ledger that count for the book; of one from before there were books, the book's part.
        month_before_was_signed: whether the month before was ever signed; ``None`` for the book's first month.
        batches: ids and digests of the batches behind the month.
        settings_hash: of the settings that the content rests on.
        code_version: of the rules that made it.
        explanation_updated: whether causes or wording changed since the signed version, and no signed cent.
        as_of: arrival of the latest batch that was read.
        is_frozen: whether the version of the latest approval stands; it does not after a crash, until the next command.
        of_several: tables and names that checks of several streams share: what names no stream there names no check.
        book: the book; empty for what was signed before there were books.
        begins: the first month of the book; ``None`` where the month is not compared with it.
        backdated: batches of the month whose arrival lies in a past that was signed before they came.
    """

    month: date
    now: datetime
    cutoff: datetime
    content_hash: str | None
    stale: str
    news: str
    running: bool
    is_published_as_computed: bool
    checks: Sequence[CheckFact]
    entries: Sequence[Entry]
    month_before_was_signed: bool | None
    batches: Sequence[Mapping[str, str]]
    settings_hash: str
    code_version: str
    explanation_updated: bool
    as_of: str
    is_frozen: bool = True
    of_several: frozenset[tuple[str, str]] = frozenset()
    book: str = ""
    begins: date | None = None
    backdated: Sequence[str] = ()

    @property
    def label(self) -> str:
        """The month as people write it."""
        return months.label(self.month)

    @property
    def named(self) -> str:
        """The month of the book as people write it."""
        return f"{self.book} {self.label}".strip()

    @property
    def asked_for(self) -> str:
        """The month of the book as commands name it."""
        return f"{self.label} --book {self.book}" if self.book else self.label

    @property
    def is_before_book(self) -> bool:
        """Whether the month comes before the book's first and was never signed in it."""
        return self.begins is not None and self.month < self.begins and self.signed is None

    @property
    def approvals(self) -> list[Entry]:
        """The approvals in order."""
        return [entry for entry in self.entries if entry.action == Action.APPROVE]

    @property
    def signed(self) -> Entry | None:
        """The latest approval."""
        return self.approvals[-1] if self.approvals else None

    @property
    def next_version(self) -> int:
        """The version that the next approval makes."""
        return max((entry.version for entry in self.approvals), default=0) + 1

    @property
    def reopened_by(self) -> Entry | None:
        """The entry that reopened the month after its latest approval."""
        since = list(self.entries)
        while since and since[-1].action != Action.APPROVE:
            if since[-1].action == Action.REOPEN:
                return since[-1]
            since.pop()
        return None

    @property
    def prepared(self) -> Entry | None:
        """The latest preparation that no approval or reopening has followed."""
        for entry in reversed(self.entries):
            if entry.action in (Action.APPROVE, Action.REOPEN):
                return None
            if entry.action == Action.PREPARE:
                return entry
        return None

    @property
    def is_prepared(self) -> bool:
        """Whether exactly the present content was prepared."""
        return self.prepared is not None and self.prepared.content_hash == self.content_hash

    @property
    def waivers(self) -> list[Entry]:
        """Waivers of exactly the present content, check and figures."""
        return [entry for entry in self.entries if any(self._lets_through(entry, check) for check in self.checks)]

    def waivers_of(self, check: CheckFact) -> list[Entry]:
        """Return the waivers by which approvers let a check through, for exactly the present content and figures."""
        return [entry for entry in self.entries if self._lets_through(entry, check)]

    def _lets_through(self, entry: Entry, check: CheckFact) -> bool:
        if entry.action != Action.WAIVE or entry.content_hash != self.content_hash:
            return False
        waived = entry.waived
        if _figures_text(waived["figures"]) != _figures_text(check.figures):
            return False
        if "stream" not in waived and (check.table, check.name) in self.of_several:
            # Entries of format 1 name no stream. It must be waived anew, so that it lets nothing through that nobody looked at.
            return False
        return {"stream": check.stream, **waived} == {**waived, **check.identity}

    def called(self, check: CheckFact) -> str:
        """Return what `waive` knows a check by: its name, or where two have that name, all of its path."""
        return check.name if sum(each.name == check.name for each in self.checks) == 1 else check.path

    @property
    def in_the_way(self) -> list[CheckFact]:
        """Checks that keep the month from being signed, waived ones left out."""
        return [
            check
            for check in self.checks
            if check.stands_in_the_way
            and not (check.gate is Gate.SIGN_OFF and check.state == "failed" and self.waivers_of(check))
        ]

    @property
    def is_signed_as_it_stands(self) -> bool:
        """Whether the present content is the signed one, and nobody reopened it."""
        return self.signed is not None and self.signed.content_hash == self.content_hash and self.reopened_by is None


def _figures_text(figures: Mapping[str, Any]) -> str:
    return json.dumps(_texts(figures), sort_keys=True)


def status_of(facts: MonthFacts) -> Status:
    """Return the status of a month."""
    if facts.content_hash is None or facts.now <= facts.cutoff or facts.is_before_book:
        return Status.OPEN
    if facts.stale or facts.running or (facts.news and facts.signed is None):
        return Status.STALE
    if facts.is_signed_as_it_stands:
        return Status.SIGNED_OFF if facts.is_frozen else Status.SIGNING
    if facts.is_prepared and not facts.in_the_way:
        return Status.PREPARED
    if facts.signed is not None:
        return Status.REOPENED
    return Status.BLOCKED if facts.in_the_way or not facts.is_published_as_computed else Status.READY


def reopened_because(facts: MonthFacts) -> str:
    """Return what made the content differ from the signed one: data, settings or code; or who reopened it."""
    signed = facts.signed
    if signed is None:
        return ""
    if signed.content_hash == facts.content_hash:
        by_hand = facts.reopened_by
        return f"reopened by {by_hand.actor}: {by_hand.comment}" if by_hand else ""
    known = {(batch["id"], batch["digest"]) for batch in signed.batches}
    if {(batch["id"], batch["digest"]) for batch in facts.batches} != known:
        return "data"
    return "settings" if signed.settings_hash != facts.settings_hash else "code"


def new_batches(facts: MonthFacts) -> list[str]:
    """Return the ids of batches behind the month that were not behind the signed version."""
    known = {batch["id"] for batch in facts.signed.batches} if facts.signed else set()
    return sorted(batch["id"] for batch in facts.batches if batch["id"] not in known)


def newly_backdated(facts: MonthFacts) -> list[str]:
    """Return the ids of batches that claim to have come before something signed, and were not behind what was signed last."""
    new = new_batches(facts)
    return [batch for batch in facts.backdated if batch in new]


def _refuse_others(actor: str, allowed: Sequence[str], role: str, setting: str) -> None:
    if actor not in allowed:
        named = ", ".join(allowed) or "nobody"
        raise Refusal(f"{actor} is no {role} ({setting}: {named})", f"Let {_one(role)} do it, or set {setting}")


def _one(role: str) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def _refuse_unsettled(facts: MonthFacts) -> None:
    """Refuse while the month's figures may still move."""
    if not facts.as_of:
        raise Refusal(
            f"nothing was ever delivered for {facts.named}", "Land what its sources deliver, and run it: revenue-integrity run"
        )
    if facts.content_hash is None:
        raise Refusal(f"{facts.named} was never published", f"Run it: revenue-integrity run --months {facts.label}")
    if facts.news:
        raise Refusal(f"{facts.named} is stale: {facts.news}", "Run the months that they touch: revenue-integrity run")
    if facts.stale:
        raise Refusal(f"{facts.named} is stale: {facts.stale}", f"Run it: revenue-integrity run --months {facts.label}")
    if facts.running:
        raise Refusal(f"a run of {facts.named} is queued or going on", "Wait until it has ended, or cancel it in the UI")


def _refuse_failing(facts: MonthFacts, settings: Settings) -> None:
    found = facts.in_the_way
    if found:
        count = "one check" if len(found) == 1 else f"{len(found)} checks"
        raise Refusal(
            f"{facts.named} is blocked by {count}",
            blocking.way_out(facts, settings),
            details=[blocking.told(facts, check, settings.currency) for check in found],
        )
    if not facts.is_published_as_computed:
        raise Refusal(
            f"what is published of {facts.named} is not what was computed",
            f"Publish it: revenue-integrity run --months {facts.label}",
        )


def refuse_prepare(facts: MonthFacts, actor: str, settings: Settings) -> None:
    """Raise ``Refusal`` if the actor may not prepare the month now."""
    _refuse_others(actor, settings.preparers, "preparer", "preparers")
    if facts.is_before_book:
        raise Refusal(
            f"{facts.named} comes before the first month of its book, {months.label(facts.begins or facts.month)}",
            "Set the book's first_month if it is to be signed",
        )
    if facts.now <= facts.cutoff:
        raise Refusal(
            f"postings of {facts.named} are in time until its cutoff {facts.cutoff:%Y-%m-%dT%H:%M:%S.%fZ}",
            "Prepare it after the cutoff",
        )
    _refuse_unsettled(facts)
    if facts.is_signed_as_it_stands:
        raise Refusal(f"{facts.named} is signed off as it stands", "Reopen it with a reason if it must be signed anew")
    _refuse_failing(facts, settings)
    if settings.sequential_close and facts.month_before_was_signed is False:
        before = f"{facts.book} {months.label(months.add(facts.month, -1))}".strip()
        raise Refusal(f"{before} has never been signed off", f"Close {before} first (setting sequential_close)")
    if any(entry.actor == actor for entry in facts.waivers):
        raise Refusal(f"{actor} waived a check of this content", "Let another preparer prepare it: one person must not do both")


def refuse_approve(facts: MonthFacts, actor: str, settings: Settings) -> None:
    """Raise ``Refusal`` if the actor may not approve the month now."""
    _refuse_others(actor, settings.approvers, "approver", "approvers")
    if facts.prepared is None:
        raise Refusal(f"{facts.named} is not prepared", f"Prepare it: revenue-integrity prepare {facts.asked_for} --as NAME")
    if facts.prepared.actor == actor:
        raise Refusal(f"{actor} prepared {facts.named}", "Let another approver approve it: one person must not do both")
    _refuse_unsettled(facts)
    if not facts.is_prepared:
        raise Refusal(
            f"{facts.named} has changed since {facts.prepared.actor} prepared it",
            f"See what changed (revenue-integrity recon {facts.label}), and prepare it again",
        )
    _refuse_failing(facts, settings)


def check_named(facts: MonthFacts, name: str) -> CheckFact:
    """Return the check that somebody names, by its name alone or as ``STREAM/TABLE/NAME``.

    Raises:
        Refusal: there is none.
        UsageError: several have that name.
    """
    found = [each for each in facts.checks if name in (each.name, each.path)]
    if not found:
        waivable = sorted(facts.called(each) for each in facts.checks if each.gate is Gate.SIGN_OFF)
        listed = f"Checks that can be waived: {', '.join(waivable) or 'none'}"
        raise Refusal(f"there is no check '{name}'", f"{near(name, waivable)}{listed}")
    if len(found) > 1:
        raise UsageError(
            f"{facts.named} has {len(found)} checks '{name}'", f"Name one: {', '.join(sorted(each.path for each in found))}"
        )
    return found[0]


def refuse_waive(facts: MonthFacts, check: str, actor: str, reason: str, settings: Settings) -> CheckFact:
    """Return the check that a waiver would let through; raise ``Refusal`` if the actor may not waive it now.

    Raises:
        UsageError: several checks have that name.
    """
    _refuse_others(actor, settings.approvers, "approver", "approvers")
    _refuse_unsettled(facts)
    if not reason.strip():
        raise Refusal("a waiver needs a reason", "Give it with --reason")
    found = check_named(facts, check)
    if found.gate is not Gate.SIGN_OFF:
        raise Refusal(f"{check} closes the gate {found.gate.value}, which nobody can waive", "Correct what it names")
    if found.state == "passed":
        raise Refusal(f"{check} passes for {facts.named}", "There is nothing to waive")
    if facts.prepared is not None and facts.prepared.actor == actor:
        raise Refusal(f"{actor} prepared {facts.named}", "Let another approver waive it: one person must not do both")
    if found.state != "failed":
        raise Refusal(f"{check} is {found.state} for {facts.named}", "Run the month with its checks, then waive what fails")
    return found


def refuse_reopen(facts: MonthFacts, actor: str, reason: str, settings: Settings) -> None:
    """Raise ``Refusal`` if the actor may not reopen the month now."""
    _refuse_others(actor, settings.approvers, "approver", "approvers")
    if not reason.strip():
        raise Refusal("reopening needs a reason", "Give it with --reason")
    if facts.signed is None:
        raise Refusal(f"{facts.named} was never signed off", "There is nothing to reopen")
    if facts.reopened_by is not None:
        raise Refusal(f"{facts.named} is reopened already, by {facts.reopened_by.actor}", "Prepare and approve it anew")
