"""What people type: a landing zone by ``run`` and ``export``, in the forms in which the cases hold what must come out.

Belongs here: the case ``golden`` through the commands. Does not belong here: the other case, whose figures ``test_cases``
compares without the record of runs.
"""

import csv
import io
import shutil
from pathlib import Path

import pytest

from revenue_integrity.settings import Settings
from revenue_integrity_tests import cases
from revenue_integrity_tests.streams.bookings.test_cases import CASES, MONTHS, QUARANTINE_KEY, datasets
from revenue_integrity_tests.support import command, home_settings

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the bookings cases are not beside the checkout (../shared/cases)")


def ran(settings: Settings, *arguments: str) -> str:
    done = command(settings, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_golden_comes_out_of_the_commands_exactly(tmp_path: Path) -> None:
    first, last = MONTHS["golden"]
    settings = home_settings(tmp_path / "home", first_month=first, last_month=last)
    shutil.copytree(CASES / "golden" / "landing", settings.landing_path)
    ran(settings, "run", "--stream", "bookings")
    told = {}
    for dataset in datasets("golden"):
        expected = CASES / "golden" / "expected" / f"{dataset}.csv"
        with expected.open(encoding="utf-8", newline="") as stream:
            columns = QUARANTINE_KEY if dataset == "quarantine" else next(csv.reader(stream), [])
        printed = ran(settings, "export", dataset, "--format", "csv")
        found = list(csv.DictReader(io.StringIO(printed, newline="")))
        if difference := cases.difference(cases.expected_rows(expected), found, columns):
            told[dataset] = difference
    assert told == {}
    breaches = ran(settings, "recon", "2025-04", "--format", "csv")
    assert "stale_version" in breaches
    assert "price_not_allocated" in breaches
