"""Slices: what a month sees of a source, and what it does not."""

from datetime import date
from pathlib import Path

from revenue_integrity.landing.slices import slices, touching_batches
from revenue_integrity.streams.colocation.sources import SOURCES
from revenue_integrity_tests.landing.support import Store, put_rows, put_world, row

FIRST, SECOND, THIRD = (f"2025031{number}T000000Z" for number in range(1, 4))
MONTHS = [date(2025, number, 1) for number in range(1, 7)]


def taken(store: Store) -> dict[tuple[str, date], str]:
    store.ingest()
    return slices(store.connection, SOURCES)


def changed(store: Store, before: dict[tuple[str, date], str]) -> set[tuple[str, int]]:
    after = taken(store)
    return {
        (name, month.month)
        for name, month in before.keys() | after.keys()
        if before.get((name, month)) != after.get((name, month))
    }


def test_a_month_without_a_row_has_no_slice(store: Store) -> None:
    assert set(taken(store)) == {(name, month) for name in ("customers", "sites", "contract_versions") for month in MONTHS}


def test_a_row_changes_the_slice_of_its_month_alone(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices"))
    before = taken(store)
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", document_id="D2", service_month="2025-04"))
    assert changed(store, before) == {("erp_invoices", 4)}


def test_a_correction_to_another_month_changes_both(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices"))
    before = taken(store)
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", service_month="2025-05"))
    # Posted in April, it was one of April's postings for earlier months, which a line of May is not.
    assert changed(store, before) == {("erp_invoices", 3), ("erp_invoices", 5), ("earlier_months_postings", 4)}


def test_an_exact_duplicate_changes_nothing(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices"))
    before = taken(store)
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices"))
    assert changed(store, before) == set()


def test_the_same_rows_in_other_files_and_another_order_are_the_same_slice(tmp_path: Path) -> None:
    rows = [row("meter_readings", meter_id=f"M{number}") for number in range(5)]
    found = []
    for name, parts in (("a", [rows]), ("b", [rows[::-1][:2], rows[:3]])):
        landing = tmp_path / name / "landing"
        put_world(landing)
        for number, part in enumerate(parts):
            put_rows(landing, "meter_readings", FIRST, *part, file_name=f"{name}{number}.csv")
        found.append(taken(Store(landing)))
    assert found[0] == found[1]


def test_a_contract_version_matters_from_its_start_on_and_where_its_id_is_billed(store: Store) -> None:
    before = taken(store)
    put_rows(store.landing, "contract_versions", FIRST, row("contract_versions", contract_id="B", effective_from="2025-05-15"))
    assert changed(store, before) == {("contract_versions", 5), ("contract_versions", 6)}
    before = taken(store)
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices", erp_contract_ref="b", service_month="2025-02"))
    posted = {("earlier_months_postings", month) for month in (3, 4)}
    assert changed(store, before) == {("contract_versions", 2), ("erp_invoices", 2), *posted}


def test_a_mapping_matters_from_its_validity_on(store: Store) -> None:
    before = taken(store)
    put_rows(store.landing, "erp_mapping", FIRST, row("erp_mapping", valid_from="2025-04-30"))
    assert changed(store, before) == {("erp_mapping", month) for month in (4, 5, 6)}


def test_a_rack_matters_while_it_is_installed(store: Store) -> None:
    before = taken(store)
    put_rows(
        store.landing, "rack_assignments", FIRST, row("rack_assignments", installed_on="2025-02-28", removed_on="2025-04-01")
    )
    assert changed(store, before) == {("rack_assignments", month) for month in (2, 3, 4)}


def test_a_customer_matters_from_its_first_contract_on(store: Store) -> None:
    put_rows(store.landing, "customers", FIRST, row("customers", customer_id="CU-2"))
    before = taken(store)
    terms = row("contract_versions", contract_id="B", customer_id="CU-2", effective_from="2025-05-01")
    put_rows(store.landing, "contract_versions", SECOND, terms)
    assert changed(store, before) == {(name, month) for name in ("customers", "contract_versions") for month in (5, 6)}


def test_a_site_matters_where_it_has_a_bill(store: Store) -> None:
    put_rows(store.landing, "sites", FIRST, row("sites", site_id="S-2"))
    before = taken(store)
    put_rows(store.landing, "power_bills", FIRST, row("power_bills", site_id="S-2"))
    assert changed(store, before) == {("sites", 3), ("power_bills", 3)}


def test_the_first_reading_of_a_meter_matters_to_all_later_months(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, row("meter_readings", reading_date="2025-03-05"))
    before = taken(store)
    put_rows(store.landing, "meter_readings", SECOND, row("meter_readings", reading_date="2025-03-06"))
    assert changed(store, before) == {("meter_readings", 3)}
    before = taken(store)
    put_rows(store.landing, "meter_readings", THIRD, row("meter_readings", reading_date="2025-02-28"))
    assert changed(store, before) == {("meter_readings", 2), *(("meter_starts", month) for month in (2, 3, 4, 5, 6))}


def test_the_first_reading_moves_when_it_is_refused(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, *(row("meter_readings", reading_date=f"2025-0{m}-05") for m in (2, 3)))
    taken(store)
    assert store.rows("select first_day from meta.starts_meter_readings") == [(date(2025, 2, 5),)]
    gap = {"version": "2", "effective_from": "2025-02-01", "effective_to": "2025-02-28", "status": "terminated"}
    put_rows(store.landing, "contract_versions", SECOND, row("contract_versions", **gap))
    taken(store)
    assert store.rows("select first_day from meta.starts_meter_readings") == [(date(2025, 3, 5),)]


def test_more_months_of_the_deployment_get_their_slices(store: Store) -> None:
    longer = Store(store.landing, last_month="2025-07")
    longer.connection = store.connection
    assert ("contract_versions", date(2025, 7, 1)) in taken(longer)


def test_batches_touch_the_months_of_what_they_brought_replaced_and_judge(store: Store) -> None:
    put_rows(
        store.landing, "meter_readings", FIRST, row("meter_readings"), row("meter_readings", reading_date="2025-02-01", kwh="-1")
    )
    put_rows(store.landing, "contract_versions", SECOND, row("contract_versions", version="2", effective_from="2025-03-01"))
    store.ingest()
    touching = touching_batches(store.connection, SOURCES)
    assert [batch_id.split("/", 1)[1] for batch_id, _ in touching["meter_readings", date(2025, 2, 1)]] == [
        "contract_versions/20241201T000000Z", "customers/20241201T000000Z", f"meter_readings/{FIRST}", "sites/20241201T000000Z",
    ]  # fmt: skip
    march = {batch_id.split("/", 1)[1] for batch_id, _ in touching["meter_readings", date(2025, 3, 1)]}
    assert f"contract_versions/{SECOND}" in march


def test_a_late_line_reaches_the_months_in_which_it_may_be_recognized_and_no_others(store: Store) -> None:
    before = taken(store)
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices", service_month="2025-01", posted_at="2025-05-20T00:00:00Z"))
    # The cutoffs of March and April lie before it or just after it; May's lies after it. January's own rows are its own slice.
    reached = {("earlier_months_postings", month) for month in (3, 4, 5)}
    assert {each for each in changed(store, before) if each[0] != "contract_versions"} == {("erp_invoices", 1), *reached}


def test_a_document_that_a_line_corrects_reaches_the_months_around_that_line(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices", document_id="OLD", service_month="2025-01"))
    taken(store)
    memo = {"document_id": "CM", "document_type": "credit_memo", "amount": "-5.00", "corrects_document_id": "OLD"}
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", service_month="2025-05", **memo))
    before = taken(store)
    assert {month.month for name, month in before if name == "corrected_documents"} == {4, 5, 6}
    put_rows(store.landing, "erp_invoices", THIRD, row("erp_invoices", document_id="OLD", service_month="2025-01", amount="7.00"))
    corrected = {month for name, month in changed(store, before) if name == "corrected_documents"}
    assert corrected == {4, 5, 6}
