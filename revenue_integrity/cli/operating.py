"""Commands that keep a home in order: doctor, backup, restore, alerts.

Belongs here: parsing, calling, printing. Does not belong here: what they do (`operating`, `desk.alerts`).
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from revenue_integrity import output
from revenue_integrity.cli.shared import Commands, FormatOption, on_terminal, open_home, print_lines, say, show
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.streams.registry import load_settings

app = Commands("Keep in order")


@app.command()
def doctor(chosen: FormatOption = None) -> None:
    """Check environment, settings, disk, ports and permissions, and say what to do."""
    from revenue_integrity.operating.doctor import examine

    examined = examine(open_home)
    show(examined, chosen)
    if not examined["ok"].all():
        raise typer.Exit(1)


@app.command()
def service(
    output_directory: Annotated[Path, typer.Option("-o", "--output", help="Directory for the units.")],
    user: Annotated[bool, typer.Option("--user", help="For the manager of this user, not of the machine.")] = False,
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="Time between two runs of the timer.")] = 10,
) -> None:
    """Write systemd units: the UI with its daemon, or a timer that runs what is stale."""
    import os

    from revenue_integrity.operating import service as units

    for file in units.write(load_settings(), os.environ, output_directory, user=user, minutes=minutes):
        print(file)
    say("How to install them stands in their heads; docs/unattended.md shows cron and the Task Scheduler too.")


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="Archive to write, for example home-2025-05-03.tar.")]) -> None:
    """Write all state of the home into one archive, whatever runs at the time."""
    from revenue_integrity.operating import backup as archives

    made = archives.backup(load_settings(), target)
    print(made.path)
    say(f"{made.files} files, {made.size / 1024**2:.1f} MiB; `revenue-integrity restore` brings them back into an empty home")


@app.command()
def restore(archive: Path) -> None:
    """Bring an archive back into the home, which must be empty, after every byte of it was verified."""
    from revenue_integrity.operating import backup as archives

    back = archives.restore(archive, load_settings())
    say(f"{back.files} files of {back.made_at} are back in {back.path}; `revenue-integrity verify` proves the ledger")


alerts = Commands(no_args_is_help=True, help="What was worth waking somebody for, and the channels that carry it.")
app.add_typer(alerts, name="alerts", rich_help_panel=app.heading)


@alerts.command("list")
def list_alerts(chosen: FormatOption = None) -> None:
    """Show every alert, latest first: pending or sent, resolved or not."""
    from revenue_integrity.desk.alerts import outbox

    found = outbox.frame(load_settings())
    if on_terminal(chosen):
        from revenue_integrity.cli import screens

        print_lines(screens.alerts(found, output.window_of(sys.stdout)))
    else:
        show(found, chosen)


@alerts.command("test")
def test_alerts() -> None:
    """Send a test message to each configured channel now."""
    from revenue_integrity import clock
    from revenue_integrity.desk.alerts import delivery

    results = delivery.send_test(load_settings(), clock.now())
    for channel, problem in results.items():
        say(f"{channel}: {problem or 'sent'}")
    if not results:
        say("no channel is set (REVENUE_INTEGRITY_ALERT_CHANNELS); alerts only go to the log file")
    failed = [channel for channel, problem in results.items() if problem]
    if failed:
        raise RevenueIntegrityError(
            f"{', '.join(failed)} did not take the test alert", "Correct its URL, or see whether it is up"
        )
