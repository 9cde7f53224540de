"""Databases as sources: a real PostgreSQL server, and SQLite where a server would add nothing."""

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from revenue_integrity.databases import masked, resolve_url
from revenue_integrity.errors import LandingError, RevenueIntegrityError, UsageError
from revenue_integrity.landing.asking import one_query, reads_alone
from revenue_integrity.landing.pull import engine_of, pull, state_path
from revenue_integrity.settings import Settings
from revenue_integrity_tests.landing.support import Store
from revenue_integrity_tests.postgres import PASSWORD, server
from revenue_integrity_tests.support import SHIPPED

TOTALS = SHIPPED.source("colocation", "erp_control_totals")
BILLS = SHIPPED.source("colocation", "power_bills")


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def database(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Connection]:
    """Connect to an empty schema, whose URL stands in ``ERP_URL``."""
    monkeypatch.setenv("ERP_URL", postgres_url)
    engine = sa.create_engine(resolve_url("env:ERP_URL"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("drop schema public cascade; create schema public"))
        yield connection
    engine.dispose()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", pull_overlap_seconds=60, pull_overlap_rows=2)


def landed_rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    store = Store(settings.landing_path)
    store.ingest()
    return store.rows(sql)


def batches(settings: Settings) -> int:
    return len(list(settings.landing_path.glob("*/*/*")))


BILL_TABLE = """
create table bills (
    bill_id text, site_id text, service_month date, bill_version int, status text, kwh numeric(18, 6),
    energy_charge numeric(15, 2), demand_charge numeric(15, 2), fixed_charge numeric(15, 2), tax numeric(15, 2),
    total numeric(15, 2), currency char(3), issued_on timestamp, note text
)
"""


def test_a_table_lands_with_every_digit(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(BILL_TABLE))
    database.execute(
        sa.text("""
        insert into bills values
            ('B1', 'S-1', '2025-03-01', 1, 'final', 123456789012.123456, 9007199254740.93, 0.01, -0.03, 0, 9007199254740.91,
             'USD', '2025-04-05', 'a "quoted", note'),
            ('B2', 'S-1', '2025-02-01', 2, 'estimated', 0.1, 0.10, 0.20, 0, 0, 0.30, 'USD', '2025-03-05', null)
        """)
    )
    pulled = pull(settings, BILLS, "env:ERP_URL", table="public.bills")
    assert pulled.landed is not None
    assert (pulled.rows, pulled.landed.quarantined, pulled.landed.unknown_columns) == (2, 0, ("note",))
    store = Store(settings.landing_path)
    store.ingest()
    # The site is not known in this landing zone: both rows wait in quarantine for it, and for nothing else.
    assert [reason for *_, reason in store.quarantine()] == ["site S-1 is unknown"] * 2
    file = next(pulled.landed.path.glob("*.parquet"))
    assert store.rows(
        f"select bill_id, service_month, kwh, energy_charge, fixed_charge, issued_on from read_parquet('{file}') order by bill_id"
    ) == [
        ("B1", "2025-03", "123456789012.123456", "9007199254740.93", "-0.03", "2025-04-05"),
        ("B2", "2025-02", "0.100000", "0.10", "0.00", "2025-03-05"),
    ]


TOTALS_TABLE = "create table totals (id bigint, service_month text, extracted_at timestamptz, lines int, amount numeric(15, 2))"


def insert(database: sa.Connection, *rows: tuple[int, str]) -> None:
    for number, at in rows:
        database.execute(sa.text("insert into totals values (:id, '2025-03', :at, :id, 1.10)"), {"id": number, "at": at})


def pulled_lines(settings: Settings) -> list[int]:
    return [lines for (lines,) in landed_rows(settings, "select distinct lines from raw.erp_control_totals order by lines")]


def test_an_incremental_pull_misses_no_row_with_an_equal_or_late_cursor(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(TOTALS_TABLE))

    def pull_totals() -> tuple[int, str]:
        pulled = pull(settings, TOTALS, "env:ERP_URL", table="totals", cursor="extracted_at")
        return pulled.rows, pulled.boundary

    assert pull_totals() == (0, "")
    insert(database, (1, "2025-04-01T10:00:00Z"), (2, "2025-04-01T12:00:00Z"))
    assert pull_totals() == (2, "2025-04-01T12:00:00+00:00")
    # Another row of the very instant that was the boundary, one that was committed late, and a new one.
    insert(database, (3, "2025-04-01T12:00:00Z"), (4, "2025-04-01T11:59:30Z"), (5, "2025-04-01T13:00:00.000001Z"))
    assert pull_totals() == (4, "2025-04-01T13:00:00.000001+00:00")
    assert pulled_lines(settings) == [1, 2, 3, 4, 5]
    assert batches(settings) == 2
    # Nothing new: the overlap brings row 5 once more, and after that there is nothing to land.
    assert pull_totals()[0] == 1
    assert pull_totals()[0] == 1
    assert batches(settings) == 3
    assert pulled_lines(settings) == [1, 2, 3, 4, 5]


def test_a_cursor_of_whole_numbers_reaches_back_by_numbers(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(TOTALS_TABLE))
    insert(database, *((number, f"2025-04-01T10:00:{number:02}Z") for number in range(1, 11)))
    query = "select service_month, extracted_at, lines, amount, id from totals where amount::text like '%1%' or 'a:b' = 'a:b';"
    first = pull(settings, TOTALS, "env:ERP_URL", query=query, cursor="id")
    assert (first.rows, first.boundary) == (10, "10")
    insert(database, (11, "2025-04-01T11:00:00Z"))
    # 9, 10 and 11: greater than 10 less the overlap of 2.
    assert pull(settings, TOTALS, "env:ERP_URL", query=query, cursor="id").rows == 3


def test_another_query_or_database_begins_anew(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(TOTALS_TABLE))
    insert(database, *((number, f"2025-04-01T10:00:{number:02}Z") for number in range(1, 11)))
    assert pull(settings, TOTALS, "env:ERP_URL", table="totals", cursor="id").rows == 10
    assert pull(settings, TOTALS, "env:ERP_URL", table="public.totals", cursor="id").rows == 10


def test_a_pull_without_cursor_lands_what_changed_and_nothing_twice(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(TOTALS_TABLE))
    insert(database, (1, "2025-04-01T10:00:00Z"))
    assert pull(settings, TOTALS, "env:ERP_URL", table="totals").landed
    assert pull(settings, TOTALS, "env:ERP_URL", table="totals").landed is None
    insert(database, (2, "2025-04-01T10:00:00Z"))
    assert pull(settings, TOTALS, "env:ERP_URL", table="totals").landed
    assert batches(settings) == 2


def test_a_failed_pull_lands_nothing_and_forgets_nothing(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(TOTALS_TABLE))
    insert(database, *((number, "2025-04-01T10:00:00Z") for number in range(1, 30_000, 97)))
    pull(settings, TOTALS, "env:ERP_URL", table="totals", cursor="id")
    before = state_path(settings, TOTALS).read_text()
    # The query breaks on a row far behind those that have come through already.
    query = """
        select t.*, case when n.n = 59999 then 1 / (n.n - 59999) end as broken
        from totals t cross join generate_series(1, 60000) n(n) where t.id = 1 order by n.n
    """
    with pytest.raises(LandingError, match="division by zero"):
        pull(settings, TOTALS, "env:ERP_URL", query=query)
    assert batches(settings) == 1
    assert state_path(settings, TOTALS).read_text() == before
    assert sorted(path.name for path in (settings.home / "pulls").iterdir()) == ["colocation-erp_control_totals.json"]


def test_a_pull_changes_nothing_in_the_database(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(TOTALS_TABLE))
    insert(database, (1, "2025-04-01T10:00:00Z"))
    database.execute(sa.text("create sequence counter"))
    query = "select service_month, extracted_at, nextval('counter') as lines, amount from totals"
    with pytest.raises(LandingError, match="read-only transaction"):
        pull(settings, TOTALS, "env:ERP_URL", query=query)
    with pytest.raises(UsageError, match="not one select"):
        pull(settings, TOTALS, "env:ERP_URL", query="delete from totals returning *")
    written = "with gone as (delete from totals returning *) select * from gone"
    with pytest.raises(LandingError, match=r"read-only transaction|data-modifying"):
        pull(settings, TOTALS, "env:ERP_URL", query=written)
    for escape in (
        "select * from totals; commit; drop table totals",
        "select * from totals) x; drop table totals; select * from (select 1",
    ):
        with pytest.raises(UsageError, match="not one select"):
            pull(settings, TOTALS, "env:ERP_URL", query=escape)
    assert database.execute(sa.text("select count(*) from totals")).scalar() == 1


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("select service_month, lines from totals", r"lacks the columns extracted_at, amount \(it has: service_month, lines\)"),
        ("select service_month, extracted_at, lines, amount::float8 as amount from totals", "amount is floating point"),
        ("select service_month, extracted_at, lines, 'x'::bytea as amount from totals", "amount holds bytes"),
        ("select * from no_such_table", 'relation "no_such_table" does not exist'),
    ],
)
def test_a_query_that_yields_something_else_is_refused_in_one_line(
    database: sa.Connection, settings: Settings, query: str, reason: str
) -> None:
    database.execute(sa.text(TOTALS_TABLE))
    insert(database, (1, "2025-04-01T10:00:00Z"))
    with pytest.raises(RevenueIntegrityError, match=reason) as refused:
        pull(settings, TOTALS, "env:ERP_URL", query=query)
    assert "\n" not in str(refused.value)
    assert batches(settings) == 0


def test_a_cursor_that_a_row_lacks_is_refused(database: sa.Connection, settings: Settings) -> None:
    database.execute(sa.text(TOTALS_TABLE))
    insert(database, (1, "2025-04-01T10:00:00Z"))
    database.execute(sa.text("insert into totals values (null, '2025-03', now(), 1, 1)"))
    with pytest.raises(UsageError, match="the cursor id is empty in 1 rows"):
        pull(settings, TOTALS, "env:ERP_URL", table="totals", cursor="id")
    with pytest.raises(UsageError, match="cursor service_month holds str values such as 2025-03"):
        pull(settings, TOTALS, "env:ERP_URL", table="totals", cursor="service_month")


def test_wrong_credentials_and_an_unreachable_server_are_told_without_the_password(
    postgres_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "wr0ng-and-l0ng"
    monkeypatch.setenv("ERP_URL", postgres_url.replace(PASSWORD, wrong))
    with pytest.raises(LandingError, match="password authentication failed") as refused:
        pull(settings, TOTALS, "env:ERP_URL", table="totals")
    assert wrong not in str(refused.value)
    monkeypatch.setenv("ERP_PASSWORD", "p@ss:w/rd#1")
    with pytest.raises(LandingError, match=r"[Cc]onnection (refused|failed)") as refused:
        pull(settings, TOTALS, "postgresql://reader:${ERP_PASSWORD}@127.0.0.1:1/erp", table="totals")
    assert "p@ss:w/rd#1" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_password_may_hold_what_means_something_in_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "p@ss:w/rd#1")
    url = resolve_url("postgresql://reader:${ERP_PASSWORD}@db.example.com:5432/erp")
    assert (url.password, url.host, url.database) == ("p@ss:w/rd#1", "db.example.com", "erp")
    assert masked(url) == "postgresql+psycopg://reader:***@db.example.com:5432/erp"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://reader:visible@host/erp", "holds a password"),
        ("postgresql://reader:${NO_SUCH_VARIABLE}@host/erp", "NO_SUCH_VARIABLE is not set"),
        ("env:NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE is not set"),
        ("host/erp", "cannot be read"),
        ("dbase://host/erp", "there is no driver for dbase"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        engine_of(resolve_url(url))
    assert "visible" not in str(refused.value)


def test_sql_server_is_reached_through_microsofts_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "s}cret;Encrypt=no")
    url = resolve_url("mssql://reader:${ERP_PASSWORD}@erp.example.com:1433/finance?Encrypt=yes&TrustServerCertificate=no")
    engine = engine_of(url)
    assert (engine.dialect.name, engine.dialect.driver) == ("mssql", "mssqlpython")
    (connection_string,), _ = engine.dialect.create_connect_args(url)
    assert "erp.example.com" in connection_string
    assert "Database=finance" in connection_string
    assert "Encrypt=yes" in connection_string
    assert "s}cret" not in masked(url)
    # The statements of an incremental pull, as this dialect writes them.
    table = engine.dialect.identifier_preparer.format_table(sa.table("lines", schema="dbo"))
    compiled = (
        sa.text(f"select max(id) from {table} where id <= :boundary").bindparams(boundary=1).compile(dialect=engine.dialect)
    )
    assert "dbo.lines where id <= " in str(compiled)
    assert ":boundary" not in str(compiled)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        # Who the process is, by the ticket that Kerberos gave it (or by Windows).
        ("mssql://erp.example.com:1433/finance?Trusted_Connection=yes&Encrypt=yes", "Trusted_Connection=yes"),
        ("mssql://erp.example.com/finance?Trusted_Connection=yes&ServerSPN=MSSQLSvc/erp.example.com:1433", "ServerSPN=MSSQLSvc/"),
        ("mssql://erp.example.com/finance?Authentication=ActiveDirectoryIntegrated", "Authentication=ActiveDirectoryIntegrated"),
    ],
)
def test_sql_server_is_reached_without_a_password(named: str, said: str) -> None:
    url = resolve_url(named)
    (connection_string,), _ = engine_of(url).dialect.create_connect_args(url)
    assert said in connection_string
    assert "Database=finance" in connection_string
    assert not {part.partition("=")[0].lower() for part in connection_string.split(";")} & {"pwd", "password", "uid", "user"}


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    path = tmp_path / "erp.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table totals (service_month text, extracted_at text, lines int, amount text)")
        connection.execute("insert into totals values ('2025-03', '2025-04-01T10:00:00Z', 1, '10.10')")
    connection.close()
    return f"sqlite:///{path}"


def test_sqlite_works_for_a_try(sqlite_url: str, settings: Settings, tmp_path: Path) -> None:
    query = tmp_path / "totals.sql"
    query.write_text("select * from totals -- all of them\n;\n")
    assert pull(settings, TOTALS, sqlite_url, query_file=query).rows == 1
    assert landed_rows(settings, "select lines, amount_cents from raw.erp_control_totals") == [(1, 1010)]


@pytest.mark.parametrize(
    "query",
    [
        "attach database '{other}' as other",
        "select service_month, extracted_at, lines, amount from totals; drop table totals",
        "select 1; attach database '{other}' as other",
        "drop table totals",
        "pragma writable_schema = on",
        "with t as (select 1) insert into totals select '2025-04', '', 1, '1' from t",
        "select load_extension('{other}')",
        "vacuum into '{other}'",
    ],
)
def test_no_query_writes_to_a_database_of_one_file_or_beside_it(
    sqlite_url: str, settings: Settings, tmp_path: Path, query: str
) -> None:
    file, other = tmp_path / "erp.sqlite", tmp_path / "other.sqlite"
    before = file.read_bytes()
    with pytest.raises(RevenueIntegrityError):
        pull(settings, TOTALS, sqlite_url, query=query.format(other=other))
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("*.sqlite*")) == ["erp.sqlite"]


def test_a_semicolon_inside_a_text_or_before_a_comment_ends_no_query(sqlite_url: str, settings: Settings) -> None:
    query = "select service_month, extracted_at, lines, amount from totals where 'a;b' <> \"lines\"; -- that's all\n;"
    assert pull(settings, TOTALS, sqlite_url, query=query).rows == 1


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("select * into copied from totals", "does more than read"),
        ("with t as (select 1 as a) delete from totals", "does more than read"),
        ("exec drop_everything", "not one select"),
        ("select 1; exec drop_everything", "not one select"),
        ("merge into totals using x on 1 = 1 when matched then delete", "not one select"),
        ("select from where", "cannot be read as one select"),
        ("select * from totals exec('drop table totals')", "does more than read"),
        ("select * from totals Execute (x)", "does more than read"),
        ("with t as (select 1 as a) select * from t shutdown", "does more than read"),
        ("select * from totals commit", "does more than read"),
        ("select next value for numbers", "does more than read"),
        ("select * from openquery(erp, 'drop table totals select 1 as a')", "sends a text to another server"),
    ],
)
def test_where_no_session_is_kept_from_writing_a_query_must_be_seen_to_read(query: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        one_query(query, "mssql")


def test_sql_server_is_asked_for_a_reader_and_says_that_it_does_not_refuse_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "secret")
    engine = engine_of(resolve_url("mssql://reader:${ERP_PASSWORD}@erp.example.com/finance"))
    assert engine.url.query["ApplicationIntent"] == "ReadOnly"
    assert not reads_alone(engine)
    chosen = engine_of(resolve_url("mssql://reader:${ERP_PASSWORD}@erp.example.com/finance?applicationintent=ReadWrite"))
    assert dict(chosen.url.query) == {"applicationintent": "ReadWrite"}
    with_cte = "with t as (select top 5 [id] from dbo.[lines] with (nolock)) select * from t"
    assert one_query(f"{with_cte} ;", "mssql") == with_cte
    # In brackets and in texts such words are names and values.
    named = "select [exec], 'commit' as [drop] from [grant] as t where note <> 'execute' and kind = N'begin' option (recompile)"
    assert one_query(named, "mssql") == named


def test_either_a_table_or_a_query_is_pulled(sqlite_url: str, settings: Settings, tmp_path: Path) -> None:
    for more in ({}, {"table": "totals", "query": "select 1"}):
        with pytest.raises(UsageError, match="either a table or a query"):
            pull(settings, TOTALS, sqlite_url, **more)
    with pytest.raises(UsageError, match="cannot be read"):
        pull(settings, TOTALS, sqlite_url, query_file=tmp_path / "none.sql")
    with pytest.raises(UsageError, match="the query is empty"):
        pull(settings, TOTALS, sqlite_url, query=" ; ")
    with pytest.raises(LandingError, match="there is no database"):
        pull(settings, TOTALS, "sqlite:////no/such.sqlite", table="totals")


def test_a_state_that_cannot_be_read_is_told(sqlite_url: str, settings: Settings) -> None:
    pull(settings, TOTALS, sqlite_url, table="totals")
    state_path(settings, TOTALS).write_text("{")
    with pytest.raises(LandingError, match=r"colocation-erp_control_totals\.json cannot be read"):
        pull(settings, TOTALS, sqlite_url, table="totals")


def test_a_decimal_keeps_its_digits_as_text() -> None:
    # The driver gives 1E+2 for some numerics; the contract wants digits.
    from revenue_integrity.landing.pull import _texts

    assert _texts([Decimal("1E+2"), None, Decimal("0.10")], "dec", "x") == ["100", None, "0.10"]


def test_memory_does_not_grow_with_the_rows(database: sa.Connection, tmp_path: Path) -> None:
    # 200,000 rows of 2 kB are 400 MB; a pull that held them, or half of them, would be seen.
    database.execute(sa.text(TOTALS_TABLE + "; alter table totals add note text"))
    database.execute(
        sa.text("""
        insert into totals
        select n, '2025-03', timestamptz '2025-04-01' + n * interval '1 second', n, n * 0.01, repeat(md5(n::text), 64)
        from generate_series(1, 200000) n
        """)
    )
    program = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from revenue_integrity.landing.pull import pull
        from revenue_integrity.settings import Settings
        from revenue_integrity.streams.registry import deployment_of

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        settings = Settings(home=Path(sys.argv[1]), memory_limit="256MB", threads=2)
        source = deployment_of(settings).source("colocation", "erp_control_totals")
        small = pull(settings, source, "env:ERP_URL", query="select * from totals where id <= 20000")
        before = peak()
        large = pull(settings, source, "env:ERP_URL", table="totals", cursor="id")
        print(small.rows, large.rows, peak() - before)
    """)
    # As a file: of a program without one DuckDB thinks that a person types it, and shows how far it is when the machine is busy.
    (file := tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, file, str(tmp_path / "home")], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    small, large, grown = done.stdout.split()
    assert (small, large) == ("20000", "200000")
    assert float(grown) < 150
