"""What belongs to no stream: what every process pays for the definitions, and `make run`.

Belongs here: parts and pieces over all streams. Does not belong here: anything that a stream measures.
"""

import contextlib
import os
import sys
from typing import Any

from benchmarks.part import TIMES, Part, Run

DEMO_MONTHS = 15
"""Months of the demo that `make run` simulates in an empty home."""


def definitions() -> dict[str, Any]:
    """Import what every process that Dagster starts imports."""
    import revenue_integrity.definitions

    return {"assets": len(list(revenue_integrity.definitions.defs.assets or []))}


def demo_run(home: str) -> dict[str, Any]:
    """Do what `make run` does: simulate where there is nothing, run every month, close what can be closed."""
    from revenue_integrity.cli import program as cli

    # The command takes its settings from the environment, and each piece has a process of its own.
    os.environ["REVENUE_INTEGRITY_HOME"] = home
    os.environ["NO_COLOR"] = "1"
    with contextlib.redirect_stdout(sys.stderr):
        try:
            cli.main(["run", "--demo-if-empty"])
        except SystemExit as end:
            return {"exit_code": end.code or 0}
    return {"exit_code": 0}


def commands(run: Run) -> None:
    """Measure what every process pays for the definitions, and `make run` in an empty and in a computed home."""
    report = run.report
    imported = report.measure("importing the definitions", definitions, run.sizes["times"], run.say)
    report.aims.append(("importing the definitions, wall", f"{imported.wall_seconds:.1f} s", "<= 3 s"))
    if run.quick:
        return
    for title, aim in (("make run, empty home", "<= 210 s"), ("make run, nothing new", "-")):
        found = report.measure(title, demo_run, 1, run.say, home=run.work / "demo")
        report.aims.append((f"{title}: {DEMO_MONTHS} months, every stream, wall", f"{found.wall_seconds:.0f} s", aim))


PARTS = (Part("commands", commands, (TIMES,)),)
