"""What a close pack is made from: one plain value, so that a pack can be made from any published month.

Belongs here: ``PackData`` and reading its parts safely. Does not belong here: where the frames come from (``desk.packs``), what
a stream shows (its ``Report``), and how that looks (``workbook``, ``page``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from revenue_integrity import months, wording
from revenue_integrity.model.check import Check
from revenue_integrity.model.report import Published, Report
from revenue_integrity.model.stream import Stream
from revenue_integrity.wording import Currency

CHECK_COLUMNS = ["asset", "check", "gate", "passed", "figures", "next_step"]
"""One row per check of the month. ``asset`` is its table, ``STREAM/TABLE``; ``passed`` is false also for a check without a result
on what stands now."""

WAIVER_COLUMNS = ["asset", "check", "actor", "at", "comment"]
LEDGER_COLUMNS = ["seq", "month", "version", "action", "actor", "at", "content_hash", "comment", "hash"]
RESTATEMENT_COLUMNS = ["month", "from_version", "dataset", "key", "measure", "old", "new", "delta", "cause", "batches"]

SIGNED = "signed_off"


def _empty(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})


@dataclass(frozen=True)
class StreamPart:
    """A stream's part of a pack.

    Attributes:
        stream: the stream: what it compares, what of it is signed.
        published: its month.
        report: what it shows.
    """

    stream: Stream
    published: Published
    report: Report

    @property
    def title(self) -> str:
        """What people call the stream."""
        return self.stream.heading


@dataclass(frozen=True)
class PackData:
    """One month of a book, as published, with all that was decided about it.

    Attributes:
        book: what is signed together.
        month: the first day of the month.
        currency: the currency of the deployment.
        parts: the streams that have anything in the month; what others would show is left out.
        checks: ``CHECK_COLUMNS`` (figures as JSON).
        waivers: waivers in force, ``WAIVER_COLUMNS``.
        ledger: the month's entries of ``sign_off_ledger``.
        restatement: what changed since a signed version (``restatement``).
        status: the month's row of ``close_status``.
        ledger_head: the hash of the ledger's last entry, empty before the first.
        made_from: a hash of all that the pack rests on but the head; it tells whether a pack must be made anew.
    """

    book: str
    month: date
    currency: Currency
    parts: Sequence[StreamPart]
    checks: pd.DataFrame = field(default_factory=lambda: _empty(CHECK_COLUMNS))
    waivers: pd.DataFrame = field(default_factory=lambda: _empty(WAIVER_COLUMNS))
    ledger: pd.DataFrame = field(default_factory=lambda: _empty(LEDGER_COLUMNS))
    restatement: pd.DataFrame = field(default_factory=lambda: _empty(RESTATEMENT_COLUMNS))
    status: Mapping[str, Any] = field(default_factory=dict)
    ledger_head: str = ""
    made_from: str = ""

    @property
    def label(self) -> str:
        """The month as ``YYYY-MM``."""
        return months.label(self.month)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The month's datasets of all streams by name."""
        return {name: frame for part in self.parts for name, frame in part.published.tables.items()}

    def check_of(self, asset: str, check: str) -> Check | None:
        """Return a check of a table (``STREAM/TABLE``) as its stream declares it; ``None`` for one that every stream has."""
        declared = {
            (f"{part.stream.name}/{each.table.name}", each.name): each for part in self.parts for each in part.stream.checks
        }
        return declared.get((asset, check))

    def title_of(self, asset: str, check: str) -> str:
        """Return what people call a check of a table (``STREAM/TABLE``)."""
        found = self.check_of(asset, check)
        return found.heading if found else wording.words(check)

    def stream_of(self, asset: str) -> str:
        """Return what people call the stream of a table (``STREAM/TABLE``)."""
        name = asset.partition("/")[0]
        return next((part.title for part in self.parts if part.stream.name == name), name)

    @property
    def preliminary(self) -> bool:
        """Whether nobody has signed what this pack shows."""
        return self.status.get("status") != SIGNED

    @property
    def state(self) -> str:
        """The status of the close, in words."""
        return str(self.status.get("status") or "open").replace("_", " ")

    @property
    def version(self) -> int | None:
        """The signed version, if there is one."""
        version = self.status.get("version")
        return None if version is None or version != version or not version else int(version)

    @property
    def blocking(self) -> list[dict[str, Any]]:
        """What blocks sign-off: check, figure and next step."""
        return _records(self.status.get("blocking"))

    @property
    def as_of(self) -> datetime | None:
        """The latest arrival that the month rests on; the only date that a pack carries about itself."""
        return instant_of(self.status.get("as_of"))


def _records(value: Any) -> list[dict[str, Any]]:
    """Return a list of records that is a list already, or its JSON."""
    if isinstance(value, str):
        value = json.loads(value) if value else []
    if not isinstance(value, Sequence):
        return []
    return [dict(each) if isinstance(each, Mapping) else {"check": str(each)} for each in value]


def instant_of(value: Any) -> datetime | None:
    """Return an instant in UTC: a timestamp, its ISO text, or an arrival as landing paths write it (20250501T101500Z)."""
    if value is None or value is pd.NaT or value != value or value == "":
        return None
    stamp = pd.Timestamp(value)
    stamp = stamp.tz_localize(UTC) if stamp.tzinfo is None else stamp.tz_convert(UTC)
    return stamp.to_pydatetime()


def plain_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows whose missing values are ``None``, whatever the column's type."""
    return [
        {str(name): None if wording.is_missing(value) else value for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]
