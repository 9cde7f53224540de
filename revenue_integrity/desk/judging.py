"""What the checks of a month say when it is decided about: judged anew on the data, not read from the record of runs.

Belongs here: putting the verdict of this moment into the facts. Does not belong here: what follows from it (``close.sign_off``),
verdicts as they are shown between decisions (``facts``).
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from revenue_integrity.close.sign_off import CheckFact, MonthFacts
from revenue_integrity.computing import ingestion, landed_month, table_month
from revenue_integrity.model.check import BATCHES_UNCHANGED, Figure, Gate, Judgement
from revenue_integrity.model.deployment import Deployment

_JUDGED = ("passed", "failed")
"""States of a check that was evaluated on what stands; what was not must be run first."""


def judged_anew(deployment: Deployment, facts: MonthFacts) -> MonthFacts:
    """Return the facts of a month with what its checks that gate find in the data now; their words are those on record.

    A check without a result on what stands stays without one: running it belongs to a run.
    """
    fresh = dict(_judgements(deployment, facts))
    return replace(facts, checks=[_with(each, fresh.get(each.path)) for each in facts.checks])


def _judgements(deployment: Deployment, facts: MonthFacts) -> Iterator[tuple[str, Judgement]]:
    settings, month = deployment.settings, facts.month
    wanted = {each.path for each in facts.checks if each.gate is not Gate.WARN and each.state in _JUDGED}
    for name in sorted({each.stream for each in facts.checks}):
        stream = deployment.streams.named(name)
        chosen = [each for each in stream.checks if f"{name}/{each.table.name}/{each.name}" in wanted]
        for check, judgement in table_month.judgements(chosen, month, settings):
            yield f"{name}/{check.table.name}/{check.name}", judgement
        verdict = landed_month.batches_unchanged(ingestion.read_manifest(settings, stream), month)
        for each in facts.checks:
            if each.stream == name and each.name == BATCHES_UNCHANGED.name and each.path in wanted:
                yield each.path, verdict


def _with(check: CheckFact, judgement: Judgement | None) -> CheckFact:
    if judgement is None:
        return check
    figures = {name: _plain(value) for name, value in judgement.figures.items()}
    state = "passed" if judgement.passed else "failed"
    return replace(check, state=state, figures=figures, next_step=judgement.next_step)


def _plain(value: Figure) -> Figure:
    """Return a figure as the record of runs keeps it: the engine's whole numbers are no Python integers."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if isinstance(value, bool | str) or value is None else int(value)
