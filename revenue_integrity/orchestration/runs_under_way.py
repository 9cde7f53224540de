"""Runs that are queued or going on, and what they compute.

Belongs here: asking the instance. Does not belong here: what follows from it.
"""

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
"""States of a run that is still to come or going on."""

PARTITION_TAG = "dagster/partition"
"""Tag under which Dagster keeps the month of a run."""


def busy_months(instance: dg.DagsterInstance) -> set[str]:
    """Return the months that a queued or running run covers."""
    return {run.tags[PARTITION_TAG] for run in unfinished_runs(instance)}


def unfinished_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return the queued and running runs of any month."""
    runs = instance.get_runs(filters=RunsFilter(statuses=UNFINISHED))
    return [run for run in runs if PARTITION_TAG in run.tags]


def streams_of(run: dg.DagsterRun) -> frozenset[str] | None:
    """Return the streams of which a run selects a table or a check; ``None`` for one that selects all there are."""
    keys = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    return frozenset(key.path[0] for key in keys) or None
