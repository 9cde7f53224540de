"""The pieces of the colocation stream that are measured, each in a process of its own.

Belongs here: one function per piece; what it returns are facts for the report. Does not belong here: measuring, comparing.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import engine
from benchmarks.streams.colocation.operator import MONTH, write_month
from revenue_integrity import months, process
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of, load_settings

Facts = dict[str, Any]


def _month_settings(home: str, landing: str) -> Settings:
    label = months.label(MONTH)
    return load_settings(home=home, landing=landing, first_month=label, last_month=label)


@contextlib.contextmanager
def _timed(facts: Facts) -> Iterator[None]:
    """Note what a part of a piece costs, without starting Python and importing libraries."""
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    facts["part_cpu_seconds"], facts["part_wall_seconds"] = time.process_time() - cpu, time.perf_counter() - wall


def month_files(landing: str, contracts: str, form: str) -> Facts:
    """Write the month of a large operator."""
    return {"rows": write_month(Path(landing), int(contracts), form)}


def month(home: str, landing: str) -> Facts:
    """Run the month from landing to published, as the command does."""
    process.beginning()
    from revenue_integrity.orchestration import runner

    settings = _month_settings(home, landing)
    summary = runner.run(deployment_of(settings), settings.months, stream="colocation", say=lambda _: None)
    published = settings.published_path.glob(f"*/month={months.label(MONTH)}/data.parquet")
    return {"runs": summary.runs, "failures": summary.failures, "published": len(list(published))}


def load_files(database: str, landing: str) -> Facts:
    """Read the same files into tables of a DuckDB file, and nothing else."""
    with engine(database) as opened:
        for source in sorted(path for path in (Path(landing) / "colocation").iterdir()):
            forms = {path.suffix for path in source.glob("*/*")}
            for form in sorted(forms):
                reader = "read_parquet" if form == ".parquet" else "read_csv"
                opened.execute(f"create table {source.name} as from {reader}('{source}/*/*{form}', union_by_name = true)")
    return {}


def naive(landing: str, out: str) -> Facts:
    """Compute the month's charges, allocation and margins with pandas, as a first try would."""
    from benchmarks.streams.colocation import naive as first_try

    figures = first_try.run(Path(landing), MONTH)
    figures.to_csv(out, index=False)
    return {"contracts": len(figures), "margin_cents": int(figures["margin_cents"].sum())}


def same_rules(home: str, landing: str) -> Facts:
    """Compute what the naive program computes, and all that it rests on: validated landing, stored and hashed tables."""
    from dataclasses import replace

    from revenue_integrity.streams.colocation.schemas import CONTRACT_MONTH
    from revenue_integrity.streams.colocation.stream import COLOCATION
    from revenue_integrity_tests.cases import computed_case

    needed = {CONTRACT_MONTH.qualified}
    for rule in reversed(COLOCATION.rules_in_order()):
        if rule.table.qualified in needed:
            needed |= {reads.qualified for reads in rule.reads}
    part = replace(COLOCATION, rules=tuple(rule for rule in COLOCATION.rules if rule.table.qualified in needed))
    with computed_case(_month_settings(home, landing), part) as connection:
        ((contracts, cents),) = connection.execute("select count(*), sum(margin_cents) from mart.contract_month").fetchall()
    return {"contracts": contracts, "margin_cents": int(cents), "tables": len(part.rules)}


def margin(home: str, landing: str) -> Facts:
    """Read the margin that the product published, to compare it with the naive one."""
    import duckdb

    file = _month_settings(home, landing).published_path / "contract_month" / f"month={months.label(MONTH)}" / "data.parquet"
    with duckdb.connect() as engine:
        ((contracts, cents),) = engine.execute(f"select count(*), sum(margin_cents) from '{file}'").fetchall()
    return {"contracts": contracts, "margin_cents": int(cents)}


def batch_files(landing: str, batches: str, rows: str) -> Facts:
    """Write meter readings as equal batches."""
    from benchmarks.streams.colocation.batches import write_batches

    write_batches(Path(landing), int(batches), int(rows))
    return {}


def ingest(home: str, landing: str) -> Facts:
    """Read whatever has arrived into the store, and nothing else."""
    from revenue_integrity.landing.ingest import ingest as read
    from revenue_integrity.streams.colocation.stream import COLOCATION
    from revenue_integrity.warehouse import database

    settings = _month_settings(home, landing)
    facts: Facts = {}
    with database.connect(settings) as connection, _timed(facts):
        report = read(connection, settings.landing_path, COLOCATION.sources, settings)
    return facts | {"rows": report.rows, "quarantined": report.quarantined}


def reconciled(home: str, landing: str) -> Facts:
    """Compute a month up to its reconciliations."""
    from revenue_integrity.streams.colocation.stream import COLOCATION
    from revenue_integrity_tests.cases import computed_case

    with computed_case(_month_settings(home, landing), COLOCATION):
        return {}


def causes(home: str, landing: str) -> Facts:
    """Explain every variance of a month that is reconciled already."""
    from revenue_integrity.streams.colocation.recon import CAUSES, RULES
    from revenue_integrity.warehouse import database
    from revenue_integrity.warehouse.storage import rows_of_query, write_partition

    settings = _month_settings(home, landing)
    (rule,) = [rule for rule in RULES if rule.table is CAUSES]
    assert rule.queries is not None
    facts: Facts = {}
    with database.connect(settings) as connection:
        with _timed(facts):
            frames = {name: rows_of_query(connection, query) for name, query in rule.queries(MONTH, settings).items()}
            connection.begin()
            written = write_partition(connection, rule.table, MONTH, rule.function(MONTH, settings, **frames))
            connection.commit()
        ((rows, varying),) = connection.execute(
            "select count(*), count(*) filter (where variance_cents <> 0) from recon.recon_results"
            " where recon = 'erp_vs_mart' and view = 'current'"
        ).fetchall()
        by_cause = connection.execute(
            "select cause, count(*) from recon.recon_causes where view = 'current' group by all order by all"
        ).fetchall()
    return facts | {"charge_rows": rows, "variances": varying, "causes": written.rows, "by_cause": dict(by_cause)}


def truth(home: str, seed: str, contracts: str, sites: str, first: str, last: str) -> Facts:
    """Simulate, compute, and compare the causes found with those planted."""
    from benchmarks.streams.colocation.truth import compare_seed

    return compare_seed(Path(home), int(seed), int(contracts), int(sites), first, last)
