"""A steady arrival of late lines beside a running UI and daemon: ``make soak MINUTES=60`` prints how long months stay behind.

Belongs here: landing one corrected line after the other, of every stream in turn, and watching until its months are computed.
Does not belong here: what a run costs by itself (``measure``).

A late line is the first row of a file that is there, with its first amount raised by some cents: a correction, whose months are
computed and published again. The home is the one of the settings, which changes: take a copy.
"""

import argparse
import csv
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

from revenue_integrity.computing import ingestion
from revenue_integrity.computing.plan import stale_months
from revenue_integrity.landing import zone
from revenue_integrity.model.source import Source
from revenue_integrity.model.stream import Stream
from revenue_integrity.months import label
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of, load_settings

EVERY_SECONDS = 41
"""Time between two late lines: more often than a month is computed on two cores."""

_PROGRAM = "from revenue_integrity.cli.program import program; program()"

_LOOK_SECONDS = 2
_LARGEST_FILE = 10 * 1024**2
_PATIENCE_SECONDS = 600


@dataclass
class Line:
    """A late line on its way: since when, and how long it took until its months were up to date."""

    stream: Stream
    batch_id: str
    landed_at: float
    seconds: float | None = None


@dataclass
class Soak:
    """What was seen: the lines, and at each look the memory (bytes) and the open files of the UI's processes."""

    lines: list[Line] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)


def main(minutes: float) -> int:
    """Land lines for some minutes, wait for the last, and print the figures; return the exit code."""
    home = deployment_of(load_settings())
    settings = home.settings
    samples = _samples(home.streams, settings)
    if not samples:
        sys.stderr.write("Nothing is landed in this home: run the demo first\n")
        return 1
    runs, weight, record = _runs(settings), _weight(settings.home), _weight(settings.dagster_path)
    with tempfile.TemporaryFile() as told:
        ui = subprocess.Popen([sys.executable, "-c", _PROGRAM, "ui"], stdout=told, stderr=told)
        try:
            seen = _soak(settings, samples, ui, minutes)
        finally:
            ui.terminate()
            ui.wait(60)
    lags = [each.seconds for each in seen.lines if each.seconds is not None]
    print(f"late lines: {len(seen.lines)}, of which {len(lags)} were computed")
    if lags:
        print(f"lag: median {statistics.median(lags):.0f} s, worst {max(lags):.0f} s")
    made = _runs(settings) - runs
    print(f"runs: {made}")
    print(f"memory of the UI's processes: at most {max(seen.memory, default=0) / 1024**2:,.0f} MiB")
    print(f"open files of the UI's processes: at most {max(seen.files, default=0)}")
    grown = (_weight(settings.dagster_path) - record) / 1024**2
    print(f"the home grew by {(_weight(settings.home) - weight) / 1024**2:,.1f} MiB")
    print(f"of which the record of runs: {grown:,.1f} MiB" + (f", {grown / made:.2f} MiB a run" if made else ""))
    return 0 if lags and len(lags) == len(seen.lines) else 1


def _soak(
    settings: Settings, samples: Sequence[tuple[Stream, Source, dict[str, str]]], ui: "subprocess.Popen[bytes]", minutes: float
) -> Soak:
    seen, began, following = Soak(), time.monotonic(), 0.0
    while ui.poll() is None:
        passed = time.monotonic() - began
        if following <= passed < minutes * 60:
            stream, source, row = samples[len(seen.lines) % len(samples)]
            seen.lines.append(Line(stream, _land(settings, source, row, len(seen.lines) + 1), time.monotonic()))
            following = passed + EVERY_SECONDS
        _note_computed(settings, seen.lines)
        is_done = all(each.seconds is not None for each in seen.lines) or passed > minutes * 60 + _PATIENCE_SECONDS
        if passed >= minutes * 60 and is_done:
            break
        processes = list(_processes(ui.pid))
        seen.memory.append(sum(map(_resident, processes)))
        seen.files.append(sum(map(_open_files, processes)))
        time.sleep(_LOOK_SECONDS)
    return seen


def _samples(streams: Sequence[Stream], settings: Settings) -> list[tuple[Stream, Source, dict[str, str]]]:
    """Return a row of each source that has months and amounts, the streams in turn."""
    by_stream = []
    for stream in streams:
        mine = [each for each in stream.sources if each.has_month and any(column.kind == "money" for column in each.columns)]
        rows = [(stream, each, row) for each in mine if (row := _row_of(settings, each)) is not None]
        by_stream.append(rows)
    return [each for turn in zip_longest(*by_stream) for each in turn if each is not None]


def _row_of(settings: Settings, source: Source) -> dict[str, str] | None:
    folder = settings.landing_path / source.stream / source.name
    files = sorted(file for file in folder.glob("[0-9]*/*.csv") if file.stat().st_size < _LARGEST_FILE)
    for file in reversed(files):
        with file.open(encoding="utf-8-sig", newline="") as opened:
            row = next(csv.DictReader(opened), None)
        if row is not None:
            return row
    return None


def _land(settings: Settings, source: Source, row: dict[str, str], cents: int) -> str:
    """Land a row with its first amount raised by some cents; return the batch."""
    amount = next(column.name for column in source.columns if column.kind == "money" and row.get(column.name))
    late = row | {amount: str(Decimal(row[amount]) + Decimal(cents) / 100)}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(late), lineterminator="\n")
    writer.writeheader()
    writer.writerow(late)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "late.csv")
        file.write_text(text.getvalue(), encoding="utf-8")
        return zone.land(settings, source, [file]).batch_id


def _note_computed(settings: Settings, lines: Sequence[Line]) -> None:
    """Note of lines under way that they were read and that the months of their source are up to date."""
    for stream in {each.stream.name: each.stream for each in lines if each.seconds is None}.values():
        manifest = ingestion.read_manifest(settings, stream)
        for each in lines:
            if each.seconds is not None or each.stream is not stream or each.batch_id not in manifest.seen:
                continue
            touched = {
                name.rpartition("@")[2]
                for name, found in manifest.touching.items()
                if each.batch_id in {batch for batch, _ in found}
            }
            if not stale_months(stream, [month for month in settings.months if label(month) in touched], settings):
                each.seconds = time.monotonic() - each.landed_at


def _runs(settings: Settings) -> int:
    with open_instance(settings) as instance:
        return instance.get_runs_count()


def _processes(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            yield from _processes(int(child))


def _resident(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096
    return 0


def _open_files(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _weight(place: Path) -> int:
    return sum(file.lstat().st_size for file in place.rglob("*") if file.is_file())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Let late lines arrive in the home of the settings; take a copy of yours.")
    parser.add_argument("--minutes", type=float, default=60)
    sys.exit(main(parser.parse_args().minutes))
