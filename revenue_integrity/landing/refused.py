"""Refused rows of a source in its own columns, as they were sent, each with every reason.

Belongs here: the dataset, made of the quarantine whenever somebody asks. Does not belong here: the quarantine itself
(``datasets``), what makes a row bad (``reading``).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from revenue_integrity.landing.datasets import quarantine_table
from revenue_integrity.model import table as column
from revenue_integrity.model.dataset import Composed
from revenue_integrity.model.source import Basket, Source
from revenue_integrity.model.table import Table, table

_PLACE = ("batch_id", "file_name", "row_number")


def refused_rows(source: Source, name: str) -> Composed:
    """Return the dataset of the refused rows of a source; of a batch that was refused whole it has one row without values."""
    return Composed(_declared(source, name), _of(source), (quarantine_table(source.stream),))


def _names(source: Source) -> dict[str, tuple[str, ...]]:
    """Return the columns of a source as files have them, each with all names under which it is found."""
    return {each.name: (each.name, *each.names) for each in source.columns if each.is_in_files and each.part != "own"}


def _declared(source: Source, name: str) -> Table:
    said = {each.name: each.description for each in reversed(source.columns)}
    return table(
        source.stream,
        "raw",
        name,
        f"Refused rows of {source.name} in its columns, as they were sent, one row per row (or per batch refused whole).",
        ("batch_id",),
        [
            column.text("batch_id", "The batch."),
            column.text("file_name", "File of the batch; empty for a whole batch.", null=True),
            column.integer("row_number", "Data row in the file, 1 is the first; empty for a whole batch.", null=True),
            *(column.text(each, said[each], null=True) for each in _names(source)),
            column.text("dq_errors", "Every reason, separated by semicolons."),
        ],
        partition="",
        also_named_by=("file_name", "row_number"),
    )


def _of(source: Source) -> Callable[..., pd.DataFrame]:
    names = _names(source)
    columns = [*_PLACE, *names, "dq_errors"]
    basket = None if source.notation is None else source.notation.basket

    def rows(settings: Any, *, quarantine: pd.DataFrame) -> pd.DataFrame:
        mine = quarantine[(quarantine["stream"] == source.stream) & (quarantine["source"] == source.name)]
        mine = mine.sort_values(list(_PLACE), kind="stable", ignore_index=True)
        # The rows of a basket that was refused were all sent in one object, one behind the other.
        place = mine.groupby(["batch_id", "file_name", "raw"], dropna=False).cumcount()
        found = [_values(raw, int(at), names, basket) for raw, at in zip(mine["raw"], place, strict=True)]
        values = pd.DataFrame(found, columns=list(names), dtype=object, index=mine.index)
        return pd.concat([mine[list(_PLACE)], values, mine[["dq_errors"]]], axis=1)[columns]

    return rows


def _values(raw: Any, place: int, names: Mapping[str, tuple[str, ...]], basket: Basket | None) -> dict[str, str | None]:
    """Return what a row says in each column; an item of a basket has from its object what that says for all."""
    if not isinstance(raw, str):
        return {}
    sent = json.loads(raw, parse_float=str, parse_int=str)
    whole = _flat(sent)
    inside = whole.get(basket.items) if basket is not None else None
    if basket is None or not isinstance(inside, list) or not inside:
        return {each: _said(whole, known) for each, known in names.items()}
    item = inside[place % len(inside)]
    own = _flat(item) if isinstance(item, dict) else {}
    found = {each: _said(own, known) for each, known in names.items()}
    found |= {each: _said(whole, names[each]) for each in basket.inherited if found[each] is None}
    if basket.number and found[basket.number] is None:
        found[basket.number] = str(place % len(inside) + 1)
    return found


def _flat(sent: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return an object by the paths of its names, which are found in any case."""
    found: dict[str, Any] = {}
    for each, value in sent.items():
        path = f"{prefix}{each.strip().lower()}"
        found |= _flat(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return found


def _said(sent: Mapping[str, Any], known: tuple[str, ...]) -> str | None:
    for each in known:
        # A name with a blank stands for two that are joined.
        parts = [_text(sent.get(part)) for part in each.split(" ")]
        if any(parts):
            return " ".join(part for part in parts if part)
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)
