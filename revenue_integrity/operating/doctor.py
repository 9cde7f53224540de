"""Examines a deployment and says what to do about what it finds.

Belongs here: environment, settings, disk, permissions, ports, the state of the home's files. Does not belong here: judging data
(checks do), proving hashes (``verify`` does).
"""

import contextlib
import errno
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import yaml

from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.book import Book
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.operating.ui import ADDRESS, refuse_taken_port
from revenue_integrity.orchestration.instance import carried_over
from revenue_integrity.orchestration.reloading import headers_of_this_user
from revenue_integrity.orchestration.standing import troubles
from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity.wording import counted

_PINNED = {"dagster": "1.13.27", "duckdb": "2.0.0", "pandas": "2.3.3"}
"""Versions that behaviour rests on: checks per partition, how values are printed, frame dtypes (see pyproject.toml)."""

_POSTGRES = "dagster-postgres"
"""What Dagster needs to keep its history in PostgreSQL; the product itself does not."""

_UI_SECONDS = 2
"""How long to wait for an answer of what listens on the UI's port."""


@dataclass(frozen=True)
class Examination:
    """What one examination found: a sentence, and what to do if it is not well."""

    what: str
    ok: bool
    found: str
    next_step: str = ""


def examine(load: Callable[[], Deployment]) -> pd.DataFrame:
    """Return one row per examination: ``what, ok, found, next_step``. Never raises for what it is there to find.

    ``load`` reads the settings, whose refusal is a finding as well.
    """
    findings = [_python(), *_packages()]
    try:
        deployment = load()
    except RevenueIntegrityError as error:
        findings.append(_of("settings", error))
    else:
        settings = deployment.settings
        findings.append(Examination("settings", True, f"home {settings.home}, months from {settings.first_month:%Y-%m}"))
        findings += _examine_home(deployment)
    rows = [astuple(_in_one_line(finding)) for finding in findings]
    return pd.DataFrame(rows, columns=["what", "ok", "found", "next_step"])


def _in_one_line(finding: Examination) -> Examination:
    """Return a finding without line ends, which messages of libraries may hold."""
    return Examination(finding.what, finding.ok, " ".join(finding.found.split()), " ".join(finding.next_step.split()))


def _of(what: str, error: RevenueIntegrityError) -> Examination:
    return Examination(what, False, error.reason, error.next_step)


def _examine_home(deployment: Deployment) -> Iterator[Examination]:
    examinations: list[Callable[[Settings], Examination]] = [
        _home,
        _permissions,
        _disk,
        _weight,
        partial(_landing, streams=deployment.streams),
        _deliveries,
        _warehouse,
        partial(_event_store, streams=deployment.streams),
        _ledger,
        partial(_people, books=deployment.books),
        _instance,
        examined_port,
    ]
    for examination in examinations:
        yield examination(deployment.settings)
    yield from _pulls(deployment)
    yield from _databases(deployment)


def _python() -> Examination:
    found = ".".join(str(part) for part in sys.version_info[:3])
    return Examination(
        "python", sys.version_info >= (3, 11), found, "" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer"
    )


def _packages() -> Iterator[Examination]:
    for name, wanted in _PINNED.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        step = "" if found == wanted else f"Make the environment again (make clean, then make run): {wanted} is needed"
        yield Examination(f"package {name}", found == wanted, found, step)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _refuses(directory: Path) -> str:
    """Return why nothing can be written to a directory; empty if it can."""
    # Asking for the mode bits would not notice a read-only file system, nor what root may not do either.
    try:
        with tempfile.TemporaryFile(dir=directory):
            return ""
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()


def _home(settings: Settings) -> Examination:
    place = _existing(settings.home)
    refusal = _refuses(place)
    state = "exists" if settings.home.exists() else f"will be made below {place}"
    if not refusal:
        return Examination("home", True, f"{settings.home} {state}")
    step = f"Give this user the right to write to {place}, or set {PREFIX}HOME to another directory"
    return Examination("home", False, f"{settings.home} cannot be written: {place}: {refusal}", step)


def _permissions(settings: Settings) -> Examination:
    """Examine the directories of the home, and those that stand elsewhere."""
    wanted = [
        settings.landing_path,
        settings.published_path,
        settings.packs_path,
        settings.ledger_path,
        settings.catalog_path,
        settings.dagster_path,
        settings.alerts_path,
        settings.logs_path,
    ]
    refusals = {path: _refuses(path) for path in wanted if os.path.lexists(path)}
    refused = [f"{path}: {refusal}" for path, refusal in refusals.items() if refusal]
    files = [settings.warehouse_path, *settings.ledger_path.glob("*")] if not refused else []
    refused += [f"{file}: not writable" for file in files if file.exists() and not os.access(file, os.R_OK | os.W_OK)]
    if not refused:
        return Examination("permissions", True, f"{len(refusals)} directories are writable")
    step = "Give this user the right to write there: run everything of a home as one user, or as users of one group"
    return Examination("permissions", False, f"not writable: {'; '.join(refused)}", step)


def _disk(settings: Settings) -> Examination:
    places = {_existing(path) for path in (settings.home, settings.landing_path, settings.published_path)}
    free, place = min((shutil.disk_usage(place).free, place) for place in places)
    found = f"{free / 1024**3:.1f} GiB free at {place}"
    if free >= settings.disk_reserve_gib * 1024**3:
        return Examination("disk", True, found)
    step = (
        f"Make room ({settings.home / 'as_of'} and {settings.home / 'tmp'} hold nothing that cannot be made again):"
        " a failed write loses nothing, but no month can be computed"
    )
    return Examination("disk", False, f"{found}, less than {settings.disk_reserve_gib} GiB", step)


def _landing(settings: Settings, streams: Streams) -> Examination:
    from revenue_integrity.landing import zone

    path = settings.landing_path
    if not os.path.lexists(path):
        return Examination("landing zone", True, f"{path} is empty", "Land a batch, or simulate source systems")
    if not path.is_dir():
        return Examination("landing zone", False, f"{path} is no directory", f"Move it away, or set {PREFIX}LANDING")
    try:
        found = zone.scan(path, [source for stream in streams for source in stream.arriving])
        # Names alone can be read where files cannot.
        for batch in found.batches:
            for file in (path / batch.batch_id).iterdir():
                if not os.access(file, os.R_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
    except RevenueIntegrityError as error:
        return _of("landing zone", error)
    except OSError as error:
        step = "Give this user the right to read the landing zone with all its directories"
        return Examination("landing zone", False, f"{error.filename or path} cannot be read: {error.strerror}", step)
    if found.ignored:
        step = "Move or rename what is no batch: <stream>/<source>/<YYYYMMDDTHHMMSSZ>/<file>"
        return Examination("landing zone", False, f"{len(found.batches)} batches; ignored: {'; '.join(found.ignored[:3])}", step)
    if found.ahead:
        step = "They count once their arrival is past; withdraw what claims a time that is none, and land it again"
        told = f"{len(found.ahead)} of {len(found.batches)} batches lie ahead of the present: {', '.join(found.ahead[:3])}"
        return Examination("landing zone", False, told, step)
    return Examination("landing zone", True, f"{len(found.batches)} batches in {path}")


def _deliveries(settings: Settings) -> Examination:
    """Return whether the sources that are expected have delivered."""
    from revenue_integrity import clock
    from revenue_integrity.computing.overdue import overdue_deliveries

    expected = settings.expected_every
    if not expected:
        return Examination("deliveries", True, "no source is expected (setting expected_every)")
    try:
        found = overdue_deliveries(settings, clock.now())
    except OSError as error:
        step = "Give this user the right to read the home with all its directories"
        return Examination("deliveries", False, f"{error.filename} cannot be read: {error.strerror}", step)
    if not found:
        return Examination("deliveries", True, f"{len(expected)} expected, none overdue")
    step = "Ask whoever delivers them; what comes is read by itself"
    return Examination("deliveries", False, "; ".join(each.sentence for each in found), step)


def _warehouse(settings: Settings) -> Examination:
    from revenue_integrity.warehouse.database import connect

    if not settings.warehouse_path.exists():
        return Examination("warehouse", True, "not there yet", "It is made by the first run")
    try:
        with connect(settings.model_copy(update={"lock_timeout_seconds": 1}), read_only=True) as connection:
            tables = connection.sql("select count(*) from duckdb_tables() where schema_name not in ('main', 'meta')").fetchall()
    except RevenueIntegrityError as error:
        # A run at work is no trouble, but whoever waits for it wants to know whom to ask.
        return Examination("warehouse", "is in use" in error.reason, error.reason, error.next_step)
    except (duckdb.Error, OSError) as error:
        step = "Give this user the right to read and write it; if it is damaged, restore a backup, or delete it and run again"
        return Examination("warehouse", False, f"{settings.warehouse_path} cannot be opened: {error}", step)
    return Examination("warehouse", True, f"{tables[0][0]} tables, {settings.warehouse_path.stat().st_size / 1024**2:.0f} MiB")


def _event_store(settings: Settings, streams: Streams) -> Examination:
    from revenue_integrity.computing.ingestion import read_manifest
    from revenue_integrity.landing.eventstore.tables import lost_files

    try:
        kept = [file for stream in streams for file in read_manifest(settings, stream).kept]
    except NotADirectoryError:
        # The home is a file, which is told elsewhere.
        kept = []
    except OSError as error:
        step = "Give this user the right to read the home with all its directories"
        return Examination("event store", False, f"{error.filename} cannot be read: {error.strerror}", step)
    if not kept:
        return Examination("event store", True, "not there yet", "It is made by the first run that reads billing events")
    if lost := lost_files(kept, settings):
        step = "Run `revenue-integrity run`: they are made again from the landing zone, and the months stay as they are"
        return Examination("event store", False, f"{len(lost)} of its {len(kept)} files are gone, first {lost[0]}", step)
    return Examination("event store", True, f"{len(kept)} files")


def _ledger(settings: Settings) -> Examination:
    from revenue_integrity.close.ledger import Ledger

    if not settings.ledger_path.exists():
        return Examination("ledger", True, "not there yet", "It is made by the first sign-off")
    ledger = Ledger(settings.model_copy(update={"lock_timeout_seconds": 1}))
    try:
        broken = ledger.verify()
        if not broken:
            return Examination("ledger", True, f"its chain holds, {len(ledger.entries())} entries")
    except RevenueIntegrityError as error:
        return _of("ledger", error)
    except OSError as error:
        return Examination("ledger", False, f"it cannot be read: {error}", "Give this user the right to read and write it")
    step = f"Run `revenue-integrity verify` for all that does not hold. {broken[0].next_step}"
    return Examination("ledger", False, f"it does not hold: {broken[0].subject}: {broken[0].problem}", step)


def _people(settings: Settings, books: Sequence[Book]) -> Examination:
    """Return whether two people may close each book for which anybody is named."""
    told = []
    owners = {book.name: settings.of_book(book.name) for book in books}
    owners = {book: own for book, own in owners.items() if own.preparers or own.approvers}
    if not owners:
        return Examination("sign-off", True, "nobody may sign off", f"Set {PREFIX}PREPARERS and {PREFIX}APPROVERS to begin")
    for book, own in owners.items():
        preparers, approvers = set(own.preparers), set(own.approvers)
        people = f"{counted(len(preparers), 'preparer', 'preparers')}, {counted(len(approvers), 'approver', 'approvers')}"
        if not preparers or not approvers or len(preparers | approvers) < 2:
            found = f"{book}: {people} are too few: nobody approves what they prepared"
            return Examination("sign-off", False, found, f"Set {PREFIX}PREPARERS and {PREFIX}APPROVERS to two people at least")
        told.append((people, book))
    listed = {people: [book for each, book in told if each == people] for people, _ in told}
    return Examination("sign-off", True, "; ".join(f"{', '.join(books)}: {people}" for people, books in listed.items()))


def _instance(settings: Settings) -> Examination:
    file = settings.dagster_path / "dagster.yaml"
    if not file.exists():
        return Examination("Dagster instance", True, "not there yet", "It is made by the first run")
    default = f"Correct {file}, or delete it: the next command writes the default"
    try:
        text = file.read_text(encoding="utf-8")
        configured = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return Examination("Dagster instance", False, f"{file} cannot be read: {error}", default)
    if not isinstance(configured, dict):
        return Examination("Dagster instance", False, f"{file} holds no settings", default)
    runs, steps = (_at(configured, f"concurrency.{name}") for name in ("runs.max_concurrent_runs", "pools.default_limit"))
    wrong = [f"concurrency.pools.default_limit is {steps}, not 1"] if steps != 1 else []
    wrong += ["concurrency.runs.max_concurrent_runs is not set"] if not isinstance(runs, int) else []
    if wrong:
        return Examination("Dagster instance", False, f"{file}: {', '.join(wrong)}", f"One warehouse has one writer. {default}")
    if "storage" in configured and "event_log_storage" in configured:
        step = "Take event_log_storage out: storage holds the event log too"
        return Examination("Dagster instance", False, f"{file} names both storage and event_log_storage", step)
    if "postgres" in str(configured.get("storage", "")) and not _is_installed(_POSTGRES):
        step = f"Install {_POSTGRES} of the version that belongs to dagster {_PINNED['dagster']}"
        return Examination("Dagster instance", False, f"{file} names PostgreSQL, and {_POSTGRES} is not installed", step)
    if carried_over(text) != text:
        return Examination(
            "Dagster instance", True, "configured by an earlier release", "The next command that opens it carries it over"
        )
    return _opened(settings, file)


def _opened(settings: Settings, file: Path) -> Examination:
    os.environ["DAGSTER_HOME"] = str(settings.dagster_path)
    try:
        with dg.DagsterInstance.from_config(str(settings.dagster_path)) as instance:
            runs = instance.get_runs_count()
            found = troubles(instance, settings)
    except Exception as error:  # Dagster and what it stands on raise of every kind
        step = f"Correct {file}, and see whether the database that it names is up"
        return Examination("Dagster instance", False, f"it cannot be opened: {type(error).__name__}: {str(error)[:300]}", step)
    if found:
        told, steps = ("; ".join(part) for part in zip(*((each.found, each.next_step) for each in found), strict=True))
        return Examination("Dagster instance", False, told, steps)
    return Examination("Dagster instance", True, f"{runs} runs in {file.parent}")


_WEIGHED = {
    "landing zone": "landing_path",
    "warehouse": "warehouse_path",
    "published": "published_path",
    "packs": "packs_path",
    "Dagster": "dagster_path",
    "logs": "logs_path",
    "alerts": "alerts_path",
}
"""Parts of a home that grow, by the setting that says where they stand."""


def _weight(settings: Settings) -> Examination:
    """Say what each part of the home weighs, the heaviest first."""
    parts = {what: getattr(settings, place) for what, place in _WEIGHED.items()} | {"events": settings.home / "events"}
    sizes = {what: _bytes_of(place) for what, place in parts.items()}
    told = [f"{what} {size / 1024**2:,.1f} MiB" for what, size in sorted(sizes.items(), key=lambda each: -each[1]) if size]
    return Examination("weight", True, ", ".join(told) or "nothing yet")


def _bytes_of(place: Path) -> int:
    if place.is_file():
        return place.stat().st_size
    found = 0
    for folder, _, names in os.walk(place):
        for name in names:
            # A run at work takes files away while they are counted.
            with contextlib.suppress(FileNotFoundError):
                found += Path(folder, name).lstat().st_size
    return found


def _at(configured: Any, name: str) -> Any:
    for part in name.split("."):
        configured = configured.get(part) if isinstance(configured, dict) else None
    return configured


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def examined_port(settings: Settings) -> Examination:
    """Examine the port of the UI: free, or our UI answers there to its own user."""
    what = f"port {settings.ui_port}"
    try:
        refuse_taken_port(settings.ui_port)
    except RevenueIntegrityError as error:
        if _is_our_ui(settings):
            return Examination(what, True, f"a Dagster UI answers on http://{ADDRESS}:{settings.ui_port}")
        return _of(what, error)
    return Examination(what, True, "free")


def _is_our_ui(settings: Settings) -> bool:
    address = f"http://{ADDRESS}:{settings.ui_port}/server_info"
    try:
        asked = urllib.request.Request(address, headers=headers_of_this_user(settings))
        # Loopback is never reached through a proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asked, timeout=_UI_SECONDS) as answer:
            return "dagster_version" in json.load(answer)
    except (OSError, ValueError):
        return False


def _databases(deployment: Deployment) -> Iterator[Examination]:
    """Examine each delivery into a database: its URL, its driver, its datasets. Nothing is connected."""
    if not deployment.settings.deliveries:
        return
    from revenue_integrity.serving.deliveries import contents, database

    for each in deployment.settings.deliveries:
        what = f"delivery {each.name}"
        try:
            count = len(contents.tables_of(deployment, each))
            with database.opened(each, deployment.settings.lock_timeout_seconds):
                pass
        except RevenueIntegrityError as error:
            yield _of(what, error)
        else:
            yield Examination(what, True, f"brings {count} datasets, as {each.when}, into the schema {each.schema_name}")


def _pulls(deployment: Deployment) -> Iterator[Examination]:
    """Examine each configured source: its variable, its URL, its driver. Nothing is connected."""
    if not deployment.settings.pull_sources:
        return
    from revenue_integrity.databases import masked, resolve_url
    from revenue_integrity.landing.pull import engine_of

    for each in deployment.settings.pull_sources:
        what = f"pull {each.stream} {each.source}"
        try:
            deployment.source(each.stream, each.source)
            url = resolve_url(each.url_env)
            engine_of(url).dispose()
        except RevenueIntegrityError as error:
            yield _of(what, error)
        else:
            yield Examination(what, True, f"reads {masked(url)} by {each.cron}")
