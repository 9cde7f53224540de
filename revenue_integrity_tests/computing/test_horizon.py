"""Where the months of a home begin and end: with what its rows name, inside what the settings allow."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from revenue_integrity import clock, months
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.horizon import delivered_months, service_months
from revenue_integrity.computing.staleness import due_months
from revenue_integrity.settings import Settings, joined
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity_tests.toy.settings import ToySettings
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import put, rental

TODAY = datetime(2025, 6, 15, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.held_at(TODAY):
        yield


def settings_of(home: Path, **values: object) -> Settings:
    """Return settings that say nothing of months unless they are given."""
    return joined(ToySettings)(**({"home": home, "threads": 1} | values))


def landed(home: Path, *named: str, **values: object) -> Settings:
    """Return the settings of a home in which rows of some months were read."""
    settings = settings_of(home, **values)
    rows = [rental("2025-01", f"R-{number}", "B-1", "10.00", service_month=month) for number, month in enumerate(named)]
    put(settings, "20250610T000000Z", rows)
    ingestion.ingest(settings, TOY)
    return settings


def told(found: list[date]) -> str:
    """Return the first and the last of some months; there is none between them that is left out."""
    assert found == months.between(found[0], found[-1])
    return f"{months.label(found[0])} {months.label(found[-1])}"


def test_months_end_after_the_last_that_rows_name(tmp_path: Path) -> None:
    settings = landed(tmp_path / "home", "2025-02", "2024-11", "2025-03")
    assert told(service_months(settings)) == "2024-11 2025-04"
    assert told(delivered_months(settings)) == "2024-11 2025-03"
    assert told(due_months(TOY, read_catalog(settings), settings)) == "2024-11 2025-03"


def test_months_end_at_the_latest_after_the_present_one(tmp_path: Path) -> None:
    settings = landed(tmp_path / "home", "2025-05", "2031-01")
    assert told(service_months(settings)) == "2025-05 2025-07"
    assert told(delivered_months(settings)) == "2025-05 2025-07"


def test_a_demo_home_ends_with_its_demo(tmp_path: Path) -> None:
    settings = landed(tmp_path / "home", "2024-10", "2025-03")
    settings.demo_path.touch()
    assert told(service_months(settings)) == "2024-10 2025-03"


def test_what_a_demo_carries_from_before_its_months_makes_none(tmp_path: Path) -> None:
    settings = landed(tmp_path / "home", "2024-09", "2024-11", "2025-03")
    settings.demo_path.write_text("Source systems of this home are simulated from 2024-10 on.\n", encoding="utf-8")
    assert told(service_months(settings)) == "2024-10 2025-03"
    assert told(delivered_months(settings)) == "2024-10 2025-03"
    assert told(due_months(TOY, read_catalog(settings), settings)) == "2024-10 2025-03"


def test_months_that_somebody_set_stand_whatever_rows_name(tmp_path: Path) -> None:
    settings = landed(tmp_path / "home", "2025-02", "2025-03", first_month="2024-12", last_month="2025-09")
    assert told(service_months(settings)) == "2024-12 2025-09"
    assert told(delivered_months(settings)) == "2025-02 2025-03"
    assert told(due_months(TOY, read_catalog(settings), settings)) == "2024-12 2025-03", "where the deployment begins was said"


def test_rows_outside_of_what_was_set_make_no_month(tmp_path: Path) -> None:
    settings = landed(tmp_path / "home", "2024-02", "2025-03", first_month="2025-02")
    assert told(service_months(settings)) == "2025-02 2025-04"
    earlier = landed(tmp_path / "other", "2024-02", first_month="2025-02", last_month="2025-03")
    assert service_months(earlier) != []
    assert delivered_months(earlier) == []


def test_a_home_without_rows_may_have_any_month(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "home")
    assert told(service_months(settings)) == "2024-01 2025-07"
    assert delivered_months(settings) == []


def test_what_was_read_is_known_without_the_warehouse(tmp_path: Path) -> None:
    settings = landed(tmp_path / "home", "2025-02")
    settings.warehouse_path.unlink()
    assert told(service_months(settings)) == "2025-02 2025-03"
