"""Rows of which one side is missing.

Belongs here: rows with items and nothing due, rows with something due and no item. Does not belong here: what that means.
"""

import pandas as pd

from revenue_integrity.close.causes.explaining import Case


def nothing_due(case: Case) -> pd.DataFrame:
    """Return the open rows that have items on the left and none on the right."""
    rows = case.open_rows
    return rows[rows.index.isin(case.left["row"]) & ~rows.index.isin(case.right["row"])]


def nothing_there(case: Case) -> pd.DataFrame:
    """Return the open rows that have items on the right and none at all on the left."""
    rows = case.open_rows
    return rows[rows.index.isin(case.right["row"]) & ~rows.index.isin(case.left["row"])]
