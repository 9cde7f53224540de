"""Months whose last run was refused or interrupted, or whose checks no run of this home made.

Belongs here: what only the record of runs knows of a month that must be run again. Does not belong here: what is stale
(``computing.plan``), running it (``runner``), asking for it (``late_data``).
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date

import dagster as dg

from revenue_integrity import months
from revenue_integrity.computing.plan import Undone
from revenue_integrity.computing.publication_tables import publication_table
from revenue_integrity.model.check import MONTH_MAY_BE_PUBLISHED
from revenue_integrity.orchestration.check_results import is_foreign, is_interrupted, latest, results_of_month
from revenue_integrity.orchestration.seals import Seals


def undone_months(
    instance: dg.DagsterInstance,
    specs: Sequence[dg.AssetCheckSpec],
    stream: str,
    wanted: Collection[date],
    busy: Callable[[], Collection[tuple[str, str]]],
    seals: Seals,
) -> dict[date, Undone]:
    """Return the months of a stream to run again, with the reason; those that a run covers (``busy``) are left to it.

    ``specs`` are those of every check of the stream.
    """
    found = {}
    covered = busy()
    published = [each for each in specs if each.name == MONTH_MAY_BE_PUBLISHED.name and each.asset_key == _publication(stream)]
    for month in sorted(wanted):
        label = months.label(month)
        if (stream, label) in covered:
            continue
        found_last = latest(instance, specs, label)
        # A month of which only the stale tables were run would be refused, for the checks of the others hold for nobody.
        if is_foreign(instance, specs, label, seals, found_last):
            found[month] = Undone("its checks were not made by a run of this home", whole=True)
        elif is_interrupted(found_last):
            found[month] = Undone("its last run was interrupted", whole=True)
        # What stood in the way may be mended by now.
        elif any(each.state in ("failed", "planned") for each in results_of_month(instance, published, label, seals, found_last)):
            found[month] = Undone("its last publication was refused")
    # A run that was asked for while its month was looked at had planned its checks by then: it interrupted nothing.
    covered = busy() if found else ()
    return {month: each for month, each in found.items() if (stream, months.label(month)) not in covered}


def _publication(stream: str) -> dg.AssetKey:
    return dg.AssetKey(publication_table(stream).asset_key)
