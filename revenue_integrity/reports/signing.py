"""The first view of a pack, *Can this be signed?*: every check that a signature needs, what does not tie, and why.

Belongs here: what a signer asks first, walked over the declarations of whatever streams a book has. Does not belong here: the
reconciliations one by one, restatement and trail (``controls``), what one stream shows (its ``report``), how it looks
(``sections``).
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.model.check import STANDING, Check, Gate, Limit
from revenue_integrity.model.reconciliation import CENTS, Reconciliation, Reconciliations
from revenue_integrity.model.report import Card, Column, Format, Kpi, Listing, Published, Section, Sentence, Tone, View
from revenue_integrity.reports import reconciling
from revenue_integrity.reports.pack_data import PackData, StreamPart, plain_records
from revenue_integrity.reports.recon_figures import shown_view, unit_format
from revenue_integrity.wording import Currency

NAME, TITLE = "signing", "Can this be signed?"

_RESULTS: Mapping[str, Tone] = {"does not hold": "bad", "in the way": "bad", "waived": "muted", "holds": "good"}
"""How a check stands for a signature, what stands in the way first, with its tone."""

_LIMITS = {each.name: each.limits for each in STANDING}
"""Which figures the verdicts of checks that every stream has hang on."""

CAUSES_SHOWN = 15
"""Causes that the view names; each reconciliation's own stand among the controls, all of them in the workbook."""


def published_of(data: PackData) -> Published:
    """Return the month of a book as that of a stream that has these verdicts and causes for tables."""
    return Published(data.month, data.currency, {"verdicts": verdicts(data), "causes": largest_causes(data)})


def view(data: PackData) -> tuple[View, Published]:
    """Return the view of a pack, and the month of the book that it is made from."""
    published = published_of(data)
    several = len(data.parts) > 1
    sections = (
        Section(
            "What must hold before anybody signs?",
            (Card("Checks of sign-off", (_checks(several), Sentence(_rest(data))), wide=True),),
        ),
        Section(
            "What are the largest differences?", (Card("Largest causes of all reconciliations", (_causes(several),), wide=True),)
        ),
    )
    return View(NAME, TITLE, tuple(_tiles(data)), sections), published


def bridges(part: StreamPart) -> tuple[Card, ...]:
    """Return, for the reconciliations that speak for a stream, how their gross figures lead to each other."""
    recons = part.stream.reconciliations
    if recons is None:
        return ()
    found = []
    for name in reconciling.headline_recons(recons):
        chart, listing = reconciling.gross_bridge(recons, name)
        found += [Card(chart.title, (chart,), if_any=True), Card(listing.title, (listing,), if_any=True)]
    return tuple(found)


BRIDGES = "How do the gross figures lead to each other?"
"""The question that ``bridges`` answers."""


# Checks


def _checks(several: bool) -> Listing:
    stream = (Column("stream", "Stream", "name"),) if several else ()
    return Listing(
        "Checks of sign-off",
        "verdicts",
        (
            Column("title", "What must hold"),
            Column("of", "Of"),
            *stream,
            Column("value", "Value"),
            Column("limit", "Limit"),
            Column("result", "Result", "pill", tone="tone"),
            Column("next_step", "What to do", "wide"),
        ),
        first=0,
        empty="No check is on record for this month.",
    )


def sheet_checks() -> Listing:
    """Return the checks as the workbook's first sheet shows them."""
    return Listing(
        "Can this be signed?",
        "verdicts",
        (
            Column("title", "What must hold", "wide"),
            Column("of", "Of", "wide"),
            Column("value", "Value", "wide"),
            Column("limit", "Limit", "wide"),
            Column("result", "Result", tone="tone"),
            Column("next_step", "What to do", "wide"),
        ),
        empty="No check is on record for this month.",
    )


def verdicts(data: PackData) -> pd.DataFrame:
    """Return every check that a signature needs with its value and limit, and whatever else stands in the way, that first.

    Checks of stricter gates are named where they do not hold: without them nothing is published.
    """
    waived = set(zip(data.waivers["asset"], data.waivers["check"], strict=True))
    rows = [*_obstacles(data)]
    for record in plain_records(data.checks):
        asset, name, gate = str(record["asset"]), str(record["check"]), str(record["gate"])
        passed = record["passed"] is True or record["passed"] == 1
        if gate == Gate.WARN or (passed and gate != Gate.SIGN_OFF):
            continue
        result = "holds" if passed else "waived" if (asset, name) in waived else "does not hold"
        found = data.check_of(asset, name)
        limits = found.limits if found else _LIMITS.get(name, ())
        value, limit = limit_words(limits, data.currency.parsed(record["figures"]), data.currency)
        title, step = wording.headed(data.title_of(asset, name)), "" if passed else record["next_step"] or ""
        rows.append((title, wording.words(asset.partition("/")[2]), data.stream_of(asset), value, limit, result, step))
    frame = pd.DataFrame(rows, columns=["title", "of", "stream", "value", "limit", "result", "next_step"], dtype=object)
    places = {result: at for at, result in enumerate(_RESULTS)}
    frame = frame.assign(tone=frame["result"].map(dict(_RESULTS)), place=frame["result"].map(places))
    return frame.sort_values(["place", "stream", "title", "of"], kind="stable", ignore_index=True)


def _obstacles(data: PackData) -> Iterator[tuple[str, ...]]:
    """Yield what no check says and still keeps the month from being signed."""
    for each in data.blocking:
        if "table" not in each:
            title, step = wording.headed(wording.words(each.get("check") or "")), each.get("next_step") or ""
            yield title, "", "", "", "", "in the way", step


def in_the_way(data: PackData) -> int:
    """Return how many checks and other things keep the month from being signed."""
    return int(verdicts(data)["tone"].eq("bad").sum())


def limit_words(limits: tuple[Limit, ...], figures: Mapping[str, Any], currency: Currency) -> tuple[str, str]:
    """Return the figures that a verdict hangs on, and how far they may go: ``Gross $377.26`` and ``at most $62.80``."""
    if "result" in figures:
        return wording.words(figures["result"]), ""
    values: list[str] = []
    bounds: list[str] = []
    for limit in limits:
        pair = limit.of(figures)
        if pair is None:
            continue
        value, bound = pair
        (phrase,), ((_, allowed),) = currency.phrases({limit.figure: value}), currency.figures({limit.figure: bound})
        values.append(phrase if values else wording.headed(phrase))
        bounds.append("none" if bound == 0 and limit.holds == "at most" else f"{limit.holds} {allowed}")
    return "; ".join(values), "; ".join(dict.fromkeys(bounds) if set(bounds) == {"none"} else bounds)


def _rest(data: PackData) -> str:
    """Return in a sentence what the table leaves out."""
    checks = plain_records(data.checks)
    if not checks:
        return ""
    passed = [each for each in checks if each["passed"] is True or each["passed"] == 1]
    stricter = sum(each["gate"] not in (Gate.SIGN_OFF, Gate.WARN) for each in passed)
    warnings = [each for each in checks if each["gate"] == Gate.WARN]
    failing = sum(each not in passed for each in warnings)
    return (
        f"Checks of stricter gates, without which nothing is published, that hold: {stricter:,}."
        f" Warnings that do not hold: {failing:,} of {len(warnings):,}; they stop nothing."
    )


def _tiles(data: PackData) -> Iterator[Kpi]:
    """Yield how the close stands, what is in the way, and how far what does not tie is from materiality."""
    yield from closing_tiles(data)
    for part in data.parts:
        for check in (each for each in part.stream.checks if each.recon):
            pairs = [pair for limit in check.limits if (pair := limit.of(part.published.checks.get(check.name, {}))) is not None]
            if pairs:
                yield _materiality_tile(check, data.currency, *pairs[0])


def _materiality_tile(check: Check, currency: Currency, value: int, bound: int) -> Kpi:
    tone: Tone = "bad" if value > bound else "good"
    words = f"gross, of rows in breach; materiality {currency.amount(bound)}"
    return Kpi(f"At risk, {wording.words(check.recon)}", lambda _: value, "cents", words, tone=lambda *_: tone)


def closing_tiles(data: PackData) -> list[Kpi]:
    """Return the tiles of what stands in the way, and of how the close stands."""
    rows = verdicts(data)
    count = {result: int((rows["result"] == result).sum()) for result in _RESULTS}
    stopping, known = count["does not hold"] + count["in the way"], len(data.checks) > 0
    note = f"of {len(rows):,} that a signature needs; {count['waived']} waived" if known else "no check is on record"
    in_the_way = Kpi(
        "In the way of a signature",
        lambda _: stopping if known else wording.MISSING,
        "integer" if known else "text",
        note,
        tone=lambda value, _: "" if value == wording.MISSING else "bad" if value else "good",
    )
    signed_by = data.status.get("approved_by")
    said = f"approved by {signed_by}" if signed_by and not data.preliminary else "nobody has signed what is shown"
    tone: Tone = "bad" if data.preliminary else "good"
    return [Kpi("Close", lambda _: data.state, "text", said, tone=lambda *_: tone), in_the_way]


# Causes


def _causes(several: bool) -> Listing:
    stream = (Column("stream", "Stream", "name"),) if several else ()
    return Listing(
        "Largest causes",
        "causes",
        (
            *stream,
            Column("recon", "Reconciliation", "words"),
            Column("where", "Where"),
            Column("cause", "Cause", "words"),
            Column("amount", "Amount", "cents", by="format"),
            Column("explanation", "Explanation", "wide"),
        ),
        note="Left less right, the largest first, whatever its sign; in the view by which each reconciliation is judged."
        " All causes stand in the workbook.",
        first=CAUSES_SHOWN,
        what="causes",
        empty="Everything that is compared in money ties.",
    )


def largest_causes(data: PackData) -> pd.DataFrame:
    """Return the causes of all reconciliations of money of the book, the largest first.

    Of a reconciliation whose variances nobody explains, the rows in breach stand for their causes.
    """
    found = []
    for part in data.parts:
        recons = part.stream.reconciliations
        for recon in recons or ():
            assert recons is not None
            found += [{"stream": part.title, "recon": recon.name, **row} for row in _causes_of(part, recons, recon)]
    columns = ["stream", "recon", "where", "cause", "amount", "format", "explanation", "size"]
    frame = pd.DataFrame(found, columns=columns, dtype=object)
    return frame.sort_values(
        ["size", "stream", "recon", "where"], ascending=[False, True, True, True], kind="stable", ignore_index=True
    )


def _causes_of(part: StreamPart, recons: Reconciliations, recon: Reconciliation) -> Iterator[dict[str, Any]]:
    """Yield causes of a reconciliation, each with its size in units of the currency."""
    published = part.published
    explained = recon.causes is not None and recons.causes is not None
    table = recons.causes if explained else recons.results
    frame = None if table is None else published.table(table.name)
    if frame is None:
        return
    rows = frame[frame["recon"] == recon.name]
    rows = rows[rows["view"] == (shown_view(recon, published, recons) if len(recon.views) > 1 else recon.views[0])]
    measured = "cause_cents" if explained else "variance_cents" if recon.unit == CENTS else "variance_value"
    if not explained:
        # Two reconciliations may share a name and be told apart by their unit.
        rows = rows[(rows["status"] == "breach") & rows[measured].notna()]
    named = reconciling.with_names(published, rows, part.report.names)
    names = {column: name for column, _, _, name in part.report.names}
    for row in plain_records(named):
        written: Format = "cents" if explained else unit_format(str(row["unit"]), published.currency)
        if written == "decimal":
            return
        amount = row[measured]
        yield {
            "where": " · ".join(_named(row, column, names) for column in recon.grain if row.get(column) is not None),
            "cause": row["cause"] if explained else "in breach",
            "amount": amount,
            "format": written,
            "explanation": row.get("explanation") or "",
            "size": abs(Decimal(amount)) / (100 if written == "cents" else 1),
        }


def _named(row: Mapping[str, Any], column: str, names: Mapping[str, str]) -> str:
    shown = row.get(names.get(column, column)) or row[column]
    return wording.month_label(shown) if isinstance(shown, pd.Timestamp) else str(shown)
