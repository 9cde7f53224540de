"""Which streams there are: an entry each, and nothing else that names them all.

Belongs here: the list, and the deployment that it makes of a home. Does not belong here: their content, which is imported
when somebody asks for a stream, and not before: a command for one stream imports that one. Only the declarations of settings
and simulators are read for all of them: a bad setting is refused at the start, and what simulators can make is part of the
command line.
"""

from dataclasses import dataclass
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from revenue_integrity.model.simulator import Simulator
from revenue_integrity.settings import Settings, joined
from revenue_integrity.settings_reading import read_settings

if TYPE_CHECKING:
    from revenue_integrity.model.deployment import Deployment
    from revenue_integrity.model.stream import Stream


@dataclass(frozen=True)
class Entry:
    """Where a stream stands.

    Attributes:
        stream: its declaration, as ``module:name``.
        settings: its own settings, as ``module:name``; empty for none.
        simulator: the simulator of its source systems, as ``module:name``; empty for none.
    """

    stream: str
    settings: str = ""
    simulator: str = ""


STREAMS = {
    "colocation": Entry(
        "revenue_integrity.streams.colocation.stream:COLOCATION",
        "revenue_integrity.streams.colocation.settings:ColocationSettings",
        "revenue_integrity.streams.colocation.simulate.simulator:SIMULATOR",
    ),
    "cloud": Entry(
        "revenue_integrity.streams.cloud.stream:CLOUD",
        "revenue_integrity.streams.cloud.settings:CloudSettings",
        "revenue_integrity.streams.cloud.simulate.simulator:SIMULATOR",
    ),
    "bookings": Entry(
        "revenue_integrity.streams.bookings.stream:BOOKINGS",
        "revenue_integrity.streams.bookings.settings:BookingsSettings",
        "revenue_integrity.streams.bookings.simulate.simulator:SIMULATOR",
    ),
    "sales": Entry(
        "revenue_integrity.streams.sales.stream:SALES",
        "revenue_integrity.streams.sales.settings:SalesSettings",
        "revenue_integrity.streams.sales.simulate.simulator:SIMULATOR",
    ),
}
"""The streams by their names, in the order in which people see them."""


def settings_model() -> type[Settings]:
    """Return the settings of a deployment: those that all streams share, and those of each."""
    return joined(*(resolve_name(entry.settings) for entry in STREAMS.values() if entry.settings))


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from environment and file.

    Raises:
        SettingsError: a value is not allowed, a name is unknown or the TOML file cannot be read; the message holds the
            name, the value and what is allowed.
    """
    return read_settings(settings_model(), **overrides)


def simulators() -> dict[str, Simulator]:
    """Return the simulators by the streams that they write for; no stream is loaded.

    Raises:
        ValueError: two of them have an option of one name, which the command line could not tell apart.
    """
    found: dict[str, Simulator] = {name: resolve_name(entry.simulator) for name, entry in STREAMS.items() if entry.simulator}
    names = [option.name for simulator in found.values() for option in simulator.options]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two simulators have an option {', '.join(twice)}")
    return found


def deployment_of(settings: Settings) -> "Deployment":
    """Return the home that settings describe, with the streams that there are in it, each with the checks that settings add.

    Raises:
        SettingsError: a setting names a stream that there is not.
    """
    # What streams are declared in takes longer to import than the settings, which every command reads.
    from revenue_integrity.model.deployment import Deployment
    from revenue_integrity.model.stream import Streams

    return Deployment(settings, Streams({name: partial(_loaded, entry.stream, settings) for name, entry in STREAMS.items()}))


def _loaded(place: str, settings: Settings) -> "Stream":
    stream: Stream = resolve_name(place)
    if not (settings.data_rules or settings.expected_every):
        return stream
    from revenue_integrity.close.deployment_checks import under_settings

    return under_settings(stream, settings)
