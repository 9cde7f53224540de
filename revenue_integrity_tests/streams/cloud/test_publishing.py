"""Publishing in parts: exactly the account-days that changed are written, and a crash leaves nothing half done."""

import contextlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from revenue_integrity import clock
from revenue_integrity.computing import publication
from revenue_integrity.computing.publication import is_published
from revenue_integrity.errors import PublishError
from revenue_integrity.model.signed import signed_table
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.schemas import ACCOUNT_SERVICE_DAY, CLOUD_RESTATEMENT, DAILY_ACCOUNT_COST
from revenue_integrity.warehouse import catalog, database, parts
from revenue_integrity.warehouse import publish as published
from revenue_integrity.warehouse.hashing import canonical_digests, empty_digest
from revenue_integrity.warehouse.storage import ensure_table
from revenue_integrity_tests.conftest import made_once
from revenue_integrity_tests.streams.cloud.publishing import COSTS, STREAM, fill, publish
from revenue_integrity_tests.support import APRIL, MARCH, hash_of, home_settings, python

DAYS = "daily_account_cost"

FIRST = datetime(2025, 4, 2, 8, tzinfo=UTC)
SECOND = datetime(2025, 4, 9, 8, tzinfo=UTC)


def publish_costs(costs: Mapping[tuple[str, str, str], str], home: Path) -> None:
    """Publish costs of March in a new home."""
    settings = home_settings(home)
    fill(settings, costs)
    with clock.held_at(FIRST):
        publish(settings)


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Settings:
    """Return the settings of a home in which March is published."""
    made = made_once(tmp_path_factory, "published_in_parts", partial(publish_costs, COSTS))
    # Times are copied too, so that no file looks new.
    return home_settings(shutil.copytree(made, tmp_path / "home"))


def day(settings: Settings, tenant: str, date: str) -> Path:
    """Return the file of a tenant's day."""
    return settings.published_path / DAYS / f"tenant={tenant}" / f"usage_date={date}" / "data.parquet"


def files(settings: Settings) -> dict[str, tuple[int, int, bytes]]:
    """Return inode, time and bytes of everything that is published."""
    place = settings.published_path
    return {
        file.relative_to(place).as_posix(): (file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes())
        for file in sorted(place.rglob("*"))
        if file.is_file()
    }


def costs(settings: Settings, **more: Any) -> dict[tuple[str, str, str], Decimal]:
    """Return what is published of each account-day."""
    rows = published.read_published(settings, DAYS, [MARCH], **more)
    return {(row.tenant_id, row.account_id, f"{row.usage_date:%Y-%m-%d}"): row.total_cost for row in rows.itertuples()}


def expected(changed: dict[tuple[str, str, str], str] | None = None) -> dict[tuple[str, str, str], Decimal]:
    """Return the costs that were put in."""
    return {name: Decimal(cost) for name, cost in (COSTS | (changed or {})).items()}


def is_there(settings: Settings, stream: Any = STREAM) -> bool:
    """Return whether March is published as the warehouse has it."""
    return is_published(settings, stream, MARCH, catalog.read_catalog(settings))


def test_each_tenant_and_day_has_a_file_of_its_own(settings: Settings) -> None:
    found = {name for name in files(settings) if name.startswith(DAYS) and name.endswith("data.parquet")}
    assert found == {
        f"{DAYS}/tenant={tenant}/usage_date={date}/data.parquet"
        for tenant, date in [
            ("ACME", "2025-03-01"), ("ACME", "2025-03-02"), ("ZETA", "2025-03-01"), ("ZETA", "2025-03-03"),
        ]
    }  # fmt: skip
    months = {name for name in files(settings) if name.startswith("cloud_month") and name.endswith("data.parquet")}
    assert months == {f"cloud_month/tenant={tenant}/month=2025-03/data.parquet" for tenant in ("ACME", "ZETA")}
    assert costs(settings) == expected()
    facts = json.loads(pq.read_schema(day(settings, "ACME", "2025-03-01")).metadata[b"revenue_integrity"])
    assert (facts["slice"], facts["row_count"]) == ("tenant=ACME/usage_date=2025-03-01", 2)
    assert pq.read_table(day(settings, "ACME", "2025-03-01"), partitioning=None)["tenant_id"].to_pylist() == ["ACME", "ACME"]
    assert is_there(settings)


def test_close_json_and_the_manifests_name_the_parts(settings: Settings) -> None:
    parts = published.closed_parts(settings, "cloud", MARCH)
    manifest = json.loads((settings.published_path / DAYS / "tenant=ZETA" / "manifest-2025-03.json").read_text())
    assert [(part["slice"], part["row_count"]) for part in manifest["parts"]] == [
        ("usage_date=2025-03-01", 1), ("usage_date=2025-03-03", 1),
    ]  # fmt: skip
    assert (manifest["row_count"], manifest["published_at"]) == (2, "2025-04-02T08:00:00.000000Z")
    for part in manifest["parts"]:
        name = f"tenant=ZETA/{part['slice']}"
        assert parts[DAYS].hashes[name] == part["content_hash"]
        file = settings.published_path / DAYS / name / "data.parquet"
        assert hash_of(DAILY_ACCOUNT_COST, file) == part["content_hash"]
    assert set(parts[DAYS].slices) == {"2025-03-01", "2025-03-02", "2025-03-03"}
    assert "ACME" not in json.dumps(manifest)


def test_publishing_again_touches_nothing(settings: Settings) -> None:
    before = files(settings)
    with clock.held_at(SECOND):
        assert publish(settings)[1] == 0
    assert files(settings) == before


def test_only_the_day_that_changed_is_written_and_only_its_rows_get_a_new_date(settings: Settings) -> None:
    before = files(settings)
    changed = {("ACME", "A-1", "2025-03-01"): "11"}
    fill(settings, COSTS | changed)
    assert not is_there(settings)
    with clock.held_at(SECOND):
        publish(settings)
    after = files(settings)
    differing = {name for name in after if after[name] != before.get(name)}
    assert differing == {
        f"{DAYS}/tenant=ACME/usage_date=2025-03-01/data.parquet",
        f"{DAYS}/tenant=ACME/manifest-2025-03.json",
        "account_service_day/tenant=ACME/usage_date=2025-03-01/data.parquet",
        "account_service_day/tenant=ACME/manifest-2025-03.json",
        "cloud_month/tenant=ACME/month=2025-03/data.parquet",
        "cloud_month/tenant=ACME/manifest-2025-03.json",
        "_close/cloud/month=2025-03/close.json",
    }
    assert set(after) == set(before)
    assert costs(settings) == expected(changed)
    rows = published.read_published(settings, DAYS, [MARCH])
    dates = {(row.tenant_id, row.account_id, f"{row.usage_date:%d}"): row.published_at for row in rows.itertuples()}
    assert dates.pop(("ACME", "A-1", "01")) == SECOND
    assert set(dates.values()) == {FIRST}
    assert is_there(settings)


def test_a_day_without_rows_and_a_tenant_without_days_are_removed(settings: Settings) -> None:
    left = {name: cost for name, cost in COSTS.items() if name[0] == "ACME" and name[2] == "2025-03-02"}
    fill(settings, left)
    publish(settings)
    assert costs(settings) == {name: Decimal(cost) for name, cost in left.items()}
    assert [path.name for path in (settings.published_path / DAYS).iterdir() if path.is_dir()] == ["tenant=ACME"]
    assert not day(settings, "ACME", "2025-03-01").parent.exists()
    assert is_there(settings)


def test_a_month_without_rows_is_read_as_no_rows_with_their_columns(settings: Settings) -> None:
    fill(settings, {})
    publish(settings)
    together = published.read_together(settings, "cloud", MARCH, [DAYS])[DAYS]
    assert (len(together), list(together)) == (0, DAILY_ACCOUNT_COST.columns)
    assert len(published.read_published(settings, DAYS, [MARCH])) == 0
    with pytest.raises(PublishError, match="nothing of 'daily_account_cost' is published for these months"):
        published.read_published(settings, DAYS, [APRIL])


def test_months_of_a_tenant_are_apart(settings: Settings) -> None:
    fill(settings, {("ACME", "A-1", "2025-04-01"): "5"}, APRIL)
    before = files(settings)
    publish(settings, month=APRIL)
    assert {name: held for name, held in files(settings).items() if name in before} == before
    assert costs(settings) == expected()
    assert published.read_published(settings, DAYS, [APRIL])["total_cost"].tolist() == [Decimal(5)]
    assert len(published.read_published(settings, DAYS, None)) == len(COSTS) + 1


def test_a_part_that_is_not_the_one_of_close_json_is_refused_and_repaired(settings: Settings) -> None:
    good = day(settings, "ZETA", "2025-03-01").read_bytes()
    day(settings, "ZETA", "2025-03-01").write_bytes(day(settings, "ACME", "2025-03-01").read_bytes())
    with pytest.raises(PublishError, match="daily_account_cost 2025-03 is not the one that belongs"):
        published.read_together(settings, "cloud", MARCH, [DAYS])
    with pytest.raises(PublishError, match="missing, or another stands in its place"):
        published.read_published(settings, DAYS, [MARCH], tenant="ZETA")
    with clock.held_at(FIRST):
        publish(settings)
    assert day(settings, "ZETA", "2025-03-01").read_bytes() == good
    day(settings, "ZETA", "2025-03-01").unlink()
    with pytest.raises(PublishError, match="missing"):
        costs(settings)
    publish(settings)
    assert costs(settings) == expected()


def test_a_manifest_that_is_gone_or_torn_is_made_again_and_stops_no_reader(settings: Settings) -> None:
    manifest = settings.published_path / DAYS / "tenant=ACME" / "manifest-2025-03.json"
    for damage in (lambda: manifest.unlink(), lambda: manifest.write_text("{")):
        damage()
        assert costs(settings) == expected()
        publish(settings)
        assert len(json.loads(manifest.read_text())["parts"]) == 2


CRASH = """
import os, pathlib
from revenue_integrity.warehouse import {module} as attacked
from revenue_integrity_tests.streams.cloud.publishing import COSTS, fill, publish
from revenue_integrity_tests.support import home_settings
settings = home_settings(pathlib.Path({home!r}))
real, calls = attacked.{name}, [0]
def dying(*arguments, **named):
    calls[0] += 1
    if calls[0] > {after}:
        os._exit(9)
    return real(*arguments, **named)
attacked.{name} = dying
publish(settings)
"""

RENAMES = """
import os, pathlib
from revenue_integrity_tests.streams.cloud.publishing import publish
from revenue_integrity_tests.support import home_settings
real, calls = pathlib.Path.replace, [0]
def dying(self, target):
    if str(target).endswith("data.parquet"):
        calls[0] += 1
        if calls[0] > {after}:
            os._exit(9)
    return real(self, target)
pathlib.Path.replace = dying
publish(home_settings(pathlib.Path({home!r})))
"""

CHANGED = {
    ("ACME", "A-1", "2025-03-01"): "11",
    ("ACME", "A-1", "2025-03-02"): "4",
    ("ZETA", "Z-1", "2025-03-02"): "1",
}
"""A new state in which two days change, one comes and one goes (see ``new_state``)."""


def new_state() -> dict[tuple[str, str, str], str]:
    """Return costs after the change."""
    return {name: cost for name, cost in (dict(COSTS) | CHANGED).items() if name != ("ZETA", "Z-1", "2025-03-03")}


def die(settings: Settings, code: str, **values: Any) -> None:
    """Publish in a process that is killed on its way."""
    done = python(code.format(home=str(settings.home), **values))
    assert done.returncode == 9, done.stderr


@pytest.mark.parametrize(
    ("code", "values"),
    [
        (RENAMES, {"after": 0}),
        (RENAMES, {"after": 2}),
        (RENAMES, {"after": 4}),
        (CRASH, {"module": "parts", "name": "write_rows", "after": 1}),
        (CRASH, {"module": "parts", "name": "write_manifest", "after": 1}),
        (CRASH, {"module": "publish", "name": "close_month", "after": 0}),
        (CRASH, {"module": "publish", "name": "close_month", "after": 1}),
    ],
)
def test_killed_anywhere_readers_see_whole_days_and_the_next_run_repairs(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, code: str, values: dict[str, Any]
) -> None:
    wanted = {name: Decimal(cost) for name, cost in new_state().items()}
    fill(settings, new_state())
    die(settings, code, **values)
    for name, cost in costs(settings).items():
        assert cost in (expected().get(name), wanted.get(name)), "each day is an old one or a new one"
    with contextlib.suppress(PublishError):
        together = published.read_together(settings, "cloud", MARCH, [DAYS])[DAYS]
        assert together["total_cost"].sum() in (sum(expected().values()), sum(wanted.values()))
    assert not is_there(settings)
    with clock.held_at(SECOND):
        publish(settings)
    assert costs(settings) == wanted
    assert is_there(settings)
    undisturbed = home_settings(made_once(tmp_path_factory, "published_undisturbed", partial(publish_costs, new_state())))
    assert set(files(settings)) == set(files(undisturbed)), "nothing is left over"
    closed = [published.closed_parts(home, "cloud", MARCH) for home in (settings, undisturbed)]
    assert closed[0] == closed[1]


DISK_FULL = """
import pathlib
from revenue_integrity.errors import PublishError
from revenue_integrity.warehouse import parts
from revenue_integrity_tests.streams.cloud.publishing import publish
from revenue_integrity_tests.support import home_settings
real, calls = parts.write_rows, [0]
def full(file, rows, facts):
    calls[0] += 1
    if calls[0] == {at}:
        raise OSError(28, "No space left on device")
    real(file, rows, facts)
parts.write_rows = full
try:
    publish(home_settings(pathlib.Path({home!r})))
except PublishError as error:
    print(error)
"""


def test_a_full_disk_leaves_every_old_file_of_the_dataset(settings: Settings) -> None:
    before = {name: held for name, held in files(settings).items() if name.startswith((DAYS, "_close"))}
    fill(settings, new_state())
    # Three days of account_service_day, two months of cloud_month and one day are written before the disk is full.
    done = python(DISK_FULL.format(at=7, home=str(settings.home)))
    assert done.stdout.startswith("daily_account_cost 2025-03 cannot be published: No space left on device. Make room"), done
    assert {name: held for name, held in files(settings).items() if name.startswith((DAYS, "_close"))} == before
    assert costs(settings) == expected()


def test_hooks_run_around_the_publication_and_a_ledger_is_published_with_it(settings: Settings) -> None:
    said: list[str] = []

    def before(connection: Any, given: Settings, month: Any) -> None:
        said.append("before")
        ensure_table(connection, CLOUD_RESTATEMENT)
        connection.execute("delete from mart.cloud_restatement")
        connection.execute(
            "insert into mart.cloud_restatement by name select date '2025-03-01' as month, date '2025-03-01' as usage_date,"
            " 2 as publication, 'ACME' as tenant_id, 'A-1' as account_id, 1 as step, 10.25 as old_cost, 11 as new_cost,"
            " 0.75 as delta, 'correction' as cause, 'cloud/billing_events/20250401T000000Z' as batch_id, 1 as rows"
        )

    def after(connection: Any, given: Settings, month: Any) -> None:
        said.append("after" if costs(given) == expected(changed) else "after nothing")
        if len(said) == 2:
            raise KeyboardInterrupt

    changed = {("ACME", "A-1", "2025-03-01"): "11"}
    stream = replace(STREAM, ledgers=(CLOUD_RESTATEMENT,), before_publish=before, after_publish=after)
    fill(settings, COSTS | changed)
    with pytest.raises(KeyboardInterrupt):
        publish(settings, stream)
    assert not is_there(settings, stream), "what comes after the publication is still due"
    publish(settings, stream)
    assert said == ["before", "after", "before", "after"]
    assert is_there(settings, stream)
    ledger = published.read_published(settings, "cloud_restatement", [MARCH], tenant="ACME")
    assert ledger["delta"].tolist() == [Decimal("0.75")]
    assert "cloud_restatement" in published.closed_hashes(settings, "cloud", MARCH)
    assert len(published.read_published(settings, "cloud_restatement", [MARCH], tenant="ZETA")) == 0


def test_a_ledger_that_nothing_was_written_to_is_published_without_rows(settings: Settings) -> None:
    stream = replace(STREAM, ledgers=(CLOUD_RESTATEMENT,))
    publish(settings, stream)
    assert len(published.read_together(settings, "cloud", MARCH, ["cloud_restatement"])["cloud_restatement"]) == 0


def test_ninety_days_of_three_tenants_are_published_and_nothing_the_second_time(tmp_path: Path) -> None:
    made = home_settings(tmp_path)
    many = {(tenant, f"A-{n}", f"2025-03-{date:02}"): "1.5" for tenant in "XYZ" for n in range(20) for date in range(1, 31)}
    fill(made, many)
    publish(made)
    assert len(costs(made)) == 1800
    before = files(made)
    assert len([name for name in before if name.startswith(f"{DAYS}/") and name.endswith("data.parquet")]) == 90
    publish(made)
    assert files(made) == before


_DAY = re.compile(r"date '(.{10})'")
"""A day in SQL."""


def test_what_is_signed_of_a_day_is_hashed_anew_only_if_the_day_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = replace(STREAM, signed=(signed_table(ACCOUNT_SERVICE_DAY, "total_cost"),))
    hashed: list[str] = []

    def digests(connection: Any, table: Any, rows: str, by: Any, **given: Any) -> Any:
        hashed.extend(_DAY.findall(rows))
        return canonical_digests(connection, table, rows, by, **given)

    monkeypatch.setattr(publication, "canonical_digests", digests)
    changing, fresh = home_settings(tmp_path / "changing"), home_settings(tmp_path / "fresh")
    fill(changing, COSTS)
    publish(changing, stream)
    assert hashed == ["2025-03-01", "2025-03-02", "2025-03-03"]
    before = published.signed_digests(changing, "cloud", MARCH)
    hashed.clear()
    fill(changing, dict(COSTS) | {("ACME", "A-1", "2025-03-02"): "4"})
    publish(changing, stream)
    assert hashed == ["2025-03-02"]
    after = published.signed_digests(changing, "cloud", MARCH)
    assert after != before
    fill(fresh, dict(COSTS) | {("ACME", "A-1", "2025-03-02"): "4"})
    publish(fresh, stream)
    assert published.signed_digests(fresh, "cloud", MARCH) == after
    # Other columns are signed: nothing that was hashed before is of use.
    hashed.clear()
    publish(changing, replace(stream, signed=(signed_table(ACCOUNT_SERVICE_DAY, "effective_cost"),)))
    assert hashed == ["2025-03-01", "2025-03-02", "2025-03-03"]
    assert published.signed_digests(changing, "cloud", MARCH) != after


@pytest.mark.parametrize(
    ("what_is_on_record", "hashed"),
    [
        ("update meta.parts set row_count = row_count", set()),
        ("delete from meta.parts where slice = '2025-03-01'", {"2025-03-01"}),
        ("delete from meta.parts where slice = '2025-03-01' and tenant_id = 'ZETA'", {"2025-03-01"}),
        ("update meta.parts set content_hash = 'of another write' where slice = '2025-03-03'", {"2025-03-03"}),
        ("drop table meta.parts", {"2025-03-01", "2025-03-02", "2025-03-03"}),
    ],
)
def test_parts_are_hashed_again_only_where_what_is_on_record_does_not_make_up_the_slice(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what_is_on_record: str, hashed: set[str]
) -> None:
    found: set[str] = set()

    def digests(connection: Any, table: Any, rows: str, by: Any, **given: Any) -> Any:
        found.update(_DAY.findall(rows))
        return canonical_digests(connection, table, rows, by, **given)

    monkeypatch.setattr(parts, "canonical_digests", digests)
    other = home_settings(tmp_path / "other")
    fill(other, COSTS)
    with database.connect(other) as connection:
        connection.execute(what_is_on_record)
    with clock.held_at(FIRST):
        publish(other)
    assert found == hashed
    assert {name: content for name, (_, _, content) in files(other).items()} == {
        name: content for name, (_, _, content) in files(settings).items()
    }


def test_a_month_without_rows_is_signed_as_nothing(tmp_path: Path) -> None:
    signed = signed_table(ACCOUNT_SERVICE_DAY, "total_cost")
    settings = home_settings(tmp_path)
    fill(settings, {})
    publish(settings, replace(STREAM, signed=(signed,)))
    assert published.signed_digests(settings, "cloud", MARCH) == {"account_service_day": empty_digest(signed.projection)}
