"""What commands share: instants that people write."""

from datetime import UTC, datetime

import pytest

from revenue_integrity.cli.shared import instant_of
from revenue_integrity.errors import UsageError

HALF_PAST_NINE = datetime(2025, 4, 7, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["20250407T093000Z", "2025-04-07T09:30:00Z", "2025-04-07T11:30:00+02:00", "2025-04-07 09:30Z", "2025-04-07T09:30:00.750Z"],
)
def test_an_instant_is_written_as_arrivals_are_or_in_iso_8601_with_its_offset(text: str) -> None:
    assert instant_of(text) == HALF_PAST_NINE


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2025-04-07", "2025-04-07T09:30:00", "20250431T000000Z", "0001-01-01T00:00+14:00", "\x00", "9" * 5000],
)
def test_what_is_no_instant_or_could_be_two_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not an arrival.*ISO 8601 with an offset, for example 2025-04-07T09:30:00Z"):
        instant_of(text)
