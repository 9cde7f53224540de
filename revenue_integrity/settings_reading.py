"""Reading the settings of a deployment, and what is said of one that cannot be read.

Belongs here: environment and file read, and every refusal: a value that is not allowed, a name that there is not, a place that
no directory can have. Does not belong here: the settings (``settings``).
"""

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from revenue_integrity.errors import SettingsError
from revenue_integrity.settings import PREFIX, BookSettings, Settings, section_variables, sections_of


def read_settings(model: type[Settings], **overrides: Any) -> Settings:
    """Read the settings of a deployment from environment and file.

    Raises:
        SettingsError: a value is not allowed, a name is unknown or the TOML file cannot be read; the message holds the
            name, the value and what is allowed.
    """
    _refuse_missing_file()
    try:
        settings = model(**overrides)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(_explain(problem, model) for problem in error.errors()), "Correct it and try again"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(error, model) from error
    _refuse_unknown_variables(model)
    for name in ("home", "landing", "published", "inbox"):
        _refuse_no_directory(name, getattr(settings, name))
    begins = settings.simulated_from
    if begins is None or settings.names("first_month"):
        return settings
    # A demo begins with the months that it is about: what is carried from before them is history, and no month of its own.
    return settings.model_copy(update={"first_month": begins})


def _unreadable(error: Exception, model: type[Settings]) -> SettingsError:
    """Return the refusal of a variable that is no JSON, or of a file that is no TOML."""
    reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
    named = _NAMED_FIELD.search(reason)
    variable = f"{PREFIX}{named[1]}".upper() if named and named[1] in model.model_fields else ""
    if named and variable in {each.upper() for each in os.environ}:
        return SettingsError(
            f"setting {named[1]}: {variable} is no JSON, as which lists and tables are written", 'Write it like ["a", "b"]'
        )
    return SettingsError(
        f"the settings cannot be read: {reason}", f"Correct the file that {PREFIX}CONFIG names, or the variables"
    )


_NAMED_FIELD = re.compile(r'for field "(\w+)"')


def _refuse_no_directory(name: str, path: Path | None) -> None:
    """Refuse a place that no directory can have: a file stands there or above it, or the system takes no such name."""
    try:
        for each in (path, *path.parents) if path else ():
            if each.exists():
                if not each.is_dir():
                    raise SettingsError(f"setting {name}: {each} is no directory", "Name a directory, or one that can be made")
                return
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsError(f"setting {name} names no place of this system: {reason}", "Name another directory") from error


def _refuse_missing_file() -> None:
    # The source of pydantic-settings takes a file that is not there for an empty one.
    file = os.environ.get(f"{PREFIX}CONFIG")
    if file and not Path(file).is_file():
        raise SettingsError(f"there is no file {file}", f"Correct {PREFIX}CONFIG, or unset it")


def _explain(problem: Any, model: type[Settings]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    said = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"there is no setting '{name}'; {_what_there_is(name, model)}"
    if name.startswith("alert_"):
        # The value may hold a channel's token, and so may its place if severity and URL were swapped.
        return f"setting {problem['loc'][0] if '://' in name else name}: {said}"
    return f"setting {name or 'combination'}={problem['input']!r}: {said}" if name else said


def _what_there_is(name: str, model: type[Settings]) -> str:
    """Return the names that somebody who wrote a wrong one may have meant; all where none is like it."""
    names = (
        [*(f"books.{part[1]}.{each}" for each in BookSettings.model_fields)] if (part := name.split("."))[0] == "books" else []
    )
    names = names or [*model.model_fields, *sections_of(model)]
    return f"there are {', '.join(sorted(get_close_matches(name.lower(), names)) or sorted(names))}"


def _refuse_unknown_variables(model: type[Settings]) -> None:
    known = {f"{PREFIX}{name}".upper() for name in model.model_fields} | {f"{PREFIX}CONFIG"}
    known |= {variable.upper() for variable in section_variables(model).values()}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        told = _what_there_is(unknown[0].upper().removeprefix(PREFIX), model)
        raise SettingsError(f"there is no setting {', '.join(unknown)}; {told}", "Remove the variable, or correct its name")
