"""The simulated source systems: the same bytes each time, nothing wrong unless planted, and planted cents exactly as told.

The expected side is the pipeline's own ``expected_charges`` and ``invoice_lines``; the simulator computes what is due by
itself, so that either being wrong shows.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from revenue_integrity import months
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.errors import UsageError
from revenue_integrity.model.simulator import Simulated
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.simulate.late import late_posting
from revenue_integrity.streams.colocation.simulate.plan import BILLING_KINDS, LOOK_ALIKE_KINDS, POWER_KINDS
from revenue_integrity.streams.colocation.simulate.program import simulate
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.streams.registry import load_settings
from revenue_integrity_tests.cases import computed_case

FIRST, LAST = date(2024, 1, 1), date(2024, 4, 1)

Rows = list[dict[str, str]]
Key = tuple[str, str, str, str]

COMPARED = ("invoice_lines", "expected_charges", "power_bills")
"""The tables that the comparisons below read."""

DIFFERENCES = """
select
    strftime(coalesce(e.month, d.month), '%Y-%m'),
    coalesce(e.customer_id, d.customer_id, ''),
    coalesce(e.contract_id, d.contract_id, ''),
    coalesce(e.charge_type, d.charge_type),
    (coalesce(e.cents, 0) - coalesce(d.cents, 0))::bigint as variance
from (
    select month, customer_id, contract_id, charge_type, sum(amount_cents) as cents
    from curated.invoice_lines
    {where}
    group by all
) as e
full join (
    select month, customer_id, contract_id, charge_type, sum(amount_cents) as cents
    from mart.expected_charges
    group by all
) as d
    on e.month = d.month
    and e.customer_id is not distinct from d.customer_id
    and e.contract_id is not distinct from d.contract_id
    and e.charge_type = d.charge_type
where coalesce(e.cents, 0) <> coalesce(d.cents, 0)
"""

POWER_DIFFERENCES = """
select strftime(b.month, '%Y-%m'), b.site_id, (coalesce(c.cents, 0) - b.total_cents)::bigint
from curated.power_bills as b
left join (
    select month, site_id, sum(amount_cents) as cents from raw.erp_power_costs where row_status = 'surviving' group by all
) as c on b.month = c.month and b.site_id = c.site_id
where coalesce(c.cents, 0) <> b.total_cents
"""

LOOSE_TOTALS = """
with
    lines as (
        select month, count(*) as lines, sum(amount_cents) as cents
        from raw.erp_invoices
        where row_status = 'surviving'
        group by month
    ),

    latest as (
        select month, lines, amount_cents
        from raw.erp_control_totals
        where row_status = 'surviving'
        qualify row_number() over (partition by month order by extracted_at desc) = 1
    )

select month, t.lines, t.amount_cents, s.lines, s.cents
from latest as t
full join lines as s using (month)
where t.lines is distinct from s.lines or t.amount_cents is distinct from s.cents
"""


def run(home: Path, *, contracts: int, faults: str, seed: int = 1, sites: int = 2) -> tuple[Settings, Simulated]:
    settings = load_settings(home=home, first_month=FIRST, last_month=LAST)
    summary = simulate(
        settings.landing_path,
        home / "truth",
        months=settings.months,
        contracts=contracts,
        sites=sites,
        seed=seed,
        faults=faults,
        cutoff=lambda month: cutoff(month, settings),
    )
    return settings, summary


def read(file: Path) -> Rows:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def bytes_of(home: Path) -> dict[str, bytes]:
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[duckdb.DuckDBPyConnection, Settings, Path]]:
    """Compute a world with faults: the last two months keep them, in the first two they are mended."""
    home = tmp_path_factory.mktemp("faulty")
    plan = home / "faults.toml"
    lines = ["recent_months = 2", "bad_readings = 2", "bad_lines = 1", "repeated_readings = 0.01", "rejected_batch = true"]
    lines += ["[open]", *(f"{kind} = 1" for kind in (*BILLING_KINDS, *POWER_KINDS))]
    lines += ["[cured]", *(f"{kind} = 1" for kind in BILLING_KINDS)]
    lines += ["[look_alikes]", *(f"{kind} = 1" for kind in LOOK_ALIKE_KINDS)]
    plan.write_text("\n".join(lines), encoding="utf-8")
    settings, _ = run(home, contracts=60, faults=str(plan), sites=4)
    with computed_case(settings, COLOCATION, *COMPARED, "recon_causes", "contract_month", "site_month") as connection:
        yield connection, settings, home / "truth"


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, contracts=12, faults="default", seed=seed)
    first = bytes_of(tmp_path / "a")
    assert {Path(name).name.partition(".")[2] for name in first} == {"csv", "csv.gz", "parquet", "json"}
    assert first == bytes_of(tmp_path / "b")
    assert first != bytes_of(tmp_path / "c")


def test_without_faults_everything_ties_to_zero(tmp_path: Path) -> None:
    settings, summary = run(tmp_path, contracts=20, faults="none")
    assert summary.faults == 0
    assert [row for row in read(tmp_path / "truth" / "faults.csv") if row["view"] == "current"] == []
    assert read(tmp_path / "truth" / "bad_rows.csv") == []
    with computed_case(settings, COLOCATION, *COMPARED) as connection:
        assert connection.execute("select * from meta.quarantine").fetchall() == []
        assert connection.execute(DIFFERENCES.format(where="")).fetchall() == []
        # Nothing is late either: billing ends before the cutoff.
        assert connection.execute(DIFFERENCES.format(where="where not late")).fetchall() == []
        assert connection.execute(POWER_DIFFERENCES).fetchall() == []
        assert connection.execute(LOOSE_TOTALS).fetchall() == []
        (counted,) = connection.execute(
            "select count(distinct charge_type), count(distinct month), count(distinct batch_id) > 4 from curated.invoice_lines"
        ).fetchall()
        assert counted[1] == 4
        assert counted[0] >= 4


def test_the_truth_tells_the_cents_of_each_row_that_is_off(
    faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path],
) -> None:
    connection, _, truth = faulty
    told: Counter[Key] = Counter()
    for row in read(truth / "faults.csv"):
        if row["recon"] == "erp_vs_mart" and row["view"] == "current" and not row["cured_at"]:
            told[row["month"], row["customer_id"], row["contract_id"], row["charge_type"]] += int(row["cents"])
    found = {tuple(row[:4]): row[4] for row in connection.execute(DIFFERENCES.format(where="")).fetchall()}
    assert found == dict(told)
    power = {
        (row["month"], row["site_id"]): int(row["cents"])
        for row in read(truth / "faults.csv")
        if row["recon"] == "erp_vs_allocated_power" and row["view"] == "current"
    }
    assert {tuple(row[:2]): row[2] for row in connection.execute(POWER_DIFFERENCES).fetchall()} == power
    assert power


def test_the_truth_tells_the_late_lines(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    connection, _, truth = faulty
    told = Counter(
        (row["month"], row["contract_id"], row["charge_type"], -int(row["cents"]), row["planted_in_batch"])
        for row in read(truth / "faults.csv")
        if row["recon"] == "erp_vs_mart" and row["view"] == "as_of_close"
    )
    found = Counter(
        connection.execute(
            "select strftime(month, '%Y-%m'), coalesce(contract_id, ''), charge_type, amount_cents, batch_id"
            " from curated.invoice_lines where late"
        ).fetchall()
    )
    assert found == told
    assert told


def test_every_kind_is_planted_and_early_months_are_mended(
    faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path],
) -> None:
    connection, _, truth = faulty
    rows = read(truth / "faults.csv")
    open_causes = {row["cause"] for row in rows if not row["cured_at"]}
    assert open_causes == {*BILLING_KINDS, *POWER_KINDS}
    cured = [row for row in rows if row["cured_at"]]
    assert {row["month"] for row in cured} <= {"2024-01", "2024-02"}
    assert len({row["cause"] for row in cured}) >= 13
    batches = {row[0] for row in connection.execute("select batch_id from meta.batches").fetchall()}
    assert {row["planted_in_batch"] for row in rows} <= batches
    assert {row["cured_by_batch"] for row in cured} <= batches
    assert all(row["cured_by_batch"] > row["planted_in_batch"] for row in cured if "mapping" not in row["cured_by_batch"])


def test_moves_add_up_to_zero(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    moved: Counter[str] = Counter()
    for row in read(faulty[2] / "faults.csv"):
        if row["cause"] in ("period_shift", "wrong_contract"):
            moved[row["cause"]] += int(row["cents"])
    assert moved == {"period_shift": 0, "wrong_contract": 0}


def test_look_alikes_are_no_differences(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    connection, _, truth = faulty
    rows = read(truth / "look_alikes.csv")
    assert {row["kind"] for row in rows} == set(LOOK_ALIKE_KINDS)
    off = {tuple(row[:4]) for row in connection.execute(DIFFERENCES.format(where="")).fetchall()}
    for row in rows:
        key = (row["month"], row["customer_id"], row["contract_id"], row["charge_type"])
        assert key not in off
        (lines,) = connection.execute(
            "select count(*) from curated.invoice_lines"
            " where strftime(month, '%Y-%m') = ? and contract_id = ? and charge_type = ?",
            [row["month"], row["contract_id"], row["charge_type"]],
        ).fetchall()
        assert lines[0] >= 2


def test_only_planted_rows_are_refused(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    connection, _, truth = faulty
    told = Counter((row["batch_id"], row["file_name"], row["row_number"]) for row in read(truth / "bad_rows.csv"))
    found = Counter(
        (batch, file or "", "" if number is None else str(number))
        for batch, file, number in connection.execute("select batch_id, file_name, row_number from meta.quarantine").fetchall()
    )
    assert found == told
    assert sum(found.values()) > 8
    (duplicates,) = connection.execute("select sum(exact_duplicates) from meta.batches").fetchall()
    assert duplicates[0] > 0
    assert connection.execute("select count(*) from meta.batches where status <> 'loaded'").fetchall() == [(1,)]


def test_control_totals_tie_to_the_lines_that_stand(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    assert faulty[0].execute(LOOSE_TOTALS).fetchall() == []


def test_every_erp_source_delivers_after_each_cutoff(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    connection, settings, _ = faulty
    for month in settings.months:
        following = cutoff(months.add(month, 1), settings)
        for source in ("erp_invoices", "erp_mapping", "erp_power_costs", "erp_control_totals"):
            (between,) = connection.execute(
                "select count(*) from meta.batches where source = ? and arrival >= ? and arrival < ?",
                [source, cutoff(month, settings), following],
            ).fetchall()
            assert between[0] >= 1, (source, month)


def test_levels_are_those_of_the_trade(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    connection = faulty[0]
    (terms,) = connection.execute(
        "select min(kw_price), max(kw_price), min(reserved_kw / racks), max(reserved_kw / racks) from curated.contract_terms"
    ).fetchall()
    assert terms[0] > 110
    assert terms[1] < 220
    assert terms[2] >= 3
    assert terms[3] < 15  # temporary power comes on top of 12 kW a rack
    (usage,) = connection.execute("select avg(power_utilization) from mart.contract_month").fetchall()
    assert 0.35 < usage[0] < 0.75
    (sites,) = connection.execute("select min(pue), max(pue), max(sold_share) from mart.site_month").fetchall()
    assert sites[0] >= 1.2
    assert sites[1] <= 1.6
    assert sites[2] < 1
    (days,) = connection.execute(
        "select avg((kwh > estimated_kwh)::integer), avg(is_late::integer) from curated.meter_daily"
    ).fetchall()
    assert days[0] > 0.98
    assert 0 < days[1] < 0.05


def test_a_late_posting_comes_after_everything_and_keeps_the_totals_tied(tmp_path: Path) -> None:
    settings, _ = run(tmp_path, contracts=6, faults="none", sites=1)

    def batches() -> set[str]:
        return {"/".join(found.parts[-3:]) for found in settings.landing_path.glob("*/*/*")}

    before = batches()
    batch = late_posting(settings.landing_path, month=FIRST, cutoff=lambda month: cutoff(month, settings))
    assert batch.startswith("colocation/erp_invoices/")
    assert batches() - before == {batch, batch.replace("erp_invoices", "erp_control_totals")}
    assert all(batch.rpartition("/")[2] > found.rpartition("/")[2] for found in before)
    with computed_case(settings, COLOCATION, *COMPARED) as connection:
        assert [row[0] + row[3] + str(row[4]) for row in connection.execute(DIFFERENCES.format(where="")).fetchall()] == [
            "2024-01other418000"
        ]
        assert connection.execute(DIFFERENCES.format(where="where not late")).fetchall() == []
        assert connection.execute(LOOSE_TOTALS).fetchall() == []


def test_a_late_posting_must_be_late_and_have_a_month_to_belong_to(tmp_path: Path) -> None:
    settings, _ = run(tmp_path, contracts=3, faults="none", sites=1)

    def cut(month: date) -> datetime:
        return cutoff(month, settings)

    with pytest.raises(UsageError, match="is not late for 2024-04"):
        late_posting(settings.landing_path, month=LAST, cutoff=cut, arrival=datetime(2024, 5, 2, tzinfo=UTC))
    with pytest.raises(UsageError, match="holds no invoice line of 2023-01"):
        late_posting(settings.landing_path, month=date(2023, 1, 1), cutoff=cut)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[open]\nbananas = 1", "has no kind bananas"),
        ("[cured]\nunbooked = 1", "has no kind unbooked"),
        ("bad_readings = -1", "greater than or equal to 0"),
        ("bananas = 1", "bananas"),
        ("[open", "is not TOML"),
        ("[colocation.open]\nbananas = 1", "has no kind bananas"),
        ("[colocation.opne]\nunbilled = 1", "opne"),
        ("[opne]\nunbilled = 1", "opne"),
    ],
)
def test_a_plan_that_cannot_be_understood_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=reason):
        run(tmp_path / "home", contracts=3, faults=str(file))
    assert not (tmp_path / "home" / "landing").exists()


def test_an_unknown_name_of_faults_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="defualt cannot be read"):
        run(tmp_path, contracts=3, faults="defualt")


def test_the_causes_found_are_the_faults_planted(faulty: tuple[duckdb.DuckDBPyConnection, Settings, Path]) -> None:
    connection, _, truth = faulty
    told: Counter[tuple[str, ...]] = Counter()
    names = ("recon", "month", "customer_id", "contract_id", "site_id", "charge_type", "cause")
    for row in read(truth / "faults.csv"):
        if not row["cured_at"]:
            # What is off in the current view is off as of the close too; what was late is off only there.
            for view in {row["view"], "as_of_close"}:
                told[view, *(row[name] for name in names)] += int(row["cents"])
    found: Counter[tuple[str, ...]] = Counter()
    for *key, cents in connection.execute(
        "select view, recon, strftime(month, '%Y-%m'), coalesce(customer_id, ''), coalesce(contract_id, ''),"
        " coalesce(site_id, ''), coalesce(charge_type, ''), cause, cause_cents"
        " from recon.recon_causes where recon in ('erp_vs_mart', 'erp_vs_allocated_power')"
    ).fetchall():
        found[tuple(key)] += cents
    assert found == told
