"""What is stale, worked out on a catalog made by hand."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from revenue_integrity import months
from revenue_integrity.orchestration.staleness import inputs_of, present_fingerprint, stale_partitions
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import STREAMS
from revenue_integrity.streams.rules import Rule, raw, raw_before, same_month, window
from revenue_integrity.streams.stream import Stream
from revenue_integrity.warehouse.catalog import ABSENT, Catalog, PartitionRecord, version_of_rule
from revenue_integrity_tests.support import APRIL, MARCH, home_settings

SETTINGS = home_settings(Path("/nowhere"), first_month="2025-02", last_month="2025-05")
FEBRUARY, MAY = date(2025, 2, 1), date(2025, 5, 1)
ANY_RULE = next(rule for stream in STREAMS for rule in stream.rules if rule.sql)


def rule(*reads: object, settings: tuple[str, ...] = ()) -> Rule:
    """Return a rule that reads what is given."""
    return replace(ANY_RULE, reads=reads, settings=settings)  # type: ignore[arg-type]  # a tuple of Reads


def record_of(made: Rule, month: date, known: Catalog, settings: Settings = SETTINGS) -> PartitionRecord:
    """Return the record of a month as a run would write it."""
    made_from, inputs = present_fingerprint(made, month, known, settings)
    return PartitionRecord(made_from, "own", 1, version_of_rule(made), settings.values(*made.settings), inputs, "")


def held(name: str, month: date, content: str) -> dict[str, PartitionRecord]:
    """Return a table's month that holds something."""
    return {f"{name}@{months.label(month)}": PartitionRecord("", content, 1, "", {}, {}, "")}


def test_exactly_the_declared_slices_are_read() -> None:
    known = Catalog(
        held("mart.t", FEBRUARY, "f") | held("mart.t", MARCH, "m"),
        {"sites@2025-01": "s1", "sites@2025-03": "s3", "meters@2025-02": "x", "meters@2025-04": "y"},
    )
    read = inputs_of(rule(same_month("mart", "t"), raw("sites")), MARCH, known, SETTINGS)
    assert read == {"mart.t@2025-03": "m", "raw.sites@2025-03": "s3"}
    read = inputs_of(rule(window("mart", "t", months_before=2, months_after=1)), MARCH, known, SETTINGS)
    assert read == {"mart.t@2025-02": "f", "mart.t@2025-03": "m", "mart.t@2025-04": ABSENT}, "January is before the deployment"
    read = inputs_of(rule(raw_before("sites", 2)), MARCH, known, SETTINGS)
    assert read == {"raw.sites@2025-01": "s1", "raw.sites@2025-02": ABSENT}, "ingestion knows no months"
    read = inputs_of(rule(raw_before("meters", None)), APRIL, known, SETTINGS)
    assert read == {"raw.meters@2025-02": "x"}


def stale(made: Rule, known: Catalog, settings: Settings = SETTINGS) -> list[tuple[str, str]]:
    """Return the stale months of a rule with their reasons."""
    stream = Stream("s", (), (made,), ())
    return [(months.label(each.month), each.reason) for each in stale_partitions(stream, [MARCH, APRIL], known, settings)]


def test_a_month_is_stale_until_it_was_made_from_what_there_is() -> None:
    made = rule(window("mart", "t", months_before=1), settings=("lookback_days",))
    name = made.table.qualified
    inputs = held("mart.t", FEBRUARY, "f") | held("mart.t", MARCH, "m") | held("mart.t", APRIL, "a")
    empty = Catalog(inputs, {})
    assert stale(made, empty) == [("2025-03", "never computed"), ("2025-04", "never computed")]
    own = {f"{name}@{months.label(month)}": record_of(made, month, empty) for month in (MARCH, APRIL)}
    assert stale(made, Catalog(inputs | own, {})) == []

    # A neighbour changes: exactly the months that read it.
    february = inputs | held("mart.t", FEBRUARY, "other") | own
    assert stale(made, Catalog(february, {})) == [("2025-03", "mart.t@2025-02 changed")]
    april = inputs | held("mart.t", APRIL, "other") | own
    assert stale(made, Catalog(april, {})) == [("2025-04", "mart.t@2025-04 changed")]
    # It comes back to what it was (A, B, A): nothing is stale against the record of A.
    assert stale(made, Catalog(april | held("mart.t", APRIL, "a"), {})) == []
    # A neighbour that is gone is a change.
    gone = {key: value for key, value in (inputs | own).items() if key != "mart.t@2025-03"}
    assert [month for month, _ in stale(made, Catalog(gone, {}))] == ["2025-03", "2025-04"]
    # A setting that the rule rests on, and one that it does not.
    assert [
        reason for _, reason in stale(made, Catalog(inputs | own, {}), SETTINGS.model_copy(update={"lookback_days": 30}))
    ] == ["code or settings changed"] * 2
    assert stale(made, Catalog(inputs | own, {}), SETTINGS.model_copy(update={"accrual_months": 9})) == []
