"""What the desk needs to know of the runs of a home: what their checks found, and which are under way.

Belongs here: the questions. Does not belong here: the answers, which stand where runs are recorded (``orchestration.evidence``).
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date
from typing import Any, Protocol

from revenue_integrity.model.check import CheckRecord
from revenue_integrity.model.deployment import Deployment


class Seen(Protocol):
    """What is on record at one moment."""

    def checks(self, month: date, stream: str) -> list[CheckRecord]:
        """Return what each check of a month of a stream says, in a fixed order. Whatever is unclear does not pass."""
        ...

    def under_way(self, month: date, *, but_for_run: str = "") -> frozenset[str]:
        """Return the streams of which a queued or running run computes the month, one run left out."""
        ...


class Evidence(Protocol):
    """The record of the runs of a home."""

    def now(self) -> Seen:
        """Return what is on record at this moment."""
        ...

    def troubles(self) -> list[str]:
        """Return what keeps runs from going on by themselves, as sentences."""
        ...

    def packs_written(self, month: date, book: str, facts: Mapping[str, Any]) -> None:
        """Put on record that the close pack of a month of a book was written, with what people want to see of it."""
        ...


OpenEvidence = Callable[[Deployment], AbstractContextManager[Evidence]]
"""Opens the record of a home for as long as the block lasts."""
