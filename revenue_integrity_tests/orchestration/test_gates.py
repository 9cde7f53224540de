"""What a failed check stops: a changed batch stops the write, a failed gate keeps the old publication."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from revenue_integrity.desk.status import status_frame
from revenue_integrity.landing.zone import digest_of
from revenue_integrity.orchestration import runner
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.conftest import golden_settings
from revenue_integrity_tests.orchestration.test_runner import checks, edit, hashes, published_bytes, run
from revenue_integrity_tests.support import APRIL, SHIPPED


def digest(file: Path) -> str:
    """Return the digest of a batch of one file."""
    import hashlib

    return digest_of([(file.name, hashlib.sha256(file.read_bytes()).hexdigest())])


def status_of_april(settings: Settings) -> dict[str, Any]:
    """Return the line of April."""
    (line,) = status_frame(deployment_of(settings), settings.months).to_dict(orient="records")
    return {str(name): value for name, value in line.items()}


def test_a_changed_batch_stops_its_month_and_names_both_digests(golden_home: Settings) -> None:
    before, files = hashes(golden_home), published_bytes(golden_home)
    (file,) = (golden_home.landing_path / "colocation" / "power_bills").glob("*/data.csv")
    recorded = digest(file)
    original = file.read_bytes()
    file.write_bytes(original + b"\n")
    found = digest(file)
    assert recorded != found

    summary = run(golden_home)
    (failure, *_) = summary.failures
    assert f"batch colocation/power_bills/{file.parent.name} has changed" in failure
    assert recorded in failure
    assert found in failure
    assert "Put the original files back" in failure
    assert hashes(golden_home) == before, "nothing is recomputed"
    assert published_bytes(golden_home) == files

    verdict = checks(golden_home)["batches", "batch_digests_are_unchanged"]
    assert (verdict.state, verdict.gate, verdict.figures["changed_batches"]) == ("failed", "write", 1)
    line = status_of_april(golden_home)
    assert line["status"] == "blocked"
    assert "batch_digests_are_unchanged [write]" in line["why"]

    # It does not heal by being run again, and not by a run of everything; it does by the original files.
    assert run(golden_home).failures
    assert run(golden_home, everything=True).failures
    assert hashes(golden_home) == before
    file.write_bytes(original)
    assert run(golden_home).failures == []
    assert checks(golden_home)["batches", "batch_digests_are_unchanged"].holds
    assert hashes(golden_home) == before
    assert "[write]" not in status_of_april(golden_home)["why"]
    assert "[publish]" not in status_of_april(golden_home)["why"]


def test_a_changed_batch_does_not_stop_other_months(golden_home: Settings) -> None:
    wide = golden_settings(golden_home.home, last_month="2025-05")
    assert run(wide).failures == []
    before = hashes(wide)
    (bill,) = (wide.landing_path / "colocation" / "power_bills").glob("*/data.csv")
    bill.write_text(bill.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    batch = wide.landing_path / "colocation" / "meter_readings" / "20250601T000000Z"
    batch.mkdir(parents=True)
    header = "meter_id,contract_id,site_id,reading_date,kwh,peak_kw,read_type\n"
    rows = "MB,B,S-1,2025-04-06,99,9,actual\nMB,B,S-1,2025-05-06,99,9,actual\n"
    (batch / "data.csv").write_text(header + rows, encoding="utf-8")
    failures = run(wide).failures
    assert failures
    assert all(failure.startswith("2025-04") for failure in failures)
    changed = {name for name, found in hashes(wide).items() if found != before[name]}
    assert "curated.meter_daily@2025-05" in changed
    assert {name for name in changed if name.endswith("@2025-04")} == set()


def test_what_was_read_of_a_batch_that_is_gone_stays(golden_home: Settings) -> None:
    before = hashes(golden_home)
    (file,) = (golden_home.landing_path / "colocation" / "power_bills").glob("*/data.csv")
    file.unlink()
    file.parent.rmdir()
    assert run(golden_home, everything=True).failures == []
    assert hashes(golden_home) == before


def test_a_failed_publish_gate_writes_the_month_and_keeps_the_old_publication(golden_home: Settings) -> None:
    files = published_bytes(golden_home)
    closed = publish.closed_hashes(golden_home, "colocation", APRIL)
    before = hashes(golden_home)
    # A good correction of one reading, and so many bad ones that the month's figures mean nothing.
    batch = golden_home.landing_path / "colocation" / "meter_readings" / "20250601T000000Z"
    batch.mkdir(parents=True)
    rows = ["MB,B,S-1,2025-04-06,99,9,actual", *(f"M{number},NOBODY,S-1,2025-04-06,99,9,actual" for number in range(50))]
    text = "meter_id,contract_id,site_id,reading_date,kwh,peak_kw,read_type\n" + "\n".join(rows) + "\n"
    (batch / "data.csv").write_text(text, encoding="utf-8")

    summary = run(golden_home)
    assert any(
        "2025-04 is not published: quarantined_share_is_bearable of quarantine (failed)" in each for each in summary.failures
    )
    assert hashes(golden_home)["curated.meter_daily@2025-04"] != before["curated.meter_daily@2025-04"], "operators see the new"
    assert published_bytes(golden_home) == files
    assert publish.closed_hashes(golden_home, "colocation", APRIL) == closed
    assert publish.read_together(golden_home, "colocation", APRIL, closed).keys() == closed.keys()
    found = checks(golden_home)
    assert found["quarantine", "quarantined_share_is_bearable"].state == "failed"
    assert found["published", "month_may_be_published"].state == "failed"
    line = status_of_april(golden_home)
    assert line["status"] == "blocked"
    assert "quarantined_share_is_bearable [publish]" in line["why"]
    # The quarantine is published always, whatever fails.
    rejected = publish.read_published(golden_home, "quarantine", None)
    assert len(rejected) == 50
    assert rejected["dq_errors"].str.contains("NOBODY").all()

    # The contract of the bad readings arrives: they heal, and the month is published.
    contracts = golden_home.landing_path / "colocation" / "contract_versions" / "20250602T000000Z"
    contracts.mkdir(parents=True)
    (source,) = (golden_home.landing_path / "colocation" / "contract_versions").glob("20250320*/data.csv")
    header, first, *_ = source.read_text(encoding="utf-8").splitlines()
    fields = dict(zip(header.split(","), first.split(","), strict=True)) | {"contract_id": "NOBODY"}
    (contracts / "data.csv").write_text(
        header + "\n" + ",".join(fields[name] for name in header.split(",")) + "\n", encoding="utf-8"
    )
    assert run(golden_home).failures == []
    assert checks(golden_home)["quarantine", "quarantined_share_is_bearable"].holds
    assert publish.closed_hashes(golden_home, "colocation", APRIL) != closed
    assert "[write]" not in status_of_april(golden_home)["why"]
    assert "[publish]" not in status_of_april(golden_home)["why"]


def test_rows_that_break_their_declaration_are_a_failed_check_and_stop_what_is_behind(
    golden_home: Settings,
) -> None:
    from dataclasses import replace

    from revenue_integrity.model.deployment import Deployment
    from revenue_integrity.model.query import Query
    from revenue_integrity.model.stream import Streams

    before = hashes(golden_home)
    files = published_bytes(golden_home)
    colocation = SHIPPED.streams.named("colocation")
    (good,) = [rule for rule in colocation.rules if rule.table.name == "meter_daily"]

    def negative(month: object, settings: Settings) -> Query:
        query: Query = good.function(month, settings)
        return Query(f"select * replace ((-1)::decimal(18,3) as kwh) from ({query.sql})", query.parameters)

    negative.__module__ = good.function.__module__
    bad = replace(good, function=negative, settings=(*good.settings, "lock_timeout_seconds"))
    broken = replace(colocation, rules=tuple(bad if rule is good else rule for rule in colocation.rules))

    summary = runner.run(Deployment(golden_home, Streams.of(broken)), golden_home.months, say=lambda _: None)
    assert any("curated.meter_daily 2025-04: kwh is below 0" in failure for failure in summary.failures)
    assert hashes(golden_home) == before
    assert published_bytes(golden_home) == files
    verdict = checks(golden_home)["meter_daily", "schema_holds"]
    assert (verdict.state, verdict.gate) == ("failed", "write")
    assert "kwh is below 0" in verdict.figures
    assert "kwh is below 0" in verdict.next_step


def test_edit_changes_exactly_one_place(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("a b a", encoding="utf-8")
    edit(file, "b", "c")
    assert file.read_text(encoding="utf-8") == "a c a"
    with pytest.raises(AssertionError):
        edit(file, "a", "c")


def test_no_publication_without_every_check(golden_home: Settings) -> None:
    """Publishing alone, while a table was materialized without its checks, is refused."""
    from revenue_integrity.orchestration.assembly import build_definitions
    from revenue_integrity.orchestration.instance import open_instance

    key = dg.AssetKey(["colocation", "mart", "contract_month"])
    with open_instance(golden_home) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="2025-04"))
        job = build_definitions(deployment_of(golden_home)).resolve_job_def("month")
        published = dg.AssetKey(["colocation", "close", "published"])
        result = job.execute_in_process(
            instance=instance, partition_key="2025-04", asset_selection=[published], raise_on_error=False
        )
    assert not result.success
    (failure,) = result.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "revenue_components_add_up of contract_month (outdated)" in str(told.description)
