"""The simulated source systems of the cloud: the same bytes each time, what the truth tells is in the files, invoices tie.

The expected side of the costs is plain SQL over the files as they were sent; nothing of the pipeline is used, and nothing of
how the simulator adds up.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from revenue_integrity import months
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.operating.demo import simulate_sources
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.simulate.plan import BAD_KINDS, EVENT_KINDS, EXPORT_KINDS, INVOICE_KINDS
from revenue_integrity.streams.cloud.simulate.program import simulate
from revenue_integrity.streams.registry import deployment_of, simulators
from revenue_integrity_tests.support import home_settings

Rows = list[dict[str, str]]

MONTHS = months.parse_range("2024-01:2024-06")

EVENTS = """
create table sent as
with
    files as (
        select event_id, tenant_id, account_id, usage_date::varchar as usage_date, cost::decimal(38, 18) as cost, currency,
            strftime(epoch_ms(epoch_ms(ingested_at)), '%Y-%m-%dT%H:%M:%S.%gZ') as ingested_at, is_deleted::boolean as is_deleted,
            region, filename, file_row_number + 1 as row_number
        from read_parquet('{events}/*/*.parquet', filename = true, file_row_number = true)
        union all
        {typed}
    )
select *, 'cloud/billing_events/' || split_part(filename, '/', -2) as batch_id, split_part(filename, '/', -1) as file_name,
    strptime(split_part(filename, '/', -2), '%Y%m%dT%H%M%SZ') as arrival
from files
"""

TYPED = """
select event_id, tenant_id, account_id, usage_date, cost::decimal(38, 18), currency, ingested_at, is_deleted::boolean, region,
    '{file}', row_number() over () as row_number
from read_csv('{file}', all_varchar = true)
"""
"""One file for itself: only there does the engine number rows as they stand, whatever its threads do."""

COUNTED = """
with
    good as (
        select * from sent
        where event_id is not null and cost >= 0 and currency = 'USD' and ingested_at not like '%T24:61%'
            and arrival::date - usage_date::date <= 90
    ),

    latest as (
        select * from good
        qualify row_number() over (
            partition by tenant_id, event_id order by ingested_at desc, arrival desc, file_name desc, row_number desc
        ) = 1
    )

select coalesce(tenant_id, 'default'), account_id, usage_date, sum(cost)::varchar, count(*)
from latest
where not is_deleted
group by all
"""

FOCUS = """
create table charges as
with
    files as (
        {files}
    ),

    live as (
        select *, rank() over (partition by billed_to, period order by arrival desc) as latest
        from files
        where source = 'focus'
    )

select provider, billed_to, account, day, period, invoice, cost from live where latest = 1
union all
-- An addition counts unless a later export of its scope replaced it.
select provider, billed_to, account, day, period, invoice, cost
from files
where source = 'focus_delta'
    and arrival > (select max(arrival) from live where live.billed_to = files.billed_to and live.period = files.period)
"""

FOCUS_FILE = """
select nullif(BillingAccountId, 'NULL') as billed_to, coalesce(nullif(SubAccountId, 'NULL'), BillingAccountId) as account,
    strftime({start}, '%Y-%m-%d') as day, strftime({period}, '%Y-%m') as period, nullif(InvoiceId, 'NULL') as invoice,
    BilledCost::decimal(38, 18) as cost, InvoiceIssuerName as provider, '{source}' as source, '{arrival}' as arrival
from {reader}
"""


def read(file: Path) -> Rows:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def bytes_of(home: Path) -> dict[str, bytes]:
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def run(home: Path, *, wanted: list[date] = MONTHS, faults: str = "default", seed: int = 1, events_per_day: int = 150) -> None:
    simulate(home / "landing", home / "truth", months=wanted, seed=seed, faults=faults, events_per_day=events_per_day)


def focus_files(landing: Path) -> Iterator[str]:
    for source in ("focus", "focus_delta"):
        for file in sorted((landing / "cloud" / source).glob("*/*")):
            parquet = file.suffix == ".parquet"
            form = "epoch_ms(epoch_ms(ChargePeriodStart))" if parquet else "try_cast(ChargePeriodStart as timestamp)"
            yield FOCUS_FILE.format(
                start=form,
                period=form.replace("ChargePeriodStart", "BillingPeriodStart"),
                source=source,
                arrival=file.parent.name,
                reader=f"read_parquet('{file}')" if parquet else f"read_csv('{file}', all_varchar = true)",
            )


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    home = tmp_path_factory.mktemp("cloud")
    run(home)
    with duckdb.connect() as connection:
        events = home / "landing" / "cloud" / "billing_events"
        typed = "\nunion all\n".join(TYPED.format(file=file) for file in sorted(events.glob("*/*.csv")))
        connection.execute(EVENTS.format(events=events, typed=typed))
        connection.execute(FOCUS.format(files="\nunion all\n".join(focus_files(home / "landing"))))
        yield connection, home


def faults_of(home: Path, source: str) -> Rows:
    return [row for row in read(home / "truth" / "cloud_faults.csv") if row["source"] == source]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, wanted=MONTHS[:2], seed=seed)
    first = bytes_of(tmp_path / "a")
    assert {Path(name).name.partition(".")[2] for name in first} == {"csv", "csv.gz", "parquet", "json"}
    assert first == bytes_of(tmp_path / "b")
    assert first != bytes_of(tmp_path / "c")


def test_each_planted_row_is_in_the_file_that_the_truth_names(simulated: tuple[duckdb.DuckDBPyConnection, Path]) -> None:
    connection, home = simulated
    told = faults_of(home, "billing_events")
    assert {row["kind"] for row in told} == {*EVENT_KINDS, "beyond_lookback"}
    found = {
        (batch, file, str(number)): rest
        for batch, file, number, *rest in connection.execute(
            "select batch_id, file_name, row_number, coalesce(event_id, ''), coalesce(tenant_id, 'default'), account_id,"
            " usage_date, cost, currency, ingested_at, is_deleted, arrival from sent"
        ).fetchall()
    }
    for row in told:
        if row["kind"] == "redelivered":
            sent, again = (home / "landing" / row[name] / row["file_name"] for name in ("first_batch", "planted_in_batch"))
            assert sent.read_bytes() == again.read_bytes()
            continue
        event, tenant, account, day, cost, currency, ingested, deleted, arrival = found[
            row["planted_in_batch"], row["file_name"], row["row_number"]
        ]
        assert (tenant, account) == (row["tenant_id"], row["account_id"])
        leaves = row["kind"] == "moved" and row["cost_effect"].startswith("-")
        assert (day == row["usage_date"]) != leaves
        assert event == ("" if row["kind"] == "null_key" else row["event_id"])
        assert deleted == (row["kind"] == "deletion")
        assert (cost < 0) == (row["kind"] == "negative_cost")
        assert (currency != "USD") == (row["kind"] == "unknown_currency")
        assert ("T24:61" in ingested) == (row["kind"] == "impossible_timestamp")
        assert ((arrival.date() - date.fromisoformat(day)).days > 90) == (row["kind"] == "beyond_lookback")


def test_each_account_day_costs_what_the_truth_says(simulated: tuple[duckdb.DuckDBPyConnection, Path]) -> None:
    connection, home = simulated
    told = {
        (row["tenant_id"], row["account_id"], row["usage_date"]): (Decimal(row["cost"]), int(row["events"]))
        for row in read(home / "truth" / "cloud_daily_cost.csv")
    }
    found = {tuple(row[:3]): (Decimal(row[3]), row[4]) for row in connection.execute(COUNTED).fetchall()}
    charged = connection.execute(
        "select 'default', account, day, sum(cost)::varchar, count(*) from charges group by account, day"
    ).fetchall()
    assert not found.keys() & {tuple(row[:3]) for row in charged}, "no cost comes from both"
    found |= {tuple(row[:3]): (Decimal(row[3]), row[4]) for row in charged}
    assert found == told
    assert {key[0] for key in told} == {"GLOBEX", "NORTHWIND", "default"}


def test_the_effects_lead_from_what_came_first_to_what_counts(simulated: tuple[duckdb.DuckDBPyConnection, Path]) -> None:
    connection, home = simulated
    told = faults_of(home, "billing_events")
    wrong = {(row["planted_in_batch"], row["file_name"], row["row_number"]) for row in told}
    again = {row["planted_in_batch"] for row in told if row["kind"] == "redelivered"}
    usual = Counter[tuple[str, str]]()
    total: dict[tuple[str, str], Decimal] = {}
    for batch, file, number, account, day, cost, deleted in connection.execute(
        "select batch_id, file_name, row_number, account_id, usage_date, cost, is_deleted from sent"
    ).fetchall():
        if (batch, file, str(number)) not in wrong and batch not in again and not deleted:
            total[account, day] = total.get((account, day), Decimal(0)) + cost
            usual[account, day] += 1
    for row in told:
        if row["kind"] != "redelivered":
            key = (row["account_id"], row["usage_date"])
            total[key] = total.get(key, Decimal(0)) + Decimal(row["cost_effect"])
    counted: dict[tuple[str, str], Decimal] = {}
    for _, account, day, cost, _ in connection.execute(COUNTED).fetchall():
        counted[account, day] = Decimal(cost)
    assert {key: cost for key, cost in total.items() if cost} == counted
    assert sum(usual.values()) > 25_000


def test_invoices_tie_to_their_charges_but_where_a_difference_was_planted(
    simulated: tuple[duckdb.DuckDBPyConnection, Path],
) -> None:
    connection, home = simulated
    invoiced = {
        (row["provider"], row["billing_period"], row["invoice_id"]): Decimal(row["amount"])
        for file in (home / "landing" / "cloud" / "cloud_invoices").glob("*/*.csv")
        for row in read(file)
    }
    charged = {
        tuple(row[:3]): Decimal(row[3])
        for row in connection.execute("select provider, period, invoice, sum(cost)::varchar from charges group by all").fetchall()
    }
    differences = {
        key[1:]: charged.get(key, Decimal(0)) - invoiced.get(key, Decimal(0))
        for key in invoiced.keys() | charged.keys()
        if charged.get(key) != invoiced.get(key)
    }
    told = faults_of(home, "cloud_invoices")
    assert differences == {(row["month"], row["invoice_id"]): Decimal(row["cost_effect"]) for row in told}
    assert {row["kind"] for row in told} == set(INVOICE_KINDS)
    assert {row["month"] for row in told} <= {"2024-04", "2024-05", "2024-06"}
    assert sum(cost < 0 for (cost,) in connection.execute("select cost from charges").fetchall()) > 5
    assert len(charged) > 3 * len(MONTHS), "notes for what came after the invoice"


def test_faults_of_exports_are_in_the_files(tmp_path: Path) -> None:
    plan = tmp_path / "faults.toml"
    kinds = "\n".join(f"{kind} = 1" for kind in EXPORT_KINDS)
    plan.write_text(f"[cloud]\nrecent_months = 1\n[cloud.exports]\n{kinds}\n", encoding="utf-8")
    run(tmp_path, wanted=MONTHS[:1], faults=str(plan), events_per_day=5)
    told = [row for source in ("focus", "focus_delta") for row in faults_of(tmp_path, source)]
    assert {row["kind"] for row in told} == set(EXPORT_KINDS)
    for row in told:
        assert (tmp_path / "landing" / row["planted_in_batch"] / row["file_name"]).exists()
    (broken,) = (row for row in told if row["kind"] == "impossible_charge")
    rows = read(tmp_path / "landing" / broken["planted_in_batch"] / broken["file_name"])
    assert [number for number, row in enumerate(rows, 1) if "T24:61" in row["ChargePeriodStart"]] == [int(broken["row_number"])]
    (restated,) = (row for row in told if row["kind"] == "overwritten")
    assert Decimal(restated["cost_effect"]) < 0, "the last export charges less than those before it"


def test_shares_and_levels_are_believable(simulated: tuple[duckdb.DuckDBPyConnection, Path]) -> None:
    connection, home = simulated
    ((rows, days, largest, median, negative),) = connection.execute(
        "select count(*), count(distinct usage_date), max(cost)::double, median(cost)::double,"
        # A batch that is delivered again brings its bad rows again.
        " count(distinct (file_name, row_number)) filter (cost < 0) from sent"
    ).fetchall()
    assert 130 < rows / days < 175
    assert largest > 20 * median, "few events are most of the cost"
    told = faults_of(home, "billing_events")
    per_month = Counter(row["month"] for row in told if row["kind"] in BAD_KINDS)
    assert len(per_month) == len(MONTHS)
    assert max(per_month.values()) * 100 < rows / len(MONTHS)
    assert negative == sum(row["kind"] == "negative_cost" for row in told)
    late = sum(row["kind"] == "late" for row in told)
    assert 0.002 < late / rows < 0.02
    working, weekend = (
        value
        for (value,) in connection.execute(
            "select avg(cost)::double from (select usage_date, sum(cost) as cost from sent where cost > 0 group by all)"
            " group by isodow(usage_date::date) > 5 order by 1 desc"
        ).fetchall()
    )
    assert weekend < 0.95 * working
    ((same_id,),) = connection.execute(
        "select count(*) from (select event_id from sent group by all having count(distinct coalesce(tenant_id, '')) > 1)"
    ).fetchall()
    assert same_id > 1000, "ids are unique within a tenant only"


def test_every_day_is_delivered_for_after_it_and_batches_are_few(simulated: tuple[duckdb.DuckDBPyConnection, Path]) -> None:
    connection, home = simulated
    early = connection.execute(
        "select distinct arrival from sent where ingested_at not like '%T24:61%' and ingested_at::timestamp >= arrival"
    ).fetchall()
    assert early == [], "nothing is taken in after it was sent"
    days = connection.execute(
        "select usage_date, min(arrival - usage_date::timestamp) from sent group by all order by 1"
    ).fetchall()
    assert len(days) == sum(months.days_in(month) for month in MONTHS)
    assert all(26 * 3600 <= lag.total_seconds() <= 30 * 3600 for _, lag in days), "between 02:00 and 06:00 of the next day"
    batches = len(list((home / "landing" / "cloud" / "billing_events").iterdir()))
    assert batches <= len(days) * 1.1
    last = max(each.name for each in (home / "landing" / "cloud" / "focus").iterdir())
    assert last[:8] == "20240704"


def test_without_faults_nothing_is_wrong(tmp_path: Path) -> None:
    run(tmp_path, wanted=MONTHS[:1], faults="none", events_per_day=20)
    assert read(tmp_path / "truth" / "cloud_faults.csv") == []
    assert {file.parent.name for file in (tmp_path / "landing" / "cloud").glob("*/*")} == {
        "accounts",
        "billing_events",
        "cloud_invoices",
        "focus",
        "pricing_models",
        "regions",
        "services",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[cloud.events]\nbananas = 1", "has no kind bananas"),
        ("[cloud.invoices]\nlate = 1", "has no kind late"),
        ("[cloud]\nbananas = 1", "bananas"),
        ("[cloud.exports]\ndelta = -1", "greater than or equal to 0"),
    ],
)
def test_a_plan_that_cannot_be_understood_leaves_no_file_of_either_stream(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text, encoding="utf-8")
    settings = home_settings(tmp_path / "home", first_month="2024-01", last_month="2024-01")
    with pytest.raises(UsageError, match=reason):
        both(settings, faults=str(file))
    assert not settings.landing_path.exists()


def both(settings: Settings, *, faults: str = "none", only: str | None = None) -> None:
    simulate_sources(
        deployment_of(settings),
        {name: simulator for name, simulator in simulators().items() if name in ("colocation", "cloud")},
        settings.months,
        options={"contracts": 3, "sites": 1, "events_per_day": 5},
        seed=1,
        faults=faults,
        say=lambda _: None,
        only=only,
    )


def test_the_streams_can_be_simulated_one_after_the_other_and_each_once(tmp_path: Path) -> None:
    apart, together = (
        home_settings(tmp_path / name, first_month="2024-01", last_month="2024-01") for name in ("apart", "together")
    )
    both(together)
    both(apart, only="cloud")
    with pytest.raises(RevenueIntegrityError, match="holds batches already"):
        both(apart, only="cloud")
    both(apart, only="colocation")
    assert bytes_of(apart.home) == bytes_of(together.home)
    with pytest.raises(UsageError, match="no simulator of the stream 'nowhere'"):
        both(apart, only="nowhere")


def test_a_home_with_a_users_batches_is_never_simulated_into(tmp_path: Path) -> None:
    user = home_settings(tmp_path / "user", first_month="2024-01", last_month="2024-01")
    both(user, only="colocation")
    (user.home / "demo").unlink()
    with pytest.raises(RevenueIntegrityError, match="holds batches already"):
        both(user, only="cloud")
    assert not (user.landing_path / "cloud").exists()


def test_a_stream_writes_below_its_own_name(tmp_path: Path) -> None:
    run(tmp_path, wanted=MONTHS[:1], faults="none", events_per_day=5)
    assert [each.name for each in (tmp_path / "landing").iterdir()] == ["cloud"]


def test_at_least_one_event_a_day_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot simulate 0 billing events a day"):
        run(tmp_path, events_per_day=0)
