"""What the record of runs keeps: old runs are taken away with their events and logs, but for those that something rests on.

Belongs here: which runs stay, and taking the others away; what runs printed and what sensors did, which nothing rests on. Does
not belong here: log files, which the logs put aside by size (``logs``).

Ages are settings, not the instance's configuration: a home has them whoever wrote its ``dagster.yaml``, and when.

The latest run of each asset and check of a month stays whatever its age: gates and status read it. So does what a signature was
made on: the latest before each approval.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from revenue_integrity import clock, logs, months
from revenue_integrity.close.ledger import Action, Ledger
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.check_results import results_rest_on
from revenue_integrity.orchestration.seals import Seals, seals_of
from revenue_integrity.orchestration.stream_assets import check_specs
from revenue_integrity.settings import Settings

AT_ONCE = 200
"""Runs taken away at a time: the sensor that does it has a minute."""

_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def take_away_old(instance: dg.DagsterInstance, deployment: Deployment) -> list[str]:
    """Take away runs older than the settings keep them, at most ``AT_ONCE``; return their ids."""
    settings = deployment.settings
    before = clock.now() - timedelta(days=settings.run_days)
    old = instance.get_run_records(filters=RunsFilter(statuses=_ENDED, created_before=before), limit=None, ascending=True)
    if not old:
        return []
    specs = [spec for name in deployment.streams.names for spec in check_specs(deployment, name)]
    keys = sorted({spec.asset_key for spec in specs} | set(instance.all_asset_keys()))
    labels = [months.label(month) for month in settings.months]
    signed: dict[str, list[datetime]] = {}
    for entry in Ledger(settings).entries():
        if entry.action == Action.APPROVE:
            signed.setdefault(entry.month, []).append(datetime.fromisoformat(entry.at))
    kept = runs_to_keep(instance, keys, specs, labels, signed, seals_of(settings))
    gone = [each.dagster_run.run_id for each in old if each.dagster_run.run_id not in kept][:AT_ONCE]
    for run_id in gone:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    if gone:
        logs.event("runs_taken_away", runs=len(gone), kept=len(kept))
    return gone


def take_away_prints(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Take away what runs printed before the age in the settings, at most of ``AT_ONCE`` runs; return of how many."""
    before = clock.now() - timedelta(days=settings.compute_log_days)
    kept = Path(instance.storage_directory())
    folders = sorted(kept.iterdir()) if kept.is_dir() else []
    # By the folders, for not every run has one, and a run that stays on record for years would be asked again and again.
    old = [each.name for each in folders if each.is_dir() and each.stat().st_mtime < before.timestamp()][:AT_ONCE]
    for run_id in old:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(old)


def take_away_ticks(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Take off the record what sensors and schedules did before the age in the settings."""
    before = (clock.now() - timedelta(days=settings.tick_days)).timestamp()
    for state in instance.all_instigator_state():
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, before=before)


def runs_to_keep(
    instance: dg.DagsterInstance,
    keys: Sequence[dg.AssetKey],
    specs: Sequence[dg.AssetCheckSpec],
    labels: Sequence[str],
    signed: Mapping[str, Iterable[datetime]],
    seals: Seals,
) -> frozenset[str]:
    """Return the ids of the runs that something rests on: the latest of each asset's and check's month, now and at signatures."""
    kept: set[str] = set()
    for key in keys:
        newest = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(labels)
        )
        if newest:
            filter_of = dg.AssetRecordsFilter(asset_key=key, storage_ids=sorted(newest.values()))
            kept |= {each.run_id for each in instance.fetch_materializations(filter_of, limit=len(newest)).records}
        for label, instants in sorted(signed.items()):
            for at in instants:
                of_month = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[label], before_timestamp=at.timestamp())
                kept |= {each.run_id for each in instance.fetch_materializations(of_month, limit=1).records}
    for label in labels:
        kept |= results_rest_on(instance, specs, label, seals)
    return frozenset(kept - {""})


def maintenance_sensor(deployment: Deployment) -> dg.SensorDefinition:
    """Return the sensor that takes away old runs, once an hour."""

    @dg.sensor(
        name="maintenance",
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Takes away runs that are older than run_days, but for those that something rests on; what runs printed, older than"
            " compute_log_days; what sensors did, older than tick_days. Starts no run."
        ),
    )
    def maintenance(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        with logs.writing(deployment.settings, "sensor maintenance"):
            gone = take_away_old(context.instance, deployment)
            prints = take_away_prints(context.instance, deployment.settings)
            take_away_ticks(context.instance, deployment.settings)
        settings = deployment.settings
        return dg.SkipReason(
            f"{len(gone)} runs taken away that were older than {settings.run_days} days, what {prints} runs printed more than"
            f" {settings.compute_log_days} days ago, ticks older than {settings.tick_days} days"
        )

    return maintenance
