"""How the columns of a file meet those of a source.

Belongs here: finding modelled columns in a header. Does not belong here: reading rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from revenue_integrity.model.source import Source


@dataclass(frozen=True)
class Layout:
    """How the columns of a file meet those of a source.

    Attributes:
        header: the file's column names.
        positions: for each modelled column, its place in the file, or ``None``.
        unknown: columns that are not modelled, lower-cased.
        problem: why the file cannot be loaded, as the end of a sentence that begins with its name; empty if it can.
    """

    header: tuple[str, ...]
    positions: tuple[int | None, ...]
    unknown: tuple[str, ...]
    problem: str = ""


def layout_of(source: Source, header: Sequence[str]) -> Layout:
    """Find the modelled columns in a header, in any order and case."""
    places: dict[str, int] = {}
    twice: list[str] = []
    for place, column in enumerate(header):
        key = column.strip().lower()
        if key and key in places:
            twice.append(key)
        places.setdefault(key, place)
    places.pop("", None)
    positions = tuple(places.get(column.name) for column in source.columns)
    missing = [
        column.name
        for column, place in zip(source.columns, positions, strict=True)
        if place is None and column.required and column.default is None
    ]
    unknown = tuple(sorted(set(places) - {column.name for column in source.columns}))
    return Layout(tuple(header), positions, unknown, header_problem(twice, missing))


def header_problem(twice: Sequence[str], missing: Sequence[str]) -> str:
    """Return what is wrong with a header, as the end of a sentence that begins with the name of its file."""
    problems = []
    if twice:
        problems.append(f"has the column {', '.join(dict.fromkeys(twice))} more than once")
    if missing:
        problems.append(f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    return " and ".join(problems)
