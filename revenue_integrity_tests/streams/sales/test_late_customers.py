"""A customer change that comes late touches the months in which another version is now in force, and no other."""

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import clock, months
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.streams.registry import deployment_of, load_settings
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.without_dagster import bring_up_to_date

MONTHS = months.parse_range("2024-03:2024-05")
NOW = datetime(2024, 8, 1, 12, tzinfo=UTC)


def put(home: Deployment, source: str, arrival: str, rows: Iterable[dict[str, Any]]) -> None:
    batch = home.settings.landing_path / "sales" / source / arrival
    batch.mkdir(parents=True)
    (batch / f"{source}.json").write_text(json.dumps(list(rows)), encoding="utf-8")


def sale(customer: str, day: str) -> dict[str, Any]:
    return {
        "transaction_id": f"T-{customer}-{day}",
        "customer_id": customer,
        "product": {"id": "P-1", "name": "Desk", "category": "Office", "price": 10},
        "quantity": 1,
        "date": day,
        "region": "North",
    }


def customer(name: str, changed: str, **more: Any) -> dict[str, Any]:
    return {"customer_id": name, "name": f"Customer {name}", "region": "North", "updated_at": changed, **more}


def opened(place: Path) -> Deployment:
    return deployment_of(load_settings(home=place, first_month="2024-03", last_month="2024-05", threads=1))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which C-1 buys on the 5th and the 20th of each month and C-2 in March alone."""
    home = opened(tmp_path_factory.mktemp("made") / "home")
    put(home, "customers", "20240301T060000Z", [customer(name, "2024-03-01T05:00:00Z") for name in ("C-1", "C-2")])
    sold = [sale("C-1", f"2024-{number:02}-{day:02}") for number in (3, 4, 5) for day in (5, 20)]
    put(home, "transactions", "20240531T230000Z", [*sold, sale("C-2", "2024-03-20")])
    with clock.held_at(NOW):
        bring_up_to_date(home, only="sales")
    return home.settings.home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Deployment:
    """Return a copy of that home."""
    return opened(Path(shutil.copytree(made, tmp_path / "home", symlinks=True)))


def hashes(home: Deployment) -> dict[tuple[str, date], str]:
    """Return the hash of the content of each published month of each dataset."""
    return {
        (dataset, month): found
        for month in MONTHS
        for dataset, found in publish.closed_hashes(home.settings, "sales", month).items()
    }


def changed_by(home: Deployment, rows: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the months in which each dataset comes out otherwise after some news of customers, but for the checks' own table."""
    before = hashes(home)
    put(home, "customers", "20240715T060000Z", rows)
    with clock.held_at(NOW):
        bring_up_to_date(home, only="sales")
    found: dict[str, list[str]] = {}
    for (dataset, month), content in sorted(hashes(home).items()):
        if before[dataset, month] != content and not dataset.endswith("_checks"):
            found.setdefault(dataset, []).append(months.label(month))
    return found


def test_a_move_told_late_touches_the_sales_since_and_the_regions_of_customers(home: Deployment) -> None:
    assert changed_by(home, [customer("C-1", "2024-04-10T09:00:00Z", region="South")]) == {
        "fact_sales": ["2024-04", "2024-05"],
        "loyalty_by_region": ["2024-04", "2024-05"],
    }


def test_a_move_of_somebody_who_bought_nothing_since_touches_no_sale(home: Deployment) -> None:
    assert changed_by(home, [customer("C-2", "2024-04-10T09:00:00Z", region="South")]) == {
        "loyalty_by_region": ["2024-04", "2024-05"]
    }


def test_a_change_after_the_last_sale_of_a_month_leaves_its_sales_alone(home: Deployment) -> None:
    assert changed_by(home, [customer("C-1", "2024-04-25T09:00:00Z", region="South")]) == {
        "fact_sales": ["2024-05"],
        "loyalty_by_region": ["2024-04", "2024-05"],
    }


def test_news_that_say_nothing_new_touch_nothing(home: Deployment) -> None:
    assert changed_by(home, [customer("C-1", "2024-04-10T09:00:00Z")]) == {}
