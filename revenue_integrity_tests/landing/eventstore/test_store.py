"""The event store: the forms in which events come, what is kept where it is, what is refused, and what survives.

Belongs here: files and their rows. Does not belong here: which versions count (``cloud/test_stages``).
"""

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from revenue_integrity.errors import LandingError
from revenue_integrity.landing import tables
from revenue_integrity.landing.eventstore import day_slices, keeping, key_index, recording, settling, versions
from revenue_integrity.landing.reading import regular
from revenue_integrity.warehouse import database
from revenue_integrity_tests.streams.cloud.support import (
    EVENT_TYPES,
    Cloud,
    Rows,
    charge,
    csv_bytes,
    event,
    gz_bytes,
    json_bytes,
    parquet_bytes,
)
from revenue_integrity_tests.support import environment_of, python

FIRST, SECOND, THIRD = "20250306T000000Z", "20250307T000000Z", "20250308T000000Z"

ROWS = [
    event("E-1", "1.5", ingested_at="2025-03-05T10:00:00Z"),
    event("E-2", "2.000000000001", "2025-03-06", account_id="A-2"),
    event("E-1", "4", ingested_at="2025-03-05T11:00:00Z"),
    event("E-3", "8", tenant_id="T-2", region="", pricing_model="spot"),
    event("E-3", "8", tenant_id="T-2", region="", pricing_model="spot"),
]
"""An event with two versions, one of another account, one of another tenant that came twice."""

COSTS = {("A-1", "2025-03-05"): Decimal(4), ("A-2", "2025-03-06"): Decimal("2.000000000001")}


def typed(**types: pa.DataType) -> pa.Schema:
    """Return the canonical schema with other types for some columns."""
    return pa.schema([(field.name, types.get(field.name, field.type)) for field in EVENT_TYPES])


def as_texts(rows: Rows) -> bytes:
    """Return Parquet all of whose columns are text."""
    return parquet_bytes(rows, pa.schema([(field.name, pa.string()) for field in EVENT_TYPES]))


def as_doubles(rows: Rows) -> bytes:
    """Return Parquet whose costs are floats: exact for so few digits."""
    return parquet_bytes(rows, typed(cost=pa.float64()))


def narrow(rows: Rows) -> bytes:
    """Return Parquet whose costs are decimals of fewer digits."""
    return parquet_bytes(rows, typed(cost=pa.decimal128(18, 12)))


def lower_case(rows: Rows) -> bytes:
    """Return canonical Parquet whose identifiers are not in their normal form."""
    return parquet_bytes([row | {"event_id": str(row["event_id"]).lower().replace("-", "_")} for row in rows])


FORMS: dict[str, Callable[[Rows], bytes]] = {
    "data.csv": csv_bytes,
    "data.csv.gz": gz_bytes,
    "data.json": json_bytes,
    "data.parquet": parquet_bytes,
    "narrow.parquet": narrow,
    "texts.parquet": as_texts,
    "doubles.parquet": as_doubles,
    "lower.parquet": lower_case,
}

IN_PLACE = {"data.parquet", "narrow.parquet"}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_says_the_same(tmp_path: Path, name: str) -> None:
    cloud = Cloud(tmp_path)
    landed = cloud.put("billing_events", FIRST, FORMS[name](ROWS), name)
    cloud.run()
    assert (cloud.days("T-1"), cloud.days("T-2")) == (COSTS, {("A-1", "2025-03-05"): 8})
    assert cloud.outcomes("T-1") == [("E-1", FIRST, 1, "superseded")]
    assert cloud.outcomes("T-2") == [("E-3", FIRST, 5, "duplicate")]
    assert cloud.quarantine() == []
    assert {row["region"] for row in cloud.survivors() if row["tenant_id"] == "T-2"} == {None}
    (kept,) = cloud.kept_files()
    assert (kept.stat().st_ino == landed.stat().st_ino) is (name in IN_PLACE), "kept as it is, or converted"


def test_hashes_do_not_depend_on_the_form(tmp_path: Path) -> None:
    found = []
    for name in ("data.csv", "data.parquet", "doubles.parquet"):
        cloud = Cloud(tmp_path / name)
        # One name, for it is lineage and part of what the outcomes say.
        cloud.put("billing_events", FIRST, FORMS[name](ROWS), f"x{Path(name).suffix}")
        cloud.run()
        found.append({key: each for key, each in cloud.hashes().items() if not key[0].startswith("curated.")})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 6, "two days of three tables"


BAD = [
    event("GOOD-1", 1),
    event("NEGATIVE", "-2"),
    event("", 4),
    event("EURO", 8, currency="EUR"),
    event("GOOD-2", 16),
    event("ENUM", 32, pricing_model="free"),
    event("NAMELESS", 64, account_id=""),
    event("TIMELESS", 128, ingested_at=""),
    event("GOOD-3", 256),
]
"""Good rows 1, 5 and 9 among rows that each have one thing wrong, all of which Parquet can hold."""

REASONS = {2: "cost", 3: "event_id", 4: "currency", 6: "pricing_model", 7: "account_id", 8: "ingested_at"}


@pytest.mark.parametrize("name", ["data.csv", "data.parquet", "texts.parquet", "data.json"])
def test_bad_rows_are_quarantined_with_their_reasons(tmp_path: Path, name: str) -> None:
    cloud = Cloud(tmp_path)
    landed = cloud.put("billing_events", FIRST, FORMS[name](BAD), name)
    cloud.run()
    found = cloud.quarantine()
    assert {row: reasons.split()[0] for _, row, reasons in found} == REASONS
    assert {file for file, _, _ in found} == {name}
    assert cloud.days() == {("A-1", "2025-03-05"): 273}
    assert [row["row_number"] for row in cloud.survivors()] == [1, 5, 9]
    (kept,) = cloud.kept_files()
    assert (kept.stat().st_ino == landed.stat().st_ino) is (name in IN_PLACE), "bad rows are no reason to convert a file"
    assert cloud.rows("select rows_in_file, rows_loaded, rows_quarantined from meta.batches") == [(9, 3, 6)]


def test_text_that_is_no_value_is_quarantined(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(
        FIRST,
        event("DATE", 1, "2025-02-30"),
        event("INSTANT", 2, ingested_at="2025-03-05T25:00:00Z"),
        event("PLACES", "0.0000000000000000001"),
        event("DIGITS", "1" + "0" * 26),
        event("WORD", "free"),
        event("FLAG", 4, is_deleted="perhaps"),
        event("GOOD", 8),
    ).run()
    assert {row: reasons.split()[0] for _, row, reasons in cloud.quarantine()} == {
        1: "usage_date",
        2: "ingested_at",
        3: "cost",
        4: "cost",
        5: "cost",
        6: "is_deleted",
    }
    assert cloud.days() == {("A-1", "2025-03-05"): 8}


MIXED = [
    event("EXPONENT", "1e2"),
    event("SIGN", "+5"),
    event("POINT", ".5", ingested_at="2025-03-05T10:00:00.25Z"),
    event("BLANKS", " 7 "),
    event("OFFSET", "9", ingested_at="2025-03-05 10:00:00+02:00"),
    event("MIDNIGHT", "11", ingested_at="2025-03-05T24:00:00Z"),
    event("FLAG", "13", is_deleted="FALSE"),
    event("DAY", "17", " 2025-03-05"),
    event("lower_case", "19", service_name=" Compute "),
]
"""Texts that say what they mean in some other form, or do not."""


def quoted(content: bytes) -> bytes:
    """Put every field of CSV without quotes into quotes."""
    return b"\n".join(b",".join(b'"' + field + b'"' for field in line.split(b",")) for line in content.splitlines())


@pytest.mark.parametrize("rows", [ROWS, [*BAD, *MIXED], [*ROWS, event("LATE", "1e2")]])
def test_large_csv_is_read_as_a_small_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Rows) -> None:
    found = []
    # Some rows at a time, by the engine and by Arrow.
    monkeypatch.setattr(regular, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(regular, "_BLOCK", 200)
    plain = csv_bytes(rows)
    small = keeping.WORTH_TYPING
    for number, (content, worth_typing) in enumerate([(plain, small), (quoted(plain), small), (plain, 0), (quoted(plain), 0)]):
        monkeypatch.setattr(keeping, "WORTH_TYPING", worth_typing)
        cloud = Cloud(tmp_path / str(number))
        cloud.put("billing_events", FIRST, content, "data.csv")
        cloud.run()
        # What comes later finds its event by the index, however it was made.
        cloud.put("billing_events", SECOND, parquet_bytes([event("E-1", 64, ingested_at="2025-03-06T11:00:00Z")]), "b.parquet")
        cloud.run()
        counts = cloud.rows("select rows_in_file, rows_loaded, rows_quarantined, corrections from meta.batches")
        found.append((cloud.hashes(), cloud.quarantine(), counts, cloud.survivors()))
    assert found == [found[0]] * 4


def test_large_csv_that_is_plain_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "WORTH_TYPING", 0)
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, csv_bytes(ROWS), "data.csv")
    with monkeypatch.context() as patch:
        # The way of text that has to be read with all its forms.
        patch.delattr(keeping.Keeping, "_convert")
        cloud.run()
    assert (cloud.days("T-1"), cloud.days("T-2")) == (COSTS, {("A-1", "2025-03-05"): 8})


@pytest.mark.parametrize(
    "irregular",
    [
        pytest.param(b"E-9,T-1,A-1\n", id="a row is short"),
        pytest.param(b'E-9,T-1,A-1,"Com"pute,eu,on_demand,2025-03-05,1,USD,2025-03-05T10:00:00Z,false\n', id="a quote is stray"),
        pytest.param(
            f"E-9,T-1,A-1,{'x' * 3_000_000}_,eu,x,2025-03-05,1,USD,2025-03-05T10:00:00Z,\n".encode(), id="a row is long"
        ),
    ],
)
def test_large_csv_that_is_not_what_it_looks_like_is_told_as_a_small_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, irregular: bytes
) -> None:
    found = []
    content = csv_bytes(ROWS) + irregular + csv_bytes([event("E-8", 1)]).split(b"\n", 1)[1]
    for name, worth_typing in (("small", keeping.WORTH_TYPING), ("large", 0)):
        monkeypatch.setattr(keeping, "WORTH_TYPING", worth_typing)
        cloud = Cloud(tmp_path / name)
        cloud.put("billing_events", FIRST, content, "data.csv")
        cloud.run()
        found.append((cloud.hashes(), cloud.quarantine(), cloud.survivors()))
    assert found[0] == found[1]


def test_negative_events_count_where_they_are_declared_signed(tmp_path: Path) -> None:
    for name in ("data.csv", "data.parquet"):
        cloud = Cloud(tmp_path / name, billing_events_cost_sign="signed")
        cloud.put("billing_events", FIRST, FORMS[name](BAD[:2]), name)
        cloud.run()
        assert (cloud.days(), cloud.quarantine()) == ({("A-1", "2025-03-05"): -1}, [])


def test_bad_version_is_no_version(tmp_path: Path) -> None:
    # The later version is bad, so the earlier one still counts; nothing is dropped silently.
    for name in ("data.csv", "data.parquet"):
        cloud = Cloud(tmp_path / name)
        rows = [event("E", 5, ingested_at="2025-03-05T10:00:00Z"), event("E", "-6", ingested_at="2025-03-05T11:00:00Z")]
        cloud.put("billing_events", FIRST, FORMS[name](rows), name)
        cloud.run()
        assert (cloud.days(), cloud.outcomes()) == ({("A-1", "2025-03-05"): 5}, [])
        assert [row for _, row, _ in cloud.quarantine()] == [2]


@pytest.mark.parametrize("write", [csv_bytes, parquet_bytes])
def test_optional_columns_may_lack(tmp_path: Path, write: Callable[..., bytes]) -> None:
    left = [name for name in EVENT_TYPES.names if name not in ("tenant_id", "region", "is_deleted")]
    content = (
        csv_bytes([event("E", 5)], left)
        if write is csv_bytes
        else parquet_bytes([event("E", 5)], pa.schema([EVENT_TYPES.field(name) for name in left]))
    )
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, content, "data.csv" if write is csv_bytes else "data.parquet")
    cloud.run()
    assert cloud.days("DEFAULT") == {("A-1", "2025-03-05"): 5}
    assert cloud.rows("select status, error from meta.batches") == [("loaded", None)]


def test_required_column_that_lacks_refuses_the_batch(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    left = [name for name in EVENT_TYPES.names if name != "cost"]
    cloud.put("billing_events", FIRST, csv_bytes([event("E", 5)], left))
    cloud.put(
        "billing_events",
        SECOND,
        parquet_bytes([event("E", 5)], pa.schema([EVENT_TYPES.field(name) for name in left])),
        "x.parquet",
    )
    cloud.events(THIRD, event("F", 7)).run()
    assert cloud.days() == {("A-1", "2025-03-05"): 7}
    rejected = cloud.rows("select batch_id, error from meta.batches where status = 'rejected' order by all")
    assert [batch_id.rsplit("/", 1)[1] for batch_id, _ in rejected] == [FIRST, SECOND]
    assert all("cost" in error for _, error in rejected)


def test_file_that_cannot_be_read_refuses_its_batch_and_no_other(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(FIRST, event("E", 5), file_name="a.csv")
    cloud.put("billing_events", FIRST, b"PAR1 this is no parquet", "b.parquet")
    cloud.events(SECOND, event("F", 7)).run()
    assert cloud.days() == {("A-1", "2025-03-05"): 7}, "a batch counts whole or not at all"
    assert len(cloud.kept_files()) == 1


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_unknown_columns_are_recorded_and_ignored(tmp_path: Path, name: str) -> None:
    rows = [event("E", 5, x_team="blue")]
    schema = pa.schema([*EVENT_TYPES, ("x_team", pa.string())])
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, csv_bytes(rows) if name == "data.csv" else parquet_bytes(rows, schema), name)
    cloud.run()
    assert cloud.days() == {("A-1", "2025-03-05"): 5}
    assert cloud.rows("select unknown_columns from meta.batches") == [("x_team",)]


@pytest.mark.parametrize("name", ["data.csv", "data.parquet", "data.csv.gz"])
def test_file_without_rows_is_a_delivery_of_nothing(tmp_path: Path, name: str) -> None:
    cloud = Cloud(tmp_path)
    content = {
        "data.csv": csv_bytes([], EVENT_TYPES.names),
        "data.parquet": parquet_bytes([]),
        "data.csv.gz": gzip.compress(csv_bytes([], EVENT_TYPES.names)),
    }[name]
    cloud.put("billing_events", FIRST, content, name)
    cloud.events(SECOND, event("E", 5)).run()
    assert cloud.days() == {("A-1", "2025-03-05"): 5}
    assert cloud.rows("select status, rows_in_file from meta.batches order by batch_id") == [("loaded", 0), ("loaded", 1)]


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_landed_file_that_is_gone_is_still_computed_from(tmp_path: Path, name: str) -> None:
    cloud = Cloud(tmp_path)
    landed = cloud.put("billing_events", FIRST, FORMS[name](ROWS), name)
    cloud.ingest()
    landed.unlink()
    cloud.compute()
    assert cloud.days() == COSTS
    # A correction that comes later still meets the versions in it.
    cloud.events(SECOND, event("E-1", 32, ingested_at="2025-03-06T11:00:00Z")).run()
    assert cloud.days() == COSTS | {("A-1", "2025-03-05"): Decimal(32)}
    assert len(cloud.survivors()) == 3


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_landed_file_that_changes_is_seen_and_not_believed(tmp_path: Path, name: str) -> None:
    cloud = Cloud(tmp_path)
    landed = cloud.put("billing_events", FIRST, FORMS[name](ROWS), name)
    cloud.run()
    # Another file under the same name; the store's link still names the first.
    landed.unlink()
    landed.write_bytes(FORMS[name]([event("E-9", 99)]))
    report = cloud.ingest()
    cloud.compute()
    assert [violation.batch_id for violation in report.changed] == [f"cloud/billing_events/{FIRST}"]
    assert cloud.days() == COSTS


def test_rebuild_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
    cloud.events(SECOND, event("E-1", 32, ingested_at="2025-03-06T11:00:00Z")).run()
    before, slices, files = cloud.hashes(), cloud.raw_slices(), cloud.kept_files()
    monkeypatch.setattr(tables, "RULES_VERSION", "another")
    report = cloud.ingest()
    assert report.rebuilt
    assert cloud.compute() == {}, "nothing is stale"
    assert (cloud.hashes(), cloud.raw_slices()) == (before, slices)
    assert {path.name for path in cloud.kept_files()} == {path.name for path in files}
    assert not any(path.exists() for path in files), "the files of the generation before are gone"
    assert all(path.exists() for path in cloud.kept_files())


def test_setting_that_files_are_kept_by_builds_the_store_again(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.focus(
        FIRST,
        {"BilledCost": "5", "BillingPeriodStart": "2025-03-01", "ChargePeriodStart": "2025-03-05", "BillingAccountId": "B-1"},
    )
    cloud.run()
    assert cloud.days("DEFAULT") == {("B-1", "2025-03-05"): 5}
    other = Cloud(tmp_path, cloud.connection, tenant_of_billing_account={"B-1": "ACME"})
    assert other.ingest().rebuilt
    other.compute()
    assert (other.days("DEFAULT"), other.days("ACME")) == ({}, {("B-1", "2025-03-05"): 5})


def test_names_in_the_setting_of_tenants_are_read_as_identifiers_are(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, tenant_of_billing_account={" b_1 ": "acme"})
    cloud.focus(
        FIRST,
        {"BilledCost": "5", "BillingPeriodStart": "2025-03-01", "ChargePeriodStart": "2025-03-05", "BillingAccountId": "B-1"},
    )
    cloud.run()
    assert cloud.days("ACME") == {("B-1", "2025-03-05"): 5}


def test_rebuild_is_refused_where_a_landed_file_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(tmp_path)
    landed = cloud.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
    cloud.run()
    before = cloud.hashes()
    landed.unlink()
    monkeypatch.setattr(tables, "RULES_VERSION", "another")
    with pytest.raises(LandingError, match=FIRST):
        cloud.ingest()
    assert (cloud.hashes(), cloud.days()) == (before, COSTS)
    assert len(cloud.survivors()) == 3


# --- Whatever ends an ingestion, the state before it stays whole, and the next one completes it. ---


class StoppedError(Exception):
    """What ends an ingestion here."""


STEPS = (
    (keeping.Keeping, "stage"),
    (recording, "store_bad"),
    (recording, "number"),
    (recording, "note_days"),
    (versions, "note_versions"),
    (settling, "settle"),
    (day_slices, "refresh"),
)


def test_ingestion_that_ends_anywhere_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
    cloud.run()
    before, rows = cloud.hashes(), cloud.survivors()
    # A canonical file with bad rows, one to convert, and corrections of what stands.
    later = "2025-03-06T11:00:00Z"
    cloud.put("billing_events", SECOND, parquet_bytes([event("E-1", 32, ingested_at=later), *BAD]), "a.parquet")
    moved = event("E-2", 64, "2025-03-07", account_id="A-2", ingested_at=later)
    cloud.put("billing_events", SECOND, csv_bytes([moved]), "b.csv")
    for place, step in STEPS:
        original = getattr(place, step)

        def interrupted(*arguments: object, _original: Callable[..., object] = original) -> None:
            _original(*arguments)
            raise StoppedError

        with monkeypatch.context() as patch:
            patch.setattr(place, step, interrupted)
            with pytest.raises(StoppedError):
                cloud.ingest()
        assert cloud.compute() == {}, step
        assert (cloud.hashes(), cloud.survivors()) == (before, rows), step
    cloud.run()
    assert cloud.days() == {("A-1", "2025-03-05"): 32 + 273, ("A-2", "2025-03-07"): 64}
    referred = set(cloud.kept_files())
    left = {file for file in (tmp_path / "events").rglob("*") if file.is_file() and file.suffix != ".keys"}
    assert left == referred, "nothing of the ingestions that ended stays behind"


def test_interrupted_rebuild_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
    cloud.run()
    before, rows = cloud.hashes(), cloud.survivors()
    monkeypatch.setattr(tables, "RULES_VERSION", "another")
    with monkeypatch.context() as patch:
        patch.setattr(settling, "settle", lambda work: (_ for _ in ()).throw(StoppedError()))
        with pytest.raises(StoppedError):
            cloud.ingest()
    assert (cloud.hashes(), cloud.survivors()) == (before, rows)
    assert cloud.ingest().rebuilt
    assert cloud.compute() == {}
    assert (cloud.hashes(), cloud.survivors()) == (before, rows)


KILLED = """
import os, signal
from revenue_integrity.landing import ingest
from revenue_integrity.landing.eventstore import day_slices
from revenue_integrity.streams.registry import load_settings
from revenue_integrity.streams.cloud.sources import EVENT_SOURCES
from revenue_integrity.warehouse import database
original = day_slices.refresh
def killed(work):
    original(work)
    os.kill(os.getpid(), signal.SIGKILL)
day_slices.refresh = killed
settings = load_settings()
with database.connect(settings) as connection:
    ingest.ingest(connection, settings.landing_path, EVENT_SOURCES, settings)
"""


def test_killed_ingestion_is_completed_by_the_next(tmp_path: Path) -> None:
    settings = Cloud(tmp_path).settings
    with database.connect(settings) as connection:
        cloud = Cloud(tmp_path, connection)
        cloud.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
        cloud.run()
        before, rows = cloud.hashes(), cloud.survivors()
    cloud.put("billing_events", SECOND, parquet_bytes([event("E-1", 32, ingested_at="2025-03-06T11:00:00Z")]), "a.parquet")
    ended = python(KILLED, environment=environment_of(settings))
    assert ended.returncode == -9, ended.stderr
    with database.connect(settings) as connection:
        cloud = Cloud(tmp_path, connection)
        assert (cloud.hashes(), cloud.survivors()) == (before, rows)
        assert cloud.compute() == {}
        cloud.run()
        assert cloud.days() == COSTS | {("A-1", "2025-03-05"): Decimal(32)}
        whole = cloud.hashes()
    other = Cloud(tmp_path / "other")
    other.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
    other.put("billing_events", SECOND, parquet_bytes([event("E-1", 32, ingested_at="2025-03-06T11:00:00Z")]), "a.parquet")
    other.run()
    assert other.hashes() == whole


def test_full_disk_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(FIRST, *ROWS).run()
    before = cloud.hashes()
    cloud.put("billing_events", SECOND, parquet_bytes([event("E-1", 32, ingested_at="2025-03-06T11:00:00Z")]), "a.parquet")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        # No link, and no room for a copy.
        patch.setattr(keeping.os, "link", full)
        patch.setattr(keeping.shutil, "copyfile", full)
        with pytest.raises(OSError, match="No space left"):
            cloud.ingest()
    assert cloud.hashes() == before
    cloud.run()
    assert cloud.days() == COSTS | {("A-1", "2025-03-05"): Decimal(32)}


def test_other_file_system_costs_a_copy_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(keeping.os, "link", refused)
    cloud = Cloud(tmp_path)
    landed = cloud.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
    cloud.run()
    (kept,) = cloud.kept_files()
    assert kept.read_bytes() == landed.read_bytes()
    assert kept.stat().st_ino != landed.stat().st_ino
    assert cloud.days() == COSTS


def test_batches_count_what_became_of_their_rows(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.events(FIRST, *ROWS, event("BAD", "-1")).run()
    cloud.events(SECOND, event("E-1", 32, ingested_at="2025-03-06T11:00:00Z"), ROWS[1]).run()
    counts = "rows_in_file, rows_loaded, rows_quarantined, exact_duplicates, corrections"
    assert cloud.rows(f"select {counts} from meta.batches order by batch_id") == [(6, 4, 1, 1, 1), (2, 1, 0, 1, 1)]
    # Whichever was read first: a correction is what has an earlier version.
    other = Cloud(tmp_path / "other")
    other.events(SECOND, event("E-1", 32, ingested_at="2025-03-06T11:00:00Z"), ROWS[1]).run()
    other.events(FIRST, *ROWS, event("BAD", "-1")).run()
    assert other.rows(f"select {counts} from meta.batches order by batch_id") == [(6, 4, 1, 1, 1), (2, 1, 0, 1, 1)]


@pytest.mark.parametrize("lost", ["*.parquet", "*.keys", "*"])
def test_files_that_are_lost_are_made_again(tmp_path: Path, lost: str) -> None:
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, parquet_bytes(ROWS), "a.parquet")
    cloud.events(SECOND, event("E-1", 32, ingested_at="2025-03-06T11:00:00Z"), event("BAD", "-1")).focus(THIRD, charge("7"))
    cloud.run()
    before = cloud.hashes(), cloud.survivors(), cloud.raw_slices()
    for file in (tmp_path / "events").rglob(lost):
        if file.is_file():
            file.unlink()
    assert cloud.ingest().rebuilt
    assert cloud.compute() == {}, "nothing that was computed rests on anything else than before"
    assert (cloud.hashes(), cloud.survivors(), cloud.raw_slices()) == before
    assert not cloud.ingest().rebuilt


def test_equal_hashes_make_only_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Were two events to share what the index holds of their hash, both would be looked at, and both would still count.
    entries_of = key_index.entries_of
    monkeypatch.setattr(key_index, "entries_of", lambda hashes, rows, file_rows: entries_of(hashes & 0, rows, file_rows))
    cloud = Cloud(tmp_path)
    cloud.events(FIRST, *(event(f"E-{number}", 1) for number in range(20))).run()
    assert cloud.days() == {("A-1", "2025-03-05"): 20}
    assert cloud.outcomes() == []


def test_no_event_stands_in_a_table_of_the_warehouse(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", FIRST, parquet_bytes([event(f"E-{number}", 1) for number in range(500)]), "a.parquet")
    cloud.run()
    tables = cloud.rows("select schema_name || '.' || table_name from duckdb_tables() where not temporary")
    most = max(cloud.rows(f"select count(*) from {table}")[0][0] for (table,) in tables)
    assert most < 20


def test_bad_version_leaves_no_trace_in_what_the_stages_read(tmp_path: Path) -> None:
    # Whichever is read first, the good row stands alone: no order of reading may make its day look touched.
    good, bad = event("E", 5), event("E", "-5", tenant_id="T-1")
    found = []
    for name, arrivals in (("at_once", [(FIRST, good), (SECOND, bad)]), ("good", [(FIRST, good)]), ("bad", [(SECOND, bad)])):
        cloud = Cloud(tmp_path / name)
        for arrival, row in arrivals:
            cloud.events(arrival, row)
        cloud.run()
        for arrival, row in {FIRST: good, SECOND: bad}.items():
            if (arrival, row) not in arrivals:
                cloud.events(arrival, row)
        cloud.run()
        found.append((cloud.raw_slices(), cloud.hashes()))
    assert found[0] == found[1] == found[2]
    assert not any(slice_name.startswith("claims/") for slice_name in found[0][0])
