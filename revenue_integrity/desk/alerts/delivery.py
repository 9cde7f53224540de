"""Delivery: what is due in the outbox goes out, at least once, whatever happens to channels and processes.

Belongs here: what is due, in which order, when to try again, escalation. Does not belong here: how a channel is talked to
(``channels``), how records are kept (``outbox``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from revenue_integrity import months
from revenue_integrity.desk.alerts import channels, outbox
from revenue_integrity.desk.alerts.channels import Channel
from revenue_integrity.desk.alerts.events import Event, Kind, Severity
from revenue_integrity.desk.alerts.outbox import Dispatch, Record
from revenue_integrity.settings import Settings

LONGEST_WAIT = timedelta(hours=6)
"""A channel that was down for days is still tried four times a day."""


@dataclass(frozen=True)
class Delivered:
    """What one delivery did: messages sent, tries that failed, messages still pending, and whether another process was at it."""

    sent: int = 0
    failed: int = 0
    pending: int = 0
    busy: bool = False


def deliver(settings: Settings, now: datetime) -> Delivered:
    """Send what is due at ``now``, oldest first. No channel's trouble is ever raised.

    A message is marked after its channel took it: a process killed in between sends it again (at least once, never lost).
    A channel that fails is left alone for the rest of this delivery, so that one that is down costs one time-out, not one
    per message.

    Raises:
        OSError: the home cannot be written.
    """
    with outbox.sole_delivery(settings) as held:
        if not held:
            return Delivered(busy=True)
        sent = failed = 0
        down: set[str] = set()
        reachable = _reachable(settings)
        records = outbox.records(settings)
        for number, record in enumerate(records):
            dispatches = _wanted(settings, record, now, reachable)
            if dispatches != record.dispatches:
                records[number] = outbox.update(settings, record, dispatches)
        for message in _messages(records, now):
            channel = reachable.get(message.channel)
            if channel is None or channel.key in down:
                continue
            problem = channels.send(channel, message.severity, *message.text(records))
            for number, position in message.parts:
                record = records[number]
                after = _after(settings, record.dispatches[position], problem, now)
                dispatches = [*record.dispatches[:position], after, *record.dispatches[position + 1 :]]
                records[number] = outbox.update(settings, record, dispatches)
                if problem:
                    _log_failure(settings, records[number], after, problem, now)
            if problem:
                failed += 1
                down.add(channel.key)
            else:
                sent += 1
        pending = sum(len(record.pending) for record in records)
        return Delivered(sent, failed, pending)


@dataclass
class _Message:
    """One message to a channel: the numbers of its records, each with the position of the dispatch that it carries out."""

    channel: str
    severity: Severity
    parts: list[tuple[int, int]]

    def text(self, records: Sequence[Record]) -> tuple[str, str]:
        """Return its title and its body."""
        told = [(records[number], records[number].dispatches[position]) for number, position in self.parts]
        if len(told) == 1:
            return _message(*told[0])
        event = told[0][0].event
        over = sum(dispatch.purpose == "resolved" for _, dispatch in told)
        counted = [f"{len(told) - over} to look at"] if len(told) > over else []
        counted += [f"{over} resolved"] if over else []
        escalated = "Escalated: " if all(dispatch.purpose == "escalation" for _, dispatch in told) else ""
        month = "" if event.month is None else months.label(event.month)
        title = f"{escalated}[{self.severity}] {f'{event.book} {month}'.strip()}: {', '.join(counted)}"
        return title, "\n\n".join("\n".join(_message(record, dispatch)) for record, dispatch in told)


def _messages(records: Sequence[Record], now: datetime) -> list[_Message]:
    """Return the messages that are due, oldest first: what belongs together goes to a channel at once."""
    found: dict[tuple[str, ...], _Message] = {}
    for number, record in enumerate(records):
        for position, each in enumerate(record.dispatches):
            if each.status != "pending" or (each.next_try_at is not None and each.next_try_at > now):
                continue
            alone = (each.channel, str(number), str(position))
            key = (each.channel, each.digest, str(each.attempts)) if each.digest else alone
            message = found.setdefault(key, _Message(each.channel, record.event.severity, []))
            message.severity = max(message.severity, record.event.severity, key=list(Severity).index)
            message.parts.append((number, position))
    return list(found.values())


def send_test(settings: Settings, now: datetime) -> dict[str, str | None]:
    """Send a test message to each configured channel at once, past the outbox; return what went wrong, by channel."""
    event = Event(
        Kind.TEST,
        None,
        Severity.INFO,
        "Test alert of Revenue Integrity",
        f"Sent at {now:%Y-%m-%d %H:%M:%S} UTC. Nothing happened.",
        now.isoformat(),
    )
    results = {key: channels.send(each, event.severity, event.title, event.body) for key, each in _reachable(settings).items()}
    for key, problem in results.items():
        outbox.log(settings, now, event.severity, event, f"{key}: {problem or 'sent'}")
    return results


def _reachable(settings: Settings) -> dict[str, Channel]:
    by_severity = [each for severity in Severity for each in channels.of_severity(settings, severity)]
    return {each.key: each for each in [*by_severity, *channels.of_escalation(settings)]}


def _wanted(settings: Settings, record: Record, now: datetime, reachable: dict[str, Channel]) -> list[Dispatch]:
    """Return a record's dispatches with those added that escalation or changed settings call for."""
    wanted = list(record.dispatches)
    orphans = [each for each in wanted if each.status == "pending" and each.channel not in reachable]
    heirs = {
        "first": channels.of_severity(settings, record.event.severity),
        "escalation": channels.of_escalation(settings),
    }
    for orphan in orphans:
        # The channel left the settings (a rotated token, say) before it took the message: the ones there now inherit it.
        if heirs.get(orphan.purpose):
            wanted.remove(orphan)
            _add(wanted, orphan.purpose, heirs[orphan.purpose], now, orphan.digest)
    if record.event.severity is Severity.CRITICAL and not record.resolved_at:
        step = timedelta(minutes=settings.alert_escalate_after_minutes)
        reached = int((now - record.open_since) / step)
        event = record.event
        digest = "" if event.month is None else f"escalation|{event.book}|{event.month}"
        _add(wanted, "escalation", heirs["escalation"][: max(reached, 0)], now, digest)
    return wanted


def _add(dispatches: list[Dispatch], purpose: str, wanted: list[Channel], now: datetime, digest: str) -> None:
    there = {(each.purpose, each.channel) for each in dispatches}
    for channel in wanted:
        if purpose == "first" and ("first", channel.key) not in there:
            dispatches.append(Dispatch("first", channel.key, next_try_at=now, digest=digest))
        if purpose == "escalation" and ("escalation", channel.key) not in there:
            dispatches.append(Dispatch("escalation", channel.key, next_try_at=now, digest=digest))


def _after(settings: Settings, dispatch: Dispatch, problem: str | None, now: datetime) -> Dispatch:
    attempts = dispatch.attempts + 1
    if problem is None:
        return replace(dispatch, status="sent", attempts=attempts, next_try_at=None, sent_at=now)
    first = timedelta(minutes=settings.alert_retry_minutes)
    # The exponent is bounded before the multiplication: a timedelta overflows after some forty doublings.
    return replace(dispatch, attempts=attempts, next_try_at=now + min(first * 2 ** min(attempts - 1, 10), LONGEST_WAIT))


def _message(record: Record, dispatch: Dispatch) -> tuple[str, str]:
    title = f"[{record.event.severity}] {record.event.title}"
    told = {"escalation": "Escalated: ", "resolved": "Resolved: ", "again": "Holds again: "}
    title = told.get(dispatch.purpose, "") + title
    lines = [record.event.body, f"Since {record.open_since:%Y-%m-%d %H:%M} UTC."]
    if record.resolved_at:
        lines.append(f"Resolved at {record.resolved_at:%Y-%m-%d %H:%M} UTC.")
    return title, "\n".join(line for line in lines if line)


def _log_failure(settings: Settings, record: Record, dispatch: Dispatch, problem: str, now: datetime) -> None:
    again = f"{dispatch.next_try_at:%Y-%m-%dT%H:%M:%SZ}"
    message = f"{dispatch.channel}: {problem}, attempt {dispatch.attempts}; again at {again}: {record.event.title}"
    outbox.log(settings, now, record.event.severity, record.event, message)
