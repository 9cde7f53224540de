"""The close as people live it, on a real instance and real files: what happens, what is refused and why, and how it ends.

The home is that of ``scenarios.story``: two months, all ties. Amounts are worked out by hand from what its docstring says.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from revenue_integrity import clock
from revenue_integrity.close.ledger import Ledger
from revenue_integrity.errors import Refusal
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.jobs import SIGN_OFF_JOB
from revenue_integrity.settings import Settings
from revenue_integrity_tests import deeds
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.scenarios.story import ANA, ARI, FEBRUARY, JANUARY, NOW, PAT, approve, prepare, run, statuses
from revenue_integrity_tests.support import home_of

# No story looks into a pack; who does are ``desk.test_packs`` and ``desk.test_freezing``.
pytestmark = pytest.mark.usefixtures("manifest_alone")

TOMORROW = datetime(2025, 3, 12, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Tell every story in its own present."""
    with clock.held_at(NOW):
        yield


def refusal(*arguments: Any) -> str:
    """Return why ``prepare`` or ``approve`` (the first argument) is refused."""
    deed, *rest = arguments
    with pytest.raises(Refusal) as caught:
        deed(*rest)
    return str(caught.value)


def credit(amount: str, **changes: str) -> dict[str, str]:
    """Return a credit on February's rack charge of contract A, posted a day after the cutoff of February (2025-03-07)."""
    own = {
        "document_id": "CM-1",
        "document_type": "credit_memo",
        "corrects_document_id": "D-A-rack-2025-02",
        "posted_at": "2025-03-08T10:00:00Z",
    }
    return story.invoice(FEBRUARY, "A", "rack", "-1", amount.removeprefix("-"), amount, **(own | changes))


def launch_sign_off(settings: Settings, *, month: str, **config: object) -> dg.ExecuteInProcessResult:
    """Launch the job ``sign_off`` of a month alone, as the UI does."""
    config = {"book": "colocation"} | config
    job = build_definitions(home_of(settings)).resolve_job_def(SIGN_OFF_JOB)
    with open_instance(settings) as instance:
        given = {"ops": {"decide": {"config": config}}}
        return job.execute_in_process(instance=instance, run_config=given, partition_key=month, raise_on_error=False)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Return what a failed run tells."""
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.user_failure_data is not None
    return str(event.step_failure_data.user_failure_data.description)


def test_a_late_posting_after_the_sign_off_is_carried_through_to_a_restated_version(signed_home: Settings) -> None:
    signed_february = story.row_of(signed_home, FEBRUARY)["signed_hash"]
    before = story.hashes(signed_home)
    batch = story.put(signed_home, "erp_invoices", "20250311T000000Z", [credit("-50.00")])

    # The news alone change no status of a signed month, and stop everybody from signing on old figures.
    assert statuses(signed_home) == ["signed_off", "signed_off"]
    assert run(signed_home).failures == []
    assert statuses(signed_home) == ["signed_off", "reopened"]
    row = story.row_of(signed_home, FEBRUARY)
    assert (row["reopened_because"], row["version"], row["signed_hash"]) == ("data", 1, signed_february)
    assert row["content_hash"] != signed_february
    assert json.loads(row["blocking"]) == [], "a late posting within materiality blocks nothing"
    after = story.hashes(signed_home)
    assert {name for name in before if before[name] != after[name] and name.endswith("@2025-01")} == set()

    prepare(signed_home, FEBRUARY)
    assert statuses(signed_home) == ["signed_off", "prepared"]
    entry = approve(signed_home, FEBRUARY)
    assert entry.version == 2
    assert statuses(signed_home) == ["signed_off", "signed_off"]

    # 358,000 cents were due and billed; a late credit of 5,000 makes the current view 353,000 and leaves as-of-close alone.
    changed = story.restated(signed_home, FEBRUARY, 1, 2)
    assert set(changed["cause"]) == {"data"}
    assert set(changed["batches"]) == {json.dumps([batch])}
    assert {
        (row["dataset"], json.loads(row["key"]).get("view", ""), row["measure"], row["old"], row["new"], row["delta"])
        for row in changed.to_dict("records")
    } == {
        ("close_bridge", "", "late_cents", 0, -5000, -5000),
        ("close_bridge", "", "current_cents", 358_000, 353_000, -5000),
        ("recon_results", "current", "left_cents", 60_000, 55_000, -5000),
        ("recon_results", "current", "variance_cents", 0, -5000, -5000),
    }
    assert story.restated(signed_home, FEBRUARY).empty, "nothing has changed since version 2"
    assert deeds.verify(signed_home) == []

    # Only words and limits change now: 50.00 of 600.00 is within a tolerance of 10 %, and no signed cent moves.
    lenient = story.story_settings(signed_home.home, tolerance_share="0.1")
    assert run(lenient).failures == []
    assert statuses(lenient) == ["signed_off", "signed_off"]
    assert story.row_of(lenient, FEBRUARY)["explanation_updated"]
    assert not story.row_of(lenient, JANUARY)["explanation_updated"]


def test_a_failed_check_refuses_the_sign_off_until_its_source_is_corrected_or_an_approver_waives_it(ready_home: Settings) -> None:
    story.sign(ready_home, JANUARY)
    # Somebody bills 150.00 for power that nobody ordered: above the materiality of 100.00.
    story.put(
        ready_home,
        "erp_invoices",
        "20250311T000000Z",
        [story.invoice(FEBRUARY, "A", "other", "1", "150", "150.00", document_id="X-1")],
    )
    assert run(ready_home).failures == []
    assert statuses(ready_home) == ["signed_off", "blocked"]
    reason = refusal(prepare, ready_home, FEBRUARY)
    assert "2025-02 is blocked by one check:\n  - ERP vs mart is within materiality (erp_vs_mart_is_within_mat" in reason
    assert "Have the largest causes corrected in the ERP" in reason

    # Launched alone, tomorrow, over yesterday's failed check: refused all the same, through the same code.
    with clock.held_at(TOMORROW):
        result = launch_sign_off(ready_home, month="2025-02", action="prepare", actor=PAT)
        assert not result.success
        assert "erp_vs_mart_is_within_materiality" in failure_of(result)

    check = "erp_vs_mart_is_within_materiality"
    (blocking,) = json.loads(story.row_of(ready_home, FEBRUARY)["blocking"])
    assert (blocking["check"], blocking["figures"]["gross_cents"], blocking["state"]) == (check, 15_000, "failed")
    with pytest.raises(Refusal, match="pat is no approver"):
        deeds.waive(ready_home, FEBRUARY, check, PAT, "known")
    with pytest.raises(Refusal, match="a waiver needs a reason"):
        deeds.waive(ready_home, FEBRUARY, check, ARI, " ")
    with pytest.raises(Refusal, match="every_variance_is_explained passes"):
        deeds.waive(ready_home, FEBRUARY, "every_variance_is_explained", ARI, "known")
    with pytest.raises(Refusal, match="closes the gate publish, which nobody can waive"):
        deeds.waive(ready_home, FEBRUARY, "causes_add_up", ARI, "known")
    with pytest.raises(Refusal, match="there is no check 'weather'"):
        deeds.waive(ready_home, FEBRUARY, "weather", ARI, "known")
    waiver = deeds.waive(ready_home, FEBRUARY, check, ARI, "a test order, credited in March")
    assert (waiver.waived["name"], waiver.checks[0]["figures"]["gross_cents"]) == (check, 15_000)
    assert statuses(ready_home) == ["signed_off", "ready"]
    assert json.loads(story.row_of(ready_home, FEBRUARY)["waivers"])[0]["reason"] == "a test order, credited in March"
    assert "ari waived a check of this content" in refusal(prepare, ready_home, FEBRUARY, ARI)
    prepare(ready_home, FEBRUARY)
    assert statuses(ready_home) == ["signed_off", "prepared"]

    # The ERP takes the line back: what was prepared and waived is not what stands there, and the month is ready by itself.
    story.put(
        ready_home,
        "erp_invoices",
        "20250311T010000Z",
        [story.invoice(FEBRUARY, "A", "other", "-1", "150", "-150.00", document_id="X-2", corrects_document_id="X-1")],
    )
    assert "landed and is not read yet. Run the months that they touch: revenue-integrity run" in refusal(
        approve, ready_home, FEBRUARY
    )
    assert run(ready_home).failures == []
    assert statuses(ready_home) == ["signed_off", "ready"]
    assert json.loads(story.row_of(ready_home, FEBRUARY)["waivers"]) == []
    assert "2025-02 has changed since pat prepared it" in refusal(approve, ready_home, FEBRUARY)
    with clock.held_at(TOMORROW):
        assert launch_sign_off(ready_home, month="2025-02", action="prepare", actor=PAT, comment="from the UI").success
        assert "pat is no approver" in failure_of(launch_sign_off(ready_home, month="2025-02", action="approve", actor=PAT))
        assert launch_sign_off(ready_home, book="colocation", month="2025-02", action="approve", actor=ANA).success
    assert statuses(ready_home) == ["signed_off", "signed_off"]
    assert [(entry.action, entry.actor) for entry in Ledger(ready_home).recorded(FEBRUARY)] == [
        ("waive", ARI),
        ("prepare", PAT),
        ("prepare", PAT),
        ("approve", ANA),
    ]


def test_a_materialization_reported_by_hand_says_nothing_of_a_month(signed_home: Settings) -> None:
    deeds.reopen(signed_home, FEBRUARY, ANA, "a second look")
    # Assets and their checks are one step, so nobody can leave them out; a materialization can be reported by hand, though. What
    # stands is what our runs wrote, and a decision judges that anew.
    key = dg.AssetKey(["colocation", "recon", "recon_summary"])
    with open_instance(signed_home) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="2025-02"))
    prepare(signed_home, FEBRUARY)
    assert statuses(signed_home) == ["signed_off", "prepared"]


def test_rejected_batches_and_short_extracts_are_refused_until_they_are_superseded(ready_home: Settings) -> None:
    # The ERP also delivers control totals: at first without a required column, on the 5th of February.
    broken = story.put(ready_home, "erp_control_totals", "20250205T000000Z", [{"service_month": "2025-01", "lines": "5"}])
    assert run(ready_home).failures == []
    assert statuses(ready_home) == ["blocked", "blocked"], "its arrival lies before both cutoffs"
    reason = refusal(prepare, ready_home, JANUARY)
    assert (
        "2025-01 is blocked by one check:\n  - No batch is rejected (no_batch_is_rejected, sign_off): rejected batches 1"
        in reason
    )

    # 600 + 1,500 + 400 + 800 + 31 x 10 = 3,610.00 in five lines. Taken on the 20th, it covers January's cutoff (2025-02-07).
    totals = {"service_month": "2025-01", "extracted_at": "2025-02-20T00:00:00Z", "lines": "5", "amount": "3610.00"}
    story.put(ready_home, "erp_control_totals", "20250220T000000Z", [totals])
    assert run(ready_home).failures == []
    assert statuses(ready_home) == ["ready", "blocked"]
    # A source that delivers control totals owes them for February too: neither its lines nor its cutoff are confirmed.
    blocking = {each["check"] for each in json.loads(story.row_of(ready_home, FEBRUARY)["blocking"])}
    assert blocking == {"erp_extract_covers_cutoff", "erp_control_totals_tie"}
    story.sign(ready_home, JANUARY)
    reason = refusal(prepare, ready_home, FEBRUARY)
    assert "2025-02 is blocked by 2 checks:\n  - ERP control totals tie (erp_control_totals_tie, sign_off): " in reason
    assert "(erp_extract_covers_cutoff, sign_off): sources short of cutoff 1 (at most 0). Land an extract of" in reason
    wanted = "erp_control_totals with rows of 2025-02, taken at or after the cutoff 2025-03-07T23:59:59Z (with --covers 2025-02"
    assert wanted in reason
    assert broken.startswith("colocation/erp_control_totals")


def test_settings_alone_reopen_a_month_with_that_reason(signed_home: Settings) -> None:
    # All charges by metered kWh instead of reserved kW: what is stranded gets a new owner.
    other = story.story_settings(signed_home.home, allocation_method="metered_share")
    assert statuses(other) == ["stale", "stale"]
    assert "power_allocation: settings changed" in refusal(prepare, other, FEBRUARY)
    assert run(other).failures == []
    assert statuses(other) == ["reopened", "reopened"]
    assert story.row_of(other, FEBRUARY)["reopened_because"] == "settings"
    changed = story.restated(other, FEBRUARY)
    assert set(changed["cause"]) == {"settings"}
    assert set(changed["batches"]) == {"[]"}
    # 180.00 of demand, fixed and tax are split by kWh, half each, with equal kWh: before, 85 of 100 kW were stranded.
    cents = changed[changed["dataset"] == "power_allocation"]
    assert cents["delta"].sum() == 0
    stranded = cents[cents["key"].str.contains("STRANDED")]
    assert stranded["delta"].sum() == -15_300
    # Nothing else has changed, so going back brings back what was signed.
    assert run(signed_home).failures == []
    assert statuses(signed_home) == ["signed_off", "signed_off"]
