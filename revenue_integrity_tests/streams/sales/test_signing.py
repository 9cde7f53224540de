"""From what was landed to a signed month, with the stream handed in: nothing that works for all streams knows it.

Belongs here: the golden case in a home, computed, judged, published and signed without Dagster. Does not belong here: figures
(``test_cases``).
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity import clock
from revenue_integrity.desk import decisions
from revenue_integrity.errors import Refusal
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.stream import SALES
from revenue_integrity.warehouse import publish
from revenue_integrity_tests import cases
from revenue_integrity_tests.streams.sales.test_cases import CASES
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date, judged

FEBRUARY, MARCH = date(2024, 2, 1), date(2024, 3, 1)

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the sales cases are not beside the checkout (../shared/cases)")


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock behind the cutoff of March."""
    with clock.held_at(datetime(2024, 4, 11, 9, tzinfo=UTC)):
        yield


def test_a_month_of_sales_is_landed_published_and_signed(tmp_path: Path) -> None:
    settings = SalesSettings(
        home=tmp_path,
        landing=CASES / "golden" / "landing",
        first_month="2024-02",
        last_month="2024-03",
        quarantine_publish_share=Decimal(1),
        preparers=("pat",),
        approvers=("ann",),
        threads=1,
    )
    home = Deployment(settings, Streams.of(SALES))
    bring_up_to_date(home)
    assert bring_up_to_date(home) == []
    assert (settings.published_path / "fact_sales" / "month=2024-03" / "data.parquet").is_file()
    # The customers of the file of expected rows, the unknown one among them: dimensions are published whole.
    expected = cases.expected_rows(CASES / "golden" / "expected" / "sales_dim_customer.csv")
    published = publish.read_published(settings, "sales_dim_customer", None)
    assert sorted(published["customer_key"]) == sorted(int(row["customer_key"]) for row in expected)

    # The shop system counted a return that names no customer and was refused: the month waits for somebody to say so.
    failing = {record.name for record in judged(SALES, MARCH, settings) if not record.holds and record.gate == "sign_off"}
    assert failing == {"sales_control_totals_tie"}
    evidence = Judged(home)
    decisions.prepare(home, evidence, FEBRUARY, "pat")
    decisions.approve(home, evidence, FEBRUARY, "ann")
    with pytest.raises(Refusal, match="sales_control_totals_tie"):
        decisions.prepare(home, evidence, MARCH, "pat")
    decisions.waive(home, evidence, MARCH, "sales_control_totals_tie", "ann", "T003 is a return without a customer")
    decisions.prepare(home, evidence, MARCH, "pat")
    assert decisions.approve(home, evidence, MARCH, "ann").month == "2024-03"


def test_its_tables_are_assets_of_a_location_that_it_is_handed_to(tmp_path: Path) -> None:
    from revenue_integrity.orchestration.assembly import build_definitions

    settings = SalesSettings(home=tmp_path, first_month="2024-02", last_month="2024-03")
    definitions = build_definitions(Deployment(settings, Streams.of(SALES)))
    keys = {tuple(key.path) for key in definitions.resolve_all_asset_keys()}
    assert {rule.table.asset_key for rule in SALES.rules} <= keys
