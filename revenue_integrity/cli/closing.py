"""Commands of the close: prepare, approve, waive, reopen, verify, pack, correct.

Belongs here: parsing, calling, printing. Does not belong here: who may decide what, and what follows (`desk`, `close`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revenue_integrity import months
from revenue_integrity.cli.shared import (
    BookOption,
    Commands,
    ReasonOption,
    WhoOption,
    month_of,
    open_evidence,
    open_home,
    say,
    send_alerts,
)
from revenue_integrity.errors import UsageError
from revenue_integrity.process import PROGRAM

if TYPE_CHECKING:
    from revenue_integrity.close.ledger import Entry
    from revenue_integrity.desk.evidence import Evidence
    from revenue_integrity.model.deployment import Deployment

app = Commands("Close")


@app.command()
def prepare(
    month: str, who: WhoOption, comment: Annotated[str, typer.Option(help="For the record.")] = "", book: BookOption = ""
) -> None:
    """Put a month before the approvers."""
    from revenue_integrity.desk import decisions

    home = open_home()
    with open_evidence(home) as evidence:
        entry = decisions.prepare(home, evidence, month_of(month, home.settings), who, comment, book=book)
        _tell_entry(entry, "prepared")
        _say_next(home, evidence, entry)
    send_alerts(home)


@app.command()
def approve(
    month: str, who: WhoOption, comment: Annotated[str, typer.Option(help="For the record.")] = "", book: BookOption = ""
) -> None:
    """Sign a month off and freeze it; prints the head of the ledger: keep it elsewhere."""
    from revenue_integrity.desk import decisions

    home = open_home()
    with open_evidence(home) as evidence:
        entry = decisions.approve(home, evidence, month_of(month, home.settings), who, comment, book=book)
        _tell_entry(entry, "signed off")
        _say_next(home, evidence, entry)
    send_alerts(home)


@app.command()
def waive(month: str, check: str, who: WhoOption, reason: ReasonOption, book: BookOption = "") -> None:
    """Let one failing sign-off check through, for this content and figure only."""
    from revenue_integrity.desk import decisions

    home = open_home()
    with open_evidence(home) as evidence:
        entry = decisions.waive(home, evidence, month_of(month, home.settings), check, who, reason, book=book)
        _tell_entry(entry, f"{check} waived")
        _say_next(home, evidence, entry)
    send_alerts(home)


@app.command()
def reopen(month: str, who: WhoOption, reason: ReasonOption, book: BookOption = "") -> None:
    """Open a signed month again."""
    from revenue_integrity.desk import decisions

    home = open_home()
    with open_evidence(home) as evidence:
        entry = decisions.reopen(home, evidence, month_of(month, home.settings), who, reason, book=book)
        _tell_entry(entry, "reopened")
        _say_next(home, evidence, entry)
    send_alerts(home)


@app.command()
def verify(
    everything: Annotated[bool, typer.Option("--all", help="Name each of many that are alike.")] = False,
) -> None:
    """Recompute the ledger's chain, the frozen versions and the hashes of all that is published."""
    from revenue_integrity.cli import screens
    from revenue_integrity.close.ledger import Ledger
    from revenue_integrity.desk import verifying

    home = open_home()
    findings = verifying.verify(home)
    for line in screens.findings(findings, everything=everything):
        say(line)
    if findings:
        raise typer.Exit(1)
    seq, head = Ledger(home.settings).head()
    print(f"Everything holds; the ledger has {seq} entries, its head is {head}")


@app.command()
def pack(month: str, book: BookOption = "") -> None:
    """Write the close pack of a month: workbook, page, CSVs and the manifest of their hashes."""
    from revenue_integrity.desk import freezing, packs

    home = open_home()
    with open_evidence(home) as evidence:
        for sentence in freezing.complete(home, evidence):
            say(sentence)
        print(packs.write_month(home, evidence, month_of(month, home.settings), book=book))


@app.command()
def correct(
    month: str,
    to: Annotated[Path, typer.Option("-o", "--output", help="Folder to make.")],
    draft: Annotated[
        bool, typer.Option("--draft", help="Needed: what is written is a draft, and nothing of it is landed.")
    ] = False,
    book: BookOption = "",
) -> None:
    """Write, per source, files that would clear a month's causes (credits, rebills, mappings), as drafts."""
    from revenue_integrity.serving import drafts

    home = open_home()
    named = month_of(month, home.settings)
    if not draft:
        raise UsageError("nothing but drafts is written: what is booked is decided elsewhere", "Add --draft")
    streams = home.streams_of(home.book(book)) if book else home.streams
    written = drafts.write(home, streams, named, to)
    for name, rows in written.items():
        print(to / name)
        say(f"{name}: {rows} {'row' if rows == 1 else 'rows'}")
    say(f"{'Drafts' if written else 'Nothing that a row would clear'}; what no row clears stands in {to / 'READ_ME.txt'}")


def _tell_entry(entry: Any, what: str) -> None:
    print(f"{entry.book} {entry.month} {what} by {entry.actor}: version {entry.version}, ledger {entry.seq}:{entry.hash}")


def _say_next(home: "Deployment", evidence: "Evidence", entry: "Entry") -> None:
    """Say the command that brings the month of a decision on; of a signed one, what is kept of it."""
    from revenue_integrity.desk.close_status import close_rows
    from revenue_integrity.desk.status import next_command

    rows = close_rows(home, evidence, [months.parse(entry.month)])
    row = next(each for each in rows if each.facts.book == entry.book)
    following = next_command(row, home.settings.of_book(entry.book))
    say(f"Next: {following}" if following else f"Keep the ledger's head elsewhere; `{PROGRAM} verify` is held against it")
