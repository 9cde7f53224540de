"""A line a month: where its close stands, what it earned, whether it ties, what is in the way.

Belongs here: putting together what close desk, publication and quarantine say. Does not belong here: changing anything.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity.close.sign_off import Status, reopened_because
from revenue_integrity.desk.close import CloseRow, close_rows
from revenue_integrity.errors import PublishError
from revenue_integrity.exact import added
from revenue_integrity.model.check import Gate
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.reconciliation import CURRENT
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish

_CENTS = (
    "revenue_cents",
    "margin_cents",
    "mrr_cents",
    "variance_cents",
    "variance_gross_cents",
    "explained_cents",
    "unexplained_cents",
    "late_cents",
)

COLUMNS = ("month", "status", "version", *_CENTS, "cloud_cost", "quarantined", "checks_failed", "why")

SHORT = (
    "month",
    "status",
    "version",
    "revenue_cents",
    "margin_cents",
    "variance_cents",
    "unexplained_cents",
    "late_cents",
    "why",
)
"""The columns that a summary of many months shows."""


def status_frame(deployment: Deployment, wanted: Sequence[date]) -> pd.DataFrame:
    """Return a row per month: status, figures in cents, quarantined rows, failed checks, and why it stands where it stands.

    Variance is that of ``erp_vs_mart`` over all postings, signed and gross; explained is its gross part that causes other than
    ``unexplained`` make up; late is signed; cloud_cost is in currency units, exact.
    """
    settings = deployment.settings
    figures = _sums(deployment, "contract_month", wanted, ("revenue_cents", "margin_cents", "mrr_cents"))
    recon = _variances(deployment, wanted)
    late = _sums(deployment, "close_bridge", wanted, ("late_cents",))
    cloud = _cloud_costs(deployment, wanted)
    refused = _quarantined(settings)
    rows = [
        {
            "month": pd.Timestamp(row.facts.month).as_unit("us"),
            "status": str(row.status),
            "version": row.facts.signed.version if row.facts.signed else 0,
            **figures.get(row.facts.month, {}),
            **recon.get(row.facts.month, {}),
            **late.get(row.facts.month, {}),
            "cloud_cost": cloud.get(row.facts.month),
            "quarantined": refused.get(row.facts.month, 0),
            "checks_failed": sum(check.state in ("failed", "outdated") for check in row.facts.checks),
            "why": _why(row),
        }
        for row in close_rows(deployment, wanted)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in _CENTS:
        frame[name] = frame[name].astype("Int64")
    return frame


def _why(row: CloseRow) -> str:
    facts = row.facts
    if row.status is Status.OPEN:
        return "not computed" if facts.content_hash is None else f"cutoff {facts.cutoff:%Y-%m-%dT%H:%M:%SZ}"
    if row.status is Status.STALE:
        return facts.stale or facts.news or "a run is going on"
    failing = "; ".join(f"{check.name} [{check.gate.value}] {check.state}" for check in facts.in_the_way)
    warnings = "; ".join(f"{check.name} [warn]" for check in facts.checks if check.gate is Gate.WARN and check.state == "failed")
    if row.status is Status.REOPENED:
        return "; ".join(part for part in (reopened_because(facts), failing) if part)
    if row.status is Status.SIGNED_OFF:
        return "explanation updated" if facts.explanation_updated else ""
    return failing or warnings


def _published(deployment: Deployment, dataset: str, wanted: Sequence[date]) -> pd.DataFrame | None:
    tables = {table.name: table for stream in deployment.streams for table in stream.published_tables}
    try:
        return publish.read_published(deployment.settings, tables.get(dataset, dataset), wanted)
    except PublishError:
        return None


def _sums(deployment: Deployment, dataset: str, wanted: Sequence[date], measures: Sequence[str]) -> dict[date, dict[str, int]]:
    rows = _published(deployment, dataset, wanted)
    if rows is None:
        return {}
    sums = rows.groupby("month")[list(measures)].sum()
    return {
        pd.Timestamp(str(month)).date(): {str(name): int(value) for name, value in values.items()}
        for month, values in sums.to_dict("index").items()
    }


def _variances(deployment: Deployment, wanted: Sequence[date]) -> dict[date, dict[str, Any]]:
    rows = _published(deployment, "recon_summary", wanted)
    if rows is None:
        return {}
    current = rows[(rows["recon"] == "erp_vs_mart") & (rows["view"] == CURRENT)]
    return {
        pd.Timestamp(str(row["month"])).date(): {
            "variance_cents": row["variance_signed"],
            "variance_gross_cents": row["variance_gross"],
            "explained_cents": row["timing_gross_cents"] + row["at_risk_gross_cents"] - row["unexplained_cents"],
            "unexplained_cents": row["unexplained_cents"],
        }
        for row in current.to_dict("records")
    }


def _cloud_costs(deployment: Deployment, wanted: Sequence[date]) -> dict[date, Decimal]:
    rows = _published(deployment, "cloud_month", wanted)
    if rows is None:
        return {}
    return {pd.Timestamp(str(month)).date(): added(of_month["total_cost"].tolist()) for month, of_month in rows.groupby("month")}


def _quarantined(settings: Settings) -> dict[date, int]:
    try:
        rows = publish.read_published(settings, "quarantine", None)
    except PublishError:
        return {}
    counted = rows.dropna(subset=["month"]).groupby("month").size()
    return {pd.Timestamp(str(month)).date(): int(count) for month, count in counted.items()}
