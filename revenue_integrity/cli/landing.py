"""Commands that bring data, or take it back: simulate, land, inbox, withdraw, pull, map.

Belongs here: parsing, calling, printing. Does not belong here: what landing does (`landing`), simulators (each stream's).
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revenue_integrity import months
from revenue_integrity.cli.shared import Commands, FormatOption, freeze_approved, instant_of, open_home, say, show
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.model.simulator import usual_options
from revenue_integrity.streams.registry import simulators

if TYPE_CHECKING:
    from revenue_integrity.desk.withdrawing import Foreseen

app = Commands("Bring data")


SIMULATORS = simulators()


def _with_their_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that the simulators declare; it takes them by their names."""
    signature = inspect.signature(command)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    declared = {
        option.name: Annotated[int, typer.Option(min=1, help=option.meaning)]
        for simulator in SIMULATORS.values()
        for option in simulator.options
    }
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=usual, annotation=declared[name])
        for name, usual in usual_options(SIMULATORS).items()
    ]
    command.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]  # what inspect reads
    command.__annotations__ |= declared
    return command


@app.command()
@_with_their_options
def simulate(
    period: Annotated[str, typer.Option("--months", help="Months to simulate.")] = "2024-01:2025-12",
    stream: Annotated[str | None, typer.Option(help=f"Only this stream: {', '.join(SIMULATORS)}.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    faults: Annotated[str, typer.Option(help="default, none, or a TOML file of rates.")] = "default",
    **options: int,
) -> None:
    """Write landing batches as the source systems would have, and the faults in them to truth/."""
    from revenue_integrity.operating.demo import simulate_sources

    wanted = months.parse_range(period)
    simulate_sources(open_home(), SIMULATORS, wanted, options=options, seed=seed, faults=faults, say=say, only=stream)


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
    covers: Annotated[
        str | None,
        typer.Option(help="Months that the delivery speaks about beside those of its rows, for example 2025-10:2025-12."),
    ] = None,
) -> None:
    """Check files and put them into the landing zone as one batch."""
    from revenue_integrity.landing import zone

    home = open_home()
    freeze_approved(home)
    declared = home.source(stream, source)
    when = None if arrival is None else instant_of(arrival)
    spoken_of = () if covers is None else months.parse_range(covers)
    if mapping is None:
        _tell_landed(zone.land(home.settings, declared, files, when, spoken_of))
        return
    from revenue_integrity.landing.conversion import land_converted
    from revenue_integrity.landing.mapping import load_mapping

    used = load_mapping(mapping, home.source)
    landed, converted = land_converted(home.settings, used, declared, files, when, spoken_of)
    _tell_landed(landed)
    if converted.left_out:
        nem12 = "days left out: no consumption, or there again with a later UpdateDateTime"
        say(f"{converted.left_out} {nem12 if used.style.format == 'nem12' else 'rows left out, as the mapping says'}")
    _tell_changes(converted.taken, converted.rows, converted.rounded)


def _tell_changes(taken: int, rows: int, rounded: dict[str, int]) -> None:
    """Say what a mapping made of rows and values beside writing them anew."""
    if taken != rows:
        say(f"{taken} rows of the file became {rows}, as the mapping says")
    for column, count in rounded.items():
        say(f"{column}: {count} {'value' if count == 1 else 'values'} rounded, as the mapping says")


def _tell_doubts(doubts: Sequence[str]) -> None:
    for doubt in doubts:
        say(f"look at this: {doubt}")


def _tell_landed(landed: Any) -> None:
    print(f"{landed.batch_id} {landed.digest}")
    counted, touch = ("row", "it touches") if landed.rows == 1 else ("rows", "they touch")
    say(f"{landed.rows} {counted} landed; `revenue-integrity run` computes what {touch}")
    for reason in landed.reasons:
        say(f"will be quarantined: {reason}")
    if landed.quarantined > len(landed.reasons):
        say(f"... and {landed.quarantined - len(landed.reasons)} more; `revenue-integrity quarantine` lists them after a run")
    _tell_doubts(landed.doubts)
    if landed.unknown_columns:
        say(f"columns that are not modelled and ignored: {', '.join(landed.unknown_columns)}")


@app.command()
def inbox() -> None:
    """Land once what was dropped into the inbox and is whole: each file, and each folder of files, as one batch."""
    from revenue_integrity.landing.inbox import take_in

    home = open_home()
    freeze_approved(home)
    found = take_in(home.settings, home.source)
    for taken in found:
        if taken.batch_id:
            print(taken.batch_id)
            say(f"{taken.item} landed as {taken.batch_id}")
        elif taken.refused:
            say(f"{taken.item} was refused: {taken.refused}")
        else:
            say(f"{taken.item} is left there: {taken.left}")
    if not found:
        say(f"nothing in {home.settings.inbox_path} is there to land")
    if refused := [taken.item for taken in found if taken.refused]:
        raise RevenueIntegrityError(
            f"{len(refused)} of {len(found)} items were refused", "The reason stands beside each in _rejected of the inbox"
        )


@app.command()
def withdraw(
    batch: Annotated[str, typer.Argument(help="STREAM/SOURCE/ARRIVAL, as `land` printed it.", metavar="BATCH")],
    who: Annotated[str, typer.Option("--as", help="Who takes it back.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is landed with the withdrawal and stays.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    chosen: FormatOption = None,
) -> None:
    """Take a wrong delivery back: says what that moves, asks, and lands the withdrawal. What it had replaced stands again."""
    from revenue_integrity.desk import withdrawing
    from revenue_integrity.landing.withdrawals import land_withdrawal
    from revenue_integrity.landing.zone import parse_arrival

    home = open_home()
    stream, source, arrival = batch.split("/") if batch.count("/") == 2 else ("", "", "")
    if not (stream and source and arrival):
        raise UsageError(f"'{batch}' names no batch", "Write it as STREAM/SOURCE/ARRIVAL, as `land` printed it")
    parse_arrival(arrival)
    freeze_approved(home)
    foreseen = withdrawing.foresee(home, home.source(stream, source), batch)
    _tell_foreseen(batch, foreseen, chosen)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody is there to be asked", "Add --yes")
        if not typer.confirm("Take it back?", err=True):
            raise RevenueIntegrityError("nothing was taken back", "Add --yes, or answer y")
    landed = land_withdrawal(home.settings, stream, batch, who, reason)
    print(f"{landed.batch_id} {landed.digest}")
    say(f"{batch} counts no more; `revenue-integrity run` computes the months that it touches")


def _tell_foreseen(batch: str, foreseen: "Foreseen", chosen: FormatOption) -> None:
    """Say what taking a batch back moves; the amounts are data."""
    if not foreseen.is_read:
        say(f"{batch} was not read yet: nothing moves")
        return
    touched = ", ".join(months.label(month) for month in foreseen.months) or "no month"
    say(f"{batch} touches {touched}")
    if foreseen.signed:
        signed = ", ".join(months.label(month) for month in foreseen.signed)
        say(f"signed, and open again once a signed figure changes: {signed}")
    if not foreseen.moved.empty:
        show(foreseen.moved, chosen)
    if foreseen.is_kept_in_files:
        say("what it had replaced stands again, and is known after a run, which builds the store of its stream again")


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

    home = open_home()
    freeze_approved(home)
    pulled = pulling.pull(home.settings, home.source(stream, source), url, table=table, query_file=query, cursor=cursor)
    if pulled.warning:
        say(f"warning: {pulled.warning}")
    if pulled.landed is None:
        say(f"{pulled.rows} rows read, nothing new to land")
    else:
        _tell_landed(pulled.landed)


mapping = Commands(no_args_is_help=True, help="Column mappings: files with foreign column names and formats.")
app.add_typer(mapping, name="map", rich_help_panel=app.heading)


@mapping.command("draft")
def draft_mapping(stream: str, source: str, file: Path) -> None:
    """Propose a mapping for a file from the names of its columns and a sample of its values, to be read by a person."""
    from revenue_integrity.landing.drafting import draft

    home = open_home()
    print(draft(home.source(stream, source), file, home.settings.currency), end="")
    say("settle what is marked with # ?, save it, and see with `revenue-integrity map check` how the file would land")


@mapping.command("check")
def check_mapping(mapping: Path, sample: Path, chosen: FormatOption = None) -> None:
    """Show the first rows of a sample as they would land, and what fails and why. Nothing is landed."""
    import tempfile

    from revenue_integrity.landing import conversion
    from revenue_integrity.landing.mapping import load_mapping

    home = open_home()
    declared = load_mapping(mapping, home.source)
    with tempfile.TemporaryDirectory() as folder:
        preview = conversion.check(declared, sample, Path(folder), home.settings)
    show(preview.first_rows, chosen)
    say(f"{preview.rows} rows would land as {declared.source.stream} {declared.source.name}, {preview.left_out} are left out")
    _tell_changes(preview.taken, preview.rows, preview.rounded)
    for reason in preview.reasons:
        say(f"would be quarantined: {reason}")
    _tell_doubts(preview.doubts)
    if preview.quarantined:
        raise RevenueIntegrityError(f"{preview.quarantined} of {preview.rows} rows fail", "Correct the mapping or the file")
