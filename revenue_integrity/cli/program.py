"""The command line: parse, call, print.

Belongs here: commands, their options and what they print. Does not belong here: anything that another caller would need.
Data go to stdout, everything else to stderr. Exit codes: 0 done; 1 refused or a check failed; 2 wrong usage.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from revenue_integrity import logs, months, output, process
from revenue_integrity.errors import RevenueIntegrityError, SettingsError, UsageError
from revenue_integrity.output import Format
from revenue_integrity.settings import Settings, load_settings


class _Command(TyperCommand):
    """A command that is refused to a process that reads for a tenant. Its help is not: that is shown before it is invoked."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, unless it is refused."""
        try:
            settings = load_settings()
        except SettingsError:
            # The command itself tells it; or says what to do about it, as `doctor` does.
            return super().invoke(ctx)
        if settings.tenant is not None:
            from revenue_integrity.serving.export import refuse_for_tenant

            refuse_for_tenant(settings, ctx.command_path.partition(" ")[2])
        return super().invoke(ctx)


class _Commands(typer.Typer):
    """A group whose every command passes the guard above, also one that is added tomorrow."""

    def command(self, *arguments: Any, **options: Any) -> Any:
        """Declare a command."""
        return super().command(*arguments, **{"cls": _Command} | options)


app = _Commands(
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
    events_per_day: Annotated[int, typer.Option(min=1, help="Cloud billing events a day, about.")] = 150,
    stream: Annotated[str | None, typer.Option(help="Only this stream: colocation or cloud.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    faults: Annotated[str, typer.Option(help="default, none, or a TOML file of rates.")] = "default",
) -> None:
    """Write landing batches as the source systems would have, and the faults in them to truth/."""
    from revenue_integrity.operating.demo import SIMULATED, simulate_sources

    simulate_sources(
        load_settings(),
        months.parse_range(period),
        contracts=contracts,
        sites=sites,
        seed=seed,
        faults=faults,
        say=say,
        events_per_day=events_per_day,
        streams=SIMULATED if stream is None else (stream,),
    )


@app.command()
def land(
    stream: str,
    source: str,
    files: list[Path],
    arrival: Annotated[
        str | None, typer.Option(help="When it became visible: YYYYMMDDTHHMMSSZ or ISO 8601; by default now.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="TOML file that says which of the files' columns is which of ours; see `map check`.")
    ] = None,
) -> None:
    """Check files and put them into the landing zone as one batch."""
    from revenue_integrity.landing import zone
    from revenue_integrity.streams.registry import source_named

    settings = load_settings()
    declared = source_named(stream, source)
    when = None if arrival is None else _instant(arrival)
    if mapping is None:
        _tell_landed(zone.land(settings, declared, files, when))
        return
    from revenue_integrity.landing.conversion import land_converted
    from revenue_integrity.landing.mapping import load_mapping

    landed, left_out = land_converted(settings, load_mapping(mapping, source_named), declared, files, when)
    _tell_landed(landed)
    if left_out:
        say(f"{left_out} rows left out, as the mapping says")


def _tell_landed(landed: Any) -> None:
    print(f"{landed.batch_id} {landed.digest}")
    say(f"{landed.rows} {'row' if landed.rows == 1 else 'rows'} landed; `revenue-integrity run` computes what they touch")
    for reason in landed.reasons:
        say(f"will be quarantined: {reason}")
    if landed.quarantined > len(landed.reasons):
        say(f"... and {landed.quarantined - len(landed.reasons)} more; `revenue-integrity quarantine` lists them after a run")
    if landed.unknown_columns:
        say(f"columns that are not modelled and ignored: {', '.join(landed.unknown_columns)}")


@app.command()
def pull(
    stream: str,
    source: str,
    url: Annotated[
        str, typer.Option(help="Database: env:NAME, or postgresql://user:${PASSWORD}@host/db with ${…} from the environment.")
    ],
    table: Annotated[str | None, typer.Option(help="Table to read, with its schema if needed.")] = None,
    query: Annotated[Path | None, typer.Option(help="File with the select to read.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Column that only grows: only what is new since the last pull.")] = None,
) -> None:
    """Read rows from a SQL database and land them as one batch."""
    from revenue_integrity.landing import pull as pulling
    from revenue_integrity.streams.registry import source_named

    settings = load_settings()
    pulled = pulling.pull(settings, source_named(stream, source), url, table=table, query_file=query, cursor=cursor)
    if pulled.landed is None:
        say(f"{pulled.rows} rows read, nothing new to land")
    else:
        _tell_landed(pulled.landed)


map_app = _Commands(no_args_is_help=True, help="Column mappings: files with foreign column names and formats.")
app.add_typer(map_app, name="map")


@map_app.command("check")
def check_mapping(mapping: Path, sample: Path, chosen: FormatOption = None) -> None:
    """Show the first rows of a sample as they would land, and what fails and why. Nothing is landed."""
    import tempfile

    from revenue_integrity.landing import conversion
    from revenue_integrity.landing.mapping import load_mapping
    from revenue_integrity.streams.registry import source_named

    settings = load_settings()
    declared = load_mapping(mapping, source_named)
    with tempfile.TemporaryDirectory() as folder:
        preview = conversion.check(declared, sample, Path(folder), settings)
    output.show(preview.first_rows, chosen)
    say(f"{preview.rows} rows would land as {declared.source.stream} {declared.source.name}, {preview.left_out} are left out")
    for reason in preview.reasons:
        say(f"would be quarantined: {reason}")
    if preview.quarantined:
        raise RevenueIntegrityError(f"{preview.quarantined} of {preview.rows} rows fail", "Correct the mapping or the file")


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
    from revenue_integrity.desk import packs
    from revenue_integrity.operating import demo
    from revenue_integrity.orchestration import runner
    from revenue_integrity.orchestration.instance import open_instance

    settings = load_settings()
    wanted = None if period is None else _range(period, settings)
    if as_of is not None:
        runner.run_as_of(settings, _instant(as_of), wanted, stream=stream, say=say)
        return
    if demo_if_empty:
        demo.prepare_home(settings, say=say)
    summary = runner.run(settings, wanted, stream=stream, select=select, everything=everything, say=say)
    say(summary.sentence)
    if demo_if_empty and not summary.failures:
        demo.close_what_can_be(settings, say=say)
    # Last, for packs show what was signed.
    with open_instance(settings) as instance:
        packs.renew(settings, instance, say=say)
    if demo_if_empty and not summary.failures:
        demo.conclude(settings, say=say)
    _send_alerts(settings)
    if summary.failures:
        raise typer.Exit(1)


@app.command()
def status(month: MonthOption = None, chosen: FormatOption = None) -> None:
    """Show a line a month: what stands, what is stale, which checks fail."""
    from revenue_integrity.desk.status import status_frame

    settings = load_settings()
    output.show(status_frame(settings, _range(month, settings)), chosen)


@app.command()
def export(
    dataset: str,
    month: MonthOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's data (cloud); by default that of all.")] = None,
    live: Annotated[bool, typer.Option("--live", help="From the warehouse instead of what is published.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="From a past world that `run --as-of` computed.")] = None,
    to: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; .csv, .json or .parquet.")] = None,
    chosen: FormatOption = None,
) -> None:
    """Print a dataset as it is published."""
    from revenue_integrity.serving import export as exports

    settings = load_settings()
    when = None if as_of is None else _instant(as_of)
    wanted = None if month is None else _range(month, settings)
    if dataset == exports.CLOUD_EVENTS and to is not None:
        count = exports.write_events(settings, wanted, tenant=tenant, as_of=when, to=to, chosen=chosen, say=say)
        say(f"{count} rows written to {to}")
        return
    frame = exports.read(settings, dataset, wanted, tenant=tenant, live=live, as_of=when, say=say)
    if to is None:
        output.show(frame, chosen)
    else:
        exports.write(frame, to, chosen)
        say(f"{len(frame)} rows written to {to}")


@app.command()
def quarantine(month: MonthOption = None, chosen: FormatOption = None) -> None:
    """Show rejected batches and rows with their reasons."""
    from revenue_integrity.serving import export as exports

    settings = load_settings()
    wanted = None if month is None else _range(month, settings)
    output.show(exports.quarantine(settings, wanted, say=say), chosen)


WhoOption = Annotated[str, typer.Option("--as", help="Who decides; must stand in the setting preparers or approvers.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stands in the ledger for ever.")]


def _month(text: str, settings: Settings) -> Any:
    """Return the one month that a text names."""
    wanted = _range(text, settings)
    if len(wanted) != 1:
        raise UsageError(f"'{text}' names {len(wanted)} months", "Name one month, for example 2025-03")
    return wanted[0]


@app.command()
def recon(
    month: str,
    name: Annotated[str | None, typer.Option("--recon", help="Only this reconciliation.")] = None,
    view: Annotated[str, typer.Option(help="current or as_of_close.")] = "current",
    chosen: FormatOption = None,
) -> None:
    """Show the rows in breach with their causes and evidence."""
    from revenue_integrity.serving import export as exports

    settings = load_settings()
    output.show(exports.breaches(settings, _month(month, settings), recon=name, view=view), chosen)


def _send_alerts(settings: Settings) -> None:
    """Raise and deliver alerts where no daemon may be running; their trouble never fails the command."""
    from revenue_integrity.orchestration import alerting

    alerting.tell_quietly(settings)


def _tell_entry(entry: Any, what: str) -> None:
    print(f"{entry.month} {what} by {entry.actor}: version {entry.version}, ledger {entry.seq}:{entry.hash}")


@app.command()
def prepare(month: str, who: WhoOption, comment: Annotated[str, typer.Option(help="For the record.")] = "") -> None:
    """Put a month before the approvers."""
    from revenue_integrity.desk import close

    settings = load_settings()
    _tell_entry(close.prepare(settings, _month(month, settings), who, comment), "prepared")
    _send_alerts(settings)


@app.command()
def approve(month: str, who: WhoOption, comment: Annotated[str, typer.Option(help="For the record.")] = "") -> None:
    """Sign a month off and freeze it; prints the head of the ledger: keep it elsewhere."""
    from revenue_integrity.desk import close

    settings = load_settings()
    _tell_entry(close.approve(settings, _month(month, settings), who, comment), "signed off")
    _send_alerts(settings)


@app.command()
def waive(month: str, check: str, who: WhoOption, reason: ReasonOption) -> None:
    """Let one failing sign-off check through, for this content and figure only."""
    from revenue_integrity.desk import close

    settings = load_settings()
    _tell_entry(close.waive(settings, _month(month, settings), check, who, reason), f"{check} waived")
    _send_alerts(settings)


@app.command()
def reopen(month: str, who: WhoOption, reason: ReasonOption) -> None:
    """Open a signed month again."""
    from revenue_integrity.desk import close

    settings = load_settings()
    _tell_entry(close.reopen(settings, _month(month, settings), who, reason), "reopened")
    _send_alerts(settings)


@app.command()
def verify() -> None:
    """Recompute the ledger's chain, the frozen versions and the hashes of all that is published."""
    from revenue_integrity.close.ledger import Ledger
    from revenue_integrity.desk import close

    settings = load_settings()
    findings = close.verify(settings)
    for finding in findings:
        say(f"{finding.subject}: {finding.problem}. {finding.next_step}")
    if findings:
        raise typer.Exit(1)
    seq, head = Ledger(settings).head()
    print(f"Everything holds; the ledger has {seq} entries, its head is {head}")


@app.command()
def restatement(
    month: str,
    from_version: Annotated[str | None, typer.Option("--from", help="Signed version, v1; by default the latest.")] = None,
    to_version: Annotated[str, typer.Option("--to", help="Signed version, or current.")] = "current",
    chosen: FormatOption = None,
) -> None:
    """Show what changed since a signed version, row by row."""
    from revenue_integrity.desk import close

    settings = load_settings()
    first = None if from_version is None else _version(from_version)
    last = None if to_version == "current" else _version(to_version)
    output.show(close.restatement(settings, _month(month, settings), first, last), chosen)


def _version(text: str) -> int:
    number = text.removeprefix("v")
    if not number.isdigit() or int(number) < 1:
        raise UsageError(f"'{text}' is no version", "Write v1, v2, ... or current")
    return int(number)


@app.command()
def pack(month: str) -> None:
    """Write the close pack of a month: workbook, page, CSVs and the manifest of their hashes."""
    from revenue_integrity.desk import packs

    settings = load_settings()
    print(packs.write_month(settings, _month(month, settings)))


alerts_app = _Commands(no_args_is_help=True, help="What was worth waking somebody for, and the channels that carry it.")
app.add_typer(alerts_app, name="alerts")


@alerts_app.command("list")
def list_alerts(chosen: FormatOption = None) -> None:
    """Show every alert, latest first: pending or sent, resolved or not."""
    from revenue_integrity.desk.alerts import outbox

    output.show(outbox.frame(load_settings()), chosen)


@alerts_app.command("test")
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


@app.command()
def doctor(chosen: FormatOption = None) -> None:
    """Check environment, settings, disk, ports and permissions, and say what to do."""
    from revenue_integrity.operating.doctor import examine

    findings = examine()
    output.show(findings, chosen)
    if not findings["ok"].all():
        raise typer.Exit(1)


@app.command()
def ui() -> None:
    """Serve the Dagster UI and its daemon on 127.0.0.1 until Ctrl-C."""
    from revenue_integrity.operating.ui import serve

    serve(load_settings())


def _instant(text: str) -> datetime:
    from revenue_integrity.landing import zone

    return zone.parse_arrival(text)


_VARIABLE = re.compile(r"env:(\w+)|\$\{(\w+)\}")
"""A variable that `pull --url` names: its value is a secret."""


def _command_in(arguments: Sequence[str]) -> str | None:
    """Return the command that arguments name, as `map check`; ``None`` if they name none or ask for help."""
    here: Any = typer.main.get_command(app)
    words: list[str] = []
    for word in [] if "--help" in arguments else arguments:
        if word not in getattr(here, "commands", {}):
            break
        here = here.commands[word]
        words.append(word)
    return None if not words or hasattr(here, "commands") else " ".join(words)


@contextlib.contextmanager
def _logged(arguments: Sequence[str]) -> Iterator[None]:
    """Tell beginning and end of a command in the log of the home; arguments only as far as they name months."""
    command = _command_in(arguments)
    try:
        settings = load_settings() if command else None
    except SettingsError:
        # The command itself tells it; without settings there is no home to write to.
        settings = None
    if settings is None or command is None:
        yield
        return
    named = [word.rpartition("=")[2] for word in arguments]
    month = next((word for word in named if re.fullmatch(r"\d{4}-\d{2}(:\d{4}-\d{2})?", word)), None)
    variables = [first or second for word in arguments for first, second in _VARIABLE.findall(word)]
    secrets = tuple(os.environ[name] for name in variables if os.environ.get(name))
    with logs.writing(settings, command, month=month, secrets=secrets), logs.told("command"):
        yield


@contextlib.contextmanager
def _quiet_if_unread() -> Iterator[None]:
    """End a command well whose reader went away (`| head`): it has seen what it wanted."""
    try:
        yield
        # What is still in the buffer would be written when nobody catches the error any more.
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as ended:
        # The library behind the commands turns a reader that is gone into an exit of its own.
        if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
            raise
        # Pointing stdout elsewhere keeps the interpreter's exit quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def main(arguments: list[str] | None = None, run_app: Callable[..., Any] = app) -> None:
    """Run a command; what a user can cause becomes one line on stderr and an exit code."""
    process.beginning()
    try:
        with _logged(sys.argv[1:] if arguments is None else arguments), _quiet_if_unread():
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


def program() -> None:
    """Run the command that this process was started for, and leave."""
    with process.leaving_at_once():
        main()
