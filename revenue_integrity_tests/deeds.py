"""What people do with a home, each as one call that opens the record of its runs.

Belongs here: the functions behind the commands, over the streams that a home holds. Does not belong here: any expectation.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity.close.ledger import Entry, Finding
from revenue_integrity.desk import close_status as statuses
from revenue_integrity.desk import decisions, freezing, packs, restating, verifying
from revenue_integrity.desk import status as figures
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.serving import export as exports
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import home_of


def quiet(_: str) -> None:
    """Say nothing."""


def prepare(settings: Settings, month: date, actor: str, comment: str = "", *, book: str = "") -> Entry:
    """Prepare a month of a book, by default of the one in use."""
    with open_evidence(home_of(settings)) as evidence:
        return decisions.prepare(home_of(settings), evidence, month, actor, comment, book=book)


def approve(settings: Settings, month: date, actor: str, comment: str = "", *, book: str = "") -> Entry:
    """Approve a month of a book, by default of the one in use."""
    with open_evidence(home_of(settings)) as evidence:
        return decisions.approve(home_of(settings), evidence, month, actor, comment, book=book)


def waive(settings: Settings, month: date, check: str, actor: str, reason: str) -> Entry:
    """Waive a check."""
    with open_evidence(home_of(settings)) as evidence:
        return decisions.waive(home_of(settings), evidence, month, check, actor, reason)


def reopen(settings: Settings, month: date, actor: str, reason: str) -> Entry:
    """Reopen a month."""
    with open_evidence(home_of(settings)) as evidence:
        return decisions.reopen(home_of(settings), evidence, month, actor, reason)


def complete(settings: Settings) -> list[str]:
    """Complete what earlier decisions left open."""
    with open_evidence(home_of(settings)) as evidence:
        return freezing.complete(home_of(settings), evidence)


def verify(settings: Settings) -> list[Finding]:
    """Return what does not hold."""
    return verifying.verify(home_of(settings))


def close_status(settings: Settings, wanted: Sequence[date]) -> pd.DataFrame:
    """Return the close status of some months."""
    with open_evidence(home_of(settings)) as evidence:
        return statuses.close_status(home_of(settings), evidence, wanted)


def status_frame(settings: Settings, wanted: Sequence[date]) -> pd.DataFrame:
    """Return what `status` shows."""
    with open_evidence(home_of(settings)) as evidence:
        return figures.status_frame(home_of(settings), evidence, wanted)


def restatement(settings: Settings, month: date, first: int | None = None, last: int | None = None) -> pd.DataFrame:
    """Return what changed between two versions of a month."""
    with open_evidence(home_of(settings)) as evidence:
        return restating.restatement(home_of(settings), evidence, month, first, last)


def renew(settings: Settings, say: Callable[[str], None] = quiet) -> list[tuple[str, date]]:
    """Write the packs that have something new to say; return their books and months."""
    with open_evidence(home_of(settings)) as evidence:
        return packs.renew(home_of(settings), evidence, say=say)


def pack_of(settings: Settings, month: date, *, book: str = "") -> Any:
    """Return what the pack of a month shows."""
    with open_evidence(home_of(settings)) as evidence:
        return packs.pack_of(home_of(settings), evidence, month, book=book)


def write_pack(settings: Settings, month: date) -> Path:
    """Write the pack of a month; return its page."""
    with open_evidence(home_of(settings)) as evidence:
        return packs.write_month(home_of(settings), evidence, month)


def export(
    settings: Settings,
    dataset: str,
    wanted: Sequence[date] | None,
    *,
    stream: str | None = None,
    tenant: str | None = None,
    live: bool = False,
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Return a dataset as people read it."""
    return exports.read(
        home_of(settings),
        dataset,
        wanted,
        stream=stream,
        tenant=tenant,
        live=live,
        as_of=as_of,
        say=quiet,
        open_evidence=open_evidence,
    )
