"""What the headline metrics mean, and how much rests on assumptions: as tables, so that they can be checked and published.

Belongs here: what such tables look like and how rows come into them, the same for every stream. Does not belong here: which
metrics and assumptions a stream has (each stream's ``register``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from decimal import Decimal

import pandas as pd

from revenue_integrity.model import table as column
from revenue_integrity.model.table import Table, table


@dataclass(frozen=True)
class Metric:
    """A headline metric, as the register holds it."""

    metric: str
    definition: str
    formula: str
    grain: str
    assumptions: str
    validating_checks: str
    reconciliations: str
    risk_if_wrong: str
    owner: str = "team:finance-operations"


@dataclass(frozen=True)
class Assumption:
    """A setting that figures rest on: its unit, what it drives, and how much of the month, if it can be said."""

    name: str
    unit: str
    drives: str
    rows: int | None = None
    share: Decimal | None = None


def register_table(stream: str, prefix: str = "") -> Table:
    """Return the table of a stream's metrics."""
    return table(
        stream,
        "mart",
        f"{prefix}metric_register",
        "Headline metrics, one row per metric: what each means, rests on, is checked by, and costs if wrong.",
        ("month", "metric"),
        [
            column.month(),
            *(
                column.text(name, text)
                for name, text in {
                    "metric": "Name of the metric.",
                    "definition": "What it says.",
                    "formula": "How it is computed.",
                    "grain": "Per what.",
                    "assumptions": "What it takes for granted.",
                    "validating_checks": "Checks that would notice, by name.",
                    "reconciliations": "Reconciliations that tie it, by name.",
                    "risk_if_wrong": "What goes wrong if it is.",
                    "owner": "Who answers for it.",
                }.items()
            ),
        ],
    )


def assumptions_table(stream: str, prefix: str = "", measure: str = "kWh or cents") -> Table:
    """Return the table of a stream's assumptions; ``measure`` says what the share is of."""
    return table(
        stream,
        "mart",
        f"{prefix}assumptions",
        "Estimator assumptions and tolerances in force, one row per month and assumption, with how much rests on each.",
        ("month", "assumption"),
        [
            column.month(),
            column.text("assumption", "Name of the setting."),
            column.text("value", "Value in force."),
            column.text("unit", "Its unit."),
            column.text("drives", "Metrics that rest on it."),
            column.integer("affected_rows", "Rows that rest on it this month.", unit="rows", null=True),
            column.ratio("affected_share", f"Share of {measure} that rests on it."),
        ],
    )


def register_rows(month: date, declared: Table, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Return the register of metrics, one row per metric."""
    rows = pd.DataFrame([astuple(metric) for metric in metrics], columns=declared.columns[1:], dtype=object)
    rows.insert(0, "month", pd.Timestamp(month).as_unit("us"))
    return rows


def assumption_rows(month: date, declared: Table, listed: Sequence[Assumption], values: Mapping[str, str]) -> pd.DataFrame:
    """Return the assumptions with the values in force, one row each."""
    rows = pd.DataFrame(
        {
            "month": pd.Timestamp(month).as_unit("us"),
            "assumption": [each.name for each in listed],
            "value": [values[each.name] for each in listed],
            "unit": [each.unit for each in listed],
            "drives": [each.drives for each in listed],
            "affected_rows": pd.array([each.rows for each in listed], dtype="Int64"),
            "affected_share": pd.Series([each.share for each in listed], dtype=object),
        }
    )
    return rows[declared.columns]
