"""Checks of the cloud stream, each with the gate that its failure closes.

Belongs here: what must be true of its tables and of the deliveries that they rest on. Does not belong here: schema checks
(every table has one: types, keys that are null or not unique), how a check becomes a Dagster check
(``orchestration.check_factory``).
"""

from functools import partial

from revenue_integrity.close.judgement import PROGRAM_ERROR, CheckText, sql_check
from revenue_integrity.close.landing_checks import deliveries_cover_cutoff, no_batch_is_rejected
from revenue_integrity.close.reconciliation_checks import pairs_agree
from revenue_integrity.model.check import Check, Control, Gate, Limit
from revenue_integrity.model.signed import extracts_of
from revenue_integrity.streams.cloud import recon, schemas
from revenue_integrity.streams.cloud.sources import CLOUD_INVOICES, SOURCES

_check = partial(sql_check, "revenue_integrity.streams.cloud")

EXTRACTS = extracts_of(SOURCES, prefix=CLOUD_INVOICES.name)
"""Invoices must reach the cutoff where they are delivered at all; a deployment may do without them."""

CHECKS: tuple[Check, ...] = (
    _check(
        "nothing_is_set_aside",
        schemas.CLOUD_EVENT_OUTCOMES,
        Gate.WARN,
        "No row lies so far before the arrival of its batch that it is kept aside instead of recomputing its day.",
        "Look at the batches listed; to let them count, run `revenue-integrity run --months` with this month and `--all`, or"
        " backfill the month in the UI.",
        lists="offenders",
        limits=(Limit("rows_set_aside"),),
        control=Control(
            "Very late rows never count, and nobody knows.",
            "the offending rows on the check; setting `cloud_lookback_days`",
            "data operations",
        ),
    ),
    _check(
        "versions_do_not_conflict",
        schemas.CLOUD_EVENT_OUTCOMES,
        Gate.WARN,
        "No two versions of an event have the same ingested_at and another content; where they do, the later arrival counts.",
        "Ask the sending system which version of the events listed holds, and land it with a later ingested_at.",
        lists="offenders",
        limits=(Limit("conflicts"),),
        control=Control("Which of two versions counts was chance.", "`cloud_event_outcomes`: `outcome`", "data operations"),
    ),
    _check(
        "stages_agree",
        schemas.DAILY_ACCOUNT_COST,
        Gate.PUBLISH,
        "On every day the events that count, account_service_day and daily_account_cost have the same rows and cost, exactly.",
        PROGRAM_ERROR,
        lists="offenders",
        limits=(Limit("days_that_differ"),),
        control=Control(
            "An aggregate differs from its events.", "`account_service_day`, `daily_account_cost`", "data operations"
        ),
    ),
    _check(
        "events_are_conserved",
        schemas.DAILY_ACCOUNT_COST,
        Gate.PUBLISH,
        "Every row that was read survives, or is superseded, a duplicate, deleted, quarantined or set aside, in rows and cost.",
        PROGRAM_ERROR,
        lists="always",
        control=Control(
            "A delivered row is lost, or its cost counted twice.",
            "`cloud_event_outcomes`, `cloud_events`, `quarantine`",
            "data operations",
        ),
    ),
    _check(
        "costs_have_their_sign",
        schemas.DAILY_ACCOUNT_COST,
        Gate.PUBLISH,
        "No billing event has a negative cost, unless the setting billing_events_cost_sign says that they may.",
        "If credits come as events, set billing_events_cost_sign to signed; otherwise report the batches listed.",
        lists="always",
        settings=("billing_events_cost_sign",),
        control=Control(
            "A sign error makes a cost a credit.", "`cloud_events`; setting `billing_events_cost_sign`", "data operations"
        ),
    ),
    _check(
        "scopes_are_known",
        schemas.DAILY_ACCOUNT_COST,
        Gate.SIGN_OFF,
        "Every FOCUS row that counts names its provider and billing account, so that a later delivery replaces it.",
        "Land the files of the batches listed again through a mapping that gives what is missing as [fixed] values (providername,"
        " billingaccountid): their rows replace nothing and are replaced by nothing, and the same export twice counts twice.",
        lists="offenders",
        limits=(Limit("rows"),),
        control=Control(
            "Exports of several providers replace each other, or one counts twice.",
            "`cloud_events`: `provider`",
            "data operations",
        ),
    ),
    _check(
        "deliveries_replace_their_scope",
        schemas.DAILY_ACCOUNT_COST,
        Gate.SIGN_OFF,
        "No FOCUS delivery leaves less than half of the rows or cost of the period that it replaces, or empties a day of it.",
        "Compare the figures with the provider's: if files of the export are missing, land it as one batch; if it is whole,"
        " waive this check with the reason.",
        lists="offenders",
        limits=(Limit("scopes"),),
        control=Control(
            "A part of an export replaces the whole, and most of the cost is gone.",
            "`batches`, `cloud_events`",
            "data operations",
        ),
    ),
    _check(
        "delivered_days_are_not_empty",
        schemas.DAILY_ACCOUNT_COST,
        Gate.PUBLISH,
        "A day for which rows were delivered has costs, unless good rows of it were withdrawn, moved, overwritten or set aside.",
        "See `revenue-integrity quarantine` for the reasons; correct the rows of the days listed and land them again.",
        lists="always",
        limits=(Limit("days_empty"),),
        control=Control(
            "A day whose rows were all refused looks like a day without usage.",
            "`quarantine`, `daily_account_cost`",
            "data operations",
        ),
    ),
    _check(
        "costs_move_believably",
        schemas.DAILY_ACCOUNT_COST,
        Gate.WARN,
        "No tenant's day costs more than the set factor of its trailing median, or less than its reciprocal.",
        "Compare the days listed with what the tenant used: a delivery may be missing, doubled or in another unit.",
        lists="offenders",
        settings=("cost_jump_factor", "cost_jump_days", "cost_jump_min_days"),
        limits=(Limit("suspect_days"),),
        control=Control(
            "A delivery is missing, doubled or in another unit.",
            "`daily_account_cost`; setting `cost_jump_factor`",
            "data operations",
        ),
    ),
    _check(
        "days_are_complete",
        schemas.DAILY_ACCOUNT_COST,
        Gate.WARN,
        "For every tenant and day with costs, all expected sources have delivered since the end of the day.",
        "Wait for the sources that are late, or ask for them; the setting expected_sources says who is expected.",
        lists="offenders",
        limits=(Limit("incomplete_days"),),
        control=Control("A half day is taken for a cheap one.", "`daily_account_cost`: `data_complete`", "data operations"),
    ),
    _check(
        "no_day_is_held_back",
        schemas.CLOUD_DAYS,
        Gate.SIGN_OFF,
        "No tenant's day is held back because it is incomplete, or stays as it was when it was complete.",
        "Wait for the sources that are late, or ask for them; to sign what there is, set cloud_incomplete_days to flag, or waive"
        " this check with the reason.",
        lists="offenders",
        limits=(Limit("days_held_back"),),
        control=Control(
            "Costs that came are in no figure that is signed.",
            "`cloud_days`: `complete`; setting `cloud_incomplete_days`",
            "data operations",
        ),
    ),
    _check(
        "dimensions_add_up",
        schemas.CLOUD_COST_BY,
        Gate.PUBLISH,
        "Each dimension of cloud_cost_by adds up to the month, in rows, cost and amortised cost, tenant by tenant.",
        PROGRAM_ERROR,
        lists="offenders",
        limits=(Limit("differing"),),
        control=Control("A cost by region or owner is not that of the month.", "`cloud_cost_by`", "data operations"),
    ),
    _check(
        "deliveries_are_in_time",
        schemas.CLOUD_DAYS,
        Gate.WARN,
        "Every tenant's day was available when it was due.",
        "Ask for the days listed where nothing came, and whoever delivers late why; their costs are incomplete until then.",
        lists="offenders",
        limits=(Limit("days_late"), Limit("days_missing")),
        control=Control("Costs are late, or a day is missing, and nobody notices.", "`cloud_days`", "data operations"),
    ),
    _check(
        "look_ups_are_complete",
        schemas.CLOUD_MONTH,
        Gate.WARN,
        "Every account and service of the month is in the look-ups; what is not stands under unknown.",
        "Land accounts and services with the names listed; the month recomputes without touching a day.",
        lists="always",
        limits=(Limit("unknown_accounts"), Limit("unknown_services")),
        control=Control("Costs cannot be charged on.", "`cloud_month`: `billing_owner`, `service_category`", "data operations"),
    ),
    pairs_agree(
        recon.RECONCILIATIONS,
        recon.INVOICES,
        Gate.SIGN_OFF,
        CheckText(
            "invoices_tie",
            "Every invoice equals the charges that name it, within the tolerance (reconciliation cloud_invoices).",
            "Settle the invoices listed with the provider, or land what is missing; the month recomputes.",
            Control(
                "An invoice is paid that the charges do not bear out.",
                "`cloud_recon_results`; setting `invoice_tolerance`",
                "controller",
            ),
        ),
        figures={
            "invoices": "pairs",
            "breaches": "breaches",
            "breach_signed_cost": "breach_signed",
            "breach_gross_cost": "breach_gross",
            "charged_cost": "left_total",
            "invoiced_cost": "right_total",
        },
        listed={
            "provider": "provider",
            "invoice_id": "invoice_id",
            "charged_cost": "left_value",
            "invoiced_cost": "right_value",
            "difference_cost": "variance_value",
            "explanation": "explanation",
        },
        lists="offenders",
    ),
    _check(
        "charges_are_invoiced",
        recon.SUMMARY,
        Gate.WARN,
        "No charge of the billing period waits for its invoice.",
        "Wait for the invoices, or for the export that names them; nothing is lost meanwhile.",
        lists="offenders",
        limits=(Limit("not_invoiced_rows"),),
        control=Control("Charges wait for an invoice for ever.", "`cloud_recon_summary`: `not_invoiced_value`", "controller"),
    ),
    deliveries_cover_cutoff(
        "cloud_invoices_cover_cutoff",
        recon.SUMMARY,
        EXTRACTS,
        "Invoices have been delivered at or after the cutoff, where they are delivered at all.",
        "The month is signed before its invoices are in.",
    ),
    no_batch_is_rejected(recon.SUMMARY),
)
