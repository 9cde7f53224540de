"""Tenants are apart: who reads for one can neither read nor name what belongs to another."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

from revenue_integrity.cli import program as cli
from revenue_integrity.errors import PublishError, Refusal, UsageError
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.serving import export as exports
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.focus import COLUMNS
from revenue_integrity.streams.cloud.sources import SOURCES
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity.warehouse import publish as published
from revenue_integrity_tests.streams.cloud.publishing import COSTS, fill, publish
from revenue_integrity_tests.support import MARCH, command, command_process, environment_of, home_settings

DAYS = "daily_account_cost"

HOSTILE = ("../ZETA", "..", ".", "*", "?", "[A-Z]*", "A/B", "A%2FB", "ACME/USAGE-DATE=2025-03-01", "~", "$HOME", "A\\B", "ÜBER")
"""Names that a tenant could have and a file system or a pattern would take for something else; identifiers already."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a home whose March is published for two tenants."""
    made = home_settings(tmp_path_factory.mktemp("home"))
    fill(made, COSTS)
    publish(made)
    return made


def read(settings: Settings, dataset: str = DAYS, tenant: str | None = None, **more: object) -> list[dict[str, object]]:
    """Return the rows of an export."""
    options: dict[str, object] = {"live": False, "as_of": None, "say": lambda _: None, "open_evidence": open_evidence} | more
    rows = exports.read(deployment_of(settings), dataset, [MARCH], tenant=tenant, **options)  # type: ignore[arg-type]  # options of one call
    return list(rows.to_dict("records"))  # type: ignore[arg-type]  # column names are text


def test_a_tenant_gets_its_own_rows_however_the_name_is_written(settings: Settings) -> None:
    for name in ("ACME", " acme ", "Acme"):
        rows = read(settings, tenant=name)
        assert [(row["account_id"], row["total_cost"]) for row in rows] == [
            ("A-1", Decimal("10.25")), ("A-2", Decimal("0.000000000001")), ("A-1", Decimal(3)),
        ]  # fmt: skip
    assert {row["tenant_id"] for row in read(settings)} == {"ACME", "ZETA"}
    assert {row["tenant_id"] for row in read(settings, "account_service_day", "zeta")} == {"ZETA"}
    assert {row["tenant_id"] for row in read(settings, tenant="zeta", live=True)} == {"ZETA"}


def files_looked_at(patched: pytest.MonkeyPatch) -> list[Path]:
    """Return the published files that are looked at from now on; whatever is read of one, its facts are looked at first."""
    opened: list[Path] = []
    real = published.facts_of
    patched.setattr(published, "facts_of", lambda file: opened.append(file) or real(file))
    return opened


def test_only_files_below_the_tenant_are_opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = files_looked_at(monkeypatch)
    read(settings, tenant="ZETA")
    below = settings.published_path / DAYS / "tenant=ZETA"
    assert opened
    assert all(file.is_relative_to(below) for file in opened)


def test_an_unknown_tenant_is_told_those_that_there_are_and_reads_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = files_looked_at(monkeypatch)
    for dataset in (DAYS, "account_service_day", "focus_1_2"):
        with pytest.raises(UsageError) as told:
            read(settings, dataset, "NOBODY")
        assert str(told.value) == "there is no tenant 'NOBODY'. Tenants: ACME, ZETA"
    assert not opened
    with pytest.raises(UsageError, match=r"there is no tenant 'ZETTA'\. Did you mean ZETA\? Tenants: ACME, ZETA"):
        read(settings, tenant="zetta", live=True)
    with pytest.raises(UsageError, match="the tenant has no name"):
        read(settings, tenant=" ")
    with pytest.raises(UsageError, match="'contract_month' knows no tenants"):
        read(settings, "contract_month", "ACME")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_its_directory(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = home_settings(tmp_path)
    fill(settings, COSTS)
    publish(settings)
    with monkeypatch.context() as patched:
        opened = files_looked_at(patched)
        with pytest.raises(UsageError) as told:
            read(settings, tenant=name)
        assert str(told.value).startswith(f"there is no tenant '{name}'. ")
        assert str(told.value).endswith("Tenants: ACME, ZETA")
        with pytest.raises(PublishError, match="for this tenant"):
            read(settings.model_copy(update={"tenant": name}))
        assert not opened
    fill(settings, COSTS | {(name, "H-1", "2025-03-01"): "99"})
    publish(settings)
    assert [(row["tenant_id"], row["total_cost"]) for row in read(settings, tenant=name)] == [(name, Decimal(99))]
    assert {row["tenant_id"] for row in read(settings, tenant="ZETA")} == {"ZETA"}
    places = {path.parent for path in settings.published_path.rglob("tenant=*")}
    assert places == {settings.published_path / dataset for dataset in (DAYS, "account_service_day", "cloud_month")}
    files = [path for path in tmp_path.rglob("data.parquet") if not path.is_relative_to(settings.published_path)]
    assert not files


def test_a_file_of_another_tenant_in_the_directory_is_refused(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    fill(settings, COSTS)
    publish(settings)
    place = settings.published_path / DAYS
    stolen = (place / "tenant=ACME/usage_date=2025-03-01/data.parquet").read_bytes()
    (place / "tenant=ZETA/usage_date=2025-03-01/data.parquet").write_bytes(stolen)
    with pytest.raises(PublishError, match="another stands in its place"):
        read(settings, tenant="ZETA")


@pytest.fixture
def own(settings: Settings) -> Settings:
    """Return the settings of a process that reads for ZETA."""
    return settings.model_copy(update={"tenant": "zeta"})


def test_a_process_of_a_tenant_reads_its_published_data_and_nothing_else(own: Settings) -> None:
    assert {row["tenant_id"] for row in read(own)} == {row["tenant_id"] for row in read(own, tenant="ZETA")} == {"ZETA"}
    assert {row["BillingAccountId"] for row in read(own, "focus_1_2")} == {"ZETA"}
    with pytest.raises(Refusal, match="reads for another tenant"):
        read(own, tenant="ACME")
    for more in ({"live": True}, {"as_of": date(2025, 4, 1)}):
        with pytest.raises(Refusal, match="leave out --live and --as-of"):
            read(own, **more)
    with pytest.raises(Refusal):
        read(own, "cloud_events")
    for dataset in ("contract_month", "close_status", "batches", "quarantine", "checks", "recon_results", "sign_off_ledger"):
        with pytest.raises(Refusal, match="is not a tenant's own"):
            read(own, dataset)


@pytest.mark.parametrize("name", ["NOBODY", "ZETTA", "ACM"])
def test_a_process_of_a_tenant_that_is_none_learns_of_no_other(settings: Settings, name: str) -> None:
    nobody = settings.model_copy(update={"tenant": name})
    for dataset in (DAYS, "account_service_day", "focus_1_2"):
        with pytest.raises(PublishError, match="for this tenant") as told:
            read(nobody, dataset)
        assert not any(other in str(told.value) for other in ("ACME", "ZETA"))
    for asked in ((), ("--tenant", "ACME"), ("--tenant", "ACMEE")):
        done = command(nobody, "export", DAYS, *asked)
        assert (done.returncode, done.stdout) == (1, "")
        assert not any(other in done.stderr for other in ("ACME", "ZETA")), done.stderr


def commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command of the program by its words."""
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from commands(each, (*before, name))
        else:
            yield (*before, name)


ARGUMENTS = {
    "land": ["cloud", "billing_events", "x.csv"],
    "pull": ["cloud", "billing_events", "--url", "env:X"],
    "map check": ["m.toml", "x.csv"],
    "map draft": ["cloud", "billing_events", "x.csv"],
    "recon": ["2025-03"],
    "prepare": ["2025-03", "--as", "me", "--comment", "--help"],
    "approve": ["2025-03", "--as", "me"],
    "waive": ["2025-03", "c", "--as", "me", "--reason", "r"],
    "reopen": ["2025-03", "--as", "me", "--reason", "r"],
    "correct": ["2025-03", "-o", "drafts", "--draft"],
    "restatement": ["2025-03"],
    "pack": ["2025-03"],
    "service": ["-o", "units"],
    "backup": ["b.tar"],
    "powerbi": ["-o", "bi"],
    "restore": ["b.tar"],
    "run": ["--select", "--help"],
    "withdraw": ["cloud/billing_events/20250101T000000Z", "--as", "pat", "--reason", "wrong"],
}
"""Arguments with which a command would begin; --help as the value of an option is no call for help."""


def test_every_other_command_is_refused_with_one_line_and_every_help_is_shown(
    own: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment_of(own).items():
        monkeypatch.setenv(name, value)
    names = [words for words in commands(typer.main.get_command(cli.app)) if words != ("export",)]
    assert len(names) > 20
    for words in names:
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, *ARGUMENTS.get(" ".join(words), [])])
        told = capsys.readouterr()
        assert (ended.value.code, told.out) == (1, ""), words
        assert told.err.count("\n") == 1, (words, told.err)
        assert "this process reads for one tenant" in told.err, (words, told.err)
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, "--help"])
        assert (ended.value.code, "Usage" in capsys.readouterr().out) == (0, True), words


def test_the_program_of_a_tenant_exports_its_own_data(own: Settings) -> None:
    done = command_process(own, "export", DAYS, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert {row["tenant_id"] for row in json.loads(done.stdout)} == {"ZETA"}
    other = command(own, "export", DAYS, "--tenant", "ACME")
    assert (other.returncode, other.stdout) == (1, "")
    assert "ACME" not in other.stderr
    assert command(own, "status").returncode == 1


def test_dagster_definitions_refuse_to_load(own: Settings) -> None:
    with pytest.raises(Refusal, match="not shown to a process that reads for one tenant"):
        build_definitions(deployment_of(own))


def test_focus_export_says_what_the_standard_asks_for(settings: Settings) -> None:
    done = command(settings, "export", "focus_1_2", "--tenant", "zeta")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == list(COLUMNS)
    assert rows[1] == {
        "BilledCost": "-2.5", "BillingAccountId": "ZETA", "BillingAccountName": "ZETA", "BillingAccountType": "Tenant",
        "BillingCurrency": "USD", "BillingPeriodEnd": "2025-04-01T00:00:00Z", "BillingPeriodStart": "2025-03-01T00:00:00Z",
        "ChargeCategory": "Usage", "ChargeClass": "", "ChargeDescription": "Cost of the day: Compute",
        "ChargePeriodEnd": "2025-03-04T00:00:00Z", "ChargePeriodStart": "2025-03-03T00:00:00Z", "ContractedCost": "-2.5",
        "EffectiveCost": "-2.5", "InvoiceIssuerName": "UNKNOWN", "ListCost": "-2.5", "PricingQuantity": "2",
        "PricingUnit": "Events", "ProviderName": "UNKNOWN", "PublisherName": "UNKNOWN", "ServiceCategory": "Other",
        "ServiceName": "Compute", "SubAccountId": "Z-1", "SubAccountName": "", "SubAccountType": "Account",
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_exported_as_focus_is_a_focus_source(settings: Settings, tmp_path: Path, ending: str) -> None:
    from revenue_integrity_tests.streams.cloud.world import World

    file = tmp_path / f"focus.{ending}"
    assert command(settings, "export", "focus_1_2", "-o", str(file)).returncode == 0
    world = World(tmp_path / "other")
    directory = world.settings.landing_path / "cloud" / "focus" / "20250405T000000Z"
    directory.mkdir(parents=True)
    (directory / file.name).write_bytes(file.read_bytes())
    assert any(source.name == "focus" for source in SOURCES)
    with world.computed() as computed:
        read_back = {
            (row["account_id"], row["service_name"], str(row["usage_date"])): row["total_cost"]
            for row in computed.rows("account_service_day")
        }
    assert read_back == {(account, "Compute", day): Decimal(cost) for (_, account, day), cost in COSTS.items()}
