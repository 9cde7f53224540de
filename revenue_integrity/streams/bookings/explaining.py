"""Taking causes of rows in order of precedence, row by row.

Belongs here: what a rule of cause sees and claims. Does not belong here: the rules (``causes``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from revenue_integrity.canonical import canonical_json
from revenue_integrity.close.causes.labels import UNEXPLAINED
from revenue_integrity.close.causes.wording import money


@dataclass
class Variance:
    """A row of a reconciliation with what is still to be explained of it.

    Attributes:
        row_key: its grain as JSON.
        cents: left less right.
        rest: what no rule has claimed yet, in cents.
    """

    row_key: str
    cents: int
    rest: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with everything unexplained."""
        self.rest = self.cents


RowT = TypeVar("RowT", bound=Variance)


@dataclass(frozen=True)
class Claim(Generic[RowT]):
    """Cents of a row that a rule explains.

    Attributes:
        row: the row.
        cents: how much, with the sign of the variance.
        explanation: one sentence.
        evidence: ids of what proves it, as JSON values.
        link_id: shared by the two ends of a move.
    """

    row: RowT
    cents: int
    explanation: str
    evidence: Mapping[str, Any]
    link_id: str | None = None


@dataclass(frozen=True)
class Cause(Generic[RowT]):
    """A rule of cause.

    Attributes:
        label: the cause that it finds.
        claims: looks at the rows that have a rest and yields what it claims; a claim is taken before the next is asked for.
    """

    label: str
    claims: Callable[[Sequence[RowT]], Iterable[Claim[RowT]]]


@dataclass(frozen=True)
class Explained(Generic[RowT]):
    """A claim that was taken, under its label."""

    label: str
    claim: Claim[RowT]


def explain(rows: Sequence[RowT], causes: Sequence[Cause[RowT]]) -> Iterator[Explained[RowT]]:
    """Yield the causes of each row, rule by rule in order of precedence; they add up to its variance exactly."""
    for cause in causes:
        open_rows = [row for row in rows if row.rest]
        for claim in cause.claims(open_rows):
            if claim.cents:
                claim.row.rest -= claim.cents
                yield Explained(cause.label, claim)
    for row in rows:
        if row.rest:
            yield Explained(UNEXPLAINED, Claim(row, row.rest, f"No rule explains {money(row.rest)}.", {}))
            row.rest = 0


def evidence_json(evidence: Mapping[str, Any]) -> str:
    """Return evidence as canonical JSON."""
    return canonical_json(evidence)
