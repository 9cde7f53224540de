"""What is measured of the bookings stream: a month of a large seller, root causes.

Belongs here: what is compared with what, and the aims. Does not belong here: the pieces (``pieces``), the data (``seller``), what
a first try would be (``naive``).
"""

from benchmarks.measure import median_figures, run_piece
from benchmarks.part import TIMES, Part, Run, Size
from benchmarks.scoring import report_scores
from benchmarks.streams.bookings import pieces
from revenue_integrity import months


def month(run: Run) -> None:
    """Measure one month of a large seller from landing to published, and what it is compared with."""
    report, work, say, lines = run.report, run.work, run.say, run.sizes["lines"]
    landing = work / "landing_deals"
    entries = run_piece(pieces.month_files, landing=landing, lines=lines).facts["entries"]
    title = f"month, {lines} active lines, {entries} entries"
    say(f"{title} ({run.sizes['times']} x) …")
    homes = [work / f"deals_{number}" for number in range(run.sizes["times"])]
    # A home is empty only once.
    found = median_figures([run_piece(pieces.month, home=home, landing=landing) for home in homes])
    report.pieces[title] = found
    naive = report.measure("the same figures of deals, naive pandas", pieces.naive, 1, say, landing=landing)
    mine = run_piece(pieces.published, home=homes[-1], landing=landing)
    same = all(mine.facts[name] == naive.facts[name] for name in pieces.FIGURES)
    report.tables["causes of the large seller's month"] = [
        {"cause": cause, "rows": rows} for cause, rows in mine.facts["by_cause"].items()
    ]
    report.aims += [
        (f"{title}, CPU", f"{found.cpu_seconds:.1f} s", "<= 45 s"),
        (f"{title}, peak memory", f"{found.peak_mb / 1000:.2f} GB", "<= 2 GB"),
        # The month does more: versions, mapping, reconciliations, causes, checks, publishing, Dagster's records.
        ("naive pandas / whole month of deals", f"{naive.cpu_seconds / found.cpu_seconds:.1f} x", "-"),
        ("figures of naive pandas and of the product", "equal to the cent" if same else "DIFFERENT", "equal"),
    ]


def truth(run: Run) -> None:
    """Compare the causes found with the faults that the simulator planted."""
    deals = run.sizes["deals"]
    last = months.label(months.add(months.parse("2024-01"), run.sizes["months"] - 1))
    found = {
        seed: run.report.measure(
            f"truth of deals, seed {seed}", pieces.truth, 1, run.say,
            home=run.work / f"truth_deals_{seed}", seed=seed, deals=deals, first="2024-01", last=last,
        ).facts
        for seed in range(1, run.sizes["seeds"] + 1)
    }  # fmt: skip
    report_scores(run.report, f"{deals} deals, to {last}", found)


PARTS = (
    Part("month", month, (TIMES, Size("lines", "active deal lines, each with three entries", 100_000, 10_000))),
    Part(
        "truth",
        truth,
        (Size("seeds", "seeds", 5, 1), Size("deals", "deals in force", 300, 100), Size("months", "months from 2024-01", 9, 5)),
    ),
)
