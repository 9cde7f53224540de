"""One style of SQL: ``python -m revenue_integrity_tests.sql_style`` lints every query of the package as it is run.

Belongs here: making of a file what the linter understands. Does not belong here: which rules hold (``pyproject.toml``), what both
engines understand (``warehouse.portable``).

A query is linted with the files that it includes, so each of these is seen where it is used; a template as it is written out for
what streams declare. One that no stream uses is an offence too, for nobody would see it. Prints a line per offence, and exits
with 1 if there is any.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from revenue_integrity.computing.versions import reached_by_check, reached_by_rule
from revenue_integrity.model.query import Sql, Template
from revenue_integrity.model.stream import Stream
from revenue_integrity.streams.registry import deployment_of, load_settings
from revenue_integrity_tests.toy.stream import TOY

ROOT = Path(__file__).resolve().parent.parent
LONGEST_LINE = 130
_SHARED = ROOT / "revenue_integrity" / "close" / "sql"


def queries() -> list[Path]:
    """Return the files that hold a query, in order; those that are only included end otherwise."""
    return sorted(path for folder in ("revenue_integrity", "benchmarks") for path in (ROOT / folder).rglob("*.sql"))


def written_out(streams: Iterable[Stream]) -> dict[str, list[Sql]]:
    """Return what streams have written out of templates, by the template, each text once."""
    of_rules = (reached_by_rule(rule).sql for stream in streams for rule in (*stream.rules, *stream.whole))
    of_checks = (reached_by_check(check).sql for stream in streams for check in stream.checks)
    found: dict[str, dict[str, Sql]] = {}
    for sql in frozenset().union(*of_rules, *of_checks):
        if isinstance(sql.path, Template):
            found.setdefault(sql.path.path, {})[sql.text] = sql
    return {path: [texts[text] for text in sorted(texts)] for path, texts in sorted(found.items())}


class Rendering:
    """Renders queries and templates, and knows which files it has read for that."""

    def __init__(self) -> None:
        self.read: set[Path] = set()

    def query(self, path: Path) -> str:
        """Return a query with what it includes, its parameters as names: the linter knows no ``$month`` beside a template."""
        folder = next(parent for parent in path.parents if parent.name == "sql")
        return self._made(folder, path.relative_to(folder).as_posix(), {})

    def template(self, sql: Sql) -> str:
        """Return what is written out of a template."""
        assert isinstance(sql.path, Template)
        package = find_spec(sql.package)
        assert package is not None
        assert package.origin is not None
        return self._made(Path(package.origin).parent / "sql", f"{sql.path.path}.sql.j2", dict(sql.path.names))

    def _made(self, folder: Path, name: str, names: Mapping[str, Any]) -> str:
        def load(name: str) -> str:
            path = next(place / name for place in (folder, _SHARED) if (place / name).is_file())
            self.read.add(path)
            return path.read_text(encoding="utf-8")

        templates = Environment(loader=FunctionLoader(load), undefined=StrictUndefined, keep_trailing_newline=True)
        return templates.get_template(name).render(names).replace("$", "_")


def texts(paths: Sequence[Path], streams: Iterable[Stream]) -> tuple[list[tuple[str, str]], set[Path]]:
    """Return all queries as they are run, each with what it is called, and the files that they are made from."""
    rendering = Rendering()
    found = [(str(path.relative_to(ROOT)), rendering.query(path)) for path in paths]
    for name, several in written_out(streams).items():
        found += [(f"{name} for {_whose(sql)}", rendering.template(sql)) for sql in several]
    return found, rendering.read


def _whose(sql: Sql) -> str:
    assert isinstance(sql.path, Template)
    told = [
        getattr(value, "stream", None) or getattr(getattr(value, "source", None), "stream", "") for _, value in sql.path.names
    ]
    return next(filter(None, told), sql.package)


def offences(text: str) -> list[str]:
    """Return what the linter finds in a query: the rule, what is wrong, and the line that it stands in."""
    from sqlfluff.core import FluffConfig, Linter

    lines = [*text.splitlines(), "the end of the file"]
    found = Linter(config=FluffConfig.from_path(str(ROOT))).lint_string(text).get_violations()
    return [
        f"{each.rule_code()}: {each.desc()} | {lines[each.line_no - 1].strip()}" for each in found if each.line_no <= len(lines)
    ]


def plain_offences(paths: Iterable[Path]) -> Iterator[str]:
    """Yield what is wrong with the text of files: it is not that of the query where macros stand in it."""
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > LONGEST_LINE:
                yield f"{path.relative_to(ROOT)}:{number}: longer than {LONGEST_LINE}"
            if "\t" in line or line != line.rstrip():
                yield f"{path.relative_to(ROOT)}:{number}: a tab, or blanks at its end"
        if not text.endswith("\n") or text.endswith("\n\n"):
            yield f"{path.relative_to(ROOT)}: does not end with one line break"


def main() -> int:
    """Print every offence, each once wherever it is included; return the exit code."""
    paths, parts = queries(), sorted((ROOT / "revenue_integrity").rglob("*.sql.j2"))
    rule = {"name": "ids_are_known", "in": ["X"], "action": "warn", "because": "of the linter"}
    demanded = {"colocation.sites": [rule | {"column": "site_id"}], "cloud.focus": [rule | {"column": "billedcost", "in": ["1"]}]}
    streams = [*deployment_of(load_settings(data_rules=demanded)).streams, TOY]
    linted, read = texts(paths, streams)
    found = list(plain_offences([*paths, *parts]))
    found += [f"{path.relative_to(ROOT)}: no query is made from it" for path in parts if path not in read]
    told: set[str] = set()
    with ProcessPoolExecutor() as workers:
        for (name, _), offending in zip(linted, workers.map(offences, [text for _, text in linted], chunksize=4), strict=True):
            found += [f"{name}: {each}" for each in offending if each not in told]
            told.update(offending)
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
