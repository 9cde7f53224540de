"""What tests of reading share: a batch of meter readings, and what became of it."""

from revenue_integrity_tests.landing.support import Store

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
