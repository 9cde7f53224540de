"""What accounting booked for power, document by document; the cutoff of March 2025 is the end of 7 April."""

from pathlib import Path

from revenue_integrity_tests.streams.colocation.test_recon import AFTER_CUTOFF, AT_CUTOFF
from revenue_integrity_tests.streams.colocation.world import World


def test_lines_of_the_month_are_kept_with_their_batch_and_are_late_only_after_the_cutoff(tmp_path: Path) -> None:
    world = World(tmp_path).version()
    world.add("erp_power_costs", document_id="P1", amount="1519.50", posted_at=AT_CUTOFF)
    world.add("erp_power_costs", document_id="P1", line_no="2", document_type="reversal", amount="-9.50", posted_at=AFTER_CUTOFF)
    # Of another month: it is listed there.
    world.add("erp_power_costs", document_id="P2", service_month="2025-02", amount="95.00", posted_at=AT_CUTOFF)
    with world.computed("power_cost_lines") as computed:
        rows = computed.rows("power_cost_lines", month="2025-03")
    names = ("document_id", "line_no", "document_type", "site_id", "amount_cents", "late")
    assert [tuple(row[name] for name in names) for row in sorted(rows, key=lambda row: row["line_no"])] == [
        ("P1", 1, "bill", "S-1", 151_950, False),
        ("P1", 2, "reversal", "S-1", -950, True),
    ]
    assert {row["batch_id"].split("/")[1] for row in rows} == {"erp_power_costs"}
