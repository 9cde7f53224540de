"""Keeping the raw store up to date, from whichever step comes first.

Belongs here: noticing whether there is anything new without opening the warehouse, and the copy of the manifest beside it.
Does not belong here: reading and judging batches (``landing``).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.close.evidence import DELIVERIES, delivered_slice, deliveries_of, evidence, evidence_slice
from revenue_integrity.close.ledger import Action, Ledger
from revenue_integrity.computing.manifests import publish_manifest
from revenue_integrity.computing.reached import reached
from revenue_integrity.files import write_if_changed
from revenue_integrity.landing import ingest as landing
from revenue_integrity.landing import rule_results
from revenue_integrity.landing.batches import judge_backdated, known_batches
from revenue_integrity.landing.eventstore import tables as events
from revenue_integrity.landing.report import IngestReport
from revenue_integrity.landing.slices import touching_batches
from revenue_integrity.landing.tables import built_by
from revenue_integrity.landing.zone import counts_by, parse_arrival, scan
from revenue_integrity.model.data_rules import rules_of
from revenue_integrity.model.signed import Extracts
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.withdrawal import WITHDRAWN, arriving
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog, database

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Manifest:
    """What was ingested, as the file beside the warehouse tells it.

    Attributes:
        built_by: what the store was built by: declarations, rules, months.
        seen: for each batch, what a look at its directory showed.
        touching: for each source's month, the (batch, digest) set that touches it.
        changed: for each batch that has changed since first sight, the months that it touches and both digests.
        rejected: for each batch that was rejected as a whole, why.
        withdrawn: the batches that were taken back.
        kept: the files that the event store rests on, relative to the home.
        aside: for each batch all of whose rows of some month are set aside, these months.
        named: the first and the last service month that rows name; empty if none does.
        early: the batches that were read although their arrival lay ahead, as earlier releases did.
        backdated: the batches whose arrival lies in a past that was signed before they were read.
    """

    built_by: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)
    touching: Mapping[str, list[list[str]]] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    withdrawn: Sequence[str] = ()
    kept: Sequence[str] = ()
    aside: Mapping[str, list[str]] = field(default_factory=dict)
    named: Sequence[str] = ()
    early: Sequence[str] = ()
    backdated: Sequence[str] = ()

    def fingerprint(self, source: str, month: date) -> str:
        """Return the fingerprint of a raw partition: a hash of the (batch, digest) set that touches it."""
        return sha256_of(self.batches(source, month))

    def batches(self, source: str, month: date) -> list[list[str]]:
        """Return the (batch, digest) pairs that touch a source's month, in order."""
        return self.touching.get(f"{source}@{months.label(month)}", [])

    def changed_in(self, month: date) -> dict[str, Any]:
        """Return the changed batches that touch a month, with both digests."""
        label = months.label(month)
        return {batch: facts for batch, facts in self.changed.items() if label in facts["months"]}


def _file(settings: Settings, stream: str) -> Any:
    return settings.catalog_path / f"batches-{stream}.json"


def read_manifest(settings: Settings, stream: Stream) -> Manifest:
    """Return what was ingested, without opening the warehouse."""
    return read_manifest_of(settings, stream.name)


def read_manifest_of(settings: Settings, stream: str) -> Manifest:
    """Return what was ingested of a stream by its name, which is not loaded for it."""
    return _read(_file(settings, stream))


def manifests(settings: Settings) -> list[Manifest]:
    """Return what was ingested of each stream that has a manifest, without loading any."""
    return [_read(file) for file in sorted(settings.catalog_path.glob("batches-*.json"))]


def _read(file: Path) -> Manifest:
    try:
        stat = file.stat()
    except FileNotFoundError:
        return Manifest()
    return _parsed(file, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=8)
def _parsed(file: Path, modified: int, inode: int) -> Manifest:
    """Parse a manifest; each replacement has another time and inode, so what is kept is never old."""
    return Manifest(**json.loads(file.read_text(encoding="utf-8")))


def in_use(settings: Settings, streams: Sequence[Stream]) -> list[Stream]:
    """Return the streams that have delivered anything; in a home without any batch, the first one alone.

    A stream without a batch costs nothing and blocks nothing.
    """
    return [stream for stream in streams if read_manifest(settings, stream).seen] or list(streams[:1])


def latest_arrival(settings: Settings, stream: Stream) -> str:
    """Return the arrival of the latest batch that was read (``YYYYMMDDTHHMMSSZ``), empty if none was."""
    return max((batch_id.rsplit("/", 1)[1] for batch_id in read_manifest(settings, stream).seen), default="")


def _built_by(stream: Stream, settings: Settings) -> str:
    used = settings.of_stream(stream.name).values(*stream.refresh_settings, *CALENDAR_SETTINGS)
    labels = [months.label(month) for month in settings.months]
    demanded = {name: value for name, value in settings.values("data_rules").items() if _has_rules(settings, stream)}
    parts = [built_by(arriving(stream.sources), settings), labels, used, version_of_refresh(stream)]
    return sha256_of([*parts, demanded] if demanded else parts)


def _has_rules(settings: Settings, stream: Stream) -> bool:
    return any(rules_of(source, settings) for source in stream.sources)


def version_of_refresh(stream: Stream) -> str:
    """Return the version of what is worked out anew after batches were read: other slices by other code make months stale."""
    return _version_of_refresh(stream.refresh, stream.extracts)


@cache
def _version_of_refresh(of_stream: Callable[..., None] | None, extracts: Extracts) -> str:
    return reached(of_stream, extracts, _refresh_evidence).version


def pending(settings: Settings, stream: Stream, as_of: datetime | None = None) -> list[str]:
    """Return the batches that differ from what was ingested: new ones, changed ones, or all if the store must be built again."""
    manifest = read_manifest(settings, stream)
    limit = counts_by(as_of)
    scanned = scan(settings.landing_path, arriving(stream.sources)).batches
    came = manifest.seen.keys() - set(manifest.early) if as_of is None else set()
    found = [each for each in scanned if each.arrival <= limit or each.batch_id in came]
    if manifest.built_by != _built_by(stream, settings) or events.lost_files(manifest.kept, settings):
        return [batch.batch_id for batch in found]
    news = [batch.batch_id for batch in found if manifest.seen.get(batch.batch_id) != batch.look]
    # What a former release read although it lies ahead must count no more.
    early = manifest.early if as_of is None else ()
    return news + [each.batch_id for each in scanned if each.arrival > limit and each.batch_id in early]


def ahead(settings: Settings, streams: Iterable[Stream]) -> list[str]:
    """Return the batches of some streams whose arrival is yet to come: they count once it has."""
    found = {stream.name: read_manifest(settings, stream) for stream in streams}
    came = {batch_id for each in found.values() for batch_id in each.seen.keys() - set(each.early)}
    sources = [source for stream in streams for source in stream.arriving]
    return [batch_id for batch_id in scan(settings.landing_path, sources).ahead if batch_id not in came]


def ingest(settings: Settings, stream: Stream, as_of: datetime | None = None) -> IngestReport | None:
    """Bring the raw store up to date with the landing zone; return what happened, or ``None`` if there was nothing to do."""
    manifest = read_manifest(settings, stream)
    if manifest.built_by and settings.warehouse_path.exists() and not pending(settings, stream, as_of):
        return None
    with database.connect(settings) as connection:
        report = landing.ingest(connection, settings.landing_path, stream.sources, settings, as_of)
        judge_backdated(connection, stream.name, _signed(settings, stream))
        _refresh_evidence(connection, settings, stream)
        rule_results.refresh(connection, stream.sources, settings)
        if stream.refresh is not None:
            stream.refresh(connection, settings.of_stream(stream.name))
        catalog.refresh(connection, settings)
        _write_manifest(connection, settings, stream)
    if as_of is None:
        # A batch that was rejected touches no month, and would otherwise be seen by nobody until one is published.
        publish_manifest(settings, stream)
    return report


def admit(settings: Settings, stream: Stream, month: date) -> bool:
    """Let rows that were set aside for a month count, for somebody asked for it; return whether there were any."""
    if not any(source.is_kept_in_files for source in stream.sources) or not settings.warehouse_path.exists():
        return False
    with database.connect(settings) as connection:
        admitted = landing.admit(connection, stream.sources, settings, month)
        if admitted:
            catalog.refresh(connection, settings)
            _write_manifest(connection, settings, stream)
    return admitted


def _refresh_evidence(connection: "duckdb.DuckDBPyConnection", settings: Settings, stream: Stream) -> None:
    """Keep, as slices of each month, which sources have delivered at all and what the close sees of the manifest.

    They make a month stale when a verdict on its deliveries changes, and only then.
    """
    rows = connection.execute(DELIVERIES, {"stream": stream.name}).fetchall()
    deliveries = deliveries_of(rows)
    delivered = {each.source for each in deliveries if each.status != "rejected"}
    own = settings.of_stream(stream.name)
    came = [delivered_slice(source) for source in stream.sources if source.name in delivered]
    slices = []
    for month in settings.months:
        slices += [(stream.name, each, month, "delivered") for each in came]
        seen = sha256_of(evidence(deliveries, stream.extracts, month, cutoff(month, own)))
        slices.append((stream.name, evidence_slice(stream.name), month, seen))
    connection.begin()
    connection.execute(
        "delete from meta.slices where stream = ? and (starts_with(source, 'delivered_') or source = ?)",
        [stream.name, evidence_slice(stream.name)],
    )
    connection.executemany("insert into meta.slices values (?, ?, ?, ?)", slices)
    connection.commit()


def _write_manifest(connection: "duckdb.DuckDBPyConnection", settings: Settings, stream: Stream) -> None:
    refused: Sequence[tuple[str, str]] = connection.execute(
        "select batch_id, error from meta.batches where stream = ? and status = 'rejected' order by batch_id", [stream.name]
    ).fetchall()
    rows: Sequence[tuple[Any, ...]] = connection.execute(
        "select batch_id, files, digest, found_digest from meta.batches where stream = ? order by batch_id", [stream.name]
    ).fetchall()
    touched = connection.execute(
        "select batch_id, list(strftime(month, '%Y-%m') order by month) from meta.batch_months group by batch_id"
    ).fetchall()
    months_of = dict(touched)
    touching = touching_batches(connection, stream.sources)
    manifest = {
        "built_by": _built_by(stream, settings),
        "seen": {batch_id: files for batch_id, files, _, _ in rows},
        "touching": {f"{source}@{months.label(month)}": batches for (source, month), batches in touching.items()},
        "changed": {
            batch_id: {"recorded": digest, "found": found, "months": months_of.get(batch_id, [])}
            for batch_id, _, digest, found in rows
            if found
        },
        "rejected": dict(refused),
        "withdrawn": _withdrawn(connection, stream),
        "kept": events.kept_files(connection, stream.sources),
        "aside": {
            batch_id: [months.label(month) for month in of_batch]
            for batch_id, of_batch in events.batches_set_aside(connection, stream.sources).items()
        },
        "named": _named(connection, stream),
        "early": sorted(known for known, each in known_batches(connection, stream.arriving).items() if each.is_early),
        "backdated": _backdated(connection, stream),
    }
    write_if_changed(_file(settings, stream.name), json.dumps(manifest, sort_keys=True) + "\n")


def _signed(settings: Settings, stream: Stream) -> list[tuple[datetime, datetime]]:
    """Return, for each approval that attests a stream, when it was made and the arrival up to which it knew batches."""
    book = next((name for name, declared in settings.books.items() if stream.name in declared.streams), stream.name)
    return [
        (datetime.fromisoformat(entry.at), parse_arrival(entry.as_of))
        for entry in Ledger(settings).entries()
        # An entry from before there were books is about all streams.
        if entry.action == Action.APPROVE and entry.book in ("", book) and entry.as_of
    ]


def _withdrawn(connection: "duckdb.DuckDBPyConnection", stream: Stream) -> list[str]:
    asked = "select batch_id from meta.batches where stream = $stream and first_status = $status order by batch_id"
    return [each for (each,) in connection.execute(asked, {"stream": stream.name, "status": WITHDRAWN}).fetchall()]


def _backdated(connection: "duckdb.DuckDBPyConnection", stream: Stream) -> list[str]:
    asked = "select batch_id from meta.batches where stream = $stream and backdated order by batch_id"
    return [batch_id for (batch_id,) in connection.execute(asked, {"stream": stream.name}).fetchall()]


def _named(connection: "duckdb.DuckDBPyConnection", stream: Stream) -> list[str]:
    """Return the first and the last month that rows of a stream name; nothing if none does."""
    sources = [source.dataset for source in stream.sources if source.has_month]
    asked = "select min(month), max(month) from meta.slices where stream = $stream and list_contains($sources, source)"
    ((first, last),) = connection.execute(asked, {"stream": stream.name, "sources": sources}).fetchall()
    return [] if first is None else [months.label(first), months.label(last)]
