"""Two streams that are one book: a month that was signed before the second one came into use stays signed.

The first is the toy, or colocation where that is meant (the home of ``scenarios.story``): two months, signed, before the first
cloud batch arrives. Books of one stream each stand in ``desk.test_books``.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import signed_path
from revenue_integrity.computing.publication import digest_of_rows
from revenue_integrity.desk import close_status, decisions, restating, verifying
from revenue_integrity.errors import Refusal
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.operating import doctor
from revenue_integrity.serving import export
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.schemas import DAILY_ACCOUNT_COST
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity.streams.registry import deployment_of, load_settings
from revenue_integrity.warehouse import publish
from revenue_integrity_tests import deeds, toy_home
from revenue_integrity_tests.conftest import made_once
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.scenarios.story import ANA, FEBRUARY, JANUARY, NOW, PAT, statuses
from revenue_integrity_tests.streams.cloud.world import deliver
from revenue_integrity_tests.support import command, environment_of
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock at the present of the stories."""
    with clock.held_at(NOW):
        yield


PEOPLE = {"preparers": (PAT,), "approvers": (ANA,)}


def with_the_toy(place: Path, **values: Any) -> Deployment:
    """Return a home that signs the toy and cloud as one book, in which the toy's two months are computed."""
    books = {"all": {"streams": ["toy", "cloud"]}}
    home = toy_home.beside(place, CLOUD, **({"books": books} | PEOPLE | values))
    toy_home.land_all(home.settings)
    bring_up_to_date(home)
    return home


def sign(home: Deployment, *wanted: date) -> None:
    """Prepare and approve months."""
    for month in wanted:
        decisions.prepare(home, Judged(home), month, PAT)
        decisions.approve(home, Judged(home), month, ANA)


def rows_of(home: Deployment) -> list[close_status.CloseRow]:
    """Return how both months stand."""
    return close_status.close_rows(home, Judged(home), home.settings.months)


def stands(home: Deployment) -> list[str]:
    """Return the status of both months."""
    return [str(row.status) for row in rows_of(home)]


def changes(home: Deployment, month: date, first: int | None = None, last: int | None = None) -> pd.DataFrame:
    """Return what changed between two versions of a month."""
    return restating.restatement(home, Judged(home), month, first, last)


@pytest.mark.usefixtures("manifest_alone")
def test_a_second_stream_is_signed_with_the_first(tmp_path: Path) -> None:
    home = with_the_toy(tmp_path)
    settings = home.settings
    sign(home, JANUARY, FEBRUARY)
    before, _ = (row.facts.content_hash for row in rows_of(home))

    deliver(settings, "20250310T000000Z", ("E-1", "2025-02-03", "10.25"), ("E-2", "2025-02-27", "0.000000000001"))
    bring_up_to_date(home)

    # January has no cloud row: what was signed of it stands, although the stream's (empty) tables are published for it now.
    assert stands(home) == ["signed_off", "reopened"]
    assert publish.closed_hashes(settings, "cloud", JANUARY)
    assert rows_of(home)[0].facts.content_hash == before
    assert changes(home, JANUARY).empty

    # What the checks of one stream say does not take the place of what those of the other say.
    asked: dict[str, Any] = {"stream": None, "tenant": None, "live": False, "as_of": None}
    judged = export.read(home, "checks", [FEBRUARY], say=deeds.quiet, open_evidence=lambda _: nullcontext(Judged(home)), **asked)
    assert {"daily_account_cost", "toy_boats"} <= set(judged["table_name"])

    changed = changes(home, FEBRUARY)
    days = changed[(changed["dataset"] == "daily_account_cost") & (changed["measure"] == "total_cost")]
    assert [(json.loads(row.key)["usage_date"], row.old, row.delta) for row in days.itertuples()] == [
        ("2025-02-03", Decimal(0), Decimal("10.25")), ("2025-02-27", Decimal(0), Decimal("0.000000000001")),
    ]  # fmt: skip
    assert set(changed["cause"]) == {"data"}
    assert set(changed["dataset"]) <= {"daily_account_cost", "account_service_day", "cloud_recon_results"}

    sign(home, FEBRUARY)
    assert stands(home) == ["signed_off", "signed_off"]
    _, latest = story.approvals(settings, FEBRUARY)
    frozen = freeze.read_frozen(settings, latest, "daily_account_cost")
    assert frozen["total_cost"].tolist() == [Decimal("10.250000000000"), Decimal("0.000000000001")]
    assert list(frozen) == DAILY_ACCOUNT_COST.columns
    assert frozen["published_at"].notna().all()
    whole = freeze.place_of(settings, latest) / "account_service_day.parquet"
    assert pq.read_metadata(whole).num_rows == 2
    assert not (signed_path(settings) / ".whole").exists()
    # What is signed of a frozen file is what is signed of the slices from which it was made.
    digests = publish.signed_digests(settings, "cloud", FEBRUARY)
    assert digests == {
        each.table.name: digest_of_rows(each, freeze.frozen_rows(settings, latest, each.table)) for each in CLOUD.signed
    }
    assert verifying.verify(home) == []
    assert changes(home, FEBRUARY, 1, 2)["delta"].sum() == changed["delta"].sum()

    # A correction of one day: only that day is restated.
    deliver(settings, "20250311T000000Z", ("E-1", "2025-02-03", "11"))
    bring_up_to_date(home)
    assert stands(home) == ["signed_off", "reopened"]
    again = changes(home, FEBRUARY)
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


@pytest.fixture
def ready_home_beside(ready_run: Path, tmp_path: Path) -> Settings:
    """Return the settings of a fresh copy of a home of colocation alone."""
    return story.copy_home(ready_run, tmp_path / "beside")


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


def test_reconciliations_of_both_streams_are_one_dataset_whose_columns_begin_as_before(
    united_home: Settings, ready_home_beside: Settings
) -> None:
    alone = deeds.export(ready_home_beside, "recon_results", None)
    united = deeds.export(united_home, "recon_results", None)
    assert list(united)[: len(alone.columns)] == list(alone.columns)
    assert set(alone["recon"]) <= set(united["recon"])


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


@pytest.mark.usefixtures("manifest_alone")
def test_rows_beyond_the_lookback_that_are_let_in_after_the_signature_are_new_data(tmp_path: Path) -> None:
    home = with_the_toy(tmp_path, cloud_lookback_days=20)
    deliver(home.settings, "20250210T000000Z", ("E-1", "2025-02-03", "10.25"))
    bring_up_to_date(home)
    sign(home, JANUARY, FEBRUARY)

    # 34 days after its day: kept aside, so nothing of what was signed is another.
    deliver(home.settings, "20250310T000000Z", ("E-2", "2025-02-04", "7"))
    bring_up_to_date(home)
    assert stands(home) == ["signed_off", "signed_off"]
    late = "cloud/billing_events/20250310T000000Z"

    # Somebody runs the month deliberately: its content differs because of this batch, not because of the program.
    bring_up_to_date(home, [FEBRUARY], everything=True)
    assert stands(home) == ["signed_off", "reopened"]
    changed = changes(home, FEBRUARY)
    days = changed[(changed["dataset"] == "daily_account_cost") & (changed["measure"] == "total_cost")]
    assert [row.delta for row in days.itertuples()] == [Decimal(7)]
    assert set(changed["cause"]) == {"data"}
    assert {*map(tuple, map(json.loads, changed["batches"]))} == {(late,)}
    _, row = close_status.close_status(home, Judged(home), home.settings.months).to_dict("records")
    assert row["reopened_because"] == "data"


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
