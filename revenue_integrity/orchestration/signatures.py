"""Completing signatures where the daemon writes: what a crash kept from being frozen is frozen before anything else is written.

Belongs here: when that is done. Does not belong here: what is done (``desk.freezing``), deciding about a month.
"""

import logging

import dagster as dg

from revenue_integrity import logs
from revenue_integrity.desk import freezing
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.evidence import DagsterEvidence


def freeze_approved(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    """Freeze what was approved and is not frozen; what cannot be stands in the log, and keeps nothing else from being done."""
    try:
        for sentence in freezing.freeze_approved(deployment, DagsterEvidence(deployment, instance)):
            logs.event("not_frozen", level=logging.WARNING, reason=sentence)
    except RevenueIntegrityError as error:
        # Another decision is under way, or the disk is full: the next tick tries again.
        logs.event("not_frozen", level=logging.WARNING, error=error)
