"""Restatement of a month of a book: its signed tables as they were signed, compared with what stands now.

Belongs here: reading both, and why they differ. Does not belong here: the comparison (``close.restatement``).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pandas as pd

from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Entry
from revenue_integrity.close.restatement import COLUMNS, changes
from revenue_integrity.close.sign_off import MonthFacts
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.desk.facts import Desk, the_book
from revenue_integrity.errors import Refusal
from revenue_integrity.model.book import Book
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.signed import SignedTable
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.storage import arrow_schema, exact_frame


def restatement(
    deployment: Deployment,
    evidence: Evidence,
    month: date,
    from_version: int | None = None,
    to_version: int | None = None,
    *,
    book: str = "",
) -> pd.DataFrame:
    """Return what changed since a signed version: rows and measures whose deltas add up to the change of each total.

    ``from_version`` is the latest signed version by default, ``to_version`` what is published now.

    Raises:
        Refusal: the month was never signed, or the version does not exist.
        UsageError: there is no such book, or several are in use and none is named.
    """
    desk = Desk(deployment, evidence)
    meant = the_book(desk, book, month)
    return restatement_of(desk, meant, desk.facts(meant, month), from_version, to_version)


def signed_versions(deployment: Deployment, evidence: Evidence, month: date, *, book: str = "") -> list[int]:
    """Return the signed versions of a month of a book that can be compared with, in order."""
    desk = Desk(deployment, evidence)
    return sorted(_frozen_entries(desk.settings, desk.facts(the_book(desk, book, month), month)))


def _frozen_entries(settings: Settings, facts: MonthFacts) -> dict[int, Entry]:
    return {entry.version: entry for entry in facts.approvals if freeze.is_frozen(settings, entry)}


def restatements(deployment: Deployment, evidence: Evidence, wanted: Sequence[date]) -> pd.DataFrame:
    """Return the dataset ``restatement``: of each month of a book that was signed, what changed since its latest version."""
    desk = Desk(deployment, evidence)
    every = [(book, desk.facts(book, month)) for book, month in desk.pairs(wanted)]
    frames = [
        restatement_of(desk, book, facts)
        for book, facts in every
        if any(freeze.is_frozen(deployment.settings, entry) for entry in facts.approvals)
    ]
    frames = [frame for frame in frames if not frame.empty]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def restatement_of(
    desk: Desk, book: Book, facts: MonthFacts, from_version: int | None = None, to_version: int | None = None
) -> pd.DataFrame:
    """Return ``restatement`` for a month of a book whose facts are known."""
    settings, month, streams = desk.settings, facts.month, desk.streams_of(book)
    frozen = _frozen_entries(settings, facts)
    wanted = from_version if from_version is not None else max(frozen, default=None)
    for version in (wanted, to_version):
        if version is not None and version not in frozen:
            raise Refusal(
                f"{facts.named} has no signed version {version}", f"Signed versions: {', '.join(map(str, frozen)) or 'none'}"
            )
    if wanted is None:
        raise Refusal(f"{facts.named} was never signed off", "There is nothing to compare with")
    signed = [each for stream in streams for each in stream.signed]
    old = _frozen(settings, frozen[wanted], signed)
    new = _present(settings, streams, month, signed) if to_version is None else _frozen(settings, frozen[to_version], signed)
    cause, batches = _why(facts, frozen[wanted], None if to_version is None else frozen[to_version])
    rows = [
        {
            "book": book.name,
            "month": pd.Timestamp(month).as_unit("us"),
            "from_version": wanted,
            **change,
            "cause": cause,
            "batches": json.dumps(batches),
        }
        for change in changes(signed, old, new)
    ]
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    amounts = found[["old", "new", "delta"]].map(lambda amount: isinstance(amount, Decimal))
    if amounts.to_numpy().any():
        # One type a column: cents beside exact costs become decimals, whose values are the same.
        found[["old", "new", "delta"]] = found[["old", "new", "delta"]].map(lambda amount: Decimal(str(amount))).astype(object)
    return found


def _frozen(settings: Settings, entry: Entry, signed: Sequence[SignedTable]) -> Mapping[str, pd.DataFrame]:
    """Return the signed tables of a version; one that it does not hold, for its stream was not in use yet, has no rows."""
    held = freeze.read_manifest(settings, entry)["files"]
    return {
        each.table.name: freeze.read_frozen(settings, entry, each.table)
        if f"{each.table.name}.parquet" in held
        else _no_rows(each.table)
        for each in signed
    }


def _present(
    settings: Settings, streams: Sequence[Stream], month: date, signed: Sequence[SignedTable]
) -> Mapping[str, pd.DataFrame]:
    """Return the signed tables as they are published; those of a stream that has not published the month have no rows."""
    frames: dict[str, pd.DataFrame] = {each.table.name: _no_rows(each.table) for each in signed}
    published = [stream for stream in streams if publish.closed_hashes(settings, stream.name, month)]
    for stream in published or streams:
        frames |= publish.read_together(settings, stream.name, month, [each.table for each in stream.signed])
    return frames


def _no_rows(table: Table) -> pd.DataFrame:
    return exact_frame(arrow_schema(table).empty_table())


def _why(facts: MonthFacts, old: Entry, new: Entry | None) -> tuple[str, list[str]]:
    """Return what made the difference, and the batches that are new in it; ``new`` is ``None`` for what stands now."""
    known = {(batch["id"], batch["digest"]) for batch in old.batches}
    present = {(batch["id"], batch["digest"]) for batch in (new.batches if new else facts.batches)}
    settings_now = new.settings_hash if new else facts.settings_hash
    if present != known:
        return "data", sorted(batch_id for batch_id, digest in present - known)
    return ("settings" if settings_now != old.settings_hash else "code"), []
