"""The view *Controls & Reconciliation*, and the sheets that every pack has: what holds for all streams alike.

Belongs here: reconciliations, what was restated, checks, waivers and sign-off, walked over the declarations of whatever streams
there are. Does not belong here: what one stream shows (its ``report``), how it looks (``sections``, ``workbook``).
"""

from collections.abc import Sequence

import pandas as pd

from revenue_integrity import wording
from revenue_integrity.model.report import Card, Column, Kpi, Listing, Published, Section
from revenue_integrity.reports import reconciling, restated
from revenue_integrity.reports.pack_data import PackData, StreamPart, instant_of
from revenue_integrity.reports.reconciling import Standard

NAME, TITLE = "controls", "Controls & Reconciliation"

_GATES = ("write", "publish", "sign_off", "warn", "none")
"""Gates of checks, the strictest first."""


def standard_of(part: StreamPart) -> Standard | None:
    """Return what a stream's reconciliations show, ``None`` where nothing is compared."""
    recons = part.stream.reconciliations
    return None if recons is None else reconciling.standard(recons, part.report.names)


def shared(data: PackData) -> Published:
    """Return the month of a book as that of a stream that has checks, waivers, a ledger and a restatement for tables."""
    return Published(
        data.month,
        data.currency,
        {
            "checks": _with_results(data),
            "failing": _failing(data),
            "waivers": _titled(data, data.waivers),
            "ledger": _with_instants(data.ledger),
            "restatement": restated.measured(data),
            "restated": restated.in_total(data),
        },
    )


def _passed(checks: pd.DataFrame) -> list[bool]:
    return [value is True or value == 1 for value in checks["passed"].astype(object).tolist()]


def _with_results(data: PackData) -> pd.DataFrame:
    """Return the checks with what people call them and how they stand: what does not hold first, the strictest gate before."""
    passed, gates = _passed(data.checks), {gate: at for at, gate in enumerate(_GATES)}
    places = [
        gates.get(str(gate), len(gates)) + len(gates) * holds for gate, holds in zip(data.checks["gate"], passed, strict=True)
    ]
    return _titled(data, data.checks).assign(
        result=["holds" if holds else "does not hold" for holds in passed],
        tone=["" if holds else "bad" for holds in passed],
        place=places,
    )


def _failing(data: PackData) -> pd.DataFrame:
    """Return the checks that do not hold, the strictest gate first."""
    failing = data.checks[[not passed for passed in _passed(data.checks)]] if len(data.checks) else data.checks
    place = {gate: at for at, gate in enumerate(_GATES)}
    order = failing["gate"].map(lambda gate: place.get(str(gate), len(place)))
    tones = ["" if gate == "warn" else "bad" for gate in failing["gate"]]
    return _titled(data, failing).assign(_order=order, tone=tones).sort_values(["_order", "asset", "check"], kind="stable")


def _titled(data: PackData, checks: pd.DataFrame) -> pd.DataFrame:
    """Return rows about checks with what people call each."""
    titles = [
        wording.headed(data.title_of(str(asset), str(name))) for asset, name in zip(checks["asset"], checks["check"], strict=True)
    ]
    return checks.assign(title=titles)


def _with_instants(ledger: pd.DataFrame) -> pd.DataFrame:
    return ledger.assign(**{name: ledger[name].map(instant_of) for name in ("at", "as_of") if name in ledger})


# What the page says of all streams together


TRAIL = Listing(
    "Sign-off trail",
    "ledger",
    (
        Column("seq", "Seq", "integer"),
        Column("version", "Version", "integer"),
        Column("action", "Action", "words"),
        Column("actor", "Actor"),
        Column("at", "At", "instant"),
        Column("comment", "Comment", "wide"),
        Column("hash", "Hash", "hash"),
    ),
    note="The ledger is append-only; each entry's hash rests on the one before.",
    first=0,
    empty="Nobody has prepared or approved this month.",
)

WAIVERS = Listing(
    "Waivers",
    "waivers",
    (
        Column("title", "Check"),
        Column("asset", "Table", "name"),
        Column("comment", "Reason", "wide"),
        Column("actor", "Waived by"),
        Column("at", "At", "instant"),
    ),
    first=0,
)


def _failing_listing(data: PackData) -> Listing:
    held = f"All {len(data.checks):,} checks hold." if len(data.checks) else "No check is on record for this month."
    return Listing(
        "Checks that do not hold",
        "failing",
        (
            Column("title", "Check"),
            Column("asset", "Table", "name"),
            Column("gate", "Gate", "pill", tone="tone"),
            Column("figures", "Figures", "evidence"),
            Column("next_step", "What to do", "wide"),
        ),
        note=f"Of {len(data.checks):,} checks. A check of gate warn stops nothing.",
        first=0,
        empty=held,
    )


def sections(data: PackData) -> list[tuple[Section, Published]]:
    """Return what the view shows: of each stream its reconciliations and what it adds, then what holds for all."""
    several = len(data.parts) > 1
    found: list[tuple[Section, Published]] = []
    for part in data.parts:
        standard = standard_of(part)
        for section in (*(standard.sections if standard else ()), *part.report.controls):
            titled = Section(f"{part.title}: {section.title}", section.cards) if several else section
            found.append((titled, part.published))
    together = shared(data)
    waivers = Card("Waivers", (WAIVERS,), wide=True, if_any=True)
    return [
        *found,
        (Section("What was restated?", (restated.RESTATED,)), together),
        *_details(data, several=several),
        (Section("Which checks stand in the way?", (_failing_listing(data), waivers)), together),
        (Section("Who signed?", (TRAIL,)), together),
    ]


def _details(data: PackData, *, several: bool) -> list[tuple[Section, Published]]:
    """Return what was restated of each stream, and what its report says of it."""
    found = []
    for part in data.parts:
        cards = restated.details(part)
        if cards:
            title = f"{part.title}: restated by batch, name and document" if several else "Restated by batch, name and document"
            found.append((Section(title, (*cards, *part.report.restated)), part.published))
    return found


def stream_tiles(part: StreamPart) -> Sequence[Kpi]:
    """Return the tiles of a stream: those that it declares, else those of its reconciliations."""
    standard = standard_of(part)
    return part.report.control_tiles or (standard.tiles if standard else ())


# Sheets that every pack has


CHECKS_SHEET = Listing(
    "Checks",
    "checks",
    (
        Column("title", "Check", "wide", width=40),
        Column("result", "Result", width=14, tone="tone"),
        Column("gate", "Gate", "words", width=10),
        Column("asset", "Table", width=32),
        Column("figures", "Figures", "evidence", width=56),
        Column("next_step", "What to do", "wide", width=56),
        Column("check", "Name", width=38, screen_only=True),
    ),
    note="Every check of the month with its figures, those that do not hold first; then the waivers in force",
    sheet="Checks",
    order=("place", "asset", "check"),
)


def sign_off_sheet(data: PackData) -> Listing:
    """Return the sheet of the month's entries of the ledger."""
    return Listing(
        "Sign-off",
        "ledger",
        (
            Column("seq", "Seq", "integer", width=8),
            Column("version", "Version", "integer", width=9),
            Column("action", "Action", "words", width=11),
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
        ),
        note=f"The month's entries of the ledger. Head of the ledger: {data.ledger_head or 'no entry yet'}",
        sheet="Sign-off",
    )
