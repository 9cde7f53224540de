"""Rows that come by the million: kept in Parquet files, with an index of their keys and the state of their versions."""
