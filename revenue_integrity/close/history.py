"""The history of a dimension (type 2), exact under late, repeated and partial news: one mechanism for every dimension.

Belongs here: what a history is made from, and the query of its boundaries. Does not belong here: what is told of a dimension
(each stream's statements), how files are read (``landing``).

A stream writes its statements down as SQL: rows with the key, ``effective_on``, ``operation`` (``set``, ``delete``,
``retract``), what orders them (``History.order``), ``told`` (the columns that a statement has, null for all of them) and the
tracked columns. What comes out depends on the set of statements alone: shuffled, split or told again they give the same.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """A dimension of which versions are kept.

    Attributes:
        key: the columns that name a member of the dimension.
        tracked: the columns whose change makes a version.
        untracked: the columns of which the last value is shown in every version.
        statements: the file below the stream's ``sql`` folder, without ``.sql.j2``, that selects what was told.
        order: the columns that order statements of one day, the last of which make it total.
        stated: the columns of ``order`` that name a statement together with key and day: of several the last one counts.
        named: tracked or untracked columns by the name that files have them by, where it is another.
    """

    key: tuple[str, ...]
    tracked: tuple[str, ...]
    statements: str
    order: tuple[str, ...]
    stated: tuple[str, ...]
    untracked: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()

    def in_files(self, column: str) -> str:
        """Return the name by which ``told`` knows a column."""
        return dict(self.named).get(column, column)
