"""Exceptions that a user can cause.

Belongs here: the family whose members become one line on stderr, or one clear Dagster failure, instead of a traceback.
Does not belong here: programming errors, which keep their own type and look like crashes.
"""


class RevenueIntegrityError(Exception):
    """Something that the user can mend. The message names the reason; ``next_step`` says what to do about it."""

    def __init__(self, reason: str, next_step: str = "") -> None:
        self.reason = reason
        self.next_step = next_step
        super().__init__(f"{reason}. {next_step}" if next_step else reason)


class UsageError(RevenueIntegrityError):
    """The command or a value in it is not understood (exit code 2)."""


class SettingsError(UsageError):
    """A setting has a value that is not allowed."""


class LandingError(RevenueIntegrityError):
    """A batch cannot be landed or read."""


class WarehouseError(RevenueIntegrityError):
    """The warehouse cannot be opened or written."""


class PublishError(RevenueIntegrityError):
    """A month cannot be published, or what is published does not hold together."""


class Refusal(RevenueIntegrityError):  # noqa: N818 -- the word that controllers use; it is a decision, not a malfunction
    """A step of the close is not allowed now."""


class LedgerError(RevenueIntegrityError):
    """The sign-off ledger or a signed version cannot be read or written."""


class IntegrityError(RevenueIntegrityError):
    """The sign-off ledger or a signed version is not what was recorded."""
