"""What there is to deliver: the datasets of a delivery, and what each holds now.

Belongs here: which datasets are brought, by default and by name, and their order. Does not belong here: where each is found
(``stored``, ``made``), what of it a database lacks (``delivering``), how it looks there (``shape``).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from revenue_integrity.computing.publication_tables import checks_table
from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.errors import SettingsError, no_such
from revenue_integrity.landing.datasets import batches_table, corrections_table, data_rules_table, quarantine_table
from revenue_integrity.model.dataset import Streamed
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.serving.catalogue import has_tenants
from revenue_integrity.serving.deliveries import made, stored
from revenue_integrity.serving.deliveries.content import Content
from revenue_integrity.serving.derived import DERIVED
from revenue_integrity.settings import Delivery, Settings
from revenue_integrity.warehouse import publish

_MANIFESTS = (batches_table, quarantine_table, corrections_table, data_rules_table)


def tables_of(deployment: Deployment, delivery: Delivery) -> list[Table]:
    """Return the datasets that a delivery brings, each once: those without months first, as what has months refers to them.

    Raises:
        SettingsError: it selects a dataset that there is not.
    """
    every: dict[str, Table] = {}
    chosen: dict[str, Table] = {}
    for stream in deployment.streams:
        wanted = not delivery.select.streams or stream.name in delivery.select.streams
        left_out = _left_out(stream, delivery)
        for table in _datasets(stream):
            every.setdefault(table.name, table)
            if wanted and table.name not in left_out:
                chosen.setdefault(table.name, table)
    for derived in DERIVED:
        every.setdefault(derived.table.name, derived.table)
        if not delivery.select.streams and delivery.tenant is None:
            chosen.setdefault(derived.table.name, derived.table)
    for name in (*delivery.select.datasets, *(each for named in delivery.readers.values() for each in named)):
        if name not in every:
            error = no_such("dataset", name, sorted(every), "Datasets")
            raise SettingsError(f"deliveries {delivery.name}: {error.reason}", error.next_step)
    named = delivery.select.datasets
    # What is derived from the record of runs takes long to derive, and is brought where somebody asks for it by name.
    derived_names = {each.table.name for each in DERIVED}
    return [table for name, table in chosen.items() if name in named or (not named and name not in derived_names)]


def _datasets(stream: Stream) -> list[Table]:
    """Return the datasets of a stream: dimensions, what belongs to no month, then months in the order of their rules."""
    whole = [rule.table for rule in stream.whole]
    asked_for = [each.table for each in stream.composed]
    months = [*stream.published_tables, checks_table(stream), *(each for each in asked_for if each.partition)]
    return [*whole, *(make(stream.name) for make in _MANIFESTS), *(each for each in asked_for if not each.partition), *months]


def _left_out(stream: Stream, delivery: Delivery) -> frozenset[str]:
    """Return the datasets of a stream of which there is nothing that is a tenant's own, or that somebody signed."""
    found: set[str] = set()
    if delivery.tenant is not None:
        own = {table.name for table in stream.published_tables if table.part_columns}
        own |= {each.table.name for each in stream.composed if has_tenants(each)}
        found |= {table.name for table in _datasets(stream)} - own
    if delivery.when == "signed":
        # No version holds what checks said, nor events: these stand in the store alone.
        events = [each.table.name for each in stream.composed if isinstance(each, Streamed) and each.table.partition]
        found |= {checks_table(stream).name, *events}
    return frozenset(found)


def contents(
    deployment: Deployment,
    delivery: Delivery,
    wanted: Sequence[date] | None = None,
    open_evidence: OpenEvidence | None = None,
) -> list[Content]:
    """Return what a delivery brings, as it stands now: datasets without months first, then month by month, the oldest first.

    With months, theirs alone, and what belongs to none. What is derived from the record of runs (``close_status``) is there
    where something to open that with is given.

    Raises:
        SettingsError: the delivery selects a dataset that there is not.
    """
    tables = {table.name: table for table in tables_of(deployment, delivery)}
    streams = [each for each in deployment.streams if not delivery.select.streams or each.name in delivery.select.streams]
    settings = deployment.settings
    found = list(_without_months(settings, streams, tables))
    signed = stored.approvals(deployment) if delivery.when == "signed" else {}

    def of_months(stream: Stream, wanted_tables: Sequence[Table]) -> list[Content]:
        if delivery.when == "signed":
            return list(stored.of_signed(settings, stream, wanted_tables, signed, delivery.tenant))
        return list(stored.of_published(settings, stream, wanted_tables, delivery.tenant))

    def inputs(stream: Stream, table: Table) -> list[Content]:
        return of_months(stream, [table]) if table.partition else list(stored.of_files(table, [_file_of(settings, table)]))

    for stream in streams:
        found += of_months(stream, [table for table in stream.published_tables if table.name in tables])
        found += made.composed(settings, stream, tables, partial(inputs, stream))
        found += made.streamed(settings, stream, tables, delivery.tenant)
        checks = checks_table(stream)
        found += stored.of_checks(settings, checks) if checks.name in tables else ()
    found += made.derived(deployment, tables, open_evidence) if open_evidence else []
    order = {name: place for place, name in enumerate(tables)}
    return sorted(
        (each for each in found if wanted is None or each.month is None or each.month in wanted),
        key=lambda each: (each.month or date.min, order[each.table.name]),
    )


def _without_months(settings: Settings, streams: Sequence[Stream], tables: dict[str, Table]) -> Iterator[Content]:
    """Yield what belongs to no month; no sign-off attests it, so it is delivered as it is published."""
    for stream in streams:
        for rule in stream.whole:
            if rule.table.name in tables:
                yield from stored.of_files(rule.table, [_file_of(settings, rule.table)])
    for make in _MANIFESTS:
        parts = [make(stream.name) for stream in streams]
        if parts and parts[0].name in tables:
            yield from stored.of_files(parts[0], [_file_of(settings, each) for each in parts])


def _file_of(settings: Settings, table: Table) -> Path:
    return publish.directory_of(settings, table, None) / "data.parquet"
