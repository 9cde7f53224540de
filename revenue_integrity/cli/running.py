"""Commands that compute and serve: run, ui.

Belongs here: parsing, calling, printing. Does not belong here: the runs themselves (`orchestration`), the demo (`operating`).
"""

from typing import Annotated

import typer

from revenue_integrity.cli.shared import Commands, instant_of, months_of, open_evidence, open_home, say, send_alerts
from revenue_integrity.streams.registry import load_settings, simulators

app = Commands("Compute")


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
    from revenue_integrity.cli import screens
    from revenue_integrity.computing import past_world
    from revenue_integrity.desk import freezing, packs
    from revenue_integrity.desk.alerts import outbox
    from revenue_integrity.operating import demo
    from revenue_integrity.orchestration import runner

    home = open_home()
    wanted = None if period is None else months_of(period, home.settings)
    if as_of is not None:
        past_world.compute(home, instant_of(as_of), wanted, only=stream, say=say)
        return
    if demo_if_empty:
        demo.prepare_home(home, simulators(), say=say)
        # A home that has just become a demo begins where its demo does.
        home = open_home()
    with open_evidence(home) as evidence:
        # First, while what was signed is still what is published.
        for sentence in freezing.complete(home, evidence):
            say(sentence)
    summary = runner.run(home, wanted, stream=stream, select=select, everything=everything, say=say)
    say(summary.sentence)
    if demo_if_empty and not summary.failures:
        demo.close_what_can_be(home, simulators(), say=say)
    # Last, for packs show what was signed.
    with open_evidence(home) as evidence:
        packs.renew(home, evidence, say=say)
        if demo_if_empty and not summary.failures:
            demo.conclude(home, say=say)
        send_alerts(home, evidence)
    for line in screens.reopened(outbox.frame(home.settings)):
        say(line)
    if summary.failures:
        raise typer.Exit(1)


@app.command()
def ui(
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, start nothing: no launch, no daemon.")] = False,
) -> None:
    """Serve the Dagster UI and its daemon on 127.0.0.1 until Ctrl-C, for whoever has the address that it prints."""
    from revenue_integrity.operating.ui import serve

    serve(load_settings(), read_only=read_only)
