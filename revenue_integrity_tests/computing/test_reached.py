"""What code reaches: each way in which it can use something of ours, over a package that is written, imported and changed."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.computing import reached as walking
from revenue_integrity.computing import source_code
from revenue_integrity.computing.reached import Reached, reached
from revenue_integrity.model import query

PACKAGE = "revenue_integrity_sample"

FILES = {
    "__init__.py": "",
    "tools.py": """
        import re
        from dataclasses import dataclass, field
        from decimal import ROUND_HALF_UP, Context
        from enum import Enum
        from functools import cache, partial, wraps

        PLACES = 2
        CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)
        NAMES = ["a"]
        NAMES.append("b")
        KNOWN = {}
        PATTERN = re.compile("[a-z]+")

        class Kind(Enum):
            ONE = 1

        @dataclass(frozen=True)
        class Words:
            plain: str = "plain"
            loud: str = "loud"

        WORDS = Words()

        @dataclass(frozen=True)
        class Row:
            cents: int
            def doubled(self): return self.cents * 2

        def unused(): return 1

        def rounded(value, places=PLACES): return CONTEXT.quantize(value, places)

        def remembered(name):
            if name not in KNOWN:
                KNOWN[name] = PATTERN.match(name)
            return KNOWN[name]

        @cache
        def behind_a_cache(x): return x + 1

        def twice(function):
            @wraps(function)
            def wrapper(*args): return function(*args), function(*args)
            return wrapper

        @twice
        def decorated(x): return x + 1

        def made(limit, step=1):
            def judge(x): return x > limit + step
            return judge

        less = partial(made, 3)
    """,
    "rules.py": """
        from revenue_integrity_sample import tools
        from revenue_integrity_sample.tools import CONTEXT, NAMES, Kind, Row, behind_a_cache, decorated, less, made, rounded

        def constant(x): return tools.PLACES + x
        def default(x): return rounded(x)
        def unknown_context(x): return CONTEXT
        def changed_in_place(x): return NAMES
        def a_field(x): return tools.WORDS.plain
        def method(x): return Row(x).doubled()
        def enum(x): return Kind.ONE
        def cached(x): return behind_a_cache(x)
        def wrapped(x): return decorated(x)
        def mutable(x): return tools.remembered(x)
        def partly(x): return less(x)
        def inside(x):
            from revenue_integrity_sample.tools import unused
            def deep(): return unused()
            return deep()
        def alone(x): return x
        def through_a_list(x): return [each(x) for each in STEPS]
        STEPS = (default, method)
        closure = made(5)
        other_closure = made(6)
        several = [lambda x: x + 1, lambda x: x + tools.PLACES]
    """,
    "sql/query.sql": "select a, b from t -- of all\nwhere a = 'x  --y'\n",
}

Sample = Callable[..., Any]


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sample]:
    """Return what imports the package with some texts replaced and gives its module of rules."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
        for known in (source_code.module_named, walking._part, walking._made, walking._is_module, query._text, query._templates):
            known.cache_clear()

    def written(**changes: tuple[str, str]) -> Any:
        for place, text in FILES.items():
            file = tmp_path / PACKAGE / place
            file.parent.mkdir(parents=True, exist_ok=True)
            plain = textwrap.dedent(text)
            for old, new in changes.values():
                plain = plain.replace(old, new)
            file.write_text(plain, encoding="utf-8")
        forget()
        import importlib

        importlib.invalidate_caches()
        return importlib.import_module(f"{PACKAGE}.rules")

    yield written
    forget()


def versions(rules: Any) -> dict[str, str]:
    """Return the version of each function of the sample."""
    found = {name: reached(each).version for name, each in vars(rules).items() if callable(each) and name[0].islower()}
    return found | {"several": reached(*rules.several).version}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("PLACES = 2", "PLACES = 3", {"constant", "default", "through_a_list", "rounded", "several"}),
        ("ROUND_HALF_UP)", "'ROUND_HALF_EVEN')", {"default", "unknown_context", "through_a_list", "rounded"}),
        ("def rounded(value, places=PLACES)", "def rounded(value, places=7)", {"default", "through_a_list", "rounded"}),
        ('NAMES.append("b")', 'NAMES.append("c")', {"changed_in_place"}),
        ('plain: str = "plain"', 'plain: str = "other"', {"a_field"}),
        ('loud: str = "loud"', 'loud: str = "other"', set()),
        ("self.cents * 2", "self.cents * 3", {"method", "through_a_list"}),
        ("ONE = 1", "ONE = 2", {"enum"}),
        ("def behind_a_cache(x): return x + 1", "def behind_a_cache(x): return x", {"cached", "behind_a_cache"}),
        ("def wrapper(*args): return function", "def wrapper(*args): return 1, function", {"wrapped", "decorated"}),
        ("def decorated(x): return x + 1", "def decorated(x): return x", {"wrapped", "decorated"}),
        ('"[a-z]+"', '"[A-Z]+"', {"mutable"}),
        ("partial(made, 3)", "partial(made, 4)", {"partly", "less"}),
        ("x > limit + step", "x >= limit + step", {"partly", "closure", "other_closure", "made", "less"}),
        ("made(5)", "made(7)", {"closure"}),
        ("step=1", "step=2", {"partly", "closure", "other_closure", "made", "less"}),
        ("def unused(): return 1", "def unused(): return 2", {"inside"}),
        ("x + tools.PLACES", "x - tools.PLACES", {"several"}),
        ("(default, method)", "(method, default)", {"through_a_list"}),
        ("def alone(x): return x", "def alone(x): return (x)  # the same", set()),
        ("PLACES = 2", "PLACES = 1 + 1  # the same value", set()),
    ],
)
def test_a_change_is_seen_by_exactly_what_reaches_it(sample: Sample, old: str, new: str, changed: set[str]) -> None:
    before = versions(sample())
    after = versions(sample(change=(old, new)))
    assert {name for name in before if before[name] != after[name]} == changed


def test_what_was_remembered_while_the_program_ran_has_no_part(sample: Sample) -> None:
    rules = sample()
    before = reached(rules.mutable).version
    walking._part.cache_clear()
    rules.mutable("name")
    assert rules.tools.KNOWN
    assert reached(rules.mutable).version == before


def sql_of(rules: Any) -> Reached:
    """Return what a file of SQL makes."""
    return reached(query.Sql(PACKAGE, "query"))


def test_sql_counts_without_comments_and_white_space_outside_of_its_texts(sample: Sample) -> None:
    before = sql_of(sample())
    assert before.sql == {query.Sql(PACKAGE, "query")}
    alike = [("select a, b", "select a,\n\n  b"), ("-- of all", "/* other\n words */"), ("-- of all\n", "\n")]
    assert {sql_of(sample(change=each)).version for each in alike} == {before.version}
    others = [("select a, b", "select b, a"), ("'x  --y'", "'x --y'"), ("'x  --y'", "'x  '"), ("from t", "from T")]
    assert len({sql_of(sample(change=each)).version for each in others} | {before.version}) == 5


class Thing:
    """A class whose instances have no text."""


def test_what_no_version_can_be_told_of_is_refused() -> None:
    with pytest.raises(TypeError, match="no version can be told of it"):
        reached(Thing())

    class Local:
        pass

    with pytest.raises(TypeError, match="made while the program runs"):
        reached(Local)
