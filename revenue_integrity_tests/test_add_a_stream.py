"""``docs/add_a_stream.md``: its code is that of the toy stream, and following it leads from an empty folder to a signed month."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import revenue_integrity
from revenue_integrity_tests import walk_through
from revenue_integrity_tests.walk_through import IN_PAGE, IN_TESTS, PAGE

DRIVER = """
import contextlib, io, json, os, shlex, sys
from revenue_integrity.cli.program import main
told = []
for line in sys.stdin.read().splitlines():
    words = shlex.split(line)
    if words[0] == "export":
        os.environ.update(word.split("=", 1) for word in words[1:])
        continue
    assert words[0] == "revenue-integrity", line
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out):
        try:
            main(words[1:])
        except SystemExit as ended:
            code = ended.code or 0
    told.append((line, code, out.getvalue()))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def page() -> str:
    """Return the page."""
    return PAGE.read_text(encoding="utf-8")


def fenced(page: str, language: str) -> list[str]:
    """Return the blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_the_page_shows_every_file_of_the_toy_stream_as_it_is(page: str) -> None:
    shown, files = walk_through.blocks(page), walk_through.toy_files()
    assert shown.keys() == files.keys()
    stale = [name for name in files if shown[name] != files[name]]
    assert stale == [], "renew the page: python -m revenue_integrity_tests.walk_through"
    assert walk_through.renewed(page) == page


def test_following_the_page_leads_from_an_empty_folder_to_a_signed_month(page: str, tmp_path: Path) -> None:
    (entry,) = [block for block in fenced(page, "python") if block.startswith("# revenue_integrity/streams/registry.py\n")]
    first, late = fenced(page, "csv")
    package = tmp_path / "revenue_integrity"
    shutil.copytree(Path(revenue_integrity.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, code in walk_through.blocks(page).items():
        file = package / "streams" / "toy" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code.replace(IN_TESTS, IN_PAGE), encoding="utf-8")
    registry = package / "streams" / "registry.py"
    head, end, rest = registry.read_text(encoding="utf-8").partition('}\n"""The streams by their names')
    assert end, "the list of streams has another end"
    registry.write_text(f"{head}{entry.partition(chr(10))[2]}{end}{rest}", encoding="utf-8")
    (tmp_path / "rentals.csv").write_text(first, encoding="utf-8")
    (tmp_path / "late.csv").write_text(late, encoding="utf-8")

    told = follow(tmp_path, [line for block in fenced(page, "sh") for line in block.splitlines()])
    assert [(line, code) for line, code, _ in told if code] == []
    said = {line.split()[1] if "export" not in line else line.split()[2]: out for line, _, out in told if len(line.split()) > 1}
    assert rows(said["toy_boats"]) == [
        {"month": "2025-01", "boat_id": "B-1", "rentals": "2", "due_cents": "15000", "booked_cents": "15000"},
        {"month": "2025-01", "boat_id": "B-2", "rentals": "1", "due_cents": "7000", "booked_cents": "0"},
    ]
    (breach,) = rows(said["recon"])
    assert (breach["boat_id"], breach["variance_cents"], breach["status"]) == ("B-2", "-7000", "breach")
    causes = [(row["view"], row["boat_id"], row["cause"], row["cause_cents"]) for row in rows(said["toy_recon_causes"])]
    assert sorted(causes) == [("as_of_close", "B-2", "unbooked", "-7000"), ("current", "B-2", "unbooked", "-7000")]
    (month,) = rows(said["status"])
    assert (month["status"], month["version"]) == ("signed_off", "1")
    pack = (tmp_path / said["pack"].strip()).read_text(encoding="utf-8")
    assert "What did the boats earn?" in pack
    changed = {(row["dataset"], row["measure"]): (row["old"], row["new"]) for row in rows(said["restatement"])}
    assert changed["toy_boats", "booked_cents"] == ("0", "7000")
    assert ("toy_boats", "due_cents") not in changed


def follow(folder: Path, lines: list[str]) -> list[tuple[str, int, str]]:
    """Run commands one after the other where the package of the folder is the program; return what each ended with and said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REVENUE_INTEGRITY_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input="\n".join(lines),
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: list[tuple[str, int, str]] = [(line, code, out) for line, code, out in json.loads(done.stdout.splitlines()[-1])]
    assert all(code == 0 for _, code, _ in told), f"{told}\n{done.stderr}"
    return told


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of CSV."""
    return list(csv.DictReader(io.StringIO(text)))
