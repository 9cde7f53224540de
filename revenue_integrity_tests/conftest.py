"""Fixtures of all tests: an environment without anybody's settings, homes that were run, that are ready, that are signed.

Does not belong here: helpers that are no fixtures (``support``).
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import vl_convert
from hypothesis import settings as hypothesis_settings

from revenue_integrity import clock, process
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.reports import manifest, pack
from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity_tests import cheaper, programs, toy_home
from revenue_integrity_tests.scenarios import story
from revenue_integrity_tests.support import home_of, home_settings
from revenue_integrity_tests.without_dagster import bring_up_to_date

# How long an example takes says how busy the machine is, not whether something is wrong.
hypothesis_settings.register_profile("any_machine", deadline=None)
hypothesis_settings.load_profile("any_machine")

DRAW = vl_convert.vegalite_to_svg
"""Draws a chart."""

GOLDEN_LANDING = Path(__file__).parent / "fixtures" / "golden" / "landing"


@pytest.fixture(autouse=True, scope="session")
def _nobodys_settings() -> Iterator[None]:
    """Take the settings of whoever runs the tests out of the environment, for this process and those it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(PREFIX) or name == "DAGSTER_HOME":
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True, scope="session")
def _garbage_as_the_program_has_it() -> None:
    """Look for garbage as rarely as a command does: the definitions of a hundred homes are looked through otherwise."""
    process.beginning()


@pytest.fixture(autouse=True, scope="session")
def _done_once() -> Iterator[None]:
    """Do once for all homes what comes out the same for each."""
    with pytest.MonkeyPatch.context() as patch:
        cheaper.open_databases(patch)
        patch.setattr(vl_convert, "vegalite_to_svg", cheaper.drawn_once(DRAW))
        yield


@pytest.fixture
def drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw every chart each time, as the product does."""
    monkeypatch.setattr(vl_convert, "vegalite_to_svg", DRAW)


@pytest.fixture(autouse=True)
def _own_dagster_home() -> Iterator[None]:
    """Forget the Dagster home that a test opened."""
    before = os.environ.get("DAGSTER_HOME")
    yield
    if before is None:
        os.environ.pop("DAGSTER_HOME", None)
    else:
        os.environ["DAGSTER_HOME"] = before


@pytest.fixture
def manifest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no more of a pack than its manifest: of packs, these tests ask whether there is one."""
    monkeypatch.setattr(pack, "pack_files", lambda data: {manifest.FILE: manifest.text_of(data, {})})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that a missing program kept from running, with the line that installs it."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if programs.MISSING in str(report.longrepr)]
    if not skipped:
        return
    names = [name for name, program in programs.PROGRAMS.items() if any(program.what in str(each.longrepr) for each in skipped)]
    terminalreporter.section("not tested here")
    for report in skipped:
        terminalreporter.line(report.nodeid)
    if names:
        terminalreporter.line(f"Test them too: {programs.install_line(names)}")


def golden_settings(home: Path, **values: object) -> Settings:
    """Return the settings under which the golden case is worked out: its one month is 2025-04, and threads divide the work."""
    return home_settings(home, **({"first_month": "2025-04", "last_month": "2025-04", "threads": 2} | values))


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a home that the first of all workers to need it makes; the others wait for it."""
    # Each worker has a folder of its own in the folder of the test run.
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    home, made = shared / name / "home", shared / name / "made"
    home.parent.mkdir(exist_ok=True)
    with (home.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(home, ignore_errors=True)
            make(home)
            made.touch()
    return home


def run_golden(home: Path) -> None:
    """Run the golden case."""
    from revenue_integrity.orchestration import runner

    shutil.copytree(GOLDEN_LANDING, home / "landing")
    settings = golden_settings(home)
    assert runner.run(home_of(settings), settings.months, say=lambda _: None).failures == []


def run_story(home: Path) -> None:
    """Run the two months of the stories."""
    settings = story.story_settings(home)
    story.build(settings)
    assert story.run(settings).failures == []


def sign_story(ready: Path, home: Path) -> None:
    """Sign off the two months of the stories."""
    story.sign(story.copy_home(ready, home), story.JANUARY, story.FEBRUARY)


@pytest.fixture(scope="session")
def golden_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which the golden case was run once. Nobody may change it: take ``golden_home``."""
    return made_once(tmp_path_factory, "golden", run_golden)


@pytest.fixture
def golden_home(golden_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a fresh copy of a home in which the golden case has been run; its Dagster instance may be opened."""
    # Times are copied too, so that no batch looks new.
    shutil.copytree(golden_run, tmp_path / "home", symlinks=True)
    settings = golden_settings(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_path))
    return settings


def run_toy(home: Path) -> None:
    """Run the two months of the toy stream."""
    from revenue_integrity.orchestration import runner

    deployment = toy_home.toy_deployment(home)
    toy_home.land_all(deployment.settings)
    assert runner.run(deployment, deployment.settings.months, say=lambda _: None).failures == []


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which the toy stream was run once. Nobody may change it: take ``toy``."""
    return made_once(tmp_path_factory, "toy", run_toy)


@pytest.fixture
def toy(toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Return a fresh copy of a home in which the toy stream has been run; its Dagster instance may be opened."""
    shutil.copytree(toy_run, tmp_path / "home", symlinks=True)
    deployment = toy_home.toy_deployment(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(deployment.settings.dagster_path))
    return deployment


def compute_toy(home: Path) -> None:
    """Compute and publish the two months of the toy stream, without Dagster."""
    deployment = toy_home.toy_deployment(home)
    toy_home.land_all(deployment.settings)
    with clock.held_at(toy_home.NOW):
        bring_up_to_date(deployment)


@pytest.fixture(scope="session")
def computed_toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which the toy stream was computed once. Nobody may change it: take ``computed_toy``."""
    return made_once(tmp_path_factory, "toy_computed", compute_toy)


@pytest.fixture
def computed_toy(computed_toy_run: Path, tmp_path: Path) -> Deployment:
    """Return a fresh copy of a home in which the toy stream has been computed and published, of which no run is on record."""
    return toy_home.toy_deployment(Path(shutil.copytree(computed_toy_run, tmp_path / "home", symlinks=True)))


@pytest.fixture(scope="session")
def ready_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose two months were run once and are ready. Nobody may change it: take ``ready_home``."""
    return made_once(tmp_path_factory, "ready", run_story)


@pytest.fixture(scope="session")
def signed_run(ready_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose two months were signed off. Nobody may change it: take ``signed_home``."""
    return made_once(tmp_path_factory, "signed", partial(sign_story, ready_run))


@pytest.fixture
def ready_home(ready_run: Path, tmp_path: Path) -> Settings:
    """Return the settings of a fresh copy of a home whose two months are ready (``scenarios.story``)."""
    return story.copy_home(ready_run, tmp_path / "home")


@pytest.fixture
def signed_home(signed_run: Path, tmp_path: Path) -> Settings:
    """Return the settings of a fresh copy of a home whose two months were signed off (``scenarios.story``)."""
    return story.copy_home(signed_run, tmp_path / "home")
