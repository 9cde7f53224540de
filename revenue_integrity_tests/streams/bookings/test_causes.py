"""Causes of what was recognized otherwise than due: one deal per fault, each worked out by hand from 40-bookings, *Causes*.

Belongs here: which cause a fault gets, in which month, with how many cents. Does not belong here: whole cases (``test_cases``),
the faults that the simulator plants (``test_simulate``).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity_tests import cases
from revenue_integrity_tests.streams.bookings.world import EARLY, Row, customer, entry, line, put

JAN, FEB, MAR, APR, MAY, JUN = MONTHS = [f"2025-0{number}" for number in range(1, 7)]

Found = tuple[str, str, str, str, str, int]
"""Deal, line, revenue type, month, cause and cents."""


class Books:
    """Deals over the year 2025 with what was booked for them in its first half, and the causes that must come of it."""

    def __init__(self) -> None:
        self.customers: dict[str, Row] = {}
        self.lines: list[Row] = []
        self.entries: list[Row] = []
        self.billings: list[Row] = []
        self.milestones: list[Row] = []
        self.causes: Counter[Found] = Counter()

    def deal(self, deal: str, *, of: str = "", each: str = "100.00", but: Sequence[str] = (), **changes: object) -> str:
        """Add a line, 1,200.00 over the year if nothing else is said, booked right in each month but some."""
        number = int(str(changes.get("line_no", 1)))
        account = of or f"C-{deal}"
        self.customers[account] = customer(account)
        self.lines.append(line(deal, customer_id=account, **changes))
        for month in MONTHS:
            if month not in but:
                self.book(deal, month, each, line_no=number, revenue_type=changes.get("revenue_type", "subscription"))
        return deal

    def change(self, deal: str, effective_from: str, **changes: object) -> None:
        """Add a second version of a deal's line, agreed in February."""
        said = {"version": 2, "booked_on": "2025-02-20", "change": "expansion", "effective_from": effective_from}
        self.lines.append(line(deal, customer_id=f"C-{deal}") | said | changes)

    def end(self, deal: str, effective_from: str) -> None:
        """Cancel a deal's line."""
        self.change(deal, effective_from, status="cancelled", change="cancellation")

    def book(self, deal: str, month: str, amount: str, **changes: object) -> str:
        """Add an entry and return its id."""
        name = f"E-{len(self.entries):04d}"
        self.entries.append(entry(name, month, amount, deal_id=deal) | changes)
        return name

    def back(self, deal: str, month: str, amount: str, names: str = "") -> None:
        """Add a reversal."""
        self.book(deal, month, amount, entry_type="reversal", reverses_entry_id=names)

    def bill(self, deal: str, month: str, amount: str) -> None:
        """Add an invoice that names no line."""
        day = f"{month}-01"
        self.billings.append(
            {"document_id": f"I-{deal}", "document_line": 1, "document_type": "invoice", "deal_id": deal, "line_no": ""}
            | {"amount": amount, "currency": "USD", "invoice_date": day, "posted_at": f"{day}T00:00:00Z"}
        )

    def expect(self, deal: str, month: str, cause: str, cents: int, *, line_no: str = "1", of: str = "subscription") -> None:
        """Say which cause must be found."""
        self.causes[deal, line_no if deal else "", of, month, cause, cents] += 1

    def computed(self, home: Path, *datasets: str) -> list[list[dict[str, str]]]:
        """Return datasets of the months, as exports print them; no row of a deal is quarantined."""
        settings = BookingsSettings(home=home, first_month=JAN, last_month=JUN, threads=1)
        rows = {
            "customers": list(self.customers.values()),
            "deal_lines": self.lines,
            "recognition_entries": self.entries,
            "billings": self.billings,
            "milestones": self.milestones,
        }
        for source, of_source in rows.items():
            if of_source:
                put(settings.landing_path, source, EARLY, of_source)
        with cases.computed_case(settings, BOOKINGS, *datasets) as connection:
            assert not cases.dataset_rows(connection, settings, BOOKINGS, "quarantine")
            return [cases.dataset_rows(connection, settings, BOOKINGS, each) for each in datasets]

    def found(self, home: Path) -> Counter[Found]:
        """Return the causes that are found, in the view of all entries."""
        (found,) = self.computed(home, "bookings_recon_causes")
        names = ("deal_id", "line_no", "revenue_type", "month", "cause")
        # The checker does not count the parts of a tuple that is made from another.
        return Counter(
            (*(row[name] for name in names), int(row["cause_cents"]))  # type: ignore[misc]
            for row in found
            if row["view"] == "current"
        )


def amounts(books: Books) -> None:
    """Amounts that are wrong in themselves."""
    books.deal("D-CENT", but=[FEB])
    books.book("D-CENT", FEB, "100.01")
    books.expect("D-CENT", FEB, "rounding", 1)
    # 100.05 over six months is 16.68 and 16.67 in turn: each month was rounded by itself, the rest came in the last one.
    books.deal("D-LAST", each="16.67", but=[JUN], amount="100.05", duration_months=6)
    books.book("D-LAST", JUN, "16.70")
    for month, cents in ((JAN, -1), (MAR, -1), (MAY, -1), (JUN, 3)):
        books.expect("D-LAST", month, "rounding", cents)
    books.deal("D-SIGN", but=[FEB])
    books.book("D-SIGN", FEB, "-100.00")
    books.expect("D-SIGN", FEB, "wrong_sign", -20_000)
    books.deal("D-POINT", but=[FEB, MAY])
    books.book("D-POINT", FEB, "1000.00")
    books.book("D-POINT", MAY, "10.00")
    books.expect("D-POINT", FEB, "decimal_shift", 90_000)
    books.expect("D-POINT", MAY, "decimal_shift", -9_000)
    # 0.50 are due: 0.05 are below 1.00, too little to tell a shifted point from anything else.
    books.deal("D-SMALL", each="0.50", but=[FEB], amount="6.00")
    books.book("D-SMALL", FEB, "0.05")
    books.expect("D-SMALL", FEB, "unexplained", -45)
    books.deal("D-DIGITS", each="123.00", but=[FEB], amount="1476.00")
    books.book("D-DIGITS", FEB, "132.00")
    books.expect("D-DIGITS", FEB, "transposed_digits", 900)
    # A thirteenth of 1,200.00.
    books.deal("D-TERM", but=[FEB])
    books.book("D-TERM", FEB, "92.31")
    books.expect("D-TERM", FEB, "wrong_duration", -769)
    books.deal("D-ODD", but=[FEB])
    books.book("D-ODD", FEB, "137.77")
    books.expect("D-ODD", FEB, "unexplained", 3_777)


def missing_and_twice(books: Books) -> None:
    """Entries that are not there, are there twice, or are taken back."""
    books.deal("D-NONE", but=[FEB])
    books.expect("D-NONE", FEB, "unrecognized", -10_000)
    books.deal("D-TWICE")
    books.book("D-TWICE", FEB, "100.00")
    books.book("D-TWICE", FEB, "100.00")
    for _ in range(2):
        books.expect("D-TWICE", FEB, "duplicate_entry", 10_000)
    books.deal("D-HALVES", but=[FEB])
    books.book("D-HALVES", FEB, "50.00")
    books.book("D-HALVES", FEB, "50.00")
    books.deal("D-BACK", but=[JAN])
    books.back("D-BACK", APR, "-100.00", books.book("D-BACK", JAN, "100.00"))
    books.expect("D-BACK", APR, "reversal", -10_000)
    books.deal("D-NAMELESS")
    books.back("D-NAMELESS", APR, "-100.00")
    books.expect("D-NAMELESS", APR, "reversal_unreferenced", -10_000)
    # Taken back and booked right within the month: no variance.
    books.deal("D-MENDED", but=[FEB])
    books.back("D-MENDED", FEB, "-150.00", books.book("D-MENDED", FEB, "150.00"))
    books.book("D-MENDED", FEB, "100.00")
    # 20.00 too much beside a reversal of 30.00: without it, it would be 50.00, farther from nothing.
    books.deal("D-NEARER")
    books.book("D-NEARER", FEB, "50.00", entry_type="adjustment")
    books.back("D-NEARER", FEB, "-30.00")
    books.expect("D-NEARER", FEB, "unexplained", 2_000)
    books.deal("D-UNDONE")
    books.back("D-UNDONE", MAR, "-100.00", books.book("D-UNDONE", FEB, "100.00"))
    books.expect("D-UNDONE", FEB, "duplicate_entry", 10_000)
    books.expect("D-UNDONE", MAR, "reversal", -10_000)


def moves(books: Books) -> None:
    """Amounts that stand elsewhere."""
    books.deal("D-FROM", of="C-MOVE")
    books.deal("D-TO", of="C-MOVE", each="70.00", but=[FEB], amount="840.00")
    taken = books.book("D-FROM", FEB, "70.00")
    books.expect("D-FROM", FEB, "wrong_deal", 7_000)
    books.expect("D-TO", FEB, "wrong_deal", -7_000)
    # Put right a month later.
    books.back("D-FROM", MAR, "-70.00", taken)
    books.book("D-TO", MAR, "70.00")
    books.expect("D-FROM", MAR, "reversal", -7_000)
    books.expect("D-TO", MAR, "prior_months", 7_000)
    books.deal("D-ONE", of="C-SWAP", but=[FEB])
    books.deal("D-OTHER", of="C-SWAP", each="70.00", but=[FEB], amount="840.00")
    books.book("D-ONE", FEB, "70.00")
    books.book("D-OTHER", FEB, "100.00")
    books.expect("D-ONE", FEB, "wrong_deal", -3_000)
    books.expect("D-OTHER", FEB, "wrong_deal", 3_000)
    books.deal("D-TYPE", but=[FEB])
    books.book("D-TYPE", FEB, "100.00", revenue_type="setup")
    books.expect("D-TYPE", FEB, "wrong_type", -10_000)
    books.expect("D-TYPE", FEB, "wrong_type", 10_000, of="setup")
    books.deal("D-LOST", but=[FEB])
    books.book("", FEB, "100.00", line_no="", customer_id="C-D-LOST")
    books.expect("D-LOST", FEB, "unmapped_entry", -10_000)
    books.expect("", FEB, "unmapped_entry", 10_000)
    # Two lines of the type, and the entry names none: the one that lacks it.
    books.deal("D-LINES")
    books.deal("D-LINES", each="80.00", but=[FEB], line_no=2, amount="960.00")
    books.book("D-LINES", FEB, "80.00", line_no="")
    books.expect("D-LINES", FEB, "unmapped_entry", -8_000, line_no="2")
    books.expect("", FEB, "unmapped_entry", 8_000)
    books.deal("D-LATER", but=[FEB])
    books.book("D-LATER", MAR, "100.00")
    books.expect("D-LATER", FEB, "period_shift", -10_000)
    books.expect("D-LATER", MAR, "period_shift", 10_000)
    books.deal("D-WORK", each="0.00", amount="1000.00", policy="milestone", revenue_type="service")
    books.milestones.append({"deal_id": "D-WORK", "line_no": 1, "milestone_no": 1, "share": "0.4", "completed_on": "2025-02-10"})
    books.book("D-WORK", MAR, "400.00", revenue_type="service")
    books.expect("D-WORK", FEB, "period_shift", -40_000, of="service")
    books.expect("D-WORK", MAR, "period_shift", 40_000, of="service")


def cures(books: Books) -> None:
    """Amounts that make up for earlier months."""
    books.deal("D-CURED", but=[JAN, FEB])
    books.book("D-CURED", APR, "200.00")
    books.expect("D-CURED", JAN, "unrecognized", -10_000)
    books.expect("D-CURED", FEB, "unrecognized", -10_000)
    books.expect("D-CURED", APR, "prior_months", 20_000)
    books.deal("D-PARTLY", but=[JAN, FEB])
    books.book("D-PARTLY", APR, "100.00")
    books.expect("D-PARTLY", JAN, "unrecognized", -10_000)
    books.expect("D-PARTLY", FEB, "unrecognized", -10_000)
    books.expect("D-PARTLY", APR, "prior_months", 10_000)
    books.deal("D-AHEAD", but=[JAN, FEB, MAR])
    books.book("D-AHEAD", JAN, "350.00")
    books.expect("D-AHEAD", JAN, "unexplained", 25_000)
    books.expect("D-AHEAD", FEB, "prior_months", -10_000)
    books.expect("D-AHEAD", MAR, "prior_months", -10_000)
    # Before the deployment, a month before it was due.
    books.deal("D-SOON", but=[JAN])
    books.book("D-SOON", "2024-12", "100.00")
    books.expect("D-SOON", JAN, "prior_months", -10_000)


def terms(books: Books) -> None:
    """Amounts that the line would owe on other terms."""
    books.deal("D-OVER", but=[APR, MAY, JUN])
    books.end("D-OVER", "2025-03-01")
    books.expect("D-OVER", MAR, "after_cancellation", 10_000)
    # 2,200.00 less 200.00 over ten months: 200.00 a month; as a catch-up, 550.00 to date in March.
    books.deal("D-STALE", but=[APR, MAY, JUN])
    books.change("D-STALE", "2025-03-01", amount="2200.00")
    books.expect("D-STALE", MAR, "stale_version", -10_000)
    books.deal("D-TREATED", but=[MAR, APR, MAY, JUN])
    books.change("D-TREATED", "2025-03-01", amount="2200.00")
    books.book("D-TREATED", MAR, "350.00")
    books.expect("D-TREATED", MAR, "wrong_modification", 15_000)
    for deal in ("D-STALE", "D-TREATED"):
        for month in (APR, MAY, JUN):
            books.book(deal, month, "200.00")
    books.deal("D-SIGNED", but=[JAN, FEB], booked_on="2025-02-10")
    books.book("D-SIGNED", FEB, "100.00")
    books.expect("D-SIGNED", FEB, "catch_up_missing", -10_000)
    books.deal("D-BUNDLE", standalone_price="1500")
    setup = {"line_no": 2, "revenue_type": "setup", "amount": "600.00", "standalone_price": "500", "duration_months": 1}
    books.lines.append(line("D-BUNDLE", customer_id="C-D-BUNDLE") | setup)
    books.book("D-BUNDLE", JAN, "450.00", line_no=2, revenue_type="setup")
    for month in MONTHS:
        books.expect("D-BUNDLE", month, "price_not_allocated", -1_250)
    books.deal("D-ONCE", but=MONTHS)
    books.book("D-ONCE", JAN, "1200.00")
    books.expect("D-ONCE", JAN, "wrong_policy", 110_000)
    for month in MONTHS[1:]:
        books.expect("D-ONCE", month, "wrong_policy", -10_000)
    books.deal("D-BILLED", but=[FEB])
    books.bill("D-BILLED", FEB, "300.00")
    books.book("D-BILLED", FEB, "300.00")
    books.expect("D-BILLED", FEB, "recognized_as_billed", 20_000)
    # The invoice may be for either line, but four months instead of twelve give the same.
    books.deal("D-EITHER", but=[FEB])
    books.deal("D-EITHER", each="50.00", line_no=2, amount="600.00", revenue_type="support")
    books.bill("D-EITHER", FEB, "300.00")
    books.book("D-EITHER", FEB, "300.00")
    books.expect("D-EITHER", FEB, "wrong_duration", 20_000)


def outside(books: Books) -> None:
    """Amounts where nothing is due."""
    books.deal("D-EARLY", but=[JAN, FEB], start_date="2025-03-01")
    books.book("D-EARLY", JAN, "77.00")
    books.expect("D-EARLY", JAN, "before_start", 7_700)
    books.deal("D-ENDED", but=MONTHS, start_date="2024-01-01", booked_on="2023-12-10")
    books.book("D-ENDED", "2024-12", "1200.00")
    books.book("D-ENDED", JAN, "55.00")
    books.expect("D-ENDED", JAN, "after_end", 5_500)
    # Signed in March for the whole year: what January and February recognized came before anything was agreed.
    books.deal("D-UNSIGNED", booked_on="2025-03-10")
    books.expect("D-UNSIGNED", JAN, "before_start", 10_000)
    books.expect("D-UNSIGNED", FEB, "before_start", 10_000)
    books.expect("D-UNSIGNED", MAR, "catch_up_missing", -20_000)
    # Nothing of the type is ever due: it has not begun.
    books.deal("D-NEVER")
    books.book("D-NEVER", FEB, "33.00", revenue_type="support")
    books.expect("D-NEVER", FEB, "before_start", 3_300, of="support")


def test_every_fault_gets_the_cause_that_was_worked_out_by_hand(tmp_path: Path) -> None:
    books = Books()
    for faults in (amounts, missing_and_twice, moves, cures, terms, outside):
        faults(books)
    found = books.found(tmp_path)
    assert sorted((books.causes - found).elements()) == []
    assert sorted((found - books.causes).elements()) == []
