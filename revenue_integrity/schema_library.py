"""pandera, as every module of this program imports it: ``from revenue_integrity.schema_library import pa``.

Belongs here: how it is loaded. Does not belong here: any schema.

Pandera loads every frame library that it finds, Spark's among them, to know their frames, and a library of property tests to make
examples. Nobody here hands it any frames but those of pandas, or asks it for examples; with Spark installed (the extra `spark`)
that was a fifth of a second of every command, with the development tools another sixth.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

__all__ = ["pa"]

_NOT_NEEDED = ("dask", "geopandas", "hypothesis", "modin", "polars", "pyspark")

_LOOKED_FOR_AGAIN = ("geopandas",)
"""Those that pandera looks for anew with each column of each schema: a twentieth of a second, unless known as missing."""


@contextmanager
def _as_if_not_installed(*names: str) -> Iterator[None]:
    """Let imports of some packages fail as if they were not there, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    # What the import system takes for a package that is not there.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # `None` is what it says; the stubs know modules alone
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
            if name in _LOOKED_FOR_AGAIN and find_spec(name) is None:
                sys.modules[name] = None  # type: ignore[assignment]  # as above


with _as_if_not_installed(*_NOT_NEEDED):
    import pandera.pandas as pa

    # The first frame that is validated would load them, and with them what makes examples.
    import pandera.strategies.pandas_strategies  # noqa: F401 - loaded for what it loads
