"""What is published of a day that is incomplete: the day with its flag; where the deployment holds days back, nothing until then.

All figures that leave the warehouse then speak of the same days, and nothing that came is lost: what is held back is told.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.computing.table_month import WarehouseReader
from revenue_integrity.errors import SettingsError
from revenue_integrity.model.check import Gate, Judgement
from revenue_integrity.streams.cloud import restatement
from revenue_integrity.streams.cloud.checks import CHECKS
from revenue_integrity.streams.registry import load_settings
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.landing.support import csv_text
from revenue_integrity_tests.streams.cloud import world as landed
from revenue_integrity_tests.streams.cloud.support import DAILY, SERVICES, Cloud, charge, csv_bytes, event
from revenue_integrity_tests.support import MARCH, home_of
from revenue_integrity_tests.without_dagster import bring_up_to_date, judged

AT_END, AT_CUTOFF, LATER, LATEST = "20250306T000000Z", "20250306T120000Z", "20250308T000000Z", "20250309T000000Z"

BOTH: dict[str, Any] = {
    "expected_sources": {"T-1": ["billing_events", "focus"]},
    "tenant_of_billing_account": {"B-1": "T-1"},
    "cloud_incomplete_days": "hold",
}
"""T-1 waits for its events and its charges."""


class Published(Cloud):
    """A home whose costs are computed and published after each delivery."""

    def publish(self, **changed: object) -> "Published":
        """Bring it up to date, after changing settings."""
        self.settings = self.settings.model_copy(update=changed)
        self.run()
        restatement.before_publish(self.connection, self.settings, MARCH)
        restatement.after_publish(self.connection, self.settings, MARCH)
        return self

    def take_back(self, arrival: str, batch_id: str) -> "Published":
        """Take a batch back."""
        row = {"batch_id": batch_id, "reason": "wrong", "withdrawn_by": "pat"}
        self.put("withdrawals", arrival, csv_bytes([row]))
        return self.publish()

    def of_day(self, day: str = "2025-03-05") -> Mapping[str, Decimal]:
        """Return what is published of a day, by tenant."""
        return dict(
            self.rows(f"select tenant_id, sum(total_cost) from {DAILY} where usage_date = '{day}' group by all order by all")
        )

    def ledger(self) -> list[tuple[Any, ...]]:
        """Return the restatements: tenant, old and new cost, cause, batch."""
        return self.rows(
            "select tenant_id, old_cost::int, new_cost::int, cause, batch_id from mart.cloud_restatement"
            " order by usage_date, publication, tenant_id, account_id, step"
        )

    def judge(self, name: str) -> Judgement:
        """Return what a check of March says."""
        (check,) = (check for check in CHECKS if check.name == name)
        return check.judge(WarehouseReader(self.connection), MARCH, self.settings)

    def stands(self) -> bool:
        """Return whether stages agree and nothing is lost."""
        return all(self.judge(name).passed for name in ("stages_agree", "events_are_conserved", "delivered_days_are_not_empty"))


def test_a_day_is_published_once_it_is_complete_and_never_before(tmp_path: Path) -> None:
    home = landed.World(tmp_path, cloud_incomplete_days="hold")

    def deliver(arrival: str, *events: Mapping[str, str]) -> None:
        home.put("billing_events", arrival, "data.csv", csv_text(events))
        bring_up_to_date(home_of(home.settings))

    def published(dataset: str, *columns: str) -> list[tuple[Any, ...]]:
        rows = publish.read_published(home.settings, dataset, [MARCH])[list(columns)]
        return sorted(tuple(each.day if hasattr(each, "day") else each for each in row) for row in rows.itertuples(index=False))

    deliver(AT_END, event("E", 10, region="eu"), event("F", 4, "2025-03-04"))
    # The cutoff of the 4th has passed, that of the 5th has not.
    assert published("daily_account_cost", "usage_date", "total_cost", "data_complete") == [(4, 4, True)]
    assert published("account_service_day", "usage_date", "total_cost") == [(4, 4)]
    assert {cost for (cost,) in published("cloud_cost_by", "total_cost")} == {4}
    assert published("cloud_month", "total_cost", "days") == [(4, 1)]
    assert published("cloud_days", "usage_date", "complete", "events") == [(4, True, 1), (5, False, 1)], "nothing is lost"
    signed = publish.signed_digests(home.settings, "cloud", MARCH)
    checks = {each.name: each for each in judged(home_of(home.settings).streams.named("cloud"), MARCH, home.settings)}
    failed = {name for name, each in checks.items() if each.state == "failed" and each.gate is not Gate.WARN}
    assert failed == {"no_day_is_held_back"}, "it can be read, and is not signed unawares"
    assert checks["no_day_is_held_back"].figures["cost_held_back"] == "10.000000000000000000"
    assert checks["days_are_complete"].figures["incomplete_days"] == 1
    # Another day's delivery shows that the cutoff of the 5th has passed.
    deliver(AT_CUTOFF, event("G", 1, "2025-03-06"))
    assert published("daily_account_cost", "usage_date", "total_cost") == [(4, 4), (5, 10)]
    assert published("cloud_month", "total_cost", "days") == [(14, 2)]
    assert published("cloud_restatement", "delta") == [], "what was held back was never published, and is not restated"
    assert publish.signed_digests(home.settings, "cloud", MARCH)["daily_account_cost"] != signed["daily_account_cost"]


def test_flag_publishes_it_as_incomplete(tmp_path: Path) -> None:
    home = Published(tmp_path, cloud_incomplete_days="flag")
    home.events(AT_END, event("E", 10), event("F", 4, "2025-03-04")).publish()
    flagged = home.rows(f"select day(usage_date), data_complete from {DAILY} order by all")
    assert flagged == [(4, True), (5, False)]
    assert home.judge("no_day_is_held_back").passed
    home.publish(cloud_incomplete_days="hold")
    assert home.rows(f"select day(usage_date), data_complete from {DAILY} order by all") == [(4, True)]
    arrived = f"cloud/billing_events/{AT_END}"
    assert home.ledger() == [("T-1", 10, 0, "omission", arrived)], "it was published"
    home.publish(cloud_incomplete_days="flag")
    assert home.ledger()[1:] == [("T-1", 0, 10, "late", arrived)]
    assert home.rows(f"select day(usage_date), data_complete from {DAILY} order by all") == flagged


def test_what_is_held_back_of_one_tenant_is_none_of_another(tmp_path: Path) -> None:
    home = Published(tmp_path, **BOTH)
    home.events(LATER, event("E", 10), event("E", 20, tenant_id="T-2")).publish()
    assert (home.of_day(), home.stands()) == ({"T-2": 20}, True)
    home.focus(LATEST, charge(3)).publish()
    assert (home.of_day(), home.ledger(), home.stands()) == ({"T-1": 13, "T-2": 20}, [], True)
    home.events("20250310T000000Z", event("N", 1), event("N", 1, tenant_id="T-2")).publish()
    late = "cloud/billing_events/20250310T000000Z"
    assert home.ledger() == [("T-1", 13, 14, "late", late), ("T-2", 20, 21, "late", late)]


@pytest.mark.parametrize("ingested_at", ["2025-03-09T01:00:00Z", "2025-03-05T01:00:00Z"])
def test_a_day_that_was_complete_stays_as_it_was_until_it_is_again(tmp_path: Path, ingested_at: str) -> None:
    home = Published(tmp_path, **BOTH)
    home.focus(AT_END, charge(3)).publish()
    home.events(AT_CUTOFF, event("E", 10, ingested_at="2025-03-06T00:00:00Z"), event("K", 1, tenant_id="T-2")).publish()
    assert home.of_day() == {"T-1": 13, "T-2": 1}
    home.take_back(LATER, f"cloud/billing_events/{AT_CUTOFF}")
    assert (home.of_day()["T-1"], home.stands()) == (13, True)
    assert not home.judge("no_day_is_held_back").passed
    # What was taken back corrected, versions of an event that is new, and another export: all come while it is incomplete.
    home.publish(expected_sources={"T-1": ("billing_events", "focus", "focus_delta")})
    home.events(
        "20250308T100000Z",
        event("E", 11, ingested_at=ingested_at),
        event("N", 5, ingested_at="2025-03-08T00:00:00Z"),
        event("N", 6, ingested_at="2025-03-08T00:00:01Z"),
    ).publish()
    home.focus("20250308T110000Z", charge(4)).publish()
    assert (home.of_day()["T-1"], home.stands()) == (13, True)
    assert [row for row in home.ledger() if row[0] == "T-1"] == []
    home.focus(LATEST, charge(-1), delta=True).publish()
    assert (home.of_day()["T-1"], home.stands()) == (11 + 6 + 4 - 1, True)
    steps = [row for row in home.ledger() if row[0] == "T-1"]
    assert (steps[0][1], steps[-1][2], sum(new - old for _, old, new, *_ in steps)) == (13, 20, 7)


def test_a_withdrawal_of_what_was_published_is_restated(tmp_path: Path) -> None:
    home = Published(tmp_path)
    home.events(AT_END, event("E", 10)).focus(AT_END, charge(3, SubAccountId="F")).publish()
    home.events(AT_CUTOFF, event("E", 12, ingested_at="2025-04-01T00:00:00Z"), event("N", 7, account_id="N")).publish()
    taken = f"cloud/billing_events/{AT_CUTOFF}"
    home.take_back(LATER, taken)
    assert home.ledger()[-2:] == [("T-1", 12, 10, "correction", taken), ("T-1", 7, 0, "omission", taken)]
    home.focus(LATEST, charge(4, SubAccountId="F")).publish().take_back("20250310T000000Z", f"cloud/focus/{LATEST}")
    assert [row for row in home.ledger() if row[0] == "DEFAULT"] == [
        ("DEFAULT", 3, 4, "correction", f"cloud/focus/{LATEST}"),
        ("DEFAULT", 4, 3, "correction", f"cloud/focus/{LATEST}"),
    ]


def test_only_days_whose_answer_changes_are_computed(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cloud_incomplete_days="hold")
    cloud.events(AT_END, event("E", 1), event("F", 1, "2025-03-04"), event("D", 1, "2025-03-02")).run()
    assert cloud.rows(f"select day(usage_date), data_complete from {DAILY} order by all") == [(2, True), (4, True)]
    before = cloud.hashes()
    done = cloud.events(LATER, event("G", 1, "2025-03-07")).run()
    assert done[SERVICES] == ["2025-03-05", "2025-03-07"]
    assert {name: found for name, found in cloud.hashes().items() if name in before} == before


@pytest.mark.parametrize(
    ("given", "minutes"),
    [("12:00", 720), ("1d 12:00", 720), ("00:30", 30), ("2d 06:30", 24 * 60 + 390), (9, 540)],
)
def test_the_hour_of_availability_is_a_time_of_the_next_day_or_of_a_later_one(
    tmp_path: Path, given: object, minutes: int
) -> None:
    assert load_settings(home=tmp_path, available_by=given).minutes_until_due == minutes


def test_the_former_name_of_the_hour_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVENUE_INTEGRITY_PUBLISHING_CUTOFF_HOUR", "9")
    assert load_settings(home=tmp_path).available_by == "09:00"
    monkeypatch.setenv("REVENUE_INTEGRITY_CLOUD__AVAILABLE_BY", "10:00")
    with pytest.raises(SettingsError, match="publishing_cutoff_hour is the former name of available_by"):
        load_settings(home=tmp_path)


@pytest.mark.parametrize("given", ["noon", "24:00", "0d 12:00", "12:60", 24, -1, True])
def test_what_is_no_time_is_refused_with_what_is(tmp_path: Path, given: object) -> None:
    with pytest.raises(SettingsError, match="2d 06:30"):
        load_settings(home=tmp_path, available_by=given)
