"""Addresses of what the UI shows beside Dagster's own pages: packs and documents, as links of metadata.

Belongs here: which address a thing has. Does not belong here: answering them (``operating.ui_pages``).

Addresses have no host: the UI is reached by several names, and what a run puts on record outlives the port of its day.
"""

from pathlib import Path
from urllib.parse import quote

import dagster as dg

from revenue_integrity import wording
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings

OURS = "/revenue-integrity"
"""Where pages of ours begin; Dagster has none there."""

PACKS = f"{OURS}/pack"
"""The close packs of the home, laid out as in its folder ``packs``."""

DOCUMENTS = f"{OURS}/docs"
"""The documents, laid out as in ``docs``."""


def of_dictionary(table: Table) -> dg.UrlMetadataValue:
    """Return the page of a table in the data dictionary."""
    return dg.MetadataValue.url(f"{DOCUMENTS}/data_dictionary.md#{wording.anchor(table.qualified)}")


def of_runbook(section: str) -> dg.UrlMetadataValue:
    """Return a section of the runbook, by the anchor of its heading."""
    return dg.MetadataValue.url(f"{DOCUMENTS}/runbook.md#{section}")


def of_packs() -> dg.UrlMetadataValue:
    """Return the index of all close packs."""
    return dg.MetadataValue.url(f"{PACKS}/")


def of_file(file: Path, settings: Settings) -> dg.MetadataValue[str | None]:
    """Return a file: a link where the UI shows it, else its path."""
    if not file.is_relative_to(settings.packs_path):
        return dg.MetadataValue.path(str(file))
    return dg.MetadataValue.url(f"{PACKS}/{quote(file.relative_to(settings.packs_path).as_posix())}")
