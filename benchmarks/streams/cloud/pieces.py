"""The pieces of the cloud stream that are measured, each in a process of its own.

Belongs here: one function per piece; what it returns are facts for the report. Does not belong here: what is compared with
what (``benchmark``).
Libraries are imported by the pieces that need them: what merely groups a file must not pay for more.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import PieceError, engine
from benchmarks.streams.cloud import data as events
from revenue_integrity import process


def day_file(data: str, rows: str, form: str) -> dict[str, Any]:
    """Write the events of one day."""
    return {"file": str(events.day_file(Path(data), int(rows), form))}


def history(data: str, rows: str) -> dict[str, Any]:
    """Write a history of 90 days."""
    return {"landing": str(events.history_folder(Path(data), int(rows)))}


def group_by_event(file: str) -> dict[str, Any]:
    """Merely group a Parquet file by event id."""
    return {"groups": _number(f"select count(*) from (select event_id, count(*) from '{file}' group by event_id)")}


def count_csv(file: str) -> dict[str, Any]:
    """Count the rows of a CSV file."""
    return {"rows": _number(f"select count(*) from read_csv('{file}', all_varchar = true)")}


def scan_csv(file: str) -> dict[str, Any]:
    """Scan every column of a CSV file, as text."""
    read = f"read_csv('{file}', all_varchar = true)"
    with engine() as opened:
        columns = [row[0] for row in opened.execute(f"describe select * from {read}").fetchall()]
        largest = ", ".join(f"max({name})" for name in columns)
        (found,) = opened.execute(f"select count(*), {largest} from {read}").fetchall()
    return {"rows": found[0]}


def _number(query: str) -> int:
    with engine() as opened:
        ((number,),) = opened.execute(query).fetchall()
    return int(number)


def pandas_daily(file: str, out: str) -> dict[str, Any]:
    """Compute the daily account cost with pandas."""
    from benchmarks.streams.cloud import naive

    naive.run_pandas(Path(file), Path(out))
    return {}


def pandas_integers(file: str, out: str) -> dict[str, Any]:
    """Compute the daily account cost with pandas, on integers."""
    from benchmarks.streams.cloud import naive

    naive.run_pandas_on_integers(Path(file), Path(out))
    return {}


def spark_daily(file: str, out: str) -> dict[str, Any]:
    """Compute the daily account cost with Spark in local mode."""
    from benchmarks.streams.cloud import naive

    shutil.rmtree(out, ignore_errors=True)
    try:
        naive.run_spark(Path(file), Path(out))
    finally:
        _await_spark()
    return {}


def spark_start(scratch: str) -> dict[str, Any]:
    """Start Spark in local mode and end it."""
    from benchmarks.streams.cloud import naive

    try:
        naive.start_spark(Path(scratch))
    finally:
        _await_spark()
    return {}


def run_months(home: str, first: str, last: str, **more: str) -> dict[str, Any]:
    """Run the cloud stream's months from landing to published, as `revenue-integrity run` does before it writes packs.

    Args:
        home: the home, with its landing zone.
        first: first month.
        last: last month.
        more: other settings by their names.

    Raises:
        PieceError: a run failed.
    """
    process.beginning()
    from revenue_integrity.orchestration import runner
    from revenue_integrity.streams.registry import deployment_of, load_settings

    settings = load_settings(home=home, first_month=first, last_month=last, **more)
    try:
        summary = runner.run(deployment_of(settings), None, stream="cloud", say=lambda _: None)
    finally:
        _await_spark()
    if summary.failures:
        raise PieceError(f"a run failed: {'; '.join(summary.failures)}", "See its log in the home")
    return {"runs": summary.runs}


def _await_spark() -> None:
    """End Spark's Java process and wait for it: only what a process waited for counts as its CPU seconds."""
    if "pyspark" not in sys.modules:
        return
    from pyspark import SparkContext

    if SparkContext._active_spark_context is not None:
        SparkContext._active_spark_context.stop()
    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        # Java ends when nobody holds the other end of its input.
        gateway.proc.stdin.close()
        gateway.proc.wait()
