"""Costs as exporters write them: up to eighteen places, exponents, floating point; exact on every path a file can take."""

import io
import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity.landing.eventstore import keeping
from revenue_integrity_tests.streams.cloud.support import EVENT_TYPES, Cloud, charge, csv_bytes, event, json_bytes, parquet_bytes

ARRIVAL = "20250307T060000Z"

FIT = (
    "0.000000000000000001", "7E-10", "4.64752000000E-7", "1.23456789012E-1", "1.123456789012E+1", "25E-11", "1e-18", "3.5e-7",
    "0.30000000000000004", "12345.678901234567", "5E+2", "-0.0", "-1.5E-12", "1.23456789E-3",
    "98765432109876543.123456789012345678",
)  # fmt: skip

UNFIT = (
    "0.00012000000000000002",
    "2.7755575615628914e-17",
    "1E-19",
    "0.0000000000000000001",
    "1,234.50",
    "1e20",
    "NaN",
    "Infinity",
    "1e",
    "0x1p3",
)


def costs(cloud: Cloud) -> list[Decimal]:
    """Return the costs that count, in order."""
    return sorted(row["cost"] for row in cloud.survivors())


def in_order(texts: tuple[str, ...]) -> list[Decimal]:
    return sorted(map(Decimal, texts))


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_charges_keep_every_digit(tmp_path: Path, kind: str, quoted: bool) -> None:
    cloud = Cloud(tmp_path)
    rows = [charge(cost, ServiceName='"S"' if quoted else "S") for cost in (*FIT, *UNFIT)]
    cloud.put("focus", ARRIVAL, csv_bytes(rows) if kind == "csv" else json_bytes(rows), f"data.{kind}")
    cloud.run()
    assert costs(cloud) == in_order(FIT)
    refused = cloud.quarantine()
    assert [row for _, row, _ in refused] == list(range(len(FIT) + 1, len(FIT) + len(UNFIT) + 1))
    assert {reasons for _, _, reasons in refused} == {
        f"billedcost '{cost}' is not a decimal number with at most 18 places" for cost in UNFIT
    }


@pytest.mark.parametrize("typed_at_once", [False, True])
def test_events_keep_every_digit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed_at_once: bool) -> None:
    if typed_at_once:
        monkeypatch.setattr(keeping, "WORTH_TYPING", 0)
    positive = tuple(cost for cost in FIT if not cost.startswith("-"))
    cloud = Cloud(tmp_path)
    cloud.events(ARRIVAL, *(event(f"E-{place}", cost) for place, cost in enumerate((*positive, "1E-19")))).run()
    assert costs(cloud) == in_order(positive)
    assert [row for _, row, _ in cloud.quarantine()] == [len(positive) + 1]


def test_events_of_typed_parquet_keep_every_digit(tmp_path: Path) -> None:
    positive = tuple(cost for cost in FIT if not cost.startswith("-"))
    rows = [event(f"E-{place}", cost) for place, cost in enumerate(positive)]
    cloud = Cloud(tmp_path)
    cloud.put("billing_events", ARRIVAL, parquet_bytes(rows), "data.parquet")
    as_text = pa.schema([(field.name, pa.string() if field.name == "cost" else field.type) for field in EVENT_TYPES])
    again = [row | {"event_id": f"T-{row['event_id']}"} for row in rows]
    cloud.put("billing_events", "20250307T070000Z", parquet_bytes(again, as_text), "data.parquet")
    cloud.run()
    assert costs(cloud) == in_order(positive * 2)


def test_floating_point_is_read_by_its_shortest_decimal_form(tmp_path: Path) -> None:
    # Python's own repr is the shortest form that gives the same number again.
    chance = random.Random(7)
    numbers = [
        chance.choice((1, -1)) * round(chance.random() * 10 ** chance.randint(-6, 6), chance.randint(0, 14)) for _ in range(400)
    ]
    numbers += [0.1, 1e-18, 5e-324, 1e16, 123456789.0, 2.5e-7, 1 / 3]
    expected = [Decimal(repr(number)) for number in numbers]
    fit = [value for value in expected if -value.normalize().as_tuple().exponent <= 18]
    assert 0 < len(expected) - len(fit) < len(expected)
    table = pa.table({
        "BilledCost": numbers, "BillingPeriodStart": ["2025-03-01T00:00:00Z"] * len(numbers),
        "ChargePeriodStart": ["2025-03-05T00:00:00Z"] * len(numbers), "ProviderName": ["P"] * len(numbers),
        "BillingAccountId": [100200300.0] * len(numbers),
    })  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(table, sink)
    cloud = Cloud(tmp_path)
    cloud.put("focus", ARRIVAL, sink.getvalue(), "data.parquet")
    cloud.run()
    assert costs(cloud) == sorted(fit)
    assert len(cloud.quarantine()) == len(expected) - len(fit)
    # An account of digits alone stays one, whatever a notebook made of its column.
    assert {row["billing_account_id"] for row in cloud.survivors()} == {"100200300"}
