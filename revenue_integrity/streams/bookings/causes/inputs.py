"""What the causes look at: rows and their entries, made of the rows of the queries.

Belongs here: bringing them into the form that ``close.causes`` asks for. Does not belong here: any cause, what other readings of
a deal give (``readings``).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from revenue_integrity.close.causes.explaining import Case, case_of
from revenue_integrity.close.causes.items import counts, in_turn
from revenue_integrity.streams.bookings.causes.readings import yardsticks
from revenue_integrity.streams.bookings.settings import BookingsSettings

_OF_LINE = ["month", "deal_id", "line_no"]


def recognized_case(settings: BookingsSettings, frames: Mapping[str, pd.DataFrame]) -> Case:
    """Return the rows of ``recognized_vs_schedule`` that vary, of the month and those around it, with their entries.

    Further columns of rows: ``month``, ``month_label``, ``step``, the grain, ``name``, ``order``, ``is_recurring``, ``due`` (X),
    ``n``, ``is_of_another_type`` (the version in force is of another revenue type than the row), ``catch_up`` (the part of X
    that makes up for earlier months), ``cancelled`` (the version in force is), ``due_until`` (up to and with the month),
    ``due_after``, ``due_months`` (with an amount, up to and with this one), ``is_last`` (no month after it has one),
    ``booked_before`` (entries of earlier periods), ``booked_last`` (of the last of them that has any),
    ``billed``. Of entries (left): ``document``, ``posted_at``, ``is_reversal``, ``reverses``, ``reverses_own_line``,
    ``named_deal``. In ``more``: ``readings``, and ``earlier``, the variances of earlier months (``row``, ``distance`` in months,
    ``cents``).
    """
    rows = _described(frames["rows"], settings)
    entries = _of_rows(entry_items(frames["entries"]), rows)
    rows = rows.assign(n=counts(entries, rows.index).clip(lower=1))
    rows = _with_line(rows, frames["lines"], frames["billed"])
    history = _before(rows, frames["history"])
    by_row = history.groupby("row")["cents"]
    rows = rows.assign(
        booked_before=by_row.sum().reindex(rows.index, fill_value=0),
        booked_last=history[history["cents"] != 0].groupby("row")["cents"].last().reindex(rows.index).astype("Int64"),
    )
    dues, readings = yardsticks(settings, rows, entries, history, frames["versions"], frames["milestones"])
    rows = rows.assign(due_months=counts(dues, rows.index) + (rows["due"] != 0))
    earlier = pd.concat([history, dues.assign(cents=-dues["cents"])]).groupby(["row", "distance"], as_index=False)["cents"].sum()
    more = {"readings": readings, "earlier": earlier[earlier["cents"] != 0]}
    return case_of(rows, entries.drop(index=_repaired(entries)), pd.DataFrame(), more)


def _described(found: pd.DataFrame, settings: BookingsSettings) -> pd.DataFrame:
    line_no = found["line_no"].astype("Int64")
    line = "line " + line_no.astype(object).astype(str) + " of deal " + found["deal_id"]
    made = pd.DataFrame(
        {
            "row_key": found["row_key"],
            "month": found["month"],
            "month_label": found["month"].dt.strftime("%Y-%m").astype(object),
            "step": found["month"].dt.year * 12 + found["month"].dt.month,
            "customer_id": found["customer_id"],
            "deal_id": found["deal_id"],
            "line_no": line_no,
            "revenue_type": found["revenue_type"],
            "name": line.where(found["deal_id"].notna(), "an entry of " + found["revenue_type"] + " without a line"),
            "is_recurring": found["revenue_type"].isin(settings.recurring_revenue_types),
            "due": found["due_cents"].astype("int64"),
            "cents": found["variance_cents"].astype("int64"),
        }
    )
    known = made.assign(deal_id=made["deal_id"].fillna(""), line_no=line_no.fillna(0))
    in_order = known.sort_values(["month", "deal_id", "line_no", "revenue_type"], kind="stable")
    return made.assign(order=pd.Series(range(len(made)), index=in_order.index))


def entry_items(entries: pd.DataFrame) -> pd.DataFrame:
    """Return recognition entries as items, in the order of their ids."""
    found = pd.DataFrame(
        {
            "row_key": entries["row_key"],
            "month": entries["month"],
            "document": entries["entry_id"],
            "evidence": entries["entry_id"],
            "cents": entries["amount_cents"].astype("int64"),
            "posted_at": entries["posted_at"],
            "late": entries["late"],
            "is_reversal": entries["is_reversal"].astype(bool),
            "reverses": entries["reverses_entry_id"],
            "reverses_own_line": entries["reverses_own_line"].astype(bool),
            "named_deal": entries["named_deal_id"],
        }
    )
    found = found.sort_values("document", kind="stable", ignore_index=True)
    return found.assign(order=range(len(found)))


def _of_rows(items: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the items of rows that vary, each with the index of its row."""
    of_row = rows.rename_axis("row").reset_index()[["row", "month", "row_key"]]
    found = items.reset_index(names="item").merge(of_row, on=["month", "row_key"], how="inner")
    return found.set_index("item").drop(columns="month")


def _with_line(rows: pd.DataFrame, lines: pd.DataFrame, billed: pd.DataFrame) -> pd.DataFrame:
    """Return rows with what stands of their lines; what is due counts where the type in force is that of the row."""
    of_line = lines.astype({"line_no": "Int64"}).rename(columns={"revenue_type": "type_in_force"})
    found = rows.rename_axis("row").reset_index().merge(of_line, on=_OF_LINE, how="left")
    found = found.merge(billed.astype({"line_no": "Int64"}), on=_OF_LINE, how="left").set_index("row")
    is_own = found["type_in_force"] == found["revenue_type"]

    def own(name: str) -> "pd.Series[Any]":
        return found[name].where(is_own, 0).astype("int64")

    return rows.assign(
        is_own=is_own,
        is_of_another_type=found["type_in_force"].notna() & ~is_own,
        cancelled=found["status"] == "cancelled",
        catch_up=own("catch_up_cents"),
        due_until=own("expected_to_date_cents"),
        due_after=own("remaining_cents"),
        is_last=is_own & (found["last_month"] == found["month"]),
        billed=found["billed_cents"].fillna(0).astype("int64"),
    )


def _before(rows: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return what was recognized of each row's line and type in earlier periods, the earliest first."""
    key = ["deal_id", "line_no", "revenue_type"]
    of_rows = rows[rows["deal_id"].notna()].rename_axis("row").reset_index()[["row", "step", *key]]
    found = of_rows.merge(history.astype({"line_no": "Int64"}), on=key, how="inner")
    distance = found["step"] - (found["service_month"].dt.year * 12 + found["service_month"].dt.month)
    found = pd.DataFrame({"row": found["row"], "distance": distance, "cents": found["recognized_cents"].astype("int64")})
    return found[distance > 0].sort_values(["row", "distance"], ascending=[True, False], kind="stable", ignore_index=True)


def _repaired(entries: pd.DataFrame) -> "pd.Index[Any]":
    """Return reversals and the equal and opposite entries of their rows that they name, while a real entry is left."""
    bills = entries[~entries["is_reversal"]]
    real = counts(bills, pd.Index(entries["row"].unique()))
    gone: list[Any] = []
    named = bills.reset_index(names="named")[["row", "document", "cents", "named"]]
    pairs = entries[entries["is_reversal"]].reset_index(names="item")
    pairs = pairs.merge(named, left_on=["row", "reverses"], right_on=["row", "document"], suffixes=("", "_named"))
    pairs = pairs[pairs["cents"] == -pairs["cents_named"]].sort_values("order", kind="stable").drop_duplicates("named")
    for turn in in_turn(pairs, "row"):
        taken = turn[turn["row"].map(real) > 1]
        real = real.sub(taken.groupby("row").size(), fill_value=0)
        gone += [*taken["item"], *taken["named"]]
    return pd.Index(gone, dtype="int64")
