"""What was restated since a signature, as a signer asks for it: in total, by batch, by whoever has a name; and its sheet.

Belongs here: small frames and listings made from the rows of ``restatement`` of any book. Does not belong here: how two versions
are compared (``close.restatement``), documents behind a restatement (each stream's ``report``), the rest of the view
(``controls``).
"""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from revenue_integrity.exact import added
from revenue_integrity.model.reconciliation import CURRENT
from revenue_integrity.model.report import Card, Column, Format, Listing, Published
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.reports.pack_data import PackData, StreamPart
from revenue_integrity.reports.reconciling import heading_of

_DELTA = (
    Column("dataset", "Dataset", "words"),
    Column("measure", "Measure", "words"),
    Column("rows", "Rows", "integer"),
    Column("delta", "Change", "decimal", by="format"),
)


def _tables(streams: Sequence[Stream]) -> dict[str, Table]:
    return {each.table.name: each.table for stream in streams for each in stream.signed}


def _format(tables: dict[str, Table], dataset: str, measure: str) -> Format:
    """Return how a signed measure is written: by the unit of its column."""
    table = tables.get(dataset)
    unit = table.unit(measure) if table is not None and measure in table.columns else ""
    if unit == "cents" or (not unit and measure.endswith("_cents")):
        return "cents"
    return "cost" if unit == "currency units" else "decimal"


def measured(data: PackData) -> pd.DataFrame:
    """Return the restatement with how each row's amounts are written, by measures as people call them."""
    tables, frame = _tables([part.stream for part in data.parts]), data.restatement
    formats = [_format(tables, dataset, measure) for dataset, measure in zip(frame["dataset"], frame["measure"], strict=True)]
    called = frame["measure"].str.removesuffix("_cents")
    return frame.assign(format=pd.Series(formats, index=frame.index, dtype=object), measure=called)


def in_total(data: PackData) -> pd.DataFrame:
    """Return the change since the signed version per dataset, measure and cause: its total and its rows."""
    return _summed(data.restatement, [part.stream for part in data.parts], ["cause"])


def _summed(rows: pd.DataFrame, streams: Sequence[Stream], by: Sequence[str]) -> pd.DataFrame:
    """Return changes added up per dataset, measure and some columns, the largest first."""
    found: list[dict[str, Any]] = []
    tables = _tables(streams)
    keys = [*by, "dataset", "measure"]
    viewed = rows.assign(view=[_view(key) for key in rows["key"]])
    for names, mine in viewed.groupby([*keys, "view"], sort=True, dropna=False) if len(rows) else ():
        said = dict(zip([*keys, "view"], names, strict=True))
        view = said.pop("view")
        delta = added(mine["delta"].dropna().astype(object).tolist())
        written = _format(tables, str(said["dataset"]), str(said["measure"]))
        # The amount beside it is in units of the currency.
        called = str(said["measure"]).removesuffix("_cents") + (f"_{view}" if view else "")
        found.append(said | {"measure": called, "rows": len(mine), "delta": delta, "format": written, "size": abs(delta)})
    return pd.DataFrame(found, columns=[*keys, "rows", "delta", "format", "size"], dtype=object)


RESTATED = Listing(
    "Changes since the signed version",
    "restated",
    (Column("cause", "Cause", "words"), *_DELTA),
    first=0,
    order=("cause", "dataset", "measure"),
    empty="Nothing changed since a signed version.",
)


def details(part: StreamPart) -> tuple[Card, ...]:
    """Return what was restated of a stream by batch, and by each thing that has a name; nothing where nothing was."""
    if part.published.restatement is None or part.published.restatement.empty:
        return ()
    named = [(column, dataset, key, name) for column, dataset, key, name in part.report.names if _has(part, column)]
    found = [_by_batch(part), *(_by_name(part, *each) for each in named)]
    return tuple(Card(each.title, (each,), wide=True) for each in found)


def _view(key: str) -> str:
    """Return the view of a row that is no present one: the same difference seen twice is never added up."""
    view = str(json.loads(key).get("view", ""))
    return "" if view == CURRENT else view


def _keys(part: StreamPart, published: Published) -> list[dict[str, Any]]:
    """Return the keys of what changed; those of a reconciliation with what they name: its row is named by a list."""
    assert published.restatement is not None
    found = [json.loads(key) for key in published.restatement["key"]]
    recons = part.stream.reconciliations
    if recons is None:
        return found
    of_row = [dict(zip(recons.grain, json.loads(key["row_key"]), strict=False)) if "row_key" in key else {} for key in found]
    return [key | named for key, named in zip(found, of_row, strict=True)]


def _has(part: StreamPart, column: str) -> bool:
    return any(key.get(column) is not None for key in _keys(part, part.published))


def _by_batch(part: StreamPart) -> Listing:
    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.restatement
        if frame is None:
            return None
        batches = [", ".join(json.loads(each)) if isinstance(each, str) and each else "" for each in frame["batches"]]
        return _summed(frame.assign(batch=batches), [part.stream], ["batch"])

    return Listing(
        "Restated by batch",
        rows,
        (Column("batch", "Batches", "wide"), *_DELTA),
        note="Which deliveries changed what; where a row does not carry its batch, all that are new since the signature.",
        what="changes",
        order=("-size", "batch", "dataset", "measure"),
    )


def _by_name(part: StreamPart, column: str, dataset: str, key: str, name: str) -> Listing:
    heading = heading_of(column)

    def rows(published: Published) -> pd.DataFrame | None:
        frame = published.restatement
        if frame is None:
            return None
        known = published.names(dataset, key, name)
        ids = [each.get(column) for each in _keys(part, published)]
        shown = [None if each is None else known.get(str(each), str(each)) for each in ids]
        mine = frame.assign(shown=pd.Series(shown, index=frame.index, dtype=object))
        return _summed(mine[mine["shown"].notna()], [part.stream], ["shown"])

    return Listing(
        f"Restated by {heading.lower()}",
        rows,
        (Column("shown", heading), *_DELTA),
        note=f"Changes of rows that name a {heading.lower()}.",
        what="changes",
        order=("-size", "shown", "dataset", "measure"),
    )


def restatement_sheet() -> Listing:
    """Return the sheet of what changed since a signed version."""
    return Listing(
        "Restatement",
        "restatement",
        (
            Column("dataset", "Dataset", "words", width=22),
            Column("measure", "Measure", "words", width=24),
            Column("key", "Key", "evidence", width=50),
            Column("from_version", "From version", "integer"),
            Column("old", "Signed", "decimal", by="format"),
            Column("new", "Now", "decimal", by="format"),
            Column("delta", "Change", "decimal", by="format"),
            Column("cause", "Cause", "words", width=12),
            Column("batches", "Batches", "evidence"),
        ),
        note="What changed since a signed version; amounts are in units of the currency",
        sheet="Restatement",
    )
