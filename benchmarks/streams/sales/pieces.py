"""The pieces of the sales stream that are measured, each in a process of its own.

Belongs here: one function per piece; what it returns are facts for the report. Does not belong here: measuring, comparing.
"""

from pathlib import Path
from typing import Any

from benchmarks.measure import engine
from benchmarks.streams.sales.shop import MONTH, write_month
from revenue_integrity import months, process
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of, load_settings

Facts = dict[str, Any]

FIGURES = ("lines", "total_cents", "variance_cents")
"""What the product and the first try must agree on."""


def _month_settings(home: str, landing: str) -> Settings:
    label = months.label(MONTH)
    return load_settings(home=home, landing=landing, first_month=label, last_month=label)


def month_files(landing: str, transactions: str) -> Facts:
    """Write the month of a large shop."""
    return {"objects": write_month(Path(landing), int(transactions))}


def month(home: str, landing: str) -> Facts:
    """Run the month from landing to published, as the command does."""
    process.beginning()
    from revenue_integrity.orchestration import runner

    settings = _month_settings(home, landing)
    summary = runner.run(deployment_of(settings), settings.months, stream="sales", say=lambda _: None)
    published = settings.published_path.glob(f"*/month={months.label(MONTH)}/data.parquet")
    return {"runs": summary.runs, "failures": summary.failures, "published": len(list(published))}


def published(home: str, landing: str) -> Facts:
    """Read the figures that the product published, to compare them with the naive ones."""
    place = _month_settings(home, landing).published_path
    with engine() as opened:
        ((lines, total, variance),) = opened.execute(
            f"""
            select count(*), sum(total_cents), (
                select sum(variance_cents)
                from '{place}/sales_recon_results/month={months.label(MONTH)}/data.parquet'
                where recon = 'sales_vs_ledger' and view = 'current'
            )
            from '{place}/fact_sales/month={months.label(MONTH)}/data.parquet'
            """
        ).fetchall()
    return {"lines": int(lines), "total_cents": int(total), "variance_cents": int(variance)}


def naive(landing: str) -> Facts:
    """Compute the month's figures with pandas, as a first try would."""
    from benchmarks.streams.sales import naive as first_try

    return dict(first_try.run(Path(landing)))


def truth(home: str, seed: str, transactions: str, first: str, last: str) -> Facts:
    """Simulate, compute, and compare the causes found with those planted."""
    from benchmarks.streams.sales.truth import compare_seed

    return compare_seed(Path(home), int(seed), int(transactions), first, last)
