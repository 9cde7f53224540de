"""What is said of a stream's reconciliations in figures: totals, causes, what is explained, the way from one side to the other.

Belongs here: small frames made from the published tables of any stream's reconciliations. Does not belong here: the listings,
tiles and charts that show them (``reconciling``), which reconciliations there are (each stream's ``recon``).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.close.causes.labels import UNEXPLAINED
from revenue_integrity.exact import added, divide
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CENTS, CURRENT, Reconciliation, Reconciliations
from revenue_integrity.model.report import Format, Published
from revenue_integrity.wording import Currency

MEASURED = ("left", "right", "signed", "gross")
"""Amounts of a reconciliation in total."""


def unit_format(unit: str, currency: Currency) -> Format:
    """Return how amounts of a row's unit are written: whole cents, units of the currency, or plain numbers."""
    if unit == CENTS:
        return "cents"
    return "cost" if unit == currency.code.lower() else "decimal"


def shown_view(recon: Reconciliation, published: Published, recons: Reconciliations) -> str:
    """Return the view by which people judge a reconciliation: that of the cutoff, where it has one."""
    results = published.table(recons.results.name)
    if results is None or AS_OF_CLOSE not in recon.views:
        return CURRENT
    mine = results[(results["recon"] == recon.name) & (results["view"] == AS_OF_CLOSE)]
    return CURRENT if mine.empty else AS_OF_CLOSE


def totals(published: Published, recons: Reconciliations) -> pd.DataFrame | None:
    """Return each reconciliation and view in total, in the order of their declaration.

    What is published in total counts; a stream need not list the rows that agree.
    """
    summary, results = published.table(recons.summary.name), published.table(recons.results.name)
    if summary is None and results is None:
        return None
    order = {each.name: at for at, each in enumerate(recons)}
    rows = _published_totals(summary) if summary is not None and "rows" in summary else _added_totals(results)
    found = pd.DataFrame(rows, columns=["recon", "view", "unit", "rows", "matched", "within_tolerance", "breaches", *MEASURED])
    found = found.assign(
        place=found["recon"].map(lambda name: order.get(name, len(order))),
        format=found["unit"].map(lambda unit: unit_format(unit, published.currency)),
        shown_unit=found["unit"].map(lambda unit: _unit_words(unit, published.currency)),
        tone=found["breaches"].map(lambda count: "bad" if count else ""),
    )
    return found.sort_values(["place", "recon", "view"], kind="stable", ignore_index=True).astype(object)


def _unit_words(unit: str, currency: Currency) -> str:
    return currency.symbol if unit_format(unit, currency) != "decimal" else unit


def _published_totals(summary: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = ["recon", "view", "unit", "rows", "matched", "within_tolerance", "breaches"]
    amounts = ["left_total", "right_total", "variance_signed", "variance_gross"]
    return list(summary[[*columns, *amounts]].astype(object).itertuples(index=False, name=None))


def _added_totals(results: pd.DataFrame | None) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    if results is None:
        return found
    for (recon, view, unit), rows in results.groupby(["recon", "view", "unit"], sort=True):
        suffix = "cents" if unit == CENTS else "value"
        left, right, variance = (
            rows[f"{side}_{suffix}"].dropna().astype(object).tolist() for side in ("left", "right", "variance")
        )
        status = rows["status"].value_counts()
        counts = (int(status.get(name, 0)) for name in ("matched", "within_tolerance", "breach"))
        amounts = (added(left), added(right), added(variance), added(abs(each) for each in variance))
        found.append((recon, view, unit, len(rows), *counts, *amounts))
    return found


@cache
def totals_of(recons: Reconciliations) -> Callable[[Published], pd.DataFrame | None]:
    """Return what gives a stream's reconciliations in total: one function for each, so that a month adds them up once."""
    return lambda published: totals(published, recons)


@cache
def causes_of(recons: Reconciliations) -> Callable[[Published], pd.DataFrame | None]:
    """Return what gives the causes of a stream's reconciliations in total, as ``totals_of`` does."""
    return lambda published: cause_totals(published, recons)


def total_of(published: Published, recons: Reconciliations, name: str, view: str = "") -> Mapping[str, Any] | None:
    """Return a reconciliation in total (by default in the view that people judge it by); ``None`` where it is absent."""
    frame = published.rows(totals_of(recons))
    if frame is None:
        return None
    chosen = view or shown_view(recons.named(name), published, recons)
    rows = frame[(frame["recon"] == name) & (frame["view"] == chosen)]
    return None if rows.empty else dict(rows.iloc[0])


def cause_totals(published: Published, recons: Reconciliations) -> pd.DataFrame | None:
    """Return cents per cause of each reconciliation in both views, in order of precedence, each group with its sum."""
    causes = None if recons.causes is None else published.table(recons.causes.name)
    if causes is None:
        return None
    rows: list[dict[str, Any]] = []
    for recon in recons.explained:
        mine = causes[causes["recon"] == recon.name]
        families = {} if recon.causes is None else recon.causes.families
        order = {cause: at for at, cause in enumerate([*families, UNEXPLAINED])}
        of_recon: list[dict[str, Any]] = []
        for cause, found in mine.groupby("cause", sort=True):
            cents = {view: int(added(found.loc[found["view"] == view, "cause_cents"].tolist())) for view in recon.views}
            of_recon.append(
                {
                    "recon": recon.name,
                    "group": wording.words(recon.name),
                    "cause": str(cause),
                    "family": families.get(str(cause), ""),
                    "rows": len(found),
                    "at_close": cents.get(AS_OF_CLOSE, 0),
                    "current": cents.get(CURRENT, 0),
                    "is_sum": False,
                }
            )
        of_recon.sort(key=lambda row: (order.get(row["cause"], len(order)), row["cause"]))
        if of_recon:
            sums = {name: sum(row[name] for row in of_recon) for name in ("at_close", "current")}
            said = {"recon": recon.name, "group": wording.words(recon.name), "cause": "variance explained by these"}
            rows += [*of_recon, {**said, "family": "", "rows": None, **sums, "is_sum": True}]
    columns = ["recon", "group", "cause", "family", "rows", "at_close", "current", "is_sum"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def explained(published: Published, recons: Reconciliations, name: str) -> tuple[Any, int]:
    """Return the share of a reconciliation's absolute cause cents that a rule explains, and what is left, gross.

    Where nothing varies, all is explained.
    """
    causes = None if recons.causes is None else published.table(recons.causes.name)
    if causes is None:
        return None, 0
    view = shown_view(recons.named(name), published, recons)
    mine = causes[(causes["recon"] == name) & (causes["view"] == view)]
    cents = mine["cause_cents"].abs()
    gross, left = int(added(cents.tolist())), int(added(cents[mine["cause"] == UNEXPLAINED].tolist()))
    return (divide(gross - left, gross, 6) if gross else Decimal(1)), left


def steps(published: Published, recons: Reconciliations, name: str) -> pd.DataFrame | None:
    """Return the way from the right side of a reconciliation to the left, a step per cause."""
    total, causes = total_of(published, recons, name), published.rows(causes_of(recons))
    if total is None or causes is None:
        return None
    recon = recons.named(name)
    column = "at_close" if total["view"] == AS_OF_CLOSE else "current"
    mine = causes[(causes["recon"] == name) & ~causes["is_sum"].astype(bool) & causes[column].astype(bool)]
    between = [(wording.words(cause), cents, False) for cause, cents in zip(mine["cause"], mine[column], strict=True)]
    ends = ((recon.right, int(total["right"]), True), (recon.left, int(total["left"]), True))
    return pd.DataFrame([ends[0], *between, ends[1]], columns=["step", "amount_cents", "is_sum"], dtype=object)
