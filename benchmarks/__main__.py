"""`python -m benchmarks [commands|STREAM|STREAM.PART …] [--quick] [--json] [--size PART.SIZE=N]`: measure, show, judge nothing.

Belongs here: the command line, and how figures are shown. Does not belong here: what is measured (`whole`, `streams`).
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import streams, whole
from benchmarks.part import Part, Run
from benchmarks.report import Report
from revenue_integrity import process
from revenue_integrity.errors import RevenueIntegrityError

CORES = 2
"""Cores that everything is measured on: those of the smallest machine that a promise is made for. More threads shift ratios."""

Sizes = Mapping[str, Mapping[str, int]]
"""For each part, its sizes by name."""


def all_parts() -> dict[str, Part]:
    """Return all that can be measured, by the name that the command line has for it."""
    return streams.parts() | {part.name: part for part in whole.PARTS}


def chosen_parts(parts: Mapping[str, Part], names: Sequence[str]) -> list[str]:
    """Return the parts that names stand for: a part, or a stream for all of its own; everything if there is no name.

    Raises:
        KeyError: a name stands for nothing.
    """
    found: list[str] = []
    for name in names or parts:
        meant = [part for part in parts if part == name or part.startswith(f"{name}.")]
        if not meant:
            raise KeyError(name)
        found += [part for part in meant if part not in found]
    return found


def sizes_of(parts: Mapping[str, Part], asked: Sequence[str], *, quick: bool) -> Sizes:
    """Return the sizes of all parts: as declared, but for those that are asked for (``PART.SIZE=N``).

    Raises:
        ValueError: no part has such a size, or it is no number above 0.
    """
    sizes = {name: {size.name: size.quick if quick else size.usual for size in part.sizes} for name, part in parts.items()}
    for each in asked:
        name, _, text = each.partition("=")
        part, _, size = name.rpartition(".")
        if size not in sizes.get(part, {}):
            raise ValueError(f"there is no size '{name}'")
        if not text.isdigit() or int(text) < 1:
            raise ValueError(f"'{each}': a size is a whole number above 0")
        sizes[part][size] = int(text)
    return sizes


def environment(chosen: Sequence[str], sizes: Sizes) -> dict[str, str]:
    """Return what the figures depend on."""
    names = ("duckdb", "pandas", "pyspark", "dagster", "pandera")
    return {
        "python": platform.python_version(),
        "processors": f"{process.processors()} of {os.cpu_count()}",
        **{name: _version(name) for name in names},
        **{name: " ".join(f"{size}={number}" for size, number in sizes[name].items()) for name in chosen},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        # Spark is an extra.
        return "not installed"


def show(report: Report, surroundings: Mapping[str, str]) -> None:
    """Print the figures as tables."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print("  ".join(f"{name} {value}" for name, value in surroundings.items()))
    figures = Table("piece", "CPU s", "wall s", "peak MB", title="CPU seconds of the process tree, wall, peak memory")
    for column in figures.columns[1:]:
        column.justify = "right"
    for name, each in report.pieces.items():
        figures.add_row(name, f"{each.cpu_seconds:.1f}", f"{each.wall_seconds:.1f}", f"{each.peak_mb:.0f}")
    console.print(figures)
    aims = Table("figure", "found", "aim", title="aims")
    for row in report.aims:
        aims.add_row(*row)
    console.print(aims)
    for title, rows in report.tables.items():
        table = Table(*rows[0], title=title)
        for cells in rows:
            table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in cells.values()))
        console.print(table)


def _listed(parts: Mapping[str, Part]) -> str:
    lines = ["parts and their sizes:"]
    for name, part in parts.items():
        lines += [f"  {name}", *(f"    {name}.{size.name}={size.usual}  {size.meaning}" for size in part.sizes)]
    return "\n".join(lines)


def main() -> int:
    """Measure the parts that the command line names."""
    parts = all_parts()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure; nothing is asserted.",
        epilog=_listed(parts),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", help="what to measure, a part or a stream; everything if nothing is named")
    parser.add_argument("--quick", action="store_true", help="smaller data, once: to see that it works")
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    parser.add_argument("--cores", type=int, default=CORES, metavar="N", help=f"cores to measure on (default: {CORES})")
    parser.add_argument("--size", action="append", default=[], metavar="PART.SIZE=N", help="another size than the usual one")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where large data stay for the next time (40 GB)")
    arguments = parser.parse_args()
    if arguments.cores < 1:
        parser.error("--cores must be 1 or more")
    try:
        chosen = chosen_parts(parts, arguments.parts)
        sizes = sizes_of(parts, arguments.size, quick=arguments.quick)
    except KeyError as error:
        parser.error(f"there is no part {error}; see --help")
    except ValueError as error:
        parser.error(f"{error}; see --help")
    if hasattr(os, "sched_setaffinity"):
        # All that is started inherits it, and counts its threads by it: Java and Arrow by themselves, DuckDB as it is told.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    report = Report()
    try:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as work:
            for name in chosen:
                own = Path(work) / name
                own.mkdir()
                parts[name].measure(Run(report, own, arguments.quick, say, sizes[name], arguments.scratch))
    except RevenueIntegrityError as error:
        print(error, file=sys.stderr)
        return 1
    surroundings = environment(chosen, sizes)
    if arguments.json:
        aims = [dict(zip(("figure", "found", "aim"), row, strict=True)) for row in report.aims]
        pieces = {name: asdict(each) for name, each in report.pieces.items()}
        print(json.dumps({"environment": surroundings, "pieces": pieces, "aims": aims, "tables": report.tables}, indent=2))
    else:
        show(report, surroundings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
