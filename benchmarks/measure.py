"""Measuring a piece of work in a process of its own: CPU seconds of its process tree, wall, peak memory.

Belongs here: starting a piece several times, medians. Does not belong here: what a piece does (``whole``, each stream's
``pieces``). A piece is a function at the top of its module; its arguments are texts, and what it returns are facts for the
report. `python -m benchmarks.measure MODULE:NAME argument=value …` is its process.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from revenue_integrity import process
from revenue_integrity.errors import RevenueIntegrityError

if TYPE_CHECKING:
    import duckdb


Piece = Callable[..., dict[str, Any]]


class PieceError(RevenueIntegrityError):
    """A measured piece ended with an error."""


@dataclass(frozen=True)
class Figures:
    """What a piece cost.

    Attributes:
        cpu_seconds: user and system time of the process and of all that it started and waited for.
        wall_seconds: from start to end.
        peak_mb: the largest resident set of any one process of the tree, in MB (10^6 bytes).
        facts: what the piece itself reported.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    facts: dict[str, Any]


def run_piece(piece: Piece, **arguments: object) -> Figures:
    """Run a piece once: its process imports the module of the piece, and nothing else of the benchmarks.

    Raises:
        PieceError: it ended with an error.
    """
    name = f"{piece.__module__}:{piece.__name__}"
    command = [sys.executable, "-m", "benchmarks.measure", name, *(f"{key}={value}" for key, value in arguments.items())]
    # A setting of the caller's would change what is measured; and where bytecode may not be written, each measurement would
    # compile the sources first, which whoever has the program installed does once.
    left_out = ("REVENUE_INTEGRITY_", "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as started:
        assert started.stdout is not None
        out = started.stdout.read()
        # Unlike the figures of all children, those of `wait4` are of this one and of what it waited for.
        _, status, usage = os.wait4(started.pid, 0)
        wall = time.perf_counter() - begin
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise PieceError(f"the piece {name} ended with exit code {started.returncode}", "See its output above")
    facts = json.loads(out.splitlines()[-1]) if out.strip() else {}
    # Linux counts kilobytes of 1024 bytes, macOS bytes.
    scale = 1 if sys.platform == "darwin" else 1024
    return Figures(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * scale / 1e6, facts)


def median_figures(found: Sequence[Figures]) -> Figures:
    """Return the median of each figure, and of the facts that are measures, with the other facts of the last."""

    def median(figure: str) -> float:
        return statistics.median(getattr(each, figure) for each in found)

    numbers = {
        key: statistics.median(each.facts[key] for each in found)
        for key, value in found[-1].facts.items()
        if isinstance(value, float)
    }
    return Figures(median("cpu_seconds"), median("wall_seconds"), median("peak_mb"), found[-1].facts | numbers)


def repeat_piece(piece: Piece, times: int, **arguments: object) -> Figures:
    """Run a piece several times and return the medians."""
    return median_figures([run_piece(piece, **arguments) for _ in range(times)])


def engine(database: str = ":memory:") -> "duckdb.DuckDBPyConnection":
    """Open DuckDB for what is compared with the product: a thread for each processor that the process may use.

    By itself it counts those of the machine, so that it would be measured under conditions that no machine of that size has.
    """
    import duckdb

    return duckdb.connect(database, config={"threads": process.processors()})


def main(arguments: Sequence[str]) -> None:
    """Run the piece that the command line of this process names, and print its facts as one line of JSON."""
    module, _, name = arguments[0].partition(":")
    # As the program itself leaves.
    with process.leaving_at_once():
        piece: Piece = getattr(importlib.import_module(module), name)
        print(json.dumps(piece(**dict(argument.split("=", 1) for argument in arguments[1:]))))
        sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
