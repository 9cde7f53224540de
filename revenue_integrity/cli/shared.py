"""What commands share: how they are declared and guarded, the options that many have, how a text names months.

Belongs here: what commands of more than one group need. Does not belong here: any command.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from revenue_integrity import confidential, months, output, process
from revenue_integrity.errors import SettingsError, UsageError
from revenue_integrity.output import Format
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of, load_settings

if TYPE_CHECKING:
    # What a deployment is made of takes long to import, and no help needs it.
    import pandas as pd

    from revenue_integrity.desk.evidence import Evidence
    from revenue_integrity.model.deployment import Deployment


class GuardedCommand(TyperCommand):
    """A command that is refused to a process that reads for a tenant. Its help is not: that is shown before it is invoked."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, unless it is refused."""
        try:
            settings = load_settings()
        except SettingsError:
            # The command itself tells it; or says what to do about it, as `doctor` does.
            return super().invoke(ctx)
        if settings.tenant is not None:
            from revenue_integrity.serving.tenants import refuse_for_tenant

            refuse_for_tenant(settings, ctx.command_path.partition(" ")[2])
        return super().invoke(ctx)


class Commands(typer.Typer):
    """A group whose every command passes the guard above, also one that is added tomorrow, and stands under one heading."""

    def __init__(self, heading: str | None = None, **options: Any) -> None:
        """Declare a group; without a heading its commands stand under the usual one."""
        super().__init__(**options)
        self.heading = heading

    def command(self, *arguments: Any, **options: Any) -> Any:
        """Declare a command."""
        return super().command(*arguments, **{"cls": GuardedCommand, "rich_help_panel": self.heading} | options)


FormatOption = Annotated[
    Format | None, typer.Option("--format", help="How data are printed; by default a table on a terminal, else CSV.")
]
SafeCellsOption = Annotated[
    bool,
    typer.Option(
        "--safe-cells",
        help="In CSV, an apostrophe before text that a spreadsheet would run (= + - @); without it, text is as it was sent.",
    ),
]
MonthOption = Annotated[str | None, typer.Option("--month", help="Month 2025-03 or range 2025-01:2025-06.")]
BookOption = Annotated[str, typer.Option("--book", help="What is signed together; by default the one book in use.")]
WhoOption = Annotated[str, typer.Option("--as", help="Who decides; must stand in the setting preparers or approvers.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stands in the ledger for ever.")]


def open_home() -> "Deployment":
    """Return the home that the settings name with the streams in it: the one place where commands get theirs."""
    return deployment_of(load_settings())


def amounts_in(home: "Deployment") -> str:
    """Return what stands above a table of amounts."""
    return f"Amounts in {home.settings.currency}"


@contextlib.contextmanager
def open_evidence(home: "Deployment") -> Iterator["Evidence"]:
    """Open the record of a home's runs; Dagster, which keeps it, takes longer to import than many a command takes."""
    from revenue_integrity.orchestration import evidence

    with evidence.open_evidence(home) as opened:
        yield opened


def say(message: str) -> None:
    """Tell the person something that is no data; commands in it stand as they can be typed here."""
    print(output.seen(process.as_typed(confidential.struck(message))), file=sys.stderr, flush=True)


def on_terminal(chosen: Format | None) -> bool:
    """Return whether a person reads what is printed now and has not chosen another form."""
    return chosen is None and sys.stdout.isatty()


def print_lines(lines: Iterable[str]) -> None:
    """Print lines for people; commands in them stand as they can be typed here."""
    for line in lines:
        print(output.seen(process.as_typed(line)))


def show(
    frame: "pd.DataFrame", chosen: Format | None, *, title: str = "", sparse: bool = False, safe_cells: bool = False
) -> None:
    """Print data, and say what of it did not fit."""
    left_out = output.show(frame, chosen, title=title, sparse=sparse, safe_cells=safe_cells)
    if left_out:
        say(
            f"{len(left_out)} of {len(frame.columns)} columns do not fit: {', '.join(left_out)}. --format table shows all of them"
        )


def months_of(text: str | None, settings: Settings) -> list[date]:
    """Return the months of the deployment that a text names; all of them for none.

    Raises:
        UsageError: a month lies outside the deployment.
    """
    if text is None:
        return settings.months
    wanted = months.parse_range(text)
    outside = [month for month in wanted if month not in settings.months]
    if outside:
        raise UsageError(
            f"{months.label(outside[0])} is not a month of this deployment "
            f"({months.label(settings.months[0])} to {months.label(settings.months[-1])})",
            "Choose another month, or set first_month or last_month",
        )
    return wanted


def month_of(text: str, settings: Settings) -> date:
    """Return the one month that a text names."""
    wanted = months_of(text, settings)
    if len(wanted) != 1:
        raise UsageError(f"'{text}' names {len(wanted)} months", "Name one month, for example 2025-03")
    return wanted[0]


def instant_of(text: str) -> datetime:
    """Return the instant that a text names, to the second: ISO 8601 with its offset, or as arrivals are written.

    Raises:
        UsageError: it names none.
    """
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"'{text}' is not an arrival", "Write it as YYYYMMDDTHHMMSSZ or ISO 8601 with an offset, for example 2025-04-07T09:30:00Z"
    )


def freeze_approved(home: "Deployment") -> None:
    """Freeze what a crash kept from being frozen, before a command writes anything else; say what cannot be."""
    from revenue_integrity.close import freeze
    from revenue_integrity.desk import freezing

    # Almost always there is nothing, and opening the record of runs takes longer than all else that the command does.
    if freeze.unfrozen(home.settings):
        with open_evidence(home) as evidence:
            for sentence in freezing.freeze_approved(home, evidence):
                say(sentence)


def say_unfrozen(home: "Deployment") -> None:
    """Say which signatures a crash kept from being frozen: what is read may not be what was signed."""
    from revenue_integrity.close import freeze

    for sentence in freeze.unfrozen(home.settings):
        say(sentence)


def send_alerts(home: "Deployment", evidence: "Evidence | None" = None) -> None:
    """Raise and deliver alerts where no daemon may be running; their trouble never fails the command."""
    from revenue_integrity.orchestration import alerting

    alerting.tell_quietly(home, evidence)
