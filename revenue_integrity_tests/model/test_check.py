"""What a check is called, and which of its figures its verdict hangs on."""

from dataclasses import replace
from datetime import date

import pytest

from revenue_integrity.model.check import Gate, Limit
from revenue_integrity.model.report import Published, Report
from revenue_integrity.model.stream import loaded
from revenue_integrity.reports.pack_data import PackData, StreamPart
from revenue_integrity.streams.registry import STREAMS
from revenue_integrity.wording import Currency
from revenue_integrity_tests.toy.stream import TOY

JANUARY = date(2025, 1, 1)


def test_a_check_is_called_by_its_title_or_by_its_name_in_words() -> None:
    (check,) = [each for each in TOY.checks if each.name == "boats_add_up"]
    assert check.heading == "boats add up"
    assert replace(check, title="The sums of the boats hold").heading == "The sums of the boats hold"


def test_a_pack_calls_a_check_as_the_stream_does_whose_table_it_judges() -> None:
    checks = tuple(
        replace(each, title="No rental too dear") if each.name == "rentals_are_believable" else each for each in TOY.checks
    )
    part = StreamPart(replace(TOY, checks=checks), Published(JANUARY, Currency("EUR"), {}), Report())
    data = PackData("toy", JANUARY, Currency("EUR"), [part])
    assert data.title_of("toy/toy_rentals", "rentals_are_believable") == "No rental too dear"
    assert data.title_of("toy/toy_boats", "rentals_are_believable") == "rentals are believable"
    assert data.title_of("toy/toy_boats", "erp_vs_mart") == "ERP vs mart"
    assert part.title == "Boats"


def test_a_limit_is_a_number_or_another_figure_and_unknown_where_the_check_did_not_report_it() -> None:
    figures = {"gross_cents": 120, "materiality_cents": 500, "cents_here": None}
    assert Limit("gross_cents", "materiality_cents").of(figures) == (120, 500)
    assert Limit("gross_cents").of(figures) == (120, 0)
    assert Limit("cents_here", "materiality_cents", "exactly").of(figures) is None
    assert Limit("rows").of(figures) is None


@pytest.mark.parametrize("name", STREAMS)
def test_a_check_that_keeps_a_month_from_being_signed_says_how_far_its_figures_may_go(name: str) -> None:
    checks = [each for each in loaded(STREAMS[name].stream).checks if each.gate is Gate.SIGN_OFF]
    assert [each.name for each in checks if not each.limits] == []
