"""How much of a file is read as one thing, and how many records a CSV file has: known from its bytes, whoever reads its rows.

Belongs here: limits, counting. Does not belong here: rows and what is in them (``staging``, ``exact``).

A reader that gives up on a row without a word loses it. So records are counted apart from reading them, by line ends outside of
quotes; what does not add up is read record by record.
"""

import re
from dataclasses import dataclass

import numpy as np

from revenue_integrity.settings import Settings

_FEED, _RETURN, _QUOTE = ord("\n"), ord("\r"), ord('"')

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
"""Control characters in UTF-8: C0 but tab and line ends, delete, C1."""

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""The same in text, and lone surrogates, which no file can hold."""


@dataclass(frozen=True)
class Limits:
    """What is read: columns of a file or keys of an object, bytes of a row, levels of JSON in one another."""

    columns: int = 2000
    row_mib: int = 16
    nesting: int = 100

    @property
    def row_bytes(self) -> int:
        """Bytes of the largest row."""
        return self.row_mib << 20

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits of a deployment."""
        return cls(settings.limit_columns, settings.limit_row_mib, settings.limit_nesting)

    def too_many_columns(self, columns: int) -> str:
        """Return why so many are not read, as the end of a sentence that begins with the file's name; empty if they are."""
        if columns <= self.columns:
            return ""
        return f"has {columns} columns, more than the {self.columns} that are read (setting limit_columns)"

    def too_long(self, where: str) -> str:
        """Return why a row is not read, as the end of a sentence that begins with the file's name."""
        return f"has a row of more than {self.row_mib} MiB{where}, more than is read (setting limit_row_mib)"

    def too_deep(self) -> str:
        """Return why JSON is not read, as the end of a sentence that begins with the file's name."""
        return f"nests JSON deeper than the {self.nesting} levels that are read (setting limit_nesting)"


USUAL = Limits()
"""Those of a deployment that sets none."""

LARGEST = Limits(100_000, 1024, 500)
"""For what was read before, under whatever limits."""


class Counter:
    """Counts the records of a CSV file while its bytes pass by: blank lines are none, the header is one."""

    def __init__(self) -> None:
        self.longest_line = 0
        self.longest_record = 0
        self.controls = False
        self._records = 0
        self._quoted = False
        self._filled = False
        self._line = 0
        self._record = 0

    @property
    def records(self) -> int:
        """How many there are in what has passed by."""
        return self._records + self._filled

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._measure(data)
        text = np.frombuffer(data, np.uint8)
        if not self.controls and self._may_have_controls(text, data):
            self.controls = _CONTROL.search(data) is not None
        if not self._quoted and b'"' not in data and self._filled and b"\n\n" not in data and b"\n\r\n" not in data:
            # Nothing is quoted and no line is blank: every line end is that of a record.
            self._records += int(np.count_nonzero(text == _FEED))
            last = data.rfind(b"\n")
            self._filled = last < 0 or bool(data[last + 1 :].strip(b"\r"))
            self._record = len(data) - last - 1 + (self._record if last < 0 else 0)
            self.longest_record = max(self.longest_record, self._record)
            return
        inside = np.logical_xor.accumulate(text == _QUOTE) ^ self._quoted
        ends = np.flatnonzero((text == _FEED) & ~inside)
        for_each = np.diff(ends, prepend=-1) - 1
        blank = for_each == 0
        single = np.flatnonzero(for_each == 1)
        blank[single] = text[ends[single] - 1] == _RETURN
        if len(ends):
            blank[0] = blank[0] and not self._filled
        self._records += int(len(ends) - np.count_nonzero(blank))
        if len(ends):
            within = int(for_each[1:].max()) if len(ends) > 1 else 0
            self.longest_record = max(self.longest_record, self._record + int(ends[0]), within)
            self._record = len(data) - int(ends[-1]) - 1
        else:
            self._record += len(data)
        self.longest_record = max(self.longest_record, self._record)
        rest = data[int(ends[-1]) + 1 if len(ends) else 0 :]
        self._filled = bool(rest.strip(b"\r")) or (self._filled and not len(ends))
        self._quoted = bool(inside[-1]) if len(inside) else self._quoted

    def _measure(self, data: bytes) -> None:
        first = data.find(b"\n")
        if first < 0:
            self._line += len(data)
        else:
            self.longest_line = max(self.longest_line, self._line + first)
            self._line = len(data) - data.rfind(b"\n") - 1
        self.longest_line = max(self.longest_line, self._line)

    def _may_have_controls(self, text: "np.ndarray[tuple[int], np.dtype[np.uint8]]", data: bytes) -> bool:
        usual = data.count(b"\t") + data.count(b"\r") if b"\t" in data or b"\r" in data else 0
        low = int(np.count_nonzero(text < ord(" ")))
        return low != usual + int(np.count_nonzero(text == _FEED)) or b"\x7f" in data or b"\xc2" in data
