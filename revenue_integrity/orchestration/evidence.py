"""What the desk asks of the runs of a home (``desk.evidence``), answered by Dagster's event log.

Belongs here: these answers. Does not belong here: reading check results (``check_results``), what follows from them (``desk``).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.model.check import CheckRecord
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration import links
from revenue_integrity.orchestration.check_results import results_of_month
from revenue_integrity.orchestration.instance import open_to_read
from revenue_integrity.orchestration.runs_under_way import PARTITION_TAG, streams_of, unfinished_runs
from revenue_integrity.orchestration.seals import seals_of
from revenue_integrity.orchestration.standing import troubles
from revenue_integrity.orchestration.stream_assets import check_specs
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import read_catalog

PACK = "pack"
"""Last part of the key of the asset that writes packs."""


def pack_key(book: str) -> dg.AssetKey:
    """Return the key of the asset that writes the packs of a book."""
    return dg.AssetKey([book, "close", PACK])


class DagsterEvidence:
    """The record of the runs of a home in its Dagster instance."""

    def __init__(self, deployment: Deployment, instance: dg.DagsterInstance) -> None:
        self._deployment = deployment
        self._instance = instance
        self._seen: tuple[object, SeenInDagster] | None = None

    def now(self) -> "SeenInDagster":
        """Return what is on record at this moment; as long as nothing was added, what was read of it before is not read again."""
        state = self._state()
        if self._seen is None or self._seen[0] != state:
            self._seen = state, SeenInDagster(self._deployment, self._instance)
        return self._seen[1]

    def _state(self) -> object:
        """Return what changes with whatever an answer rests on: the record of runs and events, and what stands of the months."""
        runs = [(each.storage_id, each.dagster_run.status) for each in self._instance.get_run_records(limit=1)]
        return runs, self._instance.event_log_storage.get_maximum_record_id(), read_catalog(self._deployment.settings)

    def troubles(self) -> list[str]:
        """Return what keeps runs from going on by themselves, as sentences."""
        return [f"{each.found}. {each.next_step}." for each in troubles(self._instance, self._deployment.settings)]

    def packs_written(self, month: date, book: str, facts: Mapping[str, Any]) -> None:
        """Put on record that the close pack of a month of a book was written, as a materialization of its asset."""
        self._instance.report_runless_asset_event(
            dg.AssetMaterialization(
                pack_key(book), partition=months.label(month), metadata=metadata_of(facts, self._deployment.settings)
            )
        )


class SeenInDagster:
    """What is on record at one moment; it is read when it is asked for."""

    def __init__(self, deployment: Deployment, instance: dg.DagsterInstance) -> None:
        self._deployment = deployment
        self._instance = instance
        self._seals = seals_of(deployment.settings)
        self._unfinished = unfinished_runs(instance)
        self._checks: dict[tuple[date, str], list[CheckRecord]] = {}

    def checks(self, month: date, stream: str) -> list[CheckRecord]:
        """Return what each check of a month of a stream says. Whatever is unclear does not pass."""
        if (month, stream) not in self._checks:
            specs = _check_specs(self._deployment, stream)
            self._checks[month, stream] = results_of_month(self._instance, specs, months.label(month), self._seals)
        return list(self._checks[month, stream])

    def under_way(self, month: date, *, but_for_run: str = "") -> frozenset[str]:
        """Return the streams of which a queued or running run computes the month, one run left out."""
        label = months.label(month)
        runs = [run for run in self._unfinished if run.tags[PARTITION_TAG] == label and run.run_id != but_for_run]
        all_streams = frozenset(self._deployment.streams.names)
        return frozenset().union(*(all_streams if (of_run := streams_of(run)) is None else of_run for run in runs))


_SPECS: dict[str, list[dg.AssetCheckSpec]] = {}
"""Check specs of this process, by what they rest on: the stream, the streams beside it, the settings; making them takes longer
than a decision."""


def _check_specs(deployment: Deployment, stream: str) -> list[dg.AssetCheckSpec]:
    key = sha256_of([stream, deployment.streams.names, deployment.settings.model_dump(mode="json")])
    if key not in _SPECS:
        _SPECS[key] = check_specs(deployment, stream)
    return _SPECS[key]


def metadata_of(facts: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return facts as metadata of an asset: files become links."""
    return {name: links.of_file(value, settings) if isinstance(value, Path) else value for name, value in facts.items()}


@contextmanager
def open_evidence(deployment: Deployment) -> Iterator[DagsterEvidence]:
    """Open the home's instance, for as long as the block lasts."""
    with open_to_read(deployment.settings) as instance:
        yield DagsterEvidence(deployment, instance)
