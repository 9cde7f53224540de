"""A home that cannot be written, and a disk that is full: with real mounts, each in a namespace of its own."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from revenue_integrity.settings import Settings
from revenue_integrity_tests import people
from revenue_integrity_tests.support import environment_of

READING = (
    ("status",),
    ("recon", "2025-01"),
    ("verify",),
    ("export", "batches"),
    ("export", "contract_month", "--month", "2025-01"),
    ("export", "contract_month", "--live"),
    ("quarantine",),
    ("alerts", "list"),
)

WRITING = (
    ("run",),
    ("run", "--as-of", "2025-02-10T00:00:00Z"),
    ("land", "colocation", "sites", "SITES"),
    ("withdraw", "BATCH", "--as", "pat", "--reason", "wrong", "--yes"),
    ("prepare", "2025-01", "--as", "pat"),
    ("approve", "2025-01", "--as", "ana"),
    ("waive", "2025-01", "no_batch_is_rejected", "--as", "ana", "--reason", "wrong"),
    ("reopen", "2025-01", "--as", "ana", "--reason", "wrong"),
    ("pack", "2025-01"),
    ("ui",),
)


@pytest.fixture
def names(ready_home: Settings) -> Mapping[str, str]:
    """Return what stands in commands for a file of a home, and for a batch of it."""
    site = sorted((ready_home.landing_path / "colocation" / "sites").glob("*/*.csv"))[0]
    batch = sorted((ready_home.landing_path / "colocation" / "erp_invoices").iterdir())[-1]
    return {"SITES": str(site), "BATCH": f"colocation/erp_invoices/{batch.name}"}


def test_a_home_that_is_mounted_read_only_is_read_and_whatever_must_write_says_so(
    ready_home: Settings, names: Mapping[str, str]
) -> None:
    home = ready_home.home
    before = f"mount --bind {home} {home}\nmount -o remount,ro,bind {home}"
    steps = [[names.get(word, word) for word in step] for step in (*READING, ("doctor",), *WRITING)]
    told = people.one_after_the_other(steps, before=before, environment=environment_of(ready_home))
    by_step = {tuple(arguments): (code, out, err) for arguments, code, out, err in told}
    for step in READING:
        code, out, err = by_step[step]
        assert (code, "Traceback" in err) == (0, False), (step, err)
        assert out
    code, out, err = by_step["doctor",]
    assert code == 1
    assert "Traceback" not in err
    assert "writ" in out, "what cannot be written is found"
    for step in steps[-len(WRITING) :]:
        code, out, err = by_step[tuple(step)]
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert code == 1, (step, err)
        assert "cannot be written" in line or "Read-only file system" in line or "read-only" in line, (step, line)


@pytest.mark.parametrize("room_kib", [0, 512, 4096])
def test_a_full_disk_ends_a_command_with_a_sentence_and_harms_nothing(
    ready_home: Settings, names: Mapping[str, str], tmp_path: Path, room_kib: int
) -> None:
    """The home stands on a disk with so much room; afterwards, with room again, everything is done and holds."""
    disk = tmp_path / "disk"
    disk.mkdir()
    kept = Path(shutil.copytree(ready_home.home, tmp_path / "kept", symlinks=True))
    filled = f"{disk}/home"
    before = "\n".join(
        [
            f"mount -t tmpfs -o size=8g tmpfs {disk}",
            f"cp -a {kept} {filled}",
            f"used=$(df --output=used -k {disk} | tail -1)",
            f"mount -o remount,size=$(( used + {room_kib} ))k {disk}",
        ]
    )
    settings = ready_home.model_copy(update={"home": Path(filled)})
    tight = [
        ["run", "--all", "--months", "2025-01"],
        ["land", "colocation", "sites", names["SITES"]],
        ["withdraw", names["BATCH"], "--as", "pat", "--reason", "wrong", "--yes"],
        ["prepare", "2025-01", "--as", "pat"],
        ["approve", "2025-01", "--as", "ana"],
        ["export", "contract_month", "--month", "2025-01", "-o", f"{disk}/out.csv"],
        ["backup", f"{disk}/home.tar"],
        ["pack", "2025-01"],
        ["status"],
        ["verify"],
    ]
    environment = environment_of(settings) | {"REVENUE_INTEGRITY_HOME": filled}
    again = [["!", f"mount -o remount,size=8g {disk}"], ["run"], ["verify"]]
    told = people.one_after_the_other([*tight, *again], before=before, environment=environment)
    for arguments, code, _, err in told[: len(tight)]:
        assert code in (0, 1), (arguments, err)
        assert "Traceback" not in err, (arguments, err)
        assert code == 0 or [line for line in err.splitlines() if line.startswith("error: ")] or arguments == ["verify"]
        assert "dagster.yaml" not in err, (arguments, err)
    if room_kib == 0:
        assert [code for arguments, code, _, _ in told if arguments[0] in ("run", "land", "backup")][:3] == [1, 1, 1]
    for arguments, code, _, err in told[len(tight) :]:
        assert code == 0, (arguments, err)
