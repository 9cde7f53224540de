"""Credits and reversals: those that repair an error within the row, and those that stand.

Belongs here: telling the two apart. Does not belong here: what a standing one is called, and whether it names a document of
its own row (items say so).

Of items it looks at ``quantity`` and ``price``, by which a bill is like another or like a charge; ``content``, what an item says
without its name; ``is_credit`` (whatever the document is called), ``document``, and ``corrects``: the document that a credit
names, null for none.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

MOST_SUMS = 4096
"""Sums of credits of one document that are tried before a further credit is only looked at by itself: all of twelve."""


@dataclass(frozen=True)
class _Item:
    """A bill, a credit or a charge of one row; a charge has no document."""

    number: int
    alike: tuple[int, int]
    cents: int
    content: int = 0
    order: int = 0
    document: str = ""
    corrects: str | None = None


@dataclass(frozen=True)
class _Repair:
    """Credits and the bills that they take back together."""

    credits: frozenset[_Item]
    bills: frozenset[_Item]

    @property
    def cents(self) -> int:
        """What is billed less without the bills."""
        return _sum(self.bills)

    @property
    def is_equal(self) -> bool:
        """Whether the credits are what they take back, to a cent per item."""
        return abs(_sum(self.credits) + self.cents) <= max(len(self.credits), len(self.bills))

    def place(self) -> tuple[Any, ...]:
        """Return by what one is chosen of several that leave equally much: what is named and equal first; names decide last."""
        strangers = sum(each.corrects is None for each in self.credits)
        others = sum(each.corrects not in {bill.document for bill in self.bills} for each in self.credits)
        off = abs(_sum(self.credits) + self.cents)
        parts = (self.bills, self.credits)
        said = [sorted((each.content, each.cents) for each in part) for part in parts]
        return strangers, others, off, len(self.credits), said, [sorted(each.order for each in part) for part in parts]


def repaired(items: pd.DataFrame, dues: pd.DataFrame) -> "pd.Index[Any]":
    """Return the items that repair each other: credits and what they take back, while something else stands behind them.

    Credits that name a document take back an item of it or the whole of it, one of them or several together; where it is gone,
    a copy of it. A credit that names none takes back any item of its amount. Something stands behind them if a rebill is left,
    or what they take back was billed more often than it is due, or nothing is due: what is left then comes nearer to what is
    due than with them. So of several credits of one document one repairs it, and the others are what is wrong. A credit and a
    rebill that net to what is due are no variance.
    """
    credited = items.loc[items["is_credit"] & (items["cents"] != 0), "row"]
    known = items[items["row"].isin(credited)]
    charges = {row: _read(each) for row, each in dues[dues["row"].isin(credited)].groupby("row", sort=False)}
    gone: list[int] = []
    for row, of_row in known.groupby("row", sort=False):
        bills, credited_by = (_read(of_row[of_row["is_credit"] == is_credit]) for is_credit in (False, True))
        gone += _gone(bills, [each for each in credited_by if each.cents], charges.get(row, []))
    return pd.Index(gone, dtype="int64")


def _read(frame: pd.DataFrame) -> list[_Item]:
    blank = [None] * len(frame)
    content, order, document, corrects = (
        frame[name].tolist() if name in frame else blank for name in ("content", "order", "document", "corrects")
    )
    alike = zip(frame["quantity"].tolist(), frame["price"].tolist(), strict=True)
    columns = zip(frame.index.tolist(), alike, frame["cents"].tolist(), content, order, document, corrects, strict=True)
    return [
        _Item(number, like, cents, says or 0, place or 0, name or "", None if pd.isna(named) else named)
        for number, like, cents, says, place, name, named in columns
    ]


def _sum(items: Collection[_Item]) -> int:
    return sum(each.cents for each in items)


def _gone(bills: Sequence[_Item], credited_by: Sequence[_Item], dues: Sequence[_Item]) -> Iterator[int]:
    """Yield the numbers of what repairs each other in one row: again and again the repair that leaves the least."""
    standing, waiting = set(bills), set(credited_by)
    copies = _copies(bills)
    while True:
        excess = _sum(standing) - _sum(dues)
        found = [each for each in _repairs(standing, waiting, copies) if _stands_behind(each, standing, dues)]
        if not found:
            return
        best = min(found, key=lambda each: (abs(excess - each.cents), each.place()))
        standing, waiting = standing - best.bills, waiting - best.credits
        yield from (each.number for each in (*best.credits, *best.bills))


def _stands_behind(repair: _Repair, standing: set[_Item], dues: Sequence[_Item]) -> bool:
    """Return whether something stands behind a repair: a rebill, a copy of what it takes back, or nothing due."""
    left = standing - repair.bills
    if dues and not left:
        return False
    due, billed, back = (Counter(each.alike for each in part) for part in (dues, standing, repair.bills))
    if all(0 < due[alike] <= billed[alike] - number for alike, number in back.items()):
        return True
    if any(due[alike] > billed[alike] - number for alike, number in back.items()):
        # What is due as it was billed needs another bill: one for which no other charge waits.
        free, open_charges = billed - due, due - billed
        if free.total() - (back - due).total() <= open_charges.total():
            return False
    excess = _sum(standing) - _sum(dues)
    return abs(excess - repair.cents) < abs(excess)


def _copies(bills: Sequence[_Item]) -> dict[str, list[str]]:
    """Return of each document those that say the same, itself among them."""
    says: dict[str, list[tuple[tuple[int, int], int]]] = {}
    for each in bills:
        says.setdefault(each.document, []).append((each.alike, each.cents))
    return {one: [other for other, said in says.items() if sorted(said) == sorted(own)] for one, own in says.items()}


def _repairs(standing: set[_Item], waiting: set[_Item], copies: dict[str, list[str]]) -> Iterator[_Repair]:
    """Yield every way in which credits take back what stands."""
    by_document: dict[str, list[_Item]] = {}
    for each in standing:
        by_document.setdefault(each.document, []).append(each)
    by_named: dict[str | None, list[_Item]] = {}
    for each in sorted(waiting, key=lambda each: (each.content, each.order)):
        by_named.setdefault(each.corrects, []).append(each)
    for named, naming in by_named.items():
        if named is None:
            possible = [_Repair(frozenset((one,)), frozenset((bill,))) for one in naming for bill in standing]
        else:
            wanted = [by_document[name] for name in copies.get(named, ()) if name in by_document]
            targets = {frozenset(part) for bills in wanted for part in (bills, *((bill,) for bill in bills))}
            possible = [_Repair(some, target) for target in targets for some in _together(naming, _sum(target))]
        yield from (each for each in possible if each.is_equal)


def _together(naming: Sequence[_Item], cents: int) -> Iterator[frozenset[_Item]]:
    """Yield each credit, and the fewest that together are nearest to an amount, as long as there are few to choose from."""
    yield from (frozenset((each,)) for each in naming)
    sums: dict[int, tuple[_Item, ...]] = {0: ()}
    for each in naming:
        if len(sums) * 2 > MOST_SUMS:
            break
        for total, some in list(sums.items()):
            more = (*some, each)
            if total + each.cents not in sums or len(sums[total + each.cents]) > len(more):
                sums[total + each.cents] = more
    several = [some for some in sums.values() if len(some) > 1]
    several.append(tuple(naming))
    yield from (frozenset(some) for some in several if abs(_sum(some) + cents) <= len(some))
