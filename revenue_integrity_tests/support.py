"""What tests of several folders share: a small table of every column type, homes, and programs in processes of their own.

Does not belong here: landing zones (``landing.support``) and running cases without Dagster (``cases``).
"""

import contextvars
import io
import json
import os
import socket
import subprocess
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity.model import table as column
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity.streams.registry import deployment_of, settings_model
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.processes import finished

SHIPPED = deployment_of(settings_model()(home=Path("/nowhere")))
"""The streams that the product ships, over no home."""

MARCH = date(2025, 3, 1)
APRIL = date(2025, 4, 1)

SAMPLE: Table = table(
    "colocation",
    "mart",
    "sample",
    "A table with a column of every type and every rule, for tests.",
    ("month", "id"),
    [
        column.month(),
        column.text("id", "Identifier.", pattern="[A-Z]+-[0-9]+"),
        column.text("kind", "One of two kinds.", isin=("a", "b")),
        column.text("note", "Free text.", null=True),
        column.money("amount_cents", "Amount.", ge=-1000),
        column.integer("racks", "Racks.", unit="racks", null=True, ge=0, le=50),
        column.decimal("kwh", "Energy.", unit="kWh", places=3, ge=0, le=1000),
        column.ratio("share", "Share."),
        column.flag("late", "Whether it is late."),
        column.flag("checked", "Whether somebody looked.", null=True),
        column.day("day", "A day."),
        column.instant("posted_at", "When it was posted.", null=True),
    ],
)


def sample_rows(month: date = MARCH, ids: tuple[str, ...] = ("A-1", "B-2"), **changes: Any) -> pd.DataFrame:
    """Return good rows of ``SAMPLE``, with the dtypes of its declaration; ``changes`` replace whole columns."""
    count = len(ids)
    frame = pd.DataFrame(
        {
            "month": pd.to_datetime([month] * count).as_unit("us"),
            "id": pd.Series(ids, dtype=object),
            "kind": pd.Series(["a"] * count, dtype=object),
            "note": pd.Series([None] * count, dtype=object),
            "amount_cents": pd.Series(range(100, 100 + count), dtype="int64"),
            "racks": pd.array([3] * count, dtype="Int64"),
            "kwh": pd.Series([Decimal("1.500")] * count, dtype=object),
            "share": pd.Series([None] * count, dtype=object),
            "late": pd.Series([False] * count, dtype=bool),
            "checked": pd.array([None] * count, dtype="boolean"),
            "day": pd.to_datetime([month] * count).as_unit("us"),
            "posted_at": pd.to_datetime([None] * count, utc=True).as_unit("us"),
        }
    )
    for name, values in changes.items():
        frame[name] = values
    return frame


def home_of(settings: Settings) -> Deployment:
    """Return a home with those of the product's streams that landed something in it, or that its books name.

    What a command does with the others (nothing) is told by the tests that go through the command line, which has them all.
    """
    deployment = deployment_of(settings)
    named = {name for book in settings.books.values() for name in book.streams}
    held = [each for each in deployment.streams.names if each in named or (settings.landing_path / each).is_dir()]
    return Deployment(settings, deployment.streams.only(*held)) if held else deployment


def home_settings(home: Path, **values: Any) -> Settings:
    """Return the settings of a home with fixed months, whose few rows would only wait for a second thread."""
    return settings_model()(**({"home": home, "first_month": "2025-03", "last_month": "2025-04", "threads": 1} | values))


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment in which a process has these settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name != "DAGSTER_HOME"}
    given = settings.model_dump(mode="json", exclude_unset=True)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    return own | {f"{PREFIX}{name.upper()}": text for name, text in texts.items()}


def python(code: str, *, environment: Mapping[str, str] | None = None, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own; its exit code is judged by the caller."""
    return finished(code, environment=environment, timeout=timeout)


def command(settings: Settings, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``revenue-integrity`` over a home, with the environment, output and exit code of a process, but in this one.

    Starting Python takes seconds, the commands mostly do not. What is about processes takes ``command_process``.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2))
    before = dict(os.environ)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            _replace_environment(environment_of(settings) | variables)
            # A context of its own: the clock that a test holds still goes on in another process.
            code = contextvars.Context().run(_exit_code, arguments)
        finally:
            _replace_environment(before)
    told = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]  # type: ignore[attr-defined] # -- bytes in memory
    return subprocess.CompletedProcess(list(arguments), code, *told)


def _exit_code(arguments: Sequence[str]) -> int:
    from revenue_integrity.cli.program import main

    try:
        main(list(arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _replace_environment(values: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)


def command_process(
    settings: Settings, *arguments: str, timeout: int = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run ``revenue-integrity`` in a process of its own, over a home."""
    code = "import sys; from revenue_integrity.cli.program import main; main(sys.argv[1:])"
    return finished(code, *arguments, environment=environment_of(settings) | variables, timeout=timeout)


def hash_of(declared: Table, file: Path) -> str:
    """Return the content hash of a published file, computed from its rows."""
    with publish.verifying() as connection:
        found = publish.verify_files(connection, declared, [file])[file]
    assert isinstance(found, str), found
    return found


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
