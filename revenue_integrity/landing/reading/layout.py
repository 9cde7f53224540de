"""How the columns of a file meet those of a source.

Belongs here: finding modelled columns in a header. Does not belong here: reading rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from revenue_integrity.model.source import Source, SourceColumn


@dataclass(frozen=True)
class Layout:
    """How the columns of a file meet those of a source.

    Attributes:
        header: the file's column names.
        positions: for each modelled column, its place in the file, or ``None``.
        unknown: columns that are not modelled, lower-cased.
        problem: why the file cannot be loaded, as the end of a sentence that begins with its name; empty if it can.
        others: for a column that has several names, where else it stands: places that are put together where they are several.
    """

    header: tuple[str, ...]
    positions: tuple[int | None, ...]
    unknown: tuple[str, ...]
    problem: str = ""
    others: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)

    def has(self, column: SourceColumn) -> bool:
        """Return whether a file has a column, under any of its names."""
        return column.name in self.others or column.name in {name.strip().lower() for name in self.header}


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
    positions = tuple(places.get(column.name) if column.is_in_files else None for column in source.columns)
    others = {column.name: found for column in source.columns if (found := _other_places(column, places))}
    missing = [
        column.name
        for column, place in zip(source.columns, positions, strict=True)
        if place is None and column.required and column.default is None and column.is_in_files and column.name not in others
    ]
    named = {part for column in source.columns for path in (column.name, *column.names) for part in path.split(" ")}
    unknown = tuple(sorted(set(places) - named))
    return Layout(tuple(header), positions, unknown, header_problem(twice, list(dict.fromkeys(missing))), others)


def _other_places(column: SourceColumn, places: Mapping[str, int]) -> tuple[tuple[int, ...], ...]:
    """Return where a column stands under its other names."""
    found = (tuple(places[part] for part in path.split(" ") if part in places) for path in column.names)
    return tuple(each for each in found if each)


def header_problem(twice: Sequence[str], missing: Sequence[str]) -> str:
    """Return what is wrong with a header, as the end of a sentence that begins with the name of its file."""
    problems = []
    if twice:
        problems.append(f"has the column {', '.join(dict.fromkeys(twice))} more than once")
    if missing:
        problems.append(f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    return " and ".join(problems)
