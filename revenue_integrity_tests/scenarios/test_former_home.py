"""A home of the release before (0.1), which knew no books, is carried over by the next command; no figure moves.

``fixtures/homes/0.1.tar.xz`` was made by that release: the months of the stories (``story``) with a cloud's charges and invoice
beside them, day ``d`` of a month costing ``d.123456789``; both months signed for all streams together, 2025-02 by waiving
``cloud_invoices_cover_cutoff``. Figures expected here are worked out by hand from that.
"""

import csv
import io
import json
import tarfile
from pathlib import Path

import pytest

from revenue_integrity.settings import Settings
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.support import command

FORMER = Path(__file__).parent.parent / "fixtures" / "homes" / "0.1.tar.xz"


@pytest.fixture(scope="module")
def former_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a copy of that home. The tests of this module follow each other in it."""
    folder = tmp_path_factory.mktemp("former")
    with tarfile.open(FORMER) as archive:
        archive.extractall(folder)
    return story.story_settings(folder / "home")


def rows_of(settings: Settings, *arguments: str) -> list[dict[str, str]]:
    """Return the rows that a command tells."""
    told = command(settings, *arguments, "--format", "csv")
    assert told.returncode == 0, told.stderr
    return list(csv.DictReader(io.StringIO(told.stdout)))


def status_rows(settings: Settings) -> dict[tuple[str, str], dict[str, str]]:
    """Return the lines of ``status`` by month and book."""
    return {(row["month"], row["book"]): row for row in rows_of(settings, "status")}


def test_a_home_of_the_release_before_is_carried_over_and_no_figure_moves(former_home: Settings) -> None:
    """One story: what reads it says what is there, ``run`` computes the months anew, and no figure moves."""
    months = ("2025-01", "2025-02")
    assert set(status_rows(former_home)) == {(month, book) for month in months for book in ("colocation", "cloud")}

    ran = command(former_home, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr

    rows = status_rows(former_home)
    assert {row["version"] for row in rows.values()} == {"1"}
    colocation, cloud = rows["2025-02", "colocation"], rows["2025-02", "cloud"]
    # Contract A: 600 + 1,500. Contract B: 400 + 800 + 28 days x 10; all is billed as it is due.
    assert (colocation["revenue_cents"], colocation["variance_cents"]) == ("358000", "0")
    assert {rows[month, "colocation"]["status"] for month in months} == {"signed_off"}
    # The days of February add up to 406; each has 0.123456789 besides.
    assert cloud["cloud_cost"] == "409.456790092"
    # An invoice's provider has lost its case since, and it is in the key of what was signed: no amount moved.
    assert {rows[month, "cloud"]["status"] for month in months} == {"reopened"}
    # Its invoices came before the cutoff, and a later delivery speaks of another month: that counted then and does no more.
    assert rows["2025-01", "cloud"]["why"] == "code; cloud_invoices_cover_cutoff [sign_off] failed"
    changes = rows_of(former_home, "restatement", "2025-01", "--book", "cloud")
    assert {(json.loads(json.loads(row["key"])["row_key"])[0], row["measure"], row["delta"]) for row in changes} == {
        ("AWS", "left_value", "-499.827160459"),
        ("AWS", "right_value", "-499.827160459"),
        ("aws", "left_value", "499.827160459"),
        ("aws", "right_value", "499.827160459"),
    }

    verified = command(former_home, "verify")
    assert verified.returncode == 0, verified.stdout
