"""A wrong delivery is taken back at a desk: what that moves is told before, and a signed month opens again.

The home is that of the toy, without Dagster. What the store holds afterwards is told in ``landing.test_withdrawals``.
"""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from revenue_integrity import clock
from revenue_integrity.close.ledger import Ledger
from revenue_integrity.computing import ingestion
from revenue_integrity.desk import close_status, decisions, withdrawing
from revenue_integrity.desk.withdrawing import Foreseen
from revenue_integrity.errors import Refusal, UsageError
from revenue_integrity.landing import merge
from revenue_integrity.landing.withdrawals import land_withdrawal
from revenue_integrity.model.deployment import Deployment
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, NOW, put, rental
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date

LATE = "toy/rentals/20250310T120000Z"


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock after the cutoff of February."""
    with clock.held_at(NOW):
        yield


@pytest.fixture
def home(computed_toy: Deployment) -> Deployment:
    """Return a home in which both months are signed, with a rental of January that was delivered in error."""
    wrong = rental("2025-01", "R-9", "B-1", "50.00", "50.00")
    assert put(computed_toy.settings, LATE.rsplit("/", 1)[1], [wrong]) == LATE
    bring_up_to_date(computed_toy)
    for month in (JANUARY, FEBRUARY):
        decisions.prepare(computed_toy, Judged(computed_toy), month, "pat")
        decisions.approve(computed_toy, Judged(computed_toy), month, "ann")
    return computed_toy


def statuses(home: Deployment) -> list[str]:
    """Return the status of both months."""
    return [str(row.status) for row in close_status.close_rows(home, Judged(home), home.settings.months)]


def foresee(home: Deployment, batch_id: str = LATE) -> Foreseen:
    """Return what taking a batch back would move."""
    stream, source, _ = batch_id.split("/")
    return withdrawing.foresee(home, home.source(stream, source), batch_id)


def test_months_signatures_and_amounts_are_told_before(home: Deployment) -> None:
    found = foresee(home)
    assert (found.months, found.signed) == ([JANUARY], [JANUARY])
    due = found.moved[found.moved["amount"] == "due_cents"]
    assert due[["month", "rows", "moves"]].to_numpy().tolist() == [["2025-01", 1, Decimal("-50.00")]]
    decisions.reopen(home, Judged(home), JANUARY, "ann", "a second look")
    assert foresee(home).signed == []


def test_a_signed_month_opens_again_as_by_late_data_and_is_signed_anew_without_the_batch(home: Deployment) -> None:
    land_withdrawal(home.settings, "toy", LATE, "pat", "the file of another company")
    assert statuses(home) == ["signed_off", "signed_off"], "what was signed stands until it is computed"
    bring_up_to_date(home)
    assert statuses(home) == ["reopened", "signed_off"]
    (row, _) = close_status.close_rows(home, Judged(home), home.settings.months)
    assert LATE in [batch["id"] for batch in row.facts.signed.batches] if row.facts.signed else False
    assert LATE not in [batch["id"] for batch in row.facts.batches]
    decisions.prepare(home, Judged(home), JANUARY, "pat")
    signed = decisions.approve(home, Judged(home), JANUARY, "ann")
    assert (signed.version, LATE in [batch["id"] for batch in signed.batches]) == (2, False)
    assert len(Ledger(home.settings).entries()) == 6


def test_the_same_file_landed_again_is_a_batch_of_its_own(home: Deployment) -> None:
    land_withdrawal(home.settings, "toy", LATE, "pat", "too early")
    put(home.settings, "20250311T080000Z", [rental("2025-01", "R-9", "B-1", "50.00", "50.00")])
    bring_up_to_date(home)
    assert statuses(home) == ["signed_off", "signed_off"], "the figures are those that were signed"


def test_what_cannot_be_taken_back_is_refused(home: Deployment) -> None:
    with pytest.raises(UsageError, match="there is no batch toy/rentals/20250101T000000Z"):
        foresee(home, "toy/rentals/20250101T000000Z")
    landed = land_withdrawal(home.settings, "toy", LATE, "pat", "wrong")
    with pytest.raises(Refusal, match="is a withdrawal, which is not withdrawn"):
        foresee(home, landed.batch_id)
    bring_up_to_date(home)
    with pytest.raises(Refusal, match="is withdrawn already"):
        foresee(home)
    for who, reason, why in (("", "x", "who takes it back is empty"), ("pat", " ", "the reason is empty")):
        with pytest.raises(UsageError, match=why):
            land_withdrawal(home.settings, "toy", LATE, who, reason)
    with pytest.raises(UsageError, match="the reason holds a control character"):
        land_withdrawal(home.settings, "toy", LATE, "pat", "a\x1b[2Jb")


def test_a_process_that_dies_while_a_batch_is_taken_out_leaves_the_store_as_it_was(
    home: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_withdrawal(home.settings, "toy", LATE, "pat", "wrong")
    (toy,) = home.streams
    with monkeypatch.context() as dying:
        dying.setattr(merge.Merge, "_keep_starts", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ingestion.ingest(home.settings, toy)
    assert LATE in ingestion.read_manifest(home.settings, toy).seen
    assert foresee(home).months == [JANUARY], "it counts as before"
    bring_up_to_date(home)
    assert statuses(home) == ["reopened", "signed_off"]
