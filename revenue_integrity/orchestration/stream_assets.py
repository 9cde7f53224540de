"""The assets of one stream: what lands, its tables, its publication.

Belongs here: which assets a stream has, and which checks. Does not belong here: any of them, what all streams share
(``assembly``).
"""

from collections.abc import Mapping

import dagster as dg

from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.orchestration.partitions import month_partitions
from revenue_integrity.orchestration.publication import publication_asset
from revenue_integrity.orchestration.table_assets import landing_asset, table_assets
from revenue_integrity.orchestration.whole_assets import whole_assets
from revenue_integrity.settings import Settings


def stream_assets(
    stream: Stream,
    settings: Settings,
    partitions: dg.PartitionsDefinition,
    tables: Mapping[str, Table],
    *,
    pool: str | None,
) -> list[dg.AssetsDefinition]:
    """Return the assets of a stream."""
    made = [
        landing_asset(stream, settings, partitions, pool),
        *table_assets(stream, settings, partitions, tables, pool),
    ]
    checks = [spec for asset in made for spec in asset.check_specs]
    publication = publication_asset(stream, settings, partitions, checks, pool)
    return [*made, *whole_assets(stream, settings, tables, pool), publication]


def check_specs(deployment: Deployment, stream: str) -> list[dg.AssetCheckSpec]:
    """Return the specs of all checks of a stream of a deployment, in the order of their keys."""
    settings = deployment.settings
    assets = stream_assets(deployment.streams.named(stream), settings, month_partitions(settings), deployment.tables, pool=None)
    specs = [spec for asset in assets for spec in asset.check_specs]
    return sorted(specs, key=lambda spec: spec.key)
