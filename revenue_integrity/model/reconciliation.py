"""What a reconciliation is: two sides that should agree, row by row, and what is asked of them; one declaration for everything.

Belongs here: the vocabulary in which a stream declares its reconciliations. Does not belong here: comparing two sides and the
tables that hold the result (``close.reconcile``), what must hold of them (``close.reconciliation_checks``), why they differ
(``close.causes``), any particular reconciliation (each stream's ``recon``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from revenue_integrity.model.source import Source
from revenue_integrity.model.table import Table

AS_OF_CLOSE = "as_of_close"
"""The view of what was posted by the cutoff."""

CURRENT = "current"
"""The view of all postings."""

VIEWS = (AS_OF_CLOSE, CURRENT)

STATUSES = ("matched", "within_tolerance", "breach")
"""How a row's variance stands against its tolerance."""

CENTS = "cents"
"""The unit of money that is whole cents; its amounts stand in columns of their own."""

CURRENCY = "currency"
"""The unit of money that is finer than cents: rows name the deployment's currency, in lower case."""


@dataclass(frozen=True)
class Tolerance:
    """What nobody must act on: the larger of an amount and a share of the right side; neither: every difference counts.

    Attributes:
        amount: the setting that holds the amount, in the unit of the reconciliation.
        share: the setting that holds the share.
    """

    amount: str = ""
    share: str = ""

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that it rests on."""
        return tuple(name for name in (self.amount, self.share) if name)


EXACT = Tolerance()
"""Every difference counts."""


@dataclass(frozen=True)
class Materiality:
    """What a month's differences are measured by: the larger of the setting ``materiality_cents`` and a share of a total.

    Attributes:
        table: the table whose month is the base.
        measure: the column of cents that is added up.
        name: what the total is called among the figures of a check (``expected_revenue_cents``).
    """

    table: Table
    measure: str
    name: str


@dataclass(frozen=True, eq=False)
class Causes:
    """Why the two sides of a reconciliation may differ.

    Attributes:
        families: the labels of causes in order of precedence, each with its family; what none explains is ``unexplained``.
        materiality: what causes on rows in breach are measured by.
        residual: labels that say how a variance is made up rather than why.
        across_months: labels of moves whose two ends stand in two months; the ends of all others stand in one.
        harmless: labels that count towards no materiality, beside late postings.
    """

    families: Mapping[str, str]
    materiality: Materiality
    residual: tuple[str, ...] = ()
    across_months: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Reconciliation:
    """Two sides that should agree.

    Attributes:
        name: its name, which is also that of the query of its sides (``sql/recon/<name>.sql``): the columns of its grain,
            ``left_current`` and ``left_as_of_close`` (for each view that it has), and ``right``.
        sentence: what agrees with what, and per what, as a sentence.
        left: what stands on the left, for people; the variance is left less right.
        right: what stands on the right, for people.
        grain: the columns that name a row; what it does not have of its stream's columns is null.
        unit: what is compared.
        views: by which postings of the left side; both have the same rows.
        tolerance: what nobody must act on.
        needs: sources without which it is absent.
        causes: why its sides may differ, where that is explained.
        sides: the name of the query of its sides, where it is not its own: one that is made in two units has two declarations.
    """

    name: str
    sentence: str
    left: str
    right: str
    grain: tuple[str, ...]
    unit: str = CENTS
    views: tuple[str, ...] = VIEWS
    tolerance: Tolerance = EXACT
    needs: tuple[Source, ...] = ()
    causes: Causes | None = None
    sides: str = ""

    @property
    def query(self) -> str:
        """The name of the query of its sides."""
        return self.sides or self.name


@dataclass(frozen=True, eq=False)
class Reconciliations:
    """The reconciliations of a stream, in the order in which people see them, and the tables that hold their results.

    Attributes:
        stream: the stream.
        declared: what is compared.
        package: the package whose ``sql`` folder holds the queries of the sides.
        grain: the columns that name a row among all of the stream, in the order of its key.
        results: row by row.
        summary: in total.
        causes: why rows vary; ``None`` where no reconciliation is explained.
        places: places of amounts that are not in cents.
        never: columns of ``results`` that no reconciliation of the stream has; they are null.
        carried: columns of the queries of the sides that the explanation looks at.
        explanation: a file of SQL, without ``.sql.j2``: the expression of a sentence on each row of ``results``; empty for none.
    """

    stream: str
    declared: tuple[Reconciliation, ...]
    package: str
    grain: tuple[str, ...]
    results: Table
    summary: Table
    causes: Table | None = None
    places: int = 0
    never: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    explanation: str = ""

    def named(self, name: str) -> Reconciliation:
        """Return one; raise ``KeyError`` if there is none of this name."""
        for each in self.declared:
            if each.name == name:
                return each
        raise KeyError(name)

    @property
    def shared(self) -> tuple[str, ...]:
        """The names under which several are declared, each in a unit of its own."""
        names = [each.name for each in self.declared]
        return tuple(dict.fromkeys(name for name in names if names.count(name) > 1))

    @property
    def explained(self) -> tuple[Reconciliation, ...]:
        """Those whose variances have causes."""
        return tuple(each for each in self.declared if each.causes is not None)

    @property
    def grain_explained(self) -> tuple[str, ...]:
        """The columns that name a row of those, in the order of the stream's."""
        return tuple(name for name in self.grain if any(name in each.grain for each in self.explained))

    def __iter__(self) -> Iterator[Reconciliation]:
        return iter(self.declared)
