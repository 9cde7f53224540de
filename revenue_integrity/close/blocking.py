"""What stands in the way of a month, in words: of each check its title, the figure that fails, its limit, what to do.

Belongs here: these sentences, the same for refusals, status and whoever else tells them. Does not belong here: whether a check
stands in the way (``sign_off``), which command shows what is behind it (``desk.facts``).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from revenue_integrity.model.check import Gate
from revenue_integrity.settings import Settings
from revenue_integrity.wording import Currency

if TYPE_CHECKING:
    from revenue_integrity.close.sign_off import CheckFact, MonthFacts

_WITHOUT_LIMIT = 2
"""Figures that are told of a check that does not say which of them decides."""

_UNJUDGED = {
    "missing": "it has not been judged yet",
    "planned": "its run has not come to it yet",
    "outdated": "it was judged on other data, settings or rules than stand now",
}


def told(facts: "MonthFacts", check: "CheckFact", currency: str) -> str:
    """Return what stands in the way as one text: why and what to do in the first line, a command in the second, if there is one.

    Args:
        facts: the facts of the month.
        check: a check of it that did not pass.
        currency: the currency of its figures.
    """
    line = f"{check.heading} ({facts.called(check)}, {check.gate.value}): {why(check, currency)}. {_step(check)}"
    command = check.command if check.state == "failed" else f"run --months {facts.label}"
    return f"{line}\nrevenue-integrity {command}" if command else line


def why(check: "CheckFact", currency: str) -> str:
    """Return why a check did not pass, without a full stop: the figures beyond their limits, or why there is no verdict."""
    if check.state != "failed":
        return _UNJUDGED[check.state]
    write = Currency(currency)
    beyond = list(_beyond(check, write))
    if not beyond:
        beyond = write.phrases(dict(list(check.figures.items())[:_WITHOUT_LIMIT]))
    return ", ".join(beyond) or "it failed"


def way_out(facts: "MonthFacts", settings: Settings) -> str:
    """Return what somebody can do about all that stands in the way of a month: correct it, or let one check through."""
    correct = f"Correct the source and run the month again: revenue-integrity run --months {facts.label}"
    failing = next((each for each in facts.in_the_way if each.gate is Gate.SIGN_OFF and each.state == "failed"), None)
    if failing is None:
        return correct
    book = f" --book {facts.book}" if facts.book else ""
    who = next(iter(settings.approvers), "NAME")
    waive = f'revenue-integrity waive {facts.label} {facts.called(failing)}{book} --as {who} --reason "WHY IT MAY STAND"'
    return f"{correct}\nOr an approver lets a check of gate sign_off through as it stands: {waive}"


def _step(check: "CheckFact") -> str:
    if check.state != "failed":
        return "Run the month with its checks."
    step = check.next_step or "Correct the source and run the month again."
    return step if step.endswith((".", "!", "?")) else f"{step}."


def _beyond(check: "CheckFact", write: Currency) -> Iterator[str]:
    """Yield each figure that is beyond its limit, with the limit."""
    for limit in check.limits:
        found = limit.of(check.figures)
        if found is None:
            continue
        value, bound = found
        if (value != bound) if limit.holds == "exactly" else (_number(value) > _number(bound)):
            (shown,), ((_, allowed),) = write.phrases({limit.figure: value}), write.figures({limit.figure: bound})
            yield f"{shown} ({limit.holds} {allowed})"


def _number(value: Any) -> Decimal:
    """Return a figure as a number; one that is no whole number is on record as text."""
    return Decimal(str(value))
