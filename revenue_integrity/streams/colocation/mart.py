"""Rules of the mart: what is owed, what power cost, what is left, who moved.

Belongs here: charges and allocation as queries, statement-grain tables as pure functions of frames, and what each reads.
Does not belong here: risk and stress (``risk``), the register of metrics (``register``), reconciliations (``recon``).
All money is in integer cents; quantities are exact decimals; ratios are rounded once, to 6 places.
"""

from datetime import date
from decimal import Decimal

import pandas as pd

from revenue_integrity import months
from revenue_integrity.exact import divide, map_rows, product, ratio
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, raw, same_month, window
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation import schemas
from revenue_integrity.streams.colocation.settings import ColocationSettings

_PACKAGE = "revenue_integrity.streams.colocation"

_HOURS = 24
"""Hours of a day in `avg_kw = kWh / 24 / days`, also on the two days a year that have 23 or 25."""


def _query(path: str, month: date, **parameters: object) -> Query:
    return load_query(_PACKAGE, path, month=month, month_end=months.last_day(month), **parameters)


def expected_charges(month: date, settings: Settings) -> Query:
    """Return what the contract says is owed: cents per contract, charge type and segment."""
    return _query("mart/expected_charges", month)


def contract_usage(month: date, settings: Settings) -> Query:
    """Return days, kWh, kW and run-rate (cents) per contract with service."""
    return _query("mart/contract_usage", month)


def usage_month(month: date, settings: Settings) -> Query:
    """Return kWh and days of the month that are estimated, late or suspect."""
    return _query("mart/usage_month", month)


def power_allocation(month: date, settings: ColocationSettings) -> Query:
    """Return each charge of each power bill in cents per contract and STRANDED; they add up to the bill."""
    return _query("mart/power_allocation", month, allocation_method=settings.allocation_method)


def rack_month(month: date, settings: Settings) -> Query:
    """Return revenue and power cost in cents per rack; they add up to the contract's."""
    return _query("mart/rack_month", month)


def mrr_movements(month: date, settings: Settings) -> Query:
    """Return the MRR bridge in cents per customer."""
    return _query("mart/mrr_movements", month)


def _amounts_by(frame: pd.DataFrame, kind: str, kinds: tuple[str, ...], name: str) -> pd.DataFrame:
    """Return cents per contract with a column per kind, 0 where there is none."""
    wide = frame.pivot_table(index="contract_id", columns=kind, values="amount_cents", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=list(kinds), fill_value=0).astype("int64")
    return wide.rename(columns={each: name.format(each) for each in kinds})


def _usage_volatility(kwh: Decimal, squares: Decimal, days: int) -> Decimal | None:
    """Return the population standard deviation of daily kWh over their mean: sqrt(n Σx² − (Σx)²) / Σx."""
    return divide((squares * days - kwh * kwh).sqrt(), kwh, 6) if kwh else None


def contract_month(
    month: date,
    settings: Settings,
    contract_usage: pd.DataFrame,
    expected_charges: pd.DataFrame,
    power_allocation: pd.DataFrame,
    power_bills: pd.DataFrame,
) -> pd.DataFrame:
    """Return usage, revenue, power cost and margin per contract with service (10-colocation, *contract_month*)."""
    revenue = _amounts_by(expected_charges, "charge_type", schemas.CHARGE_TYPES[:-1], "revenue_{}_cents")
    cost = _amounts_by(power_allocation, "charge", schemas.POWER_CHARGES, "cost_{}_cents")
    accrued = power_bills.set_index("site_id")["is_accrued"]
    rows = (
        contract_usage.merge(revenue, on="contract_id", how="left")
        .merge(cost, on="contract_id", how="left")
        .fillna(dict.fromkeys([*revenue.columns, *cost.columns], 0))
        .astype(dict.fromkeys([*revenue.columns, *cost.columns], "int64"))
    )
    hours = rows["active_days"] * _HOURS
    rows = rows.assign(
        contracted_racks=ratio(rows["rack_days"], rows["active_days"]),
        contracted_kw=ratio(rows["reserved_kw_days"], rows["active_days"]),
        assigned_racks=ratio(rows["assigned_rack_days"], rows["active_days"]),
        rack_utilization=ratio(rows["assigned_rack_days"], rows["rack_days"]),
        avg_kw=ratio(rows["used_kwh"], hours),
        load_factor=ratio(rows["used_kwh"], product(hours, rows["peak_kw"])),
        usage_cv=map_rows(_usage_volatility, rows["used_kwh"], rows["squared_kwh"], rows["active_days"]),
        power_utilization=ratio(rows["used_kwh"], rows["reserved_kw_days"] * _HOURS),
        estimated_share=ratio(rows["estimated_kwh"], rows["used_kwh"]),
        revenue_cents=rows[list(revenue.columns)].sum(axis=1).astype("int64"),
        power_cost_cents=rows[list(cost.columns)].sum(axis=1).astype("int64"),
        bill_is_accrued=rows["site_id"].map(accrued).fillna(False).astype(bool),
    )
    rows = rows.assign(margin_cents=rows["revenue_cents"] - rows["power_cost_cents"])
    rows = rows.assign(margin_pct=ratio(rows["margin_cents"], rows["revenue_cents"].abs()))
    return rows[schemas.CONTRACT_MONTH.columns]


def site_month(
    month: date,
    settings: Settings,
    power_bills: pd.DataFrame,
    power_allocation: pd.DataFrame,
    contract_month: pd.DataFrame,
    sites: pd.DataFrame,
) -> pd.DataFrame:
    """Return energy, capacity, stranded cost and margin per site with service or a bill."""
    stranded = power_allocation[power_allocation["contract_id"] == schemas.STRANDED].groupby("site_id")["amount_cents"].sum()
    contracts = contract_month.groupby("site_id").agg(
        metered_kwh=("used_kwh", "sum"), kw_days=("reserved_kw_days", "sum"), margins=("margin_cents", "sum")
    )
    rows = power_bills.rename(columns={"kwh": "billed_kwh", "total_cents": "billed_cents"}).merge(
        sites[["site_id", "capacity_kw"]], on="site_id", how="inner"
    )
    rows = rows.merge(contracts, on="site_id", how="left")
    days = months.days_in(month)
    rows["metered_kwh"] = rows["metered_kwh"].map(_zero_if_missing)
    rows["kw_days"] = rows["kw_days"].map(_zero_if_missing)
    rows["stranded_cents"] = rows["site_id"].map(stranded).fillna(0).astype("int64")
    rows["margin_cents"] = rows["margins"].fillna(0).astype("int64") - rows["stranded_cents"]
    rows["pue"] = ratio(rows["billed_kwh"], rows["metered_kwh"])
    rows["reserved_kw"] = map_rows(lambda kw_days: divide(kw_days, days, 6), rows["kw_days"])
    rows["sold_share"] = map_rows(lambda kw_days, kw: divide(kw_days, kw * days, 6), rows["kw_days"], rows["capacity_kw"])
    rows["effective_rate"] = ratio(rows["billed_cents"], rows["metered_kwh"])
    return rows[schemas.SITE_MONTH.columns]


def _zero_if_missing(value: object) -> object:
    return value if isinstance(value, Decimal) else Decimal(0)


_SUMMED_BY_CUSTOMER = ("used_kwh", "revenue_cents", "mrr_cents", "power_cost_cents", "margin_cents")


def customer_month(month: date, settings: Settings, contract_month: pd.DataFrame, mrr_movements: pd.DataFrame) -> pd.DataFrame:
    """Return the contract figures summed by customer, and the movement of its MRR."""
    rows = contract_month.groupby("customer_id", as_index=False).agg(
        contracts=("contract_id", "size"),
        used_kwh=("used_kwh", "sum"),
        revenue_cents=("revenue_cents", "sum"),
        mrr_cents=("mrr_cents", "sum"),
        power_cost_cents=("power_cost_cents", "sum"),
        margin_cents=("margin_cents", "sum"),
    )
    movement = mrr_movements.set_index("customer_id")
    moved = movement["closing_cents"] - movement["opening_cents"]
    rows["month"] = pd.Timestamp(month).as_unit("us")
    rows["margin_pct"] = ratio(rows["margin_cents"], rows["revenue_cents"].abs())
    rows["mrr_movement_cents"] = rows["customer_id"].map(moved).fillna(0).astype("int64")
    rows["contracts"] = rows["contracts"].astype("int64")
    return rows[schemas.CUSTOMER_MONTH.columns]


def mrr_summary(month: date, settings: Settings, mrr_movements: pd.DataFrame) -> pd.DataFrame:
    """Return the MRR bridge of all customers with gross and net retention."""
    measures = [name for name in schemas.MRR_MOVEMENTS.columns if name.endswith("_cents")]
    totals = mrr_movements[measures].sum().astype("int64").to_frame().T
    totals.insert(0, "month", pd.Timestamp(month).as_unit("us"))
    kept = totals["opening_cents"] - totals["contraction_cents"] - totals["churn_cents"]
    totals["gross_retention"] = ratio(kept, totals["opening_cents"])
    totals["net_retention"] = ratio(kept + totals["expansion_cents"], totals["opening_cents"])
    return totals[schemas.MRR_SUMMARY.columns]


def _usage_effect(kwh: Decimal, earlier_kwh: Decimal, earlier_cost: int) -> int:
    """−(change of kWh) × last month's power cost per kWh, rounded once; 0 if it had none."""
    if not earlier_kwh:
        return 0
    effect = divide((earlier_kwh - kwh) * earlier_cost, earlier_kwh, 0)
    return int(effect) if effect is not None else 0


_BRIDGE_NAMES = ("customer_id", "site_id")
_BRIDGE_FIGURES = ("used_kwh", "revenue_cents", "power_cost_cents", "margin_cents")


def margin_bridge(month: date, settings: Settings, contract_month: pd.DataFrame) -> pd.DataFrame:
    """Return per contract whether revenue, usage or price moved the margin (contract_month of M−1 and M)."""
    figures, names = list(_BRIDGE_FIGURES), list(_BRIDGE_NAMES)
    is_now = contract_month["month"] == pd.Timestamp(month)
    now = contract_month[is_now].set_index("contract_id")[names + figures]
    before = contract_month[~is_now].set_index("contract_id")[names + figures]
    rows = now.join(before, how="outer", lsuffix="", rsuffix="_before")
    for name in names:
        rows[name] = rows[name].where(rows[name].notna(), rows[f"{name}_before"])
    for name in [*figures[1:], *(f"{name}_before" for name in figures[1:])]:
        rows[name] = rows[name].fillna(0).astype("int64")
    for name in ("used_kwh", "used_kwh_before"):
        rows[name] = rows[name].map(_zero_if_missing)
    rows["usage_effect_cents"] = map_rows(
        _usage_effect, rows["used_kwh"], rows["used_kwh_before"], rows["power_cost_cents_before"]
    ).astype("int64")
    rows["revenue_effect_cents"] = rows["revenue_cents"] - rows["revenue_cents_before"]
    change_of_cost = rows["power_cost_cents"] - rows["power_cost_cents_before"]
    rows["rate_effect_cents"] = -change_of_cost - rows["usage_effect_cents"]
    rows = rows.rename(columns={"margin_cents_before": "opening_margin_cents", "margin_cents": "closing_margin_cents"})
    rows["month"] = pd.Timestamp(month).as_unit("us")
    return rows.reset_index()[schemas.MARGIN_BRIDGE.columns]


RULES = (
    Rule(
        schemas.EXPECTED_CHARGES,
        expected_charges,
        (same_month("curated", "contract_terms"), same_month("curated", "meter_daily"), raw("contract_versions")),
        sql=("mart/expected_charges",),
    ),
    Rule(
        schemas.CONTRACT_USAGE,
        contract_usage,
        (
            same_month("curated", "contract_terms"),
            same_month("curated", "meter_daily"),
            same_month("curated", "rack_daily"),
            raw("contract_versions"),
        ),
        sql=("mart/contract_usage",),
    ),
    Rule(schemas.USAGE_MONTH, usage_month, (same_month("curated", "meter_daily"),), sql=("mart/usage_month",)),
    Rule(
        schemas.POWER_ALLOCATION,
        power_allocation,
        (
            same_month("curated", "power_bills"),
            same_month("curated", "contract_terms"),
            same_month("curated", "meter_daily"),
            same_month("curated", "sites"),
        ),
        ("allocation_method",),
        ("mart/power_allocation",),
    ),
    Rule(
        schemas.CONTRACT_MONTH,
        contract_month,
        (
            same_month("mart", "contract_usage"),
            same_month("mart", "expected_charges", columns=("contract_id", "charge_type", "amount_cents")),
            same_month("mart", "power_allocation", columns=("contract_id", "charge", "amount_cents")),
            same_month("curated", "power_bills"),
        ),
    ),
    Rule(
        schemas.SITE_MONTH,
        site_month,
        (
            same_month("curated", "power_bills"),
            same_month("mart", "power_allocation", columns=("site_id", "contract_id", "amount_cents")),
            same_month("mart", "contract_month", columns=("site_id", "used_kwh", "reserved_kw_days", "margin_cents")),
            same_month("curated", "sites"),
        ),
    ),
    Rule(schemas.MRR_MOVEMENTS, mrr_movements, (raw("contract_versions"),), sql=("mart/mrr_movements",)),
    Rule(schemas.MRR_SUMMARY, mrr_summary, (same_month("mart", "mrr_movements"),)),
    Rule(
        schemas.CUSTOMER_MONTH,
        customer_month,
        (
            same_month("mart", "contract_month", columns=("customer_id", "contract_id", *_SUMMED_BY_CUSTOMER)),
            same_month("mart", "mrr_movements"),
        ),
    ),
    Rule(
        schemas.RACK_MONTH,
        rack_month,
        (same_month("mart", "contract_month"), raw("rack_assignments")),
        sql=("mart/rack_month",),
    ),
    Rule(
        schemas.MARGIN_BRIDGE,
        margin_bridge,
        (window("mart", "contract_month", months_before=1, columns=("month", "contract_id", *_BRIDGE_NAMES, *_BRIDGE_FIGURES)),),
    ),
)
