"""The demo home: simulated source systems for those who have no data yet.

Belongs here: making such a home and marking it. Does not belong here: the simulator itself, which knows nothing of us.
"""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from textwrap import shorten

from revenue_integrity import months
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.errors import Refusal, RevenueIntegrityError, UsageError
from revenue_integrity.landing.zone import scan
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.settings import PREFIX, Settings

Say = Callable[[str], None]

DEMO_MONTHS = 24
DEMO_CONTRACTS = 200
DEMO_SITES = 3
DEMO_EVENTS = 150
DEMO_SEED = 1
DEMO_PREPARER = "demo.preparer"
DEMO_APPROVER = "demo.approver"

SIMULATED = ("colocation", "cloud")
"""Streams that have a simulator."""

_LATE = "Late posting landed:"
"""What the mark of a demo home says once its late posting has arrived."""

_LATE_MONTHS_BACK = 7
"""The late posting comes for the seventh month from the last signed one: long closed, and still in everybody's view."""


def _mark(settings: Settings) -> bool:
    return (settings.home / "demo").exists()


def is_empty(deployment: Deployment) -> bool:
    """Return whether no batch was ever landed."""
    return not any(scan(deployment.settings.landing_path, stream.sources).batches for stream in deployment.streams)


def prepare_home(deployment: Deployment, *, say: Say) -> None:
    """In a home without any batch, simulate the source systems and mark the home as a demo."""
    if not is_empty(deployment):
        return
    wanted = deployment.settings.months[:DEMO_MONTHS]
    simulate_sources(
        deployment,
        wanted,
        contracts=DEMO_CONTRACTS,
        sites=DEMO_SITES,
        seed=DEMO_SEED,
        faults="default",
        say=say,
        events_per_day=DEMO_EVENTS,
    )


def simulate_sources(
    deployment: Deployment,
    wanted: Sequence[date],
    *,
    contracts: int,
    sites: int,
    seed: int,
    faults: str,
    say: Say,
    events_per_day: int = DEMO_EVENTS,
    streams: Sequence[str] = SIMULATED,
) -> None:
    """Write simulated batches into the landing zone, and the faults in them to ``truth`` beside it.

    Raises:
        UsageError: there is no simulator of a stream, or the simulator does not understand what it is asked for.
        RevenueIntegrityError: the landing zone holds batches already; simulated ones never mix with a user's.
    """
    from revenue_integrity.streams.cloud import simulate as cloud
    from revenue_integrity.streams.colocation import simulate as colocation

    settings = deployment.settings
    unknown = sorted(set(streams) - set(SIMULATED))
    if unknown:
        raise UsageError(f"there is no simulator of the stream '{unknown[0]}'", f"Streams: {', '.join(SIMULATED)}")
    taken = any(_has_batches(settings.landing_path / each) for each in streams)
    if taken or not (is_empty(deployment) or _mark(settings)):
        raise RevenueIntegrityError(
            f"{settings.landing_path} holds batches already", f"Set {PREFIX}HOME to an empty directory to simulate"
        )
    # Before the first file is written: what one simulator refuses must not leave the files of the other behind.
    cloud.read_plan(faults, events_per_day)
    period = f"{months.label(wanted[0])} to {months.label(wanted[-1])}"
    truth = settings.landing_path.parent / "truth"
    found = []
    if "colocation" in streams:
        say(f"Simulating {contracts} contracts at {sites} sites, {period} ...")
        found.append(
            colocation.simulate(
                settings.landing_path,
                truth,
                months=wanted,
                contracts=contracts,
                sites=sites,
                seed=seed,
                faults=faults,
                cutoff=lambda month: cutoff(month, settings),
                currency=settings.currency,
            )
        )
    if "cloud" in streams:
        say(f"Simulating {events_per_day} cloud billing events a day and the exports of three providers, {period} ...")
        found.append(
            cloud.simulate(
                settings.landing_path,
                truth,
                months=wanted,
                seed=seed,
                faults=faults,
                events_per_day=events_per_day,
                currency=settings.currency,
            )
        )
    if not _mark(settings):
        settings.home.mkdir(parents=True, exist_ok=True)
        (settings.home / "demo").write_text("Source systems of this home are simulated.\n", encoding="utf-8")
    batches, rows, planted = (sum(getattr(each, name) for each in found) for name in ("batches", "rows", "faults"))
    say(f"{batches} batches with {rows} rows and {planted} faults landed in {settings.landing_path}")


def _has_batches(stream: Path) -> bool:
    return any(stream.glob("*/[!._]*"))


def close_what_can_be(deployment: Deployment, *, say: Say) -> None:
    """Close a demo home with two demo actors, and land one late posting, once; a user's home is left as it is.

    The late posting comes for a month that was signed: it is recomputed, reopened by itself, and signed anew as version 2.
    """
    settings = deployment.settings
    if not _mark(settings):
        return
    from revenue_integrity.orchestration import runner

    told = (settings.home / "demo").read_text(encoding="utf-8")
    actors = settings.model_copy(
        update={
            "preparers": settings.preparers or (DEMO_PREPARER,),
            "approvers": settings.approvers or (DEMO_APPROVER,),
        }
    )
    signed = _sign(deployment.under(actors), say=say)
    if _LATE in told or not signed:
        return
    month = signed[-min(len(signed), _LATE_MONTHS_BACK)]
    batch = _land_late_posting(settings, month)
    (settings.home / "demo").write_text(f"{told}{_LATE} {batch}\n", encoding="utf-8")
    say(f"A late posting for {months.label(month)} has arrived after its sign-off: {batch}")
    runner.run(deployment, None, say=say)
    _sign(deployment.under(actors), say=say)


def _land_late_posting(settings: Settings, month: date) -> str:
    from revenue_integrity.streams.colocation.simulate import late_posting

    return late_posting(settings.landing_path, month=month, cutoff=lambda each: cutoff(each, settings))


def _sign(deployment: Deployment, *, say: Say) -> list[date]:
    """Prepare and approve month after month until one is refused; return the months that stand signed."""
    from revenue_integrity.desk import close
    from revenue_integrity.orchestration.instance import open_instance

    settings = deployment.settings
    signed: list[date] = []
    with open_instance(settings) as instance:
        for row in close.close_rows(deployment, settings.months, instance):
            month = row.facts.month
            if row.facts.content_hash is None:
                break
            if row.status != "signed_off":
                try:
                    close.prepare(deployment, month, settings.preparers[0], "Demo close.", instance)
                    entry = close.approve(deployment, month, settings.approvers[0], "Demo close.", instance)
                except Refusal as refusal:
                    say(f"{months.label(month)} is not closed: {shorten(refusal.reason, 300, placeholder=' ...')}")
                    break
                say(f"{months.label(month)} signed off, version {entry.version}")
            signed.append(month)
    return signed


def conclude(deployment: Deployment, *, say: Say) -> None:
    """Say how to go on."""
    from revenue_integrity.desk.status import SHORT, status_frame
    from revenue_integrity.output import Format, show

    settings = deployment.settings
    say("")
    status = status_frame(deployment, settings.months)
    show(status[status["why"] != "not computed"][list(SHORT)], Format.TABLE)
    say(f"\nHome: {settings.home}{' (demo)' if _mark(settings) else ''}")
    say(f"Open the UI with `make ui` on http://127.0.0.1:{settings.ui_port}.")
    say("Read a table with `revenue-integrity export contract_month`, a month's variances with `revenue-integrity recon MONTH`.")
