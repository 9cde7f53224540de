"""The table of causes, in both views, from what was explained.

Belongs here: the rows of ``recon_causes`` of any stream. Does not belong here: finding a cause.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from revenue_integrity.canonical import canonical_json
from revenue_integrity.close.causes.wording import or_none
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, Reconciliations


def causes_table(
    month: date,
    recons: Reconciliations,
    results: pd.DataFrame,
    explained: Mapping[str, pd.DataFrame],
    late: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Return the causes of a month's rows in every view, numbered within their row.

    The causes of the view as of close are those of all postings, after one ``late_posting`` of the opposite amount for each
    late item. ``results`` holds the rows of the month that vary in a view or have a late item: ``recon``, ``view``,
    ``row_key``, the grain and ``status``; ``explained`` and ``late`` are by reconciliation, as ``explain`` and ``late_items``
    return them.

    Raises:
        ValueError: no reconciliation of the stream is explained.
    """
    if recons.causes is None:
        raise ValueError(f"{recons.stream} explains no reconciliation")
    parts: list[pd.DataFrame] = []
    for each in recons.explained:
        for view in each.views:
            found = [late[each.name], explained[each.name]] if view == AS_OF_CLOSE else [explained[each.name]]
            parts += [part.assign(recon=each.name, view=view) for part in found if len(part)]
    families = {
        (each.name, label): family for each in recons.explained if each.causes for label, family in each.causes.families.items()
    }
    made = _joined(parts, results, recons)
    family = [families.get(key) for key in zip(made["recon"], made["cause"], strict=True)]
    frame = made.assign(
        month=pd.Timestamp(month).as_unit("us"),
        cause_no=made.groupby(["recon", "view", "row_key"], sort=False).cumcount() + 1,
        family=pd.Series(family, index=made.index, dtype=object),
        cause_cents=made["cents"],
        evidence=made["evidence"].map(canonical_json),
    )[recons.causes.columns]
    dtypes = {"month": "datetime64[us]", "cause_no": "int64", "cause_cents": "int64"}
    numbers = {name: "Int64" for name in recons.grain if str(recons.causes.schema.columns[name].dtype) == "Int64"}
    texts = [name for name in frame.columns if name not in dtypes | numbers]
    return frame.astype(dtypes | numbers).assign(**{name: or_none(frame[name]) for name in texts})


def _joined(parts: Sequence[pd.DataFrame], results: pd.DataFrame, recons: Reconciliations) -> pd.DataFrame:
    """Return all causes with the grain and the status of their rows; a row that does not vary in a view is matched."""
    columns = ["recon", "view", "row_key", "cause", "cents", "link_id", "evidence", "explanation"]
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    made = pd.concat([part[columns] for part in parts], ignore_index=True) if parts else empty
    rows = results[["recon", "view", "row_key", *recons.grain, "status"]]
    return made.merge(rows, on=["recon", "view", "row_key"], how="left", validate="many_to_one")
