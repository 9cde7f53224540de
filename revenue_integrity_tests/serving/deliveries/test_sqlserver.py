"""SQL Server, of which none was there: its statements as they are compiled, what its driver is handed, the flow elsewhere.

The flow with a staging table is run on PostgreSQL in ``test_round_trip``, by inserts as where bulk copy fails.
"""

from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateIndex, CreateTable

from revenue_integrity.databases import resolve_url
from revenue_integrity.serving.deliveries.shape import shape_of
from revenue_integrity.serving.deliveries.sqlserver import LockedError, SqlServer
from revenue_integrity.serving.deliveries.tables import indexes_of, record_table, table_of
from revenue_integrity.warehouse.publish import verifying
from revenue_integrity_tests.serving.deliveries.support import TRIPS
from revenue_integrity_tests.serving.deliveries.test_round_trip import EVERY

DIALECT = mssql.dialect()


def compiled(element: Any) -> str:
    """Return a statement without the brackets around words that are names here and words of the language elsewhere."""
    return " ".join(str(element.compile(dialect=DIALECT)).replace("[", "").replace("]", "").split())


def test_each_kind_of_column_has_its_type() -> None:
    assert compiled(CreateTable(table_of(shape_of(EVERY, "units", "USD"), "gold"))) == (
        "CREATE TABLE gold.trips ( month DATE NOT NULL,"
        " trip_id NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL,"
        " day DATE NOT NULL, words NVARCHAR(max) NULL, whole BIGINT NULL, fare NUMERIC(19, 2) NULL,"
        " share NUMERIC(18, 6) NULL, wide NUMERIC(38, 18) NULL, is_late BIT NULL, until DATE NULL,"
        " seen_at DATETIMEOFFSET(6) NULL, PRIMARY KEY NONCLUSTERED (month, trip_id, day) )"
    )


def test_indexes_and_the_record_are_made_as_declared() -> None:
    shape = shape_of(TRIPS, "units", "USD")
    (index,) = indexes_of(shape, table_of(shape, "gold"))
    assert compiled(CreateIndex(index)) == "CREATE INDEX trips_guests_trip_id_idx ON gold.trips (guests, trip_id)"
    record = compiled(CreateTable(record_table("gold")))
    assert "dataset NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL, month DATE NOT NULL" in record
    assert "delivered_at DATETIMEOFFSET(6) NOT NULL" in record
    assert "PRIMARY KEY (dataset, month)" in record


def test_whole_numbers_are_added_up_as_decimals_for_sums_of_theirs_do_not_fit() -> None:
    table = table_of(shape_of(TRIPS, "cents", "USD"), "gold")
    assert compiled(sa.select(sa.func.sum(sa.cast(table.c.fare_cents, sa.Numeric(38, 0))))) == (
        "SELECT sum(CAST(gold.trips.fare_cents AS NUMERIC(38, 0))) AS sum_1 FROM gold.trips"
    )


class Driver:
    """What stands for a connection of the driver: it notes what it is handed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.copied = error, list[tuple[str, list[Any], dict[str, Any]]]()

    def cursor(self) -> "Driver":
        return self

    def bulkcopy(self, table: str, rows: list[Any], **how: Any) -> None:
        if self.error:
            raise self.error
        self.copied.append((table, rows, how))


class Connection:
    """What stands for a connection of SQLAlchemy: it notes statements and gives what it was told to."""

    dialect = DIALECT

    def __init__(self, driver: Driver | None = None, scalar: Any = None) -> None:
        self.said: list[tuple[str, Any]] = []
        self.connection = self
        self.driver_connection = driver
        self.given = scalar

    def execute(self, statement: Any, parameters: Any = None) -> "Connection":
        self.said.append((compiled(statement), parameters))
        return self

    def scalar(self) -> Any:
        return self.given


SHAPE = shape_of(TRIPS, "units", "USD")
STAGING = table_of(SHAPE, "gold", "_ri_x", with_key=False)
ROWS = pa.table({name: [None, 7] if name == "guests" else ["a", "b"] for name in SHAPE.names})


def test_rows_go_by_bulk_copy_into_the_staging_table_by_the_names_of_their_columns_with_a_time_out() -> None:
    driver = Driver()
    with verifying() as work:
        SqlServer().fill(Connection(driver), STAGING, SHAPE, work.from_arrow(ROWS))  # type: ignore[arg-type]  # what stands for them
    ((table, rows, how),) = driver.copied
    assert table == "gold._ri_x"
    assert rows == [("a", "a", "a", "a", None, "a"), ("b", "b", "b", "b", 7, "b")]
    assert how["column_mappings"] == list(SHAPE.names)
    assert how["timeout"] > 0
    assert how["keep_nulls"]


def test_where_bulk_copy_fails_what_it_left_is_deleted_and_rows_are_inserted() -> None:
    connection = Connection(Driver(RuntimeError("no bulk copy here")))
    with verifying() as work:
        SqlServer().fill(connection, STAGING, SHAPE, work.from_arrow(ROWS))  # type: ignore[arg-type]  # what stands for them
    (deleted, _), (inserted, rows) = connection.said
    assert deleted == "DELETE FROM gold._ri_x"
    assert inserted.startswith("INSERT INTO gold._ri_x (month, trip_id, email, fare, guests, miles) VALUES")
    assert [each["guests"] for each in rows] == [None, 7]


def test_a_lock_ends_with_the_transaction_and_one_that_another_holds_is_told() -> None:
    connection = Connection(scalar=0)
    SqlServer().lock(connection, "revenue_integrity.gold.trips", 1, 5)  # type: ignore[arg-type]  # what stands for it
    (waits, _), (asks, parameters) = connection.said
    assert waits == "set lock_timeout 5000"
    assert "sp_getapplock" in asks
    assert "@LockOwner = 'Transaction'" in asks
    assert parameters == {"name": "revenue_integrity.gold.trips", "wait": 5000}
    with pytest.raises(LockedError) as raised:
        SqlServer().lock(Connection(scalar=-1), "x", 1, 5)  # type: ignore[arg-type]  # what stands for it
    assert SqlServer().is_locked(raised.value)


def test_a_table_gets_its_name_by_the_procedure_for_that() -> None:
    said = SqlServer().rename(STAGING, "it's", DIALECT.identifier_preparer)
    assert said == "exec sp_rename N'gold._ri_x', N'it''s'"


def test_an_engine_uses_the_driver_of_microsoft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BI_URL", "mssql://writer:s3cret@bi.example.com/sales")
    engine = SqlServer().engine(resolve_url("BI_URL"))
    assert (engine.dialect.name, engine.dialect.driver) == ("mssql", "mssqlpython")
