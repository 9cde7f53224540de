"""Which version is in force on which day; March 2025 has 31 days."""

from collections.abc import Iterator

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

Segments = list[tuple[int, str, str, int]]


@pytest.fixture(scope="module")
def terms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("terms"))
    # A temporary version inside an open one.
    world.version(contract_id="TEMPORARY", racks=2).version(
        contract_id="TEMPORARY",
        version=2,
        racks=3,
        effective_from="2025-03-10",
        effective_to="2025-03-14",
        amendment_type="upsell",
    )
    # Terminated for good, and for three days.
    world.version(contract_id="TERMINATED").version(
        contract_id="TERMINATED", version=2, effective_from="2025-03-16", status="terminated", amendment_type="termination"
    )
    world.version(contract_id="SUSPENDED").version(
        contract_id="SUSPENDED", version=2, effective_from="2025-03-10", effective_to="2025-03-12", status="terminated"
    )
    # A terminated version below an active one says nothing.
    world.version(contract_id="REVIVED").version(
        contract_id="REVIVED", version=2, effective_from="2025-03-05", status="terminated"
    ).version(contract_id="REVIVED", version=3, effective_from="2025-03-20")
    # The highest version wins, not the one that begins last.
    world.version(contract_id="HIGHEST", version=3).version(contract_id="HIGHEST", version=2, effective_from="2025-03-11")
    # Days that no version covers.
    world.version(contract_id="HOLE", effective_to="2025-03-05").version(
        contract_id="HOLE", version=2, effective_from="2025-03-08"
    )
    # Equal terms under another number are another version.
    world.version(contract_id="RENEWED", effective_to="2025-03-15").version(
        contract_id="RENEWED", version=2, effective_from="2025-03-16", amendment_type="renewal"
    )
    world.version(contract_id="LASTDAY", effective_from="2025-03-31", effective_to="2025-03-31")
    world.version(contract_id="GONE", effective_to="2025-02-28").version(contract_id="LATER", effective_from="2025-04-01")
    world.version(contract_id="METERED", pricing_model="metered", energy_rate="0.1", pue_uplift="1.4")
    # Version 1 as corrected later: its terms count from its first day on.
    world.version(contract_id="CORRECTED", racks=7).add("contract_versions", "20250401T000000Z", contract_id="CORRECTED", racks=6)
    with world.computed("contract_terms") as computed:
        yield computed


def segments(terms: Computed, contract: str) -> Segments:
    return [
        pick(row, "version", "segment_from", "segment_to", "active_days")
        for row in terms.rows("contract_terms", contract_id=contract)
    ]


def test_version_that_comes_back_after_a_temporary_one_has_two_segments(terms: Computed) -> None:
    assert segments(terms, "TEMPORARY") == [
        (1, "2025-03-01", "2025-03-09", 9),
        (2, "2025-03-10", "2025-03-14", 5),
        (1, "2025-03-15", "2025-03-31", 17),
    ]
    assert [row["racks"] for row in terms.rows("contract_terms", contract_id="TEMPORARY")] == [2, 3, 2]


def test_terminated_version_ends_service(terms: Computed) -> None:
    assert segments(terms, "TERMINATED") == [(1, "2025-03-01", "2025-03-15", 15)]


def test_terminated_version_with_an_end_interrupts_service(terms: Computed) -> None:
    assert segments(terms, "SUSPENDED") == [(1, "2025-03-01", "2025-03-09", 9), (1, "2025-03-13", "2025-03-31", 19)]


def test_active_version_above_a_terminated_one_is_service(terms: Computed) -> None:
    assert segments(terms, "REVIVED") == [(1, "2025-03-01", "2025-03-04", 4), (3, "2025-03-20", "2025-03-31", 12)]


def test_highest_version_is_in_force_whatever_began_last(terms: Computed) -> None:
    assert segments(terms, "HIGHEST") == [(3, "2025-03-01", "2025-03-31", 31)]


def test_days_without_a_version_are_no_service(terms: Computed) -> None:
    assert segments(terms, "HOLE") == [(1, "2025-03-01", "2025-03-05", 5), (2, "2025-03-08", "2025-03-31", 24)]


def test_versions_with_equal_terms_stay_apart(terms: Computed) -> None:
    assert segments(terms, "RENEWED") == [(1, "2025-03-01", "2025-03-15", 15), (2, "2025-03-16", "2025-03-31", 16)]


def test_both_ends_are_inclusive(terms: Computed) -> None:
    assert segments(terms, "LASTDAY") == [(1, "2025-03-31", "2025-03-31", 1)]


def test_contracts_outside_the_month_have_no_row(terms: Computed) -> None:
    assert segments(terms, "GONE") == []
    assert segments(terms, "LATER") == []


def test_uplift_shows_one_where_empty(terms: Computed) -> None:
    assert str(terms.row("contract_terms", contract_id="LASTDAY")["pue_uplift"]) == "1"
    assert str(terms.row("contract_terms", contract_id="METERED")["pue_uplift"]) == "1.4"


def test_corrected_version_replaces_its_terms(terms: Computed) -> None:
    row = terms.row("contract_terms", contract_id="CORRECTED")
    assert pick(row, "version", "racks", "days_in_month") == (1, 6, 31)


@pytest.mark.parametrize("reserved", ["STRANDED", "UNASSIGNED", "UNKNOWN", " stranded "])
def test_reserved_ids_are_refused(reserved: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World(tmp_path_factory.mktemp("reserved")).version(contract_id=reserved)
    (reason,) = world.refusals("contract_versions")
    assert reserved.strip().upper() in reason


def test_bad_versions_are_refused_each_with_its_reason(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World(tmp_path_factory.mktemp("bad"))
    world.version(contract_id="GOOD")
    world.version(contract_id="BAD-1", racks=-1)
    world.version(contract_id="BAD-2", effective_to="2024-12-31")
    world.version(contract_id="BAD-3", pricing_model="metered")
    world.version(contract_id="BAD-4", customer_id="CU-9")
    world.version(contract_id="BAD-5", site_id="S-9")
    world.version(contract_id="BAD-6", pue_uplift="0.99")
    world.version(contract_id="BAD-7", one_time_fee="-1.00")
    reasons = world.refusals("contract_versions")
    named = ["racks", "effective_to", "energy_rate", "CU-9", "S-9", "pue_uplift", "one_time_fee"]
    assert len(reasons) == len(named)
    assert all(name in reason for name, reason in zip(named, reasons, strict=True))


def test_contract_cannot_move_to_another_customer_or_site(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World(tmp_path_factory.mktemp("moved"))
    world.add("customers", customer_id="CU-2").add("sites", site_id="S-2")
    world.version(version=1)
    world.version(version=2, customer_id="CU-2", effective_from="2025-03-10")
    world.version(version=3, site_id="S-2", effective_from="2025-03-20")
    assert len(world.refusals("contract_versions")) == 2
    assert [row["version"] for row in world.rows("contract_terms")] == [1]
