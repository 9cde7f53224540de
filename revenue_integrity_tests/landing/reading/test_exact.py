"""CSV that is not of the usual kind: each record is read as RFC 4180 says, and a misfit is a bad row."""

import json
from datetime import date

import pytest

from revenue_integrity_tests.landing.reading.support import ARRIVAL, BATCH, GOOD, HEADER, readings, reasons
from revenue_integrity_tests.landing.support import DEFAULTS, Store, put, put_rows, row


def test_mixed_line_ends_are_read(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER}\n{GOOD}\r\n{GOOD.replace('M1', 'M2')}\n")
    store.ingest()
    assert [meter for meter, *_ in readings(store)] == ["M1", "M2"]


def test_quotes_follow_rfc_4180(store: Store) -> None:
    put_rows(store.landing, "customers", "20250101T000000Z", row("customers", customer_id="CU-2", customer_name='a "b", c\nd'))
    store.ingest()
    assert store.rows("select customer_name from raw.customers where customer_id = 'CU-2'") == [('a "b", c\nd',)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("M1,A,S-1,2025-03-05,100,10", "the row has 6 fields, the header 7"),
        ("M1,A,S-1,2025-03-05,100,10,actual,more", "the row has 8 fields, the header 7"),
        ('"M"1,A,S-1,2025-03-05,100,10,actual', "the row's quotes do not follow RFC 4180 (',' expected after '\"')"),
        ("   ", "the row has 1 field, the header 7"),
    ],
)
def test_a_row_of_another_shape_is_a_bad_row(store: Store, line: str, reason: str) -> None:
    put(store.landing, "meter_readings", ARRIVAL, "\n".join([HEADER, GOOD, line, GOOD.replace("M1", "M2"), ""]))
    store.ingest()
    assert readings(store) == [("M1", 100, "data.csv", 1), ("M2", 100, "data.csv", 3)]
    assert reasons(store) == [(2, reason)]
    assert store.batches()[BATCH] == (3, 2, 1, 0, 0)


def test_a_row_of_another_shape_keeps_its_month_and_its_text(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER}\nM1,A,S-1,2025-03-05,100,10,actual,more\n")
    store.ingest()
    ((month, raw),) = store.rows("select month, raw from meta.quarantine")
    assert month == date(2025, 3, 1)
    assert json.loads(raw) == DEFAULTS["meter_readings"] | {"(field 8)": "more"}


def test_one_irregular_file_among_many_of_its_header_is_read_beside_them(store: Store) -> None:
    for number in range(20):
        line = GOOD.replace("M1", f"M{number}") + (",more" if number == 7 else "")
        put(store.landing, "meter_readings", f"202503{number + 1:02d}T000000Z", f"{HEADER}\n{line}\n")
    store.ingest()
    assert len(readings(store)) == 19
    assert reasons(store) == [(1, "the row has 8 fields, the header 7")]
