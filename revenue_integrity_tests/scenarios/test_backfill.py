"""A backfill: in whichever order months are computed one by one, they end in the same rows, causes and links.

Of colocation, whose causes link months, and without Dagster, whose runner does the same steps; that it does is shown with the toy
stream. The cases of cloud and bookings are computed with their last month first (``streams``).
"""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity import clock
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.computing import ingestion, table_month
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.orchestration import runner
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.simulate.program import simulate
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity_tests import faults, toy_home
from revenue_integrity_tests.support import home_settings
from revenue_integrity_tests.without_dagster import bring_up_to_date


def quiet(_: str) -> None:
    """Say nothing."""


def hashes(home: Deployment) -> dict[str, str]:
    """Return what every partition holds."""
    return {name: record.content_hash for name, record in read_catalog(home.settings).partitions.items()}


def colocation_alone(settings: Settings) -> Deployment:
    """Return a home with colocation alone."""
    return Deployment(settings, Streams.of(COLOCATION))


def test_months_computed_one_by_one_in_any_order_end_in_the_same_hashes_and_links(tmp_path: Path) -> None:
    at_once, one_by_one = (
        colocation_alone(home_settings(tmp_path / name, first_month="2024-01", last_month="2024-02"))
        for name in ("at_once", "one_by_one")
    )
    january, february = at_once.settings.months
    # Enough contracts for moves between months and contracts to be planted in all months.
    simulate(
        at_once.settings.landing_path,
        tmp_path / "truth",
        months=at_once.settings.months,
        contracts=25,
        sites=1,
        seed=7,
        faults="default",
        cutoff=lambda month: cutoff(month, at_once.settings),
    )
    shutil.copytree(at_once.settings.landing_path, one_by_one.settings.landing_path)
    for month in (february, january):
        bring_up_to_date(one_by_one, [month])
    for home in (at_once, one_by_one):
        bring_up_to_date(home)
        assert bring_up_to_date(home) == [], "nothing is stale"
    assert hashes(one_by_one) == hashes(at_once)
    links = [
        publish.read_published(home.settings, "recon_causes", home.settings.months)["link_id"].dropna().tolist()
        for home in (at_once, one_by_one)
    ]
    assert links[0] == links[1]
    assert len(links[0]) >= 2


def test_months_run_one_by_one_in_any_order_end_in_the_same_hashes_as_those_of_one_run(toy: Deployment, tmp_path: Path) -> None:
    one_by_one = toy_home.toy_deployment(tmp_path / "one_by_one")
    toy_home.land_all(one_by_one.settings)
    for month in reversed(one_by_one.settings.months):
        assert runner.run(one_by_one, [month], say=quiet).failures == []
    assert runner.run(one_by_one, None, say=quiet).failures == []
    assert hashes(one_by_one) == hashes(toy)


MARCH = date(2025, 3, 1)
APRIL_20 = datetime(2025, 4, 20, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def march(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home of March alone that was computed. Nobody may change it."""
    home = tmp_path_factory.mktemp("march") / "home"
    with clock.held_at(APRIL_20):
        made = march_of(home)
        faults.land_base(made.settings)
        bring_up_to_date(made)
    return home


def march_of(home: Path) -> Deployment:
    """Return a home with one month."""
    return colocation_alone(home_settings(home, first_month="2025-03", last_month="2025-03"))


def billed(home: Deployment) -> list[tuple[str, int]]:
    """Return the lines that the ERP billed and that nobody owed, and their cents."""
    lines = publish.read_published(home.settings, "recon_results", [MARCH])
    found = lines[(lines["recon"] == "erp_vs_mart") & (lines["view"] == "current") & (lines["variance_cents"] != 0)]
    return [(str(row["charge_type"]), int(row["left_cents"])) for row in found.to_dict("records")]


def test_a_file_that_comes_while_its_month_is_computed_again_counts_once_wherever_it_is_read(
    march: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    with clock.held_at(APRIL_20):
        for place, name in enumerate(("before", "raw", "middle", "end")):
            home = march_of(Path(shutil.copytree(march, tmp_path / name, symlinks=True)))

            def land_and_read(home: Deployment = home) -> None:
                faults.land(home.settings, "colocation", "erp_invoices", "20250412T000000Z", "d3/late.csv")
                ingestion.ingest(home.settings, COLOCATION)

            if place == 0:
                land_and_read()
            else:
                at = {"raw": 0, "middle": len(COLOCATION.rules) // 2, "end": len(COLOCATION.rules) - 1}[name]
                with monkeypatch.context() as while_computing:
                    intrude(while_computing, at, land_and_read)
                    bring_up_to_date(home, [MARCH], everything=True)
            bring_up_to_date(home)
            assert bring_up_to_date(home) == [], "nothing is stale"
            assert billed(home) == [("other", 1000)], name
            found.append(hashes(home))
    assert found[1:] == found[:1] * 3


def intrude(monkeypatch: pytest.MonkeyPatch, at: int, deed: Any) -> None:
    """Let something be done before the table of that number is computed."""
    compute, seen = table_month.compute, []

    def computed(*arguments: Any) -> Any:
        seen.append(arguments)
        if len(seen) == at + 1:
            deed()
        return compute(*arguments)

    monkeypatch.setattr(table_month, "compute", computed)
