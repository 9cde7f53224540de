"""What a check is called: by its title, or else by its name in words."""

from dataclasses import replace
from datetime import date

from revenue_integrity.model.report import Published, Report
from revenue_integrity.reports.pack_data import PackData, StreamPart
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
