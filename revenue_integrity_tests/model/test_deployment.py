"""A deployment: its streams are loaded when asked for, and nothing of two of them collides."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from revenue_integrity.errors import UsageError
from revenue_integrity.model import table as column
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.source import Lookup, Reach, Reference, Source, SourceColumn, raw_table
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.model.table import Layer, table
from revenue_integrity_tests.support import SHIPPED

COLUMNS = (SourceColumn("order_id", "id", "The order."), SourceColumn("month", "month", "The service month."))


def orders(stream: str, **more: object) -> Source:
    """Return a source that any stream may have."""
    return Source(stream, "orders", "Orders, one row per order.", COLUMNS, ("order_id",), **more)  # type: ignore[arg-type]  # passed through


def stream_of(*sources: Source) -> Stream:
    """Return a stream of some sources alone."""
    return Stream(sources[0].stream, sources, (), ())


def counted(stream: Stream, loaded: list[str]) -> Callable[[], Stream]:
    """Return what loads a stream and tells so."""

    def load() -> Stream:
        loaded.append(stream.name)
        return stream

    return load


def test_a_stream_is_loaded_when_it_is_asked_for_and_no_other() -> None:
    loaded: list[str] = []
    made = {name: counted(stream_of(orders(name)), loaded) for name in ("first", "second", "third")}
    streams = Streams(made)
    assert (len(streams), streams.names) == (3, ("first", "second", "third"))
    assert streams.only("third", "first").names == ("first", "third")
    assert streams[1:].names == ("second", "third")
    assert loaded == []
    assert streams.named("second").name == "second"
    assert streams[-1].name == "third"
    assert loaded == ["second", "third"]
    assert [each.name for each in streams] == ["first", "second", "third"]


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    deployment = Deployment(SHIPPED.settings, Streams.of(stream_of(orders("first")), stream_of(orders("second"))))
    with pytest.raises(UsageError, match=r"there is no stream 'third'.*first, second"):
        deployment.source("third", "orders")
    with pytest.raises(UsageError, match=r"there is no stream 'third'"):
        deployment.only("third")
    with pytest.raises(UsageError, match=r"there is no source 'bills' in second.*orders"):
        deployment.source("second", "bills")
    assert deployment.only("second").streams.names == ("second",)


def test_raw_tables_of_two_streams_with_a_source_of_one_name_have_names_of_their_own() -> None:
    first, second = orders("first"), orders("second")
    assert [raw_table(each).qualified for each in (first, second)] == ["raw.first_orders", "raw.second_orders"]
    assert raw_table(replace(first, bare=True)).qualified == "raw.orders"
    tables = Deployment(SHIPPED.settings, Streams.of(stream_of(first), stream_of(second))).tables
    assert set(tables) == {"raw.first_orders", "raw.second_orders"}


def test_what_a_store_is_built_by_does_not_depend_on_what_a_table_is_called() -> None:
    assert repr(orders("first")) == repr(orders("first", bare=True))


def test_look_ups_and_slices_of_two_streams_have_names_of_their_own() -> None:
    known = Lookup("known", "order_id", ("orders",), "select 1")
    first, second = (
        orders(name, references=(Reference("order_id", known),), reaches=(Reach("back", "raw.x as r cross join {months} as m"),))
        for name in ("first", "second")
    )
    assert (first.lookup_table(known), second.lookup_table(known)) == ("meta.lookup_first_known", "meta.lookup_second_known")
    assert first.slices == ["first_orders", "first_back"]


def test_one_name_for_the_tables_or_slices_of_two_streams_is_refused_with_both() -> None:
    first, second = orders("first", bare=True), orders("second", bare=True)
    with pytest.raises(ValueError, match=r"second and first both have a table raw\.orders"):
        _ = Deployment(SHIPPED.settings, Streams.of(stream_of(first), stream_of(second))).tables
    bare = orders("third", bare=True, reaches=(Reach("first_orders", "raw.x as r"),))
    with pytest.raises(ValueError, match="third and first both have a slice first_orders"):
        _ = Deployment(SHIPPED.settings, Streams.of(stream_of(orders("first")), stream_of(bare))).tables


def test_one_name_for_the_datasets_of_two_streams_is_refused_with_both() -> None:
    def sums(stream: str, layer: Layer) -> Stream:
        made = table(stream, layer, "sums", "Sums.", ("month",), [column.month()])
        return Stream(stream, (orders(stream),), (Rule(made, lambda month, settings: None, ()),), ())

    with pytest.raises(ValueError, match="second and first both have a dataset sums"):
        _ = Deployment(SHIPPED.settings, Streams.of(sums("first", "curated"), sums("second", "mart"))).tables


def test_the_names_of_the_first_two_streams_stay() -> None:
    for stream in (SHIPPED.streams.named("colocation"), SHIPPED.streams.named("cloud")):
        assert [source.dataset for source in stream.sources] == [source.name for source in stream.sources]
    assert [stream.dataset("checks") for stream in SHIPPED.streams[:2]] == ["checks", "cloud_checks"]
