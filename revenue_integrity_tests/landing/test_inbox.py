"""What is dropped into the inbox becomes one batch, once: whole, in order, whatever is killed in between."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from revenue_integrity import clock
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.errors import UsageError
from revenue_integrity.landing import inbox
from revenue_integrity.landing.inbox import Taken, take_in
from revenue_integrity.model.source import Source
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.stream import SALES
from revenue_integrity_tests.processes import Program

ROW = {"transaction_id": "T-1", "customer_id": "C-1", "price": 5, "quantity": 1, "date": "2024-03-05"}


def source_of(stream: str, name: str) -> Source:
    if stream != "sales":
        raise UsageError(f"there is no stream '{stream}'", "Choose another")
    return SALES.source(name)


@pytest.fixture
def settings(tmp_path: Path) -> SalesSettings:
    return SalesSettings(home=tmp_path, first_month="2024-03", last_month="2024-03", threads=1)


@pytest.fixture
def later() -> Iterator[datetime]:
    """Hold the clock a while after whatever is dropped, for the file system notes its own time."""
    now = datetime.now(UTC) + timedelta(hours=1)
    with clock.held_at(now):
        yield now.replace(microsecond=0)


def drop(settings: SalesSettings, name: str, content: str = json.dumps([ROW]), source: str = "transactions") -> Path:
    file = settings.home / "inbox" / "sales" / source / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


def landed(settings: SalesSettings, source: str = "transactions") -> dict[str, list[str]]:
    """Return the batches of a source that have files, with their names."""
    found = sorted((settings.landing_path / "sales" / source).glob("[!._]*"))
    return {each.name: files for each in found if (files := sorted(file.name for file in each.iterdir()))}


def lying(settings: SalesSettings, where: str) -> list[str]:
    """Return what lies in a part of the inbox, without arrivals."""
    place = settings.home / "inbox" / where
    files = sorted(each for each in place.rglob("*") if each.is_file())
    return ["/".join((*each.relative_to(place).parts[:2], *each.relative_to(place).parts[3:])) for each in files]


@pytest.mark.usefixtures("later")
def test_a_file_that_is_whole_becomes_a_batch_and_lies_among_the_processed(settings: SalesSettings, later: datetime) -> None:
    drop(settings, "shop.json")
    arrival = f"{later + timedelta(seconds=1):%Y%m%dT%H%M%SZ}"
    assert take_in(settings, source_of) == [Taken("sales/transactions/shop.json", batch_id=f"sales/transactions/{arrival}")]
    assert landed(settings) == {arrival: ["shop.json"]}
    assert lying(settings, "_processed") == ["sales/transactions/shop.json"]
    assert lying(settings, "_taking") == []
    assert take_in(settings, source_of) == []


def test_a_file_that_is_still_written_waits(settings: SalesSettings) -> None:
    now = datetime.now(UTC)
    file = drop(settings, "shop.json")
    # A copy that keeps the time of its original looks old and is not.
    os.utime(file, (0, 0))
    with clock.held_at(now + timedelta(seconds=30)):
        assert take_in(settings, source_of) == []
    with clock.held_at(now + timedelta(seconds=90)):
        assert len(take_in(settings, source_of)) == 1


def test_who_says_that_a_file_is_whole_need_not_wait(settings: SalesSettings) -> None:
    drop(settings, "shop.json")
    drop(settings, "shop.json.done", "")
    assert [each.item for each in take_in(settings, source_of)] == ["sales/transactions/shop.json"]
    # The next one of this name waits again.
    assert not (settings.home / "inbox" / "sales" / "transactions" / "shop.json.done").exists()


@pytest.mark.usefixtures("later")
def test_a_folder_is_one_batch_and_an_unfinished_file_in_it_holds_it_back(settings: SalesSettings) -> None:
    folder = settings.home / "inbox" / "sales" / "transactions" / "day"
    folder.mkdir(parents=True)
    for name in ("a.json", "b.json"):
        (folder / name).write_text(json.dumps([{**ROW, "transaction_id": f"T-{name[0]}"}]), encoding="utf-8")
    (folder / "c.json.part").write_text("[", encoding="utf-8")
    assert take_in(settings, source_of) == []
    (folder / "c.json.part").unlink()
    assert [each.item for each in take_in(settings, source_of)] == ["sales/transactions/day"]
    assert list(landed(settings).values()) == [["a.json", "b.json"]]


@pytest.mark.usefixtures("later")
def test_what_is_no_item_stays_where_it_is(settings: SalesSettings) -> None:
    names = [".hidden.json", "_note.json", "a.tmp", "a.part", "a.filepart", "a.crdownload", "a.json.done", "empty.json"]
    for name in names:
        drop(settings, name, "" if name == "empty.json" else "[]")
    (settings.home / "outside.json").write_text(json.dumps([ROW]), encoding="utf-8")
    (settings.home / "inbox" / "sales" / "transactions" / "link.json").symlink_to(settings.home / "outside.json")
    assert take_in(settings, source_of) == []
    there = {each.name for each in (settings.home / "inbox" / "sales" / "transactions").iterdir()}
    assert there == {*names, "link.json"}


@pytest.mark.usefixtures("later")
def test_items_arrive_in_the_order_of_their_times_a_second_apart(settings: SalesSettings, later: datetime) -> None:
    for age, name in ((20, "second.json"), (10, "third.json"), (30, "first.json")):
        file = drop(settings, name)
        os.utime(file, (later.timestamp() - age, later.timestamp() - age))
    taken = take_in(settings, source_of)
    assert [each.item.rpartition("/")[2] for each in taken] == ["first.json", "second.json", "third.json"]
    assert list(landed(settings)) == [f"{later + timedelta(seconds=each):%Y%m%dT%H%M%SZ}" for each in (1, 2, 3)]


@pytest.mark.usefixtures("later")
def test_the_same_content_again_is_another_batch(settings: SalesSettings) -> None:
    for content in ("a", "b", "a"):
        drop(settings, "shop.json", json.dumps([{**ROW, "product_name": content}]))
        take_in(settings, source_of)
    assert len(landed(settings)) == 3
    assert lying(settings, "_processed") == ["sales/transactions/shop.json"] * 3


@pytest.mark.usefixtures("later")
def test_what_is_no_batch_is_rejected_with_its_reason_and_an_alert_as_long_as_it_lies_there(settings: SalesSettings) -> None:
    drop(settings, "broken.json", "[{")
    drop(settings, "good.json")
    refused, taken = take_in(settings, source_of)
    assert "broken.json" in refused.refused
    assert taken.batch_id
    assert lying(settings, "_rejected") == ["sales/transactions/broken.json", "sales/transactions/broken.json.reason.txt"]
    assert len(landed(settings)) == 1
    ((item, reason),) = inbox.rejected(settings)
    assert item.endswith("/broken.json")
    assert refused.refused in reason
    assert outbox.raise_alert(settings, events.inbox_rejected(item, reason))
    shutil.rmtree(settings.home / "inbox" / "_rejected")
    assert inbox.rejected(settings) == []


@pytest.mark.usefixtures("later")
def test_a_folder_of_folders_is_rejected(settings: SalesSettings) -> None:
    folder = settings.home / "inbox" / "sales" / "transactions" / "day"
    (folder / "deeper").mkdir(parents=True)
    (folder / "deeper" / "a.json").write_text("[]", encoding="utf-8")
    (refused,) = take_in(settings, source_of)
    assert refused.refused.startswith("day/deeper is not a file")


@pytest.mark.usefixtures("later")
def test_a_full_disk_is_no_refusal(settings: SalesSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(settings, "shop.json")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("revenue_integrity.landing.zone.shutil.copyfile", full)
        (left,) = take_in(settings, source_of)
    assert "No space left" in left.left
    assert lying(settings, "_taking") == ["sales/transactions/shop.json"]
    (taken,) = take_in(settings, source_of)
    assert taken.batch_id
    assert len(landed(settings)) == 1


@pytest.mark.usefixtures("later")
def test_what_cannot_be_taken_away_is_told_and_not_landed(settings: SalesSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(settings, "shop.json")

    def fixed(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.rename", fixed)
        (left,) = take_in(settings, source_of)
    assert left == Taken("sales/transactions/shop.json", left="it cannot be moved: Permission denied")
    assert list((settings.landing_path / "sales" / "transactions").iterdir()) == []


@pytest.mark.usefixtures("later")
def test_a_source_that_does_not_exist_is_told_and_left(settings: SalesSettings) -> None:
    file = settings.home / "inbox" / "nosuch" / "thing" / "a.json"
    file.parent.mkdir(parents=True)
    file.write_text("[]", encoding="utf-8")
    assert take_in(settings, source_of) == [Taken("nosuch/thing/a.json", left="there is no stream 'nosuch'")]
    assert file.exists()


@pytest.mark.usefixtures("later")
def test_a_mapping_beside_them_applies_to_the_files_of_a_folder(settings: SalesSettings) -> None:
    mapping = 'stream = "sales"\nsource = "products"\n\n[columns]\nproduct_id = "Nr"\nproduct_name = "Titel"\n'
    drop(settings, "mapping.toml", mapping, "products")
    drop(settings, "katalog.csv", "Nr,Titel\nP-1,Tisch\n", "products")
    (taken,) = take_in(settings, source_of)
    assert taken.batch_id, taken
    assert len(landed(settings, "products")) == 1
    assert (settings.home / "inbox" / "sales" / "products" / "mapping.toml").exists()


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from revenue_integrity import clock
from revenue_integrity.landing.inbox import take_in
from revenue_integrity_tests.landing.test_inbox import source_of
from revenue_integrity.streams.sales.settings import SalesSettings

home, point, now, *steps = sys.argv[1:]
left = int(point)

def counted(call):
    def called(*arguments, **more):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **more)
    return called

settings = SalesSettings(home=Path(home), first_month="2024-03", last_month="2024-03", threads=1)
for name in steps:
    setattr(os, name, counted(getattr(os, name)))
with clock.held_at(datetime.fromisoformat(now)):
    take_in(settings, source_of)
print(left)
"""


@pytest.mark.parametrize(
    ("name", "steps"), [("shop.json", ("mkdir", "rename", "replace")), ("broken.json", ("rename", "replace", "unlink"))]
)
def test_killed_at_any_step_nothing_is_lost_and_nothing_lands_twice(tmp_path: Path, name: str, steps: tuple[str, ...]) -> None:
    now = datetime.now(UTC) + timedelta(hours=1)
    content = "[{" if name == "broken.json" else json.dumps([ROW])
    killed = 0
    while True:
        home = tmp_path / str(killed)
        settings = SalesSettings(home=home, first_month="2024-03", last_month="2024-03", threads=1)
        drop(settings, name, content)
        drop(settings, f"{name}.done", "")
        with Program(KILLED, str(home), str(killed + 1), now.isoformat(), *steps) as program:
            printed, said = program.communicate()
        ended = program.wait()
        with clock.held_at(now + timedelta(minutes=1)):
            take_in(settings, source_of)
            take_in(settings, source_of)
        assert (lying(settings, "_taking"), len(landed(settings))) == ([], int(name == "shop.json")), killed
        where, files = ("_processed", [name]) if name == "shop.json" else ("_rejected", [name, f"{name}.reason.txt"])
        assert lying(settings, where) == [f"sales/transactions/{each}" for each in files], killed
        assert not (settings.home / "inbox" / "sales" / "transactions" / name).exists()
        if ended == 0:
            break
        assert ended == -9, said
        killed += 1
    # The steps there are: claiming, taking away, landing, putting away.
    assert killed >= 4, printed
