"""The UI as somebody starts it: its three processes, from a directory that holds files which would like to be obeyed."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity_tests.support import environment_of, free_port

PROGRAM = Path(sys.executable).parent / "revenue-integrity"

BAIT = ("dagster", "pandas", "duckdb", "yaml", "json", "revenue_integrity", "sitecustomize", "usercustomize", "bait")
"""Modules that the product, Dagster or Python itself would import by name."""

_LEAVES_A_MARK = "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n"


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Return a directory with modules that leave a mark where they are imported, and settings that would break everything."""
    place = tmp_path / "trap"
    place.mkdir()
    for name in BAIT:
        (place / f"{name}.py").write_text(_LEAVES_A_MARK)
    (place / "workspace.yaml").write_text("load_from: [{python_file: bait.py}]\n")
    (place / "pyproject.toml").write_text('[tool.dagster]\nmodule_name = "bait"\n')
    (place / ".env").write_text(f"{PREFIX}UI_PORT=nonsense\n{PREFIX}HOME=/nowhere\nDAGSTER_HOME=/nowhere\n")
    (place / "dagster.yaml").write_text("nonsense: true\n")
    return place


def test_nothing_that_lies_where_a_command_was_typed_is_imported_or_obeyed(trap: Path, tmp_path: Path) -> None:
    environment = environment_of(Settings(home=tmp_path / "home", ui_port=free_port()))
    asked = [PROGRAM, "status", "--format", "csv"]
    ran = subprocess.run(asked, cwd=trap, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stdout.splitlines()[0].split(",")[:3]) == (0, ["month", "book", "status"]), ran.stderr
    with _served(trap, environment) as told:
        assert told.startswith(f"The UI opens on http://127.0.0.1:{environment[f'{PREFIX}UI_PORT']}/?token="), told
    assert sorted(trap.glob("*.imported")) == []
    assert (tmp_path / "home" / "dagster" / "dagster.yaml").exists()


@contextlib.contextmanager
def _served(place: Path, environment: Mapping[str, str]) -> Iterator[str]:
    process = subprocess.Popen(
        [PROGRAM, "ui"], cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        yield process.stderr.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
        process.wait(timeout=60)
        assert "Traceback" not in told, told
        assert told.endswith("The UI has stopped.\n"), told
