"""Every check of the stream, once where it passes and once where it fails, with its figures.

What only an error of the program could break is broken by hand, in a transaction that is rolled back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_integrity.model.check import Gate, Judgement
from revenue_integrity.streams.cloud.checks import CHECKS
from revenue_integrity_tests.streams.cloud.world import IN_TIME, Computed, Row, World

LATER, LAST = "20250311T000000Z", "20250312T000000Z"
AFTER_CUTOFF = "20250408T000000Z"


@contextmanager
def altered(world: Computed, *statements: str) -> Iterator[Computed]:
    """Yield the world with tables changed, and undo the change."""
    world.execute("begin")
    for sql in statements:
        world.execute(sql)
    try:
        yield world
    finally:
        world.execute("rollback")


def rows_of(judgement: Judgement) -> list[Row]:
    if judgement.rows is None:
        assert judgement.passed, "what makes a check fail is listed"
        return []
    return judgement.rows.to_dict(orient="records")  # type: ignore[return-value]  # names are text


def test_gates_are_those_of_the_close() -> None:
    gates = {check.name: check.gate for check in CHECKS}
    assert {name for name, gate in gates.items() if gate is Gate.PUBLISH} == {
        "stages_agree", "events_are_conserved", "costs_have_their_sign", "delivered_days_are_not_empty", "dimensions_add_up",
    }  # fmt: skip
    assert {name for name, gate in gates.items() if gate is Gate.SIGN_OFF} == {
        "invoices_tie", "cloud_invoices_cover_cutoff", "no_batch_is_rejected", "scopes_are_known", "no_day_is_held_back",
        "deliveries_replace_their_scope",
    }  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    """Build everything that can become of a row: 17 rows of March, 5 of which count (4 + 6 + 7 + 20 + 1.5 = 38.5)."""
    world = World(tmp_path_factory.mktemp("checks"))
    # Corrected from 3 to 4; repeated as it was; withdrawn by a tombstone of the same cost (two rows that do not count).
    world.event("CORRECTED", 3).event("CORRECTED", 4, arrival=LATER)
    world.event("REPEATED", 6).event("REPEATED", 6, ingested_at="2025-03-10T00:00:00Z")
    world.event("WITHDRAWN", 5).event("WITHDRAWN", 5, arrival=LATER, is_deleted="true")
    # Moved from the 8th, which it leaves empty.
    world.event("MOVED", 7, "2025-03-08").event("MOVED", 7, "2025-03-09", LATER)
    # Refused: negative (its cost can be read), and without a cost.
    world.event("NEGATIVE", -2).event("COSTLESS", "")
    # Overwritten by a later export, and added to.
    world.add("focus", BilledCost=11).add("focus", BilledCost=12, ChargePeriodStart="2025-03-07T00:00:00Z")
    world.add("focus", LATER, BilledCost=20, EffectiveCost="17.5")
    world.add("focus_delta", LAST, BilledCost="1.5", EffectiveCost="")
    # Far beyond the window: 100 days before, of a month that had been delivered for.
    world.event("BEYOND", 9, "2025-03-01", "20250620T000000Z").event("CORRECTED", 44, "2025-03-05", "20250620T000000Z")
    world.event("ALSO-BEYOND", 1, "2025-03-01", "20250620T000000Z")
    with world.computed() as computed:
        yield computed


def test_every_row_and_cost_is_accounted_for(world: Computed) -> None:
    """Superseded: 3, 7 and the 11 + 12 of an export; deleted: 5 twice; set aside: 9 + 44 + 1."""
    judged = world.judge("events_are_conserved")
    assert judged.passed
    assert judged.figures == {
        "batches": 6,
        "rows_read": 17,
        "rows_surviving": 5,
        "rows_superseded": 4,
        "rows_duplicate": 1,
        "rows_deleted": 2,
        "rows_quarantined": 2,
        "rows_set_aside": 3,
        "cost_read": Decimal("139.5"),
        "cost_surviving": Decimal("38.5"),
        "cost_superseded": 33,
        "cost_duplicate": 6,
        "cost_deleted": 10,
        "cost_quarantined": -2,
        "cost_set_aside": 54,
    }
    first = next(row for row in rows_of(judged) if row["batch_id"] == "cloud/billing_events/20250310T000000Z")
    assert [first[name] for name in ("rows_read", "rows_surviving", "rows_superseded", "rows_duplicate", "rows_deleted")] == [
        7, 1, 2, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        "update mart.daily_account_cost set total_cost = total_cost + 0.000000000001 where usage_date = '2025-03-09'",
        "update mart.daily_account_cost set event_count = event_count - 1 where usage_date = '2025-03-09'",
        "delete from curated.cloud_event_outcomes where outcome = 'duplicate'",
        "delete from meta.held_billing_events where cost is null",
        "delete from cloud_events.days where set_aside",
    ],
)
def test_a_row_or_a_fraction_that_is_lost_is_noticed(world: Computed, change: str) -> None:
    with altered(world, change) as broken:
        assert not broken.judge("events_are_conserved").passed


def test_rows_that_no_day_has_are_noticed(world: Computed) -> None:
    with altered(world, "update meta.batches set rows_in_file = rows_in_file + 2 where source = 'focus_delta'") as broken:
        judged = broken.judge("events_are_conserved")
        assert not judged.passed
        assert rows_of(judged)[0]["batch_id"] == "cloud/focus_delta/20250312T000000Z"
        assert rows_of(judged)[0]["rows_unaccounted"] == 2


def test_stages_agree(world: Computed) -> None:
    judged = world.judge("stages_agree")
    assert judged.passed
    assert judged.figures["days"] == 2
    assert {name: value for name, value in judged.figures.items() if "stage" in name or "effective" in name} == {
        "rows_stage_1": 5, "rows_stage_2": 5, "rows_stage_3": 5, "effective_cost": Decimal("17.5"),
        **{f"cost_stage_{stage}": Decimal("38.5") for stage in (1, 2, 3)},
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        "update mart.account_service_day set total_cost = total_cost - 0.000000000001 where usage_date = '2025-03-05'",
        "update mart.account_service_day set effective_cost = 17 where effective_cost is not null",
        "update mart.daily_account_cost set event_count = event_count + 1 where usage_date = '2025-03-05'",
        "delete from curated.cloud_event_outcomes where outcome = 'superseded' and usage_date = '2025-03-05'",
        "delete from mart.account_service_day where usage_date = '2025-03-05'",
    ],
)
def test_stages_that_differ_are_listed_by_day(world: Computed, change: str) -> None:
    with altered(world, change) as broken:
        judged = broken.judge("stages_agree")
        assert not judged.passed
        assert [f"{row['usage_date']:%Y-%m-%d}" for row in rows_of(judged)] == ["2025-03-05"]


def test_errors_that_cancel_each_other_over_the_month_are_noticed(world: Computed) -> None:
    shift = "update mart.{} set {} = {} {} 1 where usage_date = '2025-03-0{}' and tenant_id = 'T-1'"
    moved = [
        shift.format(table, cost, cost, sign, day)
        for table, cost in (("account_service_day", "total_cost"), ("daily_account_cost", "total_cost"))
        for sign, day in (("+", 9), ("-", 5))
    ]
    with altered(world, *moved) as broken:
        judged = broken.judge("stages_agree")
        assert not judged.passed
        assert judged.figures["cost_stage_1"] == judged.figures["cost_stage_3"]
        assert judged.figures["days_that_differ"] == 2


def test_emptied_days_are_explained(world: Computed) -> None:
    """The 8th was left by a move, the 7th is in no later export, the 1st is set aside; no day has refused rows alone."""
    judged = world.judge("delivered_days_are_not_empty")
    assert judged.passed
    assert (judged.figures["days_empty"], judged.figures["days_emptied"]) == (0, 3)
    assert [row["usage_date"].day for row in rows_of(judged)] == [1, 7, 8]


def test_a_day_of_which_every_row_is_refused_is_not_published(tmp_path: Path) -> None:
    world = World(tmp_path).event("GOOD", 1).event("BAD", -1, "2025-03-06")
    world.add("focus", BillingPeriodStart="x", ChargePeriodStart="2025-03-07T10:00:00Z")
    with world.computed() as computed:
        judged = computed.judge("delivered_days_are_not_empty")
        assert not judged.passed
        assert [(row["usage_date"].day, row["reason"]) for row in rows_of(judged)] == [
            (6, "all rows are quarantined"),
            (7, "all rows are quarantined"),
        ]


def test_a_day_that_lost_its_rows_is_not_published(world: Computed) -> None:
    with altered(world, "delete from mart.daily_account_cost where usage_date = '2025-03-09'") as broken:
        judged = broken.judge("delivered_days_are_not_empty")
        assert not judged.passed
        assert rows_of(judged)[0]["reason"] == "rows that count are missing"


def test_what_is_set_aside_is_listed_with_its_cost(world: Computed) -> None:
    judged = world.judge("nothing_is_set_aside")
    assert not judged.passed
    assert judged.figures == {"rows_set_aside": 3, "cost_set_aside": 54, "batches": 1, "days": 2}
    assert [(row["usage_date"].day, row["rows"], row["cost"]) for row in rows_of(judged)] == [(5, 1, 44), (1, 2, 10)]
    assert "--all" in judged.next_step
    with altered(
        world,
        "update cloud_events.days set set_aside = false, is_live = true",
        "update cloud_events.versions set set_aside = false",
    ) as admitted:
        assert admitted.judge("nothing_is_set_aside").passed


@pytest.mark.parametrize(
    "change",
    [
        "update cloud_events.days set cost = -1 where source = 'billing_events' and usage_date = '2025-03-09'",
        "update cloud_events.versions set cost = -0.000000000001 where event_id = 'MOVED' and usage_date = '2025-03-09'",
        "update mart.daily_account_cost set total_cost = -1 where usage_date = '2025-03-09'",
    ],
)
def test_events_have_no_negative_cost(world: Computed, change: str) -> None:
    assert world.judge("costs_have_their_sign").passed
    with altered(world, change) as broken:
        judged = broken.judge("costs_have_their_sign")
        assert not judged.passed
        assert rows_of(judged)[0]["usage_date"].day == 9
        assert broken.judge("costs_have_their_sign", billing_events_cost_sign="signed").passed


def test_credits_of_an_export_and_of_signed_events_are_costs(tmp_path: Path) -> None:
    world = World(tmp_path, billing_events_cost_sign="signed").event("CREDIT", -3).add("focus", BilledCost=-8)
    with world.computed() as computed:
        assert sum(row["total_cost"] for row in computed.rows("daily_account_cost")) == -11
        assert computed.judge("costs_have_their_sign").passed
        assert computed.judge("costs_have_their_sign", billing_events_cost_sign="non_negative").figures["negative_costs"] == 2


# What is believable.


def spend(world: World, first: str, costs: list[object], tenant: str = "T-1") -> None:
    """Let a tenant spend an amount a day."""
    begin = date.fromisoformat(first)
    for number, cost in enumerate(costs):
        day = begin + timedelta(days=number)
        world.event(f"{tenant}-{day}", cost, str(day), "20250331T000000Z", tenant_id=tenant)


@pytest.mark.parametrize(
    ("before", "cost", "suspect"),
    [
        # The median of 10, 20, .. 70 is 40: exactly three times, and a third, are believed.
        ([10, 20, 30, 40, 50, 60, 70], "120", False),
        ([10, 20, 30, 40, 50, 60, 70], "120.000000000001", True),
        ([9, 9, 9, 9, 9, 9, 9], "3", False),
        ([9, 9, 9, 9, 9, 9, 9], "2.999999999999", True),
        # Of an even number of days it is half way: 10.000000000001 and 10.000000000002, three times which ends in 45.
        ([1, 1, 1, "10.000000000001", "10.000000000002", 20, 20, 20], "30.000000000004", False),
        ([1, 1, 1, "10.000000000001", "10.000000000002", 20, 20, 20], "30.000000000005", True),
        # Too few days, and a median of nothing.
        ([10, 20, 30, 40, 50, 60], "999", False),
        ([0, 0, 0, 0, 1, 1, 1], "999", False),
    ],
)
def test_a_day_is_held_against_its_trailing_median(tmp_path: Path, before: list[object], cost: str, suspect: bool) -> None:
    world = World(tmp_path)
    spend(world, "2025-03-01", [*before, cost])
    with world.computed() as computed:
        with altered(computed, f"delete from mart.daily_account_cost where usage_date > '2025-03-0{len(before) + 1}'"):
            judged = computed.judge("costs_move_believably")
        listed = [row for row in rows_of(judged) if row["usage_date"].day == len(before) + 1]
        assert bool(listed) == suspect
        if suspect:
            assert listed[0]["delta_to_day_before"] == Decimal(cost) - Decimal(str(before[-1]))
            assert not judged.passed


def test_the_median_looks_back_over_the_month_before(tmp_path: Path) -> None:
    """28 days behind 2 March begin on 2 February: the 100s of January are seen no more. Tenants are apart."""
    world = World(tmp_path, first_month="2025-01")
    spend(world, "2025-01-25", [100] * 8)
    spend(world, "2025-02-02", [10] * 8)
    spend(world, "2025-03-02", [31])
    spend(world, "2025-03-01", [31], tenant="T-2")
    with world.computed() as computed:
        judged = computed.judge("costs_move_believably")
        assert [(row["tenant_id"], row["median_cost"]) for row in rows_of(judged)] == [("T-1", 10)]
        assert judged.figures["tenant_days"] == 2
        # On the 2nd 31; the day before 31 of the other tenant.
        assert (judged.figures["cost_of_last_day"], judged.figures["cost_delta_to_day_before"]) == (31, 0)
        assert computed.judge("costs_move_believably", cost_jump_factor=Decimal("3.1")).passed


def test_days_are_complete(tmp_path: Path) -> None:
    """A batch of the 10th ends the 5th, and not the 10th."""
    world = World(tmp_path).event("E-1", 1).event("E-2", 2, "2025-03-06").event("E-3", 4, "2025-03-10")
    with world.computed() as computed:
        judged = computed.judge("days_are_complete")
        assert not judged.passed
        assert judged.figures == {
            "tenant_days": 3, "incomplete_days": 1, "incomplete_cost": 4, "complete_share": Decimal("0.666666"),
        }  # fmt: skip
        assert [(row["tenant_id"], row["usage_date"].day, row["events"]) for row in rows_of(judged)] == [("T-1", 10, 1)]
        with altered(computed, "update mart.daily_account_cost set data_complete = true"):
            assert computed.judge("days_are_complete").figures["complete_share"] == 1
            assert computed.judge("days_are_complete").passed


def test_versions_of_one_instant_that_differ_are_listed(tmp_path: Path) -> None:
    at = {"ingested_at": "2025-03-05T12:00:00Z"}
    world = World(tmp_path)
    world.event("SAME", 1, **at).event("SAME", 1, arrival=LATER, **at)
    world.event("LATER", 1).event("LATER", 2, arrival=LATER)
    with world.computed() as computed:
        assert computed.judge("versions_do_not_conflict").passed
    world = World(tmp_path / "conflict")
    world.event("CONFLICT", 1, **at).event("CONFLICT", "3.5", arrival=LATER, **at)
    with world.computed() as computed:
        judged = computed.judge("versions_do_not_conflict")
        assert not judged.passed
        assert judged.figures == {"conflicts": 1, "cost_in_question": Decimal("2.5")}
        assert rows_of(judged)[0]["event_id"] == "CONFLICT"
        assert [row["total_cost"] for row in computed.rows("daily_account_cost")] == [Decimal("3.5")]


def test_what_the_look_ups_lack_is_counted(tmp_path: Path) -> None:
    world = World(tmp_path).event("E-1", 1).event("E-2", 2, account_id="A-2").event("E-3", 4, service_name="Disk")
    with world.computed() as computed:
        # A deployment without look-ups is told nothing, and sees the figures all the same.
        judged = computed.judge("look_ups_are_complete")
        assert judged.passed
        assert (judged.figures["rows_of_unknown_accounts"], judged.figures["cost_of_unknown_services"]) == (3, 7)
    world.add("accounts", LATER).add("services", LATER)
    with world.computed() as computed:
        judged = computed.judge("look_ups_are_complete")
        assert not judged.passed
        assert judged.figures == {
            "unknown_accounts": 1, "unknown_services": 1, "rows_of_unknown_accounts": 1, "rows_of_unknown_services": 1,
            "cost_of_unknown_accounts": 2, "cost_of_unknown_services": 4,
        }  # fmt: skip
        assert [(row["look_up"], row["missing"]) for row in rows_of(judged)] == [("services", "Disk"), ("accounts", "T-1 A-2")]
    world.add("accounts", LAST, account_id="A-2").add("services", LAST, service_name="Disk")
    with world.computed() as computed:
        assert computed.judge("look_ups_are_complete").passed


# What sign-off rests on.


@pytest.mark.parametrize("missing", ["ProviderName", "BillingAccountId"])
def test_exports_that_name_no_scope_are_told(tmp_path: Path, missing: str) -> None:
    """Three exports of three providers without the column: they neither replace each other nor pass in silence."""
    world = World(tmp_path)
    for arrival, cost in ((IN_TIME, 5), (LATER, 7), (LAST, "-2")):
        world.add("focus", arrival, BilledCost=cost, **{missing: ""})
    world.add("focus_delta", LAST, BilledCost=1, **{missing: "NULL"})
    world.add("focus", IN_TIME, BilledCost=20)
    with world.computed() as computed:
        assert sum(row["total_cost"] for row in computed.rows("daily_account_cost")) == 31
        judged = computed.judge("scopes_are_known")
        assert not judged.passed
        assert "[fixed]" in judged.next_step
        assert judged.figures == {"batches": 4, "rows": 4, "cost": 11}
        assert [row["cost"] for row in rows_of(judged)] == [7, 5, -2, 1]
    with World(tmp_path / "named").add("focus").computed() as computed:
        assert computed.judge("scopes_are_known").passed


def test_an_invoice_in_breach_blocks(tmp_path: Path) -> None:
    world = World(tmp_path).add("focus").add("cloud_invoices", amount="10.01")
    world.add("focus", InvoiceId="I-2", BilledCost=7).add("cloud_invoices", invoice_id="I-3", amount=9)
    world.add("focus", InvoiceId="", BilledCost="0.5", ProviderName="Q")
    with world.computed() as computed:
        judged = computed.judge("invoices_tie")
        assert not judged.passed
        assert judged.figures == {
            "invoices": 3, "breaches": 2, "breach_signed_cost": -2, "breach_gross_cost": 16, "charged_cost": 17,
            "invoiced_cost": Decimal("19.01"),
        }  # fmt: skip
        assert [(row["invoice_id"], row["difference_cost"]) for row in rows_of(judged)] == [("I-3", -9), ("I-2", 7)]
        waiting = computed.judge("charges_are_invoiced")
        assert not waiting.passed
        assert waiting.figures == {"not_invoiced_rows": 1, "not_invoiced_cost": Decimal("0.5")}
        assert [(row["provider"], row["rows"]) for row in rows_of(waiting)] == [("q", 1)]
    world.add("cloud_invoices", LATER, invoice_id="I-2", amount=7)
    world.add("focus_delta", LATER, InvoiceId="I-3", BilledCost=9)
    with world.computed() as computed:
        assert computed.judge("invoices_tie").passed


def test_invoices_must_reach_the_cutoff(tmp_path: Path) -> None:
    """The cutoff of March 2025 is the last instant of 7 April."""
    world = World(tmp_path).add("focus").add("cloud_invoices", "20250407T235959Z")
    with world.computed() as computed:
        judged = computed.judge("cloud_invoices_cover_cutoff")
        assert not judged.passed
        assert rows_of(judged) == [{"source": "cloud_invoices", "latest_arrival": "2025-04-07T23:59:59Z"}]
    world.add("cloud_invoices", AFTER_CUTOFF)
    with world.computed() as computed:
        assert computed.judge("cloud_invoices_cover_cutoff").passed


def test_a_rejected_batch_blocks_until_a_good_one_comes(tmp_path: Path) -> None:
    world = World(tmp_path).event("E-1", 1)
    world.put("focus", LATER, "data.csv", "BilledCost\n1\n")
    world.add("focus_delta", LATER).add("focus_delta", LATER, ChargePeriodStart="some day")
    with world.computed() as computed:
        judged = computed.judge("no_batch_is_rejected")
        assert not judged.passed
        assert judged.figures == {"rejected_batches": 1, "rows_without_month": 1}
        assert {row["batch_id"] for row in rows_of(judged)} == {
            "cloud/focus/20250311T000000Z", "cloud/focus_delta/20250311T000000Z",
        }  # fmt: skip
        assert computed.judge("events_are_conserved").passed
    world.add("focus", LAST).add("focus_delta", LAST)
    with world.computed() as computed:
        assert computed.judge("no_batch_is_rejected").passed


def test_a_day_is_late_once_it_is_due_and_not_before(tmp_path: Path) -> None:
    # The 5th is due on the 6th at 12:00. On the 5th nobody is late; on the 7th, by a delivery for another tenant, T-1 is.
    world = World(tmp_path).event("E-1", 10, arrival="20250305T180000Z")
    with world.computed() as computed:
        judged = computed.judge("deliveries_are_in_time")
        assert (judged.passed, judged.figures["days_due"]) == (True, 0)
        assert [row["in_time"] for row in computed.rows("cloud_days")] == [False]
    world.event("E-2", 10, "2025-03-06", arrival="20250307T060000Z", tenant_id="T-2")
    with world.computed() as computed:
        judged = computed.judge("deliveries_are_in_time")
        # T-2's 6th came before it was due, and counts.
        assert judged.figures == {"days_due": 2, "days_in_time": 1, "days_late": 0, "days_missing": 1}
        assert [(row["tenant_id"], str(row["usage_date"])[:10]) for row in rows_of(judged)] == [("T-1", "2025-03-05")]
    world.event("E-3", 10, "2025-03-06", arrival="20250308T060000Z")
    with world.computed() as computed:
        judged = computed.judge("deliveries_are_in_time")
        # Both days of T-1 were delivered on the 8th: the 5th a day and a half late, the 6th, due on the 7th at 12:00, 18 hours.
        assert judged.figures == {"days_due": 3, "days_in_time": 1, "days_late": 2, "days_missing": 0}
