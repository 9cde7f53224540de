"""The simulator of the stream as it is declared: its options, its program, its late story.

Read with every command, so what it calls is imported when it is called. Does not belong here: the simulation (``program``).
"""

from datetime import date
from pathlib import Path

from revenue_integrity.model.simulator import Cutoff, LateStory, Option, Simulated, Simulation, Simulator


def _judge(asked: Simulation) -> None:
    from revenue_integrity.streams.bookings.simulate.plan import read_plan

    read_plan(asked.faults, asked.options["deals"])


def _simulate(asked: Simulation) -> Simulated:
    from revenue_integrity.streams.bookings.simulate.program import simulate

    return simulate(
        asked.landing,
        asked.truth,
        months=asked.months,
        deals=asked.options["deals"],
        seed=asked.seed,
        faults=asked.faults,
        cutoff=asked.cutoff,
        currency=asked.currency,
    )


def _post_late(landing: Path, month: date, cutoff: Cutoff) -> str:
    from revenue_integrity.streams.bookings.simulate.late import late_entry

    return late_entry(landing, month=month, cutoff=cutoff)


SIMULATOR = Simulator(
    stream="bookings",
    sketch="{deals} deals",
    options=(Option("deals", "Deals in force at a time.", 60),),
    judge=_judge,
    simulate=_simulate,
    late=LateStory("late recognition entry", 2, _post_late),
)
"""The CRM and the ERP of a software business."""
