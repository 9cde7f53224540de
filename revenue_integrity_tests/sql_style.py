"""One style of SQL: ``python -m revenue_integrity_tests.sql_style`` lints every query of the package as it is run.

Belongs here: making of a file what the linter understands. Does not belong here: which rules hold (``pyproject.toml``), what both
engines understand (``warehouse.portable``).

A query is linted with the files that it includes, so each of these is seen where it is used. Prints a line per offence, and
exits with 1 if there is any.
"""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parent.parent
LONGEST_LINE = 130


def queries() -> list[Path]:
    """Return the files that hold a query, in order; those that are only included end otherwise."""
    return sorted(path for folder in ("revenue_integrity", "benchmarks") for path in (ROOT / folder).rglob("*.sql"))


def rendered(path: Path) -> str:
    """Return a query with what it includes, its parameters as names: the linter knows no ``$month`` beside a template."""
    text = path.read_text(encoding="utf-8")
    if any(begins in text for begins in ("{%", "{{", "{#")):
        folder = next(parent for parent in path.parents if parent.name == "sql")
        loader = ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(ROOT / "revenue_integrity" / "close" / "sql")])
        templates = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)
        text = templates.get_template(path.relative_to(folder).as_posix()).render()
    return text.replace("$", "_")


def offences(text: str) -> list[str]:
    """Return what the linter finds in a query: the rule, what is wrong, and the line that it stands in."""
    from sqlfluff.core import FluffConfig, Linter

    lines = [*text.splitlines(), "the end of the file"]
    found = Linter(config=FluffConfig.from_path(str(ROOT))).lint_string(text).get_violations()
    return [
        f"{each.rule_code()}: {each.desc()} | {lines[each.line_no - 1].strip()}" for each in found if each.line_no <= len(lines)
    ]


def _lint(path: Path) -> list[str]:
    return offences(rendered(path))


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
    paths = queries()
    found = list(plain_offences([*paths, *(ROOT / "revenue_integrity").rglob("*.sql.j2")]))
    told: set[str] = set()
    with ProcessPoolExecutor() as workers:
        for path, offending in zip(paths, workers.map(_lint, paths, chunksize=4), strict=True):
            found += [f"{path.relative_to(ROOT)}: {each}" for each in offending if each not in told]
            told.update(offending)
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
