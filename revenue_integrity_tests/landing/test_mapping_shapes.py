"""Foreign files in other containers, and rows that become several or one: workbooks, archives, periods of service, intervals.

Belongs here: what a mapping makes of whole rows and files. Does not belong here: the text of one value
(``test_mapping_dialects``).
"""

import gzip
import io
import zipfile
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.landing.conversion import apply_mapping, readable
from revenue_integrity.landing.mapping import load_mapping
from revenue_integrity.landing.reading.inspection import inspect
from revenue_integrity_tests.support import SHIPPED

SITES = """
stream = "colocation"
source = "sites"
[file]
{file}
[columns]
site_id = "Site"
site_name = "Name"
capacity_kw = {{ from = "kW", decimal = "." }}
[fixed]
region = "R"
timezone = "UTC"
"""

ROWS = "Site,Name,kW\nS-1,One,12.50\nS-2,Two,7\n"


def converted(folder: Path, mapping: str, content: bytes, file_name: str = "f.csv") -> list[dict[str, str | None]]:
    """Return the rows that land of a file."""
    (folder / "m.toml").write_text(mapping, encoding="utf-8")
    (folder / file_name).write_bytes(content)
    done = apply_mapping(load_mapping(folder / "m.toml", SHIPPED.source), [folder / file_name], folder / "converted")
    found = duckdb.sql(readable(done.files[0]))
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def workbook(*sheets: tuple[str, list[list[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def archive(**files: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as out:
        for file_name, content in files.items():
            out.writestr(file_name.replace("MACOSX", "__MACOSX/sites"), content)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("content", "file_name"),
    [
        (ROWS.encode(), "f.csv"),
        (gzip.compress(ROWS.encode(), mtime=0), "f.csv.gz"),
        (gzip.compress(ROWS.encode(), mtime=0), "really_gzip.csv"),
        (archive(sites=ROWS), "f.zip"),
        (archive(sites=ROWS, MACOSX="x"), "really_zip.csv"),
    ],
    ids=["plain", "gzip", "gzip by content", "zip", "zip by content"],
)
def test_a_file_is_opened_by_what_it_is(tmp_path: Path, content: bytes, file_name: str) -> None:
    rows = converted(tmp_path, SITES.format(file=""), content, file_name)
    assert [(row["site_id"], row["capacity_kw"]) for row in rows] == [("S-1", "12.50"), ("S-2", "7")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive(a=ROWS, b=ROWS), r"an archive of 2 files, not of one \(a, b\)"),
        (workbook(("North", [["Site"]]), ("South", [["Site"]])), r'file.format = "xlsx" and file.sheet \(it has: North, South\)'),
        (gzip.compress(ROWS.encode(), mtime=0)[:-9], "cannot be read"),
        (archive(a=ROWS)[:-30], "not a readable zip"),
    ],
    ids=["two files", "workbook", "cut gzip", "cut zip"],
)
def test_a_file_that_cannot_be_opened_says_what_would_read_it(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(LandingError, match=reason):
        converted(tmp_path, SITES.format(file=""), content)


SHEET = [
    ["Report of sites"],
    [],
    ["Site", "Name", "kW"],
    ["S-1", "One", 12.5],
    [],
    ["S-2", 42, 7],
    ["S-3", "Three", 0.123456789012345],
]


@pytest.mark.parametrize("file_name", ["f.xlsx", "f.csv"])
def test_the_named_sheet_of_a_workbook_lands(tmp_path: Path, file_name: str) -> None:
    content = workbook(("Notes", [["nothing"]]), ("Sites", SHEET))
    rows = converted(tmp_path, SITES.format(file='format = "xlsx"\nsheet = "Sites"\nskip = 2'), content, file_name)
    assert [(row["site_id"], row["site_name"], row["capacity_kw"]) for row in rows] == [
        ("S-1", "One", "12.5"), ("S-2", "42", "7"), ("S-3", "Three", "0.123456789012345 (round = 6 would read it)"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ('format = "xlsx"', workbook(("A", SHEET), ("B", SHEET)), r"several sheets, and file.sheet names none \(it has: A, B\)"),
        ('format = "xlsx"\nsheet = "C"', workbook(("A", SHEET)), r"no sheet C \(it has: A\)"),
        ('format = "xlsx"', ROWS.encode(), "is no workbook"),
        ('format = "xlsx"\nskip = 9', workbook(("A", SHEET)), "no header row"),
        ('format = "xlsx"', workbook(("A", SHEET)), "lacks the columns Site, Name, kW"),
    ],
    ids=["two sheets", "no such sheet", "no workbook", "no header", "no columns"],
)
def test_a_workbook_that_is_not_as_declared_is_refused(tmp_path: Path, file: str, content: bytes, reason: str) -> None:
    with pytest.raises(LandingError, match=reason):
        converted(tmp_path, SITES.format(file=file), content)


def test_days_moments_and_wide_rows_of_a_workbook(tmp_path: Path) -> None:
    mapping = """
    stream = "colocation"
    source = "rack_assignments"
    file = { format = "xlsx" }
    [columns]
    site_id = "Site"
    rack_id = "Rack"
    contract_id = "Contract"
    installed_on = "From"
    rated_kw = "kW"
    """
    header = ["Site", "Rack", "Contract", "From", "kW"]
    rows = [
        ["S", 7.0, "C", date(2025, 3, 1), 1],
        ["S", 8, "C", datetime.fromisoformat("2025-03-01T12:00:00"), 1],
        ["S", 9, "C", date(2025, 3, 1), 1, "?"],
    ]
    found = converted(tmp_path, mapping, workbook(("A", [header, *rows])), "f.xlsx")
    assert [row["installed_on"] for row in found] == [
        "2025-03-01",
        '2025-03-01T12:00:00 (format = "YYYY-MM-DDTHH:mm:ss" would read it)',
        None,
    ]
    assert [row["rack_id"] for row in found] == ["7", "8", None]
    assert found[2]["mapping_problem"] == "6 cells, the header has 5: ?"


@pytest.mark.parametrize(
    ("file_name", "content", "reason"),
    [
        ("f.csv", workbook(("A", SHEET)), 'is a workbook, not CSV: land it with a mapping (file.format = "xlsx")'),
        ("f.csv", gzip.compress(ROWS.encode(), mtime=0), "is gzip: name it f.csv.gz"),
        ("f.csv", archive(a=ROWS), "is a zip archive, not CSV: land it with a mapping"),
        ("f.xlsx", workbook(("A", SHEET)), 'is a workbook, not CSV: land it with a mapping (file.format = "xlsx")'),
    ],
    ids=["workbook", "gzip", "zip", "workbook by name"],
)
def test_a_file_without_mapping_says_what_it_is(tmp_path: Path, file_name: str, content: bytes, reason: str) -> None:
    (tmp_path / file_name).write_bytes(content)
    assert reason in inspect(tmp_path / file_name).problem


# -- periods of service

BILLS = """
stream = "colocation"
source = "power_bills"
[columns]
bill_id = "Bill"
site_id = "Site"
kwh = "kWh"
energy_charge = "Energy"
demand_charge = "Demand"
fixed_charge = "Fixed"
tax = "Tax"
total = "Total"
issued_on = "Issued"
[fixed]
bill_version = "1"
status = "final"
currency = "USD"
[spread]
from = "From"
to = "To"
columns = ["kwh", "energy_charge", "demand_charge", "fixed_charge", "tax"]
totals = { total = ["energy_charge", "demand_charge", "fixed_charge", "tax"] }
"""

BILL = {
    "Bill": "B1", "Site": "S-1", "kWh": "1000", "Energy": "100.00", "Demand": "0", "Fixed": "0.01", "Tax": "10.00",
    "Total": "110.01", "Issued": "2025-03-20", "From": "2025-01-16", "To": "2025-03-15",
}  # fmt: skip


def csv_of(*rows: Mapping[str, str]) -> bytes:
    return "\n".join([",".join(BILL), *(",".join((BILL | row).values()) for row in rows), ""]).encode()


def test_a_bill_of_several_months_is_split_by_days(tmp_path: Path) -> None:
    rows = converted(tmp_path, BILLS, csv_of({}))
    # 16 days of January, 28 of February, 15 of March: 59. 1000 * 16/59 = 271.186440..., 474.576271..., 254.237288...
    assert [(row["service_month"], row["kwh"]) for row in rows] == [
        ("2025-01", "271.186441"), ("2025-02", "474.576271"), ("2025-03", "254.237288"),
    ]  # fmt: skip
    # 10000 cents: 2711.86, 4745.76, 2542.37: the two cents that are left go to .86 and .76.
    assert [row["energy_charge"] for row in rows] == ["27.12", "47.46", "25.42"]
    assert [row["fixed_charge"] for row in rows] == ["0.00", "0.01", "0.00"]
    assert [row["tax"] for row in rows] == ["2.71", "4.75", "2.54"]
    assert [row["total"] for row in rows] == ["29.83", "52.22", "27.96"]
    assert {row["foreign_rows"] for row in rows} == {"1"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"To": "2025-01-15"}, "2025-01-16 to 2025-01-15 (no period of service)"),
        ({"To": ""}, "2025-01-16 to  (no period of service)"),
        ({"From": "16.01.2025"}, "16.01.2025 to 2025-03-15 (no period of service)"),
        ({"From": "2015-01-16"}, "(no period of service)"),
    ],
)
def test_a_row_without_a_period_stays_whole_and_says_so(tmp_path: Path, row: dict[str, str], reason: str) -> None:
    (found,) = converted(tmp_path, BILLS, csv_of(row))
    assert str(found["service_month"]).endswith(reason)
    assert (found["kwh"], found["total"]) == ("1000", "110.01")


def test_what_cannot_be_split_exactly_stays_as_it_came(tmp_path: Path) -> None:
    rows = converted(tmp_path, BILLS, csv_of({"Energy": "100.005", "Total": "x"}))
    assert {row["energy_charge"] for row in rows} == {"100.005 (round = 2 would read it)"}
    rows = converted(tmp_path, BILLS, csv_of({"Total": "110.02"}))
    assert {row["total"] for row in rows} == {"110.02 (is not the sum of energy_charge, demand_charge, fixed_charge, tax)"}


def test_an_end_may_be_the_first_day_behind(tmp_path: Path) -> None:
    rows = converted(tmp_path, BILLS.replace('to = "To"', 'to = "To"\nto_is = "exclusive"'), csv_of({"To": "2025-02-01"}))
    assert [(row["service_month"], row["energy_charge"]) for row in rows] == [("2025-01", "100.00")]


@settings(max_examples=25, deadline=None)
@given(
    cents=st.integers(-10**9, 10**9), tax=st.integers(-999, 999), begin=st.dates(date(2023, 11, 1), date(2025, 6, 30)),
    days=st.integers(1, 400),
)  # fmt: skip
def test_parts_add_up_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory, cents: int, tax: int, begin: date, days: int
) -> None:
    end = date.fromordinal(begin.toordinal() + days - 1)
    energy, of_tax = Decimal(cents).scaleb(-2), Decimal(tax).scaleb(-2)
    row = {
        "Energy": f"{energy:f}", "Fixed": "0", "Tax": f"{of_tax:f}", "Total": f"{energy + of_tax:f}", "From": f"{begin}",
        "To": f"{end}",
    }  # fmt: skip
    rows = converted(tmp_path_factory.mktemp("split"), BILLS, csv_of(row))
    assert len({found["service_month"] for found in rows}) == len(rows)
    for column, whole in (("energy_charge", energy), ("tax", of_tax), ("total", energy + of_tax), ("kwh", Decimal(1000))):
        assert sum(Decimal(str(found[column])) for found in rows) == whole
    for found in rows:
        assert Decimal(str(found["energy_charge"])) + Decimal(str(found["tax"])) == Decimal(str(found["total"]))
        # No part is further from its exact share than a cent.
        first = date.fromisoformat(f"{found['service_month']}-01")
        inside = sum(
            first.strftime("%Y-%m") == date.fromordinal(day).strftime("%Y-%m")
            for day in range(begin.toordinal(), end.toordinal() + 1)
        )
        assert abs(Decimal(str(found["energy_charge"])) - energy * inside / days) < Decimal("0.01")


def test_two_accounts_of_a_site_and_bills_across_months_add_up(tmp_path: Path) -> None:
    group = """
    [group]
    by = ["site_id", "service_month"]
    sum = ["kwh", "energy_charge", "demand_charge", "fixed_charge", "tax", "total"]
    max = ["issued_on"]
    """
    second = {
        "Bill": "B2",
        "From": "2025-03-16",
        "To": "2025-03-31",
        "Energy": "10.00",
        "Fixed": "0",
        "Tax": "0",
        "Total": "10.00",
        "kWh": "5",
    }
    rows = converted(tmp_path, BILLS + group, csv_of({}, second | {"Issued": "2025-04-02"}))
    assert [(row["service_month"], row["bill_id"], row["energy_charge"], row["total"], row["issued_on"]) for row in rows] == [
        ("2025-01", "B1", "27.12", "29.83", "2025-03-20"),
        ("2025-02", "B1", "47.46", "52.22", "2025-03-20"),
        ("2025-03", "B1+B2", "35.42", "37.96", "2025-04-02"),
    ]
    assert rows[2]["foreign_rows"] == "1 to 2, 2 rows"


def test_a_line_of_a_period_becomes_a_line_a_month(tmp_path: Path) -> None:
    mapping = """
    stream = "colocation"
    source = "erp_invoices"
    [columns]
    document_id = "Bill"
    line_no = "kWh"
    erp_customer_code = "Site"
    quantity = { from = "Tax", decimal = "." }
    unit_price = "Energy"
    amount = "Total"
    invoice_date = "Issued"
    posted_at = { from = "Issued", format = "YYYY-MM-DD", timezone = "UTC" }
    [fixed]
    document_type = "invoice"
    charge_type = "rack"
    currency = "USD"
    [spread]
    from = "From"
    to = "To"
    columns = ["quantity", "amount"]
    number = "line_no"
    """
    rows = converted(tmp_path, mapping, csv_of({"kWh": "3", "From": "2025-02-01", "To": "2025-03-31", "Total": "590.00"}))
    assert [(row["line_no"], row["service_month"], row["amount"]) for row in rows] == [
        ("301", "2025-02", "280.00"), ("302", "2025-03", "310.00"),
    ]  # fmt: skip


# -- intervals

INTERVALS = """
stream = "colocation"
source = "meter_readings"
[file]
skip = 5
decimal = "."
[columns]
reading_date = "DATE"
kwh = "USAGE (kWh)"
peak_kw = "USAGE (kWh)"
[fixed]
meter_id = "PGE-1"
contract_id = "A"
site_id = "S-1"
read_type = "actual"
[group]
by = ["meter_id", "reading_date"]
sum = ["kwh"]
max = ["peak_kw"]
"""


def pge(*values: str) -> bytes:
    head = 'Name,SAMPLE\nAddress,"1 Sample St, CITY"\nAccount Number,0\nService,S1\n\nTYPE,DATE,START TIME,USAGE (kWh)\n'
    return (
        head + "".join(f"Electric usage,2025-03-0{place // 3 + 1},00:00,{value}\n" for place, value in enumerate(values))
    ).encode()


def test_intervals_of_a_day_add_up(tmp_path: Path) -> None:
    rows = converted(tmp_path, INTERVALS, pge("1.50", "1.60", "0.05", "2", "3", "4"))
    assert [(row["reading_date"], row["kwh"], row["peak_kw"]) for row in rows] == [
        ("2025-03-01", "3.15", "1.6"), ("2025-03-02", "9", "4"),
    ]  # fmt: skip


def test_an_interval_that_is_no_number_makes_its_day_bad_and_no_other(tmp_path: Path) -> None:
    rows = converted(tmp_path, INTERVALS, pge("1.50", "n/a", "0.05", "2", "3", "4"))
    assert str(rows[0]["kwh"]).startswith("n/a (not a number")
    assert rows[1]["kwh"] == "9"


def test_a_day_must_have_as_many_intervals_as_declared(tmp_path: Path) -> None:
    rows = converted(tmp_path, INTERVALS + "count = [3]\n", pge("1", "2", "3", "4"))
    assert [row["kwh"] for row in rows] == ["6", "4 (1 rows in the group, and there must be 3)"]


def test_intervals_may_stand_side_by_side_or_in_one_column(tmp_path: Path) -> None:
    wide = """
    stream = "colocation"
    source = "meter_readings"
    [columns]
    meter_id = "Meter"
    reading_date = { from = "Period", extract = "^(.{10}) " }
    kwh = { sum_of = ["00:00", "00:30"], decimal = "." }
    peak_kw = { max_of = ["00:00", "00:30"], decimal = ".", times = 2 }
    [fixed]
    contract_id = "A"
    site_id = "S-1"
    read_type = "actual"
    """
    content = "Meter,Period,00:00,00:30\nM,2025-03-01 00:00 - 2025-03-02 00:00,1.25,0.5\nM,later,1,x\nM,2025-03-03 x,,\n"
    rows = converted(tmp_path, wide, content.encode())
    assert [(row["reading_date"], row["kwh"], row["peak_kw"]) for row in rows] == [
        ("2025-03-01", "1.75", "2.5"),
        ("later (nothing of it is ^(.{10}) )", "x (not a number with decimal '.')", "x (not a number with decimal '.')"),
        ("2025-03-03", *(f'(columns.{column}.default = "..." would fill it)' for column in ("kwh", "peak_kw"))),
    ]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("[group]\nby = ['meter_id']\nsum = ['site_id']", "group: site_id is no number"),
        ("[group]\nby = ['meter_id', 'kwh']\nsum = ['kwh']", "kwh stands in by, and cannot be combined"),
        ("[group]\nby = ['nothing']", "nothing is no column that the mapping fills"),
        ("[spread]\nfrom = 'A'\nto = 'B'\ncolumns = ['kwh']", "has no service month"),
    ],
)
def test_what_cannot_be_split_or_put_together_is_refused(tmp_path: Path, more: str, reason: str) -> None:
    mapping = INTERVALS.partition("[group]")[0] + more
    with pytest.raises(UsageError, match="mapping") as refused:
        converted(tmp_path, mapping, pge("1"))
    assert reason in str(refused.value)
