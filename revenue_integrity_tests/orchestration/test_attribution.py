"""Behind an authenticating proxy the one whom it named decides, and nobody else: not who is typed, not who decided before."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from revenue_integrity.desk.sealing import seal_of_text
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.operating.ui import answers
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.attribution import ACTOR_TAG, SEAL_TAG, attributing_instance
from revenue_integrity.orchestration.instance import configure, open_instance
from revenue_integrity.orchestration.jobs import SIGN_OFF_JOB
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import free_port
from revenue_integrity_tests.toy_home import toy_deployment, toy_settings

ROOT = Path(__file__).parent.parent.parent

_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""

CHOSEN = {"book": "toy", "action": "prepare", "comment": "", "check": ""}


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[tuple[Settings, int]]:
    """Serve the guarded UI of a home of the toy as behind a proxy, in the process that serves it for people."""
    settings, port = toy_settings(tmp_path / "home", ui_auth="proxy"), free_port()
    configure(settings)
    code = tmp_path / "code.py"
    code.write_text(
        "from pathlib import Path\n"
        "from revenue_integrity.orchestration.assembly import build_definitions\n"
        "from revenue_integrity_tests.toy_home import toy_deployment\n"
        f"definitions = build_definitions(toy_deployment(Path({str(settings.home)!r}), ui_auth='proxy'))\n"
    )
    workspace = tmp_path / "workspace.yaml"
    place = {"relative_path": str(code), "working_directory": str(ROOT), "location_name": "toy"}
    workspace.write_text(json.dumps({"load_from": [{"python_file": place}]}))
    door = {"port": port, "auth": "proxy", "secret": "s", "hosts": [], "user_header": "X-Forwarded-User"}
    packs = str(settings.packs_path)
    given = {"door": door, "workspace": str(workspace), "address": "127.0.0.1", "read_only": False, "packs": packs}
    process = subprocess.Popen(
        [sys.executable, "-m", "revenue_integrity.operating.webserver"],
        env=os.environ | {"DAGSTER_HOME": str(settings.dagster_path)},
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.close()
    try:
        until = time.monotonic() + 120
        while not answers(("127.0.0.1", port)):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield settings, port
    finally:
        process.terminate()
        process.wait(timeout=60)


def launch(port: int, user: str, config: dict[str, str], tags: dict[str, str]) -> dict[str, Any]:
    """Start the job over HTTP as the proxy hands a request of a user on; return the answer."""
    params = {
        "selector": {"repositoryName": "__repository__", "repositoryLocationName": "toy", "jobName": SIGN_OFF_JOB},
        "runConfigData": {"ops": {"decide": {"config": config}}},
        "executionMetadata": {
            "tags": [{"key": key, "value": value} for key, value in ({"dagster/partition": "2025-01"} | tags).items()]
        },
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": _LAUNCH, "variables": {"params": params}}).encode(),
        {"Content-Type": "application/json", "X-Forwarded-User": user},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        launched: dict[str, Any] = json.load(answer)["data"]["launchRun"]
    return launched


def test_the_name_is_taken_from_the_proxys_header_alone_over_http(ui: tuple[Settings, int]) -> None:
    settings, port = ui
    forged = {ACTOR_TAG: "ann", SEAL_TAG: "0" * 64}
    first = launch(port, "pat", CHOSEN, forged)
    assert first["__typename"] == "LaunchRunSuccess", first
    with open_instance(settings) as instance:
        run = instance.get_run_by_id(first["run"]["runId"])
        assert run is not None
        assert (run.tags[ACTOR_TAG], run.status) == ("pat", dg.DagsterRunStatus.QUEUED)
        # The seal of one run, shown with another, is none.
        again = launch(port, "zoe", CHOSEN, {name: run.tags[name] for name in (ACTOR_TAG, SEAL_TAG)})
        other = instance.get_run_by_id(again["run"]["runId"])
        assert other is not None
        assert other.tags[ACTOR_TAG] == "zoe"
        assert other.tags[SEAL_TAG] != run.tags[SEAL_TAG]
    typed = launch(port, "pat", CHOSEN | {"actor": "ann"}, {})
    assert typed["__typename"] == "RunConfigValidationInvalid", "there is no field to type a name into"
    assert "actor" in typed["errors"][0]["message"]


@pytest.mark.parametrize(
    ("named", "sealed_for", "told"),
    [
        ("zoe", "zoe", "zoe is no preparer"),
        # Who may decide gets as far as the month, of which nothing was ever delivered.
        ("pat", "pat", "nothing was ever delivered"),
        ("pat", "zoe", "the proxy named nobody for this run"),
        ("pat", "", "the proxy named nobody for this run"),
        ("", "", "the proxy named nobody for this run"),
    ],
)
def test_who_is_sealed_to_the_run_decides_and_nobody_else(tmp_path: Path, named: str, sealed_for: str, told: str) -> None:
    home = toy_deployment(tmp_path, ui_auth="proxy")
    run_id = "0b9f5d5e-0000-4000-8000-000000000001"
    with open_instance(home.settings) as instance:
        seal = seal_of_text(instance.root_directory, ["actor", run_id, sealed_for]) if sealed_for else ""
        job = build_definitions(home).resolve_job_def(SIGN_OFF_JOB)
        ended = job.execute_in_process(
            run_id=run_id,
            run_config={"ops": {"decide": {"config": CHOSEN}}},
            partition_key="2025-01",
            tags={ACTOR_TAG: named, SEAL_TAG: seal},
            instance=instance,
            raise_on_error=False,
        )
    assert not ended.success
    failure = ended.failure_data_for_node("decide")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert told in str(failure.user_failure_data.description)


def test_a_queue_of_the_operators_own_is_refused_for_it_would_not_say_who_asks(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("run_queue: {max_concurrent_runs: 2}\n")
    with pytest.raises(RevenueIntegrityError, match="has its own run_queue, which does not say who starts a run"):
        attributing_instance(str(tmp_path), "X-Forwarded-User")
