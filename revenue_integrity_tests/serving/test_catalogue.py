"""Which datasets there are: what several streams have of one thing, what is made when asked, what has tenants."""

import pandas as pd
import pytest

from revenue_integrity.errors import UsageError
from revenue_integrity.model import table as column
from revenue_integrity.model.dataset import Composed, Streamed
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.model.table import Layer, Table, table
from revenue_integrity.serving.catalogue import Manifest, Stored, United, dataset_named, has_tenants
from revenue_integrity.serving.derived import Derived


def made(stream: str, layer: Layer, name: str, *, tenants: bool = False) -> Table:
    """Return a small table."""
    more = [column.text("tenant_id", "The tenant.")] if tenants else []
    return table(stream, layer, name, "Rows, one row per month.", ("month",), [column.month(), *more])


BY_TENANT = made("north", "mart", "north_costs", tenants=True)
OF_ALL = made("north", "mart", "north_totals")


def composed(name: str, *reads: Table) -> Composed:
    """Return a dataset that is made of tables."""
    return Composed(made("north", "mart", name), lambda settings, **frames: pd.DataFrame(), reads)


def stream(name: str, *tables: Table, prefix: str | None = None, more: tuple[Composed | Streamed, ...] = ()) -> Stream:
    """Return a stream of some tables."""
    rules = tuple(Rule(each, lambda month, settings: pd.DataFrame(), ()) for each in tables)
    return Stream(name=name, sources=(), rules=rules, checks=(), prefix=prefix, composed=more)


NORTH = stream(
    "north",
    BY_TENANT,
    OF_ALL,
    made("north", "recon", "recon_results"),
    prefix="",
    more=(composed("north_file", BY_TENANT), composed("north_mix", BY_TENANT, OF_ALL)),
)
SOUTH = stream("south", made("south", "recon", "south_recon_results"))
BOTH = Streams.of(NORTH, SOUTH)


def test_what_every_stream_has_holds_the_rows_of_all_under_its_plain_name_and_of_one_under_its_own() -> None:
    united = dataset_named(BOTH, "recon_results")
    assert isinstance(united, United)
    assert [each.name for each in united.tables] == ["recon_results", "south_recon_results"]
    assert isinstance(dataset_named(BOTH, "south_recon_results"), Stored)
    alone = dataset_named(BOTH.only("south"), "recon_results")
    assert isinstance(alone, United)
    assert [each.name for each in alone.tables] == ["south_recon_results"]


def test_checks_of_all_streams_are_read_together_and_only_as_published() -> None:
    checks = dataset_named(BOTH, "checks")
    assert isinstance(checks, United)
    assert ([each.name for each in checks.tables], checks.in_warehouse) == (["checks", "south_checks"], False)


def test_a_dataset_has_tenants_if_every_table_behind_it_has() -> None:
    found = {name: has_tenants(dataset_named(BOTH, name)) for name in ("north_costs", "north_totals", "north_file", "north_mix")}
    assert found == {"north_costs": True, "north_totals": False, "north_file": True, "north_mix": False}
    for name in ("checks", "batches", "close_status", "recon_results"):
        assert not has_tenants(dataset_named(BOTH, name)), name


def test_a_dataset_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="there is no dataset 'north_cost'") as refused:
        dataset_named(BOTH.only("south"), "north_cost")
    assert "south_recon_results" in str(refused.value)
    assert "north_costs" not in str(refused.value)
    assert isinstance(dataset_named(BOTH, "quarantine"), Manifest)
    assert isinstance(dataset_named(BOTH, "sign_off_ledger"), Derived)
