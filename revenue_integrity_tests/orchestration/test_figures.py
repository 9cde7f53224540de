"""What the UI shows of a month: its money as numbers, values beside their limits, rows with names that people use."""

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from revenue_integrity.model.check import Check, Control, Gate, Judgement, Limit
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.check_factory import limits_metadata, result, table_metadata
from revenue_integrity.orchestration.publication import figures_of_month
from revenue_integrity_tests import toy_home
from revenue_integrity_tests.toy.schemas import TOY_BOATS
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY
from revenue_integrity_tests.without_dagster import bring_up_to_date, judged


def check(*limits: Limit) -> Check:
    """Return a check that hangs on some figures."""
    control = Control("Something goes wrong.", "`toy_boats`", "controller")
    return Check("it_holds", TOY_BOATS, Gate.WARN, "It holds.", lambda *_: Judgement(True), control=control, limits=limits)


def test_a_published_month_has_its_money_as_numbers_in_currency_units(tmp_path: Path) -> None:
    home = toy_home.toy_deployment(tmp_path)
    toy_home.land_all(home.settings)
    bring_up_to_date(home)
    january, february = (
        figures_of_month(TOY, home.settings, month, judged(TOY, month, home.settings)) for month in (JANUARY, FEBRUARY)
    )
    assert january.keys() == february.keys()
    # January: three rentals, two boats, the month, each boat and the one reconciliation in two views. February: one boat.
    assert [month.pop("Rows").value for month in (january, february)] == [3 + 2 + 1 + 4 + 2, 1 + 1 + 1 + 2 + 2]
    assert all(isinstance(value, dg.FloatMetadataValue) and label.endswith(" (USD)") for label, value in january.items())
    # By default 1,000.00, which is more than half a percent of 220.00.
    assert january["Materiality, booked vs due (USD)"].value == 1000.0
    # 100 + 50 + 70 were due in January, and 120 in February.
    assert 220.0 in [value.value for value in january.values()]
    assert 120.0 in [value.value for value in february.values()]


def test_a_check_shows_the_figure_that_is_beyond_its_limit_beside_it() -> None:
    judged = Judgement(False, {"rows": 0, "gross_cents": 123_456, "materiality_cents": 100_000})
    found = limits_metadata(check(Limit("rows"), Limit("gross_cents", "materiality_cents")), judged)
    assert (found["value"].value, found["limit"].value) == (1234.56, "gross at most 1,000")
    assert limits_metadata(check(), judged) == {}
    assert limits_metadata(check(Limit("missing")), judged) == {}


def test_rows_have_names_that_a_person_uses_and_amounts_of_money() -> None:
    shown = table_metadata(pd.DataFrame({"boat_id": ["B-1"], "gross_cents": [-123_456], "gross": [2], "rows": [3]}))
    assert [column.name for column in shown.schema.columns] == ["boat id", "gross amount", "gross", "rows"]
    (row,) = shown.records
    assert row.data["gross amount"] == "(1,234.56)"
    assert row.data["boat id"] == "B-1"


def test_a_secret_that_stands_in_data_stands_in_no_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "hunter2-hunter2")
    build_definitions(toy_home.toy_deployment(tmp_path))
    rows = pd.DataFrame({"boat_id": ["B-1"], "boat_name": ["hunter2-hunter2, see postgresql://erp:pw-of-erp@db/erp"]})
    judgement = Judgement(False, {"worst": "hunter2-hunter2"}, rows, "Ask hunter2-hunter2.")
    found = result(TOY_BOATS, "a_check", Gate.WARN, judgement)
    told = f"{found.metadata} {found.description}"
    assert "hunter2" not in told
    assert "pw-of-erp" not in told
    assert "***" in told
