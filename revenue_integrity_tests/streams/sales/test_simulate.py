"""The simulated shop: the same bytes each time, nothing wrong unless planted, and every cause found as planted.

The simulator works out by itself what a sale comes to; the pipeline reads it out of JSON, so that either being wrong shows.
"""

import csv
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from revenue_integrity.close.calendar import cutoff
from revenue_integrity.errors import UsageError
from revenue_integrity.model.simulator import Simulated
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.simulate.late import late_sale
from revenue_integrity.streams.sales.simulate.plan import CURED_KINDS, KINDS, LOOK_ALIKE_KINDS, QUARANTINED, USUAL_KINDS
from revenue_integrity.streams.sales.simulate.program import simulate
from revenue_integrity.streams.sales.simulate.shop import Item, Product, Sale, split_tax
from revenue_integrity.streams.sales.simulate.spoiling import JUNK, REAL, RETURNED
from revenue_integrity.streams.sales.stream import SALES
from revenue_integrity_tests.cases import computed_case

FIRST, LAST = date(2024, 10, 1), date(2025, 1, 1)

Key = tuple[str, ...]
Rows = list[dict[str, str]]

SEEDS = (1, 2, 3, 4, 5)


def run(home: Path, *, transactions: int, faults: str, seed: int = 1, last: date = LAST) -> tuple[SalesSettings, Simulated]:
    settings = SalesSettings(home=home, first_month=FIRST, last_month=last, threads=1)
    summary = simulate(
        settings.landing_path,
        home / "truth",
        months=settings.months,
        transactions=transactions,
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


def plan_of(home: Path) -> str:
    """Write rates of which every kind comes about in a small world: the last two months keep their faults."""
    lines = ["[sales]", "recent_months = 2", f"bad_rows = {(len(JUNK) + 1) // 2}", "unknown_customers = 1"]
    lines += ["[sales.open]", *(f"{kind} = {6 if kind == QUARANTINED else 1}" for kind in KINDS)]
    lines += ["[sales.usual]", *(f"{kind} = 0.5" for kind in USUAL_KINDS)]
    lines += ["[sales.cured]", *(f"{kind} = {2 if kind == QUARANTINED else 0.5}" for kind in CURED_KINDS)]
    lines += ["[sales.look_alikes]", *(f"{kind} = 0.7" for kind in LOOK_ALIKE_KINDS)]
    file = home / "faults.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


def causes_told(truth: Path) -> "Counter[Key]":
    """Return the cents of every cause that must be found, by view, reconciliation, place and cause."""
    told: Counter[Key] = Counter()
    for row in read(truth / "sales_faults.csv"):
        if row["cured_at"]:
            continue
        # What is off in the ledger now is off as of the close too; what was late is off only there.
        views = {row["view"], "as_of_close"} if row["recon"] == "sales_vs_ledger" else {row["view"]}
        for view in views:
            place = (row["region"].casefold(), row["category"].casefold(), row["transaction_id"])
            told[view, row["recon"], row["month"], *place, row["cause"]] += int(row["cents"])
    return told


def causes_found(connection: duckdb.DuckDBPyConnection) -> "Counter[Key]":
    found: Counter[Key] = Counter()
    for *key, cents in connection.execute(
        "select view, recon, strftime(month, '%Y-%m'), lower(coalesce(region, '')), lower(coalesce(category, '')),"
        " coalesce(transaction_id, ''), cause, cause_cents from recon.sales_recon_causes"
    ).fetchall():
        found[tuple(key)] += cents
    return found


Worlds = dict[int, tuple[Path, "Counter[Key]", dict[tuple[str, str, int], str], set[tuple[str, str]]]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    """Return of each seed its home, the causes found, the refused rows with their words, and the batches with their status."""
    found = {}
    for seed in SEEDS:
        home = tmp_path_factory.mktemp("faulty")
        settings, _ = run(home, transactions=130, faults=plan_of(home), seed=seed)
        with computed_case(settings, SALES, "sales_recon_causes") as connection:
            refused = connection.execute("select batch_id, file_name, row_number, dq_errors from meta.quarantine").fetchall()
            batches = connection.execute("select batch_id, status from meta.batches").fetchall()
            found[seed] = (home, causes_found(connection), {row[:3]: row[3] for row in refused}, set(batches))
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, transactions=40, faults="default", seed=seed)
    first = bytes_of(tmp_path / "a")
    assert {Path(name).name.partition(".")[2] for name in first} >= {"json", "jsonl", "jsonl.gz", "csv"}
    assert first == bytes_of(tmp_path / "b")
    assert first != bytes_of(tmp_path / "c")


def test_without_faults_everything_ties_to_zero(tmp_path: Path) -> None:
    settings, summary = run(tmp_path, transactions=150, faults="none", seed=4, last=date(2024, 11, 1))
    assert summary.faults == 0
    assert read(tmp_path / "truth" / "sales_faults.csv") == []
    with computed_case(settings, SALES, "sales_recon_causes", "fact_sales") as connection:
        assert connection.execute("select * from meta.quarantine").fetchall() == []
        assert connection.execute("select * from recon.sales_recon_results where variance_cents <> 0").fetchall() == []
        compared = connection.execute("select recon, count(*) from recon.sales_recon_results group by recon order by recon")
        assert [name for name, _ in compared.fetchall()] == ["loaded_vs_sent", "sales_vs_ledger", "sales_vs_settlements"]
        (flagged,) = connection.execute(
            "select count(*) filter (date_ambiguous or date_other_order or customer_status <> 'known') from curated.sales_lines"
        ).fetchall()
        assert flagged == (0,)


def test_the_causes_found_are_the_faults_planted(worlds: Worlds) -> None:
    told: Counter[tuple[object, ...]] = Counter()
    found: Counter[tuple[object, ...]] = Counter()
    for seed, (home, causes, _, _) in worlds.items():
        told.update({(seed, key, cents): 1 for key, cents in causes_told(home / "truth").items()})
        found.update({(seed, key, cents): 1 for key, cents in causes.items()})
    hits = (told & found).total()
    assert hits >= 0.99 * told.total(), sorted((told - found).elements(), key=str)
    assert hits >= 0.99 * found.total(), sorted((found - told).elements(), key=str)
    assert told.total() > 400


def test_every_kind_is_planted(worlds: Worlds) -> None:
    rows = [row for home, *_ in worlds.values() for row in read(home / "truth" / "sales_faults.csv")]
    assert {row["kind"] for row in rows if not row["cured_at"]} == {*KINDS}
    assert {row["kind"] for row in rows if row["cured_at"]} == {*CURED_KINDS}


def test_every_cause_of_the_stream_is_planted(worlds: Worlds) -> None:
    assert SALES.reconciliations is not None
    declared = {(each.name, cause) for each in SALES.reconciliations.declared if each.causes for cause in each.causes.families}
    told = {(row["recon"], row["cause"]) for home, *_ in worlds.values() for row in read(home / "truth" / "sales_faults.csv")}
    # A shop that counts in cents is never a cent off.
    assert declared - told == {("loaded_vs_sent", "rounding")}


def test_what_moves_adds_up_to_zero(worlds: Worlds) -> None:
    moved: Counter[str] = Counter()
    for home, *_ in worlds.values():
        for row in read(home / "truth" / "sales_faults.csv"):
            if row["cause"] in ("period_shift", "wrong_region", "wrong_category", "in_transit"):
                moved[row["cause"]] += int(row["cents"])
    assert moved == {"period_shift": 0, "wrong_region": 0, "wrong_category": 0, "in_transit": 0}


def test_look_alikes_have_no_cause(worlds: Worlds) -> None:
    kinds, labelled = set(), []
    for home, causes, *_ in worlds.values():
        transactions = {key[5] for key in causes if key[5]}
        cells = {key[2:5] for key in causes if key[1] == "sales_vs_ledger"}
        for row in read(home / "truth" / "sales_look_alikes.csv"):
            kinds.add(row["kind"])
            cell = (row["month"], row["region"].casefold(), row["category"].casefold())
            labelled += [row] if row["transaction_id"] in transactions or (row["region"] and cell in cells) else []
    assert kinds == {*LOOK_ALIKE_KINDS}
    assert labelled == []


def test_bad_rows_are_refused_one_by_one_for_every_reason(worlds: Worlds) -> None:
    faults = set()
    for home, _, refused, _ in worlds.values():
        told = read(home / "truth" / "sales_bad_rows.csv")
        assert {(row["batch_id"], row["file_name"], int(row["row_number"])) for row in told} == set(refused)
        faults |= {row["fault"] for row in told}
    assert faults >= {*REAL, *JUNK, RETURNED, "email", "points_below_0", "list_price_below_0", "charge_of_0.00"}


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("no_customer", "customer_id"),
        ("foreign_currency", "currency"),
        ("tax_of_other_sign", "tax has another sign"),
        ("changed_in_the_future", "updated_at lies more than 24 hours"),
        ("price_with_comma", "price"),
        ("discount_with_comma", "discount"),
        ("discount_above_one", "discount is not between 0 and 1"),
        (RETURNED, "quantity is not positive"),
        ("day_that_is_none", "sold_at"),
        ("basket_of_nothing", "items"),
        ("name_twice", "twice"),
    ],
)
def test_the_reason_names_what_is_wrong(worlds: Worlds, fault: str, word: str) -> None:
    reasons = [
        refused[row["batch_id"], row["file_name"], int(row["row_number"])]
        for home, _, refused, _ in worlds.values()
        for row in read(home / "truth" / "sales_bad_rows.csv")
        if row["fault"] == fault
    ]
    assert reasons
    assert all(word in reason for reason in reasons), reasons


def test_what_was_planted_names_batches_that_were_loaded(worlds: Worlds) -> None:
    for home, _, _, batches in worlds.values():
        assert {status for _, status in batches} == {"loaded"}
        named = {row["planted_in_batch"] for row in read(home / "truth" / "sales_faults.csv")}
        assert named <= {name for name, _ in batches}


@pytest.fixture
def small(tmp_path: Path) -> SalesSettings:
    settings, _ = run(tmp_path, transactions=25, faults="none", last=date(2024, 11, 1))
    return settings


def test_a_late_sale_ties_and_is_late_in_the_view_as_of_close(small: SalesSettings) -> None:
    batch = late_sale(small.landing_path, month=date(2024, 10, 1), cutoff=lambda month: cutoff(month, small))
    assert batch.startswith("sales/transactions/")
    with computed_case(small, SALES, "sales_recon_causes") as connection:
        found = connection.execute(
            "select recon, view, strftime(month, '%Y-%m'), variance_cents from recon.sales_recon_results"
            " where variance_cents <> 0"
        ).fetchall()
        assert found == [("sales_vs_ledger", "as_of_close", "2024-10", -4_200)]
        assert connection.execute("select cause from recon.sales_recon_causes").fetchall() == [("late_posting",)]


def test_a_late_sale_is_refused_before_the_cutoff_and_for_a_month_without_sales(small: SalesSettings) -> None:
    def ends(month: date) -> datetime:
        return cutoff(month, small)

    with pytest.raises(UsageError, match="not late for 2024-10"):
        late_sale(small.landing_path, month=date(2024, 10, 1), cutoff=ends, arrival=datetime(2024, 11, 2, tzinfo=UTC))
    with pytest.raises(UsageError, match="no sale of 2026-01"):
        late_sale(small.landing_path, month=date(2026, 1, 1), cutoff=ends)


def test_rates_of_a_kind_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text("[sales.open]\nwrong_mood = 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="wrong_mood"):
        run(tmp_path, transactions=3, faults=str(file))
    with pytest.raises(UsageError, match="cannot simulate 0 transactions"):
        run(tmp_path, transactions=0, faults="none")


def test_the_tax_of_a_basket_is_split_as_on_paper() -> None:
    # 0.10 over 1.00, 1.00 and 1.00: 3.33 cents each, so the first line has the cent that is left.
    product = Product("P-1", "Pen", "Office", 10_000)
    items = [Item(line, product, 1_000, 10_000, 0, tax) for line, tax in ((1, 4), (2, 4), (3, 2))]
    sale = Sale("T-1", "C-1", "North", datetime(2024, 10, 5, tzinfo=UTC), items, "card", "web", 0, tax_of_basket=True)
    split_tax(sale)
    assert [item.tax for item in items] == [4, 3, 3]
    # 2 at 1.005 less 7.5 %: 2.01 and 1.85925.
    item = Item(1, product, 2_000, 10_050, 75_000)
    assert (item.gross, item.total) == (201, 186)
