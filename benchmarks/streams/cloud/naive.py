"""Daily account cost as a first try writes it, with pandas and with Spark.

Belongs here: what the cloud stream is compared with: the latest version per event, no tombstones, cost per account and day,
exact, as Parquet. It leaves out what the product does beside that: validation, quarantine, conservation, services, lineage,
hashes, publishing, Dagster's records. Does not belong here: anything that makes it slower than it need be for its author.
"""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

KEY = ["tenant_id", "event_id"]
GRAIN = ["tenant_id", "account_id", "usage_date"]
_PICO = 12
"""Decimals of a cost."""


def run_pandas(file: Path, out: Path) -> None:
    """Write the daily account cost of a Parquet file with pandas, as one writes it first.

    A file has one arrival and one name, so the order of rows that a stable sort keeps is the rest of the total order.
    """
    events = pd.read_parquet(file)
    events = events.sort_values("ingested_at", kind="stable").drop_duplicates(KEY, keep="last")
    events = events[~events["is_deleted"]]
    daily = events.groupby(GRAIN, as_index=False).agg(total_cost=("cost", "sum"), event_count=("event_id", "size"))
    daily.to_parquet(out, index=False)


def run_pandas_on_integers(file: Path, out: Path) -> None:
    """Do the same as somebody does who knows where the time goes: the columns that are needed, and whole picos of a dollar."""
    table = pq.read_table(file, columns=[*KEY, "account_id", "usage_date", "cost", "ingested_at", "is_deleted"])
    scaled = pc.multiply(table["cost"].cast(pa.decimal128(18, _PICO)), pa.scalar(Decimal(10**_PICO), pa.decimal128(13, 0)))
    position = table.schema.get_field_index("cost")
    events = table.set_column(position, "picos", scaled.cast(pa.int64())).to_pandas()
    del table, scaled
    events = events.sort_values("ingested_at", kind="stable").drop_duplicates(KEY, keep="last")
    events = events[~events["is_deleted"]]
    daily = events.groupby(GRAIN, as_index=False).agg(picos=("picos", "sum"), event_count=("event_id", "size"))
    cost = [Decimal(picos).scaleb(-_PICO) for picos in daily.pop("picos").tolist()]
    daily = daily.assign(total_cost=pd.Series(cost, dtype=pd.ArrowDtype(pa.decimal128(38, _PICO))))
    daily.to_parquet(out, index=False)


def run_spark(file: Path, out: Path) -> None:
    """Write the daily account cost of a Parquet file with Spark in local mode, on all processors."""
    from pyspark.sql import Window
    from pyspark.sql.functions import col, count, row_number
    from pyspark.sql.functions import sum as total

    spark = start_spark(out.parent)
    try:
        events = spark.read.parquet(str(file))
        newest_first = Window.partitionBy(*KEY).orderBy(col("ingested_at").desc(), col("_metadata.row_index").desc())
        latest = events.withColumn("place", row_number().over(newest_first)).where("place = 1 and not is_deleted")
        daily = latest.groupBy(*GRAIN).agg(total("cost").alias("total_cost"), count("*").alias("event_count"))
        daily.write.parquet(str(out))
    finally:
        spark.stop()


def start_spark(scratch: Path) -> "SparkSession":
    """Start Spark in local mode, which spills into a scratch directory."""
    from pyspark.sql import SparkSession

    settings: dict[str, bool | float | int | str | None] = {
        "spark.driver.memory": "8g",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(scratch),
    }
    return SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()
