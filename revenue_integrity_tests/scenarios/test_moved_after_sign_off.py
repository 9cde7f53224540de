"""Documents, and what they mean, that change after the month was signed: told as a story over small files (`fixtures/faults`).

The home is the base of these files, without Dagster: two contracts of one customer at one site, two of its months, all ties. Each
contract owes 600.00 for racks and 1,500.00 for power a month. Amounts are worked out by hand.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from revenue_integrity import clock
from revenue_integrity.desk import close_status, decisions, restating
from revenue_integrity.desk import status as figures
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.streams.registry import load_settings
from revenue_integrity_tests import faults
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)

NOW = datetime(2025, 4, 20, 9, tzinfo=UTC)
"""The present of the story: after the cutoff of both months and after all that arrives in it."""

pytestmark = pytest.mark.usefixtures("manifest_alone")


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Tell the story in its own present."""
    with clock.held_at(NOW):
        yield


@pytest.fixture
def home(tmp_path: Path) -> Deployment:
    """Return a home whose two months are signed."""
    people = {"preparers": ("pat",), "approvers": ("ana",)}
    made = Deployment(
        load_settings(home=tmp_path, threads=1, first_month="2025-01", last_month="2025-02", **people), Streams.of(COLOCATION)
    )
    faults.land_base(made.settings)
    bring_up_to_date(made)
    for month in (JANUARY, FEBRUARY):
        sign(made, month)
    return made


def sign(home: Deployment, month: date) -> int:
    """Prepare and approve a month; return the version."""
    decisions.prepare(home, Judged(home), month, "pat")
    return decisions.approve(home, Judged(home), month, "ana").version


def statuses(home: Deployment) -> list[str]:
    """Return the status of each month."""
    return [str(row.status) for row in close_status.close_rows(home, Judged(home), home.settings.months)]


def billed(home: Deployment, month: date) -> tuple[list[int], set[str]]:
    """Return the cents by which lines billed differ from the signed version, and the batches that are told as why."""
    changed = restating.restatement(home, Judged(home), month)
    lines = changed[(changed["dataset"] == "recon_results") & (changed["measure"] == "left_cents")]
    keys = [json.loads(text) for text in lines["key"]]
    deltas = [delta for key, delta in zip(keys, lines["delta"], strict=True) if key["view"] == "current"]
    assert set(changed["cause"]) <= {"data"}
    return deltas, {batch for text in changed["batches"] for batch in json.loads(text)}


def told(home: Deployment) -> list[str]:
    """Return what `status` says is the reason of each month."""
    return list(figures.status_frame(home, Judged(home), home.settings.months)["why"])


def test_a_document_that_moves_opens_both_months_until_it_moves_back_and_a_backdated_one_is_counted_and_flagged(
    home: Deployment,
) -> None:
    assert statuses(home) == ["signed_off", "signed_off"]

    # 600.00 of February's racks are said to be January's.
    moved = faults.land(home.settings, "colocation", "erp_invoices", "20250412T000000Z", "e4/moved_into_closed.csv")
    bring_up_to_date(home)
    assert statuses(home) == ["reopened", "reopened"]
    assert billed(home, JANUARY) == ([60_000], {moved})
    assert billed(home, FEBRUARY) == ([-60_000], {moved})

    # And back: what was signed holds again, and nobody signs anything.
    faults.land(home.settings, "colocation", "erp_invoices", "20250413T000000Z", "e4/moved_back.csv")
    bring_up_to_date(home)
    assert statuses(home) == ["signed_off", "signed_off"]
    assert [billed(home, month) for month in (JANUARY, FEBRUARY)] == [([], set()), ([], set())]

    # One that says that it came on 9 April, although the months were signed as of 10 April.
    late = faults.land(home.settings, "colocation", "erp_invoices", "20250409T000000Z", "e4/backdated.csv")
    bring_up_to_date(home)
    assert statuses(home) == ["reopened", "signed_off"]
    assert billed(home, JANUARY)[0] == [1_000]
    assert [f"backdated: {late}" in why for why in told(home)] == [True, False]
    assert sign(home, JANUARY) == 2
    assert statuses(home) == ["signed_off", "signed_off"]
    assert not any("backdated" in why for why in told(home))
