"""The project as files: written whole into a folder, the same bytes for the same declarations.

Belongs here: which files there are, what they read from, and putting them into a folder. Does not belong here: their content
(``tmdl``, ``report``).
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from revenue_integrity.errors import UsageError
from revenue_integrity.files import made
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.table import Table
from revenue_integrity.serving.deliveries.contents import tables_of
from revenue_integrity.serving.deliveries.shape import Shape, shape_of
from revenue_integrity.serving.powerbi import report, tmdl
from revenue_integrity.serving.powerbi.model import Model, model_of
from revenue_integrity.serving.powerbi.sources import Source, calendar_query
from revenue_integrity.settings import Delivery

NAME = "Revenue Integrity"
"""What the project is called; its model and its report stand beside it under that name."""

_SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric"
_READERS = {"postgresql": "PostgreSQL.Database", "mssql": "Sql.Database"}
_NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, "powerbi.revenue-integrity")


def tag(of: str) -> str:
    """Return the identity of something by what it is called: the same for ever."""
    return str(uuid.uuid5(_NAMES, of))


def write(deployment: Deployment, folder: Path, delivery: Delivery | None = None) -> Path:
    """Write the project into a folder; return the file that Power BI opens.

    Raises:
        UsageError: the folder holds something that is no project of ours.
    """
    opened = folder / f"{NAME}.pbip"
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not opened.is_file())):
        raise UsageError(
            f"{folder} is not empty and holds no Power BI project of ours", "Choose another folder, or empty this one"
        )
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    with made(folder) as new:
        for path, content in files(deployment, delivery).items():
            target = new / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode())
    return opened


def files(deployment: Deployment, delivery: Delivery | None = None) -> dict[str, str]:
    """Return every file of the project by its path."""
    settings = deployment.settings
    tables = _tables(deployment, delivery)
    shapes = [] if delivery is None else [shape_of(table, delivery.money, settings.currency) for table in tables]
    hidden = _hidden(delivery, shapes)
    model = model_of(list(deployment.streams), tables, settings.currency, hidden)
    source = _source(deployment, delivery, shapes)
    return {
        f"{NAME}.pbip": _json(
            {
                "$schema": f"{_SCHEMAS}/pbip/pbipProperties/1.0.0/schema.json",
                "version": "1.0",
                "artifacts": [{"report": {"path": f"{NAME}.Report"}}],
                "settings": {"enableAutoRecovery": True},
            }
        ),
        **{f"{NAME}.SemanticModel/{path}": text for path, text in _model_files(deployment, model, source).items()},
        **{f"{NAME}.Report/{path}": text for path, text in _report_files(model).items()},
    }


def _tables(deployment: Deployment, delivery: Delivery | None) -> list[Table]:
    """Return what there is to read: of what is published, nothing that is made only when somebody asks for it."""
    if delivery is not None:
        return tables_of(deployment, delivery)
    every = tables_of(deployment, Delivery(name="published", url_env="NONE", schema="none", tenant=None))
    composed = {each.table.name for stream in deployment.streams for each in stream.composed}
    return [table for table in every if table.name not in composed]


def _hidden(delivery: Delivery | None, shapes: Sequence[Shape]) -> set[tuple[str, str]]:
    """Return the columns that a delivery hides, by their dataset and the name they have in it."""
    if delivery is None:
        return set()
    return {
        (shape.dataset, each.source) for shape in shapes for each in shape.columns if each.name in shape.hidden(delivery.hide)
    }


def _source(deployment: Deployment, delivery: Delivery | None, shapes: Sequence[Shape]) -> Source:
    if delivery is None:
        return Source({"Published": str(deployment.settings.published_path)})
    # The library that reads addresses is there where something is delivered.
    from revenue_integrity.databases import resolve_url

    url = resolve_url(delivery.url_env)
    backend = url.get_backend_name()
    if backend not in _READERS:
        raise UsageError(f"a delivery does not go to {backend}", "Use postgresql or mssql")
    # Whoever may read a dataset with hidden columns may read the view alone.
    read = {name for named in delivery.readers.values() for name in named}
    views = {shape.dataset: shape.view for shape in shapes if shape.dataset in read and shape.hidden(delivery.hide)}
    server = f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}"
    return Source(
        {"Server": server, "Database": url.database or "", "Schema": delivery.schema_name},
        reader=_READERS[backend],
        money_in_units=delivery.money == "units",
        views=views,
    )


def _model_files(deployment: Deployment, model: Model, source: Source) -> Mapping[str, str]:
    settings = deployment.settings
    return {
        ".platform": _platform("SemanticModel"),
        "definition.pbism": _json(
            {
                "$schema": f"{_SCHEMAS}/item/semanticModel/definitionProperties/1.0.0/schema.json",
                "version": "4.2",
                "settings": {},
            }
        ),
        "definition/database.tmdl": tmdl.database(),
        "definition/model.tmdl": tmdl.model(model),
        "definition/expressions.tmdl": tmdl.expressions(source, tag),
        "definition/relationships.tmdl": tmdl.relationships(model.relations, tag),
        "definition/tables/calendar.tmdl": tmdl.calendar(calendar_query(settings.first_month, settings.last_month), tag),
        **{f"definition/tables/{table.name}.tmdl": tmdl.table(table, source, tag) for table in model.tables},
    }


def _report_files(model: Model) -> Mapping[str, str]:
    return {
        ".platform": _platform("Report"),
        "definition.pbir": _json(
            {
                "$schema": f"{_SCHEMAS}/item/report/definitionProperties/2.0.0/schema.json",
                "version": "4.0",
                "datasetReference": {"byPath": {"path": f"../{NAME}.SemanticModel"}},
            }
        ),
        **{f"definition/{path}": _json(content) for path, content in report.files(model, tag)},
    }


def _platform(kind: str) -> str:
    return _json(
        {
            "$schema": f"{_SCHEMAS}/gitIntegration/platformProperties/2.0.0/schema.json",
            "metadata": {"type": kind, "displayName": NAME},
            "config": {"version": "2.0", "logicalId": tag(f"item {kind}")},
        }
    )


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
