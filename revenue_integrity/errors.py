"""Exceptions that a user can cause.

Belongs here: the family whose members become one line on stderr, or one clear Dagster failure, instead of a traceback.
Does not belong here: programming errors, which keep their own type and look like crashes.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_NEAR = 0.7
"""How alike two names are, of 1, of which one may be a misspelling of the other."""


class RevenueIntegrityError(Exception):
    """Something that the user can mend. The message names the reason; ``next_step`` says what to do about it.

    Where there are several reasons, each is one of ``details``, a bullet in the message; more lines of one belong to it.
    """

    def __init__(self, reason: str, next_step: str = "", *, details: Sequence[str] = ()) -> None:
        self.reason = reason
        self.next_step = next_step
        self.details = tuple(details)
        if details:
            bullets = (f"  - {each}".replace("\n", "\n      ") for each in details)
            super().__init__("\n".join([f"{reason}:", *bullets, *([next_step] if next_step else [])]))
        else:
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


class DeliveryError(RevenueIntegrityError):
    """Data cannot be brought into a database, or what stands there is not what was brought."""


class Refusal(RevenueIntegrityError):  # noqa: N818 -- the word that controllers use; it is a decision, not a malfunction
    """A step of the close is not allowed now."""


class LedgerError(RevenueIntegrityError):
    """The sign-off ledger or a signed version cannot be read or written."""


class IntegrityError(RevenueIntegrityError):
    """The sign-off ledger or a signed version is not what was recorded."""


def no_such(what: str, name: str, known: Iterable[str], them: str, *, where: str = "") -> UsageError:
    """Return the refusal of a name that nothing has, with near ones and all that there are.

    Args:
        what: what was asked for, as a noun (``dataset``).
        name: the name.
        known: the names that there are, in the order in which people see them.
        them: what these are called, in the plural.
        where: where it was looked for (a stream), where that is not everywhere.
    """
    names = list(known)
    place = f" in {where}" if where else ""
    return UsageError(f"there is no {what} '{name}'{place}", f"{near(name, names)}{them}: {', '.join(names) or 'none'}")


def near(name: str, known: Iterable[str]) -> str:
    """Return a question after names that a misspelt one may mean, with a space behind it; empty if none is near."""
    by_small = {each.lower(): each for each in known}
    found = get_close_matches(name.lower(), by_small, n=3, cutoff=_NEAR)
    return f"Did you mean {' or '.join(by_small[each] for each in found)}? " if found else ""
