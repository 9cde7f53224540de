"""How real systems write numbers, dates and identifiers, each read by a declaration, and refused without it.

Belongs here: one value at a time. Does not belong here: whole exports (``test_mapping``), rows split or put together
(``test_mapping_shapes``).
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from revenue_integrity.errors import UsageError
from revenue_integrity.landing.conversion import check
from revenue_integrity.landing.mapping import load_mapping
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import SHIPPED

COLUMNS = {
    "document_id": "Doc", "line_no": "Line", "document_type": "Type", "erp_customer_code": "Cust", "erp_contract_ref": "Ref",
    "service_month": "Month", "charge_type": "Charge", "quantity": "Qty", "unit_price": "Price", "amount": "Amount",
    "currency": "Cur", "invoice_date": "Date", "posted_at": "Posted",
}  # fmt: skip

PLAIN = {
    "Doc": "D1", "Line": "1", "Type": "invoice", "Cust": "E1", "Ref": "REF-A", "Month": "2025-03", "Charge": "rack", "Qty": "2",
    "Price": "300", "Amount": "600.00", "Cur": "USD", "Date": "2025-03-31", "Posted": "2025-04-02T10:00:00Z",
}  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """What became of a value in each row: the text that lands, or why its row would go to quarantine."""

    values: list[object]
    reasons: tuple[str, ...]


def tried(tmp_path: Path, column: str, rule: str, texts: list[str], *, file: str = "", **rows: list[str]) -> Tried:
    """Return how a column lands whose mapping is ``rule``, for each of some texts of its foreign column.

    ``rows`` gives further foreign columns.
    """
    foreign = COLUMNS[column]
    header = [*PLAIN, *(name for name in rows if name not in PLAIN)]
    lines = ["\t".join(header)]
    for place, text in enumerate(texts):
        row = PLAIN | {"Doc": f"D{place}", foreign: text} | {name: values[place] for name, values in rows.items()}
        lines.append("\t".join(row[name] for name in header))
    sample = tmp_path / "f.csv"
    sample.write_text("\n".join(lines) + "\n", encoding="utf-8")
    mapped = {name: f'"{origin}"' for name, origin in COLUMNS.items()} | {column: rule}
    columns = "\n".join(f"{name} = {value}" for name, value in mapped.items())
    text = f'stream = "colocation"\nsource = "erp_invoices"\n[file]\ndelimiter = "\\t"\n{file}\n[columns]\n{columns}\n'
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    preview = check(load_mapping(path, SHIPPED.source), sample, tmp_path / "converted", Settings(home=tmp_path, currency="USD"))
    return Tried(list(preview.first_rows[column]), preview.reasons)


NUMBERS = [
    # declaration, text, what it is
    ('decimal = ","', "-100,00", "-100.00"),
    ('decimal = ",", minus = "\u2212\u2013\uff0d"', "\u2212100,00", "-100.00"),
    ('decimal = ",", minus = "\u2212\u2013\uff0d"', "\uff0d100,5", "-100.5"),
    ('decimal = ",", thousands = " \u00a0\u202f"', "1\u00a0234\u202f567,5", "1234567.5"),
    ('decimal = ",", thousands = " \u00a0\u202f"', "1 234,56", "1234.56"),
    ('decimal = ".", thousands = "\'\u2019"', "1\u2019234.50", "1234.50"),
    ('decimal = ".", thousands = ",", grouping = "indian"', "12,34,567.89", "1234567.89"),
    ('decimal = ".", thousands = ",", grouping = "indian"', "1,234.00", "1234.00"),
    ('decimal = ".", signs = { CR = "-", DR = "+" }', "100.00 CR", "-100.00"),
    ('decimal = ".", signs = { CR = "-", DR = "+" }', "100.00dr", "100.00"),
    ('decimal = ".", signs = { CR = "-", DR = "+" }', "CR 5", "-5"),
    ('decimal = ",", signs = { S = "+", H = "-" }', "100,5H", "-100.5"),
    ('decimal = ".", signs = { CR = "-", "" = "+" }', "7.25", "7.25"),
    ('decimal = ".", thousands = ",", currency = ["$", "USD"]', "$1,234.50", "1234.50"),
    ('decimal = ".", thousands = ",", currency = ["$", "USD"]', "1,234.50 USD", "1234.50"),
    ('decimal = ".", thousands = ",", currency = ["$", "USD"]', "USD 1,234.50", "1234.50"),
    ('decimal = ".", thousands = ",", currency = ["$"]', "-$5.00", "-5.00"),
    ('decimal = ".", currency = ["$"], negative = "parentheses"', "($5.00)", "-5.00"),
    ('decimal = ".", currency = ["$"], negative = "trailing"', "$5.00-", "-5.00"),
    ('decimal = ".", zero = ["-"], negative = "parentheses"', " - ", "0"),
    ('decimal = ".", zero = ["-"], negative = "parentheses"', "(0.00)", "-0.00"),
    ('decimal = ".", negative = ["leading", "trailing", "parentheses"]', "-5.00", "-5.00"),
    ('decimal = ".", negative = ["leading", "trailing", "parentheses"]', "5.00-", "-5.00"),
    ('decimal = ".", negative = ["leading", "trailing", "parentheses"]', "(5.00)", "-5.00"),
    ('decimal = "."', "1.2345E+3", "1.2345E+3"),
    ('decimal = ","', "1,5E1", "1.5E1"),
    ('times = "0.001"', "1234560", "1234.56"),
    ('decimal = ",", times = 1000', "1,5", "1500"),
    ("round = 2", "1.005", "1.01"),
    ("round = 2", "-1.005", "-1.01"),
    ("round = 2", "1.00499999999999999999", "1.00"),
    ("round = 2", "7E-1", "0.70"),
    ('extract = "^=\\"(.*)\\"$"', '="5.10"', "5.10"),
]  # fmt: skip


@pytest.mark.parametrize(("declaration", "text", "value"), NUMBERS)
def test_an_amount_is_read_as_declared(tmp_path: Path, declaration: str, text: str, value: str) -> None:
    found = tried(
        tmp_path, "amount", f'{{ from = "Amount", {declaration} }}', [text.replace('"', '""').join('""') if '"' in text else text]
    )
    assert (found.values, found.reasons) == ([value], ())


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        ('decimal = ","', "\u2212100,00"), ('decimal = ",", thousands = " "', "1\u00a0234,56"), ('decimal = "."', "$5"),
        ('decimal = ".", thousands = ","', "1,23,456.78"), ('decimal = ".", thousands = ",", grouping = "indian"', "123,456,789"),
        ('decimal = ".", signs = { CR = "-", DR = "+" }', "100.00"), ('decimal = ".", signs = { CR = "-" , DR = "+" }', "-5 CR"),
        ('decimal = ".", negative = "parentheses"', "5.00-"), ('decimal = "."', "-"),
        ('decimal = ".", currency = ["$"]', "EUR 5"),
        ('decimal = ".", signs = { CR = "-", DR = "+" }', "CR 5 CR"), ('decimal = "."', "100.00 CR"), ('decimal = "."', "5.005"),
    ],
)  # fmt: skip
def test_an_amount_that_is_not_written_as_declared_is_refused(tmp_path: Path, declaration: str, text: str) -> None:
    found = tried(tmp_path, "amount", f'{{ from = "Amount", {declaration} }}', [text])
    (reason,) = found.reasons
    assert reason.startswith(f"row 1: amount '{text}")


def test_a_sign_of_a_row_changes_only_numbers(tmp_path: Path) -> None:
    rule = '{ from = "Amount", decimal = ".", negate_when = { Type = ["invoice"] } }'
    found = tried(tmp_path, "amount", rule, ["5.00", "-5.00", "x"])
    assert found.values[:2] == ["-5.00", "5.00"]
    assert found.reasons[0].startswith("row 3: amount 'x' is not a decimal number with at most 2 places (not a number")


def test_credit_and_debit_stand_in_two_columns(tmp_path: Path) -> None:
    rule = '{ add = "Haben", subtract = "Soll", decimal = "," }'
    found = tried(
        tmp_path, "amount", rule, [""] * 5, Haben=["5,00", "", "0,00", "7,00", ""], Soll=["", "3,00", "2,50", "1,00", ""]
    )
    assert found.values[:3] == ["5.00", "-3.00", "-2.50"]
    assert [reason.split(":")[0] for reason in found.reasons] == ["row 4", "row 5"]
    assert "both columns have an amount" in found.reasons[0]


DATES = [
    ('format = "DD.MM.YY", century = 20', "31.03.25", "2025-03-31"),
    ('format = "%d-%b-%y", century = 20', "31-MAR-25", "2025-03-31"),
    ('format = "MMM-YY-DD", century = 19', "Mar-99-05", "1999-03-05"),
    ('format = "%d-%b-%Y"', "31-mar-2025", "2025-03-31"),
    ('format = "YYYYMMDD"', "20250331", "2025-03-31"),
    ('format = "M/D/YYYY"', "3/4/2025", "2025-03-04"),
    ('format = "DDMM", year = 2025', "0503", "2025-03-05"),
    ('format = "DD.MM.", year = 2024', "29.02.", "2024-02-29"),
    ('format = "excel"', "45747", "2025-03-31"),
    ('format = "excel"', "45747.0", "2025-03-31"),
    ('format = "excel1904"', "44285", "2025-03-31"),
    ('from = ["Ref", "Cust"], separator = " ", format = "DD.MM.YYYY HH:mm"', None, "2025-03-31"),
]  # fmt: skip


@pytest.mark.parametrize(("declaration", "text", "value"), DATES)
def test_a_date_is_read_as_declared(tmp_path: Path, declaration: str, text: str | None, value: str) -> None:
    if text is None:
        found = tried(tmp_path, "invoice_date", f"{{ {declaration} }}", [""], Ref=["31.03.2025"], Cust=["14:30"])
    else:
        found = tried(tmp_path, "invoice_date", f'{{ from = "Date", {declaration} }}', [text])
    assert (found.values, found.reasons) == ([value], ())


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        ('format = "YYYYMMDD"', "2025331"), ('format = "%d-%b-%Y"', "31-MAR-25"), ('format = "MM/DD/YYYY"', "13/04/2025"),
        ('format = "DDMM", year = 2025', "503"), ('format = "DDMM", year = 2025', "2902"), ('format = "excel"', "45747.5"),
        ('format = "excel"', "60"), ('format = "excel"', "2025-03-31"), ('format = "DD.MM.YY", century = 20', "31.03.2025"),
    ],
)  # fmt: skip
def test_a_date_that_is_not_written_as_declared_is_refused(tmp_path: Path, declaration: str, text: str) -> None:
    found = tried(tmp_path, "invoice_date", f'{{ from = "Date", {declaration} }}', [text])
    (reason,) = found.reasons
    assert reason.startswith(f"row 1: invoice_date '{text}' is not a date YYYY-MM-DD (not written as ")


@pytest.mark.parametrize(
    ("declaration", "text", "value"),
    [
        ('format = "0MM.YYYY"', "003.2025", "2025-03"), ('format = "MMM-YY", century = 20', "MAR-25", "2025-03"),
        ('format = "YYYYMM"', "202503", "2025-03"), ('format = "MMMM YYYY"', "March 2025", "2025-03"),
        ('format = "YYYY-MM-DD"', "2025-03-31", "2025-03"), ('format = "MM/YYYY"', "3/2025", "2025-03"),
        ('format = "MM", year = 2025', "3", "2025-03"), ('format = "excel"', "45747", "2025-03"),
    ],
)  # fmt: skip
def test_a_month_is_read_as_declared(tmp_path: Path, declaration: str, text: str, value: str) -> None:
    found = tried(tmp_path, "service_month", f'{{ from = "Month", {declaration} }}', [text])
    assert (found.values, found.reasons) == ([value], ())


@pytest.mark.parametrize(
    ("declared", "text"), [("YYYYMM", "20253"), ("MM.YYYY", "003.2025"), ("0MM.YYYY", "03.2025"), ("0MM.YYYY", "013.2025")]
)
def test_a_month_that_is_not_written_as_declared_is_refused(tmp_path: Path, declared: str, text: str) -> None:
    found = tried(tmp_path, "service_month", f'{{ from = "Month", format = "{declared}" }}', [text])
    assert found.reasons[0].startswith(f"row 1: service_month '{text}' is not a month YYYY-MM (not written as {declared}")


@pytest.mark.parametrize(
    ("declaration", "text", "value"),
    [
        # Midnight of New York in March is four hours before that of UTC, since the ninth.
        ('format = "YYYY-MM-DD", timezone = "America/New_York"', "2025-03-31", "2025-03-31T04:00:00.000000Z"),
        ('format = "epoch"', "1743429900", "2025-03-31T14:05:00.000000Z"),
        ('format = "epoch_ms"', "1743429900123", "2025-03-31T14:05:00.123000Z"),
        ('format = "excel", timezone = "UTC"', "45747.5", "2025-03-31T12:00:00.000000Z"),
        ('format = "%m/%d/%Y %I:%M %p", timezone = "UTC"', "3/31/2025 12:05 AM", "2025-03-31T00:05:00.000000Z"),
        ('format = "M/D/YYYY h:mm A", timezone = "UTC"', "3/31/2025 2:05 PM", "2025-03-31T14:05:00.000000Z"),
        ('format = "DD.MM.YY HH:mm:ss", century = 20, timezone = "UTC"', "31.03.25 14:05:09", "2025-03-31T14:05:09.000000Z"),
    ],
)  # fmt: skip
def test_an_instant_is_read_as_declared(tmp_path: Path, declaration: str, text: str, value: str) -> None:
    found = tried(tmp_path, "posted_at", f'{{ from = "Posted", {declaration} }}', [text])
    assert (found.values, found.reasons) == ([value], ())


def test_an_instant_is_put_together_of_a_day_and_a_time(tmp_path: Path) -> None:
    rule = '{ from = ["Date", "Time"], separator = " ", format = "YYYY-MM-DD HH:mm", timezone = "Europe/Berlin" }'
    found = tried(tmp_path, "posted_at", rule, [""], Time=["14:05"])
    assert (found.values, found.reasons) == (["2025-03-31T12:05:00.000000Z"], ())


def test_a_key_is_put_together_and_lacks_no_part(tmp_path: Path) -> None:
    rule = '{ from = ["Company", "Number", "Year"] }'
    found = tried(tmp_path, "document_id", rule, ["", ""], Company=["10", "10"], Number=["4711", ""], Year=["2025", "2025"])
    assert found.values[0] == "10-4711-2025"
    assert found.reasons == ("row 2: document_id is empty",)


def test_a_default_stands_where_a_field_is_empty_and_nowhere_else(tmp_path: Path) -> None:
    rule = '{ from = "Qty", decimal = ".", default = "1" }'
    found = tried(tmp_path, "quantity", rule, ["", "3", "x"])
    assert found.values[:2] == ["1", "3"]
    assert len(found.reasons) == 1


@pytest.mark.parametrize(
    ("column", "rule", "words"),
    [
        ("invoice_date", '{ from = "Date", format = "DD.MM.YY" }', "a year of two digits, which needs century"),
        ("invoice_date", '{ from = "Date", format = "DD.MM." }', "tells no year (a year that is the same in all rows is"),
        ("invoice_date", '{ from = "Date", format = "epoch" }', "depends on a time zone"),
        ("posted_at", '{ from = "Posted", format = "YYYY-MM-DD" }', "needs a timezone"),
        ("posted_at", '{ from = "Posted", format = "DD.MM.YYYY h:mm", timezone = "UTC" }', "without AM or PM"),
        ("amount", '{ from = "Amount", minus = "\u2212" }', "needs a decimal mark"),
        ("amount", '{ from = "Amount", add = "Haben" }', "needs one of from, add and subtract, sum_of, max_of"),
        ("document_id", '{ from = "Doc", round = 2 }', "round: for numbers"),
        ("document_id", '{ from = "Doc", extract = "a" }', "needs one group"),
        ("amount", '{ from = "Amount", times = 0.1 }', "no factor"),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_be_meant_is_refused(tmp_path: Path, column: str, rule: str, words: str) -> None:
    with pytest.raises(UsageError, match="mapping") as refused:
        tried(tmp_path, column, rule, ["1"])
    assert words in str(refused.value)


def test_rounding_is_counted(tmp_path: Path) -> None:
    text = 'stream = "colocation"\nsource = "sites"\n[columns]\nsite_id = "S"\ncapacity_kw = { from = "C", round = 1 }\n'
    text += '[fixed]\nsite_name = "S"\nregion = "R"\ntimezone = "UTC"\n'
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    (tmp_path / "f.csv").write_text("S,C\nS-1,1.25\nS-2,1.20\nS-3,1\nS-4,1.2000000001\nS-5,x\n", encoding="utf-8")
    mapping = load_mapping(tmp_path / "m.toml", SHIPPED.source)
    preview = check(mapping, tmp_path / "f.csv", tmp_path / "converted", Settings(home=tmp_path, currency="USD"))
    assert list(preview.first_rows["capacity_kw"]) == ["1.3", "1.2", "1.0", "1.2", "x"]
    assert (preview.rounded, preview.quarantined) == ({"capacity_kw": 2}, 1)


def test_rows_keep_their_order_whatever_is_declared(tmp_path: Path) -> None:
    # Rows keep their order and number whatever is declared: the n-th row of the file is the n-th that lands.
    rule = '{ from = "Amount", decimal = ".", currency = ["$"], signs = { CR = "-", "" = "+" }, times = 2, round = 2 }'
    amounts = [f"${number}.005 CR" for number in range(9)]
    found = tried(tmp_path, "amount", rule, amounts)
    assert found.values == [f"-{2 * number}.01" for number in range(9)]
