"""The IO manager in a real Dagster run: what an asset gets of the warehouse."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from revenue_integrity.orchestration.io_manager import WarehouseIOManager
from revenue_integrity.orchestration.partitions import month_partitions
from revenue_integrity.warehouse import database
from revenue_integrity.warehouse.storage import write_partition
from revenue_integrity_tests.support import MARCH, SAMPLE, home_settings, sample_rows


@pytest.mark.parametrize("wanted", [[], ["amount_cents", "id"]])
def test_an_asset_gets_the_columns_that_its_input_names_or_all(tmp_path: Path, wanted: list[str]) -> None:
    settings = home_settings(tmp_path)
    with database.connect(settings) as connection:
        write_partition(connection, SAMPLE, MARCH, sample_rows())
    partitions = month_partitions(settings)
    read: list[pd.DataFrame] = []
    source = dg.AssetIn(
        key=dg.AssetKey(SAMPLE.asset_key), metadata={"columns": wanted} if wanted else None, input_manager_key="warehouse"
    )

    @dg.asset(partitions_def=partitions, ins={"rows": source})
    def reader(rows: Any) -> None:
        read.append(rows)

    by_month = {"partition_expr": SAMPLE.partition}
    table = dg.AssetSpec(dg.AssetKey(SAMPLE.asset_key), partitions_def=partitions, metadata=by_month)
    manager = WarehouseIOManager(settings, {SAMPLE.asset_key: SAMPLE})
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [reader, table], partition_key="2025-03", resources={"warehouse": manager}, instance=instance, selection=[reader]
        )
    assert done.success
    (found,) = read
    assert list(found.columns) == (wanted or SAMPLE.columns)
    pd.testing.assert_frame_equal(found, sample_rows()[list(found.columns)], check_dtype=False)
