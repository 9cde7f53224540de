"""Whether what a close rests on has arrived: extracts that reach the cutoff, nothing rejected that nobody replaced.

Belongs here: these judgements over the manifest of batches, the same for every stream. Does not belong here: which sources a
stream's close rests on (each stream), what happens to a batch (``landing``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.exact import named_rows
from revenue_integrity.model.check import Figure, Judge, Judgement, Limit, Reader
from revenue_integrity.model.query import Query
from revenue_integrity.model.signed import Extracts
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings


@dataclass(frozen=True)
class Delivery:
    """A batch as the manifest tells it.

    Attributes:
        batch_id: its id.
        source: what it delivers.
        arrival: when it became visible.
        status: loaded, rejected or changed.
        rows_without_month: quarantined rows that name no service month.
        months: the service months of its rows, as labels.
        covers: the months that its writer says it speaks about (``2025-10:2025-12``); empty for none.
    """

    batch_id: str
    source: str
    arrival: datetime
    status: str
    rows_without_month: int
    months: frozenset[str] = frozenset()
    covers: str = ""

    def is_about(self, month: date, which: Extracts) -> bool:
        """Return whether it speaks about a month."""
        label = months.label(month)
        first, _, last = self.covers.partition(":")
        return self.source in which.of_every_month or label in self.months or first <= label <= last


DELIVERIES = """
    select
        b.batch_id,
        b.source,
        b.arrival,
        b.status,
        (
            select count(*) from meta.quarantine as q
            where q.batch_id = b.batch_id and q.row_number is not null and q.month is null
        ) as rows_without_month,
        coalesce((
            select string_agg(distinct strftime(m.month, '%Y-%m'), ',') from meta.batch_months as m
            where m.batch_id = b.batch_id and m.loaded + m.quarantined + m.duplicates > 0
        ), '') as months,
        coalesce(b.covers, '') as covers
    from meta.batches as b
    where b.stream = $stream and b.first_status <> 'withdrawn'
    order by b.batch_id
"""
"""The manifest as deliveries; what was withdrawn is none."""


def delivered_slice(source: Source) -> str:
    """Return the name of the slice that is there once a source has delivered anything that was read."""
    return f"delivered_{source.dataset}"


def deliveries_of(rows: Iterable[Sequence[Any]]) -> list[Delivery]:
    """Return deliveries as rows of ``DELIVERIES`` tell them."""
    return [
        Delivery(batch_id, source, arrival, status, refused, frozenset(filter(None, named.split(","))), covers)
        for batch_id, source, arrival, status, refused, named, covers in rows
    ]


def extracts_short_of(
    deliveries: Iterable[Delivery], which: Extracts, month: date, cutoff: datetime
) -> dict[str, datetime | None]:
    """Return the sources without a batch about a month that arrived at or after its cutoff, each with its latest about it."""
    latest: dict[str, datetime | None] = {which.always: None} if which.always else {}
    for each in deliveries:
        is_named = which.prefix and each.source.startswith(which.prefix) and each.source not in which.look_ups
        counts = each.source == which.always or is_named
        if counts and each.status != "rejected":
            before = latest.setdefault(each.source, None)
            if each.is_about(month, which):
                latest[each.source] = max(each.arrival, before or each.arrival)
    return {source: arrival for source, arrival in sorted(latest.items()) if arrival is None or arrival < cutoff}


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


def evidence(deliveries: Sequence[Delivery], which: Extracts, month: date, cutoff: datetime) -> Mapping[str, Any]:
    """Return what the checks of a month see of the manifest; while it stays the same, their verdict does."""
    return {
        "short": sorted(extracts_short_of(deliveries, which, month, cutoff)),
        "in_the_way": [each.batch_id for each in in_the_way(deliveries, month, cutoff)],
        "delivering": sorted({each.source for each in deliveries if each.status != "rejected" and each.arrival <= cutoff}),
    }


def evidence_slice(stream: str) -> str:
    """Return the name of the slice that changes when a verdict on a stream's deliveries does."""
    return f"close_evidence_{stream}"


def _deliveries(reader: Reader, stream: str) -> list[Delivery]:
    rows = reader.rows(Query(DELIVERIES, {"stream": stream}))
    return deliveries_of(
        (row.batch_id, row.source, row.arrival.to_pydatetime(), row.status, row.rows_without_month, row.months, row.covers)
        for row in named_rows(rows)
    )


NOTHING_SHORT = (Limit("sources_short_of_cutoff"),)
"""What the check of extracts hangs on."""

NOTHING_REJECTED = (Limit("rejected_batches"), Limit("rows_without_month"))
"""What the check of rejected batches hangs on."""


def extracts_cover_cutoff(stream: str, which: Extracts) -> Judge:
    """Return the judge of whether every extract that a stream's close rests on was taken at or after the cutoff."""

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        limit = cutoff(month, settings)
        short = extracts_short_of(_deliveries(reader, stream), which, month, limit)
        rows = pd.DataFrame(
            [{"source": name, "latest_arrival": None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"} for name, at in short.items()]
        )
        label = months.label(month)
        step = (
            f"Land an extract of {', '.join(short)} with rows of {label}, taken at or after the cutoff {limit:%Y-%m-%dT%H:%M:%SZ}"
            f" (with --covers {label} where there is nothing more to tell of it)."
        )
        figures: dict[str, Figure] = {"sources_short_of_cutoff": len(short), "cutoff": f"{limit:%Y-%m-%dT%H:%M:%S.%fZ}"}
        return Judgement(not short, figures, rows if short else None, step if short else "")

    return judge


def nothing_stands_rejected(stream: str) -> Judge:
    """Return the judge of whether a batch of the month was rejected, or holds refused rows without a month."""

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        standing = in_the_way(_deliveries(reader, stream), month, cutoff(month, settings))
        rows = pd.DataFrame(
            [{"batch_id": each.batch_id, "status": each.status, "rows": each.rows_without_month} for each in standing]
        )
        step = "See `revenue-integrity quarantine` for the reasons; correct the files and land them as a new batch of the source."
        return Judgement(
            not standing,
            {
                "rejected_batches": sum(each.status == "rejected" for each in standing),
                "rows_without_month": sum(each.rows_without_month for each in standing),
            },
            rows if standing else None,
            step if standing else "",
        )

    return judge
