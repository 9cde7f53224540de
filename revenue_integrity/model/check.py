"""What a check is, and what it finds: the one vocabulary of checks, whatever evaluates them.

Belongs here: gates, the declaration of a check, the judgement that it returns. Does not belong here: any particular
check (each stream's ``checks``), checks that a query decides (``close.judgement``), and turning judgements into Dagster
results (``orchestration.check_factory``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol, get_args

import pandas as pd

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


SAMPLE_ROWS = 20
"""Offenders that a check lists: enough to act on, few enough for a page."""


class Reader(Protocol):
    """What a check may do to the warehouse: read."""

    def rows(self, query: Query) -> pd.DataFrame:
        """Run a query and return its rows, decimals exact."""
        ...


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
    """

    name: str
    table: Table
    gate: Gate
    description: str
    judge: Judge
