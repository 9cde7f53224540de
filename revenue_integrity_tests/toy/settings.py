"""The settings of the toy stream: typed, with unit and default, refused at the start if wrong.

Belongs here: numbers that only rules and checks of this stream rest on. Does not belong here: what all streams share.

This module is imported whenever settings are read, whatever stream a command is for: it imports nothing heavy.
"""

from typing import ClassVar

from pydantic import Field

from revenue_integrity.settings import Settings


class ToySettings(Settings):
    """The settings of the toy stream, beside those that all streams share."""

    stream: ClassVar[str] = "toy"

    toy_dearest_cents: int = Field(50_000, ge=0, description="What no single rental costs more than (cents).")
