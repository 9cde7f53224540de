"""What publication says of itself: the results of a month's checks, and what of the month is published.

Belongs here: the declarations of these tables, for whoever reads them without Dagster. Does not belong here: filling them
(``publication``).
"""

from revenue_integrity.model import table as column
from revenue_integrity.model.check import STATES, Gate
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table, table

CHECKS = "checks"
"""Dataset of the checks' results, published whatever they say."""


def checks_table(stream: Stream) -> Table:
    """Return the declaration of ``checks``: what each check of a month said when its publication was last tried.

    A stream's has its name in front, as its reconciliations do; whoever reads ``checks`` gets all of them.
    """
    return table(
        stream.name,
        "close",
        stream.dataset(CHECKS),
        "What each check of the month said when its publication was last tried, one row per month, table and check.",
        ("month", "table_name", "check_name"),
        [
            column.month(),
            column.text("table_name", "The table that it judges."),
            column.text("check_name", "What must be true."),
            column.text("gate", "What its failure stops.", isin=[gate.value for gate in Gate]),
            column.text("state", "Passed or failed; or why there is no result on what stands now.", isin=STATES),
            column.json_text("figures", "The figures that it reported, as JSON; one that is no whole number as exact text."),
            column.text("next_step", "What to do about it; empty for a check that passed."),
        ],
    )


def publication_table(stream: str) -> Table:
    """Return the declaration of ``published``: which datasets of a month are published, with their hashes."""
    return table(
        stream,
        "close",
        "published",
        "The stream's published month, one row per dataset: what readers, packs and sign-off rest on.",
        ("month", "dataset"),
        [
            column.month(),
            column.text("dataset", "The dataset."),
            column.text("content_hash", "SHA-256 of its rows."),
            column.integer("row_count", "Its rows.", unit="rows"),
        ],
    )
