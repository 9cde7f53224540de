"""The causes that were found against the faults that were planted.

Belongs here: simulating one seed, computing every month with the plain engine, counting what agrees. Does not belong here:
how faults are planted (the simulator) or found (the rules of cause).

A planted fault counts where nothing had mended it by the last batch. What was found and what was planted are compared row by
row of the reconciliation and cause, in the view of all postings, and for lines posted late in that as of close. Rests that
the simulator does not plant (`rounding`) stand in the table too: whatever is found and was not planted lowers precision.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.scoring import compared, look_alikes_named
from revenue_integrity import months
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.streams.colocation.simulate.program import simulate
from revenue_integrity.streams.registry import load_settings

KEY = ["month", "recon", "customer_id", "contract_id", "site_id", "charge_type", "view", "cause"]
"""What a cause is planted and found at."""


def compare_seed(home: Path, seed: int, contracts: int, sites: int, first: str, last: str) -> dict[str, Any]:
    """Simulate one seed, compute it, and count per cause what was planted, found and right."""
    from revenue_integrity_tests.cases import computed_case

    settings = load_settings(home=home, first_month=first, last_month=last)
    truth = home / "truth"
    simulate(
        settings.landing_path,
        truth,
        months=settings.months,
        contracts=contracts,
        sites=sites,
        seed=seed,
        faults="default",
        cutoff=lambda month: cutoff(month, settings),
    )
    with computed_case(settings) as connection:
        found = connection.sql("""
            select strftime(month, '%Y-%m') as month, recon, coalesce(customer_id, '') as customer_id,
                coalesce(contract_id, '') as contract_id, coalesce(site_id, '') as site_id,
                coalesce(charge_type, '') as charge_type, view, cause, sum(cause_cents)::BIGINT as cents
            from recon.recon_causes
            where view = 'current' or cause = 'late_posting'
            group by all order by all
        """).df()
    planted = pd.read_csv(truth / "faults.csv", dtype=str, keep_default_na=False)
    planted = planted[planted["cured_at"] == ""].astype({"cents": "int64"})
    planted = planted.loc[planted["month"].isin([months.label(month) for month in settings.months])]
    planted = planted.groupby(KEY).agg({"cents": "sum"}).reset_index()
    look_alikes = pd.read_csv(truth / "look_alikes.csv", dtype=str, keep_default_na=False)
    now = found[found["view"] == "current"]
    return compared(planted, found, KEY) | look_alikes_named(look_alikes, planted, now, KEY)
