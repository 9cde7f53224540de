"""What the systems of a shop send: the same sales in three shapes and many notations, and what others send in one each.

Belongs here: objects, notations, files and batches. Does not belong here: what is in them and what is wrong with it.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np

from revenue_integrity import months as service_months
from revenue_integrity.streams.sales.simulate.books import Books, Line, Payment
from revenue_integrity.streams.sales.simulate.faults import Planter
from revenue_integrity.streams.sales.simulate.plan import STREAM
from revenue_integrity.streams.sales.simulate.shop import CATEGORIES, Customer, Item, Sale, Shop, month_of, starts
from revenue_integrity.streams.sales.simulate.spoiling import JUNK, REAL, RETURNED, TWICE
from revenue_integrity.streams.simulating import (
    GZIP,
    Zone,
    batch_id,
    decimal_text,
    instant_text,
    money_text,
    text_table,
)

Row = dict[str, Any]

LEDGER_COLUMNS = (
    "document_id",
    "line_no",
    "document_type",
    "month",
    "region",
    "category",
    "amount",
    "currency",
    "posted_at",
    "reverses_document_id",
)
PRODUCT_COLUMNS = ("product_id", "product_name", "category", "list_price", "active")

_EDITED, _FIRST_EDITED = timedelta(minutes=5), timedelta(minutes=1)
"""When the web shop last changed a sale, and when it changed the older state of it."""


def _number(value: int, places: int) -> float | int:
    """Return a number as JSON has it; its shortest text is exact."""
    return value // 10**places if value % 10**places == 0 else float(decimal_text(value, places))


def _discount(item: Item, shape: str, dice: int) -> Any:
    """Return a discount in one of the notations of a shape."""
    if item.discount == 0:
        return (None, 0, "0%" if shape == "web" else 0.0)[dice % 3]
    fraction = decimal_text(item.discount, 6)
    if shape == "web":
        return f"{decimal_text(item.discount, 4)}{' %' if dice % 2 else '%'}"
    return float(fraction) if shape == "till" else fraction


def _moment(sale: Sale) -> Any:
    """Return when a sale was in one of the notations of its shape; those of tills have no zone, some no time."""
    at, dice = sale.at, sale.dice
    if sale.notation == "ambiguous_date":
        return f"{at.month}/{at.day}/{at.year}"
    if sale.notation == "other_order":
        return f"{at.day:02d}/{at.month:02d}/{at.year}"
    if sale.shape == "app":
        seconds = int(at.timestamp())
        return (seconds, seconds * 1_000 + dice % 1_000, str(seconds))[dice % 3]
    if sale.shape == "web":
        there = at.astimezone(timezone(timedelta(hours=dice % 5 - 2)))
        return (
            there.isoformat(),
            at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            at.strftime("%Y-%m-%d %H:%M:%S.") + f"{dice % 1_000_000:06d} UTC",
        )[dice % 3]
    clock = at.strftime("%I:%M %p").lstrip("0")
    # Day and month of these cannot be taken for one another.
    slashed = at.day > 12 or at.day == at.month
    return (
        at.strftime("%Y/%m/%d %H:%M:%S"),
        f"{at.day} {at:%b %Y}",
        f"{at:%B} {at.day}, {at.year} {clock}",
        f"{at.day}.{at.month}.{at.year} {at:%H:%M}",
        at.strftime("%Y%m%d"),
        f"{at.month}/{at.day}/{at.year} {clock}" if slashed else at.strftime("%Y-%m-%d"),
    )[dice % 6]


def _region(sale: Sale) -> Any:
    if not sale.region:
        return ("", None, "Unknown")[sale.dice % 3]
    return sale.region.upper() if sale.shouts else sale.region


def _payment(sale: Sale) -> Any:
    return (sale.payment if sale.dice % 2 else sale.payment.title()) or None


def _till_rows(sale: Sale, currency: str) -> list[Row]:
    """Return a flat object for each line."""
    return [
        {
            "transaction_id": sale.transaction_id,
            "line_no": item.line_no,
            "customer_id": sale.customer_id,
            "product_id": item.product.product_id or None,
            "product_name": item.product.name,
            "category": item.product.category,
            "unit_price": decimal_text(item.price, 4) if sale.dice % 4 else _number(item.price, 4),
            "quantity": _number(item.quantity, 3),
            "discount": _discount(item, "till", sale.dice + item.line_no),
            "tax": money_text(item.tax),
            "region": _region(sale),
            "transaction_date": _moment(sale),
            "currency": currency,
            "payment_method": _payment(sale),
        }
        for item in sale.items
    ]


def _product(item: Item) -> Row:
    named = {"id": item.product.product_id} if item.product.product_id else {}
    return {**named, "name": item.product.name, "category": item.product.category, "price": _number(item.price, 4)}


def _web_row(sale: Sale, changed: timedelta = _EDITED) -> Row:
    """Return a basket, or a nested object if it has one line."""
    has_discount_of_whole = len(sale.items) > 1 and len({item.discount for item in sale.items}) == 1
    items: list[Row] = []
    for item in sale.items:
        row: Row = {"product": _product(item), "quantity": _number(item.quantity, 3)}
        if not has_discount_of_whole:
            row["discount"] = _discount(item, "web", sale.dice + item.line_no)
        if not sale.tax_of_basket:
            row["tax"] = _number(item.tax, 2)
        items.append(row)
    found: Row = {
        "transaction_id": sale.transaction_id,
        "customer_id": sale.customer_id,
        "timestamp": _moment(sale),
        "region": _region(sale),
        "payment_method": _payment(sale),
        "updated_at": instant_text(sale.at + changed),
    }
    if has_discount_of_whole:
        found["discount"] = _discount(sale.items[0], "web", sale.dice)
    if sale.tax_of_basket:
        found["tax"] = money_text(sum(item.tax for item in sale.items))
    if sale.taken_out:
        items.append({"product": {"name": "Bag", "category": "Home", "price": 1}, "quantity": 0})
    return found | {"items": items}


def _app_row(sale: Sale) -> Row:
    (item,) = sale.items
    return {
        "transaction_id": sale.transaction_id,
        "customer_id": sale.customer_id,
        "product": _product(item),
        "quantity": str(_number(item.quantity, 3)),
        "discount": _discount(item, "app", sale.dice),
        "tax": money_text(item.tax),
        "region": _region(sale),
        "date": _moment(sale),
        "payment_method": _payment(sale),
    }


def _written(row: Row) -> str:
    """Return an object as JSON; a name that stands in it twice stands first once more."""
    row = dict(row)
    again = row.pop(TWICE, "")
    text = json.dumps(row, ensure_ascii=False)
    return f'{{"{again}": 1, {text[1:]}' if again else text


def _rows_in(row: Row) -> int:
    return max(len(row["items"]), 1) if "items" in row else 1


@dataclass
class Files:
    """The files of a shop.

    Attributes:
        shop, books, planter: what is in them, and what is wrong with it.
        zone: where they go.
        currency: of all amounts.
        seed: decides what order rows are written in.
        bad_rows: rows that must be refused, where they stand and why.
    """

    shop: Shop
    books: Books
    planter: Planter
    zone: Zone
    currency: str
    seed: int
    bad_rows: list[dict[str, str]] = field(default_factory=list)

    def write(self, bad_news: Sequence[int]) -> None:
        """Write everything; of the months in ``bad_news`` the files of customers and products have a bad row each."""
        self._customers(set(bad_news))
        self._products(set(bad_news))
        for month in self.shop.months:
            self._transactions(month)
            self._counted(month)
        self._ledger()
        self._settlements(set(bad_news))

    # Transactions -------------------------------------------------------------------------------------------------------

    def _transactions(self, month: int) -> None:
        close, sales = self.books.closes[month], self.shop.sales[month]
        web = [sale for sale in sales if sale.shape == "web"]
        deleted = [sale for sale in self.planter.deleted if sale.month == month]
        early = [self._spoilt(_web_row(sale), sale) for sale in web if sale.at < close.middle - timedelta(hours=3)]
        early += [(_web_row(sale), "") for sale in deleted]
        if early:
            self._batch(close.middle, {"web.json": ("envelope", early)})
        rest = [self._spoilt(_web_row(sale), sale) for sale in web if sale.at >= close.middle - timedelta(hours=3)]
        rest += [(_web_row(sale, _FIRST_EDITED), "") for sale in self.planter.before if sale.month == month]
        rest += [
            ({"transaction_id": sale.transaction_id, "is_deleted": True, "updated_at": instant_text(sale.at + 2 * _EDITED)}, "")
            for sale in deleted
        ]
        till = [self._spoilt(row, sale) for sale in sales if sale.shape == "till" for row in _till_rows(sale, self.currency)]
        till += [self._junk(kind, sale) for kind, sale in self.planter.junk if sale.month == month]
        app = [(_app_row(sale), "") for sale in sales if sale.shape == "app"]
        again = [(row, "") for sale in self.planter.again if sale.month == month for row in self._rows(sale)]
        files = {"app.json": ("array", app), "till.jsonl.gz": ("lines", till), "web.json": ("envelope", rest)}
        if again:
            # Behind the others by name: what came first is what counts.
            files["z_sent_again.ndjson"] = ("lines", again)
        if any(rows for _, rows in files.values()):
            self._batch(close.ended, {name: each for name, each in files.items() if each[1]})
        mended = [(row, "") for sale in sales if sale.cured for row in self._rows(sale)]
        if mended:
            self._batch(close.resent, {"mended.json": ("array", mended)})

    def _rows(self, sale: Sale) -> list[Row]:
        if sale.shape == "web":
            # Mended, it must be later than what it mends.
            return [_web_row(sale, _EDITED * 2 if sale.cured else _EDITED)]
        return _till_rows(sale, self.currency) if sale.shape == "till" else [_app_row(sale)]

    def _spoilt(self, row: Row, sale: Sale) -> tuple[Row, str]:
        # A return is refused as it is.
        if sale.spoilt and sale.spoilt != RETURNED:
            REAL[sale.spoilt](row)
        return row, sale.spoilt

    def _junk(self, kind: str, sale: Sale) -> tuple[Row, str]:
        (row,) = _till_rows(sale, self.currency)
        JUNK[kind](row)
        return row, kind

    def _batch(self, at: datetime, files: dict[str, tuple[str, list[tuple[Row, str]]]]) -> None:
        """Write a batch of files: an array, an envelope around one, or an object a line."""
        contents, rows = {}, 0
        for name, (form, found) in files.items():
            texts = [_written(row) for row, _ in found]
            if form == "lines":
                content = "".join(f"{text}\n" for text in texts)
            else:
                array = "[\n" + ",\n".join(texts) + "\n]"
                content = array if form == "array" else f'{{"sent_at": "{instant_text(at)}", "transactions": {array}}}'
            contents[name] = _packed(name, content)
            place = 1
            for row, fault in found:
                for number in range(place, place + _rows_in(row)) if fault else ():
                    self._bad("transactions", at, name, number, fault)
                place += _rows_in(row)
            rows += place - 1
        self.zone.put("transactions", at, contents, rows)

    def _bad(self, source: str, at: datetime, name: str, number: int, fault: str) -> None:
        told = {"batch_id": batch_id(STREAM, source, at), "file_name": name, "row_number": str(number), "fault": fault}
        self.bad_rows.append(told)

    def _counted(self, month: int) -> None:
        """Write what the shop counts: what everybody has, refused here or not."""
        at, sales = self.books.closes[month].counted, self.shop.sales[month]
        row = {
            "month": service_months.label(month_of(month)),
            "extracted_at": instant_text(at - timedelta(minutes=5)),
            "lines": sum(len(sale.items) for sale in sales),
            "amount": money_text(sum(sale.total for sale in sales)),
        }
        self.zone.put("control_totals", at, {"counted.json": _packed("", json.dumps(row) + "\n")}, 1)

    # Customers and products ---------------------------------------------------------------------------------------------

    def _customers(self, bad: set[int]) -> None:
        """Write whoever is new as a whole, and news with only what it tells."""
        for month in self.shop.months:
            begins = starts(month)
            at = begins - timedelta(days=3) if month == self.shop.first else begins + timedelta(hours=1)
            new = [_customer_row(each) for each in self.shop.customers if each.known_in == month]
            if new:
                self.zone.put("customers", at, {"customers.json": _packed("", _array(new))}, len(new))
            news: list[Row] = [
                {"customer_id": each.customer_id, **each.told, "updated_at": instant_text(each.at)}
                for each in self.shop.news
                if begins <= each.at < starts(month + 1)
            ]
            later = starts(month + 1) - timedelta(hours=4)
            if month in bad:
                news.append({"customer_id": f"C-8{month}", "email": "nobody(at)example", "updated_at": instant_text(begins)})
                news.append({"customer_id": f"C-7{month}", "loyalty_points": -5, "updated_at": instant_text(begins)})
                for number, fault in ((len(news) - 1, "email"), (len(news), "points_below_0")):
                    self._bad("customers", later, "news.jsonl", number, fault)
            if news:
                self.zone.put("customers", later, {"news.jsonl": _packed("", _lines(news))}, len(news))

    def _products(self, bad: set[int]) -> None:
        known = [each for each in self.shop.products if each.product_id]
        at = starts(self.shop.first) - timedelta(days=4)
        rows = [_product_row(each.product_id, each.name, each.category, each.price) for each in known]
        self.zone.write("products", at, "catalogue", text_table(PRODUCT_COLUMNS, rows))
        rng = np.random.default_rng([self.seed, 503])
        for month in self.shop.months[1:]:
            # A product moves to another category for a while: what it was sold as before stays as it was.
            each = known[int(rng.integers(0, len(known)))]
            moved = [_product_row(each.product_id, each.name, CATEGORIES[int(rng.integers(0, 5))][0], each.price)]
            later = starts(month) + timedelta(hours=2)
            if month in bad:
                moved.append(_product_row(f"P-BAD{month}", "Mistake", "Toys", -10_000))
                self._bad("products", later, "catalogue.csv", 2, "list_price_below_0")
            self.zone.write("products", later, "catalogue", text_table(PRODUCT_COLUMNS, moved))

    # The ledger and the processor ---------------------------------------------------------------------------------------

    def _ledger(self) -> None:
        extracts: dict[datetime, list[Row]] = {close.closing: [] for close in self.books.closes.values()}
        for _, lines in sorted(self.books.lines.items()):
            for line in lines:
                extracts.setdefault(line.sent_at, []).append(self._ledger_row(line, line.first))
                if line.put_right_at is not None:
                    extracts.setdefault(line.put_right_at, []).append(self._ledger_row(line, {}))
        for at, rows in sorted(extracts.items()):
            rows.sort(key=lambda row: (row["document_id"], row["line_no"]))
            self.zone.write("ledger", at, "ledger", text_table(LEDGER_COLUMNS, rows), GZIP if len(rows) > 30 else "csv")

    def _ledger_row(self, line: Line, first: Row) -> Row:
        month, region, category = first.get("cell", line.cell)
        return {
            "document_id": line.document,
            "line_no": str(line.line_no),
            "document_type": line.kind,
            "month": service_months.label(month_of(month)),
            "region": region or None,
            "category": category or None,
            "amount": money_text(first.get("cents", line.cents)),
            "currency": self.currency,
            "posted_at": instant_text(line.posted_at),
            "reverses_document_id": line.reverses or None,
        }

    def _settlements(self, bad: set[int]) -> None:
        files: dict[int, list[Row]] = {month: [] for month in self.shop.months}
        for payment in self.books.all_payments():
            files[payment.sent_in].append(self._settlement_row(payment, payment.first))
            if payment.put_right_in is not None:
                files[payment.put_right_in].append(self._settlement_row(payment, {}))
        for month, rows in files.items():
            close = self.books.closes[month]
            taken = sum(round(float(row["amount"]) * 100) for row in rows if row["type"] == "charge")
            fee = Payment("", "fee", -(taken // 70) - 1, starts(month + 1) - timedelta(minutes=2), month)
            fee.settlement_id = f"F-{month}"
            rows.append(self._settlement_row(fee, {}))
            if month in bad:
                for number, (kind, amount) in enumerate((("charge", "0.00"), ("refund", "4.00"))):
                    of_bad = {"settlement_id": f"B-{month}-{number}", "type": kind, "amount": amount}
                    rows.append({**rows[-1], **of_bad})
                    self._bad("settlements", close.paid, "payout.json", len(rows), f"{kind}_of_{amount}")
            content = json.dumps({"payout": f"PO-{month}", "entries": rows}, indent=0) + "\n"
            self.zone.put("settlements", close.paid, {"payout.json": _packed("", content)}, len(rows))

    def _settlement_row(self, payment: Payment, first: Row) -> Row:
        return {
            "settlement_id": payment.settlement_id,
            "transaction_id": first.get("transaction_id", payment.transaction_id) or None,
            "type": payment.kind,
            "amount": money_text(first.get("cents", payment.cents)),
            "currency": self.currency.lower(),
            "settled_at": instant_text(payment.at.astimezone(UTC)),
        }


def _packed(name: str, content: str) -> bytes:
    found = content.encode("utf-8")
    return gzip.compress(found, compresslevel=6, mtime=0) if name.endswith(".gz") else found


def _array(rows: Sequence[Row]) -> str:
    return json.dumps(rows, indent=0, ensure_ascii=False) + "\n"


def _lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _customer_row(each: Customer) -> Row:
    first, _, last = each.name.partition(" ")
    named = {"first_name": first, "last_name": last} if each.points % 2 else {"name": each.name}
    return {
        "customer_id": each.customer_id,
        **named,
        "email": f"{first}.{last}.{each.customer_id[2:]}@Example.com",
        "phone": f"+1 555 {each.points:04d}",
        "region": each.region,
        "city": each.city,
        "country": "US",
        "loyalty_tier": each.tier,
        "loyalty_points": each.points,
        "join_date": each.joined.isoformat(),
    }


def _product_row(product_id: str, name: str, category: str, price: int) -> Row:
    listed = decimal_text(price, 4)
    return {"product_id": product_id, "product_name": name, "category": category, "list_price": listed, "active": "yes"}
