"""What keeps the runs of a home from going on by themselves: sensors that somebody stopped, a pool without slots, a daemon gone.

Belongs here: asking the instance, in sentences. Does not belong here: who is told (``operating.doctor``, ``status``).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from revenue_integrity import clock
from revenue_integrity.orchestration.instance import POOL
from revenue_integrity.orchestration.reloading import ui_session_file
from revenue_integrity.settings import Settings

SILENT_SECONDS = 300
"""How long a daemon may say nothing: its looks are long where a home has many months."""


@dataclass(frozen=True)
class Trouble:
    """Something that keeps runs from going on, and what to do about it."""

    found: str
    next_step: str


def troubles(instance: dg.DagsterInstance, settings: Settings) -> list[Trouble]:
    """Return what keeps the runs of a home from going on; nothing where nobody expects them to go on."""
    return [*_stopped(instance), *_without_slots(instance), *_without_daemon(instance, settings)]


def _stopped(instance: dg.DagsterInstance) -> list[Trouble]:
    names = sorted({state.name for state in instance.all_instigator_state() if state.status.value == "STOPPED"})
    if not names:
        return []
    return [
        Trouble(f"somebody stopped {', '.join(names)}", "Start it in the UI under Automation: until then nothing asks for runs")
    ]


def _without_slots(instance: dg.DagsterInstance) -> list[Trouble]:
    storage = instance.event_log_storage
    limits = {each.name: each.limit for each in storage.get_pool_limits()} if storage.supports_global_concurrency_limits else {}
    if limits.get(POOL, 1) > 0:
        return []
    return [Trouble(f"the pool {POOL} has no slot: every run waits", "Set it to 1 in the UI under Deployment, Concurrency")]


def has_daemon(instance: dg.DagsterInstance) -> bool:
    """Return whether a daemon is there that starts what is queued."""
    # Dagster believes in a daemon for half an hour after it was last heard of; it says every half minute that it is there.
    since = clock.now().timestamp() - SILENT_SECONDS
    statuses = instance.get_daemon_statuses().values()
    return any(status.healthy and status.last_heartbeat and status.last_heartbeat.timestamp > since for status in statuses)


def _without_daemon(instance: dg.DagsterInstance, settings: Settings) -> list[Trouble]:
    if has_daemon(instance):
        return []
    queued = len(instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.QUEUED])))
    is_expected = queued or ui_session_file(settings).exists()
    if not is_expected:
        return []
    statuses = instance.get_daemon_statuses().values()
    beats = [status.last_heartbeat.timestamp for status in statuses if status.last_heartbeat]
    seen = f"last seen {datetime.fromtimestamp(max(beats), UTC):%Y-%m-%dT%H:%M:%SZ}" if beats else "never seen"
    waiting = f", {queued} runs are queued" if queued else ""
    return [Trouble(f"no daemon is there ({seen}){waiting}", "Start it: revenue-integrity ui")]
