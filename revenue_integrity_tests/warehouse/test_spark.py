"""Spark and DuckDB give the same rows and the same content hashes; what Spark cannot do is told in one sentence.

A real local Spark runs here; one session serves all tests of the file.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_integrity.errors import SettingsError, WarehouseError
from revenue_integrity.landing.eventstore.outcomes import outcomes_sql
from revenue_integrity.model.query import read_sql
from revenue_integrity.model.stage import ScannedFile, StageInputs
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.schemas import ACCOUNT_SERVICE_DAY, CLOUD_EVENT_OUTCOMES, DAILY_ACCOUNT_COST
from revenue_integrity.streams.cloud.sources import EVENTS
from revenue_integrity.warehouse import database
from revenue_integrity.warehouse.engine import DuckDBEngine, Engine, engine_of
from revenue_integrity.warehouse.storage import Written, read_partitions, write_partition
from revenue_integrity_tests.programs import needed
from revenue_integrity_tests.support import MARCH, home_settings

Rows = list[tuple[Any, ...]]

ENGINES = ("duckdb", "spark")
SPARK_CONFIG = {
    "spark.master": "local[2]",
    "spark.sql.shuffle.partitions": "3",
    # Most of the time goes into making code for queries that run once.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
CLOUD = "revenue_integrity.streams.cloud"
STAGES = {
    CLOUD_EVENT_OUTCOMES: outcomes_sql(EVENTS, CLOUD_EVENT_OUTCOMES),
    ACCOUNT_SERVICE_DAY: read_sql(CLOUD, "mart/account_service_day"),
    DAILY_ACCOUNT_COST: read_sql(CLOUD, "mart/daily_account_cost"),
}
NAMES = [table.name for table in STAGES]

COLUMNS = {
    "tenant_id": "varchar",
    "event_id": "varchar",
    "account_id": "varchar",
    "service_name": "varchar",
    "usage_date": "date",
    "cost": "decimal(38, 18)",
    "effective_cost": "decimal(38, 18)",
    "ingested_at": "timestamp with time zone",
    "is_deleted": "boolean",
}
PROJECTION = ", ".join(f"cast({name} as {sql_type}) as {name}" for name, sql_type in COLUMNS.items())
OTHER_NAMES = PROJECTION.replace("(cost", '("Billed Cost"').replace("(tenant_id", "(coalesce(mandant, 'DEFAULT')")

ODD_TEXT = """O'NEIL "\\" 数 Ü\t%"""
BIG_COST = "1999999999999999.123456789012345678"
BIG_ROWS = 49_999
BIG_TOTAL = "99997999999999956173.715993828271554322"
"""BIG_COST × BIG_ROWS as a calculator of integers gives it: 38 digits, all that the type holds."""

FIRST_NO = 9_000_000_000
FIRST: Rows = [
    # event, account, day, cost, ingested at (hours), withdrawn
    ("E1", "A", "2025-03-01", "1.000000000001", 1, False),
    ("E2", "A", "2025-03-01", "2.5", 1, False),
    ("E3", "A", "2025-03-01", "4", 1, False),
    ("E4", "A", "2025-03-01", "8", 1, False),
    ("E5", "A", "2025-03-02", "16", 1, False),
    ("E6", ODD_TEXT, "2025-03-02", "-0.000000000001", 1, False),
    ("E7", "A", "2025-03-02", "32", 1, False),
]
LATER: Rows = [
    ("E2", "A", "2025-03-01", "3.25", 2, False),  # corrected
    ("E3", "A", "2025-03-02", "4", 2, False),  # moved
    ("E4", "A", "2025-03-01", "8", 2, True),  # withdrawn
    ("E5", "A", "2025-03-02", "16", 1, False),  # the same again
    ("E8", "B", "2025-03-02", "64.01", 5, False),
]
LAST: Rows = [
    ("E8", "B", "2025-03-02", "0.000000000009", 5, False),  # ingested at the same time, arrived later
    ("E9", "B", "2025-03-02", "7", 5, False),
]

VERSIONS = f"""
    select
        *, concat_ws('|', account_id, usage_date, cost, is_deleted) as content, 'b-' || file_no as batch_id, 'f' as file_name,
        timestamptz '2025-03-04 00:00:00+00' + to_days(case file_no when {FIRST_NO} then 1 when 7 then 2 else 3 end) as arrival
    from store
    where event_id in ('E2', 'E3', 'E4', 'E5', 'E8')
"""


@pytest.fixture
def spark(tmp_path: Path) -> Engine:
    needed("java")
    needed("localhost")
    return engine_of(home_settings(tmp_path, engine="spark", spark_config=SPARK_CONFIG))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with database.connect(home_settings(tmp_path)) as opened:
        yield opened


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def write_file(connection: duckdb.DuckDBPyConnection, path: Path, sql: str, rows: Rows | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parameters = [value for row in rows or [] for value in row]
    connection.execute(f"create or replace temp table file_rows as {sql}", parameters).fetchall()
    connection.execute(f"copy file_rows to {quoted(path)} (format parquet)").fetchall()
    return path


def events_sql(rows: Rows, cost_type: str, cost: str = "cost", tenant: str = "tenant_id") -> str:
    values = ", ".join("(?, ?, ?, ?, ?, ?)" for _ in rows)
    return f"""
        select
            'T' as {tenant}, event_id, account_id, 'compute' as service_name, day::date as usage_date,
            cost::{cost_type} as "{cost}",
            case when event_id in ('E1', 'E7') then cost::decimal(38, 18) end as effective_cost,
            timestamptz '2025-03-03 00:00:00.000001+00' + to_hours(hours) as ingested_at, withdrawn as is_deleted
        from (values {values}) as t (event_id, account_id, day, cost, hours, withdrawn)
    """


def write_store(connection: duckdb.DuckDBPyConnection, store: Path) -> tuple[ScannedFile, ...]:
    """Write event files: their numbers say nothing of their order, two have other names, one fewer places for its costs."""
    many = f"""
        select
            null::varchar as mandant, 'M' || i as event_id, 'BIG' as account_id,
            case i % 2 when 0 then 'compute' else 'disk' end as service_name, date '2025-03-31' as usage_date,
            '{BIG_COST}'::decimal(38, 18) as "Billed Cost", null::decimal(38, 18) as effective_cost,
            timestamptz '2025-04-01 00:00:00+00' as ingested_at, false as is_deleted
        from range({BIG_ROWS}) as r (i)
    """
    fewer_places = events_sql(LATER, "decimal(10, 2)")
    other_names = events_sql(LAST, "decimal(38, 18)", "Billed Cost", "mandant")
    return (
        # Files with fewer places come first: they must not decide for the others.
        ScannedFile(7, write_file(connection, store / "a:2.parquet", fewer_places, LATER), PROJECTION),
        ScannedFile(
            FIRST_NO, write_file(connection, store / "a #1?.parquet", events_sql(FIRST, "decimal(38, 18)"), FIRST), PROJECTION
        ),
        ScannedFile(1, write_file(connection, store / "c+ü.parquet", other_names, LAST), OTHER_NAMES),
        ScannedFile(5, write_file(connection, store / "d%20.parquet", many), OTHER_NAMES),
    )


@dataclass(frozen=True)
class Results:
    """What an engine left of each stage: what was written, and the rows in key order."""

    written: dict[str, Written]
    rows: dict[str, list[dict[str, Any]]]


def run_stages(settings: Settings) -> Results:
    """Run the three stages on the engine of the settings and write what they give into the declared tables."""
    engine = engine_of(settings)
    with database.connect(settings) as connection:
        files = write_store(connection, settings.home / "events" / "cost=0")
        everything = " union all ".join(
            f"select {file.file_no} as file_no, file_row_number + 1 as row_number, {file.projection}"
            f" from read_parquet({quoted(file.path)}, file_row_number = true, hive_partitioning = false)"
            for file in files
        )
        connection.execute(f"create temp table store as {everything}")
        inputs = [
            StageInputs(tables={"versions": VERSIONS, "days": "select distinct usage_date from store"}),
            StageInputs(
                scans={"event_rows": files},
                empty={"event_rows": COLUMNS},
                tables={
                    "outcomes": "select s.* from store as s semi join curated.cloud_event_outcomes using (file_no, row_number)"
                },
                views={"events": "select e.* from event_rows as e where e.usage_date >= date '2025-03-01'"},
            ),
            StageInputs(
                tables={
                    "services_of_days": "select * from mart.account_service_day",
                    "complete_days": "select 'T' as tenant_id, date '2025-03-01' as usage_date",
                }
            ),
        ]
        written, rows = {}, {}
        for (table, sql), given in zip(STAGES.items(), inputs, strict=True):
            query = engine.run(connection, sql, given)
            written[table.name] = write_partition(connection, table, MARCH, query)
            rows[table.name] = read_partitions(connection, table, [MARCH]).astype(object).to_dict("records")
        return Results(written, rows)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """Return what each engine gives; the homes have paths that need quoting everywhere."""
    needed("java")
    needed("localhost")
    found = {}
    for engine in ENGINES:
        home = tmp_path_factory.mktemp(engine) / "it's a home=1 %41 [x] ü+*"
        found[engine] = run_stages(home_settings(home, engine=engine, spark_config=SPARK_CONFIG))
    return found


def picked(rows: list[dict[str, Any]], *columns: str) -> Rows:
    return [tuple(row[column] for column in columns) for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_both_engines_give_the_same_rows_and_the_same_content_hashes(results: dict[str, Results], name: str) -> None:
    assert results["spark"].written[name] == results["duckdb"].written[name]
    assert str(results["spark"].rows[name]) == str(results["duckdb"].rows[name])


@pytest.mark.parametrize("engine", ENGINES)
def test_versions_that_do_not_count_are_told(results: dict[str, Results], engine: str) -> None:
    outcomes = picked(
        results[engine].rows["cloud_event_outcomes"],
        *("event_id", "file_no", "row_number", "outcome", "versions", "by_batch_id"),
    )
    assert sorted(outcomes) == [
        ("E2", FIRST_NO, 2, "superseded", 2, "b-7"),
        ("E3", FIRST_NO, 3, "superseded", 2, "b-7"),
        ("E4", 7, 3, "deleted", 2, "b-7"),
        ("E4", FIRST_NO, 4, "deleted", 2, "b-7"),
        ("E5", 7, 4, "duplicate", 1, f"b-{FIRST_NO}"),
        ("E8", 7, 5, "superseded", 2, "b-1"),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_costs_of_days_are_exact(results: dict[str, Results], engine: str) -> None:
    days = results[engine].rows["daily_account_cost"]
    assert picked(days, "tenant_id", "account_id", "total_cost", "event_count", "data_complete") == [
        ("DEFAULT", "BIG", Decimal(BIG_TOTAL), BIG_ROWS, False),
        ("T", "A", Decimal("4.250000000001"), 2, True),
        ("T", "A", Decimal(52), 3, False),
        ("T", "B", Decimal("7.000000000009"), 2, False),
        ("T", ODD_TEXT, Decimal("-0.000000000001"), 1, False),
    ]
    assert [f"{row['usage_date']:%d}" for row in days] == ["31", "01", "02", "02", "02"]


@pytest.mark.parametrize("engine", ENGINES)
def test_amortised_costs_are_null_where_no_row_says_one(results: dict[str, Results], engine: str) -> None:
    services = picked(results[engine].rows["account_service_day"], "account_id", "service_name", "effective_cost")
    assert services == [
        ("BIG", "compute", None),
        ("BIG", "disk", None),
        ("A", "compute", Decimal("1.000000000001")),
        ("A", "compute", Decimal(32)),
        ("B", "compute", None),
        (ODD_TEXT, "compute", None),
    ]


KINDS = r"""
    select
        i as row_number,
        nullif(i % 23 - 11, 5) as n,
        ['a', 'B', 'b', 'Ä', 'ä', 'z', '', ' a', '数', '🎉', null, 'c\n', '''', 'A'][1 + i * 5 % 14] as s,
        cast(nullif(i * 7919 % 2003 - 1000, 0)::decimal(20, 0) * 0.123456789012 as decimal(38, 12)) as c,
        case when i % 11 > 0 then i % 3 = 0 end as f,
        date '1581-12-15' + (i * 97)::integer as d,
        timestamptz '1969-12-31 23:59:59.999999+00' + to_hours(i * 13) as t
    from range(1, 2001) as r (i)
"""
"""Rows with nulls, ties, text beyond ASCII, days before 1582, instants before 1970."""

EVERYTHING = r"""
    select
        row_number, n, s, c, f, d, t,
        lag(s) over (partition by f order by s, n desc, row_number) as before,
        lead(c) over (partition by n order by s desc, row_number) as after,
        row_number() over (order by s desc, n, row_number) as place,
        rank() over (order by c desc) as rank_of_cost,
        cast(sum(c) over (partition by f) as decimal(38, 12)) as whole,
        cast(sum(n) over (partition by s order by d, row_number rows between 3 preceding and current row) as bigint) as running,
        count(*) over (partition by s) as alike,
        cast(n as bigint) // 7 as quotient,
        cast(n as bigint) % 7 as remainder,
        cast(cast(n as decimal(38, 0)) * 1000003 as decimal(38, 0)) as product,
        cast(c as decimal(18, 2)) as cents,
        abs(c) as size,
        cast(d + interval 1 month as date) as next_month,
        cast(date_trunc('month', t) as date) as month,
        coalesce(s, 'none') || '\ ''|' || replace(trim(s), 'a', 'é') as words,
        length(s) as letters,
        case when s is distinct from 'a' then s end as other,
        greatest(n, 3) as at_least,
        c > 0 and (f or s < 'b') as is_such,
        not f as is_not,
        s in ('a', 'Ä') as is_one,
        'x' < s as is_after
    from kinds
    qualify row_number() over (partition by n, s order by c, row_number) <= 40
"""
"""The constructs of the subset in which engines are known to differ elsewhere."""


def test_the_subset_means_the_same_to_both_engines(connection: duckdb.DuckDBPyConnection, spark: Engine) -> None:
    inputs = StageInputs(tables={"kinds": KINDS})
    found = []
    for engine in (DuckDBEngine(), spark):
        query = engine.run(connection, EVERYTHING, inputs)
        described = connection.execute(f"describe {query.sql}").fetchall()
        found.append((described, connection.execute(f"select * from ({query.sql}) order by row_number").fetchall()))
    (duckdb_types, duckdb_rows), (spark_types, spark_rows) = found
    assert spark_types == duckdb_types
    assert len(duckdb_rows) == 2000
    assert spark_rows == duckdb_rows


def test_a_scan_of_no_file_has_no_rows(connection: duckdb.DuckDBPyConnection, spark: Engine) -> None:
    inputs = StageInputs(scans={"events": ()}, empty={"events": COLUMNS})
    query = spark.run(connection, "select * from events", inputs)
    types = {name: sql_type for name, sql_type, *_ in connection.execute(f"describe {query.sql}").fetchall()}
    assert types["file_no"] == "BIGINT"
    assert types["cost"] == "DECIMAL(38,18)"
    assert types["ingested_at"] == "TIMESTAMP WITH TIME ZONE"
    assert connection.execute(query.sql).fetchall() == []


def test_many_files_keep_their_numbers_and_rows(tmp_path: Path, connection: duckdb.DuckDBPyConnection, spark: Engine) -> None:
    files = tuple(
        ScannedFile(
            1000 - i,
            write_file(
                connection, tmp_path / f"{i}" / "same name.parquet", f"select {i} * 100 + j as v from range({i}) as r (j)"
            ),
            "v",
        )
        for i in range(1, 31)
    )
    query = spark.run(
        connection, "select file_no, row_number, v from events", StageInputs({"events": files}, {"events": {"v": "bigint"}})
    )
    expected = sorted((1000 - i, j + 1, i * 100 + j) for i in range(1, 31) for j in range(i))
    assert connection.execute(f"select * from ({query.sql}) order by all").fetchall() == expected


def test_rows_stay_as_long_as_the_connection(tmp_path: Path, spark: Engine) -> None:
    left = tmp_path / "tmp" / f"engine-spark-{_ended_process()}-0"
    left.mkdir(parents=True)
    connection = duckdb.connect()
    one = spark.run(connection, "select a from t", StageInputs(tables={"t": "select 1 as a"}))
    two = spark.run(connection, "select a from t", StageInputs(tables={"t": "select 2 as a"}))
    assert connection.execute(one.sql).fetchall() + connection.execute(two.sql).fetchall() == [(1,), (2,)]
    assert not left.exists()
    connection.close()
    del connection
    assert list((tmp_path / "tmp").iterdir()) == []


def _ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_what_does_not_fit_is_an_error(connection: duckdb.DuckDBPyConnection, spark: Engine) -> None:
    inputs = StageInputs(tables={"t": "select 60000000000000000000000000::decimal(38, 12) as cost from range(2)"})
    with pytest.raises(WarehouseError, match=r"^Spark failed: .*ARITHMETIC_OVERFLOW.*[^\n]*$"):
        spark.run(connection, "select cast(sum(cost) as decimal(38, 12)) as cost from t", inputs)
    # The next stage runs, with names that were used before.
    query = spark.run(connection, "select a from t", StageInputs(tables={"t": "select 1 as a"}))
    assert connection.execute(query.sql).fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("sql", "inputs", "reason"),
    [
        ("select avg(a) as a from t", StageInputs(tables={"t": "select 1 as a"}), r"SQL of the stage .* `AVG\(a\)`"),
        (
            "select b from v",
            StageInputs(tables={"t": "select 1 as a"}, views={"v": "select a / 2 as b from t"}),
            r"SQL of v .* `a / 2`",
        ),
        ("select a from t", StageInputs(tables={"t": "select sum(1) as a"}), r"t\.a: HUGEINT cannot be carried to Spark"),
        (
            "select a - b as days from t",
            StageInputs(tables={"t": "select date '2025-03-02' as a, date '2025-03-01' as b"}),
            r"Column days: Spark gives INTERVAL DAY where DuckDB gives BIGINT",
        ),
    ],
)
def test_what_spark_would_read_otherwise_is_refused(
    connection: duckdb.DuckDBPyConnection, spark: Engine, sql: str, inputs: StageInputs, reason: str
) -> None:
    with pytest.raises(WarehouseError, match=reason):
        spark.run(connection, sql, inputs)


def test_a_file_that_spark_leaves_out_is_refused(tmp_path: Path, connection: duckdb.DuckDBPyConnection, spark: Engine) -> None:
    files = (
        ScannedFile(1, write_file(connection, tmp_path / "a.parquet", "select 1::bigint as a"), "a"),
        ScannedFile(2, write_file(connection, tmp_path / "_b.parquet", "select 2::bigint as a"), "a"),
    )
    inputs = StageInputs(scans={"t": files}, empty={"t": {"a": "bigint"}})
    with pytest.raises(WarehouseError, match=r"Spark does not read .*/_b\.parquet"):
        spark.run(connection, "select a from t", inputs)


def test_configuration_that_results_depend_on_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"spark\.sql\.ansi\.enabled must be true"):
        engine_of(home_settings(tmp_path, engine="spark", spark_config={"spark.sql.ansi.enabled": "false"}))
    with pytest.raises(SettingsError, match="master is no setting of Spark"):
        engine_of(home_settings(tmp_path, engine="spark", spark_config={"master": "local"}))


RUN_ALONE = """
import sys
{before}
import duckdb
from pathlib import Path
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.engine import StageInputs, engine_of

engine = engine_of(Settings(home=Path(sys.argv[1]), engine="spark"))
try:
    engine.run(duckdb.connect(), "select 1 as a", StageInputs())
except RevenueIntegrityError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("before", "environment", "reason"),
    [
        ("sys.modules['pyspark.sql'] = sys.modules['pyspark.errors'] = None", {}, "Spark is not installed"),
        ("", {"PATH": "", "JAVA_HOME": ""}, "Spark needs Java, which is missing"),
        ("", {"JAVA_HOME": "/nowhere"}, "Spark needs Java, which is missing"),
    ],
)
def test_what_is_missing_is_named_with_how_to_get_it(
    tmp_path: Path, before: str, environment: dict[str, str], reason: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALONE.format(before=before), str(tmp_path)],
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith(reason)
    assert "pip install 'revenue-integrity[spark]', and Java 17" in line
