"""FOCUS data that nobody here wrote: the published sample, and the specification's scenarios of corrections.

Belongs here: the files of the folder `focus` beside the checkout. Does not belong here: worlds made for one rule
(``test_stages``).
"""

import io
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity_tests.streams.cloud.support import DAILY, SERVICES, Cloud, total

REPOSITORY = Path(__file__).resolve().parents[3]
FOCUS = REPOSITORY.parent / "shared" / "cases" / "focus"

pytestmark = pytest.mark.skipif(
    not FOCUS.is_dir(), reason="the cases of FOCUS are not beside the checkout (../shared/cases/focus)"
)

OCTOBER, JULY_4, JULY_5 = "20241005T000000Z", "20250704T000000Z", "20250705T000000Z"


def land(cloud: Cloud, name: str, arrival: str, *, delta: bool = False) -> Cloud:
    """Land a file of the cases as an export or as an addition; the specification's scenarios name no provider and account."""
    rows = (FOCUS / f"{name}.csv").read_bytes()
    if not name.endswith("sample"):
        header, *lines = rows.decode("utf-8-sig").splitlines()
        lines = [f"{header},ProviderName,BillingAccountId", *(f"{line},P,B-1" for line in lines if line)]
        rows = ("\n".join(lines) + "\n").encode()
    cloud.put("focus_delta" if delta else "focus", arrival, rows, f"{name}.csv")
    return cloud


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """Compute the sample of three providers."""
    cloud = Cloud(tmp_path_factory.mktemp("sample"), first_month="2024-08", last_month="2024-11")
    land(cloud, "focus_sample", OCTOBER).run()
    return cloud


def test_sample_has_its_totals_at_every_stage(sample: Cloud) -> None:
    # The figures of the folder's own description.
    billed, effective = Decimal("20.52022672899"), Decimal("14.97651418586")
    survivors = sample.survivors()
    assert len(survivors) == 1000
    assert total(row["cost"] for row in survivors) == billed
    assert total(row["effective_cost"] for row in survivors) == effective
    assert sample.rows(f"select sum(total_cost), sum(effective_cost), sum(event_count) from {SERVICES}") == [
        (billed, effective, 1000)
    ]
    assert sample.rows(f"select sum(total_cost), sum(event_count) from {DAILY}") == [(billed, 1000)]
    assert sample.quarantine() == []


def test_sample_with_floating_point_has_its_totals_too(tmp_path: Path) -> None:
    # As a notebook saves it: numbers as doubles, whole numbers with gaps among them, everything else as text.
    frame = pd.read_csv(FOCUS / "focus_sample.csv", na_values=["NULL"], keep_default_na=False)
    assert frame["BilledCost"].dtype == frame["EffectiveCost"].dtype == "float64"
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame), sink)
    cloud = Cloud(tmp_path, first_month="2024-08", last_month="2024-11")
    cloud.put("focus", OCTOBER, sink.getvalue(), "data.parquet")
    cloud.run()
    survivors = cloud.survivors()
    assert cloud.quarantine() == []
    assert total(row["cost"] for row in survivors) == Decimal("20.52022672899")
    assert total(row["effective_cost"] for row in survivors) == Decimal("14.97651418586")


def test_sample_has_its_account_days(sample: Cloud) -> None:
    assert sample.rows(f"select count(*), count(distinct (account_id, usage_date)) from {DAILY}") == [(477, 477)]


def test_sample_keeps_its_negative_costs(sample: Cloud) -> None:
    negative = [row for row in sample.survivors() if row["cost"] < 0]
    assert len(negative) == 13
    assert sum(row["charge_category"] == "Usage" for row in negative) == 12


def test_sample_keeps_billed_and_effective_apart(sample: Cloud) -> None:
    assert sum(row["cost"] != row["effective_cost"] for row in sample.survivors()) == 620


def test_sample_reads_its_null_tokens_as_nothing(sample: Cloud) -> None:
    texts = {
        value
        for row in sample.survivors()
        for name in ("region", "resource_id", "invoice_id", "charge_class", "account_id", "service_name", "provider")
        if (value := row[name]) is not None
    }
    assert texts.isdisjoint({"NULL", "null", "(null)", ""})
    assert {row["charge_class"] for row in sample.survivors()} == {None}


def test_sample_delivered_again_changes_nothing_but_its_batch(sample: Cloud, tmp_path: Path) -> None:
    twice = Cloud(tmp_path, first_month="2024-08", last_month="2024-11")
    land(land(twice, "focus_sample", OCTOBER), "focus_sample", "20241006T000000Z").run()
    # The day is complete in both worlds, so the contract's hashes are equal, too.
    assert twice.hashes() == sample.hashes()
    assert twice.rows("select count(*), sum(row_count) from cloud_events.days where not is_live")[0][1] == 1000


def by_resource(cloud: Cloud) -> dict[str, Decimal]:
    """Return the cost of each resource that still has one."""
    costs: dict[str, Decimal] = {}
    for row in cloud.survivors():
        costs[row["resource_id"]] = costs.get(row["resource_id"], Decimal(0)) + row["cost"]
    return {resource: cost for resource, cost in costs.items() if cost}


@pytest.mark.parametrize("correction", ["replacement", "delta", "ledger"])
def test_open_period_is_corrected_by_any_of_three_ways(tmp_path: Path, correction: str) -> None:
    cloud = Cloud(tmp_path, first_month="2025-05", last_month="2025-07")
    land(cloud, "open_current_s1_original", JULY_4).run()
    assert by_resource(cloud) == {"R-111": 1500}
    land(cloud, f"open_current_s1_{correction}", JULY_5, delta=correction != "replacement").run()
    assert by_resource(cloud) == {"R-111": 1200, "R-222": 300}
    assert cloud.days("DEFAULT") == {("B-1", "2025-07-01"): 1500}


@pytest.mark.parametrize("correction", ["delta", "ledger"])
def test_closed_period_is_corrected_in_the_next(tmp_path: Path, correction: str) -> None:
    # The correction bills in June what was used in May: another scope, so nothing of May's is replaced, and the usage day
    # is May's first.
    cloud = Cloud(tmp_path, first_month="2025-05", last_month="2025-07")
    land(cloud, "closed_s1_original", "20250504T000000Z").run()
    land(cloud, f"closed_s1_{correction}", JULY_5, delta=True).run()
    assert by_resource(cloud) == {"R-111": 1200, "R-222": 300}
    assert cloud.days("DEFAULT") == {("B-1", "2025-05-01"): 1500}
    corrected = {row["charge_class"]: str(row["billing_period"]) for row in cloud.survivors()}
    assert corrected == {None: "2025-05-01", "Correction": "2025-06-01"}
