"""When sources are due to deliver, and which are overdue."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from revenue_integrity import clock
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.overdue import overdue_deliveries
from revenue_integrity.desk.alerts import events
from revenue_integrity.landing.due import deadlines, later, overdue
from revenue_integrity.settings import Settings
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import land_all, toy_settings


def _at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def _settings(every: str, grace: str = "1d") -> Settings:
    return Settings(first_month="2025-01", expected_every={"toy.rentals": every}, expected_grace=grace)


@pytest.mark.parametrize(
    ("at", "span", "then"),
    [
        ("2025-01-31T06:00:00", "1mo", "2025-02-28T06:00:00"),
        ("2025-11-30T06:00:00", "3mo", "2026-02-28T06:00:00"),
        ("2025-01-31T06:00:00", "1d", "2025-02-01T06:00:00"),
        ("2025-01-31T06:00:00", "2w", "2025-02-14T06:00:00"),
        ("2025-01-31T23:00:00", "2h", "2025-02-01T01:00:00"),
    ],
)
def test_a_span_is_added_as_the_calendar_has_it(at: str, span: str, then: str) -> None:
    assert later(_at(at), span) == _at(then)


def test_a_source_is_overdue_once_span_and_grace_have_passed() -> None:
    came = {"rentals": [_at("2025-03-01T06:00:00"), _at("2025-03-02T06:00:00")]}
    settings = _settings("1d", "12h")
    assert overdue("toy", came, settings, _at("2025-03-03T17:59:59")) == []
    (found,) = overdue("toy", came, settings, _at("2025-03-03T18:00:00"))
    assert found.sentence == ("toy.rentals is overdue since 2025-03-03T18:00:00Z: its last delivery came 2025-03-02T06:00:00Z")


def test_a_delivery_that_came_late_is_told_and_no_longer_overdue() -> None:
    came = {"rentals": [_at("2025-03-01T06:00:00"), _at("2025-03-05T06:00:00")]}
    found = list(deadlines("toy", came, _settings("1d"), _at("2025-03-05T07:00:00")))
    assert [(each.due_at, each.is_late, each.is_missing) for each in found] == [(_at("2025-03-03T06:00:00"), True, False)]


def test_a_source_that_never_delivered_is_due_behind_the_first_day_of_the_deployment() -> None:
    (found,) = overdue("toy", {}, _settings("1mo"), _at("2025-06-01T00:00:00"))
    assert (found.due_at, found.after) == (_at("2025-02-02T00:00:00"), None)
    assert found.sentence.endswith("it never delivered")
    assert overdue("others", {}, _settings("1mo"), _at("2025-06-01T00:00:00")) == []


def test_what_is_overdue_is_read_beside_the_warehouse_and_becomes_an_event(tmp_path: Path) -> None:
    settings = toy_settings(tmp_path, expected_every={"toy": {"rentals": "1mo"}})
    assert settings.expected_every == {"toy.rentals": "1mo"}
    land_all(settings)
    with clock.held_at(datetime(2025, 3, 11, tzinfo=UTC)):
        ingestion.ingest(settings, TOY)
    # The last file came on the 10th of March: due on the 10th of April, overdue a day later.
    assert overdue_deliveries(settings, _at("2025-04-10T23:00:00")) == []
    (found,) = overdue_deliveries(settings, _at("2025-04-11T00:00:00"))
    told = events.delivery_overdue(found, settings)
    assert (told.severity, told.kind, told.month) == (events.Severity.INFO, events.Kind.DELIVERY_OVERDUE, None)
    assert "1mo" in told.body
    assert "overdue since 2025-04-11T00:00:00Z" in told.title
    louder = settings.model_copy(update={"alert_on": {"deliveries_are_in_time": "critical"}})
    assert events.delivery_overdue(found, louder).severity is events.Severity.CRITICAL
