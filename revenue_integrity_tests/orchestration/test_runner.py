"""Running months in a real Dagster instance: what is computed, what is not, and what a run leaves behind."""

import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from revenue_integrity.computing import ingestion
from revenue_integrity.errors import UsageError
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.check_results import CheckRecord, results_of_month
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.runner import RunSummary
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import PartitionRecord, read_catalog
from revenue_integrity_tests.support import APRIL


def run(settings: Settings, **more: object) -> RunSummary:
    """Run all months of a home."""
    return runner.run(deployment_of(settings), settings.months, say=lambda _: None, **more)  # type: ignore[arg-type]  # passed through


def checks(settings: Settings, month: str = "2025-04") -> dict[tuple[str, str], CheckRecord]:
    """Return the latest results of a month by table and name."""
    graph = build_definitions(deployment_of(settings)).resolve_asset_graph()
    # The golden home knows one stream; what has never delivered is not run.
    keys = sorted(key for key in graph.asset_check_keys if key.asset_key.path[0] == COLOCATION.name)
    specs = [graph.get_check_spec(key) for key in keys]
    with open_instance(settings) as instance:
        return {(each.table, each.name): each for each in results_of_month(instance, specs, month)}


def records(settings: Settings) -> dict[str, PartitionRecord]:
    """Return all records of partitions."""
    return dict(read_catalog(settings).partitions)


def hashes(settings: Settings) -> dict[str, str]:
    """Return what every partition holds."""
    return {name: record.content_hash for name, record in records(settings).items()}


def published_bytes(settings: Settings) -> dict[str, str]:
    """Return a digest of every published file of a month, except the checks' results: they are published whatever they say."""
    files = sorted(settings.published_path.glob("*/month=*/data.parquet"))
    digests = {str(file.relative_to(settings.published_path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return {name: digest for name, digest in digests.items() if not name.startswith("checks/")}


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_every_table_is_materialized_recorded_and_published(golden_home: Settings) -> None:
    rules = COLOCATION.rules
    assert {f"{rule.table.qualified}@2025-04" for rule in rules} <= set(records(golden_home))
    closed = publish.closed_hashes(golden_home, "colocation", APRIL)
    assert closed == {rule.table.name: hashes(golden_home)[f"{rule.table.qualified}@2025-04"] for rule in rules}
    assert publish.read_together(golden_home, "colocation", APRIL, closed).keys() == closed.keys()


def test_every_table_on_record_in_dagster_has_its_rows_and_its_hash(golden_home: Settings) -> None:
    known = records(golden_home)
    with open_instance(golden_home) as instance:
        for rule in COLOCATION.rules:
            event = instance.get_latest_materialization_event(dg.AssetKey(rule.table.asset_key))
            assert event is not None
            assert event.asset_materialization is not None
            assert event.asset_materialization.partition == "2025-04"
            told = {name: value.value for name, value in event.asset_materialization.metadata.items()}
            record = known[f"{rule.table.qualified}@2025-04"]
            assert told["dagster/partition_row_count"] == record.rows
            assert told["content_hash"] == record.content_hash
            assert (event.asset_materialization.tags or {})["dagster/data_version"] == record.content_hash


def test_every_check_is_recorded_for_the_month_and_for_no_other(golden_home: Settings) -> None:
    found = checks(golden_home)
    stands = {name: each.state for name, each in found.items() if each.state not in ("passed", "failed")}
    assert stands == {}
    assert all(each.holds for each in found.values() if each.gate in ("write", "publish"))
    assert found["batches", "rows_are_conserved"].figures["rows_quarantined"] == 0
    assert {each.state for each in checks(golden_home, "2025-03").values()} == {"missing"}


def test_a_second_run_starts_nothing_and_changes_no_hash(golden_home: Settings) -> None:
    before, files = records(golden_home), published_bytes(golden_home)
    summary = run(golden_home)
    assert (summary.runs, summary.failures) == (0, [])
    assert summary.sentence == "Nothing is stale; nothing was recomputed."
    assert (records(golden_home), published_bytes(golden_home)) == (before, files)


def test_all_computes_nothing_that_is_unchanged_but_judges_again(golden_home: Settings) -> None:
    before, files = records(golden_home), published_bytes(golden_home)
    with open_instance(golden_home) as instance:
        events = instance.get_latest_materialization_event(dg.AssetKey(["colocation", "mart", "contract_month"]))
    summary = run(golden_home, everything=True)
    assert summary.runs > 0
    assert summary.failures == []
    own = {name: record for name, record in records(golden_home).items() if not name.startswith("raw.")}
    assert own == {name: record for name, record in before.items() if not name.startswith("raw.")}, "computed_at included"
    assert published_bytes(golden_home) == files
    with open_instance(golden_home) as instance:
        again = instance.get_latest_materialization_event(dg.AssetKey(["colocation", "mart", "contract_month"]))
    assert events is not None
    assert again is not None
    assert again.asset_materialization is not None
    assert again.timestamp > events.timestamp
    assert again.asset_materialization.metadata["state"].value == "unchanged"
    assert all(each.holds for each in checks(golden_home).values() if each.gate in ("write", "publish"))


def test_a_setting_touches_only_what_rests_on_it(golden_home: Settings) -> None:
    before = records(golden_home)
    changed = golden_home.model_copy(update={"risk_aversion": Decimal("0.9")})
    assert run(changed).failures == []
    after = records(changed)
    recomputed = {name.split("@")[0] for name in before if after[name].computed_at != before[name].computed_at}
    resting = {rule.table.qualified for rule in COLOCATION.rules if "risk_aversion" in rule.settings}
    assert "mart.contract_risk" in resting
    behind = {
        rule.table.qualified
        for rule in COLOCATION.rules
        for reads in rule.reads
        if reads.qualified in resting and reads.qualified != rule.table.qualified
    }
    assert resting <= {name for name in recomputed if not name.startswith("raw.")} <= resting | behind
    assert run(changed).runs == 0


def test_equal_results_stop_the_cascade(golden_home: Settings) -> None:
    before = records(golden_home)
    # No reading of the golden case is suspect, with seven readings before it or eight: the same meter_daily comes out again.
    changed = golden_home.model_copy(update={"suspect_min_readings": 8})
    assert run(changed).failures == []
    after = records(changed)
    recomputed = {name for name in before if after[name].computed_at != before[name].computed_at and not name.startswith("raw.")}
    resting = {f"{rule.table.qualified}@2025-04" for rule in COLOCATION.rules if "suspect_min_readings" in rule.settings}
    assert "curated.meter_daily@2025-04" in recomputed
    assert "mart.contract_usage@2025-04" in before, "it stands behind meter_daily"
    assert recomputed == resting
    assert after["curated.meter_daily@2025-04"].content_hash == before["curated.meter_daily@2025-04"].content_hash


def test_a_selection_is_all_that_runs(golden_home: Settings) -> None:
    before = records(golden_home)
    changed = golden_home.model_copy(update={"late_after_days": 9})
    summary = run(changed, select='key:"colocation/curated/meter_daily"')
    assert (summary.runs, summary.failures) == (1, [])
    after = records(changed)
    assert [name for name in before if after[name].computed_at != before[name].computed_at] == ["curated.meter_daily@2025-04"]


def test_a_selection_within_a_stream_names_its_assets_alone(golden_home: Settings) -> None:
    before = records(golden_home)
    with pytest.raises(UsageError, match="names no asset"):
        run(golden_home, stream="cloud", select='key:"colocation/curated/meter_daily"')
    assert records(golden_home) == before
    summary = run(golden_home, stream="colocation", select='key:"colocation/curated/meter_daily"')
    assert (summary.runs, summary.failures) == (1, [])


def test_months_run_from_the_ui_and_from_the_command_meet_in_one_instance(golden_home: Settings) -> None:
    with open_instance(golden_home) as instance:
        runs = instance.get_runs()
        assert {each.job_name for each in runs} == {"month"}
        assert {each.status for each in runs} == {dg.DagsterRunStatus.SUCCESS}
        assert {each.tags["dagster/partition"] for each in runs} == {"2025-04"}
        assert all(each.tags["revenue_integrity/why"] for each in runs)


def test_late_data_touch_exactly_their_month(golden_home: Settings) -> None:
    wide = golden_home.model_copy(update={"first_month": date(2025, 3, 1), "last_month": date(2025, 5, 1)})
    wide = type(wide)(**wide.model_dump(include=wide.model_fields_set))
    assert run(wide).failures == []
    before, files = records(wide), published_bytes(wide)
    # A control total of May touches nothing but May: no rule of another month reads it.
    batch = wide.landing_path / "colocation" / "erp_control_totals" / "20250605T000000Z"
    batch.mkdir(parents=True)
    (batch / "totals.csv").write_text(
        "service_month,extracted_at,lines,amount\n2025-05,2025-06-04T00:00:00Z,0,0\n", encoding="utf-8"
    )
    # A late invoice line of March touches March, and later months only where a rule looks back.
    late = wide.landing_path / "colocation" / "erp_invoices" / "20250706T000000Z"
    late.mkdir(parents=True)
    (late / "late.csv").write_text(
        "document_id,line_no,document_type,erp_customer_code,erp_contract_ref,service_month,charge_type,quantity,unit_price,"
        "amount,currency,invoice_date,posted_at,corrects_document_id\n"
        "LATE-1,1,invoice,E1,R-A,2025-03,rack,1,10,10.00,USD,2025-07-01,2025-07-02T00:00:00Z,\n",
        encoding="utf-8",
    )
    summary = run(wide)
    assert summary.failures == []
    after = records(wide)
    new = {name for name in after if name not in before or after[name].content_hash != before[name].content_hash}
    assert {name for name in new if name.startswith(("curated.", "mart."))} == {"curated.invoice_lines@2025-03"}
    changed = {name for name, digest in published_bytes(wide).items() if files.get(name) != digest}
    assert {name for name in changed if not name.startswith(("recon", "close"))} == {"invoice_lines/month=2025-03/data.parquet"}
    assert run(wide).runs == 0


def test_batches_that_cannot_be_read_are_tried_once_a_command(golden_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run(golden_home)
    before = published_bytes(golden_home)
    source = golden_home.landing_path / "colocation" / "erp_invoices"
    latest = max(source.iterdir())
    late = source / "20250620T000000Z"
    late.mkdir()
    for file in latest.iterdir():
        late.joinpath(file.name).write_bytes(file.read_bytes())
    tried = []

    def full(*_: object, **__: object) -> None:
        tried.append("read")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as faulty:
        faulty.setattr(ingestion.landing, "ingest", full)
        failed = run(golden_home, everything=True)
    assert len(tried) == 1
    assert len(failed.failures) == 1
    assert "No space left on device" in failed.failures[0]
    assert published_bytes(golden_home) == before
    assert late.relative_to(golden_home.landing_path).as_posix() in ingestion.pending(golden_home, COLOCATION)
    assert run(golden_home).failures == []
    assert ingestion.pending(golden_home, COLOCATION) == []


def test_a_killed_run_of_months_that_were_not_stale_is_done_again(golden_home: Settings) -> None:
    import signal
    import subprocess
    import sys
    import time

    import dagster as dg

    from revenue_integrity_tests.support import environment_of

    code = "from revenue_integrity.cli.program import main; main(['run', '--all'])"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment_of(golden_home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as command:
        with dg.DagsterInstance.from_config(str(golden_home.dagster_path)) as instance:
            at_work = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
            while not instance.get_runs(at_work):
                assert command.poll() is None
                time.sleep(0.02)
        command.send_signal(signal.SIGKILL)
    # Nothing that was written differs, but what its checks would say is unknown.
    summary = runner.run(deployment_of(golden_home), golden_home.months, say=lambda _: None)
    assert (summary.failures, summary.months) == ([], set(golden_home.months))
    assert runner.run(deployment_of(golden_home), golden_home.months, say=lambda _: None).runs == 0
