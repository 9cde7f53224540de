"""What the server of ``processes`` has in memory, so that a process that it starts has it at once: importing this loads it.

Does not belong here: anything that begins a thread, opens a file or reads a setting.
"""

import gc
import importlib

import pytest

from revenue_integrity_tests import cheaper

for name in (
    "apprise",
    "duckdb",
    "jinja2",
    "pandas",
    "pandera.pandas",
    "pyarrow.parquet",
    "sqlglot",
    "revenue_integrity.cli.program",
    "revenue_integrity.operating.doctor",
    "revenue_integrity.orchestration.runner",
    "revenue_integrity.orchestration.evidence",
    "revenue_integrity.desk.packs",
    "revenue_integrity.streams.cloud.stream",
    "revenue_integrity.streams.colocation.stream",
):
    importlib.import_module(name)
cheaper.open_databases(pytest.MonkeyPatch())
# A child that looks for garbage would copy all pages of what stands here.
gc.collect()
gc.freeze()
