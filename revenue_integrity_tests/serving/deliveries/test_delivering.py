"""Deliveries into PostgreSQL: what stands there, what is due, what a killed delivery leaves, how tables change."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from revenue_integrity.databases import resolve_url
from revenue_integrity.errors import DeliveryError, SettingsError, UsageError
from revenue_integrity.model import table as column
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.table import Table, table
from revenue_integrity.serving.deliveries import database
from revenue_integrity.serving.deliveries.delivering import chosen, deliver
from revenue_integrity.serving.deliveries.rebuilding import rebuild
from revenue_integrity.serving.deliveries.verifying import verify
from revenue_integrity.settings import Delivery, Settings
from revenue_integrity_tests.serving.deliveries.support import (
    FEBRUARY,
    JANUARY,
    TRIPS,
    URL,
    asked,
    delivery,
    home_of,
    put,
    trip,
)
from revenue_integrity_tests.serving.deliveries.test_round_trip import StagedPostgres

BI = delivery()

LOCK_OF_TRIPS = int.from_bytes(hashlib.sha256(b"revenue_integrity.gold.trips").digest()[:8], "big", signed=True)
"""The lock that a delivery of the dataset holds while it works."""


@pytest.fixture
def home(tmp_path: Path) -> Deployment:
    """Two months: 10.00 and 2.50 in January, 7.00 in February."""
    found = home_of(tmp_path, deliveries=[BI])
    put(found, JANUARY, [trip(JANUARY, "T-1", 1000, guests=2, email="ann@x.org"), trip(JANUARY, "T-2", 250)])
    put(found, FEBRUARY, [trip(FEBRUARY, "T-3", 700, miles=Decimal("1.5"))])
    return found


def sent(deployment: Deployment, to: Delivery = BI, **how: Any) -> list[str]:
    return [each.named for each in deliver(deployment, to, **how)]


def fares() -> list[tuple[Any, ...]]:
    return asked("select month, trip_id, fare from gold.trips order by trip_id")


def test_a_published_month_stands_in_the_database_under_its_name_with_its_types_and_keys(home: Deployment) -> None:
    assert sent(home) == ["trips 2025-01", "trips 2025-02"]
    assert fares() == [
        (JANUARY, "T-1", Decimal("10.00")),
        (JANUARY, "T-2", Decimal("2.50")),
        (FEBRUARY, "T-3", Decimal("7.00")),
    ]
    types = asked(
        "select column_name, data_type, numeric_precision, numeric_scale, is_nullable from information_schema.columns"
        " where table_schema = 'gold' and table_name = 'trips' order by ordinal_position"
    )
    assert types == [
        ("month", "date", None, None, "NO"),
        ("trip_id", "character varying", None, None, "NO"),
        ("email", "text", None, None, "YES"),
        ("fare", "numeric", 19, 2, "YES"),
        ("guests", "bigint", 64, 0, "YES"),
        ("miles", "numeric", 18, 6, "YES"),
    ]
    indexes = [each for (each,) in asked("select indexdef from pg_indexes where schemaname = 'gold' and tablename = 'trips'")]
    assert any("UNIQUE" in each and "(month, trip_id)" in each for each in indexes)
    assert any("(guests, trip_id)" in each for each in indexes)
    assert asked("select obj_description('gold.trips'::regclass)") == [("Trips, one row per trip.",)]
    assert asked("select col_description('gold.trips'::regclass, 4)") == [("What it cost. [USD]",)]


def test_money_stays_whole_cents_where_that_is_asked_for(home: Deployment) -> None:
    sent(home, delivery(money="cents"))
    assert asked("select sum(fare_cents) from gold.trips") == [(Decimal(1950),)]


def test_cents_stay_where_the_table_has_a_column_of_the_name_without_them(tmp_path: Path) -> None:
    both = table(
        "boats",
        "mart",
        "trips",
        "Trips.",
        ("trip_id",),
        [
            column.month(),
            column.text("trip_id", "The trip."),
            column.money("fare_cents", "Cents."),
            column.text("fare", "Words."),
        ],
    )
    found = home_of(tmp_path, both)
    put(found, JANUARY, [{"month": JANUARY, "trip_id": "T-1", "fare_cents": 5, "fare": "cheap"}], both)
    sent(found)
    assert asked("select fare_cents, fare from gold.trips") == [(5, "cheap")]


def test_the_record_names_content_version_rows_and_sums(home: Deployment) -> None:
    sent(home)
    found = asked("select dataset, month, delivery, rows, sums, version from gold.revenue_integrity_deliveries order by month")
    assert found == [
        ("trips", JANUARY, "bi", 2, '{"fare": "12.50", "guests": "2", "miles": null}', None),
        ("trips", FEBRUARY, "bi", 1, '{"fare": "7.00", "guests": null, "miles": "1.500000"}', None),
    ]


def test_equal_content_sends_nothing(home: Deployment) -> None:
    sent(home)
    before = asked("select xmin::text, trip_id from gold.trips order by trip_id")
    assert sent(home) == []
    assert asked("select xmin::text, trip_id from gold.trips order by trip_id") == before


def test_what_changed_is_sent_alone_and_everything_where_that_is_asked_for(home: Deployment) -> None:
    sent(home)
    put(home, FEBRUARY, [trip(FEBRUARY, "T-3", 800)])
    assert sent(home) == ["trips 2025-02"]
    assert fares()[-1] == (FEBRUARY, "T-3", Decimal("8.00"))
    assert sent(home, again=True) == ["trips 2025-01", "trips 2025-02"]
    assert sent(home, wanted=[JANUARY], again=True) == ["trips 2025-01"]


def test_a_row_that_moves_to_an_earlier_month_is_in_nobodys_way(home: Deployment) -> None:
    sent(home)
    put(home, JANUARY, [trip(JANUARY, "T-3", 700)])
    put(home, FEBRUARY, [])
    sent(home)
    assert fares() == [(JANUARY, "T-3", Decimal("7.00"))]


def test_a_table_that_somebody_dropped_is_made_and_filled_again(home: Deployment) -> None:
    sent(home)
    asked("drop table gold.trips")
    assert sent(home) == ["trips 2025-01", "trips 2025-02"]


KILLED_AT = {
    "after the old rows are deleted": "postgres.Postgres.fill",
    "in the middle of the copy": "postgres.text_of",
    "after the copy": "comparing.refuse_others",
    "before the record": "record.write",
}


@pytest.mark.parametrize("place", KILLED_AT)
def test_a_killed_delivery_leaves_the_old_month_and_the_next_one_brings_the_new(
    home: Deployment, tmp_path: Path, place: str
) -> None:
    sent(home)
    old = fares()
    put(home, JANUARY, [trip(JANUARY, "T-1", 999), trip(JANUARY, "T-9", 1)])
    module, _, name = KILLED_AT[place].partition(".")
    script = f"""
        import os, signal
        from pathlib import Path
        from revenue_integrity.serving.deliveries import comparing, delivering, postgres, record
        from revenue_integrity_tests.serving.deliveries.support import delivery, home_of

        def killed(*_, **__):
            os.kill(os.getpid(), signal.SIGKILL)

        {module}.{name} = killed
        list(delivering.deliver(home_of(Path({str(home.settings.home)!r})), delivery()))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=dict(os.environ), check=False)
    assert ended.returncode == -signal.SIGKILL
    assert fares() == old
    assert sent(home) == ["trips 2025-01"]
    assert [each for each in fares() if each[0] == JANUARY] == [
        (JANUARY, "T-1", Decimal("9.99")),
        (JANUARY, "T-9", Decimal("0.01")),
    ]


def test_readers_see_the_old_rows_until_the_new_ones_are_all_there(home: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    from revenue_integrity.serving.deliveries import record

    sent(home)
    old, seen = fares(), []
    put(home, JANUARY, [trip(JANUARY, "T-1", 5)])
    write = record.write
    monkeypatch.setattr(record, "write", lambda *given: (seen.append(fares()), write(*given))[1])
    sent(home)
    assert seen == [old]
    assert fares() != old


def test_two_deliveries_of_one_dataset_take_turns(home: Deployment) -> None:
    sent(home)
    put(home, JANUARY, [])
    engine = sa.create_engine(resolve_url(URL))
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": LOCK_OF_TRIPS})
        with pytest.raises(DeliveryError, match="waits for somebody else"):
            sent(home)
    engine.dispose()
    assert sent(home) == ["trips 2025-01"]


def more_columns(**more: Any) -> Table:
    columns = [TRIPS.schema.columns[name] for name in TRIPS.columns] + [column.text("boat", "The boat.", null=True)]
    return table("boats", "mart", "trips", "Trips, one row per trip.", ("trip_id",), columns, **more)


def test_a_new_column_is_added_and_all_months_are_sent(home: Deployment, tmp_path: Path) -> None:
    sent(home)
    newer = home_of(tmp_path, more_columns())
    put(newer, FEBRUARY, [trip(FEBRUARY, "T-3", 700) | {"boat": "B-1"}], more_columns())
    assert sent(newer) == ["trips 2025-01", "trips 2025-02"]
    assert asked("select trip_id, boat from gold.trips order by trip_id") == [("T-1", None), ("T-2", None), ("T-3", "B-1")]
    assert list(verify(newer, BI)) == [None, None]


def test_a_column_that_we_have_no_more_stays_and_is_null(home: Deployment, tmp_path: Path) -> None:
    wider = home_of(tmp_path, more_columns())
    put(wider, JANUARY, [trip(JANUARY, "T-1", 1000) | {"boat": "B-1"}], more_columns())
    sent(wider)
    put(home, JANUARY, [trip(JANUARY, "T-1", 1000)])
    assert "trips 2025-01" in sent(home)
    assert asked("select boat from gold.trips where month = '2025-01-01'") == [(None,)]


def test_columns_of_others_stay_unless_they_must_be_filled(home: Deployment) -> None:
    sent(home)
    asked("alter table gold.trips add column note text, add column seen timestamptz not null default now()")
    sent(home, again=True)
    asked("alter table gold.trips add column reviewer text; update gold.trips set reviewer = 'x'")
    asked("alter table gold.trips alter column reviewer set not null")
    with pytest.raises(DeliveryError, match="column reviewer that is not ours and must be filled"):
        sent(home, again=True)


def test_another_type_or_key_is_refused_naming_both_until_the_table_is_made_anew(home: Deployment) -> None:
    sent(home)
    asked("alter table gold.trips alter column fare type numeric(30, 4)")
    with pytest.raises(
        DeliveryError, match=r"gold\.trips has the column fare as NUMERIC\(30, 4\), and it should be NUMERIC\(19, 2\)"
    ):
        sent(home)
    assert rebuild(home, BI, "trips").rows == 3
    assert sent(home) == []
    asked(
        "alter table gold.trips drop constraint "
        + asked("select quote_ident(conname) from pg_constraint where conrelid = 'gold.trips'::regclass and contype = 'p'")[0][0]
    )
    with pytest.raises(DeliveryError, match="has the key none, and it should be month, trip_id"):
        sent(home)
    rebuild(home, BI, "trips")
    assert fares()[0] == (JANUARY, "T-1", Decimal("10.00"))
    assert list(verify(home, BI)) == [None, None]


def test_a_killed_rebuild_leaves_the_old_table(home: Deployment) -> None:
    sent(home)
    old = fares()
    script = f"""
        import os, signal
        from pathlib import Path
        from revenue_integrity.serving.deliveries import rebuilding, rights
        from revenue_integrity_tests.serving.deliveries.support import delivery, home_of

        rights.apply = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        rebuilding.rebuild(home_of(Path({str(home.settings.home)!r})), delivery(), "trips")
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=dict(os.environ), check=False)
    assert ended.returncode == -signal.SIGKILL
    assert fares() == old
    assert sent(home) == []


def test_a_table_is_made_anew_also_where_rows_go_through_a_staging_table(
    home: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_kind_of", lambda _: StagedPostgres())
    sent(home)
    old = fares()
    assert rebuild(home, BI, "trips").rows == 3
    assert fares() == old
    assert list(verify(home, BI)) == [None, None]
    assert asked("select count(*) from pg_class where relname like '\\_ri\\_%' and relkind = 'r'") == [(0,)]


def test_a_view_of_somebody_else_stops_a_rebuild_and_nothing_changes(home: Deployment) -> None:
    sent(home)
    asked("create view gold.mine as select sum(fare) from gold.trips")
    with pytest.raises(DeliveryError, match="depend"):
        rebuild(home, BI, "trips")
    assert asked("select * from gold.mine") == [(Decimal("19.50"),)]
    assert asked("select count(*) from pg_class where relname like '\\_ri\\_%'") == [(0,)]


def test_verify_names_what_differs(home: Deployment) -> None:
    sent(home)
    assert list(verify(home, BI)) == [None, None]
    asked("update gold.trips set email = 'eve@x.org' where trip_id = 'T-1'")
    asked("update gold.trips set fare = 7.01 where trip_id = 'T-3'")
    found = [each for each in verify(home, BI) if each]
    assert [(each.month, each.what) for each in found] == [
        (JANUARY, "its content is another, with the same rows and sums"),
        (FEBRUARY, "fare adds up to 7.01 there, 7.00 delivered"),
    ]
    asked("delete from gold.trips where trip_id = 'T-2'")
    assert "1 rows there, 2 delivered" in [each.what for each in verify(home, BI) if each]
    sent(home, again=True)
    assert list(verify(home, BI)) == [None, None]
    asked("drop table gold.trips")
    assert {each.what for each in verify(home, BI) if each} == {"the table is gone"}


def test_text_that_no_database_holds_is_refused_with_its_place(home: Deployment) -> None:
    sent(home)
    old = fares()
    put(home, JANUARY, [trip(JANUARY, "T-1", 1), trip(JANUARY, "T-2", 1, email="a\0b")])
    with pytest.raises(DeliveryError, match=r"trips 2025-01: email holds U\+0000 in the row 2025-01-01 \| T-2"):
        sent(home)
    put(home, JANUARY, [trip(JANUARY, "T" * 401, 1)])
    with pytest.raises(DeliveryError, match="trip_id is longer than 400 characters"):
        sent(home)
    assert fares() == old


def test_names_that_databases_cut_are_refused(tmp_path: Path) -> None:
    long = table("boats", "mart", "trips", "Trips.", ("a" * 64,), [column.month(), column.text("a" * 64, "Long.")])
    found = home_of(tmp_path, long)
    put(found, JANUARY, [{"month": JANUARY, "a" * 64: "x"}], long)
    with pytest.raises(DeliveryError, match="more than 63 bytes"):
        sent(found)


def test_no_message_holds_the_address_or_the_password(home: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "postgresql://somebody:s3cret-word@127.0.0.1:1/nowhere")
    with pytest.raises(DeliveryError) as raised:
        sent(home)
    assert not [each for each in ("s3cret-word", "somebody", "127.0.0.1", "postgresql://") if each in str(raised.value)]


def test_a_delivery_that_is_not_set_a_dataset_that_there_is_not_and_another_database_are_refused(
    home: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="there is no delivery 'nowhere'"):
        chosen(home, "nowhere")
    with pytest.raises(SettingsError, match="there is no dataset 'trip'"):
        sent(home, delivery(select={"datasets": ["trip"]}))
    with pytest.raises(SettingsError, match="there is no stream planes"):
        home_of(home.settings.home, deliveries=[delivery(select={"streams": ["planes"]})])
    with pytest.raises(ValueError, match="two deliveries have url_env and schema in common"):
        Settings(home=home.settings.home, deliveries=(BI, delivery(name="other")))
    monkeypatch.setenv(URL, "sqlite:///x.db")
    with pytest.raises(UsageError, match="does not go to sqlite"):
        sent(home)


def test_months_come_in_their_order_and_what_has_none_comes_first(home: Deployment) -> None:
    everything = delivery(select={})
    put(home, date(2024, 12, 1), [trip(date(2024, 12, 1), "T-0", 1)])
    assert sent(home, everything) == ["trips 2024-12", "trips 2025-01", "trips 2025-02"]
