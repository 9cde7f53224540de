"""Between a signature and its freeze: nothing that fails there, or comes there, undoes the one or hinders the next.

The home is that of ``scenarios.story``.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.reports import pack
from revenue_integrity.settings import Settings
from revenue_integrity_tests import deeds
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.scenarios.story import ANA, ARI, FEBRUARY, JANUARY, NOW, approve, prepare, statuses
from revenue_integrity_tests.support import command


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock at the present of the stories."""
    with clock.held_at(NOW):
        yield


def fail(*_: Any, **__: Any) -> Any:
    """Fail on the content, as a renderer does that does not know it."""
    raise ZeroDivisionError("a share of nothing")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def late_line(settings: Settings) -> None:
    """Land a line for January after its cutoff, and compute what follows."""
    line = story.invoice(JANUARY, "A", "other", "1", "50", "50.00", document_id="L-1", posted_at="2025-03-10T10:00:00Z")
    story.put(settings, "erp_invoices", "20250311T000000Z", [line])
    assert story.run(settings).failures == []


def test_a_renderer_that_raises_undoes_no_signature_and_hinders_no_later_one(
    ready_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = story.copy_home(ready_home.home, tmp_path / "sound")
    story.sign(sound, JANUARY)
    (approved,) = story.approvals(sound, JANUARY)
    expected = files_of(freeze.place_of(sound, approved) / "pack")
    assert "close-pack-2025-01.xlsx" in expected

    rendering = pack.pack_files
    monkeypatch.setattr(pack, "pack_files", fail)
    story.sign(ready_home, JANUARY)
    assert "ZeroDivisionError: a share of nothing" in caplog.text
    assert statuses(ready_home) == ["signed_off", "ready"]
    assert story.frozen(ready_home, JANUARY) == [1]
    (missing,) = deeds.verify(ready_home)
    assert (missing.subject, missing.problem) == (
        "colocation 2025-01 v1",
        "it is signed and frozen, and its close pack is missing",
    )

    # It fails on, and February is prepared, signed and frozen all the same; late data recompute January.
    story.sign(ready_home, FEBRUARY)
    assert story.frozen(ready_home, FEBRUARY) == [1]
    assert len(deeds.complete(ready_home)) == 2
    late_line(ready_home)
    assert statuses(ready_home) == ["reopened", "signed_off"]

    # Made later, the pack says what was signed: the same bytes as where it was made at once.
    monkeypatch.setattr(pack, "pack_files", rendering)
    deeds.reopen(ready_home, FEBRUARY, ANA, "a second look")
    (approved,) = story.approvals(ready_home, JANUARY)
    made = files_of(freeze.place_of(ready_home, approved) / "pack")
    assert {name for name in made if made[name] != expected[name]} == set()
    assert made.keys() == expected.keys()
    assert deeds.verify(ready_home) == []
    assert deeds.complete(ready_home) == []


def test_what_is_published_between_signature_and_freeze_is_not_what_was_signed(
    ready_home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(ready_home, JANUARY)
    with monkeypatch.context() as crash:
        crash.setattr(freeze, "finish", fail)
        with pytest.raises(ZeroDivisionError):
            approve(ready_home, JANUARY)
    assert statuses(ready_home) == ["signing", "ready"]
    late_line(ready_home)
    assert statuses(ready_home) == ["reopened", "ready"]

    assert command(ready_home, "run").returncode == 0
    assert story.frozen(ready_home, JANUARY) == [1]
    assert deeds.verify(ready_home) == []
    restated = story.restated(ready_home, JANUARY)
    recon = restated[(restated["dataset"] == "close_bridge") & (restated["measure"] == "late_cents")]
    assert recon[["old", "new"]].to_numpy().tolist() == [[0, 5000]]


def test_a_frozen_version_that_somebody_deleted_comes_back_while_its_content_stands(signed_home: Settings) -> None:
    (approved,) = story.approvals(signed_home, JANUARY)
    place = freeze.place_of(signed_home, approved)
    kept = json.loads((place / "manifest.json").read_bytes())
    place.rename(place.with_name("gone"))
    assert [finding.problem for finding in deeds.verify(signed_home)] == ["it was approved and is not frozen"]
    deeds.reopen(signed_home, FEBRUARY, ARI, "a second look")
    again = json.loads((place / "manifest.json").read_bytes())
    assert again["facts"]["datasets"] == kept["facts"]["datasets"]
    assert (place / "pack" / "manifest.json").exists()
