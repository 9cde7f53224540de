"""What a file is: which ones refuse their whole batch, and what gzip holds."""

import gzip

import pytest

from revenue_integrity_tests.landing.reading.support import ARRIVAL, BATCH, GOOD, HEADER, readings, refusal
from revenue_integrity_tests.landing.support import Store, put, put_rows, row


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
