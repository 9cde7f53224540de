"""What can be measured by itself: a part, its sizes, and what it is given when it runs.

Belongs here: the declaration. Does not belong here: any part (`whole`, each stream's `benchmark`), the command line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Report, Say


@dataclass(frozen=True)
class Size:
    """How much of something is measured.

    Attributes:
        name: its name on the command line.
        meaning: what it counts, in words.
        usual: the number unless another is asked for.
        quick: the number of a quick measurement, which only shows that it works.
    """

    name: str
    meaning: str
    usual: int
    quick: int


TIMES = Size("times", "repetitions; the median is shown", 3, 1)
"""How often most things are measured."""


@dataclass(frozen=True)
class Run:
    """What a part is given.

    Attributes:
        report: where it puts what it found.
        work: a directory of its own, gone afterwards.
        quick: whether it only has to be seen to work.
        say: tells the person what goes on.
        sizes: its sizes by name, as declared or as asked for.
        scratch: where large data may stay for the next time; ``None`` if nothing may.
    """

    report: Report
    work: Path
    quick: bool
    say: Say
    sizes: Mapping[str, int]
    scratch: Path | None = None


@dataclass(frozen=True)
class Part:
    """Something that is measured by itself.

    Attributes:
        name: its name on the command line, within its stream.
        measure: measures it.
        sizes: how much, with what is usual.
    """

    name: str
    measure: Callable[[Run], None]
    sizes: tuple[Size, ...] = (TIMES,)
