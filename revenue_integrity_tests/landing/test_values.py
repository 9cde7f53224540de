"""Each kind of column: what its text means, and why it means nothing."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from revenue_integrity.landing.values import judged, parsed
from revenue_integrity.model.source import Kind, SourceColumn

CONNECTION = duckdb.connect()
CONNECTION.execute("set TimeZone = 'UTC'")


def read(column: SourceColumn, text: str | None) -> tuple[Any, str | None]:
    """Return value and reason of a text; check that what has a reason is suspicious."""
    judgement = judged(column, "text", "USD")
    value, suspicious, reason = CONNECTION.execute(
        f"select {column.stored}, {judgement.suspicious}, {judgement.reason}"
        f" from (select text, {parsed(column, 'text')} as {column.stored} from (select $text::VARCHAR as text))",
        {"text": text},
    ).fetchall()[0]
    assert suspicious or reason is None
    return value, reason


def utc(*parts: int) -> datetime:
    """Return an instant in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc] # -- the parts are never a time zone


DEC = SourceColumn("kwh", "dec", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"), ("1.5", "1.5"), ("-3", "-3"), (" 2 ", "2"), ("\u00a05", "5"), (".5", "0.5"), ("5.", "5"), ("+7", "7"),
        ("0001.500000", "1.5"), ("1.1234560000", "1.123456"), ("999999999999.999999", "999999999999.999999"),
        ("1e3", "1000"), ("1.5e-05", "0.000015"), ("-2E+02", "-200"), ("+.5E1", "5"), ("0E-300", "0"), ("1.50e-5", "0.000015"),
        ("1000000e-12", "0.000001"), ("123456.7E-1", "12345.67"), ("5.e0", "5"), ("-0e0", "0"), ("000.1e+001", "1"),
    ],
)  # fmt: skip
def test_a_decimal_is_read_exactly(text: str, value: str) -> None:
    assert read(DEC, text) == (Decimal(value), None)


@pytest.mark.parametrize(
    "text",
    [
        "1.1234567",
        "1e-07",
        "12,5",
        "abc",
        "nan",
        "inf",
        "-Infinity",
        "1_0",
        "0x10",
        "--5",
        "5-",
        ".",
        "-",
        "1 2",
        "1e99",
    ],
)
def test_what_is_no_decimal_of_six_places_is_refused_and_never_rounded(text: str) -> None:
    assert read(DEC, text) == (None, f"kwh '{text}' is not a decimal number with at most 6 places")


@pytest.mark.parametrize("text", [None, "", "  ", "\t\u3000"])
def test_white_space_is_nothing(text: str | None) -> None:
    assert read(DEC, text) == (None, "kwh is empty")
    assert read(SourceColumn("kwh", "dec", "", required=False), text) == (None, None)


def test_an_optional_value_that_cannot_be_read_is_refused() -> None:
    assert read(SourceColumn("valid_to", "date", "", required=False), "soon") == (
        None,
        "valid_to 'soon' is not a date YYYY-MM-DD",
    )


def test_a_bound_is_kept() -> None:
    assert read(SourceColumn("kwh", "dec", "", ge=0), "-0.000001")[1] == "kwh is negative"
    assert read(SourceColumn("pue_uplift", "dec", "", ge=1), "0.9")[1] == "pue_uplift is below 1"
    assert read(SourceColumn("fee", "money", "", ge=0), "-0.01") == (-1, "fee is negative")


@pytest.mark.parametrize(
    ("text", "cents"), [("10", 1000), ("10.5", 1050), ("-0.01", -1), ("10.0000", 1000), ("9999999999999.99", 999999999999999)]
)
def test_money_is_cents(text: str, cents: int) -> None:
    assert read(SourceColumn("amount", "money", ""), text) == (cents, None)


@pytest.mark.parametrize("text", ["10.005", "abc", "$10", "1,000.00", "99999999999999999.005"])
def test_money_has_two_places(text: str) -> None:
    value, reason = read(SourceColumn("amount", "money", ""), text)
    assert (value, reason) == (None, f"amount '{text}' is not a decimal number with at most 2 places")


@pytest.mark.parametrize(
    ("kind", "text"),
    [("money", "99999999999999999"), ("money", "-10000000000000.00"), ("dec", "1000000000000.5"), ("int", "9223372036854775808")],
)
def test_a_number_beyond_its_column_is_told_from_what_is_no_number(kind: Kind, text: str) -> None:
    assert read(SourceColumn("amount", kind, ""), text) == (None, f"amount '{text}' is larger than the column holds")


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("-3", -3), ("+2", 2), (" 7", 7), ("5.0", 5), ("007", 7), ("1e3", 1000), ("1.20E+01", 12)]
)
def test_a_whole_number_is_read(text: str, value: int) -> None:
    assert read(SourceColumn("racks", "int", ""), text) == (value, None)


@pytest.mark.parametrize("text", ["x", "1.5", "1e-1", "15e-1", "1_000", "٣"])
def test_what_is_no_whole_number_is_refused_and_never_rounded(text: str) -> None:
    assert read(SourceColumn("racks", "int", ""), text) == (None, f"racks '{text}' is not a whole number")


def test_a_date_is_read() -> None:
    column = SourceColumn("day", "date", "")
    assert read(column, "2024-02-29") == (date(2024, 2, 29), None)
    assert read(column, " 2024-01-05 ") == (date(2024, 1, 5), None)


@pytest.mark.parametrize(
    "text",
    [
        "2024-1-5",
        "2024/01/05",
        "20240105",
        "2023-02-29",
        "2025-13-01",
        "0000-01-01",
        "infinity",
        "05-01-2024",
        "2024-01-05T00:00:00",
    ],
)
def test_a_date_is_written_in_one_way(text: str) -> None:
    assert read(SourceColumn("day", "date", ""), text) == (None, f"day '{text}' is not a date YYYY-MM-DD")


def test_a_month_is_its_first_day() -> None:
    column = SourceColumn("service_month", "month", "")
    assert read(column, " 2024-02") == (date(2024, 2, 1), None)
    for text in ("2024-2", "2024-13", "0000-01", "2024-02-01", "2024"):
        assert read(column, text) == (None, f"service_month '{text}' is not a month YYYY-MM")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-05T10:00:00Z", utc(2024, 1, 5, 10)),
        ("2024-01-05t10:00:00z", utc(2024, 1, 5, 10)),
        ("2024-01-05 10:00:00+01", utc(2024, 1, 5, 9)),
        ("2024-01-05T10:00:00+0130", utc(2024, 1, 5, 8, 30)),
        ("2024-01-05T10:00:00-05:00", utc(2024, 1, 5, 15)),
        ("2024-01-05T10:00Z", utc(2024, 1, 5, 10)),
        ("2024-01-05T23:59:59.999999Z", utc(2024, 1, 5, 23, 59, 59, 999999)),
        ("2024-01-05T10:00:00.120000000Z", utc(2024, 1, 5, 10, 0, 0, 120000)),
        (" 2024-01-05T10:00:00Z ", utc(2024, 1, 5, 10)),
    ],
)
def test_an_instant_is_read_in_utc(text: str, instant: datetime) -> None:
    assert read(SourceColumn("posted_at", "ts", ""), text) == (instant, None)


def test_an_instant_without_an_offset_is_no_guess() -> None:
    assert read(SourceColumn("posted_at", "ts", ""), "2024-01-05T10:00:00") == (
        None,
        "posted_at '2024-01-05T10:00:00' has no offset",
    )


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-05",
        "2024-01-05T10:00:00.1234567Z",
        "2024-01-05T25:00:00Z",
        "2024-02-30T10:00:00Z",
        "2024-01-05T10:00:00+25:00",
        "now",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    reason = f"posted_at '{text}' is not an ISO-8601 timestamp to the microsecond"
    assert read(SourceColumn("posted_at", "ts", ""), text) == (None, reason)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("C-00042", "C-00042"),
        ("c 00042", "C-00042"),
        (" c_00042 ", "C-00042"),
        ("c _ 1", "C-1"),
        ("\u00a0a\u3000b", "A-B"),
        ("zäh", "ZÄH"),
    ],
)
def test_an_identifier_is_brought_to_one_form(text: str, value: str) -> None:
    assert read(SourceColumn("contract_id", "id", ""), text) == (value, None)


@pytest.mark.parametrize("text", ["STRANDED", " unassigned", "Unknown"])
def test_a_reserved_identifier_is_refused(text: str) -> None:
    assert read(SourceColumn("contract_id", "id", ""), text)[1] == f"contract_id {text.strip().upper()} is a reserved id"


def test_an_enumerated_value_is_lower_cased() -> None:
    column = SourceColumn("read_type", "enum", "", values=("actual", "estimated"))
    assert read(column, " Actual") == ("actual", None)
    assert read(column, "guessed")[1] == "read_type 'guessed' is none of actual|estimated"


def test_another_currency_is_refused() -> None:
    column = SourceColumn("currency", "currency", "")
    assert read(column, "usd") == ("USD", None)
    assert read(column, "EUR")[1] == "currency is EUR, not USD"
    assert read(SourceColumn("billingcurrency", "currency", ""), "EUR")[1] == "billingcurrency is EUR, not USD"


def test_text_keeps_its_inside() -> None:
    column = SourceColumn("customer_name", "text", "")
    assert read(column, '  Müller, "Söhne"  & Co ') == ('Müller, "Söhne"  & Co', None)
    assert read(column, "two\nlines") == ("two\nlines", None)


def test_a_default_stands_for_an_empty_field() -> None:
    column = SourceColumn("tenant_id", "id", "", default="default")
    assert read(column, None) == ("DEFAULT", None)
    assert read(column, " t 1") == ("T-1", None)


COST = SourceColumn("cost", "dec", "", places=18, digits=38)


def test_more_places_can_be_declared() -> None:
    assert read(COST, "0.00000080000") == (Decimal("0.0000008"), None)
    assert read(COST, "0.000000000000000001") == (Decimal("1e-18"), None)
    assert read(COST, "0.0000000000000000001") == (
        None,
        "cost '0.0000000000000000001' is not a decimal number with at most 18 places",
    )


@pytest.mark.parametrize(
    "text",
    ["7E-10", "4.64752000000E-7", "1.23456789012E-1", "1.123456789012E+1", "25E-11", "1E-18", "12345678901234567890e0", "1.2e19",
     "-99999999999999999999.999999999999999999", "1234567890123456789.0123456789e-8"],
)  # fmt: skip
def test_a_number_in_exponent_form_that_fits_is_that_number(text: str) -> None:
    assert read(COST, text) == (Decimal(text), None)


@pytest.mark.parametrize("text", ["1E-19", "2.7755575615628914e-17", "1e20", "1.5e-300", "1e1000", "1e", "e5", "1e5e5"])
def test_a_number_in_exponent_form_that_does_not_fit_is_refused(text: str) -> None:
    assert read(COST, text)[0] is None


def test_a_time_zone_is_one_that_exists() -> None:
    column = SourceColumn("timezone", "timezone", "")
    assert read(column, "Europe/Berlin") == ("Europe/Berlin", None)
    assert read(column, "Mars/Olympus")[1] == "timezone 'Mars/Olympus' is no IANA time zone"
