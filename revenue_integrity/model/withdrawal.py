"""The source of deliveries that were wrong and are taken back, which every stream has without declaring it.

Belongs here: its declaration. Does not belong here: which batches it takes back and what they would move
(``landing.withdrawals``), taking their rows out of the store (``landing.merge``).
"""

from collections.abc import Iterable

from revenue_integrity.model.source import Lookup, Reference, RowRule, Source, SourceColumn

NAME = "withdrawals"
"""What the source is called in every stream."""

WITHDRAWN = "withdrawn"
"""The status of a batch that counts no more."""


def source_of(stream: str) -> Source:
    """Return the source of a stream's withdrawals: a row names a batch that counts no more once the row has arrived."""
    said = "withdrawn_batch_id"
    is_own = f"regexp_full_match({said}, '{stream}/[^/]+/[0-9]{{8}}T[0-9]{{6}}Z')"
    is_withdrawal = f"starts_with({said}, '{stream}/{NAME}/')"
    known = f"select batch_id from meta.batches where stream = '{stream}' and source <> '{NAME}'"
    return Source(
        stream,
        NAME,
        "Deliveries that are taken back, one row per batch: from its arrival on the batch counts no more.",
        (
            # An id of a batch is no identifier of anybody's: it is compared as it stands.
            SourceColumn("batch_id", "text", f"The batch that is taken back: {stream}/SOURCE/ARRIVAL.", held_as=said),
            SourceColumn("reason", "text", "Why."),
            SourceColumn("withdrawn_by", "text", "Who took it back."),
        ),
        (said,),
        rules=(
            RowRule(f"not {is_own}", f"'batch_id ' || {said} || ' is no batch of this stream ({stream}/SOURCE/ARRIVAL)'"),
            RowRule(is_withdrawal, f"{said} || ' is a withdrawal, which is not withdrawn: land the files again'"),
        ),
        references=(Reference(said, Lookup("withdrawable", "batch_id", (), known)),),
        reference_rules=(
            RowRule(
                f"withdrawable.batch_id is null and {is_own} and not {is_withdrawal}",
                f"'batch ' || r.{said} || ' is unknown'",
            ),
        ),
        matters="false",
        optional=True,
    )


def arriving(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Return what arrives for the streams of some sources: their withdrawals first, for the others are read without these."""
    declared = [source for source in sources if source.name != NAME]
    return (*(source_of(stream) for stream in sorted({source.stream for source in declared})), *declared)
