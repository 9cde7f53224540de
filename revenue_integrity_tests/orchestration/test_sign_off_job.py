"""The job ``sign_off``: what the launchpad offers and refuses; what follows of a decision is told in the close's stories."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.jobs import SIGN_OFF_JOB
from revenue_integrity_tests.toy_home import toy_deployment

OWN = {"action": "prepare", "actor": "pat"}


def job(home: Path, **settings: Any) -> dg.JobDefinition:
    """Return the job of a home of the toy with some settings."""
    return build_definitions(toy_deployment(home, **settings)).resolve_job_def(SIGN_OFF_JOB)


def _is_valid(definition: dg.JobDefinition, config: dict[str, Any]) -> bool:
    try:
        dg.validate_run_config(definition, {"ops": {"decide": {"config": config}}})
    except dg.DagsterInvalidConfigError:
        return False
    return True


def test_a_month_is_chosen_as_a_partition(tmp_path: Path) -> None:
    partitions = job(tmp_path).partitions_def
    assert partitions is not None
    assert partitions.get_partition_keys() == ["2025-01", "2025-02"]


def test_actions_and_what_settings_name_are_chosen_from_lists(tmp_path: Path) -> None:
    with_names = job(tmp_path, preparers=("pat", "toy:kim"), approvers=("alex",))
    assert all(_is_valid(with_names, OWN | {"actor": name}) for name in ("pat", "kim", "alex"))
    assert not _is_valid(with_names, OWN | {"actor": "somebody"})
    assert not _is_valid(with_names, OWN | {"actor": "toy:kim"}), "who acts is Kim"
    assert not _is_valid(with_names, OWN | {"action": "sign"})
    assert all(_is_valid(with_names, OWN | {"action": each}) for each in ("prepare", "approve", "waive", "reopen"))
    assert not _is_valid(with_names, OWN | {"book": "nobody's"})


def test_the_launchpad_begins_with_an_example_that_signs_nothing(tmp_path: Path) -> None:
    definition = job(tmp_path, preparers=("pat",), approvers=("alex",))
    example = definition.get_run_config_for_partition_key("2025-01")
    assert example == {
        "ops": {"decide": {"config": {"book": "toy", "action": "prepare", "actor": "pat", "comment": "", "check": ""}}}
    }


@pytest.mark.parametrize("field", ["actor", "comment", "check", "action", "book"])
def test_no_field_reads_a_variable_of_the_server(tmp_path: Path, field: str) -> None:
    assert not _is_valid(job(tmp_path), OWN | {field: {"env": "HOME"}})
