"""Late data: which months to ask for now, given what was asked for before.

Belongs here: what is asked for, when it is asked for again, when to give up. Does not belong here: the comparison of states
(``plan``), asking (``orchestration.late_data``), sign-off, which nobody ever asks for.

What is remembered is no event, only what was asked for: a missed look loses nothing. Whoever starts runs remembers their keys
for ever, so a number that only grows is part of each; content that returns to an earlier state is computed again.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.horizon import service_months
from revenue_integrity.computing.plan import Undone, stale_months, steps, with_undone
from revenue_integrity.computing.staleness import due_months, new_batches, present_states
from revenue_integrity.computing.versions import judged_tables
from revenue_integrity.landing.datasets import batches_table
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import read_catalog

MAX_ATTEMPTS = 3
"""Requests for the same state before giving up."""

_FIRST_DELAY = timedelta(minutes=1)
"""Delay before the second request; it doubles with each."""

_LANDING = "landing"
"""What is remembered of the reading of new batches under this name."""


@dataclass
class Asked:
    """What was asked for last, for one month (or for the landing).

    Attributes:
        state: what the month was stale against.
        attempts: requests for that state.
        at: when the last one was made (ISO 8601).
        told: whether it was told that nobody asks any more.
    """

    state: str = ""
    attempts: int = 0
    at: str = ""
    told: bool = False


@dataclass
class Memory:
    """The number of the last request, and what was asked for."""

    number: int = 0
    asked: dict[str, Asked] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> "Memory":
        """Return what a text holds; an empty memory for none."""
        if not text:
            return cls()
        found = json.loads(text)
        return cls(found["number"], {name: Asked(**values) for name, values in found["asked"].items()})

    @property
    def text(self) -> str:
        """The memory as text."""
        return json.dumps({"number": self.number, "asked": {name: asdict(each) for name, each in sorted(self.asked.items())}})


@dataclass(frozen=True)
class Request:
    """A run to ask for.

    Attributes:
        key: what tells it from every other request ever.
        stream: the stream that it is for.
        month: the month, which for reading new batches is any that there is.
        why: why, in few words.
        batches: the batches behind it.
        tables: what is stale and what stands behind it, landing and publication included where they are touched.
        reads_only: whether new batches are read and nothing else is done.
    """

    key: str
    stream: str
    month: date
    why: str
    batches: tuple[str, ...]
    tables: tuple[Table, ...]
    reads_only: bool = False


@dataclass(frozen=True)
class GivenUp:
    """A state that was asked for as often as it is: somebody must look.

    Attributes:
        month: the month; ``None`` where new batches could not be read.
        state: what was asked for.
        attempts: how often.
        why: what is stale.
    """

    month: date | None
    state: str
    attempts: int
    why: str


@dataclass(frozen=True)
class Home:
    """What a look at a home finds that only the record of its runs knows.

    Attributes:
        busy: streams with the months (as labels) that a queued or running run of them covers; they are left for a later look.
        reading: streams of which a queued or running run reads what was landed.
        possible: the months that somebody can be asked for; ``None`` for all.
        undone: months, by stream, of which the last run came to no good end, or whose checks are none of this home.
    """

    busy: Collection[tuple[str, str]] = ()
    reading: Collection[str] = ()
    possible: Collection[date] | None = None
    undone: Mapping[str, Mapping[date, Undone]] = field(default_factory=dict)


def plan(deployment: Deployment, memory: Memory, now: datetime, found: Home | None = None) -> tuple[list[Request], list[GivenUp]]:
    """Return the runs to ask for now, the oldest month first, and what is given up; the memory is brought up to date.

    New batches are read while what is read already is computed: files that keep arriving hold up no month.
    """
    found = found or Home()
    settings = deployment.settings
    asking = _Asking(memory, now)
    askable = service_months(settings) if found.possible is None else found.possible
    for stream in deployment.streams:
        news = ingestion.pending(settings, stream)
        name = f"{stream.name}/{_LANDING}"
        if not news:
            memory.asked.pop(name, None)
        elif stream.name not in found.reading:
            newest = max((month for month in askable if month <= now.date()), default=min(askable))
            told = f"{news[0]} and {len(news) - 1} more batches cannot be read"
            why, read = f"{len(news)} new batches", (batches_table(stream.name),)
            asking.ask(name, sha256_of(news), Request("", stream.name, newest, why, tuple(news), read, True), told)
        # Before anything was read, all there is to compute is nothing.
        was_read = bool(ingestion.read_manifest(settings, stream).seen)
        due = due_months(stream, read_catalog(settings), settings) if was_read else []
        stale = _requests(stream, due, settings, found.undone.get(stream.name, {}))
        labels = {months.label(each.month) for each, _ in stale}
        for label in [label for label in memory.asked if label.startswith(f"{stream.name}@") and label[-7:] not in labels]:
            del memory.asked[label]
        for request, state in stale:
            label = months.label(request.month)
            if (stream.name, label) not in found.busy and request.month in askable:
                asking.ask(f"{stream.name}@{label}", state, request, request.why)
    return sorted(asking.requests, key=lambda each: (not each.reads_only, each.month)), asking.given_up


def _requests(
    stream: Stream, wanted: Sequence[date], settings: Settings, undone: Mapping[date, Undone]
) -> list[tuple[Request, str]]:
    """Return a request for each stale or unfinished month of a stream, with the state that it is stale against."""
    known, manifest, judged = read_catalog(settings), ingestion.read_manifest(settings, stream), judged_tables(stream, settings)
    found = []
    asked = {month: each for month, each in undone.items() if month in wanted}
    for month, each in with_undone(stale_months(stream, wanted, settings), asked).items():
        tables = tuple(table for step in steps(stream, {month: each}, manifest) for table in step.tables)
        touching = [manifest.batches(source.name, month) for source in stream.sources]
        state = sha256_of([each.reasons, present_states(stream, month, known, settings), touching, judged])
        batches = tuple(new_batches(stream, month, known, manifest))
        found.append((Request("", stream.name, month, each.reason, batches, tables), state))
    return found


class _Asking:
    """Asks at once for a state that is new, for the same again after a delay that doubles, and gives up after some attempts."""

    def __init__(self, memory: Memory, now: datetime) -> None:
        self.requests: list[Request] = []
        self.given_up: list[GivenUp] = []
        self._memory = memory
        self._now = now

    def ask(self, name: str, state: str, request: Request, told: str) -> None:
        """Ask for a state, or say (``told``) what is given up."""
        asked = self._memory.asked.setdefault(name, Asked())
        if asked.state != state:
            asked = self._memory.asked[name] = Asked(state)
        elif asked.attempts >= MAX_ATTEMPTS:
            if not asked.told:
                asked.told = True
                self.given_up.append(GivenUp(None if request.reads_only else request.month, state, asked.attempts, told))
            return
        elif self._now < datetime.fromisoformat(asked.at) + _FIRST_DELAY * 2 ** (asked.attempts - 1):
            return
        asked.attempts += 1
        asked.at = self._now.isoformat()
        self._memory.number += 1
        self.requests.append(replace(request, key=f"{name}:{self._memory.number}"))
