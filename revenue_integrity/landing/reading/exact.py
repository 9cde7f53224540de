"""CSV read record by record, exactly as RFC 4180 says: what the engine's reader refuses or cannot be trusted with.

Belongs here: records, and what is wrong with one as a whole. Does not belong here: what is wrong with a value (``values``).
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence

from revenue_integrity.landing.reading.inspection import FileFacts, UnreadableError
from revenue_integrity.landing.reading.limits import CONTROL


def text_stream(file: FileFacts) -> io.TextIOWrapper:
    """Open a file as text, decompressed, without the mark at its begin."""
    if file.compressed:
        return gzip.open(file.path, "rt", encoding="utf-8-sig", newline="")
    return file.path.open(encoding="utf-8-sig", newline="")


def records(file: FileFacts, header: Sequence[str]) -> Iterator[list[str | None]]:
    """Yield the data rows of a CSV file, padded to the header, with what is wrong with each and how it came."""
    width = len(header)
    with text_stream(file) as stream:
        lines: list[str] = []

        def remembered() -> Iterator[str]:
            size = 0
            for line in stream:
                size = len(line) + (size if lines else 0)
                if size > file.limits.row_bytes:
                    raise UnreadableError(file.limits.too_long(f" (data row {number + 1})"))
                lines.append(line)
                yield line

        reader = csv.reader(remembered(), strict=True, skipinitialspace=True)
        awaiting_header = True
        number = 0
        while True:
            lines.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                if "unexpected end of data" in str(error):
                    raise UnreadableError(f"ends inside a quoted field that begins in data row {number}") from error
                came = json.dumps({"line": "".join(lines).rstrip("\r\n")}, ensure_ascii=False)
                yield [*[None] * width, f"the row's quotes do not follow RFC 4180 ({error})", came]
                continue
            if not row:
                continue
            if awaiting_header:
                awaiting_header = False
                continue
            number += 1
            if held := _control_in(row):
                yield _with_control(row, header, held)
            elif len(row) == width or (len(row) == width + 1 and not row[-1]):
                yield [*(cell or None for cell in row[:width]), None, None]
            else:
                yield _misfit(row, header)


def _control_in(row: Sequence[str]) -> tuple[int, str] | None:
    """Return the place of the first field with a control character, and the character; nothing where there is none."""
    for place, cell in enumerate(row):
        # What is all printable holds none; the pattern costs more.
        if not cell.isprintable() and (found := CONTROL.search(cell)):
            return place, found[0]
    return None


def control_words(column: str, character: str) -> str:
    """Return what is wrong with a row that holds a control character."""
    return f"{column} holds the control character U+{ord(character):04X}"


def _with_control(row: Sequence[str], header: Sequence[str], held: tuple[int, str]) -> list[str | None]:
    width, (place, character) = len(header), held
    column = header[place] if place < width and header[place] else f"field {place + 1}"
    names = [*(name or f"(column {at + 1})" for at, name in enumerate(header))]
    names += [f"(field {at + 1})" for at in range(width, len(row))]
    came = json.dumps(dict(zip(names, row, strict=False)))
    cells = [CONTROL.sub("\N{REPLACEMENT CHARACTER}", cell) or None for cell in row[:width]]
    return [*cells, *[None] * (width - len(cells)), control_words(column, character), came]


def _misfit(row: Sequence[str], header: Sequence[str]) -> list[str | None]:
    """Return a row whose number of fields is not the header's: what stands in its place is kept, for its month."""
    width = len(header)
    wrong = f"the row has {len(row)} field{'s' * (len(row) != 1)}, the header {width}"
    if len(row) < width:
        return [*(cell or None for cell in row), *[None] * (width - len(row)), wrong, None]
    names = [*(column or f"(column {place + 1})" for place, column in enumerate(header))]
    names += [f"(field {place + 1})" for place in range(width, len(row))]
    came = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)
    return [*(cell or None for cell in row[:width]), wrong, came]
