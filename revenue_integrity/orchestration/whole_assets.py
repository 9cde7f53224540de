"""Tables that belong to no month, as Dagster sees them: assets without partitions, and the sensor that asks for them.

Belongs here: their declaration, when they are asked for. Does not belong here: what they are made from and whether that still
holds (``computing.whole_tables``).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from revenue_integrity import logs
from revenue_integrity.computing import ingestion, whole_tables
from revenue_integrity.computing.late_data import MAX_ATTEMPTS
from revenue_integrity.computing.versions import version_of_rule
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.orchestration.jobs import QUIET, WHOLE_JOB
from revenue_integrity.orchestration.runs_under_way import UNFINISHED, reading_streams
from revenue_integrity.orchestration.table_assets import WHY_TAG, asset_key, described
from revenue_integrity.settings import Settings

STREAM_TAG = "revenue_integrity/stream"
"""Tag that names the stream of a run that has no month."""

INTERVAL_SECONDS = 60
"""Time between two looks."""


def whole_assets(stream: Stream, settings: Settings, tables: Mapping[str, Table], pool: str | None) -> list[dg.AssetsDefinition]:
    """Return one asset per table of a stream that belongs to no month."""
    return [_whole_asset(rule, stream, settings, tables, pool) for rule in stream.whole]


def keys_of(stream: Stream) -> list[dg.AssetKey]:
    """Return the keys of the tables of a stream that belong to no month."""
    return [asset_key(rule.table) for rule in stream.whole]


def _whole_asset(
    rule: Rule, stream: Stream, settings: Settings, tables: Mapping[str, Table], pool: str | None
) -> dg.AssetsDefinition:
    @dg.asset(
        **described(rule.table, {"duckdb", "sql"}),
        pool=pool,
        deps=[asset_key(tables[reads.qualified]) for reads in rule.reads],
        code_version=version_of_rule(rule),
    )
    def whole() -> dg.MaterializeResult[None]:
        with logs.writing(settings, "run"):
            try:
                made = whole_tables.make(rule, stream, settings)
            except RevenueIntegrityError as error:
                raise dg.Failure(str(error), allow_retries=False) from error
        shown = {"Rows": made.rows, "renewed": made.is_new}
        return dg.MaterializeResult(metadata=shown, data_version=dg.DataVersion(made.content_hash))

    return whole


def whole_sensors(deployment: Deployment, job: Any) -> list[dg.SensorDefinition]:
    """Return the sensor that asks for tables without months that are stale, where there are such tables."""
    settings = deployment.settings
    having = [stream for stream in deployment.streams if stream.whole]
    if not having:
        return []

    @dg.sensor(
        name="whole_tables",
        job=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Requests the tables that belong to no month when what they read has changed. What fails is requested again, at most"
            " three times for the same state."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        memory: dict[str, Any] = json.loads(context.cursor) if context.cursor else {"number": 0, "asked": {}}
        requests = []
        with logs.writing(settings, "sensor whole_tables"):
            for stream in ingestion.in_use(settings, having):
                state = whole_tables.state_of(settings, stream)
                if not state:
                    memory["asked"].pop(stream.name, None)
                    continue
                if _is_busy(context.instance, stream.name) or ingestion.pending(settings, stream):
                    continue
                before, attempts = memory["asked"].get(stream.name, ["", 0])
                attempts = attempts + 1 if before == state else 1
                if attempts > MAX_ATTEMPTS + 1:
                    continue
                memory["asked"][stream.name] = [state, attempts]
                if attempts > MAX_ATTEMPTS:
                    why = f"the tables of {stream.name} that belong to no month cannot be made"
                    outbox.raise_alert(settings, events.run_failed(None, state, MAX_ATTEMPTS, why))
                    continue
                memory["number"] += 1
                why = "what they read has changed" if attempts == 1 else f"attempt {attempts}: the one before failed"
                requests.append(_request(stream, memory["number"], why))
                level = logging.INFO if attempts == 1 else logging.WARNING
                logs.event("whole_tables_requested", level=level, stream=stream.name, attempts=attempts)
        reason = None if requests else "Nothing is stale that is not running."
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(memory), skip_reason=reason)

    return [sensor]


def _request(stream: Stream, number: int, why: str) -> dg.RunRequest:
    return dg.RunRequest(
        f"whole-{stream.name}-{number}",
        run_config=QUIET,
        tags={STREAM_TAG: stream.name, WHY_TAG: why},
        asset_selection=keys_of(stream),
        job_name=WHOLE_JOB,
    )


def _is_busy(instance: dg.DagsterInstance, stream: str) -> bool:
    """Return whether a run makes a stream's tables without months, or reads what was landed of it."""
    filters = dg.RunsFilter(statuses=UNFINISHED, tags={STREAM_TAG: stream})
    return bool(instance.get_runs(filters=filters, limit=1)) or bool(reading_streams(instance, [stream]))


def all_keys(streams: Sequence[Stream]) -> list[dg.AssetKey]:
    """Return the keys of all tables that belong to no month."""
    return [key for stream in streams for key in keys_of(stream)]
