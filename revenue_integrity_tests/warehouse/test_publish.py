"""Publishing: a reader sees an old month or a new one, whatever happens in between."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pandas.testing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity import clock
from revenue_integrity.errors import PublishError
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.hashing import empty_digest
from revenue_integrity.warehouse.storage import arrow_schema
from revenue_integrity_tests.support import APRIL, MARCH, SAMPLE, hash_of, home_settings, python, sample_rows

DISK_FULL = """
import pathlib, resource
from revenue_integrity.errors import PublishError
from revenue_integrity_tests.support import home_settings, sample_rows
from revenue_integrity_tests.warehouse.test_publish import put
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    put(home_settings(pathlib.Path({home!r})), ids=("A-1", "B-2", "C-3"), content_hash="new")
except PublishError as error:
    print(error)
"""


def put(settings: Settings, *, ids: tuple[str, ...] = ("A-1", "B-2"), content_hash: str, month: Any = MARCH) -> bool:
    """Publish some rows under a hash."""
    rows = pa.Table.from_pandas(sample_rows(month, ids), schema=arrow_schema(SAMPLE), preserve_index=False)
    return publish.publish(
        settings,
        SAMPLE,
        month,
        rows,
        content_hash=content_hash,
        as_of="20250501T000000Z",
        code_version="v1",
        batches=[("colocation/sites/20250101T000000Z", "d1")],
        checks=[{"check": "schema_holds", "gate": "write", "state": "passed", "figures": {}}],
    )


def place(settings: Settings) -> Path:
    """Return where March stands."""
    return settings.published_path / "sample" / "month=2025-03"


def manifest(settings: Settings) -> dict[str, Any]:
    """Return the manifest of March."""
    found: dict[str, Any] = json.loads((place(settings) / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_a_file_carries_its_facts_and_its_manifest_says_the_same(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with clock.held_at(datetime(2025, 5, 2, 8, tzinfo=UTC)):
        assert put(settings, content_hash="h1")
    facts = json.loads(pq.read_schema(place(settings) / "data.parquet").metadata[b"revenue_integrity"])
    assert facts == {
        "dataset": "sample",
        "slice": "2025-03",
        "row_count": 2,
        "content_hash": "h1",
        "as_of": "20250501T000000Z",
        "code_version": "v1",
    }
    told = manifest(settings)
    assert {name: told[name] for name in facts} == facts
    assert told["published_at"] == "2025-05-02T08:00:00.000000Z"
    assert told["batches"] == [{"batch_id": "colocation/sites/20250101T000000Z", "digest": "d1"}]
    assert told["checks"][0]["state"] == "passed"
    assert next(each for each in told["columns"] if each["name"] == "kwh") == {
        "name": "kwh",
        "type": "DECIMAL(18,3)",
        "unit": "kWh",
        "description": "Energy.",
    }


def test_what_is_published_is_read_back_exactly(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    put(settings, content_hash="h1")
    put(settings, month=APRIL, ids=("C-3",), content_hash="h2")
    assert publish.read_published(settings, "sample", [APRIL])["id"].tolist() == ["C-3"]
    both = publish.read_published(settings, "sample", None)
    expected = pd.concat([sample_rows(), sample_rows(APRIL, ("C-3",))], ignore_index=True)
    assert both["id"].tolist() == ["A-1", "B-2", "C-3"]
    assert both["kwh"].tolist() == expected["kwh"].tolist()
    assert both["amount_cents"].tolist() == [100, 101, 100]
    pandas.testing.assert_series_equal(both["day"], expected["day"], check_dtype=False)


def test_the_same_content_keeps_its_bytes_and_its_date(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with clock.held_at(datetime(2025, 5, 2, tzinfo=UTC)):
        put(settings, content_hash="h1")
    before = (place(settings) / "data.parquet").stat()
    with clock.held_at(datetime(2025, 6, 2, tzinfo=UTC)):
        assert not put(settings, content_hash="h1")
    after = (place(settings) / "data.parquet").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert manifest(settings)["published_at"] == "2025-05-02T00:00:00.000000Z"


def test_new_content_replaces_the_file_and_never_writes_into_it(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    put(settings, content_hash="h1")
    with (place(settings) / "data.parquet").open("rb") as reader:
        assert put(settings, ids=("C-3",), content_hash="h2")
        assert pq.read_table(reader)["id"].to_pylist() == ["A-1", "B-2"], "who reads the old file reads it to its end"
    assert publish.read_published(settings, "sample", [MARCH])["id"].tolist() == ["C-3"]
    assert [file.name for file in sorted(place(settings).iterdir())] == ["data.parquet", "manifest.json"]


def test_a_manifest_is_healed_from_its_file(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    put(settings, content_hash="h1")
    file = place(settings) / "manifest.json"
    old = file.read_text(encoding="utf-8")
    put(settings, ids=("C-3",), content_hash="h2")
    file.write_text(old, encoding="utf-8")  # a kill between the two renames
    publish.read_published(settings, "sample", [MARCH])
    assert (manifest(settings)["content_hash"], manifest(settings)["row_count"]) == ("h2", 1)


@pytest.mark.parametrize("damage", ["{", ""])
def test_a_manifest_that_is_no_json_or_is_gone_is_healed(tmp_path: Path, damage: str) -> None:
    settings = home_settings(tmp_path)
    put(settings, content_hash="h1")
    file = place(settings) / "manifest.json"
    file.write_text(damage, encoding="utf-8") if damage else file.unlink()
    publish.read_published(settings, "sample", [MARCH])
    assert manifest(settings)["content_hash"] == "h1"


def test_a_file_of_somebody_else_is_told(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    place(settings).mkdir(parents=True)
    pq.write_table(pa.table({"x": [1]}), place(settings) / "data.parquet")
    with pytest.raises(PublishError, match="is no file of ours"):
        publish.read_published(settings, "sample", None)
    (place(settings) / "data.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(PublishError, match="is no file of ours"):
        publish.read_published(settings, "sample", None)


def test_datasets_are_read_together_only_if_they_belong_together(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with pytest.raises(PublishError, match="2025-03 of colocation is not published"):
        publish.read_together(settings, "colocation", MARCH, ["sample"])
    put(settings, content_hash="h1")
    publish.close_month(settings, "colocation", MARCH, {"sample": "h1"}, {}, as_of="")
    frames = publish.read_together(settings, "colocation", MARCH, ["sample"])
    assert frames["sample"]["id"].tolist() == ["A-1", "B-2"]
    put(settings, ids=("C-3",), content_hash="h2")  # a publication that is cut off before close.json
    with pytest.raises(PublishError, match=r"sample 2025-03 is not the one that belongs to the published month\. Run"):
        publish.read_together(settings, "colocation", MARCH, ["sample"])
    publish.close_month(settings, "colocation", MARCH, {"sample": "h2"}, {}, as_of="")
    assert publish.read_together(settings, "colocation", MARCH, ["sample"])["sample"]["id"].tolist() == ["C-3"]
    with pytest.raises(PublishError, match="other 2025-03 is not the one"):
        publish.read_together(settings, "colocation", MARCH, ["other"])


def test_a_month_that_is_closed_again_alike_keeps_its_date(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    file = settings.published_path / "_close" / "colocation" / "month=2025-03" / "close.json"
    with clock.held_at(datetime(2025, 5, 2, tzinfo=UTC)):
        publish.close_month(settings, "colocation", MARCH, {"b": "2", "a": "1"}, {}, as_of="x")
    first = file.read_text(encoding="utf-8")
    with clock.held_at(datetime(2025, 6, 2, tzinfo=UTC)):
        publish.close_month(settings, "colocation", MARCH, {"a": "1", "b": "2"}, {}, as_of="y")
    assert file.read_text(encoding="utf-8") == first
    assert publish.closed_hashes(settings, "colocation", MARCH) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_full_disk_leaves_the_old_publication(tmp_path: Path, limit: int) -> None:
    settings = home_settings(tmp_path)
    put(settings, content_hash="h1")
    publish.close_month(settings, "colocation", MARCH, {"sample": "h1"}, {}, as_of="")
    before = {file: file.read_bytes() for file in sorted(settings.published_path.rglob("*.*"))}
    done = python(DISK_FULL.format(limit=limit, home=str(tmp_path)))
    assert done.stdout.startswith("sample 2025-03 cannot be published: File too large. Make room in "), done.stderr
    assert {file: file.read_bytes() for file in sorted(settings.published_path.rglob("*.*"))} == before
    assert publish.read_together(settings, "colocation", MARCH, ["sample"])["sample"]["id"].tolist() == ["A-1", "B-2"]


def test_the_hash_of_a_file_is_computed_from_its_rows(tmp_path: Path) -> None:
    import duckdb

    from revenue_integrity.warehouse.storage import write_partition

    settings = home_settings(tmp_path)
    with duckdb.connect() as connection:
        written = write_partition(connection, SAMPLE, MARCH, sample_rows())
    put(settings, content_hash=written.content_hash)
    file = place(settings) / "data.parquet"
    assert hash_of(SAMPLE, file) == written.content_hash
    rows = pq.read_table(file, partitioning=None)
    changed = rows.set_column(4, rows.schema.field(4), pa.array([100, 102], pa.int64()))
    pq.write_table(changed, file)
    assert hash_of(SAMPLE, file) != written.content_hash


def test_files_are_hashed_together_and_each_has_its_own_verdict(tmp_path: Path) -> None:
    types = arrow_schema(SAMPLE)
    rows = pa.Table.from_pandas(sample_rows()[SAMPLE.columns], schema=types, preserve_index=False)
    good, twin, empty, torn, missing = (tmp_path / f"{name}.parquet" for name in ("good", "twin", "empty", "torn", "missing"))
    for file, held in ((good, rows), (twin, rows.slice(0, 1)), (empty, rows.slice(0, 0)), (torn, rows)):
        pq.write_table(held, file)
    torn.write_bytes(torn.read_bytes()[:-20])
    with publish.verifying() as connection:
        found = publish.verify_files(connection, SAMPLE, [missing, good, torn, empty, twin])
    assert found[good] == hash_of(SAMPLE, good)
    assert found[twin] == hash_of(SAMPLE, twin) != found[good]
    assert found[empty] == empty_digest(SAMPLE)
    assert isinstance(found[missing], FileNotFoundError)
    assert isinstance(found[torn], (OSError, ValueError))


def test_what_is_not_published_is_told(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with pytest.raises(PublishError, match=r"nothing of 'sample' is published for these months"):
        publish.read_published(settings, "sample", None)
    put(settings, content_hash="h1")
    with pytest.raises(PublishError, match=r"nothing of 'sample' is published for these months"):
        publish.read_published(settings, "sample", [APRIL])


def test_the_digests_of_parts_are_those_of_each_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    from revenue_integrity.warehouse import hashing
    from revenue_integrity.warehouse.storage import write_partition

    # Batches smaller than a part, and parts that begin inside one.
    monkeypatch.setattr(hashing, "_ROWS_PER_BATCH", 2)
    ids = tuple(f"A-{number}" for number in range(9))
    rows = sample_rows(ids=ids, kind=["b", "a", "a", "b", "a", "a", "a", "b", "a"])
    with duckdb.connect() as connection:
        write_partition(connection, SAMPLE, MARCH, rows)
        found = hashing.canonical_digests(connection, SAMPLE, SAMPLE.qualified, ["kind"])
        alone = [
            ((kind,), count, hashing.canonical_digest(connection, SAMPLE, f"{SAMPLE.qualified} where kind = $kind", kind=kind))
            for kind, count in (("a", 6), ("b", 3))
        ]
        assert found == alone
        assert hashing.canonical_digests(connection, SAMPLE, f"{SAMPLE.qualified} where false", ["kind"]) == []
        assert hashing.empty_digest(SAMPLE) == hashing.canonical_digest(connection, SAMPLE, f"{SAMPLE.qualified} where false")


def test_close_json_of_a_month_without_parts_says_nothing_of_them(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    publish.close_month(settings, "colocation", MARCH, {"a": "1"}, {}, as_of="x")
    file = settings.published_path / "_close" / "colocation" / "month=2025-03" / "close.json"
    assert list(json.loads(file.read_text(encoding="utf-8"))) == [
        "stream", "month", "as_of", "datasets", "signed", "published_at", "sha256",
    ]  # fmt: skip
    assert publish.is_finished(settings, "colocation", MARCH)


def test_a_month_stays_unfinished_until_it_is_said_to_be_done_and_keeps_its_date(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    parts = {"a": publish.Parts({"tenant=T/month=2025-03": "h"}, {})}
    with clock.held_at(datetime(2025, 5, 2, tzinfo=UTC)):
        publish.close_month(settings, "cloud", MARCH, {"a": "1"}, {}, as_of="x", parts=parts, unfinished=True)
    assert not publish.is_finished(settings, "cloud", MARCH)
    with clock.held_at(datetime(2025, 5, 3, tzinfo=UTC)):
        publish.close_month(settings, "cloud", MARCH, {"a": "1"}, {}, as_of="x", parts=parts)
    assert publish.is_finished(settings, "cloud", MARCH)
    assert publish.closed_parts(settings, "cloud", MARCH) == parts
    file = settings.published_path / "_close" / "cloud" / "month=2025-03" / "close.json"
    assert json.loads(file.read_text(encoding="utf-8"))["published_at"] == "2025-05-02T00:00:00.000000Z"
