"""Proving that nothing signed or published was changed: ledger, frozen versions, published files.

Belongs here: what is compared with what, and what is missing. Does not belong here: mending anything.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import duckdb

from revenue_integrity import months
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Finding, Ledger
from revenue_integrity.computing.publication import digest_of_rows
from revenue_integrity.computing.versions import version_of_rule
from revenue_integrity.desk import accounting
from revenue_integrity.errors import PublishError
from revenue_integrity.files import walked
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import Catalog, read_catalog


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
        findings += accounting.other_than_signed(deployment)
    return [*findings, *_strange_ledger_files(settings), *_verify_published(deployment), *accounting.changed_packs(settings)]


_LEDGER_FILES = re.compile(r"ledger\.jsonl|ledger\.torn-[1-9][0-9]*|\.lock|anchors/[0-9]+")


def _strange_ledger_files(settings: Settings) -> Iterator[Finding]:
    for file, odd in walked(settings.ledger_path):
        if odd or not _LEDGER_FILES.fullmatch(file.relative_to(settings.ledger_path).as_posix()):
            yield Finding(str(file), odd or "nothing names it: it is no part of a ledger", "Find out who put it there")


def _verify_published(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    yield from accounting.unaccounted(deployment)
    known = read_catalog(settings)
    with publish.verifying() as connection:
        for stream in deployment.streams:
            tables = {table.name: table for table in stream.published_tables}
            for month in accounting.published_months(settings, stream.name):
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
                yield from _verify_signed(settings, stream, month, known)
            for table, of_month in accounting.always_published(stream, settings.months):
                yield from _verify_always(connection, settings, table, of_month)


def _verify_signed(settings: Settings, stream: Stream, month: date, known: Catalog) -> Iterator[Finding]:
    """Compare what ``close.json`` says that a signature would attest with the rows that are published.

    What an earlier release computed attests what was signed then: its months are stale until they are computed anew.
    """
    rules = {rule.table.name: rule for rule in stream.rules}
    recorded = publish.signed_digests(settings, stream.name, month)
    closed = publish.closed_hashes(settings, stream.name, month)
    for signed in stream.signed:
        name = signed.table.name
        rule, held = rules.get(name), known.partition(signed.table.qualified, month)
        is_present = rule is not None and held is not None and held.code_version == version_of_rule(rule)
        if name not in recorded or name not in closed or not is_present:
            continue
        try:
            (files,) = publish.files_together(settings, stream.name, month, [name]).values()
            found = digest_of_rows(signed, publish.rows_of_files(settings, name, files))
        except (PublishError, OSError, ValueError, KeyError, duckdb.Error):
            # Its file is a finding already.
            continue
        if found != recorded[name]:
            file = publish.close_file(settings, stream.name, month)
            words = f"it says that {recorded[name]} is signed of {name}, its rows give {found}"
            yield Finding(str(file), words, f"Run {months.label(month)} again")


def _verify_always(
    connection: duckdb.DuckDBPyConnection, settings: Settings, table: Table, month: date | None
) -> Iterator[Finding]:
    """Compare what is published whatever checks say with its manifest."""
    place = publish.directory_of(settings, table, month)
    if not place.is_dir():
        return
    recorded = publish.manifest_in(place / "manifest.json").get("content_hash")
    for file, found in publish.verify_files(connection, table, [place / "data.parquet"]).items():
        if isinstance(found, Exception) or found != recorded:
            yield Finding(str(file), "it is not the file that its manifest names", "Run again: it is published anew")


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
