"""When sources are to deliver (settings ``expected_every``, ``expected_grace``), and which are overdue.

Belongs here: deadlines from the arrivals of batches. Does not belong here: days that a stream has due at an hour of their own,
telling anybody.

A source is due one span behind its last delivery, and overdue the grace after that. One that never delivered is due one span
behind the first day of the deployment.
"""

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from revenue_integrity.settings import Settings

DELIVERIES_ARE_IN_TIME = "deliveries_are_in_time"
"""The check, and what alerts know overdue deliveries by."""

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True)
class Deadline:
    """When a delivery of a source was due.

    Attributes:
        stream, source: whose delivery.
        after: the delivery before it; ``None`` for the first.
        due_at: the instant from which it is overdue.
        came_at: when it came; ``None`` while it has not.
        is_late: whether it came after that, or has not come and the instant has passed.
    """

    stream: str
    source: str
    after: datetime | None
    due_at: datetime
    came_at: datetime | None
    is_late: bool

    @property
    def is_missing(self) -> bool:
        """Whether it has not come."""
        return self.came_at is None

    @property
    def plain(self) -> dict[str, Any]:
        """The deadline as a row for people."""
        return {
            "source": self.source,
            "delivered_before": None if self.after is None else _instant(self.after),
            "due_at": _instant(self.due_at),
            "came_at": None if self.came_at is None else _instant(self.came_at),
        }

    @property
    def sentence(self) -> str:
        """What there is to say of a delivery that is overdue."""
        last = "it never delivered" if self.after is None else f"its last delivery came {_instant(self.after)}"
        return f"{self.stream}.{self.source} is overdue since {_instant(self.due_at)}: {last}"


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def later(at: datetime, span: str) -> datetime:
    """Return an instant some span later; a month later is the same day of the month, or its last one."""
    found = re.fullmatch("([0-9]+)(h|d|w|mo)", span)
    if found is None:
        raise ValueError(span)
    count, unit = int(found[1]), found[2]
    if unit != "mo":
        return at + count * _UNITS[unit]
    year, month = divmod(at.year * 12 + at.month - 1 + count, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, calendar.monthrange(year, month + 1)[1]))


def deadlines(stream: str, arrivals: Mapping[str, Sequence[datetime]], settings: Settings, now: datetime) -> Iterator[Deadline]:
    """Yield the deadlines of a stream's sources up to now, by source and time.

    Args:
        stream: the stream.
        arrivals: when batches that could be read arrived, by source.
        settings: say how often each source is to deliver.
        now: the present; what came later has not come.
    """
    begin = datetime.combine(settings.first_month, time(), UTC)
    for name, every in sorted(settings.expected_every.items()):
        of_stream, source = name.split(".")
        if of_stream != stream:
            continue
        came = sorted(each for each in arrivals.get(source, ()) if each <= now)
        # What came before the first deadline is the first delivery, whenever that was.
        for before, after in pairwise([None, *came, None] if came else [None, None]):
            if before is None and after is not None:
                continue
            due_at = later(later(begin if before is None else before, every), settings.expected_grace)
            if after is not None or due_at <= now:
                yield Deadline(stream, source, before, due_at, after, (after or now) > due_at)


def overdue(stream: str, arrivals: Mapping[str, Sequence[datetime]], settings: Settings, now: datetime) -> list[Deadline]:
    """Return the deliveries of a stream's sources that are overdue now."""
    return [each for each in deadlines(stream, arrivals, settings, now) if each.is_missing]
