"""Puts all parts together for Dagster.

Belongs here: which assets, jobs, sensors and resources a code location has. Does not belong here: any of them, and the code
location itself (``definitions``), which stands apart so that a command does not build it beside its own.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from revenue_integrity import confidential
from revenue_integrity.errors import Refusal
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.alerting import alerts_sensor
from revenue_integrity.orchestration.deliveries import delivery_assets, delivery_sensors
from revenue_integrity.orchestration.inbox import inbox_sensor
from revenue_integrity.orchestration.instance import POOL
from revenue_integrity.orchestration.jobs import delivery_job, month_job, whole_job
from revenue_integrity.orchestration.late_data import late_data_sensor
from revenue_integrity.orchestration.pack_assets import pack_asset
from revenue_integrity.orchestration.partitions import month_partitions
from revenue_integrity.orchestration.pulls import pull_assets
from revenue_integrity.orchestration.retention import maintenance_sensor
from revenue_integrity.orchestration.sign_off_job import sign_off_job
from revenue_integrity.orchestration.stream_assets import stream_assets
from revenue_integrity.orchestration.table_assets import IO_MANAGER
from revenue_integrity.orchestration.violations import ReportingIOManager
from revenue_integrity.orchestration.whole_assets import all_keys, whole_sensors


def build_definitions(
    deployment: Deployment,
    *,
    only: str | None = None,
    pool: str | None = POOL,
    partitions: dg.PartitionsDefinition | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Return all definitions over a home, or those of one stream.

    Steps that open the warehouse take their turn in ``pool``. A process that keeps the warehouse open over many steps passes
    ``None``: waiting for the pool, it would keep out the very step that holds the pool and waits for the warehouse. Months are
    by default those that the home has now.

    Raises:
        Refusal: the settings are those of a process that reads for one tenant.
    """
    # Whatever becomes metadata or a message of a run, in this process or in one that is started from it, is without them.
    confidential.remember(*confidential.known(deployment.settings))
    settings = deployment.settings
    if settings.tenant is not None:
        raise Refusal(
            "the assets of this home are not shown to a process that reads for one tenant",
            "Read its published data with `revenue-integrity export`, or unset the setting tenant",
        )
    partitions = month_partitions(settings) if partitions is None else partitions
    chosen = deployment if only is None else deployment.only(only)
    tables = chosen.tables
    assets: list[dg.AssetsDefinition] = []
    for stream in chosen.streams:
        assets += stream_assets(stream, settings, partitions, tables, pool=pool)
    of_chosen = [book for book in deployment.books if set(book.streams) & set(chosen.streams.names)]
    assets += [pack_asset(book, deployment, partitions, pool) for book in of_chosen]
    pulls, schedules = pull_assets(deployment, only=only)
    whole = all_keys(list(chosen.streams))
    job = month_job(partitions, whole)
    of_none = [whole_job(whole)] if whole else []
    # They bring what all streams have, and so belong to none.
    deliveries = delivery_assets(deployment) if only is None else []
    delivering = [delivery_job()] if deliveries else []
    warehouse = ReportingIOManager(settings, {table.asset_key: table for table in tables.values()})
    return dg.Definitions(
        assets=[*assets, *pulls, *deliveries],
        jobs=[job, *of_none, *delivering, sign_off_job(deployment, partitions)],
        schedules=schedules,
        sensors=[
            inbox_sensor(deployment),
            late_data_sensor(deployment, job, partitions),
            *(sensor for each in of_none for sensor in whole_sensors(chosen, each)),
            *(sensor for each in delivering for sensor in delivery_sensors(deployment, each)),
            alerts_sensor(deployment),
            maintenance_sensor(deployment),
        ],
        resources={IO_MANAGER: warehouse, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
