"""Checks of reconciliations: what must hold before anybody signs the month.

Belongs here: what must be true of results, causes and totals, and of the deliveries that they rest on. Does not belong here:
how variances are explained (``causes``), who may sign (``close.sign_off``).
"""

from functools import partial

from revenue_integrity.close.evidence import extracts_cover_cutoff, no_batch_is_rejected
from revenue_integrity.close.judgement import sql_check
from revenue_integrity.model.check import Check, Gate
from revenue_integrity.model.signed import Extracts
from revenue_integrity.streams.colocation.recon import TABLES

_check = partial(sql_check, "revenue_integrity.streams.colocation")

_PROGRAM_ERROR = "This is an error of the program or of its tables: do not publish, report it with the month."
_MATERIALITY = ("materiality_cents", "materiality_share")


EXTRACTS = Extracts(prefix="erp_", always="erp_invoices")
"""Extracts of the ERP must reach the cutoff; without invoices nothing was billed at all."""

RECON_CHECKS: tuple[Check, ...] = (
    _check(
        "power_bills_are_fully_allocated",
        TABLES.results,
        Gate.PUBLISH,
        "Every charge of every power bill equals its allocation, to the cent (reconciliation power_bill_vs_allocated).",
        _PROGRAM_ERROR,
    ),
    _check(
        "mrr_bridge_ties",
        TABLES.results,
        Gate.PUBLISH,
        "For every customer, MRR equals last month's closing and the movements, to the cent (reconciliation mrr_bridge).",
        _PROGRAM_ERROR,
    ),
    _check(
        "metered_energy_is_billed_energy",
        TABLES.results,
        Gate.WARN,
        "Every site's bill is within tolerance of metered energy at its recent ratio (reconciliation metered_vs_billed_kwh).",
        "Compare the meters of the sites listed with their bills: a missing meter, a wrong reading or a wrong bill.",
        lists="always",
    ),
    _check(
        "causes_add_up",
        TABLES.causes,
        Gate.PUBLISH,
        "For every row of a reconciliation with causes, they add up to its variance, and the two ends of each move to 0.",
        _PROGRAM_ERROR,
    ),
    _check(
        "every_variance_is_explained",
        TABLES.causes,
        Gate.SIGN_OFF,
        "Every cent of variance has a named cause with evidence.",
        "Look at the rows listed: correct the ERP line, the contract or the mapping, land it, and the month recomputes.",
        lists="always",
    ),
    _check(
        "erp_vs_mart_is_within_materiality",
        TABLES.summary,
        Gate.SIGN_OFF,
        "Causes other than late postings on rows in breach stay within materiality, gross, for what was billed.",
        "Have the largest causes corrected in the ERP (rebill, credit, mapping), or waive with a reason.",
        lists="always",
        settings=_MATERIALITY,
    ),
    _check(
        "erp_vs_allocated_power_is_within_materiality",
        TABLES.summary,
        Gate.SIGN_OFF,
        "Causes other than late postings on rows in breach stay within materiality, gross, for what power was booked.",
        "Have the booking corrected (accrual, reversal, bill), or waive with a reason.",
        lists="always",
        settings=_MATERIALITY,
    ),
    _check(
        "unmapped_lines_are_within_materiality",
        TABLES.summary,
        Gate.SIGN_OFF,
        "ERP lines that resolve to no contract stay within materiality, gross.",
        "Land mapping rows for the codes and references listed; the lines resolve by themselves.",
        lists="always",
        settings=_MATERIALITY,
    ),
    _check(
        "power_bills_are_final_or_booked",
        TABLES.summary,
        Gate.SIGN_OFF,
        "Every site with service has a final bill, or an estimate or accrual that the ERP has accrued within tolerance.",
        "Land the final bill of the sites listed, or have the accrual booked.",
        lists="always",
        settings=("tolerance_cents", "tolerance_share"),
    ),
    Check(
        "erp_extract_covers_cutoff",
        TABLES.summary,
        Gate.SIGN_OFF,
        "Every ERP source has delivered a batch at or after the cutoff.",
        extracts_cover_cutoff("colocation", EXTRACTS),
    ),
    _check(
        "erp_control_totals_tie",
        TABLES.summary,
        Gate.SIGN_OFF,
        "The ERP's own latest count and sum of the month's lines equal what arrived here, where it delivers them.",
        "Land the missing lines (or the extract again): the ERP knows others than arrived here.",
    ),
    Check(
        "no_batch_is_rejected",
        TABLES.summary,
        Gate.SIGN_OFF,
        "No batch between the month's first day and its cutoff is rejected or holds refused rows without a month.",
        no_batch_is_rejected("colocation"),
    ),
    _check(
        "late_postings_are_within_materiality",
        TABLES.summary,
        Gate.WARN,
        "ERP lines posted after the cutoff stay within materiality, gross.",
        "They are recognized in a later period: see close_bridge, and ask why they came late.",
        lists="always",
        settings=_MATERIALITY,
    ),
)
