"""Between a signature and its freeze: nothing that fails there, or comes there, undoes the one or hinders the next.

The home is that of the toy, without Dagster. That a command completes what was left open is told in ``test_close``.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.desk import close_status, decisions, freezing, restating, verifying
from revenue_integrity.desk.status import NOT_FROZEN, status_frame
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.reports import pack
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, NOW, put, rental, toy_deployment
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock after the cutoff of February."""
    with clock.held_at(NOW):
        yield


def copy_of(run: Path, place: Path) -> Deployment:
    """Return a fresh copy of a home."""
    return toy_deployment(Path(shutil.copytree(run, place, symlinks=True)))


@pytest.fixture
def home(computed_toy: Deployment) -> Deployment:
    """Return a home in which both months of the toy are ready."""
    return computed_toy


def sign(home: Deployment, *wanted: Any) -> None:
    """Prepare and approve months."""
    for month in wanted:
        decisions.prepare(home, Judged(home), month, "pat")
        decisions.approve(home, Judged(home), month, "ann")


def statuses(home: Deployment) -> list[str]:
    """Return the status of both months."""
    return [str(row.status) for row in close_status.close_rows(home, Judged(home), home.settings.months)]


def fail(*_: Any, **__: Any) -> Any:
    """Fail on the content, as a renderer does that does not know it."""
    raise ZeroDivisionError("a share of nothing")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def late_rental(home: Deployment) -> None:
    """Land a rental of January that was booked after its cutoff, and compute what follows."""
    late = rental("2025-01", "R-9", "B-1", "50.00", "50.00", booked_at="2025-03-10T10:00:00Z")
    put(home.settings, "20250311T000000Z", [late])
    bring_up_to_date(home)


@pytest.mark.usefixtures("drawn_anew")
def test_a_renderer_that_raises_undoes_no_signature_and_hinders_no_later_one(
    home: Deployment, computed_toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = copy_of(computed_toy_run, tmp_path / "sound")
    sign(sound, JANUARY)
    (approved,) = story.approvals(sound.settings, JANUARY)
    expected = files_of(freeze.place_of(sound.settings, approved) / "pack")
    assert "close-pack-2025-01.xlsx" in expected

    rendering = pack.pack_files
    monkeypatch.setattr(pack, "pack_files", fail)
    sign(home, JANUARY)
    assert "ZeroDivisionError: a share of nothing" in caplog.text
    assert statuses(home) == ["signed_off", "ready"]
    assert story.frozen(home.settings, JANUARY) == [1]
    (missing,) = verifying.verify(home)
    assert (missing.subject, missing.problem) == ("toy 2025-01 v1", "it is signed and frozen, and its close pack is missing")

    # It fails on, and February is prepared, signed and frozen all the same; late data recompute January.
    sign(home, FEBRUARY)
    assert story.frozen(home.settings, FEBRUARY) == [1]
    assert len(freezing.complete(home, Judged(home))) == 2
    late_rental(home)
    assert statuses(home) == ["reopened", "signed_off"]

    # Made later, the pack says what was signed: the same bytes as where it was made at once.
    monkeypatch.setattr(pack, "pack_files", rendering)
    decisions.reopen(home, Judged(home), FEBRUARY, "ann", "a second look")
    (approved,) = story.approvals(home.settings, JANUARY)
    made = files_of(freeze.place_of(home.settings, approved) / "pack")
    assert {name for name in made if made[name] != expected[name]} == set()
    assert made.keys() == expected.keys()
    assert verifying.verify(home) == []
    assert freezing.complete(home, Judged(home)) == []


@pytest.mark.usefixtures("manifest_alone")
def test_what_is_published_between_signature_and_freeze_is_not_what_was_signed(
    home: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions.prepare(home, Judged(home), JANUARY, "pat")
    with monkeypatch.context() as crash:
        crash.setattr(freeze, "finish", fail)
        with pytest.raises(ZeroDivisionError):
            decisions.approve(home, Judged(home), JANUARY, "ann")
    assert statuses(home) == ["signing", "ready"]
    late_rental(home)
    assert statuses(home) == ["reopened", "ready"]

    assert freezing.complete(home, Judged(home)) == []
    assert story.frozen(home.settings, JANUARY) == [1]
    assert verifying.verify(home) == []
    restated = restating.restatement(home, Judged(home), JANUARY)
    boats = restated[(restated["dataset"] == "toy_boats") & (restated["measure"] == "due_cents")]
    assert boats[["old", "new"]].to_numpy().tolist() == [[15_000, 20_000]]


@pytest.mark.usefixtures("manifest_alone")
def test_a_frozen_version_that_somebody_deleted_comes_back_while_its_content_stands(home: Deployment) -> None:
    sign(home, JANUARY, FEBRUARY)
    (approved,) = story.approvals(home.settings, JANUARY)
    place = freeze.place_of(home.settings, approved)
    kept = json.loads((place / "manifest.json").read_bytes())
    place.rename(home.settings.home.with_name("gone"))
    assert [finding.problem for finding in verifying.verify(home)] == ["it was approved and is not frozen"]
    decisions.reopen(home, Judged(home), FEBRUARY, "ann", "a second look")
    again = json.loads((place / "manifest.json").read_bytes())
    assert again["facts"]["datasets"] == kept["facts"]["datasets"]
    assert (place / "pack" / "manifest.json").exists()


@pytest.mark.usefixtures("manifest_alone")
def test_no_secret_gets_into_the_ledger(home: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "hunter2hunter2")
    comment = "see postgresql://reader:s3cret@db/erp, login hunter2hunter2"
    decisions.prepare(home, Judged(home), JANUARY, "pat", comment)
    text = (home.settings.ledger_path / "ledger.jsonl").read_text(encoding="utf-8")
    assert "see postgresql://***@db/erp, login ***" in text
    assert "hunter2" not in text


def test_a_month_between_entry_and_freeze_says_so_and_what_completes_it(
    home: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions.prepare(home, Judged(home), JANUARY, "pat")
    with monkeypatch.context() as crash:
        crash.setattr(freeze, "finish", fail)
        with pytest.raises(ZeroDivisionError):
            decisions.approve(home, Judged(home), JANUARY, "ann")
    (first, _) = status_frame(home, Judged(home), home.settings.months).to_dict(orient="records")
    assert (first["status"], first["why"]) == ("signing", NOT_FROZEN)
    assert freeze.unfrozen(home.settings) == [
        "toy 2025-01 v1 was approved and is not frozen yet: the next command that may write completes it"
    ]
    assert {finding.problem for finding in verifying.verify(home)} == {"it was approved and is not frozen"}
    decisions.prepare(home, Judged(home), FEBRUARY, "pat")
    assert statuses(home) == ["signed_off", "prepared"]
    assert freeze.unfrozen(home.settings) == []


def sign_and_crash(home: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Approve January, and die between the entry and the frozen version."""
    decisions.prepare(home, Judged(home), JANUARY, "pat")
    with monkeypatch.context() as crash:
        crash.setattr(freeze, "finish", fail)
        with pytest.raises(ZeroDivisionError):
            decisions.approve(home, Judged(home), JANUARY, "ann")
    assert freeze.unfrozen(home.settings)


def test_whoever_writes_first_completes_a_signature_once_and_says_what_cannot_be(
    home: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_and_crash(home, monkeypatch)
    assert freezing.freeze_approved(home, Judged(home)) == []
    assert statuses(home)[0] == "signed_off"
    assert freezing.freeze_approved(home, Judged(home)) == []
    (approved,) = story.approvals(home.settings, JANUARY)
    freeze.place_of(home.settings, approved).rename(home.settings.home.with_name("gone"))
    publish.file_of(home.settings, "toy_boats", JANUARY).unlink()
    (told,) = freezing.freeze_approved(home, Judged(home))
    assert told.startswith("toy 2025-01 v1 was approved and is not frozen yet")
