"""SQL as a value: the text of one file and the parameters that it is run with.

Belongs here: loading a query from the package. Does not belong here: running it (``warehouse.io_manager``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True)
class Query:
    """A ``select`` that the engine runs; the rows never enter Python.

    Parameters are named (``$month``) and bound by the engine, never pasted into the text.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bound(self) -> dict[str, Any]:
        """The parameters that the text names; the engine refuses any other.

        Raises:
            KeyError: the text names a parameter that was not given.
        """
        return {name: self.parameters[name] for name in sorted(set(_PARAMETER.findall(_COMMENT.sub("", self.sql))))}


@cache
def read_sql(package: str, path: str) -> str:
    """Return the text of a ``.sql`` file of a package, for example ``("revenue_integrity.streams.colocation", "curated/x")``."""
    return files(package).joinpath("sql", f"{path}.sql").read_text(encoding="utf-8")


def load_query(package: str, path: str, **parameters: Any) -> Query:
    """Return the query in the package's ``sql/<path>.sql`` with its parameters."""
    return Query(read_sql(package, path), parameters)
