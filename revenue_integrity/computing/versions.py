"""Versions of rules and checks: a hash over everything of ours that decides their results, so nobody has to count it up.

Belongs here: what a rule and a check consist of, and what a sign-off attests of them. Does not belong here: what their code
reaches (``computing.reached``), when something is stale (``computing.staleness``).
"""

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing.reached import Reached, reached
from revenue_integrity.model.check import Check, Gate
from revenue_integrity.model.data_rules import rules_of
from revenue_integrity.model.query import Sql
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings


@cache
def reached_by_rule(rule: Rule) -> Reached:
    """Return what a rule reaches: its functions, the SQL that it declares, its table, and which columns it reads.

    Raises:
        TypeError: no version can be told of something that it reaches.
    """
    package = _package_of(rule.function)
    sql = tuple(each if isinstance(each, Sql) else Sql(package, each) for each in rule.sql)
    reads = tuple((each.qualified, each.first_offset, each.last_offset, each.by_day, each.columns) for each in rule.reads)
    return reached(rule.function, rule.queries, rule.stage, sql, rule.table, reads)


def _package_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    return str(function.__module__).rpartition(".")[0]


@cache
def reached_by_check(check: Check) -> Reached:
    """Return what a check reaches; its gate and its words are no part of what it finds.

    Raises:
        TypeError: no version can be told of something that it reaches.
    """
    return reached(check.judge)


def version_of_rule(rule: Rule) -> str:
    """Return the version of a rule."""
    return reached_by_rule(rule).version


def version_of_check(check: Check) -> str:
    """Return the version of a check."""
    return reached_by_check(check).version


def judged_by(check: Check, settings: Settings) -> str:
    """Return the hash of everything but data that a check's verdict rests on: a verdict of another one is outdated."""
    return sha256_of([version_of_check(check), settings.of_stream(check.table.stream).values(*check.settings)])


def judged_tables(stream: Stream, settings: Settings) -> dict[str, str]:
    """Return for each table of a stream that has checks a hash of what their verdicts rest on beside data."""
    found: dict[str, list[list[str]]] = {}
    for check in stream.checks:
        found.setdefault(check.table.qualified, []).append([check.name, judged_by(check, settings)])
    return {table: sha256_of(sorted(checks)) for table, checks in sorted(found.items())}


def _attested(streams: Iterable[Stream]) -> list[Check]:
    return [check for stream in streams for check in stream.checks if check.gate is not Gate.WARN]


def settings_hash(streams: Iterable[Stream], settings: Settings) -> str:
    """Return the hash of the settings that a sign-off of some streams rests on.

    Those of their rules and of checks that gate, and what the deployment demands of their data, if it demands anything.
    """
    streams = list(streams)
    of_rules = {name for stream in streams for rule in stream.rules for name in rule.settings}
    of_checks = {name for check in _attested(streams) for name in check.settings}
    demanded = {"data_rules"} if any(rules_of(source, settings) for each in streams for source in each.sources) else set()
    return sha256_of(settings.values(*(of_rules | of_checks | demanded)))


def code_version(streams: Iterable[Stream]) -> str:
    """Return the hash of the code that a sign-off of some streams attests: their rules, and their checks that gate."""
    streams = list(streams)
    rules = {rule.table.qualified: version_of_rule(rule) for stream in streams for rule in stream.rules}
    checks = [[*check.table.asset_key, check.name, check.gate.value, version_of_check(check)] for check in _attested(streams)]
    return sha256_of({"rules": rules, "checks": sorted(checks)})
