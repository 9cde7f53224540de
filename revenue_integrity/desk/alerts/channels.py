"""Channels: which ones an alert goes to, and one attempt to send through one of them.

Belongs here: the notification library, and keeping the secrets in a channel's URL out of every log and message.
Does not belong here: what was sent already, when to try again (``delivery``).
"""

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import SecretStr

from revenue_integrity.desk.alerts.events import Severity
from revenue_integrity.settings import Settings

_LOWER = {Severity.CRITICAL: Severity.WARNING, Severity.WARNING: Severity.INFO}

_TALKATIVE = ("apprise", "urllib3", "requests")
"""Loggers of the notification library and below it: at debug level they print whole URLs, with the tokens in them."""


@dataclass(frozen=True)
class Channel:
    """Where alerts go.

    Attributes:
        url: the Apprise URL, a secret as a whole.
        key: what stands for it in files and messages.
    """

    url: SecretStr = field(repr=False)
    key: str


def of_severity(settings: Settings, severity: Severity) -> list[Channel]:
    """Return the channels of a severity, each once; one that is not named in the settings uses the next lower one's."""
    urls = settings.alert_channels.get(severity.value)
    if urls is None:
        return of_severity(settings, _LOWER[severity]) if severity in _LOWER else []
    return _channels(urls)


def of_escalation(settings: Settings) -> list[Channel]:
    """Return the channels that unresolved critical alerts go to, in their order."""
    return _channels(settings.alert_escalation_channels)


def send(channel: Channel, severity: Severity, title: str, body: str) -> str | None:
    """Send one message in the severity's colour; return ``None`` if the channel took it, else why not. It never raises.

    The reason names no part of the URL: an exception's own text may hold it.
    """
    try:
        with _quiet():
            from apprise import Apprise, NotifyFormat, NotifyType

            # Blue, amber and red, where a service knows colours.
            types = {
                Severity.INFO: NotifyType.INFO,
                Severity.WARNING: NotifyType.WARNING,
                Severity.CRITICAL: NotifyType.FAILURE,
            }
            service = Apprise()
            if not service.add(channel.url.get_secret_value()):
                return "its URL is of no known service or lacks a part"
            taken = service.notify(body=body or title, title=title, notify_type=types[severity], body_format=NotifyFormat.TEXT)
            return None if taken else "it did not take the message"
    except Exception as error:  # whatever a plug-in does wrong must not fail a run
        return f"sending failed with {type(error).__name__}"


def _channels(urls: tuple[SecretStr, ...]) -> list[Channel]:
    found = {key: Channel(url, key) for url in urls for key in [_key(url.get_secret_value())]}
    return list(found.values())


@lru_cache
def _key(url: str) -> str:
    # A slow digest: a short password inside a known URL must not be found by trying.
    digest = hashlib.pbkdf2_hmac("sha256", url.encode(), b"revenue-integrity alert channel", 100_000)
    return f"{url.partition('://')[0].lower()}#{digest.hex()[:8]}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
