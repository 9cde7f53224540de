"""The tables of the toy stream, each declared once for DDL, validation, UI and dictionary.

Belongs here: grain, key and columns. Does not belong here: how a table is made (``curated``, ``mart``), raw tables, which follow
from their sources.
"""

from revenue_integrity.model import table as column
from revenue_integrity.model.table import table

TOY_RENTALS = table(
    "toy",
    "curated",
    "toy_rentals",
    "Rentals that count, one row per rental of the month.",
    ("month", "rental_id"),
    [
        column.month(),
        column.text("rental_id", "The rental."),
        column.text("boat_id", "The boat."),
        column.money("due_cents", "What the tariff asks.", ge=0),
        column.money("booked_cents", "What the books hold; 0 where nothing was booked."),
        column.flag("is_booked", "Whether anything was booked."),
        column.flag("late", "Whether it was booked after the month's cutoff."),
    ],
)

TOY_BOATS = table(
    "toy",
    "mart",
    "toy_boats",
    "What each boat earned, one row per boat and month.",
    ("month", "boat_id"),
    [
        column.month(),
        column.text("boat_id", "The boat."),
        column.integer("rentals", "Rentals of the month.", unit="rentals", ge=1),
        column.money("due_cents", "What the tariff asks.", ge=0),
        column.money("booked_cents", "What the books hold."),
    ],
)

TOY_MONTH = table(
    "toy",
    "mart",
    "toy_month",
    "What all boats earned, one row per month.",
    ("month",),
    [
        column.month(),
        column.integer("boats", "Boats that were rented out.", unit="boats", ge=1),
        column.money("due_cents", "What the tariff asks.", ge=0),
        column.money("booked_cents", "What the books hold."),
        column.ratio("booked_share", "Booked over due."),
    ],
)
