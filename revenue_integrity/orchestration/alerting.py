"""When alerts are told: at the end of commands, and by a sensor.

Belongs here: these occasions. Does not belong here: what is told (``desk.alerts``).
"""

import logging
from contextlib import nullcontext

import dagster as dg

from revenue_integrity import logs, months
from revenue_integrity.desk.alerts.telling import tell_published
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.evidence import DagsterEvidence, open_evidence
from revenue_integrity.orchestration.signatures import freeze_approved


def tell_quietly(deployment: Deployment, evidence: Evidence | None = None) -> None:
    """Tell of every published month at the end of a command; whatever goes wrong stands in the log, the command is done."""
    try:
        with open_evidence(deployment) if evidence is None else nullcontext(evidence) as opened:
            _, told = tell_published(deployment, opened)
        if told.sent or told.failed:
            logs.event("alerts_delivered", sent=told.sent, failed=told.failed, pending=told.pending)
    except Exception as error:  # what the command did is done, alerts cannot undo it
        logs.event("alerts_failed", level=logging.ERROR, error=error)


def alerts_sensor(deployment: Deployment) -> dg.SensorDefinition:
    """Return the sensor that raises and delivers alerts, every minute."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Raises what the state of the months calls for, and delivers what is due on its channels. Starts no run.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        with logs.writing(deployment.settings, "sensor alerts"):
            freeze_approved(deployment, context.instance)
            wanted, told = tell_published(deployment, DagsterEvidence(deployment, context.instance))
            if told.sent or told.failed:
                logs.event("alerts_delivered", sent=told.sent, failed=told.failed, pending=told.pending)
        return dg.SkipReason(
            f"{len(wanted)} months looked at ({months.label(wanted[0]) if wanted else 'none'} first); "
            f"{told.sent} sent, {told.pending} pending, {told.failed} failed."
        )

    return alerts
