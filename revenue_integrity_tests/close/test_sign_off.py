"""The rules of sign-off on facts made by hand: every state, every refusal, and what a waiver is worth.

On a real instance they are told in ``desk.test_close`` and ``scenarios.test_close_stories``.
"""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.close.ledger import GENESIS, Action, Entry
from revenue_integrity.close.sign_off import (
    CheckFact,
    MonthFacts,
    Status,
    new_batches,
    refuse_approve,
    refuse_prepare,
    refuse_reopen,
    refuse_waive,
    reopened_because,
    status_of,
)
from revenue_integrity.errors import Refusal, UsageError
from revenue_integrity.model.check import Gate, Limit, State
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import home_settings

FEBRUARY = date(2025, 2, 1)
CUTOFF = datetime(2025, 3, 7, 23, 59, 59, 999999, tzinfo=UTC)
TIES = CheckFact("totals_tie", "colocation", "recon_summary", Gate.SIGN_OFF, "passed", {"gross_cents": 0}, "")
BREAKS = CheckFact(
    "totals_tie", "colocation", "recon_summary", Gate.SIGN_OFF, "failed", {"gross_cents": 70_000}, "Have it corrected."
)
ADDS_UP = CheckFact("parts_add_up", "colocation", "site_month", Gate.PUBLISH, "passed", {}, "")

FACTS = MonthFacts(
    month=FEBRUARY,
    now=CUTOFF + timedelta(days=1),
    cutoff=CUTOFF,
    content_hash="c1",
    stale="",
    news="",
    running=False,
    is_published_as_computed=True,
    checks=(TIES, ADDS_UP),
    entries=(),
    month_before_was_signed=True,
    batches=({"id": "b1", "digest": "d1"},),
    settings_hash="s1",
    code_version="v1",
    explanation_updated=False,
    as_of="20250310T000000Z",
)
"""A month that is ready; tests change what they are about."""


@pytest.fixture
def people(tmp_path: Path) -> Settings:
    """Return settings in which pat prepares, ana approves, and ari does both."""
    return home_settings(tmp_path, preparers=("pat", "ari"), approvers=("ana", "ari"))


def entry(action: Action, actor: str, **changes: Any) -> Entry:
    """Return an entry about content c1."""
    own: dict[str, Any] = {
        "seq": 1,
        "month": "2025-02",
        "version": 1,
        "action": action.value,
        "actor": actor,
        "os_user": "u",
        "host": "h",
        "at": "2025-03-08T00:00:00.000000Z",
        "content_hash": "c1",
        "as_of": "20250310T000000Z",
        "batches": [{"id": "b1", "digest": "d1"}],
        "settings_hash": "s1",
        "code_version": "v1",
        "checks": [],
        "comment": "",
        "prev_hash": GENESIS,
        "hash": "0",
    }
    return Entry(**(own | changes))


PREPARED = entry(Action.PREPARE, "pat")
APPROVED = entry(Action.APPROVE, "ana")
REOPENED = entry(Action.REOPEN, "ana", comment="a second look")
WAIVED = entry(Action.WAIVE, "ari", checks=[BREAKS.plain])


def with_entries(*entries: Entry, **changes: Any) -> MonthFacts:
    """Return the facts of a month with these entries."""
    return replace(FACTS, entries=entries, **changes)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (replace(FACTS, content_hash=None), Status.OPEN),
        (replace(FACTS, now=CUTOFF), Status.OPEN),
        (replace(FACTS, now=CUTOFF + timedelta(microseconds=1)), Status.READY),
        (replace(FACTS, stale="raw.sites: batches changed"), Status.STALE),
        (replace(FACTS, running=True), Status.STALE),
        (replace(FACTS, news="1 batches landed"), Status.STALE),
        (replace(FACTS, checks=(BREAKS,)), Status.BLOCKED),
        (replace(FACTS, checks=(replace(TIES, state="outdated"),)), Status.BLOCKED),
        (replace(FACTS, checks=(replace(TIES, state="missing"),)), Status.BLOCKED),
        (replace(FACTS, checks=(replace(TIES, state="planned"),)), Status.BLOCKED),
        (replace(FACTS, checks=(replace(BREAKS, gate=Gate.WARN),)), Status.READY),
        (replace(FACTS, is_published_as_computed=False), Status.BLOCKED),
        (with_entries(PREPARED), Status.PREPARED),
        (with_entries(PREPARED, checks=(BREAKS,)), Status.BLOCKED),
        (with_entries(PREPARED, content_hash="c2"), Status.READY),
        (with_entries(PREPARED, APPROVED), Status.SIGNED_OFF),
        (with_entries(PREPARED, APPROVED, checks=(BREAKS,)), Status.SIGNED_OFF),
        (with_entries(PREPARED, APPROVED, is_frozen=False), Status.SIGNING),
        (with_entries(PREPARED, APPROVED, is_frozen=False, content_hash="c2"), Status.REOPENED),
        (with_entries(PREPARED, APPROVED, news="1 batches landed"), Status.SIGNED_OFF),
        (with_entries(PREPARED, APPROVED, stale="raw.sites: batches changed"), Status.STALE),
        (with_entries(PREPARED, APPROVED, explanation_updated=True), Status.SIGNED_OFF),
        (with_entries(PREPARED, APPROVED, content_hash="c2"), Status.REOPENED),
        (with_entries(PREPARED, APPROVED, REOPENED), Status.REOPENED),
        (with_entries(PREPARED, APPROVED, REOPENED, PREPARED), Status.PREPARED),
        (with_entries(PREPARED, APPROVED, REOPENED, PREPARED, APPROVED), Status.SIGNED_OFF),
        (with_entries(PREPARED, APPROVED, entry(Action.PREPARE, "pat", content_hash="c2"), content_hash="c2"), Status.PREPARED),
        (with_entries(WAIVED, checks=(BREAKS,)), Status.READY),
        (with_entries(WAIVED, checks=(BREAKS,), content_hash="c2"), Status.BLOCKED),
        (with_entries(WAIVED, checks=(replace(BREAKS, figures={"gross_cents": 70_001}),)), Status.BLOCKED),
        (with_entries(WAIVED, checks=(replace(BREAKS, state="outdated"),)), Status.BLOCKED),
        (with_entries(WAIVED, checks=(replace(BREAKS, name="others_tie"),)), Status.BLOCKED),
        (with_entries(WAIVED, checks=(replace(BREAKS, gate=Gate.PUBLISH),)), Status.BLOCKED),
    ],
)
def test_the_status_follows_from_the_facts(facts: MonthFacts, status: Status) -> None:
    assert status_of(facts) is status


@pytest.mark.parametrize(
    ("facts", "actor", "reason"),
    [
        (FACTS, "zoe", r"zoe is no preparer \(preparers: pat, ari\)"),
        (FACTS, "ana", "ana is no preparer"),
        (replace(FACTS, now=CUTOFF), "pat", "in time until its cutoff 2025-03-07T23:59:59.999999Z"),
        (replace(FACTS, content_hash=None), "pat", "never published. Run it: revenue-integrity run --months 2025-02"),
        (replace(FACTS, news="1 batches landed"), "pat", "stale: 1 batches landed"),
        (replace(FACTS, stale="raw.sites: batches changed"), "pat", "stale: raw.sites: batches changed. Run it"),
        (replace(FACTS, running=True), "pat", "a run of 2025-02 is queued or going on"),
        (
            replace(FACTS, checks=(BREAKS,)),
            "pat",
            r"blocked by one check:\n  - Totals tie \(totals_tie, sign_off\): gross \$700.00\. Have it corrected",
        ),
        (
            replace(FACTS, checks=(replace(TIES, state="missing"),)),
            "pat",
            r"Totals tie \(totals_tie, sign_off\): it has not been judged yet. Run the .*\n      revenue-integrity run --m",
        ),
        (
            replace(FACTS, checks=(replace(ADDS_UP, state="failed"),)),
            "pat",
            r"Parts add up \(parts_add_up, publish\): it failed. Correct the source and run the month again.",
        ),
        (replace(FACTS, is_published_as_computed=False), "pat", "what is published of 2025-02 is not what was computed"),
        (replace(FACTS, month_before_was_signed=False), "pat", "2025-01 has never been signed off. Close 2025-01 first"),
        (with_entries(PREPARED, APPROVED), "pat", "2025-02 is signed off as it stands"),
        (with_entries(WAIVED, checks=(BREAKS,)), "ari", "ari waived a check of this content"),
    ],
)
def test_a_preparation_is_refused_with_its_reason(facts: MonthFacts, actor: str, reason: str, people: Settings) -> None:
    with pytest.raises(Refusal, match=reason):
        refuse_prepare(facts, actor, people)


def test_a_preparation_is_allowed(people: Settings) -> None:
    refuse_prepare(FACTS, "pat", people)
    refuse_prepare(replace(FACTS, month_before_was_signed=None), "pat", people)
    apart = people.model_copy(update={"sequential_close": False})
    refuse_prepare(replace(FACTS, month_before_was_signed=False), "pat", apart)
    # A waiver of another content is over, and so is what its author must not do.
    refuse_prepare(with_entries(WAIVED, content_hash="c2"), "ari", people)
    refuse_prepare(with_entries(WAIVED, checks=(BREAKS,)), "pat", people)
    refuse_prepare(with_entries(PREPARED, APPROVED, REOPENED), "pat", people)


@pytest.mark.parametrize(
    ("facts", "actor", "reason"),
    [
        (with_entries(PREPARED), "pat", "pat is no approver"),
        (FACTS, "ana", "2025-02 is not prepared. Prepare it: revenue-integrity prepare 2025-02"),
        (with_entries(PREPARED, APPROVED), "ana", "2025-02 is not prepared"),
        (with_entries(PREPARED, APPROVED, REOPENED), "ana", "2025-02 is not prepared"),
        (with_entries(entry(Action.PREPARE, "ari")), "ari", "ari prepared 2025-02"),
        (with_entries(PREPARED, content_hash="c2"), "ana", "2025-02 has changed since pat prepared it"),
        (with_entries(PREPARED, news="1 batches landed"), "ana", "stale: 1 batches landed"),
        (
            with_entries(PREPARED, checks=(replace(TIES, state="outdated"),)),
            "ana",
            r"Totals tie \(totals_tie, sign_off\): it was judged on other data, settings or rules than stand now",
        ),
    ],
)
def test_an_approval_is_refused_with_its_reason(facts: MonthFacts, actor: str, reason: str, people: Settings) -> None:
    with pytest.raises(Refusal, match=reason):
        refuse_approve(facts, actor, people)


def test_the_latest_preparer_is_the_one_who_must_not_approve(people: Settings) -> None:
    twice = with_entries(entry(Action.PREPARE, "ari"), entry(Action.PREPARE, "pat"))
    refuse_approve(twice, "ari", people)
    refuse_approve(twice, "ana", people)


@pytest.mark.parametrize(
    ("check", "state", "reason"),
    [
        ("totals_tie", "passed", "totals_tie passes for 2025-02. There is nothing to waive"),
        ("totals_tie", "outdated", "totals_tie is outdated for 2025-02. Run the month with its checks"),
        ("totals_tie", "missing", "totals_tie is missing"),
        ("parts_add_up", "failed", "closes the gate publish, which nobody can waive"),
        ("weather", "failed", "there is no check 'weather'. Checks that can be waived: totals_tie"),
    ],
)
def test_a_waiver_is_refused_with_its_reason(check: str, state: str, reason: str, people: Settings) -> None:
    facts = replace(FACTS, checks=(replace(TIES, state=state), replace(ADDS_UP, state=state)))
    with pytest.raises(Refusal, match=reason):
        refuse_waive(facts, check, "ana", "known", people)


def test_a_waiver_returns_the_failing_check_and_needs_an_approver_and_a_reason(people: Settings) -> None:
    facts = replace(FACTS, checks=(BREAKS,))
    assert refuse_waive(facts, "totals_tie", "ana", "known", people) is BREAKS
    with pytest.raises(Refusal, match="pat is no approver"):
        refuse_waive(facts, "totals_tie", "pat", "known", people)
    with pytest.raises(Refusal, match="a waiver needs a reason"):
        refuse_waive(facts, "totals_tie", "ana", "  ", people)
    with pytest.raises(Refusal, match="ari prepared 2025-02"):
        refuse_waive(replace(facts, entries=(entry(Action.PREPARE, "ari"),)), "totals_tie", "ari", "known", people)
    with pytest.raises(Refusal, match="stale"):
        refuse_waive(replace(facts, stale="raw.sites: batches changed"), "totals_tie", "ana", "known", people)


def test_reopening_needs_a_signed_month_a_reason_and_an_approver(people: Settings) -> None:
    signed = with_entries(PREPARED, APPROVED)
    refuse_reopen(signed, "ana", "a second look", people)
    for facts, actor, why, reason in [
        (signed, "pat", "a second look", "pat is no approver"),
        (signed, "ana", "", "reopening needs a reason"),
        (FACTS, "ana", "a second look", "was never signed off"),
        (with_entries(PREPARED, APPROVED, REOPENED), "ana", "again", "reopened already, by ana"),
    ]:
        with pytest.raises(Refusal, match=reason):
            refuse_reopen(facts, actor, why, people)


def test_what_reopened_a_month_is_named() -> None:
    changed = with_entries(PREPARED, APPROVED, content_hash="c2")
    assert reopened_because(FACTS) == ""
    assert reopened_because(with_entries(PREPARED, APPROVED, REOPENED)) == "reopened by ana: a second look"
    assert reopened_because(replace(changed, code_version="v2")) == "code"
    assert reopened_because(replace(changed, settings_hash="s2", code_version="v2")) == "settings"
    late = replace(changed, batches=({"id": "b1", "digest": "d1"}, {"id": "b2", "digest": "d2"}), settings_hash="s2")
    assert reopened_because(late) == "data"
    assert new_batches(late) == ["b2"]
    assert new_batches(FACTS) == ["b1"]


def test_versions_count_approvals() -> None:
    assert FACTS.next_version == 1
    assert with_entries(WAIVED, PREPARED).next_version == 1
    assert with_entries(PREPARED, APPROVED, REOPENED, PREPARED).next_version == 2


OTHER = replace(BREAKS, stream="cloud")
"""The failing check of the same name, table and figures of another stream."""


def test_a_check_is_one_by_stream_table_and_name() -> None:
    for mine, other in [(BREAKS, OTHER), (OTHER, BREAKS)]:
        facts = with_entries(entry(Action.WAIVE, "ari", checks=[mine.plain]), checks=(BREAKS, OTHER))
        assert facts.in_the_way == [other], "a waiver lets the check through that it names, and no other"
        assert facts.waivers_of(mine) == facts.waivers
        assert status_of(facts) is Status.BLOCKED
    both = [entry(Action.WAIVE, "ari", checks=[each.plain]) for each in (OTHER, BREAKS)]
    assert status_of(with_entries(*both, checks=(BREAKS, OTHER))) is Status.READY
    elsewhere = replace(BREAKS, table="site_month")
    assert with_entries(WAIVED, checks=(BREAKS, elsewhere)).in_the_way == [elsewhere]


def test_a_name_that_two_checks_have_is_refused_with_what_would_name_one(people: Settings) -> None:
    facts = replace(FACTS, checks=(BREAKS, OTHER, ADDS_UP))
    with pytest.raises(
        UsageError, match=r"2 checks 'totals_tie'\. Name one: cloud/recon_summary/totals_tie, colocation/recon_sum"
    ):
        refuse_waive(facts, "totals_tie", "ana", "known", people)
    assert refuse_waive(facts, "cloud/recon_summary/totals_tie", "ana", "known", people) is OTHER
    assert refuse_waive(facts, "colocation/recon_summary/totals_tie", "ana", "known", people) is BREAKS
    with pytest.raises(Refusal, match="Checks that can be waived: cloud/recon_summary/totals_tie, colocation/recon_summary/tot"):
        refuse_waive(facts, "cloud/totals_tie", "ana", "known", people)
    with pytest.raises(
        Refusal, match=r"blocked by 2 checks:\n  - Totals tie \(colocation/recon_summary/totals_tie, sign_off\): gross"
    ):
        refuse_prepare(facts, "pat", people)
    # Where one check has the name, it is enough.
    with pytest.raises(Refusal, match=r"- Totals tie \(totals_tie, sign_off\)"):
        refuse_prepare(replace(FACTS, checks=(BREAKS, ADDS_UP)), "pat", people)


def test_a_waiver_that_names_no_stream_counts_where_it_can_only_mean_one_check() -> None:
    unnamed = entry(Action.WAIVE, "ari", checks=[{name: value for name, value in BREAKS.plain.items() if name != "stream"}])
    assert with_entries(unnamed, checks=(BREAKS,)).in_the_way == []
    shared = frozenset({("recon_summary", "totals_tie")})
    assert with_entries(unnamed, checks=(BREAKS,), of_several=shared).in_the_way == [BREAKS]
    assert with_entries(WAIVED, checks=(BREAKS,), of_several=shared).in_the_way == []


LIMITED = replace(BREAKS, title="ERP vs mart", limits=(Limit("gross_cents", "materiality_cents"),), command="recon 2025-02")
STATES: tuple[State, ...] = ("failed", "missing", "planned", "outdated")


def sentences(text: str) -> list[str]:
    """Return the sentences of a message without its bullets and commands."""
    lines = [line.strip().removeprefix("- ") for line in text.splitlines() if not line.strip().startswith("revenue-integrity ")]
    return [each for line in lines for each in re.split(r"(?<=[.!?]) (?=[A-Z])", line)]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("gate", [gate for gate in Gate if gate is not Gate.WARN])
@pytest.mark.parametrize(
    ("figures", "limits", "told"),
    [
        ({}, (), "it failed"),
        ({"gross_cents": 70_000}, (), "gross $700.00"),
        (
            {"gross_cents": 70_000, "materiality_cents": 500},
            (Limit("gross_cents", "materiality_cents"),),
            "gross $700.00 (at most $5.00)",
        ),
        ({"cents_here": 7, "erp_cents": 12}, (Limit("cents_here", "erp_cents", "exactly"),), "here $0.07 (exactly $0.12)"),
        ({"rejected_batches": 2, "rows": 0}, (Limit("rejected_batches"), Limit("rows")), "rejected batches 2 (at most 0)"),
        ({"cost_in_question": "12.751541482132000000"}, (), "cost in question $12.75"),
        ({"cost": "12.751541482132000000"}, (Limit("cost"),), "cost $12.75 (at most $0.00)"),
        ({"late_share": "0.250000", "late": True}, (), "late share 25.0 %, late"),
    ],
)  # fmt: skip
def test_each_check_in_the_way_is_a_bullet_with_title_figure_limit_and_what_to_do(
    people: Settings, state: State, gate: Gate, figures: dict[str, Any], limits: tuple[Limit, ...], told: str
) -> None:
    check = replace(LIMITED, state=state, gate=gate, figures=figures, limits=limits)
    other = replace(ADDS_UP, state="failed", figures={"rows_apart": 3}, next_step="Report it")
    for count, checks in enumerate([(check,), (check, other)], start=1):
        with pytest.raises(Refusal) as refused:
            refuse_prepare(replace(FACTS, checks=checks), "pat", people)
        text = str(refused.value)
        assert len(refused.value.details) == text.count("\n  - ") == count
        assert text.startswith(
            f"2025-02 is blocked by {'one check' if count == 1 else '2 checks'}:\n  - ERP vs mart (totals_tie, {gate.value}): "
        )
        assert (told in text) == (state == "failed")
        assert ("revenue-integrity recon 2025-02\n" in text) == (state == "failed")
        assert ("revenue-integrity waive 2025-02 totals_tie --as ana" in text) == (state == "failed" and gate is Gate.SIGN_OFF)
        # Every sentence begins with a capital, ends well, and nothing stands doubled or empty in it.
        assert all(each[0].isupper() or each.startswith("2025-02") for each in sentences(text)), text
        assert not re.search(r"\.\.|\S  +|\(\)|:[ .]*\.|None|[a-z]_cents|\d\.\d{3,}", text), text


def test_a_role_is_spoken_of_as_people_speak(people: Settings) -> None:
    with pytest.raises(Refusal, match="Let a preparer do it, or set preparers"):
        refuse_prepare(FACTS, "zoe", people)
    with pytest.raises(Refusal, match="Let an approver do it, or set approvers"):
        refuse_approve(FACTS, "zoe", people)


def test_a_check_that_is_none_is_answered_with_a_near_one(people: Settings) -> None:
    with pytest.raises(
        Refusal, match=r"there is no check 'total_ties'\. Did you mean totals_tie\? Checks that can be waived: totals_tie"
    ):
        refuse_waive(replace(FACTS, checks=(BREAKS,)), "total_ties", "ana", "known", people)


def test_what_nothing_was_ever_delivered_for_is_not_signed() -> None:
    empty = replace(FACTS, as_of="", batches=())
    with pytest.raises(Refusal, match="nothing was ever delivered for 2025-02"):
        refuse_prepare(empty, "pat", home_settings(Path("/nowhere"), preparers=("pat",)))
