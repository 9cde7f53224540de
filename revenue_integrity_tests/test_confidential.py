"""Secrets are named, not written down; what was read once is told nowhere."""

from pathlib import Path

import pytest

from revenue_integrity import confidential
from revenue_integrity.databases import resolve_url
from revenue_integrity.errors import UsageError
from revenue_integrity.settings import PullSource
from revenue_integrity_tests.support import home_settings

URL = "postgresql://reader:cor-rect%40h0rse@db.example.com/erp"


def secret_file(folder: Path, mode: int = 0o440, content: str = f"{URL}\n") -> Path:
    """Return a mounted secret."""
    file = folder / "erp_url"
    file.write_text(content, encoding="utf-8")
    file.chmod(mode)
    return file


def test_a_secret_comes_from_a_variable_a_file_or_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP", URL)
    file = secret_file(tmp_path)
    for reference in ("env:ERP", "ERP", f"file:{file}", f"command:cat '{file}'"):
        assert confidential.secret_named(reference) == URL, reference
        assert resolve_url(reference).password == "cor-rect@h0rse", reference
        assert PullSource(stream="s", source="t", url_env=reference, table="x").url_env == reference


@pytest.mark.parametrize("mode", [0o444, 0o460, 0o666, 0o644, 0o441])
def test_a_mounted_secret_that_others_may_read_or_its_group_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match=f"has the mode {mode:04o}.*chmod 0440"):
        confidential.secret_named(f"file:{secret_file(tmp_path, mode)}")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NOT_SET_ANYWHERE", "the environment variable NOT_SET_ANYWHERE is not set"),
        ("file:/no/such/file", "cannot be read: No such file"),
        ("file:/dev/null", "is no regular file"),
        ("command:", "the database URL cannot be read"),
        ("command:no-such-program x", "failed: FileNotFoundError"),
        ("command:sh -c 'echo hidden-words >&2; exit 3'", "the command sh that gives a secret ended with 3"),
        ("command:true", "is no secret"),
        ("command:'", "failed: ValueError"),
        ("command:head -c 100000 /dev/zero", "is no secret"),
    ],
)
def test_what_gives_no_secret_is_told_without_what_it_said(reference: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        resolve_url(reference)
    assert "hidden-words" not in str(refused.value)


def test_what_was_read_is_struck_out_of_every_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP", "postgresql://reader:an-other-w0rd@db/erp")
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "hunter2hunter2")
    confidential.secret_named(f"file:{secret_file(tmp_path, content='mssql://x:seen-0nce-here@db/erp')}")
    confidential.secret_named("ERP")
    settings = home_settings(tmp_path, alert_channels={"info": ["slack://T0KEN/of/slack"]})
    told = confidential.struck(
        "seen-0nce-here, an-other-w0rd, hunter2hunter2, slack://T0KEN/of/slack, ftp://a:b@host/x and ftp://host/x", settings
    )
    assert told == "***, ***, ***, ***, ftp://***@host/x and ftp://host/x"
