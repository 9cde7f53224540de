"""The inbox from the command line."""

from pathlib import Path

from revenue_integrity_tests.support import command, home_settings


def test_what_was_dropped_is_landed_and_what_was_refused_ends_the_command_with_one(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home")
    empty = command(settings, "inbox")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "is there to land" in empty.stderr
    folder = settings.home / "inbox" / "colocation" / "erp_control_totals"
    folder.mkdir(parents=True)
    good = "service_month,extracted_at,lines,amount\n2025-03,2025-04-05T06:00:00Z,2,12.50\n"
    for name, content in (("a.csv", good), ("b.csv", "x\n1\n")):
        (folder / name).write_text(content, encoding="utf-8")
        (folder / f"{name}.done").touch()
    done = command(settings, "inbox")
    assert done.returncode == 1
    (batch,) = done.stdout.split()
    assert batch.startswith("colocation/erp_control_totals/")
    assert (settings.landing_path / batch / "a.csv").is_file()
    assert "1 of 2 items were refused" in done.stderr
    assert "Traceback" not in done.stderr
