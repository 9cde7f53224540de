"""A headline figure of a page.

Belongs here: what every view's tiles have in common. Does not belong here: which figures are shown (``page``, ``cloud_page``).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """A headline figure: what it is, its value, its exact value or context, and whether it is good, bad or neither."""

    label: str
    value: str
    note: str
    tone: str = ""
