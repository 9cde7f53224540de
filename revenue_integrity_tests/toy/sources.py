"""The one source of the toy stream: what it must look like, and when a row of it is bad.

Belongs here: declarations. Does not belong here: how files are read and versions resolved (``landing``), curated tables.
"""

from revenue_integrity.model.source import RowRule, Source, SourceColumn

RENTALS = Source(
    "toy",
    "rentals",
    "Boats that were rented out, what was due for each and what the books hold, one row per rental as sent.",
    (
        SourceColumn("rental_id", "id", "The rental."),
        SourceColumn("service_month", "month", "Service month, as the date of its first day."),
        SourceColumn("boat_id", "id", "The boat."),
        SourceColumn("due", "money", "What the tariff asks.", ge=0, unit="cents"),
        SourceColumn("booked", "money", "What the books hold; empty where nothing was booked.", required=False, unit="cents"),
        SourceColumn("booked_at", "ts", "When it was booked.", required=False),
        SourceColumn("currency", "currency", "Currency of both amounts."),
    ),
    key=("rental_id",),
    rules=(RowRule("(booked_cents is null) <> (booked_at is null)", "'booked and booked_at must both be there, or neither'"),),
)

SOURCES = (RENTALS,)
"""All sources, each behind those that its look-ups are made from."""
