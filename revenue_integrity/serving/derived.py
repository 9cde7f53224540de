"""Datasets of the close that are derived whenever somebody asks, and stored nowhere.

Belongs here: what each is, and where its rows come from. Does not belong here: deriving them (``desk``, ``close``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.ledger import Action, Ledger, as_frame
from revenue_integrity.close.sign_off import Status
from revenue_integrity.desk import close_status as desk
from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.desk.restating import restatements
from revenue_integrity.model import table as column
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.table import Table, table

_NO_STREAM = ""
"""The stream of what no stream has for itself."""

_OF_MEASURE = "of the measure"
"""The unit of a figure that is cents in one row and currency units in another."""


@dataclass(frozen=True)
class Derived:
    """A dataset that is derived from what stands.

    Attributes:
        table: what it is.
        read: ``(deployment, what opens the record of its runs, months)`` to its rows.
    """

    table: Table
    read: Callable[[Deployment, OpenEvidence, Sequence[date]], pd.DataFrame]


CLOSE_STATUS = table(
    _NO_STREAM,
    "close",
    "close_status",
    "How the sign-off of each month of each book stands, one row per book and month; derived when it is read, never stored.",
    ("book", "month"),
    [
        column.text("book", "What is signed together."),
        column.month(),
        column.text("status", "How the month stands.", isin=[str(each) for each in Status]),
        column.integer("version", "Latest signed version; 0 if the month was never signed.", unit="versions", ge=0),
        column.text("content_hash", "SHA-256 of what would be signed now; empty if nothing is published.", null=True),
        column.text("signed_hash", "SHA-256 of what was signed.", null=True),
        column.text("prepared_by", "Who prepared the version that is signed or waits for approval.", null=True),
        column.text("approved_by", "Who approved the signed version.", null=True),
        column.text("signed_at", "When it was approved (ISO 8601, UTC).", null=True, unit="UTC"),
        column.json_text("blocking", "Checks that stand in the way: stream, table, check, gate, state, figures, next step."),
        column.json_text("waivers", "Waivers in force: stream, table, check, actor, reason, time."),
        column.flag("explanation_updated", "Whether causes or wording changed after the signature, and no cent did."),
        column.text("as_of", "Arrival of the latest batch that the content can know (ISO 8601 basic, UTC).", unit="UTC"),
        column.text("reopened_because", "Why a signed month is open again; empty for every other month."),
    ],
)

RESTATEMENT = table(
    _NO_STREAM,
    "close",
    "restatement",
    "What changed since a signed version, one row per row and measure that changed; deltas add up to the totals' change.",
    ("book", "month", "from_version", "dataset", "key", "measure"),
    [
        column.text("book", "The book that signed the month."),
        column.month(),
        column.integer("from_version", "The signed version that is compared with.", unit="versions", ge=1),
        column.text("dataset", "The dataset that changed."),
        column.json_text("key", "The key of the row without its month, as JSON."),
        column.text("measure", "The column that changed."),
        column.decimal("old", "Value as signed; 0 for a row that was not there.", unit=_OF_MEASURE, places=18, digits=38),
        column.decimal("new", "Value now; 0 for a row that is gone.", unit=_OF_MEASURE, places=18, digits=38),
        column.decimal("delta", "New less old.", unit=_OF_MEASURE, places=18, digits=38),
        column.text("cause", "What made the difference.", isin=("data", "code", "settings")),
        column.json_text("batches", "Batches that are new since the signature."),
    ],
)

SIGN_OFF_LEDGER = table(
    _NO_STREAM,
    "close",
    "sign_off_ledger",
    "Decisions about months, one row per entry of the append-only ledger, each chained to the one before by its hash.",
    ("seq",),
    [
        column.integer("seq", "Number of the entry, from 1 without gaps.", unit="entries", ge=1),
        column.text("month", "Service month, as YYYY-MM."),
        column.integer("version", "Version of the month that the entry is about.", unit="versions", ge=1),
        column.text("action", "What was done.", isin=[str(each) for each in Action]),
        column.text("actor", "Who did it, as named to the product."),
        column.text("os_user", "Account under which the process ran."),
        column.text("host", "Machine on which it ran."),
        column.text("at", "When (ISO 8601, microseconds, UTC).", unit="UTC"),
        column.text("content_hash", "SHA-256 of the signed content at that moment."),
        column.text("as_of", "Arrival of the latest batch that the content can know.", unit="UTC"),
        column.json_text("batches", "Batches behind the content: id and digest of each."),
        column.text("settings_hash", "SHA-256 of the settings that the content rests on."),
        column.text("code_version", "SHA-256 of the rules that made the content."),
        column.json_text("checks", "What each check said; of a waiver, the check that it lets through."),
        column.text("comment", "The words of the actor."),
        column.text("prev_hash", "Hash of the entry before; zeros for the first."),
        column.text("hash", "SHA-256 of the canonical JSON of the other fields that an entry of this format has."),
        column.integer("format", "Which fields the entry has; one of format 1 does not say it itself.", unit="format", ge=1),
        column.text("book", "The book that it is about; an entry of format 1 has none.", null=True),
        column.json_text("subject", "What the act is about beside book and month; an entry of format 1 has none.", null=True),
        column.json_text("reaches", "Hashes of what is frozen, each with its path; since format 3.", null=True),
    ],
    partition="",
)


def close_status(deployment: Deployment, open_evidence: OpenEvidence, wanted: Sequence[date]) -> pd.DataFrame:
    """Return how the sign-off of some months stands."""
    with open_evidence(deployment) as evidence:
        return desk.close_status(deployment, evidence, wanted)


def _restatements(deployment: Deployment, open_evidence: OpenEvidence, wanted: Sequence[date]) -> pd.DataFrame:
    with open_evidence(deployment) as evidence:
        return restatements(deployment, evidence, wanted)


def _ledger(deployment: Deployment, open_evidence: OpenEvidence, wanted: Sequence[date]) -> pd.DataFrame:
    labels = {months.label(month) for month in wanted}
    return as_frame([entry for entry in Ledger(deployment.settings).entries() if entry.month in labels])


DERIVED = (Derived(CLOSE_STATUS, close_status), Derived(RESTATEMENT, _restatements), Derived(SIGN_OFF_LEDGER, _ledger))
