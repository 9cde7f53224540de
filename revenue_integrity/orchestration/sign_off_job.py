"""Sign-off from the UI: a job with book, month, action, actor and comment, through the same code as the command line.

Belongs here: the job and its configuration. Does not belong here: rules (``close.sign_off``), deeds (``desk.decisions``).
The actor is what somebody typed: the ledger also records the account under which the process ran.
"""

import logging

import dagster as dg
from pydantic import Field

from revenue_integrity import logs, months
from revenue_integrity.close.ledger import Action
from revenue_integrity.desk import decisions
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.evidence import DagsterEvidence

SIGN_OFF_JOB = "sign_off"


class SignOffConfig(dg.Config):
    """What somebody decides about a month of a book."""

    book: str = Field("", description="The book; by default the one in use, where there is only one.")
    month: str = Field(description="Service month, for example 2025-03.")
    action: str = Field(description="prepare, approve, waive or reopen.")
    actor: str = Field(description="Who decides; must stand in the setting preparers or approvers.")
    comment: str = Field("", description="Comment, or the reason of a waiver or a reopening.")
    check: str = Field("", description="The check to waive: its name, or STREAM/TABLE/NAME.")


def sign_off_job(deployment: Deployment) -> dg.JobDefinition:
    """Return the job ``sign_off``."""

    @dg.op(
        name="decide",
        description="Prepares, approves, waives or reopens a month; a refusal names its reason and what to do next.",
    )
    def decide(context: dg.OpExecutionContext, config: SignOffConfig) -> None:
        with logs.writing(deployment.settings, SIGN_OFF_JOB, month=config.month):
            try:
                home = deployment, DagsterEvidence(deployment, context.instance)
                month, actor, comment = months.parse(config.month), config.actor, config.comment
                action = Action(config.action)
                if action is Action.PREPARE:
                    entry = decisions.prepare(*home, month, actor, comment, book=config.book)
                elif action is Action.APPROVE:
                    entry = decisions.approve(*home, month, actor, comment, book=config.book)
                elif action is Action.WAIVE:
                    entry = decisions.waive(*home, month, config.check, actor, comment, book=config.book)
                else:
                    entry = decisions.reopen(*home, month, actor, comment, book=config.book)
            except (RevenueIntegrityError, ValueError) as error:
                logs.event("sign_off_refused", level=logging.WARNING, run_id=context.run_id, error=error, action=config.action)
                raise dg.Failure(str(error), allow_retries=False) from error
        context.add_output_metadata({"ledger_entry": entry.seq, "version": entry.version, "hash": entry.hash})

    @dg.job(name=SIGN_OFF_JOB, description="Decide about a month's sign-off: prepare, approve, waive, reopen.")
    def sign_off() -> None:
        decide()

    return sign_off
