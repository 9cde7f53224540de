"""Service months as Dagster partitions.

Belongs here: the partitions definitions, and going between their keys and dates. Does not belong here: what a month holds, which
months there are (``computing.horizon``).
"""

from datetime import date

import dagster as dg

from revenue_integrity import clock, months
from revenue_integrity.computing.horizon import service_months
from revenue_integrity.settings import Settings

MONTH_FORMAT = "%Y-%m"

_SET_BACK = 36
"""Months by which the clock may be set back while a process works, and its months stay."""


def month_partitions(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Return the months that the home has now.

    Where nothing says that they end, the end moves with the calendar: a process that has been up for months knows the next month
    when its data come. Months that come otherwise are known when the code is loaded again (``late_data``).
    """
    first, last = (each(service_months(settings)) for each in (min, max))
    if settings.last_month or settings.demo_path.exists():
        return _to(first, last)
    return _moving(first, last)


def possible_partitions(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Return all months that the home may have, for a process that reads data and computes what they name."""
    return _to(settings.months[0], settings.months[-1])


def _to(first: date, last: date) -> dg.MonthlyPartitionsDefinition:
    # Dagster's end is exclusive: the last partition ends where the month after it begins. Without an offset, a month that is not
    # over yet would be no partition, whatever the end; with more than is needed a clock that is set back takes none away.
    end, offset = months.label(months.add(last, 1)), max(0, _offset(last)) + _SET_BACK
    return dg.MonthlyPartitionsDefinition(months.label(first), end, fmt=MONTH_FORMAT, end_offset=offset)


def _moving(first: date, last: date) -> dg.MonthlyPartitionsDefinition:
    return dg.MonthlyPartitionsDefinition(months.label(first), fmt=MONTH_FORMAT, end_offset=_offset(last))


def _offset(last: date) -> int:
    """Return Dagster's offset of the last month from the calendar; with 0 it is the last month that is over."""
    today = clock.now().date()
    return (last.year - today.year) * 12 + last.month - today.month + 1


def month_of(partition_key: str) -> date:
    """Return the first day of the month that a partition key names."""
    return months.parse(partition_key)
