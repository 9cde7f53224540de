"""The close pack of a month of a book: gathers what is published and decided, and keeps the packs of a home current.

Belongs here: when a pack must be made anew, where it is written. Does not belong here: what it shows of each stream
(``pack_parts``), how it looks (``reports``), the rules of sign-off (``close.sign_off``).

``<home>/packs/BOOK/YYYY-MM/`` holds the present pack of a month, ``<home>/packs/index.html`` all of them at a glance,
``<home>/packs/BOOK/index.html`` what the book's streams show of its latest month. The pack of
a signed version is kept with it, in ``<published>/_signed/BOOK/YYYY-MM/vN/pack/``; while a month stands as it was signed, that
one is its present pack, byte for byte. A pack from before there were books shows all streams: it stays with its version, and
each book has a present pack of its own part.
"""

import json
import logging
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Entry, as_frame
from revenue_integrity.close.restatement import COLUMNS
from revenue_integrity.close.sign_off import CheckFact, MonthFacts, Status, status_of
from revenue_integrity.desk import pack_parts
from revenue_integrity.desk.close_status import CloseRow, reprocessed_at
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.desk.facts import Desk, the_book
from revenue_integrity.desk.pack_seals import is_ours, seal_file, seal_of, sealed
from revenue_integrity.desk.restating import restatement_of
from revenue_integrity.errors import PublishError, RevenueIntegrityError
from revenue_integrity.files import write_if_changed
from revenue_integrity.model.book import Book
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity.wording import Currency, counted

if TYPE_CHECKING:
    from revenue_integrity.reports.index import IndexRow
    from revenue_integrity.reports.pack_data import PackData

_log = logging.getLogger(__name__)

Say = Callable[[str], None]


class Packs:
    """Makes and keeps the packs of a home, from facts that were gathered once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._settings = desk.settings

    def data(self, row: CloseRow, shown: Sequence[pack_parts.Month] | None = None) -> "PackData":
        """Return what the pack of a month shows: by default of what is published.

        Raises:
            PublishError: the month is not published, or what is published of it does not belong together.
        """
        from revenue_integrity.reports.pack_data import PackData

        facts, settings = row.facts, self._settings
        shown = shown or self.published(row)
        restatement = self._restatement(row)
        parts = [
            pack_parts.part_of(
                settings,
                each,
                self._months_before(each.stream, facts.month),
                figures_by_name(facts.checks, each.stream.name),
                restatement,
            )
            for each in shown
        ]
        return PackData(
            book=self._title(row),
            month=facts.month,
            currency=Currency(settings.currency),
            parts=parts,
            checks=_checks(facts),
            waivers=_waivers(facts),
            ledger=as_frame(self._recorded(row)),
            restatement=restatement,
            status=_status(row, self._settings.of_book(row.facts.book)),
            ledger_head=self._desk.head(),
            made_from=self.made_from(row, shown),
        )

    def made_from(self, row: CloseRow, shown: Sequence[pack_parts.Month] | None = None) -> str:
        """Return a hash of everything that the pack of a month rests on, except the head of the ledger.

        The head moves with every entry of every month; what a pack says of its own month does not change by that.
        """
        facts, settings = row.facts, self._settings
        return sha256_of(
            {
                "code": _code_version(),
                "book": self._title(row),
                "currency": settings.currency,
                "streams": {
                    each.stream.name: pack_parts.rests_on(settings, each, self._months_before(each.stream, facts.month))
                    for each in shown or self.published(row)
                },
                "status": _status(row, self._settings.of_book(row.facts.book)),
                "checks": [[each.state, each.plain] for each in facts.checks],
                "entries": [entry.hash for entry in facts.entries],
            }
        )

    def files(self, row: CloseRow) -> dict[str, bytes]:
        """Return the present pack of a month: the signed one while the month stands as it was signed."""
        from revenue_integrity.reports import pack

        signed = self._signed_pack(row)
        if signed is not None:
            return {
                path.relative_to(signed).as_posix(): path.read_bytes() for path in sorted(signed.rglob("*")) if path.is_file()
            }
        return pack.pack_files(self.data(row))

    def is_current(self, row: CloseRow) -> bool:
        """Return whether the pack that is written says what there is to say."""
        from revenue_integrity.reports import manifest

        folder = folder_of(self._settings, row.facts.book, row.facts.month)
        if not is_ours(self._settings, folder / manifest.FILE):
            return False
        written = manifest.read(folder)
        signed = self._signed_pack(row)
        if signed is not None:
            return written == manifest.read(signed)
        return bool(written) and written.get("made_from") == self.made_from(row)

    def row(self, book: Book, month: date, *, but_for_run: str = "") -> CloseRow:
        """Return where the close of a month of a book stands."""
        facts = self._desk.facts(book, month, but_for_run=but_for_run)
        return CloseRow(facts, status_of(facts), book.streams)

    def published(self, row: CloseRow) -> list[pack_parts.Month]:
        """Return what is published of a month of a book, by stream; raise ``PublishError`` if nothing is."""
        month = row.facts.month
        streams = self._desk.shown(self._book(row), month)
        if not streams:
            raise PublishError(
                f"{row.facts.named} is not published, so it has no close pack",
                f"Run it: revenue-integrity run --months {months.label(month)}",
            )
        return [pack_parts.Month.published(self._settings, stream, month) for stream in streams]

    def signed(self, entry: Entry) -> tuple[CloseRow, list[pack_parts.Month]]:
        """Return where the close of a month stood when a version was approved, and what that version keeps of it.

        Both come from the version and the ledger alone, so a pack that could not be made at once is the same later.

        Raises:
            PublishError, IntegrityError: the version is not there, or not as it was signed.
        """
        month, desk = months.parse(entry.month), self._desk
        book = desk.book_named(entry.book, month) if entry.book else desk.all_streams
        kept = freeze.read_manifest(self._settings, entry)["facts"]
        facts = replace(
            desk.facts(book, month),
            content_hash=entry.content_hash,
            stale="",
            news="",
            running=False,
            is_published_as_computed=True,
            checks=[CheckFact.of_kept(each) for each in kept["checks"]],
            entries=[each for each in desk.entries(book, month) if each.seq <= entry.seq],
            batches=entry.batches,
            settings_hash=entry.settings_hash,
            code_version=entry.code_version,
            explanation_updated=False,
            is_frozen=True,
            as_of=entry.as_of,
        )
        streams = [stream for stream in desk.streams if stream.name in kept["shown"]]
        frozen = [pack_parts.Month.frozen(self._settings, stream, entry, kept["datasets"]) for stream in streams]
        return CloseRow(facts, Status.SIGNED_OFF, book.streams), frozen

    def _book(self, row: CloseRow) -> Book:
        return Book(row.facts.book, row.streams)

    def _title(self, row: CloseRow) -> str:
        return self._book(row).title

    def _recorded(self, row: CloseRow) -> list[Entry]:
        """Return the entries that a pack shows, as the ledger holds them."""
        shown = {entry.seq for entry in row.facts.entries}
        return [entry for entry in self._desk.recorded(row.facts.month) if entry.seq in shown]

    def _months_before(self, stream: Stream, month: date) -> list[date]:
        """Return the published months of a stream before a month."""
        return [
            each for each in self._settings.months if each < month and publish.closed_hashes(self._settings, stream.name, each)
        ]

    def _restatement(self, row: CloseRow) -> pd.DataFrame:
        """Return what changed since the signed version; of a version as it was signed, since the version before it."""
        signed = row.facts.signed
        if signed is None:
            return pd.DataFrame(columns=list(COLUMNS))
        as_signed = row.status is Status.SIGNED_OFF
        approvals = row.facts.approvals[:-1] if as_signed else row.facts.approvals
        if not approvals or not freeze.is_frozen(self._settings, approvals[-1]):
            return pd.DataFrame(columns=list(COLUMNS))
        to = signed.version if as_signed and freeze.is_frozen(self._settings, signed) else None
        return restatement_of(self._desk, self._book(row), row.facts, approvals[-1].version, to)

    def _signed_pack(self, row: CloseRow) -> Path | None:
        signed = row.facts.signed
        if row.status is not Status.SIGNED_OFF or signed is None or row.facts.explanation_updated:
            return None
        if signed.book != row.facts.book:
            # It was signed before there were books: its pack shows all streams.
            return None
        place = freeze.place_of(self._settings, signed) / freeze.PACK
        return place if place.is_dir() else None


def _checks(facts: MonthFacts) -> pd.DataFrame:
    from revenue_integrity.reports.pack_data import CHECK_COLUMNS

    rows = [
        {
            "asset": f"{each.stream}/{each.table}",
            "check": each.name,
            "gate": each.gate.value,
            "passed": each.state == "passed",
            "figures": _json(each.plain["figures"] | ({} if each.state in ("passed", "failed") else {"result": each.state})),
            "next_step": each.next_step,
        }
        for each in sorted(facts.checks, key=lambda each: (each.stream, each.table, each.name))
    ]
    return pd.DataFrame(rows, columns=CHECK_COLUMNS, dtype=object)


def figures_by_name(checks: Iterable[CheckFact], stream: str) -> dict[str, Mapping[str, Any]]:
    """Return the figures of a stream's checks that have a result; of checks of one name on several tables, those of all."""
    found: dict[str, dict[str, Any]] = {}
    for each in checks:
        if each.stream == stream and each.state in ("passed", "failed"):
            found.setdefault(each.name, {}).update(each.figures)
    return dict(found)


def _waivers(facts: MonthFacts) -> pd.DataFrame:
    from revenue_integrity.reports.pack_data import WAIVER_COLUMNS

    rows = [
        (f"{check.stream}/{check.table}", check.name, entry.actor, entry.at, entry.comment)
        for check in facts.checks
        for entry in facts.waivers_of(check)
    ]
    return pd.DataFrame(rows, columns=WAIVER_COLUMNS, dtype=object)


def _status(row: CloseRow, settings: Settings) -> dict[str, Any]:
    """Return the month's row of ``close_status``, with everything that keeps it from being signed.

    The as-of is that of the month's own batches: a delivery for other months changes nothing in this pack.
    """
    record = row.record
    del record["month"], record["book"]
    arrivals = [batch["id"].rsplit("/", 1)[1] for batch in row.facts.batches]
    return record | {"as_of": max(arrivals, default=None), "blocking": _json([*row.blocking, *_obstacles(row, settings)])}


def _obstacles(row: CloseRow, settings: Settings) -> list[dict[str, str]]:
    """Return what no check says and still keeps a month from being signed."""
    facts = row.facts
    if row.status is Status.SIGNED_OFF:
        return []
    found = []
    if facts.now <= facts.cutoff:
        step = f"Prepare it after the cutoff {facts.cutoff:%Y-%m-%d %H:%M:%S} UTC: until then postings are in time."
        found.append({"check": "cutoff_has_passed", "next_step": step})
    reason = facts.stale or facts.news
    if reason:
        step = f"What it rests on has changed since ({reason}). Run it: revenue-integrity run --months {facts.label}."
        found.append({"check": "computed_from_what_arrived", "next_step": step})
    elif not facts.is_published_as_computed and not row.blocking:
        found.append({"check": "published_as_computed", "next_step": f"Run {facts.label} again to publish it."})
    if settings.sequential_close and facts.month_before_was_signed is False:
        before = months.label(months.add(facts.month, -1))
        found.append({"check": "month_before_was_signed", "next_step": f"Close {before} first."})
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@cache
def _code_version() -> str:
    """Return the hash of everything that gives a pack its looks."""
    from revenue_integrity import reports, wording
    from revenue_integrity.model import report

    place = Path(reports.__file__).parent
    files = [*sorted(path for path in place.rglob("*") if path.suffix in (".py", ".j2", ".css"))]
    files += [Path(str(module.__file__)) for module in (report, wording)]
    return sha256_of([[path.name, path.read_text(encoding="utf-8")] for path in files])


def folder_of(settings: Settings, book: str, month: date) -> Path:
    """Return where the present pack of a month of a book stands."""
    return settings.packs_path / book / months.label(month)


def pack_of(deployment: Deployment, evidence: Evidence, month: date, *, book: str = "") -> "PackData":
    """Return what the pack of a month shows: published data, checks, and what was decided.

    A book that is not named is the one in use.

    Raises:
        PublishError: the month is not published, or what is published of it does not belong together.
    """
    desk = Desk(deployment, evidence)
    packs = Packs(desk)
    return packs.data(packs.row(the_book(desk, book, month), month))


def write_month(deployment: Deployment, evidence: Evidence, month: date, *, book: str = "", for_run: str = "") -> Path:
    """Write the pack of a month and renew the index; return the pack's page. A run that asks for it does not make it stale.

    Raises:
        PublishError: the month is not published, or the pack cannot be written.
    """
    desk = Desk(deployment, evidence)
    packs, meant = Packs(desk), the_book(desk, book, month)
    return keep(desk, meant.name, month, packs.files(packs.row(meant, month, but_for_run=for_run)))


def keep(desk: Desk, book: str, month: date, files: Mapping[str, bytes]) -> Path:
    """Write the files of a month's pack and renew the index; return the pack's page."""
    from revenue_integrity.reports import pack

    folder = folder_of(desk.settings, book, month)
    pack.write_files(sealed(desk.settings, folder, files), folder)
    # Months that are computed one after the other draw the page of the latest once.
    renew_index(desk, [each for each in desk.deployment.books if each.name == book and month in desk.settings.months[-2:]])
    return folder / f"close-pack-{months.label(month)}.html"


def renew_index(desk: Desk, books: Collection[Book]) -> None:
    """Write the index of all packs and the pages of some books, unless they say already what there is to say.

    Their charts take longer than all else of them.
    """
    from revenue_integrity.reports import index, overview

    deployment, settings = desk.deployment, desk.settings
    catalog = read_catalog(settings)
    streams = {book.name: book.streams for book in deployment.books}
    rows = [
        replace(row, reprocessed_at=reprocessed_at(deployment, streams.get(row.book, ()), row.month, catalog))
        for row in index.index_rows(settings.packs_path)
    ]
    listed = settings.packs_path / index.MANIFEST
    # What somebody rewrote together with its manifest is drawn anew, whatever it says that it was made from.
    ours = is_ours(settings, listed)
    asked = books if ours else deployment.books
    drawn = {book.name: page for book in asked if (page := _overview(desk, book, rows, is_kept=ours)) is not None}
    pages: dict[str, str | None] = {}
    for name in sorted({row.book for row in rows if row.book}):
        path = f"{name}/{overview.FILE}"
        if name in drawn or (ours and (settings.packs_path / path).is_file()):
            pages[path] = drawn.get(name)
    at_a_glance = [path.partition("/")[0] for path in pages]
    reports = [_report_versions(deployment, names) for names in streams.values()]
    made_from = sha256_of([_code_version(), reports, settings.currency, [row.plain for row in rows], at_a_glance])
    is_current = ours and index.made_from(settings.packs_path / index.FILE) == made_from
    if is_current and not drawn:
        return
    shown = {
        book.name: [index.Shown.of(stream, pack_parts.report_of(stream)) for stream in deployment.streams_of(book)]
        for book in deployment.books
    }
    page = None if is_current else index.index_page(rows, shown, Currency(settings.currency), made_from, at_a_glance)
    index.write_index(page, settings.packs_path, pages)
    try:
        write_if_changed(seal_file(listed), seal_of(settings, listed, listed.read_bytes()))
    except OSError as error:
        raise PublishError(
            f"the index cannot be sealed in {listed.parent}: {error.strerror or error}", "Check space and permissions"
        ) from error


def _overview(desk: Desk, book: Book, rows: Sequence["IndexRow"], *, is_kept: bool) -> str | None:
    """Return the page of a book's latest month; ``None`` where it says already what there is to say, or nothing is to be said."""
    from revenue_integrity.reports import index, manifest, overview

    settings = desk.settings
    latest = max((row.month for row in rows if row.book == book.name), default=None)
    if latest is None or not any(pack_parts.report_of(stream).view for stream in desk.deployment.streams_of(book)):
        return None
    written = (folder_of(settings, book.name, latest) / manifest.FILE).read_text(encoding="utf-8")
    made_from = sha256_of([_code_version(), _report_versions(desk.deployment, book.streams), written])
    if is_kept and index.made_from(settings.packs_path / book.name / overview.FILE) == made_from:
        return None
    packs = Packs(desk)
    try:
        return overview.overview_page(packs.data(packs.row(book, latest)), made_from)
    except RevenueIntegrityError as error:
        # A month that is being published has its page when it is.
        _log.info("the page of %s is left as it is: %s", book.name, error)
        return None


def _report_versions(deployment: Deployment, names: Sequence[str]) -> list[str]:
    return [pack_parts.report_version(deployment.streams.named(name)) for name in names if name in deployment.streams.names]


def signed_files(desk: Desk, entry: Entry) -> dict[str, bytes]:
    """Return the pack of a version that was approved: what it shows ends with its approval.

    Raises:
        PublishError, IntegrityError: the version is not there, or not as it was signed.
    """
    from revenue_integrity.reports import pack

    packs = Packs(desk)
    data = packs.data(*packs.signed(entry))
    return pack.pack_files(replace(data, ledger_head=entry.hash))


def renew(deployment: Deployment, evidence: Evidence, *, say: Say) -> list[tuple[str, date]]:
    """Write the packs that no longer say what there is to say; return their books and months.

    Each is put on record. What keeps one pack from being written is said, and stops no other.
    """
    from revenue_integrity.reports import pack

    settings = deployment.settings
    desk = Desk(deployment, evidence)
    packs = Packs(desk)
    written = []
    for book, month in desk.pairs(settings.months):
        if not desk.shown(book, month):
            continue
        try:
            row = packs.row(book, month)
            if row.facts.is_before_book or packs.is_current(row):
                continue
            files = packs.files(row)
            folder = folder_of(settings, book.name, month)
            pack.write_files(sealed(settings, folder, files), folder)
        except RevenueIntegrityError as error:
            say(f"the close pack of {book.name} {months.label(month)} is not written: {error}")
            continue
        evidence.packs_written(month, book.name, facts_of(deployment, book.name, month))
        written.append((book.name, month))
    written_before = _remove_former(settings, {month for _, month in desk.pairs(settings.months)})
    if any(desk.shown(book, month) for book, month in desk.pairs(settings.months)):
        # A month that came out as it was keeps its pack; that it was computed again stands in the index alone.
        renew_index(desk, deployment.books)
    if written or written_before:
        say(f"{counted(len(written), 'close pack', 'close packs')} written; open {settings.packs_path / 'index.html'}")
    return written


def _remove_former(settings: Settings, wanted: Collection[date]) -> int:
    """Remove present packs of all streams together, from before there were books; those that were signed stay with their version.

    Only where each book has written its own; return how many there were.
    """
    from revenue_integrity.reports import manifest

    former = [settings.packs_path / months.label(month) for month in sorted(wanted)]
    found = [folder for folder in former if manifest.read(folder) and any(settings.packs_path.glob(f"*/{folder.name}"))]
    for folder in found:
        shutil.rmtree(folder)
    return len(found)


def facts_of(deployment: Deployment, book: str, month: date) -> dict[str, Any]:
    """Return what people want to see of a written pack: where it is, whether anybody has signed it, when it was computed."""
    from revenue_integrity.reports import manifest

    settings, streams = deployment.settings, next((each.streams for each in deployment.books if each.name == book), ())
    folder = folder_of(settings, book, month)
    facts = manifest.read(folder)
    page = folder / f"close-pack-{months.label(month)}.html"
    return {
        "page": page,
        "workbook": page.with_suffix(".xlsx"),
        "state": "PRELIMINARY" if facts["preliminary"] else f"signed off, version {facts['version']}",
        "status": facts["status"],
        "files": len(facts["files"]),
        "reprocessed_at": reprocessed_at(deployment, streams, month, read_catalog(settings)) or "",
    }
