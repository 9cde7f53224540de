"""The workbook of a close pack: what finance works in.

Belongs here: sheets, their columns, totals as live formulas. Does not belong here: how values are written (``book``), figures
(``figures``), the sheets of cloud costs (``cloud_sheets``), the page (``page``).
"""

from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.exact import divide
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT
from revenue_integrity.reports import cloud_sheets, figures, formatting
from revenue_integrity.reports.book import Book, Cell, Column, block
from revenue_integrity.reports.pack_data import PackData, instant_of
from revenue_integrity.streams.colocation.schemas import STRANDED


def workbook_bytes(data: PackData) -> bytes:
    """Return the workbook of a month: the same data give the same bytes."""
    book = Book(data)
    # The first tab reads from the others, so its place is kept while they are written.
    summary = book.sheet("Summary", f"Stream {data.stream}; amounts in US dollars; every total is a live formula")
    spans: dict[str, tuple[int, int] | None] = {}
    totals: dict[str, Cell | None] = {}
    if data.has_colocation:
        spans = {"Reconciliations": _reconciliations(book), "Causes": _causes(book)}
        _late_postings(book)
    if data.has_cloud and not data.has_colocation:
        cloud_sheets.write(book)
    _restatement(book)
    if data.has_colocation:
        totals = {"Margin by customer": _margins(book), "MRR bridge": _mrr_bridge(book), "Power allocation": _allocation(book)}
    _checks(book)
    if data.has_colocation:
        _assumptions(book)
    _sign_off(book)
    if data.has_cloud and data.has_colocation:
        cloud_sheets.write(book)
    if data.has_cloud:
        _assumptions(book, "Cloud assumptions", "cloud_assumptions")
    _more(book)
    _summary(book, summary, spans, totals)
    return book.finish()


def _named(data: PackData, frame: pd.DataFrame) -> pd.DataFrame:
    """Add the customers' names where the ids stand."""
    names = data.names("customers", "customer_id", "customer_name")
    return frame.assign(
        customer_name=frame["customer_id"].map(lambda key: None if formatting.is_missing(key) else names.get(str(key)))
    )


_PARTIES = (
    Column("customer_id", "Customer", width=14),
    Column("customer_name", "Customer name", width=26),
    Column("contract_id", "Contract", width=14),
    Column("site_id", "Site", width=12),
    Column("charge_type", "Charge type", width=13),
)

_RECON_COLUMNS = (
    Column("recon", "Reconciliation", width=24),
    Column("view", "View", width=13),
    *_PARTIES,
    Column("unit", "Unit", width=8),
    Column("left_cents", "Left, $", "cents"),
    Column("right_cents", "Right, $", "cents"),
    Column("variance_cents", "Variance, $", "cents"),
    Column("left_value", "Left, other unit", "decimal"),
    Column("right_value", "Right, other unit", "decimal"),
    Column("variance_value", "Variance, other unit", "decimal"),
    Column("variance_pct", "Variance, % of right", "share"),
    Column("status", "Status", width=17),
)


def _reconciliations(book: Book) -> tuple[int, int] | None:
    sheet = book.sheet(
        "Reconciliations", "Left less right, row by row; filter by reconciliation and view. Totals stand on the Summary"
    )
    frame = book.data.table("recon_results")
    if frame is None:
        book.absent(sheet, "recon_results")
        return None
    return book.grid(sheet, _named(book.data, frame), _RECON_COLUMNS)


_CAUSE_COLUMNS = (
    Column("recon", "Reconciliation", width=24),
    Column("view", "View", width=13),
    *_PARTIES,
    Column("cause", "Cause", width=20),
    Column("family", "Family", width=14),
    Column("cause_cents", "Amount, $", "cents"),
    Column("explanation", "Explanation", "wide"),
    Column("link_id", "Link", width=16),
    Column("evidence", "Evidence", "wide"),
)


def _causes(book: Book) -> tuple[int, int] | None:
    sheet = book.sheet(
        "Causes", "Why each variance stands; the causes of a row add up to its variance exactly. Totals stand on the Summary"
    )
    frame = book.data.table("recon_causes")
    if frame is None:
        book.absent(sheet, "recon_causes")
        return None
    return book.grid(sheet, _named(book.data, frame), _CAUSE_COLUMNS)


def _late_postings(book: Book) -> None:
    sheet = book.sheet("Late postings", "ERP lines of this service month that were posted after its cutoff")
    late = figures.late_lines(book.data)
    if late is None:
        book.absent(sheet, "invoice_lines")
        return
    columns = (
        Column("document_id", "Document", width=18),
        Column("line_no", "Line", "integer", width=7),
        Column("document_type", "Type", width=13),
        *(column for column in _PARTIES if column.field != "site_id"),
        Column("quantity", "Quantity", "decimal"),
        Column("unit_price", "Unit price, $", "decimal"),
        Column("amount_cents", "Amount, $", "cents", added=True),
        Column("invoice_date", "Invoice date", "date"),
        Column("posted_at", "Posted (UTC)", "instant"),
    )
    book.grid(sheet, _named(book.data, late), columns)


def _restatement(book: Book) -> None:
    sheet = book.sheet("Restatement", "What changed since a signed version; measures in cents are shown in dollars")
    frame = book.data.restatement
    in_cents = [str(measure).endswith("_cents") for measure in frame["measure"]]
    shown = frame.copy()
    for name in ("old", "new", "delta"):
        values = frame[name].astype(object).tolist()
        shown[name] = pd.Series(
            [
                Decimal(int(value)) / 100 if cents and not formatting.is_missing(value) else value
                for value, cents in zip(values, in_cents, strict=True)
            ],
            index=frame.index,
            dtype=object,
        )
    columns = (
        Column("dataset", "Dataset", width=20),
        Column("measure", "Measure", width=24),
        Column("key", "Key", "wide", width=50),
        Column("from_version", "From version", "integer"),
        Column("old", "Signed", "decimal"),
        Column("new", "Now", "decimal"),
        Column("delta", "Change", "decimal"),
        Column("cause", "Cause", width=12),
        Column("batches", "Batches", "wide"),
    )
    book.grid(sheet, shown, columns)


def _margins(book: Book) -> Cell | None:
    sheet = book.sheet("Margin by customer", "Contractual revenue less allocated power cost; the largest margin first")
    frame = book.data.table("customer_month")
    if frame is None:
        book.absent(sheet, "customer_month")
        return None
    ordered = frame.sort_values(["margin_cents", "customer_id"], ascending=[False, True], kind="stable")
    columns = (
        Column("customer_id", "Customer", width=14),
        Column("customer_name", "Customer name", width=32),
        Column("contracts", "Contracts", "integer", added=True),
        Column("used_kwh", "Used, kWh", "decimal", added=True),
        Column("mrr_cents", "MRR, $", "cents", added=True),
        Column("revenue_cents", "Revenue, $", "cents", added=True),
        Column("power_cost_cents", "Power cost, $", "cents", added=True),
        Column("margin_cents", "Margin, $", "cents", added=True),
        Column("margin_pct", "Margin, % of revenue", "share"),
        Column("mrr_movement_cents", "MRR movement, $", "cents", added=True),
    )
    book.grid(sheet, _named(book.data, ordered), columns)
    revenue, margin = (figures.total(frame, name) or 0 for name in ("revenue_cents", "margin_cents"))
    share = divide(margin, abs(revenue), 6)
    formula = '=IF(F5=0,"",ROUND(H5/ABS(F5),6))'
    sheet.write_formula(4, 8, formula, book.totals["share"], "" if share is None else float(share))
    return Cell(4, 7)


def _mrr_bridge(book: Book) -> Cell | None:
    sheet = book.sheet(
        "MRR bridge", "Opening + new + reactivation + expansion − contraction − churn = closing, per customer and in total"
    )
    frame = book.data.table("mrr_movements")
    if frame is None:
        book.absent(sheet, "mrr_movements")
        return None
    measures = ("opening", *(name for name, _ in figures.MOVEMENTS), "closing")
    amounts = [Column(f"{name}_cents", f"{name.capitalize()}, $", "cents", added=True) for name in measures]
    columns = (Column("customer_id", "Customer", width=14), Column("customer_name", "Customer name", width=32), *amounts)
    book.grid(sheet, _named(book.data, frame), columns)
    sheet.write_string(5, 9, "Difference, $", book.number_heading)
    sheet.set_column(9, 9, 16)
    measure = {name: figures.total(frame, f"{name}_cents") or 0 for name in measures}
    difference = measure["opening"] + sum(sign * measure[name] for name, sign in figures.MOVEMENTS) - measure["closing"]
    sheet.write_formula(4, 9, "=ROUND(C5+D5+E5+F5-G5-H5-I5,2)", book.totals["cents"], difference / 100)
    return Cell(4, 8)


def _allocation(book: Book) -> Cell | None:
    sheet = book.sheet("Power allocation", "Each site's power bill over its contracts; STRANDED is capacity that nobody reserved")
    frame = book.data.table("power_allocation")
    if frame is None:
        book.absent(sheet, "power_allocation")
        return None
    contracts = book.data.table("contract_month")
    owners = {} if contracts is None else dict(zip(contracts["contract_id"], contracts["customer_id"], strict=True))
    shown = _named(book.data, frame.assign(customer_id=frame["contract_id"].map(owners)))
    columns = (
        Column("site_id", "Site", width=14),
        Column("contract_id", "Contract", width=16),
        *_PARTIES[:2],
        Column("charge", "Charge", width=12),
        Column("amount_cents", "Amount, $", "cents", added=True),
    )
    book.grid(sheet, shown, columns)
    return Cell(4, 5)


def _checks(book: Book) -> None:
    sheet = book.sheet("Checks", "Every check of the month with its figures, then the waivers in force")
    frame = book.data.checks
    shown = frame.assign(
        result=["passed" if value is True or value == 1 else "FAILED" for value in frame["passed"].astype(object).tolist()]
    )
    columns = (
        Column("asset", "Table", width=32),
        Column("check", "Check", width=38),
        Column("gate", "Gate", width=10),
        Column("result", "Result", width=10),
        Column("figures", "Figures", "wide", width=50),
        Column("next_step", "What to do", "wide"),
    )
    _, last = book.grid(sheet, shown, columns)
    waivers = (
        Column("check", "Waived check"),
        Column("comment", "Reason"),
        Column("actor", "Waived by"),
        Column("at", "At (UTC)"),
        Column("asset", "Table"),
    )
    block(book, sheet, last + 2, "Waivers", waivers, _with_instants(book.data.waivers))


def _with_instants(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(at=[formatting.instant(value) for value in frame["at"].astype(object).tolist()])


def _assumptions(book: Book, name: str = "Assumptions", dataset: str = "assumptions") -> None:
    sheet = book.sheet(name, "Estimator assumptions and tolerances in force, and how much of the month rests on each")
    frame = book.data.table(dataset)
    if frame is None:
        book.absent(sheet, dataset)
        return
    columns = (
        Column("assumption", "Assumption", width=30),
        Column("value", "Value", width=16),
        Column("unit", "Unit", width=30),
        Column("drives", "Drives", "wide", width=50),
        Column("affected_rows", "Rows affected", "integer"),
        Column("affected_share", "Share affected", "share"),
    )
    book.grid(sheet, frame, columns)


def _sign_off(book: Book) -> None:
    sheet = book.sheet(
        "Sign-off", f"The month's entries of the ledger. Head of the ledger: {book.data.ledger_head or 'no entry yet'}"
    )
    columns = (
        Column("seq", "Seq", "integer", width=8),
        Column("version", "Version", "integer", width=9),
        Column("action", "Action", width=11),
        Column("actor", "Actor", width=24),
        Column("at", "At (UTC)", "instant"),
        Column("comment", "Comment", "wide", width=40),
        Column("as_of", "As of (UTC)", "instant"),
        Column("content_hash", "Content hash", width=40),
        Column("code_version", "Code", width=16),
        Column("os_user", "System user", width=14),
        Column("host", "Host", width=18),
        Column("prev_hash", "Previous hash", width=40),
        Column("hash", "Hash of the entry", width=40),
    )
    ledger = book.data.ledger
    instants = {name: ledger[name].map(instant_of) for name in ("at", "as_of") if name in ledger}
    book.grid(sheet, ledger.assign(**instants), columns)


_REGISTER: tuple[Column, ...] = (
    Column("metric", "Metric", width=26),
    Column("definition", "Definition", "wide", width=40),
    Column("formula", "Formula", "wide", width=40),
    Column("grain", "Grain", width=20),
    Column("assumptions", "Assumptions", "wide", width=30),
    Column("validating_checks", "Validating checks", "wide", width=36),
    Column("reconciliations", "Reconciliations", "wide", width=28),
    Column("risk_if_wrong", "Risk if wrong", "wide", width=40),
    Column("owner", "Owner", width=24),
)

_EXTRA: tuple[tuple[str, str, str, tuple[Column, ...]], ...] = (
    (
        "Margin bridge",
        "margin_bridge",
        "What moved each contract's margin since the month before: revenue, usage or the rate of power",
        (
            Column("contract_id", "Contract", width=14),
            Column("customer_id", "Customer", width=14),
            Column("customer_name", "Customer name", width=28),
            Column("site_id", "Site", width=12),
            Column("opening_margin_cents", "Opening margin, $", "cents", added=True),
            Column("revenue_effect_cents", "Revenue effect, $", "cents", added=True),
            Column("usage_effect_cents", "Usage effect, $", "cents", added=True),
            Column("rate_effect_cents", "Rate effect, $", "cents", added=True),
            Column("closing_margin_cents", "Closing margin, $", "cents", added=True),
        ),
    ),
    (
        "Risk",
        "contract_risk",
        "Each contract's margin on its history and under stress; empty where the history is shorter than 6 months",
        (
            Column("contract_id", "Contract", width=14),
            Column("risk_months", "Months of history", "integer"),
            Column("expected_margin_cents", "Expected margin, $", "cents", added=True),
            Column("margin_p5_cents", "Bad month (p5), $", "cents", added=True),
            Column("margin_at_risk_cents", "Margin at risk, $", "cents", added=True),
            Column("margin_worst_cents", "Worst month, $", "cents", added=True),
            Column("risk_weighted_margin_cents", "Risk-weighted, $", "cents", added=True),
            Column("stress_price_cents", "Stress: power price, $", "cents", added=True),
            Column("stress_worst_rate_cents", "Stress: worst rate, $", "cents", added=True),
            Column("stress_full_cents", "Stress: full load, $", "cents", added=True),
            Column("breakeven_rate", "Break-even, cents/kWh", "decimal"),
            Column("breakeven_utilization", "Break-even utilization", "share"),
        ),
    ),
    (
        "Metric register",
        "metric_register",
        "What each headline metric means, what proves it, and what happens if it is wrong",
        _REGISTER,
    ),
    (
        "Cloud metric register",
        "cloud_metric_register",
        "What each headline metric of cloud costs means, what proves it, and what happens if it is wrong",
        _REGISTER,
    ),
)


def _more(book: Book) -> None:
    """Write the sheets that support the others, where their tables are available."""
    for name, dataset, explanation, columns in _EXTRA:
        frame = book.data.table(dataset)
        if frame is not None:
            book.grid(book.sheet(name, explanation), _named(book.data, frame) if "customer_id" in frame else frame, columns)


def _summary(book: Book, sheet: Any, spans: dict[str, tuple[int, int] | None], totals: dict[str, Cell | None]) -> None:
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 10, 16)
    row = _identity(book, sheet, 4)
    if book.data.has_colocation:
        row = _headlines(book, sheet, row, totals)
        row = _recon_totals(book, sheet, row, spans["Reconciliations"])
        row = _cause_totals(book, sheet, row, spans["Causes"])
        row = _close_bridge(book, sheet, row)
    if book.data.has_cloud:
        row = cloud_sheets.summary(book, sheet, row)
    blocking = pd.DataFrame(
        [
            {
                "check": each.get("check"),
                "figure": formatting.evidence(each.get("figures")),
                "next_step": each.get("next_step"),
                "asset": f"{each['stream']}/{each['table']}" if "stream" in each else None,
            }
            for each in book.data.blocking
        ],
        columns=["check", "figure", "next_step", "asset"],
    )
    columns = (
        Column("check", "Check"),
        Column("figure", "Figure"),
        Column("next_step", "What to do"),
        Column("asset", "Table"),
    )
    block(book, sheet, row, "What blocks sign-off", columns, blocking)
    sheet.freeze_panes(3, 0)
    sheet.activate()


def _identity(book: Book, sheet: Any, row: int) -> int:
    data, status = book.data, book.data.status
    facts = (
        ("Month", data.month, "month"),
        ("Status", data.state, "text"),
        ("Signed version", data.version, "integer"),
        ("As of (UTC)", data.as_of, "instant"),
        ("Prepared by", status.get("prepared_by"), "text"),
        ("Approved by", status.get("approved_by"), "text"),
        ("Signed at (UTC)", status.get("signed_at"), "instant"),
        ("Content hash", status.get("content_hash"), "text"),
        ("Ledger head", data.ledger_head or None, "text"),
    )
    sheet.write_string(row, 0, "Close", book.section)
    for offset, (label, value, kind) in enumerate(facts, 1):
        sheet.write_string(row + offset, 0, label, book.formats["text"])
        book.write(sheet, row + offset, 1, value, kind)  # type: ignore[arg-type]  # the literals above are kinds
    return row + len(facts) + 2


def _headlines(book: Book, sheet: Any, row: int, totals: dict[str, Cell | None]) -> int:
    data = book.data
    margins = totals["Margin by customer"]
    allocation = totals["Power allocation"]
    bridge = totals["MRR bridge"]
    customer = data.table("customer_month")
    lines: list[tuple[str, str, int]] = []
    if margins is not None:
        for label, field, letter in (("Revenue", "revenue", "F"), ("Power cost", "power_cost", "G"), ("Margin", "margin", "H")):
            lines.append((f"{label}, $", f"='Margin by customer'!{letter}5", figures.total(customer, f"{field}_cents") or 0))
    if bridge is not None:
        closing = figures.total(data.table("mrr_movements"), "closing_cents") or 0
        lines.append(("Closing MRR, $", f"='MRR bridge'!{bridge.name}", closing))
    if allocation is not None:
        frame = data.table("power_allocation")
        lines.append(
            (
                "Power billed (allocated + stranded), $",
                f"='Power allocation'!{allocation.name}",
                figures.total(frame, "amount_cents") or 0,
            )
        )
        stranded = None if frame is None else frame[frame["contract_id"] == STRANDED]
        formula = f"=ROUND(SUMIFS('Power allocation'!F:F,'Power allocation'!B:B,\"{STRANDED}\"),2)"
        lines.append(("of which stranded, $", formula, figures.total(stranded, "amount_cents") or 0))
    sheet.write_string(row, 0, "Headline figures", book.section)
    for offset, (label, formula, cents) in enumerate(lines, 1):
        sheet.write_string(row + offset, 0, label, book.formats["text"])
        sheet.write_formula(row + offset, 1, formula, book.formats["cents"], cents / 100)
    return row + len(lines) + 2


_RECON_TOTALS = (
    Column("recon", "Reconciliation"),
    Column("view", "View"),
    Column("unit", "Unit"),
    Column("rows", "Rows", "integer"),
    Column("matched", "Matched", "integer"),
    Column("within_tolerance", "Within tolerance", "integer"),
    Column("breaches", "Breaches", "integer"),
    Column("left", "Left", "cents"),
    Column("right", "Right", "cents"),
    Column("signed", "Variance, signed", "cents"),
    Column("gross", "Variance, gross", "cents"),
)


def _recon_totals(book: Book, sheet: Any, row: int, span: tuple[int, int] | None) -> int:
    sheet.write_string(row, 0, "Reconciliations (amounts in $ where the unit is cents)", book.section)
    if span is None:
        sheet.write_string(row + 1, 0, "Not available", book.note)
        return row + 3
    for position, column in enumerate(_RECON_TOTALS):
        sheet.write_string(row + 1, position, column.heading, book.heading if column.kind == "text" else book.number_heading)
    found = figures.recon_totals(book.data.table("recon_results"))
    for line, each in enumerate(found, row + 2):
        for position, text in enumerate((each.recon, each.view, each.unit)):
            sheet.write_string(line, position, text, book.formats["text"])
        for position, count in enumerate((each.rows, each.matched, each.within_tolerance, each.breaches), 3):
            sheet.write_number(line, position, count, book.formats["integer"])
        in_cents = each.unit == "cents"
        kind, scale, places = ("cents", 100, 2) if in_cents else ("decimal", 1, 6)
        letters = "IJK" if in_cents else "LMN"
        amounts = (*zip(letters, (each.left, each.right, each.signed), strict=True), (letters[2], each.gross))
        for position, (letter, amount) in enumerate(amounts, 7):
            rows = f"Reconciliations!${letter}${span[0] + 1}:${letter}${span[1] + 1}"
            condition = "*".join(
                f"(Reconciliations!${column}${span[0] + 1}:${column}${span[1] + 1}=${own}{line + 1})"
                for column, own in (("A", "A"), ("B", "B"), ("H", "C"))
            )
            measured = f"ABS({rows})" if position == 10 else rows
            formula = f"=ROUND(SUMPRODUCT({condition}*{measured}),{places})"
            sheet.write_formula(line, position, formula, book.formats[kind], float(Decimal(str(amount)) / scale))
    return row + 3 + len(found)


def _cause_totals(book: Book, sheet: Any, row: int, span: tuple[int, int] | None) -> int:
    sheet.write_string(row, 0, "Causes, $", book.section)
    if span is None:
        sheet.write_string(row + 1, 0, "Not available", book.note)
        return row + 3
    for position, heading in enumerate(("Cause", "Reconciliation", "Family", "As of close", "Current")):
        sheet.write_string(row + 1, position, heading, book.heading if position < 3 else book.number_heading)
    causes = book.data.table("recon_causes")
    found = [each for recon in figures.RECONS for each in figures.cause_totals(causes, recon)]
    cells = {name: f"Causes!${name}${span[0] + 1}:${name}${span[1] + 1}" for name in "ABHJ"}
    for line, each in enumerate(found, row + 2):
        for position, text in enumerate((each.cause, each.recon, each.family)):
            sheet.write_string(line, position, text, book.formats["text"])
        for position, (view, cents) in enumerate(((AS_OF_CLOSE, each.at_close), (CURRENT, each.current)), 3):
            conditions = f'{cells["A"]},$B{line + 1},{cells["B"]},"{view}",{cells["H"]},$A{line + 1}'
            sheet.write_formula(
                line, position, f"=ROUND(SUMIFS({cells['J']},{conditions}),2)", book.formats["cents"], cents / 100
            )
    if not found:
        sheet.write_string(row + 2, 0, "No variance to explain", book.note)
    return row + 3 + max(len(found), 1)


def _close_bridge(book: Book, sheet: Any, row: int) -> int:
    frame = book.data.table("close_bridge")
    sheet.write_string(row, 0, "Close bridge, $", book.section)
    if frame is None or frame.empty:
        sheet.write_string(row + 1, 0, "Not available", book.note)
        return row + 3
    bridge = frame.iloc[0]
    at_close, late, current, earlier, recognized = (
        int(bridge[f"{name}_cents"]) for name in ("as_of_close", "late", "current", "recognized_here_from_earlier", "recognized")
    )
    first = row + 2
    lines: tuple[tuple[str, int, str], ...] = (
        ("Billed as of close", at_close, ""),
        ("Late postings of this service month", late, ""),
        ("Billed now", current, f"=ROUND(B{first}+B{first + 1},2)"),
        ("Late postings of other months, recognized here", earlier, ""),
        ("Recognized in this month", recognized, f"=ROUND(B{first}+B{first + 3},2)"),
    )
    for line, (label, cents, formula) in enumerate(lines, row + 1):
        sheet.write_string(line, 0, label, book.formats["text"])
        if formula:
            sheet.write_formula(line, 1, formula, book.totals["cents"], cents / 100)
        else:
            book.write(sheet, line, 1, cents, "cents")
    return row + 2 + len(lines)


def file_name(data: PackData) -> str:
    """Return the workbook's file name."""
    return f"close-pack-{months.label(data.month)}.xlsx"
