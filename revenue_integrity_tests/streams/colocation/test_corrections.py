"""Drafts of corrections: what they come to, what they leave, and that nothing of them lands by itself."""

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from revenue_integrity.errors import LandingError, PublishError, UsageError
from revenue_integrity.landing import zone
from revenue_integrity.model.drafting import Draft
from revenue_integrity.serving import drafts
from revenue_integrity.streams.colocation.corrections import CORRECTIONS, drafted
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity_tests.support import MARCH, SHIPPED, home_settings

NOW = datetime(2025, 4, 10, 8, 30, tzinfo=UTC)


def cause(name: str, cents: int, contract: str | None = "CT-1", **changes: Any) -> dict[str, Any]:
    """Return a cause on a row in breach of the charges."""
    evidence = {"lines": [{"document_id": f"INV-{name.upper()}", "line_no": 1}]}
    return {
        "recon": "erp_vs_mart", "view": "current", "customer_id": "CU-1", "contract_id": contract, "site_id": None,
        "charge_type": "rack", "family": "x", "cause": name, "cause_cents": cents, "link_id": None, "status": "breach",
        "evidence": json.dumps(evidence), "explanation": "Said.",
    } | changes  # fmt: skip


CAUSES = pd.DataFrame(
    [
        cause("duplicate_billing", 50_000),
        cause("unbilled", -12_345, "CT-2", evidence="{}"),
        cause("price_mismatch", 700, "CT-1", charge_type="power"),
        cause("quantity_mismatch", -200, "CT-1", charge_type="power"),
        cause("unmapped_line", 30_000, None, link_id="L1"),
        cause("unmapped_line", -30_000, "CT-3", link_id="L1"),
        cause("unmapped_line", 999, None),
        cause("unexplained", 41, "CT-4"),
        cause("rounding", 1, "CT-5", status="within_tolerance"),
        cause("late_posting", -50_000, "CT-1", view="as_of_close"),
        cause("accrual_not_reversed", 34_114_581, None, recon="erp_vs_allocated_power", customer_id=None, site_id="DC-01"),
        cause("unbooked", -7_000, None, recon="erp_vs_allocated_power", customer_id=None, site_id="DC-02"),
    ]
)
LINES = pd.DataFrame(
    [
        ("INV-DUPLICATE_BILLING", "CT-1", "E-1", "SO-1"),
        ("INV-UNMAPPED_LINE", None, "E-9", "PO-77"),
    ],
    columns=["document_id", "contract_id", "erp_customer_code", "erp_contract_ref"],
)


def made() -> Draft:
    frames = dict(zip((table.name for table in CORRECTIONS.reads), (CAUSES, LINES), strict=True))
    return drafted(MARCH, NOW, frames, "USD")


def test_credits_and_rebills_take_back_exactly_what_each_cause_explains() -> None:
    rows = made().rows["erp_invoices"]
    assert list(rows.columns) == [column.name for column in COLOCATION.source("erp_invoices").columns]
    told = rows[["document_type", "erp_customer_code", "erp_contract_ref", "charge_type", "amount", "corrects_document_id"]]
    assert told.to_numpy().tolist() == [
        ["credit_memo", "E-1", "SO-1", "rack", Decimal("-500"), "INV-DUPLICATE_BILLING"],
        # Nothing was ever billed to it, so that only our own names are known.
        ["invoice", "CU-1", "CT-2", "rack", Decimal("123.45"), None],
        ["credit_memo", "E-1", "SO-1", "power", Decimal("-7"), "INV-PRICE_MISMATCH"],
        ["invoice", "E-1", "SO-1", "power", Decimal("2"), None],
    ]
    assert (rows["quantity"].map(Decimal) * rows["unit_price"] == rows["amount"]).all()


def test_a_line_of_no_contract_is_mapped_to_the_one_that_lacks_it_and_power_is_booked() -> None:
    found = made()
    assert found.rows["erp_mapping"].to_dict("records") == [
        {
            "erp_customer_code": "E-9", "customer_id": "CU-1", "erp_contract_ref": "PO-77", "contract_id": "CT-3",
            "valid_from": "2025-03-01", "valid_to": None,
        }
    ]  # fmt: skip
    power = found.rows["erp_power_costs"][["document_type", "site_id", "amount"]]
    assert power.to_numpy().tolist() == [["reversal", "DC-01", Decimal("-341145.81")], ["bill", "DC-02", Decimal("70")]]
    assert found.left == (
        "INV-UNMAPPED_LINE: no contract lacks exactly this charge, or the line names none: Said.",
        "rack of CT-4: 0.41 USD, unexplained: Said.",
    )


def test_files_are_drafts_that_landing_refuses_until_somebody_renames_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = dict(zip((table.name for table in CORRECTIONS.reads), (CAUSES, LINES), strict=True))
    monkeypatch.setattr(drafts.publish, "read_published", lambda settings, table, wanted: published[table.name])
    home = replace(SHIPPED, settings=home_settings(tmp_path / "home"))
    to = tmp_path / "drafts"
    assert drafts.write(home, [COLOCATION], MARCH, to) == {
        "_draft_colocation_erp_invoices.csv": 4,
        "_draft_colocation_erp_mapping.csv": 1,
        "_draft_colocation_erp_power_costs.csv": 2,
    }
    words = (to / "READ_ME.txt").read_text(encoding="utf-8")
    assert words.startswith("DRAFTS of 2025-03")
    assert "What no row clears:\n  - INV-UNMAPPED_LINE: no contract" in words
    assert not home.settings.landing_path.exists()
    for name in ("erp_invoices", "erp_power_costs", "erp_mapping"):
        file = to / f"_draft_colocation_{name}.csv"
        with pytest.raises(LandingError, match="would not be read: its name begins with '_'"):
            zone.land(home.settings, COLOCATION.source(name), [file])
        landed = zone.land(home.settings, COLOCATION.source(name), [file.rename(to / f"{name}.csv")])
        with (to / f"{name}.csv").open(encoding="utf-8") as rows:
            assert landed.rows == len(list(csv.DictReader(rows)))
        assert (landed.quarantined, landed.unknown_columns) == (0, ())
    with pytest.raises(UsageError, match="is not empty"):
        drafts.write(home, [COLOCATION], MARCH, to)


def test_a_month_of_which_nothing_is_published_has_no_drafts(tmp_path: Path) -> None:
    home = replace(SHIPPED, settings=home_settings(tmp_path / "home"))
    with pytest.raises(PublishError, match="nothing of 2025-03 is published that could be corrected"):
        drafts.write(home, home.streams, MARCH, tmp_path / "drafts")
    assert not (tmp_path / "drafts").exists()
