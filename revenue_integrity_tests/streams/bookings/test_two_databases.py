"""Deals and entries from two databases: pulled as the schedules pull them, computed, explained and signed, with no file touched.

Belongs here: the way from two schemas of a PostgreSQL server to a signature. Does not belong here: pulls themselves
(``landing.test_pull``, ``orchestration.test_pulls``).
"""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from revenue_integrity.databases import resolve_url
from revenue_integrity.desk import decisions
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.orchestration.pulls import pull_assets
from revenue_integrity.streams.bookings.recon import RECONCILIATIONS
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.postgres import server
from revenue_integrity_tests.support import home_settings

MARCH = date(2025, 3, 1)

CRM = """
create schema crm;
create table crm.accounts (customer_id text, customer_name text, segment text, country text, status text);
insert into crm.accounts values ('C-1', 'Acme', 'Mid', 'US', 'active'), ('C-2', 'Bolt', 'Large', null, 'active');
create table crm.lines (
    deal_id text, line_no int, version int, customer_id text, revenue_type text, amount numeric(15, 2), booked_on date,
    start_date date, duration_months int, status text, change text, changed_at timestamptz
);
insert into crm.lines values
    ('D-1', 1, 1, 'C-1', 'subscription', 1200.00, '2025-02-10', '2025-03-01', 12, 'active', 'new', '2025-02-10T09:00:00Z'),
    ('D-2', 1, 1, 'C-2', 'subscription', 1000.00, '2025-02-20', '2025-03-01', 3, 'active', 'new', '2025-02-20T09:00:00Z');
"""

ERP = """
create schema erp;
create table erp.recognized (
    entry_id text, deal_id text, line_no int, period text, revenue_type text, amount numeric(15, 2), currency text,
    posted_at timestamptz, entry_type text, reviewed_by text
);
insert into erp.recognized values
    ('E-1', 'D-1', 1, '2025-03', 'subscription', 100.00, 'USD', '2025-04-02T10:00:00Z', 'recognition', 'kim'),
    ('E-2', 'D-2', 1, '2025-03', 'subscription', 250.00, 'USD', '2025-04-02T10:00:00Z', 'recognition', 'kim');
"""

PULLED = (
    ("customers", "CRM_URL", "crm.accounts", ""),
    ("deal_lines", "CRM_URL", "crm.lines", "changed_at"),
    ("recognition_entries", "ERP_URL", "erp.recognized", "posted_at"),
)


def pulled_home(home: Path) -> Deployment:
    pulls = [
        {"stream": "bookings", "source": source, "url_env": url, "table": table, "cron": "5 6 * * *"}
        | ({"cursor": cursor} if cursor else {})
        for source, url, table, cursor in PULLED
    ]
    people = {"preparers": ("pat",), "approvers": ("sam",)}
    return deployment_of(home_settings(home, first_month="2025-03", last_month="2025-03", pull_sources=pulls, **people))


def test_deals_and_entries_of_two_databases_are_pulled_explained_and_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = pulled_home(tmp_path / "home")
    with server() as url:
        monkeypatch.setenv("CRM_URL", url)
        monkeypatch.setenv("ERP_URL", url)
        engine = sa.create_engine(resolve_url("env:CRM_URL"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for script in (CRM, ERP):
                connection.execute(sa.text(script))
        engine.dispose()
        assets, scheduled = pull_assets(home)
        assert {each.cron_schedule for each in scheduled} == {"5 6 * * *"}
        with dg.DagsterInstance.ephemeral() as instance:
            assert dg.materialize(assets, instance=instance).success
    assert runner.run(home, None, say=lambda _: None).failures == []
    causes = publish.read_published(home.settings, RECONCILIATIONS.causes, [MARCH])
    # 1,000.00 over three months is 333.33; 250.00 is the first of four.
    current = causes[causes["view"] == "current"]
    assert current[["deal_id", "cause", "cause_cents"]].to_numpy().tolist() == [["D-2", "wrong_duration", -8_333]]
    with open_evidence(home) as evidence:
        decisions.prepare(home, evidence, MARCH, "pat", "Two databases.", book="bookings")
        assert decisions.approve(home, evidence, MARCH, "sam", "Two databases.", book="bookings").version == 1
