"""Small files that went wrong elsewhere: what becomes of each on its way through a mapping into the store."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.landing.conversion import apply_mapping, check, land_converted
from revenue_integrity.landing.datasets import read_corrections
from revenue_integrity.landing.mapping import load_mapping
from revenue_integrity.landing.zone import land
from revenue_integrity.settings import Settings
from revenue_integrity_tests.landing.support import BY_NAME, Store, put
from revenue_integrity_tests.support import SHIPPED

FAULTS = Path(__file__).parent.parent / "fixtures" / "faults"
READINGS = SHIPPED.source("colocation", "meter_readings")

GOOD = {
    # case: the amounts that land
    "unicode_minus_plain": ["-100.00"], "nbsp_thousands": ["1234.56"] * 2, "nbsp_thousands2": ["1234.56"], "swiss": ["1234.50"],
    "crdr": ["100.00"], "acct_zero": ["-0.00", "-1234.50"], "mixed_neg": ["-5.00"], "sci_amount": ["1.2345E+3", "1.2E-1", "6E2"],
    "sci_amount_dec": ["1.2345E+3", "6E2"], "sep_line": ["600.00"], "nl_in_cell": ["600.00"] * 2, "cr_only": ["600.00"] * 2,
    "mixed_eol": ["600.00"] * 3, "utf16": ["600.00"], "stray_quote": ["600.00"] * 2, "p_dateonly": ["600.00"],
    "currency": [], "excel_serial": [], "m_excel": [], "m_period": [], "p_epoch": [], "empty_qty": [],
}  # fmt: skip
WOULD_READ = {
    # case: what its refused rows are told
    "unicode_minus_plain": 'minus = "\u2212"', "swiss": 'thousands = "\'\u2019"', "crdr": 'signs = { CR = "-", DR = "+" }',
    "nbsp_thousands": 'thousands = " \u00a0"', "currency": 'currency = ["$"]', "acct_zero": 'zero = ["-"]',
    "mixed_neg": 'negative = ["parentheses", "leading"]', "excel_serial": 'format = "excel"', "m_excel": 'format = "MMM-YY"',
    "m_period": 'format = "0MM.YYYY"', "p_epoch": 'format = "epoch"', "date_time": 'format = "YYYY-MM-DD HH:mm:ss"',
    "oracle_date": 'format = "DD-MMM-YY"', "m_date": 'format = "YYYY-MM"', "m_name": 'format = "MMM YYYY"',
    "usdate": 'format = "DD/MM/YYYY"',
}  # fmt: skip


def read(case: str, tmp_path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the amounts of the rows of a case that would land, and why others would not."""
    folder = FAULTS / "csv" / case
    mapping = load_mapping(folder / "m.toml", SHIPPED.source)
    preview = check(mapping, folder / "f.csv", tmp_path / "converted", Settings(home=tmp_path, currency="USD"))
    bad = {int(reason.split(":")[0].removeprefix("row ")) for reason in preview.reasons}
    return [amount for number, amount in enumerate(preview.first_rows["amount"], 1) if number not in bad], preview.reasons


@pytest.mark.parametrize("case", GOOD)
def test_a_dialect_is_read_as_declared_and_nothing_else_of_it(tmp_path: Path, case: str) -> None:
    assert read(case, tmp_path)[0] == GOOD[case]


@pytest.mark.parametrize("case", WOULD_READ)
def test_a_refused_dialect_names_the_declaration_that_reads_it(tmp_path: Path, case: str) -> None:
    reasons = read(case, tmp_path)[1]
    assert any(WOULD_READ[case] in reason and "would read it" in reason for reason in reasons), reasons


REST = {
    # case: the amounts that land, and what is told of each row that does not
    "blank_rows": (["600.00"], ["document_id is empty; line_no is empty; "]),
    "excel_text": (["600.00"], []),
    "footer_short": (["600.00"], ["document_id is empty (1 fields, the header has 13: *** End of report ***); line_no is empty"]),
    "footer_short2": (["600.00"], ["document_id is empty (1 fields, the header has 13: Records: 1); line_no is empty"]),
    "ids_float": (["600.00"], []), "lead_zero": (["600.00"] * 2, []), "nbsp_header": (["600.00"], []),
    "indian": (["1234.00"], ['grouping = "indian" would read it'] * 2),
    "m_sap": (["600.00"], ["service_month '20253' is not a month YYYY-MM (not written as YYYYMM)"]),
    "p_ampm": (["600.00"] * 2, ["posted_at '3/31/2025 14:05 PM' is not an ISO-8601 timestamp to the microsecond (not written"]),
    "p_frac": (["600.00"] * 2, ["posted_at '2025-03-31T14:05:00.1234567Z' is not an ISO-8601 timestamp to the microsecond"]),
    "sapdate": (["600.00"], ["invoice_date '2025331' is not a date YYYY-MM-DD (not written as YYYYMMDD)"]),
    "sci_ids": (["600.00", "700.00"], []),
    "totals_row": (["600.00"], ['line_no is empty (columns.line_no.default = "..." would fill it); document_type is empty']),
    "trailing_delim": (["600.00"] * 2, []),
    "unicode_minus": (["-100.00"], ['minus = "\u2212" would', 'minus = "\u2013" would', 'minus = "\uff0d" would']),
    "usdate2": (["600.00"] * 2, ['format = "DD/MM/YYYY" would read it']),
    "utf16le_bom": (["600.00"], []), "zero_width": (["600.00"], []),
    "empty_qty": ([], ['quantity is empty (columns.quantity.default = "..." would fill it); unit_price is empty']),
    "currency": ([], ['currency = ["$"] would', 'currency = ["USD"] would', 'currency = ["USD"] would']),
}  # fmt: skip
REFUSED = {
    # case: what is told of the file
    "yy": "century = 20", "yy2": "century = 20", "dup_header": "lacks the column Price",
    "case_header": r'columns = { ... = "DOC" } would read it', "sep_line_noskip": "skip = 1 would read it",
}  # fmt: skip


def test_every_dialect_of_the_cases_is_asserted() -> None:
    asserted = {*GOOD, *WOULD_READ, *REST, *REFUSED}
    assert asserted == {each.name for each in (FAULTS / "csv").iterdir() if each.is_dir()}


@pytest.mark.parametrize("case", REST)
def test_the_rest_of_a_dialect_is_read_or_told(tmp_path: Path, case: str) -> None:
    amounts, told = REST[case]
    good, reasons = read(case, tmp_path)
    assert good == amounts
    assert len(reasons) == len(told)
    assert all(each in reason for each, reason in zip(told, reasons, strict=True)), reasons


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_refused_names_the_declaration_that_reads_it(tmp_path: Path, case: str) -> None:
    with pytest.raises((LandingError, UsageError), match=re.escape(REFUSED[case])):
        read(case, tmp_path)


@pytest.mark.parametrize(
    ("declared", "content", "told"),
    [
        ("", "Doc;Line;Month\nD1;1;2025-03\n", 'delimiter = ";" would read it'),
        ("", "Report of March\n\nDoc\tLine\tMonth\nD1\t1\t2025-03\n", 'delimiter = "\\t", skip = 2 would read it'),
        ("skip = 1", "Doc,Line,Month\nD1,1,2025-03\n", "skip = 0 would read it"),
        (
            'encoding = "utf-8"',
            "Doc,Line,Month\nD\u00e4,1,2025-03\n".encode("windows-1252"),
            'encoding = "windows-1252" would read it',
        ),
        ('encoding = "ascii"', "Doc,Line,Month\nD\u00e4,1,2025-03\n".encode(), 'encoding = "utf-8" would read it'),
        ("", "Doc,Line,Month\n".encode("utf-16"), 'encoding = "utf-16" would read it'),
    ],
)
def test_what_is_declared_of_the_file_otherwise_than_it_is_is_told(
    tmp_path: Path, declared: str, content: str | bytes, told: str
) -> None:
    text = f'stream = "colocation"\nsource = "erp_control_totals"\n[file]\n{declared}\n[columns]\nservice_month = "Month"\n'
    (tmp_path / "m.toml").write_text(f'{text}lines = "Line"\namount = "Doc"\n[fixed]\nextracted_at = "2025-04-01T00:00:00Z"\n')
    (tmp_path / "f.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    mapping = load_mapping(tmp_path / "m.toml", SHIPPED.source)
    with pytest.raises(LandingError, match=re.escape(told)):
        apply_mapping(mapping, [tmp_path / "f.csv"], tmp_path / "converted")


@pytest.mark.parametrize("case", ["yy", "yy2"])
def test_a_year_of_two_digits_needs_its_century(tmp_path: Path, case: str) -> None:
    with pytest.raises(Exception, match="needs century"):
        read(case, tmp_path)


@pytest.mark.parametrize("case", ["case_header", "dup_header", "sep_line_noskip"])
def test_a_file_without_the_columns_is_refused_and_says_which_it_has(tmp_path: Path, case: str) -> None:
    with pytest.raises(LandingError, match=r"lacks the column.*it has:"):
        read(case, tmp_path)


def test_a_final_substitution_beats_an_actual_and_is_beaten_by_none(store: Store, tmp_path: Path) -> None:
    text = (FAULTS / "nem" / "m.toml").read_text(encoding="utf-8")
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    mapping = load_mapping(tmp_path / "m.toml", SHIPPED.source)
    for name in ("actual_first", "revised"):
        land_converted(store.settings, mapping, READINGS, [FAULTS / "nem" / f"{name}.csv"])
    store.ingest()
    found = store.rows("""
        select strftime(reading_date, '%Y-%m-%d'), kwh, read_type from raw.meter_readings
        where row_status = 'surviving' and meter_id = 'NEM1200001-E1' order by all
    """)
    # 24 hours of 8 kWh as a final substitution instead of 10 as read; 24 of 10 that stay although 12 were read later.
    assert found == [("2025-03-05", Decimal(192), "final"), ("2025-03-06", Decimal(240), "final")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("says15_has5", "which are not 96 intervals"), ("says5_has15", "which are not 288 intervals")],
)
def test_a_day_with_other_intervals_than_its_stream_says_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    mapping = load_mapping(FAULTS / "nem" / "m.toml", SHIPPED.source)
    preview = check(mapping, FAULTS / "nem" / f"{name}.csv", tmp_path / "converted", Settings(home=tmp_path))
    assert (preview.rows, preview.quarantined) == (1, 1)
    assert reason in preview.reasons[0]


def test_a_nem12_file_without_begin_and_end_is_refused(tmp_path: Path) -> None:
    mapping = load_mapping(FAULTS / "nem" / "m.toml", SHIPPED.source)
    with pytest.raises(LandingError, match="does not begin with 100,NEM12"):
        apply_mapping(mapping, [FAULTS / "nem" / "no_100_900.csv"], tmp_path)


def test_intervals_of_a_day_that_are_not_added_up_are_told_and_by_declaration_they_add_up(tmp_path: Path) -> None:
    plain = (FAULTS / "gb" / "pge.toml").read_text(encoding="utf-8")
    path, file = tmp_path / "m.toml", FAULTS / "gb" / "pge.csv"
    path.write_text(plain, encoding="utf-8")
    told = check(load_mapping(path, SHIPPED.source), file, tmp_path / "one", Settings(home=tmp_path)).doubts
    assert any("rows claim this key and differ" in each for each in told)
    group = '\n[group]\nby = ["meter_id", "reading_date"]\nsum = ["kwh"]\nmax = ["peak_kw"]\ncount = [23, 24, 25]\n'
    path.write_text(plain + group, encoding="utf-8")
    preview = check(load_mapping(path, SHIPPED.source), file, tmp_path / "two", Settings(home=tmp_path))
    lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()[6:] if line]
    expected = {day: sum(Decimal(line[4]) for line in lines if line[1] == day) for day in {line[1] for line in lines}}
    found = {row.reading_date: Decimal(row.kwh) for row in preview.first_rows.itertuples()}
    assert found == expected
    assert not preview.doubts


@pytest.mark.parametrize(
    ("source", "file", "told"),
    [
        ("erp_invoices", "e2/excel_damaged_ids.csv", "an identifier that a spreadsheet took for a number"),
        ("meter_readings", "e2/hourly_rows.csv", "24 rows claim this key and differ"),
    ],
)
def test_what_looks_wrong_is_told_at_landing(tmp_path: Path, source: str, file: str, told: str) -> None:
    assert any(told in each for each in land(Settings(home=tmp_path), BY_NAME[source], [FAULTS / file]).doubts)


@pytest.mark.parametrize(
    ("source", "file", "key"),
    [
        ("erp_invoices", "e1/reused_number.csv", {"document_id": "INV1A", "line_no": 1}),
        ("power_bills", "e7/second_account.csv", {"site_id": "S-1", "account_id": "MAIN", "month": "2025-03-01"}),
    ],
)
def test_a_key_that_a_later_batch_uses_for_other_content_is_listed_with_both(
    store: Store, source: str, file: str, key: dict[str, object]
) -> None:
    first, later = "20250410T000000Z", "20250420T000000Z"
    put(store.landing, source, first, (FAULTS / "base" / f"{source}.csv").read_bytes())
    put(store.landing, source, later, (FAULTS / file).read_bytes())
    store.ingest()
    (found,) = read_corrections(store.connection, "colocation").to_dict(orient="records")
    assert json.loads(found["key"]) == key
    assert (found["batch_id"], found["earlier_batch_id"]) == (f"colocation/{source}/{later}", f"colocation/{source}/{first}")
    assert not found["is_same_batch"]
