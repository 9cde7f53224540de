"""What a foreign file is inside, by its bytes: plain, gzip, a zip archive of one file, a workbook.

Belongs here: opening them. Does not belong here: text and its encoding (``conversion``), what the rows mean.

A name says little: exports are saved as ``.csv`` whatever they are.
"""

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_WORKBOOK = "xl/workbook.xml"


class ContainerError(Exception):
    """A file cannot be opened; the message completes a sentence that begins with its name."""


def kind_of(path: Path) -> str:
    """Return what a file is by its first bytes: ``gzip``, ``zip``, ``xlsx``, or an empty text for anything else.

    Raises:
        OSError: the file system refuses.
    """
    with path.open("rb") as file:
        begin = file.read(4)
    if begin.startswith(_GZIP):
        return "gzip"
    if begin != _ZIP:
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            return "xlsx" if _WORKBOOK in archive.namelist() else "zip"
    except zipfile.BadZipFile:
        return "zip"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file's bytes, decompressed.

    Raises:
        ContainerError: it is a workbook, or an archive that does not hold exactly one file that can be read.
        OSError: the file system refuses.
    """
    match kind_of(path):
        case "gzip":
            with gzip.open(path) as unzipped:
                yield cast(IO[bytes], unzipped)
        case "xlsx":
            sheets = ", ".join(sheets_of(path))
            raise ContainerError(f'is a workbook: declare file.format = "xlsx" and file.sheet (it has: {sheets})')
        case "zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    files = [each for each in archive.infolist() if not each.is_dir() and not _is_of_system(each.filename)]
                    if len(files) != 1:
                        named = ", ".join(each.filename for each in files[:10]) or "none"
                        raise ContainerError(f"is an archive of {len(files)} files, not of one ({named}): take them out")
                    if files[0].flag_bits & 1:
                        raise ContainerError("is an archive with a password: take the file out")
                    with archive.open(files[0]) as stream:
                        yield stream
            except (zipfile.BadZipFile, NotImplementedError) as error:
                raise ContainerError(f"is not a readable zip archive ({error})") from error
        case _:
            with path.open("rb") as stream:
                yield stream


def _is_of_system(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1] == ".DS_Store"


def sheets_of(path: Path) -> list[str]:
    """Return the names of a workbook's sheets.

    Raises:
        ContainerError: it is no readable workbook.
    """
    with _workbook(path) as book:
        return list(book.sheetnames)


def rows_of_sheet(path: Path, sheet: str, skip: int) -> Iterator[list[str | None]]:
    """Yield the rows of a sheet as texts, from the one behind the first ``skip`` on; rows without any value are left out.

    Numbers have a decimal point and no other mark, days are YYYY-MM-DD, moments YYYY-MM-DDTHH:MM:SS. Of a formula the value
    counts that was saved.

    Raises:
        ContainerError: it is no workbook, or has no such sheet, or several and none is named.
    """
    if kind_of(path) != "xlsx":
        raise ContainerError('is no workbook, and file.format is "xlsx"')
    with _workbook(path) as book:
        if not sheet and len(book.sheetnames) > 1:
            raise ContainerError(f"has several sheets, and file.sheet names none (it has: {', '.join(book.sheetnames)})")
        if sheet and sheet not in book.sheetnames:
            raise ContainerError(f"has no sheet {sheet} (it has: {', '.join(book.sheetnames)})")
        for row in book[sheet or book.sheetnames[0]].iter_rows(min_row=skip + 1, values_only=True):
            texts = [_text(value) for value in row]
            if any(texts):
                yield texts


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    # A large library that only workbooks need.
    from openpyxl import load_workbook

    try:
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                yield book
            finally:
                book.close()
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ContainerError(f"is not a readable workbook ({error})") from error


def _text(value: object) -> str | None:
    """Return the text of a cell; the number that a cell shows is the shortest that gives its floating point again."""
    match value:
        case None | "":
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return format(Decimal(repr(value)), "f").removesuffix(".0")
        case datetime():
            is_day = value.time() == time.min
            return (
                value.date().isoformat()
                if is_day
                else value.replace(microsecond=0).isoformat()
                if not value.microsecond
                else value.isoformat()
            )
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case _:
            return str(value)
