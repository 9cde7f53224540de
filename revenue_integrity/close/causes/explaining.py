"""Explaining every variance to zero: causes look at what upper ones have left, in the order of their stream.

Belongs here: what a cause sees and claims, taking claims in order of precedence, their table. Does not belong here: how a
cause is found (the other modules), which causes a stream has.

What rows and items must offer:

- *rows*, one per row of the reconciliation that varies: ``row_key``; ``cents``, left less right in the view of all postings;
  the columns by which the stream's causes tell rows apart. The index is unique.
- *items* of either side, one per document line, entry, charge: ``row``, the index of their row; ``cents``; ``evidence``, their
  ids as a JSON object; their order is that in which evidence lists them. The index is unique within the side. ``order`` is a
  number by which items are looked at, the same whatever they are called, as far as they differ in anything else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from revenue_integrity.close.causes.labels import LATE_POSTING, UNEXPLAINED
from revenue_integrity.close.causes.wording import amounts, records

_CLAIM = ("row", "cents", "explanation", "evidence", "link_id")
_CLAIMED = ("row", "cause", "cents", "link_id")


@dataclass(frozen=True)
class Claims:
    """What a cause claims, and what it rests on.

    Attributes:
        frame: a row per claim: ``row``, its row; ``cents``, how much, with the sign of the variance; ``explanation``, one
            sentence; ``evidence``, ids of what proves it, as a JSON object; ``link_id``, shared by the two ends of a move.
        taken: items of the left side that lower causes no longer look at.
        used: of items of the left side that a cause rests on in part, the cents that lower causes no longer look at.
    """

    frame: pd.DataFrame
    taken: "pd.Index[Any]" = field(default_factory=lambda: pd.Index([], dtype="int64"))
    used: "pd.Series[Any]" = field(default_factory=lambda: pd.Series(dtype="int64"))


def claims(
    rows: "pd.Series[Any] | pd.Index[Any]",
    cents: "pd.Series[Any]",
    explanation: "pd.Series[Any]",
    evidence: "pd.Series[Any]",
    link_id: "pd.Series[Any] | None" = None,
    *,
    taken: Iterable[Any] = (),
    used: "pd.Series[Any] | None" = None,
) -> Claims:
    """Return claims on rows, one per entry of ``cents``; the other columns have the same index."""
    made = pd.DataFrame(
        {
            "row": rows.to_numpy(),
            "cents": cents.to_numpy(),
            "explanation": explanation.to_numpy(),
            "evidence": evidence.to_numpy(),
            "link_id": None if link_id is None else link_id.to_numpy(),
        },
        columns=_CLAIM,
    ).astype({"explanation": object, "evidence": object, "link_id": object})
    return Claims(made, pd.Index(list(taken), dtype="int64"), pd.Series(dtype="int64") if used is None else used)


def nothing() -> Claims:
    """Return no claim."""
    return Claims(pd.DataFrame({name: pd.Series(dtype=object) for name in _CLAIM}).astype({"cents": "int64"}))


def together(*found: Claims) -> Claims:
    """Return the claims of several, in their order."""
    some = [each for each in found if len(each.frame)]
    if not some:
        return nothing()
    taken = pd.Index(sorted({item for each in found for item in each.taken}), dtype="int64")
    used = pd.concat([each.used for each in found]).groupby(level=0).sum().astype("int64")
    return Claims(pd.concat([each.frame for each in some], ignore_index=True), taken, used)


@dataclass(frozen=True)
class Case:
    """The rows to be explained with what is known of them, as it stands when a cause looks at it.

    Attributes:
        rows: the rows; besides what they must offer, ``rest``: what no upper cause has claimed.
        left: the items of the left side; besides what they must offer, ``taken``: whether an upper cause rests on them.
        right: the items of the right side.
        more: what else the stream's causes look at, by name.
        claimed: what upper causes have claimed: ``row``, ``cause``, ``cents``, ``link_id``.
    """

    rows: pd.DataFrame
    left: pd.DataFrame
    right: pd.DataFrame
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    claimed: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({name: [] for name in _CLAIMED}))

    @property
    def open_rows(self) -> pd.DataFrame:
        """The rows with a rest."""
        return self.rows[self.rows["rest"] != 0]

    @property
    def standing(self) -> pd.DataFrame:
        """The items of the left side that no upper cause rests on."""
        return self.left[~self.left["taken"]]

    def with_cause(self, labels: Sequence[str]) -> "pd.Series[Any]":
        """Return for each row whether some causes have claimed a part of it."""
        found = self.claimed.loc[self.claimed["cause"].isin(labels), "row"]
        return pd.Series(self.rows.index.isin(found), index=self.rows.index)

    def less(self, label: str, claimed: Claims) -> "Case":
        """Return the case without what a cause claims."""
        frame = claimed.frame[claimed.frame["cents"] != 0].assign(cause=label)
        cents = frame.groupby("row")["cents"].sum().reindex(self.rows.index, fill_value=0).astype("int64")
        return replace(
            self,
            rows=self.rows.assign(rest=self.rows["rest"] - cents),
            left=self.left.assign(
                taken=self.left["taken"] | self.left.index.isin(claimed.taken),
                **(
                    {"cents": self.left["cents"] - claimed.used.reindex(self.left.index, fill_value=0)}
                    if len(claimed.used)
                    else {}
                ),
            ),
            claimed=pd.concat([self.claimed, frame[list(_CLAIMED)]], ignore_index=True)
            if len(self.claimed)
            else frame[list(_CLAIMED)],
        )


def case_of(rows: pd.DataFrame, left: pd.DataFrame, right: pd.DataFrame, more: Mapping[str, pd.DataFrame] | None = None) -> Case:
    """Return the case as it stands before any cause has looked at it."""
    return Case(rows.assign(rest=rows["cents"]), left.assign(taken=False), right, more or {})


@dataclass(frozen=True)
class Cause:
    """A cause by its label, and how it is found.

    Attributes:
        label: the cause.
        find: looks at the case and returns what it claims of rows that have a rest.
    """

    label: str
    find: Callable[[Case], Claims]


def explain(case: Case, causes: Sequence[Cause]) -> pd.DataFrame:
    """Return the causes of every row, cause by cause in order of precedence: ``cause``, ``row_key`` and what was claimed.

    For each row their cents add up to its variance, whatever the causes do: what none claims is ``unexplained``.

    Raises:
        ValueError: a cause claims a part of a row that has no rest.
    """
    found = []
    for cause in causes if len(case.open_rows) else ():
        claimed = cause.find(case)
        frame = claimed.frame[claimed.frame["cents"] != 0]
        if frame.empty and claimed.used.empty:
            continue
        if not frame["row"].isin(case.open_rows.index).all():
            raise ValueError(f"{cause.label} claims of a row that is explained already")
        found.append(frame.assign(cause=cause.label))
        case = case.less(cause.label, claimed)
        if case.open_rows.empty:
            break
    rest = case.open_rows["rest"]
    unexplained = claims(rest.index, rest, "No rule explains " + amounts(rest) + ".", records(rest.index))
    found.append(unexplained.frame.assign(cause=UNEXPLAINED))
    made = pd.concat(found, ignore_index=True).astype({"cents": "int64"})
    return made.assign(row_key=made["row"].map(case.rows["row_key"]))


def late_items(items: pd.DataFrame, explanation: "pd.Series[Any]", *, named: str = "lines") -> pd.DataFrame:
    """Return the causes that the view as of close has besides: the opposite amount of each item posted after the cutoff.

    Items offer ``row_key`` (their row need not vary) and ``late``; the columns are those of ``explain``. ``named`` is what the
    evidence calls them.
    """
    late = items[items["late"] & (items["cents"] != 0)]
    return pd.DataFrame(
        {
            "row_key": late["row_key"],
            "cents": -late["cents"],
            "explanation": explanation.reindex(late.index),
            "evidence": records(late.index, **{named: late["evidence"].map(lambda each: [each])}),
            "link_id": None,
            "cause": LATE_POSTING,
        }
    )
