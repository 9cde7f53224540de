"""Deliveries as assets: when the sensor asks for one, what a failure tells, that months know nothing of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from revenue_integrity import clock
from revenue_integrity.desk.alerts import outbox
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.deliveries import DELIVERY_TAG, delivery_assets, delivery_sensors
from revenue_integrity.orchestration.jobs import DELIVERY_JOB, MONTH_JOB, delivery_job
from revenue_integrity.serving.deliveries import delivering
from revenue_integrity_tests.serving.deliveries.support import JANUARY, URL, delivery, home_of, put, trip

KEY = dg.AssetKey(["deliveries", "bi"])
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """One published month, and a database that nobody reaches."""
    monkeypatch.setenv(URL, "postgresql://somebody:s3cret-word@127.0.0.1:1/nowhere")
    found = home_of(tmp_path, deliveries=[delivery()])
    put(found, JANUARY, [trip(JANUARY, "T-1", 1000)])
    return found


class Asking:
    """The sensor, asked again and again, with a record of runs."""

    def __init__(self, home: Deployment, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance = instance
        (self.sensor,) = delivery_sensors(home, delivery_job())
        self.cursor: str | None = None
        self.now = NOON
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def __call__(self, later: timedelta = timedelta()) -> list[str]:
        """Return the keys of the runs that it asks for after some time."""
        self.now += later
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result: Any = self.sensor(context)
        self.cursor = result.cursor
        return [str(each.run_key) for each in result.run_requests]

    def ran(self, status: dg.DagsterRunStatus) -> None:
        """Put a run of the delivery on record."""
        self.instance.add_run(dg.DagsterRun(job_name=DELIVERY_JOB, status=status, tags={DELIVERY_TAG: "bi"}))


@pytest.fixture
def ask(home: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Asking(home, instance, monkeypatch)


def test_the_sensor_asks_once_for_what_is_new(home: Deployment, ask: Asking) -> None:
    assert ask() == ["deliver-bi-1"]
    ask.ran(dg.DagsterRunStatus.SUCCESS)
    assert ask() == []
    put(home, JANUARY, [trip(JANUARY, "T-1", 999)])
    assert ask() == ["deliver-bi-2"]
    ask.ran(dg.DagsterRunStatus.SUCCESS)
    put(home, JANUARY, [trip(JANUARY, "T-1", 1000)])
    assert ask() == ["deliver-bi-3"], "content that returns is brought again"


def test_the_sensor_waits_for_a_run_under_way(home: Deployment, ask: Asking) -> None:
    ask()
    ask.ran(dg.DagsterRunStatus.STARTED)
    put(home, JANUARY, [])
    assert ask() == []


def test_what_failed_is_asked_for_again_after_an_hour_and_all_is_looked_at_after_a_day(ask: Asking) -> None:
    ask()
    ask.ran(dg.DagsterRunStatus.FAILURE)
    assert ask(timedelta(minutes=59)) == []
    assert ask(timedelta(minutes=1)) == ["deliver-bi-2"]
    ask.ran(dg.DagsterRunStatus.SUCCESS)
    assert ask(timedelta(hours=23)) == []
    assert ask(timedelta(hours=1)) == ["deliver-bi-3"]


def attempt(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have assets run for the first time, or again: without a run behind it a context does not know."""
    monkeypatch.setattr(dg.AssetExecutionContext, "retry_number", property(lambda _: number))


def alerts(home: Deployment) -> list[tuple[str, bool]]:
    return [(each.event.title, each.resolved_at is None) for each in outbox.records(home.settings)]


def test_a_database_that_is_away_is_tried_again_and_told_after_the_last_try(
    home: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt(monkeypatch, 0)
    (asset,) = delivery_assets(home)
    policy = asset.op.retry_policy
    assert policy is not None
    assert (policy.max_retries, policy.backoff) == (3, dg.Backoff.EXPONENTIAL)
    with pytest.raises(dg.Failure, match="delivery bi: opening it failed") as failed:
        asset(dg.build_asset_context())
    assert failed.value.allow_retries
    assert "s3cret-word" not in str(failed.value)
    assert alerts(home) == []
    attempt(monkeypatch, 3)
    with pytest.raises(dg.Failure):
        asset(dg.build_asset_context())
    assert alerts(home) == [("Delivery bi failed", True)]
    monkeypatch.setattr(delivering, "prepared", pytest.fail)
    monkeypatch.setattr("revenue_integrity.serving.deliveries.telling.deliver", lambda *_, **__: iter(()))
    asset(dg.build_asset_context())
    assert alerts(home) == [("Delivery bi failed", False)]


def test_what_is_set_wrong_is_told_at_once(home: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL)
    attempt(monkeypatch, 0)
    (asset,) = delivery_assets(home)
    with pytest.raises(dg.Failure, match="is not set") as failed:
        asset(dg.build_asset_context())
    assert not failed.value.allow_retries
    assert alerts(home) == [("Delivery bi failed", True)]


def test_months_know_nothing_of_deliveries(home: Deployment) -> None:
    definitions = build_definitions(home)
    assert KEY in definitions.resolve_job_def(DELIVERY_JOB).asset_layer.executable_asset_keys
    assert KEY not in definitions.resolve_job_def(MONTH_JOB).asset_layer.executable_asset_keys
    assert "deliveries" in [each.name for each in definitions.sensors or ()]


def test_a_home_without_deliveries_has_neither_asset_nor_sensor(tmp_path: Path) -> None:
    definitions = build_definitions(home_of(tmp_path))
    assert "deliveries" not in [each.name for each in definitions.sensors or ()]
