"""SQL as a value: the text of one file and the parameters that it is run with.

Belongs here: loading a query from the package, and keeping code to the SQL that its version knows. Does not belong here: running
it (``computing``), what a version is (``computing.versions``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")
_COMMENT = re.compile(r"--[^\n]*")
_IN_TEMPLATES = ("{%", "{{", "{#")
_TOKEN = re.compile(
    r"""(?P<nothing>\s+|--[^\n]*|/\*.*?\*/)|'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\W\d]\w*|\d+(?:\.\d+)?|.""", re.DOTALL
)
"""A token of SQL; comments and white space between tokens say nothing."""

_SHARED_PACKAGE = "revenue_integrity.close"


@dataclass(frozen=True)
class Query:
    """A ``select`` that the engine runs; the rows never enter Python.

    Parameters are named (``$month``) and bound by the engine, never pasted into the text.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bound(self) -> dict[str, Any]:
        """The parameters that the text names; the engine refuses any other.

        Raises:
            KeyError: the text names a parameter that was not given.
        """
        return {name: self.parameters[name] for name in sorted(set(_PARAMETER.findall(_COMMENT.sub("", self.sql))))}


@dataclass(frozen=True)
class Template:
    """SQL that is written out for what is declared: tables, columns, reconciliations. Names alone; values are parameters.

    Attributes:
        path: its file below a ``sql`` folder, without ``.sql.j2``.
        names: what it is given, by name; hashable, for the text is made once.
    """

    path: str
    names: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Sql:
    """SQL of a package: the file ``sql/<path>.sql``, or a template with what it is given.

    Whoever holds one has it in his version (``computing.reached``): a rule declares its SQL, a check holds what it runs.
    """

    package: str
    path: str | Template

    @property
    def text(self) -> str:
        """The text, with the files that it includes put in."""
        return _text(self.package, self.path)

    @property
    def normal_form(self) -> str:
        """The text without comments, on which formatting has no part."""
        return "\x1f".join(each[0] for each in _TOKEN.finditer(self.text) if each.lastgroup != "nothing")

    def query(self, **parameters: Any) -> Query:
        """Return the query with its parameters."""
        return load_query(self.package, self.path, **parameters)


_KNOWN: ContextVar[Set[Sql] | None] = ContextVar("known_sql", default=None)


@contextmanager
def only_known(known: Set[Sql]) -> Iterator[None]:
    """Let only some SQL be loaded: a rule that ran other SQL would stay as it is when that changes."""
    token = _KNOWN.set(known)
    try:
        yield
    finally:
        _KNOWN.reset(token)


def read_sql(package: str, path: str | Template) -> str:
    """Return the text of ``sql/<path>.sql`` of a package, with the files that it includes put in, or of a template.

    What several queries share stands in ``.sql.j2`` files; an include is the only thing that a plain file uses templates for,
    beside the expressions that the included file asks its includer for. Values are parameters, never text.

    Raises:
        RuntimeError: the code that runs may not load this SQL, for its version does not know it.
    """
    known = _KNOWN.get()
    if known is not None and Sql(package, path) not in known:
        told = path.path if isinstance(path, Template) else path
        raise RuntimeError(f"the SQL {told} of {package} is run by code whose version does not know it: declare it (`sql=`)")
    return _text(package, path)


@cache
def _text(package: str, path: str | Template) -> str:
    templates = _templates(package)
    if isinstance(path, Template):
        return templates.get_template(f"{path.path}.sql.j2").render(dict(path.names))
    name = f"{path}.sql"
    assert templates.loader is not None
    text, _, _ = templates.loader.get_source(templates, name)
    if not any(begins in text for begins in _IN_TEMPLATES):
        # To make a template of it takes longer than many a query runs, and most files include nothing.
        return text.removesuffix("\n")
    return templates.get_template(name).render()


@cache
def _templates(package: str) -> "Environment":
    """Return the templates of a package; each file that several include is then read once."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    # What every stream shares (the reconcile engine) stands with the close.
    loader = ChoiceLoader([PackageLoader(package, "sql"), PackageLoader(_SHARED_PACKAGE, "sql")])
    return Environment(loader=loader, undefined=StrictUndefined)


def listed_days(days: Sequence[date]) -> str:
    """Return days as SQL literals, for ``in (…)``; one that never is where there are none, for an empty list is no SQL.

    Literals, not a parameter: of what stands in the order of days the engine then reads only where the days stand.
    """
    return ", ".join(f"date '{day}'" for day in days) or "date '0001-01-01'"


def load_query(package: str, path: str | Template, **parameters: Any) -> Query:
    """Return the query in the package's ``sql/<path>.sql``, or that of a template, with its parameters."""
    return Query(read_sql(package, path), parameters)
