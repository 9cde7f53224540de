"""The asset that writes a close pack.

Belongs here: its declaration, and turning what cannot be written into one clear failure. Does not belong here: what a pack shows
and when it is written anew (``desk.packs``).
"""

import dagster as dg

from revenue_integrity.computing import ingestion
from revenue_integrity.computing.publication_tables import publication_table
from revenue_integrity.desk import packs
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.book import Book
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration import links
from revenue_integrity.orchestration.evidence import DagsterEvidence, metadata_of, pack_key
from revenue_integrity.orchestration.partitions import month_of
from revenue_integrity.orchestration.table_assets import asset_key, group_of, tags_of


def pack_asset(book: Book, deployment: Deployment, partitions: dg.PartitionsDefinition, pool: str | None) -> dg.AssetsDefinition:
    """Return the asset that writes the close pack of a month of a book."""

    @dg.asset(
        key=pack_key(book.name),
        partitions_def=partitions,
        group_name=group_of(book.name, "close"),
        tags=tags_of("close"),
        kinds={"html", "xlsx"},
        owners=[publication_table(book.streams[0]).owner],
        description="The month's close pack: workbook, page, CSVs and the manifest of their hashes; PRELIMINARY until signed.",
        metadata={"packs": links.of_packs(), "runbook": links.of_runbook("a-month-stays-signing")},
        pool=pool,
        deps=[asset_key(publication_table(stream)) for stream in book.streams],
    )
    def close_pack(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        month = month_of(context.partition_key)
        if not any(ingestion.read_manifest(deployment.settings, each).seen for each in deployment.streams_of(book)):
            return dg.MaterializeResult(metadata={"pack": "none: nothing was ever delivered for this book"})
        try:
            evidence = DagsterEvidence(deployment, context.instance)
            packs.write_month(deployment, evidence, month, book=book.name, for_run=context.run.run_id)
        except RevenueIntegrityError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(metadata=metadata_of(packs.facts_of(deployment, book.name, month), deployment.settings))

    return close_pack
