"""Files on their way into the store: what comes with a batch, and what is kept of it.

Belongs here: the two shapes that the steps hand on. Does not belong here: any step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from revenue_integrity.landing.reading.inspection import FileFacts
from revenue_integrity.model.source import Source
from revenue_integrity.model.stage import ScannedFile


@dataclass
class Incoming:
    """A new batch of a source that is kept in files: what the caller learns of it.

    Attributes:
        batch_id, arrival: the batch.
        facts: its files.
        error: why it is refused as a whole; empty if it is not.
        unknown: columns that are not modelled.
    """

    batch_id: str
    arrival: datetime
    facts: Sequence[FileFacts]
    error: str = ""
    unknown: set[str] = field(default_factory=set)


@dataclass
class Kept:
    """A file on its way into the store.

    Attributes:
        source: its source.
        batch_id, arrival: its batch.
        facts: the file as it came.
        path: where it is kept.
        projection: SQL for the columns of the log over it.
        stored: SQL for the stored columns of the source over it, where it is kept as it came or was typed at once.
        rows: its rows.
        number: its number in the store.
        landed: SQL for its rows as they came, numbered from 0 as ``file_row_number``; empty where it is kept as it came.
        may_be_untidy: whether a text of any event's key may be bad or untidy; unknown until its index is made.
    """

    source: Source
    batch_id: str
    arrival: datetime
    facts: FileFacts
    path: Path
    projection: str
    stored: str = ""
    rows: int = 0
    number: int = -1
    landed: str = ""
    may_be_untidy: bool | None = None

    def scanned(self) -> ScannedFile:
        """Return the file as the rows of the log that it holds."""
        return ScannedFile(self.number, self.path, self.projection)
