"""The workbook of a close pack: what finance works in.

Belongs here: which sheets there are, in which order, and the first one, which reads from the others. Does not belong here: what
the sheets of a stream show (its ``report``), how a listing is written (``book``), the page (``page``).
"""

from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import months, wording
from revenue_integrity.exact import added
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CENTS, CURRENT
from revenue_integrity.model.report import Column, Format, Headline, Listing, Published, total
from revenue_integrity.reports import controls, recon_figures, restated, rows, signing
from revenue_integrity.reports.book import Book, Place, Sheet
from revenue_integrity.reports.pack_data import PackData, StreamPart, plain_records

_Places = dict[Listing, Place | None]


def file_name(data: PackData) -> str:
    """Return the workbook's file name."""
    return f"close-pack-{months.label(data.month)}.xlsx"


def workbook_bytes(data: PackData) -> bytes:
    """Return the workbook of a month: the same data give the same bytes."""
    book, together = Book(data), controls.shared(data)
    streams = " and ".join(part.stream.name for part in data.parts)
    # The first tab reads from the others, so its place is kept while they are written.
    said = f"Book {data.book}, streams {streams}; amounts in {data.currency.code}; every total is a live formula"
    summary = book.sheet("Summary", said)
    places: _Places = {}
    for part in data.parts:
        for listing in _own_sheets(part):
            places[listing] = book.listing(listing, part.published, part.title)
    book.listing(restated.restatement_sheet(), together)
    _checks(book, together)
    book.listing(controls.sign_off_sheet(data), together)
    for part in data.parts:
        for listing in part.report.register:
            places[listing] = book.listing(listing, part.published, part.title)
    _summary(book, summary, places)
    return book.finish()


def _own_sheets(part: StreamPart) -> list[Listing]:
    """Return the sheets of a stream, those of its reconciliations first."""
    standard = controls.standard_of(part)
    found = [_results_of(part), standard.causes] if standard else []
    return [each for each in (*found, *part.report.sheets) if each is not None]


def _results_of(part: StreamPart) -> Listing | None:
    standard = controls.standard_of(part)
    return part.report.results or (standard.results if standard else None)


def _checks(book: Book, together: Published) -> None:
    place = book.listing(controls.CHECKS_SHEET, together)
    assert place is not None, "a pack has checks, if none on record"
    end = book.block(place.sheet, place.last + 2, controls.WAIVERS, together)
    book.printed(place.sheet, end, len(place.columns) - 2)


def _summary(book: Book, sheet: Sheet, places: _Places) -> None:
    sheet.set_width(0, 0, 38)
    sheet.set_width(1, 2, 22)
    sheet.set_width(3, 3, 15)
    sheet.set_width(4, 13, 16)
    row = _identity(book, sheet, 4)
    row = book.block(sheet, row, signing.sheet_checks(), signing.published_of(book.data), until=_SUMMARY_COLUMNS - 1)
    for part in book.data.parts:
        row = _headlines(book, sheet, row, part, places)
        recons, results = part.stream.reconciliations, _results_of(part)
        if recons is not None and results is not None:
            row = _recon_totals(book, sheet, row, part, places.get(results))
            standard = controls.standard_of(part)
            if standard is not None and standard.causes is not None:
                row = _cause_totals(book, sheet, row, part, places.get(standard.causes))
        for listing in part.report.summary:
            row = book.block(sheet, row, listing, part.published)
    book.printed(sheet, row, _SUMMARY_COLUMNS - 1)
    sheet.cells.freeze_panes(3, 0)
    sheet.cells.activate()


def _identity(book: Book, sheet: Sheet, row: int) -> int:
    data, status = book.data, book.data.status
    facts: tuple[tuple[str, Any, Format], ...] = (
        ("Book", data.book, "text"),
        ("Month", data.month, "month"),
        ("Currency", data.currency.code, "text"),
        ("Status", data.state, "text"),
        ("Signed version", data.version, "integer"),
        ("As of (UTC)", data.as_of, "instant"),
        ("Prepared by", status.get("prepared_by"), "text"),
        ("Approved by", status.get("approved_by"), "text"),
        ("Signed at (UTC)", status.get("signed_at"), "instant"),
        ("Content hash", status.get("content_hash"), "text"),
        ("Ledger head", data.ledger_head or None, "text"),
    )
    book.text(sheet, row, 0, "Close", "section")
    for offset, (label, value, written) in enumerate(facts, 1):
        book.text(sheet, row + offset, 0, label)
        book.write(sheet, row + offset, 1, value, written)
    return row + len(facts) + 2


def _headlines(book: Book, sheet: Sheet, row: int, part: StreamPart, places: _Places) -> int:
    """Write figures that are read from other sheets; those whose rows are not available are left out."""
    lines = [(each, places[each.listing]) for each in part.report.headlines if places.get(each.listing) is not None]
    if not lines:
        return row
    several = len(book.data.parts) > 1
    book.text(sheet, row, 0, f"Headline figures of {part.title}" if several else "Headline figures", "section")
    for offset, (headline, place) in enumerate(lines, 1):
        assert place is not None
        found = rows.rows_of(headline.listing, part.published)
        assert found is not None
        column = next(each for each in found.columns if each.field == headline.column)
        book.text(sheet, row + offset, 0, book.heading(Column("", headline.label, column.format)))
        value = found.totals[headline.column] if headline.only is None else _part_of(found.frame, headline)
        book.formula(sheet, row + offset, 1, _formula(headline, place), value, column.format)
    return row + len(lines) + 2


def _part_of(frame: pd.DataFrame, headline: Headline) -> Decimal:
    assert headline.only is not None
    column, value = headline.only
    return total(frame[frame[column] == value], headline.column)


def _formula(headline: Headline, place: Place) -> str:
    if headline.only is None:
        return f"={place.total(headline.column)}"
    column, value = headline.only
    return f'=ROUND(SUMIFS({place.span(headline.column)},{place.span(column)},"{value}"),2)'


_SUMMARY_COLUMNS = 14
"""Columns of the first sheet: those of the reconciliations in total."""

_RECON_TOTALS = (
    Column("recon", "Reconciliation", "words"),
    Column("view", "View", "words"),
    Column("shown_unit", "Unit"),
    Column("rows", "Rows", "integer"),
    Column("matched", "Matched", "integer"),
    Column("within_tolerance", "Within tolerance", "integer"),
    Column("breaches", "Breaches", "integer"),
    Column("left", "Left", "decimal"),
    Column("right", "Right", "decimal"),
    Column("signed", "Variance, signed", "decimal"),
    Column("gross", "Variance, gross", "decimal"),
)
_RECON_LIMITS = (
    Column("variance_share", "Signed, % of right", "share"),
    Column("tolerance", "Tolerance"),
    Column("materiality_cents", "Materiality", "cents"),
)


def _recon_totals(book: Book, sheet: Sheet, row: int, part: StreamPart, place: Place | None) -> int:
    """Write each reconciliation in total, live from its rows."""
    several = len(book.data.parts) > 1
    title = f"Reconciliations of {part.title}" if several else "Reconciliations"
    book.text(sheet, row, 0, f"{title} (amounts of money in {book.data.currency.code})", "section")
    recons = part.stream.reconciliations
    assert recons is not None
    found = part.published.rows(recon_figures.totals_of(recons))
    if found is None or found.empty:
        book.text(sheet, row + 1, 0, "Not available", "note")
        return row + 3
    book.headings(sheet, row + 1, [*_RECON_TOTALS, *_RECON_LIMITS], widths=False)
    results = part.published.table(recons.results.name)
    for line, record in enumerate(plain_records(found), row + 2):
        for position, column in enumerate(_RECON_TOTALS[:7]):
            book.write(sheet, line, position, record[column.field], column.format)
        for position, name in enumerate(recon_figures.MEASURED, 7):
            _recon_amount(book, sheet, (line, position), record, name, results, place)
        for position, column in enumerate(_RECON_LIMITS, len(_RECON_TOTALS)):
            book.write(sheet, line, position, record[column.field], column.format)
    return row + 3 + len(found)


def _recon_amount(
    book: Book,
    sheet: Sheet,
    cell: tuple[int, int],
    record: dict[str, Any],
    name: str,
    results: pd.DataFrame | None,
    place: Place | None,
) -> None:
    """Write an amount of a reconciliation in total: live where its rows add up to it, as it is where not all are listed."""
    line, position = cell
    suffix = "cents" if record["unit"] == CENTS else "value"
    measured = {"left": f"left_{suffix}", "right": f"right_{suffix}"}.get(name, f"variance_{suffix}")
    amount, written = record[name], record["format"]
    named = {"recon": "$A", "view": "$B", "shown_unit": "$C"}
    is_listed = place is not None and {measured, *named} <= {*place.columns}
    if place is None or results is None or not is_listed or not _adds_up(results, record, measured, name):
        book.write(sheet, line, position, amount, written)
        return
    condition = "*".join(f"({place.span(column)}={own}{line + 1})" for column, own in named.items())
    cells = f"ABS({place.span(measured)})" if name == "gross" else place.span(measured)
    places = 6 if written == "decimal" else 2
    book.formula(sheet, line, position, f"=ROUND(SUMPRODUCT({condition}*{cells}),{places})", amount, written)


def _adds_up(results: pd.DataFrame, record: dict[str, Any], measured: str, name: str) -> bool:
    """Return whether the rows of a sheet add up to an amount in total; a stream need not list those that agree."""
    mine = results[(results["recon"] == record["recon"]) & (results["view"] == record["view"])]
    values = mine[measured].dropna().astype(object).tolist()
    listed = added(abs(value) for value in values) if name == "gross" else added(values)
    return bool(listed == record[name] * record["many"])


_CAUSES_BY_VIEW = ((AS_OF_CLOSE, "rows_at_close", "at_close"), (CURRENT, "rows_current", "current"))


def _cause_totals(book: Book, sheet: Sheet, row: int, part: StreamPart, place: Place | None) -> int:
    """Write cents per cause in both views, live from the rows of causes."""
    several = len(book.data.parts) > 1
    book.text(sheet, row, 0, book.data.currency.heading(f"Causes of {part.title}" if several else "Causes"), "section")
    recons = part.stream.reconciliations
    assert recons is not None
    found = part.published.rows(recon_figures.causes_of(recons))
    if found is None or place is None:
        book.text(sheet, row + 1, 0, "Not available", "note")
        return row + 3
    columns = (
        Column("cause", "Cause", "words"),
        Column("recon", "Reconciliation", "words"),
        Column("family", "Family", "words"),
        Column("rows_at_close", "Rows as of close", "integer"),
        Column("at_close", "As of close", "cents"),
        Column("rows_current", "Rows of all postings", "integer"),
        Column("current", "All postings", "cents"),
    )
    book.headings(sheet, row + 1, columns, widths=False)
    causes = found[~found["is_sum"].astype(bool)]
    for line, record in enumerate(causes.to_dict("records"), row + 2):
        for position, column in enumerate(columns[:3]):
            book.write(sheet, line, position, record[column.field], column.format)
        for position, (view, rows_in, name) in enumerate(_CAUSES_BY_VIEW):
            both = ((place.span("recon"), f"$B{line + 1}"), (place.span("view"), f'"{wording.words(view)}"'))
            conditions = ",".join(f"{span},{wanted}" for span, wanted in (*both, (place.span("cause"), f"$A{line + 1}")))
            book.formula(sheet, line, 3 + 2 * position, f"=COUNTIFS({conditions})", record[rows_in], "integer")
            formula = f"=ROUND(SUMIFS({place.span('cause_cents')},{conditions}),2)"
            book.formula(sheet, line, 4 + 2 * position, formula, record[name], "cents")
    if causes.empty:
        book.text(sheet, row + 2, 0, "No variance to explain", "note")
    return row + 3 + max(len(causes), 1)
