"""The close desk: gathers the facts of a month, and carries out what people decide.

Belongs here: reading facts from catalog, publication, Dagster and ledger; prepare, approve, waive, reopen, verify, restatement
as one set of functions behind the command line and the Dagster job. Does not belong here: the rules of sign-off
(``close.sign_off``).
"""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from revenue_integrity import clock, logs, months
from revenue_integrity.close import freeze, sign_off
from revenue_integrity.close.calendar import cutoff
from revenue_integrity.close.ledger import Action, Entry, Finding, Ledger, signed_path
from revenue_integrity.close.restatement import COLUMNS, changes
from revenue_integrity.close.sign_off import CheckFact, MonthFacts, Status
from revenue_integrity.close.signed_content import content_hash
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.publication import is_published
from revenue_integrity.computing.staleness import due_months, stale_partitions, stale_sources, unjudged_tables
from revenue_integrity.computing.versions import code_version, settings_hash
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.errors import IntegrityError, LedgerError, PublishError, Refusal
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.signed import SignedTable
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.orchestration.check_results import Materialized, newest_materializations, results_of_month
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.late_data import busy_months
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import read_catalog, sha256_of
from revenue_integrity.warehouse.hashing import empty_digest
from revenue_integrity.warehouse.storage import arrow_schema, exact_frame

_log = logging.getLogger(__name__)

_DEEDS = {Action.PREPARE: "prepared", Action.APPROVE: "signed_off", Action.WAIVE: "waived", Action.REOPEN: "reopened"}
"""Names of the log's events."""

_EXPLANATIONS = ("recon_causes", "recon_summary")
"""Datasets whose change alone leaves a month signed, flagged *explanation updated*."""


class Desk:
    """What is known of the months of a home at one moment."""

    def __init__(self, deployment: Deployment, instance: dg.DagsterInstance) -> None:
        settings = deployment.settings
        self.deployment = deployment
        self.settings = settings
        self.instance = instance
        self.ledger = Ledger(settings)
        self._specs = _check_specs(deployment)
        self._running = busy_months(instance)
        self._catalog = read_catalog(settings)
        self._streams = [stream for stream in deployment.streams if ingestion.read_manifest(settings, stream).seen]
        self._entries = self.ledger.entries()

    def facts(self, month: date, *, but_for_run: str = "") -> MonthFacts:
        """Return the facts of a month; a run that asks for them itself does not make it a running one."""
        label = months.label(month)
        before = months.add(month, -1)
        is_first = month <= self.settings.first_month.replace(day=1)
        mine = [entry for entry in self._entries if entry.month == label]
        return MonthFacts(
            month=month,
            now=clock.now(),
            cutoff=cutoff(month, self.settings),
            content_hash=self._content_hash(month),
            stale=self._stale(month),
            news=self._news,
            running=label in (busy_months(self.instance, but_for=but_for_run) if but_for_run else self._running),
            is_published_as_computed=self._is_published(month),
            checks=self._checks(month),
            entries=mine,
            month_before_was_signed=None if is_first else self._was_signed(before),
            batches=self._batches(month),
            settings_hash=settings_hash(self.deployment.streams, self.settings),
            code_version=code_version(self.deployment.streams),
            explanation_updated=self._explanation_updated(month, mine),
            as_of=max((ingestion.latest_arrival(self.settings, stream) for stream in self._streams), default=""),
            of_several=self._of_several,
        )

    def _attested(self, month: date) -> list[Stream]:
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

    def _content_hash(self, month: date) -> str | None:
        """Return the hash of what is signed of a month; a stream without any signed row in it leaves the hash as it is.

        So months that were signed before a stream came into use stay signed.
        """
        digests: dict[str, Mapping[str, str]] = {}
        for stream in self._attested(month):
            digests[stream.name] = publish.signed_digests(self.settings, stream.name, month)
            if not digests[stream.name]:
                return None
        empty = {each.table.name: empty_digest(each.projection) for stream in self._streams for each in stream.signed}
        filled = [found for found in digests.values() if any(digest != empty.get(name) for name, digest in found.items())]
        return content_hash({name: digest for found in filled or digests.values() for name, digest in found.items()})

    def _stale(self, month: date) -> str:
        for stream in self._attested(month):
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
        return all(is_published(self.settings, stream, month, self._catalog) for stream in self._attested(month))

    @cached_property
    def _newest(self) -> Materialized:
        keys = {spec.asset_key for spec in self._specs}
        return newest_materializations(self.instance, keys, [months.label(month) for month in self.settings.months])

    def _checks(self, month: date) -> list[CheckFact]:
        newest = self._newest if month in self.settings.months else None
        return [
            CheckFact(each.name, each.stream, each.table, each.gate, each.state, each.figures, each.next_step)
            for each in results_of_month(self.instance, self._specs, months.label(month), newest)
            if each.stream in {stream.name for stream in self._attested(month)}
        ]

    @cached_property
    def _of_several(self) -> frozenset[tuple[str, str]]:
        count = Counter((spec.asset_key.path[-1], spec.name) for spec in self._specs)
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
        approvals = [entry for entry in entries if entry.action == Action.APPROVE]
        if not approvals:
            return False
        try:
            facts = freeze.read_manifest(self.settings, month, approvals[-1].version)["facts"]
        except (IntegrityError, PublishError):
            return False
        present = self._published_hashes(month)
        return any(facts["datasets"].get(name) != present.get(name) for name in _EXPLANATIONS)

    def _published_hashes(self, month: date) -> dict[str, str]:
        hashes: dict[str, str] = {}
        for stream in self._streams:
            hashes |= publish.closed_hashes(self.settings, stream.name, month)
        return hashes

    def freeze(self, entry: Entry) -> None:
        """Keep the published files of an approved month, unless its content has changed since."""
        month = months.parse(entry.month)
        if self._content_hash(month) != entry.content_hash:
            raise IntegrityError(
                f"{entry.month} v{entry.version} was approved and not frozen, and its content has changed since",
                "Restore the published month from a backup, or approve it anew",
            )
        # The reports are heavy to import, and only an approval needs them here.
        from revenue_integrity.desk import packs

        hashes = self._published_hashes(month)
        self._entries = self.ledger.entries()
        pack = packs.signed_files(self, entry)
        facts = {
            "content_hash": entry.content_hash,
            "ledger_seq": entry.seq,
            "ledger_hash": entry.hash,
            "as_of": entry.as_of,
            "datasets": hashes,
        }
        with self._whole_files(month) as files:
            freeze.freeze(self.settings, files, month, entry.version, facts, pack)
        packs.keep(self.deployment, month, pack)

    @contextmanager
    def _whole_files(self, month: date) -> Iterator[dict[str, Path]]:
        """Yield one file for each published dataset of a month; of a dataset in parts, one that is made of them."""
        made = signed_path(self.settings) / ".whole"
        # The ledger is locked: what stands here was left by a process that died.
        shutil.rmtree(made, ignore_errors=True)
        try:
            files = {}
            for stream in self._attested(month):
                parts = publish.closed_parts(self.settings, stream.name, month)
                closed = publish.closed_hashes(self.settings, stream.name, month)
                for name, found in publish.files_together(self.settings, stream.name, month, closed).items():
                    files[name] = made / f"{name}.parquet" if name in parts else found[0]
                    if name in parts:
                        made.mkdir(parents=True, exist_ok=True)
                        publish.write_whole(self.settings, name, found, files[name])
            yield files
        except OSError as error:
            raise LedgerError(
                f"{months.label(month)} cannot be frozen: {error.filename or made}: {error.strerror or error}",
                "Make room and repeat the approval: it continues where it stopped",
            ) from error
        finally:
            shutil.rmtree(made, ignore_errors=True)

    @property
    def streams(self) -> list[Stream]:
        """The streams that have delivered anything."""
        return list(self._streams)

    def head(self) -> str:
        """Return the hash of the ledger's last entry, empty before the first."""
        return self._entries[-1].hash if self._entries else ""


_SPECS: dict[str, list[dg.AssetCheckSpec]] = {}
"""Check specs of this process, by the streams and settings on which they rest; making them takes longer than a decision."""


def _check_specs(deployment: Deployment) -> list[dg.AssetCheckSpec]:
    # The front door puts this module's sensor and job together with the rest, so it cannot be imported above.
    from revenue_integrity.orchestration.assembly import build_definitions

    key = sha256_of([deployment.streams.names, deployment.settings.model_dump(mode="json")])
    if key not in _SPECS:
        graph = build_definitions(deployment).resolve_asset_graph()
        _SPECS[key] = [graph.get_check_spec(each) for each in sorted(graph.asset_check_keys)]
    return _SPECS[key]


@contextmanager
def open_desk(deployment: Deployment) -> Iterator[Desk]:
    """Open the home's instance and gather what is known."""
    with open_instance(deployment.settings) as instance:
        yield Desk(deployment, instance)


Decide = Callable[[MonthFacts], list[dict[str, Any]]]


def _act(
    deployment: Deployment,
    month: date,
    action: Action,
    actor: str,
    comment: str,
    decide: Decide,
    instance: dg.DagsterInstance | None,
) -> Entry:
    """Decide and write under one lock, so that of two attempts at once exactly one wins."""
    if instance is None:
        with open_instance(deployment.settings) as opened:
            return _act(deployment, month, action, actor, comment, decide, opened)
    settings = deployment.settings
    with Ledger(settings).locked() as ledger:
        broken = ledger.verify()
        if broken:
            raise IntegrityError(f"{broken[0].subject}: {broken[0].problem}", broken[0].next_step)
        desk = Desk(deployment, instance)
        _recover(desk)
        facts = desk.facts(month)
        checks = decide(facts)
        entry = ledger.append(
            month=month,
            version=facts.next_version if action is not Action.REOPEN else facts.next_version - 1,
            action=action,
            actor=actor,
            content_hash=facts.content_hash or "",
            as_of=facts.as_of,
            batches=list(facts.batches),
            settings_hash=facts.settings_hash,
            code_version=facts.code_version,
            checks=checks,
            comment=comment,
        )
        if action is Action.APPROVE:
            desk.freeze(entry)
            _tell_approved(settings, entry)
    logs.event(_DEEDS[action], month=month, actor=actor, version=entry.version, ledger_entry=entry.seq)
    return entry


def _recover(desk: Desk) -> None:
    """Finish what a crash interrupted: freeze what was approved, and tell the latest approval."""
    entries = desk.ledger.entries()
    for entry in freeze.missing_freezes(desk.settings, entries):
        try:
            desk.freeze(entry)
        except (IntegrityError, PublishError) as error:
            # What was approved is gone: `verify` says so from now on, and the month can be signed anew. No other month waits.
            _log.warning("%s", error)
    for entry in [each for each in entries if each.action == Action.APPROVE][-1:]:
        _tell_approved(desk.settings, entry)


def _tell_approved(settings: Settings, entry: Entry) -> None:
    """Alert that a version was approved, with the ledger's head; the same approval is told once."""
    month = months.parse(entry.month)
    outbox.raise_alert(settings, events.approved(month, entry.version, f"{entry.seq}:{entry.hash}", entry.actor))


def _verdicts(facts: MonthFacts) -> list[dict[str, Any]]:
    return [check.plain for check in facts.checks if check.gate is not sign_off.Gate.WARN]


def prepare(
    deployment: Deployment, month: date, actor: str, comment: str = "", instance: dg.DagsterInstance | None = None
) -> Entry:
    """Put the month before the approvers; raise ``Refusal`` with the reason and the next step if it may not be."""

    def decide(facts: MonthFacts) -> list[dict[str, Any]]:
        sign_off.refuse_prepare(facts, actor, deployment.settings)
        return _verdicts(facts)

    return _act(deployment, month, Action.PREPARE, actor, comment, decide, instance)


def approve(
    deployment: Deployment, month: date, actor: str, comment: str = "", instance: dg.DagsterInstance | None = None
) -> Entry:
    """Sign the month off and freeze it; raise ``Refusal`` with the reason and the next step if it may not be."""

    def decide(facts: MonthFacts) -> list[dict[str, Any]]:
        sign_off.refuse_approve(facts, actor, deployment.settings)
        return _verdicts(facts)

    return _act(deployment, month, Action.APPROVE, actor, comment, decide, instance)


def waive(
    deployment: Deployment, month: date, check: str, actor: str, reason: str, instance: dg.DagsterInstance | None = None
) -> Entry:
    """Let one failing sign-off check through, for this content and figure only; raise ``Refusal`` if it may not be."""

    def decide(facts: MonthFacts) -> list[dict[str, Any]]:
        return [sign_off.refuse_waive(facts, check, actor, reason, deployment.settings).plain]

    return _act(deployment, month, Action.WAIVE, actor, reason, decide, instance)


def reopen(deployment: Deployment, month: date, actor: str, reason: str, instance: dg.DagsterInstance | None = None) -> Entry:
    """Open a signed month again by hand; raise ``Refusal`` if it may not be."""

    def decide(facts: MonthFacts) -> list[dict[str, Any]]:
        sign_off.refuse_reopen(facts, actor, reason, deployment.settings)
        return []

    return _act(deployment, month, Action.REOPEN, actor, reason, decide, instance)


@dataclass(frozen=True)
class CloseRow:
    """A month's row of ``close_status``."""

    facts: MonthFacts
    status: Status

    @property
    def record(self) -> dict[str, Any]:
        """The row with the columns of the dataset."""
        facts = self.facts
        signed = facts.signed
        prepared = facts.prepared or (_last(facts.entries, Action.PREPARE) if signed else None)
        return {
            "month": pd.Timestamp(facts.month).as_unit("us"),
            "status": str(self.status),
            "version": signed.version if signed else 0,
            "content_hash": facts.content_hash,
            "signed_hash": signed.content_hash if signed else None,
            "prepared_by": prepared.actor if prepared else None,
            "approved_by": signed.actor if signed else None,
            "signed_at": signed.at if signed else None,
            "blocking": json.dumps(self.blocking, ensure_ascii=False),
            "waivers": json.dumps(
                [
                    {"check": entry.waived["name"], "stream": entry.waived.get("stream"), "table": entry.waived["table"]}
                    | {"actor": entry.actor, "reason": entry.comment, "at": entry.at}
                    for entry in facts.waivers
                ],
                ensure_ascii=False,
            ),
            "explanation_updated": bool(signed) and facts.is_signed_as_it_stands and facts.explanation_updated,
            "as_of": facts.as_of,
            "reopened_because": sign_off.reopened_because(facts) if self.status is Status.REOPENED else "",
        }

    @property
    def blocking(self) -> list[dict[str, Any]]:
        """What stands in the way, with its figure and the next step."""
        facts = self.facts
        if facts.content_hash is None:
            return []
        return [
            {"check": each.name, "stream": each.stream, "table": each.table, "gate": each.gate.value, "state": each.state}
            | {"figures": each.plain["figures"], "next_step": each.next_step}
            for each in facts.in_the_way
        ]


def _last(entries: Sequence[Entry], action: Action) -> Entry | None:
    return next((entry for entry in reversed(entries) if entry.action == action), None)


def close_rows(deployment: Deployment, wanted: Sequence[date], instance: dg.DagsterInstance | None = None) -> list[CloseRow]:
    """Return the close status of some months."""
    if instance is None:
        with open_instance(deployment.settings) as opened:
            return close_rows(deployment, wanted, opened)
    desk = Desk(deployment, instance)
    found = [desk.facts(month) for month in wanted]
    return [CloseRow(facts, sign_off.status_of(facts)) for facts in found]


def close_status(deployment: Deployment, wanted: Sequence[date]) -> pd.DataFrame:
    """Return the dataset ``close_status``: one row per month (20-close, *Sign-off*)."""
    return pd.DataFrame([row.record for row in close_rows(deployment, wanted)])


def verify(deployment: Deployment) -> list[Finding]:
    """Recompute the ledger's chain, the frozen versions and the hashes of all that is published; return what does not hold."""
    settings = deployment.settings
    ledger = Ledger(settings)
    findings = [*ledger.verify(), *freeze.verify_frozen(settings)]
    if not findings:
        findings += [
            Finding(
                f"{entry.month} v{entry.version}",
                "it was approved and is not frozen",
                "Repeat any sign-off command: it freezes what is missing if the content is still the same",
            )
            for entry in freeze.missing_freezes(settings, ledger.entries())
        ]
    return [*findings, *_verify_published(deployment)]


def _verify_published(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    with publish.verifying() as connection:
        for stream in deployment.streams:
            tables = {table.name: table for table in stream.published_tables}
            for month in settings.months:
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


def restatement(
    deployment: Deployment, month: date, from_version: int | None = None, to_version: int | None = None
) -> pd.DataFrame:
    """Return what changed since a signed version: rows and measures whose deltas add up to the change of each total.

    ``from_version`` is the latest signed version by default, ``to_version`` what is published now.

    Raises:
        Refusal: the month was never signed, or the version does not exist.
    """
    with open_desk(deployment) as desk:
        facts = desk.facts(month)
    return restatement_of(deployment, facts, from_version, to_version)


def restatement_of(
    deployment: Deployment, facts: MonthFacts, from_version: int | None = None, to_version: int | None = None
) -> pd.DataFrame:
    """Return ``restatement`` for a month whose facts are known."""
    settings, month = deployment.settings, facts.month
    versions = freeze.frozen_versions(settings, month)
    wanted = from_version if from_version is not None else (versions[-1] if versions else None)
    for version in (wanted, to_version):
        if version is not None and version not in versions:
            raise Refusal(
                f"{facts.label} has no signed version {version}", f"Signed versions: {', '.join(map(str, versions)) or 'none'}"
            )
    if wanted is None:
        raise Refusal(f"{facts.label} was never signed off", "There is nothing to compare with")
    signed = [each for stream in deployment.streams for each in stream.signed]
    old = _frozen(settings, month, wanted, signed)
    new = _present(deployment, month, signed) if to_version is None else _frozen(settings, month, to_version, signed)
    cause, batches = _why(facts, wanted, to_version)
    rows = [
        {
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


def _frozen(settings: Settings, month: date, version: int, signed: Sequence[SignedTable]) -> Mapping[str, pd.DataFrame]:
    """Return the signed tables of a version; one that it does not hold, for its stream was not in use yet, has no rows."""
    held = freeze.read_manifest(settings, month, version)["files"]
    return {
        each.table.name: freeze.read_frozen(settings, month, version, each.table)
        if f"{each.table.name}.parquet" in held
        else _no_rows(each.table)
        for each in signed
    }


def _present(deployment: Deployment, month: date, signed: Sequence[SignedTable]) -> Mapping[str, pd.DataFrame]:
    """Return the signed tables as they are published; those of a stream that has not published the month have no rows."""
    settings, streams = deployment.settings, deployment.streams
    frames: dict[str, pd.DataFrame] = {each.table.name: _no_rows(each.table) for each in signed}
    published = [stream for stream in streams if publish.closed_hashes(settings, stream.name, month)]
    for stream in published or streams:
        frames |= publish.read_together(settings, stream.name, month, [each.table for each in stream.signed])
    return frames


def _no_rows(table: Table) -> pd.DataFrame:
    return exact_frame(arrow_schema(table).empty_table())


def _why(facts: MonthFacts, from_version: int, to_version: int | None) -> tuple[str, list[str]]:
    """Return what made the difference, and the batches that are new in it."""
    approvals = {entry.version: entry for entry in facts.entries if entry.action == Action.APPROVE}
    old = approvals[from_version]
    new = approvals[to_version] if to_version is not None else None
    known = {(batch["id"], batch["digest"]) for batch in old.batches}
    present = {(batch["id"], batch["digest"]) for batch in (new.batches if new else facts.batches)}
    settings_now = new.settings_hash if new else facts.settings_hash
    if present != known:
        return "data", sorted(batch_id for batch_id, digest in present - known)
    return ("settings" if settings_now != old.settings_hash else "code"), []
