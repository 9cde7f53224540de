"""Checks of what a stream's batches brought, the same for every stream.

Belongs here: conservation of rows, quarantine, keys that rows share, sources that never delivered, and what must have arrived
before a month is signed. Does not belong here: whether batches have changed (the asset of the manifest refuses them itself),
judging the manifest (``close.evidence``).
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from revenue_integrity import months
from revenue_integrity.close.calendar import CALENDAR_SETTINGS
from revenue_integrity.close.evidence import NOTHING_REJECTED, NOTHING_SHORT, extracts_cover_cutoff, nothing_stands_rejected
from revenue_integrity.close.judgement import decided_by
from revenue_integrity.landing.datasets import batches_table, quarantine_table
from revenue_integrity.model.check import SAMPLE_ROWS, Check, Control, Figure, Gate, Judge, Judgement, Limit, Reader
from revenue_integrity.model.query import Sql, Template
from revenue_integrity.model.signed import Extracts
from revenue_integrity.model.source import Source, raw_table
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings

_PACKAGE = "revenue_integrity.close"


def landing_checks(stream: str, sources: tuple[Source, ...]) -> tuple[Check, ...]:
    """Return the checks of a stream's manifest and quarantine."""
    manifest, refused = batches_table(stream), quarantine_table(stream)
    required = [source.name for source in sources if not source.optional]
    return (
        Check(
            "rows_are_conserved",
            manifest,
            Gate.PUBLISH,
            "Rows in the files of the month's batches are loaded, quarantined or exact duplicates: none is lost.",
            _judge("rows_are_conserved", "This is an error of ingestion: report it with the batches listed.", {"stream": stream}),
            control=Control("Rows are lost between file and table.", "`batches`: the row counts", "data operations"),
        ),
        Check(
            "sources_have_delivered",
            manifest,
            Gate.WARN,
            "Every source has delivered at least once; what needs a source that never did is absent.",
            _judge(
                "sources_have_delivered",
                "Land a batch of the sources listed, or leave them out if the business does not have them.",
                {"stream": stream, "sources": required},
            ),
            control=Control("A source is missing and nobody notices.", "`batches`", "data operations"),
        ),
        Check(
            "quarantined_share_is_small",
            refused,
            Gate.WARN,
            "Hardly any row of the month is quarantined.",
            _share(stream, "quarantine_warn_share"),
            control=Control("Bad rows go unrepaired.", "`quarantine`", "data operations"),
            settings=("quarantine_warn_share",),
        ),
        Check(
            "quarantined_share_is_bearable",
            refused,
            Gate.PUBLISH,
            "Few enough rows of the month are quarantined for its figures to mean something.",
            _share(stream, "quarantine_publish_share"),
            control=Control("Figures rest on too little of the data.", "`quarantine`", "data operations"),
            settings=("quarantine_publish_share",),
        ),
        *(keys_are_told_apart(source) for source in sources if not source.events or source.events.appends),
    )


def keys_are_told_apart(source: Source) -> Check:
    """Return the check that no rows of one batch of a source share a key and differ: the last alone would count."""
    given = (("source", source),)
    step = (
        "Look at the rows listed, of which the last alone counts. One record: land it once more as it holds. Two records: land"
        " each under a key of its own (a mapping can put it together of several columns), and waive this check with that reason."
    )
    possible = Sql(_PACKAGE, Template("checks/keys_may_be_shared", given))
    verdict, rows = (Sql(_PACKAGE, Template(f"checks/keys_are_told_apart{part}", given)) for part in ("", "_rows"))
    decide = decided_by(verdict, rows, step, lists="offenders")

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        asked = reader.rows(possible.query(month=month, month_end=months.last_day(month)))
        if not asked["may_be"].iloc[0]:
            return Judgement(True, {"shared_keys": 0, "rows_that_share_them": 0})
        return decide(reader, month, settings)

    return Check(
        "keys_are_told_apart",
        raw_table(source),
        Gate.SIGN_OFF,
        "No rows of one batch share a key, and that which orders its versions, and differ: they are more likely two records.",
        judge,
        control=Control("Two records arrive under one key, and one of them is lost.", "`corrections`", "data operations"),
        settings=CALENDAR_SETTINGS,
        limits=(Limit("shared_keys"),),
    )


def deliveries_cover_cutoff(name: str, table: Table, which: Extracts, description: str, risk: str) -> Check:
    """Return the check that every extract which the close of a table's stream rests on was taken at or after the cutoff."""
    return Check(
        name,
        table,
        Gate.SIGN_OFF,
        description,
        extracts_cover_cutoff(table.stream, which),
        settings=CALENDAR_SETTINGS,
        control=Control(risk, "`batches`: `arrival`", "data operations"),
        limits=NOTHING_SHORT,
    )


def no_batch_is_rejected(table: Table) -> Check:
    """Return the check that no batch of the month which the stream of a table got was rejected or left without a month."""
    return Check(
        "no_batch_is_rejected",
        table,
        Gate.SIGN_OFF,
        "No batch between the month's first day and its cutoff is rejected or holds refused rows without a month.",
        nothing_stands_rejected(table.stream),
        settings=CALENDAR_SETTINGS,
        control=Control(
            "Something delivered for the month was never read.", "`batches`: `status`; `quarantine`", "data operations"
        ),
        limits=NOTHING_REJECTED,
    )


def _judge(name: str, next_step: str, given: dict[str, object]) -> Judge:
    decide = _decision(name, next_step)

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        return decide(reader, {**given, "month": month})

    return judge


def _share(stream: str, setting: str) -> Judge:
    step = "Correct the rows listed in their source and land them again; what waits for a reference heals by itself."
    decide = _decision("quarantined_share", step)

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        share: Decimal = getattr(settings, setting)
        return decide(reader, {"stream": stream, "month": month, "share": share})

    return judge


def _decision(name: str, next_step: str) -> Callable[[Reader, dict[str, object]], Judgement]:
    verdict_of, offenders_of = Sql(_PACKAGE, f"checks/{name}"), Sql(_PACKAGE, f"checks/{name}_rows")

    def decide(reader: Reader, given: dict[str, object]) -> Judgement:
        (row,) = reader.rows(verdict_of.query(**given)).astype(object).to_dict(orient="records")
        offenders = reader.rows(offenders_of.query(**given)).head(SAMPLE_ROWS)
        passed = bool(row.pop("passed"))
        figures: dict[str, Figure] = {str(key): value for key, value in row.items()}
        return Judgement(passed, figures, offenders, "" if passed else next_step)

    return decide
