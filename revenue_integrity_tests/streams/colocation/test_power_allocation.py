"""Who bears a power bill. March 2025 has 31 days; A reserves 20 kW and B 10 kW of a site's 100 kW unless said otherwise."""

from collections.abc import Iterator

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World

Factory = pytest.TempPathFactory
Shares = dict[str, int]


def populate(world: World) -> World:
    """Sites whose contracts are named SITE-A, SITE-B; each day A draws 200 kWh, B 100."""

    def site(
        name: str, capacity: object = 100, *, drawn: tuple[int, int] = (200, 100), kw: tuple[object, object] = (20, 10)
    ) -> None:
        world.add("sites", site_id=name, capacity_kw=capacity)
        for letter, kwh, reserved in zip("AB", drawn, kw, strict=True):
            contract = f"{name}-{letter}"
            world.version(contract_id=contract, site_id=name, reserved_kw=reserved)
            world.readings("2025-03-01", "2025-03-31", kwh, meter_id=f"M-{contract}", contract_id=contract, site_id=name)

    site("PLAIN")
    world.bill("10.00", "10.00", "-10.00", "0.01", site_id="PLAIN")
    # 30 kW reserved of 24 sellable.
    site("FULL", 24)
    world.bill("10.00", "10.00", "0.01", "0.02", site_id="FULL")
    # 30 kW of 30: nothing is left over.
    site("EXACT", 30)
    world.bill("10.00", "10.00", site_id="EXACT")
    site("IDLE", drawn=(0, 0))
    world.bill("10.00", "10.00", site_id="IDLE")
    # Equal shares: the odd cent goes to the smaller id.
    site("TIE", 20, drawn=(100, 100), kw=(10, 10))
    world.bill("0.01", "0.01", "-0.01", "0.03", site_id="TIE")
    world.add("sites", site_id="VACANT").bill("10.00", "10.00", "-10.00", "0.01", site_id="VACANT")
    # Nobody reserved anything of nothing: weights that are all zero are equal.
    site("NOTHING", 0, kw=(0, 0))
    world.bill("0", "0.03", site_id="NOTHING")
    return world


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: Factory) -> Iterator[Computed]:
    with populate(World(tmp_path_factory.mktemp("hybrid"))).computed("site_month") as computed:
        yield computed


@pytest.fixture(scope="module")
def metered_share(tmp_path_factory: Factory) -> Iterator[Computed]:
    world = populate(World(tmp_path_factory.mktemp("metered"), allocation_method="metered_share"))
    with world.computed("power_allocation") as computed:
        yield computed


@pytest.fixture(scope="module")
def reserved_share(tmp_path_factory: Factory) -> Iterator[Computed]:
    world = populate(World(tmp_path_factory.mktemp("reserved"), allocation_method="reserved_share"))
    with world.computed("power_allocation") as computed:
        yield computed


def shares(computed: Computed, site: str, charge: str) -> Shares:
    """Return cents by A, B and STRANDED."""
    rows = computed.rows("power_allocation", site_id=site, charge=charge)
    return {row["contract_id"].removeprefix(f"{site}-"): row["amount_cents"] for row in rows}


def test_energy_goes_by_metered_kwh_and_leaves_nothing_stranded(hybrid: Computed) -> None:
    # 1000 cents 2 : 1 -> 666.67, 333.33.
    assert shares(hybrid, "PLAIN", "energy") == {"A": 667, "B": 333, "STRANDED": 0}


def test_capacity_charges_go_by_reservation_over_capacity(hybrid: Computed) -> None:
    assert shares(hybrid, "PLAIN", "demand") == {"A": 200, "B": 100, "STRANDED": 700}


def test_negative_charge_is_split_as_its_amount(hybrid: Computed) -> None:
    assert shares(hybrid, "PLAIN", "fixed") == {"A": -200, "B": -100, "STRANDED": -700}


def test_single_cent_goes_to_the_largest_remainder(hybrid: Computed) -> None:
    assert shares(hybrid, "PLAIN", "tax") == {"A": 0, "B": 0, "STRANDED": 1}


def test_reservations_above_capacity_are_alone_the_weights(hybrid: Computed) -> None:
    # 2 : 1 of 1000, of 1 and of 2 cents (1.33 and 0.67: the cent to the larger remainder).
    assert shares(hybrid, "FULL", "demand") == {"A": 667, "B": 333, "STRANDED": 0}
    assert shares(hybrid, "FULL", "fixed") == {"A": 1, "B": 0, "STRANDED": 0}
    assert shares(hybrid, "FULL", "tax") == {"A": 1, "B": 1, "STRANDED": 0}
    assert shares(hybrid, "EXACT", "demand") == {"A": 667, "B": 333, "STRANDED": 0}


def test_energy_that_nobody_metered_is_stranded(hybrid: Computed) -> None:
    assert shares(hybrid, "IDLE", "energy") == {"A": 0, "B": 0, "STRANDED": 1000}
    assert shares(hybrid, "IDLE", "demand") == {"A": 200, "B": 100, "STRANDED": 700}


def test_ties_go_to_the_smaller_identifier(hybrid: Computed) -> None:
    assert shares(hybrid, "TIE", "energy") == {"A": 1, "B": 0, "STRANDED": 0}
    assert shares(hybrid, "TIE", "demand") == {"A": 1, "B": 0, "STRANDED": 0}
    assert shares(hybrid, "TIE", "fixed") == {"A": -1, "B": 0, "STRANDED": 0}
    assert shares(hybrid, "TIE", "tax") == {"A": 2, "B": 1, "STRANDED": 0}


def test_bill_without_service_is_stranded_whole(hybrid: Computed) -> None:
    found = {charge: shares(hybrid, "VACANT", charge) for charge in ("energy", "demand", "fixed", "tax")}
    assert found == {
        "energy": {"STRANDED": 1000},
        "demand": {"STRANDED": 1000},
        "fixed": {"STRANDED": -1000},
        "tax": {"STRANDED": 1},
    }


def test_weights_that_are_all_zero_are_equal(hybrid: Computed) -> None:
    assert shares(hybrid, "NOTHING", "demand") == {"A": 1, "B": 1, "STRANDED": 1}


def test_every_charge_has_a_row_also_when_it_is_zero(hybrid: Computed) -> None:
    assert shares(hybrid, "EXACT", "tax") == {"A": 0, "B": 0, "STRANDED": 0}


def test_metered_share_splits_all_charges_by_kwh(metered_share: Computed) -> None:
    assert shares(metered_share, "PLAIN", "energy") == {"A": 667, "B": 333, "STRANDED": 0}
    assert shares(metered_share, "PLAIN", "demand") == {"A": 667, "B": 333, "STRANDED": 0}
    assert shares(metered_share, "PLAIN", "fixed") == {"A": -667, "B": -333, "STRANDED": 0}
    assert shares(metered_share, "IDLE", "energy") == {"A": 0, "B": 0, "STRANDED": 1000}


def test_reserved_share_splits_all_charges_by_reservation(reserved_share: Computed) -> None:
    assert shares(reserved_share, "PLAIN", "energy") == {"A": 200, "B": 100, "STRANDED": 700}
    assert shares(reserved_share, "PLAIN", "demand") == {"A": 200, "B": 100, "STRANDED": 700}
    assert shares(reserved_share, "FULL", "energy") == {"A": 667, "B": 333, "STRANDED": 0}


@pytest.mark.parametrize("method", ["hybrid", "metered_share", "reserved_share"])
def test_allocated_and_stranded_are_billed_to_the_cent(method: str, request: pytest.FixtureRequest) -> None:
    computed: Computed = request.getfixturevalue(method)
    bills = {row["site_id"]: row for row in computed.rows("power_bills")}
    for site, bill in bills.items():
        for charge in ("energy", "demand", "fixed", "tax"):
            assert sum(shares(computed, site, charge).values()) == bill[f"{charge}_cents"], (site, charge)
