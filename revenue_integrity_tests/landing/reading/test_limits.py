"""No row is passed over without a word: records are counted apart from reading them, and what is too large is refused by name."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenue_integrity.landing.batches import known_batches
from revenue_integrity.landing.ingest import ingest
from revenue_integrity.landing.reading.inspection import inspect
from revenue_integrity.landing.reading.limits import USUAL, Counter, Limits
from revenue_integrity.landing.reading.staging import Staged, Stager
from revenue_integrity.model.source import Source, SourceColumn
from revenue_integrity.warehouse import database
from revenue_integrity_tests.support import home_settings

NOTES = Source(
    "toy",
    "notes",
    "Notes, one row each as sent.",
    (SourceColumn("note_id", "id", "The note."), SourceColumn("words", "text", "What it says.", required=False)),
    key=("note_id",),
    matters="true",
)

MIB = 1 << 20


def staged(tmp_path: Path, *files: Path, limits: Limits = USUAL) -> tuple[Staged, list[tuple[str, str, str]]]:
    """Read files; return what became of them, and id, words and what is wrong of each row that counts."""
    with database.connect(home_settings(tmp_path / "home", memory_limit="1GB")) as connection:
        found = Stager(connection, NOTES, "USD").stage([inspect(file, limits) for file in files])
        numbers = ", ".join(map(str, found.numbers.values())) or "-1"
        rows = connection.execute(
            f"select note_id, length(words), static_errors from {found.table} where f in ({numbers}) order by rowid"
        ).fetchall()
    return found, rows


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """Write a file."""
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_rows_around_one_of_forty_mebibytes_do_not_vanish(tmp_path: Path) -> None:
    file = written(tmp_path, "notes.csv", f"note_id,words\nA,{'x' * (40 * MIB)}\nB,short\nC,short\n")
    found, rows = staged(tmp_path, file)
    assert rows == []
    assert found.problems[file] == "notes.csv has a row of more than 16 MiB, more than is read (setting limit_row_mib)"
    # Who wants it read says so, and all three rows stand.
    found, rows = staged(tmp_path, file, limits=Limits(row_mib=64))
    assert (found.problems, rows) == ({}, [("A", 40 * MIB, None), ("B", 5, None), ("C", 5, None)])


def test_a_quoted_row_of_forty_mebibytes_does_not_vanish(tmp_path: Path) -> None:
    file = written(tmp_path, "notes.csv", 'note_id,words\nA,"' + ("x" * 1023 + "\n") * (40 * 1024) + '"\nB,short\n')
    found, rows = staged(tmp_path, file)
    assert rows == []
    assert "has a row of more than 16 MiB (data row 1)" in found.problems[file]


def test_a_cell_of_twenty_five_million_lines_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "notes.csv", 'note_id,words\nA,"' + "\n" * 25_000_000 + '"\nB,short\n')
    assert "has a row of more than 16 MiB" in staged(tmp_path, file)[0].problems[file]


def test_a_hundred_thousand_columns_are_refused(tmp_path: Path) -> None:
    header = ",".join(["note_id", *(f"c{number}" for number in range(100_000))])
    file = written(tmp_path, "notes.csv", f"{header}\nA\n")
    words = "notes.csv has 100001 columns, more than the 2000 that are read (setting limit_columns)"
    assert staged(tmp_path, file)[0].problems[file] == words


def test_two_hundred_thousand_keys_are_refused(tmp_path: Path) -> None:
    members = {"note_id": "A"} | {f"k{number}": number for number in range(200_000)}
    file = written(tmp_path, "notes.json", json.dumps([members]))
    words = "notes.json has 200001 columns, more than the 2000 that are read (setting limit_columns)"
    assert staged(tmp_path, file)[0].problems[file] == words


@pytest.mark.parametrize("depth", [101, 5_000, 200_000])
def test_deep_json_is_refused(tmp_path: Path, depth: int) -> None:
    file = written(tmp_path, "notes.json", '{"note_id": "A", "words": ' + "[" * depth + "]" * depth + "}")
    words = "notes.json nests JSON deeper than the 100 levels that are read (setting limit_nesting)"
    assert staged(tmp_path, file)[0].problems[file] == words


def test_json_that_nests_as_deep_as_is_read_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, "notes.json", '{"note_id": "A", "words": ' + "[" * 99 + "]" * 99 + "}")
    assert staged(tmp_path, file) == (staged(tmp_path, file)[0], [("A", 198, None)])


def test_control_characters_and_lone_surrogates_make_a_bad_row_and_stop_no_other(tmp_path: Path) -> None:
    table = written(tmp_path, "a.csv", "note_id,words\nA,good\nB,be\0ll\nC,\x1b[31mred\nD,\x85next\nE,tab\there\n")
    objects = [{"note_id": "F", "words": "good"}, {"note_id": "G", "words": "\ud800"}, {"note_id": "H", "words": "a\x07b"}]
    lines = written(tmp_path, "b.json", json.dumps(objects))
    found, rows = staged(tmp_path, table, lines)
    assert found.problems == {}
    assert [(row[0], row[2]) for row in rows if row[2] is None] == [("A", None), ("E", None), ("F", None)]
    assert [row[2] for row in rows if row[2] is not None] == [
        "words holds the control character U+0000",
        "words holds the control character U+001B",
        "words holds the control character U+0085",
        "words holds the control character U+D800",
        "words holds the control character U+0007",
    ]


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"bell\a.csv"])
def test_a_file_whose_name_is_no_text_is_its_batchs_problem_alone(tmp_path: Path, name: bytes) -> None:
    settings = home_settings(tmp_path / "home")
    for arrival, file in (("20250101T000000Z", name), ("20250102T000000Z", b"good.csv")):
        batch = settings.landing_path / "toy" / "notes" / arrival
        batch.mkdir(parents=True)
        (Path(os.fsdecode(os.fsencode(batch) + b"/" + file))).write_text("note_id,words\nA,x\n", encoding="utf-8")
    with database.connect(settings) as connection:
        report = ingest(connection, settings.landing_path, [NOTES], settings)
        told = connection.execute("select status, error from meta.batches order by batch_id").fetchall()
        assert set(known_batches(connection, [NOTES])) == {f"toy/notes/2025010{day}T000000Z" for day in (1, 2)}
    assert report.rows == 1
    assert [status for status, _ in told] == ["rejected", "loaded"]
    assert told[0][1].startswith("the name of the file ")


CELLS = st.text(st.sampled_from('ab,"\n\r\t é'), max_size=6)


@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=8), ends=st.sampled_from(["\n", "\r\n"]), at=st.integers(1, 9)
)
def test_records_are_counted_as_a_reader_of_csv_counts_them(rows: list[list[str]], ends: str, at: int) -> None:
    text = io.StringIO(newline="")
    # A return that stands alone ends a line for some readers: where a writer might leave it bare, all is quoted.
    csv.writer(text, lineterminator=ends, quoting=csv.QUOTE_MINIMAL if ends == "\r\n" else csv.QUOTE_ALL).writerows(rows)
    content = text.getvalue().encode()
    counter = Counter()
    for begin in range(0, len(content), at):
        counter.feed(content[begin : begin + at])
    assert counter.records == sum(1 for row in csv.reader(io.StringIO(text.getvalue(), newline="")) if row)


def test_what_a_killed_process_joined_is_taken_away_by_the_next_that_joins(tmp_path: Path) -> None:
    left = tmp_path / "home" / "tmp" / ".joined.0123abcd.new"
    left.mkdir(parents=True)
    written(left, "0.csv", "number\n")
    files = [written(tmp_path, f"notes-{number}.csv", f"note_id,words\nA{number},short\n") for number in range(60)]
    found, rows = staged(tmp_path, *files)
    assert (found.problems, len(rows)) == ({}, 60)
    assert not list((tmp_path / "home" / "tmp").glob(".joined*"))
