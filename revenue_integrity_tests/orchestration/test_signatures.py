"""What the daemon does first: a signature that a crash interrupted is frozen by whichever of its parts comes next."""

import json
from pathlib import Path

import dagster as dg
import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.desk import decisions, freezing
from revenue_integrity.errors import LedgerError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity_tests.toy_home import JANUARY, NOW
from revenue_integrity_tests.without_dagster import Judged

SENSORS = ["inbox", "alerts", "late_data"]


def _tick(home: Deployment, name: str) -> None:
    definitions = build_definitions(home)
    with clock.held_at(NOW), open_instance(home.settings) as instance:
        context = dg.build_sensor_context(instance=instance, definitions=definitions)
        sensor = definitions.resolve_sensor_def(name)
        sensor.evaluate_tick(context)


@pytest.mark.parametrize("name", SENSORS)
def test_each_sensor_completes_a_signature_that_a_crash_interrupted(
    computed_toy: Deployment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with clock.held_at(NOW), monkeypatch.context() as crash:
        decisions.prepare(computed_toy, Judged(computed_toy), JANUARY, "pat")
        crash.setattr(freeze, "finish", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            decisions.approve(computed_toy, Judged(computed_toy), JANUARY, "ann")
    assert freeze.unfrozen(computed_toy.settings)
    _tick(computed_toy, name)
    assert freeze.unfrozen(computed_toy.settings) == []


@pytest.mark.parametrize("name", SENSORS)
def test_a_signature_that_cannot_be_completed_stands_in_the_log_and_stops_no_sensor(
    computed_toy: Deployment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_: object) -> list[str]:
        raise LedgerError("the disk is full", "Make room")

    monkeypatch.setattr(freezing, "freeze_approved", fail)
    _tick(computed_toy, name)
    assert "the disk is full" in _told(computed_toy.settings.home)


def _told(home: Path) -> str:
    lines = [json.loads(line) for file in (home / "logs").glob("*.jsonl") for line in file.read_text().splitlines()]
    return " ".join(str(each) for each in lines if each["event"] == "not_frozen")
