"""What accounting posts, as a month's close looks at it: lines with an amount and an instant; one declaration for everything.

Belongs here: the vocabulary in which a stream declares its postings. Does not belong here: the bridge from the cutoff to what is
recognized (``close.bridge``), what must hold of postings (``close.posting_checks``), any particular postings (each stream's
``recon``).
"""

from dataclasses import dataclass

from revenue_integrity.model.reconciliation import Materiality
from revenue_integrity.model.source import Reach, Source
from revenue_integrity.model.table import Table


@dataclass(frozen=True)
class ControlTotals:
    """What accounting itself counts and adds up of a month's lines.

    Attributes:
        source: where it says so: ``lines``, ``amount_cents`` and ``extracted_at`` for each month.
        counted_by: who counts, among the figures of the check (``ledger``: ``ledger_cents``).
    """

    source: Source
    counted_by: str


@dataclass(frozen=True, eq=False)
class Postings:
    """Lines that accounting posted for a month.

    Attributes:
        source: their source; its rows have a ``month``, ``amount_cents`` and ``posted_at``.
        lines: the table of the month's lines, each with what it resolves to; it has the source's key and those columns, too.
        called: what lines are called among the figures of a check (``entries``).
        resolves_to: the column of ``lines`` that is empty where a line resolves to nothing.
        listed: the columns of ``lines`` by which people know a line.
        materiality: what lines are measured by.
        earlier: the slice of the source that holds lines of earlier months which may have been posted for them only now.
        totals: what accounting itself adds up, where it delivers that.
    """

    source: Source
    lines: Table
    called: str
    resolves_to: str
    listed: tuple[str, ...]
    materiality: Materiality
    earlier: str
    totals: ControlTotals | None = None

    @property
    def raw(self) -> str:
        """The table of the lines as they were sent."""
        return f"raw.{self.source.dataset}"


def earlier_postings(name: str, dataset: str) -> Reach:
    """Return lines of earlier months (of a source's raw table) that were posted about when a month was closed.

    A cutoff lies in the month after its own, or a little later where holidays are many.
    """
    return Reach(
        name,
        f"{{months}} as m inner join raw.{dataset} as r on r.month < m.month"
        " and r.posted_at >= m.month - interval 1 day and r.posted_at < m.month + interval 3 months",
    )
