"""The first view of a pack: what a signature needs, how gross figures lead to each other, what the largest differences are."""

import json
from dataclasses import replace
from typing import Any

import pandas as pd

from revenue_integrity.model.check import Limit
from revenue_integrity.reports import recon_figures, reconciling, signing
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.streams.colocation.recon import RECONCILIATIONS
from revenue_integrity_tests.reports import sample, sample_cloud
from revenue_integrity_tests.reports.test_declared import toy


def with_checks(*checks: tuple[str, str, str, bool, dict[str, Any]]) -> PackData:
    """Return the blocked month with other checks: table, name, gate, whether it passed, figures."""
    rows = [
        {
            "asset": f"colocation/{table}",
            "check": name,
            "gate": gate,
            "passed": passed,
            "figures": json.dumps(figures),
            "next_step": "",
        }
        for table, name, gate, passed, figures in checks
    ]
    return replace(sample.preliminary(), checks=pd.DataFrame(rows, dtype=object))


MATERIAL = (
    "recon_summary",
    "erp_vs_mart_is_within_materiality",
    "sign_off",
    False,
    {"gross_cents": 12_345, "materiality_cents": 10_000},
)
BATCHES = ("recon_summary", "no_batch_is_rejected", "sign_off", True, {"rejected_batches": 0, "rows_without_month": 0})
TOTALS = (
    "recon_summary",
    "erp_control_totals_tie",
    "sign_off",
    True,
    {"cents_here": 100, "erp_cents": 100, "lines_here": 1234, "erp_lines": 1234},
)
OUTDATED = ("recon_causes", "every_variance_is_explained", "sign_off", False, {"unexplained_cents": 0, "result": "outdated"})
STRICTER = ("recon_causes", "causes_add_up", "publish", True, {})
WARNING = ("meter_daily", "readings_arrive_on_time", "warn", False, {})


def test_every_check_of_sign_off_stands_there_with_value_and_limit_what_does_not_hold_first() -> None:
    rows = signing.verdicts(with_checks(BATCHES, TOTALS, MATERIAL, OUTDATED, STRICTER, WARNING))
    assert rows[["title", "value", "limit", "result"]].to_numpy().tolist() == [
        ["ERP vs mart is within materiality", "Gross $123.45", "at most $100.00", "does not hold"],
        ["Every variance is explained", "outdated", "", "does not hold"],
        ["ERP control totals tie", "Here $1.00; lines here 1,234", "exactly $1.00; exactly 1,234", "holds"],
        ["No batch is rejected", "Rejected batches 0; rows without month 0", "none", "holds"],
    ]
    assert rows["of"].tolist() == ["recon summary", "recon causes", "recon summary", "recon summary"]


def test_checks_of_one_name_are_told_apart_by_what_they_are_of_and_one_that_every_stream_has_says_its_value() -> None:
    keys = [(table, "keys_are_told_apart", "sign_off", False, {"shared_keys": 1}) for table in ("sites", "meter_readings")]
    rows = signing.verdicts(
        with_checks(*keys, ("published", "month_may_be_published", "publish", False, {"checks_in_the_way": 2}))
    )
    assert rows[["title", "of"]].to_numpy().tolist() == [
        ["Keys are told apart", "meter readings"],
        ["Keys are told apart", "sites"],
        ["Month may be published", "published"],
    ]
    assert rows[["value", "limit"]].to_numpy().tolist()[2] == ["Checks in the way 2", "none"]


def test_a_stricter_check_stands_there_only_where_it_fails_and_what_no_check_says_stands_in_the_way() -> None:
    failing = ("recon_causes", "causes_add_up", "publish", False, {"rows_that_do_not_add_up": 2, "moves_that_do_not_add_up": 0})
    data = with_checks(failing, BATCHES)
    early = [{"check": "cutoff_has_passed", "next_step": "Wait."}]
    data = replace(data, status={**data.status, "blocking": json.dumps(early)})
    rows = signing.verdicts(data)
    assert rows[["title", "value", "result", "next_step"]].to_numpy().tolist() == [
        ["Causes add up", "Rows that do not add up 2; moves that do not add up 0", "does not hold", ""],
        ["Cutoff has passed", "", "in the way", "Wait."],
        ["No batch is rejected", "Rejected batches 0; rows without month 0", "holds", ""],
    ]
    assert signing.in_the_way(data) == 2


def test_what_is_waived_is_no_longer_in_the_way() -> None:
    data = sample.signed()
    assert signing.verdicts(data)["result"].tolist() == ["waived"]
    assert signing.in_the_way(data) == 0


def test_a_limit_that_was_not_reported_is_left_out() -> None:
    limits = (Limit("cents_here", "erp_cents", "exactly"), Limit("rows"))
    assert signing.limit_words(limits, {"cents_here": 5, "erp_cents": None, "rows": 3}, sample.DOLLARS) == ("Rows 3", "none")


def test_gross_figures_lead_from_the_close_to_what_is_above_materiality() -> None:
    published = replace(sample.published(sample.preliminary()), materiality={"erp_vs_mart": 30_000})
    found = recon_figures.gross_steps(published, RECONCILIATIONS, "erp_vs_mart")
    assert found is not None
    # As of close 3,500.50, -500.00 and 500.00; now without the first, whose line was credited late.
    assert list(found.itertuples(index=False, name=None)) == [
        ("Variance as of close", 3, 350_050, 450_050, True),
        ("Late postings", 1, -350_050, -350_050, False),
        ("Variance of all postings", 2, 0, 100_000, True),
        ("Within tolerance", 0, 0, 0, False),
        ("In breach", 2, 0, 100_000, True),
        ("In breach only as of close", 1, 0, 0, False),
        ("Offset within a row", 0, 0, 0, False),
        ("Held against materiality", 3, 0, 100_000, True),
        ("Materiality", None, None, -30_000, False),
        ("Above materiality", None, None, 70_000, True),
    ]


def test_causes_that_offset_each_other_count_each_for_itself() -> None:
    data = sample.preliminary()
    causes = sample.published(data).tables["recon_causes"]
    # Of the 500.00 of the fourth customer, 700.00 too much and 200.00 too little.
    mine = (causes["view"] == "current") & (causes["customer_id"] == "CU-4")
    causes.loc[mine, "cause_cents"] = 70_000
    other = causes[mine].assign(cause="quantity_mismatch", cause_cents=-20_000)
    tables = {**sample.published(data).tables, "recon_causes": pd.concat([causes, other], ignore_index=True)}
    found = recon_figures.gross_steps(sample.published(sample.changed(data, tables=tables)), RECONCILIATIONS, "erp_vs_mart")
    assert found is not None
    assert found.set_index("step").loc["Offset within a row"].tolist() == [1, 0, 40_000, False]
    assert found.iloc[-1].tolist() == ["Held against materiality", 4, 0, 140_000, True]


def test_largest_causes_are_those_of_all_streams_of_the_book_in_units_of_the_currency() -> None:
    rows = signing.largest_causes(sample_cloud.both())
    shown = rows[["recon", "cause", "amount", "size"]]
    # 3,500.50 posted late, 500.00, -400.00 and -100.00; of the cloud one invoice of 44.03 in breach, which nobody explains.
    assert shown["recon"].tolist() == ["erp_vs_mart"] * 4 + ["cloud_invoices"]
    assert shown["cause"].tolist() == ["late_posting", "price_mismatch", "unbilled", "unexplained", "in breach"]
    assert [round(float(size), 2) for size in shown["size"]] == [3500.50, 500.00, 400.00, 100.00, 44.03]


def test_a_book_whose_sides_agree_has_no_causes_and_no_materiality_to_show() -> None:
    data = toy()
    assert signing.largest_causes(data).empty
    chart, listing = reconciling.gross_bridge(data.parts[0].stream.reconciliations, "booked_vs_due")
    assert chart.title == "Booked vs due, gross"
    steps = sample.published(data).rows(listing.rows)
    assert steps is not None
    assert steps["step"].tolist()[-1] == "In breach"


def test_units_are_those_that_people_read() -> None:
    totals = recon_figures.totals(sample.published(sample.preliminary()), RECONCILIATIONS)
    assert totals is not None
    energy = totals[totals["recon"] == "metered_vs_billed_kwh"].iloc[0]
    assert (energy["shown_unit"], energy["left"], energy["signed"]) == ("kWh", 1_500, 20)
    assert str(energy["variance_share"]) == "0.013514"
    assert sample.DOLLARS.evidence('{"gross_variance_wh": 179589267, "largest_excess_kw": "71.726000"}') == (
        "gross variance: 179,589 kWh; largest excess: 71.7 kW"
    )


def test_tolerances_are_told_as_they_are_set() -> None:
    published = replace(sample.published(sample.preliminary()), settings={"tolerance_cents": 100, "tolerance_share": "0.01"})
    words = {each.name: recon_figures.tolerance_words(each, published) for each in RECONCILIATIONS}
    assert words["erp_vs_mart"] == "$1.00 or 1.0 %"
    assert words["mrr_bridge"] == "none"
    assert words["metered_vs_billed_kwh"] == "–"
