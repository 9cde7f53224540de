"""Rows of every format meet the contract: reasons, optional columns, typed Parquet."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity_tests.landing.reading.support import ARRIVAL, BATCH, HEADER, MIDNIGHT
from revenue_integrity_tests.landing.support import DEFAULTS, Store, csv_text, put, put_world


def test_every_reason_is_told_and_the_row_is_kept_as_it_came(store: Store) -> None:
    put(store.landing, "meter_readings", ARRIVAL, f"{HEADER},Firmware\n m_1,,S-1,2025-02-30,abc,-1,guessed,2.1\n")
    store.ingest()
    ((errors, raw, month),) = store.rows("select dq_errors, raw, month from meta.quarantine")
    assert errors == (
        "contract_id is empty; reading_date '2025-02-30' is not a date YYYY-MM-DD;"
        " kwh 'abc' is not a decimal number with at most 6 places; peak_kw is negative;"
        " read_type 'guessed' is none of actual|estimated|final"
    )
    assert json.loads(raw) == {
        "meter_id": " m_1", "contract_id": None, "site_id": "S-1", "reading_date": "2025-02-30", "kwh": "abc", "peak_kw": "-1",
        "read_type": "guessed", "Firmware": "2.1",
    }  # fmt: skip
    assert month is None


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


@pytest.mark.parametrize("name", ["*", "data?", "[a-z]ata", "**", "{data,x}", "it's"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_is_read_alone_whatever_it_is_called(store: Store, name: str, kind: str) -> None:
    def identified(arrival: str, file: str) -> str:
        return f"D-{arrival[:8]}-{'ODD' if file == name else file.upper()}"

    batches = {"20250501T000000Z": (name, "data", "datab"), "20250601T000000Z": ("data",)}
    for arrival, files in batches.items():
        for file in files:
            path = put(store.landing, "erp_invoices", arrival, b"", f"{file}.{kind}")
            sent = DEFAULTS["erp_invoices"] | {"document_id": identified(arrival, file)}
            if kind == "csv":
                path.write_text(csv_text([sent]))
            else:
                pq.write_table(pa.table({column: [value] for column, value in sent.items()}), path)
    store.ingest()
    found = store.rows("select batch_id, file_name, document_id from raw.erp_invoices order by all")
    assert found == sorted(
        (f"colocation/erp_invoices/{arrival}", f"{file}.{kind}", identified(arrival, file))
        for arrival, files in batches.items()
        for file in files
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_a_folder_above_is_called_is_no_value_of_a_row(tmp_path: Path, kind: str) -> None:
    store = Store(tmp_path / "amount=5" / "landing")
    put_world(store.landing)
    path = put(store.landing, "erp_invoices", ARRIVAL, csv_text([DEFAULTS["erp_invoices"]]), f"data.{kind}")
    if kind == "parquet":
        pq.write_table(pa.table({column: [value] for column, value in DEFAULTS["erp_invoices"].items()}), path)
    store.ingest()
    assert store.rows("select amount_cents from raw.erp_invoices") == [(1000,)]


def test_a_column_that_is_called_as_the_engine_calls_the_number_of_a_file_moves_no_row(store: Store) -> None:
    for arrival, number in (("20250501T000000Z", 1), ("20250601T000000Z", -1)):
        sent = {column: pa.array([value]) for column, value in DEFAULTS["erp_invoices"].items()}
        _parquet(
            store, "erp_invoices", sent | {"document_id": pa.array([f"D-{number}"]), "file_index": pa.array([number])}, arrival
        )
    store.ingest()
    assert store.rows("select batch_id, document_id from raw.erp_invoices order by all") == [
        ("colocation/erp_invoices/20250501T000000Z", "D-1"),
        ("colocation/erp_invoices/20250601T000000Z", "D--1"),
    ]


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
