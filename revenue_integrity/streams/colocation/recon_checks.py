"""Checks of reconciliations: what must hold before anybody signs the month.

Belongs here: what must be true of results, causes and totals, and of the deliveries that they rest on. Does not belong here:
how variances are explained (``causes``), who may sign (``close.sign_off``).
"""

from functools import partial

from revenue_integrity.close.judgement import PROGRAM_ERROR, CheckText, sql_check
from revenue_integrity.close.landing_checks import deliveries_cover_cutoff, no_batch_is_rejected
from revenue_integrity.close.posting_checks import (
    control_totals_tie,
    late_are_within_materiality,
    unresolved_are_within_materiality,
)
from revenue_integrity.close.reconciliation_checks import (
    causes_add_up,
    causes_are_within_materiality,
    pairs_agree,
    variances_are_explained,
)
from revenue_integrity.model.check import Check, Control, Gate, Limit
from revenue_integrity.model.signed import extracts_of
from revenue_integrity.streams.colocation.causes.inputs import CHARGES, POWER
from revenue_integrity.streams.colocation.recon import POSTINGS, RECONCILIATIONS
from revenue_integrity.streams.colocation.sources import SOURCES

_check = partial(sql_check, "revenue_integrity.streams.colocation")

EXTRACTS = extracts_of(SOURCES, prefix="erp_", always="erp_invoices")
"""Extracts of the ERP must reach the cutoff; without invoices nothing was billed at all."""

RECON_CHECKS: tuple[Check, ...] = (
    pairs_agree(
        RECONCILIATIONS,
        "power_bill_vs_allocated",
        Gate.PUBLISH,
        CheckText(
            "power_bills_are_fully_allocated",
            "Every charge of every power bill equals its allocation, to the cent (reconciliation power_bill_vs_allocated).",
            PROGRAM_ERROR,
            Control("Power cost is not carried by anybody.", "`recon_results`: `power_bill_vs_allocated`", "controller"),
        ),
        figures={"rows": "pairs", "gross_variance_cents": "variance_gross"},
    ),
    pairs_agree(
        RECONCILIATIONS,
        "mrr_bridge",
        Gate.PUBLISH,
        CheckText(
            "mrr_bridge_ties",
            "For every customer, MRR equals last month's closing and the movements, to the cent (reconciliation mrr_bridge).",
            PROGRAM_ERROR,
            Control("The bridge hides a change of the past.", "`recon_results`: `mrr_bridge`", "controller"),
        ),
        figures={"rows": "pairs", "gross_variance_cents": "variance_gross"},
    ),
    pairs_agree(
        RECONCILIATIONS,
        "metered_vs_billed_kwh",
        Gate.WARN,
        CheckText(
            "metered_energy_is_billed_energy",
            "Every site's bill is within tolerance of metered energy at its recent ratio (reconciliation metered_vs_billed_kwh).",
            "Compare the meters of the sites listed with their bills: a missing meter, a wrong reading or a wrong bill.",
            Control(
                "The supplier bills energy that was not drawn, or a meter fails.",
                "`recon_results`: `metered_vs_billed_kwh`",
                "facilities",
            ),
        ),
        figures={"sites": "pairs", "sites_in_breach": "breaches", "gross_variance_wh": "variance_gross"},
        listed={
            "site_id": "site_id",
            "billed_wh": "left_value",
            "expected_wh": "right_value",
            "variance_pct": "variance_pct",
        },
    ),
    causes_add_up(RECONCILIATIONS),
    variances_are_explained(
        RECONCILIATIONS,
        CheckText(
            "every_variance_is_explained",
            "Every cent of variance has a named cause with evidence.",
            "Look at the rows listed: correct the ERP line, the contract or the mapping, land it, and the month recomputes.",
            Control("Money differs and nobody knows why.", "`recon_causes`: `unexplained`", "revenue accounting"),
        ),
    ),
    causes_are_within_materiality(
        RECONCILIATIONS,
        CHARGES,
        CheckText(
            "erp_vs_mart_is_within_materiality",
            "Causes other than late postings on rows in breach stay within materiality, gross, for what was billed.",
            "Have the largest causes corrected in the ERP (rebill, credit, mapping), or waive with a reason.",
            Control("Billing is materially wrong.", "`recon_summary`, `recon_causes`: `erp_vs_mart`", "revenue accounting"),
        ),
    ),
    causes_are_within_materiality(
        RECONCILIATIONS,
        POWER,
        CheckText(
            "erp_vs_allocated_power_is_within_materiality",
            "Causes other than late postings on rows in breach stay within materiality, gross, for what power was booked.",
            "Have the booking corrected (accrual, reversal, bill), or waive with a reason.",
            Control(
                "Power cost is booked materially wrong.",
                "`recon_summary`, `recon_causes`: `erp_vs_allocated_power`",
                "controller",
            ),
        ),
    ),
    unresolved_are_within_materiality(
        POSTINGS,
        RECONCILIATIONS.summary,
        CheckText(
            "unmapped_lines_are_within_materiality",
            "ERP lines that resolve to no contract stay within materiality, gross.",
            "Land mapping rows for the codes and references listed; the lines resolve by themselves.",
            Control("Revenue is booked that belongs to no contract.", "`invoice_lines`: `mapping_status`", "revenue accounting"),
        ),
    ),
    _check(
        "power_bills_are_final_or_booked",
        RECONCILIATIONS.summary,
        Gate.SIGN_OFF,
        "Every site with service has a final bill, or an estimate or accrual that the ERP has accrued within tolerance.",
        "Land the final bill of the sites listed, or have the accrual booked.",
        lists="always",
        settings=("tolerance_cents", "tolerance_share"),
        limits=(Limit("sites_in_the_way"),),
        control=Control("Cost is missing from the month.", "`power_bills`: `is_accrued`; raw `erp_power_costs`", "controller"),
    ),
    deliveries_cover_cutoff(
        "erp_extract_covers_cutoff",
        RECONCILIATIONS.summary,
        EXTRACTS,
        "Every ERP source has delivered a batch at or after the cutoff.",
        "The month is signed on an extract that ends too early.",
    ),
    control_totals_tie(
        POSTINGS,
        RECONCILIATIONS.summary,
        CheckText(
            "erp_control_totals_tie",
            "The ERP's own latest count and sum of the month's lines equal what arrived here, where it delivers them.",
            "Land the missing lines (or the extract again): the ERP knows others than arrived here.",
            Control("The extract is incomplete.", "raw `erp_control_totals`, `erp_invoices`", "data operations"),
        ),
    ),
    no_batch_is_rejected(RECONCILIATIONS.summary),
    late_are_within_materiality(
        POSTINGS,
        RECONCILIATIONS.summary,
        CheckText(
            "late_postings_are_within_materiality",
            "ERP lines posted after the cutoff stay within materiality, gross.",
            "They are recognized in a later period: see close_bridge, and ask why they came late.",
            Control("The close comes too early for its postings.", "`close_bridge`: `late_cents`", "revenue accounting"),
        ),
    ),
)
