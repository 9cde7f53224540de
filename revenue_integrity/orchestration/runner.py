"""Running months from a command: the same assets in the same instance as the UI, in one process.

Belongs here: what to run, in which order, until nothing is stale. Does not belong here: what an asset does.
One process runs all months because starting one costs more than a month.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import dagster as dg

from revenue_integrity import months
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.orchestration import ingestion
from revenue_integrity.orchestration.instance import PROCESS_TAG, open_instance, process_tag
from revenue_integrity.orchestration.staleness import stale_partitions
from revenue_integrity.settings import Settings
from revenue_integrity.streams import STREAMS
from revenue_integrity.streams.stream import Stream
from revenue_integrity.warehouse.catalog import read_catalog

Say = Callable[[str], None]

MAX_ROUNDS = 8
"""Rounds of recomputing before `run` gives up: windows reach months ahead, but every round settles at least one more."""


@dataclass
class RunSummary:
    """What a run did: months per stream, and the failures as sentences."""

    runs: int = 0
    months: set[date] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What happened, for the last line of the command."""
        if self.failures:
            return "\n".join(["failed:", *(f"  {failure}" for failure in self.failures)])
        if not self.runs:
            return "Nothing is stale; nothing was recomputed."
        return f"{len(self.months)} months computed in {self.runs} runs; nothing is stale."
