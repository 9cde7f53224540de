"""The simulator of the stream as it is declared: its options and its program.

Read with every command, so what it calls is imported when it is called. Does not belong here: the simulation (``program``).
"""

from revenue_integrity.model.simulator import Option, Simulated, Simulation, Simulator


def _judge(asked: Simulation) -> None:
    from revenue_integrity.streams.cloud.simulate.plan import read_plan

    read_plan(asked.faults, asked.options["events_per_day"])


def _simulate(asked: Simulation) -> Simulated:
    from revenue_integrity.streams.cloud.simulate.program import simulate

    return simulate(
        asked.landing,
        asked.truth,
        months=asked.months,
        seed=asked.seed,
        faults=asked.faults,
        events_per_day=asked.options["events_per_day"],
        currency=asked.currency,
    )


SIMULATOR = Simulator(
    "cloud",
    "{events_per_day} cloud billing events a day and the exports of three providers",
    (Option("events_per_day", "Cloud billing events a day, about.", 150),),
    _judge,
    _simulate,
)
