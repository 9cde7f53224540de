"""The pieces of the bookings stream that are measured, each in a process of its own.

Belongs here: one function per piece; what it returns are facts for the report. Does not belong here: measuring, comparing.
"""

from pathlib import Path
from typing import Any

from benchmarks.measure import engine
from benchmarks.streams.bookings.seller import MONTH, write_month
from revenue_integrity import months, process
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of, load_settings

Facts = dict[str, Any]

FIGURES = ("expected_cents", "recognized_cents", "deferred_revenue_cents", "rpo_cents")
"""What the product and the first try must agree on."""


def _month_settings(home: str, landing: str) -> Settings:
    label = months.label(MONTH)
    return load_settings(home=home, landing=landing, first_month=label, last_month=label)


def month_files(landing: str, lines: str) -> Facts:
    """Write the month of a large seller."""
    return {"entries": write_month(Path(landing), int(lines))}


def month(home: str, landing: str) -> Facts:
    """Run the month from landing to published, as the command does."""
    process.beginning()
    from revenue_integrity.orchestration import runner

    settings = _month_settings(home, landing)
    summary = runner.run(deployment_of(settings), settings.months, stream="bookings", say=lambda _: None)
    published = settings.published_path.glob(f"*/month={months.label(MONTH)}/data.parquet")
    return {"runs": summary.runs, "failures": summary.failures, "published": len(list(published))}


def published(home: str, landing: str) -> Facts:
    """Read the figures that the product published, to compare them with the naive ones."""
    place = _month_settings(home, landing).published_path
    with engine() as opened:
        sums = ", ".join(f"sum({name})" for name in FIGURES)
        ((*figures,),) = opened.execute(
            f"select {sums} from '{place}/deal_month/month={months.label(MONTH)}/data.parquet'"
        ).fetchall()
        causes = opened.execute(
            f"select cause, count(*) from '{place}/bookings_recon_causes/month={months.label(MONTH)}/data.parquet'"
            " where view = 'current' group by all order by all"
        ).fetchall()
    return {name: int(cents) for name, cents in zip(FIGURES, figures, strict=True)} | {"by_cause": dict(causes)}


def naive(landing: str) -> Facts:
    """Compute the month's figures with pandas, as a first try would."""
    from benchmarks.streams.bookings import naive as first_try

    return dict(first_try.run(Path(landing), MONTH))


def truth(home: str, seed: str, deals: str, first: str, last: str) -> Facts:
    """Simulate, compute, and compare the causes found with those planted."""
    from benchmarks.streams.bookings.truth import compare_seed

    return compare_seed(Path(home), int(seed), int(deals), first, last)
