"""Whatever arrives, in whatever order it is read: nothing is lost, and the store is a function of the batches alone."""

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity_tests.landing.support import DEFAULTS, Store, put_rows, row

Row = Mapping[str, str]

_CHOICES: dict[str, dict[str, Sequence[str]]] = {
    "customers": {"customer_id": ("CU-1", "CU-2"), "customer_name": ("x", "y", "")},
    "sites": {"site_id": ("S-1", "S-2"), "timezone": ("America/New_York", "UTC", "Nowhere")},
    "contract_versions": {
        "contract_id": ("A", "B"),
        "version": ("1", "2", "3", "x"),
        "customer_id": ("CU-1", "CU-1", "CU-2"),
        "site_id": ("S-1", "S-1", "S-2"),
        "effective_from": ("2025-01-01", "2025-03-04", "2025-03-09"),
        "effective_to": ("", "", "2025-03-10", "2025-03-05"),
        "status": ("active", "active", "terminated"),
    },
    "meter_readings": {
        "meter_id": ("M1", "m1 ", "M2", ""),
        "contract_id": ("A", "B", "C"),
        "site_id": ("S-1", "S-1", "S-2"),
        "reading_date": ("2025-03-05", "2025-03-09", "2025-04-01", "2025-02-30"),
        "kwh": ("100", "100.0", "235", "-1"),
        "read_type": ("actual", "estimated", " Actual"),
    },
    "power_bills": {
        "site_id": ("S-1", "S-2"),
        "bill_version": ("1", "2"),
        "status": ("estimated", "final"),
        "service_month": ("2025-03", "2025-04"),
    },
    "erp_invoices": {
        "line_no": ("1", "2"),
        "service_month": ("2025-02", "2025-03", "2025-13"),
        "amount": ("10.00", "11.00"),
        "erp_contract_ref": ("A", "R-A", ""),
    },
    "erp_mapping": {"contract_id": ("A", "B"), "customer_id": ("CU-1", "CU-2"), "valid_from": ("2025-01-01", "2025-02-01")},
}


@dataclass(frozen=True)
class Delivery:
    """A batch to be: its source, arrival, and files of rows."""

    source: str
    arrival: str
    files: tuple[tuple[Row, ...], ...]

    def put(self, landing: Path) -> None:
        for number, rows in enumerate(self.files):
            put_rows(landing, self.source, self.arrival, *rows, file_name=f"{number}.csv")


def _rows(source: str) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _CHOICES[source].items()}).map(
        lambda changes: row(source, **changes)
    )


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    hours = draw(st.lists(st.integers(0, 23), min_size=2, max_size=9, unique=True))
    sources = st.sampled_from([*_CHOICES, "contract_versions", "meter_readings", "meter_readings"])
    found = []
    for hour in hours:
        source = draw(sources)
        files = st.lists(st.lists(_rows(source), min_size=1, max_size=4).map(tuple), min_size=1, max_size=2)
        found.append(Delivery(source, f"20250310T{hour:02d}0000Z", tuple(draw(files))))
    if draw(st.integers(0, 3)):
        # Most worlds begin with a contract, else nearly every row would wait for a reference.
        world = [name for name in ("customers", "sites", "contract_versions") if draw(st.integers(0, 9))]
        found += [Delivery(name, "20241201T000000Z", ((row(name),),)) for name in world]
    return found


def _state(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return the state without the times of files, which differ between two landing zones."""
    state = store.state()
    state["meta.batches"] = [
        tuple(re.sub(r", \d{15,}]", "]", value) if isinstance(value, str) else value for value in batch)
        for batch in state["meta.batches"]
    ]
    return state


def _ingested(home: Path, parts: Sequence[Sequence[Delivery]]) -> Store:
    store = Store(home / "landing")
    for part in parts:
        for delivery in part:
            delivery.put(store.landing)
        store.ingest()
    return store


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_reading_bit_by_bit_in_any_order_gives_what_reading_at_once_and_a_plain_reading_of_the_rules_give(
    data: st.DataObject,
) -> None:
    batches = data.draw(deliveries())
    order = data.draw(st.permutations(batches))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order) - 1), max_size=2)))
    parts = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    with tempfile.TemporaryDirectory() as home:
        whole = _ingested(Path(home, "whole"), [batches])
        pieces = _ingested(Path(home, "pieces"), parts)
        assert _state(pieces) == _state(whole)
        for loaded in whole.batches().values():
            rows, kept, quarantined, duplicates, _ = loaded
            assert rows == kept + quarantined + duplicates
        lines = "select split_part(batch_id, '/', 3), file_name, row_number"
        fates = _Plain(batches).fates()
        for source in _CHOICES:
            surviving = set(whole.rows(f"{lines} from raw.{source} where row_status = 'surviving'"))
            superseded = set(whole.rows(f"{lines} from raw.{source} where row_status = 'superseded'"))
            quarantined = set(whole.rows(f"{lines} from meta.quarantine where source = '{source}'"))
            assert (surviving, superseded, quarantined) == fates[source], source


class _Plain:
    """The rules, row by row and in the order in which the specification tells them; slow, short, and shares nothing."""

    def __init__(self, batches: Sequence[Delivery]) -> None:
        self.rows: dict[str, list[tuple[tuple[str, str, int], dict[str, str]]]] = defaultdict(list)
        for batch in sorted(batches, key=lambda each: each.arrival):
            for file, rows in enumerate(batch.files):
                for number, each in enumerate(rows, 1):
                    values = {name: value.strip().lower() for name, value in each.items()}
                    self.rows[batch.source].append(((batch.arrival, f"{file}.csv", number), values))

    def fates(self) -> dict[str, tuple[set[Any], set[Any], set[Any]]]:
        fates = {}
        good: dict[str, list[tuple[Any, dict[str, str]]]] = {}
        standing: dict[str, list[dict[str, str]]] = defaultdict(list)
        for source in _CHOICES:
            good[source] = [each for each in self.rows[source] if self._is_sound(source, each[1], standing)]
            if source == "contract_versions":
                good[source] = self._anchored(good[source])
            surviving, superseded = self._resolve(source, good[source])
            standing[source] = [values for line, values in good[source] if line in surviving]
            lines = {line for line, _ in good[source]}
            fates[source] = surviving, superseded, {line for line, _ in self.rows[source]} - lines
        return fates

    def _is_sound(self, source: str, r: dict[str, str], standing: Mapping[str, list[dict[str, str]]]) -> bool:
        def known(name: str) -> bool:
            return any(each[f"{name}_id"] == r[f"{name}_id"] for each in standing[f"{name}s"])

        match source:
            case "customers":
                return r["customer_name"] != ""
            case "sites":
                return r["timezone"] != "nowhere"
            case "contract_versions":
                ordered = not r["effective_to"] or r["effective_to"] >= r["effective_from"]
                return r["version"] != "x" and ordered and known("customer") and known("site")
            case "power_bills":
                return known("site")
            case "erp_invoices":
                return r["service_month"] != "2025-13"
            case "erp_mapping":
                owners = {
                    each["customer_id"] for each in standing["contract_versions"] if each["contract_id"] == r["contract_id"]
                }
                return owners == {r["customer_id"]}
        if not r["meter_id"] or r["reading_date"] == "2025-02-30" or r["kwh"] == "-1" or not known("site"):
            return False
        versions = [each for each in standing["contract_versions"] if each["contract_id"] == r["contract_id"]]
        on_day = [
            each
            for each in versions
            if each["effective_from"] <= r["reading_date"]
            and (not each["effective_to"] or each["effective_to"] >= r["reading_date"])
        ]
        if not on_day or max(on_day, key=lambda each: int(each["version"]))["status"] != "active":
            return False
        (zone,) = (each["timezone"] for each in standing["sites"] if each["site_id"] == r["site_id"])
        short = zone == "america/new_york" and date.fromisoformat(r["reading_date"]) == date(2025, 3, 2) + timedelta(days=7)
        return versions[0]["site_id"] == r["site_id"] and float(r["kwh"]) <= 10 * (23 if short else 24)

    @staticmethod
    def _anchored(rows: list[tuple[Any, dict[str, str]]]) -> list[tuple[Any, dict[str, str]]]:
        first: dict[str, tuple[str, str]] = {}
        for _, r in sorted(rows, key=lambda each: (each[0][0], int(each[1]["version"]), each[0])):
            first.setdefault(r["contract_id"], (r["customer_id"], r["site_id"]))
        return [each for each in rows if first[each[1]["contract_id"]] == (each[1]["customer_id"], each[1]["site_id"])]

    @staticmethod
    def _resolve(source: str, rows: list[tuple[Any, dict[str, str]]]) -> tuple[set[Any], set[Any]]:
        key, within, rank = {
            "customers": (("customer_id",), (), None),
            "sites": (("site_id",), (), None),
            "contract_versions": (("contract_id", "version"), (), None),
            "meter_readings": (("meter_id", "reading_date"), ("read_type",), "read_type"),
            "power_bills": (("site_id", "service_month"), ("bill_version",), "bill_version"),
            "erp_invoices": (("document_id", "line_no"), (), None),
            "erp_mapping": (("erp_customer_code", "erp_contract_ref", "valid_from"), (), None),
        }[source]
        last: dict[Any, tuple[Any, str]] = {}
        kept: dict[Any, list[tuple[Any, Any]]] = defaultdict(list)
        for place, (line, r) in enumerate(rows):
            group = tuple(r[name] for name in (*key, *within))
            content = json.dumps(r | {"kwh": str(float(r.get("kwh", "0")))})
            if last.get(group, (None, ""))[1] == content:
                continue
            last[group] = line, content
            # 'actual' comes before 'estimated' and must win; a higher bill version wins.
            preferred = -ord(r[rank][0]) if rank == "read_type" else int(r[rank]) if rank else 0
            kept[tuple(r[name] for name in key)].append(((preferred, place), line))
        winners = {max(lines)[1] for lines in kept.values()}
        return winners, {line for lines in kept.values() for _, line in lines} - winners


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_files_and_their_division_do_not_decide(data: st.DataObject) -> None:
    """Rows of different keys, shuffled, over more files or more batches in a row, survive alike."""
    keys = data.draw(st.lists(st.integers(0, 30), min_size=2, max_size=8, unique=True))
    rows = [DEFAULTS["erp_invoices"] | {"document_id": f"D{key}", "amount": f"{key}.50"} for key in keys]
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(1, len(rows) - 1))
    one = [Delivery("erp_invoices", "20250310T000000Z", (tuple(rows),))]
    files = [Delivery("erp_invoices", "20250310T000000Z", (tuple(shuffled[:cut]), tuple(shuffled[cut:])))]
    split = [
        Delivery("erp_invoices", "20250310T000000Z", (tuple(shuffled[:cut]),)),
        Delivery("erp_invoices", "20250310T000001Z", (tuple(shuffled[cut:]),)),
    ]
    with tempfile.TemporaryDirectory() as home:
        stores = [_ingested(Path(home, str(number)), [batches]) for number, batches in enumerate((one, files, split))]
        survivors = [
            store.rows("select document_id, amount_cents, row_status from raw.erp_invoices order by 1") for store in stores
        ]
        assert survivors[0] == survivors[1] == survivors[2]
        hashes = [store.rows("select source, month, hash from meta.slices order by all") for store in stores]
        assert hashes[0] == hashes[1]
