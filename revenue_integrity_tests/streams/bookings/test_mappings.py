"""The examples of mappings of bookings: exports of a CRM and of an ERP land as the contracts want them."""

from pathlib import Path

import duckdb

from revenue_integrity.landing.conversion import apply_mapping
from revenue_integrity.landing.mapping import load_mapping
from revenue_integrity.streams import bookings
from revenue_integrity_tests.support import SHIPPED

EXAMPLES = Path(bookings.__file__).parent / "mappings"

CRM = (
    "Opportunity ID,Line Number,Revision,Account ID,Account Name,Account Segment,Billing Country,Product Name,Product Family,"
    "Total Price,List Price,Close Date,Service Start Date,Service End Date,Term (Months),Revenue Schedule,Line Status,Type,"
    "Amendment Treatment,Amendment Date,Stage\n"
    'OPP-7,1,1,ACC-1,"Norwind, Inc.",enterprise,US,Suite,Platform,"12,000.00","12,500.00",01/15/2025,02/01/2025,01/31/2026,12,'
    "Straight Line,Active,New Business,,,Closed Won\n"
    'OPP-7,1,2,ACC-1,"Norwind, Inc.",enterprise,US,Suite,Platform,"18,000.00","12,500.00",06/20/2025,02/01/2025,01/31/2026,12,'
    "Straight Line,Active,Upsell,Cumulative Catch-Up,07/01/2025,Closed Won\n"
    'OPP-8,1,1,ACC-2,Ostsee,smb,DE,Setup,Onboarding,"1,000.00","1,000.00",01/20/2025,02/01/2025,02/28/2025,1,On Delivery,Active,'
    "New Business,,,Proposal\n"
)

ERP = (
    "Journal Line ID,Revenue Element,Customer Number,Source Order,Source Line,Service Period,Revenue Category,Amount,Currency,"
    "Posted At,Journal Type,Reverses Line,Performance Obligation,Accounting Book,Approved By,Approved At,Line Status\n"
    'J-1,RE-1,ACC-1,OPP-7,1,FEB 2025,SUBS,"1,000.00",USD,03/03/2025 18:30,Revenue Recognition,,,US GAAP,pat,'
    "03/04/2025 09:00,Posted\n"
    'J-2,RE-1,ACC-1,OPP-7,1,Feb 2025,SUBS,"(1,000.00)",USD,11/02/2025 01:30,Reversal,J-1,,US GAAP,,,Posted\n'
    "J-3,RE-1,ACC-1,OPP-7,1,Mar 2025,SUBS,1000.00,USD,,Revenue Recognition,,,US GAAP,,,Planned\n"
)


def landed(tmp_path: Path, example: str, text: str, columns: str) -> list[tuple[object, ...]]:
    file = tmp_path / f"{example}.csv"
    file.write_text(text, encoding="utf-8")
    result = apply_mapping(load_mapping(EXAMPLES / f"{example}.toml", SHIPPED.source), [file], tmp_path / example)
    return duckdb.sql(f"select {columns} from read_parquet('{result.files[0]}') order by all").fetchall()


def test_revisions_of_won_opportunity_lines_are_versions_of_deal_lines(tmp_path: Path) -> None:
    columns = "deal_id, version, revenue_type, amount, booked_on, effective_from, policy, change, modification"
    assert landed(tmp_path, "crm_deal_lines", CRM, columns) == [
        ("OPP-7", "1", "subscription", "12000.00", "2025-01-15", None, "equal_months", "new", None),
        ("OPP-7", "2", "subscription", "18000.00", "2025-06-20", "2025-07-01", "equal_months", "expansion", "catch_up"),
    ]


def test_the_same_export_names_the_customers_that_won(tmp_path: Path) -> None:
    rows = landed(tmp_path, "crm_customers", CRM, "distinct customer_id, customer_name, segment, country, status")
    assert rows == [("ACC-1", "Norwind, Inc.", "enterprise", "US", "active")]


def test_posted_lines_of_an_arrangement_are_recognition_entries_in_universal_time(tmp_path: Path) -> None:
    columns = "entry_id, period, revenue_type, amount, posted_at, entry_type, reverses_entry_id, standard, reviewed_at"
    assert landed(tmp_path, "erp_revenue_arrangements", ERP, columns) == [
        # New York is five hours behind in March; 01:30 on 2 November is taken for its second pass, five hours behind too.
        (
            "J-1",
            "2025-02",
            "subscription",
            "1000.00",
            "2025-03-03T23:30:00.000000Z",
            "recognition",
            None,
            "asc606",
            "2025-03-04T14:00:00.000000Z",
        ),
        ("J-2", "2025-02", "subscription", "-1000.00", "2025-11-02T06:30:00.000000Z", "reversal", "J-1", "asc606", None),
    ]
