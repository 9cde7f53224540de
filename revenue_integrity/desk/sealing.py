"""The key of a home, and seals made with it: what nobody makes who only reaches what it seals.

Belongs here: the key, seals over texts. Does not belong here: which results (``orchestration.seals``) and packs (``packs``) carry
one. Whoever is of the home's group can read the key; against him the ledger's head holds, kept elsewhere.
"""

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from revenue_integrity.canonical import canonical_json
from revenue_integrity.files import write_whole
from revenue_integrity.settings import Settings

_KEY = "results.key"
"""The file in which the key of a home stands, beside the record of its runs."""

_KEY_BYTES = 32


def key_of(settings: Settings) -> bytes:
    """Return the key of a home; empty where it has none, with which nothing holds."""
    try:
        key = (settings.dagster_path / _KEY).read_bytes()
    except FileNotFoundError:
        return b""
    return key if len(key) == _KEY_BYTES else b""


def have_key(directory: Path) -> None:
    """Make the key in a directory, unless there is one."""
    file = directory / _KEY
    if file.exists():
        return
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    write_whole(new, secrets.token_bytes(_KEY_BYTES))
    try:
        # Of two processes that begin at once one makes the key that both use.
        os.link(new, file)
    except FileExistsError:
        return
    finally:
        new.unlink()


def seal_of_text(directory: str, said: Sequence[str]) -> str:
    """Return the seal over some texts of the home whose record of runs is in a directory."""
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    have_key(place)
    return _made((place / _KEY).read_bytes(), said)


def is_sealed(settings: Settings, said: Sequence[str], seal: str) -> bool:
    """Return whether a seal over some texts is that of a home."""
    key = key_of(settings)
    return bool(key) and hmac.compare_digest(seal.encode(), _made(key, said).encode())


def _made(key: bytes, said: Sequence[str]) -> str:
    return hmac.digest(key, canonical_json(list(said)).encode(errors="surrogatepass"), "sha256").hex()
