"""Checks of the bookings stream, each with the gate that its failure closes and what it is a control against.

Belongs here: what must be true of its tables, results and deliveries before anybody reads or signs a month. Does not belong here:
schema checks (every table has one), how variances are explained (``causes``), who may sign (``close.sign_off``).
"""

from functools import partial

from revenue_integrity.close.judgement import PROGRAM_ERROR, CheckText, sql_check
from revenue_integrity.close.landing_checks import deliveries_cover_cutoff, no_batch_is_rejected
from revenue_integrity.close.posting_checks import control_totals_tie, unresolved_are_within_materiality
from revenue_integrity.close.reconciliation_checks import (
    causes_add_up,
    causes_are_within_materiality,
    variances_are_explained,
)
from revenue_integrity.model.check import Check, Control, Gate, Limit
from revenue_integrity.model.signed import extracts_of
from revenue_integrity.streams.bookings import recon, schemas
from revenue_integrity.streams.bookings.sources import BILLINGS, RECOGNITION_ENTRIES, SOURCES

_check = partial(sql_check, "revenue_integrity.streams.bookings")

EXTRACTS = extracts_of(SOURCES, prefix=BILLINGS.name, always=RECOGNITION_ENTRIES.name)
"""Entries must reach the cutoff; billings must, once they have delivered."""

CHECKS: tuple[Check, ...] = (
    _check(
        "schedule_adds_up",
        schemas.LINE_MONTH,
        Gate.PUBLISH,
        "For every deal line, what is due to date and what remains make the price that was agreed last, unless it is cancelled.",
        PROGRAM_ERROR,
        control=Control("Revenue is lost or made up in a schedule.", "`recognition_schedule`", "controller"),
    ),
    _check(
        "rollforward_ties",
        schemas.DEFERRED_ROLLFORWARD,
        Gate.PUBLISH,
        "Opening, billed and recognized make the closing balance of every deal, and the month opens as the one before closed.",
        PROGRAM_ERROR,
        settings=("first_month",),
        control=Control("A balance changes without a movement.", "`deferred_rollforward`, `deal_month`", "controller"),
    ),
    _check(
        "revenue_is_complete",
        schemas.REVENUE_MONTH,
        Gate.PUBLISH,
        "Revenue by segment and type holds every entry of the period and every amount due.",
        PROGRAM_ERROR,
        control=Control("An entry drops out of the totals.", "`revenue_month`, `recognition_lines`", "controller"),
    ),
    causes_add_up(recon.RECONCILIATIONS),
    variances_are_explained(
        recon.RECONCILIATIONS,
        CheckText(
            "every_recognition_is_explained",
            "Every cent that accounting recognized otherwise than due has a named cause with evidence.",
            "Look at the rows listed: correct the entry, the deal or the mapping, land it, and the month recomputes.",
            Control("Revenue differs and nobody knows why.", "`bookings_recon_causes`: `unexplained`", "revenue accounting"),
        ),
    ),
    causes_are_within_materiality(
        recon.RECONCILIATIONS,
        recon.RECOGNIZED,
        CheckText(
            "recognition_is_within_materiality",
            "Causes other than late postings on rows in breach stay within materiality, gross.",
            "Have the largest causes corrected in the ledger (entry, reversal, mapping), or waive with a reason.",
            Control(
                "Recognized revenue is materially wrong.",
                "`bookings_recon_summary`, `bookings_recon_causes`: `recognized_vs_schedule`",
                "revenue accounting",
            ),
        ),
    ),
    unresolved_are_within_materiality(
        recon.POSTINGS,
        recon.RECONCILIATIONS.summary,
        CheckText(
            "unmapped_entries_are_within_materiality",
            "Entries that resolve to no deal line stay within materiality, gross.",
            "Land mapping rows for the references listed; the entries resolve by themselves.",
            Control("Revenue belongs to nobody.", "`recognition_lines`: `mapping_status`", "revenue accounting"),
        ),
    ),
    deliveries_cover_cutoff(
        "recognition_extract_covers_cutoff",
        recon.RECONCILIATIONS.summary,
        EXTRACTS,
        "Entries, and billings where they deliver, have arrived at or after the cutoff.",
        "The month is signed before its entries are in.",
    ),
    control_totals_tie(
        recon.POSTINGS,
        recon.RECONCILIATIONS.summary,
        CheckText(
            "recognition_control_totals_tie",
            "Accounting's own latest count and sum of the period's entries equal what arrived here, where it delivers them.",
            "Land the missing entries (or the extract again): accounting knows others than arrived here.",
            Control("Entries are lost between the ledger and here.", "`bookings_recognition_control_totals`", "data operations"),
        ),
    ),
    _check(
        "deferred_ties_to_ledger",
        recon.RECONCILIATIONS.summary,
        Gate.SIGN_OFF,
        "Deferred revenue and contract assets of the deals are the general ledger's balances, from its first period on.",
        "Compare the accounts listed: land the balance of the period, or correct what deals and ledger disagree on.",
        lists="always",
        limits=(Limit("accounts_without_balance"), Limit("accounts_in_breach")),
        control=Control(
            "The balance sheet holds what no deal supports.",
            "`bookings_recon_results`: `deferred_vs_ledger`",
            "revenue accounting",
        ),
    ),
    no_batch_is_rejected(recon.RECONCILIATIONS.summary),
    _check(
        "entries_are_reviewed",
        schemas.RECOGNITION_LINES,
        Gate.WARN,
        "Somebody reviewed every entry.",
        "Have the entries listed reviewed.",
        lists="offenders",
        control=Control("Entries are posted that nobody has looked at.", "`recognition_lines`: `reviewed`", "controller"),
    ),
    _check(
        "terms_are_whole_months",
        schemas.DEAL_TERMS,
        Gate.WARN,
        "Lines spread in equal months end with their last month.",
        "Look at the lines listed: their months and their days disagree; correct the term, or spread them by days.",
        lists="offenders",
        control=Control(
            "A term is longer or shorter than it is spread.", "`deal_terms`: `months`, `end_date`", "revenue accounting"
        ),
    ),
    _check(
        "deals_are_booked_in_time",
        schemas.RECOGNITION_SCHEDULE,
        Gate.WARN,
        "Deals and their changes are booked before the service that they are about.",
        "Ask why the deals listed were booked late: what was missed is caught up in this month.",
        lists="offenders",
        control=Control(
            "Revenue of past months appears in a later one.", "`recognition_schedule`: `catch_up_cents`", "revenue accounting"
        ),
    ),
)
