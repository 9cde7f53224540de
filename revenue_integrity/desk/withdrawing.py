"""What taking a delivery back would move, for the person who is about to: months, signatures, amounts.

Belongs here: foreseeing it. Does not belong here: which batches count no more (``landing.withdrawals``), asking, landing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from revenue_integrity.close.ledger import Action, Ledger
from revenue_integrity.errors import Refusal
from revenue_integrity.landing import withdrawals
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.source import Source
from revenue_integrity.model.withdrawal import WITHDRAWN
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database


@dataclass(frozen=True)
class Foreseen:
    """What taking a batch back would move.

    Attributes:
        months: the months that it touches; their figures are stale from then on.
        signed: those of them that are signed, and reopen if a signed figure changes.
        moved: what goes and what stands again (``withdrawals.MOVED``); a row per month and amount.
        is_read: whether the batch was read at all; otherwise nothing is known of it, and nothing moves.
        is_kept_in_files: whether its rows stay in files, so that what stands again is known after a run.
    """

    months: Sequence[date]
    signed: Sequence[date]
    moved: pd.DataFrame
    is_read: bool
    is_kept_in_files: bool


def foresee(deployment: Deployment, source: Source, batch_id: str) -> Foreseen:
    """Return what taking a batch back would move.

    Raises:
        UsageError: there is no such batch.
        Refusal: it is a withdrawal, or withdrawn already.
    """
    settings = deployment.settings
    withdrawals.refuse(settings, source, batch_id)
    nothing = Foreseen((), (), pd.DataFrame(columns=list(withdrawals.MOVED)), False, source.is_kept_in_files)
    if not settings.warehouse_path.exists():
        return nothing
    with database.connect(settings, read_only=True) as connection:
        status = withdrawals.status_of(connection, batch_id)
        if status == WITHDRAWN:
            raise Refusal(f"{batch_id} is withdrawn already", "There is nothing to take back")
        if not status:
            return nothing
        touched = withdrawals.touched(connection, batch_id)
        moved = withdrawals.moved(connection, source, batch_id)
    signed = _signed(settings, source.stream)
    return Foreseen(touched, [month for month in touched if month in signed], moved, True, source.is_kept_in_files)


def _signed(settings: Settings, stream: str) -> set[date]:
    """Return the months of a stream whose latest decision is not that they are open again."""
    book = next((name for name, declared in settings.books.items() if stream in declared.streams), stream)
    signed: dict[date, bool] = {}
    for entry in Ledger(settings).entries():
        # An entry from before there were books is about all streams.
        if entry.book in ("", book) and entry.action in (Action.APPROVE, Action.REOPEN):
            signed[_month_of(entry.month)] = entry.action == Action.APPROVE
    return {month for month, is_signed in signed.items() if is_signed}


def _month_of(label: str) -> date:
    return date.fromisoformat(f"{label}-01")
