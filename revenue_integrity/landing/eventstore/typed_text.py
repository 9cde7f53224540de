"""Large regular CSV written as Parquet at once, with the contract's types.

Belongs here: casting many rows of plain text. Does not belong here: which bytes are plain (``plain_text``), what becomes of a row
that is not (``keeping``).

Text is parsed with all its forms much slower than a cast takes. A cast takes more than the contract does, so what is not plainly
a value is marked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity.landing.eventstore import key_index, plain_text
from revenue_integrity.landing.eventstore.suspicion import DOUBTFUL
from revenue_integrity.landing.reading.inspection import FileFacts
from revenue_integrity.landing.reading.regular import csv_texts
from revenue_integrity.landing.values import name, plainly
from revenue_integrity.model.source import SourceColumn
from revenue_integrity.warehouse.storage import arrow_type

_DICTIONARY_BYTES = 100_000
"""Words of a column beyond which no dictionary of them is kept."""


def write_typed(
    connection: duckdb.DuckDBPyConnection,
    file: FileFacts,
    present: Mapping[SourceColumn, int],
    hashed: list[SourceColumn],
    target: Path,
) -> tuple[list[key_index.Entries], bool]:
    """Write rows of text with the types of their columns, and whether any text of a row is in doubt.

    Arrow casts what is plain and writes; where a text may be in doubt, the engine casts, and says of which row. (The engine's
    own writer takes twice as long for words that come again and again.)

    Args:
        connection: the engine's.
        file: the CSV file.
        present: the columns that it has, and where.
        hashed: which of them identify an event.
        target: what is written.

    Returns:
        The hashes of the events' keys, part by part, and whether any text of a key may be bad or untidy.

    Raises:
        duckdb.Error, pyarrow.ArrowException: the file is not as regular as it looked.
    """
    schema = pa.schema([*((each.name, arrow_type(each.sql_type)) for each in present), (DOUBTFUL, pa.bool_())])
    ids = [column for column in hashed if column.kind == "id"]
    options: dict[str, Any] = {
        "compression": "lz4",
        # Nearly every event has another id, instant and measure: no dictionary of them is tried.
        "use_dictionary": [column.name for column in present if column.sql_type == "VARCHAR" and column not in ids],
        "dictionary_pagesize_limit": _DICTIONARY_BYTES,
        # Nobody asks for the first and the last of texts; for nulls only where a default would replace them.
        "write_statistics": [column.name for column in present if column.default or column.sql_type != "VARCHAR"],
    }
    typed = [f"try_cast({name(each.name)} as {each.sql_type})" for each in present]
    doubts = " or ".join(f"({doubt})" for each in present if (doubt := plainly(each, name(each.name)))) or "false"
    places = [list(present).index(column) for column in hashed]
    hashes: list[key_index.Entries] = []
    may_be_untidy = False
    # A cursor of its own, for the engine may be reading the file, a batch ahead.
    with pq.ParquetWriter(target, schema, **options) as writer, connection.cursor() as judge:
        for columns in csv_texts(connection, file, list(present.values())):
            texts = dict(zip(present, columns, strict=True))
            judge.register("landing_texts", pa.table({column.name: text for column, text in texts.items()}))
            values = plain_text.plain_values(texts)
            if values is None:
                found = judge.sql(f"select {', '.join(typed)}, {doubts} from landing_texts").to_arrow_table()
                values = [each.combine_chunks() for each in found.columns]
            else:
                values.append(pa.array(np.zeros(len(values[0]), np.bool_)))
            writer.write_batch(pa.record_batch(values, schema=schema))
            hashes.append(key_index.hashes_of_keys([values[place] for place in places]))
            may_be_untidy = may_be_untidy or any(plain_text.may_be_untidy(texts[column]) for column in ids)
    return hashes, may_be_untidy
