"""The close calendar: cutoffs worked out by hand from wall calendars and the offsets that the zones had."""

from datetime import UTC, date, datetime, timedelta

import pytest

from revenue_integrity.close import calendar
from revenue_integrity.settings import Settings


def configured(**values: object) -> Settings:
    """Return settings with some values, months fixed."""
    return Settings(**{"first_month": "2020-01", "last_month": "2030-12", **values})  # type: ignore[arg-type]  # pydantic parses


@pytest.mark.parametrize(
    ("month", "number", "expected"),
    [
        (date(2025, 4, 1), 1, date(2025, 4, 1)),  # a Tuesday
        (date(2025, 4, 1), 5, date(2025, 4, 7)),  # Tue Wed Thu Fri, then Monday
        (date(2025, 3, 1), 1, date(2025, 3, 3)),  # the 1st is a Saturday
        (date(2025, 6, 1), 1, date(2025, 6, 2)),  # the 1st is a Sunday
        (date(2024, 2, 1), 20, date(2024, 2, 28)),  # leap February: 1, 2, 5-9, 12-16, 19-23, 26, 27, 28
        (date(2023, 2, 1), 20, date(2023, 2, 28)),  # the last day of a common February
        (date(2025, 5, 17), 1, date(2025, 5, 1)),  # any day of the month names it
    ],
)
def test_business_days_leave_out_weekends(month: date, number: int, expected: date) -> None:
    assert calendar.business_day(month, number, configured()) == expected


def test_business_days_leave_out_holidays() -> None:
    # 2025-01: the 1st (Wed) is off, so 2, 3, 6, 7, 8; with the 6th off too it is the 9th. A holiday on a Saturday is none.
    assert calendar.business_day(date(2025, 1, 1), 5, configured(holidays=[date(2025, 1, 1)])) == date(2025, 1, 8)
    assert calendar.business_day(date(2025, 1, 1), 5, configured(holidays=["2025-01-01", "2025-01-06"])) == date(2025, 1, 9)
    assert calendar.business_day(date(2025, 1, 1), 5, configured(holidays=["2025-01-04"])) == date(2025, 1, 7)


@pytest.mark.parametrize(
    ("holiday_calendar", "month", "number", "expected"),
    [
        # Independence Day 2025 is a Friday: 1, 2, 3, 7, 8.
        ("US", date(2025, 7, 1), 5, date(2025, 7, 8)),
        (None, date(2025, 7, 1), 5, date(2025, 7, 7)),
        # Christmas 2021 and New Year 2022 were Saturdays, kept on the Fridays before: of 23 weekdays in December 21 are left.
        ("US", date(2021, 12, 1), 21, date(2021, 12, 30)),
        ("US", date(2021, 12, 1), 22, date(2022, 1, 3)),
        # Cesar Chavez Day, a Monday and the 21st weekday, is kept in California alone.
        ("US", date(2025, 3, 1), 21, date(2025, 3, 31)),
        ("US-CA", date(2025, 3, 1), 21, date(2025, 4, 1)),
        # On Good Friday, the 14th weekday of April 2025, the exchange is closed and the government is not.
        ("US", date(2025, 4, 1), 14, date(2025, 4, 18)),
        ("NYSE", date(2025, 4, 1), 14, date(2025, 4, 21)),
    ],
)
def test_business_days_leave_out_the_days_off_of_a_calendar(
    holiday_calendar: str | None, month: date, number: int, expected: date
) -> None:
    assert calendar.business_day(month, number, configured(holiday_calendar=holiday_calendar)) == expected


def test_listed_days_are_off_beside_those_of_a_calendar() -> None:
    # 2025-07: the 4th by the calendar, the 3rd by the list; a day in both counts once. So 1, 2, 7, 8, 9.
    settings = configured(holiday_calendar="US", holidays=["2025-07-03", "2025-07-04"])
    assert calendar.business_day(date(2025, 7, 1), 5, settings) == date(2025, 7, 9)


def test_a_holiday_before_the_month_moves_nothing() -> None:
    # The month before ends in holidays: counting begins at the month's own first business day all the same.
    settings = configured(holidays=["2024-12-31", "2024-12-30", "2024-12-27"])
    assert calendar.business_day(date(2025, 1, 1), 1, settings) == date(2025, 1, 1)


@pytest.mark.parametrize(
    ("month", "settings", "expected"),
    [
        (date(2025, 3, 1), {}, "2025-04-07T23:59:59.999999"),
        (date(2024, 12, 1), {}, "2025-01-07T23:59:59.999999"),
        (date(2024, 12, 1), {"holidays": ["2025-01-01"]}, "2025-01-08T23:59:59.999999"),
        (date(2024, 1, 1), {"cutoff_business_day": 20}, "2024-02-28T23:59:59.999999"),
        # New York: -5 in winter, -4 in summer; the end of 2025-01-07 and of 2025-04-07.
        (date(2024, 12, 1), {"close_timezone": "America/New_York"}, "2025-01-08T04:59:59.999999"),
        (date(2025, 3, 1), {"close_timezone": "America/New_York"}, "2025-04-08T03:59:59.999999"),
        # Kolkata has +05:30 all year, Kiritimati +14.
        (date(2025, 3, 1), {"close_timezone": "Asia/Kolkata"}, "2025-04-07T18:29:59.999999"),
        (date(2025, 3, 1), {"close_timezone": "Pacific/Kiritimati"}, "2025-04-07T09:59:59.999999"),
    ],
)
def test_the_cutoff_is_the_last_microsecond_of_a_local_business_day(
    month: date, settings: dict[str, object], expected: str
) -> None:
    assert calendar.cutoff(month, configured(**settings)) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_the_cutoff_on_days_of_23_and_25_hours() -> None:
    # Cairo moved its clock at midnight: 2024-04-26 (a Friday) begins at 01:00, so Thursday the 25th, the 19th business day,
    # ends at 22:00 UTC (+02:00); the Friday itself has 23 hours and ends at 21:00 UTC (+03:00).
    thursday = calendar.cutoff(date(2024, 3, 1), configured(close_timezone="Africa/Cairo", cutoff_business_day=19))
    friday = calendar.cutoff(date(2024, 3, 1), configured(close_timezone="Africa/Cairo", cutoff_business_day=20))
    assert thursday == datetime(2024, 4, 25, 21, 59, 59, 999999, tzinfo=UTC)
    assert friday == datetime(2024, 4, 26, 20, 59, 59, 999999, tzinfo=UTC)
    assert friday - thursday == timedelta(hours=23)
    # And a day of 25 hours: Tehran left +04:30 for +03:30 at the end of 2022-09-21, a Wednesday, the 15th business day.
    tuesday = calendar.cutoff(date(2022, 8, 1), configured(close_timezone="Asia/Tehran", cutoff_business_day=14))
    wednesday = calendar.cutoff(date(2022, 8, 1), configured(close_timezone="Asia/Tehran", cutoff_business_day=15))
    assert tuesday == datetime(2022, 9, 20, 19, 29, 59, 999999, tzinfo=UTC)
    assert wednesday == datetime(2022, 9, 21, 20, 29, 59, 999999, tzinfo=UTC)


def test_one_microsecond_decides_what_is_in_time() -> None:
    cutoff = calendar.cutoff(date(2025, 3, 1), configured())
    assert datetime(2025, 4, 7, 23, 59, 59, 999999, tzinfo=UTC) <= cutoff < datetime(2025, 4, 8, tzinfo=UTC)


def test_the_machine_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    settings = configured(close_timezone="America/New_York")
    expected = calendar.cutoff(date(2025, 3, 1), settings)
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            assert calendar.cutoff(date(2025, 3, 1), settings) == expected
        finally:
            monkeypatch.delenv("TZ")
            time.tzset()
