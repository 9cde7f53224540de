"""The dataset of corrections: each row that replaced another, with both and what differs."""

import json
from pathlib import Path

from revenue_integrity.landing.datasets import read_corrections
from revenue_integrity_tests.landing.support import Store, put_rows, row
from revenue_integrity_tests.streams.cloud.support import Cloud, event

FIRST, SECOND, THIRD = "20250310T000000Z", "20250311T000000Z", "20250312T000000Z"


def test_both_rows_are_told_with_their_files_and_what_differs(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, row("meter_readings", kwh="5"))
    put_rows(store.landing, "meter_readings", SECOND, row("meter_readings", kwh="5"), row("meter_readings", kwh="6"))
    put_rows(store.landing, "meter_readings", THIRD, row("meter_readings", kwh="7", peak_kw="9"), file_name="late.csv")
    store.ingest()
    found = read_corrections(store.connection, "colocation").to_dict(orient="records")
    assert [(each["batch_id"], each["file_name"], each["row_number"]) for each in found] == [
        (f"colocation/meter_readings/{SECOND}", "data.csv", 2),
        (f"colocation/meter_readings/{THIRD}", "late.csv", 1),
    ]
    assert [(each["earlier_batch_id"][-16:], each["earlier_row_number"]) for each in found] == [(FIRST, 1), (SECOND, 2)]
    assert [each["is_same_batch"] for each in found] == [False, False]
    assert json.loads(found[0]["differs"]) == [{"column": "kwh", "was": "5.000000", "now": "6.000000"}]
    assert [each["column"] for each in json.loads(found[1]["differs"])] == ["kwh", "peak_kw"]
    assert json.loads(found[0]["key"])["meter_id"] == row("meter_readings")["meter_id"]


def test_rows_of_one_batch_are_marked(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, row("meter_readings", kwh="5"), row("meter_readings", kwh="6"))
    store.ingest()
    assert read_corrections(store.connection, "colocation")["is_same_batch"].tolist() == [True]


def test_versions_of_events_are_corrections_too(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path).events(FIRST, event("E", 1), event("F", 1))
    cloud.events(SECOND, event("E", 2, ingested_at="2025-03-06T00:00:00Z"), event("F", 1)).ingest()
    (found,) = read_corrections(cloud.connection, "cloud").to_dict(orient="records")
    assert (found["source"], json.loads(found["key"])["event_id"]) == ("billing_events", "E")
    assert [each["column"] for each in json.loads(found["differs"])] == ["cost", "ingested_at"]
