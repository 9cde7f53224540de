"""The figures of status: what streams declare, read from what is published and added up over streams."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from revenue_integrity.desk import status
from revenue_integrity.errors import PublishError
from revenue_integrity.model import table as column
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.stream import MonthFigure, Stream, Streams
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import SHIPPED

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)


def made(name: str, *figures: MonthFigure) -> Stream:
    """Return a stream with a published table ``NAME_month`` and some figures of it."""
    columns = [column.money("billed_cents", "Billed."), column.money("credited_cents", "Credited."), column.text("view", "View.")]
    held = table(name, "mart", f"{name}_month", "Rows, one row per month.", ("month",), [column.month(), *columns])
    rule = Rule(held, lambda month, settings: pd.DataFrame(), ())
    return Stream(name=name, sources=(), rules=(rule,), checks=(), figures=figures)


def net(name: str, dataset: str, **more: Any) -> MonthFigure:
    """Return what was billed less what was credited."""
    return MonthFigure(name, "Net", dataset, ("billed_cents",), less=("credited_cents",), **more)


PUBLISHED = {
    "north_month": [(JANUARY, 500, 40, "now"), (JANUARY, 300, 0, "then"), (FEBRUARY, 7, 10, "then")],
    "south_month": [(JANUARY, 1000, 1, "now")],
}


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two streams have published what stands above, and others nothing."""

    def read(settings: Settings, dataset: Table, wanted: Sequence[date]) -> pd.DataFrame:
        if dataset.name not in PUBLISHED:
            raise PublishError(f"{dataset.name} is not published", "Run it")
        rows = [row for row in PUBLISHED[dataset.name] if row[0] in wanted]
        return pd.DataFrame(rows, columns=["month", "billed_cents", "credited_cents", "view"])

    monkeypatch.setattr(status.publish, "read_published", read)


def figures(*streams: Stream, wanted: Sequence[date] = (JANUARY, FEBRUARY)) -> dict[tuple[str, date], status.Figures]:
    """Return the figures of some months."""
    return status.figures_by_stream(replace(SHIPPED, streams=Streams.of(*streams)), wanted)


def test_a_figure_is_what_its_columns_add_up_to_less_what_is_taken_from_that() -> None:
    assert figures(made("north", net("net_cents", "north_month"))) == {
        ("north", JANUARY): {"net_cents": 760},
        ("north", FEBRUARY): {"net_cents": -3},
    }


def test_a_figure_that_looks_for_rows_and_finds_none_says_nothing_instead_of_zero() -> None:
    now = net("net_cents", "north_month", only={"view": "now"})
    assert figures(made("north", now)) == {("north", JANUARY): {"net_cents": 460}, ("north", FEBRUARY): {}}


def test_what_two_streams_call_alike_is_added_up_and_a_stream_without_data_adds_nothing() -> None:
    streams = [made(name, net("net_cents", f"{name}_month")) for name in ("north", "south", "unused")]
    found = figures(*streams)
    assert set(found) == {("north", JANUARY), ("north", FEBRUARY), ("south", JANUARY)}
    together = [[found.get((stream.name, month), {}) for stream in streams] for month in (JANUARY, FEBRUARY)]
    assert [status.added_up(each) for each in together] == [{"net_cents": 760 + 999}, {"net_cents": -3}]


def test_exact_units_stay_exact() -> None:
    (found,) = figures(made("south", net("net", "south_month", unit="currency"))).values()
    assert found == {"net": Decimal(999)}
    assert isinstance(found["net"], Decimal)


def test_figures_of_one_name_in_two_units_are_refused() -> None:
    streams = Streams.of(made("north", net("net", "north_month")), made("south", net("net", "south_month", unit="currency")))
    with pytest.raises(ValueError, match="figure net in different units"):
        status.figures_of(replace(SHIPPED, streams=streams))


def test_figures_name_columns_of_published_datasets_and_say_cents_where_they_are() -> None:
    for stream in SHIPPED.streams:
        tables = {table.name: table for table in stream.published_tables}
        assert stream.figures, stream.name
        for figure in stream.figures:
            columns = {*figure.columns, *figure.less, *figure.only}
            assert columns <= set(tables[figure.dataset].columns), figure.name
            assert figure.name.endswith("_cents") == (figure.unit == "cents"), figure.name


def test_a_summary_leaves_out_months_without_anything_and_figures_that_are_not_for_it() -> None:
    streams = Streams.of(made("north", net("net_cents", "north_month", in_summary=True), net("more_cents", "north_month")))
    rows = [("2025-01", "north", "open", 0, 1, 2, 0, 0, "not computed"), ("2025-02", "north", "ready", 0, 3, 4, 5, 6, "")]
    columns = ["month", "book", "status", "version", "net_cents", "more_cents", "quarantined", "checks_failed", "why"]
    shown = status.summary(replace(SHIPPED, streams=streams), pd.DataFrame(rows, columns=columns))
    assert shown.to_dict("records") == [
        {"month": "2025-02", "book": "north", "status": "ready", "version": 0, "net_cents": 3, "why": ""}
    ]
