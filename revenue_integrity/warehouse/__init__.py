"""Where tables live: schemas, the DuckDB IO manager, content hashes, publishing."""
