"""The facts of a month of a book: what stands of it in catalog, publication, ledger and the record of runs at one moment.

Belongs here: gathering the facts on which every decision and every status rests. Does not belong here: what follows from them
(``close.sign_off``), carrying out what people decide (``decisions``), what signatures from before there were books are worth
(``former``).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property

from revenue_integrity import clock, months
from revenue_integrity.close import freeze
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.close.sign_off import CheckFact, MonthFacts
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.horizon import service_months
from revenue_integrity.computing.publication import is_published
from revenue_integrity.computing.publication_tables import CHECKS
from revenue_integrity.computing.staleness import stale_partitions, stale_sources, unjudged_tables
from revenue_integrity.computing.versions import code_version, settings_hash
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.desk.former import Former, signed_part
from revenue_integrity.errors import IntegrityError, PublishError, SettingsError, UsageError
from revenue_integrity.model.book import Book
from revenue_integrity.model.check import Check, CheckRecord, Gate
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.process import PROGRAM
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity.warehouse.hashing import empty_digest


class Desk:
    """What is known of the months of a home's books at one moment.

    Raises:
        SettingsError: a book was given other streams than it signed with, and no first month to begin anew with.
    """

    def __init__(self, deployment: Deployment, evidence: Evidence) -> None:
        settings = deployment.settings
        self.deployment = deployment
        self.settings = settings
        self.ledger = Ledger(settings)
        self._seen = evidence.now()
        self._catalog = read_catalog(settings)
        self._streams = [stream for stream in deployment.streams if ingestion.read_manifest(settings, stream).seen]
        self._entries = self.ledger.entries()
        self._former = Former(deployment, self._entries)
        self._records: dict[tuple[str, date], list[CheckRecord]] = {}
        self._by_stream: dict[str, dict[tuple[str, str], Check]] = {}
        self._refuse_other_streams()

    @property
    def books(self) -> list[Book]:
        """The books in use: those of which a stream has delivered anything."""
        return [book for book in self.deployment.books if self.streams_of(book)]

    @property
    def all_streams(self) -> Book:
        """What a signature from before there were books was about."""
        return Book("", tuple(stream.name for stream in self._streams))

    def streams_of(self, book: Book) -> list[Stream]:
        """Return the streams of a book that have delivered anything."""
        return [stream for stream in self._streams if stream.name in book.streams]

    def books_of(self, month: date) -> list[Book]:
        """Return the books that have a month: those in use from their first month on; before it, those that signed it."""
        found = [book for book in self.books if book.first_month is None or book.first_month <= month]
        taken = {name for book in found for name in book.streams}
        for entry in self._approvals(month):
            if entry.book and entry.book not in {book.name for book in found}:
                signed = tuple(stream.name for stream in self._streams if stream.name in self._signed_with(entry) - taken)
                found += [Book(entry.book, signed)] if signed else []
        known = {book.name for book in found}
        found += [
            book
            for book in self.books
            if book.name not in known and any(self._counts(entry, book) for entry in self._approvals(month))
        ]
        return found

    def book_named(self, name: str, month: date) -> Book:
        """Return a book as it has a month; raise ``UsageError`` with the names that there are."""
        return next((book for book in self.books_of(month) if book.name == name), None) or self.deployment.book(name)

    def pairs(self, wanted: Sequence[date]) -> Iterator[tuple[Book, date]]:
        """Yield each of some months with each book that has it, in order."""
        for month in wanted:
            yield from ((book, month) for book in self.books_of(month))

    def facts(self, book: Book, month: date, *, but_for_run: str = "") -> MonthFacts:
        """Return the facts of a month of a book; a run that asks for them itself does not make it a running one."""
        own = self.settings.of_book(book.name)
        mine = self.entries(book, month)
        attested = self._with_rows(book, month)
        begins = self.first_month(book)
        batches = self._batches(book, month)
        return MonthFacts(
            month=month,
            now=clock.now(),
            cutoff=cutoff(month, own),
            content_hash=self.content_hash(book, month),
            stale=self._stale(book, month),
            news=self._news(book),
            running=bool(self._seen.under_way(month, but_for_run=but_for_run) & set(book.streams)),
            is_published_as_computed=self._is_published(book, month),
            checks=self._checks(book, month),
            entries=mine,
            month_before_was_signed=None if month <= begins else self._was_signed(book, months.add(month, -1)),
            batches=batches,
            settings_hash=settings_hash(attested, own),
            code_version=code_version(attested),
            explanation_updated=self._explanation_updated(book, month, mine),
            as_of=max((ingestion.latest_arrival(self.settings, stream) for stream in self.streams_of(book)), default=""),
            is_frozen=all(freeze.is_frozen(self.settings, entry) for entry in _last_approval(mine)),
            of_several=self._of_several,
            book=book.name,
            begins=begins,
            backdated=self._backdated(batches),
        )

    def first_month(self, book: Book) -> date:
        """Return the month with which a book begins: as it is set, else the first that rows of its streams name."""
        if book.first_month is not None:
            return book.first_month
        named = [
            months.parse(label)
            for stream in self.streams_of(book)
            for label in ingestion.read_manifest(self.settings, stream).named
        ]
        return max([service_months(self.settings)[0], *([min(named)] if named else [])])

    def entries(self, book: Book, month: date) -> list[Entry]:
        """Return the entries of a month that count for a book, in order; of one from before there were books, the book's part."""
        found = [entry for entry in self.recorded(month) if self._counts(entry, book)]
        return [entry if entry.book == book.name else self._former.part(entry, book) for entry in found]

    def as_recorded(self, book: Book, month: date) -> list[Entry]:
        """Return the entries of a month that count for a book as the ledger holds them."""
        return [entry for entry in self.recorded(month) if self._counts(entry, book)]

    def recorded(self, month: date) -> list[Entry]:
        """Return the entries of a month of any book."""
        label = months.label(month)
        return [entry for entry in self._entries if entry.month == label]

    def attested(self, book: Book, month: date) -> list[Stream]:
        """Return the streams that a sign-off of a month of a book attests.

        A stream without an accepted row in or before the month neither stands in its way nor adds to it, unless the month of it
        is published. Where that is no stream, all of the book are meant: none has the month.
        """
        label = months.label(month)
        mine = self.streams_of(book)
        found = [
            stream
            for stream in mine
            if any(named <= label for named in ingestion.read_manifest(self.settings, stream).named)
            or publish.closed_hashes(self.settings, stream.name, month)
        ]
        return found or mine

    def content_hash(self, book: Book, month: date) -> str | None:
        """Return the hash of what is signed of a month of a book; a stream without any signed row in it leaves it as it is.

        So months that were signed before a stream came into use stay signed.
        """
        digests: dict[str, Mapping[str, str]] = {}
        for stream in self.attested(book, month):
            digests[stream.name] = publish.signed_digests(self.settings, stream.name, month)
            if not digests[stream.name]:
                return None
        return signed_part(self.streams_of(book), digests) if digests else None

    def _with_rows(self, book: Book, month: date) -> list[Stream]:
        """Return the streams of a book that have a signed row in a month; all that it attests where none has."""
        attested = self.attested(book, month)
        return [stream for stream in attested if self._has_signed_rows(stream, month)] or attested

    def _stale(self, book: Book, month: date) -> str:
        for stream in self.attested(book, month):
            manifest = ingestion.read_manifest(self.settings, stream)
            found = [
                *stale_sources(stream, [month], self._catalog, manifest),
                *stale_partitions(stream, [month], self._catalog, self.settings),
            ]
            if found:
                return f"{found[0].table}: {found[0].reason}"
            if publish.closed_hashes(self.settings, stream.name, month) and (
                unjudged := unjudged_tables(stream, month, self.settings)
            ):
                return f"{min(unjudged)}: checks changed"
        return ""

    @cached_property
    def _unread(self) -> dict[str, list[str]]:
        return {stream.name: ingestion.pending(self.settings, stream) for stream in self.deployment.streams}

    def _news(self, book: Book) -> str:
        pending = [batch for name in book.streams for batch in self._unread.get(name, ())]
        if len(pending) == 1:
            return f"{pending[0]} landed and is not read yet"
        return f"{len(pending)} batches landed and are not read yet, {pending[0]} first" if pending else ""

    def _is_published(self, book: Book, month: date) -> bool:
        return all(is_published(self.settings, stream, month, self._catalog) for stream in self.attested(book, month))

    def _checks(self, book: Book, month: date) -> list[CheckFact]:
        records: list[CheckRecord] = []
        # In the order in which the ledger has always had them.
        for stream in sorted(self.attested(book, month), key=lambda each: each.name):
            if (stream.name, month) not in self._records:
                self._records[stream.name, month] = self._seen.checks(month, stream.name)
            records += self._records[stream.name, month]
        return [self._fact(each, month) for each in records]

    def _fact(self, record: CheckRecord, month: date) -> CheckFact:
        """Return a check on record with what its declaration says of it to people."""
        held = CheckFact(record.name, record.stream, record.table, record.gate, record.state, record.figures, record.next_step)
        check = self._declared(record.stream).get((record.table, record.name))
        if check is not None:
            held = replace(held, title=check.heading, limits=check.limits)
        if record.state != "failed":
            return held
        return replace(held, command=self._command(record, check.recon if check else "", months.label(month)))

    def _declared(self, stream: str) -> dict[tuple[str, str], Check]:
        """Return the checks of a stream by table and name."""
        if stream not in self._by_stream:
            every = self.deployment.streams.named(stream).checks
            self._by_stream[stream] = {(each.table.name, each.name): each for each in every}
        return self._by_stream[stream]

    def _command(self, record: CheckRecord, recon: str, label: str) -> str:
        """Return the command that shows the rows behind a failed check; none where its next step names one."""
        if PROGRAM in record.next_step:
            return ""
        stream = self.deployment.streams.named(record.stream)
        recons = stream.reconciliations
        of_recons = [each.name for each in (recons.results, recons.causes, recons.summary) if each] if recons else []
        if recon or record.table in of_recons:
            every = [each.name for each in recons or ()]
            named = recon or (every[0] if len(every) == 1 else "")
            return f"recon {label}{f' --recon {named}' if named else ''}"
        if any(record.table == table.name for table in stream.published_tables):
            return f"export {record.table} --month {label}"
        return f"export {CHECKS} --month {label}"

    @cached_property
    def _of_several(self) -> frozenset[tuple[str, str]]:
        gating = [each for stream in self.deployment.streams for each in stream.checks if each.gate is Gate.SIGN_OFF]
        count = Counter((each.table.name, each.name) for each in gating)
        return frozenset(each for each, streams in count.items() if streams > 1)

    def _approvals(self, month: date) -> list[Entry]:
        return [entry for entry in self.recorded(month) if entry.action == Action.APPROVE]

    def _was_signed(self, book: Book, month: date) -> bool:
        return any(self._counts(entry, book) for entry in self._approvals(month))

    def _counts(self, entry: Entry, book: Book) -> bool:
        """Return whether an entry is about a book; one that names none is about every book with a stream in its version."""
        if entry.book or not book.name:
            return entry.book == book.name
        return bool(self._former.streams(entry) & set(book.streams))

    def _signed_with(self, entry: Entry) -> set[str]:
        """Return the streams that a book had when a version was approved; none where that version cannot be read."""
        try:
            return set(freeze.read_manifest(self.settings, entry)["facts"].get("streams", ()))
        except (IntegrityError, PublishError):
            return set()

    def _refuse_other_streams(self) -> None:
        for book in self.deployment.books:
            if book.first_month is not None:
                continue
            for entry in self._entries:
                if entry.book != book.name or entry.action != Action.APPROVE:
                    continue
                signed = self._signed_with(entry)
                if signed and signed != set(book.streams):
                    raise SettingsError(
                        f"setting books: {book.name} holds {', '.join(book.streams)}, and signed {entry.month} with "
                        f"{', '.join(sorted(signed))}",
                        "Set its first_month: it begins anew there, and months before stay with what signed them",
                    )

    def _batches(self, book: Book, month: date) -> list[dict[str, str]]:
        """Return the batches that a month rests on; one whose rows of the month are set aside is news once they count."""
        label = months.label(month)
        manifests = [ingestion.read_manifest(self.settings, stream) for stream in self.streams_of(book)]
        found = {
            (batch_id, digest)
            for manifest in manifests
            for name, touching in manifest.touching.items()
            if name.endswith(f"@{label}")
            for batch_id, digest in touching
            if label not in manifest.aside.get(batch_id, ())
        }
        return [{"id": batch_id, "digest": digest} for batch_id, digest in sorted(found)]

    def _backdated(self, batches: Sequence[Mapping[str, str]]) -> list[str]:
        flagged = {batch for stream in self._streams for batch in ingestion.read_manifest(self.settings, stream).backdated}
        return sorted(batch["id"] for batch in batches if batch["id"] in flagged)

    def _explanation_updated(self, book: Book, month: date, entries: Sequence[Entry]) -> bool:
        """Return whether what explains a month is other than it was signed with: its causes, and what counts them."""
        if not (signed := _last_approval(entries)):
            return False
        try:
            facts = freeze.read_manifest(self.settings, signed[0])["facts"]
        except (IntegrityError, PublishError):
            # `verify` tells what is wrong with it.
            return False
        present = self.published_hashes(book, month)
        compared = [stream.reconciliations for stream in self._with_rows(book, month) if stream.reconciliations is not None]
        explaining = [table.name for each in compared for table in (each.causes, each.summary) if table is not None]
        return any(facts["datasets"].get(name) != present.get(name) for name in explaining)

    def published_hashes(self, book: Book, month: date) -> dict[str, str]:
        """Return the hash of each dataset that is published of a month of a book."""
        hashes: dict[str, str] = {}
        for stream in self.streams_of(book):
            hashes |= publish.closed_hashes(self.settings, stream.name, month)
        return hashes

    def shown(self, book: Book, month: date) -> list[Stream]:
        """Return the streams that a pack of a month of a book shows; none where nothing is published.

        A stream without any row that is signed or was restated has nothing to show, unless no stream has any.
        """
        mine = self.streams_of(book)
        published = [stream for stream in mine if publish.closed_hashes(self.settings, stream.name, month)]
        return [stream for stream in published if self._has_rows(stream, month)] or published

    def _has_signed_rows(self, stream: Stream, month: date) -> bool:
        signed = publish.signed_digests(self.settings, stream.name, month)
        return any(signed.get(each.table.name) != empty_digest(each.projection) for each in stream.signed)

    def _has_rows(self, stream: Stream, month: date) -> bool:
        closed = publish.closed_hashes(self.settings, stream.name, month)
        return self._has_signed_rows(stream, month) or any(
            closed.get(ledger.name) != empty_digest(ledger) for ledger in stream.ledgers
        )

    @property
    def streams(self) -> list[Stream]:
        """The streams that have delivered anything."""
        return list(self._streams)

    def head(self) -> str:
        """Return the hash of the ledger's last entry, empty before the first."""
        return self._entries[-1].hash if self._entries else ""


def the_book(desk: Desk, name: str, month: date) -> Book:
    """Return the book that somebody means: the one of a name, without a name the one in use.

    Raises:
        UsageError: there is no such book, or several are in use and none is named.
    """
    if name:
        return desk.book_named(name, month)
    possible = desk.books or list(desk.deployment.books)
    if len(possible) > 1:
        names = ", ".join(book.name for book in possible)
        raise UsageError(f"this home has {len(possible)} books: {names}", "Name one with --book")
    return desk.book_named(possible[0].name, month)


def _last_approval(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.action == Action.APPROVE][-1:]
