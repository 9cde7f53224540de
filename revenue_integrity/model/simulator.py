"""What a simulator of a stream's source systems is, and what it is asked for.

Belongs here: the words in which a stream declares its simulator. Does not belong here: any simulator (each stream's
``simulate``), making a home of what they write (``operating.demo``).

Declarations are read with every command, for its options are part of the command line: this module imports nothing heavy, and
what a declaration calls imports the simulator when it is called.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

Cutoff = Callable[[date], datetime]
"""The close calendar: the last instant at which a posting of a service month is in time."""


@dataclass(frozen=True)
class Option:
    """How much a simulator makes of something.

    Attributes:
        name: its name in words joined by ``_`` (``events_per_day``); unique over all streams.
        meaning: what it counts, for the help.
        usual: the number unless another is asked for, also that of the demo.
    """

    name: str
    meaning: str
    usual: int


@dataclass(frozen=True)
class Simulation:
    """What is asked of a simulator.

    Attributes:
        landing: root of the landing zone that it writes to.
        truth: directory of what it planted.
        months: service months, consecutive.
        seed: the same seed writes the same bytes.
        faults: ``default``, ``none``, or a TOML file with a table of rates for each stream.
        options: how much it makes of what it declares, by name.
        cutoff: the close calendar.
        currency: currency of all amounts.
        others: the other streams that have a simulator: their tables in a file of rates are theirs to read.
    """

    landing: Path
    truth: Path
    months: Sequence[date]
    seed: int
    faults: str
    options: Mapping[str, int]
    cutoff: Cutoff
    currency: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Simulated:
    """What a simulation wrote.

    Attributes:
        batches: batches in the landing zone.
        rows: rows in them.
        faults: faults planted; a fault may have several rows in the truth.
    """

    batches: int
    rows: int
    faults: int


@dataclass(frozen=True)
class LateStory:
    """What comes late in a demo: a delivery for a month that was signed, so that it is seen how it opens again.

    Attributes:
        title: what comes, as a person says it (``late posting``).
        months_back: for which month, counted back from the last signed one, which is 1.
        tell: ``(landing, month, cutoff)``: lands it on top of what was simulated, and returns the id of its batch.
    """

    title: str
    months_back: int
    tell: Callable[[Path, date, Cutoff], str]


@dataclass(frozen=True)
class Simulator:
    """The source systems of a stream, simulated.

    Attributes:
        stream: the stream.
        sketch: what it simulates, with its options in braces (``{contracts} contracts at {sites} sites``).
        options: how much of what.
        judge: raises ``UsageError`` for what it does not understand, before anything is written.
        simulate: writes what the source systems would have sent, and to ``truth`` what is wrong with it.
        late: what comes late, after months were signed.
    """

    stream: str
    sketch: str
    options: tuple[Option, ...]
    judge: Callable[[Simulation], None]
    simulate: Callable[[Simulation], Simulated]
    late: LateStory | None = None


def usual_options(simulators: Mapping[str, Simulator]) -> dict[str, int]:
    """Return how much simulators make of what unless something else is asked for, by the names of their options."""
    return {option.name: option.usual for simulator in simulators.values() for option in simulator.options}
