"""The one reconcile engine: the tables of a stream's reconciliations, and the queries that fill them from a declaration.

Belongs here: comparing two sides row by row and in total, the same for every stream. Does not belong here: which
reconciliations there are and how their sides are made (each stream's ``recon`` and ``sql/recon``), why sides differ
(``close.causes``), what must hold of the result (``close.reconciliation_checks``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pandera.pandas as pa

from revenue_integrity.close.causes.labels import UNEXPLAINED
from revenue_integrity.close.evidence import delivered_slice, evidence_slice
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query, Sql, Template, load_query
from revenue_integrity.model.reconciliation import CURRENCY, STATUSES, VIEWS, Reconciliation, Reconciliations
from revenue_integrity.model.rule import Reads, Rule, raw, same_month
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import Settings

_WHOLE_UNIT = "unit of the row"


@dataclass(frozen=True)
class Extra:
    """What the tables of one stream hold beside what every stream's hold.

    Attributes:
        never: columns of ``results`` that no reconciliation of the stream has; they stand before the grain, and are null.
        explanation: a file of SQL, without ``.sql.j2``: the expression of a sentence on each row of ``results``.
        carried: columns of the queries of the sides that the explanation looks at.
        summary: further columns of ``summary``, whose query is then the stream's own.
    """

    never: tuple[pa.Column, ...] = ()
    explanation: str = ""
    carried: tuple[str, ...] = ()
    summary: tuple[pa.Column, ...] = ()


def declare(
    stream: str,
    package: str,
    declared: Sequence[Reconciliation],
    grain: Sequence[pa.Column],
    *,
    prefix: str = "",
    places: int = 0,
    extra: Extra = Extra(),
) -> Reconciliations:
    """Return the reconciliations of a stream with the tables that hold them.

    ``prefix`` keeps the names of the tables of two streams apart; ``places`` are those of amounts that are not in cents.
    """
    rows = [
        column.month(),
        column.text("recon", "The reconciliation.", isin=tuple(dict.fromkeys(each.name for each in declared))),
        column.text("view", "Postings by the cutoff, or all of them.", isin=VIEWS),
    ]
    named = [
        *rows,
        column.json_text("row_key", f"The grain of the row as JSON: {', '.join(str(each.name) for each in grain)}."),
        *extra.never,
        *grain,
    ]
    units = [_unit(declared)]
    amount = _amounts(places)
    explained = [each for each in declared if each.causes is not None]
    sentence = [column.text("explanation", "How the row stands, as a sentence.")] if extra.explanation else []
    return Reconciliations(
        stream=stream,
        declared=tuple(declared),
        package=package,
        grain=tuple(str(each.name) for each in grain),
        results=_results(stream, prefix, [*named, *units], amount, sentence),
        summary=_summary(
            stream,
            prefix,
            [*rows, *units],
            amount,
            [*(_IN_TOTAL if explained else ()), *extra.summary],
            by_unit=len({each.name for each in declared}) < len(declared),
        ),
        causes=_causes(stream, prefix, named, explained) if explained else None,
        places=places,
        never=tuple(str(each.name) for each in extra.never),
        carried=extra.carried,
        explanation=extra.explanation,
    )


def results_text(recons: Reconciliations) -> Template:
    """Return the query of a stream's reconciliations row by row."""
    return Template("reconcile", (("recons", recons),))


def results_query(recons: Reconciliations, month: date, settings: Settings, **more: Any) -> Query:
    """Return a stream's reconciliations row by row; ``more`` are parameters of the queries of the sides."""
    tolerances = {name: getattr(settings, name) for each in recons for name in each.tolerance.settings}
    given = {"stream": recons.stream, "currency": settings.currency} | tolerances | more
    return load_query(recons.package, results_text(recons), month=month, **given)


def summary_text(recons: Reconciliations) -> Template:
    """Return the query of a stream's reconciliations in total."""
    return Template("recon_summary", (("recons", recons),))


def summary_query(recons: Reconciliations, month: date, settings: Settings) -> Query:
    """Return a stream's reconciliations in total."""
    return load_query(recons.package, summary_text(recons), month=month)


def results_rule(
    recons: Reconciliations,
    reads: Sequence[Reads],
    *,
    settings: tuple[str, ...] = (),
    parameters: Callable[[date, Any], Mapping[str, Any]] | None = None,
) -> Rule:
    """Return the rule of a stream's reconciliations row by row.

    ``reads`` is what the queries of the sides read, ``settings`` what they rest on, ``parameters`` what they are given by name
    beside what those of every stream are.
    """
    text = Sql(recons.package, results_text(recons))
    function = partial(results_query, recons) if parameters is None else partial(_results_with, recons, parameters)
    return Rule(recons.results, function, (*reads, *delivered(recons)), (*result_settings(recons), *settings), (text,))


def _results_with(
    recons: Reconciliations, parameters: Callable[[date, Any], Mapping[str, Any]], month: date, settings: Settings
) -> Query:
    return results_query(recons, month, settings, **parameters(month, settings))


def summary_rule(recons: Reconciliations, reads: Sequence[Reads] = ()) -> Rule:
    """Return the rule of a stream's reconciliations in total.

    Its table is judged before a month is signed: ``reads`` names what those checks read that results and causes do not follow
    from. The evidence of deliveries is among it, so that they are judged again when something has arrived.
    """
    totals_of = [recons.results, *([recons.causes] if recons.causes else [])]
    judged = (*(same_month("recon", each.name) for each in totals_of), *reads, raw(evidence_slice(recons.stream)))
    return Rule(recons.summary, partial(summary_query, recons), judged, sql=(Sql(recons.package, summary_text(recons)),))


def delivered(recons: Reconciliations) -> tuple[Reads, ...]:
    """Return what the results read of the manifest: whether the sources that reconciliations need have ever delivered."""
    return tuple(raw(name) for name in dict.fromkeys(delivered_slice(source) for each in recons for source in each.needs))


def result_settings(recons: Reconciliations) -> tuple[str, ...]:
    """Return the settings that the results rest on, beside those of the queries of the sides."""
    names = dict.fromkeys(name for each in recons for name in each.tolerance.settings)
    return (*names, *(["currency"] if any(each.unit == CURRENCY for each in recons) else []))


def _unit(declared: Sequence[Reconciliation]) -> pa.Column:
    """Return the column of units: those declared, or any code of letters where one is the deployment's currency."""
    units = tuple(dict.fromkeys(each.unit for each in declared))
    said = "What is compared."
    return column.text("unit", said, pattern="[a-z]+") if CURRENCY in units else column.text("unit", said, isin=units)


def _amounts(places: int) -> Callable[..., pa.Column]:
    if places:
        return partial(column.decimal, unit=_WHOLE_UNIT, places=places, digits=38)
    return partial(column.integer, unit=_WHOLE_UNIT)


def _results(
    stream: str, prefix: str, named: Sequence[pa.Column], amount: Callable[..., pa.Column], more: Sequence[pa.Column]
) -> Table:
    return table(
        stream,
        "recon",
        f"{prefix}recon_results",
        "Reconciliations, one row per month, reconciliation, view and grain: two sides, their variance and how it stands.",
        ("month", "recon", "view", "row_key"),
        [
            *named,
            column.money("left_cents", "Left side, where the unit is cents.", null=True),
            column.money("right_cents", "Right side, where the unit is cents.", null=True),
            column.money("variance_cents", "Left less right, where the unit is cents.", null=True),
            amount("left_value", "Left side, where the unit is another.", null=True),
            amount("right_value", "Right side, where the unit is another.", null=True),
            amount("variance_value", "Left less right, where the unit is another.", null=True),
            column.ratio("variance_pct", "Variance over the absolute right side; empty where that is 0."),
            column.text("status", "How the variance stands against the tolerance.", isin=STATUSES),
            *more,
        ],
    )


def _causes(stream: str, prefix: str, named: Sequence[pa.Column], explained: Sequence[Reconciliation]) -> Table:
    families = {label: family for each in explained if each.causes for label, family in each.causes.families.items()}
    return table(
        stream,
        "recon",
        f"{prefix}recon_causes",
        "Why each variance is what it is, one row per cause; for each row of a reconciliation they add up to its variance.",
        ("month", "recon", "view", "row_key", "cause_no"),
        [
            *named,
            column.integer("cause_no", "Number of the cause within its row.", ge=1),
            column.text(
                "family",
                "Kind of cause; empty for what no rule explains.",
                null=True,
                isin=tuple(dict.fromkeys(families.values())),
            ),
            column.text("cause", "The cause.", isin=(*families, UNEXPLAINED)),
            column.money("cause_cents", "Its part of the variance (left less right)."),
            column.text("link_id", "Shared by the two ends of a move.", null=True),
            column.text("status", "How the row's variance stands against the tolerance.", isin=STATUSES),
            column.json_text("evidence", "Documents, readings, versions or mapping rows that prove it, by their ids."),
            column.text("explanation", "The cause as a sentence."),
        ],
    )


_IN_TOTAL = (
    column.json_text("causes", "Cents per cause, signed, as JSON.", null=True),
    column.json_text("causes_gross", "Absolute cents per cause, as JSON.", null=True),
    column.money("timing_cents", "Signed cents of causes of timing.", null=True),
    column.money("at_risk_cents", "Signed cents of all other causes.", null=True),
    column.money("timing_gross_cents", "Absolute cents of causes of timing.", null=True),
    column.money("at_risk_gross_cents", "Absolute cents of all other causes.", null=True),
    column.ratio("explained_pct", "Share of the absolute cause cents that a rule explains."),
    column.money("residual_cents", "Absolute cents explained only by how the variance is made up (price, quantity).", null=True),
    column.money("unexplained_cents", "Absolute cents that no rule explains.", null=True),
)
"""What causes come to, per reconciliation and view."""


def _summary(
    stream: str,
    prefix: str,
    rows: Sequence[pa.Column],
    amount: Callable[..., pa.Column],
    more: Sequence[pa.Column],
    *,
    by_unit: bool,
) -> Table:
    return table(
        stream,
        "recon",
        f"{prefix}recon_summary",
        "Reconciliations in total, one row per month, reconciliation and view; amounts in the unit of the row.",
        ("month", "recon", "view", "unit") if by_unit else ("month", "recon", "view"),
        [
            *rows,
            column.integer("rows", "Rows.", unit="rows"),
            column.integer("matched", "Rows without a variance.", unit="rows"),
            column.integer("within_tolerance", "Rows whose variance nobody must act on.", unit="rows"),
            column.integer("breaches", "Rows beyond their tolerance.", unit="rows"),
            amount("left_total", "Left side."),
            amount("right_total", "Right side."),
            amount("variance_signed", "Sum of the variances."),
            amount("variance_gross", "Sum of the absolute variances."),
            *more,
        ],
    )
