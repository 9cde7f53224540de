"""What each stream measures: a folder with its name, whose `benchmark.PARTS` says what there is.

Belongs here: finding them. Does not belong here: any stream's content. A stream that measures something adds its folder, and
nothing else names it.
"""

import importlib
import pkgutil

from benchmarks.part import Part


def parts() -> dict[str, Part]:
    """Return what the streams measure, by stream and name (``STREAM.PART``)."""
    found: dict[str, Part] = {}
    for folder in pkgutil.iter_modules(__path__):
        for part in importlib.import_module(f"{__name__}.{folder.name}.benchmark").PARTS:
            found[f"{folder.name}.{part.name}"] = part
    return found
