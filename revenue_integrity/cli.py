"""The command line: parse, call, print.

Belongs here: commands, their options and what they print. Does not belong here: anything that another caller would need.
Data go to stdout, everything else to stderr. Exit codes: 0 done; 1 refused or a check failed; 2 wrong usage.
"""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from revenue_integrity import months, output
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.output import Format
from revenue_integrity.settings import Settings, load_settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Ties what was contracted, metered, billed and booked to the cent, month by month.",
)

FormatOption = Annotated[
    Format | None, typer.Option("--format", help="How data are printed; by default a table on a terminal, else CSV.")
]
MonthOption = Annotated[str | None, typer.Option("--month", help="Month 2025-03 or range 2025-01:2025-06.")]


def say(message: str) -> None:
    """Tell the person something that is no data."""
    print(message, file=sys.stderr, flush=True)


def _range(text: str | None, settings: Settings) -> list[Any]:
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


@app.command()
def simulate(
    period: Annotated[str, typer.Option("--months", help="Months to simulate.")] = "2024-01:2025-12",
    contracts: Annotated[int, typer.Option(min=1, help="Contracts.")] = 200,
    sites: Annotated[int, typer.Option(min=1, help="Data centre sites.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    faults: Annotated[str, typer.Option(help="default, none, or a TOML file of rates.")] = "default",
) -> None:
    """Write landing batches as the source systems would have, and the faults in them to truth/."""
    from revenue_integrity.orchestration.demo import simulate_sources

    settings = load_settings()
    simulate_sources(settings, months.parse_range(period), contracts=contracts, sites=sites, seed=seed, faults=faults, say=say)


@app.command()
def land(
    stream: str,
    source: str,
    files: list[Path],
    arrival: Annotated[
        str | None, typer.Option(help="When it became visible: YYYYMMDDTHHMMSSZ or ISO 8601; by default now.")
    ] = None,
) -> None:
    """Check files and put them into the landing zone as one batch."""
    from revenue_integrity.landing import zone
    from revenue_integrity.streams import source_named

    settings = load_settings()
    landed = zone.land(settings, source_named(stream, source), files, arrival)
    print(f"{landed.batch_id} {landed.digest}")
    if landed.rows_refused:
        say(
            f"{landed.rows_refused} of {landed.rows} rows will be quarantined; `revenue-integrity quarantine` lists them after a run"
        )


@app.command()
def run(
    period: Annotated[str | None, typer.Option("--months", help="Only these months.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
    select: Annotated[str | None, typer.Option(help="Dagster asset selection.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is not stale.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Compute the world as it was visible then, apart.")] = None,
    demo_if_empty: Annotated[bool, typer.Option(help="Simulate source systems in a home without any batch.")] = False,
) -> None:
    """Materialize what is stale, in the Dagster instance of the home."""
    from revenue_integrity.orchestration import demo, runner

    settings = load_settings()
    wanted = _range(period, settings)
    if as_of is not None:
        runner.run_as_of(settings, _instant(as_of), wanted, stream=stream, say=say)
        return
    if demo_if_empty:
        demo.prepare_home(settings, say=say)
    summary = runner.run(settings, wanted, stream=stream, select=select, everything=everything, say=say)
    say(summary.sentence)
    if demo_if_empty:
        demo.conclude(settings, say=say)
    if summary.failures:
        raise typer.Exit(1)


@app.command()
def status(month: MonthOption = None, chosen: FormatOption = None) -> None:
    """Show a line a month: what stands, what is stale, which checks fail."""
    from revenue_integrity.orchestration.status import status_frame

    settings = load_settings()
    output.show(status_frame(settings, _range(month, settings)), chosen)


@app.command()
def export(
    dataset: str,
    month: MonthOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's data (cloud).")] = None,
    live: Annotated[bool, typer.Option("--live", help="From the warehouse instead of what is published.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="From a past world that `run --as-of` computed.")] = None,
    to: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; .csv, .json or .parquet.")] = None,
    chosen: FormatOption = None,
) -> None:
    """Print a dataset as it is published."""
    from revenue_integrity.orchestration import exports

    settings = load_settings()
    when = None if as_of is None else _instant(as_of)
    frame = exports.read(settings, dataset, _range(month, settings), tenant=tenant, live=live, as_of=when, say=say)
    if to is None:
        output.show(frame, chosen)
    else:
        exports.write(frame, to, chosen)
        say(f"{len(frame)} rows written to {to}")


@app.command()
def quarantine(month: MonthOption = None, chosen: FormatOption = None) -> None:
    """Show rejected batches and rows with their reasons."""
    from revenue_integrity.orchestration import exports

    settings = load_settings()
    wanted = None if month is None else _range(month, settings)
    output.show(exports.quarantine(settings, wanted, say=say), chosen)


@app.command()
def doctor(chosen: FormatOption = None) -> None:
    """Check environment, settings, disk, ports and permissions, and say what to do."""
    from revenue_integrity.orchestration.doctor import examine

    findings = examine()
    output.show(findings, chosen)
    if not findings["ok"].all():
        raise typer.Exit(1)


@app.command()
def ui() -> None:
    """Serve the Dagster UI and its daemon on 127.0.0.1 until Ctrl-C."""
    from revenue_integrity.orchestration.ui import serve

    serve(load_settings())


def _instant(text: str) -> datetime:
    from revenue_integrity.landing import zone

    return zone.parse_arrival(text)


def main(arguments: list[str] | None = None, run_app: Callable[..., Any] = app) -> None:
    """Run a command; what a user can cause becomes one line on stderr and an exit code."""
    try:
        run_app(args=arguments, prog_name="revenue-integrity")
    except UsageError as error:
        say(f"error: {error}")
        sys.exit(2)
    except RevenueIntegrityError as error:
        say(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output went away (`| head`); pointing stdout elsewhere keeps the interpreter's exit quiet.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
