"""What would clear the causes of variances: entries that take back what a cause explains, and mapping rows.

Belongs here: which rows of which source clear which cause. Does not belong here: finding causes (``causes``), writing files
(``serving.drafts``).

An entry takes back exactly what its cause explains, so that the row ties once it is booked; what is due at its other end stands
in the drafts of that end's month.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.exact import named_rows
from revenue_integrity.model.drafting import Corrections, Draft
from revenue_integrity.model.reconciliation import CURRENT
from revenue_integrity.streams.bookings import schemas
from revenue_integrity.streams.bookings.recon import CAUSE_TABLE, RECOGNIZED
from revenue_integrity.streams.bookings.sources import RECOGNITION_ENTRIES, RECOGNITION_MAPPING

_UNMAPPED, _UNEXPLAINED = "unmapped_entry", "unexplained"


def drafted(month: date, now: datetime, frames: Mapping[str, pd.DataFrame], currency: str) -> Draft:
    """Return rows that would clear the causes on rows in breach, of all entries."""
    causes = frames[CAUSE_TABLE.name]
    current = causes[(causes["view"] == CURRENT) & (causes["recon"] == RECOGNIZED)]
    breaches = current[(current["status"] == "breach") & (current["cause_cents"] != 0)]
    lines = frames[schemas.RECOGNITION_LINES.name].set_index("entry_id")
    left: list[str] = []
    mapped = list(_mappings(month, breaches, lines, left))
    booked = list(_entries(month, now, breaches, lines, currency, left))
    return Draft(
        {
            RECOGNITION_ENTRIES.name: pd.DataFrame(booked, columns=_columns(RECOGNITION_ENTRIES), dtype=object),
            RECOGNITION_MAPPING.name: pd.DataFrame(mapped, columns=_columns(RECOGNITION_MAPPING), dtype=object).drop_duplicates(
                ignore_index=True
            ),
        },
        tuple(left),
    )


def _columns(source: Any) -> list[str]:
    return [column.name for column in source.columns]


def _entries(
    month: date, now: datetime, breaches: pd.DataFrame, lines: pd.DataFrame, currency: str, left: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield an entry for each cause of a deal line: the amount that takes back what it explains."""
    for number, cause in enumerate(named_rows(breaches[breaches["cause"] != _UNMAPPED]), start=1):
        amount = Decimal(-int(cause.cause_cents)) / 100
        if cause.cause == _UNEXPLAINED or pd.isna(cause.deal_id):
            where = f"{cause.revenue_type} of {cause.customer_id if pd.isna(cause.deal_id) else cause.deal_id}"
            left.append(f"{where}: {-amount} {currency}, {cause.cause}: {cause.explanation}")
            continue
        reversed_entry = _taken_back(cause, lines)
        yield {
            "entry_id": f"DRAFT-{months.label(month)}-{number:04d}",
            "customer_id": cause.customer_id,
            "deal_id": cause.deal_id,
            "line_no": int(cause.line_no),
            "period": months.label(month),
            "revenue_type": cause.revenue_type,
            "amount": amount,
            "currency": currency,
            "posted_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "entry_type": "reversal" if reversed_entry else "adjustment",
            "reverses_entry_id": reversed_entry,
        }


def _taken_back(cause: Any, lines: pd.DataFrame) -> str | None:
    """Return the entry of the row that is wrong as a whole, if the cause is that."""
    found = [each for each in json.loads(cause.evidence).get("entries", []) if each in lines.index]
    whole = [each for each in found if int(lines.loc[each, "amount_cents"]) == int(cause.cause_cents)]
    return str(whole[0]) if len(found) == 1 and whole and lines.loc[whole[0], "deal_id"] == cause.deal_id else None


def _mappings(month: date, breaches: pd.DataFrame, lines: pd.DataFrame, left: list[str]) -> Iterator[dict[str, Any]]:
    """Yield a mapping row for each entry that resolves to no line: to the line that lacks exactly it."""
    for cause in named_rows(breaches[(breaches["cause"] == _UNMAPPED) & breaches["deal_id"].isna()]):
        evidence = json.loads(cause.evidence)
        entry, lacking = evidence["entries"][0], evidence.get("lacking")
        reference = lines.loc[entry, "accounting_ref"] if entry in lines.index else None
        if not lacking or pd.isna(reference):
            left.append(f"{entry}: no line lacks exactly this entry, or it names none: {cause.explanation}")
            continue
        yield {
            "accounting_ref": reference,
            "deal_id": lacking["deal_id"],
            "line_no": lacking["line_no"],
            "valid_from": f"{month:%Y-%m-%d}",
            "valid_to": None,
        }


CORRECTIONS = Corrections((CAUSE_TABLE, schemas.RECOGNITION_LINES), drafted)
