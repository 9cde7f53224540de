"""A wrong delivery is taken back: from the arrival of its withdrawal on, the store is what it would be without it."""

import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity import clock
from revenue_integrity.errors import LandingError
from revenue_integrity.landing import zone
from revenue_integrity.landing.withdrawals import land_withdrawal, moved
from revenue_integrity.model.withdrawal import source_of
from revenue_integrity.settings import Settings
from revenue_integrity_tests.landing.support import BY_NAME, Store, csv_text, put, put_rows, put_world, row
from revenue_integrity_tests.landing.test_invariants import deliveries


def withdraw(landing: Path, arrival: str, *batch_ids: str) -> None:
    """Land the withdrawal of some batches."""
    rows = [{"batch_id": batch_id, "reason": "wrong month", "withdrawn_by": "pat"} for batch_id in batch_ids]
    put(landing, "withdrawals", arrival, csv_text(rows))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store whose invoice D1 was 10.00, was corrected to 12.00, and came again with 12.00."""
    put_world(tmp_path / "landing")
    for arrival, amount in (("20250410T000000Z", "10.00"), ("20250411T000000Z", "12.00")):
        put_rows(tmp_path / "landing", "erp_invoices", arrival, row("erp_invoices", amount=amount))
    return Store(tmp_path / "landing")


def test_what_a_withdrawn_batch_had_replaced_stands_again_and_nothing_of_the_batch_counts(store: Store) -> None:
    store.ingest()
    withdraw(store.landing, "20250412T000000Z", "colocation/erp_invoices/20250411T000000Z")
    report = store.ingest()
    assert report.withdrawn == ["colocation/erp_invoices/20250411T000000Z"]
    assert store.rows("select amount_cents, row_status, superseded_by from raw.erp_invoices") == [(1000, "surviving", None)]
    assert store.rows("select status from meta.batches where batch_id = 'colocation/erp_invoices/20250411T000000Z'") == [
        ("withdrawn",)
    ]
    assert store.batches()["erp_invoices/20250411T000000Z"] == (1, 0, 0, 0, 0)
    assert report.touched["erp_invoices"] == {date(2025, 3, 1)}


def test_a_row_that_was_a_duplicate_of_what_is_withdrawn_stands_in_its_place(store: Store) -> None:
    put_rows(store.landing, "erp_invoices", "20250413T000000Z", row("erp_invoices", amount="12.00"))
    store.ingest()
    withdraw(store.landing, "20250414T000000Z", "colocation/erp_invoices/20250411T000000Z")
    store.ingest()
    rows = store.rows("select amount_cents, row_status, batch_id from raw.erp_invoices order by arrival")
    assert rows == [
        (1000, "superseded", "colocation/erp_invoices/20250410T000000Z"),
        (1200, "surviving", "colocation/erp_invoices/20250413T000000Z"),
    ]


def test_what_waited_for_a_withdrawn_batch_waits_again(store: Store) -> None:
    put_rows(store.landing, "meter_readings", "20250306T000000Z", row("meter_readings"))
    store.ingest()
    assert store.rows("select count(*) from raw.meter_readings") == [(1,)]
    withdraw(store.landing, "20250414T000000Z", "colocation/sites/20241201T000000Z")
    store.ingest()
    assert store.rows("select count(*) from raw.meter_readings") == [(0,)]
    assert "site S-1 is unknown" in store.rows("select dq_errors from meta.quarantine where source = 'meter_readings'")[0][0]
    assert store.rows("select raw is null from meta.quarantine where source = 'meter_readings'") == [(False,)]


def test_a_withdrawal_counts_from_its_arrival_on(store: Store) -> None:
    withdraw(store.landing, "20250412T000000Z", "colocation/erp_invoices/20250411T000000Z")
    store.ingest(as_of=datetime(2025, 4, 11, 12, tzinfo=UTC))
    assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(1200,)]
    store.ingest(as_of=datetime(2025, 4, 12, tzinfo=UTC))
    assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(1000,)]


def test_the_same_files_landed_again_count_and_a_correction_after_the_withdrawal_does_too(store: Store) -> None:
    withdraw(store.landing, "20250412T000000Z", "colocation/erp_invoices/20250411T000000Z")
    store.ingest()
    put_rows(store.landing, "erp_invoices", "20250415T000000Z", row("erp_invoices", amount="12.00"))
    store.ingest()
    assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(1200,)]
    put_rows(store.landing, "erp_invoices", "20250416T000000Z", row("erp_invoices", amount="13.00"))
    store.ingest()
    rows = store.rows("select amount_cents, corrects from raw.erp_invoices where row_status = 'surviving'")
    assert rows == [(1300, "colocation/erp_invoices/20250415T000000Z")]


def test_a_withdrawal_of_a_batch_that_nobody_knows_waits_and_heals_when_it_comes(store: Store) -> None:
    withdraw(store.landing, "20250412T000000Z", "colocation/erp_invoices/20250501T000000Z")
    store.ingest()
    ((source, _, _, why),) = store.quarantine()
    assert (source, why) == ("withdrawals", "batch colocation/erp_invoices/20250501T000000Z is unknown")
    put_rows(store.landing, "erp_invoices", "20250501T000000Z", row("erp_invoices", amount="99.00"))
    store.ingest()
    assert store.quarantine() == []
    assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(1200,)]
    assert store.batches()["erp_invoices/20250501T000000Z"] == (1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("colocation/withdrawals/20250412T000000Z", "is a withdrawal, which is not withdrawn: land the files again"),
        ("cloud/focus/20250411T000000Z", "is no batch of this stream (colocation/SOURCE/ARRIVAL)"),
        ("colocation/ERP_INVOICES/20250411T000000Z", "is unknown"),
    ],
)
def test_a_withdrawal_that_names_no_batch_of_its_stream_takes_nothing_back(store: Store, named: str, why: str) -> None:
    withdraw(store.landing, "20250412T000000Z", "colocation/erp_invoices/20250410T000000Z")
    withdraw(store.landing, "20250413T000000Z", named)
    store.ingest()
    assert next(reasons for *_, reasons in store.quarantine()).endswith(why)
    assert store.rows("select status from meta.batches where batch_id like '%erp_invoices/20250411T000000Z'") == [("loaded",)]


def test_a_rejected_batch_that_is_withdrawn_stands_in_nobodys_way(store: Store) -> None:
    put(store.landing, "erp_invoices", "20250413T000000Z", "no,such,columns\n1,2,3\n")
    store.ingest()
    assert [source for source, *_ in store.quarantine()] == ["erp_invoices"]
    withdraw(store.landing, "20250414T000000Z", "colocation/erp_invoices/20250413T000000Z")
    store.ingest()
    assert store.quarantine() == []


def test_a_changed_batch_may_be_withdrawn_and_the_store_built_again_without_it(store: Store) -> None:
    store.ingest()
    put_rows(store.landing, "erp_invoices", "20250411T000000Z", row("erp_invoices", amount="666.00"))
    withdraw(store.landing, "20250414T000000Z", "colocation/erp_invoices/20250411T000000Z")
    assert store.ingest().changed == []
    assert store.rows("select amount_cents from raw.erp_invoices") == [(1000,)]


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_the_store_is_what_it_would_be_had_the_withdrawn_batches_never_come(data: st.DataObject) -> None:
    batches = data.draw(deliveries())
    out = data.draw(
        st.lists(st.sampled_from(batches), min_size=1, max_size=3, unique_by=lambda each: (each.source, each.arrival))
    )
    cut = data.draw(st.integers(0, len(batches)))
    with tempfile.TemporaryDirectory() as home:
        held = Store(Path(home, "held", "landing"))
        for part in (batches[:cut], batches[cut:]):
            for each in part:
                each.put(held.landing)
            if part:
                held.ingest()
        withdraw(held.landing, "20250311T000000Z", *(f"colocation/{each.source}/{each.arrival}" for each in out))
        held.ingest()
        plain = Store(Path(home, "plain", "landing"))
        plain.landing.mkdir(parents=True)
        for each in batches:
            if each not in out:
                each.put(plain.landing)
        plain.ingest()
        for source in BY_NAME.values():
            row_of = f"{', '.join(source.values)}, batch_id, file_name, row_number, row_status, superseded_by, corrects"
            asked = f"select {row_of} from raw.{source.dataset} order by all"
            assert held.rows(asked) == plain.rows(asked), source.name
        slices = "select source, month, hash from meta.slices order by all"
        assert held.rows(slices) == plain.rows(slices)
        assert held.quarantine() == plain.quarantine()
        counted = {name: counts for name, counts in held.batches().items() if any(counts[1:])}
        del counted["withdrawals/20250311T000000Z"]
        assert counted == {name: counts for name, counts in plain.batches().items() if any(counts[1:])}


def test_a_delivery_from_the_future_is_refused_and_one_that_stands_there_counts_when_its_time_has_come(store: Store) -> None:
    now = datetime(2025, 5, 1, 12, tzinfo=UTC)
    put_rows(store.landing, "erp_invoices", "20990101T000000Z", row("erp_invoices", amount="99.00"))
    with clock.held_at(now):
        with pytest.raises(LandingError, match=r"the arrival 20250501T120501Z lies ahead: it is 20250501T120000Z now"):
            zone.land(
                store.settings,
                BY_NAME["erp_invoices"],
                [store.landing.parent / "x.csv"],
                datetime(2025, 5, 1, 12, 5, 1, tzinfo=UTC),
            )
        store.ingest()
        assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(1200,)]
        assert zone.scan(store.landing, [BY_NAME["erp_invoices"]]).ahead == ["colocation/erp_invoices/20990101T000000Z"]
    with clock.held_at(datetime(2098, 12, 31, 23, 56, tzinfo=UTC)):
        store.ingest()
        assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(9900,)]
    # A clock that is set back takes nothing back: months that were signed would be reopened by it.
    with clock.held_at(now):
        store.ingest()
        assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(9900,)]
    # An earlier release read whatever stood there: of that, what lies ahead counts no more until its time has come.
    store.connection.execute("update meta.batches set first_seen_at = $now where arrival > $now", {"now": now})
    with clock.held_at(now):
        store.ingest()
        assert store.rows("select amount_cents from raw.erp_invoices where row_status = 'surviving'") == [(1200,)]


def test_every_stream_has_withdrawals_without_declaring_them(store: Store) -> None:
    assert "withdrawals" not in BY_NAME
    assert [column.name for column in source_of("colocation").columns] == ["batch_id", "reason", "withdrawn_by"]
    store.ingest()
    assert store.rows("select count(*) from raw.colocation_withdrawals") == [(0,)]


def test_what_would_move_is_told_before_with_what_stands_again(store: Store) -> None:
    put_rows(
        store.landing,
        "erp_invoices",
        "20250411T000000Z",
        row("erp_invoices", document_id="D2", amount="5.00", service_month="2025-04"),
        file_name="more.csv",
    )
    store.ingest()
    found = moved(store.connection, BY_NAME["erp_invoices"], "colocation/erp_invoices/20250411T000000Z")
    told = found[found["amount"] == "amount_cents"][["month", "rows", "goes", "stands_again", "moves"]].to_numpy().tolist()
    assert told == [
        ["2025-03", 1, Decimal("12.00"), Decimal("10.00"), Decimal("-2.00")],
        ["2025-04", 1, Decimal("5.00"), Decimal("0"), Decimal("-5.00")],
    ]
    assert moved(store.connection, BY_NAME["erp_invoices"], "colocation/erp_invoices/20250410T000000Z").empty


def test_a_reason_of_several_lines_is_one_withdrawal(store: Store) -> None:
    store.ingest()
    deployment = Settings(home=store.landing.parent, landing=store.landing)
    land_withdrawal(deployment, "colocation", "colocation/erp_invoices/20250411T000000Z", "pat", "wrong month\rsee the mail")
    assert store.ingest().withdrawn == ["colocation/erp_invoices/20250411T000000Z"]
