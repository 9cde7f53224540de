"""Service months: text ``YYYY-MM`` outside, the date of their first day inside.

Belongs here: arithmetic on months and reading them from text. Does not belong here: business days and cutoffs.
"""

import re
from datetime import date
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from revenue_integrity.errors import UsageError

_REMEMBERED = 4096
"""Results that are kept: rules ask for the neighbours and the ends of the same few months for each of their rows."""

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def parse(text: str) -> date:
    """Return the first day of the month ``YYYY-MM``; raise ``UsageError`` for anything else."""
    match = _MONTH.fullmatch(text)
    if not match or match[1] == "0000":
        raise UsageError(f"'{text}' is not a month", "Write it as YYYY-MM, for example 2025-03")
    return date(int(match[1]), int(match[2]), 1)


def label(month: date) -> str:
    """Return the month of a date as ``YYYY-MM``."""
    # strftime's %Y does not pad years before 1000 on every platform.
    return f"{month.year:04d}-{month.month:02d}"


@lru_cache(_REMEMBERED)
def add(month: date, months: int) -> date:
    """Return the first day of the month that lies ``months`` later (earlier if negative)."""
    return month.replace(day=1) + relativedelta(months=months)


@lru_cache(_REMEMBERED)
def last_day(month: date) -> date:
    """Return the last day of the month."""
    return month + relativedelta(day=31)


def days_in(month: date) -> int:
    """Return the number of days of the month."""
    return last_day(month).day


def between(first: date, last: date) -> list[date]:
    """Return all months from ``first`` to ``last``, both included; none if ``last`` is earlier."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [add(first, offset) for offset in range(count)]


def parse_range(text: str) -> list[date]:
    """Return the months of ``2025-03`` or ``2025-01:2025-06``; raise ``UsageError`` for anything else."""
    first, _, last = text.partition(":")
    months = between(parse(first), parse(last or first))
    if not months:
        raise UsageError(f"the range '{text}' ends before it begins", "Write it as FIRST:LAST, for example 2025-01:2025-06")
    return months
