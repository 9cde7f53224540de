"""What a failed check stops: a changed batch stops the write, a failed gate keeps the old publication."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from revenue_integrity import months
from revenue_integrity.desk.status import status_frame
from revenue_integrity.landing.zone import digest_of
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.query import Query
from revenue_integrity.model.stream import Streams
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog, database, publish
from revenue_integrity_tests.orchestration.test_runner import checks, edit, hashes, published_bytes, run
from revenue_integrity_tests.support import home_of
from revenue_integrity_tests.toy.settings import ToySettings
from revenue_integrity_tests.toy_home import FEBRUARY, put, rental


def digest(file: Path) -> str:
    """Return the digest of a batch of one file."""
    import hashlib

    return digest_of([(file.name, hashlib.sha256(file.read_bytes()).hexdigest())])


def line_of(home: Settings | Deployment, month: str) -> dict[str, Any]:
    """Return a month's line of the status."""
    deployment = home if isinstance(home, Deployment) else home_of(home)
    with open_evidence(deployment) as evidence:
        (line,) = status_frame(deployment, evidence, [months.parse(month)]).to_dict(orient="records")
    return {str(name): value for name, value in line.items()}


def test_a_changed_batch_stops_its_month_and_names_both_digests(toy: Deployment) -> None:
    before, files = hashes(toy), published_bytes(toy)
    (file,) = (toy.settings.landing_path / "toy" / "rentals" / "20250310T000000Z").glob("*")
    recorded = digest(file)
    original = file.read_bytes()
    file.write_bytes(original + b"\n")
    found = digest(file)
    assert recorded != found

    summary = run(toy)
    (failure, *_) = summary.failures
    assert f"batch toy/rentals/{file.parent.name} has changed" in failure
    assert recorded in failure
    assert found in failure
    assert "Put the original files back" in failure
    assert hashes(toy) == before, "nothing is recomputed"
    assert published_bytes(toy) == files

    verdict = checks(toy, "2025-02")["batches", "batch_digests_are_unchanged"]
    assert (verdict.state, verdict.gate, verdict.figures["changed_batches"]) == ("failed", "write", 1)
    line = line_of(toy, "2025-02")
    assert line["status"] == "blocked"
    assert "batch_digests_are_unchanged [write]" in line["why"]

    # It does not heal by being run again, and not by a run of everything; it does by the original files.
    assert run(toy).failures
    assert run(toy, everything=True).failures
    assert hashes(toy) == before
    file.write_bytes(original)
    assert run(toy).failures == []
    assert checks(toy, "2025-02")["batches", "batch_digests_are_unchanged"].holds
    assert hashes(toy) == before
    assert "[write]" not in line_of(toy, "2025-02")["why"]
    assert "[publish]" not in line_of(toy, "2025-02")["why"]


def test_a_changed_batch_does_not_stop_other_months(toy: Deployment) -> None:
    before = hashes(toy)
    (file,) = (toy.settings.landing_path / "toy" / "rentals" / "20250210T000000Z").glob("*")
    file.write_bytes(file.read_bytes() + b"\n")
    # Late rentals of the month whose batch was changed, and of the other.
    late = [rental("2025-01", "R-8", "B-2", "1.00", "1.00"), rental("2025-02", "R-9", "B-2", "1.00", "1.00")]
    put(toy.settings, "20250601T000000Z", late)
    failures = run(toy).failures
    assert failures
    assert all("2025-01" in failure and "2025-02" not in failure for failure in failures)
    changed = {name for name, found in hashes(toy).items() if found != before[name]}
    assert "mart.toy_boats@2025-02" in changed
    assert {name for name in changed if name.endswith("@2025-01")} == set()


def test_what_was_read_of_a_batch_that_is_gone_stays(toy: Deployment) -> None:
    before = hashes(toy)
    shutil.rmtree(toy.settings.landing_path / "toy" / "rentals" / "20250210T000000Z")
    assert run(toy, everything=True).failures == []
    assert hashes(toy) == before


def test_a_failed_publish_gate_writes_the_month_and_keeps_the_old_publication(toy: Deployment) -> None:
    files, before = published_bytes(toy), hashes(toy)
    closed = publish.closed_hashes(toy.settings, "toy", FEBRUARY)
    # A good rental, and so many bad ones that the month's figures mean nothing.
    bad = [rental("2025-02", f"X-{number}", "B-2", "many") for number in range(20)]
    put(toy.settings, "20250601T000000Z", [rental("2025-02", "R-8", "B-2", "30.00", "30.00"), *bad])

    summary = run(toy)
    assert any(
        "2025-02 is not published: quarantined_share_is_bearable of quarantine (failed)" in each for each in summary.failures
    )
    assert hashes(toy)["mart.toy_boats@2025-02"] != before["mart.toy_boats@2025-02"], "operators see the new"
    assert published_bytes(toy) == files
    assert publish.closed_hashes(toy.settings, "toy", FEBRUARY) == closed
    assert publish.read_together(toy.settings, "toy", FEBRUARY, closed).keys() == closed.keys()
    found = checks(toy, "2025-02")
    assert found["quarantine", "quarantined_share_is_bearable"].state == "failed"
    assert found["published", "month_may_be_published"].state == "failed"
    line = line_of(toy, "2025-02")
    assert line["status"] == "blocked"
    assert "quarantined_share_is_bearable [publish]" in line["why"]
    # The quarantine is published always, whatever fails.
    rejected = publish.read_published(toy.settings, "quarantine", None)
    assert len(rejected) == 20
    assert rejected["dq_errors"].str.contains("many").all()

    # The rest of the month arrives: 20 bad rows of 422 are bearable, and the month is published.
    put(toy.settings, "20250602T000000Z", [rental("2025-02", f"G-{number}", "B-2", "1.00", "1.00") for number in range(400)])
    assert run(toy).failures == []
    assert checks(toy, "2025-02")["quarantine", "quarantined_share_is_bearable"].holds
    assert publish.closed_hashes(toy.settings, "toy", FEBRUARY) != closed
    assert "[write]" not in line_of(toy, "2025-02")["why"]
    assert "[publish]" not in line_of(toy, "2025-02")["why"]


def test_rows_that_break_their_declaration_are_a_failed_check_and_stop_what_is_behind(toy: Deployment) -> None:
    before, files = hashes(toy), published_bytes(toy)
    (stream,) = toy.streams
    (good,) = [rule for rule in stream.rules if rule.table.name == "toy_rentals"]

    def negative(month: date, settings: ToySettings) -> Query:
        query: Query = good.function(month, settings)
        return Query(f"select * replace (-1::bigint as due_cents) from ({query.sql})", query.parameters)

    negative.__module__ = good.function.__module__
    bad = replace(good, function=negative, settings=(*good.settings, "lock_timeout_seconds"))
    broken = replace(stream, rules=tuple(bad if rule is good else rule for rule in stream.rules))

    summary = runner.run(Deployment(toy.settings, Streams.of(broken)), [FEBRUARY], say=lambda _: None)
    assert any("curated.toy_rentals 2025-02: due_cents is below 0" in failure for failure in summary.failures)
    assert hashes(toy) == before
    assert published_bytes(toy) == files
    verdict = checks(toy, "2025-02")["toy_rentals", "schema_holds"]
    assert (verdict.state, verdict.gate) == ("failed", "write")
    assert "due_cents is below 0" in verdict.figures
    assert "due_cents is below 0" in verdict.next_step
    # And again: what failed twice is on record twice, and no crash.
    summary = runner.run(Deployment(toy.settings, Streams.of(broken)), [FEBRUARY], say=lambda _: None)
    assert any("curated.toy_rentals 2025-02: due_cents is below 0" in failure for failure in summary.failures)


def test_edit_changes_exactly_one_place(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("a b a", encoding="utf-8")
    edit(file, "b", "c")
    assert file.read_text(encoding="utf-8") == "a c a"
    with pytest.raises(AssertionError):
        edit(file, "a", "c")


def test_no_publication_without_every_check(toy: Deployment) -> None:
    """Publishing alone, while a table was written without its checks, is refused."""
    with database.connect(toy.settings) as connection:
        connection.execute("update meta.partitions set fingerprint = 'another' where table_name = 'mart.toy_boats'")
        catalog.refresh(connection, toy.settings)
    with open_instance(toy.settings) as instance:
        job = build_definitions(toy).resolve_job_def("month")
        published = dg.AssetKey(["toy", "close", "published"])
        result = job.execute_in_process(
            instance=instance, partition_key="2025-02", asset_selection=[published], raise_on_error=False
        )
    assert not result.success
    (failure,) = result.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "boats_add_up of toy_boats (outdated)" in str(told.description)
