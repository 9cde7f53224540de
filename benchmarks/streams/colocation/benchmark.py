"""What is measured of the colocation stream: a month of a large operator, small batches, root causes.

Belongs here: what is compared with what, and the aims. Does not belong here: the pieces (``pieces``), the data (``operator``,
``batches``), what a first try would be (``naive``).
"""

from benchmarks.measure import Figures, Piece, run_piece
from benchmarks.part import TIMES, Part, Run, Size
from benchmarks.scoring import report_scores
from benchmarks.streams.colocation import pieces
from revenue_integrity import months


def _fresh(run: Run, piece: Piece, title: str, **arguments: object) -> Figures:
    """Measure a piece that needs an empty home each time; the last home stays."""
    times = run.sizes["times"]
    run.say(f"{title} ({times} x) …")
    found = []
    for number in range(times):
        home = run.work / f"{title.replace(' ', '_').replace(',', '')}_{number}"
        found.append(run_piece(piece, home=home, **arguments))
    ordered = sorted(found, key=lambda each: each.cpu_seconds)
    middle = ordered[len(ordered) // 2]
    run.report.pieces[title] = Figures(
        middle.cpu_seconds,
        sorted(each.wall_seconds for each in found)[len(found) // 2],
        sorted(each.peak_mb for each in found)[len(found) // 2],
        middle.facts | {"home": str(home)},
    )
    return run.report.pieces[title]


def month(run: Run) -> None:
    """Measure one month of a large operator, and what it is compared with."""
    report, work, say = run.report, run.work, run.say
    large, small, times = run.sizes["contracts"], run.sizes["fewer_contracts"], run.sizes["times"]
    runs: dict[tuple[int, str], Figures] = {}
    for contracts, form in ((large, "csv"), (large, "parquet"), (small, "csv")):
        landing = work / f"landing_{contracts}_{form}"
        run_piece(pieces.month_files, landing=landing, contracts=contracts, form=form)
        runs[contracts, form] = _fresh(run, pieces.month, f"month, {contracts} contracts, {form}", landing=landing)
    landing = work / f"landing_{large}_csv"
    for form in ("csv", "parquet"):
        found = []
        say(f"merely loading the files, {form} ({times} x) …")
        for number in range(times):
            database = work / f"loaded_{form}_{number}.duckdb"
            found.append(run_piece(pieces.load_files, database=database, landing=work / f"landing_{large}_{form}"))
            database.unlink()
        loaded = sorted(found, key=lambda each: each.cpu_seconds)[len(found) // 2]
        report.pieces[f"merely loading the same files, {form}"] = loaded
        ratio = runs[large, form].cpu_seconds / loaded.cpu_seconds
        report.aims.append((f"month / merely loading the same files with DuckDB, {form}", f"{ratio:.1f} x", "<= 4 x"))
    naive = report.measure("the same rules, naive pandas", pieces.naive, 1, say, landing=landing, out=work / "naive.csv")
    alike = _fresh(run, pieces.same_rules, "the same tables, plain engine", landing=landing)
    mine = run_piece(pieces.margin, home=runs[large, "csv"].facts["home"], landing=landing)
    same = all(mine.facts[name] == alike.facts[name] == naive.facts[name] for name in ("contracts", "margin_cents"))
    first = runs[large, "csv"]
    report.aims[:0] = [
        (f"month of {large} contracts, CPU", f"{first.cpu_seconds:.1f} s", "<= 20 s"),
        (f"month of {large} contracts, wall", f"{first.wall_seconds:.1f} s", "<= 20 s"),
        (f"month of {large} contracts, peak memory", f"{first.peak_mb / 1000:.2f} GB", "<= 2 GB"),
    ]
    growth = first.cpu_seconds / runs[small, "csv"].cpu_seconds
    report.aims.append((f"{small} -> {large} contracts", f"{growth:.1f} x", "<= 6 x"))
    report.aims.append(
        ("naive pandas / the same tables of the product", f"{naive.cpu_seconds / alike.cpu_seconds:.1f} x", ">= 4 x")
    )
    # The month does more: invoices, reconciliation, causes, risk, checks, publishing, Dagster's records.
    report.aims.append(("naive pandas / whole month", f"{naive.cpu_seconds / first.cpu_seconds:.1f} x", "-"))
    report.aims.append(("margin of naive pandas and of the product", "equal to the cent" if same else "DIFFERENT", "equal"))


def small_batches(run: Run) -> None:
    """Measure many small batches against few large ones with as many rows."""
    in_all = run.sizes["rows"]
    cuts = {"small": (in_all // 2_000, 2_000), "large": (4, in_all // 4)}
    found = {}
    for name, (batches, rows) in cuts.items():
        landing = run.work / f"batches_{name}"
        run_piece(pieces.batch_files, landing=landing, batches=batches, rows=rows)
        found[name] = _fresh(run, pieces.ingest, f"ingest, {batches} batches of {rows}", landing=landing)
    # Starting Python costs the same for both and would flatter the ratio.
    for figure in ("cpu", "wall"):
        small, large = (found[name].facts[f"part_{figure}_seconds"] for name in ("small", "large"))
        title = f"loading small / large batches, {figure} ({small:.1f} s / {large:.1f} s)"
        run.report.aims.append((title, f"{small / large:.2f} x", "<= 1.5 x"))


def causes(run: Run) -> None:
    """Measure explaining the variances of a month with 5 % of its charges billed wrongly."""
    contracts = run.sizes["contracts"]
    landing, home = run.work / "landing_causes", run.work / "home_causes"
    run_piece(pieces.month_files, landing=landing, contracts=contracts, form="parquet")
    run.say("computing a month to explain …")
    run_piece(pieces.reconciled, home=home, landing=landing)
    found = run.report.measure(
        f"recon_causes, {contracts} contracts", pieces.causes, run.sizes["times"], run.say, home=home, landing=landing
    )
    facts = found.facts
    what = f"recon_causes of {facts['charge_rows']} charge rows, {facts['variances']} with a variance"
    run.report.aims.append((f"{what}, CPU", f"{facts['part_cpu_seconds']:.1f} s", "<= 10 s"))
    run.report.aims.append((f"{what}, wall", f"{facts['part_wall_seconds']:.1f} s", "<= 10 s"))


def truth(run: Run) -> None:
    """Compare the causes found with the faults that the simulator planted."""
    seeds, contracts = range(1, run.sizes["seeds"] + 1), run.sizes["contracts"]
    last = months.label(months.add(months.parse("2024-01"), run.sizes["months"] - 1))
    arguments = {"contracts": contracts, "sites": 3, "first": "2024-01", "last": last}
    found = {
        seed: run.report.measure(
            f"truth, seed {seed}", pieces.truth, 1, run.say, home=run.work / f"truth_{seed}", seed=seed, **arguments
        ).facts
        for seed in seeds
    }
    report_scores(run.report, f"{contracts} contracts, to {last}", found)


PARTS = (
    Part(
        "month",
        month,
        (
            TIMES,
            Size("contracts", "contracts", 50_000, 10_000),
            Size("fewer_contracts", "contracts of the month that it is compared with", 10_000, 2_000),
        ),
    ),
    Part("small_batches", small_batches, (TIMES, Size("rows", "rows, in batches of 2,000 and in four", 4_000_000, 400_000))),
    Part("causes", causes, (TIMES, Size("contracts", "contracts", 50_000, 10_000))),
    Part(
        "truth",
        truth,
        (Size("seeds", "seeds", 5, 1), Size("contracts", "contracts", 200, 100), Size("months", "months from 2024-01", 12, 6)),
    ),
)
