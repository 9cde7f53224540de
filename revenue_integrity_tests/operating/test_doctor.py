"""The doctor finds what is really wrong, in one sentence each, and says what to do."""

import json
import os
import shutil
import socket
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from revenue_integrity.operating import doctor
from revenue_integrity.orchestration.instance import configure
from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity.streams.registry import deployment_of, load_settings
from revenue_integrity.warehouse import database
from revenue_integrity_tests.processes import Program
from revenue_integrity_tests.scenarios.story import ANA, PAT
from revenue_integrity_tests.support import environment_of, free_port, home_settings, python

Examine = Callable[[Settings], pd.DataFrame]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a home that has begun, with a Dagster instance."""
    settings = home_settings(tmp_path / "home", ui_port=free_port())
    configure(settings)
    return settings


@pytest.fixture
def examine(monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Return a function that examines a home and demands that every finding is a sentence with a next step."""

    def run(settings: Settings) -> pd.DataFrame:
        for name, value in environment_of(settings).items():
            if name.startswith(PREFIX):
                monkeypatch.setenv(name, value)
        found = doctor.examine(lambda: deployment_of(load_settings())).set_index("what")
        texts = [*found["found"], *found["next_step"]]
        assert not [text for text in texts if "\n" in text]
        assert found["found"].str.len().gt(0).all()
        assert found.loc[~found["ok"], "next_step"].str.len().gt(0).all()
        return found

    return run


def only(found: pd.DataFrame, what: str) -> pd.Series:
    """Return a finding, and demand that nothing else is wrong."""
    assert list(found.index[~found["ok"]]) == [what]
    return found.loc[what]


def test_a_sound_home_has_no_finding(golden_home: Settings, examine: Examine) -> None:
    found = examine(golden_home.model_copy(update={"ui_port": free_port()}))
    assert found["ok"].all()
    assert found.loc["landing zone", "found"].endswith(f" batches in {golden_home.landing_path}")
    assert "runs in " in found.loc["Dagster instance", "found"]


def test_a_home_that_does_not_exist_yet_is_well_and_is_not_made(tmp_path: Path, examine: Examine) -> None:
    settings = home_settings(tmp_path / "a" / "b", ui_port=free_port())
    found = examine(settings)
    assert found["ok"].all()
    assert found.loc["home", "found"] == f"{settings.home} will be made below {tmp_path}"
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_is_found_whoever_asks(tmp_path: Path, examine: Examine) -> None:
    # Not even root makes files there.
    home = examine(home_settings(Path("/proc/home"), ui_port=free_port())).loc["home"]
    assert not home["ok"]
    assert home["found"].startswith("/proc/home cannot be written: /proc: ")
    assert home["next_step"] == "Give this user the right to write to /proc, or set REVENUE_INTEGRITY_HOME to another directory"
    (tmp_path / "file").write_text("")
    inside = only(examine(home_settings(tmp_path / "file", ui_port=free_port())), "settings")
    assert inside["found"] == f"setting home: {tmp_path / 'file'} is no directory"


def test_a_directory_of_the_home_that_cannot_be_written_is_named(settings: Settings, examine: Examine) -> None:
    settings.packs_path.symlink_to("/proc")
    permissions = only(examine(settings), "permissions")
    assert str(settings.packs_path) in permissions["found"]
    assert "run everything of a home as one user" in permissions["next_step"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that a user who is not root can reach."""
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_what_another_user_may_not_read_or_write_is_found(open_folder: Path) -> None:
    settings = home_settings(open_folder / "home", ui_port=free_port(), lock_timeout_seconds=1)
    batch = settings.landing_path / "colocation" / "sites" / "20250101T000000Z"
    batch.mkdir(parents=True)
    (batch / "sites.csv").write_text("site_id\n")
    with database.connect(settings) as connection:
        connection.execute("create table t (a int)")
    for folder in (settings.landing_path, *batch.parents[:2], batch):
        folder.chmod(0o755)
    (batch / "sites.csv").chmod(0o000)
    settings.warehouse_path.chmod(0o000)
    settings.landing_path.chmod(0o555)
    settings.home.chmod(0o555)
    code = """
    import os
    from revenue_integrity.operating import doctor
    from revenue_integrity.streams.registry import load_settings
    from revenue_integrity.streams.registry import deployment_of
    home = deployment_of(load_settings())
    if os.geteuid() == 0:
        # The program may stand where the other user cannot read: what it loads only when it looks is loaded before.
        doctor.examine(lambda: home)
        os.setgid(65534)
        os.setuid(65534)
    print(doctor.examine(lambda: home).to_json(orient="records"))
    """
    done = python(textwrap.dedent(code), environment=environment_of(settings))
    assert done.returncode == 0, done.stderr
    # Where the program stands the other user may read nothing at all; what is asked here is what of the home he may.
    told = [row for row in json.loads(done.stdout) if not row["what"].startswith("package ")]
    wrong = {row["what"]: row for row in told if not row["ok"]}
    assert set(wrong) == {"home", "permissions", "landing zone", "warehouse"}
    assert wrong["home"]["found"].endswith("permission denied")
    assert wrong["landing zone"]["found"] == f"{batch / 'sites.csv'} cannot be read: Permission denied"
    assert str(settings.landing_path) in wrong["permissions"]["found"]
    assert "cannot be opened" in wrong["warehouse"]["found"]
    assert all(row["next_step"] for row in wrong.values())


def test_a_low_disk_is_found_with_what_can_be_deleted(settings: Settings, examine: Examine) -> None:
    # No disk has an exbibyte free.
    disk = only(examine(settings.model_copy(update={"disk_reserve_gib": 1024**3})), "disk")
    assert "GiB free at" in disk["found"]
    assert str(settings.home / "as_of") in disk["next_step"]


@pytest.mark.parametrize("is_link", [False, True])
def test_a_landing_zone_that_is_no_directory_is_found(settings: Settings, examine: Examine, is_link: bool) -> None:
    if is_link:
        settings.landing_path.symlink_to(settings.home / "nowhere")
    else:
        settings.landing_path.write_text("")
    found = examine(settings)
    assert not found.loc["landing zone", "ok"]
    assert found.loc["landing zone", "found"] == f"{settings.landing_path} is no directory"
    assert "REVENUE_INTEGRITY_LANDING" in found.loc["landing zone", "next_step"]


def test_what_is_no_batch_is_named(settings: Settings, examine: Examine) -> None:
    (settings.landing_path / "colocation" / "sites" / "last week").mkdir(parents=True)
    landing = only(examine(settings), "landing zone")
    assert "colocation/sites/last week is not named after an arrival" in landing["found"]


def test_a_warehouse_at_work_is_no_trouble_and_a_broken_one_is(settings: Settings, examine: Examine) -> None:
    code = (
        "from revenue_integrity.streams.registry import load_settings; from revenue_integrity.warehouse import database\n"
        "with database.connect(load_settings()): print('open', flush=True); input()"
    )
    with Program(code, environment=environment_of(settings)) as writer:
        assert writer.stdout.readline() == "open\n"
        busy = examine(settings)
        assert busy["ok"].all()
        assert busy.loc["warehouse", "found"].endswith(f"is in use by process {writer.pid}")
        writer.communicate("\n")
    settings.warehouse_path.write_bytes(b"no warehouse" * 1000)
    broken = only(examine(settings), "warehouse")
    assert "is no readable warehouse" in broken["found"]
    assert "backup" in broken["next_step"]


def test_a_ledger_that_was_changed_points_to_verify(signed_home: Settings, examine: Examine) -> None:
    signed_home = signed_home.model_copy(update={"ui_port": free_port()})
    found = examine(signed_home)
    assert found.loc["ledger", "found"] == "its chain holds, 4 entries"
    assert found["ok"].all()
    file = signed_home.ledger_path / "ledger.jsonl"
    text = file.read_text(encoding="utf-8")
    assert f'"{PAT}"' in text
    file.write_text(text.replace(f'"{PAT}"', f'"{ANA}"', 1), encoding="utf-8")
    ledger = only(examine(signed_home), "ledger")
    assert ledger["found"].startswith("it does not hold: ")
    assert ledger["next_step"].startswith("Run `revenue-integrity verify`")


@pytest.mark.parametrize(
    ("people", "is_well"),
    [
        ({}, True),
        ({"preparers": [PAT], "approvers": [ANA]}, True),
        ({"preparers": [PAT], "approvers": [PAT]}, False),
        ({"preparers": [PAT]}, False),
    ],
)
def test_a_sign_off_that_nobody_can_reach_is_found(
    settings: Settings, examine: Examine, people: dict[str, list[str]], is_well: bool
) -> None:
    found = examine(home_settings(settings.home, ui_port=settings.ui_port, **people))
    assert found.loc["sign-off", "ok"] == is_well
    assert ("PREPARERS" in found.loc["sign-off", "next_step"]) == (len(people) < 2 or not is_well)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda own: own | {"concurrency": {}}, "concurrency.pools.default_limit is None, not 1"),
        (
            lambda own: own | {"concurrency": {"runs": {"max_concurrent_runs": 4}, "pools": {"default_limit": 8}}},
            "concurrency.pools.default_limit is 8, not 1",
        ),
        (
            lambda own: own | {"storage": {"sqlite": {"base_dir": "/tmp"}}},
            "names both storage and event_log_storage",
        ),
        (
            lambda own: (
                {key: value for key, value in own.items() if key != "event_log_storage"}
                | {"storage": {"postgres": {"postgres_url": {"env": "DAGSTER_URL"}}}}
            ),
            "dagster-postgres is not installed",
        ),
        (lambda own: own | {"no_such_setting": 1}, "it cannot be opened: DagsterInvalidConfigError"),
        (lambda _: [1], "holds no settings"),
    ],
)
def test_a_wrong_dagster_yaml_is_found(
    settings: Settings, examine: Examine, change: Callable[[dict[str, object]], object], found: str
) -> None:
    file = settings.dagster_path / "dagster.yaml"
    file.write_text(yaml.safe_dump(change(yaml.safe_load(file.read_text(encoding="utf-8")))), encoding="utf-8")
    assert found in only(examine(settings), "Dagster instance")["found"]


def test_what_an_earlier_release_configured_is_no_trouble(settings: Settings, examine: Examine) -> None:
    file = settings.dagster_path / "dagster.yaml"
    text = file.read_text(encoding="utf-8")
    earlier = "run_storage:\n  module: revenue_integrity.orchestration.run_storage\n  class: KeptEngineRunStorage\n"
    file.write_text(f"{text}{earlier}", encoding="utf-8")
    finding = examine(settings).loc["Dagster instance"]
    assert finding["ok"]
    assert finding["next_step"] == "The next command that opens it carries it over"
    assert file.read_text(encoding="utf-8") == f"{text}{earlier}", "a doctor changes nothing"


def test_a_dagster_yaml_that_is_no_yaml_is_found(settings: Settings, examine: Examine) -> None:
    file = settings.dagster_path / "dagster.yaml"
    file.write_text("concurrency: [", encoding="utf-8")
    finding = only(examine(settings), "Dagster instance")
    assert finding["found"].startswith(f"{file} cannot be read: ")
    assert "delete it" in finding["next_step"]


def test_a_port_that_another_program_has_is_found(settings: Settings, examine: Examine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.ui_port))
        taken.listen()
        port = only(examine(settings), f"port {settings.ui_port}")
    assert port["found"] == f"port {settings.ui_port} on 127.0.0.1 is taken"
    assert "REVENUE_INTEGRITY_UI_PORT" in port["next_step"]


def test_a_pull_that_cannot_begin_is_found_before_its_schedule_does(
    settings: Settings, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOD", "postgresql://reader:s3cret-word@db.example/erp")
    monkeypatch.setenv("NO_DRIVER", "oracle://reader:s3cret-word@db.example/erp")
    os.environ.pop("NOT_SET", None)
    wanted = {"sites": "GOOD", "customers": "NOT_SET", "power_bills": "NO_DRIVER", "no_such_source": "GOOD"}
    pulled = [{"stream": "colocation", "source": name, "url_env": url, "table": "t"} for name, url in wanted.items()]
    found = examine(home_settings(settings.home, ui_port=settings.ui_port, pull_sources=pulled))
    assert list(found.index[~found["ok"]]) == [
        "pull colocation customers",
        "pull colocation power_bills",
        "pull colocation no_such_source",
    ]
    assert found.loc["pull colocation sites", "found"] == "reads postgresql+psycopg://reader:***@db.example/erp by 15 * * * *"
    assert found.loc["pull colocation customers", "found"] == "the environment variable NOT_SET is not set"
    assert "no driver for oracle" in found.loc["pull colocation power_bills", "found"]
    assert not found["found"].str.contains("s3cret-word").any()
