"""Checks of the sales stream, each with the gate that its failure closes and what it is a control against.

Belongs here: what must be true of its tables, results and deliveries before anybody reads or signs a month. Does not belong here:
schema checks (every table has one), how variances are explained (``causes``), who may sign (``close.sign_off``).
"""

from functools import partial

from revenue_integrity.close.judgement import PROGRAM_ERROR, CheckText, sql_check
from revenue_integrity.close.landing_checks import deliveries_cover_cutoff, no_batch_is_rejected
from revenue_integrity.close.posting_checks import late_are_within_materiality
from revenue_integrity.close.reconciliation_checks import (
    causes_add_up,
    causes_are_within_materiality,
    variances_are_explained,
)
from revenue_integrity.model.check import Check, Control, Gate, Limit
from revenue_integrity.model.signed import extracts_of
from revenue_integrity.streams.sales import recon, schemas
from revenue_integrity.streams.sales.curated import PACKAGE
from revenue_integrity.streams.sales.sources import LEDGER, SOURCES

_check = partial(sql_check, PACKAGE)

EXTRACTS = extracts_of(SOURCES, prefix=LEDGER.name)
"""The ledger must reach the cutoff, once it has delivered."""

CHECKS: tuple[Check, ...] = (
    _check(
        "facts_have_their_dimensions",
        schemas.FACT,
        Gate.WRITE,
        "Every fact has the key of each thing that it names.",
        PROGRAM_ERROR,
        control=Control("Sales drop out of a report because a key leads nowhere.", "`fact_sales`: the keys", "data operations"),
    ),
    _check(
        "one_version_in_force",
        schemas.FACT,
        Gate.WRITE,
        "Every sale has exactly one version of its customer.",
        PROGRAM_ERROR,
        control=Control("A sale counts twice, or not at all.", "`fact_sales`, `sales_dim_customer`", "data operations"),
    ),
    _check(
        "facts_add_up",
        schemas.TREND,
        Gate.PUBLISH,
        "Lines, facts, answers and trend hold the same lines and cents.",
        PROGRAM_ERROR,
        control=Control(
            "Two reports of one month disagree.", "`fact_sales`, `sales_by_region_category`, `sales_trend`", "controller"
        ),
    ),
    causes_add_up(recon.RECONCILIATIONS),
    variances_are_explained(
        recon.RECONCILIATIONS,
        CheckText(
            "every_sale_is_explained",
            "Every cent by which ledger, settlements or control totals differ from sales has a named cause with evidence.",
            "Look at the rows listed: correct the journal, the settlement or the sale, land it, and the month recomputes.",
            Control("Sales differ and nobody knows why.", "`sales_recon_causes`: `unexplained`", "revenue accounting"),
        ),
    ),
    causes_are_within_materiality(
        recon.RECONCILIATIONS,
        recon.LEDGER,
        CheckText(
            "sales_are_within_materiality",
            "Causes other than late postings on cells in breach stay within materiality, gross.",
            "Have the largest causes corrected in the ledger, or waive with a reason.",
            Control("Booked revenue is materially wrong.", "`sales_recon_causes`: `sales_vs_ledger`", "revenue accounting"),
        ),
    ),
    causes_are_within_materiality(
        recon.RECONCILIATIONS,
        recon.SETTLEMENTS,
        CheckText(
            "settlements_are_within_materiality",
            "Causes other than what is in transit on transactions in breach stay within materiality, gross.",
            "Ask the processor about the largest causes, or waive with a reason.",
            Control("Money is sold for and never paid.", "`sales_recon_causes`: `sales_vs_settlements`", "revenue accounting"),
        ),
    ),
    _check(
        "sales_control_totals_tie",
        recon.RECONCILIATIONS.summary,
        Gate.SIGN_OFF,
        "The shop system's own latest count and sum of the month are those of what stands here, where it delivers them.",
        "Land the missing sales, or the totals again: the shop system knows others than stand here.",
        control=Control(
            "Sales are lost between the shop system and here.", "`sales_recon_results`: `loaded_vs_sent`", "data operations"
        ),
        limits=(Limit("lines_missing", holds="exactly"), Limit("missing_cents", holds="exactly")),
    ),
    deliveries_cover_cutoff(
        "ledger_extract_covers_cutoff",
        recon.RECONCILIATIONS.summary,
        EXTRACTS,
        "The ledger has arrived at or after the cutoff, where it delivers.",
        "The month is signed before its journals are in.",
    ),
    no_batch_is_rejected(recon.RECONCILIATIONS.summary),
    late_are_within_materiality(
        recon.POSTINGS,
        recon.RECONCILIATIONS.summary,
        CheckText(
            "late_journals_are_within_materiality",
            "Journals posted after the month's cutoff stay within materiality, gross.",
            "Ask why the journals listed came late.",
            Control("The close misses what is booked later.", "`sales_ledger_lines`: `late`", "revenue accounting"),
        ),
    ),
    _check(
        "transactions_are_valid",
        schemas.LINES,
        Gate.WARN,
        "No row of transactions of the month is refused.",
        "Correct the rows in the shop system by the reasons listed, and land them again.",
        lists="offenders",
        control=Control("Sales are refused and nobody repairs them.", "`quarantine`: `dq_errors`", "data operations"),
    ),
    _check(
        "customers_are_valid",
        schemas.LINES,
        Gate.WARN,
        "No row of customers or products that arrived in the month is refused.",
        "Correct the rows listed in their source, and land them again.",
        lists="offenders",
        control=Control("News of customers is refused and nobody repairs it.", "`quarantine`: `dq_errors`", "data operations"),
    ),
    _check(
        "customers_are_known",
        schemas.LINES,
        Gate.WARN,
        "Something was told of everybody who bought.",
        "Land the customers listed; their sales keep their keys.",
        lists="offenders",
        control=Control("Sales belong to customers whom nobody knows.", "`sales_lines`: `customer_status`", "data operations"),
    ),
    _check(
        "dates_are_unambiguous",
        schemas.LINES,
        Gate.WARN,
        "No date could be read two ways, and no sale is dated after it arrived.",
        "Have the source write dates as YYYY-MM-DD, or correct `sales_date_order`.",
        settings=("sales_timezone",),
        control=Control(
            "Sales stand in the wrong month.", "`sales_lines`: `date_ambiguous`, `date_other_order`", "data operations"
        ),
    ),
    _check(
        "discounts_are_plausible",
        schemas.LINES,
        Gate.WARN,
        "No discount is below 1 %.",
        "Ask whether fractions were written as percentages.",
        control=Control("Discounts are a hundredth of what was given.", "`sales_lines`: `discount`", "data operations"),
    ),
    _check(
        "rows_do_not_replace_each_other",
        schemas.LINES,
        Gate.WARN,
        "No row replaces another of its own batch.",
        "Look at the rows listed: baskets need line numbers, receipts numbers of their own.",
        lists="offenders",
        control=Control("Lines of a basket overwrite each other.", "`corrections`", "data operations"),
    ),
    _check(
        "receipts_are_told_apart",
        schemas.LINES,
        Gate.SIGN_OFF,
        "No two sales of one batch carry the same transaction and line.",
        "Have the shop system number the receipts listed apart, and land them again.",
        lists="offenders",
        control=Control("Two sales under one number count once.", "`corrections`", "data operations"),
        limits=(Limit("receipts"),),
    ),
)
