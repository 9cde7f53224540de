"""The currency of the deployment stands everywhere: in a home in euros no page, sheet or chart speaks of another one."""

import io
import re
import zipfile
from dataclasses import replace

import openpyxl
import pytest

from revenue_integrity.reports import index, pack, page
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.reports.workbook import workbook_bytes
from revenue_integrity_tests.reports import sample, sample_cloud

OTHER = re.compile(r"\$|dollar|usd", re.IGNORECASE)


def in_euros() -> PackData:
    """Return the month of both streams in a home in euros: what is compared is in euros, too."""
    data = sample.in_currency(sample_cloud.both(), "EUR")
    colocation, cloud = data.parts
    tables = {
        name: frame.assign(unit=frame["unit"].replace("usd", "eur")) if "unit" in frame and "recon" in frame else frame
        for name, frame in cloud.published.tables.items()
    }
    return replace(data, parts=[colocation, replace(cloud, published=replace(cloud.published, tables=tables))])


def test_the_page_of_a_home_in_euros_names_no_other_currency() -> None:
    html = page.page(in_euros())
    assert OTHER.findall(html) == []
    assert "amounts in EUR" in html
    assert "Revenue, €" in html
    # Charts: their axes, labels and descriptions.
    assert "€1M" in html
    assert "in EUR: " in html
    assert "€3,500.50 unexplained" not in html
    assert "gross €4,500.50; 3 of 4 rows in breach" in html


def test_the_workbook_of_a_home_in_euros_names_no_other_currency() -> None:
    content = workbook_bytes(in_euros())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        formats = re.findall(r'formatCode="([^"]*)"', archive.read("xl/styles.xml").decode())
    assert any("€" in each for each in formats)
    assert [each for each in formats if OTHER.search(each)] == []
    book = openpyxl.load_workbook(io.BytesIO(content))
    texts = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "s"]
    assert [text for text in texts if OTHER.search(text)] == []
    assert {"Margin, €", "Cloud cost, €", "EUR"} <= set(texts)


def test_files_of_a_home_in_euros_name_no_other_currency() -> None:
    files = pack.pack_files(in_euros())
    others = {name: content.decode() for name, content in files.items() if name.endswith((".csv", ".json", ".html"))}
    assert {name for name, text in others.items() if OTHER.search(text)} == set()


@pytest.mark.parametrize(("code", "shown"), [("EUR", "Revenue, €"), ("CHF", "Revenue, CHF")])
def test_the_index_names_the_currency(code: str, shown: str) -> None:
    data = sample.in_currency(sample.signed(), code)
    (part,) = data.parts
    row = index.IndexRow("colocation", data.month, "a.html", "open", None, 0, {"revenue_cents": 100_00, "power_cost_cents": 5})
    html = index.index_page([row], {"colocation": [index.Shown.of(part.stream, part.report)]}, data.currency)
    assert shown in html
    assert OTHER.findall(html) == []
