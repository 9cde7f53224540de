"""A copy of the program in which a place is changed, and what a process that runs the copy says of versions.

Belongs here: making copies and asking them. Does not belong here: which places are changed and what must follow
(``test_mutations``).

A process loads the libraries once and forks for each question, for they take most of the time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[2] / "revenue_integrity"


def compiling(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Python keeps what it compiled of a copy, whatever is wished for the tree: most stays."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Copy:
    """A copy of the program's package, and a process that answers for it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        shutil.copytree(PACKAGE, place / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=place,
            env=compiling(os.environ),
        )

    def answer(self) -> Mapping[str, Any]:
        """Return what the copy says as it stands (``_say``)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, "the copy cannot be asked: see its error above"
        found: Mapping[str, Any] = json.loads(line)
        return found

    @contextmanager
    def changed(self, file: str, old: str, new: str) -> Iterator[None]:
        """Replace a text (a regular expression, found exactly once) in a file of the copy (a pattern that names one file)."""
        (path,) = (self.place / PACKAGE.name).glob(file)
        plain = path.read_text(encoding="utf-8")
        text, count = re.subn(old, new, plain, flags=re.MULTILINE)
        assert count == 1, f"{file} holds {old!r} {count} times"
        path.write_text(text, encoding="utf-8")
        self._forget(path)
        try:
            yield
        finally:
            path.write_text(plain, encoding="utf-8")
            self._forget(path)

    def _forget(self, path: Path) -> None:
        """Remove what Python compiled of a file: it takes one written in the same second, of the same size, for the same."""
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def _say() -> dict[str, Any]:
    """Return what tables and verdicts rest on, what is worked out after reading, and what is attested."""
    from revenue_integrity.computing.ingestion import version_of_refresh
    from revenue_integrity.computing.versions import code_version, judged_by, settings_hash, version_of_rule
    from revenue_integrity.streams.registry import deployment_of, settings_model
    from revenue_integrity.warehouse.catalog import fingerprint

    settings = settings_model()(home=Path("/nowhere"))
    streams = list(deployment_of(settings).streams)
    return {
        "rules": {
            rule.table.qualified: fingerprint(version_of_rule(rule), settings.values(*rule.settings), {})
            for stream in streams
            for rule in stream.rules
        },
        "checks": {f"{stream.name}.{check.name}": judged_by(check, settings) for stream in streams for check in stream.checks},
        "refresh": {stream.name: version_of_refresh(stream) for stream in streams},
        "attested": {stream.name: code_version([stream]) for stream in streams},
        "settings": {stream.name: settings_hash([stream], settings) for stream in streams},
    }


def _serve(place: str) -> None:
    import gc
    import importlib

    for library in ("duckdb", "jinja2", "numpy", "pandas", "pandera.pandas", "pyarrow.parquet", "pydantic_settings"):
        importlib.import_module(library)
    sys.path.insert(0, place)
    # Each answer ends with its process: to look for garbage would only write to what is shared with it.
    gc.disable()
    for _ in sys.stdin:
        if (child := os.fork()) == 0:
            print(json.dumps(_say()), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    # The folder of this file is no place to import from.
    sys.path.pop(0)
    _serve(sys.argv[1])
