"""When the inbox is looked at: by a sensor.

Belongs here: this occasion. Does not belong here: what becomes of what lies there (``landing.inbox``), what is computed of it
(``late_data``).
"""

import dagster as dg

from revenue_integrity import logs
from revenue_integrity.landing.inbox import take_in
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.signatures import freeze_approved

INTERVAL_SECONDS = 30


def inbox_sensor(deployment: Deployment) -> dg.SensorDefinition:
    """Return the sensor that lands what was dropped into the inbox."""

    @dg.sensor(
        name="inbox",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Lands what was dropped into the inbox and is whole. The months that it touches are computed by late_data.",
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        with logs.writing(deployment.settings, "sensor inbox"):
            freeze_approved(deployment, context.instance)
            found = take_in(deployment.settings, deployment.source)
            landed = [each.batch_id for each in found if each.batch_id]
            refused = [f"{each.item} was refused: {each.refused}" for each in found if each.refused]
            left = [f"{each.item} is left there: {each.left}" for each in found if each.left]
            if found:
                logs.event("inbox_taken", landed=len(landed), refused=len(refused), left=len(left))
        said = [f"landed {', '.join(landed)}" if landed else "nothing to land", *refused, *left]
        return dg.SkipReason("; ".join(said))

    return inbox
