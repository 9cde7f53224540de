"""What a stream is: its sources, its tables' rules and their checks.

Belongs here: the declaration that makes a stream known to everything shared. Does not belong here: any stream's content.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from revenue_integrity.close.judgement import Check
from revenue_integrity.close.signed import SignedTable
from revenue_integrity.landing.contracts import Source
from revenue_integrity.streams.rules import Rule
from revenue_integrity.warehouse.table import Table


@dataclass(frozen=True)
class Stream:
    """A line of business data.

    Attributes:
        name: its name, which is also the first part of its asset keys and its Dagster group.
        sources: what arrives.
        rules: how each table is made, in any order.
        checks: what must be true of the tables.
        signed: which tables and measures a sign-off attests.
    """

    name: str
    sources: tuple[Source, ...]
    rules: tuple[Rule, ...]
    checks: tuple[Check, ...]
    signed: tuple[SignedTable, ...] = ()

    def rules_in_order(self) -> list[Rule]:
        """Return the rules so that each comes after those whose tables it reads; equal ones by name."""
        by_name = {rule.table.qualified: rule for rule in sorted(self.rules, key=lambda rule: rule.table.qualified)}
        graph = {
            name: [reads.qualified for reads in rule.reads if reads.qualified in by_name and reads.qualified != name]
            for name, rule in by_name.items()
        }
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]

    def waves(self) -> dict[str, int]:
        """Return for each table the wave of runs that it belongs to.

        A table that reads other months of a table waits until that table is there for all months, so it begins a wave.
        """
        waves: dict[str, int] = {}
        for rule in self.rules_in_order():
            waves[rule.table.qualified] = max(
                (waves[reads.qualified] + (not reads.is_same_month) for reads in rule.reads if reads.qualified in waves),
                default=0,
            )
        return waves


def checks_of(checks: Sequence[Check], table: Table) -> list[Check]:
    """Return the checks of one table, in the order of their declaration."""
    return [check for check in checks if check.table.asset_key == table.asset_key]
