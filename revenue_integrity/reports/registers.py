"""Sheets that explain a stream's figures: assumptions in force, and what each headline metric means.

Belongs here: the two listings that every stream's register has. Does not belong here: the tables (``close.register``), their
content (each stream's ``register``).
"""

from revenue_integrity.model.report import Column, Listing


def assumptions(dataset: str, sheet: str) -> Listing:
    """Return the sheet of a stream's assumptions."""
    return Listing(
        sheet,
        dataset,
        (
            Column("assumption", "Assumption", width=30),
            Column("value", "Value", width=16),
            Column("unit", "Unit", width=30),
            Column("drives", "Drives", "wide", width=50),
            Column("affected_rows", "Rows affected", "integer"),
            Column("affected_share", "Share affected", "share"),
        ),
        note="Estimator assumptions and tolerances in force, and how much of the month rests on each",
        sheet=sheet,
    )


def metrics(dataset: str, sheet: str) -> Listing:
    """Return the sheet of what a stream's headline metrics mean."""
    return Listing(
        sheet,
        dataset,
        (
            Column("metric", "Metric", width=26),
            Column("definition", "Definition", "wide", width=40),
            Column("formula", "Formula", "wide", width=40),
            Column("grain", "Grain", width=20),
            Column("assumptions", "Assumptions", "wide", width=30),
            Column("validating_checks", "Validating checks", "wide", width=36),
            Column("reconciliations", "Reconciliations", "wide", width=28),
            Column("risk_if_wrong", "Risk if wrong", "wide", width=40),
            Column("owner", "Owner", width=24),
        ),
        note="What each headline metric means, what proves it, and what happens if it is wrong",
        sheet=sheet,
        sheet_only_if_there=True,
    )
