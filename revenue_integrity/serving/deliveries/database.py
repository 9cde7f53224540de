"""A database that a delivery goes to: which kind it is, its transactions, and its errors as one line.

Belongs here: what all kinds have in common. Does not belong here: what one alone knows (``postgres``, ``sqlserver``), what
is done in a transaction (``delivering``).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from revenue_integrity.databases import reason_of, resolve_url
from revenue_integrity.errors import DeliveryError, UsageError
from revenue_integrity.serving.deliveries.kinds import Kind
from revenue_integrity.serving.deliveries.postgres import Postgres
from revenue_integrity.serving.deliveries.sqlserver import SqlServer
from revenue_integrity.settings import Delivery
from revenue_integrity.warehouse.publish import verifying


def _kind_of(backend: str) -> Kind:
    kinds: dict[str, type[Kind]] = {"postgresql": Postgres, "mssql": SqlServer}
    if backend not in kinds:
        raise UsageError(f"a delivery does not go to {backend}", "Use postgresql or mssql")
    return kinds[backend]()


@dataclass(frozen=True)
class Database:
    """A database that a delivery goes to.

    Attributes:
        delivery: the delivery.
        kind: what its kind alone knows.
        engine: where its connections come from.
        wait_seconds: how long it waits for others.
        work: an engine without a warehouse, in which rows are written anew for it.
    """

    delivery: Delivery
    kind: Kind
    engine: Engine
    wait_seconds: int
    work: duckdb.DuckDBPyConnection

    @property
    def schema(self) -> str:
        """The schema of its tables."""
        return self.delivery.schema_name

    @contextmanager
    def transaction(self, doing: str, dataset: str = "") -> Iterator[Connection]:
        """Yield a connection whose work counts at the end, all of it or nothing; with a dataset, under its lock.

        Raises:
            DeliveryError: the database refuses, or another delivery of the dataset is under way; no message holds the URL.
        """
        try:
            with self.engine.begin() as connection:
                if dataset:
                    name = f"revenue_integrity.{self.schema}.{dataset}"
                    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
                    self.kind.lock(connection, name, key, self.wait_seconds)
                yield connection
        except SQLAlchemyError as error:
            if self.kind.is_locked(error):
                raise DeliveryError(
                    f"{self.delivery.name}: {doing} waits for somebody else who works on the same table",
                    "Deliver again once that has ended",
                ) from None
            raise refused(self.delivery, doing, error, self.engine.url) from None


def refused(delivery: Delivery, doing: str, error: SQLAlchemyError, url: URL) -> DeliveryError:
    """Return the error of a database as one line that holds neither its address nor a secret."""
    reason = reason_of(error, url)
    for part in (url.host, url.username):
        if part:
            reason = reason.replace(part, "***")
    return DeliveryError(
        f"delivery {delivery.name}: {doing} failed: {reason}", "What stood there stays: mend it, and deliver again"
    )


@contextmanager
def opened(delivery: Delivery, wait_seconds: int) -> Iterator[Database]:
    """Yield the database of a delivery; nothing is connected yet.

    Raises:
        UsageError: its URL cannot be read, or its driver is not installed.
    """
    url = resolve_url(delivery.url_env)
    kind = _kind_of(url.get_backend_name())
    try:
        engine = kind.engine(url)
    except (NoSuchModuleError, ImportError, ArgumentError):
        extra = {"postgresql": "postgres", "mssql": "sqlserver"}[url.get_backend_name()]
        raise UsageError(
            f"delivery {delivery.name}: there is no driver for {url.drivername}", f"Install revenue-integrity[{extra}]"
        ) from None
    try:
        with verifying() as work:
            yield Database(delivery, kind, engine, wait_seconds, work)
    finally:
        engine.dispose()
