"""FOCUS exports as they really come: providers in another case, numbers in exponent form, parts that land one by one.

Belongs here: the files of `fixtures/faults` and their variations. Does not belong here: rows made for one rule (``test_scopes``,
``test_numbers``).
"""

import csv
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity.landing.datasets import read_quarantine
from revenue_integrity_tests import faults
from revenue_integrity_tests.streams.cloud.world import World

FIRST, SECOND, THIRD = "20250301T000000Z", "20250302T000000Z", "20250303T000000Z"
MONTHS = {"first_month": "2025-01", "last_month": "2025-03"}

_HEADER = "ProviderName,BillingAccountId,BillingPeriodStart,ChargePeriodStart,SubAccountId,ServiceName,BilledCost"


def world(home: Path, *batches: tuple[str, Sequence[str]]) -> World:
    """Return a world in which batches of the cases' files have landed."""
    made = World(home, **MONTHS)
    for arrival, names in batches:
        faults.land(made.settings, "cloud", "focus", arrival, *names)
    return made


def cost_by_month(made: World) -> dict[str, Decimal]:
    """Return what each month costs."""
    found: dict[str, Decimal] = {}
    with made.computed() as computed:
        for row in computed.rows("daily_account_cost"):
            month = str(row["usage_date"])[:7]
            found[month] = found.get(month, Decimal(0)) + row["total_cost"]
    return found


@pytest.mark.parametrize("order", [("f3/first.csv", "f3/second_case.csv"), ("f3/second_case.csv", "f3/first.csv")])
def test_one_scope_in_two_spellings_is_one(tmp_path: Path, order: tuple[str, str]) -> None:
    made = world(tmp_path, (FIRST, order[:1]), (SECOND, order[1:]))
    assert cost_by_month(made) == {"2025-01": Decimal(100)}


def test_instants_with_an_offset_are_those_of_utc_and_an_invoice_finds_its_charges_all_the_same(tmp_path: Path) -> None:
    # Midnight of 1 February at +02:00 is 22:00 UTC of 31 January.
    made = world(tmp_path, (FIRST, ("f3/first.csv",)), (SECOND, ("f3/offset.csv",)))
    faults.land(made.settings, "cloud", "cloud_invoices", THIRD, "f3/invoices.csv")
    with made.computed() as computed:
        days = {str(row["usage_date"]): row["total_cost"] for row in computed.rows("daily_account_cost")}
        assert days == {"2025-01-10": Decimal(100), "2025-01-31": Decimal(7)}
        found = {row["invoice_id"]: row for row in computed.rows("cloud_recon_results", view="current")}
    assert (found["M1"]["left_value"], found["M1"]["status"]) == (Decimal(100), "matched")
    assert found["K1"]["right_value"] == Decimal(7)


EXPONENTS = [
    ("2025-01-01", "0.0000000001"),
    ("2025-01-02", "0.00000000025"),
    ("2025-01-03", "0.112345678901"),
    ("2025-01-04", "11.23456789012"),
    ("2025-01-05", "0.0000000001"),
    ("2025-01-06", "0.000000000001"),
    ("2025-01-07", "0.000000001"),
    ("2025-01-08", "0.00000000001"),
]


def test_numbers_in_exponent_form_are_the_numbers_that_they_say(tmp_path: Path) -> None:
    with world(tmp_path, (FIRST, ("f4/exponents.csv",))).computed() as computed:
        days = [(str(row["usage_date"]), row["total_cost"]) for row in computed.rows("daily_account_cost")]
    assert sorted(days) == [(day, Decimal(cost)) for day, cost in EXPONENTS]


def test_numbers_of_up_to_eighteen_places_are_exact_and_what_is_longer_or_no_number_is_a_bad_row(tmp_path: Path) -> None:
    with (faults.FAULTS / "f4" / "numbers.csv").open(encoding="utf-8", newline="") as file:
        written = {row["ServiceName"]: row["BilledCost"] for row in csv.DictReader(file)}
    with world(tmp_path, (FIRST, ("f4/numbers.csv",))).computed() as computed:
        refused = read_quarantine(computed.connection, "cloud")
        services = {row["service_name"]: row["total_cost"] for row in computed.rows("account_service_day")}
    # 20 places, 20 places in exponent form, and a thousands mark that nobody declared.
    bad = {"S1": "0.00012000000000000002", "S5": "2.7755575615628914e-17", "S12": "1,234.50"}
    assert {name: written[name] for name in bad} == bad
    assert services == {name: Decimal(text) for name, text in written.items() if name not in bad}
    assert {json.loads(row)["ServiceName"] for row in refused["raw"]} == set(bad)
    assert refused["dq_errors"].str.contains("BilledCost|cost", case=False).all()


def test_parts_of_an_export_in_one_batch_are_whole(tmp_path: Path) -> None:
    made = world(tmp_path, (FIRST, ("f5/part_0_0001.csv", "f5/part_1_0001.csv")))
    assert cost_by_month(made) == {"2025-01": Decimal(190)}
    with made.computed() as computed:
        assert computed.judge("deliveries_replace_their_scope", "2025-01").passed


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_parts_that_land_one_by_one_are_told_until_the_whole_has_landed(tmp_path: Path, order: tuple[int, int]) -> None:
    parts = [f"f5/part_{number}_0001.csv" for number in order]
    made = world(tmp_path, (FIRST, parts[:1]), (SECOND, parts[1:]))
    with made.computed() as computed:
        judged = computed.judge("deliveries_replace_their_scope", "2025-01")
        assert not judged.passed
        assert judged.rows is not None
        assert judged.rows["batch_id"].tolist() == [f"cloud/focus/{SECOND}"]
        left = sum(row["total_cost"] for row in computed.rows("daily_account_cost"))
        assert judged.figures["cost_after"] == left
        assert judged.figures["cost_before"] == 190 - left
    faults.land(made.settings, "cloud", "focus", THIRD, *parts)
    with made.computed() as computed:
        assert computed.judge("deliveries_replace_their_scope", "2025-01").passed
        assert sum(row["total_cost"] for row in computed.rows("daily_account_cost")) == 190


def _without_scope(home: Path, columns: str, *files: str) -> World:
    """Return a world in which files of three providers landed one after the other, without some columns that name them."""
    made = World(home, **MONTHS)
    for place, row in enumerate(files):
        made.put("focus", f"2025030{place + 1}T000000Z", "export.csv", f"{columns}\n{row}\n")
    return made


@pytest.mark.parametrize(
    ("columns", "tail"),
    [
        ("BilledCost,BillingPeriodStart,ChargePeriodStart", ""),
        ("BilledCost,BillingPeriodStart,ChargePeriodStart,ProviderName", ",AWS"),
        ("BilledCost,BillingPeriodStart,ChargePeriodStart,BillingAccountId", ",123"),
        ("BilledCost,BillingPeriodStart,ChargePeriodStart,ProviderName,BillingAccountId", ",NULL,"),
    ],
)
def test_exports_that_do_not_say_whose_they_are_replace_nothing_and_ask(tmp_path: Path, columns: str, tail: str) -> None:
    rows = [f"{cost},2025-01-01,2025-01-10{tail}" for cost in ("19822.00", "10.00", "0.00")]
    made = _without_scope(tmp_path, columns, *rows)
    with made.computed() as computed:
        assert sum(row["total_cost"] for row in computed.rows("daily_account_cost")) == Decimal("19832.00")
        judged = computed.judge("scopes_are_known", "2025-01")
    assert (judged.passed, judged.figures["rows"]) == (False, 3)
    assert judged.rows is not None
    assert judged.rows["batch_id"].tolist() == [f"cloud/focus/2025030{place}T000000Z" for place in (1, 2, 3)]
