"""The one place that reads the clock.

Belongs here: the present instant, and a way for tests and demos to hold it still.
Does not belong here: calendars and cutoffs, which are pure functions of a month (``close.calendar``).
"""

import contextlib
import contextvars
from collections.abc import Iterator
from datetime import UTC, datetime

_held: contextvars.ContextVar[datetime | None] = contextvars.ContextVar("held_clock", default=None)


def now() -> datetime:
    """Return the present instant in UTC, or the instant at which the clock is held."""
    return _held.get() or datetime.now(UTC)


@contextlib.contextmanager
def held_at(instant: datetime) -> Iterator[None]:
    """Hold the clock at an aware ``instant`` inside the block."""
    if instant.tzinfo is None:
        raise ValueError("a clock can only be held at an instant with an offset")
    token = _held.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _held.reset(token)
