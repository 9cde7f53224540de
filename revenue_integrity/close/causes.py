"""Root causes: the vocabulary, and the engine that explains every variance to zero.

Belongs here: labels and families, what a rule of cause sees and claims, taking claims in order of precedence. Does not
belong here: the rules themselves (each stream's ``causes``), reading or writing tables.

A rule is small: it looks at what upper rules have left of each row's variance and claims cents with evidence. What none
claims is ``unexplained``, so for every row the causes add up to its variance, whatever the rules do.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

UNEXPLAINED = "unexplained"
"""The label of what no rule claims."""

LATE_POSTING = "late_posting"
"""The label of lines posted after the cutoff, in the view as of close."""

ROUNDING = "rounding"
"""The label of rests of at most a cent per line or segment."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "timing": (LATE_POSTING, "period_shift"),
    "mapping": ("unmapped_line", "wrong_contract"),
    "duplicate": ("duplicate_billing", "accrual_not_reversed"),
    "credit": ("credit_memo", "credit_unreferenced"),
    "data": ("estimated_meter", "late_meter", "estimated_bill"),
    "missing": ("uncontracted", "unbilled", "unbooked"),
    "configuration": ("stale_version", "proration", "price_mismatch", "quantity_mismatch"),
    "rounding": (ROUNDING,),
}
"""Kinds of causes, each with its labels (20-close, *Root causes*)."""

LABELS = (*(label for labels in FAMILIES.values() for label in labels), UNEXPLAINED)
"""All labels."""

FAMILY_OF: Mapping[str, str | None] = {
    **{label: family for family, labels in FAMILIES.items() for label in labels},
    UNEXPLAINED: None,
}
"""The family of each label; none for what is unexplained."""


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


def money(cents: int) -> str:
    """Return cents as an amount for a sentence: ``-1,234.56``."""
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{part:02d}"


def evidence_json(evidence: Mapping[str, Any]) -> str:
    """Return evidence as canonical JSON."""
    return json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
