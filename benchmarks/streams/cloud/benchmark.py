"""The cloud stream by the ten million: against merely grouping or scanning the same file, pandas, Spark, a full rebuild.

Belongs here: what is compared with what, and the aims. Does not belong here: the data (``data``), the pieces (``pieces``),
what a first try would be (``naive``).

What is compared is measured in turns, so that a slow minute of the machine falls on both. Homes are made afresh for each
measurement, beside the data and on the same file system: batches get into the landing zone as hard links, which is not timed.
"""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.measure import Figures, Piece, PieceError, median_figures, run_piece
from benchmarks.part import Part, Run, Size
from benchmarks.report import Report, Say
from benchmarks.streams.cloud import data as made_up
from benchmarks.streams.cloud import pieces

DATASET = "daily_account_cost"
CORRECTED_DAYS = (1, 9)
"""Days of the history that a correction touches."""

_MONTH = f"{made_up.DAY:%Y-%m}"
_SMALL_MEMORY = "1GB"
_MARCH = "2025-03"
_JANUARY = "2025-01"


@dataclass(frozen=True)
class _Total:
    """What was published: account-days, events, cost."""

    rows: int
    events: int
    cost: str

    @classmethod
    def of(cls, files: str) -> "_Total":
        with duckdb.connect() as engine:
            (found,) = engine.execute(
                "select count(*), sum(event_count), sum(total_cost)::decimal(38, 18)::varchar"
                f" from read_parquet('{files}', hive_partitioning = false)"
            ).fetchall()
        return cls(int(found[0]), int(found[1] or 0), str(found[2]))


@dataclass(frozen=True)
class _Bench:
    report: Report
    data: Path
    homes: Path
    sizes: Mapping[str, int]
    say: Say

    def large_day(self) -> None:
        """Measure one large day from Parquet to published, with the usual memory and with little."""
        rows = self.sizes["events"]
        file = self._day_file(rows, "parquet")
        group, whole = f"grouping {rows:,} events by id", f"{rows:,} events, Parquet -> published"
        found = self._in_turns(
            {
                group: lambda _: run_piece(pieces.group_by_event, file=file),
                whole: lambda number: self._run_day(file, f"day_{number}"),
            }
        )
        self._aim_ratio(f"{whole} / merely grouping them by event id, CPU", found[whole], found[group], "<= 3.3 x")
        self._aim(f"{whole}, peak memory", f"{self.report.pieces[whole].peak_mb / 1000:.2f} GB", "<= 4.5 GB")
        self._aim(f"{whole}, wall", f"{self.report.pieces[whole].wall_seconds:.1f} s", "-")
        little = f"{whole}, memory limit {_SMALL_MEMORY}"
        try:
            self._in_turns({little: lambda number: self._run_day(file, f"little_{number}", memory_limit=_SMALL_MEMORY)})
        except PieceError:
            self._aim(little, "does NOT complete", "completes")
            return
        same = self.report.pieces[little].facts["total"] == self.report.pieces[whole].facts["total"]
        ended = "completes" if same else "another total"
        self._aim(little, f"{ended}, peak {self.report.pieces[little].peak_mb / 1000:.2f} GB", "completes")

    def csv_day(self) -> None:
        """Measure the same day from CSV."""
        rows = self.sizes["events"]
        file = self._day_file(rows, "csv")
        scan, count = f"scanning all columns of {rows:,} events, CSV", f"counting {rows:,} events, CSV"
        whole = f"{rows:,} events, CSV -> published"
        found = self._in_turns(
            {
                scan: lambda _: run_piece(pieces.scan_csv, file=file),
                count: lambda _: run_piece(pieces.count_csv, file=file),
                whole: lambda number: self._run_day(file, f"csv_{number}"),
            }
        )
        self._aim_ratio(f"{whole} / scanning all columns of the CSV, CPU", found[whole], found[scan], "<= 4.2 x")
        self._aim_ratio(f"{whole} / count(*) of the CSV, CPU", found[whole], found[count], "-")
        parquet = self.report.pieces[f"{rows:,} events, Parquet -> published"].facts["total"]
        same = parquet == self.report.pieces[whole].facts["total"]
        self._aim("totals from CSV and from Parquet", "equal" if same else "DIFFERENT", "equal")

    def against_pandas(self) -> None:
        """Measure a day side by side with pandas."""
        rows = self.sizes["pandas_events"]
        file = self._day_file(rows, "parquet")
        whole = f"{rows:,} events, Parquet -> published"
        self._side_by_side(f"naive pandas, {rows:,} events", pieces.pandas_daily, whole, file)
        self._side_by_side(f"pandas on integers, {rows:,} events", pieces.pandas_integers, whole, file, aim="-")

    def against_spark(self) -> None:
        """Measure the large day side by side with Spark, and with Spark as the engine."""
        rows = self.sizes["events"]
        naive = f"naive Spark local, {rows:,} events"
        if missing := missing_for_spark():
            self._aim(f"{naive} / the product, CPU", f"not measured: {missing}", ">= 4 x")
            return
        file = self._day_file(rows, "parquet")
        whole = f"{rows:,} events, Parquet -> published, beside Spark"
        total = self._side_by_side(naive, pieces.spark_daily, whole, file)
        self._in_turns({"starting Spark local, and nothing else": lambda _: run_piece(pieces.spark_start, scratch=self.homes)})
        on_spark = f"{rows:,} events, Parquet -> published, engine = spark"
        found = self._in_turns({on_spark: lambda number: self._run_day(file, f"on_spark_{number}", engine="spark")})
        self._aim_ratio(f"{on_spark} / engine = duckdb, CPU", found[on_spark], [self.report.pieces[whole]], "-")
        same = found[on_spark][0].facts["total"] == total
        self._aim("totals of both engines", "equal" if same else "DIFFERENT", "equal")

    def corrections(self) -> None:
        """Measure corrections of few days of a history, and that the files of all other days keep their bytes."""
        rows = self.sizes["events_a_day"]
        self.say(f"writing {made_up.DAYS} days of {rows:,} events …")
        history = Path(run_piece(pieces.history, data=self.data, rows=rows).facts["landing"])
        rebuild = f"full rebuild, {made_up.DAYS} days of {rows:,} events"
        titles = {count: f"correction of {count} of {made_up.DAYS} days" for count in CORRECTED_DAYS}
        found: dict[str, list[Figures]] = {title: [] for title in (rebuild, *titles.values())}
        kept: dict[int, set[str]] = {count: set() for count in CORRECTED_DAYS}
        for number in range(self.sizes["times"]):
            self.say(
                f"{rebuild}, corrections of {' and '.join(map(str, CORRECTED_DAYS))} ({number + 1} of {self.sizes['times']}) …"
            )
            home = self._home(f"history_{number}")
            shutil.copytree(history, home / "landing", copy_function=os.link)
            found[rebuild].append(self._run(home, _JANUARY, _MARCH))
            for hour, count in enumerate(CORRECTED_DAYS):
                days = made_up.spread_days(count)
                arrival = datetime(2025, 4, 1, hour, tzinfo=UTC)
                before = _hashes(home)
                corrected = made_up.write_correction(home / "landing", arrival, days, rows)
                figures = self._run(home, _JANUARY, _MARCH)
                found[titles[count]].append(replace(figures, facts=figures.facts | {"events": corrected}))
                kept[count].add(_judge(before, _hashes(home), {f"{day}" for day in days}))
            shutil.rmtree(home)
        for title, each in found.items():
            self.report.pieces[title] = median_figures(each)
        for count, title in titles.items():
            limit = 100 * (count / made_up.DAYS + 0.05)
            shares = [
                100 * part.cpu_seconds / whole.cpu_seconds for part, whole in zip(found[title], found[rebuild], strict=True)
            ]
            ratio = 100 * self.report.pieces[title].cpu_seconds / self.report.pieces[rebuild].cpu_seconds
            shown = f"{ratio:.2f} % ({min(shares):.2f} - {max(shares):.2f})"
            self._aim(f"{title} / full rebuild, CPU", shown, f"<= {limit:.2f} %")
            self._aim(f"{title}: published days with other bytes", "; ".join(sorted(kept[count])), f"the {count} touched")

    def _side_by_side(self, other: str, piece: Piece, whole: str, file: Path, aim: str = ">= 4 x") -> Mapping[str, Any]:
        """Measure another program and the product in turns, and return the product's total."""
        self.homes.mkdir(parents=True, exist_ok=True)
        out = self.homes / f"{piece.__name__}.parquet"
        found = self._in_turns(
            {
                other: lambda _: run_piece(piece, file=file, out=out),
                whole: lambda number: self._run_day(file, f"{piece.__name__}_{number}"),
            }
        )
        self._aim_ratio(f"{other} / the product, CPU", found[other], found[whole], aim)
        total: Mapping[str, Any] = self.report.pieces[whole].facts["total"]
        same = vars(_Total.of(f"{out}/*.parquet" if out.is_dir() else str(out))) == total
        self._aim(f"totals: {other}, the product", "equal" if same else "DIFFERENT", "equal")
        return total

    def _in_turns(self, measured: Mapping[str, Callable[[int], Figures]]) -> dict[str, list[Figures]]:
        """Measure some pieces in turns, keep their medians and return all figures."""
        found: dict[str, list[Figures]] = {title: [] for title in measured}
        for number in range(self.sizes["times"]):
            for title, measure in measured.items():
                self.say(f"{title} ({number + 1} of {self.sizes['times']}) …")
                found[title].append(measure(number))
        self.report.pieces |= {title: median_figures(each) for title, each in found.items()}
        return found

    def _run_day(self, file: Path, name: str, **settings: str) -> Figures:
        """Run one day in a fresh home, and note what was published."""
        home = self._home(name)
        batch = made_up.batch_folder(home / "landing", made_up.arrival_of(made_up.DAY))
        batch.mkdir(parents=True)
        os.link(file, batch / f"events{file.suffix}")
        figures = self._run(home, _MONTH, _MONTH, **settings)
        total = vars(_Total.of(f"{home}/published/{DATASET}/**/*.parquet"))
        shutil.rmtree(home)
        return replace(figures, facts={"total": total})

    def _run(self, home: Path, first: str, last: str, **settings: str) -> Figures:
        return run_piece(pieces.run_months, home=home, first=first, last=last, **settings)

    def _home(self, name: str) -> Path:
        home = self.homes / name
        home.mkdir(parents=True)
        return home

    def _day_file(self, rows: int, form: str) -> Path:
        self.say(f"writing {rows:,} events of one day as {form}, unless they are there …")
        return Path(run_piece(pieces.day_file, data=self.data, rows=rows, form=form).facts["file"])

    def _aim(self, figure: str, found: str, aim: str) -> None:
        self.report.aims.append((figure, found, aim))

    def _aim_ratio(self, figure: str, upper: list[Figures], lower: list[Figures], aim: str) -> None:
        """Report the ratio of two medians of CPU seconds, and how far it lies apart if slowest and fastest meet."""
        over, under = ([each.cpu_seconds for each in figures] for figures in (upper, lower))
        ratio = median_figures(upper).cpu_seconds / median_figures(lower).cpu_seconds
        self._aim(figure, f"{ratio:.2f} x ({min(over) / max(under):.2f} - {max(over) / min(under):.2f})", aim)


def missing_for_spark() -> str:
    """Return what keeps Spark from running here; empty if nothing does."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed (the extra `spark`)"
    java = "JAVA_HOME" in os.environ or shutil.which("java")
    return "" if java else "there is no Java"


def _hashes(home: Path) -> dict[str, str]:
    """Return the hash of the bytes of every published day file, by its path."""
    folder = home / "published" / DATASET
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("**/*.parquet"))
    }


def _judge(before: Mapping[str, str], after: Mapping[str, str], touched: set[str]) -> str:
    """Tell which days have other bytes than before."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    days = {day for day in touched if any(f"usage_date={day}/" in path for path in changed)}
    others = sorted(path for path in changed if not any(f"usage_date={day}/" in path for day in touched))
    text = f"{len(days)} of the {len(touched)} touched, {len(others)} other files of {len(after)}"
    return f"{text}: {', '.join(others[:3])}" if others else text


def days(run: Run) -> None:
    """Measure days of events: large ones, and corrections of a history of them."""
    if run.scratch:
        run.scratch.mkdir(parents=True, exist_ok=True)
    # Hard links need one file system, so homes stand beside the data.
    data = (run.scratch or run.work).absolute()
    bench = _Bench(run.report, data / "cloud_data", data / f"cloud_homes_{os.getpid()}", run.sizes, run.say)
    try:
        bench.large_day()
        bench.csv_day()
        bench.against_pandas()
        bench.against_spark()
        bench.corrections()
    finally:
        shutil.rmtree(bench.homes, ignore_errors=True)


PARTS = (
    Part(
        "days",
        days,
        (
            Size("times", "repetitions; medians are shown", 5, 1),
            Size("events", "events of the large day", 30_000_000, 1_000_000),
            Size("pandas_events", "events of the day for pandas", 10_000_000, 500_000),
            # Ten million take 25 GB of disk, half an hour to write and ten minutes a repetition; of fewer, starting processes
            # is a larger share of a correction.
            Size("events_a_day", f"events of each of {made_up.DAYS} days", 10_000_000, 20_000),
        ),
    ),
)
