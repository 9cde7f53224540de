"""`python -m benchmarks [month|small-batches|causes|truth|commands|cloud …] [--quick] [--json]`: measure, show, judge nothing.

Belongs here: which pieces are compared with which, and how that is shown. Does not belong here: the pieces.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cloud import QUICK, Extent, measure_cloud
from benchmarks.measure import Figures, run_piece
from benchmarks.report import Report, Say
from benchmarks.truth import Score, total
from revenue_integrity import process
from revenue_integrity.errors import RevenueIntegrityError

TIMES = 3
"""Repetitions of each piece; the median is shown."""

CORES = 2
"""Cores that everything is measured on: those of the smallest machine that a promise is made for. More threads shift ratios."""


def _fresh(piece: str, title: str, report: Report, times: int, say: Say, work: Path, **arguments: object) -> Figures:
    """Measure a piece that needs an empty home each time; the last home stays."""
    say(f"{title} ({times} x) …")
    found = []
    for number in range(times):
        home = work / f"{title.replace(' ', '_').replace(',', '')}_{number}"
        found.append(run_piece(piece, home=home, **arguments))
    ordered = sorted(found, key=lambda each: each.cpu_seconds)
    middle = ordered[len(ordered) // 2]
    report.pieces[title] = Figures(
        middle.cpu_seconds,
        sorted(each.wall_seconds for each in found)[len(found) // 2],
        sorted(each.peak_mb for each in found)[len(found) // 2],
        middle.facts | {"home": str(home)},
    )
    return report.pieces[title]


def month(report: Report, work: Path, quick: bool, say: Say) -> None:
    """Measure one month of a large operator, and what it is compared with."""
    large, small = (10_000, 2_000) if quick else (50_000, 10_000)
    times = 1 if quick else TIMES
    runs: dict[tuple[int, str], Figures] = {}
    for contracts, form in ((large, "csv"), (large, "parquet"), (small, "csv")):
        landing = work / f"landing_{contracts}_{form}"
        run_piece("month_files", landing=landing, contracts=contracts, form=form)
        runs[contracts, form] = _fresh(
            "month", f"month, {contracts} contracts, {form}", report, times, say, work, landing=landing
        )
    landing = work / f"landing_{large}_csv"
    for form in ("csv", "parquet"):
        found = []
        say(f"merely loading the files, {form} ({times} x) …")
        for number in range(times):
            database = work / f"loaded_{form}_{number}.duckdb"
            found.append(run_piece("load_files", database=database, landing=work / f"landing_{large}_{form}"))
            database.unlink()
        loaded = sorted(found, key=lambda each: each.cpu_seconds)[len(found) // 2]
        report.pieces[f"merely loading the same files, {form}"] = loaded
        ratio = runs[large, form].cpu_seconds / loaded.cpu_seconds
        report.aims.append((f"month / merely loading the same files with DuckDB, {form}", f"{ratio:.1f} x", "<= 4 x"))
    naive = report.measure("the same rules, naive pandas", "naive", 1, say, landing=landing, out=work / "naive.csv")
    alike = _fresh("same_rules", "the same tables, plain engine", report, times, say, work, landing=landing)
    mine = run_piece("margin", home=runs[large, "csv"].facts["home"], landing=landing)
    same = all(mine.facts[name] == alike.facts[name] == naive.facts[name] for name in ("contracts", "margin_cents"))
    first = runs[large, "csv"]
    report.aims[:0] = [
        (f"month of {large} contracts, CPU", f"{first.cpu_seconds:.1f} s", "<= 20 s"),
        (f"month of {large} contracts, wall", f"{first.wall_seconds:.1f} s", "<= 20 s"),
        (f"month of {large} contracts, peak memory", f"{first.peak_mb / 1000:.2f} GB", "<= 2 GB"),
    ]
    growth = first.cpu_seconds / runs[small, "csv"].cpu_seconds
    report.aims.append((f"{small} -> {large} contracts", f"{growth:.1f} x", "<= 6 x"))
    report.aims.append(
        ("naive pandas / the same tables of the product", f"{naive.cpu_seconds / alike.cpu_seconds:.1f} x", ">= 4 x")
    )
    # The month does more: invoices, reconciliation, causes, risk, checks, publishing, Dagster's records.
    report.aims.append(("naive pandas / whole month", f"{naive.cpu_seconds / first.cpu_seconds:.1f} x", "-"))
    report.aims.append(("margin of naive pandas and of the product", "equal to the cent" if same else "DIFFERENT", "equal"))


def small_batches(report: Report, work: Path, quick: bool, say: Say) -> None:
    """Measure many small batches against few large ones with as many rows."""
    scale, times = (10, 1) if quick else (1, TIMES)
    cuts = {"small": (2_000 // scale, 2_000), "large": (4, 1_000_000 // scale)}
    found = {}
    for name, (batches, rows) in cuts.items():
        landing = work / f"batches_{name}"
        run_piece("batch_files", landing=landing, batches=batches, rows=rows)
        found[name] = _fresh("ingest", f"ingest, {batches} batches of {rows}", report, times, say, work, landing=landing)
    # Starting Python costs the same for both and would flatter the ratio.
    for figure in ("cpu", "wall"):
        small, large = (found[name].facts[f"part_{figure}_seconds"] for name in ("small", "large"))
        title = f"loading small / large batches, {figure} ({small:.1f} s / {large:.1f} s)"
        report.aims.append((title, f"{small / large:.2f} x", "<= 1.5 x"))


def causes(report: Report, work: Path, quick: bool, say: Say) -> None:
    """Measure explaining the variances of a month with 5 % of its charges billed wrongly."""
    contracts, times = (10_000, 1) if quick else (50_000, TIMES)
    landing, home = work / "landing_causes", work / "home_causes"
    run_piece("month_files", landing=landing, contracts=contracts, form="parquet")
    say("computing a month to explain …")
    run_piece("reconciled", home=home, landing=landing)
    found = report.measure(f"recon_causes, {contracts} contracts", "causes", times, say, home=home, landing=landing)
    facts = found.facts
    what = f"recon_causes of {facts['charge_rows']} charge rows, {facts['variances']} with a variance"
    report.aims.append((f"{what}, CPU", f"{facts['part_cpu_seconds']:.1f} s", "<= 10 s"))
    report.aims.append((f"{what}, wall", f"{facts['part_wall_seconds']:.1f} s", "<= 10 s"))


def truth(report: Report, work: Path, quick: bool, say: Say) -> None:
    """Compare the causes found with the faults that the simulator planted."""
    seeds, contracts, last = ((1,), 100, "2024-06") if quick else ((1, 2, 3, 4, 5), 200, "2024-12")
    arguments = {"contracts": contracts, "sites": 3, "first": "2024-01", "last": last}
    scores: list[Score] = []
    look_alikes = named = 0
    differences: list[dict[str, Any]] = []
    for seed in seeds:
        found = report.measure(f"truth, seed {seed}", "truth", 1, say, home=work / f"truth_{seed}", seed=seed, **arguments)
        scores += [Score(**each) for each in found.facts["scores"]]
        look_alikes += found.facts["look_alikes"]
        named += found.facts["look_alikes_named"]
        differences += [{"seed": seed, "what": each} for each in found.facts["differences"]]
    report.tables[f"causes found against planted: seeds {', '.join(map(str, seeds))}, {contracts} contracts, to {last}"] = [
        {
            "cause": each.cause,
            "planted": each.planted,
            "found": each.found,
            "precision rows": _share(each.right, each.found),
            "recall rows": _share(each.right, each.planted),
            "planted cents": each.planted_cents,
            "found cents": each.found_cents,
            "precision cents": _share(each.right_cents, each.found_cents),
            "recall cents": _share(each.right_cents, each.planted_cents),
        }
        for each in total(scores)
    ]
    if differences:
        report.tables["planted and found differ"] = differences
    report.aims.append(("planted cents found under their cause", _share(*_cents(scores)), "100.00 %"))
    report.aims.append(("look-alikes with a cause that was not planted", f"{named} of {look_alikes}", "0"))


def commands(report: Report, work: Path, quick: bool, say: Say) -> None:
    """Measure what every process pays for the definitions, and `make run` in an empty and in a computed home."""
    imported = report.measure("importing the definitions", "definitions", 1 if quick else TIMES, say)
    report.aims.append(("importing the definitions, wall", f"{imported.wall_seconds:.1f} s", "<= 3 s"))
    if quick:
        return
    for title, aim in (("make run, empty home", "<= 240 s"), ("make run, nothing new", "-")):
        found = report.measure(title, "demo_run", 1, say, home=work / "demo")
        report.aims.append((f"{title}: 24 months, 3 sites, 200 contracts, wall", f"{found.wall_seconds:.0f} s", aim))


def _cents(scores: list[Score]) -> tuple[int, int]:
    return sum(each.right_cents for each in scores), sum(each.planted_cents for each in scores)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


CLOUD = "cloud"
"""The part that has sizes of its own on the command line."""

PARTS: dict[str, Callable[[Report, Path, bool, Say], None]] = {
    "month": month,
    "small-batches": small_batches,
    "causes": causes,
    "truth": truth,
    "commands": commands,
}


def environment(cloud_times: int) -> dict[str, str]:
    """Return what the figures depend on."""
    names = ("duckdb", "pandas", "pyspark", "dagster", "pandera")
    return {
        "python": platform.python_version(),
        "processors": _processors(),
        "repetitions": f"{TIMES}, medians (month's naive pandas and truth: 1, cloud: {cloud_times})",
        **{name: _version(name) for name in names},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        # Spark is an extra.
        return "not installed"


def _processors() -> str:
    """Return how many processors may be used, and of how many."""
    return f"{process.processors()} of {os.cpu_count()}"


def show(report: Report, surroundings: dict[str, str]) -> None:
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


def main() -> int:
    """Measure the parts that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure; nothing is asserted.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, CLOUD, []], help="what to measure; everything if nothing is named")
    parser.add_argument("--quick", action="store_true", help="smaller data, once: to see that it works")
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    parser.add_argument("--cores", type=int, default=CORES, metavar="N", help=f"cores to measure on (default: {CORES})")
    sizes = parser.add_argument_group(CLOUD)
    for name, (meaning, usual) in Extent.meanings().items():
        sizes.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=f"{meaning} (default: {usual})")
    sizes.add_argument("--scratch", type=Path, metavar="DIR", help="where the data stay for the next time (40 GB)")
    arguments = parser.parse_args()
    if arguments.cores < 1:
        parser.error("--cores must be 1 or more")
    if hasattr(os, "sched_setaffinity"):
        # All that is started inherits it, and counts its threads by it: Java and Arrow by themselves, DuckDB as it is told.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    chosen = {name: getattr(arguments, name) for name in (*Extent.meanings(), "scratch")}
    extent = replace(QUICK if arguments.quick else Extent(), **{name: value for name, value in chosen.items() if value})

    def cloud(report: Report, work: Path, _: bool, say: Say) -> None:
        measure_cloud(report, work, extent, say)

    parts = PARTS | {CLOUD: cloud}
    report = Report()
    try:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as work:
            for part in arguments.parts or parts:
                parts[part](report, Path(work), arguments.quick, lambda text: print(text, file=sys.stderr, flush=True))
    except RevenueIntegrityError as error:
        print(error, file=sys.stderr)
        return 1
    surroundings = environment(extent.times)
    if arguments.json:
        aims = [dict(zip(("figure", "found", "aim"), row, strict=True)) for row in report.aims]
        pieces = {name: asdict(each) for name, each in report.pieces.items()}
        print(json.dumps({"environment": surroundings, "pieces": pieces, "aims": aims, "tables": report.tables}, indent=2))
    else:
        show(report, surroundings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
