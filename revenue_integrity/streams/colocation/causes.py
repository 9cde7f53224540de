"""Root causes of what the ERP billed and booked against what was due: the rules, in order of precedence.

Belongs here: each rule of cause of the stream: what it claims, how many cents, its evidence. Does not belong here: taking
claims and what none explains (``close.causes``), reading and writing tables (``recon``).

Quantities and prices are integers in millionths, so every comparison is exact. Variance = ERP − expected.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

from revenue_integrity import months
from revenue_integrity.close.causes import ROUNDING, Cause, Claim, Variance, money

_UNIT = 10**6
"""Millionths in one rack or kW."""

_CENT = 10**10
"""Millionths times millionths of a currency unit in a cent."""


def _round(numerator: int, denominator: int) -> int:
    """Return a quotient as a whole number, half away from zero."""
    whole = (abs(numerator) * 2 + denominator) // (denominator * 2)
    return whole if numerator >= 0 else -whole


def _value(quantity: int, price: int) -> int:
    """Return quantity times price in cents, rounded once."""
    return _round(quantity * price, _CENT)


@dataclass(frozen=True)
class Line:
    """An ERP line; nothing negative is ever due, so each negative line is a credit, whatever its document is called."""

    month: date
    document_id: str
    line_no: int
    is_credit: bool
    code: str
    reference: str | None
    quantity: int
    price: int
    cents: int
    invoice_date: date
    posted_at: datetime
    corrects: str | None
    names_own_document: bool
    late: bool

    @property
    def evidence(self) -> dict[str, Any]:
        """The line by its ids."""
        found: dict[str, Any] = {"document_id": self.document_id, "line_no": self.line_no, "amount_cents": self.cents}
        if self.corrects:
            found["corrects_document_id"] = self.corrects
        if self.late:
            found["late"] = True
        return found

    @property
    def content(self) -> tuple[datetime, int, int, int]:
        """What the line says, without its name."""
        return (self.posted_at, self.cents, self.quantity, self.price)

    @property
    def order(self) -> tuple[Any, ...]:
        """Order in which lines are looked at; the document's name decides last, so it moves no cent."""
        return (*self.content, self.document_id, self.line_no)


@dataclass(frozen=True)
class Due:
    """An expected charge of a segment; ``full_quantity`` is that of a full month, where days prorate it."""

    version: int
    segment_from: date
    segment_to: date
    quantity: int
    price: int
    cents: int
    full_quantity: int | None

    @property
    def evidence(self) -> dict[str, Any]:
        """The charge by its contract version and days."""
        return {
            "version": self.version,
            "segment_from": str(self.segment_from),
            "segment_to": str(self.segment_to),
            "amount_cents": self.cents,
        }


@dataclass(frozen=True)
class Terms:
    """What a segment would cost on some terms."""

    quantity: int
    price: int
    cents: int


@dataclass(frozen=True)
class KnownUsage:
    """Energy or overage recomputed with the readings known when it was billed."""

    known_on: date
    cents: int
    changed_days: int
    changed_estimates: int
    readings: Any


@dataclass(frozen=True)
class Neighbour:
    """A row with a variance in another month."""

    month: date
    cents: int
    lines: tuple[Line, ...] = ()


@dataclass
class ChargeRow(Variance):
    """A row of ``erp_vs_mart``: lines billed against charges due."""

    month: date
    customer_id: str | None
    contract_id: str | None
    charge_type: str
    lines: list[Line] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)
    earlier: Mapping[int, Mapping[date, Terms]] = field(default_factory=dict)
    known: KnownUsage | None = None
    neighbours: Mapping[date, Neighbour] = field(default_factory=dict)
    mappings: Mapping[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    claimed_lines: set[tuple[str, int]] = field(default_factory=set)
    agrees_otherwise: bool = False
    moved_to: list["ChargeRow"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The row in words."""
        return f"{self.charge_type} of {self.contract_id or 'no contract'}"

    @cached_property
    def due_cents(self) -> int:
        """What is due in total."""
        return sum(due.cents for due in self.dues)

    @cached_property
    def standing_credits(self) -> list[Line]:
        """Credits that reverse no line which was billed anew: they are variances, not repairs."""
        return [line for line in self.lines if line.is_credit and not self._repaired(line)]

    @cached_property
    def _repairs(self) -> set[tuple[str, int]]:
        """Credits and the lines that they reverse, where a rebill (or another line that is due) stands beside them."""
        # Credits that name a document choose first: one that names none takes what is left.
        memos = sorted((line for line in self.lines if line.is_credit), key=lambda line: (line.corrects is None, line.order))
        bills = sorted((line for line in self.lines if not line.is_credit), key=lambda line: line.order)
        if abs(self.cents - sum(memo.cents for memo in memos)) <= len(self.lines):
            return set()
        gone: set[tuple[str, int]] = set()
        for credit in memos:
            reversed_lines = self._reversed(credit, [bill for bill in bills if _id(bill) not in gone])
            stays = len(bills) - sum(_id(bill) in gone for bill in bills) - len(reversed_lines)
            if reversed_lines and stays > 0 and credit.cents != self.cents:
                gone |= {_id(credit), *(_id(bill) for bill in reversed_lines)}
        return gone

    @staticmethod
    def _reversed(credit: Line, bills: Sequence[Line]) -> list[Line]:
        named = [bill for bill in bills if bill.document_id == credit.corrects] if credit.corrects else list(bills)
        for bill in named:
            if bill.cents == -credit.cents:
                return [bill]
        if credit.corrects and named and sum(bill.cents for bill in named) == -credit.cents:
            return named
        return []

    def _repaired(self, line: Line) -> bool:
        return _id(line) in self._repairs

    @property
    def open_lines(self) -> list[Line]:
        """Lines that no rule has claimed and no credit has reversed: what is compared with what is due."""
        return [
            line
            for line in self.lines
            if _id(line) not in self.claimed_lines and _id(line) not in self._repairs and not line.is_credit
        ]

    @property
    def tolerated_rounding(self) -> int:
        """A cent for each line or segment, whichever are more."""
        return max(len(self.open_lines), len(self.dues), 1)


def _id(line: Line) -> tuple[str, int]:
    return (line.document_id, line.line_no)


def _lines(lines: Iterable[Line]) -> list[dict[str, Any]]:
    return [line.evidence for line in sorted(lines, key=lambda each: each.order)]


def _content(lines: Sequence[Line]) -> tuple[Any, ...]:
    """Return an order of groups of lines in which names decide last."""
    return ([line.content for line in lines], [line.order for line in lines])


def _documents(lines: Sequence[Line]) -> str:
    names = sorted({line.document_id for line in lines})
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _opposite(left: int, right: int) -> bool:
    """Return whether two amounts are one amount at two ends, equal within a cent."""
    return left * right < 0 and abs(left + right) <= 1


def _moved(left: int, right: int) -> int:
    """Return what both ends share, with the sign of the left one; the rest is rounding."""
    shared = min(abs(left), abs(right))
    return shared if left > 0 else -shared


Claims = Iterator[Claim[ChargeRow]]


def period_shift(rows: Sequence[ChargeRow]) -> Claims:
    """Claim what stands under an adjacent service month; the two ends must choose each other, the earlier month first."""
    for row in rows:
        if row.contract_id is None:
            continue
        chosen = _adjacent(row.month, row.cents, row.neighbours)
        if not chosen:
            continue
        other = chosen[0]
        around = {**row.neighbours, row.month: Neighbour(row.month, row.cents)}
        back = _adjacent(other.month, other.cents, around)
        if not back or back[0].month != row.month:
            continue
        cents = _moved(row.cents, other.cents)
        first, second = sorted((row.month, other.month))
        where, missing = (row.month, other.month) if cents > 0 else (other.month, row.month)
        found = row.lines if cents > 0 else list(other.lines)
        proof = [line for line in found if abs(line.cents - abs(cents)) <= 1] or found
        evidence: dict[str, Any] = {
            "lines": _lines(proof),
            "charges": [due.evidence for due in row.dues],
            "counterpart": {"month": months.label(other.month), "variance_cents": other.cents},
        }
        if len(chosen) > 1:
            evidence["also_possible"] = [{"month": months.label(each.month), "variance_cents": each.cents} for each in chosen[1:]]
        row.agrees_otherwise = True
        yield Claim(
            row,
            cents,
            f"{money(abs(cents))} of {row.name} due in {months.label(missing)} was billed under {months.label(where)}"
            f"{f' ({_documents(proof)})' if proof else ''}.",
            evidence,
            f"period_shift/{row.contract_id}/{row.charge_type}/{months.label(first)}/{months.label(second)}",
        )


def _adjacent(month: date, cents: int, around: Mapping[date, Neighbour]) -> list[Neighbour]:
    """Return the adjacent months at which the amount stands, the chosen one first."""
    candidates = [around.get(months.add(month, offset)) for offset in (-1, 1)]
    return [each for each in candidates if each is not None and _opposite(cents, each.cents)]


def unmapped_line(rows: Sequence[ChargeRow]) -> Claims:
    """Claim lines that resolve to no contract, and the opposite at the contract of the customer that lacks that charge."""
    lacking: dict[tuple[str, str], list[ChargeRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda each: each.contract_id or ""):
        if row.contract_id is not None and row.customer_id is not None:
            lacking[row.customer_id, row.charge_type].append(row)
    for row in rows:
        if row.contract_id is not None:
            continue
        candidates = lacking.get((row.customer_id, row.charge_type), []) if row.customer_id else []
        for lines, contract, others in _pairs_of_lines(row, candidates):
            for line in lines:
                yield from _unmapped(row, line, contract, others)


def _pairs_of_lines(
    row: ChargeRow, candidates: Sequence[ChargeRow]
) -> Iterator[tuple[list[Line], ChargeRow | None, list[ChargeRow]]]:
    """Yield lines with the contract that lacks them: line by line, then together by reference, then all of the row."""
    waiting = sorted(row.lines, key=lambda line: line.order)
    groupings: tuple[Callable[[Line], Any], ...] = (
        _id,
        lambda line: (line.code, line.reference or "", line.document_id),
        lambda line: "",
    )
    for grouping in groupings:
        groups: dict[Any, list[Line]] = defaultdict(list)
        for line in waiting:
            groups[grouping(line)].append(line)
        for lines in sorted(groups.values(), key=_content):
            total = sum(line.cents for line in lines)
            fits = [each for each in candidates if _opposite(total, each.rest)]
            if fits:
                waiting = [line for line in waiting if line not in lines]
                yield lines, fits[0], fits[1:]
    for line in waiting:
        yield [line], None, []


def _unmapped(row: ChargeRow, line: Line, contract: ChargeRow | None, others: Sequence[ChargeRow]) -> Claims:
    link = f"unmapped_line/{line.document_id}/{line.line_no}" if contract else None
    evidence: dict[str, Any] = {"lines": [line.evidence], "erp_customer_code": line.code, "erp_contract_ref": line.reference}
    rows_of_code = row.mappings.get((line.code, line.reference or ""), [])
    if rows_of_code:
        evidence["mapping_rows"] = rows_of_code
    known = "" if row.customer_id else ", nor its customer"
    sentence = (
        f"Line {line.line_no} of {line.document_id} ({money(line.cents)}) resolves to no contract{known}: "
        f"no mapping row of {line.code} covers {line.reference or 'an empty reference'}."
    )
    if contract is None:
        yield Claim(row, line.cents, sentence, evidence)
        return
    if others:
        evidence["also_possible"] = [{"contract_id": each.contract_id} for each in others]
    contract.agrees_otherwise = True
    row.agrees_otherwise = True
    charges = [due.evidence for due in contract.dues]
    yield Claim(row, line.cents, f"{sentence} {contract.contract_id} lacks exactly this charge.", evidence, link)
    yield Claim(
        contract,
        -line.cents,
        f"{contract.name} was billed by line {line.line_no} of {line.document_id}, which resolves to no contract.",
        {**evidence, "charges": charges},
        link,
    )


def wrong_contract(rows: Sequence[ChargeRow]) -> Claims:
    """Claim what stands at another contract of the customer, same charge type and month; both ends choose each other."""
    groups: dict[tuple[str, str], list[ChargeRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda each: each.contract_id or ""):
        if row.contract_id is not None and row.customer_id is not None:
            groups[row.customer_id, row.charge_type].append(row)
    for group in groups.values():
        # Each pair is the smallest contract that has a partner, and the smallest of its partners: they choose each other.
        for row in group:
            partners = [each for each in group if each is not row and row.rest and _opposite(row.rest, each.rest)]
            if partners:
                rivals = [each for each in group if each is not row and each.rest and _opposite(partners[0].rest, each.rest)]
                yield from _wrong_contract(row, partners[0], [*partners[1:], *rivals])


def _wrong_contract(row: ChargeRow, other: ChargeRow, others: Sequence[ChargeRow]) -> Claims:
    cents = _moved(row.rest, other.rest)
    billed, due = (row, other) if cents > 0 else (other, row)
    proof = [line for line in billed.lines if abs(line.cents - abs(cents)) <= 1] or billed.lines
    evidence: dict[str, Any] = {
        "lines": _lines(proof),
        "charges": [each.evidence for each in due.dues],
        "billed_contract_id": billed.contract_id,
        "due_contract_id": due.contract_id,
    }
    if others:
        evidence["also_possible"] = [{"contract_id": each.contract_id} for each in others]
    sentence = (
        f"{money(abs(cents))} of {row.charge_type} due from {due.contract_id} was billed to {billed.contract_id} "
        f"({_documents(proof)})."
    )
    link = f"wrong_contract/{months.label(row.month)}/{row.charge_type}/{row.contract_id}/{other.contract_id}"
    for end, part in ((row, cents), (other, -cents)):
        end.agrees_otherwise = True
        end.moved_to.append(other if end is row else row)
        yield Claim(end, part, sentence, evidence, link)


def duplicate_billing(rows: Sequence[ChargeRow]) -> Claims:
    """Claim documents that bill the same quantity and price once more than is due, and that nothing reverses."""
    lacking: dict[tuple[str | None, str], list[ChargeRow]] = defaultdict(list)
    for row in rows:
        if row.rest < 0:
            lacking[row.customer_id, row.charge_type].append(row)
    for row in rows:
        for extra, kept in _extra_documents(row):
            cents = sum(line.cents for line in extra)
            # What credits take off is explained by them; the duplicate is in what stands without them.
            excess = row.rest - sum(credit.cents for credit in row.standing_credits)
            elsewhere = _lacking_next_to(row, cents)
            missing = [each for each in lacking[row.customer_id, row.charge_type] if _opposite(cents, each.rest)]
            if elsewhere or missing or abs(excess - cents) >= abs(excess):
                continue
            row.claimed_lines |= {_id(line) for line in extra}
            yield Claim(
                row,
                cents,
                f"{_documents(extra)} bills {row.name} with the quantity and price of {_documents(kept)} again; "
                "nothing reverses it.",
                {"lines": _lines(extra), "first_billed_by": _lines(kept), "charges": [due.evidence for due in row.dues]},
            )


def _lacking_next_to(row: ChargeRow, cents: int) -> list[Neighbour]:
    """Return the adjacent months that lack an amount, but for those whose lack is another month's shift."""
    around = {**row.neighbours, row.month: Neighbour(row.month, row.cents)}
    found = []
    for each in _adjacent(row.month, cents, row.neighbours):
        chosen = _adjacent(each.month, each.cents, around)
        if not chosen or chosen[0].month == row.month:
            found.append(each)
    return found


def _extra_documents(row: ChargeRow) -> Iterator[tuple[list[Line], list[Line]]]:
    """Yield each document's lines that bill a quantity and price beyond what is due, with those that bill it first."""
    groups: dict[tuple[int, int], dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in sorted(row.open_lines, key=lambda each: each.order):
        groups[line.quantity, line.price][line.document_id].append(line)
    for (quantity, price), documents in groups.items():
        if len(documents) < 2:
            continue
        # Charges of this quantity and price; none of them: a wrong price for as many as have this quantity.
        alike = [each.price for each in row.dues if each.quantity == quantity]
        due = alike.count(price) or len(alike)
        in_order = sorted(documents.values(), key=_content)
        kept = [line for lines in in_order[: max(due, 1)] for line in lines]
        for lines in in_order[max(due, 1) :]:
            yield lines, kept


def _credits(row: ChargeRow, *, named: bool) -> Claims:
    for credit in row.standing_credits:
        if bool(credit.corrects and credit.names_own_document) is not named:
            continue
        row.claimed_lines.add(_id(credit))
        if named:
            sentence = f"Credit {credit.document_id} takes {money(-credit.cents)} off {credit.corrects}, without a rebill."
        elif credit.corrects:
            sentence = (
                f"Credit {credit.document_id} takes {money(-credit.cents)} off; "
                f"{credit.corrects}, which it names, does not bill this contract."
            )
        else:
            sentence = f"Credit {credit.document_id} takes {money(-credit.cents)} off and names no document."
        yield Claim(row, credit.cents, sentence, {"lines": [credit.evidence]})


def credit_memo(rows: Sequence[ChargeRow]) -> Claims:
    """Claim credits that correct a document of the contract and are not billed anew."""
    for row in rows:
        yield from _credits(row, named=True)


def credit_unreferenced(rows: Sequence[ChargeRow]) -> Claims:
    """Claim credits that name no document of the contract."""
    for row in rows:
        yield from _credits(row, named=False)


def _usage_as_known(rows: Sequence[ChargeRow], *, all_estimates: bool) -> Claims:
    for row in rows:
        known = row.known
        if known is None or known.changed_days == 0 or row.due_cents + row.rest != known.cents:
            continue
        if (known.changed_days == known.changed_estimates) is not all_estimates:
            continue
        since = "estimates that were replaced since" if all_estimates else "readings that arrived or were corrected since"
        yield Claim(
            row,
            row.rest,
            f"Billed with the readings known on {known.known_on}: {known.changed_days} meter-days rested on {since}.",
            {"lines": _lines(row.open_lines), "known_on": str(known.known_on), "readings": known.readings},
        )


def estimated_meter(rows: Sequence[ChargeRow]) -> Claims:
    """Claim usage billed from source estimates that actual readings have replaced since."""
    return _usage_as_known(rows, all_estimates=True)


def late_meter(rows: Sequence[ChargeRow]) -> Claims:
    """Claim usage billed before readings arrived, or from readings that were corrected since."""
    return _usage_as_known(rows, all_estimates=False)


def uncontracted(rows: Sequence[ChargeRow]) -> Claims:
    """Claim lines of a charge type of which nothing is due in the month."""
    for row in rows:
        if not row.dues and row.lines:
            lines = row.open_lines or row.lines
            yield Claim(
                row,
                row.rest,
                f"Nothing of {row.name} is due in {months.label(row.month)}; {_documents(lines)} bills {money(row.rest)}.",
                {"lines": _lines(lines)},
            )


def _fits(lines: Sequence[Line], terms: Sequence[Terms]) -> bool:
    """Return whether lines bill the quantity and price of some terms, up to the rounding of each line and segment."""
    most = max(len(lines), len(terms))
    return (
        {line.price for line in lines} <= {each.price for each in terms}
        and abs(sum(line.quantity for line in lines) - sum(each.quantity for each in terms)) <= len(lines) + len(terms)
        and abs(sum(line.cents for line in lines) - sum(each.cents for each in terms)) <= most
    )


def stale_version(rows: Sequence[ChargeRow]) -> Claims:
    """Claim what was billed on the terms of an earlier version that a later active one has replaced."""
    for row in rows:
        lines = row.open_lines
        if not lines:
            continue
        for version in sorted(row.earlier, reverse=True):
            terms = [_on_terms_of(row, due, version) for due in row.dues]
            cents = sum(each.cents for each in terms) - row.due_cents
            if cents and _fits(lines, terms):
                row.agrees_otherwise = True
                replaced = [due for due in row.dues if due.version > version]
                yield Claim(
                    row,
                    cents,
                    f"{_documents(lines)} bills {row.name} on version {version}, which version "
                    f"{', '.join(sorted({str(due.version) for due in replaced}))} has replaced.",
                    {
                        "lines": _lines(lines),
                        "contract_versions": {"billed": version, "in_force": [due.evidence for due in replaced]},
                    },
                )
                break


def _on_terms_of(row: ChargeRow, due: Due, version: int) -> Terms:
    """Return what a charge would be on an earlier version, where a later one is in force."""
    terms = row.earlier[version]
    if due.version > version:
        if row.charge_type == "overage" and terms:
            return max(terms.values(), key=lambda each: each.quantity)
        if due.segment_from in terms:
            return terms[due.segment_from]
    return Terms(due.quantity, due.price, due.cents)


def proration(rows: Sequence[ChargeRow]) -> Claims:
    """Claim a full month billed for a part in which service starts or ends, or a part billed for a full month."""
    for row in rows:
        lines = row.open_lines
        if not lines or not row.dues or any(due.full_quantity is None for due in row.dues):
            continue
        for terms, sentence in _prorations(row, lines):
            cents = sum(each.cents for each in terms) - row.due_cents
            if cents and _fits(lines, terms):
                row.agrees_otherwise = True
                yield Claim(
                    row,
                    cents,
                    f"{_documents(lines)} bills {sentence}",
                    {"lines": _lines(lines), "charges": [due.evidence for due in row.dues]},
                )
                break


def _prorations(row: ChargeRow, lines: Sequence[Line]) -> Iterator[tuple[list[Terms], str]]:
    days = months.days_in(row.month)
    last = months.last_day(row.month)
    in_order = sorted(row.dues, key=lambda due: due.segment_from)
    starts, ends = in_order[0].segment_from > row.month, in_order[-1].segment_to < last
    is_continuous = all((after.segment_from - before.segment_to).days == 1 for before, after in pairwise(in_order))
    for from_start, to_end in ((True, True), (True, False), (False, True)):
        if is_continuous and (starts or ends) and (starts or not from_start) and (ends or not to_end):
            first = row.month if from_start else in_order[0].segment_from
            until = last if to_end else in_order[-1].segment_to
            edges = [first, *(due.segment_from for due in in_order[1:])]
            closes = [*(due.segment_to for due in in_order[:-1]), until]
            terms = [
                _prorated(due, (close - edge).days + 1, days) for due, edge, close in zip(in_order, edges, closes, strict=True)
            ]
            yield terms, f"days without service: {row.name} is due for {_span(in_order)} only."
    billed_days = _days_of_a_full_month(row, lines)
    # A whole number of racks or kW is read as that number, even where it is also a number of days.
    if billed_days and lines[0].quantity % _UNIT:
        terms = [_prorated(in_order[0], billed_days, days)]
        yield terms, f"{billed_days} days of {row.name}, which is due for the full month."


def _days_of_a_full_month(row: ChargeRow, lines: Sequence[Line]) -> int | None:
    """Return how many days one line bills of one charge that is due for the full month, if it is so read."""
    if len(row.dues) != 1 or len(lines) != 1:
        return None
    (due,), (line,) = row.dues, lines
    days = months.days_in(row.month)
    if not due.full_quantity or (due.segment_to - due.segment_from).days + 1 < days or line.price != due.price:
        return None
    billed_days = _round(line.quantity * days, due.full_quantity)
    is_exact = abs(_round(due.full_quantity * billed_days, days) - line.quantity) <= 1
    return billed_days if is_exact and 0 < billed_days < days else None


def _span(dues: Sequence[Due]) -> str:
    return f"{dues[0].segment_from} to {dues[-1].segment_to}"


def _prorated(due: Due, billed_days: int, days: int) -> Terms:
    full = due.full_quantity or 0
    return Terms(_round(full * billed_days, days), due.price, _round(full * billed_days * due.price, days * _CENT))


def rounding(rows: Sequence[ChargeRow]) -> Claims:
    """Claim at most a cent per line or segment where quantity and price agree."""
    for row in rows:
        if abs(row.rest) <= row.tolerated_rounding and (row.agrees_otherwise or _agrees(row)):
            yield Claim(
                row,
                row.rest,
                f"Quantity and price of {row.name} agree; {money(row.rest)} is rounding of "
                f"{len(row.open_lines)} lines and {len(row.dues)} segments.",
                {"lines": _lines(row.open_lines), "charges": [due.evidence for due in row.dues]},
            )


def _agrees(row: ChargeRow) -> bool:
    lines = row.open_lines
    quantity = sum(line.quantity for line in lines) - sum(due.quantity for due in row.dues)
    return (
        bool(lines)
        and {line.price for line in lines} == {due.price for due in row.dues}
        and abs(quantity) <= len(lines) + len(row.dues)
    )


@dataclass(frozen=True)
class _Mismatch:
    """Lines against the charges that they stand for, and how price and quantity make up the difference."""

    lines: tuple[Line, ...]
    dues: tuple[Due, ...]
    price_cents: int
    quantity_cents: int


def _mismatches(row: ChargeRow) -> Iterator[_Mismatch]:
    lines = sorted(row.open_lines, key=lambda line: line.order)
    dues = sorted(row.dues, key=lambda due: due.segment_from)
    if len({line.price for line in lines}) == 1 and len({due.price for due in dues}) == 1:
        yield _mismatch(lines, dues)
        return
    for line, due in _pairs(lines, dues):
        yield _mismatch([line] if line else [], [due] if due else [])


def _pairs(lines: Sequence[Line], dues: Sequence[Due]) -> Iterator[tuple[Line | None, Due | None]]:
    """Pair lines with charges: equal quantity and price first, then equal quantity, equal price, then in order."""
    waiting_lines, waiting_dues = list(lines), list(dues)
    alike: tuple[Callable[[Line, Due], bool], ...] = (
        lambda line, due: line.quantity == due.quantity and line.price == due.price,
        lambda line, due: line.quantity == due.quantity,
        lambda line, due: line.price == due.price,
        lambda line, due: True,
    )
    for is_alike in alike:
        for line in list(waiting_lines):
            found = next((due for due in waiting_dues if is_alike(line, due)), None)
            if found is not None:
                waiting_lines.remove(line)
                waiting_dues.remove(found)
                yield line, found
    yield from ((line, None) for line in waiting_lines)
    yield from ((None, due) for due in waiting_dues)


def _mismatch(lines: Sequence[Line], dues: Sequence[Due]) -> _Mismatch:
    """Split a difference: quantity at the price due, the rest to price; what quantity and price do not explain stays out.

    A line for which no charge is left bills a quantity of which none is due, at its own price.
    """
    billed = sum(_explained_amount(line) for line in lines)
    total = billed - sum(due.cents for due in dues)
    quantity_billed, quantity_due = sum(line.quantity for line in lines), sum(due.quantity for due in dues)
    price_due = dues[0].price if dues else lines[0].price
    price_billed = lines[0].price if lines else price_due
    is_same_quantity = abs(quantity_billed - quantity_due) <= len(lines) + len(dues) and bool(lines) and bool(dues)
    if price_billed == price_due:
        quantity_cents = 0 if is_same_quantity else total
        price_cents = 0
    elif is_same_quantity:
        quantity_cents, price_cents = 0, total
    else:
        quantity_cents = _value(quantity_billed - quantity_due, price_due)
        price_cents = total - quantity_cents
    return _Mismatch(tuple(lines), tuple(dues), price_cents, quantity_cents)


def _explained_amount(line: Line) -> int:
    """Return the line's amount as far as its quantity and price explain it (to the cent that rounding takes)."""
    value = _value(line.quantity, line.price)
    return line.cents if abs(line.cents - value) <= 1 else value


def _decimal(millionths: int) -> str:
    whole, part = divmod(abs(millionths), 10**6)
    digits = f"{part:06d}".rstrip("0")
    return f"{'-' if millionths < 0 else ''}{whole}{f'.{digits}' if digits else ''}"


def price_mismatch(rows: Sequence[ChargeRow]) -> Claims:
    """Claim (price billed − price due) × quantity billed."""
    for row in rows:
        if row.lines and row.dues:
            for each in _mismatches(row):
                if each.price_cents:
                    price_due = each.dues[0].price
                    yield Claim(
                        row,
                        each.price_cents,
                        f"{_documents(each.lines)} bills {row.name} at {_decimal(each.lines[0].price)}; "
                        f"the contract says {_decimal(price_due)}.",
                        {"lines": _lines(each.lines), "charges": [due.evidence for due in each.dues]},
                    )


def quantity_mismatch(rows: Sequence[ChargeRow]) -> Claims:
    """Claim (quantity billed − quantity due) × price due."""
    for row in rows:
        if row.lines and row.dues:
            for each in _mismatches(row):
                if each.quantity_cents:
                    billed = sum(line.quantity for line in each.lines)
                    due = sum(due.quantity for due in each.dues)
                    evidence: dict[str, Any] = {
                        "lines": _lines(each.lines),
                        "charges": [each_due.evidence for each_due in each.dues],
                    }
                    if billed_days := _days_of_a_full_month(row, each.lines):
                        evidence["also_possible"] = [{"cause": "proration", "billed_days": billed_days}]
                    yield Claim(
                        row,
                        each.quantity_cents,
                        f"{_documents(each.lines) or 'No line'} bills {_decimal(billed)} of {row.name}; {_decimal(due)} is due.",
                        evidence,
                    )


def unbilled(rows: Sequence[ChargeRow]) -> Claims:
    """Claim expected charges without any ERP line."""
    for row in rows:
        if row.dues and not row.lines:
            yield Claim(
                row,
                row.rest,
                f"{row.name} of {money(-row.rest)} is due in {months.label(row.month)}; no ERP line bills it.",
                {"charges": [due.evidence for due in row.dues]},
            )


CHARGE_CAUSES: tuple[Cause[ChargeRow], ...] = (
    Cause("period_shift", period_shift),
    Cause("unmapped_line", unmapped_line),
    Cause("wrong_contract", wrong_contract),
    Cause("duplicate_billing", duplicate_billing),
    Cause("credit_memo", credit_memo),
    Cause("credit_unreferenced", credit_unreferenced),
    Cause("estimated_meter", estimated_meter),
    Cause("late_meter", late_meter),
    Cause("uncontracted", uncontracted),
    Cause("stale_version", stale_version),
    Cause("proration", proration),
    Cause(ROUNDING, rounding),
    Cause("price_mismatch", price_mismatch),
    Cause("quantity_mismatch", quantity_mismatch),
    Cause("unbilled", unbilled),
)
"""Causes of ``erp_vs_mart`` in the view of all postings, in order of precedence (20-close, *Root causes*)."""


@dataclass(frozen=True)
class PowerLine:
    """A booking of power."""

    document_id: str
    line_no: int
    document_type: str
    cents: int
    late: bool

    @property
    def evidence(self) -> dict[str, Any]:
        """The booking by its ids."""
        found = {
            "document_id": self.document_id,
            "line_no": self.line_no,
            "document_type": self.document_type,
            "amount_cents": self.cents,
        }
        return {**found, "late": True} if self.late else found


@dataclass
class PowerRow(Variance):
    """A row of ``erp_vs_allocated_power``: what accounting booked for a site against its bill as allocated."""

    site_id: str
    lines: list[PowerLine] = field(default_factory=list)
    bill_status: str = ""

    def booked(self, *kinds: str) -> list[PowerLine]:
        """Return the bookings of some kinds."""
        return [line for line in self.lines if line.document_type in kinds]


def unbooked(rows: Sequence[PowerRow]) -> Iterator[Claim[PowerRow]]:
    """Claim power of a site for which nothing at all is booked."""
    for row in rows:
        if not row.lines:
            sentence = f"Nothing is booked for the power of {row.site_id}; {money(-row.rest)} is allocated."
            yield Claim(row, row.rest, sentence, {"site_id": row.site_id, "bill": row.bill_status})


def accrual_not_reversed(rows: Sequence[PowerRow]) -> Iterator[Claim[PowerRow]]:
    """Claim accruals net of reversals that stand beside a booked bill."""
    for row in rows:
        accruals = row.booked("accrual", "reversal")
        if row.booked("bill") and accruals:
            cents = sum(line.cents for line in accruals)
            sentence = f"The bill of {row.site_id} is booked, and accruals of {money(cents)} net of reversals still stand."
            yield Claim(row, cents, sentence, {"lines": [line.evidence for line in accruals]})


def estimated_bill(rows: Sequence[PowerRow]) -> Iterator[Claim[PowerRow]]:
    """Claim the difference between estimates: only an accrual is booked, or our bill is estimated or accrued."""
    for row in rows:
        if not row.booked("bill") or row.bill_status in ("estimated", "accrued"):
            booked = "the bill" if row.booked("bill") else "only an accrual"
            sentence = f"For the power of {row.site_id} {booked} is booked; our bill is {row.bill_status or 'missing'}."
            yield Claim(row, row.rest, sentence, {"lines": [line.evidence for line in row.lines], "bill": row.bill_status})


def power_rounding(rows: Sequence[PowerRow]) -> Iterator[Claim[PowerRow]]:
    """Claim at most a cent per booking."""
    for row in rows:
        if abs(row.rest) <= len(row.lines):
            sentence = f"{money(row.rest)} is rounding of {len(row.lines)} bookings of {row.site_id}."
            yield Claim(row, row.rest, sentence, {"lines": [line.evidence for line in row.lines]})


POWER_CAUSES: tuple[Cause[PowerRow], ...] = (
    Cause("unbooked", unbooked),
    Cause("accrual_not_reversed", accrual_not_reversed),
    Cause("estimated_bill", estimated_bill),
    Cause(ROUNDING, power_rounding),
)
"""Causes of ``erp_vs_allocated_power`` in the view of all postings, in order of precedence."""
