"""The sensor that requests exactly the months whose inputs differ from what was computed.

Belongs here: asking Dagster every half minute for what is to be asked for. Does not belong here: what that is
(``computing.late_data``), sign-off, which no sensor ever does.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

import dagster as dg

from revenue_integrity import clock, logs, months
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.horizon import service_months
from revenue_integrity.computing.late_data import Home, Memory, Request, plan
from revenue_integrity.computing.publication_tables import publication_table
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.evidence import pack_key
from revenue_integrity.orchestration.jobs import MONTH_JOB, QUIET
from revenue_integrity.orchestration.reloading import reload_code
from revenue_integrity.orchestration.runs_under_way import busy_months, reading_streams
from revenue_integrity.orchestration.seals import seals_of
from revenue_integrity.orchestration.signatures import freeze_approved
from revenue_integrity.orchestration.stream_assets import check_specs
from revenue_integrity.orchestration.table_assets import WHY_TAG, asset_key
from revenue_integrity.orchestration.undone import undone_months
from revenue_integrity.settings import Settings

INTERVAL_SECONDS = 30
"""Time between two looks: a file is read after the first and its months are computed after the next."""

BATCHES_TAG = "revenue_integrity/batches"
"""Tag that names the batches behind it."""


def run_request(deployment: Deployment, request: Request) -> dg.RunRequest:
    """Return the run that is asked for, with tags that say why: of what is stale and what stands behind it, packs included."""
    keys = [asset_key(table) for table in request.tables]
    if asset_key(publication_table(request.stream)) in keys:
        keys += [pack_key(book.name) for book in deployment.books if request.stream in book.streams]
    tags = {WHY_TAG: request.why[:250], **({BATCHES_TAG: _shown(request.batches)} if request.batches else {})}
    return dg.RunRequest(
        request.key,
        run_config=QUIET,
        partition_key=months.label(request.month),
        tags=tags,
        asset_selection=keys,
        job_name=MONTH_JOB,
    )


def _shown(batches: Sequence[str]) -> str:
    return (", ".join(batches[:5]) + (f" and {len(batches) - 5} more" if len(batches) > 5 else ""))[:250]


def _unknown_months(settings: Settings, partitions: dg.PartitionsDefinition, now: datetime) -> list[date]:
    """Return the months that the home has and its assets do not, for the code was loaded before data named them."""
    known = set(partitions.get_partition_keys(current_time=now))
    return [month for month in service_months(settings) if months.label(month) not in known]


def _load_again(context: dg.SensorEvaluationContext, settings: Settings, unknown: Sequence[date]) -> None:
    """Have the code loaded again, so that its assets have all months; what cannot be asked for yet waits until they do."""
    origin = context.code_location_origin
    refused = reload_code(settings, origin.location_name) if origin else "the code location has no name"
    if refused:
        refused = f"{refused}. Choose Reload in the UI under Deployment, or start the UI and its daemon again"
    level = logging.WARNING if refused else logging.INFO
    logs.event("months_added", level=level, month=unknown[-1], months=len(unknown), refused=refused)


def _look(instance: dg.DagsterInstance, deployment: Deployment, possible: Collection[date]) -> Home:
    """Return what the record of runs says of the months that can be asked for."""
    names = [stream.name for stream in ingestion.in_use(deployment.settings, deployment.streams)]
    seals, busy = seals_of(deployment.settings), partial(busy_months, instance, names)
    undone = {name: undone_months(instance, check_specs(deployment, name), name, possible, busy, seals) for name in names}
    return Home(busy(), reading_streams(instance, deployment.streams.names), possible, undone)


def late_data_sensor(deployment: Deployment, job: Any, partitions: dg.PartitionsDefinition) -> dg.SensorDefinition:
    """Return the sensor that asks for the months that late data touch, again and again."""
    settings = deployment.settings

    @dg.sensor(
        name="late_data",
        job=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Requests exactly the months whose inputs differ from what was computed, and everything behind them; never a"
            " sign-off. A failed run is requested again, at most three times with growing delay, then an alert goes out."
        ),
    )
    def late_data(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        memory, now = Memory.read(context.cursor), clock.now()
        with logs.writing(settings, "sensor late_data"):
            # First, while what was signed is still what is published.
            freeze_approved(deployment, context.instance)
            unknown = _unknown_months(settings, partitions, now)
            possible = [month for month in service_months(settings) if month not in unknown]
            requests, given_up = plan(deployment, memory, now, _look(context.instance, deployment, possible))
            if unknown:
                _load_again(context, settings, unknown)
            for request in requests:
                logs.event("run_requested", month=request.month, why=request.why)
            for each in given_up:
                alert = events.run_failed(each.month, each.state, each.attempts, each.why)
                outbox.raise_alert(settings, alert)
                logs.event("run_given_up", level=logging.WARNING, month=alert.month, title=alert.title)
        reason = None if requests else "Nothing is stale that is not running or waiting for its next attempt."
        asked = [run_request(deployment, each) for each in requests]
        return dg.SensorResult(run_requests=asked, cursor=memory.text, skip_reason=reason)

    return late_data
