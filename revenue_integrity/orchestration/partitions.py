"""Service months as Dagster partitions.

Belongs here: the partitions definition, and going between its keys and dates. Does not belong here: what a month holds.
"""

import warnings
from datetime import date

import dagster as dg

from revenue_integrity import months
from revenue_integrity.settings import Settings

MONTH_FORMAT = "%Y-%m"


def month_partitions(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Return the months from ``first_month`` to ``last_month``, by default to the month after the present one."""
    if settings.last_month:
        # Dagster's end is exclusive: the last partition ends where the month after it begins.
        end = months.label(months.add(settings.last_month, 1))
        return dg.MonthlyPartitionsDefinition(months.label(settings.first_month), end, fmt=MONTH_FORMAT)
    # Without an end the definition moves with the calendar in a process that runs for months: present month and next.
    return dg.MonthlyPartitionsDefinition(months.label(settings.first_month), fmt=MONTH_FORMAT, end_offset=2)


def window(first_offset: int, last_offset: int) -> dg.TimeWindowPartitionMapping:
    """Return the mapping to the months from ``first_offset`` to ``last_offset`` beside a month, as far as they exist."""
    with warnings.catch_warnings():
        # Windows that reach before the first month are a beta of the pinned Dagster; without them the first month cannot run.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.TimeWindowPartitionMapping(
            start_offset=first_offset, end_offset=last_offset, allow_nonexistent_upstream_partitions=True
        )


def month_of(partition_key: str) -> date:
    """Return the first day of the month that a partition key names."""
    return months.parse(partition_key)
