"""Configured databases as Dagster assets: one for each source that is pulled, with its schedule.

Belongs here: the assets and schedules. Does not belong here: the pull itself (``landing.pull``), how a source is configured
(``settings.PullSource``).
"""

import dagster as dg

from revenue_integrity import confidential
from revenue_integrity.errors import LandingError, RevenueIntegrityError, SettingsError, UsageError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.source import Source
from revenue_integrity.orchestration.jobs import PULL_GROUP
from revenue_integrity.orchestration.signatures import freeze_approved
from revenue_integrity.settings import PullSource

_RETRIES = 3
_RETRY_SECONDS = 60
"""Retries against a database that is restarted: some minutes in all; whoever waits longer has another problem."""


def pull_assets(
    deployment: Deployment, *, only: str | None = None
) -> tuple[list[dg.AssetsDefinition], list[dg.ScheduleDefinition]]:
    """Return an asset and a schedule for each configured source, or for those of one stream.

    Raises:
        SettingsError: a configured source does not exist, or its schedule is no cron expression.
    """
    settings, made = deployment.settings, []
    for configured in settings.pull_sources:
        try:
            deployment.streams.refuse_unknown(configured.stream)
            if only not in (None, configured.stream):
                continue
            source = deployment.source(configured.stream, configured.source)
        except UsageError as error:
            raise SettingsError(f"{_setting(configured)}: {error.reason}", error.next_step) from error
        made.append(_pull_asset(deployment, configured, source))
    return [asset for asset, _ in made], [schedule for _, schedule in made]


def _setting(configured: PullSource) -> str:
    return f"pull_sources {configured.stream}.{configured.source}"


def _pull_asset(
    deployment: Deployment, configured: PullSource, source: Source
) -> tuple[dg.AssetsDefinition, dg.ScheduleDefinition]:
    settings = deployment.settings

    @dg.asset(
        key=dg.AssetKey([source.stream, "pull", source.name]),
        group_name=PULL_GROUP,
        kinds={"sql"},
        owners=["team:data-engineering"],
        description=(
            f"Reads {source.name} from the database that {configured.url_env.partition(' ')[0]} names"
            " and lands what is new as one batch."
            " An interrupted pull lands nothing. The months that the batch touches are computed by the next run."
        ),
        retry_policy=dg.RetryPolicy(max_retries=_RETRIES, delay=_RETRY_SECONDS),
    )
    def pulled(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        # The drivers are heavy, and each run that the daemon starts imports this module.
        from revenue_integrity.landing.pull import pull

        freeze_approved(deployment, context.instance)
        try:
            result = pull(
                settings,
                source,
                configured.url_env,
                table=configured.table,
                query=configured.query,
                cursor=configured.cursor,
            )
        except RevenueIntegrityError as error:
            # Without what is behind it: a driver's own words may repeat the URL.
            raise dg.Failure(confidential.struck(str(error), settings), allow_retries=isinstance(error, LandingError)) from None
        landed = result.landed
        if result.warning:
            context.log.warning(result.warning)
        context.log.info("%d rows read, %s", result.rows, f"landed as {landed.batch_id}" if landed else "nothing new to land")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": landed.rows if landed else 0,
                "rows_read": result.rows,
                "batch": landed.batch_id if landed else "nothing new",
                "quarantined_rows": landed.quarantined if landed else 0,
                "cursor_reached": result.boundary or "no cursor",
            }
        )

    try:
        schedule = dg.ScheduleDefinition(
            name=f"pull_{source.stream}_{source.name}",
            target=[pulled],
            cron_schedule=configured.cron,
            execution_timezone=settings.close_timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Pulls {source.name}.",
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise SettingsError(
            f"{_setting(configured)}: '{configured.cron}' is no cron expression", "Write it as 15 * * * *"
        ) from error
    return pulled, schedule
