"""Printing: plain values, and the three formats as somebody else's program reads them."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from revenue_integrity import output
from revenue_integrity.output import Format


def shown(frame: pd.DataFrame, chosen: Format) -> str:
    """Return what a frame looks like in a format."""
    stream = io.StringIO()
    output.show(frame, chosen, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.500000", "1.5"), ("100", "100"), ("100.00", "100"), ("0.000000", "0"), ("-0.000", "0"), ("1E+3", "1000"),
        ("1E-6", "0.000001"), ("-12.340", "-12.34"), ("123456789012.123456", "123456789012.123456"),
    ],
)  # fmt: skip
def test_a_decimal_has_no_trailing_zeros_and_no_exponent(value: str, text: str) -> None:
    assert output.decimal_text(Decimal(value)) == text


@pytest.mark.parametrize(
    ("column", "value", "plain"),
    [
        ("month", pd.Timestamp("2025-03-01"), "2025-03"),
        ("reading_date", pd.Timestamp("2025-03-01"), "2025-03-01"),
        ("posted_at", pd.Timestamp("2025-05-03T10:00:00.000001", tz="UTC"), "2025-05-03T10:00:00.000001Z"),
        ("posted_at", datetime(2025, 5, 3, 12, tzinfo=UTC), "2025-05-03T12:00:00.000000Z"),
        ("posted_at", pd.NaT, None),
        ("racks", np.int64(3), 3),
        ("racks", pd.NA, None),
        ("late", np.bool_(True), True),
        ("note", float("nan"), None),
        ("note", None, None),
    ],
)
def test_values_are_plain(column: str, value: Any, plain: Any) -> None:
    assert output.plain(value, column) == plain


def test_times_of_other_zones_are_told_in_utc() -> None:
    local = pd.Timestamp("2025-05-03T10:00:00", tz="America/New_York")
    assert output.plain(local, "posted_at") == "2025-05-03T14:00:00.000000Z"


FRAME = pd.DataFrame(
    {
        "month": pd.to_datetime(["2025-03-01", "2025-04-01"]).as_unit("us"),
        "name": ['Smith, "Jo"\nLtd', "<b>Ümlaut [bold]x[/bold]"],
        "revenue_cents": pd.array([123456, None], dtype="Int64"),
        "kwh": pd.Series([Decimal("9007199254740993.000001"), None], dtype=object),
        "late": [True, False],
    }
)


def test_csv_is_read_back_by_a_csv_reader() -> None:
    text = shown(FRAME, Format.CSV)
    assert "\r" not in text
    assert list(csv.reader(io.StringIO(text))) == [
        ["month", "name", "revenue_cents", "kwh", "late"],
        ["2025-03", 'Smith, "Jo"\nLtd', "123456", "9007199254740993.000001", "true"],
        ["2025-04", "<b>Ümlaut [bold]x[/bold]", "", "", "false"],
    ]


def test_json_is_read_back_with_every_digit() -> None:
    rows = json.loads(shown(FRAME, Format.JSON), parse_float=Decimal)
    assert rows[0] == {
        "month": "2025-03",
        "name": 'Smith, "Jo"\nLtd',
        "revenue_cents": 123456,
        "kwh": Decimal("9007199254740993.000001"),
        "late": True,
    }
    assert rows[1] | {"name": ""} == {"month": "2025-04", "name": "", "revenue_cents": None, "kwh": None, "late": False}


@pytest.mark.parametrize(("chosen", "text"), [(Format.CSV, "month,name,revenue_cents,kwh,late\n"), (Format.JSON, "[\n]\n")])
def test_no_rows_are_no_rows(chosen: Format, text: str) -> None:
    assert shown(FRAME.head(0), chosen) == text


def test_a_table_shows_dollars_and_takes_no_name_for_markup() -> None:
    frame = pd.DataFrame({"name": ["[bold]x[/bold]", "y", "z"], "margin_cents": [123456789, -5, 0]})
    text = shown(frame, Format.TABLE)
    assert "[bold]x[/bold]" in text
    assert "1,234,567.89" in text
    assert "(0.05)" in text
    assert "0.00" in text


def test_a_pipe_gets_csv_by_default() -> None:
    stream = io.StringIO()
    output.show(pd.DataFrame({"a": [1]}), None, stream)
    assert stream.getvalue() == "a\n1\n"


def test_a_wide_table_keeps_every_figure_readable() -> None:
    frame = pd.DataFrame({f"component_{number}_cents": [123456789 + number] for number in range(30)} | {"why": ["word " * 60]})
    text = shown(frame, Format.TABLE)
    for number in range(30):
        assert f"1,234,567.{89 + number}" in text or f"1,234,568.{number - 11:02d}" in text


def test_a_sparse_table_leaves_out_what_has_no_value_and_a_program_still_gets_every_column() -> None:
    frame = pd.DataFrame({"month": ["2025-03"], "margin_cents": pd.array([None], dtype="Int64"), "why": [""]})
    texts = {}
    for chosen in Format:
        stream = io.StringIO()
        output.show(frame, chosen, stream, sparse=True)
        texts[chosen] = stream.getvalue()
    assert "margin" not in texts[Format.TABLE]
    assert "why" in texts[Format.TABLE]
    assert texts[Format.CSV].splitlines()[0] == "month,margin_cents,why"
    assert "margin_cents" in texts[Format.JSON]


class Terminal(io.StringIO):
    """A terminal as wide as the environment says."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("window", [80, 120])
def test_on_a_terminal_a_table_fits_and_what_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setenv("COLUMNS", str(window))
    columns = {f"component_{number}_cents": [123456789 + number] for number in range(12)}
    stream = Terminal()
    left_out = output.show(pd.DataFrame({"month": ["2025-03"], "why": ["word " * 60]} | columns), None, stream)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= window
    held = [name for name in columns if name not in left_out]
    assert left_out == list(columns)[len(held) :]
    assert [f"component_{number}" for number in range(len(held))] == [word for word in lines[0].split() if "component" in word]
    assert left_out
    wide = Terminal()
    assert output.show(pd.DataFrame(columns), Format.TABLE, wide) == []


def test_two_columns_never_stand_under_one_name() -> None:
    text = shown(pd.DataFrame({"cause": ["late"], "cause_cents": [-34583543]}), Format.TABLE)
    assert text.splitlines()[0].split() == ["cause", "cause", "amount"]
    assert "(345,835.43)" in text


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("cloud_cost", ["264939.849766792702", "1"], ["264,939.85", "1.00"]),
        ("energy_rate", ["0.118250", "0.09"], ["0.118250", "0.090000"]),
        ("kwh", ["12.5", "-3.25"], ["12.500", "-3.250"]),
        ("variance_pct", ["0.014685", "-1"], ["1.5 %", "-100.0 %"]),
    ],
)
def test_rates_shares_and_totals_are_shown_with_places_that_say_something(name: str, values: list[str], told: list[str]) -> None:
    lines = shown(pd.DataFrame({name: pd.Series([Decimal(value) for value in values], dtype=object)}), Format.TABLE)
    assert [line.strip() for line in lines.splitlines()[2:]] == told


def test_a_terminal_is_shown_what_hides_or_moves_the_cursor_as_its_number() -> None:
    text = shown(pd.DataFrame({"name": ["\x1b[31mred\u202etxt\u200b"]}), Format.TABLE)
    assert "<U+001B>[31mred<U+202E>txt<U+200B>" in text
    assert "\x1b" not in text
    assert output.seen("Zoë Ünal\u00a0GmbH\n日本 ☎\ufe0f") == "Zoë Ünal\u00a0GmbH\n日本 ☎\ufe0f"
    # Letters and marks that are drawn as nothing: two customers would look like one.
    assert output.seen("Acme\u3164 \u2800A\ufe0fB\u034f") == "Acme<U+3164> <U+2800>A<U+FE0F>B<U+034F>"


def test_safe_cells_hold_nothing_that_a_spreadsheet_runs_and_numbers_stay_numbers() -> None:
    frame = pd.DataFrame({"name": ["=1+1", "+x", "-x", "@x", "\tx", "plain", None], "margin_cents": [-5, 1, 2, 3, 4, 5, 6]})
    stream = io.StringIO()
    output.show(frame, Format.CSV, stream, safe_cells=True)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert [row["name"] for row in rows] == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "plain", ""]
    assert rows[0]["margin_cents"] == "-5"
    assert "\n=1+1," in shown(frame, Format.CSV)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_no_text_makes_a_row_of_a_csv_file(end: str) -> None:
    stream = io.StringIO()
    forged = f"Acme{end}=1+1"
    output.write_csv([{"name": forged, "cents": 5}], ["name", "cents"], stream)
    assert stream.getvalue() == f'name,cents\n"{forged}",5\n'
