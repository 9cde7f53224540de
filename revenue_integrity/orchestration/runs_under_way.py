"""Runs that are queued or going on, and what they compute.

Belongs here: asking the instance. Does not belong here: what follows from it.
"""

from collections.abc import Collection, Sequence

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from revenue_integrity.landing.datasets import batches_table
from revenue_integrity.orchestration.instance import PROCESS_TAG
from revenue_integrity.orchestration.jobs import SIGN_OFF_JOB

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
"""States of a run that is still to come or going on."""

AT_WORK = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
"""States of a run that has a process."""

PARTITION_TAG = "dagster/partition"
"""Tag under which Dagster keeps the month of a run."""


def busy_months(instance: dg.DagsterInstance, streams: Collection[str]) -> set[tuple[str, str]]:
    """Return what queued and running runs cover of some streams, as pairs of stream and month."""
    found = [(run.tags[PARTITION_TAG], streams_of(run)) for run in unfinished_runs(instance)]
    return {(stream, month) for month, covered in found for stream in streams if covered is None or stream in covered}


def reading_streams(instance: dg.DagsterInstance, streams: Collection[str]) -> set[str]:
    """Return the streams of which a queued or running run reads what was landed."""
    chosen = [run.asset_selection for run in unfinished_runs(instance)]
    reading = {stream: dg.AssetKey(batches_table(stream).asset_key) for stream in streams}
    return {stream for stream, key in reading.items() if any(keys is None or key in keys for keys in chosen)}


def at_work(instance: dg.DagsterInstance, stream: str, month: str, *, but_for: str) -> list[dg.DagsterRun]:
    """Return the runs with a process that compute a month of a stream, but for those of the process that a tag names."""
    runs = _computing(instance.get_runs(filters=RunsFilter(statuses=AT_WORK, tags={PARTITION_TAG: month})))
    others = [run for run in runs if run.tags.get(PROCESS_TAG) != but_for]
    return [run for run in others if (covered := streams_of(run)) is None or stream in covered]


def unfinished_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return the queued and running runs that compute any month."""
    return _computing(instance.get_runs(filters=RunsFilter(statuses=UNFINISHED)))


def _computing(runs: Sequence[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """Return the runs that compute a month; what is decided about one computes nothing."""
    return [run for run in runs if PARTITION_TAG in run.tags and run.job_name != SIGN_OFF_JOB]


def streams_of(run: dg.DagsterRun) -> frozenset[str] | None:
    """Return the streams of which a run selects a table or a check; ``None`` for one that selects all there are."""
    keys = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    return frozenset(key.path[0] for key in keys) or None
