"""Who earns and whose usage eats the margin, as small frames: contracts, racks, sites and customers, for ``report``.

Belongs here: contracted against used power and racks, contracts and racks by margin, what usage did to it. Does not belong here:
the other rows of the stream's pages (``report_rows``), how they are laid out (``report``).
"""

from collections.abc import Callable
from decimal import Decimal

import pandas as pd

from revenue_integrity import months
from revenue_integrity.exact import added, divide
from revenue_integrity.model.report import Published, total
from revenue_integrity.reports.reconciling import with_names
from revenue_integrity.streams.colocation.report_rows import NAMES, SITE_NAMES

NAMED = (*NAMES, *SITE_NAMES)
"""Where ids of customers and sites have names."""

TOOK = "usage took the margin"
OTHERS = "other contracts"

_HOURS = 24
_TOLD = 5
"""Contracts that the sentence names."""


def contracts(published: Published) -> pd.DataFrame | None:
    """Return the contracts of the month with the names of customers and sites, the largest margin first."""
    frame = published.table("contract_month")
    if frame is None:
        return None
    rows = _shown(with_names(published, frame, NAMED))
    return rows.sort_values(["margin_cents", "contract_id"], ascending=[False, True], kind="stable", ignore_index=True)


def racks(published: Published) -> pd.DataFrame | None:
    """Return the racks of the month with the customers of their contracts, the largest margin first."""
    frame, known = published.table("rack_month"), published.table("contract_month")
    if frame is None:
        return None
    owners = {} if known is None else dict(zip(known["contract_id"], known["customer_id"], strict=True))
    rows = _shown(with_names(published, frame.assign(customer_id=frame["contract_id"].map(owners)), NAMED))
    shares = [
        divide(int(margin), abs(int(revenue)), 6) if revenue else None
        for margin, revenue in zip(rows["margin_cents"], rows["revenue_cents"], strict=True)
    ]
    rows = rows.assign(margin_pct=pd.Series(shares, index=rows.index, dtype=object))
    order = ["margin_cents", "contract_id", "rack_id"]
    return rows.sort_values(order, ascending=[False, True, True], kind="stable", ignore_index=True)


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with what people call their customer and site: the name, or else the id."""
    said = {
        shown: rows[name].where(rows[name].notna(), rows[key]) if name in rows else rows[key]
        for shown, key, name in (("customer", "customer_id", "customer_name"), ("site", "site_id", "site_name"))
        if key in rows
    }
    return rows.assign(**said)


def usage_by(shown: str) -> Callable[[Published], pd.DataFrame | None]:
    """Return what gives, per ``site`` or ``customer``, contracted against used power and racks, as means over the month.

    Means over the whole month add up over contracts that began or ended inside it; those of ``contract_month`` are over days in
    force.
    """
    return _BY[shown]


def _usage(published: Published, shown: str) -> pd.DataFrame | None:
    frame = published.rows(contracts)
    if frame is None or "reserved_kw_days" not in frame:
        return None
    days = months.days_in(published.month)
    found = []
    for name, rows in frame.groupby(shown, sort=True, dropna=False):
        reserved, used = total(rows, "reserved_kw_days"), total(rows, "used_kwh")
        held, contracted = _rack_days(rows), total(rows, "rack_days")
        found.append(
            {
                shown: name,
                "contracts": len(rows),
                "contracted_kw": divide(reserved, days, 3),
                "used_kw": divide(used, _HOURS * days, 3),
                "power_utilization": divide(used, reserved * _HOURS, 6),
                "contracted_racks": divide(contracted, days, 2),
                "assigned_racks": divide(held, days, 2),
                "rack_utilization": divide(held, contracted, 6),
                "margin_cents": int(total(rows, "margin_cents")),
            }
        )
    return pd.DataFrame(found, dtype=object).sort_values(["contracted_kw", shown], ascending=[False, True], kind="stable")


def _rack_days(rows: pd.DataFrame) -> Decimal:
    """Return racks assigned, added up over days: the means over days in force times these days, which are whole."""
    days = zip(rows["assigned_racks"].astype(object), rows["active_days"].astype(object), strict=True)
    return Decimal(round(added(Decimal(racks) * int(active) for racks, active in days)))


def _by_site(published: Published) -> pd.DataFrame | None:
    return _usage(published, "site")


def _by_customer(published: Published) -> pd.DataFrame | None:
    return _usage(published, "customer")


_BY: dict[str, Callable[[Published], pd.DataFrame | None]] = {"site": _by_site, "customer": _by_customer}


def usage_effects(published: Published) -> pd.DataFrame | None:
    """Return what usage and the price of power did to each contract's margin, beside its volatility and load factor.

    Usage, not price, took the margin where the margin fell, usage lowered it, and the price of power did not lower it more.
    """
    bridge, known = published.table("margin_bridge"), published.rows(contracts)
    if bridge is None or known is None or bridge.empty or "usage_cv" not in known:
        return None
    looks = known.set_index("contract_id")[["usage_cv", "load_factor"]]
    rows = _shown(with_names(published, bridge, NAMED)).join(looks, on="contract_id")
    fell = rows["closing_margin_cents"] < rows["opening_margin_cents"]
    usage, rate = rows["usage_effect_cents"], rows["rate_effect_cents"]
    took = fell & (usage < 0) & (usage <= rate)
    rows = rows.assign(
        took=took,
        is_rest=~took,
        series=[TOOK if each else OTHERS for each in took],
        change_cents=rows["closing_margin_cents"] - rows["opening_margin_cents"],
    )
    return rows.sort_values(["usage_effect_cents", "contract_id"], kind="stable", ignore_index=True)


def eaten(published: Published) -> pd.DataFrame | None:
    """Return the contracts whose usage, not price, took the margin, the largest effect first."""
    frame = published.rows(usage_effects)
    return None if frame is None else frame[frame["took"].astype(bool)]


def scattered(published: Published) -> pd.DataFrame | None:
    """Return contracts with service in the month, those whose usage took the margin last, so that they are drawn on top."""
    frame = published.rows(usage_effects)
    if frame is None:
        return None
    there = frame[frame["usage_cv"].notna() & frame["load_factor"].notna()]
    return there.sort_values(["took", "contract_id"], kind="stable", ignore_index=True)


def usage_words(published: Published) -> str:
    """Return a sentence that names the contracts whose usage, not price, took the margin; the table says where there is none."""
    frame = published.rows(eaten)
    if frame is None or frame.empty:
        return ""
    money = published.currency
    named = [
        f"{customer} ({contract}) {money.amount(int(cents))}"
        for customer, contract, cents in frame[["customer", "contract_id", "usage_effect_cents"]]
        .head(_TOLD)
        .itertuples(index=False, name=None)
    ]
    more = f"; and {len(frame) - _TOLD:,} more" if len(frame) > _TOLD else ""
    words = "contract" if len(frame) == 1 else "contracts"
    lost = money.amount(int(total(frame, "usage_effect_cents")))
    return f"Usage, not price, took the margin of {len(frame):,} {words}, {lost} in all: {'; '.join(named)}{more}."


def best(published: Published) -> pd.DataFrame | None:
    """Return the contracts that earn, the largest margin first."""
    return _earning(published.rows(contracts))


def worst(published: Published) -> pd.DataFrame | None:
    """Return contracts with the smallest margin first: those that lose, then those that earn least."""
    frame = published.rows(contracts)
    return None if frame is None else frame.iloc[::-1]


def best_racks(published: Published) -> pd.DataFrame | None:
    """Return the racks that earn, the largest margin first."""
    return _earning(published.rows(racks))


def worst_racks(published: Published) -> pd.DataFrame | None:
    """Return racks with the smallest margin first."""
    frame = published.rows(racks)
    return None if frame is None else frame.iloc[::-1]


def _earning(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    return None if frame is None else frame[frame["margin_cents"] > 0]
