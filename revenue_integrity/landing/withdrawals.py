"""Deliveries that were wrong and are taken back: which they are, what one would move, and the batch that says so.

Belongs here: these. Does not belong here: the source of withdrawals (``model.withdrawal``), taking rows out of the store
(``merge``, ``ingest``), asking a person (the command line).
"""

import tempfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd

from revenue_integrity import confidential, output
from revenue_integrity.errors import Refusal, UsageError
from revenue_integrity.landing.eventstore.work import events_of
from revenue_integrity.landing.reading.limits import CONTROL
from revenue_integrity.landing.values import name, quote
from revenue_integrity.landing.zone import Landed, land, scan
from revenue_integrity.model.source import Source
from revenue_integrity.model.withdrawal import NAME, WITHDRAWN, source_of
from revenue_integrity.settings import Settings

MOVED = ("month", "rows", "amount", "goes", "stands_again", "moves")
"""Of a withdrawal, per month and amount column: the rows that go, and the amounts in currency units that go and come back."""


def withdrawn(connection: duckdb.DuckDBPyConnection, source: Source) -> list[str]:
    """Return the batches that the rows of a source of withdrawals take back."""
    rows = connection.execute(
        f"select distinct withdrawn_batch_id from raw.{source.dataset} where row_status = 'surviving' order by all"
    ).fetchall()
    return [batch_id for (batch_id,) in rows]


def record(connection: duckdb.DuckDBPyConnection, batch_ids: Sequence[str]) -> None:
    """Put on record that batches count no more. How many rows their files hold stays; the other counts go with the rows."""
    connection.execute(
        "update meta.batches set status = $status, first_status = $status where list_contains($ids, batch_id)",
        {"status": WITHDRAWN, "ids": list(batch_ids)},
    )


def refuse(settings: Settings, source: Source, batch_id: str) -> None:
    """Refuse to take back what is no batch, or a withdrawal.

    Raises:
        UsageError: there is no such batch.
        Refusal: it is a withdrawal.
    """
    if source.name == NAME:
        raise Refusal(f"{batch_id} is a withdrawal, which is not withdrawn", "Land the files again, as a new batch")
    if batch_id not in {batch.batch_id for batch in scan(settings.landing_path, [source]).batches}:
        raise UsageError(f"there is no batch {batch_id}", "Name one as STREAM/SOURCE/ARRIVAL; `export batches` lists them")


def status_of(connection: duckdb.DuckDBPyConnection, batch_id: str) -> str:
    """Return what became of a batch, empty if it was not read yet."""
    known = connection.execute("select 1 from duckdb_tables() where schema_name = 'meta' and table_name = 'batches'").fetchall()
    rows = connection.execute("select status from meta.batches where batch_id = ?", [batch_id]).fetchall() if known else []
    return str(rows[0][0]) if rows else ""


def touched(connection: duckdb.DuckDBPyConnection, batch_id: str) -> list[date]:
    """Return the months that a batch touches: those of its rows, and of the rows that they replaced."""
    rows = connection.execute("select distinct month from meta.batch_months where batch_id = ? order by all", [batch_id])
    return [month for (month,) in rows.fetchall()]


def moved(connection: duckdb.DuckDBPyConnection, source: Source, batch_id: str) -> pd.DataFrame:
    """Return what taking a batch back moves (``MOVED``), of the amounts that the batch itself holds.

    Of rows that stay in files, what had been replaced comes back only when the store is built again: ``stands_again`` is null.
    """
    found = _of_files(connection, source, batch_id) if source.events else _of_tables(connection, source, batch_id)
    return pd.DataFrame(found, columns=list(MOVED))


def _of_files(connection: duckdb.DuckDBPyConnection, source: Source, batch_id: str) -> list[tuple[object, ...]]:
    log = events_of(source).log
    found: list[tuple[object, ...]] = []
    for measure in log.measures:
        rows = connection.execute(
            f"""
            select strftime({name(log.day)}, '%Y-%m') as month, sum(row_count)::BIGINT, sum({name(measure)})
            from {log.schema}.days where batch_id = ? and is_live group by all order by all
            """,
            [batch_id],
        ).fetchall()
        found += [(month, count, measure, amount, None, None) for month, count, amount in rows if amount is not None]
    return found


def _of_tables(connection: duckdb.DuckDBPyConnection, source: Source, batch_id: str) -> list[tuple[object, ...]]:
    amounts = [column.stored for column in source.columns if column.kind == "money"]
    if not amounts or not source.has_month:
        return []
    versions = source.versions
    latest = ", ".join(
        [*([f"{versions.prefer} desc"] if versions.prefer else []), *(f"{name(each)} desc" for each in versions.ordering)]
    )
    stored = (*source.stored, *(["month"] if source.month_of else []), "batch_id", "arrival", "file_name")
    key, columns = ", ".join(map(name, source.key)), ", ".join(map(name, stored))
    sums = ", ".join(f"coalesce(sum({name(each)}), 0)::VARCHAR" for each in amounts)
    mine = f"batch_id = {quote(batch_id)}"
    goes = f"select * from raw.{source.dataset} where {mine} and row_status = 'surviving'"
    back = f"""
        select {columns}, row_number
        from (
            select {columns}, row_number from raw.{source.dataset} where not {mine}
            union all
            select {columns}, row_number from meta.held_{source.dataset} where is_duplicate and not {mine}
        )
        semi join ({goes}) using ({key})
        qualify row_number() over (partition by {key} order by {latest}) = 1
    """

    def added_up(rows: str) -> dict[str, tuple[int, list[Decimal]]]:
        found = connection.execute(f"select strftime(month, '%Y-%m'), count(*), {sums} from ({rows}) group by 1").fetchall()
        return {month: (count, [Decimal(each).scaleb(-2) for each in cents]) for month, count, *cents in found}

    going, coming = added_up(goes), added_up(back)
    nothing = (0, [Decimal("0.00")] * len(amounts))
    found: list[tuple[object, ...]] = []
    for month in sorted({*going, *coming}):
        (count, out), (_, again) = going.get(month, nothing), coming.get(month, nothing)
        found += [
            (month, count, amount, out[place], again[place], again[place] - out[place]) for place, amount in enumerate(amounts)
        ]
    return found


def land_withdrawal(settings: Settings, stream: str, batch_id: str, who: str, reason: str) -> Landed:
    """Land the withdrawal of a batch: a batch as any other, of this instant.

    Raises:
        UsageError: who or why is empty, or holds a control character.
        LandingError: it cannot be landed.
    """
    for what, text in (("who takes it back", who), ("the reason", reason)):
        if not text.strip():
            raise UsageError(f"{what} is empty", "Give both --as and --reason")
        if CONTROL.search(text):
            raise UsageError(f"{what} holds a control character", "Type it as plain text")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "withdrawal.csv")
        with file.open("w", encoding="utf-8", newline="") as opened:
            row = {
                "batch_id": batch_id,
                "reason": confidential.struck(reason, settings),
                "withdrawn_by": confidential.struck(who, settings),
            }
            output.write_csv([row], list(row), opened)
        return land(settings, source_of(stream), [file])
