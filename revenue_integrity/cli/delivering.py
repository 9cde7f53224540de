"""Commands that bring datasets to others: deliver, powerbi.

Belongs here: parsing, calling, printing. Does not belong here: the deliveries themselves (`serving.deliveries`),
the project (`serving.powerbi`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revenue_integrity import months
from revenue_integrity.cli.shared import (
    Commands,
    FormatOption,
    MonthOption,
    months_of,
    open_evidence,
    open_home,
    say,
    say_unfrozen,
    send_alerts,
    show,
)
from revenue_integrity.errors import DeliveryError, PublishError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from revenue_integrity.model.deployment import Deployment
    from revenue_integrity.settings import Delivery

app = Commands("Deliver")


@app.command()
def deliver(
    to: Annotated[str | None, typer.Option("--to", help="Only this delivery of the settings; by default all.")] = None,
    month: MonthOption = None,
    again: Annotated[bool, typer.Option("--again", help="Also what stands there already.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read back what was delivered, and tell what differs.")] = False,
    rebuild: Annotated[
        str | None, typer.Option("--rebuild", metavar="DATASET", help="Make its table anew with all months, in one step.")
    ] = None,
    chosen: FormatOption = None,
) -> None:
    """Bring what is published or signed into the SQL databases of the setting deliveries: what differs, a month at a time."""
    from revenue_integrity.serving.deliveries import delivering, rebuilding

    if sum((again, verify, rebuild is not None)) > 1 or (rebuild is not None and month is not None):
        raise UsageError("--again, --verify and --rebuild exclude each other, and a rebuild takes all months", "Take one of them")
    home = open_home()
    say_unfrozen(home)
    wanted = None if month is None else months_of(month, home.settings)
    deliveries = delivering.chosen(home, to)
    if not deliveries:
        say("nothing is to be delivered: the setting deliveries names no database")
    if rebuild is not None:
        brought = [
            rebuilding.rebuild(home, each, rebuild, open_evidence)
            for each in deliveries
            if rebuilding.brings(home, each, rebuild)
        ]
        if not brought and deliveries:
            raise UsageError(f"no delivery brings the dataset {rebuild}", "See the setting deliveries")
        for each in brought:
            say(f"{each.delivery}: {each.dataset} stands there anew with {each.rows} rows")
    elif verify:
        _verify(home, deliveries, wanted, chosen)
    else:
        _deliver(home, deliveries, wanted, chosen, again=again)


@app.command()
def powerbi(
    to: Annotated[Path, typer.Option("-o", "--output", help="Folder to make, or to make anew.")],
    delivery: Annotated[
        str | None,
        typer.Option("--delivery", help="Read what this delivery of the settings brings; by default what is published."),
    ] = None,
) -> None:
    """Write a Power BI project from what the streams declare: model and report, as text. No data are in it."""
    from revenue_integrity.serving.powerbi import project

    home = open_home()
    chosen = None
    if delivery is not None:
        from revenue_integrity.serving.deliveries import delivering

        (chosen,) = delivering.chosen(home, delivery)
    print(project.write(home, to, chosen))
    say("Power BI Desktop opens it, and asks nothing until its data are refreshed; see docs/power_bi.md")


def _deliver(
    home: "Deployment", deliveries: "Sequence[Delivery]", wanted: "Sequence[date] | None", chosen: FormatOption, *, again: bool
) -> None:
    """Bring what is due to each database; one that refuses keeps no other waiting."""
    from revenue_integrity.serving.deliveries.telling import deliver_and_tell

    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    for delivery in deliveries:
        try:
            for each in deliver_and_tell(home, delivery, wanted, again=again, open_evidence=open_evidence):
                say(f"{each.delivery}: {each.named}, {each.rows} rows")
                rows.append({"delivery": each.delivery, "dataset": each.dataset, "month": _label(each.month), "rows": each.rows})
        except (DeliveryError, PublishError) as error:
            refused.append(str(error))
    _show(rows, ("delivery", "dataset", "month", "rows"), chosen)
    if deliveries and not rows and not refused:
        say("everything stands there already")
    if deliveries:
        send_alerts(home)
    if refused:
        raise DeliveryError("not everything was delivered", details=refused)


def _verify(home: "Deployment", deliveries: "Sequence[Delivery]", wanted: "Sequence[date] | None", chosen: FormatOption) -> None:
    from revenue_integrity.serving.deliveries import verifying

    differing, held = [], 0
    for delivery in deliveries:
        for each in verifying.verify(home, delivery, wanted):
            if each is None:
                held += 1
            else:
                differing.append(
                    {"delivery": each.delivery, "dataset": each.dataset, "month": _label(each.month), "what": each.what}
                )
    _show(differing, ("delivery", "dataset", "month", "what"), chosen)
    say(f"{held} of what is on record hold")
    if differing:
        raise DeliveryError(f"{len(differing)} differences from what was delivered", "Deliver again with --again")


def _label(month: "date | None") -> str:
    return "" if month is None else months.label(month)


def _show(rows: "Sequence[dict[str, Any]]", columns: "Sequence[str]", chosen: FormatOption) -> None:
    import pandas as pd

    if rows or chosen is not None:
        show(pd.DataFrame(rows, columns=list(columns)), chosen)
