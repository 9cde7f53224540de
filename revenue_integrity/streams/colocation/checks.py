"""Checks of the colocation stream on raw, curated and mart tables, each with the gate that its failure closes.

Belongs here: what must be true of these tables. Does not belong here: how a check becomes a Dagster check
(``orchestration.check_factory``), schema checks (every table has one, from its declaration), checks of reconciliations.
"""

from functools import partial

from revenue_integrity.close.judgement import PROGRAM_ERROR, sql_check
from revenue_integrity.model.check import Check, Control, Gate, Limit
from revenue_integrity.streams.colocation import schemas

_PACKAGE = "revenue_integrity.streams.colocation"
_check = partial(sql_check, _PACKAGE)

CHECKS: tuple[Check, ...] = (
    _check(
        "meters_are_complete",
        schemas.METER_DAILY,
        Gate.WARN,
        "At least the set share of contract-days rests on actual readings.",
        "Ask metering for the missing days of the contracts listed and land them; the month heals by itself.",
        lists="always",
        settings=("meter_completeness_share",),
        control=Control("Usage is mostly estimated.", "`meter_daily`: `is_estimated`", "facilities"),
    ),
    _check(
        "readings_arrive_on_time",
        schemas.METER_DAILY,
        Gate.WARN,
        "No more than the set share of contract-days has a late reading; suspect readings are listed beside them.",
        "Look at the meters listed: a late or suspect reading is used, so confirm it or land a correction.",
        lists="always",
        settings=("late_readings_warn_share",),
        control=Control("Billed usage changes after the bill.", "`meter_daily`: `is_late`, `is_suspect`", "facilities"),
    ),
    _check(
        "assigned_racks_are_contracted_racks",
        schemas.RACK_DAILY,
        Gate.WARN,
        "On every day the racks assigned to a contract are as many as contracted.",
        "More racks than contracted is unbilled space: amend the contract or correct the assignment.",
        lists="always",
        control=Control("Space is used and not sold, or sold and not there.", "`rack_daily`", "facilities"),
    ),
    _check(
        "peaks_are_within_reservations",
        schemas.METER_DAILY,
        Gate.WARN,
        "No peak exceeds its reservation; what goes uncharged for want of an overage price is listed in cents.",
        "Agree an overage price or a larger reservation with the customers listed.",
        lists="always",
        control=Control("Power above the reservation goes uncharged.", "`meter_daily`, `contract_terms`", "revenue accounting"),
    ),
    _check(
        "allocated_plus_stranded_is_billed",
        schemas.POWER_ALLOCATION,
        Gate.PUBLISH,
        "For every site and charge, allocated and stranded cents add up to the power bill.",
        PROGRAM_ERROR,
        limits=(Limit("gross_difference_cents"),),
        control=Control("Power cost is lost or invented in the split.", "`power_allocation`, `power_bills`", "controller"),
    ),
    _check(
        "revenue_components_add_up",
        schemas.CONTRACT_MONTH,
        Gate.PUBLISH,
        "For every contract, revenue is the sum of its components and of its expected charges, margin what power leaves of it.",
        PROGRAM_ERROR,
        control=Control("A total and its parts differ.", "`contract_month`, `expected_charges`", "controller"),
    ),
    _check(
        "mrr_bridge_adds_up",
        schemas.CUSTOMER_MONTH,
        Gate.PUBLISH,
        "For every customer, opening MRR and movements make closing MRR, and that is the MRR of the customer's contracts.",
        PROGRAM_ERROR,
        control=Control("Recurring revenue moves without a reason.", "`mrr_movements`, `customer_month`", "controller"),
    ),
    _check(
        "rack_split_adds_up",
        schemas.RACK_MONTH,
        Gate.PUBLISH,
        "For every contract, revenue and power cost of its racks add up to the contract's.",
        PROGRAM_ERROR,
        control=Control("Rack figures differ from the contract's.", "`rack_month`, `contract_month`", "controller"),
    ),
    _check(
        "costs_are_not_negative",
        schemas.POWER_ALLOCATION,
        Gate.WARN,
        "A power cost is negative only where the site's bill holds a credit.",
        "Look at the site's bill: a negative share without a credit on the bill is an error.",
        control=Control("A sign error makes a cost a gain.", "`power_allocation`, `power_bills`", "controller"),
    ),
    _check(
        "row_count_is_near_its_trailing_mean",
        schemas.CONTRACT_MONTH,
        Gate.WARN,
        "The month has about as many contracts as the three months before.",
        "Compare with the months before: a batch of contracts may be missing, or many contracts began or ended.",
        settings=("row_count_warn_share",),
        control=Control("Contracts drop out of a month.", "`contract_month`", "data operations"),
    ),
)
