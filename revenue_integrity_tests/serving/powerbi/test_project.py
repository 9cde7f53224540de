"""The project as Microsoft's own parser and published schemas read it. DAX, M and how it looks stay untested.

The schemas are those of github.com/microsoft/json-schemas (MIT), as far as the project names them.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from revenue_integrity.errors import UsageError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving.deliveries.contents import tables_of
from revenue_integrity.serving.deliveries.shape import shape_of
from revenue_integrity.serving.powerbi import project
from revenue_integrity.settings import Delivery
from revenue_integrity_tests import tmdl_parser
from revenue_integrity_tests.support import home_of, home_settings

_SCHEMAS = Path(__file__).parents[2] / "fixtures" / "powerbi"
_ADDRESS = "https://developer.microsoft.com/json-schemas/"
PASSWORD = "s3cret-of-the-shop"


def delivery(**changed: Any) -> Delivery:
    """Return a delivery to a PostgreSQL of the shop."""
    return Delivery(**{"name": "shop", "url_env": "SHOP_URL", "schema": "gold", **changed})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Return a home with every stream and two databases that it delivers to."""
    monkeypatch.setenv("SHOP_URL", f"postgresql://ann:{PASSWORD}@db.example.com:5433/shop")
    monkeypatch.setenv("BOOKS_URL", f"mssql://ann:{PASSWORD}@sql.example.com/books")
    return home_of(home_settings(tmp_path / "home", first_month="2024-01", last_month="2025-12"))


def written(home: Deployment, folder: Path, chosen: Delivery | None = None) -> Path:
    """Write the project; return where its model is."""
    return project.write(home, folder, chosen).parent / f"{project.NAME}.SemanticModel" / "definition"


IN_NO_FILE = ("invalid_", "cloud_dim_", "cloud_events", "focus_1_2")
"""How datasets begin that are made when somebody asks: a delivery brings them, no file holds them."""

DELIVERIES = [None, delivery(), delivery(money="cents"), delivery(url_env="BOOKS_URL", schema="dbo")]


@pytest.mark.parametrize("chosen", DELIVERIES, ids=["published", "postgres", "cents", "sqlserver"])
def test_microsofts_parser_reads_the_model_and_finds_no_error(home: Deployment, tmp_path: Path, chosen: Delivery | None) -> None:
    read = tmdl_parser.read(written(home, tmp_path / "project", chosen))
    assert (read["level"], read["errors"]) == (1600, [])
    tables = [table for table in tables_of(home, delivery()) if chosen or not table.name.startswith(IN_NO_FILE)]
    assert set(read["tables"]) == {"calendar", *(table.name for table in tables)}
    for table in tables:
        found = read["tables"][table.name]
        assert found["description"] == table.description
        assert len(found["columns"]) == len(table.columns)
        (query,) = found["queries"]
        assert f'"{table.name}"' in query or f'\\{table.name}"' in query
    assert read["parameters"] == (["Published"] if chosen is None else ["Server", "Database", "Schema"])


def test_money_is_in_units_keys_are_hidden_and_what_names_something_is_not_added(home: Deployment, tmp_path: Path) -> None:
    read = tmdl_parser.read(written(home, tmp_path / "project"))["tables"]
    fact = read["fact_sales"]["columns"]
    assert fact["total"] == ["Decimal", False, "Sum", "#,##0.00"]
    # Something else is called discount.
    assert fact["discount_amount"] == ["Decimal", False, "Sum", "#,##0.00"]
    assert fact["discount"] == ["Double", False, "None", "0.0%"]
    assert fact["quantity"] == ["Double", False, "Sum", "#,##0.00"]
    assert fact["customer_key"] == ["Int64", True, "None", "0"]
    assert fact["unit_price"][2] == "None"
    assert read["sales_dim_date"]["columns"]["week"][2] == read["customer_value"]["columns"]["r_score"][2] == "None"
    assert fact["line_no"] == ["Int64", False, "None", "0"]
    assert read["cloud_month"]["columns"]["total_cost"][:3] == ["Double", False, "Sum"]
    assert read["contract_month"]["columns"]["margin_pct"] == ["Double", False, "None", "0.0%"]
    assert not [name for table in read.values() for name in table["columns"] if name.endswith("_cents")]


def test_measures_are_those_that_people_ask_for(home: Deployment, tmp_path: Path) -> None:
    read = tmdl_parser.read(written(home, tmp_path / "project"))["tables"]
    measures = {name: said for table in read.values() for name, said in table["measures"].items()}
    asked = "Total revenue, MRR, Gross margin %, ERP variance, ERP explained %, Sales YTD, Average sale, High-value transactions"
    assert {*asked.split(", "), "Total customers", "Loyalty points", "Total sales"} <= set(measures)
    assert all(shown and description for _, shown, description in measures.values())
    assert measures["Total sales"][0] == "SUM('fact_sales'[total])"
    assert measures["Discounts"][0] == "SUM('fact_sales'[discount_amount])"


def _ways(relations: list[list[Any]]) -> Counter[tuple[str, str]]:
    """Count the ways in which a table filters another one, along active relations from one to many."""
    filters: dict[str, list[str]] = {}
    for below, _, above, _, active, *_ in relations:
        if active:
            filters.setdefault(above, []).append(below)

    def reached(table: str) -> Iterator[str]:
        for below in filters.get(table, ()):
            yield below
            yield from reached(below)

    return Counter((above, below) for above in filters for below in reached(above))


def test_relations_go_from_many_to_one_and_never_two_ways_lead_from_a_table_to_another(home: Deployment, tmp_path: Path) -> None:
    read = tmdl_parser.read(written(home, tmp_path / "project"))
    relations = read["relations"]
    assert {tuple(each[5:]) for each in relations} == {("OneDirection", "Many", "One")}
    active = {(each[0], each[1], each[2]): each[4] for each in relations}
    assert active["fact_sales", "date_key", "sales_dim_date"]
    assert active["sales_dim_date", "month", "calendar"]
    # It is filtered by month through its dates.
    assert not active["fact_sales", "month", "calendar"]
    assert all(count == 1 for count in _ways(relations).values())
    assert _ways(relations)["calendar", "fact_sales"] == 1
    with_months = {table.name for table in tables_of(home, delivery()) if "month" in table.columns and table.partition == "month"}
    assert {below for above, below in _ways(relations) if above == "calendar"} >= with_months - {*IN_NO_FILE}


def _registry() -> Registry[Any]:
    resources = []
    for file in _SCHEMAS.rglob("schema.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        address = _ADDRESS + file.relative_to(_SCHEMAS).as_posix()
        # What a schema calls itself differs in capitals from where it is found.
        resources.append((address, Resource(contents={**content, "$id": address}, specification=DRAFT7)))
    return Registry().with_resources(resources)


def test_what_is_json_holds_against_the_published_schemas(home: Deployment, tmp_path: Path) -> None:
    folder = written(home, tmp_path / "project").parents[1]
    registry = _registry()
    checked = Counter[str]()
    for file in sorted(folder.rglob("*")):
        if file.is_dir() or file.suffix == ".tmdl":
            continue
        content = json.loads(file.read_text(encoding="utf-8"))
        schema = registry.contents(content["$schema"])
        errors = [error.message for error in Draft7Validator(schema, registry=registry).iter_errors(content)]
        assert errors == [], file
        checked[file.name if file.suffix == ".json" else file.suffix or file.name] += 1
    assert checked["page.json"] == len(home.streams)
    assert checked["visual.json"] > 40
    assert checked[".platform"] == 2
    assert {"version.json", "report.json", "pages.json", ".pbip", ".pbir", ".pbism"} <= set(checked)


def _fields(content: Any) -> Iterator[tuple[str, str, str]]:
    """Yield what a picture is bound to: the kind, the table and the name."""
    if isinstance(content, dict):
        for kind in ("Column", "Measure"):
            if kind in content:
                yield kind, content[kind]["Expression"]["SourceRef"]["Entity"], content[kind]["Property"]
        for each in content.values():
            yield from _fields(each)
    elif isinstance(content, list):
        for each in content:
            yield from _fields(each)


def test_every_picture_is_bound_to_measures_and_columns_that_the_parser_finds_and_stands_on_its_page(
    home: Deployment, tmp_path: Path
) -> None:
    definition = written(home, tmp_path / "project")
    read = tmdl_parser.read(definition)["tables"]
    kinds = Counter[str]()
    for file in definition.parents[1].rglob("visual.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        bound = list(_fields(content["visual"]["query"]))
        assert bound, file
        assert all(name in read[table]["columns" if kind == "Column" else "measures"] for kind, table, name in bound), bound
        place = content["position"]
        assert place["x"] + place["width"] <= 1280
        assert place["y"] + place["height"] <= 720
        assert place["height"] > 50
        kinds[content["visual"]["visualType"]] += 1
    assert set(kinds) == {"card", "clusteredBarChart", "lineChart", "tableEx", "donutChart", "slicer"}


@pytest.mark.parametrize("chosen", DELIVERIES[1:3], ids=["units", "cents"])
def test_a_database_is_asked_for_the_names_that_its_delivery_gives(home: Deployment, tmp_path: Path, chosen: Delivery) -> None:
    definition = written(home, tmp_path / "project", chosen)
    for table in tables_of(home, chosen):
        text = (definition / "tables" / f"{table.name}.tmdl").read_text(encoding="utf-8")
        asked = text.partition("Table.SelectColumns(Rows, {")[2].partition("}")[0]
        assert asked.replace('"', "").split(", ") == [each.name for each in shape_of(table, chosen.money, "USD").columns]
        assert f'Schema = Schema, Item = "{table.name}"' in text


def test_only_what_a_delivery_brings_is_in_the_model(home: Deployment, tmp_path: Path) -> None:
    chosen = delivery(select={"datasets": ["fact_sales", "sales_dim_region"]})
    definition = written(home, tmp_path / "project", chosen)
    assert {file.stem for file in (definition / "tables").iterdir()} == {"calendar", "fact_sales", "sales_dim_region"}
    read = tmdl_parser.read(definition)
    assert read["errors"] == []
    assert set(read["tables"]["fact_sales"]["measures"]) >= {"Total sales", "Average sale"}
    assert all(each[4] for each in read["relations"])


def test_columns_that_a_delivery_hides_are_in_no_table_measure_or_picture(home: Deployment, tmp_path: Path) -> None:
    hide = ["email", "total", "region_key"]
    chosen = delivery(
        select={"datasets": ["fact_sales", "sales_kpis", "sales_dim_customer", "sales_dim_region"]},
        readers={"analysts": ["sales_dim_customer"]},
        hide=hide,
    )
    definition = written(home, tmp_path / "project", chosen)
    read = tmdl_parser.read(definition)
    assert read["errors"] == []
    for name, table in read["tables"].items():
        assert not {*hide} & set(table["columns"]), name
    assert not {"Total sales", "Average sale"} & set(read["tables"]["fact_sales"]["measures"])
    assert set(read["tables"]["fact_sales"]["measures"]) >= {"Transactions", "Units sold"}
    assert not [each for each in read["relations"] if "region_key" in str(each)]
    # A reader of the customers may read the view alone, and nobody is a reader of the facts.
    texts = {file.stem: file.read_text(encoding="utf-8") for file in (definition / "tables").iterdir()}
    assert 'Item = "sales_dim_customer_visible"' in texts["sales_dim_customer"]
    assert 'Item = "fact_sales"' in texts["fact_sales"]
    assert not [name for name, text in texts.items() if "email" in text]
    pictures = [file.read_text(encoding="utf-8") for file in (tmp_path / "project").rglob("visual.json")]
    assert pictures
    assert any("High-value transactions" in text for text in pictures)
    assert not [text for text in pictures if "Total sales" in text or "region_key" in text]


def test_the_same_declarations_give_the_same_bytes_and_no_file_holds_a_secret(home: Deployment, tmp_path: Path) -> None:
    first, again = project.files(home, delivery()), project.files(home, delivery())
    assert first == again
    assert "db.example.com:5433" in first[f"{project.NAME}.SemanticModel/definition/expressions.tmdl"]
    assert not [path for path, text in first.items() if PASSWORD in text or "ann" in text.split('"')]
    folder = tmp_path / "project"
    opened = project.write(home, folder)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / f"{project.NAME}.Report" / "left_over.json").write_text("{}", encoding="utf-8")
    assert project.write(home, folder) == opened
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept


def test_a_folder_that_holds_something_else_stays_as_it_is(home: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is not empty and holds no Power BI project of ours"):
        project.write(home, folder)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
