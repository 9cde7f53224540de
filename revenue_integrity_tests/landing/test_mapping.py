"""Column mappings: foreign exports land as the contract wants them, and what cannot be converted says why."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

import revenue_integrity
from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.landing.conversion import apply_mapping, check, land_converted, readable
from revenue_integrity.landing.mapping import Mapping, load_mapping
from revenue_integrity.landing.zone import land
from revenue_integrity.settings import Settings
from revenue_integrity_tests.landing.support import Store, put_rows, put_world, row
from revenue_integrity_tests.support import SHIPPED

EXAMPLES = Path(revenue_integrity.__file__).parent / "streams" / "colocation" / "mappings"

ERP_HEADER = (
    "Belegnummer;Position;Belegart;Debitor;Vertragsreferenz;Leistungsmonat;Erlösart;Menge;Einzelpreis;Betrag;Währung;"
    "Belegdatum;Gebucht am;Bezugsbeleg;Buchungstext"
)


def example(name: str) -> Mapping:
    return load_mapping(EXAMPLES / f"{name}.toml", SHIPPED.source)


def declared(tmp_path: Path, text: str) -> Mapping:
    path = tmp_path / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path, SHIPPED.source)


def converted(mapping: Mapping, file: Path, tmp_path: Path, columns: str = "*") -> list[tuple[object, ...]]:
    result = apply_mapping(mapping, [file], tmp_path / "converted")
    return duckdb.sql(f"select {columns} from ({readable(result.files[0])})").fetchall()


def erp_file(tmp_path: Path, *lines: str, encoding: str = "windows-1252") -> Path:
    path = tmp_path / "Rechnungen 2025-03.csv"
    path.write_bytes("\r\n".join([ERP_HEADER, *lines, ""]).encode(encoding))
    return path


def test_an_erp_export_lands_as_the_contract_wants_it(tmp_path: Path) -> None:
    file = erp_file(
        tmp_path,
        "900001;10;RE;Müller;V-1;03/2025;STELL;3,000;1.000,10;3.000,30;USD;02.04.2025;03.04.2025 12:00:00;;Stellplätze, Reihe 4",
        '900002;1;GU;Müller;V-1;03/2025;ENERG;1234,5;0,2;246,90;USD;5.4.2025;01.12.2025 00:30:00;900001;"Gutschrift; ""Kulanz"""',
        "900003;1;RE;E2;;03/2025;SONST;1;12,50-;12,50-;USD;02.04.2025;26.10.2025 02:30:00;;",
        ";Summe;;;;;;;;3.040,90;USD;;;;",
    )  # fmt: skip
    result = apply_mapping(example("erp_invoices"), [file], tmp_path / "converted")
    assert (result.rows, result.left_out) == (3, 1)
    settings = Settings(home=tmp_path / "home", currency="USD")
    landed = land(settings, SHIPPED.source("colocation", "erp_invoices"), result.files)
    assert (landed.rows, landed.quarantined, landed.unknown_columns) == (3, 0, ())
    store = Store(settings.landing_path)
    store.ingest()
    columns = (
        "document_id, line_no, document_type, erp_customer_code, month::VARCHAR, charge_type, quantity, unit_price, amount_cents,"
        " invoice_date::VARCHAR, strftime(timezone('UTC', posted_at), '%c'), corrects_document_id"
    )
    assert store.rows(f"select {columns} from raw.erp_invoices order by row_number") == [
        ("900001", 10, "invoice", "MÜLLER", "2025-03-01", "rack", Decimal(3), Decimal("1000.10"), 300030,
         "2025-04-02", "2025-04-03 10:00:00", None),
        ("900002", 1, "credit_memo", "MÜLLER", "2025-03-01", "energy", Decimal("1234.5"), Decimal("0.2"), -24690,
         "2025-04-05", "2025-11-30 23:30:00", "900001"),
        # 02:30 is shown twice that night: at 00:30 and, the later one, at 01:30 UTC.
        ("900003", 1, "invoice", "E2", "2025-03-01", "other", Decimal(1), Decimal("-12.5"), -1250,
         "2025-04-02", "2025-10-26 01:30:00", None),
    ]  # fmt: skip


def test_what_is_not_written_as_declared_is_quarantined_with_the_reason_and_never_read_otherwise(tmp_path: Path) -> None:
    good = "1;RE;E1;V-1;03/2025;STELL;1;10;10,00;USD;02.04.2025;03.04.2025 12:00:00;;"
    file = erp_file(
        tmp_path,
        "A;" + good,
        "B;" + good.replace("10,00", "1,234.50"),
        "C;" + good.replace("10,00", "10.00"),
        "D;" + good.replace("02.04.2025", "2025-04-02"),
        "E;" + good.replace("02.04.2025", "31.02.2025"),
        "F;" + good.replace("03.04.2025 12", "30.03.2025 02"),
        "G;" + good.replace("RE", "XX"),
        "H;" + good + ";one too many",
        "I;" + good.replace("02.04.2025", "02.04.25"),
    )
    result = apply_mapping(example("erp_invoices"), [file], tmp_path / "converted")
    landed = land(Settings(home=tmp_path / "home"), SHIPPED.source("colocation", "erp_invoices"), result.files)
    assert (landed.rows, landed.quarantined) == (9, 8)
    reasons = dict(reason.split(": ", 1) for reason in landed.reasons)
    name = "Rechnungen 2025-03.parquet row"
    assert reasons[f"{name} 2"].startswith("amount '1,234.50' is not a decimal number with at most 2 places (not a number with")
    assert reasons[f"{name} 3"].startswith("amount '10.00' is not a decimal number with at most 2 places (not a number")
    known = {"2025-04-02": 'format = "YYYY-MM-DD"', "02.04.25": 'format = "DD.MM.YY", century = 20'}
    for number, written in ((4, "2025-04-02"), (5, "31.02.2025"), (9, "02.04.25")):
        would = f"; {known[written]} would read it" if written in known else ""
        said = f"invoice_date '{written}' is not a date YYYY-MM-DD (not written as DD.MM.YYYY{would})"
        assert reasons[f"{name} {number}"] == said
    assert "the clocks skipped it" in reasons[f"{name} 6"]
    assert reasons[f"{name} 7"].startswith(
        "document_type 'XX' is none of invoice|credit_memo (the mapping has no value for it; values"
    )
    preview = check(example("erp_invoices"), file, tmp_path / "sample", Settings(home=tmp_path / "home"))
    assert (preview.rows, preview.quarantined, preview.left_out) == (9, 8, 0)
    assert any(reason.startswith("row 8: ") and "16 fields, the header has 15: H;1;RE" in reason for reason in preview.reasons)
    assert list(preview.first_rows["amount"][:2]) == [
        "10.00",
        """1,234.50 (not a number with decimal ',', thousands '.'; decimal = ".", thousands = "," would read it)""",
    ]


def test_a_repeated_hour_is_refused_unless_the_mapping_says_which_is_meant(tmp_path: Path) -> None:
    text = """
        stream = "colocation"
        source = "erp_control_totals"
        [file]
        timestamp = "YYYY-MM-DD HH:mm"
        timezone = "America/New_York"
        REPEATED
        [columns]
        service_month = "month"
        extracted_at = "at"
        lines = "lines"
        amount = "amount"
    """
    file = tmp_path / "totals.csv"
    file.write_text("month,at,lines,amount\n2025-10,2025-11-02 01:30,1,1.00\n2025-10,2025-11-02 02:30,1,1.00\n")
    expected = {
        "": '2025-11-02 01:30 (the clocks showed it twice; repeated_hour = "earlier" or "later" would read it)',
        "repeated_hour = 'earlier'": "2025-11-02T05:30:00.000000Z",
        "repeated_hour = 'later'": "2025-11-02T06:30:00.000000Z",
    }
    for said, instant in expected.items():
        mapping = declared(tmp_path, text.replace("REPEATED", said))
        assert converted(mapping, file, tmp_path, "extracted_at") == [(instant,), ("2025-11-02T07:30:00.000000Z",)]


def test_a_netbox_export_of_racks_lands_without_the_racks_that_are_not_sold(tmp_path: Path) -> None:
    file = tmp_path / "netbox_racks.csv"
    file.write_text(
        "ID,Name,Site,Location,Tenant,Status,Role,Height,Contract,In service since,Out of service,Rated power (kW),Comments\n"
        '101,R1,s 1,Hall A,One,Active,Colo,42,A,2025-01-01,,8.5,"two\nlines"\n'
        "102,R2,S-1,Hall A,,Active,Colo,42,,,,,\n"
        "103,R3,S-1,Hall A,One,Deprecated,Colo,42,A,2025-01-01,2025-02-28,6,\n"
        "104,R4,S-1,Hall A,One,Planned,Colo,42,A,2025-09-01,,6,\n"
        "105,R5,S-1,Hall A,One,Active,Colo,42,—,2025-09-01,,6,\n",
        encoding="utf-8",
    )
    result = apply_mapping(example("netbox_racks"), [file], tmp_path / "converted")
    assert (result.rows, result.left_out) == (2, 3)
    settings = Settings(home=tmp_path / "home")
    put_world(settings.landing_path)
    land(settings, SHIPPED.source("colocation", "rack_assignments"), result.files)
    store = Store(settings.landing_path)
    store.ingest()
    assert store.quarantine() == []
    columns = "site_id, rack_id, contract_id, installed_on::VARCHAR, removed_on::VARCHAR, rated_kw"
    assert store.rows(f"select {columns} from raw.rack_assignments order by rack_id") == [
        ("S-1", "R1", "A", "2025-01-01", None, Decimal("8.5")),
        ("S-1", "R3", "A", "2025-01-01", "2025-02-28", Decimal(6)),
    ]


def nem12(*records: str) -> str:
    return "\r\n".join(["100,NEM12,202503060130,MDP1,Retailer1", *records, "900", ""])


def stream(nmi: str = "NEM1201009", suffix: str = "E1", unit: str = "KWH", minutes: int = 30) -> str:
    return f"200,{nmi},E1B1Q1,1,{suffix},N1,METER1,{unit},{minutes},"


def day(date: str, values: list[str], quality: str = "A", updated: str = "20250306013000") -> str:
    return ",".join(["300", date, *values, quality, "", "", updated, ""])


def test_nem12_intervals_add_up_to_days_with_their_peak_and_quality(tmp_path: Path) -> None:
    half_hours = ["1.001"] * 47 + ["2.5"]
    file = tmp_path / "NEM12#1.csv"
    file.write_text(
        nem12(
            stream(),
            day("20250301", half_hours),
            day("20250302", half_hours, "S14"),
            day("20250303", half_hours, "V"),
            "400,1,40,A,,",
            "400,41,48,F16,77,",
            day("20250304", half_hours, "V"),
            "400,1,20,A,,",
            "400,21,48,A,,",
            stream("NEM1201009", "B1"),
            day("20250301", half_hours),
            stream("NEM1201009", "Q1", "kVArh"),
            day("20250301", half_hours),
            stream("NEM1201010", "E2", "Wh", 5),
            day("20250301", ["100.5"] * 287 + ["250.25"], "E52"),
            "500,O,RETNSRVCEORD1,20250301000000,1.5",
        )
    )
    mapping = example("nem12_meter_readings")
    result = apply_mapping(mapping, [file], tmp_path / "converted")
    assert (result.rows, result.left_out) == (5, 2)
    columns = "meter_id, contract_id, reading_date, kwh, peak_kw, read_type"
    # 47 x 1.001 + 2.5 = 49.547 kWh; the peak of 2.5 kWh in half an hour is 5 kW.
    # 287 x 100.5 + 250.25 = 29,093.75 Wh; the peak of 0.25025 kWh in five minutes is 3.003 kW.
    assert converted(mapping, file, tmp_path, columns) == [
        ("NEM1201009-E1", "CT-0001", "2025-03-01", "49.547", "5", "actual"),
        ("NEM1201009-E1", "CT-0001", "2025-03-02", "49.547", "5", "estimated"),
        ("NEM1201009-E1", "CT-0001", "2025-03-03", "49.547", "5", "final"),
        ("NEM1201009-E1", "CT-0001", "2025-03-04", "49.547", "5", "actual"),
        ("NEM1201010-E2", "CT-0002", "2025-03-01", "29.09375", "3.003", "estimated"),
    ]
    landed = land(Settings(home=tmp_path / "home"), SHIPPED.source("colocation", "meter_readings"), result.files)
    assert (landed.rows, landed.quarantined) == (5, 0)


def test_of_versions_of_a_day_in_a_nem12_file_the_latest_update_is_kept(tmp_path: Path) -> None:
    def hours(each: str) -> list[str]:
        return [each] * 48

    file = tmp_path / "meters.csv"
    file.write_text(
        nem12(
            stream(),
            # The latest stands first, one without an update is older than any.
            day("20250301", hours("3"), updated="20250320000000"),
            day("20250301", hours("1"), updated="20250310000000"),
            day("20250301", hours("2"), updated=""),
            # Versions of other quality stand apart: which of them counts is not for the file to say.
            day("20250302", hours("4"), "F14", updated="20250309000000"),
            day("20250302", hours("5"), "A", updated="20250319000000"),
            # What cannot be read replaces nothing.
            day("20250303", hours("6"), updated="20250309000000"),
            day("20250303", [*hours("7")[1:], "x"], updated="20250319000000"),
            # Of equal updates neither is the later.
            day("20250304", hours("8"), updated="20250309000000"),
            day("20250304", hours("9"), updated="20250309000000"),
        )
    )
    mapping = example("nem12_meter_readings")
    result = apply_mapping(mapping, [file], tmp_path / "converted")
    assert (result.rows, result.left_out) == (7, 2)
    found = converted(mapping, file, tmp_path, "reading_date, kwh, read_type")
    assert [(date, kwh.split(" (")[0].split(" is no")[0], kind) for date, kwh, kind in found] == [
        ("2025-03-01", "144", "actual"),
        ("2025-03-02", "192", "final"),
        ("2025-03-02", "240", "actual"),
        ("2025-03-03", "288", "actual"),
        ("2025-03-03", "interval value x", "actual"),
        ("2025-03-04", "384", "actual"),
        ("2025-03-04", "432", "actual"),
    ]


def test_the_quality_of_a_nem12_day_can_be_mapped_as_it_came(tmp_path: Path) -> None:
    toml = (EXAMPLES / "nem12_meter_readings.toml").read_text()
    flags = 'read_type = { from = "QualityFlag", values = { A = "actual", E = "estimated", S = "estimated", F = "actual" } }'
    (tmp_path / "m.toml").write_text(toml.replace('read_type = "Quality"', flags))
    file = tmp_path / "meters.csv"
    file.write_text(nem12(stream(), day("20250301", ["1"] * 48, "F14"), day("20250302", ["1"] * 48, "S52")))
    mapping = load_mapping(tmp_path / "m.toml", SHIPPED.source)
    assert converted(mapping, file, tmp_path, "read_type") == [("actual",), ("estimated",)]


def test_a_nem12_day_that_cannot_be_added_up_says_why(tmp_path: Path) -> None:
    half_hours = ["1"] * 48
    file = tmp_path / "meters.csv"
    file.write_text(
        nem12(
            stream(),
            day("20250301", half_hours[1:]),
            day("20250302", [*half_hours[1:], "x"]),
            day("20250303", half_hours, "N"),
            day("20250304", half_hours, "V"),
            "400,1,40,A,,",
            day("20250305", [*half_hours[1:], "-1"]),
            day("2025-03-06", half_hours),
            day("20250307", half_hours, "V"),
            "400,1,40,A,,",
            "400,41,48,N,,",
            stream(minutes=7),
            day("20250308", half_hours),
        )
    )
    preview = check(example("nem12_meter_readings"), file, tmp_path / "sample", Settings(home=tmp_path / "home"))
    expected = [
        "row 1: kwh '52 fields behind the date",
        "row 2: kwh 'interval value x is no number",
        "row 3: kwh is empty",
        "row 4: kwh 'quality V, but the 400 records cover 40 of 48",
        "row 5: kwh 'interval value -1",
        "row 7: kwh is empty",
        "row 8: kwh 'an interval of 7 minutes",
    ]
    assert preview.rows == 8
    assert [reason.startswith(start) for reason, start in zip(preview.reasons, expected, strict=True)] == [True] * 7
    assert preview.first_rows["reading_date"][5] == "2025-03-06"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("200,a\n900\n", "is no NEM12 file"),
        (nem12(stream(), day("20250301", ["1"] * 48)).replace("900", ""), "is truncated"),
        (nem12(day("20250301", ["1"] * 48)), "before any meter stream"),
        (nem12(stream(), "400,1,48,A,,"), "before any intervals"),
        (nem12("250,NEM13"), "unknown record in line 2"),
        (nem12("900", stream()), "goes on behind its 900 record in line 2"),
    ],
)
def test_a_file_that_is_no_whole_nem12_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "meters.csv"
    file.write_text(text)
    with pytest.raises(LandingError, match=f"meters.csv .*{reason}"):
        apply_mapping(example("nem12_meter_readings"), [file], tmp_path / "converted")


TOTALS = """
stream = "colocation"
source = "erp_control_totals"
[file]
{file}
[columns]
service_month = "Month"
extracted_at = {at}
lines = "Lines"
{amount}
{more}
"""


def totals(file: str = "", at: str = '"At"', amount: str = 'amount = "Amount"', more: str = "") -> str:
    return TOTALS.format(file=file, at=at, amount=amount, more=more)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (totals(amount='amout = "Amount"'), "columns.amout is no column of colocation erp_control_totals"),
        (totals(amount=""), "the required column amount stands neither in columns nor in fixed"),
        (totals(amount="amount = 3"), "columns.amount is neither a column name nor a table"),
        (totals(amount='amount = { from = "A", decimals = "," }'), "there is no key 'columns.amount.decimals'"),
        (totals(amount='amount = { decimal = "," }'), "columns.amount needs one of from, add and subtract"),
        (totals(amount='amount = { from = "A", format = "YYYY" }'), "columns.amount.format is for dates"),
        (totals(amount='amount = { from = "A", decimal = ",", thousands = "," }'), "decimal and thousands are both ','"),
        (totals(at='{ from = "At", format = "MM.YYYY" }'), "columns.extracted_at.format = 'MM.YYYY': tells no day"),
        (totals(at='{ from = "At", format = "DD.MM.YY HH" }'), "which needs century"),
        (totals(at='{ from = "At", format = "DD.MM.JJJJ HH" }'), "'JJJJ' is none of"),
        (totals(at='{ from = "At", format = "%d.%m.%Y %Q" }'), "'%Q' is none of"),
        (totals(at='{ from = "At", format = "DD.MM.YYYY HH:mm" }'), "a format without offset needs a timezone"),
        (totals(file='timezone = "Berlin"'), "file.timezone = 'Berlin' is no IANA time zone"),
        (totals(file='encoding = "ebcdic-9"'), "file.encoding = 'ebcdic-9' is no character encoding"),
        (totals(file='delimiter = ";;"'), "file.delimiter = ';;'"),
        (totals(file='format = "xls"'), "file.format = 'xls'"),
        (totals(file='sheet = "A"'), 'file.sheet needs file.format = "xlsx"'),
        (totals(more='[fixd]\ncurrency = "USD"'), "there is no key 'fixd'"),
        (totals(more='[fixed]\namount = "1"'), "amount stands in columns and in fixed"),
        (totals().replace("erp_control_totals", "erp_totals"), "there is no source 'erp_totals' in colocation"),
        (totals().replace('source = "erp_control_totals"', ""), "the key 'source' is missing"),
        ("stream =", "is no TOML"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused_with_file_and_key(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        declared(tmp_path, text)
    assert reason in str(refused.value)
    assert "mapping.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_mapping_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_mapping(tmp_path / "none.toml", SHIPPED.source)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Month,At,Lines\n", r"totals.csv lacks the column Amount \(it has: Month, At, Lines\)"),
        (b"Month,At,Lines,Amount,Amount\n", "has the column Amount more than once"),
        (b"Month,At,Lines,Amount,M\xfcller\n", "totals.csv is not utf-8"),
        (b"", "is empty"),
        (b'Month,At,Lines,Amount\n2025-01,"x\n', "ends inside a quoted field"),
    ],
)
def test_a_file_that_is_not_as_the_mapping_says_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "totals.csv"
    file.write_bytes(content)
    with pytest.raises(LandingError, match=reason):
        apply_mapping(declared(tmp_path, totals()), [file], tmp_path / "converted")


def test_an_identifier_that_the_mapping_does_not_know_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "meters.csv"
    file.write_text(nem12(stream("NEM9"), day("20250301", ["1"] * 48)))
    with pytest.raises(LandingError, match=r"has NMI NEM9, which columns.contract_id.values of the mapping does not know"):
        apply_mapping(example("nem12_meter_readings"), [file], tmp_path / "converted")


def test_engine_and_exact_reader_agree_and_rows_keep_their_order(tmp_path: Path) -> None:
    mapping = declared(tmp_path, totals(file='decimal = ","\ndelimiter = ";"\ntimestamp = "DD.MM.YYYY HH:mm"\ntimezone = "UTC"'))
    lines = [f"2025-01;01.02.2025 {number % 24:02}:00;{number};{number},50" for number in range(50_000)]
    regular, irregular = tmp_path / "regular.csv", tmp_path / "irregular.csv"
    regular.write_text("\n".join(["Month;At;Lines;Amount", *lines]) + "\n")
    # One line end of another kind sends the file through Python's reader.
    irregular.write_bytes(("\r\n".join(["Month;At;Lines;Amount", *lines[:1]]) + "\r\n" + "\n".join(lines[1:]) + "\n").encode())
    read = converted(mapping, regular, tmp_path, "service_month, extracted_at, lines, amount")
    assert read == converted(mapping, irregular, tmp_path, "service_month, extracted_at, lines, amount")
    assert [lines for _, _, lines, _ in read] == [str(number) for number in range(50_000)]
    assert read[25] == ("2025-01", "2025-02-01T01:00:00.000000Z", "25", "25.50")


def test_a_converted_file_meets_the_rules_of_the_landing_zone(tmp_path: Path) -> None:
    # put_rows is how a source system writes; the mapping of its own names changes nothing.
    file = put_rows(tmp_path / "zone", "erp_control_totals", "20250101T000000Z", row("erp_control_totals"))
    text = totals().replace('"Month"', '"service_month"').replace('"At"', '"extracted_at"')
    mapping = declared(tmp_path, text.replace('"Lines"', '"lines"').replace('"Amount"', '"amount"'))
    assert converted(mapping, file, tmp_path) == [tuple(row("erp_control_totals").values())]


def test_a_mapping_lands_only_what_it_is_for(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    file = erp_file(tmp_path, "A;1;RE;E1;V-1;03/2025;STELL;1;10;10,00;USD;02.04.2025;03.04.2025 12:00:00;;")
    mapping = example("erp_invoices")
    with pytest.raises(UsageError, match="is for colocation erp_invoices, not colocation sites"):
        land_converted(settings, mapping, SHIPPED.source("colocation", "sites"), [file])
    landed, _ = land_converted(settings, mapping, mapping.source, [file], datetime(2025, 4, 5, tzinfo=UTC))
    assert (landed.batch_id, landed.rows) == ("colocation/erp_invoices/20250405T000000Z", 1)
