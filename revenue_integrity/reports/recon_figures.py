"""What is said of a stream's reconciliations in figures: totals, causes, what is explained, the way from one side to the other.

Belongs here: small frames made from the published tables of any stream's reconciliations. Does not belong here: the listings,
tiles and charts that show them (``reconciling``), which reconciliations there are (each stream's ``recon``).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.close.causes.labels import UNEXPLAINED
from revenue_integrity.exact import added, divide
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CENTS, CURRENT, Reconciliation, Reconciliations
from revenue_integrity.model.report import Format, Published, share_of
from revenue_integrity.wording import Currency

COUNT = "count"
"""The unit of reconciliations that compare how many there are."""

MEASURED = ("left", "right", "signed", "gross")
"""Amounts of a reconciliation in total."""


def unit_format(unit: str, currency: Currency) -> Format:
    """Return how amounts of a row's unit are written: whole cents, units of the currency, or plain numbers."""
    if unit == CENTS:
        return "cents"
    return "cost" if unit == currency.code.lower() else "decimal"


def written_format(unit: str, currency: Currency) -> Format:
    """Return how an amount is written in a column that holds several units: what is counted has no places."""
    return "integer" if unit == COUNT else unit_format(unit, currency)


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
    found = in_shown_units(found, published.currency, MEASURED)
    found = found.assign(
        place=found["recon"].map(lambda name: order.get(name, len(order))),
        format=found["unit"].map(lambda unit: written_format(unit, published.currency)),
        variance_share=_shares(found["signed"], found["right"]),
        tolerance=found["recon"].map({each.name: tolerance_words(each, published) for each in recons}),
        materiality_cents=pd.Series(
            [published.materiality.get(name) for name in found["recon"]], index=found.index, dtype=object
        ),
        tone=found["breaches"].map(lambda count: "bad" if count else ""),
    )
    return found.sort_values(["place", "recon", "view"], kind="stable", ignore_index=True).astype(object)


def _shares(parts: Iterable[Any], wholes: Iterable[Any]) -> "pd.Series[Any]":
    shares = [share_of(part, whole) if whole else None for part, whole in zip(parts, wholes, strict=True)]
    return pd.Series(shares, dtype=object)


def tolerance_words(recon: Reconciliation, published: Published) -> str:
    """Return what nobody must act on, as words: ``$1.00 or 1.0 %``; ``none`` where every difference counts."""
    amount, share = (published.settings.get(name) for name in (recon.tolerance.amount, recon.tolerance.share))
    found = []
    if amount is not None:
        money = published.currency
        found.append(money.amount(amount) if recon.unit == CENTS else wording.exact(amount))
    if share is not None:
        found.append(wording.percent(share))
    return " or ".join(found) if found else wording.MISSING if recon.tolerance.settings else "none"


def in_shown_units(frame: pd.DataFrame, currency: Currency, amounts: Sequence[str]) -> pd.DataFrame:
    """Return rows with the unit in which people read them and their amounts in it (``wh`` in kWh).

    ``shown_unit`` names it, ``many`` says how many of the rows' own make one.
    """
    shown = [wording.unit(str(unit), currency) for unit in frame["unit"]]
    frame = frame.assign(
        shown_unit=pd.Series([name for name, _ in shown], index=frame.index, dtype=object),
        many=pd.Series([many for _, many in shown], index=frame.index, dtype=object),
    )
    if all(many == 1 for _, many in shown):
        return frame
    for name in amounts:
        values = frame[name].astype(object).tolist()
        scaled = [
            value if many == 1 or wording.is_missing(value) else Decimal(value) / many
            for value, (_, many) in zip(values, shown, strict=True)
        ]
        frame = frame.assign(**{name: pd.Series(scaled, index=frame.index, dtype=object)})
    return frame


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


_BY_VIEW = ("rows_at_close", "at_close", "rows_current", "current")
"""Of a cause, in each view: how many rows of causes, and their cents."""


def cause_totals(published: Published, recons: Reconciliations) -> pd.DataFrame | None:
    """Return rows and cents per cause of each reconciliation, view by view, in order of precedence, each group with its sum."""
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
            by_view = {view: found.loc[found["view"] == view, "cause_cents"].tolist() for view in (AS_OF_CLOSE, CURRENT)}
            of_recon.append(
                {
                    "recon": recon.name,
                    "group": wording.words(recon.name),
                    "cause": str(cause),
                    "family": families.get(str(cause), ""),
                    "rows_at_close": len(by_view[AS_OF_CLOSE]),
                    "at_close": int(added(by_view[AS_OF_CLOSE])),
                    "rows_current": len(by_view[CURRENT]),
                    "current": int(added(by_view[CURRENT])),
                    "is_sum": False,
                }
            )
        of_recon.sort(key=lambda row: (order.get(row["cause"], len(order)), row["cause"]))
        if of_recon:
            sums = {name: sum(row[name] for row in of_recon) for name in _BY_VIEW}
            said = {"recon": recon.name, "group": wording.words(recon.name), "cause": "variance explained by these"}
            rows += [*of_recon, {**said, "family": "", **sums, "is_sum": True}]
    columns = ["recon", "group", "cause", "family", *_BY_VIEW, "is_sum"]
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


def gross_steps(published: Published, recons: Reconciliations, name: str) -> pd.DataFrame | None:
    """Return how the gross variances of a reconciliation lead to each other, and to what is held against materiality.

    From the variance as of close over late postings to the present one, less what is within tolerance, to what is in breach;
    where variances are explained, on to the causes that a check holds against materiality: also those of rows that were in
    breach only as of close, and each cause for itself, though two of one row may offset each other. Signed and gross, with the
    rows behind each step; in gross amounts two errors that cancel each other do not look like none.
    """
    results, recon = published.table(recons.results.name), recons.named(name)
    if results is None:
        return None
    mine = results[results["recon"] == name]
    if mine.empty:
        return None
    column = "variance_cents" if recon.unit == CENTS else "variance_value"
    views = {
        view: {_key(row, recons): (row[column], str(row["status"])) for row in _records(mine[mine["view"] == view])}
        for view in recon.views
    }
    at_close, now = views.get(AS_OF_CLOSE, {}), views.get(CURRENT) or views[AS_OF_CLOSE]
    made = _Steps()
    if CURRENT in recon.views and AS_OF_CLOSE in recon.views:
        made.total("Variance as of close", [amount for amount, _ in at_close.values()])
        moved = {key: (at_close.get(key, (0, ""))[0], amount) for key, (amount, _) in now.items()}
        late = [(before, after) for before, after in moved.values() if before != after]
        signed, gross = added(after - before for before, after in late), added(abs(after) - abs(before) for before, after in late)
        made.step("Late postings", len(late), signed, gross)
    made.total(
        "Variance of all postings" if CURRENT in recon.views else "Variance as of close", [amount for amount, _ in now.values()]
    )
    bearable = [amount for amount, status in now.values() if status == "within_tolerance"]
    made.step("Within tolerance", len(bearable), -added(bearable), -added(abs(each) for each in bearable))
    breaches = {key for key, (_, status) in now.items() if status == "breach"}
    made.total("In breach", [now[key][0] for key in breaches])
    if recon.causes is not None and recons.causes is not None and published.table(recons.causes.name) is not None:
        held = {key for key, (_, status) in at_close.items() if status == "breach"} | breaches
        _to_materiality(made, published, recons, name, {key: now[key][0] for key in held if key in now}, breaches)
    return made.frame(whole=recon.unit == CENTS)


def _to_materiality(
    made: "_Steps",
    published: Published,
    recons: Reconciliations,
    name: str,
    held: Mapping[tuple[Any, ...], Any],
    breaches: Collection[tuple[Any, ...]],
) -> None:
    """Add the steps from rows in breach to their causes, and to materiality where a check has said what that is."""
    assert recons.causes is not None
    causes = published.table(recons.causes.name)
    assert causes is not None
    earlier = [amount for key, amount in held.items() if key not in breaches]
    made.step("In breach only as of close", len(earlier), added(earlier), added(abs(each) for each in earlier))
    of_row: dict[tuple[Any, ...], list[int]] = {}
    for row in _records(causes[(causes["recon"] == name) & (causes["view"] == CURRENT)]):
        key = _key(row, recons)
        if key in held:
            of_row.setdefault(key, []).append(row["cause_cents"])
    offset = [added(abs(each) for each in cents) - abs(added(cents)) for cents in of_row.values()]
    made.step("Offset within a row", sum(each != 0 for each in offset), 0, added(offset))
    made.total("Held against materiality", [cents for row in of_row.values() for cents in row])
    limit = published.materiality.get(name)
    if limit is not None:
        made.against(limit)


class _Steps:
    """Steps of a bridge under construction: what, rows behind it, signed and gross amounts, whether it is a sum."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, int | None, Any, Any, bool]] = []

    def total(self, words: str, amounts: Sequence[Any]) -> None:
        """Add a sum of amounts; those of 0 are no rows behind it."""
        there = [amount for amount in amounts if amount]
        self._rows.append((words, len(there), added(there), added(abs(each) for each in there), True))

    def step(self, words: str, rows: int, signed: Any, gross: Any) -> None:
        """Add a step; it stands there also where it is 0, so that months compare."""
        self._rows.append((words, rows, signed, gross, False))

    def against(self, limit: int) -> None:
        """Add materiality, and what is above it or left below it."""
        gross = self._rows[-1][3]
        self._rows.append(("Materiality", None, None, -limit, False))
        self._rows.append(
            ("Above materiality" if gross > limit else "Room left below materiality", None, None, gross - limit, True)
        )

    def frame(self, *, whole: bool) -> pd.DataFrame:
        """Return the steps; ``whole`` amounts are cents."""
        rows = [
            (words, rows, *(int(each) if whole and each is not None else each for each in amounts), is_sum)
            for words, rows, *amounts, is_sum in self._rows
        ]
        return pd.DataFrame(rows, columns=["step", "rows", "signed", "gross", "is_sum"], dtype=object)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): None if wording.is_missing(value) else value for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def _key(row: Mapping[str, Any], recons: Reconciliations) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in recons.grain)
