"""Shared rooms name no stream: what a stream is called stands in its folder and in the one list."""

import re
from pathlib import Path

import revenue_integrity
from revenue_integrity.streams.registry import STREAMS

PACKAGE = Path(revenue_integrity.__file__).parent


def test_code_outside_of_streams_names_no_stream() -> None:
    names = re.compile("|".join(STREAMS), re.IGNORECASE)
    rooms = [path for path in PACKAGE.iterdir() if path.name != "streams"]
    files = [
        file
        for room in rooms
        for file in ([room] if room.is_file() else room.rglob("*"))
        if file.suffix in (".py", ".sql", ".j2")
    ]
    assert len(files) > 100
    naming = [
        f"{file.relative_to(PACKAGE)}:{number}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if names.search(line)
    ]
    assert naming == []
