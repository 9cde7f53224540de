"""The seal beside the manifest of a pack, and beside that of the index: this home wrote what it lists, in this place.

Belongs here: making and trying it. Does not belong here: the key (``sealing``), when packs are written (``packs``), what is told
of one that does not hold (``accounting``).
"""

from collections.abc import Mapping
from pathlib import Path

from revenue_integrity.desk.sealing import is_sealed, seal_of_text
from revenue_integrity.settings import Settings


def seal_file(listed: Path) -> Path:
    """Return the file with the seal of a manifest."""
    return listed.with_suffix(".seal")


def is_ours(settings: Settings, listed: Path) -> bool:
    """Return whether this home wrote a manifest in this place."""
    try:
        return is_sealed(settings, _said(settings, listed, listed.read_bytes()), seal_file(listed).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False


def sealed(settings: Settings, folder: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a pack with the seal of its manifest: who rewrites both the page and the manifest cannot make that."""
    from revenue_integrity.reports import manifest

    listed = folder / manifest.FILE
    return {**files, seal_file(listed).name: seal_of(settings, listed, files[manifest.FILE]).encode()}


def seal_of(settings: Settings, listed: Path, content: bytes) -> str:
    """Return the seal of a manifest in its place, with this content."""
    return seal_of_text(str(settings.dagster_path), _said(settings, listed, content))


def _said(settings: Settings, listed: Path, content: bytes) -> list[str]:
    return ["pack", listed.relative_to(settings.packs_path).as_posix(), content.decode(errors="surrogateescape")]
