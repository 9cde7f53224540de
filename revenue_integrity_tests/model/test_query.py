"""Queries as values: parameters are bound, never pasted."""

from datetime import date

import duckdb
import pytest

from revenue_integrity.model.query import Query, Sql, load_query, read_sql
from revenue_integrity_tests.support import SHIPPED


def test_only_the_parameters_that_the_text_names_are_bound() -> None:
    query = Query("select $month, $share -- not $comment\n", {"month": 1, "share": 2, "comment": 3, "more": 4})
    assert query.bound == {"month": 1, "share": 2}


def test_a_parameter_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError, match="month"):
        _ = Query("select $month").bound


def test_values_are_values_whatever_they_say() -> None:
    query = Query("select $name as name", {"name": "x'; drop table t; --"})
    with duckdb.connect() as connection:
        assert connection.execute(query.sql, query.bound).fetchall() == [("x'; drop table t; --",)]


def test_every_query_of_a_rule_is_found_and_parses() -> None:
    with duckdb.connect() as connection:
        for stream in SHIPPED.streams:
            for rule in stream.rules:
                for path in rule.sql:
                    sql = path.text if isinstance(path, Sql) else read_sql(rule.function.__module__.rsplit(".", 1)[0], path)
                    assert len(connection.extract_statements(sql)) == 1, path
                    assert "{{" not in sql, path


def test_a_check_of_the_landing_is_loaded_with_its_parameters() -> None:
    query = load_query("revenue_integrity.close", "checks/quarantined_share", stream="s", month=date(2025, 3, 1), share=1)
    assert sorted(query.bound) == ["month", "share", "stream"]
