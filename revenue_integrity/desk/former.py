"""Signatures from before there were books: entries about a month of all streams, and what they attest of one book.

Belongs here: which streams such an entry is about, and the book's part of what was signed. Does not belong here: the hash that
was signed, which is verified as it stands (``close.ledger``, ``close.freeze``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from revenue_integrity import months
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Entry
from revenue_integrity.close.signed_content import content_hash
from revenue_integrity.computing.publication import digest_of_rows
from revenue_integrity.computing.versions import code_version, settings_hash
from revenue_integrity.errors import IntegrityError, PublishError
from revenue_integrity.model.book import Book
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.signed import SignedTable
from revenue_integrity.model.stream import Stream
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.hashing import empty_digest

_KEPT: dict[tuple[str, str], str] = {}
"""Digests of signed tables of frozen versions that this process has made: by the file, and what names the signed columns."""


def signed_part(streams: Sequence[Stream], digests: Mapping[str, Mapping[str, str]]) -> str:
    """Return the hash of what is signed of some streams, from the digests of their signed tables by stream.

    A stream of which no table has a signed row leaves it as it is, unless none has any.
    """
    empty = {each.table.name: empty_digest(each.projection) for stream in streams for each in stream.signed}
    filled = [found for found in digests.values() if any(digest != empty.get(name) for name, digest in found.items())]
    return content_hash({name: digest for found in filled or digests.values() for name, digest in found.items()})


class Former:
    """What entries from before there were books say of each book."""

    def __init__(self, deployment: Deployment, entries: Sequence[Entry]) -> None:
        self._deployment = deployment
        self._settings = deployment.settings
        self._approvals = {
            (entry.month, entry.version): entry for entry in entries if not entry.book and entry.action == Action.APPROVE
        }
        self._found: dict[tuple[str, int], frozenset[str]] = {}

    @cached_property
    def _stream_of(self) -> dict[str, str]:
        return {table.name: stream.name for stream in self._deployment.streams for table in stream.published_tables}

    def streams(self, entry: Entry) -> frozenset[str]:
        """Return the streams that stand in the frozen version that an entry is about; none where there is no such version."""
        key = entry.month, entry.version
        approval = self._approvals.get(key)
        if approval is None:
            return frozenset()
        if key not in self._found:
            try:
                held = freeze.read_manifest(self._settings, approval)["files"]
            except (IntegrityError, PublishError):
                # Not frozen yet, or not as it was: the next decision completes it, `verify` names it.
                return frozenset()
            names = (file.removesuffix(".parquet") for file in held)
            self._found[key] = frozenset(self._stream_of[name] for name in names if name in self._stream_of)
        return self._found[key]

    def part(self, entry: Entry, book: Book) -> Entry:
        """Return an entry as it is about a book: its part of the content, and its batches.

        What was said of another content than that of the signed version is left as it stands: it is that of no book.
        """
        approval = self._approvals[entry.month, entry.version]
        own = replace(entry, batches=[each for each in entry.batches if each["id"].partition("/")[0] in book.streams])
        if entry.content_hash != approval.content_hash:
            return own
        attested = self.streams(entry)
        of_version = [stream for stream in self._deployment.streams if stream.name in attested]
        # Under other code other settings were hashed: which of them differ cannot be told, and that the code does is certain.
        if entry.settings_hash == settings_hash(of_version, self._settings) or entry.code_version != code_version(of_version):
            mine = [stream for stream in of_version if stream.name in book.streams]
            own = replace(own, settings_hash=settings_hash(mine, self._settings.of_book(book.name)))
        return replace(own, content_hash=self._content(approval, book))

    def _content(self, approval: Entry, book: Book) -> str:
        """Return the hash of a book's part of a frozen version; empty where its files are not those that were signed."""
        attested = self.streams(approval)
        mine = [stream for stream in self._deployment.streams_of(book) if stream.name in attested]
        try:
            facts = freeze.read_manifest(self._settings, approval)["facts"]
            digests = {stream.name: self._digests(approval, stream, facts["datasets"]) for stream in mine}
        except (IntegrityError, PublishError):
            return ""
        return signed_part(mine, digests)

    def _digests(self, approval: Entry, stream: Stream, frozen: Mapping[str, str]) -> dict[str, str]:
        month = months.parse(approval.month)
        closed = publish.closed_hashes(self._settings, stream.name, month)
        present = publish.signed_digests(self._settings, stream.name, month)
        found = {}
        for each in stream.signed:
            name = each.table.name
            if name not in frozen:
                continue
            if name in present and closed.get(name) == frozen[name]:
                # The same rows are published: what is signed of them is what is signed of those.
                found[name] = present[name]
                continue
            key = str(freeze.place_of(self._settings, approval) / name), empty_digest(each.projection)
            if key not in _KEPT:
                _KEPT[key] = self._digest(approval, each)
            found[name] = _KEPT[key]
        return found

    def _digest(self, approval: Entry, signed: SignedTable) -> str:
        return digest_of_rows(signed, freeze.frozen_rows(self._settings, approval, signed.table))
