"""The causes that were found against the faults that were planted.

Belongs here: simulating one seed, computing every month with the plain engine. Does not belong here: counting what agrees
(``benchmarks.scoring``), how faults are planted (the simulator) or found (the rules of cause).

A planted fault counts where nothing had mended it by the last batch. What was found and what was planted are compared row by
row of the reconciliation and cause, in the view of all postings, and for what was posted late in that as of close.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.scoring import compared, look_alikes_named
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.simulate.program import simulate
from revenue_integrity.streams.bookings.stream import BOOKINGS

KEY = ["month", "customer_id", "deal_id", "line_no", "revenue_type", "view", "cause"]
"""What a cause is planted and found at."""


def compare_seed(home: Path, seed: int, deals: int, first: str, last: str) -> dict[str, Any]:
    """Simulate one seed, compute it, and count per cause what was planted, found and right."""
    from revenue_integrity_tests.cases import computed_case

    settings = BookingsSettings(home=home, first_month=first, last_month=last)
    truth = home / "truth"
    simulate(
        settings.landing_path,
        truth,
        months=settings.months,
        deals=deals,
        seed=seed,
        faults="default",
        cutoff=lambda month: cutoff(month, settings),
    )
    with computed_case(settings, BOOKINGS) as connection:
        found = connection.sql("""
            select strftime(month, '%Y-%m') as month, coalesce(customer_id, '') as customer_id,
                coalesce(deal_id, '') as deal_id, coalesce(line_no::varchar, '') as line_no,
                revenue_type, view, cause, sum(cause_cents)::bigint as cents
            from recon.bookings_recon_causes
            where view = 'current' or cause = 'late_posting'
            group by all order by all
        """).df()
    planted = pd.read_csv(truth / "bookings_faults.csv", dtype=str, keep_default_na=False)
    planted = planted[planted["cured_at"] == ""].astype({"cents": "int64"})
    planted = planted.groupby(KEY).agg({"cents": "sum"}).reset_index()
    look_alikes = pd.read_csv(truth / "bookings_look_alikes.csv", dtype=str, keep_default_na=False)
    now = found[found["view"] == "current"]
    return compared(planted, found, KEY) | look_alikes_named(look_alikes, planted, now, KEY)
