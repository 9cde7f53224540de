"""Sign-off from the UI: a job per month with book, action, actor and comment, through the same code as the command line.

Belongs here: the job and its configuration. Does not belong here: rules (``close.sign_off``), deeds (``desk.decisions``).
The actor is what somebody typed: the ledger also records the account under which the process ran. Behind a proxy that
authenticates it is whom the proxy named as the run was started, and there is no field to type a name into.

What is typed is text and nothing else: Dagster's typed configuration would take ``{"env": "NAME"}`` for the value of a variable
of the server, and a password would stand in the event log and in the ledger.
"""

import logging
from collections.abc import Sequence
from typing import Any

import dagster as dg

from revenue_integrity import confidential, logs
from revenue_integrity.canonical import sha256_of
from revenue_integrity.close.ledger import Action
from revenue_integrity.desk import decisions
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.attribution import actor_of
from revenue_integrity.orchestration.evidence import DagsterEvidence
from revenue_integrity.orchestration.jobs import SIGN_OFF_JOB
from revenue_integrity.orchestration.partitions import month_of


def sign_off_job(deployment: Deployment, partitions: dg.PartitionsDefinition) -> dg.JobDefinition:
    """Return the job ``sign_off``."""
    books = [book.name for book in deployment.books]
    is_named = deployment.settings.ui_auth == "proxy"
    actors = _actors(deployment)

    @dg.op(
        name="decide",
        description="Prepares, approves, waives or reopens a month; a refusal names its reason and what to do next.",
        config_schema=_schema(books, actors, is_named=is_named),
    )
    def decide(context: dg.OpExecutionContext) -> None:
        chosen = context.op_config
        with logs.writing(deployment.settings, SIGN_OFF_JOB, month=context.partition_key):
            try:
                home = deployment, DagsterEvidence(deployment, context.instance)
                month, comment, book = month_of(context.partition_key), chosen["comment"], chosen["book"]
                actor = actor_of(context.run, deployment.settings) if is_named else chosen["actor"]
                action = Action(chosen["action"])
                if action is Action.PREPARE:
                    entry = decisions.prepare(*home, month, actor, comment, book=book)
                elif action is Action.APPROVE:
                    entry = decisions.approve(*home, month, actor, comment, book=book)
                elif action is Action.WAIVE:
                    entry = decisions.waive(*home, month, chosen["check"], actor, comment, book=book)
                else:
                    entry = decisions.reopen(*home, month, actor, comment, book=book)
            except RevenueIntegrityError as error:
                logs.event("sign_off_refused", level=logging.WARNING, run_id=context.run_id, error=error, action=chosen["action"])
                # The sentence says it all: what stands behind it is no crash that somebody should trace.
                raise dg.Failure(confidential.struck(str(error), deployment.settings), allow_retries=False) from None
        context.add_output_metadata({"ledger_entry": entry.seq, "version": entry.version, "hash": entry.hash})

    @dg.job(
        name=SIGN_OFF_JOB,
        description="Decide about a month's sign-off: prepare, approve, waive, reopen. Choose the month as partition.",
        partitions_def=partitions,
        config={"ops": {"decide": {"config": _example(deployment, actors, is_named=is_named)}}},
    )
    def sign_off() -> None:
        decide()

    return sign_off


def _actors(deployment: Deployment) -> list[str]:
    """Return the names that some book or all of them have in a role."""
    every = [deployment.settings, *(deployment.settings.of_book(book.name) for book in deployment.books)]
    named = {name for settings in every for name in (*settings.preparers, *settings.approvers)}
    # A role in one book alone is written BOOK:NAME; who acts is NAME.
    return sorted({name.rsplit(":", 1)[-1] for name in named})


def _schema(books: Sequence[str], actors: Sequence[str], *, is_named: bool) -> dict[str, dg.Field]:
    anybody: Any = _one_of("Actor", actors) if actors else dg.String
    actions, book = _one_of("Action", [action.value for action in Action]), _one_of("Book", books)
    which: dict[str, Any] = {"default_value": books[0]} if len(books) == 1 else {}
    who = {"actor": dg.Field(anybody, description="Who decides; must stand in the setting preparers or approvers.")}
    return ({} if is_named else who) | {
        "book": dg.Field(book, description="The book: what is signed together.", **which),
        "action": dg.Field(actions, description="What is decided."),
        "comment": dg.Field(str, default_value="", description="Comment, or the reason of a waiver or a reopening."),
        "check": dg.Field(str, default_value="", description="The check to waive: its name, or STREAM/TABLE/NAME."),
    }


def _one_of(what: str, values: Sequence[str]) -> dg.Enum:
    """Return a list to choose from. Dagster keeps configuration by the names of its types: other values are another name."""
    return dg.Enum(f"{what}_{sha256_of(list(values))[:8]}", [dg.EnumValue(value) for value in values])


def _example(deployment: Deployment, actors: Sequence[str], *, is_named: bool) -> dict[str, str]:
    """Return what the launchpad begins with: the step that signs nothing, by somebody who may take it."""
    book = deployment.books[0].name
    preparers = [each for each in deployment.settings.of_book(book).preparers if each in actors]
    who = {} if is_named else {"actor": next(iter([*preparers, *actors]), "pat")}
    return {"book": book, "action": Action.PREPARE.value, **who, "comment": "", "check": ""}
