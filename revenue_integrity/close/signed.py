"""What is signed: the keys and cents of a month, and nothing that words or machines may change.

Belongs here: which columns of which tables are signed content, and the hash of it. Does not belong here: who signs
(``sign_off``), where signed versions are kept (``freeze``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from revenue_integrity.warehouse.catalog import sha256_of
from revenue_integrity.warehouse.table import Table


@dataclass(frozen=True)
class SignedTable:
    """A table of which keys and measures are signed.

    Attributes:
        table: the table.
        measures: its signed columns: cents (or other money).
        only: a column and the value that it must have for a row to be signed; ``None`` for all rows.
    """

    table: Table
    measures: tuple[str, ...]
    only: tuple[str, str] | None = None

    @property
    def projection(self) -> Table:
        """The table with its key and signed columns alone."""
        return self.table.only([*self.table.key, *self.measures])


def signed_table(table: Table, *measures: str, only: tuple[str, str] | None = None) -> SignedTable:
    """Sign some measures of a table; without any, all its columns of cents."""
    chosen = measures or tuple(name for name in table.columns if name.endswith("_cents") and name not in table.key)
    return SignedTable(table, chosen, only)


def content_hash(digests: Mapping[str, str]) -> str:
    """Return the hash of a month's signed content from the digest of each signed dataset."""
    return sha256_of(dict(digests))
