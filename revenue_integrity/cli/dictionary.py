"""Renews the documents that declarations make: ``python -m revenue_integrity.cli.dictionary DOCS``, as ``make dictionary`` does.

Belongs here: the command of those who develop the product. Does not belong here: what stands in the documents
(``serving.dictionary``, ``serving.controls``).
"""

import sys
from pathlib import Path

from revenue_integrity.serving import controls, dictionary
from revenue_integrity.streams.registry import deployment_of, load_settings


def main(arguments: list[str]) -> int:
    """Write the dictionary and the tables of checks into the named folder of documents; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("Name the folder of the documents: python -m revenue_integrity.cli.dictionary docs\n")
        return 2
    docs, streams = Path(arguments[0]), deployment_of(load_settings()).streams
    (docs / "data_dictionary.md").write_text(dictionary.markdown(streams), encoding="utf-8")
    page = docs / "controls.md"
    page.write_text(controls.renewed(page.read_text(encoding="utf-8"), streams), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
