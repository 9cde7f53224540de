"""The rows of a month's reconciliations that are in breach, with what caused them.

Belongs here: finding them over all streams and putting the largest first. Does not belong here: reconciling and explaining
(``close``, each stream's ``recon``).
"""

from datetime import date

import pandas as pd

from revenue_integrity import months
from revenue_integrity.errors import UsageError, no_such
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT
from revenue_integrity.serving.catalogue import RECON_CAUSES, RECON_RESULTS
from revenue_integrity.serving.export import in_one
from revenue_integrity.warehouse import publish

_ROW = ("recon", "view", "row_key")
_CAUSE = ("cause_no", "family", "cause", "cause_cents", "link_id", "explanation", "evidence")
"""What the rows of a reconciliation with causes are shown with; those of others explain themselves."""


def breaches(deployment: Deployment, month: date, *, recon: str | None, view: str) -> pd.DataFrame:
    """Return the rows in breach of a month with their causes and evidence, by reconciliation, the largest variance first.

    Raises:
        UsageError: there is no such view or reconciliation, or no stream has any.
        PublishError: the month is not published.
    """
    if view not in (CURRENT, AS_OF_CLOSE):
        raise no_such("view", view, (CURRENT, AS_OF_CLOSE), "Views")
    results = _results_of_streams(deployment, month)
    names = sorted(results["recon"].unique())
    if recon is not None and recon not in names:
        raise no_such("reconciliation", recon, names, "Reconciliations", where=months.label(month))
    chosen = results[(results["view"] == view) & (results["status"] == "breach")]
    chosen = chosen if recon is None else chosen[chosen["recon"] == recon]
    cents, values = chosen["variance_cents"].astype(object), chosen["variance_value"].astype(object)
    order = chosen.assign(size=cents.where(cents.notna(), values).map(abs)).sort_values(
        ["recon", "size", "row_key", "cause_no"], ascending=[True, False, True, True]
    )
    return order.drop(columns="size").reset_index(drop=True)


def for_programs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return breaches without what only puts them in order."""
    return rows.drop(columns=["row_key", "cause_no"])


def largest_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return breaches with the largest first whatever reconciliation they are of: money before other units, which have none."""
    cents, values = rows["variance_cents"].astype(object), rows["variance_value"].astype(object)
    is_money = cents.notna() | rows["unit"].astype(str).str.fullmatch("[a-z]{3}")
    size = cents.where(cents.notna(), values.map(lambda value: None if pd.isna(value) else value * 100)).map(abs)
    order = rows.assign(other=~is_money, size=size).sort_values(
        ["other", "size", "recon", "row_key", "cause_no"], ascending=[True, False, True, True, True], kind="stable"
    )
    return order.drop(columns=["other", "size"]).reset_index(drop=True)


def _results_of_streams(deployment: Deployment, month: date) -> pd.DataFrame:
    """Return the reconciliations of every stream that has published the month, each row once per cause."""
    settings = deployment.settings
    names: dict[str, str | None] = {}
    for stream in deployment.streams:
        published = {table.name for table in stream.published_tables}
        if stream.dataset(RECON_RESULTS) in published:
            causes = stream.dataset(RECON_CAUSES)
            names[stream.dataset(RECON_RESULTS)] = causes if causes in published else None
    if not names:
        raise UsageError("no stream of this home has reconciliations", "Look at its checks with `revenue-integrity status`")
    label = f"month={months.label(month)}"
    used = [name for name in names if (settings.published_path / name / label).is_dir()]
    frames = []
    for name in used or list(names)[:1]:
        rows = publish.read_published(settings, name, [month])
        explained = names[name]
        if explained is not None:
            why = publish.read_published(settings, explained, [month])
            # A row without a cause must not turn the cents of the others into floats.
            whole = {name: "Int64" for name in _CAUSE if pd.api.types.is_integer_dtype(why[name])}
            rows = rows.merge(why[[*_ROW, *_CAUSE]].astype(whole), on=list(_ROW), how="left")
        frames.append(rows if "cause_no" in rows else rows.assign(cause_no=1))
    return in_one(frames)
