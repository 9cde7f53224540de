"""Delivering, and telling whoever must know: an alert where it fails, which is over with the next delivery that ends well.

Belongs here: that, for commands, timers and the daemon alike. Does not belong here: the delivery (``delivering``), channels
(``desk.alerts``).
"""

from collections.abc import Iterator, Sequence
from datetime import date

from revenue_integrity.canonical import sha256_of
from revenue_integrity.close.ledger import Ledger
from revenue_integrity.desk.alerts import outbox
from revenue_integrity.desk.alerts.events import Kind, delivery_failed
from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving.deliveries import contents
from revenue_integrity.serving.deliveries.delivering import Brought, deliver
from revenue_integrity.settings import Delivery


def deliver_and_tell(
    deployment: Deployment,
    delivery: Delivery,
    wanted: Sequence[date] | None = None,
    *,
    again: bool = False,
    alerts: bool = True,
    open_evidence: OpenEvidence | None = None,
) -> Iterator[Brought]:
    """Bring what is due as ``deliver`` does; where it fails raise an alert, unless somebody tries again.

    Raises:
        RevenueIntegrityError: as ``deliver``.
    """
    try:
        yield from deliver(deployment, delivery, wanted, again=again, open_evidence=open_evidence)
    except RevenueIntegrityError as error:
        if alerts:
            outbox.raise_alert(deployment.settings, delivery_failed(delivery.name, str(error)))
        raise
    if wanted is None:
        _resolve(deployment, delivery)


def _resolve(deployment: Deployment, delivery: Delivery) -> None:
    """Mark what was told of the delivery as over; what was told of others stands."""
    settings = deployment.settings
    told = [each.event for each in outbox.records(settings) if each.event.kind == Kind.DELIVERY_FAILED]
    if told:
        others = [each for each in told if each.content != delivery.name]
        outbox.resolve(settings, Kind.DELIVERY_FAILED, None, except_for=others)


def state_of(deployment: Deployment, delivery: Delivery) -> str:
    """Return the hash of everything that a delivery brings, and of how: where it is the same, nothing new is to be sent."""
    held = [[each.table.name, str(each.month), each.content_hash] for each in contents.contents(deployment, delivery)]
    # What is derived from the close follows from these and from what people decided.
    decided = [each.hash for each in Ledger(deployment.settings).entries()[-1:]]
    return sha256_of([delivery.model_dump(mode="json"), held, decided])
