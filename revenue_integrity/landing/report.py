"""What an ingestion tells of itself.

Belongs here: the report and its parts. Does not belong here: filling it (``ingest``).
"""

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Violation:
    """A batch that no longer has the bytes that were recorded at first sight.

    Attributes:
        batch_id: the batch.
        recorded: the digest at first sight.
        found: the digest now.
        months: the months that it touches, which must not be recomputed.
    """

    batch_id: str
    recorded: str
    found: str
    months: tuple[date, ...]

    def __str__(self) -> str:
        return (
            f"batch {self.batch_id} has changed: digest {self.recorded} was recorded at first sight, {self.found} is found;"
            f" months {', '.join(f'{month:%Y-%m}' for month in self.months) or 'none'} are not recomputed"
        )


@dataclass
class IngestReport:
    """What an ingestion found and did.

    Attributes:
        loaded: batches read for the first time.
        rejected: batches refused as a whole, with the reason.
        changed: batches that have changed, now or earlier.
        missing: batches that were read once and are no longer in the landing zone.
        ignored: entries of the landing zone that are no batch, with the reason.
        rows: data rows of the new batches.
        quarantined: rows of the new batches that went to quarantine.
        healed: rows that left quarantine because their reference arrived.
        withdrawn: batches that count no more from now on.
        refused: rows loaded before that a changed reference now refuses.
        touched: per source, the months whose loaded rows may have changed.
        rebuilt: whether the store was built again because its rules or its currency changed.
    """

    loaded: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    changed: list[Violation] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    rows: int = 0
    quarantined: int = 0
    healed: int = 0
    withdrawn: list[str] = field(default_factory=list)
    refused: int = 0
    touched: dict[str, set[date]] = field(default_factory=dict)
    rebuilt: bool = False

    @property
    def touched_months(self) -> list[date]:
        """All months whose loaded rows may have changed, in order."""
        return sorted(set().union(*self.touched.values()))
