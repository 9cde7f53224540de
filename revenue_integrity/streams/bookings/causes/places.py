"""Causes of amounts that stand in another place: without a line, on another deal, under another type, in another month.

Belongs here: these moves. Does not belong here: choosing the two ends of a move (``close.causes.moves``).
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing, together
from revenue_integrity.close.causes.items import at
from revenue_integrity.close.causes.moves import opposites, settled
from revenue_integrity.close.causes.wording import amounts, records
from revenue_integrity.streams.bookings.causes.standing import NEAR, capital, entry_words, standing


def unmapped_entry(case: Case) -> Claims:
    """Claim entries without a line, and the opposite of the row of their customer and type that lacks exactly their amount."""
    rows, entries = case.open_rows, case.standing
    entries = entries[entries["row"].isin(rows.index[rows["deal_id"].isna()])]
    if entries.empty:
        return nothing()
    of_row = ["month", "customer_id", "revenue_type", "order"]
    offers = entries.drop(columns="order").join(rows[of_row].rename(columns={"order": "row_order"}), on="row")
    offers = offers.assign(place=in_order_of(offers.assign(item_order=entries["order"]), ["row_order", "item_order"]))
    lacks = rows[rows["deal_id"].notna()].assign(cents=rows["rest"])
    found = _lacking(offers[offers["customer_id"].notna()], lacks, ["month", "customer_id", "revenue_type"])
    unknown = offers[offers["customer_id"].isna()]
    unknown = unknown[~unknown.duplicated(["month", "revenue_type", "cents"], keep=False)]
    only = _lacking(unknown, lacks[~lacks.index.isin(found["other"])], ["month", "revenue_type"], only=True)
    both = pd.concat([found, only], ignore_index=True)
    return _unmapped(offers, both.set_index("one")["other"], rows)


def in_order_of(frame: pd.DataFrame, columns: Sequence[str]) -> "pd.Series[int]":
    """Return the place of each row in the order of some columns, counted from 0."""
    in_order = frame.sort_values(list(columns), kind="stable")
    return pd.Series(range(len(frame)), index=in_order.index)


def _lacking(offers: pd.DataFrame, lacks: pd.DataFrame, by: Sequence[str], *, only: bool = False) -> pd.DataFrame:
    """Return which row (``other``) lacks what is offered (``one``): first of the deal that an entry names, then in order.

    Offers choose in their order; with ``only``, an offer counts if one row alone lacks it.
    """
    pairs = opposites(offers, lacks, by, NEAR)
    if only:
        pairs = pairs[~pairs["one"].duplicated(keep=False)]
    is_named = at(offers["named_deal"], pairs["one"]) == at(lacks["deal_id"], pairs["other"])
    order = pairs["other"].map(lacks["order"])
    return _taken(pairs.assign(rank=order.where(is_named, order + lacks["order"].max() + 1)), offers["place"])


def _taken(pairs: pd.DataFrame, rank: "pd.Series[Any]", *, rounds: bool = True) -> pd.DataFrame:
    """Return the pairs that choose each other: ``one`` by the rank of a pair, ``other`` by that of ``one``."""
    # One kind of end is numbered below zero, so that none is taken for the other.
    ones = pairs.assign(one=-1 - pairs["one"])
    others = pd.DataFrame({"one": ones["other"], "other": ones["one"], "rank": pairs["one"].map(rank)})
    found = settled(pd.concat([ones, others], ignore_index=True), rounds=rounds)
    found = found[found["one"] < 0]
    return pd.DataFrame({"one": -1 - found["one"], "other": found["other"]}).astype("int64")


def _unmapped(offers: pd.DataFrame, lacking: "pd.Series[Any]", rows: pd.DataFrame) -> Claims:
    offers = offers.sort_values("place")
    other = lacking.reindex(offers.index)
    words = entry_words(offers) + " resolves to no deal line"
    has_end = other.notna()
    known = offers[has_end]
    end = rows.loc[other[has_end].astype("int64")].set_axis(known.index)
    link = pd.Series(None, index=offers.index, dtype=object)
    link[has_end] = "unmapped:" + end["month_label"] + ":" + known["document"]
    sentence = words + "."
    rest = end["rest"]
    lacks = " lacks " + amounts(-rest) + "."
    sentence[has_end] = words[has_end] + "; " + end["name"] + lacks.where(rest < 0, " has " + amounts(rest) + " too much.")
    ids = offers["document"].map(lambda each: [each])
    evidence = records(offers.index, entries=ids, lacking=_places(end).reindex(offers.index))
    alone = claims(offers["row"], offers["cents"], sentence, evidence, link, taken=offers.index)
    if known.empty:
        return alone
    standing_words = entry_words(known)
    missing = pd.Series(" lacks", index=known.index).where(rest < 0, " has too much")
    stands = pd.Series(" stands in ", index=known.index).where(rest < 0, " is taken off by ")
    lacks = "What " + end["name"] + missing + stands + standing_words.str[:1].str.lower() + standing_words.str[1:]
    lacks += ", which has no line."
    proof = records(known.index, entries=ids.reindex(known.index))
    return together(alone, claims(other[has_end].astype("int64"), -known["cents"], lacks, proof, link[has_end]))


def _places(rows: pd.DataFrame) -> "pd.Series[Any]":
    """Return rows as evidence names them."""
    return records(
        rows.index,
        deal_id=rows["deal_id"],
        line_no=rows["line_no"],
        revenue_type=rows["revenue_type"],
        month=rows["month_label"],
    )


def _lacks(state: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that lack something of what is due."""
    return state[(state["rest"].abs() > state["n"]) & ((state["rest"] < 0) == (state["due"] > 0)) & (state["due"] != 0)]


def _moves(case: Case, by: Sequence[str], is_pair: Callable[[pd.DataFrame, pd.DataFrame], "pd.Series[bool]"]) -> pd.DataFrame:
    """Return what rows lack (``lacking``) and others of equal ``by`` have in excess (``excess``), one line per pair of rows.

    ``entry`` is the entry that moved; null where the two carry each other's amounts.
    """
    state = standing(case)
    # A customer who is not known is one like any other: null fits no null below.
    state = state.assign(customer_id=state["customer_id"].fillna(""))
    lacks = _lacks(state)
    entries = case.standing
    entries = entries[~entries["is_reversal"] & entries["row"].isin(state.index)]
    entries = entries.join(state[list(by)], on="row") if list(by) else entries
    by_entry = opposites(lacks.assign(cents=lacks["rest"]), entries, by, NEAR).rename(
        columns={"one": "lacking", "other": "entry"}
    )
    by_entry = by_entry.assign(excess=by_entry["entry"].map(entries["row"]).astype("int64"))
    lack, excess = state.loc[by_entry["lacking"]].reset_index(), state.loc[by_entry["excess"]].reset_index()
    by_entry = by_entry.reset_index(drop=True)
    has_it = ((excess["rest"] < 0) == (lack["rest"] > 0)) & (excess["rest"].abs() >= lack["rest"].abs() - NEAR)
    by_entry = by_entry.assign(
        away=(at(entries["cents"], by_entry["entry"]) + lack["rest"]).abs(), place=at(entries["order"], by_entry["entry"])
    )[has_it & (excess["rest"] != 0)]
    carries = lacks[(lacks["entries"] > 0) & (lacks["booked"] != 0)]
    carried = state[(state["entries"] > 0) & (state["due"] != 0) & (state["rest"] != 0)]
    both = opposites(carries.assign(cents=carries["booked"]), carried.assign(cents=-carried["due"]), by, NEAR)
    exchanged = (at(carried["booked"], both["other"]) - at(carries["due"], both["one"])).abs() <= NEAR
    both = both[exchanged].rename(columns={"one": "lacking", "other": "excess"})
    pairs = pd.concat([by_entry, both.assign(away=NEAR + 1)], ignore_index=True)
    pairs = pairs[pairs["lacking"] != pairs["excess"]]
    pairs = pairs.sort_values(["lacking", "excess", "away", "place"], kind="stable").drop_duplicates(["lacking", "excess"])
    of_lack, of_excess = state.loc[pairs["lacking"]].set_axis(pairs.index), state.loc[pairs["excess"]].set_axis(pairs.index)
    return pairs[is_pair(of_lack, of_excess)].astype({"lacking": "int64", "excess": "int64", "entry": "Int64"})


def _ends(case: Case, moves: pd.DataFrame, cause: str, sentence: "pd.Series[Any]") -> Claims:
    """Claim both ends of moves: the smaller amount, opposite, under one link."""
    rows = case.rows
    lacking, excess = rows.loc[moves["lacking"]].set_axis(moves.index), rows.loc[moves["excess"]].set_axis(moves.index)
    smaller = lacking["rest"].abs().where(lacking["rest"].abs() < excess["rest"].abs(), excess["rest"].abs())
    cents = smaller.where(excess["rest"] > 0, -smaller)
    named = [
        each["month_label"] + "/" + each["deal_id"] + "/" + each["line_no"].astype(str) + "/" + each["revenue_type"]
        for each in (lacking, excess)
    ]
    is_before = lacking["order"] < excess["order"]
    link = cause + ":" + named[0].where(is_before, named[1]) + ":" + named[1].where(is_before, named[0])
    moved = moves["entry"].dropna()
    ids = at(case.left["document"], moved.astype("int64")).map(lambda each: [each]).reindex(moves.index)
    at_excess = claims(
        moves["excess"], cents, sentence, records(moves.index, belongs_to=_places(lacking), entries=ids), link,
        taken=moved.astype("int64"),
    )  # fmt: skip
    at_lacking = claims(moves["lacking"], -cents, sentence, records(moves.index, stands_at=_places(excess), entries=ids), link)
    return together(at_excess, at_lacking)


def _within_month(
    case: Case,
    cause: str,
    by: Sequence[str],
    is_pair: Callable[[pd.DataFrame, pd.DataFrame], "pd.Series[bool]"],
    words: Callable[[Case, pd.DataFrame], "pd.Series[Any]"],
) -> Claims:
    """Claim moves inside a month: each row that lacks something takes the first that has it, the first such row first.

    What a row has in excess may be taken in parts, so rows choose anew as long as there is something to take.
    """
    found: list[Claims] = []
    served = pd.Index([], dtype="int64")
    while True:
        pairs = _moves(case, by, is_pair)
        pairs = pairs[~pairs["lacking"].isin(served)]
        if pairs.empty:
            break
        ranked = pd.DataFrame(
            {"one": pairs["lacking"], "other": pairs["excess"], "rank": pairs["excess"].map(case.rows["order"])}
        )
        chosen = _taken(ranked, case.rows["order"], rounds=False)
        moves = pairs.merge(chosen, left_on=["lacking", "excess"], right_on=["one", "other"], how="inner")
        moves = moves.assign(place=moves["lacking"].map(case.rows["order"])).sort_values("place", ignore_index=True)
        found.append(_ends(case, moves, cause, words(case, moves)))
        served = served.append(pd.Index(moves["lacking"]))
        case = case.less(cause, found[-1])
    return together(*found)


def _entry_of(case: Case, moves: pd.DataFrame) -> "pd.Series[Any]":
    """Return the words for the entry of each move; null where there is none."""
    moved = moves["entry"].dropna().astype("int64")
    return entry_words(case.left.loc[moved].set_axis(moved.index)).reindex(moves.index)


def _ends_of(case: Case, moves: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return case.rows.loc[moves["lacking"]].set_axis(moves.index), case.rows.loc[moves["excess"]].set_axis(moves.index)


def wrong_deal(case: Case) -> Claims:
    """Claim what stands on another line of the same customer and type."""

    def words(case: Case, moves: pd.DataFrame) -> "pd.Series[Any]":
        lacking, excess = _ends_of(case, moves)
        both = capital(lacking["name"]) + " and " + excess["name"] + " carry each other's amounts."
        moved = _entry_of(case, moves) + " stands on " + excess["name"] + " and belongs to " + lacking["name"] + "."
        return moved.where(moves["entry"].notna(), both)

    return _within_month(case, "wrong_deal", ["month", "customer_id", "revenue_type"], lambda one, other: one["n"] > 0, words)


def wrong_type(case: Case) -> Claims:
    """Claim what stands under another type of the same deal."""

    def words(case: Case, moves: pd.DataFrame) -> "pd.Series[Any]":
        lacking, excess = _ends_of(case, moves)
        mixed = lacking["is_recurring"] != excess["is_recurring"]
        tail = pd.Series("", index=moves.index).where(~mixed, "; recurring and one-time revenue are mixed")
        what = _entry_of(case, moves)
        what = what.where(moves["entry"].notna(), "What " + excess["name"] + " carries")
        types = excess["revenue_type"] + " and is due as " + lacking["revenue_type"]
        return what + " is booked as " + types + " of deal " + lacking["deal_id"] + tail + "."

    def is_pair(one: pd.DataFrame, other: pd.DataFrame) -> "pd.Series[bool]":
        return one["revenue_type"] != other["revenue_type"]

    return _within_month(case, "wrong_type", ["month", "customer_id", "deal_id"], is_pair, words)


def period_shift(case: Case) -> Claims:
    """Claim moves between adjacent months of one row key: both ends choose each other, the earlier month first, in one round."""

    def is_pair(one: pd.DataFrame, other: pd.DataFrame) -> "pd.Series[bool]":
        return (one["step"] - other["step"]).abs() == 1

    pairs = _moves(case, ["customer_id", "deal_id", "line_no", "revenue_type"], is_pair)
    if pairs.empty:
        return nothing()
    step = case.rows["step"]
    ranked = pd.DataFrame({"one": pairs["lacking"], "other": pairs["excess"], "rank": pairs["excess"].map(step)})
    chosen = _taken(ranked, step, rounds=False)
    moves = pairs.merge(chosen, left_on=["lacking", "excess"], right_on=["one", "other"], how="inner")
    moves = moves[~moves["lacking"].isin(moves["excess"])]
    moves = moves.assign(place=moves["lacking"].map(case.rows["order"])).sort_values("place", ignore_index=True)
    if moves.empty:
        return nothing()
    lacking, excess = _ends_of(case, moves)
    what = _entry_of(case, moves)
    what = what.where(moves["entry"].notna(), "What " + excess["month_label"] + " carries")
    sentence = what + " is booked in " + excess["month_label"] + " and is due in " + lacking["month_label"] + "."
    return _ends(case, moves, "period_shift", sentence)
