"""What a terminal shows: within its width, what matters first, figures as people read them, commands whole."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from revenue_integrity.cli import reading, screens
from revenue_integrity.close.sign_off import CheckFact, MonthFacts, Status, status_of
from revenue_integrity.desk import status as status_of_months
from revenue_integrity.desk.close_status import CloseRow
from revenue_integrity.desk.verifying import Finding
from revenue_integrity.model.check import Gate, Limit
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving.breaches import for_programs, largest_first
from revenue_integrity_tests.close.test_sign_off import APPROVED, CUTOFF, FACTS, PREPARED, with_entries
from revenue_integrity_tests.toy_home import toy_deployment

WINDOWS = (80, 120)

TIES = CheckFact(
    "rentals_tie", "toy", "toy_recon_summary", Gate.SIGN_OFF, "failed", {"gross_cents": 70_000, "materiality_cents": 500},
    "Have it corrected.", "rentals tie to the books", (Limit("gross_cents", "materiality_cents"),),
    "recon 2025-02 --recon rentals",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Deployment:
    """Return a home with the toy stream; pat prepares, ann approves."""
    return toy_deployment(tmp_path)


def folded(lines: list[str], window: int) -> list[str]:
    """Demand that every line fits but commands, which are never cut; return the lines."""
    assert [line for line in lines if len(line) > window and "revenue-integrity" not in line] == []
    return lines


def shown_status(home: Deployment, facts: MonthFacts, status: Status, window: int, *, detailed: bool = False) -> list[str]:
    row = CloseRow(replace(facts, book="toy"), status, ("toy",))
    frame = status_of_months.frame_of(home, [row], [facts.month])
    return folded(list(screens.status(home, [row], frame, window, detailed=detailed)), window)


MONTHS: tuple[tuple[MonthFacts, Status, str, str], ...] = (
        (replace(FACTS, content_hash=None), Status.OPEN, "not computed", "run --months 2025-02"),
        (
            replace(FACTS, content_hash=None, checks=(replace(TIES, gate=Gate.PUBLISH),)),
            Status.OPEN,
            "computed, not published: rentals_tie",
            "recon 2025-02 --recon rentals",
        ),
        (replace(FACTS, now=CUTOFF - timedelta(days=9)), Status.OPEN, "cutoff 2025-03-07", ""),
        (replace(FACTS, begins=date(2025, 3, 1)), Status.OPEN, "before the first month of its book", ""),
        (replace(FACTS, stale="raw.rentals: changed"), Status.STALE, "raw.rentals: changed", "run --months 2025-02"),
        (replace(FACTS, news="b1 landed and is not read yet"), Status.STALE, "b1 landed and is not read yet", "run"),
        (replace(FACTS, running=True), Status.STALE, "a run is going on", ""),
        (replace(FACTS, checks=(TIES,)), Status.BLOCKED, "Rentals tie to the books: failed", "recon 2025-02 --recon rentals"),
        (
            replace(FACTS, checks=(replace(TIES, state="missing"),)),
            Status.BLOCKED,
            "Rentals tie to the books: missing",
            "run --months 2025-02",
        ),
        (replace(FACTS, is_published_as_computed=False), Status.BLOCKED, "", "run --months 2025-02"),
        (FACTS, Status.READY, "", "prepare 2025-02 --book toy --as pat"),
        (with_entries(PREPARED), Status.PREPARED, "", "approve 2025-02 --book toy --as ann"),
        (with_entries(PREPARED, APPROVED, is_frozen=False), Status.SIGNING, "", "run"),
        (with_entries(PREPARED, APPROVED), Status.SIGNED_OFF, "", ""),
        (with_entries(PREPARED, APPROVED, content_hash="c2"), Status.REOPENED, "code", "restatement 2025-02 --book toy"),
)  # fmt: skip
"""Facts of a month, its state, what is told of it and what to type."""


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("facts", "status", "told", "command"), MONTHS)
def test_status_says_what_is_in_the_way_and_what_to_type(
    home: Deployment, facts: MonthFacts, status: Status, told: str, command: str, window: int
) -> None:
    lines = shown_status(home, facts, status, window)
    assert lines[1].split()[:3] == ["month", "book", "status"]
    assert lines[2].startswith(f"2025-02  toy   {str(status).replace('_', ' ')}")
    assert told in " ".join(" ".join(lines).split())
    assert [line.strip() for line in lines[3:] if "revenue-integrity" in line] == (
        [f"revenue-integrity {command}"] if command else []
    )


def test_no_state_of_a_month_is_left_without_words_for_it() -> None:
    tried = {status for _, status, _, _ in MONTHS}
    assert tried == set(Status)


def test_nobody_who_is_known_to_decide_stands_as_a_name_to_fill_in(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path, preparers=(), approvers=("pat",))
    assert shown_status(home, FACTS, Status.READY, 80)[-1].endswith("prepare 2025-02 --book toy --as NAME")
    assert shown_status(home, with_entries(PREPARED), Status.PREPARED, 80)[-1].endswith("approve 2025-02 --book toy --as NAME")


def test_a_command_for_several_lines_stands_once(home: Deployment) -> None:
    rows = [
        CloseRow(replace(FACTS, book="toy", month=month, news="b1 landed and is not read yet"), Status.STALE, ("toy",))
        for month in (date(2025, 1, 1), date(2025, 2, 1))
    ]
    frame = status_of_months.frame_of(home, rows, [row.facts.month for row in rows])
    lines = list(screens.status(home, rows, frame, 80, detailed=False))
    assert [line.strip() for line in lines if "revenue-integrity" in line] == ["revenue-integrity run"]
    assert lines[-1].strip() == "revenue-integrity run"


@pytest.mark.parametrize("window", WINDOWS)
def test_one_month_asked_for_shows_each_check_in_the_way(home: Deployment, window: int) -> None:
    lines = shown_status(home, replace(FACTS, checks=(TIES,)), Status.BLOCKED, window, detailed=True)
    said = " ".join(" ".join(lines).split())
    assert "- Rentals tie to the books (rentals_tie, sign_off): gross $700.00 (at most $5.00). Have it corrected." in said


def breach(boat: str, cents: int, proof: Any, **changes: Any) -> dict[str, Any]:
    """Return a row of a breach with its cause."""
    return {
        "month": pd.Timestamp("2025-02-01"), "recon": "rentals", "view": "current", "row_key": json.dumps([boat]),
        "boat_id": boat,
        "unit": "cents", "left_cents": cents, "right_cents": 0, "variance_cents": cents, "left_value": None, "right_value": None,
        "variance_value": None, "variance_pct": Decimal("0.014685"), "status": "breach", "cause_no": 1, "family": "missing",
        "cause": "uncontracted", "cause_cents": cents, "link_id": None, "explanation": "Nobody \u202eowes this.",
        "evidence": json.dumps(proof),
    } | changes  # fmt: skip


BREACHES = pd.DataFrame(
    [
        breach("B-1", -34_583_543, {"lines": [{"amount_cents": -34_583_543, "document_id": "D-1", "late": True}]}),
        breach("B-2", 150, {"bill": "final"}),
        breach("B-2", 150, {}, cause_no=2, cause="rounding", cause_cents=1),
        breach("B-3", 0, {}, unit="usd", left_cents=None, right_cents=None, variance_cents=None, left_value=Decimal("9.5"),
               right_value=Decimal(0), variance_value=Decimal("9.5"), cause=None, cause_cents=None, family=None, evidence=None),
    ]
)  # fmt: skip


@pytest.mark.parametrize("window", WINDOWS)
def test_a_breach_is_a_card_and_the_largest_comes_first(home: Deployment, window: int) -> None:
    lines = folded(list(screens.breaches(home, "2025-02", largest_first(BREACHES), window, asked="recon 2025-02")), window)
    assert lines[0] == "2025-02: 3 rows in breach. Amounts in USD; left less right"
    heads = [line for line in lines if line.startswith("rentals: ")]
    assert [(line.split()[1], line.split("variance ")[1]) for line in heads] == [
        ("B-1", "(345,835.43)"),
        ("B-3", "9.50"),
        ("B-2", "1.50"),
    ]
    assert all(len(line) == window for line in heads)
    said = "\n".join(lines)
    assert "  (345,835.43) uncontracted (missing)\n" in said
    assert "      lines: document id D-1, amount ($345,835.43), late\n" in said
    assert "Nobody <U+202E>owes this." in said
    assert "  0.01 rounding (missing)" in said


def test_programs_get_breaches_as_they_were_and_cents_whole() -> None:
    held = for_programs(BREACHES)
    assert {"row_key", "cause_no"}.isdisjoint(held.columns)
    assert held["recon"].tolist() == BREACHES["recon"].tolist()


def test_of_many_breaches_the_smaller_ones_are_counted(home: Deployment) -> None:
    rows = pd.DataFrame([breach(f"B-{number}", number, {}) for number in range(1, 31)])
    lines = list(screens.breaches(home, "2025-02", largest_first(rows), 80, asked="revenue-integrity recon 2025-02"))
    assert lines[-1] == "... and 10 smaller ones. All of them: revenue-integrity recon 2025-02 --format csv"
    assert sum(line.startswith("rentals: ") for line in lines) == 20


def refused() -> Iterator[dict[str, Any]]:
    """Yield 40 rows with their own values in one reason, two with another one beside it, and a rejected batch."""
    common = {"stream": "toy", "source": "rentals", "batch_id": "toy/rentals/20250210T000000Z", "file_name": "r.csv", "raw": "{}"}
    month = pd.Timestamp("2025-02-01")
    for number in range(40):
        more = "; currency is XTS, not USD" if number < 2 else ""
        yield common | {"row_number": number + 1, "month": month, "dq_errors": f"due '{number}x' is not an amount{more}"}
    yield common | {"row_number": None, "month": None, "dq_errors": "r.csv lacks the column due"}


@pytest.mark.parametrize("window", WINDOWS)
def test_refused_rows_are_counted_by_reason_with_how_to_see_all(window: int) -> None:
    rows = pd.DataFrame(refused()).astype({"row_number": "Int64"})
    lines = folded(list(screens.quarantine(rows, window, asked="revenue-integrity quarantine --month 2025-02")), window)
    said = " ".join(" ".join(lines).split())
    assert said.startswith(
        "toy/rentals/20250210T000000Z was rejected: r.csv lacks the column due 40 rows were refused; by source"
    )
    assert (
        "40 toy rentals: due '0x' is not an amount: toy/rentals/20250210T000000Z r.csv row 1 2 toy rentals: currency is XTS"
        in said
    )
    assert lines[-1] == "Every row as it was sent: revenue-integrity quarantine --month 2025-02 --format csv"
    assert list(screens.quarantine(rows.head(0), window, asked="x")) == ["Nothing was refused"]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_restatement_begins_with_what_each_total_moved_by(window: int) -> None:
    def change(boat: str, old: int, new: int) -> dict[str, Any]:
        return {
            "book": "toy", "month": pd.Timestamp("2025-02-01"), "from_version": 1, "dataset": "toy_recon_results",
            "key": json.dumps({"recon": "rentals", "row_key": json.dumps([boat, None])}), "measure": "left_cents", "old": old,
            "new": new, "delta": new - old, "cause": "data", "batches": json.dumps(["toy/rentals/20250310T000000Z"]),
        }  # fmt: skip

    rows = pd.DataFrame([change("B-1", 100, 50), change("B-2", 0, 418_000)])
    lines = folded(list(screens.restatement(rows, "2025-02", window, asked="x")), window)
    said = " ".join(" ".join(lines).split())
    assert said.startswith("2025-02 since v1, because of data (toy/rentals/20250310T000000Z):")
    assert "toy_recon_results, left: 2 rows +4,179.50" in said
    # The largest first, whatever the order of keys.
    assert said.endswith("left: rentals, B-2 0.00 -> 4,180.00 toy_recon_results left: rentals, B-1 1.00 -> 0.50")


def test_what_was_typed_is_told_with_its_options() -> None:
    assert screens.typed("recon 2025-02", recon="rentals", view=None) == "revenue-integrity recon 2025-02 --recon rentals"


SIGNED = with_entries(PREPARED, APPROVED)

AFTER_A_RESTATEMENT: tuple[tuple[MonthFacts, Status, str], ...] = (
    (
        replace(SIGNED, content_hash="c2"), Status.REOPENED,
        "To sign it as it stands now: revenue-integrity prepare 2025-02 --book toy --as pat",
    ),
    (
        replace(SIGNED, content_hash="c2", news="b1 landed and is not read yet"), Status.REOPENED,
        "b1 landed and is not read yet: revenue-integrity run",
    ),
    (
        replace(SIGNED, news="b1 landed and is not read yet"), Status.SIGNED_OFF,
        "b1 landed and is not read yet: revenue-integrity run",
    ),
    (SIGNED, Status.SIGNED_OFF, ""),
    (
        replace(SIGNED, content_hash="c2", stale="raw.rentals: changed"), Status.STALE,
        "It is stale; before it can be signed: revenue-integrity run --months 2025-02",
    ),
    (
        replace(SIGNED, content_hash="c2", checks=(TIES,)), Status.REOPENED,
        "It is reopened; before it can be signed: revenue-integrity recon 2025-02 --recon rentals",
    ),
    (replace(SIGNED, content_hash="c2", running=True), Status.STALE, ""),
)  # fmt: skip


@pytest.mark.parametrize(("facts", "status", "told"), AFTER_A_RESTATEMENT)
def test_whoever_saw_what_changed_is_told_what_brings_the_month_to_its_signature(
    home: Deployment, facts: MonthFacts, status: Status, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(facts) is status
    changed = status is not Status.SIGNED_OFF
    reading._say_how_to_sign(home, CloseRow(replace(facts, book="toy"), status, ("toy",)), changed=changed)
    assert capsys.readouterr().err.strip() == told


def test_nothing_is_in_the_way_of_what_stands_as_it_was_signed(home: Deployment) -> None:
    blocked = shown_status(home, replace(FACTS, checks=(TIES,)), Status.BLOCKED, 80, detailed=True)
    assert "In the way of toy 2025-02:" in blocked
    signed = replace(with_entries(PREPARED, APPROVED), checks=(TIES,))
    assert not [line for line in shown_status(home, signed, Status.SIGNED_OFF, 80, detailed=True) if "In the way" in line]


ALERTS = pd.DataFrame(
    [
        ("2026-11-30T16:48:25.300286Z", "critical", "run_failed", "fleet", "2025-03", "colocation of 2025-03 cannot be computed: "
         "the disk is full and stays so", "pending", 2, "2026-11-30T16:50:00Z"),
        ("2026-11-30T16:48:20.000000Z", "info", "approved", None, None, "2025-02 is approved", "sent", 1, None),
    ],
    columns=["raised_at", "severity", "kind", "book", "month", "title", "status", "attempts", "next_try_at"],
    dtype=object,
)  # fmt: skip


@pytest.mark.parametrize("window", WINDOWS)
def test_alerts_are_a_sentence_each_with_what_became_of_it(window: int) -> None:
    lines = folded(list(screens.alerts(ALERTS, window)), window)
    assert lines[0].startswith("2026-11-30 16:48  critical  colocation of 2025-03 cannot")
    told = " ".join(line.strip() for line in lines)
    assert "(pending; next try at 2026-11-30T16:50:00Z)" in told
    assert lines[-1] == "2026-11-30 16:48  info      2025-02 is approved (sent)"
    assert list(screens.alerts(ALERTS[:0], window)) == ["There is no alert"]


def test_what_many_findings_have_in_common_is_said_once() -> None:
    alike = [Finding(f"packs/{number}", "its seal does not hold", "Run again") for number in range(1, 6)]
    other = Finding("ledger", "an entry differs", "Stop signing")
    assert list(screens.findings([*alike[:3], other], everything=False)) == [
        "packs/1: its seal does not hold. Run again",
        "packs/2: its seal does not hold. Run again",
        "packs/3: its seal does not hold. Run again",
        "ledger: an entry differs. Stop signing",
    ]
    assert list(screens.findings([*alike, other], everything=False)) == [
        "5 of these, the first are named: its seal does not hold. Run again",
        "  packs/1",
        "  packs/2",
        "  packs/3",
        "  ... and 2 more: revenue-integrity verify --all",
        "ledger: an entry differs. Stop signing",
    ]
    assert len(list(screens.findings([*alike, other], everything=True))) == 6


def test_evidence_names_the_row_of_another_month_and_leaves_out_what_is_empty() -> None:
    found = list(screens._evidence(json.dumps({"lines": [], "other": '2025-02/[null,null,"T-257"]', "days": 2}), "USD"))
    assert found == ["other 2025-02 T-257", "days 2"]
    for text in ("2025-02/[broken", "a/b", "INV-1"):
        assert list(screens._evidence(json.dumps({"document_id": text}), "USD")) == [f"document id {text}"]


def test_a_run_ends_with_the_signed_months_that_are_open_again() -> None:
    columns = ["kind", "book", "month", "title", "status"]
    title = "toy 2025-{}: signed version 1 reopened"
    rows = [("month_reopened", "toy", f"2025-0{month}", title.format(f"0{month}"), "logged") for month in range(1, 6)]
    rows += [("month_reopened", "toy", "2025-06", title.format("06"), "logged, resolved")]
    rows += [("approved", "toy", "2025-07", "", "sent")]
    lines = list(screens.reopened(pd.DataFrame(rows, columns=columns, dtype=object)))
    assert lines == [
        *(f"{title.format(f'0{month}')}: revenue-integrity status --month 2025-0{month} --book toy" for month in range(1, 4)),
        "... and 2 more: revenue-integrity status",
    ]
    assert list(screens.reopened(pd.DataFrame([], columns=columns, dtype=object))) == []
