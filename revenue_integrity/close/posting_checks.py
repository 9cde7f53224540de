"""Checks of what accounting posts, made from what a stream declares of its postings; the same for every stream.

Belongs here: that lines which resolve to nothing, or come late, stay within materiality, and that accounting's own totals are
those of what arrived. Does not belong here: comparing postings with what is due (``close.reconciliation_checks``).
"""

from revenue_integrity.close.judgement import CheckText, declared_check
from revenue_integrity.close.reconciliation_checks import MATERIALITY_SETTINGS, WITHIN_MATERIALITY
from revenue_integrity.model.check import Check, Gate, Limit
from revenue_integrity.model.postings import Postings
from revenue_integrity.model.query import Sql, Template
from revenue_integrity.model.table import Table


def unresolved_are_within_materiality(postings: Postings, table: Table, text: CheckText) -> Check:
    """Return the check of a table that the month's lines which resolve to nothing stay within materiality, gross."""
    return _within_materiality(postings, f"{postings.resolves_to} is null", table, Gate.SIGN_OFF, text)


def late_are_within_materiality(postings: Postings, table: Table, text: CheckText) -> Check:
    """Return the check of a table that the month's lines posted after its cutoff stay within materiality, gross; it warns."""
    return _within_materiality(postings, "late", table, Gate.WARN, text)


def control_totals_tie(postings: Postings, table: Table, text: CheckText) -> Check:
    """Return the check of a table that accounting's latest count and sum of the month are those of what arrived."""
    if postings.totals is None:
        raise ValueError(f"nobody adds up {postings.source.dataset}")
    called, theirs = postings.called, postings.totals.counted_by
    limits = (Limit("cents_here", f"{theirs}_cents", "exactly"), Limit(f"{called}_here", f"{theirs}_{called}", "exactly"))
    return declared_check(text, table, Gate.SIGN_OFF, _text("control_totals_tie", postings), limits=limits)


def _within_materiality(postings: Postings, which: str, table: Table, gate: Gate, text: CheckText) -> Check:
    verdict = _text("lines_are_within_materiality", postings, which)
    rows = _text("lines_are_within_materiality_rows", postings, which)
    return declared_check(text, table, gate, verdict, rows, limits=WITHIN_MATERIALITY, settings=MATERIALITY_SETTINGS)


def _text(name: str, postings: Postings, which: str = "") -> Sql:
    return Sql("revenue_integrity.close", Template(f"checks/{name}", (("postings", postings), ("which", which))))
