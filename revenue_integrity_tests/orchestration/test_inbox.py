"""The sensor of the inbox, and the alert that follows from what it refused."""

import shutil
from pathlib import Path

import dagster as dg

from revenue_integrity.desk.alerts import outbox
from revenue_integrity.desk.alerts.telling import tell_published
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.evidence import DagsterEvidence
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity_tests.toy_home import toy_deployment


def test_the_sensor_lands_what_is_whole_and_an_alert_stands_as_long_as_what_was_refused(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home")
    source = home.streams.named("toy").sources[0]
    folder = home.settings.inbox_path / "toy" / source.name
    folder.mkdir(parents=True)
    header = ",".join(column.name for column in source.columns)
    for name, content in (("good.csv", f"{header}\n"), ("bad.csv", "nothing\nof this\n")):
        (folder / name).write_text(content, encoding="utf-8")
        (folder / f"{name}.done").touch()
    sensor = build_definitions(home).resolve_sensor_def("inbox")
    with open_instance(home.settings) as instance:
        said = sensor.evaluate_tick(dg.build_sensor_context(instance=instance)).skip_message
        assert said is not None
        assert f"landed toy/{source.name}/" in said
        assert f"toy/{source.name}/bad.csv was refused" in said
        evidence = DagsterEvidence(home, instance)
        tell_published(home, evidence)
        (alert,) = [each for each in outbox.records(home.settings) if each.event.kind == "inbox_rejected"]
        assert alert.resolved_at is None
        assert "bad.csv" in alert.event.title
        shutil.rmtree(home.settings.inbox_path / "_rejected")
        tell_published(home, evidence)
        (alert,) = [each for each in outbox.records(home.settings) if each.event.kind == "inbox_rejected"]
        assert alert.resolved_at is not None
        assert sensor.evaluate_tick(dg.build_sensor_context(instance=instance)).skip_message == "nothing to land"
