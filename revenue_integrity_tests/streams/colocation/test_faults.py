"""Credits as other programs get them wrong, from the files to the causes of the month (`fixtures/faults`).

Belongs here: files of ERP lines over the base. Does not belong here: stories without files (``test_credit_stories``), what people
then do with the month (`scenarios`).
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from revenue_integrity.streams.registry import load_settings
from revenue_integrity_tests import cases, faults
from revenue_integrity_tests.streams.colocation.world import Computed, pick

JANUARY, FEBRUARY, MARCH = "2025-01", "2025-02", "2025-03"

Found = list[tuple[str, str, str, str, int]]
"""Month, contract, charge, cause, cents."""


def causes_over_base(home: Path, *files: str) -> Found:
    """Return the causes of all postings once files of ERP lines came after the base, each in a batch of its own."""
    settings = load_settings(home=home, threads=1, **faults.MONTHS)
    faults.land_base(settings)
    for place, name in enumerate(files):
        faults.land(settings, "colocation", "erp_invoices", f"20250411T0{place}0000Z", name)
    with cases.computed_case(settings) as connection:
        computed = Computed(connection, settings)
        assert all(computed.judge("causes_add_up", month).passed for month in (JANUARY, FEBRUARY, MARCH))
        found = computed.rows("recon_causes", view="current", recon="erp_vs_mart")
    return [
        (str(month)[:7], contract, charge, cause, cents)
        for month, contract, charge, cause, cents in (
            pick(row, "month", "contract_id", "charge_type", "cause", "cause_cents") for row in found
        )
    ]


CASES: dict[str, tuple[Sequence[str], Found]] = {
    "nothing": ((), []),
    "a document credited twice": (("e3/credited_twice.csv",), [(FEBRUARY, "A", "power", "credit_memo", -150000)]),
    # CM6 and RB6 are a credit and a rebill of the same; RB7 bills 10 kW at 140 instead of 150.
    "credits and rebills": (("e3/credit_rebill.csv",), [(JANUARY, "B", "power", "price_mismatch", -10000)]),
    # Whatever quantity and price a credit states, and with whatever sign.
    "credits that state quantity and price in four ways": (
        ("e3/credits.csv",),
        [
            (MARCH, "A", "power", "credit_memo", -10000),
            (MARCH, "A", "rack", "credit_memo", -10000),
            (MARCH, "B", "energy", "credit_memo", -31000),
            (MARCH, "B", "power", "credit_memo", -10000),
            (MARCH, "B", "rack", "credit_memo", -10000),
        ],
    ),
    "all of them together": (
        ("e3/credits.csv", "e3/credit_rebill.csv", "e3/credited_twice.csv"),
        [
            (JANUARY, "B", "power", "price_mismatch", -10000),
            (FEBRUARY, "A", "power", "credit_memo", -150000),
            (MARCH, "A", "power", "credit_memo", -10000),
            (MARCH, "A", "rack", "credit_memo", -10000),
            (MARCH, "B", "energy", "credit_memo", -31000),
            (MARCH, "B", "power", "credit_memo", -10000),
            (MARCH, "B", "rack", "credit_memo", -10000),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_credits_of_files_have_the_causes_that_they_are(tmp_path: Path, name: str) -> None:
    files, expected = CASES[name]
    assert sorted(causes_over_base(tmp_path, *files)) == expected


def test_a_document_that_moved_to_another_month_is_a_shift_and_one_that_came_back_is_nothing(tmp_path: Path) -> None:
    moved = causes_over_base(tmp_path / "moved", "e4/moved_into_closed.csv")
    assert sorted(moved) == [
        (JANUARY, "A", "rack", "period_shift", 60000),
        (FEBRUARY, "A", "rack", "period_shift", -60000),
    ]
    assert causes_over_base(tmp_path / "back", "e4/moved_into_closed.csv", "e4/moved_back.csv") == []


def test_two_utility_accounts_at_one_site_are_both_counted_in_whatever_batch_they_come(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, threads=1, **faults.MONTHS)
    faults.land_base(settings)
    # The second account names itself; the bills of the first never did.
    header, row = (faults.FAULTS / "e7/second_account.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "second.csv").write_text(f"{header},account_id\n{row},feed_b\n", encoding="utf-8")
    faults.land(settings, "colocation", "power_bills", "20250411T000000Z", str(tmp_path / "second.csv"))
    faults.land(settings, "colocation", "erp_power_costs", "20250411T000000Z", "e7/second_cost.csv")
    with cases.computed_case(settings) as connection:
        computed = Computed(connection, settings)
        bills = [pick(each, "month", "kwh", "total_cents") for each in computed.rows("power_bills")]
        compared = [
            pick(each, "left_cents", "right_cents", "status")
            for each in computed.rows("recon_results", recon="erp_vs_allocated_power", view="current")
            if str(each["month"])[:7] == MARCH
        ]
        assert connection.sql("select count(*) from meta.corrections_colocation").fetchall() == [(0,)]
    # 6,200 and 100 kWh, 594.00 and 39.00 in March; the other months have one bill.
    assert sorted((str(month)[:7], int(kwh), cents) for month, kwh, cents in bills) == [
        (JANUARY, 6200, 59400), (FEBRUARY, 5600, 55200), (MARCH, 6300, 63300),
    ]  # fmt: skip
    assert compared == [(63300, 63300, "matched")]
