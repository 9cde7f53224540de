"""``close_status``: how the sign-off of each month of each book stands.

Belongs here: the dataset and its rows, derived whenever somebody asks. Does not belong here: the rules by which a status follows
(``close.sign_off``), figures of the business beside it (``status``).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from revenue_integrity.close import sign_off
from revenue_integrity.close.ledger import Action, Entry
from revenue_integrity.close.sign_off import MonthFacts, Status
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.desk.facts import Desk
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.warehouse.catalog import Catalog

COLUMNS = (
    "book",
    "month",
    "status",
    "version",
    "content_hash",
    "signed_hash",
    "prepared_by",
    "approved_by",
    "signed_at",
    "blocking",
    "waivers",
    "explanation_updated",
    "as_of",
    "reopened_because",
)


@dataclass(frozen=True)
class CloseRow:
    """The row of ``close_status`` of a month of a book; ``streams`` are those of the book."""

    facts: MonthFacts
    status: Status
    streams: tuple[str, ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The row with the columns of the dataset."""
        facts = self.facts
        signed = facts.signed
        prepared = facts.prepared or (_last(facts.entries, Action.PREPARE) if signed else None)
        return {
            "book": facts.book,
            "month": pd.Timestamp(facts.month).as_unit("us"),
            "status": str(self.status),
            "version": signed.version if signed else 0,
            "content_hash": facts.content_hash,
            "signed_hash": signed.content_hash if signed else None,
            "prepared_by": prepared.actor if prepared else None,
            "approved_by": signed.actor if signed else None,
            "signed_at": signed.at if signed else None,
            "blocking": json.dumps(self.blocking, ensure_ascii=False),
            "waivers": json.dumps(
                [
                    {"check": entry.waived["name"], "stream": entry.waived.get("stream"), "table": entry.waived["table"]}
                    | {"actor": entry.actor, "reason": entry.comment, "at": entry.at}
                    for entry in facts.waivers
                ],
                ensure_ascii=False,
            ),
            "explanation_updated": bool(signed) and facts.is_signed_as_it_stands and facts.explanation_updated,
            "as_of": facts.as_of,
            "reopened_because": sign_off.reopened_because(facts) if self.status is Status.REOPENED else "",
        }

    @property
    def blocking(self) -> list[dict[str, Any]]:
        """What stands in the way, with its figure and the next step."""
        facts = self.facts
        if facts.content_hash is None:
            return []
        return [
            {"check": each.name, "stream": each.stream, "table": each.table, "gate": each.gate.value, "state": each.state}
            | {"figures": each.plain["figures"], "next_step": each.next_step}
            for each in facts.in_the_way
        ]


def _last(entries: Sequence[Entry], action: Action) -> Entry | None:
    return next((entry for entry in reversed(entries) if entry.action == action), None)


def reprocessed_at(deployment: Deployment, streams: Sequence[str], month: date, catalog: Catalog) -> str | None:
    """Return when what some streams compare of a month was last computed (ISO 8601, UTC); ``None`` if it never was."""
    recons = [deployment.streams.named(name).reconciliations for name in streams if name in deployment.streams.names]
    records = [catalog.partition(each.summary.qualified, month) for each in recons if each is not None]
    return max((record.computed_at for record in records if record is not None), default=None)


def close_rows(deployment: Deployment, evidence: Evidence, wanted: Sequence[date]) -> list[CloseRow]:
    """Return the close status of some months of each book that has them, month by month."""
    desk = Desk(deployment, evidence)
    found = [(book, desk.facts(book, month)) for book, month in desk.pairs(wanted)]
    return [CloseRow(facts, sign_off.status_of(facts), book.streams) for book, facts in found]


def close_status(deployment: Deployment, evidence: Evidence, wanted: Sequence[date]) -> pd.DataFrame:
    """Return the dataset ``close_status``: one row per month and book (20-close, *Sign-off*)."""
    return pd.DataFrame([row.record for row in close_rows(deployment, evidence, wanted)], columns=COLUMNS)
