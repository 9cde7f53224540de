"""Spark as the engine of a stage: the same inputs, the same SQL, the same rows.

Belongs here: the one Spark session of a process, and running a stage in it. Does not belong here: what may stand in SQL that
Spark runs (``portable``), any stage (each stream).

Spark reads event files where they stand, and what the warehouse gives from temporary Parquet; its result comes back the same way.
On a cluster, the home must therefore stand at the same path on every node.
"""

import atexit
import logging
import os
import shutil
import tempfile
import threading
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import duckdb

from revenue_integrity import process
from revenue_integrity.errors import RevenueIntegrityError, SettingsError, WarehouseError
from revenue_integrity.model.query import Query
from revenue_integrity.model.stage import ScannedFile, StageInputs
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.portable import projection_to_spark, to_spark
from revenue_integrity.warehouse.scanning import scan_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_FIXED = {
    # What overflows, or cannot be converted, is an error and never a null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    # Days before 1582 are the same days in every engine.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}
"""Configuration that the result depends on; nobody sets it otherwise."""

_DEFAULTS = {
    "spark.master": "local[*]",
    "spark.app.name": "revenue-integrity",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # No checksum files beside landed files, and names that hold a colon can be read.
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
}
"""Configuration that ``spark_config`` may replace."""

_LOCAL_DEFAULTS = {
    # Nobody else talks to a local session; and the name of the machine need not resolve.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # The default of 200 is made for clusters: a task costs some milliseconds.
    "spark.sql.shuffle.partitions": str(2 * process.processors()),
}
"""What replaces Spark's defaults where its master is this process."""

_QUIET_LOG = """\
rootLogger.level = off
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = off
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
"""
"""Log configuration of the driver: what fails is thrown, and told once; the rest is advice."""

_INSTALL = "Install it: pip install 'revenue-integrity[spark]', and Java 17 or newer; or set engine to duckdb."

_EXCHANGED = {"VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
"""Types, beside decimals, that both engines read alike in Parquet; DuckDB writes a HUGEINT as a float, for example."""

_DUCKDB_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}
"""What Spark's types are called in DuckDB, where the name is another one."""

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
"""Integers by width: Spark counts rows in narrower ones than DuckDB, which loses nothing."""

_OURS = "engine-spark-"
"""Begin of the names of our temporary directories; Spark may be told to make its own beside them."""

_one_at_a_time = threading.Lock()
_session: "tuple[SparkSession, Mapping[str, str]] | None" = None


class SparkEngine:
    """Runs stages on Spark."""

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.home / "tmp"
        self._config = _configuration(settings.spark_config)

    def run(self, connection: duckdb.DuckDBPyConnection, sql: str, inputs: StageInputs) -> Query:
        """Compute the stage now; return a query over its rows, which stand in temporary files as long as the connection does.

        Raises:
            RevenueIntegrityError: Spark or Java is missing.
            SettingsError: ``spark_config`` holds what cannot be set.
            WarehouseError: the SQL leaves the portable subset, a type cannot be carried over, or Spark failed.
        """
        statement = to_spark(sql, name="the stage")
        columns = _result_types(connection, sql, inputs)
        with _one_at_a_time:
            session = _session_for(self._config, self._directory)
            exchange = _exchange_directory(self._directory, connection)
            with _clear_failures():
                try:
                    _register_inputs(session, connection, inputs, exchange)
                    rows = _write(session, statement, columns, exchange / "result")
                finally:
                    for name in [*inputs.scans, *inputs.tables, *inputs.views]:
                        session.catalog.dropTempView(name)
        for name in inputs.tables:
            shutil.rmtree(exchange / name)
        return _read_back(connection, exchange / "result", columns, rows)


def _configuration(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return Spark's whole configuration: ours where the result depends on it, else what was chosen, else the defaults."""
    for name, value in chosen.items():
        if not name.startswith("spark."):
            raise SettingsError(
                f"spark_config: {name} is no setting of Spark", "Names begin with spark. (for example spark.master)."
            )
        if name in _FIXED and value != _FIXED[name]:
            raise SettingsError(f"spark_config: {name} must be {_FIXED[name]}, results depend on it", "Leave it out.")
    local = chosen.get("spark.master", _DEFAULTS["spark.master"]).startswith("local")
    return {**_DEFAULTS, **(_LOCAL_DEFAULTS if local else {}), **chosen, **_FIXED}


def _session_for(config: Mapping[str, str], directory: Path) -> "SparkSession":
    """Return the session of this process; it is started anew only where its configuration changed."""
    global _session
    if _session is not None and (_session[1] != config or _session[0].sparkContext._jsc is None):
        stop()
    if _session is None:
        _session = _started(config, directory), config
    return _session[0]


@atexit.register
def stop() -> None:
    """End the session of this process, if there is one; executors of a cluster leave with it."""
    global _session
    if _session is not None:
        _session[0].stop()
        _session = None


def _started(config: Mapping[str, str], directory: Path) -> "SparkSession":
    try:
        from pyspark.errors import PySparkException, PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise RevenueIntegrityError("Spark is not installed", _INSTALL) from error
    java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else Path("java")
    if shutil.which(java) is None:
        raise RevenueIntegrityError("Spark needs Java, which is missing", _INSTALL)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{_OURS}{os.getpid()}-", dir=directory) as start:
        log = Path(start, "log4j2.properties")
        log.write_text(_QUIET_LOG)
        options = f"-Dlog4j2.configurationFile={log.as_uri()} {config.get('spark.driver.extraJavaOptions', '')}".strip()
        # It prints the stack of what is thrown as well.
        logging.getLogger("SQLQueryContextLogger").disabled = True
        builder = SparkSession.builder.config(map=dict(config)).config("spark.driver.extraJavaOptions", options)
        try:
            return builder.getOrCreate()
        except PySparkRuntimeError as error:
            raise RevenueIntegrityError("Spark could not be started: Java ended at once", _INSTALL) from error
        except (PySparkException, _java_error()) as error:
            raise WarehouseError(f"Spark could not be started: {_first_line(error)}", "Check spark_config.") from error


def _java_error() -> type[Exception]:
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]  # ships no type information

    return Py4JError


@contextmanager
def _clear_failures() -> Iterator[None]:
    """Tell what Spark throws as one line."""
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, _java_error()) as error:
        raise WarehouseError(
            f"Spark failed: {_first_line(error)}", "Nothing was written; mend the cause, or set engine to duckdb."
        ) from error


def _first_line(error: Exception) -> str:
    """Return the sentence that tells the cause; what Java throws names its class before, and a stack behind it."""
    java = getattr(error, "java_exception", None)
    text = str(java.getMessage()) if java is not None else str(error)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)


def _exchange_directory(parent: Path, connection: duckdb.DuckDBPyConnection) -> Path:
    """Return a new directory that goes when the connection does, at the latest when the process ends."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_OURS}*-*"):
        if not _runs(left.name.removeprefix(_OURS).split("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
    directory = parent / f"{_OURS}{os.getpid()}-{uuid.uuid4().hex}"
    directory.mkdir()
    weakref.finalize(connection, shutil.rmtree, directory, ignore_errors=True)
    return directory


def _runs(pid: str) -> bool:
    """Return whether a process runs: one that was killed took nothing away behind itself."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _result_types(connection: duckdb.DuckDBPyConnection, sql: str, inputs: StageInputs) -> dict[str, str]:
    """Return what columns and types DuckDB gives to the stage, over inputs without rows."""
    relations = {name: scan_sql((), inputs.empty[name]) for name in inputs.scans}
    relations |= {name: f"select * from ({select}) where false" for name, select in inputs.tables.items()}
    relations |= inputs.views
    try:
        for name, select in relations.items():
            connection.execute(f"create or replace temp view {name} as {select}")
        return _types(connection, sql)
    finally:
        for name in reversed(relations):
            connection.execute(f"drop view if exists temp.{name}")


def _types(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    return {name: sql_type for name, sql_type, *_ in connection.execute(f"describe {sql}").fetchall()}


def _register_inputs(session: "SparkSession", connection: duckdb.DuckDBPyConnection, inputs: StageInputs, exchange: Path) -> None:
    for name, files in inputs.scans.items():
        _scan(session, connection, name, files, inputs.empty[name], exchange).createOrReplaceTempView(name)
    for name, select in inputs.tables.items():
        for column, sql_type in _types(connection, select).items():
            if sql_type not in _EXCHANGED and not sql_type.startswith("DECIMAL("):
                raise WarehouseError(f"{name}.{column}: {sql_type} cannot be carried to Spark", "Cast it in the stage's inputs.")
        (exchange / name).mkdir()
        target = _quoted(exchange / name / "data.parquet")
        connection.execute(f"copy ({select}) to {target} (format parquet)").fetchall()
        _parquet(session, [exchange / name / "data.parquet"]).createOrReplaceTempView(name)
    for name, view in inputs.views.items():
        session.sql(to_spark(view, name=name)).createOrReplaceTempView(name)


def _parquet(session: "SparkSession", paths: Sequence[Path]) -> "DataFrame":
    # A landed file may be named with signs that mean a pattern to Spark; without the second option it reads such files once for
    # each file of the list.
    reader = session.read.option("__globPaths__", "false").option("recursiveFileLookup", "true")
    return reader.parquet(*[f"file:{path.absolute()}" for path in paths])


def _scan(
    session: "SparkSession",
    connection: duckdb.DuckDBPyConnection,
    name: str,
    files: Sequence[ScannedFile],
    empty: Mapping[str, str],
    exchange: Path,
) -> "DataFrame":
    """Return the rows of the files: one read for all that are alike."""
    if not files:
        return session.sql(to_spark(scan_sql((), empty), name=name))
    shapes = _shapes(connection, files)
    alike: dict[tuple[str, str], list[ScannedFile]] = {}
    for file in files:
        alike.setdefault((file.projection, shapes[str(file.path)]), []).append(file)
    groups = enumerate(alike.values())
    first, *others = [_scan_alike(session, name, group, exchange / f"{name}-{number}.parquet") for number, group in groups]
    for other in others:
        first = first.unionAll(other)
    return first


def _shapes(connection: duckdb.DuckDBPyConnection, files: Sequence[ScannedFile]) -> dict[str, str]:
    """Return a text for each file that tells its columns and types: one read takes the types of any one of its files for all."""
    paths = ", ".join(_quoted(file.path) for file in files)
    rows = connection.execute(
        "select file_name, string_agg(concat_ws(' ', name, type, type_length, converted_type, scale, precision, logical_type),"
        f" chr(10) order by name) from parquet_schema([{paths}]) group by file_name"
    ).fetchall()
    return dict(rows)


def _scan_alike(session: "SparkSession", name: str, files: Sequence[ScannedFile], numbering: Path) -> "DataFrame":
    """Return the rows of files that are alike; ``numbering`` is where their numbers are handed over."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyspark.sql.functions import broadcast

    columns = projection_to_spark(files[0].projection, name=name)
    frame = _parquet(session, [file.path for file in files])
    numbers = {str(file.path.absolute()): file.file_no for file in files}
    read = {unquote(urlsplit(uri).path) for uri in frame.inputFiles()}
    if read != set(numbers):
        unread = min(read ^ set(numbers))
        raise WarehouseError(f"Spark does not read {unread}", "Names of files that begin with . or _ are not read: rename it.")
    rows = frame.selectExpr("_metadata.file_path as _file_path", "_metadata.row_index + 1 as row_number", *columns)
    if len(files) == 1:
        number = f"cast({files[0].file_no} as bigint)"
    else:
        # Spark writes a path as file:/… or file:///…, percent-encoded; the files that it listed tell how it encodes.
        encoded = {urlsplit(uri).path: numbers[unquote(urlsplit(uri).path)] for uri in frame.inputFiles()}
        spelled = [(f"{scheme}{path}", number) for path, number in encoded.items() for scheme in ("file:", "file://")]
        columns_of_known = {"_known_path": [path for path, _ in spelled], "_known_no": [number for _, number in spelled]}
        # In a file like all else: rows handed over from Python would need Python on every node.
        pq.write_table(pa.table(columns_of_known), numbering)
        known = _parquet(session, [numbering])
        rows = rows.join(broadcast(known), rows["_file_path"] == known["_known_path"], "left")
        number = "coalesce(_known_no, raise_error(concat('a row of an unknown file: ', _file_path)))"
    names = [column for column in rows.columns if column not in ("_file_path", "_known_path", "_known_no")]
    return rows.selectExpr(f"{number} as file_no", *[f"`{column}`" for column in names])


def _write(session: "SparkSession", statement: str, columns: Mapping[str, str], target: Path) -> int:
    """Write the rows of a statement, which must have the columns and types that DuckDB gives; return how many Spark counted."""
    from pyspark.sql import Observation
    from pyspark.sql.functions import count, lit

    frame = session.sql(statement)
    found = {name: _DUCKDB_TYPES.get(spark_type, spark_type.upper()) for name, spark_type in frame.dtypes}
    if list(found) != list(columns):
        raise WarehouseError(f"Spark gives the columns {', '.join(found)} where DuckDB gives {', '.join(columns)}")
    for name, wanted in columns.items():
        wider = found[name] in _INTEGERS and wanted in _INTEGERS[_INTEGERS.index(found[name]) :]
        if found[name] != wanted and not wider:
            raise WarehouseError(
                f"Column {name}: Spark gives {found[name]} where DuckDB gives {wanted}", "Cast it in the SQL of the stage."
            )
    observation = Observation()
    frame.observe(observation, count(lit(1)).alias("rows")).write.parquet(f"file:{target.absolute()}")
    counted: dict[str, Any] = observation.get
    return int(counted["rows"])


def _read_back(connection: duckdb.DuckDBPyConnection, result: Path, columns: Mapping[str, str], rows: int) -> Query:
    files = ", ".join(_quoted(path) for path in sorted(result.glob("*.parquet")))
    if not files:
        nothing = ", ".join(f'cast(null as {sql_type}) as "{name}"' for name, sql_type in columns.items())
        source = f"select {nothing} where false"
    else:
        # Spark counts rows in narrower integers.
        selected = ", ".join(f'"{name}"::{sql_type} as "{name}"' for name, sql_type in columns.items())
        source = f"select {selected} from read_parquet([{files}], hive_partitioning = false)"
    ((found,),) = connection.execute(f"select count(*) from ({source})").fetchall()
    if found != rows:
        raise WarehouseError(
            f"Spark wrote {rows} rows, and {found} are found",
            "The home must stand at the same path on every node of the cluster.",
        )
    return Query(source)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
