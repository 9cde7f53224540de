"""What people admitted in the event store of the earlier release counts in today's for every stream; all else of it goes."""

from pathlib import Path

from revenue_integrity_tests.landing.eventstore.test_streams import (
    CALLED,
    FIRST,
    LATE,
    LATER_CALLED,
    LATER_READ,
    READ,
    both_admitted,
)
from revenue_integrity_tests.landing.eventstore.toys import METERS, PHONES, TOYS, Home, Toy

EARLIER_STORE = """
    create schema if not exists meta;
    create table meta.event_admitted (stream VARCHAR not null, month DATE not null, batch_id VARCHAR not null);
    create table meta.event_files (source VARCHAR not null, file_no BIGINT not null, path VARCHAR not null);
    create table meta.event_days (source VARCHAR not null, file_no BIGINT not null, usage_date DATE not null);
    create table meta.event_claims (file_no BIGINT not null, row_number BIGINT not null, event_id VARCHAR);
    create table meta.event_invoice_parts (source VARCHAR not null, file_no BIGINT not null, usage_date DATE not null);
    create table meta.event_completeness (tenant_id VARCHAR not null, usage_date DATE not null);
    create view meta.event_versions as select * from meta.event_claims;
    create view meta.event_invoices as select * from meta.event_invoice_parts;
"""
"""Its tables, as far as their names and who admitted what go; everything else is read again from the landing zone."""


def home_of_the_earlier_release(directory: Path, *admitted: Toy) -> Home:
    """Return a home whose late batches of March lie beyond both windows; for some streams somebody admitted them."""
    home = Home(directory, meters_lookback_days=30)
    home.put(METERS, FIRST, *READ).put(PHONES, FIRST, *CALLED)
    home.put(METERS, LATE, *LATER_READ).put(PHONES, LATE, *LATER_CALLED)
    home.connection.execute(EARLIER_STORE)
    for which in admitted:
        home.connection.execute(
            "insert into meta.event_admitted values (?, '2025-03-01', ?)",
            [which.log.stream, f"{which.log.stream}/rows/{LATE}"],
        )
    return home


def left_of_the_earlier_release(home: Home) -> list[str]:
    """Return the names of the earlier store that are still there, in order."""
    found = home.rows("""
        select table_name from information_schema.tables
        where table_schema = 'meta' and starts_with(table_name, 'event_') order by table_name
    """)
    return [name for (name,) in found]


def test_what_was_admitted_counts_for_its_stream_alone(tmp_path: Path) -> None:
    home = home_of_the_earlier_release(tmp_path / "one", METERS)
    home.run()
    assert home.days(METERS) == both_admitted(tmp_path / "all", METERS)
    never = Home(tmp_path / "never").put(PHONES, FIRST, *CALLED).put(PHONES, LATE, *LATER_CALLED)
    never.run(PHONES)
    assert home.days(PHONES) == never.days(PHONES)
    assert home.days(PHONES) != both_admitted(tmp_path / "all calls", PHONES)


def test_no_admission_is_lost_whichever_stream_is_read_first(tmp_path: Path) -> None:
    for first in TOYS:
        (then,) = set(TOYS) - {first}
        home = home_of_the_earlier_release(tmp_path / first.log.stream, METERS, PHONES)
        home.run(first)
        assert left_of_the_earlier_release(home) == ["event_admitted"], "what the other stream is owed"
        home.run(then)
        assert left_of_the_earlier_release(home) == []
        for which in TOYS:
            assert home.days(which) == both_admitted(tmp_path / f"{first.log.stream} {which.log.stream}", which)


def test_reading_again_carries_nothing_over_twice(tmp_path: Path) -> None:
    home = home_of_the_earlier_release(tmp_path, METERS)
    home.run()
    home.run()
    assert home.rows(f"from {METERS.log.schema}.admitted") == home.rows(f"select distinct * from {METERS.log.schema}.admitted")
    assert len(home.rows(f"from {METERS.log.schema}.admitted")) == 1
