"""The close pack of a month: gathers what it shows from what is published and decided, and keeps the packs of a home current.

Belongs here: which datasets a pack holds, when it must be made anew, where it is written, the asset that writes it. Does not
belong here: how it looks (``reports``), the rules of sign-off (``close.sign_off``).

``<home>/packs/YYYY-MM/`` holds the present pack of a month, ``<home>/packs/index.html`` all of them at a glance. The pack of a
signed version is kept with it, in ``<published>/_signed/YYYY-MM/vN/pack/``; while a month stands as it was signed, that one
is its present pack, byte for byte.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from revenue_integrity import months
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Entry, as_frame
from revenue_integrity.close.restatement import COLUMNS
from revenue_integrity.close.sign_off import MonthFacts, Status, status_of
from revenue_integrity.computing.publication_tables import publication_table
from revenue_integrity.desk import close, pack_parts
from revenue_integrity.errors import PublishError, RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.orchestration.partitions import month_of
from revenue_integrity.orchestration.table_assets import asset_key
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import sha256_of
from revenue_integrity.warehouse.hashing import empty_digest
from revenue_integrity.wording import Currency

if TYPE_CHECKING:
    from revenue_integrity.reports.pack_data import PackData

PACK = "pack"
"""Last part of the key of the asset that writes packs."""

Say = Callable[[str], None]


class Packs:
    """Makes and keeps the packs of a home, from facts that were gathered once."""

    def __init__(self, desk: close.Desk) -> None:
        self._desk = desk
        self._settings = desk.settings
        self.book = " and ".join(stream.name for stream in desk.streams)

    def data(self, row: close.CloseRow) -> "PackData":
        """Return what the pack of a month shows.

        Raises:
            PublishError: the month is not published, or what is published of it does not belong together.
        """
        from revenue_integrity.reports.pack_data import PackData

        facts, settings = row.facts, self._settings
        streams = self._streams(facts.month)
        figures = {stream.name: _figures(facts, stream) for stream in streams}
        parts = [
            pack_parts.part_of(
                settings,
                pack_parts.Month.published(settings, stream, facts.month),
                self._months_before(stream, facts.month),
                figures[stream.name],
            )
            for stream in streams
        ]
        return PackData(
            book=self.book,
            month=facts.month,
            currency=Currency(settings.currency),
            parts=parts,
            checks=_checks(facts),
            waivers=_waivers(facts),
            ledger=as_frame(list(facts.entries)),
            restatement=self._restatement(row),
            status=_status(row, self._settings),
            ledger_head=self._desk.head(),
            made_from=self.made_from(row),
        )

    def made_from(self, row: close.CloseRow) -> str:
        """Return a hash of everything that the pack of a month rests on, except the head of the ledger.

        The head moves with every entry of every month; what a pack says of its own month does not change by that.
        """
        facts, settings = row.facts, self._settings
        return sha256_of(
            {
                "code": _code_version(),
                "book": self.book,
                "currency": settings.currency,
                "streams": {
                    stream.name: pack_parts.rests_on(
                        settings,
                        pack_parts.Month.published(settings, stream, facts.month),
                        self._months_before(stream, facts.month),
                    )
                    for stream in self._streams(facts.month)
                },
                "status": _status(row, self._settings),
                "checks": [[each.state, each.plain] for each in facts.checks],
                "entries": [entry.hash for entry in facts.entries],
            }
        )

    def files(self, row: close.CloseRow) -> dict[str, bytes]:
        """Return the present pack of a month: the signed one while the month stands as it was signed."""
        from revenue_integrity.reports import pack

        signed = self._signed_pack(row)
        if signed is not None:
            return {
                path.relative_to(signed).as_posix(): path.read_bytes() for path in sorted(signed.rglob("*")) if path.is_file()
            }
        return pack.pack_files(self.data(row))

    def is_current(self, row: close.CloseRow) -> bool:
        """Return whether the pack that is written says what there is to say."""
        from revenue_integrity.reports import manifest

        written = manifest.read(folder_of(self._settings, row.facts.month))
        signed = self._signed_pack(row)
        if signed is not None:
            return written == manifest.read(signed)
        return bool(written) and written.get("made_from") == self.made_from(row)

    def row(self, month: date, *, but_for_run: str = "") -> close.CloseRow:
        """Return where the close of a month stands."""
        facts = self._desk.facts(month, but_for_run=but_for_run)
        return close.CloseRow(facts, status_of(facts))

    def streams_of(self, month: date) -> list[Stream]:
        """Return the streams that a pack of a month shows; none where nothing is published.

        A stream without any row that is signed or was restated has nothing to show, unless no stream has any.
        """
        published = [stream for stream in self._desk.streams if publish.closed_hashes(self._settings, stream.name, month)]
        return [stream for stream in published if self._has_rows(stream, month)] or published

    def _has_rows(self, stream: Stream, month: date) -> bool:
        signed = publish.signed_digests(self._settings, stream.name, month)
        closed = publish.closed_hashes(self._settings, stream.name, month)
        return any(signed.get(each.table.name) != empty_digest(each.projection) for each in stream.signed) or any(
            closed.get(ledger.name) != empty_digest(ledger) for ledger in stream.ledgers
        )

    def _streams(self, month: date) -> list[Stream]:
        streams = self.streams_of(month)
        if streams:
            return streams
        raise PublishError(
            f"{months.label(month)} is not published, so it has no close pack",
            f"Run it: revenue-integrity run --months {months.label(month)}",
        )

    def _months_before(self, stream: Stream, month: date) -> list[date]:
        """Return the published months of a stream before a month."""
        return [
            each for each in self._settings.months if each < month and publish.closed_hashes(self._settings, stream.name, each)
        ]

    def _restatement(self, row: close.CloseRow) -> pd.DataFrame:
        """Return what changed since the signed version; of a version as it was signed, since the version before it."""
        signed = row.facts.signed
        if signed is None:
            return pd.DataFrame(columns=list(COLUMNS))
        first = signed.version - 1 if row.status is Status.SIGNED_OFF else signed.version
        if first not in freeze.frozen_versions(self._settings, row.facts.month):
            return pd.DataFrame(columns=list(COLUMNS))
        return close.restatement_of(self._desk.deployment, row.facts, first)

    def _signed_pack(self, row: close.CloseRow) -> Path | None:
        signed = row.facts.signed
        if row.status is not Status.SIGNED_OFF or signed is None or row.facts.explanation_updated:
            return None
        place = freeze.frozen_path(self._settings, row.facts.month, signed.version) / freeze.PACK
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


def _figures(facts: MonthFacts, stream: Stream) -> dict[str, Mapping[str, Any]]:
    """Return the figures of a stream's checks that have a result."""
    return {each.name: each.figures for each in facts.checks if each.stream == stream.name and each.state in ("passed", "failed")}


def _waivers(facts: MonthFacts) -> pd.DataFrame:
    from revenue_integrity.reports.pack_data import WAIVER_COLUMNS

    rows = [
        (f"{check.stream}/{check.table}", check.name, entry.actor, entry.at, entry.comment)
        for check in facts.checks
        for entry in facts.waivers_of(check)
    ]
    return pd.DataFrame(rows, columns=WAIVER_COLUMNS, dtype=object)


def _status(row: close.CloseRow, settings: Settings) -> dict[str, Any]:
    """Return the month's row of ``close_status``, with everything that keeps it from being signed.

    The as-of is that of the month's own batches: a delivery for other months changes nothing in this pack.
    """
    record = row.record
    del record["month"]
    arrivals = [batch["id"].rsplit("/", 1)[1] for batch in row.facts.batches]
    return record | {"as_of": max(arrivals, default=None), "blocking": _json([*row.blocking, *_obstacles(row, settings)])}


def _obstacles(row: close.CloseRow, settings: Settings) -> list[dict[str, str]]:
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
        step = f"{reason[0].upper()}{reason[1:]}. Run it: revenue-integrity run --months {facts.label}."
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


def folder_of(settings: Settings, month: date) -> Path:
    """Return where the present pack of a month stands."""
    return settings.packs_path / months.label(month)


def pack_of(deployment: Deployment, month: date) -> "PackData":
    """Return what the pack of a month shows: published data, checks, and what was decided.

    Raises:
        PublishError: the month is not published, or what is published of it does not belong together.
    """
    with close.open_desk(deployment) as desk:
        packs = Packs(desk)
        return packs.data(packs.row(month))


def write_month(deployment: Deployment, month: date) -> Path:
    """Write the pack of a month and renew the index; return the pack's page.

    Raises:
        PublishError: the month is not published, or the pack cannot be written.
    """
    with close.open_desk(deployment) as desk:
        packs = Packs(desk)
        return keep(deployment, month, packs.files(packs.row(month)))


def keep(deployment: Deployment, month: date, files: Mapping[str, bytes]) -> Path:
    """Write the files of a month's pack and renew the index; return the pack's page."""
    from revenue_integrity.reports import pack

    folder = folder_of(deployment.settings, month)
    pack.write_files(files, folder)
    renew_index(deployment)
    return folder / f"close-pack-{months.label(month)}.html"


def renew_index(deployment: Deployment) -> None:
    """Write the index of all packs."""
    from revenue_integrity.reports import index

    settings = deployment.settings
    shown = {"": [index.Shown.of(stream, pack_parts.report_of(stream)) for stream in deployment.streams]}
    rows = index.index_rows(settings.packs_path)
    index.write_index(index.index_page(rows, shown, Currency(settings.currency)), settings.packs_path)


def signed_files(desk: close.Desk, entry: Entry) -> dict[str, bytes]:
    """Return the pack of a version that was just approved: what it shows ends with its approval."""
    from revenue_integrity.reports import pack

    facts = desk.facts(months.parse(entry.month))
    facts = replace(facts, entries=[each for each in facts.entries if each.seq <= entry.seq])
    data = Packs(desk).data(close.CloseRow(facts, Status.SIGNED_OFF))
    return pack.pack_files(replace(data, ledger_head=entry.hash))


def renew(deployment: Deployment, instance: dg.DagsterInstance, *, say: Say) -> list[date]:
    """Write the packs that no longer say what there is to say; return their months.

    Each is put on record as a materialization of its asset. What keeps one pack from being written is said, and stops no other.
    """
    from revenue_integrity.reports import pack

    settings = deployment.settings
    packs = Packs(close.Desk(deployment, instance))
    written = []
    for month in settings.months:
        streams = packs.streams_of(month)
        if not streams:
            continue
        try:
            row = packs.row(month)
            if packs.is_current(row):
                continue
            files = packs.files(row)
            pack.write_files(files, folder_of(settings, month))
        except RevenueIntegrityError as error:
            say(f"the close pack of {months.label(month)} is not written: {error}")
            continue
        for stream in streams:
            key = dg.AssetKey([stream.name, "close", PACK])
            instance.report_runless_asset_event(
                dg.AssetMaterialization(asset_key=key, partition=months.label(month), metadata=metadata_of(settings, month))
            )
        written.append(month)
    if written:
        renew_index(deployment)
        say(f"{len(written)} close packs written; open {settings.packs_path / 'index.html'}")
    return written


def metadata_of(settings: Settings, month: date) -> dict[str, Any]:
    """Return what the UI shows of a written pack: where it is, and whether anybody has signed it."""
    from revenue_integrity.reports import manifest

    folder = folder_of(settings, month)
    facts = manifest.read(folder)
    page = folder / f"close-pack-{months.label(month)}.html"
    return {
        "page": dg.MetadataValue.path(str(page)),
        "workbook": dg.MetadataValue.path(str(page.with_suffix(".xlsx"))),
        "state": "PRELIMINARY" if facts["preliminary"] else f"signed off, version {facts['version']}",
        "status": facts["status"],
        "files": len(facts["files"]),
    }


def pack_asset(
    stream: Stream, deployment: Deployment, partitions: dg.PartitionsDefinition, pool: str | None
) -> dg.AssetsDefinition:
    """Return the asset that writes the close pack of a month of a stream."""
    settings = deployment.settings

    @dg.asset(
        key=dg.AssetKey([stream.name, "close", PACK]),
        partitions_def=partitions,
        group_name=stream.name,
        kinds={"html", "xlsx"},
        owners=[publication_table(stream.name).owner],
        description="The month's close pack: workbook, page, CSVs and the manifest of their hashes; PRELIMINARY until signed.",
        pool=pool,
        deps=[asset_key(publication_table(stream.name))],
    )
    def close_pack(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        month = month_of(context.partition_key)
        packs = Packs(close.Desk(deployment, context.instance))
        try:
            keep(deployment, month, packs.files(packs.row(month, but_for_run=context.run.run_id)))
        except RevenueIntegrityError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(metadata=metadata_of(settings, month))

    return close_pack
