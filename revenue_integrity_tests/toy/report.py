"""What the toy stream shows in a close pack: a page, a sheet, a figure on the first sheet.

Belongs here: the declaration of the report. Does not belong here: how it looks (``reports``), what every stream shows anyway
(reconciliations, causes, checks, sign-off).
"""

from revenue_integrity.model.report import Chart, Column, Headline, Kpi, Listing, Report, Section, Trend, View
from revenue_integrity.reports.reconciling import variance_kpi
from revenue_integrity_tests.toy.mart import DUE
from revenue_integrity_tests.toy.recon import BOOKED, RECONCILIATIONS

BOATS = Listing(
    "What each boat earned",
    "toy_boats",
    (
        Column("boat_id", "Boat", "name"),
        Column("rentals", "Rentals", "integer", total=True),
        Column("due_cents", "Due", "cents", total=True),
        Column("booked_cents", "Booked", "cents", total=True),
    ),
    note="What the tariff asks, and what the books hold of it.",
    sheet="Boats",
    what="boats",
    order=("-due_cents", "boat_id"),
)

MONTHS = Chart(
    "Due by month",
    "bar",
    lambda published: published.trend("toy_boats"),
    x="month",
    y={"due_cents": "Due", "booked_cents": "Booked"},
)

REPORT = Report(
    view=View(
        "boats",
        "Boats",
        tiles=(Kpi("Due for boats", DUE, change=True), variance_kpi(RECONCILIATIONS, BOOKED, "Booked less due", "boats")),
        sections=(Section("What did the boats earn?", (BOATS, MONTHS)),),
    ),
    datasets=("toy_boats",),
    sheets=(BOATS,),
    headlines=(Headline("Due for boats", BOATS, "due_cents"),),
    trends=(Trend("toy_boats", lambda frame: frame.groupby("month", as_index=False)[["due_cents", "booked_cents"]].sum()),),
)
