"""Keys that rows of one batch share although they differ."""

import json
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from revenue_integrity.close.landing_checks import keys_are_told_apart
from revenue_integrity.model.check import Gate, Judgement
from revenue_integrity.model.query import Query
from revenue_integrity.model.source import Source
from revenue_integrity.streams.cloud.sources import BILLING_EVENTS
from revenue_integrity.streams.colocation.sources import SOURCES
from revenue_integrity_tests.landing.support import BY_NAME, Store, put_rows, row
from revenue_integrity_tests.streams.cloud.support import Cloud, event

FIRST, SECOND = "20250410T000000Z", "20250411T000000Z"
MARCH = date(2025, 3, 1)


class _Reader:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, query: Query) -> pd.DataFrame:
        return self._connection.execute(query.sql, query.bound).df()


def judged(store: Store, source: str, month: date = MARCH) -> Judgement:
    return keys_are_told_apart(BY_NAME[source]).judge(_Reader(store.connection), month, store.settings)


def listed(judgement: Judgement) -> list[tuple[int, str, str]]:
    assert judgement.rows is not None
    return [(each["claims"], each["places"], each["differs"]) for each in judgement.rows.to_dict(orient="records")]


def test_two_documents_under_one_number_are_listed_with_file_and_rows(store: Store) -> None:
    lines = (row("erp_invoices", amount="600.00"), row("erp_invoices", document_id="D2"), row("erp_invoices", amount="700.00"))
    put_rows(store.landing, "erp_invoices", FIRST, *lines)
    store.ingest()
    judgement = judged(store, "erp_invoices")
    assert not judgement.passed
    assert judgement.figures == {"shared_keys": 1, "rows_that_share_them": 2}
    assert listed(judgement) == [(2, "data.csv row 1, data.csv row 3", "amount_cents")]
    assert judgement.rows is not None
    assert json.loads(judgement.rows["key"].iloc[0]) == {"document_id": "D1", "line_no": 1}
    assert judgement.rows["batch_id"].iloc[0] == f"colocation/erp_invoices/{FIRST}"
    assert "land each under a key of its own" in judgement.next_step
    assert judged(store, "erp_invoices", date(2025, 4, 1)).passed, "another month has no part in it"


def test_equal_rows_and_corrections_of_a_later_batch_are_no_fault(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices"), row("erp_invoices"))
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", amount="11.00"))
    store.ingest()
    assert judged(store, "erp_invoices").passed


def test_a_row_that_repeats_an_earlier_batch_claims_its_key_all_the_same(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, row("meter_readings", kwh="5"))
    put_rows(store.landing, "meter_readings", SECOND, row("meter_readings", kwh="5"), row("meter_readings", kwh="6"))
    store.ingest()
    assert listed(judged(store, "meter_readings")) == [(2, "data.csv row 1, data.csv row 2", "kwh")]


def test_what_a_source_orders_its_versions_by_tells_rows_apart(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, row("meter_readings"), row("meter_readings", kwh="9", read_type="estimated"))
    bills = (row("power_bills"), row("power_bills", bill_version="2", fixed_charge="101.01", total="1451.01"))
    put_rows(store.landing, "power_bills", FIRST, *bills)
    store.ingest()
    assert judged(store, "meter_readings").passed
    assert judged(store, "power_bills").passed


def test_a_later_batch_that_says_which_holds_settles_it(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices", amount="6.00"), row("erp_invoices", amount="7.00"))
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", amount="7.00"))
    store.ingest()
    assert judged(store, "erp_invoices").passed


def test_rows_without_a_month_concern_the_months_that_they_matter_to(store: Store) -> None:
    racks = (row("rack_assignments", installed_on="2025-03-10"), row("rack_assignments", installed_on="2025-03-10", rated_kw="9"))
    put_rows(store.landing, "rack_assignments", FIRST, *racks)
    store.ingest()
    assert judged(store, "rack_assignments", date(2025, 2, 1)).passed
    assert listed(judged(store, "rack_assignments")) == [(2, "data.csv row 1, data.csv row 2", "rated_kw")]


def test_many_rows_of_one_key_are_counted_and_named_as_far_as_they_fit(store: Store) -> None:
    hours = [row("meter_readings", kwh=str(4 + hour % 3)) for hour in range(24)]
    put_rows(store.landing, "meter_readings", FIRST, *hours)
    store.ingest()
    ((claims, places, differs),) = listed(judged(store, "meter_readings"))
    assert (claims, differs) == (24, "kwh")
    assert places.endswith(", ...")


def test_events_with_one_instant_and_other_content_are_told(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path).events(FIRST, event("E", 1), event("E", 2), event("F", 1))
    cloud.events(SECOND, event("F", 2)).ingest()
    check = keys_are_told_apart(BILLING_EVENTS)
    judgement = check.judge(_Reader(cloud.connection), MARCH, cloud.settings)
    assert judgement.figures == {"shared_keys": 1, "rows_that_share_them": 2}
    assert [each[2] for each in listed(judgement)] == ["cost"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_has_the_check_and_it_gates_sign_off(store: Store, source: Source) -> None:
    store.ingest()
    check = keys_are_told_apart(source)
    assert (check.gate, check.table.qualified) == (Gate.SIGN_OFF, f"raw.{source.dataset}")
    assert check.judge(_Reader(store.connection), MARCH, store.settings).passed
