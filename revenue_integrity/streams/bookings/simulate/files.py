"""The files of the simulated systems: which row leaves with which delivery.

Belongs here: rows as the CRM, the ERP and the general ledger write them, and their batches. Does not belong here: what they say
(``deals``, ``booking``, ``faults``).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from revenue_integrity import months as service_months
from revenue_integrity.streams.bookings.simulate.booking import REVIEWERS, Bill, Books, Entry
from revenue_integrity.streams.bookings.simulate.deals import Line, World
from revenue_integrity.streams.bookings.simulate.due import Version, month_of, number_of
from revenue_integrity.streams.simulating import (
    CSV,
    GZIP,
    JSON,
    Zone,
    date_text,
    instant_text,
    micro_text,
    money_text,
    text_table,
)

ENTRY_COLUMNS = (
    "entry_id",
    "accounting_ref",
    "customer_id",
    "deal_id",
    "line_no",
    "period",
    "revenue_type",
    "amount",
    "currency",
    "posted_at",
    "entry_type",
    "reverses_entry_id",
    "obligation_id",
    "standard",
    "reviewed_by",
    "reviewed_at",
)
CONTROL_TOTAL_COLUMNS = ("period", "extracted_at", "lines", "amount")
BILLING_COLUMNS = (
    "document_id",
    "document_line",
    "document_type",
    "deal_id",
    "line_no",
    "amount",
    "currency",
    "invoice_date",
    "posted_at",
)

EXTRACT_TRAVELS = timedelta(minutes=5)
"""From the instant of an extract to the arrival of its files."""

Row = dict[str, str | None]
BadRow = dict[str, str | None]


class Files:
    """Writes what the systems send."""

    def __init__(self, world: World, books: Books, zone: Zone, currency: str, seed: int) -> None:
        self._world = world
        self._books = books
        self._zone = zone
        self._currency = currency
        self._rng = np.random.default_rng([seed, 304])
        self._deliveries = self._crm_deliveries()
        self.bad_rows: list[BadRow] = []

    def _crm_deliveries(self) -> list[datetime]:
        """Return when the CRM delivers: before the first month, in the middle of each, and when it has ended."""
        first = month_of(self._books.first)
        found = [datetime.combine(first - timedelta(days=7), time(6, 0), UTC)]
        for month in range(self._books.first, self._books.last + 1):
            found.append(datetime.combine(month_of(month).replace(day=16), time(6, 0), UTC))
            found.append(datetime.combine(month_of(month + 1), time(3, 0), UTC))
        return found

    def _extracts(self) -> list[datetime]:
        closes = [self._books.closes[month] for month in range(self._books.first - 1, self._books.last + 1)]
        return sorted(each for close in closes for each in (close.closing, close.later))

    # --- the CRM --------------------------------------------------------------------------------------------------------------

    def write_deals(self, bad: Mapping[int, int]) -> None:
        """Write customers, deal lines and milestones; ``bad`` says how many unusable rows each month has."""
        customers: list[tuple[date, Row]] = [
            (
                each.known_on,
                {
                    "customer_id": each.customer_id,
                    "customer_name": each.name,
                    "segment": each.segment,
                    "country": each.country,
                    "status": "active",
                },
            )
            for each in self._world.customers
        ]
        self._write_as_known("customers", 0, CSV, customers, ("customer_id",))
        lines = [
            (version.booked_on, _deal_row(line, version))
            for line in self._world.lines
            for version in line.versions
            if number_of(version.booked_on) <= self._books.last
        ]
        self._write_as_known("deal_lines", 5, JSON, lines, ("deal_id", "line_no", "version"), self._bad_deals(bad))
        milestones: list[tuple[date, Row]] = []
        for line in self._world.lines:
            for each in line.milestones:
                row: Row = {
                    "deal_id": line.deal.deal_id,
                    "line_no": str(line.line_no),
                    "milestone_no": str(each.number),
                    "share": micro_text(each.share),
                    "completed_on": None,
                }
                milestones.append((line.versions[0].booked_on, row))
                if each.completed_on and number_of(each.completed_on) <= self._books.last:
                    milestones.append((each.completed_on, {**row, "completed_on": date_text(each.completed_on)}))
        self._write_as_known("milestones", 10, CSV, milestones, ("deal_id", "line_no", "milestone_no"))

    def _write_as_known(
        self,
        source: str,
        minutes: int,
        form: str,
        known: Iterable[tuple[date, Row]],
        key: tuple[str, ...],
        bad: Mapping[datetime, list[tuple[str, Row]]] | None = None,
    ) -> None:
        """Write each row with the first delivery after it became known.

        What is known of one thing several times by then is sent as it was known last: an extract holds no history.
        """
        rows = sorted(known, key=lambda each: each[0])
        at = 0
        for delivery in self._deliveries:
            latest: dict[tuple[str | None, ...], Row] = {}
            while at < len(rows) and rows[at][0] < delivery.date():
                row = rows[at][1]
                latest[tuple(row[column] for column in key)] = row
                at += 1
            part = list(latest.values())
            spoiled = (bad or {}).get(delivery, [])
            if part or spoiled:
                columns = tuple((part or [row for _, row in spoiled])[0])
                table = text_table(columns, [*part, *(row for _, row in spoiled)])
                batch = self._zone.write(source, delivery + timedelta(minutes=minutes), source, table, form)
                self._note(batch, f"{source}.{form}", len(part), [reason for reason, _ in spoiled])

    def _note(self, batch: str, file: str, before: int, reasons: Sequence[str]) -> None:
        self.bad_rows += [
            {"batch_id": batch, "file_name": file, "row_number": str(before + at), "fault": reason}
            for at, reason in enumerate(reasons, start=1)
        ]

    def _bad_deals(self, bad: Mapping[int, int]) -> dict[datetime, list[tuple[str, Row]]]:
        """Return rows that nobody can use, by delivery."""
        found: dict[datetime, list[tuple[str, Row]]] = {}
        for month, count in bad.items():
            delivery = next(each for each in self._deliveries if each.date() >= month_of(month).replace(day=16))
            rows = []
            for at in range(count):
                line = self._world.lines[int(self._rng.integers(0, len(self._world.lines)))]
                row = _deal_row(line, line.versions[0]) | {"deal_id": f"D-X{month}-{at + 1}"}
                reason = ("no term", "unknown customer", "negative amount")[at % 3]
                if reason == "no term":
                    row |= {"end_date": None, "duration_months": None}
                elif reason == "unknown customer":
                    row |= {"customer_id": "SC-UNKNOWN"}
                else:
                    row |= {"amount": "-100.00"}
                rows.append((reason, row))
            found[delivery] = rows
        return found

    # --- the ERP --------------------------------------------------------------------------------------------------------------

    def write_entries(self, bad: Mapping[int, int]) -> None:
        """Write entries, each with the first extract after its posting; what was put right goes again with a later one."""
        sent: list[tuple[datetime, Row]] = []
        for entry in self._named():
            row = self._entry_row(entry)
            if entry.first_sent is None:
                sent.append((entry.posted_at, row))
            else:
                sent.append((entry.posted_at, self._entry_row(entry.first_sent, entry.entry_id)))
                sent.append((self._books.closes[entry.month].closing + timedelta(days=2), row))
        closing = {close.closing: month for month, close in self._books.closes.items()}
        for extract, part in self._by_extract(sent):
            # The extract after the cutoff comes even if nothing is new: that it came is what says so.
            if part or extract in closing:
                spoiled = self._bad_entries(part, bad.get(closing.get(extract, -1), 0))
                rows = [*part, *(row for _, row in spoiled)]
                batch = self._zone.write(
                    "recognition_entries", extract + EXTRACT_TRAVELS, "entries", text_table(ENTRY_COLUMNS, rows), GZIP
                )
                self._note(batch, f"entries.{GZIP}", len(part), [reason for reason, _ in spoiled])

    def _named(self) -> list[Entry]:
        """Return all entries, named in the order of their posting."""
        found = self._books.all_entries()
        for at, entry in enumerate(found, start=1):
            entry.entry_id = f"RE-{at:07d}"
        return found

    def _entry_row(self, entry: Entry, entry_id: str = "") -> Row:
        line = entry.stands_at or entry.line
        by = "ref" if entry.reference else line.named_by
        reversed_id = entry.reverses.entry_id if entry.reverses else None
        reviewed = entry.posted_at + timedelta(hours=20)
        return {
            "entry_id": entry_id or entry.entry_id,
            "accounting_ref": (entry.reference or line.ref) if by == "ref" else None,
            "customer_id": line.deal.customer.customer_id,
            "deal_id": line.deal.deal_id if by != "ref" else None,
            "line_no": str(line.line_no) if by == "line" else None,
            "period": service_months.label(month_of(entry.month)),
            "revenue_type": entry.revenue_type,
            "amount": money_text(entry.cents),
            "currency": self._currency,
            "posted_at": instant_text(entry.posted_at),
            "entry_type": entry.kind,
            "reverses_entry_id": reversed_id,
            "obligation_id": f"PO-{line.deal.deal_id[2:]}-{line.line_no}",
            "standard": "asc606" if line.deal.customer.country in ("US", "CA") else "ifrs15",
            "reviewed_by": REVIEWERS[entry.month % len(REVIEWERS)] if entry.reviewed else None,
            "reviewed_at": instant_text(reviewed) if entry.reviewed else None,
        }

    def _bad_entries(self, part: Sequence[Row], count: int) -> list[tuple[str, Row]]:
        found = []
        for at in range(count if part else 0):
            row = dict(part[int(self._rng.integers(0, len(part)))])
            row["entry_id"] = f"{row['entry_id']}-X{at + 1}"
            reason = ("another currency", "fractions of a cent", "unknown type")[at % 3]
            if reason == "another currency":
                row["currency"] = "EUR" if self._currency != "EUR" else "USD"
            elif reason == "fractions of a cent":
                row["amount"] = f"{row['amount']}5"
            else:
                row["revenue_type"] = "licence"
            found.append((reason, row))
        return found

    def _by_extract(self, sent: Iterable[tuple[datetime, Row]]) -> Iterable[tuple[datetime, list[Row]]]:
        """Yield each extract with the rows sent since the one before it."""
        waiting = sorted(sent, key=lambda each: each[0])
        at = 0
        for extract in self._extracts():
            part: list[Row] = []
            while at < len(waiting) and waiting[at][0] <= extract:
                part.append(waiting[at][1])
                at += 1
            yield extract, part

    def write_mappings(self, later: Sequence[tuple[datetime, str, Line]]) -> None:
        """Write which line each reference means, before its first entry; ``later`` holds what is mapped when it was asked for."""
        rows: list[tuple[datetime, Row]] = []
        for line in self._world.lines:
            if line.named_by == "ref":
                booked = line.versions[0].booked_on
                rows.append((datetime.combine(booked, time(18, 0), UTC), _mapping_row(line.ref, line)))
        rows += [(at, _mapping_row(reference, line)) for at, reference, line in later]
        for extract, part in self._by_extract(rows):
            if part:
                columns = ("accounting_ref", "deal_id", "line_no", "valid_from", "valid_to")
                self._zone.write("recognition_mapping", extract, "mapping", text_table(columns, part), CSV)

    def write_billings(self) -> None:
        """Write invoices and credit memos with the extracts of entries."""
        rows = []
        bills = sorted(self._books.bills, key=lambda bill: (bill.posted_at, bill.line.key, bill.cents))
        for at, bill in enumerate(bills, start=1):
            rows.append((bill.posted_at, self._bill_row(bill, at)))
        closing = {close.closing for close in self._books.closes.values()}
        for extract, part in self._by_extract(rows):
            if part or extract in closing:
                table = text_table(BILLING_COLUMNS, part)
                self._zone.write("billings", extract + 2 * EXTRACT_TRAVELS, "billings", table, CSV)

    def _bill_row(self, bill: Bill, number: int) -> Row:
        alone = len(bill.line.deal.lines) == 1
        return {
            "document_id": f"INV-{number:07d}",
            "document_line": "1",
            "document_type": "invoice" if bill.cents >= 0 else "credit_memo",
            "deal_id": bill.line.deal.deal_id,
            "line_no": None if alone else str(bill.line.line_no),
            "amount": money_text(bill.cents),
            "currency": self._currency,
            "invoice_date": date_text(bill.posted_at.date()),
            "posted_at": instant_text(bill.posted_at),
        }

    def write_control_totals(self) -> None:
        """Write how many entries the ERP holds of a month and what they add up to, at each extract that changes it."""
        of_period: dict[int, list[Entry]] = defaultdict(list)
        for entry in self._books.all_entries():
            of_period[entry.month].append(entry)
        rows = []
        for month in range(self._books.first, self._books.last + 1):
            close = self._books.closes[month]
            entries = of_period[month]
            for extract in (close.closing, close.later):
                counted = [entry for entry in entries if entry.posted_at <= extract]
                if extract == close.closing or any(close.closing < entry.posted_at for entry in entries):
                    row: Row = {
                        "period": service_months.label(month_of(month)),
                        "extracted_at": instant_text(extract),
                        "lines": str(len(counted)),
                        "amount": money_text(sum(entry.cents for entry in counted)),
                    }
                    rows.append((extract, row))
        for extract, part in self._by_extract(rows):
            if part:
                table = text_table(CONTROL_TOTAL_COLUMNS, part)
                self._zone.write("recognition_control_totals", extract + 3 * EXTRACT_TRAVELS, "control_totals", table, CSV)

    # --- the general ledger ---------------------------------------------------------------------------------------------------

    def write_balances(self) -> None:
        """Write deferred revenue and contract assets at the end of each month, deal by deal as the books stood at the cutoff.

        What no line is known for stands in suspense, and in neither account.
        """
        moved: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for entry in self._books.all_entries():
            if entry.stands_at is not None:
                moved[self._books.recognized_in(entry.posted_at, entry.month)][entry.stands_at.deal.deal_id] -= entry.cents
        for bill in self._books.bills:
            moved[self._books.recognized_in(bill.posted_at, bill.month)][bill.line.deal.deal_id] += bill.cents
        balances: dict[str, int] = defaultdict(int)
        for month in range(self._books.first - 1, self._books.last + 1):
            for deal, cents in moved[month].items():
                balances[deal] += cents
            if month < self._books.first:
                continue
            close = self._books.closes[month]
            held = {
                "deferred_revenue": sum(cents for cents in balances.values() if cents > 0),
                "contract_asset": -sum(cents for cents in balances.values() if cents < 0),
            }
            rows: list[Row] = [
                {
                    "account": account,
                    "period": service_months.label(month_of(month)),
                    "balance": money_text(cents),
                    "currency": self._currency,
                    "posted_at": instant_text(close.cutoff),
                }
                for account, cents in held.items()
            ]
            table = text_table(tuple(rows[0]), rows)
            self._zone.write("ledger_balances", close.closing + 4 * EXTRACT_TRAVELS, "balances", table, CSV)


def _deal_row(line: Line, version: Version) -> Row:
    by_default = version.policy == "equal_months" or (version.policy == "point_in_time" and line.revenue_type == "setup")
    # A term of whole months needs no last day.
    open_ended = version.policy == "equal_months" and line.line_no == 1
    return {
        "deal_id": line.deal.deal_id,
        "line_no": str(line.line_no),
        "version": str(version.number),
        "customer_id": line.deal.customer.customer_id,
        "product": line.product,
        "revenue_type": line.revenue_type,
        "amount": money_text(version.amount),
        "standalone_price": money_text(line.standalone) if line.standalone else None,
        "booked_on": date_text(version.booked_on),
        "start_date": date_text(version.start),
        "end_date": None if open_ended else date_text(version.end),
        "duration_months": str(version.months) if open_ended else None,
        "policy": None if by_default else version.policy,
        "status": "cancelled" if version.cancelled else "active",
        "change": version.change,
        "modification": version.treatment if version.treatment in ("retrospective", "catch_up") else None,
        "effective_from": date_text(version.effective),
    }


def _mapping_row(reference: str, line: Line) -> Row:
    return {
        "accounting_ref": reference,
        "deal_id": line.deal.deal_id,
        "line_no": str(line.line_no),
        "valid_from": date_text(line.versions[0].booked_on.replace(day=1) - timedelta(days=400)),
        "valid_to": None,
    }
