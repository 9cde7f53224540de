"""The documents that must agree with the program: the dictionary, the snippets for readers, the list of controls, commands.

Snippets are taken from the documents and run as they stand; what they must give was worked out by hand.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import click
import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.main import get_command

from revenue_integrity.cli import program as cli
from revenue_integrity.cli.dictionary import main as write_dictionary
from revenue_integrity.landing import zone
from revenue_integrity.model.check import OWNERS, Gate
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.check_factory import GATE_KEY
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.serving import controls
from revenue_integrity.serving import dictionary as data_dictionary
from revenue_integrity.serving.derived import DERIVED
from revenue_integrity.settings import PREFIX, Settings, sections_of
from revenue_integrity.streams.registry import deployment_of, settings_model
from revenue_integrity_tests.conftest import made_once
from revenue_integrity_tests.programs import needed
from revenue_integrity_tests.streams.bookings import world as bookings
from revenue_integrity_tests.streams.sales import world as sales
from revenue_integrity_tests.support import SHIPPED, command, home_settings, python
from revenue_integrity_tests.without_dagster import bring_up_to_date

DOCS = Path(__file__).parents[2] / "docs"
APRIL = date(2025, 4, 1)
MARCH = date(2025, 3, 1)
WITH_COMMANDS = ("../README.md", "consume.md", "controls.md", "deliver.md", "power_bi.md", "runbook.md")


def snippets(document: str, language: str) -> dict[str, str]:
    """Return the fenced blocks of a language by the comment that begins them."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / document).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found = {re.sub(r"^(--|#|//) ", "", block.splitlines()[0]): block for block in blocks}
    assert len(found) == len(blocks), "two snippets begin with the same comment"
    return found


def query(name: str, database: str = ":memory:") -> list[tuple[Any, ...]]:
    with duckdb.connect(database) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.sql(snippets("consume.md", "sql")[name]).fetchall()


def run_python(name: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(snippets("consume.md", "python")[name], f"consume.md: {name}", "exec"), names)
    return names


@pytest.fixture
def in_golden_home(golden_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Stand in the directory of a home of which 2025-04 is published, as a reader of the document does."""
    monkeypatch.chdir(golden_home.home)
    return golden_home


CLOUD_FILES = {
    "focus.csv": """\
BilledCost,EffectiveCost,BillingPeriodStart,ChargePeriodStart,ProviderName,BillingAccountId,SubAccountId,ServiceName,InvoiceId
10.5,9,2025-03-01T00:00:00Z,2025-03-01T00:00:00Z,AWS,1111,2222,EC2,INV-1
4.25,4,2025-03-01T00:00:00Z,2025-03-02T00:00:00Z,AWS,1111,2222,S3,INV-1
""",
    "credits.csv": """\
BilledCost,BillingPeriodStart,ChargePeriodStart,ProviderName,BillingAccountId,SubAccountId,ServiceName,InvoiceId
-0.25,2025-03-01T00:00:00Z,2025-03-02T00:00:00Z,AWS,1111,2222,S3,INV-1
""",
    "invoices.csv": """\
invoice_id,provider,billing_period,amount,currency
INV-1,AWS,2025-03,15,USD
""",
    "accounts.csv": """\
account_id,tenant_id,account_name,billing_owner
a-1,acme,Production,Pat
""",
}

EVENTS = """
    select
        event_id, tenant_id, account_id, service_name, null::varchar as region, 'on_demand' as pricing_model,
        usage_date::date as usage_date, cost::decimal(38, 12) as cost, 'USD' as currency,
        ingested_at::timestamptz as ingested_at, is_deleted
    from (values {rows}) as e (event_id, tenant_id, account_id, service_name, usage_date, cost, ingested_at, is_deleted)
"""

FIRST_EVENTS = """
    ('E-1', 'ACME', 'A-1', 'Compute', '2025-03-01', '1.25', '2025-03-02T01:00:00Z', false),
    ('E-2', 'ACME', 'A-1', 'Storage', '2025-03-02', '0.75', '2025-03-02T01:00:00Z', false),
    ('E-3', 'A/B', 'B-1', 'Compute', '2025-03-02', '2.000000000001', '2025-03-02T21:00:00Z', false)
"""

LATER_EVENTS = """
    ('E-1', 'ACME', 'A-1', 'Compute', '2025-03-01', '1.5', '2025-03-04T01:00:00Z', false),
    ('E-2', 'ACME', 'A-1', 'Storage', '2025-03-02', '0.75', '2025-03-04T01:00:00Z', true)
"""


def cloud_settings(home: Path) -> Settings:
    # What lands now is for days long past, in several batches: without a window it would be set aside.
    return home_settings(home, first_month="2025-03", last_month="2025-03", cloud_lookback_days=3660)


def block(document: str, heading: str) -> list[str]:
    """Return the commands of the first shell block below a heading."""
    text = (DOCS / document).read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return [line.split("#")[0].strip() for line in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].splitlines()]


def ran(settings: Settings, line: str, *more: str) -> str:
    """Run a command of a document as it stands; return what it printed."""
    done = command(settings, *shlex.split(line)[1:], *more)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


def write_events(rows: str, file: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"copy ({EVENTS.format(rows=rows)}) to '{file}' (format parquet)")


@pytest.fixture(scope="session")
def cloud_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home into which the cloud was brought by the commands of the runbook, then corrected. Take ``cloud_home``."""
    return made_once(tmp_path_factory, "cloud", partial(bring_the_cloud, tmp_path_factory.mktemp("files")))


def bring_the_cloud(files: Path, home: Path) -> None:
    """Bring the files of the cloud into a home as the runbook says, then correct them."""
    settings = cloud_settings(home)
    for name, text in CLOUD_FILES.items():
        (files / name).write_text(text, encoding="utf-8")
    write_events(FIRST_EVENTS, files / "events.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(files)
        lines = block("runbook.md", "Bring billing events and FOCUS exports")
        printed = [ran(settings, line) for line in lines]
        assert "2025-03,ACME,A-1,2025-03-01,1.25," in printed[-1]
        write_events(LATER_EVENTS, files / "events.parquet")
        ran(settings, lines[0])
    assert runner.run(deployment_of(settings), None, say=lambda _: None).failures == []


@pytest.fixture
def in_cloud_home(cloud_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Stand in the directory of a home of which the cloud's 2025-03 is published, as a reader of the document does."""
    shutil.copytree(cloud_run, tmp_path / "cloud", symlinks=True)
    monkeypatch.chdir(tmp_path / "cloud")
    return cloud_settings(tmp_path / "cloud")


# -- data_dictionary.md


def test_the_dictionary_is_what_the_declarations_say() -> None:
    held = (DOCS / "data_dictionary.md").read_text(encoding="utf-8")
    assert held == data_dictionary.markdown(SHIPPED.streams), (
        "docs/data_dictionary.md is stale: renew it with `make dictionary` and commit it"
    )


def test_every_dataset_says_what_a_row_is_and_who_answers_for_it() -> None:
    for each in data_dictionary.datasets(SHIPPED.streams):
        table = each.table
        assert re.search(r"\bone row per\b", table.description), f"{table.qualified}: its description does not say its grain"
        assert table.owner.startswith("team:"), table.qualified
        assert each.key, table.qualified


def test_every_column_has_a_description() -> None:
    for each in data_dictionary.datasets(SHIPPED.streams):
        for name, column in each.table.schema.columns.items():
            words = column.description or ""
            assert len(words) > 3, f"{each.table.qualified}.{name} has no description"
            assert words.endswith("."), f"{each.table.qualified}.{name}: its description is no sentence"


def test_every_figure_has_its_unit() -> None:
    by_name = [
        (r"_cents$", {"cents"}),
        (r"kwh$", {"kWh", "kWh²"}),
        (r"_kw$", {"kW"}),
        (r"(_pct|_share|utilization)$", {"fraction"}),
        (r"(_price|_rate)$", {"currency units", "cents per kWh"}),
    ]
    # What numbers something has no unit.
    is_number_of_something = re.compile(
        r".*_(no|key|score)|row_number|document_line|(bill_)?version|publication|step|place|rank"
        r"|(iso_)?year|quarter|week|day_of_week"
    ).fullmatch
    for each in data_dictionary.datasets(SHIPPED.streams):
        table = each.table
        for name in table.columns:
            for pattern, units in by_name if table.sql_type(name) != "VARCHAR" else ():
                if re.search(pattern, name):
                    assert table.unit(name) in units, f"{table.qualified}.{name} has the unit '{table.unit(name)}'"
            if re.match("BIGINT|DECIMAL", table.sql_type(name)) and not is_number_of_something(name):
                assert table.unit(name), f"{table.qualified}.{name} is a number without a unit"


def test_what_is_published_is_in_the_dictionary_with_its_columns(
    golden_home: Settings, in_cloud_home: Settings, tmp_path: Path
) -> None:
    deals = home_settings(tmp_path / "deals", first_month="2025-03", last_month="2025-03")
    bookings.land_a_deal(deals)
    bring_up_to_date(deployment_of(deals), only="bookings")
    shop = home_settings(tmp_path / "shop", first_month="2024-03", last_month="2024-03")
    sales.land_a_sale(shop)
    bring_up_to_date(deployment_of(shop), only="sales")
    published = [each.published_path for each in (golden_home, in_cloud_home, deals, shop)]
    described = {
        each.table.name: each for each in data_dictionary.datasets(SHIPPED.streams) if each.place.startswith("`<published>")
    }
    found = {
        file.relative_to(place).parts[0]: (file, place)
        for place in published
        for file in sorted(place.glob("[!_]*/**/data.parquet"))
    }
    assert set(described) - set(found) == {"published"}, "`published` is close.json itself"
    assert set(found) <= set(described)
    for name, (file, place) in found.items():
        assert pq.read_schema(file).names == described[name].table.published_columns, name
        said = described[name].place.strip("`").replace("<published>/", "").partition("`")[0]
        pattern = re.sub(r"=[^/]+", "=*", said)
        assert file.relative_to(place).match(pattern), (name, said)
        assert len(file.relative_to(place).parts) == len(Path(pattern).parts), (name, said)


def test_derived_datasets_have_the_declared_columns(signed_home: Settings) -> None:
    months = signed_home.months
    for each in DERIVED:
        assert list(each.read(deployment_of(signed_home), open_evidence, months).columns) == each.table.columns, each.table.name


def test_composed_datasets_have_the_declared_columns(in_cloud_home: Settings) -> None:
    tables = [each.table for stream in SHIPPED.streams for each in stream.composed]
    assert {table.name for table in tables} >= {"cloud_events", "focus_1_2"}
    for table in tables:
        printed = ran(in_cloud_home, f"revenue-integrity export {table.name} --format csv")
        assert printed.splitlines()[0].split(",") == table.columns, table.name


def test_the_command_renews_dictionary_and_controls_and_needs_their_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "controls.md").write_text(
        "# Controls\n<!-- checks: begin -->\nwhat was here\n<!-- checks: end -->\nEnd\n", encoding="utf-8"
    )
    assert write_dictionary([str(tmp_path)]) == 0
    assert (tmp_path / "data_dictionary.md").read_text(encoding="utf-8") == data_dictionary.markdown(SHIPPED.streams)
    page = (tmp_path / "controls.md").read_text(encoding="utf-8")
    assert "what was here" not in page
    assert "| `causes_add_up` | publish |" in page
    assert page.endswith("<!-- checks: end -->\nEnd\n")
    assert write_dictionary([]) == 2
    assert "Name the folder" in capsys.readouterr().err


# -- consume.md


def test_every_snippet_of_consume_is_tested_here() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    for language in ("sql", "python", "powerquery"):
        for name in snippets("consume.md", language):
            assert f'"{name}"' in tested, f"the {language} snippet '{name}' of consume.md has no test"


def test_margin_by_customer(in_golden_home: Settings) -> None:
    rows = [(month, customer, str(revenue), str(margin)) for month, customer, revenue, margin in query("margin by customer")]
    assert rows == [
        (APRIL, "CU-1", "7344.77", "6516.62"),
        (APRIL, "CU-2", "1074.89", "774.04"),
        (APRIL, "CU-3", "10.00", "10.00"),
    ]


def test_variances_of_one_month(in_golden_home: Settings) -> None:
    # B's power, 433.33 for 26 of 30 days at 50 × 10 kW, was posted after the cutoff: as of close it is missing.
    assert query("variances of one month") == [("erp_vs_mart", "CU-2", "B", "power", -43333)]


def test_files_that_do_not_belong_to_their_month(in_golden_home: Settings) -> None:
    name = "files that do not belong to their month"
    assert query(name) == []
    published = in_golden_home.published_path
    shutil.copy(published / "site_month/month=2025-04/data.parquet", published / "contract_month/month=2025-04/data.parquet")
    (published / "mrr_summary/month=2025-04/data.parquet").unlink()
    assert query(name) == [("2025-04", "contract_month"), ("2025-04", "mrr_summary")]


def test_one_month_in_pandas(in_golden_home: Settings) -> None:
    assert run_python("one month")["margin_cents"].to_dict() == {"CU-1": 651662, "CU-2": 77404, "CU-3": 1000}


def test_datasets_that_belong_together(in_golden_home: Settings) -> None:
    names = run_python("datasets that belong together")
    # A carries 828.15 and B 300.85 of the bill of 1,450.01 (1,000.00 + 300.00 + 100.01 + 50.00); the rest is stranded.
    allocated = names["frames"]["power_allocation"].groupby("contract_id")["amount_cents"].sum().to_dict()
    assert allocated == {"A": 82815, "B": 30085, "C": 0, "STRANDED": 145001 - 82815 - 30085}
    assert names["frames"]["contract_month"]["power_cost_cents"].sum() == 82815 + 30085
    close = in_golden_home.published_path / "_close/colocation/month=2025-04/close.json"
    content = json.loads(close.read_text())
    content["datasets"]["power_allocation"] = "0" * 64
    close.write_text(json.dumps(content))
    with pytest.raises(RuntimeError, match="power_allocation 2025-04 is being published"):
        run_python("datasets that belong together")


def test_revenue_with_its_publication(in_golden_home: Settings) -> None:
    close = json.loads((in_golden_home.published_path / "_close/colocation/month=2025-04/close.json").read_text())
    ((month, cents, as_of, published_at),) = query("revenue with its publication")
    assert (month, cents, as_of) == (APRIL, 842966, "20250520T000000Z")
    assert published_at == pd.Timestamp(close["published_at"])


def test_latest_signed_version_of_each_month(signed_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(signed_home.home)
    name = "latest signed version of each month"
    # A owes 600.00 + 1,500.00; B 400.00 + 800.00 and 10.00 for each day of energy.
    assert query(name) == [(date(2025, 1, 1), 1, 210000 + 120000 + 31000), (date(2025, 2, 1), 1, 210000 + 120000 + 28000)]
    signed = signed_home.published_path / "_signed/colocation/2025-01"
    for version in ("v2", "v10"):
        shutil.copytree(signed / "v1", signed / version)
    assert [version for _, version, _ in query(name)] == [10, 1], "versions are numbers, not text"


def test_views_for_bi(in_golden_home: Settings) -> None:
    run_python("a view for every dataset")
    run_python("a view for every dataset")
    published = {path.name for path in in_golden_home.published_path.iterdir() if not path.name.startswith("_")}
    with duckdb.connect("bi.duckdb", read_only=True) as connection:
        views = {name for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall()}
        assert published <= views
        for view in sorted(views):
            connection.sql(f'select * from "{view}"').fetchall()
        amounts = connection.sql(
            "select customer_id, contract_id, revenue, margin from contract_month_amounts order by all"
        ).fetchall()
        (bridge,) = connection.sql("select as_of_close, late, current from close_bridge_amounts").fetchall()
    assert [tuple(map(str, row)) for row in amounts] == [
        ("CU-1", "A", "7344.77", "6516.62"),
        ("CU-2", "B", "1074.89", "774.04"),
        ("CU-3", "C", "10.00", "10.00"),
    ]
    assert tuple(map(str, bridge)) == ("7996.33", "433.33", "8429.66")
    in_views = query("in bi.duckdb: billed against owed", "bi.duckdb")
    assert in_views == [(APRIL, "as_of_close", -43333, 43333), (APRIL, "current", 0, 0)]


def test_views_for_bi_hold_datasets_with_tenants_and_those_without_rows(in_cloud_home: Settings) -> None:
    published = in_cloud_home.published_path
    shutil.rmtree(published / "cloud_restatement/tenant=ACME")
    run_python("a view for every dataset")
    with duckdb.connect("bi.duckdb", read_only=True) as connection:
        views = {name for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall()}
        assert {path.name for path in published.iterdir() if not path.name.startswith("_")} <= views
        counted = {
            name: connection.sql(f'select count(*) from "{name}"').fetchall()
            for name in ("daily_account_cost", "cloud_restatement")
        }
        columns = connection.sql("from cloud_restatement").columns
    assert counted == {"daily_account_cost": [(4,)], "cloud_restatement": [(0,)]}
    assert columns == pq.read_schema(published / "cloud_restatement/columns.parquet").names


def test_files_of_tenants_that_do_not_belong_to_their_month(in_cloud_home: Settings) -> None:
    name = "files that do not belong to their month"
    assert query(name) == []
    days = in_cloud_home.published_path / "daily_account_cost"
    shutil.copy(
        days / "tenant=A%2FB/usage_date=2025-03-02/data.parquet", days / "tenant=DEFAULT/usage_date=2025-03-02/data.parquet"
    )
    (days / "tenant=ACME/usage_date=2025-03-01/data.parquet").unlink()
    (in_cloud_home.published_path / "cloud_recon_summary/month=2025-03/data.parquet").unlink()
    assert query(name) == [
        ("2025-03", "cloud_recon_summary"), ("2025-03", "daily_account_cost"), ("2025-03", "daily_account_cost"),
    ]  # fmt: skip


def test_cost_by_account_and_month(in_cloud_home: Settings) -> None:
    # E-1 was corrected to 1.50, E-2 withdrawn; of account 2222: 10.50 + 4.25 less a credit of 0.25.
    rows = [(*key, str(cost), complete) for *key, cost, complete in query("cost by account and month")]
    assert rows == [
        (MARCH, "A/B", "B-1", "2.000000000001000000", True),
        (MARCH, "ACME", "A-1", "1.500000000000000000", True),
        (MARCH, "DEFAULT", "2222", "14.500000000000000000", True),
    ]


@pytest.mark.usefixtures("in_cloud_home")
def test_one_tenants_month_in_pandas() -> None:
    by_day = run_python("one tenant's month in pandas")["cost_by_day"].to_dict()
    assert {str(day)[:10]: cost for day, cost in by_day.items()} == {"2025-03-01": Decimal("1.5")}


@pytest.mark.usefixtures("in_cloud_home")
def test_daily_cost_in_spark() -> None:
    needed("java")
    needed("localhost")
    # A process of its own: what reads here must not set up the session that other tests use.
    shown = "\nimport json; print(json.dumps([[str(value) for value in row] for row in by_month.collect()]))"
    # Most of the time goes into making code for queries that run once.
    quick = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    done = python(snippets("consume.md", "python")["daily cost in Spark"] + shown, environment=os.environ | quick)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        ["A/B", "2025-03-01", "2.000000000001000000"],
        ["ACME", "2025-03-01", "1.500000000000000000"],
        ["DEFAULT", "2025-03-01", "14.500000000000000000"],
    ]


def test_exports_of_the_cloud_run_as_they_stand(in_cloud_home: Settings) -> None:
    for line in block("consume.md", "Cloud: a directory per tenant"):
        ran(in_cloud_home, line)
    acme = pd.read_parquet("acme.parquet")
    assert list(zip(acme["tenant_id"], acme["total_cost"], strict=True)) == [("ACME", Decimal("1.5"))]
    assert len(pd.read_parquet("events.parquet")) == 5, "two events and three charges count"
    assert sorted(pd.read_csv("focus.csv", dtype=str)["BilledCost"]) == ["1.5", "10.5", "2.000000000001", "4"]


def test_a_process_of_a_tenant_reads_what_the_document_says(in_cloud_home: Settings) -> None:
    own = in_cloud_home.model_copy(update={"tenant": "ACME"})
    for dataset in ("daily_account_cost", "focus_1_2"):
        printed = ran(own, f"revenue-integrity export {dataset} --format csv")
        assert "ACME" in printed
        assert "DEFAULT" not in printed
    for refused in ("export cloud_recon_results", "export cloud_events", "status"):
        with pytest.raises(AssertionError, match="reads for one tenant"):
            ran(own, f"revenue-integrity {refused}")


def test_one_dataset_into_a_sql_database(in_golden_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    monkeypatch.setenv("BI_URL", f"sqlite:///{in_golden_home.home / 'bi.sqlite'}")
    for _ in range(2):
        run_python("one dataset into a SQL database")
    with sqlite3.connect(in_golden_home.home / "bi.sqlite") as connection:
        rows = connection.execute("select month, as_of_close_cents, late_cents, current_cents from close_bridge").fetchall()
    assert rows == [("2025-04-01", 799633, 43333, 842966)], "loading a month again replaces it"


def test_power_bi_reads_files_and_columns_that_there_are(in_golden_home: Settings) -> None:
    code = snippets("consume.md", "powerquery")["all months of contract_month"]
    (folder,) = re.findall(r'Published & "\\(\w+)"', code)
    (name,) = re.findall(r'\[Name\] = "([^"]+)"', code)
    files = list((in_golden_home.published_path / folder).rglob(name))
    assert [file.parent.name for file in files] == ["month=2025-04"]
    columns = re.findall(r"Number\.From\(\[(\w+)\]\)", code)
    assert columns == ["revenue_cents", "margin_cents"]
    assert set(columns) <= set(pq.read_schema(files[0]).names)
    _check_brackets(code)


def test_excel_reads_an_export_whose_columns_there_are(in_golden_home: Settings) -> None:
    code = snippets("consume.md", "powerquery")["contract_month.csv"]
    lines = (DOCS / "consume.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("revenue-integrity export contract_month") and line.endswith(".csv")]
    done = command(in_golden_home, *line.split()[1:])
    assert done.returncode == 0, done.stderr
    exported = pd.read_csv("contract_month.csv", dtype=str)
    typed = re.findall(r'\{"(\w+)", (?:type text|Int64\.Type)\}', code)
    assert typed == ["month", "customer_id", "contract_id", "revenue_cents", "margin_cents"]
    assert set(typed) <= set(exported.columns)
    assert exported["margin_cents"].tolist() == ["651662", "77404", "1000"]
    assert exported["month"].unique().tolist() == ["2025-04"]
    _check_brackets(code)


def test_exports_beside_the_data_are_joined_by_month(in_golden_home: Settings) -> None:
    exported = [line.split()[1:] for line in block("consume.md", "When it was published, and how it stands")]
    for arguments in exported:
        done = command(in_golden_home, *arguments)
        assert done.returncode == 0, done.stderr
    assert [arguments[-1] for arguments in exported] == ["close_status.parquet", "recon_summary.parquet"]
    with duckdb.connect() as connection:
        joined = connection.sql(
            "select recon, sign_off_status = status from 'recon_summary.parquet' inner join 'close_status.parquet' using (month)"
            " where view = 'as_of_close' order by recon"
        ).fetchall()
    assert ("erp_vs_mart", True) in joined
    assert all(same for _, same in joined)


def _check_brackets(code: str) -> None:
    """Power Query cannot be run here; unbalanced brackets can be seen without it."""
    bare = re.sub(r'"[^"]*"|//.*', "", code)
    for opening, closing in ("()", "[]", "{}"):
        assert bare.count(opening) == bare.count(closing), code


# -- controls.md


def _declared_checks() -> dict[str, str]:
    """Return every check of the program with its gate, as Dagster knows them."""
    graph = build_definitions(deployment_of(home_settings(Path("/nowhere")))).resolve_asset_graph()
    found: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        found.setdefault(key.name, set()).add(graph.get_check_spec(key).metadata[GATE_KEY])
    assert all(len(gates) == 1 for gates in found.values()), found
    return {name: gates.pop() for name, gates in found.items()}


def _control_rows() -> list[list[str]]:
    lines = (DOCS / "controls.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] not in ("check", "control") and not set(row[0]) <= {"-"}]


def test_every_check_is_a_control_with_its_gate_and_none_is_invented() -> None:
    rows = [row for row in _control_rows() if row[0].startswith("`")]
    listed = {(row[0].strip("`"), row[1]) for row in rows}
    declared = _declared_checks()
    assert len(rows) == len({tuple(row) for row in rows}), "a check stands twice in docs/controls.md"
    assert len(listed) == len(dict(listed)), "a check has two gates in docs/controls.md"
    assert set(dict(listed)) - set(declared) == set(), "docs/controls.md names checks that the program does not have"
    assert set(declared) - set(dict(listed)) == set(), "docs/controls.md lacks checks of the program: add a row for each"
    assert dict(listed) == declared, "a gate in docs/controls.md is not the check's"
    assert set(dict(listed).values()) == {gate.value for gate in Gate}


def test_the_tables_of_checks_are_what_the_checks_declare() -> None:
    page = (DOCS / "controls.md").read_text(encoding="utf-8")
    assert page == controls.renewed(page, SHIPPED.streams), "docs/controls.md is stale: renew it with `make dictionary`"
    with pytest.raises(ValueError, match="needs the lines"):
        controls.renewed("# Controls\n", SHIPPED.streams)


def test_every_control_has_risk_evidence_and_owner() -> None:
    for row in _control_rows():
        assert len(row) == (6 if row[0].startswith("`") else 5), row
        assert all(row), row
        assert row[-1] in OWNERS, row


def test_what_controls_name_as_evidence_exists() -> None:
    known = {each.table.name: set(each.table.published_columns) for each in data_dictionary.datasets(SHIPPED.streams)}
    columns = set().union(*known.values())
    recons = {recon.name for stream in SHIPPED.streams if stream.reconciliations for recon in stream.reconciliations}
    for row in _control_rows():
        for name in re.findall(r"`([a-z_]+)`", row[-2]):
            actions_and_values = {"waive", "reopen", "unexplained", "url_env"}
            is_known = (
                name in known or name in columns or name in settings_model().model_fields or name in actions_and_values | recons
            )
            assert is_known, f"{row[0]}: there is no '{name}'"


# -- runbook.md


def test_changes_of_published_days_are_told_by_the_commands_of_the_runbook(in_cloud_home: Settings) -> None:
    first, second = block("runbook.md", "Events come late, corrected, moved or deleted")
    ledger = pd.DataFrame(json.loads(ran(in_cloud_home, first, "--format", "json")))
    told = sorted(zip(ledger["usage_date"], ledger["cause"], ledger["delta"].map(str), strict=True))
    assert told == [("2025-03-01", "correction", "0.25"), ("2025-03-02", "deletion", "-0.75")]
    outcomes = pd.DataFrame(json.loads(ran(in_cloud_home, second, "--format", "json")))
    told = sorted(zip(outcomes["event_id"], outcomes["outcome"], strict=True))
    assert told == [("E-1", "superseded"), ("E-2", "deleted"), ("E-2", "deleted")]


def test_an_invoice_that_does_not_tie_is_shown_by_the_command_of_the_runbook(in_cloud_home: Settings) -> None:
    (line,) = block("runbook.md", "An invoice does not tie")
    (breach,) = json.loads(ran(in_cloud_home, line, "--format", "json"))
    # 10.50 + 4.25 - 0.25 charged, 15.00 invoiced.
    assert [str(breach[name]) for name in ("left_value", "right_value", "variance_value")] == ["14.5", "15", "-0.5"]


def test_rows_beyond_the_lookback_are_admitted_by_the_command_of_the_runbook(in_cloud_home: Settings) -> None:
    settings = in_cloud_home.model_copy(update={"cloud_lookback_days": 90})
    write_events("('E-9', 'ACME', 'A-1', 'Compute', '2025-03-01', '7', '2025-03-05T01:00:00Z', false)", Path("late.parquet"))
    ran(settings, "revenue-integrity land cloud billing_events late.parquet")
    assert runner.run(deployment_of(settings), None, say=lambda _: None).failures == []
    look, ask = block("runbook.md", "Rows lie beyond the lookback")
    # Read again under the window, the other deliveries are set aside too: they came after the first one.
    aside = {row["check_name"]: row["state"] for row in json.loads(ran(settings, look, "--format", "json"))}
    assert aside["nothing_is_set_aside"] == "failed"
    read = "revenue-integrity export daily_account_cost --tenant ACME --format csv"
    assert ",2025-03-01,1.25," in ran(settings, read)
    ran(settings, ask)
    assert ",2025-03-01,8.5," in ran(settings, read)


# -- commands and links of all documents


def _commands(of: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, each in of.commands.items():
        yield (*path, name), each
        if hasattr(each, "commands"):
            yield from _commands(each, (*path, name))


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_commands_in_the_documents_exist(document: str) -> None:
    commands = dict(_commands(cast(Any, get_command(cli.app))))
    datasets = {each.table.name for each in data_dictionary.datasets(SHIPPED.streams)}
    sources = {(stream.name, source.name) for stream in SHIPPED.streams for source in stream.sources}
    text = (DOCS / document).read_text(encoding="utf-8")
    found = re.findall(r"(?:^|[`/ ])revenue-integrity ([a-z][^`#\n]*)", text, re.MULTILINE)
    assert found
    for line in found:
        words = shlex.split(line)
        named = tuple(words[:2]) if tuple(words[:2]) in commands else tuple(words[:1])
        assert named in commands, f"{document}: there is no command '{line}'"
        options = {option for parameter in commands[named].params for option in parameter.opts}
        unknown = {word for word in words if word.startswith("-")} - options - {"--help"}
        assert not unknown, f"{document}: '{line}' has no {unknown}"
        assert words[0] != "export" or words[1] in datasets, f"{document}: there is no dataset '{words[1]}'"
        assert words[0] not in ("land", "pull") or tuple(words[1:3]) in sources, f"{document}: there is no source '{line}'"


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_settings_in_the_documents_exist(document: str) -> None:
    text = (DOCS / document).read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(rf"{PREFIX}([A-Z_]*[A-Z])", text)}
    model = settings_model()
    sections = sections_of(model)
    in_sections = {f"{section}__{name.removeprefix(f'{section}_')}" for section, names in sections.items() for name in names}
    known = {*model.model_fields, "config", *sections, *in_sections}
    assert named <= known, named - known


@pytest.mark.parametrize("document", [*WITH_COMMANDS, "data_dictionary.md"])
def test_links_lead_somewhere(document: str) -> None:
    text = (DOCS / document).read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, f"{document}: {target}"
        elif not target.startswith("https:"):
            assert ((DOCS / document).parent / target.partition("#")[0]).exists(), f"{document}: {target}"


@pytest.mark.parametrize(("source", "file"), [("erp_invoices", "late_invoice.csv"), ("erp_control_totals", "control_totals.csv")])
def test_the_samples_of_the_readme_land_with_every_row(tmp_path: Path, source: str, file: str) -> None:
    landed = zone.land(home_settings(tmp_path), SHIPPED.source("colocation", source), [DOCS / "samples" / file])
    assert (landed.rows, landed.quarantined, landed.unknown_columns) == (1, 0, ())
    assert f"land colocation {source} docs/samples/{file}" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
