"""What a terminal shows of status, reconciliations and long lists: what matters first, within its width, and how to see the rest.

Belongs here: lines for people, made from rows that others found. Does not belong here: finding the rows (``desk``, ``serving``),
forms for programs (``output``), whether there is a terminal (``shared``).
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from revenue_integrity import output, wording
from revenue_integrity.process import PROGRAM

if TYPE_CHECKING:
    import pandas as pd

    from revenue_integrity.desk.close_status import CloseRow
    from revenue_integrity.desk.verifying import Finding
    from revenue_integrity.model.deployment import Deployment
    from revenue_integrity.model.reconciliation import Reconciliation

_GAP = "  "
_ROOM_FOR_WORDS = 36
"""Characters that what is in the way of a month has at least, before a line of status shows further figures."""

_CARDS = 20
"""Breaches that are shown one by one."""

_CHANGES = 20
"""Changes of a restatement that are shown one by one."""

_REASONS = 25
"""Reasons that a summary of refused rows names."""

_ALIKE = 3
"""Findings of one kind that are named one by one."""

_VALUE = re.compile(r"'[^']*'|\b\d[\d.,:TZ+-]*\b")
"""What differs from row to row in the reason why a row was refused."""


def status(
    home: "Deployment", rows: Sequence["CloseRow"], frame: "pd.DataFrame", window: int, *, detailed: bool
) -> Iterator[str]:
    """Yield a line a month and book, under it the command that brings it on; detailed, also each check in the way."""
    columns = _status_columns(home, rows, frame, window)
    widths = [max(map(len, column)) for column in columns]
    rest = max(window - sum(widths) - len(_GAP) * len(widths), 16)
    numbers = range(3, len(columns))
    yield f"Amounts in {home.settings.currency}"
    heads, *lines = zip(*columns, strict=True)
    ways = ["what is in the way", *(_in_the_way(row, str(why)) for row, why in zip(rows, frame["why"], strict=True))]
    # What brings several lines on stands once, under the last of them.
    following = [*frame["next_command"].tolist()[1:], ""]
    commands = ["", *("" if each == after else each for each, after in zip(frame["next_command"], following, strict=True))]
    for cells, words, command in zip([heads, *lines], ways, commands, strict=True):
        aligned = [
            cell.rjust(width) if at in numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        first, *more = textwrap.wrap(words, rest) or [""]
        yield _GAP.join([*aligned, first]).rstrip()
        indent = " " * (window - rest) if window - rest > 0 else ""
        yield from (f"{indent}{line}" for line in more)
        if command:
            yield f"{_GAP * 2}{command}"
    for row in rows if detailed else ():
        yield from _details(row, home.settings.of_book(row.facts.book).currency, window)


def _status_columns(home: "Deployment", rows: Sequence["CloseRow"], frame: "pd.DataFrame", window: int) -> list[list[str]]:
    """Return the columns of status, each with its heading first: figures of a summary as far as there is room for them."""
    from revenue_integrity.desk.status import figures_of

    version = [f" v{row.facts.signed.version}" if row.facts.signed else "" for row in rows]
    columns = [
        ["month", *(row.facts.label for row in rows)],
        ["book", *(row.facts.book for row in rows)],
        ["status", *(f"{row.status}{signed}".replace("_", " ") for row, signed in zip(rows, version, strict=True))],
    ]
    figures = figures_of(home)
    variance = ["variance", *_variances(frame, [name for name, figure in figures.items() if figure.is_variance])]
    room = window - _ROOM_FOR_WORDS - sum(max(map(len, column)) + len(_GAP) for column in [*columns, variance])
    for name, figure in figures.items():
        shown = [figure.title.lower(), *(_amount(name, value) for value in frame[name].tolist())]
        room -= max(map(len, shown)) + len(_GAP)
        if room < 0:
            break
        if figure.in_summary and not figure.name.startswith("variance") and any(shown[1:]):
            columns.append(shown)
        else:
            room += max(map(len, shown)) + len(_GAP)
    return [*columns, variance]


def _amount(name: str, value: Any) -> str:
    if wording.is_missing(value):
        return ""
    return wording.money(value) if name.endswith("_cents") else wording.cost(value)


def _variances(frame: "pd.DataFrame", names: Sequence[str]) -> Iterator[str]:
    """Yield the variance of each row: that of its streams, added up."""
    from revenue_integrity import exact

    for position in range(len(frame)):
        found = [(name, frame[name].iloc[position]) for name in names]
        cents = [
            int(value) if name.endswith("_cents") else exact.cents(value)
            for name, value in found
            if not wording.is_missing(value)
        ]
        yield wording.money(sum(cents)) if cents else ""


def _in_the_way(row: "CloseRow", why: str) -> str:
    found = row.facts.in_the_way
    if row.facts.content_hash is None or not found or row.status not in ("blocked", "reopened"):
        return why
    reason = why.partition(";")[0] if row.status == "reopened" else ""
    return "; ".join([*([reason] if reason else []), *(f"{each.heading}: {each.state}" for each in found)])


def _details(row: "CloseRow", currency: str, window: int) -> Iterator[str]:
    from revenue_integrity.close.blocking import told

    # Nothing is in the way of what is signed and stands as it was signed.
    if not row.facts.in_the_way or row.facts.content_hash is None or row.status == "signed_off":
        return
    yield ""
    yield f"In the way of {row.facts.named}:"
    for check in row.facts.in_the_way:
        first, *more = told(row.facts, check, currency).split("\n")
        yield from textwrap.wrap(first, window, initial_indent="  - ", subsequent_indent="    ")
        yield from (f"      {line}" for line in more)


def breaches(home: "Deployment", label: str, rows: "pd.DataFrame", window: int, *, asked: str) -> Iterator[str]:
    """Yield a card for each row in breach, the largest first: both sides, variance, and each cause with its evidence.

    Args:
        home: the home.
        label: the month.
        rows: a row per cause, those of one breach beside each other, the largest breach first.
        window: characters of a line.
        asked: the command that was typed, to which ``--format`` can be added.
    """
    declared = {each.name: each for stream in home.streams for each in stream.reconciliations or ()}
    grain = {name: None for stream in home.streams if stream.reconciliations for name in stream.reconciliations.grain}
    cards = [group for _, group in rows.groupby(["recon", "row_key"], sort=False)]
    yield f"{label}: {wording.counted(len(cards), 'row', 'rows')} in breach. Amounts in {home.settings.currency}; left less right"
    for card in cards[:_CARDS]:
        keys = [name for name in grain if name in card and name != "month"]
        yield ""
        yield from _card(card, declared.get(str(card["recon"].iloc[0])), keys, home.settings.currency, window)
    if len(cards) > _CARDS:
        yield ""
        yield f"... and {len(cards) - _CARDS} smaller ones. All of them: {asked} --format csv"


def _card(
    card: "pd.DataFrame", recon: "Reconciliation | None", grain: Sequence[str], currency: str, window: int
) -> Iterator[str]:
    first = {name: card[name].iloc[0] for name in card.columns}
    write = _in_unit(str(first["unit"]))
    suffix = "cents" if not wording.is_missing(first["variance_cents"]) else "value"
    left, right, variance = (first[f"{side}_{suffix}"] for side in ("left", "right", "variance"))
    keys = [output.text(output.plain(first[name], name)) for name in grain if not wording.is_missing(first[name])]
    head = f"{wording.words(first['recon'])}: {', '.join(keys)}"
    yield from _beside(output.seen(head), f"variance {write(variance)}", window)
    # A share below zero stands in parentheses, so none stand around it.
    share = "" if wording.is_missing(first["variance_pct"]) else f": {wording.percent(first['variance_pct'])} of the right"
    sides = (recon.left, recon.right) if recon is not None else ("left", "right")
    yield from textwrap.wrap(
        f"{sides[0]} {write(left)}, {sides[1]} {write(right)}{share}", window - 2, initial_indent="  ", subsequent_indent="  "
    )
    for position in range(len(card)):
        yield from _cause({name: card[name].iloc[position] for name in card.columns}, currency, window)


def _cause(cause: Mapping[str, Any], currency: str, window: int) -> Iterator[str]:
    if not wording.is_missing(cause.get("cause")):
        family = "" if wording.is_missing(cause["family"]) else f" ({cause['family']})"
        yield f"  {wording.money(cause['cause_cents'])} {wording.words(cause['cause'])}{family}"
    if not wording.is_missing(cause.get("explanation")):
        yield from textwrap.wrap(
            output.seen(str(cause["explanation"])), window - 4, initial_indent="    ", subsequent_indent="    "
        )
    if wording.is_missing(cause.get("evidence")):
        return
    for line in _evidence(str(cause["evidence"]), currency):
        yield from textwrap.wrap(output.seen(line), window - 4, initial_indent="      ", subsequent_indent="        ")


def _evidence(evidence: str, currency: str) -> Iterator[str]:
    """Yield what proves a cause: each document line, reading or version on a line of its own, what names it first."""
    write = wording.Currency(currency)
    found = json.loads(evidence)
    for name, value in found.items() if isinstance(found, dict) else [("evidence", found)]:
        if value in ([], {}, ""):
            continue
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            for each in value:
                ordered = dict(sorted(each.items(), key=lambda field: not field[0].endswith(("_id", "_no"))))
                yield f"{wording.words(name)}: {', '.join(write.phrases(ordered))}"
        else:
            yield from write.phrases({name: _row_named(value) if isinstance(value, str) else value})


def _row_named(text: str) -> str:
    """Return the name of a row of a reconciliation, ``2025-02/[null,"T-1"]``, as people read it: ``2025-02 T-1``."""
    month, slash, key = text.partition("/")
    if not slash or not key.startswith("["):
        return text
    try:
        named = json.loads(key)
    except ValueError:
        return text
    return " ".join([month, *(str(each) for each in named if each is not None)])


def _in_unit(unit: str) -> Any:
    """Return how an amount of a unit is written."""
    if unit == "cents":
        return wording.money
    return (
        wording.cost
        if re.fullmatch("[a-z]{3}", unit) and unit not in ("kwh",)
        else lambda value: f"{wording.exact(value)} {unit}"
    )


def _beside(left: str, right: str, window: int) -> Iterator[str]:
    """Yield two texts at both ends of a line; in two lines where they do not fit."""
    if len(left) + len(right) + 2 <= window:
        yield f"{left}{right.rjust(window - len(left))}"
    else:
        yield from textwrap.wrap(left, window)
        yield right.rjust(window)


def quarantine(rows: "pd.DataFrame", window: int, *, asked: str) -> Iterator[str]:
    """Yield what was refused: batches one by one, rows counted by source and reason, the most frequent first."""
    batches = rows[rows["row_number"].isna()]
    refused = rows[rows["row_number"].notna()]
    for each in output.plain_rows(batches):
        yield from textwrap.wrap(
            f"{each['batch_id']} was rejected: {output.seen(str(each['dq_errors']))}", window, subsequent_indent="  "
        )
    counts: dict[tuple[str, str], int] = {}
    shown: dict[tuple[str, str], str] = {}
    for each in output.plain_rows(refused):
        for reason in str(each["dq_errors"]).split("; "):
            kind = (f"{each['stream']} {each['source']}", _VALUE.sub("…", reason))
            counts[kind] = counts.get(kind, 0) + 1
            shown.setdefault(kind, f"{reason}: {each['batch_id']} {each['file_name']} row {each['row_number']}")
    if counts:
        yield f"{wording.counted(len(refused), 'row was', 'rows were')} refused; by source and reason, each with its first:"
    ordered = sorted(counts, key=lambda kind: (-counts[kind], kind))
    width = max((len(str(count)) for count in counts.values()), default=1)
    for kind in ordered[:_REASONS]:
        line = f"{counts[kind]:>{width}}  {kind[0]}: {output.seen(shown[kind])}"
        yield from textwrap.wrap(line, window, subsequent_indent=" " * (width + 2))
    if len(ordered) > _REASONS:
        yield f"... and {len(ordered) - _REASONS} further reasons"
    yield f"Every row as it was sent: {asked} --format csv" if len(rows) else "Nothing was refused"


def alerts(rows: "pd.DataFrame", window: int) -> Iterator[str]:
    """Yield an alert a line, the latest first: when, how grave, what it says, and whether it was sent, or is over."""
    for each in output.plain_rows(rows):
        when = str(each["raised_at"])[:16].replace("T", " ")
        again = f"; next try at {each['next_try_at']}" if not wording.is_missing(each["next_try_at"]) else ""
        said = f"{when}  {each['severity']:<8}  {output.seen(str(each['title']))} ({each['status']}{again})"
        yield from textwrap.wrap(said, window, subsequent_indent=" " * 28)
    if rows.empty:
        yield "There is no alert"


def reopened(rows: "pd.DataFrame") -> Iterator[str]:
    """Yield of alerts the signed months that are open again, each with the command that says why; of many, the first."""
    standing = rows[(rows["kind"] == "month_reopened") & ~rows["status"].str.contains("resolved").astype(bool)]
    for each in output.plain_rows(standing[:_ALIKE]):
        asked = f"{PROGRAM} status --month {each['month']} --book {each['book']}"
        yield f"{each['title']}: {asked}"
    if len(standing) > _ALIKE:
        yield f"... and {len(standing) - _ALIKE} more: {PROGRAM} status"


def findings(found: Sequence["Finding"], *, everything: bool) -> Iterator[str]:
    """Yield what does not hold, a sentence each; what many have in common once, with the first of them."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in found:
        alike.setdefault((each.problem, each.next_step), []).append(each.subject)
    for (problem, next_step), subjects in alike.items():
        if everything or len(subjects) <= _ALIKE:
            yield from (f"{subject}: {problem}. {next_step}" for subject in subjects)
            continue
        yield f"{len(subjects)} of these, the first are named: {problem}. {next_step}"
        yield from (f"  {subject}" for subject in subjects[:_ALIKE])
        yield f"  ... and {len(subjects) - _ALIKE} more: {PROGRAM} verify --all"


def restatement(rows: "pd.DataFrame", named: str, window: int, *, asked: str) -> Iterator[str]:
    """Yield what changed since a signed version: totals by measure, then the largest changes with their keys."""
    first = next(output.plain_rows(rows.head(1)))
    batches = json.loads(str(first["batches"]))
    because = f" ({', '.join(batches[:3])}{f' and {len(batches) - 3} more' if len(batches) > 3 else ''})" if batches else ""
    yield from textwrap.wrap(f"{named} since v{first['from_version']}, because of {first['cause']}{because}:", window)
    for (dataset, measure), of_measure in rows.groupby(["dataset", "measure"], sort=False):
        total = sum(of_measure["delta"].tolist())
        yield from _beside(
            f"  {dataset}, {_measure(measure)}: {wording.counted(len(of_measure), 'row', 'rows')}",
            _signed(str(measure), total),
            window,
        )
    yield ""
    size = rows["delta"].map(abs)
    largest = rows.loc[size.sort_values(ascending=False, kind="stable").index]
    for each in output.plain_rows(largest.head(_CHANGES)):
        key = ", ".join(_named_by(json.loads(str(each["key"])).values()))
        figures = f"{_figure(each['measure'], each['old'])} -> {_figure(each['measure'], each['new'])}"
        yield from _beside(output.seen(f"  {each['dataset']} {_measure(each['measure'])}: {key}"), figures, window)
    if len(rows) > _CHANGES:
        yield f"... and {len(rows) - _CHANGES} smaller changes. All of them: {asked} --format csv"


def _named_by(values: Iterable[Any]) -> Iterator[str]:
    """Yield what names a row; a key that is a list of values stands as these."""
    for value in values:
        if isinstance(value, str) and value.startswith("["):
            yield from (str(each) for each in json.loads(value) if each is not None)
        elif value is not None:
            yield str(value)


def _measure(name: object) -> str:
    return wording.words(str(name).removesuffix("_cents"))


def _figure(measure: str, value: Any) -> str:
    return wording.money(value) if str(measure).endswith("_cents") else wording.exact(value)


def _signed(measure: str, value: Any) -> str:
    return f"{'+' if value > 0 else ''}{_figure(measure, value)}"


def typed(command: str, **options: str | None) -> str:
    """Return the command that was typed, with the options that it had."""
    given = [f"--{name} {value}" for name, value in options.items() if value]
    return " ".join([PROGRAM, command, *given])
