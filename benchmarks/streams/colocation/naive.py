"""The month's rules as a first try writes them: pandas, `Decimal`, a group at a time.

Belongs here: what the product is compared with. It follows the specification for complete data (every meter has a reading on
every day; nothing to estimate, nothing arrives twice), because a first try would begin there: reading the files, daily
usage with late and suspect days, expected charges, allocation of power, margin by contract. It leaves out what the product
does beside that: quarantine, versions, hashes, fingerprints, invoices, reconciliation, causes, risk, publishing. Does not
belong here: anything clever.
"""

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity import months

CENT = Decimal("0.01")
CHARGES = ("energy", "demand", "fixed", "tax")


def read_source(landing: Path, source: str, decimals: tuple[str, ...] = (), dates: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read all files of a source; numbers become exact decimals, and every row knows when it arrived."""
    frames = []
    for file in sorted((landing / "colocation" / source).glob("*/*")):
        frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, dtype=str, keep_default_na=False)
        frame["arrival"] = pd.to_datetime(file.parent.name, format="%Y%m%dT%H%M%SZ", utc=True)
        frames.append(frame)
    rows = pd.concat(frames, ignore_index=True)
    for name in decimals:
        rows[name] = rows[name].map(lambda text: Decimal(str(text)) if text not in ("", None) else None)
    for name in dates:
        rows[name] = pd.to_datetime(rows[name])
    return rows


def round_cents(amount: Decimal) -> int:
    """Round an amount half away from zero and return it in cents."""
    return int(amount.quantize(CENT, ROUND_HALF_UP) * 100)


def terms_by_day(versions: pd.DataFrame, month: date) -> pd.DataFrame:
    """Return the version in force per contract and day."""
    days = pd.DataFrame({"day": pd.date_range(month, months.last_day(month))})
    rows = versions.merge(days, how="cross")
    rows = rows[(rows["effective_from"] <= rows["day"]) & (rows["effective_to"].isna() | (rows["day"] <= rows["effective_to"]))]
    rows = rows.sort_values(["contract_id", "day", "version"]).drop_duplicates(["contract_id", "day"], keep="last")
    return rows[rows["status"] == "active"]


def meter_daily(readings: pd.DataFrame, terms: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    """Return kWh and peak kW per contract and day in force, with late and suspect days."""
    readings = readings.sort_values(["meter_id", "reading_date", "arrival"]).drop_duplicates(
        ["meter_id", "reading_date"], keep="last"
    )
    zones = sites.set_index("site_id")["timezone"]
    parts = []
    for site, rows in readings.groupby("site_id"):
        local = rows["arrival"].dt.tz_convert(zones[site]).dt.tz_localize(None).dt.normalize()
        parts.append(rows.assign(is_late=(local - rows["reading_date"]).dt.days > 3))
    readings = pd.concat(parts)
    readings["float_kwh"] = readings["kwh"].astype(float)
    before = readings.groupby("meter_id")["float_kwh"].transform(lambda kwh: kwh.shift().rolling(28, min_periods=7).median())
    readings["is_suspect"] = readings["float_kwh"] > 3 * before
    daily = readings.groupby(["contract_id", "reading_date"], as_index=False).agg(
        kwh=("kwh", "sum"), peak_kw=("peak_kw", "sum"), is_late=("is_late", "any"), is_suspect=("is_suspect", "any")
    )
    in_force = terms[["contract_id", "day"]].rename(columns={"day": "reading_date"})
    return in_force.merge(daily, on=["contract_id", "reading_date"], how="left")


def expected_charges(terms: pd.DataFrame, daily: pd.DataFrame, month: date) -> pd.DataFrame:
    """Return what is owed, per contract, charge type and segment."""
    days = terms.merge(daily, left_on=["contract_id", "day"], right_on=["contract_id", "reading_date"])
    return pd.DataFrame(
        [charge for _, rows in days.groupby("contract_id") for charge in _charges_of(rows, months.days_in(month))],
        columns=["contract_id", "charge_type", "amount_cents"],
    )


def _charges_of(days: pd.DataFrame, days_in_month: int) -> Iterator[tuple[str, str, int]]:
    contract = days["contract_id"].iloc[0]
    for _, segment in days.groupby("version"):
        terms = segment.iloc[0]
        share = Decimal(len(segment))
        yield contract, "rack", round_cents(terms["racks"] * terms["rack_price"] * share / days_in_month)
        yield contract, "power", round_cents(terms["reserved_kw"] * terms["kw_price"] * share / days_in_month)
        if terms["pricing_model"] == "metered":
            yield contract, "energy", round_cents(segment["kwh"].sum() * (terms["pue_uplift"] or 1) * terms["energy_rate"])
    over = (days["peak_kw"] - days["reserved_kw"]).map(lambda kw: max(kw, Decimal(0)))
    worst = over.index[over == over.max()][0]
    if over[worst] > 0 and days["overage_price"][worst] is not None:
        yield contract, "overage", round_cents(over[worst] * days["overage_price"][worst])


def largest_remainder(cents: int, weights: dict[str, Decimal]) -> dict[str, int]:
    """Split cents over weights so that the parts add up."""
    whole = sum(weights.values(), Decimal(0))
    shares = {name: cents * weight / whole for name, weight in weights.items()}
    parts = {name: int(share.to_integral_value(ROUND_DOWN)) for name, share in shares.items()}
    missing = cents - sum(parts.values())
    for name in sorted(shares, key=lambda name: (parts[name] - shares[name], name))[:missing]:
        parts[name] += 1
    return parts


def power_allocation(
    bills: pd.DataFrame, terms: pd.DataFrame, daily: pd.DataFrame, sites: pd.DataFrame, month: date
) -> pd.DataFrame:
    """Return each power charge in cents per contract, and what nobody reserved."""
    usage = terms.merge(daily, left_on=["contract_id", "day"], right_on=["contract_id", "reading_date"])
    rows: list[tuple[str, str, str, int]] = []
    for _, bill in bills.iterrows():
        site = usage[usage["site_id"] == bill["site_id"]]
        kwh = site.groupby("contract_id")["kwh"].sum().to_dict()
        kw_days = site.groupby("contract_id")["reserved_kw"].sum().to_dict()
        capacity = sites.set_index("site_id")["capacity_kw"][bill["site_id"]] * months.days_in(month)
        kw_days["STRANDED"] = max(capacity - sum(kw_days.values()), Decimal(0))
        for charge in CHARGES:
            cents = round_cents(bill["tax" if charge == "tax" else f"{charge}_charge"])
            parts = largest_remainder(cents, kwh if charge == "energy" else kw_days)
            rows += [(bill["site_id"], contract, charge, part) for contract, part in parts.items()]
    return pd.DataFrame(rows, columns=["site_id", "contract_id", "charge", "amount_cents"])


def contract_month(terms: pd.DataFrame, daily: pd.DataFrame, charges: pd.DataFrame, allocation: pd.DataFrame) -> pd.DataFrame:
    """Return usage, revenue, power cost and margin per contract."""
    days = terms.merge(daily, left_on=["contract_id", "day"], right_on=["contract_id", "reading_date"])
    rows = days.groupby("contract_id").apply(_figures_of, include_groups=False)  # type: ignore[call-overload]  # stubs: no Series of objects
    rows["revenue_cents"] = charges.groupby("contract_id")["amount_cents"].sum()
    rows["power_cost_cents"] = allocation.groupby("contract_id")["amount_cents"].sum()
    rows["margin_cents"] = rows["revenue_cents"] - rows["power_cost_cents"]
    return rows.reset_index()


def _figures_of(days: pd.DataFrame) -> "pd.Series[Any]":
    kwh = days["kwh"].sum()
    average = kwh / 24 / len(days)
    last = days.iloc[-1]
    return pd.Series(
        {
            "customer_id": last["customer_id"],
            "active_days": len(days),
            "contracted_kw": days["reserved_kw"].sum() / len(days),
            "contracted_racks": days["racks"].sum() / len(days),
            "used_kwh": kwh,
            "avg_kw": average,
            "peak_kw": days["peak_kw"].max(),
            "load_factor": average / days["peak_kw"].max(),
            "usage_cv": days["kwh"].astype(float).std(ddof=0) / float(kwh / len(days)) if kwh else None,
            "power_utilization": average / (days["reserved_kw"].sum() / len(days)),
            "mrr_cents": round_cents(last["racks"] * last["rack_price"]) + round_cents(last["reserved_kw"] * last["kw_price"]),
            "has_late_reads": days["is_late"].any(),
        }
    )


def run(landing: Path, month: date) -> pd.DataFrame:
    """Read the files and return the margin by contract."""
    sites = read_source(landing, "sites", ("capacity_kw",))
    prices = ("racks", "reserved_kw", "rack_price", "kw_price", "energy_rate", "pue_uplift", "overage_price")
    versions = read_source(landing, "contract_versions", prices, ("effective_from", "effective_to"))
    versions["version"] = versions["version"].astype(int)
    readings = read_source(landing, "meter_readings", ("kwh", "peak_kw"), ("reading_date",))
    money = ("energy_charge", "demand_charge", "fixed_charge", "tax")
    bills = read_source(landing, "power_bills", money)

    terms = terms_by_day(versions, month)
    daily = meter_daily(readings, terms, sites)
    charges = expected_charges(terms, daily, month)
    # The usage rows name their site through the terms.
    allocation = power_allocation(bills, terms, daily, sites, month)
    return contract_month(terms, daily, charges, allocation)
