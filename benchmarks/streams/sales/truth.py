"""The causes that were found against the faults that were planted.

Belongs here: simulating one seed, computing every month with the plain engine. Does not belong here: counting what agrees
(``benchmarks.scoring``), how faults are planted (the simulator) or found (the rules of cause).

A planted fault counts where nothing had mended it by the last batch. What was found and what was planted are compared row by
row of the reconciliation and cause; what is off in the ledger now is off as of the close too, what was late only there.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.scoring import compared, look_alikes_named
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.simulate.program import simulate
from revenue_integrity.streams.sales.stream import SALES

KEY = ["month", "recon", "view", "region", "category", "transaction_id", "cause"]
"""What a cause is planted and found at."""


def compare_seed(home: Path, seed: int, transactions: int, first: str, last: str) -> dict[str, Any]:
    """Simulate one seed, compute it, and count per cause what was planted, found and right."""
    from revenue_integrity_tests.cases import computed_case

    settings = SalesSettings(home=home, first_month=first, last_month=last)
    truth = home / "truth"
    simulate(
        settings.landing_path,
        truth,
        months=settings.months,
        transactions=transactions,
        seed=seed,
        faults="default",
        cutoff=lambda month: cutoff(month, settings),
    )
    with computed_case(settings, SALES, "sales_recon_causes") as connection:
        found = connection.sql("""
            select strftime(month, '%Y-%m') as month, recon, view, lower(coalesce(region, '')) as region,
                lower(coalesce(category, '')) as category, coalesce(transaction_id, '') as transaction_id, cause,
                sum(cause_cents)::bigint as cents
            from recon.sales_recon_causes
            group by all order by all
        """).df()
    planted = pd.read_csv(truth / "sales_faults.csv", dtype=str, keep_default_na=False)
    planted = planted[planted["cured_at"] == ""].astype({"cents": "int64"})
    planted[["region", "category"]] = planted[["region", "category"]].apply(lambda column: column.str.lower())
    at_close = planted[(planted["recon"] == "sales_vs_ledger") & (planted["view"] == "current")].assign(view="as_of_close")
    planted = pd.concat([planted, at_close]).groupby(KEY).agg({"cents": "sum"}).reset_index()
    look_alikes = pd.read_csv(truth / "sales_look_alikes.csv", dtype=str, keep_default_na=False)
    look_alikes[["region", "category"]] = look_alikes[["region", "category"]].apply(lambda column: column.str.lower())
    now = found[found["view"] == "current"]
    return compared(planted, found, KEY) | look_alikes_named(look_alikes, planted, now, KEY)
