"""What a check is, and what it finds: the one vocabulary of checks, whatever evaluates them.

Belongs here: gates, the declaration of a check, the judgement that it returns. Does not belong here: any particular
check (each stream's ``checks``), checks that a query decides (``close.judgement``), and turning judgements into Dagster
results (``orchestration.check_factory``).
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol, get_args

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.model.query import Query
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings

Figure = int | Decimal | str | bool | None


class Gate(StrEnum):
    """What a failed check stops (conventions, *Gates*), from the strictest to none."""

    WRITE = "write"
    PUBLISH = "publish"
    SIGN_OFF = "sign_off"
    WARN = "warn"


State = Literal["passed", "failed", "missing", "planned", "outdated"]
"""How a check stands for a month: its latest result, or why there is none on what stands now."""


STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Judgement:
    """What a check found for one month.

    Attributes:
        passed: whether what must be true is true.
        figures: numbers behind the verdict, by name with their unit in it (``gross_cents``, ``late_share``).
        rows: the largest offenders, at most ``SAMPLE_ROWS`` of them, or ``None``.
        next_step: what the operator should do if it failed.
    """

    passed: bool
    figures: Mapping[str, Figure] = field(default_factory=dict)
    rows: pd.DataFrame | None = None
    next_step: str = ""


@dataclass(frozen=True)
class CheckRecord:
    """The latest result of a check for a month, whatever keeps it on record.

    Attributes:
        stream, layer, table: the table that it judges.
        name: its name.
        gate: what its failure stops.
        state: passed or failed; missing (never evaluated), planned (started, no result) or outdated (of an older
            table, or by older code or settings of the check).
        figures: the numbers that it reported, plain; one that is no whole number as exact text.
        next_step: what it said to do.
    """

    stream: str
    layer: str
    table: str
    name: str
    gate: Gate
    state: State
    figures: Mapping[str, Any] = field(default_factory=dict)
    next_step: str = ""

    @property
    def holds(self) -> bool:
        """Whether what must be true was found true, on what stands now."""
        return self.state == "passed"

    def judges(self, table: Table) -> bool:
        """Whether it is of a table."""
        return (self.stream, self.layer, self.table) == table.asset_key

    @property
    def plain(self) -> dict[str, Any]:
        """The record as a manifest holds it."""
        return {"check": self.name, "gate": self.gate.value, "state": self.state, "figures": dict(self.figures)}


SAMPLE_ROWS = 20
"""Offenders that a check lists: enough to act on, few enough for a page."""


class Reader(Protocol):
    """What a check may do to the warehouse: read."""

    def rows(self, query: Query) -> pd.DataFrame:
        """Run a query and return its rows, decimals exact."""
        ...


@dataclass(frozen=True)
class Control:
    """What a check is for to those who answer for the figures; an auditor reads it in ``docs/controls.md``.

    Attributes:
        risk: what goes wrong if nobody looks, as a sentence.
        evidence: where the rows behind its verdict stand, in the words of the page: datasets and columns in backquotes.
        owner: the role that acts on it (``OWNERS``).
    """

    risk: str
    evidence: str
    owner: str


OWNERS = ("data operations", "revenue accounting", "facilities", "controller")
"""Roles that own controls; a deployment names the people."""


@dataclass(frozen=True)
class Limit:
    """How far a figure of a check may go; what the verdict hangs on, for people.

    Attributes:
        figure: the name of the figure.
        bound: another figure of the check, or a number.
        holds: how the two must stand.
    """

    figure: str
    bound: str | int = 0
    holds: Literal["at most", "exactly"] = "at most"

    def of(self, figures: Mapping[str, Any]) -> tuple[Any, Any] | None:
        """Return the value and its limit among reported figures; ``None`` where the check did not report them."""
        bound = self.bound if isinstance(self.bound, int) else figures.get(self.bound)
        value = figures.get(self.figure)
        return None if value is None or bound is None else (value, bound)


@dataclass(frozen=True)
class Standing:
    """A check that every stream has and that is judged where the work is done, not by a declaration of the stream.

    Attributes:
        name: what must be true, in words.
        gate: what its failure stops.
        description: what must be true, as a sentence.
        control: what it is for.
        limits: which of its figures the verdict hangs on, and how far each may go.
    """

    name: str
    gate: Gate
    description: str
    control: Control
    limits: tuple[Limit, ...] = ()


SCHEMA_HOLDS = Standing(
    "schema_holds",
    Gate.WRITE,
    "Every row has the declared types, nulls, ranges and values, and its key is unique; of every computed table.",
    Control(
        "Wrong types, missing keys or doubled rows spoil everything behind.",
        "the offending rows on the check",
        "data operations",
    ),
)
BATCHES_UNCHANGED = Standing(
    "batch_digests_are_unchanged",
    Gate.WRITE,
    "Every batch has the SHA-256 that was recorded at first sight.",
    Control(
        "A delivered file is altered afterwards, and past figures move unseen.",
        "`batches`: `digest`, `status`, `error`",
        "data operations",
    ),
)
MONTH_MAY_BE_PUBLISHED = Standing(
    "month_may_be_published",
    Gate.PUBLISH,
    "Every check of gate write or publish passed on exactly what is published.",
    Control("Readers see figures that failed a check.", "`published/_close/…/close.json`", "data operations"),
    (Limit("checks_in_the_way"),),
)
STANDING = (BATCHES_UNCHANGED, SCHEMA_HOLDS, MONTH_MAY_BE_PUBLISHED)
"""The checks that every stream has beside those that it declares."""


Judge = Callable[[Reader, date, Settings], Judgement]


@dataclass(frozen=True)
class Check:
    """A check of one table, evaluated per month.

    Attributes:
        name: what must be true, in words (``allocated_plus_stranded_is_billed``); unique within the table.
        table: the table it judges; it may read whatever is behind this table, and nothing that comes after it.
        gate: what its failure stops.
        description: what must be true, as a sentence.
        judge: evaluates it on the written month.
        control: what it is for.
        title: what people call it; by default its name in words.
        settings: names of the settings that its verdict rests on; while they and its code stay the same, the verdict stands.
        limits: which of its figures the verdict hangs on, and how far each may go; empty where no single figure says it.
        recon: the reconciliation whose causes it holds against materiality; empty for none.
    """

    name: str
    table: Table
    gate: Gate
    description: str
    judge: Judge
    _: KW_ONLY
    control: Control
    title: str = ""
    settings: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    recon: str = ""

    @property
    def heading(self) -> str:
        """What people call it."""
        return self.title or wording.words(self.name)
