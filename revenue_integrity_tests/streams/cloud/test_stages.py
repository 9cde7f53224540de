"""Which events and charges count, and what they cost by day: small worlds, every figure worked out by hand.

Belongs here: the rules of 30-cloud, *Sources* and *Stages*. Does not belong here: in which form files come and how they are
kept (``landing/test_events``), the window (``test_lookback``), completeness (``test_completeness``).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity_tests.streams.cloud.support import DAILY, OUTCOMES, REGIONS, SERVICES, Cloud, charge, event, total

FIRST, SECOND, THIRD = "20250306T000000Z", "20250307T000000Z", "20250308T000000Z"

TEN, ELEVEN, TWELVE = (f"2025-03-05T{hour}:00:00Z" for hour in (10, 11, 12))

MARCH_5, MARCH_6, MARCH_7 = (("A-1", f"2025-03-0{day}") for day in (5, 6, 7))


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


# --- Billing events: the latest ingestion wins. ---


@dataclass(frozen=True)
class Case:
    """Deliveries of one tenant, and what must be left of them.

    Attributes:
        deliveries: rows by arrival, or by arrival and file.
        costs: cost by account and day.
        outcomes: event, arrival and row of what does not count, and why.
    """

    deliveries: Mapping[str, list[dict[str, str]]]
    costs: Mapping[tuple[str, str], Decimal | int]
    outcomes: list[tuple[str, str, int, str]] = field(default_factory=list)


EVENT_CASES = {
    "TIE-OF-ROWS": Case(
        {FIRST: [event("E", 9, ingested_at=TEN), event("E", 1, ingested_at=TEN)]},
        {MARCH_5: 1},
        [("E", FIRST, 1, "superseded")],
    ),
    "TIE-OF-TEN-ROWS": Case(
        # As text, row 10 would come before row 9.
        {FIRST: [event("E", 1000 * cost, ingested_at=TEN) for cost in range(1, 11)]},
        {MARCH_5: 10000},
        [("E", FIRST, row, "superseded") for row in range(1, 10)],
    ),
    "TIE-OF-ARRIVALS": Case(
        {FIRST: [event("E", 50, ingested_at=TEN)], SECOND: [event("E", 20, ingested_at=TEN)]},
        {MARCH_5: 20},
        [("E", FIRST, 1, "superseded")],
    ),
    "TIE-OF-FILES": Case(
        {f"{FIRST}/b.csv": [event("E", 700, ingested_at=TEN)], f"{FIRST}/a.csv": [event("E", 800, ingested_at=TEN)]},
        {MARCH_5: 700},
        [("E", FIRST, 1, "superseded")],
    ),
    "MICROSECONDS": Case(
        {
            FIRST: [
                event("E", 1, ingested_at="2025-03-05T10:00:00.000002Z"),
                event("E", 2, ingested_at="2025-03-05T10:00:00.000001Z"),
            ]
        },
        {MARCH_5: 1},
        [("E", FIRST, 2, "superseded")],
    ),
    "OFFSETS": Case(
        # 12:30 at +02:00 is 10:30 UTC, so before 11:00.
        {FIRST: [event("E", 10, ingested_at=ELEVEN), event("E", 20, ingested_at="2025-03-05T12:30:00+02:00")]},
        {MARCH_5: 10},
        [("E", FIRST, 2, "superseded")],
    ),
    "SENT-AGAIN-AFTER-TOMBSTONE": Case(
        {
            FIRST: [event("E", 5, ingested_at=TEN), event("E", 5, ingested_at=ELEVEN, is_deleted="true")],
            SECOND: [event("E", 6, ingested_at=TWELVE)],
        },
        {MARCH_5: 6},
        [("E", FIRST, 1, "superseded"), ("E", FIRST, 2, "superseded")],
    ),
    "TOMBSTONE-TWICE": Case(
        {FIRST: [event("E", 5, is_deleted="true")], SECOND: [event("E", 5, is_deleted="true")]},
        {},
        [("E", FIRST, 1, "deleted"), ("E", SECOND, 1, "duplicate")],
    ),
    "TOMBSTONE-OF-ANOTHER-DAY": Case(
        {FIRST: [event("E", 5, ingested_at=TEN)], SECOND: [event("E", 0, "2025-03-06", ingested_at=ELEVEN, is_deleted="true")]},
        {},
        [("E", FIRST, 1, "deleted"), ("E", SECOND, 1, "deleted")],
    ),
    "A-B-A": Case(
        {
            FIRST: [event("E", 5, ingested_at=TEN), event("E", 8, ingested_at=ELEVEN)],
            SECOND: [event("E", 5, ingested_at=TWELVE)],
        },
        {MARCH_5: 5},
        [("E", FIRST, 1, "superseded"), ("E", FIRST, 2, "superseded")],
    ),
    "DUPLICATE-OF-A-SUPERSEDED-VERSION": Case(
        # A and B, then A once more: it repeats A, and B still counts.
        {FIRST: [event("E", 5, ingested_at=TEN), event("E", 8, ingested_at=ELEVEN)], SECOND: [event("E", 5, ingested_at=TEN)]},
        {MARCH_5: 8},
        [("E", FIRST, 1, "superseded"), ("E", SECOND, 1, "duplicate")],
    ),
    "MOVE-OF-THE-ONLY-EVENT": Case(
        {FIRST: [event("E", 100, ingested_at=TEN)], SECOND: [event("E", 100, "2025-03-06", ingested_at=ELEVEN)]},
        {MARCH_6: 100},
        [("E", FIRST, 1, "superseded")],
    ),
    "CHAIN-OF-MOVES": Case(
        {
            FIRST: [
                event("E", 1, ingested_at=TEN),
                event("E", 2, "2025-03-06", ingested_at=ELEVEN),
                event("E", 4, "2025-03-07", ingested_at=TWELVE),
            ]
        },
        {MARCH_7: 4},
        [("E", FIRST, 1, "superseded"), ("E", FIRST, 2, "superseded")],
    ),
    "THERE-AND-BACK": Case(
        {
            FIRST: [event("E", 1, ingested_at=TEN), event("E", 1, "2025-03-06", ingested_at=ELEVEN)],
            SECOND: [event("E", 1, ingested_at=TWELVE)],
        },
        {MARCH_5: 1},
        [("E", FIRST, 1, "superseded"), ("E", FIRST, 2, "superseded")],
    ),
    "OTHER-ACCOUNT": Case(
        {FIRST: [event("E", 5, ingested_at=TEN)], SECOND: [event("E", 5, account_id="A-2", ingested_at=ELEVEN)]},
        {("A-2", "2025-03-05"): 5},
        [("E", FIRST, 1, "superseded")],
    ),
    "NORMAL-FORM": Case(
        {
            FIRST: [event("evt_1", 5, account_id=" acc_1 ", ingested_at=TEN)],
            SECOND: [event("EVT-1", 8, account_id="ACC-1", ingested_at=ELEVEN)],
        },
        {("ACC-1", "2025-03-05"): 8},
        [("EVT-1", FIRST, 1, "superseded")],
    ),
    "EXACT": Case(
        # As floats, 0.1 + 0.2 is not 0.3, and a cent is lost beside 10^15.
        {
            FIRST: [
                event(f"E-{place}", cost)
                for place, cost in enumerate(["0.1", "0.2", "0.000000000001", "1000000000000000", "0.01"])
            ]
        },
        {MARCH_5: Decimal("1000000000000000.310000000001")},
    ),
    "SAME-INSTANT-OTHER-CONTENT": Case(
        {FIRST: [event("E", 5, ingested_at=TEN)], SECOND: [event("E", 6, region="x", ingested_at=TEN)]},
        {MARCH_5: 6},
        [("E", FIRST, 1, "superseded")],
    ),
}
"""Each case is a tenant. All of them use the same event ids, and none may see another's."""


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """All cases at once, in three batches."""
    cloud = Cloud(tmp_path_factory.mktemp("settled"))
    files: dict[tuple[str, str], list[dict[str, str]]] = {}
    for tenant, case in EVENT_CASES.items():
        for place, rows in case.deliveries.items():
            arrival, _, name = place.partition("/")
            # A file of its own, so that rows have the numbers that the case says.
            key = arrival, f"{name or 'x.csv'}-{tenant}.csv"
            files.setdefault(key, []).extend(row | {"tenant_id": tenant} for row in rows)
    for (arrival, name), rows in files.items():
        cloud.events(arrival, *rows, file_name=name)
    nameless = event("E", 5, tenant_id="", ingested_at=TEN)
    # Named in another spelling, it is the same event.
    cloud.events(THIRD, nameless, event("E", 8, tenant_id="default", ingested_at=ELEVEN))
    cloud.run()
    return cloud


@pytest.mark.parametrize("tenant", EVENT_CASES)
def test_events_that_count(settled: Cloud, tenant: str) -> None:
    assert settled.days(tenant) == EVENT_CASES[tenant].costs
    assert settled.outcomes(tenant) == EVENT_CASES[tenant].outcomes


def test_tenant_that_is_not_named_is_the_default_one(settled: Cloud) -> None:
    assert settled.days("DEFAULT") == {MARCH_5: 8}


def test_repetition_is_no_version(settled: Cloud) -> None:
    versions = {row["tenant_id"]: row["versions"] for row in settled.survivors()}
    assert versions["A-B-A"] == 3
    assert versions["DUPLICATE-OF-A-SUPERSEDED-VERSION"] == 2
    assert versions["EXACT"] == 1


def test_totals_of_the_stages_agree(settled: Cloud) -> None:
    costs = total(Decimal(cost) for case in EVENT_CASES.values() for cost in case.costs.values()) + 8
    assert total(row["cost"] for row in settled.survivors()) == costs
    assert settled.rows(f"select sum(total_cost) from {SERVICES}") == [(costs,)]
    assert settled.rows(f"select sum(total_cost) from {DAILY}") == [(costs,)]


def test_latest_ingestion_wins_however_late_the_others_come(cloud: Cloud) -> None:
    cloud.events(FIRST, event("E", 2, ingested_at=ELEVEN)).run()
    cloud.events(SECOND, event("E", 1, ingested_at=TEN)).run()
    assert cloud.days() == {MARCH_5: 2}, "an earlier version that arrives later changes nothing"
    cloud.events(THIRD, event("E", 3, ingested_at=TWELVE)).run()
    assert cloud.days() == {MARCH_5: 3}
    assert cloud.outcomes() == [("E", FIRST, 1, "superseded"), ("E", SECOND, 1, "superseded")]


def test_tombstone_withdraws_what_came_before(cloud: Cloud) -> None:
    cloud.events(FIRST, event("E", 5, ingested_at=TEN), event("F", 7)).run()
    cloud.events(SECOND, event("E", 5, ingested_at=ELEVEN, is_deleted="true")).run()
    assert cloud.days() == {MARCH_5: 7}
    assert cloud.outcomes() == [("E", FIRST, 1, "deleted"), ("E", SECOND, 1, "deleted")]


def test_tombstone_that_arrives_first_withdraws_what_comes_after(cloud: Cloud) -> None:
    cloud.events(FIRST, event("E", 5, ingested_at=ELEVEN, is_deleted="true")).run()
    assert cloud.days() == {}
    assert cloud.outcomes() == [("E", FIRST, 1, "deleted")]
    cloud.events(SECOND, event("E", 5, ingested_at=TEN), event("F", 7)).run()
    assert cloud.days() == {MARCH_5: 7}
    assert Counter(outcome for _, _, _, outcome in cloud.outcomes()) == {"deleted": 2}


def test_duplicate_delivery_counts_once(cloud: Cloud) -> None:
    rows = [event("E", 5), event("F", 7, day="2025-03-06")]
    cloud.events(FIRST, *rows, rows[0]).run()
    before = cloud.hashes()
    cloud.events(SECOND, *rows).run()
    assert cloud.days() == {MARCH_5: 5, MARCH_6: 7}
    assert cloud.outcomes() == [
        ("E", FIRST, 3, "duplicate"),
        ("E", SECOND, 1, "duplicate"),
        ("F", SECOND, 2, "duplicate"),
    ]
    after = cloud.hashes()
    assert all(after[key] == before[key] for key in before if key[0] == SERVICES), "no cost has changed"
    assert [row["versions"] for row in cloud.survivors()] == [1, 1], "a repetition is no version"


def test_move_to_another_day_recomputes_both_days_and_no_other(cloud: Cloud) -> None:
    days = ("2025-03-05", "2025-03-06", "2025-03-07")
    cloud.events(FIRST, *(event(f"E-{day}", 5, day=day) for day in days), event("M", 100, ingested_at=TEN)).run()
    before = cloud.hashes()
    assert cloud.days() == {MARCH_5: 105, MARCH_6: 5, MARCH_7: 5}
    done = cloud.events(SECOND, event("M", 101, day="2025-03-07", ingested_at=ELEVEN)).run()
    assert done == {
        OUTCOMES: ["2025-03-05", "2025-03-07"],
        SERVICES: ["2025-03-05", "2025-03-07"],
        REGIONS: ["2025-03-05", "2025-03-07"],
        DAILY: ["2025-03-05", "2025-03-07"],
    }
    assert cloud.days() == {MARCH_5: 5, MARCH_6: 5, MARCH_7: 106}
    after = cloud.hashes()
    assert {day for (_, day), found in after.items() if before.get((_, day)) != found} == {"2025-03-05", "2025-03-07"}
    (moved,) = cloud.rows(f"select usage_date::varchar, by_usage_date::varchar from {OUTCOMES}")
    assert moved == ("2025-03-05", "2025-03-07")


def test_move_to_another_month_recomputes_a_day_of_each(cloud: Cloud) -> None:
    cloud.events(FIRST, event("M", 100, ingested_at=TEN), event("E", 1)).run()
    done = cloud.events(SECOND, event("M", 100, day="2025-02-28", ingested_at=ELEVEN)).run()
    assert done[DAILY] == ["2025-02-28", "2025-03-05"]
    assert cloud.days() == {("A-1", "2025-02-28"): 100, MARCH_5: 1}


def test_stages_have_their_grain_and_the_same_total(cloud: Cloud) -> None:
    cloud.events(
        FIRST,
        event("E-1", 1),
        event("E-2", 2, service_name="Storage"),
        event("E-3", 4, account_id="A-2"),
        event("E-4", 8, day="2025-03-06", pricing_model="spot"),
        event("E-5", 16, day="2025-03-06", region=""),
    ).run()
    assert cloud.rows(
        f"select account_id, service_name, usage_date::varchar, total_cost, effective_cost, event_count from {SERVICES}"
        " order by all"
    ) == [
        ("A-1", "Compute", "2025-03-05", 1, None, 1),
        ("A-1", "Compute", "2025-03-06", 24, None, 2),
        ("A-1", "Storage", "2025-03-05", 2, None, 1),
        ("A-2", "Compute", "2025-03-05", 4, None, 1),
    ]
    assert cloud.rows(f"select account_id, usage_date::varchar, total_cost, event_count from {DAILY} order by all") == [
        ("A-1", "2025-03-05", 3, 2),
        ("A-1", "2025-03-06", 24, 2),
        ("A-2", "2025-03-05", 4, 1),
    ]
    assert total(row["cost"] for row in cloud.survivors()) == 31


# --- FOCUS: a delivery replaces what stands of its scope. ---


FOCUS_CASES = {
    "EQUAL-ROWS": Case({FIRST: [charge(5, Id="1"), charge(5, Id="1")]}, {MARCH_5: 10}),
    "TWO-FILES": Case({f"{FIRST}/a.csv": [charge(1)], f"{FIRST}/b.csv": [charge(2)]}, {MARCH_5: 3}),
    "LEFT-OUT": Case({FIRST: [charge(1), charge(2, "2025-03-06")], SECOND: [charge(4)]}, {MARCH_5: 4}),
    "OTHER-PROVIDER": Case({FIRST: [charge(1)], SECOND: [charge(2, ProviderName="Q")]}, {MARCH_5: 3}),
    "OTHER-PERIOD": Case({FIRST: [charge(1)], SECOND: [charge(2, BillingPeriodStart="2025-04-01T00:00:00Z")]}, {MARCH_5: 3}),
    "SAME-PERIOD-OTHERWISE-WRITTEN": Case(
        {FIRST: [charge(1)], SECOND: [charge(2, BillingPeriodStart="2025-03-01 00:00:00")]}, {MARCH_5: 2}
    ),
    "DELTA-AFTER": Case({FIRST: [charge(100)], f"{SECOND}/delta": [charge(-30)]}, {MARCH_5: 70}),
    # An export that arrives after an addition holds what it said, or withdraws it: either way it replaces it.
    "DELTA-BEFORE": Case({f"{FIRST}/delta": [charge(-30)], SECOND: [charge(100)]}, {MARCH_5: 100}),
    "DELTA-BETWEEN": Case({FIRST: [charge(1)], f"{SECOND}/delta": [charge(2)], THIRD: [charge(4)]}, {MARCH_5: 4}),
    "DELTA-ALONE": Case({f"{FIRST}/delta": [charge(-30)]}, {MARCH_5: -30}),
    # The same rows in another batch are another correction.
    "DELTA-TWICE": Case({f"{FIRST}/delta": [charge(-30)], f"{SECOND}/delta": [charge(-30)]}, {MARCH_5: -60}),
    "DELTA-OF-ANOTHER-DAY": Case({FIRST: [charge(1)], f"{SECOND}/delta": [charge(2, "2025-03-06")]}, {MARCH_5: 1, MARCH_6: 2}),
    "SUB-ACCOUNT": Case(
        {FIRST: [charge(1), charge(2, SubAccountId="NULL"), charge(4, SubAccountId="")]},
        {MARCH_5: 1, ("B-SUB-ACCOUNT", "2025-03-05"): 6},
    ),
    "LONG-CHARGE": Case(
        {FIRST: [charge(310, "2025-03-01", ChargePeriodEnd="2025-04-01T00:00:00Z")]}, {("A-1", "2025-03-01"): 310}
    ),
    # 20:00 on the 4th at -05:00 is 01:00 on the 5th.
    "UTC": Case({FIRST: [charge(1, ChargePeriodStart="2025-03-04T20:00:00-05:00")]}, {MARCH_5: 1}),
    "NEGATIVE": Case({FIRST: [charge("-0.000000000001"), charge("0")]}, {MARCH_5: Decimal("-0.000000000001")}),
    "EFFECTIVE": Case(
        {FIRST: [charge(10, EffectiveCost="7"), charge(1, EffectiveCost=""), charge(2, ServiceName="S", EffectiveCost="null")]},
        {MARCH_5: 13},
    ),
    "NULLS": Case(
        {
            FIRST: [
                charge(1, ProviderName="P", ServiceProviderName="S", PublisherName="U"),
                charge(2, ProviderName="", ServiceProviderName="S", PublisherName="U"),
                charge(4, ProviderName="NULL", ServiceProviderName="(null)", PublisherName="U"),
                charge(8, ProviderName="null", ServiceProviderName="", PublisherName="", ServiceName="(null)", InvoiceId="NULL"),
            ]
        },
        {MARCH_5: 15},
    ),
    "CATEGORIES": Case(
        {
            FIRST: [
                charge(1, PricingCategory=category)
                for category in ("Standard", "Committed", "Dynamic", "Other", "Something", "NULL")
            ]
        },
        {MARCH_5: 6},
    ),
    "IMPOSSIBLE": Case(
        {
            FIRST: [
                charge(1),
                charge(2, ChargePeriodStart="2025-02-30T00:00:00Z"),
                charge("NaN"),
                charge(8, BillingPeriodStart=""),
                charge(16, BillingCurrency="EUR"),
                charge(32),
            ]
        },
        {MARCH_5: 33},
    ),
}
"""Each case is a billing account, and by the settings a tenant."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """All cases at once; beside them a file with the required columns alone, and an event of the tenant UTC."""
    home = tmp_path_factory.mktemp("exported")
    cloud = Cloud(home, tenant_of_billing_account={f"B-{name}": name for name in FOCUS_CASES})
    for tenant, case in FOCUS_CASES.items():
        for place, rows in case.deliveries.items():
            arrival, _, name = place.partition("/")
            # In lower case and with another separator: the account is the same.
            named = [row | {"BillingAccountId": f"b_{tenant.lower()}"} for row in rows]
            cloud.focus(arrival, *named, delta=name == "delta", file_name=f"{tenant}-{name or 'x.csv'}.csv")
    bare = {"BilledCost": "3", "BillingPeriodStart": "2025-03-01", "ChargePeriodStart": "2025-03-05 23:59:59"}
    cloud.focus(FIRST, bare, file_name="bare.csv")
    cloud.events(SECOND, event("E", 5, tenant_id="OTHER-PROVIDER"))
    cloud.run()
    return cloud


@pytest.mark.parametrize("tenant", FOCUS_CASES)
def test_charges_that_count(exported: Cloud, tenant: str) -> None:
    of_events = {MARCH_5: 5} if tenant == "OTHER-PROVIDER" else {}
    costs = {key: cost + of_events.get(key, 0) for key, cost in FOCUS_CASES[tenant].costs.items()}
    assert exported.days(tenant) == costs


def of_tenant(cloud: Cloud, tenant: str) -> dict[Decimal, dict[str, Any]]:
    """Return the charges of a tenant by their cost."""
    return {row["cost"]: row for row in cloud.survivors() if row["tenant_id"] == tenant}


def test_provider_is_the_first_that_is_named(exported: Cloud) -> None:
    found = of_tenant(exported, "NULLS")
    assert {cost: row["provider"] for cost, row in found.items()} == {1: "P", 2: "S", 4: "U", 8: None}
    assert (found[Decimal(8)]["service_name"], found[Decimal(8)]["invoice_id"]) == ("UNKNOWN", None)


def test_three_required_columns_suffice(exported: Cloud) -> None:
    (row,) = of_tenant(exported, "DEFAULT").values()
    named = ("account_id", "service_name", "provider", "currency", "pricing_model", "region", "effective_cost", "event_id")
    assert [row[name] for name in named] == ["UNKNOWN", "UNKNOWN", None, "USD", "other", None, None, None]
    assert exported.days("DEFAULT") == {("UNKNOWN", "2025-03-05"): 3}


def test_pricing_categories_have_their_models(exported: Cloud) -> None:
    models = [row["pricing_model"] for row in exported.survivors() if row["tenant_id"] == "CATEGORIES"]
    assert models == ["on_demand", "reserved", "spot", "other", "other", "other"]


def test_effective_cost_is_carried_and_never_mixed_in(exported: Cloud) -> None:
    rows = f"select service_name, total_cost, effective_cost from {SERVICES} where tenant_id = 'EFFECTIVE' order by all"
    assert exported.rows(rows) == [("Compute", 11, 7), ("S", 2, None)]


def test_bad_rows_of_an_export_are_quarantined_with_their_reasons(exported: Cloud) -> None:
    found = {row: reasons for _, row, reasons in exported.quarantine()}
    named = {2: "chargeperiodstart", 3: "billedcost", 4: "billingperiodstart", 5: "billingcurrency"}
    assert {row: reasons.split()[0] for row, reasons in found.items()} == named
    assert "2025-02-30" in found[2]


def test_charges_keep_what_reconciliation_needs(exported: Cloud) -> None:
    row = of_tenant(exported, "LONG-CHARGE")[Decimal(310)]
    assert (row["source"], row["invoice_id"], row["billing_account_id"]) == ("focus", "I-1", "B-LONG-CHARGE")
    assert (str(row["billing_period"]), row["row_number"], row["versions"]) == ("2025-03-01", 1, 1)


def test_export_replaces_everything_of_its_scope_and_nothing_else(cloud: Cloud) -> None:
    cloud.focus(
        FIRST,
        charge(1),
        charge(2, day="2025-03-06"),
        charge(4, BillingAccountId="B-2"),
        charge(8, ProviderName="Q"),
        charge(16, BillingPeriodStart="2025-04-01T00:00:00Z"),
    ).run()
    assert cloud.days("DEFAULT") == {MARCH_5: 29, MARCH_6: 2}
    done = cloud.focus(SECOND, charge(32)).run()
    # What the second export leaves out is gone, also on the day that it does not name.
    assert cloud.days("DEFAULT") == {MARCH_5: 4 + 8 + 16 + 32}
    assert done[DAILY] == ["2025-03-05", "2025-03-06"]


def test_late_read_of_an_earlier_export_changes_nothing(cloud: Cloud) -> None:
    cloud.focus(SECOND, charge(32)).run()
    before = cloud.hashes()
    cloud.focus(FIRST, charge(1), charge(2, day="2025-03-06")).run()
    assert cloud.days("DEFAULT") == {MARCH_5: 32}
    assert cloud.hashes() == before


def test_delta_batch_counts_once_whatever_its_content(cloud: Cloud) -> None:
    cloud.focus(FIRST, charge(100)).focus(SECOND, charge(-30), delta=True).run()
    cloud.run()
    assert cloud.days("DEFAULT") == {MARCH_5: 70}
    # The same rows in another batch are another correction.
    cloud.focus(THIRD, charge(-30), delta=True).run()
    assert cloud.days("DEFAULT") == {MARCH_5: 40}
