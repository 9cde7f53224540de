"""The causes of ``sales_vs_ledger`` and ``loaded_vs_sent``, in order of precedence, and what the view as of close has besides.

Belongs here: what lines of the ledger and refused rows tell. Does not belong here: settlements (``settlements``).
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pandas as pd

from revenue_integrity.close.causes.explaining import Case, Cause, Claims, claims, late_items, nothing
from revenue_integrity.close.causes.items import at, counts, sums
from revenue_integrity.close.causes.labels import LATE_POSTING, ROUNDING, TIMING
from revenue_integrity.close.causes.moves import adjacent, exchanged, shared
from revenue_integrity.close.causes.wording import amounts, listed, records
from revenue_integrity.streams.sales.causes.inputs import booked

NEAR = 1
"""Cents within which an amount is another; that cent is rounding."""

FAMILIES = {
    LATE_POSTING: TIMING,
    "period_shift": TIMING,
    "wrong_region": "mapping",
    "wrong_category": "mapping",
    "duplicate_journal": "duplicate",
    "reversal": "credit",
    "reversal_unreferenced": "credit",
    "quarantined": "data",
    "discount_not_booked": "configuration",
    "tax_booked": "configuration",
    ROUNDING: "rounding",
    "unbooked": "missing",
    "unsupported": "missing",
}
"""The causes in order of precedence, each with its family."""

SENT_FAMILIES = {"quarantined": "data", ROUNDING: "rounding"}


def _documents(case: Case, index: "pd.Index[Any]") -> "pd.Series[Any]":
    return listed(case.left, "row", index)


def _has_line_of(case: Case, rows: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether a line of the ledger stands in each row whose amount is what is left of it."""
    items = case.standing
    rest = items["row"].map(rows["rest"])
    fits = items.loc[(items["cents"] - rest).abs() <= NEAR, "row"]
    return pd.Series(rows.index.isin(fits), index=rows.index)


def ends(
    case: Case, pairs: pd.DataFrame, cause: str, sentence: Callable[[pd.DataFrame, pd.DataFrame], "pd.Series[Any]"]
) -> Claims:
    """Claim both ends of moves between rows: the smaller amount, opposite, under one link."""
    if pairs.empty:
        return nothing()
    one = case.rows.loc[pairs["one"]].set_axis(pairs.index)
    other = case.rows.loc[pairs["other"]].set_axis(pairs.index)
    is_first = one["order"] < other["order"]
    names = [each["label"] + "/" + each["row_key"] for each in (one, other)]
    link = cause + ":" + names[0].where(is_first, names[1]) + ":" + names[1].where(is_first, names[0])
    evidence = records(
        pairs.index,
        lines=at(_documents(case, case.rows.index), pairs["one"]),
        other=names[1],
    )
    return claims(pairs["one"], shared(one["rest"], other["rest"]), sentence(one, other), evidence, link)


def period_shift(case: Case) -> Claims:
    """Claim amounts that stand in a month beside the one in which they are due."""
    rows = case.open_rows
    amounts_of = rows.assign(key=rows["row_key"], cents=rows["rest"])[["key", "step", "cents"]]
    pairs = _with_line(case, rows, adjacent(amounts_of, NEAR))
    return ends(
        case,
        pairs,
        "period_shift",
        lambda one, other: amounts(one["rest"]) + " of " + one["name"] + " is the opposite of " + other["name"] + ".",
    )


def _with_line(case: Case, rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of which an end has a line of just its amount."""
    has_it = _has_line_of(case, rows)
    return pairs[pairs["one"].map(has_it).astype(bool) | pairs["other"].map(has_it).astype(bool)]


def _elsewhere(cause: str, by: Sequence[str], what: str) -> Callable[[Case], Claims]:
    def find(case: Case) -> Claims:
        rows = case.open_rows
        pairs = exchanged(rows.assign(cents=rows["rest"]), ["step", *by], rows["order"], NEAR)
        return ends(
            case,
            _with_line(case, rows, pairs),
            cause,
            lambda one, other: (
                amounts(one["rest"]) + f" stands under another {what}: " + one["name"] + " and " + other["name"] + "."
            ),
        )

    return find


def duplicate_journal(case: Case) -> Claims:
    """Claim an amount that two documents book while the journals exceed the sales by just that."""
    rows, items = case.open_rows, case.standing
    journals = items[~items["is_reversal"] & items["row"].isin(rows.index)]
    excess = sums(journals, "cents", rows.index) - rows["sold"]
    twice = journals.groupby(["row", "cents"], sort=True)["document"].agg(lambda each: sorted(set(each))).reset_index()
    twice = twice[twice["document"].map(len) > 1]
    twice = twice[(twice["row"].map(excess) - twice["cents"]).abs() <= NEAR]
    back = items[items["is_reversal"]]
    taken = {(row, -cents, document) for row, cents, document in zip(back["row"], back["cents"], back["reverses"], strict=True)}
    is_back = [
        any((row, cents, document) in taken for document in documents)
        for row, cents, documents in zip(twice["row"], twice["cents"], twice["document"], strict=True)
    ]
    twice = twice[~pd.Series(is_back, index=twice.index, dtype=bool)].drop_duplicates("row")
    twice = twice[(twice["row"].map(rows["rest"]) - twice["cents"]).abs() < twice["row"].map(rows["rest"]).abs()]
    if twice.empty:
        return nothing()
    sentence = "Documents " + twice["document"].map(", ".join) + " book " + amounts(twice["cents"]) + " each."
    return claims(twice["row"], twice["cents"], sentence, records(twice.index, documents=twice["document"]))


def _reversals(*, named: bool) -> Callable[[Case], Claims]:
    def find(case: Case) -> Claims:
        rows, items = case.open_rows, case.standing
        back = items[items["is_reversal"] & items["row"].isin(rows.index)]
        own = pd.Series(
            [
                reverses in set(items.loc[items["row"] == row, "document"])
                for row, reverses in zip(back["row"], back["reverses"], strict=True)
            ],
            index=back.index,
            dtype=bool,
        )
        known = back if named else back[~own]
        total = sums(known, "cents", rows.index)
        holds = rows.index[(total != 0) & ((rows["rest"] - total).abs() <= NEAR)]
        found = back[(own == named) & back["row"].isin(holds)]
        if found.empty:
            return nothing()
        words = "names document " + found["reverses"].fillna("") if named else "names no document of the cell"
        sentence = "Reversal " + found["document"] + " takes " + amounts(-found["cents"]) + " back and " + words + "."
        evidence = records(found.index, lines=found["evidence"].map(lambda each: [each]), reverses=found["reverses"])
        return claims(found["row"], found["cents"], sentence, evidence, taken=found.index)

    return find


def quarantined(case: Case) -> Claims:
    """Claim what refused rows are worth, all together or one of them."""
    rows, refused = case.open_rows, case.more["refused"]
    refused = refused[refused["row"].isin(rows.index)]
    if refused.empty:
        return nothing()
    together_ = sums(refused, "cents", rows.index)
    whole = rows.index[(together_ != 0) & ((rows["rest"] - together_).abs() <= NEAR)]
    alone = refused[~refused["row"].isin(whole)]
    alone = alone[(alone["row"].map(rows["rest"]) - alone["cents"]).abs() <= NEAR].drop_duplicates("row")
    proof = pd.concat([refused[refused["row"].isin(whole)], alone])
    cents = sums(proof, "cents", pd.Index(sorted(proof["row"].unique())))
    if cents.empty:
        return nothing()
    n = counts(proof, cents.index)
    sentence = amounts(cents) + " is what " + n.astype(str) + " refused rows are worth."
    return claims(cents.index, cents, sentence, records(cents.index, quarantined=listed(proof, "row", cents.index)))


def _amount_of(column: str, words: str) -> Callable[[Case], Claims]:
    def find(case: Case) -> Claims:
        rows = case.open_rows
        found = rows[(rows[column] != 0) & ((rows["rest"] - rows[column]).abs() <= NEAR)]
        if found.empty:
            return nothing()
        sentence = amounts(found[column]) + f" is {words} of " + found["name"] + "."
        return claims(found.index, found[column], sentence, records(found.index, lines=_documents(case, found.index)))

    return find


def rounding(case: Case) -> Claims:
    """Claim at most a cent, and cells that are booked as the unrounded sum of their lines, rounded once."""
    rows = case.open_rows
    found = rows[(rows["rest"].abs() <= NEAR) | ((rows["lines"] > 0) & (rows["rest"] == rows["exact"] - rows["sold"]))]
    if found.empty:
        return nothing()
    sentence = amounts(found["rest"]) + " is what rounding leaves of " + found["name"] + "."
    return claims(found.index, found["rest"], sentence, records(found.index))


def _missing(holds: Callable[[Case, pd.DataFrame], "pd.Series[bool]"], words: str) -> Callable[[Case], Claims]:
    def find(case: Case) -> Claims:
        rows = case.open_rows
        found = rows[holds(case, rows)]
        if found.empty:
            return nothing()
        return claims(
            found.index,
            found["rest"],
            found["name"] + f" {words}.",
            records(found.index, lines=_documents(case, found.index)),
        )

    return find


def _is_unbooked(case: Case, rows: pd.DataFrame) -> "pd.Series[bool]":
    return pd.Series(~rows.index.isin(case.left["row"]), index=rows.index)


def _is_unsupported(case: Case, rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["lines"] == 0


CAUSES = (
    Cause("period_shift", period_shift),
    Cause("wrong_region", _elsewhere("wrong_region", ("category",), "region")),
    Cause("wrong_category", _elsewhere("wrong_category", ("region",), "category")),
    Cause("duplicate_journal", duplicate_journal),
    Cause("reversal", _reversals(named=True)),
    Cause("reversal_unreferenced", _reversals(named=False)),
    Cause("quarantined", quarantined),
    Cause("discount_not_booked", _amount_of("discount", "the discount")),
    Cause("tax_booked", _amount_of("tax", "the tax")),
    Cause(ROUNDING, rounding),
    Cause("unbooked", _missing(_is_unbooked, "has no line in the ledger")),
    Cause("unsupported", _missing(_is_unsupported, "is booked, and nothing was sold")),
)

SENT_CAUSES = (Cause("quarantined", quarantined), Cause(ROUNDING, rounding))


def late_postings(month: date, lines: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of the month that were posted after its cutoff, each as a cause of the view as of close."""
    late = booked(lines[lines["late"] & (lines["month"] == pd.Timestamp(month))])
    posted = late["posted_at"].dt.strftime("%Y-%m-%d").astype(object)
    sentence = late["evidence"] + " (" + amounts(late["cents"]) + ") was posted " + posted + ", after the cutoff."
    return late_items(late, sentence)


def no_late(lines: pd.DataFrame) -> pd.DataFrame:
    """Return no cause: what is no posting is never late."""
    return late_items(booked(lines[:0]), pd.Series(dtype=object))
