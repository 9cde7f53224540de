"""What the boats earned: sums over clean rentals.

Belongs here: rules that read curated tables. Does not belong here: comparing two sides (``recon``).
"""

from datetime import date

import pandas as pd

from revenue_integrity.exact import ratio
from revenue_integrity.model.rule import Rule, same_month
from revenue_integrity.model.stream import MonthFigure
from revenue_integrity_tests.toy import schemas
from revenue_integrity_tests.toy.settings import ToySettings


def toy_boats(month: date, settings: ToySettings, toy_rentals: pd.DataFrame) -> pd.DataFrame:
    """Return what was due and what was booked for each boat."""
    boats = toy_rentals.groupby("boat_id", as_index=False).agg(
        rentals=("rental_id", "size"), due_cents=("due_cents", "sum"), booked_cents=("booked_cents", "sum")
    )
    return boats.assign(month=pd.Timestamp(month).as_unit("us"))


def toy_month(month: date, settings: ToySettings, toy_boats: pd.DataFrame) -> pd.DataFrame:
    """Return what was due and what was booked for all boats; nothing in a month without rentals."""
    total = toy_boats.groupby("month", as_index=False).agg(
        boats=("boat_id", "size"), due_cents=("due_cents", "sum"), booked_cents=("booked_cents", "sum")
    )
    return total.assign(booked_share=ratio(total["booked_cents"], total["due_cents"]))


DUE = MonthFigure("toy_due_cents", "Due for boats", "toy_boats", ("due_cents",))
"""The month in one number: for status, the index of packs and alerts."""

RULES = (
    Rule(schemas.TOY_BOATS, toy_boats, (same_month("curated", "toy_rentals"),)),
    Rule(schemas.TOY_MONTH, toy_month, (same_month("mart", "toy_boats"),)),
)
