"""Programs that tests need: installed where that may be, else named with the line that does, and in CI nothing is left out."""

import os
import socket
from pathlib import Path

import pytest

from revenue_integrity_tests import programs


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand on a machine without any program, and return the folder in which it would find them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def program(folder: Path, name: str, text: str = "") -> Path:
    """Make a program of shell commands; it finds those of the system."""
    path = folder / name
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_test_without_its_program_is_skipped_and_in_ci_it_fails(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception, match="missing on this machine: an office"):
        programs.needed("office")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"an office; sudo apt-get install fonts-dejavu-core libreoffice-calc$"):
        programs.needed("office")
    office = program(bare, "libreoffice")
    assert programs.needed("office") == str(office)


def test_java_is_that_of_java_home(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = program(bare, "java")
    assert programs.found("java") == str(java)
    monkeypatch.setenv("JAVA_HOME", str(bare / "nowhere"))
    assert programs.found("java") is None


def test_a_machine_without_a_name_for_itself_lacks_something(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise socket.gaierror(f"{name} is not known")

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    with pytest.raises(pytest.skip.Exception, match=r"missing on this machine: a name for this machine \(localhost\)"):
        programs.needed("localhost")
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "127.0.0.1" if name == "localhost" else unknown(name))
    assert programs.needed("localhost") == "127.0.0.1"


@pytest.mark.parametrize("user", [0, 1000])
def test_what_is_missing_is_installed_by_whoever_may(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], user: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    program(bare, "chromium")
    program(bare, "systemd-analyze")
    program(bare, "apt-get", f'echo "$*" >> {bare}/done')
    program(bare, "env", f'PATH={bare}:$PATH exec /usr/bin/env "$@"')
    program(bare, "sudo", f'[ "$1" = -n ] && shift && PATH={bare}:$PATH exec "$@"')
    programs.install()
    install = "-qq install --yes --no-install-recommends default-jre-headless fonts-dejavu-core libreoffice-calc"
    assert (bare / "done").read_text(encoding="utf-8").splitlines() == ["-qq update", install]
    assert "an office, Java, which this machine lacks: installing default-jre-headless" in capfd.readouterr().err


@pytest.mark.parametrize("has_apt", [True, False])
def test_where_nothing_may_be_installed_the_line_is_told(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], has_apt: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000 if has_apt else 0)
    if has_apt:
        program(bare, "apt-get", "exit 1")
        program(bare, "sudo", "exit 1")
    program(bare, "java")
    program(bare, "systemd-analyze")
    programs.install()
    told = capfd.readouterr().err
    assert told.endswith("may be installed here: sudo apt-get install chromium fonts-dejavu-core libreoffice-calc\n")


def test_an_installation_that_fails_is_told_and_tests_go_on(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(bare, "env", f'PATH={bare}:$PATH exec /usr/bin/env "$@"')
    program(bare, "apt-get", 'echo "no network" >&2; exit 100')
    programs.install()
    assert capfd.readouterr().err.endswith("update failed: no network\n")
