"""Rules of margin risk: the contract's own history replayed on this month's terms, and stress.

Belongs here: ``contract_risk``. Does not belong here: the margin itself (``mart``).
Percentile, worst month and stress are shown together: a percentile alone hides the tail.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from revenue_integrity import months
from revenue_integrity.exact import divide, named_rows
from revenue_integrity.settings import MOST_HISTORY_MONTHS, Settings
from revenue_integrity.streams.colocation import schemas
from revenue_integrity.streams.rules import Rule, same_month, window

_HOURS = 24


Ratio = tuple[int, int]
"""An exact quotient, numerator and positive denominator, not reduced: ``Fraction`` would reduce at each of millions of steps."""


def _rounded(numerator: int, denominator: int) -> int:
    """Round a quotient with a positive denominator to a whole number, half away from zero."""
    whole = (abs(numerator) * 2 + denominator) // (denominator * 2)
    return whole if numerator >= 0 else -whole


def _product(one: Ratio, other: Ratio) -> Ratio:
    return one[0] * other[0], one[1] * other[1]


def _nullable(values: Sequence[int | None]) -> "pd.Series[int]":
    return pd.Series(list(values), dtype="Int64")


class _Contract:
    """Terms and figures of one contract in the month, as exact quotients of cents and kWh."""

    def __init__(self, row: Any) -> None:
        self.revenue = int(row.revenue_rack_cents) + int(row.revenue_power_cents)
        self.kwh: Ratio = row.used_kwh.as_integer_ratio()
        self.kw_days: Ratio = row.reserved_kw_days.as_integer_ratio()
        self.is_metered = row.pricing_model == "metered"
        # Cents per metered kWh that the customer pays.
        self.price = (
            _product(_product(row.pue_uplift.as_integer_ratio(), row.energy_rate.as_integer_ratio()), (100, 1))
            if self.is_metered
            else (0, 1)
        )

    def margin(self, kwh: Ratio, rate: Ratio) -> int:
        """Rack, power and metered energy revenue less the cost of the energy, in cents, rounded once."""
        denominator = kwh[1] * self.price[1] * rate[1]
        return _rounded(self.revenue * denominator + kwh[0] * (self.price[0] * rate[1] - rate[0] * self.price[1]), denominator)


def contract_risk(
    month: date,
    settings: Settings,
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
    rates = site_month[site_month["effective_rate"].notna()]
    # Exact cents per metered kWh, by month and site.
    rate_of = {(row.month, row.site_id): _rate_of(row) for row in named_rows(rates)}
    columns = ["month", "contract_id", "site_id", "used_kwh", "reserved_kw_days"]
    known: dict[str, list[_Past]] = defaultdict(list)
    for row in named_rows(contract_month.loc[contract_month["power_utilization"].notna(), columns]):
        rate = rate_of.get((row.month, row.site_id))
        if rate is not None:
            known[row.contract_id].append(_Past(row.used_kwh.as_integer_ratio(), row.reserved_kw_days.as_integer_ratio(), rate))
    rows = [
        _risk_of(row, known.get(row.contract_id, []), rate_of.get((this_month, row.site_id)), settings) for row in named_rows(now)
    ]
    found = pd.DataFrame(rows, columns=[name for name in schemas.CONTRACT_RISK.columns if name not in ("month", "contract_id")])
    for name in found.columns:
        if name.endswith("_cents"):
            found[name] = _nullable(found[name].tolist())
        elif name == "risk_months":
            found[name] = found[name].astype("int64")
        else:
            found[name] = np.array([*found[name].tolist(), None], dtype=object)[:-1]
    found.insert(0, "contract_id", now["contract_id"].to_numpy())
    found.insert(0, "month", this_month.as_unit("us"))
    return found[schemas.CONTRACT_RISK.columns]


class _Past(NamedTuple):
    """A month of a contract's history: what it drew, what it had reserved, what energy cost (cents per kWh)."""

    kwh: Ratio
    kw_days: Ratio
    rate: Ratio


def _rate_of(row: Any) -> Ratio:
    """Return a site's exact cents per metered kWh; there is a rate only where kWh were metered, and these are positive."""
    kwh, parts = row.metered_kwh.as_integer_ratio()
    return int(row.billed_cents) * parts, kwh


def _risk_of(row: Any, history: Sequence[_Past], rate: Ratio | None, settings: Settings) -> dict[str, int | Decimal | None]:
    contract = _Contract(row)
    kw_days = contract.kw_days
    margins: list[int] = []
    worst_rate: Ratio | None = None
    for past in history:
        replayed = _product(past.kwh, (kw_days[0] * past.kw_days[1], kw_days[1] * past.kw_days[0]))
        margins.append(contract.margin(replayed, past.rate))
        if worst_rate is None or past.rate[0] * worst_rate[1] > worst_rate[0] * past.rate[1]:
            worst_rate = past.rate
    return {
        "risk_months": len(margins),
        **_distribution(sorted(margins), settings),
        "breakeven_rate": divide(int(row.revenue_cents) - int(row.revenue_one_time_cents), row.used_kwh, 6),
        "breakeven_utilization": None if contract.is_metered or not rate else _breakeven_utilization(contract, rate),
        "stress_price_cents": None
        if rate is None
        else contract.margin(contract.kwh, _product(rate, settings.stress_price_factor.as_integer_ratio())),
        "stress_worst_rate_cents": None if worst_rate is None else contract.margin(contract.kwh, worst_rate),
        "stress_full_cents": None if rate is None else contract.margin(_full_load(contract, settings), rate),
    }


def _full_load(contract: _Contract, settings: Settings) -> Ratio:
    return _product(_product(settings.stress_full_utilization.as_integer_ratio(), contract.kw_days), (_HOURS, 1))


def _breakeven_utilization(contract: _Contract, rate: Ratio) -> Decimal | None:
    cost_at_full_load = _product(_product(contract.kw_days, (_HOURS, 1)), rate)
    return divide(contract.revenue * cost_at_full_load[1], cost_at_full_load[0], 6)


def _distribution(margins: list[int], settings: Settings) -> dict[str, int | None]:
    """Return mean, percentile, margin at risk, worst and risk-weighted margin in cents; null below the least history."""
    count = len(margins)
    if count < settings.risk_min_months:
        return dict.fromkeys(
            [
                "expected_margin_cents",
                "margin_p5_cents",
                "margin_at_risk_cents",
                "margin_worst_cents",
                "risk_weighted_margin_cents",
            ]
        )
    # Money that is shown is what the next line rests on: whoever checks by hand gets the same cents.
    mean = _rounded(sum(margins), count)
    percentile = margins[int(settings.risk_percentile * (count - 1))]
    at_risk = mean - percentile
    aversion, parts = settings.risk_aversion.as_integer_ratio()
    return {
        "expected_margin_cents": mean,
        "margin_p5_cents": percentile,
        "margin_at_risk_cents": at_risk,
        "margin_worst_cents": margins[0],
        "risk_weighted_margin_cents": _rounded(mean * parts - aversion * at_risk, parts),
    }


RULES = (
    Rule(
        schemas.CONTRACT_RISK,
        contract_risk,
        (
            window("mart", "contract_month", months_before=MOST_HISTORY_MONTHS - 1),
            window("mart", "site_month", months_before=MOST_HISTORY_MONTHS - 1),
            same_month("curated", "contract_terms"),
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
