"""The demo home: simulated source systems for those who have no data yet, closed by two demo actors.

Belongs here: making such a home, marking it, closing it, telling what comes late. Does not belong here: the simulators
themselves, which know nothing of us; they are handed in, as streams are.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from textwrap import shorten

from revenue_integrity import months
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.computing.horizon import delivered_months
from revenue_integrity.errors import Refusal, RevenueIntegrityError, no_such
from revenue_integrity.files import write_whole
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.simulator import Simulation, Simulator, usual_options
from revenue_integrity.settings import PREFIX, Settings

Say = Callable[[str], None]

DEMO_MONTHS = months.between(date(2024, 10, 1), date(2025, 12, 1))
"""What a demo shows: a year to compare with, and the quarter before it."""

DEMO_SEED = 1
DEMO_PREPARER = "demo.preparer"
DEMO_APPROVER = "demo.approver"


def _mark(settings: Settings) -> Path:
    """Return the file that marks a home as a demo, and says what was told in it."""
    return settings.demo_path


def is_empty(deployment: Deployment) -> bool:
    """Return whether no batch was ever landed."""
    return not any(_has_batches(deployment.settings.landing_path / name) for name in deployment.streams.names)


def _has_batches(stream: Path) -> bool:
    return any(stream.glob("*/[!._]*"))


def prepare_home(deployment: Deployment, simulators: Mapping[str, Simulator], *, say: Say) -> None:
    """In a home without any batch, simulate the source systems and mark the home as a demo."""
    if not is_empty(deployment):
        return
    of_home = deployment.settings.months
    # A home of other months is shown as many of its own.
    wanted = [month for month in of_home if month in DEMO_MONTHS] or of_home[: len(DEMO_MONTHS)]
    simulate_sources(deployment, simulators, wanted, options=usual_options(simulators), seed=DEMO_SEED, faults="default", say=say)


def simulate_sources(
    deployment: Deployment,
    simulators: Mapping[str, Simulator],
    wanted: Sequence[date],
    *,
    options: Mapping[str, int],
    seed: int,
    faults: str,
    say: Say,
    only: str | None = None,
) -> None:
    """Write simulated batches into the landing zone, and the faults in them to ``truth`` beside it.

    Args:
        deployment: the home.
        simulators: the simulators that there are, by stream.
        wanted: the months.
        options: how much they make of what they declare, by name.
        seed: the same seed writes the same bytes.
        faults: ``default``, ``none``, or a TOML file.
        say: tells the person what goes on.
        only: the one stream that is simulated; all of them by default.

    Raises:
        UsageError: there is no simulator of the stream, or one does not understand what it is asked for.
        RevenueIntegrityError: the landing zone holds batches already; simulated ones never mix with a user's.
    """
    settings = deployment.settings
    if only is not None and only not in simulators:
        raise no_such("simulator of the stream", only, simulators, "Streams")
    chosen = [simulator for name, simulator in simulators.items() if only in (None, name)]
    taken = any(_has_batches(settings.landing_path / simulator.stream) for simulator in chosen)
    if taken or not (is_empty(deployment) or _mark(settings).exists()):
        raise RevenueIntegrityError(
            f"{settings.landing_path} holds batches already", f"Set {PREFIX}HOME to an empty directory to simulate"
        )

    def asked_of(simulator: Simulator) -> Simulation:
        return Simulation(
            settings.landing_path,
            settings.landing_path.parent / "truth",
            wanted,
            seed,
            faults,
            {option.name: options[option.name] for option in simulator.options},
            lambda month: cutoff(month, settings.of_stream(simulator.stream)),
            settings.currency,
            tuple(name for name in simulators if name != simulator.stream),
        )

    # Before the first file is written: what one simulator refuses must not leave the files of the others behind.
    for simulator in chosen:
        simulator.judge(asked_of(simulator))
    period = f"{months.label(wanted[0])} to {months.label(wanted[-1])}"
    found = []
    for simulator in chosen:
        say(f"Simulating {simulator.sketch.format(**options)}, {period} ...")
        found.append(simulator.simulate(asked_of(simulator)))
    if not _mark(settings).exists():
        said = f"Source systems of this home are simulated from {months.label(wanted[0])} on.\n"
        write_whole(_mark(settings), said)
    batches, rows, planted = (sum(getattr(each, name) for each in found) for name in ("batches", "rows", "faults"))
    say(f"{batches} batches with {rows} rows and {planted} faults landed in {settings.landing_path}")


def close_what_can_be(deployment: Deployment, simulators: Mapping[str, Simulator], *, say: Say) -> None:
    """Close a demo home with two demo actors, and tell what comes late, once; a user's home is left as it is.

    What comes late is for a month that was signed: it is recomputed, reopened by itself, and signed anew as version 2.
    """
    settings = deployment.settings
    if not _mark(settings).exists():
        return
    from revenue_integrity.orchestration import runner

    actors = settings.model_copy(
        update={
            "preparers": settings.preparers or (DEMO_PREPARER,),
            "approvers": settings.approvers or (DEMO_APPROVER,),
        }
    )
    signed = _sign(deployment.under(actors), say=say)
    by_stream = {stream: signed[book.name] for book in deployment.books for stream in book.streams if signed.get(book.name)}
    if tell_late(settings, simulators, by_stream, say=say):
        runner.run(deployment, None, say=say)
        _sign(deployment.under(actors), say=say)


def tell_late(settings: Settings, simulators: Mapping[str, Simulator], signed: Mapping[str, Sequence[date]], *, say: Say) -> bool:
    """Land what comes late for months that are signed, which are given by stream, each story once; return whether any came."""
    told = _mark(settings).read_text(encoding="utf-8")
    came = False
    for name, simulator in simulators.items():
        late = simulator.late
        # The mark names the batch, which begins with the stream.
        of_stream = signed.get(name, ())
        if late is None or f": {name}/" in told or not of_stream or not _has_batches(settings.landing_path / name):
            continue
        month, own = of_stream[-min(len(of_stream), late.months_back)], settings.of_stream(name)
        batch = late.tell(settings.landing_path, month, partial(_cutoff, own))
        told += f"{late.title.capitalize()} landed: {batch}\n"
        write_whole(_mark(settings), told)
        say(f"A {late.title} for {months.label(month)} has arrived after its sign-off: {batch}")
        came = True
    return came


def _cutoff(settings: Settings, month: date) -> datetime:
    return cutoff(month, settings)


def _sign(deployment: Deployment, *, say: Say) -> dict[str, list[date]]:
    """Prepare and approve month after month of each book until one is refused; return the months that stand signed by book."""
    from revenue_integrity.desk import decisions
    from revenue_integrity.desk.close_status import close_rows
    from revenue_integrity.orchestration.evidence import open_evidence

    settings = deployment.settings
    signed: dict[str, list[date]] = {}
    with open_evidence(deployment) as evidence:
        ended: set[str] = set()
        for row in close_rows(deployment, evidence, delivered_months(settings)):
            facts, book, month = row.facts, row.facts.book, row.facts.month
            if book in ended or facts.is_before_book:
                continue
            if facts.content_hash is None:
                ended.add(book)
                continue
            if row.status != "signed_off":
                own = settings.of_book(book)
                try:
                    decisions.prepare(deployment, evidence, month, _first(own.preparers), "Demo close.", book=book)
                    entry = decisions.approve(deployment, evidence, month, _first(own.approvers), "Demo close.", book=book)
                except Refusal as refusal:
                    say(f"{facts.named} is not closed: {shorten(refusal.reason, 300, placeholder=' ...')}")
                    ended.add(book)
                    continue
                say(f"{facts.named} signed off, version {entry.version}")
            signed.setdefault(book, []).append(month)
    return signed


def _first(actors: Sequence[str]) -> str:
    return actors[0] if actors else "nobody"


def conclude(deployment: Deployment, *, say: Say) -> None:
    """Say how to go on."""
    from revenue_integrity.desk.status import status_frame, summary
    from revenue_integrity.orchestration.evidence import open_evidence
    from revenue_integrity.output import Format, show

    settings = deployment.settings
    say("")
    with open_evidence(deployment) as evidence:
        shown = summary(deployment, status_frame(deployment, evidence, delivered_months(settings)))
    # What was asked for is no data: on a terminal it fits, elsewhere it is a table all the same.
    show(shown, None if sys.stdout.isatty() else Format.TABLE)
    say(f"\nHome: {settings.home}{' (demo)' if _mark(settings).exists() else ''}")
    say("Open the UI with `make ui`: it prints the address.")
    say("What stands and what to type next: revenue-integrity status")
    if not shown.empty:
        say(f"Variances of a month with their causes: revenue-integrity recon {shown['month'].max():%Y-%m}")
