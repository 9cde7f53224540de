"""Months: reading, arithmetic, and what is refused."""

from datetime import date

import pytest

from revenue_integrity import months
from revenue_integrity.errors import UsageError


def test_a_month_is_the_date_of_its_first_day() -> None:
    assert months.parse("2025-03") == date(2025, 3, 1)
    assert months.label(date(2025, 3, 31)) == "2025-03"
    assert months.label(months.parse("0999-12")) == "0999-12"


@pytest.mark.parametrize(
    "text", ["2025-3", "2025-13", "2025-00", "25-03", "2025-03-01", "", " 2025-03", "2025/03", "0000-01", "²025-03"]
)
def test_anything_else_is_refused_with_what_is_right(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a month\. Write it as YYYY-MM"):
        months.parse(text)


@pytest.mark.parametrize(
    ("start", "offset", "result"),
    [
        (date(2025, 1, 1), -1, date(2024, 12, 1)),
        (date(2024, 12, 1), 1, date(2025, 1, 1)),
        (date(2025, 1, 31), 1, date(2025, 2, 1)),
        (date(2025, 5, 1), -28, date(2023, 1, 1)),
        (date(2025, 5, 1), 0, date(2025, 5, 1)),
    ],
)
def test_months_are_added_over_years_and_from_any_day(start: date, offset: int, result: date) -> None:
    assert months.add(start, offset) == result


@pytest.mark.parametrize(("year", "days"), [(2023, 28), (2024, 29), (1900, 28), (2000, 29)])
def test_february_knows_leap_years(year: int, days: int) -> None:
    assert months.days_in(date(year, 2, 1)) == days
    assert months.last_day(date(year, 2, 1)) == date(year, 2, days)


def test_a_range_names_both_of_its_ends() -> None:
    assert months.parse_range("2024-11:2025-02") == [date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1)]
    assert months.parse_range("2025-03") == [date(2025, 3, 1)]
    assert months.between(date(2025, 2, 1), date(2025, 1, 1)) == []


@pytest.mark.parametrize("text", ["2025-03:2025-02", "2025-03:x", ":2025-03", "2025-03:2025-04:2025-05"])
def test_a_bad_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        months.parse_range(text)
