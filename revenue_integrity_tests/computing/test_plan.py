"""The plan: what there is to do about a month, and in which steps it is done."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from revenue_integrity.computing.ingestion import Manifest
from revenue_integrity.computing.plan import StaleMonth, Step, stale_months, steps
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.rule import window
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.warehouse.catalog import PartitionRecord, read_catalog
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, put, rental, toy_deployment
from revenue_integrity_tests.without_dagster import bring_up_to_date

LANDED = ["raw.batches", "raw.quarantine", "raw.toy_rentals"]
RECON = ["recon.toy_recon_causes", "recon.toy_recon_results", "recon.toy_recon_summary"]
MADE = ["curated.toy_rentals", "mart.toy_boats", "mart.toy_month", *RECON]


def told(planned: list[Step]) -> list[tuple[date, list[str]]]:
    """Return the months of steps and the tables in each, those of one step by name."""
    return [(step.month, sorted(table.qualified for table in step.tables)) for step in planned]


def in_two_waves() -> Stream:
    """Return the toy, of which the boats also look at the month before."""
    rules = [
        replace(rule, reads=(*rule.reads, window("curated", "toy_rentals", months_before=1)))
        if rule.table.name == "toy_boats"
        else rule
        for rule in TOY.rules
    ]
    return replace(TOY, rules=tuple(rules))


def test_what_differs_is_made_with_everything_behind_it_and_published() -> None:
    stale = {JANUARY: StaleMonth(("why",), frozenset({"mart.toy_boats"}))}
    (step,) = steps(TOY, stale, Manifest())
    assert step.reason == "why"
    behind = {"mart.toy_boats", "mart.toy_month", *RECON}
    assert told([step]) == [(JANUARY, sorted({*behind, "close.published"}))]


def test_what_was_landed_comes_first_and_publishing_last_wave_by_wave() -> None:
    stale = dict.fromkeys((JANUARY, FEBRUARY), StaleMonth(("why",)))
    planned = told(steps(in_two_waves(), stale, Manifest()))
    # What looks at the month before waits until that is there for all months.
    first, second = sorted([*LANDED, "curated.toy_rentals"]), ["mart.toy_boats"]
    assert [month for month, _ in planned] == [JANUARY, FEBRUARY, JANUARY, FEBRUARY]
    assert planned[0][1] == planned[1][1] == [each for each in planned[0][1] if each not in second]
    assert set(first) <= set(planned[0][1])
    assert {*second, "close.published"} <= set(planned[2][1])
    assert "close.published" not in planned[0][1]
    assert sorted([*planned[0][1], *planned[2][1]]) == sorted([*LANDED, *MADE, "close.published"]), "nothing twice"


def test_tables_that_are_only_judged_again_are_published_and_nothing_behind_them_is_made() -> None:
    stale = {JANUARY: StaleMonth(("checks",), frozenset(), frozenset({"curated.toy_rentals"}))}
    assert told(steps(TOY, stale, Manifest())) == [(JANUARY, ["close.published", "curated.toy_rentals"])]


def test_what_was_landed_is_judged_together() -> None:
    stale = {JANUARY: StaleMonth(("checks",), frozenset(), frozenset({"raw.quarantine"}))}
    assert told(steps(TOY, stale, Manifest())) == [(JANUARY, sorted([*LANDED, "close.published"]))]


def test_nothing_of_a_month_with_a_changed_batch_is_computed() -> None:
    changed = Manifest(changed={"toy/rentals/x": {"months": ["2025-01"], "recorded": "a", "found": "b"}})
    stale = dict.fromkeys((JANUARY, FEBRUARY), StaleMonth(("why",)))
    planned = told(steps(TOY, stale, changed))
    assert planned[:2] == [(JANUARY, ["raw.batches"]), (JANUARY, ["close.published"])]
    assert {month for month, _ in planned[2:]} == {FEBRUARY}


@pytest.fixture
def home(computed_toy: Deployment) -> Deployment:
    """Return a home of two months that is up to date."""
    return computed_toy


def home_records(home: Deployment) -> Mapping[str, PartitionRecord]:
    """Return what is on record of the months of a home."""
    return read_catalog(home.settings).partitions


def stale(home: Deployment) -> dict[date, StaleMonth]:
    """Return what there is to do about the months of a home."""
    (stream,) = home.streams
    return stale_months(stream, home.settings.months, home.settings)


def test_there_is_nothing_to_do_in_a_home_that_is_up_to_date(home: Deployment) -> None:
    assert stale(home) == {}
    assert bring_up_to_date(home) == []


def test_exactly_the_months_and_tables_that_rest_on_a_change_are_stale(home: Deployment) -> None:
    put(home.settings, "20250401T000000Z", [rental("2025-02", "R-9", "B-2", "30.00", "30.00")])
    done = bring_up_to_date(home)
    assert {step.month for step in done} == {FEBRUARY}
    # A tolerance changes how rows stand, and no row before.
    wider = toy_deployment(home.settings.home, tolerance_cents=7)
    assert {month: each.tables for month, each in stale(wider).items()} == dict.fromkeys(
        (JANUARY, FEBRUARY), frozenset({"recon.toy_recon_results"})
    )
    assert {each.reason for each in stale(wider).values()} == {"recon.toy_recon_results: settings changed"}


def test_a_month_whose_publication_is_gone_is_published_again(home: Deployment) -> None:
    (closed,) = home.settings.published_path.glob("_close/toy/month=2025-01/close.json")
    closed.unlink()
    assert {month: (each.reason, each.tables) for month, each in stale(home).items()} == {
        JANUARY: ("not published as computed", None)
    }
    bring_up_to_date(home)
    assert closed.exists()


def test_checks_with_other_settings_are_judged_again_and_nothing_is_computed(home: Deployment) -> None:
    at = {name: each.computed_at for name, each in home_records(home).items()}
    stricter = toy_deployment(home.settings.home, toy_dearest_cents=9_000)
    assert stale(stricter) == dict.fromkeys(
        (JANUARY, FEBRUARY),
        StaleMonth(("curated.toy_rentals: checks changed",), frozenset(), frozenset({"curated.toy_rentals"})),
    )
    assert told(bring_up_to_date(stricter)) == [
        (month, ["close.published", "curated.toy_rentals"]) for month in (JANUARY, FEBRUARY)
    ]
    assert {name: each.computed_at for name, each in home_records(home).items()} == at
    assert stale(stricter) == {}


def test_another_check_is_judged_and_no_other(home: Deployment) -> None:
    fewer = replace(TOY, checks=tuple(check for check in TOY.checks if check.name != "boats_add_up"))
    other = Deployment(home.settings, Streams.of(fewer))
    assert stale(other) == {}, "a check that there is no more leaves no verdict that could be wrong"
    (added,) = [check for check in TOY.checks if check.name == "boats_add_up"]
    renamed = Deployment(home.settings, Streams.of(replace(TOY, checks=(*TOY.checks, replace(added, name="boats_tie")))))
    assert {month: each.unjudged for month, each in stale(renamed).items()} == dict.fromkeys(
        (JANUARY, FEBRUARY), frozenset({"mart.toy_boats"})
    )
