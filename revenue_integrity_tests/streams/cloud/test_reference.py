"""The cloud stream against an independent reference: what comes of the cases, row for row, however they are landed.

Belongs here: running the cases of the folder `cloud` beside the checkout (`../shared/cases/cloud`) and comparing. Does not belong
here: why a row is as it is (the tests of each rule).
"""

import csv
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import output
from revenue_integrity.landing.datasets import read_batches, read_quarantine
from revenue_integrity.landing.eventstore.reading import show_rows
from revenue_integrity.streams.cloud import curated, restatement
from revenue_integrity.streams.cloud.month import EXPORTED
from revenue_integrity.streams.cloud.sources import EVENTS
from revenue_integrity.warehouse.storage import exact_frame
from revenue_integrity_tests.streams.cloud.support import DAILY, OUTCOMES, SERVICES, Cloud
from revenue_integrity_tests.streams.cloud.world import Computed, World

REPOSITORY = Path(__file__).resolve().parents[3]
CASES = REPOSITORY.parent / "shared" / "cases" / "cloud"

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="the cases of the cloud are not beside the checkout (../shared/cases/cloud)"
)

Rows = list[dict[str, Any]]


class Case:
    """A case: what is landed, and what must come of it."""

    def __init__(self, name: str) -> None:
        self.path = CASES / name
        self.facts = json.loads((self.path / "case.json").read_text("utf-8"))

    def expected(self, dataset: str) -> list[dict[str, str]]:
        """Return what a dataset must hold, as text."""
        with (self.path / "expected" / f"{dataset}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def months(self) -> dict[str, str]:
        """The months of its deployment, as settings."""
        return {"first_month": self.facts["months"][0], "last_month": self.facts["months"][-1]}

    def batches(self) -> list[Path]:
        """Return its batches in order of arrival."""
        return sorted((self.path / "landing" / "cloud").glob("*/*"), key=lambda each: (each.name, each.parent.name))

    def land(self, landing: Path, batches: Iterable[Path]) -> None:
        """Put batches into a landing zone."""
        for batch in batches:
            shutil.copytree(batch, landing / "cloud" / batch.parent.name / batch.name)


def compared(case: Case, dataset: str, found: Rows, *, columns: Sequence[str] = ()) -> None:
    """Fail with the rows that are expected and not found, and those that are found and not expected."""
    expected = case.expected(dataset)
    names = list(columns or expected[0])
    left, right = (Counter(tuple(_plain(name, row[name]) for name in names) for row in rows) for rows in (expected, found))
    missing, beside = sorted((left - right).elements()), sorted((right - left).elements())
    assert (missing[:5], beside[:5]) == ([], []), f"{dataset}: rows that are missing, and rows that are too many"


_AMOUNTS = ("cost", "total_cost", "effective_cost", "delta", "left_value", "right_value", "variance_value", "variance_pct")


def _plain(column: str, value: Any) -> str:
    text = value if isinstance(value, str) else output.text(value)
    return format(Decimal(text).normalize() + 0, "f") if text and column in _AMOUNTS else text


def survivors(cloud: Computed | Cloud) -> Rows:
    """Return the rows of ``cloud_events``."""
    relation = curated.surviving_events(cloud.connection, cloud.settings, list(cloud.settings.months))
    return list(output.plain_rows(exact_frame(relation.to_arrow_table())))


def table(cloud: Cloud, name: str) -> Rows:
    """Return the rows of a stage."""
    return list(output.plain_rows(exact_frame(cloud.connection.sql(f"from {name}").to_arrow_table())))


def named_as_the_case_does(outcomes: Rows) -> Rows:
    """Return outcomes with the reference's word for a duplicate."""
    return [row | {"outcome": row["outcome"].replace("duplicate", "exact_duplicate")} for row in outcomes]


class OfEvents(Case):
    """A case whose expected outcomes are those of billing events: what is aside or of FOCUS stands in no table."""

    def expected(self, dataset: str) -> list[dict[str, str]]:
        rows = super().expected(dataset)
        if dataset != "outcomes":
            return rows
        return [row for row in rows if row["outcome"] != "aside" and "/billing_events/" in row["batch_id"]]


NAMES = ("golden", "case")


@pytest.fixture(scope="module", params=NAMES)
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Case, Computed]]:
    """Land a case in one go and compute it."""
    case = OfEvents(request.param)
    world = World(tmp_path_factory.mktemp(request.param), **case.months)
    case.land(world.settings.landing_path, case.batches())
    # The last month first, for their order decides nothing.
    with world.computed(wanted=list(reversed(world.settings.months))) as computed:
        yield case, computed


def test_batches_and_quarantine_are_those_of_the_reference(landed: tuple[Case, Computed]) -> None:
    case, computed = landed
    compared(case, "batches", list(output.plain_rows(read_batches(computed.connection, "cloud"))))
    refused = list(output.plain_rows(read_quarantine(computed.connection, "cloud")))
    compared(case, "quarantine", refused, columns=("source", "batch_id", "file_name", "row_number", "month"))
    assert all(row["dq_errors"] for row in refused)


def test_stages_are_those_of_the_reference(landed: tuple[Case, Computed]) -> None:
    case, computed = landed
    compared(case, "cloud_events", survivors(computed))
    compared(case, "outcomes", named_as_the_case_does(computed.rows("cloud_event_outcomes")))
    for stage in ("account_service_day", "daily_account_cost"):
        compared(case, stage, computed.rows(stage))


def test_costs_by_dimension_and_days_are_those_of_the_reference(landed: tuple[Case, Computed]) -> None:
    case, computed = landed
    for dataset in ("cloud_cost_by", "cloud_days"):
        compared(case, dataset, computed.rows(dataset))
    for month in case.facts["months"]:
        assert computed.judge("dimensions_add_up", month).passed
        days = computed.rows("cloud_days", month=month)
        assert computed.judge("deliveries_are_in_time", month).figures["days_in_time"] == sum(row["in_time"] for row in days)
    for each in EXPORTED:
        relation = each.relation(computed.connection, computed.settings, [], None)
        compared(case, each.table.name, list(output.plain_rows(exact_frame(relation.to_arrow_table()))))


def test_charges_and_invoices_are_compared_as_by_the_reference(landed: tuple[Case, Computed]) -> None:
    case, computed = landed
    rows = computed.rows("cloud_recon_results")
    compared(case, "cloud_recon", [row | {"status": "matched" if row["status"] == "matched" else "differs"} for row in rows])


def test_conflicts_are_those_of_the_reference(landed: tuple[Case, Computed]) -> None:
    case, computed = landed
    judged = [computed.judge("versions_do_not_conflict", month) for month in case.facts["months"]]
    listed = [each.rows for each in judged if each.rows is not None]
    found = {(row["tenant_id"], row["event_id"]) for rows in listed for row in rows.to_dict(orient="records")}
    assert found == {(row["tenant_id"], row["event_id"]) for row in case.expected("conflicts")}


def test_nothing_is_lost_or_counted_twice(landed: tuple[Case, Computed]) -> None:
    case, computed = landed
    for month in case.facts["months"]:
        for check in ("events_are_conserved", "stages_agree"):
            assert computed.judge(check, month).passed, f"{check} {month}"


@pytest.mark.parametrize("name", NAMES)
def test_deliveries_may_be_read_in_any_order(name: str, tmp_path: Path) -> None:
    """The batches of a source come in three waves that follow no order of arrival: what withdraws an event comes before it."""
    case = OfEvents(name)
    cloud = Cloud(tmp_path, **case.months)
    batches = [each for each in case.batches() if each.parent.name in ("billing_events", "focus", "focus_delta")]
    for wave in range(3):
        case.land(cloud.settings.landing_path, [each for place, each in enumerate(batches) if place * 7 % 3 == 2 - wave])
        cloud.ingest()
    cloud.compute()
    compared(case, "cloud_events", survivors(cloud))
    compared(case, "outcomes", named_as_the_case_does(table(cloud, OUTCOMES)))
    for stage in (SERVICES, DAILY):
        columns = [name for name in case.expected(stage.split(".")[1])[0] if name != "data_complete"]
        compared(case, stage.split(".")[1], table(cloud, stage), columns=columns)


@pytest.mark.parametrize("name", NAMES)
def test_changes_of_what_was_published_are_those_of_the_reference(name: str, tmp_path: Path) -> None:
    """Publications at the instants of the case; of FOCUS rows only the net change of an account-day is compared."""
    case = Case(name)
    cloud = Cloud(tmp_path, **case.months)
    waiting = [each for each in case.batches() if each.parent.name in ("billing_events", "focus", "focus_delta")]
    for instant in case.facts["publish"]:
        arrived = [each for each in waiting if each.name <= instant.replace("-", "").replace(":", "")]
        case.land(cloud.settings.landing_path, arrived)
        waiting = [each for each in waiting if each not in arrived]
        cloud.run()
        for month in cloud.settings.months:
            restatement.record_changes(
                cloud.connection, month, lambda days, files: show_rows(cloud.connection, cloud.settings, EVENTS, days, files)
            )
            restatement.remember_published(cloud.connection, month)
    found = cloud.rows("""
        select
            tenant_id, account_id, usage_date::varchar, if(contains(batch_id, '/focus'), 'focus', cause) as cause,
            if(contains(batch_id, '/focus'), '', batch_id) as batch_id, sum(delta)
        from mart.cloud_restatement group by all having sum(delta) <> 0
    """)
    expected: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in case.expected("cloud_restatement"):
        expected[row["tenant_id"], row["account_id"], row["usage_date"], row["cause"], row["batch_id"]] += Decimal(row["delta"])
    assert {tuple(key): delta for *key, delta in found} == {key: delta for key, delta in expected.items() if delta}
