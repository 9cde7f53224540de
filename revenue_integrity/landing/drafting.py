"""A first mapping for a file that somebody else made, proposed from the names of its columns and a sample of its values.

Belongs here: recognizing how a file is written, which of its columns may be which of ours, and writing that down as TOML with
what a person must look at. Does not belong here: what a mapping may say (``mapping``), reading by it (``conversion``).

What can be meant in two ways stays undeclared and is said: a draft is read by a person before anything lands by it.
"""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from revenue_integrity.errors import LandingError
from revenue_integrity.landing import hints, nem12, styles
from revenue_integrity.landing.containers import ContainerError, kind_of, opened, rows_of_sheet, sheets_of
from revenue_integrity.landing.mapping import DATES, NUMBERS
from revenue_integrity.landing.styles import Dates
from revenue_integrity.landing.values import places_of
from revenue_integrity.model.source import Source, SourceColumn

_SAMPLE_BYTES = 1 << 20
_SAMPLE_ROWS = 2000
_SHOWN = 8
_CERTAIN, _SURE, _LIKELY = 0.6, 0.55, 0.3
"""Likeness of names from which a column is proposed without a question, an optional one, and a required one."""

_WORDS = {
    "document": "doc beleg belegnr invoice inv rechnung voucher bill faktura",
    "id": "no nr num number nummer code key ref reference referenz belegnummer",
    "line": "position pos item row zeile",
    "type": "art kind class quality",
    "customer": "cust debitor kunde client account kundennummer",
    "contract": "vertrag agreement order",
    "month": "monat period periode",
    "service": "leistung leistungs usage consumption supply",
    "charge": "erlösart leistungsart erlos fee",
    "quantity": "qty menge units count anzahl",
    "price": "einzelpreis preis rate",
    "unit": "einheit each",
    "amount": "betrag sum total net value cost gross",
    "currency": "cur curr ccy währung waehrung",
    "date": "datum day tag",
    "posted": "gebucht booked posting buchung created entered erfassung erfasst",
    "corrects": "bezugsbeleg corrected reverses original storno",
    "kwh": "usage consumption energy verbrauch",
    "peak": "max maximum demand spitze",
    "meter": "zähler zaehler stream channel device",
    "reading": "interval intervaldate read ablesung",
    "status": "state",
    "name": "bezeichnung title",
    "from": "start begin since von beginn",
    "to": "end until bis ende",
    "site": "location standort facility premise",
    "version": "revision",
    "installed": "service",
    "rated": "power",
}
"""Words of ours, each with what other systems say for it."""

_CANONICAL = {word: ours for ours, theirs in _WORDS.items() for word in theirs.split()} | {ours: ours for ours in _WORDS}
_SHORTEST_INSIDE = 3
"""Words of so many letters, or fewer, are not looked for inside of others."""

_MARKS = {"s", "h", "c", "d", "cr", "dr", "soll", "haben", "credit", "debit", "+", "-"}
"""What a column says that gives amounts their sign."""

_UNITS = r"(?i)\b(kwh?|mwh?|days?|hours?)\b|%"
"""Units in a name that no amount of money has."""

_NO_WORDS = ("erp", "the", "of", "at", "is", "by", "our", "is")
_TOTALS = ("total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "subtotal", "saldo")


@dataclass(frozen=True)
class _File:
    """How a file is written, and a sample of it: each column's name with its texts that are not empty.

    ``totals`` are columns with the word by which a row of nothing else says that it is one of totals.
    """

    style: dict[str, object]
    columns: dict[str, list[str]]
    rows: int
    said: tuple[str, ...] = ()
    totals: tuple[tuple[str, str], ...] = ()


@dataclass
class _Proposal:
    """What is proposed for a column of ours; what is doubtful and may stay empty is not declared, only written beside."""

    origin: str
    keys: dict[str, object] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    is_doubtful: bool = False


def draft(source: Source, file: Path, currency: str) -> str:
    """Return a mapping as TOML for a file, with comments on what a person must look at.

    Raises:
        LandingError: the file is missing, or nothing in it can be read as rows.
    """
    if not file.is_file():
        raise LandingError(f"there is no file {file}", "Name a file that exists")
    try:
        found = _looked_at(file)
    except ContainerError as error:
        raise LandingError(f"{file.name} {error}", "Correct the file") from error
    if not found.columns:
        raise LandingError(f"{file.name} has no header row", "Name a file with a row of column names")
    proposed = {
        column.name: _read_as(column, origin, found.columns[origin], currency)
        for column, origin in _matched(source, found.columns)
    }
    return _written(source, file, found, proposed, currency)


# How the file is written


def _looked_at(file: Path) -> _File:
    if kind_of(file) == "xlsx":
        sheets = sheets_of(file)
        rows = list(islice(rows_of_sheet(file, sheets[0], 0), _SAMPLE_ROWS))
        said = (f"the workbook has the sheets {', '.join(sheets)}: the first is proposed",) if len(sheets) > 1 else ()
        skip, table = _table_in([[cell or "" for cell in row] for row in rows])
        style: dict[str, object] = {"format": "xlsx", "sheet": sheets[0], **({"skip": skip} if skip else {})}
        return _sampled(style, table, said)
    with opened(file) as stream:
        raw = stream.read(_SAMPLE_BYTES)
    encoding, text = _decoded(raw)
    if text.startswith("100,NEM12"):
        return _nem12(text)
    style = {} if encoding == "utf-8" else {"encoding": encoding}
    said = (f"the encoding is taken to be {encoding}: look at letters beyond ASCII",) if encoding == "windows-1252" else ()
    delimiter, skip, table = _parsed(text)
    if delimiter != ",":
        style["delimiter"] = delimiter
    if skip:
        style["skip"] = skip
        said = (*said, f"before the row of column names stand other lines ({skip}), which are left out")
    return _sampled(style, table, said)


def _decoded(raw: bytes) -> tuple[str, str]:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8")):
        if raw.startswith(mark):
            return encoding, raw.decode(encoding, errors="ignore").removeprefix("\ufeff")
    # ASCII in UTF-16 has a zero in every other byte.
    for encoding, zeros in (("utf-16-le", raw[1:400:2]), ("utf-16-be", raw[0:400:2])):
        if len(zeros) > 1 and not any(zeros):
            return encoding, raw.decode(encoding, errors="ignore")
    try:
        return "utf-8", codecs.getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        return "windows-1252", raw.decode("windows-1252", errors="replace")


def _nem12(text: str) -> _File:
    """Look at a NEM12 file: what a person must say of it is which site and contract each meter belongs to."""
    meters = list(dict.fromkeys(re.findall(r"(?m)^200,([^,]*),", text)))
    usual = {"IntervalDate": "2025-01-01", "kWh": "1", "PeakKW": "1", "Quality": "actual"}
    columns = {column: [usual[column]] if column in usual else meters for column in nem12.COLUMNS}
    return _File({"format": "nem12"}, columns, len(re.findall("(?m)^300,", text)))


def _parsed(text: str) -> tuple[str, int, list[list[str]]]:
    """Return delimiter, lines before the header, and rows from the header on."""
    best: tuple[int, str, int, list[list[str]]] = (0, ",", 0, [])
    for delimiter in (",", ";", "\t", "|"):
        rows, lines = [], []
        reader = csv.reader(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")), delimiter=delimiter)
        try:
            before = 0
            for row in islice(reader, _SAMPLE_ROWS):
                rows.append(row)
                lines.append(before)
                before = reader.line_num
        except csv.Error:
            # The sample may end inside a field; what stands before it tells enough.
            pass
        skipped, table = _table_in(rows)
        weight = sum(len(row) == len(table[0]) for row in table) * len(table[0]) if table and len(table[0]) > 1 else 0
        if weight > best[0]:
            best = (weight, delimiter, lines[skipped], table)
    return best[1:]


def _table_in(rows: list[list[str]]) -> tuple[int, list[list[str]]]:
    """Return how many rows stand before the header, and the rows from it on: the first as wide as most, all of it words."""
    widths = Counter(len(_trimmed(row)) for row in rows if len(_trimmed(row)) > 1)
    if not widths:
        return 0, []
    widest = max(widths, key=lambda width: (widths[width] * width, width))
    for place, row in enumerate(rows):
        header = _trimmed(row)
        if len(header) >= widest and all(cell.strip() for cell in header) and not any(_is_number(cell) for cell in header):
            return place, [header, *rows[place + 1 :]]
    return 0, []


def _trimmed(row: Sequence[str]) -> list[str]:
    cells = list(row)
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?[0-9][0-9.,]*", text.strip()))


def _sampled(style: dict[str, object], table: list[list[str]], said: tuple[str, ...]) -> _File:
    if not table:
        return _File(style, {}, 0, said)
    header = [name.strip() for name in table[0]]
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        said = (*said, f"the column {', '.join(twice)} stands more than once in the file: rename one of them to map it")
    columns: dict[str, list[str]] = {name: [] for name in header if name not in twice}
    whole = [row for row in table[1:] if len(_trimmed(row)) > 1]
    alone = [_trimmed(row) for row in table[1:] if 0 < len(_trimmed(row)) <= 1 < len(header)]
    totals = tuple((header[len(row) - 1], row[-1].strip()) for row in alone if _is_total(row[-1]))
    if short := len(alone) - len(totals):
        rows = "1 row of the sample has" if short == 1 else f"{short} rows of the sample have"
        said = (*said, f"{rows} one field: a remark, which goes to quarantine")
    for row in whole:
        for name, cell in zip(header, row, strict=False):
            if name in columns and cell.strip():
                columns[name].append(cell.strip())
    return _File(style, columns, len(whole), said, totals)


def _is_total(text: str) -> bool:
    return text.strip().lower().rstrip(":") in _TOTALS


# Which column is which


def _matched(source: Source, columns: dict[str, list[str]]) -> Iterator[tuple[SourceColumn, str]]:
    """Yield the columns of ours with the foreign one that is likest by name and values, each foreign one once."""
    pairs: list[tuple[float, int, int, SourceColumn, str]] = []
    weak: list[tuple[float, int, int, SourceColumn, str]] = []
    for place, column in enumerate(source.columns):
        for other, (origin, texts) in enumerate(columns.items()):
            likeness = _likeness(column, origin) * _fit(column, texts)
            if likeness >= _LIKELY:
                sure = column.required or likeness >= _SURE
                (pairs if sure else weak).append((-likeness, place, other, column, origin))
    taken: dict[str, str] = {}
    # What may stay empty takes only what is left.
    for _, _, _, column, origin in [*sorted(pairs, key=lambda pair: pair[:3]), *sorted(weak, key=lambda pair: pair[:3])]:
        if column.name not in taken and origin not in taken.values():
            taken[column.name] = origin
    for column in source.columns:
        if column.name in taken:
            yield column, taken[column.name]


def _tokens(called: str) -> list[str]:
    parts = re.findall(r"[A-ZÀ-Þ]+(?![a-zß-ÿ])|[A-Za-zÀ-ÿ][a-zß-ÿ]*|[0-9]+", called)
    found: list[str] = []
    for part in (part.lower() for part in parts):
        if part in _NO_WORDS:
            continue
        # The longest word first: an account is no count.
        known, rest = [], part
        for word in [] if part in _CANONICAL else sorted(_CANONICAL, key=lambda word: (-len(word), word)):
            if len(word) > _SHORTEST_INSIDE and word in rest:
                known.append(word)
                rest = rest.replace(word, " " * len(word), 1)
        found += [_CANONICAL.get(word, word) for word in sorted(known, key=part.index) or [part]]
    return list(dict.fromkeys(found))


def _plain(called: str) -> str:
    return re.sub("[^a-z0-9]", "", called.lower())


def _likeness(column: SourceColumn, theirs: str) -> float:
    """Return how alike the name of a column of ours and a foreign one are, from 0 to 1."""
    if _plain(column.name) == _plain(theirs):
        return 1
    known = [_plain(each) for each in column.also_called]
    if _plain(theirs) in known:
        return 0.999 - known.index(_plain(theirs)) / 1000
    mine, other = _tokens(column.name), _tokens(theirs)
    if not mine or not other or (column.kind == "money" and re.search(_UNITS, theirs)):
        return 0

    def alike(word: str, another: str) -> float:
        if word == another:
            # What says little of a column counts little.
            return 0.5 if word in ("id", "date", "type") else 1
        shorter, longer = sorted((word, another), key=len)
        return 0.8 if len(shorter) > 2 and longer.startswith(shorter) else 0

    matched = sum(max(alike(word, another) for another in other) for word in mine)
    return 0.95 * 2 * matched / (len(mine) + len(other))


def _fit(column: SourceColumn, texts: Sequence[str]) -> float:
    """Return how well values fit the kind of a column: 0 if none can be one."""
    sample = texts[:50]
    if not sample:
        return 0.9
    if column.kind in NUMBERS:
        good = [bool(_NUMBER_LIKE.fullmatch(text)) and hints.formats_of([text], "date")[:1] != ["YYYY-MM-DD"] for text in sample]
    elif column.kind in DATES:
        good = [bool(hints.formats_of([text], column.kind)) or bool(re.match("[0-9]{4}-[0-9]{2}", text)) for text in sample]
    elif column.kind == "enum":
        good = [text.lower() in column.values for text in sample]
        return 1.2 if any(good) else 0.8
    elif column.kind == "currency":
        good = [bool(re.fullmatch("[A-Za-z]{3}", text)) for text in sample]
    elif column.kind == "id":
        # A day or an amount is no identifier, whatever its name has in common with one.
        days = [bool(hints.formats_of([text], "date")) and not text.isdigit() for text in sample]
        return 0.4 if all(days) or all(re.fullmatch(r"[-+]?[0-9]+[.,][0-9]+", text) for text in sample) else 1
    else:
        return 1
    share = sum(good) / len(good)
    return share if share > 0.3 else 0


_NUMBER_LIKE = re.compile(
    rf"[-+({hints.MINUS}]*\s*([A-Z]{{3}}|[^\w\s])?\s*[-+]?[0-9.,][0-9.,'\u2019 \u00a0\u202f]*([eE][-+]?[0-9]+)?[^0-9]{{0,6}}"
    rf"|[-{hints.MINUS}]"
)


# How a column is written


def _read_as(column: SourceColumn, origin: str, texts: list[str], currency: str) -> _Proposal:
    proposal = _Proposal(origin)
    if _likeness(column, origin) * _fit(column, texts) < (_CERTAIN if column.required else _SURE):
        proposal.is_doubtful = not column.required
        asked = "is it this column?" if column.required else "if it is this column, take the # away:"
        proposal.said.append(f"the name is a little alike, no more: {asked}")
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        if column.required and column.default is None:
            proposal.said.append("the column is empty in the sample")
        return proposal
    if column.kind in NUMBERS:
        _read_numbers(column, distinct, proposal, currency)
    elif column.kind in DATES:
        _read_dates(column, distinct, proposal)
    elif column.kind == "enum" and not column.aliases:
        unknown = [text for text in distinct if text.lower() not in column.values]
        if unknown:
            words = ", ".join(f"{_toml(text)} = ..." for text in unknown[:_SHOWN])
            proposal.said.append(f"say which each is: values = {{ {words} }}; ours are {', '.join(column.values)}")
    elif column.kind == "enum":
        known = dict(column.aliases)
        if unknown := [text for text in distinct if text.lower() not in {*known, *column.values}]:
            words = ", ".join(f"{_toml(text)} = ..." for text in unknown[:_SHOWN])
            proposal.said.append(
                f"{', '.join(unknown[:_SHOWN])} would be read as {column.values[-1]}: say otherwise with values ="
                f" {{ {words} }}; ours are {', '.join(known)}"
            )
    elif column.kind == "currency":
        others = [text for text in distinct if text.upper() != currency]
        if others:
            proposal.said.append(
                f"rows in {', '.join(others[:_SHOWN])} go to quarantine: the deployment's currency is {currency}"
            )
    elif column.kind in ("id", "text"):
        _read_texts(distinct, proposal)
    return proposal


def _read_texts(distinct: list[str], proposal: _Proposal) -> None:
    if all(re.fullmatch('="[^"]*"', text) for text in distinct):
        proposal.keys["extract"] = '^="(.*)"$'
    if damaged := [text for text in distinct if re.fullmatch(r"[0-9]([.][0-9]+)?[eE][+]?[0-9]+|[0-9]+[.]0+", text)]:
        proposal.said.append(f"{damaged[0]} was an identifier before a spreadsheet took it for a number: export it as text")


def _read_numbers(column: SourceColumn, distinct: list[str], proposal: _Proposal, currency: str) -> None:
    empty = [text for text in distinct if text.lower() in ("n/a", "#n/a", "null", "none", "(null)")]
    texts = [text for text in distinct if text not in empty]
    if empty:
        proposal.keys["empty"] = empty
    places = places_of(column)
    plain = rf"[-+]?([0-9]+[.]?[0-9]{{0,{places}}}0*|[.][0-9]+)([eE][-+]?[0-9]{{1,3}})?"
    if all(re.fullmatch(plain, text) for text in texts):
        return
    declared, said = _number_style(texts, currency)
    proposal.said += said
    if declared is None:
        return
    deeper = re.compile(rf"[^0-9]*[0-9]*[{re.escape(str(declared['decimal']))}][0-9]{{{places}}}[0-9]*[1-9][^0-9]*")
    if longest := next((text for text in texts if deeper.fullmatch(text)), ""):
        proposal.said.append(f"{longest} has more than {places} places: round = {places} would round it, else it is refused")
    if set(declared) != {"decimal"} or declared["decimal"] != ".":
        proposal.keys |= declared


def _number_style(texts: list[str], currency: str) -> tuple[dict[str, object] | None, list[str]]:
    """Return what must be declared so that all of some numbers are read, or nothing where that is not plain; and what to say."""
    said: list[str] = []
    bodies = [found[0] for text in texts if (found := re.search(r"[0-9][0-9.,'\u2019 \u00a0\u202f\u2009]*[0-9]|[0-9]", text))]
    decimals: set[str] = set()
    thousands: dict[str, None] = {}
    unclear = []
    for body in bodies:
        marks = [each for each in body if not each.isdigit()]
        if not marks:
            continue
        single = re.fullmatch(r"[0-9]{1,3}([.,])[0-9]{3}", body)
        if single:
            unclear.append((body, single[1]))
        elif marks[-1] in ".," and marks.count(marks[-1]) == 1:
            decimals.add(marks[-1])
            thousands |= dict.fromkeys(marks[:-1])
        else:
            thousands |= dict.fromkeys(marks)
    if not decimals and unclear and not thousands:
        body, mark = unclear[0]
        if mark == ",":
            return None, [f'{body}: say whether thousands = "," (with decimal = ".") or decimal = ","']
        decimals.add(".")
    elif not decimals:
        decimals.add("," if "." in thousands else ".")
    if len(decimals) > 1 or decimals & set(thousands):
        return None, [f"numbers are written in more than one way ({', '.join(bodies[:3])}): no one style reads them all"]
    (decimal,) = decimals
    thousands |= {mark: None for _, mark in unclear if mark != decimal}
    declared: dict[str, object] = {"decimal": decimal}
    if thousands:
        declared["thousands"] = "".join(thousands)
        mark = re.escape("".join(thousands))
        if any(re.match(f"[0-9]{{1,2}}([{mark}][0-9]{{2}})+[{mark}][0-9]{{3}}", body) for body in bodies):
            declared["grouping"] = "indian"
    numbers = [text for text in texts if re.search("[0-9]", text)]
    minus = f"-{hints.MINUS}"
    signs = {
        "leading": any(re.match(rf"[^0-9(]*[{minus}+]", text) for text in numbers),
        "trailing": any(re.search(rf"[0-9]\s*[{minus}+]", text) for text in numbers),
        "parentheses": any("(" in text for text in numbers),
    }
    negative = [place for place, there in signs.items() if there]
    if negative not in ([], ["leading"]):
        declared["negative"] = negative
    if others := "".join(dict.fromkeys(each for text in numbers for each in text if each in hints.MINUS)):
        declared["minus"] = others
    if zeros := [text for text in texts if text and all(each in minus for each in text)]:
        declared["zero"] = zeros
    words = Counter(
        word for text in numbers for word in re.findall(r"[A-Za-z]+|[$€£¥₹₩]", re.sub("[0-9.][eE][-+]?[0-9]+", "", text))
    )
    marks_of_sign = [word for word in words if word.upper() in ("CR", "DR", "S", "H")]
    if marks_of_sign:
        pairs = ", ".join(f'{word} = "+ or -"' for word in marks_of_sign)
        said.append(f"say which sign each mark means: signs = {{ {pairs} }}")
    if money := [word for word in words if word not in marks_of_sign]:
        declared["currency"] = money
        if any(len(word) == 3 and word.upper() != currency for word in money):
            said.append(f"amounts say {', '.join(money)}, and the deployment's currency is {currency}")
    return declared, said


def _read_dates(column: SourceColumn, distinct: list[str], proposal: _Proposal) -> None:
    if column.kind == "ts" and all(re.fullmatch(r"[0-9-]{10}[T ][0-9:.]+([Zz]|[+-][0-9:]{2,5})", text) for text in distinct):
        return
    found = hints.formats_of(distinct, column.kind)
    plain = {"date": "YYYY-MM-DD", "month": "YYYY-MM"}.get(column.kind)
    if plain in found:
        return
    if not found:
        apart = list(dict.fromkeys(next(iter(hints.formats_of([text], column.kind)), "none") for text in distinct))
        proposal.said.append(f"no one format fits all values ({distinct[0]} ... {distinct[-1]}; some are {', '.join(apart[:4])})")
        return
    readings = {tuple(styles.day_of(Dates(each, 20, 2024), text) for text in distinct): each for each in reversed(found)}
    orders = {tuple(re.findall("D+|M+", each)) for each in found if re.search("D", each)}
    if len(readings) > 1 or len({tuple(part[0] for part in order) for order in orders}) > 1:
        readings = {(each,): each for each in reversed(found)} if len(readings) == 1 else readings
        either = " or ".join(f'format = "{each}"' for each in sorted(readings.values(), key=found.index))
        proposal.said.append(f"{distinct[0]} can be read in several ways: say {either}")
        return
    (declared,) = readings.values()
    if hints.needs_year(declared):
        proposal.said.append(f'no year is written: say format = "{declared}" and year = ...')
        return
    zoned = declared in styles.EPOCHS or (declared not in styles.SERIALS and "%z" in styles.directives_of(declared))
    if column.kind == "ts" and not zoned:
        proposal.said.append(f'say of which time zone it is: format = "{declared}", timezone = "..." (for example Europe/Berlin)')
        return
    proposal.keys["format"] = declared
    if declared not in styles.SERIALS and declared not in styles.EPOCHS and "%y" in styles.directives_of(declared):
        proposal.keys["century"] = 20
        proposal.said.append("years of two digits are taken to be 20xx")


# Writing it down


def _toml(value: object) -> str:
    if isinstance(value, str):
        # Blanks that look like others are written so that a person sees which they are.
        return re.sub(
            "[\u00a0\u2000-\u200f\u202f\ufeff]", lambda each: f"\\u{ord(each[0]):04x}", json.dumps(value, ensure_ascii=False)
        )
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


_IN_FILE = ("decimal", "thousands", "grouping", "negative", "minus", "zero", "currency")


def _written(source: Source, file: Path, found: _File, proposed: dict[str, _Proposal], currency: str) -> str:
    style = dict(found.style)
    _lift_numbers(source, found, proposed, style)
    lines = [
        f"# A draft for {file.name}, from the names of its columns and {found.rows} of its rows.",
        "# Read it, settle what is marked with ?, then: revenue-integrity map check THIS_FILE " + _toml(file.name),
        f"stream = {_toml(source.stream)}",
        f"source = {_toml(source.name)}",
        "",
    ]
    lines += [f"# ? {said}" for said in found.said]
    if style:
        lines += ["[file]", *(f"{key} = {_toml(value)}" for key, value in style.items()), ""]
    lines.append("[columns]")
    fixed: list[str] = []
    _say_signs(source, found, proposed)
    for column in source.columns:
        proposal = proposed.get(column.name)
        if proposal:
            lines += [f"# ? {column.name}: {said}" for said in proposal.said]
            lines.append(f"{'# ' * proposal.is_doubtful}{column.name} = {_rule(proposal)}")
        elif column.kind == "currency":
            fixed += ["# ? no column says the currency: this is the deployment's", f"{column.name} = {_toml(currency)}"]
        elif column.required and column.default is None:
            allowed = f" (one of {', '.join(column.values)})" if column.values else ""
            said = column.description.rstrip(".")
            lines.append(f"# ? {column.name}: no column is like it. {said}{allowed}. Name its column, or its value in [fixed]:")
            meters = found.columns["NMI"] if found.style.get("format") == "nem12" and column.kind == "id" else []
            values = ", ".join(f'{_toml(meter)} = "..."' for meter in meters[:_SHOWN])
            rule = f'{{ from = "NMI", values = {{ {values} }} }}' if meters else '"..."'
            lines.append(f"# {column.name} = {rule}")
    used = {proposal.origin for proposal in proposed.values() if not proposal.is_doubtful}
    unused = [name for name in found.columns if name not in used and found.style.get("format") != "nem12"]
    if unused:
        lines += ["", f"# Columns of the file that nothing is made of: {', '.join(unused)}"]
    if fixed:
        lines += ["", "[fixed]", *fixed]
    lines += _of_totals(found, proposed)
    lines += _of_periods(source, found)
    lines += _of_groups(source, found, proposed)
    return "\n".join(lines) + "\n"


def _lift_numbers(source: Source, found: _File, proposed: dict[str, _Proposal], style: dict[str, object]) -> None:
    """Declare a style of numbers once for the file where all its numbers can be read by it."""
    numbers = [proposed[column.name] for column in source.columns if column.kind in NUMBERS and column.name in proposed]
    styled = [{key: each.keys[key] for key in _IN_FILE if key in each.keys} for each in numbers]
    said = [each for each in styled if each]
    if not said or any(each != said[0] for each in said):
        return
    plain = [each for each, own in zip(numbers, styled, strict=True) if not own]
    if any(re.search(r"[^0-9+-]", text) for each in plain for text in found.columns[each.origin]):
        return
    style |= said[0]
    for each in numbers:
        each.keys = {key: value for key, value in each.keys.items() if key not in _IN_FILE}


def _rule(proposal: _Proposal) -> str:
    if not proposal.keys:
        return _toml(proposal.origin)
    keys = ", ".join(f"{key} = {_toml(value)}" for key, value in {"from": proposal.origin, **proposal.keys}.items())
    return f"{{ {keys} }}"


def _say_signs(source: Source, found: _File, proposed: dict[str, _Proposal]) -> None:
    """Ask of amounts beside which a column says debit or credit whether it gives their sign."""
    used = {proposal.origin for proposal in proposed.values()}
    for name, texts in found.columns.items():
        marks = list(dict.fromkeys(texts))
        if name in used or not 0 < len(marks) <= len(_MARKS) or not {mark.lower() for mark in marks} <= _MARKS:
            continue
        for column in source.columns:
            if column.kind == "money" and column.name in proposed:
                when = f"{{ {_toml(name)} = [{_toml(marks[-1])}] }}"
                proposed[column.name].said.append(f"{name} says {', '.join(marks)}: if one takes off, negate_when = {when}")


def _of_totals(found: _File, proposed: dict[str, _Proposal]) -> list[str]:
    for proposal in proposed.values():
        alone = [text for name, text in found.totals if name == proposal.origin]
        totals = list(dict.fromkeys([*(text for text in found.columns[proposal.origin] if _is_total(text)), *alone]))
        if totals:
            return [
                "",
                "# ? a row of totals stands in the file: it is left out",
                "[drop]",
                f"{_toml(proposal.origin)} = {_toml(totals)}",
            ]
    return []


def _of_periods(source: Source, found: _File) -> list[str]:
    """Say where a file names the first and the last day of a service, of which a source wants the months."""
    if not any(column.kind == "month" for column in source.columns):
        return []
    days = {
        name: _tokens(name)
        for name, texts in found.columns.items()
        if texts and all(hints.formats_of([text], "date") for text in texts[:_SHOWN])
    }
    begins, ends = ([name for name, tokens in days.items() if word in tokens] for word in ("from", "to"))
    if len(begins) != 1 or len(ends) != 1:
        return []
    return [
        "",
        f"# ? {_toml(begins[0])} and {_toml(ends[0])} are a period: to share its amounts out to its months by days, take"
        " the month out of [columns]",
        f"# and say: [spread] with from = {_toml(begins[0])}, to = {_toml(ends[0])}, format = ..., columns = [...].",
    ]


def _of_groups(source: Source, found: _File, proposed: dict[str, _Proposal]) -> list[str]:
    """Say where several rows have the same key, as intervals of a day have; rows that are never versions of one another may."""
    if source.events is not None and source.events.delivery != "append_events":
        return []
    keys = {column.name for column in source.columns if column.stored in source.key}
    mapped = [proposed[key].origin for key in keys if key in proposed]
    if not mapped or any(len(found.columns[origin]) != found.rows for origin in mapped):
        return []
    distinct = len(set(zip(*(found.columns[origin] for origin in mapped), strict=True)))
    if found.rows <= distinct:
        return []
    by = ", ".join(_toml(key) for key in sorted(keys))
    return [
        "",
        f"# ? {found.rows} rows have {distinct} keys of the columns above: if they are parts of one record, as the intervals",
        f"# of a day, add them up: [group] with by = [{by}], sum = [...], max = [...]; else the key lacks a column.",
    ]
