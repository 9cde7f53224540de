"""Checks of reconciliations, made from what a stream declares; the same for every stream.

Belongs here: that pairs agree, that causes add up, that every variance has one, that what is at risk stays within materiality.
Does not belong here: what else a stream demands of its results (each stream's ``checks``), how causes are found
(``close.causes``).

A stream gives each its name and words, for the control that it is differs from business to business; what is computed, shown and
listed follows from the declaration of its reconciliations.
"""

from collections.abc import Mapping
from typing import Literal

from revenue_integrity.close.judgement import PROGRAM_ERROR, CheckText, declared_check
from revenue_integrity.model.check import Check, Control, Gate, Limit
from revenue_integrity.model.query import Sql, Template
from revenue_integrity.model.reconciliation import Reconciliations
from revenue_integrity.model.table import Table

MATERIALITY_SETTINGS = ("materiality_cents", "materiality_share")
"""What materiality rests on beside its base."""

WITHIN_MATERIALITY = (Limit("gross_cents", "materiality_cents"),)
"""What a check of materiality hangs on."""

PairMeasure = Literal["pairs", "breaches", "variance_gross", "breach_signed", "breach_gross", "left_total", "right_total"]
"""What can be told of the pairs of a reconciliation; money that is not in cents has its places."""

_PACKAGE = "revenue_integrity.close"


def pairs_agree(
    recons: Reconciliations,
    recon: str,
    gate: Gate,
    text: CheckText,
    *,
    figures: Mapping[str, PairMeasure],
    listed: Mapping[str, str] | None = None,
    lists: Literal["offenders", "always"] = "always",
) -> Check:
    """Return the check that no pair of a reconciliation is in breach.

    ``figures`` says what it tells, each under its name, among it the breaches or the gross variance, on which the verdict hangs;
    ``listed`` which columns of the results it lists of pairs in breach, each under its name. Without a tolerance, what is apart
    is read off the variance itself.
    """
    given = (("recons", recons), ("recon", recons.named(recon)))
    verdict = Sql(_PACKAGE, Template("checks/pairs_agree", (*given, ("figures", tuple(figures.items())))))
    rows = Sql(_PACKAGE, Template("checks/pairs_agree_rows", (*given, ("listed", tuple(listed.items()))))) if listed else None
    told = {measure: name for name, measure in figures.items()}
    limits = (Limit(told["breaches"] if "breaches" in told else told["variance_gross"]),)
    return declared_check(text, recons.results, gate, verdict, rows, limits=limits, lists=lists)


def causes_add_up(recons: Reconciliations) -> Check:
    """Return the check that the causes of each row make its variance, and the two ends of each move nothing."""
    causes = _causes_of(recons)
    text = CheckText(
        "causes_add_up",
        "For every row of a reconciliation with causes, they add up to its variance, and the two ends of each move to 0.",
        PROGRAM_ERROR,
        Control("An explanation explains more or less than the variance.", f"`{causes.name}`", "controller"),
    )
    limits = (Limit("rows_that_do_not_add_up"), Limit("moves_that_do_not_add_up"))
    return declared_check(text, causes, Gate.PUBLISH, _text("causes_add_up", recons), limits=limits)


def variances_are_explained(recons: Reconciliations, text: CheckText) -> Check:
    """Return the check that a named cause stands behind every cent of variance; it lists what none explains."""
    verdict, rows = _text("variances_are_explained", recons), _text("variances_are_explained_rows", recons)
    return declared_check(text, _causes_of(recons), Gate.SIGN_OFF, verdict, rows, limits=(Limit("unexplained_cents"),))


def causes_are_within_materiality(recons: Reconciliations, recon: str, text: CheckText) -> Check:
    """Return the check that causes other than late postings on rows in breach stay within materiality, gross.

    It lists the causes, the largest first; what they are measured by is declared with the reconciliation.
    """
    _causes_of(recons)
    verdict = _text("causes_are_within_materiality", recons, recon)
    rows = _text("causes_are_within_materiality_rows", recons, recon)
    return declared_check(
        text,
        recons.summary,
        Gate.SIGN_OFF,
        verdict,
        rows,
        limits=WITHIN_MATERIALITY,
        settings=MATERIALITY_SETTINGS,
        recon=recon,
    )


def _causes_of(recons: Reconciliations) -> Table:
    if recons.causes is None:
        raise ValueError(f"{recons.stream} explains no reconciliation")
    return recons.causes


def _text(name: str, recons: Reconciliations, recon: str = "") -> Sql:
    given = (("recons", recons), ("recon", recons.named(recon))) if recon else (("recons", recons),)
    return Sql(_PACKAGE, Template(f"checks/{name}", given))
