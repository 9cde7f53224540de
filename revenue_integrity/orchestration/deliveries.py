"""Deliveries into databases as Dagster sees them: an asset each, and the sensor that asks for those that bring something new.

Belongs here: the assets, when they are asked for. Does not belong here: the delivery itself (``serving.deliveries``).
"""

import json
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from revenue_integrity import clock, logs
from revenue_integrity.errors import DeliveryError, PublishError, RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.orchestration.jobs import DELIVERY_GROUP, DELIVERY_JOB, QUIET
from revenue_integrity.orchestration.runs_under_way import UNFINISHED
from revenue_integrity.orchestration.table_assets import WHY_TAG
from revenue_integrity.settings import Delivery

DELIVERY_TAG = "revenue_integrity/delivery"
"""Tag that names the delivery of a run."""

INTERVAL_SECONDS = 60
"""Time between two looks."""

_RETRIES = 3
_RETRY_SECONDS = 60
"""Retries against a database that is restarted, each after twice the time of the one before; then an alert goes out."""

AFTER_FAILURE = timedelta(hours=1)
"""After which time what failed is asked for again: a database that was away for long is brought up to date by itself."""

AFTER_SUCCESS = timedelta(days=1)
"""After which time it is looked again whether all that was brought is on record there: somebody may have dropped a table."""


def delivery_key(delivery: Delivery) -> dg.AssetKey:
    """Return the key of a delivery's asset."""
    return dg.AssetKey(["deliveries", delivery.name])


def delivery_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Return an asset for each delivery of the settings."""
    return [_asset(deployment, each) for each in deployment.settings.deliveries]


def _asset(deployment: Deployment, delivery: Delivery) -> dg.AssetsDefinition:
    @dg.asset(
        key=delivery_key(delivery),
        group_name=DELIVERY_GROUP,
        kinds={"sql"},
        owners=["team:data-engineering"],
        description=(
            f"Brings what is {delivery.when} into the schema {delivery.schema_name} of the database that"
            f" {delivery.url_env.partition(' ')[0]} names: what differs, each month in one transaction."
        ),
        retry_policy=dg.RetryPolicy(max_retries=_RETRIES, delay=_RETRY_SECONDS, backoff=dg.Backoff.EXPONENTIAL),
    )
    def delivered(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        # The drivers are heavy, and each run that the daemon starts imports this module.
        from revenue_integrity.serving.deliveries.telling import deliver_and_tell

        months, rows, datasets = 0, 0, set()
        last = context.retry_number >= _RETRIES
        with logs.writing(deployment.settings, "run"):
            try:
                for each in deliver_and_tell(deployment, delivery, alerts=last, open_evidence=open_evidence):
                    months, rows = months + 1, rows + each.rows
                    datasets.add(each.dataset)
            except (DeliveryError, PublishError) as error:
                raise dg.Failure(str(error)) from None
            except RevenueIntegrityError as error:
                # What is set wrong does not mend itself: it is told at once.
                _tell(deployment, delivery, error)
                raise dg.Failure(str(error), allow_retries=False) from None
            logs.event("delivered", delivery=delivery.name, months=months, rows=rows)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, "months": months, "datasets": len(datasets)})

    return delivered


def _tell(deployment: Deployment, delivery: Delivery, error: RevenueIntegrityError) -> None:
    from revenue_integrity.desk.alerts import events, outbox

    outbox.raise_alert(deployment.settings, events.delivery_failed(delivery.name, str(error)))


def delivery_sensors(deployment: Deployment, job: Any) -> list[dg.SensorDefinition]:
    """Return the sensor that asks for deliveries whose content is new, where there are deliveries."""
    settings = deployment.settings
    if not settings.deliveries:
        return []

    @dg.sensor(
        name="deliveries",
        job=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the deliveries that bring something new; what failed is asked for again after an hour.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from revenue_integrity.serving.deliveries.telling import state_of

        memory: dict[str, Any] = json.loads(context.cursor) if context.cursor else {"number": 0, "asked": {}}
        requests = []
        with logs.writing(settings, "sensor deliveries"):
            for delivery in settings.deliveries:
                state, now = state_of(deployment, delivery), clock.now()
                why = _why(context.instance, delivery.name, memory["asked"].get(delivery.name), state, now)
                if why:
                    memory["number"] += 1
                    memory["asked"][delivery.name] = [state, now.isoformat()]
                    requests.append(_request(delivery, memory["number"], why))
                    logs.event("delivery_requested", delivery=delivery.name, why=why)
        reason = None if requests else "Everything was brought, or is being brought."
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(memory), skip_reason=reason)

    return [sensor]


def _why(instance: dg.DagsterInstance, name: str, asked: list[str] | None, state: str, now: datetime) -> str:
    """Return why a delivery is asked for now; empty if it is not."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={DELIVERY_TAG: name}), limit=1)
    if runs and runs[0].status in UNFINISHED:
        return ""
    if asked is None or asked[0] != state:
        return "what it brings is new"
    waited = now - datetime.fromisoformat(asked[1])
    if runs and runs[0].status is not dg.DagsterRunStatus.SUCCESS:
        return "the delivery before failed" if waited >= AFTER_FAILURE else ""
    return "a day has passed since the last look" if waited >= AFTER_SUCCESS else ""


def _request(delivery: Delivery, number: int, why: str) -> dg.RunRequest:
    return dg.RunRequest(
        f"deliver-{delivery.name}-{number}",
        run_config=QUIET,
        tags={DELIVERY_TAG: delivery.name, WHY_TAG: why},
        asset_selection=[delivery_key(delivery)],
        job_name=DELIVERY_JOB,
    )
