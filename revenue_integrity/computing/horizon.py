"""Where the months of a home begin and end: with what its data name, inside what the settings allow.

Belongs here: reading that from the manifests, without the warehouse and without loading a stream. Does not belong here: which
months of a stream are computed (``staleness.due_months``).
"""

from collections.abc import Sequence
from datetime import date

from revenue_integrity import months
from revenue_integrity.computing.ingestion import manifests
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import WHOLE, read_catalog


def delivered_months(settings: Settings) -> list[date]:
    """Return the months of the deployment from the first to the last that rows of any stream name; none before any was read.

    What a demo carries from before the months that it is about makes none.
    """
    named = _named(settings) or _on_record(settings)
    if not named:
        return []
    first = settings.simulated_from or min(named)
    return [month for month in settings.months if first <= month <= max(named)]


def service_months(settings: Settings) -> list[date]:
    """Return the months of the deployment: from ``first_month`` to ``last_month`` where they are set.

    By default they begin with the first month that rows name, and end with the month after the last, at most the month after
    the present one; a demo home ends with its demo. A home that holds no rows yet has all months that the settings allow.
    """
    allowed, named = settings.months, _named(settings)
    if not named:
        return allowed
    # What is simulated reaches back a little, as real deliveries do; a demo begins with the months that it is about.
    first = allowed[0] if settings.names("first_month") else settings.simulated_from or min(named)
    last = allowed[-1] if settings.last_month else months.add(max(named), 0 if settings.demo_path.exists() else 1)
    return [month for month in allowed if first <= month <= last] or allowed[:1]


def _named(settings: Settings) -> Sequence[date]:
    """Return the first and the last month that rows of each stream name."""
    return [months.parse(label) for manifest in manifests(settings) for label in manifest.named]


def _on_record(settings: Settings) -> Sequence[date]:
    """Return the months that hold rows: all that is known where an earlier release read, which kept no months that rows name."""
    found = {name.rpartition("@")[2] for name, record in read_catalog(settings).partitions.items() if record.rows}
    return [months.parse(label) for label in sorted(found - {WHOLE})]
