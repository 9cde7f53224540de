"""Columns that were renamed: how published files carry the former name for one release, and how older files are read.

Belongs here: adding the copies, and reading rows of either release under the names of today (``Table.formerly``). Does not belong
here: which columns were renamed (each stream's ``schemas``), which names a signature was given for (``model.signed``).
"""

import pyarrow as pa
import pyarrow.compute as pc

from revenue_integrity.model.table import Table


def with_former_names(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows with a copy of each renamed column under its former name, last: for readers that do not know the new one."""
    for name, former in table.formerly.items():
        rows = rows.append_column(former, rows.column(name))
    return rows


def with_present_names(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows of published files, of this release or the one before, under the names of today alone."""
    for name, former in table.formerly.items():
        if former not in rows.schema.names:
            continue
        held = rows.column(former)
        if name in rows.schema.names:
            # Files of both releases together: each row has its value under one of the names at least.
            held = pc.coalesce(rows.column(name), held)
            rows = rows.drop_columns([name])
        rows = rows.set_column(rows.schema.names.index(former), name, held)
    return rows.select([name for name in table.columns if name in rows.schema.names]) if table.formerly else rows


def as_formerly_named(table: Table) -> Table:
    """Return a table as the release before declared it, to judge files that it wrote."""
    return table.renamed(table.formerly)
