"""Units for systemd: what its own checker says of them, and that nothing secret stands where others read."""

import stat
import subprocess
from pathlib import Path

import pytest

from revenue_integrity.errors import UsageError
from revenue_integrity.operating import service
from revenue_integrity.settings import Settings
from revenue_integrity_tests.programs import needed

URL = "REVENUE_INTEGRITY_ALERT_CHANNELS"


@pytest.mark.parametrize("user", [True, False])
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, user: bool) -> None:
    settings = Settings(home=tmp_path / "a home, 100% ours")
    settings.home.mkdir()
    files = service.write(settings, {}, tmp_path / "units", user=user, minutes=5)
    units = [str(file) for file in files if file.suffix in (".service", ".timer")]
    assert len(units) == 3
    checked = subprocess.run([needed("systemd"), "verify", *units], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_units_name_the_home_and_the_timer_its_interval(tmp_path: Path) -> None:
    service.write(Settings(home=tmp_path / "home"), {}, tmp_path / "units", user=True, minutes=7)
    texts = {file.name: file.read_text() for file in (tmp_path / "units").iterdir()}
    assert f'Environment="REVENUE_INTEGRITY_HOME={tmp_path / "home"}"\n' in texts["revenue-integrity-ui.service"]
    # What is refused of the inbox does not keep the months from being computed.
    inbox, run = [line for line in texts["revenue-integrity-update.service"].splitlines() if line.startswith("ExecStart=")]
    assert inbox.startswith("ExecStart=-")
    assert (inbox.split()[-1], run.split()[-1]) == ("inbox", "run")
    assert "OnUnitInactiveSec=7min" in texts["revenue-integrity-update.timer"]
    assert all("# Install: copy it to ~/.config/systemd/user" in text for name, text in texts.items() if name != "service.env")
    assert not any("User=" in line for text in texts.values() for line in text.splitlines() if not line.startswith("#"))


def test_what_is_set_goes_to_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    variables = {URL: '{"info": ["slack://TOKEN"]}', "PATH": "/bin", "REVENUE_INTEGRITY_HOME": "/else"}
    service.write(Settings(home=tmp_path / "home"), variables, tmp_path, user=True, minutes=5)
    kept = tmp_path / "service.env"
    assert kept.read_text() == f'{URL}="{{\\"info\\": [\\"slack://TOKEN\\"]}}"\n'
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    others = [file.read_text() for file in tmp_path.iterdir() if file.is_file() and file != kept]
    assert not any("TOKEN" in text for text in others)


def test_a_value_that_no_unit_can_hold_and_a_place_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds a line end"):
        service.write(Settings(home=tmp_path), {URL: "a\nb"}, tmp_path / "units", user=True, minutes=5)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        service.write(Settings(home=tmp_path), {}, tmp_path / "file", user=True, minutes=5)
