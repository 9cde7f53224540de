"""What code reaches of ours, directly or not, and one hash of it.

Belongs here: walking from a function over the functions, classes, constants, tables and SQL that it uses. Does not belong here:
reading sources (``source_code``), what a rule or a check is made of (``versions``).

What is handed in when the code runs (settings, a reader of the warehouse, frames) is not reached: settings count by their
values, what was read by its hash. Libraries do not count, for their versions are pinned; that a name comes from another one does.

A name that stands for a value counts by the value; for one that may change while the program runs, or that has no text of its
own, the statements count that make it. A table counts by its declaration, without the words that only people read.
"""

import builtins
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from revenue_integrity.canonical import canonical_json, sha256_of
from revenue_integrity.computing.source_code import Imported, Module, Used, definition_at, module_named, names_used, normal_form
from revenue_integrity.model.query import Sql, Template
from revenue_integrity.model.table import Table

_PROGRAM = __name__.partition(".")[0]

_FOR_PEOPLE = frozenset({"description", "owner"})
"""Fields of declarations (``model``) that decide no row."""


@dataclass(frozen=True)
class Reached:
    """What some code reaches.

    Attributes:
        version: a hash of it, the same in every process.
        parts: each part by its name (``<module>:<name>``) with its own hash.
        sql: the files of SQL among them.
    """

    version: str
    parts: Mapping[str, str]
    sql: frozenset[Sql]


@dataclass(frozen=True)
class _Part:
    """A definition: its hash, and the names of the parts that it uses."""

    digest: str
    uses: frozenset[str]
    sql: frozenset[Sql] = frozenset()


class _NoValueError(TypeError):
    """An object has no text that is the same in every process."""


def reached(*roots: object) -> Reached:
    """Return what code and values reach.

    Raises:
        TypeError: something is reached of which no version can be told.
    """
    text = _Text()
    values = [text.of(root) for root in roots]
    parts: dict[str, str] = {}
    sql = set(text.sql)
    waiting = sorted(text.uses)
    while waiting:
        name = waiting.pop()
        if name not in parts:
            part = _part(name)
            parts[name] = part.digest
            sql |= part.sql
            waiting += part.uses
    return Reached(sha256_of([values, sorted(parts.items())]), dict(sorted(parts.items())), frozenset(sql))


def is_ours(module: str) -> bool:
    """Return whether a module is of this program: its package, or one beside it that brings streams of its own (the tests)."""
    top = module.partition(".")[0]
    return top == _PROGRAM or top.startswith(f"{_PROGRAM}_")


@cache
def _part(name: str) -> _Part:
    """Return a part by its name: ``<module>:<name>``, of a value's attribute ``<module>:<name>.<attribute>``."""
    module_name, _, path = name.partition(":")
    module = module_named(module_name)
    first, *attributes = path.split(".")
    nodes = module.definitions[first]
    if not any(hasattr(node, "name") for node in nodes) and first not in module.rebound:
        value = getattr(import_module(module_name), first)
        for attribute in attributes:
            value = getattr(value, attribute)
        try:
            text = _Text(constant=True)
            return _Part(sha256_of(text.of(value)), frozenset(text.uses), frozenset(text.sql))
        except _NoValueError:
            pass
    names = _followed(names_used(nodes, module_name), module)
    return _Part(sha256_of([normal_form(nodes), sorted(names.items())]), frozenset(filter(_is_part, names.values())))


@cache
def _made(module_name: str, qualified: str, line: int) -> tuple[str, frozenset[str]]:
    """Return a hash of the code of a function that another one makes, and the parts that it uses."""
    module = module_named(module_name)
    nodes, around = definition_at(module, qualified, line)
    names = _followed(names_used(nodes, module_name, around), module)
    return sha256_of([normal_form(nodes), sorted(names.items())]), frozenset(filter(_is_part, names.values()))


def _is_part(name: str) -> bool:
    return ":" in name


def _followed(used: Iterable[Used], module: Module) -> dict[str, str]:
    """Return for each name that code uses the part that it leads to, or where else it comes from."""
    found = {}
    for each in used:
        target = _in_module(module, each.names) if each.via is None else _imported(each.via, each.names[1:])
        if target:
            found[".".join(each.names)] = target
    return found


def _in_module(module: Module, names: tuple[str, ...]) -> str:
    first, *rest = names
    if first in module.definitions:
        return _definition(module, first, rest)
    if first in module.imports:
        return _imported(module.imports[first], tuple(rest))
    if hasattr(builtins, first) or first in ("__name__", "__file__", "__package__"):
        return ""
    raise TypeError(f"{module.name} uses {first}, which is defined nowhere that could be read")


def _imported(source: Imported, rest: tuple[str, ...]) -> str:
    if not is_ours(source.module):
        return f"{source.module}.{source.name}".rstrip(".")
    module = module_named(source.module)
    names = (source.name, *rest) if source.name else rest
    if not names:
        raise TypeError(f"{source.module} is used as a value, so nobody can tell what is used of it")
    if names[0] not in module.definitions and names[0] not in module.imports and _is_module(f"{source.module}.{names[0]}"):
        return _imported(Imported(f"{source.module}.{names[0]}"), names[1:])
    return _in_module(module, names)


@cache
def _is_module(name: str) -> bool:
    return find_spec(name) is not None


def _definition(module: Module, name: str, attributes: list[str]) -> str:
    """Return the part that a name and what is asked of it lead to: of a record of values, only what is asked for."""
    path = [name]
    if not any(hasattr(node, "name") for node in module.definitions[name]):
        value: Any = getattr(import_module(module.name), name, None)
        for attribute in attributes:
            if not _is_record(value) or isinstance(value, Table) or attribute not in {each.name for each in fields(value)}:
                break
            value = getattr(value, attribute)
            path.append(attribute)
    return f"{module.name}:{'.'.join(path)}"


def _is_record(value: object) -> bool:
    """Return whether a value is an instance of a data class that does not change."""
    # The stubs leave out what every data class has.
    return is_dataclass(value) and not isinstance(value, type) and type(value).__dataclass_params__.frozen  # type: ignore[attr-defined]


class _Text:
    """Makes text of values, the same in every process, and notes the parts and the SQL that they lead to.

    A ``constant`` is a value of the whole program: what in it may change while the program runs has no text.
    """

    def __init__(self, *, constant: bool = False) -> None:
        self.uses: set[str] = set()
        self.sql: set[Sql] = set()
        self._constant = constant
        self._depth = 0

    def of(self, value: Any) -> Any:
        """Return what JSON can hold of a value.

        Raises:
            _NoValueError: there is no such text.
        """
        self._depth += 1
        try:
            return self._of(value)
        finally:
            self._depth -= 1

    def _of(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | str() if not isinstance(value, Enum):
                return value
            case Enum():
                return [self._class(type(value)), value.name]
            case float() | complex() | bytes() | Decimal() | Fraction() | date() | datetime() | time() | timedelta():
                return [type(value).__name__, str(value)]
            case tzinfo():
                return [type(value).__name__, str(value)]
            case re.Pattern():
                return ["pattern", value.pattern, value.flags]
            case Table():
                self._class(Table)
                return ["table", _declaration(value)]
            case Sql():
                self._class(Sql)
                self.sql.add(value)
                path = value.path.path if isinstance(value.path, Template) else value.path
                return ["sql", value.package, path, value.normal_form]
            case tuple():
                kind = [] if type(value) is tuple else [self._class(type(value))]
                return ["tuple", *kind, *(self.of(each) for each in value)]
            case frozenset():
                return ["set", *sorted(map(canonical_json, map(self.of, value)))]
            case list() | dict() | set() if self._constant and self._depth == 1:
                raise _NoValueError
            case list():
                return ["list", *map(self.of, value)]
            case set():
                return ["set", *sorted(map(canonical_json, map(self.of, value)))]
            case Mapping():
                # The order counts: whoever goes through it may rest on it.
                return ["mapping", *([self.of(key), self.of(each)] for key, each in value.items())]
            case partial():
                return ["partial", self.of(value.func), self.of(value.args), self.of(value.keywords)]
            case MethodType():
                return ["method", self.of(value.__self__), value.__func__.__name__]
            case type():
                return ["class", self._class(value)]
            case FunctionType():
                return self._function(value)
            case BuiltinFunctionType():
                return ["function", f"{value.__module__}.{value.__qualname__}"]
            case _ if is_dataclass(value) and (_is_record(value) or not self._constant):
                return self._record(value)
            case _ if isinstance(getattr(value, "__wrapped__", None), FunctionType):
                # A function behind a cache.
                return ["wrapped", self._class(type(value)), self.of(value.__wrapped__)]
            case ModuleType() if not is_ours(value.__name__):
                return ["module", value.__name__]
        raise _NoValueError(f"{value!r} has no text that is the same in every process, so no version can be told of it")

    def _record(self, value: Any) -> Any:
        left_out = _FOR_PEOPLE if type(value).__module__.startswith(f"{_PROGRAM}.model.") else frozenset()
        named = [[each.name, self.of(getattr(value, each.name))] for each in fields(value) if each.name not in left_out]
        return ["record", self._class(type(value)), *named]

    def _class(self, found: type) -> str:
        if not is_ours(found.__module__):
            return f"{found.__module__}.{found.__qualname__}"
        if "<locals>" in found.__qualname__:
            raise _NoValueError(f"{found.__qualname__} is made while the program runs, so no version can be told of it")
        name = f"{found.__module__}:{found.__qualname__.partition('.')[0]}"
        self.uses.add(name)
        return name

    def _function(self, function: FunctionType) -> Any:
        code, module_name = function.__code__, str(function.__globals__["__name__"])
        if not is_ours(module_name):
            return ["function", f"{module_name}.{code.co_qualname}"]
        module = module_named(module_name)
        first = code.co_qualname.partition(".")[0]
        if first in module.definitions and "<" not in code.co_qualname and not function.__closure__:
            name = f"{module_name}:{first}"
            self.uses.add(name)
            return ["function", name, code.co_qualname]
        # Made by another function (or a lambda): its code, and the values that it was made with.
        made, uses = _made(module_name, code.co_qualname, code.co_firstlineno)
        self.uses |= uses
        held = zip(code.co_freevars, function.__closure__ or (), strict=True)
        made_with = [[name, self.of(cell.cell_contents)] for name, cell in held if cell.cell_contents is not function]
        defaults = [self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        return ["function", module_name, code.co_qualname, made, made_with, defaults]


def _declaration(table: Table) -> Any:
    """Return what a declaration says of the rows of a table; descriptions, units and owners are for people."""
    columns = [
        [
            name,
            table.sql_type(name),
            bool(column.nullable),
            [
                [check.name, sorted((key, _told(given)) for key, given in (check.statistics or {}).items())]
                for check in column.checks
            ],
        ]
        for name, column in table.schema.columns.items()
    ]
    named = [list(table.key), list(table.also_named_by), list(table.content_excludes), table.partition, table.slice_column]
    return [table.qualified, columns, named]


def _told(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(map(str, value))
    return str(getattr(value, "pattern", value))
