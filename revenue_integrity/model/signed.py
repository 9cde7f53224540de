"""What a sign-off attests, and which deliveries it rests on.

Belongs here: which columns of which tables are signed content (keys and cents, nothing that words or machines may change),
which extracts must reach the cutoff. Does not belong here: hashing it (``close.signed_content``), who signs
(``close.sign_off``), where signed versions are kept (``close.freeze``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from revenue_integrity.model.source import Source
from revenue_integrity.model.table import Table


@dataclass(frozen=True)
class SignedTable:
    """A table of which keys and measures are signed.

    Attributes:
        table: the table.
        measures: its signed columns: cents (or other money).
        only: a column and the value that it must have for a row to be signed; ``None`` for all rows.
        signed_as: columns by the name under which they were signed first: the digest keeps it for ever, for a new name moves no
            figure, and what people signed stays signed.
    """

    table: Table
    measures: tuple[str, ...]
    only: tuple[str, str] | None = None
    signed_as: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def projection(self) -> Table:
        """The table with its key and signed columns alone."""
        return replace(self.table.only([*self.table.key, *self.measures]), hashed_as=self.signed_as)


def signed_table(
    table: Table, *measures: str, only: tuple[str, str] | None = None, signed_as: Mapping[str, str] | None = None
) -> SignedTable:
    """Sign some measures of a table; without any, all its columns of cents."""
    chosen = measures or tuple(name for name in table.columns if name.endswith("_cents") and name not in table.key)
    return SignedTable(table, chosen, only, signed_as or {})


@dataclass(frozen=True)
class Extracts:
    """Which sources of a stream must have delivered at or after the cutoff.

    A delivery counts for the months that it speaks about: those of its rows, and those that its writer says it covers. What holds
    all there is, or names no month, speaks about every month.

    Attributes:
        prefix: how the names of sources begin that must, once they have delivered at all; empty for none.
        always: the source that must even if it never delivered; empty for none.
        of_every_month: the sources of which each delivery speaks about every month.
        look_ups: sources that begin like the others and are none of them: they hold what is valid, and no month's postings.
    """

    prefix: str = ""
    always: str = ""
    of_every_month: tuple[str, ...] = ()
    look_ups: tuple[str, ...] = ()


def extracts_of(sources: Sequence[Source], *, prefix: str = "", always: str = "") -> Extracts:
    """Return which of some sources must have delivered, and which of them speak about every month, as they declare it."""
    every = tuple(sorted(each.name for each in sources if each.is_full_extract or not each.has_month))
    look_ups = tuple(sorted(each.name for each in sources if not each.has_month and not each.is_full_extract))
    return Extracts(prefix, always, every, look_ups)
