"""What is stale, worked out on a catalog made by hand."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from revenue_integrity import months
from revenue_integrity.computing.staleness import behind, inputs_of, present_fingerprint, stale_days, stale_partitions
from revenue_integrity.computing.versions import version_of_rule
from revenue_integrity.model.rule import Rule, days_of, raw, raw_before, same_month, window
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import ABSENT, Catalog, PartitionRecord
from revenue_integrity_tests.support import APRIL, MARCH, SHIPPED, home_settings

SETTINGS = home_settings(Path("/nowhere"), first_month="2025-02", last_month="2025-05")
FEBRUARY, MAY = date(2025, 2, 1), date(2025, 5, 1)
ANY_RULE = next(rule for stream in SHIPPED.streams for rule in stream.rules if rule.sql)


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
    ] == ["settings changed"] * 2
    assert stale(made, Catalog(inputs | own, {}), SETTINGS.model_copy(update={"accrual_months": 9})) == []


# --- Tables that are kept in days. ---

USED = {"setting": "1"}


def recorded_with(inputs: dict[str, str], slices: dict[str, str] | None = None) -> PartitionRecord:
    """Return the record of a month that is kept in days."""
    return PartitionRecord("", "", 1, "code", USED, inputs, "", slices or {})


def stale_of(recorded: PartitionRecord | None, inputs: dict[str, str], code: str = "code", used: str = "1") -> list[str]:
    """Return the days that are stale."""
    return [str(day) for day in stale_days(recorded, code, {"setting": used}, inputs)]


def test_days_are_read_one_by_one() -> None:
    known = Catalog(
        {"mart.t@2025-03": PartitionRecord("", "whole", 1, "", {}, {}, "", {"2025-03-01": "t1", "2025-03-31": "t31"})},
        {
            "events/2025-03-01@2025-03": "e1",
            "events/2025-03-02@2025-03": "e2",
            "events/2025-04-01@2025-04": "other month",
            "events2/2025-03-03@2025-03": "other source",
            "events@2025-03": "no day",
        },
    )
    read = inputs_of(rule(days_of("raw", "events"), days_of("mart", "t")), MARCH, known, SETTINGS)
    assert read == {
        "raw.events/2025-03-01": "e1",
        "raw.events/2025-03-02": "e2",
        "mart.t/2025-03-01": "t1",
        "mart.t/2025-03-31": "t31",
    }
    assert inputs_of(rule(days_of("raw", "events"), days_of("mart", "t")), MAY, known, SETTINGS) == {}


def test_days_that_differ_are_stale_and_no_other() -> None:
    inputs = {"raw.e/2025-03-01": "a", "raw.e/2025-03-02": "b", "mart.t/2025-03-02": "x", "mart.t/2025-03-03": "y"}
    before = recorded_with(inputs)
    assert stale_of(before, inputs) == []
    assert stale_of(before, inputs | {"raw.e/2025-03-01": "other"}) == ["2025-03-01"]
    # Either of two inputs makes the day stale, once.
    assert stale_of(before, inputs | {"raw.e/2025-03-02": "1", "mart.t/2025-03-02": "2"}) == ["2025-03-02"]
    assert stale_of(before, inputs | {"raw.e/2025-03-30": "new"}) == ["2025-03-30"]
    gone = {name: found for name, found in inputs.items() if name != "mart.t/2025-03-03"}
    assert stale_of(before, gone) == ["2025-03-03"], "a day that nothing is read for any more"


def test_what_concerns_the_whole_month_makes_every_day_stale() -> None:
    inputs = {"raw.e/2025-03-01": "a", "raw.e/2025-03-02": "b", "raw.names@2025-03": "n"}
    every = ["2025-03-01", "2025-03-02"]
    before = recorded_with(inputs)
    assert stale_of(None, inputs) == every
    assert stale_of(before, inputs, code="other") == every
    assert stale_of(before, inputs, used="2") == every
    assert stale_of(before, inputs | {"raw.names@2025-03": "other"}) == every
    assert stale_of(before, {name: found for name, found in inputs.items() if "/" in name}) == every
    # A day that is kept although nothing is read for it: it must go.
    with_more = recorded_with(inputs, {"2025-03-09": "kept"})
    assert stale_of(with_more, inputs) == []
    assert stale_of(with_more, inputs, code="other") == [*every, "2025-03-09"]


def test_nothing_read_and_nothing_kept_is_nothing_stale() -> None:
    assert stale_of(None, {}) == []
    assert stale_of(recorded_with({}), {}, code="other") == []


def test_what_reads_a_slice_of_the_store_is_behind_the_sources_of_the_slice() -> None:
    # A delivery of which every row is set aside changes no slice; that it is set aside must be told all the same.
    cloud = SHIPPED.streams.named("cloud")
    found = behind(cloud, {"raw.billing_events"})
    assert {"curated.cloud_event_outcomes", "mart.account_service_day", "mart.daily_account_cost", "mart.cloud_month"} <= found
    assert "curated.cloud_event_outcomes" not in behind(cloud, {"raw.focus"}), "its slice is made from billing events alone"
    assert "mart.account_service_day" not in behind(cloud, {"raw.accounts"})
