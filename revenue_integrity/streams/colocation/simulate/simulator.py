"""The simulator of the stream as it is declared: its options, its program, its late story.

Read with every command, so what it calls is imported when it is called. Does not belong here: the simulation (``program``).
"""

from datetime import date
from pathlib import Path

from revenue_integrity.model.simulator import Cutoff, LateStory, Option, Simulated, Simulation, Simulator


def _judge(asked: Simulation) -> None:
    from revenue_integrity.streams.colocation.simulate.plan import read_plan

    read_plan(asked.faults, asked.options["contracts"], asked.others)


def _simulate(asked: Simulation) -> Simulated:
    from revenue_integrity.streams.colocation.simulate.program import simulate

    return simulate(
        asked.landing,
        asked.truth,
        months=asked.months,
        contracts=asked.options["contracts"],
        sites=asked.options["sites"],
        seed=asked.seed,
        faults=asked.faults,
        cutoff=asked.cutoff,
        currency=asked.currency,
        others=asked.others,
    )


def _post_late(landing: Path, month: date, cutoff: Cutoff) -> str:
    from revenue_integrity.streams.colocation.simulate.late import late_posting

    return late_posting(landing, month=month, cutoff=cutoff)


SIMULATOR = Simulator(
    "colocation",
    "{contracts} contracts at {sites} sites",
    (Option("contracts", "Contracts.", 200), Option("sites", "Data centre sites.", 3)),
    _judge,
    _simulate,
    # Long closed, and still in everybody's view.
    LateStory("late posting", 7, _post_late),
)
