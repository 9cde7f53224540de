"""Files that would clear a month's causes, for people to look at and send: credits, rebills, mappings.

Belongs here: writing what streams draft. Does not belong here: what clears which cause (each stream), landing anything: files are
named so that landing refuses them until somebody has renamed them.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from revenue_integrity import clock, months, output
from revenue_integrity.errors import PublishError, UsageError
from revenue_integrity.files import made
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.drafting import Corrections, Draft
from revenue_integrity.model.stream import Stream, loaded
from revenue_integrity.process import PROGRAM
from revenue_integrity.warehouse import publish

MARK = "_draft_"
"""How the name of a drafted file begins; no file that is called so is ever read."""


def write(deployment: Deployment, streams: Iterable[Stream], month: date, to: Path) -> dict[str, int]:
    """Write what would clear a month's causes on rows in breach, a file per source; return the rows of each file.

    Raises:
        UsageError: the folder is there and not empty, or cannot be made.
        PublishError: no stream has published the month, or none says how its causes are cleared.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is not empty", "Name a folder that is not there yet")
    found = {stream.name: draft for stream in streams if (draft := _draft_of(deployment, stream, month)) is not None}
    if not found:
        raise PublishError(f"nothing of {months.label(month)} is published that could be corrected", "Run the month")
    counts: dict[str, int] = {}
    try:
        with made(to) as folder:
            folder.mkdir()
            for stream, draft in found.items():
                for source, rows in draft.rows.items():
                    name = f"{MARK}{stream}_{source}.csv"
                    with (folder / name).open("w", encoding="utf-8", newline="") as file:
                        output.write_csv(output.plain_rows(rows), [str(column) for column in rows.columns], file)
                    counts[name] = len(rows)
            (folder / "READ_ME.txt").write_text(_words(month, found), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror or error}", "Name another folder") from error
    return counts


def _draft_of(deployment: Deployment, stream: Stream, month: date) -> Draft | None:
    if not stream.corrections:
        return None
    declared: Corrections = loaded(stream.corrections)
    settings = deployment.settings
    try:
        frames = {table.name: publish.read_published(settings, table, [month]) for table in declared.reads}
    except PublishError:
        # The stream is not in use, or not in this month.
        return None
    draft = declared.make(month, clock.now(), frames, settings.currency)
    return Draft({source: rows for source, rows in draft.rows.items() if not rows.empty}, draft.left)


def _words(month: date, found: dict[str, Draft]) -> str:
    """Return what stands beside the files."""
    lines = [
        f"DRAFTS of {months.label(month)}: rows that would clear the causes on rows in breach.",
        "Nothing of this was sent or landed. Look at each row, have it booked where it belongs, and let the source deliver it.",
        "To try it in a copy of a home, take the beginning off a file's name:",
    ]
    for stream, draft in found.items():
        lines += [f"  {PROGRAM} land {stream} {source} {stream}_{source}.csv" for source in draft.rows]
    left = [sentence for draft in found.values() for sentence in draft.left]
    lines += ["", "What no row clears:", *(f"  - {sentence}" for sentence in left)] if left else []
    return "\n".join([*lines, ""])
