"""Dagster assets made from the declarations of a stream: one mechanism for every source and every table.

Belongs here: what Dagster shows and records of a month of a source or table. Does not belong here: what is done with it
(``computing.landed_month``, ``computing.table_month``), the rules and checks themselves, what is published.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing import ingestion, landed_month, table_month
from revenue_integrity.computing.lineage import column_lineage
from revenue_integrity.computing.versions import version_of_rule
from revenue_integrity.landing.datasets import batches_table, quarantine_table
from revenue_integrity.model.check import BATCHES_UNCHANGED, Check, Gate, Judgement
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.source import raw_table
from revenue_integrity.model.stream import Stream, checks_of
from revenue_integrity.model.table import Table
from revenue_integrity.orchestration import check_factory, links
from revenue_integrity.orchestration.partitions import month_of
from revenue_integrity.orchestration.seals import sealed
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database
from revenue_integrity.warehouse.validation import SchemaViolation

IO_MANAGER = "warehouse"
"""Resource key of the IO manager."""

WHY_TAG = "revenue_integrity/why"
"""Tag that says why a run was asked for; a run that somebody launched in the UI has none."""

ALL, SELECTED = "--all", "selected"

DELIBERATE = ("", ALL, SELECTED)
"""Reasons of runs that somebody asked for: they let count what was set aside because it lay too far back."""


def asset_key(table: Table) -> dg.AssetKey:
    """Return the Dagster key of a table."""
    return dg.AssetKey(table.asset_key)


def column_schema(table: Table) -> dg.TableSchema:
    """Return the column schema that the UI shows: types, units, constraints."""
    columns = []
    for name in table.columns:
        column = table.schema.columns[name]
        unit = table.unit(name)
        columns.append(
            dg.TableColumn(
                name,
                type=table.sql_type(name),
                description=f"{column.description}{f' [{unit}]' if unit else ''}",
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (name,)),
                tags={"key": ""} if name in table.key else {},
            )
        )
    return dg.TableSchema(columns)


_TIERS = {"raw": "bronze", "curated": "silver"}
"""What lakehouses call the layers; all behind these two is what the business reads."""


def group_of(stream: str, layer: str) -> str:
    """Return the group in which the UI shows a layer of a stream."""
    return f"{stream}_{layer}".replace("-", "_")


def tags_of(layer: str) -> dict[str, str]:
    """Return the tags by which the UI filters."""
    return {"layer": layer, "tier": _TIERS.get(layer, "gold")}


def described(table: Table, kinds: set[str]) -> dict[str, Any]:
    """Return what the UI shows of a table, whatever makes it."""
    return {
        "key": asset_key(table),
        "group_name": group_of(table.stream, table.layer),
        "tags": tags_of(table.layer),
        "kinds": kinds,
        "owners": [table.owner],
        "description": table.description,
        "metadata": {
            "dagster/column_schema": column_schema(table),
            "dagster/table_name": table.qualified,
            "partition_expr": table.partition,
            "key": ", ".join(table.key),
            "dictionary": links.of_dictionary(table),
            "runbook": links.of_runbook("a-check-fails"),
        },
    }


def landing_asset(
    stream: Stream, settings: Settings, partitions: dg.PartitionsDefinition, pool: str | None
) -> dg.AssetsDefinition:
    """Return the assets of a stream's landing: its manifest, its quarantine, and one per source.

    They are one step, for they are slices of one store that one reading of the landing zone brings up to date.
    """
    manifest, refused = batches_table(stream.name), quarantine_table(stream.name)
    sources = {asset_key(raw_table(source)): source for source in stream.sources}
    tables = {asset_key(table): table for table in (manifest, refused, *(raw_table(source) for source in stream.sources))}
    checks = {key: checks_of(stream.checks, table) for key, table in tables.items()}
    unchanged = check_factory.spec(manifest, BATCHES_UNCHANGED, partitions)
    declared = [each for key in tables for each in check_factory.specs_of(checks[key], partitions, settings)]

    @dg.multi_asset(
        name=f"{stream.name}_landing",
        specs=[
            dg.AssetSpec(**described(table, {"duckdb", "landing"}), deps=[] if table is manifest else [asset_key(manifest)])
            for table in tables.values()
        ],
        check_specs=[unchanged, *declared],
        partitions_def=partitions,
        pool=pool,
        can_subset=True,
    )
    def landing(context: dg.AssetExecutionContext) -> Iterator[Any]:
        month = month_of(context.partition_key)
        selected, asked = context.selected_asset_keys, context.selected_asset_check_keys
        report = ingestion.ingest(settings, stream)
        if context.run.tags.get(WHY_TAG, "") in DELIBERATE:
            ingestion.admit(settings, stream, month)
        known = ingestion.read_manifest(settings, stream)
        if unchanged.key in asked:
            verdict = landed_month.batches_unchanged(known, month)
            found_so = check_factory.result(manifest, BATCHES_UNCHANGED.name, Gate.WRITE, verdict)
            yield sealed(settings, context.partition_key, found_so)
            if not verdict.passed:
                raise dg.Failure(landed_month.told_of_changed(known, month), allow_retries=False)
        wanted = [sources[key] for key in sources if key in selected]
        found = landed_month.record(settings, stream, month, wanted, known)
        if asset_key(manifest) in selected:
            yield _manifest_result(manifest, known, months.label(month), len(report.loaded) if report else 0)
        if asset_key(refused) in selected:
            yield dg.MaterializeResult(asset_key(refused), metadata={"dagster/partition_row_count": found.refused})
        for key, source in sources.items():
            if key in selected:
                each = found.sources[source.name]
                metadata: dict[str, Any] = {"dagster/partition_row_count": each.rows, "content_hash": each.content_hash}
                yield dg.MaterializeResult(key, metadata=metadata, data_version=dg.DataVersion(each.content_hash))
        for key in tables:
            yield from judge([each for each in checks[key] if dg.AssetCheckKey(key, each.name) in asked], month, settings)

    return landing


def _manifest_result(manifest: Table, known: ingestion.Manifest, label: str, read_now: int) -> dg.MaterializeResult[Any]:
    touching = {name: found for name, found in known.touching.items() if name.endswith(f"@{label}")}
    metadata = {"batches_of_month": sum(len(found) for found in touching.values()), "batches_read_now": read_now}
    version = dg.DataVersion(sha256_of(touching))
    return dg.MaterializeResult(asset_key(manifest), metadata=metadata, data_version=version)


def judge(checks: Sequence[Check], month: date, settings: Settings) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the checks of a written month, one by one."""
    for each, judgement in table_month.judgements(checks, month, settings):
        yield sealed(settings, months.label(month), check_factory.result_of(each, judgement, settings))


def table_assets(
    stream: Stream, settings: Settings, partitions: dg.PartitionsDefinition, tables: Mapping[str, Table], pool: str | None
) -> list[dg.AssetsDefinition]:
    """Return one asset per rule of the stream."""
    return [_table_asset(stream, rule, settings, partitions, tables, pool) for rule in stream.rules_in_order()]


def _table_asset(
    stream: Stream,
    rule: Rule,
    settings: Settings,
    partitions: dg.PartitionsDefinition,
    tables: Mapping[str, Table],
    pool: str | None,
) -> dg.AssetsDefinition:
    table = rule.table
    checks = checks_of(stream.checks, table)
    # What was landed is one store that knows no months; of tables, only their own month comes before.
    before = (reads.qualified for reads in rule.reads if reads.covers_own_month or reads.layer == "raw")
    read = {name for name in before if name in tables}
    behind_slices = {f"raw.{source}" for reads in rule.reads for source in reads.sources}

    @dg.asset(
        **described(table, {"duckdb", "sql" if rule.is_query else "pandas"}),
        partitions_def=partitions,
        pool=pool,
        # Months beside its own are told by staleness alone: a backfill follows what Dagster knows, and would leave its range.
        deps=[asset_key(tables[name]) for name in sorted(read | behind_slices) if name != table.qualified],
        code_version=version_of_rule(rule),
        io_manager_key=IO_MANAGER,
        check_specs=check_factory.check_specs(table, checks, partitions, settings),
    )
    def made(context: dg.AssetExecutionContext) -> Iterator[Any]:
        month = month_of(context.partition_key)
        with database.connect(settings) as connection:
            frames = table_month.frames_of(connection, rule, month, settings, tables)
        value = table_month.made(rule, month, settings, frames)
        yield dg.MaterializeResult(value=value, metadata=_lineage(rule, tables, settings))
        # The IO manager has written and validated by now: it raises before this line is reached if it did not.
        holds = check_factory.result(table, check_factory.SCHEMA_CHECK, Gate.WRITE, Judgement(True))
        yield sealed(settings, context.partition_key, holds)
        yield from judge(checks, month, settings)

    return made


def _lineage(rule: Rule, tables: Mapping[str, Table], settings: Settings) -> dict[str, Any]:
    """Return which column is made of which as metadata, where that is known."""
    deps = {
        column: [dg.TableColumnDep(asset_key(tables[table]), name) for table, name in sources]
        for column, sources in column_lineage(rule, tables, settings).items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)} if deps else {}


def report_violation(context: dg.OutputContext, violation: SchemaViolation, settings: Settings) -> dg.Failure:
    """Put a broken declaration on record as the month's failed check, and return the failure of its step."""
    table = violation.table
    first = violation.violations[0]
    judgement = Judgement(
        False,
        {each.rule: each.rows for each in violation.violations},
        first.sample.astype(str),
        "Nothing was written. Look at the rows listed: correct the source, or report an error of the program.",
    )
    told = Judgement(False, {name: str(value) for name, value in judgement.figures.items()}, None, str(violation))
    found = check_factory.result(table, check_factory.SCHEMA_CHECK, Gate.WRITE, told)
    found = sealed(settings, context.partition_key, found)
    # Of this run: what is reported without one can be reported once.
    dg.DagsterEvent.asset_check_evaluation(
        context.step_context,
        dg.AssetCheckEvaluation(
            asset_key=asset_key(table),
            check_name=check_factory.SCHEMA_CHECK,
            passed=False,
            metadata=found.metadata,
            severity=dg.AssetCheckSeverity.ERROR,
            description=found.description,
            partition=context.partition_key,
        ),
    )
    return dg.Failure(str(violation), metadata=check_factory.figures_metadata(judgement), allow_retries=False)
