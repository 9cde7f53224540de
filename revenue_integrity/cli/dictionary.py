"""Writes ``docs/data_dictionary.md``: ``python -m revenue_integrity.cli.dictionary FILE``, as ``make dictionary`` does.

Belongs here: the command of those who develop the product. Does not belong here: what stands in the dictionary
(``serving.dictionary``).
"""

import sys
from pathlib import Path

from revenue_integrity.serving.dictionary import markdown
from revenue_integrity.settings import load_settings
from revenue_integrity.streams.registry import deployment_of


def main(arguments: list[str]) -> int:
    """Write the dictionary to the named file; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("Name the file to write: python -m revenue_integrity.cli.dictionary docs/data_dictionary.md\n")
        return 2
    Path(arguments[0]).write_text(markdown(deployment_of(load_settings()).streams), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
