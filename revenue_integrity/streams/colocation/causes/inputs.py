"""What the causes look at: rows, ERP lines, charges and bookings, made of the rows of the queries.

Belongs here: bringing them into the form that ``close.causes`` asks for. Does not belong here: any cause.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.causes.credits import repaired
from revenue_integrity.close.causes.explaining import Case, case_of
from revenue_integrity.close.causes.wording import or_none, records
from revenue_integrity.model.reconciliation import CURRENT

CHARGES = "erp_vs_mart"
POWER = "erp_vs_allocated_power"


def charge_case(month: date, frames: Mapping[str, pd.DataFrame]) -> Case:
    """Return the rows of ``erp_vs_mart`` that vary, with their lines and charges.

    Further columns: of rows ``month``, ``name``, ``due_cents`` and the grain; of lines (left) ``document``, ``line_no``,
    ``is_credit``, ``is_repaired``, ``corrects``, ``names_own``, ``code``, ``reference``, ``quantity``, ``price``, ``content``; of
    charges (right) ``version``, ``segment_from``, ``segment_to``, ``quantity``, ``price``, ``full_quantity``. In ``more``:
    ``around`` (the rows of the months around, with ``step``) and ``lines_around``, ``earlier`` (charges on earlier versions),
    ``known`` (usage as known when it was billed), ``mappings``.
    """
    varied = _varied_charges(frames["rows"])
    is_of_month = varied["month"] == pd.Timestamp(month)
    lines = _with_row(erp_lines(frames["lines"]), varied)
    dues = _with_row(_dues(frames["dues"]).assign(month=pd.Timestamp(month)), varied)
    rows = varied[is_of_month]
    rows = rows.assign(due_cents=dues.groupby("row")["cents"].sum().reindex(rows.index, fill_value=0))
    of_month = lines["row"].isin(rows.index)
    left = lines[of_month]
    left = left.assign(is_repaired=left.index.isin(repaired(left, dues)))
    of_row = pd.Series(rows.index, index=rows["row_key"])
    more = {
        "around": varied,
        "lines_around": lines[~of_month],
        "earlier": _of_rows(frames["earlier_terms"], of_row),
        "known": _known(_of_rows(frames["known_usage"], of_row)),
        "mappings": _mappings(frames["mappings"]),
    }
    return case_of(rows, left, dues, more)


def _varied_charges(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what varies in this month and around it."""
    found = rows[(rows["recon"] == CHARGES) & (rows["view"] == CURRENT) & (rows["variance_cents"] != 0)].reset_index(drop=True)
    return pd.DataFrame(
        {
            "row_key": found["row_key"],
            "month": found["month"],
            "step": found["month"].dt.year * 12 + found["month"].dt.month,
            "customer_id": found["customer_id"],
            "contract_id": found["contract_id"],
            "charge_type": found["charge_type"],
            "name": found["charge_type"] + " of " + found["contract_id"].where(found["contract_id"].notna(), "no contract"),
            "cents": found["variance_cents"].astype("int64"),
        }
    )


def _with_row(items: pd.DataFrame, varied: pd.DataFrame) -> pd.DataFrame:
    """Return the items of rows that vary, each with the index of its row."""
    rows = varied.rename_axis("row").reset_index()[["row", "month", "row_key"]]
    return items.reset_index(names="item").merge(rows, on=["month", "row_key"], how="inner").set_index("item")


def _of_rows(frame: pd.DataFrame, of_row: "pd.Series[Any]") -> pd.DataFrame:
    found = frame.assign(row=frame["row_key"].map(of_row))
    return found[found["row"].notna()].astype({"row": "int64"})


def erp_lines(lines: pd.DataFrame) -> pd.DataFrame:
    """Return ERP lines as items; nothing negative is ever due, so each negative line is a credit."""
    named = pd.DataFrame(
        {
            "month": lines["month"],
            "row_key": lines["row_key"],
            "document": lines["document_id"],
            "line_no": lines["line_no"],
            "is_credit": lines["is_credit"],
            "code": lines["erp_customer_code"],
            "reference": lines["erp_contract_ref"],
            "quantity": lines["micro_quantity"],
            "price": lines["micro_price"],
            "cents": lines["amount_cents"],
            "posted_at": lines["posted_at"],
            "corrects": lines["corrects_document_id"],
            "names_own": lines["names_own_document"],
            "late": lines["late"],
        }
    )
    # What a line says, without its name; the document's name decides last, so it moves no cent.
    says = ["posted_at", "cents", "quantity", "price"]
    in_order = named.sort_values([*says, "document", "line_no"], kind="stable")
    return named.assign(
        content=named.groupby(says, sort=True).ngroup(),
        order=pd.Series(range(len(named)), index=in_order.index),
        evidence=records(
            named.index,
            document_id=named["document"],
            line_no=named["line_no"],
            amount_cents=named["cents"],
            corrects_document_id=named["corrects"],
            late=named["late"].astype(object).where(named["late"]),
        ),
    )


def _dues(dues: pd.DataFrame) -> pd.DataFrame:
    """Return expected charges as items; ``full_quantity`` is that of a full month, where days prorate it."""
    named = pd.DataFrame(
        {
            "row_key": dues["row_key"],
            "version": dues["version"],
            "segment_from": dues["segment_from"],
            "segment_to": dues["segment_to"],
            "quantity": dues["micro_quantity"],
            "price": dues["micro_price"],
            "cents": dues["amount_cents"],
            "full_quantity": dues["micro_full_quantity"],
        }
    )
    return named.assign(
        evidence=records(
            named.index,
            version=named["version"],
            segment_from=days(named["segment_from"]),
            segment_to=days(named["segment_to"]),
            amount_cents=named["cents"],
        )
    )


def _known(usage: pd.DataFrame) -> pd.DataFrame:
    return usage.assign(readings=usage["readings"].map(json.loads), known_on=days(usage["known_on"]))


def _mappings(mappings: pd.DataFrame) -> pd.DataFrame:
    """Return mapping rows that there are for an ERP code and reference, whose validity does not hold in the month."""
    until = days(mappings["valid_to"])
    rows = pd.DataFrame(
        {
            "contract_id": mappings["contract_id"],
            "valid_from": days(mappings["valid_from"]),
            "valid_to": or_none(until),
        }
    )
    return mappings[["erp_customer_code", "erp_contract_ref"]].assign(
        evidence=pd.Series(rows.to_dict(orient="records"), index=mappings.index, dtype=object)
    )


def power_case(month: date, frames: Mapping[str, pd.DataFrame]) -> Case:
    """Return the rows of ``erp_vs_allocated_power`` that vary, with the bookings of their sites.

    Further columns: of rows ``site_id`` and ``bill`` (how the site's bill stands, empty for none); of bookings (left) ``kind``.
    """
    rows = power_rows(month, frames)
    return case_of(rows, power_bookings(frames["power_lines"], rows), pd.DataFrame({"row": pd.Series(dtype="int64")}))


def power_rows(month: date, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the sites that vary or have late bookings, with how their bills stand."""
    rows = frames["rows"]
    found = rows[(rows["recon"] == POWER) & (rows["view"] == CURRENT) & (rows["month"] == pd.Timestamp(month))]
    bills = frames["power_bills"]
    standing = bills["status"].mask(bills["is_accrued"], "accrued").set_axis(bills["site_id"])
    return pd.DataFrame(
        {
            "row_key": found["row_key"],
            "site_id": found["site_id"],
            "bill": found["site_id"].map(standing).fillna(""),
            "cents": found["variance_cents"].astype("int64"),
        }
    )


def power_bookings(lines: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the bookings of the sites that have rows."""
    of_site = pd.Series(rows.index, index=rows["site_id"])
    row = lines["site_id"].map(of_site)
    named = pd.DataFrame(
        {
            "row": row,
            "document": lines["document_id"],
            "line_no": lines["line_no"],
            "kind": lines["document_type"],
            "cents": lines["amount_cents"],
            "late": lines["late"],
        }
    )
    made = named[row.notna()].astype({"row": "int64"})
    return made.assign(
        row_key=made["row"].map(rows["row_key"]),
        evidence=records(
            made.index,
            document_id=made["document"],
            line_no=made["line_no"],
            document_type=made["kind"],
            amount_cents=made["cents"],
            late=made["late"].astype(object).where(made["late"]),
        ),
    )


def days(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return dates as text."""
    return column.dt.strftime("%Y-%m-%d").astype(object)


def label(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return months as text."""
    return column.map(lambda each: months.label(each.date())).astype(object)
