"""The landing zone: what is a batch, and how one is put there."""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from revenue_integrity import clock
from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.landing.zone import covers_of, digest_of, land, parse_arrival, scan
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.sources import METER_READINGS, SOURCES
from revenue_integrity_tests.landing.support import Store, csv_text, put_rows, put_world, row

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "readings.csv"
    path.write_text(csv_text([row("meter_readings"), row("meter_readings", kwh="-1")]))
    return path


def test_an_arrival_is_an_instant_in_utc() -> None:
    assert parse_arrival("20250407T093000Z") == datetime(2025, 4, 7, 9, 30, tzinfo=UTC)
    for text in ("20250431T000000Z", "20250407T093000", "2025-04-07T09:30:00Z", "20250407T246000Z", ""):
        with pytest.raises(UsageError, match="is not an arrival"):
            parse_arrival(text)


def test_a_digest_is_of_names_and_contents_in_any_order() -> None:
    assert digest_of([("a", "1"), ("b", "2")]) == digest_of([("b", "2"), ("a", "1")])
    assert len({digest_of(each) for each in ([("a", "1")], [("a", "2")], [("b", "1")], [("a", "1"), ("b", "1")])}) == 4


def test_names_that_begin_with_a_dot_or_underscore_are_not_there(tmp_path: Path) -> None:
    put_rows(tmp_path, "sites", "20250101T000000Z", row("sites"))
    for name in (".landing-x", "_old"):
        put_rows(tmp_path, "sites", name, row("sites"))
        put_rows(tmp_path, "sites", "20250101T000000Z", row("sites"), file_name=f"{name}.csv")
    found = scan(tmp_path, SOURCES)
    assert [(batch.batch_id, [file.name for file in batch.files]) for batch in found.batches] == [
        ("colocation/sites/20250101T000000Z", ["data.csv"])
    ]
    assert found.ignored == ()


def test_what_is_no_batch_is_told(tmp_path: Path) -> None:
    put_rows(tmp_path, "sites", "2025-01-01", row("sites"))
    put_rows(tmp_path, "site", "20250101T000000Z", row("sites"))
    (tmp_path / "colocation" / "sites" / "20250101T000000Z").mkdir()
    (tmp_path / "colocation" / "notes.txt").write_text("")
    assert scan(tmp_path, SOURCES).batches == ()
    assert scan(tmp_path, SOURCES).ignored == (
        "colocation/notes.txt is not a directory",
        "colocation/site is no source of this stream",
        "colocation/sites/2025-01-01 is not named after an arrival (YYYYMMDDTHHMMSSZ)",
        "colocation/sites/20250101T000000Z holds no file",
    )


def test_a_directory_in_a_batch_refuses_it(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    put_rows(landing, "sites", "20250101T000000Z", row("sites")).parent.joinpath("more").mkdir()
    assert Store(landing).ingest().rejected == {"colocation/sites/20250101T000000Z": "more is not a file"}


def test_a_link_that_leads_to_itself_refuses_its_batch_and_no_other(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    file = put_rows(landing, "sites", "20250101T000000Z", row("sites")).with_name("again.csv")
    file.symlink_to(file)
    put_rows(landing, "sites", "20250102T000000Z", row("sites"))
    report = Store(landing).ingest()
    assert report.loaded == ["colocation/sites/20250102T000000Z"]
    (reason,) = report.rejected.values()
    assert reason.startswith("again.csv cannot be looked at (")


def test_landing_puts_a_batch_there_and_tells_what_will_be_refused(settings: Settings, file: Path) -> None:
    landed = land(settings, METER_READINGS, [file], NOON)
    assert landed.batch_id == "colocation/meter_readings/20250310T120000Z"
    assert (landed.rows, landed.quarantined, landed.reasons) == (2, 1, ("readings.csv row 2: kwh is negative",))
    assert (settings.landing_path / landed.batch_id / "readings.csv").read_bytes() == file.read_bytes()
    assert [path.name for path in (settings.landing_path / "colocation" / "meter_readings").iterdir()] == ["20250310T120000Z"]
    put_world(settings.landing_path)
    store = Store(settings.landing_path)
    store.ingest()
    assert store.rows("select digest from meta.batches where source = 'meter_readings'") == [(landed.digest,)]


def test_landing_takes_the_next_free_second(settings: Settings, file: Path) -> None:
    with clock.held_at(NOON):
        arrivals = [land(settings, METER_READINGS, [file]).path.name for _ in range(3)]
    assert arrivals == ["20250310T120000Z", "20250310T120001Z", "20250310T120002Z"]


def test_a_batch_that_is_there_is_not_replaced(settings: Settings, file: Path) -> None:
    land(settings, METER_READINGS, [file], NOON)
    with pytest.raises(LandingError, match=r"there is a batch .* already"):
        land(settings, METER_READINGS, [file], NOON)


def test_what_would_be_rejected_is_refused(settings: Settings, file: Path) -> None:
    broken = file.with_name("broken.csv")
    broken.write_text("meter_id,kwh\nM1,1\n")
    with pytest.raises(LandingError, match=r"broken\.csv lacks the columns contract_id, site_id"):
        land(settings, METER_READINGS, [file, broken], NOON)
    assert list((settings.landing_path / "colocation" / "meter_readings").iterdir()) == []


def test_files_must_be_there_and_be_named_well(settings: Settings, file: Path) -> None:
    for name, reason in (("none.csv", "there is no file"), ("_a.csv", "its name begins with '_'"), ("a.xlsx", "is none of")):
        if name != "none.csv":
            file.with_name(name).write_bytes(file.read_bytes())
        with pytest.raises(LandingError, match=reason):
            land(settings, METER_READINGS, [file.with_name(name)], NOON)
    with pytest.raises(UsageError, match="no file is given"):
        land(settings, METER_READINGS, [], NOON)


def test_two_files_of_one_name_are_refused(settings: Settings, file: Path) -> None:
    other = file.parent / "other" / file.name
    other.parent.mkdir()
    other.write_bytes(file.read_bytes())
    with pytest.raises(LandingError, match="two files are named"):
        land(settings, METER_READINGS, [file, other], NOON)


def test_what_is_said_of_a_batch_is_part_of_it_and_no_data(settings: Settings, file: Path) -> None:
    plain = land(settings, METER_READINGS, [file], NOON)
    spoken = land(settings, METER_READINGS, [file], NOON.replace(hour=13), [date(2025, 2, 1), date(2024, 12, 1)])
    assert (spoken.path / "_batch.json").read_text() == '{"covers": "2024-12:2025-02"}\n'
    digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (file, spoken.path / "_batch.json")]
    assert spoken.digest == digest_of([("readings.csv", digests[0]), ("_batch.json", digests[1])]) != plain.digest
    assert (spoken.rows, plain.rows) == (2, 2)
    found = scan(settings.landing_path, SOURCES).batches
    assert [[each.name for each in batch.files] for batch in found] == [["readings.csv"], ["readings.csv"]]
    assert [covers_of(batch) for batch in found] == ["", "2024-12:2025-02"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"covers": "soon"}', '{"covers": 7}', '{"covers": "2025-03:2025-01"}', '"x"', "[" * 100_000]
)
def test_what_is_said_of_a_batch_must_be_readable(settings: Settings, file: Path, text: str) -> None:
    landed = land(settings, METER_READINGS, [file], NOON)
    (landed.path / "_batch.json").write_text(text)
    (batch,) = scan(settings.landing_path, SOURCES).batches
    with pytest.raises(LandingError, match=r"_batch\.json does not say which months the batch covers"):
        covers_of(batch)
