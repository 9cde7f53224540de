"""The run of a simulation: events, exports, invoices and look-ups, all of it as files, and the truth beside them.

Belongs here: what happens in which order, the look-ups, the files of the truth. Does not belong here: how any of it comes about.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from revenue_integrity.errors import UsageError
from revenue_integrity.model.simulator import Simulated
from revenue_integrity.streams.cloud.simulate.events import Feed
from revenue_integrity.streams.cloud.simulate.exports import Exporter
from revenue_integrity.streams.cloud.simulate.plan import STREAM, USUAL_EVENTS, read_plan
from revenue_integrity.streams.cloud.simulate.world import (
    ACCOUNTS,
    COST_PLACES,
    FOCUS_ACCOUNT_OWNER,
    MISSING_ACCOUNTS,
    MISSING_PRICING,
    MISSING_REGIONS,
    MISSING_SERVICES,
    NEW_OWNER,
    NO_TENANT,
    PRICING,
    PROVIDERS,
    REGIONS,
    SERVICES,
    TENANTS,
    build_lines,
)
from revenue_integrity.streams.simulating import JSON, Zone, decimal_text, text_table, write_truth

FAULT_COLUMNS = (
    "month",
    "source",
    "tenant_id",
    "account_id",
    "event_id",
    "invoice_id",
    "usage_date",
    "kind",
    "cost_effect",
    "planted_in_batch",
    "file_name",
    "row_number",
    "first_batch",
)
DAILY_COLUMNS = ("tenant_id", "account_id", "usage_date", "cost", "events")

Row = Mapping[str, str | None]


def simulate(
    landing: Path,
    truth: Path,
    *,
    months: Sequence[date],
    seed: int,
    faults: str,
    events_per_day: int = USUAL_EVENTS,
    currency: str = "USD",
) -> Simulated:
    """Write what the source systems would have sent for some months, and to ``truth`` what is wrong with it.

    The truth is ``cloud_faults.csv``, a row per faulty row that was sent (two for an event that moved: the day that it reaches
    and the one that it leaves), with what it does to the cost of its usage day by the time it arrives (``cost_effect``; of an
    invoice: charges less invoice), and ``cloud_daily_cost.csv``, what each account-day must cost in the end, without what lies
    beyond the lookback window. Tenants and accounts stand there as they were sent.

    Args:
        landing: root of the landing zone.
        truth: directory of the truth.
        months: usage months, consecutive.
        seed: the same arguments and seed give the same bytes.
        faults: ``default``, ``none``, or a TOML file with a table ``[cloud]`` of counts per kind (``plan``).
        events_per_day: billing events a day over all tenants, about.
        currency: currency of all amounts.

    Raises:
        UsageError: the arguments or the TOML file cannot be understood.
    """
    if events_per_day < 1 or seed < 0:
        raise UsageError(
            f"cannot simulate {events_per_day} billing events a day with seed {seed}",
            "Use at least one event a day, and a seed that is not negative",
        )
    plan = read_plan(faults, events_per_day)
    feed = Feed(months, build_lines(seed), plan, events_per_day, currency, seed)
    exporter = Exporter(months, plan, currency, seed)

    zone = Zone(landing, STREAM)
    _write_look_ups(months, zone)
    feed.send(zone)
    exporter.send(zone)

    planted = feed.truth()
    write_truth(truth / "cloud_faults.csv", FAULT_COLUMNS, [*planted, *exporter.planted])
    write_truth(truth / "cloud_daily_cost.csv", DAILY_COLUMNS, [*_daily_events(feed), *_daily_charges(exporter)])
    moved_twice = sum(row["kind"] == "moved" for row in planted) // 2
    return Simulated(zone.batches, zone.rows, len(planted) - moved_twice + len(exporter.planted))


def _daily_events(feed: Feed) -> Iterable[dict[str, Any]]:
    for account, day in zip(*np.nonzero(feed.count), strict=True):
        yield {
            "tenant_id": TENANTS[ACCOUNTS[account].tenant],
            "account_id": ACCOUNTS[account].account_id,
            "usage_date": (feed.first + timedelta(days=int(day))).isoformat(),
            "cost": decimal_text(int(feed.cost[account, day]), COST_PLACES),
            "events": int(feed.count[account, day]),
        }


def _daily_charges(exporter: Exporter) -> Iterable[dict[str, Any]]:
    found: dict[tuple[str, date], list[int]] = {}
    for provider, charge in exporter.standing:
        total = found.setdefault((charge.account or provider.billing_account, charge.day), [0, 0])
        total[0] += charge.billed
        total[1] += 1
    for (account, day), (cost, count) in found.items():
        yield {
            "tenant_id": NO_TENANT,
            "account_id": account,
            "usage_date": day.isoformat(),
            "cost": decimal_text(cost, COST_PLACES),
            "events": count,
        }


def _write_look_ups(months: Sequence[date], zone: Zone) -> None:
    """Write what there is to look up before the first month, and an account's new owner half-way."""
    at = datetime.combine(months[0] - timedelta(days=7), time(5, 0), UTC)

    def write(source: str, minutes: int, rows: Sequence[Row], when: datetime = at) -> None:
        zone.write(source, when + timedelta(minutes=minutes), source, text_table(tuple(rows[0]), rows), JSON)

    accounts = _account_rows()
    write("accounts", 0, accounts)
    write("services", 5, _known("service_name", "service_category", SERVICES, MISSING_SERVICES))
    write("regions", 10, _known("region", "region_name", REGIONS, MISSING_REGIONS))
    write("pricing_models", 15, _known("pricing_model", "description", PRICING, MISSING_PRICING))
    account, owner = NEW_OWNER
    later = datetime.combine(months[len(months) // 2].replace(day=10), time(5, 0), UTC)
    write("accounts", 0, [{**row, "billing_owner": owner} for row in accounts if row["account_id"] == account], later)


def _account_rows() -> list[Row]:
    rows: list[Row] = [
        {
            "account_id": account.account_id,
            "tenant_id": TENANTS[account.tenant],
            "account_name": account.name,
            "billing_owner": account.owner,
        }
        for account in ACCOUNTS
    ]
    rows += [
        {
            "account_id": sub_account or provider.billing_account,
            "tenant_id": NO_TENANT,
            "account_name": f"{provider.name} {sub_account or 'shared charges'}",
            "billing_owner": FOCUS_ACCOUNT_OWNER,
        }
        for provider in PROVIDERS
        for sub_account in provider.sub_accounts
    ]
    return [row for row in rows if row["account_id"] not in MISSING_ACCOUNTS]


def _known(key: str, value: str, entries: Mapping[str, str], missing: Sequence[str]) -> list[Row]:
    return [{key: name, value: text} for name, text in entries.items() if name not in missing]
