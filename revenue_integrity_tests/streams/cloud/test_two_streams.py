"""Two streams that are one book: a month that was signed before the second one came into use stays signed.

The home is that of ``scenarios.story``: two months of colocation, signed, before the first cloud batch arrives. Books of one
stream each stand in ``desk.test_books``.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import signed_path
from revenue_integrity.computing.publication import digest_of_rows
from revenue_integrity.errors import Refusal
from revenue_integrity.operating import doctor
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.schemas import DAILY_ACCOUNT_COST
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity.streams.registry import deployment_of, load_settings
from revenue_integrity.warehouse import publish
from revenue_integrity_tests import deeds
from revenue_integrity_tests.conftest import made_once
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.scenarios.story import FEBRUARY, JANUARY, NOW, restated, row_of, statuses
from revenue_integrity_tests.streams.cloud.world import deliver
from revenue_integrity_tests.support import command, environment_of


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock at the present of the stories."""
    with clock.held_at(NOW):
        yield


def test_a_second_stream_is_signed_with_the_first(ready_home: Settings) -> None:
    signed_home = story.together(ready_home)
    story.sign(signed_home, JANUARY, FEBRUARY)
    before = {name: row_of(signed_home, month)["content_hash"] for name, month in (("jan", JANUARY), ("feb", FEBRUARY))}
    alone = deeds.export(signed_home, "recon_results", None)

    deliver(signed_home, "20250310T000000Z", ("E-1", "2025-02-03", "10.25"), ("E-2", "2025-02-27", "0.000000000001"))
    assert story.run(signed_home).failures == []

    # January has no cloud row: what was signed of it stands, although the stream's (empty) tables are published for it now.
    assert statuses(signed_home) == ["signed_off", "reopened"]
    assert publish.closed_hashes(signed_home, "cloud", JANUARY)
    assert row_of(signed_home, JANUARY)["content_hash"] == before["jan"]
    assert restated(signed_home, JANUARY).empty

    # What the checks of one stream say does not take the place of what those of the other say.
    judged = deeds.export(signed_home, "checks", [FEBRUARY])
    assert {"daily_account_cost", "contract_month"} <= set(judged["table_name"])

    changed = restated(signed_home, FEBRUARY)
    days = changed[(changed["dataset"] == "daily_account_cost") & (changed["measure"] == "total_cost")]
    assert [(json.loads(row.key)["usage_date"], row.old, row.delta) for row in days.itertuples()] == [
        ("2025-02-03", Decimal(0), Decimal("10.25")), ("2025-02-27", Decimal(0), Decimal("0.000000000001")),
    ]  # fmt: skip
    assert set(changed["cause"]) == {"data"}
    assert set(changed["dataset"]) <= {"daily_account_cost", "account_service_day", "cloud_recon_results"}

    story.sign(signed_home, FEBRUARY)
    assert statuses(signed_home) == ["signed_off", "signed_off"]
    frozen = freeze.read_frozen(signed_home, story.approvals(signed_home, FEBRUARY)[1], "daily_account_cost")
    assert frozen["total_cost"].tolist() == [Decimal("10.250000000000"), Decimal("0.000000000001")]
    assert list(frozen) == DAILY_ACCOUNT_COST.columns
    assert frozen["published_at"].notna().all()
    whole = freeze.place_of(signed_home, story.approvals(signed_home, FEBRUARY)[1]) / "account_service_day.parquet"
    assert pq.read_metadata(whole).num_rows == 2
    assert not (signed_path(signed_home) / ".whole").exists()
    # What is signed of a frozen file is what is signed of the slices from which it was made.
    _, latest = story.approvals(signed_home, FEBRUARY)
    digests = publish.signed_digests(signed_home, "cloud", FEBRUARY)
    assert digests == {
        each.table.name: digest_of_rows(each, freeze.frozen_rows(signed_home, latest, each.table)) for each in CLOUD.signed
    }
    assert deeds.verify(signed_home) == []
    assert restated(signed_home, FEBRUARY, 1, 2)["delta"].sum() == changed["delta"].sum()

    united = deeds.export(signed_home, "recon_results", None)
    assert list(united)[: len(alone.columns)] == list(alone.columns)
    assert set(alone["recon"]) <= set(united["recon"])

    # A correction of one day: only that day is restated.
    deliver(signed_home, "20250311T000000Z", ("E-1", "2025-02-03", "11"))
    assert story.run(signed_home).failures == []
    assert statuses(signed_home) == ["signed_off", "reopened"]
    again = restated(signed_home, FEBRUARY)
    assert [(row.old, row.new) for row in again[again["dataset"] == "daily_account_cost"].itertuples()] == [
        (Decimal("10.25"), Decimal(11)),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def united_run(ready_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose two months were run with one event of February. Nobody may change it: take ``united_home``."""

    def make(home: Path) -> None:
        settings = story.copy_home(ready_run, home)
        deliver(settings, "20250310T000000Z", ("E-1", "2025-02-03", "10.25"))
        assert story.run(settings).failures == []

    return made_once(tmp_path_factory, "united", make)


@pytest.fixture
def united_home(united_run: Path, tmp_path: Path) -> Settings:
    """Return the settings of a fresh copy of a home of both streams, of which no month is signed."""
    return story.copy_home(united_run, tmp_path / "home")


def test_a_lost_event_store_is_found_and_made_again(united_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(united_home).items():
        monkeypatch.setenv(name, value)

    def found() -> pd.Series:
        return doctor.examine(lambda: deployment_of(load_settings())).set_index("what").loc["event store"]

    assert (found()["ok"], found()["found"]) == (True, "2 files")
    published = {file: file.read_bytes() for file in united_home.published_path.rglob("*.parquet")}
    shutil.rmtree(united_home.home / "events")
    assert not found()["ok"]
    assert found()["found"].startswith("2 of its 2 files are gone, first events/cloud/")
    assert "revenue-integrity run" in found()["next_step"]
    assert story.run(united_home).failures == []
    assert found()["ok"]
    done = command(united_home, "export", "cloud_events", "--format", "csv")
    assert [row["event_id"] for row in csv.DictReader(done.stdout.splitlines())] == ["E-1"]
    assert {file: file.read_bytes() for file in united_home.published_path.rglob("*.parquet")} == published


def test_events_are_exported_and_a_published_part_that_was_changed_is_found(united_home: Settings) -> None:
    assert deeds.verify(united_home) == []

    # The events behind it, read from the store: of all, of the tenant, of another.
    folder = united_home.home
    for name in ("events.csv", "events.json", "events.parquet"):
        done = command(united_home, "export", "cloud_events", "-o", str(folder / name), "--tenant", "t-1")
        assert done.returncode == 0, done.stderr
        assert "this waits for its turn" in done.stderr
        assert "1 rows written" in done.stderr
    (event,) = csv.DictReader((folder / "events.csv").open(encoding="utf-8"))
    assert (event["event_id"], event["tenant_id"], event["usage_date"], event["cost"]) == ("E-1", "T-1", "2025-02-03", "10.25")
    assert json.loads((folder / "events.json").read_text(encoding="utf-8"))[0]["event_id"] == "E-1"
    assert pq.read_table(folder / "events.parquet")["cost"].to_pylist() == [Decimal("10.25")]
    for tenant, rows in (("t-1", 1), ("other", 0), (None, 1)):
        found = deeds.export(united_home, "cloud_events", None, tenant=tenant)
        assert len(found) == rows
    nowhere = command(united_home, "export", "cloud_events", "-o", str(folder / "no" / "events.parquet"))
    assert (nowhere.returncode, nowhere.stderr.count("Traceback")) == (2, 0), nowhere.stderr

    (file,) = (united_home.published_path / "daily_account_cost").glob("tenant=*/usage_date=*/data.parquet")
    rows = pq.read_table(file, partitioning=None)
    position = rows.schema.get_field_index("event_count")
    pq.write_table(rows.set_column(position, rows.schema.field(position), [[2]]), file)
    (finding,) = deeds.verify(united_home)
    assert finding.subject == str(file)
    assert "close.json names" in finding.problem


def test_rows_beyond_the_lookback_that_are_let_in_after_the_signature_are_new_data(ready_home: Settings) -> None:
    home = story.together(ready_home).model_copy(update={"cloud_lookback_days": 20})
    deliver(home, "20250210T000000Z", ("E-1", "2025-02-03", "10.25"))
    assert story.run(home).failures == []
    story.sign(home, JANUARY, FEBRUARY)

    # 34 days after its day: kept aside, so nothing of what was signed is another.
    deliver(home, "20250310T000000Z", ("E-2", "2025-02-04", "7"))
    assert story.run(home).failures == []
    assert statuses(home) == ["signed_off", "signed_off"]
    late = "cloud/billing_events/20250310T000000Z"

    # Somebody runs the month deliberately: its content differs because of this batch, not because of the program.
    assert story.run(home, FEBRUARY, everything=True).failures == []
    assert statuses(home) == ["signed_off", "reopened"]
    changed = restated(home, FEBRUARY)
    days = changed[(changed["dataset"] == "daily_account_cost") & (changed["measure"] == "total_cost")]
    assert [row.delta for row in days.itertuples()] == [Decimal(7)]
    assert set(changed["cause"]) == {"data"}
    assert {*map(tuple, map(json.loads, changed["batches"]))} == {(late,)}
    assert row_of(home, FEBRUARY)["reopened_because"] == "data"


def test_a_due_month_of_the_second_stream_that_is_not_published_cannot_be_signed(united_home: Settings) -> None:
    (united_home.published_path / "_close" / "cloud" / "month=2025-02" / "close.json").unlink()
    with pytest.raises(Refusal, match="all 2025-02 was never published"):
        story.prepare(story.together(united_home), FEBRUARY)


def test_a_month_for_which_the_second_stream_has_not_delivered_yet_is_open(ready_home: Settings) -> None:
    deliver(ready_home, "20250210T000000Z", ("E-1", "2025-01-03", "10.25"))
    assert story.run(ready_home, JANUARY).failures == []
    assert not publish.closed_hashes(ready_home, "cloud", FEBRUARY)
    assert statuses(story.together(ready_home))[1] == "open"
    rows = deeds.close_status(ready_home, [FEBRUARY])
    assert rows[["book", "status"]].to_numpy().tolist() == [["colocation", "ready"], ["cloud", "open"]]
