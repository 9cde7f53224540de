"""Partitions are the months that a home has; a process that has been up for months knows the next one when it comes."""

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import dagster_graphql
import pytest

from revenue_integrity import clock
from revenue_integrity.computing import ingestion
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.partitions import month_partitions, possible_partitions
from revenue_integrity.orchestration.reloading import reload_code, ui_session_file
from revenue_integrity_tests.support import home_settings
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import put, rental, toy_deployment

JUNE, AUGUST = datetime(2025, 6, 15, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC)


def open_ended(home: Path) -> Deployment:
    """Return a home whose months its data say."""
    made = toy_deployment(home)
    given = made.settings.model_dump(include=made.settings.model_fields_set - {"first_month", "last_month"})
    return made.under(type(made.settings)(**given))


def land(home: Deployment, arrival: str, *named: str) -> None:
    """Land and read a rental of each month."""
    put(home.settings, arrival, [rental("2025-01", f"R-{month}", "B-1", "10.00", service_month=month) for month in named])
    ingestion.ingest(home.settings, TOY)


def keys(partitions: dg.PartitionsDefinition, now: datetime) -> tuple[str, str]:
    """Return the first and the last partition at an instant."""
    found = partitions.get_partition_keys(current_time=now)
    return found[0], found[-1]


def test_months_that_somebody_set_are_the_partitions() -> None:
    fixed = month_partitions(home_settings(Path("/nowhere"), first_month="2024-11", last_month="2025-02"))
    assert fixed.get_partition_keys() == ["2024-11", "2024-12", "2025-01", "2025-02"]


def test_a_last_month_that_is_not_over_is_a_partition_and_none_comes_after_it() -> None:
    with clock.held_at(JUNE):
        partitions = month_partitions(home_settings(Path("/nowhere"), first_month="2025-01", last_month="2025-07"))
    assert keys(partitions, JUNE) == keys(partitions, AUGUST) == ("2025-01", "2025-07")


def test_a_clock_that_is_set_back_meanwhile_takes_no_month_away() -> None:
    settings = home_settings(Path("/nowhere"), first_month="2025-01", last_month="2025-07")
    with clock.held_at(AUGUST):
        known = [month_partitions(settings), possible_partitions(settings)]
    for partitions in known:
        assert keys(partitions, datetime(2023, 2, 1, tzinfo=UTC)) == ("2025-01", "2025-07")


@pytest.mark.parametrize(
    ("named", "in_june", "in_august"),
    [
        ("2025-06", "2025-07", "2025-09"),
        ("2025-05", "2025-06", "2025-08"),
        ("2025-04", "2025-05", "2025-07"),
        ("2025-01", "2025-02", "2025-04"),
    ],
)
def test_partitions_end_after_the_last_month_with_rows_and_move_with_the_calendar(
    tmp_path: Path, named: str, in_june: str, in_august: str
) -> None:
    home = open_ended(tmp_path / "home")
    with clock.held_at(JUNE):
        land(home, "20250610T000000Z", "2024-12", named)
        partitions = month_partitions(home.settings)
    assert keys(partitions, JUNE) == ("2024-12", in_june)
    assert keys(partitions, AUGUST) == ("2024-12", in_august)


def test_a_demo_home_ends_with_its_demo_whatever_the_calendar_says(tmp_path: Path) -> None:
    home = open_ended(tmp_path / "home")
    with clock.held_at(JUNE):
        land(home, "20250610T000000Z", "2024-12", "2025-05")
        home.settings.demo_path.touch()
        partitions = month_partitions(home.settings)
    assert keys(partitions, JUNE) == keys(partitions, AUGUST) == ("2024-12", "2025-05")


def test_a_process_that_reads_data_has_all_months_that_they_may_name(tmp_path: Path) -> None:
    home = open_ended(tmp_path / "home")
    with clock.held_at(JUNE):
        land(home, "20250610T000000Z", "2025-01")
        assert keys(possible_partitions(home.settings), JUNE) == ("2024-01", "2025-07"), "months that are not over, too"


def test_months_that_come_unexpectedly_are_asked_for_when_the_code_was_loaded_again(tmp_path: Path) -> None:
    home = open_ended(tmp_path / "home")
    with clock.held_at(JUNE), open_instance(home.settings) as instance:
        land(home, "20250610T000000Z", "2024-12")
        before = build_definitions(home)
        land(home, "20250611T000000Z", "2025-03")
        context = dg.build_sensor_context(instance=instance, definitions=before)
        tick = before.resolve_sensor_def("late_data").evaluate_tick(context)
        # The process that was there before knows January, after December, and nothing of March.
        assert [each.partition_key for each in tick.run_requests or ()] == ["2024-12", "2025-01"]
        after = build_definitions(home)
        context = dg.build_sensor_context(instance=instance, definitions=after, cursor=tick.cursor)
        again = after.resolve_sensor_def("late_data").evaluate_tick(context)
        assert [each.partition_key for each in again.run_requests or ()] == ["2025-02", "2025-03"]
    (file,) = home.settings.logs_path.glob("*.jsonl")
    (event,) = [line for line in map(json.loads, file.read_text().splitlines()) if line["event"] == "months_added"]
    assert (event["month"], event["months"]) == ("2025-04", 3)
    assert event["refused"].startswith("the code location has no name. Choose Reload in the UI")


def test_the_code_is_loaded_again_through_the_client_of_the_ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, done = home_settings(tmp_path, ui_port=4321), []

    class Client:
        def __init__(self, host: str, port_number: int, headers: dict[str, str]) -> None:
            done.append((host, port_number, headers))

        def reload_repository_location(self, location: str) -> dagster_graphql.ReloadRepositoryLocationInfo:
            done.append(location)
            return dagster_graphql.ReloadRepositoryLocationInfo(dagster_graphql.ReloadRepositoryLocationStatus.SUCCESS)

    monkeypatch.setattr(dagster_graphql, "DagsterGraphQLClient", Client)
    assert "ui.json" in reload_code(settings, "here"), "no UI of this user is running"
    ui_session_file(settings).parent.mkdir(parents=True)
    ui_session_file(settings).write_text('{"port": 4321, "secret": "s"}')
    assert reload_code(settings, "here") == ""
    assert done == [("127.0.0.1", 4321, {"Cookie": "revenue_integrity_ui_4321=s"}), "here"]
    proxied = home_settings(tmp_path, ui_port=4321, ui_auth="proxy")
    assert reload_code(proxied, "here") == ""
    assert done[2][2] == {"X-Forwarded-User": "revenue-integrity"}


def test_a_ui_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert str(port) in reload_code(home_settings(tmp_path, ui_port=port, ui_auth="proxy"), "here")
