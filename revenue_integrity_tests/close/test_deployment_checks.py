"""What a deployment demands of its data by its settings: refused rows, checks of each rule, the dataset of what was found."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import clock
from revenue_integrity.close.deployment_checks import under_settings
from revenue_integrity.computing import ingestion, table_month
from revenue_integrity.computing.versions import settings_hash
from revenue_integrity.errors import SettingsError
from revenue_integrity.landing.datasets import read_data_rules, read_quarantine
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity.streams.registry import load_settings
from revenue_integrity.warehouse import database
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, land_all, put, rental, toy_settings

SMALL = {"name": "dues_are_small", "column": "due", "max": 90, "because": "no boat costs $more"}


def _home(tmp_path: Path, *rules: dict[str, Any], **more: Any) -> Deployment:
    settings = toy_settings(tmp_path, data_rules={"toy.rentals": rules} if rules else {}, **more)
    return Deployment(settings, Streams.of(under_settings(TOY, settings)))


def _found(home: Deployment) -> list[tuple[Any, ...]]:
    with database.connect(home.settings) as connection:
        rows = read_data_rules(connection, "toy")
    return list(rows[["name", "column", "rule", "action", "rows_that_break_it"]].itertuples(index=False, name=None))


def _reasons(home: Deployment) -> list[str]:
    with database.connect(home.settings) as connection:
        return list(read_quarantine(connection, "toy")["dq_errors"])


def _said(home: Deployment, month: date, name: str) -> tuple[str, dict[str, Any]]:
    asked = [each for each in home.streams.named("toy").checks if each.name == name]
    ((_, found),) = table_month.judgements(asked, month, home.settings)
    return "passed" if found.passed else "failed", dict(found.figures)


def test_a_rule_refuses_rows_with_its_reason_and_is_counted_by_its_name(tmp_path: Path) -> None:
    home = _home(tmp_path, SMALL)
    land_all(home.settings)
    ingestion.ingest(home.settings, home.streams[0])
    # R-1 (100.00) of January and R-4 (120.00) of February are above; 50.00 and 70.00 are not.
    assert _reasons(home) == [
        "due 100.00 is above 90 (rule dues_are_small: no boat costs $more)",
        "due 120.00 is above 90 (rule dues_are_small: no boat costs $more)",
    ]
    assert _found(home) == [("dues_are_small", "due", "at most 90", "refuse", 2)]
    assert _said(home, JANUARY, "dues_are_small") == ("failed", {"rows_that_break_it": 1})


def test_a_rule_that_warns_leaves_the_rows_and_fails_a_check_of_its_name(tmp_path: Path) -> None:
    known = {"name": "boats_are_known", "column": "boat_id", "in": ["b 1"], "action": "warn", "because": "B-1 is all there is"}
    home = _home(tmp_path, known)
    land_all(home.settings)
    ingestion.ingest(home.settings, home.streams[0])
    assert _reasons(home) == []
    assert _found(home) == [("boats_are_known", "boat_id", "one of b 1", "warn", 1)]
    # The one row of B-2 is of January; the value in the settings is compared as an identifier.
    assert _said(home, JANUARY, "boats_are_known") == ("failed", {"rows_that_break_it": 1})
    assert _said(home, FEBRUARY, "boats_are_known") == ("passed", {"rows_that_break_it": 0})
    (check,) = (each for each in home.streams[0].checks if each.name == "boats_are_known")
    assert check.gate == "warn"
    assert "B-1 is all there is" in check.description


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        ({"column": "booked", "required": True}, 1),
        ({"column": "due", "min": "50.01"}, 1),
        ({"column": "booked_at", "max": "2025-02-15T00:00:00Z"}, 1),
        ({"column": "rental_id", "pattern": "R-[1-3]"}, 2),
        ({"column": "service_month", "min": "2025-02"}, 4),
        ({"column": "currency", "in": ["usd"]}, 0),
        ({"column": "booked", "min": 60, "max": 110}, 2),
    ],
)
def test_each_kind_of_rule_finds_what_breaks_it(tmp_path: Path, rule: dict[str, Any], bad: int) -> None:
    home = _home(tmp_path, {"name": "it_holds", "because": "it must", **rule})
    land_all(home.settings)
    put(home.settings, "20250210T000001Z", [rental("2025-01", "R-9", "B-1", "100.00")])
    ingestion.ingest(home.settings, home.streams[0])
    assert len(_reasons(home)) == bad
    assert _found(home)[0][-1] == bad


def test_changing_the_rules_judges_everything_anew_and_is_part_of_the_settings_of_a_signature(tmp_path: Path) -> None:
    before = _home(tmp_path)
    land_all(before.settings)
    ingestion.ingest(before.settings, before.streams[0])
    assert _reasons(before) == []
    assert _found(before) == []
    home = _home(tmp_path, SMALL)
    ingestion.ingest(home.settings, home.streams[0])
    assert len(_reasons(home)) == 2
    assert settings_hash([TOY], before.settings) != settings_hash([TOY], home.settings)
    warned = _home(tmp_path, SMALL | {"action": "warn"})
    assert ingestion.pending(warned.settings, warned.streams[0])
    ingestion.ingest(warned.settings, warned.streams[0])
    assert _reasons(warned) == []
    assert _found(warned)[0][-2:] == ("warn", 2)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"column": "colour", "required": True}, "there is no column colour; there are rental_id, "),
        ({"column": "boat_id", "min": 3}, "boat_id has no order"),
        ({"column": "due", "min": "much"}, "much is no value of due"),
        ({"column": "boat_id", "pattern": "(?=B)"}, "is none that the engine knows"),
    ],
)
def test_a_rule_that_does_not_fit_its_column_is_refused(tmp_path: Path, rule: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=r"data_rules, toy.rentals, it_holds") as refusal:
        _home(tmp_path, {"name": "it_holds", "because": "it must", "action": "warn", **rule})
    assert words in str(refusal.value)


def test_rules_and_expectations_of_sources_that_there_are_not_are_refused(tmp_path: Path) -> None:
    for name in ("data_rules", "expected_every"):
        given: dict[str, Any] = {"data_rules": (SMALL,), "expected_every": "1d"}
        unknown = toy_settings(tmp_path, **{name: {"toy.boats": given[name]}})
        with pytest.raises(SettingsError, match=f"{name}: there is no source toy.boats"):
            under_settings(TOY, unknown)
        elsewhere = toy_settings(tmp_path, **{name: {"boats.rentals": given[name]}})
        with pytest.raises(SettingsError, match=f"{name}: there is no stream of boats.rentals"):
            Deployment(elsewhere, Streams.of(TOY))


def test_a_rule_demands_something_has_one_name_and_a_reason(tmp_path: Path) -> None:
    for wrong in ({"column": "due", "because": "x", "name": "it_holds"}, {"column": "due", "max": 1, "name": "it_holds"}):
        with pytest.raises(ValueError, match=r"demands nothing|because"):
            toy_settings(tmp_path, data_rules={"toy.rentals": [wrong]})
    with pytest.raises(ValueError, match=r"dues_are_small stands twice"):
        toy_settings(tmp_path, data_rules={"toy.rentals": [SMALL, SMALL]})
    with pytest.raises(ValueError, match=r"rentals is no STREAM.SOURCE"):
        toy_settings(tmp_path, data_rules={"rentals": [SMALL]})


def test_deliveries_that_were_due_in_a_month_are_judged_in_it(tmp_path: Path) -> None:
    home = _home(tmp_path, expected_every={"toy.rentals": "2w"})
    land_all(home.settings)
    ingestion.ingest(home.settings, home.streams[0])
    # Behind the file of the 10th of February the next one was due on the 25th and came on the 10th of March.
    with clock.held_at(datetime(2025, 3, 11, tzinfo=UTC)):
        assert _said(home, JANUARY, "deliveries_are_in_time")[0] == "passed"
        assert _said(home, FEBRUARY, "deliveries_are_in_time") == (
            "failed",
            {"deliveries_due": 1, "deliveries_late": 1, "deliveries_missing": 0},
        )


def test_streams_are_as_they_were_where_nothing_is_demanded(tmp_path: Path) -> None:
    assert under_settings(TOY, toy_settings(tmp_path)) is TOY


EVENTS = (
    "event_id,account_id,service_name,pricing_model,usage_date,cost,currency,ingested_at\n"
    "e1,a1,compute,on_demand,2025-01-05,10,USD,2025-01-06T00:00:00Z\n"
    "e2,a1,storage,on_demand,2025-01-05,2000,USD,2025-01-06T00:00:00Z\n"
)


def _cloud(tmp_path: Path, action: str) -> tuple[Settings, Any]:
    rule = {"name": "costs_are_small", "column": "cost", "max": 1000, "action": action, "because": "no event costs more"}
    settings = load_settings(
        home=tmp_path, first_month="2025-01", last_month="2025-01", threads=1, data_rules={"cloud.billing_events": [rule]}
    )
    batch = settings.landing_path / "cloud/billing_events/20250106T120000Z"
    batch.mkdir(parents=True)
    (batch / "events.csv").write_text(EVENTS)
    return settings, under_settings(CLOUD, settings)


def test_rules_hold_for_rows_that_stay_in_files(tmp_path: Path) -> None:
    settings, stream = _cloud(tmp_path, "refuse")
    ingestion.ingest(settings, stream)
    with database.connect(settings) as connection:
        (reason,) = read_quarantine(connection, "cloud")["dq_errors"]
        (found,) = read_data_rules(connection, "cloud")["rows_that_break_it"]
    assert reason == "cost 2000.000000000000000000 is above 1000 (rule costs_are_small: no event costs more)"
    assert found == 1


def test_a_rule_may_warn_of_rows_that_stay_in_files(tmp_path: Path) -> None:
    settings, stream = _cloud(tmp_path, "warn")
    ingestion.ingest(settings, stream)
    (check,) = (each for each in stream.checks if each.name == "costs_are_small")
    with database.connect(settings) as connection:
        assert read_quarantine(connection, "cloud").empty
    ((_, found),) = table_month.judgements([check], JANUARY, settings)
    assert (found.passed, dict(found.figures)) == (False, {"rows_that_break_it": 1})
    assert found.rows is not None
    assert list(found.rows["breaks"]) == [
        "cost 2000.000000000000000000 is above 1000 (rule costs_are_small: no event costs more)"
    ]
