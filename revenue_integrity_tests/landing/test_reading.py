"""Files in every format and condition: what is read, what is a bad row, what refuses the whole batch."""

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity.landing import reading
from revenue_integrity_tests.landing.support import DEFAULTS, Store, csv_text, put, put_rows, put_world, row

ARRIVAL = "20250310T000000Z"
BATCH = f"meter_readings/{ARRIVAL}"
HEADER = "meter_id,contract_id,site_id,reading_date,kwh,peak_kw,read_type"
MIDNIGHT = 1_743_552_000_000_000
"""2025-04-02T00:00:00 in microseconds."""

GOOD = "M1,A,S-1,2025-03-05,100,10,actual"


def readings(store: Store) -> list[tuple[object, ...]]:
    return store.rows("select meter_id, kwh, file_name, row_number from raw.meter_readings order by file_name, row_number")


def reasons(store: Store) -> list[tuple[int, str]]:
    return store.rows("select row_number, dq_errors from meta.quarantine order by row_number")  # type: ignore[return-value] # -- two columns


def refusal(store: Store) -> str:
    (error,) = store.ingest().rejected.values()
    assert store.batches()[BATCH] == (0, 0, 0, 0, 0)
    assert store.rows("select file_name, row_number, month, dq_errors, raw from meta.quarantine") == [
        (None, None, None, error, None)
    ]
    return error


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


def test_mixed_line_ends_are_read(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER}\n{GOOD}\r\n{GOOD.replace('M1', 'M2')}\n")
    store.ingest()
    assert [meter for meter, *_ in readings(store)] == ["M1", "M2"]


def test_a_last_line_needs_no_line_end(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER}\n{GOOD}")
    store.ingest()
    assert store.batches()[BATCH] == (1, 1, 0, 0, 0)


def test_quotes_follow_rfc_4180(store: Store) -> None:
    put_rows(store.landing, "customers", "20250101T000000Z", row("customers", customer_id="CU-2", customer_name='a "b", c\nd'))
    store.ingest()
    assert store.rows("select customer_name from raw.customers where customer_id = 'CU-2'") == [('a "b", c\nd',)]


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
    for number in range(60):
        one, two = (GOOD.replace("M1", f"M{number}-{meter}") for meter in (1, 2))
        text = QUIRKS[together[number % len(together)]].format(header=HEADER, one=one, two=two)
        content = gzip.compress(text.encode()) if number % 7 == 3 else text.encode()
        arrival = f"202503{10 + number // 24}T{number % 24:02d}0000Z"
        put(tmp_path, "meter_readings", arrival, content, "data.csv.gz" if number % 7 == 3 else "data.csv")
    found = []
    for many in (reading._MANY, 1_000):
        monkeypatch.setattr(reading, "_MANY", many)
        store = Store(tmp_path)
        store.ingest()
        found.append(store.state())
        store.connection.close()
    assert found[0] == found[1]
    assert found[0]


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


def test_every_reason_is_told_and_the_row_is_kept_as_it_came(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER},Firmware\n m_1,,S-1,2025-02-30,abc,-1,guessed,2.1\n")
    store.ingest()
    ((errors, raw, month),) = store.rows("select dq_errors, raw, month from meta.quarantine")
    assert errors == (
        "contract_id is empty; reading_date '2025-02-30' is not a date YYYY-MM-DD;"
        " kwh 'abc' is not a decimal number with at most 6 places; peak_kw is negative;"
        " read_type 'guessed' is none of actual|estimated"
    )
    assert json.loads(raw) == {
        "meter_id": " m_1", "contract_id": None, "site_id": "S-1", "reading_date": "2025-02-30", "kwh": "abc", "peak_kw": "-1",
        "read_type": "guessed", "Firmware": "2.1",
    }  # fmt: skip
    assert month is None


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "data.csv", "data.csv is empty"),
        (b"\xef\xbb\xbf\n\n", "data.csv", "data.csv has no header row"),
        (
            f"{HEADER}\nZ\xe4hler,A,S-1,2025-03-05,1,1,actual\n".encode("latin-1"), "data.csv",
            "data.csv is not UTF-8 (byte 0xe4 near position 65)",
        ),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "data.csv", "data.csv is not UTF-8 (byte 0xff near position 0)"),
        (HEADER.encode() + b"\nM\xc3", "data.csv", "data.csv is not UTF-8 (it ends inside a character)"),
        (HEADER.replace(",kwh", "").encode(), "data.csv", "data.csv lacks the column kwh"),
        (b"meter_id,contract_id,site_id\n", "data.csv", "data.csv lacks the columns reading_date, kwh, peak_kw, read_type"),
        (f"{HEADER},KWH\n".encode(), "data.csv", "data.csv has the column kwh more than once"),
        (f'{HEADER}\n{GOOD}\n"M2,A,S-1\n'.encode(), "data.csv", "data.csv ends inside a quoted field that begins in data row 2"),
        (gzip.compress(f"{HEADER}\n{GOOD}\n".encode(), mtime=0)[:-9], "data.csv.gz", "data.csv.gz is a truncated gzip file"),
        (
            b"no gzip", "data.csv.gz",
            "data.csv.gz is not a readable gzip file (Error -3 while decompressing data: incorrect header check)",
        ),
        (gzip.compress(b"", mtime=0), "data.csv.gz", "data.csv.gz is empty"),
        (b"PAR1 and nothing more", "data.parquet", None),
        (b"", "data.parquet", "data.parquet is empty"),
        (b"[{", "data.json", None),
        (b'[{"meter_id": "M1"}', "data.json", "data.json is truncated: its array does not end"),
        (
            b'[{"meter_id": "M1"}]', "data.json",
            "data.json lacks the columns contract_id, site_id, reading_date, kwh, peak_kw, read_type",
        ),
        (b"[1]", "data.json", "data.json is not readable JSON (object 1 is expected, '1]' found)"),
        (b" \n", "data.json", "data.json holds no JSON"),
        (b"meter_id\n", "data.txt", "data.txt is none of .csv, .csv.gz, .parquet, .json"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_refuses_the_batch_with_one_clear_error(
    store: Store, content: bytes, name: str, reason: str | None
) -> None:
    put(store.landing, "meter_readings", ARRIVAL, content, name)
    error = refusal(store)
    assert error == reason if reason else error.startswith(f"{name} is not ")


def test_a_broken_file_refuses_its_batch_and_no_other(store: Store) -> None:
    put_rows(store.landing, "meter_readings", ARRIVAL, row("meter_readings"), file_name="good.csv")
    put(store.landing, "meter_readings", ARRIVAL, "", "zero.csv")
    put_rows(store.landing, "meter_readings", "20250311T000000Z", row("meter_readings", meter_id="M2"))
    report = store.ingest()
    assert report.rejected == {f"colocation/{BATCH}": "zero.csv is empty"}
    assert [meter for meter, *_ in readings(store)] == ["M2"]


def test_gzip_of_several_members_is_one_file(store: Store) -> None:
    members = [f"{HEADER}\n{GOOD}\n", f"{GOOD.replace('M1', 'M2')}\n"]
    put(
        store.landing,
        "meter_readings",
        ARRIVAL,
        b"".join(gzip.compress(member.encode(), mtime=0) for member in members),
        "data.csv.gz",
    )
    store.ingest()
    assert [meter for meter, *_ in readings(store)] == ["M1", "M2"]


def test_a_damaged_gzip_is_told_by_its_checksum(store: Store) -> None:
    packed = bytearray(gzip.compress(f"{HEADER}\n{GOOD}\n".encode(), mtime=0))
    packed[-6] ^= 1
    put(store.landing, "meter_readings", ARRIVAL, bytes(packed), "data.csv.gz")
    assert "incorrect data check" in refusal(store)


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


def _parquet(store: Store, source: str, columns: dict[str, pa.Array], arrival: str = ARRIVAL) -> None:
    path = put(store.landing, source, arrival, b"", "data.parquet")
    pq.write_table(pa.table(columns), path)


def test_typed_parquet_is_read_exactly(store: Store) -> None:
    _parquet(
        store,
        "meter_readings",
        {
            "Meter_ID": pa.array(["M1", "M2", "M3"]).dictionary_encode(),
            "contract_id": pa.array([b"A", b"A", b"A"]),
            "site_id": pa.array(["S-1"] * 3),
            "reading_date": pa.array([date(2025, 3, 5)] * 3),
            "kwh": pa.array([Decimal("1.2500000000"), Decimal(2), None], pa.decimal128(30, 10)),
            "peak_kw": pa.array([0.1, 1e-05, 3.0]),
            "read_type": pa.array(["actual", "actual", "actual"]),
            "firmware": pa.array([1, 2, 3]),
        },
    )
    store.ingest()
    assert store.rows("select meter_id, kwh, peak_kw from raw.meter_readings") == [("M1", Decimal("1.25"), Decimal("0.1"))]
    assert store.rows("select row_number, split_part(dq_errors, ' is ', 2), raw from meta.quarantine order by 1") == [
        (2, "above peak_kw 0.000010 x the 24 hours of the day",
         '{"Meter_ID":"M2","contract_id":"A","site_id":"S-1","reading_date":"2025-03-05","kwh":"2.0000000000","peak_kw":"1e-05",'
         '"read_type":"actual","firmware":"2"}'),
        (3, "empty",
         '{"Meter_ID":"M3","contract_id":"A","site_id":"S-1","reading_date":"2025-03-05","kwh":null,"peak_kw":"3.0",'
         '"read_type":"actual","firmware":"3"}'),
    ]  # fmt: skip


def test_parquet_instants_need_a_zone_and_no_more_than_microseconds(store: Store) -> None:
    instant = datetime(2025, 4, 3, 10, 0, 0, 5, tzinfo=UTC)
    columns = {name: pa.array([value]) for name, value in DEFAULTS["erp_invoices"].items()}
    columns |= {
        "line_no": pa.array([1.0]),
        "amount": pa.array([10.5]),
        "invoice_date": pa.array([MIDNIGHT // 1000], pa.timestamp("ms")),
    }
    columns["service_month"] = pa.array([date(2025, 3, 1)])
    for number, posted in enumerate(
        (
            pa.array([instant], pa.timestamp("us", "Europe/Berlin")),
            pa.array([instant], pa.timestamp("ns", "UTC")),
            pa.array([MIDNIGHT], pa.timestamp("us")),
            pa.array([1743674400000005123], pa.timestamp("ns", "UTC")),
        )
    ):
        _parquet(
            store,
            "erp_invoices",
            columns | {"posted_at": posted, "document_id": pa.array([f"D{number}"])},
            f"2025041{number}T000000Z",
        )
    store.ingest()
    assert store.rows(
        "select document_id, line_no, amount_cents, invoice_date, month, posted_at from raw.erp_invoices order by 1"
    ) == [(f"D{number}", 1, 1050, date(2025, 4, 2), date(2025, 3, 1), instant) for number in (0, 1)]
    assert [errors.split("'")[-1] for _, _, _, errors in store.quarantine()] == [
        " has no offset", " is not an ISO-8601 timestamp to the microsecond",
    ]  # fmt: skip


def test_parquet_with_a_damaged_page_refuses_its_batch_alone(store: Store) -> None:
    columns = {name: pa.array([value] * 1000) for name, value in DEFAULTS["meter_readings"].items()}
    _parquet(
        store, "meter_readings", columns | {"meter_id": pa.array([f"M{number}" for number in range(1000)])}, "20250309T000000Z"
    )
    _parquet(store, "meter_readings", columns)
    path = store.landing / "colocation" / BATCH / "data.parquet"
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(content)
    report = store.ingest()
    assert list(report.rejected) == [f"colocation/{BATCH}"]
    assert report.rejected[f"colocation/{BATCH}"].startswith("data.parquet is not a readable Parquet file (")
    assert store.batches()["meter_readings/20250309T000000Z"] == (1000, 1000, 0, 0, 0)


def test_one_irregular_file_among_many_of_its_header_is_read_beside_them(store: Store) -> None:
    for number in range(20):
        line = GOOD.replace("M1", f"M{number}") + (",more" if number == 7 else "")
        put(store.landing, "meter_readings", f"202503{number + 1:02d}T000000Z", f"{HEADER}\n{line}\n")
    store.ingest()
    assert len(readings(store)) == 19
    assert reasons(store) == [(1, "the row has 8 fields, the header 7")]


def test_an_optional_column_may_be_absent(store: Store) -> None:
    lines = csv_text(
        [
            {
                key: value
                for key, value in DEFAULTS["erp_invoices"].items()
                if key not in ("erp_contract_ref", "corrects_document_id")
            }
        ]
    )
    put(store.landing, "erp_invoices", ARRIVAL, lines)
    store.ingest()
    assert store.rows("select erp_contract_ref, corrects_document_id from raw.erp_invoices") == [(None, None)]
