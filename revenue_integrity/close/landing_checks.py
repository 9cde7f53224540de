"""Checks of what a stream's batches brought, the same for every stream.

Belongs here: conservation of rows, quarantine, sources that never delivered. Does not belong here: whether batches have
changed (the asset of the manifest refuses them itself).
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from revenue_integrity.landing.datasets import batches_table, quarantine_table
from revenue_integrity.model.check import SAMPLE_ROWS, Check, Control, Figure, Gate, Judge, Judgement, Reader
from revenue_integrity.model.query import Sql
from revenue_integrity.model.source import Source
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
