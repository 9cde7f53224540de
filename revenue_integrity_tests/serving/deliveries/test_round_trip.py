"""What is read back from a database equals what was published, to the last digit, whatever a table holds."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revenue_integrity.databases import resolve_url
from revenue_integrity.model import table as column
from revenue_integrity.model.table import table
from revenue_integrity.serving.deliveries import database
from revenue_integrity.serving.deliveries.delivering import deliver
from revenue_integrity.serving.deliveries.postgres import Postgres
from revenue_integrity.serving.deliveries.sqlserver import inserted
from revenue_integrity.serving.deliveries.verifying import verify
from revenue_integrity_tests.serving.deliveries.support import JANUARY, URL, asked, delivery, home_of, put

EVERY = table(
    "boats",
    "mart",
    "trips",
    "One column of each kind.",
    ("trip_id", "day"),
    [
        column.month(),
        column.text("trip_id", "Key."),
        column.day("day", "Key."),
        column.text("words", "Text: with 'quotes', 100 % and a colon: here.", null=True),
        column.integer("whole", "Whole number.", null=True),
        column.money("fare_cents", "Cents.", null=True),
        column.decimal("share", "Decimal.", unit="fraction", null=True),
        column.decimal("wide", "Wide decimal.", unit="units", places=18, digits=38, null=True),
        column.flag("is_late", "Flag.", null=True),
        column.day("until", "Day.", null=True),
        column.instant("seen_at", "Instant.", null=True),
    ],
)

_WIDE = Context(prec=60)
_INT = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_DAY = st.dates(date(1, 1, 1), date(9999, 12, 31))


_MICROSECOND = timedelta(microseconds=1)
_INSTANT = st.integers(0, (datetime(9999, 12, 30, tzinfo=UTC) - datetime(1, 1, 2, tzinfo=UTC)) // _MICROSECOND).map(
    lambda micros: datetime(1, 1, 2, tzinfo=UTC) + micros * _MICROSECOND
)


def _decimal(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda whole: Decimal(whole).scaleb(-places, context=_WIDE))


ROW = st.fixed_dictionaries(
    {
        "month": st.just(JANUARY),
        "trip_id": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
        "day": _DAY,
        "words": st.none() | st.sampled_from(["", "\\N", "\\.", "a\tb\nc\r\\", "%s :name", '"', "\u0001", "🚤"]) | _TEXT,
        "whole": st.none() | st.sampled_from([2**63 - 1, -(2**63), 0]) | _INT,
        "fare_cents": st.none() | st.sampled_from([2**63 - 1, -(2**63), 0, -1]) | _INT,
        "share": st.none() | _decimal(18, 6),
        "wide": st.none() | st.just(Decimal("99999999999999999999.999999999999999999")) | _decimal(38, 18),
        "is_late": st.none() | st.booleans(),
        "until": st.none() | _DAY,
        "seen_at": st.none() | _INSTANT,
    }
)
ROWS = st.lists(ROW, max_size=8, unique_by=lambda row: (row["trip_id"], row["day"]))


class StagedPostgres(Postgres):
    """PostgreSQL that is filled as SQL Server is where bulk copy fails: into a staging table, by inserts."""

    staged = True

    def fill(self, connection: Any, table: Any, shape: Any, rows: Any) -> None:
        inserted(connection, table, shape, rows)


@pytest.mark.parametrize("kind", [Postgres, StagedPostgres])
@given(rows=ROWS, money=st.sampled_from(["units", "cents"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_back_equals_what_was_published(
    monkeypatch: pytest.MonkeyPatch, kind: type[Postgres], rows: list[Mapping[str, Any]], money: str
) -> None:
    monkeypatch.setattr(database, "_kind_of", lambda _: kind())
    asked("drop schema if exists gold cascade")
    to = delivery(money=money)
    with TemporaryDirectory() as folder:
        home = home_of(Path(folder), EVERY)
        put(home, JANUARY, rows, EVERY)
        assert [each.rows for each in deliver(home, to)] == [len(rows)]
        assert list(verify(home, to)) == [None]
    fare = "fare" if money == "units" else "fare_cents"
    read = asked(f"select trip_id, day, words, whole, {fare}, share, wide, is_late, until, seen_at from gold.trips")
    wanted = [
        tuple(
            (None if row[name] is None else Decimal(row[name]).scaleb(-2, context=_WIDE))
            if name == "fare_cents" and money == "units"
            else row[name]
            for name in EVERY.columns[1:]
        )
        for row in rows
    ]
    by_key = {row[:2]: row for row in read}
    assert by_key == {row[:2]: row for row in wanted}
    assert len(read) == len(rows)
    engine = sa.create_engine(resolve_url(URL))
    assert not [name for name in sa.inspect(engine).get_table_names(schema="gold") if name.startswith("_ri_")]
    engine.dispose()
