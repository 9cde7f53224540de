"""The rows of a listing as sheet and page show them: chosen, in order, the largest of many, with their totals.

Belongs here: everything between what a listing's rows are and how they are written. Does not belong here: which listings there
are (each stream's ``report``), writing them (``book``, ``tables``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity.model.report import Column, Listing, Published, share_of, total


@dataclass(frozen=True)
class Rows:
    """What a listing shows.

    Attributes:
        columns: its columns, those of sheet and page.
        frame: all its rows, in order.
        totals: the exact sum of each column that is added up, by its field.
    """

    columns: tuple[Column, ...]
    frame: pd.DataFrame
    totals: Mapping[str, Decimal]

    @property
    def has_totals(self) -> bool:
        """Whether any column is added up."""
        return bool(self.totals)

    def of(self, place: str) -> tuple[Column, ...]:
        """Return the columns of the ``sheet``, or of the ``page``."""
        return tuple(column for column in self.columns if column.on in ("both", place))


def rows_of(listing: Listing, published: Published) -> Rows | None:
    """Return what a listing shows of a month, ``None`` where its rows are not available."""
    frame = published.rows(listing.rows)
    if frame is None:
        return None
    for name, value in listing.only.items():
        frame = frame[frame[name] == value]
    columns = tuple(listing.columns(published) if callable(listing.columns) else listing.columns)
    frame = in_order(frame, listing.order)
    counted = frame if not listing.sums else frame[~frame[listing.sums].astype(bool)]
    sums = {column.field: total(counted, column.field) for column in columns if column.total and column.field in frame}
    return Rows(columns, frame, sums)


def in_order(frame: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Return rows as ``Listing.order`` says."""
    if not order or frame.empty:
        return frame
    numbered = frame.reset_index(drop=True)
    keys = pd.DataFrame({f"{at}": _key(numbered, name) for at, name in enumerate(order)})
    ascending = [not name.startswith(("-", "±")) for name in order]
    # Rows that are alike in all of them stay as they came, so that nothing is left to chance.
    places = keys.sort_values([f"{at}" for at in range(len(order))], ascending=ascending, kind="stable").index
    return numbered.reindex(places)


def _key(frame: pd.DataFrame, name: str) -> "pd.Series[Any]":
    values = frame[name.lstrip("-±")]
    return values.map(lambda value: None if pd.isna(value) else abs(value)) if name.startswith("±") else values


def share(column: Column, totals: Mapping[str, Decimal]) -> Decimal | None:
    """Return the total of a column of shares: the total of the one over that of the other."""
    part, whole = column.share or ("", "")
    return share_of(totals.get(part), totals.get(whole))


def with_rest(listing: Listing, rows: Rows) -> tuple[pd.DataFrame, int]:
    """Return the rows of the sheet, of more than it holds the first and the rest in sums; and how many are in sums."""
    frame = rows.frame
    if not listing.most or len(frame) <= listing.most:
        return frame, 0
    rest = frame.iloc[listing.most :]
    groups = rest.groupby(list(listing.rest_by), sort=True, dropna=False) if listing.rest_by else [((), rest)]
    others = [
        dict(zip(listing.rest_by, names, strict=True))
        | {listing.rest_in: f"{len(found):,} others"}
        | {name: _sum_of(found, name) for name in rows.totals}
        for names, found in groups
    ]
    kept = pd.concat([frame.iloc[: listing.most].astype(object), pd.DataFrame(others, dtype=object)], ignore_index=True)
    return kept.reindex(columns=list(frame.columns)), len(rest)


def _sum_of(frame: pd.DataFrame, name: str) -> Decimal | None:
    return total(frame, name) if frame[name].notna().any() else None
