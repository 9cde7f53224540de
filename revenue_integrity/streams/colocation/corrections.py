"""What would clear the causes of variances: credits and rebills, mapping rows, bookings of power.

Belongs here: which rows of which source clear which cause. Does not belong here: finding causes (``causes``), writing files
(``serving.drafts``).

A credit or rebill takes back exactly what its cause explains, so that the row ties once it is posted; what a cause's other end is
due stands in the drafts of that end's month.
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
from revenue_integrity.streams.colocation import schemas
from revenue_integrity.streams.colocation.causes.inputs import CHARGES, POWER
from revenue_integrity.streams.colocation.recon import RECONCILIATIONS
from revenue_integrity.streams.colocation.sources import ERP_INVOICES, ERP_MAPPING, ERP_POWER_COSTS

_MAPPED = "unmapped_line"
"""The cause that a mapping row clears; a booking clears every other one."""

_BOOKED_AS = {"accrual_not_reversed": "reversal", "estimated_bill": "accrual"}
"""What a booking of power is that clears a cause; a bill where nothing else is said."""

_UNEXPLAINED = "unexplained"


def drafted(month: date, now: datetime, frames: Mapping[str, pd.DataFrame], currency: str) -> Draft:
    """Return rows that would clear the causes on rows in breach, of all postings."""
    assert RECONCILIATIONS.causes is not None
    causes = frames[RECONCILIATIONS.causes.name]
    current = causes[causes["view"] == CURRENT]
    breaches = current[(current["status"] == "breach") & (current["cause_cents"] != 0)]
    lines = frames[schemas.INVOICE_LINES.name]
    left: list[str] = []
    mapped = list(_mappings(month, breaches, current, lines, left))
    booked = list(_documents(month, now, breaches, lines, currency, left))
    power = list(_power(month, now, breaches, currency, left))
    return Draft(
        {
            ERP_INVOICES.name: pd.DataFrame(booked, columns=_columns(ERP_INVOICES), dtype=object),
            ERP_MAPPING.name: pd.DataFrame(mapped, columns=_columns(ERP_MAPPING), dtype=object).drop_duplicates(
                ignore_index=True
            ),
            ERP_POWER_COSTS.name: pd.DataFrame(power, columns=_columns(ERP_POWER_COSTS), dtype=object),
        },
        tuple(left),
    )


def _columns(source: Any) -> list[str]:
    return [column.name for column in source.columns]


def _documents(
    month: date, now: datetime, breaches: pd.DataFrame, lines: pd.DataFrame, currency: str, left: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield a credit or a rebill for each cause of a contract's charge: the amount that takes back what it explains."""
    codes = lines.dropna(subset=["contract_id"]).drop_duplicates("contract_id").set_index("contract_id")
    number = 0
    for cause in named_rows(breaches[(breaches["recon"] == CHARGES) & (breaches["cause"] != _MAPPED)]):
        where = f"{cause.charge_type} of {cause.customer_id if pd.isna(cause.contract_id) else cause.contract_id}"
        if cause.cause == _UNEXPLAINED or pd.isna(cause.contract_id):
            left.append(f"{where}: {_units(cause.cause_cents)} {currency}, {cause.cause}: {cause.explanation}")
            continue
        number += 1
        known = cause.contract_id in codes.index
        amount = -_units(cause.cause_cents)
        yield {
            "document_id": f"DRAFT-{months.label(month)}-{number:04d}",
            "line_no": 1,
            "document_type": "credit_memo" if amount < 0 else "invoice",
            "erp_customer_code": codes.loc[cause.contract_id, "erp_customer_code"] if known else cause.customer_id,
            "erp_contract_ref": codes.loc[cause.contract_id, "erp_contract_ref"] if known else cause.contract_id,
            "service_month": months.label(month),
            "charge_type": cause.charge_type,
            "quantity": -1 if amount < 0 else 1,
            "unit_price": abs(amount),
            "amount": amount,
            "currency": currency,
            "invoice_date": f"{now:%Y-%m-%d}",
            "posted_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "corrects_document_id": _first_document(cause.evidence) if amount < 0 else None,
        }


def _mappings(
    month: date, breaches: pd.DataFrame, current: pd.DataFrame, lines: pd.DataFrame, left: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield a mapping row for each line that resolves to no contract: to the contract that lacks exactly its charge."""
    unmapped = current[current["cause"] == _MAPPED]
    ends = unmapped.dropna(subset=["contract_id", "link_id"]).drop_duplicates("link_id").set_index("link_id")
    for cause in named_rows(breaches[(breaches["cause"] == _MAPPED) & breaches["contract_id"].isna()]):
        document = _first_document(cause.evidence)
        line = lines[(lines["document_id"] == document) & lines["contract_id"].isna()].head(1)
        reference = None if line.empty else line["erp_contract_ref"].iloc[0]
        if pd.isna(cause.link_id) or cause.link_id not in ends.index or pd.isna(reference):
            left.append(f"{document}: no contract lacks exactly this charge, or the line names none: {cause.explanation}")
            continue
        yield {
            "erp_customer_code": line["erp_customer_code"].iloc[0],
            "customer_id": ends.loc[cause.link_id, "customer_id"],
            "erp_contract_ref": reference,
            "contract_id": ends.loc[cause.link_id, "contract_id"],
            "valid_from": f"{month:%Y-%m-%d}",
            "valid_to": None,
        }


def _power(month: date, now: datetime, breaches: pd.DataFrame, currency: str, left: list[str]) -> Iterator[dict[str, Any]]:
    """Yield a booking for each cause of a site's power: a reversal, an adjusted accrual, or the bill that is not there."""
    for number, cause in enumerate(named_rows(breaches[breaches["recon"] == POWER]), start=1):
        if cause.cause == _UNEXPLAINED:
            left.append(f"power of {cause.site_id}: {_units(cause.cause_cents)} {currency}, {cause.cause}: {cause.explanation}")
            continue
        yield {
            "document_id": f"DRAFT-P-{months.label(month)}-{number:04d}",
            "line_no": 1,
            "document_type": _BOOKED_AS.get(cause.cause, "bill"),
            "site_id": cause.site_id,
            "service_month": months.label(month),
            "amount": -_units(cause.cause_cents),
            "currency": currency,
            "posted_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }


def _units(cents: int) -> Decimal:
    return Decimal(int(cents)) / 100


def _first_document(evidence: str) -> str | None:
    """Return the first document among the lines that prove a cause."""
    lines = json.loads(evidence).get("lines", [])
    return next((str(line["document_id"]) for line in lines if "document_id" in line), None)


CORRECTIONS = Corrections((RECONCILIATIONS.causes, schemas.INVOICE_LINES) if RECONCILIATIONS.causes else (), drafted)
