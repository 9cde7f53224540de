"""Databases as sources: a query streamed into one Parquet file, landed as one batch.

Belongs here: connecting, streaming, what a pull has to remember. Does not belong here: what the rows must be (``reading``),
when pulls happen (``orchestration.pulls``).

An incremental pull reads the greatest cursor value first and takes the rows up to it, from a little before where the last pull
ended: ``cursor > last - overlap and cursor <= boundary``. The boundary is closed, so that rows with an equal value are never
missed; the overlap brings rows again that were committed late, and ingestion counts them as duplicates. A lost row is worse.
Where the last pull ended is written only after its batch stands in the landing zone: an interrupted pull lands nothing and
forgets nothing. Passwords come from a variable, a mounted file or a command, and no message repeats one.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from revenue_integrity.databases import CONNECT_SECONDS, masked, reason_of, resolve_url
from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.files import unfinished, write_whole
from revenue_integrity.landing.asking import (
    WRITES_ARE_NOT_REFUSED,
    as_reader,
    connect_arguments,
    one_query,
    read_only,
    reads_alone,
)
from revenue_integrity.landing.reading.inspection import sha256_of
from revenue_integrity.landing.reading.layout import layout_of
from revenue_integrity.landing.zone import Landed, land
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings

_ROWS = 5_000
"""Rows fetched and written at once: some megabytes, enough that the calls cost nothing."""

_CONNECT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "postgresql": {"connect_timeout": CONNECT_SECONDS, "application_name": "revenue-integrity"},
}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{6})?")


@dataclass(frozen=True)
class Pulled:
    """What a pull brought.

    Attributes:
        landed: the batch; ``None`` if there was no row, or the rows are those of the batch landed last.
        rows: rows read.
        boundary: the greatest cursor value that was read up to, as text; empty without a cursor.
        warning: what whoever runs the database should know; empty where there is nothing.
    """

    landed: Landed | None
    rows: int
    boundary: str = ""
    warning: str = ""


@dataclass(frozen=True)
class State:
    """What a pull remembers.

    Attributes:
        origin: digest of database, table or query and cursor: another origin is pulled from its beginning.
        kind: kind of the cursor's values; empty without a cursor.
        value: the cursor value that was reached.
        batch_id: the batch that was landed last.
        content: digest of its rows, to notice that the next pull would land the very same.
    """

    origin: str
    kind: str
    value: Any
    batch_id: str
    content: str

    def write(self, path: Path) -> None:
        """Write it in one step."""
        held = {**vars(self), "value": _text_of(self.value)}
        write_whole(path, json.dumps(held) + "\n")

    @classmethod
    def read(cls, path: Path, origin: str) -> "State | None":
        """Return what a state file holds, or ``None`` if there is none of this origin.

        Raises:
            LandingError: the file cannot be read.
        """
        if not path.exists():
            return None
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            state = cls(**{**held, "value": _VALUES[held["kind"]](held["value"])})
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise LandingError(
                f"the state of the pull {path} cannot be read ({type(error).__name__})",
                "Delete it to pull everything again: duplicates are counted, nothing is lost",
            ) from error
        return state if state.origin == origin else None


_VALUES: dict[str, Any] = {
    "": str,
    "int": int,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "text": str,
}


def _text_of(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _kind_of(value: Any) -> str:
    match value:
        case bool():
            return ""
        case int():
            return "int"
        case Decimal():
            return "decimal"
        case datetime():
            return "datetime"
        case date():
            return "date"
        case str() if _ISO.fullmatch(value):
            # SQLite has no type of its own for instants.
            return "text"
        case _:
            return ""


def state_path(settings: Settings, source: Source) -> Path:
    """Return the file that remembers where the last pull of a source ended."""
    return settings.home / "pulls" / f"{source.stream}-{source.name}.json"


def engine_of(url: URL) -> Engine:
    """Return an engine for a URL; nothing is connected yet.

    Raises:
        UsageError: the database is not supported, or its driver is not installed.
    """
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and url.database != ":memory:" and not Path(url.database).is_file():
        # The driver would make an empty database.
        raise LandingError(f"there is no database {url.database}", "Name a file that exists")
    extra = {"postgresql": "postgres", "mssql": "sqlserver"}.get(backend)
    arguments = {"connect_args": _CONNECT_ARGUMENTS.get(backend, {})} | connect_arguments(url)
    try:
        return sa.create_engine(as_reader(url), hide_parameters=True, **arguments)
    except (NoSuchModuleError, ImportError, ArgumentError) as error:
        step = f"Install revenue-integrity[{extra}]" if extra else "Use postgresql, mssql or sqlite"
        raise UsageError(f"there is no driver for {url.drivername}", step) from error


@contextmanager
def _explained(url: URL, source: Source) -> Iterator[None]:
    """Turn what a database says into one line without a secret."""
    try:
        yield
    except SQLAlchemyError as error:
        raise LandingError(
            f"pulling {source.stream} {source.name} from {masked(url)} failed: {reason_of(error, url)}",
            "Check address, credentials and query; nothing was landed",
        ) from None


def pull(
    settings: Settings,
    source: Source,
    url: str,
    *,
    table: str | None = None,
    query_file: Path | None = None,
    query: str | None = None,
    cursor: str | None = None,
) -> Pulled:
    """Read a table or a query from a database and land its rows as one batch.

    Args:
        settings: of the deployment; ``pull_overlap_seconds`` and ``pull_overlap_rows`` say how far a pull reaches back.
        source: what the rows are; their column names are those of its contract.
        url: see ``resolve_url``.
        table: the table, with its schema if it needs one. Exactly one of ``table``, ``query_file`` and ``query`` is given.
        query_file: file with the query.
        query: the query; one ``select`` without a semicolon at its end.
        cursor: a column that only grows (an id, an instant of change); without it everything is read.

    Raises:
        UsageError: the URL, the query or the cursor cannot be meant, or the query does more than read.
        LandingError: the database refuses, or its columns are not those of the source; the message holds no secret.
    """
    address = resolve_url(url)
    selected = _selected(table, query_file, query, address.get_backend_name())
    engine = engine_of(address)
    warning = "" if reads_alone(engine) else WRITES_ARE_NOT_REFUSED
    path = state_path(settings, source)
    origin = hashlib.sha256(repr((masked(address), str(selected), cursor)).encode()).hexdigest()
    last = State.read(path, origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished(path.parent, "pulling") as folder:
            file = folder / f"{source.name}.parquet"
            with _explained(address, source), _snapshot(engine) as connection:
                reached = _boundary(connection, selected, cursor) if cursor else None
                if cursor and reached is None:
                    return Pulled(None, 0, warning=warning)
                statement = _statement(connection, selected, cursor, last, reached, settings)
                rows = _stream(connection, statement, source, file)
            boundary = _text_of(reached) if cursor else ""
            content = sha256_of(file)
            known = last is not None and last.content == content and (settings.landing_path / last.batch_id).is_dir()
            landed = land(settings, source, [file]) if rows and not known else None
    except OSError as error:
        raise LandingError(f"the rows cannot be written: {error}", "Make room and pull again; nothing was landed") from error
    finally:
        engine.dispose()
    if landed:
        # What was deleted in the database meanwhile must not move the state back.
        kind = _kind_of(reached) if cursor else ""
        furthest = max(reached, last.value) if cursor and last and last.kind == kind else reached
        State(origin, kind, furthest if cursor else "", landed.batch_id, content).write(path)
    return Pulled(landed, rows, boundary, warning)


def _selected(table: str | None, query_file: Path | None, query: str | None, backend: str) -> str | sa.TableClause:
    if sum(each is not None for each in (table, query_file, query)) != 1:
        raise UsageError("a pull reads either a table or a query", "Name exactly one of --table and --query")
    if table is not None:
        schema, _, bare = table.rpartition(".")
        return sa.table(bare, schema=schema or None)
    if query_file is not None:
        try:
            query = query_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the query {query_file} cannot be read ({error})", "Name a file that holds one select") from error
    return one_query(query or "", backend)


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """Connect for reading; where the database can, boundary and rows come from one snapshot and nothing can be written."""
    with engine.connect() as connection:
        yield read_only(connection)


def _sql(connection: Connection, selected: str | sa.TableClause) -> str:
    """Return what is selected as SQL that can stand behind ``from``."""
    if isinstance(selected, str):
        return f"({_literal(selected)}\n) pulled"
    return _literal(connection.dialect.identifier_preparer.format_table(selected))


def _literal(sql: str) -> str:
    # A colon in a person's query is theirs, not the name of a parameter of ours.
    return sql.replace(":", "\\:")


def _quoted(connection: Connection, column: str) -> str:
    # As the person wrote it: the database folds its case as it does in their queries.
    return _literal(connection.dialect.identifier_preparer.quote(column))


def _boundary(connection: Connection, selected: str | sa.TableClause, cursor: str) -> Any:
    """Return the greatest cursor value, or ``None`` if there is no row.

    Raises:
        UsageError: a value is missing, or cannot be followed.
    """
    column, relation = _quoted(connection, cursor), _sql(connection, selected)
    without = connection.execute(sa.text(f"select count(*) from {relation} where {column} is null")).scalar()
    if without:
        raise UsageError(
            f"the cursor {cursor} is empty in {without} rows, which would never be pulled", "Choose a column that each row has"
        )
    value = connection.execute(sa.text(f"select max({column}) from {relation}")).scalar()
    if value is not None and not _kind_of(value):
        raise UsageError(
            f"the cursor {cursor} holds {type(value).__name__} values such as {str(value)[:40]}, which cannot be followed",
            "Choose a column of whole numbers, dates or instants",
        )
    return value


def _statement(
    connection: Connection,
    selected: str | sa.TableClause,
    cursor: str | None,
    last: State | None,
    reached: Any,
    settings: Settings,
) -> sa.Executable:
    """Return the select of the rows up to the boundary, from a little before where the last pull ended."""
    if cursor is None:
        return sa.text(_literal(selected) if isinstance(selected, str) else f"select * from {_sql(connection, selected)}")
    column, relation = _quoted(connection, cursor), _sql(connection, selected)
    conditions, parameters = [f"{column} <= :boundary"], {"boundary": reached}
    # Values of another kind cannot be compared with those of the last pull: everything is read again.
    if last is not None and last.kind == _kind_of(reached):
        conditions.append(f"{column} > :after")
        parameters["after"] = _before(last, settings)
    select = sa.text(f"select * from {relation} where {' and '.join(conditions)} order by {column}")
    return select.bindparams(**parameters)


def _before(last: State, settings: Settings) -> Any:
    """Return the value that the overlap begins behind."""
    overlap = timedelta(seconds=settings.pull_overlap_seconds)
    match last.kind:
        case "datetime":
            return last.value - overlap
        case "date":
            # Rows of the last day itself may have come after the pull.
            return last.value - timedelta(days=1) - overlap
        case "text":
            begin = datetime.fromisoformat(last.value) - overlap
            precision = "microseconds" if "." in last.value else "seconds"
            return begin.isoformat(last.value[10], precision)
        case _:
            return last.value - settings.pull_overlap_rows


def _stream(connection: Connection, statement: sa.Executable, source: Source, file: Path) -> int:
    """Write all rows into a Parquet file, never more than some thousands at once; return how many there were."""
    result = connection.execution_options(stream_results=True, max_row_buffer=_ROWS).execute(statement)
    header = list(result.keys())
    layout = layout_of(source, header)
    if layout.problem:
        raise LandingError(
            f"the query for {source.stream} {source.name} {layout.problem} (it has: {', '.join(header)})",
            "Select the columns under the names of the contract (select their_name as our_name)",
        )
    kinds = dict.fromkeys(header, "")
    kinds |= {
        header[place]: column.kind for column, place in zip(source.columns, layout.positions, strict=True) if place is not None
    }
    rows = 0
    # Everything is written as the text that CSV would hold: one parser judges all formats, and no type can lose a digit.
    schema = pa.schema([(column, pa.string()) for column in header])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for chunk in result.partitions(_ROWS):
            rows += len(chunk)
            columns = list(zip(*chunk, strict=True))
            arrays = [
                pa.array(_texts(values, kinds[name], name), pa.string()) for name, values in zip(header, columns, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
    return rows


def _texts(values: Sequence[Any], kind: str, column: str) -> list[str | None]:
    """Return the values of one column as contract texts.

    Raises:
        LandingError: a number comes as floating point, or bytes come at all.
    """
    types = {type(value) for value in values}
    types.discard(type(None))
    if types <= {str}:
        return list(values)
    if float in types and kind in ("dec", "money", "int"):
        raise LandingError(
            f"the column {column} is floating point, which is not exact",
            f"Select it as cast({column} as decimal(18,6)), or as decimal(15,2) for money",
        )
    if types & {bytes, memoryview, bytearray}:
        raise LandingError(f"the column {column} holds bytes", "Select it as text, or leave it out")
    to_text = _plain_text
    if types <= {date, datetime}:
        to_text = {"month": _month_text, "date": _day_text}.get(kind, _plain_text)
    return [None if value is None else to_text(value) for value in values]


def _month_text(value: date) -> str:
    # A service month is kept as the date of its first day; any other day is told as it is, and refused later.
    return value.strftime("%Y-%m") if value.day == 1 else str(value)


def _day_text(value: date) -> str:
    # Many schemas keep days as instants at midnight; any other instant is told as it is, and refused later.
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time():
        return value.date().isoformat()
    return value.isoformat()


def _plain_text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)
