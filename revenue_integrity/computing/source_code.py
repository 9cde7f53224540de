"""The text of our modules as the version of a rule sees it: definitions by name, a normal form, the names that code uses.

Belongs here: reading sources, and scopes of names. Does not belong here: what is reached from where (``reached``).

The normal form is the syntax tree without comments, formatting, docstrings, and annotations that decide nothing.
"""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import SourceFileLoader
from typing import NamedTuple

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)

_SAYS_NOTHING = frozenset({"ctx", "kind", "type_comment", "type_params", "type_ignores", "returns"})
"""Fields of a syntax tree that decide no result (or that only some versions of Python have)."""


class Imported(NamedTuple):
    """Where an imported name comes from; the module itself if ``name`` is empty."""

    module: str
    name: str = ""


class Used(NamedTuple):
    """A name that code uses and does not bind itself, with the attributes that are asked of it (``months``, ``add``).

    ``via`` is the import inside the function that binds the first of ``names``, where there is one.
    """

    names: tuple[str, ...]
    via: Imported | None = None


@dataclass
class Module:
    """A module's top level.

    Attributes:
        name: its full name.
        body: its statements.
        definitions: the statements that bind or change each name, imports left out.
        imports: where each imported name comes from.
        rebound: names that functions bind anew while the program runs.
    """

    name: str
    body: list[ast.stmt]
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Imported] = field(default_factory=dict)
    rebound: frozenset[str] = frozenset()


@cache
def module_named(name: str) -> Module:
    """Return a module's top level, parsed once.

    Raises:
        TypeError: the module has no source.
    """
    source = _source(name)
    body = ast.parse(source).body
    module = Module(name, body)
    for statement in body:
        for bound, imported in _bindings([statement]).items():
            if imported is None:
                module.definitions.setdefault(bound, []).append(statement)
            else:
                module.imports[bound] = _absolute(imported, name)
        changed = _changed_in_place(statement)
        if changed and statement not in module.definitions.get(changed, []):
            module.definitions.setdefault(changed, []).append(statement)
    if "global " in source:
        named = [each.names for each in ast.walk(ast.Module(body, [])) if isinstance(each, ast.Global)]
        module.rebound = frozenset(name for names in named for name in names)
    return module


def _source(name: str) -> str:
    spec = sys.modules[name].__spec__ if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or not spec.has_location or spec.origin is None:
        raise TypeError(f"module {name} has no source, so no version can be told of what uses it")
    # Whatever loaded the module, its source stands here.
    return str(SourceFileLoader(name, spec.origin).get_source(name))


def _absolute(imported: Imported, importer: str) -> Imported:
    if not imported.module.startswith("."):
        return imported
    spec = sys.modules[importer].__spec__
    return Imported(importlib.util.resolve_name(imported.module, spec.parent if spec else None), imported.name)


def _changed_in_place(statement: ast.stmt) -> str:
    """Return the name whose value a top-level statement changes without binding it (``NAMES["x"] = …``, ``NAMES.append(…)``)."""
    if isinstance(statement, ast.Assign | ast.AugAssign):
        changed: ast.expr = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        changed = statement.value.func
    else:
        return ""
    if not isinstance(changed, ast.Attribute | ast.Subscript):
        return ""
    while isinstance(changed, ast.Attribute | ast.Subscript | ast.Call):
        changed = changed.func if isinstance(changed, ast.Call) else changed.value
    return changed.id if isinstance(changed, ast.Name) else ""


def _bindings(nodes: Iterable[ast.AST]) -> dict[str, Imported | None]:
    """Return what statements bind in their own scope; ``None`` for a name that is not imported."""
    bound: dict[str, Imported | None] = {}
    elsewhere: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Import():
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    bound[alias.asname or first] = Imported(alias.name if alias.asname else first)
            case ast.ImportFrom():
                module = "." * node.level + (node.module or "")
                bound |= {alias.asname or alias.name: Imported(module, alias.name) for alias in node.names}
            case ast.Global():
                elsewhere |= set(node.names)
            case ast.Lambda():
                pass
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound[node.name] = None
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                walrus = [each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr)]
                bound |= dict.fromkeys(walrus)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                bound[node.id] = None
            case _:
                if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                    bound[node.name] = None
                if isinstance(node, ast.MatchMapping) and node.rest:
                    bound[node.rest] = None
                waiting += _inside(node)
    return {name: imported for name, imported in bound.items() if name not in elsewhere}


def _inside(node: ast.AST) -> list[ast.AST]:
    """Return the nodes directly inside a node; ``ast.iter_child_nodes`` takes twice as long, and all code is gone through."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
    return found


def normal_form(nodes: Sequence[ast.AST]) -> str:
    """Return a hash of code that comments, docstrings and formatting do not change."""
    parts: list[str] = []
    for node in nodes:
        _write(node, parts, in_class=False)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _write(node: ast.AST, parts: list[str], *, in_class: bool) -> None:
    parts.append(type(node).__name__)
    for name in node._fields:
        value = getattr(node, name, None)
        # In a class annotations make fields; elsewhere they decide nothing.
        if name in _SAYS_NOTHING or (name == "annotation" and not (in_class and isinstance(node, ast.AnnAssign))):
            continue
        if isinstance(value, list):
            written = [each for each in value if not _is_text_alone(each)]
            if written:
                parts.append(f"{name}[{len(written)}")
                for each in written:
                    _write_value(each, parts, in_class=isinstance(node, ast.ClassDef))
        elif value is not None:
            parts.append(name)
            _write_value(value, parts, in_class=False)


def _write_value(value: object, parts: list[str], *, in_class: bool) -> None:
    if isinstance(value, ast.AST):
        _write(value, parts, in_class=in_class)
    else:
        parts.append(repr(value))


def _is_text_alone(node: object) -> bool:
    """Return whether a statement is a string that nobody uses: a docstring, of whatever it stands behind."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def names_used(nodes: Sequence[ast.AST], module: str, around: Sequence[ast.AST] = ()) -> frozenset[Used]:
    """Return the names that code uses and does not bind itself; ``around`` are the functions that it stands in, from outside."""
    finder = _Finder(module)
    for function in around:
        finder.enter(function)
    for node in nodes:
        finder.visit(node)
    return frozenset(finder.found)


class _Finder(ast.NodeVisitor):
    """Goes through code with the names that each scope binds; annotations are not looked at."""

    def __init__(self, module: str) -> None:
        self.found: set[Used] = set()
        self._module = module
        # Names of a class body are seen by its own statements alone.
        self._scopes: list[tuple[bool, Mapping[str, Imported | None]]] = []

    def enter(self, function: ast.AST) -> None:
        """Begin the scope of a function, lambda or class."""
        if isinstance(function, ast.ClassDef):
            self._scopes.append((True, _bindings(function.body)))
            return
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        given = function.args
        several = [each for each in (given.vararg, given.kwarg) if each is not None]
        named = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, *several)]
        body = [function.body] if isinstance(function, ast.Lambda) else function.body
        self._scopes.append((False, {**dict.fromkeys(named), **_bindings(body)}))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_all([*node.decorator_list, *_defaults(node.args)])
        self._within(node, node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_all([*node.decorator_list, *_defaults(node.args)])
        self._within(node, node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all(_defaults(node.args))
        self._within(node, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self._within(node, node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.target, *([node.value] if node.value else [])])

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node.generators, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._visit_comprehension(node.generators, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node.generators, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node.generators, [node.key, node.value])

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        names = [node.attr]
        value = node.value
        while isinstance(value, ast.Attribute):
            names.append(value.attr)
            value = value.value
        if isinstance(value, ast.Name):
            self._use((value.id, *reversed(names)))
        else:
            self.visit(value)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _within(self, scope: ast.AST, nodes: Sequence[ast.AST]) -> None:
        self.enter(scope)
        self._visit_all(nodes)
        self._scopes.pop()

    def _visit_comprehension(self, generators: Sequence[ast.comprehension], results: Sequence[ast.AST]) -> None:
        # What the first loop goes over is evaluated outside.
        self.visit(generators[0].iter)
        bound = [each.id for loop in generators for each in ast.walk(loop.target) if isinstance(each, ast.Name)]
        self._scopes.append((False, dict.fromkeys(bound)))
        self._visit_all(each for loop in generators for each in (loop.target, *loop.ifs))
        self._visit_all(loop.iter for loop in generators[1:])
        self._visit_all(results)
        self._scopes.pop()

    def _use(self, names: tuple[str, ...]) -> None:
        innermost = len(self._scopes) - 1
        for number, (is_class, bound) in reversed(list(enumerate(self._scopes))):
            if names[0] in bound and (not is_class or number == innermost):
                imported = bound[names[0]]
                if imported is not None:
                    self.found.add(Used(names, _absolute(imported, self._module)))
                return
        self.found.add(Used(names))


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [each for each in (*arguments.defaults, *arguments.kw_defaults) if each is not None]


def definition_at(module: Module, qualified: str, line: int) -> tuple[list[ast.AST], list[ast.AST]]:
    """Return the code of a function or lambda by its qualified name and first line, and the functions that it stands in.

    Lambdas that begin on one line cannot be told apart: all of them are returned.

    Raises:
        TypeError: there is none: the source has changed since it was loaded, or was made while the program ran.
    """
    found: list[tuple[list[ast.AST], ast.AST]] = [([], ast.Module(module.body, []))]
    for name in (each for each in qualified.split(".") if each != "<locals>"):
        found = [
            ([*around, *([] if isinstance(node, ast.Module) else [node])], inner)
            for around, node in found
            for inner in _directly_inside(node)
            if (name == "<lambda>" if isinstance(inner, ast.Lambda) else inner.name == name)  # type: ignore[attr-defined]  # a scope
        ]
    at_line = [each for each in found if _first_line(each[1]) == line]
    if not at_line:
        raise TypeError(f"{qualified} of {module.name} is not in its source, so no version can be told of it")
    return [node for _, node in at_line], at_line[0][0]


def _directly_inside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield functions, classes and lambdas inside code, those inside each other left out."""
    for inner in _inside(node):
        if isinstance(inner, (*_SCOPES, ast.Lambda)):
            yield inner
        else:
            yield from _directly_inside(inner)


def _first_line(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])  # type: ignore[attr-defined]  # all of these have lines
