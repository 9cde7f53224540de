"""JSON is read object by object, numbers as they stand."""

import json
from decimal import Decimal

import pytest

from revenue_integrity_tests.landing.reading.support import ARRIVAL, BATCH, readings
from revenue_integrity_tests.landing.support import DEFAULTS, Store, put


@pytest.mark.parametrize("shape", ["array", "lines", "spread"])
def test_json_is_an_array_or_one_object_per_line(store: Store, shape: str) -> None:
    objects = [
        DEFAULTS["meter_readings"] | {"meter_id": "M1"},
        DEFAULTS["meter_readings"] | {"meter_id": "M2", "x": [1, {"y": None}]},
    ]
    text = (
        "\n".join(map(json.dumps, objects)) if shape == "lines" else json.dumps(objects, indent=2 if shape == "spread" else None)
    )
    put(store.landing, "meter_readings", ARRIVAL, "\ufeff" + text, "map.jsonl.json")
    store.ingest()
    assert [(meter, number) for meter, _, _, number in readings(store)] == [("M1", 1), ("M2", 2)]
    assert store.rows("select unknown_columns from meta.batches where source = 'meter_readings'") == [("x",)]


def test_json_numbers_are_read_as_they_stand(store: Store) -> None:
    text = '[{"METER_ID": "M1", "contract_id": "A", "site_id": "S-1", "reading_date": "2025-03-05",' \
        ' "kwh": 123456789012.123456, "peak_kw": 99999999999.1, "read_type": "actual"}]'  # fmt: skip
    put(store.landing, "meter_readings", ARRIVAL, text, "data.json")
    store.ingest()
    assert readings(store) == [("M1", Decimal("123456789012.123456"), "data.json", 1)]


def test_a_bad_json_object_is_a_bad_row_kept_as_it_came(store: Store) -> None:
    good = json.dumps(DEFAULTS["meter_readings"])
    twice = good.replace('"kwh"', '"KWH": "7", "kwh"')
    null = json.dumps(DEFAULTS["meter_readings"] | {"meter_id": None, "kwh": True})
    put(store.landing, "meter_readings", ARRIVAL, f"[{good},\n {twice}, {null}]", "data.json")
    store.ingest()
    assert store.rows("select row_number, dq_errors, raw from meta.quarantine order by 1") == [
        (2, "column kwh stands twice", twice),
        (3, "meter_id is empty; kwh 'true' is not a decimal number with at most 6 places", null),
    ]


def test_a_json_object_may_lie_across_the_pieces_that_are_read(store: Store) -> None:
    objects = [DEFAULTS["meter_readings"] | {"meter_id": f"M{number}", "padding": "x" * 50_000} for number in range(100)]
    put(store.landing, "meter_readings", ARRIVAL, json.dumps(objects), "data.json")
    store.ingest()
    assert store.batches()[BATCH] == (100, 100, 0, 0, 0)


def test_an_empty_json_array_is_a_fine_batch(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, "[]", "data.json")
    assert not store.ingest().rejected
