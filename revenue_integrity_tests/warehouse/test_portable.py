"""What may stand in SQL that runs on both engines: every forbidden thing is found, and the stages hold none of them."""

import pytest

from revenue_integrity.errors import WarehouseError
from revenue_integrity.model.query import read_sql
from revenue_integrity.streams.cloud.curated import PORTABLE
from revenue_integrity.warehouse.portable import projection_to_spark, to_spark, violations

FORBIDDEN = [
    # Money
    ("select cost / 2 as half from t", "`//`"),
    ("select avg(cost) as mean from t", "sum and count"),
    ("select a * b as product from t", "BIGINT or DECIMAL(38, 0)"),
    ("select cast(a as decimal(38, 12)) * 2 as product from t", "BIGINT or DECIMAL(38, 0)"),
    ("select a // b as quotient from t", "BIGINT or DECIMAL(38, 0)"),
    ("select round(cost, 2) as cost from t", "round()"),
    # Types
    ("select cast(a as double) as b from t", "not alike"),
    ("select a::hugeint as b from t", "not alike"),
    ("select cast(a as timestamp) as b from t", "not alike"),
    ("select cast(1.5 as bigint) as a from t", "DuckDB rounds"),
    ("select cast('1.5' as bigint) as a from t", "DuckDB rounds"),
    ("select cast(cast(a as decimal(10, 2)) as integer) as a from t", "DuckDB rounds"),
    ("select 1e5 as a from t", "float"),
    ("select try_cast(a as date) as b from t", "try_cast"),
    ("select cast(sum(cost) as varchar) as words from t", "text of instants and decimals"),
    ("select cast(cast(a as timestamptz) as varchar) as words from t", "text of instants and decimals"),
    # Functions
    ("select hash(a) as b from t", "hash()"),
    ("select epoch_us(a) as b from t", "epoch_us()"),
    ("select quantile_cont(a, 0.5) as b from t", "quantile_cont"),
    ("select median(a) as b from t", "median()"),
    ("select now() as a from t", "now()"),
    ("select random() as a from t", "rand()"),
    ("select lower(a) as b from t", "ASCII"),
    ("select concat(a, b) as c from t", "||"),
    ("select a from t where a like 'x%'", "escape"),
    ("select a from t where a ilike 'x%'", "ILike"),
    ("select regexp_matches(a, 'x') as b from t", "regexp_like()"),
    ("select trim(a, 'x') as b from t", "trim"),
    # Order decides
    ("select arg_max(a, b) as c from t", "arg_max()"),
    ("select first(a) as b from t", "first()"),
    ("select any_value(a) as b from t", "any_value"),
    ("select string_agg(a) as b from t", "group_concat()"),
    ("select a from t limit 1", "LIMIT"),
    ("select distinct on (a) b from t", "DISTINCT ON"),
    ("select a from t order by 1", "positions"),
    ("select a from t order by all", "positions"),
    ("select a from t using sample 5", "TableSample"),
    # Windows
    ("select row_number() over (partition by a) as place from t", "no ORDER BY"),
    ("select lag(a) over () as b from t", "no ORDER BY"),
    ("select lead(a) over (partition by b) as c from t", "no ORDER BY"),
    ("select rank() over (partition by b) as c from t", "no ORDER BY"),
    ("select row_number() over (partition by a order by ingested_at) as place from t", "must be total"),
    ("select sum(a) over (order by b rows between 1 preceding and current row) as c from t", "must be total"),
    ("select * from t qualify row_number() over (partition by a order by row_number) = 1", "one more column"),
    ("select t.* from t qualify row_number() over (partition by a order by row_number) = 1", "one more column"),
    # Days
    ("select d + interval 1 day as next from t", "cast back to date"),
    ("select date_trunc('month', d) as month from t", "cast to date"),
    ("select date_diff('day', a, b) as days from t", "datediff()"),
    ("select current_date as today from t", "current_date()"),
    # What only DuckDB knows
    ("select a.x from a asof join b on a.t >= b.t", "ASOF"),
    ("select * from a natural join b", "NATURAL"),
    ("select a from a semi join b on a.x = b.x", "SEMI"),
    ("select a from a anti join b on a.x = b.x", "ANTI"),
    ("select * from a inner join b using (x)", "USING"),
    ("select * exclude (a) from t", "list the columns"),
    ("select * replace (a as b) from t", "list the columns"),
    ("select columns('a.*') from t", "list the columns"),
    ("select a from t group by all", "plain columns"),
    ("select a from t union all by name select a from u", "list the columns"),
    ("select [x + 1 for x in l] as l from t", "comprehensions"),
    ("select l[1:2] as l from t", "slices"),
    ("select s['a'] as a from t", "struct access"),
    ("select s.a.b as c from t", "struct access"),
    ("select {'a': 1} as s from t", "structs"),
    ("select unnest(l) as x from t", "explode()"),
    ("select list(a) as l from t", "array_agg()"),
    ("select a from read_parquet('x.parquet')", "belongs in the inputs"),
    ("select a from range(3)", "belongs in the inputs"),
    ("with recursive x as (select 1 as a) select a from x", "recursion"),
    ("select $a as a from t", "not bound"),
    ("select ? as a from t", "not bound"),
    # No select
    ("delete from t", "not one select"),
    ("select a from t; select b from t", "not one select"),
    ("select from where", "cannot be read"),
]

ALLOWED = [
    "select count(*) over (partition by a) as versions from t",
    "select max(a) over (partition by b) as latest from t",
    "select row_number() over (partition by a order by b desc, row_number) as place from t",
    "select lag(a) over (partition by b order by c, file_no, row_number desc) as before from t",
    "select a, b from t qualify row_number() over (partition by a order by b desc, row_number) = 1",
    "select cast(d + interval 1 day as date) as next, cast(date_trunc('month', d) as date) as month from t",
    "select cast(a as bigint) * 100 as cents, cast(a as decimal(38, 0)) * -3 as thrice from t",
    "select cast(a as bigint) // 7 as share, cast(a as bigint) % 7 as rest from t",
    "select cast(sum(n) as bigint) as n, cast(sum(cost) as decimal(38, 12)) as cost from t group by a having count(*) > 1",
    "select cast(a as varchar) as a, cast(null as varchar) as b, coalesce(a, 'none') as c from t",
    "select a from t where a in ('x', 'y') and not exists (select 1 from u where u.a = t.a) and b is distinct from c",
    "select a from t union all select a from u",
    "select case when a then 'yes' else 'no' end as word, a || b as both from t left join u on t.x = u.x and u.y is null",
]


@pytest.mark.parametrize("name", PORTABLE)
def test_sql_that_runs_on_both_engines_keeps_to_the_subset(name: str) -> None:
    assert violations(read_sql("revenue_integrity.streams.cloud", name)) == []


@pytest.mark.parametrize(("sql", "reason"), FORBIDDEN)
def test_what_engines_read_otherwise_is_found(sql: str, reason: str) -> None:
    assert reason in "; ".join(violations(sql))


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_engines_read_alike_is_let_through(sql: str) -> None:
    assert violations(sql) == []


def test_every_reason_is_told() -> None:
    reasons = violations("select avg(a) as a, b / c as d from t limit 1")
    assert [reason.split("`")[1] for reason in reasons] == ["AVG(a)", "b / c", "LIMIT 1"]


def test_a_query_outside_the_subset_is_not_carried_over() -> None:
    with pytest.raises(WarehouseError, match=r"The SQL of events does not mean the same on Spark: `AVG\(a\)`"):
        to_spark("select avg(a) as a from t", name="events")


def test_text_nulls_and_types_are_told_in_sparks_words() -> None:
    duckdb_sql = r"""select 'it''s \ "x"' as "odd name", cast(a as timestamptz) as a from t order by b desc, c"""
    assert to_spark(duckdb_sql, name="q") == (
        r"""SELECT 'it\'s \\ "x"' AS `odd name`, CAST(a AS TIMESTAMP) AS a FROM t ORDER BY b DESC, c NULLS LAST"""
    )


def test_a_projection_is_carried_over_column_by_column() -> None:
    assert projection_to_spark('cast("Cost" as decimal(38, 12)) as cost, day', name="events") == [
        "CAST(`Cost` AS DECIMAL(38, 12)) AS cost",
        "day",
    ]
