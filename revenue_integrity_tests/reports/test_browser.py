"""The pack in the programs that people open it with: Chromium and LibreOffice."""

import io
import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from revenue_integrity.reports import pack
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity_tests.programs import needed
from revenue_integrity_tests.reports import sample, sample_cloud

_SECONDS = 120

_PROBE = """<!DOCTYPE html><title>probe</title><pre id="found"></pre>
<iframe id="frame" src="{page}" width="{width}" height="900"></iframe>
<script>
frame.addEventListener("load", () => {{
  const inner = frame.contentDocument;
  const style = id => frame.contentWindow.getComputedStyle(inner.getElementById(id));
  const views = [...inner.querySelectorAll("section.view")].map(view => view.id);
  const shown = () => views.filter(id => style(id).display !== "none");
  const before = shown();
  const opened = views.map(id => {{ inner.querySelector(`label[for="view-${{id}}"]`).click(); return shown(); }});
  inner.querySelector('label[for="view-{view}"]').click();
  found.textContent = JSON.stringify({{
    before, opened, width: inner.documentElement.scrollWidth, client: inner.documentElement.clientWidth,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name),
    charts: [...inner.querySelectorAll("#{view} svg")].map(svg => svg.getBoundingClientRect().height > 100),
  }});
}});
</script>
"""


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)


def _browse(address: str, profile: Path) -> tuple[str, str]:
    """Return the page's document after its load, and what the browser's console said."""
    done = _run(
        [
            needed("browser"),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--allow-file-access-from-files",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            f"--user-data-dir={profile}",
            "--dump-dom",
            address,
        ]
    )
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, "\n".join(console)


@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize(
    ("make", "views", "looked_at", "charts"),
    [
        # Variance by month, and the way from what is expected to what is billed.
        (sample.signed, ["signing", "overview", "controls"], "controls", 2),
        # Two tenants a day each, and the cost by month.
        (sample_cloud.cloud, ["signing", "cloud", "controls"], "cloud", 3),
        (sample_cloud.both, ["signing", "overview", "cloud", "controls"], "cloud", 3),
    ],
)
def test_browser_shows_the_views_without_errors_requests_or_overflow(
    tmp_path: Path, make: Callable[[], PackData], views: list[str], looked_at: str, charts: int, width: int
) -> None:
    written = pack.write_pack(make(), tmp_path / "2025-06")
    probe = tmp_path / "probe.html"
    probe.write_text(_PROBE.format(page=written.as_uri(), width=width, view=looked_at))
    document, console = _browse(probe.as_uri(), tmp_path / "profile")
    assert console == ""
    text = re.search(r'<pre id="found">(.*?)</pre>', document, re.DOTALL)
    assert text, document[:500]
    found = json.loads(unescape(text[1]))
    assert found["before"] == views[:1]
    assert found["opened"] == [[view] for view in views]
    assert found["width"] <= found["client"]
    assert found["requests"] == []
    assert found["charts"] == [True] * charts


def _without_cached_values(content: bytes) -> bytes:
    """Return the workbook with the value of each formula taken out, so that a reader must calculate it."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = source.read(name)
            if name.startswith("xl/worksheets/"):
                part = re.sub(rb"(</f>)<v>[^<]*</v>", rb"\1", part)
            target.writestr(name, part)
    return result.getvalue()


def _formula_values(content: bytes, recalculated: bytes) -> list[tuple[str, Any, Any]]:
    formulas = openpyxl.load_workbook(io.BytesIO(content))
    ours = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
    theirs = openpyxl.load_workbook(io.BytesIO(recalculated), data_only=True)
    assert theirs.sheetnames == ours.sheetnames
    return [
        (f"{sheet.title}!{cell.coordinate}", ours[sheet.title][cell.coordinate].value, theirs[sheet.title][cell.coordinate].value)
        for sheet in formulas
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    ]


@pytest.mark.parametrize(("make", "formulas"), [(sample.signed, 60), (sample_cloud.cloud, 40)])
def test_libreoffice_calculates_the_totals_that_are_published(
    tmp_path: Path, make: Callable[[], PackData], formulas: int
) -> None:
    content = pack.pack_files(make())["close-pack-2025-06.xlsx"]
    (tmp_path / "pack.xlsx").write_bytes(_without_cached_values(content))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    target = tmp_path / "calculated"
    command = [needed("office"), profile, "--headless", "--convert-to", "xlsx", "--outdir", str(target)]
    _run([*command, str(tmp_path / "pack.xlsx")])
    values = _formula_values(content, (target / "pack.xlsx").read_bytes())
    assert len(values) > formulas
    assert [each for each in values if each[1] != each[2]] == []
