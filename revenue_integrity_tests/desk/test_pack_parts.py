"""What a pack shows of a stream follows from its declarations, whatever stream it is."""

from dataclasses import replace

from revenue_integrity.close.sign_off import CheckFact
from revenue_integrity.desk import pack_parts
from revenue_integrity.desk.packs import figures_by_name
from revenue_integrity.model.check import Gate
from revenue_integrity.model.report import Report
from revenue_integrity_tests.toy.report import REPORT
from revenue_integrity_tests.toy.stream import TOY

THERE = {"toy_boats": "h1", "toy_rentals": "h2", "toy_recon_results": "h3", "toy_recon_summary": "h4"}
"""Hashes of what is published of a month."""


def test_a_pack_holds_the_datasets_of_the_report_and_of_the_reconciliations_that_are_there() -> None:
    assert pack_parts.datasets_of(TOY, THERE) == ["toy_boats", "toy_recon_results", "toy_recon_summary"]
    assert pack_parts.datasets_of(TOY, {"toy_boats": "h1"}) == ["toy_boats"]


def test_a_stream_without_a_report_shows_what_of_it_is_signed() -> None:
    silent = replace(TOY, report="")
    assert isinstance(pack_parts.report_of(silent), Report)
    assert pack_parts.datasets_of(silent, THERE) == ["toy_boats", "toy_recon_results", "toy_recon_summary"]
    assert [trend.called for trend in pack_parts.trends_of(silent)] == ["toy_recon_summary"]


def test_a_report_is_named_by_its_place_or_made_by_a_function() -> None:
    assert pack_parts.report_of(TOY) is REPORT
    assert pack_parts.report_of(replace(TOY, report=lambda: REPORT)) is REPORT
    assert [trend.called for trend in pack_parts.trends_of(TOY)] == ["toy_boats", "toy_recon_summary"]


def test_checks_of_one_name_on_several_tables_tell_their_figures_beside_each_other() -> None:
    # A deployment's own check of what is due is called as the stream's check of days that are due.
    told = [
        CheckFact("deliveries_are_in_time", "cloud", "cloud_days", Gate.WARN, "failed", {"days_due": 3, "days_late": 1}, ""),
        CheckFact("deliveries_are_in_time", "cloud", "cloud_batches", Gate.WARN, "passed", {"deliveries_due": 2}, ""),
        CheckFact("deliveries_are_in_time", "toy", "toy_batches", Gate.WARN, "passed", {"deliveries_due": 9}, ""),
        CheckFact("days_are_complete", "cloud", "daily_account_cost", Gate.WARN, "missing", {"incomplete_days": 4}, ""),
    ]
    assert figures_by_name(told, "cloud") == {"deliveries_are_in_time": {"days_due": 3, "days_late": 1, "deliveries_due": 2}}
