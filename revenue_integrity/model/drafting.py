"""What would clear a month's causes: how a stream says it.

Belongs here: the declaration. Does not belong here: writing files of it (``serving.drafts``), any stream's corrections.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from revenue_integrity.model.table import Table


@dataclass(frozen=True)
class Draft:
    """Rows that would clear causes if they were sent.

    Attributes:
        rows: by the name of the source, with the source's columns as files have them.
        left: causes that no row clears, each with the reason, as sentences.
    """

    rows: Mapping[str, pd.DataFrame]
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corrections:
    """How a stream's causes are cleared: by which rows of its own sources.

    Attributes:
        reads: the published tables that rows are made from.
        make: ``(month, now, frames by dataset, currency)`` to the rows; deterministic.
    """

    reads: tuple[Table, ...]
    make: Callable[[date, datetime, Mapping[str, pd.DataFrame], str], Draft]
