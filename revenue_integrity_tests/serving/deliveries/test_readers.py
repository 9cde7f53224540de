"""Who may read what was delivered: tried by logging in as each role."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from revenue_integrity.databases import resolve_url
from revenue_integrity.errors import DeliveryError
from revenue_integrity.model import table as column
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.table import table
from revenue_integrity.serving.deliveries.delivering import deliver
from revenue_integrity.serving.deliveries.rebuilding import rebuild
from revenue_integrity.settings import Delivery
from revenue_integrity_tests.serving.deliveries.support import JANUARY, TRIPS, URL, asked, delivery, home_of, put, trip

PORTS = table("boats", "mart", "ports", "Ports, one row per port.", ("port",), [column.month(), column.text("port", "The port.")])
READERS = {"analyst": ("trips", "ports"), "harbour": ("ports",)}
BOTH = {"datasets": ["trips", "ports"]}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Deployment]:
    """Two datasets, and three roles of which the third is nobody's reader."""
    for role in ("analyst", "harbour", "stranger"):
        asked(f"drop role if exists {role}")
        asked(f"create role {role} login password 'of-the-role'")
    found = home_of(tmp_path, TRIPS, PORTS)
    put(found, JANUARY, [trip(JANUARY, "T-1", 1000, email="ann@x.org")])
    put(found, JANUARY, [{"month": JANUARY, "port": "Genoa"}], PORTS)
    yield found
    asked("drop schema if exists gold cascade")


def sent(home: Deployment, to: Delivery) -> None:
    list(deliver(home, to))


def to(**values: Any) -> Delivery:
    return delivery(select=BOTH, **({"readers": READERS, "hide": ["email"]} | values))


def readable(role: str) -> set[str]:
    """Return what a role can read in the schema, each relation tried with a login of its own."""
    engine = sa.create_engine(resolve_url(URL).set(username=role, password="of-the-role"))
    relations = [
        name
        for (name,) in asked("select relname from pg_class where relkind in ('r', 'v') and relnamespace = 'gold'::regnamespace")
    ]
    found = set()
    for name in relations:
        with suppress(sa.exc.ProgrammingError), engine.begin() as connection:
            connection.execute(sa.text(f"select * from gold.{name}")).all()
            found.add(name)
    engine.dispose()
    return found


def test_each_role_reads_what_it_was_given_and_nothing_else(home: Deployment) -> None:
    sent(home, to())
    assert readable("analyst") == {"trips_visible", "ports"}
    assert readable("harbour") == {"ports"}
    assert readable("stranger") == set()


def test_readers_do_not_see_hidden_columns_and_the_view_has_all_others(home: Deployment) -> None:
    sent(home, to())
    assert asked("select * from gold.trips_visible") == [(JANUARY, "T-1", 10, None, None)]
    columns = asked(
        "select column_name from information_schema.columns where table_name = 'trips_visible' order by ordinal_position"
    )
    assert [name for (name,) in columns] == ["month", "trip_id", "fare", "guests", "miles"]


def test_rights_follow_the_settings(home: Deployment) -> None:
    sent(home, to())
    sent(home, to(readers={"harbour": ("trips",)}, hide=()))
    assert readable("analyst") == set()
    assert readable("harbour") == {"trips"}
    sent(home, to(hide=("fare", "email")))
    assert readable("analyst") == {"trips_visible", "ports"}
    assert readable("harbour") == {"ports"}


def test_what_somebody_else_was_granted_on_the_tables_is_taken_away(home: Deployment) -> None:
    sent(home, to())
    asked("grant usage on schema gold to public")
    asked("grant all on gold.trips, gold.revenue_integrity_deliveries to public")
    asked("grant select (email) on gold.trips to stranger")
    sent(home, to())
    assert readable("stranger") == set()
    assert readable("harbour") == {"ports"}


def test_a_table_that_is_made_anew_keeps_its_readers(home: Deployment) -> None:
    sent(home, to())
    rebuild(home, to(), "trips")
    assert readable("analyst") == {"trips_visible", "ports"}
    assert readable("harbour") == {"ports"}


def test_without_readers_grants_of_others_stay_also_when_a_table_is_made_anew(home: Deployment) -> None:
    open_to_all = to(readers={}, hide=())
    sent(home, open_to_all)
    asked("grant usage on schema gold to stranger")
    asked("grant select on gold.trips to stranger")
    sent(home, open_to_all)
    rebuild(home, open_to_all, "trips")
    assert readable("stranger") == {"trips"}


def test_roles_must_exist_and_none_is_made(home: Deployment) -> None:
    with pytest.raises(DeliveryError, match="there is no role nobody_knows in the database"):
        sent(home, to(readers={"nobody_knows": ("trips",)}))
    assert asked("select count(*) from pg_roles where rolname = 'nobody_knows'") == [(0,)]
