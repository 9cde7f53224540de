"""CSV of the usual kind: names, line ends, numbers of rows, many small files."""

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity.landing.reading import staging
from revenue_integrity_tests.landing.reading.support import ARRIVAL, BATCH, GOOD, HEADER, readings
from revenue_integrity_tests.landing.support import Store, put, put_rows, put_world, row


def test_a_csv_file_may_have_a_bom_crlf_any_case_and_any_order(store: Store) -> None:
    header = "\ufeffKWH,Firmware,METER_ID,Site_Id,contract_id,READING_DATE,peak_kw,read_type"
    put(store.landing, "meter_readings", ARRIVAL, f'{header}\r\n100,2.1,"M1", S-1 ,a,2025-03-05,"10",ACTUAL\r\n')
    store.ingest()
    assert store.rows(
        "select meter_id, contract_id, site_id, reading_date, kwh, peak_kw, read_type, month from raw.meter_readings"
    ) == [("M1", "A", "S-1", date(2025, 3, 5), Decimal(100), Decimal(10), "actual", date(2025, 3, 1))]
    assert store.rows("select unknown_columns from meta.batches where source = 'meter_readings'") == [("firmware",)]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines_do_not_matter(store: Store, ends: str) -> None:
    put(store.landing, "meter_readings", ARRIVAL, ends.join([HEADER, GOOD, "", GOOD.replace("M1", "M2"), "", ""]))
    store.ingest()
    assert readings(store) == [("M1", 100, "data.csv", 1), ("M2", 100, "data.csv", 2)]


def test_a_last_line_needs_no_line_end(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER}\n{GOOD}")
    store.ingest()
    assert store.batches()[BATCH] == (1, 1, 0, 0, 0)


def test_a_header_without_rows_is_a_fine_batch(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER}\n")
    assert not store.ingest().rejected
    assert store.batches()[BATCH] == (0, 0, 0, 0, 0)


def test_rows_are_numbered_in_each_file(store: Store) -> None:
    for name, meters in (("b.csv", ("M1", "M2")), ("a.csv", ("M3", "", "M4"))):
        put_rows(store.landing, "meter_readings", ARRIVAL, *(row("meter_readings", meter_id=m) for m in meters), file_name=name)
    store.ingest()
    assert readings(store) == [("M3", 100, "a.csv", 1), ("M4", 100, "a.csv", 3), ("M1", 100, "b.csv", 1), ("M2", 100, "b.csv", 2)]
    assert store.rows("select file_name, row_number from meta.quarantine") == [("a.csv", 2)]
    assert store.batches()[BATCH] == (5, 4, 1, 0, 0)


def test_rows_are_numbered_in_large_files_too(store: Store) -> None:
    lines = [f"M{number},A,S-1,2025-03-05,100,10,actual" for number in range(1, 300_001)]
    put(store.landing, "meter_readings", ARRIVAL, "\n".join([HEADER, *lines, ""]), "a.csv")
    put(store.landing, "meter_readings", ARRIVAL, "\n".join([HEADER, *reversed(lines), ""]), "b.csv")
    store.ingest()
    number = "case file_name when 'a.csv' then row_number else 300001 - row_number end"
    assert store.rows(f"select count(*) from raw.meter_readings where meter_id <> 'M' || {number}") == [(0,)]
    assert store.batches()[BATCH] == (600_000, 300_000, 0, 300_000, 0)


QUIRKS = {
    "plain": "{header}\n{one}\n{two}\n",
    "without a last line end": "{header}\n{one}\n{two}",
    "carriage returns": "{header}\r\n{one}\r\n{two}\r\n",
    "byte order mark": "\ufeff{header}\n{one}\n{two}\n",
    "quotes": '{header}\n"Q\n1",A,S-1,2025-03-05,100,10,actual\n{one}\n',
    "blank lines": "{header}\n\n{one}\n\n{two}\n\n",
    "blanks alone": "{header}\n   \n{one}\n",
    "no rows": "{header}\n",
    "no rows, no line end": "{header}",
    "a short row": "{header}\nM1,A\n{one}\n",
    "a long row": "{header}\n{one},more\n{two}\n",
    "one field more, empty": "{header}\n{one},\n{two},\n",
    "an empty row": "{header}\n,,,,,,\n{one}\n",
    "a bad value": "{header}\n{one}\nM9,A,S-1,2025-03-05,many,10,actual\n",
    "a line that is long": "{header}\n{one}\nM" + "9" * 140_000 + ",A,S-1,2025-03-05,100,10,actual\n",
}


@pytest.mark.parametrize("together", [list(QUIRKS), ["plain"], *([quirk] for quirk in QUIRKS if quirk != "plain")])
def test_many_small_files_are_read_as_each_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: list[str]) -> None:
    put_world(tmp_path)
    # Half of the usual number is many here.
    for number in range(30):
        one, two = (GOOD.replace("M1", f"M{number}-{meter}") for meter in (1, 2))
        text = QUIRKS[together[number % len(together)]].format(header=HEADER, one=one, two=two)
        content = gzip.compress(text.encode()) if number % 7 == 3 else text.encode()
        arrival = f"202503{10 + number // 24}T{number % 24:02d}0000Z"
        put(tmp_path, "meter_readings", arrival, content, "data.csv.gz" if number % 7 == 3 else "data.csv")
    found = []
    for many in (staging._MANY // 2, 1_000):
        monkeypatch.setattr(staging, "_MANY", many)
        store = Store(tmp_path)
        store.ingest()
        found.append(store.state())
        store.connection.close()
    assert found[0] == found[1]
    assert found[0]
