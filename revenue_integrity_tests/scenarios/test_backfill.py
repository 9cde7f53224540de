"""A backfill: in whichever order months are run one by one, they end in the same rows, causes and links."""

import shutil
from pathlib import Path

from revenue_integrity.model.simulator import usual_options
from revenue_integrity.operating.demo import simulate_sources
from revenue_integrity.orchestration import runner
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of, simulators
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity_tests.support import home_settings


def quiet(_: str) -> None:
    """Say nothing."""


def hashes(settings: Settings) -> dict[str, str]:
    """Run what is stale; return what every partition then holds."""
    assert runner.run(deployment_of(settings), None, say=quiet).failures == []
    return {name: record.content_hash for name, record in read_catalog(settings).partitions.items()}


def test_months_run_one_by_one_in_any_order_end_in_the_same_hashes_and_links(tmp_path: Path) -> None:
    at_once, one_by_one = (
        home_settings(tmp_path / name, first_month="2024-01", last_month="2024-02") for name in ("at_once", "one_by_one")
    )
    january, february = at_once.months
    # Enough contracts for moves between months and contracts to be planted in all months.
    few = {"contracts": 25, "sites": 1, "events_per_day": 20}
    options = usual_options(simulators()) | few
    simulate_sources(deployment_of(at_once), simulators(), at_once.months, options=options, seed=7, faults="default", say=quiet)
    shutil.copytree(at_once.landing_path, one_by_one.landing_path)
    for month in (february, january):
        assert runner.run(deployment_of(one_by_one), [month], say=quiet).failures == []
    assert hashes(one_by_one) == hashes(at_once)
    links = [
        publish.read_published(home, "recon_causes", home.months)["link_id"].dropna().tolist() for home in (at_once, one_by_one)
    ]
    assert links[0] == links[1]
    assert len(links[0]) >= 2
