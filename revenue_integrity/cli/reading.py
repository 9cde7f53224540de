"""Commands that show what there is: status, recon, export, quarantine, restatement.

Belongs here: parsing, calling, printing. Does not belong here: finding the rows (`serving`, `desk`), changing
anything.
"""

from pathlib import Path
from typing import Annotated

import typer

from revenue_integrity.cli.shared import (
    BookOption,
    Commands,
    FormatOption,
    MonthOption,
    amounts_in,
    instant_of,
    month_of,
    months_of,
    open_evidence,
    open_home,
    say,
    show,
)
from revenue_integrity.errors import UsageError

app = Commands("Read")


@app.command()
def status(month: MonthOption = None, book: BookOption = "", chosen: FormatOption = None) -> None:
    """Show a line a month and book: what stands, what is stale, which checks fail."""
    from revenue_integrity.computing.horizon import delivered_months
    from revenue_integrity.desk.status import status_frame

    home = open_home()
    wanted = delivered_months(home.settings) if month is None else months_of(month, home.settings)
    with open_evidence(home) as evidence:
        shown = status_frame(home, evidence, wanted)
    if book:
        shown = shown[shown["book"] == home.book(book).name]
    show(shown, chosen, title=amounts_in(home), sparse=True)


@app.command()
def recon(
    month: str,
    name: Annotated[str | None, typer.Option("--recon", help="Only this reconciliation.")] = None,
    view: Annotated[str, typer.Option(help="current or as_of_close.")] = "current",
    chosen: FormatOption = None,
) -> None:
    """Show the rows in breach with their causes and evidence."""
    from revenue_integrity.serving.breaches import breaches

    home = open_home()
    show(breaches(home, month_of(month, home.settings), recon=name, view=view), chosen, title=amounts_in(home))


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
) -> None:
    """Print a dataset as it is published."""
    from revenue_integrity.serving.export import asked_for, rows_of
    from revenue_integrity.serving.writing import write

    home = open_home()
    when = None if as_of is None else instant_of(as_of)
    wanted = None if month is None else months_of(month, home.settings)
    found, asked = asked_for(
        home, dataset, wanted, stream=stream, tenant=tenant, live=live, as_of=when, say=say, open_evidence=open_evidence
    )
    if to is None:
        show(rows_of(found, asked), chosen)
    else:
        say(f"{write(found, asked, to, chosen)} rows written to {to}")


@app.command()
def quarantine(month: MonthOption = None, chosen: FormatOption = None) -> None:
    """Show rejected batches and rows with their reasons."""
    from revenue_integrity.serving import export as exports

    home = open_home()
    wanted = None if month is None else months_of(month, home.settings)
    show(exports.quarantine(home, wanted, say=say), chosen)


@app.command()
def restatement(
    month: str,
    from_version: Annotated[str | None, typer.Option("--from", help="Signed version, v1; by default the latest.")] = None,
    to_version: Annotated[str, typer.Option("--to", help="Signed version, or current.")] = "current",
    book: BookOption = "",
    chosen: FormatOption = None,
) -> None:
    """Show what changed since a signed version, row by row."""
    from revenue_integrity.desk import restating

    home = open_home()
    first = None if from_version is None else _version(from_version)
    last = None if to_version == "current" else _version(to_version)
    with open_evidence(home) as evidence:
        found = restating.restatement(home, evidence, month_of(month, home.settings), first, last, book=book)
    show(found, chosen)


def _version(text: str) -> int:
    number = text.removeprefix("v")
    if not number.isdigit() or int(number) < 1:
        raise UsageError(f"'{text}' is no version", "Write v1, v2, ... or current")
    return int(number)
