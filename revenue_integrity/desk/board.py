"""A line a book while a close goes on: what was compared and how it stands, what was found, what came last, what is in the way.

Belongs here: adding up what is published, and asking the close desk. Does not belong here: a line a month (``status``), showing
it again and again (``cli.watching``).
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from revenue_integrity import exact
from revenue_integrity.close.sign_off import Status
from revenue_integrity.desk.close_status import CloseRow, close_rows
from revenue_integrity.desk.evidence import Evidence
from revenue_integrity.desk.status import BEFORE_BOOK, NOT_COMPUTED, figures_of, frame_of
from revenue_integrity.errors import PublishError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish

COLUMNS = (
    "book", "compared", "matched", "in_breach", "variance_gross_cents", "found_cents", "open_cents", "newest_arrival", "last_run",
    "in_the_way",
)  # fmt: skip


def board(deployment: Deployment, evidence: Evidence, wanted: Sequence[date]) -> pd.DataFrame:
    """Return a row per book over some months, as they are published now.

    Compared, matched (within tolerance too) and in breach are rows of its reconciliations, each in the view of all postings where
    it has that. The variance is gross, of what its streams call their variance. Found is what causes have at risk (gross cents of
    all that are not timing), open what of it stands in months that are not signed. Newest arrival and last run are instants
    (ISO 8601, UTC); in the way is what keeps the first month that is not signed.
    """
    rows = close_rows(deployment, evidence, wanted)
    frame = frame_of(deployment, rows, wanted)
    arrivals = _arrivals(deployment.settings)
    books = dict.fromkeys(row.facts.book for row in rows)
    return pd.DataFrame([_line(deployment, book, rows, frame, arrivals) for book in books], columns=list(COLUMNS))


def _line(
    deployment: Deployment, book: str, rows: Sequence[CloseRow], frame: pd.DataFrame, arrivals: dict[str, str]
) -> dict[str, object]:
    own = [row for row in rows if row.facts.book == book]
    streams = [name for name in own[0].streams if name in deployment.streams.names]
    months = [row.facts.month for row in own if row.facts.content_hash is not None]
    signed = [pd.Timestamp(row.facts.month) for row in own if row.status is Status.SIGNED_OFF]
    totals = [_totals(deployment.settings, deployment.streams.named(name), months) for name in streams]
    at_risk = pd.concat([each[["month", "at_risk_gross_cents"]] for each in totals]) if totals else pd.DataFrame()
    of_book = frame[frame["book"] == book]
    waiting = of_book[(of_book["status"] != str(Status.SIGNED_OFF)) & ~of_book["why"].isin(["", NOT_COMPUTED, BEFORE_BOOK])]
    first = next(iter(zip(waiting["month"], waiting["why"], strict=True)), None)

    def summed(*names: str) -> int:
        return sum(int(each[name].sum()) for each in totals for name in names)

    return {
        "book": book,
        "compared": summed("rows"),
        "matched": summed("matched", "within_tolerance"),
        "in_breach": summed("breaches"),
        "variance_gross_cents": _variance(deployment, of_book),
        "found_cents": int(at_risk["at_risk_gross_cents"].sum()) if len(at_risk) else 0,
        "open_cents": int(at_risk.loc[~at_risk["month"].isin(signed), "at_risk_gross_cents"].sum()) if len(at_risk) else 0,
        "newest_arrival": max((arrivals[name] for name in streams if name in arrivals), default=None),
        "last_run": max(of_book["reprocessed_at"].dropna(), default=None),
        "in_the_way": f"{first[0]:%Y-%m}: {first[1]}" if first else "",
    }


def _totals(settings: Settings, stream: Stream, months: Sequence[date]) -> pd.DataFrame:
    """Return the totals of each reconciliation of a stream once a month; a stream without any, or not in use, has none."""
    columns = ["month", "rows", "matched", "within_tolerance", "breaches", "at_risk_gross_cents"]
    recons = stream.reconciliations
    try:
        if recons is None or not months:
            return pd.DataFrame(columns=columns)
        rows = publish.read_published(settings, recons.summary, months)
    except PublishError:
        return pd.DataFrame(columns=columns)
    views = {each.name: CURRENT if CURRENT in each.views else AS_OF_CLOSE for each in recons}
    counted = rows[rows["view"] == rows["recon"].map(views)]
    # Where nothing is explained, nothing is at risk for a reason that is known.
    return counted.reindex(columns=columns).fillna({"at_risk_gross_cents": 0})


def _variance(deployment: Deployment, of_book: pd.DataFrame) -> int:
    """Return the variance of a book's streams in cents, as they declare it."""
    cents = 0
    for name, figure in figures_of(deployment).items():
        if figure.is_variance:
            amounts = of_book[name].dropna()
            cents += sum(int(each) if figure.unit == "cents" else exact.cents(each) for each in amounts)
    return cents


def _arrivals(settings: Settings) -> dict[str, str]:
    """Return when the newest batch of each stream arrived."""
    try:
        rows = publish.read_published(settings, "batches", None)
    except PublishError:
        return {}
    # A batch is called by its stream first.
    newest = rows.groupby(rows["batch_id"].str.partition("/")[0])["arrival"].max()
    return {str(stream): f"{arrival:%Y-%m-%dT%H:%M:%SZ}" for stream, arrival in newest.items()}
