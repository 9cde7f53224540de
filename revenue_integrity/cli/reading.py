"""Commands that show what there is: status, recon, export, quarantine, restatement.

Belongs here: parsing, calling, printing. Does not belong here: finding the rows (`serving`, `desk`), changing
anything.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revenue_integrity import clock, output
from revenue_integrity.cli import watching
from revenue_integrity.cli.shared import (
    BookOption,
    Commands,
    FormatOption,
    MonthOption,
    SafeCellsOption,
    amounts_in,
    instant_of,
    month_of,
    months_of,
    on_terminal,
    open_evidence,
    open_home,
    print_lines,
    say,
    say_unfrozen,
    show,
)
from revenue_integrity.errors import UsageError

if TYPE_CHECKING:
    from revenue_integrity.desk.close_status import CloseRow
    from revenue_integrity.model.deployment import Deployment

app = Commands("Read")


@app.command()
def status(
    month: MonthOption = None,
    book: BookOption = "",
    seconds: Annotated[
        int | None, typer.Argument(min=1, help="Of --watch: how often it is drawn again.", show_default=False)
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="A line a book, drawn again and again; once off a terminal.")] = False,
    chosen: FormatOption = None,
) -> None:
    """Show a line a month and book: what stands, what is stale, which checks fail."""
    if watch:
        if month is not None or book:
            raise UsageError("--watch shows all books over all months", "Leave --month and --book out")
        watching.watch(seconds or watching.SECONDS, chosen)
        return
    if seconds is not None:
        raise UsageError(f"{seconds} belongs to --watch", f"Type status --watch {seconds}")
    from revenue_integrity.computing import ingestion
    from revenue_integrity.computing.horizon import delivered_months
    from revenue_integrity.computing.overdue import overdue_deliveries
    from revenue_integrity.desk.close_status import close_rows
    from revenue_integrity.desk.status import frame_of

    home = open_home()
    wanted = delivered_months(home.settings) if month is None else months_of(month, home.settings)
    named = home.book(book).name if book else ""
    with open_evidence(home) as evidence:
        rows = [row for row in close_rows(home, evidence, wanted) if not named or row.facts.book == named]
        shown = frame_of(home, rows, wanted)
        in_the_way = evidence.troubles()
    for sentence in in_the_way:
        say(sentence)
    for deadline in overdue_deliveries(home.settings, clock.now()):
        say(f"{deadline.sentence}.")
    for batch_id in ingestion.ahead(home.settings, home.streams):
        say(f"batch {batch_id} lies ahead of the present, and counts once its arrival is past")
    say_unfrozen(home)
    if on_terminal(chosen) and rows:
        from revenue_integrity.cli import screens

        window = output.window_of(sys.stdout)
        print_lines(screens.status(home, rows, shown, window, detailed=month is not None and len(wanted) == 1))
    else:
        show(shown, chosen, title=amounts_in(home), sparse=True)


@app.command()
def recon(
    month: str,
    name: Annotated[str | None, typer.Option("--recon", help="Only this reconciliation.")] = None,
    view: Annotated[str, typer.Option(help="current or as_of_close.")] = "current",
    book: Annotated[str, typer.Option(help="Only the streams of this book.")] = "",
    chosen: FormatOption = None,
    safe_cells: SafeCellsOption = False,
) -> None:
    """Show the rows in breach with their causes and evidence, the largest first."""
    from revenue_integrity.serving.breaches import breaches, for_programs, largest_first

    home = open_home()
    say_unfrozen(home)
    asked_of = home.only(*home.book(book).streams) if book else home
    found = breaches(asked_of, month_of(month, home.settings), recon=name, view=view)
    if on_terminal(chosen):
        from revenue_integrity.cli import screens

        asked = screens.typed(f"recon {month}", recon=name, view=None if view == "current" else view, book=book or None)
        print_lines(screens.breaches(home, month, largest_first(found), output.window_of(sys.stdout), asked=asked))
    else:
        show(for_programs(found), chosen, title=amounts_in(home), safe_cells=safe_cells)


@app.command()
def export(
    dataset: str,
    month: MonthOption = None,
    stream: Annotated[str | None, typer.Option(help="Only what this stream has of it.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Only this tenant's rows, of a dataset that knows tenants; by default those of all.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="From the warehouse instead of what is published.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="From a past world that `run --as-of` computed.")] = None,
    to: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; .csv, .json or .parquet.")] = None,
    chosen: FormatOption = None,
    safe_cells: SafeCellsOption = False,
) -> None:
    """Print a dataset as it is published."""
    from revenue_integrity.serving.export import asked_for, rows_of
    from revenue_integrity.serving.writing import write

    home = open_home()
    say_unfrozen(home)
    when = None if as_of is None else instant_of(as_of)
    wanted = None if month is None else months_of(month, home.settings)
    found, asked = asked_for(
        home, dataset, wanted, stream=stream, tenant=tenant, live=live, as_of=when, say=say, open_evidence=open_evidence
    )
    if to is None:
        show(rows_of(found, asked), chosen, safe_cells=safe_cells)
    else:
        say(f"{write(found, asked, to, chosen, safe_cells=safe_cells)} rows written to {to}")


@app.command()
def quarantine(month: MonthOption = None, chosen: FormatOption = None) -> None:
    """Show rejected batches and rows with their reasons."""
    from revenue_integrity.serving import export as exports

    home = open_home()
    wanted = None if month is None else months_of(month, home.settings)
    found = exports.quarantine(home, wanted, say=say)
    if on_terminal(chosen):
        from revenue_integrity.cli import screens

        print_lines(screens.quarantine(found, output.window_of(sys.stdout), asked=screens.typed("quarantine", month=month)))
    else:
        show(found, chosen)


@app.command()
def restatement(
    month: str,
    from_version: Annotated[str | None, typer.Option("--from", help="Signed version, v1; by default the latest.")] = None,
    to_version: Annotated[str, typer.Option("--to", help="Signed version, or current.")] = "current",
    book: BookOption = "",
    chosen: FormatOption = None,
) -> None:
    """Show what changed since a signed version, row by row."""
    from revenue_integrity.cli import screens
    from revenue_integrity.desk import restating
    from revenue_integrity.desk.close_status import close_rows

    home = open_home()
    say_unfrozen(home)
    first = None if from_version is None else _version(from_version)
    last = None if to_version == "current" else _version(to_version)
    with open_evidence(home) as evidence:
        named = month_of(month, home.settings)
        found = restating.restatement(home, evidence, named, first, last, book=book)
        signed = restating.signed_versions(home, evidence, named, book=book) if found.empty else []
        rows = close_rows(home, evidence, [named]) if last is None else []
    asked = screens.typed(f"restatement {month}", **{"book": book, "from": from_version, "to": to_version if last else None})
    if not on_terminal(chosen):
        show(found, chosen)
    elif not found.empty:
        print_lines(screens.restatement(found, month, output.window_of(sys.stdout), asked=asked))
    if found.empty:
        _say_nothing_changed(month, first or signed[-1], last, signed, asked)
    for row in rows:
        if row.facts.book == (book or row.facts.book if found.empty else found["book"].iloc[0]):
            _say_how_to_sign(home, row, changed=not found.empty and first is None)


def _say_how_to_sign(home: "Deployment", row: "CloseRow", *, changed: bool) -> None:
    """Say what brings a month whose changes were shown to its next signature; of one that did not change, what is unread."""
    from revenue_integrity.desk.status import command_to_sign

    is_ready, command = command_to_sign(row, home.settings.of_book(row.facts.book))
    if row.facts.news:
        say(f"{row.facts.news}: {command}")
    elif changed and command:
        say(f"{'To sign it as it stands now' if is_ready else f'It is {row.status}; before it can be signed'}: {command}")


def _say_nothing_changed(month: str, first: int, last: int | None, signed: Sequence[int], asked: str) -> None:
    """Say what was compared, and which older version still differs from what came after it, if there is one."""
    say(f"{month}: nothing changed since v{first}" if last is None else f"{month}: nothing differs between v{first} and v{last}")
    earlier = [version for version in signed if version < first]
    if earlier and last is None:
        say(f"What v{first} changed of v{earlier[-1]}: {asked.partition(' --from')[0]} --from v{earlier[-1]}")


def _version(text: str) -> int:
    number = text.removeprefix("v")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise UsageError(f"'{text}' is no version", "Write v1, v2, ... or current")
    return int(number)
