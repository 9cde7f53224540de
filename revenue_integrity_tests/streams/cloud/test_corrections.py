"""Drafts of corrections: the invoices that would tie; landed in a copy of the home, they leave nothing in breach."""

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from revenue_integrity.landing import zone
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving import drafts
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.support import home_settings
from revenue_integrity_tests.without_dagster import bring_up_to_date

MARCH = date(2025, 3, 1)


def put(home: Deployment, source: str, arrival: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Put rows into the landing zone as a batch."""
    batch = home.settings.landing_path / "cloud" / source / arrival
    batch.mkdir(parents=True)
    with (batch / "data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def charge(invoice: str, cost: str) -> dict[str, str]:
    """Return a charge of the tenth of March."""
    period = {"BillingPeriodStart": "2025-03-01T00:00:00Z", "ChargePeriodStart": "2025-03-10T00:00:00Z"}
    named = {"ProviderName": "Nimbus", "BillingAccountId": "A-1", "InvoiceId": invoice, "BillingCurrency": "USD"}
    return {"BilledCost": cost, **period, **named}


def invoice(invoice_id: str, amount: str) -> dict[str, str]:
    """Return an invoice of March."""
    named = {"invoice_id": invoice_id, "provider": "Nimbus", "billing_period": "2025-03"}
    return {**named, "amount": amount, "currency": "USD"}


def in_breach(home: Deployment) -> list[str]:
    """Return the invoices in breach."""
    found = publish.read_published(home.settings, "cloud_recon_results", [MARCH])
    return sorted(found[found["status"] == "breach"]["invoice_id"])


def test_landed_in_a_copy_the_drafted_invoices_leave_nothing_in_breach(tmp_path: Path) -> None:
    home = deployment_of(home_settings(tmp_path / "home", first_month="2025-03", last_month="2025-03"))
    charges = [charge("I-1", "10"), charge("I-2", "20.0049"), charge("I-3", "7.5")]
    put(home, "focus", "20250402T000000Z", charges)
    put(home, "cloud_invoices", "20250403T000000Z", [invoice("I-1", "10"), invoice("I-2", "25"), invoice("I-4", "32")])
    bring_up_to_date(home, only="cloud")
    assert in_breach(home) == ["I-2", "I-3", "I-4"]
    assert drafts.write(home, [CLOUD], MARCH, tmp_path / "drafts") == {"_draft_cloud_cloud_invoices.csv": 3}
    file = tmp_path / "drafts" / "_draft_cloud_cloud_invoices.csv"
    with file.open(encoding="utf-8") as opened:
        amounts = {row["invoice_id"]: row["amount"] for row in csv.DictReader(opened)}
    assert amounts == {"I-2": "20", "I-3": "7.5", "I-4": "0"}
    words = (tmp_path / "drafts" / "READ_ME.txt").read_text(encoding="utf-8")
    assert "nimbus I-4: drafted as cancelled, for nothing was charged" in words
    landed = zone.land(home.settings, CLOUD.source("cloud_invoices"), [file.rename(tmp_path / "invoices.csv")])
    assert landed.quarantined == 0
    bring_up_to_date(home, only="cloud")
    assert in_breach(home) == []
