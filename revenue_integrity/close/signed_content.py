"""The hash of what is signed of a month.

Does not belong here: which columns are signed (``model.signed``).
"""

from collections.abc import Mapping

from revenue_integrity.canonical import sha256_of


def content_hash(digests: Mapping[str, str]) -> str:
    """Return the hash of a month's signed content from the digest of each signed dataset."""
    return sha256_of(dict(digests))
