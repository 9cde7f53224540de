"""How causes speak: amounts, documents and evidence as text and JSON values.

Belongs here: forms that sentences and evidence of every stream share. Does not belong here: any sentence.
"""

from typing import Any

import numpy as np
import pandas as pd

_NAMED = 3
"""Documents that a sentence names before it counts the others."""


def money(cents: int) -> str:
    """Return cents as an amount for a sentence: ``-1,234.56``."""
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{part:02d}"


def amounts(cents: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column of cents as amounts for sentences."""
    return cents.map(money).astype(object)


def number(millionths: int) -> str:
    """Return a quantity or price in millionths as a plain number: ``1.5``."""
    whole, part = divmod(abs(millionths), 10**6)
    digits = f"{part:06d}".rstrip("0")
    return f"{'-' if millionths < 0 else ''}{whole}{f'.{digits}' if digits else ''}"


def numbers(millionths: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column of millionths as plain numbers."""
    return millionths.map(number).astype(object)


def or_none(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return values with ``None`` where one is missing, as tables hold them."""
    missing = values.isna().tolist()
    held = [None if is_missing else value for value, is_missing in zip(values.astype(object), missing, strict=True)]
    return pd.Series(held, index=values.index, dtype=object)


def documents(items: pd.DataFrame, by: str, index: "pd.Index[Any]") -> "pd.Series[Any]":
    """Return the documents of each group of items for a sentence: ``A, B, C and 2 more``; empty where a group has none."""
    return listed(items[[by, "document"]].drop_duplicates().sort_values("document"), by, index, "document").map(_enumerated)


def counted(numbers: "pd.Series[Any]", one: str) -> "pd.Series[Any]":
    """Return whole numbers with what they count: ``1 line``, ``2 lines``."""
    return numbers.map(lambda each: f"{each} {one}{'' if each == 1 else 's'}").astype(object)


def verb(items: pd.DataFrame, by: str, index: "pd.Index[Any]", word: str) -> "pd.Series[Any]":
    """Return a verb that says something of the documents of each group, as ``documents`` lists them: ``bills``, ``bill``."""
    several = items[[by, "document"]].drop_duplicates().groupby(by).size().reindex(index, fill_value=0) > 1
    return pd.Series(word + "s", index=index, dtype=object).mask(several, word)


def _enumerated(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def listed(items: pd.DataFrame, by: str, index: "pd.Index[Any]", column: str = "evidence") -> "pd.Series[Any]":
    """Return what a column holds for each group of items, as lists in the order of the items; empty where a group has none."""
    code, groups = pd.factorize(items[by])
    in_order = items[column].to_numpy(dtype=object)[np.argsort(code, kind="stable")]
    parts = np.split(in_order, np.bincount(code).cumsum()[:-1]) if len(groups) else []
    found = dict(zip(groups.tolist(), parts, strict=True))
    lists = [found[each].tolist() if each in found else [] for each in index.tolist()]
    return pd.Series(lists, index=index, dtype=object)


def records(index: "pd.Index[Any]", **values: Any) -> "pd.Series[Any]":
    """Return for each entry of an index the values given by name, as JSON objects; what is missing has no name in them.

    A value is a column (aligned by the index) or the same for all.
    """
    columns = [
        value.reindex(index).astype(object).tolist() if isinstance(value, pd.Series) else [value] * len(index)
        for value in values.values()
    ]
    rows = zip(*columns, strict=True) if columns else [()] * len(index)
    made = [{name: value for name, value in zip(values, row, strict=True) if _is_there(value)} for row in rows]
    return pd.Series(made, index=index, dtype=object)


def _is_there(value: Any) -> bool:
    return isinstance(value, list | dict) or not pd.isna(value)


def merged(one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the JSON objects of two columns as one each."""
    both = [{**first, **second} for first, second in zip(one, other.reindex(one.index), strict=True)]
    return pd.Series(both, index=one.index, dtype=object)
