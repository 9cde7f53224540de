"""A standalone cluster of two workers gives, for every stream of events, the rows and content hashes that DuckDB gives.

The cluster is started here, its processes apart from this one: what only works where everything is one process fails here.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from revenue_integrity.warehouse import spark
from revenue_integrity_tests.landing.eventstore.toys import METERS, PHONES, TOYS, Home, calls, reads
from revenue_integrity_tests.streams.cloud.support import Cloud, charge, event
from revenue_integrity_tests.warehouse.spark_cluster import executors_of, processes_of, standalone_cluster

FIRST, SECOND, THIRD = "20250306T000000Z", "20250307T000000Z", "20250308T000000Z"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """Return where a cluster stands and the configuration that uses it; when it is left, no process of it is."""
    directory = tmp_path_factory.mktemp("cluster")
    with standalone_cluster(directory) as config:
        yield directory, dict(config)
        spark.stop()
    assert processes_of(directory) == []


def land_toys(home: Home) -> Home:
    """Land reads and calls: corrected, preferred, moved, void, said twice, and one on its own day."""
    home.put(METERS, FIRST, *reads([(f"M{n}", f"2025-03-0{1 + n % 5}", f"{n}.5", "estimated") for n in range(40)]))
    home.put(METERS, SECOND, *reads([(f"M{n}", f"2025-03-0{1 + n % 5}", f"{n}.25", "actual") for n in range(0, 40, 3)]))
    home.put(METERS, THIRD, *reads([(f"M{n}", f"2025-03-0{1 + n % 5}", "1", "estimated") for n in range(0, 40, 4)]))
    called = [(f"C{n}", f"2025-03-0{1 + n % 4}", n, f"{n}.10", f"2025-03-05T{n % 24:02}:00:00Z", "") for n in range(40)]
    home.put(PHONES, FIRST, *calls(called))
    moved = [(f"C{n}", "2025-03-05", n, f"{n}.10", "2025-03-06T10:00:00Z", "true" if n % 2 else "") for n in range(0, 40, 5)]
    home.put(PHONES, SECOND, *calls([*moved, *called[:3]]))
    return home


def land_cloud(cloud: Cloud) -> Cloud:
    """Land events of which some are corrected, withdrawn, moved or said twice, a FOCUS export and one that replaces it."""
    events = [event(f"E-{n}", f"{n}.000000000001", f"2025-03-0{1 + n % 5}", account_id=f"A-{n % 3}") for n in range(40)]
    cloud.events(FIRST, *events)
    later = {"ingested_at": "2025-03-06T11:00:00Z"}
    changed = [event(f"E-{n}", n + 1, "2025-03-06", **later) for n in range(0, 40, 6)]
    gone = [event(f"E-{n}", n, f"2025-03-0{1 + n % 5}", is_deleted="true", **later) for n in range(1, 40, 7)]
    cloud.events(SECOND, *changed, *gone, *events[:4])
    cloud.focus(SECOND, *(charge(n, f"2025-03-0{1 + n % 5}") for n in range(10)))
    return cloud.focus(THIRD, *(charge(2 * n, f"2025-03-0{1 + n % 5}") for n in range(8)))


def test_a_cluster_of_two_workers_gives_what_duckdb_gives(tmp_path: Path, cluster: tuple[Path, dict[str, str]]) -> None:
    directory, config = cluster
    settings = {"engine": "spark", "spark_config": config}
    toys = land_toys(Home(tmp_path / "toys"))
    toys.run()
    on_cluster = land_toys(Home(tmp_path / "toys on a cluster", **settings))
    on_cluster.run()
    for which in TOYS:
        assert on_cluster.hashes(which) == toys.hashes(which)
        assert on_cluster.days(which) == toys.days(which)
        assert on_cluster.outcomes(which) == toys.outcomes(which)
        assert toys.hashes(which)

    cloud = land_cloud(Cloud(tmp_path / "cloud"))
    cloud.run()
    cloud_on_cluster = land_cloud(Cloud(tmp_path / "cloud on a cluster", **settings))
    cloud_on_cluster.run()
    assert cloud_on_cluster.hashes() == cloud.hashes()
    assert cloud_on_cluster.days() == cloud.days()
    assert cloud_on_cluster.outcomes() == cloud.outcomes()
    assert len(cloud.hashes()) > 10

    assert executors_of(directory) == {"one", "two"}, "both workers took part"


def test_changing_the_engine_makes_nothing_stale(tmp_path: Path, cluster: tuple[Path, dict[str, str]]) -> None:
    _, config = cluster
    home = land_toys(Home(tmp_path))
    home.run()
    on_cluster = Home(tmp_path, home.connection, engine="spark", spark_config=config)
    assert on_cluster.run() == {}
