"""`status --watch`: a line a book, drawn again every few seconds until somebody ends it.

Belongs here: drawing and waiting. Does not belong here: what the line says (``desk.board``), the command itself (``reading``).
"""

import time
from datetime import UTC
from typing import TYPE_CHECKING

from revenue_integrity import clock
from revenue_integrity.cli.shared import FormatOption, amounts_in, on_terminal, open_evidence, open_home, show

if TYPE_CHECKING:
    import pandas as pd

    from revenue_integrity.model.deployment import Deployment

SECONDS = 10
"""How often it is drawn again unless something else is asked for."""


def watch(seconds: int, chosen: FormatOption = None) -> None:
    """Show the board of all books: again and again on a terminal, once where the output goes elsewhere."""
    again = on_terminal(chosen)
    try:
        while True:
            # The home is opened anew each time: settings, data and the record of runs are those of the moment.
            home = open_home()
            _draw(home_board(home), chosen, clear=again, title=f"{amounts_in(home)}, {_now()}")
            if not again:
                return
            time.sleep(seconds)
    except KeyboardInterrupt:
        # That is how it is ended.
        return


def home_board(home: "Deployment") -> "pd.DataFrame":
    """Return the board of a home over all months that have data."""
    from revenue_integrity.computing.horizon import delivered_months
    from revenue_integrity.desk.board import board

    with open_evidence(home) as evidence:
        return board(home, evidence, delivered_months(home.settings))


def _draw(frame: "pd.DataFrame", chosen: FormatOption, *, clear: bool, title: str) -> None:
    if clear:
        # Home and clear below: the screen does not flicker, and what was above stays in the terminal's history.
        print("\033[H\033[J", end="")
    show(frame, chosen, title=title)


def _now() -> str:
    return f"{clock.now().astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, end with Ctrl-C"
