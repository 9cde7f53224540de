"""The calendar of the close: business days, cutoffs, and the month in which a posting is recognized.

Belongs here: pure functions of months and settings. Does not belong here: the present instant (``clock``), what is late.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from revenue_integrity import months
from revenue_integrity.days_off import days_off
from revenue_integrity.settings import Settings

CALENDAR_SETTINGS = ("cutoff_business_day", "close_timezone", "holidays", "holiday_calendar")
"""The settings that a cutoff rests on."""


def business_day(month: date, number: int, settings: Settings) -> date:
    """Return the n-th business day of a month (1 is the first); weekends and the set holidays are none."""
    off = list(settings.holidays)
    if settings.holiday_calendar is not None:
        # The last business days counted may lie in the next month, and with it in the next year.
        off += [day for year in (month.year, month.year + 1) for day in days_off(settings.holiday_calendar, year)]
    holidays = np.array(off, dtype="datetime64[D]")
    # Rolling the day before the month forward by n counts from the first business day, wherever it falls.
    found = np.busday_offset(np.datetime64(month.replace(day=1)) - 1, number, roll="backward", holidays=holidays)
    result: date = found.astype(object)
    return result


def cutoff(month: date, settings: Settings) -> datetime:
    """Return the last microsecond, in UTC, at which a posting of a service month is in time.

    It is the end (23:59:59.999999) of the set business day of the next month, in the close time zone (20-close, *Calendar*).
    """
    day = business_day(months.add(month, 1), settings.cutoff_business_day, settings)
    # The end is one microsecond before the next local midnight, which is right on days of 23 and 25 hours too.
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(settings.close_timezone))
    return midnight.astimezone(UTC) - timedelta(microseconds=1)
