"""What a measurement found, before anybody shows it.

Belongs here: figures, aims, tables. Does not belong here: measuring a piece (``measure``), showing (``__main__``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measure import Figures, Piece, repeat_piece

Say = Callable[[str], None]


@dataclass
class Report:
    """What was measured.

    Attributes:
        pieces: figures by what was measured.
        aims: what was found, and what the project aims at.
        tables: any other rows, by title.
    """

    pieces: dict[str, Figures] = field(default_factory=dict)
    aims: list[tuple[str, str, str]] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def measure(self, title: str, piece: Piece, times: int, say: Say, **arguments: object) -> Figures:
        """Run a piece and keep its figures."""
        say(f"{title} ({times} x) …")
        self.pieces[title] = repeat_piece(piece, times, **arguments)
        return self.pieces[title]
