"""A small month by hand: two sites, four customers, every kind of trouble that a pack must show or defuse.

The figures are chosen, not computed by the program: 1,000,000.00 expected, 1,003,500.50 billed, and so on. Belongs here: the
sample. Does not belong here: what is expected of a pack made from it (the tests).
"""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.model.report import Published
from revenue_integrity.reports.pack_data import PackData, StreamPart
from revenue_integrity.streams.colocation.report import REPORT
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.wording import Currency

MONTH = date(2025, 6, 1)
DOLLARS = Currency("USD")
MARKUP_NAME = "<script>alert(1)</script>"
FORMULA_NAME = "=cmd|' /C calc'!A0"
CUSTOMERS = {"CU-1": "Northwind Cloud", "CU-2": MARKUP_NAME, "CU-3": FORMULA_NAME, "CU-4": "@Umlaut Größe & Söhne"}
REVENUE = {"CU-1": 60_000_000, "CU-2": 25_000_000, "CU-3": 10_000_000, "CU-4": 5_000_001}
POWER = {"CU-1": 22_000_000, "CU-2": 11_000_000, "CU-3": 12_345_678, "CU-4": 1_000_003}
STRANDED = 3_654_319
HASH = "ab" * 32


def frame(rows: list[dict[str, Any]], month: date | None = MONTH) -> pd.DataFrame:
    """Return rows as the close hands them over: cents as integers (nullable where one is missing), decimals as objects."""
    made = pd.DataFrame(rows, dtype=object)
    for name in made:
        if str(name).endswith("_cents"):
            made[name] = made[name].astype("Int64" if made[name].isna().any() else "int64")
    if month is not None:
        made.insert(0, "month", pd.Timestamp(month))
    return made


def tables() -> dict[str, pd.DataFrame]:
    """Return the month's datasets."""
    customers = [{"customer_id": key, "customer_name": name} for key, name in CUSTOMERS.items()]
    contracts = [
        {
            "customer_id": key,
            "contract_id": f"K-{key[-1]}",
            "site_id": "S-1" if key in ("CU-1", "CU-3") else "S-2",
            "used_kwh": Decimal("1000.5"),
            "revenue_cents": REVENUE[key],
            "mrr_cents": REVENUE[key] - 1_000_000,
            "power_cost_cents": POWER[key],
            "margin_cents": REVENUE[key] - POWER[key],
        }
        for key in CUSTOMERS
    ]
    by_customer = [
        {
            **{
                name: row[name]
                for name in ("customer_id", "used_kwh", "revenue_cents", "mrr_cents", "power_cost_cents", "margin_cents")
            },
            "contracts": 1,
            "margin_pct": Decimal(row["margin_cents"]) / Decimal(row["revenue_cents"]),
            "mrr_movement_cents": 0,
        }
        for row in contracts
    ]
    allocation = [
        {"site_id": row["site_id"], "contract_id": row["contract_id"], "charge": charge, "amount_cents": amount}
        for row in contracts
        for charge, amount in (("energy", row["power_cost_cents"] - 500_000), ("demand", 500_000))
    ]
    allocation.append({"site_id": "S-2", "contract_id": "STRANDED", "charge": "demand", "amount_cents": STRANDED})
    return {
        "customers": frame(customers),
        "sites": frame([{"site_id": "S-1", "site_name": "Frankfurt 1"}, {"site_id": "S-2", "site_name": "Ashburn 2"}]),
        "contract_month": frame(contracts),
        "customer_month": frame(by_customer),
        "power_allocation": frame(allocation),
        "site_month": frame(
            [
                _site("S-1", POWER["CU-1"] + POWER["CU-3"], 0, 35_654_322),
                _site("S-2", POWER["CU-2"] + POWER["CU-4"] + STRANDED, STRANDED, 14_345_679),
            ]
        ),
        "mrr_movements": frame(
            [
                _movement("CU-1", 55_000_000, expansion=4_000_000),
                _movement("CU-2", 26_000_000, contraction=2_000_000),
                _movement("CU-3", 0, new=9_000_000),
                _movement("CU-4", 4_000_001),
                _movement("CU-5", 3_000_000, churn=3_000_000),
            ]
        ),
        "mrr_summary": frame(
            [
                {
                    **{
                        key: value
                        for key, value in _movement("", 88_000_001, 9_000_000, 4_000_000, 2_000_000, 3_000_000).items()
                        if key != "customer_id"
                    },
                    "gross_retention": Decimal("0.943182"),
                    "net_retention": Decimal("0.988636"),
                }
            ]
        ),
        "contract_risk": frame([_risk(f"K-{number}", number) for number in range(1, 5)]),
        "margin_bridge": frame(
            [
                {
                    "contract_id": row["contract_id"],
                    "customer_id": row["customer_id"],
                    "site_id": row["site_id"],
                    "opening_margin_cents": row["margin_cents"] - 300,
                    "revenue_effect_cents": 1_000,
                    "usage_effect_cents": -500,
                    "rate_effect_cents": -200,
                    "closing_margin_cents": row["margin_cents"],
                }
                for row in contracts
            ]
        ),
        "recon_results": frame(_results()),
        "recon_summary": frame(_summary()),
        "recon_causes": frame(_causes()),
        "close_bridge": frame(
            [
                {
                    "as_of_close_cents": 100_350_050,
                    "late_cents": -350_050,
                    "current_cents": 100_000_000,
                    "recognized_here_from_earlier_cents": 12_300,
                    "recognized_cents": 100_362_350,
                }
            ]
        ),
        "invoice_lines": frame(
            [_line("INV-1", 25_350_050, late=False), _line("CM-9", -350_050, late=True), _line("+INV-3", 1, late=True)]
        ),
        "assumptions": frame(
            [
                {
                    "assumption": "default_load_factor",
                    "value": "0.6",
                    "unit": "fraction of the reservation",
                    "drives": "contracted vs used power",
                    "affected_rows": 12,
                    "affected_share": Decimal("0.034"),
                }
            ]
        ),
        "metric_register": frame(
            [
                {
                    name: f"{name} of MRR"
                    for name in (
                        "metric",
                        "definition",
                        "formula",
                        "grain",
                        "assumptions",
                        "validating_checks",
                        "reconciliations",
                        "risk_if_wrong",
                        "owner",
                    )
                }
            ]
        ),
    }


def _site(site: str, billed: int, stranded: int, margin: int) -> dict[str, Any]:
    return {
        "site_id": site,
        "pue": Decimal("1.412345"),
        "sold_share": Decimal("0.81"),
        "effective_rate": Decimal("11.234567"),
        "billed_cents": billed,
        "stranded_cents": stranded,
        "margin_cents": margin,
        "is_accrued": site == "S-2",
    }


def _movement(
    customer: str, opening: int, new: int = 0, expansion: int = 0, contraction: int = 0, churn: int = 0
) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "opening_cents": opening,
        "new_cents": new,
        "reactivation_cents": 0,
        "expansion_cents": expansion,
        "contraction_cents": contraction,
        "churn_cents": churn,
        "closing_cents": opening + new + expansion - contraction - churn,
    }


def _risk(contract: str, number: int) -> dict[str, Any]:
    short = number == 4
    amounts = {
        "expected_margin_cents": 9_000_000,
        "margin_p5_cents": 4_000_000,
        "margin_at_risk_cents": 5_000_000,
        "margin_worst_cents": -1_000_000,
        "risk_weighted_margin_cents": 6_500_000,
    }
    return {
        "contract_id": contract,
        "risk_months": 3 if short else 12,
        **{name: None if short else cents * number for name, cents in amounts.items()},
        "breakeven_rate": Decimal("31.807504"),
        "breakeven_utilization": None,
        "stress_price_cents": 3_000_000 * number,
        "stress_worst_rate_cents": 2_500_000 * number,
        "stress_full_cents": -1_500_000 * number,
    }


def _result(recon: str, view: str, left: int, right: int, status: str, **keys: Any) -> dict[str, Any]:
    where = {name: keys.get(name) for name in ("customer_id", "contract_id", "site_id", "charge_type")}
    unit = keys.get("unit", "cents")
    cents, value = (left, right, left - right), (Decimal(left), Decimal(right), Decimal(left - right))
    none = (None, None, None)
    sides = ("left", "right", "variance")
    return {
        "recon": recon,
        "view": view,
        **where,
        "unit": unit,
        **{f"{side}_cents": amount for side, amount in zip(sides, cents if unit == "cents" else none, strict=True)},
        **{f"{side}_value": amount for side, amount in zip(sides, none if unit == "cents" else value, strict=True)},
        "variance_pct": Decimal(left - right) / Decimal(right) if right else None,
        "status": status,
    }


def _results() -> list[dict[str, Any]]:
    rows = []
    for view, late in (("as_of_close", 0), ("current", -350_050)):
        rows += [
            _result(
                "erp_vs_mart", view, 60_000_000, 60_000_000, "matched", customer_id="CU-1", contract_id="K-1", charge_type="rack"
            ),
            _result(
                "erp_vs_mart",
                view,
                25_350_050 + late,
                25_000_000,
                "breach" if not late else "matched",
                customer_id="CU-2",
                contract_id="K-2",
                charge_type="rack",
            ),
            _result(
                "erp_vs_mart", view, 9_950_000, 10_000_000, "breach", customer_id="CU-3", contract_id="K-3", charge_type="rack"
            ),
            _result(
                "erp_vs_mart", view, 5_050_000, 5_000_000, "breach", customer_id="CU-4", contract_id="K-4", charge_type="rack"
            ),
        ]
    rows += [
        _result("power_bill_vs_allocated", "current", 34_345_678, 34_345_678, "matched", site_id="S-1", charge_type="energy"),
        _result("metered_vs_billed_kwh", "current", 1_500_000, 1_480_000, "within_tolerance", site_id="S-1", unit="wh"),
    ]
    return rows


def _summary() -> list[dict[str, Any]]:
    """Return the results in total, by hand."""
    rows = [
        ("erp_vs_mart", "as_of_close", "cents", (4, 1, 0, 3), (100_350_050, 100_000_000, 350_050, 450_050), 10_000),
        ("erp_vs_mart", "current", "cents", (4, 2, 0, 2), (100_000_000, 100_000_000, 0, 100_000), 10_000),
        ("power_bill_vs_allocated", "current", "cents", (1, 1, 0, 0), (34_345_678, 34_345_678, 0, 0), None),
        ("metered_vs_billed_kwh", "current", "wh", (1, 0, 1, 0), (1_500_000, 1_480_000, 20_000, 20_000), None),
    ]
    return [
        {
            "recon": recon,
            "view": view,
            "unit": unit,
            **dict(zip(("rows", "matched", "within_tolerance", "breaches"), counts, strict=True)),
            **dict(zip(("left_total", "right_total", "variance_signed", "variance_gross"), amounts, strict=True)),
            "unexplained_cents": unexplained,
        }
        for recon, view, unit, counts, amounts, unexplained in rows
    ]


def _cause(view: str, customer: str, cause: str, family: str, cents: int, explanation: str) -> dict[str, Any]:
    return {
        "recon": "erp_vs_mart",
        "view": view,
        "customer_id": customer,
        "contract_id": f"K-{customer[-1]}",
        "site_id": None,
        "charge_type": "rack",
        "cause": cause,
        "link_id": None,
        "family": family,
        "cause_cents": cents,
        "evidence": json.dumps({"lines": ["INV-1/1"], "formula": "=1+1"}),
        "explanation": explanation,
    }


def _causes() -> list[dict[str, Any]]:
    rows = []
    for view in ("as_of_close", "current"):
        rows += [
            _cause(view, "CU-3", "unbilled", "missing", -40_000, "-40,000 cents of an expected charge have no ERP line"),
            _cause(view, "CU-3", "unexplained", "", -10_000, "No rule explains it"),
            _cause(view, "CU-4", "price_mismatch", "configuration", 50_000, "Billed at 505.00 where 500.00 is due"),
        ]
    rows.append(
        _cause("as_of_close", "CU-2", "late_posting", "timing", 350_050, "CM-9/1 was posted on 2025-07-20, after the cutoff")
    )
    return rows


def _line(document: str, cents: int, *, late: bool) -> dict[str, Any]:
    return {
        "document_id": document,
        "line_no": 1,
        "document_type": "invoice" if cents > 0 else "credit_memo",
        "customer_id": "CU-2",
        "contract_id": "K-2",
        "mapping_status": "mapped",
        "charge_type": "rack",
        "quantity": Decimal("1.5"),
        "unit_price": Decimal("250000.50"),
        "amount_cents": cents,
        "invoice_date": date(2025, 7, 20),
        "posted_at": pd.Timestamp("2025-07-20T10:15:00.123456Z"),
        "late": late,
    }


def history() -> dict[str, pd.DataFrame]:
    """Return six months of totals, and one month after, which no trend may show."""
    points, variances = [], []
    for back in range(6, -2, -1):
        month = months.add(MONTH, -back)
        this = month == MONTH
        revenue = sum(REVENUE.values()) if this else 95_000_000 - back * 1_000_000
        cost = sum(POWER.values()) if this else 42_000_000 + back * 700_000
        points.append(frame([{"revenue_cents": revenue, "power_cost_cents": cost, "margin_cents": revenue - cost}], month))
        row = {
            "recon": "erp_vs_mart",
            "view": "as_of_close",
            "variance_signed": 350_050 - back * 90_000,
            "variance_gross": 450_050 + back * 10_000,
        }
        variances.append(frame([row], month))
    return {"contract_month": pd.concat(points, ignore_index=True), "recon_summary": pd.concat(variances, ignore_index=True)}


def checks() -> pd.DataFrame:
    """Return one check that stops sign-off, one that warns, one that holds."""
    return pd.DataFrame(
        [
            {
                "asset": "colocation/recon_causes",
                "check": "variances_are_explained",
                "gate": "sign_off",
                "passed": False,
                "figures": json.dumps({"unexplained_cents": -10_000, "rows": 1}),
                "next_step": "Open the rows, find the document, correct it at the source.",
            },
            {
                "asset": "colocation/meter_daily",
                "check": "meters_are_complete",
                "gate": "warn",
                "passed": False,
                "figures": json.dumps({"complete_share": 0.961}),
                "next_step": "Ask the site for the missing readings.",
            },
            {
                "asset": "colocation/power_allocation",
                "check": "allocated_plus_stranded_is_billed",
                "gate": "publish",
                "passed": True,
                "figures": "{}",
                "next_step": "",
            },
        ]
    )


def ledger() -> pd.DataFrame:
    """Return the entries of a month that was prepared and approved."""
    entry = {
        "month": pd.Timestamp(MONTH),
        "version": 1,
        "content_hash": HASH,
        "os_user": "ops",
        "host": "close-1",
        "code_version": "1",
    }
    return pd.DataFrame(
        [
            {
                **entry,
                "seq": 7,
                "action": "prepare",
                "actor": "pat",
                "at": "2025-07-08T09:00:00.000000Z",
                "comment": "=HYPERLINK(1)",
                "hash": "cd" * 32,
            },
            {
                **entry,
                "seq": 8,
                "action": "approve",
                "actor": "alex",
                "at": "2025-07-09T16:30:00.000000Z",
                "comment": "Reviewed",
                "hash": "ef" * 32,
            },
        ]
    )


def preliminary() -> PackData:
    """Return a month that is blocked."""
    blocking = [
        {
            "check": "variances_are_explained",
            "stream": "colocation",
            "table": "recon_causes",
            "gate": "sign_off",
            "state": "failed",
            "figures": {"unexplained_cents": -10_000},
            "next_step": "Correct it at the source.",
        }
    ]
    return PackData(
        book="colocation",
        month=MONTH,
        currency=DOLLARS,
        parts=[StreamPart(COLOCATION, Published(MONTH, DOLLARS, tables(), trends=history()), REPORT)],
        checks=checks(),
        status={
            "status": "blocked",
            "version": None,
            "content_hash": HASH,
            "blocking": json.dumps(blocking),
            "as_of": "20250722T000000Z",
        },
    )


def signed() -> PackData:
    """Return the same month signed, with a waiver and a restatement behind it."""
    restatement = frame(
        [
            {
                "from_version": 1,
                "dataset": "contract_month",
                "key": json.dumps({"contract_id": "K-2"}),
                "measure": "revenue_cents",
                "old": Decimal(24_000_000),
                "new": Decimal(25_000_000),
                "delta": Decimal(1_000_000),
                "cause": "data",
                "batches": '["colocation/erp_invoices/20250720T110000Z"]',
            }
        ]
    )
    waivers = pd.DataFrame(
        [
            {
                "asset": "colocation/recon_causes",
                "check": "variances_are_explained",
                "actor": "alex",
                "at": "2025-07-09T16:00:00.000000Z",
                "comment": "Immaterial; credit memo follows",
            }
        ]
    )
    base = preliminary()
    return replace(
        base,
        waivers=waivers,
        ledger=ledger(),
        restatement=restatement,
        status={
            "status": "signed_off",
            "version": 2,
            "content_hash": HASH,
            "prepared_by": "pat",
            "approved_by": "alex",
            "signed_at": "2025-07-09T16:30:00.000000Z",
            "blocking": "[]",
            "explanation_updated": False,
            "as_of": pd.Timestamp("2025-07-22T00:00:00Z"),
        },
        ledger_head="ef" * 32,
    )


def empty() -> PackData:
    """Return a month of which nothing is available yet."""
    part = StreamPart(COLOCATION, Published(MONTH, DOLLARS, {}), REPORT)
    return PackData(book="colocation", month=MONTH, currency=DOLLARS, parts=[part])


def changed(data: PackData, **shown: Any) -> PackData:
    """Return a pack of which the first stream has other ``tables``, ``trends``, ``before`` or ``checks`` than before."""
    first, *others = data.parts
    return replace(data, parts=[replace(first, published=replace(first.published, **shown)), *others])


def published(data: PackData) -> Published:
    """Return what the first stream of a pack shows."""
    return data.parts[0].published


def in_currency(data: PackData, code: str) -> PackData:
    """Return the same pack of a deployment in another currency."""
    currency = Currency(code)
    parts = [replace(part, published=replace(part.published, currency=currency)) for part in data.parts]
    return replace(data, currency=currency, parts=parts)
