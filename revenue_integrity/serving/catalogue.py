"""Which datasets there are, and of which kind each is.

Belongs here: finding a dataset by the name that people use. Does not belong here: reading one (``export``), describing it
(``dictionary``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from revenue_integrity.computing.publication_tables import CHECKS, checks_table
from revenue_integrity.errors import no_such
from revenue_integrity.model.dataset import Composed, Streamed
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.serving.derived import DERIVED, Derived

MANIFESTS = ("batches", "quarantine", "corrections", "data_rules")
"""Datasets that belong to a stream rather than to a month."""

RECON_RESULTS = "recon_results"
RECON_CAUSES = "recon_causes"
RECON_SUMMARY = "recon_summary"

_UNITED = (RECON_RESULTS, RECON_CAUSES, RECON_SUMMARY)
"""Datasets that every stream with reconciliations has, under its own name for them; under this one they hold the rows of all."""


@dataclass(frozen=True)
class Stored:
    """A table as it is published, or as it stands in the warehouse."""

    table: Table


@dataclass(frozen=True)
class Whole:
    """A table that belongs to no month, as it is published, or as it stands in the warehouse."""

    table: Table


@dataclass(frozen=True)
class United:
    """The tables that several streams have for one thing.

    Attributes:
        name: what all of them together are called.
        tables: those of the streams, in the order of these.
        order: the columns that its rows are ordered by.
        in_warehouse: whether they stand in the warehouse, and are not only published.
    """

    name: str
    tables: tuple[Table, ...]
    order: tuple[str, ...] = ("month",)
    in_warehouse: bool = True


@dataclass(frozen=True)
class Manifest:
    """What a stream's deliveries were, and what was refused of them."""

    name: str


Dataset = Stored | Whole | United | Manifest | Derived | Composed | Streamed


def datasets(streams: Sequence[Stream]) -> dict[str, Dataset]:
    """Return every dataset by its name."""
    found: dict[str, Dataset] = {}
    for stream in streams:
        found |= {table.name: Stored(table) for table in stream.published_tables}
        found |= {rule.table.name: Whole(rule.table) for rule in stream.whole}
        found |= {each.table.name: each for each in stream.composed}
    for name in _UNITED:
        tables = tuple(table for stream in streams for table in stream.published_tables if table.name == stream.dataset(name))
        if tables:
            found[name] = United(name, tables)
    checks = tuple(map(checks_table, streams))
    found[CHECKS] = United(CHECKS, checks, checks[0].key if checks else (), in_warehouse=False)
    found |= {name: Manifest(name) for name in MANIFESTS}
    found |= {each.table.name: each for each in DERIVED}
    return found


def dataset_named(streams: Sequence[Stream], name: str) -> Dataset:
    """Return a dataset; raise ``UsageError`` with the names that there are."""
    known = datasets(streams)
    if name not in known:
        raise no_such("dataset", name, sorted(known), "Datasets")
    return known[name]


def has_tenants(dataset: Dataset) -> bool:
    """Return whether each row belongs to a tenant, so that one of them can have its own."""
    match dataset:
        case Stored(table) | Streamed(table):
            return bool(table.part_columns)
        case Composed():
            return all(bool(table.part_columns) for table in dataset.reads)
    return False
