"""Taking a delivery back on the command line: what is said, asked and refused."""

from pathlib import Path

import pytest

from revenue_integrity.close import freeze
from revenue_integrity_tests.cli.conftest import Run
from revenue_integrity_tests.support import home_settings

TOTALS = "service_month,extracted_at,lines,amount\n2025-03,2025-04-05T06:00:00Z,2,12.50\n"
REASON = ("--as", "pat", "--reason", "wrong file")


def test_a_delivery_is_taken_back_after_a_question_and_with_the_row_that_says_so(tmp_path: Path, run_in: Run) -> None:
    settings, file = home_settings(tmp_path / "home"), tmp_path / "totals.csv"
    file.write_text(TOTALS)
    landed = run_in(settings, "land", "colocation", "erp_control_totals", str(file), "--arrival", "20250405T070000Z")
    batch_id = landed.out.split()[0]
    run_in(settings, "withdraw", batch_id, *REASON).refused(2, "nobody is there to be asked", "--yes")
    done = run_in(settings, "withdraw", batch_id, *REASON, "--yes")
    assert done.code == 0
    assert "was not read yet: nothing moves" in done.err
    assert f"{batch_id} counts no more" in done.err
    written = settings.landing_path / done.out.split()[0] / "withdrawal.csv"
    assert written.read_bytes().decode() == f"batch_id,reason,withdrawn_by\n{batch_id},wrong file,pat\n"


@pytest.mark.parametrize(
    ("batch", "code", "told"),
    [
        ("colocation/erp_control_totals", 2, "names no batch"),
        ("colocation/erp_control_totals/2025-04-05", 2, "is not an arrival"),
        ("colocation/nothing/20250405T070000Z", 2, "nothing"),
        ("colocation/erp_control_totals/20250405T070000Z", 2, "there is no batch"),
        ("colocation/withdrawals/20250405T070000Z", 1, "is not withdrawn"),
    ],
)
def test_what_names_no_batch_that_can_be_taken_back_is_refused(
    tmp_path: Path, run_in: Run, batch: str, code: int, told: str
) -> None:
    run_in(home_settings(tmp_path / "home"), "withdraw", batch, *REASON, "--yes").refused(code, told)


def test_a_delivery_from_the_future_is_refused(tmp_path: Path, run_in: Run) -> None:
    file = tmp_path / "totals.csv"
    file.write_text(TOTALS)
    settings = home_settings(tmp_path / "home")
    done = run_in(settings, "land", "colocation", "erp_control_totals", str(file), "--arrival", "20990405T070000Z")
    done.refused(1, "the arrival 20990405T070000Z lies ahead")
    assert not list(settings.landing_path.rglob("*.csv"))


def test_who_brings_or_takes_back_data_is_told_of_a_signature_that_is_not_frozen(
    tmp_path: Path, run_in: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "unfrozen", lambda settings: ["toy 2025-01 v1 was approved and is not frozen yet"])
    file = tmp_path / "totals.csv"
    file.write_text(TOTALS)
    settings = home_settings(tmp_path / "home")
    landed = run_in(settings, "land", "colocation", "erp_control_totals", str(file))
    assert "was approved and is not frozen yet" in landed.err
    taken = run_in(settings, "withdraw", landed.out.split()[0], *REASON, "--yes")
    assert "was approved and is not frozen yet" in taken.err
    assert "was approved and is not frozen yet" in run_in(settings, "inbox").err
    pulled = run_in(settings, "pull", "colocation", "erp_control_totals", "--url", "env:NOWHERE", "--table", "totals")
    assert "was approved and is not frozen yet" in pulled.err
