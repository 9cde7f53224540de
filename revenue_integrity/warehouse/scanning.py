"""Reading files of events where they stand, as SQL.

Belongs here: the SQL that both engines begin with. Does not belong here: running it (``engine``, ``spark``).
"""

import glob
from collections.abc import Mapping

from revenue_integrity.model.stage import ScannedFile


def scan_sql(files: tuple[ScannedFile, ...], empty: Mapping[str, str]) -> str:
    """Return DuckDB SQL for the rows of some files."""
    if not files:
        columns = ", ".join(f"cast(null as {sql_type}) as {name}" for name, sql_type in empty.items())
        return f"select cast(null as bigint) as file_no, cast(null as bigint) as row_number, {columns} where false"
    by_projection: dict[str, list[ScannedFile]] = {}
    for file in files:
        by_projection.setdefault(file.projection, []).append(file)
    return " union all ".join(_scan_alike(alike) for alike in by_projection.values())


def _scan_alike(files: list[ScannedFile]) -> str:
    """Read files of one projection with one call: thousands of small files then cost what a few large ones do."""
    paths = ", ".join("'" + glob.escape(str(file.path)).replace("'", "''") + "'" for file in files)
    numbers = ", ".join(str(file.file_no) for file in files)
    number = f"({files[0].file_no})::bigint" if len(files) == 1 else f"([{numbers}]::bigint[])[(file_index + 1)::bigint]"
    return (
        f"select {number} as file_no, file_row_number + 1 as row_number, {files[0].projection}"
        # By name: without it the types of the first file are those of all, and the places of a cost are rounded away in silence.
        f" from read_parquet([{paths}], file_row_number = true, union_by_name = true, hive_partitioning = false)"
    )
