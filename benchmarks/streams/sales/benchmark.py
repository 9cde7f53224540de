"""What is measured of the sales stream: a month of a large shop, root causes.

Belongs here: what is compared with what, and the aims. Does not belong here: the pieces (``pieces``), the data (``shop``), what
a first try would be (``naive``).
"""

from benchmarks.measure import median_figures, run_piece
from benchmarks.part import TIMES, Part, Run, Size
from benchmarks.scoring import report_scores
from benchmarks.streams.sales import pieces
from revenue_integrity import months


def month(run: Run) -> None:
    """Measure one month of a large shop from landing to published, and what it is compared with."""
    report, work, say, transactions = run.report, run.work, run.say, run.sizes["transactions"]
    landing = work / "landing_shop"
    objects = run_piece(pieces.month_files, landing=landing, transactions=transactions).facts["objects"]
    title = f"month, {objects} objects of nested JSON"
    say(f"{title} ({run.sizes['times']} x) …")
    homes = [work / f"shop_{number}" for number in range(run.sizes["times"])]
    # A home is empty only once.
    found = median_figures([run_piece(pieces.month, home=home, landing=landing) for home in homes])
    report.pieces[title] = found
    naive = report.measure("the same figures of a shop, naive pandas", pieces.naive, 1, say, landing=landing)
    mine = run_piece(pieces.published, home=homes[-1], landing=landing)
    same = all(mine.facts[name] == naive.facts[name] for name in pieces.FIGURES)
    report.aims += [
        (f"{title}, CPU", f"{found.cpu_seconds:.1f} s", "<= 60 s"),
        (f"{title}, peak memory", f"{found.peak_mb / 1000:.2f} GB", "<= 2 GB"),
        # The month does more: exact digits, versions, history of customers, star schema, causes, checks, publishing.
        ("naive pandas / whole month of a shop", f"{naive.cpu_seconds / found.cpu_seconds:.1f} x", "-"),
        ("figures of naive pandas and of the product", "equal to the cent" if same else "DIFFERENT", "equal"),
    ]


def truth(run: Run) -> None:
    """Compare the causes found with the faults that the simulator planted."""
    transactions = run.sizes["transactions"]
    last = months.label(months.add(months.parse("2024-01"), run.sizes["months"] - 1))
    found = {
        seed: run.report.measure(
            f"truth of sales, seed {seed}", pieces.truth, 1, run.say,
            home=run.work / f"truth_sales_{seed}", seed=seed, transactions=transactions, first="2024-01", last=last,
        ).facts
        for seed in range(1, run.sizes["seeds"] + 1)
    }  # fmt: skip
    report_scores(run.report, f"{transactions} transactions a month, to {last}", found)


PARTS = (
    Part("month", month, (TIMES, Size("transactions", "sales of the month", 1_000_000, 20_000))),
    Part(
        "truth",
        truth,
        (
            Size("seeds", "seeds", 5, 1),
            Size("transactions", "sales a month", 400, 200),
            Size("months", "months from 2024-01", 6, 3),
        ),
    ),
)
