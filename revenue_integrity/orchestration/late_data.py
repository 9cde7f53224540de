"""Late data: the sensor that requests exactly the months whose inputs differ from what was computed.

Belongs here: comparing states every minute, asking for runs, asking again when one failed. Does not belong here: the
comparison itself (``staleness``), sign-off, which no sensor ever does.

The sensor remembers no event, only what it asked for: a missed tick loses nothing. Run keys are remembered by Dagster for
ever, so a number that only grows is part of each; content that returns to an earlier state is computed again.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from revenue_integrity import clock, logs, months
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.publication import is_published
from revenue_integrity.computing.staleness import (
    due_months,
    new_batches,
    present_states,
    stale_partitions,
    stale_sources,
    unjudged_tables,
)
from revenue_integrity.computing.versions import judged_tables
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.orchestration.jobs import MONTH_JOB
from revenue_integrity.orchestration.table_assets import WHY_TAG
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import read_catalog, sha256_of

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
"""States of a run that is still to come or going on."""

PARTITION_TAG = "dagster/partition"
"""Tag under which Dagster keeps the month of a run."""

BATCHES_TAG = "revenue_integrity/batches"
"""Tag that names the batches behind it."""

MAX_ATTEMPTS = 3
"""Requests for the same state before the sensor gives up and alerts."""

_FIRST_DELAY = timedelta(minutes=1)
"""Delay before the second request; it doubles with each."""

_LANDING = "landing"
"""What the sensor remembers the reading of new batches under."""


@dataclass
class Asked:
    """What was asked for last, for one month (or for the landing).

    Attributes:
        state: what the month was stale against.
        attempts: requests for that state.
        at: when the last one was made (ISO 8601).
        told: whether the alert about giving up went out.
    """

    state: str = ""
    attempts: int = 0
    at: str = ""
    told: bool = False


@dataclass
class Memory:
    """The cursor: the number of the last request, and what was asked for."""

    number: int = 0
    asked: dict[str, Asked] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None) -> "Memory":
        """Return what a cursor holds."""
        if not cursor:
            return cls()
        found = json.loads(cursor)
        return cls(found["number"], {name: Asked(**values) for name, values in found["asked"].items()})

    @property
    def text(self) -> str:
        """The memory as a cursor."""
        return json.dumps({"number": self.number, "asked": {name: asdict(each) for name, each in sorted(self.asked.items())}})


@dataclass(frozen=True)
class StaleMonth:
    """A month of a stream to compute, against which state, and why."""

    month: date
    state: str
    why: str
    batches: tuple[str, ...]


def stale_months(settings: Settings, stream: Stream, wanted: Sequence[date]) -> list[StaleMonth]:
    """Return the months with other inputs than were computed, another publication, or checks that have changed since."""
    known = read_catalog(settings)
    manifest = ingestion.read_manifest(settings, stream)
    reasons: dict[date, list[str]] = {}
    for each in [*stale_sources(stream, wanted, known, manifest), *stale_partitions(stream, wanted, known, settings)]:
        reasons.setdefault(each.month, []).append(f"{each.table}: {each.reason}")
    for month in wanted:
        if month not in reasons and not is_published(settings, stream, month, known):
            reasons[month] = ["not published as computed"]
        elif month not in reasons and (tables := unjudged_tables(stream, month, settings)):
            reasons[month] = [f"{min(tables)}: checks changed"]
    found = []
    for month in sorted(reasons):
        touching = [manifest.batches(source.name, month) for source in stream.sources]
        judged = judged_tables(stream, settings)
        state = sha256_of([reasons[month], present_states(stream, month, known, settings), touching, judged])
        found.append(StaleMonth(month, state, reasons[month][0], tuple(new_batches(stream, month, known, manifest))))
    return found


def plan(deployment: Deployment, memory: Memory, busy: set[str], now: datetime) -> tuple[list[dg.RunRequest], list[events.Event]]:
    """Return the runs to request now and the alerts about months that were given up; the memory is brought up to date.

    ``busy`` holds the months (and ``landing``) that a queued or running run covers: they are left for a later tick.
    """
    settings = deployment.settings
    requests: list[dg.RunRequest] = []
    alerts: list[events.Event] = []
    for stream in deployment.streams:
        news = ingestion.pending(settings, stream)
        name = f"{stream.name}/{_LANDING}"
        if news:
            # What new batches touch is known when they are read; until then no month is asked for.
            if busy:
                continue
            state = sha256_of(news)
            if _may_ask(memory, name, state, now):
                keys = [dg.AssetKey([stream.name, "raw", "batches"])]
                newest = max(month for month in settings.months if month <= now.date()) if settings.months else None
                tags = _tags(f"{len(news)} new batches", news)
                requests.append(_request(memory, name, months.label(newest or settings.months[0]), tags, keys))
            else:
                alerts += _give_up(memory, name, None, f"{news[0]} and {len(news) - 1} more batches cannot be read")
            continue
        memory.asked.pop(name, None)
        due = (
            due_months(stream, read_catalog(settings), settings)
            if stream in ingestion.in_use(settings, deployment.streams)
            else []
        )
        stale = stale_months(settings, stream, due)
        labels = {months.label(each.month) for each in stale}
        for label in [label for label in memory.asked if label.startswith(f"{stream.name}@") and label[-7:] not in labels]:
            del memory.asked[label]
        for each in stale:
            label = months.label(each.month)
            remembered = f"{stream.name}@{label}"
            if label in busy:
                continue
            if _may_ask(memory, remembered, each.state, now):
                requests.append(_request(memory, remembered, label, _tags(each.why, each.batches), None))
            else:
                alerts += _give_up(memory, remembered, each.month, each.why)
    return requests, alerts


def _may_ask(memory: Memory, name: str, state: str, now: datetime) -> bool:
    """Return whether to ask now, and note it: a new state at once, the same again after a delay that doubles."""
    asked = memory.asked.setdefault(name, Asked())
    if asked.state != state:
        memory.asked[name] = Asked(state, 1, now.isoformat())
        return True
    due = datetime.fromisoformat(asked.at) + _FIRST_DELAY * 2 ** (asked.attempts - 1)
    if asked.attempts >= MAX_ATTEMPTS or now < due:
        return False
    asked.attempts += 1
    asked.at = now.isoformat()
    return True


def _give_up(memory: Memory, name: str, month: date | None, why: str) -> list[events.Event]:
    asked = memory.asked[name]
    if asked.attempts < MAX_ATTEMPTS or asked.told:
        return []
    asked.told = True
    return [events.run_failed(month, asked.state, asked.attempts, why)]


def _request(memory: Memory, name: str, label: str, tags: dict[str, str], keys: Sequence[dg.AssetKey] | None) -> dg.RunRequest:
    memory.number += 1
    key = f"{name}:{memory.number}"
    return dg.RunRequest(key, partition_key=label, tags=tags, asset_selection=keys, job_name=MONTH_JOB)


def _tags(why: str, batches: Sequence[str]) -> dict[str, str]:
    shown = ", ".join(batches[:5]) + (f" and {len(batches) - 5} more" if len(batches) > 5 else "")
    return {WHY_TAG: why[:250], **({BATCHES_TAG: shown[:250]} if shown else {})}


def busy_months(instance: dg.DagsterInstance, *, but_for: str = "") -> set[str]:
    """Return the months that a queued or running run covers, one run left out."""
    runs = instance.get_runs(filters=RunsFilter(statuses=UNFINISHED))
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags and run.run_id != but_for}


def late_data_sensor(deployment: Deployment, job: Any) -> dg.SensorDefinition:
    """Return the sensor that asks for the months that late data touch, every minute."""
    settings = deployment.settings

    @dg.sensor(
        name="late_data",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Requests exactly the months whose inputs differ from what was computed, and everything behind them; never a"
            " sign-off. A failed run is requested again, at most three times with growing delay, then an alert goes out."
        ),
    )
    def late_data(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        memory = Memory.read(context.cursor)
        with logs.writing(settings, "sensor late_data"):
            requests, alerts = plan(deployment, memory, busy_months(context.instance), clock.now())
            for request in requests:
                logs.event("run_requested", month=request.partition_key, why=request.tags[WHY_TAG])
            for alert in alerts:
                outbox.raise_alert(settings, alert)
                logs.event("run_given_up", level=logging.WARNING, month=alert.month, title=alert.title)
        reason = None if requests else "Nothing is stale that is not running or waiting for its next attempt."
        return dg.SensorResult(run_requests=requests, cursor=memory.text, skip_reason=reason)

    return late_data
