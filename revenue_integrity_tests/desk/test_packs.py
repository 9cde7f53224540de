"""Close packs over the golden home: what is published and decided becomes files, once, and those of a signed month stay.

How a pack looks is tested in ``reports``.
"""

import hashlib
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.desk import packs
from revenue_integrity.errors import PublishError, UsageError
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.evidence import pack_key
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity_tests import deeds
from revenue_integrity_tests.conftest import golden_settings, made_once
from revenue_integrity_tests.deeds import quiet, renew
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.streams.cloud.world import deliver
from revenue_integrity_tests.support import APRIL, command, home_of, home_settings

BLOCKED_BY = {"power_bills_are_final_or_booked"}
"""Checks that fail in the golden case: a site has no final bill."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, but for the seal of a pack that no entry reaches."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name != "manifest.seal"}


def manifest_of(folder: Path) -> dict[str, object]:
    """Return the manifest of a pack."""
    found: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return found


@pytest.fixture(scope="session")
def packed_run(golden_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the golden home with its packs written. Nobody may change it: take ``packed_home``."""

    def make(home: Path) -> None:
        shutil.copytree(golden_run, home, symlinks=True)
        assert renew(golden_settings(home)) == [("colocation", APRIL)]

    return made_once(tmp_path_factory, "packed", make)


@pytest.fixture
def packed_home(packed_run: Path, tmp_path: Path) -> Settings:
    """Return the settings of a fresh copy of the golden home with its packs written."""
    shutil.copytree(packed_run, tmp_path / "home", symlinks=True)
    return golden_settings(tmp_path / "home")


@pytest.fixture
def desk_home(packed_home: Settings) -> Settings:
    """Return the golden home with people who may close."""
    return packed_home.model_copy(update={"preparers": ("pia",), "approvers": ("ann", "bob")})


def sign(settings: Settings) -> str:
    """Waive what fails, prepare and approve April; return the hash of the approval."""
    for check in sorted(BLOCKED_BY):
        deeds.waive(settings, APRIL, check, "bob", "golden case")
    deeds.prepare(settings, APRIL, "pia")
    return deeds.approve(settings, APRIL, "ann").hash


def test_a_run_writes_the_pack_and_the_index(packed_home: Settings) -> None:
    folder = packs.folder_of(packed_home, "colocation", APRIL)
    assert {"close-pack-2025-04.html", "close-pack-2025-04.xlsx", "manifest.json"} <= {each.name for each in folder.iterdir()}
    index = (packed_home.packs_path / "index.html").read_text()
    assert 'href="colocation/2025-04/close-pack-2025-04.html"' in index
    contracts = publish.read_published(packed_home, "contract_month", [APRIL])
    assert f"{contracts['revenue_cents'].sum() / 100:,.0f}" in index


def test_the_latest_month_of_a_book_has_a_page_of_its_own(packed_home: Settings) -> None:
    page = packed_home.packs_path / "colocation" / "index.html"
    html = page.read_text()
    contracts = publish.read_published(packed_home, "contract_month", [APRIL])
    assert f"{contracts['revenue_cents'].sum() / 100:,.2f}" in html
    assert "preliminary: the month is blocked" in html
    assert 'href="2025-04/close-pack-2025-04.html"' in html
    assert "Controls" not in html, "who signs reads the pack"
    index = (packed_home.packs_path / "index.html").read_text()
    assert 'href="colocation/index.html"' in index
    listed = json.loads((packed_home.packs_path / "index.json").read_text())["files"]
    assert {"path": "colocation/index.html", "sha256": hashlib.sha256(page.read_bytes()).hexdigest()} in listed


def test_the_page_of_the_latest_month_follows_its_pack_and_nothing_else(desk_home: Settings) -> None:
    page = desk_home.packs_path / "colocation" / "index.html"
    before = page.read_text()
    assert renew(desk_home) == []
    assert page.read_text() == before
    page.unlink()
    renew(desk_home)
    assert page.read_text() == before
    sign(desk_home)
    assert "signed off, version 1" in page.read_text()


def test_the_pack_of_a_blocked_month_is_preliminary_and_lists_what_blocks(packed_home: Settings) -> None:
    folder = packs.folder_of(packed_home, "colocation", APRIL)
    manifest = manifest_of(folder)
    assert (manifest["preliminary"], manifest["status"], manifest["version"]) == (True, "blocked", None)
    data = deeds.pack_of(packed_home, APRIL)
    assert {each["check"] for each in data.blocking} == BLOCKED_BY
    page = (folder / "close-pack-2025-04.html").read_text()
    assert "PRELIMINARY" in page
    assert "ERP extract covers cutoff" in page
    assert all(each["next_step"] in page for each in data.blocking)


def test_every_dataset_is_the_published_one(packed_home: Settings) -> None:
    data = deeds.pack_of(packed_home, APRIL)
    (part,) = data.parts
    recons = part.stream.reconciliations
    assert recons is not None
    compared = {table.name for table in (recons.results, recons.summary, recons.causes) if table}
    assert set(data.tables) == {*part.report.datasets, *compared}
    for name, frame in data.tables.items():
        pd.testing.assert_frame_equal(frame, publish.read_published(packed_home, name, [APRIL]))


def test_the_same_content_and_ledger_give_the_same_bytes(packed_home: Settings, packed_run: Path) -> None:
    page = deeds.write_pack(packed_home, APRIL)
    assert files_of(page.parent) == files_of(packed_run / "packs" / "colocation" / "2025-04")


def test_a_pack_is_written_again_only_when_it_has_something_new_to_say(desk_home: Settings) -> None:
    assert renew(desk_home) == []
    deeds.waive(desk_home, APRIL, "power_bills_are_final_or_booked", "bob", "the bill comes in May")
    assert renew(desk_home) == [("colocation", APRIL)]
    assert renew(desk_home) == []
    with open_instance(desk_home) as instance:
        assert instance.get_materialized_partitions(pack_key("colocation")) == {"2025-04"}
    page = (packs.folder_of(desk_home, "colocation", APRIL) / "close-pack-2025-04.html").read_text()
    assert "the bill comes in May" in page
    assert [each["check"] for each in deeds.pack_of(desk_home, APRIL).blocking] == []


def test_the_asset_writes_the_pack_and_does_not_call_the_month_stale_for_its_own_run(packed_home: Settings) -> None:
    folder = packs.folder_of(packed_home, "colocation", APRIL)
    for file in [*folder.glob("manifest.*"), *folder.glob("close-pack*")]:
        file.unlink()
    for file in (folder / "csv").iterdir():
        file.unlink()
    (folder / "csv").rmdir()
    summary = runner.run(home_of(packed_home), [APRIL], select='key:"colocation/close/pack"', say=quiet)
    assert (summary.runs, summary.failures) == (1, [])
    assert manifest_of(folder)["status"] == "blocked"
    with open_instance(packed_home) as instance:
        event = instance.get_latest_materialization_event(pack_key("colocation"))
        assert event is not None
        assert event.asset_materialization is not None
        shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert shown["state"] == "PRELIMINARY"
    assert shown["page"] == "/revenue-integrity/pack/colocation/2025-04/close-pack-2025-04.html"


def test_an_approval_keeps_its_pack_for_ever(desk_home: Settings) -> None:
    head = sign(desk_home)
    frozen = freeze.place_of(desk_home, story.approvals(desk_home, APRIL)[0]) / "pack"
    kept = files_of(frozen)
    manifest = manifest_of(frozen)
    assert (manifest["preliminary"], manifest["version"], manifest["ledger_head"]) == (False, 1, head)
    assert b"Signed off, version 1" in kept["close-pack-2025-04.html"]
    assert head.encode() in kept["close-pack-2025-04.html"]
    assert files_of(packs.folder_of(desk_home, "colocation", APRIL)) == kept
    assert deeds.verify(desk_home) == []
    deeds.write_pack(desk_home, APRIL)
    assert files_of(packs.folder_of(desk_home, "colocation", APRIL)) == kept

    deeds.reopen(desk_home, APRIL, "ann", "a bill is wrong")
    deeds.write_pack(desk_home, APRIL)
    assert manifest_of(packs.folder_of(desk_home, "colocation", APRIL))["preliminary"] is True
    assert files_of(frozen) == kept

    page = frozen / "close-pack-2025-04.html"
    page.chmod(0o644)
    page.write_bytes(kept[page.name] + b" ")
    (finding,) = deeds.verify(desk_home)
    assert finding.subject == str(page)


def test_a_month_without_data_has_no_pack(packed_home: Settings) -> None:
    longer = packed_home.model_copy(update={"last_month": pd.Timestamp("2025-05-01").date()})
    with pytest.raises(PublishError, match=r"2025-05 is not published, so it has no close pack\. Run it"):
        deeds.write_pack(longer, longer.months[-1])
    assert not packs.folder_of(longer, "colocation", longer.months[-1]).exists()


def test_the_command_writes_it_and_says_where(packed_home: Settings) -> None:
    done = command(packed_home, "pack", "2025-04")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(packs.folder_of(packed_home, "colocation", APRIL) / "close-pack-2025-04.html")


def test_a_folder_that_holds_something_else_is_left_alone(packed_home: Settings) -> None:
    folder = packs.folder_of(packed_home, "colocation", APRIL)
    (folder / "manifest.json").unlink()
    with pytest.raises(PublishError, match="holds no close pack"):
        deeds.write_pack(packed_home, APRIL)
    said: list[str] = []
    assert renew(packed_home, said.append) == []
    assert len(said) == 1
    assert "the close pack of colocation 2025-04 is not written" in said[0]


def checks_of(settings: Settings) -> pd.DataFrame:
    """Return the published results of April's checks by their names."""
    frame = deeds.export(settings, "checks", [APRIL])
    return frame.set_index(["table_name", "check_name"]).sort_index()


def test_results_of_checks_are_published_also_of_a_month_that_is_not(packed_home: Settings) -> None:
    results = checks_of(packed_home)
    failed = results[(results["state"] != "passed") & (results["gate"] != "warn")]
    assert {name for _, name in failed.index} == BLOCKED_BY
    assert set(failed["next_step"]) != {""}
    assert results.loc[("published", "month_may_be_published"), "state"] == "passed"

    before = publish.closed_hashes(packed_home, "colocation", APRIL)
    (file, *_) = sorted((packed_home.landing_path / "colocation" / "erp_invoices").rglob("*.csv"))
    file.write_text(file.read_text() + "\n")
    summary = runner.run(home_of(packed_home), [APRIL], say=quiet)
    assert summary.failures
    assert publish.closed_hashes(packed_home, "colocation", APRIL) == before
    results = checks_of(packed_home)
    published = results.loc[("published", "month_may_be_published")]
    assert (published["gate"], published["state"]) == ("publish", "failed")
    assert json.loads(published["figures"])["checks_in_the_way"] >= 1
    assert results.loc[("batches", "batch_digests_are_unchanged"), "state"] == "failed"
    assert renew(packed_home) == [("colocation", APRIL)]
    manifest = manifest_of(packs.folder_of(packed_home, "colocation", APRIL))
    assert manifest["preliminary"] is True
    assert (
        "Batch digests are unchanged"
        in (packs.folder_of(packed_home, "colocation", APRIL) / "close-pack-2025-04.html").read_text()
    )


def test_checks_stand_in_no_warehouse(packed_home: Settings) -> None:
    with pytest.raises(UsageError, match="'checks' stands in no warehouse"):
        deeds.export(packed_home, "checks", None, live=True)


def test_a_pack_shows_both_streams_and_what_was_restated(ready_home: Settings) -> None:
    signed_home = story.together(ready_home)
    story.sign(signed_home, story.JANUARY, story.FEBRUARY)
    with clock.held_at(story.NOW):
        renew(signed_home)
        january = files_of(packs.folder_of(signed_home, "all", story.JANUARY))
        deliver(signed_home, "20250310T000000Z", ("E-1", "2025-02-03", "10.25"), ("E-2", "2025-02-27", "0.000000000001"))
        assert story.run(signed_home).failures == []
        renewed = renew(signed_home)

        # January has no cloud row: its signed pack stays. February is reopened by its cloud costs, and shows them.
        assert ("all", story.FEBRUARY) in renewed
        assert files_of(packs.folder_of(signed_home, "all", story.JANUARY)) == january
        data = deeds.pack_of(signed_home, story.FEBRUARY)
        assert [part.stream.name for part in data.parts] == ["colocation", "cloud"]
        daily = publish.read_published(signed_home, "daily_account_cost", [story.FEBRUARY])
        pd.testing.assert_frame_equal(data.tables["daily_account_cost"], daily.drop(columns="published_at"))
        folder = packs.folder_of(signed_home, "all", story.FEBRUARY)
        assert manifest_of(folder)["streams"] == ["colocation", "cloud"]
        assert "10.250000000001" in str(manifest_of(folder)["headline"])
        page = (folder / "close-pack-2025-02.html").read_text()
        assert "Cloud Cost" in page
        assert "No published day of this month has changed" in page
        with open_instance(signed_home) as instance:
            assert "2025-02" in instance.get_materialized_partitions(pack_key("all"))
        assert renew(signed_home) == []

        deliver(signed_home, "20250311T000000Z", ("E-1", "2025-02-03", "12.25"))
        assert story.run(signed_home).failures == []
        assert renew(signed_home) == [("all", story.FEBRUARY)]
        page = (folder / "close-pack-2025-02.html").read_text()
        assert "Restated: 3. Restated 2.00 in all." in page


def test_a_home_with_cloud_costs_alone_has_packs_of_them_alone(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home", first_month="2025-01", last_month="2025-02")
    with clock.held_at(story.NOW):
        deliver(settings, "20250203T000000Z", ("E-1", "2025-01-03", "7"), ("E-2", "2025-02-01", "1.5"))
        assert runner.run(home_of(settings), settings.months, say=quiet).failures == []
        assert renew(settings) == [("cloud", story.JANUARY), ("cloud", story.FEBRUARY)]
        data = deeds.pack_of(settings, story.FEBRUARY)
        assert deeds.status_frame(settings, settings.months)["cloud_cost"].tolist() == [Decimal(7), Decimal("1.5")]
    (part,) = data.parts
    assert part.stream.name == "cloud"
    assert set(data.tables) == {*part.report.datasets, "cloud_recon_results", "cloud_recon_summary"}
    trend = part.published.trend("cloud_month")
    assert trend is not None
    assert trend["month"].dt.date.tolist() == [story.JANUARY, story.FEBRUARY]
    page = (packs.folder_of(settings, "cloud", story.FEBRUARY) / "close-pack-2025-02.html").read_text()
    assert "Margin Overview" not in page
    # 1.50 after 7.00
    assert "($5.50) (-78.6 %) on the month before" in page
    index = (settings.packs_path / "index.html").read_text()
    assert "Cloud cost, $" in index
    assert "Revenue, $" not in index
