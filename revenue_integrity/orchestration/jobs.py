"""Jobs: what is launched together, and by which names.

Belongs here: the job of a month. Does not belong here: when it is launched (``orchestration.runner``, sensors), deciding about a
month (``sign_off_job``).
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

PULL_GROUP = "pulls"
"""Group of the assets that pull: they land batches, and belong to no month."""

MONTH_JOB = "month"

WHOLE_JOB = "whole_tables"

DELIVERY_JOB = "deliver"

DELIVERY_GROUP = "deliveries"
"""Group of the assets that bring data elsewhere: they belong to no month."""

SIGN_OFF_JOB = "sign_off"

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Configuration of runs that nobody watches on a terminal: events go to the instance, where the UI shows them. Printed as well,
hundreds of them a month would fill what a command or the daemon says, and be kept once more as what the run printed."""


def month_job(partitions: dg.PartitionsDefinition, whole: Sequence[dg.AssetKey] = ()) -> Any:
    """Return the job that materializes one month of everything; Dagster keeps the type of an unresolved job to itself.

    ``whole`` are the assets that belong to no month.
    """
    return dg.define_asset_job(
        MONTH_JOB,
        selection=dg.AssetSelection.all()
        - dg.AssetSelection.groups(PULL_GROUP, DELIVERY_GROUP)
        - dg.AssetSelection.assets(*whole),
        description="Everything of one month, in the order of its tables. A backfill runs one month after the other.",
    )


def delivery_job() -> Any:
    """Return the job that brings data into databases."""
    return dg.define_asset_job(
        DELIVERY_JOB,
        selection=dg.AssetSelection.groups(DELIVERY_GROUP),
        description="Brings what is published or signed into the databases of the setting deliveries: what differs.",
    )


def whole_job(whole: Sequence[dg.AssetKey]) -> Any:
    """Return the job that materializes what belongs to no month."""
    return dg.define_asset_job(
        WHOLE_JOB,
        selection=dg.AssetSelection.assets(*whole),
        description="The tables that belong to no month, such as dimensions: what is known now, whatever month it was told for.",
    )
