"""Databases, mappings, backups and alerts through the command line.

Belongs here: exit codes, the one line that a person reads, and that nothing is half done. Does not belong here: the rules
behind the commands (``landing.test_pull``, ``landing.test_mapping``, ``test_backup``, ``alerts``).
"""

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from revenue_integrity import logs
from revenue_integrity.databases import resolve_url
from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity_tests.desk.alerts.support import receiving
from revenue_integrity_tests.postgres import PASSWORD, server
from revenue_integrity_tests.scenarios.story import ANA, PAT
from revenue_integrity_tests.support import command, home_settings

TOTALS = ("colocation", "erp_control_totals")

MAPPING = """
stream = "colocation"
source = "erp_control_totals"
[file]
delimiter = ";"
decimal = ","
timestamp = "DD.MM.YYYY HH:mm"
timezone = "UTC"
[columns]
service_month = "Monat"
extracted_at = "Stand"
lines = "Zeilen"
amount = "Betrag"
"""

EXPORT = "Monat;Stand;Zeilen;Betrag\n2025-03;05.04.2025 06:00;2;12,50\n2025-04;05.05.2025 06:00;3;-7,05\n"


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Return the settings of a home in which nothing was ever done."""
    return home_settings(tmp_path / "home")


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def database(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Connection]:
    """Connect to a database with one table of control totals, whose URL stands in ``ERP_URL``."""
    monkeypatch.setenv("ERP_URL", postgres_url)
    engine = sa.create_engine(resolve_url("env:ERP_URL"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("drop schema public cascade; create schema public"))
        columns = "service_month text, extracted_at timestamptz, lines int, amount numeric(12, 2), remark text"
        connection.execute(sa.text(f"create table totals ({columns})"))
        rows = "('2025-03', '2025-04-05 06:00+00', 2, 12.50, 'x'), ('2025-04', '2025-05-05', 3, -7.05, 'y')"
        connection.execute(sa.text(f"insert into totals values {rows}"))
        yield connection
    engine.dispose()


def refused(done: subprocess.CompletedProcess[str], code: int, *told: str) -> None:
    """Demand a refusal: its exit code, no data, one line that says all of this, no traceback, no password."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for part in told:
        assert part in line, line


def landed(settings: Settings) -> list[str]:
    return sorted(str(path.relative_to(settings.landing_path)) for path in settings.landing_path.rglob("*") if path.is_file())


def log_text(settings: Settings) -> str:
    return (settings.logs_path / logs.FILE).read_text(encoding="utf-8")


def test_a_pull_lands_what_the_table_holds_and_a_second_one_nothing_again(empty: Settings, database: sa.Connection) -> None:
    pull = ("pull", *TOTALS, "--url", "env:ERP_URL", "--table", "totals")
    done = command(empty, *pull)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"colocation/erp_control_totals/\d{8}T\d{6}Z [0-9a-f]{64}\n", done.stdout)
    assert "2 rows landed" in done.stderr
    assert "ignored: remark" in done.stderr
    again = command(empty, *pull)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "2 rows read, nothing new to land\n")
    database.execute(sa.text("insert into totals values ('2025-05', '2025-06-05', 1, 1.00, null)"))
    assert "3 rows landed" in command(empty, *pull).stderr
    assert len(landed(empty)) == 2
    assert PASSWORD not in log_text(empty)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--url", "env:NOT_SET", "--table", "totals"), 2, ("NOT_SET is not set", "Set it")),
        (("--url", "postgresql://reader:hunter2@127.0.0.1/postgres", "--table", "totals"), 2, ("holds a password", "${NAME}")),
        (("--url", "host=127.0.0.1 password=hunter2", "--table", "totals"), 2, ("the database URL cannot be read",)),
        (("--url", "oracle://reader@127.0.0.1/x", "--table", "totals"), 2, ("no driver for oracle", "postgresql")),
        (
            ("--url", "postgresql://reader@127.0.0.1:1/postgres", "--table", "totals"),
            1,
            ("127.0.0.1:1", "refused", "nothing was landed"),
        ),
        (("--url", "env:ERP_WRONG", "--table", "totals"), 1, ("password authentication failed", "reader", "nothing was landed")),
        (("--url", "env:ERP_URL", "--table", "no_such_table"), 1, ("no_such_table", "does not exist", "nothing was landed")),
        (("--url", "env:ERP_URL", "--table", "totals", "--cursor", "changed"), 1, ("changed", "does not exist")),
        (("--url", "env:ERP_URL"), 2, ("--table and --query",)),
        (("--url", "env:ERP_URL", "--query", "nowhere.sql"), 2, ("nowhere.sql", "cannot be read")),
    ],
)
def test_a_pull_that_cannot_be_is_refused_in_one_line_and_lands_nothing(
    empty: Settings,
    database: sa.Connection,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    told: tuple[str, ...],
) -> None:
    assert database.closed is False
    monkeypatch.setenv("ERP_WRONG", resolve_url("env:ERP_URL").set(password="wr0ng-0ne").render_as_string(hide_password=False))
    empty.landing_path.mkdir(parents=True)
    done = command(empty, "pull", *TOTALS, *arguments)
    refused(done, code, *told)
    assert landed(empty) == []
    assert not list(empty.home.rglob("*.json")), "a pull that failed remembers nothing"
    told_and_logged = done.stderr + log_text(empty)
    assert not [secret for secret in ("hunter2", "wr0ng-0ne") if secret in told_and_logged]


@pytest.mark.parametrize(
    ("query", "code", "told"),
    [
        ("select service_month, extracted_at, lines from totals", 1, ("amount",)),
        ("select 1 as one", 1, ("amount", "service_month")),
        ("select service_month, extracted_at, lines, amount, amount from totals", 1, ("amount",)),
        ("select * frm totals", 1, ("syntax error",)),
        ("delete from totals", 2, ("the query is not one select",)),
        ("select * from totals; drop table totals", 2, ("the query is not one select",)),
    ],
)
def test_a_query_with_other_columns_is_refused_and_nothing_is_written_anywhere(
    empty: Settings, database: sa.Connection, tmp_path: Path, query: str, code: int, told: tuple[str, ...]
) -> None:
    file = tmp_path / "query.sql"
    file.write_text(query)
    refused(command(empty, "pull", *TOTALS, "--url", "env:ERP_URL", "--query", str(file)), code, *told)
    assert landed(empty) == []
    assert database.execute(sa.text("select count(*) from totals")).scalar() == 2


def test_a_mapping_is_tried_and_then_lands_the_export(empty: Settings, tmp_path: Path) -> None:
    mapping, export = tmp_path / "erp.toml", tmp_path / "export.csv"
    mapping.write_text(MAPPING)
    export.write_text(EXPORT)
    tried = command(empty, "map", "check", str(mapping), str(export), "--format", "json")
    assert tried.returncode == 0, tried.stderr
    assert [(row["service_month"], row["extracted_at"], row["amount"]) for row in json.loads(tried.stdout)] == [
        ("2025-03", "2025-04-05T06:00:00.000000Z", "12.50"),
        ("2025-04", "2025-05-05T06:00:00.000000Z", "-7.05"),
    ]
    assert tried.stderr == "2 rows would land as colocation erp_control_totals, 0 are left out\n"
    assert not empty.home.exists(), "a try lands nothing"
    done = command(empty, "land", *TOTALS, str(export), "--mapping", str(mapping), "--arrival", "20250506T000000Z")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("colocation/erp_control_totals/20250506T000000Z ")
    assert len(landed(empty)) == 1


def test_a_row_that_the_mapping_cannot_convert_is_told_before_and_after(empty: Settings, tmp_path: Path) -> None:
    mapping, export = tmp_path / "erp.toml", tmp_path / "export.csv"
    mapping.write_text(MAPPING)
    export.write_text(EXPORT.replace("12,50", "12.50"))
    tried = command(empty, "map", "check", str(mapping), str(export))
    assert tried.returncode == 1
    assert "would be quarantined: " in tried.stderr
    assert "12.50" in tried.stderr
    assert "error: 1 of 2 rows fail" in tried.stderr
    assert len(list(csv.DictReader(io.StringIO(tried.stdout)))) == 2
    done = command(empty, "land", *TOTALS, str(export), "--mapping", str(mapping))
    assert done.returncode == 0
    assert "will be quarantined: " in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stream = ", ("erp.toml", "TOML")),
        (MAPPING.replace('amount = "Betrag"', 'amout = "Betrag"'), ("erp.toml", "columns.amout")),
        (MAPPING.replace('amount = "Betrag"', ""), ("erp.toml", "amount")),
        (MAPPING.replace('timezone = "UTC"', 'timezone = "Mars"'), ("erp.toml", "file.timezone", "Mars")),
    ],
)
def test_a_malformed_mapping_is_wrong_usage_and_lands_nothing(
    empty: Settings, tmp_path: Path, text: str, told: tuple[str, ...]
) -> None:
    mapping, export = tmp_path / "erp.toml", tmp_path / "export.csv"
    mapping.write_text(text)
    export.write_text(EXPORT)
    refused(command(empty, "map", "check", str(mapping), str(export)), 2, *told)
    refused(command(empty, "land", *TOTALS, str(export), "--mapping", str(mapping)), 2, *told)
    assert not empty.home.exists()


def test_a_sample_with_other_columns_and_a_mapping_for_another_source_are_refused(empty: Settings, tmp_path: Path) -> None:
    mapping, export = tmp_path / "erp.toml", tmp_path / "export.csv"
    mapping.write_text(MAPPING)
    export.write_text(EXPORT.replace("Betrag", "Summe"))
    refused(command(empty, "map", "check", str(mapping), str(export)), 1, "export.csv lacks the column Betrag", "Summe")
    refused(command(empty, "land", *TOTALS, str(export), "--mapping", str(mapping)), 1, "lacks the column Betrag")
    refused(command(empty, "land", "colocation", "sites", str(export), "--mapping", str(mapping)), 2, "not colocation sites")
    refused(command(empty, "map", "check", str(mapping), str(tmp_path / "none.csv")), 1, "none.csv")
    assert not empty.home.exists()


def test_a_home_is_backed_up_restored_and_verified(golden_home: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "home.tar"
    made = command(golden_home, "backup", str(archive))
    assert (made.returncode, made.stdout) == (0, f"{archive}\n"), made.stderr
    back = golden_home.model_copy(update={"home": tmp_path / "restored"})
    done = command(back, "restore", str(archive))
    assert done.returncode == 0, done.stderr
    assert "verify` proves the ledger" in done.stderr
    assert command(back, "verify").returncode == 0
    exports = [command(home, "export", "contract_month", "--month", "2025-04").stdout for home in (golden_home, back)]
    assert exports[0] == exports[1] != ""
    assert "nothing was recomputed" in command(back, "run").stderr
    events = [json.loads(line) for line in log_text(back).splitlines()]
    assert [(line["command"], line["exit_code"]) for line in events if line["event"] == "command_ended"][-4:] == [
        ("restore", 0),
        ("verify", 0),
        ("export", 0),
        ("run", 0),
    ]


def test_a_restore_that_cannot_be_is_refused_and_changes_nothing(golden_home: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "home.tar"
    assert command(golden_home, "backup", str(archive)).returncode == 0
    refused(command(golden_home, "backup", str(archive)), 2, "exists already", "Choose another name")
    before = {path: path.read_bytes() for path in golden_home.published_path.rglob("*") if path.is_file()}
    refused(command(golden_home, "restore", str(archive)), 2, "is not empty", "REVENUE_INTEGRITY_HOME")
    assert {path: path.read_bytes() for path in golden_home.published_path.rglob("*") if path.is_file()} == before
    data = bytearray(archive.read_bytes())
    middle = data.index(b"contract_id") if b"contract_id" in data else len(data) // 2
    data[middle] ^= 1
    archive.write_bytes(data)
    fresh = golden_home.model_copy(update={"home": tmp_path / "fresh"})
    refused(command(fresh, "restore", str(archive)), 1, "does not have the SHA-256", "Use another backup")
    refused(command(fresh, "restore", str(tmp_path / "none.tar")), 2, "there is no archive")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "home.tar"]


def with_channel(settings: Settings, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a deployment whose alerts go to one channel; settings do not hand such secrets on."""
    return command(settings, *arguments, **{f"{PREFIX}ALERT_CHANNELS": json.dumps({"info": [url]})})


def alerts(settings: Settings) -> list[tuple[str, str, str]]:
    done = command(settings, "alerts", "list", "--format", "json")
    assert done.returncode == 0, done.stderr
    return sorted((row["kind"], row["month"], row["status"]) for row in json.loads(done.stdout))


@pytest.mark.usefixtures("manifest_alone")
def test_alerts_go_out_at_the_end_of_a_command_where_no_daemon_runs(ready_home: Settings) -> None:
    with receiving() as receiver:
        assert with_channel(ready_home, receiver.url("all"), "prepare", "2025-01", "--as", PAT).returncode == 0
        # Both months are long overdue by the clock of this machine.
        late = [("close_late", "2025-01", "sent"), ("close_late", "2025-02", "sent")]
        assert alerts(ready_home) == late
        assert len(receiver.titles()) == 2
        approved = with_channel(ready_home, receiver.url("all"), "approve", "2025-01", "--as", ANA)
        assert approved.returncode == 0, approved.stderr
        # What was overdue has ended, which is told too.
        assert len(receiver.titles()) == 4
        assert all("2025-01" in title for title in receiver.titles()[2:])
    assert alerts(ready_home) == [("approved", "2025-01", "sent"), ("close_late", "2025-01", "sent, resolved"), late[1]]
    told = [json.loads(line) for line in log_text(ready_home).splitlines()]
    assert [(line["command"], line["sent"]) for line in told if line["event"] == "alerts_delivered"] == [
        ("prepare", 2),
        ("approve", 2),
    ]
    assert [(line["event"], line["month"], line["actor"]) for line in told if "actor" in line] == [
        ("prepared", "2025-01", PAT),
        ("signed_off", "2025-01", ANA),
    ]


def test_a_channel_that_is_down_and_an_outbox_that_cannot_be_written_fail_no_command(ready_home: Settings) -> None:
    with receiving() as receiver:
        url = receiver.url()
    assert with_channel(ready_home, url, "prepare", "2025-01", "--as", PAT).returncode == 0
    assert {status for _, _, status in alerts(ready_home)} == {"pending"}
    refused(with_channel(ready_home, url, "alerts", "test"), 1, "did not take the test alert", "Correct its URL")
    shutil.rmtree(ready_home.alerts_path)
    ready_home.alerts_path.write_text("a file where the directory should be")
    done = with_channel(ready_home, url, "reopen", "2025-01", "--as", ANA, "--reason", "late invoice")
    refused(done, 1, "2025-01")
    done = with_channel(ready_home, url, "run")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    failed = [json.loads(line) for line in log_text(ready_home).splitlines() if '"alerts_failed"' in line]
    assert [(line["command"], line["level"]) for line in failed] == [("run", "ERROR")]


def test_without_channels_the_test_says_so(empty: Settings) -> None:
    done = command(empty, "alerts", "test")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no channel is set" in done.stderr
