"""Restatement: what changed since a signed version, row by row, adding up to the change of each total exactly.

Belongs here: comparing two versions of signed tables. Does not belong here: reading them, why the content changed
(``sign_off.reopened_because``).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from revenue_integrity.model.signed import SignedTable
from revenue_integrity.output import plain, text

COLUMNS = ("book", "month", "from_version", "dataset", "key", "measure", "old", "new", "delta", "cause", "batches")
"""Columns of the dataset ``restatement``: one row per row and measure that changed; amounts in the unit of the measure."""


def changes(
    signed: Sequence[SignedTable], old: Mapping[str, pd.DataFrame], new: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, Any]]:
    """Yield each changed measure of each row: a row that is not there counts as 0."""
    for each in signed:
        yield from _changes_of(each, old[each.table.name], new[each.table.name])


def _changes_of(signed: SignedTable, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[dict[str, Any]]:
    key, measures = list(signed.table.key), list(signed.measures)
    rows = _chosen(signed, old).merge(_chosen(signed, new), on=key, how="outer", suffixes=("_old", "_new"), indicator=True)
    rows = rows.sort_values(key, kind="stable")
    for measure in measures:
        before, after = rows[f"{measure}_old"], rows[f"{measure}_new"]
        zero_before, zero_after = before.where(before.notna(), 0), after.where(after.notna(), 0)
        for position in (zero_before != zero_after).to_numpy().nonzero()[0]:
            was, became = zero_before.iloc[position], zero_after.iloc[position]
            names = {name: text(plain(rows[name].iloc[position])) for name in key if name != "month"}
            yield {
                "dataset": signed.table.name,
                "key": json.dumps(names, sort_keys=True, ensure_ascii=False),
                "measure": measure,
                "old": was,
                "new": became,
                "delta": became - was,
            }


def _chosen(signed: SignedTable, rows: pd.DataFrame) -> pd.DataFrame:
    if signed.only is not None:
        column, value = signed.only
        rows = rows[rows[column] == value]
    chosen = rows[[*signed.table.key, *signed.measures]].copy()
    for measure in signed.measures:
        # A missing row becomes null in the comparison; integers must stay integers beside it.
        if pd.api.types.is_integer_dtype(chosen[measure]):
            chosen[measure] = chosen[measure].astype("Int64")
    return chosen
