"""JSON of every shape read as rows: nested objects, baskets, envelopes, names in any case, values as the text of the file.

Belongs here: which value of an object belongs to which column, and what is wrong with an object as a whole. Does not belong here:
what a value means (``landing.notations``), JSON as the conventions have it (``json_objects``).

A row is read once for each layout of names that occurs: objects of one file nearly always have the same few.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from revenue_integrity.landing.notations import MISREAD, TRUE_WORDS, identifier
from revenue_integrity.landing.reading.inspection import FileFacts, UnreadableError
from revenue_integrity.landing.reading.json_objects import json_objects
from revenue_integrity.landing.reading.layout import header_problem
from revenue_integrity.model.source import Basket, Source, SourceColumn


class _Number(str):
    """A number as it stands in the file."""

    __slots__ = ()


class _Constant(str):
    """``NaN`` or an infinity, which are no JSON and written all the same."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """The members of an object in order, repeated names included."""

    __slots__ = ()


_DECODER = json.JSONDecoder(
    parse_float=_Number, parse_int=_Number, parse_constant=_Constant, object_pairs_hook=_Object, strict=False
)


@dataclass(frozen=True)
class _Plan:
    """Where the columns stand in objects of one layout of names.

    Attributes:
        direct: for a column, the place of its only value.
        rival: for a column with several names, their places.
        nested: places of the objects below, with the path to them.
        items: the place of the array of rows; negative for none.
        twice: a name that stands there more than once; empty for none.
        told: the columns that these objects have, whatever stands there.
        unknown: the paths of what is no column.
    """

    direct: tuple[tuple[int, int], ...]
    rival: tuple[tuple[int, tuple[int, ...]], ...]
    nested: tuple[tuple[int, str], ...]
    items: int
    twice: str
    told: frozenset[int]
    unknown: frozenset[str]


@dataclass
class _Read:
    """What an object says: the text of each column, which columns it has, what is wrong with it, its array of rows."""

    texts: list[str | None]
    told: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    items: Any = None
    has_items: bool = False


class JsonRows:
    """Reads the JSON files of a source.

    Attributes:
        header: the names of the columns of the rows that it yields.
        unknown: the paths of what it saw and no column is; of all files since it was last emptied.
    """

    def __init__(self, source: Source) -> None:
        notation = source.notation
        if notation is None:
            raise ValueError(f"source {source.name} says nothing of how its JSON may be written")
        self._source = source
        self._basket: Basket = notation.basket or Basket("", ())
        self._deleted = notation.deleted
        self._columns: list[SourceColumn] = []
        self._place: dict[str, int] = {}
        for column in source.columns:
            if column.name not in self._place:
                self._place[column.name] = len(self._columns)
                self._columns.append(column)
        self.header = [column.name for column in self._columns]
        self._kinds = [column.kind for column in self._columns]
        self._paths: dict[str, tuple[int, int]] = {}
        self._joined: list[tuple[int, list[int]]] = []
        self._width = len(self._columns)
        for number, column in enumerate(self._columns):
            for rank, path in enumerate((column.name, *column.names) if column.is_in_files else ()):
                if " " not in path:
                    self._paths[path] = (number, rank)
                    continue
                parts: list[int] = []
                for part in path.split(" "):
                    self._paths[part] = (self._width + sum(len(each) for _, each in self._joined) + len(parts), 0)
                    parts.append(self._paths[part][0])
                self._joined.append((number, parts))
        self._slots = self._width + sum(len(each) for _, each in self._joined)
        self._prefixes = {path.rsplit(".", 1)[0] for path in self._paths if "." in path}
        self._inherited = [self._place[name] for name in self._basket.inherited]
        self._own = [(self._place[name], self._place[kept]) for name, kept in self._basket.own]
        self._number = self._place.get(self._basket.number, -1)
        self._parts = {part: self._place[source.part(part)] for part in ("whole", "place", "told") if self._has(part)}
        key = [column for column in self._columns if column.stored in source.key and column.required]
        self._key = [self._place[column.name] for column in key]
        self._plans: dict[tuple[str, str, tuple[str, ...]], _Plan] = {}
        self.unknown: set[str] = set()

    def _has(self, part: str) -> bool:
        return any(column.part == part for column in self._source.columns)

    def rows(self, file: FileFacts) -> Iterator[list[str | None]]:
        """Yield the rows of a file: the texts of the columns, what is wrong with the row as a whole, the object as it came.

        Raises:
            UnreadableError: the file is no JSON, an element of it is no object, or none has the key.
            json.JSONDecodeError: an object is no JSON.
        """
        self.unknown = set()
        seen: set[int] = set()
        any_object = False
        for text, pairs in self._objects(file):
            any_object = True
            yield from self._rows_of(text, pairs, seen)
        missing = [self.header[place] for place in self._key if place not in seen]
        if any_object and missing:
            raise UnreadableError(header_problem([], missing))

    def _objects(self, file: FileFacts) -> Iterator[tuple[str, _Object]]:
        """Yield the objects of a file; those of the one array of a file that is a single object without the key."""
        first: tuple[str, _Object] | None = None
        number = 0
        for number, each in enumerate(json_objects(file, _DECODER, may_be_empty=True), 1):
            if number == 1:
                first = each
                continue
            if first is not None:
                yield first
                first = None
            yield each
        if first is None:
            return
        rows = self._enveloped(first[1])
        if rows is None:
            yield first
            return
        for row in rows:
            yield json.dumps(_plain(row), ensure_ascii=False), row

    def _enveloped(self, pairs: _Object) -> list[_Object] | None:
        names = {name.strip().lower() for name, _ in pairs}
        if any(self.header[place] in names or names & set(self._columns[place].names) for place in self._key):
            return None
        arrays = [value for _, value in pairs if type(value) is list and all(type(each) is _Object for each in value)]
        return arrays[0] if len(arrays) == 1 else None

    # One object

    def _rows_of(self, text: str, pairs: _Object, seen: set[int]) -> Iterator[list[str | None]]:
        whole = self._read(pairs, "")
        seen |= whole.told
        if not whole.has_items or self._is_deleted(whole):
            yield self._finished(whole, text, 1, is_basket=False)
            return
        items = whole.items
        if type(items) is not list or not items or any(type(each) is not _Object for each in items):
            whole.wrong.append(f"{self._basket.items} is no array of objects, or an empty one")
            yield self._finished(whole, text, 1, is_basket=True)
            return
        read = [self._read(each, f"{self._basket.items}.") for each in items]
        for item in read:
            seen |= item.told
            for column in self._inherited:
                if item.texts[column] is None and whole.texts[column] is not None:
                    item.texts[column] = whole.texts[column]
            item.told |= whole.told
            item.wrong = whole.wrong + item.wrong
        for column, kept in self._own:
            if not any(_is_something(item.texts[column]) for item in read):
                for item in read:
                    item.texts[kept] = whole.texts[column]
        self._compare_items(read)
        for place, item in enumerate(read, 1):
            yield self._finished(item, text, place, is_basket=True)

    def _is_deleted(self, whole: _Read) -> bool:
        if not self._deleted:
            return False
        text = whole.texts[self._place[self._deleted]]
        return text is not None and text.strip().lower() in TRUE_WORDS

    def _compare_items(self, read: Sequence[_Read]) -> None:
        """Note on every item that two have one number, or that they name several records."""
        if self._number >= 0 and any(item.texts[self._number] is not None for item in read):
            numbers = [_whole_number(item.texts[self._number], place) for place, item in enumerate(read, 1)]
            twice = {number for number in numbers if numbers.count(number) > 1}
            if twice:
                for item in read:
                    item.wrong.append(f"{self.header[self._number]} {min(twice)} stands at two lines of the basket")
        for key in self._key:
            if len({identifier(item.texts[key] or "") for item in read}) > 1:
                for item in read:
                    item.wrong.append(f"the lines of the basket name several {self.header[key]}")

    def _finished(self, read: _Read, text: str, place: int, *, is_basket: bool) -> list[str | None]:
        texts = read.texts[: self._width]
        for part, column in self._parts.items():
            match part:
                case "place":
                    texts[column] = str(place)
                case "whole":
                    texts[column] = "true" if is_basket else None
                case "told":
                    texts[column] = ",".join(sorted(self.header[each] for each in read.told))
        texts.append("; ".join(dict.fromkeys(read.wrong)) if read.wrong else None)
        texts.append(text)
        return texts

    def _read(self, pairs: _Object, path: str) -> _Read:
        read = _Read([None] * self._slots)
        self._fill(read, pairs, path, "")
        if not self._joined:
            return read
        for number, parts in self._joined:
            if read.texts[number] is None and any(read.texts[part] is not None for part in parts):
                read.texts[number] = " ".join(read.texts[part] or "" for part in parts).strip()
            if any(part in read.told for part in parts):
                read.told.add(number)
        read.told = {each for each in read.told if each < self._width}
        return read

    def _fill(self, read: _Read, pairs: _Object, path: str, prefix: str) -> None:
        names = tuple([name for name, _ in pairs])
        plan = self._plans.get((path, prefix, names))
        if plan is None:
            plan = self._plans[path, prefix, names] = self._planned(path, prefix, names)
        if not plan.unknown <= self.unknown:
            self.unknown |= plan.unknown
        if plan.twice:
            read.wrong.append(f"column {prefix}{plan.twice} stands twice")
        read.told |= plan.told
        texts = read.texts
        for column, place in plan.direct:
            value = pairs[place][1]
            text = (value or None) if type(value) is str else self._text(column, value)
            if texts[column] is None:
                texts[column] = text
            elif text is not None and text != texts[column]:
                read.wrong.append(f"{self._name(column)} has two values under different names")
        for column, places in plan.rival:
            for place in places:
                text = self._text(column, pairs[place][1])
                if read.texts[column] is None:
                    read.texts[column] = text
                elif text is not None and text != read.texts[column]:
                    read.wrong.append(f"{self._name(column)} has two values under different names")
        for place, below in plan.nested:
            value = pairs[place][1]
            if type(value) is _Object:
                self._fill(read, value, path, f"{below}.")
            elif value is not None:
                read.wrong.append(f"{below} is no object")
        if plan.items >= 0 and not path:
            read.items, read.has_items = pairs[plan.items][1], True

    def _name(self, column: int) -> str:
        return self.header[column] if column < self._width else "the name"

    def _planned(self, above: str, prefix: str, names: Sequence[str]) -> _Plan:
        found: dict[int, list[tuple[int, int]]] = {}
        nested: list[tuple[int, str]] = []
        items, twice = -1, ""
        unknown: set[str] = set()
        known: set[str] = set()
        for place, came in enumerate(names):
            name = came.strip().lower()
            if name in known:
                twice = twice or name
                continue
            known.add(name)
            path = f"{prefix}{name}"
            if path in self._paths:
                column, rank = self._paths[path]
                found.setdefault(column, []).append((rank, place))
            elif path in self._prefixes:
                nested.append((place, path))
            elif self._basket.items and path == self._basket.items and not above:
                items = place
            elif name:
                unknown.add(f"{above}{path}")
        direct = tuple((column, places[0][1]) for column, places in found.items() if len(places) == 1)
        rival = tuple(
            (column, tuple(place for _, place in sorted(places))) for column, places in found.items() if len(places) > 1
        )
        return _Plan(direct, rival, tuple(nested), items, twice, frozenset(found), frozenset(unknown))

    def _text(self, column: int, value: Any) -> str | None:
        """Return the text of a value, as a CSV file would have it; marked where it is none."""
        kind = self._kinds[column] if column < self._width else "text"
        if value is None:
            return None
        of = type(value)
        if of is str:
            return value or None
        if of is _Number:
            return _digits(value) if kind == "id" else str(value)
        if of is bool:
            word = "true" if value else "false"
            return word if kind == "bool" else f"{MISREAD}{word}"
        if of is _Constant:
            return None if kind == "id" and value == "NaN" else f"{MISREAD}{value}"
        return f"{MISREAD}an object" if of is _Object else f"{MISREAD}an array"


def _is_something(text: str | None) -> bool:
    if text is None or not text.strip():
        return False
    try:
        return Decimal(text.strip()) != 0
    except InvalidOperation:
        return True


def _whole_number(text: str | None, place: int) -> int:
    """Return the number of an item; its place where it has none, and something that no other has where it cannot be read."""
    if text is None or not text.strip():
        return place
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return -place
    return int(number) if number.is_finite() and abs(number) < 10**18 else -place


def _digits(number: str) -> str:
    """Return the digits of a whole number, however many; a number that is not whole is marked."""
    if number.isdigit():
        return str(number)
    value = Decimal(number)
    if value.adjusted() > 100 or value != value.to_integral_value():
        return f"{MISREAD}{number}, which is not whole"
    return f"{value.to_integral_value():f}"


def _plain(value: Any) -> Any:
    if type(value) is _Object:
        return {name: _plain(each) for name, each in value}
    return [_plain(each) for each in value] if type(value) is list else value
