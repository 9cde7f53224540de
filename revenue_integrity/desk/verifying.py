"""Proving that nothing signed or published was changed: ledger, frozen versions, published files.

Belongs here: what is compared with what, and what is missing. Does not belong here: mending anything.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import duckdb

from revenue_integrity import months
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Finding, Ledger
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.table import Table
from revenue_integrity.warehouse import publish


def verify(deployment: Deployment) -> list[Finding]:
    """Recompute the ledger's chain, the frozen versions and the hashes of all that is published; return what does not hold.

    What a crash or a failing renderer left undone is a finding, too: nothing signed may be missing without a word.
    """
    settings = deployment.settings
    ledger = Ledger(settings)
    findings = [*ledger.verify(), *freeze.verify_frozen(settings)]
    if not findings:
        entries = ledger.entries()
        findings += [
            Finding(
                entry.named,
                "it was approved and is not frozen",
                "Repeat any sign-off command: it freezes what is missing if the content is still the same",
            )
            for entry in freeze.missing_freezes(settings, entries)
        ]
        findings += [
            Finding(
                entry.named,
                "it is signed and frozen, and its close pack is missing",
                "`revenue-integrity run` makes it; if it cannot, the log says why",
            )
            for entry in freeze.missing_packs(settings, entries)
        ]
    return [*findings, *_verify_published(deployment)]


def _verify_published(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    with publish.verifying() as connection:
        for stream in deployment.streams:
            tables = {table.name: table for table in stream.published_tables}
            for month in settings.months:
                parts = publish.closed_parts(settings, stream.name, month)
                for dataset, recorded in publish.closed_hashes(settings, stream.name, month).items():
                    named = {publish.file_of(settings, dataset, month): recorded}
                    if dataset in parts:
                        place = settings.published_path / dataset
                        named = {place / part / "data.parquet": of_part for part, of_part in parts[dataset].hashes.items()}
                    if dataset not in tables:
                        words = f"close.json of {months.label(month)} names a dataset that is none"
                        yield Finding(dataset, words, f"Run {months.label(month)} again")
                        continue
                    yield from _verify_files(connection, tables[dataset], month, named)


def _verify_files(
    connection: duckdb.DuckDBPyConnection, table: Table, month: date, named: Mapping[Path, str]
) -> Iterator[Finding]:
    """Compare files with the hashes that ``close.json`` names."""
    for file, found in publish.verify_files(connection, table, list(named)).items():
        if isinstance(found, Exception):
            yield Finding(str(file), f"it cannot be read: {found}", f"Run {months.label(month)} again")
        elif found != named[file]:
            yield Finding(
                str(file),
                f"its rows have the hash {found}, close.json names {named[file]}",
                f"Delete the file and run {months.label(month)} again: it is published anew from the warehouse",
            )
