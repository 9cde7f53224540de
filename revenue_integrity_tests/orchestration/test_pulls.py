"""Configured databases as assets: what they land, what they say, and that months know nothing of them."""

import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from revenue_integrity.databases import resolve_url
from revenue_integrity.errors import SettingsError
from revenue_integrity.landing.pull import engine_of
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.jobs import MONTH_JOB
from revenue_integrity.orchestration.pulls import pull_assets
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of, load_settings

KEY = dg.AssetKey(["colocation", "pull", "erp_control_totals"])


def configured(home: Path, **changes: Any) -> Settings:
    pulled = {"stream": "colocation", "source": "erp_control_totals", "url_env": "ERP_URL", "table": "totals"}
    return load_settings(home=home, first_month="2025-03", last_month="2025-04", pull_sources=[pulled | changes])


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    path = tmp_path / "erp.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table totals (id int, service_month text, extracted_at text, lines int, amount text)")
    connection.execute("insert into totals values (1, '2025-03', '2025-04-01T10:00:00Z', 1, '10.10')")
    monkeypatch.setenv("ERP_URL", f"sqlite:///{path}")
    return connection


def materialize(settings: Settings) -> dict[str, Any]:
    assets, _ = pull_assets(deployment_of(settings))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(assets, instance=instance)
        (event,) = result.asset_materializations_for_node(assets[0].op.name)
        return {name: value.value for name, value in event.metadata.items()}


def test_a_run_of_the_asset_lands_what_is_new_and_says_so(tmp_path: Path, database: sqlite3.Connection) -> None:
    settings = configured(tmp_path / "home", cursor="id")
    first = materialize(settings)
    assert (first["dagster/row_count"], first["rows_read"], first["cursor_reached"]) == (1, 1, "1")
    assert (settings.landing_path / first["batch"]).is_dir()
    assert materialize(settings)["batch"] == "nothing new"
    database.execute("insert into totals values (2, '2025-03', '2025-04-02T10:00:00Z', 2, '20.10')")
    assert materialize(settings)["cursor_reached"] == "2"


def test_a_database_that_is_away_fails_the_run_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets, _ = pull_assets(deployment_of(configured(tmp_path / "home")))
    monkeypatch.setenv("ERP_URL", f"sqlite:///{tmp_path}/none.sqlite")
    context = dg.build_asset_context()
    with pytest.raises(dg.Failure, match="there is no database") as failed:
        assets[0](context)
    assert failed.value.allow_retries
    monkeypatch.delenv("ERP_URL")
    with pytest.raises(dg.Failure, match="ERP_URL is not set") as failed:
        assets[0](context)
    assert not failed.value.allow_retries


def test_the_schedule_is_on_and_the_months_know_nothing_of_pulls(tmp_path: Path) -> None:
    definitions = build_definitions(deployment_of(configured(tmp_path / "home", cron="5 6 * * *")))
    schedule = definitions.resolve_schedule_def("pull_colocation_erp_control_totals")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("5 6 * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert KEY in definitions.resolve_asset_graph().get_all_asset_keys()
    assert KEY not in definitions.resolve_job_def(MONTH_JOB).asset_layer.executable_asset_keys


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "erp_totals"}, "there is no source 'erp_totals' in colocation"),
        ({"cron": "every day"}, "'every day' is no cron expression"),
        ({"query": "select 1"}, "exactly one of table and query"),
        ({"url_env": "postgresql://u:p@h/d"}, "url_env"),
        ({"password": "x"}, "there is no setting 'pull_sources.0.password'"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        pull_assets(deployment_of(configured(tmp_path / "home", **changes)))


def test_two_servers_without_passwords_are_two_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulls = [
        {"stream": "bookings", "source": "deal_lines", "url_env": "CRM_URL", "table": "dbo.v_deal_lines", "cursor": "changed_at"},
        {"stream": "bookings", "source": "recognition_entries", "url_env": "ERP_URL", "table": "dbo.v_entries"},
    ]
    monkeypatch.setenv("CRM_URL", "mssql://crm.example.com/sales?Trusted_Connection=yes")
    monkeypatch.setenv("ERP_URL", "mssql://erp.example.com/finance?Trusted_Connection=yes&Encrypt=yes")
    settings = load_settings(home=tmp_path, pull_sources=pulls)
    assets, schedules = pull_assets(deployment_of(settings))
    assert [asset.key.path for asset in assets] == [["bookings", "pull", each["source"]] for each in pulls]
    assert len(schedules) == 2
    hosts = [engine_of(resolve_url(f"env:{each.url_env}")).url.host for each in settings.pull_sources]
    assert hosts == ["crm.example.com", "erp.example.com"]


def test_a_source_is_pulled_from_one_place(tmp_path: Path) -> None:
    pulled = {"stream": "colocation", "source": "sites", "url_env": "ERP_URL", "table": "sites"}
    with pytest.raises(SettingsError, match=r"colocation\.sites stands twice"):
        load_settings(home=tmp_path, pull_sources=[pulled, pulled | {"table": "more_sites"}])
