"""Each refusal names the declaration that would read the text, and that declaration reads it."""

import re
import tomllib
from pathlib import Path

import duckdb
import pytest

from revenue_integrity.landing import hints, styles
from revenue_integrity.landing.styles import Dates, Numbers
from revenue_integrity.landing.values import quote
from revenue_integrity_tests.landing.test_mapping_dialects import tried

NUMBERS = [
    # declared, text, what is told, what it then is
    ("", "12,5", 'decimal = ","', "12.5"),
    ("", "1.234,50", 'decimal = ",", thousands = "."', "1234.50"),
    ("", "1,234.50", 'decimal = ".", thousands = ","', "1234.50"),
    ("", "1\u00a0234,56", 'decimal = ",", thousands = "\u00a0"', "1234.56"),
    ("", "1 234 567,8", 'decimal = ",", thousands = " "', "1234567.8"),
    ("", "1'234.50", 'decimal = ".", thousands = "\'"', "1234.50"),
    ("", "1\u2019234", 'decimal = ".", thousands = "\u2019"', "1234"),
    ("", "12,34,567.89", 'decimal = ".", thousands = ",", grouping = "indian"', "1234567.89"),
    ("", "5.00-", 'decimal = ".", negative = ["leading", "trailing"]', "-5.00"),
    ("", "(5.00)", 'decimal = ".", negative = ["leading", "parentheses"]', "-5.00"),
    ("", "\u2212100.00", 'decimal = ".", minus = "\u2212"', "-100.00"),
    ("", "-", 'decimal = ".", zero = ["-"]', "0"),
    ("", "$5", 'decimal = ".", currency = ["$"]', "5"),
    ("", "12 USD", 'decimal = ".", currency = ["USD"]', "12"),
    ("", "($1,234.50)", 'decimal = ".", thousands = ",", negative = ["leading", "parentheses"], currency = ["$"]', "-1234.50"),
    ("", "100.00 CR", 'decimal = ".", signs = { CR = "-", DR = "+" }', "-100.00"),
    ("", "100,5H", 'decimal = ",", signs = { H = "-", S = "+" }', "-100.5"),
    ("", "5.005", "round = 2", "5.01"),
    ('decimal = ","', "1.234,5", 'thousands = "."', "1234.5"),
    ('decimal = ","', "1234.56", 'decimal = "."', "1234.56"),
    ('decimal = "."', "12,5", 'decimal = ","', "12.5"),
    ('decimal = ",", thousands = " "', "1\u202f234,5", 'thousands = " \u202f"', "1234.5"),
    ('decimal = ".", negative = "parentheses"', "-5.00", 'negative = ["parentheses", "leading"]', "-5.00"),
    ('decimal = ".", negative = "trailing"', "(5.00)", 'negative = ["trailing", "parentheses"]', "-5.00"),
    ('decimal = ".", thousands = ","', "$1,234.50", 'currency = ["$"]', "1234.50"),
    ('decimal = ".", currency = ["$"]', "EUR 5", 'currency = ["$", "EUR"]', "5"),
    ('decimal = ".", thousands = ","', "12,34,567.89", 'grouping = "indian"', "1234567.89"),
    ('decimal = ".", minus = "\u2212"', "\u2013100", 'minus = "\u2212\u2013"', "-100"),
    ('decimal = "."', "-", 'zero = ["-"]', "0"),
    ('decimal = "."', "5.005", "round = 2", "5.01"),
    ('decimal = "."', "100.00 CR", 'signs = { CR = "-", DR = "+" }', "-100.00"),
    # Marks that change their places, a group that is none of India's, and marks of money of one country.
    ('decimal = ",", thousands = "."', "1,234,567", 'decimal = ".", thousands = ","', "1234567"),
    ('decimal = ".", thousands = ","', "1.234.567", 'decimal = ",", thousands = "."', "1234567"),
    ('decimal = ".", thousands = ",", grouping = "indian"', "100,000", 'grouping = "three"', "100000"),
    ('decimal = ".", thousands = ",", grouping = "indian"', "(5)", 'negative = ["leading", "parentheses"]', "-5"),
    ('decimal = "."', "US$5", 'currency = ["US$"]', "5"),
    ('decimal = ","', "R$ 5,50", 'currency = ["R$"]', "5.50"),
    ("", "5,50 kr", 'decimal = ",", currency = ["kr"]', "5.50"),
    ('decimal = ".", zero = ["-"]', "\u2014", 'zero = ["-", "\u2014"]', "0"),
]  # fmt: skip


def _numbers(declared: str) -> Numbers | None:
    """Return a style as the mapping would have it, given its keys."""
    keys = tomllib.loads("\n".join(re.split(r", (?=[a-z]+ = )", declared)))
    negative = keys.get("negative", "leading")
    keys["negative"] = (negative,) if isinstance(negative, str) else tuple(negative)
    return (
        Numbers(**{key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()}) if declared else None
    )


def _merged(declared: str, told: str) -> str:
    """Return what was declared, and what is told instead of the same key of it."""
    both = {part.split(" = ")[0]: part for part in re.split(r", (?=[a-z]+ = )", f"{declared}, {told}" if declared else told)}
    return ", ".join(both.values())


@pytest.mark.parametrize(("declared", "text", "told", "value"), NUMBERS)
def test_a_refused_number_names_the_declaration_that_reads_it(declared: str, text: str, told: str, value: str) -> None:
    hint = hints.of_numbers(_numbers(declared), 2)(text)
    assert hint.removesuffix(" (or the other way round)") == told
    if told == "round = 2":
        read = styles.rounded(quote(text), 2)
    else:
        style = _numbers(_merged(declared, told))
        assert style is not None
        read = styles.number(quote(text), style)
    assert duckdb.sql(f"select {read}").fetchall() == [(value,)]


@pytest.mark.parametrize(
    "text", ["abc", "12 pieces", "1.2.3,4,5", "0x10", "1,2,3", "$$5", "-(5)", "(-5)", "5.--", "5.00 Dr.", "1.5.", "..5", "5%"]
)
def test_nothing_is_told_of_what_no_declaration_reads(text: str) -> None:
    assert not hints.of_numbers(None, 2)(text)


def test_what_is_told_beside_marks_of_credit_reads_the_text() -> None:
    told = hints.of_numbers(Numbers(".", signs={"CR": "-", "DR": "+"}), 2)
    assert told("5 CHF") == 'signs with "" = "+", currency = ["CHF"]'
    assert told("1,234.5") == 'thousands = ",", signs with "" = "+"'
    # A sign beside marks of credit has no reading.
    assert [told(text) for text in ("-5", "-5 CR", "(5)", "1.5.")] == [""] * 4


def test_a_word_for_nothing_where_a_number_is_needed_asks_for_a_default() -> None:
    assert hints.of_numbers(None, 2)("n/a") == 'empty = ["n/a"]'
    assert hints.of_numbers(None, 2, is_needed=True)("n/a") == 'empty = ["n/a"], default = "..."'


def test_a_number_that_was_read_and_has_too_many_places_is_told_to_be_rounded_alone(tmp_path: Path) -> None:
    rule = '{ from = "Amount", decimal = ",", thousands = "." }'
    for reason in tried(tmp_path, "amount", rule, ["1234,567", "1.234,567", "1,2345", "-5,005"]).reasons:
        assert reason.endswith("is not a decimal number with at most 2 places (round = 2 would read it)")


def test_a_mark_that_may_be_either_is_told_as_both() -> None:
    assert hints.of_numbers(None, 3)("1,234") == 'decimal = ".", thousands = "," or decimal = ","'
    assert hints.of_numbers(None, 2)("1,234") == 'decimal = ".", thousands = "," or decimal = ",", round = 2'


DATES = [
    # column, declared, text, what is told, what it then is
    ("invoice_date", "", "31.03.2025", 'format = "DD.MM.YYYY"', "2025-03-31"),
    ("invoice_date", "", "3/31/2025", 'format = "MM/DD/YYYY"', "2025-03-31"),
    ("invoice_date", "", "20250331", 'format = "YYYYMMDD"', "2025-03-31"),
    ("invoice_date", "", "31-MAR-25", 'format = "DD-MMM-YY", century = 20', "2025-03-31"),
    ("invoice_date", "", "Mar 31, 2025", 'format = "MMM D, YYYY"', "2025-03-31"),
    ("invoice_date", "", "45747", 'format = "excel"', "2025-03-31"),
    ("invoice_date", "", "2025-03-31 00:00:00", 'format = "YYYY-MM-DD HH:mm:ss"', "2025-03-31"),
    ("invoice_date", 'format = "MM/DD/YYYY"', "31.03.2025", 'format = "DD.MM.YYYY"', "2025-03-31"),
    ("invoice_date", 'format = "DD.MM.YYYY"', "2025-03-31", 'format = "YYYY-MM-DD"', "2025-03-31"),
    ("service_month", "", "202503", 'format = "YYYYMM"', "2025-03"),
    ("service_month", "", "003.2025", 'format = "0MM.YYYY"', "2025-03"),
    ("service_month", "", "MAR-25", 'format = "MMM-YY", century = 20', "2025-03"),
    ("service_month", "", "March 2025", 'format = "MMMM YYYY"', "2025-03"),
    ("service_month", 'format = "MM.YYYY"', "2025-03", 'format = "YYYY-MM"', "2025-03"),
    ("posted_at", "", "1743429900", 'format = "epoch"', "2025-03-31T14:05:00.000000Z"),
    ("posted_at", "", "1743429900000", 'format = "epoch_ms"', "2025-03-31T14:05:00.000000Z"),
    ("posted_at", "", "2025-03-31 14:05:00 +0200", 'format = "%Y-%m-%d %H:%M:%S %z"', "2025-03-31T12:05:00.000000Z"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "declared", "text", "told", "value"), DATES)
def test_a_refused_date_names_the_format_that_reads_it(column: str, declared: str, text: str, told: str, value: str) -> None:
    kind = {"invoice_date": "date", "service_month": "month", "posted_at": "ts"}[column]
    keys = tomllib.loads("\n".join(told.split(", century")[0].splitlines()))
    said = Dates(tomllib.loads(declared)["format"]) if declared else None
    assert told in hints.of_dates(kind, said, "")(text).split(" or ")
    dates = Dates(keys["format"], 20 if "century" in told else None)
    read = {"date": styles.day, "month": styles.month}.get(kind)
    sql = read(quote(text), dates) if read else styles.timestamp(quote(text), dates, "UTC", "")
    assert duckdb.sql(f"select {sql}").fetchall() == [(value,)]


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("date", "01/02/2025", 'format = "DD/MM/YYYY" or format = "MM/DD/YYYY"'),
        ("date", "3103", 'format = "DDMM", year = ...'),
        ("ts", "2025-03-31 14:05:00", 'format = "YYYY-MM-DD HH:mm:ss", timezone = ...'),
        ("ts", "31.03.2025 14:05", 'format = "DD.MM.YYYY HH:mm", timezone = ...'),
    ],
)
def test_what_a_person_must_decide_is_told_as_open(kind: str, text: str, told: str) -> None:
    assert hints.of_dates(kind, None, "")(text) == told


def test_reasons_of_refused_rows_end_with_what_would_read_them(tmp_path: Path) -> None:
    amounts = tried(tmp_path, "amount", '"Amount"', ["12,5", "5.005", "abc", "1E1"])
    assert [reason.split(": ", 1)[1] for reason in amounts.reasons] == [
        """amount '12,5' is not a decimal number with at most 2 places (decimal = "," would read it)""",
        "amount '5.005' is not a decimal number with at most 2 places (round = 2 would read it)",
        "amount 'abc' is not a decimal number with at most 2 places",
    ]
    declared = tried(tmp_path, "amount", '{ from = "Amount", decimal = "." }', ["12,5", "5.00-", "abc"])
    plain = "is not a decimal number with at most 2 places"
    assert [reason.split(": ", 1)[1].replace(f"{plain} ", "") for reason in declared.reasons] == [
        """amount '12,5' (not a number with decimal '.'; decimal = "," would read it)""",
        """amount '5.00-' (not a number with decimal '.'; negative = ["leading", "trailing"] would read it)""",
        "amount 'abc' (not a number with decimal '.')",
    ]
    (day,) = tried(tmp_path, "invoice_date", '{ from = "Date", format = "MM/DD/YYYY" }', ["31.03.2025"]).reasons
    assert 'not written as MM/DD/YYYY; format = "DD.MM.YYYY" would read it)' in day
    (word,) = tried(tmp_path, "document_type", '"Type"', ["RE"]).reasons
    assert 'values = { "RE" = one of invoice|credit_memo } would read it' in word
    (unknown,) = tried(tmp_path, "document_type", '{ from = "Type", values = { RE = "invoice" } }', ["GU"]).reasons
    assert 'values = { "..." = "..." } would read it' in unknown
