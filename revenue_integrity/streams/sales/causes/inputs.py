"""What the causes look at: rows and their items, made of the rows of the queries.

Belongs here: bringing them into the form that ``close.causes`` asks for. Does not belong here: any cause.
"""

from collections.abc import Mapping

import pandas as pd

from revenue_integrity.close.causes.explaining import Case, case_of

_NO_ITEMS = pd.DataFrame(
    {"row": pd.Series(dtype="int64"), "cents": pd.Series(dtype="int64"), "evidence": pd.Series(dtype=object)}
)


def case(recon: str, frames: Mapping[str, pd.DataFrame], ledger_grain: str) -> Case:
    """Return the rows of a reconciliation that vary, of the month and those around it, with their items.

    Further columns of rows: ``month``, ``label``, ``step``, the grain, ``name``, ``order``, ``booked`` (the left side), ``sold``
    (the right side), ``lines``, ``discount``, ``tax``, ``exact`` (cents of the unrounded sum). Of items (left): ``document``.
    In ``more``: ``refused`` (``row``, ``cents``, ``evidence``), ``sold`` (what is known of each row's transaction), ``settled``
    (settlements of all months).
    """
    found = frames["rows"]
    rows = _rows(found[found["recon"] == recon].reset_index(drop=True), recon)
    left = _NO_ITEMS.assign(document=pd.Series(dtype=object))
    if recon == "sales_vs_ledger":
        left = _of_rows(booked(frames["booked"]), rows)
    more = {"refused": _refused(frames["refused"], rows, recon, ledger_grain)}
    if recon == "sales_vs_settlements":
        more |= {"sold": frames["sold"], "settled": _settled(frames["settled"])}
    return case_of(rows, left, pd.DataFrame(), more)


def _rows(found: pd.DataFrame, recon: str) -> pd.DataFrame:
    label = found["month"].dt.strftime("%Y-%m").astype(object)
    if recon == "sales_vs_ledger":
        cell = found["region"].fillna("all regions") + ", " + found["category"].fillna("all categories")
        name = cell + " of " + label
    elif recon == "sales_vs_settlements":
        name = ("transaction " + found["transaction_id"]).where(found["transaction_id"].notna(), "settlements of nothing")
    else:
        name = "the sales of " + label
    return pd.DataFrame(
        {
            "row_key": found["row_key"],
            "month": found["month"],
            "label": label,
            "step": found["month"].dt.year * 12 + found["month"].dt.month,
            "region": found["region"],
            "category": found["category"],
            "transaction_id": found["transaction_id"],
            "name": name.astype(object),
            "order": range(len(found)),
            "booked": found["left_cents"].astype("int64"),
            "sold": found["right_cents"].astype("int64"),
            "cents": found["variance_cents"].astype("int64"),
            "lines": found["lines"].astype("int64"),
            "discount": found["discount_cents"].astype("int64"),
            "tax": found["tax_cents"].astype("int64"),
            "exact": found["exact_cents"].fillna(0).astype("int64"),
        }
    )


def booked(lines: pd.DataFrame) -> pd.DataFrame:
    """Return lines of the ledger as items, in the order of their documents."""
    made = pd.DataFrame(
        {
            "month": lines["month"],
            "row_key": lines["row_key"],
            "document": lines["document_id"],
            "evidence": lines["document_id"] + " line " + lines["line_no"].astype(str),
            "cents": lines["amount_cents"].astype("int64"),
            "posted_at": lines["posted_at"],
            "late": lines["late"].astype(bool),
            "is_reversal": lines["document_type"] == "reversal",
            "reverses": lines["reverses_document_id"],
        }
    )
    return made.assign(order=range(len(made)))


def _of_rows(items: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    of_row = rows.rename_axis("row").reset_index()[["row", "month", "row_key"]]
    return items.reset_index(names="item").merge(of_row, on=["month", "row_key"], how="inner").set_index("item")


def _refused(refused: pd.DataFrame, rows: pd.DataFrame, recon: str, ledger_grain: str) -> pd.DataFrame:
    """Return the refused rows of each row's cell or month, in the order in which they came."""
    by = ["month"]
    if recon == "sales_vs_ledger":
        by += [name for name in ("region", "category") if name in ledger_grain]
    of_row = rows.rename_axis("row").reset_index()[["row", *by]]
    found = refused.merge(of_row, on=by, how="inner") if recon != "sales_vs_settlements" else refused.assign(row=0)[:0]
    return found[["row", "cents", "evidence"]].astype({"row": "int64", "cents": "int64"})


def _settled(settled: pd.DataFrame) -> pd.DataFrame:
    step = settled["month"].dt.year * 12 + settled["month"].dt.month
    return settled.assign(step=step, cents=settled["amount_cents"].astype("int64"))
