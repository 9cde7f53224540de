"""Causes of ``recognized_vs_schedule``: why accounting recognized another amount than was due (40-bookings, *Causes*).

Belongs here: the rules of cause in their order, over rows with their entries and what schedules of other readings would give.
Does not belong here: where rows come from (``recon``), those readings (``readings``), late postings (``recon``).

Words: *X* is what is due (the row's right side), *booked* is X and what no rule above has claimed; *n* is the number of the row's
entries, at least one. Amounts are equal within n cents, in moves within one cent. An entry that a rule claims is gone for
those below.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from revenue_integrity import months
from revenue_integrity.close.causes.wording import money
from revenue_integrity.streams.bookings.explaining import Cause, Claim, Variance

NEAR = 1
"""Cents within which the two ends of a move are equal: each was rounded by itself."""

PRIOR_MONTHS_REACH = 12
"""Months back among which an entry may make up for one."""

_SHIFTS = (10, 100, 1000)
"""Factors of a decimal point in the wrong place."""

_SMALLEST_SHIFTED = 100
"""Cents below which a shifted decimal point is no more than chance."""


@dataclass(frozen=True)
class Entry:
    """A recognition entry of a row.

    Attributes:
        entry_id: the entry.
        cents: its signed amount.
        posted_at: when it was posted.
        is_reversal: whether it reverses another.
        reverses: the entry that it names; ``None`` if it names none.
        reverses_own_line: whether that entry is of this line, of any period.
        named_deal: the deal that it names, for an entry without a line.
    """

    entry_id: str
    cents: int
    posted_at: datetime
    is_reversal: bool = False
    reverses: str | None = None
    reverses_own_line: bool = False
    named_deal: str | None = None

    @property
    def words(self) -> str:
        """The entry with its amount."""
        return f"entry {self.entry_id} ({money(self.cents)})"


@dataclass(frozen=True)
class Reading:
    """What a line's schedule would give if its versions were read in another way.

    Attributes:
        cause: the cause that it would be.
        cents: what it gives for the month.
        last_cents: what it gives for the line's last month with an entry before the month; ``None`` if there is none.
        to_date_cents: what it gives up to and with the month.
        words: how it is read, as the rest of a sentence.
        evidence: what proves it.
    """

    cause: str
    cents: int
    last_cents: int | None
    to_date_cents: int
    words: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class EntryRow(Variance):
    """A row of the reconciliation with what the rules look at.

    Attributes:
        month: its month.
        customer_id: its customer, if known.
        deal_id: its deal; ``None`` for entries without a line.
        line_no: its line.
        revenue_type: its type.
        is_recurring: whether revenue of that type recurs.
        due: what must be recognized (X).
        entries: its entries that no rule has claimed, in order of their ids.
        readings: what other readings of the line's versions give, in the order of precedence.
        catch_up: the part of ``due`` that makes up for earlier months.
        cancelled: whether the version in force is cancelled.
        due_until: what is due up to and with the month.
        due_after: what is due after the month.
        due_months: months with an amount up to and with this one.
        is_last: whether it is the last month with an amount.
        booked_before: entries of earlier periods, of the line and type.
        booked_last: entries of the last of them that has any; ``None`` if none has.
        earlier: variance of each of the months before that has one, the nearest last.
        billed: what was billed for the line in the month; ``None`` if nothing was.
        count: n.
    """

    month: date = date.min
    customer_id: str | None = None
    deal_id: str | None = None
    line_no: int | None = None
    revenue_type: str = ""
    is_recurring: bool = False
    due: int = 0
    entries: list[Entry] = field(default_factory=list)
    readings: Sequence[Reading] = ()
    catch_up: int = 0
    cancelled: bool = False
    due_until: int = 0
    due_after: int = 0
    due_months: int = 0
    is_last: bool = False
    booked_before: int = 0
    booked_last: int | None = None
    earlier: Mapping[date, int] = field(default_factory=dict)
    billed: int | None = None
    count: int = field(init=False)
    made_good: int = field(default=0, init=False)
    is_named: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Begin with everything unexplained; what was repaired within the row leaves the comparison."""
        super().__post_init__()
        self.count = max(len(self.entries), 1)
        self._repair()

    def _repair(self) -> None:
        """Take out reversals together with the equal and opposite entries that they name, while a real entry is left."""
        by_id = {entry.entry_id: entry for entry in self.entries}
        for reversal in [entry for entry in self.entries if entry.is_reversal]:
            named = by_id.get(reversal.reverses or "")
            if named is None or named not in self.entries or named.is_reversal or named.cents != -reversal.cents:
                continue
            if any(not entry.is_reversal for entry in self.entries if entry is not named):
                self.entries = [entry for entry in self.entries if entry not in (named, reversal)]

    @property
    def key(self) -> tuple[str | None, str | None, int | None, str]:
        """What names the row in every month."""
        return (self.customer_id, self.deal_id, self.line_no, self.revenue_type)

    @property
    def order(self) -> tuple[str, int, str]:
        """The order in which rows of a month are looked at."""
        return (self.deal_id or "", self.line_no or 0, self.revenue_type)

    @property
    def booked(self) -> int:
        """What is due and what no rule has claimed."""
        return self.due + self.rest

    @property
    def due_before(self) -> int:
        """What was due up to the month before."""
        return self.due_until - self.due

    @property
    def open(self) -> int:
        """What earlier months left open and nothing of this month has made good: + ahead, − behind."""
        return self.booked_before - self.due_before + self.made_good

    @property
    def words(self) -> str:
        """The row for a sentence."""
        return (
            f"line {self.line_no} of deal {self.deal_id}" if self.deal_id else f"an entry of {self.revenue_type} without a line"
        )

    def equals(self, cents: int, other: int) -> bool:
        """Whether two amounts of the row are the same but for rounding."""
        return abs(cents - other) <= self.count

    def claim(
        self, cents: int, sentence: str, evidence: Mapping[str, Any], *entries: Entry, link: str | None = None
    ) -> "Claim[EntryRow]":
        """Return a claim of the row, and let go of the entries that it rests on."""
        self.entries = [entry for entry in self.entries if entry not in entries]
        self.is_named = True
        shown = {"entries": [entry.entry_id for entry in entries], **evidence} if entries else dict(evidence)
        return Claim(self, cents, sentence, shown, link)


Claims = Iterator[Claim[EntryRow]]


def _of_months(rows: Iterable[EntryRow]) -> list[EntryRow]:
    return sorted(rows, key=lambda row: (row.month, row.order))


def _ids(entries: Sequence[Entry]) -> dict[str, Any]:
    return {"entries": [entry.entry_id for entry in entries]} if entries else {}


# --- rounding -----------------------------------------------------------------------------------------------------------------


def _rounding(rows: Sequence[EntryRow]) -> Claims:
    for row in rows:
        if row.entries and abs(row.rest) <= row.count:
            sentence = f"{money(row.rest)} is what rounding leaves over {_counted(row.count, 'entry', 'entries')}."
            yield row.claim(row.rest, sentence, _ids(row.entries))
        elif row.entries and row.is_last and abs(row.rest) <= row.due_months and row.booked_before + row.booked == row.due_until:
            sentence = f"Months were rounded one by one, and the last of {row.due_months} takes the rest of {money(row.rest)}."
            yield row.claim(row.rest, sentence, _ids(row.entries))


def _left_over(rows: Sequence[EntryRow]) -> Claims:
    for row in rows:
        if row.is_named and abs(row.rest) <= row.count:
            yield row.claim(row.rest, f"{money(row.rest)} is what rounding leaves beside the cause named.", _ids(row.entries))


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


# --- reversals and duplicates -------------------------------------------------------------------------------------------------


def _is_worth_claiming(row: EntryRow, entry: Entry) -> bool:
    """Whether what is left is nearer to nothing without an entry, or then has a cause of its own."""
    if abs(row.rest - entry.cents) < abs(row.rest):
        return True
    without = copy(row)
    without.rest = row.rest - entry.cents
    without.entries = [each for each in row.entries if each is not entry]
    without.made_good += entry.cents if entry.is_reversal else 0
    return any(rule.fits(without) is not None for rule in SINGLE_RULES if rule.explains_the_rest)


def _reversals(own_line: bool) -> Callable[[Sequence[EntryRow]], Claims]:
    def claims(rows: Sequence[EntryRow]) -> Claims:
        for row in rows:
            for entry in [each for each in row.entries if each.is_reversal and each.reverses_own_line is own_line]:
                if row.deal_id is None or not _is_worth_claiming(row, entry):
                    continue
                row.made_good += entry.cents
                if own_line:
                    sentence = f"Reversal {entry.entry_id} takes {money(-entry.cents)} of entry {entry.reverses} back."
                else:
                    named = f"names entry {entry.reverses}, which is not of this line" if entry.reverses else "names no entry"
                    sentence = f"Reversal {entry.entry_id} takes {money(-entry.cents)} back and {named}."
                yield row.claim(entry.cents, sentence, {"reverses": entry.reverses}, entry)

    return claims


def _duplicates(rows: Sequence[EntryRow]) -> Claims:
    for row in rows:
        by_amount: dict[int, list[Entry]] = defaultdict(list)
        for entry in row.entries:
            if not entry.is_reversal:
                by_amount[entry.cents].append(entry)
        for cents, alike in sorted(by_amount.items()):
            latest_first = sorted(alike, key=lambda entry: (entry.posted_at, entry.entry_id), reverse=True)
            for entry, original in pairwise(latest_first):
                if row.rest and _is_worth_claiming(row, entry):
                    sentence = f"Entry {entry.entry_id} books {money(cents)} a second time, after entry {original.entry_id}."
                    yield row.claim(cents, sentence, {"duplicates": original.entry_id}, entry)


# --- moves --------------------------------------------------------------------------------------------------------------------


def _unmapped(rows: Sequence[EntryRow]) -> Claims:
    by_month: dict[date, list[EntryRow]] = defaultdict(list)
    for row in _of_months(rows):
        by_month[row.month].append(row)
    for month, of_month in by_month.items():
        without_line = [(row, entry) for row in of_month if row.deal_id is None for entry in list(row.entries)]
        alike: dict[tuple[str, int], int] = defaultdict(int)
        for row, entry in without_line:
            if row.customer_id is None:
                alike[row.revenue_type, entry.cents] += 1
        for row, entry in without_line:
            lacking = [
                other
                for other in of_month
                if other.deal_id is not None
                and other.rest
                and other.revenue_type == row.revenue_type
                and row.customer_id in (None, other.customer_id)
                and abs(other.rest + entry.cents) <= NEAR
            ]
            if row.customer_id is None and (len(lacking) != 1 or alike[row.revenue_type, entry.cents] != 1):
                lacking = []
            lacking.sort(key=lambda other: (other.deal_id != entry.named_deal, other.order))
            if not lacking:
                yield row.claim(entry.cents, f"{entry.words.capitalize()} resolves to no deal line.", {}, entry)
                continue
            other = lacking[0]
            link = f"unmapped:{months.label(month)}:{entry.entry_id}"
            sentence = f"{entry.words.capitalize()} resolves to no deal line; {other.words} lacks exactly this amount."
            yield row.claim(entry.cents, sentence, {"lacking": _place(other)}, entry, link=link)
            yield other.claim(
                -entry.cents,
                f"What {other.words} lacks stands in {entry.words} without a line.",
                {"entries": [entry.entry_id]},
                link=link,
            )


def _place(row: EntryRow) -> dict[str, Any]:
    return {"deal_id": row.deal_id, "line_no": row.line_no, "revenue_type": row.revenue_type, "month": months.label(row.month)}


@dataclass(frozen=True)
class _Move:
    """What a row lacks and another has in excess: the entry that moved; ``None`` where the two carry each other's amounts."""

    lacking: EntryRow
    excess: EntryRow
    entry: Entry | None


def _lacks(row: EntryRow) -> int:
    """Return what a row lacks, with the sign of what is due; 0 if it lacks nothing."""
    missing = -row.rest
    return missing if abs(missing) > row.count and missing * row.due > 0 else 0


def _move(lacking: EntryRow, excess: EntryRow) -> _Move | None:
    """Return the move from one row to another, if there is one."""
    missing = _lacks(lacking)
    if not missing or excess is lacking:
        return None
    if excess.rest * missing > 0 and abs(excess.rest) >= abs(missing) - NEAR:
        equal = [each for each in excess.entries if not each.is_reversal and abs(each.cents - missing) <= NEAR]
        if equal:
            return _Move(lacking, excess, min(equal, key=lambda each: (abs(each.cents - missing), each.entry_id)))
    exchanged = abs(lacking.booked - excess.due) <= NEAR and abs(excess.booked - lacking.due) <= NEAR
    if exchanged and excess.due and lacking.booked and lacking.entries and excess.entries:
        return _Move(lacking, excess, None)
    return None


def _ends(move: _Move, cause: str, sentence: str) -> Claims:
    """Yield both ends of a move: the smaller amount, opposite, under one link."""
    lacking, excess = move.lacking, move.excess
    cents = min(abs(lacking.rest), abs(excess.rest))
    cents = cents if excess.rest > 0 else -cents
    first, second = sorted((lacking, excess), key=lambda row: (row.month, row.order))
    link = ":".join(
        [cause, *(f"{months.label(row.month)}/{row.deal_id}/{row.line_no}/{row.revenue_type}" for row in (first, second))]
    )
    entries = (move.entry,) if move.entry else ()
    named = {"entries": [move.entry.entry_id]} if move.entry else {}
    yield excess.claim(cents, sentence, {"belongs_to": _place(lacking)}, *entries, link=link)
    yield lacking.claim(-cents, sentence, {"stands_at": _place(excess), **named}, link=link)


def _within_month(
    cause: str, is_pair: Callable[[EntryRow, EntryRow], bool], words: Callable[[_Move], str]
) -> Callable[[Sequence[EntryRow]], Claims]:
    """Return the rule of moves inside a month: each row that lacks something takes the first that has it."""

    def claims(rows: Sequence[EntryRow]) -> Claims:
        with_line = [row for row in _of_months(rows) if row.deal_id is not None]
        groups: dict[tuple[date, str | None], list[EntryRow]] = defaultdict(list)
        for row in with_line:
            groups[row.month, row.customer_id].append(row)
        for row in with_line:
            if not _lacks(row):
                continue
            pairs = (other for other in groups[row.month, row.customer_id] if other.rest and is_pair(row, other))
            found = next((move for other in pairs if (move := _move(row, other))), None)
            if found:
                yield from _ends(found, cause, words(found))

    return claims


def _wrong_deal_words(move: _Move) -> str:
    if move.entry is None:
        return f"{move.lacking.words.capitalize()} and {move.excess.words} carry each other's amounts."
    return f"{move.entry.words.capitalize()} stands on {move.excess.words} and belongs to {move.lacking.words}."


def _wrong_type_words(move: _Move) -> str:
    mixed = move.lacking.is_recurring != move.excess.is_recurring
    tail = "; recurring and one-time revenue are mixed" if mixed else ""
    what = move.entry.words.capitalize() if move.entry else f"What {move.excess.words} carries"
    types = f"{move.excess.revenue_type} and is due as {move.lacking.revenue_type}"
    return f"{what} is booked as {types} of deal {move.lacking.deal_id}{tail}."


def _period_shifts(rows: Sequence[EntryRow]) -> Claims:
    """Yield moves between adjacent months of one row key: both ends choose each other, the earlier month first, in one round."""
    by_place = {(row.key, row.month): row for row in rows if row.deal_id is not None}

    def beside(row: EntryRow) -> list[EntryRow]:
        around = ((row.key, months.add(row.month, step)) for step in (-1, 1))
        return [by_place[place] for place in around if place in by_place]

    chosen_by_lacking = {}
    chosen_by_excess = {}
    for row in by_place.values():
        chosen_by_lacking[id(row)] = next((other for other in beside(row) if _move(row, other)), None)
        chosen_by_excess[id(row)] = next((other for other in beside(row) if _move(other, row)), None)
    moves = []
    for row in _of_months(by_place.values()):
        other = chosen_by_lacking[id(row)]
        if other is not None and chosen_by_excess[id(other)] is row and (move := _move(row, other)):
            moves.append(move)
    for move in moves:
        lacking, excess = move.lacking, move.excess
        later = max(lacking, excess, key=lambda row: row.month)
        earlier_cents = min(abs(lacking.rest), abs(excess.rest))
        # What the later month's end settles was open at the end of the month before it.
        later.made_good += (earlier_cents if excess.rest > 0 else -earlier_cents) * (1 if later is excess else -1)
        what = move.entry.words if move.entry else f"what {months.label(excess.month)} carries"
        sentence = f"{what.capitalize()} is booked in {months.label(excess.month)} and is due in {months.label(lacking.month)}."
        yield from _ends(move, "period_shift", sentence)


# --- making up for earlier months ---------------------------------------------------------------------------------------------


def _prior_months_by_entry(rows: Sequence[EntryRow]) -> Claims:
    for row in rows:
        while row.deal_id is not None and row.rest and (entry := _makes_up(row)) is not None:
            still_open = row.open
            row.made_good += entry.cents
            sentence = f"{entry.words.capitalize()} makes up for earlier months, which were {_behind(still_open)}."
            yield row.claim(entry.cents, sentence, {"open_cents": still_open}, entry)


def _behind(still_open: int) -> str:
    return f"{money(abs(still_open))} {'ahead' if still_open > 0 else 'behind'}"


def _makes_up(row: EntryRow) -> Entry | None:
    """Return the entry that makes up for what earlier months left open: for all of it, else for one of them."""
    still_open = row.open
    if not still_open or (len(row.entries) < 2 and not _may_be_alone(row)):
        return None
    candidates = [
        entry
        for entry in row.entries
        if not entry.is_reversal
        and entry.cents * still_open < 0
        and entry.cents * row.rest > 0
        and abs(row.rest) >= abs(entry.cents) - row.count
    ]
    of_all = [entry for entry in candidates if row.equals(entry.cents, -still_open)]
    if of_all:
        return min(of_all, key=lambda entry: (abs(entry.cents + still_open), entry.entry_id))
    since = months.add(row.month, -PRIOR_MONTHS_REACH)
    variances = [cents for month, cents in row.earlier.items() if month >= since and cents * still_open > 0]
    of_one = [
        (min(abs(entry.cents + cents) for cents in variances if row.equals(entry.cents, -cents)), entry.entry_id, entry)
        for entry in candidates
        if abs(still_open) >= abs(entry.cents) - row.count and any(row.equals(entry.cents, -cents) for cents in variances)
    ]
    return min(of_one)[2] if of_one else None


def _may_be_alone(row: EntryRow) -> bool:
    """Whether the only entry of a row may make up for earlier months: nothing is due, and no other reading explains it."""
    if row.due or not row.entries:
        return False
    return row.cancelled or not any(rule.fits(row) is not None for rule in SINGLE_RULES if rule.is_reading)


# --- rules over a row by itself -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """That a rule holds: the cents that it explains, why, and what proves it."""

    cents: int
    sentence: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class SingleRule:
    """A rule that looks at one row by itself.

    Attributes:
        label: the cause.
        fits: returns what it explains of the row, ``None`` if it does not hold.
        is_reading: whether it is another reading of the versions (*from stale_version to wrong_duration*).
        explains_the_rest: whether a reversal or a duplicate is claimed for its sake (*from after_cancellation to after_end*).
    """

    label: str
    fits: Callable[[EntryRow], Fit | None]
    is_reading: bool = False
    explains_the_rest: bool = True

    def claims(self, rows: Sequence[EntryRow]) -> Claims:
        """Yield a claim for each row where the rule holds, with the rules further down that would have held, too."""
        below = SINGLE_RULES[SINGLE_RULES.index(self) + 1 :]
        for row in rows:
            if row.deal_id is None or (fit := self.fits(row)) is None:
                continue
            others = list(dict.fromkeys(rule.label for rule in below if rule.label != self.label and rule.fits(row) is not None))
            evidence = {**_ids(row.entries), **fit.evidence, **({"also_possible": others} if others else {})}
            yield row.claim(fit.cents, fit.sentence, evidence)


def _after_cancellation(row: EntryRow) -> Fit | None:
    if not row.entries or not row.cancelled or row.due or row.due_after:
        return None
    return Fit(row.rest, f"{money(row.booked)} is recognized after {row.words} was cancelled.", {})


def _reading(cause: str) -> Callable[[EntryRow], Fit | None]:
    def fits(row: EntryRow) -> Fit | None:
        for reading in row.readings:
            if reading.cause == cause and _holds(row, reading):
                sentence = f"{money(row.booked)} is what {row.words} gives {reading.words}; {money(row.due)} is due."
                return Fit(reading.cents - row.due, sentence, reading.evidence)
        return None

    return fits


def _holds(row: EntryRow, reading: Reading) -> bool:
    """Whether what is booked is what another reading gives; where nothing is booked, earlier months must bear it out."""
    if row.equals(reading.cents, row.due):
        return False
    if reading.cause == "wrong_duration":
        # Some number of months comes near any amount: it must be the very cents, of one entry.
        return len(row.entries) == 1 and row.entries[0].cents == reading.cents and row.equals(row.booked, reading.cents)
    if row.entries:
        return row.equals(row.booked, reading.cents)
    booked_to_date = row.booked_before
    return (
        reading.cents == 0
        and row.booked_last is not None
        and reading.last_cents is not None
        and row.equals(reading.last_cents, row.booked_last)
        and row.equals(reading.to_date_cents, booked_to_date)
        and booked_to_date != 0
        and (reading.cause == "stale_version" or not row.equals(booked_to_date, row.due_before))
    )


def _catch_up_missing(row: EntryRow) -> Fit | None:
    if not row.entries or not row.catch_up or not row.equals(row.booked, row.due - row.catch_up):
        return None
    missed = money(row.catch_up)
    sentence = f"{row.words.capitalize()} was agreed after service had begun, and {missed} of earlier months is not made up for."
    return Fit(-row.catch_up, sentence, {"catch_up_cents": row.catch_up})


def _as_billed(row: EntryRow) -> Fit | None:
    if not row.entries or not row.billed or not (row.due or row.due_after) or not row.equals(row.booked, row.billed):
        return None
    return Fit(
        row.billed - row.due,
        f"{money(row.booked)} is what was billed in the month, not what was due.",
        {"billed_cents": row.billed},
    )


def _wrong_sign(row: EntryRow) -> Fit | None:
    if not row.entries or not row.due or not row.equals(row.booked, -row.due):
        return None
    return Fit(-2 * row.due, f"{money(row.due)} is due, and is booked with the other sign.", {})


def _rounded_quotient(cents: int, divisor: int) -> int:
    rounded = (2 * abs(cents) + divisor) // (2 * divisor)
    return rounded if cents >= 0 else -rounded


def _decimal_shift(row: EntryRow) -> Fit | None:
    if not row.entries or not row.due or abs(row.booked) < _SMALLEST_SHIFTED:
        return None
    for factor in _SHIFTS:
        if row.booked in (row.due * factor, _rounded_quotient(row.due, factor)):
            return Fit(
                row.rest, f"{money(row.booked)} is {money(row.due)} with its decimal point in another place.", {"factor": factor}
            )
    return None


def _transposed(row: EntryRow) -> Fit | None:
    if not row.entries or row.booked * row.due <= 0:
        return None
    one, other = str(abs(row.booked)), str(abs(row.due))
    differing = [at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right]
    if len(one) != len(other) or len(differing) != 2 or differing[1] != differing[0] + 1:
        return None
    first, second = differing
    if (one[first], one[second]) != (other[second], other[first]):
        return None
    return Fit(row.rest, f"{money(row.booked)} is {money(row.due)} with two neighbouring digits exchanged.", {})


def _prior_months_in_total(row: EntryRow) -> Fit | None:
    still_open = row.open
    if still_open and row.entries and row.equals(row.rest, -still_open):
        sentence = f"{money(row.rest)} makes up for earlier months, which were {_behind(still_open)}."
        return Fit(row.rest, sentence, {"open_cents": still_open})
    if not row.entries and row.due and still_open * row.due > 0 and abs(still_open) >= abs(row.due):
        sentence = f"{money(row.due)} had been recognized before it was due: earlier months were {_behind(still_open)}."
        return Fit(row.rest, sentence, {"open_cents": still_open})
    return None


def _before_start(row: EntryRow) -> Fit | None:
    if not row.entries or row.due_until or row.due or not row.due_after:
        return None
    return Fit(row.rest, f"{money(row.booked)} is recognized before anything of {row.words} is due.", {})


def _after_end(row: EntryRow) -> Fit | None:
    if not row.entries or row.due or row.due_after:
        return None
    return Fit(row.rest, f"{money(row.booked)} is recognized after the last month in which {row.words} owes anything.", {})


def _unrecognized(row: EntryRow) -> Fit | None:
    if row.entries or not row.due:
        return None
    return Fit(row.rest, f"{money(row.due)} of {row.words} is due and not recognized.", {})


SINGLE_RULES: tuple[SingleRule, ...] = (
    SingleRule("after_cancellation", _after_cancellation),
    SingleRule("stale_version", _reading("stale_version"), is_reading=True),
    SingleRule("catch_up_missing", _catch_up_missing, is_reading=True),
    SingleRule("wrong_modification", _reading("wrong_modification"), is_reading=True),
    SingleRule("price_not_allocated", _reading("price_not_allocated"), is_reading=True),
    SingleRule("wrong_policy", _reading("wrong_policy"), is_reading=True),
    SingleRule("recognized_as_billed", _as_billed, is_reading=True),
    SingleRule("wrong_sign", _wrong_sign, is_reading=True),
    SingleRule("decimal_shift", _decimal_shift, is_reading=True),
    SingleRule("wrong_duration", _reading("wrong_duration"), is_reading=True),
    SingleRule("transposed_digits", _transposed),
    SingleRule("prior_months", _prior_months_in_total),
    SingleRule("before_start", _before_start),
    SingleRule("after_end", _after_end),
    SingleRule("unrecognized", _unrecognized, explains_the_rest=False),
)
"""Rules over a row by itself, in order of precedence."""


def _same_type(row: EntryRow, other: EntryRow) -> bool:
    return row.revenue_type == other.revenue_type


def _same_deal(row: EntryRow, other: EntryRow) -> bool:
    return row.deal_id == other.deal_id and row.revenue_type != other.revenue_type


def _with_rounding(causes: Sequence[Cause[EntryRow]]) -> tuple[Cause[EntryRow], ...]:
    """Return causes each followed by what it leaves in cents of rounding."""
    return tuple(each for cause in causes for each in (cause, Cause("rounding", _left_over)))


FAMILIES = {
    "late_posting": "timing",
    "rounding": "rounding",
    "reversal": "credit",
    "reversal_unreferenced": "credit",
    "unmapped_entry": "mapping",
    "wrong_deal": "mapping",
    "wrong_type": "mapping",
    "period_shift": "timing",
    "prior_months": "timing",
    "duplicate_entry": "duplicate",
    "after_cancellation": "missing",
    "stale_version": "configuration",
    "catch_up_missing": "configuration",
    "wrong_modification": "configuration",
    "price_not_allocated": "configuration",
    "wrong_policy": "configuration",
    "recognized_as_billed": "configuration",
    "wrong_sign": "data",
    "decimal_shift": "data",
    "wrong_duration": "configuration",
    "transposed_digits": "data",
    "before_start": "missing",
    "after_end": "missing",
    "unrecognized": "missing",
}
"""The causes in order of precedence, each with its family."""

CAUSES = _with_rounding(
    (
        Cause("rounding", _rounding),
        Cause("reversal", _reversals(own_line=True)),
        Cause("reversal_unreferenced", _reversals(own_line=False)),
        Cause("unmapped_entry", _unmapped),
        Cause("wrong_deal", _within_month("wrong_deal", _same_type, _wrong_deal_words)),
        Cause("wrong_type", _within_month("wrong_type", _same_deal, _wrong_type_words)),
        Cause("period_shift", _period_shifts),
        Cause("prior_months", _prior_months_by_entry),
        Cause("duplicate_entry", _duplicates),
        *(Cause(rule.label, rule.claims) for rule in SINGLE_RULES),
    )
)
"""The rules of cause in order of precedence."""
