"""Who started a run in a UI behind an authenticating proxy: the name that the proxy gave, sealed to that one run.

Belongs here: putting the name on record as the run is submitted, and reading it back. Does not belong here: who is let in
(``operating.ui_guard``), what the name may decide (``close.sign_off``).

Tags of a run are typed by whoever starts it. So the name counts only with the seal of this home over it and over the run's id,
which is made where the request itself is at hand: a tag that was typed, or copied from another run, has none that fits.
"""

from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from revenue_integrity.desk.sealing import seal_of_text
from revenue_integrity.errors import Refusal, RevenueIntegrityError
from revenue_integrity.settings import Settings

ACTOR_TAG = "revenue_integrity/actor"
"""Tag of a run with the name that the proxy gave for who started it."""

SEAL_TAG = "revenue_integrity/actor_seal"
"""Tag of a run with the seal of that name."""


def _said(run_id: str, name: str) -> list[str]:
    return ["actor", run_id, name]


class AttributingRunCoordinator(QueuedRunCoordinator):
    """The queue of runs, which writes down who is named by the header of the request that asks for one."""

    def __init__(self, user_header: str, **queue: Any) -> None:
        """Take the name from a header."""
        self._user_header = user_header
        super().__init__(**queue)

    @classmethod
    def config_type(cls) -> Any:
        """Return what the queue is set up with, and the header."""
        queue: Any = super().config_type()
        return {**queue, "user_header": dg.Field(str)}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "AttributingRunCoordinator":
        """Make it as the instance's configuration says."""
        return cls(inst_data=inst_data, **config_value)

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Put on record who asks for a run, then queue it."""
        run_id, name = context.dagster_run.run_id, (context.get_request_header(self._user_header) or "").strip()
        seal = seal_of_text(self._instance.root_directory, _said(run_id, name)) if name else ""
        self._instance.add_run_tags(run_id, {ACTOR_TAG: name, SEAL_TAG: seal})
        return super().submit_run(context)


def attributing_instance(directory: str, user_header: str) -> dg.DagsterInstance:
    """Return the instance in a directory, whose runs are put on record with who asks for them.

    Raises:
        RevenueIntegrityError: its configuration has a queue of its own, which would not say who asks.
    """
    own = yaml.safe_load(Path(directory, "dagster.yaml").read_text(encoding="utf-8")) or {}
    if found := sorted({"run_queue", "run_coordinator"} & set(own)):
        raise RevenueIntegrityError(
            f"{directory}/dagster.yaml has its own {found[0]}, which does not say who starts a run",
            "Set limits of runs under concurrency instead, or set ui_auth to secret",
        )
    coordinator = {"module": __name__, "class": AttributingRunCoordinator.__name__, "config": {"user_header": user_header}}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(directory, overrides={"run_coordinator": coordinator}))


def actor_of(run: dg.DagsterRun, settings: Settings) -> str:
    """Return who started a run, as the proxy named them.

    Raises:
        Refusal: no proxy named anybody for this very run.
    """
    name, seal = run.tags.get(ACTOR_TAG, ""), run.tags.get(SEAL_TAG, "")
    if name and seal and seal == seal_of_text(str(settings.dagster_path), _said(run.run_id, name)):
        return name
    raise Refusal(
        "the proxy named nobody for this run, so nobody decides (setting ui_auth: proxy)",
        "Start it in the UI behind the proxy, one month at a time and not as a backfill",
    )
