"""What a stream says to a Power BI project: which of its columns refer to which tables, its measures, its pages.

Belongs here: the words of that declaration, and finding columns and measures in an expression. Does not belong here: any stream's
content, how a project is written (``serving.powerbi``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Figure = Literal["money", "whole", "share", "number"]
"""How a measure is shown."""

Kind = Literal["card", "bar", "line", "table", "donut"]

COLUMN = re.compile(r"'([^']+)'\[([^\]]+)\]")
"""A column in an expression: ``'boats'[due_cents]``."""

MEASURE = re.compile(r"(?<!')\[([^\]]+)\]")
"""A measure in an expression: ``[Due]``."""


@dataclass(frozen=True)
class Reference:
    """Columns of some tables that each name one row of another table, by the only column of its key."""

    tables: tuple[str, ...]
    column: str
    to_table: str
    to_column: str


@dataclass(frozen=True)
class DaxMeasure:
    """A measure.

    Attributes:
        name: what people call it; no other of any stream has it.
        table: the dataset in whose table it stands.
        dax: its expression over columns as datasets name them. Whole cents count as currency units there: a column of money is
            in units in the model, whatever it is called.
        figure: how it is shown.
        description: what it says.
    """

    name: str
    table: str
    dax: str
    figure: Figure
    description: str


@dataclass(frozen=True)
class Visual:
    """A picture on a page.

    Attributes:
        kind: how it looks.
        title: what stands above it.
        measures: what it shows.
        by: the columns along which it shows them, each as dataset and column.
    """

    kind: Kind
    title: str
    measures: tuple[str, ...]
    by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Page:
    """A page of the report: the view that the stream declares for its close pack.

    Attributes:
        title: what stands on its tab.
        visuals: from left to right, from above.
        slicer: the first dimension, by which readers choose beside the month; as dataset and column.
    """

    title: str
    visuals: tuple[Visual, ...]
    slicer: tuple[str, str]


@dataclass(frozen=True)
class PowerBi:
    """What a stream says to a Power BI project."""

    references: tuple[Reference, ...]
    measures: tuple[DaxMeasure, ...]
    pages: tuple[Page, ...]


CALENDAR, CALENDAR_MONTH = "calendar", "month"
"""The table of months that every table with months refers to, and its key."""

CALENDAR_COLUMNS = (CALENDAR_MONTH, "year", "quarter", "month_no")

MONTHS: tuple[str, str] = (CALENDAR, CALENDAR_MONTH)


def added(dataset: str, column: str, only: str = "") -> str:
    """Return the expression of a sum, over the rows of a condition alone where there is one."""
    total = f"SUM('{dataset}'[{column}])"
    return f"CALCULATE({total}, {only})" if only else total


def year_to_date(measure: str) -> str:
    """Return the expression of a measure from the beginning of the year to the latest month that is chosen."""
    year, month = f"'{CALENDAR}'[year]", f"'{CALENDAR}'[{CALENDAR_MONTH}]"
    return f"CALCULATE([{measure}], FILTER(ALL('{CALENDAR}'), {year} = MAX({year}) && {month} <= MAX({month})))"


def latest(dataset: str, column: str) -> str:
    """Return the expression of what is no sum over months, as a number of customers: that of the latest month that has it."""
    total = added(dataset, column)
    return f"CALCULATE({total}, LASTNONBLANK('{CALENDAR}'[{CALENDAR_MONTH}], CALCULATE({total})))"


def variance_measures(what: str, summary: str, recon: str) -> tuple[DaxMeasure, ...]:
    """Return the measures of a reconciliation in cents: how far its sides are apart, and how much of it has a cause."""
    only = f"'{summary}'[recon] = \"{recon}\", '{summary}'[view] = \"current\""

    def of(column: str) -> str:
        return added(summary, column, only)

    explained = f"{of('timing_gross_cents')} + {of('at_risk_gross_cents')}"
    return (
        DaxMeasure(f"{what} variance", summary, f"DIVIDE({of('variance_signed')}, 100)", "money", "Left side less right side."),
        DaxMeasure(
            f"{what} gross variance",
            summary,
            f"DIVIDE({of('variance_gross')}, 100)",
            "money",
            "Absolute differences, so that errors which cancel each other stay visible.",
        ),
        DaxMeasure(
            f"{what} explained %",
            summary,
            f"DIVIDE({explained} - ABS({of('unexplained_cents')}), {explained})",
            "share",
            "Share of the gross differences that has a cause.",
        ),
    )


def columns_in(dax: str) -> Sequence[tuple[str, str]]:
    """Return the columns that an expression names, as dataset and column."""
    return COLUMN.findall(dax)


def measures_in(dax: str) -> Sequence[str]:
    """Return the measures that an expression names."""
    return MEASURE.findall(COLUMN.sub("", dax))
