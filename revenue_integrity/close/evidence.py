"""Whether what a close rests on has arrived: extracts that reach the cutoff, nothing rejected that nobody replaced.

Belongs here: these judgements over the manifest of batches, as pure functions. Does not belong here: reading the manifest,
what happens to a batch (``landing``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

LEDGER_PREFIX = "erp_"
"""Sources of the ERP are named so; their extracts must reach the cutoff."""

INVOICES = "erp_invoices"
"""The source without which nothing was billed at all."""


@dataclass(frozen=True)
class Delivery:
    """A batch as the manifest tells it.

    Attributes:
        batch_id: its id.
        source: what it delivers.
        arrival: when it became visible.
        status: loaded, rejected or changed.
        rows_without_month: quarantined rows that name no service month.
    """

    batch_id: str
    source: str
    arrival: datetime
    status: str
    rows_without_month: int


DELIVERIES = """
    select
        b.batch_id,
        b.source,
        b.arrival,
        b.status,
        (
            select count(*) from meta.quarantine as q
            where q.batch_id = b.batch_id and q.row_number is not null and q.month is null
        ) as rows_without_month
    from meta.batches as b
    where b.stream = $stream
    order by b.batch_id
"""
"""The manifest as deliveries."""


def extracts(deliveries: Iterable[Delivery]) -> dict[str, datetime]:
    """Return the latest arrival of each ERP source that has delivered, by source."""
    latest: dict[str, datetime] = {}
    for each in deliveries:
        if each.source.startswith(LEDGER_PREFIX) and each.status != "rejected":
            latest[each.source] = max(each.arrival, latest.get(each.source, each.arrival))
    return dict(sorted(latest.items()))


def extracts_short_of(deliveries: Sequence[Delivery], cutoff: datetime) -> dict[str, datetime | None]:
    """Return the ERP sources without a batch that arrived at or after a cutoff, each with its latest arrival."""
    latest = extracts(deliveries)
    short: dict[str, datetime | None] = {source: arrival for source, arrival in latest.items() if arrival < cutoff}
    return short if INVOICES in latest else {INVOICES: None, **short}


def in_the_way(deliveries: Sequence[Delivery], month: date, cutoff: datetime) -> list[Delivery]:
    """Return batches from the month's first day to its cutoff that were rejected, or hold refused rows without a month.

    A later good batch of the same source supersedes them.
    """
    begin = datetime.combine(month, time(), UTC)
    latest_good: dict[str, datetime] = {}
    for each in deliveries:
        if each.status == "loaded":
            latest_good[each.source] = max(each.arrival, latest_good.get(each.source, each.arrival))
    return [
        each
        for each in deliveries
        if (each.status == "rejected" or each.rows_without_month)
        and begin <= each.arrival <= cutoff
        and not latest_good.get(each.source, begin) > each.arrival
    ]


def evidence(deliveries: Sequence[Delivery], month: date, cutoff: datetime) -> Mapping[str, Any]:
    """Return what the checks of a month see of the manifest; while it stays the same, their verdict does."""
    return {
        "short": sorted(extracts_short_of(deliveries, cutoff)),
        "in_the_way": [each.batch_id for each in in_the_way(deliveries, month, cutoff)],
        "delivering": sorted({each.source for each in deliveries if each.status != "rejected" and each.arrival <= cutoff}),
    }
