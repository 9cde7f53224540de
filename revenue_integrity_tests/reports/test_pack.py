"""Files of a close pack: all or none, the same bytes for the same data, hashes that hold, nothing that runs."""

import csv
import hashlib
import json
from pathlib import Path

import pytest

from revenue_integrity.errors import PublishError
from revenue_integrity.reports import pack
from revenue_integrity_tests.reports import sample


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "2025-06"
    pack.write_pack(sample.preliminary(), folder)
    return folder


def test_pack_holds_workbook_page_csvs_and_manifest(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {
        "close-pack-2025-06.xlsx",
        "close-pack-2025-06.html",
        "csv",
        "manifest.json",
    }
    datasets = {path.stem for path in (written / "csv").iterdir()}
    assert datasets == {*sample.tables(), "checks", "waivers", "sign_off_ledger", "restatement", "close_status"}


def test_manifest_names_the_hash_of_each_file(written: Path) -> None:
    manifest = json.loads((written / "manifest.json").read_text())
    on_disk = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()} - {"manifest.json"}
    assert {each["path"] for each in manifest["files"]} == on_disk
    for each in manifest["files"]:
        content = (written / each["path"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(content).hexdigest()
        assert each["bytes"] == len(content)
    assert (manifest["book"], manifest["month"], manifest["currency"]) == ("colocation", "2025-06", "USD")
    assert manifest["preliminary"] is True
    assert manifest["as_of"] == "2025-07-22T00:00:00.000000Z"


@pytest.mark.parametrize("make", [sample.preliminary, sample.signed, sample.empty])
@pytest.mark.usefixtures("drawn_anew")
def test_same_data_give_the_same_bytes(make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack.pack_files(make())
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert pack.pack_files(make()) == first


def test_later_months_do_not_show_in_an_earlier_pack() -> None:
    data = sample.preliminary()
    trends = sample.published(data).trends
    cut = {name: frame[frame["month"] <= "2025-06-01"] for name, frame in trends.items()}
    assert len(cut["contract_month"]) == len(trends["contract_month"]) - 1
    assert pack.pack_files(data) == pack.pack_files(sample.changed(data, trends=cut))


def test_another_cent_gives_another_pack() -> None:
    data = sample.preliminary()
    tables = sample.tables()
    tables["customer_month"].loc[0, "margin_cents"] += 1
    first, second = (json.loads(pack.pack_files(each)["manifest.json"]) for each in (data, sample.changed(data, tables=tables)))
    changed = {a["path"] for a, b in zip(first["files"], second["files"], strict=True) if a != b}
    assert {"close-pack-2025-06.xlsx", "csv/customer_month.csv"} <= changed


def test_csv_text_that_a_spreadsheet_would_run_is_text(written: Path) -> None:
    with (written / "csv" / "customers.csv").open(newline="") as stream:
        names = [row["customer_name"] for row in csv.DictReader(stream)]
    assert names == ["Northwind Cloud", sample.MARKUP_NAME, f"'{sample.FORMULA_NAME}", "'@Umlaut Größe & Söhne"]
    with (written / "csv" / "invoice_lines.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["document_id"] for line in lines] == ["INV-1", "CM-9", "'+INV-3"]
    # A negative amount is a number, not text: it stays one.
    assert lines[1]["amount_cents"] == "-350050"
    assert lines[0]["month"] == "2025-06"


def test_writing_again_replaces_the_pack_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "packs" / "2025-06"
    pack.write_pack(sample.preliminary(), folder)
    (folder / "csv" / "gone.csv").write_text("of an older pack")
    pack.write_pack(sample.signed(), folder)
    assert json.loads((folder / "manifest.json").read_text())["preliminary"] is False
    assert not (folder / "csv" / "gone.csv").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["2025-06"]


def test_failed_write_leaves_the_old_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "2025-06"
    pack.write_pack(sample.preliminary(), folder)
    before = (folder / "manifest.json").read_bytes()
    rename = Path.rename

    def fails_for_the_new_folder(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new_folder)
    with pytest.raises(PublishError, match=r"cannot be written to .*2025-06: No space left on device\. Check space"):
        pack.write_pack(sample.signed(), folder)
    assert (folder / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["2025-06"]


def test_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PublishError, match="is not empty and holds no close pack"):
        pack.write_pack(sample.preliminary(), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
