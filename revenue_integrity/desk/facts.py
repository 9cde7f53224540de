"""The facts of a month: what stands of it in catalog, publication, ledger and the record of runs at one moment.

Belongs here: gathering the facts on which every decision and every status rests. Does not belong here: what follows from them
(``close.sign_off``), carrying out what people decide (``decisions``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property

from revenue_integrity import clock, months
from revenue_integrity.close import freeze
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.close.sign_off import CheckFact, MonthFacts
from revenue_integrity.close.signed_content import content_hash
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.horizon import service_months
from revenue_integrity.computing.publication import is_published
from revenue_integrity.computing.staleness import due_months, stale_partitions, stale_sources, unjudged_tables
from revenue_integrity.computing.versions import code_version, settings_hash
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.errors import IntegrityError, PublishError
from revenue_integrity.model.check import Gate
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity.warehouse.hashing import empty_digest

_EXPLANATIONS = ("recon_causes", "recon_summary")
"""Datasets whose change alone leaves a month signed, flagged *explanation updated*."""


class Desk:
    """What is known of the months of a home at one moment."""

    def __init__(self, deployment: Deployment, evidence: Evidence) -> None:
        settings = deployment.settings
        self.deployment = deployment
        self.settings = settings
        self.ledger = Ledger(settings)
        self._seen = evidence.now()
        self._catalog = read_catalog(settings)
        self._streams = [stream for stream in deployment.streams if ingestion.read_manifest(settings, stream).seen]
        self._entries = self.ledger.entries()

    def facts(self, month: date, *, but_for_run: str = "") -> MonthFacts:
        """Return the facts of a month; a run that asks for them itself does not make it a running one."""
        before = months.add(month, -1)
        is_first = month <= service_months(self.settings)[0]
        mine = self.entries(month)
        return MonthFacts(
            month=month,
            now=clock.now(),
            cutoff=cutoff(month, self.settings),
            content_hash=self.content_hash(month),
            stale=self._stale(month),
            news=self._news,
            running=bool(self._seen.under_way(month, but_for_run=but_for_run)),
            is_published_as_computed=self._is_published(month),
            checks=self._checks(month),
            entries=mine,
            month_before_was_signed=None if is_first else self._was_signed(before),
            batches=self._batches(month),
            settings_hash=settings_hash(self.deployment.streams, self.settings),
            code_version=code_version(self.deployment.streams),
            explanation_updated=self._explanation_updated(month, mine),
            as_of=max((ingestion.latest_arrival(self.settings, stream) for stream in self._streams), default=""),
            is_frozen=all(freeze.is_frozen(self.settings, entry) for entry in _last_approval(mine)),
            of_several=self._of_several,
        )

    def entries(self, month: date) -> list[Entry]:
        """Return the entries of a month in order."""
        label = months.label(month)
        return [entry for entry in self._entries if entry.month == label]

    def attested(self, month: date) -> list[Stream]:
        """Return the streams that a sign-off of a month attests.

        A stream that has delivered nothing up to the month (or nothing from it on) neither stands in its way nor adds to it; one
        of which the month is due, or was published, must be there. Where that is no stream, all are meant: none has the month.
        """
        found = [
            stream
            for stream in self._streams
            if month in self._due[stream.name] or publish.closed_hashes(self.settings, stream.name, month)
        ]
        return found or self._streams

    @cached_property
    def _due(self) -> dict[str, list[date]]:
        return {stream.name: due_months(stream, self._catalog, self.settings) for stream in self._streams}

    def content_hash(self, month: date) -> str | None:
        """Return the hash of what is signed of a month; a stream without any signed row in it leaves the hash as it is.

        So months that were signed before a stream came into use stay signed.
        """
        digests: dict[str, Mapping[str, str]] = {}
        for stream in self.attested(month):
            digests[stream.name] = publish.signed_digests(self.settings, stream.name, month)
            if not digests[stream.name]:
                return None
        empty = {each.table.name: empty_digest(each.projection) for stream in self._streams for each in stream.signed}
        filled = [found for found in digests.values() if any(digest != empty.get(name) for name, digest in found.items())]
        return content_hash({name: digest for found in filled or digests.values() for name, digest in found.items()})

    def _stale(self, month: date) -> str:
        for stream in self.attested(month):
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
    def _news(self) -> str:
        pending = [batch for stream in self.deployment.streams for batch in ingestion.pending(self.settings, stream)]
        return f"{len(pending)} batches landed and not read yet, {pending[0]} first" if pending else ""

    def _is_published(self, month: date) -> bool:
        return all(is_published(self.settings, stream, month, self._catalog) for stream in self.attested(month))

    def _checks(self, month: date) -> list[CheckFact]:
        attested = {stream.name for stream in self.attested(month)}
        return [
            CheckFact(each.name, each.stream, each.table, each.gate, each.state, each.figures, each.next_step)
            for each in self._seen.checks(month)
            if each.stream in attested
        ]

    @cached_property
    def _of_several(self) -> frozenset[tuple[str, str]]:
        gating = [each for stream in self.deployment.streams for each in stream.checks if each.gate is Gate.SIGN_OFF]
        count = Counter((each.table.name, each.name) for each in gating)
        return frozenset(each for each, streams in count.items() if streams > 1)

    def _was_signed(self, month: date) -> bool:
        label = months.label(month)
        return any(entry.month == label and entry.action == Action.APPROVE for entry in self._entries)

    def _batches(self, month: date) -> list[dict[str, str]]:
        """Return the batches that a month rests on; one whose rows of the month are set aside is news once they count."""
        label = months.label(month)
        manifests = [ingestion.read_manifest(self.settings, stream) for stream in self._streams]
        found = {
            (batch_id, digest)
            for manifest in manifests
            for name, touching in manifest.touching.items()
            if name.endswith(f"@{label}")
            for batch_id, digest in touching
            if label not in manifest.aside.get(batch_id, ())
        }
        return [{"id": batch_id, "digest": digest} for batch_id, digest in sorted(found)]

    def _explanation_updated(self, month: date, entries: Sequence[Entry]) -> bool:
        if not (signed := _last_approval(entries)):
            return False
        try:
            facts = freeze.read_manifest(self.settings, signed[0])["facts"]
        except (IntegrityError, PublishError):
            # `verify` tells what is wrong with it.
            return False
        present = self.published_hashes(month)
        return any(facts["datasets"].get(name) != present.get(name) for name in _EXPLANATIONS)

    def published_hashes(self, month: date) -> dict[str, str]:
        """Return the hash of each dataset that is published of a month."""
        hashes: dict[str, str] = {}
        for stream in self._streams:
            hashes |= publish.closed_hashes(self.settings, stream.name, month)
        return hashes

    def shown(self, month: date) -> list[Stream]:
        """Return the streams that a pack of a month shows; none where nothing is published.

        A stream without any row that is signed or was restated has nothing to show, unless no stream has any.
        """
        published = [stream for stream in self._streams if publish.closed_hashes(self.settings, stream.name, month)]
        return [stream for stream in published if self._has_rows(stream, month)] or published

    def _has_rows(self, stream: Stream, month: date) -> bool:
        signed = publish.signed_digests(self.settings, stream.name, month)
        closed = publish.closed_hashes(self.settings, stream.name, month)
        return any(signed.get(each.table.name) != empty_digest(each.projection) for each in stream.signed) or any(
            closed.get(ledger.name) != empty_digest(ledger) for ledger in stream.ledgers
        )

    @property
    def streams(self) -> list[Stream]:
        """The streams that have delivered anything."""
        return list(self._streams)

    def head(self) -> str:
        """Return the hash of the ledger's last entry, empty before the first."""
        return self._entries[-1].hash if self._entries else ""


def _last_approval(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.action == Action.APPROVE][-1:]
