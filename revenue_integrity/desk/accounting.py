"""Every file of what is published and packed: what names it, and whether it is what that says.

Belongs here: comparing the tree with what ``close.json`` and manifests name. Does not belong here: the rows of published files
(``verifying``), signed versions (``close.freeze``), the ledger (``close.ledger``).
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from revenue_integrity import months
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Entry, Finding, Ledger, signed_path
from revenue_integrity.computing.publication_tables import checks_table
from revenue_integrity.desk import pack_seals
from revenue_integrity.files import walked
from revenue_integrity.landing.datasets import batches_table, corrections_table, data_rules_table, quarantine_table
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish

_WHO = "Find out who put it there, and take it away"


def always_published(stream: Stream, wanted: Iterable[date]) -> Iterator[tuple[Table, date | None]]:
    """Yield what a stream publishes whatever its checks say, which no ``close.json`` names."""
    for of_stream in (batches_table, quarantine_table, corrections_table, data_rules_table):
        table = of_stream(stream.name)
        yield table, None
    for rule in stream.whole:
        yield rule.table, None
    for month in wanted:
        yield checks_table(stream), month


def published_months(settings: Settings, stream: str) -> list[date]:
    """Return the months of which a stream has anything closed, whatever months the deployment has today."""
    found = (settings.published_path / "_close" / stream).glob("month=*")
    return sorted(months.parse(label) for each in found if (label := _label_of(each)))


def unaccounted(deployment: Deployment) -> Iterator[Finding]:
    """Tell every published file that nothing names, every one that is missing, and what is no regular file."""
    settings = deployment.settings
    named: set[Path] = set()
    for stream in deployment.streams:
        for month in published_months(settings, stream.name):
            problem = publish.close_problem(settings, stream.name, month)
            named.add(publish.close_file(settings, stream.name, month))
            if problem:
                label = months.label(month)
                yield Finding(str(publish.close_file(settings, stream.name, month)), problem, f"Run {label} again")
            else:
                named |= set(_of_month(settings, stream.name, month))
        for table, of_month in always_published(stream, settings.months):
            place = publish.directory_of(settings, table, of_month)
            named |= {place / "data.parquet", place / "manifest.json"}
    strays: dict[tuple[str, str], list[Path]] = defaultdict(list)
    of_stream = {table.name: stream.name for stream in deployment.streams for table in stream.published_tables}
    for file, odd in walked(settings.published_path):
        if signed_path(settings) in file.parents:
            continue
        if odd:
            yield Finding(str(file), odd, "Put the file itself in its place, or run its month again")
        elif file not in named:
            dataset = file.relative_to(settings.published_path).parts[0]
            strays[of_stream.get(dataset, ""), _label_of(file)].append(file)
    yield from _told(settings, strays)


def _told(settings: Settings, strays: Mapping[tuple[str, str], list[Path]]) -> Iterator[Finding]:
    """Tell what nothing names: of a month whose ``close.json`` is gone once, else file by file."""
    for (stream, label), files in sorted(strays.items()):
        if stream and label:
            close = publish.close_file(settings, stream, months.parse(label))
            if not close.exists():
                words = f"it is gone, and nothing names {len(files)} published files of {label}"
                yield Finding(str(close), words, f"Run {label} again")
                continue
        for file in files:
            yield Finding(str(file), "nothing names it: neither close.json nor a manifest", _WHO)


_OF_MONTH = re.compile("month=((?!0000)[0-9]{4}-(?:0[1-9]|1[0-2]))")
"""A folder of a month; others are called so by whoever put them there."""


def _label_of(path: Path) -> str:
    """Return the month of which something stands below a folder of its name; empty where there is none."""
    return next((found[1] for part in path.parts if (found := _OF_MONTH.fullmatch(part))), "")


def _of_month(settings: Settings, stream: str, month: date) -> Iterator[Path]:
    """Yield the files that a month's ``close.json`` names, manifests among them."""
    parts, label = publish.closed_parts(settings, stream, month), months.label(month)
    for dataset in publish.closed_hashes(settings, stream, month):
        if dataset not in parts:
            file = publish.file_of(settings, dataset, month)
            yield from (file, file.with_name("manifest.json"))
            continue
        yield publish.columns_file(settings, dataset)
        for part in parts[dataset].hashes:
            yield settings.published_path / dataset / part / "data.parquet"
            yield publish.tenant_manifest(settings, dataset, part.partition("/")[0], label)


def changed_packs(settings: Settings) -> Iterator[Finding]:
    """Tell what in a pack is not what its manifest names, and what among packs no manifest names."""
    from revenue_integrity.reports import index, manifest

    root = settings.packs_path
    step = "`revenue-integrity pack MONTH` makes it anew"
    listing = root / index.MANIFEST
    named: set[Path] = {root / index.FILE, listing, pack_seals.seal_file(listing)}
    if listing.exists():
        yield from _not_ours(settings, listing)
    for found in sorted([*root.glob(f"????-??/{manifest.FILE}"), *root.glob(f"*/????-??/{manifest.FILE}")]):
        listed = _listed(found)
        if listed is None:
            yield Finding(str(found), "it is no manifest of a pack", step)
            listed = {}
        elif found.parent.parent != root:
            # A pack from before there were books was signed, or is taken away by the next run.
            yield from _not_ours(settings, found)
        named |= {found, pack_seals.seal_file(found), *(found.parent / path for path in listed)}
        yield from _differing(found.parent, listed, step)
    pages = _listed(listing) or {}
    named |= {root / path for path in pages}
    yield from _differing(root, pages, "`revenue-integrity pack MONTH` renews it")
    for file, odd in walked(root):
        if odd or file not in named:
            yield Finding(str(file), odd or "nothing names it: it is part of no pack", _WHO)


def _not_ours(settings: Settings, listed: Path) -> Iterator[Finding]:
    """Tell a manifest of packs that this home did not write, or that was rewritten since."""
    if not pack_seals.is_ours(settings, listed):
        words = "this home's seal on it does not hold: it was rewritten, or an earlier release wrote it"
        yield Finding(str(listed), words, "`revenue-integrity run` makes it anew")


def other_than_signed(deployment: Deployment) -> Iterator[Finding]:
    """Tell which present packs say that they are of a signed version, and are not the pack that was frozen with it.

    One that tells of causes found after the signature is drawn anew, and says so.
    """
    from revenue_integrity.reports import manifest

    settings = deployment.settings
    latest: dict[tuple[str, str], Entry] = {}
    for entry in Ledger(settings).entries():
        if entry.action == Action.APPROVE and entry.book:
            latest[entry.book, entry.month] = entry
    for (book, label), entry in sorted(latest.items()):
        written = settings.packs_path / book / label / manifest.FILE
        kept = freeze.place_of(settings, entry) / freeze.PACK / manifest.FILE
        said = manifest.read(written.parent)
        if not kept.is_file() or not said or said.get("preliminary") is True or said.get("version") != entry.version:
            continue
        if written.read_bytes() != kept.read_bytes() and not _is_explained_anew(deployment, entry):
            words = f"it says that it is the pack of {entry.named}, and is not the one that was frozen with it"
            yield Finding(str(written), words, f"`revenue-integrity pack {label}` writes the signed one again")


def _is_explained_anew(deployment: Deployment, entry: Entry) -> bool:
    """Return whether what explains a month is published other than it was frozen."""
    settings = deployment.settings
    frozen = freeze.read_manifest(settings, entry)["facts"]["datasets"]
    for stream in deployment.streams:
        present = publish.closed_hashes(settings, stream.name, months.parse(entry.month))
        compared = stream.reconciliations
        explaining = [each.name for each in (compared.causes, compared.summary) if each is not None] if compared else []
        if any(name in frozen and name in present and frozen[name] != present[name] for name in explaining):
            return True
    return False


def _differing(folder: Path, listed: Mapping[str, str], step: str) -> Iterator[Finding]:
    for path, sha256 in sorted(listed.items()):
        try:
            if hashlib.sha256((folder / path).read_bytes()).hexdigest() != sha256:
                yield Finding(str(folder / path), "it is not the file that its manifest names: its SHA-256 differs", step)
        except FileNotFoundError:
            yield Finding(str(folder / path), "it is gone", step)


def _listed(file: Path) -> dict[str, str] | None:
    """Return the SHA-256 of each file that a manifest names; ``None`` for what is no manifest."""
    try:
        content: Any = json.loads(file.read_bytes())
        return {str(each["path"]): str(each["sha256"]) for each in content["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        return None
