"""What is worth waking somebody for, and how it reads.

Belongs here: pure functions from the facts of the close to events. Does not belong here: gathering the facts (the close and
the orchestration do), keeping and sending events (``outbox``, ``delivery``).
An event's ``content`` identifies the state that it tells of: the same kind, month and content is told once, for ever.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from revenue_integrity import months
from revenue_integrity.close.calendar import business_day
from revenue_integrity.landing.due import DELIVERIES_ARE_IN_TIME, Deadline
from revenue_integrity.settings import Settings
from revenue_integrity.wording import Currency


class Severity(StrEnum):
    """How soon somebody must look; the channels and the colour follow from it."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Kind(StrEnum):
    """What happened."""

    BREACH_OVER_MATERIALITY = "breach_over_materiality"
    CHECK_FAILED = "check_failed"
    MONTH_REOPENED = "month_reopened"
    BATCH_REJECTED = "batch_rejected"
    INBOX_REJECTED = "inbox_rejected"
    BATCH_CHANGED = "batch_changed"
    CLOSE_LATE = "close_late"
    DELIVERY_OVERDUE = "delivery_overdue"
    BATCH_BACKDATED = "batch_backdated"
    BATCH_AHEAD = "batch_ahead"
    CAUSES_FOUND = "causes_found"
    RUN_FAILED = "run_failed"
    DELIVERY_FAILED = "delivery_failed"
    APPROVED = "approved"
    TEST = "test"


@dataclass(frozen=True)
class Event:
    """Something that happened to a month of a book, or to the deployment where ``month`` is ``None``.

    Attributes:
        kind: what happened.
        month: service month that it is about.
        severity: how soon somebody must look.
        title: one line that stands alone in a chat.
        body: figures, and what to do next.
        content: text that identifies the state; never shown.
        book: the book that it is about; empty for the deployment.
    """

    kind: Kind
    month: date | None
    severity: Severity
    title: str
    body: str
    content: str
    book: str = ""

    @property
    def subject(self) -> str:
        """What it is about, whatever its figures: a state with other figures takes the place of the one before."""
        apart = self.kind in (Kind.CHECK_FAILED, Kind.BREACH_OVER_MATERIALITY, Kind.DELIVERY_FAILED)
        return f"{self.kind}|{self.content.partition('|')[0] if apart else ''}"

    @property
    def identity(self) -> str:
        """What makes two events the same: a digest of kind, book, month and content."""
        month = "" if self.month is None else months.label(self.month)
        parts = (self.kind, *([self.book] if self.book else []), month, self.content)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class FailedCheck:
    """A check that does not hold for a month.

    Attributes:
        name: the check, as ``STREAM/TABLE/NAME``.
        gate: what its failure stops: ``write``, ``publish``, ``sign_off`` or ``warn``.
        figures: the figures that it reported, as text; a changed figure is a new state.
        next_step: what it says to do.
        waived: whether an approver let it through for exactly these figures.
    """

    name: str
    gate: str
    figures: str = ""
    next_step: str = ""
    waived: bool = False


@dataclass(frozen=True)
class FoundCause:
    """A cause of a variance in breach: what tells it from others, its family and cents, and the sentence about it."""

    key: str
    family: str
    cents: int
    sentence: str


NOT_THERE_YET = frozenset({"timing", "missing"})
"""Families of causes that a month before its cutoff has by nature."""

_SHOWN = 8
"""Causes that a digest shows one by one."""

FINISHED = frozenset({"signed_off"})
ON_TIME = FINISHED | {"ready", "prepared"}
"""Statuses of a month about which nobody needs a warning one business day before the close is due."""


def _named(book: str, month: date) -> str:
    return f"{book} {months.label(month)}".strip()


def _in_commands(book: str, month: date) -> str:
    return f"{months.label(month)} --book {book}" if book else months.label(month)


def check_failed(book: str, month: date, check: FailedCheck, severity: Severity | None = None) -> Event:
    """Return the event of a failed check: critical if it stops writing or publishing, a warning if it stops the sign-off.

    What only warns has the severity that the settings give it.
    """
    severity = severity or (Severity.CRITICAL if check.gate in ("write", "publish") else Severity.WARNING)
    body = _lines(f"Gate: {check.gate}.", f"Figures: {check.figures}." if check.figures else "", check.next_step)
    title = f"{_named(book, month)}: check {check.name} failed"
    return Event(Kind.CHECK_FAILED, month, severity, title, body, f"{check.name}|{check.gate}|{check.figures}", book)


def breach_over_materiality(book: str, month: date, breach: "Breach", settings: Settings) -> Event:
    """Return the event of a reconciliation whose causes exceed materiality (both gross cents, late postings apart)."""
    money = Currency(settings.currency)
    title = (
        f"{_named(book, month)}: {breach.recon} breaches by {money.amount(breach.gross_cents)}, "
        f"above materiality of {money.amount(breach.materiality_cents)}"
    )
    body = f"`revenue-integrity recon {months.label(month)}` lists the causes."
    content = f"{breach.recon}|{breach.gross_cents}|{breach.materiality_cents}"
    return Event(Kind.BREACH_OVER_MATERIALITY, month, _severity_of(breach.share, settings), title, body, content, book)


def _severity_of(share: Decimal | None, settings: Settings) -> Severity:
    """Return how bad a variance is by its share of what it is measured by; one of nothing is as bad as can be."""
    if share is None:
        return Severity.CRITICAL
    reached = [each for each in Severity if share >= settings.alert_variance.get(each.value, Decimal(2))]
    return reached[-1] if reached else Severity.INFO


def batches_backdated(book: str, month: date, batches: Sequence[str]) -> Event:
    """Return the event of batches that claim to have come before something that was signed without them."""
    title = f"{_named(book, month)}: {', '.join(batches)} backdated"
    body = "It came after a signature, and its arrival says that it had been there before. Ask who delivered it, and why so."
    return Event(Kind.BATCH_BACKDATED, month, Severity.WARNING, title, body, "|".join(batches), book)


def causes_found(
    book: str,
    month: date,
    causes: Sequence[FoundCause],
    told: Collection[str],
    last_told: date | None,
    today: date,
    currency: str,
) -> Event | None:
    """Return the day's digest of a month before its cutoff: what is there and wrong, and was not told before.

    What is not there yet (families timing and missing) is nothing that anybody must do anything about. There is one a day.
    """
    new = sorted(
        (each for each in causes if each.family not in NOT_THERE_YET and each.key not in told),
        key=lambda each: (-abs(each.cents), each.key),
    )
    if not new or last_told == today:
        return None
    money = Currency(currency)
    gross = sum(abs(each.cents) for each in new)
    counted = "1 new cause" if len(new) == 1 else f"{len(new)} new causes"
    lines = [f"{money.amount(each.cents)} {each.sentence}" for each in new[:_SHOWN]]
    more = f"... and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
    step = f"`revenue-integrity recon {months.label(month)}` lists all; there is time until the cutoff."
    title = f"{_named(book, month)}: {counted} of variance before the cutoff, {money.amount(gross)} gross"
    content = "|".join(each.key for each in new)
    return Event(Kind.CAUSES_FOUND, month, Severity.INFO, title, _lines(*lines, more, step), content, book)


def month_reopened(book: str, month: date, version: int, signed_hash: str, content_hash: str, reason: str) -> Event:
    """Return the event of a signed month whose content is no longer what was signed."""
    title = f"{_named(book, month)}: signed version {version} reopened"
    asked = f"`revenue-integrity restatement {_in_commands(book, month)}`"
    body = _lines(reason, f"{asked} lists what changed; then prepare and approve it again.")
    return Event(Kind.MONTH_REOPENED, month, Severity.CRITICAL, title, body, f"{version}|{signed_hash}|{content_hash}", book)


def batch_rejected(batch_id: str, digest: str, reason: str, month: date | None = None) -> Event:
    """Return the event of a batch that cannot be read as a whole."""
    body = _lines(reason, "Land a corrected batch; it supersedes this one.")
    return Event(Kind.BATCH_REJECTED, month, Severity.CRITICAL, f"Batch {batch_id} rejected", body, f"{batch_id}|{digest}")


def inbox_rejected(item: str, reason: str) -> Event:
    """Return the event of something dropped into the inbox that is no batch; it is over once it lies there no more."""
    body = _lines(reason, "Drop it again as it should be, and remove this one from _rejected in the inbox.")
    return Event(Kind.INBOX_REJECTED, None, Severity.CRITICAL, f"Inbox: {item} rejected", body, item)


def batch_ahead(batch_id: str) -> Event:
    """Return the event of a batch whose arrival is yet to come."""
    body = "It counts once its arrival is past. Withdraw it if its time is wrong, and land the files again."
    return Event(Kind.BATCH_AHEAD, None, Severity.WARNING, f"Batch {batch_id} lies ahead of the present", body, batch_id)


def batch_changed(batch_id: str, recorded_digest: str, present_digest: str) -> Event:
    """Return the event of a batch whose bytes are no longer those first read; ``present_digest`` is empty if it is gone."""
    happened = "changed after it was read" if present_digest else "is gone"
    body = _lines(
        f"Recorded digest {recorded_digest}, present digest {present_digest or 'none'}.",
        "Put the original bytes back, and land what is new as a batch of its own.",
    )
    title = f"Batch {batch_id} {happened}"
    return Event(Kind.BATCH_CHANGED, None, Severity.CRITICAL, title, body, f"{batch_id}|{recorded_digest}|{present_digest}")


def delivery_overdue(deadline: Deadline, settings: Settings) -> Event:
    """Return the event of a source that should have delivered; it is over as soon as it has."""
    severity = Severity(settings.alert_on.get(DELIVERIES_ARE_IN_TIME, "info"))
    every = settings.expected_every[f"{deadline.stream}.{deadline.source}"]
    body = f"It is to deliver every {every}. Ask whoever delivers it; what comes is read by itself."
    content = f"{deadline.stream}.{deadline.source}|{deadline.due_at.isoformat()}"
    return Event(Kind.DELIVERY_OVERDUE, None, severity, deadline.sentence, body, content)


def delivery_failed(name: str, reason: str) -> Event:
    """Return the event of a delivery into a database that failed; it is over once everything was brought."""
    body = _lines(reason, f"What stood there stays. Once it is mended: `revenue-integrity deliver --to {name}`.")
    return Event(Kind.DELIVERY_FAILED, None, Severity.CRITICAL, f"Delivery {name} failed", body, name)


def run_failed(month: date | None, fingerprint: str, attempts: int, reason: str) -> Event:
    """Return the event of a computation given up after its last attempt; ``fingerprint`` is that of the inputs requested."""
    subject = "Run" if month is None else f"{months.label(month)}: run"
    body = _lines(reason, "Open the failed run in the UI, mend the cause and launch it again.")
    return Event(
        Kind.RUN_FAILED, month, Severity.CRITICAL, f"{subject} failed {attempts} times and was given up", body, fingerprint
    )


def approved(book: str, month: date, version: int, ledger_head: str, actor: str) -> Event:
    """Return the event of an approval. It carries the ledger's head: kept apart, the head shows if the ledger is cut off."""
    title = f"{_named(book, month)}: version {version} signed off by {actor}"
    return Event(Kind.APPROVED, month, Severity.INFO, title, f"Ledger head: {ledger_head}", f"{version}|{ledger_head}", book)


def close_is_late(book: str, month: date, status: str, now: datetime, settings: Settings) -> Event | None:
    """Return the event of a close that is late, or ``None`` while it is in time.

    From one business day before ``close_due_business_day`` of the next month a month that is neither ready nor prepared nor
    signed is a warning; from the day after the due day one that is not signed is critical. A month that was reopened after
    its due day has its own event, but counts as late too: it is not signed as it stands. Days are those of the close time
    zone.
    """
    following = months.add(month, 1)
    due = business_day(following, settings.close_due_business_day, settings)
    # Business day 0 is the last one of the month before, which is what "one business day before the first" means.
    warned_from = business_day(following, settings.close_due_business_day - 1, settings)
    today = now.astimezone(ZoneInfo(settings.close_timezone)).date()
    label = _named(book, month)
    step = f"`revenue-integrity status --month {_in_commands(book, month)}` shows what blocks it."
    if today > due and status not in FINISHED:
        title = f"{label}: close overdue since {due + timedelta(days=1):%Y-%m-%d}, still {status}"
        return Event(Kind.CLOSE_LATE, month, Severity.CRITICAL, title, step, f"overdue|{due:%Y-%m-%d}", book)
    if warned_from <= today <= due and status not in ON_TIME:
        title = f"{label}: close due on {due:%Y-%m-%d}, still {status}"
        return Event(Kind.CLOSE_LATE, month, Severity.WARNING, title, step, f"due|{due:%Y-%m-%d}", book)
    return None


@dataclass(frozen=True)
class Breach:
    """Causes of a reconciliation above materiality, in gross cents without late postings.

    ``share`` is the gross variance by the total that it is measured by; ``None`` where that is nothing.
    """

    recon: str
    gross_cents: int
    materiality_cents: int
    share: Decimal | None = None


def events_of_month(
    book: str,
    month: date,
    *,
    status: str,
    version: int,
    signed_hash: str,
    content_hash: str,
    reopened_because: str,
    failing_checks: Sequence[FailedCheck],
    breaches: Sequence[Breach],
    now: datetime,
    settings: Settings,
    is_before_cutoff: bool = False,
    backdated: Sequence[str] = (),
) -> list[Event]:
    """Return all events that the present state of a month of a book calls for, in a fixed order; settings are the book's.

    Before the cutoff, what stops only the sign-off stops nothing yet. Checks of gate ``warn`` make an event where the settings
    name them, and waived ones were judged by an approver: they make none. Figures at materiality are within it. What an earlier
    call returned and this one does not is over: the caller resolves its kind.
    """
    found: list[Event] = []
    if status == "reopened":
        found.append(month_reopened(book, month, version, signed_hash, content_hash, reopened_because))
    found += [batches_backdated(book, month, backdated)] if backdated else []
    found += [
        breach_over_materiality(book, month, each, settings)
        for each in sorted(breaches, key=lambda each: each.recon)
        if each.gross_cents > each.materiality_cents and not is_before_cutoff
    ]
    for each in sorted(failing_checks, key=lambda each: (each.name, each.gate)):
        wanted = settings.alert_on.get(each.name.rpartition("/")[2]) if each.gate == "warn" else None
        if each.waived or (each.gate == "warn" and wanted is None) or (each.gate == "sign_off" and is_before_cutoff):
            continue
        found.append(check_failed(book, month, each, Severity(wanted) if wanted else None))
    late = close_is_late(book, month, status, now, settings)
    return [*found, late] if late else found


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
