"""Rules of margin risk: the contract's own history replayed on this month's terms, and stress.

Belongs here: ``contract_risk``. Does not belong here: the margin itself (``mart``).
Percentile, worst month and stress are shown together: a percentile alone hides the tail.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity import months
from revenue_integrity.exact import ratio, rounded, whole
from revenue_integrity.model.rule import Rule, same_month, window
from revenue_integrity.streams.colocation import schemas
from revenue_integrity.streams.colocation.settings import MOST_HISTORY_MONTHS, ColocationSettings

_HOURS = 24

_PLACES = 6
"""Places of every quantity, price and factor of a contract: in units of the last one they are whole numbers."""

_UNIT = 10**_PLACES

Whole = np.ndarray[Any, Any]
"""A column of Python whole numbers, which have no largest: exact quotients are pairs of them, and are never reduced."""

DISTRIBUTION = (
    "expected_margin_cents",
    "margin_p5_cents",
    "margin_at_risk_cents",
    "margin_worst_cents",
    "risk_weighted_margin_cents",
)


@dataclass(frozen=True)
class _Rates:
    """Exact cents per metered kWh, one for each row at hand: ``cents / parts``; ``known`` tells where there is one."""

    cents: Whole
    parts: Whole
    known: np.ndarray[Any, np.dtype[np.bool_]]

    def of(self, rows: "np.ndarray[Any, Any]") -> "_Rates":
        """Return the rates at some places; a place of −1 has none."""
        known = rows >= 0
        cents, parts = np.zeros(len(rows), dtype=object), np.ones(len(rows), dtype=object)
        cents[known], parts[known] = self.cents[rows[known]], self.parts[rows[known]]
        return _Rates(cents, parts, known)


@dataclass(frozen=True)
class _Contracts:
    """Terms and figures of the month's contracts: cents, and quantities in millionths.

    Attributes:
        revenue: rack and power revenue in cents.
        kwh: energy drawn.
        kw_days: power reserved.
        price: cents per metered kWh that the customer pays, in units of ``_UNIT ** -2``; 0 where energy is not metered.
    """

    revenue: Whole
    kwh: Whole
    kw_days: Whole
    price: Whole

    def of(self, rows: "np.ndarray[Any, Any]") -> "_Contracts":
        """Return the contracts at some places."""
        return _Contracts(self.revenue[rows], self.kwh[rows], self.kw_days[rows], self.price[rows])

    def margin(self, kwh: Whole, parts: "Whole | int", rates: _Rates) -> Whole:
        """Rack, power and metered energy revenue less the cost of ``kwh / parts``, in cents, rounded once."""
        earned = self.price * rates.parts - rates.cents * _UNIT**2
        denominator = rates.parts * parts * _UNIT**2
        return rounded(self.revenue * denominator + kwh * earned, denominator)


def contract_risk(
    month: date,
    settings: ColocationSettings,
    contract_month: pd.DataFrame,
    site_month: pd.DataFrame,
    contract_terms: pd.DataFrame,
) -> pd.DataFrame:
    """Return margin risk and stress in cents per contract with service (10-colocation, *contract_risk*).

    ``contract_month`` and ``site_month`` hold the months M−23…M, ``contract_terms`` the month M.
    """
    this_month = pd.Timestamp(month)
    oldest = pd.Timestamp(months.add(month, 1 - settings.risk_history_months))
    contract_month = contract_month[contract_month["month"] >= oldest]
    last_terms = contract_terms.sort_values(["contract_id", "segment_to"]).groupby("contract_id").tail(1)
    now = contract_month[contract_month["month"] == this_month].merge(
        last_terms[["contract_id", "pricing_model", "pue_uplift", "energy_rate"]], on="contract_id"
    )
    contracts = _contracts(now)
    priced = site_month[site_month["effective_rate"].notna()]
    rates = _rates(priced)
    at = pd.MultiIndex.from_frame(priced[["month", "site_id"]])
    past = contract_month.loc[
        contract_month["power_utilization"].notna(), ["month", "contract_id", "site_id", "used_kwh", "reserved_kw_days"]
    ]
    past_rate = at.get_indexer(pd.MultiIndex.from_frame(past[["month", "site_id"]]))
    contract = pd.Index(now["contract_id"]).get_indexer(pd.Index(past["contract_id"]))
    is_known = (past_rate >= 0) & (contract >= 0)
    history, worst = _history(contracts, past[is_known], contract[is_known], past_rate[is_known], rates, settings, len(now))
    today = rates.of(at.get_indexer(pd.MultiIndex.from_frame(now[["month", "site_id"]])))
    stress = _stress(now, contracts, today, rates.of(worst), settings)
    found = {"month": this_month.as_unit("us"), "contract_id": now["contract_id"].to_numpy()} | history | stress
    return pd.DataFrame(found, index=now.index)[schemas.CONTRACT_RISK.columns]


def _contracts(now: pd.DataFrame) -> _Contracts:
    price = np.zeros(len(now), dtype=object)
    metered = (now["pricing_model"] == "metered").to_numpy()
    price[metered] = whole(now["pue_uplift"][metered], _PLACES) * whole(now["energy_rate"][metered], _PLACES) * 100
    revenue = (now["revenue_rack_cents"] + now["revenue_power_cents"]).astype(object).to_numpy()
    return _Contracts(revenue, whole(now["used_kwh"], _PLACES), whole(now["reserved_kw_days"], _PLACES), price)


def _rates(priced: pd.DataFrame) -> _Rates:
    """Return the rate of each site and month; there is one only where kWh were metered, and these are positive."""
    cents = priced["billed_cents"].astype(object).to_numpy() * _UNIT
    return _Rates(cents, whole(priced["metered_kwh"], _PLACES), np.ones(len(priced), dtype=bool))


def _history(
    contracts: _Contracts,
    past: pd.DataFrame,
    contract: "np.ndarray[Any, Any]",
    rate: "np.ndarray[Any, Any]",
    rates: _Rates,
    settings: ColocationSettings,
    count: int,
) -> tuple[dict[str, Any], "np.ndarray[Any, Any]"]:
    """Return per contract the months replayed and their distribution, and the place of the worst rate (−1 for no history).

    What a contract drew per kW reserved in a month of its past, it would draw per kW that it has reserved now.
    """
    terms = contracts.of(contract)
    replayed = whole(past["used_kwh"], _PLACES) * terms.kw_days
    margins = terms.margin(replayed, whole(past["reserved_kw_days"], _PLACES) * _UNIT, rates.of(rate))
    order = np.lexsort((margins, contract))
    lengths = np.bincount(contract, minlength=count)
    # Rates are few: they are ordered exactly, once, and their order is what the months compare.
    exact = [Fraction(cents, parts) for cents, parts in zip(rates.cents.tolist(), rates.parts.tolist(), strict=True)]
    ascending = sorted(range(len(exact)), key=exact.__getitem__)
    rank = np.empty(len(ascending), dtype=np.int64)
    rank[ascending] = np.arange(len(ascending))
    worst = np.full(count, -1, dtype=np.int64)
    np.maximum.at(worst, contract, rank[rate])
    places = np.array([*ascending, -1], dtype=np.int64)
    columns = _distribution(margins[order], lengths, settings)
    return {"risk_months": lengths.astype("int64"), **columns}, places[worst]


def _distribution(margins: Whole, lengths: "np.ndarray[Any, Any]", settings: ColocationSettings) -> dict[str, "pd.Series[int]"]:
    """Return mean, percentile, margin at risk, worst and risk-weighted margin in cents; null below the least history.

    ``margins`` are those of each contract in ascending order, one contract after the other; ``lengths`` how many each has.
    """
    enough = lengths >= settings.risk_min_months
    if not enough.any():
        return {name: _nullable(np.zeros(0, dtype=object), enough) for name in DISTRIBUTION}
    begins, some = np.cumsum(lengths) - lengths, lengths > 0
    sums = np.add.reduceat(margins, begins[some])[enough[some]]
    starts, counts = begins[enough], lengths[enough]
    # Money that is shown is what the next line rests on: whoever checks by hand gets the same cents.
    mean = rounded(sums, counts.astype(object))
    percentile_of = {each: int(settings.risk_percentile * (each - 1)) for each in set(counts.tolist())}
    percentile = margins[starts + np.array([percentile_of[each] for each in counts.tolist()])]
    at_risk = mean - percentile
    aversion, parts = settings.risk_aversion.as_integer_ratio()
    weighted = rounded(mean * parts - at_risk * aversion, parts)
    figures = (mean, percentile, at_risk, margins[starts], weighted)
    return {name: _nullable(values, enough) for name, values in zip(DISTRIBUTION, figures, strict=True)}


def _stress(
    now: pd.DataFrame, contracts: _Contracts, today: _Rates, worst: _Rates, settings: ColocationSettings
) -> dict[str, Any]:
    """Return the rate and the use at which nothing is left, and the margin if energy or use were as bad as they get."""
    factor, factor_parts = settings.stress_price_factor.as_integer_ratio()
    full, full_parts = settings.stress_full_utilization.as_integer_ratio()
    dearer = _Rates(today.cents * factor, today.parts * factor_parts, today.known)
    at_full_load = contracts.kw_days * _HOURS
    recurring = now["revenue_cents"] - now["revenue_one_time_cents"]
    # Cost at full load in cents is kw_days × 24 × rate; what is fixed pays for this share of it.
    even = ratio(_column(contracts.revenue * today.parts * _UNIT, now), _column(at_full_load * today.cents, now))
    even[~today.known | (now["pricing_model"] == "metered").to_numpy()] = None
    return {
        "breakeven_rate": ratio(recurring, now["used_kwh"]),
        "breakeven_utilization": even,
        "stress_price_cents": _where(contracts.margin(contracts.kwh, _UNIT, dearer), today.known),
        "stress_worst_rate_cents": _where(contracts.margin(contracts.kwh, _UNIT, worst), worst.known),
        "stress_full_cents": _where(contracts.margin(at_full_load * full, _UNIT * full_parts, today), today.known),
    }


def _column(values: Whole, like: pd.DataFrame) -> "pd.Series[Any]":
    return pd.Series(values, index=like.index, dtype=object)


def _where(values: Whole, known: "np.ndarray[Any, Any]") -> "pd.Series[int]":
    return _nullable(values[known], known)


def _nullable(values: Whole, known: "np.ndarray[Any, Any]") -> "pd.Series[int]":
    """Return cents where they are known, and null elsewhere."""
    cents = np.zeros(len(known), dtype="int64")
    cents[known] = values.astype("int64")
    return pd.Series(pd.arrays.IntegerArray(cents, ~known))


RULES = (
    Rule(
        schemas.CONTRACT_RISK,
        contract_risk,
        (
            # Two years of contracts are read: to make decimals of columns that nobody looks at would be most of the work.
            window(
                "mart",
                "contract_month",
                months_before=MOST_HISTORY_MONTHS - 1,
                columns=(
                    "month",
                    "contract_id",
                    "site_id",
                    "used_kwh",
                    "reserved_kw_days",
                    "power_utilization",
                    "revenue_rack_cents",
                    "revenue_power_cents",
                    "revenue_one_time_cents",
                    "revenue_cents",
                ),
            ),
            window("mart", "site_month", months_before=MOST_HISTORY_MONTHS - 1),
            same_month(
                "curated",
                "contract_terms",
                columns=("contract_id", "segment_to", "pricing_model", "pue_uplift", "energy_rate"),
            ),
        ),
        (
            "risk_history_months",
            "risk_min_months",
            "risk_percentile",
            "risk_aversion",
            "stress_price_factor",
            "stress_full_utilization",
        ),
    ),
)
