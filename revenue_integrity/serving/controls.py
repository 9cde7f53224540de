"""The checks as controls: the tables of ``docs/controls.md``, written from the declarations of the checks alone.

Belongs here: turning declared checks into rows of that page. Does not belong here: the checks (each stream's), controls that are
no checks (the page itself tells them).

``make dictionary`` renews the page between its marks; a test fails when page and declarations differ.
"""

import re
from collections.abc import Iterable

from revenue_integrity.model.check import STANDING, Check, Standing
from revenue_integrity.model.stream import Streams

_EVERYWHERE = "every stream"


def sections(streams: Streams) -> dict[str, list[Check | Standing]]:
    """Return the checks by the heading that they stand under: what every stream has alike first, then stream by stream."""
    declared = {stream.name: list(stream.checks) for stream in streams}
    said = {name: {_words(check) for check in checks} for name, checks in declared.items()}
    alike = set.intersection(*said.values())
    first = next(iter(declared.values()))
    everywhere = {_words(check): check for check in first if _words(check) in alike}
    found: dict[str, list[Check | Standing]] = {_EVERYWHERE: [*STANDING, *everywhere.values()]}
    for name, checks in declared.items():
        found[name] = [check for check in checks if _words(check) not in alike]
    return found


def renewed(page: str, streams: Streams) -> str:
    """Return the page with the tables of checks as they are declared.

    Raises:
        ValueError: the page has no place for them.
    """
    begin, end = "<!-- checks: begin -->\n", "<!-- checks: end -->\n"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"docs/controls.md needs the lines {begin.strip()} and {end.strip()}, each once")
    tables = "\n".join(line for heading, checks in sections(streams).items() for line in _section(heading, checks))
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}{tables}\n{end}", page, flags=re.DOTALL)


def _words(check: Check | Standing) -> tuple[str, ...]:
    control = check.control
    return (check.name, check.gate.value, check.description, control.risk, control.evidence, control.owner)


def _section(heading: str, checks: Iterable[Check | Standing]) -> Iterable[str]:
    yield f"## Checks: {heading}"
    yield ""
    yield "| check | gate | risk | what must be true | evidence | owner |"
    yield "|---|---|---|---|---|---|"
    for check in checks:
        name, gate, description, risk, evidence, owner = _words(check)
        yield f"| `{name}` | {gate} | {risk} | {description} | {evidence} | {owner} |"
    yield ""
