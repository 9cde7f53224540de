"""What becomes of rows: references, versions, healing, corrections; and of batches: seen, changed, rejected, built again."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from revenue_integrity import clock
from revenue_integrity.errors import LandingError, WarehouseError
from revenue_integrity.landing.batches import violations
from revenue_integrity.streams.colocation.sources import SOURCES
from revenue_integrity_tests.landing.support import Store, put, put_rows, put_world, row

MARCH = date(2025, 3, 1)


def reading(**changes: str) -> dict[str, str]:
    return row("meter_readings", **changes)


def versions(store: Store, table: str, *columns: str) -> list[tuple[object, ...]]:
    """Return columns and fate of the loaded rows in the order in which they came; batches by their arrival."""
    return store.rows(
        f"select {', '.join(columns)}, row_status, split_part(superseded_by, '/', 3), split_part(corrects, '/', 3)"
        f" from raw.{table} order by arrival, file_name, row_number"
    )


FIRST, SECOND, THIRD, FOURTH = (f"2025031{number}T000000Z" for number in range(1, 5))


# Versions


def test_a_to_b_to_a_is_two_corrections_and_a_repetition_is_a_duplicate(store: Store) -> None:
    for arrival, amount in ((FIRST, "10.00"), (SECOND, "11.00"), (THIRD, "11.0"), (FOURTH, "10.00")):
        put_rows(store.landing, "erp_invoices", arrival, row("erp_invoices", amount=amount))
    store.ingest()
    assert versions(store, "erp_invoices", "amount_cents") == [
        (1000, "superseded", SECOND, None),
        (1100, "superseded", FOURTH, FIRST),
        (1000, "surviving", None, SECOND),
    ]
    counts = [store.batches()[f"erp_invoices/{arrival}"] for arrival in (FIRST, SECOND, THIRD, FOURTH)]
    assert counts == [(1, 1, 0, 0, 0), (1, 1, 0, 0, 1), (1, 0, 0, 1, 0), (1, 1, 0, 0, 1)]


def test_rows_of_one_key_in_one_batch_stand_in_order_of_file_and_row(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices", amount="3.00"), file_name="b.csv")
    put_rows(store.landing, "erp_invoices", FIRST, *(row("erp_invoices", amount=a) for a in ("1.00", "2.00")), file_name="a.csv")
    store.ingest()
    assert [fate[:2] for fate in versions(store, "erp_invoices", "amount_cents")] == [
        (100, "superseded"), (200, "superseded"), (300, "surviving"),
    ]  # fmt: skip


def test_an_actual_reading_beats_an_estimated_one_whatever_came_later(store: Store) -> None:
    for arrival, kwh, read_type in (
        (FIRST, "1", "estimated"),
        (SECOND, "2", "actual"),
        (THIRD, "3", "estimated"),
        (FOURTH, "2", "actual"),
    ):
        put_rows(store.landing, "meter_readings", arrival, reading(kwh=kwh, read_type=read_type))
    store.ingest()
    assert versions(store, "meter_readings", "kwh", "read_type") == [
        (1, "estimated", "superseded", THIRD, None),
        (2, "actual", "surviving", None, None),
        (3, "estimated", "superseded", SECOND, FIRST),
    ]
    assert store.batches()[f"meter_readings/{FOURTH}"] == (1, 0, 0, 1, 0)


def test_the_highest_bill_version_wins_and_within_it_the_last(store: Store) -> None:
    for arrival, version, kwh in ((FIRST, "2", "20"), (SECOND, "1", "10"), (THIRD, "2", "21"), (FOURTH, "1", "10")):
        put_rows(store.landing, "power_bills", arrival, row("power_bills", bill_version=version, kwh=kwh))
    store.ingest()
    assert versions(store, "power_bills", "bill_version", "kwh") == [
        (2, 20, "superseded", THIRD, None),
        (1, 10, "superseded", THIRD, None),
        (2, 21, "surviving", None, FIRST),
    ]
    assert store.batches()[f"power_bills/{FOURTH}"] == (1, 0, 0, 1, 0)


def test_a_correction_to_another_month_touches_both(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices"))
    store.ingest()
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", service_month="2025-04"))
    report = store.ingest()
    assert report.touched_months == [MARCH, date(2025, 4, 1)]
    touched = store.rows(
        "select split_part(batch_id, '/', 3), month from meta.batch_months where batch_id like '%erp_inv%' order by all"
    )
    assert touched == [(FIRST, MARCH), (SECOND, MARCH), (SECOND, date(2025, 4, 1))]


def test_a_quarantined_row_never_replaces_a_good_one(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices"))
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", currency="EUR"))
    store.ingest()
    assert versions(store, "erp_invoices", "amount_cents") == [(1000, "surviving", None, None)]
    assert store.quarantine() == [("erp_invoices", 1, "2025-03", "currency is EUR, not USD")]


def test_a_backdated_batch_takes_its_place_in_the_order(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", SECOND, row("erp_invoices", amount="2.00"))
    store.ingest()
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices", amount="1.00"))
    store.ingest()
    assert versions(store, "erp_invoices", "amount_cents") == [
        (100, "superseded", SECOND, None), (200, "surviving", None, FIRST),
    ]  # fmt: skip


# Rules of the sources


@pytest.mark.parametrize(
    ("source", "changes", "reason"),
    [
        ("contract_versions", {"effective_to": "2024-12-31"}, "effective_to 2024-12-31 is before effective_from 2025-01-01"),
        ("contract_versions", {"pricing_model": "metered"}, "metered without energy_rate"),
        ("contract_versions", {"pue_uplift": "0.99"}, "pue_uplift is below 1"),
        ("contract_versions", {"one_time_fee": "-1"}, "one_time_fee is negative"),
        ("contract_versions", {"contract_id": "B", "customer_id": "CU-9"}, "customer CU-9 is unknown"),
        ("contract_versions", {"contract_id": "B", "site_id": "S-9"}, "site S-9 is unknown"),
        ("contract_versions", {"contract_id": "stranded"}, "contract_id STRANDED is a reserved id"),
        ("rack_assignments", {"contract_id": "B"}, "contract B is unknown"),
        ("rack_assignments", {"removed_on": "2024-12-31"}, "removed_on 2024-12-31 is before installed_on 2025-01-01"),
        ("meter_readings", {"contract_id": "B"}, "contract B is unknown"),
        ("meter_readings", {"site_id": "S-2"}, "contract A is at site S-1, not at S-2"),
        ("meter_readings", {"reading_date": "2024-12-31"}, "contract A has no service on 2024-12-31"),
        ("meter_readings", {"kwh": "240.000001"}, "kwh 240.000001 is above peak_kw 10.000000 x the 24 hours of the day"),
        (
            "power_bills", {"total": "1450.02"},
            "the four charges add up to 1450.01, not to the total of 1450.02",
        ),
        ("power_bills", {"site_id": "S-9"}, "site S-9 is unknown"),
        (
            "erp_invoices", {"document_type": "credit_memo", "amount": "0.01"},
            "a credit memo with a positive amount of 0.01",
        ),
        ("erp_mapping", {"contract_id": "B"}, "contract B is unknown"),
        ("erp_mapping", {"customer_id": "CU-2"}, "contract A is of customer CU-1, not of CU-2"),
        ("erp_mapping", {"valid_to": "2024-12-31"}, "valid_to 2024-12-31 is before valid_from 2025-01-01"),
        ("erp_power_costs", {"site_id": "S-9"}, "site S-9 is unknown"),
        ("erp_control_totals", {"lines": "1.5"}, "lines '1.5' is not a whole number"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_its_reason(store: Store, source: str, changes: dict[str, str], reason: str) -> None:
    put_rows(store.landing, "customers", FIRST, row("customers", customer_id="CU-2"))
    put_rows(store.landing, "sites", FIRST, row("sites", site_id="S-2"))
    put_rows(store.landing, source, SECOND, row(source, **changes))
    store.ingest()
    assert [(name, errors) for name, _, _, errors in store.quarantine()] == [(source, reason)]


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("erp_invoices", {"amount": "-5.00", "quantity": "-1"}),
        ("erp_invoices", {"document_type": "credit_memo", "amount": "0"}),
        ("power_bills", {"energy_charge": "-1000.00", "total": "-549.99"}),
        ("meter_readings", {"kwh": "240"}),
        ("meter_readings", {"kwh": "0", "peak_kw": "0"}),
        ("contract_versions", {"version": "2", "effective_to": "2025-01-01"}),
    ],
)
def test_what_only_looks_odd_is_accepted(store: Store, source: str, changes: dict[str, str]) -> None:
    put_rows(store.landing, source, SECOND, row(source, **changes))
    store.ingest()
    assert store.quarantine() == []


@pytest.mark.parametrize(("day", "hours"), [("2025-03-09", 23), ("2025-03-10", 24), ("2025-11-02", 25)])
def test_the_hours_of_a_day_are_those_of_the_site(store: Store, day: str, hours: int) -> None:
    put_rows(store.landing, "meter_readings", FIRST, reading(reading_date=day, kwh=str(10 * hours)))
    put_rows(store.landing, "meter_readings", SECOND, reading(reading_date=day, kwh=f"{10 * hours}.000001", meter_id="M2"))
    store.ingest()
    assert store.rows("select meter_id from raw.meter_readings") == [("M1",)]


def test_huge_values_are_judged_without_overflow(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, reading(kwh="999999999999.999999", peak_kw="999999999999"))
    most = "9999999999999.99"
    put_rows(
        store.landing,
        "power_bills",
        FIRST,
        row("power_bills", energy_charge=most, demand_charge=most, fixed_charge=most, tax=most),
    )
    store.ingest()
    assert store.batches()[f"meter_readings/{FIRST}"] == (1, 1, 0, 0, 0)
    assert store.batches()[f"power_bills/{FIRST}"] == (1, 0, 1, 0, 0)


def test_the_highest_version_on_a_day_is_in_force_and_a_terminated_one_is_no_service(store: Store) -> None:
    # Version 1 from January on, 2 interrupts the service on 10–12 March, 3 ends it on 20 March, 4 begins again in May.
    changes = (
        {"version": "2", "effective_from": "2025-03-10", "effective_to": "2025-03-12", "status": "terminated"},
        {"version": "3", "effective_from": "2025-03-20", "status": "terminated"},
        {"version": "4", "effective_from": "2025-05-01"},
    )
    put_rows(store.landing, "contract_versions", FIRST, *(row("contract_versions", **change) for change in changes))
    days = ["2025-03-09", "2025-03-10", "2025-03-12", "2025-03-13", "2025-03-19", "2025-03-20", "2025-04-30", "2025-05-01"]
    put_rows(store.landing, "meter_readings", FIRST, *(reading(reading_date=day) for day in days))
    store.ingest()
    served = store.rows("select reading_date::VARCHAR from raw.meter_readings order by 1")
    assert [day for (day,) in served] == ["2025-03-09", "2025-03-13", "2025-03-19", "2025-05-01"]


def test_a_contract_keeps_the_customer_and_site_of_its_first_accepted_version(store: Store) -> None:
    put_rows(store.landing, "customers", FIRST, row("customers", customer_id="CU-2"))
    put_rows(store.landing, "contract_versions", FIRST, row("contract_versions", version="2", customer_id="CU-2"))
    put_rows(
        store.landing, "contract_versions", SECOND,
        row("contract_versions", contract_id="B", version="2"), row("contract_versions", contract_id="B", customer_id="CU-2"),
    )  # fmt: skip
    store.ingest()
    changed, first = "customer or site of the contract changed:", "but its first accepted version has"
    assert [errors for *_, errors in store.quarantine()] == [
        f"{changed} CU-2 at S-1, {first} CU-1 at S-1",
        # In one arrival the lower version is the first, wherever it stands in the file.
        f"{changed} CU-1 at S-1, {first} CU-2 at S-1",
    ]


# Healing


def test_rows_heal_by_themselves_along_the_chain_of_references(tmp_path: Path) -> None:
    store = Store(tmp_path / "landing")
    put_rows(store.landing, "meter_readings", THIRD, reading())
    put_rows(store.landing, "erp_mapping", THIRD, row("erp_mapping"))
    put_rows(store.landing, "contract_versions", SECOND, row("contract_versions"))
    store.ingest()
    assert store.quarantine() == [
        ("contract_versions", 1, None, "customer CU-1 is unknown; site S-1 is unknown"),
        ("erp_mapping", 1, None, "contract A is unknown; customer CU-1 is unknown"),
        ("meter_readings", 1, "2025-03", "contract A is unknown; site S-1 is unknown"),
    ]
    put_rows(store.landing, "customers", FIRST, row("customers"))
    assert store.ingest().healed == 0
    put_rows(store.landing, "sites", FIRST, row("sites"))
    report = store.ingest()
    assert (report.healed, report.touched["meter_readings"]) == (3, {MARCH})
    assert store.quarantine() == []
    assert store.batches()[f"meter_readings/{THIRD}"] == (1, 1, 0, 0, 0)


def test_readings_go_to_quarantine_when_the_termination_arrives_and_come_back_when_it_is_corrected(store: Store) -> None:
    put(store.landing, "meter_readings", FIRST, "Meter_ID,contract_id,site_id,reading_date,kwh,peak_kw,read_type,x\n"
        " m1 ,A,S-1,2025-03-05,100,10,actual,7\nM1,A,S-1,2025-03-06,100,10,actual,7\n")  # fmt: skip
    put_rows(store.landing, "meter_readings", SECOND, reading())
    store.ingest()
    assert store.batches()[f"meter_readings/{SECOND}"] == (1, 0, 0, 1, 0)
    end = {
        "version": "2",
        "effective_from": "2025-03-05",
        "effective_to": "2025-03-05",
        "status": "terminated",
        "amendment_type": "termination",
    }
    put_rows(store.landing, "contract_versions", THIRD, row("contract_versions", **end))
    report = store.ingest()
    assert report.refused == 1
    assert store.rows("select file_name, row_number, dq_errors, raw from meta.quarantine order by batch_id") == [
        (
            "data.csv", 1, "contract A has no service on 2025-03-05",
            '{"Meter_ID":" m1 ","contract_id":"A","site_id":"S-1","reading_date":"2025-03-05","kwh":"100","peak_kw":"10",'
            '"read_type":"actual","x":"7"}',
        ),
        (
            "data.csv", 1, "contract A has no service on 2025-03-05",
            '{"meter_id":"M1","contract_id":"A","site_id":"S-1","reading_date":"2025-03-05","kwh":"100","peak_kw":"10",'
            '"read_type":"actual"}',
        ),
    ]  # fmt: skip
    assert store.batches()[f"meter_readings/{FIRST}"] == (2, 1, 1, 0, 0)
    put_rows(store.landing, "contract_versions", FOURTH, row("contract_versions", **(end | {"status": "active"})))
    assert store.ingest().healed == 2
    assert store.quarantine() == []
    assert store.batches()[f"meter_readings/{SECOND}"] == (1, 0, 0, 1, 0)


def test_a_corrected_time_zone_judges_the_readings_of_the_site_again(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, reading(reading_date="2025-03-09", kwh="235"))
    store.ingest()
    assert store.batches()[f"meter_readings/{FIRST}"] == (1, 0, 1, 0, 0)
    put_rows(store.landing, "sites", SECOND, row("sites", timezone="UTC"))
    store.ingest()
    assert store.batches()[f"meter_readings/{FIRST}"] == (1, 1, 0, 0, 0)


def test_a_row_that_goes_to_quarantine_leaves_its_key_to_the_row_before(store: Store) -> None:
    put_rows(store.landing, "contract_versions", FIRST, row("contract_versions", contract_id="B"))
    put_rows(store.landing, "meter_readings", FIRST, reading(kwh="1"))
    put_rows(store.landing, "meter_readings", SECOND, reading(kwh="2", contract_id="B"))
    store.ingest()
    assert [fate[:2] for fate in versions(store, "meter_readings", "kwh")] == [(1, "superseded"), (2, "surviving")]
    put_rows(
        store.landing, "contract_versions", THIRD, row("contract_versions", contract_id="B", version="2", status="terminated")
    )
    store.ingest()
    assert versions(store, "meter_readings", "kwh") == [(1, "surviving", None, None)]


def test_a_refused_row_whose_file_is_gone_keeps_what_was_read(store: Store) -> None:
    file = put_rows(store.landing, "meter_readings", FIRST, reading(meter_id=" m1"))
    store.ingest()
    file.unlink()
    file.parent.rmdir()
    put_rows(store.landing, "contract_versions", SECOND, row("contract_versions", version="2", status="terminated"))
    report = store.ingest()
    assert report.missing == [f"colocation/meter_readings/{FIRST}"]
    assert store.rows("select raw ->> 'meter_id' from meta.quarantine") == [("M1",)]


# Batches


def test_ingesting_again_changes_nothing(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, reading(), reading(kwh="-1"))
    store.ingest()
    before = store.state()
    report = store.ingest()
    assert (report.loaded, report.touched, report.changed) == ([], {}, [])
    assert store.state() == before


def test_an_as_of_reads_only_what_had_arrived(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, reading(kwh="1"))
    put_rows(store.landing, "meter_readings", SECOND, reading(kwh="2"))
    store.ingest(as_of=datetime(2025, 3, 11, tzinfo=UTC))
    assert store.rows("select kwh, row_status from raw.meter_readings") == [(1, "surviving")]
    store.ingest()
    with pytest.raises(WarehouseError, match="arrived after"):
        store.ingest(as_of=datetime(2025, 3, 11, tzinfo=UTC))


def test_a_changed_batch_is_told_and_what_was_ingested_stays(store: Store) -> None:
    file = put_rows(store.landing, "meter_readings", FIRST, reading())
    store.ingest()
    (recorded,) = store.rows("select digest from meta.batches where source = 'meter_readings'")[0]
    original = file.read_bytes()
    file.write_bytes(original.replace(b"100", b"1000"))
    (violation,) = store.ingest().changed
    assert (violation.batch_id, violation.recorded, violation.months) == (
        f"colocation/meter_readings/{FIRST}",
        recorded,
        (MARCH,),
    )
    assert store.rows("select kwh from raw.meter_readings") == [(100,)]
    assert store.rows("select status, digest, found_digest from meta.batches where source = 'meter_readings'") == [
        ("changed", recorded, violation.found)
    ]
    assert store.ingest().changed == [violation]
    assert str(violation).startswith(f"batch colocation/meter_readings/{FIRST} has changed: digest {recorded} was recorded")
    file.write_bytes(original)
    assert store.ingest().changed == []
    assert store.rows("select status, found_digest from meta.batches where source = 'meter_readings'") == [("loaded", None)]


def test_a_file_more_in_a_batch_is_a_change_and_another_time_is_none(store: Store) -> None:
    file = put_rows(store.landing, "meter_readings", FIRST, reading())
    store.ingest()
    os.utime(file, (1, 1))
    assert store.ingest().changed == []
    put_rows(store.landing, "meter_readings", FIRST, reading(meter_id="M2"), file_name="more.csv")
    assert len(store.ingest().changed) == 1


def test_verifying_finds_a_change_that_size_and_time_do_not_show(store: Store) -> None:
    file = put_rows(store.landing, "meter_readings", FIRST, reading())
    store.ingest()
    stat = file.stat()
    file.write_bytes(file.read_bytes().replace(b"100", b"101"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.ingest().changed == []
    (violation,) = violations(store.connection, store.landing, SOURCES)
    assert (violation.batch_id, violation.months) == (f"colocation/meter_readings/{FIRST}", (MARCH,))


def test_other_rules_build_the_store_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "landing")
    put_world(store.landing)
    put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices", currency="EUR"))
    with clock.held_at(datetime(2025, 3, 12, tzinfo=UTC)):
        store.ingest()
    euros = Store(store.landing, store.connection, currency="EUR")
    report = euros.ingest()
    assert report.rebuilt
    assert store.batches()[f"erp_invoices/{FIRST}"] == (1, 1, 0, 0, 0)
    assert store.rows("select distinct first_seen_at from meta.batches") == [(datetime(2025, 3, 12, tzinfo=UTC),)]


def test_a_store_is_not_built_again_from_other_bytes(store: Store) -> None:
    file = put_rows(store.landing, "erp_invoices", FIRST, row("erp_invoices"))
    store.ingest()
    file.write_bytes(file.read_bytes().replace(b"10.00", b"99.00"))
    euros = Store(store.landing, store.connection, currency="EUR")
    with pytest.raises(LandingError, match="must be built again"):
        euros.ingest()
    assert store.rows("select amount_cents from raw.erp_invoices") == [(1000,)]


def test_a_failure_in_the_middle_leaves_the_store_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.ingest()
    before = store.state()
    put_rows(store.landing, "meter_readings", FIRST, reading())

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("revenue_integrity.landing.slices.refresh", fail)
        with pytest.raises(KeyboardInterrupt):
            store.ingest()
    assert store.state() == before
    assert store.ingest().loaded == [f"colocation/meter_readings/{FIRST}"]


def test_a_source_that_never_delivered_has_an_empty_table(store: Store) -> None:
    store.ingest()
    assert store.rows("select count(*) from raw.erp_power_costs") == [(0,)]


def test_nothing_temporary_is_left(store: Store) -> None:
    put_rows(store.landing, "meter_readings", FIRST, reading())
    store.ingest()
    assert store.rows("select table_name from duckdb_tables() where temporary") == []
    assert store.rows("select view_name from duckdb_views() where temporary and not internal") == []


def test_what_is_said_of_a_batch_is_kept_and_noticed_when_it_changes(store: Store) -> None:
    put_rows(store.landing, "power_bills", "20250405T000000Z", row("power_bills"))
    note = put(store.landing, "power_bills", "20250405T000000Z", '{"covers": "2025-02:2025-03"}', "_batch.json")
    asked = "select covers, status, rows_in_file from meta.batches where source = 'power_bills'"
    assert store.ingest().loaded == ["colocation/power_bills/20250405T000000Z"]
    assert store.rows(asked) == [("2025-02:2025-03", "loaded", 1)]
    note.write_text('{"covers": "2025-01:2025-03"}')
    store.ingest()
    assert store.rows(asked) == [("2025-02:2025-03", "changed", 1)]


def test_a_batch_of_which_nobody_can_read_what_is_said_is_rejected(store: Store) -> None:
    put_rows(store.landing, "power_bills", "20250405T000000Z", row("power_bills"))
    put(store.landing, "power_bills", "20250405T000000Z", "soon", "_batch.json")
    (told,) = store.ingest().rejected.values()
    assert "_batch.json does not say which months the batch covers" in told
