"""The one place that turns checks into Dagster checks, and judgements into their results.

Belongs here: names, gates, metadata of check results. Does not belong here: what any check demands (each stream's
``checks``, ``close.judgements``).
"""

import warnings
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import dagster as dg
import pandas as pd

from revenue_integrity import confidential, output, wording
from revenue_integrity.computing.versions import judged_by
from revenue_integrity.model.check import SCHEMA_HOLDS, Check, Figure, Gate, Judgement, Standing
from revenue_integrity.model.table import Table
from revenue_integrity.orchestration import links
from revenue_integrity.settings import Settings

GATE_KEY = "gate"
"""Metadata key under which a check names its gate; the sign-off gate reads it from the definition, never from a run."""

JUDGED_BY = "judged_by"
"""Metadata key of the code and settings that a verdict rests on: of the definition what they are, of a result what they were."""

LARGEST = "largest"
"""Metadata key of the offenders."""

VALUE, LIMIT = "value", "limit"
"""Metadata keys of what a verdict hangs on and how far it may go, money in currency units."""

RUNBOOK = "runbook"
"""Metadata key of what to do about a check that fails."""

SEAL = "seal"
"""Metadata key of what makes a result ours (``seals``)."""

EXACT = "exact"
"""Metadata key of the figures that are no whole numbers, as exact text: Dagster plots floats, and a float is no money."""

SCHEMA_CHECK = SCHEMA_HOLDS.name
"""Name of the check that every table has: types, nulls, ranges, closed sets, unique key."""

_SEVERITY = {
    Gate.WRITE: dg.AssetCheckSeverity.ERROR,
    Gate.PUBLISH: dg.AssetCheckSeverity.ERROR,
    Gate.SIGN_OFF: dg.AssetCheckSeverity.ERROR,
    Gate.WARN: dg.AssetCheckSeverity.WARN,
}

_GATE_STOPS = {
    Gate.WRITE: "its failure leaves the table as it was and stops what is behind it",
    Gate.PUBLISH: "its failure keeps the old publication",
    Gate.SIGN_OFF: "its failure blocks sign-off",
    Gate.WARN: "a warning",
}


def spec(table: Table, check: Check | Standing, partitions: dg.PartitionsDefinition, judged: str = "") -> dg.AssetCheckSpec:
    """Return the spec of a check of a table, per month; ``judged`` is the hash of the code and settings that it rests on."""
    with warnings.catch_warnings():
        # Partitions on checks are a preview of the pinned Dagster; they were tried, and the pin is why that is enough.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            check.name,
            asset=dg.AssetKey(table.asset_key),
            description=f"{check.description} Gate: {check.gate.value} ({_GATE_STOPS[check.gate]}).",
            metadata={GATE_KEY: check.gate.value, **({JUDGED_BY: judged} if judged else {})},
            partitions_def=partitions,
        )


def specs_of(checks: Sequence[Check], partitions: dg.PartitionsDefinition, settings: Settings) -> list[dg.AssetCheckSpec]:
    """Return the specs of declared checks."""
    return [spec(each.table, each, partitions, judged_by(each, settings)) for each in checks]


def check_specs(
    table: Table, checks: Sequence[Check], partitions: dg.PartitionsDefinition, settings: Settings
) -> list[dg.AssetCheckSpec]:
    """Return the specs of all checks that an asset evaluates itself: its schema check and its own."""
    return [
        spec(table, SCHEMA_HOLDS, partitions),
        *specs_of(checks, partitions, settings),
    ]


def result_of(check: Check, judgement: Judgement, settings: Settings) -> dg.AssetCheckResult:
    """Return what Dagster records of a declared check's judgement."""
    found = result(check.table, check.name, check.gate, judgement, judged_by(check, settings))
    return found._replace(metadata={**found.metadata, **limits_metadata(check, judgement)})


def limits_metadata(check: Check, judgement: Judgement) -> dict[str, Any]:
    """Return value and limit of the first figure that is beyond it, or of the first there is; nothing where no figure says it."""
    held = [(each, pair) for each in check.limits if (pair := each.of(judgement.figures)) is not None]
    if not held:
        return {}
    beyond = [each for each in held if each[1][0] > each[1][1]]
    limit, (value, bound) = (beyond or held)[0]
    what = limit.figure.removesuffix("_cents")
    parts = 100 if what != limit.figure else 1
    return {
        VALUE: dg.MetadataValue.float(float(Decimal(value) / parts)),
        LIMIT: dg.MetadataValue.text(f"{wording.words(what)} {limit.holds} {Decimal(bound) / parts:,f}"),
    }


def result(table: Table, name: str, gate: Gate, judgement: Judgement, judged: str = "") -> dg.AssetCheckResult:
    """Return what Dagster records of a judgement: figures that plot over months, offenders as a table, the next step."""
    return dg.AssetCheckResult(
        passed=judgement.passed,
        asset_key=dg.AssetKey(table.asset_key),
        check_name=name,
        severity=_SEVERITY[gate],
        description=confidential.struck(judgement.next_step) or None,
        metadata=figures_metadata(judgement)
        | ({JUDGED_BY: judged} if judged else {})
        | ({} if judgement.passed else {RUNBOOK: links.of_runbook("a-check-fails")}),
    )


def figures_metadata(judgement: Judgement) -> dict[str, Any]:
    """Return the figures and offenders of a judgement as Dagster metadata."""
    metadata: dict[str, Any] = {name: _figure(value) for name, value in judgement.figures.items()}
    exact = {name: f"{value:f}" for name, value in judgement.figures.items() if isinstance(value, Decimal)}
    if exact:
        metadata[EXACT] = dg.MetadataValue.json(exact)
    if judgement.rows is not None and not judgement.rows.empty:
        metadata[LARGEST] = table_metadata(judgement.rows)
    return metadata


def _figure(value: Figure) -> Any:
    if isinstance(value, Decimal):
        # For the eye: the exact one stands beside it.
        return dg.MetadataValue.float(float(value))
    if value is None:
        return dg.MetadataValue.null()
    if isinstance(value, str):
        return confidential.struck(value)
    if isinstance(value, bool):
        return value
    return dg.MetadataValue.int(int(value))


def table_metadata(rows: pd.DataFrame) -> dg.TableMetadataValue:
    """Return a small frame as a table that the UI renders, with names that a person uses and money in currency units."""
    names = {str(name): wording.words(str(name).removesuffix("_cents")) for name in rows.columns}
    # Two columns must not fall together under one name, as a cause and its cents would.
    told = list(names.values())
    names = {name: f"{each} amount" if name.endswith("_cents") and told.count(each) > 1 else each for name, each in names.items()}
    records = [
        dg.TableRecord({names[name]: _shown(name, value) for name, value in row.items()}) for row in output.plain_rows(rows)
    ]
    return dg.TableMetadataValue(records, dg.TableSchema([dg.TableColumn(name, type="string") for name in names.values()]))


def _shown(name: str, value: Any) -> Any:
    if name.endswith("_cents") and isinstance(value, int):
        return wording.money(value)
    # What comes from data may hold what somebody pasted into it.
    return str(value) if isinstance(value, Decimal) else confidential.struck(value) if isinstance(value, str) else value
