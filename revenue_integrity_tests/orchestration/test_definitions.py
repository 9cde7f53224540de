"""The definitions as Dagster loads them: complete, documented, importable without touching a home."""

from pathlib import Path

import dagster as dg
import pytest

from revenue_integrity.model.check import Gate
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.check_factory import GATE_KEY, SCHEMA_CHECK
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity_tests.support import SHIPPED, environment_of, home_settings, python

SETTINGS = home_settings(Path("/nowhere"))


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """Return the definitions over a home that does not exist: nothing may look into it."""
    return build_definitions(deployment_of(SETTINGS))


def test_they_hold_together(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_importing_them_touches_nothing(tmp_path: Path) -> None:
    done = python("import revenue_integrity.definitions", environment=environment_of(home_settings(tmp_path / "home")))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_table_is_an_asset_with_its_metadata(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for table in SHIPPED.tables.values():
        node = graph.get(dg.AssetKey(table.asset_key))
        assert node.group_name == f"{table.stream}_{table.layer}"
        assert node.tags["layer"] == table.layer
        assert node.tags["tier"] in {"bronze", "silver", "gold"}
        assert node.owners == [table.owner]
        assert node.kinds, table.name
        assert node.description == table.description
        assert node.pools == {"duckdb"}
        schema = node.metadata["dagster/column_schema"]
        schema = getattr(schema, "value", schema)
        assert [column.name for column in schema.columns] == table.columns


def test_every_asset_of_a_stream_is_partitioned_by_the_months_of_the_deployment(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for stream in SHIPPED.streams:
        of_none = {dg.AssetKey(rule.table.asset_key) for rule in stream.whole}
        assert all(graph.get(key).partitions_def is None for key in of_none)
        for key in dg.AssetSelection.key_prefixes(stream.name).resolve(graph) - of_none:
            partitions = graph.get(key).partitions_def
            assert partitions is not None, key
            assert partitions.get_partition_keys() == ["2025-03", "2025-04"], key


def test_every_check_names_its_gate_and_is_judged_per_month(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        spec = graph.get_check_spec(key)
        assert spec.metadata[GATE_KEY] in {gate.value for gate in Gate}
        assert spec.partitions_def is not None, key
        assert spec.description, key
    computed = {dg.AssetKey(rule.table.asset_key) for stream in SHIPPED.streams for rule in stream.rules}
    assert {key.asset_key for key in graph.asset_check_keys if key.name == SCHEMA_CHECK} >= computed


def test_every_table_comes_after_those_that_it_reads(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    tables = SHIPPED.tables
    for stream in SHIPPED.streams:
        for rule in stream.rules:
            parents = graph.get(dg.AssetKey(rule.table.asset_key)).parent_keys
            own_month = [
                each for each in rule.reads if each.layer == "raw" or each.first_offset in (None, 0) or each.last_offset == 0
            ]
            read = {dg.AssetKey(tables[each.qualified].asset_key) for each in own_month if each.qualified in tables}
            assert read <= parents | {dg.AssetKey(rule.table.asset_key)}, rule.table.name


def test_a_backfill_of_some_months_follows_no_asset_to_another_month(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    chosen = {"2025-03"}
    for key in sorted(graph.materializable_asset_keys):
        node = graph.get(key)
        for parent in sorted(node.parent_keys):
            upstream = graph.get(parent).partitions_def
            if node.partitions_def is None or upstream is None:
                continue
            mapping = graph.get_partition_mapping(key, parent)
            subset = upstream.subset_with_partition_keys(chosen)
            found = mapping.get_downstream_partitions_for_partitions(
                subset, upstream_partitions_def=upstream, downstream_partitions_def=node.partitions_def
            )
            assert set(found.get_partition_keys()) == chosen, (key, parent)
