"""The toy stream: what it computes, and that it touches nothing of another stream."""

from dataclasses import replace
from pathlib import Path

from revenue_integrity.landing.ingest import ingest
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.warehouse import database
from revenue_integrity_tests.toy.sources import RENTALS
from revenue_integrity_tests.toy_home import computed, land_all, put, rental, toy_deployment


def test_rentals_become_what_each_boat_earned(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home")
    land_all(home.settings)
    put(home.settings, "20250311T000000Z", [rental("2025-02", "R-5", "B-2", "30.00", booked_at="2025-03-03T00:00:00Z")])
    with computed(home) as connection:
        boats = connection.sql("select strftime(month, '%Y-%m'), boat_id, rentals, due_cents, booked_cents from mart.toy_boats")
        assert sorted(boats.fetchall()) == [
            ("2025-01", "B-1", 2, 15_000, 15_000),
            ("2025-01", "B-2", 1, 7_000, 7_000),
            ("2025-02", "B-1", 1, 12_000, 12_000),
        ]
        refused = connection.sql("select source, dq_errors from meta.quarantine").fetchall()
    assert refused == [("rentals", "booked and booked_at must both be there, or neither")]


def test_bookings_are_compared_with_what_was_due_in_both_views(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home")
    put(
        home.settings,
        "20250220T000000Z",
        [
            rental("2025-01", "R-1", "B-1", "100.00", "100.00"),
            rental("2025-01", "R-2", "B-1", "50.00", "50.00", booked_at="2025-02-12T00:00:00Z"),
            rental("2025-01", "R-3", "B-2", "70.00", "69.00"),
            rental("2025-01", "R-4", "B-3", "20.00"),
        ],
    )
    with computed(home) as connection:
        rows = "select view, boat_id, left_cents, right_cents, variance_cents, status from recon.toy_recon_results order by all"
        assert connection.sql(rows).fetchall() == [
            ("as_of_close", "B-1", 10_000, 15_000, -5_000, "breach"),
            ("as_of_close", "B-2", 6_900, 7_000, -100, "within_tolerance"),
            ("as_of_close", "B-3", 0, 2_000, -2_000, "breach"),
            ("current", "B-1", 15_000, 15_000, 0, "matched"),
            ("current", "B-2", 6_900, 7_000, -100, "within_tolerance"),
            ("current", "B-3", 0, 2_000, -2_000, "breach"),
        ]
        totals = "select view, breaches, variance_signed, variance_gross from recon.toy_recon_summary order by all"
        assert connection.sql(totals).fetchall() == [("as_of_close", 2, -7_100, 7_100), ("current", 1, -2_100, 2_100)]


def test_every_cent_between_books_and_tariff_has_a_cause(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home")
    put(
        home.settings,
        "20250220T000000Z",
        [
            rental("2025-01", "R-1", "B-1", "100.00", "100.00"),
            rental("2025-01", "R-2", "B-1", "50.00", "50.00", booked_at="2025-02-12T00:00:00Z"),
            rental("2025-01", "R-3", "B-2", "71.50", "75.10"),
            rental("2025-01", "R-4", "B-3", "20.00"),
            rental("2025-01", "R-5", "B-3", "10.00", "10.01"),
            rental("2025-01", "R-6", "B-4", "70.00", "69.00"),
        ],
    )
    with computed(home) as connection:
        rows = (
            "select boat_id, family, cause, cause_cents, explanation from recon.toy_recon_causes where view = '{}' order by all"
        )
        of_all_postings = [
            ("B-2", "data", "digits_exchanged", 360, "75.10 is booked for R-3 where 71.50 is due."),
            ("B-3", "missing", "unbooked", -2_000, "Nothing is booked for R-4; 20.00 is due."),
            ("B-3", "rounding", "rounding", 1, "0.01 is what rounding leaves for B-3."),
            ("B-4", None, "unexplained", -100, "No rule explains -1.00."),
        ]
        late = ("B-1", "timing", "late_posting", -5_000, "50.00 for R-2 was booked after the cutoff.")
        assert connection.sql(rows.format("current")).fetchall() == of_all_postings
        assert connection.sql(rows.format("as_of_close")).fetchall() == [late, *of_all_postings]
        month = "select boats, due_cents, booked_cents, booked_share::varchar from mart.toy_month"
        # 304.11 of 321.50.
        assert connection.sql(month).fetchall() == [(4, 32_150, 30_411, "0.945910")]


def test_two_streams_with_a_source_of_one_name_keep_their_rows_apart(tmp_path: Path) -> None:
    twin = Stream("twin", (replace(RENTALS, stream="twin"),), (), ())
    home = toy_deployment(tmp_path / "home")
    both = Deployment(home.settings, Streams.of(*home.streams, twin))
    land_all(both.settings)
    put(both.settings, "20250210T000000Z", [rental("2025-01", "R-1", "T-9", "1.00", "1.00")], stream="twin")
    with database.connect(both.settings) as connection:
        for stream in both.streams:
            ingest(connection, both.settings.landing_path, stream.sources, both.settings)
        counts = "select (select count(*) from raw.toy_rentals), (select list(boat_id) from raw.twin_rentals)"
        assert connection.sql(counts).fetchall() == [(4, ["T-9"])]
        slices = "select distinct stream, source from meta.slices order by all"
        assert connection.sql(slices).fetchall() == [("toy", "toy_rentals"), ("twin", "twin_rentals")]
        # What one of them delivers again replaces nothing of the other's.
        put(both.settings, "20250212T000000Z", [rental("2025-01", "R-1", "T-9", "2.00", "1.00")], stream="twin")
        for stream in both.streams:
            ingest(connection, both.settings.landing_path, stream.sources, both.settings)
        due = "select list(due_cents order by due_cents) from raw.{}_rentals where row_status = 'surviving'"
        assert connection.sql(due.format("toy")).fetchall() == [([5_000, 7_000, 10_000, 12_000],)]
        assert connection.sql(due.format("twin")).fetchall() == [([200],)]
