"""Publishing a month as Dagster sees it: the last asset of a stream's month.

Belongs here: the asset. Does not belong here: the decision and what is published (``computing.publication``).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg

from revenue_integrity import logs, wording
from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing.publication import attempt
from revenue_integrity.computing.publication_tables import publication_table
from revenue_integrity.landing.datasets import batches_table, quarantine_table
from revenue_integrity.model.check import MONTH_MAY_BE_PUBLISHED, CheckRecord, Figure, Gate, Judgement
from revenue_integrity.model.report import amount_of
from revenue_integrity.model.stream import Stream
from revenue_integrity.orchestration import check_factory, links
from revenue_integrity.orchestration.check_results import results_of_month
from revenue_integrity.orchestration.partitions import month_of
from revenue_integrity.orchestration.seals import sealed, seals_of
from revenue_integrity.orchestration.table_assets import asset_key, group_of, tags_of
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog

PUBLISHED_CHECK = MONTH_MAY_BE_PUBLISHED.name

MATERIALITY = "materiality_cents"
"""Figure of a check that holds a reconciliation's causes against materiality."""

LONGEST_SILENCE = timedelta(days=40)
"""A business month and the days until its data come: when nothing was published for longer, somebody should look."""


def figures_of_month(
    stream: Stream, settings: Settings, month: date, results: Sequence[CheckRecord] = ()
) -> dict[str, dg.MetadataValue[Any]]:
    """Return a month as numbers under plain labels, which the UI plots: what a stream declares of it, materiality, rows.

    Money is in currency units. What the month's differences are measured by is among the ``results`` of its checks.
    """
    tables = {table.name: table for table in stream.published_tables}
    found: dict[str, Any] = {}
    for figure in stream.figures:
        rows = publish.read_published(settings, tables[figure.dataset], [month])
        amount = amount_of(figure, rows)
        if amount is not None:
            parts = 100 if figure.unit == "cents" else 1
            label = f"{wording.headed(figure.title)} ({settings.currency})"
            found[label] = dg.MetadataValue.float(float(Decimal(amount) / parts))
    recons = {(check.table.name, check.name): check.recon for check in stream.checks if check.recon}
    for each in results:
        recon = recons.get((each.table, each.name))
        if recon and MATERIALITY in each.figures:
            label = f"Materiality, {wording.words(recon)} ({settings.currency})"
            found[label] = dg.MetadataValue.float(float(Decimal(each.figures[MATERIALITY]) / 100))
    known = read_catalog(settings)
    records = (known.partition(table.qualified, month) for table in tables.values())
    return found | {"Rows": dg.MetadataValue.int(sum(record.rows for record in records if record))}


def publication_asset(
    stream: Stream,
    settings: Settings,
    partitions: dg.PartitionsDefinition,
    checks: Sequence[dg.AssetCheckSpec],
    pool: str | None,
) -> dg.AssetsDefinition:
    """Return the asset that publishes a month of a stream when no check of gate write or publish stands in the way."""
    declared = publication_table(stream.name)
    made = [rule.table for rule in stream.rules_in_order()]
    may = check_factory.spec(declared, MONTH_MAY_BE_PUBLISHED, partitions)

    @dg.asset(
        key=asset_key(declared),
        partitions_def=partitions,
        group_name=group_of(stream.name, declared.layer),
        tags=tags_of(declared.layer),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=LONGEST_SILENCE),
        kinds={"parquet"},
        owners=[declared.owner],
        description=declared.description,
        metadata={
            "dictionary": links.of_dictionary(declared),
            "runbook": links.of_runbook("a-check-fails"),
            "packs": links.of_packs(),
        },
        pool=pool,
        deps=[asset_key(each) for each in [*made, quarantine_table(stream.name), batches_table(stream.name)]],
        check_specs=[may],
    )
    def publication(context: dg.AssetExecutionContext) -> Iterator[Any]:
        month = month_of(context.partition_key)
        results = results_of_month(context.instance, checks, context.partition_key, seals_of(settings))
        found = attempt(settings, stream, month, results)
        figures: Mapping[str, Figure] = {"checks_in_the_way": len(found.standing)}
        judgement = Judgement(not found.standing, figures, None, found.next_step)
        verdict = sealed(
            settings, context.partition_key, check_factory.result(declared, PUBLISHED_CHECK, Gate.PUBLISH, judgement)
        )
        with logs.writing(settings, "run"):
            if found.standing:
                run, why = context.run.run_id, found.refused
                logs.event("publication_refused", level=logging.WARNING, month=month, run_id=run, why=why)
                yield verdict
                raise dg.Failure(found.refused, allow_retries=False)
            counted = {"datasets": len(found.hashes), "datasets_renewed": found.renewed}
            logs.event("published", level=logging.INFO, error=None, month=month, run_id=context.run.run_id, **counted)
        shown: dict[str, Any] = {**counted, **figures_of_month(stream, settings, month, results)}
        yield dg.MaterializeResult(metadata=shown, data_version=dg.DataVersion(sha256_of(found.hashes)))
        yield verdict

    return publication
