"""What Dagster has on record of a month's checks.

Belongs here: reading check results per month, with whether each belongs to what stands now. Does not belong here: what
follows from them (publishing, sign-off, status). The partition filter is no public API of Dagster: this is the only place
that uses it, and a contract test holds it.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord, AssetCheckExecutionRecordStatus

from revenue_integrity.model.check import CheckRecord, Gate
from revenue_integrity.orchestration.check_factory import EXACT, GATE_KEY, JUDGED_BY, LARGEST, LIMIT, VALUE

_LOOKED_BACK = 20
"""Evaluations of a check's month that are looked at where the latest is not the one that counts: more runs never wait at once."""

_NO_FIGURES = frozenset({EXACT, JUDGED_BY, LARGEST, VALUE, LIMIT})
"""Metadata of a result that are no figures: for the eye, or about the verdict."""

_FINISHED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}

Materialized = Mapping[dg.AssetKey, Mapping[str, int]]
"""By asset and month, the event id of the latest materialization."""


def results_of_month(
    instance: dg.DagsterInstance, specs: Sequence[dg.AssetCheckSpec], partition: str, newest: Materialized | None = None
) -> list[CheckRecord]:
    """Return the newest finished result of each check for a month, in the order of the specs. Whatever is unclear does not hold.

    Dagster puts a check on record as planned when its run is queued, which says nothing about what stands now: it is judged by
    the newest evaluation that came to an end, if that was of the newest write.

    Who asks for many months gives ``newest``, which is as cheap to get for all of them as for one.
    """
    if newest is None:
        newest = newest_materializations(instance, {spec.asset_key for spec in specs}, [partition])
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [spec.key for spec in specs], partition_filter=PartitionKeyFilter(key=partition)
    )
    records = []
    for spec in specs:
        written = newest.get(spec.asset_key, {}).get(partition)
        latest = _record(spec, found.get(spec.key), written)
        finished = None if latest.state in ("passed", "missing") else _newest_finished(instance, spec, partition)
        if finished is not None:
            judged = _record(spec, finished, written)
            # What is planned says why an evaluation is older than the write: the run behind both has not come to its checks.
            latest = latest if latest.state == "planned" and judged.state == "outdated" else judged
        records.append(latest)
    return records


def _newest_finished(instance: dg.DagsterInstance, spec: dg.AssetCheckSpec, partition: str) -> AssetCheckExecutionRecord | None:
    """Return the evaluation of a check that ended last: records are in the order in which their runs were planned."""
    history = instance.event_log_storage.get_asset_check_execution_history(
        spec.key, limit=_LOOKED_BACK, status=_FINISHED, partition_filter=PartitionKeyFilter(key=partition)
    )
    ended = [(each.event.timestamp, each.id, each) for each in history if each.event is not None]
    return max(ended, key=lambda each: each[:2])[2] if ended else None


def results_rest_on(instance: dg.DagsterInstance, specs: Sequence[dg.AssetCheckSpec], partition: str) -> set[str]:
    """Return the runs that made what stands on record of the checks of a month: the newest evaluations, ended ones among them."""
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [spec.key for spec in specs], partition_filter=PartitionKeyFilter(key=partition)
    )
    runs = {each.run_id for each in found.values()}
    for spec in specs:
        latest = found.get(spec.key)
        if latest is not None and latest.status not in _FINISHED and (ended := _newest_finished(instance, spec, partition)):
            runs.add(ended.run_id)
    return runs


def is_interrupted(instance: dg.DagsterInstance, specs: Sequence[dg.AssetCheckSpec], partition: str) -> bool:
    """Return whether a check of a month was begun and has no result: its run was killed, or is still at work."""
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [spec.key for spec in specs], partition_filter=PartitionKeyFilter(key=partition)
    )
    return any(each.status is AssetCheckExecutionRecordStatus.PLANNED for each in found.values())


def newest_materializations(instance: dg.DagsterInstance, keys: set[dg.AssetKey], partitions: Sequence[str]) -> Materialized:
    """Return the event ids of the latest materializations of some assets' months."""
    return {
        key: instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions)
        )
        for key in sorted(keys)
    }


def _record(spec: dg.AssetCheckSpec, found: AssetCheckExecutionRecord | None, newest: int | None) -> CheckRecord:
    stream, layer, table = spec.asset_key.path
    record = partial(CheckRecord, stream, layer, table, spec.name, Gate(spec.metadata[GATE_KEY]))
    if found is None:
        return record("missing")
    event = found.event.dagster_event if found.event else None
    if found.status is AssetCheckExecutionRecordStatus.PLANNED or event is None:
        return record("planned")
    evaluation = event.asset_check_evaluation_data
    figures = {name: value.value for name, value in evaluation.metadata.items() if name not in _NO_FIGURES}
    exact = evaluation.metadata.get(EXACT)
    if isinstance(exact, dg.JsonMetadataValue) and isinstance(exact.value, dict):
        figures |= exact.value
    judged = evaluation.metadata.get(JUDGED_BY)
    if (judged.value if judged else None) != spec.metadata.get(JUDGED_BY):
        step = "Run the month again: the check has changed since, or a setting that it rests on."
        return record("outdated", figures, step)
    if not evaluation.passed:
        return record("failed", figures, evaluation.description or "")
    target = evaluation.target_materialization_data
    # A pass that came before the write it was yielded with names the materialization before; the write check does.
    is_of_older = newest is not None and (target is None or target.storage_id != newest)
    if is_of_older and Gate(spec.metadata[GATE_KEY]) is not Gate.WRITE:
        return record("outdated", figures, "Materialize the month again, checks included.")
    return record("passed", figures, evaluation.description or "")
