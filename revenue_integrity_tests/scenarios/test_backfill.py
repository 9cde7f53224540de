"""A backfill: in whichever order months are computed one by one, they end in the same rows, causes and links.

Of colocation, whose causes link months, and without Dagster, whose runner does the same steps; that it does is shown with the toy
stream. The cases of cloud and bookings are computed with their last month first (``streams``).
"""

import shutil
from pathlib import Path

from revenue_integrity.close.calendar import cutoff
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.orchestration import runner
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.simulate.program import simulate
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity_tests import toy_home
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
