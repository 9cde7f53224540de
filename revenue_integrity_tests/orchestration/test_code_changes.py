"""What a run makes of changed code: it computes what rests on it, judges what was judged by it, and opens no month for words.

Which places rest on which is in ``computing.test_mutations``; here the program is run from a copy of itself.
"""

import json
import subprocess
import sys
from pathlib import Path

from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import PartitionRecord, read_catalog
from revenue_integrity_tests.computing.copies import Copy, compiling
from revenue_integrity_tests.scenarios.story import JANUARY, NOW
from revenue_integrity_tests.support import environment_of

RACK_SPLIT = "streams/colocation/sql/checks/rack_split_adds_up.sql"
CHARGES = "streams/colocation/sql/mart/expected_charges.sql"

RUN_AND_TELL = f"""
from datetime import datetime
from revenue_integrity import clock
from revenue_integrity.desk.close_status import close_status
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.orchestration import runner
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.streams.registry import deployment_of, load_settings

home = deployment_of(load_settings())
home = Deployment(home.settings, home.streams.only("colocation"))
with clock.held_at(datetime.fromisoformat({NOW.isoformat()!r})):
    told = [runner.run(home, None, say=print).sentence for _ in range(2)]
    with open_evidence(home) as evidence:
        status = close_status(home, evidence, home.settings.months)[["status", "reopened_because"]]
import json
print(json.dumps([*told, *status.agg(" ".join, axis=1)]))
"""


def run_twice(copy: Copy, settings: Settings) -> list[str]:
    """Run a home twice from the copy; return how each run ended, and the status of both months."""
    environment = compiling(environment_of(settings)) | {"PYTHONPATH": str(copy.place)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_TELL], env=environment, cwd=copy.place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: list[str] = json.loads(done.stdout.splitlines()[-1])
    return told


def computed(settings: Settings) -> dict[str, PartitionRecord]:
    """Return what is on record of computed tables."""
    return {name: each for name, each in read_catalog(settings).partitions.items() if not name.startswith("raw.")}


def different(before: dict[str, PartitionRecord], after: dict[str, PartitionRecord]) -> set[str]:
    """Return the tables of which any month has another record."""
    assert before.keys() == after.keys()
    return {name.partition("@")[0] for name in before if before[name] != after[name]}


def figures(settings: Settings) -> dict[str, object]:
    """Return the figures of the check that racks earn what their contract does, as published with January; costs left out."""
    checks = publish.read_published(settings, "checks", [JANUARY])
    (told,) = checks[checks["check_name"] == "rack_split_adds_up"]["figures"]
    found: dict[str, object] = json.loads(told)
    return {name: value for name, value in found.items() if "cost" not in name}


def test_a_run_computes_and_judges_what_changed_code_decides_and_opens_a_month_only_if_a_figure_moves(
    signed_home: Settings, tmp_path: Path
) -> None:
    copy, before = Copy(tmp_path / "copy"), computed(signed_home)
    # Contract A owes 2,100.00 and B 1,200.00 and 10.00 for each of January's days.
    assert figures(signed_home) == {"contracts": 2, "rack_revenue_cents": 361_000}

    # A rule says the same in other words, and a check tells one figure more.
    in_other_words = copy.changed(CHARGES, r"^    amount_cents$", "    amount_cents + 0 as amount_cents")
    with in_other_words, copy.changed(RACK_SPLIT, r"^from compared$", ", 7 as lucky\nfrom compared"):
        assert run_twice(copy, signed_home) == [
            "2 months computed in 4 runs; nothing is stale.",
            "Nothing is stale; nothing was recomputed.",
            "signed_off ",
            "signed_off ",
        ]
    same = computed(signed_home)
    assert different(before, same) == {"mart.expected_charges"}
    assert {name: each.content_hash for name, each in same.items()} == {name: each.content_hash for name, each in before.items()}
    assert figures(signed_home) == {"contracts": 2, "rack_revenue_cents": 361_000, "lucky": 7}

    # A cent more on each of the five charges of a month: both months are another content, and code alone made it so.
    with copy.changed(CHARGES, r"^    amount_cents$", "    amount_cents + 1 as amount_cents"):
        assert run_twice(copy, signed_home)[-2:] == ["reopened code", "reopened code"]
    assert figures(signed_home) == {"contracts": 2, "rack_revenue_cents": 361_005}
    copy.close()
