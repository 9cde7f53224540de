"""`deliver` as people and timers call it: what it prints, its exit codes, what it keeps to itself."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.desk.alerts import outbox
from revenue_integrity.settings import Settings
from revenue_integrity.streams.sales.schemas import BY_REGION_CATEGORY
from revenue_integrity_tests.postgres import PASSWORD, server
from revenue_integrity_tests.serving.deliveries.support import URL, asked, delivery, publish_month
from revenue_integrity_tests.support import command, home_settings

MARCH = date(2025, 3, 1)
DATASET = BY_REGION_CATEGORY.name


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a home with one published dataset, beside an empty database."""
    monkeypatch.setenv(URL, postgres_url)
    asked("drop schema if exists gold cascade")
    settings = home_settings(tmp_path / "home", deliveries=(delivery(select={"datasets": [DATASET]}),))
    row: dict[str, Any] = {"month": MARCH, "region": "North", "category": "Tea", "transactions": 2, "lines": 3}
    row |= {"quantity": Decimal(3), "gross_cents": 1234, "discount_cents": 34, "total_cents": 1200}
    publish_month(settings, "sales", BY_REGION_CATEGORY, MARCH, [row])
    return settings


def test_deliver_prints_what_it_brought_and_then_nothing(home: Settings) -> None:
    done = command(home, "deliver")
    assert done.returncode == 0, done.stderr
    assert list(csv.DictReader(io.StringIO(done.stdout))) == [
        {"delivery": "bi", "dataset": DATASET, "month": "2025-03", "rows": "1"}
    ]
    assert asked(f"select region, total from gold.{DATASET}") == [("North", Decimal("12.00"))]
    again = command(home, "deliver")
    assert (again.returncode, again.stdout) == (0, "")
    assert "everything stands there already" in again.stderr


def test_verify_ends_with_one_and_names_what_differs(home: Settings) -> None:
    command(home, "deliver")
    assert command(home, "deliver", "--verify").returncode == 0
    asked(f"update gold.{DATASET} set total = 13")
    done = command(home, "deliver", "--verify", "--to", "bi")
    assert done.returncode == 1
    assert "total adds up to 13.00 there, 12.00 delivered" in done.stdout
    assert command(home, "deliver", "--again", "--month", "2025-03").returncode == 0
    assert command(home, "deliver", "--verify").returncode == 0


def test_rebuild_makes_the_table_anew(home: Settings) -> None:
    command(home, "deliver")
    asked(f"alter table gold.{DATASET} alter column lines type integer")
    refused = command(home, "deliver")
    assert refused.returncode == 1
    assert "has the column lines as INTEGER, and it should be BIGINT" in refused.stderr
    assert f"deliver --rebuild {DATASET}" in refused.stderr
    done = command(home, "deliver", "--rebuild", DATASET)
    assert done.returncode == 0, done.stderr
    assert command(home, "deliver").returncode == 0


def test_what_cannot_be_meant_is_wrong_usage(home: Settings) -> None:
    assert command(home, "deliver", "--to", "nowhere").returncode == 2
    assert command(home, "deliver", "--again", "--verify").returncode == 2
    assert command(home, "deliver", "--rebuild", "no_such").returncode == 2


def test_a_home_without_deliveries_has_nothing_to_do(tmp_path: Path) -> None:
    done = command(home_settings(tmp_path), "deliver")
    assert done.returncode == 0
    assert "the setting deliveries names no database" in done.stderr


def test_a_database_that_is_away_is_told_in_a_line_and_by_an_alert_until_it_is_back(
    home: Settings, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL, f"postgresql://reader:{PASSWORD}@127.0.0.1:1/postgres")
    done = command(home, "deliver")
    assert done.returncode == 1
    assert "delivery bi: opening it failed" in done.stderr
    assert not [each for each in (PASSWORD, "127.0.0.1", "postgresql://") if each in done.stderr + done.stdout]
    (alert,) = outbox.records(home)
    assert (alert.event.title, alert.resolved_at) == ("Delivery bi failed", None)
    monkeypatch.setenv(URL, postgres_url)
    assert command(home, "deliver").returncode == 0
    (alert,) = outbox.records(home)
    assert alert.resolved_at is not None


def test_doctor_says_whether_a_delivery_can_be_meant(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "brings 1 datasets, as published, into the schema gold" in command(home, "doctor").stdout
    monkeypatch.delenv(URL)
    assert f"the environment variable {URL} is not set" in command(home, "doctor").stdout
