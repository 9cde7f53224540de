"""What streams say to Power BI is held against what there is, and what a project does not have is left out."""

from dataclasses import replace

import pytest

from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.powerbi import DaxMeasure, Page, PowerBi, Reference, Visual, added
from revenue_integrity.serving.powerbi.model import model_of
from revenue_integrity_tests.toy.schemas import TOY_BOATS
from revenue_integrity_tests.toy.stream import TOY

DUE = DaxMeasure("Due", "toy_boats", added("toy_boats", "due_cents"), "money", "What the tariff asks.")
TWICE = DaxMeasure("Twice", "toy_boats", "2 * [Due]", "money", "Twice that.")
SAID = PowerBi((), (DUE, TWICE), (Page("Boats", (Visual("card", "Due", ("Due",)),), ("toy_boats", "boat_id")),))


def _said(said: PowerBi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revenue_integrity.serving.powerbi.model.said_by", lambda stream: said)


def test_a_measure_over_another_one_is_there_with_it_and_gone_with_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    _said(SAID, monkeypatch)
    assert set(model_of([TOY], TOY.datasets, "USD").homes) == {"Due", "Twice"}
    assert not model_of([TOY], [table for table in TOY.datasets if table.name != TOY_BOATS.name], "USD").homes


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (replace(SAID, measures=(replace(DUE, dax=added("toy_boats", "nothing")), TWICE)), r"Due: 'toy_boats'\[nothing\]"),
        (replace(SAID, measures=(DUE, replace(TWICE, dax="2 * [Dew]"))), r"Twice: \[Dew\]"),
        (replace(SAID, measures=(DUE, TWICE, DUE)), "Due"),
        (replace(SAID, pages=(Page("Boats", (Visual("card", "Dew", ("Dew",)),), ("toy_boats", "boat_id")),)), "Boats: Dew: Dew"),
        (replace(SAID, pages=(Page("Boats", (), ("toy_boats", "nothing")),)), r"Boats: 'toy_boats'\[nothing\]"),
        (
            replace(SAID, references=(Reference(("toy_boats",), "boat", "toy_boats", "boat_id"),)),
            r"reference 'toy_boats'\[boat\]",
        ),
        (replace(SAID, references=(Reference(("toy_rentals",), "boat_id", "toy_boats", "boat_id"),)), "names no row of it"),
    ],
)
def test_what_is_not_there_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, said: PowerBi, told: str) -> None:
    _said(said, monkeypatch)
    with pytest.raises(RevenueIntegrityError, match=told):
        model_of([TOY], TOY.datasets, "USD")
