"""Books: two small streams in one home are signed apart or together, and what comes late for one moves no other.

Without Dagster: what its record of runs would say is made by judging on the spot (``Judged``).
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from revenue_integrity import clock
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.close.sign_off import MonthFacts, Status, status_of
from revenue_integrity.desk import close_status, decisions, freezing, packs, restating, verifying
from revenue_integrity.desk.alerts import outbox
from revenue_integrity.desk.alerts.telling import tell
from revenue_integrity.desk.facts import Desk
from revenue_integrity.desk.status import status_frame
from revenue_integrity.errors import Refusal, SettingsError, UsageError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.reports import index, manifest, pack
from revenue_integrity.serving import export
from revenue_integrity.warehouse import publish
from revenue_integrity_tests import toy_home
from revenue_integrity_tests.conftest import made_once
from revenue_integrity_tests.desk import huts
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, NOW
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date

PEOPLE = {"preparers": ("pat",), "approvers": ("ann",)}
TOGETHER: Mapping[str, Any] = {"all": {"streams": ["toy", "huts"]}}


DRAWN = pack.pack_files


@pytest.fixture(autouse=True)
def _present(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold the clock after the cutoff of February, and draw no more of a pack than its manifest, which takes seconds each."""
    monkeypatch.setattr(pack, "pack_files", lambda data: {manifest.FILE: manifest.text_of(data, {})})
    with clock.held_at(NOW):
        yield


def home_of(place: Path, **values: Any) -> Deployment:
    """Return a home of both streams, with people who may close."""
    return toy_home.beside(place, huts.HUTS, **(PEOPLE | values))


def compute_both(place: Path) -> None:
    """Compute and publish both months of both streams."""
    home = home_of(place)
    toy_home.land_all(home.settings)
    huts.land(home.settings, "20250310T010000Z")
    with clock.held_at(NOW):
        bring_up_to_date(home)


@pytest.fixture(scope="session")
def computed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which both months of both streams were computed. Nobody may change it: take ``computed``."""
    return made_once(tmp_path_factory, "books", compute_both)


@pytest.fixture
def computed(computed_run: Path, tmp_path: Path) -> Path:
    """Return the place of a fresh copy of a home in which both months of both streams are computed and published."""
    return shutil.copytree(computed_run, tmp_path / "home", symlinks=True)


def opened(place: Path, **values: Any) -> tuple[Deployment, Judged]:
    """Return such a copy under some settings, with what its checks say."""
    home = home_of(place, **values)
    return home, Judged(home)


def sign(home: Deployment, evidence: Judged, book: str, *wanted: date) -> list[Entry]:
    """Prepare and approve months of a book; return the approvals."""
    approved = []
    for month in wanted:
        decisions.prepare(home, evidence, month, "pat", book=book)
        approved.append(decisions.approve(home, evidence, month, "ann", book=book))
    return approved


def statuses(home: Deployment) -> dict[str, str]:
    """Return the status of each month of each book."""
    rows = close_status.close_rows(home, Judged(home), home.settings.months)
    return {row.facts.named: str(row.status) for row in rows}


def late_rental(home: Deployment) -> None:
    """Land a rental of January after its cutoff, and compute what follows."""
    toy_home.put(home.settings, "20250311T000000Z", [toy_home.rental("2025-01", "R-9", "B-1", "10.00", "10.00")])
    bring_up_to_date(home)


def test_a_late_file_of_one_book_reopens_no_other(computed: Path) -> None:
    home, evidence = opened(computed)
    assert statuses(home) == dict.fromkeys(("toy 2025-01", "huts 2025-01", "toy 2025-02", "huts 2025-02"), "ready")
    toys, cabins = sign(home, evidence, "toy", JANUARY), sign(home, evidence, "huts", JANUARY, FEBRUARY)
    assert [(entry.book, entry.month, entry.version) for entry in (*toys, *cabins)] == [
        ("toy", "2025-01", 1),
        ("huts", "2025-01", 1),
        ("huts", "2025-02", 1),
    ]

    # Landed and unread, it makes its own book stale and no other.
    toy_home.put(home.settings, "20250311T000000Z", [toy_home.rental("2025-01", "R-9", "B-1", "10.00", "10.00")])
    assert statuses(home)["toy 2025-02"] == "stale"
    assert statuses(home)["huts 2025-02"] == "signed_off"
    bring_up_to_date(home)
    assert statuses(home) == {
        "toy 2025-01": "reopened",
        "huts 2025-01": "signed_off",
        "toy 2025-02": "ready",
        "huts 2025-02": "signed_off",
    }
    changed = restating.restatement(home, evidence, JANUARY, book="toy")
    assert set(changed["book"]) == {"toy"}
    boats = changed[(changed["dataset"] == "toy_boats") & (changed["measure"] == "due_cents")]
    assert boats[["old", "new", "delta"]].to_numpy().tolist() == [[15000, 16000, 1000]]
    assert restating.restatement(home, evidence, JANUARY, book="huts").empty
    assert set(restating.restatements(home, evidence, home.settings.months)["book"]) == {"toy"}

    (again,) = sign(home, evidence, "toy", JANUARY)
    assert (again.version, statuses(home)["toy 2025-01"]) == (2, "signed_off")
    assert verifying.verify(home) == []


def test_each_book_has_its_own_content_batches_and_rules(computed: Path) -> None:
    home, evidence = opened(computed)
    desk = Desk(home, evidence)
    toy, cabins = (desk.facts(home.book(name), JANUARY) for name in ("toy", "huts"))
    assert {each["id"].split("/")[0] for each in toy.batches} == {"toy"}
    assert {each["id"].split("/")[0] for each in cabins.batches} == {"huts"}
    assert (toy.as_of, cabins.as_of) == ("20250310T000000Z", "20250310T010000Z")
    assert {each.stream for each in toy.checks} == {"toy"}
    assert len({toy.content_hash, cabins.content_hash}) == 2
    assert len({toy.code_version, cabins.code_version}) == 2
    evidence.busy = frozenset({"huts"})
    assert [desk.facts(home.book(name), JANUARY).running for name in ("toy", "huts")] == [False, True]


def test_frozen_versions_packs_and_index_stand_by_book(computed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "pack_files", DRAWN)
    home, evidence = opened(computed)
    (approved,) = sign(home, evidence, "huts", JANUARY)
    place = home.settings.published_path / "_signed" / "huts" / "2025-01" / "v1"
    assert freeze.place_of(home.settings, approved) == place
    assert {"hut_month.parquet", "manifest.json"} <= {each.name for each in place.iterdir()}
    assert not (place / "toy_boats.parquet").exists()
    said = json.loads((place / "manifest.json").read_bytes())
    assert (said["book"], said["facts"]["streams"]) == ("huts", ["huts"])

    written = packs.renew(home, evidence, say=lambda _: None)
    assert written == [("toy", JANUARY), ("toy", FEBRUARY), ("huts", FEBRUARY)]
    rows = {(row.book, row.month): row for row in index.index_rows(home.settings.packs_path)}
    assert {key: row.status for key, row in rows.items()} == {
        ("toy", JANUARY): "ready",
        ("toy", FEBRUARY): "ready",
        ("huts", JANUARY): "signed_off",
        ("huts", FEBRUARY): "ready",
    }
    assert rows["huts", FEBRUARY].figures == {"hut_cents": 21000}
    shown = (home.settings.packs_path / "index.html").read_text()
    assert 'href="huts/2025-02/close-pack-2025-02.html"' in shown
    assert packs.renew(home, evidence, say=lambda _: None) == []
    of_signed = packs.folder_of(home.settings, "huts", JANUARY) / "manifest.json"
    assert of_signed.read_bytes() == (place / "pack" / "manifest.json").read_bytes()


def test_status_has_a_row_for_each_month_and_book_with_its_own_figures(computed: Path) -> None:
    home, evidence = opened(computed)
    frame = status_frame(home, evidence, home.settings.months)
    shown = frame[["book", "status", "toy_due_cents", "hut_cents"]].astype(object)
    assert shown.where(shown.notna(), None).to_numpy().tolist() == [
        ["toy", "ready", 22000, None],
        ["huts", "ready", None, 20000],
        ["toy", "ready", 12000, None],
        ["huts", "ready", None, 21000],
    ]
    assert close_status.close_status(home, evidence, [JANUARY])["book"].tolist() == ["toy", "huts"]


def test_where_several_books_are_in_use_one_must_be_named(computed: Path, tmp_path: Path) -> None:
    home, evidence = opened(computed)
    with pytest.raises(UsageError, match=r"this home has 2 books: toy, huts\. Name one with --book"):
        decisions.prepare(home, evidence, JANUARY, "pat")
    with pytest.raises(UsageError, match=r"there is no book 'boats'\. Books: toy, huts"):
        packs.write_month(home, evidence, JANUARY, book="boats")
    alone = toy_home.beside(tmp_path / "alone", huts.HUTS, **PEOPLE)
    huts.land(alone.settings, "20250310T010000Z")
    bring_up_to_date(alone)
    assert decisions.prepare(alone, Judged(alone), JANUARY, "pat").book == "huts"


def test_roles_may_be_given_in_one_book(computed: Path) -> None:
    given = {"preparers": ("pat", "huts:hal"), "approvers": ("ann",)}
    own = {"toy": {"streams": ["toy"], "approvers": ["tom"]}}
    home, evidence = opened(computed, books=own, **given)
    with pytest.raises(Refusal, match=r"hal is no preparer \(preparers: pat\)"):
        decisions.prepare(home, evidence, JANUARY, "hal", book="toy")
    decisions.prepare(home, evidence, JANUARY, "hal", book="huts")
    decisions.prepare(home, evidence, JANUARY, "pat", book="toy")
    with pytest.raises(Refusal, match=r"ann is no approver \(approvers: tom\)"):
        decisions.approve(home, evidence, JANUARY, "ann", book="toy")
    assert decisions.approve(home, evidence, JANUARY, "tom", book="toy").actor == "tom"
    assert decisions.approve(home, evidence, JANUARY, "ann", book="huts").actor == "ann"


def test_a_book_of_two_streams_is_signed_as_one(computed: Path) -> None:
    home, evidence = opened(computed, books=TOGETHER)
    assert statuses(home) == {"all 2025-01": "ready", "all 2025-02": "ready"}
    (approved,) = sign(home, evidence, "", JANUARY)
    held = {each.stem for each in freeze.place_of(home.settings, approved).glob("*.parquet")}
    assert {"toy_boats", "hut_month"} <= held
    assert {each["id"].split("/")[0] for each in approved.batches} == {"toy", "huts"}
    frame = status_frame(home, evidence, [JANUARY])
    assert frame[["toy_due_cents", "hut_cents"]].to_numpy().tolist() == [[22000, 20000]]
    late_rental(home)
    assert statuses(home)["all 2025-01"] == "reopened"
    assert set(restating.restatement(home, evidence, JANUARY)["dataset"]) == {"toy_boats", "toy_recon_results"}


def test_a_stream_of_a_book_that_has_no_row_yet_is_left_out_and_a_book_without_rows_is_open(tmp_path: Path) -> None:
    home = home_of(tmp_path, books=TOGETHER)
    toy_home.land_all(home.settings)
    huts.land(home.settings, "20250310T010000Z", {"2025-02": "210.00"})
    with_one = home_of(tmp_path)
    for stream in (home.streams.named("toy"),):
        bring_up_to_date(home.only(stream.name))
    bring_up_to_date(home)
    desk = Desk(home, Judged(home))
    january = desk.facts(home.book("all"), JANUARY)
    assert {each.stream for each in january.checks} >= {"toy"}
    alone = Desk(with_one, Judged(with_one)).facts(with_one.book("toy"), JANUARY)
    assert january.content_hash == alone.content_hash
    cabins = Desk(with_one, Judged(with_one)).facts(with_one.book("huts"), JANUARY)
    assert (cabins.begins, status_of(cabins)) == (FEBRUARY, Status.OPEN)
    with pytest.raises(Refusal, match="huts 2025-01 comes before the first month of its book, 2025-02"):
        decisions.prepare(with_one, Judged(with_one), JANUARY, "pat", book="huts")
    # So its first month needs none before it.
    sign(with_one, Judged(with_one), "huts", FEBRUARY)


def test_months_of_a_book_are_closed_in_order_from_its_first_month_on(computed: Path) -> None:
    home, evidence = opened(computed)
    with pytest.raises(Refusal, match=r"toy 2025-01 has never been signed off"):
        decisions.prepare(home, evidence, FEBRUARY, "pat", book="toy")
    later = home_of(computed, books={"toy": {"streams": ["toy"], "first_month": "2025-02"}})
    assert statuses(later) == dict.fromkeys(("huts 2025-01", "toy 2025-02", "huts 2025-02"), "ready")
    sign(later, Judged(later), "toy", FEBRUARY)
    free = home_of(computed, books={"huts": {"streams": ["huts"], "sequential_close": False}})
    sign(free, Judged(free), "huts", FEBRUARY)


def test_the_cutoff_of_a_streams_tables_is_that_of_its_book(tmp_path: Path) -> None:
    """January of the toy was booked on 2025-02-02; a cutoff on the first business day, 2025-02-03, leaves a later one late."""
    home = home_of(tmp_path, books={"toy": {"streams": ["toy"], "cutoff_business_day": 1}})
    toy_home.put(
        home.settings,
        "20250210T000000Z",
        [
            toy_home.rental("2025-01", "R-1", "B-1", "100.00", "100.00"),
            toy_home.rental("2025-01", "R-2", "B-1", "50.00", "50.00", booked_at="2025-02-04T00:00:00Z"),
        ],
    )
    huts.land(home.settings, "20250205T000000Z", {"2025-01": "200.00"})
    bring_up_to_date(home)
    with toy_home.database.connect(home.settings) as connection:
        rows = connection.sql("select rental_id, late from curated.toy_rentals order by rental_id").fetchall()
    assert rows == [("R-1", False), ("R-2", True)]
    desk = Desk(home, Judged(home))
    assert f"{desk.facts(home.book('toy'), JANUARY).cutoff:%Y-%m-%d}" == "2025-02-03"
    cabins = desk.facts(home.book("huts"), JANUARY)
    assert f"{cabins.cutoff:%Y-%m-%d}" == "2025-02-07"
    # Its extract arrived before its own cutoff, though after that of the other book.
    assert [each.state for each in cabins.checks if each.name == "extract_covers_cutoff"] == ["failed"]


def test_alerts_are_those_of_a_book_and_resolve_none_of_another(computed: Path) -> None:
    home, evidence = opened(computed)
    sign(home, evidence, "toy", JANUARY)
    sign(home, evidence, "huts", JANUARY)
    late_rental(home)
    rows = close_status.close_rows(home, evidence, [JANUARY])
    tell(home, rows)
    frame = outbox.frame(home.settings)
    reopened = frame[frame["kind"] == "month_reopened"]
    assert reopened[["book", "title", "status"]].to_numpy().tolist() == [
        ["toy", "toy 2025-01: signed version 1 reopened", "logged"]
    ]
    tell(home, [row for row in rows if row.facts.book == "huts"])
    assert outbox.frame(home.settings)["status"].tolist() == frame["status"].tolist()
    approved = frame[frame["kind"] == "approved"]
    assert sorted(approved["title"]) == [
        "huts 2025-01: version 1 signed off by ann",
        "toy 2025-01: version 1 signed off by ann",
    ]


def test_a_changed_explanation_is_found_by_what_a_stream_declares(computed: Path) -> None:
    home, evidence = opened(computed)
    (approved,) = sign(home, evidence, "toy", JANUARY)
    desk = Desk(home, evidence)
    assert not desk.facts(home.book("toy"), JANUARY).explanation_updated
    file = freeze.place_of(home.settings, approved) / "manifest.json"
    said = json.loads(file.read_bytes())
    said["facts"]["datasets"]["toy_recon_summary"] = "another"
    file.chmod(0o644)
    file.write_text(json.dumps(said))
    assert desk.facts(home.book("toy"), JANUARY).explanation_updated


def signed_before_books(home: Deployment, evidence: Judged, *wanted: date) -> list[Entry]:
    """Sign months of all streams together, as the release before books did: entries of no book."""
    desk = Desk(home, evidence)
    approved = []
    for month in wanted:
        with Ledger(home.settings).locked() as ledger:
            facts: MonthFacts = desk.facts(desk.all_streams, month)
            freezing.stage(desk, facts, 1)
            for action, actor in ((Action.PREPARE, "pat"), (Action.APPROVE, "ann")):
                entry = ledger.append(
                    month=month,
                    version=1,
                    action=action,
                    actor=actor,
                    content_hash=facts.content_hash or "",
                    as_of=facts.as_of,
                    batches=list(facts.batches),
                    settings_hash=facts.settings_hash,
                    code_version=facts.code_version,
                    checks=[],
                )
            freeze.finish(home.settings, entry)
        approved.append(entry)
    return approved


def test_months_signed_before_there_were_books_stay_signed_for_each_book_of_their_streams(computed: Path) -> None:
    home, evidence = opened(computed)
    (approved,) = signed_before_books(home, evidence, JANUARY)
    assert freeze.place_of(home.settings, approved) == home.settings.published_path / "_signed" / "2025-01" / "v1"
    assert statuses(home) == {
        "toy 2025-01": "signed_off",
        "huts 2025-01": "signed_off",
        "toy 2025-02": "ready",
        "huts 2025-02": "ready",
    }
    freezing.complete(home, evidence)
    assert verifying.verify(home) == []
    packs.renew(home, evidence, say=lambda _: None)
    said = manifest.read(packs.folder_of(home.settings, "huts", JANUARY))
    assert (said["book"], said["streams"], said["preliminary"], said["version"]) == ("huts", ["huts"], False, 1)

    late_rental(home)
    assert statuses(home)["toy 2025-01"] == "reopened"
    assert statuses(home)["huts 2025-01"] == "signed_off"
    changed = restating.restatement(home, evidence, JANUARY, book="toy")
    assert (set(changed["cause"]), set(changed["batches"])) == ({"data"}, {'["toy/rentals/20250311T000000Z"]'})
    assert restating.restatement(home, evidence, JANUARY, book="huts").empty

    # The next version is one of the book; the one before stays where it is.
    (second,) = sign(home, evidence, "toy", JANUARY)
    assert (second.book, second.version) == ("toy", 2)
    sign(home, evidence, "huts", FEBRUARY)
    assert freeze.is_frozen(home.settings, approved)
    assert verifying.verify(home) == []
    assert statuses(home)["toy 2025-01"] == "signed_off"


def test_a_month_signed_before_a_stream_came_is_none_of_its_book(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    toy_home.land_all(home.settings)
    bring_up_to_date(home)
    signed_before_books(home, Judged(home), JANUARY)
    huts.land(home.settings, "20250310T010000Z")
    bring_up_to_date(home)
    assert statuses(home) == {
        "toy 2025-01": "signed_off",
        "huts 2025-01": "ready",
        "toy 2025-02": "ready",
        "huts 2025-02": "ready",
    }


def test_a_book_that_is_given_other_streams_begins_anew_and_months_before_stay_with_what_signed_them(computed: Path) -> None:
    home, evidence = opened(computed)
    sign(home, evidence, "toy", JANUARY)
    sign(home, evidence, "huts", JANUARY)
    wider = home_of(computed, books={"toy": {"streams": ["toy", "huts"]}})
    with pytest.raises(SettingsError, match=r"toy holds toy, huts, and signed 2025-01 with toy.*Set its first_month"):
        Desk(wider, Judged(wider))
    anew = home_of(computed, books={"toy": {"streams": ["toy", "huts"], "first_month": "2025-02"}})
    assert statuses(anew) == {"toy 2025-01": "signed_off", "huts 2025-01": "signed_off", "toy 2025-02": "ready"}
    late_rental(anew)
    assert statuses(anew) == {"toy 2025-01": "reopened", "huts 2025-01": "signed_off", "toy 2025-02": "ready"}
    (approved,) = sign(anew, Judged(anew), "toy", FEBRUARY)
    assert (freeze.place_of(anew.settings, approved) / "hut_month.parquet").exists()
    assert verifying.verify(anew) == []


def test_the_status_beside_a_summary_is_that_of_the_book_of_its_stream(computed: Path) -> None:
    home, evidence = opened(computed)
    sign(home, evidence, "toy", JANUARY)

    @contextmanager
    def recorded(_: Deployment) -> Iterator[Judged]:
        yield evidence

    def read(dataset: str) -> pd.DataFrame:
        asked = {"stream": None, "tenant": None, "live": False, "as_of": None}
        return export.read(home, dataset, [JANUARY], say=lambda _: None, open_evidence=recorded, **asked)

    assert set(read("toy_recon_summary")["sign_off_status"]) == {"signed_off"}
    assert read("close_status")[["book", "status"]].to_numpy().tolist() == [["toy", "signed_off"], ["huts", "ready"]]
    assert read("sign_off_ledger")[["book", "action"]].to_numpy().tolist() == [["toy", "prepare"], ["toy", "approve"]]


def _flags(home: Deployment) -> pd.DataFrame:
    return publish.read_published(home.settings, "batches", None)


def test_a_batch_that_claims_to_have_come_before_a_signature_is_told_until_the_month_is_signed_anew(computed: Path) -> None:
    home, evidence = opened(computed)
    sign(home, evidence, "toy", JANUARY)
    # The signature knew batches up to 2025-03-10; this one came after it and says that it had been there on the 5th.
    backdated = toy_home.put(home.settings, "20250305T000000Z", [toy_home.rental("2025-01", "R-9", "B-1", "10.00", "10.00")])
    late = toy_home.put(home.settings, "20250310T120000Z", [toy_home.rental("2025-01", "R-8", "B-1", "1.00", "1.00")])
    bring_up_to_date(home)

    flags = _flags(home).set_index("batch_id")["backdated"]
    assert flags.loc[[backdated, late]].tolist() == [True, False]
    assert not flags.drop(backdated).any()
    why = status_frame(home, evidence, [JANUARY]).set_index("book")["why"]
    assert f"backdated: {backdated}" in why["toy"]
    assert "backdated" not in why["huts"]

    sign(home, evidence, "toy", JANUARY)
    assert status_frame(home, evidence, [JANUARY]).set_index("book")["why"]["toy"] == ""
    assert _flags(home).set_index("batch_id")["backdated"][backdated]


def _open(home: Deployment) -> dict[str, str]:
    """Return the alerts that are open, with their severities."""
    frame = outbox.frame(home.settings)
    standing = frame[~frame["status"].str.contains("resolved") & (frame["kind"] != "approved")]
    return dict(zip(standing["title"], standing["severity"], strict=True))


def test_what_was_signed_and_stands_is_not_overdue_while_files_come_and_runs_go_on(computed: Path) -> None:
    home, evidence = opened(computed)
    sign(home, evidence, "toy", JANUARY)
    huts.land(home.settings, "20250311T000000Z", {"2025-02": "1.00"})
    evidence.busy = frozenset({"toy", "huts"})
    with clock.held_at(NOW.replace(month=9)):
        tell(home, close_status.close_rows(home, evidence, [JANUARY]))
    assert _open(home) == {"huts 2025-01: close overdue since 2025-02-22, still stale": "critical"}


def test_nothing_is_told_of_a_month_that_has_not_begun_and_of_no_check_of_the_sign_off_before_the_cutoff(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    # Delivered before the cutoff of February, so that a check of its sign-off fails until more comes.
    huts.land(home.settings, "20250301T000000Z")
    bring_up_to_date(home)

    def told(month: int, day: int) -> list[str]:
        with clock.held_at(NOW.replace(month=month, day=day)):
            tell(home, close_status.close_rows(home, Judged(home), [FEBRUARY]))
        return list(_open(home))

    assert told(1, 31) == []
    assert told(3, 7) == []
    assert told(3, 8) == ["huts 2025-02: check huts/hut_month/extract_covers_cutoff failed"]


def test_while_a_month_is_computed_nothing_is_over_and_nothing_new(computed: Path) -> None:
    home, evidence = opened(computed)
    sign(home, evidence, "toy", JANUARY)
    late_rental(home)
    tell(home, close_status.close_rows(home, evidence, [JANUARY]))
    reopened = {"toy 2025-01: signed version 1 reopened": "critical"}
    assert reopened.items() <= _open(home).items()
    evidence.busy = frozenset({"toy"})
    standing = _open(home)
    tell(home, close_status.close_rows(home, evidence, [JANUARY]))
    assert _open(home) == standing


def test_what_became_of_a_signature_is_told_when_the_run_is_through_and_not_at_the_step_that_publishes(computed: Path) -> None:
    home, evidence = opened(computed)
    sign(home, evidence, "toy", JANUARY)
    late_rental(home)
    evidence.busy = frozenset({"toy"})

    def told() -> dict[str, str]:
        with clock.held_at(NOW.replace(month=9)):
            tell(home, close_status.close_rows(home, evidence, [JANUARY]))
        return {title: severity for title, severity in _open(home).items() if title.startswith("toy")}

    # Published as something else, and the run of its month still goes on.
    assert told() == {}
    evidence.busy = frozenset()
    ended = {
        "toy 2025-01: signed version 1 reopened": "critical",
        "toy 2025-01: close overdue since 2025-02-22, still reopened": "critical",
    }
    assert told() == ended
    # The next run on it says nothing of it to be over.
    evidence.busy = frozenset({"toy"})
    assert told() == ended
