"""The simulator of the stream as it is declared: its options, its program, its late story.

Read with every command, so what it calls is imported when it is called. Does not belong here: the simulation (``program``).
"""

from datetime import date
from pathlib import Path

from revenue_integrity.model.simulator import Cutoff, LateStory, Option, Simulated, Simulation, Simulator


def _judge(asked: Simulation) -> None:
    from revenue_integrity.streams.sales.simulate.plan import read_plan

    read_plan(asked.faults, asked.options["transactions"])


def _simulate(asked: Simulation) -> Simulated:
    from revenue_integrity.streams.sales.simulate.program import simulate

    return simulate(
        asked.landing,
        asked.truth,
        months=asked.months,
        transactions=asked.options["transactions"],
        seed=asked.seed,
        faults=asked.faults,
        cutoff=asked.cutoff,
        currency=asked.currency,
    )


def _upload_late(landing: Path, month: date, cutoff: Cutoff) -> str:
    from revenue_integrity.streams.sales.simulate.late import late_sale

    return late_sale(landing, month=month, cutoff=cutoff)


SIMULATOR = Simulator(
    stream="sales",
    sketch="{transactions} transactions a month",
    options=(Option("transactions", "Transactions a month.", 300),),
    judge=_judge,
    simulate=_simulate,
    late=LateStory("sale of a till that was off-line", 2, _upload_late),
)
"""Tills, a web shop and an app, a ledger and a payment processor."""
