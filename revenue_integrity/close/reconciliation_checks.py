"""Checks of reconciliations whose variances have causes, made from what a stream declares; the same for every stream.

Belongs here: that causes add up, that every variance has one, that what is at risk stays within materiality. Does not belong
here: what else a stream demands of its results (each stream's ``checks``), how causes are found (``close.causes``).

A stream gives each its name and words, for the control that it is differs from business to business; what is computed, shown and
listed follows from the declaration of its reconciliations.
"""

from typing import NamedTuple

from revenue_integrity.close.calendar import CALENDAR_SETTINGS
from revenue_integrity.close.judgement import decided_by
from revenue_integrity.model.check import Check, Control, Gate, Limit
from revenue_integrity.model.query import Sql, Template
from revenue_integrity.model.reconciliation import Reconciliations
from revenue_integrity.model.table import Table

MATERIALITY_SETTINGS = ("materiality_cents", "materiality_share")
"""What materiality rests on beside its base."""

WITHIN_MATERIALITY = (Limit("gross_cents", "materiality_cents"),)
"""What a check of materiality hangs on."""

_PACKAGE = "revenue_integrity.close"

_PROGRAM_ERROR = "This is an error of the program or of its tables: do not publish, report it with the month."


class Words(NamedTuple):
    """What people read of a check.

    Attributes:
        name: its name, after what must be true.
        description: what must be true, as a sentence.
        next_step: what to do when it is not.
        control: what it is a control against.
    """

    name: str
    description: str
    next_step: str
    control: Control


def causes_add_up(recons: Reconciliations) -> Check:
    """Return the check that the causes of each row make its variance, and the two ends of each move nothing."""
    causes = _causes_of(recons)
    judge = decided_by(_text("causes_add_up", recons), None, _PROGRAM_ERROR, lists="nothing")
    return Check(
        "causes_add_up",
        causes,
        Gate.PUBLISH,
        "For every row of a reconciliation with causes, they add up to its variance, and the two ends of each move to 0.",
        judge,
        control=Control("An explanation explains more or less than the variance.", f"`{causes.name}`", "controller"),
        settings=CALENDAR_SETTINGS,
        limits=(Limit("rows_that_do_not_add_up"), Limit("moves_that_do_not_add_up")),
    )


def variances_are_explained(recons: Reconciliations, words: Words) -> Check:
    """Return the check that a named cause stands behind every cent of variance; it lists what none explains."""
    verdict, rows = _text("variances_are_explained", recons), _text("variances_are_explained_rows", recons)
    judge = decided_by(verdict, rows, words.next_step)
    return Check(
        words.name,
        _causes_of(recons),
        Gate.SIGN_OFF,
        words.description,
        judge,
        control=words.control,
        settings=CALENDAR_SETTINGS,
        limits=(Limit("unexplained_cents"),),
    )


def causes_are_within_materiality(recons: Reconciliations, recon: str, words: Words) -> Check:
    """Return the check that causes other than late postings on rows in breach stay within materiality, gross.

    It lists the causes, the largest first; what they are measured by is declared with the reconciliation.
    """
    _causes_of(recons)
    verdict = _text("causes_are_within_materiality", recons, recon)
    rows = _text("causes_are_within_materiality_rows", recons, recon)
    judge = decided_by(verdict, rows, words.next_step, settings=MATERIALITY_SETTINGS)
    return Check(
        words.name,
        recons.summary,
        Gate.SIGN_OFF,
        words.description,
        judge,
        control=words.control,
        settings=(*CALENDAR_SETTINGS, *MATERIALITY_SETTINGS),
        limits=WITHIN_MATERIALITY,
        recon=recon,
    )


def _causes_of(recons: Reconciliations) -> Table:
    if recons.causes is None:
        raise ValueError(f"{recons.stream} explains no reconciliation")
    return recons.causes


def _text(name: str, recons: Reconciliations, recon: str = "") -> Sql:
    given = (("recons", recons), ("recon", recons.named(recon))) if recon else (("recons", recons),)
    return Sql(_PACKAGE, Template(f"checks/{name}", given))
