"""The close desk on a real instance: who may do what, what a crash or a second hand cannot break, and what `verify` finds.

The home is that of ``scenarios.story``. Stories that need a month to be computed again stand in ``scenarios``.
"""

import json
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.close.ledger import Ledger
from revenue_integrity.errors import IntegrityError, Refusal
from revenue_integrity.settings import Settings
from revenue_integrity_tests import deeds
from revenue_integrity_tests.processes import Program
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.scenarios.story import ANA, ARI, FEBRUARY, JANUARY, NOW, PAT, approve, prepare, statuses
from revenue_integrity_tests.support import command, environment_of, python

pytestmark = pytest.mark.usefixtures("manifest_alone")


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock at the present of the stories."""
    with clock.held_at(NOW):
        yield


def actions(settings: Settings) -> list[tuple[str, str, str, int]]:
    """Return who did what to which version of which month."""
    return [(entry.month, entry.action, entry.actor, entry.version) for entry in Ledger(settings).entries()]


def start(settings: Settings, deed: str) -> Program:
    """Start a piece of Python about the close in a process of its own."""
    code = (
        "import os, signal\n"
        "from revenue_integrity.close import freeze\n"
        "from revenue_integrity.streams.registry import load_settings\n"
        "from revenue_integrity.reports import manifest, pack\n"
        "from revenue_integrity_tests import deeds\n"
        "from datetime import date\n"
        "pack.pack_files = lambda data: {manifest.FILE: manifest.text_of(data, {})}\n"
        "settings = load_settings()\n" + deed
    )
    return Program(code, environment=environment_of(settings))


def test_every_state_of_a_month(ready_home: Settings) -> None:
    wide = story.story_settings(ready_home.home)
    assert statuses(wide) == ["ready", "ready"]
    last_instant = cutoff(FEBRUARY, wide)
    assert statuses(wide, last_instant) == ["ready", "open"]
    assert statuses(wide, last_instant + timedelta(microseconds=1)) == ["ready", "ready"]
    with clock.held_at(last_instant), pytest.raises(Refusal, match=r"in time until its cutoff 2025-03-07T23:59:59\.999999Z"):
        deeds.prepare(wide, FEBRUARY, PAT)

    prepare(wide, JANUARY)
    assert statuses(wide) == ["prepared", "ready"]
    approve(wide, JANUARY)
    assert statuses(wide) == ["signed_off", "ready"]
    deeds.reopen(wide, JANUARY, ANA, "a second look")
    assert statuses(wide) == ["reopened", "ready"]
    story.put(wide, "erp_invoices", "20250311T000000Z", story.invoices(FEBRUARY))
    assert statuses(wide) == ["reopened", "stale"]


def test_months_are_closed_in_order_by_two_people(ready_home: Settings) -> None:
    with pytest.raises(Refusal, match="2025-01 has never been signed off"):
        prepare(ready_home, FEBRUARY)
    with pytest.raises(Refusal, match=r"zoe is no preparer \(preparers: pat, ari\)"):
        prepare(ready_home, JANUARY, "zoe")
    with pytest.raises(Refusal, match="ana is no preparer"):
        prepare(ready_home, JANUARY, ANA)
    with pytest.raises(Refusal, match="2025-01 is not prepared"):
        approve(ready_home, JANUARY)
    with pytest.raises(Refusal, match="2025-01 was never signed off"):
        deeds.reopen(ready_home, JANUARY, ANA, "why not")
    prepare(ready_home, JANUARY, ARI)
    with pytest.raises(Refusal, match="ari prepared colocation 2025-01"):
        approve(ready_home, JANUARY, ARI)
    with pytest.raises(Refusal, match="pat is no approver"):
        approve(ready_home, JANUARY, PAT)
    assert actions(ready_home) == [("2025-01", "prepare", ARI, 1)], "a refusal leaves no entry"

    approval = approve(ready_home, JANUARY)
    assert (approval.version, approval.as_of) == (1, "20250310T000000Z")
    assert {check["passed"] for check in approval.checks} == {True}
    assert {"erp_extract_covers_cutoff", "causes_add_up", "schema_holds"} <= {check["name"] for check in approval.checks}
    with pytest.raises(Refusal, match="2025-01 is signed off as it stands"):
        prepare(ready_home, JANUARY)

    # A month that was signed once does not block the next one when it is reopened.
    with pytest.raises(Refusal, match="reopening needs a reason"):
        deeds.reopen(ready_home, JANUARY, ANA, "")
    with pytest.raises(Refusal, match="pat is no approver"):
        deeds.reopen(ready_home, JANUARY, PAT, "a second look")
    deeds.reopen(ready_home, JANUARY, ANA, "a second look")
    with pytest.raises(Refusal, match="2025-01 is reopened already, by ana"):
        deeds.reopen(ready_home, JANUARY, ARI, "a third look")
    assert story.row_of(ready_home, JANUARY)["reopened_because"] == "reopened by ana: a second look"
    story.sign(ready_home, FEBRUARY)

    (second,) = story.sign(ready_home, JANUARY)
    assert second.version == 2
    assert story.frozen(ready_home, JANUARY) == [1, 2]
    assert story.restated(ready_home, JANUARY, 1, 2).empty
    assert deeds.verify(ready_home) == []


def test_a_batch_that_is_landed_and_not_computed_is_refused(ready_home: Settings) -> None:
    prepare(ready_home, JANUARY)
    story.put(ready_home, "erp_invoices", "20250311T000000Z", story.invoices(FEBRUARY))
    with pytest.raises(Refusal, match="2025-01 is stale: colocation/erp_invoices/20250311T000000Z landed and is not read yet"):
        approve(ready_home, JANUARY)
    with pytest.raises(Refusal, match="revenue-integrity run"):
        prepare(ready_home, JANUARY)


def test_one_byte_of_the_ledger_is_noticed(signed_home: Settings) -> None:
    assert command(signed_home, "verify").stdout.startswith("Everything holds; the ledger has 4 entries, its head is ")
    file = Ledger(signed_home).file
    lines = file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"actor":"ana"', b'"actor":"anb"')
    file.write_bytes(b"".join(lines))
    done = command(signed_home, "verify")
    assert done.returncode == 1
    assert done.stderr.startswith("ledger entry 2: ")
    with pytest.raises(IntegrityError, match="ledger entry 2"):
        prepare(signed_home, JANUARY)


def test_a_ledger_that_was_cut_short_is_noticed(signed_home: Settings) -> None:
    file = Ledger(signed_home).file
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    first, *_ = deeds.verify(signed_home)
    assert (first.subject, first.problem) == ("ledger entry 3", "it is gone: the ledger ends at 2, its head was at 4")


def test_a_published_file_and_a_signed_file_that_were_changed_are_named(signed_home: Settings) -> None:
    january = signed_home.published_path / "close_bridge" / "month=2025-01" / "data.parquet"
    february = signed_home.published_path / "close_bridge" / "month=2025-02" / "data.parquet"
    january.write_bytes(february.read_bytes())
    signed = freeze.place_of(signed_home, story.approvals(signed_home, JANUARY)[0]) / "close_bridge.parquet"
    signed.chmod(0o644)
    signed.write_bytes(february.read_bytes())
    assert {finding.subject for finding in deeds.verify(signed_home)} == {str(january), str(signed)}


def test_of_two_approvers_at_once_exactly_one_wins(ready_home: Settings) -> None:
    prepare(ready_home, JANUARY)
    processes = [start(ready_home, f"deeds.approve(settings, date(2025, 1, 1), {who!r})\n") for who in (ANA, ARI)]
    ends = [process.communicate(timeout=120) for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1]
    (loser,) = [err for process, (_, err) in zip(processes, ends, strict=True) if process.returncode]
    assert "Refusal: colocation 2025-01 is not prepared" in loser
    assert [action for _, action, _, _ in actions(ready_home)] == ["prepare", "approve"]
    assert deeds.verify(ready_home) == []


def test_a_crash_between_ledger_and_copy_is_recovered_by_the_next_command(ready_home: Settings) -> None:
    prepare(ready_home, JANUARY)
    dies = "freeze.finish = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
    process = start(ready_home, dies + f"deeds.approve(settings, date(2025, 1, 1), {ANA!r})\n")
    _, told = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, told
    assert actions(ready_home)[-1] == ("2025-01", "approve", ANA, 1)
    assert story.frozen(ready_home, JANUARY) == []
    (finding,) = deeds.verify(ready_home)
    assert (finding.subject, finding.problem) == ("colocation 2025-01 v1", "it was approved and is not frozen")
    assert statuses(ready_home) == ["signing", "ready"]

    assert command(ready_home, "run").returncode == 0
    assert statuses(ready_home) == ["signed_off", "ready"]
    assert story.frozen(ready_home, JANUARY) == [1]
    assert deeds.verify(ready_home) == []


def test_neither_clock_nor_time_zone_of_the_machine_moves_a_cutoff(ready_home: Settings) -> None:
    code = (
        "from datetime import date; from revenue_integrity.streams.registry import load_settings\n"
        "from revenue_integrity.streams.registry import deployment_of\n"
        "from revenue_integrity.close.calendar import cutoff\n"
        "from revenue_integrity.computing.versions import settings_hash\n"
        "from revenue_integrity_tests import deeds\n"
        "settings = load_settings(); deployment = deployment_of(settings)\n"
        "print(cutoff(date(2025, 2, 1), settings).isoformat(), settings_hash(deployment.streams, settings),"
        " *deeds.close_status(settings, settings.months)['status'])"
    )
    told = set()
    for zone in ("Pacific/Kiritimati", "America/New_York"):
        done = python(code, environment=environment_of(ready_home) | {"TZ": zone})
        assert done.returncode == 0, done.stderr
        told.add(done.stdout)
    (only,) = told
    assert only.startswith("2025-03-07T23:59:59.999999+00:00 ")
    assert only.split()[2:] == ["ready", "ready"]


def test_the_command_line_tells_what_was_done_and_why_not(ready_home: Settings) -> None:
    done = command(ready_home, "prepare", "2025-02", "--as", PAT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: colocation 2025-01 has never been signed off. Close colocation 2025-01 first (setting sequential_close)\n"
    )
    assert command(ready_home, "prepare", "2025-01", "--as", PAT, "--comment", "all ties").returncode == 0
    done = command(ready_home, "approve", "2025-01", "--as", ANA)
    entry = Ledger(ready_home).entries()[-1]
    assert done.stdout == f"colocation 2025-01 signed off by ana: version 1, ledger 2:{entry.hash}\n"
    done = command(ready_home, "waive", "2025-02", "every_variance_is_explained", "--as", ANA, "--reason", "known")
    assert done.stderr == "error: every_variance_is_explained passes for colocation 2025-02. There is nothing to waive\n"
    done = command(ready_home, "restatement", "2025-02")
    assert done.stderr == "error: colocation 2025-02 was never signed off. There is nothing to compare with\n"
    done = command(ready_home, "restatement", "2025-01", "--from", "v3")
    assert done.stderr == "error: colocation 2025-01 has no signed version 3. Signed versions: 1\n"
    assert command(ready_home, "restatement", "2025-01", "--from", "three").returncode == 2
    done = command(ready_home, "status", "--format", "json")
    assert [(line["month"], line["status"], line["version"]) for line in json.loads(done.stdout)] == [
        ("2025-01", "signed_off", 1),
        ("2025-02", "ready", 0),
    ]
