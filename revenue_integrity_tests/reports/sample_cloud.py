"""A small month of cloud costs by hand: two tenants, thirteen accounts, restated days, days not complete, an invoice that is off.

ACME: A-1 costs 100.005 a day, A-2 50.000000000001 on all days but the last, ten small accounts 1 each on the first day;
GLOBEX: G-1 10.25 a day. The month is 4,767.650000000029, the month before 4,500. Belongs here: the sample. Does not belong here:
what is expected of a pack made from it (the tests).
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.model.report import Published
from revenue_integrity.reports.pack_data import PackData, StreamPart
from revenue_integrity.streams.cloud.report import REPORT
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity_tests.reports import sample

MONTH = sample.MONTH
NAMES = {"A-1": sample.MARKUP_NAME, "A-2": sample.FORMULA_NAME}
SMALL = [f"S-{number:02d}" for number in range(1, 11)]
TOTAL = Decimal("4767.650000000029")


def _day(number: int) -> pd.Timestamp:
    return pd.Timestamp(MONTH) + pd.Timedelta(days=number - 1)


def _exact(rows: list[dict[str, Any]], month: date = MONTH) -> pd.DataFrame:
    """Return rows as publishing hands them over: costs as decimals, counts as integers, days as timestamps."""
    made = pd.DataFrame(rows)
    made.insert(0, "month", pd.Timestamp(month))
    return made


def _costs() -> list[tuple[str, str, int, str]]:
    """Return tenant, account, day and cost of each account-day."""
    return [
        *(("ACME", "A-1", day, "100.005") for day in range(1, 31)),
        *(("ACME", "A-2", day, "50.000000000001") for day in range(1, 30)),
        *(("ACME", account, 1, "1") for account in SMALL),
        *(("GLOBEX", "G-1", day, "10.25") for day in range(1, 31)),
    ]


def daily() -> pd.DataFrame:
    """Return daily_account_cost without its run-time column; the last two days of GLOBEX are not complete."""
    return _exact(
        [
            {
                "tenant_id": tenant,
                "account_id": account,
                "usage_date": _day(day),
                "total_cost": Decimal(cost),
                "event_count": 1,
                "data_complete": tenant != "GLOBEX" or day < 29,
            }
            for tenant, account, day, cost in _costs()
        ]
    )


def _service(tenant: str, account: str, service: str, cost: str, rows: int) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "account_id": account,
        "service_name": service,
        "account_name": NAMES.get(account, "unknown"),
        "billing_owner": "unknown",
        "service_category": "Compute",
        "total_cost": Decimal(cost),
        "effective_cost": Decimal(cost) if account == "A-1" else None,
        "event_count": rows,
        "days": min(rows, 30),
    }


def month_by_service() -> pd.DataFrame:
    """Return cloud_month."""
    return _exact(
        [
            _service("ACME", "A-1", "Compute", "2000.15", 20),
            _service("ACME", "A-1", "@Storage", "1000", 10),
            _service("ACME", "A-2", "Compute", "1450.000000000029", 29),
            *(_service("ACME", account, "Network", "1", 1) for account in SMALL),
            _service("GLOBEX", "G-1", "Compute", "307.5", 30),
        ]
    )


def _before() -> pd.DataFrame:
    rows = [
        _service("ACME", "A-1", "Compute", "2900", 31),
        _service("ACME", "A-2", "Compute", "1500", 31),
        _service("GLOBEX", "Z-9", "Compute", "100", 3),
    ]
    return _exact(rows, months.add(MONTH, -1))


def restatements() -> pd.DataFrame:
    """Return the ledger: four account-days changed by 25.5 - 1.25 - 0.5 + 0.4 = 24.15, one of them in two steps."""
    return _exact(
        [
            _restated("A-1", 3, 1, "74.505", "100.005", "late"),
            _restated("A-2", 5, 1, "51.750000000001", "50.500000000001", "correction"),
            _restated("A-2", 5, 2, "50.500000000001", "50.000000000001", "duplicate_removed"),
            _restated("S-10", 1, 1, "0.6", "1", "late"),
        ]
    )


def _restated(account: str, day: int, step: int, old: str, new: str, cause: str) -> dict[str, Any]:
    return {
        "usage_date": _day(day),
        "publication": 2,
        "tenant_id": "ACME",
        "account_id": account,
        "step": step,
        "old_cost": Decimal(old),
        "new_cost": Decimal(new),
        "delta": Decimal(new) - Decimal(old),
        "cause": cause,
        "batch_id": "cloud/billing_events/20250703T120000Z",
        "rows": 1,
    }


def _invoice(provider: str, invoice: str, charged: str, invoiced: str, status: str, explanation: str) -> dict[str, Any]:
    left, right = Decimal(charged), Decimal(invoiced)
    return {
        "recon": "cloud_invoices",
        "view": "current",
        "provider": provider,
        "billing_period": pd.Timestamp(MONTH),
        "invoice_id": invoice,
        "unit": "usd",
        **dict.fromkeys(("left_cents", "right_cents", "variance_cents")),
        "left_value": left,
        "right_value": right,
        "variance_value": left - right,
        "variance_pct": round((left - right) / right, 6),
        "status": status,
        "explanation": explanation,
    }


def cost_by() -> pd.DataFrame:
    """Return cloud_cost_by of two dimensions; GLOBEX names no region."""
    parts = [
        ("ACME", "region", "eu-1", "Frankfurt", "3460.150000000029", 59),
        ("ACME", "region", "us-1", "UNKNOWN", "1000", 10),
        ("GLOBEX", "region", "UNKNOWN", "UNKNOWN", "307.5", 30),
        ("ACME", "pricing_model", "on_demand", "Pay as you go", "4460.150000000029", 69),
        ("GLOBEX", "pricing_model", "reserved", "UNKNOWN", "307.5", 30),
    ]
    return _exact(
        [
            {
                "tenant_id": tenant,
                "dimension": dimension,
                "value": value,
                "name": name,
                "total_cost": Decimal(cost),
                "effective_cost": None,
                "event_count": rows,
            }
            for tenant, dimension, value, name, cost, rows in parts
        ]
    )


def days() -> pd.DataFrame:
    """Return cloud_days: ACME in time but for the 10th, a day late; the last two days of GLOBEX are not there."""
    found = []
    for tenant in ("ACME", "GLOBEX"):
        for day in range(1, 31):
            due = (_day(day) + pd.Timedelta(hours=36)).tz_localize("UTC")
            is_late, is_there = tenant == "ACME" and day == 10, tenant == "ACME" or day < 29
            found.append(
                {
                    "tenant_id": tenant,
                    "usage_date": _day(day),
                    "due_at": due,
                    "available_at": due + pd.Timedelta(hours=24 if is_late else -6) if is_there else pd.NaT,
                    "in_time": is_there and not is_late,
                    "complete": is_there,
                    "events": 1,
                }
            )
    return _exact(found)


def tables() -> dict[str, pd.DataFrame]:
    """Return the month's datasets."""
    return {
        "daily_account_cost": daily(),
        "cloud_month": month_by_service(),
        "cloud_cost_by": cost_by(),
        "cloud_days": days(),
        "cloud_restatement": restatements(),
        "cloud_recon_results": _exact(
            [
                _invoice("Nimbus", "=1+1", "1450.000000000029", "1450.000000000029", "matched", "Charges and invoice agree."),
                _invoice("Cirrus", "C-6", "3000.15", "3044.18", "breach", "More is invoiced than was charged."),
            ]
        ),
        "cloud_recon_summary": _exact(
            [
                {
                    "recon": "cloud_invoices",
                    "view": "current",
                    "unit": "usd",
                    "rows": 2,
                    "matched": 1,
                    "within_tolerance": 0,
                    "breaches": 1,
                    "left_total": Decimal("4450.150000000029"),
                    "right_total": Decimal("4494.180000000029"),
                    "variance_signed": Decimal("-44.03"),
                    "variance_gross": Decimal("44.03"),
                    "not_invoiced_value": Decimal("307.5"),
                    "not_invoiced_rows": 30,
                }
            ]
        ),
        "cloud_assumptions": _exact(
            [
                {
                    "assumption": "cloud_lookback_days",
                    "value": "90",
                    "unit": "days",
                    "drives": "daily account cost",
                    "affected_rows": None,
                    "affected_share": None,
                }
            ]
        ),
    }


def _check(
    name: str, gate: str, figures: Mapping[str, Any], *, passed: bool = True, table: str = "daily_account_cost"
) -> dict[str, Any]:
    step = "" if passed else "Look at what is listed."
    return {
        "asset": f"cloud/{table}",
        "check": name,
        "gate": gate,
        "passed": passed,
        "figures": json.dumps(figures),
        "next_step": step,
    }


def checks() -> pd.DataFrame:
    """Return the results of the checks whose figures the view shows: costs as their records keep them, as text."""
    became = {"surviving": 99, "superseded": 4, "duplicate": 3, "deleted": 2, "quarantined": 1, "set_aside": 2}
    costs = {
        "surviving": str(TOTAL),
        "superseded": "40.0",
        "duplicate": "30.005",
        "deleted": "20",
        "quarantined": "1",
        "set_aside": "12.5",
    }
    read = {"rows_read": 111, "cost_read": "4871.155000000029"}
    conserved = {f"rows_{name}": rows for name, rows in became.items()} | {f"cost_{name}": cost for name, cost in costs.items()}
    return pd.DataFrame(
        [
            _check("events_are_conserved", "publish", conserved | read),
            _check("stages_agree", "publish", {"days": 30, "days_that_differ": 0}),
            _check("nothing_is_set_aside", "warn", {"rows_set_aside": 2, "cost_set_aside": "12.5"}, passed=False),
            _check(
                "invoices_tie",
                "sign_off",
                {"breaches": 1, "breach_gross_cost": "44.03", "charged_cost": "4450.150000000029"},
                passed=False,
                table="cloud_recon_results",
            ),
        ]
    )


def history() -> dict[str, pd.DataFrame]:
    """Return three months of totals, one of them after the month."""
    totals = [
        _exact([{"tenant_id": tenant, "total_cost": Decimal(cost)} for tenant, cost in costs.items()], months.add(MONTH, at))
        for at, costs in (
            (-1, {"ACME": "4400", "GLOBEX": "100"}),
            (0, {"ACME": "4460.150000000029", "GLOBEX": "307.5"}),
            (1, {"ACME": "987654.32"}),
        )
    ]
    return {"cloud_month": pd.concat(totals, ignore_index=True)}


def figures() -> dict[str, Mapping[str, Any]]:
    """Return the figures of the checks by their names."""
    return {row["check"]: json.loads(row["figures"]) for row in checks().to_dict("records")}


def cloud() -> PackData:
    """Return a month of a home that has cloud costs only; it is blocked."""
    tied = {"check": "invoices_tie", "stream": "cloud", "table": "cloud_recon_results"}
    blocking = [{**tied, "figures": {"breach_gross_cost": "44.028102052725"}, "next_step": "Settle the invoices."}]
    return PackData(
        book="cloud",
        month=MONTH,
        currency=sample.DOLLARS,
        parts=[part()],
        checks=checks(),
        status={
            "status": "blocked",
            "version": None,
            "content_hash": sample.HASH,
            "blocking": json.dumps(blocking),
            "as_of": "20250722T000000Z",
        },
    )


def part() -> StreamPart:
    """Return the month of the stream."""
    before = {"cloud_month": _before()}
    return StreamPart(CLOUD, Published(MONTH, sample.DOLLARS, tables(), before, history(), figures()), REPORT)


def both() -> PackData:
    """Return the signed month of colocation with the cloud costs beside it, in one book."""
    base = sample.signed()
    return replace(base, book="all", parts=[*base.parts, part()], checks=pd.concat([base.checks, checks()], ignore_index=True))


def first_month() -> PackData:
    """Return the cloud month without a month before it, and without anything restated."""
    found = {**tables(), "cloud_restatement": tables()["cloud_restatement"].iloc[:0]}
    totals = history()["cloud_month"]
    return sample.changed(
        cloud(), tables=found, before={}, trends={"cloud_month": totals[totals["month"] >= pd.Timestamp(MONTH)]}
    )
