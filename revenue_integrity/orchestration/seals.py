"""What makes a check's result ours: a seal that only this home's runs can make, over the verdict and what stands.

Belongs here: making and comparing seals. Does not belong here: reading results (``check_results``), what follows from them.

Anybody who reaches the UI, its API or the instance can report a result, in a run or without one. A result counts only with the
seal of this home, over what it says and over the fingerprint of the month that it was found on: reported from outside it has
none, copied to another month, check or content it has the wrong one.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import dagster as dg

from revenue_integrity import months
from revenue_integrity.canonical import canonical_json
from revenue_integrity.desk.sealing import have_key, key_of
from revenue_integrity.orchestration.check_factory import EXACT, JUDGED_BY, LARGEST, LIMIT, RUNBOOK, SEAL, VALUE
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import read_catalog

_NO_FIGURES = frozenset({EXACT, JUDGED_BY, LARGEST, VALUE, LIMIT, RUNBOOK, SEAL})
"""Metadata of a result that are no figures: for the eye, or about the verdict."""

Stands = Callable[[str, str], str]
"""Tells what stands of a table's month: its fingerprint, by qualified name and label of the month; empty for what has none."""


class Found(Protocol):
    """A result, whether it was just found or is read back."""

    @property
    def passed(self) -> bool:
        """The verdict."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was reported beside it."""
        ...

    @property
    def description(self) -> str | None:
        """What to do."""
        ...


def figures_of(found: Found) -> dict[str, Any]:
    """Return the figures of a result, plain; one that is no whole number as the exact text that stands beside it."""
    figures = {name: value.value for name, value in found.metadata.items() if name not in _NO_FIGURES}
    exact = found.metadata.get(EXACT)
    if isinstance(exact, dg.JsonMetadataValue) and isinstance(exact.value, dict):
        figures |= exact.value
    return figures


class Seals:
    """The seals of a home."""

    def __init__(self, key: bytes, stands: Stands) -> None:
        self._key = key
        self._stands = stands

    def of(self, key: dg.AssetKey, name: str, partition: str, found: Found) -> str:
        """Return the seal of a result of a check for a month, on what stands of its table now."""
        return self._made(key, name, partition, found, self._stands(".".join(key.path[1:]), partition))

    def is_ours(self, key: dg.AssetKey, name: str, partition: str, found: Found) -> bool:
        """Return whether a run of this home found a result, on whatever stood then."""
        seal = found.metadata.get(SEAL)
        stood, _, _ = str(seal.value).partition(":") if seal is not None else ("", "", "")
        return bool(self._key) and seal is not None and self._is(str(seal.value), key, name, partition, found, stood)

    def hold(self, key: dg.AssetKey, name: str, partition: str, found: Found) -> bool:
        """Return whether a run of this home found a result on exactly what stands now."""
        seal = found.metadata.get(SEAL)
        stands = self._stands(".".join(key.path[1:]), partition)
        return bool(self._key) and seal is not None and self._is(str(seal.value), key, name, partition, found, stands)

    def _is(self, seal: str, key: dg.AssetKey, name: str, partition: str, found: Found, stands: str) -> bool:
        return hmac.compare_digest(seal.encode(), self._made(key, name, partition, found, stands).encode())

    def _made(self, key: dg.AssetKey, name: str, partition: str, found: Found, stands: str) -> str:
        judged = found.metadata.get(JUDGED_BY)
        said = {
            "asset": list(key.path),
            "check": name,
            "month": partition,
            "passed": found.passed,
            "figures": json.loads(json.dumps(figures_of(found), default=str)),
            "next_step": found.description or "",
            "judged_by": judged.value if judged else "",
            "stands": stands,
        }
        return f"{stands}:{hmac.digest(self._key, canonical_json(said).encode(errors='surrogatepass'), 'sha256').hex()}"


def seals_of(settings: Settings) -> Seals:
    """Return the seals of a home, to compare with what is on record at this moment; without a key nothing holds."""
    known = read_catalog(settings)

    def stands(qualified: str, partition: str) -> str:
        record = known.partition(qualified, months.parse(partition))
        return record.fingerprint if record else ""

    return Seals(key_of(settings), stands)


def sealed(settings: Settings, partition: str, found: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """Return a result with the seal of the home, on what stands of its table's month now."""
    have_key(settings.dagster_path)
    if found.asset_key is None or found.check_name is None:
        raise ValueError("a result is sealed with the table and the check that it is of")
    seal = seals_of(settings).of(found.asset_key, found.check_name, partition, found)
    return found._replace(metadata={**found.metadata, SEAL: dg.MetadataValue.text(seal)})
