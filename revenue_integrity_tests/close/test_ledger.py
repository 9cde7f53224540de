"""The sign-off ledger: the chain, what breaks it, what a crash leaves, who wins when two want to sign."""

import hashlib
import json
import os
import signal
from datetime import UTC, date, datetime
from decimal import Decimal
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from revenue_integrity import clock
from revenue_integrity.close.ledger import GENESIS, Action, Entry, Finding, Ledger, as_frame
from revenue_integrity.errors import IntegrityError, LedgerError, Refusal, UsageError
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import load_settings
from revenue_integrity_tests.processes import CONTEXT

MARCH = date(2025, 3, 1)

FACTS: dict[str, Any] = {
    "month": MARCH,
    "version": 1,
    "action": Action.PREPARE,
    "actor": "Zoë",
    "content_hash": "c" * 64,
    "as_of": "2025-04-07T12:00:00.000000Z",
    "batches": [{"id": "erp_invoices/0001", "digest": "d" * 64}],
    "settings_hash": "e" * 64,
    "code_version": "f" * 64,
    "checks": [{"name": "within_materiality", "gate": "sign_off", "passed": True, "figures": {"gross_cents": 12}}],
    "comment": "ready",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", lock_timeout_seconds=20)


def append(settings: Settings, **changes: Any) -> Entry:
    with Ledger(settings).locked() as ledger:
        return ledger.append(**(FACTS | changes))


def three(settings: Settings) -> Ledger:
    append(settings)
    append(settings, action=Action.APPROVE, actor="Bo", comment="")
    append(settings, month=date(2025, 4, 1), comment="April")
    return Ledger(settings)


def in_child(target: Any, *arguments: Any) -> int | None:
    """Run a function in a process of its own and return its exit code (negative: the signal that ended it)."""
    process = CONTEXT.Process(target=target, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode


def test_chain_by_hand(settings: Settings) -> None:
    with clock.held_at(datetime(2025, 4, 8, 9, 30, 0, 5, tzinfo=UTC)):
        append(settings)
        append(settings, action=Action.APPROVE, actor="Bo")
    lines = (settings.home / "ledger" / "ledger.jsonl").read_bytes().splitlines()
    previous = "0" * 64
    for line in lines:
        content = json.loads(line)
        recorded = content.pop("hash")
        assert content["prev_hash"] == previous
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert recorded == hashlib.sha256(text.encode("utf-8")).hexdigest()
        previous = recorded
    assert [json.loads(line)["seq"] for line in lines] == [1, 2]
    assert json.loads(lines[0])["at"] == "2025-04-08T09:30:00.000005Z"
    assert Ledger(settings).head() == (2, previous)
    head = json.loads((settings.home / "published" / "_signed" / "head.json").read_bytes())
    assert head == {"seq": 2, "hash": previous}


def test_entry_has_exactly_the_columns_of_the_dataset(settings: Settings) -> None:
    columns = [
        "seq", "month", "version", "action", "actor", "os_user", "host", "at", "content_hash", "as_of", "batches",
        "settings_hash", "code_version", "checks", "comment", "prev_hash", "hash", "format", "book", "subject",
        "reaches",
    ]  # fmt: skip
    assert list(as_frame([]).columns) == columns
    frame = as_frame(three(settings).entries())
    assert list(frame.columns) == columns
    assert frame["month"].tolist() == ["2025-03", "2025-03", "2025-04"]
    assert frame["batches"][0] == '[{"digest":"' + "d" * 64 + '","id":"erp_invoices/0001"}]'
    assert frame["seq"].dtype == "int64"


def test_empty_ledger_holds(settings: Settings) -> None:
    ledger = Ledger(settings)
    assert (ledger.entries(), ledger.verify(), ledger.head()) == ([], [], (0, GENESIS))
    assert not settings.home.exists()


def test_what_is_appended_is_read_back(settings: Settings) -> None:
    figures = {"share": Decimal("0.0500"), "rows": 2, "ok": False, "none": None}
    checks = [{"name": "x", "gate": "sign_off", "passed": False, "figures": figures}]
    entry = append(settings, action=Action.WAIVE, checks=checks, comment='two\nlines, "quoted"\u2028')
    assert Ledger(settings).entries() == [entry]
    assert entry.checks[0]["figures"] == {"share": "0.05", "rows": 2, "ok": False, "none": None}
    assert entry.waived["name"] == "x"
    assert Ledger(settings).recorded(MARCH) == [entry]
    assert Ledger(settings).recorded(date(2025, 2, 1)) == []


OLD = Path(__file__).parent.parent / "fixtures" / "ledgers" / "format-1.jsonl"
"""Four entries as the release before formats wrote them; the hash of the last one, as it printed it:"""
OLD_HEAD = "f032ef11e61c97eb8f0a32fdd7655487f3cbb4740962f5eaeef4497575c91fd5"


def old(settings: Settings) -> Ledger:
    ledger = Ledger(settings)
    ledger.file.parent.mkdir(parents=True)
    ledger.file.write_bytes(OLD.read_bytes())
    ledger.head_file.parent.mkdir(parents=True)
    ledger.head_file.write_text(json.dumps({"hash": OLD_HEAD, "seq": 4}, separators=(",", ":")) + "\n")
    return ledger


def test_ledger_from_before_formats_holds_and_goes_on(settings: Settings) -> None:
    ledger = old(settings)
    assert ledger.verify() == []
    assert ledger.head() == (4, OLD_HEAD)
    assert [(each.format, each.book, each.action, each.actor) for each in ledger.entries()] == [
        (1, "", "waive", "ari"), (1, "", "prepare", "Zoë"), (1, "", "approve", "Bo"), (1, "", "reopen", "Bo"),
    ]  # fmt: skip
    entry = append(settings, book="retail", subject={"streams": ["sales"]})
    assert (entry.seq, entry.prev_hash, entry.format, entry.book) == (5, OLD_HEAD, 3, "retail")
    assert ledger.file.read_bytes().startswith(OLD.read_bytes()), "what was written stays as it was, byte for byte"
    assert Ledger(settings).verify() == []
    assert Ledger(settings).entries()[4] == entry
    frame = as_frame(Ledger(settings).entries())
    assert frame["format"].tolist() == [1, 1, 1, 1, 3]
    assert frame["subject"].tolist() == [None] * 4 + ['{"streams":["sales"]}']
    assert frame["book"].tolist() == [None] * 4 + ["retail"]


def rehashed(content: dict[str, Any]) -> bytes:
    plain = {name: value for name, value in content.items() if name != "hash"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    whole = plain | {"hash": hashlib.sha256(text.encode()).hexdigest()}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"format": 4}, "no entry of a known format"),
        ({"format": 4, "mood": "good"}, "no entry of a known format"),
        ({"format": True}, "no entry of a known format"),
        ({"format": "3"}, "no entry of a known format"),
        ({"format": 0}, "no entry of a known format"),
        ({"mood": "good"}, "no entry of a known format"),
        ({"book": None}, "no entry of a known format"),
        ({"format": None}, "no entry of a known format"),
        ({"format": 2}, "no entry of a known format"),
        ({"format": 2, "reaches": None}, "it is of format 2, after entries of format 3"),
        ({"format": None, "book": None, "subject": None, "reaches": None}, "it is of format 1, after entries of format 3"),
    ],
)
def test_entry_has_exactly_the_fields_of_its_format(settings: Settings, changed: dict[str, Any], problem: str) -> None:
    """``None`` takes a field away. Each entry is hashed anew, so only its form is wrong."""
    ledger = three(settings)
    *before, last = ledger.file.read_bytes().splitlines(keepends=True)
    content = {
        name: value for name, value in (json.loads(last) | changed).items() if name not in changed or changed[name] is not None
    }
    ledger.file.write_bytes(b"".join(before) + rehashed(content))
    (finding,) = ledger.verify()
    assert (finding.subject, finding.problem.endswith(problem)) == ("ledger entry 3", True)
    with pytest.raises(IntegrityError, match="ledger entry 3"):
        append(settings)


def test_entry_of_a_later_release_says_who_can_read_it(settings: Settings) -> None:
    ledger = three(settings)
    *before, last = ledger.file.read_bytes().splitlines(keepends=True)
    ledger.file.write_bytes(b"".join(before) + rehashed(json.loads(last) | {"format": 7, "signature": "x"}))
    (finding,) = ledger.verify()
    assert finding.next_step == "It is of format 7: use the release that wrote it, or a later one"
    with pytest.raises(IntegrityError, match="format 7: use the release that wrote it"):
        ledger.entries()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, bytes]:
    settings = load_settings(home=tmp_path_factory.mktemp("whole"))
    return settings, three(settings).file.read_bytes()


@given(share=st.floats(0, 1), byte=st.integers(0, 255))
@hypothesis_settings(max_examples=300, deadline=None, derandomize=True)
@example(share=0.0, byte=ord(" "))
@example(share=1.0, byte=ord(" "))
def test_any_byte_edited_names_its_entry(whole: tuple[Settings, bytes], share: float, byte: int) -> None:
    settings, content = whole
    check_edited(settings, content, round(share * (len(content) - 1)), byte)


@pytest.mark.parametrize("byte", [0, ord(" "), ord("0"), ord("}"), 0xFF])
def test_any_newline_edited_names_its_entry(whole: tuple[Settings, bytes], byte: int) -> None:
    settings, content = whole
    for position in (position for position, held in enumerate(content) if held == ord("\n")):
        check_edited(settings, content, position, byte)


def check_edited(settings: Settings, content: bytes, position: int, byte: int) -> None:
    edited = content[:position] + bytes([byte]) + content[position + 1 :]
    Ledger(settings).file.write_bytes(edited)
    seq = content.count(b"\n", 0, position) + 1
    expected = [] if edited == content else [f"ledger entry {seq}"]
    assert [finding.subject for finding in Ledger(settings).verify()] == expected


@pytest.mark.parametrize("removed", [1, 2, 3])
def test_entry_removed_is_noticed(settings: Settings, removed: int) -> None:
    ledger = three(settings)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    ledger.file.write_bytes(b"".join(line for seq, line in enumerate(lines, start=1) if seq != removed))
    (finding,) = ledger.verify()
    assert finding.subject == f"ledger entry {removed}"
    with pytest.raises(IntegrityError, match=f"ledger entry {removed}"):
        append(settings)


def test_entries_reordered_are_noticed(settings: Settings) -> None:
    ledger = three(settings)
    first, second, third = ledger.file.read_bytes().splitlines(keepends=True)
    ledger.file.write_bytes(first + third + second)
    assert [finding.subject for finding in ledger.verify()] == ["ledger entry 2"]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_truncated_at_a_line_is_noticed(settings: Settings, kept: int) -> None:
    ledger = three(settings)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    ledger.file.write_bytes(b"".join(lines[:kept]))
    (finding,) = ledger.verify()
    assert finding.subject == f"ledger entry {kept + 1}"
    assert "head was at 3" in finding.problem


def test_deleted_ledger_is_noticed(settings: Settings) -> None:
    ledger = three(settings)
    ledger.file.unlink()
    assert [finding.subject for finding in ledger.verify()] == ["ledger entry 1"]


@pytest.mark.parametrize(("forged", "named"), [(1, 2), (2, 3), (3, 3)])
def test_entry_rewritten_with_its_right_hash_is_noticed(settings: Settings, forged: int, named: int) -> None:
    """The entry that follows names another hash; after the last one, the head kept apart does."""
    ledger = three(settings)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    content = json.loads(lines[forged - 1]) | {"actor": "Mallory"}
    del content["hash"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content["hash"] = hashlib.sha256(text.encode()).hexdigest()
    lines[forged - 1] = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    ledger.file.write_bytes(b"".join(lines))
    assert [finding.subject for finding in ledger.verify()] == [f"ledger entry {named}"]


def test_same_values_written_otherwise_are_noticed(settings: Settings) -> None:
    ledger = three(settings)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    lines[1] = json.dumps(json.loads(lines[1])).encode() + b"\n"
    ledger.file.write_bytes(b"".join(lines))
    assert [finding.subject for finding in ledger.verify()] == ["ledger entry 2"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"hash":"' + "0" * 64 + '","seq":-1}\n', '{"hash":"x","seq":3}'])
def test_damaged_head_is_noticed_and_never_healed(settings: Settings, text: str) -> None:
    ledger = three(settings)
    ledger.head_file.write_text(text)
    assert [finding.subject for finding in ledger.verify()] == ["ledger head"]
    with pytest.raises(IntegrityError, match="ledger head"):
        append(settings)
    assert ledger.head_file.read_text() == text


def test_head_missing_or_far_behind_is_noticed(settings: Settings) -> None:
    append(settings)
    ledger = Ledger(settings)
    early = ledger.head_file.read_bytes()
    three(settings)
    ledger.head_file.write_bytes(early)
    assert [finding.subject for finding in ledger.verify()] == ["ledger head"]
    ledger.head_file.unlink()
    assert [finding.subject for finding in ledger.verify()] == ["ledger head"]


def test_torn_tail_is_healed_and_kept(settings: Settings) -> None:
    ledger = three(settings)
    content = ledger.file.read_bytes()
    torn = content.splitlines()[0][:100]
    ledger.file.write_bytes(content + torn)
    assert ledger.verify() == []
    assert len(ledger.entries()) == 3
    assert append(settings).seq == 4
    assert ledger.file.with_name("ledger.torn-1").read_bytes() == torn
    assert ledger.file.read_bytes().startswith(content)
    with ledger.file.open("ab") as stream:
        stream.write(b"\0\0\0")
    assert [(each.subject, each.problem) for each in ledger.verify()] == [
        ("ledger entry 4", "3 bytes follow it that are no part of an entry")
    ]
    assert append(settings).seq == 5
    assert ledger.file.with_name("ledger.torn-2").read_bytes() == b"\0\0\0"
    assert ledger.verify() == []


@pytest.mark.parametrize("which", ["file", "head_file", "folder"])
def test_a_ledger_that_stands_elsewhere_is_told_and_nothing_is_appended_to_it(settings: Settings, which: str) -> None:
    ledger = three(settings)
    place = ledger.file.parent if which == "folder" else getattr(ledger, which)
    elsewhere = place.rename(settings.home / "elsewhere")
    place.symlink_to(elsewhere)
    before = ledger.file.read_bytes()
    (finding,) = ledger.verify()
    assert (finding.subject, finding.problem) == (str(place), "it is a link")
    with pytest.raises(IntegrityError, match="it is a link"):
        append(settings)
    assert ledger.file.read_bytes() == before


def test_tail_cut_inside_the_last_entry_is_a_violation_and_stays_as_found(settings: Settings) -> None:
    ledger = three(settings)
    content = ledger.file.read_bytes()[:-20]
    ledger.file.write_bytes(content)
    assert [finding.subject for finding in ledger.verify()] == ["ledger entry 3"]
    with pytest.raises(IntegrityError, match="ledger entry 3"):
        append(settings)
    assert ledger.file.read_bytes() == content
    assert not ledger.file.with_name("ledger.torn-1").exists()


def _die_before_head(settings: Settings) -> None:
    ledger = Ledger(settings)
    ledger._write_head = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]  # the crash to test
    with ledger.locked():
        ledger.append(**FACTS)


@pytest.mark.parametrize("before", [0, 1])
def test_killed_between_append_and_head(settings: Settings, before: int) -> None:
    for _ in range(before):
        append(settings)
    assert in_child(_die_before_head, settings) == -signal.SIGKILL
    ledger = Ledger(settings)
    assert len(ledger.entries()) == before + 1
    assert ledger.verify() == []
    with ledger.locked():
        pass
    assert json.loads(ledger.head_file.read_bytes())["seq"] == before + 1
    assert append(settings).seq == before + 2
    assert ledger.verify() == []


def _append_many(settings: Settings, barrier: Barrier, actor: str) -> None:
    barrier.wait(60)
    for _ in range(10):
        append(settings, actor=actor)


def _approve_if_first(settings: Settings, barrier: Barrier, actor: str) -> None:
    barrier.wait(60)
    with Ledger(settings).locked() as ledger:
        if not any(entry.action == Action.APPROVE for entry in ledger.recorded(MARCH)):
            ledger.append(**(FACTS | {"action": Action.APPROVE, "actor": actor}))


def _at_once(target: Any, settings: Settings) -> None:
    barrier = CONTEXT.Barrier(2)
    processes = [CONTEXT.Process(target=target, args=(settings, barrier, actor)) for actor in ("Ann", "Bo")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]


def test_appends_of_two_processes_chain(settings: Settings) -> None:
    _at_once(_append_many, settings)
    entries = Ledger(settings).entries()
    assert Ledger(settings).verify() == []
    assert sorted(entry.actor for entry in entries) == ["Ann"] * 10 + ["Bo"] * 10


def test_of_two_approvers_exactly_one_wins(settings: Settings) -> None:
    _at_once(_approve_if_first, settings)
    assert len(Ledger(settings).entries()) == 1
    assert Ledger(settings).verify() == []


def test_lock_is_waited_for_a_bounded_time(settings: Settings) -> None:
    impatient = settings.model_copy(update={"lock_timeout_seconds": 0})
    with Ledger(settings).locked(), pytest.raises(Refusal, match="under way"), Ledger(impatient).locked():
        pass
    with Ledger(impatient).locked() as ledger:
        ledger.append(**FACTS)


def test_append_needs_the_lock(settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="locked"):
        Ledger(settings).append(**FACTS)


def test_bytes_that_are_no_text_are_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no text"):
        append(settings, comment="\udcff")
    assert Ledger(settings).entries() == []


def test_line_that_is_no_entry_is_named(settings: Settings) -> None:
    ledger = three(settings)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    ledger.file.write_bytes(lines[0] + b"{}\n" + lines[2])
    with pytest.raises(IntegrityError, match="ledger entry 2"):
        ledger.entries()
    assert isinstance(ledger.verify()[0], Finding)


def _append_on_full_disk(settings: Settings) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = Ledger(settings).file.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, size + 50))
    try:
        append(settings)
    except LedgerError as error:
        os._exit(0 if "File too large" in error.reason else 2)
    os._exit(3)


def test_entry_that_does_not_fit_on_the_disk_leaves_the_ledger_as_it_was(settings: Settings) -> None:
    ledger = three(settings)
    content = ledger.file.read_bytes()
    assert in_child(_append_on_full_disk, settings) == 0
    assert ledger.file.read_bytes() == content
    assert ledger.verify() == []
