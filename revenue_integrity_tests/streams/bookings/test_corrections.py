"""Drafts of corrections: landed and computed in a copy of the home, they clear the causes that they were made for."""

from datetime import date
from pathlib import Path

import pandas as pd

from revenue_integrity.landing import zone
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving import drafts
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.streams.bookings.world import EARLY, customer, entry, line, put
from revenue_integrity_tests.support import home_settings
from revenue_integrity_tests.without_dagster import bring_up_to_date

MARCH = date(2025, 3, 1)


def faulty(home: Path) -> Deployment:
    """Return a home of March 2025: lines of 100.00, 200.00 … 500.00 a month, all but the first booked wrongly."""
    deployment = deployment_of(home_settings(home, first_month="2025-03", last_month="2025-03"))
    landing = deployment.settings.landing_path
    put(landing, "customers", EARLY, [customer()])
    put(landing, "deal_lines", EARLY, [line(f"D-{at}", start_date="2025-03-01", amount=f"{at * 1200}.00") for at in range(1, 6)])
    put(
        landing, "recognition_entries", "20250420T000000Z",
        [
            entry("E-1", "2025-03"),
            # Twice; not at all; ten times as much; under a name that nobody knows.
            entry("E-2", "2025-03", "200.00", deal_id="D-2"), entry("E-3", "2025-03", "200.00", deal_id="D-2"),
            entry("E-4", "2025-03", "4000.00", deal_id="D-4"),
            entry("E-5", "2025-03", "500.00", deal_id="", line_no="", customer_id="C-1", accounting_ref="ARR-77"),
        ],
    )  # fmt: skip
    bring_up_to_date(deployment, only="bookings")
    return deployment


def causes(home: Deployment) -> dict[tuple[str | None, str], int]:
    """Return the cents of each cause of what accounting recognized, of all entries, by deal."""
    found = publish.read_published(home.settings, "bookings_recon_causes", [MARCH])
    now = found[(found["view"] == "current") & (found["recon"] == "recognized_vs_schedule")]
    deals = [None if pd.isna(deal) else str(deal) for deal in now["deal_id"]]
    return dict(zip(zip(deals, now["cause"], strict=True), now["cause_cents"].astype(int), strict=True))


def test_landed_in_a_copy_the_drafts_clear_every_cause(tmp_path: Path) -> None:
    home = faulty(tmp_path / "home")
    assert causes(home) == {
        ("D-2", "duplicate_entry"): 20_000,
        ("D-3", "unrecognized"): -30_000,
        ("D-4", "decimal_shift"): 360_000,
        ("D-5", "unmapped_entry"): -50_000,
        (None, "unmapped_entry"): 50_000,
    }
    written = drafts.write(home, [BOOKINGS], MARCH, tmp_path / "drafts")
    assert written == {"_draft_bookings_recognition_entries.csv": 3, "_draft_bookings_recognition_mapping.csv": 1}
    rows = pd.read_csv(tmp_path / "drafts" / "_draft_bookings_recognition_entries.csv", dtype=str)
    assert rows[["deal_id", "amount", "entry_type", "reverses_entry_id"]].fillna("").to_numpy().tolist() == [
        ["D-2", "-200", "reversal", "E-3"],
        ["D-3", "300", "adjustment", ""],
        ["D-4", "-3600", "adjustment", ""],
    ]
    for name in ("recognition_entries", "recognition_mapping"):
        file = tmp_path / "drafts" / f"_draft_bookings_{name}.csv"
        landed = zone.land(home.settings, BOOKINGS.source(name), [file.rename(tmp_path / f"{name}.csv")])
        assert (landed.quarantined, landed.unknown_columns) == (0, ())
    bring_up_to_date(home, only="bookings")
    assert causes(home) == {}
