"""What a run writes to its standard output and error: kept for the UI, and shown where the program runs.

Belongs here: showing it while it is kept. Does not belong here: where it is kept and how the UI reads it, which Dagster decides;
the program's own log (``logs``).

Dagster starts four processes per run for it: a `tail` for each stream, and a Python for each `tail` to end it when the run was
killed. They took a third of a second of processor per run, and a `tail` that ends with its run may never show the last lines.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, BinaryIO, TextIO

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.instance.ref import compute_logs_directory
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData
from dagster._utils import ensure_file, touch_file

_SHOWN_EVERY = 0.2
"""Seconds between two looks whether there is more to show."""


class ShowingComputeLogManager(LocalComputeLogManager):
    """Keeps what runs write in the Dagster home, and shows it from a thread of their process."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return that there is nothing to configure: a home that was moved is found again."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "ShowingComputeLogManager":
        """Return the manager of the logs in the Dagster home, where Dagster's own class would have them too."""
        return cls(compute_logs_directory(os.environ["DAGSTER_HOME"]), inst_data=inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Keep and show what this process and its children write, until the block ends."""
        out = self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[ComputeIOType.STDOUT])
        error = self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[ComputeIOType.STDERR])
        with _kept_and_shown(sys.stdout, Path(out)), _kept_and_shown(sys.stderr, Path(error)):
            yield CapturedLogContext(log_key)
        touch_file(self.complete_artifact_path(log_key))


@contextmanager
def _kept_and_shown(stream: TextIO, file: Path) -> Iterator[None]:
    ensure_file(str(file))
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError):
        # No file of the system stands behind it, as in some tests and embedding programs: Dagster keeps nothing then, either.
        yield
        return
    shown = os.dup(descriptor)
    try:
        with file.open("rb") as kept:
            kept.seek(0, os.SEEK_END)
            ended = Event()
            # A daemon, for a killed or crashing process must not wait for it: everything is in the file.
            showing = Thread(target=_show, args=(kept, shown, ended), name="show compute logs", daemon=True)
            showing.start()
            try:
                with redirect_to_file(stream, str(file)):
                    yield
            finally:
                ended.set()
                showing.join()
    finally:
        os.close(shown)


def _show(kept: BinaryIO, shown: int, ended: Event) -> None:
    """Write what is added to a file to a descriptor, until a last time after the end."""
    is_last = False
    while not is_last:
        is_last = ended.wait(_SHOWN_EVERY)
        left = kept.read()
        while left:
            try:
                left = left[os.write(shown, left) :]
            except OSError:
                # Whoever read it has gone (`| head`); that must not end the run, and all of it is kept.
                return
