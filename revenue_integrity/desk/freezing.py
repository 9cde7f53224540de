"""From a signature to its frozen version: the data before the ledger, the pack after, and what was interrupted in between.

Belongs here: which files of a month are kept, and completing what a crash or a failing renderer left. Does not belong here: how
a version is written and proven (``close.freeze``), how its pack is made (``packs``).
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from revenue_integrity import logs, months
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Entry, Ledger, signed_path
from revenue_integrity.close.sign_off import MonthFacts
from revenue_integrity.desk import packs
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.desk.facts import Desk
from revenue_integrity.errors import LedgerError, PublishError, Refusal, RevenueIntegrityError
from revenue_integrity.model.book import Book
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish

_log = logging.getLogger(__name__)


def stage(desk: Desk, facts: MonthFacts, version: int) -> Path:
    """Copy what is published of a month for a version, before the ledger holds that it was approved; return the copy.

    With the data is kept what its pack will say of the moment of signing, so that the pack can be made whenever it can.

    Raises:
        Refusal: the month is published anew at this moment.
        PublishError: what is published of it does not belong together.
        LedgerError: the copy cannot be written.
    """
    month, book = facts.month, book_of(desk, facts)
    kept = {
        freeze.CONTENT: facts.content_hash,
        "as_of": facts.as_of,
        "datasets": desk.published_hashes(book, month),
        "streams": list(book.streams),
        "shown": [stream.name for stream in desk.shown(book, month)],
        "checks": [each.kept for each in facts.checks],
    }
    with _whole_files(desk, facts) as files:
        staged = freeze.stage(desk.settings, files, facts.book, month, version, kept)
        try:
            # A publication that began meanwhile replaces files one by one.
            unchanged = desk.content_hash(book, month) == facts.content_hash
            unchanged = unchanged and desk.published_hashes(book, month) == kept["datasets"]
            for stream in desk.attested(book, month):
                publish.files_together(
                    desk.settings, stream.name, month, publish.closed_hashes(desk.settings, stream.name, month)
                )
        except PublishError:
            unchanged = False
    if not unchanged:
        freeze.unstage(desk.settings, facts.book, month, version)
        raise Refusal(f"{facts.named} was published anew while it was being signed", "See what changed, and prepare it again")
    return staged


def book_of(desk: Desk, facts: MonthFacts) -> Book:
    """Return the book that facts are about, as it has their month."""
    return desk.book_named(facts.book, facts.month) if facts.book else desk.all_streams


@contextmanager
def _whole_files(desk: Desk, facts: MonthFacts) -> Iterator[dict[str, Path]]:
    """Yield one file for each published dataset of a month; of a dataset in parts, one that is made of them."""
    settings, month = desk.settings, facts.month
    made = signed_path(settings) / ".whole"
    # The ledger is locked: what stands here was left by a process that died.
    shutil.rmtree(made, ignore_errors=True)
    try:
        files = {}
        for stream in desk.attested(book_of(desk, facts), month):
            parts = publish.closed_parts(settings, stream.name, month)
            closed = publish.closed_hashes(settings, stream.name, month)
            for name, found in publish.files_together(settings, stream.name, month, closed).items():
                files[name] = made / f"{name}.parquet" if name in parts else found[0]
                if name in parts:
                    made.mkdir(parents=True, exist_ok=True)
                    publish.write_whole(settings, name, found, files[name])
        yield files
    except OSError as error:
        raise LedgerError(
            f"{facts.named} cannot be frozen: {error.filename or made}: {error.strerror or error}",
            "Make room, and approve it again",
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def recover(deployment: Deployment, evidence: Evidence, ledger: Ledger) -> None:
    """Finish what a crash interrupted, under the ledger's lock: freeze what was approved, and tell the latest approval."""
    settings, entries = deployment.settings, ledger.entries()
    for entry in freeze.missing_freezes(settings, entries):
        try:
            _freeze_late(Desk(deployment, evidence), entry)
        except RevenueIntegrityError as error:
            # What was approved is gone, or the disk is full: `verify` says so from now on. No other month waits.
            _log.warning("%s", error)
    for entry in [each for each in entries if each.action == Action.APPROVE][-1:]:
        tell_approved(settings, entry)


def _freeze_late(desk: Desk, entry: Entry) -> None:
    """Freeze an approval from what was staged for it; where that is gone, from what is published, if it is still the same."""
    month = months.parse(entry.month)
    if not freeze.is_staged(desk.settings, entry):
        book = desk.book_named(entry.book, month) if entry.book else desk.all_streams
        if desk.content_hash(book, month) == entry.content_hash:
            stage(desk, desk.facts(book, month), entry.version)
    freeze.finish(desk.settings, entry)


def tell_approved(settings: Settings, entry: Entry) -> None:
    """Alert that a version was approved, with the ledger's head; the same approval is told once."""
    month = months.parse(entry.month)
    outbox.raise_alert(settings, events.approved(entry.book, month, entry.version, f"{entry.seq}:{entry.hash}", entry.actor))


def make_packs(deployment: Deployment, evidence: Evidence) -> list[str]:
    """Make the pack of each signed version that has none; return, as sentences, what could not be made.

    A renderer may fail on any content: that undoes no signature, stops no other pack, and is tried again by the next command.
    """
    settings, untold = deployment.settings, []
    missing = freeze.missing_packs(settings, Ledger(settings).entries())
    if not missing:
        return []
    desk = Desk(deployment, evidence)
    for entry in missing:
        try:
            files = packs.signed_files(desk, entry)
            freeze.keep_pack(settings, entry, files)
            if entry.book:
                packs.keep(desk, entry.book, months.parse(entry.month), files)
        except RevenueIntegrityError as error:
            untold.append(f"the close pack of {entry.named} is not made: {error}")
        except Exception as error:
            logs.event(
                "pack_failed",
                level=logging.ERROR,
                book=entry.book,
                month=months.parse(entry.month),
                version=entry.version,
                error=error,
            )
            untold.append(
                f"the close pack of {entry.named} cannot be made ({type(error).__name__}: {error}); "
                "the version is signed and frozen, the log tells more"
            )
    return untold


def freeze_approved(deployment: Deployment, evidence: Evidence) -> list[str]:
    """Freeze what was approved and is not frozen, before anything else is written; return, as sentences, what could not be.

    Raises:
        Refusal: a decision is under way for too long.
        LedgerError: the ledger cannot be read or written.
    """
    settings = deployment.settings
    if freeze.unfrozen(settings):
        with Ledger(settings).locked() as ledger:
            recover(deployment, evidence, ledger)
    return freeze.unfrozen(settings)


def complete(deployment: Deployment, evidence: Evidence) -> list[str]:
    """Complete what earlier decisions left open; return, as sentences, which packs cannot be made.

    Raises:
        Refusal: another decision is under way for too long.
        LedgerError: the ledger cannot be read.
    """
    settings = deployment.settings
    entries = Ledger(settings).entries()
    if not freeze.missing_freezes(settings, entries) and not freeze.missing_packs(settings, entries):
        return []
    with Ledger(settings).locked() as ledger:
        recover(deployment, evidence, ledger)
    return make_packs(deployment, evidence)
