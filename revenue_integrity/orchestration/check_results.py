"""What Dagster has on record of a month's checks.

Belongs here: reading check results per month, with whether each is ours and belongs to what stands now. Does not belong here:
what follows from them (publishing, sign-off, status), what makes a result ours (``seals``). The partition filter is no public API
of Dagster: this is the only place that uses it, and a contract test holds it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import dagster as dg
from dagster import AssetCheckEvaluation
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord, AssetCheckExecutionRecordStatus

from revenue_integrity.model.check import CheckRecord, Gate
from revenue_integrity.orchestration.check_factory import GATE_KEY, JUDGED_BY
from revenue_integrity.orchestration.seals import Seals, figures_of

_LOOKED_BACK = 20
"""Evaluations of a check's month that are looked at together where the latest is not the one that counts."""

_FINISHED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


Latest = Mapping[dg.AssetCheckKey, AssetCheckExecutionRecord]
"""What was put on record last of each check of a month."""


def results_of_month(
    instance: dg.DagsterInstance,
    specs: Sequence[dg.AssetCheckSpec],
    partition: str,
    seals: Seals,
    found: Latest | None = None,
) -> list[CheckRecord]:
    """Return the newest finished result of each check for a month, in the order of the specs. Whatever is unclear does not hold.

    Dagster puts a check on record as planned when its run is queued, which says nothing about what stands now: it is judged by
    the newest evaluation that came to an end, if a run of this home made it on what stands. What others report is no result.
    ``found`` is what ``latest`` has returned already.
    """
    found = latest(instance, specs, partition) if found is None else found
    records = []
    for spec in specs:
        record = _record(spec, found.get(spec.key), partition, seals)
        if record.state not in ("passed", "missing"):
            known = (_record(spec, each, partition, seals) for each in _ended(instance, spec, partition, seals))
            record = next((each for each in known if each.state in ("passed", "failed")), record)
        records.append(record)
    return records


def latest(instance: dg.DagsterInstance, specs: Sequence[dg.AssetCheckSpec], partition: str) -> Latest:
    """Return what was put on record last of each check of a month; a failed run counts for no less than another."""
    return instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [spec.key for spec in specs], partition_filter=PartitionKeyFilter(key=partition)
    )


def _ended(
    instance: dg.DagsterInstance, spec: dg.AssetCheckSpec, partition: str, seals: Seals
) -> Iterator[AssetCheckExecutionRecord]:
    """Yield our own evaluations of a check, the one that ended last first: records stand in the order of their planning.

    However many others report, those of this home are found behind them; what ended in another order than it was planned in
    stands among the same few.
    """
    cursor: int | None = None
    while history := instance.event_log_storage.get_asset_check_execution_history(
        spec.key, limit=_LOOKED_BACK, cursor=cursor, status=_FINISHED, partition_filter=PartitionKeyFilter(key=partition)
    ):
        ended = [(_ended_at(each), each.id, each) for each in history if _is_ours(spec, each, partition, seals)]
        yield from (each for _, _, each in sorted(ended, key=lambda each: each[:2], reverse=True))
        cursor = history[-1].id


def results_rest_on(instance: dg.DagsterInstance, specs: Sequence[dg.AssetCheckSpec], partition: str, seals: Seals) -> set[str]:
    """Return the runs that made what stands on record of the checks of a month: the newest results, and the newest of ours."""
    found = latest(instance, specs, partition)
    runs = {each.run_id for each in found.values()}
    for spec in specs:
        newest = found.get(spec.key)
        if (
            newest is not None
            and not _is_ours(spec, newest, partition, seals)
            and (ended := next(_ended(instance, spec, partition, seals), None))
        ):
            runs.add(ended.run_id)
    return runs


def is_interrupted(found: Latest) -> bool:
    """Return whether a check of a month was begun and has no result: its run was killed, or is still at work."""
    return any(each.status is AssetCheckExecutionRecordStatus.PLANNED for each in found.values())


def is_foreign(
    instance: dg.DagsterInstance,
    specs: Sequence[dg.AssetCheckSpec],
    partition: str,
    seals: Seals,
    found: Latest | None = None,
) -> bool:
    """Return whether a check of a month has results and none of this home: an earlier release made them, or somebody else."""
    found = latest(instance, specs, partition) if found is None else found
    foreign = [spec for spec in specs if spec.key in found and not _is_ours(spec, found[spec.key], partition, seals)]
    return any(next(_ended(instance, spec, partition, seals), None) is None for spec in foreign)


def _evaluation(found: AssetCheckExecutionRecord) -> AssetCheckEvaluation | None:
    event = found.event.dagster_event if found.event else None
    if found.status is AssetCheckExecutionRecordStatus.PLANNED or event is None:
        return None
    return event.asset_check_evaluation_data


def _ended_at(found: AssetCheckExecutionRecord) -> float:
    return found.event.timestamp if found.event else 0.0


def _is_ours(spec: dg.AssetCheckSpec, found: AssetCheckExecutionRecord, partition: str, seals: Seals) -> bool:
    evaluation = _evaluation(found)
    return evaluation is not None and seals.is_ours(spec.asset_key, spec.name, partition, evaluation)


def _record(spec: dg.AssetCheckSpec, found: AssetCheckExecutionRecord | None, partition: str, seals: Seals) -> CheckRecord:
    stream, layer, table = spec.asset_key.path
    record = partial(CheckRecord, stream, layer, table, spec.name, Gate(spec.metadata[GATE_KEY]))
    if found is None:
        return record("missing")
    evaluation = _evaluation(found)
    if evaluation is None:
        return record("planned")
    if not seals.hold(spec.asset_key, spec.name, partition, evaluation):
        return record("outdated", {}, "Run the month again: no run of this home found this on what stands now.")
    figures = figures_of(evaluation)
    judged = evaluation.metadata.get(JUDGED_BY)
    if (judged.value if judged else None) != spec.metadata.get(JUDGED_BY):
        step = "Run the month again: the check has changed since, or a setting that it rests on."
        return record("outdated", figures, step)
    return record("passed" if evaluation.passed else "failed", figures, evaluation.description or "")
