"""Versions of rules and checks: whose SQL and settings they know, and that nothing else is run."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from revenue_integrity.computing.versions import (
    judged_by,
    judged_tables,
    reached_by_check,
    reached_by_rule,
    version_of_check,
    version_of_rule,
)
from revenue_integrity.model.query import Query, Sql, Template, load_query, only_known
from revenue_integrity.model.rule import Rule
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.warehouse.storage import read_partitions, rows_of_query
from revenue_integrity_tests.cases import computed_case
from revenue_integrity_tests.conftest import GOLDEN_LANDING, golden_settings
from revenue_integrity_tests.support import SHIPPED

RULES = [rule for stream in SHIPPED.streams for rule in stream.rules]
CHECKS = [check for stream in SHIPPED.streams for check in stream.checks]


def test_every_rule_and_every_check_has_a_version_of_its_own() -> None:
    assert len({version_of_rule(rule) for rule in RULES}) == len(RULES)
    assert len({version_of_check(check) for check in CHECKS}) == len(CHECKS)


def test_a_check_knows_the_sql_of_its_verdict_and_of_what_it_lists() -> None:
    (check,) = [check for check in CHECKS if check.name == "every_variance_is_explained"]
    given = (("recons", COLOCATION.reconciliations),)
    texts = [Template(f"checks/variances_are_explained{each}", given) for each in ("", "_rows")]
    assert reached_by_check(check).sql == {Sql("revenue_integrity.close", each) for each in texts}


def test_a_rule_knows_the_sql_that_it_declares() -> None:
    (rule,) = [rule for rule in RULES if rule.table.name == "rack_month"]
    assert reached_by_rule(rule).sql == {Sql("revenue_integrity.streams.colocation", "mart/rack_month")}
    assert version_of_rule(replace(rule, sql=("mart/usage_month",))) != version_of_rule(rule)


def test_sql_that_a_version_does_not_know_is_not_loaded() -> None:
    package = "revenue_integrity.streams.colocation"
    with only_known({Sql(package, "mart/rack_month")}):
        assert "rack" in load_query(package, "mart/rack_month").sql
        with pytest.raises(RuntimeError, match="version does not know it"):
            load_query(package, "mart/usage_month")
    assert load_query(package, "mart/usage_month").sql, "outside of rules and checks everything may be loaded"


def test_a_verdict_rests_on_the_settings_of_its_check_and_a_table_on_all_of_its_checks() -> None:
    (check,) = [check for check in CHECKS if check.name == "unmapped_lines_are_within_materiality"]
    settings = SHIPPED.settings
    other, foreign = (settings.model_copy(update={name: 7}) for name in ("materiality_cents", "late_after_days"))
    assert judged_by(check, settings) != judged_by(check, other)
    assert judged_by(check, settings) == judged_by(check, foreign)
    (colocation,) = [stream for stream in SHIPPED.streams if check in stream.checks]
    before, after = judged_tables(colocation, settings), judged_tables(colocation, other)
    assert {table for table in before if before[table] != after[table]} == {"recon.recon_summary"}
    fewer = replace(colocation, checks=tuple(each for each in colocation.checks if each is not check))
    assert judged_tables(fewer, settings)["recon.recon_summary"] != before["recon.recon_summary"]


def altered(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """Yield the settings with one of them changed, whatever figures come out."""
    for name, value in settings:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            yield name, settings.model_copy(update={name: value + 1})
    others = {"close_timezone": "Asia/Tokyo", "holidays": (date(2025, 5, 1),), "allocation_method": "metered_share"}
    for name, value in others.items():
        yield name, settings.model_copy(update={name: value})


def test_no_setting_but_those_that_a_rule_declares_changes_its_queries() -> None:
    settings, month = SHIPPED.settings, date(2025, 4, 1)

    def asked(rule: Rule, given: Settings) -> list[tuple[str, dict[str, Any]]]:
        made = rule.queries(month, given).values() if rule.queries else [rule.function(month, given)]
        return [(query.sql, query.bound) for query in made]

    for rule in (rule for rule in RULES if rule.sql):
        before = asked(rule, settings)
        moved = {name for name, given in altered(settings) if asked(rule, given) != before}
        assert moved <= set(rule.settings), rule.table.qualified


ASKED: set[str] = set()
"""Settings that were looked at."""


def watched(settings: Settings) -> Settings:
    """Return the settings, remembering which of them are looked at."""
    fields = type(settings).model_fields

    class Watched(type(settings)):  # type: ignore[misc]  # its own class, whichever streams' settings it holds
        def __getattribute__(self, name: str) -> Any:
            if name in fields:
                ASKED.add(name)
            return super().__getattribute__(name)

    return Watched(**settings.model_dump())


class Reader:
    """What a check sees of the warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, query: Query) -> pd.DataFrame:
        """Run a query."""
        return rows_of_query(self._connection, query)


def test_rules_over_frames_and_checks_look_at_no_setting_but_those_that_they_declare(tmp_path: Path) -> None:
    settings = golden_settings(tmp_path, landing=GOLDEN_LANDING)
    (month,) = settings.months
    looked_at = watched(settings)
    colocation, tables = COLOCATION, {rule.table.qualified: rule.table for rule in COLOCATION.rules}
    with computed_case(settings) as connection:
        for rule in (rule for rule in colocation.rules if not rule.sql):
            frames = {
                each.table: read_partitions(connection, tables[each.qualified], [month], each.columns) for each in rule.reads
            }
            ASKED.clear()
            rule.function(month, looked_at, **frames)
            assert set(ASKED) <= set(rule.settings), rule.table.qualified
        for check in colocation.checks:
            ASKED.clear()
            check.judge(Reader(connection), month, looked_at)
            assert set(ASKED) <= set(check.settings), check.name
