"""Very many bad rows: they stay in the engine, and none is lost; a million are told in ``scenarios.test_nothing_lost``."""

from pathlib import Path

import pytest

from revenue_integrity_tests.landing.support import Store, put, put_world

HEADER = "meter_id,contract_id,site_id,reading_date,kwh,peak_kw,read_type\n"


@pytest.mark.parametrize(
    ("line", "rows"), [("M1,A,S-1,2025-03-05,abc,-1,guessed\n", 200_000), ("M1,A,S-1,2025-03-05,100,10\n", 200_000)]
)
def test_each_of_very_many_bad_rows_is_quarantined(tmp_path: Path, line: str, rows: int) -> None:
    landing = tmp_path / "landing"
    put_world(landing)
    put(landing, "meter_readings", "20250310T000000Z", HEADER + line * rows)
    store = Store(landing)
    report = store.ingest()
    assert report.quarantined == rows
    assert store.rows("select count(*), count(raw), max(row_number) from meta.quarantine") == [(rows, rows, rows)]


def test_a_store_of_one_key_is_read_whole(tmp_path: Path) -> None:
    """Every row corrects the one before: no row stands alone, and most columns of lineage are null or constant."""
    landing = tmp_path / "landing"
    put_world(landing)
    lines = [f"M1,A,S-1,2025-03-05,{number % 100},10,actual\n" for number in range(150_000)]
    put(landing, "meter_readings", "20250310T000000Z", HEADER + "".join(lines))
    store = Store(landing)
    store.ingest()
    assert store.rows("select count(*), count(superseded_by), count(corrects), max(row_number) from raw.meter_readings") == [
        (150_000, 149_999, 149_999, 150_000)
    ]
