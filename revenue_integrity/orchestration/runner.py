"""Running months from a command: the same assets in the same instance as the UI, in one process.

Belongs here: what to run, in which order, until nothing is stale. Does not belong here: what an asset does.
One process runs all months because starting one costs more than a month.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from revenue_integrity import clock, logs, months, process, wording
from revenue_integrity.computing import ingestion, whole_tables
from revenue_integrity.computing.horizon import service_months
from revenue_integrity.computing.plan import StaleMonth, Step, stale_months, steps, with_undone
from revenue_integrity.computing.staleness import due_months
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.landing.datasets import batches_table
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import PROCESS_TAG, open_instance, process_tag
from revenue_integrity.orchestration.jobs import DELIVERY_GROUP, MONTH_JOB, PULL_GROUP, QUIET, WHOLE_JOB
from revenue_integrity.orchestration.partitions import possible_partitions
from revenue_integrity.orchestration.runs_under_way import at_work, busy_months
from revenue_integrity.orchestration.seals import seals_of
from revenue_integrity.orchestration.standing import has_daemon
from revenue_integrity.orchestration.table_assets import ALL, SELECTED, WHY_TAG, asset_key
from revenue_integrity.orchestration.undone import undone_months
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database
from revenue_integrity.warehouse.catalog import read_catalog

Say = Callable[[str], None]

LONGEST_TURN_SECONDS = 120
"""How long a run of another process is waited for that computes the same month."""

MAX_ROUNDS = 8
"""Rounds of recomputing before a run gives up: a window reaches months ahead, but every round settles at least one more."""


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        runs: Dagster runs started.
        months: months that were computed.
        failures: what failed, as sentences.
    """

    runs: int = 0
    months: set[date] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What happened, for the end of the command."""
        if self.failures:
            return "\n".join(["failed:", *(f"  {failure}" for failure in self.failures)])
        if not self.runs:
            return "Nothing is stale; nothing was recomputed."
        computed = wording.counted(len(self.months), "month", "months") if self.months else "What belongs to no month"
        return f"{computed} computed in {wording.counted(self.runs, 'run', 'runs')}; nothing is stale."


def run(
    deployment: Deployment,
    wanted: Sequence[date] | None,
    *,
    stream: str | None = None,
    select: str | None = None,
    everything: bool = False,
    say: Say,
) -> RunSummary:
    """Materialize what is stale in some months (``None``: all that are due), and what becomes stale thereby, until nothing is.

    Raises:
        UsageError: the stream is unknown, or the selection names no asset.
    """
    settings = deployment.settings
    streams = deployment.streams if stream is None else deployment.streams.only(stream)
    with open_instance(settings) as instance:
        # New batches may name months that the home has not had yet.
        definitions = build_definitions(deployment, only=stream, pool=None, partitions=possible_partitions(settings))
        runner = _Runner(definitions, instance, settings, say)
        process.begun()
        if select is not None:
            runner.run_selection(select, service_months(settings) if wanted is None else wanted)
            return runner.summary
        unread = {each.name for each in streams if not runner.ingest(each)}
        for each in ingestion.in_use(settings, streams):
            # Each of its months would try to read the same batches once more, and fail as late.
            if each.name not in unread:
                chosen = due_months(each, read_catalog(settings), settings) if wanted is None else wanted
                runner.run_until_fresh(each, chosen, everything=everything)
                runner.run_whole(each, everything=everything)
        return runner.summary


class _Runner:
    """Starts runs one after the other and remembers what came of them."""

    def __init__(
        self,
        definitions: dg.Definitions,
        instance: dg.DagsterInstance,
        settings: Settings,
        say: Say,
    ) -> None:
        self.summary = RunSummary()
        self._definitions = definitions
        self._job = definitions.resolve_job_def(MONTH_JOB)
        self._graph = definitions.resolve_asset_graph()
        self._instance = instance
        self._settings = settings
        self._say = say
        # What failed would fail again: it waits for the next command, unless there is another reason to run its month.
        self._stopped: dict[date, str] = {}

    def ingest(self, stream: Stream) -> bool:
        """Read new batches in a run of its own, so that what they touch is known before anything is planned.

        Return whether they were read: not if the run broke (disk full, crash), whereas a batch that is refused is read.
        """
        news = ingestion.pending(self._settings, stream)
        if news:
            step = Step(self._settings.months[0], (batches_table(stream.name),), f"{len(news)} new batches")
            succeeded = self._start(step)
            if not succeeded and ingestion.pending(self._settings, stream):
                return False
            rejected = ingestion.read_manifest(self._settings, stream).rejected
            for batch in news:
                if batch in rejected:
                    self._say(f"rejected: {batch}: {rejected[batch]}. Correct the file and land it again under another arrival.")
        return True

    def run_selection(self, select: str, wanted: Sequence[date]) -> None:
        """Materialize an asset selection in some months."""
        # Pulls belong to no month; `revenue-integrity pull` and their schedules run them.
        try:
            chosen = dg.AssetSelection.from_string(select) - dg.AssetSelection.groups(PULL_GROUP, DELIVERY_GROUP)
            keys = tuple(sorted(chosen.resolve(self._graph)))
        except dg.DagsterError as error:
            raise UsageError(
                f"'{select}' is no selection of assets: {str(error).strip().splitlines()[0]}",
                "Write one as in the UI, for example key:STREAM/LAYER/TABLE, with + before or behind it for what is around it",
            ) from error
        if not keys:
            raise UsageError(f"the selection '{select}' names no asset", "See the asset keys in the UI, or `status`")
        of_months = [key for key in keys if self._graph.get(key).partitions_def is not None]
        with self._progress(len(wanted)) as advance:
            for month in wanted if of_months else ():
                advance(months.label(month))
                self._run(month, of_months, SELECTED)
        if whole := [key for key in keys if key not in of_months]:
            self._run(None, whole, SELECTED)

    def run_whole(self, stream: Stream, *, everything: bool) -> None:
        """Make the tables of a stream that belong to no month, those that are stale or all of them."""
        stale = stream.whole if everything else whole_tables.stale_rules(self._settings, stream)
        if stale:
            self._run(None, [asset_key(rule.table) for rule in stale], ALL if everything else "what they read has changed")

    def run_until_fresh(self, stream: Stream, wanted: Sequence[date], *, everything: bool) -> None:
        """Run the stale months wave by wave, then look again: what came out may make other months stale."""
        first = True
        for _ in range(MAX_ROUNDS):
            stale = dict.fromkeys(wanted, StaleMonth((ALL,))) if everything and first else self._stale(stream, wanted)
            first = False
            stale = {month: each for month, each in stale.items() if self._stopped.get(month) != each.reason}
            planned = steps(stream, stale, ingestion.read_manifest(self._settings, stream))
            if not planned:
                return
            with self._progress(len(planned)) as advance:
                for step in planned:
                    advance(f"{stream.name} {months.label(step.month)}")
                    self._take_turns(stream, step.month)
                    self._start(step)

    def _stale(self, stream: Stream, wanted: Sequence[date]) -> Mapping[date, StaleMonth]:
        """Return the months with anything to do: those that are stale, and those of which the last run came to no good end."""
        stale = stale_months(stream, wanted, self._settings)
        # What only follows from a run that failed is no reason to run its month again.
        found = {month: each for month, each in stale.items() if month not in self._stopped or each.tables}
        manifest = ingestion.read_manifest(self._settings, stream)
        # A changed batch fails again in every run until it is mended: silence would read as "nothing is wrong".
        found |= {month: StaleMonth(("a batch has changed",)) for month in wanted if manifest.changed_in(month)}
        keys = [key for key in sorted(self._graph.asset_check_keys) if key.asset_key.path[0] == stream.name]
        specs = [self._graph.get_check_spec(key) for key in keys]
        rest = [month for month in wanted if month not in self._stopped]
        undone = undone_months(
            self._instance, specs, stream.name, rest, partial(self._busy, stream, rest), seals_of(self._settings)
        )
        return with_undone(found, undone)

    def _busy(self, stream: Stream, wanted: Sequence[date]) -> Collection[tuple[str, str]]:
        """Return the months of a stream that other runs cover: with a process, or queued where a daemon starts them.

        What a daemon that is stopped left queued hinders nobody.
        """
        if has_daemon(self._instance):
            return busy_months(self._instance, [stream.name])
        return self._at_work(stream, wanted)

    def _at_work(self, stream: Stream, wanted: Sequence[date]) -> dict[tuple[str, str], str]:
        """Return which months of a stream a run of another process computes, with the ids of the runs."""
        labels = [months.label(month) for month in wanted]
        runs = {label: at_work(self._instance, stream.name, label, but_for=process_tag()) for label in labels}
        return {(stream.name, label): found[0].run_id for label, found in runs.items() if found}

    def _take_turns(self, stream: Stream, month: date) -> None:
        """Wait until no other process computes a month; not for ever, for a run whose machine died stays on record for a while.

        Going on beside such a run is no fault: each step takes its turn at the warehouse, and what it read is on record.
        """
        label = months.label(month)
        until, told = time.monotonic() + LONGEST_TURN_SECONDS, False
        while (others := self._at_work(stream, [month])) and time.monotonic() < until:
            if not told:
                self._say(
                    f"{stream.name} {label} is being computed by run {others[stream.name, label][:8]}: waiting for its turn"
                )
                told = True
            time.sleep(0.5)

    def _start(self, step: Step) -> bool:
        """Run a step; return whether it succeeded."""
        return self._run(step.month, [asset_key(table) for table in step.tables], step.reason)

    def _run(self, month: date | None, assets: Sequence[dg.AssetKey], reason: str) -> bool:
        """Run some assets of a month, or of none, and note what came of it; return whether that succeeded."""
        job = self._job if month else self._definitions.resolve_job_def(WHOLE_JOB)
        label = months.label(month) if month else None
        tags = {PROCESS_TAG: process_tag(), WHY_TAG: reason[:250]}
        began = time.monotonic()
        # Other processes get their turn between the runs.
        with database.held(self._settings), _told_of_the_clock(label):
            result = job.execute_in_process(
                instance=self._instance,
                partition_key=label,
                asset_selection=list(assets),
                tags=tags,
                run_config=QUIET,
                raise_on_error=False,
            )
        self.summary.runs += 1
        if month:
            self.summary.months.add(month)
        sentences = [] if result.success else list(_failures(result.get_step_failure_events()))
        logs.event(
            "run_succeeded" if result.success else "run_failed",
            level=logging.INFO if result.success else logging.WARNING,
            month=month,
            run_id=result.run_id,
            why=reason,
            assets=len(assets),
            seconds=round(time.monotonic() - began, 3),
            failures=" ".join(sentences),
        )
        if not result.success:
            if month:
                self._stopped[month] = reason
            self.summary.failures += [f"{label} {sentence}" if label else sentence for sentence in sentences]
        return bool(result.success)

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[str], None]]:
        """Show how far it is: a bar on a terminal, otherwise a line every now and then."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=total)
            done = 0

            def advance(what: str) -> None:
                nonlocal done
                progress.update(task, description=what, completed=done)
                if not console.is_terminal and done % 12 == 0:
                    self._say(f"{what} ({done} of {total})")
                done += 1

            yield advance
            progress.update(task, completed=total)


@contextmanager
def _told_of_the_clock(label: str | None) -> Iterator[None]:
    """Say what happened where a month that is being computed is none any more."""
    try:
        yield
    except dg.DagsterUnknownPartitionError as error:
        raise RevenueIntegrityError(
            f"the clock of this machine was set back to {clock.now():%Y-%m-%d %H:%M} UTC: {label} is no month yet",
            "Set it right, and run again: what was computed stays",
        ) from error


def _failures(events: Sequence[Any]) -> Iterator[str]:
    """Yield one sentence per failed step: what the user can mend, or the kind of crash and where its trace is."""
    for event in events:
        data = event.step_failure_data
        description = data.user_failure_data.description if data.user_failure_data else None
        yield f"{event.step_key}: {description or _first_line(data.error)}"


def _first_line(error: Any) -> str:
    while error.cause is not None:
        error = error.cause
    return f"{error.message.strip().splitlines()[0]} (the trace is in the run's log in the UI)"
