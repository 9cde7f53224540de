"""A second small stream beside the toy: huts that are let by the night, so that a home has two books.

Belongs here: its declaration, and landing its rows. Does not belong here: any expectation.

January: H-1 for 200.00. February: H-1 for 210.00.
"""

import csv
from collections.abc import Mapping
from datetime import date

from revenue_integrity.close.evidence import extracts_cover_cutoff
from revenue_integrity.close.landing_checks import landing_checks
from revenue_integrity.model import table as column
from revenue_integrity.model.check import Check, Control, Gate
from revenue_integrity.model.query import Query
from revenue_integrity.model.rule import Rule, raw
from revenue_integrity.model.signed import Extracts, signed_table
from revenue_integrity.model.source import Source, SourceColumn
from revenue_integrity.model.stream import MonthFigure, Stream
from revenue_integrity.model.table import table
from revenue_integrity.settings import Settings

NIGHTS = Source(
    "huts",
    "nights",
    "Nights that were let, one row per hut as sent.",
    (
        SourceColumn("hut_id", "id", "The hut."),
        SourceColumn("service_month", "month", "Service month, as the date of its first day."),
        SourceColumn("amount", "money", "What was earned.", unit="cents"),
        SourceColumn("currency", "currency", "Its currency."),
    ),
    key=("hut_id", "month"),
)

HUT_MONTH = table(
    "huts",
    "mart",
    "hut_month",
    "What each hut earned, one row per hut and month.",
    ("month", "hut_id"),
    [column.month(), column.text("hut_id", "The hut."), column.money("amount_cents", "What was earned.")],
)

_SQL = "select month, hut_id, amount_cents from raw.huts_nights where month = $month and row_status = 'surviving'"


def hut_month(month: date, settings: Settings) -> Query:
    """Return what each hut earned."""
    return Query(_SQL, {"month": month})


HUTS = Stream(
    name="huts",
    sources=(NIGHTS,),
    rules=(Rule(HUT_MONTH, hut_month, (raw(NIGHTS.dataset),)),),
    checks=(
        *landing_checks("huts", (NIGHTS,)),
        Check(
            "extract_covers_cutoff",
            HUT_MONTH,
            Gate.SIGN_OFF,
            "Nights have been delivered at or after the cutoff.",
            extracts_cover_cutoff("huts", Extracts(prefix="nights")),
            control=Control("The month is signed before its nights are in.", "`batches`: `arrival`", "data operations"),
            settings=("cutoff_business_day", "close_timezone", "holidays", "holiday_calendar"),
        ),
    ),
    signed=(signed_table(HUT_MONTH),),
    extracts=Extracts(prefix="nights"),
    figures=(MonthFigure("hut_cents", "Huts", "hut_month", ("amount_cents",)),),
)

AMOUNTS: Mapping[str, str] = {"2025-01": "200.00", "2025-02": "210.00"}


def land(settings: Settings, arrival: str, amounts: Mapping[str, str] = AMOUNTS) -> str:
    """Put what a hut earned in some months into the landing zone as a batch; return its id."""
    place = settings.landing_path / "huts" / "nights"
    unfinished = place / f".{arrival}"
    unfinished.mkdir(parents=True)
    with (unfinished / "nights.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["hut_id", "service_month", "amount", "currency"])
        writer.writerows([["H-1", month, amount, "USD"] for month, amount in amounts.items()])
    unfinished.rename(place / arrival)
    return f"huts/nights/{arrival}"
