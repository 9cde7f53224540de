"""Late data: which months to ask for now, given what was asked for before.

Belongs here: what is asked for, when it is asked for again, when to give up. Does not belong here: the comparison of states
(``plan``), asking (``orchestration.late_data``), sign-off, which nobody ever asks for.

What is remembered is no event, only what was asked for: a missed look loses nothing. Whoever starts runs remembers their keys
for ever, so a number that only grows is part of each; content that returns to an earlier state is computed again.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.horizon import service_months
from revenue_integrity.computing.plan import stale_months
from revenue_integrity.computing.staleness import due_months, new_batches, present_states
from revenue_integrity.computing.versions import judged_tables
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
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
        reads_only: whether new batches are read and nothing else is done.
    """

    key: str
    stream: str
    month: date
    why: str
    batches: tuple[str, ...]
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


def plan(
    deployment: Deployment, memory: Memory, busy: Collection[str], now: datetime, possible: Collection[date] | None = None
) -> tuple[list[Request], list[GivenUp]]:
    """Return the runs to ask for now and what is given up; the memory is brought up to date.

    ``busy`` holds the months (as labels) that a queued or running run covers: they are left for a later look, and so are those
    that nobody can be asked for yet (``possible``: the months that somebody can be asked for; by default all).
    """
    settings = deployment.settings
    asking = _Asking(memory, now)
    askable = service_months(settings) if possible is None else possible
    in_use = {stream.name for stream in ingestion.in_use(settings, deployment.streams)}
    for stream in deployment.streams:
        news = ingestion.pending(settings, stream)
        name = f"{stream.name}/{_LANDING}"
        if news:
            # What new batches touch is known when they are read; until then no month is asked for.
            if not busy:
                newest = max((month for month in askable if month <= now.date()), default=min(askable))
                told = f"{news[0]} and {len(news) - 1} more batches cannot be read"
                asking.ask(
                    name, sha256_of(news), Request("", stream.name, newest, f"{len(news)} new batches", tuple(news), True), told
                )
            continue
        memory.asked.pop(name, None)
        due = due_months(stream, read_catalog(settings), settings) if stream.name in in_use else []
        stale = _requests(stream, due, settings)
        labels = {months.label(each.month) for each, _ in stale}
        for label in [label for label in memory.asked if label.startswith(f"{stream.name}@") and label[-7:] not in labels]:
            del memory.asked[label]
        for request, state in stale:
            label = months.label(request.month)
            if label not in busy and request.month in askable:
                asking.ask(f"{stream.name}@{label}", state, request, request.why)
    return asking.requests, asking.given_up


def _requests(stream: Stream, wanted: Sequence[date], settings: Settings) -> list[tuple[Request, str]]:
    """Return a request for each stale month of a stream, with the state that it is stale against."""
    known, manifest, judged = read_catalog(settings), ingestion.read_manifest(settings, stream), judged_tables(stream, settings)
    found = []
    for month, each in stale_months(stream, wanted, settings).items():
        touching = [manifest.batches(source.name, month) for source in stream.sources]
        state = sha256_of([each.reasons, present_states(stream, month, known, settings), touching, judged])
        batches = tuple(new_batches(stream, month, known, manifest))
        found.append((Request("", stream.name, month, each.reason, batches), state))
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
