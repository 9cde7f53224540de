"""Which facts make which events. The calendar of 2025 is read from a wall calendar, not from the code."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from revenue_integrity.desk.alerts import events
from revenue_integrity.desk.alerts.events import Breach, Event, FailedCheck, FoundCause, Kind, Severity
from revenue_integrity.settings import Settings

MARCH = date(2025, 3, 1)
SETTINGS = Settings(first_month=MARCH, last_month=MARCH)


def _state(**facts: Any) -> list[Event]:
    default: dict[str, Any] = {
        "status": "ready",
        "version": 0,
        "signed_hash": "",
        "content_hash": "c1",
        "reopened_because": "",
        "failing_checks": [],
        "breaches": [],
        "now": datetime(2025, 4, 10, tzinfo=UTC),
        "settings": SETTINGS,
    }
    return events.events_of_month("toy", MARCH, **(default | facts))


# April 2025 begins on a Tuesday: its 14th business day is Friday 18, its 15th is Monday 21.
@pytest.mark.parametrize(
    ("at", "status", "severity"),
    [
        ("2025-04-17T23:59:59", "blocked", None),
        ("2025-04-18T00:00:00", "blocked", Severity.WARNING),
        ("2025-04-18T00:00:00", "ready", None),
        ("2025-04-18T00:00:00", "prepared", None),
        ("2025-04-20T12:00:00", "stale", Severity.WARNING),
        ("2025-04-21T23:59:59", "blocked", Severity.WARNING),
        ("2025-04-21T23:59:59", "prepared", None),
        ("2025-04-22T00:00:00", "prepared", Severity.CRITICAL),
        ("2025-04-22T00:00:00", "reopened", Severity.CRITICAL),
        ("2025-04-22T00:00:00", "signed_off", None),
        ("2026-04-22T00:00:00", "open", Severity.CRITICAL),
    ],
)
def test_a_close_is_late_one_business_day_before_it_is_due_and_overdue_after(
    at: str, status: str, severity: Severity | None
) -> None:
    found = events.close_is_late("toy", MARCH, status, datetime.fromisoformat(at).replace(tzinfo=UTC), SETTINGS)
    assert (found and found.severity) == severity


def test_the_due_day_is_one_of_the_close_time_zone_and_moves_with_holidays() -> None:
    new_york = Settings(first_month=MARCH, last_month=MARCH, close_timezone="America/New_York")
    assert events.close_is_late("toy", MARCH, "blocked", datetime(2025, 4, 18, 3, 59, 59, tzinfo=UTC), new_york) is None
    assert events.close_is_late("toy", MARCH, "blocked", datetime(2025, 4, 18, 4, tzinfo=UTC), new_york)
    good_friday = Settings(first_month=MARCH, last_month=MARCH, holidays=(date(2025, 4, 18),))
    late = events.close_is_late("toy", MARCH, "blocked", datetime(2025, 4, 22, 12, tzinfo=UTC), good_friday)
    assert late
    assert late.title == "toy 2025-03: close due on 2025-04-22, still blocked"


def test_a_late_close_is_told_once_however_its_status_changes_and_again_when_overdue() -> None:
    def identity(day: int, status: str) -> str:
        found = events.close_is_late("toy", MARCH, status, datetime(2025, 4, day, tzinfo=UTC), SETTINGS)
        assert found
        return found.identity

    assert identity(18, "blocked") == identity(21, "stale") != identity(22, "stale") == identity(30, "ready")


def test_figures_at_materiality_are_within_it() -> None:
    at = Breach("erp_vs_mart", 100_000, 100_000)
    above = Breach("erp_vs_allocated_power", 123_456_789, 100_000)
    (found,) = _state(breaches=[at, above])
    assert (found.kind, found.severity) == (Kind.BREACH_OVER_MATERIALITY, Severity.CRITICAL), "of nothing"
    assert found.title == ("toy 2025-03: erp_vs_allocated_power breaches by $1,234,567.89, above materiality of $1,000.00")


def test_checks_of_gates_make_events_and_warnings_and_waivers_none() -> None:
    checks = [
        FailedCheck("t.z", "sign_off", "gross_cents=5", "Look."),
        FailedCheck("t.a", "publish"),
        FailedCheck("t.w", "write"),
        FailedCheck("t.warned", "warn"),
        FailedCheck("t.waived", "sign_off", waived=True),
    ]
    found = _state(failing_checks=checks)
    assert [(each.title, each.severity) for each in found] == [
        ("toy 2025-03: check t.a failed", Severity.CRITICAL),
        ("toy 2025-03: check t.w failed", Severity.CRITICAL),
        ("toy 2025-03: check t.z failed", Severity.WARNING),
    ]
    assert found[2].body == "Gate: sign_off.\nFigures: gross_cents=5.\nLook."
    assert found == _state(failing_checks=checks[::-1]), "order decides nothing"
    changed = events.check_failed("toy", MARCH, replace(checks[0], figures="gross_cents=6"))
    assert changed.identity != found[2].identity, "another figure is another state"


def test_a_reopened_month_is_told_once_per_content() -> None:
    facts: dict[str, Any] = {"status": "reopened", "version": 1, "signed_hash": "c1", "reopened_because": "2 late batches"}
    first, again, other = (_state(**facts, content_hash=content)[0] for content in ("c2", "c2", "c3"))
    assert (first.kind, first.severity) == (Kind.MONTH_REOPENED, Severity.CRITICAL)
    assert first.body.startswith("2 late batches\n")
    assert first.identity == again.identity != other.identity


def test_identity_rests_on_kind_month_and_content_only() -> None:
    event = Event(Kind.APPROVED, MARCH, Severity.INFO, "t", "b", "c")
    assert event.identity == replace(event, title="x", body="y", severity=Severity.WARNING).identity
    others = {
        replace(event, kind=Kind.RUN_FAILED).identity,
        replace(event, month=None).identity,
        replace(event, content="d").identity,
    }
    assert len(others | {event.identity}) == 4


def test_an_approval_carries_the_head_of_the_ledger() -> None:
    found = events.approved("toy", MARCH, 2, "abc123", "ann")
    assert (found.severity, found.body) == (Severity.INFO, "Ledger head: abc123")


def test_events_outside_a_months_state_name_their_subject() -> None:
    assert (
        events.batch_rejected("erp_invoices/x", "d1", "no header").identity
        != events.batch_rejected("erp_invoices/x", "d2", "").identity
    )
    assert events.batch_changed("b", "d1", "").title == "Batch b is gone"
    assert events.batch_changed("b", "d1", "d2").title == "Batch b changed after it was read"
    assert events.run_failed(MARCH, "f", 3, "out of disk").title == "2025-03: run failed 3 times and was given up"


@pytest.mark.parametrize(
    ("share", "severity"),
    [("0.002", "info"), ("0.01", "info"), ("0.0299", "info"), ("0.03", "warning"), ("0.0999", "warning"), ("0.1", "critical")],
)
def test_how_bad_a_breach_is_follows_from_its_share(share: str, severity: str) -> None:
    (found,) = _state(breaches=[Breach("erp_vs_mart", 200_000, 100_000, Decimal(share))])
    assert found.severity == severity


def test_before_the_cutoff_only_what_keeps_a_month_from_being_computed_or_published_is_told() -> None:
    checks = [FailedCheck("s/t/z", "sign_off"), FailedCheck("s/t/a", "publish"), FailedCheck("s/t/w", "write")]
    found = _state(failing_checks=checks, breaches=[Breach("erp_vs_mart", 200_000, 100_000)], is_before_cutoff=True)
    assert [each.title for each in found] == ["toy 2025-03: check s/t/a failed", "toy 2025-03: check s/t/w failed"]


def test_warnings_are_told_where_the_settings_name_them() -> None:
    checks = [FailedCheck("s/t/days_are_complete", "warn"), FailedCheck("s/t/rows_are_like_before", "warn")]
    assert [(each.title, each.severity) for each in _state(failing_checks=checks)] == [
        ("toy 2025-03: check s/t/days_are_complete failed", Severity.INFO)
    ]
    louder = SETTINGS.model_copy(update={"alert_on": {"rows_are_like_before": "warning"}})
    assert [(each.title, each.severity) for each in _state(failing_checks=checks, settings=louder)] == [
        ("toy 2025-03: check s/t/rows_are_like_before failed", Severity.WARNING)
    ]


def test_a_digest_tells_new_causes_that_are_there_and_wrong_once_a_day() -> None:
    found = [
        FoundCause("k1", "duplicate", 120_000, "C-1 was billed twice."),
        FoundCause("k2", "configuration", -5_000, "C-2 has an old price."),
        FoundCause("k3", "missing", -900_000, "C-3 was not billed yet."),
        FoundCause("k4", "timing", 700_000, "C-4 stands in another month."),
    ]
    today = date(2025, 3, 20)

    def digest(told: set[str], last: date | None = None) -> Event | None:
        return events.causes_found("toy", MARCH, found, told, last, today, "USD")

    first = digest(set())
    assert first
    assert first.title == "toy 2025-03: 2 new causes of variance before the cutoff, $1,250.00 gross"
    assert first.severity is Severity.INFO
    assert first.body.splitlines()[:2] == ["$1,200.00 C-1 was billed twice.", "($50.00) C-2 has an old price."]
    assert "C-3" not in first.body
    assert digest({"k1", "k2"}) is None
    again = digest({"k1"})
    assert again
    assert "1 new cause of" in again.title
    assert digest({"k1"}, today) is None, "one a day"
    assert digest({"k1"}, date(2025, 3, 19))


def test_a_month_in_order_makes_no_event() -> None:
    assert _state() == []
